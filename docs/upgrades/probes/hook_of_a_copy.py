"""A flow that is copied by `with_options`, and a hook that is meant for the copy alone."""

from prefect import flow, task

from simulator.scenario import scenario


@task
def page_somebody():
    """What the hook leaves in the history."""


def note(flow, run, state):
    """A hook of the flow itself."""


@flow(on_completion=[note])
def report():
    """Anything."""


copy = report.with_options(name="report-of-production")


@copy.on_completion
def page(flow, run, state):
    page_somebody()


@scenario(
    name="hook-of-a-copy",
    question="Does a hook that is added to a copy of a flow run for the flow itself?",
    lesson="On Prefect 3.8 it does: the two share one list of hooks. On 3.9 the copy has its own.",
    start="2026-01-05T00:00:00Z",
)
def hook_of_a_copy(sim):
    sim.run(report)
