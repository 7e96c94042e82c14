from pathlib import Path

from prefect import flow
from prefect.runner.storage import GitRepository
from simulator import Simulation

URL = "https://github.com/acme/pipelines.git"

with Simulation() as sim:
    sim.source(URL, Path(__file__).parent / "checkout")
    sim.work_pool("k8s")
    flow.from_source(
        source=GitRepository(url=URL, branch="release"),
        entrypoint="flows/etl.py:etl",
    ).deploy(name="prod", work_pool_name="k8s", cron="*/30 * * * *", build=False)
    sim.advance(hours=1.25)
    runs = sim.runs("etl")
    assert [t.state for r in runs for t in r.tasks] == ["Completed"] * 2
    print([r.state for r in runs])
# prints: ['Completed', 'Completed']
