"""How every command answers: as JSON or for people, quiet or verbose, and what excludes what."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.errors import SimulationError

if TYPE_CHECKING:
    from simulator.history import Key, Outcome
    from simulator.scenarios import VariantResult

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Say nothing but warnings: the exit code says the rest."),
]

Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")]


def exclusive(**given: object) -> None:
    """Refuse options that cannot go together, by their names; what is false or None is not given."""
    together = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if len(together) > 1:
        raise SimulationError(f"{' and '.join(together)} exclude each other")


def print_json(said: object) -> None:
    """Print an answer as JSON: instants in UTC, such as 2026-01-05T00:00:00Z, ids and paths as text."""
    import json

    print(json.dumps(said, indent=2, default=_plain))


def as_variant(key: Key, one: Outcome | VariantResult) -> dict[str, object]:
    """What came out of a variant, for JSON."""
    scenario, variant, seed = key
    return {
        "scenario": scenario,
        "variant": variant,
        "seed": seed,
        "passed": one.passed,
        "error": one.error,
        "verdicts": [
            {"expectation": it.expectation, "passed": it.passed, "message": it.message}
            for it in one.verdicts
        ],
        "measures": [asdict(it) for it in one.measures],
    }


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)
