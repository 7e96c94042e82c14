"""What a scenario file imports, such as `scenarios/masked_failure.py`:

    from prefect import flow

    from simulator.scenario import scenario


    @flow
    def child() -> None:
        raise ValueError("boom")


    @flow
    def plain() -> None:
        child()


    @flow
    def masking() -> None:
        child(return_state=True)


    @scenario(
        name="masked-failure",
        question="Does a parent fail with its child?",
        start="2026-01-05T00:00:00Z",
        days=2,
        variants={"plain call": plain, "return_state=True": masking},
    )
    def masked_failure(sim, variant, days):
        sim.deploy(variant, name="dev", cron="0 3 * * *", timezone="UTC")
        sim.advance(days=days)


    @masked_failure.expect("plain call")
    def the_parent_fails(sim, days):
        assert [run.state for run in sim.runs("plain") if run.start] == ["Failed"] * days


    @masked_failure.expect("return_state=True")
    def the_parent_is_completed_all_the_same(sim, days):
        assert [run.state for run in sim.runs("masking") if run.start] == ["Completed"] * days

`simulate run` runs it, each variant in a process of its own. Each run imports the modules of your
project anew, this file too, as the process of a real worker does: what it is to know it gets by
parameters, `sim.setenv` or files. `@scenario(modules="shared")` lets the runs see what the scenario
has made in its own modules, such as a list that they append to; what that makes wrong is told as a
caveat. The code stands in `simulator.scenarios`.
"""

from simulator.scenarios import Scenario, VariantResult, Verdict, run_variant, scenario

__all__ = ["Scenario", "VariantResult", "Verdict", "run_variant", "scenario"]
