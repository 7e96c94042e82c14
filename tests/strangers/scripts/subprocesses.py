import os
import subprocess
import sys

from prefect import flow, task
from simulator import Simulation


@task
def shell():
    return subprocess.run(["sh", "-c", "echo $GREETING"], capture_output=True, text=True, check=True).stdout.strip()


@task
def python():
    code = "import os; print(os.environ.get('PREFECT_API_URL')); print(os.environ.get('PREFECT_HOME'))"
    return subprocess.check_output([sys.executable, "-c", code], text=True).split()


@task
def fails():
    return subprocess.run(["sh", "-c", "exit 3"], check=True)


@flow
def f():
    bad = fails(return_state=True)
    return shell(), python(), bad.is_failed()


mine = os.environ.get("PREFECT_HOME")
with Simulation() as sim:
    sim.setenv(GREETING="hello")
    run = sim.run(f)
    greeting, (url, home), failed = run.result
    assert url == "http://simulation.invalid/api", url
    assert home == str(sim.folder) != mine, home
    assert run.start == run.end and failed
    print(greeting)
assert os.environ.get("PREFECT_HOME") == mine and "GREETING" not in os.environ
# prints: hello
