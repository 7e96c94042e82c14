"""Reactions to another run's end: by automations of the server, and by a parent."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pipelines import reactions as pipeline
from simulator import Simulation
from simulator.measures import Measure, mean, share
from simulator.records import RunRecord
from simulator.scenario import scenario


@dataclass(frozen=True)
class Variant:
    """Whether automations react, to which bad ends, and with which parameters for the alert."""

    automations: bool = True
    ends: frozenset[str] = frozenset(pipeline.BAD_ENDS)
    scheduled: str = pipeline.SCHEDULED["scheduled"]


EVERY = "automations on every bad end"
FAILED = "automations on Failed"
UNRENDERED = "automations with a bare date in a template"
PARENT = "a parent with except"

# What the four cycles of a day come to, and the minutes that their two parts take.
ENDS = {
    "Failed": (10, 10),
    "Crashed": (10, 10),  # killed in its second part
    "TimedOut": (10, 60),  # after thirty minutes
    "Completed": (10, 10),
}
KILLED_AFTER = timedelta(minutes=15)
POLL = timedelta(seconds=10)


@scenario(
    name="reactions",
    question="Can something react to the end of a run without being its parent?",
    lesson=(
        "Yes: an automation orders a deployment within one poll of the worker, also after a run whose "
        "process has died with the parent in it. It hears only the ends that it names: a trigger for "
        "Failed misses TimedOut and Crashed, and half a batch reaches the mart. If a template does "
        "not render, nothing runs and no run tells: a date alone in braces is such a one."
    ),
    patterns=("P08",),
    variants={
        EVERY: Variant(),
        FAILED: Variant(ends=frozenset({"Failed"})),
        UNRENDERED: Variant(scheduled="{{ flow_run.expected_start_time }}"),
        PARENT: Variant(automations=False),
    },
)
def reactions(sim: Simulation, variant: Variant, days: int) -> None:
    sim.warehouse.keep_open()
    sim.setenv(WAREHOUSE_PATH=sim.warehouse.path)
    with pipeline.connect() as con:
        con.execute(pipeline.MARTS)
    minutes = [minutes for parts in ENDS.values() for minutes in parts]
    sim.takes("fetch-part", [timedelta(minutes=one) for one in minutes * days])
    sim.fail(
        "fetch-part",
        on=[len(minutes) * day + 1 for day in range(days)],
        after=timedelta(minutes=10),
        error=ConnectionError("the shop does not answer"),
    )
    top = pipeline.land_sales if variant.automations else pipeline.land_sales_with_care
    sim.deploy(top, name="dev", cron="30 */6 * * *")
    if variant.automations:
        about = pipeline.ABOUT | {"scheduled": variant.scheduled}
        cleaned = {"scheduled": variant.scheduled}
        bad = pipeline.on_bad_end
        sim.deploy(pipeline.transform_sales, name="dev", triggers=[pipeline.on_completion()])
        sim.deploy(pipeline.cleanup_sales, name="dev", triggers=[bad(cleaned, variant.ends)])
        sim.deploy(pipeline.raise_alert, name="dev", triggers=[bad(about, variant.ends)])
    for day in range(days):
        sim.advance_to(sim.start + timedelta(days=day, hours=6, minutes=30) + KILLED_AFTER)
        sim.kill(sim.runs(top.name)[-1])
        sim.advance_to(sim.start + timedelta(days=day + 1))


def landings(sim: Simulation) -> list[RunRecord]:
    """The runs of ``land-sales``, or those of the parent around it."""
    return [run for run in sim.runs() if run.flow.startswith("land-sales") and run.parent is None]


def ended(sim: Simulation, *ends: str) -> list[str]:
    """The batches of the cycles that came to one of these ends, or to any."""
    names = [end for _ in landings(sim) for end in ENDS]
    return [
        f"{run.scheduled:%Y%m%dT%H%MZ}"
        for run, name in zip(landings(sim), names, strict=False)
        if not ends or name in ends
    ]


def mart(sim: Simulation) -> dict[str, int]:
    """The rows of each batch in the mart."""
    return dict(sim.warehouse.query("select batch_id, count(*) from marts.sales group by 1"))


def alerts(sim: Simulation) -> list[tuple[str, str]]:
    """The batch and the state of each alert."""
    return sim.warehouse.query("select batch_id, state from marts.alerts order by raised_at")


def whole(batches: list[str]) -> dict[str, int]:
    """These batches with all of their rows."""
    return dict.fromkeys(batches, pipeline.ROWS * pipeline.PARTS)


def half(batches: list[str]) -> dict[str, int]:
    """These batches with the rows of their first part."""
    return dict.fromkeys(batches, pipeline.ROWS)


def reaction_delays(sim: Simulation) -> list[timedelta]:
    """From the end of each landing to the start of each reaction to it, in the order of both."""
    delays = []
    for name in ("transform-sales", "cleanup-sales", "raise-alert"):
        for run in sim.runs(name):
            before: list[datetime] = [one.end for one in landings(sim) if one.end <= run.start]
            delays += [run.start - max(before)]
    return delays


@reactions.expect(EVERY, FAILED, UNRENDERED)
def there_are_four_ends_a_day(sim, days):
    assert [run.state for run in landings(sim)] == [*ENDS] * days


@reactions.expect(PARENT)
def the_parent_fails_with_what_it_calls(sim, days):
    expected = ["Failed", "Crashed", "TimedOut", "Completed"]
    assert [run.state for run in landings(sim)] == expected * days


@reactions.expect(EVERY, FAILED, UNRENDERED)
def reactions_are_runs_of_their_own_and_start_within_one_poll(sim):
    for run in sim.runs():
        assert run.parent is None, run
        if run.flow != "land-sales":
            assert run.state == "Completed", run
            assert [state.name for state in run.states] == [
                "Scheduled", "Pending", "Submitting", "Running", "Completed"
            ], run  # fmt: skip
    delays = reaction_delays(sim)
    assert timedelta(0) <= min(delays) <= max(delays) <= POLL


@reactions.expect()
def the_transformation_follows_every_completion(sim, days):
    assert len(sim.runs("transform-sales", state="Completed")) == days
    assert {batch: mart(sim)[batch] for batch in ended(sim, "Completed")} == whole(
        ended(sim, "Completed")
    )


@reactions.expect(EVERY)
def every_bad_end_is_cleaned_up_and_told(sim):
    assert mart(sim) == whole(ended(sim, "Completed"))
    bad = [name for name in ENDS if name != "Completed"]
    assert alerts(sim) == [
        (batch, name)
        for batch, name in zip(ended(sim), [*ENDS] * len(ended(sim)), strict=False)
        if name in bad
    ]


@reactions.expect(FAILED)
def timed_out_and_crashed_runs_pass_unseen(sim):
    assert [batch for batch, _ in alerts(sim)] == ended(sim, "Failed")
    assert mart(sim) == whole(ended(sim, "Completed")) | half(ended(sim, "TimedOut", "Crashed"))


@reactions.expect(UNRENDERED)
def a_template_that_does_not_render_orders_nothing(sim):
    assert not sim.runs("raise-alert")
    assert not sim.runs("cleanup-sales")
    assert mart(sim) == whole(ended(sim, "Completed")) | half(
        ended(sim, "Failed", "TimedOut", "Crashed")
    )


@reactions.expect(PARENT)
def a_parent_reacts_to_everything_but_its_own_death(sim):
    assert [batch for batch, _ in alerts(sim)] == ended(sim, "Failed", "TimedOut")
    assert mart(sim) == whole(ended(sim, "Completed")) | half(ended(sim, "Crashed"))
    for run in landings(sim)[1::4]:
        assert [child.state for child in run.children] == ["Running"], run  # for ever


@reactions.measure
def how_well_it_reacts(sim) -> list[Measure]:
    bad = [run for run in landings(sim) if run.failed]
    partial = sum(rows < pipeline.ROWS * pipeline.PARTS for rows in mart(sim).values())
    delays = [delay.total_seconds() for delay in reaction_delays(sim)]
    return [
        share("bad ends told", len(alerts(sim)), len(bad)),
        share("partial batches in the mart", partial, len(mart(sim))),
        mean("reaction after", delays),
    ]
