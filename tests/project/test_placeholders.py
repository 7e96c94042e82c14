"""Secrets, blocks and variables: given ones, made-up ones, and what is never read."""

from __future__ import annotations

import dataclasses
import enum
from datetime import datetime
from pathlib import Path
from typing import Literal

import pandas as pd
import pytest
from prefect.blocks.core import Block
from prefect.types import SecretDict
from pydantic import AnyUrl, BaseModel, SecretStr

from simulator.project import ProjectSimulation
from simulator.project.configuration import Configuration
from simulator.project.given import hidden
from simulator.stubs import NoSample, returned, sample

FLOWS = """
import asyncio
import os
from prefect import flow
from prefect.blocks.core import Block
from prefect.blocks.notifications import SlackWebhook
from prefect.blocks.system import Secret
from prefect.variables import Variable

@flow
def main(given_token: str = ""):
    import json
    seen = {
        "given": Secret.load("given").get(),
        "made up": Secret.load("made-up").get(),
        "by type": Block.load("secret/by-type").get(),
        "later": asyncio.run(later()),
        "hook": SlackWebhook.load("alerts").url.get_secret_value(),
        "variables": [Variable.get("region"), Variable.get("other"), Variable.get("limit", 3)],
        "key": os.environ["SHOP_API_KEY"],
        "parameter": given_token,
        "unsaved": None,
    }
    Secret(value="mine").save("made-up", overwrite=True)
    seen["unsaved"] = Secret.load("made-up").get()
    open("seen.json", "w").write(json.dumps(seen))

async def later():
    return (await Secret.aload("later")).get()
"""

YAML = """
deployments:
- name: a
  entrypoint: flows.py:main
  schedule: {cron: "0 * * * *"}
  parameters:
    given_token: "{{ prefect.variables.region }}-{{ prefect.blocks.secret.given }}"
"""


def test_what_is_given_is_found_and_the_rest_is_made_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    from simulator.project import load

    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "prefect.yaml").write_text(YAML)
    monkeypatch.setenv("SHOP_API_KEY", "the real one")
    given = Configuration(
        tmp_path / "simulation.toml", secrets={"given": "of the user"}, variables={"region": "eu"}
    )
    with ProjectSimulation(tmp_path, given) as sim:
        load(sim)
        sim.advance(hours=1.1)
        [run] = sim.runs()
        assert run.completed, run
        made_up = sim.given.made_up
    assert json.loads((tmp_path / "seen.json").read_text()) == {
        "given": "of the user",
        "made up": "placeholder",
        "by type": "placeholder",
        "later": "placeholder",
        "hook": "placeholder",
        "variables": ["eu", "placeholder", 3],
        "key": "placeholder",
        "parameter": "eu-of the user",
        "unsaved": "mine",
    }
    assert made_up == [
        "secret/made-up",
        "secret/by-type",
        "secret/later",
        "slack-webhook/alerts",
        "variable/other",
    ]


def test_variables_that_look_like_credentials_are_hidden() -> None:
    names = ["AWS_SECRET_ACCESS_KEY", "API_KEY", "GH_TOKEN", "DB_PASSWORD", "HOME", "KEYBOARD"]
    assert sorted(hidden(dict.fromkeys(names, "x"))) == sorted(names[:4])


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    tags: list[str]
    y: int = 3


class Order(BaseModel):
    where: Point
    link: AnyUrl
    password: SecretStr
    colour: Colour | None


class Credentials(Block):
    user: str
    extra: SecretDict


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (str, "placeholder"),
        (list[int], []),
        (dict[str, int] | None, None),
        (tuple[int, str], (1, "placeholder")),
        (Literal["a", "b"], "a"),
        (Colour, Colour.RED),
        (Point, Point(1, [])),
    ],
)
def test_a_value_of_a_type(kind: object, value: object) -> None:
    assert sample(kind) == value


def test_a_value_of_a_model_and_of_a_block_is_valid() -> None:
    order = sample(Order)
    assert order == Order.model_validate(order.model_dump())
    assert sample(Credentials).user == "placeholder"


def test_a_value_of_what_a_function_returns() -> None:
    def frame() -> pd.DataFrame: ...

    def says_nothing(): ...

    def when() -> datetime: ...

    assert returned(frame).empty
    assert returned(when).tzinfo is not None
    with pytest.raises(NoSample, match="does not say"):
        returned(says_nothing)
