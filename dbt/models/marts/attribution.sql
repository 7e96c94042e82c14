select
    touches.customer_id,
    arg_max(touches.channel, touches.touch) as channel,
    any_value(lineage.source_loaded_at) as source_loaded_at,
    any_value(lineage.source_batch_id) as source_batch_id,
    any_value(lineage.built_at) as built_at
from {{ ref("stg_touches") }} as touches
cross join {{ lineage([ref("stg_touches")]) }} as lineage
group by touches.customer_id
