"""A graph of flows that users declare: a template, a name, a cadence, and what it needs.

One line a flow, under the template that it is made of::

    etl:
      - {name: shop-orders, cadence: hourly}
      - {name: exchange-rates, cadence: daily}
    mart:
      - {name: order-values, cadence: hourly, upstream: [shop-orders, exchange-rates]}

A flow without `upstream` reads sources; every other one reads what the flows it names have built.
`Graph` refuses names that are unknown or declared twice, flows that need themselves, and circles.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import yaml

TEMPLATES = ("etl", "mart")
"""What flows are made of: an `etl` lands data, a `mart` is built out of what it needs."""

CADENCES = {"hourly": "0 * * * *", "daily": "0 0 * * *"}
"""Each cadence and its cron, in UTC: a daily flow belongs to the cycle of midnight."""


class GraphError(ValueError):
    """A declared graph cannot run. The message has one line for each thing that is wrong."""


@dataclass(frozen=True)
class DeclaredFlow:
    """One flow as a user declares it."""

    name: str
    template: str
    cadence: str
    upstream: tuple[str, ...] = ()


class Graph:
    """Declared flows, each of them after all that it needs. Raises `GraphError` if that cannot be."""

    def __init__(self, declared: Iterable[DeclaredFlow]) -> None:
        declared = list(declared)
        if wrong := problems(declared):
            raise GraphError("\n".join(wrong))
        self.by_name = {flow.name: flow for flow in declared}
        order = TopologicalSorter({flow.name: flow.upstream for flow in declared}).static_order()
        self.flows = tuple(self.by_name[name] for name in order)

    def downstream_of(self, name: str) -> set[str]:
        """The names of all flows that need this one, directly or not."""
        found: set[str] = set()
        for flow in self.flows:  # upstream comes first
            if {name, *found} & {*flow.upstream}:
                found.add(flow.name)
        return found


def read_graph(declaration: Path | str) -> Graph:
    """The graph in a YAML file, or in a text. Raises `GraphError` with one line for each mistake."""
    text = declaration.read_text() if isinstance(declaration, Path) else declaration
    try:
        templates = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise GraphError(f"no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(templates, dict):
        raise GraphError("a graph is declared as lists of flows under the names of templates")
    flows, wrong = [], []
    for template, entries in templates.items():
        for entry in entries or ():
            try:
                flows.append(_declared(template, **entry))
            except TypeError:
                wrong.append(
                    f"{entry!r} under {template!r} must have 'name' and 'cadence', may have "
                    "'upstream' with a list of names, and nothing else"
                )
    if wrong := wrong + problems(flows):
        raise GraphError("\n".join(wrong))
    return Graph(flows)


def _declared(
    template: str, *, name: str, cadence: str, upstream: Iterable[str] = ()
) -> DeclaredFlow:
    if isinstance(upstream, str):
        raise TypeError
    return DeclaredFlow(name, template, cadence, tuple(upstream))


def problems(declared: list[DeclaredFlow]) -> list[str]:
    """What is wrong with a declaration, in lines; none if it can run."""
    names = Counter(flow.name for flow in declared)
    wrong = [f"flow {name!r} is declared {n} times" for name, n in names.items() if n > 1]
    for flow in declared:
        if flow.template not in TEMPLATES:
            known = " or ".join(map(repr, TEMPLATES))
            wrong.append(f"flow {flow.name!r} is made of {flow.template!r}: a template is {known}")
        if flow.cadence not in CADENCES:
            known = " or ".join(map(repr, CADENCES))
            wrong.append(f"flow {flow.name!r} runs {flow.cadence!r}: a cadence is {known}")
        for needed in flow.upstream:
            if needed == flow.name:
                wrong.append(f"flow {flow.name!r} needs itself")
            elif needed not in names:
                near = get_close_matches(needed, names, n=1, cutoff=0.5)
                hint = f": did you mean {near[0]!r}?" if near else ""
                wrong.append(f"flow {flow.name!r} needs {needed!r}, which nobody declares{hint}")
    return wrong + [
        f"flows need each other in a circle: {' -> '.join(c)}" for c in _circles(declared)
    ]


def _circles(declared: Iterable[DeclaredFlow]) -> Iterable[list[str]]:
    """Circles of two flows or more, each written from a flow to one that needs it."""
    needs: dict[str, set[str]] = {}
    for flow in declared:
        needs.setdefault(flow.name, set()).update({*flow.upstream} - {flow.name})
    while True:
        try:
            TopologicalSorter(needs).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1]
            yield circle
            needs[circle[1]] -= {circle[0]}  # open it, and look for the next
        else:
            return


# --- cycles ---------------------------------------------------------------------------------------


def cycle_at(instant: datetime, cadence: str) -> datetime:
    """The cycle of a cadence that an instant lies in: its full hour, or its midnight."""
    hour = instant.replace(minute=0, second=0, microsecond=0)
    return hour.replace(hour=0) if cadence == "daily" else hour


def is_due(cadence: str, cycle: datetime) -> bool:
    """Whether flows of a cadence run in the cycle that begins at this full hour."""
    return cycle_at(cycle, cadence) == cycle
