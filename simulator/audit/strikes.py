"""When the fault of a cell has struck, among whatever else goes wrong in the same simulation."""

from __future__ import annotations

from simulator.history import History, Note

AUDITED = "audited"
"""The name of the fault, where others are injected after it."""


def strikes(history: History) -> list[Note]:
    """The notes of each time that the fault of a cell has struck: the one of that name, or else the one
    that was injected last.
    """
    injected = [note for note in history.notes if note.kind == "injected"]
    named = [one for one in injected if one.details["plain"].get("name") == AUDITED]
    numbers = {one.details["fault"] for one in named or injected[-1:]}
    return [
        note
        for note in history.notes
        if note.kind == "fault" and (not injected or note.details.get("fault") in numbers)
    ]
