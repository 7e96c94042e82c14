select
    product_id,
    title,
    category,
    price,
    stock,
    lineage.*
from {{ ref("stg_products") }}
cross join {{ lineage([ref("stg_products")]) }} as lineage
