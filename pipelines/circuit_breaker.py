"""A load of every ten minutes from a partner whose API is down for an hour and a half.

Each request to it takes a minute until it fails, each load makes three attempts, and the partner
counts them. Three ways to bear it:

- ``load-rates``: each cycle tries, three times;
- ``load-rates-with-breaker``: after two cycles that failed, a circuit breaker, a variable of Prefect's,
  is open for twenty-five minutes, and cycles end at once; then one request finds out whether it may
  close. (Half an hour would be three cycles, and microseconds decide whether the third is skipped);
- an automation that pauses the deployment after two failures, which users ask for (PrefectHQ/prefect
  #13860): it is quiet, and stays so until somebody resumes it.

``raw.attempts`` has a row for each request: the partner's own books.
"""

import os
import time
from datetime import UTC, datetime, timedelta

from prefect import flow, task
from prefect.events import AutomationCore, EventTrigger, Posture
from prefect.events.actions import PauseDeployment
from prefect.states import Completed, State
from prefect.variables import Variable

from pipelines.warehouse import connect

EVERY = timedelta(minutes=10)
PATIENCE = 60  # seconds until a request fails
ATTEMPTS = 3
FAILURES = 2  # in a row, until it opens
OPEN = timedelta(minutes=25)
BREAKER = "partner_breaker"

REQUESTS = """
create schema if not exists raw;
create table if not exists raw.attempts (made_at timestamptz, answered boolean);
"""


def request_rates() -> None:
    """One request to the partner, down from the first to the second instant of ``PARTNER_DOWN``."""
    begin, end = map(datetime.fromisoformat, os.environ["PARTNER_DOWN"].split(","))
    down = begin <= datetime.now(UTC) < end
    with connect() as con:
        con.execute(REQUESTS)
        con.execute("insert into raw.attempts values (now(), ?)", [not down])
    if down:
        time.sleep(PATIENCE)
        raise ConnectionError("the partner does not answer")


@task(name="fetch-rates", retries=ATTEMPTS - 1, retry_delay_seconds=30)
def fetch_rates() -> None:
    """Three attempts."""
    request_rates()


@flow(name="load-rates")
def load_rates() -> None:
    """Try, each time.

    For: the first cycle after the outage is a good one.
    Against: nine requests in half an hour to somebody who is down, and a worker's slot for most of it.
    """
    fetch_rates()


@flow(name="load-rates-with-breaker")
def load_rates_with_breaker() -> State | None:
    """Try, unless the breaker is open.

    For: a partner who is down is left in peace, and its failures do not take up slots.
    Against: up to half an hour more without rates, and a state of one's own to look after.
    """
    known = Variable.get(BREAKER, default={"failures": 0, "until": None})
    failures, until = known["failures"], known["until"]
    now = datetime.now(UTC)
    if until is not None and now < datetime.fromisoformat(until):
        return Completed(name="Skipped", message=f"The breaker is open until {until}.")
    try:
        if until is None:
            fetch_rates()
        else:
            request_rates()  # half open: one attempt
    except ConnectionError:
        opened = failures + 1 >= FAILURES
        told = {"failures": failures + 1, "until": (now + OPEN).isoformat() if opened else None}
        Variable.set(BREAKER, told, overwrite=True)
        raise
    Variable.set(BREAKER, {"failures": 0, "until": None}, overwrite=True)
    return None


def pause_after_failures(deployment: str) -> AutomationCore:
    """An automation that pauses a deployment, by its name, when two of its runs fail within an hour.

    For: no line of code.
    Against: nobody resumes it.
    """
    failed = EventTrigger(
        expect={"prefect.flow-run.Failed"},
        match_related={"prefect.resource.name": deployment, "prefect.resource.role": "deployment"},
        posture=Posture.Reactive,
        threshold=FAILURES,
        within=timedelta(hours=1),
    )
    return AutomationCore(
        name="pause-after-failures", trigger=failed, actions=[PauseDeployment(source="inferred")]
    )
