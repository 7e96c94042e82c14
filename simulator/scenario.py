"""What a scenario file imports. The code stands in `simulator.scenarios`."""

from simulator.scenarios import Scenario, VariantResult, Verdict, run_variant, scenario

__all__ = ["Scenario", "VariantResult", "Verdict", "run_variant", "scenario"]
