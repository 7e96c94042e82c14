"""The simulator under attack: topologies made up at random, and a killed `simulate run`.

Four small topologies and a kill here; `python -m tests.attack` takes any number, and docs/reliability.md
has what came of many.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from simulator.faults import KINDS, DiskFull, FileDamaged, NodeFails, TableAltered, WarehouseLocked
from simulator.history import Note, RunRecord
from tests.attack.__main__ import PAGE, main, page
from tests.attack.attacking import attacked, by_several, digest
from tests.attack.kills import Kills, campaign
from tests.attack.laws import LAWS, broken
from tests.attack.running import Lived, live
from tests.attack.topologies import START, Node, Topology, name, topology

SEEDS = range(1, 5)


@pytest.mark.slow
def test_topologies_made_up_at_random_are_as_they_must_be():
    attack = attacked(SEEDS, repeat=4, most=8)
    assert attack.broken == {}
    assert attack.repeated == 1
    assert len(attack.fired) > 2


@pytest.mark.slow
def test_a_killed_run_leaves_readable_results_and_nothing_else(tmp_path):
    kills = campaign(tmp_path, range(1, 2))
    assert kills.broken == []
    assert kills.points == 1


@pytest.mark.slow
def test_several_processes_find_what_one_finds():
    one, two = attacked(range(5, 7), repeat=0, most=3), by_several(range(5, 7), 0, 3, jobs=2)
    assert replace(one, seconds=0) == replace(two, seconds=0)


def test_a_seed_is_always_the_same_topology():
    assert topology.__wrapped__(7) == topology(7)
    assert len({topology(seed) for seed in range(1, 20)}) == 19


OF_DATA = {DiskFull, FileDamaged, NodeFails, TableAltered, WarehouseLocked}
"""Kinds of faults that need files, tables or dbt, which made-up flows have not."""


def test_every_edge_and_every_kind_of_fault_is_drawn():
    some = [topology(seed) for seed in range(1, 120)]
    hows = {how for one in some for node in one.nodes for _, how in node.calls}
    assert hows == {"subflow", "caught", "in a task", "deployment", "fired", "after"}
    assert {type(fault) for one in some for fault in one.faults} == set(KINDS.values()) - OF_DATA
    assert {len(one.nodes) for one in some} >= {2, 10, 20}


@pytest.fixture(scope="module")
def lived():
    """A parent with a child that waits for its limit, every hour."""
    parent = Node(seconds=20, calls=((1, "deployment"),), every_minutes=60)
    return live(Topology((parent, Node(seconds=60, limit=1))))


def changed(lived: Lived, flow: str, notes: list[Note] | None = None, **changes: object) -> Lived:
    """The same, but for the first run of a flow, and with these notes."""
    history = lived.history
    first = next(run for run in history.runs() if run.flow == flow)
    runs = [replace(run, **changes) if run is first else run for run in history.runs()]
    return replace(lived, history=_Fake(runs, notes or []))


def struck(kind: str, run: RunRecord, at: datetime, **details: object) -> list[Note]:
    """What is noted of a fault that struck a run once."""
    of = {"fault": 0, **details}
    return [
        Note(0, "injected", START, details={"fault": 0, "plain": {"kind": kind}}),
        Note(1, "fault", at, run_id=run.id, details=of),
    ]


class _Fake:
    def __init__(self, runs: list[RunRecord], notes: list[Note]) -> None:
        self._runs = runs
        self.notes = notes
        self.upcoming: list[RunRecord] = []

    def runs(self, *, upcoming: bool = False) -> list[RunRecord]:
        return [run for run in self._runs if upcoming or run not in self.upcoming]


def test_what_is_as_it_must_be_breaks_no_law(lived):
    assert broken(lived) == []
    assert Counter(run.flow for run in lived.history.runs() if run.completed)[name(1)] >= 3


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("law", "lie"),
    [
        ("time_never_runs_back", lambda run: {"states": run.states[::-1]}),
        ("time_never_runs_back", lambda run: {"start": run.end + HOUR}),
        (
            "no_transition_that_prefect_forbids",
            lambda run: {"states": run.states + run.states[-2:]},
        ),
        ("every_scheduled_run_is_accounted_for", lambda run: {"scheduled": START + 2 * HOUR}),
        ("who_has_not_ended_was_kept_from_it", lambda run: {"state_type": "RUNNING"}),
    ],
)
def test_a_lie_breaks_the_law(lived, law, lie):
    first = next(run for run in lived.history.runs() if run.flow == name(0))
    assert law in {said.partition(":")[0] for said in broken(changed(lived, name(0), **lie(first)))}


def test_a_child_that_outlives_its_parent_breaks_the_law(lived):
    parent = next(run for run in lived.history.runs() if run.children)
    lie = changed(lived, name(0), end=parent.children[0].end - timedelta(seconds=1))
    laws = {said.partition(":")[0] for said in broken(lie)}
    assert "a_child_ends_before_a_parent_that_waits_for_it" in laws


@pytest.mark.parametrize(
    ("kind", "request_", "within", "lawful"),
    [
        ("answer lost", "POST /deployments/1/create_flow_run", True, True),
        ("answer lost", "POST /flow_runs/", True, True),
        ("answer lost", "POST /flow_runs/1/set_state", True, False),
        ("api slow", "POST /flow_runs/", True, False),
        ("answer lost", "POST /flow_runs/", False, False),
    ],
)
def test_a_parent_need_not_wait_for_an_order_that_it_made_twice(
    lived, kind, request_, within, lawful
):
    parent = next(run for run in lived.history.runs() if run.children)
    at = parent.start if within else parent.start - timedelta(seconds=1)
    notes = struck(kind, parent, at, request=request_)
    end = parent.children[0].end - timedelta(seconds=1)
    assert (broken(changed(lived, name(0), notes, end=end)) == []) == lawful


@pytest.mark.parametrize(
    ("kind", "route", "lawful"),
    [
        ("api limited", "set_state", True),
        ("api limited", "resume", False),
        ("api slow", "set_state", False),
    ],
)
def test_a_parent_need_not_wait_for_who_was_not_let_begin(lived, kind, route, lawful):
    parent = next(run for run in lived.history.runs() if run.children)
    child = replace(parent.children[0], start=None, end=None, state_type="PENDING")
    request = f"POST /flow_runs/{child.id}/{route}"
    notes = struck(kind, parent, parent.start, request=request)
    links = SimpleNamespace(children={parent.id: (child,)})
    lie = changed(lived, name(0), notes, links=links)
    assert (not any("waits_for_it" in said for said in broken(lie))) == lawful


def test_a_parent_need_not_wait_for_what_an_earlier_attempt_has_called(lived):
    parent = next(run for run in lived.history.runs() if run.children)
    child, last = parent.children[0], parent.states[-1]
    later = child.start + timedelta(seconds=1)
    again = [
        replace(last, name="AwaitingRetry", type="SCHEDULED", timestamp=later),
        replace(last, name="Running", type="RUNNING", timestamp=later),
    ]
    end = child.end - timedelta(seconds=1)
    states = (*parent.states[:-1], *again, replace(last, timestamp=end))
    assert broken(changed(lived, name(0), states=states, end=end)) == []


def test_slots_that_are_not_given_back_and_runs_beyond_a_limit_break_the_law(lived):
    (said,) = broken(replace(lived, slots={name(1): 1}))
    assert said == f"slots_are_given_back: 1 slots of {name(1)} are taken, by nobody"
    first, second, *_ = [run for run in lived.history.runs() if run.flow == name(1)]
    states = tuple(
        replace(state, timestamp=state.timestamp + (second.start - first.start))
        for state in first.states
    )
    (said,) = broken(changed(lived, name(1), states=states))
    assert said == f"slots_are_given_back: 2 runs of {name(1)} at once, with a limit of 1"


@pytest.mark.parametrize(("caller", "lawful"), [("worker", True), ("flow", False)])
def test_a_run_is_taken_twice_only_if_a_request_of_a_worker_was_delayed(lived, caller, lawful):
    first = next(run for run in lived.history.runs() if run.flow == name(1))
    again = [state for state in first.states if state.type not in {"SCHEDULED"}]
    states = (*first.states, *(replace(one, timestamp=first.end) for one in again))
    notes = struck("api limited", first, first.start, caller=caller)
    assert (broken(changed(lived, name(1), notes, states=states)) == []) == lawful


@pytest.mark.parametrize(("dies", "lawful"), [(True, True), (False, False)])
def test_a_run_whose_process_was_killed_holds_no_slot(lived, dies, lawful):
    first = next(run for run in lived.history.runs() if run.flow == name(1))
    notes = struck("worker killed", first, first.start, process=dies)
    lie = changed(lived, name(1), notes, states=first.states[:-1])
    assert (broken(lie) == []) == lawful


def test_a_run_that_is_taken_ahead_of_its_time_holds_a_slot(lived):
    first = next(run for run in lived.history.runs() if run.flow == name(1))
    taken = [state for state in first.states if state.type in {"SCHEDULED", "PENDING"}]
    lie = changed(lived, name(1), states=tuple(taken), state_type="PENDING", start=None, end=None)
    ahead = next(run for run in lie.history.runs() if run.id == first.id)
    lie.history.upcoming.append(ahead)
    said = broken(replace(lie, slots={name(1): 1}))
    assert not any(one.startswith("slots_are_given_back") for one in said)


def test_what_is_left_behind_breaks_the_law(lived):
    assert broken(replace(lived, left=["a thread"])) == ["nothing_is_left_behind: a thread"]


def test_another_history_has_another_digest(lived):
    lie = changed(lived, name(0), scheduled=START)
    assert digest(lie.history) != digest(lived.history)


def test_the_page_says_what_came_of_it():
    attack = attacked(range(0), repeat=1)
    attack.seeds = range(3, 5)
    attack.broken = {4: ["time_never_runs_back: it did"]}
    text = page(attack, Kills(points=2, broken=["results-1: a traceback"]))
    assert "**1 of 2 were against any of it.**" in text
    assert "- seed 4: time_never_runs_back: it did" in text
    assert "- results-1: a traceback" in text
    assert len(LAWS) == text.count("\n- ") - 3


def test_the_page_that_is_kept_is_of_this_program():
    kept = Path(PAGE).read_text()
    for check in LAWS:
        assert f"- {check.__name__.replace('_', ' ')}" in kept
    assert "were against any of it.**" in kept


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--examples", "many"], "invalid int value: 'many'"),
        (["--part", "3/2"], "'3/2' is no part such as 1/2 or 2/2"),
        (
            ["--examples", "0", "--kills", "0", "--part", "1/2", "--write"],
            "--write is for all examples and kills, not for a part",
        ),
    ],
)
def test_wrong_arguments_are_refused(capsys, arguments, said):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
