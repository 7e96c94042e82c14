"""Waiting: sleeps, threads, locks, queues, events, asyncio, limits."""

from __future__ import annotations

from tests.fuzz.tree import kind, one_of

SECONDS = one_of(1, 2, 3)

kind("sleep", "time.sleep($seconds)", where="plain", seconds=SECONDS)
kind("async sleep", "await asyncio.sleep($seconds)", where="aflow", seconds=SECONDS)
kind("anyio sleep", "await anyio.sleep($seconds)", where="aflow", seconds=SECONDS)
kind(
    "a loop that sleeps until an instant",
    """
    until_$n = time.$clock() + 3
    while time.$clock() < until_$n:
        time.sleep(0.25)
    """,
    where="plain",
    clock=one_of("time", "monotonic", "perf_counter"),
)
kind(
    "thread",
    """
    thread_$n = threading.Thread(target=run_$n)
    thread_$n.start()
    thread_$n.join($join)
    note($n, thread_$n.is_alive())
    thread_$n.join()
    """,
    """
    def run_$n():
        time.sleep(4)
        note($n, "thread")
    """,
    where="plain",
    join=one_of("", 1, 9),
)
kind(
    "thread pool",
    """
    with concurrent.futures.ThreadPoolExecutor(2) as pool_$n:
        note($n, list(pool_$n.map(run_$n, range(4))))
    """,
    """
    def run_$n(number):
        time.sleep(1)
        return number * number
    """,
    where="plain",
)
kind(
    "thread pool waited for with a time-out",
    """
    with concurrent.futures.ThreadPoolExecutor() as pool_$n:
        futures_$n = [pool_$n.submit(time.sleep, seconds) for seconds in (0, 8)]
        done_$n, left_$n = concurrent.futures.wait(futures_$n, timeout=4)
        note($n, (len(done_$n), len(left_$n)))
    """,
    where="plain",
)
kind(
    "pool of multiprocessing.dummy",
    """
    with Pool(2) as pool_$n:
        note($n, pool_$n.map(run_$n, range(3)))
    """,
    """
    def run_$n(number):
        time.sleep(1)
        return -number
    """,
    where="plain",
)
kind(
    "queue between threads",
    """
    queue_$n = queue.Queue($size)
    thread_$n = threading.Thread(target=run_$n, args=(queue_$n,))
    thread_$n.start()
    note($n, list(iter(queue_$n.get, None)))
    thread_$n.join()
    """,
    """
    def run_$n(given):
        for number in [1, 2, 3, None]:
            time.sleep(0.5)
            given.put(number)
    """,
    where="plain",
    size=one_of(0, 1),
)
kind(
    "queue that stays empty",
    """
    try:
        queue.Queue().get(timeout=$seconds)
    except queue.Empty:
        note($n, "empty")
    """,
    where="plain",
    seconds=SECONDS,
)
kind(
    "lock held through a sleep",
    """
    held_$n = threading.Event()
    thread_$n = threading.Thread(target=run_$n, args=(held_$n,))
    thread_$n.start()
    held_$n.wait()
    had_$n = LOCK_$n.acquire(timeout=$patience)
    note($n, had_$n)
    if had_$n:
        LOCK_$n.release()
    thread_$n.join()
    """,
    """
    LOCK_$n = threading.$lock()


    def run_$n(held):
        with LOCK_$n:
            held.set()
            time.sleep(5)
    """,
    where="plain",
    lock=one_of("Lock", "RLock", "Semaphore"),
    patience=one_of(2, 15),
)
kind(
    "condition",
    """
    CONDITION_$n = threading.Condition()
    thread_$n = threading.Thread(target=run_$n, args=(CONDITION_$n,))
    with CONDITION_$n:
        thread_$n.start()
        note($n, CONDITION_$n.wait(timeout=$patience))
    thread_$n.join()
    """,
    """
    def run_$n(condition):
        time.sleep(4)
        with condition:
            condition.notify_all()
    """,
    where="plain",
    patience=one_of(1, 15),
)
kind(
    "event set by a timer",
    """
    event_$n = threading.Event()
    timer_$n = threading.Timer(4, event_$n.set)
    timer_$n.start()
    note($n, event_$n.wait($patience))
    timer_$n.$then()
    """,
    where="plain",
    patience=one_of(1, 15),
    then=one_of("join", "cancel"),
)
kind(
    "barrier",
    """
    barrier_$n = threading.Barrier(2)
    thread_$n = threading.Thread(target=barrier_$n.wait)
    thread_$n.start()
    barrier_$n.wait()
    thread_$n.join()
    note($n, barrier_$n.broken)
    """,
    where="plain",
)
kind(
    "sched",
    """
    agenda_$n = sched.scheduler()
    agenda_$n.enter(2, 1, note, ($n, "second"))
    agenda_$n.enter(1, 1, note, ($n, "first"))
    agenda_$n.run()
    """,
    where="plain",
)
kind(
    "asyncio.run",
    "asyncio.run(run_$n())",
    """
    async def run_$n():
        try:
            await asyncio.wait_for(asyncio.sleep($seconds), timeout=4)
            note($n, "in time")
        except TimeoutError:
            note($n, "time-out")
    """,
    seconds=one_of(0, 9),
)
kind(
    "asyncio.timeout",
    """
    try:
        async with asyncio.timeout(4):
            await asyncio.sleep($seconds)
        note($n, "in time")
    except TimeoutError:
        note($n, "time-out")
    """,
    where="aflow",
    seconds=one_of(0, 9),
)
kind(
    "anyio.move_on_after",
    """
    with anyio.move_on_after(4) as scope_$n:
        await anyio.sleep($seconds)
    note($n, scope_$n.cancelled_caught)
    """,
    where="aflow",
    seconds=one_of(0, 9),
)
kind(
    "asyncio.TaskGroup",
    """
    try:
        async with asyncio.TaskGroup() as group_$n:
            group_$n.create_task(run_$n(1, False))
            group_$n.create_task(run_$n(3, $fails))
            group_$n.create_task(run_$n(8, False))
    except* ValueError as errors:
        note($n, [str(error) for error in errors.exceptions])
    """,
    """
    async def run_$n(seconds, fails):
        await asyncio.sleep(seconds)
        if fails:
            raise ValueError("of the group")
        note($n, seconds)
    """,
    where="aflow",
    fails=one_of(False, True),
)
kind(
    "asyncio.Queue",
    """
    queue_$n = asyncio.Queue()
    producer_$n = asyncio.create_task(run_$n(queue_$n))
    note($n, [await queue_$n.get() for _ in range(3)])
    await producer_$n
    """,
    """
    async def run_$n(given):
        for number in range(3):
            await asyncio.sleep(0.5)
            await given.put(number)
    """,
    where="aflow",
)
kind(
    "asyncio.Semaphore",
    """
    semaphore_$n = asyncio.Semaphore(1)
    await asyncio.gather(*(run_$n(semaphore_$n) for _ in range(3)))
    """,
    """
    async def run_$n(semaphore):
        async with semaphore:
            await asyncio.sleep(1)
    """,
    where="aflow",
)
kind(
    "asyncio.to_thread",
    "note($n, await asyncio.to_thread(run_$n, 1))",
    """
    def run_$n(number):
        time.sleep(2)
        return number
    """,
    where="aflow",
)
kind(
    "anyio.to_thread",
    "note($n, await anyio.to_thread.run_sync(run_$n))",
    """
    def run_$n():
        time.sleep(2)
        return threading.current_thread() is threading.main_thread()
    """,
    where="aflow",
)
kind(
    "asyncio.wait",
    """
    some_$n = [asyncio.create_task(asyncio.sleep(seconds)) for seconds in (0, 8)]
    done_$n, left_$n = await asyncio.wait(some_$n, timeout=4)
    note($n, (len(done_$n), len(left_$n)))
    for one in left_$n:
        one.cancel()
    """,
    where="aflow",
)
kind(
    "asyncio task cancelled",
    """
    task_$n = asyncio.create_task(asyncio.sleep(30))
    await asyncio.sleep(1)
    task_$n.cancel()
    try:
        await task_$n
    except asyncio.CancelledError:
        note($n, "cancelled")
    """,
    where="aflow",
)
kind(
    "call_later",
    """
    event_$n = asyncio.Event()
    asyncio.get_running_loop().call_later(2, event_$n.set)
    await event_$n.wait()
    note($n, event_$n.is_set())
    """,
    where="aflow",
)
kind(
    "global limit",
    """
    with get_client(sync_client=True) as client_$n:
        client_$n.upsert_global_concurrency_limit_by_name(f"{NAME}-$n", 1)
    note($n, sorted(task_$n.map([1, 2]).result()))
    """,
    """
    @task
    def task_$n(number):
        with concurrency(f"{NAME}-$n", occupy=1, timeout_seconds=60):
            time.sleep(1)
        return number
    """,
    concurrent=True,
)
kind(
    "select with a time-out",
    """
    left_$n, right_$n = socket.socketpair()
    note($n, select.select([left_$n], [], [], $seconds)[0])
    right_$n.send(b"x")
    note($n, len(select.select([left_$n], [], [], 30)[0]))
    left_$n.close(), right_$n.close()
    """,
    where="plain",
    seconds=SECONDS,
)
