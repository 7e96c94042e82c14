select day, branch, sum(cents) as cents, count(*) as receipts
from {{ ref('receipts') }}
group by day, branch
