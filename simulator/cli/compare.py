"""`simulate compare`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli.answers import Json, Quiet, Verbose, exclusive, print_json
from simulator.cli.app import app
from simulator.errors import SimulationError

if TYPE_CHECKING:
    from simulator.history import Difference, Outcome, Parting


@app.command()
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A results file, or a variant in one.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    results: Annotated[
        Path, typer.Option(help="The results file, if A and B are variants.", metavar="FILE")
    ] = Path("results/results.duckdb"),
    scenario: Annotated[str | None, typer.Option(help="Only of this scenario.")] = None,
    seed: Annotated[int | None, typer.Option(help="Only with this seed.")] = None,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Say where two histories part, and what differs by meaning.

    Of two results files, each variant with itself; or two variants of one file. Exit code 1
    if anything differs. Ids, names of runs and parts of a second do not count. With --verbose every
    difference is shown, not the first few of each kind.
    """
    from simulator import history

    exclusive(json=json, quiet=quiet, verbose=verbose)
    files = [Path(one).is_file() for one in (a, b)]
    if any(files) and not all(files):
        other = b if files[0] else a
        raise SimulationError(
            f"no results file at {other!r}: A and B are two files, or two variants"
        )
    pairs = list(
        _of_files(Path(a), Path(b), scenario, seed)
        if all(files)
        else _of_variants(results, a, b, scenario, seed)
    )
    records = [
        [_record(side, pair, verdicts=all(files)) for pair in pairs if (side := pair.sides[place])]
        for place in (0, 1)
    ]
    found = history.differences(*records)
    if json:
        _print_json(pairs, found)
    elif not quiet:
        _print(pairs, found, a, b, every=verbose)
    return int(bool(found))


@dataclass(frozen=True)
class Pair:
    """Two outcomes that are compared, under the name of both; one is None if it is not there."""

    scenario: str
    name: str
    sides: tuple[Outcome | None, Outcome | None]

    def parting(self) -> Parting | None:
        """Where their histories part."""
        from simulator.history import parting

        return parting([one.history for one in self.sides if one and one.history])


def _of_files(a: Path, b: Path, scenario: str | None, seed: int | None) -> Iterator[Pair]:
    sides = [{one.key: one for one in _outcomes(file, scenario, seed)} for file in (a, b)]
    keys = dict.fromkeys([*sides[0], *sides[1]])
    if not keys:
        raise SimulationError(
            f"nothing to compare: no such variant in {str(a)!r}, nor in {str(b)!r}"
        )
    for key in keys:
        name, variant, number = key
        yield Pair(name, f"{variant}, seed {number}", (sides[0].get(key), sides[1].get(key)))


def _of_variants(
    results: Path, a: str, b: str, scenario: str | None, seed: int | None
) -> Iterator[Pair]:
    outcomes = _outcomes(results, scenario, seed)
    both = {(one.key[0], one.key[2]) for one in outcomes if one.key[1] == a} & {
        (one.key[0], one.key[2]) for one in outcomes if one.key[1] == b
    }
    if not both:
        known = ", ".join(dict.fromkeys(f"{one.key[0]} [{one.key[1]}]" for one in outcomes))
        raise SimulationError(
            f"no scenario in {str(results)!r} has the variants {a!r} and {b!r};"
            f" there are: {known or 'none'}"
        )
    by_key = {one.key: one for one in outcomes}
    for name, number in sorted(both):
        pair = (by_key[name, a, number], by_key[name, b, number])
        yield Pair(name, f"{a} / {b}, seed {number}", pair)


def _outcomes(results: Path, scenario: str | None, seed: int | None) -> list[Outcome]:
    from simulator.history import kept_outcomes

    return [
        one
        for one in kept_outcomes(results)
        if scenario in (None, one.key[0]) and seed in (None, one.key[2])
    ]


def _record(one: Outcome, pair: Pair, *, verdicts: bool) -> dict[str, Any]:
    """An outcome as `differences` takes it. Variants need not share their expectations."""
    return {
        "scenario": pair.scenario,
        "variant": pair.name,
        "error": one.error,
        "verdicts": {it.expectation: it.passed for it in one.verdicts} if verdicts else {},
        "runs": one.history.normalised() if one.history is not None else [],
        "tables": {},
    }


def _print(pairs: list[Pair], found: list[Difference], a: str, b: str, *, every: bool) -> None:
    from simulator.history import moment
    from simulator.report import counted, difference_lines

    lines = []
    for pair in pairs:
        if (parted := pair.parting()) is None:
            continue
        lines.append(f"{pair.scenario} [{pair.name}] parts at {moment(parted.at)}")
        for side, entered in zip((a, b), parted.sides, strict=True):
            words = ", ".join(f"{flow} enters {state}" for flow, state in entered)
            lines.append(f"  {side}: {words or 'nothing of it'}")
    print(
        "\n".join([*lines, *difference_lines(found, a, b, every=every), "", counted(found)]).lstrip(
            "\n"
        )
    )


def _print_json(pairs: list[Pair], found: list[Difference]) -> None:
    parted = [(pair, pair.parting()) for pair in pairs]
    said = {
        "same": not found,
        "pairs": [
            {
                "scenario": pair.scenario,
                "variant": pair.name,
                "parted": None if at is None else at.at,
                "sides": [] if at is None else at.sides,
            }
            for pair, at in parted
        ],
        "differences": [asdict(one) for one in found],
    }
    print_json(said)
