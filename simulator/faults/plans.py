"""What may go wrong, for whom, when, and how often.

A fault is a frozen record: printed, saved and read back (`plain.py`). Each kind stands in a file of its
own in `kinds/`, and says what it does; when it strikes is said here, for all of them.

A fault's dice depend on the simulation's seed, on the fault's own name, on the step's name, and on
which run it is: the cycle (the instant for which the outermost parent was scheduled) and the
how-manieth within it. So the same hour fails in every variant of a scenario, however differently the
variants get there; no thread's timing has a say, and one fault more moves no other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from simulator.arguments import kinds as arguments
from simulator.errors import UnsupportedOperation

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient

    from simulator.clock import VirtualClock
    from simulator.faults.layers import Layers
    from simulator.faults.readings import Readings
    from simulator.history import Journal, Note
    from simulator.patches.full_disks import FullDisks
    from simulator.warehouse import Warehouse


@dataclass(frozen=True)
class Step:
    """One attempt at one run of a flow or a task.

    `occurrence` counts the runs of this name from 0, in the order of their start; `attempt` is
    Prefect's `run_count`, from 1. `cycle` and `within` name the run independently of how it came to
    be: the instant for which its outermost parent was scheduled, and its place in that cycle.
    """

    name: str
    occurrence: int
    attempt: int
    cycle: datetime
    within: int

    def dice(self, seed: int, purpose: str) -> random.Random:
        """Random numbers for this step and `purpose` alone."""
        cycle = self.cycle.isoformat(timespec="seconds")
        return random.Random(f"{seed}/{purpose}/{self.name}/{cycle}/{self.within}/{self.attempt}")


@dataclass(frozen=True)
class Effect:
    """What a fault does to one attempt of a step. Durations in virtual seconds.

    `before` passes first. Then the attempt never goes on (`forever`), or its process ends with
    `exit_code`, or it raises `error` or returns the one value in `value` in place of its own code, or
    what it returned `runs_back` runs before. Or else its own code runs, and takes `factor` times as long
    and `longer` on top.
    """

    before: float = 0.0
    forever: bool = False
    exit_code: int | None = None
    error: BaseException | None = None
    value: tuple[Any, ...] = ()
    runs_back: int = 0
    factor: float = 1.0
    longer: float = 0.0

    @property
    def instead(self) -> bool:
        """Whether the step's own code does not run."""
        return self.forever or bool(self.value) or (self.exit_code, self.error) != (None, None)


class Stage(Protocol):
    """What a fault needs of the engine in which it takes its place."""

    @property
    def now(self) -> datetime: ...

    @property
    def steps(self) -> FaultsOf:
        """Where the faults of steps are noted."""

    @property
    def pools(self) -> Mapping[str, Any]:
        """The worker of each work pool."""


class VirtualStage(Stage, Protocol):
    """The virtual engine, in which time can be set, and notes are taken."""

    clock: VirtualClock
    journal: Journal
    requests: CheckedFaults
    starts: FaultsOfStarts
    exits: FaultsOf
    client: SyncPrefectClient
    events: CheckedFaults
    nodes: FaultsOf
    states: States
    disks: FullDisks
    layers: Layers
    readings: Readings
    at_end: ExitStack

    @property
    def steps(self) -> FaultsOfSteps: ...

    @property
    def warehouse(self) -> Warehouse: ...

    def deployment_names(self) -> set[str]: ...

    def process_of(self, run_id: UUID) -> Any:
        """The process of a run, or of the parent of a subflow. SimulationError if there is none."""


class FaultsOf(Protocol):
    """Takes note of the faults of one sort: those of steps, those of requests."""

    def strike(self, injected: Injected) -> None: ...


class FaultsOfSteps(FaultsOf, Protocol):
    """Knows the instant for which the outermost parent of a run was scheduled."""

    def cycle(self, flow_run_id: UUID | None) -> datetime: ...


class States(Protocol):
    """Knows which runs of a flow are running, and tells when one has entered a state."""

    def running(self, flow: str) -> list[UUID]: ...

    def watch(self, flow: str, state: str, tell: Callable[[UUID], object]) -> None: ...


class FaultsOfStarts(Protocol):
    """Takes note of a fault, and of what follows whenever it strikes."""

    def strike(self, injected: Injected, then: Callable[[Note], object] = ...) -> None: ...


class CheckedFaults(FaultsOf, Protocol):
    """Knows what can be asked of the API, or what events there are."""

    def check(self, fault: Any) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What all faults have in common.

    Args:
        name: What it is called, and what its random numbers are named by. By default, its kind and
            its target: two faults that share both and are to be told apart have names.
        active: The odds, from 0 to 1, that there is this fault in a simulation at all.
        probability: The odds, from 0 to 1, that it strikes when it could.
        between: Two aware instants, the second one excluded, between which it may strike.
    """

    kind: ClassVar[str]
    """The word for it in files."""

    name: str = ""
    active: float = 1.0
    probability: float = 1.0
    between: tuple[datetime, datetime] | None = None

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {
        "active": arguments.number(0, 1),
        "probability": arguments.number(0, 1),
        "between": arguments.optional(arguments.window),
    }

    def __post_init__(self) -> None:
        for kind in reversed(type(self).__mro__):
            for name, check in vars(kind).get("_checks", {}).items():
                object.__setattr__(self, name, check(name, getattr(self, name)))

    @property
    def target(self) -> str:
        """Whom it strikes, in a word."""
        raise NotImplementedError

    @property
    def stream(self) -> str:
        """What its random numbers are named by."""
        return self.name or f"{self.kind} {self.target}"

    def within(self, now: datetime) -> bool:
        """Whether `now` lies in its window."""
        return self.between is None or self.between[0] <= now < self.between[1]

    def check(self, stage: Stage) -> None:
        """Raise SimulationError if it could never strike in this simulation."""

    def begin(self, stage: Stage, injected: Injected) -> None:
        """Take its place in a simulation: tell those whom it concerns."""
        raise NotImplementedError

    def does(self) -> str:
        """What it does, in words: "raises ValueError('boom') in child"."""
        raise NotImplementedError

    def __str__(self) -> str:
        odds = f" with odds of {self.probability:g}" if self.probability < 1 else ""
        return f"{self.name}: {self.does()}{odds}" if self.name else f"{self.does()}{odds}"


@dataclass(frozen=True)
class Injected:
    """A fault in a simulation: its number there, from 0, the seed, and what its dice are named by."""

    fault: Any
    number: int
    seed: int
    stream: str

    @property
    def exists(self) -> bool:
        """Whether it is there at all in this simulation."""
        return self.dice("active").random() < float(self.fault.active)

    def dice(self, purpose: str = "fault") -> random.Random:
        """Random numbers for this fault and `purpose` alone."""
        return random.Random(f"{self.seed}/{purpose} {self.stream}")

    def draw(self, step: Step) -> float:
        """What its dice show for an attempt at a step, from 0 to 1."""
        return step.dice(self.seed, f"fault {self.stream}").random()

    def strikes(self, step: Step, now: datetime) -> bool:
        """Whether it strikes an attempt at a step."""
        fault: StepFault = self.fault
        return fault.concerns(step, now) and self.draw(step) < fault.probability

    def effect(self, step: Step) -> Effect:
        """What it does to an attempt that it strikes."""
        fault: StepFault = self.fault
        return fault.effect(step, step.dice(self.seed, f"effect {self.stream}"))


@dataclass(frozen=True, kw_only=True)
class StepFault(Fault):
    """A fault of a flow or a task, by its name.

    Args:
        step: The name of the flow or task.
        on: Numbers of the runs of this name that it may strike, from 0 in the order of their start.
        attempts: Prefect's run counts that it may strike, such as "1" or "1-2". A flow that is tried
            again makes new runs of its tasks and subflows, whose counts begin at 1: `on` tells those
            apart.
        after: Virtual time from the start of the attempt until it strikes.
    """

    step: str
    on: Collection[int] | None = None
    attempts: str | int | None = None
    after: timedelta = timedelta(0)

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {
        "step": arguments.text,
        "on": arguments.optional(arguments.run_numbers),
        "after": arguments.span(),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.attempts is not None:
            arguments.attempts("attempts", self.attempts)

    @property
    def target(self) -> str:
        return self.step

    def begin(self, stage: Stage, injected: Injected) -> None:
        stage.steps.strike(injected)

    def concerns(self, step: Step, now: datetime) -> bool:
        """Whether it may strike this attempt, if the dice say so."""
        if self.on is not None and step.occurrence not in self.on:
            return False
        if self.attempts is not None and step.attempt not in arguments.attempts("", self.attempts):
            return False
        return self.within(now)

    def effect(self, step: Step, dice: random.Random) -> Effect:
        """What it does to an attempt that it strikes. The dice are its own, for this attempt."""
        raise NotImplementedError


def virtual(stage: Stage, fault: Fault) -> VirtualStage:
    """The engine, if it is the virtual one. Raises UnsupportedOperation if it is not."""
    if getattr(stage, "clock", None) is None:
        raise UnsupportedOperation(
            f"{fault.kind}: on a live engine nothing but steps can be struck"
        )
    return cast("VirtualStage", stage)


def journal_of(stage: Stage) -> Journal | None:
    """The journal of an engine that has one: the virtual one."""
    return getattr(stage, "journal", None)


def changed(fault: Fault) -> dict[str, Any]:
    """The fields of a fault that are not as they are by default."""
    return {
        one.name: value
        for one in fields(fault)
        if (value := getattr(fault, one.name)) != one.default
    }
