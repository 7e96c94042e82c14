"""Each run of a project imports from where its own process would, and from no other run's folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from simulator.project import load, opened

FLOW = """
from helpers import NAME
from prefect import flow
from prefect.states import Completed


@flow
def main():
    return Completed(message=NAME)
"""

DEPLOYS = """
from prefect import flow

POOLS = ["k8s"]

if __name__ == "__main__":
    for pool in POOLS:
        flow.from_source("https://git.invalid/team/shop.git", entrypoint="a/flows.py:main").deploy(
            "cloned", work_pool_name=pool, cron="0 * * * *"
        )
"""


def project(folder: Path, *folders: str) -> Path:
    entries = [
        f"- name: {one}\n  entrypoint: {one}/flows.py:main\n  schedules: [{{cron: '0 * * * *'}}]\n"
        for one in folders
    ]
    (folder / "prefect.yaml").write_text("deployments:\n" + "".join(entries))
    for one in folders:
        (folder / one).mkdir()
        (folder / one / "flows.py").write_text(FLOW)
        (folder / one / "helpers.py").write_text(f"NAME = {one!r}\n")
    return folder


def test_files_of_one_name_in_two_folders(tmp_path: Path) -> None:
    project(tmp_path, "a", "b", "c")
    (tmp_path / "c" / "helpers.py").unlink()
    before = list(sys.path)
    with opened(tmp_path, start="2026-01-01T00:30:00Z") as sim:
        load(sim)
        sim.advance(hours=2)
        said = {one.name: sim.runs(deployment=one.name)[0].message for one in sim.loaded}
        grown = [one for one in sys.path if one not in (*before, str(tmp_path))]
    assert said == {"main/a": "a", "main/b": "b"}
    assert [(one.name, one.cause) for one in sim.unloaded] == [
        (
            "c",
            (
                "the module 'helpers' is the project's own, in 'a', and Python does not look there:"
                " set PYTHONPATH, or install it (pip install -e) (c/flows.py:2)"
            ),
        )
    ]
    assert grown == []  # Prefect puts the folder of each flow there, and leaves it


def test_the_project_stands_for_the_repository_that_a_script_names(tmp_path: Path) -> None:
    project(tmp_path, "a")
    (tmp_path / "prefect.yaml").unlink()
    (tmp_path / "deploys.py").write_text(DEPLOYS)
    with opened(tmp_path, start="2026-01-01T00:30:00Z") as sim:
        load(sim)
        sim.advance(hours=1)
        assert [one.name for one in sim.loaded] == ["main/cloned"]
        assert [run.state for run in sim.runs()] == ["Completed"]


@pytest.mark.parametrize("said", ["simulation.toml", "job_variables", "absolute"])
def test_what_a_project_says_of_pythonpath_holds_for_it(tmp_path: Path, said: str) -> None:
    (tmp_path / "src" / "shop").mkdir(parents=True)
    (tmp_path / "src" / "shop" / "helpers.py").write_text("def name(): return 'shop'\n")
    (tmp_path / "flows.py").write_text(
        FLOW.replace("from helpers import NAME", "from shop.helpers import name").replace(
            "NAME", "name()"
        )
    )
    env = {"job_variables": "src", "absolute": str(tmp_path / "src")}.get(said)
    job = f"{{env: {{PYTHONPATH: '{env}'}}}}" if env else "{}"
    (tmp_path / "prefect.yaml").write_text(
        "deployments:\n- name: prod\n  entrypoint: flows.py:main\n"
        f"  work_pool: {{name: p, job_variables: {job}}}\n"
        "  schedules: [{cron: '0 * * * *'}]\n"
    )
    if said == "simulation.toml":
        (tmp_path / "simulation.toml").write_text(
            '[environment]\nPYTHONPATH = "src"\n[stubs]\n"shop.helpers.name" = {returns = "stubbed"}\n'
        )
    before = list(sys.path)
    with opened(tmp_path, start="2026-01-01T00:30:00Z") as sim:
        load(sim)
        assert sim.unloaded == []
        sim.advance(hours=1)
        (run,) = sim.runs()
    assert (run.state, run.message) == ("Completed", "stubbed" if env is None else "shop")
    assert sys.path == before
