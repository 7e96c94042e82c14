"""The ages of files on virtual time: what `simulator.patches.files` promises."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect import flow

from simulator import Simulation
from simulator.caveats import Caveats
from simulator.clock.virtual import VirtualClock
from simulator.history.reading import reading
from simulator.patches.time_machine import virtual_time

START = datetime(2024, 5, 1, 6, 30, tzinfo=UTC)
HOUR = 3600


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    clock = VirtualClock(START)
    with virtual_time(clock):
        yield clock


def by_entry(path: Path) -> float:
    with os.scandir(path.parent) as entries:
        return next(entry.stat().st_mtime for entry in entries if entry.name == path.name)


def by_descriptor(path: Path) -> float:
    with path.open() as file:
        return os.fstat(file.fileno()).st_mtime


READERS: dict[str, Callable[[Path], float]] = {
    "getmtime": lambda path: os.path.getmtime(path),  # noqa: PTH204  as people ask
    "getctime": lambda path: os.path.getctime(path),  # noqa: PTH205  as people ask
    "Path.stat": lambda path: path.stat().st_mtime,
    "st_mtime_ns": lambda path: path.stat().st_mtime_ns / 1e9,
    "place in the tuple": lambda path: float(path.stat()[8]),
    "os.stat bound before": lambda path, stat=os.stat: stat(path).st_mtime,
    "lstat": lambda path: os.lstat(path).st_mtime,
    "scandir": by_entry,
    "fstat": by_descriptor,
}


@pytest.mark.parametrize("how", READERS)
def test_every_reader_shows_the_virtual_age(clock: VirtualClock, tmp_path: Path, how: str) -> None:
    written = []
    for number in range(5):
        path = tmp_path / f"{number}.csv"
        path.write_text("a")
        written.append(path)
        clock.drive(START + timedelta(hours=number + 1))
    ages = [time.time() - READERS[how](path) for path in written]
    assert ages == pytest.approx([5 * HOUR, 4 * HOUR, 3 * HOUR, 2 * HOUR, HOUR], abs=1)


def test_each_write_counts(clock: VirtualClock, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    with path.open("w") as file:
        for hours in range(1, 4):
            clock.drive(START + timedelta(hours=hours))
            file.write("a")
            file.flush()
            assert time.time() - path.stat().st_mtime == pytest.approx(0, abs=1)
            clock.drive(START + timedelta(hours=hours, minutes=30))
            assert time.time() - path.stat().st_mtime == pytest.approx(HOUR / 2, abs=1)


def kept_open(path: Path, pause: Callable[[], None]) -> None:
    with path.open("w") as file:
        pause()
        file.write("a")


def by_number(path: Path, pause: Callable[[], None]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    pause()
    os.write(descriptor, b"a")
    os.close(descriptor)


def cut(path: Path, pause: Callable[[], None]) -> None:
    path.write_text("abc")
    pause()
    os.truncate(path, 0)


def folder(path: Path, pause: Callable[[], None]) -> None:
    pause()
    path.mkdir()


def renamed(path: Path, pause: Callable[[], None]) -> None:
    path.mkdir()
    pause()
    (path / "b").mkdir()
    (path / "b").rename(path / "c")


def emptied(path: Path, pause: Callable[[], None]) -> None:
    path.mkdir()
    (path / "a").write_text("a")
    pause()
    (path / "a").unlink()


@pytest.mark.parametrize("write", [kept_open, by_number, cut, folder, renamed, emptied])
def test_what_is_written_after_a_jump_and_before_the_next_is_as_old_as_that(
    clock: VirtualClock, tmp_path: Path, write: Callable[..., None]
) -> None:
    """Between the two jumps pass microseconds, in which the kernel's clock stands still."""
    for number in range(10):
        path, now = tmp_path / f"{number}", START + timedelta(hours=2 * number)
        write(path, lambda now=now: clock.drive(now + timedelta(hours=1)))
        clock.drive(now + timedelta(hours=2))
        assert time.time() - path.stat().st_mtime == pytest.approx(HOUR, abs=1)


def test_touching_and_copying(clock: VirtualClock, tmp_path: Path) -> None:
    path, copy = tmp_path / "a", tmp_path / "b"
    path.write_text("a")
    clock.drive(START + timedelta(hours=1))
    shutil.copy2(path, copy)
    path.touch()
    clock.drive(START + timedelta(hours=2))
    now = time.time()
    assert now - path.stat().st_mtime == pytest.approx(HOUR, abs=1)
    assert now - copy.stat().st_mtime == pytest.approx(2 * HOUR, abs=1)


def test_what_was_set_stays(clock: VirtualClock, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("a")
    for at in (START.timestamp() - 10 * HOUR, datetime(2099, 1, 1, tzinfo=UTC).timestamp()):
        os.utime(path, (at, at))
        assert path.stat().st_mtime == at


def test_all_else_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("abc")
    before = path.stat()
    with virtual_time(VirtualClock(START)):
        assert path.stat() == before
        path.write_text("abc")
        inside = path.stat()
    after = path.stat()
    assert type(inside) is os.stat_result
    assert inside[:7] == after[:7]
    assert (inside.st_blocks, inside.st_blksize) == (after.st_blocks, after.st_blksize)
    assert abs(after.st_mtime - time.time()) < 600
    assert abs(inside.st_mtime - START.timestamp()) < 1


def test_what_native_code_writes_is_told_if_it_is_uncertain(tmp_path: Path) -> None:
    clock, told = VirtualClock(START), Caveats()
    with told.collecting(), virtual_time(clock):
        for number in range(20):
            clock.drive(clock.now + timedelta(hours=1))
            os.mknod(tmp_path / str(number))  # as good as a write that nobody notices
            (tmp_path / str(number)).stat()
    assert {caveat.kind for caveat in told} == {"real time"}


def test_that_a_history_is_read_says_nothing_of_the_age_of_its_file(tmp_path: Path) -> None:
    clock, told, file = VirtualClock(START), Caveats(), tmp_path / "prefect.db"
    with told.collecting(), virtual_time(clock), closing(sqlite3.connect(file)) as database:
        for number in range(20):
            clock.drive(clock.now + timedelta(hours=1))
            database.execute(f"create table t{number} (a)")  # native code writes it
            with reading(file) as connection:
                assert connection.execute("select * from t0").fetchall() == []
    assert list(told) == []


@flow
def cleans_up(folder: Path) -> list[str]:
    for day in range(4):
        (folder / f"{day}.csv").write_text("a")
        time.sleep(24 * HOUR)
    for path in folder.glob("*.csv"):
        if time.time() - path.stat().st_mtime > 2.5 * 24 * HOUR:
            path.unlink()
    return sorted(path.name for path in folder.iterdir())


def test_a_flow_that_deletes_what_is_old(simulation: Simulation, tmp_path: Path) -> None:
    assert simulation.run(cleans_up, folder=tmp_path).state == "Completed"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.csv", "3.csv"]
    assert simulation.caveats == ()
