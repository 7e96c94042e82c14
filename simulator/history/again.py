"""Whether what went badly was done once more, with success."""

from __future__ import annotations

from simulator.history.records import RunRecord


def done_again(run: RunRecord) -> bool:
    """Whether its parent has called the same once more after it, with success: the same deployment or
    flow with the same parameters. With others, such as the next table of a loop, it is other work.
    """
    siblings = run.parent.children if run.parent is not None else ()
    later = siblings[siblings.index(run) + 1 :] if run in siblings else ()
    return any(one.completed and _work(one) == _work(run) for one in later)


def _work(run: RunRecord) -> tuple[object, ...]:
    return run.deployment or run.flow, run.parameters
