"""Lets any thread call dbt inside this process: one invocation at a time, quietly.

dbt-core 1.11, with dbt-duckdb 1.11. Importing this module imports dbt, so
`simulator.warehouse.dbt` does it once the user's own code has.

What is patched, and why:

- `dbtRunner.invoke`: dbt keeps its adapter, flags and logger in the process. Two invocations at
  once fail in many ways, one of them silent: rows land in the other's database. Here the second one
  waits. It also speaks only to those who asked it to, writes where nobody else writes, and raises
  Ctrl-C, which dbt hands back as a result.
- `BaseRunner.run` and `TestRunner.execute_data_test`: a node may be said to fail. An invocation says for
  itself what is wrong with its nodes, which run in threads of dbt's own.
- `AdapterContainer.load_plugin`: no other adapter is loaded. It would look for a database elsewhere, in
  real time; who asks for one is told what to do, and how long the last run of the project took.
- `duckdb.connect`: dbt keeps the DuckDB file open after an invocation, as its process would not.
  Whoever wants to open it in another way, read-only for example, is not told that it is busy.

How often a project is parsed, see `dbt_manifests`. `tests/warehouse/test_warehouse.py` holds a test for
each that fails when it is not needed any longer.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
from dbt.adapters.factory import FACTORY, AdapterContainer
from dbt.cli.main import cli, dbtRunner, dbtRunnerResult
from dbt.exceptions import DbtRuntimeError  # type: ignore[attr-defined]  # it comes from dbt-common
from dbt.task.base import BaseRunner
from dbt.task.test import TestResultData, TestRunner

from simulator import caveats
from simulator.patches.replacing import replacing
from simulator.process import current_process

Built = Callable[[list[Any], duckdb.DuckDBPyConnection | None], None]
"""Is told the results of an invocation, and given a connection to the file that dbt keeps open."""


class Turn:
    """A lock that lets threads in one at a time, in order of arrival; its holder may enter again.

    Made of a `Condition`, because waiting for one gives up a thread's hold on the virtual clock,
    and waiting for a bare `Lock` or `RLock` does not.
    """

    def __init__(self) -> None:
        self._moved_on = threading.Condition()
        self._queue: deque[int] = deque()  # thread identities; the first one is inside
        self._depth = 0

    def __enter__(self) -> None:
        me = threading.get_ident()
        with self._moved_on:
            if not self.held():
                self._queue.append(me)
                try:
                    while self._queue[0] != me:
                        self._moved_on.wait()
                except BaseException:
                    self._leave(me)
                    raise
            self._depth += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._moved_on:
            self._depth -= 1
            if not self._depth:
                self._leave(threading.get_ident())

    def held(self) -> bool:
        """Whether the calling thread is inside."""
        return bool(self._queue) and self._queue[0] == threading.get_ident()

    def _leave(self, ident: int) -> None:
        self._queue.remove(ident)
        self._moved_on.notify_all()


turn = Turn()
"""Held by the one thread of this process that is using dbt."""


@contextmanager
def shared_dbt(
    scratch: Path,
    within: Callable[[], AbstractContextManager[None]],
    built: Built,
    invoked: Callable[[], Callable[[str, bool], str | None]],
) -> Iterator[None]:
    """Patch dbt for one simulation. What dbt writes goes to `scratch`, unless told otherwise.

    Each invocation is `within()`, and `built` is then told its results, one for each node. What
    `invoked()` gives is asked for each node, by name and whether it is a data test, what is wrong with
    it.
    """
    nodes = _Nodes(invoked)
    replaced: list[tuple[Any, str, Any]] = [
        (
            dbtRunner,
            "invoke",
            _one_at_a_time(dbtRunner.invoke, scratch, nodes.within(within), built),
        ),
        (BaseRunner, "run", nodes.running(BaseRunner.run)),
        (TestRunner, "execute_data_test", nodes.testing(TestRunner.execute_data_test)),
        (AdapterContainer, "load_plugin", _duckdb_alone(AdapterContainer.load_plugin)),
        (duckdb, "connect", _after_release(duckdb.connect)),
    ]
    try:
        with replacing(replaced):
            yield
    finally:
        release(interrupt=True)


def release(*, interrupt: bool = False) -> None:
    """Close the DuckDB file that dbt keeps open, once no invocation is running.

    With `interrupt`, a statement that is running is stopped rather than waited for.
    """
    if interrupt:
        stop_statement()
    with turn:
        if _has_a_file_open():
            connections: Any = sys.modules[_CONNECTIONS].DuckDBConnectionManager
            connections._ENV.close()
            connections._ENV = None


class _Nodes:
    """Lets nodes fail of which the invocation says that something is wrong with them."""

    def __init__(self, invoked: Callable[[], Callable[[str, bool], str | None]]) -> None:
        self._invoked = invoked
        self._wrong: Callable[[str, bool], str | None] = lambda *_: None

    def within(
        self, within: Callable[[], AbstractContextManager[None]]
    ) -> Callable[[], AbstractContextManager[None]]:
        @contextmanager
        def asked() -> Iterator[None]:
            self._wrong = self._invoked()
            with within():
                yield

        return asked

    def running(self, run: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(run)
        def ran(runner: BaseRunner, node: Any, manifest: Any) -> Any:
            data_test = isinstance(runner, TestRunner)
            if not data_test and (message := self._wrong(node.name, False)) is not None:
                raise DbtRuntimeError(message, node=node)
            return run(runner, node, manifest)

        return ran

    def testing(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(execute)
        def executed(runner: TestRunner, node: Any, manifest: Any) -> Any:
            if self._wrong(node.name, True) is None:
                return execute(runner, node, manifest)
            return TestResultData(
                failures=1, should_warn=True, should_error=True, adapter_response={}
            )

        return executed


@contextmanager
def _file_of_process() -> Iterator[None]:
    """Let dbt find the DuckDB file that it keeps open for the calling code's process, and no other."""
    process = current_process()
    if process is None:
        yield
        return
    connections: Any = importlib.import_module(_CONNECTIONS).DuckDBConnectionManager
    of_others, connections._ENV = connections._ENV, process.memory.get(_CONNECTIONS)
    try:
        yield
    finally:
        process.memory[_CONNECTIONS] = connections._ENV
        connections._ENV = of_others


def _release_own() -> bool:
    """Close the file that dbt keeps open for the calling code's process. Says whether there was one."""
    process = current_process()
    kept: Any = None if process is None else process.memory.pop(_CONNECTIONS, None)
    if kept is not None:
        kept.close()
    return kept is not None


_CONNECTIONS = "dbt.adapters.duckdb.connections"  # dbt loads it when it is first needed


def _has_a_file_open() -> bool:
    """Whether dbt keeps a DuckDB file open: it does so for the whole process."""
    return _environment() is not None


def _kept_open() -> duckdb.DuckDBPyConnection | None:
    """The connection by which it does."""
    kept: duckdb.DuckDBPyConnection | None = getattr(_environment(), "conn", None)
    return kept


def _environment() -> Any:
    module: Any = sys.modules.get(_CONNECTIONS)
    return None if module is None else module.DuckDBConnectionManager._ENV


def stop_statement() -> None:
    """Interrupt the statement that dbt is running, if any."""
    for adapter in list(FACTORY.adapters.values()):
        for connection in list(adapter.connections.thread_connections.values()):
            with suppress(Exception):  # it may be closing itself
                connection.handle.cursor().interrupt()


# --- invocations ----------------------------------------------------------------------------------


def _options(scratch: Path) -> list[tuple[set[str], list[str]]]:
    """What is added to a command, each unless the user said one of the options named before it."""
    return [
        ({"--log-level", "--debug", "-d", "--quiet", "-q"}, ["--log-level", "none"]),
        ({"--log-level-file"}, ["--log-level-file", "none"]),
        ({"--target-path"}, ["--target-path", str(scratch / "target")]),
        ({"--log-path"}, ["--log-path", str(scratch / "logs")]),
        (set(), ["--no-send-anonymous-usage-stats"]),  # simulated use is no use
    ]


def _one_at_a_time(
    invoke: Callable[..., dbtRunnerResult],
    scratch: Path,
    within: Callable[[], AbstractContextManager[None]],
    built: Built,
) -> Callable[..., dbtRunnerResult]:
    options = _options(scratch)

    @functools.wraps(invoke)
    def invoked(runner: dbtRunner, args: list[str], **kwargs: Any) -> dbtRunnerResult:
        words = [str(word) for word in args]  # prefect-dbt hands over paths as they are
        said = {word.partition("=")[0] for word in words}
        said |= {"--" + name.replace("_", "-") for name in kwargs}
        known = _known_options(words)
        added: list[str] = []
        for others, option in options:
            unsaid = not said & others and not any(map(_in_environment, others))
            if unsaid and option[0] in known:
                added += option
        with turn, _file_of_process(), within():
            global _project
            _project = _project_of(words, kwargs)
            outcome = invoke(runner, [*args, *added], **kwargs)
            kept = _kept_open()
        built(list(getattr(outcome.result, "results", None) or []), kept)
        if outcome.exception is not None and not isinstance(outcome.exception, Exception):
            raise outcome.exception
        return outcome

    return invoked


def _duckdb_alone(load: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(load)
    def loaded(container: AdapterContainer, name: str) -> Any:
        if name == "duckdb":
            return load(container, name)
        message = (
            f"dbt's adapter {name!r} does not run in a simulation, only 'duckdb' does: give the profile"
            " a target of that type, or stub the step that calls dbt and say how long it takes"
            f"{_last_run()}"
        )
        caveats.tell("adapter", message)
        raise DbtRuntimeError(message)

    return loaded


_project = Path()
"""Where the invocation that goes on has its project. There is one at a time."""


def _project_of(words: list[str], options: dict[str, Any]) -> Path:
    given = options.get("project_dir") or os.environ.get("DBT_PROJECT_DIR") or "."
    for word, after in pairwise([*words, ""]):
        if word.partition("=")[0] == "--project-dir":
            given = word.partition("=")[2] or after
    return Path(given)


def _last_run() -> str:
    """How long the nodes of a project took when it was last run, if its `target/` still says it."""
    try:
        found = json.loads((_project / "target" / "run_results.json").read_text())["results"]
        seconds = sum(one["execution_time"] for one in found)
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f": its {len(found)} nodes took {seconds:.0f} s (target/run_results.json)"


def _known_options(args: list[str]) -> set[str]:
    """The options of the command, or command of a command, that `args` call."""
    command: Any = cli
    for word in args:
        command = getattr(command, "commands", {}).get(word, command)
    return {name for option in command.params for name in (*option.opts, *option.secondary_opts)}


def _in_environment(option: str) -> bool:
    """Whether dbt reads `option` from a variable that is set."""
    name = option.lstrip("-").replace("-", "_").upper()
    return f"DBT_{name}" in os.environ or f"DBT_ENGINE_{name}" in os.environ


def _after_release(
    connect: Callable[..., duckdb.DuckDBPyConnection],
) -> Callable[..., duckdb.DuckDBPyConnection]:
    @functools.wraps(connect)
    def connected(*args: Any, **kwargs: Any) -> duckdb.DuckDBPyConnection:
        try:
            return connect(*args, **kwargs)
        except duckdb.ConnectionException:
            if turn.held() or not (_release_own() or _has_a_file_open()):
                raise
            release()
            return connect(*args, **kwargs)

    return connected
