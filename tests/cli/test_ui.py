"""`simulate ui` shows a simulation in Prefect's own UI, and leaves nothing behind."""

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from simulator import scenarios
from simulator.cli import call
from simulator.scenarios.databases import keep, kept_as, kept_databases

SCENARIO = """
from prefect import flow
from prefect.deployments import run_deployment
from simulator.scenario import scenario

@flow
def load():
    ...

@flow
def nightly():
    run_deployment("load/dev")

@scenario(name="loading", question="Is it loaded?", start="2026-01-05T00:00:00Z", days=1,
          variants={"as it is": 0, "a, b/c": 1})
def act(sim, days):
    sim.deploy(load, name="dev")
    sim.deploy(nightly, name="dev", cron="0 3,15 * * *", timezone="UTC")
    sim.fail("load", on=[1])
    sim.advance(days=days)
"""
RUNS = [
    ("load", "COMPLETED", "2026-01-05T03"),
    ("load", "FAILED", "2026-01-05T15"),
    ("nightly", "COMPLETED", "2026-01-05T03"),
    ("nightly", "COMPLETED", "2026-01-05T15"),
]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The addresses that the command has printed. At the end Ctrl-C, and nothing is left."""
    folder = tmp_path_factory.mktemp("ui")
    (folder / "scenarios").mkdir()
    (folder / "scenarios" / "loading.py").write_text(SCENARIO)
    with tempfile.TemporaryDirectory() as short:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "simulator.cli",
                "ui",
                "loading",
                "--variant",
                "a, b/c",
                "--json",
            ],
            cwd=folder,
            env=os.environ | {"TMPDIR": short},
            stdout=subprocess.PIPE,
            text=True,
            # Below some shells Ctrl-C is ignored from the start.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        try:
            assert process.stdout is not None
            said = "".join(iter(process.stdout.readline, "}\n")) + "}"
            yield json.loads(said)
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate()
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        assert (process.returncode, rest) == (130, "")
        assert list(Path(short).iterdir()) == []
        with pytest.raises(OSError, match="refused"):
            ask(json.loads(said)["api"] + "/health")


def ask(address: str, filtered: dict[str, Any] | None = None) -> bytes:
    data = None if filtered is None else json.dumps(filtered).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/html"}
    request = urllib.request.Request(address, data, headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request) as answer:
        answered: bytes = answer.read()
        return answered


def test_the_stock_server_answers_with_the_simulated_runs(shown: dict[str, str]) -> None:
    flows = {one["id"]: one["name"] for one in json.loads(ask(f"{shown['api']}/flows/filter", {}))}
    runs = json.loads(ask(f"{shown['api']}/flow_runs/filter", {}))
    lived = [one for one in runs if one["start_time"]]
    ended = [(flows[one["flow_id"]], one["state_type"], one["start_time"][:13]) for one in lived]
    assert sorted(ended) == RUNS
    # Nothing goes on today: what was planned is still so, and nothing is planned for the days to come.
    assert {one["state_name"] for one in runs if not one["start_time"]} == {"Scheduled"}
    assert max(one["expected_start_time"] for one in runs) < "2026-01-10"
    logs = json.loads(ask(f"{shown['api']}/logs/filter", {}))
    assert {one["timestamp"][:10] for one in logs} == {"2026-01-05"}
    settings = json.loads(ask(shown["api"].replace("/api", "/ui-settings")))
    assert settings["api_url"] == shown["api"]
    assert b"<!DOCTYPE html>" in ask(shown["dashboard"])
    assert shown["dashboard"].endswith(
        "/dashboard?type=range&startDate=2026-01-05T00:00:00Z&endDate=2026-01-06T00:00:00Z"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_server_is_told_to_run_none_of_its_services(shown: dict[str, str]) -> None:
    """It would take them a while to change something, which a test cannot wait for."""
    port = shown["api"].removesuffix("/api").rpartition(":")[2]
    started = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            started.append(process.read_text().rstrip("\0").split("\0"))
    [words] = [words for words in started if words[-6:-1] == [
        "start", "--host", "127.0.0.1", "--port", port
    ]]  # fmt: skip
    assert words[-1] == "--no-services"


def test_a_browser_shows_the_dashboard_and_a_run(shown: dict[str, str]) -> None:
    api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if CHROMIUM is None:
        pytest.skip("apt-get install chromium")
    here = shown["api"].removesuffix("/api")
    [failed] = json.loads(
        ask(
            f"{shown['api']}/flow_runs/filter",
            {"flow_runs": {"state": {"type": {"any_": ["FAILED"]}}}},
        )
    )
    asked: list[str] = []
    with api.sync_playwright() as playwright:
        # Without its sandbox, since containers and root cannot have one; the page is Prefect's own.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(timezone_id="UTC").new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(shown["dashboard"])
        page.get_by_text("Jan 5th").first.wait_for()
        page.get_by_text(re.compile(r"4\s*total")).first.wait_for()
        page.goto(f"{here}/runs/flow-run/{failed['id']}")
        page.get_by_text(failed["name"]).first.wait_for()
        page.get_by_text("Failed", exact=True).first.wait_for()
        page.get_by_text("2026/01/05 03:00:").first.wait_for()
        browser.close()
    assert [url for url in asked if not url.startswith((here, f"blob:{here}", "data:"))] == []


def test_a_kept_database_holds_what_was_written_by_then(tmp_path: Path) -> None:
    waiting = ["later"]
    with closing(sqlite3.connect(tmp_path / "prefect.db")) as database:
        database.execute("create table flow_run (name)")

        def history() -> None:
            with database:
                database.execute("insert into flow_run values (?)", waiting)

        place = kept_as(tmp_path / "kept", "loading", "a, b/c", 7)
        place.parent.mkdir()
        keep(SimpleNamespace(history=history, folder=tmp_path), place)  # type: ignore[arg-type]
    assert kept_databases(place.parent) == {("loading", "a, b/c", 7): place}
    with closing(sqlite3.connect(place)) as copy:
        assert copy.execute("select name from flow_run").fetchall() == [("later",)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Some scenarios, and two folders of results: with databases, and without one."""
    monkeypatch.chdir(tmp_path)
    for name in ("scenarios", "kept/databases", "results"):
        Path(name).mkdir(parents=True)
    Path("scenarios/loading.py").write_text(SCENARIO)
    for variant in ("a", "b"):
        kept_as(Path("kept/databases"), "loading", variant, 0).touch()
    return tmp_path


def test_a_run_keeps_databases_if_it_is_asked_to(folder: Path, monkeypatch) -> None:
    def run_scenarios(chosen: list[Any], *, databases: Path | None, **_: Any) -> Iterator[Any]:
        for one in chosen if databases else ():
            kept_as(databases, one.name, "as it is", 7).touch()
        yield from ()

    monkeypatch.setattr(scenarios, "run_scenarios", run_scenarios)
    call(["run", "loading"])
    assert not Path("results/databases").exists()
    call(["run", "loading", "--keep-database"])
    assert list(kept_databases(Path("results/databases"))) == [("loading", "as it is", 7)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["results"],
            "there is no database in 'results': `simulate run --keep-database` keeps them",
        ),
        (
            ["kept"],
            "which one? Say it by --scenario, --variant and --seed: loading [a], seed 0, loading [b]",
        ),
        (
            ["kept", "--variant", "c"],
            "no such variant in 'kept'; there are: loading [a], seed 0, loading [b], seed 0",
        ),
        (["kept", "--days", "3"], "days (3) are of a run: 'kept' is a folder of results"),
        (["loading"], "scenario 'loading' has several variants: --variant 'as it is', 'a, b/c'"),
        (
            ["loading", "--scenario", "x"],
            "--scenario x is of a folder of results: there is none at 'loading'",
        ),
        (["loadin"], "no scenario 'loadin'"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line(folder: Path, arguments: list[str], said: str, capsys) -> None:
    assert call(["ui", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"simulate: {said}")
    assert err.count("\n") == 1
