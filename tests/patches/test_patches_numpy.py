"""numpy's word for the time on virtual time, and its random numbers for each run."""

import importlib
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.random import rand
from prefect import flow

from simulator import Simulation, cfunctions, places
from simulator.caveats import Caveats
from simulator.clock.virtual import VirtualClock
from simulator.patches.numpy import virtual_now
from simulator.patches.time_machine import virtual_time

START = datetime(2024, 5, 1, 6, 30, 15, tzinfo=UTC)
BOUND = np.datetime64


@pytest.fixture
def clock() -> Iterator[VirtualClock]:
    clock = VirtualClock(START)
    with virtual_time(clock), virtual_now():
        yield clock


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (("now",), "2024-05-01T06:30:15"),
        (("NOW",), "2024-05-01T06:30:15"),
        ((b"now",), "2024-05-01T06:30:15"),
        (("now", "ms"), "2024-05-01T06:30:15.000"),
        (("today",), "2024-05-01"),
        (("2020-02-03",), "2020-02-03"),
        ((5, "s"), "1970-01-01T00:00:05"),
        (("nat",), "NaT"),
        ((), "NaT"),
    ],
)
def test_now_is_virtual_and_all_else_is_what_it_was(
    clock: VirtualClock, given: tuple[Any, ...], shown: str
) -> None:
    assert str(BOUND(*given)) == shown


def filled(word: str) -> Any:
    made = np.zeros(1, "M8[s]")
    made.fill(word)
    return made


def put(word: str) -> Any:
    made = np.zeros(2, "M8[s]")
    made[0] = word
    made[1:] = [word]
    return made


def put_by_a_list(word: str) -> Any:
    made = np.zeros(1, [("at", "M8[s]")])
    made[0] = (word,)
    return made["at"]


MAKERS = {
    "array": lambda word: np.array([word, [word][0]], "M8[s]"),
    "asarray": lambda word: np.asarray([[word]], dtype="datetime64[s]"),
    "asanyarray": lambda word: np.asanyarray((word,), np.dtype("M8[s]")),
    "array of bytes": lambda word: np.array([word.encode()], "M8[s]"),
    "array of an array": lambda word: np.array(np.array([word]), "M8[s]"),
    "astype": lambda word: np.array([word]).astype("M8[s]"),
    "astype of objects": lambda word: np.array([word], object).astype("M8[s]"),
    "astype by its class": lambda word: np.ndarray.astype(np.array([word]), "M8[s]"),
    "full": lambda word: np.full(2, word, "M8[s]"),
    "fromiter": lambda word: np.fromiter([word], "M8[s]"),
    "arange": lambda word: np.arange(word, 2, dtype="M8[s]")[:1],
    "fill": filled,
    "put": put,
    "put into a record": put_by_a_list,
    "where": lambda word: np.where([True], np.datetime64(word, "s"), np.datetime64("nat")),
    "a type": lambda word: np.dtype("M8[s]").type(word, "s"),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_words_that_become_instants_are_virtual(clock: VirtualClock, make: Any) -> None:
    for word, shown in (("now", "2024-05-01T06:30:15"), ("TODAY", "2024-05-01T00:00:00")):
        made = make(word)
        assert set(np.ravel(made).astype(str).tolist()) == {shown}


def test_other_words_are_what_they_were(clock: VirtualClock) -> None:
    assert np.array(["now"]).tolist() == ["now"]
    assert np.array(["2020-02-03"], "M8[s]").astype(str).tolist() == ["2020-02-03T00:00:00"]
    assert not np.is_busday("2024-05-04")
    assert np.is_busday("today") == np.is_busday("2024-05-01")


def test_it_is_numpys_own_class(clock: VirtualClock) -> None:
    now = np.datetime64("now")
    assert type(now) is BOUND is np.datetime64
    assert pickle.loads(pickle.dumps(now)) == now
    assert np.dtype(np.datetime64) == np.dtype("M8")
    with pytest.raises(ValueError, match="Error parsing"):
        np.datetime64("no instant")
    with pytest.raises(TypeError):
        np.datetime64("now", "s", 3, 4)  # type: ignore[call-overload]


def test_numpy_still_needs_its_patch() -> None:
    with virtual_time(VirtualClock(START)):
        assert np.datetime64("now") > np.datetime64("2025-01-01")
        assert np.array(["now"], "M8[s]")[0] > np.datetime64("2025-01-01")
    assert abs(np.datetime64("now").astype(int) - time.time()) < 60


def test_where_it_cannot_be_reached_it_is_told_to_who_uses_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cfunctions, "_places_of", lambda *_: [])
    (tmp_path / "asks_numpy.py").write_text("import numpy\n\nWORD = 'now'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(places, "is_users_file", lambda file: file.startswith(str(tmp_path)))
    told = Caveats()
    with told.collecting():
        with virtual_now():
            pass
        assert not list(told)
        with virtual_now():
            importlib.import_module("asks_numpy")
    [one] = told
    assert "'now' and 'today'" in one.message
    assert one.where.endswith("asks_numpy.py:3")


# -- random numbers --------------------------------------------------------------------------------


@flow(log_prints=True)
def draws(seed: int | None = None):
    if seed is not None:
        np.random.seed(seed)
    first = rand()
    time.sleep(5)  # in which the other run draws
    shared = vars(np.random.mtrand)["_rand"]  # as scikit-learn takes it
    print([first, np.random.normal(), np.random.ranf(), shared.random_sample()])  # noqa: T201


def drawn_by_two(seed: int | None = None) -> list[str]:
    with Simulation(seed=7) as sim:
        for name in ("a", "b"):
            sim.deploy(draws, name=name, parameters={"seed": seed})
        runs = [sim.trigger("draws/a"), sim.trigger("draws/b")]
        sim.advance(minutes=1)
        logs = [sim.history().run(run).logs for run in runs]
    return [line.message for log in logs for line in log if line.message.startswith("[")]


def test_each_run_has_numpys_random_numbers_to_itself() -> None:
    np.random.seed(3)
    expected = np.random.rand(2).tolist()
    np.random.seed(3)
    first = np.random.rand()
    a, b = drawn_by_two()
    assert a != b
    assert drawn_by_two() == [a, b]  # the simulation's seed decides
    one, other = drawn_by_two(seed=5)
    assert one == other
    assert [first, np.random.rand()] == expected  # the test's own go on


IMPORTS_FIRST = """
import multiprocessing, sys
from prefect import flow
from simulator import Simulation, cfunctions, places
from simulator.scenarios.rehearsal import rehearse

@flow
def imports(module):
    __import__(module)
    import numpy
    return numpy.random.rand(), str(numpy.datetime64("now"))

def be_first(module):
    with Simulation(start="2024-05-01T06:30:15Z") as sim:
        assert "numpy" not in sys.modules and module not in sys.modules
        (one, now), (other, _) = (sim.run(imports, module=module).result for _ in range(2))
        print(module, now, one != other)

rehearse()  # once for all of the processes
for module in sys.argv[1:]:
    process = multiprocessing.get_context("fork").Process(target=be_first, args=[module])
    process.start()
    process.join()
"""


def test_a_flow_may_be_the_first_to_import_it() -> None:
    """As in any script that imports in its tasks: nothing of the patches gets in the way."""
    modules = ["numpy", "numpy.random", "pandas", "polars"]
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS_FIRST, *modules], capture_output=True, text=True, check=False
    )
    expected = [f"{module} 2024-05-01T06:30:15 True" for module in modules]
    assert done.stdout.splitlines() == expected, done.stderr
