"""The virtual clock alone: no Prefect, no patches, threads only where a thread has to wait."""

from __future__ import annotations

import heapq
import os
import threading
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.clock import join_counted, start_counted, virtual
from simulator.clock.holds import Hold
from simulator.clock.virtual import VirtualClock
from simulator.clock.waits import Wait
from simulator.errors import ClockStalled, NothingToRun
from simulator.instants import Real, from_micros, to_micros

START = datetime(2026, 1, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


class Ended(BaseException):
    """What the threads of these tests see when their clock is closed."""


@pytest.fixture
def clock():
    clock = VirtualClock(START, stall_limit=30)
    yield clock
    clock.close(Ended)


def seconds(clock):
    """How long the clock has been going, in whole seconds."""
    return (clock.now - START) // SECOND


class Waiter:
    """A thread that holds the clock, gives up its hold once, and keeps what came of it.

    It is parked when the constructor returns, and does not end before `let_go` is set.
    """

    def __init__(self, clock, timeout=None, background=False, process=None):
        self.clock = clock
        self.hold = Hold("waiter", background=background, process=process)
        self.wait = Wait(clock, self.hold)
        self.timeout = timeout
        self.outcome = None
        self.let_go = threading.Event()
        self.let_go.set()
        clock.hold(self.hold)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        clock.settle()

    def run(self):
        self.hold.ident = threading.get_ident()
        try:
            self.outcome = self.clock.park(self.wait, self.timeout)
        except BaseException as error:
            self.outcome = error
        self.let_go.wait()
        self.clock.release(self.hold)

    def result(self):
        self.thread.join(30)
        assert not self.thread.is_alive()
        return self.outcome


# -- reading ---------------------------------------------------------------------------------------


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])))
def test_instants_become_microseconds_and_come_back(instant):
    assert from_micros(to_micros(instant)) == instant


def test_each_read_is_one_microsecond_later(clock):
    first = clock.read()
    assert first == to_micros(START)
    assert [clock.read() for _ in range(3)] == [first + 1, first + 2, first + 3]


def test_looking_at_now_moves_nothing(clock):
    assert clock.now == clock.now == START
    assert clock.now.tzinfo is UTC


def test_reads_of_many_threads_are_all_different(clock):
    seen = []

    def read():
        seen.extend([clock.read() for _ in range(2000)])

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 8000
    assert clock.now == START + timedelta(microseconds=8000)


# -- timers ----------------------------------------------------------------------------------------


def test_time_jumps_to_the_end_when_nothing_is_due(clock):
    clock.drive(START + DAY)
    assert clock.now == START + DAY
    assert clock.jumps == 1


def test_a_timer_fires_at_its_instant_and_not_again(clock):
    fired = []
    clock.call_later(90.5, lambda: fired.append(clock.now))
    clock.drive(START + DAY)
    clock.drive(START + 2 * DAY)
    assert fired == [START + 90.5 * SECOND]
    assert clock.jumps == 3


def test_a_timer_at_the_very_end_fires_and_a_later_one_does_not(clock):
    fired = []
    end = START + 60 * SECOND
    clock.call_at(to_micros(end), lambda: fired.append("at the end"))
    clock.call_at(to_micros(end) + 1, lambda: fired.append("after it"))
    clock.drive(end)
    assert fired == ["at the end"]
    clock.drive(end + SECOND)
    assert fired == ["at the end", "after it"]


def test_a_cancelled_timer_is_silent_and_no_reason_to_stop(clock):
    timer = clock.call_later(10, lambda: pytest.fail("it was cancelled"))
    timer.cancel()
    clock.drive(START + DAY)
    assert clock.jumps == 1


def test_a_timer_of_the_past_fires_now(clock):
    fired = []
    clock.drive(START + DAY)
    clock.call_at(to_micros(START), lambda: fired.append(clock.now))
    clock.call_later(-5, lambda: fired.append(clock.now))
    clock.drive(START + 2 * DAY)
    assert fired == [START + DAY] * 2


@pytest.mark.parametrize("seconds", [float("inf"), 1e12])
def test_a_timer_in_centuries_is_no_overflow(clock, seconds):
    timer = clock.call_later(seconds, lambda: None)
    assert from_micros(timer.when) > START + 365 * 900 * DAY


@given(st.lists(st.integers(0, 5), max_size=30))
def test_timers_fire_by_instant_and_then_in_the_order_of_their_making(delays):
    clock = VirtualClock(START)
    fired = []
    for index, delay in enumerate(delays):
        clock.call_later(delay, lambda index=index: fired.append((seconds(clock), index)))
    clock.drive(START + 10 * SECOND)
    assert fired == sorted((delay, index) for index, delay in enumerate(delays))


@given(st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=1, max_size=6))
def test_timers_that_make_timers_agree_with_a_model(chains):
    """Each chain is a list of delays: each timer sets the next one of its chain."""
    clock, fired = VirtualClock(START), []

    def step(chain, index):
        if index < len(chains[chain]):
            clock.call_later(chains[chain][index], lambda: fire(chain, index))

    def fire(chain, index):
        fired.append((seconds(clock), chain, index))
        step(chain, index + 1)

    for chain in range(len(chains)):
        step(chain, 0)
    clock.drive(START + DAY)
    assert fired == model(chains)


def model(chains):
    """The same, as a queue of `(instant, sequence)`."""
    queue, told, sequence = [], [], 0
    for chain, delays in enumerate(chains):
        if delays:
            sequence += 1
            heapq.heappush(queue, (delays[0], sequence, chain, 0))
    while queue:
        now, _, chain, index = heapq.heappop(queue)
        told.append((now, chain, index))
        if index + 1 < len(chains[chain]):
            sequence += 1
            heapq.heappush(queue, (now + chains[chain][index + 1], sequence, chain, index + 1))
    return told


@given(st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=1, max_size=6))
def test_threads_that_sleep_agree_with_the_same_model(chains):
    clock, woken = VirtualClock(START), []

    def sleep(chain, hold):
        for index, delay in enumerate(chains[chain]):
            assert not clock.park(Wait(clock, hold), delay)
            woken.append((seconds(clock), chain, index))
        clock.release(hold)

    threads = []
    for chain in range(len(chains)):
        hold = Hold(f"chain {chain}")
        clock.hold(hold)
        threads.append(threading.Thread(target=sleep, args=(chain, hold)))
        threads[-1].start()
        clock.settle()
    clock.drive(START + DAY)
    for thread in threads:
        thread.join()
    assert woken == model(chains)


def test_the_number_of_reads_does_not_decide_what_comes_first(clock):
    fired = []
    for _ in range(300):
        clock.read()
    clock.call_later(60, lambda: fired.append("set first"))
    halfway = to_micros(START + 30 * SECOND)
    clock.call_at(halfway, lambda: clock.call_later(30, lambda: fired.append("set second")))
    clock.drive(START + DAY)
    assert fired == ["set first", "set second"]


def test_who_computes_an_instant_from_reads_meets_the_others_at_it(clock):
    fired = []

    def later():
        deadline = clock.read() + 60_000_000
        for _ in range(100):
            clock.read()
        clock.call_later((deadline - clock.read()) / 1e6, lambda: fired.append("set second"))

    clock.call_later(60, lambda: fired.append("set first"))
    later()
    clock.drive(START + DAY)
    assert fired == ["set first", "set second"]


def test_who_waits_a_second_reads_a_second_more(clock):
    seen = []

    def look():
        seen.append(clock.read())
        if len(seen) < 100:
            clock.call_later(1, look)

    for _ in range(700):
        clock.read()
    look()
    clock.drive(START + DAY)
    assert all(later - earlier >= 1_000_000 for earlier, later in pairwise(seen))
    assert seen[-1] - seen[0] < 99_000_000 + 1000


def test_reading_takes_no_time(clock):
    fired = []
    for _ in range(250_000):
        clock.read()
    clock.call_later(1, lambda: fired.append(clock.instant))
    clock.drive(START + DAY)
    assert fired == [to_micros(START + SECOND)]


def test_a_loop_of_the_shortest_sleeps_comes_to_its_end(clock):
    deadline = clock.read() + 1_000_000
    meanwhile = []
    clock.call_later(0.5, lambda: meanwhile.append(clock.instant))
    sleeps = 0
    while clock.read() < deadline:
        clock.sleep(1e-5)
        sleeps += 1
    assert meanwhile == [to_micros(START + 0.5 * SECOND)]
    assert sleeps == pytest.approx(1000, abs=5)


def test_every_read_belongs_to_the_instant_at_which_it_was_made(clock):
    reads = []

    def look():
        reads.append(clock.read())
        for _ in range(150_000):
            clock.read()
        reads.append(clock.read())
        if len(reads) < 8:
            clock.call_later(1, look)

    clock.call_later(1, look)
    clock.drive(START + DAY)
    instants = [to_micros(START + number * SECOND) for number in (1, 1, 2, 2, 3, 3, 4, 4)]
    assert [clock.timeline.instant_of(read) for read in reads] == instants
    assert reads[6] - instants[6] == pytest.approx(450_000, abs=10)


def test_what_is_due_before_the_end_happens_though_reads_show_more(clock):
    for _ in range(500_000):
        clock.read()
    fired = []
    clock.call_later(1, lambda: fired.append(clock.instant))
    clock.drive(START + 1.25 * SECOND)
    assert fired == [to_micros(START + SECOND)]
    assert clock.instant == to_micros(START + 1.25 * SECOND)


def test_what_was_never_read_is_no_instant_of_the_past(clock):
    for _ in range(10):
        clock.read()
    begin = to_micros(START)
    assert clock.timeline.instant_of(begin - 1) == begin - 1
    assert clock.timeline.instant_of(begin + 9) == begin
    assert clock.timeline.instant_of(begin + 2000) == begin + 2000
    clock.drive(START + DAY)
    assert clock.timeline.instant_of(begin + 2000) == begin + 2000


def test_the_driving_thread_sleeps_from_its_instant(clock):
    for number in range(1, 50):
        for _ in range(1000):
            clock.read()
        clock.sleep(0.25)
        assert clock.instant == to_micros(START + number * 0.25 * SECOND)


# -- sources ---------------------------------------------------------------------------------------


def source(clock, told, name, *instants):
    """Something that is due at these seconds."""
    left = [to_micros(START + instant * SECOND) for instant in instants]

    def fire():
        left.pop(0)
        told.append((name, seconds(clock)))

    return SimpleNamespace(next_instant=lambda: left[0] if left else None, fire=fire)


def test_sources_go_before_timers_and_in_the_order_of_their_adding(clock):
    told = []
    clock.call_later(10, lambda: told.append(("timer", 10)))
    clock.add_source(source(clock, told, "first", 10, 20))
    clock.add_source(source(clock, told, "second", 5, 10, 10))
    clock.drive(START + 60 * SECOND)
    assert told == [
        ("second", 5),
        ("first", 10),
        ("second", 10),
        ("second", 10),
        ("timer", 10),
        ("first", 20),
    ]


def test_a_source_is_asked_anew_after_every_event(clock):
    told = []
    later = source(clock, told, "source", 30)
    clock.call_later(20, lambda: clock.add_source(later))
    clock.call_later(40, lambda: told.append(("timer", 40)))
    clock.drive(START + 60 * SECOND)
    assert told == [("source", 30), ("timer", 40)]


def test_an_instant_that_has_gone_by_does_not_turn_the_clock_back(clock):
    told = []
    clock.drive(START + DAY)
    clock.add_source(source(clock, told, "late", 5))
    clock.drive(START + DAY)
    assert told == [("late", 86_400)]
    assert clock.now == START + DAY


# -- holding ---------------------------------------------------------------------------------------


def test_time_stands_still_while_anything_holds_it(clock):
    fired = []
    clock.call_later(1, lambda: fired.append(1))
    hold = Hold("somebody")
    clock.hold(hold)
    driving = threading.Thread(target=clock.drive, args=(START + DAY,))
    driving.start()
    driving.join(0.3)  # a clock that did not care would be through long since
    assert driving.is_alive()
    assert (clock.now, fired) == (START, [])
    clock.release(hold)
    driving.join(30)
    assert (clock.now, fired) == (START + DAY, [1])


def test_each_event_comes_to_rest_before_the_next(clock):
    """The first timer hands its work to a thread, which takes its real time."""
    told = []
    hold = Hold("work")

    def work():
        Real.sleep(0.2)
        told.append("work done")
        clock.release(hold)

    def begin():
        clock.hold(hold)
        threading.Thread(target=work).start()

    clock.call_later(1, begin)
    clock.call_later(1, lambda: told.append("next timer"))
    clock.drive(START + DAY)
    assert told == ["work done", "next timer"]


def test_holding_is_over_at_the_end_of_its_block_also_by_an_error(clock):
    def work():
        with clock.holding("a block"):
            held.append(clock.held)
            raise ValueError("boom")

    held = []
    with pytest.raises(ValueError, match="boom"):
        work()
    assert held == [True]
    assert not clock.held


def test_a_hold_released_twice_is_released(clock):
    first, second = Hold("first"), Hold("second")
    clock.hold(first)
    clock.hold(second)
    clock.release(first)
    clock.release(first)
    assert clock.held
    clock.release(second)
    assert not clock.held


# -- waiting ---------------------------------------------------------------------------------------


def test_a_wait_ends_at_its_time_out(clock):
    waiter = Waiter(clock, timeout=90)
    clock.drive(START + 89 * SECOND)
    assert waiter.outcome is None
    clock.drive(START + 90 * SECOND)
    assert waiter.result() is False


def test_a_wait_ends_when_it_is_woken(clock):
    waiter = Waiter(clock, timeout=90)
    clock.call_later(30, lambda: clock.wake(waiter.wait))
    clock.drive(START + 30 * SECOND)
    assert waiter.result() is True
    clock.drive(START + DAY)
    assert clock.jumps == 2  # its time-out is no event any more


def test_whoever_is_woken_holds_the_clock_at_once(clock):
    waiter = Waiter(clock)
    waiter.let_go.clear()
    assert not clock.held
    assert clock.wake(waiter.wait)
    assert clock.held  # whether or not the thread has got to run
    waiter.let_go.set()
    assert waiter.result() is True
    clock.settle()


def test_a_wake_before_the_wait_is_not_lost(clock):
    wait = Wait(clock, Hold("early"))
    assert clock.wake(wait)
    assert clock.park(wait, 3600) is True
    assert clock.now == START


def test_nobody_is_woken_twice(clock):
    waiter = Waiter(clock)
    assert clock.wake(waiter.wait)
    assert not clock.wake(waiter.wait)
    with pytest.raises(RuntimeError):  # as an unlocked lock, so that `notify` turns to the next
        waiter.wait.release()
    assert waiter.result() is True


def test_a_wake_and_a_time_out_at_one_instant_are_one_wake(clock):
    waiter = Waiter(clock, timeout=30)
    woken = []
    clock.call_later(30, lambda: woken.append(clock.wake(waiter.wait)))
    clock.drive(START + DAY)
    assert woken == [False]
    assert waiter.result() is False


def test_an_error_may_be_handed_to_a_waiting_thread(clock):
    waiter = Waiter(clock)
    error = ValueError("boom")
    assert clock.wake(waiter.wait, error)
    assert waiter.result() is error


def test_an_interrupt_reaches_a_thread_that_waits_and_no_other(clock):
    waiter = Waiter(clock, timeout=60)
    assert not clock.interrupt(threading.get_ident(), KeyError)
    assert clock.interrupt(waiter.thread.ident, KeyError)
    assert isinstance(waiter.result(), KeyError)
    assert not clock.interrupt(waiter.thread.ident, KeyError)


def test_a_thread_of_a_dead_process_waits_until_the_end(clock):
    process = SimpleNamespace(dead=False)
    waiter = Waiter(clock, timeout=10, process=process)
    process.dead = True
    clock.drive(START + DAY)
    assert not clock.wake(waiter.wait)
    assert not clock.interrupt(waiter.thread.ident, KeyError)
    assert waiter.outcome is None
    clock.close(Ended)
    assert isinstance(waiter.result(), Ended)


# -- driving ---------------------------------------------------------------------------------------


def test_driving_ends_in_the_first_quiet_moment_in_which_it_is_done(clock):
    fired = []
    for delay in (10, 20, 30):
        clock.call_later(delay, lambda delay=delay: fired.append(delay))
    clock.drive(None, done=lambda: len(fired) == 2)
    assert fired == [10, 20]
    assert clock.now == START + 20 * SECOND


def test_driving_is_over_at_its_end_though_it_is_not_done(clock):
    clock.drive(START + SECOND, done=lambda: False)
    assert clock.now == START + SECOND


def test_the_driving_thread_is_known_while_it_drives(clock):
    drivers = []
    clock.call_later(1, lambda: drivers.append(clock.driver))
    clock.drive(START + DAY)
    assert drivers == [threading.get_ident()]
    assert clock.driver is None


def test_waiting_for_what_can_never_happen_is_said_at_once(clock):
    with pytest.raises(NothingToRun, match="who waits: nobody"):
        clock.drive(None, done=lambda: False)
    waiter = Waiter(clock)
    with pytest.raises(NothingToRun, match=r"waiter at .*test_clock\.py:\d+ in run: self\.outcome"):
        clock.drive(None, done=lambda: False)
    assert clock.driver is None
    clock.wake(waiter.wait)
    waiter.result()


def test_an_error_of_an_event_comes_out_of_the_drive(clock):
    def fail():
        raise ValueError("boom")

    clock.call_later(1, fail)
    with pytest.raises(ValueError, match="boom"):
        clock.drive(START + DAY)
    clock.drive(START + DAY)
    assert clock.now == START + DAY


# -- stalls ----------------------------------------------------------------------------------------


def test_a_stall_names_its_holders(clock):
    clock.stall_limit = 0.05
    clock.hold(Hold("request GET /flows"))
    clock.hold(Hold("this thread", threading.get_ident()))
    with pytest.raises(ClockStalled) as stalled:
        clock.drive(START + DAY)
    message = str(stalled.value)
    assert "2026-01-05T00:00:00Z for 0.05 s" in message
    cause, advice, other = message.splitlines()
    assert "progress by this thread at " in cause
    assert "clock.drive(START + DAY)" in cause
    assert advice.startswith("What to do: ")
    assert other == "It is also held by: request GET /flows"


def test_progress_is_no_stall(clock, monkeypatch):
    """Real time is told here: 0.4 s from look to look, of the one second that a stall may last."""
    looks, elapsed = [], iter(range(10_000))

    def monotonic():
        looks.append(1)
        if len(looks) <= 40:
            other = Hold("something else that comes and goes")
            clock.hold(other)
            clock.release(other)
        return next(elapsed) * 0.4

    monkeypatch.setattr(Real, "monotonic", staticmethod(monotonic))
    monkeypatch.setattr(virtual, "LOOK_SECONDS", 0.01)
    clock.stall_limit = 1
    clock.hold(Hold("the one that stays"))
    with pytest.raises(ClockStalled, match="without progress by the one that stays\n"):
        clock.settle()
    assert 40 < len(looks) <= 46


def test_those_who_wake_one_another_and_get_nowhere_are_a_stall_after_three_limits(
    clock, monkeypatch
):
    looks, elapsed = [], iter(range(10_000))

    def monotonic():
        looks.append(1)
        request = Hold("a request", asks=True)
        clock.hold(request)
        clock.release(request)
        return next(elapsed) * 0.4

    monkeypatch.setattr(Real, "monotonic", staticmethod(monotonic))
    monkeypatch.setattr(virtual, "LOOK_SECONDS", 0.01)
    clock.stall_limit = 4
    clock.hold(Hold("the one that asks"))
    with pytest.raises(ClockStalled, match="the one that asks"):
        clock.settle()
    assert 30 <= len(looks) <= 34
    looks.clear()
    clock.witnesses.append(lambda: min(len(looks), 60))  # something comes of it for a while
    with pytest.raises(ClockStalled, match="the one that asks"):
        clock.settle()
    assert 88 <= len(looks) <= 94


def test_threads_that_drive_at_once_do_so_one_after_the_other(clock):
    """The first one stands in the action of a timer until another one would have fired the next."""
    driving, next_fired, fired_meanwhile = [], threading.Event(), []
    second = threading.Thread(target=lambda: (driving.append(2), clock.drive(START + DAY)))

    def stand():
        driving.append(1)
        second.start()
        fired_meanwhile.append(next_fired.wait(0.5))  # in vain: as long as it takes to be sure

    clock.call_later(60, stand)
    clock.call_later(120, next_fired.set)
    clock.drive(START + DAY)
    second.join()
    assert driving == [1, 2]
    assert fired_meanwhile == [False]
    assert next_fired.is_set()


# -- the end ---------------------------------------------------------------------------------------


def test_closing_raises_in_every_wait_but_those_in_the_background(clock):
    waiter = Waiter(clock, timeout=60)
    background = Waiter(clock, timeout=60, background=True)
    clock.close(Ended)
    assert isinstance(waiter.result(), Ended)
    with pytest.raises(Ended):
        clock.park(Wait(clock, Hold("a new one")), 1)
    assert background.outcome is None
    clock.drive(START + DAY)
    assert background.result() is False


def test_only_its_own_threads_are_waited_for_at_the_end(clock):
    """What another simulation has left behind, in a call that nothing ends, is no matter of this one."""
    read, write = os.pipe()
    left = threading.Thread(target=os.read, args=(read, 1), name="left behind")
    start_counted(left, clock)
    clock.close(Ended)
    assert join_counted(VirtualClock(START), background=False) == []
    assert join_counted(clock, background=False, seconds=0.1) == ["left behind"]
    os.write(write, b".")
    assert join_counted(clock, background=False) == []
    os.close(read)
    os.close(write)
