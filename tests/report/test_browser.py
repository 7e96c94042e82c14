"""The page in a real browser: it draws, reacts, and asks nobody for anything."""

import json
from pathlib import Path
from typing import Any

import pytest
from browsing import drawn, go, headed, serious
from nights import write_results

from simulator.history import Results, kept_outcomes
from simulator.report import Watched, write_lesson_page, write_page


@pytest.fixture(scope="module")
def address(results: Path) -> str:
    page = results.with_name("browser.html")
    write_page(results, page)
    return page.as_uri()


def test_each_view_fits_its_screen(page: Any, address: str) -> None:
    for link in ("", "child-fails", "child-fails/state ignored/parent-23", "broken/default", "no"):
        go(page, address, link)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), link


def test_a_name_without_room_is_cut_in_its_middle(page: Any, address: str) -> None:
    go(page, address)
    cut = "([text, room]) => fitted((one) => one.length, text, room)"
    for text, room, shown in (
        ("load-orders", 11, "load-orders"),
        ("load-orders-of-europe", 11, "load-o…rope"),
        ("load-orders-of-asia", 11, "load-o…asia"),
        ("load-orders", 4, "lo…s"),
        ("load", 1, "l…"),
    ):
        assert page.evaluate(cut, [text, room]) == shown


def test_a_run_is_found_again_on_the_time_axis(page: Any, address: str) -> None:
    go(page, address, "child-fails/state ignored/parent-23")
    page.get_by_text("Show it on the time axis").click()
    page.wait_for_selector(".scroller:focus")
    assert (
        "parent, Completed although a run below it failed" in page.locator("#spoken").text_content()
    )
    page.keyboard.press("Enter")
    headed(page, "parent/dev of 2026-03-28 23:00:00 UTC")


def test_where_they_part_is_said_in_words(page: Any, address: str) -> None:
    go(page, address, "child-fails")
    told = page.get_by_text("They end otherwise at 2026-03-28 23:15:05 UTC")
    told.click()
    assert page.get_by_text("state raised: parent Failed").last.is_visible()


def test_what_is_under_the_pointer_is_said(page: Any, address: str) -> None:
    go(page, address, "child-fails/state ignored")
    drawn(page)
    page.locator(".scroller").hover(position={"x": 200, "y": 10})
    title = page.locator(".scroller").get_attribute("title")
    assert title.startswith("parent, Completed, began 2026-03-28 22:00:04")


def test_a_broken_expectation_leads_to_the_run_that_shows_it(page: Any, address: str) -> None:
    go(page, address)
    table = page.get_by_role("table", name="Verdicts and measures of child-fails")
    table.get_by_role("row", name="the parent tells").get_by_role("link").click()
    headed(page, "parent/dev of 2026-03-28 23:00:00 UTC")
    go(page, address, "child-fails")
    page.get_by_role("link", name="run: <Run parent/dev").click()
    headed(page, "parent/dev of 2026-03-28 23:00:00 UTC")
    go(page, address, "child-fails")
    told = page.locator("pre", has_text="broken: the parent tells").text_content()
    assert told.splitlines()[:3] == [
        "broken: the parent tells",
        "it is Completed",
        "run: <Run of elsewhere>",
    ]


def test_a_link_leads_to_a_run_and_says_why(page: Any, address: str) -> None:
    go(page, address, "child-fails/state ignored/parent-23")
    headed(page, "parent/dev of 2026-03-28 23:00:00 UTC")
    assert "Completed although child Failed" in page.locator("pre").first.text_content()
    page.get_by_role("link", name="child/dev").click()
    headed(page, "child/dev of")
    assert "</script><b>boom</b>" in page.locator("main").text_content()


def test_a_run_shows_what_it_returned_logged_and_wrote(page: Any, address: str) -> None:
    go(page, address, "child-fails/state ignored/child-00")
    shown = page.locator("main").inner_text()
    assert "['a.csv', 'b.csv']" in shown
    assert "main.orders: 240 rows, 120 before" in shown
    assert 'con.execute("insert into orders select * from feed")' in shown
    assert "loaded 120 rows" in shown
    assert "WARNING" in shown
    assert "2 rows were odd: </script>" in shown
    assert "Beginning flow run" not in shown


def test_a_link_to_nothing_says_so(page: Any, address: str) -> None:
    go(page, address, "child-fails/none")
    assert "There is no variant none here" in page.locator("main").text_content()


def test_zoom_pan_and_reset_redraw_the_lane(page: Any, address: str) -> None:
    go(page, address, "child-fails")
    whole = drawn(page)
    page.get_by_role("button", name="Zoom in").click()
    near = drawn(page)
    assert near != whole
    page.get_by_role("button", name="Earlier").click()
    assert drawn(page) not in (near, whole)
    page.get_by_role("button", name="Show all of the time").click()
    assert drawn(page) == whole


def test_the_age_of_each_table_lies_below_its_lane_on_the_same_axis(
    page: Any, address: str
) -> None:
    go(page, address, "child-fails")
    ages, scroller = page.locator("canvas.ages"), page.locator(".scroller").first
    assert ages.count() == 2
    assert ages.first.get_attribute("aria-label") == "Age of tables: main.orders at most 2h 00m"
    drawn(page)
    below, above = ages.first.bounding_box(), scroller.bounding_box()
    assert below["y"] >= above["y"] + above["height"]
    assert below["x"] == above["x"] + 1
    assert below["width"] == scroller.evaluate("(one) => one.clientWidth")
    before = ages.first.evaluate("(canvas) => canvas.toDataURL()")
    page.get_by_role("button", name="Zoom in").click()
    drawn(page)
    assert ages.first.evaluate("(canvas) => canvas.toDataURL()") != before


def test_a_filter_keeps_the_runs_above(page: Any, address: str) -> None:
    go(page, address, "child-fails/state ignored")
    count = page.locator(".lane small")
    assert count.text_content() == "7 of 7 runs shown"
    page.get_by_label("State", exact=True).select_option("Failed")
    assert count.text_content() == "2 of 7 runs shown"
    page.get_by_label("State", exact=True).select_option("masked")
    assert count.text_content() == "1 of 7 runs shown"
    page.get_by_label("State", exact=True).select_option("")
    page.get_by_label("Flow", exact=True).select_option("report")
    assert count.text_content() == "1 of 7 runs shown"


def test_keys_choose_fold_and_open_a_run(page: Any, address: str) -> None:
    go(page, address, "child-fails/state ignored")
    page.locator(".scroller").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    spoken = page.get_by_role("status")
    assert spoken.text_content().startswith("parent, Completed although a run below it failed")
    page.keyboard.press("Space")
    assert page.locator(".lane small").text_content() == "6 of 7 runs shown"
    page.keyboard.press("Enter")
    page.wait_for_selector("text=parent/dev of 2026-03-28 23:00:00 UTC")


def test_where_the_variants_part_is_shown(page: Any, address: str) -> None:
    go(page, address, "child-fails")
    before = drawn(page)
    page.get_by_role("button", name="Show the first instant at which the variants part").click()
    assert drawn(page) != before


def test_a_lane_is_a_table_too(page: Any, address: str) -> None:
    go(page, address, "child-fails/state ignored")
    page.get_by_text("As a table").click()
    rows = page.locator(".lane tbody tr")
    rows.first.wait_for()
    assert rows.count() == 7
    assert "although a run below it failed" in rows.nth(2).text_content()


def test_a_slider_shows_the_family_at_an_instant(page: Any, address: str) -> None:
    go(page, address, "child-fails/state ignored/parent-23")
    family = page.get_by_role("region", name="States at that instant")
    assert "Failed" in family.text_content()
    page.locator("#moment").focus()
    page.keyboard.press("Home")
    assert "not there yet" in family.text_content()


@pytest.mark.parametrize("look", [("light", 1280)], indirect=True)
def test_of_many_runs_only_those_in_sight_are_drawn(
    page: Any, address: str, tmp_path: Path
) -> None:
    """Twenty thousand runs: what a frame draws is counted, since what it takes depends on the machine."""
    text = tmp_path / "many.html"
    source = Path(address.removeprefix("file://")).read_text()
    before, rest = source.split('id="data">', 1)
    embedded, after = rest.split("</script>", 1)
    data = json.loads(embedded)
    variant = data["scenarios"][0]["variants"][0]
    variant["runs"] = [[*run[:2], -1, *run[3:]] for run in variant["runs"][:1] * 20_000]
    packed = json.dumps(data).replace("<", "\\u003c")
    text.write_text(f'{before}id="data">{packed}</script>{after}')
    go(page, text.as_uri(), "child-fails/state ignored")
    assert page.locator(".lane small").text_content() == (
        "20000 of 20000 runs shown, by scrolling in it"
    )
    drawn(page)
    page.evaluate("""() => {
        window.labels = 0;
        const own = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
            if (text === "parent") window.labels += 1;
            return own.call(this, text, ...place);
        };
        document.querySelector(".scroller").scrollTop = 200000;
    }""")
    # Not by `wait_for_function`: what that evaluates again in the page, the page's own policy refuses.
    page.evaluate("""async () => {
        for (let frame = 0; frame < 1000 && window.labels === 0; frame += 1)
            await new Promise(requestAnimationFrame);
    }""")
    drawn(page)
    assert 0 < page.evaluate("window.labels") <= 4 * 28  # rows in sight, for a few frames


LESSON = {
    "title": "A lesson", "question": "What is it?", "answers": ["Red", "Green", "Blue"], "right": 2,
    "sentence": "It is </script> green.", "figures": [["parents", "3", "2"]],
    "parameters": [["share", "0.5"]], "command": "simulate learn a", "code": "def flow(): ...",
    "change": "- this", "exercise": "Do it.", "solved": "Not yet.", "solution": "return 1",
}  # fmt: skip


@pytest.fixture(scope="module")
def lesson(results: Path) -> str:
    page = results.with_name("lesson.html")
    lanes = [one for one in kept_outcomes(results) if one.key[0] == "child-fails"]
    write_lesson_page(LESSON, lanes, page)
    return page.as_uri()


def test_a_lesson_shows_what_happened_to_who_has_answered(page: Any, lesson: str) -> None:
    go(page, lesson)
    main = page.locator("main")
    assert "green" not in main.text_content()
    see = page.get_by_role("button", name="See what happens")
    assert see.is_disabled()
    page.get_by_label("1. Red").check()
    see.click()
    assert "Not 1: it is answer 2. Green" in main.text_content()
    assert "It is </script> green." in main.text_content()
    assert page.locator(".scroller canvas").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.get_by_label("2. Green").check()
    see.click()
    assert "Answer 2 is right." in main.text_content()


def test_a_lesson_with_its_solution_judges_no_answer(page: Any, results: Path) -> None:
    solution = results.with_name("solution.html")
    lanes = [one for one in kept_outcomes(results) if one.key[0] == "child-fails"]
    write_lesson_page({**LESSON, "right": None}, lanes, solution)
    go(page, solution.as_uri())
    page.get_by_label("1. Red").check()
    page.get_by_role("button", name="See what happens").click()
    assert "It is </script> green." in page.locator("main").text_content()
    for verdict in ("None of the three", "it is answer", "is right"):
        assert verdict not in page.locator("main").text_content()


def test_a_lesson_is_as_it_was_after_a_look_at_a_run(page: Any, lesson: str) -> None:
    go(page, lesson)
    page.get_by_label("2. Green").check()
    page.get_by_role("button", name="See what happens").click()
    page.locator(".scroller").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=States")
    page.get_by_role("link", name="A lesson").click()
    page.wait_for_selector("form")
    assert page.get_by_label("2. Green").is_checked()
    assert "Answer 2 is right." in page.locator("main").text_content()


# ---- while a run goes on


def test_the_page_of_a_run_follows_it(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "results.duckdb"
    Results.open(file)
    context = browser.new_context()
    page = context.new_page()
    with Watched(file) as watched:
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "request", lambda asked: asked.url.startswith(watched.url) or wrong.append(asked.url)
        )
        page.goto(watched.url)
        page.wait_for_selector("text=0 of 0 variants hold")
        watched.moved("child-fails", "state raised", 1.5, 3)
        page.wait_for_selector("text=Running: child-fails [state raised], day 2 of 3")
        with watched.writing():
            write_results(file)
        page.wait_for_selector("text=1 of 3 variants hold")
        go(page, watched.url, "child-fails/state ignored")
        page.get_by_role("button", name="Zoom in").click()
        near = drawn(page)
        with watched.writing():
            Results.open(file).add("late", "default", 7, None, error="ValueError: late", days=1)
        watched.started("late", "another")
        page.wait_for_selector("text=late [another], begins")
        assert drawn(page) == near  # what a reader looks at is left alone
    page.wait_for_selector("text=The run is over")
    page.get_by_role("link", name="Simulation results").click()
    page.wait_for_selector("text=1 of 4 variants hold")
    assert serious(page) == []
    context.close()
    assert wrong == []


# ---- for everybody


def test_axe_finds_nothing_serious_on_the_page(page: Any, address: str) -> None:
    for view in ("", "child-fails", "child-fails/state ignored", "broken", "no"):
        go(page, address, view)
        assert serious(page) == [], view
    go(page, address, "child-fails/state ignored/parent-23")
    assert serious(page) == []


def test_axe_finds_nothing_serious_in_a_lesson(page: Any, lesson: str) -> None:
    go(page, lesson)
    assert serious(page) == []
    page.get_by_label("2. Green").check()
    page.get_by_role("button", name="See what happens").click()
    assert serious(page) == []


@pytest.mark.parametrize("look", [("light", 1280), ("dark", 1280)], indirect=True, ids=str)
def test_axe_would_find_what_nobody_can_read(page: Any, address: str) -> None:
    go(page, address)
    page.add_style_tag(content="td { color: #888 !important; background: #888; }")
    assert any(one.startswith("color-contrast (serious)") for one in serious(page))
