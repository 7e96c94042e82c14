select
    customer_id,
    touch,
    channel,
    loaded_at,
    batch_id
from {{ source("marketing", "touches") }}
{{ newest_version("customer_id, touch") }}
