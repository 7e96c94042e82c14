"""`simulate new` writes a scenario that runs as it stands."""

import subprocess
import sys
from pathlib import Path

import pytest

from simulator.cli import call


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as the working one, beside no other package named `pipelines`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return tmp_path


def run(folder: Path, *command: str) -> str:
    """What a command prints that must end well. The package is found as its users find it."""
    root = str(Path(__file__).parents[2])
    code = f"import sys; sys.path.append({root!r}); import runpy; runpy.run_module(sys.argv.pop(1), run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_it_writes_is_green_by_simulate_and_by_pytest(folder: Path) -> None:
    assert call(["new", "late-export"]) == 0
    assert "2 of 2 variants hold" in run(folder, "simulator.cli", "run", "late-export")
    said = run(folder, "pytest", "-q", "-p", "no:cacheprovider")
    assert "3 passed" in said  # the test, and the two variants


def test_a_second_one_shares_what_the_first_has_made(folder: Path) -> None:
    assert [call(["new", name]) for name in ("one", "two-2")] == [0, 0]
    made = {str(file.relative_to(folder)) for file in folder.rglob("*.py")}
    assert made == {
        "conftest.py",
        "pipelines/__init__.py",
        *(
            f"{where}{name}.py"
            for where in ("pipelines/", "scenarios/", "tests/test_")
            for name in ("one", "two_2")
        ),
    }


@pytest.mark.parametrize("taken", ["pipelines/one.py", "scenarios/one.py", "tests/test_one.py"])
def test_nothing_is_overwritten_nor_half_written(
    folder: Path, taken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / taken
    file.parent.mkdir()
    file.write_text("mine")
    assert call(["new", "one"]) == 2
    said = capsys.readouterr().err
    assert said == f"simulate: {taken!r} is there already: choose another name than one\n"
    assert file.read_text() == "mine"
    assert list(folder.rglob("*.py")) == [file]


@pytest.mark.parametrize("name", ["", "Late", "a_b", "a--b", "1st", "../up", "class", "a b", "é"])
def test_a_bad_name_is_one_line(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["new", name]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"simulate: NAME {name!r} must be")
    assert said.count("\n") == 1
    assert not list(folder.iterdir())


def test_a_folder_that_is_a_file_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "pipelines").write_text("")
    assert call(["new", "one"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("simulate: cannot write 'pipelines/__init__.py': ")
    assert said.count("\n") == 1
