import time
from datetime import datetime

from prefect import flow, task


@task
def count(store: int) -> None:
    # Mondays are for stocktaking.
    time.sleep(5400 if datetime.now().isoweekday() == 1 else 300)


@flow
def stock(stores: int = 3):
    for store in range(stores):
        count(store)
