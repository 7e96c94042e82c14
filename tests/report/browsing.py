"""What the tests of the page do in a browser. Its fixtures stand in conftest.py."""

from typing import Any


def go(page: Any, address: str, link: str = "") -> None:
    page.goto(f"{address}#{link}")
    page.wait_for_selector("h1")


def headed(page: Any, text: str) -> None:
    """Wait for the view whose heading says so: it comes after its link has changed."""
    page.locator("h1", has_text=text).wait_for()


def drawn(page: Any) -> str:
    """What the first lane shows, once it has been drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    return page.locator(".scroller canvas").first.evaluate("(canvas) => canvas.toDataURL()")


def serious(page: Any) -> list[str]:
    """What axe finds that is serious or critical, and where."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    return [
        f"{one['id']} ({one['impact']}): {node['html']} {node['failureSummary']}"
        for one in _axe().run(page).response["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def _axe() -> Any:
    from axe_playwright_python.sync_playwright import Axe

    return Axe()
