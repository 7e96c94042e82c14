"""What is found in the triggers of a project, before any time has passed."""

from __future__ import annotations

from pathlib import Path

from simulator.project import Finding, course, load, opened

FLOWS = """
from prefect import flow
from prefect.states import Completed

@flow
def load(): return Completed(name="Skipped")

@flow(name="all orders")
def orders(): ...

@flow
def report(): ...
"""


def found_in(folder: Path, **triggers: str) -> list[Finding]:
    """The findings of deployments of `report`, by their names, each with its triggers, and of two others
    that have none.
    """
    (folder / "flows.py").write_text(FLOWS)
    entry = "- name: {}\n  entrypoint: flows.py:{}\n  work_pool: {{name: p}}\n"
    text = "deployments:\n" + entry.format("prod", "load") + entry.format("prod", "orders")
    for name, given in triggers.items():
        text += entry.format(name, "report") + f"  triggers: [{given}]\n"
    (folder / "prefect.yaml").write_text(text)
    with opened(folder) as sim:
        load(sim)
        assert sim.unloaded == []
        return list(course(sim).findings)


def after(flow: str, event: str = "prefect.flow-run.Completed", role: str = "flow") -> str:
    related = f"{{prefect.resource.role: {role}, prefect.resource.name: {flow}}}"
    return f"{{type: event, expect: [{event}], match_related: {related}}}"


def test_what_there_is_may_be_named(tmp_path: Path) -> None:
    by_id = (
        "{expect: ['prefect.flow-run.*'], match_related: [{prefect.resource.id: 'prefect.flow.*',"
        " prefect.resource.name: [load, all orders]}]}"
    )
    assert not found_in(
        tmp_path,
        flow=after("load"),
        named=after("all orders"),
        own_state=after("load", "prefect.flow-run.Skipped"),
        wildcard=after("'l*'", "'prefect.flow-run.Comp*'"),
        excluded=after("'!lod'"),
        deployment=after("prod", role="deployment"),
        tag=after("nightly", role="tag"),
        pulled=after("load", "prefect.flow-run.pull-step.failed"),
        another=after("load", "shop.orders.Arrived"),
        by_id=by_id,
    )


def test_a_name_that_there_is_not_is_told_with_the_nearest(tmp_path: Path) -> None:
    both = f"{{type: compound, require: all, within: 60, triggers: [{after('load')}, {after('laod')}]}}"
    found = found_in(
        tmp_path,
        a=after("laod"),
        b=after("load", "prefect.flow-run.Complete"),
        c=both,
        d=after("prd", role="deployment"),
        e=after("load", "prefect.flow_run.Completed"),
        f=after("load", "prefect.work-pol.ready"),
    )
    waits = "the trigger of report/{} waits for what never comes: no {}"
    assert [(one.kind, one.where) for one in found] == [
        ("unknown name", f"prefect.yaml:{line}") for line in (8, 12, 16, 20, 24, 28)
    ]
    assert [one.sentence for one in found] == [
        waits.format("a", "flow 'laod': did you mean 'load'?"),
        waits.format(
            "b", "event 'prefect.flow-run.Complete': did you mean 'prefect.flow-run.Completed'?"
        ),
        waits.format("c", "flow 'laod': did you mean 'load'?"),
        waits.format("d", "deployment 'prd': did you mean 'prod'?"),
        waits.format(
            "e", "event 'prefect.flow_run.Completed': did you mean 'prefect.flow-run.Completed'?"
        ),
        waits.format(
            "f", "event 'prefect.work-pol.ready': did you mean 'prefect.work-pool.ready'?"
        ),
    ]


def test_what_starts_itself_again_has_no_end(tmp_path: Path) -> None:
    again = after("report")
    (one,) = found_in(tmp_path, again=again, failed=after("report", "prefect.flow-run.Failed"))
    assert (one.kind, one.subject, one.where) == (
        "endless trigger",
        "report/again",
        "prefect.yaml:8",
    )
    assert one.sentence.startswith(
        "report/again -> report/again: each run is the trigger of the next"
    )


def test_a_way_back_over_others_has_no_end_either(tmp_path: Path) -> None:
    (one,) = found_in(
        tmp_path, a=after("b", role="deployment"), b=after("a", role="deployment"), c=after("load")
    )
    assert one.sentence.startswith("report/a -> report/b -> report/a: ")
