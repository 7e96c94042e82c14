"""The pytest plugin: the fixtures `simulation` and `project`, and scenario files as test items.

    def test_every_hour(simulation):
        simulation.deploy(hourly, name="dev", cron="0 * * * *")
        simulation.advance(days=1)
        assert len(simulation.runs("hourly")) == 24

    @pytest.mark.simulation(start="2026-03-28T12:00:00Z", seed=7, stall_limit=10)
    def test_summer_time(simulation): ...

    def test_a_week(project):  # what the prefect.yaml beside or above this file deploys
        project.advance(days=7)
        assert not project.runs("orders", state="Failed")

What a marker says goes before the command line. `pytest scenarios` runs an item per scenario and
variant, such as `scenarios/cron_drift.py::cron-drift[two crons]`.

Nothing slow is imported before it is used: every pytest run on the machine loads this module.
"""

from __future__ import annotations

import random
import sys
from argparse import ArgumentTypeError
from collections.abc import Generator, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from simulator.project import ProjectSimulation
    from simulator.scenarios import Scenario, VariantResult
    from simulator.simulation import Simulation

CAPTURED_LINES = 40
"""How much of the captured output a failing scenario shows."""

OPENED = pytest.StashKey["Simulation"]()
"""What a fixture here has opened for a test. One of the user's own may be called `project`, too."""

MARKER_ARGUMENTS = ("start", "seed", "stall_limit", "allow_network", "modules")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, all with the word they are about in front."""
    group = parser.getgroup("simulation", "simulated Prefect")
    group.addoption(
        "--simulation-seed",
        default="0",
        type=_seed,
        metavar="N|random",
        help="seed of every simulation: a whole number, or a random one, shown in the header "
        "(default: 0)",
    )
    group.addoption(
        "--simulation-start",
        default=None,
        type=_instant,
        metavar="INSTANT",
        help="virtual instant at which the fixture `simulation` begins, with a UTC offset "
        "(default: 2026-01-01T00:00:00Z)",
    )
    group.addoption(
        "--simulation-stall-limit",
        default=60.0,
        type=_seconds,
        metavar="SECONDS",
        help="real seconds without progress after which a simulation gives up (default: 60)",
    )
    group.addoption(
        "--scenario-days",
        default=None,
        type=_days,
        metavar="N",
        help="virtual days for scenarios (default: each scenario's own number)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; draw the seed if it is to be random."""
    config.addinivalue_line(
        "markers",
        "simulation(start, seed, stall_limit, allow_network, modules): how the fixture `simulation` "
        "begins; goes before the command line",
    )
    config.addinivalue_line(
        "markers",
        "project(folder): the project of the fixture `project`, from the root of the tests",
    )
    config.addinivalue_line("markers", "scenario: a variant of a scenario of the simulator")
    if config.option.simulation_seed == "random":
        # Written back, so that the workers of pytest-xdist all get this one.
        config.option.simulation_seed = str(random.SystemRandom().randrange(1_000_000))


def pytest_collection_finish() -> None:
    """Remember the user's modules as they are before any test has rebound something in them."""
    if "prefect" in sys.modules:  # else nothing has imported a flow
        from simulator.process import remember_modules

        remember_modules()


def pytest_report_header(config: pytest.Config) -> str:
    """The seed, first of all: it repeats the run."""
    return seed_line(_seed_of(config))


def seed_line(seed: int) -> str:
    """How to repeat a run with this seed."""
    return f"simulation seed: {seed} (repeat with --simulation-seed={seed})"


# --- the fixture --------------------------------------------------------------------------------


@pytest.fixture
def simulation(request: pytest.FixtureRequest) -> Iterator[Simulation]:
    """A Prefect server, its scheduler, its workers and your flows, on virtual time.

    Open during the test, and gone after it. Begins as the marker `simulation` or else the options
    `--simulation-start`, `--simulation-seed` and `--simulation-stall-limit` say.
    """
    from simulator.simulation import Simulation

    with Simulation(**_settings(request.node)) as opened:
        request.node.stash[OPENED] = opened
        yield opened


@pytest.fixture
def project(request: pytest.FixtureRequest) -> Iterator[ProjectSimulation]:
    """What a project deploys, on virtual time, as its simulation.toml says.

    The project is that of the marker `project("folder")`, from the root of the tests, or else the
    nearest folder, from that of the test upwards, with a simulation.toml or a prefect.yaml. Begins as
    the fixture `simulation` does, or else as that file says. What could not be imported is in
    `unloaded`.
    """
    from simulator.project import load, opened

    given = _settings(request.node)
    given.pop("modules", None)  # each run loads its own, always
    if "seed" not in _marked(request.node) and not given["seed"]:
        given.pop("seed")
    with opened(_project_folder(request.node), **given) as sim:
        request.node.stash[OPENED] = sim
        load(sim)
        yield sim


def _project_folder(item: pytest.Item) -> Path:
    root: Path = item.config.rootpath
    marker = item.get_closest_marker("project")
    if marker is not None:
        if len(marker.args) != 1 or marker.kwargs:
            raise pytest.UsageError(f"{item.nodeid}: the marker project takes one folder")
        return root / str(marker.args[0])
    names = ("simulation.toml", "prefect.yaml", "prefect.yml")
    for folder in item.path.parents:
        if folder == root or any((folder / name).is_file() for name in names):
            return folder
    return root


def _marked(item: pytest.Item) -> dict[str, Any]:
    """What the markers of a test say, the nearest one last."""
    said: dict[str, Any] = {}
    for marker in reversed(list(item.iter_markers("simulation"))):
        said |= marker.kwargs
    return said


def _settings(item: pytest.Item) -> dict[str, Any]:
    """The arguments of a test's Simulation: the nearest marker's, or else the options'.

    A test that freezes the time says by that where it starts.
    """
    from simulator.patches.frozen_time import frozen_start

    option = item.config.option
    settings: dict[str, Any] = {
        "seed": _seed_of(item.config),
        "stall_limit": option.simulation_stall_limit,
    }
    start = frozen_start(getattr(item, "obj", None)) or option.simulation_start
    if start is not None:
        settings["start"] = start
    for marker in item.iter_markers("simulation"):
        unknown = [name for name in marker.kwargs if name not in MARKER_ARGUMENTS]
        if marker.args or unknown:
            wrong = ", ".join([*map(repr, marker.args), *unknown])
            raise pytest.UsageError(
                f"{item.nodeid}: the marker simulation takes"
                f" {'=, '.join(MARKER_ARGUMENTS[:-1])}= and {MARKER_ARGUMENTS[-1]}=, not {wrong}"
            )
    return settings | _marked(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Print the seed with every failure of a test that used one, what it could not show rightly, and
    why the runs that it was looking at ended as they did.
    """
    report = yield
    if report.failed and (isinstance(item, ScenarioItem) or _opened(item)):
        if isinstance(item, ScenarioItem):
            report.sections[:] = [(name, _shortened(text)) for name, text in report.sections]
        report.sections.append(("simulation", "\n".join([_repeat(item), *_caveats(item)])))
        if call.excinfo is not None and (why := _why(item, call.excinfo.value)):
            report.sections.append(("why", why))
    return report


def _why(item: pytest.Item, error: BaseException) -> str:
    """Why the runs in the failed statement of a test, whose simulation is still open, ended so."""
    opened = _opened(item)
    if opened is None or not isinstance(error, AssertionError):
        return ""
    from simulator.scenarios import explain, explained

    return "\n".join(explained(opened, explain(error).runs))


def _caveats(item: pytest.Item) -> list[str]:
    """What the simulation of a test could not show rightly, a line each."""
    return [f"caveat: {caveat}" for caveat in getattr(_opened(item), "caveats", ())]


def _opened(item: pytest.Item) -> Simulation | None:
    """The simulation that a fixture of this plugin has opened for a test, if one has."""
    return item.stash.get(OPENED, None)


def _shortened(text: str) -> str:
    """The end of what was captured: a month of Prefect's log lines hides the failure."""
    lines = text.splitlines()
    left_out = len(lines) - CAPTURED_LINES
    if left_out <= 0:
        return text
    return "\n".join([f"({left_out} lines left out)", *lines[left_out:]])


def _repeat(item: pytest.Item) -> str:
    seed = _seed_of(item.config)
    if isinstance(item, ScenarioItem):
        return seed_line(seed)
    marked = next((m for m in item.iter_markers("simulation") if "seed" in m.kwargs), None)
    if marked is not None:
        return f"simulation seed: {marked.kwargs['seed']} (from the test's marker)"
    return seed_line(getattr(_opened(item), "seed", seed))


# --- scenarios ----------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Collect files that define scenarios, in place of pytest's own look at them.

    Files named as test modules are left to pytest: they may define scenarios to test with.
    """
    collectors = yield
    patterns: list[str] = parent.config.getini("python_files")
    if file_path.suffix != ".py" or any(file_path.match(pattern) for pattern in patterns):
        return collectors
    from simulator.scenarios import looks_like_scenarios

    if not looks_like_scenarios(file_path):
        return collectors
    others = [other for other in collectors if not isinstance(other, pytest.Module)]
    return [*others, ScenarioFile.from_parent(parent, path=file_path)]


class ScenarioFile(pytest.File):
    """A Python file with scenarios."""

    def collect(self) -> Iterable[ScenarioItem]:
        """An item per scenario and variant."""
        from simulator.errors import SimulationError
        from simulator.scenarios import load

        try:
            scenarios = load(self.path)
        except SimulationError as wrong:
            raise self.CollectError(str(wrong)) from wrong
        for scenario in scenarios:
            for variant in scenario.variants:
                yield ScenarioItem.from_parent(
                    self, name=f"{scenario.name}[{variant}]", scenario=scenario, variant=variant
                )


class ScenarioItem(pytest.Item):
    """One variant of a scenario: passes if every expectation holds."""

    def __init__(self, *, scenario: Scenario, variant: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scenario = scenario
        self.variant = variant
        self.add_marker("scenario")
        self.extra_keyword_matches.update(scenario.patterns)

    def runtest(self) -> None:
        """Run the variant in a fresh simulation."""
        from simulator.scenarios import run_variant

        option = self.config.option
        result = run_variant(
            self.scenario,
            self.variant,
            _seed_of(self.config),
            option.scenario_days,
            stall_limit=option.simulation_stall_limit,
        )
        for measure in result.measures:
            self.user_properties.append((measure.name, measure.value))
        if not result.passed:
            raise ExpectationFailed(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any) -> Any:
        """What was expected, and which run broke it."""
        if not isinstance(excinfo.value, ExpectationFailed):
            return super().repr_failure(excinfo, *args)
        result = excinfo.value.result
        head = f"variant {self.variant!r}, {result.days} virtual days: {self.scenario.question}"
        # The first line is also what pytest's summary shows.
        return "\n".join([str(excinfo.value), head, *result.lines(), result.traceback.rstrip()])

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the scenario stands."""
        return self.path, self.scenario.line - 1, self.name


class ExpectationFailed(Exception):
    """A variant of a scenario crashed, or did not do what was expected of it."""

    def __init__(self, result: VariantResult) -> None:
        broken = [verdict.expectation for verdict in result.broken]
        super().__init__(result.error or f"broken: {'; '.join(broken)}")
        self.result = result


# --- values of options --------------------------------------------------------------------------


def _seed(text: str) -> str:
    if text != "random":
        try:
            int(text)
        except ValueError:
            raise ArgumentTypeError(f"{text!r} is neither a whole number nor 'random'") from None
    return text


def _seed_of(config: pytest.Config) -> int:
    return int(config.option.simulation_seed)


def _instant(text: str) -> str:
    try:
        aware = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise ArgumentTypeError(f"{text!r} is no instant with an offset: 2026-01-01T00:00:00Z is")
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def _days(text: str) -> int:
    try:
        days = int(text)
    except ValueError:
        days = 0
    if days < 1:
        raise ArgumentTypeError(f"{text!r} is no whole number of days from 1")
    return days
