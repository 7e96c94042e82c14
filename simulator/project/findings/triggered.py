"""What the triggers of a project say about its design: names that never match, and what has no end."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator import arguments
from simulator.errors import SimulationError
from simulator.project.findings.finding import Finding
from simulator.stubs import TEXT

ID, NAME, ROLE = "prefect.resource.id", "prefect.resource.name", "prefect.resource.role"

IN_ORDER = ("Pending", "Running", "Completed")
"""The states that a run enters if all goes well."""


@dataclass(frozen=True)
class Automated:
    """An automation: its name, its trigger (of Prefect's client), and the deployments that it starts."""

    name: str
    trigger: Any
    starts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Names:
    """What triggers may name: `flows`, `deployments` ("flow/deployment", or "*/deployment" where nobody
    knows the flow), and `states` of runs.
    """

    flows: Collection[str]
    deployments: Collection[str]
    states: Collection[str] = field(default=arguments.STATES)


def triggered(
    automations: Iterable[Automated], names: Names, places: Mapping[str, str]
) -> Iterator[Finding]:
    """The findings of automations; `places` has the "file:line" of deployments that are declared."""
    leads: dict[str, set[str]] = {}
    for one in automations:
        subject = one.starts[0] if one.starts else one.name
        wrong = [
            wrong
            for trigger in _events_of(one.trigger)
            for wrong in (*_unknown_events(trigger, names), *_unknown_resources(trigger, names))
        ]
        for said in dict.fromkeys(wrong):
            yield Finding(
                "unknown name",
                subject,
                f"the trigger of {subject} waits for what never comes: {said}",
                where=places.get(subject, ""),
            )
        for before in _always_after(one.trigger, names):
            leads.setdefault(before, set()).update(one.starts)
    for ring in _rings(leads):
        way = " -> ".join([*ring, ring[0]])
        yield Finding(
            "endless trigger",
            ring[0],
            f"{way}: each run is the trigger of the next one, and nothing ends that",
            where=places.get(ring[0], ""),
        )


def _events_of(trigger: Any) -> Iterator[Any]:
    """The triggers that wait for events: it, or those that it is made of."""
    for one in getattr(trigger, "triggers", ()):
        yield from _events_of(one)
    if hasattr(trigger, "expect"):
        yield trigger


def _unknown_events(trigger: Any, names: Names) -> Iterator[str]:
    for event in sorted({*trigger.expect, *trigger.after}):
        try:
            if not _is_made_up(event):
                arguments.event_name(event, names.states)
        except SimulationError as wrong:
            yield str(wrong)


def _unknown_resources(trigger: Any, names: Names) -> Iterator[str]:
    for specification in (trigger.match, *_related(trigger)):
        kind = _kind_of(specification)
        known = _known(kind, names.flows, names.deployments)
        for name in _values(specification, NAME) if known else ():
            if not _is_one_of(name, known):
                whole = [one for one in names.deployments if not one.startswith("*/")]
                yield str(arguments.unknown(kind, name, _known(kind, names.flows, whole)))


def _known(kind: str, flows: Collection[str], deployments: Collection[str]) -> set[str]:
    """The names of resources of a kind, as events have them: a deployment's without its flow."""
    if kind == "flow":
        return set(flows)
    if kind == "deployment":
        return {name.partition("/")[2] for name in deployments}
    return set()


def _kind_of(specification: Any) -> str:
    """Of what a resource is that is looked for, by its role or its id; "" if neither says it."""
    for role in _values(specification, ROLE):
        return role
    for resource in _values(specification, ID):
        return resource.removeprefix("prefect.").partition(".")[0]
    return ""


def _related(trigger: Any) -> list[Any]:
    related = trigger.match_related
    return list(related) if isinstance(related, list) else [related]


def _values(specification: Any, label: str) -> list[str]:
    found: Any = dict(specification.items()).get(label) or []
    return [found] if isinstance(found, str) else list(found)


def _is_made_up(name: str) -> bool:
    """Whether nobody needs to know a name: it excludes something, or its value is filled in later."""
    return name.startswith("!") or "{{" in name or TEXT in name


def _is_one_of(name: str, known: Collection[str]) -> bool:
    return _is_made_up(name) or arguments.is_one_of(name, known)


def _always_after(trigger: Any, names: Names) -> Iterator[str]:
    """The deployments of which each run that goes well fires a trigger."""
    expected = [f"prefect.flow-run.{state}" for state in IN_ORDER]
    if not hasattr(trigger, "expect") or trigger.posture != "Reactive" or trigger.threshold != 1:
        return
    if not any(_is_one_of(event, expected) for event in trigger.expect) or trigger.after:
        return
    own, related = dict(trigger.match.items()), _related(trigger)
    if set(own) - {ID} or any(one != "prefect.flow-run.*" for one in _values(trigger.match, ID)):
        return
    for deployment in names.deployments:
        if related and all(_is_of(one, deployment) for one in related):
            yield deployment


def _is_of(specification: Any, deployment: str) -> bool:
    """Whether it asks for the flow of a deployment, for the deployment or for any, and nothing else."""
    if not dict(specification.items()):
        return True
    kind, name = _kind_of(specification), _values(specification, NAME)
    flow, _, own = deployment.partition("/")
    wanted = {"flow": flow, "deployment": own}.get(kind)
    return wanted in name and not set(dict(specification.items())) - {ID, NAME, ROLE}


def _rings(leads: Mapping[str, set[str]]) -> Iterator[tuple[str, ...]]:
    """The ways from a deployment back to it, each once."""
    seen: set[frozenset[str]] = set()

    def go(way: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for following in sorted(leads.get(way[-1], ())):
            if following == way[0] and frozenset(way) not in seen:
                seen.add(frozenset(way))
                yield way
            elif following not in way:
                yield from go((*way, following))

    for first in sorted(leads):
        yield from go((first,))
