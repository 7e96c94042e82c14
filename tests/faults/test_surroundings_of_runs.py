"""Files, tables and deployments that somebody changes while runs go on."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from prefect import Flow, flow

from simulator import Simulation, SimulationError
from simulator.errors import SilentFault
from simulator.faults import (
    DeploymentPaused,
    FileDamaged,
    Redeployed,
    TableAltered,
    WarehouseLocked,
)

T0 = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECOND_HOUR = (T0 + 1.5 * HOUR, T0 + 2.5 * HOUR)

SEEN: list[object] = []


@flow
def reads(path: str):
    SEEN.append(json.loads(Path(path).read_text()))


@flow
def counts(warehouse: str):
    with duckdb.connect(warehouse) as con:
        SEEN.append(con.execute("select sum(amount) from orders").fetchone()[0])


@flow
def says(word: str = "old"):
    time.sleep(600)
    SEEN.append(word)


@pytest.fixture
def sim():
    SEEN.clear()
    with Simulation(start=T0) as opened:
        yield opened


@pytest.mark.parametrize(
    ("how", "left"),
    [("partial", "[1"), ("empty", ""), ("doubled", "[1]  [1]  "), ("garbled", "{[1]  ")],
)
def test_a_file_is_damaged_for_a_while(sim, tmp_path, how, left):
    file = tmp_path / "feed.json"
    file.write_text("[1]  " if how != "partial" else "[1] ")
    sim.inject(FileDamaged(path=str(file), how=how, between=SECOND_HOUR))
    sim.advance(hours=2)
    assert file.read_text() == left
    sim.advance(hours=1)
    assert json.loads(file.read_text()) == [1]


def test_a_file_is_late_and_a_run_fails_for_it(sim, tmp_path):
    file = tmp_path / "feed.json"
    file.write_text("[1]")
    sim.deploy(reads, name="dev", cron="0 * * * *", parameters={"path": str(file)})
    sim.inject(FileDamaged(path=file, how="missing", between=SECOND_HOUR))
    sim.advance(hours=3.5)
    assert [run.state for run in sim.runs("reads")] == ["Completed", "Failed", "Completed"]
    assert [sim.explain("reads", number).fault for number in (0, 1, 2)] == [None, 0, None]
    (struck,) = [note for note in sim.history().notes if note.kind == "fault"]
    assert (struck.at, struck.until) == SECOND_HOUR


def test_what_a_run_has_written_meanwhile_stays(sim, tmp_path):
    file = tmp_path / "feed.json"
    file.write_text("[1]")
    sim.inject(FileDamaged(path=file, how="empty", between=SECOND_HOUR))
    sim.advance(hours=2)
    file.write_text("[2]")
    sim.advance(hours=1)
    assert file.read_text() == "[2]"


@pytest.mark.parametrize("when", [{"at": T0 + HOUR}, {"between": (T0 + HOUR, T0 + 9 * HOUR)}])
def test_no_file_stays_damaged_when_the_simulation_ends(tmp_path, when):
    file, written = tmp_path / "feed.json", tmp_path / "other.json"
    file.write_text("[1]")
    written.write_text("[1]")
    with Simulation(start=T0) as sim:
        sim.inject([FileDamaged(path=one, how="missing", **when) for one in (file, written)])
        sim.advance(hours=2)
        assert not file.exists()
        written.write_text("[2]")
    assert (file.read_text(), written.read_text()) == ("[1]", "[2]")


def test_a_file_that_is_not_there_is_not_struck(tmp_path):
    def live() -> None:
        with Simulation(start=T0) as sim:
            sim.inject(FileDamaged(path=tmp_path / "nothing.json", how="empty", at=T0 + HOUR))
            sim.advance(hours=2)

    with pytest.warns(SilentFault, match=r"has never struck: lets .*nothing.json be empty"):
        live()


def test_a_warehouse_that_somebody_has_open_is_refused_to_runs(sim):
    sim.warehouse.execute("create table orders as select 7 as amount")
    where = {"warehouse": str(sim.warehouse.path)}
    sim.deploy(counts, name="dev", cron="0 * * * *", parameters=where)
    sim.inject(WarehouseLocked(between=SECOND_HOUR))
    sim.advance(hours=3.5)
    first, second, third = sim.runs("counts")
    assert [run.state for run in (first, second, third)] == ["Completed", "Failed", "Completed"]
    assert "Conflicting lock is held" in second.message
    assert [sim.explain(run).fault for run in (first, second, third)] == [None, 0, None]


def test_a_column_is_renamed_under_a_run(sim):
    sim.warehouse.execute("create table orders as select 7 as amount")
    where = {"warehouse": str(sim.warehouse.path)}
    sim.deploy(counts, name="dev", cron="0 * * * *", parameters=where)
    sim.inject(TableAltered(table="orders", change="rename amount to total", at=T0 + 1.5 * HOUR))
    sim.advance(hours=2.5)
    assert [run.state for run in sim.runs("counts")] == ["Completed", "Failed"]
    assert SEEN == [7]
    assert sim.explain("counts").fault == 0


def test_a_run_that_cannot_read_the_half_of_a_file_fails_for_it(sim, tmp_path):
    file = tmp_path / "feed.json"
    file.write_text("[1, 2]")
    sim.deploy(reads, name="dev", cron="0 * * * *", parameters={"path": str(file)})
    sim.inject(FileDamaged(path=file, at=T0 + 1.5 * HOUR))
    sim.advance(hours=2.5)
    assert [run.state for run in sim.runs("reads")] == ["Completed", "Failed"]
    assert sim.explain("reads").fault == 0


def test_a_table_that_cannot_be_altered_is_one_line(sim):
    sim.inject(TableAltered(table="nothing", change="drop column a", at=T0 + HOUR))
    with pytest.raises(SimulationError, match="alters table nothing: drop column a: Catalog Error"):
        sim.advance(hours=2)


def test_a_deployment_is_paused_and_resumed(sim):
    sim.deploy(says, name="dev", cron="0 * * * *")
    sim.inject(DeploymentPaused(deployment="says/dev", between=SECOND_HOUR))
    sim.advance(hours=4.5)
    assert [run.scheduled - T0 for run in sim.runs("says")] == [HOUR, 3 * HOUR, 4 * HOUR]


def test_a_deployment_is_changed_while_a_run_goes_on(sim):
    sim.deploy(says, name="dev")
    sim.inject(Redeployed(deployment="says/dev", parameters={"word": "new"}, at=T0 + 5 * MINUTE))
    for minutes in (1, 20):
        sim.trigger("says/dev")
        sim.advance(minutes=minutes)
    assert SEEN == ["old", "old"]
    sim.trigger("says/dev")
    sim.advance(minutes=20)
    assert SEEN[2:] == ["new"]


NEW = """
from prefect import flow
from prefect.states import Completed

@flow
def says(word: str = "new"):
    return Completed(message=f"{word}, by other code")
"""

BROKEN = """
from prefect import flow

@flow
def says(word: str = "new"):
    raise ValueError(word)
"""


def test_a_run_that_goes_on_keeps_its_code_and_the_next_one_has_other_code(sim, tmp_path):
    (tmp_path / "flows.py").write_text(NEW)
    sim.deploy(says, name="dev", parameters={"word": "old"})
    new = {"entrypoint": "flows.py:says", "path": tmp_path, "parameters": {"word": "new"}}
    when = (T0 + 5 * MINUTE, T0 + 35 * MINUTE)
    sim.inject(Redeployed(deployment="says/dev", between=when, **new))
    sim.trigger("says/dev", at=T0 + 15 * MINUTE)  # ordered before, begun after
    for _ in range(3):
        sim.trigger("says/dev")
        sim.advance(minutes=20)
    assert SEEN == ["old", "old"]
    said = [run.message for run in sorted(sim.runs("says"), key=lambda run: run.start)]
    assert said == [None, "old, by other code", "new, by other code", None]


def test_code_that_lies_in_a_folder_comes_from_another_one(sim, tmp_path):
    for word, code in (("old", NEW), ("new", BROKEN)):
        (tmp_path / word).mkdir()
        (tmp_path / word / "flows.py").write_text(code)
    sim.work_pool("default")
    source = Flow.from_source(str(tmp_path / "old"), "flows.py:says")
    source.deploy("dev", work_pool_name="default", parameters={"word": "same"})
    sim.inject(Redeployed(deployment="says/dev", path=tmp_path / "new", at=T0 + 5 * MINUTE))
    for _ in range(2):
        sim.trigger("says/dev")
        sim.advance(minutes=10)
    assert [run.state for run in sim.runs("says")] == ["Completed", "Failed"]


def test_a_run_that_fails_of_other_code_is_explained_by_it(sim, tmp_path):
    (tmp_path / "flows.py").write_text(BROKEN)
    sim.deploy(says, name="dev", cron="0 * * * *")
    sim.inject(
        {
            "kind": "redeployed",
            "deployment": "says/dev",
            "entrypoint": "flows.py:says",
            "path": str(tmp_path),
            "between": [one.isoformat() for one in SECOND_HOUR],
        }
    )
    sim.advance(hours=3.5)
    assert [run.state for run in sim.runs("says")] == ["Completed", "Failed", "Completed"]
    assert [sim.explain("says", number).fault for number in (0, 1, 2)] == [None, 0, None]


def test_of_two_with_code_from_one_file_each_is_explained_by_its_own_fault(sim, tmp_path):
    (tmp_path / "flows.py").write_text(BROKEN)
    for name in ("first", "second"):
        sim.deploy(says, name=name)
    new = {"entrypoint": "flows.py:says", "path": tmp_path, "at": T0 + MINUTE}
    sim.inject([Redeployed(deployment=f"says/{name}", **new) for name in ("first", "second")])
    for name in ("first", "second"):
        sim.trigger(f"says/{name}", at=T0 + 2 * MINUTE)
    sim.advance(minutes=5)
    causes = {run.deployment: sim.explain(run).fault for run in sim.runs("says")}
    assert causes == {"says/first": 0, "says/second": 1}


def test_a_deployment_is_given_another_schedule_and_has_its_own_again(sim):
    sim.deploy(says, name="dev", cron="0 * * * *")
    new = {"cron": "45 9-11 * * *", "timezone": "Asia/Tokyo"}  # nine hours before it is so in UTC
    sim.inject(Redeployed(deployment="says/dev", between=SECOND_HOUR, **new))
    sim.advance(hours=4.5)
    due = [(run.scheduled - T0) / HOUR for run in sim.runs("says")]
    assert due == [1, 1.75, 3, 4]


def test_a_schedule_that_cannot_be_is_refused(sim):
    sim.deploy(says, name="dev")
    for new, said in (
        ({"cron": "61 * * * *"}, "cron='61 . . . .', timezone=None: "),
        ({"cron": "0 * * * *", "timezone": "Europe/Pairs"}, "timezone='Europe/Pairs': "),
    ):
        with pytest.raises(SimulationError, match=said):
            sim.inject(Redeployed(deployment="says/dev", at=T0 + HOUR, **new))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (DeploymentPaused(deployment="says/dve", at=T0), "no deployment 'says/dve': did you mean"),
        (
            Redeployed(deployment="says/dve", parameters={}, at=T0),
            "no deployment 'says/dve': did you mean 'says/dev'",
        ),
    ],
)
def test_what_is_not_there_is_refused(sim, fault, said):
    sim.deploy(says, name="dev")
    with pytest.raises(SimulationError, match=said):
        sim.inject(fault)


def test_an_altered_table_stays_so():
    with pytest.raises(SimulationError, match="table altered of 'orders' needs at=instant"):
        TableAltered(table="orders", change="drop column a", between=SECOND_HOUR)
