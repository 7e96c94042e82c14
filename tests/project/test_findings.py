"""Findings that the examples do not show."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from prefect import flow, task
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.schedules import Cron, Schedule

from simulator import Simulation
from simulator.caveats import Caveat
from simulator.faults import WorkerAway
from simulator.project import course, load, opened, sections
from simulator.project.findings import at_once, needs_module, needs_stub, observed, written

HOUR = timedelta(hours=1)


@flow
def quiet() -> None: ...


@flow
def breaks() -> None:
    raise ValueError("bad")


def test_what_comes_late_fails_and_collides() -> None:
    with Simulation(start="2026-01-05T00:00:00Z") as sim:
        for name in ("one", "two"):
            sim.deploy(quiet, name=name, cron="0 1 * * *", timezone="UTC")
        sim.deploy(breaks, name="dev", cron="0 1 * * *", timezone="UTC")
        sim.deploy(quiet, name="after", cron="0 3 * * *", timezone="UTC")
        begin = sim.now + 2 * HOUR
        sim.inject(WorkerAway(between=(begin, begin + 2 * HOUR)))
        sim.advance(hours=5)
        found = list(observed(sim.history()))
    assert [(one.kind, one.subject, one.times) for one in found] == [
        ("late", "quiet/after", 1),
        ("fails", "breaks/dev", 1),
        ("collision", "breaks/dev", 1),
    ]
    late, fails, collision = (one.sentence for one in found)
    assert late == "runs of quiet/after begin up to 1h 00m after their time"
    assert fails == "1 of 1 runs of breaks/dev end Failed"
    assert collision.endswith("at one instant: breaks/dev, quiet/one, quiet/two")


def test_a_change_of_the_clocks_in_the_simulated_days(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text("from prefect import flow\n@flow\ndef night(): ...\n")
    (tmp_path / "prefect.yaml").write_text(
        """
deployments:
- name: prod
  entrypoint: flows.py:night
  schedules:
  - {cron: "30 2 * * *", timezone: Europe/Berlin}
  - {cron: "30 2 * * *", timezone: UTC}
  - {cron: "30 2 * * *", timezone: America/New_York, active: false}
"""
    )
    with opened(tmp_path, start="2026-03-28T12:00:00Z") as sim:
        load(sim)
        sim.advance(days=1)
        lived = course(sim)
    found = lived.findings
    (change,) = [one for one in found if one.kind == "change of clocks"]
    assert (change.subject, change.where) == ("night/prod", "prefect.yaml:3")
    assert change.sentence.startswith(
        "on 2026-03-29, when the clocks of Europe/Berlin change, a run"
    )
    races = [
        Caveat("race", f"it left 'a-{n}' (1{n}) behind", "flows.py:3", f"r-{n}") for n in range(3)
    ]
    told = dict(
        sections(replace(lived, caveats=(Caveat("real time", "a"), Caveat("network", "b"), *races)))
    )
    assert told["What this simulation could not show rightly"] == [
        ["real time: a"],
        [str(races[0]), "and 2 more like it"],
    ]


def test_what_cannot_be_loaded_for_one_cause_is_listed_once(tmp_path: Path) -> None:
    (tmp_path / "prefect.yaml").write_text(
        "deployments:\n"
        + "".join(
            f"- {{name: {name}, entrypoint: {name}.py:go, work_pool: {{name: p}}}}\n"
            for name in "pqrs"
        )
    )
    for name in "pqr":
        (tmp_path / f"{name}.py").write_text("\n" * ord(name) + "import nowhere_to_be_found\n")
    with opened(tmp_path) as sim:
        load(sim)
        told = dict(sections(course(sim)))["Not loaded: 4"]
    (alike, alone) = told
    assert alike[0].startswith("3 of them: the module 'nowhere_to_be_found' is not installed")
    assert alike[1] == "p (prefect.yaml:2), q (prefect.yaml:3), r (prefect.yaml:4)"
    assert alone[0].startswith("s (prefect.yaml:5): ")


@flow
def lacks() -> None:
    import nowhere_to_be_found  # noqa: F401


def test_what_is_not_installed_here_is_no_fault_of_the_design() -> None:
    with Simulation(start="2026-01-05T00:00:00Z") as sim:
        sim.deploy(lacks, name="dev", cron="0 1 * * *", timezone="UTC")
        sim.advance(hours=2)
        assert list(observed(sim.history())) == []
        assert needs_module(sim.history()) == {"nowhere_to_be_found": 1}


@task(retries=1)
def asks() -> None:
    try:
        urlopen("https://prices.invalid/")
    except URLError:
        raise RuntimeError("the prices cannot be had") from None


@flow
def loads() -> None:
    asks()


@flow
def night() -> None:
    loads()


def test_what_is_refused_a_connection_is_no_fault_of_the_design_whatever_its_error_says() -> None:
    with Simulation(start="2026-01-05T00:00:00Z") as sim:
        sim.deploy(night, name="dev", cron="0 1 * * *", timezone="UTC")
        sim.advance(hours=2)
        history = sim.history()
    (run,) = history.runs(deployment="night/dev")
    assert run.failed
    assert "prices.invalid" not in (run.message or "")
    assert list(observed(history)) == []
    ((asked, times),) = needs_stub(history).items()
    assert asked.startswith("prices.invalid at ")
    assert "test_findings.py:" in asked
    assert times == 1  # the child asked; the parent only failed of it


@flow
def clones() -> None:
    subprocess.run(["git", "clone", "https://git.invalid/team/shop.git"], check=True)


@flow
def looks_up() -> None:
    subprocess.run(["git", "-C", "/", "log", "no-such-branch"], check=True, capture_output=True)


def test_a_git_that_asks_nobody_fails_by_its_design() -> None:
    with Simulation(start="2026-01-05T00:00:00Z") as sim:
        sim.deploy(looks_up, name="dev", cron="0 1 * * *", timezone="UTC")
        sim.advance(hours=2)
        history = sim.history()
    assert [one.kind for one in observed(history)] == ["fails"]
    assert needs_stub(history) == {}


def test_what_git_is_refused_is_no_fault_of_the_design() -> None:
    with Simulation(start="2026-01-05T00:00:00Z") as sim:
        sim.deploy(clones, name="dev", cron="0 1 * * *", timezone="UTC")
        sim.advance(hours=2)
        history = sim.history()
    (run,) = history.runs(deployment="clones/dev")
    assert run.failed
    assert list(observed(history)) == []
    assert needs_stub(history) == {"what git asks for, in a process of its own": 1}


def test_runs_that_take_no_time_were_there_one_at_a_time() -> None:
    with Simulation(start="2026-01-05T00:00:00Z") as sim:
        sim.deploy(quiet, name="dev", cron="0 1 * * *", timezone="UTC")
        sim.advance(hours=2)
        history = sim.history()
    assert at_once(history.runs(), history.now) == 1
    assert at_once([], history.now) == 0


def test_a_default_is_frozen_if_it_is_of_the_moment(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(
        "import prefect\nfrom datetime import date, time\n"
        "@prefect.flow\ndef night(day=date.today(), at=time(8, 30)): ...\n"
    )
    [one] = written(tmp_path, [], [])
    assert (one.kind, one.where) == ("frozen default", "flows.py:4")
    assert one.sentence.startswith("the default date.today() of 'night' is computed once")


@flow
def of(region: str = "eu") -> None: ...


def test_schedules_that_meet_with_other_parameters_do_other_work(tmp_path: Path) -> None:
    def both(*regions: str) -> list[Schedule]:
        return [Cron("0 1 * * *", timezone="UTC", parameters={"region": one}) for one in regions]

    with Simulation(start="2026-01-05T00:00:00Z") as sim:
        sim.deploy(of, name="two", schedules=both("eu", "us"))
        sim.deploy(of, name="one", schedules=both("eu", "eu"))
        sim.advance(hours=2)
        found = list(observed(sim.history()))
    assert [(one.kind, one.subject) for one in found] == [("doubled schedule", "of/one")]


@flow
def one_table(table: str) -> None:
    if table == "bad":
        raise ValueError(table)


@flow
def all_tables(tables: list[str]) -> None:
    for table in tables:
        one_table(table, return_state=True)


def test_the_next_table_of_a_loop_does_not_make_up_for_the_one_that_failed() -> None:
    with Simulation(start="2026-01-05T00:00:00Z") as sim:
        sim.run(all_tables, tables=["bad", "good"])
        found = list(observed(sim.history()))
    assert [(one.kind, one.subject) for one in found] == [("masked failure", "all-tables")]


@flow
def slow() -> None:
    time.sleep(480)


def test_runs_overlap_unless_a_limit_holds_them_back() -> None:
    limit = ConcurrencyLimitConfig(limit=2, collision_strategy="CANCEL_NEW")
    with Simulation(start="2026-01-05T00:00:00Z") as sim:
        sim.deploy(slow, name="free", cron="*/3 * * * *", timezone="UTC")
        sim.deploy(slow, name="two", cron="*/3 * * * *", timezone="UTC", concurrency_limit=limit)
        sim.advance(hours=1)
        history = sim.history()
    assert {run.state for run in history.runs(deployment="slow/two")} >= {"Cancelled", "Completed"}
    overlaps = [one for one in observed(history) if one.kind == "overlap"]
    assert [(one.subject, one.sentence.partition(":")[0]) for one in overlaps] == [
        ("slow/free", "up to 3 runs of slow/free at once")
    ]
    (cancelled, *_) = history.runs(deployment="slow/two", state="Cancelled")
    assert at_once([cancelled], history.now) == 0
