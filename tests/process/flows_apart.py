"""Flows at the top level of a module, as in a project of its own: what an OS gives to each process."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import io
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import getrandbits, randint
from random import random as drawn

from prefect import flow, task
from prefect.settings import PREFECT_LOGGING_LEVEL, PREFECT_TASKS_DEFAULT_RETRIES

SHOW = [
    sys.executable,
    "-c",
    "import os; print(os.environ.get('TARGET'), os.environ.get('ADDED'))",
]


# -- environment -----------------------------------------------------------------------------------


@flow(log_prints=True)
def changes_its_environment(target: str):
    os.environ["TARGET"] = target
    os.environb[b"BYTES"] = target.encode()
    os.putenv("ADDED", target)
    time.sleep(10)
    told = subprocess.run(SHOW, capture_output=True, text=True).stdout.strip()
    print("child", told)
    print("own", os.environ["TARGET"], os.getenv("BYTES"), os.environ.get("ADDED"))
    del os.environ["TARGET"]
    print("gone", "TARGET" in os.environ, os.environ.copy().get("TARGET"))
    print("shell", os.popen("echo ${TARGET-none}").read().strip())
    print("system", os.system("exit 3"))


@task
def reads_target():
    return os.environ["TARGET"]


@flow(log_prints=True)
def reads_everywhere():
    print("task", reads_target(), reads_target.submit().result())
    box = []
    thread = threading.Thread(target=lambda: box.append(os.environ["TARGET"]))
    thread.start()
    thread.join()
    print("thread", *box)


@flow(log_prints=True)
async def reads_in_async():
    print("loop", os.environ["TARGET"], await asyncio.to_thread(os.getenv, "TARGET"))
    process = await asyncio.create_subprocess_exec(*SHOW, stdout=subprocess.PIPE)
    print("child", (await process.communicate())[0].decode().strip())


@flow(log_prints=True)
def reads_its_settings():
    print("retries", PREFECT_TASKS_DEFAULT_RETRIES.value(), PREFECT_LOGGING_LEVEL.value())
    print("run", bool(os.environ["PREFECT__FLOW_RUN_ID"]))
    box = []
    thread = threading.Thread(target=lambda: box.append(PREFECT_TASKS_DEFAULT_RETRIES.value()))
    thread.start()
    thread.join()
    print("thread", *box)


# -- the working directory -------------------------------------------------------------------------


@flow(log_prints=True)
def changes_directory(folder: str):
    os.chdir(folder)
    time.sleep(10)
    Path("here.txt").write_text("x")
    print(
        "cwd",
        os.getcwd(),
        Path.cwd(),
        subprocess.run(["pwd"], capture_output=True, text=True).stdout.strip(),
    )
    with ThreadedList() as seen:
        seen.call(os.getcwd)
    print("thread", *seen)


class ThreadedList(list):
    """Takes what functions return that are called in a thread."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def call(self, function):
        thread = threading.Thread(target=lambda: self.append(function()))
        thread.start()
        thread.join()


# -- output ----------------------------------------------------------------------------------------


@flow
def redirects(name: str):
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(sys.stdout):
        print(name, "begins")
        time.sleep(10)
        sys.stderr.write(f"{name} ends\n")
        sys.stdout.write(f"{name} out\n")
    Path(os.environ["OUT"], f"{name}.txt").write_text(text.getvalue())


@task
def says(word: str):
    print("said", word)
    time.sleep(5)
    print("said", word, "again")


@flow(log_prints=True)
def says_in_tasks():
    for future in [says.submit(word) for word in ("a", "b")]:
        future.result()


# -- logging ---------------------------------------------------------------------------------------


class Kept(logging.Handler):
    """A handler that keeps what it is told."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


@flow(log_prints=True)
def sets_up_logging(name: str):
    kept = Kept()
    logging.getLogger().addHandler(kept)
    logger = logging.getLogger("project")
    logger.setLevel(logging.DEBUG if name == "loud" else logging.ERROR)
    time.sleep(10)
    logger.debug("%s debug", name)
    logger.error("%s error", name)
    if name == "quiet":
        logging.disable(logging.CRITICAL)
    time.sleep(10)
    logger.error("%s last", name)
    logging.disable(logging.NOTSET)
    print("kept", [line for line in kept.lines if line.startswith(name)], len(kept.lines))


# -- random numbers --------------------------------------------------------------------------------


@flow(log_prints=True)
def draws():
    print("drawn", random.random(), drawn(), getrandbits(40), randint(0, 10**9), random.gauss(0, 1))


@flow(log_prints=True)
def seeds():
    random.seed(7)
    state = random.getstate()
    time.sleep(10)
    print("seeded", random.random(), random.Random(7).random())
    random.setstate(state)
    print("again", random.random())


# -- signals ---------------------------------------------------------------------------------------


class TooLong(Exception):
    pass


def too_long(signum, frame):
    raise TooLong


@flow(log_prints=True)
def gives_up_after(seconds: int):
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    began = time.time()
    try:
        time.sleep(60)
    except TooLong:
        print("after", round(time.time() - began))
    finally:
        signal.alarm(0)


@flow(log_prints=True)
def ticks():
    ticked = []
    signal.signal(signal.SIGALRM, lambda *_: ticked.append(round(time.time() - began)))
    began = time.time()
    signal.setitimer(signal.ITIMER_REAL, 2, 3)
    time.sleep(10)
    print("slept", round(time.time() - began), "ticked", ticked)
    print("left", round(signal.setitimer(signal.ITIMER_REAL, 0)[0]))
    signal.alarm(4)
    signal.pause()
    print("paused", round(time.time() - began))


@flow(log_prints=True)
async def hears_on_its_loop():
    heard = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, heard.set)
    threading.Timer(3, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    began = time.time()
    await asyncio.wait_for(heard.wait(), 60)
    print(
        "heard", round(time.time() - began), threading.current_thread() is threading.main_thread()
    )
    asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)


@flow
def is_not_asked():
    signal.raise_signal(signal.SIGHUP)


@flow
def ignores_sigterm():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(20)


@task
def sets_a_handler():
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


@flow
def sets_a_handler_in_a_thread():
    sets_a_handler.submit().result()


# -- the end ---------------------------------------------------------------------------------------


def note(word: str):
    with Path(os.environ["OUT"], "notes.txt").open("a") as notes:
        notes.write(f"{word} {round(time.time()) % 1000}\n")


@flow
def leaves_notes(how: str = "return"):
    atexit.register(note, "first registered")
    atexit.register(note, word="last registered")
    atexit.register(note, "never")
    atexit.unregister(note) if how == "unregister" else None

    def late():
        time.sleep(20)
        note("thread")

    threading.Thread(target=late).start()

    def daemon():
        time.sleep(30)
        note("daemon")

    threading.Thread(target=daemon, daemon=True).start()
    note("flow")
    if how == "exit":
        sys.exit(3)
    if how == "_exit":
        os._exit(4)


@flow(log_prints=True)
def forks(how: str):
    child = os.fork()
    if child == 0:
        if how == "works":
            Path(os.environ["OUT"], "child.txt").write_text(os.environ.get("TARGET", ""))
            os._exit(5)
        if how == "execs":
            os.execvp(sys.executable, [sys.executable, "-c", "raise SystemExit(6)"])
        return
    _, status = os.waitpid(child, 0)
    print("child", os.waitstatus_to_exitcode(status))


@flow
def waits_for_a_foreign_process():
    """It belongs to a child of this run's, which reaps it."""
    parent = (
        "import subprocess; one = subprocess.Popen(['sleep', '0.7'])\n"
        "print(one.pid, flush=True); one.wait()"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as child:
        pid = int(child.stdout.readline())
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                break
            time.sleep(1)


@flow(log_prints=True)
def closes_its_output(way: str):
    if way == "close":
        sys.stdout.close()
        sys.stderr.close()
    elif way == "with":
        with sys.stdout as out:
            out.write("within")
    elif way == "detach":
        sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding="utf-8")
        sys.stdout.write("é")
    else:
        sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8")
        sys.stdout.write("é")
    print("closed", sys.stdout.closed, isinstance(sys.__stdout__, io.TextIOWrapper))
    try:
        sys.stdout.write("more")
        print("wrote more")
    except ValueError as error:
        print("refused", error)
