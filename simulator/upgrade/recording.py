"""Runs scenarios in the environment that it is called in, and writes down how they went.

    python -m simulator.upgrade.recording ORDER INTO

ORDER is a JSON text (see `Order`), INTO a file that is there once everything has been written to it.
Beside it, named `.duckdb`, is a results file, in which each variant is a scenario and this side its
variant. A line on standard output tells of each variant that has ended.
"""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simulator.errors import SimulationError
from simulator.history import Results, normalised_rows
from simulator.scenarios import Finished, VariantResult, keep, load, run_scenarios, select
from simulator.versions import in_one_line


@dataclass(frozen=True)
class Order:
    """Which scenarios are run, under which seed, for how many days (None: as each of them says); what
    this side is called, the command that repeats it all, and the version of this package.
    """

    scenarios: str
    names: list[str]
    seed: int
    days: int | None
    jobs: int
    side: str = ""
    command: str = ""
    version: str | None = None

    def text(self) -> str:
        return json.dumps(asdict(self))


def record(order: Order, into: Path) -> None:
    """Carry out an order. Raises SimulationError for scenarios that cannot be loaded."""
    chosen = select(load(Path(order.scenarios)), order.names)
    by_name = {one.name: one for one in chosen}
    records = []
    file = Results.open(into.with_suffix(".duckdb"))
    with tempfile.TemporaryDirectory(prefix="simulate-") as logs:
        events = run_scenarios(
            chosen, seed=order.seed, days=order.days, jobs=order.jobs, logs=Path(logs), tables=True
        )
        with closing(events):
            for event in events:
                if isinstance(event, Finished):
                    records.append(_written(event.result))
                    keep(
                        file,
                        event.result,
                        by_name[event.result.scenario],
                        made_with=in_one_line(order.version),
                        command=order.command,
                        key=(kept_as(event.result.scenario, event.result.variant), order.side),
                    )
                    print(event.result.scenario, f"[{event.result.variant}]", flush=True)  # noqa: T201
    in_order = [(one.name, variant) for one in chosen for variant in one.variants]
    records.sort(key=lambda one: in_order.index((one["scenario"], one["variant"])))
    part = into.with_suffix(".part")
    part.write_text(json.dumps(records))
    part.replace(into)


def kept_as(scenario: str, variant: str) -> str:
    """What the scenario is called in which both sides of a variant are kept."""
    return f"{scenario} [{variant}]"


def _written(result: VariantResult) -> dict[str, Any]:
    history = result.history
    runs = history.runs() if history is not None else []
    return {
        "scenario": result.scenario,
        "variant": result.variant,
        "error": result.error,
        "verdicts": {verdict.expectation: verdict.passed for verdict in result.verdicts},
        "runs": history.normalised() if history is not None else [],
        "tables": {name: normalised_rows(rows, runs) for name, rows in result.tables.items()},
    }


def main(order: str, into: str) -> int:
    """The program. Exit code 2 for a mistake, told in one line on standard error; 130 for Ctrl-C."""
    try:
        record(Order(**json.loads(order)), Path(into))
    except SimulationError as wrong:
        print(" ".join(str(wrong).split()), file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
