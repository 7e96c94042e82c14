"""`simulate show` tells what a results file holds, in a terminal."""

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from simulator.cli import call


def test_the_verdicts_of_every_variant(results: Path, capsys) -> None:
    assert call(["show", "--results", str(results)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "BROKEN: child-fails [state ignored], seed 7, 7 runs",
        "  BROKEN: the parent tells",
        "    it is Completed",
        "holds: child-fails [state raised], seed 7, 7 runs",
        "  holds: the parent tells",
        "CRASHED: broken [default], seed 7, 0 runs",
        "  ValueError: no <such> thing",
    ]


def test_the_runs_of_a_variant_are_below_those_that_called_them(results: Path, capsys) -> None:
    assert call(["show", "--results", str(results), "--variant", "state raised"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  2026-03-28T23:00:04Z parent/dev parent-23: Failed" in lines
    assert "    2026-03-28T23:00:10Z child/dev child-23: Failed" in lines
    assert len(lines) == 2 + 7


def test_one_run_with_its_states(results: Path, capsys) -> None:
    arguments = ["show", "child-23", "--results", str(results), "--variant", "state raised"]
    assert call(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "child-fails [state raised], seed 7: 2026-03-28T23:00:10Z child/dev child-23: Failed",
        "  called by parent/dev parent-23",
    ]
    assert "  2026-03-28T23:05:00Z AwaitingRetry" in lines


def test_the_same_as_json(results: Path, capsys) -> None:
    assert call(["show", "parent-23", "--results", str(results), "--json"]) == 0
    both = json.loads(capsys.readouterr().out)
    assert [(one["variant"], one["state"]) for one in both] == [
        ("state ignored", "Completed"),
        ("state raised", "Failed"),
    ]
    assert both[0]["parameters"] == {"hour": 1}
    assert call(["show", "--results", str(results), "--json", "--variant", "state raised"]) == 0
    [variant] = json.loads(capsys.readouterr().out)
    assert variant["verdicts"] == [
        {"expectation": "the parent tells", "passed": True, "message": ""}
    ]
    assert len(variant["runs"]) == 7


def test_why_as_json(results: Path, capsys) -> None:
    arguments = ["explain", "child-23", "--results", str(results), "--json"]
    assert call([*arguments, "--variant", "state raised"]) == 0
    [said] = json.loads(capsys.readouterr().out)
    assert (said["scenario"], said["variant"], said["seed"]) == ("child-fails", "state raised", 7)
    first, root = said["reasons"]
    assert (first["sentence"], first["at"]) == (
        "Failed: </script><b>boom</b>",
        "2026-03-28T23:15:00Z",
    )
    assert (root["where"], root["at"]) == ("flows.py:7", "2026-03-28T23:00:10Z")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody"], "no run has the id or name 'nobody'"),
        (["--variant", "none"], "no such variant in"),
        (["--results", "none.duckdb"], "no results file at 'none.duckdb'"),
    ],
)
def test_a_mistake_is_one_line(results: Path, arguments, said, capsys) -> None:
    given = arguments if "--results" in arguments else [*arguments, "--results", str(results)]
    assert call(["show", *given]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_a_misspelt_name_is_told_with_the_nearest(results: Path, capsys) -> None:
    for asked, near in (
        (["child-32"], "child-23"),
        (["--scenario", "child-fals"], "child-fails"),
        (["--variant", "state rased"], "state raised"),
    ):
        assert call(["show", *asked, "--results", str(results)]) == 2
        assert f"in {str(results)!r}: did you mean {near!r}?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("drop table variants", "it has no table 'variants'"),
        ("alter table notes drop column code", "its table 'notes' has the columns scenario, "),
    ],
)
@pytest.mark.parametrize(
    "command", ["show", "explain", "report", "export", "export jsonl", "compare"]
)
def test_a_file_of_another_version_is_refused_as_one(
    results: Path, tmp_path: Path, capsys, command: str, change: str, said: str
) -> None:
    file = tmp_path / "of another.duckdb"
    shutil.copy(results, file)
    with duckdb.connect(str(file)) as connection:
        connection.execute(change)
    arguments = {
        "show": ["show", "--results"],
        "explain": ["explain", "child", "--results"],
        "export jsonl": ["export", "--to", "jsonl"],
        "compare": ["compare", str(results)],
    }.get(command, [command])
    assert call([*arguments, str(file)]) == 2
    (told,) = capsys.readouterr().err.splitlines()
    start = f"simulate: {str(file)!r} is not a results file of this version: {said}"
    assert told.startswith(start)


def test_a_file_that_was_begun_and_not_written_is_told_as_that(tmp_path: Path, capsys) -> None:
    file = tmp_path / "begun.duckdb"
    duckdb.connect(str(file)).close()
    assert call(["show", "--results", str(file)]) == 2
    (told,) = capsys.readouterr().err.splitlines()
    said = "holds no results: what was to write them ended before the first"
    assert told == f"simulate: {str(file)!r} {said}"
