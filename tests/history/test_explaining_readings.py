"""What fails of a file that is damaged, or of a table that is altered, and does not say so."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from prefect import flow, task

from simulator import Simulation
from simulator.faults import FileDamaged, TableAltered

T0 = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
feed = Path()
tables = ""


@flow
def by_open():
    with open(feed) as file:  # noqa: PTH123  (it is what is meant)
        json.load(file)


@flow
def by_path():
    return json.loads(feed.read_text())["amount"]


@flow
def by_csv():
    with feed.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return rows[0]["amount"]


@flow
def by_pandas():
    import pandas

    return int(pandas.read_csv(feed)["amount"].iloc[0])


def first_amount(rows: duckdb.DuckDBPyRelation) -> int:
    return dict(zip(rows.columns, rows.fetchall()[0], strict=True))["amount"]


@flow
def by_statement():
    return first_amount(duckdb.sql(f"select * from read_csv('{feed}', header=true)"))


@flow
def by_pattern():
    return first_amount(duckdb.sql(f"from '{feed.with_name('*.json')}'"))


@flow
def by_relation():
    return first_amount(duckdb.read_csv(feed, header=True))


@flow
def by_connection():
    with duckdb.connect() as con:
        return first_amount(con.read_csv([str(feed)], header=True))


@flow
def by_keyword():
    with duckdb.connect() as con:
        return first_amount(duckdb.read_csv(header=True, path_or_buffer=feed, conn=con))


@flow
def by_parameter():
    with duckdb.connect() as con:
        found = con.execute("select amount from read_csv(?, header=true)", [str(feed)])
        return found.fetchall()[0]


@flow
def by_link():
    with duckdb.connect() as con:
        con.execute(f"from read_json('{linked(feed)}')")


def linked(path: Path) -> Path:
    """The same file by another path."""
    link = path.parent / "link"
    link.unlink(missing_ok=True)
    link.symlink_to(path.parent)
    return link / path.name


@task
def read() -> str:
    return feed.read_text()


@task
def parse(text: str) -> int:
    return json.loads(text)["amount"]


@flow
def by_two_tasks():
    return parse(read())


@flow
def heedless():
    return len(feed.read_text())


@flow
def writes_anew():
    feed.write_text('{"amount": 7}')
    feed.read_text()
    raise ValueError("of its own")


@flow
def elsewhere():
    feed.with_name("other").joinpath(feed.name).read_text()
    raise ValueError("of its own")


@flow
def by_row():
    with duckdb.connect(tables) as con:
        found = con.execute("select * from Orders")
        names = [one[0] for one in found.description]
        return dict(zip(names, found.fetchone(), strict=True))["amount"]


@flow
def of_another_table():
    with duckdb.connect(tables) as con:
        con.execute("select * from prices").fetchone()
    raise ValueError("of its own")


@pytest.fixture
def sim(tmp_path: Path):
    global feed, tables
    feed = tmp_path / "feed.json"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / feed.name).write_text("")
    with Simulation(start=T0) as simulation:
        tables = str(simulation.warehouse.path)
        yield simulation


def live(sim: Simulation, one, fault) -> str:
    """What is said of the second of two runs, before and after a fault."""
    sim.deploy(one, name="dev", cron="0 * * * *")
    sim.inject(fault)
    sim.advance(hours=2.5)
    return str(sim.explain(one.name))


@pytest.mark.parametrize(
    ("one", "text", "error"),
    [
        (by_open, '{"amount": 7}', "JSONDecodeError"),
        (by_path, '{"amount": 7}', "JSONDecodeError"),
        (by_csv, "amount\n7\n", "IndexError"),
        (by_pandas, "id,amount\n7,1\n", "KeyError"),
        (by_two_tasks, '{"amount": 7}', "JSONDecodeError"),
        (by_statement, "id,amount\n7,1\n", "IndexError"),
        (by_relation, "id,amount\n7,1\n", "IndexError"),
        (by_connection, "id,amount\n7,1\n", "IndexError"),
        (by_keyword, "id,amount\n7,1\n", "IndexError"),
        (by_parameter, "id,amount\n7,1\n", "BinderException"),
        (by_link, '{"amount": 7}', "InvalidInputException"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_was_damaged_when_a_run_read_it_is_named(sim, one, text: str, error: str) -> None:
    feed.write_text(text)
    said = live(sim, one, FileDamaged(path=feed, at=T0 + 1.5 * HOUR))
    assert error in said
    assert str(feed) not in sim.runs()[-1].message
    assert f"because it had read what fault 0 changed: lets {feed} be partial" in said
    assert "test_explaining_readings.py:" in said.partition("it had read")[2]
    assert sim.explain(one.name).fault == 0
    assert sim.explain(one.name, 0).fault is None


@flow
def by_pattern_of_folders():
    return first_amount(duckdb.sql(f"from '{feed.parent}*/{feed.name}'"))


@pytest.mark.parametrize("one", [by_pattern, by_pattern_of_folders])
def test_a_pattern_in_a_statement_names_what_was_damaged(sim, one) -> None:
    feed.write_text('{"id": 700}\n{"amount":7}\n')
    said = live(sim, one, FileDamaged(path=feed, at=T0 + 1.5 * HOUR))
    assert "KeyError" in said
    assert f"because it had read what fault 0 changed: lets {feed} be partial" in said


def test_a_pattern_names_no_file_that_is_in_a_folder_below(sim) -> None:
    feed.write_text('{"amount": 7}\n')
    below = feed.with_name("other") / feed.name
    below.write_text('{"id": 700}\n{"amount":7}\n')
    live(sim, by_pattern_of_folders, FileDamaged(path=below, at=T0 + 1.5 * HOUR))
    assert sim.explain("by-pattern-of-folders").fault is None


def test_who_ends_well_on_it_is_told_so(sim) -> None:
    feed.write_text("1234")
    said = live(sim, heedless, FileDamaged(path=feed, at=T0 + 1.5 * HOUR))
    assert "Completed, on what was changed" in said
    assert sim.explain("heedless").fault == 0


@pytest.mark.parametrize("one", [writes_anew, elsewhere])
def test_what_is_as_it_should_be_again_is_not_named(sim, one) -> None:
    feed.write_text("1234")
    said = live(sim, one, FileDamaged(path=feed, at=T0 + 1.5 * HOUR))
    assert "of its own" in said
    assert sim.explain(one.name).fault is None


@pytest.mark.parametrize(("one", "fault"), [(by_row, 0), (of_another_table, None)])
def test_a_table_that_was_altered_when_a_run_read_it_is_named(sim, one, fault) -> None:
    sim.warehouse.execute("create table orders as select 7 as amount, 1 as id")
    sim.warehouse.execute("create table prices as select 7 as amount")
    drop = TableAltered(table="orders", change="drop column amount", at=T0 + 1.5 * HOUR)
    said = live(sim, one, drop)
    assert sim.explain(one.name).fault == fault
    named = "it had read what fault 0 changed: alters table orders: drop column amount"
    assert (named in said) == (fault == 0)
