from prefect import flow
from prefect.automations import Automation
from prefect.events import DeploymentEventTrigger, EventTrigger
from prefect.events.actions import RunDeployment
from simulator import Simulation

@flow
def upstream(): ...

@flow
def downstream(who: str = "?"):
    return who

@flow
def alarm():
    pass

@flow
def bad():
    raise ValueError

with Simulation() as sim:
    sim.work_pool("p")
    sim.deploy(upstream, name="u", cron="0 * * * *")
    sim.deploy(bad, name="b", cron="30 1 * * *")
    downstream.to_deployment(
        "d",
        work_pool_name="p",
        triggers=[
            DeploymentEventTrigger(
                expect={"prefect.flow-run.Completed"},
                match_related={"prefect.resource.name": "upstream", "prefect.resource.role": "flow"},
                parameters={"who": "{{ event.resource.name }}"},
            )
        ],
    ).apply()
    pager = alarm.to_deployment("pager", work_pool_name="p").apply()
    Automation(
        name="page me",
        trigger=EventTrigger(expect={"prefect.flow-run.Failed"}, match={"prefect.resource.id": "prefect.flow-run.*"}),
        actions=[RunDeployment(source="selected", deployment_id=pager, parameters={})],
    ).create()
    sim.advance(hours=3.5)
    assert [r.parameters["who"] for r in sim.runs("downstream")] == [r.name for r in sim.runs("upstream")]
    assert {r.state for r in sim.runs("downstream")} == {"Completed"}
    print(len(sim.runs("upstream")), len(sim.runs("downstream")), [f"{r.start:%H:%M}" for r in sim.runs("alarm")])
# prints: 3 3 ['01:30']
