{% set methods = ["credit_card", "coupon", "bank_transfer", "gift_card"] %}

with order_payments as (

    select
        order_id,
        {% for method in methods -%}
        sum(amount) filter (payment_method = '{{ method }}') as {{ method }}_amount,
        {% endfor -%}
        sum(amount) as amount
    from {{ ref("stg_payments") }}
    group by order_id

)

select
    orders.order_id,
    orders.customer_id,
    orders.order_date,
    orders.status,
    {% for method in methods -%}
    coalesce(order_payments.{{ method }}_amount, 0) as {{ method }}_amount,
    {% endfor -%}
    coalesce(order_payments.amount, 0) as amount,
    lineage.*
from {{ ref("stg_orders") }} as orders
left join order_payments using (order_id)
cross join {{ lineage([ref("stg_orders"), ref("stg_payments")]) }} as lineage
