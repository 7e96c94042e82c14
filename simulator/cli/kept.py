"""What has been written to the results file, and what waits to be."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.cli.signals import signals_later
from simulator.errors import SimulationError
from simulator.versions import in_one_line

if TYPE_CHECKING:
    from simulator.history import Results
    from simulator.scenarios import Scenario, VariantResult


def refuse_unwritable(out: Path) -> None:
    """Raises SimulationError if a folder cannot be made or written to. It is not made yet."""
    there = next(one for one in (out.absolute(), *out.absolute().parents) if one.exists())
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError as wrong:
        raise SimulationError(f"cannot write to {str(out)!r}: {wrong.strerror}") from None


def made_writable(out: Path, logs: str) -> Path:
    """Make a folder, and in it one for `logs`, which is returned. SimulationError if nothing can be
    written there.
    """
    try:
        (out / logs).mkdir(parents=True, exist_ok=True)
        for folder in (out, out / logs):
            tempfile.TemporaryFile(dir=folder).close()
    except OSError as wrong:
        raise SimulationError(f"cannot write to {str(out)!r}: {wrong.strerror}") from None
    return out / logs


class Kept:
    """The results file, and what could not be written yet: somebody may be looking into the file,
    which locks it, and that must not end the run.
    """

    def __init__(self, results: Results, scenarios: Iterable[Scenario] = ()) -> None:
        self._results = results
        self._scenarios = {scenario.name: scenario for scenario in scenarios}
        self._made_with = in_one_line()
        self.unwritten: list[VariantResult] = []

    def add(self, result: VariantResult) -> str:
        """Write a result and those that wait. Returns what is in the way, else nothing."""
        self.unwritten.append(result)
        return self.write()

    def finish(self) -> str:
        """Write what waits, and put all in the order of their scenarios. Returns as `write`."""
        problem = self.write()
        with suppress(SimulationError), signals_later():  # nothing is lost with the order
            self._results.put_in_order(
                (scenario.name, variant)
                for scenario in self._scenarios.values()
                for variant in scenario.variants
            )
        return problem

    def write(self) -> str:
        """Write what waits. Returns what is in the way, else nothing."""
        try:
            with signals_later():
                self._write_all()
        except SimulationError as wrong:
            return str(wrong)
        return ""

    def _write_all(self) -> None:
        from simulator.scenarios import keep

        while self.unwritten:
            result = self.unwritten[0]
            scenario = self._scenarios.get(result.scenario)
            keep(
                self._results,
                result,
                scenario,
                made_with=self._made_with,
                command=_command(result),
            )
            self.unwritten.pop(0)


def _command(result: VariantResult) -> str:
    name = shlex.quote(result.scenario)
    return f"simulate run {name} --seed {result.seed} --days {result.days:g}"
