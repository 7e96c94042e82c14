"""What time it is: puts every read of the time in this process on a virtual clock.

What is patched, and why (Python 3.11 to 3.13, freezegun 1.5.5):

- freezegun's factory: every read must be new, across threads; its own auto-tick is not atomic.
- freezegun's default list of modules on real time.
- freezegun's copies of instants: they lose the `fold` by which an hour that comes twice, when the
  clocks go back, is told from its repetition.
- `_pytest.timing`: pytest times its tests with the functions that freezegun replaces.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import freezegun
from freezegun import api

from simulator.clock import VirtualClock
from simulator.instants import from_micros
from simulator.patches import pydantic, whenever
from simulator.patches.replacing import replacing


@contextmanager
def frozen(clock: VirtualClock) -> Iterator[None]:
    """Let every read of the time come from `clock`, in every thread."""
    settings = freezegun.config.settings
    ignored = settings.default_ignore_list
    # The default list hands real time to code within five frames of `threading` and `queue`, which
    # is every thread's target.
    freezegun.configure(default_ignore_list=[])

    def now() -> datetime.datetime:  # naive UTC, as freezegun keeps it
        return from_micros(clock.read()).replace(tzinfo=None)

    timing = sys.modules.get("_pytest.timing")
    timers = (
        {name: vars(timing)[name] for name in _TIMERS if name in vars(timing)} if timing else {}
    )
    freezer = freezegun.freeze_time(clock.now, real_asyncio=True)
    try:
        freezer.start()
        api.freeze_factories[-1] = now  # type: ignore[call-overload]
        for name, timer in timers.items():
            setattr(timing, name, timer)
        with _patched_fold(), pydantic.installed(), whenever.installed(clock):
            yield
    finally:
        freezer.stop()
        freezegun.configure(default_ignore_list=ignored)


_TIMERS = ("perf_counter", "sleep", "time")


@contextmanager
def _patched_fold() -> Iterator[None]:
    copy = api.datetime_to_fakedatetime

    def datetime_to_fakedatetime(instant: datetime.datetime) -> datetime.datetime:
        copied = copy(instant)
        return api.real_datetime.replace(copied, fold=1) if instant.fold else copied

    def now(cls: Any, tz: datetime.tzinfo | None = None) -> datetime.datetime:
        time: datetime.datetime = cls._time_to_freeze()
        return datetime_to_fakedatetime(time if tz is None else tz.fromutc(time.replace(tzinfo=tz)))

    with replacing(
        [
            (api, "datetime_to_fakedatetime", datetime_to_fakedatetime),
            (api.FakeDatetime, "now", classmethod(now)),
        ]
    ):
        yield
