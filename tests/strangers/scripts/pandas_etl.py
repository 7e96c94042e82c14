import time
import duckdb
import pandas as pd
from prefect import flow, task
from simulator import Simulation


@task
def extract():
    time.sleep(60)
    return pd.DataFrame({"t": [pd.Timestamp.now(tz="UTC")], "x": [1]})


@task
def load(df, path):
    with duckdb.connect(path) as c:
        c.execute("create table if not exists t as select * from df limit 0")
        c.execute("insert into t select * from df")
        return c.execute("select count(*) from t").fetchone()[0]


@flow
def etl(path: str):
    return load(extract(), path)


with Simulation(start="2026-01-01T00:00:00Z") as sim:
    sim.deploy(etl, name="d", cron="0 * * * *", parameters={"path": "w.duckdb"})
    sim.advance(hours=3.5)
    assert [r.state for r in sim.runs()] == ["Completed"] * 3, [r.message for r in sim.runs()]
    assert {t.state for r in sim.runs() for t in r.tasks} == {"Completed"}

df = duckdb.connect("w.duckdb").execute("select * from t order by t").df()
assert df["x"].sum() == 3
print([f"{t:%H:%M}" for t in df["t"].dt.tz_convert("UTC")])
# prints: ['01:01', '02:01', '03:01']
