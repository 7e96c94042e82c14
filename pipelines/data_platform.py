"""A data platform's parent: six deployments in order, dates passed through, one target for all.

==================  ========================================================================
``raw-shop``        the shop's customers, orders and payments of each date, to ``raw``
``raw-marketing``   the marketing touches of those customers, to ``marketing.touches``
``dbt-shop``        ``marts.orders`` and ``marts.customers``
``dbt-attribution`` ``marts.attribution``: which channel a customer came through
``dashboards``      ``marts.revenue_by_channel``, from the last two, and what it was made of
``sales-forecast``  one more row of ``marts.sales_forecasts``
==================  ========================================================================

Every step has a deployment for each target, and the parent's `deployment_name` chooses among them::

    raw_shop.deploy("dev", parameters={"orders": 3}, ...)
    raw_shop.deploy("prod", parameters={"orders": 30}, ...)
    data_platform.deploy("prod", parameters={"deployment_name": "prod"}, cron="0 6 * * *", ...)

What differs between targets (how much is landed, which machine, which credentials) is a matter of
the deployments; the parent only passes the name on.
"""

from collections.abc import Iterator
from datetime import date
from random import Random

import prefect.runtime
from prefect import flow
from prefect.deployments import run_deployment
from prefect.states import raise_state_exception

from pipelines.backfill import batch_of_day, dates
from pipelines.jaffle_shop import shop_day
from pipelines.warehouse import Row, connect, land_rows, run_dbt

STEPS = [
    "raw-shop",
    "raw-marketing",
    "dbt-shop",
    "dbt-attribution",
    "dashboards",
    "sales-forecast",
]
CHANNELS = ["search", "social", "mail", "friends"]
CUSTOMERS = 5  # new ones a day

MARTS = """
create schema if not exists marts;
create table if not exists marts.dashboards (
    target varchar, built_at timestamptz, revenue double,
    orders_loaded_at timestamptz, touches_loaded_at timestamptz
);
create table if not exists marts.sales_forecasts (
    built_at timestamptz, revenue_a_day double, orders_loaded_at timestamptz
);
"""


def touches(day: date) -> Iterator[Row]:
    """How each of a day's new customers came across the shop: one to three touches."""
    rng = Random(f"touches {day}")
    for customer in shop_day(day, CUSTOMERS, 0)["customers"]:
        for number in range(rng.randint(1, 3)):
            channel = rng.choice(CHANNELS)
            yield {"customer_id": customer["id"], "touch": number, "channel": channel}


# --- the steps ------------------------------------------------------------------------------------


@flow(name="raw-shop")
def raw_shop(start_date: date, end_date: date, orders: int = 30) -> None:
    """Land the shop's tables for each date."""
    for day in dates(start_date, end_date):
        for table, rows in shop_day(day, CUSTOMERS, orders).items():
            land_rows(f"raw.{table}", rows, batch_of_day(day))


@flow(name="raw-marketing")
def raw_marketing(start_date: date, end_date: date) -> None:
    """Land the marketing touches for each date."""
    for day in dates(start_date, end_date):
        land_rows("marketing.touches", touches(day), batch_of_day(day))


@flow(name="dbt-shop")
def dbt_shop(start_date: date, end_date: date) -> None:
    """Build the marts of the shop, of all dates: the models are not incremental."""
    run_dbt("run", "--select", "source:raw+")


@flow(name="dbt-attribution")
def dbt_attribution(start_date: date, end_date: date) -> None:
    """Build the attribution."""
    run_dbt("run", "--select", "source:marketing+")


@flow(name="dashboards")
def dashboards(start_date: date, end_date: date, target: str = "dev") -> None:
    """Show the revenue by channel, from the marts as they are."""
    with connect() as con:
        con.execute(MARTS)
        con.execute(
            "create or replace table marts.revenue_by_channel as "
            "select channel, sum(lifetime_value) as revenue "
            "from marts.customers join marts.attribution using (customer_id) group by channel"
        )
        con.execute(
            "insert into marts.dashboards "
            "select ?, now(), (select sum(revenue) from marts.revenue_by_channel), "
            "(select max(source_loaded_at) from marts.orders), "
            "(select max(source_loaded_at) from marts.attribution)",
            [target],
        )


@flow(name="sales-forecast")
def sales_forecast(start_date: date, end_date: date) -> None:
    """Forecast a day's revenue, from all the orders in the mart."""
    with connect() as con:
        con.execute(MARTS)
        con.execute(
            "insert into marts.sales_forecasts "
            "select now(), sum(amount) / count(distinct order_date), max(source_loaded_at) "
            "from marts.orders"
        )


# --- the parents ----------------------------------------------------------------------------------


def run_name() -> str:
    """A name for a parent's run: its target and its last date."""
    parameters = prefect.runtime.flow_run.parameters
    (*_, last) = dates(parameters["start_date"], parameters["end_date"])
    return f"{parameters['deployment_name']} until {last}"


@flow(name="data-platform", flow_run_name=run_name)
def data_platform(
    start_date: date | None = None, end_date: date | None = None, deployment_name: str = "dev"
) -> None:
    """All steps in order, each one's failure raised; the date of the schedule by default.

    For: one place that says what comes after what; each step can still be run by itself, with its
    own machine and its own log. A step that fails ends the day, and the dashboards keep what they
    showed yesterday.
    Against: one slow step holds up all the others, also those that do not need it.
    """
    days = [*dates(start_date, end_date)]
    for step in STEPS:
        flow_run = run_deployment(
            f"{step}/{deployment_name}",
            parameters={"start_date": f"{days[0]}", "end_date": f"{days[-1]}"},
            flow_run_name=f"{step} {deployment_name} {days[-1]}",
        )
        raise_state_exception(flow_run.state)


@flow(name="data-platform-unchecked", flow_run_name=run_name)
def data_platform_unchecked(
    start_date: date | None = None, end_date: date | None = None, deployment_name: str = "dev"
) -> None:
    """All steps in order, whatever becomes of them.

    For: what does not depend on the step that failed is done all the same.
    Against: so is what does. The dashboards are made anew from marts of yesterday, and the parent
    is Completed.
    """
    days = [*dates(start_date, end_date)]
    for step in STEPS:
        run_deployment(
            f"{step}/{deployment_name}",
            parameters={"start_date": f"{days[0]}", "end_date": f"{days[-1]}"},
            flow_run_name=f"{step} {deployment_name} {days[-1]}",
        )
