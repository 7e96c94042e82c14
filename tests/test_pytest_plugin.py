"""The pytest plugin, as a user's own test run sees it."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from xml.etree import ElementTree

import pytest

Run = Callable[..., pytest.RunResult]

FAKE = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import fake_simulation
fake_simulation.install()
"""

SCENARIO = """
from simulator.scenario import scenario

@scenario(name="daily-runs", question="Do they run?", patterns=("P02",), days=3,
          variants={"plain": 2, "with return": 3})
def daily(sim, variant, days, seed):
    print("seed of the scenario", seed)
    sim.advance(days=days)
    if variant == 4:
        raise ValueError("boom")

@daily.expect()
def all_complete(sim, variant):
    for run in sim.runs("daily"):
        assert run.state == "Completed" or variant == 2
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest in a process of its own, as a user would who has the package installed."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

    def run(*arguments: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess("-p", "no:randomly", *arguments, timeout=240)

    return run


@pytest.fixture
def fake(pytester: pytest.Pytester) -> None:
    """Tests that look at what stands around a simulation do without a real one."""
    pytester.makeconftest(FAKE)


@pytest.fixture
def scenarios(pytester: pytest.Pytester, fake: None) -> Path:
    folder = pytester.mkdir("scenarios")
    (folder / "daily.py").write_text(SCENARIO)
    return folder


def test_the_package_brings_the_plugin() -> None:
    [entry] = entry_points(group="pytest11", name="simulator")
    assert entry.value == "simulator.pytest_plugin"


def test_nothing_slow_is_imported_with_it() -> None:
    code = (
        "import sys, simulator.pytest_plugin;"
        "print([name for name in ('prefect', 'dbt', 'duckdb', 'freezegun', 'sqlalchemy', 'rich')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.usefixtures("fake")
class TestFixture:
    def test_is_open_during_the_test_and_closed_after_it(
        self, pytester: pytest.Pytester, run: Run
    ) -> None:
        pytester.makepyfile(
            """
            import fake_simulation as fake

            def test_one(simulation):
                assert isinstance(simulation, fake.FakeSimulation)
                assert len(fake.OPENED) == 1 and not fake.CLOSED

            def test_two(simulation):
                assert len(fake.OPENED) == 2 and len(fake.CLOSED) == 1
                assert simulation is not fake.CLOSED[0]

            def test_without():
                assert len(fake.OPENED) == len(fake.CLOSED) == 2
            """
        )
        run().assert_outcomes(passed=3)

    GIVEN = """
        import pytest

        def test_it(simulation):
            print(simulation.given)
            assert simulation.given == {given}
        """

    def test_defaults_are_fixed(self, pytester: pytest.Pytester, run: Run) -> None:
        given = {"start": "2026-01-01T00:00:00Z", "seed": 0, "stall_limit": 60.0}
        pytester.makepyfile(self.GIVEN.format(given=given))
        run().assert_outcomes(passed=1)

    def test_options(self, pytester: pytest.Pytester, run: Run) -> None:
        given = {"start": "2026-03-28T12:00:00+01:00", "seed": 7, "stall_limit": 2.5}
        pytester.makepyfile(self.GIVEN.format(given=given))
        run(
            "--simulation-seed=7",
            "--simulation-start=2026-03-28T12:00:00+01:00",
            "--simulation-stall-limit=2.5",
        ).assert_outcomes(passed=1)

    def test_the_nearest_marker_goes_before_all(self, pytester: pytest.Pytester, run: Run) -> None:
        pytester.makepyfile(
            """
            import pytest

            pytestmark = pytest.mark.simulation(seed=1, stall_limit=9)

            class TestIt:
                pytestmark = pytest.mark.simulation(seed=2)

                @pytest.mark.simulation(start="2027-01-01T00:00:00Z")
                def test_it(self, simulation):
                    assert simulation.given == {
                        "start": "2027-01-01T00:00:00Z", "seed": 2, "stall_limit": 9
                    }
            """
        )
        run("--simulation-seed=7", "--strict-markers").assert_outcomes(passed=1)

    def test_a_marker_that_cannot_be_is_one_line(self, pytester: pytest.Pytester, run: Run) -> None:
        pytester.makepyfile(
            """
            import pytest

            @pytest.mark.simulation(sede=7)
            def test_it(simulation): ...
            """
        )
        result = run()
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(
            [
                "*marker simulation takes start=, seed=, stall_limit=, allow_network= and modules=, not sede"
            ]
        )

    @pytest.mark.parametrize(
        ("option", "said"),
        [
            ("--simulation-seed=x", "'x' is neither a whole number nor 'random'"),
            ("--simulation-start=2026-01-01", "'2026-01-01' is no instant with an offset"),
            ("--simulation-start=soon", "'soon' is no instant"),
            ("--simulation-stall-limit=0", "'0' is no number of seconds above 0"),
            ("--simulation-stall-limit=inf", "'inf' is no number"),
            ("--scenario-days=-1", "'-1' is no whole number of days from 1"),
        ],
    )
    def test_an_option_that_cannot_be_is_one_line(self, run: Run, option: str, said: str) -> None:
        result = run(option)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"*error: argument {option.partition('=')[0]}: {said}*"])


@pytest.mark.usefixtures("fake")
class TestSeed:
    FAILING = """
        import pytest

        def test_fails(simulation):
            assert simulation.seed < 0

        def test_without():
            assert False

        @pytest.mark.simulation(seed=11)
        def test_of_its_own(simulation):
            assert False

        @pytest.fixture
        def broken(simulation):
            raise RuntimeError

        def test_in_a_fixture(broken): ...

        def test_passes(simulation): ...
        """

    def test_stands_in_the_header(self, run: Run) -> None:
        run("--simulation-seed=7").stdout.fnmatch_lines(
            ["simulation seed: 7 (repeat with --simulation-seed=7)"]
        )

    def test_is_printed_with_each_failure_that_had_one(
        self, pytester: pytest.Pytester, run: Run
    ) -> None:
        pytester.makepyfile(self.FAILING)
        result = run("--simulation-seed=7", "--no-header")
        result.assert_outcomes(failed=3, errors=1, passed=1)
        text = result.stdout.str()
        parts = dict(
            re.findall(
                r"_{3,} (?:ERROR at setup of )?(test_\w+) _{3,}\n(.*?)(?=\n_{3,} |\n={3,} )",
                text,
                re.S,
            )
        )
        repeated = "simulation seed: 7 (repeat with --simulation-seed=7)"
        assert repeated in parts["test_fails"]
        assert "simulation seed" not in parts["test_without"]
        assert "simulation seed: 11 (from the test's marker)" in parts["test_of_its_own"]
        assert repeated in text[text.index("ERROR at setup of test_in_a_fixture") :]

    def test_a_run_in_a_failed_assertion_is_explained(
        self, pytester: pytest.Pytester, run: Run
    ) -> None:
        pytester.makepyfile(
            """
            def test_it(simulation):
                simulation.advance(days=3)
                run = simulation.runs()[2]
                assert run.state == "Completed"
            """
        )
        result = run()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*- why -*", "daily/dev of 2026-01-03 00:00: Failed: *"])

    def test_is_not_printed_with_a_project_of_somebody_elses(
        self, pytester: pytest.Pytester, run: Run
    ) -> None:
        pytester.makepyfile(
            """
            import pytest

            @pytest.fixture
            def project():
                return "a project of their own"

            def test_it(project):
                assert not project
            """
        )
        result = run("--no-header")
        result.assert_outcomes(failed=1)
        assert "simulation" not in result.stdout.str().replace("simulator", "")

    def test_is_not_printed_with_what_passes(self, pytester: pytest.Pytester, run: Run) -> None:
        pytester.makepyfile("def test_it(simulation): print('said')")
        text = run("-rP", "--no-header").stdout.str()
        assert "said" in text
        assert "simulation seed" not in text

    def test_a_random_one_is_drawn_once_and_shown(
        self, pytester: pytest.Pytester, run: Run
    ) -> None:
        pytester.makepyfile(
            """
            def test_one(simulation):
                print("drawn", simulation.seed)

            def test_two(simulation):
                print("drawn", simulation.seed)
            """
        )
        drawn = set()
        for _ in range(2):
            text = run("--simulation-seed=random", "-s").stdout.str()
            [header] = re.findall(r"simulation seed: (\d+) \(repeat", text)
            assert re.findall(r"drawn (\d+)", text) == [header, header]
            drawn.add(header)
        assert len(drawn) == 2, "a chance of one in a million"


class TestScenarios:
    def test_an_item_for_each_variant(self, scenarios: Path, run: Run) -> None:
        result = run("--collect-only", "-q", "scenarios")
        assert result.outlines[:2] == [
            "scenarios/daily.py::daily-runs[plain]",
            "scenarios/daily.py::daily-runs[with return]",
        ]

    @pytest.mark.parametrize(
        ("selection", "count"),
        [
            ("scenarios", 2),
            ("scenarios/daily.py", 2),
            (".", 2),
            ("scenarios/daily.py::daily-runs", 2),
            ("scenarios/daily.py::daily-runs[with return]", 1),
            ("-kP02", 2),
            ("-kP03", 0),
            ("-mscenario", 2),
        ],
    )
    def test_can_be_selected(self, scenarios: Path, run: Run, selection: str, count: int) -> None:
        result = run("--collect-only", "-q", "--strict-markers", selection)
        assert sum("::daily-runs[" in line for line in result.outlines) == count
        result.stdout.no_fnmatch_line("*error*")

    def test_a_file_is_imported_once_also_if_it_is_named(self, scenarios: Path, run: Run) -> None:
        file = scenarios / "daily.py"
        file.write_text(file.read_text() + "\nprint('imported', file=open('log', 'a'))\n")
        run("scenarios/daily.py", "--scenario-days=2").assert_outcomes(passed=2)
        assert Path("log").read_text() == "imported\n"

    def test_a_broken_expectation_is_readable(self, scenarios: Path, run: Run) -> None:
        result = run("scenarios", "--simulation-seed=7")
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(
            [
                "*daily-runs[[]with return[]]*",
                "broken: all complete",
                "variant 'with return', 3 virtual days: Do they run?",
                "BROKEN: all complete",
                "  assert *'Failed' == 'Completed'*",
                "  run: *daily*Failed*2026-01-03*",
                "  at scenarios/daily.py:*",
                "*seed of the scenario 7",
                "simulation seed: 7 (repeat with --simulation-seed=7)",
                "FAILED scenarios/daily.py::daily-runs[[]with return[]] - broken: all complete",
            ],
            consecutive=False,
        )
        text = result.stdout.str()
        assert "pytest_plugin.py" not in text, "a look into the machinery helps nobody"

    def test_days_and_seed(self, scenarios: Path, run: Run) -> None:
        run("scenarios", "--scenario-days=2").assert_outcomes(passed=2)
        text = run("scenarios", "-s", "--scenario-days=2", "--simulation-seed=9").stdout.str()
        assert text.count("seed of the scenario 9") == 2

    def test_a_crash_shows_where(self, scenarios: Path, run: Run) -> None:
        file = scenarios / "daily.py"
        file.write_text(file.read_text().replace('"with return": 3', '"with return": 4'))
        result = run("scenarios")
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(
            [
                "ValueError: boom (scenarios/daily.py:*)",
                "CRASHED: ValueError: boom (scenarios/daily.py:*)",
                '*raise ValueError("boom")',
            ]
        )

    def test_a_long_log_is_cut(self, scenarios: Path, run: Run) -> None:
        file = scenarios / "daily.py"
        noise = 'for n in range(500): print("line", n)\n    print("seed'
        file.write_text(file.read_text().replace('print("seed', noise))
        text = run("scenarios").stdout.str()
        assert "lines left out)" in text
        assert "line 499" in text
        assert "line 300\n" not in text

    def test_measures_go_into_the_report(self, scenarios: Path, run: Run) -> None:
        run("scenarios", "--junitxml=report.xml")
        cases = ElementTree.parse("report.xml").getroot().iter("testcase")
        properties = {
            case.attrib["name"]: {
                one.attrib["name"]: one.attrib["value"] for one in case.iter("property")
            }
            for case in cases
        }
        assert float(properties["daily-runs[plain]"]["parent success"]) == pytest.approx(2 / 3)

    def test_a_file_that_does_not_import_is_an_error(self, scenarios: Path, run: Run) -> None:
        (scenarios / "wrong.py").write_text("import no_such_module\n" + SCENARIO)
        result = run("scenarios")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(
            ["scenarios/wrong.py does not import: ModuleNotFoundError: *no_such_module*"]
        )

    def test_other_files_are_left_to_pytest(
        self, pytester: pytest.Pytester, scenarios: Path, run: Run
    ) -> None:
        (scenarios / "helpers.py").write_text("def test_no(): ...\n")
        (scenarios / "test_own.py").write_text(SCENARIO + "\n\ndef test_yes(): ...\n")
        run("scenarios", "--scenario-days=2").assert_outcomes(passed=3)
        run("scenarios/helpers.py").assert_outcomes(passed=1)  # named by the user


class TestRealSimulation:
    """With Prefect's server and all."""

    def test_days_of_virtual_time_are_seconds_for_pytest(
        self, pytester: pytest.Pytester, run: Run
    ) -> None:
        pytester.makepyfile(
            """
            from datetime import UTC, datetime, timedelta

            from prefect import flow

            @flow
            def nightly(): ...

            def test_days_pass(simulation):
                before = datetime.now(UTC)
                simulation.deploy(nightly, name="dev", cron="30 1 * * *", timezone="UTC")
                simulation.advance(days=3)
                assert round((datetime.now(UTC) - before) / timedelta(hours=1)) == 72
                assert [run.state for run in simulation.runs("nightly")] == ["Completed"] * 3

            def test_after_it_real_time_is_back():
                assert abs(datetime.now(UTC).year - REAL_YEAR) <= 1

            REAL_YEAR = datetime.now(UTC).year
            """
        )
        began = os.times().elapsed
        result = run("--durations=0", "-vv", "--junitxml=report.xml")
        took = os.times().elapsed - began
        result.assert_outcomes(passed=2)
        shown = re.findall(r"([\d.]+)s (?:call|setup|teardown) ", result.stdout.str())
        assert shown
        assert sum(map(float, shown)) <= took
        [suite] = ElementTree.parse("report.xml").getroot()
        assert 0 <= float(suite.attrib["time"]) <= took
        times = [float(case.attrib["time"]) for case in suite.iter("testcase")]
        assert all(0 <= time <= took for time in times)
        assert not suite.attrib["timestamp"].startswith("2026-01-0")

    def test_a_scenario_with_a_child_that_fails(self, pytester: pytest.Pytester, run: Run) -> None:
        (pytester.mkdir("scenarios") / "failing.py").write_text(
            """
from prefect import flow
from simulator.scenario import scenario

@flow
def child(): ...

@flow
def parent(**given):
    child(**given)

@flow
def careless():
    child(return_state=True)

@scenario(name="failing-child", question="Who notices?",
          variants={"plain": parent, "careless": careless})
def failing(sim, variant, days):
    sim.deploy(variant, name="dev", cron="0 */6 * * *", timezone="UTC")
    sim.fail("child", on=[1], error=ValueError("boom"))
    sim.advance(days=days, hours=1)

@failing.expect()
def the_second_child_fails(sim):
    assert [run.state_type for run in sim.runs("child")].index("FAILED") == 1

@failing.expect("plain")
def its_parent_fails(sim):
    assert sim.runs("parent")[1].state == "Failed"

@failing.expect("careless")
def nobody_notices(sim):
    for run in sim.runs("careless"):
        assert run.state == "Failed"
"""
        )
        result = run("scenarios")
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(
            [
                "broken: nobody notices",
                "  assert 'Completed' == 'Failed'",
                "  run: <Run careless/dev*",
                "  why: careless/dev of *: Completed, and nothing in it went wrong*",
            ]
        )
