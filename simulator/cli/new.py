"""`simulate new`."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.answers import Json, print_json
from simulator.cli.app import app
from simulator.errors import SimulationError

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

PIPELINE = '''\
"""The pipeline of the scenario NAME: two parents of one child."""

from prefect import flow
from prefect.deployments import run_deployment


@flow
def extract() -> None:
    """The child. How long it takes and when it fails is said by the scenario."""


@flow
def unaware() -> None:
    """Waits for the child, and never looks at how it ended."""
    run_deployment("extract/dev")


@flow
def strict() -> None:
    """Fails if its child has."""
    child = run_deployment("extract/dev")
    if not child.state.is_completed():
        raise RuntimeError(f"extract is {child.state.name}")
'''

SCENARIO = '''\
"""Run by `simulate run NAME`, or by pytest."""

from datetime import timedelta

from pipelines.MODULE import extract, strict, unaware
from simulator.scenario import scenario


@scenario(
    name="NAME",
    question="Does the parent fail with its child?",
    lesson="run_deployment returns a failed run like any other: look at its state.",
    start="2026-01-05T00:00:00Z",
    days=3,
    variants={"unaware": unaware, "strict": strict},
)
def act(sim, variant, days):
    sim.deploy(extract, name="dev")
    sim.deploy(variant, name="dev", cron="0 3 * * *", timezone="UTC")
    sim.takes("extract", timedelta(minutes=20))
    sim.fail("extract", on=[1])  # the second night
    sim.advance(days=days)


@act.expect()
def the_child_fails_once(sim):
    assert [run.state for run in sim.runs("extract")] == ["Completed", "Failed", "Completed"]


@act.expect("unaware")
def the_parent_is_completed_all_the_same(sim, days):
    assert [run.state for run in sim.runs("unaware")] == ["Completed"] * days


@act.expect("strict")
def the_parent_fails_with_its_child(sim):
    assert [run.state for run in sim.runs("strict")] == ["Completed", "Failed", "Completed"]
'''

TEST = '''\
"""A test of the pipeline of NAME, by the fixture of prefect-simulator."""

from pipelines.MODULE import extract, strict


def test_the_parent_fails_with_its_child(simulation):
    simulation.deploy(extract, name="dev")
    simulation.deploy(strict, name="dev", cron="0 3 * * *", timezone="UTC")
    simulation.fail("extract", on=[1])
    simulation.advance(days=2)
    assert [run.state for run in simulation.runs("strict")] == ["Completed", "Failed"]
'''

SHARED = {
    "pipelines/__init__.py": '"""Flows, without a word of their simulation."""\n',
    "conftest.py": '"""Its folder is where tests import `pipelines` from."""\n',
}
"""Made only where it is missing: every scenario of the folder shares it."""


@app.command()
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the scenario, such as late-export.")
    ],
    json: Json = False,
) -> None:
    """Write a scenario of your own to begin with, with its pipeline and its test.

    They run as they stand: `simulate run NAME`, and pytest. Nothing is overwritten.
    """
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise SimulationError(
            f"NAME {name!r} must be small letters, digits and single hyphens, begin with a letter,"
            " and be no word of Python, such as late-export"
        )
    module = name.replace("-", "_")
    files = {
        Path(f"pipelines/{module}.py"): PIPELINE,
        Path(f"scenarios/{module}.py"): SCENARIO,
        Path(f"tests/test_{module}.py"): TEST,
    }
    for file in files:
        if file.exists():
            raise SimulationError(
                f"{str(file)!r} is there already: choose another name than {name}"
            )
    for place, text in SHARED.items():
        if not Path(place).exists():
            _write(Path(place), text)
    for file, text in files.items():
        _write(file, text.replace("NAME", name).replace("MODULE", module))
    if json:
        print_json({"files": list(files), "next": f"simulate run {name}"})
        return
    print(*files, f"Now: simulate run {name}", sep="\n")


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as wrong:
        raise SimulationError(f"cannot write {str(file)!r}: {wrong.strerror}") from wrong
