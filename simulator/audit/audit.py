"""An audit: one simulation without a fault, then each cell, compared with it, until all are done."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass

from simulator import arguments
from simulator.audit.cells import IN_WORDS, Cell, cells_of
from simulator.audit.judging import Outcome, judged
from simulator.audit.kept import Kept
from simulator.audit.running import Answer, Processes
from simulator.audit.table import Found
from simulator.errors import SimulationError
from simulator.history import History


@dataclass(frozen=True)
class Begun:
    """It is known what there is to be done: so many `cells`, of which `left` are. A simulation takes
    about `seconds` on the wall clock; None if that is not known.
    """

    cells: int
    left: int
    seconds: float | None


def audit(
    kept: Kept,
    processes: Processes,
    *,
    only: Collection[str] = (),
    cell: str | None = None,
) -> Generator[Begun | Found, None, None]:
    """Do what is left to be done, and yield what becomes of each cell when it is known.

    Args:
        kept: Where what has been done stands, and is written.
        processes: Where its simulations live.
        only: Steps, columns or cells: only these; all if empty.
        cell: The name of a cell: only this.

    Raises SimulationError if the simulation without a fault breaks, and for an unknown name.
    """
    seconds = None
    if kept.base() is None:
        [answer] = processes.run({_BASE: None})
        if answer.lived is None:
            raise SimulationError(
                answer.error if answer.refused else f"without a fault, {answer.error}"
            )
        lived, seconds = answer.lived, answer.real_seconds
        cells_in_it = cells_of(lived.history, lived.empty, lived.changed)
        kept.begin(lived.history, lived.broken, cells_in_it, seconds, lived.unloaded)
    base = kept.base()
    assert base is not None, "it has just been written"
    cells = {cell.name: cell for cell in chosen(kept.cells(), only, cell)}
    done = {one.cell.name for one in kept.found()}
    left = {name: cell for name, cell in cells.items() if name not in done}
    yield Begun(len(cells), len(left), seconds)
    answers = processes.run({name: cell.fault for name, cell in left.items()})
    with closing(answers), ExitStack() as at_end:
        at_end.callback(kept.write)
        for answer in answers:
            found = _found(left[answer.name], answer, *base)
            history = None if answer.lived is None else answer.lived.history
            kept.add(found, history, answer.error, answer.real_seconds)
            yield found


def chosen(cells: list[Cell], only: Collection[str], name: str | None = None) -> list[Cell]:
    """The cells of these steps or columns, or of these names, all if there are none; or that of a name.

    Raises SimulationError for an unknown one, with the nearest that is known.
    """
    names = {cell.name for cell in cells}
    if name is not None:
        if name not in names:
            raise arguments.unknown("cell", name, names)
        return [cell for cell in cells if cell.name == name]
    known = {*names, *IN_WORDS, *(part for cell in cells for part in (cell.step, cell.column))}
    for one in only:
        if one not in known:
            raise arguments.unknown("step, column or cell", one, known)
    return [cell for cell in cells if not only or {cell.name, cell.step, cell.column} & set(only)]


def _found(cell: Cell, answer: Answer, base: History, broken: tuple[str, ...]) -> Found:
    if answer.lived is None:
        return Found(cell, (Outcome("no answer", answer.error),))
    lived = answer.lived
    outcomes = judged(
        base,
        lived.history,
        cell.run_id,
        wrong_value=cell.wrong_value,
        broken=[name for name in lived.broken if name not in broken],
        until=cell.until,
    )
    return Found(cell, outcomes)


_BASE = "base"
