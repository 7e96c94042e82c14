"""Why a deployment could not be imported: what is missing, by the name under which it is installed."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from simulator.project import load, opened
from simulator.project.causes import cause_of


def cause(code: str, folder: Path) -> str:
    """What is said of the error that this code of a project raises."""
    file = folder / "flows.py"
    file.write_text(code)
    with pytest.raises(Exception) as raised:
        exec(compile(code, str(file), "exec"), {"__name__": "flows"})
    return re.sub(r" \(\S*flows\.py:1\)$", "", cause_of(raised.value, folder))


@pytest.mark.parametrize(
    ("code", "requirements", "install"),
    [
        ("import cv2", "", "opencv-python"),
        ("import no_such_thing", "", "no-such-thing"),
        ("import no_such_thing.inner", "no-such-thing-client==2\nother", "no-such-thing-client"),
        ("import nothing", "nothing-a\nnothing-b\n", "nothing"),
        ("from namespace_of_many.cloud import bucket", "namespace-of-many-cloud\n", "namespace-of-many-cloud"),
        ("from namespace_of_many import genai", "namespace-of-many_genai", "namespace-of-many-genai"),
    ],
)  # fmt: skip
def test_a_package_has_the_name_that_the_project_says(
    code: str, requirements: str, install: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "installed" / "namespace_of_many" / "other"
    shared.mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))
    project = tmp_path / "project"
    project.mkdir()
    (project / "requirements.txt").write_text(requirements)
    assert cause(code, project).endswith(f"is not installed (pip install {install})")


def test_a_module_that_another_version_has(tmp_path: Path) -> None:
    told = cause("import json.no_such_thing", tmp_path)
    assert told == "the 'json' that is installed has no 'no_such_thing': another version is meant"


def test_packages_of_google_go_by_what_is_asked_of_them(tmp_path: Path) -> None:
    said = cause("from google.no_such_thing import bigquery", tmp_path)
    assert said.endswith("(pip install google-no-such-thing-bigquery)")


def test_a_file_that_is_missing_in_a_package_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "packages" / "own_package_of_flows"
    package.mkdir(parents=True)
    (package / "there.py").write_text("")
    (package / "__init__.py").write_text("")
    told = cause("import own_package_of_flows.there", tmp_path)
    assert told.startswith("the module 'own_package_of_flows' is the project's own, in 'packages'")
    monkeypatch.syspath_prepend(str(package.parent))
    told = cause("from own_package_of_flows.gone import x", tmp_path)
    assert told == "the project's own 'packages/own_package_of_flows' has no 'gone'"
    sys.modules.pop("own_package_of_flows")


@pytest.mark.parametrize(
    "asked", ["from own_folder.inner import x", "import own_folder.inner.there"]
)
def test_a_package_of_the_project_without_an_init(tmp_path: Path, asked: str) -> None:
    """Python takes a folder for a package; one that only has the name of a library is none."""
    inner = tmp_path / "src" / "own_folder" / "inner"
    inner.mkdir(parents=True)
    (inner / "there.py").write_text("")
    told = cause(asked, tmp_path)
    assert told.startswith("the module 'own_folder' is the project's own, in 'src'")
    assert cause("import own_folder", tmp_path).endswith(
        "is not installed (pip install own-folder)"
    )
    told = cause("from own_folder.gone import x", tmp_path)
    assert told.endswith("is not installed (pip install own-folder)")


def test_what_this_python_cannot_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "newer_than_any.py").write_text("def f[\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    version = ".".join(map(str, sys.version_info[:2]))
    told = cause("import newer_than_any", tmp_path)
    assert told.startswith(f"Python {version} cannot read newer_than_any.py:1: ")


def test_of_what_is_refused_only_the_reason_is_told(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(
        "from prefect import flow\n@flow\ndef main(n: int = 1): ...\n"
    )
    entry = "- {{name: {}, entrypoint: 'flows.py:main', work_pool: {{name: p}}, {}}}\n"
    (tmp_path / "prefect.yaml").write_text(
        "deployments:\n"
        + entry.format("zone", "schedules: [{cron: '0 2 * * *', timezone: Mars/Base}]")
        + entry.format("number", "parameters: {n: abc}")
    )
    with opened(tmp_path) as sim:
        load(sim)
    zone, number = (one.cause for one in sim.unloaded)
    assert zone.startswith('ValidationError: timezone: Invalid timezone: "Mars/Base"')
    assert "pydantic" not in zone
    assert number == (
        "DeploymentApplyError: Validation failed for field 'n'."
        " Failure reason: 'abc' is not of type 'integer'"
    )
