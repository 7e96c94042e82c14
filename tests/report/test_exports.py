"""A results file in the formats of other tools says what the file says."""

import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pytest
from nights import night

from simulator.cli import call
from simulator.history import RESULT_TABLES, SCHEMA, Results
from simulator.report.exports import FORMATS, export
from simulator.scenarios.verdict import Verdict

PAGE = (Path(__file__).parents[2] / "docs" / "results-file.md").read_text()

DIGESTS = {1: "03d30c48be3d2fee"}
"""What each version of the tables was. A change of them is a new version, and a new line here."""


@pytest.mark.parametrize("to", ["parquet", "jsonl"])
def test_each_table_comes_out_as_it_is(results: Path, tmp_path: Path, to: str) -> None:
    place = export(results, to, tmp_path / "it's here")
    assert sorted(file.name for file in place.iterdir()) == sorted(
        f"{table}.{to}" for table in RESULT_TABLES
    )
    read = {"parquet": "read_parquet", "jsonl": "read_json"}[to]
    with duckdb.connect(str(results), read_only=True) as connection:
        for table in ("flow_runs", "states", "verdicts"):
            names = ", ".join(f"{name}::varchar" for name, _, _ in RESULT_TABLES[table])
            file = place / f"{table}.{to}"
            [found, kept] = (
                connection.execute(f"select {names} from {source}", values).fetchall()
                for source, values in ((f"{read}(?)", [str(file)]), (table, []))
            )
            assert kept
            if to == "parquet":
                assert found == kept
            else:
                assert len(found) == len(kept)
    if to == "jsonl":
        lines = (place / "flow_runs.jsonl").read_text().splitlines()
        first = json.loads(lines[0])
        assert first["flow"] == "parent"
        assert first["parameters"] == {"hour": 0}
        assert first["scheduled_at"] == "2026-03-28 22:00:00"


def test_junit_has_a_case_for_each_verdict_and_an_error_for_what_broke(results: Path) -> None:
    root = ElementTree.parse(export(results, "junit")).getroot()
    counts = {name: root.get(name) for name in ("tests", "failures", "errors")}
    assert counts == {"tests": "3", "failures": "1", "errors": "1"}
    [failed] = root.findall("./testsuite/testcase/failure")
    assert failed.get("message") == "it is Completed"
    [error] = root.findall("./testsuite/testcase/error")
    assert error.get("message") == "ValueError: no <such> thing"
    [suite] = [one for one in root if one.get("failures") == "1"]
    assert suite.get("name") == "child-fails [state ignored], seed 7"


def test_junit_is_xml_whatever_a_message_holds(tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    verdict = Verdict("\x1b[31mred\x00", passed=False, message="a\x1b & ]]> <b>")
    Results.open(path).add("s", "v", 0, night("Failed"), [], [verdict])
    [case] = ElementTree.parse(export(path, "junit")).getroot().iter("testcase")
    assert case.get("name") == "�[31mred�"
    assert case[0].get("message") == "a� & ]]> <b>"


def test_markdown_counts_and_names_what_is_broken(results: Path) -> None:
    lines = export(results, "markdown").read_text().splitlines()
    assert lines[0] == "# 1 of 3 variants hold"
    assert "## child-fails: Does the parent tell?" in lines
    assert "| state ignored | 7 | BROKEN | 0 of 1 hold | 7 |" in lines
    assert "| state raised | 7 | holds | 1 of 1 hold | 7 |" in lines
    assert "- `state ignored`, the parent tells: it is Completed" in lines
    assert "- `default`: ValueError: no &lt;such> thing" in lines


def test_a_trace_has_work_and_waits_of_a_run_on_tracks_apart(results: Path) -> None:
    events = json.loads(export(results, "trace").read_text())["traceEvents"]
    processes = {e["pid"]: e["args"]["name"] for e in events if e["name"] == "process_name"}
    [process] = [pid for pid, name in processes.items() if "state ignored" in name]
    own = [event for event in events if event["pid"] == process]
    tracks = {e["args"]["name"]: e["tid"] for e in own if e["name"] == "thread_name"}
    assert len(set(tracks.values())) == len(tracks)

    def spans(track: str) -> list[tuple[str, str, float]]:
        return [
            (e["name"], e["cat"], e["dur"] / 1e6)
            for e in own
            if e["ph"] == "X" and e["tid"] == tracks[track]
        ]

    assert spans("child/dev child-23") == [("Running", "work", 290), ("Retrying", "work", 300)]
    assert spans("child/dev child-23, waiting") == [
        ("Scheduled", "wait", 1),
        ("Pending", "wait", 4),
        ("AwaitingRetry", "wait", 300),
    ]
    # What a schedule has made an hour ahead has not waited; what is due and late has, to the end.
    assert spans("parent/dev parent-23, waiting") == [("Pending", "wait", 4)]
    assert spans("report/dev report-00, waiting")[-1] == ("Late", "wait", 3585)
    begun = next(
        e["ts"] for e in own if e["ph"] == "X" and e["tid"] == tracks["child/dev child-23"]
    )
    assert datetime.fromtimestamp(begun / 1e6, UTC).isoformat() == "2026-03-28T23:00:10+00:00"
    marks = {(e["name"], e["cat"]) for e in own if e["ph"] == "i"}
    assert {("Failed", "state"), ("raises ValueError('boom')", "fault")} <= marks


def test_the_page_is_the_schema_and_so_is_the_file(results: Path) -> None:
    told = {}
    for part in PAGE.split("\n## ")[1:]:
        rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (.+) \|$", part, re.MULTILINE)
        told[part.split("\n", 1)[0]] = rows
    assert told == {table: [*columns] for table, columns in RESULT_TABLES.items()}
    with duckdb.connect(str(results), read_only=True) as connection:
        for table, columns in told.items():
            found = connection.execute(
                "select column_name, data_type, comment from duckdb_columns()"
                " where table_name = ? order by column_index",
                (table,),
            )
            assert found.fetchall() == columns
        versions = connection.execute("select distinct comment from duckdb_tables()").fetchall()
    assert versions == [(f"schema {SCHEMA}",)]
    assert PAGE.splitlines()[2].startswith(f"Version {SCHEMA} of the tables.")


def test_another_schema_has_another_version() -> None:
    shape = json.dumps([(t, [c[:2] for c in columns]) for t, columns in RESULT_TABLES.items()])
    assert DIGESTS[SCHEMA] == hashlib.sha256(shape.encode()).hexdigest()[:16]
    assert max(DIGESTS) == SCHEMA


def test_every_format_is_told_and_written_beside_the_results(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for to in FORMATS:
        assert f"`{to}`" in PAGE or f"--to {to}`" in PAGE
        assert call(["export", str(results), "--to", to]) == 0
        place = Path(capsys.readouterr().out.strip())
        assert place.exists()
        assert place.parent == results.parent
    assert not list(results.parent.rglob("*.part"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["RESULTS", "--to", "excel"], "format 'excel' must be one of parquet, jsonl, junit"),
        (["none.duckdb"], "no results file at 'none.duckdb'"),
        (["RESULTS", "--output", "RESULTS"], "cannot write"),
        (["RESULTS", "--to", "junit", "--output", "no/where"], "cannot write 'no/where'"),
    ],
)
def test_a_mistake_is_one_line(results: Path, arguments, said, capsys) -> None:
    given = [str(results) if one == "RESULTS" else one for one in arguments]
    assert call(["export", *given]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
