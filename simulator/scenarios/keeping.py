"""What came out of a variant, written down in a results file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.scenarios.definition import Scenario
from simulator.scenarios.verdict import VariantResult

if TYPE_CHECKING:
    from simulator.history import Results


def keep(
    file: Results,
    result: VariantResult,
    scenario: Scenario | None,
    *,
    made_with: str,
    command: str,
    key: tuple[str, str] | None = None,
) -> None:
    """Add a result, with what its scenario asks and shows, if that is known.

    `key` names the scenario and the variant in the file; None: as they are called. Raises
    SimulationError as `Results.add` does.
    """
    name, variant = key or (result.scenario, result.variant)
    file.add(
        name,
        variant,
        result.seed,
        result.history,
        result.measures,
        result.verdicts,
        error=result.error,
        days=result.days,
        real_seconds=result.real_seconds,
        caveats=result.caveats,
        question=scenario.question if scenario is not None else "",
        lesson=scenario.lesson if scenario is not None else "",
        made_with=made_with,
        command=command,
    )
