"""The site in a real browser: it asks nobody for anything, finds words, and can be read by everybody."""

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python"
)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="apt-get install chromium")


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with api.sync_playwright() as playwright:
        # Without its sandbox, since containers and root cannot have one; the site is our own.
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(params=[("light", 1280), ("dark", 1280), ("light", 360)], ids=str)
def page(request: pytest.FixtureRequest, browser: Any, address: str) -> Iterator[Any]:
    """A page whose test fails if it complains, or asks for anything but the site."""
    scheme, width = request.param
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("console", lambda message: wrong.append(message.text))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on(
        "request",
        lambda asked: asked.url.startswith((address, "data:")) or wrong.append(asked.url),
    )
    yield opened
    context.close()
    assert wrong == []


def test_axe_finds_nothing_serious(page: Any, address: str) -> None:
    for path in ("index", "lessons/masked-failures", "how-to/inject-a-fault", "reference/promises"):
        page.goto(f"{address}{path}.html")
        found = axe.Axe().run(page).response["violations"]
        assert [
            (path, one["id"], node["html"], node["failureSummary"])
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ] == []


@pytest.mark.parametrize("page", [("light", 1280)], indirect=True, ids=str)
def test_a_search_finds_a_page_by_a_word_of_it(page: Any, address: str) -> None:
    page.goto(f"{address}index.html")
    page.get_by_label("Search").first.click()
    page.keyboard.type("WorkerKilled")
    found = page.locator(".md-search-result__link")
    found.first.wait_for()
    assert "faults.html" in found.first.get_attribute("href")
