"""A simulation.toml: what a project's team says of its simulation, all of it optional."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from simulator import arguments
from simulator.arguments import kinds
from simulator.errors import SimulationError
from simulator.faults import Duration, duration_of_plain
from simulator.project.given import Given

NAME = "simulation.toml"

MOST_DAYS = 3660

UTC = ZoneInfo("UTC")


@dataclass(frozen=True)
class Configuration:
    """What a `file` says. `prefect_file` is the prefect.yaml, where it is another one, from the folder
    of this file on. Durations, stubs, secrets, blocks, variables, data and the environment are by
    name; `data` has the file that is put in place by the place. Faults and promises are as they are
    written.
    """

    file: Path
    start: datetime | None = None
    days: float = 7
    seed: int = 0
    timezone: ZoneInfo = UTC
    prefect_file: str | None = None
    durations: Mapping[str, Duration] = field(default_factory=dict)
    stubs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    faults: tuple[Mapping[str, Any], ...] = ()
    promises: tuple[Mapping[str, Any], ...] = ()
    secrets: Mapping[str, Any] = field(default_factory=dict)
    blocks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    text: str = field(default="", repr=False)

    def given(self) -> Given:
        """The secrets, blocks and variables that it gives."""
        secrets = {f"secret/{name}": {"value": value} for name, value in self.secrets.items()}
        return Given({**self.blocks, **secrets}, self.variables)

    @contextmanager
    def at(self, *path: str | int) -> Iterator[None]:
        """What is refused in here is wrong in the file at this place: a key, the number of a table."""
        try:
            yield
        except SimulationError as wrong:
            line = _line(self.text, path)
            raise SimulationError(f"{self.file}:{line}: {wrong}") from None


def configuration_of(folder: Path) -> Configuration:
    """What the simulation.toml of a folder says; if there is none, that everything is as by default.

    Raises SimulationError, with file and line, for what is no TOML, for an unknown key, with the nearest
    known one, and for a value that is none.
    """
    file = folder / NAME
    if not file.is_file():
        return Configuration(file)
    try:
        text = file.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except UnicodeDecodeError as wrong:
        raise SimulationError(f"{file}: is not UTF-8 at byte {wrong.start}") from None
    except OSError as wrong:
        raise SimulationError(f"{file}: cannot be read: {wrong.strerror}") from None
    except tomllib.TOMLDecodeError as wrong:
        said, _, place = str(wrong).partition(" (at line ")
        raise SimulationError(
            f"{file}:{place.partition(',')[0] or 1}: is not TOML: {said}"
        ) from None
    bare = Configuration(file, text=text)
    read: dict[str, Any] = {}
    for key, value in raw.items():
        with bare.at(key):
            if key not in KEYS:
                raise arguments.unknown("key", key, KEYS, few=True)
        if key in TABLES:
            with bare.at(key):
                if not isinstance(value, dict):
                    raise kinds.wrong(key, value, f"a table, which begins with [{key}]")
            read[key] = {}
            for name, one in value.items():
                with bare.at(key, name):
                    read[key][name] = TABLES[key](name, one)
        else:
            with bare.at(key):
                read[key] = VALUES[key](key, value)
    return Configuration(file, text=text, **read)


# -- what a value may be -----------------------------------------------------------------------------


def duration_of(name: str, value: Any) -> Any:
    """How long something takes: seconds, a list of them, or two quantiles."""
    return kinds.duration(name, duration_of_plain(name, value))


def timezone_of(what: str, value: Any) -> ZoneInfo:
    """A time zone by its name."""
    try:
        return ZoneInfo(kinds.text(what, value))
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise kinds.wrong(what, value, "a time zone, such as 'Europe/Paris'") from None


def _tables(what: str, value: Any) -> Any:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise kinds.wrong(what, value, f"tables, each of which begins with [[{what}]]")
    return tuple(value)


def _variable(what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise kinds.wrong(what, value, f'a text, such as "{value}"')
    return value


STUB_KEYS = ("returns", "each", "attempts", "columns", "raises")


def _stub(what: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise kinds.wrong(what, value, f"a table, such as {{ returns = {arguments.shown(value)} }}")
    for key in value:
        if key not in STUB_KEYS:
            raise arguments.unknown(f"key of the stub of {what!r}:", key, STUB_KEYS, few=True)
    if "raises" in value and len(value) > 1:
        others = ", ".join(key for key in value if key != "raises")
        raise SimulationError(f"stub of {what!r}: `raises` excludes {others}")
    return value


TABLES: Mapping[str, kinds.Kind] = {
    "durations": duration_of,
    "stubs": _stub,
    "secrets": kinds.anything,
    "blocks": kinds.by_name,
    "variables": kinds.anything,
    "environment": _variable,
    "data": kinds.text,
}
"""Tables of names of the user's: what each value may be."""

VALUES: Mapping[str, kinds.Kind] = {
    "start": kinds.instant,
    "days": kinds.number(0, MOST_DAYS),
    "seed": kinds.whole(),
    "timezone": timezone_of,
    "prefect_file": kinds.text,
    "faults": _tables,
    "promises": _tables,
}

KEYS = (*VALUES, *TABLES)


# -- where it is -------------------------------------------------------------------------------------


def _line(text: str, path: tuple[str | int, ...]) -> int:
    """The line on which a key or a table of a file begins, or of the innermost table on the way."""
    key, *inner = path
    name = re.escape(str(key))
    lines = text.splitlines()
    headers = [
        number
        for number, line in enumerate(lines)
        if re.match(rf"\s*\[+\s*[\"']?{name}[\"']?\s*[\].]", line)
    ]
    if inner and isinstance(inner[0], int):
        return headers[inner[0]] + 1 if inner[0] < len(headers) else 1
    if inner:
        for number in _matching(lines, str(inner[0])):
            if headers and number >= headers[0]:
                return number + 1
    own = [*_matching(lines, str(key)), *headers]
    return min(own, default=0) + 1


def _matching(lines: list[str], key: str) -> Iterator[int]:
    """The lines that say a key, as `key = ...` or as the last one of a header."""
    name = rf"[\"']?{re.escape(key)}[\"']?"
    for number, line in enumerate(lines):
        if re.match(rf"\s*({name}\s*[=.]|\[.*\.\s*{name}\s*\])", line):
            yield number
