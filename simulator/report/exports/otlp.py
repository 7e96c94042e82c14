"""Runs as OpenTelemetry's spans, in lines of OTLP's JSON: what a collector's file receiver reads.

A trace for each run that nothing has called, with those that it called, and their tasks, as spans in it.
The service is the deployment, or the flow that was called without one, its namespace the simulation. The
span of a run goes from when it was due to its end; in it each stay in a state is a span of its own, so
that waits stand apart from work. Notes are events. Instants are virtual.

Source of the format: https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from simulator.errors import SimulationError
from simulator.history import Note, Outcome, RunRecord
from simulator.instants import to_micros
from simulator.report.exports.trace import stays

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.trace import SpanContext, Status


def as_otlp(outcomes: Sequence[Outcome]) -> str:
    """The histories of all simulations that have one, a line for each.

    Raises SimulationError without the extra [otel].
    """
    try:
        from opentelemetry.exporter.otlp.json.file.trace_exporter import FileSpanExporter
    except ImportError:
        raise SimulationError(
            "otlp needs OpenTelemetry: pip install 'prefect-simulator[otel]'"
        ) from None
    text = io.StringIO()
    exporter = FileSpanExporter(stream=text)
    for outcome in outcomes:
        if spans := list(_spans(outcome)):
            exporter.export(spans)
    return text.getvalue()


def _spans(outcome: Outcome) -> Iterator[ReadableSpan]:
    history = outcome.history
    if history is None:
        return
    notes: dict[UUID, list[Note]] = {}
    for note in history.notes:
        if note.run_id is not None:
            notes.setdefault(note.run_id, []).append(note)
    for run in history.runs():
        yield from _of_run(run, history.now, notes.get(run.id, ()), outcome)


def _of_run(
    run: RunRecord, now: datetime, notes: Sequence[Note], outcome: Outcome
) -> Iterator[ReadableSpan]:
    """The run, if it was ever due; its stays; its tasks."""
    from opentelemetry.sdk.resources import Resource

    parts = list(stays(run, now))
    if not parts:
        return
    scenario, variant, seed = outcome.key
    simulation = f"{scenario} [{variant}], seed {seed}"
    service = {"service.name": run.deployment or run.flow, "service.namespace": simulation}
    resource = Resource(service)
    context = partial(_context, simulation, run)
    own = context(run.id)
    yield _span(
        run.deployment or run.flow,
        own,
        None if run.parent is None else context(run.parent.id),
        (parts[0][1], run.end or now),
        resource,
        {
            "prefect.flow-run.id": str(run.id),
            "prefect.flow-run.name": run.name,
            "prefect.flow-run.state": run.state,
            "prefect.flow-run.run_count": run.run_count,
        },
        _status(run.state_type, run.message),
        [_event(note) for note in notes],
    )
    for number, (name, begin, end, waits) in enumerate(parts):
        stay = context(uuid5(run.id, f"{number}"))
        kind = {"prefect.state": name, "prefect.waits": waits}
        yield _span(name, stay, own, (begin, end), resource, kind, _status())
    for task in run.tasks:
        if task.start is not None:
            said = {
                "prefect.task-run.id": str(task.id),
                "prefect.task-run.state": task.state,
                "prefect.task-run.run_count": task.run_count,
            }
            span = (task.start, task.end or now)
            status = _status(task.state_type, task.message)
            yield _span(task.name, context(task.id), own, span, resource, said, status)


def _context(simulation: str, run: RunRecord, of: UUID) -> SpanContext:
    """The ids of a span: of the run that nothing has called, and of its own. Simulations alike have runs
    with the same ids, and are told apart.
    """
    from opentelemetry.trace import SpanContext

    root = run
    while root.parent is not None:
        root = root.parent
    trace, own = uuid5(root.id, simulation), uuid5(of, simulation)
    return SpanContext(trace.int, own.int >> 64, is_remote=False)


def _span(
    name: str,
    context: SpanContext,
    parent: SpanContext | None,
    span: tuple[datetime, datetime],
    resource: Any,
    attributes: dict[str, Any],
    status: Status,
    events: Sequence[Event] = (),
) -> ReadableSpan:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    return ReadableSpan(
        name,
        context,
        parent,
        resource,
        attributes,
        events,
        start_time=_nanoseconds(span[0]),
        end_time=_nanoseconds(span[1]),
        instrumentation_scope=InstrumentationScope("prefect-simulator"),
        status=status,
    )


def _event(note: Note) -> Event:
    from opentelemetry.sdk.trace import Event

    said = {"text": note.text, "where": note.where}
    return Event(note.kind, said, _nanoseconds(note.at))


def _status(state_type: str = "", message: str | None = None) -> Status:
    from opentelemetry.trace import Status, StatusCode

    if state_type in ("FAILED", "CRASHED"):
        return Status(StatusCode.ERROR, message or state_type)
    return Status(StatusCode.OK if state_type == "COMPLETED" else StatusCode.UNSET)


def _nanoseconds(instant: datetime) -> int:
    return to_micros(instant) * 1000
