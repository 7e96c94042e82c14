"""The private functions of Prefect with which `prefect deploy` reads a project and deploys it.

Prefect 3.8 and 3.9. Nothing is replaced: they are called as its command line calls them, without a
person to ask. `tests/project/test_reading.py` fails when one of them is gone or takes other words.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect.cli.deploy._config import (
    _handle_deprecated_schedule_fields,
    _load_deploy_configs_and_actions,
)
from prefect.cli.deploy._core import _run_single_deploy
from prefect.cli.deploy._models import DeploymentConfig, PrefectYamlModel
from prefect.cli.deploy._schedules import _construct_schedules
from prefect.utilities.templating import (
    apply_values,
    resolve_block_document_references,
    resolve_variables,
)
from pydantic import ValidationError

KNOWN_KEYS = frozenset(DeploymentConfig.model_fields)
"""The keys of a deployment that Prefect reads; it says nothing of any other."""


class Said:
    """A console that keeps what Prefect's command line says, as plain text."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def print(self, *what: Any, **_: Any) -> None:
        self.lines += [str(getattr(one, "renderable", one)) for one in what]


def check(raw: Mapping[str, Any]) -> list[tuple[tuple[Any, ...], str]]:
    """What Prefect would refuse of a prefect.yaml: the place of each value, and what is wrong."""
    try:
        PrefectYamlModel.model_validate(raw)
    except ValidationError as refused:
        return [(error["loc"], error["msg"]) for error in refused.errors()]
    return []


def read(file: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The deployments of a prefect.yaml, and its steps of build, push and pull."""
    return _load_deploy_configs_and_actions(file, console=Said())  # type: ignore[arg-type]


async def resolved(config: Mapping[str, Any]) -> dict[str, Any]:
    """A deployment with its blocks, variables and `{{ $NAME }}` filled in, as when it is deployed."""
    filled: Any = await resolve_variables(await resolve_block_document_references(dict(config)))
    values: Any = apply_values(filled, dict(os.environ), remove_notset=False)
    return dict(values)


async def deploy(config: Mapping[str, Any]) -> None:
    """Deploy one entry of a prefect.yaml, whose steps of build and push are left out already."""
    await _run_single_deploy(
        dict(config),
        {},
        console=Said(),  # type: ignore[arg-type]
        is_interactive=lambda: False,
    )


def schedules(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What `prefect deploy` makes of the schedules of an entry: a schedule each, and what goes with it.

    Raises ValueError for what it refuses.
    """
    made = _construct_schedules(
        _handle_deprecated_schedule_fields(dict(config)),
        {},
        console=Said(),  # type: ignore[arg-type]
        is_interactive=lambda: False,
    )
    return list(made or ())
