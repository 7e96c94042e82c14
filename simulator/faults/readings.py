"""Who has read a file or a table that a fault has changed: what goes wrong with it may not say so."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from simulator.history import Journal, Note


_QUOTED = re.compile(r"""'((?:[^']|'')+)'|"([^"]+)\"""")
"""What may be a file's name in a statement."""


class Readings:
    """Takes notes of the runs that read what is changed, once for each step, while it is.

    `run()` is the id of the run that the calling code belongs to.
    """

    def __init__(self, run: Callable[[], UUID | None], journal: Journal) -> None:
        self._run = run
        self._journal = journal
        self._mutex = threading.Lock()
        self._files: list[tuple[Path, Note, Callable[[], bool]]] = []
        self._tables: list[tuple[str, Note]] = []
        self._seen: set[tuple[int, UUID | None, UUID | None]] = set()

    def watch_file(self, path: Path, note: Note, still: Callable[[], bool]) -> Callable[[], None]:
        """From now on until what is returned is called: note who reads a file, as long as it is `still`
        as the fault of this note has left it.
        """
        watched = (path.resolve(), note, still)
        self._files.append(watched)
        return lambda: self._files.remove(watched)

    def watch_table(self, table: str, note: Note) -> None:
        """From now on, note who reads a table, "schema.table" or a name in any schema."""
        self._tables.append((table, note))

    @property
    def of_tables(self) -> bool:
        """Whether any table is to be watched."""
        return bool(self._tables)

    def opened(self, path: Any) -> None:
        """A file is opened to be read, or all files of a pattern ("orders/*.csv")."""
        if not self._files or not isinstance(path, str | bytes | os.PathLike):
            return
        given = os.fsdecode(path)
        last = Path(given).name
        for file, note, still in list(self._files):
            if file.name == last or fnmatchcase(file.name, last):
                found = (given, *glob(given, recursive=True))  # noqa: PTH207  (it may be absolute)
                if any(Path(one).resolve() == file for one in found):
                    self._read(str(file), note, still)

    def asked(self, statement: str, parameters: Iterable[object] = ()) -> None:
        """A statement is to be run, which may read files that it or its parameters name."""
        if self._files:
            quoted = (one.replace("''", "'") or other for one, other in _QUOTED.findall(statement))
            for text in (*quoted, *parameters):
                self.opened(text)

    def read(self, tables: Iterable[str]) -> None:
        """A statement has read tables, "schema.table" each."""
        for table in tables:
            for watched, note in self._tables:
                if (
                    table.lower().endswith(f".{watched.lower()}")
                    or table.lower() == watched.lower()
                ):
                    self._read(table, note)

    def _read(self, what: str, note: Note, still: Callable[[], bool] = lambda: True) -> None:
        from prefect.context import TaskRunContext  # late: a live engine has no use for it

        context = TaskRunContext.get()
        task_run = None if context is None else context.task_run.id
        run = self._run()
        with self._mutex:
            if run is None or (key := (note.number, run, task_run)) in self._seen:
                return
            self._seen.add(key)
        if still():
            self._journal.here("read", what, run_id=run, task_run_id=task_run, because=note.number)
