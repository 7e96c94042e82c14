"""What the arguments of `Simulation` may be: a declaration for each of its calls, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from simulator.arguments import kinds
from simulator.arguments.checking import checked, needs, one_of, some
from simulator.arguments.kinds import optional


def is_open(given: Mapping[str, Any]) -> None:
    """A rule: there is a server to ask."""
    given["self"]._opened()  # noqa: SLF001  as one of its methods


simulation = checked(
    start=optional(kinds.instant),
    seed=kinds.whole(),
    stall_limit=kinds.number(above=0, unit="s"),
    settings=optional(kinds.by_name),
    allow_network=kinds.anything,
    modules=kinds.one_word("shared", "fresh"),
)
live = checked(
    server=kinds.anything,
    seed=kinds.whole(),
    settings=optional(kinds.by_name),
)
advance = checked(
    is_open,
    one_of("by", ("days", "hours", "minutes", "seconds")),
    by=optional(kinds.an(timedelta, right="a timedelta")),
    days=kinds.number(unit="days"),
    hours=kinds.number(unit="hours"),
    minutes=kinds.number(unit="minutes"),
    seconds=kinds.number(unit="seconds"),
)
advance_to = checked(is_open, instant=kinds.instant)
deploy = checked(
    is_open,
    one_of("cron", "interval", "rrule", "schedule", "schedules"),
    needs("timezone", "cron", "interval", "rrule"),
    one_of("work_pool", "work_pool_name"),
    flow=kinds.flow,
    name=kinds.name,
    work_pool=kinds.name,
    cron=optional(kinds.several(kinds.text)),
    timezone=optional(kinds.text),
    interval=optional(kinds.several(kinds.interval)),
    rrule=optional(kinds.several(kinds.text)),
    schedule=kinds.anything,
    schedules=optional(kinds.a_list),
    parameters=optional(kinds.by_name),
    tags=optional(kinds.words),
    concurrency_limit=kinds.anything,
    work_pool_name=optional(kinds.name),
    work_queue_name=optional(kinds.name),
    paused=optional(kinds.flag),
    triggers=optional(kinds.a_list),
    description=optional(kinds.an(str, right="text")),
    version=optional(kinds.an(str, right="text")),
    enforce_parameter_schema=kinds.flag,
    job_variables=optional(kinds.by_name),
)
work_pool = checked(is_open, name=kinds.name, concurrency_limit=optional(kinds.whole(0)))
work_queue = checked(
    is_open,
    name=kinds.name,
    work_pool=kinds.name,
    concurrency_limit=optional(kinds.whole(0)),
    priority=optional(kinds.whole(1)),
)
serve_tasks = checked(is_open, some("tasks"), tasks=kinds.tasks, limit=optional(kinds.whole(1)))
source = checked(is_open, url=kinds.text, folder=kinds.path)
stop_worker = checked(is_open, work_pool=kinds.text, name=optional(kinds.text))
start_worker = checked(
    is_open, work_pool=kinds.text, name=optional(kinds.name), limit=optional(kinds.whole(1))
)
takes = checked(is_open, name=kinds.text, duration=kinds.duration)
fail = checked(
    is_open,
    name=kinds.text,
    probability=kinds.number(0, 1),
    error=optional(kinds.exception),
    on=optional(kinds.run_numbers),
    attempts=optional(kinds.counts),
    between=optional(kinds.window),
    after=kinds.span(),
)
random = checked(name=kinds.text)
setenv = checked(is_open, variables=kinds.variable)
run = checked(is_open, flow=kinds.flow, parameters=kinds.anything)
kill = checked(is_open, run=kinds.run_id, exit_code=kinds.exit_code)
trigger = checked(
    is_open,
    deployment=kinds.full_name,
    parameters=optional(kinds.by_name),
    at=optional(kinds.instant),
)
stub = checked(
    is_open,
    one_of("returns", "each", "attempts"),
    target=kinds.anything,
    returns=kinds.anything,
    each=kinds.some_of,
    attempts=kinds.some_of,
    columns=optional(kinds.words),
)
inject = checked(is_open, faults=kinds.anything)
explain = checked(
    is_open,
    run=kinds.anything,
    which=kinds.whole(),
    table=optional(kinds.text),
)
upcoming = checked(is_open, flow=optional(kinds.text))
runs = checked(
    is_open,
    flow=optional(kinds.text),
    deployment=optional(kinds.text),
    state=optional(kinds.text),
)
