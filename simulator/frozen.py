"""What time it is: puts every read of the time in this process on a virtual clock.

What is patched, and why (Python 3.11 to 3.13, freezegun 1.5.5, pydantic 2.11 to 2.14,
whenever 0.10.5):

- freezegun's factory: every read must be new, across threads; its own auto-tick is not atomic.
- freezegun's default list of modules on real time.
- freezegun's copies of instants: they lose the `fold` by which an hour that comes twice, when the
  clocks go back, is told from its repetition.
- `_pytest.timing`: pytest times its tests with the functions that freezegun replaces.
- `whenever` (Prefect's clock on Python 3.13) is written in Rust, out of freezegun's reach.
- pydantic: a flow written inside a simulation has freezegun's classes in its annotations, one
  written before it has Python's own. Both must validate, and appear in a schema, as Python's own.
"""

from __future__ import annotations

import _thread
import datetime
import importlib
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import freezegun
import pydantic._internal._generate_schema as pydantic_schemas
from freezegun import api

from simulator.clock import VirtualClock
from simulator.instants import from_micros, to_micros
from simulator.replacing import replacing


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
        with _patched_fold(), _patched_pydantic(), _patched_whenever(clock):
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


@contextmanager
def _patched_pydantic() -> Iterator[None]:
    generator = pydantic_schemas.GenerateSchema
    match = generator.match_type
    own: dict[Any, type] = {api.FakeDatetime: api.real_datetime, api.FakeDate: api.real_date}

    def match_type(self: Any, obj: Any, *origin: Any) -> Any:
        return match(self, own.get(obj, obj) if isinstance(obj, type) else obj, *origin)

    # Before 2.14 pydantic compares an annotation with whatever `datetime.datetime` is at that time.
    real = types.SimpleNamespace(**vars(datetime))
    real.datetime, real.date = api.real_datetime, api.real_date
    with replacing(
        [(generator, "match_type", match_type), (pydantic_schemas, "datetime", real)],
    ):
        yield


@contextmanager
def _patched_whenever(clock: VirtualClock) -> Iterator[None]:
    try:
        whenever = importlib.import_module("whenever")
    except ModuleNotFoundError:  # Prefect needs it on Python 3.13 and up only
        yield
        return
    shown = to_micros(clock.now)
    # Not waited for by a mere read: a finalizer may read the time in the middle of another read.
    mutex = _thread.allocate_lock()
    instant = whenever.Instant.from_timestamp_nanos(shown * 1000)
    with whenever.patch_current_time(instant, keep_ticking=False) as patch:

        def follow(micros: int, jumped: bool) -> None:
            nonlocal shown
            if mutex.acquire(jumped):
                try:
                    if micros > shown:
                        patch.shift(microseconds=micros - shown)
                        shown = micros
                finally:
                    mutex.release()

        clock.followers.append(follow)
        try:
            yield
        finally:
            clock.followers.remove(follow)
