"""One question, variants side by side under one seed, verdicts; and running them in processes.

`definition.py` says what a scenario is, `files.py` finds them, `variant.py` runs one variant and judges
it, `runner.py` runs them all and tells what happens as one stream of events. It may import `simulation`
and `history`.
"""

from simulator.scenarios.broken import explain, explained
from simulator.scenarios.databases import DATABASES, kept_databases
from simulator.scenarios.definition import Scenario, scenario
from simulator.scenarios.elsewhere import run_elsewhere
from simulator.scenarios.files import (
    HOW_TO_WRITE_ONE,
    load,
    looks_like_scenarios,
    scenario_files,
    select,
)
from simulator.scenarios.forks import (
    cores_for,
    default_jobs,
    start,
    start_method,
)
from simulator.scenarios.keeping import keep
from simulator.scenarios.process import GRACE_SECONDS, settle
from simulator.scenarios.runner import (
    Event,
    Finished,
    Moved,
    Started,
    Warned,
    prepare,
    run_scenarios,
)
from simulator.scenarios.variant import check_days, run_variant
from simulator.scenarios.verdict import VariantResult, Verdict, verdict_of

__all__ = [
    "DATABASES",
    "GRACE_SECONDS",
    "HOW_TO_WRITE_ONE",
    "Event",
    "Finished",
    "Moved",
    "Scenario",
    "Started",
    "VariantResult",
    "Verdict",
    "Warned",
    "check_days",
    "cores_for",
    "default_jobs",
    "explain",
    "explained",
    "keep",
    "kept_databases",
    "load",
    "looks_like_scenarios",
    "prepare",
    "run_elsewhere",
    "run_scenarios",
    "run_variant",
    "scenario",
    "scenario_files",
    "select",
    "settle",
    "start",
    "start_method",
    "verdict_of",
]
