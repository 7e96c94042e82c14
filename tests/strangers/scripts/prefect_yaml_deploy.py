# what our Makefile does, in one process: `prefect --no-prompt deploy --all`
import sys

from prefect.cli import app
from simulator import Simulation

with Simulation() as sim:
    sim.work_pool("k8s")
    try:
        sys.argv[1:] = ["--no-prompt", "deploy", "--all"]
        app()
    except SystemExit as done:
        assert not done.code, done.code
    sim.advance(days=1)
    runs = sim.runs("etl")
    assert {r.state for r in runs} == {"Completed"}, [r.message for r in runs]
    assert {t.state for r in runs for t in r.tasks} == {"Completed"}
    print([(r.deployment.rpartition("/")[2], f"{r.scheduled:%H:%M}", r.parameters["source"]) for r in runs])
# prints: [('nightly', '01:30', 's3'), ('often', '06:00', 'gcs'), ('often', '12:00', 'gcs'), ('often', '18:00', 'gcs')]
