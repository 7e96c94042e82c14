"""What an audit puts into its results file for others to read: findings, and nothing that is out of date."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from simulator.audit import IN_WORDS, KINDS, SERIOUS, Cell, Found, Kept, Of, Outcome
from simulator.history import FindingRecord, History, kept_outcomes
from tests.audit.histories import at, family

OF = Of("shop", 0, "2026-01-05T00:00:00+00:00", 1, "as it is")


def found(step: str, column: str, *kinds: str) -> Found:
    cell = Cell(step, column, {"kind": "raise", "step": step}, UUID(int=1))
    return Found(cell, tuple(Outcome(kind, step, 60.0, UUID(int=2)) for kind in kinds))


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    kept = Kept(tmp_path / "audit.duckdb", OF, command=lambda cell: f"audit --show {cell}")
    one = found("load/prod", "raises", "masked", "late")
    kept.begin(History(family(), now=at(60)), (), [one.cell], 1.0)
    kept.add(one, History(family(), now=at(60)), "", 1.0)
    return kept


def findings(path: Path) -> dict[str, tuple[FindingRecord, ...]]:
    return {one.key[1]: one.findings for one in kept_outcomes(path)}


def test_what_became_of_a_cell_is_its_findings(kept: Kept, tmp_path: Path) -> None:
    told = findings(tmp_path / "audit.duckdb")
    assert told["without a fault"] == ()
    masked, late = told["load/prod:raises"]
    assert masked == FindingRecord(
        subject="load/prod",
        kind="masked",
        kind_says=KINDS["masked"],
        rank=list(KINDS).index("masked"),
        level="serious",
        said="load/prod",
        cause="raises",
        cause_says=IN_WORDS["raises"],
        seconds=60.0,
        run_id=UUID(int=2),
    )
    assert (late.kind, late.level) == ("late", "minor")


def test_it_says_what_repeats_it_and_what_opens_a_cell(kept: Kept, tmp_path: Path) -> None:
    commands = {one.key[1]: one.command for one in kept_outcomes(tmp_path / "audit.duckdb")}
    assert commands == {
        "without a fault": "audit --show None",
        "load/prod:raises": "audit --show load/prod:raises",
    }


def test_changes_of_clocks_are_kept_once_and_are_no_cell(kept: Kept, tmp_path: Path) -> None:
    for kind in ("moved", "lost run"):
        kept.add_clock_changes([found("load/prod", "clocks", kind)])
    [clocks] = findings(tmp_path / "audit.duckdb")["without a fault"]
    assert (clocks.kind, clocks.level) == ("lost run", "serious")
    assert clocks.cause_says.startswith("a change of clocks")
    assert [one.cell.name for one in kept.found()] == ["load/prod:raises"]


def test_what_has_changed_forgets_what_was_found(kept: Kept, tmp_path: Path) -> None:
    path = tmp_path / "audit.duckdb"
    Kept(path, Of(OF.name, OF.seed, OF.start, OF.days, "otherwise")).begin(
        History(family(), now=at(60)), (), [], 1.0
    )
    assert findings(path) == {"without a fault": ()}


def test_each_kind_is_serious_or_less(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "audit.duckdb", OF)
    cells = [found(f"step {place}", "raises", kind) for place, kind in enumerate(KINDS)]
    kept.begin(History([], now=at(60)), (), [one.cell for one in cells], 1.0)
    for one in cells:
        kept.add(one, History([], now=at(60)), "", 1.0)
    levels = {
        one.kind: one.level for own in findings(tmp_path / "audit.duckdb").values() for one in own
    }
    assert {kind for kind, level in levels.items() if level == "serious"} == SERIOUS
    assert levels["noticed"] == "noticed"
    assert levels["nothing"] == levels["healed"] == "well"
    assert levels["never struck"] == levels["not over"] == "unknown"
    assert levels["late"] == levels["skipped"] == "minor"
