"""What public projects have in their files, and how they are called: in their own folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.project import course, load, opened

FLOWS = """
import os

from prefect import flow


@flow(name="ingest_all")
def ingest():
    return os.getcwd()


if __name__ == "__main__":
    ingest.serve("served", cron="0 * * * *")
"""


def simulate(*arguments: str, folder: Path) -> str:
    """What the command prints on its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "simulator.cli", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_working_directory_of_another_machine_stands_for_the_project(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "prefect.yaml").write_text(
        "deployments:\n"
        "- name: prod\n"
        "  entrypoint: flows.py:ingest\n"
        "  work_pool: {name: pool, job_variables: {working_dir: /opt/of/elsewhere}}\n"
        '  schedule: {cron: "0 * * * *"}\n'
    )
    with opened(tmp_path, start="2026-01-01T00:30:00Z") as sim:
        load(sim)
        sim.advance(hours=1)
        (run,) = sim.runs(deployment="ingest_all/prod")
        assert run.state == "Completed"
        (note,) = [note for note in sim.history().notes if note.kind == "result"]
    assert note.text == repr(str(tmp_path))


def test_a_script_is_named_from_the_folder_that_one_is_in(tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(FLOWS)
    said = simulate("project", ".", "--list", "--script", "served.py", folder=tmp_path)
    assert said == "ingest_all/served (served.py:13)\n"


def test_json_of_a_schedule_is_json_though_a_script_prints(tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(FLOWS)
    said = simulate("schedule", "--days", "1", "--json", folder=tmp_path)
    assert [one["deployment"] for one in json.loads(said)] == ["ingest_all/served"]


@pytest.mark.parametrize(
    "how",
    [
        '@flow(name="ingest_all")',
        '@prefect.flow(retries=2, name="ingest_all")',
        "@flow",
        '@timed(other="ingest_all", name="of another decorator")\n@flow(retries=2)',
    ],
)
def test_a_schedule_calls_a_flow_by_the_name_that_its_file_gives(tmp_path: Path, how: str) -> None:
    (tmp_path / "flows.py").write_text(
        FLOWS.replace('@flow(name="ingest_all")', how).replace("def ingest", "def ingest_it")
    )
    (tmp_path / "prefect.yaml").write_text(
        "deployments:\n"
        '- {name: prod, entrypoint: "flows.py:ingest_it", schedule: {cron: "0 * * * *"}}\n'
    )
    (one,) = json.loads(simulate("schedule", "--days", "1", "--json", folder=tmp_path))
    name = "ingest-it" if how.endswith(("@flow", "2)")) else "ingest_all"
    assert one["deployment"] == f"{name}/prod"


def test_what_failed_to_import_once_is_told_for_each_by_its_own_cause(tmp_path: Path) -> None:
    """Prefect leaves a half module, in which the next deployment would look for names."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "base.py").write_text(
        "import nowhere_to_be_found\nfrom prefect import flow\n\n\n@flow\ndef first(): ...\n"
    )
    (tmp_path / "flows" / "upper.py").write_text(
        "from base import first\nfrom prefect import flow\n\n\n@flow\ndef second(): ...\n"
    )
    (tmp_path / "prefect.yaml").write_text(
        "deployments:\n"
        '- {name: a, entrypoint: "flows/base.py:first"}\n'
        '- {name: b, entrypoint: "flows/upper.py:second"}\n'
    )
    with opened(tmp_path) as sim:
        load(sim)
        causes = [one.cause for one in course(sim).unloaded]
    assert len(causes) == 2
    for cause in causes:
        assert cause.startswith("the module 'nowhere_to_be_found' is not installed")
