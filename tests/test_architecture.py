"""The house keeps its shape, as far as import-linter (in `make check`) cannot say it."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import simulator
from simulator import measures, records, scenario

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "simulator").rglob("*.py"))
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]

MOST_LINES = 400
LONGER = {
    "simulation.py": "the one object that a user holds: its methods are the interface, each a few lines",
    "clock/virtual.py": "one lock guards reading, holding, waiting and driving: apart they could not",
}
"""Which files may be longer, and why."""

PUBLIC = {
    simulator: {
        "ClockStalled",
        "NothingToRun",
        "Simulation",
        "SimulationError",
        "UnsupportedOperation",
        "lognormal",
    },
    scenario: {"Scenario", "VariantResult", "Verdict", "run_variant", "scenario"},
    records: {"LogRecord", "RunRecord", "StateRecord", "TaskRecord"},
    measures: {
        "Build",
        "Measure",
        "child_success",
        "default_measures",
        "end_to_end_latency",
        "freshness_attainment",
        "masked_failures",
        "mean",
        "orphans",
        "parent_success",
        "partial_reads",
        "peak_concurrency",
        "recovery_time",
        "run_seconds",
        "share",
        "skipped_cleanups",
        "slot_waiting",
        "stale_reads",
        "staleness",
        "staleness_over_time",
        "waiting",
        "wasted_builds",
        "wasted_runs",
        "zombies",
    },
}
"""What users import. A name goes only with a word in the changelog."""


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_the_public_names_stay(module) -> None:
    assert set(module.__all__) == PUBLIC[module]
    assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize("file", MODULES, ids=module_name)
class TestModule:
    def test_takes_no_private_name_of_a_sibling(self, file: Path) -> None:
        private = [
            (node.module, alias.name)
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("simulator")
            for alias in node.names
            if alias.name.startswith("_")
        ]
        assert not private

    def test_takes_private_modules_of_other_libraries_from_patches_alone(self, file: Path) -> None:
        if "patches" in file.parts:
            return
        imported = [
            name
            for node in ast.walk(ast.parse(file.read_text()))
            for name in (
                [f"{node.module}.{one.name}" for one in node.names]
                if isinstance(node, ast.ImportFrom) and not node.level
                else [one.name for one in node.names]
                if isinstance(node, ast.Import)
                else []
            )
        ]
        others = [
            parts
            for parts in (name.split(".") for name in imported)
            if parts[0] not in {*sys.stdlib_module_names, "simulator", "_typeshed"}
        ]
        assert not [parts for parts in others if any(part.startswith("_") for part in parts)]

    def test_stays_small(self, file: Path) -> None:
        name = str(file.relative_to(ROOT / "simulator"))
        lines = len(file.read_text().splitlines())
        assert (lines > MOST_LINES) == (name in LONGER), f"{name} has {lines} lines"
        assert lines <= MOST_LINES + 120

    def test_names_tests_that_are_there(self, file: Path) -> None:
        named = re.findall(r"`(tests/[\w/]+\.py)`", file.read_text())
        assert [one for one in named if not (ROOT / one).is_file()] == []

    def test_says_what_it_is(self, file: Path) -> None:
        assert ast.get_docstring(ast.parse(file.read_text()))


def test_every_room_has_a_contract_and_a_place_in_the_order() -> None:
    rooms = {file.parent.name for file in (ROOT / "simulator").glob("*/__init__.py")}
    order = " ".join(next(one["layers"] for one in CONTRACTS if one["type"] == "layers"))
    assert {name for name in rooms if not re.search(rf"simulator\.{name}\b", order)} == set()
    doors = {
        name.split(".")[1]
        for one in CONTRACTS
        if one["type"] == "protected"
        for name in one["protected_modules"]
    }
    assert rooms - doors == {"patches"}, "patches are imported file by file"


WRONG = {
    "One way down": ("clock/grid.py", "import simulator.simulation"),
    "What is read only imports nothing that runs": (
        "history/records.py",
        "import simulator.clock",
    ),
    "What judges faults imports nothing that runs": (
        "audit/judging.py",
        "import simulator.faults",
    ),
    "The two engines know nothing of each other": ("live/server.py", "import simulator.world"),
    "No module imports in a circle": ("clock/holds.py", "import simulator.clock.virtual"),
    "Pipelines know nothing of the simulator": (
        "../pipelines/elt.py",
        "import simulator.errors",
    ),
    "The room clock is entered through its door": ("deploying.py", "import simulator.clock.holds"),
}
"""A wrong import for each contract; those of the other rooms differ in a name only."""


def test_each_contract_has_a_wrong_import_to_try_it_with() -> None:
    names = {one["name"] for one in CONTRACTS}
    doors = {name for name in names if name.endswith("is entered through its door")}
    assert names - doors == set(WRONG) - doors


@pytest.mark.parametrize("contract", WRONG)
def test_one_wrong_import_breaks_the_contract(contract: str, tmp_path: Path) -> None:
    import shutil

    for name in ("simulator", "pipelines"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file, line = WRONG[contract]
    broken = tmp_path / "simulator" / file
    broken.write_text(f"{broken.read_text()}\n{line}\n")
    linter = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    linter += ["--no-cache"]
    told = subprocess.run(
        linter,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 1, told.stdout + told.stderr
    assert f"{contract} BROKEN" in told.stdout
