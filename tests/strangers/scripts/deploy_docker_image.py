from prefect import flow
from prefect.docker import DockerImage
from simulator import Simulation


@flow(log_prints=True)
def buy():
    print("Buying securities")


if __name__ == "__main__":
    with Simulation() as sim:
        sim.work_pool("my-docker-pool")
        buy.deploy(
            name="my-custom-dockerfile-deployment",
            work_pool_name="my-docker-pool",
            image=DockerImage(name="registry.example.com/my_image", tag="v1", dockerfile="Dockerfile"),
            build=False,
            push=False,
            cron="0 0 * * *",
        )
        sim.advance(days=3.1)
        print([(r.state, r.work_pool) for r in sim.runs()])
        assert all(any("Buying securities" in line.message for line in r.logs) for r in sim.runs())
# prints: [('Completed', 'my-docker-pool'), ('Completed', 'my-docker-pool'), ('Completed', 'my-docker-pool')]
