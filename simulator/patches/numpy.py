"""Makes numpy's words "now" and "today" read the virtual clock (numpy 2).

numpy asks the C library. What makes a `datetime64` is led here, where the word is replaced by the
instant; numpy makes of that what it would. So are `np.array`, `asarray` and `asanyarray` of lists that
are to become instants. Words that are in an array of strings already (`words.astype("M8[s]")`) do not
come this way, and are real.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from simulator.cfunctions import calling, copied, making


@contextmanager
def virtual_now() -> Iterator[None]:
    """Make numpy's 'now' what Python's own clock shows, until this ends."""
    import numpy

    arrays = (numpy.array, numpy.asarray, numpy.asanyarray)
    led = [(make, _of_instants(copied(make))) for make in arrays]
    with making(numpy.datetime64, _of_word), calling(led):
        yield


def _of_word(make: Callable[..., Any], kind: type, *args: Any, **kwargs: Any) -> Any:
    return make(kind, *map(_instant, args[:1]), *args[1:], **kwargs)


def _of_instants(make: Callable[..., Any]) -> Callable[..., Any]:
    """Makes an array as `make` does, of instants in the place of words if they are to be instants."""

    def call(*args: Any, **kwargs: Any) -> Any:
        dtype = args[1] if len(args) > 1 else kwargs.get("dtype")
        if dtype is not None and args and _is_of_instants(dtype):
            args = (_instants(args[0]), *args[1:])
        return make(*args, **kwargs)

    return call


def _is_of_instants(dtype: Any) -> bool:
    if isinstance(dtype, str):
        return dtype.lstrip("<>=|").startswith(("M", "datetime64"))
    return getattr(dtype, "kind", None) == "M" or getattr(dtype, "__name__", "") == "datetime64"


def _instants(given: Any) -> Any:
    if isinstance(given, list | tuple):
        return [_instants(one) for one in given]
    return _instant(given)


def _instant(given: Any) -> Any:
    """What is given; in the place of one of numpy's two words the instant that it means."""
    word = given.decode(errors="replace") if isinstance(given, bytes) else given
    if isinstance(word, str):
        if word.lower() == "now":
            return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        if word.lower() == "today":  # a day of the local time zone
            return datetime.now().astimezone().strftime("%Y-%m-%d")
    return given
