"""What a simulation cannot show rightly is told, once, with the place and the run."""

import inspect
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from prefect import flow, task
from prefect._internal.versioning import get_git_version_info

from simulator import Simulation, caveats
from simulator.caveats import Caveat, Caveats
from simulator.patches.told import tell_of_process
from simulator.places import users_frame


def line() -> int:
    """The line of the caller's caller that is being run."""
    return inspect.currentframe().f_back.f_lineno


def test_tells_each_thing_once_for_a_place() -> None:
    heard: list[Caveat] = []
    collected = Caveats(lambda: "busy-otter", heard.append)
    with collected.collecting():
        for _ in range(3):
            where = f"{__file__}:{line() + 1}"
            caveats.tell("real time", "shows the machine's time")
        caveats.tell("real time", "shows the machine's time", where="elsewhere.py:3", run="")
        caveats.tell("real time", "another thing", where="elsewhere.py:3", run="calm-seal")
    assert list(collected) == [
        Caveat("real time", "shows the machine's time", where, "busy-otter"),
        Caveat("real time", "shows the machine's time", "elsewhere.py:3", ""),
        Caveat("real time", "another thing", "elsewhere.py:3", "calm-seal"),
    ]
    assert heard == list(collected)


@pytest.mark.parametrize(
    ("caveat", "text"),
    [
        (Caveat("real time", "a"), "real time: a"),
        (Caveat("real time", "a", "f.py:3"), "real time: a (f.py:3)"),
        (Caveat("race", "a", "", "calm-seal"), "race: a (run 'calm-seal')"),
        (Caveat("race", "a", "f.py:3", "calm-seal"), "race: a (f.py:3, run 'calm-seal')"),
    ],
)
def test_says_itself_in_a_line(caveat: Caveat, text: str) -> None:
    assert str(caveat) == text


def test_tells_nobody_without_a_simulation() -> None:
    collected = Caveats()
    with collected.collecting():
        pass
    caveats.tell("real time", "a")
    assert list(collected) == []


def written_in(file: str) -> Callable[[Callable[[], FrameType]], FrameType]:
    """A function that calls another, as if it were written in a file."""
    scope: dict[str, Any] = {}
    exec(compile("def call(function): return function()", file, "exec"), scope)
    return scope["call"]


@pytest.mark.parametrize("between", [inspect.__file__, pytest.__file__, "<string>"])
def test_finds_the_users_own_line_under_foreign_code(between: str) -> None:
    frame = written_in(between)(lambda: users_frame(sys._getframe(1)))
    assert frame.f_code is sys._getframe().f_code


def test_code_without_a_file_is_the_users_if_no_other_is() -> None:
    program = "import sys; from simulator.places import users_frame as of\n\nprint(of(sys._getframe()).f_lineno)"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "3"


@task
def tells() -> int:
    caveats.tell("race", "two ends are possible")
    return line() - 1


@flow
def meets_two() -> int:
    caveats.tell("real time", "this is real")
    return tells()


def test_a_run_is_named_and_hears_of_it_in_its_log(simulation: Simulation) -> None:
    assert simulation.caveats == ()
    run = simulation.run(meets_two)
    first = inspect.getsourcelines(meets_two.fn)[1] + 2
    second = inspect.getsourcelines(tells.fn)[1] + 2
    assert simulation.caveats == (
        Caveat("real time", "this is real", f"{__file__}:{first}", run.name),
        Caveat("race", "two ends are possible", f"{__file__}:{second}", run.name),
    )
    told = [record.message for record in run.logs if record.level == 30]
    assert told == [str(caveat) for caveat in simulation.caveats]
    again = simulation.run(meets_two)
    assert len(simulation.caveats) == 2
    assert [record for record in again.logs if record.level == 30] == []


def test_are_there_after_the_end_and_not_in_the_next_one() -> None:
    assert Simulation().caveats == ()
    with Simulation() as first:
        caveats.tell("race", "a")
    with Simulation() as second:
        pass
    assert [caveat.message for caveat in first.caveats] == ["a"]
    assert second.caveats == ()


@flow
def starts_a_process() -> None:
    for _ in range(2):
        subprocess.run([sys.executable, "-c", ""], check=True)


def test_a_process_of_its_own_is_one(simulation: Simulation) -> None:
    assert simulation.run(starts_a_process).state == "Completed"
    (caveat,) = simulation.caveats
    assert caveat.kind == "real time"
    assert Path(sys.executable).name in caveat.message
    line = inspect.getsourcelines(starts_a_process.fn)[1] + 3
    assert caveat.where == f"{__file__}:{line}"


def test_what_prefect_asks_git_for_has_nothing_to_do_with_the_time(simulation: Simulation) -> None:
    @flow
    async def versioned() -> None:
        await get_git_version_info(repository="none")

    simulation.run(versioned)
    assert list(simulation.caveats) == []


def test_stand_under_a_failing_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from simulator import caveats

        def test_fails(simulation):
            caveats.tell("race", "two ends are possible")
            assert False
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:randomly", timeout=240)
    result.stdout.re_match_lines([r"caveat: race: two ends are possible \(.*\.py:4\)"])


@flow
def waits_a_minute():
    time.sleep(60)


def test_a_thread_of_a_script_that_sleeps_beside_the_clock_is_told_of():
    """It sleeps in real time: what it does next comes at any virtual instant."""
    slept = threading.Event()

    def sleeps() -> None:
        while not slept.is_set():
            time.sleep(0.01)

    thread = threading.Thread(target=sleeps)
    with Simulation() as sim:
        thread.start()
        for _ in range(20):
            sim.run(waits_a_minute)
        slept.set()
        thread.join()
        (told,) = sim.caveats
    assert told.kind == "real time"
    assert "a thread that no run has started sleeps in real time" in told.message
    assert told.where.endswith(f"test_caveats.py:{sleeps.__code__.co_firstlineno + 2}")


@pytest.mark.parametrize(
    "command",
    [Path("/bin/true"), "/bin/true", b"/bin/true", ["/bin/true"], (Path("/bin/true"), "-")],
)
def test_a_process_is_told_however_its_command_is_given(command: Any) -> None:
    @flow
    def starts() -> None:
        subprocess.run(command, check=True)

    with Simulation() as sim:
        assert sim.run(starts).state == "Completed"
        [told] = sim.caveats
    assert told.message.startswith("'true' is a process of its own")
    assert "dbtRunner" not in told.message


@pytest.mark.parametrize(
    ("command", "offered"),
    [
        (["dbt", "build"], "dbtRunner"),
        ("/opt/venv/bin/dbt run", "dbtRunner"),
        (["bash", "-c", "cd shop && dbt build"], "dbtRunner"),
        ("cd shop\ndbt build", "dbtRunner"),
        (["uv", "run", "dbt", "build"], "dbtRunner"),
        (["ls", "dbt"], ""),
        (["tool", "--project-dir", "dbt"], ""),
        ("cp dbt /backup/dbt", ""),
        (["dbt-coverage", "compute"], ""),
        (["prefect", "deployment", "run", "shop/prod"], "run_deployment"),
        ([sys.executable, "-m", "prefect", "deployment", "run", "shop/prod"], "run_deployment"),
        (["pip", "install", "prefect"], ""),
    ],
)
def test_who_runs_dbt_or_prefect_by_a_command_is_offered_it_in_this_process(
    command: Any, offered: str
) -> None:
    heard = Caveats()

    @flow
    def starts() -> None:
        with heard.collecting():
            tell_of_process(command)

    with Simulation() as sim:
        assert sim.run(starts).state == "Completed"
    [told] = heard
    assert [one for one in ("dbtRunner", "run_deployment") if one in told.message] == (
        [offered] if offered else []
    )
