"""Faults as plain data, for JSON or YAML: `to_plain` and `from_plain` are each other's inverse.

    {"kind": "raise", "step": "child", "error": {"type": "ValueError", "args": ["boom"]},
     "probability": 0.5, "between": ["2026-01-01T08:00:00+00:00", "2026-01-01T12:00:00+00:00"]}

Fields that are as they are by default are left out. Durations are seconds, instants ISO 8601 with an
offset; a log-normal duration is `{"median": 300, "sigma": 0.5}`, or two quantiles,
`{"p50": 300, "p95": 900}`. A kind of several words, "api error", may have underscores or
hyphens in it. YAML reads JSON, and writes the same.
"""

from __future__ import annotations

import builtins
import importlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields
from datetime import datetime, timedelta
from typing import Any

from simulator.arguments import kind_named, kinds, unknown
from simulator.errors import SimulationError
from simulator.faults.durations import LogNormal, of_quantiles
from simulator.faults.kinds import KINDS
from simulator.faults.plans import Fault, changed


def to_plain(fault: Fault) -> dict[str, Any]:
    """A fault as JSON can hold it. Raises SimulationError for a value that it cannot hold."""
    plain = {"kind": fault.kind}
    return plain | {name: _plain(name, value) for name, value in changed(fault).items()}


def from_plain(plain: Mapping[str, Any]) -> Fault:
    """The fault that `to_plain` has made this of.

    Raises SimulationError, one line, for an unknown kind or parameter, with the nearest known one, and
    for a value out of range.
    """
    if "kind" not in plain:
        raise SimulationError(f"a fault needs its kind; there are {', '.join(sorted(KINDS))}")
    kind = kind_named("kind of fault", plain["kind"], KINDS)
    known = {one.name for one in fields(kind)}
    for name in plain:
        if name != "kind" and name not in known:
            raise unknown(f"parameter of a fault of kind {kind.kind!r}", name, known, few=True)
    given = {name: _value(name, value) for name, value in plain.items() if name != "kind"}
    required = {one.name for one in fields(kind) if one.default is MISSING}
    if missing := required - given.keys():
        raise SimulationError(f"a fault of kind {kind.kind!r} needs {', '.join(sorted(missing))}")
    return kind(**given)


_DURATIONS = ("after", "by", "retry_after", "back", "lasts")


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, BaseException):
        return {"type": _path(type(value)), "args": [_json(name, one) for one in value.args]}
    if isinstance(value, type):
        return {"type": _path(value)}
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, LogNormal):
        return {"median": value.median.total_seconds(), "sigma": value.sigma}
    if isinstance(value, datetime):
        return value.isoformat()
    if name == "on":
        return sorted(value)
    if name in ("between", *_DURATIONS) and isinstance(value, Collection):
        return [_plain("", one) for one in value]
    return _json(name, value)


def _json(name: str, value: Any) -> Any:
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        raise SimulationError(f"{name}={value!r} cannot be kept as JSON") from None


def _value(name: str, plain: Any) -> Any:
    if name == "error" and isinstance(plain, Mapping):
        return _error(plain)
    if name in _DURATIONS:
        right = _SECONDS_OR_MORE if name == "by" else "a number of seconds"
        return duration_of_plain(name, plain, right)
    if name in ("between", "reached") and isinstance(plain, list):
        return tuple(plain)
    return plain


_SECONDS_OR_MORE = "seconds, a list of them, or two quantiles, such as { p50 = 60, p95 = 600 }"


def duration_of_plain(what: str, plain: Any, right: str = _SECONDS_OR_MORE) -> Any:
    """A duration from plain data. SimulationError for what cannot be one, which says what is `right`."""
    read = duration_from_plain(plain)
    if isinstance(read, str | bool | Mapping):
        raise kinds.wrong(what, plain, right)
    return read


def duration_from_plain(plain: Any) -> Any:
    """A duration from seconds, from a mapping that says a log-normal one, or from a list.

    What is none of these is as it was, to be refused where it is looked at.
    """
    if isinstance(plain, int | float) and not isinstance(plain, bool):
        return timedelta(seconds=plain)
    if isinstance(plain, Mapping) and set(plain) == {"median", "sigma"}:
        return LogNormal(timedelta(seconds=plain["median"]), plain["sigma"])
    if isinstance(plain, Mapping) and plain and all(map(_QUANTILE.fullmatch, plain)):
        shares = {float(name[1:]) / 100: seconds for name, seconds in plain.items()}
        return of_quantiles({share: timedelta(seconds=one) for share, one in shares.items()})
    if isinstance(plain, list):
        return [duration_from_plain(one) for one in plain]
    return plain


_QUANTILE = re.compile(r"p\d+(\.\d+)?")


def _path(kind: type) -> str:
    return (
        kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    )


def _error(plain: Mapping[str, Any]) -> Any:
    """An exception, or the class of one, by its name: "ValueError", "httpx.ConnectError"."""
    module, _, name = str(plain.get("type")).rpartition(".")
    try:
        found = getattr(importlib.import_module(module) if module else builtins, name)
    except (ImportError, AttributeError):
        found = None
    if not (isinstance(found, type) and issubclass(found, BaseException)):
        raise SimulationError(f"error: {plain.get('type')!r} is no class of exceptions")
    if "args" not in plain:
        return found
    try:
        return found(*plain["args"])
    except Exception as error:
        raise SimulationError(
            f"error: {plain['type']} of args {plain['args']!r}: {error}"
        ) from None
