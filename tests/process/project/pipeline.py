"""Flows of the project."""

from __future__ import annotations

import functools
import inspect
import os
import pickle
import sys
import time
import unittest
import warnings
from dataclasses import dataclass
from datetime import UTC, date, datetime
from datetime import time as dt_time

import cloudpickle
from prefect import flow, task
from prefect.cache_policies import INPUTS
from prefect.deployments import run_deployment
from pydantic import BaseModel, Field

from . import models
from .models import Client, Order, Row

IMPORTED = datetime.now(UTC)
RUNS = 0
SEEN: list[int] = []


@dataclass
class Local:
    text: str


@task(persist_result=True, cache_policy=INPUTS)
def order(number: int) -> Order:
    SEEN.append(number)
    return Order(row=Row(number), label=f"made {len(SEEN)}")


@flow(log_prints=True)
def passes_on(day: date = date.today()) -> None:
    made = order.submit(1).result()
    print("isinstance", isinstance(made, Order), isinstance(made.row, models.Row), made.label)
    copy = pickle.loads(pickle.dumps([Local("x"), made]))
    print(
        "pickled",
        isinstance(copy[0], Local),
        isinstance(copy[1], Order),
        Local is sys.modules[__name__].Local,
    )


@flow(log_prints=True)
def tells_what_is_fresh() -> None:
    global RUNS
    RUNS += 1
    from . import lazily

    lazily.CALLS.append(1)
    print(
        "imported",
        round((datetime.now(UTC) - IMPORTED).total_seconds()),
        round(time.time() - lazily.IMPORTED),
    )
    print("runs", RUNS, len(lazily.CALLS), models.drawn.cache_info().currsize)
    print("client", Client().fetch(), models.Client().fetch(), models.CONFIG["url"])
    models.drawn()


@flow(log_prints=True)
def tells_what_is_set() -> None:
    print("set", Client.url, models.CLIENT.url, models.ORDER.label, models.LIMITS.rows)


@flow(log_prints=True)
def looks_through_all_modules() -> None:
    found = inspect.getmodule(inspect.stack()[0].frame)
    held = sum(len(getattr(module, "__dict__", {})) for module in list(sys.modules.values()))
    with unittest.TestCase().assertWarns(DeprecationWarning):
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    print("found", found is sys.modules[__name__], broken_is_there(), held > 0)


def broken_is_there() -> bool:
    return sys.modules[f"{__package__}.broken"].__file__.endswith("broken.py")


@flow(log_prints=True)
def pickles_modules() -> None:
    system, own, clock = cloudpickle.loads(cloudpickle.dumps([sys, models, time]))
    print("same", system is sys, own.Client is models.Client, clock is time)


@flow
def parent() -> None:
    run_deployment("passes-on/dev", poll_interval=5)


def decorated(function):
    @functools.wraps(function)
    def inner():
        return function()

    return inner


@flow(log_prints=True)
def takes(row: Row) -> None:
    print("row", isinstance(row, Row), row.number)


def made_of_a_function(name: str):
    @flow(name=name, log_prints=True)
    def made() -> None:
        global RUNS
        RUNS += 1
        print("runs", RUNS)

    return made


listed = made_of_a_function("listed")


def _of_the_day() -> date:
    return date.today()


DAY = _of_the_day()
OPENS = dt_time(8, 30)
READERS = {"today": lambda: date.today().replace(day=1)}
ZONE = os.environ.get("TZ", "UTC")


class Window(BaseModel):
    end: date = Field(default_factory=lambda: date.today().replace(day=1))


def until(window: Window = Window()) -> date:
    return window.end


@flow
def reads_constants(day: date = DAY, opens: dt_time = OPENS) -> bool:
    return (DAY, OPENS, until()) == (day, opens, READERS["today"]()) and bool(ZONE)


COUNTED = 0


@task
def counts_once() -> None:
    global COUNTED
    COUNTED += 1


@flow
def counts() -> None:
    time.sleep(10)
    counts_once()
    time.sleep(20)


@flow
def counts_nothing(seconds: float) -> None:
    time.sleep(seconds)
