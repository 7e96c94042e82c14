"""The live engine: the calls of a simulation on a real server, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import pytest
from prefect import flow

from simulator import Simulation, SimulationError, UnsupportedOperation
from simulator.faults import ReturnEarlier
from simulator.live.world import LiveServer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@flow
def live_child(number: int = 0) -> int:
    return number


@flow
def live_parent() -> None:
    live_child(1, return_state=True)
    live_child(2, return_state=True)


@pytest.fixture(scope="module")
def server():
    with LiveServer({"PREFECT_WORKER_QUERY_SECONDS": 1}) as server:
        yield server


def test_a_script_with_faults_and_durations(server):
    with Simulation.live(server) as sim:
        sim.takes("live-child", timedelta(seconds=1))
        sim.fail("live-child", on=[1])
        run = sim.run(live_parent)
    assert [child.state for child in run.children] == ["Completed", "Failed"]
    assert (run.children[0].end - run.children[0].start).total_seconds() >= 1


def test_what_a_step_has_returned_before_is_known_to_no_process(server):
    with Simulation.live(server) as sim, pytest.raises(UnsupportedOperation, match="no process"):
        sim.inject(ReturnEarlier(step="live-child"))


def test_what_runs_in_its_processes_imports_no_server():
    """As in a process of a stock worker, where it would take longer than all else."""
    asked = "import sys, simulator.ordered.__main__; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    imported = done.stdout.split()
    assert "prefect.context" in imported
    assert not [name for name in imported if name.split(".")[0] in ("fastapi", "duckdb", "dbt")]
    assert not [name for name in imported if name.startswith("simulator.server")]


def test_a_run_of_a_deployment_is_killed(server):
    with Simulation.live(server) as sim:
        sim.takes("live-child", timedelta(seconds=120))
        sim.deploy(live_child, "killed")
        run = sim.trigger("live-child/killed")
        _until(lambda: sim.history().run(run).state == "Running")
        sim.kill(run)
        _until(lambda: sim.history().run(run).final)
        assert sim.history().run(run).state == "Crashed"


def test_one_simulation_does_not_see_the_runs_of_another(server):
    with Simulation.live(server) as one, Simulation.live(server) as other:
        one.run(live_parent)
        assert len(one.runs()) == 3
        assert other.runs() == []


def test_environment_reaches_the_flows(server):
    with Simulation.live(server) as sim:
        sim.setenv(LIVE_TEST="seen")
        assert sim.run(tells_variable).message == "seen"
    assert "LIVE_TEST" not in os.environ


@flow
def tells_variable():
    from prefect.states import Completed

    return Completed(message=os.environ["LIVE_TEST"])


def test_temporary_files_of_a_worker_go_with_the_server(server):
    with Simulation.live(server) as sim:
        sim.deploy(tells_folder, "dev")
        run = sim.trigger("tells-folder/dev")
        _until(lambda: sim.history().run(run).final)
        assert sim.history().run(run).message == str(server.folder)


@flow
def tells_folder():
    from prefect.states import Completed

    return Completed(message=tempfile.gettempdir())


def test_a_worker_ends_though_a_shell_lets_everything_ignore_sigint(server):
    """As `make conformance &` in a script does; Prefect's worker turns SIGTERM into SIGINT."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Simulation.live(server) as sim:
            sim.deploy(live_child, "ignored", work_pool="ignoring")
            sim.trigger("live-child/ignored")
            _until(lambda: bool(sim.runs("live-child", state="Completed")))
            sim.stop_worker("ignoring")
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_flow_that_others_cannot_import_is_refused(server):
    @flow
    def local() -> None: ...

    with Simulation.live(server) as sim:
        with pytest.raises(SimulationError, match="'local' is not what other processes find"):
            sim.run(local)


def test_settings_belong_to_the_server(server):
    with pytest.raises(SimulationError, match="give them to LiveServer"):
        Simulation.live(server, settings={"PREFECT_WORKER_QUERY_SECONDS": 1})


def test_a_setting_that_is_not_there():
    with pytest.raises(
        SimulationError, match=r"no setting of Prefect .* named 'PREFECT_NO_SUCH_SETTING'"
    ):
        with LiveServer({"PREFECT_NO_SUCH_SETTING": 1}):
            pass


def test_an_exit_code_that_is_no_signal(server):
    with Simulation.live(server) as sim:
        run = sim.run(live_child)
        with pytest.raises(SimulationError, match="exit_code=3 must be that of a signal"):
            sim.kill(run, 3)
        with pytest.raises(SimulationError, match="no worker runs"):
            sim.kill(run)


INTERRUPTED = """
import signal, sys
from simulator.live import LiveServer
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below some shells
with LiveServer() as server:
    print(server.folder, *[process.pid for process in server.processes], flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGKILL])
def test_an_end_by_force_leaves_nothing_behind(signal_number):
    script = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        text=True,
    )
    folder, *pids = script.stdout.readline().split()
    assert Path(folder).exists()
    assert pids
    script.send_signal(signal_number)
    script.wait(30)
    script.stdin.close()
    script.stdout.close()
    _until(lambda: not Path(folder).exists() and not any(_alive(int(pid)) for pid in pids), 30)


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return (
        Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path("/proc").exists() else True
    )


def _until(happened, seconds=120):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.5)  # between two looks at a real server: nothing is asserted of it
