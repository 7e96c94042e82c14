"""The statements of a bank, by its API."""

from datetime import date

import httpx


class Bank:
    def __init__(self, name: str, token: str) -> None:
        self.client = httpx.Client(
            base_url=f"https://api.{name}-bank.example", headers={"Authorization": token}
        )

    def statements(self, day: date) -> list[dict]:
        """All that was booked on a day."""
        answer = self.client.get("/statements", params={"day": day.isoformat()})
        return answer.raise_for_status().json()
