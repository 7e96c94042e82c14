"""`simulate run`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.answers import (
    Json,
    Quiet,
    Verbose,
    as_variant,
    exclusive,
    print_json,
)
from simulator.cli.app import Folder, Scheduler, app
from simulator.cli.following import followed
from simulator.cli.kept import Kept, made_writable
from simulator.cli.pages import write_beside
from simulator.cli.signals import Terminated, termination_as_interrupt
from simulator.errors import SimulationError
from simulator.folders import throw_away

if TYPE_CHECKING:
    from simulator.cluster import Cluster
    from simulator.report import Watched
    from simulator.scenarios import Event, Scenario, VariantResult

RESULTS = "results.duckdb"
LOGS = "logs"


@app.command()
def run(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Scenarios (default: all).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random fault and duration.")] = 0,
    days: Annotated[
        int | None, typer.Option(help="Virtual days (default: each scenario's own number).")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Scenarios at once (default: one for each core).")
    ] = None,
    scheduler: Scheduler = None,
    out: Annotated[
        Path, typer.Option(help=f"Folder for {RESULTS} and the logs.", metavar="DIR")
    ] = Path("results"),
    scenarios: Folder = Path("scenarios"),
    keep_database: Annotated[
        bool,
        typer.Option("--keep-database", help="Keep Prefect's database of each: for `simulate ui`."),
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Serve the page on 127.0.0.1 while it runs.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Run scenarios, each variant in a process of its own, and say what holds.

    With --verbose each expectation is told as soon as its variant is done. With --watch a browser
    follows: it shows how far the variants have come, and each of them as soon as it is done.
    """
    from simulator.history import Results
    from simulator.scenarios import (
        DATABASES,
        check_days,
        default_jobs,
        load,
        prepare,
        run_elsewhere,
        run_scenarios,
        scenario_files,
        select,
    )

    exclusive(json=json, quiet=quiet)
    exclusive(quiet=quiet, verbose=verbose)
    exclusive(quiet=quiet, watch=watch)
    exclusive(jobs=jobs, scheduler=scheduler)
    exclusive(keep_database=keep_database, scheduler=scheduler)
    if days is not None:
        check_days(days)
    if jobs is not None and jobs < 1:
        raise SimulationError(f"jobs ({jobs}) must be at least 1")
    jobs = jobs or default_jobs()
    try:
        with termination_as_interrupt(), _own_temporary_files(), _cluster(scheduler) as cluster:
            # So many variants there are at least.
            files = scenario_files(scenarios)
            if cluster is None:
                prepare(len(set(names or files)), jobs, files)
            chosen = select(load(scenarios), names or ())
            made_writable(out, LOGS)
            kept = Kept(Results.open(out / RESULTS), chosen)
            aloud = Aloud(json, quiet, verbose)
            databases = out / DATABASES if keep_database else None
            if databases is not None:
                databases.mkdir(exist_ok=True)

            def events(cut: Callable[[VariantResult], None]) -> Generator[Event, None, None]:
                logs = out / LOGS
                if cluster is not None:
                    return run_elsewhere(cluster, chosen, seed=seed, days=days, logs=logs)
                return run_scenarios(
                    chosen,
                    seed=seed,
                    days=days,
                    jobs=jobs,
                    logs=logs,
                    cut=cut,
                    databases=databases,
                )

            at_once = jobs if cluster is None else cluster.jobs
            with _watched(out / RESULTS if watch else None) as watched:
                return _run(chosen, seed, at_once, events, out, kept, aloud, watched)
    except Terminated:
        return 143


@dataclass(frozen=True)
class Aloud:
    """What is said while it runs and at the end."""

    json: bool
    quiet: bool
    verbose: bool


def _run(
    chosen: Sequence[Scenario],
    seed: int,
    jobs: int,
    begin: Callable[[Callable[[VariantResult], None]], Generator[Event, None, None]],
    out: Path,
    kept: Kept,
    aloud: Aloud,
    watched: Watched | None,
) -> int:
    from simulator.report import Display, console, summary

    screen = console(stderr=aloud.json, quiet=aloud.quiet)
    results: list[VariantResult] = []
    cut: list[VariantResult] = []
    stopped: KeyboardInterrupt | None = None
    variants = sum(len(scenario.variants) for scenario in chosen)
    screen.print(
        f"{_counted(len(chosen), 'scenario')}, {_counted(variants, 'variant')}, seed {seed}, "
        f"{_counted(jobs, 'process', 'es')} at a time"
    )
    writing = nullcontext if watched is None else watched.writing
    if watched is not None:
        screen.print(f"Watch it: {watched.url}", soft_wrap=True)
    try:
        events = begin(cut.append)
        with Display(screen, chosen, verbose=aloud.verbose) as display, closing(events):
            followers = (display,) if watched is None else (display, watched)
            for result in followed(events, *followers):
                results.append(result)
                with writing():
                    problem = kept.add(result)
                if problem:
                    display.warned(f"{problem} (tried again later)")
    except KeyboardInterrupt as interrupt:
        stopped = interrupt
    kept.unwritten += cut
    if not aloud.json:
        summary(screen, chosen, results)
    with writing():
        problem = kept.finish()
    if problem:
        raise SimulationError(f"{problem}; {len(kept.unwritten)} of {variants} variants are lost")
    place = out / RESULTS
    passed = sum(result.passed for result in results)
    if stopped is not None:
        said = f"Stopped. {len(results)} of {variants} variants are in {place}{_of_the_cut(cut)}"
    else:
        said = f"{passed} of {variants} variants hold. Results: {place}"
    screen.print(said, soft_wrap=True)
    page = write_beside(place, screen)
    if aloud.json:
        done = [as_variant((one.scenario, one.variant, one.seed), one) for one in results]
        print_json({"results": place, "page": page, "of": variants, "variants": done})
    if stopped is not None:
        return 143 if isinstance(stopped, Terminated) else 130
    return 0 if passed == variants else 1


@contextmanager
def _cluster(scheduler: str | None) -> Iterator[Cluster | None]:
    """The cluster that is named, if one is."""
    if scheduler is None:
        yield None
        return
    from simulator.cluster import Cluster

    with Cluster(scheduler) as cluster:
        yield cluster


@contextmanager
def _watched(results: Path | None) -> Iterator[Watched | None]:
    """A server of the page about these results, if there are any to be watched."""
    from simulator.report import Watched

    if results is None:
        yield None
    else:
        with Watched(results) as watched:
            yield watched


def _of_the_cut(cut: Sequence[VariantResult]) -> str:
    return f", and what {len(cut)} more had done by then" if cut else ""


def _counted(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{plural if number != 1 else ''}"


@contextmanager
def _own_temporary_files() -> Iterator[None]:
    """Let all temporary files of this process be in one folder, which the next start would remove.

    It goes with the process, after multiprocessing has removed what it keeps in there.
    """
    before = tempfile.tempdir
    stack = ExitStack()
    tempfile.tempdir = str(stack.enter_context(throw_away("simulate-")))
    Finalize(None, stack.close, exitpriority=-200)
    try:
        yield
    finally:
        tempfile.tempdir = before
