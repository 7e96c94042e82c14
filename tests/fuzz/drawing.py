"""Draws programs from the grammar, with Hypothesis: the same seed, the same program."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests.drawn import drawn
from tests.fuzz import grammar
from tests.fuzz.tree import KINDS, STANDS_IN, Node

DEPTH = 3
"""How deeply statements may stand in one another."""

WIDTH = 3
"""How many statements may stand in a row."""

WITHOUT = 9
"""Programs without deployments for each that may have some: a worker's processes take ten times as long."""


@cache
def program(seed: int) -> Node:
    """The program of a seed."""
    return drawn(_programs(), seed)


@cache
def _programs() -> st.SearchStrategy[Node]:
    return st.tuples(st.sampled_from(grammar.MAINS), st.sampled_from(range(WITHOUT + 1))).flatmap(
        lambda drawn: _statement(drawn[0], DEPTH, drawn[1] == WITHOUT)
    )


@cache
def _statement(name: str, depth: int, deploying: bool) -> st.SearchStrategy[Node]:
    kind = KINDS[name]
    given = st.fixed_dictionaries(dict(kind.draws)).map(lambda drawn: tuple(drawn.items()))
    held: st.SearchStrategy[Any] = st.just(())
    if kind.holds:
        held = _statements(kind.holds, depth - 1, deploying)
    return st.builds(Node, st.just(name), given, held)


@cache
def _statements(where: str, depth: int, deploying: bool) -> st.SearchStrategy[tuple[Node, ...]]:
    names = [
        kind.name
        for kind in KINDS.values()
        if kind.where in STANDS_IN[where]
        and (depth > 0 or not kind.holds)
        and (deploying or not kind.deploys)
    ]
    # What holds others comes as often as all else together: else most programs were flat lists.
    deep = [name for name in names if KINDS[name].holds]
    flat = [name for name in names if not KINDS[name].holds]
    drawn = st.sampled_from(flat)
    if deep:
        drawn = st.booleans().flatmap(lambda yes: st.sampled_from(deep if yes else flat))
    statement = drawn.flatmap(lambda name: _statement(name, depth, deploying))
    return st.lists(statement, min_size=1, max_size=WIDTH).map(tuple)
