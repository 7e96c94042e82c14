"""Breaks the clock's contract on purpose, one point at a time, and tells which test notices.

    python -m tests.break_contract            # all of them: some minutes
    python -m tests.break_contract ticks ...  # some, by name

Each break is a small change of the source, made in a copy of the repository. A break that no test
notices is an error (exit code 1), and so is one whose text no longer occurs in the source (which
`tests/clock/test_contract.py` also looks at).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
TESTS = (
    "tests/patches/test_virtual_time.py",
    "tests/clock/test_contract.py",
    "tests/clock/test_peers.py",
)
LOOKS_AT_BREAKS = (
    "tests/clock/test_contract.py::test_every_break_of_the_contract_still_breaks_something"
)
SECONDS = 240
"""For one test, on a busy machine."""


@dataclass(frozen=True)
class Break:
    """One point of the contract, the test that guards it, and a change that breaks it."""

    name: str
    point: str
    guard: str
    file: str
    old: str
    new: str

    def made_in(self, source: str) -> str:
        """The source of the file, broken. Raises ValueError unless the text occurs in it once."""
        found = source.count(self.old)
        if found != 1:
            raise ValueError(f"break {self.name!r}: its text occurs {found} times, not once")
        return source.replace(self.old, self.new)


BREAKS = [
    Break(
        "sqlite-now",
        "1 SQL now() in Prefect's SQLite reads the clock",
        "test_sql_now_follows_in_prefects_database",
        "patches/sqlite.py",
        "    if _now is not None:\n",
        "    if False:\n",
    ),
    Break(
        "duckdb-now",
        "1 SQL now() in DuckDB reads the clock",
        "test_sql_now_follows_in_duckdb",
        "world.py",
        "warehouse_installed(lambda: clock.now, self.folder, writes, dbt)",
        "warehouse_installed(lambda: start, self.folder, writes, dbt)",
    ),
    Break(
        "python-now",
        "1 Python's clocks read the clock",
        "test_pythons_clocks_are_on_the_clock_and_every_read_is_new",
        "patches/time_machine.py",
        "    traveller.time_ns = lambda: clock.read() * 1000\n",
        "",
    ),
    Break(
        "thread-counts",
        "2 a thread that runs flow code holds the clock from its start",
        "test_joining_a_thread_follows",
        "clock/waiting.py",
        "    clock.hold(hold)\n    starter",
        "    starter",
    ),
    Break(
        "request-counts",
        "2 a request in flight holds the clock",
        "test_ten_gathered_children_take_as_long_as_one",
        "server/server.py",
        "settle = self.expect(name, asks=True)",
        "settle = lambda: None",
    ),
    Break(
        "message-counts",
        "2 an event on its way holds the clock",
        "test_an_event_is_handled_before_time_moves",
        "server/broker.py",
        "        if _ledger is not None:\n            self._pending",
        "        if False:\n            self._pending",
    ),
    Break(
        "real-pipe-counts",
        "2 a loop that waits for a real file holds the clock",
        "test_a_loop_that_reads_from_a_real_pipe_takes_no_virtual_time",
        "clock/loops.py",
        "if not awaited and (what is None or left == inf):",
        "if what is None:",
    ),
    Break(
        "real-subprocess",
        "2 a real subprocess takes real time",
        "test_a_real_subprocess_takes_no_virtual_time",
        "patches/real_world.py",
        '        (subprocess, "time", _real_time()),\n        (subprocess, "_time", Real.monotonic),\n',
        "",
    ),
    Break(
        "peers",
        "2 who gets something by a socket holds the clock",
        "test_who_waits_without_a_time_out_gets_what_comes",
        "clock/peers.py",
        "clock.overlooked.append(self._wake_next)",
        "pass",
    ),
    Break(
        "jump",
        "3 time jumps to the earliest timer",
        "test_a_sleeping_flow_takes_its_virtual_time",
        "clock/virtual.py",
        "                self._move_to(when, shown)\n",
        "",
    ),
    Break(
        "order",
        "4 timers of one instant fire in the order of their making",
        "test_timers_of_one_instant_fire_in_the_order_in_which_they_were_set",
        "clock/waits.py",
        "return (self.when, self.sequence) < (other.when, other.sequence)",
        "return (self.when, -self.sequence) < (other.when, -other.sequence)",
    ),
    Break(
        "quiescence",
        "4 each wake runs to quiescence before the next",
        "test_timers_of_one_instant_fire_in_the_order_in_which_they_were_set",
        "clock/virtual.py",
        "                    self.settle()\n                    self.disturbed",
        "                    self.disturbed",
    ),
    Break(
        "hand-over",
        "5 whoever wakes a thread takes the hold on its behalf",
        "test_an_event_set_by_another_thread_wakes_at_its_instant",
        "clock/virtual.py",
        "            self._holds.add(wait.hold)\n            self._progress += 1\n            wait.open()",
        "            wait.open()",
    ),
    Break(
        "stall",
        "6 a stall raises an error",
        "test_a_stall_names_its_holder",
        "clock/virtual.py",
        "            if remaining <= 0:\n",
        "            if False:\n",
    ),
    Break(
        "stall-names-holders",
        "6 the error names who holds the clock, and where",
        "test_a_stall_names_its_holder",
        "clock/holds.py",
        'return f"{self.name}{standing_at(self.ident)}"',
        "return self.name",
    ),
    Break(
        "nothing-to-run",
        "6 waiting for what can never happen is said at once",
        "test_waiting_for_what_can_never_happen_is_said_at_once",
        "clock/virtual.py",
        "                        if end is None:\n                            raise",
        "                        if False:\n                            raise",
    ),
    Break(
        "ticks",
        "7 the clock never shows the same instant twice",
        "test_no_two_reads_are_equal_across_threads",
        "clock/virtual.py",
        "            self._micros = micros + 1\n",
        "",
    ),
    Break(
        "restores-functions",
        "8 leaving restores patched functions",
        "test_leaving_restores_everything",
        "patches/replacing.py",
        "                setattr(owner, name, value)\n\n\n_ABSENT",
        "                pass\n\n\n_ABSENT",
    ),
    Break(
        "restores-policy",
        "8 leaving restores the event loop policy",
        "test_leaving_restores_everything",
        "patches/stdlib.py",
        "        asyncio.set_event_loop_policy(before)\n",
        "        pass\n",
    ),
    Break(
        "restores-environment",
        "8 leaving restores the environment",
        "test_leaving_restores_everything",
        "world.py",
        "            stack.callback(_set_environment, name, os.environ.get(name))\n",
        "",
    ),
    Break(
        "restores-threads",
        "8 leaving ends every thread",
        "test_leaving_restores_everything",
        "world.py",
        "            self.clock.close(SimulationEnded)\n",
        "",
    ),
    Break(
        "deletes-its-folder",
        "8 leaving deletes the database",
        "test_leaving_restores_everything",
        "folders.py",
        "folder)]\n        shutil.rmtree(folder, ignore_errors=True)\n        os.close(lock)\n",
        "folder)]\n        os.close(lock)\n",
    ),
    Break(
        "interrupts",
        "time-outs: a sleeping flow is interrupted at its deadline",
        "test_flow_timeout_interrupts_a_sleeping_sync_flow",
        "process/signalling.py",
        "        self._alarm = self.clock.call_later(seconds, fire), end, interval\n",
        "",
    ),
    Break(
        "interrupts-only-main",
        "time-outs: nothing interrupts a sleep in a pool's thread",
        "test_nothing_interrupts_a_sleep_in_a_pool_thread",
        "patches/stdlib_signals.py",
        "return main_thread() if process is None else process.thread",
        "return threading.current_thread()",
    ),
    Break(
        "one-origin",
        "time-outs: the loop's time is `time.monotonic()`",
        "test_flow_timeout_interrupts_a_sleeping_async_flow",
        "clock/loops.py",
        "        return seconds + micros / 1e6\n",
        "        return seconds + micros / 1e6 - 1e6\n",
    ),
]


def main(names: list[str]) -> int:
    """Make the breaks of these names (none: all). Returns the exit code."""
    chosen = [one for one in BREAKS if not names or one.name in names]
    missed = 0
    for one in chosen:
        noticed = notice(one)
        missed += noticed is None
        print(f"{one.name:22} {one.point:62} {noticed or 'NOT NOTICED'}", flush=True)
    print(f"{len(chosen) - missed} noticed, {missed} not")
    return 1 if missed else 0


def notice(one: Break) -> str | None:
    """The test that fails when the contract is broken so: its guard, or else the first of all.

    None if all pass.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        ignored = shutil.ignore_patterns(".git", ".venv*", "results", "target", "__pycache__")
        shutil.copytree(REPOSITORY, copy, ignore=ignored)
        source = copy / "simulator" / one.file
        source.write_text(one.made_in(source.read_text()))
        return failing(copy, SECONDS, "-k", one.guard) or failing(copy, 5 * SECONDS)


def failing(copy: Path, seconds: float, *selection: str) -> str | None:
    """The first test of the copy that fails; None if all pass."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:randomly", "-p",
               "no:cacheprovider", "--no-header", *TESTS, "--deselect", LOOKS_AT_BREAKS, *selection]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(copy)}
    # A test that hangs is killed, and all that it has started.
    with subprocess.Popen(
        command,
        cwd=copy,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            output, errors = running.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            return "(hangs)"
    if running.returncode == 0:
        return None
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    if running.returncode != 1 or failed is None:
        sys.exit(f"pytest ended with {running.returncode}: {output[-2000:]}{errors[-2000:]}")
    return failed[1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
