from prefect import flow
from prefect.deployments import run_deployment


@flow(log_prints=True)
def day():
    for bank in ("north", "south"):
        run = run_deployment("statements/prod", parameters={"bank": bank})
        print(bank, "is", run.state.name)
    run_deployment("reconcile/prod", timeout=0)
    run_deployment("ledger/production")
