"""Flows, subflows, tasks and deployments."""

from __future__ import annotations

from tests.fuzz.tree import kind, one_of

SECONDS = one_of(0, 1, 2)

kind(
    "main",
    """
    @flow(log_prints=$prints)
    def main():
        $body


    if __name__ == "__main__":
        main()
    """,
    where="nowhere",
    holds="flow",
    prints=one_of(False, True),
)
kind(
    "async main",
    """
    @flow(log_prints=$prints)
    async def main():
        $body


    if __name__ == "__main__":
        asyncio.run(main())
    """,
    where="nowhere",
    holds="aflow",
    prints=one_of(False, True),
)
kind(
    "subflow",
    "note($n, flow_$n($n))",
    """
    @flow
    def flow_$n(number):
        $body
        return number + 1
    """,
    holds="flow",
)
kind(
    "subflow for its state",
    """
    state_$n = flow_$n(return_state=True)
    note($n, (state_$n.name, state_$n.type.value, state_$n.is_failed()))
    """,
    """
    @flow
    def flow_$n():
        $body
    """,
    holds="flow",
)
kind(
    "async subflow in a sync flow",
    "asyncio.run(flow_$n())",
    """
    @flow
    async def flow_$n():
        $body
    """,
    holds="aflow",
)
kind(
    "async subflow",
    "note($n, await flow_$n($n))",
    """
    @flow
    async def flow_$n(number):
        $body
        return number + 1
    """,
    where="aflow",
    holds="aflow",
)
kind(
    "sync subflow in an async flow",
    "note($n, flow_$n())",
    """
    @flow
    def flow_$n():
        $body
        return "sync"
    """,
    where="aflow",
    holds="flow",
)
kind(
    "task",
    "note($n, task_$n($n))",
    """
    @task
    def task_$n(number):
        $body
        return number * 2
    """,
    holds="plain",
)
kind(
    "async task",
    "note($n, await task_$n($n))",
    """
    @task
    async def task_$n(number):
        await asyncio.sleep($seconds)
        return number * 2
    """,
    where="aflow",
    seconds=SECONDS,
)
kind(
    "task submitted",
    """
    future_$n = task_$n.submit($n)
    note($n, future_$n.result())
    """,
    """
    @task
    def task_$n(number):
        $body
        return number * 2
    """,
    holds="plain",
    concurrent=True,
)
kind(
    "tasks submitted together",
    """
    futures_$n = [task_$n.submit(number) for number in range($count)]
    time.sleep($seconds)
    note($n, [future.result() for future in futures_$n])
    """,
    """
    @task
    def task_$n(number):
        time.sleep(1)
        return number
    """,
    concurrent=True,
    count=one_of(1, 2, 3),
    seconds=SECONDS,
)
kind(
    "tasks one after another",
    """
    first_$n = task_$n.submit(1)
    second_$n = task_$n.submit(first_$n, wait_for=[first_$n])
    note($n, second_$n.result())
    """,
    """
    @task
    def task_$n(number):
        time.sleep($seconds)
        return number + 1
    """,
    concurrent=True,
    seconds=SECONDS,
)
kind(
    "task mapped",
    "note($n, task_$n.map([1, 2, 3], unmapped(10)).result())",
    """
    @task
    def task_$n(number, factor):
        time.sleep($seconds)
        return number * factor
    """,
    concurrent=True,
    seconds=SECONDS,
)
kind(
    "task delayed, with nobody to take it",
    """
    future_$n = task_$n.delay($n)
    note($n, future_$n.state.name)
    """,
    """
    @task
    def task_$n(number):
        return number
    """,
)
kind(
    "futures as they are completed",
    """
    for future in as_completed([task_$n.submit(4), task_$n.submit(0)]):
        note($n, future.result())
    """,
    """
    @task
    def task_$n(seconds):
        time.sleep(seconds)
        return seconds
    """,
    concurrent=True,
)
kind(
    "futures waited for",
    """
    waited_$n = wait([task_$n.submit(8), task_$n.submit(0)], timeout=4)
    note($n, (len(waited_$n.done), len(waited_$n.not_done)))
    time.sleep(6)
    """,
    """
    @task
    def task_$n(seconds):
        time.sleep(seconds)
    """,
    concurrent=True,
)
kind(
    "a pool of two threads for tasks",
    "note($n, flow_$n())",
    """
    @task
    def task_$n(number):
        time.sleep(2)
        return number


    @flow(task_runner=ThreadPoolTaskRunner(max_workers=2))
    def flow_$n():
        return sum(task_$n.map(range(4)).result())
    """,
    concurrent=True,
)
kind(
    "tasks gathered",
    "note($n, await asyncio.gather(task_$n(1), task_$n(3)))",
    """
    @task
    async def task_$n(seconds):
        await asyncio.sleep(seconds)
        return seconds
    """,
    where="aflow",
    concurrent=True,
)
kind(
    "subflows gathered",
    "note($n, await asyncio.gather(flow_$n(3), flow_$n(1)))",
    """
    @flow
    async def flow_$n(seconds):
        await asyncio.sleep(seconds)
        return seconds
    """,
    where="aflow",
    concurrent=True,
)
kind(
    "with other options",
    "note($n, task_$n.with_options(name='renamed', retries=1, task_run_name='run-{number}')($n))",
    """
    @task
    def task_$n(number):
        if attempt("task_$n") == 1:
            raise ValueError("first attempt")
        return number
    """,
)
kind(
    "a generator of values",
    "note($n, list(task_$n()))",
    """
    @task
    def task_$n():
        for number in range(3):
            time.sleep(1)
            yield number
    """,
)
kind(
    "run_deployment",
    """
    run_$n = run_deployment(f"flow-$n/{NAME}", parameters={"number": $n}, poll_interval=1)
    note($n, (run_$n.state.name, run_$n.parameters))
    """,
    """
    @flow
    def flow_$n(number=0):
        note($n, (os.environ["GIVEN"], number))
        $body


    DEPLOYED.append((flow_$n, {"GIVEN": "by $n"}))
    """,
    holds="flow",
    deploys=True,
)
kind(
    "run_deployment, not waited for",
    """
    run_$n = run_deployment(f"flow-$n/{NAME}", timeout=0)
    note($n, run_$n.state.type.value)
    """,
    """
    @flow
    def flow_$n():
        $body


    DEPLOYED.append((flow_$n, {}))
    """,
    holds="flow",
    deploys=True,
    concurrent=True,
)
kind(
    "run_deployment awaited",
    """
    run_$n = await run_deployment(f"flow-$n/{NAME}", poll_interval=1, as_subflow=$linked)
    note($n, run_$n.state.name)
    """,
    """
    @flow
    def flow_$n():
        $body


    DEPLOYED.append((flow_$n, {}))
    """,
    where="aflow",
    holds="flow",
    deploys=True,
    concurrent=True,
    linked=one_of(True, False),
)
kind(
    "a loop over subflows",
    """
    for number_$n in range($times):
        note($n, flow_$n(number_$n))
    """,
    """
    @flow
    def flow_$n(number):
        $body
        return number
    """,
    holds="flow",
    times=one_of(2, 3),
)
kind(
    "tags",
    """
    with tags("a-$n", "b"):
        flow_$n()
    """,
    """
    @flow
    def flow_$n():
        note($n, sorted(flow_run.tags))
    """,
)
kind(
    "what the runtime says",
    "flow_$n(number=$n)",
    """
    @task
    def task_$n():
        note("$n task", (task_run.run_count, task_run.task_name))


    @flow
    def flow_$n(number):
        note($n, (flow_run.parameters, flow_run.run_count, flow_run.flow_name))
        task_$n()
    """,
)
