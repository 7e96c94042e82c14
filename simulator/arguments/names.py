"""Names of flows, tasks, states and parameters: those there are, and the nearest to one that is not."""

from __future__ import annotations

import difflib
import gc
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import CodeType
from typing import TYPE_CHECKING, Any, TypeVar

from simulator.arguments.kinds import refused, shown
from simulator.errors import SimulationError, UnsupportedOperation

if TYPE_CHECKING:
    from prefect import Flow

AnyKind = TypeVar("AnyKind")

STATE_TYPES = frozenset(
    {"SCHEDULED", "PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "CRASHED", "PAUSED",
     "CANCELLING"}
)  # fmt: skip
"""Prefect's groups of states."""

STATES = frozenset(
    {"Scheduled", "Late", "Resuming", "AwaitingRetry", "AwaitingConcurrencySlot", "Retrying",
     "Pending", "Submitting", "InfrastructurePending", "NotReady", "Running", "Paused", "Suspended",
     "Cancelling", "Cancelled", "Completed", "Cached", "Failed", "TimedOut", "RolledBack", "Crashed"}
)  # fmt: skip
"""The states that Prefect's own code makes. A flow may make others."""


def unknown(what: str, name: object, known: Iterable[str], *, few: bool = False) -> SimulationError:
    """The error about an unknown name, with the nearest known one, if any is near; if none is, and they
    are `few`, with all of them.
    """
    names = sorted(known)
    others = f"; there are {', '.join(names)}" if few else ""
    return refused(f"no {what} {shown(name)}{near(name, names) or others}")


def near(name: object, known: Iterable[str]) -> str:
    """The end of a refusal of a name: the nearest known one. Empty if it is known, or none is near."""
    names = sorted(known)
    matches = [] if name in names else difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    return f": did you mean {matches[0]!r}?" if matches else ""


def kind_named(what: str, word: object, known: Mapping[str, AnyKind]) -> AnyKind:
    """The kind by this word, in which a blank, an underscore and a hyphen are the same. SimulationError
    if there is none.
    """
    alike = re.sub(r"[\s_-]+", " ", str(word))
    for one, kind in known.items():
        if re.sub(r"[\s_-]+", " ", one) == alike:
            return kind
    raise unknown(what, word, known, few=True)


def state_name(name: str, entered: Iterable[str]) -> str:
    """The name or the type of a state: one of Prefect's, of those that runs have `entered`, or one
    that a flow or a task of this process would make. SimulationError if it is none.
    """
    known = STATES | STATE_TYPES | set(entered)
    if name not in known and not any(name in _texts_in(step.fn) for step in _steps()):
        raise unknown("state", name, known)
    return name


def check_parameters(
    function: Callable[..., Any], what: str, given: Collection[str], *, all_of_them: bool = False
) -> None:
    """Refuse names that a function has no parameter for, and the lack of one that has no default."""
    signature = list(inspect.signature(function).parameters.values())
    _check(signature, what, given, all_of_them=all_of_them)


def check_parameters_of(
    flow: Flow[..., Any], given: Collection[str], *, all_of_them: bool = False
) -> None:
    """The same for a flow. What Prefect binds a method to is none of its parameters."""
    signature = list(inspect.signature(flow.fn).parameters.values())
    bound = flow.ismethod or flow.isclassmethod
    _check(signature[bound:], f"flow {flow.name!r}", given, all_of_them=all_of_them)


def _check(
    signature: list[inspect.Parameter], what: str, given: Collection[str], *, all_of_them: bool
) -> None:
    one = inspect.Parameter
    named = [parameter for parameter in signature if parameter.kind != one.VAR_POSITIONAL]
    if any(parameter.kind == one.VAR_KEYWORD for parameter in named):
        return
    known = [parameter.name for parameter in named]
    for name in given:
        if name not in known:
            raise unknown(f"parameter of {what} named", name, known)
    for parameter in named if all_of_them else ():
        if parameter.default is one.empty and parameter.name not in given:
            raise refused(f"{what} needs its parameter {parameter.name!r}")


def step_name(name: str, known: Mapping[str, bool]) -> str:
    """A name of `step_names`; SimulationError if it is none, or if that step yields."""
    if name not in known:
        raise unknown("flow or task named", name, known)
    if known[name]:
        raise UnsupportedOperation(
            f"{name!r} yields: Prefect runs its code where nothing can be added to it;"
            " give the duration or the fault to a task that it calls instead"
        )
    return name


def flow_name(name: str) -> str:
    """A name of `step_names`, of a flow; SimulationError if it is that of tasks alone."""
    flows = flow_names()
    if name not in flows and steps_named(name):
        raise refused(f"{shown(name)} is a task, no flow{_there_are(flows)}")
    return name


def _there_are(names: Iterable[str]) -> str:
    several = ", ".join(sorted(set(names))[:5])
    return f"; there are {several}" if several else ""


def event_name(name: str, entered: Iterable[str] = ()) -> str:
    """The name of an event, or a pattern. SimulationError for one of Prefect's that nothing emits: it
    would be that of a state which is none, or nearly that of a kind of things. Runs enter Prefect's
    states, those that they have `entered`, and any that a flow or a task of this process would make. A
    type of states ("COMPLETED") in its code is taken for what it is.
    """
    prefix, *parts = name.split(".")
    if prefix != "prefect" or len(parts) < 2:
        return name
    about, what = parts[0], ".".join(parts[1:])
    if about not in _ABOUT and "*" not in about:
        if difflib.get_close_matches(about.lower(), _ABOUT, n=1, cutoff=0.8):
            raise unknown("event", name, [f"prefect.{one}.{what}" for one in _ABOUT])
    elif about in _OF_RUNS:
        known = {*STATES, *entered, *_OF_RUNS[about]}
        if not is_one_of(what, known) and not any(
            is_one_of(what, _texts_in(step.fn) - STATE_TYPES) for step in _steps()
        ):
            raise unknown("event", name, [f"prefect.{about}.{one}" for one in known])
    return name


def is_one_of(pattern: str, known: Iterable[str]) -> bool:
    """Whether a name is known, or one that is known begins as what stands before its "*"."""
    before, star, _ = pattern.partition("*")
    return any(one.startswith(before) if star else one == pattern for one in known)


_OF_RUNS = {
    "flow-run": ("heartbeat", "pull-step.executed", "pull-step.failed"),
    "task-run": (),
}
"""What happens to runs beside the states that they enter."""

_ABOUT = (*_OF_RUNS, "deployment", "work-pool", "work-queue", "worker", "automation")
"""What most of Prefect's events are about. Its collections have others."""


def step_names() -> dict[str, bool]:
    """The names of all flows and tasks that exist in this process, and which of them yield."""
    return {step.name: step.isgenerator for step in _steps()}


def flow_names() -> set[str]:
    """The names of all flows that exist in this process."""
    from prefect import Flow

    return {step.name for step in _steps() if isinstance(step, Flow)}


def steps_named(name: str) -> list[Any]:
    """The flows and tasks of this name that exist in this process."""
    return [step for step in _steps() if step.name == name]


def _steps() -> list[Any]:
    """All flows and tasks that exist in this process."""
    from prefect import Flow, Task

    kinds = {Flow, Task, *_subclasses(Flow), *_subclasses(Task)}
    # Who refers to a class: its instances do. (`gc.get_objects` would hand out half-made tuples of
    # other threads, and break them.)
    return [thing for thing in gc.get_referrers(*kinds) if type(thing) in kinds]


def _subclasses(kind: type) -> Iterator[type]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _texts_in(function: Any) -> set[str]:
    """The texts that stand in a function's code, and in the functions inside it."""
    codes = [code for code in [getattr(function, "__code__", None)] if code is not None]
    texts: set[str] = set()
    while codes:
        for constant in codes.pop().co_consts:
            if isinstance(constant, CodeType):
                codes.append(constant)
            elif isinstance(constant, str):
                texts.add(constant)
    return texts
