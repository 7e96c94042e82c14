"""Scenarios: what may be defined, how a variant is run and judged, which files are found."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fake_simulation
import pytest
from fake_simulation import FakeSimulation

from simulator.errors import SimulationError
from simulator.faults import Raise
from simulator.measures import Measure
from simulator.scenario import Scenario, run_variant, scenario
from simulator.scenarios.files import load, looks_like_scenarios, select
from simulator.scenarios.verdict import Verdict


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.simulation.Simulation", FakeSimulation)
    monkeypatch.setattr(fake_simulation, "OPENED", [])
    monkeypatch.setattr(fake_simulation, "CLOSED", [])


@pytest.fixture
def clean_imports() -> Iterator[None]:
    """Scenario files put their project's root on the import path."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def daily(**given: Any) -> Scenario:
    """A scenario of one run a day, every third of which fails."""
    given = {"name": "daily-runs", "question": "Do they run?", "days": 4} | given

    @scenario(**given)
    def act(sim: Any, days: int) -> None:
        sim.advance(days=days)

    return act


def raised(wrong: pytest.ExceptionInfo[SimulationError]) -> str:
    text = str(wrong.value)
    assert "\n" not in text
    return text


class TestDefinition:
    def test_keeps_what_was_said(self) -> None:
        act = daily(
            lesson="They do.", patterns=["P02", "P03"], variants={"plain": 1, "with return": 2}
        )
        assert (act.name, act.question, act.lesson) == ("daily-runs", "Do they run?", "They do.")
        assert act.patterns == ("P02", "P03")
        assert dict(act.variants) == {"plain": 1, "with return": 2}
        assert (act.days, act.file) == (4, Path(__file__))

    def test_without_variants_there_is_one(self) -> None:
        assert dict(daily().variants) == {"default": None}

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"name": "Daily runs"}, "'Daily runs'"),
            ({"patterns": ("2",)}, "'2'"),
            ({"days": 0}, "0"),
            ({"days": 1.5}, "1.5"),
            ({"days": True}, "True"),
            ({"start": "2026-01-01T00:00:00"}, "no time zone: '2026-01-01T00:00:00'"),
            ({"start": "soon"}, "'soon'"),
            ({"start": datetime(2026, 1, 1)}, "no time zone"),  # noqa: DTZ001
            ({"variants": {}}, "no variants"),
            ({"variants": {"a[b]": 1}}, "'a[b]'"),
            ({"variants": {"a::b": 1}}, "'a::b'"),
            ({"variants": {" ": 1}}, "' '"),
        ],
    )
    def test_refuses_what_cannot_be(self, given: dict[str, Any], said: str) -> None:
        with pytest.raises(SimulationError) as wrong:
            daily(**given)
        assert said in raised(wrong)

    def test_refuses_arguments_that_nobody_gives(self) -> None:
        with pytest.raises(SimulationError, match=r"asks for 'simulation'.*sim, variant, days"):

            @scenario(name="wrong", question="?")
            def act(simulation: Any) -> None: ...

        with pytest.raises(SimulationError, match=r"expectation 'all_is_well'.*'run'"):

            @daily().expect()
            def all_is_well(run: Any) -> None: ...

    def test_an_expectation_names_its_variants(self) -> None:
        act = daily(variants={"plain": 1, "with return": 2})
        with pytest.raises(SimulationError, match="no variant 'plan'; did you mean 'plain'"):
            act.expect("plan")
        with pytest.raises(SimulationError, match=r"expect\(\)"):
            act.expect(lambda sim: None)  # type: ignore[arg-type]


class TestRunVariant:
    def test_lives_as_long_as_the_scenario_says(self) -> None:
        result = run_variant(daily(), "default")
        assert result.history is not None
        assert len(result.history.runs()) == result.days == 4

    def test_lives_as_long_as_the_caller_says(self) -> None:
        result = run_variant(daily(), "default", days=7)
        assert result.history is not None
        assert len(result.history.runs()) == result.days == 7

    def test_each_variant_has_a_fresh_simulation_with_the_same_seed(self) -> None:
        act = daily(variants={"a": 1, "b": 2}, start="2026-03-28T00:00:00+01:00")
        for variant in act.variants:
            run_variant(act, variant, seed=7, stall_limit=9)
        given = {"start": "2026-03-28T00:00:00+01:00", "seed": 7, "stall_limit": 9}
        same = given | {"modules": "fresh"}
        assert [same, same] == fake_simulation.OPENED
        first, second = fake_simulation.CLOSED
        assert first is not second

    def test_runs_share_the_modules_of_a_scenario_that_says_so(self) -> None:
        run_variant(daily(modules="shared"), "default")
        [given] = fake_simulation.OPENED
        assert "modules" not in given  # of a Simulation that is told nothing they are shared
        with pytest.raises(
            SimulationError, match=r"modules of scenario 'daily-runs' must be 'fresh'"
        ):
            daily(modules="new")

    def test_functions_get_what_they_ask_for(self) -> None:
        seen: dict[str, Any] = {}

        @scenario(name="asking", question="?", variants={"a": "the value"}, days=3)
        def act(seed: int, days: int, variant: str, sim: Any) -> None:
            seen.update(seed=seed, days=days, variant=variant, sim=sim.seed)

        @act.expect()
        def nothing_is_asked_for() -> None:
            seen["asked"] = True

        assert run_variant(act, "a", seed=5).passed
        assert seen == {"seed": 5, "days": 3, "variant": "the value", "sim": 5, "asked": True}

    def test_a_kept_expectation_is_a_sentence_that_holds(self) -> None:
        act = daily()

        @act.expect()
        def there_is_a_run_each_day(sim: Any, days: int) -> None:
            assert len(sim.runs("daily")) == days

        result = run_variant(act, "default")
        assert result.passed
        assert result.verdicts == (Verdict("there is a run each day", passed=True),)
        assert not result.lines()

    def test_a_broken_one_says_which_run_broke_it_and_where(self) -> None:
        act = daily()

        @act.expect()
        def all_complete(sim: Any) -> None:
            first, *_ = sim.runs("daily")
            for run in sim.runs("daily"):
                assert run.state == "Completed"  # the line
            assert first

        result = run_variant(act, "default")
        assert not result.passed
        [verdict] = result.broken
        source = Path(__file__).read_text().splitlines()
        line = 1 + next(n for n, text in enumerate(source) if text.endswith("# the line"))
        assert verdict.where == f"tests/scenarios/test_scenario.py:{line}"
        assert verdict.message.startswith("assert 'Failed' == 'Completed'")
        [run] = verdict.runs  # the one in the failed statement, not `first`
        assert "Failed" in run
        assert "2026-01-03" in run
        assert "BROKEN: all complete" in result.lines()
        assert f"  run: {run}" in result.lines()

    def test_the_run_is_found_in_a_function_that_the_expectation_calls(self) -> None:
        def check(one: Any) -> None:
            assert one.completed

        act = daily()

        @act.expect()
        def all_complete(sim: Any) -> None:
            for run in sim.runs("daily"):
                check(run)

        [verdict] = run_variant(act, "default").broken
        assert "2026-01-03" in verdict.runs[0]

    def test_the_runs_that_it_reads_are_told_if_they_have_no_name(self) -> None:
        act = daily(days=7)

        @act.expect()
        def all_complete(sim: Any, days: int) -> None:
            assert [run.state for run in sim.runs("daily")] == ["Completed"] * days

        @act.expect()
        def there_are_more(sim: Any, days: int) -> None:
            name = "daily"
            assert len(sim.runs(name)) == len(sim.runs("daily")) + days

        states, number = run_variant(act, "default").broken
        assert len(states.runs) == 2  # every third: the good ones have broken nothing
        assert all("Failed" in run for run in (*states.runs, *number.runs))
        assert "2026-01-03" in states.runs[0]

    def test_every_expectation_is_looked_at_whatever_the_others_raise(self) -> None:
        act = daily(variants={"a": 1, "b": 2})

        @act.expect("a")
        def one_raises() -> None:
            raise KeyError("gone")

        @act.expect()
        def one_fails_by_pytest() -> None:
            pytest.fail("not like this")

        @act.expect("b")
        def one_is_of_another_variant() -> None:
            raise AssertionError

        @act.expect("a", "b")
        def one_holds() -> None: ...

        result = run_variant(act, "a")
        assert [(v.expectation, v.passed) for v in result.verdicts] == [
            ("one raises", False),
            ("one fails by pytest", False),
            ("one holds", True),
        ]
        assert [v.message for v in result.broken] == ["KeyError: 'gone'", "Failed: not like this"]

    def test_a_crash_of_the_scenario_is_a_result(self) -> None:
        @scenario(name="crashing", question="?", days=2)
        def act(sim: Any, days: int) -> None:
            sim.advance(days=days)
            raise ValueError("half-way\nand more")

        @act.expect()
        def nobody_looks() -> None:
            raise AssertionError

        result = run_variant(act, "default")
        assert not result.passed
        assert result.verdicts == ()
        assert result.error.startswith(
            "ValueError: half-way and more (tests/scenarios/test_scenario.py:"
        )
        assert "raise ValueError" in result.traceback
        assert "run_variant" not in result.traceback, "it begins with the user's own code"
        assert result.history is not None, "what happened until then is kept"
        assert len(result.history.runs()) == 2
        assert result.lines() == [f"CRASHED: {result.error}"]

    def test_an_error_of_the_simulator_stands_as_it_is_with_a_line_of_the_users(self) -> None:
        @scenario(name="wrong", question="?")
        def act() -> None:
            Raise(step="load", between=(datetime(2026, 1, 2, tzinfo=UTC),) * 2)

        error = run_variant(act, "default").error
        assert error.startswith("between=(")
        assert "(tests/scenarios/test_scenario.py:" in error

    def test_a_fault_that_has_never_struck_is_a_caveat(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        silent = "fault 0 has never struck: raises OSError('away') in load"
        monkeypatch.setattr(FakeSimulation, "silent_faults", (silent,), raising=False)
        told = [str(caveat) for caveat in run_variant(daily(), "default").caveats]
        assert told[-1] == f"silent fault: {silent}"

    @pytest.mark.parametrize("moment", ["__enter__", "__exit__"])
    def test_a_crash_at_either_end_is_a_result(
        self, moment: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def breaks(*_: object) -> None:
            raise OSError("no room")

        monkeypatch.setattr(FakeSimulation, moment, breaks)
        result = run_variant(daily(), "default")
        assert "no room" in result.error
        assert (result.history is not None) == (moment == "__exit__")

    @pytest.mark.parametrize("place", ["act", "expectation", "measure"])
    def test_an_interrupt_is_passed_on(self, place: str) -> None:
        def interrupt() -> Any:
            raise KeyboardInterrupt

        if place == "act":
            act = scenario(name="stopped", question="?")(interrupt)
        else:
            act = daily()
            (act.expect() if place == "expectation" else act.measure)(interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_variant(act, "default")
        assert len(fake_simulation.CLOSED) == 1

    def test_measures_are_the_default_ones_and_its_own(self) -> None:
        act = daily(days=6)

        @act.measure
        def twice(sim: Any) -> list[Measure]:
            return [Measure(f"number {n}", n, "runs") for n in (1, 2)]

        @act.measure
        def once(days: int) -> Measure:
            return Measure("days", days, "days")

        measures = {m.name: m.value for m in run_variant(act, "default").measures}
        assert measures["parent success"] == pytest.approx(4 / 6)
        assert (measures["number 1"], measures["number 2"], measures["days"]) == (1, 2, 6)

    def test_a_measure_that_breaks_is_a_verdict(self) -> None:
        act = daily()

        @act.measure
        def impossible() -> Measure:
            raise ZeroDivisionError("of nothing")

        result = run_variant(act, "default")
        assert [v.expectation for v in result.broken] == ["measure 'impossible'"]
        assert result.measures, "the others are there"

    def test_refuses_unknown_variants_and_days_that_cannot_be(self) -> None:
        with pytest.raises(SimulationError, match="no variant 'defualt'; did you mean 'default'"):
            run_variant(daily(), "defualt")
        with pytest.raises(SimulationError, match=r"days \(-1\)"):
            run_variant(daily(), "default", days=-1)
        assert not fake_simulation.OPENED


HEAD = "from simulator.scenario import scenario\n"
DEFINITION = '@scenario(name="{name}", question="?")\ndef act(sim): {code}\n'


def write(folder: Path, name: str, *definitions: str, code: str = "...") -> Path:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    parts = [DEFINITION.format(name=defined, code=code) for defined in definitions]
    file.write_text(HEAD + "\n".join(parts))
    return file


@pytest.mark.usefixtures("clean_imports")
class TestLoad:
    def test_a_folder_gives_all_in_the_order_of_files_and_lines(self, tmp_path: Path) -> None:
        folder = tmp_path / "scenarios"
        write(folder, "b.py", "third")
        write(folder, "a.py", "second", "first")
        (folder / "_shared.py").write_text("raise RuntimeError")
        (folder / "conftest.py").write_text("raise RuntimeError")
        assert [found.name for found in load(folder)] == ["second", "first", "third"]

    def test_a_file_gives_its_own(self, tmp_path: Path) -> None:
        folder = tmp_path / "scenarios"
        write(folder, "a.py", "one")
        assert [found.name for found in load(write(folder, "b.py", "two"))] == ["two"]

    def test_the_project_around_it_can_be_imported(self, tmp_path: Path) -> None:
        (tmp_path / "my_flows").mkdir()
        (tmp_path / "my_flows" / "__init__.py").write_text("NAME = 'from-my-flows'")
        folder = tmp_path / "scenarios"
        write(folder, "_shared.py", "shared")
        file = write(folder, "a.py")
        file.write_text(
            HEAD
            + "from my_flows import NAME\nfrom scenarios._shared import act as shared\n"
            + DEFINITION.replace('"{name}"', "NAME").format(code="...")
        )
        [found] = load(folder)
        assert found.name == "from-my-flows"

    def test_two_folders_of_one_name_do_not_mix(self, tmp_path: Path) -> None:
        for project, name in (("x", "one"), ("y", "two")):
            (tmp_path / project).mkdir()
            write(tmp_path / project / "scenarios", "same.py", name)
        assert [found.name for found in load(tmp_path / "x" / "scenarios")] == ["one"]
        assert [found.name for found in load(tmp_path / "y" / "scenarios")] == ["two"]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("import no_such_module", "does not import: ModuleNotFoundError: .*no_such_module.*:1"),
            ("def broken(:\n", r"does not import: SyntaxError: invalid syntax \(.*broken.py:1\)"),
            ("\n\nraise SystemExit(3)", r"does not import: SystemExit: 3 \(.*broken.py:3\)"),
            ("x = 1 / 0", "does not import: ZeroDivisionError: division by zero"),
            ("x = 'nothing here'", "has no scenario"),
            (HEAD + "@scenario(name='X', question='?')\ndef act(sim): ...", "kebab-case, not 'X'"),
        ],
    )
    def test_a_bad_file_is_one_line(self, tmp_path: Path, text: str, said: str) -> None:
        folder = tmp_path / "scenarios"
        write(folder, "a.py", "good")
        (folder / "broken.py").write_text(text)
        with pytest.raises(SimulationError, match=said) as wrong:
            load(folder)
        assert "broken.py" in raised(wrong)
        assert "scenarios.broken" not in sys.modules or "no scenario" in said

    def test_a_name_is_used_once(self, tmp_path: Path) -> None:
        folder = tmp_path / "scenarios"
        write(folder, "a.py", "same")
        write(folder, "b.py", "same")
        with pytest.raises(SimulationError, match=r"b\.py: .*'same' already, in .*a\.py") as wrong:
            load(folder)
        raised(wrong)
        with pytest.raises(SimulationError, match=r"c\.py: .*'twice' already, in .*c\.py"):
            load(write(folder, "c.py", "twice", "twice"))

    def test_nothing_there_is_one_line(self, tmp_path: Path) -> None:
        with pytest.raises(SimulationError, match="nowhere does not exist"):
            load(tmp_path / "nowhere")
        with pytest.raises(SimulationError, match="no scenario files"):
            load(tmp_path)

    def test_asserts_explain_themselves_and_leave_no_bytecode(self, tmp_path: Path) -> None:
        folder = tmp_path / "scenarios"
        code = "assert len('abc') == 5, sim.now"
        [found] = load(write(folder, "a.py", "one", code=code))
        error = run_variant(found, "default").error
        assert "assert 3 == 5 + where 3 = len('abc')" in error
        assert str(datetime(2026, 1, 1, tzinfo=UTC).year) in error, "the message is there as well"
        assert [file.name for file in folder.iterdir()] == ["a.py"]


def test_without_rewriting_the_statement_is_quoted() -> None:
    code = "def check(run):\n    assert run == 5, 'five'\n"
    space: dict[str, Any] = {}
    file = Path(__file__).with_name("not_rewritten.py")
    import linecache

    linecache.cache[str(file)] = (len(code), None, code.splitlines(keepends=True), str(file))
    exec(compile(code, str(file), "exec"), space)
    from simulator.scenarios.broken import explain

    with pytest.raises(AssertionError) as failed:
        space["check"](4)
    del linecache.cache[str(file)]
    linecache.cache[str(file)] = (len(code), None, code.splitlines(keepends=True), str(file))
    assert explain(failed.value).message == "five\nassert run == 5, 'five'"


class TestSelect:
    def test_without_names_all(self) -> None:
        every = [daily(name="one"), daily(name="two")]
        assert select(every, []) == every

    def test_in_the_order_of_the_names_each_once(self) -> None:
        one, two, _ = every = [daily(name="one"), daily(name="two"), daily(name="three")]
        assert select(every, ["two", "one", "two"]) == [two, one]

    def test_an_unknown_name_with_the_nearest_one(self) -> None:
        with pytest.raises(SimulationError, match="'daily-rnus'; did you mean 'daily-runs'"):
            select([daily(), daily(name="other")], ["daily-rnus"])
        with pytest.raises(SimulationError, match="'xyz'; known: 'daily-runs', 'other'"):
            select([daily(), daily(name="other")], ["xyz"])


@pytest.mark.parametrize(
    ("text", "does"),
    [
        (HEAD + DEFINITION, True),
        ("import simulator\n@simulator.scenario(\n    name='x')\ndef act(sim): ...", True),
        (HEAD + "def act(sim): ...", False),
        ("from elsewhere import scenario\n" + DEFINITION, False),
        ("", False),
    ],
)
def test_files_are_known_by_their_text(tmp_path: Path, text: str, does: bool) -> None:
    file = tmp_path / "a.py"
    file.write_text(text)
    assert looks_like_scenarios(file) is does


def test_no_text_is_no_scenario(tmp_path: Path) -> None:
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    assert not looks_like_scenarios(tmp_path / "binary.py")
    assert not looks_like_scenarios(tmp_path / "gone.py")
