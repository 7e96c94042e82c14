"""The site of docs/: it is whole, its links lead somewhere, and it asks nobody for anything."""

import inspect
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from simulator import Simulation, measures

ROOT = Path(__file__).parents[2]
PAGES = sorted(file.relative_to(ROOT / "docs") for file in (ROOT / "docs").rglob("*.md"))
TEXTS = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md")),
    *(ROOT / "docs" / page for page in PAGES),
]


class Read(HTMLParser):
    """What a page fetches, what it links to, what of it can be linked to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.listed: list[str] = []
        self.anchors: set[str] = set()
        self.classes: set[str] = set()
        self._in_navigation = False
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.classes.update(found.get("class", "").split())
        self.anchors.update(filter(None, (found.get("id"), found.get("name"))))
        if tag == "nav" and "md-nav--primary" in found.get("class", ""):
            self._in_navigation = True
        if tag == "main":
            self._in_navigation = False
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
            if "md-nav__link" in found.get("class", ""):
                self.listed.append(found["href"])
        elif tag in ("link", "script", "img", "iframe", "source"):
            self.fetched += [found[name] for name in ("href", "src") if name in found]


@cache
def read(page: Path) -> Read:
    return Read(page)


def built(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def test_every_page_of_docs_is_there_and_in_the_navigation(site: Path) -> None:
    listed = {link.split("#")[0] for link in read(site / "index.html").listed}
    for page in PAGES:
        made = str(page.with_suffix(".html")).replace("README.html", "index.html")
        assert (site / made).exists()
        assert made in listed or made == "index.html"


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for page in built(site):
        for address in read(page).fetched:
            parts = urlsplit(address)
            assert parts.netloc == "" == parts.scheme, f"{page} fetches {address}"
            assert page.name == "404.html" or (page.parent / parts.path).exists(), address
        assert "mermaid" not in read(page).classes  # its script would come from elsewhere
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", sheet.read_text())


def test_every_link_leads_to_a_page_and_a_place_in_it(site: Path) -> None:
    checked = 0
    for page in built(site):
        if page.name == "404.html":
            continue
        for link in set(read(page).links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            assert target.is_file(), f"{page.relative_to(site)} links to {link}"
            if parts.fragment and target.suffix == ".html":
                anchors = {*read(target).anchors, "__skip"}
                assert unquote(parts.fragment) in anchors, f"{page.relative_to(site)}: {link}"
            checked += 1
    assert checked > len(PAGES)


def test_the_reference_has_what_users_call(site: Path) -> None:
    anchors = read(site / "reference" / "simulation.html").anchors
    for name, method in inspect.getmembers(Simulation, inspect.isroutine):
        if not name.startswith("_"):
            owner = method.__qualname__.partition(".")[0]
            ends = (f"{owner}.{name}", f"Simulation.{name}")
            assert any(anchor.endswith(ends) for anchor in anchors), name
    anchors = read(site / "reference" / "measures.html").anchors
    assert {f"simulator.measures.{name}" for name in measures.__all__} <= anchors


def test_every_page_is_there_as_plain_text_with_its_docstrings(site: Path) -> None:
    for page in PAGES:
        text = (site / page).read_text()
        assert text.startswith("# ")
        assert not re.search(r"^::: |<(div|span|p|code)\b", text, re.MULTILINE), page
        for link in re.findall(r"\]\((?![a-z]+:|#)([^)\s#]+)", text):
            assert (site / page.parent / unquote(link)).is_file(), f"{page} links to {link}"
    text = (site / "reference" / "simulation.md").read_text()
    for name, method in inspect.getmembers(Simulation, inspect.isroutine):
        if not name.startswith("_"):
            first = (inspect.getdoc(method) or "").splitlines()[0]
            assert f"\n{first}\n" in text.replace("\\", ""), name


def test_code_that_is_linked_to_is_a_page(site: Path) -> None:
    text = (site / "source" / "scenarios" / "cron_drift.py.html").read_text()
    assert "cron-drift" in text


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_the_plain_text_lead_to_files(page: Path) -> None:
    """On GitHub there is no site: each link is to a file of the repository."""
    for link in re.findall(r"\]\((?![a-z]+:|#)([^)\s#]+)", page.read_text()):
        assert (page.parent / link).exists(), link
