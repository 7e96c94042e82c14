select
    id as payment_id,
    order_id,
    payment_method,
    {{ cents_to_dollars("amount") }} as amount,
    loaded_at,
    batch_id
from {{ source("raw", "payments") }}
{{ newest_version("id") }}
