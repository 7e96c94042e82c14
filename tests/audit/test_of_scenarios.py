"""`simulate audit --scenario`: one thing more goes wrong in a scenario, whose own faults stay."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from simulator.cli import call

FLOWS = """
from prefect import flow, task
from prefect.deployments import run_deployment


@flow
def noise(): ...


@flow
def load(): ...


@flow
def checked():
    assert run_deployment("load/dev").state.is_completed()


@flow
def unchecked():
    run_deployment("load/dev")
"""

SCENARIOS = """
from flows_of_the_night import checked, load, noise, unchecked
from simulator.promises import never_pending
from simulator.scenario import scenario


@scenario(name="one-night", question="?", variants={"checked": checked, "unchecked": unchecked})
def one_night(sim, variant):
    sim.deploy(noise, name="dev", cron="*/15 1 * * *")
    sim.deploy(load, name="dev")
    sim.deploy(variant, name="dev", cron="0 3 * * *")
    sim.fail("noise", probability=0.5)
    sim.fail("load", probability=0)
    sim.advance(hours=7)


@one_night.expect("checked")
def nothing_fails(sim):
    assert not any(run.failed for run in sim.runs(variant.name))


@scenario(name="alone", question="?")
def alone(sim): ...
"""

Audit = Any


@pytest.fixture
def audit(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Audit:
    (tmp_path / "flows_of_the_night.py").write_text(FLOWS)  # a name that no other test imports
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "night.py").write_text(SCENARIOS)

    def carry_out(*more: str) -> tuple[int, str, str]:
        folder = ["--scenarios", str(tmp_path / "scenarios"), "--out", str(tmp_path / "out")]
        code = call(["audit", *folder, *more])
        return code, *capfd.readouterr()

    return carry_out


def test_a_fault_is_judged_apart_from_those_of_the_scenario(audit: Audit) -> None:
    cells = ["load/dev:raises", "load/dev:worker-away"]
    only = [part for cell in cells for part in ("--only", cell)]
    of = ["--scenario", "one-night", "--variant", "checked"]
    code, said, error = audit(*of, *only, "--json")
    assert code == 0, error
    told = json.loads(said)
    assert (told["scenario"], told["variant"], told["days"]) == ("one-night", "checked", 1)
    assert [
        ([one["cell"] for one in row["cells"]], row["outcomes"], row["cells"][0]["seconds"])
        for row in told["rows"]
    ] == [
        (
            ["load/dev:raises"],
            [{"kind": "noticed", "said": "by checked/dev, which ends Failed"}],
            [5.0],
        ),
        (
            ["load/dev:worker-away"],
            [{"kind": "late", "said": "checked/dev, load/dev"}],
            [10800.0],
        ),
    ]
    code, shown, error = audit(*of, "--show", "load/dev:raises")
    assert code == 0, error
    assert re.search(r"2026-01-01T03:00:10Z +FAULT +raises ", shown), shown
    [again] = [line for line in shown.splitlines() if "simulate audit" in line]
    assert audit(*shlex.split(again)[2:])[1] == shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scenario", "on-night"], "no scenario 'on-night'; did you mean 'one-night'?"),
        (
            ["--scenario", "one-night"],
            "scenario 'one-night' has several variants: --variant 'checked', 'unchecked'",
        ),
        (["--scenario", "one-night", "--variant", "check"], "no variant 'check'"),
        (["--scenario", "alone", "--days", "0.5"], "days=0.5 of a scenario must be a whole number"),
        (["--scenario", "alone", "--start", "2026-01-01"], "has its own folder and start"),
        (["there", "--scenario", "alone"], "has its own folder and start"),
        (["--variant", "checked"], "--variant is of a --scenario: which one?"),
        (
            ["--scenario", "alone", "--show", "a:b", "--write-test", "t.py"],
            "--write-test is for projects: a scenario is a test itself",
        ),
    ],
)
def test_a_mistake_is_one_line(audit: Audit, arguments: list[str], said: str) -> None:
    code, _, error = audit(*arguments)
    assert (code, error.count("\n")) == (2, 1)
    assert said in error
