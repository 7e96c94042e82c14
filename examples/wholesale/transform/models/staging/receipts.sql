select day, branch, number, cents from raw.receipts
