"""A monorepo of sources and dbt: extract and load in Python, transform in SQL, one repository.

::

    products API  ->  landing/products.ndjson  ->  stg_products  ->  products, product_prices, ...
      (pages)          (one JSON object a line)      (dbt reads the file as an external source)

The source's schema is declared once, where dbt reads the file (``dbt/models/sources.yml``), and
tested there. There is no table in between: dbt reads the feed as it lies.

For: what a source delivers and what is made of it change in one commit, and dbt's own tests say
whether the feed is fit to be read.
Against: whoever changes the feed can break the build of everybody, and finds out when dbt runs.
"""

from prefect import flow

from pipelines.chaining import dbt_command_flow, export_products


@flow(name="products-elt")
def products_elt(api_url: str | None = None, page_size: int = 50) -> None:
    """Export the feed, then build all that reads it, whatever the feed is like.

    For: a mart is better today than tomorrow. Against: half a feed becomes half a catalogue.
    """
    export_products(api_url, page_size, atomic=True)
    dbt_command_flow("run --select +products +product_prices")


@flow(name="checked-products-elt")
def checked_products_elt(api_url: str | None = None, page_size: int = 50) -> None:
    """Export the feed, and build each model only if what it reads has passed its tests.

    `dbt build` tests every model before it goes on to the next, and `incomplete_feed` makes a
    batch with missing rows an error. For: the marts are right, if old. Against: they may be old.
    """
    export_products(api_url, page_size, atomic=True)
    dbt_command_flow("build --select +products +product_prices --vars '{incomplete_feed: error}'")
