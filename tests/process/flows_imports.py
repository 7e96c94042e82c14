"""A flow that imports, for the first time in a run, modules with names that `sys` has too."""

from __future__ import annotations

import sys

from prefect import flow


@flow
def imports() -> list[object]:
    import settings_of_a_run
    import shelves_of_a_run.path

    found = [settings_of_a_run.path, settings_of_a_run.argv, shelves_of_a_run.path.LENGTH]
    return [*found, type(sys.path).__name__, type(settings_of_a_run).__name__]
