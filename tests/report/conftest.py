"""A results file for all tests of the page, and a browser that shows it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nights import write_results


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "results.duckdb"
    write_results(path)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    pytest.importorskip("axe_playwright_python", reason="pip install axe-playwright-python")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if chromium is None:
        pytest.skip("apt-get install chromium")
    with api.sync_playwright() as playwright:
        # Without its sandbox, since containers and root cannot have one; the page is our own.
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(params=[("light", 1280), ("dark", 1280), ("light", 360)], ids=str)
def look(request: pytest.FixtureRequest) -> tuple[str, int]:
    return request.param


@pytest.fixture
def page(browser: Any, look: tuple[str, int]) -> Iterator[Any]:
    """A page whose test fails if it complains, or asks for anything but itself."""
    scheme, width = look
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("console", lambda message: wrong.append(message.text))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on(
        "request", lambda asked: None if asked.url.startswith("file:") else wrong.append(asked.url)
    )
    yield opened
    context.close()
    assert wrong == []
