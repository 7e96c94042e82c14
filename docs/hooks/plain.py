"""Each page of the site as plain Markdown beside it, under the name that it has in docs/.

Most pages are written as such. Those that have docstrings for the most part get what a reader sees.
"""

from __future__ import annotations

from pathlib import Path

from bs4 import BeautifulSoup
from markdownify import MarkdownConverter
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page


def on_post_page(output: str, page: Page, config: MkDocsConfig, **_: object) -> None:
    """Write it down. The page itself stays as it is."""
    text = page.markdown or ""
    file = Path(config.site_dir, page.file.src_uri)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_read(output) if "\n::: " in text else text, encoding="utf-8")


def _read(page: str) -> str:
    """What stands in the middle of a page, with links to the plain pages."""
    article = BeautifulSoup(page, "html.parser").article
    assert article is not None
    for mark in article.select("a.headerlink"):
        mark.decompose()
    for link in article.find_all("a", href=True):
        link["href"] = str(link["href"]).replace(".html", ".md")
    converter = MarkdownConverter(heading_style="ATX", code_language="python")
    return converter.convert_soup(article).strip() + "\n"
