"""Which package to install for a module: what the project itself declares, or else what is known."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PACKAGES = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "kafka": "kafka-python",
    "psycopg2": "psycopg2-binary",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""What to install for a module, where the two differ by more than a dash."""


def package_of(module: str, folder: Path) -> str:
    """What to install for a module, "google.cloud.bigquery", in the project of a folder.

    The longest name of a package that the project declares and that the module's begins with, or one of
    which the module's is a part; else the known one; else the module's own.
    """
    parts = [_plain(part) for part in module.split(".")]
    declared = dict.fromkeys(_declared(folder))
    for end in range(len(parts), 0, -1):
        whole = "-".join(parts[:end])
        if whole in declared:
            return whole
    known = PACKAGES.get(module.partition(".")[0])
    if known is None or known not in declared:
        alike = [one for one in declared if f"-{parts[0]}-" in f"-{one}-"]
        if len(alike) == 1:
            return alike[0]
    return known or ("-".join(parts[:3]) if parts[0] == "google" else parts[0])


def _declared(folder: Path) -> Iterator[str]:
    """The names of the packages that a project asks for, as the index writes them."""
    for file in sorted(folder.glob("requirements*.txt")):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            yield from _names(line)
    file = folder / "pyproject.toml"
    if file.is_file():
        try:
            raw = tomllib.loads(file.read_text(encoding="utf-8", errors="replace"))
        except tomllib.TOMLDecodeError:
            return
        project, tool = _table(raw, "project"), _table(raw, "tool")
        groups = _table(project, "optional-dependencies").values()
        for listed in (project.get("dependencies"), *groups):
            for one in listed if isinstance(listed, list) else ():
                yield from _names(str(one))
        yield from map(_plain, _table(_table(tool, "poetry"), "dependencies"))


def _table(raw: dict[str, Any], key: str) -> dict[str, Any]:
    found = raw.get(key)
    return found if isinstance(found, dict) else {}


def _names(requirement: str) -> Iterator[str]:
    if found := re.match(r"\s*([A-Za-z0-9][\w.-]*)", requirement):
        yield _plain(found[1])


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
