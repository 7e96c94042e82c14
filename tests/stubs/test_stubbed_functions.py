"""A stub answers for a function wherever it is held, and only as long as the simulation is open."""

from __future__ import annotations

import inspect
import json.scanner
import textwrap
from functools import partial

import pytest

from simulator import Simulation, SimulationError
from tests.process.project import models
from tests.process.project.models import Client

held_elsewhere = textwrap.dedent
bound = partial(textwrap.fill, width=3)


def outside(number: int) -> int:
    return number


def decorated(function):
    def around(*args: int, **options: int) -> int:
        return function(*args, **options)

    return around


twice = decorated(outside)


async def later() -> int:
    return 1


class Base:
    def get(self, key: str) -> str:
        return f"base {key}"


class Derived(Base):
    @classmethod
    def make(cls) -> str:
        return "made"

    @staticmethod
    def plain() -> str:
        return "plain"


shop = Derived()


@pytest.fixture
def sim():
    with Simulation() as simulation:
        yield simulation


def test_whoever_holds_the_function_gets_the_answer() -> None:
    with Simulation() as sim:
        sim.stub("textwrap.dedent", returns="stubbed")
        sim.stub(textwrap.fill, returns=lambda text, width: f"{text} {width}")
        assert textwrap.dedent("x") == held_elsewhere("x") == "stubbed"
        assert bound("x") == "x 3"
        assert list(inspect.signature(textwrap.dedent).parameters) == ["text"]
    assert held_elsewhere(" x") == "x"
    assert bound("abcdef") == "abc\ndef"
    assert "__signature__" not in vars(textwrap.dedent)


def test_functions_of_every_kind(sim) -> None:
    import asyncio

    sim.stub(outside, returns=2)
    sim.stub(f"{__name__}.twice", returns=3)  # it has variables from outside
    sim.stub(later, each=[4, 5])
    assert (outside(0), twice(0)) == (2, 3)
    assert inspect.iscoroutinefunction(later)
    assert [asyncio.run(later()) for _ in range(3)] == [4, 5, 5]
    sim.stub(f"{__name__}.twice", returns=OSError("away"))
    with pytest.raises(OSError, match="away") as caught:
        twice(1)
    frames = [entry.frame for entry in caught.traceback]
    assert {"args": (1,), "kwargs": {}}.items() <= dict(frames[1].f_locals).items()


def test_methods(sim) -> None:
    sim.stub(Derived.make, returns="stub")
    sim.stub(Derived.plain, returns="stub")
    sim.stub(Base.get, returns=lambda self, key: f"{type(self).__name__} {key}")
    assert (Derived.make(), Derived.plain(), shop.get("x")) == ("stub", "stub", "Derived x")
    sim.stub(f"{__name__}.shop.get", returns=lambda key: f"mine {key}")
    assert (shop.get("x"), Derived().get("x")) == ("mine x", "Derived x")


def test_an_inherited_method_stays_that_of_the_others() -> None:
    with Simulation() as sim:
        sim.stub(f"{__name__}.Derived.get", returns="stub")
        assert (shop.get("x"), Base().get("x")) == ("stub", "base x")
    assert shop.get("x") == "base x"


def test_classes_and_functions_in_c_by_their_names() -> None:
    scan, real = json.scanner.make_scanner, Client
    with Simulation() as sim:
        sim.stub("tests.process.project.models.Client", returns="a client")
        sim.stub("json.scanner.make_scanner", returns="a scanner")
        assert models.Client() == Client() == "a client"
        assert json.decoder.scanner.make_scanner(None) == "a scanner"
    assert models.Client is Client is real
    assert json.scanner.make_scanner is scan


def test_what_is_not_found_is_told_in_one_line(sim) -> None:
    def local() -> None: ...

    for target, said in [
        ("textwrap.dedemt", "did you mean 'dedent'"),
        ("textwrap", "no flow or task named 'textwrap'"),
        ("json.scanner", "is a module"),
        ("nowhere.to.be", "no module 'nowhere'"),
        ("string.digits", "and no function"),
        (local, "must be a flow, a task, or a function at the top level"),
        (shop.get, "give 'Base.get' of its class"),
        ("tests.stubs.test_stubbed_steps.load", "is a flow or task: call it"),
    ]:
        with pytest.raises(SimulationError, match=said) as caught:
            sim.stub(target, returns=1)
        assert "\n" not in str(caught.value)
    with pytest.raises(SimulationError, match="give each="):
        sim.stub(outside, attempts=[1])
    with pytest.raises(SimulationError, match="say the same thing"):
        sim.stub(outside, returns=1, each=[1])
    with pytest.raises(SimulationError, match="must hold at least one"):
        sim.stub(outside, each=[])


def test_a_wrong_type_is_told_at_once(sim) -> None:
    with pytest.raises(SimulationError, match=r"'two' must be of the type int") as caught:
        sim.stub(outside, returns="two")
    assert "\n" not in str(caught.value)
    with pytest.raises(SimulationError, match="must be of the type int"):
        sim.stub(outside, each=[1, None])
    sim.stub(outside, returns=lambda number: "late")
    with pytest.raises(SimulationError, match="'late' must be of the type int"):
        outside(1)
    sim.stub(outside, returns=OSError("away"))
    with pytest.raises(OSError, match="away"):
        outside(1)
    assert sim.stubs[-1].calls == 1
