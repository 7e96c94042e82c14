"""Copied the schedules over from prefect.yaml."""
import yaml
from prefect import flow
from simulator import Simulation

OURS = yaml.safe_load("""
schedules:
  - cron: "0 2 * * *"
    timezone: "America/Chicago"
    active: true
  - interval: 21600
    anchor_date: "2026-03-17T01:00:00+00:00"
    timezone: "UTC"
  - rrule: "FREQ=DAILY;COUNT=1"
    active: false
concurrency_limit:
  limit: 1
  collision_strategy: ENQUEUE
""")

@flow
def sync_tables(): ...

with Simulation(start="2026-03-17T00:00:00Z") as sim:
    sim.deploy(sync_tables, name="yaml", **OURS)
    sim.advance(minutes=1)
    planned = [r.scheduled for r in sim.upcoming("sync-tables")]
    assert planned == sorted(planned) and planned[0].hour == 1
    sim.advance(days=1)
    runs = sim.runs("sync-tables")
    assert {r.state for r in runs} == {"Completed"}
    print([r.scheduled.hour for r in runs])
# prints: [1, 7, 7, 13, 19]
