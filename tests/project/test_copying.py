"""A project lives in a copy: what its flows write does not reach the folder of its owner."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from simulator import SimulationError
from simulator.cli import call
from simulator.project import copied, course, load, moved, opened

WRITES = """
from pathlib import Path

from prefect import flow


@flow
def writes(day=None):
    with Path("ledger.txt").open("a") as file:
        file.write("simulated")
    Path("new.txt").touch()


@flow
def breaks():
    raise ValueError("no luck")
"""

DECLARED = """
deployments:
- name: prod
  entrypoint: flows.py:writes
  schedules: [{cron: "0 * * * *"}]
- name: prod
  entrypoint: flows.py:breaks
  schedules: [{cron: "30 * * * *"}]
- name: none
  entrypoint: missing.py:none
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "flows.py").write_text(WRITES)
    (folder / "prefect.yaml").write_text(DECLARED)
    (folder / "ledger.txt").write_text("real")
    return folder


def test_what_flows_write_is_theirs(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = sorted(folder.rglob("*"))
    assert call(["project", str(folder), "--days", "0.1", "--start", "2026-01-05"]) == 0
    assert (folder / "ledger.txt").read_text() == "real"
    assert sorted(folder.rglob("*")) == before
    said = capfd.readouterr().out
    assert "2 Completed" in said
    assert "(flows.py:16, 2026-01-05T00:30:00Z)" in said
    assert "simulate-" not in said


def test_in_place_it_is_the_owners(folder: Path) -> None:
    assert call(["project", str(folder), "--days", "0.1", "--in-place", "--quiet"]) == 0
    assert (folder / "ledger.txt").read_text() == "realsimulatedsimulated"
    assert call(["project", str(folder), "--in-place", "--set", "writes.retries=1"]) == 2


def test_it_is_told_of_the_folder_and_not_of_the_copy(folder: Path) -> None:
    with copied(folder) as copy, opened(copy, start="2026-01-05T00:00:00Z") as sim:
        load(sim)
        sim.advance(hours=2)
        lived = course(sim, folder)
    assert lived.folder == folder
    assert str(copy) not in repr((lived.findings, lived.unloaded, lived.caveats, lived.proposed))
    assert not copy.exists()


def test_what_is_not_the_projects_own_is_left_out(folder: Path) -> None:
    for made in (".git/HEAD", ".venv/pyvenv.cfg", "results/audit.duckdb", "data/orders.csv"):
        (folder / made).parent.mkdir()
        (folder / made).touch()
    os.mkfifo(folder / "pipe")
    with copied(folder) as copy:
        there = {one.name for one in copy.iterdir()}
        assert moved(folder / "data" / "orders.csv", folder, copy).exists()
        assert moved(Path("/etc/hosts"), folder, copy) == Path("/etc/hosts")
    assert there == {"data", "flows.py", "ledger.txt", "prefect.yaml", "results"}


def test_what_is_refused_is_said_of_the_folder(folder: Path, tmp_path: Path) -> None:
    (folder / "prefect.yaml").write_text("deployments: [")
    with (
        pytest.raises(SimulationError, match=str(folder / "prefect.yaml")),
        copied(folder) as copy,
        opened(copy) as sim,
    ):
        load(sim)
    with pytest.raises(SimulationError, match="there is no folder"), copied(tmp_path / "none"):
        pass
