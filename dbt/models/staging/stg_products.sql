-- A table, unlike its siblings: the feed is a file that may be rewritten at any moment, so one
-- build reads it once and all marts of that build see the same rows.
{{ config(materialized="table") }}

select
    id as product_id,
    title,
    category,
    price,
    stock,
    batch_rows,
    loaded_at,
    batch_id
from {{ source("feed", "products") }}
