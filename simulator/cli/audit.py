"""`simulate audit`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.answers import Json, Quiet, Verbose, exclusive
from simulator.cli.app import (
    Folder,
    InPlace,
    PrefectFile,
    ProjectFolder,
    Scheduler,
    app,
    in_project,
    instant_of,
)
from simulator.cli.kept import made_writable
from simulator.cli.pages import write_beside
from simulator.cli.signals import Terminated, signals_later, termination_as_interrupt
from simulator.errors import SimulationError
from simulator.fingerprints import fingerprint
from simulator.versions import in_one_line

if TYPE_CHECKING:
    from rich.console import Console

    from simulator.audit import Begun, Found, Kept, Of, Processes, Subject

RESULTS = "audit.duckdb"
LOGS = "audit-logs"
FIRST = "2026-01-01T00:00:00Z"


@app.command()
def audit(
    folder: ProjectFolder = Path(),
    scenario: Annotated[
        str | None, typer.Option(help="In place of a project, a scenario.", metavar="NAME")
    ] = None,
    variant: Annotated[
        str | None, typer.Option(help="The variant of it, if it has several.", metavar="NAME")
    ] = None,
    scenarios: Folder = Path("scenarios"),
    days: Annotated[
        float | None,
        typer.Option(help="Virtual days of each simulation (default: 7, or the scenario's own)."),
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="First instant, aware or a date in UTC.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all simulations (default: 0).")] = None,
    prefect_file: PrefectFile = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only this step, column or cell.", metavar="NAME"),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Simulations at once (default: one for each core).")
    ] = None,
    scheduler: Scheduler = None,
    time_limit: Annotated[
        float, typer.Option(help="Real seconds after which a simulation is given up.")
    ] = 600,
    out: Annotated[
        Path, typer.Option(help=f"Folder for {RESULTS} and the logs.", metavar="DIR")
    ] = Path("results"),
    show: Annotated[
        str | None,
        typer.Option(help="Open this cell: its timeline, why, and a test of it.", metavar="CELL"),
    ] = None,
    write_test: Annotated[
        Path | None,
        typer.Option(help="With --show: write the test into the project's folder.", metavar="FILE"),
    ] = None,
    in_place: InPlace = False,
    json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    baseline: Annotated[
        Path | None,
        typer.Option(
            help="What --json has printed before: exit code 1 for what is new and serious.",
            metavar="FILE",
        ),
    ] = None,
) -> int:
    """Let one thing at a time go wrong in a project or a scenario, and say what becomes of it.

    Once without a fault; then, for each deployment, flow and task that has run: it raises, hangs, is
    slow, is killed, its worker is away, the API is down, its event is late or lost, it returns nothing,
    or what it did the run before. Each under the same seed, in a process of its own. What has been done
    already is not done again. What a change of clocks within a year does to each schedule of a project
    is told as well. With --verbose each cell is told as soon as it is done.
    """
    from simulator import audit as of_faults
    from simulator.report import console

    exclusive(json=json, markdown=markdown, show=show, quiet=quiet)
    exclusive(quiet=quiet, verbose=verbose)
    exclusive(scenario=scenario, in_place=in_place)
    exclusive(scenario=scenario, prefect_file=prefect_file)
    exclusive(write_test=write_test, prefect_file=prefect_file)
    exclusive(jobs=jobs, scheduler=scheduler)
    if write_test is not None:
        _check_test(write_test, folder, show, scenario)
    if jobs is not None and jobs < 1:
        raise SimulationError(f"jobs ({jobs}) must be at least 1")
    if not time_limit > 0:
        raise SimulationError(f"--time-limit {time_limit:g} must be above 0")
    _check_days(days)
    subject, of = (
        _project(folder, variant, days, start, seed, in_place=in_place, prefect_file=prefect_file)
        if scenario is None
        else _scenario(folder, scenarios, scenario, variant, days, start, seed)
    )
    if baseline is not None:
        of_faults.new_in((), baseline)  # so that a wrong one is told at once
    screen = console(stderr=True, quiet=quiet)
    try:
        with (
            termination_as_interrupt(),
            _processes(subject, jobs, scheduler, time_limit, made_writable(out, LOGS)) as processes,
        ):
            command = partial(_command, subject, of, out)
            kept = of_faults.Kept(out / RESULTS, of, signals_later, command)
            news = of_faults.audit(kept, processes, only=only or (), cell=show)
            with closing(news):
                _follow(screen, news, processes.jobs, verbose=verbose)
    except KeyboardInterrupt as stopped:
        screen.print(f"Stopped. What is done is in {out / RESULTS}: the same command goes on.")
        return 143 if isinstance(stopped, Terminated) else 130
    names = {cell.name for cell in of_faults.chosen(kept.cells(), only or (), show)}
    found = [one for one in kept.found() if one.cell.name in names]
    if show is not None:
        return _show(found[0], kept, subject, _command(subject, of, out, show), write_test)
    if not only and isinstance(subject, of_faults.Project):
        first = datetime.fromisoformat(of.start)
        changes = of_faults.clock_changes(folder, first, subject.prefect_file)
        kept.add_clock_changes(changes)
        found += changes
    new = [] if baseline is None else of_faults.new_in(found, baseline)
    if not quiet:
        _print(subject, of, found, json=json, markdown=markdown)
    if unloaded := kept.unloaded():
        lines = "".join(f"\n  {text}" for text in unloaded)
        screen.print(f"Not loaded, and so not audited: {len(unloaded)}{lines}", soft_wrap=True)
    write_beside(out / RESULTS, screen)
    if not kept.cells():
        screen.print(
            f"Nothing ran in {of.days:g} days from {of.start}, so there was nothing to go wrong:"
            " no schedule, trigger or flow asked for a run",
            soft_wrap=True,
        )
    if baseline is not None:
        screen.print(f"{len(new)} new: {', '.join(one.cell.name for one in new) or 'nothing'}")
    return int(bool(new))


@contextmanager
def _processes(
    subject: Subject, jobs: int | None, scheduler: str | None, limit: float, logs: Path
) -> Iterator[Processes]:
    """Those of this machine, or of the cluster that is named."""
    from simulator.audit import Elsewhere, Here
    from simulator.scenarios import default_jobs

    if scheduler is None:
        yield Here(subject, jobs or default_jobs(), limit, logs)
        return
    from simulator.cluster import Cluster

    with Cluster(scheduler) as cluster:
        yield Elsewhere(subject, cluster, limit, logs)


def _check_test(file: Path, folder: Path, show: str | None, scenario: str | None) -> None:
    """Refuse what could not be written at the end, or would not be found by pytest."""
    if scenario is not None:
        raise SimulationError("--write-test is for projects: a scenario is a test itself")
    if show is None:
        raise SimulationError("--write-test needs --show CELL: which cell is the test of?")
    if not file.absolute().resolve().is_relative_to(folder.absolute().resolve()):
        raise SimulationError(
            f"{str(file)!r} is not in the folder of the project, {str(folder)!r}:"
            " there the fixture `project` finds it"
        )
    if file.exists():
        raise SimulationError(f"{str(file)!r} is there already: nothing is put in its place")
    if not file.parent.is_dir():
        raise SimulationError(f"there is no folder {str(file.parent)!r} for the test")


def _show(one: Found, kept: Kept, subject: Subject, command: str, file: Path | None) -> int:
    from simulator.audit import SERIOUS, Project, as_test, shown

    base, after = kept.base(), kept.history(one.cell.name)
    assert base is not None, "it is what the cell was compared with"
    test = None
    wanted = file is not None or (one.worst.kind in SERIOUS and after is not None)
    if wanted and isinstance(subject, Project) and subject.prefect_file is None:
        test = as_test(one, base[0], after, subject)
    print(shown(one, base[0], after, command))
    if file is not None and test is not None:
        file.write_text(test, encoding="utf-8")
        print(f"\nA test that fails until this is mended: {file}")
    elif test is not None:
        print("\nA test that fails until this is mended (--write-test FILE writes it)\n")
        print(test, end="")
    return 0


def _command(subject: Subject, of: Of, out: Path, cell: str | None) -> str:
    """The command that opens a cell again, or anew where nothing has been done; for None that of all."""
    import shlex

    from simulator.audit import Project

    words = ["simulate", "audit"]
    if isinstance(subject, Project):
        words += [str(subject.folder), "--start", of.start]
        words += ["--in-place"] if subject.in_place else []
        named = subject.prefect_file
        words += ["--prefect-file", str(subject.folder / named)] if named else []
    else:
        words += ["--scenario", subject.scenario, "--variant", subject.variant]
        words += ["--scenarios", str(subject.file)]
    words += ["--days", f"{of.days:g}", "--seed", str(of.seed), "--out", str(out)]
    words += ["--show", cell] if cell is not None else []
    return shlex.join(words)


def _check_days(days: float | None) -> None:
    from simulator.project import MOST_DAYS

    if days is not None and not 0 < days <= MOST_DAYS:
        raise SimulationError(f"days={days:g} must be above 0, and at most {MOST_DAYS}")


def _project(
    folder: Path,
    variant: str | None,
    days: float | None,
    start: str | None,
    seed: int | None,
    *,
    in_place: bool,
    prefect_file: Path | None,
) -> tuple[Subject, Of]:
    """What is audited: what its simulation.toml says holds where nothing else is given."""
    from simulator import arguments
    from simulator.audit import Of, Project
    from simulator.project import configuration_of

    if variant is not None:
        raise SimulationError("--variant is of a --scenario: which one?")
    if not folder.is_dir():
        raise SimulationError(f"there is no folder {str(folder)!r}")
    named = in_project(folder, prefect_file)
    told = configuration_of(folder)
    begin = arguments.instant("start", instant_of(start or "") or told.start or FIRST)
    subject = Project(
        folder.absolute(),
        told.days if days is None else days,
        told.seed if seed is None else seed,
        begin.isoformat(),
        in_place,
        named,
    )
    of_file = f"{named}, " if named else ""
    made_of = f"{fingerprint(subject.home)}, {of_file}{in_one_line()}"
    return subject, Of(subject.name, subject.seed, subject.start, subject.days, made_of)


def _scenario(
    folder: Path,
    scenarios: Path,
    name: str,
    variant: str | None,
    days: float | None,
    start: str | None,
    seed: int | None,
) -> tuple[Subject, Of]:
    """What is audited of a scenario: the variant that is named, or the only one."""
    from simulator import arguments
    from simulator.audit import Of, ScenarioVariant
    from simulator.scenarios import load, select

    if folder != Path() or start is not None:
        raise SimulationError(f"--scenario {name} has its own folder and start")
    [found] = select(load(scenarios), [name])
    chosen = found.the_variant(variant)
    if days is not None and days != int(days):
        raise SimulationError(f"days={days:g} of a scenario must be a whole number")
    subject = ScenarioVariant(
        found.file.absolute(), name, chosen, found.days if days is None else int(days), seed or 0
    )
    start = arguments.instant("start", found.start).isoformat()
    made_of = f"{fingerprint(subject.home)}, {in_one_line()}"
    return subject, Of(subject.name, subject.seed, start, subject.days, made_of)


def _follow(
    screen: Console, news: Iterable[Begun | Found], jobs: int, *, verbose: bool = False
) -> None:
    """Show on standard error how far it is: a bar on a terminal, else a line at the beginning."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from simulator.audit import Begun

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("without a fault", total=None)
        for one in news:
            if isinstance(one, Begun):
                screen.print(_said(one, jobs))
                bar.update(task, total=one.left, completed=0)
                continue
            told = f"{one.cell.name}: {one.worst.kind}"
            bar.update(task, advance=1, description=told)
            if verbose:
                screen.print(told, soft_wrap=True)


def _said(begun: Begun, jobs: int) -> str:
    from simulator.report import duration

    done = begun.cells - begun.left
    cells = f"{begun.cells} cell{'s' if begun.cells != 1 else ''}"
    said = f"{cells}, {jobs} at a time" + (f", {done} done before" if done else "")
    if begun.seconds is None or not begun.left:
        return said
    return f"{said}, about {duration(begun.seconds * ceil(begun.left / jobs))}"


def _print(subject: Subject, of: Of, found: list[Found], *, json: bool, markdown: bool) -> None:
    from simulator.audit import HEADINGS, SERIOUS, as_json, as_markdown, cells_of_row, rows_of
    from simulator.report import console, print_table, table

    rows = rows_of(found)
    if json:
        same = {**subject.told(), "start": of.start, "days": of.days, "seed": of.seed}
        print(as_json(same, rows))
        return
    serious = sum(one.worst.kind in SERIOUS for one in found)
    headline = (
        f"{of.name}: {len(found)} faults, one at a time, in {of.days:g} days from {of.start[:10]},"
        f" seed {of.seed}; {serious} serious"
    )
    if markdown:
        print(as_markdown(headline, rows))
        return
    screen = console()
    screen.print(headline, soft_wrap=True)
    shown = table(*HEADINGS, lines=True)
    for row in rows:
        shown.add_row(*cells_of_row(row))
    print_table(screen, shown)
