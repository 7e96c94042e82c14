"""Masked failures: a parent that is green although its child has failed."""

from datetime import timedelta

from prefect import Flow, flow
from prefect.states import State

from simulator import Simulation
from simulator.lessons.lesson import Change, Exercise, Figures, Knob, counted
from simulator.records import RunRecord

# --- first the question ---------------------------------------------------------------------------

QUESTION = (
    "Each hour a parent loads a batch and cleans up behind it. When the load fails it raises, and"
    " nobody cleans up. So somebody calls it with return_state=True, which raises nothing. What is the"
    " state, from then on, of a parent whose load has failed?"
)
ANSWERS = (
    "Failed, as before: Prefect knows that the child of this run has failed.",
    "Completed: the parent has come to its end, and has not looked at the state.",
    "Crashed: a child has ended badly and nobody has taken its exception.",
)
KNOB = Knob("share", 0.5, "the share of the loads that fail", least=0.0, most=1.0)

# --- what people write ----------------------------------------------------------------------------


@flow
def load() -> None:
    """Bring one batch in."""


@flow(name="clean-up")
def clean_up() -> None:
    """Remove what was landed."""


@flow(name="parent")
def plain_call() -> None:
    load()
    clean_up()


@flow(name="parent")
def state_ignored() -> None:
    loaded = load(return_state=True)
    clean_up()


LANES = {"load()": plain_call, "return_state=True": state_ignored}

# --- what happens ---------------------------------------------------------------------------------

GIVEN = {
    "cron": "0 * * * *",
    "hours": 4,
    "load_takes": timedelta(minutes=20),
    "load_fails_after": timedelta(minutes=15),
    "clean_up_takes": timedelta(minutes=10),
}


def run(sim: Simulation, parent: Flow, share: float) -> None:
    sim.deploy(parent, name="dev", cron=GIVEN["cron"])
    sim.takes("load", GIVEN["load_takes"])
    sim.takes("clean-up", GIVEN["clean_up_takes"])
    broken = ValueError("half a batch")
    sim.fail("load", probability=share, error=broken, after=GIVEN["load_fails_after"])
    sim.advance(hours=GIVEN["hours"])


# --- what came out --------------------------------------------------------------------------------


def figures(sim: Simulation, share: float) -> Figures:
    parents = sim.runs("parent")
    failed = [one for one in parents if any(load.failed for load in _children(one, "load"))]
    return {
        "parents": len(parents),
        "loads that failed": len(failed),
        "of their parents, Failed": sum(one.state == "Failed" for one in failed),
        "of their parents, Completed": sum(one.state == "Completed" for one in failed),
        "other parents, Failed": sum(one.failed for one in parents if one not in failed),
        "parents that cleaned up behind the load": sum(map(_cleaned_up, parents)),
    }


def _children(parent: RunRecord, flow: str) -> list[RunRecord]:
    return [child for child in parent.children if child.flow == flow]


def _cleaned_up(parent: RunRecord) -> bool:
    """Whether it cleaned up when its load was over."""
    loads = _children(parent, "load")
    return any(
        clean_up.completed and all(load.end <= clean_up.start for load in loads)
        for clean_up in _children(parent, "clean-up")
    )


def right(plain: Figures, ignored: Figures) -> int:
    if not ignored["loads that failed"]:
        return 0
    failed, completed = "of their parents, Failed", "of their parents, Completed"
    return {failed: 1, completed: 2}[max(failed, completed, key=ignored.__getitem__)]


def sentence(plain: Figures, second: Figures) -> str:
    def lane(one: Figures) -> str:
        return (
            f"{one['of their parents, Failed']} of {counted(one['loads that failed'], 'failed load')}"
            f" made its parent Failed, and {one['parents that cleaned up behind the load']} of"
            f" {one['parents']} parents cleaned up"
        )

    return f"With a plain call {lane(plain)}; in the other lane {lane(second)}."


# --- now you --------------------------------------------------------------------------------------

CHANGE = Change(
    line="    loaded = load(return_state=True)",
    instead="    load()",
)


@flow(name="parent")
def state_returned() -> State:
    loaded = load(return_state=True)
    clean_up()
    return loaded


def solved(plain: Figures, second: Figures) -> str:
    if not second["loads that failed"]:
        return "no load has failed, so nothing is shown"
    if second["parents that cleaned up behind the load"] < second["parents"]:
        return "a parent has not cleaned up behind its load"
    if second["of their parents, Failed"] < second["loads that failed"]:
        return "a failure is not told by its parent"
    if second["other parents, Failed"]:
        return "a parent is Failed whose load has not failed"
    return ""


EXERCISE = Exercise(
    task="Let every parent clean up behind its load, and let those parents be Failed whose load has"
    " failed, and no other.",
    solved=solved,
    solution=state_returned,
)
