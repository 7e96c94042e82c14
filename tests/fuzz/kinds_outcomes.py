"""How things end: failures, retries, time-outs, caching, transactions, hooks, states returned."""

from __future__ import annotations

from tests.fuzz.tree import kind, one_of

kind(
    "try",
    """
    try:
        $body
    except Exception as error:
        note($n, (type(error).__name__, str(error)))
    """,
    holds="flow",
)
kind("raise", 'raise $error("raised by $n")', error=one_of("ValueError", "KeyError", "OSError"))
kind("return of a state", "return $state", state=one_of(
    'Completed(message="done early")',
    'Completed(name="Skipped")',
    'Failed(message="given up")',
    "Cancelled()",
))  # fmt: skip
kind(
    "return of a future",
    "return task_$n.submit()",
    """
    @task
    def task_$n():
        time.sleep(1)
        raise ValueError("of a task")
    """,
    concurrent=True,
)
kind(
    "return of states",
    "return [flow_$n(fails, return_state=True) for fails in $fail]",
    """
    @flow
    def flow_$n(fails):
        if fails:
            raise ValueError("fails")
    """,
    fail=one_of("[False]", "[True]", "[False, True]", "[True, True, False]"),
)
kind(
    "subflow with retries",
    "note($n, flow_$n())",
    """
    @flow(retries=$retries, retry_delay_seconds=$delay)
    def flow_$n():
        $body
        if attempt("flow_$n") <= $fails:
            raise ValueError("not yet")
        return "at last"
    """,
    holds="flow",
    retries=one_of(1, 2),
    delay=one_of(0, 1, 3),
    fails=one_of(1, 2, 3),
)
kind(
    "task with retries",
    "note($n, task_$n())",
    """
    @task(retries=$retries, retry_delay_seconds=$delay)
    def task_$n():
        if attempt("task_$n") <= $fails:
            raise ValueError("not yet")
        return "at last"
    """,
    retries=one_of(1, 2),
    delay=one_of("0", "1", "[1, 3]", "[2]"),
    fails=one_of(1, 2, 3),
)
kind(
    "submitted task with retries",
    "note($n, task_$n.submit().result(raise_on_failure=False))",
    """
    def retried_$n(task, run, state):
        return $yes


    @task(retries=2, retry_delay_seconds=1, retry_condition_fn=retried_$n)
    def task_$n():
        if attempt("task_$n") <= 1:
            raise ValueError("not yet")
        return "at last"
    """,
    concurrent=True,
    yes=one_of(True, False),
)
kind(
    "subflow with a time-out",
    "flow_$n()",
    """
    @flow(timeout_seconds=4)
    def flow_$n():
        time.sleep($seconds)
        note($n, "in time")
    """,
    seconds=one_of(0, 9),
)
kind(
    "async subflow with a time-out",
    "await flow_$n()",
    """
    @flow(timeout_seconds=4)
    async def flow_$n():
        await asyncio.sleep($seconds)
        note($n, "in time")
    """,
    where="aflow",
    seconds=one_of(0, 9),
)
kind(
    "task with a time-out",
    "note($n, task_$n(return_state=True).name)",
    """
    @task(timeout_seconds=4, retries=$retries)
    def task_$n():
        time.sleep($seconds)
    """,
    seconds=one_of(0, 9),
    retries=one_of(0, 1),
)
kind(
    "async task with a time-out",
    "note($n, (await task_$n(return_state=True)).name)",
    """
    @task(timeout_seconds=4)
    async def task_$n():
        await asyncio.sleep($seconds)
    """,
    where="aflow",
    seconds=one_of(0, 9),
)
kind(
    "cached by a key",
    "note($n, [task_$n(1), task_$n(2), task_$n(1, return_state=True).name])",
    """
    @task(cache_key_fn=lambda context, given: f"{NAME}-$n-{given['number']}", persist_result=True)
    def task_$n(number):
        return (number, attempt("task_$n"))
    """,
)
kind(
    "cached by inputs, for a while",
    """
    note($n, task_$n(NAME))
    time.sleep($seconds)
    note($n, task_$n(NAME, return_state=True).name)
    """,
    """
    @task(cache_policy=INPUTS, cache_expiration=datetime.timedelta(seconds=5), persist_result=True)
    def task_$n(name, number=$n):
        return attempt("task_$n")
    """,
    seconds=one_of(0, 10),
)
kind(
    "cached and refreshed",
    "note($n, [task_$n(1), task_$n.with_options(refresh_cache=$refresh)(1)])",
    """
    @task(cache_key_fn=lambda context, given: f"{NAME}-$n", persist_result=True)
    def task_$n(number):
        return attempt("task_$n")
    """,
    refresh=one_of(True, False),
)
kind(
    "transaction",
    """
    try:
        with transaction():
            first_$n()
            second_$n()
    except ValueError as error:
        note($n, str(error))
    """,
    """
    @task
    def first_$n():
        return "first"


    @first_$n.on_rollback
    def undo_$n(transaction):
        note($n, "rolled back")


    @first_$n.on_commit
    def keep_$n(transaction):
        note($n, "committed")


    @task
    def second_$n():
        if $fails:
            raise ValueError("second failed")
    """,
    fails=one_of(False, True),
)
kind(
    "transaction with a key",
    """
    for _ in range(2):
        with transaction(key=f"{NAME}-$n") as kept_$n:
            if kept_$n.is_committed():
                note($n, "committed before")
            else:
                kept_$n.set("x", 1)
                note($n, kept_$n.get("x"))
    """,
)
kind(
    "hooks of a subflow",
    "flow_$n(return_state=True)",
    """
    def hook_$n(flow, run, state):
        note($n, (state.type.value, state.message))


    @flow(on_completion=[hook_$n], on_failure=[hook_$n], on_running=[hook_$n], on_crashed=[hook_$n])
    def flow_$n():
        $body
    """,
    holds="flow",
)
kind(
    "hooks of a task",
    "task_$n.submit().wait()",
    """
    def hook_$n(task, run, state):
        time.sleep(1)
        note($n, (state.name, run.run_count))


    @task(on_completion=[hook_$n], on_failure=[hook_$n], retries=1)
    def task_$n():
        if $fails:
            raise ValueError("fails")
    """,
    concurrent=True,
    fails=one_of(False, True),
)
kind(
    "task after a failed one",
    """
    failed = task_$n.submit(None)
    after_$n.submit($given).wait()
    """,
    """
    @task
    def task_$n(nothing):
        raise ValueError("upstream")


    @task
    def after_$n(upstream):
        note($n, type(upstream).__name__)
    """,
    given=one_of("failed", "allow_failure(failed)"),
    concurrent=True,
)
kind(
    "one of several mapped fails",
    "note($n, [state.name for state in task_$n.map([1, 0, 2], return_state=True)])",
    """
    @task
    def task_$n(number):
        return 1 // number
    """,
    concurrent=True,
)
kind(
    "result of a state",
    """
    state_$n = flow_$n(return_state=True)
    note($n, repr(state_$n.result(raise_on_failure=False)))
    """,
    """
    @flow(persist_result=$kept)
    def flow_$n():
        if $fails:
            raise ValueError("fails")
        return {"a": [1, 2]}
    """,
    kept=one_of(False, True),
    fails=one_of(False, True),
)
kind(
    "gather with one that fails",
    "note($n, [str(one) for one in await asyncio.gather(task_$n(0), task_$n(2), return_exceptions=True)])",
    """
    @task
    async def task_$n(seconds):
        await asyncio.sleep(seconds)
        return 1 / seconds
    """,
    where="aflow",
    concurrent=True,
)
kind("async raise", 'raise ValueError("raised by $n")', where="aflow")
kind(
    "async try",
    """
    try:
        $body
    except Exception as error:
        note($n, (type(error).__name__, str(error)))
    """,
    where="aflow",
    holds="aflow",
)
kind(
    "parameters that are refused",
    "flow_$n(number='many', return_state=True)",
    """
    @flow
    def flow_$n(number: int):
        note($n, number)
    """,
)
