"""Flows at the top level of a module that set what the interpreter has once for all."""

from __future__ import annotations

import asyncio
import csv
import decimal
import gc
import locale
import logging
import os
import resource
import socket
import ssl
import sys
import tempfile
import time

from prefect import flow


class MyPolicy(asyncio.DefaultEventLoopPolicy):
    pass


class MyLogger(logging.Logger):
    pass


def my_hook(*args):
    pass


READ = {
    "socket": socket.getdefaulttimeout,
    "recursion": sys.getrecursionlimit,
    "digits": sys.get_int_max_str_digits,
    "switch": sys.getswitchinterval,
    "gc": gc.isenabled,
    "threshold": gc.get_threshold,
    "debug": gc.get_debug,
    "locale": lambda: locale.setlocale(locale.LC_ALL),
    "policy": lambda: type(asyncio.get_event_loop_policy()).__name__,
    "csv": csv.field_size_limit,
    "decimal": lambda: decimal.getcontext().prec,
    "default_decimal": lambda: decimal.DefaultContext.prec,
    "logger": lambda: logging.getLoggerClass().__name__,
    "files": lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    "tempdir": lambda: tempfile.tempdir,
    "ssl": lambda: ssl._create_default_https_context.__name__,
    "excepthook": lambda: sys.excepthook.__name__,
    "displayhook": lambda: sys.displayhook.__name__,
    "breakpointhook": lambda: sys.breakpointhook.__name__,
}


def read():
    return {name: str(one()) for name, one in READ.items()}


def set_everything():
    socket.setdefaulttimeout(1.5)
    sys.setrecursionlimit(5000)
    sys.set_int_max_str_digits(10_000)
    sys.setswitchinterval(0.02)
    gc.disable()
    gc.set_threshold(7_000, 5, 5)
    gc.set_debug(gc.DEBUG_UNCOLLECTABLE)
    locale.setlocale(locale.LC_ALL, "C")
    asyncio.set_event_loop_policy(MyPolicy())
    csv.field_size_limit(10**8)
    decimal.getcontext().prec = 5
    decimal.DefaultContext.prec = 6
    logging.setLoggerClass(MyLogger)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
    tempfile.tempdir = "/elsewhere"
    ssl._create_default_https_context = ssl._create_unverified_context
    sys.excepthook = sys.displayhook = sys.breakpointhook = my_hook


@flow(log_prints=True)
def shows():
    for name, value in read().items():
        print(name, value)


@flow(log_prints=True)
def sets_everything():
    before = read()
    set_everything()
    after = read()
    print("unchanged", [name for name in before if before[name] == after[name]])


@flow
def sets_and_sleeps(seconds: int = 60):
    socket.setdefaulttimeout(2.5)
    time.sleep(seconds)


@flow
def sleeps(seconds: int = 30):
    time.sleep(seconds)


@flow(log_prints=True)
def names_its_records(name: str):
    made = logging.getLogRecordFactory()

    def factory(*args, **kwargs):
        record = made(*args, **kwargs)
        record.of = name
        return record

    logging.setLogRecordFactory(factory)
    time.sleep(10)
    record = logging.getLogger("mine").makeRecord("mine", 20, "f", 1, "m", (), None)
    print("of", record.of, "before", made.__name__)


@flow
def asks_for_a_zone(zone: str):
    os.environ["TZ"] = zone
    time.tzset()
