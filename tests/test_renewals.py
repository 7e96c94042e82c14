"""How long it took to renew a table, by hand-made notes: each minute stands in the test."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from simulator.history import History, Note, RunRecord
from simulator.promises.renewals import renewals

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def at(minute: float) -> datetime:
    return T0 + timedelta(minutes=minute)


def run(number: int, begin: float, end: float | None, **given: object) -> RunRecord:
    return RunRecord(
        **{
            "id": UUID(int=number),
            "name": f"run-{number}",
            "flow": "build",
            "deployment": "build/dev",
            "state": "Completed",
            "state_type": "COMPLETED",
            "message": None,
            "states": (),
            "scheduled": at(begin),
            "start": at(begin),
            "end": None if end is None else at(end),
        }
        | given
    )


def seen(minute: float, newest: float | None) -> Note:
    newest_at = None if newest is None else at(newest).isoformat()
    return Note(0, "table", at(minute), "mart.orders", details={"newest": newest_at})


def wrote(minute: float, number: int, status: str = "success", table: str = "mart.orders") -> Note:
    return Note(0, "write", at(minute), table, run_id=UUID(int=number), details={"status": status})


def minutes(runs: list[RunRecord], looks: list[Note], writes: list[Note]) -> list[float]:
    history = History(runs, now=at(1000), notes=[*looks, *writes])
    return [one / timedelta(minutes=1) for one in renewals(history, looks)]


def test_it_lasts_from_the_begin_of_the_run_to_when_its_rows_were_seen() -> None:
    assert minutes([run(1, 5, 20)], [seen(17, 17)], [wrote(17, 1)]) == [12]


def test_what_brings_no_newer_row_is_no_renewal() -> None:
    runs = [run(1, 5, 20), run(2, 30, 31), run(3, 40, 60)]
    looks = [seen(17, 17), seen(30, 16), seen(31, None), seen(50, 50)]
    assert minutes(runs, looks, [wrote(17, 1), wrote(30, 2), wrote(50, 3)]) == [12, 10]


def test_dbt_notes_its_tables_when_all_of_it_is_over() -> None:
    assert minutes([run(1, 5, 90)], [seen(17, 17)], [wrote(88, 1)]) == [12]


def test_of_two_at_work_it_is_the_one_that_wrote_then() -> None:
    runs = [run(1, 0, 100), run(2, 10, 100)]
    assert minutes(runs, [seen(40, 40)], [wrote(90, 1), wrote(40, 2)]) == [30]


def test_what_can_be_started_is_what_has_a_deployment() -> None:
    parent = run(1, 0, 100)
    child = run(2, 20, 90, deployment=None, parent_id=parent.id)
    assert minutes([parent, child], [seen(40, 40)], [wrote(40, 2)]) == [40]
    called = run(2, 20, 90, parent_id=parent.id)
    assert minutes([parent, called], [seen(40, 40)], [wrote(40, 2)]) == [20]


def test_what_no_run_at_work_has_written_is_left_out() -> None:
    looks = [seen(40, 40)]
    assert minutes([run(1, 5, 20)], looks, [wrote(17, 1)]) == []
    assert minutes([run(1, 5, 50)], looks, [wrote(40, 1, "error")]) == []
    assert minutes([run(1, 5, 50)], looks, [wrote(40, 1, table="mart.others")]) == []
    assert minutes([run(1, 5, 50)], looks, [wrote(40, 9)]) == []


def test_what_is_still_at_work_counts_as_well() -> None:
    assert minutes([run(1, 5, None)], [seen(40, 40)], [wrote(40, 1)]) == [35]
