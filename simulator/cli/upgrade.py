"""`simulate upgrade`."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.answers import Json, Quiet, Verbose, exclusive, print_json
from simulator.cli.app import Folder, app
from simulator.cli.pages import keep_upgrade
from simulator.cli.signals import Terminated, termination_as_interrupt
from simulator.errors import SimulationError

RESULTS = "upgrade.duckdb"


@app.command()
def upgrade(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Scenarios (default: all).")
    ] = None,
    to: Annotated[
        str, typer.Option(help="The other version of Prefect, such as 3.9 or 3.9.1.")
    ] = "",
    from_: Annotated[
        str,
        typer.Option("--from", help="The one to begin with (default: the one that is installed)."),
    ] = "",
    seed: Annotated[int, typer.Option(help="Seed of every random fault and duration.")] = 0,
    days: Annotated[
        int | None, typer.Option(help="Virtual days (default: each scenario's own number).")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Scenarios at once (default: one for each core).")
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write a page of Markdown about it.", metavar="FILE")
    ] = None,
    scenarios: Folder = Path("scenarios"),
    out: Annotated[
        Path, typer.Option(help=f"Folder for {RESULTS} and its page.", metavar="DIR")
    ] = Path("results"),
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Run scenarios under two versions of Prefect, and say what differs.

    Exit code 1 if anything does. The other version gets an environment in your cache folder, made once,
    with uv; everything else in it is as it is here. With --verbose every difference is shown, not the
    first few of each kind. The results file and its page have both versions of each variant, side by
    side.
    """
    from simulator.report import console
    from simulator.scenarios import check_days, default_jobs, load, select
    from simulator.upgrade import as_page, as_text, compare_versions

    exclusive(json=json, quiet=quiet, verbose=verbose)
    if not to:
        raise SimulationError("to which version? Name it: simulate upgrade --to 3.9")
    if days is not None:
        check_days(days)
    if jobs is not None and jobs < 1:
        raise SimulationError(f"jobs ({jobs}) must be at least 1")
    if page is not None and not page.parent.is_dir():
        raise SimulationError(f"there is no folder {str(page.parent)!r} for the page")
    screen = console(stderr=True, quiet=quiet)
    before = from_ or metadata.version("prefect")
    options = {"--seed": seed, "--days": days, "--scenarios": scenarios}
    words = ["simulate", "upgrade", *(names or ()), "--from", before, "--to", to]
    words += [str(word) for one in options.items() if one[1] is not None for word in one]
    try:
        with termination_as_interrupt():
            chosen = select(load(scenarios), names or ())
            comparison = compare_versions(
                before,
                to,
                scenarios,
                names or (),
                seed=seed,
                days=days,
                jobs=jobs or default_jobs(),
                command=shlex.join(words),
                told=lambda text: screen.print(text, soft_wrap=True),
                keep=lambda found, files: keep_upgrade(out / RESULTS, found, files, screen),
            )
    except Terminated:
        return 143
    if json:
        print_json({"same": not comparison.differences, **asdict(comparison)})
    elif not quiet:
        print(as_text(comparison, every=verbose))
    if page is not None:
        command = f"simulate upgrade --from {comparison.before} --to {comparison.after}"
        part = page.with_name(f"{page.name}.part")
        part.write_text(as_page(comparison, chosen, f"{command} --scenarios {scenarios}"))
        part.replace(page)
    return 1 if comparison.differences else 0
