"""SQL's 'now' in SQLite on virtual time: what `simulator.patches.sqlite` promises."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import Connection, connect

import aiosqlite
import pytest
import sqlalchemy as sa

from simulator import Simulation
from simulator.caveats import Caveats
from simulator.patches import sqlite
from simulator.patches.sqlite import virtual_now

START = datetime(2024, 5, 1, 6, 30, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.instant = START

    def __call__(self) -> datetime:
        return self.instant


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    with virtual_now(clock):
        yield clock


NOW = [
    ("datetime('now')", "2024-05-01 06:30:00"),
    ("datetime()", "2024-05-01 06:30:00"),
    ("datetime('NOW', '+1 day', 'start of day')", "2024-05-02 00:00:00"),
    ("date('now')", "2024-05-01"),
    ("date()", "2024-05-01"),
    ("time('now')", "06:30:00"),
    ("time()", "06:30:00"),
    ("strftime('%Y-%m-%d %H:%M:%f', 'now')", "2024-05-01 06:30:00.000"),
    ("strftime('%s')", str(int(START.timestamp()))),
    ("unixepoch('now')", int(START.timestamp())),
    ("unixepoch()", int(START.timestamp())),
    ("round(julianday('now') - julianday('2024-05-01'), 6)", 0.270833),
    ("current_timestamp", "2024-05-01 06:30:00"),
    ("CURRENT_DATE", "2024-05-01"),
    ("current_time", "06:30:00"),
]


@pytest.mark.parametrize(("sql", "expected"), NOW)
def test_every_way_to_say_now_is_virtual(clock: Clock, sql: str, expected: object) -> None:
    con = sqlite3.connect(":memory:")
    assert con.execute(f"select {sql}").fetchone() == (expected,)


@pytest.mark.parametrize("sql", [sql for sql, _ in NOW])
def test_sqlite_still_needs_its_patch(sql: str) -> None:
    con = sqlite3.connect(":memory:")
    assert con.execute(f"select {sql}").fetchone() != (dict(NOW)[sql],)


@pytest.mark.skipif(sqlite3.sqlite_version_info < (3, 43), reason="SQLite has them since 3.43")
def test_newer_ways_as_well(clock: Clock) -> None:
    con = sqlite3.connect(":memory:")
    clock.instant += timedelta(milliseconds=250)
    assert con.execute("select unixepoch('subsec')").fetchone() == (START.timestamp() + 0.25,)
    said = con.execute("select timediff('now', '2024-05-01'), timediff('2024-05-02', 'now')")
    assert said.fetchone() == ("+0000-00-00 06:30:00.250", "+0000-00-00 17:29:59.750")


@pytest.mark.parametrize(
    "sql",
    [
        "date('2024-02-30')", "datetime(1714545000, 'unixepoch')", "strftime('%j', '2024-05-01')",
        "julianday(null)", "time('nonsense')", "date('2024-05-01', 'no modifier')",
    ],
)  # fmt: skip
def test_other_instants_are_what_they_are(sql: str) -> None:
    native = connect(":memory:").execute(f"select {sql}").fetchone()
    with virtual_now(Clock()):
        assert connect(":memory:").execute(f"select {sql}").fetchone() == native


def test_in_defaults_views_triggers_and_indexes(clock: Clock) -> None:
    con = connect(":memory:")
    con.executescript(
        """
        create table t (i integer, at text default current_timestamp, day text default (date('now')),
                        check (date(at) <= date('now')));
        create index days on t (date(at));
        create view v as select unixepoch('now') - unixepoch(at) as age from t;
        create table log (at text);
        create trigger noted after insert on t begin insert into log values (datetime('now')); end;
        """
    )
    con.execute("insert into t (i) values (1)")
    clock.instant += timedelta(hours=2)
    assert con.execute("select at, day from t").fetchone() == ("2024-05-01 06:30:00", "2024-05-01")
    assert con.execute("select age from v").fetchone() == (7200,)
    assert con.execute("select at from log").fetchone() == ("2024-05-01 06:30:00",)


def test_now_stands_still_within_a_statement() -> None:
    reads: list[datetime] = []

    def now() -> datetime:
        reads.append(START + timedelta(days=len(reads)))
        return reads[-1]

    with virtual_now(now):
        con = connect(":memory:")
        rows = con.execute(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5)"
            " select distinct date('now') from n"
        ).fetchall()
    assert rows == [("2024-05-01",)]


def by_sqlalchemy(path: Path) -> str:
    engine = sa.create_engine(f"sqlite:///{path}")
    table = sa.Table("t", sa.MetaData(), sa.Column("at", sa.DateTime, server_default=sa.func.now()))
    with engine.begin() as connection:
        table.metadata.create_all(connection)
        connection.execute(sa.insert(table))
        assert connection.scalar(sa.select(table.c.at)) == START.replace(tzinfo=None)
        return str(connection.scalar(sa.select(sa.func.current_timestamp())))


def by_aiosqlite(path: Path) -> str:
    async def ask() -> str:
        async with aiosqlite.connect(path) as connection:
            async with connection.execute("select datetime('now')") as cursor:
                row = await cursor.fetchone()
                assert row is not None
                return str(row[0])

    return asyncio.run(ask())


def by_a_thread(path: Path) -> str:
    said: list[str] = []

    def ask() -> None:
        said.append(connect(path).execute("select datetime('now')").fetchone()[0])

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return said[0]


class Factory(sqlite3.Connection):
    pass


def by_a_factory(path: Path) -> str:
    con = connect(path, factory=Factory)
    assert type(con) is Factory
    said: str = con.execute("select datetime('now')").fetchone()[0]
    return said


def by_its_class(path: Path) -> str:
    said: str = Connection(path).execute("select datetime('now')").fetchone()[0]
    return said


def by_a_class_of_ones_own(path: Path) -> str:
    said: str = Factory(path).execute("select datetime('now')").fetchone()[0]
    return said


class Careful(sqlite3.Connection):
    def __init__(self, path: Path) -> None:
        super().__init__(path, timeout=1)
        (self.said,) = self.execute("select datetime('now')").fetchone()


def by_a_class_that_prepares_itself(path: Path) -> str:
    return Careful(path).said


def by_a_function(path: Path) -> str:
    con = connect(path, factory=lambda path, factory: Connection(path))
    said: str = con.execute("select datetime('now')").fetchone()[0]
    return said


@pytest.mark.parametrize(
    "ask",
    [
        by_sqlalchemy,
        by_aiosqlite,
        by_a_thread,
        by_a_factory,
        by_its_class,
        by_a_class_of_ones_own,
        by_a_class_that_prepares_itself,
        by_a_function,
    ],
)
def test_on_whatever_opens_a_connection(
    clock: Clock, tmp_path: Path, ask: Callable[[Path], str]
) -> None:
    assert ask(tmp_path / "a.db") == "2024-05-01 06:30:00"


def test_what_python_refuses_it_still_refuses(clock: Clock) -> None:
    with pytest.raises(TypeError):
        Connection()
    with pytest.raises(TypeError, match="no_such"):
        Factory(":memory:", no_such=1)
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        Connection("/no/such/folder/a.db")


def test_connections_of_before_follow_and_are_let_go() -> None:
    plain, made = connect(":memory:"), connect(":memory:", factory=Factory)
    for _ in range(2):
        later = connect(":memory:")
        with virtual_now(Clock()):
            for con in (plain, made, later):
                assert con.execute("select date('now')").fetchone() == ("2024-05-01",)
        for con in (plain, made, later):
            (seconds,) = con.execute("select unixepoch('now')").fetchone()
            assert abs(seconds - time.time()) < 60


def test_one_that_cannot_be_reached_is_told() -> None:
    opened: list[sqlite3.Connection] = []
    thread = threading.Thread(target=lambda: opened.append(connect(":memory:")))
    thread.start()
    thread.join()
    told = Caveats()
    with told.collecting(), virtual_now(Clock()):
        pass
    assert [caveat.kind for caveat in told] == ["real time"]
    assert "another thread" in next(iter(told)).message


def test_connections_are_looked_for_only_if_there_are_new_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[object] = []
    with virtual_now(Clock()):
        pass
    monkeypatch.setattr(sqlite.gc, "get_referrers", lambda *what: looks.extend(what) or [])
    with virtual_now(Clock()):
        pass
    assert not looks
    con = connect(":memory:")
    with virtual_now(Clock()):
        assert looks
    con.close()


def test_a_simulations_own_connections_need_no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[object] = []
    with Simulation():
        pass
    monkeypatch.setattr(sqlite.gc, "get_referrers", lambda *what: looks.extend(what) or [])
    with Simulation():
        pass
    assert not looks
