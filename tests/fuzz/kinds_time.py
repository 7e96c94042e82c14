"""Readers of the time: each must go as `time.time()` goes, and where it shows a date, show that."""

from __future__ import annotations

from tests.fuzz.tree import kind, one_of

UTC = "datetime.timezone.utc"

INSTANTS = (
    f"datetime.datetime.now({UTC}).timestamp()",
    "datetime.datetime.now().timestamp()",
    "datetime.datetime.today().timestamp()",
    f"datetime.datetime.utcnow().replace(tzinfo={UTC}).timestamp()",
    "time.time_ns() / 1e9",
    "time.clock_gettime(time.CLOCK_REALTIME)",
    "time.clock_gettime_ns(time.CLOCK_REALTIME) / 1e9",
    "calendar.timegm(time.gmtime()) + 0.5",
    "time.mktime(time.localtime()) + 0.5",
    "time.mktime(time.strptime(time.ctime())) + 0.5",
    "time.mktime(time.strptime(time.asctime())) + 0.5",
    "int(time.strftime('%s')) + 0.5",
    "prefect.types._datetime.now('UTC').timestamp()",
    "sqlite3.connect(':memory:').execute('select unixepoch(\"now\")').fetchone()[0] + 0.5",
    "sqlite3.connect(':memory:').execute(\"select strftime('%s', 'now')\").fetchone()[0]",
    "(sqlite3.connect(':memory:').execute(\"select julianday('now')\").fetchone()[0] - 2440587.5) * 86400",
    "duckdb.connect().execute('select epoch(now())').fetchone()[0]",
    "duckdb.connect().execute('select epoch(current_timestamp)').fetchone()[0]",
    "duckdb.connect().execute('select epoch(get_current_timestamp())').fetchone()[0]",
    "logging.makeLogRecord({}).created",
    "logging.LogRecord('a', 1, 'b', 1, 'c', (), None).created",
    "READS_DEFAULT()",
    "READS_PARTIAL()",
    "ReadsField().at",
    "READS['bound']()",
    "uuid_time()",
    "file_time()",
    "http_time()",
)  # fmt: skip

SPANS = (
    "time.monotonic()",
    "time.monotonic_ns() / 1e9",
    "time.perf_counter()",
    "time.perf_counter_ns() / 1e9",
    "time.clock_gettime(time.CLOCK_MONOTONIC)",
    "asyncio.new_event_loop().time()",
    "READS['monotonic']()",
)

TOP = """
import dataclasses, email.utils, uuid

READS = {"bound": time.time, "monotonic": time.monotonic}
READS_PARTIAL = functools.partial(time.time)


def READS_DEFAULT(clock=time.time):
    return clock()


@dataclasses.dataclass
class ReadsField:
    at: float = dataclasses.field(default_factory=time.time)


def uuid_time():
    return (uuid.uuid1().time - 0x01B21DD213814000) / 1e7


def file_time():
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("x")
        file.flush()
        return os.path.getmtime(file.name)


def http_time():
    return email.utils.mktime_tz(email.utils.parsedate_tz(email.utils.formatdate())) + 0.5
"""

kind(
    "reader of an instant",
    """
    note($n, close($reader, time.time()))
    time.sleep($seconds)
    note($n, close($reader, time.time()))
    """,
    TOP,
    where="plain",
    reader=one_of(*INSTANTS),
    seconds=one_of(1, 2, 3),
)
kind(
    "reader of a span",
    """
    before_$n, at_$n = $reader, time.time()
    time.sleep($seconds)
    note($n, close($reader - before_$n, time.time() - at_$n))
    """,
    TOP,
    where="plain",
    reader=one_of(*SPANS),
    seconds=one_of(2, 4),
)
kind(
    "reader of a span in an async flow",
    """
    before_$n, at_$n = $reader, time.time()
    await asyncio.sleep($seconds)
    note($n, close($reader - before_$n, time.time() - at_$n))
    """,
    TOP,
    where="aflow",
    reader=one_of("asyncio.get_running_loop().time()", "anyio.current_time()", "time.monotonic()"),
    seconds=one_of(2, 4),
)
kind(
    "age of a file",
    """
    file_$n = FOLDER / "aged-$n"
    file_$n.write_text("x")
    time.sleep(4)
    old_$n = time.time() - $stamp > 2
    note($n, old_$n)
    if old_$n:
        file_$n.unlink()
    """,
    where="plain",
    stamp=one_of(
        "os.path.getmtime(file_$n)",
        "file_$n.stat().st_mtime",
        "next(os.scandir(FOLDER)).stat().st_mtime",
        "os.stat(file_$n).st_mtime_ns / 1e9",
    ),
)
kind(
    "default made at import",
    "note($n, flow_$n())",
    """
    BEGAN_$n = time.time()


    def at_import_$n(day=datetime.date.today(), at=time.time()):
        return day == datetime.date.today(), at - BEGAN_$n < 1, time.time() - at < 600


    @flow
    def flow_$n():
        return at_import_$n()
    """,
)
kind(
    "dates",
    """
    note($n, datetime.date.today() == datetime.datetime.now().date())
    note($n, time.strftime("%Y-%m-%d") == str(datetime.date.today()))
    """,
    where="plain",
)
kind(
    "pandas",
    """
    import pandas
    note($n, close(pandas.Timestamp.now("UTC").timestamp(), time.time()))
    note($n, pandas.DataFrame({"a": [1, 2]}).assign(b=lambda d: d.a * 2).to_dict("list"))
    """,
    where="plain",
)
