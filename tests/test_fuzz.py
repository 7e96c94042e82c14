"""Programs made up by machine: the grammar, the comparison, how they shrink, and twenty on both engines."""

from __future__ import annotations

import ast
import sqlite3
from contextlib import closing
from dataclasses import replace

import duckdb
import pytest

from tests.conformance.compare import Difference
from tests.conformance.observe import Observed
from tests.conformance.report import FILE
from tests.fuzz import known, run
from tests.fuzz.comparing import differences, kinds_of
from tests.fuzz.drawing import program
from tests.fuzz.engines import Engines, Seen, left_in
from tests.fuzz.grammar import MAINS
from tests.fuzz.known import KNOWN, Known
from tests.fuzz.shrinking import shrunk
from tests.fuzz.tree import KINDS, STANDS_IN, Node, met, smaller, source

TWENTY = range(1, 21)

SOME = [program(seed) for seed in range(1, 31)]


def test_a_seed_is_always_the_same_program():
    again = program.__wrapped__(7)
    assert again == program(7)
    assert source(again, "seven") == source(program(7), "seven")
    assert len(set(SOME)) > 25


def test_every_program_is_a_python_file():
    for number, one in enumerate(SOME, 1):
        ast.parse(source(one, f"number {number}"))


def test_every_construct_can_stand_somewhere():
    assert len(KINDS) > 100
    for kind in KINDS.values():
        assert kind.where in STANDS_IN or kind.name in MAINS
        assert kind.holds == "" or ("$body" in kind.body + kind.top and kind.holds in STANDS_IN)


def test_what_was_met_is_counted_by_programs():
    twice = Node("main", (("prints", True),), (Node("dates"), Node("dates")))
    counted = met([twice, Node("main", (("prints", True),), (Node("atexit"),))])
    assert (counted["main"], counted["dates"], counted["atexit"]) == (2, 1, 1)
    assert set(counted) == set(KINDS)


def test_a_smaller_program_lacks_a_statement_and_nothing_else():
    inner = Node("subflow", (), (Node("print"), Node("atexit")))
    whole = Node("main", (("prints", True),), (inner, Node("dates")))
    shapes = {" ".join(node.kind for node in one.nodes()) for one in smaller(whole)}
    assert shapes == {
        "main dates",
        "main subflow print atexit",
        "main subflow print dates",
        "main subflow atexit dates",
        "main print atexit dates",
    }


def test_what_differs_is_shrunk_to_the_statement_that_does():
    """`atexit` is what differs here, and the rest is in its way; another difference leads nowhere."""
    deep = Node("subflow", (), (Node("print"), Node("try", (), (Node("atexit"), Node("dates")))))
    whole = Node("main", (("prints", True),), (Node("dates"), deep, Node("raise")))

    def compared(tried):
        return {
            name: [Difference("notes", "lines", [], [])]
            if any(node.kind == "atexit" for node in one.nodes())
            else [Difference("x", "state", 1, 2)]
            for name, one in tried.items()
        }

    smallest, found = shrunk("x", whole, [Difference("notes", "lines", [], [])], compared)
    assert [node.kind for node in smallest.nodes()] == ["main", "atexit"]
    assert kinds_of(found) == {"left"}


@pytest.fixture
def seen(tmp_path):
    (tmp_path / "notes").write_text("2: 'b'\n1: 'a'\n")
    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    with duckdb.connect(str(tmp_path / "one.duckdb")) as tables:
        tables.execute("create table t as select 1 as x")
    with closing(sqlite3.connect(tmp_path / "one.sqlite")) as tables, tables:
        tables.execute("create table s (x)")
        tables.execute("insert into s values (2)")
    return Seen(Observed(), logs=["said"], left=left_in(tmp_path))


def test_what_a_program_has_left_is_read(seen):
    assert seen.left == {
        "notes": ["1: 'a'", "2: 'b'"],
        "data.csv": ["a,b", "1,2"],
        "one.duckdb:t": ["(1,)"],
        "one.sqlite:s": ["(2,)"],
    }


@pytest.mark.parametrize("name", ["notes", "data.csv", "one.duckdb:t", "one.sqlite:s"])
def test_what_is_left_otherwise_is_a_difference(seen, name):
    other = replace(seen, left=seen.left | {name: ["another"]})
    (found,) = differences("x", False, (other, seen))
    assert (found.where, found.what, found.virtual) == (name, "lines", ["another"])
    lacking = replace(seen, left={key: seen.left[key] for key in seen.left if key != name})
    (found,) = differences("x", False, (lacking, seen))
    assert (found.where, found.what, found.virtual, found.live) == (name, "is there", False, True)


def test_what_is_logged_otherwise_is_a_difference(seen):
    (found,) = differences("x", False, (replace(seen, logs=[]), seen))
    assert (found.where, found.live) == ("logs", ["said"])
    assert differences("x", False, (seen, seen)) == []


def test_a_number_of_programs_that_is_none_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        run.main(["--programs", "0"])
    assert ended.value.code == 2
    assert "0 must be 1 or more" in capsys.readouterr().err


def test_the_document_says_why_what_differs_is_left():
    text = FILE.read_text()
    section = text[text.index("## Programs made up") : text.index("## What Prefect itself")]
    assert section.count("\n- ") == len(KNOWN)
    for one in KNOWN:
        assert one.construct in KINDS
        assert f"- {one.construct}: {one.reason}" in section


def test_a_difference_is_excused_if_the_program_agrees_without_what_is_listed(monkeypatch):
    """`print` is listed. What `atexit` does otherwise is not, whatever else stands beside it."""
    monkeypatch.setattr(known, "KNOWN", [Known("print", "said for the sake of this test")])
    programs = {
        1: Node("main", (("prints", True),), (Node("print"), Node("dates"))),
        2: Node("main", (("prints", True),), (Node("print"), Node("atexit"))),
        3: Node("main", (("prints", True),), (Node("dates"),)),
    }
    monkeypatch.setattr(run, "program", programs.__getitem__)

    def compared(engines, tried):
        otherwise = {"print", "atexit"}
        return {
            name: [Difference("notes", "lines", [], [])]
            if otherwise & {node.kind for node in one.nodes()}
            else []
            for name, one in tried.items()
        }

    monkeypatch.setattr(run, "compared", compared)
    found = run.fuzz(None, programs, shrink=False)
    assert (found.compared, found.known, found.once) == (3, {1: ["print"]}, [])
    ((seed, (left, _)),) = found.differ.items()
    assert (seed, [node.kind for node in left.nodes()]) == (2, ["main", "atexit"])


@pytest.mark.slow
def test_twenty_programs_agree_on_both_engines(capsys):
    with Engines(at_once=20) as engines:
        found = run.fuzz(engines, TWENTY, shrink=False)
    assert found.compared == 20
    assert (found.differ, found.known) == ({}, {}), capsys.readouterr().out
