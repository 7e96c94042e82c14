"""A part of a long list of examples, as the argument `--part 2/3` of a program names it."""

from __future__ import annotations

import argparse
import re

WHOLE = slice(None)


def part(text: str) -> slice:
    """Of "K/N": the Kth and each Nth from there. Raises ArgumentTypeError for what is no such part."""
    found = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", text)
    if found is None or int(found[1]) > int(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no part such as 1/2 or 2/2")
    return slice(int(found[1]) - 1, None, int(found[2]))
