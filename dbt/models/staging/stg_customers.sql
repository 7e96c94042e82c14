select
    id as customer_id,
    first_name,
    last_name,
    loaded_at,
    batch_id
from {{ source("raw", "customers") }}
{{ newest_version("id") }}
