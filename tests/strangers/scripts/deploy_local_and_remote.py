from prefect import deploy, flow
from simulator import Simulation

@flow(log_prints=True)
def local_flow():
    print("I'm a flow of this very file!")

if __name__ == "__main__":
    with Simulation() as sim:
        sim.work_pool("my-work-pool")
        deploy(
            local_flow.to_deployment(name="here"),
            flow.from_source(
                source="./src",
                entrypoint="remote.py:remote_flow",
            ).to_deployment(name="there", cron="0 * * * *", parameters={"n": 3}),
            work_pool_name="my-work-pool",
            image="my-registry/my-image:dev",
            build=False,
        )
        sim.trigger("local-flow/here")
        sim.advance(hours=2.5)
        assert sim.runs("remote-flow")[0].parameters == {"n": 3}
        for run in sim.runs():
            print(run.flow, run.state, end=", ")
        print("end")
# prints: local-flow Completed, remote-flow Completed, remote-flow Completed, end
