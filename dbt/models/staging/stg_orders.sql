select
    id as order_id,
    user_id as customer_id,
    order_date::date as order_date,
    status,
    loaded_at,
    batch_id
from {{ source("raw", "orders") }}
{{ newest_version("id") }}
