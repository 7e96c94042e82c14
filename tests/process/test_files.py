"""Which process holds which DuckDB file: what DuckDB says to the others."""

from __future__ import annotations

import subprocess
import sys

import duckdb
import pytest
from prefect import flow

from tests.process import flows_files as flows
from tests.process.test_apart import run_each, values


@pytest.fixture
def path(tmp_path):
    path = str(tmp_path / "held.duckdb")
    duckdb.connect(path).close()
    return path


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ("write", "write", True),
        ("write", "read", True),
        ("read", "write", True),
        ("read", "read", False),
        ("attach", "write", True),
        ("write", "attach", True),
        ("detach", "write", False),
    ],
)
def test_readers_share_and_writers_do_not(sim, path, first, second, refused):
    runs = run_each(
        sim,
        flows.holds,
        [
            {"path": path, "how": first, "seconds": 30},
            {"path": path, "how": second, "seconds": 1, "wait": 5},
        ],
    )
    assert values(runs[0]) == {"holds": first}
    said = values(runs[1])
    if refused:
        assert said["refused"].startswith(f'IO Error: Could not set lock on file "{path}": Conf')
        assert ("in read-only mode" in said["refused"]) == (first == "read")
    else:
        assert said == {"holds": second}


def test_what_a_process_held_is_free_when_it_has_closed_it_or_ended(sim, path):
    first = {"path": path, "how": "close", "seconds": 5}
    second = {"path": path, "how": "write", "seconds": 5, "wait": 8}  # while the first one lives
    third = {
        "path": path,
        "how": "write",
        "seconds": 5,
        "wait": 20,
    }  # when the second one has ended
    runs = run_each(sim, flows.holds, [first, second, third])
    assert [list(values(run)) for run in runs] == [["holds"]] * 3


def test_a_killed_process_holds_nothing(sim, path):
    sim.deploy(flows.holds, name="dev", parameters={"path": path, "seconds": 600})
    run = sim.trigger("holds/dev")
    sim.advance(seconds=10)
    with pytest.raises(duckdb.IOException, match="Could not set lock on file"):
        duckdb.connect(path)
    sim.kill(run)
    duckdb.connect(path).close()


def test_a_real_process_is_refused_and_refuses(sim, path):
    sim.deploy(flows.holds, name="dev", parameters={"path": path, "seconds": 60})
    sim.trigger("holds/dev")
    sim.advance(seconds=10)
    opens = f"import duckdb; con = duckdb.connect({path!r}); print('open', flush=True); input()"
    command = [sys.executable, "-c", opens]
    told = subprocess.run(command, input="\n", capture_output=True, text=True)
    assert "Could not set lock on file" in told.stderr
    sim.advance(minutes=2)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as real:
        assert real.stdout.readline() == "open\n"
        (run,) = run_each(sim, flows.holds, [{"path": path, "seconds": 1}])
        real.stdin.write("\n")
    assert "Could not set lock on file" in values(run)["refused"]


@pytest.mark.parametrize("way", ["first", "set", "close"])
def test_each_has_a_default_connection(sim, tmp_path, way):
    given = [{"path": str(tmp_path / f"{number}.duckdb"), "way": way} for number in range(2)]
    for run in run_each(sim, flows.uses_the_default_connection, given):
        assert values(run) == {"found": "0 False", "has": "3 True", "kept": "2"}
    assert duckdb.sql("select count(*) from duckdb_tables()").fetchall() == [(0,)]


def test_a_file_that_a_default_connection_holds_is_refused_to_others(sim, path):
    uses = {"path": path, "way": "first"}
    run_each(sim, flows.uses_the_default_connection, [uses, uses])
    first, second = sim.runs("uses-the-default-connection")
    assert (first.state, second.state) == ("Completed", "Failed")
    assert "Could not set lock on file" in second.message


def test_a_script_has_the_default_connection_of_the_test(sim):
    @flow
    def makes_a_table():
        duckdb.sql("create table of_a_script as select 7 as i")

    sim.run(makes_a_table)
    assert duckdb.sql("from of_a_script").fetchall() == [(7,)]
    duckdb.sql("drop table of_a_script")
