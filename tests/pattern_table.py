"""Writes docs/patterns.md from what the scenarios say of themselves: `python -m tests.pattern_table`.

Which scenario shows a pattern, what it asks and what it teaches is its own; which pipelines it runs
is read from its imports. Only the names of the patterns stand here: P of flows of flows, R of recovery.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from simulator.scenario import Scenario
from simulator.scenarios.files import load

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "patterns.md"

PATTERNS = {
    "P01": "A parent with backfill parameters",
    "P02": "A failing subflow, called plainly",
    "P03": "A failing subflow with `return_state=True`",
    "P04": "Orchestration by deployments, checked and unchecked",
    "P05": "A data platform's parent over six deployments",
    "P06": "Fire and forget",
    "P07": "Subflow or deployment",
    "P08": "Automations that react to another run's state",
    "P09": "Waiting for a child's end, with its log",
    "P10": "Hourly A and C, daily B, one hourly parent",
    "P11": "The same with A and B in parallel",
    "P12": "B on a schedule of its own, checked by the parent",
    "P13": "A downstream that waits for its upstream",
    "P14": "Many to many, from one declared graph",
    "P15": "Synchronised crons",
    "P16": "Subflows in submitted tasks",
    "P17": "An async parent with `gather` and task groups",
    "P18": "`run_deployment` fanned out through tasks",
    "P19": "At most ten at a time",
    "P20": "A shared file, guarded",
    "P21": "Slow nesting",
    "P22": "A monorepo of sources and dbt",
    "P23": "Two crons five minutes apart",
    "P24": "Triggered chaining",
    "P25": "A deployment factory with work-queue limits",
    "R01": "Catching up after a worker was away",
    "R02": "Retries with and without jitter",
    "R03": "A dead worker's Pending run that holds the only slot",
    "R04": "A dead man's switch for a silent schedule",
    "R05": "Kept results against a parent's retry",
    "R06": "A circuit breaker around a partner that is down",
    "R07": "Heartbeats, and an automation that takes silence for death",
    "R08": "A deployment's limit that keeps others waiting",
    "R09": "A new release in the middle of a run",
    "R10": "Cleaning up by `finally`, hook, parent or automation",
    "R11": "Filling a gap in its order while the schedule goes on",
}

SHARED = {"warehouse", "products_api", "graph", "shapes"}
"""Modules of `pipelines` that hold what pipelines share, and no pipeline of their own."""

HEAD = """\
# From a question to the scenario, and from a pattern to what it teaches

Written by `python -m tests.pattern_table` from what the scenarios say of themselves; a test keeps it
equal to them. Run one with `.venv/bin/simulate run NAME`, several with several names, all of them
with `make simulate`. Each prints its variants side by side, what held for each, and the measures.
"""


def page(scenarios: Iterable[Scenario]) -> str:
    """The page about these scenarios, as Markdown."""
    ordered = sorted(scenarios, key=lambda scenario: (scenario.patterns, scenario.name))
    questions = [f"| {one.question} | [`{one.name}`]({_link(one.file)}) |" for one in ordered]
    lessons = [
        f"| **{number}** {title} | {_pipelines(one)} | [`{one.name}`]({_link(one.file)}) "
        f"| {' '.join(one.lesson.split())} |"
        for number, title in PATTERNS.items()
        for one in ordered
        if number in one.patterns
    ]
    return "\n".join(
        [
            HEAD,
            "## You ask\n",
            "| question | scenario |\n|---|---|",
            *questions,
            "\n## The catalogue\n",
            "| pattern | pipeline | scenario | what it teaches |\n|---|---|---|---|",
            *lessons,
            "",
        ]
    )


def pipelines_of(scenario: Scenario) -> list[str]:
    """The modules of `pipelines` that a scenario runs, by name, without those that are shared."""
    return sorted({*_imported(scenario.file)} - SHARED)


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "pipelines":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipelines."):
            yield str(node.module).split(".")[1]


def _pipelines(scenario: Scenario) -> str:
    return ", ".join(f"[`{name}`](../pipelines/{name}.py)" for name in pipelines_of(scenario))


def _link(file: Path) -> str:
    return f"../scenarios/{file.name}"


if __name__ == "__main__":
    PAGE.write_text(page(load(ROOT / "scenarios")))
