"""The user's own Prefect is never touched: profile, database, environment, server, network.

Each test runs a script in a process of its own, with a home of its own.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
from prefect.settings import Settings

from simulator.cache import cache_folder

REPOSITORY = Path(__file__).resolve().parent.parent
PROFILES = """\
active = "mine"

[profiles.mine]
PREFECT_API_URL = "http://127.0.0.1:9/api"
PREFECT_API_KEY = "pnu_secret"
"""

# What a user's module looks like: flows, and Prefect imported before anything else.
FLOWS = """
import time
from prefect import flow, task
from prefect.deployments import run_deployment

@task(log_prints=True)
def work():
    print("working")
    time.sleep(600)

@flow
def child():
    work()

@flow
def parent():
    run_deployment("child/dev")
"""

SIMULATION = """
def simulate():
    from simulator import Simulation
    with Simulation(start="2026-01-05T00:00:00Z") as sim:
        sim.deploy(child, name="dev")
        sim.deploy(parent, name="dev", cron="0 * * * *", concurrency_limit=1)
        sim.advance(hours=1, minutes=30)
        sim.warehouse.query("select 1")
        runs = sim.runs("parent")
        assert [run.state for run in runs] == ["Completed"], runs
        assert len(sim.runs("child", state="Completed")) == 1
        assert "working" in [line.message for run in sim.runs("child") for line in run.logs]
        return sim.folder
"""


@pytest.fixture
def home(tmp_path):
    for name in ("home", "prefect", "tmp", "work"):
        (tmp_path / name).mkdir()
    (tmp_path / "prefect" / "profiles.toml").write_text(PROFILES)
    return tmp_path


def run(home: Path, script: str, cwd: Path | None = None, **environment: str) -> dict:
    """Run a script in `home`, or in `cwd`; it prints one line of JSON as its last one."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PREFECT") and name not in ("HOME", "TMPDIR")
    }
    env = {
        **kept,
        "HOME": str(home / "home"),
        "TMPDIR": str(home / "tmp"),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SIMULATOR_CACHE": str(cache_folder()),
        "DO_NOT_TRACK": "1",
        **environment,
    }
    file = home / "work" / "script.py"
    file.write_text(FLOWS + SIMULATION + textwrap.dedent(script))
    done = subprocess.run(
        [sys.executable, str(file)],
        cwd=cwd or home / "work",
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def contents(folder: Path) -> list[str]:
    files = [file.relative_to(folder) for file in folder.rglob("*") if file.is_file()]
    return sorted(str(file) for file in files if "__pycache__" not in file.parts)


HOSTILE = {
    "PREFECT_API_URL": "http://127.0.0.1:9/api",
    "PREFECT_API_KEY": "pnu_secret",
    "PREFECT_API_AUTH_STRING": "user:password",
    "PREFECT_SERVER_API_AUTH_STRING": "user:password",
    "PREFECT_PROFILE": "mine",
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "PREFECT_MESSAGING_CACHE": "nowhere.cache",
    "PREFECT_CLIENT_CUSTOM_HEADERS": '{"X-Mine": "1"}',
}


def test_nothing_of_the_user_is_read_written_or_called(home):
    told = run(
        home,
        """
        import json, os, sys, threading
        from prefect.settings import get_current_settings
        # What modules ask of the machine while they are imported is theirs.
        import simulator.server, simulator.server.services, simulator.warehouse, simulator.worker

        called = []
        def note(event, arguments):
            if event in ("socket.connect", "socket.bind", "socket.getaddrinfo"):
                called.append([event, repr(arguments[1:])])
            if event == "sqlite3.connect":
                called.append([event, str(arguments[0])])
            if event in ("subprocess.Popen", "os.fork", "os.posix_spawn"):
                called.append([event, str(arguments[0]) if arguments else ""])

        environment, settings = dict(os.environ), get_current_settings().hash_key()
        threads = set(threading.enumerate())
        sys.addaudithook(note)
        folder = simulate()
        assert dict(os.environ) == environment
        assert get_current_settings().hash_key() == settings
        left = [one.name for one in threading.enumerate() if one not in threads]
        print(json.dumps({"called": called, "left": left, "folder": str(folder)}))
        """,
        PREFECT_API_DATABASE_CONNECTION_URL=f"sqlite+aiosqlite:///{home / 'mine.db'}",
        **HOSTILE,
    )
    assert told["left"] == []
    inside = {
        ("sqlite3.connect", ":memory:"),
        ("subprocess.Popen", "git"),
        # urllib3 looks whether this machine has IPv6 when it is imported, and listens to nobody.
        ("socket.bind", "(('::1', 0),)"),
    }
    outside = [
        (event, target)
        for event, target in told["called"]
        if not (event == "sqlite3.connect" and told["folder"] in target)
    ]
    # A deployment asks git for the version of the code, as Prefect's own does.
    assert set(map(tuple, outside)) <= inside
    assert len(told["called"]) > len(outside)  # it was listened to
    assert contents(home) == ["prefect/profiles.toml", "work/script.py"]
    assert (home / "prefect" / "profiles.toml").read_text() == PROFILES


def test_another_profile_is_not_chosen_by_the_simulation(home):
    told = run(
        home,
        """
        import json
        from prefect.context import get_settings_context
        from prefect.settings import PREFECT_API_KEY, PREFECT_API_URL

        before = get_settings_context().profile.name, PREFECT_API_URL.value()
        simulate()
        after = get_settings_context().profile.name, PREFECT_API_URL.value()
        print(json.dumps({"before": before, "after": after, "key": PREFECT_API_KEY.value()}))
        """,
    )
    assert told["before"] == told["after"] == ["mine", "http://127.0.0.1:9/api"]
    assert told["key"] == "pnu_secret"


def test_a_user_who_has_called_flows_before_goes_on_with_their_own_server(home):
    (home / "prefect" / "profiles.toml").unlink()
    told = run(
        home,
        """
        import json
        from prefect import flow

        @flow
        def mine(index: int):
            pass

        mine(1)
        from prefect.settings import PREFECT_HOME

        def count():
            import sqlite3
            database = sqlite3.connect(PREFECT_HOME.value() / "prefect.db")
            return database.execute("select count(*) from flow_run").fetchone()[0], (
                database.execute("select count(*) from deployment").fetchone()[0]
            )

        before = count()
        simulate()
        between = count()
        mine(2)
        simulate()
        mine(3)
        print(json.dumps({"before": before, "between": between, "after": count()}))
        """,
        PREFECT_SERVER_ALLOW_EPHEMERAL_MODE="true",
        PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="200",  # a machine may be busy
    )
    assert told == {"before": [1, 0], "between": [1, 0], "after": [3, 0]}
    with sqlite3.connect(home / "prefect" / "prefect.db") as database:
        flows = [name for (name,) in database.execute("select name from flow")]
    assert flows == ["mine"]


def test_a_profile_has_no_say_in_what_the_projects_own_flows_do(home):
    """`pyproject.toml` says what scenarios and tests rely on; in another folder the profile holds."""
    (home / "prefect" / "profiles.toml").write_text(
        PROFILES
        + "PREFECT_FLOWS_DEFAULT_RETRIES = 2\nPREFECT_FLOWS_DEFAULT_RETRY_DELAY_SECONDS = 5\n"
        + "PREFECT_TASKS_DEFAULT_RETRIES = 3\nPREFECT_TASKS_DEFAULT_RETRY_DELAY_SECONDS = 7\n"
        + "PREFECT_RESULTS_PERSIST_BY_DEFAULT = true\n"
        + "PREFECT_TASKS_REFRESH_CACHE = true\nPREFECT_TASKS_DEFAULT_NO_CACHE = true\n"
        + "PREFECT_TASKS_DISABLE_CACHING = true\n"
    )
    script = """
        import json, os
        from prefect.settings import get_current_settings
        from simulator import Simulation

        def rules():
            with Simulation(start="2026-01-05T00:00:00Z"):
                settings = get_current_settings()
                return {
                    f"{group}.{name}": value
                    for group in ("flows", "tasks", "results")
                    for name, value in getattr(settings, group)
                    if name != "heartbeat_frequency" and isinstance(value, (bool, int))
                }
        print(json.dumps(rules()))
        """
    theirs = run(home, script)
    assert 0 not in theirs.values()
    assert len(theirs) == 8
    ours = run(home, script, cwd=REPOSITORY)
    assert ours == dict.fromkeys(theirs, 0)


def test_what_the_project_pins_is_what_prefect_does_by_default():
    """A value that is no default would change what the scenarios show, here and nowhere else."""
    pinned = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["prefect"]
    defaults = {
        group: {
            name: Settings.model_fields[group].annotation.model_fields[name].default
            for name in values
        }
        for group, values in pinned.items()
    }
    assert pinned == defaults
