"""The page: what it holds is what the results hold, in one file, and nothing else."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from nights import START, made, night

from simulator.cli import call
from simulator.errors import SimulationError
from simulator.history import History, Results, kept_outcomes, parting, parting_of_ends
from simulator.report import write_page
from simulator.report.numbers import numbers


@pytest.fixture
def data(results: Path) -> dict[str, Any]:
    return numbers(kept_outcomes(results))


class TestNumbers:
    def test_scenarios_and_variants_come_with_what_was_asked_and_found(self, data) -> None:
        first, second = data["scenarios"]
        assert first["question"] == "Does the parent tell?"
        assert [variant["slug"] for variant in first["variants"]] == [
            "state ignored",
            "state raised",
        ]
        assert [variant["passed"] for variant in first["variants"]] == [False, True]
        assert first["variants"][0]["verdicts"][0][:3] == [
            "the parent tells",
            False,
            "it is Completed",
        ]
        places = first["variants"][0]["verdicts"][0][6]
        assert places == [-1, 2]  # a run that is not in the history; the second of the parents
        assert second["variants"][0]["error"] == "ValueError: no <such> thing"
        assert second["variants"][0]["runs"] == []

    def test_instants_are_seconds_since_the_midnight_before(self, data) -> None:
        first = data["scenarios"][0]
        assert first["origin"] == "2026-03-28T00:00:00Z"
        assert first["variants"][0]["until"] == 25 * 3600
        assert first["variants"][0]["runs"][0][6] == 22 * 3600

    def test_tables_come_with_the_instants_at_which_they_were_written(self, data) -> None:
        evening, midnight = 22 * 3600 + 900, 24 * 3600 + 900
        for variant in data["scenarios"][0]["variants"]:
            assert variant["tables"] == [["main.orders", [evening, midnight]]]
        assert data["scenarios"][1]["variants"][0]["tables"] == []

    def test_children_come_below_the_run_that_called_them(self, data) -> None:
        runs = data["scenarios"][0]["variants"][0]["runs"]
        told = [(data["texts"][run[3]], run[1], run[2]) for run in runs]
        assert told == [
            ("parent", 0, -1),
            ("child", 1, 0),
            ("parent", 0, -1),
            ("child", 1, 2),
            ("parent", 0, -1),
            ("child", 1, 4),
            ("report", 0, -1),
        ]

    def test_a_parent_that_hides_a_failure_is_told(self, data) -> None:
        ignored, raised = data["scenarios"][0]["variants"]
        assert (ignored["masked"], ignored["ended"]) == (1, 3)
        assert [run[14] for run in ignored["runs"]] == [0, 0, 1, 0, 0, 0, 0]
        assert raised["masked"] == 0

    def test_what_nobody_expects_is_explained(self, data) -> None:
        runs = data["scenarios"][0]["variants"][0]["runs"]
        explained = [run[13] >= 0 for run in runs]
        assert explained == [False, False, True, True, False, False, True]
        assert "fault" in data["texts"][runs[3][13]]

    def test_variants_part_where_the_parents_end_and_it_is_said_how(self, data) -> None:
        ended = [["state ignored", "parent Completed"], ["state raised", "parent Failed"]]
        assert data["scenarios"][0]["partings"] == [
            ["part", 23 * 3600 + 905, ended],
            ["end otherwise", 23 * 3600 + 905, ended],
        ]

    def test_runs_that_were_made_at_one_instant_have_ids_of_their_own(self, tmp_path: Path) -> None:
        """As those of a schedule, whose ids begin with that instant: a link opened another one."""
        ids = [UUID(f"019b76da-bb88-7ddd-8b0c-9de1{number:08x}") for number in range(3)]
        runs = [made("a", START, ("Running", 0), ("Completed", 1), id=one) for one in ids]
        file = Results.open(tmp_path / "results.duckdb")
        file.add("one", "default", 0, History(runs), days=1)
        shown = numbers(kept_outcomes(tmp_path / "results.duckdb"))
        told = [run[0] for run in shown["scenarios"][0]["variants"][0]["runs"]]
        assert sorted(told) == sorted(one.hex[-12:] for one in ids)


class TestParting:
    def test_what_is_the_same_never_parts(self) -> None:
        assert parting([night("Failed"), night("Failed")]) is None
        assert parting([night("Failed")]) is None

    def test_a_later_end_of_one_is_no_difference(self) -> None:
        early = made("a", START, ("Running", 0), ("Completed", 1))
        late = made("a", START, ("Running", 0), ("Completed", 1), ("Failed", 99))
        assert parting([History([early], now=START.replace(minute=1)), History([late])]) is None

    def test_a_flow_that_not_all_have_does_not_count(self) -> None:
        one, other = (
            History([made(name, START, ("Running", 0)), made("b", START, ("Running", 9 + late))])
            for late, name in enumerate(("a", "a2"))
        )
        found = parting([one, other])
        assert found is not None
        assert found.at == START.replace(second=9)
        assert found.sides == ((("b", "Running"),), ())

    def test_ends_part_where_the_same_is_due_and_ends_otherwise(self) -> None:
        """Later is no difference, and neither is another name: the third is."""

        def lived(name: str, after: int, *ends: str) -> History:
            due = [START + timedelta(hours=n) for n in range(len(ends))]
            return History(
                [
                    made(name, at, ("Running", after), (end, after + 60), auto_scheduled=True)
                    for at, end in zip(due, ends, strict=True)
                ]
            )

        one = lived("a", 0, "Completed", "Failed", "Failed")
        other = lived("b", 10, "Completed", "Failed", "Completed", "Failed")
        found = parting_of_ends([one, other])
        assert found is not None
        assert found.at == START + timedelta(hours=2, seconds=60)
        assert found.sides == ((("a", "Failed"),), (("b", "Completed"),))
        assert parting_of_ends([one, lived("b", 10, "Completed", "Failed")]) is None
        assert parting_of_ends([one]) is None

    def test_it_is_the_first_of_any_two(self) -> None:
        ends = [made("a", START, ("Running", 0), ("Completed", after)) for after in (9, 9, 3)]
        now = START.replace(minute=1)
        found = parting([History([run], now=now) for run in ends])
        assert found is not None
        assert found.at == START.replace(second=3)
        assert found.sides == ((), (), (("a", "Completed"),))


class TestFile:
    def test_it_asks_nobody_for_anything(self, results: Path, tmp_path: Path) -> None:
        write_page(results, tmp_path / "page.html")
        page = (tmp_path / "page.html").read_text()
        assert "default-src 'none'" in page
        assert not re.search(r"""(?:src|href)=["'](?!#)|@import|url\(""", page)

    def test_no_text_of_the_results_is_html(self, results: Path, tmp_path: Path, data) -> None:
        write_page(results, tmp_path / "page.html")
        page = (tmp_path / "page.html").read_text()
        assert "<b>boom" not in page
        embedded = page.split('id="data">')[1].split("</script>")[0]
        assert json.loads(embedded) == json.loads(json.dumps(data))

    def test_several_seeds_have_links_of_their_own(self, results: Path) -> None:
        [one, *_] = kept_outcomes(results)
        other = type(one)(**{**vars(one), "key": (*one.key[:2], 8)})
        told = numbers([one, other])["scenarios"][0]["variants"]
        assert [variant["slug"] for variant in told] == ["state ignored@7", "state ignored@8"]


class TestCommand:
    def test_it_writes_the_page_beside_the_results(self, results: Path, capsys) -> None:
        assert call(["report", str(results)]) == 0
        page = results.with_name("report.html")
        assert capsys.readouterr().out.strip() == str(page)
        assert page.read_text().startswith("<!DOCTYPE html>")

    def test_or_where_it_is_told(self, results: Path, tmp_path: Path) -> None:
        assert call(["report", str(results), "--output", str(tmp_path / "mine.html")]) == 0
        assert [file.name for file in tmp_path.iterdir()] == ["mine.html"]

    def test_a_missing_file_is_one_line(self, tmp_path: Path, capsys) -> None:
        assert call(["report", str(tmp_path / "none.duckdb")]) == 2
        assert re.fullmatch(
            r"simulate: no results file at '.*none.duckdb'.*\n", capsys.readouterr().err
        )

    def test_a_folder_that_is_not_there_is_one_line(self, results: Path, tmp_path: Path) -> None:
        with pytest.raises(SimulationError, match=r"cannot write the page .*: No such file"):
            write_page(results, tmp_path / "none" / "page.html")
