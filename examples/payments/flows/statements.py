import os
from datetime import date, timedelta

from payments.bank import Bank
from payments.storage import Bucket
from prefect import flow, task
from prefect.blocks.system import Secret


@task(retries=2, retry_delay_seconds=120)
def fetch(bank: str, day: date) -> list[dict]:
    token = Secret.load(f"{bank}-bank-token").get()
    found = Bank(bank, token).statements(day)
    if not found:
        raise ValueError(f"no statements of {bank} for {day}")
    return found


@task
def store(bank: str, day: date, statements: list[dict]) -> None:
    Bucket(os.environ["BUCKET"]).put(f"{bank}/{day}.json", statements)


@flow(retries=1)
def statements(bank: str):
    day = date.today() - timedelta(days=1)
    store(bank, day, fetch(bank, day))
