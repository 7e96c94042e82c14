-- A warning by default: whether half a feed may reach the marts is the pipeline's choice, e.g.
--   dbt build --select +products --vars '{incomplete_feed: error}'
{{ config(severity=var("incomplete_feed", "warn")) }}

select batch_id, count(*) as rows_read, max(batch_rows) as rows_expected
from {{ ref("stg_products") }}
group by batch_id
having count(*) != max(batch_rows)
