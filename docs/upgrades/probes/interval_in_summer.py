"""An interval of a day whose anchor lies in winter, in a zone with summer time."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from prefect import flow
from prefect.schedules import Interval

from simulator.scenario import scenario

NEW_YORK = ZoneInfo("America/New_York")


@flow
def daily():
    """Something to do at five in the morning."""


@scenario(
    name="interval-in-summer",
    question="Does an interval of a day keep to the local hour of its anchor in summer?",
    lesson="Not on Prefect 3.8, where it comes an hour late. On 3.9 it does.",
    start="2026-07-01T00:00:00Z",
    days=2,
)
def interval_in_summer(sim, days):
    anchor = datetime(2026, 1, 5, 5, tzinfo=NEW_YORK)
    schedule = Interval(timedelta(days=1), anchor_date=anchor, timezone="America/New_York")
    sim.deploy(daily, name="dev", schedule=schedule)
    sim.advance(days=days)
