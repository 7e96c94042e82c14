from datetime import timedelta
from prefect import flow, task
from prefect.cache_policies import INPUTS, TASK_SOURCE
from simulator import Simulation

calls = []

@task(cache_policy=INPUTS + TASK_SOURCE, cache_expiration=timedelta(minutes=90), persist_result=True)
def rates(currency: str):
    calls.append(currency)
    return {"USD": 1.1, "GBP": 0.9}[currency]

@flow
def convert():
    return rates("USD"), rates("GBP"), rates("USD")

with Simulation() as sim:
    sim.deploy(convert, name="d", cron="0 * * * *")
    sim.advance(hours=4.5)
    assert {r.state for r in sim.runs()} == {"Completed"}
    for run in sim.runs():
        print("".join(task.state[:2] for task in run.tasks), end=" ")
    print(len(calls))
# prints: CoCoCa CaCaCa CoCoCa CaCaCa 4
