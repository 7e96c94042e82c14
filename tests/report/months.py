"""A results file without a simulation: 31 days of a nightly load, an hourly ping and a broken promise."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from nights import made

from simulator.history import Gate, History, Results, RunRecord
from simulator.measures import default_measures
from simulator.scenarios.verdict import Verdict

START = datetime(2026, 3, 14, tzinfo=UTC)
DAYS = 31
BAD, MASKED = 11, 16
"""The days, from 0, on which the load fails, and on which only its child does."""

NOW = START + timedelta(days=DAYS - 1, hours=2, minutes=30)
BROKEN = START + timedelta(days=BAD + 1, hours=4, minutes=10)
LOST = BROKEN - timedelta(hours=1)


def month(*, ignored: bool, pings: int = 24) -> History:
    """A parent with its child each night at 02:00, and so many pings a day. The one of the last night
    is still at work.
    """
    runs: list[RunRecord] = []
    for day in range(DAYS):
        due = START + timedelta(days=day, hours=2)
        bad = day in (BAD, MASKED)
        parent = made(
            "load",
            due,
            *[("Scheduled", -3600), ("Pending", 0), ("Running", 4)],
            *([("Failed" if bad and not ignored else "Completed", 4200)] if day < DAYS - 1 else []),
            auto_scheduled=True,
        )
        child = made(
            "extract",
            due,
            *[("Scheduled", 5), ("Pending", 6), ("Running", 10)],
            *([("Failed" if bad else "Completed", 4100)] if day < DAYS - 1 else []),
            parent_id=parent.id,
        )
        runs += [parent, child]
        for n in range(pings):
            at = START + timedelta(days=day) + n * timedelta(days=1) / pings
            if at < NOW:
                runs.append(made("ping", at, ("Running", 1), ("Completed", 31)))
    zones = ("America/New_York", "Europe/Berlin", "Europe/Paris")
    gates = [Gate("deployment", "load/dev", schedules=1, zones=zones)]
    return History(runs, now=NOW, gates=gates)


def write_month(path: Path, pings: int = 24) -> None:
    """Two variants of a month; in the first, the parent ignores that its child has failed."""
    file = Results.open(path)
    for variant, ignored in (("state ignored", True), ("state raised", False)):
        history = month(ignored=ignored, pings=pings)
        broken = Verdict(
            "mart.orders is never older than 1 day, 2:00:00, by its loaded_at",
            passed=False,
            message="broken first at 2026-03-26T04:10:00Z, for 22:00:00 in all",
            broken_at=BROKEN,
            lost_at=LOST,
        )
        noticed = Verdict(
            "who fails is noticed by alert within 1:00:00",
            passed=False,
            message="broken first at 2026-03-30T04:10:00Z, for 2 days in all",
            broken_at=START + timedelta(days=MASKED, hours=4, minutes=10),
            lost_at=START + timedelta(days=MASKED, hours=4, minutes=10),
        )
        file.add(
            *("month", variant, 7, history, default_measures(history)),
            [broken, noticed] if ignored else [],
            days=DAYS,
            question="What comes of a month?",
        )
