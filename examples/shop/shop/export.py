"""What the shop's till exports each night. It is closed on Sundays."""

import os
from datetime import date

REGION = os.environ["SHOP_REGION"]


def lines_of(day: date) -> list[dict]:
    """The lines that were sold on a day."""
    if day.isoweekday() == 7:
        return []
    return [{"region": REGION, "day": day, "amount": 100 + day.day}]
