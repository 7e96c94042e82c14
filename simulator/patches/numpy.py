"""Makes `np.datetime64("now")` and `("today")` read the virtual clock (numpy 2).

numpy asks the C library. What makes a `datetime64` is led here, where the word is replaced by the
instant; numpy makes of that what it would. Words inside of arrays (`np.array(["now"], "M8[s]")`) do
not come this way, and are real.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from simulator.cfunctions import making


@contextmanager
def virtual_now() -> Iterator[None]:
    """Make numpy's 'now' what Python's own clock shows, until this ends."""
    import numpy

    with making(numpy.datetime64, _instant_for_word):
        yield


def _instant_for_word(make: Callable[..., Any], kind: type, *args: Any, **kwargs: Any) -> Any:
    word = args[0] if args else None
    if isinstance(word, bytes):
        word = word.decode(errors="replace")
    if isinstance(word, str):
        if word.lower() == "now":
            args = (datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"), *args[1:])
        elif word.lower() == "today":  # a day of the local time zone
            args = (datetime.now().astimezone().strftime("%Y-%m-%d"), *args[1:])
    return make(kind, *args, **kwargs)
