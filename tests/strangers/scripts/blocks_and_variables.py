from prefect import flow, task
from prefect.blocks.core import Block
from prefect.blocks.system import Secret
from prefect.variables import Variable
from pydantic import SecretStr
from simulator import Simulation


class Warehouse(Block):
    host: str
    password: SecretStr

    def url(self):
        return f"db://{self.password.get_secret_value()}@{self.host}"


@task
def connect():
    return Warehouse.load("dwh").url()


@flow
def uses():
    assert Secret.load("pw").get() == "hunter2"
    assert Variable.get("region") == "eu"
    assert connect() == "db://s3cret@localhost"
    Variable.set("count", Variable.get("count", 0) + 1, overwrite=True)


with Simulation() as sim:
    Secret(value="hunter2").save("pw")
    Variable.set("region", "eu")
    Warehouse(host="localhost", password="s3cret").save("dwh")
    sim.deploy(uses, name="d", cron="@hourly")
    sim.advance(hours=3.5)
    assert Variable.get("count") == len(sim.runs(state="Completed"))
    print(Variable.get("count"), "times")
# prints: 3 times
