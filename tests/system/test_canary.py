"""Nothing of one owner, proxy, credential or certificate crosses over to another: no connection, header, cookie, password or certificate
(reliability of libcurl's connection cache and cookie engine, where most of its security advisories are).

Two owners fetch interleaved through two proxies with two credentials each, over http and over https, from one host, with a system instance.
The proxies are played by two servers that answer for the origin, behind CONNECT, too, where they ask for a certificate; they set cookies and
note what each connection carried. Each owner has two certificates, of the same names as the other one's, and jobs that show none.
"""
import asyncio
import base64
import collections
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile

import pytest

from conftest import BUILD
from doorkeeper import CLIENT_USE
from hostile_tls import SERVER_USE, Certificates
from loop_thread import LoopThread
from system_instance import USERS, running
from test_system_certificates import put

JOBS = 5000 if os.environ.get("DOSVC_SOAK") else 160  # of each owner
OWNERS = ("alice", "bob")
KINDS = ("plain", "none", "k0", "k1")


def identity(owner, number):
    """As canary_owner.py has it."""
    return f"{owner}-p{number % 2}-c{number // 2 % 2}-{KINDS[number // 4 % len(KINDS)]}"


def url(who, number):
    return f"{'http' if who.endswith('-plain') else 'https'}://origin.test/{who}/{number}"


def basic(user):
    return "Basic " + base64.b64encode(f"{user}:secret".encode()).decode()


def fields_of(head):
    return {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}


def shown(writer):
    """The certificate that the client showed: "owner-name"; "none"."""
    peer = writer.get_extra_info("ssl_object").getpeercert()
    if not peer:
        return "none"
    names = dict(pair[0] for pair in peer["subject"])
    return f"{names['organizationName']}-{names['commonName']}"


class Proxies(LoopThread):
    """Two of them on one loop. seen: (proxy, connection) -> the identities of its requests; wrong: sentences."""

    def __init__(self, tls):
        self.tls = tls
        self.seen = collections.defaultdict(set)
        self.n_shown = collections.Counter()
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
            tunnel = certificate = None
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                if head[0].startswith("CONNECT "):
                    tunnel = self._tunnel(head)
                    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    await writer.start_tls(self.tls)
                    certificate = shown(writer)
                    continue
                writer.write(self._answer(proxy, connection, head, tunnel, certificate))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    def _tunnel(self, head):
        """Who it is for, as its password for the proxy says: that is all that a proxy gets to see."""
        fields = fields_of(head)
        for name in ("x-canary", "authorization", "cookie"):
            if name in fields:
                self.wrong.append(f"{head[0]}: {name}: {fields[name]}")
        return fields.get("proxy-authorization")

    def _answer(self, proxy, connection, head, tunnel, certificate):
        fields = fields_of(head)
        target = head[0].split(" ")[1]
        if tunnel:
            target = "https://origin.test" + target
            if "proxy-authorization" in fields:
                self.wrong.append(f"{target}: the proxy's password")
            fields["proxy-authorization"] = tunnel
        who = target.partition("://origin.test/")[2].split("/")[0]
        owner, kind = who.split("-")[0], who.split("-")[-1]
        self.n_requests += 1
        self.n_shown[certificate] += 1
        self.seen[proxy, connection].add(who)
        expected = {"x-canary": who, "proxy-authorization": basic("proxy-" + who), "authorization": basic(who)}
        for name, value in expected.items():
            if fields.get(name) != value:
                self.wrong.append(f"{target}: {name}: {fields.get(name)}")
        if certificate != {"plain": None, "none": "none"}.get(kind, f"{owner}-{kind}"):
            self.wrong.append(f"{target}: the certificate of {certificate}")
        if "cookie" in fields:
            self.wrong.append(f"{target}: cookie {fields['cookie']}")
        if f"-p{proxy}-" not in who:
            self.wrong.append(f"{target} came to proxy {proxy}")
        body = target.encode()
        return (f"HTTP/1.1 200 OK\r\nSet-Cookie: who={who}; path=/\r\nETag: \"{who}\"\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    made = Certificates(str(tmp_path_factory.mktemp("certificates")))
    made.server = made.make("server", made.root, SERVER_USE + "subjectAltName=DNS:origin.test\n")
    made.shown = {(owner, kind): made.make(f"{kind}/O={owner}", made.root, CLIENT_USE) for owner in OWNERS for kind in ("k0", "k1")}
    return made


@pytest.fixture
def machine(certificates):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    folder = tempfile.mkdtemp(prefix="dosvc-authority-")
    os.chmod(folder, 0o755)  # the transfer processes read it, whoever they are
    shutil.copy(certificates.root[0], os.path.join(folder, "ca.pem"))
    # Room for a connection of each identity, or they would be closed rather than used again.
    with running(BUILD, config=f"CAFile={folder}/ca.pem\nMaxConnectionsPerHost=16\n") as machine:
        for (owner, kind), certificate in certificates.shown.items():
            put(machine, owner, kind, certificate)
        yield machine
    shutil.rmtree(folder)


def asking_context(certificates):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificates.server)
    tls.load_verify_locations(certificates.root[0])
    tls.verify_mode = ssl.CERT_OPTIONAL
    return tls


def test_nothing_crosses_between_owners_proxies_credentials_and_certificates(machine, certificates):
    proxies = Proxies(asking_context(certificates))
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
                assert f.read() == url(identity(owner, number), number)
    proxies.close()
    assert not proxies.wrong, proxies.wrong[:10]
    shared = {key: who for key, who in proxies.seen.items() if len(who) > 1}
    assert not shared, f"{len(shared)} connections carried more than one: {list(shared.values())[:5]}"
    # It was a test: connections were used again, and every certificate was shown.
    assert set(proxies.n_shown) == {None, "none"} | {f"{owner}-{kind}" for owner, kind in certificates.shown}
    assert proxies.n_requests >= 2 * JOBS and len(proxies.seen) < proxies.n_requests / 2
    print(f"{proxies.n_requests} requests over {len(proxies.seen)} connections")
