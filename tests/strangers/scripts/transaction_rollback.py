import os
from pathlib import Path
from prefect import flow, task
from prefect.transactions import transaction
from simulator import Simulation

@task
def write(path: str, text: str):
    Path(path).write_text(text)

@write.on_rollback
def undo(txn):
    os.unlink(txn.get("path"))

@write.on_commit
def confirm(txn):
    Path("commits.txt").open("a").write(txn.get("path") + "\n")

@task
def quality(path: str):
    if "bad" in Path(path).read_text():
        raise ValueError("bad quality")

@flow
def pipeline(path: str, text: str):
    with transaction() as txn:
        txn.set("path", path)
        write(path, text)
        quality(path)

with Simulation() as sim:
    ok = sim.run(pipeline, path="good.txt", text="fine")
    no = sim.run(pipeline, path="bad.txt", text="bad")
    assert (ok.state, no.state) == ("Completed", "Failed")
    assert [t.state for t in no.tasks] == ["RolledBack", "Failed"] or print([t.state for t in no.tasks])
    assert Path("good.txt").exists() and not Path("bad.txt").exists()
    print(Path("commits.txt").read_text().split())
# prints: ['good.txt']
