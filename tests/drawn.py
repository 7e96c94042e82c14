"""What a seed draws with Hypothesis: always the same, and no search for what fails."""

from __future__ import annotations

from typing import TypeVar

import hypothesis
from hypothesis import strategies as st

T = TypeVar("T")


def drawn(strategy: st.SearchStrategy[T], seed: int) -> T:
    """An example of a seed. Hypothesis begins with the simplest one: the last of some is taken."""
    examples: list[T] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=3,
        phases=[hypothesis.Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def draw(example: T) -> None:
        examples.append(example)

    draw()
    return examples[-1]
