"""A full disk: what Python and DuckDB say when they write, and what is there afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from prefect import flow

from simulator import Simulation, SimulationError
from simulator.faults import DiskFull
from simulator.warehouse import Warehouse

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND_HOUR = (T0 + 1.5 * HOUR, T0 + 2.5 * HOUR)


def whole(path: Path) -> None:
    path.write_text("new")


def appended(path: Path) -> None:
    with path.open("a") as file:
        file.write("new")


def by_descriptor(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        os.write(descriptor, b"new")
    finally:
        os.close(descriptor)


def copied(path: Path) -> None:
    shutil.copyfile(Path(path.parent, "source"), path)


WAYS = {one.__name__: one for one in (whole, appended, by_descriptor, copied)}


@flow
def lands(folder: str) -> dict[str, str]:
    said = {}
    for name, write in WAYS.items():
        try:
            write(Path(folder, name))
        except OSError as error:
            said[name] = f"{error.errno} {error.strerror}"
    return said


@flow
def exports(folder: str) -> None:
    Path(folder, "export").write_text("new")


@flow
def loads(warehouse: str) -> None:
    with duckdb.connect(warehouse) as con:
        con.execute("insert into orders values (now())")


@pytest.fixture
def sim():
    with Simulation(start=T0) as opened:
        yield opened


def test_a_run_finds_no_space_for_a_file_by_whatever_way_it_writes(sim, tmp_path):
    (full := tmp_path / "full").mkdir()
    (other := tmp_path / "other").mkdir()
    for folder in (full, other):
        (folder / "source").write_text("old")
        (folder / "appended").write_text("old")
    sim.inject(DiskFull(path=full, between=SECOND_HOUR))
    assert sim.run(lands, folder=str(full)).result == {}
    sim.advance(hours=2)
    assert sim.run(lands, folder=str(full)).result == dict.fromkeys(
        WAYS, "28 No space left on device"
    )
    assert (full / "whole").read_text() == ""  # it was emptied first
    assert (full / "appended").read_text() == "oldnew"
    assert sim.run(lands, folder=str(other)).result == {}
    whole(full / "of the test")  # which is no run
    sim.advance(hours=1)
    assert sim.run(lands, folder=str(full)).result == {}


def test_a_run_that_cannot_write_its_file_fails_for_it(sim, tmp_path):
    sim.deploy(exports, name="dev", cron="0 * * * *", parameters={"folder": str(tmp_path)})
    sim.inject({"kind": "disk full", "between": [one.isoformat() for one in SECOND_HOUR]})
    sim.advance(hours=3.5)
    assert [run.state for run in sim.runs("exports")] == ["Completed", "Failed", "Completed"]
    assert [sim.explain("exports", number).fault for number in (0, 1, 2)] == [None, 0, None]
    assert "fault 0: fills every disk" in str(sim.explain("exports", 1))


@pytest.mark.parametrize("kept", [False, True])
def test_a_commit_to_the_warehouse_fails_and_nothing_of_it_is_there(sim, kept):
    sim.warehouse.execute("create table orders (since timestamptz)")
    if kept:
        sim.warehouse.keep_open()
    where = {"warehouse": str(sim.warehouse.path)}
    sim.deploy(loads, name="dev", cron="0 * * * *", parameters=where)
    sim.inject(DiskFull(between=SECOND_HOUR))
    sim.advance(hours=3.5)
    first, second, third = sim.runs("loads")
    assert [run.state for run in (first, second, third)] == ["Completed", "Failed", "Completed"]
    assert second.message.endswith(said_of(sim.warehouse.path))
    assert [sim.explain(run).fault for run in (first, second, third)] == [None, 0, None]
    hours = sim.warehouse.query("select hour(since) from orders order by 1")
    assert hours == [(1,), (3,)]


def said_of(file: Path) -> str:
    return (
        "TransactionException: TransactionContext Error: Failed to commit:"
        f' Could not write file "{file}.wal": No space left on device'
    )


def test_the_disk_has_space_again_when_the_simulation_ends(tmp_path):
    with Simulation(start=T0) as sim:
        sim.inject(DiskFull(at=T0 + HOUR))
        sim.advance(hours=2)
        sim.run(exports, folder=str(tmp_path))
        file = sim.warehouse.path
        assert Path(f"{file}.wal").is_symlink()
    with Simulation(start=T0) as sim:
        assert sim.run(exports, folder=str(tmp_path)).state == "Completed"


REALLY = """
import sys, duckdb
with duckdb.connect(sys.argv[1]) as con:
    con.execute("create table orders (since timestamptz)")
with open(sys.argv[1] + ".rest", "wb", buffering=0) as rest:
    try:
        while True:
            rest.write(bytes(4096))
    except OSError:
        pass
with duckdb.connect(sys.argv[1]) as con:
    try:
        con.execute("insert into orders values (now())")
    except duckdb.Error as error:
        print(f"{type(error).__name__}: {error}", end="")
"""


def test_duckdb_says_the_same_where_a_disk_is_really_full(tmp_path):
    mounted = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(tmp_path)]
    file = tmp_path / "real.duckdb"
    inner = f'{" ".join(mounted)} && exec "$@"'
    python = [sys.executable, "-c", REALLY, str(file)]
    ran = subprocess.run(
        ["unshare", "-rm", "sh", "-c", inner, "sh", *python], capture_output=True, text=True
    )
    if "unshare" in ran.stderr or "mount" in ran.stderr:
        pytest.skip(f"no disk of one's own here: {ran.stderr.strip()}")
    assert ran.stdout == said_of(file), ran.stderr


def test_a_transaction_that_is_being_written_finds_no_space(tmp_path):
    warehouse = Warehouse(tmp_path / "busy.duckdb")
    with duckdb.connect(str(warehouse.path)) as con:
        con.execute("create table orders (since timestamptz)")
        con.execute("begin")
        con.execute("insert into orders values (now())")
        warehouse.fill()
        with pytest.raises(duckdb.TransactionException, match="No space left on device"):
            con.execute("commit")
    warehouse.free()
    assert warehouse.query("select count(*) from orders") == [(0,)]


def test_what_is_no_folder_is_refused(sim, tmp_path):
    with pytest.raises(SimulationError, match=r"disk full: path='.*nowhere' must be a folder"):
        sim.inject(DiskFull(path=tmp_path / "nowhere", at=T0 + HOUR))
