"""The example in the docstring of `simulator.scenario` runs as it stands."""

import textwrap
from pathlib import Path

import simulator.scenario
from simulator.scenarios import load, run_variant


def example() -> str:
    """The part of the docstring that is indented."""
    [_, *blocks, _] = simulator.scenario.__doc__.split("\n\n")
    return textwrap.dedent("\n\n".join(blocks))


def test_each_variant_of_the_example_holds(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "masked_failure.py").write_text(example())
    [scenario] = load(tmp_path / "scenarios")
    for variant in scenario.variants:
        result = run_variant(scenario, variant)
        assert result.passed, result.lines()
        assert len(result.verdicts) == 1
