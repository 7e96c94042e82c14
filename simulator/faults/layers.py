"""What faults have laid over things, one over another perhaps, and lift again in any order."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any


@dataclass(eq=False)
class Layer:
    """What one fault has made of a thing: it has `found` it so, and `left` it as `over` says."""

    thing: Hashable
    over: Callable[[Any], Any]
    found: Any
    left: Any


class Layers:
    """All that lies over the things of one simulation: a file, a setting of a deployment."""

    def __init__(self) -> None:
        self._lying: dict[Hashable, list[Layer]] = {}

    def lay(self, thing: Hashable, over: Callable[[Any], Any], found: Any) -> Layer:
        """Lay one over a thing that is `found` so now; `over` says what it makes of what it finds.

        Whoever calls this brings the thing to what the layer has `left`.
        """
        layer = Layer(thing, over, found, over(found))
        self._lying.setdefault(thing, []).append(layer)
        return layer

    def lift(self, layer: Layer, now: Any) -> Any:
        """Take one away from a thing that is as `now` says. Returns what the thing is to be without it:
        what the layer had found, with those over it that are left. What somebody else has made of it
        meanwhile stays.
        """
        lying = self._lying[layer.thing]
        place = lying.index(layer)
        lying.remove(layer)
        known, without = layer.left, layer.found
        for above in lying[place:]:
            if above.found != known:
                return now
            known = above.left
            above.found, above.left = without, above.over(without)
            without = above.left
        return without if now == known else now
