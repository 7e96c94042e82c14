"""The command `simulate`: what it prints, what it keeps, how it ends, what it leaves behind."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import duckdb
import pytest

from simulator.cli import call
from simulator.cli.kept import Kept
from simulator.errors import SimulationError
from simulator.history.results import Results
from simulator.measures import Measure, share
from simulator.report.terminal import duration, figure
from simulator.scenarios.rehearsal import rehearse
from simulator.scenarios.runner import default_jobs
from simulator.scenarios.verdict import VariantResult

Start = Callable[..., "subprocess.Popen[str]"]

HEAD = f"""
import ctypes, os, subprocess, sys, tempfile, time
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import fake_simulation
fake_simulation.install()
from simulator.scenario import scenario
"""

DAILY = """
@scenario(name="daily-runs", question="Do they run?", lesson="They do.", patterns=("P02", "P03"),
          days=3, variants={"plain": 0, "with return": 1})
def daily(sim, days):
    print("printed by the scenario")
    sim.advance(days=days)

@daily.expect()
def there_is_a_run_each_day(sim, days):
    assert len(sim.runs("daily")) == days
"""

BROKEN = """
@scenario(name="broken-promise", question="Is it kept?", variants={"a": 0, "b": 1})
def act(sim, days):
    sim.advance(days=max(days, 3))

@act.expect("b")
def all_complete(sim):
    for run in sim.runs("daily"):
        assert run.state == "Completed"
"""

PATIENCE = 300
"""When a test that hangs is ended, in seconds of real time. Starting up takes 30 on a busy machine."""

CRASHING = """
@scenario(name="crashing", question="What is lost?", days=2,
          variants={"before": "", "at it": "CODE", "after": ""})
def act(sim, variant, days):
    sim.advance(days=days)
    exec(variant)
"""

# Its second variant hangs in real time, with a process of its own, until it is stopped.
HANGING = """
@scenario(name="hanging", question="Does it stop?", variants={"quick": 0, "slow": 1, "never": 0})
def act(sim, variant, days):
    sim.advance(days=days)
    if variant:
        tempfile.mkdtemp()
        started = subprocess.Popen(["sleep", "600"])
        try:
            fake_simulation.write_down_pid("pids", started.pid)
            fake_simulation.write_down_pid("pids")
            CODE
        finally:
            open("restored", "w").close()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty project as the working folder, and a folder for temporary files of its own."""
    with tempfile.TemporaryDirectory() as short:  # pytest's own paths are too long for a socket's
        (tmp_path / "scenarios").mkdir()
        (tmp_path / "tmp").symlink_to(short)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("TMPDIR", short)
        yield tmp_path


@pytest.fixture(autouse=True)
def clean_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands carried out in this process import scenario files."""
    import simulator.simulation

    monkeypatch.setattr(simulator.simulation, "Simulation", simulator.simulation.Simulation)
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith("scenarios."):
            del sys.modules[name]


def define(project: Path, **files: str) -> None:
    for name, text in files.items():
        (project / "scenarios" / f"{name}.py").write_text(HEAD + textwrap.dedent(text))


def query(project: Path, sql: str, out: str = "results") -> list[tuple[Any, ...]]:
    with duckdb.connect(str(project / out / "results.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def refused(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on standard error with which a command is refused."""
    assert call(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("simulate: ")
    assert err.count("\n") == 1
    return err


@pytest.fixture
def start(project: Path) -> Iterator[Start]:
    """Start `simulate` in a process of its own; what a failed test leaves running is ended."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "simulator.cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Below some shells Ctrl-C is ignored from the start.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def is_gone(pid: int) -> bool:
    """Whether a process has ended. One that nobody has reaped yet has ended as well."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def wait_for(what: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    """Wait until something holds that a process which goes on running will bring about."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert process.poll() is None, "".join(process.communicate())
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)  # between two looks at another process, which tells nobody


class TestList:
    def test_shows_name_question_patterns_and_variants(
        self, project: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        define(project, a=DAILY, b=BROKEN)
        assert call(["list"]) == 0
        text = capfd.readouterr().out
        for word in ("daily-runs", "Do they run?", "P02 P03", "plain", "with return"):
            assert word in text
        assert text.index("daily-runs") < text.index("broken-promise")

    def test_a_log_is_wider_than_a_small_terminal(
        self, project: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        define(project, a=DAILY.replace("Do they run?", "Do they run every day, " * 6 + "or not?"))
        assert call(["list"]) == 0
        lines = capfd.readouterr().out.splitlines()
        assert 80 < max(map(len, lines)) <= 120

    def test_another_folder(self, project: Path, capfd: pytest.CaptureFixture[str]) -> None:
        define(project, a=DAILY)
        (project / "scenarios").rename(project / "others")
        assert call(["list", "--scenarios", "others"]) == 0
        assert "daily-runs" in capfd.readouterr().out


class TestRun:
    def test_verdicts_measures_and_place_are_printed(
        self, project: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        define(project, a=DAILY)
        assert call(["run", "--seed", "7"]) == 0
        text = capfd.readouterr().out
        assert text.startswith("1 scenario, 2 variants, seed 7, ")
        for pattern in (
            r"^holds +daily-runs \[plain\] \(\d+\.\d s\)$",
            r"^daily-runs: Do they run\?$",
            r"^\| +\| plain +\| with return +\|$",
            r"^\| verdict +\| holds +\| holds +\|$",
            r"^\| expectations +\| 1 of 1 hold +\| 1 of 1 hold +\|$",
            r"^\| parent success +\| 67% \(21-94%\) +\|",
            r"^Lesson: They do\.$",
            r"^2 of 2 variants hold\. Results: results/results\.duckdb$",
        ):
            assert re.search(pattern, text, re.MULTILINE), f"{pattern} not in\n{text}"
        assert "\x1b" not in text
        assert "printed by the scenario" not in text

    def test_results_and_logs_are_kept(
        self, project: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        define(project, a=DAILY)
        assert call(["run", "--seed", "7", "--out", "deep/er", "--json"]) == 0
        out, err = capfd.readouterr()
        assert "2 of 2 variants hold." in err
        said = json.loads(out)
        assert (said["results"], said["page"], said["of"]) == (
            "deep/er/results.duckdb",
            "deep/er/report.html",
            2,
        )
        assert sorted((one["variant"], one["passed"]) for one in said["variants"]) == [
            ("plain", True),
            ("with return", True),
        ]
        assert said["variants"][0]["verdicts"][0]["expectation"] == "there is a run each day"
        rows = query(
            project,
            "select scenario, variant, seed, count(*) from flow_runs group by all order by variant",
            "deep/er",
        )
        assert rows == [("daily-runs", "plain", 7, 3), ("daily-runs", "with return", 7, 3)]
        assert query(project, "select count(*) from measures where value is not null", "deep/er")
        log = project / "deep" / "er" / "logs" / "daily-runs.log"
        assert log.read_text().count("printed by the scenario") == 2
        page = (project / "deep" / "er" / "report.html").read_text()
        assert page.startswith("<!DOCTYPE html>")
        assert '"question":"Do they run?","lesson":"They do."' in page

    def test_days_and_names(self, project: Path, capfd: pytest.CaptureFixture[str]) -> None:
        define(project, a=DAILY, b=BROKEN)
        assert call(["run", "daily-runs", "--days", "5", "--jobs", "1"]) == 0
        assert capfd.readouterr().out.startswith(
            "1 scenario, 2 variants, seed 0, 1 process at a time"
        )
        assert query(project, "select distinct scenario, days from variants") == [("daily-runs", 5)]

    def test_a_broken_expectation_ends_with_1_and_names_the_run(
        self, project: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        define(project, a=DAILY, b=BROKEN)
        assert call(["run"]) == 1
        text = capfd.readouterr().out
        assert "BROKEN  broken-promise [b]" in text
        assert re.search(r"^\| verdict +\| holds +\| BROKEN +\|$", text, re.MULTILINE)
        told = text[text.index("\n[b]\n") :].splitlines()
        assert told[2] == "BROKEN: all complete"
        assert told[3] == "  assert 'Failed' == 'Completed'"
        assert re.search(r"^  run: .*daily.*Failed.*2026-01-03", text, re.MULTILINE)
        assert re.search(r"^  at scenarios/b\.py:\d+$", text, re.MULTILINE)
        assert "3 of 4 variants hold." in text
        assert query(project, "select variant, expectation from verdicts where not passed") == [
            ("b", "all complete")
        ]

    def test_as_many_processes_at_once_as_there_are_jobs(
        self, project: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        meeting = """
        @scenario(name="{name}", question="Is the other one there?")
        def act(sim, days):
            open("{name}", "w").close()
            deadline = time.monotonic() + 20
            while not (os.path.exists("one") and os.path.exists("two")):
                assert time.monotonic() < deadline
                time.sleep(0.02)  # between two looks for the other process
        """
        define(project, a=meeting.format(name="one"), b=meeting.format(name="two"))
        assert call(["run", "--jobs", "2", "--quiet"]) == 0
        assert capfd.readouterr() == ("", "")

    @pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cores cannot be chosen here")
    def test_a_job_for_each_core_keeps_to_its_own(self, project: Path) -> None:
        cores = os.sched_getaffinity(0)
        twice = 2 * len(cores)
        telling = f"""
        @scenario(name="telling", question="Where?", variants={{str(n): n for n in range({twice})}})
        def act(sim, variant):
            open(f"where-{{variant}}", "w").write(" ".join(map(str, os.sched_getaffinity(0))))
        """
        define(project, a=telling)

        def told() -> list[set[int]]:
            return [{int(n) for n in p.read_text().split()} for p in project.glob("where-*")]

        assert call(["run"]) == 0
        assert len(told()) == twice
        assert {len(where) for where in told()} == {1}
        assert set().union(*told()) == cores
        assert os.sched_getaffinity(0) == cores
        # With fewer jobs cores are left over, with more some are shared: the system sees best which.
        for jobs in {max(1, len(cores) - 1), len(cores) + 1} - {len(cores)}:
            assert call(["run", "--jobs", str(jobs)]) == 0
            assert told() == [cores] * twice

    def test_processes_share_the_dbt_projects_that_they_parse(self, project: Path) -> None:
        define(
            project,
            a="""
            from pathlib import Path

            from simulator.warehouse import dbt

            @scenario(name="sharing", question="Where?", variants={"a": 0, "b": 1})
            def act(sim, days):
                # Their own folders stand in one that they share.
                assert dbt._shared == Path(os.environ["TMPDIR"]).parent
            """,
        )
        assert call(["run"]) == 0

    def test_what_a_process_leaves_behind_holds_nobody_up(self, project: Path) -> None:
        """A child that outlives its process holds the pipe open: nobody waits for it."""
        define(
            project,
            a="""
            @scenario(name="forking", question="?")
            def act(sim, days):
                if (child := os.fork()) == 0:
                    time.sleep(600)  # longer than anybody waits
                fake_simulation.write_down_pid("pids", child)
            """,
        )
        began = time.monotonic()
        assert call(["run"]) == 0
        assert time.monotonic() - began < 300
        (pid,) = (project / "pids").read_text().split()
        while not is_gone(int(pid)):
            assert time.monotonic() - began < 300
            time.sleep(0.05)  # no child of this process: its end can only be looked for

    def test_default_jobs_are_the_cores(self) -> None:
        assert 1 <= default_jobs() <= (os.cpu_count() or 1)


class TestCrash:
    @pytest.mark.parametrize(
        ("code", "said"),
        [
            ("os._exit(3)", "its process ended with exit code 3"),
            ("os._exit(0)", "its process ended with exit code 0"),
            ("ctypes.string_at(0)", "its process was ended by SIGSEGV"),
            ("os.kill(os.getpid(), 9)", "its process was ended by SIGKILL"),
        ],
    )
    def test_it_costs_one_variant(
        self, project: Path, capfd: pytest.CaptureFixture[str], code: str, said: str
    ) -> None:
        define(project, a=CRASHING.replace("CODE", code), b=DAILY)
        assert call(["run"]) == 1
        text = capfd.readouterr().out
        assert re.search(r"^\| verdict +\| holds +\| CRASHED +\| holds +\|$", text, re.MULTILINE)
        assert re.search(rf"^CRASHED: {said}.*results/logs/crashing.log", text, re.MULTILINE)
        assert "4 of 5 variants hold." in text
        rows = query(project, "select variant, passed, error from variants order by all")
        assert [(variant, passed) for variant, passed, _ in rows] == [
            ("after", True),
            ("at it", False),
            ("before", True),
            ("plain", True),
            ("with return", True),
        ]
        assert not list((project / "tmp").iterdir())

    def test_an_exception_is_told_with_its_line(
        self, project: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        define(project, a=CRASHING.replace("CODE", "1 / 0"))
        assert call(["run"]) == 1
        out = capfd.readouterr().out
        assert re.search(
            r"^CRASHED: ZeroDivisionError: division by zero \(scenarios/a\.py:\d+\)$", out, re.M
        )
        assert "Traceback" not in out
        assert "Traceback" in (project / "results" / "logs" / "crashing.log").read_text()

    def test_a_crash_after_all_is_done_is_a_warning(
        self, project: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        dying = "import threading as t; t.Thread(target=dies, args=[t.main_thread()]).start()"
        define(
            project,
            a="def dies(main):\n    main.join()\n    os._exit(9)\n"
            + DAILY.replace("sim.advance(", f"{dying}; sim.advance("),
        )
        assert call(["run"]) == 0
        assert "warning: daily-runs: the process of 'plain' ended with exit code 9 after" in (
            capfd.readouterr().out
        )


class TestStop:
    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "TERM"]
    )
    def test_keeps_what_is_done_and_leaves_nothing(
        self, project: Path, start: Start, number: signal.Signals, code: int
    ) -> None:
        define(project, a=HANGING.replace("CODE", "time.sleep(600)"))  # longer than anybody waits
        process = start("run", "--jobs", "1")
        pids = project / "pids"
        wait_for(lambda: pids.exists() and pids.read_text().count("\n") == 2, process)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == code, err
        assert (project / "restored").exists()
        assert err == ""
        assert out.endswith(
            "Stopped. 1 of 3 variants are in results/results.duckdb\nPage: results/report.html\n"
        )
        assert re.search(r"^\| verdict +\| holds +\|$", out, re.MULTILINE)
        assert query(project, "select variant from variants") == [("quick",)]
        assert all(is_gone(int(pid)) for pid in pids.read_text().split())
        assert not list((project / "tmp").iterdir())

    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "TERM"]
    )
    def test_while_scenarios_are_loaded_leaves_nothing(
        self, project: Path, start: Start, number: signal.Signals, code: int
    ) -> None:
        loading = project / "loading"
        define(project, a=DAILY, b=f"open({str(loading)!r}, 'w').close(); time.sleep(600)")
        # It would sleep longer than anybody waits.
        process = start("run", "--jobs", "1")  # fewer than files: what is needed is imported beside
        wait_for(loading.exists, process)
        assert list((project / "tmp").iterdir())
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, err) == (code, "", "")
        assert not list((project / "tmp").iterdir())

    def test_what_does_not_stop_is_ended(self, project: Path, start: Start) -> None:
        stubborn = (
            "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
            "open('stubborn', 'w').close(); time.sleep(600)"  # longer than anybody waits
        )
        define(project, a=HANGING.replace("CODE", stubborn))
        process = start("run")
        pids = project / "pids"
        wait_for((project / "stubborn").exists, process)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)  # two signals at once would be one
        process.send_signal(signal.SIGINT)  # impatient: the grace ends at once
        began = time.monotonic()
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
        assert time.monotonic() - began < 8
        assert all(is_gone(int(pid)) for pid in pids.read_text().split())

    def test_one_more_ctrl_c_while_the_first_is_dealt_with_ends_it_as_the_first(self) -> None:
        script = (
            "import sys\n"
            "from simulator.cli import main\n"
            "def call(arguments): raise KeyboardInterrupt\n"
            "sys.modules['simulator.cli.app'].call = call\n"
            "main([])\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (130, "")

    def test_the_processes_end_with_their_parent(self, project: Path, start: Start) -> None:
        define(project, a=HANGING.replace("CODE", "time.sleep(600)"))  # longer than anybody waits
        process = start("run")
        pids = project / "pids"
        wait_for(lambda: pids.exists() and pids.read_text().count("\n") == 2, process)
        process.kill()
        process.communicate(timeout=PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while not all(is_gone(int(pid)) for pid in pids.read_text().split()):
            assert time.monotonic() < deadline
            time.sleep(0.05)  # no children of this process: their end can only be looked for
        assert (project / "restored").exists()


class TestBadInput:
    def test_an_unknown_scenario(self, project: Path, capfd: pytest.CaptureFixture[str]) -> None:
        define(project, a=DAILY)
        assert "'daily-rusn'; did you mean 'daily-runs'?" in refused(capfd, "run", "daily-rusn")
        assert not (project / "results").exists(), "nothing is half done"

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["run", "--days", "-1"], "days (-1) must be at least 1"),
            (["run", "--days=0"], "days (0)"),
            (["run", "--days", "many"], "'--days'"),
            (["run", "--jobs", "0"], "jobs (0) must be at least 1"),
            (["run", "--seed", "x"], "'--seed'"),
            (["run", "--fast"], "--fast"),
            (["simulate"], "'simulate'"),
            (["list", "--scenarios", "nowhere"], "pydoc simulator.scenario shows how to write one"),
        ],
    )
    def test_what_cannot_be(
        self, project: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], said: str
    ) -> None:
        define(project, a=DAILY)
        assert said in refused(capfd, *arguments)
        assert not (project / "results").exists()

    @pytest.mark.parametrize("command", ["run", "list"])
    def test_a_file_that_does_not_import(
        self, project: Path, capfd: pytest.CaptureFixture[str], command: str
    ) -> None:
        define(project, a=DAILY, b="import no_such_module")
        said = refused(capfd, command)
        assert "scenarios/b.py does not import: ModuleNotFoundError: No module named" in said

    @pytest.mark.parametrize("out", ["taken", "taken/below"])
    def test_an_out_folder_that_cannot_be(
        self, project: Path, capfd: pytest.CaptureFixture[str], out: str
    ) -> None:
        define(project, a=DAILY)
        (project / "taken").write_text("a file")
        assert f"cannot write to '{out}'" in refused(capfd, "run", "--out", out)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_an_out_folder_without_permission(
        self, project: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        define(project, a=DAILY)
        (project / "mine").mkdir(mode=0o500)
        assert "cannot write to 'mine'" in refused(capfd, "run", "--out", "mine")

    def test_a_results_file_that_is_in_use(
        self, project: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        define(project, a=DAILY)
        (project / "results").mkdir()
        holder = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import duckdb; c = duckdb.connect('results/results.duckdb'); print(1); input()",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=0,
        )
        try:
            assert holder.stdout is not None
            holder.stdout.read(1)
            said = refused(capfd, "run")
            assert "'results/results.duckdb' is locked by another process" in said
        finally:
            holder.communicate("\n", timeout=PATIENCE)


class TestKept:
    def test_a_file_that_is_in_use_for_a_while_loses_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        results = Results.open(tmp_path / "results.duckdb")
        kept = Kept(results)
        one, two = (VariantResult("s", variant, 0, 1) for variant in ("one", "two"))
        with monkeypatch.context() as patch:

            def locked(*_: object, **__: object) -> None:
                raise SimulationError("locked")

            patch.setattr(results, "add", locked)
            assert kept.add(one) == "locked"
        assert kept.add(two) == ""
        assert not kept.unwritten
        with duckdb.connect(str(tmp_path / "results.duckdb")) as connection:
            rows = connection.execute("select variant from variants").fetchall()
        assert rows == [("one",), ("two",)]

    @pytest.mark.parametrize("locked", [False, True])
    def test_an_interrupt_waits_for_the_end_of_writing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: bool
    ) -> None:
        results = Results.open(tmp_path / "results.duckdb")
        add = results.add
        written = []

        def interrupted(*given: Any, **more: Any) -> None:
            signal.raise_signal(signal.SIGINT)
            if locked:
                raise SimulationError("locked")
            add(*given, **more)
            written.append(given)

        monkeypatch.setattr(results, "add", interrupted)
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            kept = Kept(results)
            with pytest.raises(KeyboardInterrupt):
                kept.add(VariantResult("s", "one", 0, 1))
        finally:
            signal.signal(signal.SIGINT, before)
        assert len(written) == (0 if locked else 1)
        assert len(kept.unwritten) == (1 if locked else 0)


def test_version_names_the_engines(capfd: pytest.CaptureFixture[str]) -> None:
    assert call(["--version"]) == 0
    assert re.fullmatch(
        r"prefect-simulator \S+ \(Prefect 3\S+, dbt 1\S+, DuckDB 2\S+, Python 3\S+\)\n",
        capfd.readouterr().out,
    )


def test_without_a_command_it_says_what_there_is(capfd: pytest.CaptureFixture[str]) -> None:
    assert call([]) == 0
    text = capfd.readouterr().out
    assert "list" in text
    assert "run" in text


def test_a_terminal_shows_progress(project: Path) -> None:
    define(project, a=HANGING.replace("CODE", "time.sleep(1.5)"))  # there has to be some to show
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator.cli", "run", "--jobs", "1"],
        stdout=theirs,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"},
    )
    os.close(theirs)
    shown = bytearray()
    try:
        while data := os.read(ours, 65536):
            shown += data
    except OSError:  # the end, on Linux
        pass
    os.close(ours)
    assert process.wait(30) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert re.search(r"hanging .*1/3 .*slow, day 1 of 1", text), text
    assert "3 of 3 variants hold." in text


@pytest.mark.parametrize("reports", [False, True])
def test_prefect_hears_of_nothing_from_a_terminal(
    project: Path, tmp_path: Path, reports: bool
) -> None:
    """Prefect notes in its home what it has reported; of an existing user, what it would have."""
    home = tmp_path / "home"
    (home / ".prefect").mkdir(parents=True)
    (home / ".prefect" / "profiles.toml").write_text('active = "mine"\n[profiles.mine]\n')
    define(project, daily="import prefect\n" + DAILY)
    command = "import prefect" if reports else "from simulator.cli import main; main(['list'])"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        # Not those by which Prefect knows that nobody sits there, nor this project's own.
        env={
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
    )
    os.close(theirs)
    try:
        while os.read(ours, 65536):
            pass
    except OSError:  # the end, on Linux
        pass
    os.close(ours)
    assert process.wait(30) == 0
    assert (home / ".prefect" / ".sdk_telemetry").exists() == reports


@pytest.mark.parametrize(
    ("measure", "text"),
    [
        (share("x", 1, 2), "50% (9-91%)"),
        (share("x", 0, 0), "-"),
        (Measure("x", 0.25, "share", n=0), "25%"),
        (Measure("x", 605, "seconds"), "10m 05s"),
        (Measure("x", 3.0, "runs"), "3"),
        (None, "-"),
    ],
)
def test_figures_for_reading(measure: Measure | None, text: str) -> None:
    assert figure(measure) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.25, "0.25 s"),
        (59.9, "59.9 s"),
        (60, "1m 00s"),
        (3599.6, "1h 00m"),
        (5400, "1h 30m"),
        (93600, "1d 02h"),
        (-90, "-1m 30s"),
    ],
)
def test_durations_for_reading(seconds: float, text: str) -> None:
    assert duration(seconds) == text


REAL = """
from prefect import flow
from simulator.scenario import scenario

@flow
def child(): ...

@flow
def plain():
    child()

@flow
def careless():
    child(return_state=True)

@scenario(name="real-flows", question="Who notices?",
          variants={"plain": plain, "careless": careless})
def act(sim, variant, days):
    sim.deploy(variant, name="dev", cron="0 */4 * * *", timezone="UTC")
    sim.fail("child", probability=0.5, error=ValueError("boom"))
    sim.advance(days=days)

@act.expect()
def some_children_fail_and_some_do_not(sim):
    assert {run.state for run in sim.runs("child")} == {"Completed", "Failed"}

@act.expect("plain")
def a_parent_fails_with_its_child(sim):
    for run in sim.runs("plain"):
        assert [child.state for child in run.children] == [run.state]

@act.expect("careless")
def nobody_notices(sim):
    for run in sim.runs("careless"):
        assert run.state == "Completed"
"""


def test_a_long_path_for_temporary_files_is_no_obstacle(
    project: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(project, a=DAILY)
    long = project / ("long" * 20)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    process = start("run")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, ""), out + err
    assert not list(long.iterdir())


def test_what_is_preloaded_has_been_rehearsed_and_leaves_nothing_that_a_fork_would_lose() -> None:
    code = (
        "import gc, os, threading, time\n"
        "before = time.time, threading.Thread.start\n"
        "import simulator.scenarios.preloaded\n"
        "from simulator.patches.prefect.database import VirtualSqlite\n"
        "assert len(VirtualSqlite.compiled) > 50\n"
        "assert gc.isenabled() and gc.get_freeze_count() > 100_000\n"
        "files = {os.readlink(f'/proc/self/fd/{one}') for one in os.listdir('/proc/self/fd')"
        " if os.path.exists(f'/proc/self/fd/{one}')} if os.path.exists('/proc') else set()\n"
        "assert threading.enumerate() == [threading.main_thread()]\n"
        "assert (time.time, threading.Thread.start) == before\n"
        "assert not [one for one in files if one.startswith('socket') or one.endswith('.db')], files\n"
    )
    said = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_what_imports_for_others_ends_with_its_parent() -> None:
    importing = (  # for longer than anybody waits
        "import importlib, time\n"
        "importlib.import_module = lambda name: print('imports', flush=True) or time.sleep(600)\n"
        "import simulator.scenarios.preloaded\n"
    )
    parent = (
        "import subprocess, sys\n"
        "child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)\n"
        "print(child.stdout.readline(), flush=True)\n"
    )
    # Its standard error stays open for as long as the process lives that imports.
    said = subprocess.run(
        [sys.executable, "-c", parent, sys.executable, "-c", importing],
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert (said.returncode, said.stdout.strip(), said.stderr) == (0, repr(b"imports\n"), "")


def test_what_is_needed_is_imported_beside_the_scenarios_if_there_are_variants_enough(
    tmp_path: Path,
) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "a.py").write_text("import flows.shop, json")
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "shop.py").write_text("from flows import (\n    warehouse,\n)\n")
    (tmp_path / "flows" / "warehouse.py").write_text("def run():\n    from dbt.cli import main\n")
    code = (
        "import pathlib, sys\n"
        "import multiprocessing.forkserver as of_forks\n"
        "started = []\n"
        "of_forks.ensure_running = lambda: started.append(of_forks._forkserver._preload_modules)\n"
        "from simulator.scenarios.runner import prepare\n"
        "prepare(2, 2, [])\n"
        "assert not started\n"
        "prepare(3, 2, [])\n"
        "assert started.pop() == ['simulator.scenarios.preloaded']\n"
        "prepare(3, 2, [pathlib.Path('scenarios/a.py')])\n"
        "assert started.pop() == ['simulator.scenarios.preloaded', 'simulator.scenarios.preloaded_dbt']\n"
        "assert not {'dbt', 'prefect'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_a_rehearsal_is_a_simulation() -> None:
    assert [(run.flow, run.state) for run in rehearse().runs()] == [
        ("rehearsed-parent", "Failed"),
        ("rehearsed-child", "Completed"),
        ("rehearsed-child", "Completed"),
    ]


def test_a_rehearsal_that_fails_is_left_to_those_who_come_after_it(tmp_path: Path) -> None:
    cache = tmp_path / "a file"
    cache.touch()
    said = subprocess.run(
        [sys.executable, "-c", "import simulator.scenarios.preloaded"],
        env={**os.environ, "PREFECT_SIMULATOR_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (said.stdout, said.stderr) == ("", "")


@pytest.mark.slow
class TestRealSimulations:
    def test_the_same_hours_fail_in_every_variant(self, project: Path, start: Start) -> None:
        (project / "scenarios" / "real.py").write_text(REAL)
        process = start("run", "--seed", "3", "--jobs", "1")  # forked, all prepared
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, out + err
        assert "warning" not in out
        rows = query(
            project,
            "select variant, list(hour(scheduled_at) order by scheduled_at) from flow_runs "
            "where flow = 'child' and state = 'Failed' group by all order by all",
        )
        [(_, careless), (_, plain)] = rows
        assert careless == plain
        states = "select distinct name from states where variant = 'careless' order by all"
        assert ("Running",) in query(project, states)
        assert not list((project / "tmp").iterdir())

    def test_ctrl_c_restores_and_leaves_nothing(self, project: Path, start: Start) -> None:
        text = REAL.replace("    sim.advance(", "    open('begun', 'w').close()\n    sim.advance(")
        (project / "scenarios" / "real.py").write_text(text)
        process = start("run", "--days", "3000")
        wait_for((project / "begun").exists, process)
        time.sleep(1)  # somewhere in the 3000 days
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert err == ""
        # One of them had begun; the other may have.
        told = "Stopped. 0 of 2 variants are in results/results.duckdb, and what [12] more had done by then"
        assert re.search(rf"{told}\nPage: results/report\.html\n$", out)
        assert not list((project / "tmp").iterdir())


WATCHED = """
@scenario(name="watched", question="Who looks?", variants={"a": 0})
def act(sim, days):
    while not os.path.exists("somebody looks"):
        time.sleep(0.01)
    sim.advance(days=days)
"""


def test_a_run_that_is_watched_tells_a_browser_the_last_of_it(project: Path, start: Start) -> None:
    define(project, watched=WATCHED)
    process = start("run", "--watch", "--json")
    assert process.stderr is not None
    address = next(line for line in process.stderr if line.startswith("Watch it: "))
    assert address.startswith("Watch it: http://127.0.0.1:")
    with urlopen(address.split()[-1] + "events", timeout=PATIENCE) as stream:
        told = (json.loads(line.removeprefix(b"data: ")) for line in stream if line.strip())
        first = next(told)
        assert (first["over"], first["data"]["scenarios"]) == (False, [])
        Path("somebody looks").touch()
        events = list(told)
    assert events[-1]["over"]
    # The file is written twice, and a browser may be told in between.
    *_, last = [event["data"] for event in events if "data" in event]
    assert [one["name"] for one in last["scenarios"]] == ["watched"]
    out, _ = process.communicate()
    assert process.returncode == 0
    assert json.loads(out)["page"] == "results/report.html"


def test_nobody_can_watch_quietly(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    define(project, watched=WATCHED)
    assert "--quiet and --watch exclude each other" in refused(capfd, "run", "-q", "--watch")
