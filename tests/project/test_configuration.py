"""A simulation.toml: what it says holds, what is wrong with it is told, and a draft of it is written."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from simulator import SimulationError
from simulator.cli import call
from simulator.project import configuration_of, course, load, opened
from simulator.project.configuration import KEYS
from simulator.promises import never_two

ROOT = Path(__file__).parents[2]

FLOWS = """
import json
from prefect import flow, task
from prefect.blocks.system import Secret
from prefect.variables import Variable
from till import lines_of, till

FIRST = lines_of()

@task
def read() -> list[int]:
    return lines_of()

@task
def notify(text: str) -> int:
    raise ValueError(text)

@flow
def orders():
    seen = [read(), notify("done"), Secret.load("key").get(), Variable.get("region"), till.name()]
    seen.append(open("prices.csv").read())
    with open("seen.json", "w") as file:
        json.dump(seen, file)
"""

TILL = """
class Till:
    def name(self) -> str:
        raise OSError("away")

till = Till()
name = till.name

def lines_of() -> list[int]:
    raise OSError("away")
"""

YAML = """
deployments:
- name: dev
  entrypoint: flows.py:orders
  schedule: {cron: "0 3 * * *", timezone: Europe/Paris}
"""

TOML = """
start = 2026-02-01T00:00:00Z
days = 2
seed = 3
timezone = "Europe/Paris"

[durations]
read = [60, 120]
orders = { p50 = 600, p95 = 1200 }

[stubs]
"till.lines_of" = { each = [[1], [2]] }
"till.Till.name" = {}
notify = { attempts = [7] }

[secrets]
key = "mine"

[variables]
region = "eu"

[data]
"prices.csv" = "small.csv"

[[faults]]
kind = "raise"
step = "orders"
on = [1]

[[promises]]
kind = "never two"
of = "orders/dev"

[[promises]]
kind = "noticed"
by = "orders"
within = 60
since = 2026-02-02T00:00:00Z
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "till.py").write_text(TILL)
    (tmp_path / "prefect.yaml").write_text(YAML)
    (tmp_path / "small.csv").write_text("1\n")
    return tmp_path


def test_what_it_says_holds(folder: Path) -> None:
    (folder / "simulation.toml").write_text(TOML)
    with opened(folder) as sim:
        load(sim)
        assert not sim.unloaded
        assert (sim.seed, f"{sim.start:%Y-%m-%d}") == (3, "2026-02-01")
        sim.advance(timedelta(days=sim.configuration.days))
        first, second = sim.runs("orders")
        assert (first.state, second.state) == ("Completed", "Failed"), sim.explain(first)
        assert first.tasks[0].end - first.tasks[0].start == timedelta(minutes=1)
        assert first.end - first.start > timedelta(minutes=2)
        told = course(sim)
    assert json.loads((folder / "seen.json").read_text())[1:] == [
        *(7, "mine", "eu", "placeholder", "1\n")
    ]
    assert not (folder / "prices.csv").exists()
    assert told.made_up == ()
    assert [one.kept for one in told.promises] == [True, True]
    assert told.promises[0].name == never_two("orders/dev").name
    assert told.stubs["notify"] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("start = [", "1: is not TOML: Invalid value"),
        ("dys = 3", "1: no key 'dys': did you mean 'days'?"),
        ("seed = 1\n\n[duration]\nread = 1", "3: no key 'duration': did you mean 'durations'?"),
        ("[durations]\na = 1\nread = 'x'", "3: read='x' must be seconds"),
        ("[durations]\nread = { p50 = 9, p95 = 3 }", "2: the quantile p95 must be longer than p50"),
        ("[durations]\nread = -1", "2: read=-1 s must be 0 or more"),
        ("durations = 3", "1: durations=3 must be a table, which begins with [durations]"),
        ("[stubs]\nread = 3", "2: read=3 must be a table, such as { returns = 3 }"),
        ("[stubs.read]\nretuns = 3", "1: no key of the stub of 'read': 'retuns': did you mean"),
        ("timezone = 'Europe/Pari'", "1: timezone='Europe/Pari' must be a time zone"),
        ("start = 2026-01-01T00:00:00", "1: start=2026-01-01T00:00:00 is naive"),
        ("\ndays = -3", "2: days=-3  must be from 0 to 3660"),
        (
            "faults = 'raise'",
            "1: faults='raise' must be tables, each of which begins with [[faults]]",
        ),
    ],
)
def test_what_is_wrong_is_one_line_with_the_place(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "simulation.toml"
    file.write_text(text)
    with pytest.raises(SimulationError) as caught:
        configuration_of(tmp_path)
    assert str(caught.value).startswith(f"{file}:{said}".replace("  ", " ")), caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[durations]\nraed = 3", "2: no flow or task named 'raed': did you mean 'read'?"),
        ("[stubs]\nread = { returns = [1, 'two'] }", r"2: stub of 'read': .* type list\[int\]"),
        (
            "[stubs]\nread = { raises = 'ValueErrr' }",
            "2: no exception of Python 'ValueErrr': did you mean 'ValueError'?",
        ),
        (
            "[stubs]\nread = { each = [{ raises = 'json.JSONDecodeErorr' }] }",
            "2: no exception of json 'JSONDecodeErorr': did you mean 'JSONDecodeError'?",
        ),
        ("[stubs]\nread = { raises = 'jsonn.Error' }", "2: stub: no module 'jsonn'"),
        ("[stubs]\nread = { raises = 3 }", "2: raises=3 must be the name of an exception"),
        (
            "[stubs]\nread = { raises = 'OSError', returns = [1] }",
            "2: stub of 'read': `raises` excludes returns",
        ),
        ("[stubs]\n'nowhere.f' = {}", "2: stub: no module 'nowhere'"),
        ("[[faults]]\nkind = 'rise'\nstep = 'read'", "1: no kind of fault 'rise': did you mean"),
        (
            "\n[[promises]]\nkind = 'never_twice'",
            "2: no kind of promise .* did you mean 'never_two'",
        ),
        (
            "[[promises]]\nkind = 'never-pending'\nwithin = '10 min'",
            "1: within='10 min' must be a number of seconds",
        ),
        ("[data]\n'flows.py' = 'small.csv'", "2: .*flows.py' is there already"),
        ("[data]\n'other.csv' = 'none.csv'", "2: there is no file .*none.csv' to put in place"),
    ],
)
def test_what_is_not_there_is_refused(text: str, said: str, folder: Path, capfd) -> None:
    stubbed = "'till.lines_of' = { returns = [1] }\n"
    text = text if "[stubs]" not in text else f"{text}\n{stubbed}"
    (folder / "simulation.toml").write_text(
        text if "[stubs]" in text else f"{text}\n[stubs]\n{stubbed}"
    )
    assert call(["project", str(folder), "--check"]) == 2
    error = capfd.readouterr().err
    assert re.search(f"simulation.toml:{said}", error), error
    assert error.count("\n") == 1


def test_a_draft_is_written_once_and_may_be_uncommented(folder: Path, capfd) -> None:
    (folder / "till.py").write_text(TILL.replace('raise OSError("away")', "return []"))
    (folder / "flows.py").write_text(FLOWS.replace("raise ValueError(text)", "return 1"))
    assert call(["project", str(folder), "--init"]) == 0
    text = (folder / "simulation.toml").read_text()
    assert "#notify = {}" in text
    assert '#key = "placeholder"' in text
    assert configuration_of(folder).durations == {}
    assert call(["project", str(folder), "--init"]) == 2
    assert "is there already" in capfd.readouterr().err
    (folder / "simulation.toml").write_text(re.sub(r"(?m)^#(?! )", "", text))
    uncommented = configuration_of(folder)
    assert set(uncommented.durations) == {"orders", "read", "notify"}
    assert call(["project", str(folder), "--check", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["promises"][0]["kept"]


SOUND = """
from prefect import flow

@flow
def orders(): ...
"""


def test_a_broken_promise_is_an_exit_code_if_asked_for(folder: Path, capfd) -> None:
    (folder / "flows.py").write_text(SOUND)
    promised = (
        "start = 2026-02-01T00:00:00Z\n[[faults]]\nkind = 'slow start'\nby = 600\n"
        "[[promises]]\nkind = 'never_pending'\nwithin = {}\n"
    )
    week = ["project", str(folder), "--days", "3"]
    for within, options, code in [(60, [], 0), (60, ["--strict"], 1), (3600, ["--strict"], 0)]:
        (folder / "simulation.toml").write_text(promised.format(within))
        assert call([*week, *options]) == code, capfd.readouterr().out
        assert ("BROKEN" in capfd.readouterr().out) == (within == 60)


def test_the_marker_names_the_folder_of_a_project(pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("platform")
    (folder / "flows.py").write_text(SOUND)
    (folder / "prefect.yaml").write_text(YAML)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.project("platform")
        def test_it(project):
            project.advance(days=2)
            assert [run.state for run in project.runs("orders")] == ["Completed"] * 2

        def test_there_is_none_here(project): ...
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:randomly")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*prefect.yaml*"])


def test_schedules_are_said_in_its_time_zone(folder: Path, capfd) -> None:
    (folder / "simulation.toml").write_text(
        'start = 2026-02-01T00:00:00Z\ntimezone = "Europe/Paris"'
    )
    assert call(["schedule", str(folder), "--days", "3"]) == 0
    said = capfd.readouterr().out
    assert "3 days from 2026-02-01, times in Europe/Paris" in said
    assert "2026-02-01 03:00 " in said


def test_the_page_about_it_holds(tmp_path: Path, capfd) -> None:
    page = (ROOT / "docs" / "simulation-toml.md").read_text()
    [text] = re.findall(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    shutil.copytree(ROOT / "examples" / "shop", tmp_path / "shop")
    (tmp_path / "shop" / "simulation.toml").write_text(text)
    assert set(tomllib.loads(text)) == set(KEYS), "the page shows every key"
    assert call(["project", str(tmp_path / "shop"), "--check", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert (told["seed"], told["stubs"].keys()) == (7, {"shop.export.lines_of", "notify"})


def test_a_stub_that_raises_what_the_flow_knows(folder: Path) -> None:
    (folder / "till.py").write_text(
        "class Closed(Exception): ...\n\ndef total() -> int:\n    raise OSError('away')\n"
    )
    (folder / "flows.py").write_text(
        "from prefect import flow, task\nfrom till import Closed, total\n\n"
        "@task(retries=1)\ndef read() -> int:\n    return 0\n\n"
        "@flow\ndef orders():\n    try:\n        total()\n"
        "    except Closed as closed:\n        assert closed.args == (7,)\n"
        "        assert read() == 3\n"
    )
    (folder / "simulation.toml").write_text(
        "[stubs]\n'till.total' = { raises = { type = 'till.Closed', args = [7] } }\n"
        "read = { attempts = [{ raises = 'TimeoutError' }, 3] }\n"
    )
    with opened(folder) as sim:
        load(sim)
        sim.advance(days=1)
        [run] = sim.runs()
    assert (run.state, [task.run_count for task in run.tasks]) == ("Completed", [2])
