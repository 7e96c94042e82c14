"""Declares what the arguments of a public call may be, beside the call itself.

    @checked(one_of("by", "days"), by=optional(span()), days=number(least=0, unit="days"))
    def advance(self, by=None, *, days=0): ...

A call is refused before it does anything. Only what is given is looked at: defaults are right.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from simulator.arguments.kinds import Kind, refused, shown

P = ParamSpec("P")
T = TypeVar("T")

Rule = Callable[[Mapping[str, Any]], None]
"""What must hold between the arguments that were given, by name. Raises SimulationError."""


def checked(*rules: Rule, **arguments: Kind) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let a call take what its arguments' kinds make of what is given, and nothing else.

    The kind of a `**mapping` holds for each of its values. Wrong names are Python's own TypeError.
    """

    def declare(function: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(function)
        unheard = set(arguments) - set(signature.parameters)
        assert not unheard, f"{function.__qualname__} takes no {unheard}"

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            __tracebackhide__ = True
            bound = signature.bind(*args, **kwargs)
            for name, given in bound.arguments.items():
                if (kind := arguments.get(name)) is None:
                    continue
                if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
                    bound.arguments[name] = {key: kind(key, one) for key, one in given.items()}
                else:
                    bound.arguments[name] = kind(name, given)
            for rule in rules:
                rule(bound.arguments)
            return function(*bound.args, **bound.kwargs)

        call.__dict__["_declared"] = arguments
        return call

    return declare


def declared(call: Callable[..., Any]) -> Mapping[str, Kind]:
    """The kinds that have been declared for the arguments of a call."""
    found: Mapping[str, Kind] = getattr(call, "_declared", {})
    return found


def some(name: str) -> Rule:
    """It is given once at least."""

    def rule(given: Mapping[str, Any]) -> None:
        if not given.get(name):
            raise refused(f"{name}: give one or more")

    return rule


def needs(name: str, *others: str) -> Rule:
    """It says something only beside one of the others."""

    def rule(given: Mapping[str, Any]) -> None:
        alone = all(given.get(other) is None for other in others)
        if given.get(name) is not None and alone:
            *most, last = others
            listed = f"{', '.join(most)} or {last}" if most else last
            raise refused(f"{name}={shown(given[name])} says something about {listed}: give one")

    return rule


def one_of(*ways: str | tuple[str, ...]) -> Rule:
    """At most one of these says it: two would be two ways to say one thing. A tuple of names is one
    way, together.
    """

    def rule(given: Mapping[str, Any]) -> None:
        names = [(way,) if isinstance(way, str) else way for way in ways]
        said = [[name for name in way if given.get(name) is not None] for way in names]
        both = [f"{way[0]}=" for way in said if way]
        if len(both) > 1:
            raise refused(f"{' and '.join(both)} say the same thing: give one of them")

    return rule
