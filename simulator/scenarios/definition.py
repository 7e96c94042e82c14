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
and `seed`. `simulate` and `pytest` run the same functions, as `simulator.scenarios.variant` has it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from simulator.errors import SimulationError
from simulator.scenarios.broken import nearest

if TYPE_CHECKING:
    from simulator.history.measures import Measure

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
