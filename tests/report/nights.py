"""A results file as `simulate run` writes it, without a simulation: two variants of three hours."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5

from simulator.history import History, LogRecord, Note, Results, RunRecord, StateRecord
from simulator.measures import Measure, default_measures
from simulator.scenarios.verdict import Verdict

START = datetime(2026, 3, 28, 22, tzinfo=UTC)
TYPES = {
    "Late": "SCHEDULED",
    "AwaitingRetry": "SCHEDULED",
    "Retrying": "RUNNING",
    "TimedOut": "FAILED",
    "Cached": "COMPLETED",
}


def made(flow: str, due: datetime, *states: tuple[str, float], **values) -> RunRecord:
    """A run with states by name, each so many seconds after it was due."""
    entered = [
        StateRecord(name, TYPES.get(name, name.upper()), due + timedelta(seconds=seconds))
        for name, seconds in states
    ]
    last = entered[-1]
    ended = last.type in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
    began = [state.timestamp for state in entered if state.type == "RUNNING"]
    return RunRecord(
        name=f"{flow}-{due:%H}",
        flow=flow,
        state=last.name,
        state_type=last.type,
        states=tuple(entered),
        scheduled=due,
        start=began[0] if began else None,
        end=last.timestamp if ended else None,
        **{
            "id": uuid5(UUID(int=0), f"{flow} {due}"),
            "deployment": f"{flow}/dev",
            "message": None,
            "run_count": len(began),
        }
        | values,
    )


def night(parent_ends: str) -> History:
    """Three parents with a child each. The second child fails, is tried again, and fails."""
    runs: list[RunRecord] = []
    for n in range(3):
        due = START + timedelta(hours=n)
        failed = n == 1
        child = made(
            "child",
            due,
            *[("Scheduled", 5), ("Pending", 6), ("Running", 10)],
            *([("AwaitingRetry", 300), ("Retrying", 600)] if failed else []),
            ("Failed" if failed else "Completed", 900),
            message="</script><b>boom</b>" if failed else None,
        )
        parent = made(
            "parent",
            due,
            *[("Scheduled", -3600), ("Pending", 0), ("Running", 4)],
            (parent_ends if failed else "Completed", 905),
            auto_scheduled=True,
            parameters={"hour": n},
        )
        runs += [parent, RunRecord(**{**vars(child), "parent_id": parent.id})]
    late = made("report", START + timedelta(hours=2), ("Scheduled", -3600), ("Late", 15))
    notes = [
        Note(0, "fault", runs[3].start, "raises ValueError('boom')", "flows.py:7", runs[3].id),
        Note(1, "away", START + timedelta(hours=2), "default", until=START + timedelta(hours=3)),
        *(
            Note(
                number,
                "write",
                run.end,
                "main.orders",
                "flows.py:9",
                run.id,
                details={"status": "success", "read": [], "rows": rows},
                code='con.execute("insert into orders select * from feed")',
            )
            for number, run, rows in ((2, runs[1], 120), (3, runs[5], 240))
        ),
        Note(4, "result", runs[5].end, "['a.csv', 'b.csv']", run_id=runs[5].id),
    ]
    lines = [
        (20, "Beginning flow run 'child-00' for flow 'child'"),
        (20, "loaded 120 rows"),
        (30, "2 rows were odd: </script>"),
        (20, "Finished in state Completed()"),
    ]
    logs = {
        runs[5].id: tuple(
            LogRecord(runs[5].end, level, "prefect.flow_runs", text) for level, text in lines
        )
    }
    return History([*runs, late], now=START + timedelta(hours=3), notes=notes, logs=lambda: logs)


def write_results(path: Path) -> None:
    """Two variants of a scenario, and one that broke."""
    file = Results.open(path)
    for variant, parent_ends in (("state ignored", "Completed"), ("state raised", "Failed")):
        history = night(parent_ends)
        held = variant == "state raised"
        verdict = Verdict(
            "the parent tells",
            passed=held,
            message="" if held else "it is Completed",
            runs=() if held else ("<Run of elsewhere>", repr(history.runs(flow="parent")[1])),
        )
        file.add(
            "child-fails",
            variant,
            7,
            history,
            [*default_measures(history), Measure("rows", 3.0, "rows", n=1)],
            [verdict],
            days=1,
            question="Does the parent tell?",
            lesson="Look at the state.",
            made_with="Prefect 3.9",
        )
    file.add("broken", "default", 7, None, error="ValueError: no <such> thing", days=1)
