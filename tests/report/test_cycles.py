"""The page of a month in a real browser: its days folded, changes of clocks, and a broken promise."""

from pathlib import Path
from typing import Any

import pytest
from browsing import drawn, go, headed, serious
from months import write_month

from simulator.report import write_page


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("month")
    write_month(folder / "results.duckdb")
    write_page(folder / "results.duckdb", folder / "month.html")
    return (folder / "month.html").as_uri()


def counted(page: Any) -> str:
    return page.locator(".lane small").first.text_content()


def spoken(page: Any) -> str:
    return page.locator("#spoken").text_content()


def link(page: Any) -> str:
    return page.evaluate("decodeURIComponent(location.hash)")


# ---- folded


def test_a_month_starts_folded_into_days(page: Any, address: str) -> None:
    go(page, address, "month")
    assert counted(page) == "785 of 785 runs, folded into 31 days"
    button = page.get_by_role("button", name="Fold into days")
    assert button.get_attribute("aria-pressed") == "true"
    folded = drawn(page)
    button.click()
    assert drawn(page) != folded
    assert counted(page) == "785 of 785 runs shown, by scrolling in it"
    assert button.get_attribute("aria-pressed") == "false"
    assert link(page) == "#month?runs"
    button.click()
    assert drawn(page) == folded
    assert link(page) == "#month"


def test_keys_choose_a_day_and_unfold_it(page: Any, address: str) -> None:
    go(page, address, "month/state ignored")
    lane = page.locator(".scroller")
    lane.focus()
    page.keyboard.press("ArrowRight")
    assert spoken(page) == "2026-03-14, all runs, 26 runs: 26 Completed"
    for _ in range(11):
        page.keyboard.press("ArrowRight")
    assert spoken(page) == (
        "2026-03-25, all runs, 26 runs: 1 Failed,"
        " 1 Completed although a run below it failed, 24 Completed"
    )
    page.keyboard.press("ArrowDown")
    assert spoken(page) == "2026-03-25, load, 1 run: 1 Completed although a run below it failed"
    folded = drawn(page)
    page.keyboard.press("Enter")
    assert drawn(page) != folded
    assert link(page) == "#month/state ignored?at=2026-03-25"
    assert counted(page).startswith("27 of 785 runs shown")  # and the first of the next day
    assert spoken(page).startswith("2026-03-25 unfolded. load, Completed although a run below it")
    assert lane.evaluate("(one) => document.activeElement === one")
    page.keyboard.press("f")
    assert drawn(page) == folded
    page.keyboard.press("End")
    assert spoken(page) == "2026-04-13, load, 1 run: 1 Running"


def test_a_click_unfolds_a_day_and_the_way_back_folds_it(page: Any, address: str) -> None:
    go(page, address, "month")
    drawn(page)
    x = page.evaluate("""() => {
        const lane = document.querySelector(".scroller"), left = labelWidth(lane.clientWidth);
        return left + (lane.clientWidth - left - 12) * 16.5 / (30 + 2.5 / 24) / 1.02;
    }""")
    lane = page.locator(".scroller").first
    lane.hover(position={"x": x, "y": 54})
    assert lane.get_attribute("title") == "2026-03-30, extract, 1 run: 1 Failed"
    lane.click(position={"x": x, "y": 54})
    assert link(page) == "#month?at=2026-03-30"
    assert spoken(page).startswith("2026-03-30 unfolded. extract, Failed")
    page.keyboard.press("Enter")
    headed(page, "extract/dev of 2026-03-30 02:00:00 UTC")
    page.go_back()
    headed(page, "month")
    assert counted(page).startswith("27 of 785 runs shown")
    page.go_back()
    page.get_by_text("folded into 31 days").first.wait_for()


def test_a_link_leads_to_a_day(page: Any, address: str) -> None:
    go(page, address, "month/state raised?at=2026-03-30T12:00Z")
    assert counted(page).startswith("27 of 785 runs shown")
    assert (
        link(page) == "#month/state raised?at=2026-03-30T12:00Z"
    )  # left as it was: one goes back from it
    go(page, address, "month/state raised?at=nonsense")
    assert "785 of 785 runs" in counted(page)


def test_a_filter_leaves_the_days_that_have_such_runs(page: Any, address: str) -> None:
    go(page, address, "month/state ignored")
    page.get_by_label("State", exact=True).select_option("masked")
    assert counted(page) == "2 of 785 runs, folded into 2 days"
    page.locator(".scroller").focus()
    page.keyboard.press("End")
    assert spoken(page) == "2026-03-30, load, 1 run: 1 Completed although a run below it failed"


def test_folded_days_are_a_table_whose_links_unfold_them(page: Any, address: str) -> None:
    go(page, address, "month/state ignored")
    page.get_by_text("As a table").click()
    rows = page.locator(".lane tbody tr")
    rows.first.wait_for()
    assert rows.count() == 31
    assert rows.nth(11).text_content() == (
        "2026-03-25✗Failed26✗ 1 Failed, ◐ 1 Completed although a run below it failed, ✓ 24 Completed"
    )
    rows.nth(11).get_by_role("link").click()
    page.get_by_text("27 of 785 runs shown").wait_for()


def test_an_open_table_follows_when_the_runs_are_folded(page: Any, address: str) -> None:
    go(page, address, "month/state ignored?runs")
    page.get_by_text("As a table").click()
    rows = page.locator(".lane tbody tr")
    rows.nth(100).wait_for()
    page.locator(".scroller").focus()
    page.keyboard.press("f")
    assert rows.count() == 31
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    assert rows.count() == 27


def test_each_shape_of_a_cell_differs_without_its_colour(page: Any, address: str) -> None:
    """On a narrow screen no letter has room: drawn in one colour, the four kinds are four pictures."""
    go(page, address, "month/state ignored")
    kinds = page.evaluate("""() => {
        const lane = DATA.scenarios[0].variants[0].lane, seen = new Set();
        return [0, 1, 2].flatMap((row) => [...lane.rows[row].cells.values()]).flatMap((tally) => {
            const kind = badness(tally.worst);
            if (seen.has(kind)) return [];
            seen.add(kind);
            const canvas = document.createElement("canvas"), pen = prepared(canvas, 8, 22);
            drawCell(pen, () => "#777777", tally, 0, 0, { cycle: 8 }, { left: 0, x: (at) => at }, 8);
            return [[kind, canvas.toDataURL()]];
        });
    }""")
    assert sorted(kind for kind, _ in kinds) == [1, 2, 3, 5]
    assert len({drawn_as for _, drawn_as in kinds}) == 4


@pytest.mark.parametrize("look", [("light", 1280)], indirect=True)
def test_of_many_runs_a_frame_draws_their_cells_alone(page: Any, tmp_path: Path) -> None:
    """Twenty thousand runs: what a frame draws is counted, since what it takes depends on the machine."""
    write_month(tmp_path / "many.duckdb", pings=665)
    write_page(tmp_path / "many.duckdb", tmp_path / "many.html")
    go(page, (tmp_path / "many.html").as_uri(), "month/state ignored")
    assert counted(page) == "20082 of 20082 runs, folded into 31 days"
    drawn(page)
    page.evaluate("""() => {
        window.rects = window.read = 0;
        const own = CanvasRenderingContext2D.prototype.fillRect;
        CanvasRenderingContext2D.prototype.fillRect = function (...place) {
            window.rects += 1;
            return own.call(this, ...place);
        };
        const folding = foldedRows;
        foldedRows = (...given) => { window.read += 1; return folding(...given); };
    }""")
    page.locator(".scroller").focus()
    page.keyboard.press("ArrowRight")
    drawn(page)
    assert 0 < page.evaluate("window.rects") < 4 * (4 * 31 + 100)  # four rows, for a few frames
    assert page.evaluate("window.read") == 0  # what is chosen folds nothing anew


@pytest.mark.parametrize("look", [("light", 1280)], indirect=True)
def test_many_days_are_folded_into_weeks(page: Any, address: str) -> None:
    go(page, address)
    for days, length, name in (
        (31, 1, "2026-01-11"),
        (62, 1, "2026-01-11"),
        (63, 7, "7 days from 2026-03-12"),
        (730, 28, "28 days from 2026-10-08"),
        (3650, 364, "364 days from 2035-12-20"),
    ):
        assert page.evaluate(f"cycleLength(0, {days} * DAY) / DAY") == length
        origin = "Date.parse('2026-01-01T00:00:00Z')"
        assert page.evaluate(f"cycleName({origin}, 10, {length} * DAY)") == name


# ---- changes of clocks


def test_a_change_of_clocks_is_marked_and_said(page: Any, address: str) -> None:
    go(page, address, "month")
    assert page.locator(".clocks").text_content() == (
        "Clocks change: Europe/Berlin, Europe/Paris: 02:00 → 03:00 (2026-03-29 01:00:00 UTC)"
    )
    marked = page.evaluate("""async () => {
        const marks = [], own = drawClock;
        drawClock = (pen, x, y) => { marks.push(x); own(pen, x, y); };
        window.dispatchEvent(new Event("resize"));
        document.querySelector("button[aria-label='Zoom in']").click();
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        return marks;
    }""")
    assert len(marked) == 1


# ---- a promise that could no longer be kept


def test_from_when_on_a_promise_could_not_be_kept_is_shown(page: Any, address: str) -> None:
    go(page, address, "month")
    told = page.get_by_role("list", name="Broken promises of state ignored").get_by_role("listitem")
    assert told.count() == 2
    assert told.first.text_content() == (
        "⊘ Show from when on mart.orders is never older than 1 day, 2:00:00, by its loaded_at: could"
        " no longer be kept from 2026-03-26 03:10:00 UTC on, broken at 2026-03-26 04:10:00 UTC"
    )
    assert told.last.text_content() == (
        "✗ Show when who fails is noticed by alert within 1:00:00: broken at 2026-03-30 04:10:00 UTC"
    )
    whole = drawn(page)
    marks = page.locator("canvas.promises-drawn")
    assert marks.count() == 1  # the other variant keeps it
    before = marks.evaluate("(canvas) => canvas.toDataURL()")
    told.first.get_by_role("button").click()
    assert drawn(page) != whole
    assert marks.evaluate("(canvas) => canvas.toDataURL()") != before
    assert counted(page).endswith("of 785 runs shown")


# ---- for everybody


@pytest.mark.parametrize("link", ["month", "month/state ignored", "month?at=2026-03-30"])
def test_it_fits_its_screen_and_axe_finds_nothing_serious(
    page: Any, address: str, link: str
) -> None:
    go(page, address, link)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert serious(page) == []


def test_it_prints_folded_on_light_paper(page: Any, address: str, look: tuple[str, int]) -> None:
    go(page, address, "month")
    screen = drawn(page)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    paper = drawn(page)
    assert (paper == screen) == (look[0] == "light")
    page.emulate_media(color_scheme="light")
    assert drawn(page) == paper
    page.emulate_media(color_scheme=look[0], media="print")
    assert not page.locator(".controls").is_visible()
    assert not page.get_by_role("button", name="Show from when on").is_visible()
    assert page.locator(".scroller canvas").first.is_visible()
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert drawn(page) == screen
