"""What is shipped, what it needs, and how it is set up."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import dbt
import dbt.tests
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = {"3.8": "requirements-3.8.lock", "3.9": "requirements.lock"}  # by series of Prefect


def run(*command: object, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )


# ---- what is shipped


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel of the checkout, made without the network."""
    project = tmp_path_factory.mktemp("project")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, project)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "simulator", project / "simulator", ignore=ignore)
    for name in ("dbt/models", "pipelines", "scenarios", "tests", "benchmarks", "docs"):
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").touch()
    made = run(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"),
        *("--no-build-isolation", "--wheel-dir", project / "out", project),
        cwd=project,
    )
    assert made.returncode == 0, made.stderr
    [file] = (project / "out").glob("*.whl")
    return zipfile.ZipFile(file)


def test_only_the_package_is_shipped_and_all_of_it(wheel: zipfile.ZipFile) -> None:
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    own = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "simulator").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert shipped == own
    assert "simulator/py.typed" in shipped


def test_the_wheel_has_the_command_the_plugin_and_the_licence(wheel: zipfile.ZipFile) -> None:
    [entry_points] = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    text = wheel.read(entry_points).decode()
    assert "[console_scripts]\nsimulate = simulator.cli:main" in text
    assert "[pytest11]\nsimulator = simulator.pytest_plugin" in text
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_the_dbt_project_does_not_hide_the_dbt_package() -> None:
    assert str(ROOT) in sys.path
    assert not list((ROOT / "dbt").rglob("__init__.py"))
    installed = Path(str(dbt.__file__)).parent
    assert installed.parent.name == "site-packages"
    # Both have a folder `tests`: the installed one comes first.
    assert Path(next(iter(dbt.tests.__path__))) == installed / "tests"


def test_the_plugin_costs_a_test_suite_without_simulations_next_to_nothing() -> None:
    program = "import simulator.pytest_plugin, sys; print(*sys.modules)"
    loaded = run(sys.executable, "-c", program, cwd=ROOT)
    assert loaded.returncode == 0, loaded.stderr
    assert not {"prefect", "dbt", "duckdb", "freezegun", "fastapi"} & set(loaded.stdout.split())


# ---- what it needs


def locked(series: str) -> list[Requirement]:
    return [
        Requirement(line.split("#")[0].strip())
        for line in (ROOT / LOCKS[series]).read_text().splitlines()
        if not line.startswith("#")
    ]


def imports(file: Path) -> Iterator[str]:
    """The absolute names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_every_library_that_is_imported_is_declared() -> None:
    extras = PROJECT["optional-dependencies"]
    of_extras = {
        "patches/dbt*.py": names(extras["dbt"]),
        "cluster/*.py": names(extras["dask"]),
        "exports/otlp.py": names(extras["otel"]),
    }
    providers = packages_distributions()
    known = set(sys.stdlib_module_names) | {"simulator", "__future__", "_typeshed", "_duckdb"}
    known |= {"numpy", "polars"}  # patched where somebody else has brought them
    known |= {"pydantic_core"}  # comes with pydantic, in the one version that fits it
    undeclared = {
        (str(file.relative_to(ROOT)), top)
        for file in (ROOT / "simulator").rglob("*.py")
        for top in {name.partition(".")[0] for name in imports(file)} - known
        if not {canonicalize_name(name) for name in providers.get(top, [top])}
        & names(PROJECT["dependencies"]).union(
            *(extra for where, extra in of_extras.items() if file.match(where))
        )
    }
    assert not undeclared


def names(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


@pytest.mark.parametrize("series", LOCKS)
def test_the_lock_has_one_exact_version_of_everything_and_no_address(series: str) -> None:
    text = (ROOT / LOCKS[series]).read_text()
    assert not re.search(r"://|file:|--|(^|\s)/\w", text)
    assert all(re.fullmatch(r"==[^*,]+", str(pin.specifier)) for pin in locked(series))
    assert all(pin.url is None for pin in locked(series))


def test_there_is_a_lock_for_each_series_of_prefect_that_is_allowed() -> None:
    [prefect] = (text for text in PROJECT["dependencies"] if text.startswith("prefect>"))
    allowed = [minor for minor in range(100) if f"3.{minor}.99" in Requirement(prefect).specifier]
    assert [f"3.{minor}" for minor in allowed] == list(LOCKS)
    for series in LOCKS:
        [pin] = (pin for pin in locked(series) if pin.name == "prefect")
        assert str(pin.specifier).startswith(f"=={series}.")


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("series", LOCKS)
def test_the_lock_satisfies_the_declared_bounds(series: str, python: str) -> None:
    environment = {"python_version": python, "python_full_version": f"{python}.5"}
    pins = {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in locked(series)
        if pin.marker is None or pin.marker.evaluate(environment)
    }
    declared = [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]
    for requirement in map(Requirement, declared):
        if requirement.marker is None or requirement.marker.evaluate(environment):
            name = canonicalize_name(requirement.name)
            assert name in pins, name
            assert requirement.specifier.contains(pins[name], prereleases=True), name


# ---- how it is set up


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", *LOCKS.values()):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
class TestMake:
    @pytest.mark.parametrize("version", [(3, 10), (3, 14), (2, 7)])
    def test_an_unsuitable_python_is_refused_in_one_line(
        self, checkout: Path, version: tuple[int, int]
    ) -> None:
        fake = checkout / "fake-python"
        fake.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -c "import sys; '
            f'sys.version_info = ({version[0]}, {version[1]}, 0); $2"\n'
        )
        fake.chmod(0o755)
        made = run("make", "simulate", "PYTHON=./fake-python", "VENV=venv", cwd=checkout)
        assert made.returncode == 2
        error, *rest = made.stderr.splitlines()
        assert error == (
            f"error: Python 3.11 to 3.13 is needed, ./fake-python is {version[0]}.{version[1]}; "
            "name another: make PYTHON=python3.12"
        )
        assert all(line.startswith("make") for line in rest)
        assert not (checkout / "venv").exists()

    @pytest.fixture(autouse=True)
    def _no_other_make(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Forget the `make` that runs these tests: it would say which Prefect is meant."""
        for name in ("DO_NOT_TRACK", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "PREFECT"):
            monkeypatch.delenv(name, raising=False)

    @pytest.fixture
    def complete(self, checkout: Path) -> Path:
        """A checkout whose set-up is complete."""
        (checkout / "venv").mkdir()
        for stamp in (".created", ".locked", ".installed"):
            (checkout / "venv" / stamp).touch()
        return checkout

    def test_prefect_and_dbt_are_told_to_report_nothing(self, complete: Path) -> None:
        (complete / "venv" / "bin").mkdir()
        asked = complete / "venv" / "bin" / "simulate"
        asked.write_text("#!/bin/sh\necho $DO_NOT_TRACK\n")
        asked.chmod(0o755)
        made = run("make", "simulate", "VENV=venv", cwd=complete)
        assert made.stdout.split() == ["1"], made

    def test_a_second_call_installs_nothing(self, complete: Path) -> None:
        made = run("make", "install", "PYTHON=/no/python", "VENV=venv", cwd=complete)
        assert made.returncode == 0, made.stderr
        assert "Nothing to be done" in made.stdout

    @pytest.mark.parametrize(
        ("prefect", "lock"),
        [("3.8", "requirements-3.8.lock"), ("3.9", "requirements.lock")],
    )
    def test_each_series_has_a_lock_and_an_environment_of_its_own(
        self, checkout: Path, prefect: str, lock: str
    ) -> None:
        made = run("make", "--dry-run", "test", f"PREFECT={prefect}", cwd=checkout)
        venv = ".venv" + lock.removeprefix("requirements").removesuffix(".lock")
        assert f"-m venv {venv}\n" in made.stdout
        assert f"{venv}/bin/python -m pip" in made.stdout
        assert f"--requirement {lock}\n" in made.stdout
        assert f"{venv}/bin/python -m pytest" in made.stdout

    def test_a_series_without_a_lock_is_refused_in_one_line(self, checkout: Path) -> None:
        made = run("make", "test", "PREFECT=3.7", cwd=checkout)
        assert made.returncode == 2
        assert made.stderr.endswith(
            "Prefect 3.7 is none of the series that have a lock here: 3.9 3.8.  Stop.\n"
        )

    def test_a_changed_lock_is_installed(self, complete: Path) -> None:
        later = (complete / "venv" / ".installed").stat().st_mtime + 10
        os.utime(complete / "requirements.lock", (later, later))
        made = run("make", "--dry-run", "install", "VENV=venv", cwd=complete)
        assert "--requirement requirements.lock" in made.stdout
        assert "--editable ." in made.stdout
