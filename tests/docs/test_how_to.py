"""The how-to guides run as they stand: each is read from top to bottom, in a folder of its own.

A block whose first line is a comment with a path is a file. Commands are run in a shell, and must succeed;
a text right after them is what they print, or a part of it. A workflow's own commands are run, too.
"""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from simulator.faults import from_plain
from simulator.history import History
from simulator.measures import default_measures

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs" / "how-to").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FOLDERS = {"audit-a-project": ROOT / "examples" / "shop"}
"""What the folder of a guide holds already."""

PROGRAMS = {
    "simulate": "-c 'from simulator.cli import main; main()'",
    "pytest": "-m pytest",
    "python": "",
    "dask": "-m dask",
    "pip": "-c ''",  # what is to be installed is installed
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    for name, arguments in PROGRAMS.items():
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments} "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder


def run(commands: str, folder: Path, programs: Path) -> str:
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", commands],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "GITHUB_STEP_SUMMARY": str(folder / "step.md"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}"
    return done.stdout


def test_the_measures_that_each_variant_has_are_told() -> None:
    text = (ROOT / "docs" / "how-to" / "read-a-report.md").read_text()
    table = text[text.index("| measure |") : text.index("One that is a share")]
    told = re.findall(r"^\| ([a-z -]+) \| \S", table, re.MULTILINE)
    names = [
        one.name for one in default_measures(History([], now=datetime(2026, 1, 1, tzinfo=UTC)))
    ]
    assert told == ["measure", *names]


@pytest.mark.slow
@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_a_guide_runs_as_it_stands(guide: Path, tmp_path: Path, programs: Path) -> None:
    folder = tmp_path / "folder"
    if guide.stem in FOLDERS:
        shutil.copytree(FOLDERS[guide.stem], folder)
    folder.mkdir(exist_ok=True)
    printed = ""
    ran = 0
    for language, text in BLOCK.findall(guide.read_text()):
        if named := re.match(r"# (\S+\.\w+)\n", text):
            file = folder / named[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        if language == "console":
            printed = run(text, folder, programs)
            ran += 1
        elif language == "text":
            assert text in printed
        elif language == "yaml":
            [job] = yaml.safe_load(text)["jobs"].values()
            for step in job["steps"]:
                if "run" in step:
                    run(step["run"], folder, programs)
            assert "holds" in (folder / "step.md").read_text()
        elif language == "toml":
            assert [*map(from_plain, tomllib.loads(text)["faults"])]
        else:
            assert named, f"a block of {language} that nothing looks at"
    assert ran
