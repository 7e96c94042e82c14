"""The cause that `explain` names is the one that was injected: faults drawn at random over pipelines of
the catalogue, and every run that they spoilt, masked, held up or left behind goes back to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from prefect import Flow

from pipelines import fan_out, gathering, random_failure, submitting, waiting_for_a_child
from simulator import Simulation
from simulator.faults import Fault, Hang, Kill, OutOfMemory, Raise, WorkerAway
from simulator.records import RunRecord

T0 = datetime(2026, 1, 5, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
CASES = 40
BATCHES = 5

SALES = ("extract", "transform-load", "cleanup")
STEPS: dict[Flow, tuple[str, ...]] = {
    random_failure.parent_plain: SALES,
    random_failure.parent_state_ignored: SALES,
    random_failure.parent_state_returned: SALES,
    random_failure.parent_deployments_unchecked: SALES,
    random_failure.parent_deployments_checked: SALES,
    waiting_for_a_child.wait_and_ignore: ("land-parts",),
    waiting_for_a_child.wait_and_raise: ("land-parts",),
    gathering.parent_gather: ("load-source", "fetch-source"),
    gathering.parent_gather_exceptions: ("load-source", "fetch-source"),
    gathering.parent_gather_states: ("load-source", "fetch-source"),
    gathering.parent_task_group: ("load-source", "fetch-source"),
    gathering.parent_prefect_gather: ("load-source", "fetch-source"),
    gathering.parent_gather_deployments: ("load-source", "fetch-source"),
    submitting.parent_submit_in_order: ("import-source",),
    submitting.parent_submit_as_completed: ("import-source",),
    fan_out.parent_one_by_one: ("import-source",),
    fan_out.parent_fan_out: ("import-source",),
}
"""Parents, and the steps of theirs that may be struck, beside themselves."""

CHILDREN = (
    random_failure.extract,
    random_failure.transform_load,
    random_failure.cleanup,
    waiting_for_a_child.land_parts,
    gathering.load_source,
    submitting.import_source,
)


@dataclass(frozen=True)
class Case:
    """A parent that begins at an instant, and what strikes it or one of its steps in that hour."""

    parent: Flow
    begin: datetime
    fault: Fault


def drawn(batch: int) -> Iterator[Case]:
    dice = Random(f"causes {batch}")
    for number in range(CASES):
        parent = dice.choice(list(STEPS))
        begin = T0 + number * 2 * HOUR
        window = (begin, begin + HOUR)
        step = dice.choice((parent.name, *STEPS[parent]))
        after = dice.choice((0, 1, 5)) * MINUTE
        kind = dice.choice((Raise, Raise, Kill, OutOfMemory, Hang, WorkerAway))
        if kind is WorkerAway:
            fault: Fault = WorkerAway(between=window, name=f"case {number}")
        else:
            fault = kind(step=step, between=window, after=after, name=f"case {number}")
        yield Case(parent, begin, fault)


def spoilt(run: RunRecord) -> bool:
    """Whether something became of a run that wants an explanation."""
    late = run.start is None or run.scheduled is None or run.start - run.scheduled > 10 * MINUTE
    failed = run.failed or any(one.failed for one in run.descendants())
    tasks = any(task.state_type in ("FAILED", "CRASHED") for task in run.tasks)
    return late or failed or tasks or not run.final


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.filterwarnings("ignore::simulator.errors.SilentFault")
def test_every_spoilt_run_goes_back_to_its_fault(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (fan_out, gathering, submitting):
        monkeypatch.setattr(module, "SOURCES", module.SOURCES[:2])  # each costs runs
    wrong = []
    explained = 0
    cases = list(drawn(batch))
    # A run that hangs beats to the end: seldom enough here that four days of it cost little.
    beats = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "3600"}
    with Simulation(start=T0, seed=batch, settings=beats) as sim:
        sim.setenv(WAREHOUSE_PATH=sim.warehouse.path, LANDING_DIR=sim.folder / "landing")
        for child in CHILDREN:
            sim.deploy(child, name="dev")
        for parent in {case.parent for case in cases}:
            sim.deploy(parent, name="dev")
        sim.inject([case.fault for case in cases])
        for case in cases:
            sim.advance_to(case.begin)
            sim.trigger(f"{case.parent.name}/dev", at=case.begin + MINUTE)
        sim.advance(hours=2)
        for number, case in enumerate(cases):
            for run in of(case, sim):
                told = sim.explain(run)
                if spoilt(run):
                    explained += 1
                    if told.fault != number:
                        wrong.append(f"{case.fault}\n  {run!r}\n  {told}")
                elif told.fault not in (None, number):
                    wrong.append(f"{case.fault} has nothing to do with\n  {run!r}\n  {told}")
    assert not wrong, f"{len(wrong)} of {explained}:\n" + "\n".join(wrong)
    assert explained >= CASES


def of(case: Case, sim: Simulation) -> Iterator[RunRecord]:
    """The runs of a case: the parent that began in its hour, and all below it."""
    for run in sim.runs(deployment=f"{case.parent.name}/dev"):
        if run.scheduled is not None and case.begin <= run.scheduled < case.begin + HOUR:
            yield run
            yield from run.descendants()
