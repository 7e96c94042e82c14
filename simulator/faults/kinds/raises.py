"""A step raises."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from simulator.arguments import kinds as arguments
from simulator.errors import SimulationError
from simulator.faults.plans import Effect, Step, StepFault


def _raisable(what: str, given: Any) -> Any:
    """An exception, or a class of one that needs no arguments."""
    error = arguments.exception(what, given)
    if isinstance(error, type):
        try:
            error()
        except Exception:
            name = error.__name__
            raise SimulationError(f"{what}={name} needs arguments: give {name}(...)") from None
    return error


@dataclass(frozen=True, kw_only=True)
class Raise(StepFault):
    """A step raises `error` in place of its own code: an exception, or a class of one.

    RuntimeError, which names the step, by default.
    """

    kind: ClassVar[str] = "raise"

    error: BaseException | type[BaseException] | None = None

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {"error": arguments.optional(_raisable)}

    def effect(self, step: Step, dice: random.Random) -> Effect:  # noqa: ARG002
        return Effect(before=self.after.total_seconds(), error=self.raised())

    def raised(self) -> BaseException:
        """The error, without the traces of having been raised before."""
        if self.error is None:
            return RuntimeError(f"{self.step} failed")
        if isinstance(self.error, type):
            return self.error()
        try:
            return copy.copy(self.error).with_traceback(None)
        except Exception:  # its class cannot be copied: it is known by its last time
            return self.error.with_traceback(None)

    def does(self) -> str:
        return f"raises {self.raised()!r} in {self.step}"
