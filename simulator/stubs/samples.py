"""A value of a type, made up: for a stub without a value, for a block that nobody has given."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import types
import typing
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

TEXT = "placeholder"
"""What stands for a text, a password or a key."""

ADDRESS = "https://placeholder.invalid"
"""What stands for an address: a name that nobody has."""

INSTANT = datetime(2026, 1, 1, tzinfo=UTC)

SIMPLE: dict[Any, Any] = {
    str: TEXT,
    int: 1,
    float: 1.0,
    bool: True,
    bytes: b"",
    Decimal: Decimal(1),
    datetime: INSTANT,
    date: INSTANT.date(),
    time: INSTANT.time(),
    timedelta: timedelta(minutes=1),
    Path: Path(TEXT),
    UUID: UUID(int=0),
    None: None,
    type(None): None,
    Any: None,
    object: None,
}


class NoSample(Exception):
    """A type of which no value can be made up. `str()` says which."""


def sample(kind: Any) -> Any:
    """A value of the type `kind`: the simplest that is valid.

    Of a DataFrame it is an empty one; of a class, one made of its required fields or arguments.
    Raises NoSample.
    """
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return sample(inner[0])
    if origin is typing.Literal:
        return inner[0]
    if origin in (typing.Union, types.UnionType):
        return None if type(None) in inner else sample(inner[0])
    plain = origin or kind
    if plain in SIMPLE:
        return SIMPLE[plain]
    if not isinstance(plain, type):
        raise NoSample(f"a value of {kind!r}")
    if plain is tuple:
        return tuple(sample(one) for one in inner if one is not ...)
    made: Callable[..., Any] = plain
    try:
        if issubclass(plain, enum.Enum):
            return next(iter(plain))
        if "Secret" in plain.__name__ and hasattr(plain, "get_secret_value"):
            return _secret(plain)
        if "Url" in plain.__name__ and plain.__module__.startswith("pydantic"):
            return made(ADDRESS)
        return made(**_arguments(plain))
    except NoSample:
        raise
    except Exception as wrong:
        raise NoSample(f"a value of {plain.__name__}: {' '.join(str(wrong).split())}") from None


def _secret(kind: type) -> Any:
    """A secret of a kind: of a text, of bytes, or of a mapping."""
    from pydantic import TypeAdapter, ValidationError  # late: it takes long to import

    values: tuple[Any, ...] = (TEXT, b"", {})
    for value in values:
        try:
            return TypeAdapter(kind).validate_python(value)
        except ValidationError:
            continue
    raise NoSample(f"a value of {kind.__name__}")


def returned(function: Callable[..., Any]) -> Any:
    """A value of the type that a function says it returns; of a coroutine function, what it gives.

    Raises NoSample if it says nothing.
    """
    try:
        kind = typing.get_type_hints(function).get("return", inspect.Signature.empty)
    except NameError as wrong:
        raise NoSample(f"its return type: {wrong}") from None
    if kind is inspect.Signature.empty:
        raise NoSample("a value, since it does not say what it returns")
    return sample(kind)


def _arguments(kind: type) -> dict[str, Any]:
    """What a class needs to be made: its fields or arguments without a default."""
    fields = getattr(kind, "model_fields", None)
    if fields is not None:
        return {name: sample(one.annotation) for name, one in fields.items() if one.is_required()}
    if dataclasses.is_dataclass(kind):
        missing, hints = dataclasses.MISSING, typing.get_type_hints(kind)
        return {
            one.name: sample(hints[one.name])
            for one in dataclasses.fields(kind)
            if one.init and one.default is missing and one.default_factory is missing
        }
    if hasattr(kind, "__required_keys__"):  # a TypedDict
        hints = typing.get_type_hints(kind)
        return {name: sample(hints[name]) for name in kind.__required_keys__}
    return {}
