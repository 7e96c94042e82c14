-- Every price that was ever read, once a product and batch: a repeated build changes nothing.
{{ config(materialized="incremental", unique_key=["product_id", "batch_id"]) }}

select
    product_id,
    batch_id,
    price,
    loaded_at,
    {{ dbt.current_timestamp() }} as built_at
from {{ ref("stg_products") }}
