"""What if: settings of deployments, flows and tasks in place of those that a project has.

One is written `NAME.SETTING=VALUE`: NAME is a deployment, "flow/deployment", or else a flow or a task.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator import arguments
from simulator.arguments import kinds
from simulator.errors import SimulationError
from simulator.faults import Longer
from simulator.project.configuration import duration_of, timezone_of

if TYPE_CHECKING:
    from simulator.project.simulation import ProjectSimulation

FORM = "NAME.SETTING=VALUE, such as orders/prod.cron='15 * * * *' or read.retries=3"


@dataclass(frozen=True)
class Setting:
    """What is set: the `name` of a deployment, flow or task, the `setting` and its `value`; `text` is
    how it was written.
    """

    name: str
    setting: str
    value: Any
    text: str

    @property
    def of_deployment(self) -> bool:
        """Whether it is one of a deployment."""
        return "/" in self.name


def settings_of(texts: Iterable[str]) -> tuple[Setting, ...]:
    """The settings that are written so.

    Raises SimulationError, with the text, for another form, for an unknown setting, for a value that it
    cannot have, and for one that is set twice.
    """
    found: dict[tuple[str, str], Setting] = {}
    for text in texts:
        try:
            one = _setting(text)
        except SimulationError as wrong:
            raise _refused(wrong, text) from None
        if (before := found.setdefault((one.name, one.setting), one)) is not one:
            raise _refused(f"it is set before, by {before.text!r}", text)
    return tuple(found.values())


def put(sim: ProjectSimulation, settings: Iterable[Setting]) -> None:
    """Let settings hold in a simulation whose project has been loaded, before any time has passed.

    Raises SimulationError, with the text, for a name that is not there, with the nearest one that is,
    and for what Prefect refuses.
    """
    chosen = tuple(settings)
    check_names(sim, chosen)
    of_deployments: dict[str, dict[str, Setting]] = {}
    for one in chosen:
        with _in(one):
            if one.of_deployment:
                of_deployments.setdefault(one.name, {})[one.setting] = one
            elif one.setting == "duration":
                _lengthen(sim, one)
            else:
                sim.overrides[one.name, one.setting] = one.value
    for name, given in of_deployments.items():
        with _in(*given.values()):
            sim.change(name, {setting: one.value for setting, one in given.items()})


def check_names(sim: ProjectSimulation, settings: Iterable[Setting]) -> None:
    """Raises SimulationError, with the text, for a setting of a name that is not in a loaded project."""
    deployments = {loaded.name for loaded in sim.loaded}
    for one in settings:
        with _in(one):
            if not one.of_deployment:
                arguments.step_name(one.name, arguments.step_names())
            elif one.name not in deployments:
                raise arguments.unknown("deployment", one.name, deployments)


def _lengthen(sim: ProjectSimulation, one: Setting) -> None:
    if isinstance(one.value, _Times):
        sim.inject(Longer(step=one.name, factor=one.value.factor))
    else:
        sim.takes(one.name, one.value)


@contextmanager
def _in(*settings: Setting) -> Iterator[None]:
    """What is refused in here is wrong in these settings."""
    try:
        yield
    except SimulationError as wrong:
        raise _refused(wrong, *(one.text for one in settings)) from None


def _refused(wrong: object, *texts: str) -> SimulationError:
    return SimulationError(f"{' '.join(f'--set {text!r}' for text in texts)}: {wrong}")


# -- what may be written -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Times:
    """So many times as long."""

    factor: float


def _setting(text: str) -> Setting:
    place, equals, value = text.partition("=")
    name, dot, setting = place.strip().rpartition(".")
    if not (equals and dot and name):
        raise SimulationError(f"it must be {FORM}")
    of_deployment = "/" in name
    known, other = (DEPLOYMENT, STEP) if of_deployment else (STEP, DEPLOYMENT)
    if setting not in known and setting in other:
        whose = "a flow or a task" if of_deployment else "a deployment, such as 'orders/prod'"
        raise SimulationError(f"{setting!r} is a setting of {whose}")
    if setting not in known:
        whose = "a deployment" if of_deployment else "a flow or task"
        raise arguments.unknown(f"setting of {whose}", setting, known, few=True)
    return Setting(name, setting, known[setting](setting, _value(value)), text)


def _value(text: str) -> Any:
    """A value of TOML; what is none is the text itself, as it is with a cron."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()


def _cron(what: str, given: Any) -> str:
    from prefect.client.schemas.schedules import CronSchedule

    try:
        return CronSchedule(cron=kinds.text(what, given)).cron
    except ValueError:
        raise kinds.wrong(what, given, "a cron, such as '15 * * * *'") from None


def _timezone(what: str, given: Any) -> str:
    return timezone_of(what, given).key


def _limit(what: str, given: Any) -> int | None:
    if given == "none":
        return None
    if isinstance(given, int) and not isinstance(given, bool) and given >= 1:
        return given
    raise kinds.wrong(what, given, "a whole number, 1 or more, or none")


def _switch(what: str, given: Any) -> bool:
    if not isinstance(given, bool):
        raise kinds.wrong(what, given, "true or false")
    return given


def _duration(what: str, given: Any) -> Any:
    if isinstance(given, str) and given[:1] == "x":
        try:
            factor = float(given[1:])
        except ValueError:
            factor = 0
        if not factor > 1:
            right = "x and a number above 1, such as x2: a step's own code is never shortened"
            raise kinds.wrong(what, given, right)
        return _Times(factor)
    return duration_of(what, given)


DEPLOYMENT: Mapping[str, kinds.Kind] = {
    "cron": _cron,
    "interval": kinds.interval,
    "timezone": _timezone,
    "concurrency_limit": _limit,
    "paused": _switch,
}
"""What may be set of a deployment, and what each may be. Spans are in seconds."""

STEP: Mapping[str, kinds.Kind] = {
    "retries": kinds.whole(0),
    "retry_delay_seconds": kinds.number(0),
    "timeout_seconds": kinds.number(above=0),
    "duration": _duration,
}
"""What may be set of a flow or a task, and what each may be."""
