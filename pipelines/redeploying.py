"""Everything is deployed anew while a parent is between its children.

``extract-prices`` lands prices in cents, and ``load-prices`` makes euros of them. Then somebody deploys
a release in which both of them speak of euros, and nothing stops for it. A run that has begun keeps the
code of its process; one that begins has the code of its deployment at that time, whoever ordered it and
when. So what a run is made of depends on how its parent gets its children:

============================  ======================  ======================
in the run under way          ``extract-prices`` is   ``load-prices`` is
============================  ======================  ======================
deployments, by their names   old                     new
subflows                      old                     old
deployments that check        old                     new, and refuses
============================  ======================  ======================

``report-prices`` has nothing but runs that wait: parameters are written down when a run is made, code is
not (PrefectHQ/prefect #17764, #17538). The functions with a 2 are the new release.
"""

import time

import prefect.runtime
from prefect import flow
from prefect.deployments import run_deployment
from prefect.states import raise_state_exception

from pipelines.warehouse import connect

EXTRACT = 1200  # seconds
PRICE = 12.5  # euros, in truth

TABLES = """
create schema if not exists raw;
create schema if not exists marts;
create table if not exists raw.prices (amount double, release integer);
create table if not exists marts.prices (euros double, built_at timestamptz);
create table if not exists marts.reports (due timestamptz, layout varchar, release integer);
"""


def land(amount: float, release: int) -> None:
    """Twenty minutes of reading; what a release reads replaces what was there."""
    time.sleep(EXTRACT)
    with connect() as con:
        con.execute(TABLES)
        con.execute("delete from raw.prices")
        con.execute("insert into raw.prices values (?, ?)", [amount, release])


def load(divisor: int, release: int | None = None) -> None:
    """What has landed, divided; with a release, what another one has landed is refused."""
    with connect() as con:
        [(amount, landed_by)] = con.execute("select * from raw.prices").fetchall()
        if release not in (None, landed_by):
            raise ValueError(f"release {release} does not read what release {landed_by} has landed")
        con.execute("insert into marts.prices values (?, now())", [amount / divisor])


def report(layout: str, release: int) -> None:
    with connect() as con:
        con.execute(TABLES)
        due = prefect.runtime.flow_run.scheduled_start_time
        con.execute("insert into marts.reports values (?, ?, ?)", [due, layout, release])


@flow(name="extract-prices")
def extract_prices() -> None:
    land(PRICE * 100, release=1)


@flow(name="extract-prices")
def extract_prices_2() -> None:
    land(PRICE, release=2)


@flow(name="load-prices")
def load_prices() -> None:
    load(100)


@flow(name="load-prices")
def load_prices_2() -> None:
    load(1)


@flow(name="load-prices")
def load_prices_checked() -> None:
    load(100, release=1)


@flow(name="load-prices")
def load_prices_checked_2() -> None:
    load(1, release=2)


@flow(name="report-prices")
def report_prices(layout: str) -> None:
    report(layout, release=1)


@flow(name="report-prices")
def report_prices_2(layout: str) -> None:
    report(layout, release=2)


@flow(name="refresh-prices")
def refresh_by_name() -> None:
    """A deployment for each step, by its name, and a look at how it ended.

    For: each is deployed, run and repeated by itself.
    Against: what each is, is settled when its turn comes.
    """
    for name in ("extract-prices/dev", "load-prices/dev"):
        raise_state_exception(run_deployment(name).state)


@flow(name="refresh-prices")
def refresh_by_subflows() -> None:
    """Functions of the parent's own process.

    For: a run is of one release from its beginning to its end.
    Against: nothing of it can be deployed by itself.
    """
    extract_prices()
    load_prices()


@flow(name="refresh-prices")
def refresh_by_subflows_2() -> None:
    extract_prices_2()
    load_prices_2()
