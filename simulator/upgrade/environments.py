"""Environments of other versions of Prefect, each made once: this environment, with that Prefect.

Everything else keeps its version where it can, so that what differs afterwards is Prefect's doing. They
are kept in the user's cache folder and need no network once they are there. One that is being made is
locked; one whose making was interrupted is made again.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from simulator import versions
from simulator.cache import cache_folder
from simulator.errors import SimulationError

OURS = "prefect-simulator"


@dataclass(frozen=True)
class Environment:
    """A Python and the version of Prefect that it has."""

    prefect: str
    python: Path


def environment(asked: str, making: Callable[[str], object] = lambda _: None) -> Environment:
    """The environment of a version of Prefect, such as "3.9" or "3.9.1"; this one, if it has it.

    `making` is called with a sentence before one is made, which takes a while.

    Raises SimulationError, in one line, if there is no such version, or it cannot be had.
    """
    if not re.fullmatch(r"\d+\.\d+(\.\d+)?", asked):
        raise SimulationError(f"{asked!r} is no version of Prefect: '3.9' and '3.9.1' are")
    if not SpecifierSet(versions.PREFECT).contains(_newest(asked)):
        raise SimulationError(
            f"Prefect {asked} is not known to this version of {OURS}: {versions.PREFECT} is"
        )
    installed = metadata.version("prefect")
    if f"{installed}.".startswith(f"{asked}."):
        return Environment(installed, Path(sys.executable))
    uv = _uv()
    wanted, pins, editable = _as_here(asked)
    text = "\n".join([sys.version, sys.prefix, *wanted, *pins, *map(str, editable)])
    folder = cache_folder() / "environments" / f"{asked}-{sha256(text.encode()).hexdigest()[:12]}"
    done = folder / "prefect"
    with _locked(folder):
        if not done.exists():
            making(f"making an environment with Prefect {asked} in {folder}")
            _make(uv, folder, asked, wanted, pins, editable)
        return Environment(done.read_text(), folder / "bin" / "python")


def _newest(asked: str) -> str:
    """A version of Prefect that a specifier takes if it takes the newest of those asked for."""
    return asked if asked.count(".") == 2 else f"{asked}.9999"


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise SimulationError(
            f"uv makes the environments, and is not here: pip install '{OURS}[upgrade]'"
        )
    return found


def _as_here(asked: str) -> tuple[list[str], list[str], list[Path]]:
    """What the other environment needs: requirements, versions to keep where they fit, folders."""
    exact = asked.count(".") == 2
    wanted = [f"prefect=={asked}" if exact else f"prefect=={asked}.*"]
    wanted += [
        f"{conflict.library}{conflict.right}"
        for conflict in versions.CONFLICTS
        if conflict.concerns(_newest(asked))
    ]
    for text in metadata.requires(OURS) or []:
        requirement = Requirement(text)
        marker = requirement.marker
        if requirement.name != "prefect" and (marker is None or marker.evaluate({"extra": ""})):
            wanted.append(text)
    pins, editable = [], []
    for found in metadata.distributions():
        name = canonicalize_name(found.metadata["Name"])
        if name in ("prefect", OURS):
            continue
        if origin := found.read_text("direct_url.json"):
            place = urlparse(json.loads(origin)["url"])
            if place.scheme == "file" and "dir_info" in json.loads(origin):
                editable.append(Path(url2pathname(place.path)))
            continue
        wanted.append(name)
        pins.append(f"{name}=={found.version}")
    return sorted(set(wanted)), sorted(set(pins)), sorted(set(editable))


def _make(
    uv: str, folder: Path, asked: str, wanted: list[str], pins: list[str], editable: list[Path]
) -> None:
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        lock = folder / "requirements.lock"
        lock.write_text("\n".join(pins))  # uv keeps what still fits
        python = folder / "bin" / "python"
        _call(asked, [uv, "venv", "--allow-existing", "--python", sys.executable, str(folder)])
        resolving = [uv, "pip", "compile", "-", "--python", str(python), "--output-file", str(lock)]
        _call(asked, [*resolving, "--no-emit-index-url", "--no-annotate"], "\n".join(wanted))
        installing = [uv, "pip", "install", "--no-deps", "--python", str(python)]
        _call(asked, [*installing, "--requirement", str(lock)])
        for project in editable:
            _call(asked, [*installing, "--editable", str(project)])
        pinned = re.search(r"^prefect==(\S+)", lock.read_text(), re.MULTILINE)
        assert pinned is not None
        (folder / "prefect").write_text(pinned[1])  # the last thing: it is complete
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _call(asked: str, command: list[str], given: str | None = None) -> None:
    alone = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        [*command, "--quiet", "--no-progress"],
        input=given, env=alone, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise SimulationError(
            f"no environment with Prefect {asked} can be made: {_reason(asked, done.stderr)}"
        )


def _reason(asked: str, said: str) -> str:
    if re.search("error sending request|failed to fetch|dns error|network", said, re.IGNORECASE):
        return "the package registry cannot be reached"
    text = re.sub(r"[^\x00-\x7f]+", " ", said)  # uv draws a tree of reasons
    if re.search(rf"no versions? of prefect=={re.escape(asked)}", text):
        return "the package registry has no such version"
    return " ".join(text.split())[:300]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the right to make `folder`, against other processes."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_name(f"{folder.name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except OSError as wrong:
        raise SimulationError(
            f"cannot write to the cache folder {str(folder.parent)!r}: {wrong.strerror}; set "
            "PREFECT_SIMULATOR_CACHE to another"
        ) from wrong
