"""What must hold at every instant, and what must be seen at least once.

    sim.promise(fresh("mart.orders", column="loaded_at", within=timedelta(hours=26)))
    sim.promise(never_two("load/dev"), since="2026-01-02T00:00:00Z")

A promise is judged from a history: from the states of runs, each with its instant, and from what was
seen of tables meanwhile. So nothing is sampled, and a break is known to the instant. It imports nothing
that runs. Open `promise.py` first; `runs.py` and `tables.py` have the promises, `own.py` those of users;
`renewals.py` says how quickly a table was renewed, and so from when on it was too late.
"""

from simulator.promises.own import Moment, always, sometimes
from simulator.promises.promise import Break, Outcome, Promise, PromiseBroken, Promises
from simulator.promises.runs import never_pending, never_two, noticed, once_per_cycle
from simulator.promises.simulated import Promising
from simulator.promises.tables import Fresh, fresh

__all__ = [
    "Break",
    "Fresh",
    "Moment",
    "Outcome",
    "Promise",
    "PromiseBroken",
    "Promises",
    "Promising",
    "always",
    "fresh",
    "never_pending",
    "never_two",
    "noticed",
    "once_per_cycle",
    "sometimes",
]
