"""The command itself: its name, its version, and how a mistake is told."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.streams import keep_streams
from simulator.errors import SimulationError
from simulator.versions import in_one_line

app = typer.Typer(
    name="simulate",
    help="Run scenarios of real Prefect flows on a virtual clock, variants side by side.",
    rich_markup_mode=None,  # its boxes cut off the names of options where it is narrow
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

MOST_COLUMNS = 100
"""How wide a help becomes: longer lines are not read."""

Folder = Annotated[
    Path, typer.Option("--scenarios", help="Folder (or file) with the scenarios.", metavar="DIR")
]

ProjectFolder = Annotated[
    Path, typer.Argument(metavar="[DIR]", help="Folder of the project (default: this one).")
]

PrefectFile = Annotated[
    Path | None,
    typer.Option(
        help="Another prefect.yaml of the project, as for `prefect deploy`.", metavar="FILE"
    ),
]

InPlace = Annotated[
    bool,
    typer.Option("--in-place", help="Let it live in its own folder, not in a copy of that."),
]

Scheduler = Annotated[
    str | None,
    typer.Option(
        help="Simulate on a Dask cluster, by its scheduler's address (extra [dask]).",
        metavar="ADDRESS",
    ),
]


def instant_of(start: str) -> str:
    """What a user says with `--start`: an instant, or a date, which begins at midnight in UTC."""
    return f"{start}T00:00:00Z" if len(start) == len("2026-01-01") else start


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script."""
    # Prefect reports a new user's first import to its makers, from a terminal. Simulated use is no use.
    os.environ["DO_NOT_TRACK"] = "1"
    keep_streams()
    code = 130
    try:
        code = call(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        pass  # one more, while the first was dealt with
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done: a second Ctrl-C has nothing to end
    sys.exit(code)


def call(arguments: Sequence[str]) -> int:
    """Carry out a command line. Returns the exit code; a user's mistake is one line."""
    try:
        code = app(
            list(arguments),
            prog_name="simulate",
            standalone_mode=False,
            terminal_width=min(shutil.get_terminal_size().columns, MOST_COLUMNS),
        )
    except SimulationError as wrong:
        return _refuse(str(wrong))
    except KeyboardInterrupt:  # before anything had begun
        return 130
    except Exception as wrong:
        # Typer's own errors; their class has no public name in every version of it.
        if not hasattr(wrong, "format_message"):
            raise
        return _refuse(wrong.format_message())
    return code if isinstance(code, int) else 0


def _refuse(reason: str) -> int:
    print("simulate:", " ".join(reason.split()), file=sys.stderr)
    return 2


def _show_version(wanted: bool) -> None:
    if wanted:
        print(in_one_line())
        raise typer.Exit


@app.callback(invoke_without_command=True)
def simulate(
    context: typer.Context,
    _shown: Annotated[
        bool,
        typer.Option("--version", help="Show versions.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Run scenarios of real Prefect flows on a virtual clock, variants side by side."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        if not Path("scenarios").exists():
            from simulator.scenarios import HOW_TO_WRITE_ONE

            print(f"There are no scenarios here yet; {HOW_TO_WRITE_ONE}.")


def in_project(folder: Path, file: Path | None) -> str | None:
    """A file of a project, from its folder on; None for none. One that is not here may be there.

    Raises SimulationError for one that is elsewhere.
    """
    if file is None:
        return None
    if not file.is_file() and (folder / file).is_file():
        file = folder / file
    named = os.path.relpath(file, folder)
    if named.startswith(os.pardir):
        raise SimulationError(f"{str(file)!r} is not in the project's folder, {str(folder)!r}")
    return named
