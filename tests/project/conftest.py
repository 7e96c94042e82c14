"""What `simulate` writes beside a project goes to a folder of the test."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of the test."""
    folder = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(folder)
    return folder
