"""What is known not to work together is refused, in one line, before any of it is imported."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from simulator import Simulation, versions
from simulator.errors import SimulationError

ROOT = Path(__file__).parents[1]
GOOD = {"prefect": "3.9.1", "whenever": "0.11.0", "sqlalchemy": "2.0.58", "fastapi": "0.150.0"}


@pytest.fixture
def install(monkeypatch):
    def install(python: str = "3.11", **libraries: str | None) -> None:
        def version(library: str) -> str:
            there = (GOOD | libraries)[library]
            if there is None:
                raise metadata.PackageNotFoundError(library)
            return there

        monkeypatch.setattr(versions.metadata, "version", version)
        monkeypatch.setattr(versions, "_PYTHON", python)

    return install


def refusal() -> str:
    with pytest.raises(SimulationError) as refused:
        Simulation().__enter__()
    return str(refused.value)


def test_what_is_installed_here_is_accepted():
    versions.check()


def test_the_range_is_the_one_that_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {Requirement(text).name: Requirement(text) for text in project["dependencies"]}
    assert declared["prefect"].specifier == versions.SpecifierSet(versions.PREFECT)


@pytest.mark.parametrize("prefect", ["3.8.7", "3.7.8", "3.10.0", "3.10.0rc1", "4.0"])
def test_an_unknown_prefect_is_refused_with_what_would_be_right(install, prefect):
    install(prefect=prefect)
    assert refusal() == (
        f"Prefect {prefect} is installed, which this version of prefect-simulator does not know:"
        " install 'prefect>=3.8.8,<3.10'"
    )


@pytest.mark.parametrize("prefect", ["3.8.8", "3.8.20", "3.9.0", "3.9.5", "3.9.6.dev1"])
def test_every_release_of_the_two_series_is_accepted(install, prefect):
    install(prefect=prefect)
    versions.check()


def test_no_prefect_at_all_is_told(install):
    install(prefect=None)
    assert refusal() == "Prefect is not installed: install 'prefect>=3.8.8,<3.10'"


@pytest.mark.parametrize("python", ["3.11", "3.12"])
def test_an_old_whenever_is_refused_with_prefect_3_9(install, python):
    install(python, whenever="0.10.5")
    assert refusal() == (
        f"whenever 0.10.5 does not work with Prefect 3.9.1 on Python {python} (every cron schedule"
        " fails, and no run of one is ever made): install 'whenever>=0.11,<0.12'"
    )


def test_an_old_whenever_is_accepted_elsewhere(install):
    install("3.13", whenever="0.10.5")
    versions.check()
    install("3.11", prefect="3.8.8", whenever="0.10.5")
    versions.check()
    install("3.11", prefect="3.8.8", whenever=None)
    versions.check()


def test_new_libraries_are_refused_with_prefect_3_8(install):
    install(prefect="3.8.8", sqlalchemy="2.1.9")
    assert refusal().startswith("sqlalchemy 2.1.9 does not work with Prefect 3.8.8 (")
    assert refusal().endswith("): install 'sqlalchemy<2.1'")
    install(prefect="3.8.8", fastapi="0.155.0")
    assert refusal() == (
        "fastapi 0.155.0 does not work with Prefect 3.8.8 (its server cannot be imported):"
        " install 'fastapi<0.155'"
    )
    install(sqlalchemy="2.1.9")
    versions.check()


def test_a_live_simulation_is_refused_as_well(install):
    install(prefect="3.10.0")
    with pytest.raises(SimulationError, match=r"^Prefect 3\.10\.0 is installed"):
        Simulation.live()


def test_nothing_that_may_not_work_is_imported_for_it():
    program = "import simulator.versions as v, sys; v.check(); print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not {"prefect", "fastapi", "sqlalchemy", "whenever"} & set(ran.stdout.split())
