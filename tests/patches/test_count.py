"""How many names of each library are replaced: what ARCHITECTURE.md says is what happens."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

import simulator.patches
from simulator import Simulation

PAGE = Path(__file__).parents[2] / "ARCHITECTURE.md"
PYTHON = "Python"


def library(owner: object, name: str) -> str | None:
    """The library whose `name` is replaced. None for copies of a name in modules of the user's."""
    module = owner.__name__ if isinstance(owner, ModuleType) else type(owner).__module__
    if isinstance(owner, type):
        module = owner.__module__
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names:
        return PYTHON
    # A function of `time` that another module has imported is a copy, not a patch of that library.
    held = inspect.getattr_static(owner, name, None)
    copied = isinstance(held, staticmethod | type(time.time)) and name in vars(time)
    return None if copied else root


def replaced(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The number of names that a simulation replaces, by library."""
    seen: dict[tuple[int, str], str] = {}
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(simulator.patches.__path__, "simulator.patches.")
    ]
    for module in modules:
        if module.__name__ == "simulator.patches.replacing" or not hasattr(module, "replacing"):
            continue
        real = module.replacing

        @contextmanager
        def noting(items, real=real):
            items = list(items)
            for owner, name, _ in items:
                if one := library(owner, name):
                    # The same attribute of many objects of one class is one patch.
                    whole = isinstance(owner, type | ModuleType)
                    seen[id(owner if whole else type(owner)), name] = one
            with real(items):
                yield

        monkeypatch.setattr(module, "replacing", noting)
    with Simulation():
        return Counter(seen.values())


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11) or not version("prefect").startswith("3.9"),
    reason="the page counts on the newest Prefect and Python 3.11",
)
def test_the_page_counts_the_patches_of_each_library() -> None:
    # In a process of its own: other tests import libraries that this one would find.
    counting = subprocess.run(
        [sys.executable, __file__], capture_output=True, text=True, check=True
    )
    told = re.search(r"^\| library \| names replaced \|\n(\|.*\n)*", PAGE.read_text(), re.MULTILINE)
    assert told is not None, f"ARCHITECTURE.md has no table:\n{counting.stdout}"
    assert told[0] == counting.stdout


if __name__ == "__main__":
    rows = [
        f"| {one} | {number} |\n" for one, number in sorted(replaced(pytest.MonkeyPatch()).items())
    ]
    sys.stdout.write("".join(["| library | names replaced |\n|---|---|\n", *rows]))
