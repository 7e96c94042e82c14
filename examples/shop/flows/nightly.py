from datetime import date

from prefect import flow
from prefect.deployments import run_deployment


@flow(log_prints=True)
def nightly(day: date | None = None):
    print("loading the orders of", day or "yesterday")
    run_deployment("orders/prod", parameters={"day": day})
    run_deployment("report/prod", timeout=0)
