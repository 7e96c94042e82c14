"""Lets any thread call dbt inside this process: one invocation at a time, quietly, parsed once.

dbt-core 1.11 with dbt-duckdb 1.11. Importing this module imports dbt.

What is patched, and why:

- `dbtRunner.invoke`: dbt keeps its adapter, flags and logger in the process. Two invocations at
  once fail in many ways, one of them silent: rows land in the other's database. Here the second one
  waits. It also speaks only to those who asked it to, writes where nobody else writes, and raises
  Ctrl-C, which dbt hands back as a result.
- `ManifestLoader.get_full_manifest`: parsing takes ten times as long as running a model. A project
  is parsed again only if something that parsing reads has changed, and once for all processes of a
  run of scenarios. A run leaves marks on the nodes (an ephemeral parent fails the second time), so
  each invocation gets nodes of its own.
- `duckdb.connect`: dbt keeps the DuckDB file open after an invocation, as its process would not.
  Whoever wants to open it in another way, read-only for example, is not told that it is busy.

`tests/warehouse/test_warehouse.py` holds a test for each that fails when it is not needed any longer.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import pickle
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any

import dbt.adapters.duckdb  # noqa: F401  (dbt loads it late, perhaps when time stands still)
import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.factory import FACTORY, get_adapter
from dbt.cli.main import cli, dbtRunner, dbtRunnerResult
from dbt.config.runtime import RuntimeConfig
from dbt.context.query_header import generate_query_header_context
from dbt.contracts.graph.manifest import Manifest
from dbt.flags import get_flags
from dbt.parser.manifest import ManifestLoader

from simulator.patches.replacing import replacing

_connections: Any = DuckDBConnectionManager  # one open file for the whole process, or none: `_ENV`


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
def shared_dbt(scratch: Path) -> Iterator[None]:
    """Patch dbt for one simulation. What dbt writes goes to `scratch`, unless told otherwise."""
    replaced: list[tuple[Any, str, Any]] = [
        (dbtRunner, "invoke", _one_at_a_time(dbtRunner.invoke, scratch)),
        (ManifestLoader, "get_full_manifest", classmethod(_manifests.serving())),
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
        if _connections._ENV is not None:
            _connections._ENV.close()
            _connections._ENV = None


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
        ({"--write-json", "--no-write-json", "parse", "compile", "docs"}, ["--no-write-json"]),
        ({"--target-path"}, ["--target-path", str(scratch / "target")]),
        ({"--log-path"}, ["--log-path", str(scratch / "logs")]),
        (set(), ["--no-send-anonymous-usage-stats"]),  # simulated use is no use
    ]


def _one_at_a_time(
    invoke: Callable[..., dbtRunnerResult], scratch: Path
) -> Callable[..., dbtRunnerResult]:
    options = _options(scratch)

    @functools.wraps(invoke)
    def invoked(runner: dbtRunner, args: list[str], **kwargs: Any) -> dbtRunnerResult:
        said = {word.partition("=")[0] for word in args}
        said |= {"--" + name.replace("_", "-") for name in kwargs}
        known = _known_options(args)
        added: list[str] = []
        for others, option in options:
            unsaid = not said & others and not any(map(_in_environment, others))
            if unsaid and option[0] in known:
                added += option
        with turn:
            outcome = invoke(runner, [*args, *added], **kwargs)
        if outcome.exception is not None and not isinstance(outcome.exception, Exception):
            raise outcome.exception
        return outcome

    return invoked


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
            if turn.held() or _connections._ENV is None:
                raise
            release()
            return connect(*args, **kwargs)

    return connected


# --- manifests ------------------------------------------------------------------------------------

_ENV_VAR = re.compile(r"env_var\(\s*['\"]([^'\"]+)")
_TARGET = re.compile(r"\btarget(\.(?!(name|type|database|schema|profile_name)\b)|\[|\s*[|})])")
_Parts = tuple[bytes, dict[str, Any]]
_KEPT = 8  # parsed projects, of a few megabytes each


class _Manifests:
    """What parsed projects came to, kept for as long as nothing that parsing reads has changed.

    They outlive a simulation: the next one has another DuckDB file, and nothing else is new.
    """

    folder: Path | None = None
    """Where several processes find what one of them has parsed; None if each keeps to itself."""

    def __init__(self) -> None:
        self._parsed: dict[tuple[Any, ...], _Parts] = {}
        self._read: dict[Path, tuple[tuple[int, int], _Reads]] = {}

    def serving(self) -> Callable[..., Manifest]:
        """The replacement of `ManifestLoader.get_full_manifest`."""
        parse: Callable[..., Manifest] = ManifestLoader.get_full_manifest.__func__  # type: ignore[attr-defined]

        @functools.wraps(parse)
        def served(loader: type[ManifestLoader], config: RuntimeConfig, **kwargs: Any) -> Manifest:
            flags: Any = get_flags()  # type: ignore[no-untyped-call]
            if not flags.PARTIAL_PARSE:  # the user asks for a parse
                return parse(loader, config, **kwargs)
            key = self._key(config)
            if key not in self._parsed:
                self._parsed[key] = self._shared(
                    key, lambda: _taken_apart(parse(loader, config, **kwargs))
                )
                if len(self._parsed) > _KEPT:
                    del self._parsed[next(iter(self._parsed))]
            manifest = _put_together(*self._parsed[key])
            adapter: Any = get_adapter(config)
            adapter.set_macro_resolver(manifest)
            header = generate_query_header_context(adapter.config, manifest)
            adapter.connections.set_query_header(header)
            return manifest

        return served

    def _shared(self, key: tuple[Any, ...], make: Callable[[], _Parts]) -> _Parts:
        """What another process has put into the folder, else what `make` makes, put there."""
        if self.folder is None:
            return make()
        path = self.folder / f"dbt-{sha256(repr(key).encode()).hexdigest()}.pickle"
        with suppress(FileNotFoundError):
            found: _Parts = pickle.loads(path.read_bytes())
            return found
        made = make()
        part = path.with_suffix(f".{os.getpid()}")  # whoever looks finds all of it, or nothing
        part.write_bytes(pickle.dumps(made))
        part.replace(path)
        return made

    def _key(self, config: RuntimeConfig) -> tuple[Any, ...]:
        """All that parsing depends on: files, the environment that they name, target and vars."""
        root = Path(config.project_root)
        folders = {*config.all_source_paths, *config.macro_paths, *config.docs_paths}
        folders.add(config.packages_install_path)
        files = {path for path in root.glob("*.yml") if path.name != "profiles.yml"}
        files.update(path for folder in folders for path in (root / folder).rglob("*"))
        signs: list[tuple[Path, int, int]] = []
        variables: set[str] = set()
        credentials: Any = config.credentials
        target = [config.profile_name, config.target_name, credentials.type]
        target += [credentials.database, credentials.schema]
        for path in sorted(files):
            if path.is_file():
                sign, reads = self._signed(path)
                signs.append((path, *sign))
                variables |= reads.variables
                if reads.target:  # its path, for example
                    target.append(repr(credentials))
        environment = tuple((name, os.environ.get(name)) for name in sorted(variables))
        return (root, tuple(signs), environment, tuple(target), repr(config.cli_vars))

    def _signed(self, path: Path) -> tuple[tuple[int, int], _Reads]:
        stat = path.stat()
        sign = (stat.st_mtime_ns, stat.st_size)
        if path not in self._read or self._read[path][0] != sign:
            text = "" if path.suffix == ".csv" else path.read_text("utf-8", errors="replace")
            variables = frozenset(_ENV_VAR.findall(text))
            self._read[path] = (sign, _Reads(variables, bool(_TARGET.search(text))))
        return self._read[path]


@dataclasses.dataclass(frozen=True)
class _Reads:
    """What a file of a dbt project reads: variables of the environment; more of the target."""

    variables: frozenset[str]
    target: bool


_manifests = _Manifests()


def share_manifests(folder: Path) -> None:
    """Share parsed projects with the other processes that do so, in `folder`, theirs alone."""
    _manifests.folder = folder


def _taken_apart(manifest: Manifest) -> _Parts:
    """The nodes, pickled, and the rest. Pickling a whole manifest loses some of its fields."""
    fields = {field.name for field in dataclasses.fields(manifest) if field.name[0] != "_"}
    parts = {name: getattr(manifest, name) for name in fields}
    return pickle.dumps(parts.pop("nodes")), parts


def _put_together(nodes: bytes, parts: dict[str, Any]) -> Manifest:
    return Manifest(nodes=pickle.loads(nodes), **parts)
