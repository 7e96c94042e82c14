"""Objects in a bucket, by the storage's HTTP interface."""

import httpx


class Bucket:
    def __init__(self, name: str) -> None:
        self.url = f"https://{name}.storage.example"

    def put(self, name: str, value: list[dict]) -> None:
        httpx.put(f"{self.url}/{name}", json=value).raise_for_status()

    def names(self) -> list[str]:
        return httpx.get(self.url).raise_for_status().json()
