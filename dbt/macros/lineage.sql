{#-
    What a mart needs for its staleness to be read from it: the load time and the batch of the
    newest source row among `relations`, and the instant at which the mart was built.
    Use as `cross join {{ lineage(...) }} as lineage` and select `lineage.*`.
-#}
{% macro lineage(relations) -%}
    (
        select
            max(loaded_at) as source_loaded_at,
            arg_max(batch_id, loaded_at) as source_batch_id,
            {{ dbt.current_timestamp() }} as built_at
        from (
            {%- for relation in relations %}
            select loaded_at, batch_id from {{ relation }}
            {%- if not loop.last %} union all {% endif %}
            {%- endfor %}
        )
    )
{%- endmacro %}
