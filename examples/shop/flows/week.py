from prefect import flow
from prefect.deployments import run_deployment


@flow
def week():
    run_deployment("stock/prod")
    run_deployment("reports/prod")
