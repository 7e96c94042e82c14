"""What a user does: install the package beside the Prefect that they have, and write a first test."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import textwrap
from pathlib import Path

import pytest

import simulator.scenario

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).parent / "uv"
SHIPPED = ("pyproject.toml", "MANIFEST.in", "README.md", "CHANGELOG.md", "LICENSE", "Makefile")
ALONE = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("PYTEST", "PYTHON", "VIRTUAL_ENV", "PREFECT", "MAKE"))
}


def run(*command: object, cwd: Path) -> "subprocess.CompletedProcess[str]":
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, env=ALONE, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make dist` makes of the checkout."""
    checkout = tmp_path_factory.mktemp("checkout")
    for name in SHIPPED:
        shutil.copy(ROOT / name, checkout)
    shutil.copytree(ROOT / "simulator", checkout / "simulator")
    for name in ("tests", "scenarios", "pipelines", "dbt/models"):
        (checkout / name).mkdir(parents=True)
        (checkout / name / "test_it.py").touch()
    # `install` is done: this environment was made by it, or by somebody who knows what is in it.
    made = run("make", "dist", f"VENV={sys.prefix}", "--assume-old=install", cwd=checkout)
    assert made.returncode == 0, made.stderr
    return checkout / "dist"


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_a_wheel_and_an_archive_of_sources_are_made_of_the_package_alone(dist: Path) -> None:
    made = [file for file in dist.iterdir() if file.name[0] != "."]
    assert sorted(file.suffix for file in made) == [".gz", ".whl"]
    [source] = dist.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    folders = {name.partition("/")[0] for name in names if "/" in name}
    assert folders == {"simulator", "prefect_simulator.egg-info"}
    assert {"README.md", "CHANGELOG.md", "LICENSE", "simulator/py.typed"} <= set(names)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("series", ["3.8", "3.9"])
def test_the_first_test_passes_beside_what_the_registry_gives_to_a_user(
    dist: Path, tmp_path: Path, series: str
) -> None:
    environment, folder = tmp_path / "environment", tmp_path / "folder"
    folder.mkdir()
    binaries = environment / "bin"
    made = run(UV, "venv", "--quiet", "--python", sys.executable, environment, cwd=folder)
    assert made.returncode == 0, made.stderr
    [wheel] = dist.glob("*.whl")
    command = ("pip", "install", "--quiet", "--python", binaries / "python")
    added = run(UV, *command, wheel, f"prefect=={series}.*", cwd=folder)
    if "error sending request" in added.stderr.lower() and "CI" not in os.environ:
        pytest.skip("the registry cannot be reached")
    assert added.returncode == 0, added.stderr

    shown = run(binaries / "simulate", "--version", cwd=folder)
    assert re.search(rf"Prefect {re.escape(series)}\.\d+, dbt is not installed", shown.stdout)
    nothing = run(binaries / "simulate", "run", cwd=folder)
    assert nothing.returncode == 2
    assert nothing.stderr.endswith("python -m pydoc simulator.scenario shows how to write one\n")

    readme = (ROOT / "README.md").read_text()
    snippets = re.findall(r"^```python\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
    [first] = (snippet for snippet in snippets if "\ndef test_" in snippet)
    (folder / "tests").mkdir()
    (folder / "tests" / "test_mine.py").write_text(first)
    tested = run(binaries / "pytest", "-q", cwd=folder)
    assert tested.returncode == 0, tested.stdout
    assert "1 passed" in tested.stdout

    (folder / "scenarios").mkdir()
    [_, *blocks, _] = simulator.scenario.__doc__.split("\n\n")
    (folder / "scenarios" / "masked_failure.py").write_text(textwrap.dedent("\n\n".join(blocks)))
    lived = run(binaries / "simulate", "run", cwd=folder)
    assert lived.returncode == 0, lived.stdout + lived.stderr
    assert "2 of 2 variants hold" in lived.stdout
