"""Declared graphs of flows: what is refused and in which words, and the shapes that have names."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.graph import (
    CADENCES,
    DeclaredFlow,
    Graph,
    GraphError,
    cycle_at,
    is_due,
    problems,
    read_graph,
)
from pipelines.many_to_many import BUILDS, after_all_of, deployments
from pipelines.shapes import PLATFORM, SHAPES, many_to_many
from scenarios.many_to_many import LAUNCH, as_old_as_its_oldest_input


def flow(name: str, *upstream: str, cadence: str = "hourly") -> DeclaredFlow:
    return DeclaredFlow(name, "mart" if upstream else "etl", cadence, upstream)


@pytest.mark.parametrize(
    ("declared", "lines"),
    [
        ([flow("a"), flow("b", "a")], []),
        ([flow("a", "b"), flow("b", "a")], ["flows need each other in a circle: a -> b -> a"]),
        (
            [flow("a", "c"), flow("b", "a"), flow("c", "b"), flow("d", "e"), flow("e", "d")],
            [
                "flows need each other in a circle: a -> b -> c -> a",
                "flows need each other in a circle: d -> e -> d",
            ],
        ),
        ([flow("a", "a")], ["flow 'a' needs itself"]),
        ([flow("a"), flow("b"), flow("a")], ["flow 'a' is declared 2 times"]),
        (
            [flow("orders"), flow("revenue", "order", "weather")],
            [
                "flow 'revenue' needs 'order', which nobody declares: did you mean 'orders'?",
                "flow 'revenue' needs 'weather', which nobody declares",
            ],
        ),
        (
            [flow("a", cadence="weekly")],
            ["flow 'a' runs 'weekly': a cadence is 'hourly' or 'daily'"],
        ),
        (
            [DeclaredFlow("a", "view", "hourly")],
            ["flow 'a' is made of 'view': a template is 'etl' or 'mart'"],
        ),
    ],
)
def test_each_mistake_has_a_line(declared: list[DeclaredFlow], lines: list[str]) -> None:
    def from_a_to_a(line: str) -> str:
        """A circle may be told from any of its flows on: tell it from the first in the alphabet."""
        what, colon, circle = line.partition("circle: ")
        names = circle.split(" -> ")[:-1]
        start = names.index(min(names)) if names else 0
        turned = names[start:] + names[: start + 1]
        return what + colon + " -> ".join(turned)

    found = [from_a_to_a(line) for line in problems(declared)]
    assert sorted(found) == lines
    if lines:
        with pytest.raises(GraphError) as error:
            Graph(declared)
        assert len(str(error.value).splitlines()) == len(lines)


def test_a_circle_through_a_name_that_is_declared_twice_is_found() -> None:
    lines = problems([flow("a", "b"), flow("b", "a"), flow("a")])
    assert len(lines) == 2
    assert lines[0] == "flow 'a' is declared 2 times"
    assert lines[1].startswith("flows need each other in a circle: ")


NAMES = [f"flow-{number}" for number in range(8)]


@given(st.dictionaries(st.sampled_from(NAMES), st.sets(st.sampled_from(NAMES)), min_size=1))
def test_a_graph_that_is_accepted_has_everything_before_what_needs_it(
    needs: dict[str, set[str]],
) -> None:
    declared = [flow(name, *sorted(upstream)) for name, upstream in needs.items()]
    if wrong := problems(declared):
        with pytest.raises(GraphError) as error:
            Graph(declared)
        assert str(error.value).splitlines() == wrong
        return
    graph = Graph(declared)
    seen: set[str] = set()
    for one in graph.flows:
        assert seen >= {*one.upstream}
        seen.add(one.name)
    assert len(graph.flows) == len(declared)


def test_a_declaration_is_read_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "graph.yaml"
    path.write_text(
        "etl:\n  - {name: a, cadence: hourly}\n"
        "mart:\n  - {name: b, cadence: daily, upstream: [a]}\nother:\n"
    )
    assert read_graph(path).flows == (
        DeclaredFlow("a", "etl", "hourly"),
        DeclaredFlow("b", "mart", "daily", ("a",)),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("etl: [{nam: a}]", "{'nam': 'a'} under 'etl' must have 'name' and 'cadence'"),
        ("etl: [{name: a, cadence: daily, after: b}]", "and nothing else"),
        ("etl: [a]", "'a' under 'etl' must have"),
        ("mart: [{name: a, cadence: daily, upstream: b}]", "'upstream' with a list of names"),
        ("- a", "lists of flows under the names of templates"),
        ("", "lists of flows under the names of templates"),
        ("etl: [", "no YAML: "),
    ],
)
def test_a_declaration_that_is_none_is_refused_in_a_line(text: str, said: str) -> None:
    with pytest.raises(GraphError) as error:
        read_graph(text)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_cycles() -> None:
    instant = datetime(2026, 1, 5, 13, 7, 9, 12, tzinfo=UTC)
    assert cycle_at(instant, "hourly") == datetime(2026, 1, 5, 13, tzinfo=UTC)
    assert cycle_at(instant, "daily") == datetime(2026, 1, 5, tzinfo=UTC)
    assert is_due("hourly", datetime(2026, 1, 5, 13, tzinfo=UTC))
    assert not is_due("daily", datetime(2026, 1, 5, 13, tzinfo=UTC))
    assert is_due("daily", datetime(2026, 1, 5, tzinfo=UTC))


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_can_run(name: str) -> None:
    graph = SHAPES[name]()
    assert {one.cadence for one in graph.flows} <= {*CADENCES}
    for way in ("parent", "triggers", "waiting"):
        found = [one.name for one, _ in deployments(graph, way)]
        assert found[: len(graph.flows)] == [one.name for one in graph.flows]
        assert found[len(graph.flows) :] == ["graph-parent"] * (way == "parent")


def test_downstream_is_what_needs_a_flow_directly_or_not() -> None:
    assert SHAPES["chain"]().downstream_of("stage") == {"model", "publish"}
    assert SHAPES["diamond"]().downstream_of("orders") == {"sales"}
    assert SHAPES["diamond"]().downstream_of("sales") == set()


def test_the_platform_is_many_to_many_on_mixed_cadences() -> None:
    flows = many_to_many().flows
    sources = [one for one in flows if not one.upstream]
    assert (len(sources), len(flows)) == (20, 60)
    assert {one.template for one in sources} == {"etl"}
    assert {one.cadence for one in flows} == {"hourly", "daily"}
    fed = [sum(one.name in other.upstream for other in flows) for one in sources]
    assert max(fed) >= 5
    assert sum(len(one.upstream) > 1 for one in flows) >= 30
    assert sum(line.startswith("  - ") for line in PLATFORM.read_text().splitlines()) == 60


def test_an_hourly_flow_is_triggered_by_its_hourly_upstream_alone() -> None:
    graph = SHAPES["hourly-to-daily"]()
    dashboard, forecast = (
        after_all_of(graph.by_name[name], graph)[0] for name in ("dashboard", "forecast")
    )
    assert dashboard.name == "dashboard after orders"
    assert forecast.name == "forecast after orders, clicks"


@pytest.mark.parametrize("order", [1, -1])
def test_a_build_is_as_old_as_its_oldest_input_in_whatever_order_they_are_written(order) -> None:
    """Two rows of one build stand in the table as the flow's threads have written them."""

    class Simulated:
        warehouse = SimpleNamespace(query=lambda sql, given: con.execute(sql, given).fetchall())

    hour = LAUNCH + timedelta(hours=3)
    rows = [
        ("sales", hour, hour, upstream, hour, hour - timedelta(hours=age))
        for upstream, age in [("shop", 1), ("rates", 2)]
    ]
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.execute(BUILDS)
        con.execute(
            "insert into marts.builds values (?, ?, ?, null, null, ?)", ["rates", *[hour] * 3]
        )
        con.executemany("insert into marts.builds values (?, ?, ?, ?, ?, ?)", rows[::order])
        (build,) = as_old_as_its_oldest_input(Simulated)
    assert build.built_at - build.newest_loaded_at == timedelta(hours=2)
