"""Parameters that do not fit their flow are found before any time has passed."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect import flow

from simulator.project import course, load, opened

FLOWS = """
from prefect import flow, task

import of_a_library

@flow
def report(day: str, n: int = 1): ...

@flow
def any_of_them(day: str, **others): ...

@task(name="report")
def step_of_a_report(**others): ...
"""

LIBRARY = """
from prefect import flow

@flow
def report(**others): ...
"""


def test_a_parameter_that_is_missing_or_that_there_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flows.py").write_text(FLOWS)
    installed = tmp_path / ".venv" / "lib" / "site-packages"
    installed.mkdir(parents=True)
    (installed / "of_a_library.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(installed)
    cron = 'cron: "0 5 * * *"'
    entries = {
        "right": f"parameters: {{day: x}}, schedules: [{{{cron}}}]",
        "by-schedule": f"schedules: [{{{cron}, parameters: {{day: x}}}}]",
        "asked-for": "parameters: {n: 2}",
        "asleep": f"schedules: [{{{cron}, active: false}}]",
        "missing": f"schedules: [{{{cron}}}]",
        "unknown": "parameters: {day: x, dya: y}",
        "misspelt": f"parameters: {{day: x}}, schedules: [{{{cron}, parameters: {{dya: y}}}}]",
    }
    text = "deployments:\n"
    for name, given in entries.items():
        text += (
            f"- {{name: {name}, entrypoint: 'flows.py:report', work_pool: {{name: p}}, {given}}}\n"
        )
    text += "- {name: open, entrypoint: 'flows.py:any_of_them', work_pool: {name: p},"
    text += " parameters: {day: x, more: y}}\n"
    (tmp_path / "prefect.yaml").write_text(text)
    of_another = flow(lambda: None, name="report")
    with opened(tmp_path, start="2026-01-05T00:00:00Z") as sim:
        load(sim)
        assert sim.unloaded == []
        found = course(sim).findings
        sim.advance(days=1)
        ends = {run.deployment: run.state for run in sim.runs()}
    assert of_another.name == "report"  # it is there, and no flow of this project
    assert [(one.kind, one.where, one.sentence) for one in found] == [
        ("wrong parameters", f"prefect.yaml:{line}", f"a run of report/{name} cannot begin: {said}")
        for line, name, said in (
            (6, "missing", "flow 'report' needs its parameter 'day'"),
            (8, "misspelt", "no parameter of flow 'report' named 'dya': did you mean 'day'?"),
            (7, "unknown", "no parameter of flow 'report' named 'dya': did you mean 'day'?"),
        )
    ]
    assert ends == {
        "report/right": "Completed",
        "report/by-schedule": "Completed",
        "report/missing": "Crashed",
        "report/misspelt": "Crashed",
    }
