"""A name for the dialog of the theme's search, which a screen reader would read out without one."""

from __future__ import annotations


def on_post_page(output: str, **_: object) -> str:
    """The page, with the name."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"', 1)
