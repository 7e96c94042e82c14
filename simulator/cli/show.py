"""`simulate show`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.answers import Json, as_variant, print_json
from simulator.cli.app import app
from simulator.errors import SimulationError

if TYPE_CHECKING:
    from simulator.history import Outcome, RunRecord


@app.command()
def show(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]", help="Id or name of a run: its states, tasks and parameters."
        ),
    ] = None,
    results: Annotated[
        Path, typer.Option(help="The results file, as `simulate run` writes it.", metavar="FILE")
    ] = Path("results/results.duckdb"),
    scenario: Annotated[str | None, typer.Option(help="Only of this scenario.")] = None,
    variant: Annotated[
        str | None, typer.Option(help="Only this variant, with every run in order.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Only with this seed.")] = None,
    json: Json = False,
) -> None:
    """Look into a results file: the verdicts; with --variant, its runs; with RUN, all about one.

    Instants are UTC. Why a run ended so, `simulate explain` says.
    """
    from simulator import arguments
    from simulator.history import kept_outcomes, some_of

    every = {one.key: one for one in kept_outcomes(results)}
    chosen = some_of(every, results, scenario=scenario, variant=variant, seed=seed).values()
    if run is not None:
        found = [(one, it) for one in chosen for it in _runs(one) if run in (str(it.id), it.name)]
        if not found:
            known = {name for one in chosen for it in _runs(one) for name in (str(it.id), it.name)}
            wrong = f"no run has the id or name {run!r} in {str(results)!r}"
            raise SimulationError(f"{wrong}{arguments.near(run, known)}")
        said = [_as_run(one, it) for one, it in found]
        lines = [line for one, it in found for line in _run_lines(one, it)]
    else:
        said = [_as_variant(one, runs=variant is not None) for one in chosen]
        lines = [line for one in chosen for line in _variant_lines(one, runs=variant is not None)]
    if json:
        print_json(said)
    else:
        print("\n".join(lines))


def _title(one: Outcome) -> str:
    scenario, variant, seed = one.key
    return f"{scenario} [{variant}], seed {seed}"


def _runs(one: Outcome) -> list[RunRecord]:
    return one.history.runs() if one.history is not None else []


def _variant_lines(one: Outcome, *, runs: bool) -> Iterable[str]:
    word = "CRASHED" if one.error else "holds" if one.passed else "BROKEN"
    yield f"{word}: {_title(one)}, {len(_runs(one))} runs"
    if one.error:
        yield f"  {one.error}"
    for verdict in one.verdicts:
        yield f"  {'holds' if verdict.passed else 'BROKEN'}: {verdict.expectation}"
        if not verdict.passed:
            yield from (f"    {line}" for line in verdict.message.splitlines())
    for run in _runs(one) if runs else ():
        depth = 0
        above = run.parent
        while above is not None:
            depth, above = depth + 1, above.parent
        yield f"  {'  ' * depth}{_line(run)}"


def _line(run: RunRecord) -> str:
    from simulator.history import moment

    at = run.start or run.scheduled
    began = f"{moment(at)} " if at is not None else ""
    return f"{began}{run.deployment or run.flow} {run.name}: {run.state}"


def _run_lines(one: Outcome, run: RunRecord) -> Iterable[str]:
    from simulator.history import moment

    yield f"{_title(one)}: {_line(run)}"
    if run.parent is not None:
        yield f"  called by {run.parent.deployment or run.parent.flow} {run.parent.name}"
    if run.parameters:
        yield f"  parameters {run.parameters}"
    for state in run.states:
        yield f"  {moment(state.timestamp)} {state.name}" + (
            f": {state.message}" if state.message else ""
        )
    for task in run.tasks:
        yield f"  task {task.name}: {task.state}, attempts {task.run_count}"
    for child in run.children:
        yield f"  calls {_line(child)}"


def _as_variant(one: Outcome, *, runs: bool) -> dict[str, object]:
    return as_variant(one.key, one) | (
        {"runs": [_as_run(one, run) for run in _runs(one)]} if runs else {}
    )


def _as_run(one: Outcome, run: RunRecord) -> dict[str, object]:
    return {
        **dict(zip(("scenario", "variant", "seed"), one.key, strict=True)),
        "id": run.id,
        "name": run.name,
        "flow": run.flow,
        "deployment": run.deployment,
        "parent_id": run.parent_id,
        "state": run.state,
        "parameters": run.parameters,
        "states": [
            {"name": it.name, "entered": it.timestamp, "message": it.message} for it in run.states
        ],
        "tasks": [
            {"name": it.name, "state": it.state, "attempts": it.run_count} for it in run.tasks
        ],
    }
