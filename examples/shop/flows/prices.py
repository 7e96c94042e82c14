import time
from datetime import date

from prefect import flow, task


@task
def notify(text: str) -> None:
    time.sleep(20)


@flow
def prices(day: date = date.today()):
    notify.submit(f"prices of {day} are out")
