"""Tables in a terminal: words stay whole, and where they cannot, rows stand one below the other."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from simulator.report import print_table, table

HEADINGS = ("scenario", "variant", "expectations", "concurrency", "run-seconds")
ROW = ("late-export", "unaware of all that is late", "4 of 5 hold", "2", "3600 seconds in all")


def printed(width: int) -> str:
    out = io.StringIO()
    rows = table(*HEADINGS)
    rows.add_row(*ROW)
    print_table(Console(file=out, width=width), rows)
    return out.getvalue()


@pytest.mark.parametrize("width", [20, 40, 60, 63, 66, 70, 80, 90, 200])
def test_no_word_is_torn_apart(width: int) -> None:
    shown = printed(width)
    words = set(re.findall(r"[\w-]+", " ".join((*HEADINGS, *ROW))))
    assert words <= set(re.findall(r"[\w-]+", shown))
    if "|" in shown:
        assert max(map(len, shown.splitlines())) <= width
    else:
        assert shown.startswith("scenario: late-export\nvariant: unaware of all that is late\n")


def test_there_is_a_table_as_soon_as_its_words_have_room() -> None:
    """Borders and spaces around five columns, and the longest word of each."""
    longest = (len("late-export"), len("unaware"), len("expectations"), len("concurrency"))
    room = sum(longest) + len("run-seconds") + 5 * 3 + 1
    assert "|" not in printed(room - 1)
    assert "|" in printed(room)
