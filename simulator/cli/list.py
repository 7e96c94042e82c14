"""`simulate list`."""

from __future__ import annotations

from pathlib import Path

from simulator.cli.answers import Json, print_json
from simulator.cli.app import Folder, app


@app.command("list")
def list_scenarios(
    scenarios: Folder = Path("scenarios"),
    json: Json = False,
) -> None:
    """List the scenarios: name, question, patterns, variants."""
    from simulator.report import console, print_table, scenario_table
    from simulator.scenarios import load

    found = load(scenarios)
    if not json:
        print_table(console(), scenario_table(found))
        return
    said = [
        {
            "name": one.name,
            "question": one.question,
            "patterns": list(one.patterns),
            "variants": list(one.variants),
        }
        for one in found
    ]
    print_json(said)
