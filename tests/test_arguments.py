"""What a user may pass is checked against what there is."""

import threading

from prefect import Task, flow, task

from simulator.arguments import step_names
from simulator.arguments.kinds import attempts


class OwnTask(Task):
    pass


def test_flows_and_tasks_are_known_wherever_they_are() -> None:
    @flow(name="inside of a function")
    def one(): ...

    @task(name="a task inside")
    def two(): ...

    three = OwnTask(two.fn, name="of a class of its own")
    assert {one.name, two.name, three.name} <= set(step_names())


def test_what_is_gone_is_not_known() -> None:
    @flow(name="soon gone")
    def one(): ...

    del one
    assert "soon gone" not in step_names()


def test_tuples_that_other_threads_are_making_stay_whole() -> None:
    broken: list[BaseException] = []
    over = threading.Event()

    def make() -> None:
        try:
            while not over.is_set():
                tuple(number for number in range(100))
        except BaseException as error:
            broken.append(error)

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        step_names()
    over.set()
    for thread in threads:
        thread.join()
    assert broken == []


def test_attempts_are_ranges() -> None:
    assert attempts("attempts", "2-4") == range(2, 5)
    assert attempts("attempts", " 2 ") == attempts("attempts", 2) == range(2, 3)
