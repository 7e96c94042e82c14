"""A results file in the formats of other tools says what the file says."""

import hashlib
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pytest
from nights import START, made, night

from simulator.cli import call
from simulator.history import RESULT_TABLES, SCHEMA, History, Results
from simulator.report.exports import FORMATS, export
from simulator.scenarios.verdict import Verdict

PAGE = (Path(__file__).parents[2] / "docs" / "results-file.md").read_text()

DIGESTS = {
    1: "03d30c48be3d2fee",
    2: "7a264601e75c8819",
    3: "90cf078e4eed3dc2",
    4: "7f11f0a969a47dbf",
}
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


def trace_of(results: Path) -> list[dict[str, Any]]:
    return json.loads(export(results, "trace").read_text())["traceEvents"]


def test_a_trace_has_work_and_waits_of_a_run_on_tracks_apart(results: Path) -> None:
    events = trace_of(results)
    processes = {e["args"]["name"]: e["pid"] for e in events if e["name"] == "process_name"}
    assert [name for name in processes if "ignored" in name] == [
        "child-fails [state ignored], seed 7",
        "child-fails [state ignored], seed 7: parent/dev",
        "child-fails [state ignored], seed 7: child/dev",
        "child-fails [state ignored], seed 7: report/dev",
    ]
    tracks = [(e["pid"], e["tid"]) for e in events if e["name"] == "thread_name"]
    assert len(set(tracks)) == len(tracks)

    def own(deployment: str, track: str) -> list[dict[str, Any]]:
        process = processes[f"child-fails [state ignored], seed 7: {deployment}"]
        [place] = [
            e["tid"]
            for e in events
            if e["name"] == "thread_name" and e["pid"] == process and e["args"]["name"] == track
        ]
        return [e for e in events if (e["pid"], e["tid"]) == (process, place) and e["ph"] != "M"]

    def spans(deployment: str, track: str) -> list[tuple[str, str, float]]:
        found = [e for e in own(deployment, track) if e["ph"] == "X"]
        return [(e["name"], e["cat"], e["dur"] / 1e6) for e in found]

    assert spans("child/dev", "child-23") == [("Running", "work", 290), ("Retrying", "work", 300)]
    assert spans("child/dev", "child-23, waiting") == [
        ("Scheduled", "wait", 1),
        ("Pending", "wait", 4),
        ("AwaitingRetry", "wait", 300),
    ]
    # What a schedule has made an hour ahead has not waited; what is due and late has, to the end.
    assert spans("parent/dev", "parent-23, waiting") == [("Pending", "wait", 4)]
    assert spans("report/dev", "report-00, waiting")[-1] == ("Late", "wait", 3585)
    marks = {(e["name"], e["cat"]) for e in own("child/dev", "child-23") if e["ph"] == "i"}
    assert {("Failed", "state"), ("raises ValueError('boom')", "fault")} <= marks


NOTED = ("fault", "away", "write", "result")
IN_TRACE = {
    "work": "select run_id, name, entered_at, over_at from stays where type in ('RUNNING', 'CANCELLING')",
    "wait": """select run_id, name, case when name = 'Scheduled' and scheduled_at > entered_at
        then scheduled_at else entered_at end as began, over_at from stays
        where type in ('SCHEDULED', 'PENDING', 'PAUSED') and not
        (name = 'Scheduled' and entered_at < scheduled_at and over_at <= scheduled_at)""",
    "state": "select run_id, state, ended_at, ended_at from flow_runs where ended_at is not null",
    "task": """select run_id, state, started_at, coalesce(ended_at, until)
        from tasks join variants using (scenario, variant, seed) where started_at is not null""",
    **{
        kind: f"select run_id, text, noted_at, noted_at from notes where kind = '{kind}'"
        for kind in NOTED
    },
}
"""By category, what the tables hold of it: run, name, begin and end."""

STAYS = """create temp view stays as select states.*, scheduled_at, coalesce(lead(entered_at) over
    (partition by scenario, variant, seed, run_id order by position), until) as over_at
    from states join flow_runs using (scenario, variant, seed, run_id)
    join variants using (scenario, variant, seed)"""


def test_a_trace_holds_what_the_tables_hold_at_the_same_instants(results: Path) -> None:
    events = [event for event in trace_of(results) if event["ph"] != "M"]
    assert {event["cat"] for event in events} <= set(IN_TRACE)
    with duckdb.connect(str(results), read_only=True) as connection:
        connection.execute(STAYS)
        for kind, query in IN_TRACE.items():
            kept = sorted(
                (name, _since(begin), _since(end))
                for _, name, begin, end in connection.execute(query).fetchall()
            )
            found = sorted(
                (e["name"], e["ts"], e["ts"] + e.get("dur", 0)) for e in events if e["cat"] == kind
            )
            assert found == kept
            assert kept or kind == "task"


def _since(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1)) // timedelta(microseconds=1)  # noqa: DTZ001  # as kept


def test_an_attempt_that_took_no_time_is_in_the_trace_too(tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    run = made("quick", START, ("Pending", 0), ("Running", 0), ("Completed", 0))
    Results.open(path).add("s", "v", 0, History([run], now=START), [], [])
    spans = [(e["name"], e["dur"]) for e in trace_of(path) if e["ph"] == "X"]
    assert spans == [("Running", 0), ("Pending", 0)]


def test_the_page_names_every_category_of_a_trace() -> None:
    told = re.findall(r"^\| `(\w+)` \|", PAGE.partition("\n## ")[0], re.MULTILINE)
    assert told == [kind for kind in IN_TRACE if kind not in NOTED]


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
