"""What scenario files will import, found by reading them: nothing is imported for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_IMPORT = re.compile(r"^\s*import\s+(.+)$", re.MULTILINE)
_FROM = re.compile(r"^\s*from\s+([\w.]+)\s+import\s+(\([^)]*\)|.*)$", re.MULTILINE)
_NAME = re.compile(r"[\w.]+")


def libraries(files: Iterable[Path]) -> set[str]:
    """The top-level names that the files import, directly or by way of modules of their project.

    Their project is the folder above that of each file, as it is when they are loaded.
    """
    found: set[str] = set()
    seen: set[Path] = set()
    waiting = [(file.resolve(), file.resolve().parent.parent) for file in files]
    while waiting:
        file, root = waiting.pop()
        if file in seen:
            continue
        seen.add(file)
        try:
            names = set(_imported(file.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError):
            continue
        found |= {name.partition(".")[0] for name in names}
        for name in names:
            place = root.joinpath(*name.split("."))
            modules = (place.with_suffix(".py"), place / "__init__.py")
            waiting += [(module, root) for module in modules if module.is_file()]
    return found


def _imported(text: str) -> Iterator[str]:
    """The dotted names in import statements; for `from a import b` both "a" and "a.b"."""
    for names in _IMPORT.findall(text):
        yield from (part.split()[0] for part in names.split(",") if part.strip())
    for module, names in _FROM.findall(text):
        yield module
        yield from (f"{module}.{name}" for name in _NAME.findall(names))
