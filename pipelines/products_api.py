"""A products API to extract from: a local stand-in for the public dummy product APIs.

A real HTTP server, on loopback only, with their shape and paging::

    GET /products?limit=30&skip=60  ->  {"products": [...], "total": 100, "skip": 60, "limit": 30}
    GET /products/7                 ->  {"id": 7, "title": ..., "price": ...}

The same request always has the same answer. ``day=2026-01-05`` asks for that day's prices, which
move a little from day to day; without it prices are the list prices. ``limit=0`` means all.

By hand: ``python -m pipelines.products_api --port 8000``.
"""

import argparse
import json
import threading
import urllib.request
from contextlib import suppress
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

CATEGORIES = {
    "bread": ["Rye Loaf", "Brown Bread", "Milk Roll", "Sourdough", "Seed Bun"],
    "jaffles": ["Cheese Jaffle", "Bean Jaffle", "Ham Jaffle", "Apple Jaffle", "Egg Jaffle"],
    "drinks": ["Flat White", "Iced Tea", "Lemonade", "Hot Cocoa", "Ginger Beer"],
    "pantry": ["Plum Jam", "Pickles", "Mustard", "Honey", "Relish"],
}
SIZES = ["Small", "Regular", "Large", "Family", "Party"]


def product(number: int, day: date | None = None) -> dict[str, Any]:
    """Product `number` (from 1), with the prices of `day`: within 10 % of its list price."""
    rng = Random(f"product {number}")
    category = list(CATEGORIES)[number % len(CATEGORIES)]
    list_price = rng.randint(150, 4_000) / 100
    stock = rng.randint(0, 200)
    title = f"{rng.choice(SIZES)} {rng.choice(CATEGORIES[category])} No. {number}"
    change = Random(f"product {number} on {day}").uniform(-0.1, 0.1) if day else 0.0
    return {
        "id": number,
        "title": title,
        "category": category,
        "price": round(list_price * (1 + change), 2),
        "stock": stock,
    }


def read_page(api_url: str, *, skip: int, limit: int, day: date | None = None) -> dict[str, Any]:
    """One page of products, as a client reads it. Raises `urllib.error.HTTPError` if refused."""
    query = {"skip": skip, "limit": limit} | ({"day": day.isoformat()} if day else {})
    # The stand-in is on this machine: a proxy named in the environment has no business with it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{api_url}/products?{urlencode(query)}", timeout=30) as response:
        page: dict[str, Any] = json.load(response)
    return page


class ProductsAPI:
    """The server, up while it is entered::

    with ProductsAPI(total=100) as api:
        read_page(api.url, skip=0, limit=30)

    What a source does to those who read it may be asked of it at any time: with ``api.served = 60``
    its pages end after 60 products, though it still says that there are 100; with
    ``api.renamed = {"price": "unit_price"}`` a field has another name from now on.
    """

    def __init__(self, total: int = 100, port: int = 0) -> None:
        if total < 0:
            raise ValueError(f"total(={total}) must not be negative")
        self.total = total
        self.served = total
        self.renamed: dict[str, str] = {}
        self._port = port
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where it listens, e.g. ``http://127.0.0.1:43210``."""
        if self._server is None:
            raise RuntimeError("the products API is not running: enter it with `with`")
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:

        class Handler(_Handler):
            api = self

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server = None


class _Handler(BaseHTTPRequestHandler):
    api: ProductsAPI

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        try:
            match address.path.strip("/").split("/"):
                case ["products"]:
                    self._answer(200, self._page(query))
                case ["products", number] if (
                    number.isdigit() and 1 <= int(number) <= self.api.served
                ):
                    self._answer(200, self._product(int(number), _day(query)))
                case _:
                    self._answer(404, {"message": f"nothing at {address.path}"})
        except ValueError as error:
            self._answer(400, {"message": str(error)})

    def _page(self, query: dict[str, str]) -> dict[str, Any]:
        skip, limit = int(query.get("skip", 0)), int(query.get("limit", 30))
        if skip < 0 or limit < 0:
            raise ValueError(f"skip(={skip}) and limit(={limit}) must not be negative")
        day = _day(query)
        end = min(skip + limit, self.api.served) if limit else self.api.served
        page = [self._product(number, day) for number in range(skip + 1, end + 1)]
        return {"products": page, "total": self.api.total, "skip": skip, "limit": len(page)}

    def _product(self, number: int, day: date | None) -> dict[str, Any]:
        fields = product(number, day)
        return {self.api.renamed.get(name, name): value for name, value in fields.items()}

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _day(query: dict[str, str]) -> date | None:
    return date.fromisoformat(query["day"]) if "day" in query else None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve the products API until Ctrl-C.")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--total", type=int, default=100, help="how many products there are")
    options = parser.parse_args()
    with ProductsAPI(options.total, options.port) as api, suppress(KeyboardInterrupt):
        print(f"{api.url}/products")
        threading.Event().wait()
