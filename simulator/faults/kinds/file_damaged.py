"""A file is not what it should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from simulator.arguments import kinds as arguments
from simulator.faults.layers import Layer, Layers
from simulator.faults.plans import VirtualStage
from simulator.faults.timed import Blow, TimedFault

HOW: dict[str, Callable[[bytes], bytes | None]] = {
    "partial": lambda whole: whole[: len(whole) // 2],
    "empty": lambda _: b"",
    "doubled": lambda whole: whole * 2,
    "garbled": lambda whole: b"{" + whole,  # no JSON, and no table either
    "missing": lambda _: None,
}


@dataclass(frozen=True, kw_only=True)
class FileDamaged(TimedFault):
    """The file at `path` is "partial" (its first half), "empty", "doubled", "garbled" (no JSON any more)
    or "missing", from an instant on, or `between` two: "missing" in a window is a file that is late. At
    its end, and at that of the simulation, the file is back as it was, unless somebody has written it
    meanwhile. One that is not there is not struck.
    """

    kind: ClassVar[str] = "file damaged"

    path: str
    how: str = "partial"

    _checks: ClassVar[Mapping[str, arguments.Kind]] = {
        "path": lambda what, given: arguments.text(what, str(given)),
        "how": arguments.one_word(*HOW),
    }

    @property
    def target(self) -> str:
        return self.path

    def strike(
        self, engine: VirtualStage, blow: Blow
    ) -> tuple[Layers, Layer, Callable[[], None]] | None:
        found = _read(self.path)
        if found is None:
            return None
        note = blow.note(path=self.path, named=[self.path])
        layer = engine.layers.lay(("file", Path(self.path).resolve()), self._damaged, found)
        _write(self.path, layer.left)
        unwatch = engine.readings.watch_file(
            Path(self.path), note, lambda: _read(self.path) == layer.left
        )
        return engine.layers, layer, unwatch

    def put_back(self, kept: tuple[Layers, Layer, Callable[[], None]] | None) -> None:
        if kept is not None:
            layers, layer, unwatch = kept
            unwatch()
            now = _read(self.path)
            if (without := layers.lift(layer, now)) != now:
                _write(self.path, without)

    def _damaged(self, found: bytes | None) -> bytes | None:
        return None if found is None else HOW[self.how](found)

    def does(self) -> str:
        return f"lets {self.path} be {self.how}"


def _read(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        return None


def _write(path: str, data: bytes | None) -> None:
    if data is None:
        Path(path).unlink()
    else:
        Path(path).write_bytes(data)
