from prefect import flow, task
from pathlib import Path


@task
def read():
    return (Path(__file__).parent / "numbers.txt").read_text().split()


@flow
def etl():
    return len(read())
