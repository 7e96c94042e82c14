select order_id, source_loaded_at, built_at from {{ ref("orders") }} where source_loaded_at > built_at
