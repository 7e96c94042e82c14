"""What differs between two histories, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from simulator.history import Difference

SHOWN = 3
"""How many differences of one kind are shown of one variant; the others are counted."""


def difference_lines(
    found: Sequence[Difference], before: str, after: str, *, every: bool = False
) -> list[str]:
    """Lines about differences, grouped by kind, each with the run that shows it.

    `before` and `after` name the two sides. Of many of one kind in a variant the first few are shown,
    unless `every` one is asked for.
    """
    lines = []
    for kind, alike in groupby(found, key=lambda one: one.kind):
        of_kind = list(alike)
        lines += ["", f"{kind} ({len(of_kind)})"]
        for shown, left_out in few_of_each_variant(of_kind, every=every):
            for one in shown:
                lines.append(f"  {_place(one)}")
                lines.append(f"      {before}: {one.before}")
                lines.append(f"      {after}: {one.after}")
            if left_out:
                lines.append(f"  and {left_out} more of {shown[0].scenario} [{shown[0].variant}]")
    return lines


def few_lines(found: Sequence[Difference], before: str, after: str) -> str:
    """The first few differences of each kind of one variant, as text of some lines."""
    lines = []
    for kind, alike in groupby(found, key=lambda one: one.kind):
        for shown, left_out in few_of_each_variant(list(alike)):
            for one in shown:
                of = f" ({one.where})" if one.where else ""
                lines.append(f"{kind}{of}: {before}: {one.before}; {after}: {one.after}")
            if left_out:
                lines.append(f"and {left_out} more of this kind")
    return "\n".join(lines)


def few_of_each_variant(
    alike: Sequence[Difference], *, every: bool = False
) -> Iterator[tuple[list[Difference], int]]:
    """The first few of each kind of each variant, and how many are left out."""
    for _, group in groupby(alike, key=lambda one: (one.kind, one.scenario, one.variant)):
        all_of_it = list(group)
        shown = all_of_it if every else all_of_it[:SHOWN]
        yield shown, len(all_of_it) - len(shown)


def counted(found: Sequence[Difference]) -> str:
    """How many there are."""
    return f"{len(found)} difference{'s' * (len(found) != 1)}" if found else "no difference"


def _place(one: Difference) -> str:
    return f"{one.scenario} [{one.variant}]" + (f": {one.where}" if one.where else "")
