"""What public projects have in their files, and how they are called: in their own folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simulator.cli import call
from simulator.project import copied, course, load, opened, sections

FLOWS = """
import os

from prefect import flow


@flow(name="ingest_all")
def ingest():
    return os.getcwd()


if __name__ == "__main__":
    ingest.serve("served", cron="0 * * * *")
"""


def simulate(*arguments: str, folder: Path) -> str:
    """What the command prints on its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "simulator.cli", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_working_directory_of_another_machine_stands_for_the_project(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "prefect.yaml").write_text(
        "deployments:\n"
        "- name: prod\n"
        "  entrypoint: flows.py:ingest\n"
        "  work_pool: {name: pool, job_variables: {working_dir: /opt/of/elsewhere}}\n"
        '  schedule: {cron: "0 * * * *"}\n'
    )
    with opened(tmp_path, start="2026-01-01T00:30:00Z") as sim:
        load(sim)
        sim.advance(hours=1)
        (run,) = sim.runs(deployment="ingest_all/prod")
        assert run.state == "Completed"
        (note,) = [note for note in sim.history().notes if note.kind == "result"]
    assert note.text == repr(str(tmp_path))


def test_another_prefect_file_takes_the_place_of_prefect_yaml(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "prefect.yaml").write_text(
        "deployments:\n- {name: dev, entrypoint: flows.py:ingest}\n"
    )
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "prod.yaml").write_text(
        "deployments:\n"
        '- {name: prod, entrypoint: "flows.py:ingest", schedule: {cron: "0 6 * * *"}, hue: red}\n'
    )
    asked = ("--prefect-file", "deploy/prod.yaml")
    listed = "ingest_all/prod (deploy/prod.yaml:2)\n"
    assert simulate("project", ".", "--list", *asked, folder=tmp_path) == listed
    lived = json.loads(
        simulate("project", "--days", "1", "--json", *asked, "--out", "r", folder=tmp_path)
    )
    assert [(one["deployment"], one["runs"]) for one in lived["deployments"]] == [
        ("ingest_all/prod", 1)
    ]
    assert [one["where"] for one in lived["findings"] if one["kind"] == "ignored key"] == [
        "deploy/prod.yaml:2"
    ]
    (due,) = json.loads(simulate("schedule", "--days", "1", "--json", *asked, folder=tmp_path))
    assert (due["deployment"], due["where"]) == ("ingest_all/prod", "deploy/prod.yaml:2")
    assert simulate("project", str(tmp_path), "--list", *asked, folder=tmp_path.parent) == listed
    (tmp_path / "simulation.toml").write_text('prefect_file = "deploy/prod.yaml"\n')
    assert simulate("project", "--list", folder=tmp_path) == listed
    (due,) = json.loads(simulate("schedule", "--days", "1", "--json", folder=tmp_path))
    assert due["deployment"] == "ingest_all/prod"


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("none.yaml", "prefect_file='none.yaml' must be a file in the project's folder"),
        ("../other.yaml", "'../other.yaml' is not in the project's folder, '.'"),
    ],
)
@pytest.mark.parametrize("command", ["project", "schedule", "audit"])
def test_a_prefect_file_that_cannot_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any, command: str, file: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call([command, ".", "--prefect-file", file]) == 2
    error = capfd.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_an_entrypoint_that_counts_from_the_repository_says_how_to_go_there(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    repository = tmp_path / "shop"
    (repository / "sub").mkdir(parents=True)
    (repository / "sub" / "flows.py").write_text(FLOWS)
    (repository / "sub" / "prefect.yaml").write_text(
        "deployments:\n"
        '- {name: a, entrypoint: sub/flows.py:ingest, schedule: {cron: "0 6 * * *"}}\n'
        "- {name: b, entrypoint: sub.flows.ingest}\n"
        "- {name: c, entrypoint: shop/sub/flows.py:ingest}\n"
    )

    def causes() -> list[str]:
        with copied(repository / "sub") as home, opened(home) as sim:
            load(sim)
            return [one.cause for one in course(sim, repository / "sub").unloaded]

    assert "--prefect-file" not in str(causes()), "it is in no repository"
    (repository / ".git").mkdir()
    go = f"; there is one from {str(repository)!r} on: go there, with --prefect-file sub/prefect.yaml"
    assert [one.endswith(go) for one in causes()] == [True, True, False]
    assert "--prefect-file" not in causes()[2], "it is above the repository"
    said = simulate("schedule", folder=repository / "sub")
    assert f"a (prefect.yaml:2): no file 'sub/flows.py'{go}" in said
    assert "ingest/a" in said, "when it would run is known all the same"
    assert said.count("--prefect-file") == 1, "the others have no schedule"
    assert call(["audit", str(repository / "sub"), "--days", "0.1", "--out", str(tmp_path)]) == 2
    assert f"{go}; b: " in capfd.readouterr().err
    asked = ["--prefect-file", "sub/prefect.yaml", "--days", "0.1", "--out", str(tmp_path)]
    for _ in range(2):  # the second time nothing is done again, and it is told all the same
        assert call(["audit", str(repository), *asked]) == 0
        assert (
            "\nNot loaded, and so not audited: 1\n  c (sub/prefect.yaml:4): "
            in capfd.readouterr().err
        )
    with opened(repository, prefect_file="sub/prefect.yaml") as sim:
        load(sim)
        assert [one.name for one in sim.loaded] == ["ingest_all/a", "ingest_all/b"]


def test_scripts_that_are_left_out_are_named(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "prefect.yaml").write_text(
        "deployments:\n- {name: dev, entrypoint: flows.py:ingest}\n"
    )
    with opened(tmp_path) as sim:
        load(sim)
        told = dict(sections(course(sim)))
    assert [title for title in told if title.startswith("Scripts that serve or deploy")]
    (lines,) = [one for title, one in told.items() if title.startswith("Scripts")]
    assert lines == [["flows.py:13"]]


CALLS = """
from prefect import flow
from prefect.deployments import run_deployment


@flow
def parent():
    run_deployment("ingest_all/hourly")  # of b/prefect.yaml
    run_deployment("ingest_all/served")  # of a script
    run_deployment("ingest_all/lost")  # of an entry that cannot be imported
    run_deployment("other/hourly")
    run_deployment("ingest_all/hourli")
"""


def after(deployment: str) -> str:
    related = f"{{prefect.resource.role: deployment, prefect.resource.name: {deployment}}}"
    return f"{{type: event, expect: [prefect.flow-run.Completed], match_related: {related}}}"


def test_what_another_file_of_the_project_deploys_is_no_unknown_deployment(tmp_path: Path) -> None:
    for folder, text in (("a", CALLS), ("b", FLOWS)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "flows.py").write_text(text)
    waits = ", ".join(map(after, ("hourly", "served", "lost", "hourli")))
    (tmp_path / "a" / "prefect.yaml").write_text(
        "deployments:\n"
        f'- {{name: dev, entrypoint: "a/flows.py:parent", triggers: [{waits}]}}\n'
        '- {name: lost, entrypoint: "a/nowhere.py:ingest"}\n'
    )
    (tmp_path / "b" / "prefect.yaml").write_text(
        'deployments:\n- {name: hourly, entrypoint: "flows.py:ingest"}\n'
    )
    (tmp_path / "b" / "prefect.yml").write_text("deployments: [{entrypoint: *nowhere}]\n")
    with opened(tmp_path, prefect_file="a/prefect.yaml") as sim:
        load(sim)
        lived = course(sim)
    assert [one.name for one in lived.unloaded] == ["lost"]
    near = "did you mean 'ingest_all/hourly'?"
    waits = "the trigger of parent/dev waits for what never comes"
    assert [(one.kind, one.where, one.sentence.partition(": ")[::2]) for one in lived.findings] == [
        (
            "unknown deployment",
            "a/flows.py:12",
            ("run_deployment('ingest_all/hourli')", f"no deployment 'ingest_all/hourli': {near}"),
        ),
        (
            "unknown deployment",
            "a/flows.py:11",
            ("run_deployment('other/hourly')", f"no deployment 'other/hourly': {near}"),
        ),
        (
            "unknown name",
            "a/prefect.yaml:2",
            (waits, "no deployment 'hourli': did you mean 'hourly'?"),
        ),
    ]


def test_what_a_script_that_is_not_asked_for_deploys_is_no_unknown_deployment(
    tmp_path: Path,
) -> None:
    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "parent.py").write_text(CALLS + "\n\nparent.serve('p')\n")
    with opened(tmp_path) as sim:
        load(sim, [Path("parent.py")])
        found = {one.subject for one in course(sim).findings}
    assert found == {"ingest_all/hourly", "ingest_all/lost", "other/hourly", "ingest_all/hourli"}


LACKING = """
import json
import subprocess

from prefect import flow
from prefect.blocks.system import Secret


@flow
def pulls():
    subprocess.run(["dvc-of-nowhere", "pull"], check=True)


@flow
def pulls_by_a_shell():
    subprocess.run("dvc-of-nowhere pull", shell=True, check=True)


@flow
def reads_a_key():
    return json.loads(Secret.load("service-account").get())


@flow
def counts():
    return int(Secret.load("how-many").get())


@flow
def opens():
    return open("dvc-of-nowhere").read()
"""


def test_what_this_machine_lacks_is_no_fault_of_the_design(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(LACKING)
    names = ("pulls", "pulls_by_a_shell", "reads_a_key", "counts", "opens")
    (tmp_path / "prefect.yaml").write_text(
        "deployments:\n"
        + "".join(
            f'- {{name: d, entrypoint: "flows.py:{name}", schedule: {{cron: "0 * * * *"}}}}\n'
            for name in names
        )
    )
    with opened(tmp_path, start="2026-01-01T00:30:00Z") as sim:
        load(sim)
        sim.advance(hours=1)
        lived = course(sim)
        told = dict(sections(lived))
    assert lived.missing_programs == {"dvc-of-nowhere": 2}
    assert lived.misread == 2
    assert [one.subject for one in lived.findings if one.kind == "fails"] == ["opens/d"]
    assert told["Programs that are not installed here, and ended a run"] == [
        ["dvc-of-nowhere (in 2 runs)"]
    ]
    assert told["Made up, since nobody has given them: see [secrets]"] == [
        ["secret/service-account, secret/how-many"],
        ["2 runs failed since such a value is not the true one"],
    ]


def test_a_script_is_named_from_the_folder_that_one_is_in(tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(FLOWS)
    said = simulate("project", ".", "--list", "--script", "served.py", folder=tmp_path)
    assert said == "ingest_all/served (served.py:13)\n"


def test_json_of_a_schedule_is_json_though_a_script_prints(tmp_path: Path) -> None:
    (tmp_path / "served.py").write_text(FLOWS)
    said = simulate("schedule", "--days", "1", "--json", folder=tmp_path)
    assert [one["deployment"] for one in json.loads(said)] == ["ingest_all/served"]


@pytest.mark.parametrize(
    "how",
    [
        '@flow(name="ingest_all")',
        '@prefect.flow(retries=2, name="ingest_all")',
        "@flow",
        '@timed(other="ingest_all", name="of another decorator")\n@flow(retries=2)',
    ],
)
def test_a_schedule_calls_a_flow_by_the_name_that_its_file_gives(tmp_path: Path, how: str) -> None:
    (tmp_path / "flows.py").write_text(
        FLOWS.replace('@flow(name="ingest_all")', how).replace("def ingest", "def ingest_it")
    )
    (tmp_path / "prefect.yaml").write_text(
        "deployments:\n"
        '- {name: prod, entrypoint: "flows.py:ingest_it", schedule: {cron: "0 * * * *"}}\n'
    )
    (one,) = json.loads(simulate("schedule", "--days", "1", "--json", folder=tmp_path))
    name = "ingest-it" if how.endswith(("@flow", "2)")) else "ingest_all"
    assert one["deployment"] == f"{name}/prod"


def test_what_failed_to_import_once_is_told_for_each_by_its_own_cause(tmp_path: Path) -> None:
    """Prefect leaves a half module, in which the next deployment would look for names."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "base.py").write_text(
        "import nowhere_to_be_found\nfrom prefect import flow\n\n\n@flow\ndef first(): ...\n"
    )
    (tmp_path / "flows" / "upper.py").write_text(
        "from base import first\nfrom prefect import flow\n\n\n@flow\ndef second(): ...\n"
    )
    (tmp_path / "prefect.yaml").write_text(
        "deployments:\n"
        '- {name: a, entrypoint: "flows/base.py:first"}\n'
        '- {name: b, entrypoint: "flows/upper.py:second"}\n'
    )
    with opened(tmp_path) as sim:
        load(sim)
        causes = [one.cause for one in course(sim).unloaded]
    assert len(causes) == 2
    for cause in causes:
        assert cause.startswith("the module 'nowhere_to_be_found' is not installed")
