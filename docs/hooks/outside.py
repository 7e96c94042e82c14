"""Pages of the site for files outside docs/ that its pages link to: scenarios, pipelines, the README.

In the repository these links are relative, as GitHub has them. A site has only what stands in docs/, so
each file that is linked to becomes a page below `source/`, and the links lead there.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]

LINK = re.compile(r"\]\((?![a-z]+:)([^)\s#]+)")
"""A link of Markdown, up to its anchor: what it leads to."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each file outside docs/ that a page links to, and for those that these link to."""
    wanted = [f"docs/{file.src_uri}" for file in files.documentation_pages()]
    seen = set(wanted)
    for path in wanted:
        if not path.startswith("docs/"):
            files.append(File.generated(config, _uri(path), content=_content(path)))
        if path.endswith(".md"):
            for found in LINK.finditer((ROOT / path).read_text(encoding="utf-8")):
                target = _target(found[1], path)
                if target not in seen and not target.startswith("docs/") and _file(target):
                    seen.add(target)
                    wanted.append(target)
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Lead the links of a page to pages of the site. What is none stays, for MkDocs to complain of."""
    own = page.file.src_uri
    path = own[len("source/") : -len(".md")] if own.startswith("source/") else f"docs/{own}"
    if not path.endswith(".md"):
        return markdown

    def led(found: re.Match[str]) -> str:
        target = _target(found[1], path)
        if not target.startswith("docs/") and not _file(target):
            return found[0]
        return f"]({relpath(_uri(target), PurePosixPath(own).parent)}"

    return LINK.sub(led, markdown)


def _target(link: str, path: str) -> str:
    """The file that a link in another one leads to, from the top of the repository."""
    return normpath(PurePosixPath(path).parent / link)


def _uri(path: str) -> str:
    """Where a file of the repository stands in the site."""
    return path.removeprefix("docs/") if path.startswith("docs/") else f"source/{path}.md"


def _file(path: str) -> bool:
    return not path.startswith("..") and (ROOT / path).is_file()


def _content(path: str) -> str:
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.endswith(".md"):
        return text
    # Who searches for a word wants the pages about it first, not each use of it.
    hidden = "---\nsearch:\n  exclude: true\n---\n\n"
    return f"{hidden}# {path}\n\n````{PurePosixPath(path).suffix[1:]}\n{text}````\n"
