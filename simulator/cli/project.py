"""`simulate project`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.answers import Json, Quiet, Verbose, exclusive
from simulator.cli.apart import apart
from simulator.cli.app import InPlace, PrefectFile, ProjectFolder, app, in_project, instant_of
from simulator.cli.kept import refuse_unwritable
from simulator.cli.pages import keep_project
from simulator.cli.signals import Terminated, termination_as_interrupt
from simulator.errors import ClockStalled, NothingToRun, SimulationError

if TYPE_CHECKING:
    from rich.console import Console

    from simulator.project import Comparison, Course, ProjectSimulation


RESULTS = "project.duckdb"


@app.command()
def project(
    folder: ProjectFolder = Path(),
    days: Annotated[
        float | None,
        typer.Option(help="Virtual days (default: 7; with --init or --stub-network, 1)."),
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="First instant, such as 2026-03-23T00:00:00Z.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of every random fault and duration (default: 0).")
    ] = None,
    script: Annotated[
        list[Path] | None,
        typer.Option(
            help="A script that serves or deploys, in place of prefect.yaml.", metavar="FILE"
        ),
    ] = None,
    prefect_file: PrefectFile = None,
    list_: Annotated[
        bool, typer.Option("--list", help="Only list the deployments; no time passes.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only what the files say; no time passes.")
    ] = False,
    init: Annotated[
        bool, typer.Option("--init", help="Write a draft of simulation.toml from what was seen.")
    ] = False,
    stub_network: Annotated[
        bool,
        typer.Option(
            "--stub-network", help="Print stubs for the calls that would leave this machine."
        ),
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="What if: compare with the project under these settings, such as"
            " orders/prod.concurrency_limit=1 or read.retries=3.",
            metavar="NAME.SETTING=VALUE",
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Exit code 1 for a finding; with --set, for what became worse."
        ),
    ] = False,
    in_place: InPlace = False,
    json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    out: Annotated[
        Path, typer.Option(help=f"Folder for {RESULTS} and its page.", metavar="DIR")
    ] = Path("results"),
    quiet: Quiet = False,
    verbose: Verbose = False,
    log: Annotated[
        Path | None, typer.Option(help="Keep here what the flows print.", metavar="FILE")
    ] = None,
) -> int:
    """Let a project live for some days, and say what is wrong with its design.

    It is read from its prefect.yaml, or from its scripts that serve or deploy; a simulation.toml beside
    them says what else is known, and an option outranks it. Exit code 1 if nothing could be loaded, or
    with --strict if there is a finding, a broken promise, or something could not be loaded. With --set
    it lives twice, under the same faults, and what became better and worse is said. It lives in a copy
    of its folder, and what its flows write there is gone at the end, unless --in-place. What the flows
    print is not shown; with --verbose it goes to standard error. Every run is in the results file and on
    the page beside it.
    """
    from simulator import project as of_user

    if init:
        of_user.refuse_to_overwrite(folder)
    if days is None:
        short = init or stub_network
        days = 1 if short else of_user.configuration_of(folder).days
    start = None if start is None else instant_of(start)
    _check(days, bool(set_) and (list_ or check or init or stub_network))
    exclusive(set=set_, in_place=in_place)
    exclusive(json=json, markdown=markdown, quiet=quiet)
    exclusive(quiet=quiet, verbose=verbose, log=log)
    exclusive(script=script, prefect_file=prefect_file)
    named = in_project(folder, prefect_file)
    if not (list_ or check or init or stub_network):
        refuse_unwritable(out)
    scripts = [one.absolute() for one in script or ()]
    if set_:
        asked = of_user.settings_of(set_)

        def live_twice() -> Comparison:
            return of_user.compared(
                folder, asked, scripts, days=days, start=start, seed=seed, prefect_file=named
            )

        return _what_if(
            live_twice,
            log,
            out / RESULTS,
            lambda one: _command(folder, one, scripts, set_, named=named),
            strict=strict,
            json=json,
            markdown=markdown,
            quiet=quiet,
            verbose=verbose,
        )
    stopped: BaseException | None = None
    there = folder.absolute()  # the copy becomes the working folder
    try:
        with termination_as_interrupt(), apart(log, verbose=verbose, quiet=quiet):
            with (
                of_user.home_of(folder, in_place) as home,
                of_user.opened(home, start=start, seed=seed, prefect_file=named) as sim,
            ):
                of_user.load(sim, [of_user.moved(one, there, home) for one in scripts])
                if not (list_ or check):
                    stopped = _live(sim, days)
                course = of_user.course(sim, there, _said(stopped))
                draft = of_user.drafted(course, sim.history()) if init else ""
    except Terminated:
        return 143
    if init:
        _write_draft(folder / "simulation.toml", draft, days, quiet=quiet)
    elif quiet:
        pass
    elif not (list_ or stub_network or json or markdown):
        _show(course, lived=not check)
    else:
        _print(course, list_=list_ and not markdown, stubs=stub_network, json=json)
    if not (list_ or check or init or stub_network):
        lived = {"as it is": course}
        command = _command(folder, course, scripts, in_place=in_place, named=named)
        keep_project(out / RESULTS, lived, command, _aside(quiet or json or markdown))
    return _code(course, stopped, strict=strict)


def _code(course: Course, stopped: BaseException | None, *, strict: bool) -> int:
    """The exit code. Raises what held the clock, if something did."""
    if isinstance(stopped, KeyboardInterrupt):
        return 143 if isinstance(stopped, Terminated) else 130
    if stopped is not None:
        raise stopped
    if not course.loaded:
        return 1
    broken = [one for one in course.promises if not one.kept]
    return int(strict and bool(course.findings or course.unloaded or broken))


def _live(sim: ProjectSimulation, days: float) -> BaseException | None:
    """Let time pass. Returns what ended it early, Ctrl-C or a run that holds the clock: what happened
    until then is known all the same.
    """
    try:
        sim.advance(timedelta(days=days))
    except (ClockStalled, NothingToRun, KeyboardInterrupt) as stopped:
        return stopped
    return None


def _said(stopped: BaseException | None) -> str:
    return "interrupted" if isinstance(stopped, KeyboardInterrupt) else str(stopped or "")


def _write_draft(file: Path, draft: str, days: float, *, quiet: bool) -> None:
    file.write_text(draft, encoding="utf-8")
    if not quiet:
        print(f"{file}: written from {days:g} days; all of it is commented out")


def _check(days: float, compares_nothing: bool) -> None:
    from simulator.project import MOST_DAYS

    if not 0 <= days <= MOST_DAYS:
        raise SimulationError(f"days={days:g} must be between 0 and {MOST_DAYS}")
    if compares_nothing:
        raise SimulationError("--set excludes --list, --check, --init and --stub-network")


def _print(course: Course, *, list_: bool, stubs: bool, json: bool) -> None:
    """What is meant to be read by something else; Markdown if nothing is asked for."""
    from simulator import project as of_user

    if stubs:
        print(of_user.as_toml(course.proposed))
    elif json:
        print(of_user.as_json(course))
    elif list_:
        _list(course)
    else:
        print(of_user.as_markdown(course))


def _list(course: Course) -> None:
    for one in course.loaded:
        print(f"{one.name} ({one.where})")
    for missing in course.unloaded:
        print(f"not loaded: {missing.name} ({missing.where}): {missing.cause}")


def _what_if(
    live_twice: Callable[[], Comparison],
    log: Path | None,
    results: Path,
    command: Callable[[Course], str],
    *,
    strict: bool,
    json: bool,
    markdown: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    from simulator import project as of_user

    try:
        with termination_as_interrupt(), apart(log, verbose=verbose, quiet=quiet):
            both = live_twice()
    except Terminated:
        return 143
    if json:
        print(of_user.comparison_as_json(both))
    elif markdown:
        print(of_user.comparison_as_markdown(both))
    elif not quiet:
        _show_both(both)
    settings = ", ".join(one.text for one in both.settings)
    lived = {"as it is": both.without, settings: both.with_}
    keep_project(results, lived, command(both.without), _aside(quiet or json or markdown))
    if not both.without.loaded:
        return 1
    return int(strict and any(one.verdict == of_user.WORSE for one in both.changes()))


def _command(
    folder: Path,
    course: Course,
    scripts: Sequence[Path],
    settings: Sequence[str] = (),
    *,
    in_place: bool = False,
    named: str | None = None,
) -> str:
    """What lets the project live so again."""
    days = (course.end - course.start) / timedelta(days=1)
    words = ["simulate", "project", str(folder), "--start", course.start.isoformat()]
    words += ["--days", f"{days:g}", "--seed", str(course.seed)]
    words += ["--in-place"] if in_place else []
    words += ["--prefect-file", str(folder / named)] if named else []
    words += [word for script in scripts for word in ("--script", str(script))]
    return shlex.join([*words, *(word for one in settings for word in ("--set", one))])


def _aside(quiet: bool) -> Console:
    from simulator.report import console

    return console(quiet=quiet)


def _show_both(both: Comparison) -> None:
    from simulator import project as of_user
    from simulator.report import console, print_table, table

    screen = console()
    screen.print(of_user.title(both), soft_wrap=True)
    rows = table(*of_user.HEADINGS)
    for row in of_user.sides(both):
        rows.add_row(*row)
    print_table(screen, rows)
    for head, told in of_user.in_sections(both):
        screen.print(f"\n{head}", style="bold")
        for line in told:
            screen.print(f"  {line}", soft_wrap=True)


def _show(course: Course, *, lived: bool) -> None:
    from simulator.project import HEADINGS, cells, headline, ran, sections
    from simulator.report import console, print_table, table

    screen = console()
    screen.print(headline(course), soft_wrap=True)
    if lived and ran(course):
        rows = table(*HEADINGS)
        for row in ran(course):
            rows.add_row(*cells(row))
        print_table(screen, rows)
    for title, told in sections(course):
        screen.print(f"\n{title}", style="bold")
        for first, *others in told:
            screen.print(f"  {first}", soft_wrap=True)
            for line in others:
                screen.print(f"      {line}", soft_wrap=True)
