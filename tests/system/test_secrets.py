"""Twenty secrets, planted through the API and by servers: heard by whom they are for, and found nowhere else. Not in what is shown, logged at debug
level, stored, left behind, measured or told in an error; not in any process's arguments and environment."""
import base64
import http.server
import json
import os
import socket
import subprocess
import threading

import pytest
from gi.repository import GLib

from conftest import BUILD, QUICK
from service import Service
from system_instance import USERS, running



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


@pytest.fixture
def service(tmp_path):
    made = Service(BUILD, str(tmp_path / "state"), QUICK + f"MetricsSocket={tmp_path}/metrics\n", arguments=["--verbose"])
    made.start()
    yield made
    made.stop()


def plant(service, ear, folder):
    """Returns the jobs, and the states that each has to come to."""
    jobs = {}

    def job(name, url, *, options=None, create=None, end="transferred", **properties):
        made = service.create(name, [(url, str(folder / name), options or {})], **(create or {}))
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


def read_processes(service):
    text = ""
    for pid in [service.process.pid, *service.children()]:
        for name in ("cmdline", "environ"):
            with open(f"/proc/{pid}/{name}", "rb") as f:
                text += f.read().decode(errors="replace")
    return text


def read_tree(folder):
    text = ""
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    text += name + f.read().decode("latin-1")
    return text


def read_metrics(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        return b"".join(iter(lambda: s.recv(65536), b"")).decode()


def show(service, *words):
    return subprocess.run([os.path.join(BUILD, "src/cli/dosvc"), *words], env={**os.environ, "DOSVC_ADDRESS": service.address},
                          capture_output=True, text=True, check=False, timeout=30)


def everything_shown(service, jobs):
    """To their owner: properties over D-Bus, and what the command says."""
    text = str(service.list_jobs())
    for job in jobs:
        for interface, path in (("Job1", ""), ("File1", "/file/0")):
            text += str(service.call(service.job_path(job) + path, "org.freedesktop.DBus.Properties", "GetAll", GLib.Variant("(s)", ("org.dosvc." + interface,))))
        for words in (("show", job, "--all"), ("show", job, "--json")):
            done = show(service, *words)
            assert done.returncode == 0
            text += done.stdout + done.stderr
    return text


def of_no_concern(service, jobs):
    """What is for everybody's eyes, or is kept when a job is gone."""
    text = show(service, "list", "--json").stdout + show(service, "list").stdout
    text += "".join(str(service.get(job, "Error")) + service.get(job, "WaitingText") for job in jobs)
    text += str(service.call("/org/dosvc", "Manager1", "ListHistory", GLib.Variant("(su)", ("", 100)))) + show(service, "history", "--json").stdout
    return text


def found(text, numbers, key):
    secrets = {n: [marker(n)] for n in numbers}
    if 10 in secrets:
        secrets[10] = [key, marker(10)[-16:]]
    return [n for n, forms in secrets.items() if any(form in text or base64.b64encode(form.encode()).decode().rstrip("=")[:-1] in text for form in forms)]


def test_planted_secrets_are_heard_by_whom_they_are_for_and_found_nowhere_else(service, ear, tmp_path):
    folder = tmp_path / "target"
    folder.mkdir()
    jobs, key = plant(service, ear, folder)
    stored = read_tree(service.state)
    for job in jobs:
        service.job_call(job, "Resume")
    for job, end in jobs.items():
        assert service.wait_state(job, ["transferred", "error"]) == end, (service.get(job, "Name"), service.get(job, "Error"))
    in_clear = set(NEVER_TOLD) - {6, 8, 10} | {11, 12, 13, 14, 15, 17, 18, 19, 20}
    assert [n for n in in_clear if not ear.has_heard(n)] == []
    assert not any(ear.has_heard(n) for n in (6, 8, 10)), "digests and keys do not travel"
    assert marker(11) in stored, "URLs are stored as they are: the right files were looked at"

    running_text = read_processes(service)
    shown, plain = everything_shown(service, jobs), of_no_concern(service, jobs)
    metrics = read_metrics(str(tmp_path / "metrics"))
    for job, end in jobs.items():
        service.job_call(job, "Complete" if end == "transferred" else "Cancel")
    after = of_no_concern(service, [])
    service.stop()
    with open(service.log_path, encoding="utf-8", errors="replace") as f:
        log = f.read()
    assert "dosvc" in log and "client" in log, "debug level"
    everybody = {"arguments and environments": running_text, "lists, errors and history": plain + after, "metrics": metrics, "log": log}
    for place, text in everybody.items():
        assert text and found(text, {**NEVER_TOLD, **OWNERS_OWN}, key) == [], place
    for place, text in {"what the owner is shown": shown, "state": stored + read_tree(service.state), "destinations": read_tree(folder)}.items():
        assert text and found(text, NEVER_TOLD, key) == [], place


def test_no_process_of_the_service_leaves_a_core_file():
    """Who is not dumpable has a /proc of root's."""
    if os.geteuid() != 0:
        pytest.skip("a system instance has users: needs root")
    with running(BUILD) as machine:
        core = machine.pid("dosvcd", "dosvc")
        assert machine.uid_of(core) == USERS["dosvc"][0]
        assert os.stat(f"/proc/{core}/environ").st_uid == 0
