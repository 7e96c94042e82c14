import duckdb
from prefect import flow, task
from simulator import Simulation

DB = "lake.duckdb"

@task
def append(n):
    with duckdb.connect(DB) as con:
        con.execute("create table if not exists loads (n int, loaded_at timestamptz default now())")
        con.execute("insert into loads (n) values (?)", [n])

@flow
def load(n: int = 1):
    append(n)

@flow
def freshness():
    with duckdb.connect(DB, read_only=True) as con:
        minutes, = con.execute("select date_diff('minute', max(loaded_at), now()) from loads").fetchone()
        if minutes > 20:
            raise ValueError(f"data is {minutes} minutes old")

with Simulation(start="2026-05-01T00:00:00Z") as sim:
    sim.deploy(load, name="d", cron="0 * * * *")
    sim.deploy(freshness, name="d", cron="10,40 * * * *")
    sim.advance(hours=3)
    checks = sim.runs("freshness", state="Failed")
    assert "40 minutes old" in checks[-1].message, checks
    assert len(sim.runs("freshness", state="Completed")) == 2

with duckdb.connect(DB) as con:
    print(con.execute("select strftime(loaded_at at time zone 'UTC', '%d.%m. %H:%M') from loads order by loaded_at").fetchall())
# prints: [('01.05. 01:00',), ('01.05. 02:00',)]
