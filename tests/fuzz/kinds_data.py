"""Files, DuckDB, SQLite, and what is real: subprocesses and sockets."""

from __future__ import annotations

from tests.fuzz.tree import kind, one_of

kind(
    "DuckDB table",
    """
    with duckdb.connect(str(FOLDER / "$file.duckdb")) as con_$n:
        con_$n.execute("create table if not exists t_$n (x integer, y varchar)")
        con_$n.execute("insert into t_$n values (1, 'a'), (2, 'b')")
        note($n, con_$n.execute("select count(*) from t_$n").fetchone())
    """,
    where="plain",
    file=one_of("one", "other"),
)
kind(
    "DuckDB transaction",
    """
    with duckdb.connect(str(FOLDER / "one.duckdb")) as con_$n:
        con_$n.begin()
        con_$n.execute("create or replace table r_$n as select 1 as x")
        con_$n.$then()
        note($n, con_$n.execute("select count(*) from duckdb_tables() where table_name = 'r_$n'").fetchone())
    """,
    where="plain",
    then=one_of("commit", "rollback"),
)
kind(
    "DuckDB twice in one process",
    """
    with duckdb.connect(str(FOLDER / "twice.duckdb")) as one_$n:
        one_$n.execute("create or replace table t as select 42 as x")
        try:
            with duckdb.connect(str(FOLDER / "twice.duckdb"), read_only=$read_only) as other_$n:
                note($n, other_$n.execute("from t").fetchall())
        except duckdb.Error as error:
            note($n, (type(error).__name__, str(error)[:30]))
    """,
    where="plain",
    read_only=one_of(False, True),
)
kind(
    "DuckDB held by a real process",
    """
    held_$n = FOLDER / "held-$n.duckdb"
    process_$n = subprocess.Popen([sys.executable, "-c", HOLDS, str(held_$n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process_$n.stdout.readline()
    try:
        duckdb.connect(str(held_$n)).close()
        note($n, "opened")
    except duckdb.IOException as error:
        note($n, "Could not set lock on file" in str(error))
    process_$n.communicate(b"end")
    duckdb.connect(str(held_$n)).close()
    note($n, process_$n.returncode)
    """,
    """
    HOLDS = '''
    import duckdb, sys
    con = duckdb.connect(sys.argv[1])
    print("held", flush=True)
    sys.stdin.read()
    con.close()
    '''
    """,
)
kind(
    "DuckDB in memory",
    """
    note($n, duckdb.sql("select sum(x) from range(5) t(x)").fetchall())
    note($n, duckdb.connect().execute("select date_trunc('day', now()) = current_date").fetchone())
    """,
    where="plain",
)
kind(
    "DuckDB held through a sleep",
    """
    thread_$n = threading.Thread(target=run_$n)
    thread_$n.start()
    thread_$n.join()
    """,
    """
    def run_$n():
        con = duckdb.connect(str(FOLDER / "slow-$n.duckdb"))
        con.execute("create or replace table t as select 1 as x")
        time.sleep(2)
        con.close()
        note($n, "closed")
    """,
    where="plain",
)
kind(
    "SQLite table",
    """
    with sqlite3.connect(FOLDER / "one.sqlite") as con_$n:
        con_$n.execute("create table if not exists s_$n (x integer primary key, at text)")
        con_$n.execute("insert into s_$n (at) values (date('now') = date(current_timestamp))")
        note($n, con_$n.execute("select * from s_$n where x = 1").fetchall())
    con_$n.close()
    """,
    where="plain",
)
kind(
    "SQLite that is locked",
    """
    one_$n = sqlite3.connect(FOLDER / "locked.sqlite", isolation_level=None)
    other_$n = sqlite3.connect(FOLDER / "locked.sqlite", timeout=2, isolation_level=None)
    one_$n.execute("begin immediate")
    at_$n = time.monotonic()
    try:
        other_$n.execute("begin immediate")
    except sqlite3.OperationalError as error:
        note($n, (str(error), 1.5 < time.monotonic() - at_$n < 9))
    one_$n.execute("rollback")
    one_$n.close(), other_$n.close()
    """,
    where="plain",
)
kind(
    "SQLite waited for",
    """
    thread_$n = threading.Thread(target=run_$n)
    thread_$n.start()
    time.sleep(2)
    with sqlite3.connect(FOLDER / "waited-$n.sqlite", timeout=60) as con_$n:
        con_$n.execute("insert into t values (2)")
    con_$n.close()
    thread_$n.join()
    """,
    """
    def run_$n():
        con = sqlite3.connect(FOLDER / "waited-$n.sqlite", isolation_level=None)
        con.execute("create table if not exists t (x)")
        con.execute("begin immediate")
        con.execute("insert into t values (1)")
        time.sleep(4)
        con.execute("commit")
        con.close()
    """,
    where="plain",
)
kind(
    "files in formats",
    """
    (FOLDER / "data-$n.json").write_text(json.dumps({"n": $n, "list": [1, None, True]}))
    with (FOLDER / "data-$n.csv").open("w", newline="") as file_$n:
        csv.writer(file_$n).writerows([["a", "b"], [1, 2]])
    (FOLDER / "data-$n.bin").write_bytes(pickle.dumps(($n, "pickled")))
    note($n, pickle.loads((FOLDER / "data-$n.bin").read_bytes()))
    """,
    where="plain",
)
kind(
    "files found and moved",
    """
    (FOLDER / "there-$n").touch()
    shutil.copy(FOLDER / "there-$n", FOLDER / "copy-$n")
    (FOLDER / "copy-$n").rename(FOLDER / "moved-$n")
    note($n, sorted(Path(name).name for name in glob.glob(str(FOLDER / "*-$n"))))
    """,
    where="plain",
)
kind(
    "file that is not there",
    '(FOLDER / "never-written").read_text()',
    where="plain",
)
kind(
    "fcntl.flock",
    """
    with (FOLDER / "flocked").open("w") as one_$n, (FOLDER / "flocked").open("w") as other_$n:
        fcntl.flock(one_$n, fcntl.LOCK_EX)
        try:
            fcntl.flock(other_$n, fcntl.$how | fcntl.LOCK_NB)
            note($n, "had it")
        except OSError as error:
            note($n, type(error).__name__)
    """,
    where="plain",
    how=one_of("LOCK_EX", "LOCK_SH"),
)
kind(
    "fcntl.lockf",
    """
    with (FOLDER / "lockfed").open("w") as one_$n, (FOLDER / "lockfed").open("w") as other_$n:
        fcntl.lockf(one_$n, fcntl.LOCK_EX)
        fcntl.lockf(other_$n, fcntl.LOCK_EX | fcntl.LOCK_NB)
        note($n, "one process, one owner")
    """,
    where="plain",
)
kind(
    "filelock",
    """
    with filelock.FileLock(FOLDER / "filelocked"):
        try:
            filelock.FileLock(FOLDER / "filelocked", timeout=2).acquire()
            note($n, "had it")
        except filelock.Timeout:
            note($n, "time-out")
    """,
    where="plain",
)
kind(
    "subprocess",
    """
    done_$n = subprocess.run(["sh", "-c", "$command"], capture_output=True, text=True, check=$check)
    note($n, (done_$n.returncode, done_$n.stdout))
    """,
    where="plain",
    command=one_of("echo out", "exit 3", "sleep 1; echo late"),
    check=one_of(False, True),
)
kind(
    "subprocess that takes too long",
    """
    process_$n = subprocess.Popen(["sleep", "30"])
    try:
        process_$n.wait(timeout=2)
    except subprocess.TimeoutExpired as error:
        note($n, str(error))
    process_$n.$end()
    note($n, process_$n.wait())
    """,
    where="plain",
    end=one_of("terminate", "kill"),
)
kind(
    "subprocess that is polled",
    """
    process_$n = subprocess.Popen(["sleep", "2"])
    while process_$n.poll() is None:
        time.sleep(0.5)
    note($n, process_$n.returncode)
    """,
    where="plain",
)
kind(
    "subprocess that talks",
    """
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as cat_$n:
        cat_$n.stdin.write("there\\n")
        cat_$n.stdin.flush()
        note($n, cat_$n.stdout.readline())
    """,
    where="plain",
)
kind(
    "asyncio subprocess",
    """
    process_$n = await asyncio.create_subprocess_exec("sleep", "$seconds")
    try:
        note($n, await asyncio.wait_for(process_$n.wait(), 3))
    except TimeoutError:
        note($n, "time-out")
        process_$n.kill()
        await process_$n.wait()
    """,
    where="aflow",
    seconds=one_of(0, 9),
)
kind(
    "socket that answers",
    """
    listener_$n = socket.create_server(("127.0.0.1", 0))
    thread_$n = threading.Thread(target=run_$n, args=(listener_$n,))
    thread_$n.start()
    with socket.create_connection(listener_$n.getsockname(), timeout=20) as client_$n:
        client_$n.sendall(b"ping")
        note($n, client_$n.recv(100))
    thread_$n.join()
    listener_$n.close()
    """,
    """
    def run_$n(listener):
        connection, _ = listener.accept()
        with connection:
            got = connection.recv(100)
            time.sleep($seconds)
            connection.sendall(got.upper())
    """,
    where="plain",
    seconds=one_of(0, 2),
)
kind(
    "socket that never answers",
    """
    with socket.create_server(("127.0.0.1", 0)) as silent_$n:
        with socket.create_connection(silent_$n.getsockname(), timeout=2) as client_$n:
            try:
                client_$n.recv(1)
            except TimeoutError as error:
                note($n, str(error))
    """,
    where="plain",
)
kind(
    "HTTP",
    """
    server_$n = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers_$n)
    threading.Thread(target=server_$n.serve_forever, args=(0.1,), daemon=True).start()
    url_$n = f"http://127.0.0.1:{server_$n.server_port}/"
    try:
        note($n, $ask)
    finally:
        server_$n.shutdown()
        server_$n.server_close()
    """,
    """
    class Answers_$n(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response($status)
            self.end_headers()
            self.wfile.write(b"answered")

        def log_message(self, *_):
            pass
    """,
    where="plain",
    ask=one_of(
        "httpx.get(url_$n).status_code",
        "httpx.get(url_$n).text",
        "urllib.request.urlopen(url_$n).read()",
    ),
    status=one_of(200, 503),
)
kind(
    "asyncio streams",
    """
    server_$n = await asyncio.start_server(serve_$n, "127.0.0.1", 0)
    reader_$n, writer_$n = await asyncio.open_connection(*server_$n.sockets[0].getsockname())
    try:
        note($n, await asyncio.wait_for(reader_$n.readline(), 3))
    except TimeoutError:
        note($n, "time-out")
    writer_$n.close()
    server_$n.close()
    """,
    """
    async def serve_$n(reader, writer):
        await asyncio.sleep($seconds)
        writer.write(b"line\\n")
        writer.close()
    """,
    where="aflow",
    seconds=one_of(0, 8),
)
kind(
    "variable",
    """
    Variable.set("fuzz_" + NAME + "_$n", {"value": $n}, overwrite=True)
    note($n, Variable.get("fuzz_" + NAME + "_$n"))
    """,
)
kind("artifact", 'note($n, bool(create_markdown_artifact("# said", key="fuzz-$n")))')
