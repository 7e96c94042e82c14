"""Sockets whose two ends are both in this process: waits for them are virtual ones.

`time.sleep` is virtual here, and says when somebody answers; in a program of its own, and in `Real.sleep`,
it is real, and short.
"""

from __future__ import annotations

import asyncio
import http.server
import os
import resource
import select
import selectors
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import httpx
import pytest
import requests
from prefect import flow

from simulator import Simulation
from simulator.instants import Real

LONG = 3600.0
"""How long a server takes for its answer, in seconds."""


class Slow(http.server.BaseHTTPRequestHandler):
    """Answers after as many seconds as it is asked for."""

    def do_GET(self):
        time.sleep(float(self.path[1:]))
        try:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
        except BrokenPipeError:
            pass  # nobody waits any longer

    def log_message(self, *_):
        pass


def serving(ask):
    """Call `ask(address)` beside a server in a thread of its own."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        return ask(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def with_httpx(url, timeout):
    return httpx.get(url, timeout=timeout).content


def with_requests(url, timeout):
    return requests.get(url, timeout=timeout).content


def with_urllib(url, timeout):
    return urllib.request.urlopen(url, timeout=timeout).read()


def with_async_httpx(url, timeout):
    async def ask():
        async with httpx.AsyncClient(timeout=timeout) as client:
            return (await client.get(url)).content

    return asyncio.run(ask())


def answering_after(seconds, listener):
    """Start a thread that takes one client, and answers in so many seconds."""

    def answers():
        with listener.accept()[0] as connection:
            time.sleep(seconds)
            connection.sendall(b"ok")

    threading.Thread(target=answers).start()


def answering_really(listener):
    """A thread of the real world that does so in some real time. To be started."""

    def answers():
        with listener.accept()[0] as connection:
            Real.sleep(0.7)
            connection.sendall(b"ok")

    return threading.Thread(target=answers)


CLIENTS = [with_httpx, with_requests, with_urllib, with_async_httpx]
LATE = (TimeoutError, httpx.TimeoutException, requests.Timeout)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_an_answer_that_comes_in_time_comes_after_the_servers_sleep(run, client):
    def asks(address):
        assert client(f"{address}/{LONG}", LONG + 60) == b"ok"

    assert run(lambda: serving(asks)) == pytest.approx(LONG, abs=1)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_an_answer_that_comes_late_is_waited_for_until_the_time_out(run, client):
    def asks(address):
        with pytest.raises(LATE):
            client(f"{address}/{LONG}", 60)

    assert run(lambda: serving(asks)) == pytest.approx(60, abs=1)


def received(sock):
    return sock.recv(9)


def received_into(sock):
    buffer = bytearray(9)
    return bytes(buffer[: sock.recv_into(buffer)])


def read_from_a_file(sock):
    with sock.makefile("rb") as file:
        return file.read(2)


def selected(sock):
    assert select.select([sock], [], []) == ([sock], [], [])
    return sock.recv(9)


def selected_by_a_selector(sock):
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        assert selector.select()
    return sock.recv(9)


def selected_by_polls(sock):
    with selectors.PollSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        while not selector.select(60):
            pass
    return sock.recv(9)


READS = [
    received, received_into, read_from_a_file, selected, selected_by_a_selector, selected_by_polls,
]  # fmt: skip


@pytest.mark.parametrize("reads", READS, ids=lambda reads: reads.__name__)
def test_who_waits_without_a_time_out_gets_what_comes(run, reads):
    def waits():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            answering_after(LONG, listener)
            time.sleep(1)  # the server waits for its client meanwhile
            with socket.create_connection(listener.getsockname()) as client:
                assert reads(client) == b"ok"

    assert run(waits) == LONG + 1


@pytest.mark.parametrize("reads", READS, ids=lambda reads: reads.__name__)
def test_so_does_who_waits_for_the_other_end_of_a_pair(run, reads):
    def waits():
        ours, theirs = socket.socketpair()

        def answers():
            time.sleep(LONG)
            theirs.sendall(b"ok")

        threading.Thread(target=answers).start()
        with ours, theirs:
            assert reads(ours) == b"ok"

    assert run(waits) == LONG


def test_nobody_comes_to_a_listener_and_its_time_out_takes_no_real_time(run):
    def waits():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(LONG)
            with pytest.raises(TimeoutError, match="timed out"):
                listener.accept()

    assert run(waits) == LONG


def test_several_that_accept_at_one_listener_share_its_clients(run):
    def waits():
        listener = socket.create_server(("127.0.0.1", 0))
        served, answers = [], []

        def serves(name):
            while True:
                with listener.accept()[0] as connection:
                    asked = connection.recv(9)
                    if asked == b"stop":
                        return
                    served.append(name)
                    time.sleep(60)
                    connection.sendall(asked)

        def asks(number):
            with socket.create_connection(listener.getsockname()) as client:
                client.sendall(b"%d" % number)
                answers.append(client.recv(9))

        servers = [threading.Thread(target=serves, args=(name,)) for name in "abc"]
        clients = [threading.Thread(target=asks, args=(number,)) for number in range(6)]
        for thread in [*servers, *clients]:
            thread.start()
        for thread in clients:
            thread.join()
        assert sorted(answers) == [b"%d" % number for number in range(6)]
        assert sorted(served) == list("aabbcc")
        for _ in servers:
            with socket.create_connection(listener.getsockname()) as client:
                client.sendall(b"stop")
        for thread in servers:
            thread.join()
        listener.close()

    assert run(waits) == 120


@pytest.mark.parametrize("apart", [False, True], ids=["in one loop", "in two threads"])
def test_loops_wait_for_each_other_in_virtual_time(run, apart):
    async def answers(reader, writer):
        await reader.readline()
        await asyncio.sleep(LONG)
        writer.write(b"ok\n")
        writer.close()

    async def asks(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"?\n")
        assert await asyncio.wait_for(reader.readline(), LONG + 60) == b"ok\n"
        writer.close()

    async def serves(started, over):
        async with await asyncio.start_server(answers, "127.0.0.1", 0) as server:
            started(server.sockets[0].getsockname()[1])
            await over

    async def together():
        loop = asyncio.get_running_loop()
        port, over = loop.create_future(), loop.create_future()
        server = asyncio.create_task(serves(port.set_result, over))
        await asks(await port)
        over.set_result(None)
        await server

    def with_a_server_apart():
        ports, there, loops = [], threading.Event(), []

        async def main():
            loop, over = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
            loops.append((loop, over))
            await serves(lambda port: (ports.append(port), there.set()), over)

        thread = threading.Thread(target=lambda: asyncio.run(main()))
        thread.start()
        there.wait()
        asyncio.run(asks(ports[0]))
        loop, over = loops[0]
        loop.call_soon_threadsafe(over.set_result, None)
        thread.join()

    began = Real.monotonic()
    assert run(with_a_server_apart if apart else together) == LONG
    assert Real.monotonic() - began < 20


def test_a_process_that_is_waited_for_is_served_meanwhile(run):
    program = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=20).read())"

    def asks(address):
        command = [sys.executable, "-c", program, f"{address}/0"]
        assert subprocess.check_output(command, text=True) == "b'ok'\n"

    assert run(lambda: serving(asks)) < 1


def test_while_a_process_may_come_a_listener_waits_for_it_in_real_time(run):
    program = "import socket, sys, time; time.sleep(0.7); socket.create_connection(('127.0.0.1', int(sys.argv[1])))"

    def waits():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=time.sleep, args=(LONG,)).start()
            port = str(listener.getsockname()[1])
            with subprocess.Popen([sys.executable, "-c", program, port]):
                listener.accept()[0].close()

    assert run(waits) == 0


def test_a_process_that_no_flow_has_started_is_nobodys_peer(run):
    """Such as the one of multiprocessing that looks after what is left: it stays to the end."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:

        def waits():
            with socket.create_server(("127.0.0.1", 0)) as listener:
                listener.settimeout(LONG)
                with pytest.raises(TimeoutError):
                    listener.accept()

        assert run(waits) == LONG
        process.kill()


def test_a_process_that_has_ended_holds_nobody(run):
    def waits():
        process = subprocess.Popen([sys.executable, "-c", ""])
        ours, theirs = socket.socketpair()
        with ours, theirs:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            ours.settimeout(LONG)
            with pytest.raises(TimeoutError):
                ours.recv(1)
        process.wait()

    assert run(waits) == LONG


def test_a_listener_of_somebody_else_is_one_of_the_real_world(run):
    """Its thread was there before the simulation, and sleeps in real time."""
    listener = socket.create_server(("127.0.0.1", 0))

    def waits():
        threading.Thread(target=time.sleep, args=(LONG,)).start()
        with socket.create_connection(listener.getsockname()) as client:
            assert client.recv(9) == b"ok"

    thread = answering_really(listener)
    with listener:
        thread.start()
        assert run(waits) == 0
        thread.join()


def test_a_port_at_another_address_is_another_listener(run):
    theirs = socket.create_server(("127.0.0.2", 0))
    port = theirs.getsockname()[1]

    def waits():
        threading.Thread(target=time.sleep, args=(LONG,)).start()
        with (
            socket.create_server(("127.0.0.1", port)),
            socket.create_connection(theirs.getsockname()) as client,
        ):
            assert client.recv(9) == b"ok"

    thread = answering_really(theirs)
    with theirs:
        thread.start()
        assert run(waits) == 0
        thread.join()


@pytest.mark.parametrize(
    ("bound", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("0.0.0.0", "127.0.0.1"),
        ("0.0.0.0", "localhost"),
        ("::1", "::1"),
        ("::", "::1"),
    ],
)
def test_a_listener_is_reached_by_each_of_its_names(run, bound, host):
    family = socket.AF_INET6 if ":" in bound else socket.AF_INET
    try:
        socket.create_server((bound, 0), family=family).close()
    except OSError:
        pytest.skip(f"nothing can be bound to {bound} here")

    def waits():
        with socket.create_server((bound, 0), family=family) as listener:
            answering_after(LONG, listener)
            with socket.create_connection((host, listener.getsockname()[1])) as client:
                assert client.recv(9) == b"ok"

    assert run(waits) == LONG


def test_descriptors_beyond_what_select_knows_are_looked_at_too(run):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1200:
        pytest.skip("so many files may not be opened here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]

    def waits():
        ours, theirs = socket.socketpair()
        assert ours.fileno() > 1024

        def answers():
            time.sleep(LONG)
            theirs.sendall(b"ok")

        threading.Thread(target=answers).start()
        with ours, theirs:
            assert ours.recv(9) == b"ok"

    try:
        assert run(waits) == LONG
    finally:
        for file in files:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_who_waits_for_what_another_thread_closes_waits_on_as_on_linux(run):
    def waits():
        listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]

        def closes():
            time.sleep(LONG)
            for listener in listeners:
                listener.close()

        threading.Thread(target=closes).start()
        listeners[0].settimeout(2 * LONG)
        with pytest.raises(TimeoutError):
            listeners[0].accept()

    def selects():
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Timer(LONG, listener.close).start()
        assert select.select([listener], [], [], 2 * LONG) == ([], [], [])

    assert run(waits) == 2 * LONG
    assert run(selects) == 4 * LONG


def test_a_flow_asks_a_server_of_its_own_and_a_server_that_is_not_up_yet():
    """In a whole simulation, whose guard of the network looks at each connection too."""
    program = (
        "import socket, sys, time; time.sleep(0.7);"
        "socket.create_server(('127.0.0.1', int(sys.argv[1]))).accept()"
    )

    @flow
    def asks_its_own() -> tuple[bytes, float]:
        began = time.time()
        answer = serving(lambda address: with_httpx(f"{address}/{LONG}", LONG + 60))
        return answer, time.time() - began

    @flow
    def asks_another() -> int:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        with subprocess.Popen([sys.executable, "-c", program, str(port)]):
            for looked in range(1000):
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                except ConnectionRefusedError:
                    time.sleep(0.2)
                else:
                    return looked
        raise AssertionError("it has not come up")

    with Simulation() as sim:
        own, another = sim.run(asks_its_own), sim.run(asks_another)
    assert own.result == (b"ok", pytest.approx(LONG, abs=1))
    assert 1 <= another.result <= 50
