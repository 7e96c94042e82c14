"""`simulate project --set`: both courses, side by side, and what became better and worse."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest

import simulator.project
from simulator import SimulationError
from simulator.cli import call
from simulator.faults import duration_from_plain
from simulator.history import kept_outcomes
from simulator.project import Comparison, compared, load, opened, settings_of
from simulator.project.settings import DEPLOYMENT, STEP, put
from simulator.project.simulation import ProjectSimulation

ROOT = Path(__file__).parents[2]

FLOWS = """
import time
from pathlib import Path
from prefect import flow, task

@task
def read():
    time.sleep(600)

@flow
def load():
    assert not Path("left").exists()
    read()
    time.sleep(600)

@flow(retries=1)
def report():
    Path("left").touch()
    time.sleep(60)
"""

YAML = """
deployments:
- name: prod
  entrypoint: flows.py:load
  schedule: {cron: "*/10 * * * *", timezone: Europe/Paris}
- name: prod
  entrypoint: flows.py:report
  schedule: {cron: "11 2 * * *", timezone: Europe/Paris}
"""

TOML = """
start = 2026-01-06T00:00:00Z

[[faults]]
kind = "raise"
step = "read"
on = [1]
attempts = "1"

[[promises]]
kind = "never_two"
of = "load/prod"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("of") / "shop"
    folder.mkdir()
    (folder / "flows.py").write_text(FLOWS)
    (folder / "prefect.yaml").write_text(YAML)
    (folder / "simulation.toml").write_text(TOML)
    return folder


SET = [
    "load/prod.concurrency_limit=1",
    "load/prod.cron=*/20 * * * *",
    "read.retries=1",
    "read.retry_delay_seconds=30",
    "report.duration=x2",
]


@pytest.fixture(scope="module")
def both(folder: Path) -> Comparison:
    return compared(folder, settings_of(SET), days=1.25 / 24)


def test_what_became_better_and_worse(both: Comparison) -> None:
    overlap = "gone: overlap: up to 2 runs of load/prod at once"
    said = [(one.verdict, one.subject, one.said) for one in both.changes()]
    assert said[0][:2] == ("better", "load/prod")
    assert said[0][2].startswith(overlap)
    of_runs = " (3 runs in place of 7)"
    assert said[1:] == [
        ("better", "load/prod", "gone: fails: 1 of 7 runs of load/prod end Failed"),
        ("better", "no two runs of load/prod at once", "the promise is kept now"),
        ("better", "load/prod", f"runs that end badly: 0 in place of 1{of_runs}"),
        ("better", "load/prod", "runs at once: 1 in place of 2"),
        ("worse", "load/prod", f"attempts more than one: 1 in place of 0{of_runs}"),
        ("worse", "load/prod", "median duration: 20m 15s in place of 20m 00s"),
        ("worse", "load/prod", "longest duration: 20m 30s in place of 20m 00s"),
        ("worse", "load/prod", "longest time from due to begun: 1m 20s in place of 0 s"),
        ("worse", "report/prod", "duration: 2m 00s in place of 1m 00s"),
        ("otherwise", "load/prod", "runs: 3 in place of 7"),
    ]


def test_the_other_way_round_is_the_opposite(both: Comparison) -> None:
    opposite = {"better": "worse", "worse": "better", "otherwise": "otherwise"}
    back = Comparison(both.settings, both.with_, both.without).changes()
    assert sorted((opposite[one.verdict], one.subject) for one in back) == sorted(
        (one.verdict, one.subject) for one in both.changes()
    )
    assert "the promise is broken: broken first at 2026-01-06T00:20:00Z" in str(back)


def test_what_is_more_in_number_and_less_in_share_is_neither(both: Comparison) -> None:
    row = replace(both.without.rows[0], runs=10, failed=3)
    more = replace(row, runs=100, failed=6)
    courses = [replace(both.without, findings=(), promises=(), rows=(one,)) for one in (row, more)]
    assert [(one.verdict, one.said) for one in Comparison((), *courses).changes()] == [
        ("otherwise", "runs that end badly: 6 in place of 3 (100 runs in place of 10)"),
        ("otherwise", "runs: 100 in place of 10"),
    ]


@pytest.fixture
def said(
    both: Comparison, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> Callable[..., tuple[int, str]]:
    monkeypatch.setattr(simulator.project, "compared", lambda *_, **__: both)

    def say(*options: str) -> tuple[int, str]:
        code = call(["project", str(folder), "--set", SET[0], *options])
        return code, capfd.readouterr().out

    return say


def test_it_is_said_side_by_side(said: Callable[..., tuple[int, str]]) -> None:
    code, table = said()
    assert code == 0
    assert table.startswith(
        "shop: 0.0520833 days from 2026-01-06, seed 0, without and with load/prod."
    )
    assert "| load/prod   | 7 -> 3 | 4 Completed, 1" in table
    assert "\nBetter: 5\n  load/prod: gone: overlap" in table
    code, markdown = said("--markdown", "--strict")
    assert code == 1
    assert "| report/prod | 1 | 1 Completed | 0 | 0 | 1m 00s -> 2m 00s" in markdown
    assert "**Worse: 5**\n\n- load/prod: attempts" in markdown
    told = json.loads(said("--json")[1])
    assert told["set"] == SET
    assert told["worse"][-1] == {
        "subject": "report/prod", "said": "duration: 2m 00s in place of 1m 00s"
    }  # fmt: skip
    assert [told[side]["deployments"][0]["runs"] for side in ("without", "with")] == [7, 3]


def test_both_sides_are_on_one_page(
    said: Callable[..., tuple[int, str]], elsewhere: Path, folder: Path
) -> None:
    assert said()[1].endswith("Page: results/project.html\n")
    page = (elsewhere / "results" / "project.html").read_text()
    assert "simulate project" in page
    [one, other] = kept_outcomes(elsewhere / "results" / "project.duckdb")
    assert [one.key[:2], other.key[:2]] == [
        (folder.name, "as it is"),
        (folder.name, ", ".join(SET)),
    ]
    assert one.command.endswith(f"--seed 0 --set {SET[0]}")
    assert "overlap: load/prod" in [verdict.expectation for verdict in one.verdicts]
    assert "overlap: load/prod" not in [verdict.expectation for verdict in other.verdicts]
    assert other.history is not None
    assert len(other.history.runs(deployment="load/prod")) == 3


def test_a_file_of_somebody_else_is_not_replaced(
    said: Callable[..., tuple[int, str]], elsewhere: Path
) -> None:
    own = elsewhere / "results" / "project.duckdb"
    own.parent.mkdir()
    with duckdb.connect(str(own)) as con:
        con.execute("create table variants (mine int)")
    before = own.read_bytes()
    assert "is not a results file" in said()[1]
    assert own.read_bytes() == before


def test_that_no_page_can_be_written_costs_nothing_else(
    said: Callable[..., tuple[int, str]], elsewhere: Path
) -> None:
    (elsewhere / "results" / "project.html").mkdir(parents=True)
    code, table = said("--strict")
    assert code == 1
    assert "warning: " in table.splitlines()[-1]
    assert "\nBetter: 5\n" in table


def test_it_goes_with_nothing_for_which_no_time_passes(folder: Path, capfd: Any) -> None:
    assert call(["project", str(folder), "--set", "load.retries=1", "--check"]) == 2
    assert capfd.readouterr().err == (
        "simulate: --set excludes --list, --check, --init and --stub-network\n"
    )
    assert call(["project", str(folder / "none"), "--set", "load.retries=1"]) == 2
    assert "there is no folder" in capfd.readouterr().err


def test_neither_side_leaves_anything_behind(both: Comparison, folder: Path) -> None:
    there = {one.name for one in folder.iterdir()} - {"__pycache__"}  # another test imports from it
    assert there == {"flows.py", "prefect.yaml", "simulation.toml"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prod.cron", "it must be NAME.SETTING=VALUE, such as orders/prod.cron="),
        ("retries=3", "it must be NAME.SETTING=VALUE, such as"),
        ("load/prod.crom=1", "no setting of a deployment 'crom': did you mean 'cron'?"),
        ("load.cron=0 2 * * *", "'cron' is a setting of a deployment, such as 'orders/prod'"),
        ("load/prod.retries=3", "'retries' is a setting of a flow or a task"),
        ("load.retris=3", "no setting of a flow or task 'retris': did you mean 'retries'?"),
        ("load/prod.cron=hourly", "cron='hourly' must be a cron, such as '15 * * * *'"),
        ("load/prod.timezone=Paris", "timezone='Paris' must be a time zone"),
        ("load/prod.concurrency_limit=0", "concurrency_limit=0 must be a whole number, 1 or more"),
        ("load/prod.paused=1", "paused=1 must be true or false"),
        ("load/prod.interval=0", "interval=0 s must be more than 0"),
        ("load.retries=-1", "retries=-1 must be a whole number, 0 or more"),
        ("load.duration=x0.5", "duration='x0.5' must be x and a number above 1"),
        ("load.duration=soon", "duration='soon' must be seconds, a list of them"),
    ],
)
def test_a_mistake_is_told_at_once(text: str, said: str) -> None:
    with pytest.raises(SimulationError) as caught:
        settings_of([text])
    assert str(caught.value).startswith(f"--set {text!r}: {said}")
    assert "\n" not in str(caught.value)


def test_nothing_is_set_twice() -> None:
    with pytest.raises(SimulationError, match=r"it is set before, by 'read\.retries=1'"):
        settings_of(["read.retries=1", "read.retries=2"])


def test_values_are_those_of_toml() -> None:
    texts = ["a.duration={ p50 = 60, p95 = 600 }", "a/b.cron='0 2 * * *'", "a.b/c.paused=true"]
    assert [(one.name, one.value) for one in settings_of(texts)] == [
        ("a", duration_from_plain({"p50": 60, "p95": 600})),
        ("a/b", "0 2 * * *"),
        ("a.b/c", True),
    ]


def test_what_is_not_there_is_refused_with_the_nearest(folder: Path, capfd) -> None:
    with opened(folder) as sim:
        load(sim)
        for text, said in [
            ("load/prd.paused=true", "no deployment 'load/prd': did you mean 'load/prod'?"),
            ("raed.retries=1", "no flow or task named 'raed': did you mean 'read'?"),
            ("raed.duration=60", "no flow or task named 'raed': did you mean 'read'?"),
            ("raed.duration=x2", "no flow or task named 'raed': did you mean 'read'?"),
        ]:
            with pytest.raises(SimulationError) as caught:
                put(sim, settings_of([text]))
            assert str(caught.value) == f"--set {text!r}: {said}"


def test_a_name_that_is_not_there_is_refused_before_the_project_lives(
    folder: Path, capfd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProjectSimulation, "advance", lambda *_: pytest.fail("it lived in vain"))
    for name in ("load/prd.paused=true", "lod.retries=1"):
        assert call(["project", str(folder), "--set", name]) == 2
        assert "did you mean 'load" in capfd.readouterr().err


def test_where_nothing_can_be_written_nothing_lives(
    folder: Path, tmp_path: Path, capfd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProjectSimulation, "advance", lambda *_: pytest.fail("it lived in vain"))
    (tmp_path / "taken").write_text("a file")
    for out in (tmp_path / "taken", tmp_path / "taken" / "below"):
        assert call(["project", str(folder), "--out", str(out)]) == 2
        assert f"cannot write to {str(out)!r}: Not a directory" in capfd.readouterr().err


def test_the_page_about_it_holds() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
    assert {*DEPLOYMENT, *STEP} == told
    commands = re.findall(r"^simulate project .*--set.*$", page, re.MULTILINE)
    for command in commands:
        words = shlex.split(command)
        settings_of(word for before, word in pairwise(words) if before == "--set")
    assert len(commands) == 3
