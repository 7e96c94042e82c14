"""What was killed on purpose says nothing at the close, nor does Python's development mode of all the rest;
and who kills the server of forks ends nothing but what runs.
"""

import subprocess
import sys

SCRIPT = """
import os, time
from prefect import flow, task
from simulator import Simulation

@task
def works(number): time.sleep(600)

@flow
def pools(): [future.wait() for future in [works.submit(number) for number in range(3)]]

@flow
def exits(): works.submit(1); os._exit(3)

with Simulation() as sim:
    for one in (pools, exits):
        sim.deploy(one, "dev")
        sim.trigger(f"{one.name}/dev")
    sim.advance(seconds=60)
    sim.kill(sim.runs("pools")[0])
    sim.advance()
    print([run.state for run in sim.runs()])
"""


def test_what_was_killed_on_purpose_says_nothing_at_the_close(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    strictly = [sys.executable, "-X", "dev", "-W", "error", tmp_path / "script.py"]
    done = subprocess.run(strictly, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("['Crashed', 'Crashed']\n", "")


FORKED = """
import multiprocessing, os, signal, threading
from multiprocessing import forkserver
from simulator.scenarios import start

if __name__ == "__main__":
    forkserver.ensure_running()
    server = forkserver._forkserver._forkserver_pid
    os.kill(server, signal.SIGSTOP)  # so that it is asked, and is killed before it has answered
    threading.Timer(0.5, os.kill, (server, signal.SIGKILL)).start()
    process = multiprocessing.get_context("forkserver").Process(target=print, args=("started",))
    start(process)
    process.join()
"""


def test_a_process_is_started_though_the_server_of_forks_is_killed(tmp_path):
    (tmp_path / "script.py").write_text(FORKED)
    command = [sys.executable, tmp_path / "script.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("started\n", "")
