"""`simulate doctor`."""

from __future__ import annotations

from simulator.cli.answers import Json, Quiet, exclusive, print_json
from simulator.cli.app import app


@app.command()
def doctor(
    json: Json = False,
    quiet: Quiet = False,
) -> int:
    """Look at the installation, run a small simulation, and say what to do about what is not right.

    Exit code 1 if something does not work. Nothing is mended; the small simulation does what each does:
    it makes the database in the cache folder, and removes what killed ones have left.
    """
    from dataclasses import asdict

    from simulator.doctor import WRONG, checks

    exclusive(json=json, quiet=quiet)
    done = []
    for check in checks():
        done.append(check)
        if not (json or quiet):
            print(f"{check.status:<6}{check.name}: {check.found}", flush=True)
            if check.advice:
                print(f"      {check.advice}", flush=True)
    wrong = any(check.status == WRONG for check in done)
    if json:
        print_json({"works": not wrong, "checks": [asdict(one) for one in done]})
    return int(wrong)
