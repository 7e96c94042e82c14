"""Programs as trees: the kinds of statements that there are, and what a tree looks like as source.

A kind is two pieces of text. `top` goes to the top level of the module, `body` where the statement
stands; `$n` in them is a number of its own, every other `$name` is what was drawn. A kind with `holds`
has a line `$body`, where the statements stand that it holds. So a program can be made smaller by
leaving out statements, and stays one that a person might have written.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from string import Template
from typing import Any

from hypothesis import strategies as st

Draws = Mapping[str, st.SearchStrategy[Any]]

STANDS_IN = {"plain": ("plain",), "flow": ("plain", "flow"), "aflow": ("plain", "aflow")}
"""What may stand where: plain Python everywhere, the rest in sync flows or in async ones."""


@dataclass(frozen=True)
class Kind:
    """One construct. `where`: "plain", "flow" or "aflow". `holds`: the same of the statements in it.

    `concurrent`: things go on at the same time, and the order in which they begin is nobody's promise.
    """

    name: str
    body: str
    top: str = ""
    where: str = "flow"
    holds: str = ""
    concurrent: bool = False
    deploys: bool = False
    draws: Draws = field(default_factory=dict)


@dataclass(frozen=True)
class Node:
    """A statement: its kind, what was drawn for it, and the statements that it holds."""

    kind: str
    given: tuple[tuple[str, Any], ...] = ()
    body: tuple[Node, ...] = ()

    def nodes(self) -> Iterator[Node]:
        yield self
        for node in self.body:
            yield from node.nodes()

    @property
    def size(self) -> int:
        return sum(1 for _ in self.nodes())


KINDS: dict[str, Kind] = {}


def kind(name: str, body: str, top: str = "", **more: Any) -> None:
    """Add a construct to the grammar."""
    draws = {key: more.pop(key) for key in list(more) if isinstance(more[key], st.SearchStrategy)}
    if name in KINDS:
        raise ValueError(f"two constructs are called {name!r}")
    KINDS[name] = Kind(name, _dedented(body), _dedented(top), draws=draws, **more)


def one_of(*values: Any) -> st.SearchStrategy[Any]:
    """Any of these, the simplest one first."""
    return st.sampled_from(values)


def _dedented(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


def concurrent(program: Node) -> bool:
    """Whether anything in a program goes on at the same time as something else."""
    return any(KINDS[node.kind].concurrent for node in program.nodes())


def deploys(program: Node) -> bool:
    """Whether a program needs a worker."""
    return any(KINDS[node.kind].deploys for node in program.nodes())


def met(programs: list[Node]) -> Counter[str]:
    """How many of the programs have each construct; one that none has counts zero."""
    counted = Counter(dict.fromkeys(KINDS, 0))
    for program in programs:
        counted.update({node.kind for node in program.nodes()})
    return counted


PRELUDE = '''\
"""$title"""

# ruff: noqa
$imports

NAME = Path(__file__).stem
FOLDER = Path(__file__).with_suffix("")  # made by whoever runs this
DEPLOYED = []  # flows, and the environment of their processes


def note(what, value):
    with (FOLDER / "notes").open("a") as notes:
        notes.write(f"{what}: {told(value)!r}\\n")


def told(value):
    if isinstance(value, (list, tuple)):
        return [told(one) for one in value]
    return value.name if isinstance(value, prefect.State) else value


def attempt(what):
    """How often it was called, in all processes together."""
    with (FOLDER / f"{what}.count").open("a") as file:
        file.write("x")
    return (FOLDER / f"{what}.count").stat().st_size


def close(one, other):
    """The same instant or span, as far as two reads in a row can be."""
    return abs(float(one) - float(other)) < 0.9
'''

IMPORTS = """
import asyncio, atexit, calendar, concurrent.futures, contextvars, csv, datetime, fcntl, functools
import glob, http.server, io, json, logging, os, pickle, queue, random, sched, select, shutil, signal
import socket, sqlite3, subprocess, sys, tempfile, threading, time, urllib.request, warnings
from multiprocessing.dummy import Pool
from pathlib import Path

import anyio
import duckdb
import filelock
import httpx
import prefect
from prefect import allow_failure, flow, get_run_logger, tags, task, unmapped
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import INPUTS, NO_CACHE, TASK_SOURCE
from prefect.client.orchestration import get_client
from prefect.concurrency.sync import concurrency
from prefect.context import FlowRunContext
from prefect.deployments import run_deployment
from prefect.futures import as_completed, wait
from prefect.runtime import flow_run, task_run
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.transactions import transaction
from prefect.variables import Variable
"""


class _Writer:
    def __init__(self) -> None:
        self.tops: list[str] = []
        self._number = 0

    def text(self, node: Node) -> str:
        """The lines of a statement; what belongs to the top level is added there."""
        self._number += 1
        kind = KINDS[node.kind]
        number = {"n": self._number}
        given = {key: Template(str(value)).substitute(number) for key, value in node.given} | number
        held = "\n".join(map(self.text, node.body)) or "pass"
        if kind.top:
            top = _filled(kind.top, given, held)
            if top not in self.tops:
                self.tops.append(top)
        return _filled(kind.body, given, held)


def _filled(text: str, given: Mapping[str, Any], held: str) -> str:
    lines = []
    for line in text.splitlines():
        if line.strip() == "$body":
            lines.append(textwrap.indent(held, line[: len(line) - len(line.lstrip())]))
        else:
            lines.append(Template(line).substitute(given))
    return "\n".join(lines)


def source(program: Node, title: str) -> str:
    """A program as a Python file."""
    writer = _Writer()
    main = writer.text(program)
    head = Template(PRELUDE).substitute(title=title, imports=_DEDENTED_IMPORTS)
    return "\n\n\n".join([head.rstrip(), *writer.tops, main]) + "\n"


_DEDENTED_IMPORTS = IMPORTS.strip()


def smaller(program: Node) -> Iterator[Node]:
    """Every program that is one step smaller: a statement left out, or what it holds in its place."""
    for place, node in enumerate(program.body):
        before, after = program.body[:place], program.body[place + 1 :]
        yield replace(program, body=before + after)
        if node.body and KINDS[node.kind].holds == KINDS[program.kind].holds:
            yield replace(program, body=before + node.body + after)
        for less in smaller(node):
            yield replace(program, body=(*before, less, *after))


def without(program: Node, kinds: Collection[str]) -> Node:
    """A program that lacks every statement of these kinds, and what those hold."""
    body = tuple(without(node, kinds) for node in program.body if node.kind not in kinds)
    return replace(program, body=body)
