"""What users may pass, and how they are told that something else was given.

`calls` declares the arguments of each public call, `kinds` says of one value what it may be, `names`
looks for flows, tasks and what else goes by a name. Every refusal is a SimulationError in one line:
the argument, the value, what would be right. To begin with, open `calls`.
"""

from simulator.arguments import calls, kinds
from simulator.arguments.checking import checked, declared, needs, one_of
from simulator.arguments.kinds import instant, refused, shown
from simulator.arguments.names import (
    STATES,
    check_parameters,
    check_parameters_of,
    event_name,
    flow_name,
    flow_names,
    is_one_of,
    kind_named,
    near,
    state_name,
    step_name,
    step_names,
    steps_named,
    unknown,
)

__all__ = [
    "STATES",
    "calls",
    "check_parameters",
    "check_parameters_of",
    "checked",
    "declared",
    "event_name",
    "flow_name",
    "flow_names",
    "instant",
    "is_one_of",
    "kind_named",
    "kinds",
    "near",
    "needs",
    "one_of",
    "refused",
    "shown",
    "state_name",
    "step_name",
    "step_names",
    "steps_named",
    "unknown",
]
