"""A scenario: one question, variants side by side under the same seed, and what must hold.

    @scenario(
        name="random-child-failure",
        question="Does a parent notice that a child failed?",
        lesson="Only if the child's state is looked at.",
        patterns=("P02", "P03"),
        variants={"plain subflow": plain_parent, "return_state=True": careless_parent},
    )
    def random_child_failure(sim, variant, days):
        sim.deploy(variant, name="dev", cron="0 * * * *")
        sim.fail("child", probability=0.5)
        sim.advance(days=days)

    @random_child_failure.expect("plain subflow")
    def a_failed_child_fails_its_parent(sim):
        for run in sim.runs("parent"):
            assert run.state == "Failed" or run.children[0].state == "Completed", run

Every function asks for what it needs by name: `sim`, `variant` (the value, not its name), `days`
and `seed`. `simulate` and `pytest` run the same functions, each variant in a fresh Simulation.
"""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from simulator.errors import SimulationError
from simulator.scenarios.broken import Explanation, explain, explained, nearest
from simulator.scenarios.verdict import VariantResult, Verdict

if TYPE_CHECKING:
    from simulator.history.measures import Measure
    from simulator.promises import Outcome
    from simulator.simulation import Simulation

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])

DEFAULT_START = "2026-01-01T00:00:00Z"
ARGUMENTS = ("sim", "variant", "days", "seed")
"""What a scenario's functions may ask for, by name."""

REGISTRY = "__scenarios__"
"""The name in a module under which its scenarios are listed, in the order of the file."""


@dataclass(frozen=True)
class Expectation:
    """A sentence that must hold at the end of some variants: a function of assert statements."""

    name: str
    check: Callable[..., None]
    variants: tuple[str, ...]


@dataclass(eq=False)
class Scenario:
    """One question, the variants that are compared, and what must hold for each of them.

    Made by `scenario(...)`. `days` is how long each variant lives in virtual time unless the
    caller says otherwise; `file` and `line` are where it was defined.
    """

    name: str
    question: str
    lesson: str
    patterns: tuple[str, ...]
    days: int
    start: datetime | str
    modules: Literal["fresh", "shared"]
    variants: Mapping[str, Any]
    act: Callable[..., None]
    file: Path
    line: int
    expectations: list[Expectation] = field(default_factory=list)
    own_measures: list[Callable[..., Measure | Iterable[Measure]]] = field(default_factory=list)

    def expect(self, *variants: str) -> Callable[[AnyFunction], AnyFunction]:
        """Register the decorated function as an expectation of these variants (none: of all)."""
        for variant in variants:
            if not isinstance(variant, str):
                raise SimulationError(
                    f"expect of scenario {self.name!r} takes names of variants, not {variant!r}: "
                    "write @....expect()"
                )
            self.check_variant(variant)

        def register(check: AnyFunction) -> AnyFunction:
            _check_arguments(check, f"expectation {check.__name__!r} of scenario {self.name!r}")
            sentence = check.__name__.replace("_", " ").strip()
            self.expectations.append(Expectation(sentence, check, variants or tuple(self.variants)))
            return check

        return register

    def measure(self, read: AnyFunction) -> AnyFunction:
        """Register the decorated function: it returns one Measure or several beyond the default."""
        _check_arguments(read, f"measure {read.__name__!r} of scenario {self.name!r}")
        self.own_measures.append(read)
        return read

    def check_variant(self, variant: str) -> None:
        """Raise SimulationError unless there is a variant of that name."""
        if variant not in self.variants:
            near = nearest(variant, self.variants)
            raise SimulationError(f"scenario {self.name!r} has no variant {variant!r}{near}")

    def the_variant(self, asked: str | None) -> str:
        """The variant that is asked for, or the only one. Raises SimulationError if it is not there, or
        if none is asked for of several.
        """
        if asked is not None:
            self.check_variant(asked)
            return asked
        if len(self.variants) > 1:
            names = ", ".join(map(repr, self.variants))
            raise SimulationError(f"scenario {self.name!r} has several variants: --variant {names}")
        [only] = self.variants
        return only


def scenario(
    *,
    name: str,
    question: str,
    lesson: str = "",
    patterns: Iterable[str] = (),
    days: int = 1,
    start: datetime | str = DEFAULT_START,
    modules: Literal["fresh", "shared"] = "fresh",
    variants: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., None]], Scenario]:
    """Make a Scenario of the decorated function, which arranges and acts: deploys, fails, advances.

    Args:
        name: kebab-case, unique among the scenarios that are run together.
        question: what the scenario answers, as a sentence.
        lesson: what it shows, as a sentence or more.
        patterns: entries of the catalogue that it holds, such as ("P02", "P03").
        days: how many virtual days each variant lives by default.
        start: the virtual instant at which each variant begins, with its UTC offset.
        modules: "fresh", so that each run imports the modules of the project anew, as the process of a
            real worker does; "shared" if runs must see what the scenario has in its own, such as a
            list that they append to, and may see what other runs have left there.
        variants: name of the variant to the value that the functions receive as `variant`.
            Without any, there is one variant, "default", with the value None.

    Raises:
        SimulationError: if one of these cannot be what it should be.
    """
    patterns = tuple(patterns)
    variants = {"default": None} if variants is None else dict(variants)
    _check_definition(name, patterns, days, start, modules, variants)

    def define(act: Callable[..., None]) -> Scenario:
        _check_arguments(act, f"scenario {name!r}")
        code = inspect.unwrap(act).__code__
        defined = Scenario(
            name=name,
            question=question,
            lesson=lesson,
            patterns=patterns,
            days=days,
            start=start,
            modules=modules,
            variants=variants,
            act=act,
            file=Path(code.co_filename),
            line=code.co_firstlineno,
        )
        inspect.unwrap(act).__globals__.setdefault(REGISTRY, []).append(defined)
        return defined

    return define


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
            outcome["caveats"] = sim.caveats
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
        ) + tuple(map(_of_promise, sim.promises()))
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


def _of_promise(outcome: Outcome) -> Verdict:
    """The verdict of a promise that the scenario has made."""
    runs = tuple(map(repr, outcome.runs))
    return Verdict(
        outcome.name, outcome.kept, message=outcome.said, runs=runs, explained=outcome.explained
    )


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


def _check_arguments(function: Callable[..., Any], what: str) -> None:
    for name in inspect.signature(function).parameters:
        if name not in ARGUMENTS:
            raise SimulationError(f"{what} asks for {name!r}; it may ask for {_listed(ARGUMENTS)}")


def _check_definition(
    name: str,
    patterns: tuple[str, ...],
    days: int,
    start: datetime | str,
    modules: str,
    variants: Mapping[str, Any],
) -> None:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise SimulationError(f"name of a scenario must be kebab-case, not {name!r}")
    for pattern in patterns:
        if not re.fullmatch(r"[PR]\d\d", pattern):
            raise SimulationError(
                f"patterns of scenario {name!r} must look like 'P02' or 'R02', not {pattern!r}"
            )
    if type(days) is not int or days < 1:
        raise SimulationError(
            f"days of scenario {name!r} must be a whole number from 1, not {days!r}"
        )
    try:
        instant = datetime.fromisoformat(start) if isinstance(start, str) else start
    except ValueError:
        raise SimulationError(f"start of scenario {name!r} is no instant: {start!r}") from None
    if instant.tzinfo is None:
        raise SimulationError(f"start of scenario {name!r} has no time zone: {start!r}")
    if modules not in ("fresh", "shared"):
        raise SimulationError(
            f"modules of scenario {name!r} must be 'fresh' or 'shared', not {modules!r}"
        )
    if not variants:
        raise SimulationError(f"scenario {name!r} has no variants")
    for variant in variants:
        if not variant.strip() or re.search(r"[\[\]\n]|::", variant):
            raise SimulationError(
                f"variant {variant!r} of scenario {name!r} must be a name without '[', ']' and '::'"
            )


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
