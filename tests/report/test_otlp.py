"""Runs as OpenTelemetry's spans say what the results file says."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from simulator import Simulation
from simulator.cli import call
from simulator.history import Results
from simulator.measures import default_measures
from simulator.report.exports import export

Span = dict[str, Any]


def spans_of(results: Path) -> list[tuple[dict[str, Any], Span]]:
    """Each span with the attributes of its service."""
    found = []
    for line in export(results, "otlp").read_text().splitlines():
        for resource in json.loads(line)["resourceSpans"]:
            service = plain(resource["resource"]["attributes"])
            for scope in resource["scopeSpans"]:
                found += [(service, span) for span in scope["spans"]]
    return found


def plain(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in attributes}


def test_spans_hold_what_the_tables_hold_at_the_same_instants(results: Path) -> None:
    spans = spans_of(results)
    runs = {
        (service["service.namespace"], plain(span["attributes"])["prefect.flow-run.id"]): (
            service,
            span,
        )
        for service, span in spans
        if "prefect.flow-run.id" in plain(span["attributes"])
    }
    with duckdb.connect(str(results), read_only=True) as file:
        kept = file.execute(
            "select run_id::varchar, coalesce(deployment, flow), scenario, variant, seed, state_type,"
            " epoch_ns(coalesce(ended_at, until)), parent_id::varchar"
            " from flow_runs join variants using (scenario, variant, seed) where"
            " started_at is not null or scheduled_at < until"
        ).fetchall()
    assert len(runs) == len(kept) > 3
    for run_id, name, scenario, variant, seed, state, end, parent in kept:
        simulation = f"{scenario} [{variant}], seed {seed}"
        service, span = runs[simulation, run_id]
        assert span["name"] == service["service.name"] == name
        assert int(span["endTimeUnixNano"]) == end
        assert int(span["startTimeUnixNano"]) <= end
        assert (span["status"].get("code") == 2) == (state in ("FAILED", "CRASHED"))
        caller = span.get("parentSpanId") or None
        assert caller == (None if parent is None else runs[simulation, parent][1]["spanId"])
    assert len({span["spanId"] for _, span in spans}) == len(spans)
    assert all(len(span["spanId"]) == 16 and len(span["traceId"]) == 32 for _, span in spans)
    waits = [span for _, span in spans if plain(span["attributes"]).get("prefect.waits")]
    assert {span["name"] for span in waits} >= {"Pending", "AwaitingRetry", "Late"}
    told = [event for _, span in spans for event in span.get("events", ())]
    assert ("fault", "raises ValueError('boom')") in [
        (event["name"], plain(event["attributes"])["text"]) for event in told
    ]


def test_what_a_run_calls_and_its_tasks_are_in_its_trace(tmp_path: Path) -> None:
    from prefect import flow, task

    @task
    def reads() -> None: ...

    @flow
    def child() -> None:
        reads()

    @flow
    def parent() -> None:
        child()

    results = tmp_path / "results.duckdb"
    with Simulation(start="2026-01-05T00:00:00Z") as sim:
        sim.run(parent)
        history = sim.history()
        Results.open(results).add("s", "v", 0, history, default_measures(history), [])
    by_name = {span["name"]: span for _, span in spans_of(results)}
    (called,) = [span for name, span in by_name.items() if name.startswith("reads")]
    assert called["parentSpanId"] == by_name["child"]["spanId"]
    assert by_name["child"]["parentSpanId"] == by_name["parent"]["spanId"]
    assert not by_name["parent"].get("parentSpanId")
    assert len({span["traceId"] for span in by_name.values()}) == 1


def test_without_the_extra_it_is_refused_in_one_line(
    results: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.json.file.trace_exporter", None)
    assert call(["export", str(results), "--to", "otlp", "--output", str(tmp_path / "spans")]) == 2
    said = capfd.readouterr().err
    assert said == ("simulate: otlp needs OpenTelemetry: pip install 'prefect-simulator[otel]'\n")
    assert list(tmp_path.iterdir()) == []
