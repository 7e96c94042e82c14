import time

from prefect import flow


@flow
def report():
    time.sleep(600)
