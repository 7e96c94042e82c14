"""What the branches have sold, as their tills send it."""

from datetime import date

BRANCHES = ("lisbon", "porto", "faro")


def sales(day: date) -> list[tuple[str, int, int | None]]:
    """Branch, number of the receipt, cents. On Sundays the till of Faro sends no amounts."""
    return [
        (branch, number, None if branch == "faro" and day.weekday() == 6 else 100 * number)
        for branch in BRANCHES
        for number in range(1, 5)
    ]
