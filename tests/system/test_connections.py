"""Limits of connections, as the server counts them: for one owner, over all of his transfer processes and identities, idle ones included."""
import os
import re
import selectors
import shutil
import socket
import tempfile
import threading
import time

import pytest

from conftest import QUICK, Instance

# As many parts as there may be, at once.
FORCED = QUICK + "SegmentTrial=0\nMinimumSegmentSize=65536\nCheckpointBytes=65536\n"
STEP_BYTES, STEP_SECONDS = 32768, 0.03


CONTENT = bytes((n * 7 + (n >> 8)) & 0xff for n in range(400_000))


class CountingServer:
    """Files of 3,000 bytes ("/f…") or 400,000 (anything else), in steps. One thread, which hears who left before it takes who comes: so a
    connection that was closed for another one is never counted with it."""

    def __init__(self):
        self.listener = socket.create_server(("0.0.0.0", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.open = {}   # connection: its host
        self.input = {}
        self.output = {}  # connection: [due, bytes]
        self.most = 0
        self.most_of_host = 0
        self.n_accepted = 0
        self.stopping = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def url(self, name, host="127.0.0.1", user=""):
        return f"http://{user}{host}:{self.port}/{name}"

    def _drop(self, connection):
        self.selector.unregister(connection)
        for table in (self.open, self.input, self.output):
            table.pop(connection, None)
        connection.close()

    def _answer(self, head):
        path = head.split(b" ", 2)[1]
        size = 3000 if path.startswith(b"/f") else len(CONTENT)
        asked = re.search(rb"(?i)\r\nrange: bytes=(\d+)-(\d*)", head)
        start = int(asked[1]) if asked else 0
        end = min(size, int(asked[2]) + 1) if asked and asked[2] else size
        status = b"206 Partial Content\r\nContent-Range: bytes %d-%d/%d" % (start, end - 1, size) if asked else b"200 OK"
        return b'HTTP/1.1 %s\r\nETag: "e"\r\nContent-Length: %d\r\n\r\n' % (status, end - start) + CONTENT[start:end]

    def _read(self, connection):
        try:
            got = connection.recv(65536)
        except OSError:
            got = b""
        if not got:
            return self._drop(connection)
        self.input[connection] += got
        if b"\r\n\r\n" in self.input[connection]:
            head, self.input[connection] = self.input[connection].split(b"\r\n\r\n", 1)
            self.output[connection] = [time.monotonic() + STEP_SECONDS, self._answer(head)]
        return None

    def _write_due(self):
        for connection, (due, rest) in list(self.output.items()):
            if due > time.monotonic():
                continue
            try:
                sent = connection.send(rest[:STEP_BYTES])
            except BlockingIOError:
                sent = 0
            except OSError:
                self._drop(connection)
                continue
            if len(rest) == sent:
                del self.output[connection]
            else:
                self.output[connection] = [time.monotonic() + STEP_SECONDS, rest[sent:]]

    def _accept(self):
        connection, _ = self.listener.accept()
        connection.setblocking(False)
        self.selector.register(connection, selectors.EVENT_READ)
        host = connection.getsockname()[0]
        self.open[connection] = host
        self.input[connection] = b""
        self.n_accepted += 1
        self.most = max(self.most, len(self.open))
        self.most_of_host = max(self.most_of_host, sum(1 for h in self.open.values() if h == host))

    def _run(self):
        while not self.stopping:
            ready = [key.fileobj for key, _ in self.selector.select(0.005)]
            for connection in ready:
                if connection is not self.listener:
                    self._read(connection)
            self._write_due()
            if self.listener in ready:
                self._accept()

    def close(self):
        self.stopping = True
        self.thread.join()
        for connection in list(self.open):
            self._drop(connection)
        self.listener.close()


@pytest.fixture
def server():
    made = CountingServer()
    yield made
    made.close()


@pytest.fixture
def folders(tmp_path):
    """On two file systems: so there are two transfer processes."""
    (tmp_path / "here").mkdir()
    there = next((f for f in ("/dev/shm", "/var/tmp") if os.path.isdir(f) and os.stat(f).st_dev != tmp_path.stat().st_dev), None)
    if not there:
        pytest.skip("there is one file system only")
    made = tempfile.mkdtemp(prefix="dosvc-test-", dir=there)
    yield [str(tmp_path / "here"), made]
    shutil.rmtree(made)


@pytest.fixture
def start(tmp_path):
    made = []

    def make(config):
        made.append(Instance(str(tmp_path), config))
        made[-1].start()
        return made[-1]
    yield make
    for instance in made:
        instance.close()


def fetch(instance, files, size=3000):
    """All of them, as one foreground job."""
    job = instance.create("many", [(url, path, {}) for url, path in files], Priority="foreground", Resume=True, CompleteWhenTransferred=True)
    end = time.monotonic() + 60
    while job in instance.list_jobs():
        assert time.monotonic() < end, instance.get(job, "State")
        time.sleep(0.02)
    for _, path in files:
        with open(path, "rb") as f:
            assert f.read() == CONTENT[:size]


def test_the_limit_of_a_host_holds_over_two_file_systems(start, server, folders):
    instance = start(QUICK + "MaxConnectionsPerHost=3\n")
    fetch(instance, [(server.url(f"f{n}"), f"{folders[n % 2]}/f{n}") for n in range(60)])
    assert server.most == 3
    assert server.n_accepted <= 20  # they were used again


def test_the_limit_of_an_owner_holds_over_two_file_systems_and_hosts(start, server, folders):
    instance = start(QUICK + "MaxConnectionsPerOwner=4\n")
    fetch(instance, [(server.url(f"f{n}", f"127.0.0.{1 + n // 2 % 2}"), f"{folders[n % 2]}/f{n}") for n in range(60)])
    assert server.most == 4


def test_a_limit_of_one_is_taken_in_turns(start, server, folders):
    instance = start(QUICK + "MaxConnectionsPerHost=1\n")
    fetch(instance, [(server.url(f"f{n}"), f"{folders[n % 2]}/f{n}") for n in range(20)])
    assert server.most == 1


def test_the_limit_holds_for_parts_of_files(start, server, folders):
    instance = start(FORCED + "MaxConnectionsPerHost=3\n")
    fetch(instance, [(server.url(f"large{n}"), f"{folders[n % 2]}/f{n}") for n in range(4)], len(CONTENT))
    assert server.most == 3


def test_what_one_file_system_leaves_the_other_one_uses(start, server, folders):
    """The first one's connections are idle by then."""
    instance = start(FORCED + "MaxConnectionsPerHost=3\n")
    fetch(instance, [(server.url(f"f{n}"), f"{folders[0]}/f{n}") for n in range(6)])
    assert server.most == 3
    before = server.n_accepted
    fetch(instance, [(server.url(f"large{n}"), f"{folders[1]}/l{n}") for n in range(3)], len(CONTENT))
    assert server.most == 3
    assert server.n_accepted >= before + 3


def test_another_host_does_not_wait_for_a_busy_one(start, server, folders):
    instance = start(QUICK + "MaxConnectionsPerHost=2\n")
    fetch(instance, [(server.url(f"f{n}", f"127.0.0.{1 + n % 2}"), f"{folders[n % 2]}/f{n}") for n in range(40)])
    assert server.most_of_host == 2
    assert server.most == 4


def test_idle_connections_count(start, server, folders):
    instance = start(QUICK + "MaxConnectionsPerOwner=2\n")
    for host in range(1, 5):
        fetch(instance, [(server.url(f"f{n}", f"127.0.0.{host}"), f"{folders[0]}/f{host}-{n}") for n in range(4)])
    assert server.most == 2


def test_identities_do_not_share_connections_but_the_limit(start, server, folders):
    instance = start(QUICK + "MaxConnectionsPerHost=2\n")
    fetch(instance, [(server.url(f"f{n}", user=f"user{n % 3}:x@"), f"{folders[0]}/f{n}") for n in range(30)])
    assert server.most == 2
