"""The command `simulate`: list scenarios, run them, print verdicts and measures, keep the results.

Exit codes: 0 every expectation holds; 1 one does not, or a variant crashed; 2 the command cannot be
carried out (said in one line on standard error); 130 after Ctrl-C, 143 after SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.errors import SimulationError

if TYPE_CHECKING:
    from simulator.results import Results
    from simulator.scenario import Scenario
    from simulator.verdict import VariantResult

RESULTS = "results.duckdb"
LOGS = "logs"

app = typer.Typer(
    name="simulate",
    help="Run scenarios of real Prefect flows on a virtual clock, variants side by side.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Folder = Annotated[
    Path, typer.Option("--scenarios", help="Folder (or file) with the scenarios.", metavar="DIR")
]


class Terminated(KeyboardInterrupt):
    """SIGTERM: everything is stopped and kept as after Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script."""
    # Prefect reports a new user's first import to its makers, from a terminal. Simulated use is no use.
    os.environ["DO_NOT_TRACK"] = "1"
    sys.exit(call(sys.argv[1:] if arguments is None else arguments))


def call(arguments: Sequence[str]) -> int:
    """Carry out a command line. Returns the exit code; a user's mistake is one line."""
    try:
        code = app(list(arguments), prog_name="simulate", standalone_mode=False)
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
        engines = ", ".join(
            f"{name} {metadata.version(package)}"
            for name, package in (("Prefect", "prefect"), ("dbt", "dbt-core"), ("DuckDB", "duckdb"))
        )
        python = ".".join(map(str, sys.version_info[:3]))
        print(
            f"prefect-simulator {metadata.version('prefect-simulator')} "
            f"({engines}, Python {python})"
        )
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


@app.command("list")
def list_scenarios(scenarios: Folder = Path("scenarios")) -> None:
    """List the scenarios: name, question, patterns, variants."""
    from simulator.display import console, scenario_table
    from simulator.scenario_files import load

    console().print(scenario_table(load(scenarios)))


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
    out: Annotated[
        Path, typer.Option(help=f"Folder for {RESULTS} and the logs.", metavar="DIR")
    ] = Path("results"),
    scenarios: Folder = Path("scenarios"),
) -> int:
    """Run scenarios, each variant in a process of its own, and say what holds."""
    from simulator.results import Results
    from simulator.runner import default_jobs, prepare
    from simulator.scenario import check_days
    from simulator.scenario_files import load, scenario_files, select

    if days is not None:
        check_days(days)
    if jobs is not None and jobs < 1:
        raise SimulationError(f"jobs ({jobs}) must be at least 1")
    jobs = jobs or default_jobs()
    try:
        with _termination_as_interrupt():
            # So many variants there are at least.
            prepare(len(set(names or scenario_files(scenarios))), jobs)
            chosen = select(load(scenarios), names or ())
            _make_writable(out)
            kept = Kept(Results.open(out / RESULTS))
            return _run(chosen, seed, days, jobs, out, kept)
    except Terminated:
        return 143


def _run(
    chosen: Sequence[Scenario],
    seed: int,
    days: int | None,
    jobs: int,
    out: Path,
    kept: Kept,
) -> int:
    from simulator.display import Display, console, summary
    from simulator.runner import Finished, Moved, Started, Warned, run_scenarios

    screen = console()
    results: list[VariantResult] = []
    stopped: KeyboardInterrupt | None = None
    variants = sum(len(scenario.variants) for scenario in chosen)
    screen.print(
        f"{_counted(len(chosen), 'scenario')}, {_counted(variants, 'variant')}, seed {seed}, "
        f"{_counted(jobs, 'process', 'es')} at a time"
    )
    try:
        events = run_scenarios(chosen, seed=seed, days=days, jobs=jobs, logs=out / LOGS)
        with Display(screen, chosen) as display, closing(events):
            for event in events:
                match event:
                    case Started(scenario, variant):
                        display.started(scenario, variant)
                    case Moved(scenario, variant, lived, of_days):
                        display.moved(scenario, variant, lived, of_days)
                    case Finished(result):
                        results.append(result)
                        display.finished(result)
                        if problem := kept.add(result):
                            display.warned(f"{problem} (tried again later)")
                    case Warned(text):
                        display.warned(text)
    except KeyboardInterrupt as interrupt:
        stopped = interrupt
    summary(screen, chosen, results)
    if problem := kept.write():
        raise SimulationError(f"{problem}; {len(kept.unwritten)} of {variants} variants are lost")
    place = out / RESULTS
    if stopped is not None:
        screen.print(
            f"Stopped. {len(results)} of {variants} variants are in {place}", soft_wrap=True
        )
        return 143 if isinstance(stopped, Terminated) else 130
    passed = sum(result.passed for result in results)
    screen.print(f"{passed} of {variants} variants hold. Results: {place}", soft_wrap=True)
    return 0 if passed == variants else 1


def _counted(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{plural if number != 1 else ''}"


class Kept:
    """The results file, and what could not be written yet: somebody may be looking into the file,
    which locks it, and that must not end the run.
    """

    def __init__(self, results: Results) -> None:
        self._results = results
        self.unwritten: list[VariantResult] = []

    def add(self, result: VariantResult) -> str:
        """Write a result and those that wait. Returns what is in the way, else nothing."""
        self.unwritten.append(result)
        return self.write()

    def write(self) -> str:
        """Write what waits. Returns what is in the way, else nothing."""
        try:
            with _signals_later():
                self._write_all()
        except SimulationError as wrong:
            return str(wrong)
        return ""

    def _write_all(self) -> None:
        while self.unwritten:
            result = self.unwritten[0]
            self._results.add(
                result.scenario,
                result.variant,
                result.seed,
                result.history,
                result.measures,
                result.verdicts,
                error=result.error,
                days=result.days,
                real_seconds=result.real_seconds,
            )
            self.unwritten.pop(0)


def _make_writable(out: Path) -> None:
    """Make the folder and that of its logs; SimulationError if nothing can be written there."""
    try:
        (out / LOGS).mkdir(parents=True, exist_ok=True)
        for folder in (out, out / LOGS):
            tempfile.TemporaryFile(dir=folder).close()
    except OSError as wrong:
        raise SimulationError(f"cannot write to {str(out)!r}: {wrong.strerror}") from wrong


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Within it SIGTERM raises, so that no process is left behind and the results are kept."""

    def terminated(*_: object) -> None:
        raise Terminated

    with _handled(terminated, signal.SIGTERM):
        yield


@contextmanager
def _signals_later() -> Iterator[None]:
    """Put off Ctrl-C and SIGTERM until the end: DuckDB makes an error of its own out of them."""
    came: list[int] = []

    def note(number: int, _: object) -> None:
        came.append(number)

    try:
        with _handled(note, signal.SIGINT, signal.SIGTERM):
            yield
    finally:
        if came:
            signal.raise_signal(came[0])


@contextmanager
def _handled(handler: Callable[..., None], *numbers: signal.Signals) -> Iterator[None]:
    before = [(number, signal.signal(number, handler)) for number in numbers]
    try:
        yield
    finally:
        for number, handling in before:
            signal.signal(number, handling)


if __name__ == "__main__":
    main()
