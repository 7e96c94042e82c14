"""Variables of the environment that a project asks for, and that are not set here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator.cli import call

FLOWS = """
import os

from prefect import flow, task


@task
def ask() -> str:
    return os.environ["NEWS_API_URL"]


@flow
def asks() -> str:
    return ask()


@flow
def checks() -> str:
    token = os.getenv("NEWS_TOKEN_OF_TEAM")
    if not token:
        raise ValueError("set NEWS_TOKEN_OF_TEAM, please")
    return token


@flow
def fails() -> None:
    os.environ.get("NEWS_API_URL")
    raise ValueError("another matter")
"""

PROJECT = """
deployments:
- name: prod
  entrypoint: flows.py:asks
  work_pool: {name: pool}
  schedule: {cron: "0 2 * * *"}
- name: prod
  entrypoint: flows.py:checks
  work_pool: {name: pool, job_variables: {env: %s}}
  schedule: {cron: "0 3 * * *"}
- name: prod
  entrypoint: flows.py:fails
  work_pool: {name: pool}
  schedule: {cron: "0 4 * * *"}
"""

GIVEN = """
[environment]
NEWS_API_URL = "https://news.invalid"
NEWS_TOKEN_OF_TEAM = "of the file"
"""

Told = Callable[..., dict[str, Any]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("NEWS_API_URL", "NEWS_TOKEN_OF_TEAM"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "prefect.yaml").write_text(PROJECT % "{}")
    return tmp_path


@pytest.fixture
def told(project: Path, capfd: pytest.CaptureFixture[str]) -> Told:
    def told() -> dict[str, Any]:
        assert call(["project", str(project), "--days", "2", "--json"]) == 0
        course: dict[str, Any] = json.loads(capfd.readouterr().out)
        return course

    return told


def failing(course: dict[str, Any]) -> list[str]:
    return [one["subject"] for one in course["findings"] if one["kind"] == "fails"]


def test_what_is_not_set_is_no_finding_about_the_project(told: Told) -> None:
    course = told()
    assert course["missing_variables"] == {"NEWS_API_URL": 2, "NEWS_TOKEN_OF_TEAM": 2}
    assert failing(course) == ["fails/prod"]


def test_what_the_file_gives_is_set_and_a_deployment_outranks_it(told: Told, project: Path) -> None:
    (project / "prefect.yaml").write_text(PROJECT % '{NEWS_TOKEN_OF_TEAM: "of the deployment"}')
    (project / "simulation.toml").write_text(GIVEN)
    course = told()
    assert course["missing_variables"] == {}
    assert failing(course) == ["fails/prod"]


def test_it_is_said_and_proposed(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert call(["project", str(project), "--days", "2"]) == 0
    said = capfd.readouterr().out
    assert "Environment variables that are not set, and ended a run: see [environment]" in said
    assert "  NEWS_API_URL (in 2 runs)" in said
    assert call(["project", str(project), "--init"]) == 0
    draft = (project / "simulation.toml").read_text()
    assert (
        '[environment]\n#NEWS_API_URL = "placeholder"\n#NEWS_TOKEN_OF_TEAM = "placeholder"' in draft
    )


def test_a_value_is_a_text(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "simulation.toml").write_text("[environment]\nPORT = 5432\n")
    assert call(["project", str(project)]) == 2
    assert 'simulation.toml:2: PORT=5432 must be a text, such as "5432"' in capfd.readouterr().err


SETTINGS = """
from prefect import flow
from pydantic import AliasChoices, BaseModel, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Api(BaseModel):
    url: str


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_", env_nested_delimiter="__")
    api_key: str
    token: str = Field(validation_alias="TOKEN_OF_SHOP")
    region: str = Field(validation_alias=AliasChoices("REGION_OF_SHOP", "AWS_REGION_OF_SHOP"))
    api: Api = Field(default={}, validate_default=True)
    pages: int = 3


class Order(BaseModel):
    price: float


class Checked(BaseSettings):
    def __init__(self) -> None:
        Order.model_validate({})


@flow
def loads() -> str:
    return Settings().api_key


@flow
def parses() -> float:
    return Order.model_validate({}).price


@flow
def checks() -> None:
    Checked()
"""

OF_SETTINGS = ["SHOP_API_KEY", "TOKEN_OF_SHOP", "REGION_OF_SHOP", "SHOP_API__URL"]


def test_fields_that_a_settings_model_lacks_are_variables_that_are_not_set(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As with pydantic-settings, in a flow and when a file is imported."""
    (tmp_path / "flows.py").write_text(SETTINGS)
    (tmp_path / "at_import.py").write_text(
        "from flows import Settings, loads\n\nSettings()\nhere = loads\n"
    )
    (tmp_path / "prefect.yaml").write_text(
        "deployments:\n"
        '- {name: a, entrypoint: "flows.py:loads", schedule: {cron: "0 2 * * *"}, work_pool: {name: p}}\n'
        '- {name: a, entrypoint: "flows.py:parses", schedule: {cron: "0 2 * * *"}, work_pool: {name: p}}\n'
        '- {name: a, entrypoint: "flows.py:checks", schedule: {cron: "0 2 * * *"}, work_pool: {name: p}}\n'
        '- {name: b, entrypoint: "at_import.py:here", work_pool: {name: p}}\n'
    )
    assert call(["project", str(tmp_path), "--days", "2", "--json"]) == 0
    course = json.loads(capfd.readouterr().out)
    assert course["missing_variables"] == dict.fromkeys(OF_SETTINGS, 2)
    assert failing(course) == [
        "checks/a",
        "parses/a",
    ]  # their data are wrong, not their environment
    (unloaded,) = course["not_loaded"]
    names = " and ".join(map(repr, OF_SETTINGS))
    assert unloaded["cause"] == f"the environment variables {names} are not set (at_import.py:3)"
    assert call(["project", str(tmp_path), "--init"]) == 0
    draft = (tmp_path / "simulation.toml").read_text()
    (tmp_path / "simulation.toml").write_text(draft.replace("#SHOP", "SHOP").replace("#TOK", "TOK"))
    capfd.readouterr()
    assert call(["project", str(tmp_path), "--days", "2", "--json"]) == 0
    course = json.loads(capfd.readouterr().out)
    assert course["missing_variables"] == {"REGION_OF_SHOP": 2}
    (unloaded,) = course["not_loaded"]
    assert unloaded["unset"] == ["REGION_OF_SHOP"]
