"""How `simulate` ends when something goes wrong around it: what is kept, what it says, what it leaves."""

import signal
import subprocess
import sys

import pytest
from test_cli import DAILY, HANGING, PATIENCE, define, project, query, start, wait_for  # noqa: F401

from simulator.cli import call

REAL = """
import os, signal
from prefect import flow
from simulator.scenario import scenario

@flow
def hourly(): ...

@scenario(name="cut-short", question="What is kept?", days=1, variants={"whole": 0, "cut": 1})
def act(sim, variant, days):
    sim.deploy(hourly, name="dev", cron="0 * * * *")
    sim.advance(hours=5.5)
    if variant:
        open("pid", "w").write(f"{os.getpid()}\\n")
        END
    sim.advance(hours=1)
"""


@pytest.mark.parametrize("stdout", [">&-", "> /dev/full", "2>&- >&-", "| true"])
@pytest.mark.parametrize(("text", "code"), [(DAILY, 0), (DAILY.replace("== days", "== 7"), 1)])
def test_without_a_reader_the_results_are_kept_and_the_exit_code_says_what_holds(
    project,  # noqa: F811
    stdout,
    text,
    code,
):
    define(project, a=text)
    command = f"set -o pipefail; {sys.executable} -m simulator.cli run --jobs 2 {stdout}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "")
    kept = query(project, "select variant, passed from variants order by variant")
    assert kept == [("plain", not code), ("with return", not code)]


def test_a_mistake_without_a_reader_is_still_one(project):  # noqa: F811
    command = f"{sys.executable} -m simulator.cli run nobody 2>&- >&-"
    assert subprocess.run(["bash", "-c", command], check=False).returncode == 2


def test_ctrl_c_twice_ends_at_once_as_ctrl_c(project, start):  # noqa: F811
    define(project, a=HANGING.replace("CODE", "time.sleep(600)"))
    process = start("run", "--jobs", "1")
    pids = project / "pids"
    wait_for(lambda: pids.exists() and pids.read_text().count("\n") == 2, process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (130, "")
    assert query(project, "select variant from variants") == [("quick",)]
    assert not list((project / "tmp").iterdir())


def test_a_killed_command_leaves_nothing_that_the_next_one_does_not_remove(project, start):  # noqa: F811
    define(project, a=HANGING.replace("CODE", "time.sleep(600)"))
    process = start("run", "--jobs", "1")
    pids = project / "pids"
    wait_for(lambda: pids.exists() and pids.read_text().count("\n") == 2, process)
    process.kill()
    process.communicate(timeout=PATIENCE)
    assert list((project / "tmp").glob("simulate-*"))
    define(project, a=DAILY)
    assert start("run", "--jobs", "2").wait(PATIENCE) == 0
    assert not list((project / "tmp").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "said"),
    [("os._exit(3)", "exit code 3"), ("os.kill(os.getpid(), 9)", "was ended by SIGKILL")],
)
def test_what_a_dead_variant_had_done_is_in_the_results(project, start, end, said):  # noqa: F811
    (project / "scenarios" / "a.py").write_text(REAL.replace("END", end))
    process = start("run", "--jobs", "2")
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (1, "")
    ((error,),) = query(project, "select error from variants where variant = 'cut'")
    assert said in error
    completed = "select variant, count(*) from flow_runs where state = 'Completed' group by 1"
    assert query(project, f"{completed} order by 1") == [("cut", 5), ("whole", 6)]
    assert query(project, "select count(*) from measures where variant = 'cut'") != [(0,)]


@pytest.mark.slow
def test_what_a_variant_had_done_by_ctrl_c_is_in_the_results(project, start):  # noqa: F811
    (project / "scenarios" / "a.py").write_text(REAL.replace("END", "signal.pause()"))
    process = start("run", "--jobs", "1")
    wait_for(lambda: (project / "pid").exists(), process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (130, "")
    assert out.endswith(
        "Stopped. 1 of 2 variants are in results/results.duckdb, and what 1 more had done by then\n"
        "Page: results/report.html\n"
    )
    assert query(project, "select error from variants where variant = 'cut'") == [
        ("stopped before its end",)
    ]
    completed = "select count(*) from flow_runs where state = 'Completed' and variant = 'cut'"
    assert query(project, completed) == [(5,)]


def test_an_import_that_fails_names_the_users_own_line(project, capfd):  # noqa: F811
    (project / "scenarios" / "mine.py").write_text("\n\nimport json.nowhere\n")
    define(project, a="from scenarios import mine\n" + DAILY)
    assert call(["list"]) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "No module named 'json.nowhere'" in said
    assert "(scenarios/mine.py:3)" in said


def test_an_import_that_fails_inside_of_a_library_names_the_line_that_asked_for_it(project, capfd):  # noqa: F811
    define(project, a=DAILY + "\nimport prefect.main, decimal\ndecimal.Decimal('x')\n")
    assert call(["list"]) == 2
    said = capfd.readouterr().err
    line = (project / "scenarios" / "a.py").read_text().splitlines().index("decimal.Decimal('x')")
    assert f"(scenarios/a.py:{line + 1})" in said
