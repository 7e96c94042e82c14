"""The results file of an audit, while somebody else looks into it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from simulator.audit import Cell, Found, Kept, Of, Outcome
from simulator.history import History
from tests.audit.histories import at, family

READER = """
import duckdb, sys
with duckdb.connect(sys.argv[1], read_only=True):
    print("open", flush=True)
    sys.stdin.read()
"""

OF = Of("shop", 0, "2026-01-05T00:00:00+00:00", 1, "as it is")


def test_a_reader_costs_nothing_that_was_found(tmp_path: Path) -> None:
    path = tmp_path / "audit.duckdb"
    runs = family()
    history = History(runs, now=at(60))
    cell = Cell("load/prod", "raises", {"kind": "raise", "step": "load"}, runs[-1].id)
    found = Found(cell, (Outcome("late", "load/prod", 60.0, runs[-1].id),))
    kept = Kept(path, OF)
    kept.begin(history, ["no two at once"], [cell], 1.0)
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == b"open\n"
    kept.add(found, history, "", 1.0)
    reader.communicate()
    assert Kept(path, OF).found() == []
    kept.write()
    again = Kept(path, OF)
    assert again.found() == [found]
    base = again.base()
    assert base is not None
    assert (base[0].normalised(), base[1]) == (history.normalised(), ("no two at once",))


def test_what_has_changed_is_another_audit(tmp_path: Path) -> None:
    path = tmp_path / "audit.duckdb"
    Kept(path, OF).begin(History(family(), now=at(60)), (), [], 1.0)
    assert Kept(path, OF).base() is not None
    other = Of(OF.name, OF.seed, OF.start, OF.days, "otherwise")
    assert Kept(path, other).base() is None
