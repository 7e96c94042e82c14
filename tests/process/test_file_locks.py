"""Locks of files between runs: as between processes, on virtual time."""

from __future__ import annotations

import subprocess
import sys

import pytest

from simulator.errors import Deadlock
from tests.process import flows_file_locks as flows
from tests.process.test_apart import printed, run_each, run_one

WAYS = [
    "flock", "lockf", "fcntl", "filelock", "os.lockf", "of an open file", "as in Python's manual",
    *flows.WAYS,
]  # fmt: skip


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.lock"
    path.write_text("0" * 100)
    return str(path)


def said(sim, path, *each):
    runs = run_each(sim, flows.locks, [{"path": path, **parameters} for parameters in each])
    return [printed(run) for run in runs]


@pytest.mark.parametrize("how", WAYS)
def test_one_waits_in_virtual_time_until_the_other_unlocks(sim, path, how):
    first = {"how": how, "seconds": 30, "end": "unlocks"}
    assert said(sim, path, first, {"how": how, "wait": 5}) == [
        ["locked after 0"],
        ["locked after 25"],
    ]


@pytest.mark.parametrize("end", ["", "raises", "exits"])
@pytest.mark.parametrize("how", ["flock", "lockf"])
def test_what_a_run_held_is_free_at_its_end(sim, path, how, end):
    first = {"how": how, "seconds": 30, "end": end}
    assert said(sim, path, first, {"how": how, "wait": 5})[1] == ["locked after 25"]


@pytest.mark.parametrize("how", ["flock", "lockf", "filelock"])
def test_a_killed_run_holds_nothing(sim, path, how):
    sim.deploy(flows.locks, name="first", parameters={"path": path, "how": how, "seconds": 600})
    sim.deploy(flows.locks, name="second", parameters={"path": path, "how": how, "wait": 5})
    first, second = sim.trigger("locks/first"), sim.trigger("locks/second")
    sim.advance(seconds=30)
    assert printed(sim.history().run(second)) == []
    sim.kill(first)
    sim.advance(seconds=30)
    assert printed(sim.history().run(second))[0].startswith("locked after")


@pytest.mark.parametrize(
    ("how", "second", "answer"),
    [
        ("flock", {"nb": True}, "BlockingIOError after 0"),
        ("lockf", {"nb": True}, "BlockingIOError after 0"),
        ("fcntl", {"nb": True}, "BlockingIOError after 0"),
        ("os.lockf", {"nb": True}, "BlockingIOError after 0"),
        ("filelock", {"timeout": 0}, "Timeout after 0"),
        ("filelock", {"timeout": 10}, "Timeout after 10"),
        ("filelock", {"timeout": 40}, "locked after 25"),
    ],
)
def test_who_does_not_want_to_wait_is_refused(sim, path, how, second, answer):
    first = {"how": how, "seconds": 30}
    assert said(sim, path, first, {"how": how, "wait": 5, **second})[1] == [answer]


@pytest.mark.parametrize("how", ["flock", "lockf"])
def test_readers_share_and_keep_out_writers(sim, path, how):
    reader, writer = {"how": how, "shared": True, "seconds": 20}, {"how": how, "wait": 10}
    later = {"how": how, "shared": True, "wait": 5, "seconds": 20}
    answers = said(sim, path, reader, later, writer)
    assert answers == [["locked after 0"], ["locked after 0"], ["locked after 15"]]


def test_they_get_it_in_the_order_in_which_they_came(sim, path):
    each = [{"how": "flock", "wait": number, "seconds": 10} for number in range(4)]
    assert said(sim, path, *each) == [[f"locked after {9 * number}"] for number in range(4)]


def test_parts_of_a_file_belong_to_the_process(sim, path):
    each = [
        {"path": path, "start": 0},
        {"path": path, "start": 5, "wait": 5},
        {"path": path, "start": 50},
        {"path": path, "start": 5, "wait": 15},  # the first one has unlocked it
    ]
    runs = run_each(sim, flows.locks_in_parts, each)
    both = ["True locked", "False locked"]
    assert [printed(run) for run in runs] == [both, ["True refused", "False refused"], both, both]


def test_who_asks_is_told_of_the_locks_of_others_alone(sim, path):
    others, own = run_each(
        sim, flows.asks_for_locks, [{"path": path}, {"path": path, "holds": True}]
    )
    assert printed(others) == ["0 free", "may lock", "10 True 0 10 10 True", "may not lock"]
    assert printed(own) == ["0 free", "may lock", "10 free", "may lock"]


def test_threads_of_one_run_that_open_a_file_each_take_turns(sim, path):
    assert printed(run_one(sim, flows.locks_among_tasks, path=path)) == ["took 60"]


def test_runs_that_wait_for_each_other_are_named(sim, tmp_path):
    paths = [str(tmp_path / "a"), str(tmp_path / "b")]
    each = [dict(zip(("first", "second"), order, strict=True)) for order in (paths, paths[::-1])]
    with pytest.raises(Deadlock, match="locks_two"):
        run_each(sim, flows.locks_two, each)


HOLDS = """
import fcntl, sys, time
file = open(sys.argv[1], 'r+')
getattr(fcntl, sys.argv[2])(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
print('locked', flush=True)
time.sleep(float(sys.argv[3]))
"""


@pytest.mark.parametrize("how", ["flock", "lockf"])
def test_a_real_process_is_refused_and_refuses(sim, path, how):
    sim.deploy(flows.locks, name="dev", parameters={"path": path, "how": how, "seconds": 60})
    sim.trigger("locks/dev")
    sim.advance(seconds=10)
    real = [sys.executable, "-c", HOLDS, path, how, "0"]
    assert "BlockingIOError" in subprocess.run(real, capture_output=True, text=True).stderr
    sim.advance(minutes=2)
    real[-1] = "60"
    with subprocess.Popen(real, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        assert said(sim, path, {"how": how, "nb": True}) == [["BlockingIOError after 0"]]
        process.kill()


@pytest.mark.parametrize("how", ["flock", "lockf"])
def test_a_real_process_is_waited_for_in_real_time(sim, path, how):
    real = [sys.executable, "-c", HOLDS, path, how, "0.5"]
    with subprocess.Popen(real, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        assert said(sim, path, {"how": how}) == [["locked after 0"]]


@pytest.mark.parametrize("how", ["flock", "lockf", "fcntl", "os.lockf", "of an open file"])
def test_a_test_that_waits_lets_time_pass(sim, path, how):
    sim.deploy(flows.locks, name="dev", parameters={"path": path, "how": how, "seconds": 60})
    sim.trigger("locks/dev")
    sim.advance(seconds=20)
    began = sim.now
    unlock = flows.take(path, how, nb=False, shared=False, timeout=-1)
    assert 30 < (sim.now - began).total_seconds() < 60
    unlock()
