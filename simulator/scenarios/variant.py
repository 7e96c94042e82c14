"""One variant of a scenario, in a fresh Simulation: it acts, what must hold is judged, and measured."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from simulator.caveats import Caveat
from simulator.errors import SimulationError
from simulator.scenarios.broken import Explanation, explain, explained
from simulator.scenarios.definition import Scenario
from simulator.scenarios.verdict import VariantResult, Verdict, verdict_of

if TYPE_CHECKING:
    from simulator.history.measures import Measure
    from simulator.simulation import Simulation


def run_variant(
    scenario: Scenario,
    variant: str,
    seed: int = 0,
    days: int | None = None,
    *,
    stall_limit: float = 60.0,
    opened: Callable[[Simulation], None] | None = None,
    tables: bool = False,
    done: Callable[[Simulation], None] | None = None,
) -> VariantResult:
    """Run one variant in a fresh Simulation, and judge it.

    Args:
        scenario: what to run.
        variant: the name of one of its variants.
        seed: the same seed for every variant makes them comparable.
        days: virtual days; the scenario's own number if None.
        stall_limit: real seconds without progress after which the simulation gives up.
        opened: called with the open simulation before the scenario gets it, to watch it.
        tables: whether the result is to hold the tables of the simulation's warehouse.
        done: called with the simulation before it is closed, to keep what goes with it.

    Returns:
        The result; a failed expectation or a crash of the scenario is part of it, not raised.

    Raises:
        SimulationError: if there is no such variant, or days is not positive.
        KeyboardInterrupt: as ever.
    """
    from simulator.simulation import Simulation  # slow: it brings Prefect's server and dbt

    scenario.check_variant(variant)
    days = scenario.days if days is None else days
    check_days(days)
    outcome: dict[str, Any] = {}
    began = time.perf_counter()
    try:
        with Simulation(
            start=scenario.start, seed=seed, stall_limit=stall_limit, modules=scenario.modules
        ) as sim:
            if opened is not None:
                opened(sim)
            given = {"sim": sim, "variant": scenario.variants[variant], "days": days, "seed": seed}
            outcome = _live(scenario, variant, sim, given)
            if tables:
                outcome["tables"] = _tables(sim)
            outcome["caveats"] = sim.caveats + tuple(
                Caveat("silent fault", text) for text in sim.silent_faults
            )
            if done is not None:
                done(sim)
    except KeyboardInterrupt:
        raise
    except BaseException as broken:
        outcome = _crash(explain(broken)) | outcome
    return VariantResult(
        scenario=scenario.name,
        variant=variant,
        seed=seed,
        days=days,
        real_seconds=time.perf_counter() - began,
        **outcome,
    )


def check_days(days: int) -> None:
    """Raise SimulationError unless days is a positive number."""
    if days < 1:
        raise SimulationError(f"days ({days}) must be at least 1")


def _live(
    scenario: Scenario, variant: str, sim: Simulation, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Act, check, measure. What came out, as fields of a VariantResult."""
    outcome: dict[str, Any] = {}
    try:
        _call(scenario.act, given)
        outcome["verdicts"] = tuple(
            _judge(expectation.name, expectation.check, given)
            for expectation in scenario.expectations
            if variant in expectation.variants
        ) + tuple(map(verdict_of, sim.promises()))
    except KeyboardInterrupt:
        raise
    except BaseException as broken:
        outcome |= _crash(explain(broken))
    try:
        # Also after a crash: what happened until then is worth keeping.
        _measure(scenario, sim, given, outcome)
    except KeyboardInterrupt:
        raise
    except BaseException as broken:
        outcome = _crash(explain(broken)) | outcome
    return outcome


def _measure(
    scenario: Scenario, sim: Simulation, given: Mapping[str, Any], outcome: dict[str, Any]
) -> None:
    """Add the history and the measures to what came out, the scenario's own after a good end only.
    One of these that breaks is a verdict.
    """
    from simulator.history.measures import Measure, default_measures

    outcome["history"] = sim.history()
    outcome["history"].read_logs()  # the database is gone when they are written down
    outcome["measures"] = tuple(default_measures(outcome["history"]))
    for read in scenario.own_measures if "error" not in outcome else ():
        own: list[Measure] = []

        def keep(returned: Measure | Iterable[Measure], own: list[Measure] = own) -> None:
            own.extend([returned] if isinstance(returned, Measure) else returned)

        verdict = _judge(f"measure {read.__name__!r}", read, given, keep)
        outcome["measures"] += tuple(own)
        if not verdict.passed:
            outcome["verdicts"] += (verdict,)


def _tables(sim: Simulation) -> dict[str, list[dict[str, Any]]]:
    """All that stands in the warehouse, by "schema.table"."""
    if not sim.warehouse.path.exists():
        return {}
    names = sim.warehouse.query(
        "select schema_name, table_name from duckdb_tables() where not temporary order by all"
    )
    return {
        f"{schema}.{name}": sim.warehouse.rows(f'from "{schema}"."{name}"')
        for schema, name in names
    }


def _judge(
    name: str,
    check: Callable[..., Any],
    given: Mapping[str, Any],
    keep: Callable[[Any], None] | None = None,
) -> Verdict:
    """The verdict of one function, whatever it raises; what it returns is given to `keep`."""
    try:
        returned = _call(check, given)
        if keep is not None:
            keep(returned)
    except KeyboardInterrupt:
        raise
    except BaseException as broken:  # pytest.fail() raises a BaseException
        why = explain(broken)
        return Verdict(
            name,
            passed=False,
            message=why.message,
            where=why.where,
            runs=tuple(map(repr, why.runs)),
            explained=explained(given["sim"], why.runs),
        )
    return Verdict(name, passed=True)


def _crash(why: Explanation) -> dict[str, str]:
    """The fields of a VariantResult that tell of a crash."""
    line = " ".join(why.message.split())
    return {
        "error": f"{line} ({why.where})" if why.where else line,
        "traceback": why.traceback,
    }


def _call(function: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    """Call it with those of the given things that it asks for."""
    return function(**{name: given[name] for name in inspect.signature(function).parameters})
