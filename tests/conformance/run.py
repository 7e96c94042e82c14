"""Runs cases on both engines: the virtual one in a process of its own, the live one in threads."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from simulator import Simulation
from simulator.live.world import LiveServer
from tests.conformance import lies, report
from tests.conformance.case import SETTINGS, Case, all_cases, rests_on_a_change
from tests.conformance.compare import compare
from tests.conformance.known import KNOWN, excused
from tests.conformance.observe import Observed, observe
from tests.part import WHOLE, part

Told = Callable[[str, Case, Observed], None]
Pair = dict[str, Observed]
"""What was observed of a case, by engine."""


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for, print a table, and write `docs/fidelity.md` if that is every case."""
    asked = _parser().parse_args(arguments)
    cases = all_cases()
    unknown = set(asked.only or ()) - set(cases)
    if unknown:
        print(f"no case is called {', '.join(sorted(unknown))}: --list names them", file=sys.stderr)
        return 2
    chosen = [cases[name] for name in cases if not asked.only or name in asked.only]
    if asked.changed:
        chosen = [one for one in chosen if rests_on_a_change(one)]
    chosen = chosen[asked.part]
    if asked.list:
        print(*(f"{one.name}: {one.shows}" for one in chosen), sep="\n")
        return 0
    if asked.virtual_to:
        virtually(chosen, asked.virtual_to, asked.lie)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    console = Console(width=None if sys.stdout.isatty() else 160)
    pairs = _kept(asked.keep)
    for one in chosen:
        pairs.pop(one.name, None)

    def told(engine: str, one: Case, observed: Observed) -> None:
        pair = pairs.setdefault(one.name, {})
        pair[engine] = observed
        if len(pair) == len(_engines(one)):
            report.line(console, _verdict(one, pair))

    run(chosen, asked.jobs, asked.lie, told)
    if asked.keep:
        _keep(asked.keep, pairs)
    verdicts = [_verdict(one, pairs[one.name]) for one in cases.values() if one.name in pairs]
    report.table(console, verdicts, time.monotonic() - began)
    if len(verdicts) == len(cases) and not asked.lie:
        report.write(verdicts)
    return 0 if all(verdict.agrees for verdict in verdicts) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tests.conformance", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these cases alone")
    parser.add_argument(
        "--changed",
        action="store_true",
        help="the cases alone that rest on what is not the same in all series of Prefect",
    )
    parser.add_argument(
        "--part",
        type=part,
        default=WHOLE,
        metavar="K/N",
        help="of the cases that are asked for, the Kth and each Nth from there",
    )
    parser.add_argument("--jobs", type=int, default=4, help="live cases at the same time")
    parser.add_argument("--lie", choices=sorted(lies.LIES), help="let the virtual engine lie")
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FILE",
        help="add what is observed to what this file holds, and judge all",
    )
    parser.add_argument("--list", action="store_true", help="name the cases and end")
    parser.add_argument("--virtual-to", type=Path, help=argparse.SUPPRESS)
    return parser


def _engines(case: Case) -> tuple[str, ...]:
    return ("live",) if case.live_only else ("virtual", "live")


def _verdict(case: Case, pair: Pair) -> report.Verdict:
    live = pair["live"]
    if case.live_only:
        error = live.error and live.error.strip().splitlines()[-1]
        return report.Verdict(case, [error] if error else [], [], 0.0, live.real_seconds)
    virtual = pair["virtual"]
    differences = compare(case, virtual, live)
    known = [one for one in differences if excused(case, one)]
    unlisted = [str(one) for one in differences if one not in known]
    if not known and any(one.case == case.name for one in KNOWN):
        unlisted.append("the difference that is listed is gone: take it off the list")
    return report.Verdict(case, unlisted, known, virtual.real_seconds, live.real_seconds)


def _kept(file: Path | None) -> dict[str, Pair]:
    """What earlier runs have observed."""
    if file is None or not file.exists():
        return {}
    return {
        name: {engine: Observed(**observed) for engine, observed in pair.items()}
        for name, pair in json.loads(file.read_text()).items()
    }


def _keep(file: Path, pairs: dict[str, Pair]) -> None:
    plain = {
        name: {engine: observed.as_dict() for engine, observed in pair.items()}
        for name, pair in pairs.items()
    }
    file.write_text(json.dumps(plain, indent=1))


def run(cases: list[Case], jobs: int, lie: str | None, told: Told) -> None:
    """Run cases on both engines at the same time; `told` hears of each as it ends, in turn."""
    with (
        tempfile.TemporaryDirectory(prefix="conformance-") as folder,
        ThreadPoolExecutor(1) as listening,
        ThreadPoolExecutor(jobs) as acting,
        LiveServer(SETTINGS) as server,
    ):
        with Simulation.live(server) as sim:
            sim.work_pool("default")  # its worker is there before anybody measures anything
        by_name = {one.name: one for one in cases}
        other = [one.name for one in cases if not one.live_only]
        lines, log = Path(folder) / "virtual.jsonl", Path(folder) / "virtual.log"
        with log.open("w") as output:
            command = _command(other, lines, lie) if other else ["true"]
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            deployments: dict[str, str] = {}
            ended = [
                acting.submit(_live, one, server, listening, told, deployments) for one in cases
            ]
            for name, observed in _virtual(process, lines, log):
                listening.submit(told, "virtual", by_name[name], observed).result()
            for future in ended:
                future.result()
        except BaseException:
            acting.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            process.kill()
            process.wait()


def _live(
    case: Case,
    server: LiveServer,
    listening: ThreadPoolExecutor,
    told: Told,
    deployments: dict[str, str],
) -> None:
    """Act a case on the server that all share. `deployments`: the case that each of them belongs to."""
    simulation = Simulation.live(server)
    observed = observe(case, simulation)
    for name in simulation._world.deployment_names():
        if (other := deployments.setdefault(name, case.name)) != case.name:
            observed.error = f"AssertionError: the deployment {name!r} is that of {other} as well"
    listening.submit(told, "live", case, observed).result()


def _command(names: list[str], file: Path, lie: str | None) -> list[str]:
    command = [sys.executable, "-m", "tests.conformance", "--virtual-to", str(file)]
    return [*command, *(["--lie", lie] if lie else []), "--only", *names]


def _virtual(
    process: subprocess.Popen[bytes], file: Path, log: Path
) -> Iterator[tuple[str, Observed]]:
    """What the process with the virtual engine has observed, as it says so."""
    read = 0
    while True:
        over = process.poll() is not None
        lines = file.read_text().split("\n")[:-1] if file.exists() else []
        for line in lines[read:]:
            told = json.loads(line)
            yield told["case"], Observed(**told["observed"])
        read = len(lines)
        if over:
            break
        time.sleep(0.2)  # between two looks into the file: nothing is asserted of their time
    if process.returncode != 0:
        said = log.read_text(errors="replace")[-2000:]
        raise SystemExit(f"the virtual engine's process ended with {process.returncode}: {said}")


def virtually(cases: list[Case], file: Path, lie: str | None) -> None:
    """Run cases on the virtual engine, one after the other, and write a line of JSON for each."""
    tell = lies.LIES[lie] if lie else lambda sim: None
    for case in cases:
        observed = observe(case, Simulation(settings=SETTINGS, modules="fresh"), tell)
        with file.open("a") as lines:
            lines.write(json.dumps({"case": case.name, "observed": observed.as_dict()}) + "\n")
