"""The command: so many programs from a seed on, on both engines, and what differs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.conformance.compare import Difference
from tests.fuzz.comparing import differences, kinds_of
from tests.fuzz.drawing import program
from tests.fuzz.engines import Both, Engines, virtually
from tests.fuzz.known import known_in
from tests.fuzz.shrinking import shrunk
from tests.fuzz.tree import Node, concurrent, met, source, without

ROUND = 40
"""Programs that share one live server: what happens on it is read as a whole, again and again."""


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for. Returns 1 if the engines differ in what is not listed, 2 for a wrong argument."""
    asked = _parser().parse_args(arguments)
    if asked.virtually:
        virtually(asked.virtually)
        return 0
    seeds = range(asked.seed, asked.seed + asked.programs)
    if asked.show:
        for seed in seeds:
            print(source(program(seed), f"The program of seed {seed}."))
        return 0
    began = time.monotonic()
    with Engines(asked.at_once) as engines:
        found = fuzz(engines, seeds, asked.shrink)
    _tell(seeds, found, time.monotonic() - began)
    return 1 if found.differ else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument("--programs", type=_positive, default=50, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="of the first; each next has the next")
    parser.add_argument("--show", action="store_true", help="print the programs, and run none")
    parser.add_argument(
        "--no-shrink", dest="shrink", action="store_false", help="leave what differs as it is"
    )
    parser.add_argument("--at-once", type=_positive, default=10, help="live ones at the same time")
    parser.add_argument("--virtually", type=json.loads, help=argparse.SUPPRESS)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} must be 1 or more")
    return number


@dataclass
class Found:
    """What came of some seeds. `differ`: by seed, the smallest program found, and in what it differs.

    `known`: by seed, the constructs without which the program agrees, and which are listed.
    `once`: seeds of programs that differed, and did not when both engines ran them again.
    """

    compared: int = 0
    differ: dict[int, tuple[Node, list[Difference]]] = field(default_factory=dict)
    known: dict[int, list[str]] = field(default_factory=dict)
    once: list[int] = field(default_factory=list)


def fuzz(engines: Engines, seeds: Iterable[int], shrink: bool = True) -> Found:
    """Run the programs of these seeds, in rounds, and tell of each."""
    found = Found()
    asked = list(seeds)
    for start in range(0, len(asked), ROUND):
        programs = {seed: program(seed) for seed in asked[start : start + ROUND]}
        first = compared(engines, {f"fuzz_{seed}": one for seed, one in programs.items()})
        found.compared += len(programs)
        suspects = {seed: programs[seed] for seed in programs if first[f"fuzz_{seed}"]}
        again = compared(engines, {f"fuzz_{seed}_again": one for seed, one in suspects.items()})
        rest: dict[int, tuple[Node, list[Difference]]] = {}
        for seed, one in suspects.items():
            differing = again[f"fuzz_{seed}_again"]
            if kinds_of(differing) & kinds_of(first[f"fuzz_{seed}"]):
                rest[seed] = (one, differing)
            else:
                found.once.append(seed)
        listed = {seed: names for seed, (one, _) in rest.items() if (names := known_in(one))}
        less = {seed: without(rest[seed][0], names) for seed, names in listed.items()}
        lacking = compared(engines, {f"fuzz_{seed}_without": one for seed, one in less.items()})
        for seed, names in listed.items():
            if differing := lacking[f"fuzz_{seed}_without"]:
                rest[seed] = (less[seed], differing)
            else:
                found.known[seed] = names
                del rest[seed]
        for seed, (one, differing) in rest.items():
            found.differ[seed] = (one, differing)
            if shrink:
                found.differ[seed] = shrunk(
                    f"fuzz_{seed}", one, differing, lambda tried: compared(engines, tried)
                )
    return found


def compared(engines: Engines, programs: dict[str, Node]) -> dict[str, list[Difference]]:
    """Run programs on both engines; what differs, by name. Each is told of as it ends."""
    found: dict[str, list[Difference]] = {}

    def told(name: str, both: Both) -> None:
        found[name] = differences(name, concurrent(programs[name]), both)
        print(f"{'differs' if found[name] else 'agrees '} {name}")
        for one in found[name]:
            print(f"    {one}")
        for caveat in both[0].caveats if found[name] else ():
            print(f"    caveat: {caveat}")
        sys.stdout.flush()

    if programs:
        engines.run(
            {
                name: (source(one, f"Program {name}."), concurrent(one))
                for name, one in programs.items()
            },
            told,
        )
    return found


def _tell(seeds: range, found: Found, seconds: float) -> None:
    print("\nconstructs, and in how many programs each was met:")
    for name, count in met([program(seed) for seed in seeds]).most_common():
        print(f"  {count:4} {name}")
    for seed, (one, differing) in found.differ.items():
        print(f"\n--programs 1 --seed {seed} differs; the smallest program that does:\n")
        print(source(one, f"From the program of seed {seed}."))
        print(*(f"    {difference}" for difference in differing), sep="\n")
    for seed, names in found.known.items():
        print(f"seed {seed} differs, and agrees without what is known: {', '.join(names)}")
    if found.once:
        print(f"differed once, and not again: seeds {', '.join(map(str, found.once))}")
    print(
        f"{found.compared} programs compared, {len(found.known)} differ in what is listed,"
        f" {len(found.differ)} in what is not, in {seconds:.0f} s real time"
    )
