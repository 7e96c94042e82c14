import datetime
import sqlite3
from contextlib import closing
from prefect import flow, task
from simulator import Simulation

@task(retries=2, retry_delay_seconds=60)
def book(amount):
    with closing(sqlite3.connect("ledger.db")) as db, db:
        db.execute("create table if not exists ledger (amount int, at text default current_timestamp)")
        db.execute("insert into ledger (amount) values (?)", (amount,))

@flow
def daily(amount: int = 7):
    book(amount)
    return datetime.date.today()

with Simulation(start="2026-02-26T12:00:00Z") as sim:
    sim.deploy(daily, name="d", cron="15 6 * * *", timezone="UTC")
    sim.fail("book", on=[1], attempts="1", error=sqlite3.OperationalError("database is locked"))
    sim.advance(days=4)
    assert [r.state for r in sim.runs()] == ["Completed"] * 4
    assert [r.tasks[0].run_count for r in sim.runs()] == [1, 2, 1, 1]

with closing(sqlite3.connect("ledger.db")) as db:
    print([at for (at,) in db.execute("select at from ledger order by at")])
# prints: ['2026-02-27 06:15:00', '2026-02-28 06:16:00', '2026-03-01 06:15:00', '2026-03-02 06:15:00']
