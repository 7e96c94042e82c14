"""What a prefect.yaml declares, and how a mistake in it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.cli import call
from simulator.project.declared import Declared, declared
from simulator.project.loading import base_of, unsimulated
from simulator.project.scripts import scripts

FLOW = "from prefect import flow\n\n@flow\ndef main(): ...\n"


def project(folder: Path, text: str) -> Path:
    (folder / "flows.py").write_text(FLOW)
    file = folder / "prefect.yaml"
    file.write_text(text)
    return file


def declared_in(file: Path) -> list[Declared]:
    return declared(file, file.parent)


def test_anchors_and_keys_that_prefect_does_not_read(tmp_path: Path) -> None:
    [one, other] = declared_in(
        project(
            tmp_path,
            "definitions:\n"
            "  pool: &pool {name: k8s, image: shop}\n"
            "pull: [{prefect.deployments.steps.git_clone: {repository: x}}]\n"
            "deployments:\n"
            "- name: a\n"
            "  entrypoint: flows.py:main\n"
            "  work_pool: *pool\n"
            "  env: {A: b}\n"
            "- name: b\n"
            "  entrypoint: flows.py:main\n"
            "  pull: []\n",
        )
    )
    assert one.config["work_pool"]["name"] == "k8s"
    assert [(key, where.rpartition(":")[2]) for key, where in one.ignored] == [
        ("env", "8"),
        ("work_pool.image", "2"),  # where the anchor is
    ]
    assert one.where == "prefect.yaml:5"
    assert (len(one.pull), other.pull) == (1, ())


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("deployments: [\n", 2, "is not YAML"),
        ("- 1\n", 1, "must be a mapping with a list `deployments`"),
        ("name: x\n", 1, "declares no deployments"),
        ("deployments:\n- 3\n", 2, "a deployment must be a mapping, not 3"),
        (
            (
                "deployments:\n- name: a\n  entrypoint: flows.py:main\n"
                "  schedule: {cron: 0 2 * * *}\n  schedules: []\n"
            ),
            5,
            "both `schedule` and `schedules`",
        ),
        (
            (
                "deployments:\n- name: a\n  entrypoint: flows.py:main\n"
                "- name: a\n  entrypoint: flows.py:main\n"
            ),
            4,
            "is declared a second time",
        ),
        (
            "deployments:\n- name: a\n  entrypoint: flows.py:main\n  concurrency_limit: many\n",
            4,
            "`concurrency_limit`",
        ),
        (
            (
                "deployments:\n- name: a\n  entrypoint: flows.py:main\n"
                "  schedules:\n  - cron: 0 2 * * *\n    catchup: false\n"
            ),
            6,
            "`catchup`: Extra inputs are not permitted",
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_place(
    tmp_path: Path, text: str, line: int, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = project(tmp_path, text)
    assert call(["project", str(tmp_path)]) == 2
    [told] = capfd.readouterr().err.splitlines()
    assert told.startswith(f"simulate: {file}:{line}: ")
    assert said in told


@pytest.mark.parametrize("command", [("project", "--check"), ("schedule",)])
def test_what_has_no_entrypoint_is_left_out_and_the_rest_goes_on(
    tmp_path: Path, command: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    project(
        tmp_path,
        "deployments:\n"
        "- name: a\n"
        '- {name: b, entrypoint: flows.py:main, schedule: {cron: "0 2 * * *"}}\n'
        "- {name: a, entrypoint: }\n",
    )
    assert call([command[0], str(tmp_path), *command[1:]]) == 0
    said = capfd.readouterr().out
    assert "Not loaded: 2\n" in said
    for line in (2, 4):
        assert f"a (prefect.yaml:{line})" in said
    assert "it has no entrypoint, such as flows.py:main" in said
    assert ("1 deployments" if command[0] == "project" else "main/b") in said


def test_a_folder_that_is_no_project(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert call(["project", str(tmp_path)]) == 2
    assert "is no project" in capfd.readouterr().err
    assert call(["project", str(tmp_path / "none")]) == 2
    assert "there is no folder" in capfd.readouterr().err


def test_a_folder_of_another_machine_stands_for_the_one_that_has_the_file(tmp_path: Path) -> None:
    (tmp_path / "etl").mkdir()
    project(tmp_path / "etl", "")
    step = "prefect.deployments.steps"
    [one] = declared_in(
        project(
            tmp_path,
            "deployments:\n- name: a\n  entrypoint: flows.py:main\n  pull:\n"
            f"  - {step}.set_working_directory: {{directory: /opt/shop/etl}}\n"
            f"  - {step}.run_shell_script: {{script: ls}}\n",
        )
    )
    assert base_of(one, tmp_path) == tmp_path
    (tmp_path / "flows.py").unlink()
    assert base_of(one, tmp_path) == tmp_path / "etl"
    assert list(unsimulated(one.pull)) == [f"{step}.run_shell_script"]


def test_scripts_are_found_by_what_they_call(tmp_path: Path) -> None:
    (tmp_path / "none.py").write_text(FLOW)
    (tmp_path / "broken.py").write_text("def\n")
    (tmp_path / "serves.py").write_text(FLOW + '\n\nif __name__ == "__main__":\n    main.serve()\n')
    (tmp_path / "deploys.py").write_text('import x\nx.main.deploy("a", work_pool_name="k8s")\n')
    deploys, serves = scripts(tmp_path)
    assert (serves.file.name, serves.line) == ("serves.py", 8)
    assert (deploys.file.name, deploys.line) == ("deploys.py", 2)
