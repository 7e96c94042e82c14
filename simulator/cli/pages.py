"""The page that is written beside results when a command has ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.cli.report import page_of
from simulator.cli.signals import signals_later
from simulator.errors import SimulationError
from simulator.versions import in_one_line

if TYPE_CHECKING:
    from rich.console import Console

    from simulator.history import Difference
    from simulator.project import Course
    from simulator.scenarios import Verdict
    from simulator.upgrade import Comparison


def write_beside(results: Path, screen: Console) -> Path | None:
    """Write the page beside a results file, and say where. That it fails costs no result."""
    from simulator.report import write_page

    place = page_of(results)
    try:
        with signals_later():
            write_page(results, place)
    except SimulationError as wrong:
        _warn(wrong, screen)
        return None
    screen.print(f"Page: {place}", soft_wrap=True)
    return place


def keep_project(
    results: Path, lived: Mapping[str, Course], command: str, screen: Console
) -> Path | None:
    """Write down how a project has lived, by what it was like, in place of an earlier one, and its page.

    `command` is what repeats it. The project is the scenario; a finding is an expectation that does not
    hold. That it fails is told, and costs nothing of what is printed.
    """
    from simulator.history import Results
    from simulator.measures import default_measures
    from simulator.project import recorded

    try:
        with signals_later():
            _make_room(results)
            file = Results.open(results)
            for name, course in lived.items():
                file.add(
                    course.folder.resolve().name,
                    name,
                    course.seed,
                    course.history,
                    default_measures(course.history),
                    _verdicts(course),
                    days=(course.end - course.start) / timedelta(days=1),
                    caveats=course.caveats,
                    findings=recorded(course.findings),
                    question="What breaks in this project, and who would notice?",
                    made_with=in_one_line(),
                    command=command,
                )
    except SimulationError as wrong:
        _warn(wrong, screen)
        return None
    return write_beside(results, screen)


def keep_upgrade(
    results: Path, comparison: Comparison, files: Sequence[Path], screen: Console
) -> None:
    """Write down how both sides of a comparison went, side by side, in place of an earlier one, and its
    page. What differs is an expectation that does not hold on the second side.
    """
    from simulator.history import Results, merge
    from simulator.report import few_lines
    from simulator.scenarios import Verdict
    from simulator.upgrade import kept_as, sides_of

    before, after = sides_of(comparison.before, comparison.after)
    of_each: dict[str, list[Difference]] = {}
    for one in comparison.differences:
        of_each.setdefault(kept_as(one.scenario, one.variant), []).append(one)
    try:
        with signals_later():
            _make_room(results)
            merge(files, into=results)
            file = Results.open(results)
            for name, found in of_each.items():
                said = few_lines(found, before, after)
                verdict = Verdict(f"as with {before}", passed=False, message=said)
                file.judge(name, after, comparison.seed, [verdict])
    except SimulationError as wrong:
        _warn(wrong, screen)
        return
    write_beside(results, screen)


def _verdicts(course: Course) -> Iterator[Verdict]:
    from simulator.project import recorded
    from simulator.scenarios import Verdict, verdict_of

    for one, kept in zip(course.findings, recorded(course.findings), strict=True):
        yield Verdict(
            kept.expectation,
            passed=False,
            message=one.sentence + (f" ({one.times} times)" if one.times > 1 else ""),
            where=one.where,
            runs=(one.run,) if one.run else (),
            explained=(one.explanation,) if one.explanation else (),
        )
    yield from map(verdict_of, course.promises)


def _make_room(results: Path) -> None:
    """Remove an earlier file. Raises SimulationError if it is somebody else's, or cannot be removed."""
    from simulator.history import Results

    try:
        if results.exists():
            Results.open(results)
            results.unlink()
    except OSError as wrong:
        raise SimulationError(f"cannot write {str(results)!r}: {wrong.strerror}") from None


def _warn(wrong: SimulationError, screen: Console) -> None:
    from simulator.report import console

    aside = console(stderr=True) if screen.quiet else screen
    aside.print(f"warning: {wrong}", style="yellow", soft_wrap=True)
