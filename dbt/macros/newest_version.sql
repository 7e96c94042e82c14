{#- Keep, of rows landed several times, the one that was landed last. -#}
{% macro newest_version(key) -%}
    qualify row_number() over (partition by {{ key }} order by loaded_at desc, batch_id desc) = 1
{%- endmacro %}
