import logging
from prefect import flow, get_run_logger, task
from prefect.logging import disable_run_logger
from simulator import Simulation

log = logging.getLogger("acme.etl")

@task
def step():
    get_run_logger().warning("rows are missing")
    log.info("not for Prefect")

@flow(log_prints=True)
def etl():
    get_run_logger().info("starting")
    print("printed")
    step()

class Kept(logging.Handler):
    lines = []
    def emit(self, record):
        self.lines.append(record.getMessage())

log.addHandler(Kept())
log.setLevel(logging.INFO)

with Simulation() as sim:
    sim.deploy(etl, name="d", cron="0 * * * *")
    sim.advance(hours=2.5)
    first, second = sim.runs("etl")
    lines = [line.message for line in first.logs]
    for said in ("starting", "printed", "rows are missing"):
        assert said in lines, lines
    stamp = next(line for line in second.logs if line.message == "starting").timestamp
    assert stamp.hour == 2
    with disable_run_logger():
        step.fn()
    print(Kept.lines)
# prints: ['not for Prefect', 'not for Prefect', 'not for Prefect']
