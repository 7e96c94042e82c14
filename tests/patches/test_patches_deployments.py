"""What `simulator.patches.prefect.deployments` is needed for, and what it does.

How flows are deployed by Prefect's own means stands in `tests/worker/test_serving.py`.
"""

from __future__ import annotations

import os

import pytest
from prefect import flow
from prefect._internal import versioning
from prefect.deployments.runner import RunnerDeployment

from simulator import Simulation


@flow
def job() -> None: ...


@pytest.fixture
def asked(monkeypatch) -> list[list[str]]:
    """The commands that version control is asked with."""
    commands: list[list[str]] = []
    run = versioning.run_process

    async def run_process(command, **options):
        commands.append(command)
        return await run(command, **options)

    monkeypatch.setattr(versioning, "run_process", run_process)
    return commands


def version_of(name: str, version: str) -> str:
    deployment = RunnerDeployment(
        name=name, flow_name="job", entrypoint="job.py:job", version=version
    )
    return deployment._get_deployment_version_info().version


def test_version_control_would_be_asked_for_each_deployment(asked):
    version_of("one", "1")
    once = len(asked)
    version_of("two", "2")
    assert len(asked) == 2 * once > 0


def test_version_control_is_asked_once(asked):
    with Simulation():
        assert version_of("one", "1") == "1"
        once = len(asked)
        assert version_of("two", "2") == "2"
        assert len(asked) == once > 0


def test_another_folder_or_environment_is_asked_for_anew(asked, tmp_path, monkeypatch):
    with Simulation():
        version_of("one", "1")
        first = len(asked)
        monkeypatch.chdir(tmp_path)
        version_of("one", "1")
        second = len(asked)
        monkeypatch.setitem(os.environ, "GITHUB_SHA", "0123456789")
        version_of("one", "1")
        assert first < second < len(asked)
