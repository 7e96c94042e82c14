"""The process of one cell: what `running.py` starts."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from simulator.audit.subject import Subject
from simulator.errors import SimulationError
from simulator.scenarios import settle


@dataclass(frozen=True)
class Order:
    """What to let live with which fault, and where its traces go: a folder for its own temporary files
    and a log, and on which core, if on one alone.
    """

    subject: Subject
    fault: Mapping[str, Any] | None
    own: Path
    log: Path
    core: int | None


def main(order: Order, parent: Connection) -> None:
    """Carry out an order. Sends ("lived", what came out), or ("broke", one line); exit code 130 after
    Ctrl-C.
    """
    settle(parent, order.own, order.log, order.core)
    try:
        lived = order.subject.live(order.fault)
    except KeyboardInterrupt:
        sys.exit(130)
    except SimulationError as wrong:
        parent.send(("refused", " ".join(str(wrong).split())))
    except BaseException as broken:
        traceback.print_exc()
        said = " ".join(f"{type(broken).__name__}: {broken}".split())
        parent.send(("broke", said))
    else:
        parent.send(("lived", lived))
