"""The catalogue: every pattern has a scenario, and docs/patterns.md says what the scenarios say."""

import re

import pytest

from simulator.scenario import Scenario
from simulator.scenarios.files import load
from tests.pattern_table import PAGE, PATTERNS, ROOT, page, pipelines_of

SCENARIOS = load(ROOT / "scenarios")


def test_the_page_is_that_of_the_scenarios() -> None:
    assert PAGE.read_text() == page(SCENARIOS), "write it anew: python -m tests.pattern_table"


def test_every_pattern_has_a_scenario() -> None:
    shown = {pattern for scenario in SCENARIOS for pattern in scenario.patterns}
    recovery = [name for name in PATTERNS if name.startswith("R")]
    assert list(PATTERNS) == [
        *(f"P{number:02d}" for number in range(1, 26)),
        *(f"R{number:02d}" for number in range(1, len(recovery) + 1)),
    ]
    assert not PATTERNS.keys() - shown


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", PAGE.read_text())
    assert len(links) > len(SCENARIOS)
    for link in links:
        assert (PAGE.parent / link).is_file(), link


def test_the_readme_leads_to_it() -> None:
    assert f"({PAGE.relative_to(ROOT)})" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
class TestScenario:
    def test_asks_a_question_and_teaches_something(self, scenario: Scenario) -> None:
        assert scenario.question.endswith("?")
        assert len(re.findall(r"[.?!](?= |$)", scenario.lesson)) >= 2

    def test_shows_known_patterns_by_a_pipeline(self, scenario: Scenario) -> None:
        assert scenario.patterns
        assert {*scenario.patterns} <= PATTERNS.keys()
        assert pipelines_of(scenario)

    def test_every_variant_has_an_expectation(self, scenario: Scenario) -> None:
        expected = {variant for one in scenario.expectations for variant in one.variants}
        assert expected == {*scenario.variants}
