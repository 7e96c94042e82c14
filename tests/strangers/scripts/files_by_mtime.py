import glob, os, time
from pathlib import Path
from prefect import flow, task
from simulator import Simulation

@flow
def export():
    path = Path("inbox") / time.strftime("%Y%m%d-%H%M.csv", time.gmtime())
    path.write_text("a,b\n1,2\n")

@task
def new_files(hours):
    limit = time.time() - hours * 3600
    return sorted(f for f in glob.glob("inbox/*.csv") if os.path.getmtime(f) >= limit)

@flow
def pick_up():
    return [os.path.basename(f) for f in new_files(1.5)]

os.makedirs("inbox", exist_ok=True)
with Simulation(start="2026-06-30T20:00:00Z") as sim:
    sim.deploy(export, name="d", cron="0 * * * *", timezone="UTC")
    sim.advance(hours=5.5)
    run = sim.run(pick_up)
    assert run.tasks[0].state == "Completed"
    assert len(glob.glob("inbox/*")) == 5
    newest = max(Path("inbox").iterdir(), key=lambda p: p.stat().st_mtime)
    print(newest.name, run.result)
# prints: 20260701-0100.csv ['20260701-0100.csv']
