"""Verdicts as JUnit XML: a suite for each simulation, a case for each expectation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from simulator.history import Outcome

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(outcomes: Sequence[Outcome]) -> str:
    """The verdicts of all simulations. One that broke has a case of its own, with an error."""
    suites = ElementTree.Element("testsuites")
    for outcome in outcomes:
        _suite(suites, outcome)
    for what in ("tests", "failures", "errors"):
        suites.set(what, str(sum(int(suite.get(what, 0)) for suite in suites)))
    ElementTree.indent(suites)
    text = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(suites: ElementTree.Element, outcome: Outcome) -> None:
    scenario, variant, seed = outcome.key
    name = f"{scenario} [{variant}], seed {seed}"
    broken = [one for one in outcome.verdicts if not one.passed]
    suite = ElementTree.SubElement(
        suites,
        "testsuite",
        name=_clean(name),
        tests=str(len(outcome.verdicts) + bool(outcome.error)),
        failures=str(len(broken)),
        errors=str(int(bool(outcome.error))),
    )
    if outcome.real_seconds is not None:
        suite.set("time", f"{outcome.real_seconds:.3f}")
    for one in outcome.verdicts:
        case = ElementTree.SubElement(
            suite, "testcase", classname=_clean(name), name=_clean(one.expectation)
        )
        if not one.passed:
            said = ElementTree.SubElement(case, "failure", message=_clean(one.message))
            said.text = _clean("\n".join(filter(None, [one.message, one.where, *one.explained])))
    if outcome.error:
        case = ElementTree.SubElement(
            suite, "testcase", classname=_clean(name), name="it runs to its end"
        )
        ElementTree.SubElement(case, "error", message=_clean(outcome.error))


def _clean(text: str) -> str:
    """A text without the characters that XML cannot hold, such as the colours of a terminal."""
    return NOT_XML.sub("�", text)
