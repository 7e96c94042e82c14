"""What a process has of its own: environment, working directory, output, logging, signals, globals."""

from __future__ import annotations

from tests.fuzz.tree import kind, one_of

kind(
    "environment",
    """
    note($n, os.environ.get("FUZZ_$n"))
    os.environ["FUZZ_$n"] = "set by $n"
    note($n, os.getenv("FUZZ_$n"))
    """,
    where="plain",
)
kind(
    "environment of a subprocess",
    """
    os.environ["FUZZ_HANDED"] = "by $n"
    note($n, subprocess.run("echo $$FUZZ_HANDED", shell=True, capture_output=True, text=True).stdout)
    """,
    where="plain",
)
kind(
    "environment that is taken back",
    """
    note($n, os.environ.pop("FUZZ_HANDED", "not there"))
    note($n, "FUZZ_HANDED" in os.environ)
    """,
    where="plain",
)
kind(
    "working directory",
    """
    (FOLDER / "below").mkdir(exist_ok=True)
    before_$n = os.getcwd()
    os.chdir(FOLDER / "below")
    Path("relative-$n").write_text("in the working directory")
    note($n, (Path.cwd().name, sorted(os.listdir())))
    $then
    """,
    where="plain",
    then=one_of("os.chdir(before_$n)", "pass"),
)
kind("print", 'print("said by $n", $n, sep="-")', where="plain")
kind(
    "print to a file",
    """
    with (FOLDER / "printed-$n").open("w") as file_$n:
        print("to a file", file=file_$n)
    print("said to nobody $n", file=io.StringIO())
    """,
    where="plain",
)
kind(
    "output redirected",
    """
    import contextlib
    with contextlib.redirect_stdout(io.StringIO()) as out_$n:
        sys.stdout.write("written")
    note($n, out_$n.getvalue())
    """,
    where="plain",
)
kind("run logger", 'get_run_logger().$level("said to the log by $n")',
     level=one_of("info", "warning", "error", "debug"))  # fmt: skip
kind(
    "logger of one's own",
    """
    logger_$n = logging.getLogger("fuzz.$n")
    handler_$n = logging.FileHandler(FOLDER / "own-$n.log")
    logger_$n.addHandler(handler_$n)
    logger_$n.setLevel(logging.$level)
    logger_$n.info("to a handler")
    logger_$n.warning("a warning")
    handler_$n.close()
    logger_$n.removeHandler(handler_$n)
    """,
    where="plain",
    level=one_of("INFO", "WARNING"),
)
kind(
    "set-up of logging",
    """
    root_$n = logging.getLogger()
    note($n, (root_$n.level, len(root_$n.handlers)))
    root_$n.setLevel(logging.$level)
    note($n, logging.getLogger("fuzz.other").getEffectiveLevel())
    """,
    where="plain",
    level=one_of("DEBUG", "ERROR"),
)
kind(
    "module global counted",
    """
    count_$n()
    note($n, (GLOBAL_$n, LIST_$n))
    """,
    """
    GLOBAL_$n, LIST_$n = 0, []


    def count_$n():
        global GLOBAL_$n
        GLOBAL_$n += 1
        LIST_$n.append(GLOBAL_$n)
    """,
    where="plain",
)
kind(
    "function with a cache",
    "note($n, [cached_$n(1), cached_$n(1), cached_$n.cache_info().hits])",
    """
    @functools.lru_cache
    def cached_$n(number):
        return attempt("cached_$n")
    """,
    where="plain",
)
kind(
    "random numbers that are seeded",
    """
    random.seed($n)
    note($n, (random.random(), random.randint(1, 1000), random.Random(7).choice("abc")))
    """,
    where="plain",
)
kind(
    "context variable",
    """
    token_$n = VARIABLE_$n.set("set")
    note($n, (VARIABLE_$n.get(), contextvars.copy_context().run(VARIABLE_$n.get)))
    VARIABLE_$n.reset(token_$n)
    """,
    'VARIABLE_$n = contextvars.ContextVar("variable_$n", default="default")',
    where="plain",
)
kind(
    "thread-local value",
    """
    LOCAL_$n.value = 1
    thread_$n = threading.Thread(target=lambda: note($n, hasattr(LOCAL_$n, "value")))
    thread_$n.start()
    thread_$n.join()
    """,
    "LOCAL_$n = threading.local()",
    where="plain",
)
kind(
    "alarm",
    """
    signal.signal(signal.SIGALRM, ring_$n)
    $arm
    try:
        time.sleep(6)
        note($n, "not interrupted")
    except TimeoutError as error:
        note($n, str(error))
    signal.alarm(0)
    """,
    """
    def ring_$n(number, frame):
        raise TimeoutError("alarm")
    """,
    arm=one_of("signal.alarm(2)", "signal.setitimer(signal.ITIMER_REAL, 2.5)", "signal.alarm(30)"),
)
kind(
    "signal handler",
    """
    before_$n = signal.signal(signal.SIGUSR1, handle_$n)
    signal.raise_signal(signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    time.sleep(1)
    signal.signal(signal.SIGUSR1, before_$n)
    """,
    """
    def handle_$n(number, frame):
        note($n, signal.Signals(number).name)
    """,
)
kind("signal from an async flow", """
    loop_$n = asyncio.get_running_loop()
    loop_$n.add_signal_handler(signal.SIGUSR2, note, $n, "handled")
    os.kill(os.getpid(), signal.SIGUSR2)
    await asyncio.sleep(1)
    loop_$n.remove_signal_handler(signal.SIGUSR2)
    """, where="aflow")  # fmt: skip
kind("atexit", 'atexit.register(note, $n, "at the end")', where="plain")
kind("sys.exit", "sys.exit($code)", code=one_of(0, 3, '"said at the end"'))
kind(
    "warning",
    """
    with warnings.catch_warnings(record=True) as caught_$n:
        warnings.simplefilter("always")
        warnings.warn("said as a warning", stacklevel=1)
    note($n, len(caught_$n))
    """,
    where="plain",
)
kind(
    "threads named and counted",
    "note($n, (threading.current_thread() is threading.main_thread(), os.getpid() > 1))",
    where="plain",
)
kind(
    "recursion and garbage",
    """
    import gc
    note($n, (gc.collect() >= 0, sys.getrecursionlimit() > 100))
    """,
    where="plain",
)
kind(
    "umask and permissions",
    """
    before_$n = os.umask(0o077)
    (FOLDER / "masked-$n").write_text("x")
    os.umask(before_$n)
    note($n, oct((FOLDER / "masked-$n").stat().st_mode))
    """,
    where="plain",
)
