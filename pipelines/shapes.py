"""The shapes that graphs of flows are made of, each written once and called by its name.

::

    chain             a -> b -> c -> d
    fan-out           a -> b1, b2, b3, b4
    diamond           a -> b, c;  b, c -> d
    hourly-to-daily   a, b every hour -> c once a day -> d every hour, with a
    many-to-many      the platform of platform.yaml: 20 sources, 40 marts
"""

from pathlib import Path

from pipelines.graph import DeclaredFlow, Graph, read_graph

PLATFORM = Path(__file__).with_name("platform.yaml")


def chain(cadence: str = "hourly") -> Graph:
    """Each flow needs the one before."""
    return _graph(cadence, extract=[], stage=["extract"], model=["stage"], publish=["model"])


def fan_out(cadence: str = "hourly") -> Graph:
    """One flow feeds many that know nothing of each other."""
    return _graph(cadence, extract=[], **{f"team-{team}": ["extract"] for team in range(1, 5)})


def diamond(cadence: str = "hourly") -> Graph:
    """One flow feeds two, and both feed one."""
    return _graph(
        cadence,
        extract=[],
        orders=["extract"],
        customers=["extract"],
        sales=["orders", "customers"],
    )


def hourly_to_daily() -> Graph:
    """Hourly flows feed a daily one, and that an hourly one again."""
    return Graph(
        [
            DeclaredFlow("orders", "etl", "hourly"),
            DeclaredFlow("clicks", "etl", "hourly"),
            DeclaredFlow("forecast", "mart", "daily", ("orders", "clicks")),
            DeclaredFlow("dashboard", "mart", "hourly", ("orders", "forecast")),
        ]
    )


def many_to_many() -> Graph:
    """The declared platform: every source feeds several marts, and marts need several sources."""
    return read_graph(PLATFORM)


SHAPES = {
    "chain": chain,
    "fan-out": fan_out,
    "diamond": diamond,
    "hourly-to-daily": hourly_to_daily,
    "many-to-many": many_to_many,
}


def _graph(cadence: str, **needs: list[str]) -> Graph:
    return Graph(
        DeclaredFlow(name, "mart" if upstream else "etl", cadence, tuple(upstream))
        for name, upstream in needs.items()
    )
