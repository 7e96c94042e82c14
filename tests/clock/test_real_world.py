"""Waits for the real world: processes, sockets, pipes. Real seconds here, so few of them."""

from __future__ import annotations

import asyncio
import http.server
import multiprocessing
import multiprocessing.dummy
import os
import queue
import select
import selectors
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import anyio
import httpx
import pytest
import requests

from simulator.clock import VirtualClock
from simulator.instants import Real

SLEEPS = [sys.executable, "-c", "import time; time.sleep(0.7)"]
FOR_EVER = [sys.executable, "-c", "import time; time.sleep(60)"]
REAL = 0.3
"""A time-out, in seconds."""


@pytest.fixture(scope="module")
def silent():
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


# -- time-outs --------------------------------------------------------------------------------------


def popen_wait(silent):
    with subprocess.Popen(FOR_EVER) as process:
        try:
            process.wait(REAL)
        finally:
            process.kill()


def subprocess_run(silent):
    subprocess.run(FOR_EVER, timeout=REAL, check=False)


def subprocess_run_captured(silent):
    subprocess.run(FOR_EVER, timeout=REAL, check=False, capture_output=True)


def socket_recv(silent):
    with socket.create_connection(silent) as sock:
        sock.settimeout(REAL)
        sock.recv(1)


def socket_file(silent):
    with socket.create_connection(silent, timeout=REAL) as sock, sock.makefile("rb") as file:
        file.read(1)


def tls_handshake(silent):
    with socket.create_connection(silent, timeout=REAL) as sock:
        ssl.create_default_context().wrap_socket(sock, server_hostname="localhost")


def select_select(silent):
    with socket.create_connection(silent) as sock:
        if select.select([sock], [], [], REAL) == ([], [], []):
            raise TimeoutError


def select_poll(silent):
    with socket.create_connection(silent) as sock:
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        if not poll.poll(REAL * 1000):
            raise TimeoutError


def selectors_select(silent):
    with socket.create_connection(silent) as sock, selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        if not selector.select(REAL):
            raise TimeoutError


def with_requests(silent):
    requests.get("http://{}:{}/".format(*silent), timeout=REAL)


def with_httpx(silent):
    httpx.get("http://{}:{}/".format(*silent), timeout=REAL)


def with_urllib(silent):
    urllib.request.urlopen("http://{}:{}/".format(*silent), timeout=REAL)


def multiprocessing_queue(silent):
    multiprocessing.get_context("fork").Queue().get(timeout=REAL)


async def with_async_httpx(silent):
    async with httpx.AsyncClient(timeout=REAL) as client:
        await client.get("http://{}:{}/".format(*silent))


async def asyncio_streams(silent):
    reader, writer = await asyncio.open_connection(*silent)
    try:
        await asyncio.wait_for(reader.read(1), REAL)
    finally:
        writer.close()


async def asyncio_sock_recv(silent):
    with socket.create_connection(silent) as sock:
        sock.setblocking(False)
        await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 1), REAL)


async def asyncio_subprocess(silent):
    process = await asyncio.create_subprocess_exec(*FOR_EVER)
    try:
        await asyncio.wait_for(process.wait(), REAL)
    finally:
        process.kill()
        await process.wait()


async def asyncio_subprocess_output(silent):
    process = await asyncio.create_subprocess_exec(*FOR_EVER, stdout=asyncio.subprocess.PIPE)
    try:
        with anyio.fail_after(REAL):
            await process.stdout.readline()
    finally:
        process.kill()
        await process.wait()


IN_VAIN = [
    popen_wait, subprocess_run, subprocess_run_captured, socket_recv, socket_file,
    tls_handshake, select_select, select_poll, selectors_select, with_requests, with_httpx,
    with_urllib, multiprocessing_queue, with_async_httpx, asyncio_streams, asyncio_sock_recv,
    asyncio_subprocess, asyncio_subprocess_output,
]  # fmt: skip
TIMED_OUT = (
    TimeoutError, subprocess.TimeoutExpired, queue.Empty, httpx.TimeoutException,
    requests.Timeout, urllib.error.URLError,
)  # fmt: skip


@pytest.mark.parametrize("waits", IN_VAIN, ids=lambda waits: waits.__name__)
def test_a_time_out_comes_in_real_time_and_takes_its_virtual_time(run, silent, waits):
    def call():
        is_async = asyncio.iscoroutinefunction(waits)
        with pytest.raises(TIMED_OUT):
            asyncio.run(waits(silent)) if is_async else waits(silent)
        ended.append(Real.monotonic())

    ended, began = [], Real.monotonic()
    assert run(call) == REAL
    assert ended[0] - began >= REAL


def test_what_comes_in_time_takes_no_virtual_time(run):
    def waits():
        with subprocess.Popen(SLEEPS) as process:
            assert process.wait(30) == 0
        assert subprocess.run(SLEEPS, timeout=30, capture_output=True, check=True).stdout == b""

    assert run(waits) == 0


def test_what_comes_in_time_takes_no_virtual_time_in_a_loop_either(run):
    async def waits():
        async with asyncio.timeout(30):
            process = await asyncio.create_subprocess_exec(*SLEEPS)
            assert await process.wait() == 0

    assert run(waits) == 0


def test_what_a_loop_looks_for_in_vain_takes_no_virtual_time(run):
    async def waits():
        async with asyncio.timeout(30):
            process = await asyncio.create_subprocess_exec(*SLEEPS)
            assert process.returncode is None  # now it has asked, and looks for it again and again
            assert await process.wait() == 0

    assert run(waits) == 0


def test_the_end_of_a_process_is_waited_for_also_if_an_event_tells_of_it(run):
    """AnyIO's way. The program closes its output long before it ends."""
    program = "import os, time; os.close(1); os.close(2); time.sleep(0.7)"

    async def waits():
        async with asyncio.timeout(30):
            assert (await anyio.run_process([sys.executable, "-c", program])).returncode == 0

    assert run(waits) == 0


async def asked_for(process):
    assert process.returncode is None  # now it has asked
    end(process)
    assert await process.wait() == -signal.SIGKILL


async def waited_for(process):
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(process.wait())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        end(process)
    assert waiting.result() == -signal.SIGKILL


async def told_by_an_event(process):
    """Nothing tells that the event waits for the world; but its news is there."""
    ended = asyncio.Event()
    loop, file = asyncio.get_running_loop(), os.pidfd_open(process.pid)
    os.set_blocking(file, False)
    loop.add_reader(file, lambda: (loop.remove_reader(file), ended.set()))
    end(process)
    await ended.wait()
    os.close(file)
    assert await process.wait() == -signal.SIGKILL


def end(process):
    """In real time, and for certain, before the loop looks again."""
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


@pytest.mark.parametrize("waits", [asked_for, waited_for, told_by_an_event])
def test_no_loop_parks_with_the_end_of_a_process_in_hand(run, monkeypatch, waits):
    """Time could move before its thread has seen it: here it gets all the time that it wants for that."""
    park = VirtualClock.park

    def slowly(clock, wait, timeout=None, block=True):
        parked = park(clock, wait, timeout, block)
        if not block and wait.parked:
            Real.sleep(0.2)
        return parked

    monkeypatch.setattr(VirtualClock, "park", slowly)

    async def main():
        process = await asyncio.create_subprocess_exec(*FOR_EVER)
        threading.Thread(target=time.sleep, args=(3600,)).start()
        await waits(process)

    assert run(main) < 1


# -- polls -------------------------------------------------------------------------------------------


def polls_with_poll(process):
    return process.poll() is None


def polls_with_waitpid(process):
    return os.waitpid(process.pid, os.WNOHANG) == (0, 0)


def polls_with_wait(process):
    try:
        process.wait(0)
    except subprocess.TimeoutExpired:
        return True
    return False


@pytest.mark.parametrize("runs", [polls_with_poll, polls_with_waitpid, polls_with_wait])
def test_a_process_that_is_polled_takes_the_time_that_it_takes(run, runs):
    def polls():
        with subprocess.Popen(SLEEPS) as process:
            while runs(process):
                time.sleep(1)
            process.returncode = 0

    assert 1 <= run(polls) <= 10


def test_a_long_sleep_between_two_polls_does_not_last_in_real_time(run):
    def polls():
        with subprocess.Popen(SLEEPS) as process:
            while process.poll() is None:
                time.sleep(3600)

    assert run(polls) == 3600


def test_any_wait_after_a_poll_is_one_for_the_process(run):
    def polls():
        with subprocess.Popen(SLEEPS) as process:
            stop = threading.Event()
            while process.poll() is None and not stop.wait(1):
                pass

    assert 1 <= run(polls) <= 10


def test_a_poll_in_a_loop_is_one_as_well(run):
    async def polls():
        process = await asyncio.create_subprocess_exec(*SLEEPS)
        while process.returncode is None:
            await asyncio.sleep(1)

    async def polls_another():
        with subprocess.Popen(SLEEPS) as process:
            while process.poll() is None:
                await asyncio.sleep(1)

    assert 1 <= run(polls) <= 10
    assert 2 <= run(polls_another) <= 20


def test_a_server_that_is_waited_for_comes_up_in_real_time(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    def serve():
        Real.sleep(0.7)
        servers.append(socket.create_server(("127.0.0.1", port)))

    def polls():
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                time.sleep(1)
            else:
                return

    servers = []
    threading.Thread(target=serve).start()
    assert 1 <= run(polls) <= 10
    servers[0].close()


def test_a_server_in_a_thread_answers_while_its_client_waits_really(run):
    """It looks for requests for a while of virtual time, none of which passes meanwhile."""

    def asks_itself():
        server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
        thread = threading.Thread(target=server.serve_forever, args=(REAL,))
        thread.start()
        Real.sleep(2 * REAL)  # it has looked in vain by now
        with socket.create_connection(server.server_address, timeout=15) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert b"501" in client.recv(100)
        server.shutdown()
        thread.join()
        server.server_close()

    assert run(asks_itself) < 1


def test_a_socket_that_is_polled_is_waited_for_in_real_time(run):
    ours, theirs = socket.socketpair()
    ours.setblocking(False)

    def answer():
        Real.sleep(0.7)
        theirs.send(b"x")

    def polls():
        while True:
            try:
                assert ours.recv(1) == b"x"
            except BlockingIOError:
                time.sleep(1)
            else:
                break
        while not select.select([], [ours], [], 0)[1]:
            time.sleep(1)

    threading.Thread(target=answer).start()
    with ours, theirs:
        assert 1 <= run(polls) <= 10


# -- what is open, and not waited for -----------------------------------------------------------------


def test_a_connection_that_is_only_open_lets_a_loop_sleep_in_virtual_time(run, silent):
    async def sleeps():
        _, writer = await asyncio.open_connection(*silent)
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(3600))
            group.create_task(asyncio.sleep(7200))
        writer.close()
        server.close()

    assert run(sleeps) == 7200


def test_a_connection_that_a_client_keeps_lets_a_thread_sleep_in_virtual_time(run):
    def serve():
        with server, server.accept()[0] as connection:
            connection.recv(1000)
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            over.wait(20)

    def sleeps():
        with httpx.Client() as client:
            client.get("http://{}:{}/".format(*server.getsockname()))
            time.sleep(3600)
        over.set()

    over = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve).start()
    assert run(sleeps) == 3600


def test_a_pool_of_threads_takes_the_time_of_its_work(run):
    """Its keeper waits for a pipe that only its own threads write to."""

    def works():
        with multiprocessing.dummy.Pool(2) as pool:
            assert pool.map(lambda number: time.sleep(1) or -number, range(3)) == [0, -1, -2]
            pool.close()
            pool.join()

    assert run(works) == 2
