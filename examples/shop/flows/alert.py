from prefect import flow


@flow
def alert():
    print("orders are in")
