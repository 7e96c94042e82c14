"""Flows of a file that has imported functions of Python's library by their names."""

from __future__ import annotations

import os
import socket
import time
from atexit import register
from os import _exit, fork, system
from queue import Empty, SimpleQueue
from select import select as ready
from signal import SIGALRM, alarm, signal
from threading import Thread
from time import sleep

from prefect import flow


@flow
def queues() -> tuple[float, float]:
    """How long each wait took: for what a thread puts in, and in vain."""
    queue: SimpleQueue[int] = SimpleQueue()
    began = time.time()
    Thread(target=lambda: (sleep(5), queue.put(1))).start()
    queue.get()
    first = time.time()
    try:
        queue.get(timeout=4)
    except Empty:
        pass
    return round(first - began, 3), round(time.time() - first, 3)


@flow
def alarms() -> list[float]:
    """When the alarm came, in seconds."""
    came: list[float] = []
    began = time.time()
    signal(SIGALRM, lambda *_: came.append(round(time.time() - began, 3)))
    alarm(3)
    sleep(10)
    return came


@flow
def leaves() -> None:
    _exit(3)


@flow
def selects() -> float:
    one, other = socket.socketpair()
    with one, other:
        began = time.time()
        ready([one], [], [], 1)
        return round(time.time() - began, 1)


@flow
def asks() -> int:
    os.environ["OF_THIS_RUN"] = "its own"
    return system('test "$OF_THIS_RUN" = "its own"')


@flow
def registers(file: str) -> None:
    register(lambda: open(file, "w").close())


@flow
def forks() -> int:
    child = fork()
    if child == 0:
        sleep(0.2)
        os._exit(5)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
