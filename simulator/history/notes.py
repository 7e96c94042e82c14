"""What a simulation has seen of its own: faults that fired, the lines of calls, where errors came from.

Prefect's database says what became of each run. It does not say on which line a parent called its
child, which exception was another one's cause, when a worker was away, or which fault was behind it.
That is noted while it happens, and is what `explanation` goes back along.
"""

from __future__ import annotations

import reprlib
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from simulator.history.records import moment
from simulator.places import code_at, place_of_call


class _Shown(reprlib.Repr):
    """Values on one line: plain ones as Python shows them, shortened, of others what they are."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 100

    def repr_instance(self, x: Any, level: int) -> str:  # noqa: ARG002  as in its base
        if isinstance(x, float | complex | bool | datetime | date | time | timedelta | UUID | Path):
            return repr(x)
        shape = getattr(x, "shape", None)
        return f"<{type(x).__name__}{f' of shape {shape}' if isinstance(shape, tuple) else ''}>"


_shown = _Shown()

_MARK = "_simulator_note"
"""The attribute of an exception that names the note about it."""


@dataclass(frozen=True)
class Note:
    """One thing that was seen.

    `kind` is one of

    - "fault": a fault fired, on a run, a task, a worker or a request; `text` is the fault in words;
    - "call": `run_id` was called at `where`, in the way that `text` says; `task_run_id` is the task of
      its parent that has called it, if one has;
    - "error": an exception left the step's own code; `text` is the exception, `where` the line;
      `details` has what it is about of what this machine lacks: environment variables that are
      "unset", "programs" that are not installed, values that are "made up";
    - "worker": one more worker of the pool `text` was started; `details` has its name and its limit;
    - "away": a worker of the pool `text` was away from `at` until `until`; `details` has its name;
    - "paused": a work pool or a work queue, `text` says which, was paused from `at` until `until`;
    - "order": somebody asked for a state or an end from outside; `text` says what;
    - "table": what was seen of the column of a table that is promised to be fresh;
    - "refused": a connection of `run_id` to the host `text` was refused: it would leave this machine;
    - "write": a run wrote the table `text` ("schema.table"), or dbt did not: `details` has its
      "status", "success" or what dbt says, with the tables that it "read" and how many "rows" it has
      since (of a table, where that could be asked), or what dbt "said";
    - "read": `run_id` has read `text`, a file or a table that a fault has changed, of which the note
      `because` is;
    - "result": the code of `run_id` has returned something; `text` is what, in short.

    `because` is the number of the note that it follows from: an error's earlier self, in a child or
    in a task, or its cause; the fault that it is. `details` holds what only that kind has, as JSON
    can: a fault's number, target and draw. `code` is the line of code that stands at `where`.
    """

    number: int
    kind: str
    at: datetime
    text: str = ""
    where: str = ""
    run_id: UUID | None = None
    task_run_id: UUID | None = None
    because: int | None = None
    until: datetime | None = None
    details: dict[str, Any] = field(default_factory=dict)
    code: str = ""

    def __str__(self) -> str:
        return f"{moment(self.at)} {self.kind}: {self.text}" + f" ({self.where})" * bool(self.where)


class Journal:
    """Takes the notes of one simulation, from any thread. `now` tells the instant; `lacking` what
    of this machine's an error is about, and its text: the `details` of its note.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        lacking: Callable[[BaseException, str], dict[str, Any]] = lambda *_: {},
    ) -> None:
        self._now = now
        self._lacking = lacking
        self._mutex = threading.Lock()
        self._notes: list[Note] = []
        self.faults: list[dict[str, Any]] = []
        """Each fault that was injected: its number, what it is in words, and as plain data."""

    def note(self, kind: str, text: str = "", **given: Any) -> Note:
        """Take a note of something that happens now; `given` are further fields of `Note`."""
        code = code_at(given.get("where", ""))
        with self._mutex:
            note = Note(len(self._notes), kind, self._now(), text, code=code, **given)
            self._notes.append(note)
            return note

    def here(self, kind: str, text: str, **given: Any) -> Note:
        """Take a note of something that the calling line of the user's code has brought about."""
        return self.note(kind, text, where=place_of_call(sys._getframe()), **given)

    def returned(self, result: object, run_id: UUID) -> None:
        """Take a note of what a run's code has returned, unless that is nothing."""
        if result is None:
            return
        try:
            text = _shown.repr(result)
        except Exception:  # what a user's object says of itself is no reason for a run to fail
            text = f"<{type(result).__name__}>"
        self.note("result", text, run_id=run_id)

    def replace(self, note: Note) -> None:
        """Put a note in the place of the one with its number."""
        with self._mutex:
            self._notes[note.number] = note

    def error(
        self, error: BaseException, where: str, run_id: UUID | None, task_run_id: UUID | None
    ) -> None:
        """Take a note of an exception that has left a step, and of what it came from."""
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        note = self.note(
            "error",
            text.strip().partition("\n")[0],
            where=where,
            run_id=run_id,
            task_run_id=task_run_id,
            because=None if (origin := self.origin(error)) is None else origin.number,
            details=self._lacking(error, text),
        )
        self.mark(error, note)

    def mark(self, error: object, note: Note) -> None:
        """Let an exception be known by a note, wherever it is raised again; or a response, of which
        one will be raised.
        """
        try:
            setattr(error, _MARK, (id(self), note.number))
        except AttributeError:
            pass  # it has no room for it: that link is lost

    def origin(self, error: BaseException) -> Note | None:
        """The note about an exception, or else about the one that it came from."""
        number = self._origin(error)
        return None if number is None else self.notes[number]

    def _origin(self, error: BaseException | None) -> int | None:
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            for marked in (error, getattr(error, "response", None)):
                journal, number = getattr(marked, _MARK, (None, None))
                if journal == id(self) and number is not None:
                    return int(number)
            if isinstance(error, BaseExceptionGroup):
                known = [one for one in map(self._origin, error.exceptions) if one is not None]
                if known:
                    return min(known)
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return None

    @property
    def notes(self) -> tuple[Note, ...]:
        """All notes so far, oldest first."""
        with self._mutex:
            return tuple(self._notes)
