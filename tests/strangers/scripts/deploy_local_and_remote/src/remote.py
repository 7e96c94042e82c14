from prefect import flow


@flow
def remote_flow(n: int = 1):
    return n
