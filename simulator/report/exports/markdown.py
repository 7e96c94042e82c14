"""A summary in Markdown, as for the page of a CI run or a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simulator.history import Outcome


def as_markdown(outcomes: Sequence[Outcome]) -> str:
    """How many variants hold; for each scenario a row of each variant, and what is broken."""
    passed = sum(one.passed for one in outcomes)
    lines = [f"# {passed} of {len(outcomes)} variants hold"]
    by_scenario: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_scenario.setdefault(outcome.key[0], []).append(outcome)
    for name, own in by_scenario.items():
        lines += ["", *_scenario(name, own)]
    return "\n".join(lines) + "\n"


def _scenario(name: str, outcomes: Sequence[Outcome]) -> Iterator[str]:
    question = next((one.question for one in outcomes if one.question), "")
    yield f"## {name}" + (f": {_line(question)}" if question else "")
    yield ""
    yield "| variant | seed | verdict | expectations | runs |"
    yield "|---|---|---|---|---|"
    for one in outcomes:
        word = "CRASHED" if one.error else "holds" if one.passed else "BROKEN"
        held = sum(verdict.passed for verdict in one.verdicts)
        runs = len(one.history.runs()) if one.history is not None else 0
        expected = f"{held} of {len(one.verdicts)} hold"
        yield f"| {_cell(one.key[1])} | {one.key[2]} | {word} | {expected} | {runs} |"
    for one in outcomes:
        broken = [verdict for verdict in one.verdicts if not verdict.passed]
        if one.error or broken:
            yield ""
        if one.error:
            yield f"- `{one.key[1]}`: {_line(one.error)}"
        for verdict in broken:
            yield f"- `{one.key[1]}`, {_line(verdict.expectation)}: {_line(verdict.message)}"
    if lesson := next((one.lesson for one in outcomes if one.lesson), ""):
        yield ""
        yield f"Lesson: {_line(lesson)}"


def _line(text: str) -> str:
    """A text on one line, in which nothing is taken for HTML."""
    return " ".join(text.split()).replace("<", "&lt;")


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")
