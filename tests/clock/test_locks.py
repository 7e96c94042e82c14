"""Bare locks among threads on a virtual clock, without Prefect. Whoever sleeps here sleeps in virtual time."""

from __future__ import annotations

import _thread
import contextvars
import importlib
import sys
import threading
import time
from datetime import UTC, datetime

import pytest

from simulator.clock import VirtualClock, Wait, start_counted
from simulator.errors import Deadlock, NothingToRun
from simulator.instants import Real, to_micros
from simulator.patches import stdlib

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = 24 * 3600
BOUND_LONG_AGO = threading.Condition()
LOCKS = {"Lock": threading.Lock(), "RLock": threading.RLock(), "Condition": BOUND_LONG_AGO}


class Ended(BaseException):
    pass


class World:
    """Counted threads on a clock: what they told, and at which second."""

    def __init__(self, clock):
        self.clock = clock
        self.told = []
        self.errors = []

    def tell(self, what):
        self.told.append((what, (self.clock.instant - to_micros(START)) / 1e6))

    def start(self, *targets):
        """One after the other, each to its rest, so that they come in this order."""
        for number, target in enumerate(targets):

            def run(target=target):
                try:
                    target()
                except Exception as error:
                    self.errors.append(error)

            thread = threading.Thread(target=run, name=f"thread-{number}", daemon=True)
            self.clock.call_later(0, lambda thread=thread: start_counted(thread, self.clock))

    def drive(self, seconds=3600):
        end = datetime.fromtimestamp(START.timestamp() + seconds, UTC)
        self.clock.drive(end)
        assert self.errors == []


@pytest.fixture
def world():
    clock = VirtualClock(START, stall_limit=10)
    with stdlib.installed(clock, contextvars.copy_context()):
        yield World(clock)
        clock.close(Ended)


def holding(world, lock, name, seconds=10):
    def run():
        with lock:
            world.tell(f"{name} has it")
            time.sleep(seconds)

    return run


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)
def test_those_who_wait_for_a_lock_get_it_in_order_at_the_instants_of_its_release(world, lock):
    world.start(*(holding(world, lock, name) for name in "abc"))
    world.drive()
    assert world.told == [("a has it", 0), ("b has it", 10), ("c has it", 20)]


def test_who_releases_and_wants_it_again_gets_in_line(world):
    lock = threading.Lock()

    def greedy():
        for name in ("first", "second"):
            with lock:
                world.tell(name)
                time.sleep(10)

    world.start(greedy, holding(world, lock, "another"))
    world.drive()
    assert world.told == [("first", 0), ("another has it", 10), ("second", 20)]


def test_a_reentrant_lock_is_released_with_its_last_release(world):
    lock = threading.RLock()

    def deep():
        with lock:
            with lock:
                time.sleep(10)
            assert lock.acquire(blocking=False)
            lock.release()
            time.sleep(10)

    world.start(deep, holding(world, lock, "another"))
    world.drive()
    assert world.told == [("another has it", 20)]


@pytest.mark.parametrize("lock", [threading.Lock(), threading.RLock()], ids=["Lock", "RLock"])
def test_a_time_out_takes_its_virtual_time(world, lock):
    def impatient():
        world.tell(lock.acquire(timeout=3))
        world.tell(lock.acquire(timeout=30))
        lock.release()

    world.start(holding(world, lock, "one"), impatient)
    world.drive()
    assert world.told == [("one has it", 0), (False, 3), (True, 10)]


def test_a_lock_is_not_had_without_waiting_while_another_one_waits_for_it(world):
    lock = threading.Lock()

    def looks():
        time.sleep(5)
        world.tell(lock.acquire(blocking=False))

    world.start(holding(world, lock, "one"), holding(world, lock, "two"), looks)
    world.drive()
    assert world.told == [("one has it", 0), (False, 5), ("two has it", 10)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((False, 3), "can't specify a timeout for a non-blocking call"),
        ((True, -3), "timeout value must be"),
        ((True, 1e10), "too large|out of range"),
    ],
)
@pytest.mark.parametrize("make", [threading.Lock, threading.RLock])
def test_what_is_wrong_is_told_as_ever(world, make, arguments, message):
    lock = make()

    def wrong():
        with pytest.raises((ValueError, OverflowError), match=message):
            lock.acquire(*arguments)
        world.tell("told")

    world.start(holding(world, lock, "one"), wrong)
    world.drive()
    assert world.told == [("one has it", 0), ("told", 0)]


def test_a_lock_may_be_released_by_another_thread(world):
    gate = threading.Lock()
    gate.acquire()  # by the thread that drives

    def waits():
        gate.acquire()
        world.tell("through")

    def opens():
        time.sleep(7)
        gate.release()

    world.start(waits, opens)
    world.drive()
    assert world.told == [("through", 7)]


def test_the_driving_thread_waits_for_a_lock_as_it_waits_for_everything(world):
    lock = threading.Lock()
    world.start(holding(world, lock, "one"))
    world.drive(1)
    with lock:
        world.tell("mine")
    assert world.told == [("one has it", 0), ("mine", 10)]


def test_who_waits_in_a_condition_has_let_go_of_its_lock(world):
    def waits():
        with BOUND_LONG_AGO, BOUND_LONG_AGO:
            world.tell(BOUND_LONG_AGO.wait(30))
            time.sleep(5)

    def notifies():
        with BOUND_LONG_AGO:
            time.sleep(10)
            BOUND_LONG_AGO.notify()
            time.sleep(10)

    world.start(waits, notifies, holding(world, BOUND_LONG_AGO, "a third"))
    world.drive()
    assert world.told == [("a third has it", 20), (True, 30)]


def test_a_lock_released_behind_our_back_is_found_before_time_moves(world):
    def holds():
        BOUND_LONG_AGO.acquire()  # C's own methods, bound when the condition was made
        time.sleep(10)
        BOUND_LONG_AGO.release()
        time.sleep(10)

    world.start(holds, holding(world, BOUND_LONG_AGO, "another"))
    world.drive()
    assert world.told == [("another has it", 10)]


def test_a_lock_held_in_the_real_world_holds_the_clock(world):
    lock, taken = threading.Lock(), threading.Event()

    def real():
        with lock:
            taken.set()
            Real.sleep(0.3)

    threading.Thread(target=real).start()
    taken.wait(10)
    world.clock.call_later(5, lambda: world.tell("time has moved"))
    world.start(holding(world, lock, "one"))
    world.drive()
    assert world.told == [("one has it", 0), ("time has moved", 5)]


@pytest.fixture
def slow_module(tmp_path, monkeypatch):
    """A function that writes a module whose import takes so many real and virtual seconds."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "slow_to_import", raising=False)
    began.clear()

    def write(real=0.0, virtual=0.0):
        lines = [
            f"import time, {__name__} as here",
            "here.began.set()",
            f"here.Real.sleep({real})",
            f"time.sleep({virtual})",
            "DONE = True",
        ]
        (tmp_path / "slow_to_import.py").write_text("\n".join(lines))

    return write


began = threading.Event()


def imports(world, name):
    def run():
        from slow_to_import import DONE

        world.tell((name, DONE))

    return run


def test_an_import_in_the_real_world_holds_the_clock_for_who_waits_for_it(world, slow_module):
    slow_module(real=0.3)
    threading.Thread(target=importlib.import_module, args=["slow_to_import"]).start()
    assert began.wait(10)
    world.clock.call_later(5, lambda: world.tell("time has moved"))
    world.start(imports(world, "one"), imports(world, "two"))
    world.drive()
    assert sorted(world.told[:2]) == [(("one", True), 0), (("two", True), 0)]
    assert world.told[2:] == [("time has moved", 5)]


def test_an_import_that_sleeps_is_waited_for_in_virtual_time(world, slow_module):
    slow_module(virtual=60)
    world.start(imports(world, "one"), imports(world, "two"))
    world.drive()
    assert sorted(world.told) == [(("one", True), 60), (("two", True), 60)]


def test_a_deadlock_is_named_with_both_holders(world):
    first, second = threading.Lock(), threading.RLock()

    def cross(one, other):
        def run():
            with one:
                time.sleep(1)
                with other:
                    pass

        return run

    world.start(cross(first, second), cross(second, first))
    with pytest.raises(Deadlock) as told:
        world.drive()
    message = str(told.value)
    assert "\n" not in message
    assert message.startswith("a deadlock at 2026-01-05T00:00:01Z: thread 'thread-0' at ")
    assert "with other:" in message
    assert "waits for a lock held by thread 'thread-1'; thread 'thread-1' at " in message
    assert message.endswith("waits for a lock held by thread 'thread-0'")
    world.drive()  # told once, it leaves the rest of the world alone


def test_who_waits_for_itself_is_a_deadlock_of_one(world):
    lock = threading.Lock()

    def twice():
        with lock, lock:
            pass

    world.start(twice)
    with pytest.raises(Deadlock, match=r"'thread-0' .* waits for a lock held by thread 'thread-0'"):
        world.clock.drive(None, done=lambda: False)


def test_a_circle_with_a_time_out_in_it_is_no_deadlock(world):
    first, second = threading.Lock(), threading.Lock()

    def patient():
        with first:
            time.sleep(1)
            with second:
                world.tell("patient")

    def impatient():
        with second:
            time.sleep(1)
            world.tell(first.acquire(timeout=600))

    world.start(patient, impatient)
    world.drive(60)
    assert world.told == []
    world.drive()
    assert world.told == [(False, 601), ("patient", 601)]


def test_who_is_interrupted_in_line_passes_the_lock_on(world):
    lock = threading.Lock()

    def interrupted():
        try:
            with lock:
                pass
        except KeyError:
            world.tell("interrupted")

    def interrupts():
        time.sleep(5)
        [wait] = [wait for wait in world.clock.parked() if wait.hold.name == "thread 'thread-1'"]
        world.clock.wake(wait, KeyError())

    world.start(interrupts, interrupted, holding(world, lock, "last"))
    lock.acquire()
    world.clock.call_later(10, lock.release)
    world.drive()
    assert world.told == [("interrupted", 5), ("last has it", 10)]


CONDITIONS = {
    "a Lock": lambda: threading.Condition(threading.Lock()),
    "an RLock": threading.Condition,
    "bound long ago": lambda: BOUND_LONG_AGO,
}


@pytest.mark.parametrize("make", CONDITIONS.values(), ids=CONDITIONS)
def test_who_is_interrupted_in_a_condition_has_its_lock_again_first(world, make):
    condition = make()

    def interrupted():
        try:
            with condition:
                condition.wait()
        except KeyError:
            world.tell("interrupted")

    def interrupts():
        with condition:
            condition.notify()
            for second in (5, 6):
                time.sleep(second)
                [wait] = [
                    wait for wait in world.clock.parked() if wait.hold.name == "thread 'thread-0'"
                ]
                world.clock.wake(wait, KeyError(second))
            time.sleep(9)

    world.start(interrupted, interrupts, holding(world, condition, "another one"))
    world.drive()
    assert world.told == [("another one has it", 20), ("interrupted", 30)]


@pytest.mark.parametrize("make", CONDITIONS.values(), ids=CONDITIONS)
def test_who_waits_in_a_condition_to_the_end_has_its_lock_again_first(world, make):
    condition = make()
    ended = threading.Event()

    def waits():
        try:
            with condition:
                condition.wait()
        finally:
            world.tell("has left")
            ended.set()

    def holds_to_the_end():
        with condition:
            try:
                time.sleep(DAY)
            finally:
                Real.sleep(0.2)
                world.tell("lets go")

    told = []
    at_the_end, threading.excepthook = (
        threading.excepthook,
        lambda what: told.append(what.exc_value),
    )
    try:
        world.start(waits, holds_to_the_end)
        world.drive()
        world.clock.close(Ended)
        assert ended.wait(10)
    finally:
        threading.excepthook = at_the_end
    assert [what for what, _ in world.told] == ["lets go", "has left"]
    assert told == []


@pytest.fixture
def sleeper(world):
    """Lets a thread sleep and, within that wait, wait for a lock that another one holds for ten seconds:
    as coverage's tracer does, or a finalizer.
    """
    lock = threading.Lock()
    traced = []

    def holds():
        with lock:
            time.sleep(10)

    def trace(frame, *_):
        if frame.f_code is Wait.block.__code__ and not traced:
            traced.append(threading.get_ident())
            with lock:
                world.tell("traced")

    def start(seconds):
        def sleeps():
            before = sys.gettrace()
            sys.settrace(trace)
            try:
                time.sleep(seconds)
                world.tell("awake")
            except Ended:
                world.tell("interrupted")
            finally:
                sys.settrace(before)

        world.clock.stall_limit = 5
        world.start(holds, sleeps)
        return traced

    return start


@pytest.mark.parametrize(("seconds", "awake_at"), [(60, 60), (5, 10)])
def test_a_wait_goes_on_after_one_within_it(world, sleeper, seconds, awake_at):
    sleeper(seconds)
    world.drive()
    assert world.told == [("traced", 10), ("awake", awake_at)]


def test_who_waits_within_a_wait_is_interrupted_in_the_outer_one(world, sleeper):
    traced = sleeper(60)
    world.clock.call_later(5, lambda: world.clock.interrupt(traced[0], Ended()))
    world.drive()
    assert world.told == [("traced", 10), ("interrupted", 10)]


def test_locks_are_as_they_were_afterwards():
    def methods():
        return dict(vars(_thread.LockType)), dict(vars(_thread.RLock)), str(time.sleep)

    before = methods()
    clock = VirtualClock(START)
    with stdlib.installed(clock, contextvars.copy_context()):
        assert methods()[0] != before[0]
        assert methods()[1] != before[1]
    assert methods() == before
    with pytest.raises(NothingToRun):
        clock.drive(None, done=lambda: False)


def test_a_thread_of_the_lowest_kind_is_counted(world):
    done = _thread.allocate_lock()
    start_new_thread = _thread.start_new_thread

    def works(seconds, *, then):
        time.sleep(seconds)
        then()

    def waits():
        done.acquire()
        assert start_new_thread(works, (40,), {"then": done.release}) != threading.get_ident()
        done.acquire()
        world.tell("done")

    world.start(waits)
    world.drive()
    assert world.told == [("done", 40)]
