"""A history reduced to what the same script with the same seed must repeat."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from simulator.history.records import RunRecord, StateRecord, TaskRecord

_ID = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE)
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b", re.IGNORECASE)
_PORT = re.compile(r"\b(127\.0\.0\.1|localhost):\d+")
_PROCESS = re.compile(r"\bPID \d+", re.IGNORECASE)
_PART_OF_SECOND = re.compile(r"(\d\d:\d\d:\d\d)\.\d+")
_TEMPORARY = re.compile(
    re.escape(tempfile.gettempdir())
    + r"/[^/\s'\"]+(/tmp[^/\s'\"]+)?(/prefect-simulator-[^/\s'\"]+)?"
)
_WORD = re.compile(r"[\w-]+")
_MADE_UP = re.compile(r"[a-z]+(?:-[a-z]+)+|.+-[0-9a-f]{3}")


def normalised(runs: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """The runs that none of the others called, each with its children inside, as plain values.

    Kept: flow, deployment, states with their instants to the second (rounded down) and messages,
    scheduled, start, end, run count, parameters, tags, tasks with their states. Ids, names of
    runs, memory addresses, ports of this machine, process numbers, temporary folders and parts of
    a second are taken out of messages and parameters. Runs and tasks are ordered by content.
    """
    known = {run.id for run in runs}
    scrub = Scrub(made_up_names(runs))
    return _ordered(_run(run, scrub) for run in runs if run.parent_id not in known)


def normalised_rows(rows: Sequence[Mapping[str, Any]], runs: Sequence[RunRecord]) -> list[Any]:
    """The rows of a table that these runs have filled, in the same way as `normalised` has the runs."""
    scrub = Scrub(made_up_names(runs))
    plain = [{name: scrub.value(_plain(value)) for name, value in row.items()} for row in rows]
    return sorted(plain, key=json.dumps)


def _plain(value: Any) -> Any:
    """A value of a table as JSON has it: instants to the second."""
    if isinstance(value, datetime):
        return _second(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


class Scrub:
    """Takes what differs between two runs of one script out of a text."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def text(self, text: str) -> str:
        for pattern, instead in (
            (_TEMPORARY, "<folder>"),
            (_ID, "<id>"),
            (_ADDRESS, "<address>"),
            (_PORT, r"\1:<port>"),
            (_PROCESS, "PID <n>"),
            (_PART_OF_SECOND, r"\1"),
        ):
            text = pattern.sub(instead, text)
        return _WORD.sub(lambda word: "<run>" if word[0] in self._names else word[0], text)

    def value(self, value: Any) -> Any:
        """The same for every text inside a JSON value."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.value(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.value(one) for one in value]
        return value


def made_up_names(runs: Iterable[RunRecord]) -> set[str]:
    """The names that Prefect made up, by their looks: "bold-otter" and, for tasks, "load-3a9"."""
    names = {run.name for run in runs} | {task.name for run in runs for task in run.tasks}
    return {name for name in names if _MADE_UP.fullmatch(name)}


def _run(run: RunRecord, scrub: Scrub) -> dict[str, Any]:
    return {
        "flow": run.flow,
        "deployment": run.deployment,
        "state": run.state,
        **_times(run),
        "run_count": run.run_count,
        "states": _states(run.states, scrub),
        "parameters": scrub.value(run.parameters),
        "tags": sorted(run.tags),
        "tasks": _ordered(_task(task, scrub) for task in run.tasks),
        "children": _ordered(_run(child, scrub) for child in run.children),
    }


def _task(task: TaskRecord, scrub: Scrub) -> dict[str, Any]:
    return {
        "task": task.task,
        "state": task.state,
        **_times(task),
        "run_count": task.run_count,
        "states": _states(task.states, scrub),
        "tags": sorted(task.tags),
    }


def _times(record: RunRecord | TaskRecord) -> dict[str, str | None]:
    return {
        "scheduled": _second(record.scheduled),
        "start": _second(record.start),
        "end": _second(record.end),
    }


def _states(states: Iterable[StateRecord], scrub: Scrub) -> list[list[str | None]]:
    return [
        [state.name, _second(state.timestamp), scrub.text(state.message) if state.message else None]
        for state in states
    ]


def _second(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _ordered(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """By start or else scheduled time, then by everything there is to tell them apart."""
    return sorted(
        items,
        key=lambda item: (item["start"] or item["scheduled"] or "", json.dumps(item)),
    )
