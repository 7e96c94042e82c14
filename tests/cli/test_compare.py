"""`simulate compare` says where two histories part, from results files alone."""

import json
from pathlib import Path

import pytest

from simulator.cli import call
from simulator.history import History, Results
from tests.report.nights import night


def written(path: Path, history: History | None, **told: str) -> Path:
    Results.open(path).add("child-fails", "state raised", 7, history, **told)  # type: ignore[arg-type]
    return path


def of_variants(results: Path, *more: str) -> int:
    return call(["compare", "state ignored", "state raised", "--results", str(results), *more])


def test_two_variants_part_where_the_parent_of_one_fails(results: Path, capsys) -> None:
    both = "state ignored / state raised, seed 7"
    assert of_variants(results) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"child-fails [{both}] parts at 2026-03-28T23:15:05Z",
        "  state ignored: parent enters Completed",
        "  state raised: parent enters Failed",
        "",
        "another final state (1)",
        f"  child-fails [{both}]: parent/dev, scheduled 2026-03-28T23:00:00Z",
        "      state ignored: Completed",
        "      state raised: Failed",
        "",
        "1 difference",
    ]


def test_the_same_as_json(results: Path, capsys) -> None:
    assert of_variants(results, "--json") == 1
    said = json.loads(capsys.readouterr().out)
    assert said["same"] is False
    [pair], [difference] = said["pairs"], said["differences"]
    assert pair["parted"] == "2026-03-28T23:15:05Z"
    assert pair["sides"] == [[["parent", "Completed"]], [["parent", "Failed"]]]
    assert (difference["before"], difference["after"]) == ("Completed", "Failed")


def test_a_file_is_the_same_as_itself(results: Path, capsys) -> None:
    assert call(["compare", str(results), str(results)]) == 0
    assert capsys.readouterr().out == "no difference\n"


def test_quiet_says_it_by_the_exit_code(results: Path, tmp_path: Path, capsys) -> None:
    other = written(tmp_path / "other.duckdb", night("Completed"))
    assert call(["compare", str(results), str(results), "-q"]) == 0
    assert call(["compare", str(results), str(other), "-q"]) == 1
    assert capsys.readouterr().out == ""


def test_a_variant_that_one_file_lacks_differs(results: Path, tmp_path: Path, capsys) -> None:
    other = written(tmp_path / "other.duckdb", night("Failed"))
    assert call(["compare", str(results), str(other), "--scenario", "child-fails"]) == 1
    out = capsys.readouterr().out
    assert "child-fails [state ignored, seed 7]" in out
    assert f"      {other}: it is not there" in out
    assert "the parent tells" in out  # a verdict of one file alone
    assert "parts at" not in out


def test_one_that_broke_on_one_side_differs(results: Path, tmp_path: Path, capsys) -> None:
    one = written(tmp_path / "one.duckdb", night("Failed"))
    other = written(tmp_path / "other.duckdb", None, error="ValueError: boom")
    assert call(["compare", str(one), str(other)]) == 1
    assert "ValueError: boom" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody", "state raised"], "has the variants 'nobody' and 'state raised'"),
        (["nobody", "RESULTS"], "no results file at 'nobody'"),
        (["RESULTS", "RESULTS", "--scenario", "none"], "nothing to compare"),
        (["a", "b", "--results", "none.duckdb"], "no results file at 'none.duckdb'"),
        (["RESULTS", "RESULTS", "--json", "--quiet"], "--json and --quiet exclude each other"),
    ],
)
def test_a_mistake_is_one_line(results: Path, arguments, said, capsys) -> None:
    given = [str(results) if one == "RESULTS" else one for one in arguments]
    if "--results" not in given:
        given += ["--results", str(results)]
    assert call(["compare", *given]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_a_file_that_is_no_results_file_is_one_line(tmp_path: Path, capsys) -> None:
    (tmp_path / "no").write_text("no results")
    assert call(["compare", str(tmp_path / "no"), str(tmp_path / "no")]) == 2
    assert capsys.readouterr().err.startswith("simulate: cannot read the results file")
