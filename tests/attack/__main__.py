"""The simulator under attack: `python -m tests.attack`. Prints figures, and writes docs/reliability.md.

Topologies made up at random, each in a simulation, against the laws; some of them once more in another
process with another hash seed, which must have the same history; and `simulate run` killed at random.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from string import Template

import prefect

from tests.attack.attacking import Attack, by_several, digest
from tests.attack.kills import Kills, campaign
from tests.attack.laws import LAWS
from tests.attack.running import live
from tests.attack.topologies import MOST, topology
from tests.part import WHOLE, part

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def main(arguments: list[str] | None = None) -> int:
    """Attack as asked for. Returns 1 if anything was not as it must be."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.write and asked.part != WHOLE:
        parser.error("--write is for all examples and kills, not for a part of them")
    if asked.digest is not None:
        print(digest(live(topology(asked.digest, asked.most)).history))
        return 0
    seeds = range(asked.seed, asked.seed + asked.examples)[asked.part]
    points = range(asked.seed, asked.seed + asked.kills)[asked.part]
    attack = by_several(seeds, asked.repeat, asked.most, asked.jobs)
    with tempfile.TemporaryDirectory() as folder:
        kills = campaign(Path(folder), points)
    text = page(attack, kills)
    print(text)
    if asked.write:
        PAGE.write_text(text)
    return 1 if attack.broken or kills.broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.attack", description=__doc__)
    parser.add_argument("--examples", type=int, default=300, help="how many topologies")
    parser.add_argument("--seed", type=int, default=1, help="of the first; each next has the next")
    parser.add_argument(
        "--repeat", type=int, default=20, help="every how manieth is run in another process as well"
    )
    parser.add_argument("--most", type=int, default=MOST, help="flows of a topology")
    parser.add_argument("--jobs", type=int, default=1, help="processes at the same time")
    parser.add_argument("--kills", type=int, default=200, help="how many times a process is killed")
    parser.add_argument(
        "--part",
        type=part,
        default=WHOLE,
        metavar="K/N",
        help="of the topologies and of the kills, the Kth and each Nth from there",
    )
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    parser.add_argument("--digest", type=int, help=argparse.SUPPRESS)
    return parser


PAGE_TEXT = """\
# Reliability

What the simulator itself stands. Written by `make attack ARGS=--write`, with Prefect $prefect,
Python $python, on $day.

## Topologies made up at random

$examples topologies (seeds $first to $last) of 2 to $most flows: subflows, tasks that call flows,
`run_deployment`, automations, retries, schedules, limits, and up to four faults each.
$flows flows, $runs runs, $seconds s of real time. How runs have ended: $ends.

What must be true of each:

$laws
- the same seed, the same history, in another process with another hash seed ($repeated of them)

**$against of $examples were against any of it.**
$broken
| fault | how often it has struck |
|---|---|
$faults

## `simulate run`, killed

$points times a process of it, drawn at random, got SIGKILL at a random moment. The results must be
readable, with every variant that was told of; no process may be left, and after the next run no file.

Killed: $killed. Exit codes: $codes.

**$bad times it was not so.**
$kills"""


def page(attack: Attack, kills: Kills) -> str:
    """The figures as Markdown."""
    listed = [f"- seed {seed}: {'; '.join(said)}" for seed, said in attack.broken.items()]
    return Template(PAGE_TEXT).substitute(
        prefect=prefect.__version__,
        python=platform.python_version(),
        day=time.strftime("%Y-%m-%d"),
        examples=len(attack.seeds),
        most=attack.most,
        first=attack.seeds[0],
        last=attack.seeds[-1],
        flows=attack.flows,
        runs=attack.runs,
        seconds=f"{attack.seconds:.0f}",
        ends=_counted(attack.ends),
        laws="\n".join(f"- {check.__name__.replace('_', ' ')}" for check in LAWS),
        repeated=attack.repeated,
        against=len(attack.broken),
        broken="\n".join(["", *listed, ""]) if listed else "",
        faults="\n".join(f"| {kind} | {count} |" for kind, count in sorted(attack.fired.items())),
        points=kills.points,
        killed=_counted(kills.killed),
        codes=_counted(kills.codes),
        bad=len(kills.broken),
        kills="".join(f"\n- {said}" for said in kills.broken) + "\n" * bool(kills.broken),
    )


def _counted(counter: Counter[str] | Counter[int]) -> str:
    return ", ".join(f"{count} x {what}" for what, count in counter.most_common())


if __name__ == "__main__":
    sys.exit(main())
