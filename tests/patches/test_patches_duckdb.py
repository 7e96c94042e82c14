"""SQL's `now()` in DuckDB on virtual time: what `simulator.patches.duckdb` promises.

A guard is a test named `..._is_still_needed`: it fails when DuckDB no longer needs the patch.
"""

import gc
import weakref
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import _duckdb
import duckdb
import pandas
import pytest

from simulator import Simulation
from simulator.patches import duckdb as patches_duckdb
from simulator.patches.duckdb import virtual_now

START = datetime(2024, 5, 1, 6, 30, tzinfo=UTC)


class Clock:
    """A virtual clock that stands still until told."""

    def __init__(self) -> None:
        self.instant = START

    def __call__(self) -> datetime:
        return self.instant

    def advance(self, **by: float) -> None:
        self.instant += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def virtual(clock: Clock) -> Iterator[Clock]:
    with virtual_now(clock):
        yield clock


@pytest.fixture
def sim() -> Iterator[Simulation]:
    with Simulation() as opened:
        yield opened


def utc() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("set TimeZone = 'UTC'")
    return con


def one(con: Any, sql: str) -> Any:
    return con.execute(sql).fetchone()[0]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("uuid_extract_timestamp(uuidv7())", START),
        ("uuid_extract_version(uuidv7())", 7),
        ("now()", START),
        ("current_timestamp", START),
        ("get_current_timestamp()", START),
        ("transaction_timestamp()", START),
        ("current_timestamp::timestamp", START.replace(tzinfo=None)),
        ("current_date", START.date()),
        ("today()", START.date()),
        ("current_time::varchar", "06:30:00+00"),
        ("localtime", START.replace(tzinfo=None).time()),
        ("localtimestamp", START.replace(tzinfo=None)),
        ("ago(interval 1 hour)", START - timedelta(hours=1)),
        ("age(timestamp '2024-04-30')", timedelta(days=1)),
        ("age(timestamp '2024-05-03', timestamp '2024-05-01')", timedelta(days=2)),
        ("now() - interval 1 day", START - timedelta(days=1)),
    ],
)
def test_every_clock_of_duckdb_is_virtual(virtual: Clock, sql: str, expected: Any) -> None:
    assert one(utc(), f"select {sql}") == expected


def test_every_way_to_a_connection_is_virtual(clock: Clock, tmp_path: Path) -> None:
    older = duckdb.connect()
    with virtual_now(clock):
        fresh = duckdb.connect(tmp_path / "a.duckdb")
        assert one(older, "select now()") == START
        assert one(fresh, "select now()") == START
        assert one(fresh.cursor(), "select now()") == START
        assert duckdb.sql("select now()").fetchall() == [(START,)]
        assert duckdb.execute("select now()").fetchall() == [(START,)]
        relation = fresh.sql("select now() as instant").filter("instant = now()")
        assert relation.fetchall() == [(START,)]
        clock.advance(days=1)
        assert relation.fetchall() == [(START + timedelta(days=1),)]
        assert one(older, "select now()") == START + timedelta(days=1)


def test_statements_that_mention_no_clock_follow_it_too(virtual: Clock) -> None:
    con = utc()
    con.execute("create table t (i integer, ts timestamptz default now(), check (ts <= now()))")
    con.execute("create view v as select now() as ts")
    con.execute("create macro an_hour_ago() as now() - interval 1 hour")
    virtual.advance(hours=2)
    con.executemany("insert into t (i) values (?)", [[1], [2]])
    later = START + timedelta(hours=2)
    assert con.execute("select distinct ts from t").fetchall() == [(later,)]
    assert con.execute("from v").fetchall() == [(later,)]
    assert one(con, "select an_hour_ago()") == later - timedelta(hours=1)


def test_dates_are_those_of_the_connections_time_zone(virtual: Clock) -> None:
    con = duckdb.connect()
    virtual.instant = datetime(2024, 5, 1, 2, tzinfo=UTC)
    con.execute("set TimeZone = 'America/New_York'")
    assert one(con, "select current_date") == date(2024, 4, 30)
    assert one(con, "select localtimestamp") == datetime(2024, 4, 30, 22)  # noqa: DTZ001


def test_now_stands_still_within_a_statement() -> None:
    instants = iter(START + timedelta(microseconds=n) for n in range(1_000))
    with virtual_now(lambda: next(instants)):
        sql = "select count(distinct now()), any_value(now() = current_timestamp) from range(5000)"
        assert utc().execute(sql).fetchall() == [(1, True)]


def test_a_rolled_back_transaction_does_not_bring_real_time_back(virtual: Clock) -> None:
    con = duckdb.connect()
    con.begin()
    con.execute("select now()")
    con.rollback()
    assert one(con, "select now()") == START


def test_the_file_keeps_nothing_of_the_virtual_clock(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    with virtual_now(clock), duckdb.connect(path) as con:
        con.execute("create view v as select now()")
        con.execute("create table t (i integer, ts timestamptz default current_timestamp)")
    with duckdb.connect(path) as con:
        con.execute("insert into t (i) values (1)")
        assert one(con, "from v") > START + timedelta(days=1)
        assert one(con, "select ts from t") > START + timedelta(days=1)
        assert con.execute("from duckdb_functions() where not internal").fetchall() == []


def test_connections_that_outlive_the_simulation_return_to_real_time(clock: Clock) -> None:
    with virtual_now(clock):
        con = duckdb.connect()
        assert one(con, "select now()") == START
        assert duckdb.sql("select now()").fetchall() == [(START,)]
    assert one(con, "select now()") > START + timedelta(days=1)
    assert duckdb.sql("select now() > '2025-01-01'").fetchall() == [(True,)]
    assert one(con, "select getvariable('virtual_now')") is None


def test_errors_are_those_that_duckdb_would_raise(virtual: Clock) -> None:
    con = duckdb.connect()
    con.execute("begin")
    with pytest.raises(duckdb.BinderException, match="nope"):
        con.execute("select nope")
    with pytest.raises(duckdb.TransactionException, match="aborted"):
        con.execute("select 1")
    con.execute("rollback")
    assert one(con, "select now()") == START
    con.close()
    with pytest.raises(duckdb.ConnectionException, match="closed"):
        con.execute("select 1")


def _sql_script(con: Any, clock: Clock) -> Any:
    return con.sql("create table t as select now() as ts; select ts from t").fetchall()[0][0]


def _relation_read_later(con: Any, clock: Clock) -> Any:
    relation = con.sql("select now()")
    clock.advance(hours=1)
    return relation.fetchall()[0][0] - timedelta(hours=1)


def _many(con: Any, clock: Clock) -> Any:
    duckdb.DuckDBPyConnection.execute(con, "create table t (i integer, ts timestamptz)")
    clock.advance(hours=1)
    con.executemany("insert into t values (?, now())", [[1]])
    return con.table("t").fetchall()[0][1] - timedelta(hours=1)


def _rolled_back(con: Any, clock: Clock) -> Any:
    con.begin()
    con.execute("select 1")
    con.rollback()
    return one(con, "select now()")


@pytest.mark.parametrize(
    ("entrance", "read"),
    [
        ("execute", lambda con, clock: one(con, "select now()")),
        ("executemany", _many),
        ("begin", _rolled_back),
        ("_prepare_script", _sql_script),
        ("_submit", _relation_read_later),
    ],
)
def test_each_entrance_is_still_needed(
    entrance: str,
    read: Callable[[Any, Clock], Any],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with virtual_now(clock):
        assert read(duckdb.connect(), clock) == START
    clock.instant = START
    rest = tuple(name for name in patches_duckdb._ENTRANCES if name != entrance)
    monkeypatch.setattr(patches_duckdb, "_ENTRANCES", rest)
    with virtual_now(clock):
        assert read(duckdb.connect(), clock) != START


@pytest.mark.parametrize("entrance", ["execute", "executemany", "begin"])
def test_each_entrance_of_the_module_is_still_needed(
    entrance: str,
) -> None:
    """Those of the module do not go through those of the class."""
    called = []
    original = getattr(duckdb.DuckDBPyConnection, entrance)

    def spy(*args: Any) -> Any:
        called.append(args)
        return original(*args)

    arguments = {"execute": ("select 1",), "executemany": ("select ?", [[1]]), "begin": ()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb.DuckDBPyConnection, entrance, spy)
        getattr(duckdb, entrance)(*arguments[entrance])
    if entrance == "begin":
        duckdb.rollback()
    assert not called


def test_keeping_hold_of_the_default_connection_is_still_needed() -> None:
    connection = weakref.ref(_duckdb.default_connection())
    gc.collect()
    assert connection() is None


# -- variables that a query names ------------------------------------------------------------------

HELD_BY_THE_MODULE = pandas.DataFrame({"x": [7]})

BY_NAME: list[Callable[[duckdb.DuckDBPyConnection], Callable[[str], Any]]] = [
    lambda con: con.execute,
    lambda con: con.sql,
    lambda con: con.query,
    lambda con: duckdb.execute,
    lambda con: duckdb.sql,
    lambda con: duckdb.query,
]


def rows_of_variables(entrance: Callable[[str], Any]) -> list[Any]:
    of_this_function = pandas.DataFrame({"x": [1, 2]})
    mine = entrance("select * from of_this_function").fetchall()
    return [*mine, *entrance("select * from HELD_BY_THE_MODULE").fetchall(), len(of_this_function)]


@pytest.mark.parametrize("entrance", BY_NAME)
def test_a_query_may_name_a_variable_of_its_caller(sim, entrance):
    with duckdb.connect() as con:
        assert rows_of_variables(entrance(con)) == [(1,), (2,), (7,), 2]


def test_a_query_finds_no_variable_of_what_stands_around_it(sim):
    with duckdb.connect() as con:
        for name in ("entrance", "method", "found", "given"):  # as the patches call some of theirs
            with pytest.raises(duckdb.CatalogException, match=f"{name} does not exist"):
                con.execute(f"select * from {name}")


def test_variables_of_callers_are_looked_for_in_one_frame_only_is_still_needed():
    def stands_around(entrance: Callable[[str], Any]) -> Callable[[str], Any]:
        return lambda sql: entrance(sql)

    with duckdb.connect() as con, pytest.raises(duckdb.CatalogException, match="does not exist"):
        rows_of_variables(stands_around(con.execute))
