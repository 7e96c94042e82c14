"""dbt beside the warehouse, for those who have it: nothing of it is imported before their code does.

The patches themselves stand in `simulator.patches.dbt` and `dbt_manifests`, which import dbt.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from simulator.caveats import tell
from simulator.patches.imports import once_imported
from simulator.warehouse.writes import Writes

TRIED = "1.11"
"""The series of dbt-core that the patches were written for."""

Invoked = Callable[[], Callable[[str, bool], str | None]]
"""Called by who invokes dbt. Gives what is asked for each node, by its name and whether it is a data
test: what is wrong with it."""

_shared: Path | None = None


def dbt_installed(scratch: Path, writes: Writes, invoked: Invoked) -> AbstractContextManager[None]:
    """Let flows call dbt from any thread for one simulation, as soon as they have imported it.

    What it writes goes to `scratch`, unless they say where; `writes` is told what it builds,
    and `invoked` who invokes it.
    """
    return once_imported("dbt.cli.main", lambda: _patched(scratch, writes, invoked))


@contextmanager
def _patched(scratch: Path, writes: Writes, invoked: Invoked) -> Iterator[None]:
    from simulator.patches.dbt import shared_dbt

    with shared_dbt(scratch, writes.dbt, writes.built, invoked):
        version = metadata.version("dbt-core")
        if not version.startswith(f"{TRIED}."):
            tell("dbt", f"dbt-core {version} was never tried in a simulation, {TRIED} was")
            yield
            return
        from simulator.patches.dbt_manifests import kept_manifests

        with kept_manifests(scratch / "target", _shared):
            yield


def share_manifests(folder: Path) -> None:
    """Share parsed projects with the other processes that do so, in `folder`, theirs alone."""
    global _shared
    _shared = folder


def release(*, interrupt: bool = False) -> None:
    """Close the DuckDB file that dbt keeps open, if any, once no invocation is running.

    With `interrupt`, a statement that is running is stopped rather than waited for.
    """
    if (patches := _imported()) is not None:
        patches.release(interrupt=interrupt)


def stop_statement() -> None:
    """Interrupt the statement that dbt is running, if any."""
    if (patches := _imported()) is not None:
        patches.stop_statement()


def _imported() -> Any:
    """The module with dbt's patches, if anybody has imported dbt in a simulation."""
    return sys.modules.get("simulator.patches.dbt")
