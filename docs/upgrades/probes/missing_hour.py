"""A cron in the hour that is missing when summer time begins."""

from prefect import flow

from simulator.scenario import scenario


@flow
def nightly():
    """Something to do at half past two."""


@scenario(
    name="missing-hour",
    question="When does a cron of 02:30 run on the night without that hour?",
    lesson="An hour earlier on Prefect 3.8 than on 3.9.",
    start="2026-03-28T12:00:00Z",
)
def missing_hour(sim):
    sim.deploy(nightly, name="dev", cron="30 2 * * *", timezone="Europe/Paris")
    sim.advance(days=1)
