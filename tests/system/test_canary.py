"""Nothing of one owner, proxy or credential crosses over to another: no connection, header, cookie or password (reliability of libcurl's
connection cache and cookie engine, where most of its security advisories are).

Two owners fetch interleaved through two proxies with two credentials each, from one host, with a system instance. The proxies are played
by two servers that answer for the origin; they set cookies and note what each connection carried.
"""
import asyncio
import base64
import collections
import json
import os
import subprocess
import sys

import pytest

from conftest import BUILD
from loop_thread import LoopThread
from system_instance import USERS, running

JOBS = 5000 if os.environ.get("DOSVC_SOAK") else 300  # of each owner
OWNERS = ("alice", "bob")


class Proxies(LoopThread):
    """Two of them on one loop. seen: (proxy, connection) -> the identities of its requests; wrong: sentences."""

    def __init__(self):
        self.seen = collections.defaultdict(set)
        self.wrong = []
        self.n_requests = 0
        self.ports = []
        super().__init__()

    async def listen(self):
        for proxy in range(2):
            server = await asyncio.start_server(lambda r, w, p=proxy: self._serve(p, r, w), "127.0.0.1", 0)
            self.ports.append(server.sockets[0].getsockname()[1])

    async def _serve(self, proxy, reader, writer):
        connection = object()
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                writer.write(self._answer(proxy, connection, head[0].split(" ")[1], head[1:]))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, proxy, connection, target, lines):
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines if line)}
        who = target.removeprefix("http://origin.test/").split("/")[0]
        self.n_requests += 1
        self.seen[proxy, connection].add(who)
        expected = {"x-canary": who, "proxy-authorization": "Basic " + base64.b64encode(f"proxy-{who}:secret".encode()).decode(),
                    "authorization": "Basic " + base64.b64encode(f"{who}:secret".encode()).decode()}
        for name, value in expected.items():
            if fields.get(name) != value:
                self.wrong.append(f"{target}: {name}: {fields.get(name)}")
        if "cookie" in fields:
            self.wrong.append(f"{target}: cookie {fields['cookie']}")
        if f"-p{proxy}-" not in who:
            self.wrong.append(f"{target} came to proxy {proxy}")
        body = target.encode()
        return (f"HTTP/1.1 200 OK\r\nSet-Cookie: who={who}; path=/\r\nETag: \"{who}\"\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


@pytest.fixture
def machine():
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with running(BUILD) as machine:
        yield machine


def test_nothing_crosses_between_owners_proxies_and_credentials(machine):
    proxies = Proxies()
    program = os.path.join(machine.bin, "canary_owner.py")
    with open(os.path.join(os.path.dirname(__file__), "canary_owner.py"), encoding="utf-8") as f, \
            open(program, "w", encoding="utf-8") as copy:
        copy.write(f.read())  # where every user may read it
    running = {}
    for owner in OWNERS:
        folder = os.path.join(machine.home(owner), "canary")
        os.mkdir(folder)
        os.chown(folder, USERS[owner][0], USERS[owner][0])
        running[owner] = subprocess.Popen(
            machine._as(owner) + [sys.executable, program, f"unix:path={machine.socket}", owner, str(JOBS), folder]
            + [f"http://127.0.0.1:{port}" for port in proxies.ports], stdout=subprocess.PIPE, text=True, cwd="/")
    for owner, process in running.items():
        out, _ = process.communicate(timeout=600)
        assert process.returncode == 0 and json.loads(out) == {"left": {}, "there": JOBS}, f"{owner}: {out}\n{machine.logs()}"
        for number in range(JOBS):
            with open(os.path.join(machine.home(owner), "canary", str(number)), encoding="ascii") as f:
                assert f.read() == f"http://origin.test/{owner}-p{number % 2}-c{number // 2 % 2}/{number}"
    proxies.close()
    assert not proxies.wrong, proxies.wrong[:10]
    shared = {key: who for key, who in proxies.seen.items() if len(who) > 1}
    assert not shared, f"{len(shared)} connections carried more than one: {list(shared.values())[:5]}"
    # It was a test: connections were used again.
    assert proxies.n_requests >= 2 * JOBS and len(proxies.seen) < proxies.n_requests / 2
    print(f"{proxies.n_requests} requests over {len(proxies.seen)} connections")
