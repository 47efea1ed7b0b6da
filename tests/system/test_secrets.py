"""Twenty secrets, planted through the API and by servers: heard by whom they are for, and found nowhere else. Not in what is shown, logged at debug
level, stored, left behind, measured or told in an error; not in any process's arguments and environment, in no signal and no attribute of a file.
In the user instance and in the system instance, where others listen, too."""
import base64
import contextlib
import http.server
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
from gi.repository import Gio, GLib

from conftest import BUILD, QUICK
from service import Service
from system_instance import USERS, Machine


def marker(number):
    return f"planted-secret-{number:02}-zq"


# What is set and never told again, not even to the owner: number -> what it is.
NEVER_TOLD = {1: "write-only header", 2: "write-only cookie", 3: "Authorization for a challenge", 4: "Proxy-Authorization for a challenge",
              5: "Basic password", 6: "Digest password", 7: "Basic password of the proxy", 8: "Digest password of the proxy",
              9: "password in the environment's proxy", 10: "decryption key"}
# The owner sees these again, where they were put; nobody else does, and no log, history or error has them.
OWNERS_OWN = {11: "query", 12: "user info", 13: "query of what is not there", 14: "query of a mirror", 15: "query of a redirect", 16: "cookie",
              17: "query of piece hashes", 18: "query that SetUrl brought", 19: "prefix that ReplaceUrlPrefix brought", 20: "password of a proxy in a list"}


class Ear(http.server.ThreadingHTTPServer):
    """Hears everything. What is in the path says whether it asks who is there, sends away, or has nothing."""
    daemon_threads = True

    def __init__(self):
        self.heard = []
        super().__init__(("127.0.0.1", 0), EarHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path, user=""):
        return f"http://{user}127.0.0.1:{self.server_address[1]}/{path}"

    def has_heard(self, number):
        everything = "\n".join(self.heard)
        for header in everything.split("Basic ")[1:]:
            everything += base64.b64decode(header.split()[0]).decode()
        return marker(number) in everything


class EarHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.heard.append(f"{self.path}\n{self.headers}")
        status, more, body = 200, [("Set-Cookie", f"a={marker(16)}")], b"the file"
        for word, code, asks, says in (("ask-server", 401, "WWW-Authenticate", "Authorization"),
                                       ("ask-proxy", 407, "Proxy-Authenticate", "Proxy-Authorization")):
            if word in self.path and says not in self.headers:
                scheme = 'Digest realm="here", nonce="n0", qop="auth", algorithm=SHA-256' if "digest" in self.path else 'Basic realm="here"'
                status, more, body = code, [(asks, scheme)], b"who are you?"
        if "away" in self.path:
            status, more = 302, [("Location", self.server.url(f"there?{marker(15)}"))]
        if "missing" in self.path:
            status, body = 404, b"nothing"
        self.send_response(status)
        for field in more + [("Content-Length", str(len(body)))]:
            self.send_header(*field)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def ear():
    made = Ear()
    yield made
    made.shutdown()
    made.server_close()


class OwnInstance(Service):
    """The user instance, with what the test wants to know of it."""

    def __init__(self, folder):
        super().__init__(BUILD, str(folder / "state"), QUICK + f"MetricsSocket={folder}/metrics\n", arguments=["--verbose"])
        self.metrics = str(folder / "metrics")
        self.target = str(folder / "target")

    def start(self, wait=True):
        os.mkdir(self.target)
        super().start(wait)
        self.heard, self.heard_by_others = Listener(self.bus), []

    def command(self, *words):
        return subprocess.run([os.path.join(BUILD, "src/cli/dosvc"), *words], env={**os.environ, "DOSVC_ADDRESS": self.address},
                              capture_output=True, text=True, check=False, timeout=30)

    def processes(self):
        """Without the program that a job has run."""
        pids = [self.process.pid, *self.children()]
        return [pid for pid in pids if b"dosvc" in read_bytes(f"/proc/{pid}/cmdline").split(b"\0")[0]]

    def logs(self):
        return read_file(self.log_path)

    def close(self):
        self.stop()


class AlicesView(Service):
    """The system instance as alice has it, with bob listening. (On a bus: tests/machine/test_system_bus.py.)"""

    def __init__(self, folder):
        super().__init__(BUILD, str(folder / "unused"))
        self.machine = Machine(BUILD)
        self.state, self.address = self.machine.state, f"unix:path={self.machine.socket}"
        self.metrics = self.machine.path("run", "metrics")
        self.target = os.path.join(self.machine.home("alice"), "target")
        with open(self.machine.path("dosvc.conf"), "a", encoding="ascii") as f:
            f.write(f"MetricsSocket={self.metrics}\n")

    def start(self, wait=True):
        self.machine.start()
        os.mkdir(self.target)
        os.chown(self.target, USERS["alice"][0], USERS["alice"][0])
        self.bus = self.connect_as("alice")
        self.heard, self.heard_by_others = Listener(self.bus), [Listener(self.connect_as("bob"))]

    def connect_as(self, user):
        with self.machine.effective(user):
            return Gio.DBusConnection.new_for_address_sync(self.address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT, None, None)

    def command(self, *words):
        return self.machine.run("alice", *words)

    def processes(self):
        """Of all kinds: alice has a transferred job, too, whose program runs until the end."""
        pids = self.machine.pids()
        assert set(pids.values()) == {"dosvcd", "dosvc-broker", "dosvc-owner", "dosvc-runner", "dosvc-transfer", "dosvc-resolve"}
        return list(pids)

    def logs(self):
        return "".join(read_file(self.machine.path(name + ".log")) for name in ("core", "broker"))

    def stop(self):
        for name in ("core", "broker"):
            process = self.machine.processes.pop(name, None)
            if process:
                process.send_signal(signal.SIGTERM)
                process.wait()

    def close(self):
        self.machine.close()


class Listener:
    """Every signal that a connection gets."""

    def __init__(self, bus):
        self.text = ""
        self.bus = bus
        bus.signal_subscribe(None, None, None, None, None, Gio.DBusSignalFlags.NONE, self.hear)
        self.call("Subscribe", GLib.Variant("(s)", ("",)))

    def call(self, method, arguments=None):
        self.bus.call_sync(None, "/org/dosvc", "org.dosvc.Manager1", method, arguments, None, Gio.DBusCallFlags.NONE, 20000, None)

    def hear(self, _bus, _sender, path, _interface, member, arguments):
        self.text += f"{path} {member} {arguments}\n"

    def all(self):
        self.call("GetServiceInfo")  # what was sent before its answer is here
        while GLib.MainContext.default().iteration(False):
            pass
        return self.text


@pytest.fixture(params=[OwnInstance, AlicesView], ids=["user instance", "system instance"])
def service(request, tmp_path):
    if request.param is AlicesView and os.geteuid() != 0:
        pytest.skip("a system instance has users: needs root")
    made = request.param(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.close()


def plant(service, ear, folder):
    """Returns the jobs, and the states that each has to come to."""
    jobs = {}

    def job(name, url, *, options=None, create=None, end="transferred", **properties):
        made = service.create(name, [(url, os.path.join(folder, name), options or {})], **(create or {}))
        if properties:
            service.job_call(made, "SetProperties", GLib.Variant("(a{sv})", ({k: GLib.Variant("s" if isinstance(v, str) else "b" if isinstance(v, bool)
                                                                                              else "u", v) for k, v in properties.items()},)))
        jobs[made] = end
        return made
    proxied = {"ProxyUsage": 2, "ProxyList": ear.url("").rstrip("/")}
    far = "http://198.51.100.1/"
    job("headers", ear.url(f"ask-server?{marker(11)}"), CustomHeaders=f"X-Token: {marker(1)}\r\nCookie: a={marker(2)}", CustomHeadersWriteOnly=True,
        ServerBasicCredentials=f"user:{marker(5)}")
    job("digest", ear.url("ask-server-digest"), ServerDigestCredentials=f"user:{marker(6)}")
    job("challenge", ear.url("ask-server"), CustomAuthHeaders=f"Authorization: {marker(3)}")
    job("proxy-challenge", far + "ask-proxy", CustomAuthHeaders=f"Proxy-Authorization: {marker(4)}", **proxied)
    job("proxy-basic", far + "ask-proxy", ProxyBasicCredentials=f"user:{marker(7)}", **proxied)
    job("proxy-digest", far + "ask-proxy-digest", ProxyDigestCredentials=f"user:{marker(8)}", **proxied)
    job("proxy-environment", far + "ask-proxy", create={"ProxyEnvironment": f"http_proxy={ear.url('', 'user:' + marker(9) + '@').rstrip('/')}\n"})
    job("proxy-list", far + "ask-proxy", ProxyUsage=2, ProxyList=ear.url("", f"user:{marker(20)}@").rstrip("/"))
    key = base64.b64encode(marker(10)[-16:].encode()).decode()
    job("decrypted", ear.url("plain"), end="error", options={"DecryptionInfo": GLib.Variant("s", json.dumps(
        {"KeyData": key, "EncryptionBufferSize": 65536, "AlgorithmName": "AES", "ChainingMode": "ChainingModeGCM"}))})
    job("user-info", ear.url("ask-server", f"user:{marker(12)}@"))
    job("missing", ear.url(f"missing?{marker(13)}"), end="error")
    job("mirror", ear.url("missing"), options={"Mirrors": GLib.Variant("s", ear.url(f"mirror?{marker(14)}"))})
    job("away", ear.url("away"))
    job("pieces", ear.url("file"), options={"IntegrityCheckInfo": GLib.Variant("s", json.dumps(
        {"PiecesHashFileUrl": ear.url(f"pieces?{marker(17)}"), "PiecesHashFileDigest": "A" * 43 + "=", "PiecesHashFileDigestAlgorithm": "SHA256"}))})
    moved = job("set-url", ear.url("old"))
    service.call(service.job_path(moved) + "/file/0", "File1", "SetUrl", GLib.Variant("(s)", (ear.url(f"new?{marker(18)}"),)))
    moved = job("prefix", ear.url("old/file"))
    service.job_call(moved, "ReplaceUrlPrefix", GLib.Variant("(ss)", (ear.url("old/"), ear.url(f"moved?{marker(19)}&of="))))
    return jobs, key


def read_bytes(path):
    with open(path, "rb") as f:
        return f.read()


def read_file(path):
    return read_bytes(path).decode(errors="replace")


def read_processes(service):
    return "".join(read_file(f"/proc/{pid}/{name}") for pid in service.processes() for name in ("cmdline", "environ"))


def read_tree(folder):
    """Names, contents and attributes of all files below it."""
    text = ""
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            if os.path.isfile(path):
                text += "".join(f"{key} {os.getxattr(path, key)}" for key in os.listxattr(path))
                text += name + read_bytes(path).decode("latin-1")
    return text


def read_metrics(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        return b"".join(iter(lambda: s.recv(65536), b"")).decode()


def everything_shown(service, jobs):
    """To their owner: properties over D-Bus, and what the command says."""
    text = str(service.list_jobs())
    for job in jobs:
        for interface, path in (("Job1", ""), ("File1", "/file/0")):
            text += str(service.call(service.job_path(job) + path, "org.freedesktop.DBus.Properties", "GetAll", GLib.Variant("(s)", ("org.dosvc." + interface,))))
        for words in (("show", job, "--all"), ("show", job, "--json")):
            done = service.command(*words)
            assert done.returncode == 0
            text += done.stdout + done.stderr
    return text


def of_no_concern(service, jobs):
    """What is for everybody's eyes, or is kept when a job is gone."""
    text = service.command("list", "--json").stdout + service.command("list").stdout
    text += "".join(str(service.get(job, "Error")) + service.get(job, "WaitingText") for job in jobs)
    text += str(service.call("/org/dosvc", "Manager1", "ListHistory", GLib.Variant("(su)", ("", 100)))) + service.command("history", "--json").stdout
    return text


def found(text, numbers, key):
    secrets = {n: [marker(n)] for n in numbers}
    if 10 in secrets:
        secrets[10] = [key, marker(10)[-16:]]
    return [n for n, forms in secrets.items() if any(form in text or base64.b64encode(form.encode()).decode().rstrip("=")[:-1] in text for form in forms)]


def test_planted_secrets_are_heard_by_whom_they_are_for_and_found_nowhere_else(service, ear):
    jobs, key = plant(service, ear, service.target)
    stored = read_tree(service.state)
    for job in jobs:
        service.job_call(job, "Resume")
    for job, end in jobs.items():
        assert service.wait_state(job, ["transferred", "error"]) == end, (service.get(job, "Name"), service.get(job, "Error"))
    in_clear = set(NEVER_TOLD) - {6, 8, 10} | {11, 12, 13, 14, 15, 17, 18, 19, 20}
    assert [n for n in in_clear if not ear.has_heard(n)] == []
    assert not any(ear.has_heard(n) for n in (6, 8, 10)), "digests and keys do not travel"
    assert marker(11) in stored, "URLs are stored as they are: the right files were looked at"

    unfinished = read_tree(service.target)
    assert ".dosvc-" in unfinished
    with a_program_that_runs(service, ear):
        running_text = read_processes(service)
    shown, plain = everything_shown(service, jobs), of_no_concern(service, jobs)
    metrics = read_metrics(service.metrics)
    for job, end in jobs.items():
        service.job_call(job, "Complete" if end == "transferred" else "Cancel")
    after = of_no_concern(service, [])
    signals, signals_to_others = service.heard.all(), [listener.all() for listener in service.heard_by_others]
    assert all(job.replace("-", "") in signals for job in jobs)
    assert not any(signals_to_others)
    service.stop()
    log = service.logs()
    assert "dosvc" in log and "client" in log, "debug level"
    everybody = {"arguments and environments": running_text, "lists, errors and history": plain + after, "metrics": metrics, "log": log}
    for place, text in everybody.items():
        assert text and found(text, {**NEVER_TOLD, **OWNERS_OWN}, key) == [], place
    for place, text in {"what the owner is shown": shown, "signals": signals, "state": stored + read_tree(service.state),
                        "destinations": unfinished + read_tree(service.target)}.items():
        assert text and found(text, NEVER_TOLD, key) == [], place


@contextlib.contextmanager
def a_program_that_runs(service, ear):
    """A job whose program runs for as long."""
    gate = os.path.join(service.target, "gate")
    script = os.path.join(service.target, "waits.sh")
    os.mkfifo(gate, 0o666)
    with open(script, "w", encoding="ascii") as f:
        f.write(f"#!/bin/sh\necho > {gate}.open\nread line < {gate}\n")
    os.chmod(script, 0o755)
    os.chmod(gate, 0o666)
    job = service.create("program", [(ear.url("file"), os.path.join(service.target, "for-the-program"), {})])
    assert service.command("set", job, f"notify_command={script}", f"notify_parameters={script}").returncode == 0
    service.job_call(job, "Resume")
    end = time.monotonic() + 20
    while not os.path.exists(gate + ".open"):
        assert time.monotonic() < end, service.command("show", "--all", job).stdout
        time.sleep(0.01)
    yield
    with open(gate, "w", encoding="ascii") as f:
        f.write("go on\n")
    service.wait_state(job, ["transferred"])
    service.job_call(job, "Cancel")


def test_no_process_of_the_service_leaves_a_core_file(service, ear):
    """Who is not dumpable has a /proc of root's."""
    with a_program_that_runs(service, ear):
        pids = service.processes()
        assert len(pids) >= 3
        for pid in pids:
            assert os.stat(f"/proc/{pid}/environ").st_uid == 0, read_file(f"/proc/{pid}/cmdline")


def test_the_broker_leaves_no_core_file_either():
    """What is root's has a /proc of root's in any case: so it runs as somebody else."""
    if os.geteuid() != 0:
        pytest.skip("a system instance has users: needs root")
    with contextlib.closing(Machine(BUILD)) as machine:
        machine.start_namespace()
        path = os.path.join(machine.home("alice"), "broker")
        machine.spawn("broker", "alice", os.path.join(machine.bin, "dosvc-broker"), "--listen", path, "--core-user", "alice", "--config", machine.path("dosvc.conf"))
        machine.wait(lambda: os.path.exists(path), "the broker")
        broker = machine.pid("dosvc-broker", "alice")
        assert os.stat(f"/proc/{broker}/environ").st_uid == 0 != machine.uid_of(broker)
