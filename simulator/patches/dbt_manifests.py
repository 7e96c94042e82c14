"""Parses a dbt project once, and writes its manifest only where somebody will look for it.

dbt-core 1.11. What is patched, and why:

- `ManifestLoader.get_full_manifest`: parsing takes ten times as long as running a model. A project
  is parsed again only if something that parsing reads has changed, and once for all processes of a
  run of scenarios. A run leaves marks on the nodes (an ephemeral parent fails the second time), so
  each invocation gets nodes of its own.
- `write_manifest`: half a megabyte of JSON, written twice by each invocation, takes half as long as
  running a model. In a folder that the user has not named nobody can look for it.

`tests/warehouse/test_warehouse.py` holds a test for each that fails when it is not needed any longer.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import pickle
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import dbt.parser.manifest
import dbt.task.runnable
from dbt.adapters.factory import get_adapter
from dbt.config.runtime import RuntimeConfig
from dbt.context.query_header import generate_query_header_context
from dbt.contracts.graph.manifest import Manifest
from dbt.flags import get_flags
from dbt.parser.manifest import ManifestLoader

from simulator.patches.replacing import replacing


@contextmanager
def kept_manifests(target: Path, shared: Path | None) -> Iterator[None]:
    """Patch dbt for one simulation.

    Args:
        target: Where artifacts go that the user has given no place.
        shared: A folder in which several processes find what one of them has parsed; None if each
            keeps to itself.
    """
    _manifests.folder = shared
    write = dbt.parser.manifest.write_manifest
    wanted = _writing_where_wanted(write, target)
    replaced: list[tuple[Any, str, Any]] = [
        (ManifestLoader, "get_full_manifest", classmethod(_manifests.serving())),
        (dbt.parser.manifest, "write_manifest", wanted),
        (dbt.task.runnable, "write_manifest", wanted),
    ]
    with replacing(replaced):
        yield


def _writing_where_wanted(write: Callable[..., None], target: Path) -> Callable[..., None]:
    @functools.wraps(write)
    def written(manifest: Manifest, target_path: str, *args: Any, **kwargs: Any) -> None:
        flags: Any = get_flags()  # type: ignore[no-untyped-call]
        if Path(target_path) != target or flags.WHICH in _FOR_THE_MANIFEST:
            write(manifest, target_path, *args, **kwargs)

    return written


_FOR_THE_MANIFEST = ("parse", "compile")  # commands that are called for it
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


def _taken_apart(manifest: Manifest) -> _Parts:
    """The nodes, pickled, and the rest. Pickling a whole manifest loses some of its fields."""
    fields = {field.name for field in dataclasses.fields(manifest) if field.name[0] != "_"}
    parts = {name: getattr(manifest, name) for name in fields}
    return pickle.dumps(parts.pop("nodes")), parts


def _put_together(nodes: bytes, parts: dict[str, Any]) -> Manifest:
    return Manifest(nodes=pickle.loads(nodes), **parts)
