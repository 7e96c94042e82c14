"""Looks at an installation: what is there, what is not right, and what to do about it.

    for check in checks():
        print(check.name, check.status, check.found, check.advice)

Nothing is mended. Nothing of Prefect is imported before what is known not to work has been looked for.
"""

from __future__ import annotations

import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from simulator import versions
from simulator.cache import cache_folder, is_whole
from simulator.folders import left_behind

OK, NOTE, WRONG = "ok", "note", "wrong"

LEFT = ("prefect-simulator-", "simulate-")
"""How the names of the folders of simulations and of commands begin."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    `status`: "ok"; "note" for what works without, or mends itself; "wrong" for what does not work.
    `advice` says what to do; it is empty if there is nothing to be done.
    """

    name: str
    status: str
    found: str
    advice: str = ""


def checks() -> Iterator[Check]:
    """One check after the other; the last one runs a small simulation, which takes seconds."""
    yield _python()
    works = _prefect()
    yield works
    yield _requirements()
    yield _extra("dbt", "dbt-core", "flows that call dbt")
    yield _extra("upgrade", "uv", "`simulate upgrade`")
    yield _extra("dask", "distributed", "`--scheduler`")
    yield _extra("otel", "opentelemetry-sdk", "`simulate export --to otlp`")
    yield _cache()
    yield _leftovers()
    if works.status == WRONG:
        yield Check("a small simulation", WRONG, "not tried", "mend Prefect first")
    else:
        yield from _simulation()


def _python() -> Check:
    allowed = metadata.metadata("prefect-simulator")["Requires-Python"]
    version = platform.python_version()
    if versions.within(allowed, version):
        return Check("Python", OK, f"{version} ({sys.executable})")
    return Check("Python", WRONG, version, f"make an environment with Python {allowed}")


def _prefect() -> Check:
    problems = versions.problems()
    if problems:
        return Check("Prefect", WRONG, "; ".join(problems), "install what is named")
    return Check("Prefect", OK, metadata.version("prefect"))


def _requirements() -> Check:
    if unmet := versions.unmet():
        advice = "pip install --upgrade prefect-simulator"
        return Check("requirements", WRONG, ", ".join(unmet), advice)
    return Check("requirements", OK, f"all met, DuckDB {metadata.version('duckdb')}")


def _extra(extra: str, main: str, use: str) -> Check:
    name = f"extra {extra}"
    if not (unmet := versions.unmet(extra)):
        return Check(name, OK, f"{main} {metadata.version(main)}")
    advice = f"for {use}: pip install 'prefect-simulator[{extra}]'"
    return Check(name, NOTE, f"without {', '.join(unmet)}", advice)


def _cache() -> Check:
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as wrong:
        advice = "set PREFECT_SIMULATOR_CACHE to a folder that can be written"
        return Check("cache", WRONG, f"cannot write {str(folder)!r}: {wrong.strerror}", advice)
    kept = list(folder.glob("prefect-*.db"))
    if damaged := [file.name for file in kept if not is_whole(file)]:
        advice = "nothing: it is made anew when it is needed"
        return Check("cache", NOTE, f"damaged in {folder}: {', '.join(damaged)}", advice)
    count = f"{len(kept)} database{'s' * (len(kept) != 1)}"
    return Check("cache", OK, f"{folder}, {count}")


def _leftovers() -> Check:
    where = Path(tempfile.gettempdir())
    left = [folder.name for prefix in LEFT for folder in left_behind(prefix, where)]
    if not left:
        return Check("leftovers", OK, f"none in {where}")
    found = f"{len(left)} of killed runs in {where}, such as {left[0]}"
    return Check("leftovers", NOTE, found, "nothing: the next start removes them")


def _simulation() -> Iterator[Check]:
    name = "a small simulation"
    began = time.monotonic()
    try:
        states, reports = _simulated()
    except Exception as wrong:
        said = " ".join(str(wrong).split()) or type(wrong).__name__
        advice = "see what is wrong above; if nothing is, please report it"
        yield Check(name, WRONG, said, advice)
        return
    if states != ["Completed"] * 3:
        advice = "please report it, with what stands above"
        yield Check(name, WRONG, f"ended {', '.join(states) or 'without a run'}", advice)
    else:
        found = f"3 runs Completed in {time.monotonic() - began:.1f} s, imports included"
        yield Check(name, OK, found)
    if reports:
        yield Check("telemetry", WRONG, "Prefect's server would report its use", "please report it")
    else:
        yield Check("telemetry", OK, "off in simulations")


def _simulated() -> tuple[list[str], bool]:
    """How three runs of a schedule have ended, and whether the server would report its use."""
    from prefect import flow
    from prefect.settings import get_current_settings

    from simulator.simulation import Simulation

    @flow(name="doctor", log_prints=False)
    def looked_at() -> None:
        """Nothing."""

    with Simulation(start="2026-01-05T00:00:00Z") as sim:
        sim.deploy(looked_at, name="small", cron="0 * * * *", timezone="UTC")
        sim.advance(hours=3.5)
        ended = [
            run.state for run in sim.runs("doctor") if run.scheduled and run.scheduled < sim.now
        ]
        return ended[-3:], get_current_settings().server.analytics_enabled
