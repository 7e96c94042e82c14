"""Hands work out to a Dask cluster, and takes the answers as they come."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable, Generator, Hashable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from simulator.cluster.there import carry_out, here
from simulator.errors import SimulationError
from simulator.versions import in_one_line

CONNECT_SECONDS = 30
"""How long a scheduler may take to answer, and the first worker to be there, in real time."""


@dataclass(frozen=True)
class Answer:
    """What came of a piece of work: its `value`, or else the `error` in one line. `refused` tells that
    it was a SimulationError.
    """

    name: Any
    value: Any
    error: str = ""
    refused: bool = False


class Cluster:
    """A Dask cluster by the address of its scheduler ("tcp://10.0.0.7:8786"), in a `with` block.

    `jobs` is how many pieces of work it does at once: one for each thread of its workers.

    Raises SimulationError if there is none, if it has no workers, or if a worker has other versions of
    what simulations run on. Answers are pickled by its workers and read here: it has to be one's own.
    """

    def __init__(self, scheduler: str) -> None:
        self._address, self._dask = scheduler, _dask()
        try:
            self._client = self._dask.Client(
                scheduler, timeout=CONNECT_SECONDS, set_as_default=False
            )
        except (OSError, ValueError) as wrong:
            said = " ".join(str(wrong).split())
            raise SimulationError(f"no scheduler of Dask is at {scheduler!r}: {said}") from None
        try:
            self._check_workers()
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @property
    def jobs(self) -> int:
        return sum(self._client.nthreads().values()) or 1

    def run(self, work: Mapping[Any, Callable[[], Any]]) -> Generator[Answer, None, None]:
        """Do all of it, and yield each answer when it is there. Closing the iterator ends all.

        Each piece is something that can be pickled and called. It is done again if its worker is lost,
        and not if only its own process dies, which is its answer.
        """
        run = uuid4().hex
        futures = {}
        for number, (name, piece) in enumerate(work.items()):
            key = f"simulate-{run}-{number}"
            futures[self._client.submit(carry_out, pickle.dumps(piece), key, key=key)] = name
        try:
            for future in self._dask.as_completed(futures, loop=self._client.loop):
                yield _answer(futures[future], future)
        finally:
            self._client.cancel(list(futures))

    def _check_workers(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_SECONDS)
            found: dict[str, str] = self._client.run(here)
        except TimeoutError:
            raise SimulationError(
                f"no worker is at {self._address}: start one by `dask worker {self._address}`"
            ) from None
        except ModuleNotFoundError as missing:
            raise SimulationError(
                f"a worker at {self._address} has no module {missing.name!r}:"
                " install there what is installed here"
            ) from None
        ours = in_one_line()
        for worker, theirs in found.items():
            if theirs != ours:
                raise SimulationError(f"worker {worker} has {theirs}; here it is {ours}")


def _answer(name: Hashable, future: Any) -> Answer:
    try:
        value = pickle.loads(future.result())
    except Exception as died:
        return Answer(name, None, " ".join(str(died).split()) or type(died).__name__)
    if isinstance(value, SimulationError):
        return Answer(name, None, " ".join(str(value).split()), refused=True)
    return Answer(name, value)


def _dask() -> Any:
    try:
        return importlib.import_module("distributed")
    except ModuleNotFoundError:
        raise SimulationError(
            "a Dask cluster needs Dask: pip install 'prefect-simulator[dask]'"
        ) from None
