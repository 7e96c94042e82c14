"""The example pipelines: what they land and build, and what their parents make of a failure."""

import ast
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipelines import backfill, cadence, chaining, data_platform, jaffle_shop, random_failure
from pipelines.products_api import ProductsAPI, read_page
from pipelines.warehouse import (
    DbtError,
    batch_of,
    connect,
    current_batch,
    cycle_of,
    land_rows,
    open_feed,
    run_dbt,
    stamped,
)
from simulator import Simulation
from simulator.history.history import RunRecord

REPOSITORY = Path(__file__).parents[2]
MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)


# --- what a user's code may depend on -------------------------------------------------------------


def test_pipelines_know_nothing_of_the_simulator() -> None:
    for path in sorted((REPOSITORY / "pipelines").glob("**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            roots = {name.partition(".")[0] for name in names}
            known = {"pipelines", "prefect", "anyio", "duckdb", "dbt", "prefect_dbt", "yaml"}
            allowed = {*sys.stdlib_module_names, *known}
            assert roots <= allowed, f"{path}:{node.lineno}"


def test_the_dbt_project_is_no_python_package() -> None:
    assert (REPOSITORY / "dbt" / "dbt_project.yml").exists()
    assert not list((REPOSITORY / "dbt").rglob("*.py"))


# --- the products API -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def api() -> Iterator[ProductsAPI]:
    with ProductsAPI(total=100) as server:
        yield server


def test_pages_have_the_shape_of_the_public_apis(api: ProductsAPI) -> None:
    page = read_page(api.url, skip=60, limit=30)
    assert (page["total"], page["skip"], page["limit"]) == (100, 60, 30)
    assert [product["id"] for product in page["products"]] == list(range(61, 91))
    assert set(page["products"][0]) == {"id", "title", "category", "price", "stock"}


def test_pages_end_with_the_products(api: ProductsAPI) -> None:
    assert [p["id"] for p in read_page(api.url, skip=98, limit=30)["products"]] == [99, 100]
    assert read_page(api.url, skip=100, limit=30)["products"] == []
    assert len(read_page(api.url, skip=0, limit=0)["products"]) == 100


def test_the_api_may_give_less_than_it_says_and_rename_a_field() -> None:
    with ProductsAPI(total=10) as api:
        api.served = 4
        api.renamed = {"price": "unit_price"}
        page = read_page(api.url, skip=2, limit=5)
        assert (page["total"], [product["id"] for product in page["products"]]) == (10, [3, 4])
        assert "unit_price" in page["products"][0]
        assert "price" not in page["products"][0]
        assert read_page(api.url, skip=4, limit=5)["products"] == []


def test_answers_are_the_same_every_time_and_prices_move_by_day(api: ProductsAPI) -> None:
    first, second = date(2026, 1, 5), date(2026, 1, 6)
    page = read_page(api.url, skip=0, limit=10, day=first)
    assert page == read_page(api.url, skip=0, limit=10, day=first)
    with ProductsAPI(total=100) as another:
        assert page == read_page(another.url, skip=0, limit=10, day=first)
    today, tomorrow = page["products"], read_page(api.url, skip=0, limit=10, day=second)["products"]
    assert [p["price"] for p in today] != [p["price"] for p in tomorrow]
    assert [p["title"] for p in today] == [p["title"] for p in tomorrow]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/products?limit=-1", 400, "must not be negative"),
        ("/products?limit=many", 400, "many"),
        ("/products?day=soon", 400, "soon"),
        ("/products/101", 404, "/products/101"),
        ("/carts", 404, "/carts"),
    ],
)
def test_a_bad_request_is_refused_clearly(
    api: ProductsAPI, path: str, status: int, message: str
) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(api.url + path)
    with closing(error.value) as answer:
        assert answer.code == status
        assert message in json.load(answer)["message"]


def test_the_api_listens_on_loopback_and_only_while_entered() -> None:
    server = ProductsAPI(total=3)
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.url
    with server:
        url = server.url
        assert url.startswith("http://127.0.0.1:")
    with pytest.raises(urllib.error.URLError):
        read_page(url, skip=0, limit=1)
    with pytest.raises(ValueError, match="-1"):
        ProductsAPI(total=-1)


# --- landing --------------------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WAREHOUSE_PATH", str(tmp_path / "warehouse.duckdb"))
    monkeypatch.setenv("LANDING_DIR", str(tmp_path / "landing"))
    return tmp_path


def rows_of(sql: str) -> list[tuple[object, ...]]:
    with connect() as con:
        return con.execute(sql).fetchall()


def test_a_batch_is_that_of_a_cycle() -> None:
    assert batch_of(MIDNIGHT) == "20260105T0000Z"
    assert cycle_of("20260105T0000Z") == MIDNIGHT
    eastern = MIDNIGHT.astimezone(ZoneInfo("America/New_York"))
    assert batch_of(eastern) == "20260105T0000Z"
    assert cycle_of(current_batch()) <= datetime.now(UTC)


def test_rows_land_with_their_batch_and_load_time(places: Path) -> None:
    before = datetime.now(UTC)
    assert land_rows("raw.t", [{"id": 1, "name": "a"}, {"id": 2, "name": None}], "first") == 2
    assert land_rows("raw.t", [], "empty") == 0
    ((first, last, batches),) = rows_of(
        "select min(loaded_at), max(loaded_at), max(batch_id) from raw.t"
    )
    assert before <= first == last <= datetime.now(UTC)
    assert batches == "first"


def test_landing_a_batch_again_replaces_it(places: Path) -> None:
    land_rows("raw.t", [{"id": 1}], "first")
    land_rows("raw.t", [{"id": 2}, {"id": 3}], "second")
    land_rows("raw.t", [{"id": 4}], "second")
    assert rows_of("select id, batch_id from raw.t order by id") == [(1, "first"), (4, "second")]


def test_a_feed_written_in_place_is_seen_growing(places: Path) -> None:
    path = places / "landing" / "products.ndjson"
    with open_feed("products", atomic=False) as write:
        assert path.read_text() == ""
        write(stamped([{"id": 1}], "first"))
        assert json.loads(path.read_text())["batch_id"] == "first"
        write(stamped([{"id": 2}], "first"))
        assert len(path.read_text().splitlines()) == 2


def test_a_feed_written_atomically_is_seen_whole_or_not_at_all(places: Path) -> None:
    path = places / "landing" / "products.ndjson"
    with open_feed("products", atomic=True) as write:
        write([{"id": 1}])
        assert not path.exists()
    assert path.read_text() == '{"id": 1}\n'

    def fail_half_way() -> None:
        with open_feed("products", atomic=True) as write:
            write([{"id": 2}])
            raise LookupError

    with pytest.raises(LookupError):
        fail_half_way()
    assert path.read_text() == '{"id": 1}\n'


# --- in a simulation ------------------------------------------------------------------------------


@pytest.fixture
def sim() -> Iterator[Simulation]:
    with Simulation(start=MIDNIGHT, seed=1) as simulation:
        simulation.setenv(WAREHOUSE_PATH=simulation.warehouse.path)
        simulation.setenv(LANDING_DIR=simulation.folder / "landing")
        simulation.setenv(DBT_TARGET_PATH=simulation.folder / "target")
        yield simulation


def states(sim: Simulation, flow: str) -> list[str]:
    return [run.state for run in sim.runs(flow)]


def children(run: RunRecord) -> list[tuple[str, str]]:
    return [(child.flow, child.state) for child in run.children]


WELL = [("extract", "Completed"), ("transform-load", "Completed"), ("cleanup", "Completed")]
BADLY = [("extract", "Completed"), ("transform-load", "Failed")]
CLEANED_UP = [*BADLY, ("cleanup", "Completed")]


@pytest.mark.parametrize(
    ("parent", "state", "seen", "landed"),
    [
        (random_failure.parent_plain, "Failed", BADLY, 10),
        (random_failure.parent_state_ignored, "Completed", CLEANED_UP, 0),
        (random_failure.parent_state_returned, "Failed", CLEANED_UP, 0),
        (random_failure.parent_deployments_unchecked, "Completed", CLEANED_UP, 0),
        (random_failure.parent_deployments_checked, "Failed", BADLY, 10),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_what_a_parent_makes_of_a_failed_child(
    sim: Simulation, parent: object, state: str, seen: list[tuple[str, str]], landed: int
) -> None:
    for child in (random_failure.extract, random_failure.transform_load, random_failure.cleanup):
        sim.deploy(child, name="dev")
    sim.fail("transform-load", on=[0])
    failed = sim.run(parent)
    assert (failed.state, children(failed)) == (state, seen)
    assert sim.warehouse.query("select count(*) from raw.sales") == [(landed,)]
    sim.advance(hours=1)
    good = sim.run(parent)
    assert (good.state, children(good)) == ("Completed", WELL)
    # The batch that failed is not in the mart; where it was cleaned up, it is lost.
    assert sim.warehouse.query("select count(*), count(distinct batch_id) from marts.sales") == [
        (10, 1)
    ]
    assert sim.warehouse.query("select count(*) from raw.sales") == [(landed,)]


def deploy_cadence(sim: Simulation, parent: object) -> None:
    for step in (cadence.load_orders, cadence.daily_forecast, cadence.refresh_dashboard):
        sim.deploy(step, name="dev")
    sim.takes("daily-forecast", timedelta(minutes=10))
    sim.deploy(parent, name="dev", cron="0 * * * *")


def test_a_failure_that_is_raised_is_not_cached(sim: Simulation) -> None:
    deploy_cadence(sim, cadence.parent_cache_expiry)
    sim.fail("daily-forecast", on=[0])
    sim.advance(hours=3, minutes=59)
    assert states(sim, "parent-cache-expiry") == ["Failed", "Completed", "Completed"]
    assert states(sim, "daily-forecast") == ["Failed", "Completed"]
    assert len(sim.runs("refresh-dashboard")) == 2


def test_a_failed_run_that_is_returned_is_cached(sim: Simulation) -> None:
    deploy_cadence(sim, cadence.parent_cache_unchecked)
    sim.fail("daily-forecast", on=[0])
    sim.advance(hours=2, minutes=59)
    assert states(sim, "parent-cache-unchecked") == ["Completed", "Completed"]
    assert states(sim, "daily-forecast") == ["Failed"]


def test_a_cache_by_date_lets_the_step_run_in_the_first_hour_of_a_date(sim: Simulation) -> None:
    sim.advance(hours=22, minutes=30)
    deploy_cadence(sim, cadence.parent_cache_date)
    sim.advance(hours=3)
    assert states(sim, "parent-cache-date") == ["Completed"] * 3
    hours = [run.start.hour for run in sim.runs("daily-forecast")]
    assert hours == [23, 0]
    ((forecasts, orders),) = sim.warehouse.query(
        "select (select count(*) from marts.forecasts), (select count(*) from marts.dashboard)"
    )
    assert (forecasts, orders) == (2, 3)


def test_the_check_fails_until_the_step_has_done_well_and_is_then_cached(sim: Simulation) -> None:
    deploy_cadence(sim, cadence.parent_checks_forecast)
    sim.advance(hours=1, minutes=30)
    (parent,) = sim.runs("parent-checks-forecast")
    assert (parent.state, parent.message) == (
        "Failed",
        "Flow run encountered an exception: RuntimeError: daily-forecast has never run",
    )
    sim.trigger("daily-forecast/dev")
    sim.advance(hours=1)
    sim.fail("daily-forecast")
    sim.trigger("daily-forecast/dev")
    sim.advance(hours=1)
    assert states(sim, "daily-forecast") == ["Completed", "Failed"]
    assert states(sim, "parent-checks-forecast") == ["Failed", "Completed", "Completed"]


def deploy_two_crons(sim: Simulation, api: ProductsAPI, **export: object) -> None:
    sim.advance(hours=1)  # the first export is that of the coming midnight
    sim.takes("fetch-page", timedelta(minutes=2))
    sim.deploy(
        chaining.export_products,
        name="dev",
        cron="0 0 * * *",
        parameters={"api_url": api.url, **export},
    )
    cron = None if "then" in export else "5 0 * * *"
    sim.deploy(
        chaining.dbt_command_flow,
        name="dbt_downstream_model",
        cron=cron,
        parameters=chaining.DOWNSTREAM,
    )


BUILDS = "select built_at, batch_id, rows_read, is_complete from marts.product_builds order by 1"


def test_the_second_cron_reads_half_a_feed(sim: Simulation, api: ProductsAPI) -> None:
    deploy_two_crons(sim, api)
    sim.advance(days=1)
    ((built_at, batch, rows, complete),) = sim.warehouse.query(BUILDS)
    assert built_at.replace(microsecond=0) == MIDNIGHT + timedelta(days=1, minutes=5)
    assert (batch, rows, complete) == ("20260106T0000Z", 50, False)
    assert states(sim, "dbt-command-flow") == ["Completed"]


def test_the_second_cron_reads_yesterdays_feed_if_it_is_replaced_whole(
    sim: Simulation, api: ProductsAPI
) -> None:
    deploy_two_crons(sim, api, atomic=True)
    sim.advance(days=2)
    first, second = sim.runs("dbt-command-flow")
    assert (first.state, second.state) == ("Failed", "Completed")
    assert "Model stg_products errored with message" in (first.message or "")
    assert "products.ndjson" in (first.message or "")
    ((_, batch, rows, complete),) = sim.warehouse.query(BUILDS)
    assert (batch, rows, complete) == ("20260106T0000Z", 100, True)


def test_an_export_that_starts_dbt_itself_is_read_whole(sim: Simulation, api: ProductsAPI) -> None:
    deploy_two_crons(sim, api, then=chaining.DBT_DEPLOYMENT)
    sim.advance(days=2)
    assert [run.deployment for run in sim.runs("dbt-command-flow")] == [chaining.DBT_DEPLOYMENT] * 2
    builds = [build[1:] for build in sim.warehouse.query(BUILDS)]
    assert builds == [("20260106T0000Z", 100, True), ("20260107T0000Z", 100, True)]
    prices = "select count(*), count(distinct price) > 100 from marts.product_prices"
    assert sim.warehouse.query(prices) == [(200, True)]


def test_an_export_ends_with_an_api_that_gives_less_than_it_says(sim: Simulation) -> None:
    with ProductsAPI(total=100) as api:
        api.served = 30
        run = sim.run(chaining.export_products, api_url=api.url)
    assert (run.state, len(run.tasks)) == ("Completed", 3)  # 25 products, 5, none
    feed = (sim.folder / "landing" / "products.ndjson").read_text().splitlines()
    assert (len(feed), json.loads(feed[0])["batch_rows"]) == (30, 100)


def test_the_shop_from_raw_to_marts(sim: Simulation) -> None:
    parent = sim.run(
        jaffle_shop.jaffle_shop, start_date=date(2026, 1, 3), end_date=date(2026, 1, 5)
    )
    assert (parent.state, len(parent.children)) == ("Completed", 5)
    again = sim.run(jaffle_shop.jaffle_shop, start_date=date(2026, 1, 5))
    assert again.state == "Completed"
    ((orders, amount),) = sim.warehouse.query("select count(*), sum(amount) from marts.orders")
    ((paid,),) = sim.warehouse.query("select sum(amount) / 100 from raw.payments")
    assert (orders, float(amount)) == (90, pytest.approx(paid))
    ((batch, loaded, built),) = sim.warehouse.query(
        "select distinct source_batch_id, source_loaded_at, built_at from marts.customers"
    )
    assert batch == "20260105T0000Z"
    assert MIDNIGHT <= loaded <= built < MIDNIGHT + timedelta(minutes=1)


def test_stale_sources_and_failing_tests_fail_their_flow_by_name(sim: Simulation) -> None:
    sim.run(jaffle_shop.land_shop)
    sim.advance(hours=25)
    freshness = "source freshness --select source:raw"
    stale = sim.run(chaining.dbt_in_process, command=freshness)
    assert stale.state == "Failed"
    assert "source.jaffle_shop.raw.orders [error] newest row 2026-01-05 00:00 UTC, 25.0 h old" in (
        stale.message or ""
    )
    assert sim.run(jaffle_shop.land_shop).state == "Completed"
    assert sim.run(chaining.dbt_in_process, command=freshness).state == "Completed"

    sim.warehouse.execute("update raw.orders set status = 'eaten' where id % 2 = 0")
    built = sim.run(chaining.dbt_in_process, command="build --select source:raw+")
    assert built.state == "Failed"
    assert "accepted_values_stg_orders_status" in (built.message or "")
    assert "\n" not in (built.message or "")


# --- dbt on its own -------------------------------------------------------------------------------


def test_a_range_of_dates_ends_no_sooner_than_it_begins(sim: Simulation) -> None:
    run = sim.run(backfill.backfill, start_date=date(2026, 1, 3), end_date=date(2026, 1, 2))
    assert run.state == "Failed"
    assert "end_date=2026-01-02 lies before start_date=2026-01-03" in (run.message or "")
    assert not run.children


def test_attribution_has_the_last_touch_of_each_customer(sim: Simulation) -> None:
    days = {"start_date": date(2026, 1, 3), "end_date": date(2026, 1, 4)}
    assert sim.run(data_platform.raw_marketing, **days).state == "Completed"
    built = sim.run(chaining.dbt_in_process, command="build --select source:marketing+")
    assert built.state == "Completed"
    last = {
        touch["customer_id"]: touch["channel"]  # touches come in their order
        for day in days.values()
        for touch in data_platform.touches(day)
    }
    assert len(last) == 2 * data_platform.CUSTOMERS
    rows = sim.warehouse.query("select customer_id, channel from marts.attribution")
    assert dict(rows) == last


@pytest.fixture
def quiet(places: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let dbt write outside the repository, and close its file at the end, as its process would."""
    from simulator.patches.dbt import release

    for name, value in {"LOG_LEVEL": "none", "LOG_LEVEL_FILE": "none", "WRITE_JSON": "0"}.items():
        monkeypatch.setenv(f"DBT_{name}", value)
    monkeypatch.setenv("DBT_TARGET_PATH", str(places / "target"))
    monkeypatch.setenv("DBT_LOG_PATH", str(places / "logs"))
    yield
    release()


def test_dbt_errors_name_what_failed(quiet: None) -> None:
    with pytest.raises(DbtError, match=r"^dbt run --select nope: selected nothing$"):
        run_dbt("run", "--select", "nope")
    with pytest.raises(DbtError, match="No such option '--nope'"):
        run_dbt("run", "--nope")
    with pytest.raises(DbtError, match=r"model\.jaffle_shop\.stg_orders \[error\].*raw") as error:
        run_dbt("run", "--select", "stg_orders")
    assert "stg_products" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_mart_without_a_whole_feed_may_be_refused(quiet: None) -> None:
    with open_feed("products", atomic=True) as write:
        rows = [{"id": 1, "title": "a", "category": "b", "price": 1.5, "stock": 1}]
        write({**row, "batch_rows": 2} for row in stamped(rows, "first"))
    run_dbt("build", "--select", "+products")
    with pytest.raises(DbtError, match=r"products_batch_is_complete \[fail\]"):
        run_dbt("build", "--select", "+products", "--vars", "{incomplete_feed: error}")
