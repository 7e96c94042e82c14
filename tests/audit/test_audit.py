"""`simulate audit` on the shop: its planted faults of design are what comes out."""

from __future__ import annotations

import errno
import io
import json
import multiprocessing
import os
import re
import shlex
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from filelock import FileLock
from rich.console import Console

from simulator.audit import Begun, Cell, Found, Here, Outcome, Project, clock_changes
from simulator.cli import call
from simulator.cli.audit import _follow
from simulator.versions import series

SHOP = Path(__file__).parents[2] / "examples" / "shop"

SERIOUS = [
    "orders/prod:killed", "read:hangs", "read:gives-nothing", "alert/after-orders:event-lost"
]  # fmt: skip
CELLS = [*SERIOUS, "read:raises-once", "nightly/prod:worker-away"]
ONLY = [part for cell in CELLS for part in ("--only", cell)]

Audit = Callable[..., int]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Where the audit is; one of xdist's workers begins with what another one has done already."""
    own = tmp_path_factory.mktemp("audit")
    if worker_id == "master":
        return begun(own)
    shared = tmp_path_factory.getbasetemp().parent / "audit"
    with FileLock(f"{shared}.lock"):
        if not shared.exists():
            shutil.copytree(begun(own / "first"), shared)
    return shutil.copytree(shared, own, dirs_exist_ok=True)


def begun(folder: Path) -> Path:
    """Audit a night of the shop, in which nothing goes wrong by itself."""
    shutil.copytree(SHOP, folder / "shop")
    assert call([*night(folder), *ONLY, "--json"]) == 0
    return folder


def night(folder: Path) -> list[str]:
    """What is audited."""
    of = ["audit", str(folder / "shop"), "--out", str(folder / "out")]
    return [*of, "--days", "0.3", "--start", "2026-01-06T00:00:00Z"]


@pytest.fixture(scope="module")
def shop(folder: Path) -> Path:
    return folder / "shop"


@pytest.fixture(scope="module")
def audit(folder: Path) -> Audit:
    """Go on with the audit of a night of the shop."""

    def carry_out(*more: str) -> int:
        return call([*night(folder), *([] if "--show" in more else ONLY), *more])

    return carry_out


def told(audit: Audit, capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capfd.readouterr()
    assert audit("--json") == 0
    said: dict[str, Any] = json.loads(capfd.readouterr().out)
    return said


def test_the_failure_modes_of_the_shop(audit: Audit, capfd: pytest.CaptureFixture[str]) -> None:
    rows = told(audit, capfd)["rows"]
    skipped = ("skipped", "alert/after-orders")
    assert [
        (
            [cell["cell"] for cell in row["cells"]],
            [(one["kind"], one["said"]) for one in row["outcomes"]],
        )
        for row in rows
    ] == [
        (["read:hangs"], [("zombie", "nightly/prod, orders/prod never end"), skipped]),
        (
            ["orders/prod:killed"],
            [
                ("masked", "orders/prod ends Crashed, and nightly/prod is Completed"),
                skipped,
                ("skipped", "read, write"),
            ],
        ),
        (["read:gives-nothing"], [("unnoticed", "nightly/prod ends as ever")]),
        (["alert/after-orders:event-lost"], [("lost run", "alert/after-orders")]),
        (
            ["nightly/prod:worker-away"],
            [("late", "nightly/prod, orders/prod, alert/after-orders, report/prod")],
        ),
        (["read:raises-once"], [("healed", "by another attempt at read")]),
    ]
    assert [row["cells"][0]["seconds"] for row in rows[-2:]] == [[3 * 3600.0], [60.0]]
    assert [row["serious"] for row in rows] == [True] * 4 + [False] * 2


def test_what_is_done_is_not_done_again(
    audit: Audit, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    logs = folder / "out" / "audit-logs"
    assert "--show read:hangs" in (folder / "out" / "audit.html").read_text()
    before = {file: file.stat().st_mtime_ns for file in logs.iterdir()}
    assert audit("--markdown") == 0
    said = capfd.readouterr()
    assert "6 cells, 2 at a time, 6 done before" in said.err.replace("1 at", "2 at")
    assert "| lost run | alert/after-orders | alert/after-orders:event-lost |" in said.out
    assert {file: file.stat().st_mtime_ns for file in logs.iterdir()} == before


def test_only_what_a_baseline_does_not_have_is_an_exit_code(
    audit: Audit, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    baseline = tmp_path / "audit.json"
    known = told(audit, capfd)
    baseline.write_text(json.dumps(known))
    assert audit("--baseline", str(baseline)) == 0
    known["rows"] = [row for row in known["rows"] if row["kind"] not in ("masked", "late")]
    baseline.write_text(json.dumps(known))
    capfd.readouterr()
    assert audit("--baseline", str(baseline)) == 1
    assert "1 new: orders/prod:killed" in capfd.readouterr().err  # what is late is not serious


def test_a_cell_is_opened(audit: Audit, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    assert audit("--show", "orders/prod:killed") == 0
    said = capfd.readouterr().out
    lines = [re.sub(r" +", " ", line.strip()) for line in said.splitlines()]
    begun = lines.index("2026-01-06T01:00:10Z orders/prod Running")
    assert lines[begun + 1] == (
        "2026-01-06T01:00:10Z FAULT kills the process of orders (exit code -9)"
    )
    assert lines[begun + 2].startswith("2026-01-06T01:00:10Z orders/prod Crashed: Process exited")
    assert lines[begun + 2].endswith("(it would be Completed at 2026-01-06T01:01:40Z)")
    assert "2026-01-06T01:01:40Z alert/after-orders is not there: it would begin" in lines
    assert "Completed although orders Crashed: its state was neither raised nor returned" in said
    [again] = [line for line in lines if line.startswith("simulate audit")]
    assert call(shlex.split(again)[1:]) == 0
    assert capfd.readouterr().out == said


def test_what_is_written_as_a_test_fails_until_it_is_mended(
    audit: Audit, shop: Path, pytester: pytest.Pytester
) -> None:
    file = shop / "test_masked.py"
    assert audit("--show", "orders/prod:killed", "--write-test", str(file)) == 0
    for name in ("now", "mended"):
        shutil.copytree(shop, pytester.path / name)
    file.unlink()
    (pytester.path / "now" / "test_masked.py").rename(pytester.path / "now" / "test_now.py")
    nightly = pytester.path / "mended" / "flows" / "nightly.py"
    mended = nightly.read_text().replace(
        'run_deployment("orders/prod", parameters={"day": day})',
        'assert run_deployment("orders/prod", parameters={"day": day}).state.is_completed()',
    )
    assert "is_completed" in mended
    nightly.write_text(mended)
    said = pytester.runpytest_subprocess("-p", "no:randomly")
    said.assert_outcomes(failed=1, passed=1)
    said.stdout.fnmatch_lines(
        ["*AssertionError*nightly/prod of 2026-01-06 01:00*", "FAILED now/test_now.py*"]
    )


def test_no_test_is_written_of_what_is_well(
    audit: Audit, shop: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    assert audit("--show", "read:raises-once", "--write-test", str(shop / "test_it.py")) == 2
    assert capfd.readouterr().err.splitlines()[-1] == (
        "simulate: read:raises-once: no test can be written of what is not seen to be wrong:"
        " healed (1m 00s): by another attempt at read"
    )


def test_quiet_says_nothing(audit: Audit, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    assert audit("--quiet") == 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "reed"], "no step, column or cell 'reed': did you mean 'read'?"),
        (["--baseline", "missing.json"], "cannot read 'missing.json': No such file or directory"),
        (["--json", "--markdown"], "--json and --markdown exclude each other"),
        (["--show", "read"], "no cell 'read': did you mean 'read:hangs'?"),
        (
            ["--write-test", "test_it.py"],
            "--write-test needs --show CELL: which cell is the test of?",
        ),
        (
            ["--show", "read:hangs", "--write-test", "test_it.py"],
            "'test_it.py' is not in the folder of the project, '{shop}': there the fixture `project` finds it",
        ),
        (["--jobs", "0"], "jobs (0) must be at least 1"),
        (["--time-limit", "0"], "--time-limit 0 must be above 0"),
        (["--days", "0"], "days=0 must be above 0, and at most 3660"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line(
    audit: Audit, shop: Path, arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    assert audit(*arguments) == 2
    assert capfd.readouterr().err.splitlines()[-1] == f"simulate: {said}".format(shop=shop)


def test_a_folder_in_which_nothing_can_be_written_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out" / "audit-logs").mkdir(parents=True)

    def refused(**_: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("simulator.cli.kept.tempfile.TemporaryFile", refused)
    assert call(["audit", str(SHOP), "--days", "0.01", "--out", str(tmp_path / "out")]) == 2
    said = f"simulate: cannot write to '{tmp_path / 'out'}': Permission denied"
    assert capfd.readouterr().err.splitlines() == [said]


def test_what_is_no_project_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert call(["audit", str(tmp_path / "empty"), "--out", str(tmp_path)]) == 2
    assert "is no project: it has neither a prefect.yaml" in capfd.readouterr().err


FRAGILE = """
import ctypes

from prefect import flow, task


@task
def read() -> str:
    return "rows"


@flow
def load():
    try:
        read()
    except RuntimeError:
        ctypes.string_at(0)
"""

DEPLOYED = """
deployments:
  - {name: prod, entrypoint: "flows.py:load", schedule: {cron: "0 3 * * *"}, work_pool: {name: own}}
"""


@pytest.fixture
def fragile(tmp_path: Path) -> Path:
    """A project that ends its whole process when its task raises."""
    folder = tmp_path / "fragile"
    folder.mkdir()
    (folder / "flows.py").write_text(FRAGILE)
    (folder / "prefect.yaml").write_text(DEPLOYED)
    return folder


def test_a_process_that_dies_costs_its_own_cell(
    fragile: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    only = ["--only", "read:raises", "--only", "read:gives-nothing"]
    arguments = [str(fragile), "--days", "0.2", "--out", str(tmp_path), *only, "--json"]
    assert call(["audit", *arguments]) == 0
    died, other = json.loads(capfd.readouterr().out)["rows"]
    assert died["cells"][0]["cell"] == "read:raises"
    assert died["outcomes"][0]["kind"] == "no answer"
    assert "its process was ended by SIGSEGV" in died["outcomes"][0]["said"]
    assert other["cells"][0]["cell"] == "read:gives-nothing"
    assert other["outcomes"] == [{"kind": "unnoticed", "said": "load/prod ends as ever"}]


def test_a_simulation_that_takes_too_long_is_given_up(fragile: Path, tmp_path: Path) -> None:
    subject = Project(fragile, 0.2, 0, "2026-01-01T00:00:00+00:00")
    [answer] = Here(subject, 1, 0.01, tmp_path).run({"base": None})
    assert (answer.lived, answer.error) == (None, "it took longer than 0.01 real seconds")


def test_who_stops_listening_leaves_no_process_behind(fragile: Path, tmp_path: Path) -> None:
    subject = Project(fragile, 0.2, 0, "2026-01-01T00:00:00+00:00")
    answers = Here(subject, 2, 600, tmp_path).run(dict.fromkeys("abc"))
    assert next(answers).lived is not None
    running = multiprocessing.active_children()
    assert running
    answers.close()
    assert not any(one.is_alive() for one in running)


def test_what_a_change_of_clocks_does_is_told_without_a_run() -> None:
    [found] = clock_changes(SHOP, datetime(2026, 1, 1, tzinfo=UTC))
    assert found.cell.name == "nightly/prod:clocks"
    becomes = {"3.8": "01:00", "3.9": "03:00"}[series()]
    assert [(one.kind, one.said) for one in found.outcomes] == [
        ("moved", f"nightly/prod on 2026-03-29, moved: 02:00 becomes {becomes}")
    ]


def test_a_terminal_shows_how_far_it_is() -> None:
    cell = Cell("read", "raises", {"kind": "raise"}, UUID(int=1))
    news = [Begun(3, 2, 30.0), Found(cell, (Outcome("nothing", ""),))]
    written = io.StringIO()
    screen = Console(file=written, force_terminal=True, width=100, highlight=False)
    _follow(screen, news, 2)
    said = written.getvalue()
    assert "3 cells, 2 at a time, 1 done before, about 30 s" in said
    assert "1/2" in said
    assert "read:raises: nothing" in said


def test_a_project_in_which_nothing_runs_is_told_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "flows.py").write_text("from prefect import flow\n\n@flow\ndef main(): ...\n")
    (tmp_path / "prefect.yaml").write_text(
        "deployments:\n- {name: idle, entrypoint: flows.py:main}\n"
    )
    assert call(["audit", str(tmp_path), "--days", "1", "--out", str(tmp_path / "out")]) == 0
    assert "Nothing ran in 1 days from 2026-01-01T00:00:00+00:00" in capfd.readouterr().err


DAILY = """
from datetime import datetime

from prefect import flow, task


@task
def read() -> str:
    return str(datetime.now().date())


@task
def fetch() -> str:
    return str(datetime.now().date())


@task
def always() -> str:
    return "the same"


@flow
def trusting():
    read()
    always()


@flow
def careful():
    if fetch() != str(datetime.now().date()):
        raise ValueError("it is of another day")
"""


def test_what_is_stale_is_noticed_by_who_looks(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "daily"
    folder.mkdir()
    (folder / "flows.py").write_text(DAILY)
    more = "\n".join(
        f'  - {{name: prod, entrypoint: "flows.py:{name}", schedule: {{cron: "0 3 * * *"}},'
        " work_pool: {name: own}}"
        for name in ("trusting", "careful")
    )
    (folder / "prefect.yaml").write_text(f"deployments:\n{more}\n")
    arguments = ["audit", str(folder), "--days", "1.3", "--out", str(tmp_path / "out"), "--json"]
    assert call([*arguments, "--only", "gives-stale"]) == 0
    assert [
        ([cell["cell"] for cell in row["cells"]], row["outcomes"])
        for row in json.loads(capfd.readouterr().out)["rows"]
    ] == [
        (["read:gives-stale"], [{"kind": "unnoticed", "said": "trusting/prod ends as ever"}]),
        (
            ["fetch:gives-stale"],
            [{"kind": "noticed", "said": "by careful/prod, which ends Failed"}],
        ),
    ]
    assert call([*arguments, "--only", "event-lost"]) == 0, "a column that no step has"
    assert json.loads(capfd.readouterr().out)["rows"] == []
