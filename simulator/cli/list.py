"""`simulate list`."""

from __future__ import annotations

from pathlib import Path

from simulator.cli.app import Folder, app


@app.command("list")
def list_scenarios(scenarios: Folder = Path("scenarios")) -> None:
    """List the scenarios: name, question, patterns, variants."""
    from simulator.report import console, scenario_table
    from simulator.scenarios import load

    console().print(scenario_table(load(scenarios)))
