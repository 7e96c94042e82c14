"""Who has written which table: from the text of statements, and only what was kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from simulator.caveats import Caveat, Caveats
from simulator.faults import Readings
from simulator.history import Journal
from simulator.warehouse import Writes, warehouse_installed
from simulator.warehouse.writes import Lineage, lineage

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(lambda: NOW)
    with warehouse_installed(
        lambda: NOW, tmp_path, Writes(journal, lambda: None, Readings(lambda: None, journal))
    ):
        yield journal


@pytest.fixture
def con(journal: Journal) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("create schema raw; create table raw.orders (i int)")
        connection.execute("create table if not exists made as select 1 as i")
        assert journal.notes == ()  # an empty table, and one that may have been there
        yield connection


def written(journal: Journal) -> list[str]:
    return [note.text for note in journal.notes]


@pytest.mark.parametrize(
    ("statement", "table", "read"),
    [
        ("insert into raw.orders select * from raw.feed", "raw.orders", ("raw.feed",)),
        ('INSERT OR REPLACE INTO "my db"."raw"."big orders" values (1)', "raw.big orders", ()),
        ("create or replace table m as from a join b.c using (i)", "main.m", ("main.a", "b.c")),
        ("create table m as with q as (select 1 from a) select * from q", "main.m", ("main.a",)),
        (
            "create table m as from a as x, b.c y, d where i in (1, 2)",
            "main.m",
            ("main.a", "b.c", "main.d"),
        ),
        ("create or replace view marts.v as select * from m", "marts.v", ("main.m",)),
        ("with q as (select 1) insert into t select * from q, u", "main.t", ("main.u",)),
        ("update raw.orders set i = 1", "raw.orders", ()),
        ("update raw.orders as o set i = s.i from s", "raw.orders", ("main.s",)),
        ("delete from raw.orders where i in (select i from gone)", "raw.orders", ("main.gone",)),
        ("truncate raw.orders", "raw.orders", ()),
        ("merge into t using s on t.i = s.i when matched then delete", "main.t", ("main.s",)),
        ("copy raw.orders (i) from 'orders.csv' (header)", "raw.orders", ()),
        (
            "insert into t select extract(year from at), 'from x', $$ from y $$ from s",
            "main.t",
            ("main.s",),
        ),
        ("insert into t select * from read_csv('') join unnest([1]) using (i)", "main.t", ()),
        ("alter table raw.orders_new rename to orders", "raw.orders", ("raw.orders_new",)),
    ],
)
def test_a_statement_says_what_it_writes(statement: str, table: str, read: tuple[str, ...]) -> None:
    assert lineage(statement) == Lineage((table,), read)


@pytest.mark.parametrize(
    "statement",
    [
        "select * from raw.orders",
        "copy raw.orders to 'orders.csv'",
        "alter table raw.orders rename column i to j",
        "create table raw.orders (i int, at timestamp)",
        "create temp table t as select 1",
        "create table if not exists t as select 1",
        "drop table raw.orders",
        "set variable updates = 1",
    ],
)
def test_other_statements_write_nothing(statement: str) -> None:
    found = lineage(statement)
    assert found is not None
    assert found.written == ()


def test_what_nobody_can_read_is_told(con: duckdb.DuckDBPyConnection, journal: Journal) -> None:
    heard: list[Caveat] = []
    with Caveats(heard=heard.append).collecting():
        con.execute("create table wide as pivot made on i using count(*)")
    assert journal.notes == ()
    [caveat] = heard
    assert caveat.message == (
        "sqlglot cannot read 'create table wide as pivot made on i using count(*)': "
        "explain(table=) knows nothing of it"
    )


@pytest.mark.parametrize(
    "statement", ["explain insert into made values (1)", "prepare p as delete from made"]
)
def test_what_is_not_carried_out_writes_nothing(
    statement: str, con: duckdb.DuckDBPyConnection, journal: Journal
) -> None:
    con.execute(statement)
    assert journal.notes == ()


def test_each_way_to_run_a_statement_is_seen(
    con: duckdb.DuckDBPyConnection, journal: Journal
) -> None:
    con.execute("insert into raw.orders values (1)")
    con.executemany("insert into made values (?)", [[1], [2]])
    con.sql("update raw.orders set i = 2 where true -- from nowhere")
    con.query("delete from made")
    assert written(journal) == ["raw.orders", "main.made", "raw.orders", "main.made"]
    assert journal.notes[2].details == {"status": "success", "read": [], "rows": 1}
    assert journal.notes[0].where.startswith("tests/warehouse/test_writes.py:")
    assert journal.notes[0].code == 'con.execute("insert into raw.orders values (1)")'


def test_the_rows_of_a_table_are_counted_once_it_is_written(
    con: duckdb.DuckDBPyConnection, journal: Journal
) -> None:
    con.executemany("insert into made values (?)", [[1], [2], [3]])
    assert con.execute("delete from made where i = 2").fetchone() == (1,)  # its own result
    con.begin()
    con.execute("delete from made")
    con.execute("insert into made select * from range(5)")
    con.commit()  # both at once
    con.execute("""create table "od""d" as select 1 as i""")
    con.execute("create view seen as select * from made")
    assert [(note.text, note.details.get("rows")) for note in journal.notes] == [
        ("main.made", 4),
        ("main.made", 3),
        ("main.made", 5),
        ('main.od"d', 1),
        ("main.seen", None),
    ]


def test_what_fails_was_not_written(con: duckdb.DuckDBPyConnection, journal: Journal) -> None:
    with pytest.raises(duckdb.Error):
        con.execute("insert into raw.orders values ('x')")
    assert journal.notes == ()


def test_a_text_is_no_statement(con: duckdb.DuckDBPyConnection, journal: Journal) -> None:
    con.execute("select 'x; insert into raw.orders values (1)' /* ; delete from made */")
    assert journal.notes == ()


def test_what_is_committed_was_written_then(
    con: duckdb.DuckDBPyConnection, journal: Journal
) -> None:
    con.begin()
    con.execute("insert into raw.orders values (1)")
    assert journal.notes == ()
    con.commit()
    con.execute("begin; insert into made values (1); commit")
    assert written(journal) == ["raw.orders", "main.made"]


def test_what_is_rolled_back_was_never_written(
    con: duckdb.DuckDBPyConnection, journal: Journal
) -> None:
    con.begin()
    con.execute("insert into raw.orders values (1)")
    con.rollback()
    con.execute("begin transaction")
    con.execute("insert into raw.orders values (1)")
    con.execute("rollback")
    with suppress(ZeroDivisionError), duckdb.connect() as other:
        other.execute("create table t (i int)")
        other.begin()
        other.execute("insert into t values (1)")
        raise ZeroDivisionError  # it is closed in its transaction
    con.execute("insert into made values (1)")
    assert written(journal) == ["main.made"]
