"""What an operating system gives to each process, each simulated process has for itself."""

from __future__ import annotations

import gc
import logging
import os
import random
import signal
import subprocess
import sys
import threading

import pytest

from simulator import Simulation
from tests.process import flows_apart as flows


def printed(run):
    return [
        line.message
        for line in run.logs
        if line.logger == "prefect.flow_runs"
        and line.level == logging.INFO  # and no caveat
        and not line.message.startswith(("Beginning", "Finished"))
    ]


def values(run):
    """What a run has printed, by the first word of each line."""
    return dict(line.partition(" ")[::2] for line in printed(run))


def run_each(sim, flow, each, minutes=2, **options):
    """Runs of a flow that overlap, one for each parameters; their records, in that order."""
    for number, parameters in enumerate(each):
        sim.deploy(flow, name=f"d{number}", parameters=parameters, **options)
    ids = [sim.trigger(f"{flow.name}/d{number}") for number in range(len(each))]
    sim.advance(minutes=minutes)
    return [sim.history().run(one) for one in ids]


def run_one(sim, flow, minutes=2, job_variables=None, **parameters):
    (run,) = run_each(sim, flow, [parameters], minutes, job_variables=job_variables)
    return run


# -- environment -----------------------------------------------------------------------------------


def test_what_one_sets_in_its_environment_no_other_sees(sim):
    sim.setenv(TARGET="of the simulation")
    before = dict(os.environ)
    runs = run_each(sim, flows.changes_its_environment, [{"target": "dev"}, {"target": "prod"}])
    for run, target in zip(runs, ("dev", "prod"), strict=True):
        assert values(run) == {
            "child": f"{target} {target}",
            "own": f"{target} {target} None",
            "gone": "False None",
            "shell": "none",
            "system": "768",
        }
    os.environ.pop("PREFECT__WORKER_NAME")  # Prefect's worker, no simulated process, sets it
    assert dict(os.environ) == before
    child = subprocess.run(flows.SHOW, capture_output=True, text=True)
    assert child.stdout.strip() == "of the simulation None"


def test_a_deployments_variables_are_seen_everywhere_in_its_process(sim):
    sim.setenv(TARGET="of the simulation")
    job = {"env": {"TARGET": "of the job", "ADDED": "too"}}
    run = run_one(sim, flows.reads_everywhere, job_variables=job)
    assert values(run) == {"task": "of the job of the job", "thread": "of the job"}
    run = run_one(sim, flows.reads_in_async, job_variables=job)
    assert values(run) == {"loop": "of the job of the job", "child": "of the job too"}
    assert values(run_one(sim, flows.reads_everywhere))["thread"] == "of the simulation"


def test_settings_of_prefect_come_from_the_environment_of_each(sim):
    sim.setenv(PREFECT_TASKS_DEFAULT_RETRIES="2")
    job = {"env": {"PREFECT_TASKS_DEFAULT_RETRIES": "5", "PREFECT_LOGGING_LEVEL": "DEBUG"}}
    assert values(run_one(sim, flows.reads_its_settings, job_variables=job)) == {
        "retries": "5 DEBUG",
        "run": "True",
        "thread": "5",
    }
    assert values(run_one(sim, flows.reads_its_settings))["retries"] == "2 INFO"


# -- the working directory -------------------------------------------------------------------------


def test_each_has_a_working_directory(sim, tmp_path):
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    here = os.getcwd()
    runs = run_each(sim, flows.changes_directory, [{"folder": str(folder)} for folder in folders])
    for run, folder in zip(runs, folders, strict=True):
        assert values(run) == {"cwd": f"{folder} {folder} {folder}", "thread": str(folder)}
        assert (folder / "here.txt").exists()
    assert os.getcwd() == here


def test_a_deployment_may_say_where_it_begins(sim, tmp_path):
    job = {"working_dir": str(tmp_path)}
    run = run_one(sim, flows.changes_directory, job_variables=job, folder=".")
    assert values(run)["cwd"].split() == [str(tmp_path)] * 3


# -- output ----------------------------------------------------------------------------------------


def test_each_redirects_its_own_output(sim, tmp_path, capsys):
    sim.setenv(OUT=tmp_path)
    run_each(sim, flows.redirects, [{"name": "one"}, {"name": "two"}])
    for name in ("one", "two"):
        text = (tmp_path / f"{name}.txt").read_text()
        assert text == f"{name} begins\n{name} ends\n{name} out\n"
    print("of the test")
    assert capsys.readouterr().out == "of the test\n"


def test_prints_of_overlapping_tasks_are_in_the_log_of_each(sim):
    run = run_one(sim, flows.says_in_tasks)
    for task, word in zip(run.tasks, ("a", "b"), strict=True):
        said = [line.message for line in run.logs if line.task_run_id == task.id]
        assert [line for line in said if line.startswith("said")] == [
            f"said {word}",
            f"said {word} again",
        ]


# -- logging ---------------------------------------------------------------------------------------


def test_each_sets_up_logging_for_itself(sim):
    handlers = list(logging.getLogger().handlers)
    loud, quiet = run_each(sim, flows.sets_up_logging, [{"name": "loud"}, {"name": "quiet"}])
    assert "['loud debug', 'loud error', 'loud last'] 3" in values(loud)["kept"]
    assert "['quiet error'] 1" in values(quiet)["kept"]
    assert logging.getLogger().handlers == handlers
    assert logging.getLogger("project").level == logging.NOTSET
    assert logging.root.manager.disable == 0


# -- random numbers --------------------------------------------------------------------------------


def test_each_draws_its_own_numbers_and_the_seed_repeats_them():
    def draw(seed):
        with Simulation(seed=seed) as sim:
            return [values(run)["drawn"] for run in run_each(sim, flows.draws, [{}, {}])]

    first = draw(1)
    assert len({number for line in first for number in line.split()}) == 10
    assert draw(1) == first
    assert draw(2) != first


def test_a_seed_is_the_process_s_own():
    state = random.getstate()
    with Simulation() as sim:
        for run in run_each(sim, flows.seeds, [{}, {}]):
            drawn, other = values(run)["seeded"].split()
            assert drawn == other == values(run)["again"]
    assert random.getstate() == state
    assert type(random._inst) is random.Random


# -- signals ---------------------------------------------------------------------------------------


def test_an_alarm_counts_virtual_seconds_in_each(sim):
    for run, seconds in zip(
        run_each(sim, flows.gives_up_after, [{"seconds": 5}, {"seconds": 9}]), (5, 9), strict=True
    ):
        assert values(run) == {"after": str(seconds)}


def test_a_handler_that_returns_lets_the_wait_go_on(sim):
    assert values(run_one(sim, flows.ticks)) == {
        "slept": "10 ticked [2, 5, 8]",
        "left": "1",
        "paused": "14",
    }


def test_a_loop_hears_of_signals(sim):
    assert values(run_one(sim, flows.hears_on_its_loop)) == {"heard": "3 True"}


def test_a_signal_that_nobody_handles_ends_the_process(sim):
    run = run_one(sim, flows.is_not_asked)
    assert run.state == "Crashed"
    assert "-1" in run.message


def test_who_ignores_sigterm_goes_on(sim):
    sim.deploy(flows.ignores_sigterm, name="dev")
    run = sim.trigger("ignores-sigterm/dev")
    sim.advance(seconds=5)
    sim.kill(run, exit_code=-15)
    sim.advance(minutes=1)
    assert sim.history().run(run).state == "Completed"


def test_signals_belong_to_the_main_thread(sim):
    run = run_one(sim, flows.sets_a_handler_in_a_thread)
    assert run.state == "Failed"
    assert "signal only works in main thread" in run.message


def test_nothing_of_it_is_left(sim):
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    run_one(sim, flows.gives_up_after, seconds=5)
    assert {number: signal.getsignal(number) for number in signal.valid_signals()} == handlers
    assert threading.main_thread() is threading.current_thread()


# -- the end ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "notes"),
    [
        (
            "return",
            ["flow 0", "thread 20", "never 20", "last registered 20", "first registered 20"],
        ),
        ("unregister", ["flow 0", "thread 20"]),
        ("exit", ["flow 0", "thread 20", "never 20", "last registered 20", "first registered 20"]),
        ("_exit", ["flow 0"]),
    ],
)
def test_a_process_ends_in_order(sim, tmp_path, how, notes):
    sim.setenv(OUT=tmp_path)
    sim.advance(seconds=sim.now.timestamp() % 1000 and 1000 - sim.now.timestamp() % 1000)
    run_one(sim, flows.leaves_notes, how=how)
    assert (tmp_path / "notes.txt").read_text().splitlines() == notes


@pytest.mark.parametrize(("how", "code"), [("works", 5), ("execs", 6), ("returns", 70)])
def test_a_child_of_fork_has_a_clear_end(sim, tmp_path, how, code, capfd):
    job = {"env": {"TARGET": "of the job", "OUT": str(tmp_path)}}
    run = run_one(sim, flows.forks, job_variables=job, how=how)
    assert run.state == "Completed"
    assert values(run)["child"] == str(code)
    assert (tmp_path / "child.txt").exists() == (how == "works")
    assert ("no part of" in capfd.readouterr().err) == (how == "returns")
    try:
        ended = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:  # no children at all; other tests may have left servers of forks
        ended = (0, 0)
    assert ended == (0, 0)


def test_a_foreign_process_that_is_asked_for_by_its_number_takes_the_time_that_it_takes(sim):
    run = run_one(sim, flows.waits_for_a_foreign_process)
    assert 1 <= (run.end - run.start).total_seconds() <= 10


@pytest.mark.parametrize("way", ["close", "with", "detach", "wrap"])
def test_a_stream_is_closed_for_its_own_process_alone(sim, capsys, way):
    other = "close" if way == "wrap" else "wrap"
    own, _ = run_each(sim, flows.closes_its_output, [{"way": way}, {"way": other}])
    assert own.state == "Completed"
    closed = way in ("close", "with")
    assert values(own)["closed"].startswith(str(closed))
    assert ("refused" in values(own)) == closed
    gc.collect()
    assert not sys.stdout.closed
    assert not sys.stderr.closed
    capsys.readouterr()
    print("still there")
    assert capsys.readouterr().out == "still there\n"
