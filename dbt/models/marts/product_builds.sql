-- The log of what each build found in the feed, one row a build: stale if `batch_id` is that of an
-- earlier cycle, partial if not `is_complete`.
{{ config(materialized="incremental", incremental_strategy="append") }}

select
    {{ dbt.current_timestamp() }} as built_at,
    arg_max(batch_id, loaded_at) as batch_id,
    count(*) as rows_read,
    max(batch_rows) as rows_expected,
    coalesce(count(*) = max(batch_rows), false) as is_complete,
    max(loaded_at) as source_loaded_at
from {{ ref("stg_products") }}
