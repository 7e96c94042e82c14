"""The virtual clock: what time it is, who can still run, and when to jump.

Time is a count of whole microseconds since 1970-01-01T00:00:00Z. It stands still while anything
holds it, and jumps straight to the earliest timer once nothing does. Each read shows one microsecond
more; but timers count from the instant of the last jump, so that the number of reads, which is never
quite the same, has no say in what comes first. Reading takes no time: each read belongs to an
instant, and the clock keeps which. Nothing here is sampled: a
thread, an event loop, a request or an event on its way *holds* the clock from the moment it can
make progress until the moment it cannot, and whoever wakes it takes the hold on its behalf
(Temporal's test server counts time-skipping locks the same way, see
https://github.com/temporalio/sdk-java/tree/master/temporal-test-server).

The clock itself knows nothing of Prefect, threads or asyncio. `simulator.clock.waiting` teaches Python's
own waiting primitives to use it.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from math import inf

from simulator.clock import telling
from simulator.clock.debugging import debugged
from simulator.clock.holds import Hold
from simulator.clock.mutex import Gate, Mutex
from simulator.clock.waits import TIE, Source, Timer, Wait, tied
from simulator.errors import ClockStalled, Deadlock, NothingToRun
from simulator.instants import Real, Timeline, from_micros, to_micros

LOOK_SECONDS = 0.5
"""How often one that waits for a quiet moment looks for progress, in real seconds."""

RESTLESS_LIMITS = 3
"""So many stall limits may pass in which threads wake one another, or ask, and nothing comes of it."""


class VirtualClock:
    """The time of one simulation.

    `stall_limit` is the number of real seconds that the clock may be held without anything being
    woken, parked or finished before `drive` raises `ClockStalled`. After three times that it does so as
    well if nothing has begun or ended, and none of the `witnesses` has another number to tell: a loop
    that asks again and again, and never sleeps, gets nowhere.
    """

    def __init__(self, start: datetime, stall_limit: float = 60.0) -> None:
        self.stall_limit = stall_limit
        self.closing: type[BaseException] | None = None
        self.closed = inf  # when it was, in real time
        self.jumps = 0
        self.jumped = Real.monotonic()  # when it did so last, in real time
        # The thread that drives it, whenever that one waits; and the one that drives it now.
        self.home: int | None = None
        self.driver: int | None = None
        self.disturbed = False
        self._micros = self._instant = to_micros(start)
        self._timeline = Timeline(self._instant)
        # Each wakes one that has been overlooked, once nothing can run, and says whether there was one.
        self.overlooked: list[Callable[[], bool]] = []
        self._mutex = Mutex()
        self._wheel = Mutex()
        self._timers: list[Timer] = []
        self._sequence = itertools.count()
        self._sources: list[Source] = []
        self._holds: set[Hold] = set()
        self._parked: set[Wait] = set()
        self._progress = 0
        self._results = 0
        self.witnesses: list[Callable[[], int]] = []
        self._deadlocks: set[frozenset[Hold]] = set()
        self._quiet = Gate()

    # -- reading ---------------------------------------------------------------------------------

    def read(self) -> int:
        """The time in microseconds since the epoch. No two reads are equal: each moves it by one.

        Prefect has UNIQUE constraints on (run, timestamp), which a clock that stands still breaks.
        """
        with self._mutex:
            micros = self._micros
            self._micros = micros + 1
        return micros

    @property
    def now(self) -> datetime:
        """The time, aware UTC, without moving it."""
        return from_micros(self._micros)

    @property
    def instant(self) -> int:
        """The time in microseconds since the epoch, without the reads since the last jump.

        What happens at one instant shares it, however often the time has been read meanwhile: what
        is compared with what others do counts from here, or the number of reads would decide.
        """
        return self._instant

    @property
    def timeline(self) -> Timeline:
        """To which instant each read so far belongs."""
        with self._mutex:
            self._timeline.read_up_to(self._micros)
        return self._timeline

    # -- holding ---------------------------------------------------------------------------------

    def hold(self, hold: Hold) -> None:
        """Keep time from moving until `release(hold)`."""
        with self._mutex:
            self._holds.add(hold)
            self._progress += 1
            self._results += not hold.asks

    def release(self, hold: Hold) -> None:
        """Let time move again as far as `hold` is concerned."""
        with self._mutex:
            self._holds.discard(hold)
            self._progress += 1
            self._results += not hold.asks
            quiet = not self._holds
        if quiet:
            self._signal_quiet()

    @contextmanager
    def holding(self, name: str) -> Iterator[None]:
        """Keep time from moving for the length of a `with` block of real work."""
        hold = Hold(name, threading.get_ident())
        self.hold(hold)
        try:
            yield
        finally:
            self.release(hold)

    @property
    def held(self) -> bool:
        return bool(self._holds)

    @property
    def entered(self) -> bool:
        """Whether the calling thread is in the middle of something that others would wait for."""
        return bool(self._mutex.owned())

    # -- waiting (called by counted threads) -------------------------------------------------------

    def park(self, wait: Wait, timeout: float | None = None, block: bool = True) -> bool:
        """Give up the thread's hold until `wake`, or until `timeout` virtual seconds have passed.

        Returns True if woken, False at the time-out; raises the error handed to `wake`. With
        `block=False` the caller does its own blocking (an event loop in its selector) and must call
        `unpark` after it.
        """
        if timeout is not None and not wait.woken:
            with self._mutex:
                wait.timer = self._push(timeout, lambda: self._time_out(wait), wait.hold.idles)
        parked = self._park(wait)
        if not block:
            return True
        while parked or wait.hold.calls:
            if parked:
                wait.block()
            if not wait.hold.calls:
                break
            self._make_calls(wait)
            parked = self._park(wait)
        return self.unpark(wait)

    def _park(self, wait: Wait) -> bool:
        """Give up the thread's hold if nothing has woken it yet, and nothing calls it."""
        with self._mutex:
            if self.closing is not None and not wait.woken and not wait.hold.background:
                wait.error = self.closing
                wait.woken = True
            parked = not wait.woken and not wait.hold.calls
            if parked:
                wait.parked = True
                self._parked.add(wait)
                if wait not in wait.hold.waits:
                    wait.hold.waits.append(wait)
                self._holds.discard(wait.hold)
                self._progress += 1
            quiet = not self._holds
        if quiet:
            self._signal_quiet()
        return parked

    def _make_calls(self, wait: Wait) -> None:
        """Make the calls for a waiting thread, in it. Raises what they raise: that ends its wait."""
        try:
            while wait.hold.calls:
                wait.hold.calls.pop(0)()
        except BaseException:
            self.unpark(wait)
            raise

    def unpark(self, wait: Wait) -> bool:
        """End a wait on the waiting thread's own side, whoever ended it."""
        quiet = False
        with self._mutex:
            if wait.parked:  # nobody woke it: it woke itself
                self._parked.discard(wait)
                wait.parked = False
                self._holds.add(wait.hold)
            wait.woken = True
            if wait.timer is not None:
                wait.timer.cancel()
            waits = wait.hold.waits
            if wait in waits:
                waits.remove(wait)
            if waits and waits[-1].parked:  # back in the middle of another one, which goes on
                self._holds.discard(wait.hold)
                quiet = not self._holds
        if quiet:
            self._signal_quiet()
        if wait.error is not None:
            raise wait.error
        while wait.hold.calls:  # of an event loop, which does its own blocking
            wait.hold.calls.pop(0)()
        return not wait.timed_out

    def wake(self, wait: Wait, error: BaseException | type[BaseException] | None = None) -> bool:
        """Wake a waiting thread, now or before it parks. False if it was awake already.

        From here on the woken thread holds the clock, whenever the operating system gets to it.
        """
        with self._mutex:
            return self._wake(wait, error)

    def _wake(self, wait: Wait, error: BaseException | type[BaseException] | None) -> bool:
        if wait.woken or (wait.hold.dead and (error is None or error is not self.closing)):
            return False
        wait.woken = True
        wait.error = error
        if wait.parked:
            wait.parked = False
            self._parked.discard(wait)
            if wait.hold.waits[-1] is wait:
                self._holds.add(wait.hold)
            self._progress += 1
            wait.open()
        return True

    def _time_out(self, wait: Wait) -> None:
        with self._mutex:
            if not wait.woken and not wait.hold.dead:
                wait.timed_out = True
                self._wake(wait, None)

    def interrupt(self, ident: int, error: BaseException | type[BaseException]) -> bool:
        """Raise `error` in the thread `ident` if it is parked now. False if it is not."""
        with self._mutex:
            for wait in self._parked:
                if wait.hold.ident == ident and wait is wait.hold.waits[0]:  # not a tracer's own
                    return self._wake(wait, error)
        return False

    def interject(self, hold: Hold, call: Callable[[], object]) -> None:
        """Let the thread of `hold` make a call where it waits, now or next, and then wait on."""
        with self._mutex:
            hold.calls.append(call)
            for wait in [wait for wait in hold.waits[-1:] if wait.parked and not hold.dead]:
                wait.parked = False
                self._parked.discard(wait)
                self._holds.add(hold)
                self._progress += 1
                wait.open()

    def close(self, error: type[BaseException]) -> None:
        """Raise `error` in every wait from now on, those under way included.

        Threads in the background go on.
        """
        with self._mutex:
            self.closing = error
            self.closed = Real.monotonic()
            for wait in [wait for wait in self._parked if not wait.hold.background]:
                self._wake(wait, error)

    # -- timers ----------------------------------------------------------------------------------

    def call_at(self, when: int, action: Callable[[], None]) -> Timer:
        """Call `action` from the driving thread at `when` microseconds since the epoch."""
        with self._mutex:
            return self._set(when, when, action)

    def call_later(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Call `action` from the driving thread in `seconds` virtual seconds."""
        with self._mutex:
            return self._push(seconds, action)

    def _push(self, seconds: float, action: Callable[[], None], idle: bool = False) -> Timer:
        when, shown = self._after(seconds)
        return self._set(when, shown, action, idle)

    def _set(self, when: int, shown: int, action: Callable[[], None], idle: bool = False) -> Timer:
        timer = Timer(tied(when), next(self._sequence), action, shown, idle)
        heapq.heappush(self._timers, timer)
        return timer

    def _after(self, seconds: float) -> tuple[int, int]:
        """The instant in `seconds`, and what reads show then."""
        # An hour-long sleep of `inf` or of centuries must not overflow a datetime.
        micros = int(min(max(seconds, 0.0), 3e10) * 1_000_000 + 0.5)
        # The shortest sleep is one to the next instant, or a loop of them would never get there.
        when = max(tied(self._instant + micros), self._instant + (TIE if micros else 0))
        return when, self._micros + micros

    def add_source(self, source: Source) -> None:
        self._sources.append(source)

    def catch_up(self, micros: int) -> None:
        """Let reads show `micros` microseconds since the epoch, or more."""
        with self._mutex:
            self._micros = micros = max(self._micros, micros)

    # -- driving ---------------------------------------------------------------------------------

    def drive(self, until: datetime | None, done: Callable[[], bool] | None = None) -> None:
        """Let the world run until the instant `until`, or until `done()` in a quiet moment.

        One event at a time: everything that it set going comes to rest before the next.

        Raises `ClockStalled` if something holds the clock for `stall_limit` real seconds without
        progress, `NothingToRun` if `until` is None and `done()` can never come true, and `Deadlock` if
        threads wait in a circle for one another's locks at the end.
        """
        end = None if until is None else to_micros(until)
        self._drive(None if end is None else (end, end), done)

    def sleep(self, seconds: float, done: Callable[[], bool] | None = None) -> None:
        """Let the world run for `seconds`, or until `done()` in a quiet moment: the driving thread's
        own sleep. Raises as `drive` does.
        """
        with self._mutex:
            end = self._after(seconds)
        self._drive(end, done)

    def _drive(self, end: tuple[int, int] | None, done: Callable[[], bool] | None) -> None:
        """As `drive`, until the instant `end[0]`, at which reads show `end[1]`."""
        with self._wheel:  # threads of a test that drive at once do so one after the other
            self.driver = threading.get_ident()
            try:
                while True:
                    self.settle()
                    self.disturbed = False
                    if any(wake() for wake in self.overlooked):
                        continue
                    if done is not None and done():
                        return
                    when, shown, fire = self._next_event(endless=end is None)
                    if fire is None or (end is not None and (when, shown) > end):
                        self._tell_of_deadlock()
                        if end is None:
                            raise NothingToRun(telling.nothing(self.now, self.parked()))
                        self._move_to(*end)
                        return
                    self._move_to(when, shown)
                    fire()
            except BaseException as error:  # also Ctrl-C
                self.disturbed = not isinstance(error, NothingToRun)
                raise
            finally:
                self.driver = None

    def rest(self) -> None:
        """As `settle`. But if driving has just ended by a stall or from outside, nothing is waited for:
        what held the clock then may hold it for ever.
        """
        if not self.disturbed:
            self.settle()

    def settle(self) -> None:
        """Wait, in real time, until nothing can run."""
        seen, achieved, deadline, idle, began = -1, -1, 0.0, 0.0, None
        while True:
            with self._mutex:
                if not self._holds:
                    return
                progress, results = self._progress, self._results
            now = Real.monotonic()
            began = now if began is None else began
            if now - began > LOOK_SECONDS:
                results += sum(look() for look in self.witnesses)
            if progress != seen:
                seen, deadline = progress, now + self.stall_limit
            if results != achieved:
                achieved, idle = results, now + RESTLESS_LIMITS * self.stall_limit
            remaining = min(deadline, idle) - now
            if remaining <= 0 and debugged():
                seen, achieved = -1, -1
                continue
            if remaining <= 0:
                self.disturbed = True
                with self._mutex:
                    holds = list(self._holds)
                raise ClockStalled(telling.stall(self.now, self.stall_limit, holds))
            self._quiet.wait(min(remaining, LOOK_SECONDS))

    def _next_event(self, endless: bool) -> tuple[int, int, Callable[[], None] | None]:
        """When it is due, what reads will show at least, and what to call; None if there is none.

        For who drives to no end (`endless`) there is none if all that is left is idle.
        """
        best: tuple[int, int, Callable[[], None] | None] = (0, 0, None)
        for source in self._sources:
            when = source.next_instant()
            if when is not None and (best[2] is None or when < best[0]):
                best = (when, when, source.fire)
        with self._mutex:
            while self._timers and self._timers[0].action is None:
                heapq.heappop(self._timers)
            if self._timers and (best[2] is None or self._timers[0].when < best[0]):
                timer = self._timers[0]
                if endless and timer.idle and best[2] is None and self._all_idle():
                    return best
                return (timer.when, timer.shown, partial(self._fire, timer))
        return best

    def _all_idle(self) -> bool:
        return all(timer.idle or timer.action is None for timer in self._timers)

    def _fire(self, timer: Timer) -> None:
        with self._mutex:
            action, timer.action = timer.action, None
        if action is not None:
            action()

    def about_to_jump(self) -> None:
        """Called before each jump, while nothing runs: for whoever keeps a record of them."""

    def shown_after(self, jumps: int) -> int:
        """What the first read after so many jumps has shown, or shows."""
        return self._timeline.first(jumps)

    def _move_to(self, instant: int, shown: int) -> None:
        if instant > self._instant:
            self.about_to_jump()
        with self._mutex:
            micros = max(self._micros, instant, shown)
            if instant > self._instant:
                self._timeline.jump(self._micros, instant, micros)
                self._instant = instant
                self.jumps += 1
                self.jumped = Real.monotonic()
            self._micros = micros

    def _signal_quiet(self) -> None:
        try:
            self._quiet.open()
        except RuntimeError:
            pass  # signalled already, and not looked at yet

    # -- telling ---------------------------------------------------------------------------------

    def parked(self) -> list[Wait]:
        """Who waits now."""
        with self._mutex:
            return list(self._parked)

    def _tell_of_deadlock(self) -> None:
        """Raise Deadlock, once for each, if some wait in a circle for one another."""
        found = telling.circle(self.parked())
        told = frozenset(wait.hold for wait in found)
        if found and told not in self._deadlocks:
            self._deadlocks.add(told)
            raise Deadlock(telling.deadlock(self.now, found))
