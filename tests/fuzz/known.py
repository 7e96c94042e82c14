"""Differences that are known, each with the construct that shows it and the reason why it stays."""

from __future__ import annotations

from dataclasses import dataclass

from tests.fuzz.tree import Node


@dataclass(frozen=True)
class Known:
    """What goes otherwise in programs with a construct, and why it is not mended."""

    construct: str
    reason: str


KNOWN: list[Known] = []


def known_in(program: Node) -> list[str]:
    """The constructs of a program that are listed here."""
    kinds = {node.kind for node in program.nodes()}
    return [one.construct for one in KNOWN if one.construct in kinds]
