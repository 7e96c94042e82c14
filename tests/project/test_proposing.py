"""For each connection that is refused the function is named that a stub would spare it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from simulator.cli import call
from simulator.project.proposing import called_at

FILE = """import http.client
import urllib.request as web
from urllib.request import urlopen
from . import near

def here(session):
    web.urlopen("x").read()
    urlopen(
        "x",
    )
    client = http.client.HTTPConnection("x")
    client.request("GET", "/")
    with web.build_opener() as opener:
        opener.open("x")
    session.get("x")
    near.get("x")
"""


@pytest.mark.parametrize(
    ("line", "stub"),
    [
        (7, "urllib.request.urlopen"),
        (9, "urllib.request.urlopen"),
        (12, "http.client.HTTPConnection.request"),
        (14, "urllib.request.build_opener"),
        (15, None),
        (16, None),
    ],
)
def test_the_imported_function_on_a_line(line: int, stub: str | None, tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(FILE)
    assert called_at(f"{tmp_path / 'flows.py'}:{line}") == stub


FLOW = """
import urllib.request
from prefect import flow

@flow
def news(again: bool = False):
    try:
        return str(urllib.request.urlopen("http://news.invalid/"))
    except OSError:
        return None
"""

YAML = """
deployments:
- name: dev
  entrypoint: flows.py:news
  schedule: {cron: "0 */8 * * *"}
"""


def test_what_is_proposed_can_be_pasted_and_spares_the_connection(tmp_path: Path, capfd) -> None:
    (tmp_path / "flows.py").write_text(FLOW)
    (tmp_path / "prefect.yaml").write_text(YAML)
    assert call(["project", str(tmp_path), "--stub-network"]) == 0
    printed = capfd.readouterr().out
    assert tomllib.loads(printed)["stubs"] == {"urllib.request.urlopen": {"returns": "..."}}
    assert "a connection to news.invalid was refused" in printed
    (tmp_path / "simulation.toml").write_text(printed)
    assert call(["project", str(tmp_path), "--stub-network"]) == 0
    assert capfd.readouterr().out == "[stubs]\n"


DBT = """
from dbt.cli.main import dbtRunner
from prefect import flow

@flow
def marts():
    result = dbtRunner().invoke(["build"])
    if not result.success:
        raise result.exception
"""


def test_another_adapter_of_dbt_is_told_and_what_to_stub(tmp_path: Path, capfd) -> None:
    (tmp_path / "flows.py").write_text(DBT)
    (tmp_path / "prefect.yaml").write_text(YAML.replace("news", "marts"))
    (tmp_path / "dbt_project.yml").write_text("name: shop\nprofile: shop\n")
    (tmp_path / "profiles.yml").write_text(
        "shop: {target: prod, outputs: {prod: {type: snowflake, account: a, schema: b}}}\n"
    )
    assert call(["project", str(tmp_path), "--stub-network"]) == 0
    printed = capfd.readouterr().out
    assert tomllib.loads(printed)["stubs"] == {"dbt.cli.main.dbtRunner.invoke": {"returns": "..."}}
    assert "dbt's adapter 'snowflake' does not run in a simulation" in printed
