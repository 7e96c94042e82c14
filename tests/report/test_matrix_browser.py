"""The matrices in a real browser: what each cell shows, and where it leads."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from browsing import drawn, go, headed, serious
from found import write_audit, write_project

from simulator.audit import KINDS
from simulator.project import KINDS as KINDS_OF_PROJECTS
from simulator.report import write_page

pytest.importorskip("playwright.sync_api", reason="pip install playwright")


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("audit") / "audit.duckdb", write_audit)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("project") / "project.duckdb", write_project)


def written(results: Path, write: Any) -> str:
    write(results)
    page = results.with_suffix(".html")
    write_page(results, page)
    return page.as_uri()


def matrix(page: Any, name: str = "What becomes of faults: shop") -> Any:
    return page.get_by_role("table", name=name)


def test_a_matrix_has_a_row_for_each_step_and_a_mark_for_each_fault(page: Any, audit: str) -> None:
    go(page, audit)
    table = matrix(page)
    assert table.locator("thead th").all_text_contents() == [
        "step", "killed", "raises", "clocks", "raises once"
    ]  # fmt: skip
    assert [
        [cell.get_attribute("class") or "" for cell in row.locator("td .mark").all()]
        for row in table.locator("tbody tr").all()
    ] == [
        ["mark serious", "mark serious", "mark well"],
        ["mark serious", "mark noticed", "mark serious"],
    ]
    assert table.locator("tbody tr td").nth(2).text_content() == "·none"
    said = "child/dev, raises: masked: child/dev ends Failed, and parent/dev is Completed"
    cell = table.get_by_role("link", name=f"{said}; late (15m 00s): parent/dev")
    assert cell.get_attribute("title").startswith(said)
    assert page.get_by_text("4 of 6 faults, one at a time, are serious").is_visible()
    key = page.get_by_label("Marks: serious").locator("li").all_text_contents()
    assert key[1] == f"2 masked: {KINDS['masked']}"


@pytest.mark.parametrize("kinds", [KINDS, KINDS_OF_PROJECTS], ids=["audit", "project"])
@pytest.mark.parametrize("look", [("light", 1280)], indirect=True, ids=str)
def test_each_kind_has_a_sign_of_its_own(page: Any, audit: str, kinds: Collection[str]) -> None:
    go(page, audit)
    assert page.evaluate("(kinds) => kinds.filter((kind) => !(kind in SIGNS))", [*kinds]) == []
    signs = page.evaluate("(kinds) => kinds.map((kind) => SIGNS[kind])", [*kinds])
    assert len(set(signs)) == len(kinds)
    outlines = page.evaluate("LEVELS.map(([level]) => OUTLINES[level])")
    assert len(set(filter(None, outlines))) == len(outlines) == 5
    letters = page.evaluate("kindMark(['zebra', '', 'minor']).textContent")
    assert letters == "ze"  # a kind of which this page knows nothing


def test_a_mark_leads_to_what_happened_beside_what_would(page: Any, audit: str) -> None:
    go(page, audit)
    matrix(page).get_by_role("link", name="child/dev, raises: masked").click()
    headed(page, "shop: child/dev:raises")
    assert page.locator(".lane h3 a").all_text_contents() == ["child/dev:raises", "without a fault"]
    told = page.locator(".shown li").all_text_contents()
    assert told[0].startswith("masked: child/dev ends Failed, and parent/dev is Completed")
    assert told[1] == "late (15m 00s): parent/dev"
    assert page.get_by_text("simulate audit shop --show child/dev:raises").is_visible()
    drawn(page)
    page.get_by_role("link", name="the run that shows it").click()
    headed(page, "child/dev of 2026-03-28 23:00:00 UTC")
    assert page.get_by_role("heading", name="What it shows").is_visible()


def test_what_no_run_shows_leads_to_the_words(page: Any, audit: str) -> None:
    go(page, audit)
    matrix(page).get_by_role("button", name="parent/dev, clocks: lost run").click()
    entry = page.locator(".entry:focus")
    assert entry.text_content() == "lost run"
    row = page.get_by_role("table", name="In words").get_by_role("row", name="lost run")
    assert "parent/dev on 2026-03-29, skipped" in row.text_content()


def test_keys_move_among_the_marks_and_open_one(page: Any, audit: str) -> None:
    go(page, audit)
    page.locator(".matrix .cell[tabindex='0']").focus()
    for key, name in (
        ("ArrowRight", "child/dev, raises:"),
        ("ArrowRight", "child/dev, raises once"),  # over what has no mark
        ("ArrowLeft", "child/dev, raises:"),
        ("ArrowUp", "child/dev, raises:"),  # there is none
        ("ArrowDown", "parent/dev, raises"),
    ):
        page.keyboard.press(key)
        said = page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert said.startswith(name), key
    assert page.locator(".matrix .cell[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    headed(page, "shop: parent/dev:raises")


def test_a_cell_without_an_answer_says_why(page: Any, audit: str) -> None:
    go(page, audit)
    matrix(page).get_by_role("link", name="child/dev, killed: no answer").click()
    headed(page, "shop: child/dev:killed")
    assert page.locator(".shown li").all_text_contents() == ["no answer: its process was killed"]


def test_the_findings_of_a_project_lead_to_their_runs(page: Any, project: str) -> None:
    go(page, project)
    table = matrix(page, "Findings: as it is")
    many = table.get_by_role("link", name="parent/dev, masked failure: masked failure")
    assert many.text_content() == "3\N{MULTIPLICATION SIGN}"
    many.click()
    headed(page, "child/dev of 2026-03-28 23:00:00 UTC")
    assert (
        "masked failure: child/dev ends Failed (3 times)" in page.locator(".shown").text_content()
    )
    go(page, project)
    matrix(page, "Findings: read.retries=3").get_by_role("button").click()
    assert page.locator(".entry:focus").text_content() == "ignored key"
    words = page.get_by_role("table", name="In words").first.locator("tbody tr")
    assert words.locator("th").all_text_contents() == [
        "masked failure, 3 times",
        "ignored key",
        "ignored key",
    ]
    shown = [row.locator("td").last.text_content() for row in words.all()]
    assert shown == ["child/dev", "\N{EN DASH}", "\N{EN DASH}"]


def test_a_matrix_scrolls_in_its_own_box(page: Any, audit: str, project: str) -> None:
    for address in (audit, project):
        for link in ("", "shop"):
            go(page, address, link)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), link
    go(page, audit)
    page.set_viewport_size({"width": 280, "height": 800})
    box = page.locator(".matrix")
    box.evaluate("(box) => { box.scrollLeft = 1000; }")
    assert box.evaluate("(box) => box.scrollLeft") > 0
    first = box.locator("tbody th").first
    assert first.evaluate(
        "(head) => head.getBoundingClientRect().left - head.closest('.matrix').getBoundingClientRect().left"
    ) == pytest.approx(1, abs=1)  # the name of the step stays in sight


def test_axe_finds_nothing_serious_in_a_matrix(page: Any, audit: str, project: str) -> None:
    for address in (audit, project):
        for link in ("", "shop"):
            go(page, address, link)
            assert serious(page) == [], link
    go(page, audit, "shop/child%2Fdev%3Araises")
    assert serious(page) == []


@pytest.mark.parametrize("look", [("dark", 700)], indirect=True, ids=str)
def test_a_matrix_is_whole_on_paper(page: Any, audit: str) -> None:
    go(page, audit)
    page.emulate_media(media="print")
    assert matrix(page).get_by_role("button", name="parent/dev, clocks: lost run").is_visible()
    assert not page.get_by_text("arrow keys move among marks").is_visible()
    box = page.locator(".matrix").evaluate("(box) => [box.scrollWidth, window.innerWidth]")
    assert box[0] <= box[1]
