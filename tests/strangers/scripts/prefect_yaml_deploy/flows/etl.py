import os

from prefect import flow, task


@task
def load(source):
    return source


@flow
def etl(source: str = "local"):
    assert os.environ["STAGE"] == "prod"
    return load(source)
