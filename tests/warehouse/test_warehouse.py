"""DuckDB and dbt on virtual time: what `simulator.warehouse` promises, and that it is needed.

A guard is a test named `..._is_still_needed`: it fails when the library no longer needs the patch.
"""

import json
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import _duckdb
import dbt.cli.main
import duckdb
import pytest
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.flags import get_flags
from dbt.parser.manifest import ManifestLoader
from prefect import flow, task
from prefect.futures import wait

from simulator import Simulation
from simulator.caveats import Caveats
from simulator.errors import SimulationError
from simulator.faults import Readings
from simulator.history import Journal
from simulator.live.world import LiveWorld
from simulator.patches import dbt as patches_dbt
from simulator.patches import dbt_manifests
from simulator.warehouse import Warehouse, Writes, share_manifests, warehouse_installed
from simulator.warehouse import dbt as warehouse_dbt

START = datetime(2024, 5, 1, 6, 30, tzinfo=UTC)


class Clock:
    """A virtual clock that stands still until told."""

    def __init__(self) -> None:
        self.instant = START

    def __call__(self) -> datetime:
        return self.instant

    def advance(self, **by: float) -> None:
        self.instant += timedelta(**by)


def _writes(journal: Journal) -> Writes:
    return Writes(journal, lambda: None, Readings(lambda: None, journal))


def unread(clock: Clock) -> Writes:
    """Notes of writes that nobody reads."""
    return _writes(Journal(clock))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def virtual(clock: Clock, tmp_path: Path) -> Iterator[Clock]:
    with warehouse_installed(clock, tmp_path, unread(clock)):
        yield clock


def one(con: Any, sql: str) -> Any:
    return con.execute(sql).fetchone()[0]


# --- turns ----------------------------------------------------------------------------------------


def test_a_turn_is_taken_in_order_of_arrival_and_may_be_taken_again() -> None:
    turn, order = patches_dbt.Turn(), []

    def take(number: int) -> None:
        with turn, turn:
            order.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(5)]
    with turn:
        for arrived, thread in enumerate(threads, start=2):
            thread.start()
            while len(turn._queue) < arrived:
                time.sleep(0.001)
        with turn:
            pass
        assert order == []
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]
    assert not turn.held()


def test_who_gives_up_waiting_for_a_turn_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    turn, entered = patches_dbt.Turn(), threading.Event()

    class GivenUp(BaseException): ...

    def give_up() -> None:
        raise GivenUp

    def impatient() -> None:
        with pytest.raises(GivenUp), turn:
            pytest.fail("it was not its turn")
        entered.set()

    with turn:
        monkeypatch.setattr(turn._moved_on, "wait", give_up)
        thread = threading.Thread(target=impatient)
        thread.start()
        thread.join()
        monkeypatch.undo()
    with turn:
        assert entered.is_set()


def test_waiting_for_a_turn_lets_virtual_time_pass() -> None:
    @task
    def hold() -> None:
        with patches_dbt.turn:
            time.sleep(600)

    @flow
    def two_at_once() -> None:
        wait([hold.submit(), hold.submit()])

    with Simulation(start=START) as sim:
        run = sim.run(two_at_once)
        assert run.state == "Completed"
        assert run.end - run.start == pytest.approx(timedelta(minutes=20), abs=timedelta(seconds=1))


# --- the warehouse --------------------------------------------------------------------------------


def test_a_warehouse_reads_and_writes_and_keeps_nothing_open(
    virtual: Clock, tmp_path: Path
) -> None:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    warehouse.execute("create table t as select ? as i, now() as ts", [1])
    assert warehouse.query("select * from t where i = ?", [1]) == [(1, START)]
    assert warehouse.rows("from t") == [{"i": 1, "ts": START}]
    assert elsewhere(warehouse.path) == "opened"
    with pytest.raises(duckdb.CatalogException, match="nope"):
        warehouse.query("from nope")


def test_a_warehouse_is_kept_open_until_the_end_if_one_asks(virtual: Clock, tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    warehouse.keep_open()
    warehouse.keep_open()
    with duckdb.connect(warehouse.path) as con:
        con.execute("create table t as select now() as ts")
    assert "lock" in elsewhere(warehouse.path)
    assert warehouse.query("from t") == [(START,)]
    warehouse.close()
    assert elsewhere(warehouse.path) == "opened"
    assert warehouse.query("from t") == [(START,)]


def test_on_the_live_engine_the_file_is_left_to_the_processes_of_its_flows(tmp_path: Path) -> None:
    world = LiveWorld.__new__(LiveWorld)
    world.folder, world._warehouse = tmp_path, None
    world.warehouse.keep_open()
    assert elsewhere(world.warehouse.path) == "opened"


def test_a_file_locked_by_another_process_is_one_clear_line(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    with locked_elsewhere(warehouse.path), pytest.raises(SimulationError) as error:
        warehouse.query("select 1")
    assert str(warehouse.path) in str(error.value)
    assert "lock" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("call", ["query", "rows", "execute"])
@pytest.mark.parametrize("sql", ["", " ", 5, None])
def test_what_is_no_statement_is_refused_in_one_line(tmp_path: Path, call: str, sql: Any) -> None:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    with pytest.raises(SimulationError, match=r"sql=.* must be text that is not empty$"):
        getattr(warehouse, call)(sql)


@contextmanager
def locked_elsewhere(path: Path) -> Iterator[None]:
    """Let another process hold the file."""
    code = f"import duckdb; con = duckdb.connect({str(path)!r}); print('held', flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        yield
    finally:
        holder.communicate("\n", timeout=30)


def elsewhere(path: Path) -> str:
    """What another process says that opens the file."""
    code = f"import duckdb; duckdb.connect({str(path)!r}); print('opened')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return (run.stdout or run.stderr).strip()


# --- dbt ------------------------------------------------------------------------------------------

PROJECT = {
    "dbt_project.yml": """
        name: shop
        profile: shop
        model-paths: [models]
        snapshot-paths: [snapshots]
        """,
    "profiles.yml": """
        shop:
          target: dev
          outputs:
            dev: {type: duckdb, path: "{{ env_var('SHOP') }}", settings: {TimeZone: UTC}}
        """,
    "models/one.sql": "select 1 as i, now() as built_at",
    "models/eph.sql": "{{ config(materialized='ephemeral') }} select 2 as i",
    "models/two.sql": "{{ config(materialized='table') }} select i from {{ ref('eph') }}",
    "models/bad.sql": "select no_such_column from (select 1 as i)",
    "models/schema.yml": """
        version: 2
        models:
          - name: two
            columns:
              - name: i
                data_tests:
                  - accepted_values: {arguments: {values: [1]}}
        sources:
          - name: raw
            schema: main
            config:
              loaded_at_field: loaded_at
              freshness:
                warn_after: {count: 12, period: hour}
                error_after: {count: 24, period: hour}
            tables: [{name: landed}]
        """,
}


QUIET = ["--log-level", "none", "--log-level-file", "none"]


class Project:
    """A small dbt project on disk over a DuckDB file, and its commands."""

    def __init__(self, folder: Path, database: Path) -> None:
        self.folder, self.database = folder, database
        for name, text in PROJECT.items():
            if not (folder / name).exists():
                self.write(name, text)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def dbt(self, *args: str, **kwargs: Any) -> dbtRunnerResult:
        places = ["--project-dir", str(self.folder), "--profiles-dir", str(self.folder)]
        return dbtRunner(**kwargs).invoke([*args, *places])

    def ok(self, *args: str) -> Any:
        outcome = self.dbt(*args)
        assert outcome.success, outcome
        return outcome.result


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP", str(tmp_path / "shop.duckdb"))
    for variable in ("DBT_PROJECT_DIR", "DBT_PROFILES_DIR", "DBT_TARGET_PATH", "DBT_LOG_LEVEL"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture
def project(environment: None, shared_folder: Path, tmp_path: Path) -> Project:
    """A project to run, the same for all tests, over a file of this test's own."""
    return Project(shared_folder, tmp_path / "shop.duckdb")


@pytest.fixture
def own_project(environment: None, tmp_path: Path) -> Project:
    """A project to change."""
    return Project(tmp_path / "project", tmp_path / "shop.duckdb")


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One entry for each time a project was parsed."""
    parsed: list[None] = []
    load = ManifestLoader.load

    def counting(loader: ManifestLoader) -> Any:
        parsed.append(None)
        return load(loader)

    monkeypatch.setattr(ManifestLoader, "load", counting)
    return parsed


def test_now_is_virtual_in_what_dbt_builds(virtual: Clock, project: Project) -> None:
    project.ok("run", "-s", "one")
    with duckdb.connect(project.database) as con:
        assert one(con, "select built_at from one") == START
        virtual.advance(days=1)
        assert one(con, "select built_at from one") == START + timedelta(days=1)  # a view


def test_source_freshness_is_that_of_virtual_time(virtual: Clock, project: Project) -> None:
    warehouse = Warehouse(project.database)
    warehouse.execute("create table landed as select now() as loaded_at")

    def freshness() -> tuple[str, float]:
        (result,) = project.dbt("source", "freshness").result.results
        return str(result.status), result.age / 3600

    assert freshness() == ("pass", 0)
    virtual.advance(hours=13)
    assert freshness() == ("warn", 13)
    virtual.advance(hours=12)
    assert freshness() == ("error", 25)
    warehouse.execute("insert into landed values (now())")
    assert freshness() == ("pass", 0)


def test_snapshots_are_stamped_with_virtual_time(virtual: Clock, own_project: Project) -> None:
    own_project.write(
        "snapshots/s.yml",
        """
        snapshots:
          - name: history
            relation: source('raw', 'landed')
            config: {unique_key: id, strategy: check, check_cols: [price]}
        """,
    )
    warehouse = Warehouse(own_project.database)
    warehouse.execute("create table landed as select 1 as id, 5 as price, now() as loaded_at")
    own_project.ok("snapshot")
    virtual.advance(days=1)
    warehouse.execute("update landed set price = 6")
    own_project.ok("snapshot")
    first, second = START.replace(tzinfo=None), START.replace(tzinfo=None) + timedelta(days=1)
    rows = warehouse.query("select price, dbt_valid_from, dbt_valid_to from history order by price")
    assert rows == [(5, first, second), (6, second, None)]


def test_another_adapter_is_refused_with_what_to_do_instead(
    virtual: Clock, own_project: Project
) -> None:
    own_project.write(
        "profiles.yml",
        """
        shop:
          target: prod
          outputs:
            prod: {type: postgres, host: db.example.com, user: a, password: b, port: 1, dbname: c, schema: d}
            dev: {type: duckdb, path: "{{ env_var('SHOP') }}"}
        """,
    )
    told = (
        "dbt's adapter 'postgres' does not run in a simulation, only 'duckdb' does: give the profile a"
        " target of that type, or stub the step that calls dbt and say how long it takes"
    )
    heard = Caveats()
    with heard.collecting():
        refused = own_project.dbt("build")
        assert not refused.success
        assert told in str(refused.exception)
        results = [{"execution_time": seconds} for seconds in (30.5, 10.2)]
        own_project.write("target/run_results.json", json.dumps({"results": results}))
        refused = own_project.dbt("build")
        assert f"{told}: its 2 nodes took 41 s (target/run_results.json)" in str(refused.exception)
        assert own_project.dbt("run", "-s", "one", "--target", "dev").success
    assert {one.kind for one in heard} == {"adapter"}


def test_what_dbt_says_of_a_failure_is_unchanged(virtual: Clock, project: Project) -> None:
    failed = project.dbt("build")
    assert not failed.success
    by_status = {str(result.status): result.node.unique_id for result in failed.result.results}
    assert by_status["error"] == "model.shop.bad"
    assert by_status["fail"].startswith("test.shop.accepted_values_two_i")
    assert "No such option" in str(project.dbt("run", "--nope").exception)


def test_what_dbt_builds_fails_to_build_and_skips_is_noted(
    clock: Clock, own_project: Project, tmp_path: Path
) -> None:
    own_project.write("models/behind.sql", "select * from {{ ref('bad') }}")
    own_project.write(
        "models/after.sql",
        "{{ config(materialized='table') }} select * from {{ ref('one') }}, {{ source('raw', 'landed') }}",
    )
    journal = Journal(clock)
    with warehouse_installed(clock, tmp_path, _writes(journal)):
        with duckdb.connect(own_project.database) as con:
            con.execute("create table landed as select 1 as j")
        own_project.dbt("build")
    noted = {note.text: note.details for note in journal.notes}
    assert noted["main.one"] == {"status": "success", "read": []}
    assert noted["main.after"]["read"] == ["main.one", "main.landed"]
    assert noted["main.after"]["rows"] == 1
    assert noted["main.bad"]["status"] == "error"
    assert noted["main.behind"]["status"] == "skipped"
    assert noted["main.behind"]["said"].startswith("bad failed: ")
    assert set(noted) == {
        f"main.{name}" for name in ("landed", "one", "two", "after", "bad", "behind")
    }


def test_what_dbt_measures_is_virtual_time(own_project: Project) -> None:
    results: list[Any] = []

    @flow
    def build() -> None:
        results.extend(own_project.ok("run", "-s", "one").results)

    with Simulation(start=START) as sim:
        assert sim.run(build).state == "Completed"
    (result,) = results
    assert 0 <= result.execution_time < 1
    assert {timing.started_at.date() for timing in result.timing} == {START.date()}


def test_two_threads_take_turns(virtual: Clock, project: Project) -> None:
    events: list[tuple[str, int]] = []

    def note(event: Any) -> None:
        if event.info.name in ("MainReportVersion", "CommandCompleted"):
            events.append((event.info.name, threading.get_ident()))

    outcomes: list[dbtRunnerResult] = []

    def build() -> None:
        outcomes.extend(project.dbt("run", "-s", "one", "two", callbacks=[note]) for _ in range(3))

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.success for outcome in outcomes] == [True] * 6
    begun, ended = events[::2], events[1::2]
    assert {name for name, _ in begun} == {"MainReportVersion"}
    assert {name for name, _ in ended} == {"CommandCompleted"}
    assert [thread for _, thread in begun] == [thread for _, thread in ended]


def test_turns_are_still_needed(project: Project) -> None:
    """A second invocation, on another thread, breaks one that is under way."""
    second: list[dbtRunnerResult] = []

    def meanwhile(event: Any) -> None:
        if event.info.name == "NodeStart" and not second:
            thread = threading.Thread(target=lambda: second.append(project.dbt("ls", *QUIET)))
            thread.start()
            thread.join()

    try:
        first = project.dbt("run", "-s", "one", "two", *QUIET, callbacks=[meanwhile])
    finally:
        patches_dbt.release()
    assert len(second) == 1
    assert not first.success


def test_a_project_is_parsed_once(
    virtual: Clock, own_project: Project, parses: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    own_project.ok("run", "-s", "one")
    own_project.ok("run", "-s", "two")
    assert len(parses) == 1
    own_project.write("models/one.sql", "select 10 as i, now() as built_at")
    own_project.ok("run", "-s", "one")
    assert len(parses) == 2
    warehouse = Warehouse(own_project.database)
    assert warehouse.query("select i from one") == [(10,)]
    own_project.ok("run", "-s", "one", "--vars", "{a: 1}")
    assert len(parses) == 3
    own_project.ok("run", "-s", "one", "--no-partial-parse")
    assert len(parses) == 4
    tmp = own_project.folder.parent
    monkeypatch.setenv("SHOP", str(tmp / "elsewhere" / "shop.duckdb"))
    (tmp / "elsewhere").mkdir()
    own_project.ok("run", "-s", "one")  # the same project over another file of the same name
    assert len(parses) == 4
    monkeypatch.setenv("SHOP", str(tmp / "market.duckdb"))
    own_project.ok("run", "-s", "one")
    assert len(parses) == 5


def test_a_project_is_parsed_again_when_its_environment_changes(
    virtual: Clock, own_project: Project, parses: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = PROJECT["models/schema.yml"].replace(
        "schema: main", "schema: \"{{ env_var('RAW') }}\""
    )
    own_project.write("models/schema.yml", sources)
    own_project.write("models/three.sql", "select * from {{ source('raw', 'landed') }}")
    warehouse = Warehouse(own_project.database)
    for number, schema in enumerate(["first", "second", "first"], start=1):
        monkeypatch.setenv("RAW", schema)
        warehouse.execute(f"create schema if not exists {schema}")
        warehouse.execute(f"create or replace table {schema}.landed as select {number} as number")
        own_project.ok("run", "-s", "three")
        assert warehouse.query("select number from three") == [(number,)]
    assert len(parses) == 2


def test_processes_share_what_one_of_them_has_parsed(
    clock: Clock,
    own_project: Project,
    parses: list[None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def in_a_new_process() -> None:
        monkeypatch.setattr(dbt_manifests, "_manifests", dbt_manifests._Manifests())
        with warehouse_installed(clock, scratch, unread(clock)):
            own_project.ok("run", "-s", "one", "two")
            own_project.ok("run", "-s", "one", "two")

    shared, scratch = tmp_path / "shared", tmp_path / "scratch"
    shared.mkdir()
    monkeypatch.setattr(warehouse_dbt, "_shared", None)
    share_manifests(shared)
    in_a_new_process()
    in_a_new_process()
    assert len(parses) == 1
    own_project.write("models/one.sql", "select 10 as i, now() as built_at")
    in_a_new_process()
    in_a_new_process()
    assert len(parses) == 2
    assert Warehouse(own_project.database).query("select i from one") == [(10,)]
    assert [file.suffix for file in shared.iterdir()] == [".pickle"] * 2


def test_a_model_on_an_ephemeral_one_runs_again(virtual: Clock, project: Project) -> None:
    for _ in range(3):
        project.ok("run", "-s", "two")


def test_nodes_of_their_own_are_still_needed(virtual: Clock, own_project: Project) -> None:
    manifest = own_project.ok("parse")
    assert own_project.dbt("run", "-s", "two", manifest=manifest).success
    assert not own_project.dbt("run", "-s", "two", manifest=manifest).success


def test_parsing_once_is_still_needed(own_project: Project, parses: list[None]) -> None:
    own_project.ok("run", "-s", "one", *QUIET)
    own_project.ok("run", "-s", "one", *QUIET)
    patches_dbt.release()
    assert len(parses) == 2


def test_dbt_is_quiet_and_writes_nothing_into_the_project(
    virtual: Clock, own_project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    files = set(own_project.folder.rglob("*"))
    own_project.ok("run", "-s", "one")
    assert capfd.readouterr().out == ""
    assert set(own_project.folder.rglob("*")) == files


def test_options_that_the_user_gave_are_kept(
    virtual: Clock,
    own_project: Project,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    own_project.ok(
        "run", "-s", "one", "--log-level", "info", "--write-json", "--target-path", "mine"
    )
    assert "one" in capfd.readouterr().out
    assert (own_project.folder / "mine" / "run_results.json").exists()
    monkeypatch.setenv("DBT_LOG_LEVEL", "info")
    own_project.ok("run", "-s", "one")
    assert "one" in capfd.readouterr().out
    assert not (tmp_path / "dbt" / "target" / "manifest.json").exists()
    own_project.ok("parse")
    assert (tmp_path / "dbt" / "target" / "manifest.json").exists()


def test_simulated_use_is_not_reported(
    virtual: Clock, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBT_SEND_ANONYMOUS_USAGE_STATS", "true")
    project.ok("ls")
    assert not get_flags().SEND_ANONYMOUS_USAGE_STATS


@pytest.mark.parametrize("command", ["debug", "deps", "clean", "ls", "compile", "source freshness"])
def test_every_command_takes_what_is_added(virtual: Clock, project: Project, command: str) -> None:
    outcome = project.dbt(*command.split())
    assert not isinstance(outcome.exception, dbt.cli.main.DbtUsageException)


def test_ctrl_c_is_raised(
    virtual: Clock, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dbt.cli.main.cli, "invoke", interrupted)
    with pytest.raises(KeyboardInterrupt):
        project.dbt("run")


def test_raising_ctrl_c_is_still_needed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dbt.cli.main.cli, "invoke", interrupted)
    assert isinstance(project.dbt("run").exception, KeyboardInterrupt)


def test_closing_interrupts_what_dbt_is_running(virtual: Clock, own_project: Project) -> None:
    forever = "select 1 as i from range(9999999), range(9999999)"
    own_project.write("models/long.sql", "{{ config(materialized='table') }} " + forever)
    begun, outcomes = threading.Event(), []

    def note(event: Any) -> None:
        if event.info.name == "NodeStart":
            threading.Timer(0.5, begun.set).start()

    def run() -> None:
        outcomes.append(own_project.dbt("run", "-s", "long", callbacks=[note]))

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait()
    Warehouse(own_project.database).close()
    thread.join()
    assert "Interrupt" in outcomes[0].result.results[0].message
    own_project.ok("run", "-s", "two")


def test_the_file_that_dbt_keeps_open_may_be_opened_read_only(
    virtual: Clock, project: Project
) -> None:
    project.ok("run", "-s", "two")
    with duckdb.connect(project.database, read_only=True) as con:
        assert con.execute("from two").fetchall() == [(2,)]
    project.ok("run", "-s", "two")


def test_releasing_the_file_is_still_needed(project: Project) -> None:
    project.ok("run", "-s", "two", *QUIET)
    try:
        with pytest.raises(duckdb.ConnectionException, match="different configuration"):
            duckdb.connect(project.database, read_only=True)
    finally:
        patches_dbt.release()


def test_a_connection_that_conflicts_with_another_says_so(virtual: Clock, tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "a.duckdb"):
        with pytest.raises(duckdb.ConnectionException, match="different configuration"):
            duckdb.connect(tmp_path / "a.duckdb", read_only=True)


def test_closing_a_warehouse_lets_go_of_dbts_file(virtual: Clock, project: Project) -> None:
    warehouse = Warehouse(project.database)
    project.ok("run", "-s", "two")
    assert "lock" in elsewhere(warehouse.path)
    warehouse.close()
    assert elsewhere(warehouse.path) == "opened"


def test_everything_is_as_before_at_the_end(clock: Clock, project: Project, tmp_path: Path) -> None:
    def patched() -> list[Any]:
        connection = duckdb.DuckDBPyConnection
        names = ("execute", "executemany", "begin", "_prepare_script", "_submit")
        return [
            *(vars(connection)[name] for name in names),
            *(getattr(duckdb, name) for name in ("connect", "execute", "executemany", "begin")),
            duckdb.default_connection,
            _duckdb.default_connection,
            dbtRunner.invoke,
            vars(ManifestLoader)["get_full_manifest"],
        ]

    before = patched()

    def leave_by_an_error() -> None:
        with warehouse_installed(clock, tmp_path, unread(clock)):
            project.ok("run", "-s", "two")
            assert not any(a is b for a, b in zip(before, patched(), strict=True))
            raise LookupError

    with pytest.raises(LookupError):
        leave_by_an_error()
    assert all(a is b for a, b in zip(before, patched(), strict=True))
    assert elsewhere(tmp_path / "shop.duckdb") == "opened"
