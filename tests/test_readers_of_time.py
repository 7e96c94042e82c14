"""Every reader of the time in `docs/time.md`: virtual, told, or real by right, as it says there.

`READERS` holds one for each line of the page, in its words: it returns an instant in seconds since
the epoch, or, for those that count from elsewhere, how many seconds have passed in ten virtual hours.
"""

import asyncio
import calendar
import contextlib
import copy
import ctypes
import email.utils
import functools
import http.cookies
import importlib.util
import inspect
import io
import logging
import operator
import os
import re
import resource
import sched
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import timeit
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiosqlite
import anyio
import cachetools
import duckdb
import numpy as np
import prefect.types._datetime as prefect_time
import pytest
import sqlalchemy as sa
from dateutil.utils import today as dateutil_today
from prefect import flow
from prefect._internal.uuid7 import uuid7
from pydantic import BaseModel, Field, PastDatetime, TypeAdapter, ValidationError

from simulator import Simulation

PAGE = Path(__file__).parents[1] / "docs" / "time.md"
START = datetime(2024, 5, 1, 6, 30, tzinfo=UTC)
HOURS = 10


def utc(naive: datetime) -> float:
    return naive.replace(tzinfo=UTC).timestamp()


def local(naive: datetime) -> float:
    return naive.timestamp()


def day(of: date) -> float:
    return datetime.combine(of, datetime.min.time()).timestamp()


def of_struct(given: time.struct_time) -> float:
    return time.mktime(given)


@dataclass
class Noted:
    at: datetime = field(default_factory=datetime.now)


class Stamped(BaseModel):
    at: datetime = Field(default_factory=partial(datetime.now, UTC))


class OfAClass:
    now = time.time


class Subclass(datetime):
    pass


def by_default(read: Callable[[], float] = time.time) -> float:
    return read()


def enclosed() -> Callable[[], float]:
    read = time.time
    return lambda: read()


def in_sqlite(sql: str) -> Callable[[], float]:
    def read() -> float:
        with contextlib.closing(sqlite3.connect(":memory:")) as con:
            return float(con.execute(f"select unixepoch({sql})").fetchone()[0])

    return read


def in_duckdb(sql: str) -> Callable[[], float]:
    def read() -> float:
        with duckdb.connect() as con:
            con.execute("set TimeZone = 'UTC'")
            return float(con.execute(f"select epoch({sql})").fetchone()[0])  # type: ignore[index]

    return read


def in_a_connection() -> float:
    with contextlib.closing(sqlite3.Connection(":memory:")) as con:
        return float(con.execute("select unixepoch('now')").fetchone()[0])


def of_an_element() -> float:
    made = np.zeros(1, "M8[s]")
    made[0] = "now"
    return float(made.astype(int)[0])


PAST: TypeAdapter[datetime] = TypeAdapter(PastDatetime)


def between_past_and_future() -> float:
    """The last second that is in the past: what lies before it is, and what lies behind is not."""
    first, last = 0, 2**33
    while last - first > 1:
        middle = (first + last) // 2
        try:
            PAST.validate_python(datetime.fromtimestamp(middle, UTC))
        except ValidationError:
            last = middle
        else:
            first = middle
    return float(first)


def through_sqlalchemy() -> float:
    with sa.create_engine("sqlite://").connect() as connection:
        return utc(connection.scalar(sa.select(sa.func.now())))


def through_aiosqlite() -> float:
    async def ask() -> float:
        async with aiosqlite.connect(":memory:") as connection:
            async with connection.execute("select unixepoch(current_timestamp)") as cursor:
                return float((await cursor.fetchone())[0])  # type: ignore[index]

    return asyncio.run(ask())


def in_a_loop(read: Callable[[], float]) -> Callable[[], float]:
    async def ask() -> float:
        return read()

    return lambda: asyncio.run(ask())


def of_a_zip() -> float:
    with zipfile.ZipFile(io.BytesIO(), "w") as archive:
        archive.writestr("a", "b")
        return local(datetime(*archive.infolist()[0].date_time))  # noqa: DTZ001


def of_uuid1() -> float:
    return (uuid.uuid1().time - 0x01B21DD213814000) / 1e7


def cached(cache: Any = None) -> float:
    return float(cachetools.TTLCache(1, 60).timer())


def cookie() -> float:
    made: Any = http.cookies.SimpleCookie()
    made["a"] = "b"
    made["a"]["expires"] = 0
    return parsedate_to_datetime(
        made["a"].OutputString().partition("=")[2].partition("=")[2]
    ).timestamp()


def optional(module: str, read: Callable[[Any], float]) -> Callable[[], float]:
    def ask() -> float:
        return read(importlib.import_module(module))

    ask.needs = module  # type: ignore[attr-defined]
    return ask


def in_thread(read: Callable[[], float]) -> Callable[[], float]:
    def ask() -> float:
        seen: list[float] = []
        thread = threading.Thread(target=lambda: seen.append(read()))
        thread.start()
        thread.join()
        return seen[0]

    return ask


def record() -> logging.LogRecord:
    return logging.LogRecord("a", 20, "f", 1, "m", (), None)


def of_a_file(read: Callable[[Path], float]) -> Callable[[], float]:
    def ask() -> float:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a"
            path.write_text("a")
            return read(path)

    return ask


def of_an_entry(path: Path) -> float:
    with os.scandir(path.parent) as entries:
        return next(entries).stat().st_mtime


CLOCK_GETTIME = time.clock_gettime

VIRTUAL: dict[str, Callable[[], float]] = {
    "datetime.now()": lambda: local(datetime.now()),  # noqa: DTZ005
    "datetime.now(tz)": lambda: datetime.now(ZoneInfo("Asia/Tokyo")).timestamp(),
    "datetime.utcnow()": lambda: utc(datetime.utcnow()),  # noqa: DTZ003
    "datetime.today()": lambda: local(datetime.today()),  # noqa: DTZ002
    "date.today()": lambda: day(date.today()),  # noqa: DTZ011
    "now() of a subclass of datetime": lambda: Subclass.now(UTC).timestamp(),
    "time.time()": lambda: time.time(),
    "time.time_ns()": lambda: time.time_ns() / 1e9,
    "time.localtime()": lambda: of_struct(time.localtime()),
    "time.gmtime()": lambda: float(calendar.timegm(time.gmtime())),
    "time.strftime(format)": lambda: float(time.strftime("%s")),
    "time.ctime()": lambda: of_struct(time.strptime(time.ctime())),
    "time.asctime()": lambda: of_struct(time.strptime(time.asctime())),
    "time.clock_gettime(CLOCK_REALTIME)": lambda: CLOCK_GETTIME(time.CLOCK_REALTIME),
    "time.clock_gettime_ns(CLOCK_REALTIME)": lambda: time.clock_gettime_ns(0) / 1e9,
    "time.clock_gettime(CLOCK_MONOTONIC)": lambda: CLOCK_GETTIME(time.CLOCK_MONOTONIC),
    "time.clock_gettime(CLOCK_BOOTTIME)": lambda: CLOCK_GETTIME(getattr(time, "CLOCK_BOOTTIME", 1)),
    "time.monotonic()": lambda: time.monotonic(),
    "time.monotonic_ns()": lambda: time.monotonic_ns() / 1e9,
    "time.perf_counter()": lambda: time.perf_counter(),
    "time.perf_counter_ns()": lambda: time.perf_counter_ns() / 1e9,
    "timeit.default_timer()": lambda: timeit.default_timer(),
    "default_factory= of a dataclass": lambda: local(Noted().at),
    "default_factory= of a pydantic model": lambda: Stamped().at.timestamp(),
    "a default argument": by_default,
    "a functools.partial": partial(time.time),
    "a class attribute": lambda: OfAClass.now(),
    "a closure": enclosed(),
    "a value of a dict": lambda readers={"now": time.time}: readers["now"](),
    "an operator.methodcaller": lambda call=operator.methodcaller("now", UTC): call(
        datetime
    ).timestamp(),
    "a deep copy of a reader": copy.deepcopy(time.time),
    "a reader behind functools.cache": functools.cache(lambda: time.time)(),
    "in a thread": in_thread(lambda: time.time()),
    "loop.time() of asyncio": in_a_loop(lambda: asyncio.get_running_loop().time()),
    "anyio.current_time()": in_a_loop(anyio.current_time),
    "sched.scheduler": lambda: sched.scheduler().timefunc(),
    "cachetools.TTLCache": cached,
    "logging: created of a record": lambda: record().created,
    "logging: asctime of a record": lambda: of_struct(
        time.strptime(logging.Formatter().formatTime(record(), "%c"), "%c")
    ),
    "logging: relativeCreated of a record": lambda: (
        record().relativeCreated / 1e3 + START.timestamp()
    ),
    "email.utils.formatdate()": lambda: parsedate_to_datetime(email.utils.formatdate()).timestamp(),
    "email.utils.localtime()": lambda: email.utils.localtime().timestamp(),
    "expires of http.cookies": cookie,
    "zipfile: the time of an entry": of_a_zip,
    "uuid.uuid1()": of_uuid1,
    "uuid7() of Prefect": lambda: int(uuid7().hex[:12], 16) / 1e3,
    "prefect.types.DateTime and now()": lambda: prefect_time.now("UTC").timestamp(),
    "dateutil.utils.today()": lambda: local(dateutil_today()),
    "dateutil.parser: what is left out": optional(
        "dateutil.parser", lambda parser: local(parser.parse("00:00"))
    ),
    "pendulum.now()": optional("pendulum", lambda pendulum: pendulum.now("UTC").timestamp()),
    "pendulum.today()": optional("pendulum", lambda pendulum: pendulum.today("UTC").timestamp()),
    "whenever.Instant.now()": optional(
        "whenever", lambda whenever: whenever.Instant.now().to_stdlib().timestamp()
    ),
    "whenever.ZonedDateTime.now(tz)": optional(
        "whenever",
        lambda whenever: whenever.ZonedDateTime.now("Asia/Tokyo").to_stdlib().timestamp(),
    ),
    "arrow.utcnow() and now()": optional("arrow", lambda arrow: arrow.utcnow().timestamp()),
    "pd.Timestamp.now()": optional("pandas", lambda pd: pd.Timestamp.now(tz="UTC").timestamp()),
    "pd.Timestamp.today()": optional(
        "pandas", lambda pd: local(pd.Timestamp.today().to_pydatetime())
    ),
    'pd.Timestamp("now")': optional(
        "pandas", lambda pd: local(pd.Timestamp("now").to_pydatetime())
    ),
    'pd.to_datetime("now")': optional(
        "pandas", lambda pd: pd.to_datetime("now", utc=True).timestamp()
    ),
    "pd.Period.now()": optional(
        "pandas", lambda pd: local(pd.Period.now("s").to_timestamp().to_pydatetime())
    ),
    'np.datetime64("now")': lambda: float(np.datetime64("now").astype("M8[s]").astype(int)),
    'np.datetime64("today")': lambda: float(np.datetime64("today").astype("M8[s]").astype(int)),
    'np.array(["now"], "M8[s]")': lambda: float(np.array(["now"], "M8[s]").astype(int)[0]),
    'np.asarray(["today"], "M8[D]")': lambda: float(
        np.asarray(["today"], "M8[D]").astype("M8[s]").astype(int)[0]
    ),
    'np.array(["now"]).astype("M8[s]")': lambda: float(
        np.array(["now"]).astype("M8[s]").astype(int)[0]
    ),
    'np.full(1, "now", "M8[s]")': lambda: float(np.full(1, "now", "M8[s]").astype(int)[0]),
    'a word that is put into an array of "M8[s]"': of_an_element,
    "pydantic.PastDatetime and FutureDatetime": between_past_and_future,
    "a polars column of datetime.now()": optional(
        "polars", lambda pl: pl.Series([datetime.now(UTC)]).dt.timestamp("ms")[0] / 1e3
    ),
    "a pyarrow scalar of datetime.now()": optional(
        "pyarrow", lambda pa: pa.scalar(datetime.now(UTC)).as_py().timestamp()
    ),
    "getmtime() of a file written before": of_a_file(lambda path: os.path.getmtime(path)),  # noqa: PTH204
    "Path.stat() of a file written before": of_a_file(lambda path: path.stat().st_mtime),
    "os.scandir() of a file written before": of_a_file(of_an_entry),
    "SQLite: datetime('now')": in_sqlite("datetime('now')"),
    "SQLite: date('now')": in_sqlite("date('now')"),
    "SQLite: strftime(..., 'now')": in_sqlite("strftime('%Y-%m-%d %H:%M:%S', 'now')"),
    "SQLite: julianday('now')": in_sqlite("datetime(julianday('now'))"),
    "SQLite: unixepoch()": in_sqlite("datetime(unixepoch(), 'unixepoch')"),
    "SQLite: current_timestamp": in_sqlite("current_timestamp"),
    "SQLite: of a Connection that connect() has not made": in_a_connection,
    "SQLAlchemy on SQLite: func.now()": through_sqlalchemy,
    "aiosqlite: current_timestamp": through_aiosqlite,
    "DuckDB: now()": in_duckdb("now()"),
    "DuckDB: current_timestamp": in_duckdb("current_timestamp"),
    "DuckDB: current_date, today()": in_duckdb("current_date::timestamp"),
    "DuckDB: localtimestamp": in_duckdb("localtimestamp"),
    "DuckDB: uuidv7()": in_duckdb("uuid_extract_timestamp(uuidv7())"),
}

REAL: dict[str, Callable[[], float]] = {
    "time.process_time()": lambda: time.process_time(),
    "time.thread_time()": lambda: time.thread_time(),
    "time.clock_gettime(CLOCK_PROCESS_CPUTIME_ID)": lambda: CLOCK_GETTIME(2),
    "os.times()": lambda: os.times().user,
    "resource.getrusage()": lambda: resource.getrusage(resource.RUSAGE_SELF).ru_utime,
}


def in_a_process() -> None:
    subprocess.run([sys.executable, "-c", "import time; time.time()"], check=True)


def in_polars() -> None:
    pytest.importorskip("polars").sql("select 1 as now, now() as at, 'now()' as said").collect()


def in_an_expression_of_polars() -> None:
    pytest.importorskip("polars").select(sys.modules["polars"].sql_expr("current_timestamp as at"))


def in_pyarrow() -> None:
    assert pytest.importorskip("pyarrow.fs").LocalFileSystem().get_file_info("/").mtime


def in_psutil() -> None:
    assert pytest.importorskip("psutil").Process().create_time()


def in_psutil_of_the_machine() -> None:
    assert pytest.importorskip("psutil").boot_time()


def in_a_file_of_linux() -> None:
    assert float(Path("/proc/uptime").read_text().split()[0])


def in_the_c_library() -> None:
    assert ctypes.CDLL(None).time(None)


def in_duckdb_spelt_out() -> None:
    duckdb.execute("select system.main.now(), now()").fetchall()


TOLD: dict[str, Callable[[], object]] = {
    "the clock of a process that a flow starts": in_a_process,
    "polars: now() in SQL": in_polars,
    "polars: current_timestamp in sql_expr()": in_an_expression_of_polars,
    "pyarrow.fs: mtime of a FileInfo": in_pyarrow,
    "psutil: create_time() of a Process": in_psutil,
    "psutil.boot_time()": in_psutil_of_the_machine,
    "DuckDB: system.main.now()": in_duckdb_spelt_out,
    "/proc/uptime": in_a_file_of_linux,
    "ctypes: time() of the C library": in_the_c_library,
}


def of_the_page(how: str) -> set[str]:
    rows = re.findall(r"^\| (.+?) \| (.+?) \|", PAGE.read_text(), re.MULTILINE)
    return {reader.replace("`", "") for reader, is_ in rows if is_ == how}


def test_the_page_lists_what_is_tried_here() -> None:
    assert of_the_page("virtual") == set(VIRTUAL)
    assert of_the_page("told") == set(TOLD)
    assert of_the_page("real by right") == set(REAL)
    assert len(VIRTUAL) + len(TOLD) + len(REAL) >= 60


SEEN: list[dict[str, float]] = []
"""What each reader showed, at the beginning and ten hours later."""


def look() -> None:
    SEEN.append(
        {
            name: read()
            for name, read in (VIRTUAL | REAL).items()
            if importlib.util.find_spec(getattr(read, "needs", "time").partition(".")[0])
        }
    )


@flow
def reads_them_all() -> None:
    look()
    time.sleep(HOURS * 3600)
    look()


@pytest.mark.filterwarnings("ignore:.*utcnow:DeprecationWarning")
def test_each_is_what_the_page_says() -> None:
    SEEN.clear()
    with Simulation(start=START) as sim:
        run = sim.run(reads_them_all)
        assert run.state == "Completed", run.message
        assert sim.caveats == ()
    first, second = SEEN
    at = {name: START.timestamp() for name in first}
    # It goes on from what it showed before the simulation.
    at |= {name: first[name] for name in first if "perf_counter" in name or "timer" in name}
    days = {name for name in VIRTUAL if re.search("today|date\\(|current_date|left out", name)}
    for name in set(first) & set(VIRTUAL):
        slack = 86_400.0 if name in days else 2.0
        assert -slack <= first[name] - at[name] <= 2, name
        assert -slack <= second[name] - at[name] - HOURS * 3600 <= 2, name
    for name in REAL:
        assert 0 <= first[name] <= second[name] < first[name] + 600 < 1e6, name


@pytest.mark.parametrize("name", TOLD)
def test_what_cannot_be_reached_is_told(name: str) -> None:
    @flow
    def meets_it() -> None:
        TOLD[name]()

    with Simulation(start=START) as sim:
        assert sim.run(meets_it).state == "Completed"
        assert [caveat.kind for caveat in sim.caveats] == ["real time"]
    (caveat,) = sim.caveats
    line = inspect.getsourcelines(TOLD[name])[1] + 1
    assert caveat.where == f"{__file__}:{line}"


def test_sql_that_does_not_ask_polars_for_the_time_is_not_told() -> None:
    polars = pytest.importorskip("polars")

    @flow
    def asks_for_nothing() -> list[Any]:
        said = polars.sql("select 'now()' as said, 1 as \"current_date\" -- of today()").collect()
        return [said.rows(), polars.select(polars.sql_expr(["1 as now", "2 as b"])).rows()]

    with Simulation(start=START) as sim:
        assert sim.run(asks_for_nothing).result == [[("now()", 1)], [(1, 2)]]
        assert sim.caveats == ()
