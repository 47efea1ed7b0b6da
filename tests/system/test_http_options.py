"""What a job says about its requests, against real servers: secrets that outlive a restart, and what happens when their key does not."""
import base64
import hashlib
import http.server
import os
import re
import subprocess
import sys
import threading

import pytest
from gi.repository import GLib

from conftest import BUILD, QUICK, ROOT
from origin import Origin
from service import Service, ServiceError


@pytest.fixture
def origin():
    made = Origin()
    yield made
    made.down()


@pytest.fixture
def server():
    """tests/lib/webserver.py; gives its URL."""
    process = subprocess.Popen([sys.executable, os.path.join(ROOT, "tests", "lib", "webserver.py")], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    process.stdin.close()
    process.wait(10)
    process.stdout.close()


@pytest.fixture
def service(tmp_path):
    made = Service(BUILD, str(tmp_path / "state"), QUICK)
    made.start()
    yield made
    made.stop()


def set_properties(service, job, **properties):
    service.job_call(job, "SetProperties", GLib.Variant("(a{sv})", (properties,)))


def state_bytes(service):
    content = b""
    for name in os.listdir(service.state):
        path = os.path.join(service.state, name)
        if os.path.isfile(path):
            with open(path, "rb") as f:
                content += f.read()
    return content


def restart(service):
    service.stop()
    service.start()


class TestSecretsAtRest:
    SECRET = "X-Token: correct-horse-battery-staple"

    def job(self, service, origin, tmp_path):
        job = service.create("secret", [(origin.url("a", 1000), str(tmp_path / "a"), {})])
        set_properties(service, job, CustomHeaders=GLib.Variant("s", self.SECRET))
        return job

    def test_headers_outlive_a_restart_and_are_not_readable_in_the_state(self, service, origin, tmp_path):
        job = self.job(service, origin, tmp_path)
        restart(service)
        assert service.get(job, "CustomHeaders") == self.SECRET
        content = state_bytes(service)
        assert str(tmp_path).encode() in content  # the right files were looked at
        assert b"battery-staple" not in content
        service.job_call(job, "Resume")
        service.wait_state(job, ["transferred"])

    def test_without_their_key_the_job_says_so_and_goes_on_when_they_are_set_anew(self, service, origin, tmp_path):
        job = self.job(service, origin, tmp_path)
        service.stop()
        os.unlink(os.path.join(service.state, "dosvc.key"))
        service.start()
        service.job_call(job, "Resume")
        assert service.wait_state(job, ["error", "transferred"]) == "error"
        error = service.get(job, "Error")
        assert error["Name"] == "org.dosvc.Error.SecretsLost"
        assert origin.requests == []
        set_properties(service, job, CustomHeaders=GLib.Variant("s", self.SECRET))
        service.job_call(job, "Resume")
        service.wait_state(job, ["transferred"])

    def test_a_key_that_comes_back_opens_what_it_sealed(self, service, origin, tmp_path):
        job = self.job(service, origin, tmp_path)
        service.stop()
        key = os.path.join(service.state, "dosvc.key")
        os.rename(key, key + ".away")
        service.start()
        set_properties(service, job, Name=GLib.Variant("s", "written under another key"))
        service.stop()
        os.rename(key + ".away", key)
        service.start()
        assert service.get(job, "CustomHeaders") == self.SECRET


class TestTheLastAnswer:
    def get(self, service, job, name):
        return service.call(service.job_path(job) + "/file/0", "org.freedesktop.DBus.Properties", "Get",
                            GLib.Variant("(ss)", ("org.dosvc.File1", name)))[0]

    def test_status_headers_address_and_redirect_of_each_file_are_told(self, service, server, tmp_path):
        url = server + "/hops/2?to=/data/100"
        job = service.create("told", [(url, str(tmp_path / "a"), {})], Resume=True)
        service.wait_state(job, ["transferred"])
        assert self.get(service, job, "HttpStatus") == 200
        assert self.get(service, job, "RedirectedUrl") == server + "/data/100"
        assert self.get(service, job, "ServerAddress") == "127.0.0.1"
        headers = self.get(service, job, "ResponseHeaders")
        assert headers.startswith("HTTP/1.1 200") and "\r\nContent-Length: 100\r\n" in headers
        assert "ResponseHeaders" not in service.list_files(job)[0]

    def test_a_refusal_is_told_too(self, service, server, tmp_path):
        job = service.create("refused", [(server + "/status/403", str(tmp_path / "a"), {})], Resume=True)
        service.wait_state(job, ["error"])
        assert self.get(service, job, "HttpStatus") == 403
        assert self.get(service, job, "ResponseHeaders").startswith("HTTP/1.1 403")


NAME, PASSWORD = "agent", "open sesame: \u00fc"


class Guard(http.server.ThreadingHTTPServer):
    """Lets in who proves to know the password, by the schemes that it offers. /to?URL redirects those that are in. As a proxy it answers
    itself, whatever host is asked for; guarded_behind: as such a server, too."""
    daemon_threads = True

    def __init__(self, *schemes, proxy=False, guarded_behind=False, password=PASSWORD):
        self.schemes, self.password = schemes, password
        self.doors = [(407, "Proxy-Authorization", "Proxy-Authenticate")] if proxy else []
        if guarded_behind or not proxy:
            self.doors.append((401, "Authorization", "WWW-Authenticate"))
        self.heard = []  # (path, Authorization, port of the client)
        super().__init__(("127.0.0.1", 0), GuardHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path="/file"):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def admits(self, method, said):
        if said and said.startswith("Basic ") and "basic" in self.schemes:
            return base64.b64decode(said[6:]).decode() == f"{NAME}:{self.password}"
        if said and said.startswith("Digest ") and "digest" in self.schemes:
            part = dict(re.findall(r'(\w+)="?([^",]*)"?', said))
            a1, a2 = (hashlib.sha256(t.encode()).hexdigest() for t in (f"{NAME}:here:{self.password}", f"{method}:{part['uri']}"))
            proof = hashlib.sha256(f"{a1}:{part['nonce']}:{part['nc']}:{part['cnonce']}:{part['qop']}:{a2}".encode()).hexdigest()
            return part["username"] == NAME and part["nonce"] == "n0" and part["response"] == proof
        return not self.schemes


class GuardHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.heard.append((self.path, self.headers.get(server.doors[-1][1]), self.client_address[1]))
        closed = [(status, asks) for status, says, asks in server.doors if not server.admits("GET", self.headers.get(says))]
        if closed:
            status, asks = closed[0]
            self.send_response(status)
            for scheme in server.schemes:
                self.send_header(asks, 'Basic realm="here"' if scheme == "basic" else 'Digest realm="here", nonce="n0", qop="auth", algorithm=SHA-256')
            body = b"who are you?"
        elif self.path.startswith("/to?"):
            self.send_response(302)
            self.send_header("Location", self.path[4:])
            body = b""
        else:
            self.send_response(200)
            body = b"the file"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self):
        said = self.headers.get("Proxy-Authorization")
        self.server.heard.append((self.path, said, self.client_address[1]))
        admitted = self.server.admits("CONNECT", said)
        self.send_response(501 if admitted else 407)
        if not admitted:
            self.send_header("Proxy-Authenticate", 'Basic realm="here"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def guard():
    made = []

    def make(*schemes, **options):
        made.append(Guard(*schemes, **options))
        return made[-1]
    yield make
    for server in made:
        server.shutdown()
        server.server_close()


class TestCredentials:
    TEXT = f"{NAME}:{PASSWORD}"

    def fetch(self, service, url, path, state="transferred", **credentials):
        job = service.create("guarded", [(url, str(path), {})])
        set_properties(service, job, **{key: GLib.Variant("s", value) for key, value in credentials.items()})
        service.job_call(job, "Resume")
        assert service.wait_state(job, ["transferred", "error"]) == state
        return job

    @pytest.mark.parametrize("scheme, key", [("basic", "ServerBasicCredentials"), ("digest", "ServerDigestCredentials")])
    def test_they_open_the_server_and_are_told_to_nobody(self, service, guard, tmp_path, scheme, key):
        server = guard(scheme)
        job = self.fetch(service, server.url(), tmp_path / "a", **{key: self.TEXT})
        service.job_call(job, "Complete")
        assert (tmp_path / "a").read_bytes() == b"the file"
        other = self.fetch(service, server.url(), tmp_path / "b", **{key: self.TEXT})
        assert service.get(other, "Credentials") == (1 if scheme == "basic" else 2)
        everything = str(service.list_jobs()) + str(service.list_files(other)) + service.log()
        assert "sesame" not in everything and b"sesame" not in state_bytes(service)
        if scheme == "digest":
            assert not any(said and "sesame" in said for _, said, _ in server.heard)

    def test_with_both_the_server_chooses(self, service, guard, tmp_path):
        for scheme in ("basic", "digest"):
            server = guard(scheme)
            self.fetch(service, server.url(), tmp_path / scheme, ServerBasicCredentials=self.TEXT, ServerDigestCredentials=self.TEXT)

    @pytest.mark.parametrize("scheme, key", [("basic", "ServerBasicCredentials"), ("digest", "ServerDigestCredentials")])
    def test_wrong_ones_are_the_servers_status_and_right_ones_mend_it(self, service, guard, tmp_path, scheme, key):
        server = guard(scheme)
        job = self.fetch(service, server.url(), tmp_path / "a", "error", **{key: f"{NAME}:wrong"})
        assert service.get(job, "Error")["Hresult"] == 0x80190191
        assert len(server.heard) <= 2
        set_properties(service, job, **{key: GLib.Variant("s", self.TEXT)})
        service.job_call(job, "Resume")
        service.wait_state(job, ["transferred"])

    def test_a_server_that_does_not_know_the_scheme_gets_no_password(self, service, guard, tmp_path):
        server = guard("basic")
        job = self.fetch(service, server.url(), tmp_path / "a", "error", ServerDigestCredentials=self.TEXT)
        assert service.get(job, "Error")["Hresult"] == 0x80190191
        assert all(said is None or "Basic" not in said for _, said, _ in server.heard)

    @pytest.mark.parametrize("scheme, key", [("basic", "ServerBasicCredentials"), ("digest", "ServerDigestCredentials")])
    def test_another_origin_hears_nothing_of_them(self, service, guard, tmp_path, scheme, key):
        here, there = guard(scheme), guard()
        self.fetch(service, here.url("/to?" + there.url()), tmp_path / "a", **{key: self.TEXT})
        assert here.heard[-1][1] and [said for _, said, _ in there.heard] == [None]

    def test_the_proxys_go_to_the_proxy_only(self, service, guard, tmp_path):
        for scheme, key in (("basic", "ProxyBasicCredentials"), ("digest", "ProxyDigestCredentials")):
            proxy = guard(scheme, proxy=True)
            job = service.create("through", [("http://198.51.100.1/file", str(tmp_path / scheme), {})])
            set_properties(service, job, ProxyUsage=GLib.Variant("u", 2), ProxyList=GLib.Variant("s", proxy.url("")),
                           **{key: GLib.Variant("s", self.TEXT)})
            service.job_call(job, "Resume")
            service.wait_state(job, ["transferred"])
            direct = guard("basic")
            self.fetch(service, direct.url(), tmp_path / (scheme + "2"), "error", **{key: self.TEXT})
            assert [said for _, said, _ in direct.heard] == [None]

    def test_a_proxy_and_the_server_behind_it_may_both_ask(self, service, guard, tmp_path):
        proxy = guard("digest", proxy=True, guarded_behind=True)
        usage = {"ProxyUsage": GLib.Variant("u", 2), "ProxyList": GLib.Variant("s", proxy.url(""))}
        for password, state in ((PASSWORD, "transferred"), ("wrong", "error")):
            job = service.create("through", [("http://198.51.100.1/file", str(tmp_path / state), {})])
            set_properties(service, job, ProxyDigestCredentials=GLib.Variant("s", self.TEXT),
                           ServerDigestCredentials=GLib.Variant("s", f"{NAME}:{password}"), **usage)
            service.job_call(job, "Resume")
            assert service.wait_state(job, ["transferred", "error"]) == state
            assert [bool(said) for _, said, _ in proxy.heard] == [False, False, True]
            del proxy.heard[:]
        assert service.get(job, "Error")["Hresult"] == 0x80190191

    def test_connections_of_different_credentials_are_different(self, service, guard, tmp_path):
        server = guard()
        for number, text in enumerate(("one:x", "two:x", "one:x")):
            self.fetch(service, server.url(), tmp_path / str(number), ServerBasicCredentials=text)
        ports = [port for _, _, port in server.heard]
        assert ports[0] != ports[1] and ports[0] == ports[2]

    @pytest.mark.parametrize("text, name", [("no colon", "InvalidArgument"), (":nameless", "InvalidArgument"), ("a:b\r\nc", "InvalidArgument"),
                                            ("n" * 301 + ":p", "UserNameTooLarge"), ("n:" + "p" * 65537, "PasswordTooLarge")])
    def test_what_is_too_long_or_no_pair_is_refused(self, service, tmp_path, text, name):
        job = service.create("refused", [("http://127.0.0.1:1/", str(tmp_path / "a"), {})])
        with pytest.raises(ServiceError) as error:
            set_properties(service, job, ServerBasicCredentials=GLib.Variant("s", text))
        assert error.value.name == name

    def test_the_longest_are_kept_and_sent(self, service, guard, tmp_path):
        server = guard("digest", password="p" * 65536)
        self.fetch(service, server.url(), tmp_path / "a", ServerDigestCredentials=f"{NAME}:{'p' * 65536}",
                   ProxyDigestCredentials=f"{'n' * 300}:{'p' * 65536}")


class TestHeadersForAChallenge:
    """They are said to whom they are for, once that one has asked, and to nobody else."""
    PROOF = "Basic " + base64.b64encode(f"{NAME}:{PASSWORD}".encode()).decode()

    def fetch(self, service, url, path, headers, state="transferred", **properties):
        job = service.create("challenged", [(url, str(path), {})])
        set_properties(service, job, CustomAuthHeaders=GLib.Variant("s", headers), **properties)
        service.job_call(job, "Resume")
        assert service.wait_state(job, ["transferred", "error"]) == state
        return job

    def test_a_server_that_asks_hears_them_and_one_that_does_not_ask_never(self, service, guard, tmp_path):
        server, open_server = guard("basic"), guard()
        job = self.fetch(service, server.url(), tmp_path / "a", f"Authorization: {self.PROOF}\r\nX-More: 1")
        assert [said for _, said, _ in server.heard] == [None, self.PROOF]
        self.fetch(service, open_server.url(), tmp_path / "b", f"Authorization: {self.PROOF}")
        assert [said for _, said, _ in open_server.heard] == [None]
        everything = str(service.list_jobs()) + str(service.list_files(job)) + service.log()
        assert self.PROOF not in everything and self.PROOF.encode() not in state_bytes(service)

    def test_a_server_that_is_not_content_with_them_is_asked_twice_only(self, service, guard, tmp_path):
        server = guard("basic")
        job = self.fetch(service, server.url(), tmp_path / "a", "Authorization: Basic eDp4", "error")
        assert service.get(job, "Error")["Hresult"] == 0x80190191
        assert [said for _, said, _ in server.heard] == [None, "Basic eDp4"]

    def test_they_stand_in_for_a_custom_header_of_the_same_name(self, service, guard, tmp_path):
        server = guard("basic")
        self.fetch(service, server.url(), tmp_path / "a", f"Authorization: {self.PROOF}",
                   CustomHeaders=GLib.Variant("s", "authorization: Basic eDp4"))
        assert [said for _, said, _ in server.heard] == ["Basic eDp4", self.PROOF]

    def test_another_origin_gets_none_although_it_asks(self, service, guard, tmp_path):
        here, there = guard(), guard("basic")
        self.fetch(service, here.url("/to?" + there.url()), tmp_path / "a", f"Authorization: {self.PROOF}", "error")
        assert [said for _, said, _ in there.heard] == [None]

    def test_a_proxys_go_to_the_proxy_and_a_servers_to_the_server(self, service, guard, tmp_path):
        proxy = guard("basic", proxy=True)
        usage = {"ProxyUsage": GLib.Variant("u", 2), "ProxyList": GLib.Variant("s", proxy.url(""))}
        self.fetch(service, "http://198.51.100.1/file", tmp_path / "a", f"Proxy-Authorization: {self.PROOF}", **usage)
        assert [said for _, said, _ in proxy.heard] == [None, self.PROOF]
        # A tunnel: the proxy asks in answer to CONNECT. (This one answers 501 then, as it builds none.)
        job = self.fetch(service, "https://198.51.100.1/file", tmp_path / "b", f"Proxy-Authorization: {self.PROOF}", "error",
                         MinimumRetryDelay=GLib.Variant("u", 86400), NoProgressTimeout=GLib.Variant("u", 0), **usage)
        assert [said for _, said, _ in proxy.heard][2:] == [None, self.PROOF]
        del proxy.heard[:]
        self.fetch(service, "http://198.51.100.1/file", tmp_path / "c", f"Authorization: {self.PROOF}", "error", **usage)
        assert [said for _, said, _ in proxy.heard] == [None]
        assert service.get(job, "State") == "error"

    @pytest.mark.parametrize("headers, name", [("Host: elsewhere", "InvalidArgument"), ("Range: bytes=0-1", "InvalidArgument"),
                                               ("no header", "InvalidArgument"), ("A: " + "b" * 16381, "StringTooLong")])
    def test_what_is_none_is_refused(self, service, tmp_path, headers, name):
        job = service.create("refused", [("http://127.0.0.1:1/", str(tmp_path / "a"), {})])
        with pytest.raises(ServiceError) as error:
            set_properties(service, job, CustomAuthHeaders=GLib.Variant("s", headers))
        assert error.value.name == name


class Methods(http.server.ThreadingHTTPServer):
    """Notes what each request was. /status/N/PATH redirects to PATH with that status, /short breaks its answer off, /hold holds it."""
    daemon_threads = True

    def __init__(self):
        self.heard, self.asked, self.released = [], threading.Event(), threading.Event()
        super().__init__(("127.0.0.1", 0), MethodsHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"


class MethodsHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.server.heard.append((self.command, self.path, self.headers.get("Content-Length"), self.headers.get("Range")))
        words = self.path.split("/")
        self.send_response(int(words[2]) if words[1] == "status" else 200)
        if words[1] == "status":
            self.send_header("Location", "/" + "/".join(words[3:]))
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", "0" if words[1] == "status" else "8")
        self.end_headers()
        if words[1] == "status":
            return
        self.wfile.write(b"the file"[:3 if words[1] in ("short", "hold") else None])
        self.wfile.flush()
        if words[1] == "hold":
            self.server.asked.set()
            self.server.released.wait(20)
        self.close_connection = words[1] in ("short", "hold")

    do_GET = do_POST = do_PUT = do_PROPFIND = answer

    def log_message(self, *_):
        pass


class TestMethods:
    @pytest.fixture
    def methods(self):
        made = Methods()
        yield made
        made.released.set()
        made.shutdown()
        made.server_close()

    def start(self, service, url, path, method):
        job = service.create("asked", [(url, str(path), {})])
        set_properties(service, job, HttpMethod=GLib.Variant("s", method))
        service.job_call(job, "Resume")
        return job

    @pytest.mark.parametrize("method, length", [("POST", "0"), ("PUT", "0"), ("PROPFIND", None)])
    def test_a_method_is_sent_and_its_answer_is_the_file(self, service, methods, tmp_path, method, length):
        job = self.start(service, methods.url("/file"), tmp_path / "a", method)
        service.wait_state(job, ["transferred"])
        service.job_call(job, "Complete")
        assert (tmp_path / "a").read_bytes() == b"the file"
        assert methods.heard == [(method, "/file", length, None)]

    @pytest.mark.parametrize("method, status, then", [("POST", 303, "GET"), ("POST", 302, "GET"), ("POST", 307, "POST"), ("PUT", 301, "PUT"),
                                                      ("PUT", 303, "GET")])
    def test_redirects_change_it_as_the_status_says(self, service, methods, tmp_path, method, status, then):
        job = self.start(service, methods.url(f"/status/{status}/file"), tmp_path / "a", method)
        service.wait_state(job, ["transferred"])
        assert [(heard[0], heard[2]) for heard in methods.heard] == [(method, "0"), (then, None if then == "GET" else "0")]

    def test_a_broken_answer_is_final_and_resume_asks_for_all_of_it_again(self, service, methods, tmp_path):
        job = self.start(service, methods.url("/short"), tmp_path / "a", "POST")
        for n in (1, 2):
            assert service.wait_state(job, ["error", "transferred"]) == "error"
            assert methods.heard == n * [("POST", "/short", "0", None)]
            if n == 1:
                service.job_call(job, "Resume")

    def test_after_a_crash_it_is_not_sent_again_by_itself(self, service, methods, tmp_path):
        job = self.start(service, methods.url("/hold"), tmp_path / "a", "POST")
        assert methods.asked.wait(20)
        service.wait_state(job, ["transferring"])
        service.kill()
        methods.released.set()
        service.start()
        assert service.get(job, "State") == "error"
        assert service.get(job, "Error")["Name"] == "org.dosvc.Error.ConnectionClosed"
        assert len(methods.heard) == 1

    def test_it_excludes_ranges(self, service, tmp_path):
        ranges = {"Ranges": GLib.Variant("a(tt)", [(0, 2)])}
        job = service.create("ranges", [("http://127.0.0.1:1/", str(tmp_path / "a"), ranges)])
        with pytest.raises(ServiceError) as error:
            set_properties(service, job, HttpMethod=GLib.Variant("s", "POST"))
        assert error.value.name == "NotSupportedWithMethod"
        set_properties(service, job, HttpMethod=GLib.Variant("s", "GET"), Priority=GLib.Variant("s", "low"))


class TestCertificateFlags:
    """Each flag forgives its own fault and no other."""
    NAME_FLAG, DATE, AUTHORITY, USAGE = 2, 4, 8, 16

    @pytest.fixture(scope="class")
    def certificates(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp("certificates")

        def openssl(*words):
            subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

        def authority(name):
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-days", "2",
                    "-keyout", f"{name}.key", "-out", f"{name}.pem")

        def server(name, issuer="ca", address="IP:127.0.0.1", usage="serverAuth", days="2"):
            (folder / "ext").write_text(f"subjectAltName={address}\nextendedKeyUsage={usage}\nbasicConstraints=critical,CA:false\n")
            openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                    "-out", "csr")
            openssl("x509", "-req", "-in", "csr", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-days", days, "-extfile", "ext",
                    "-out", f"{name}.pem")
        authority("ca")
        authority("stranger")
        server("good")
        server("name", address="DNS:elsewhere.example")
        server("date", days="-1")
        server("authority", issuer="stranger")
        server("usage", usage="clientAuth")
        server("revoked")
        (folder / "ca.cnf").write_text("[ca]\ndefault_ca = d\n[d]\ndatabase = index\ndefault_md = sha256\n")
        (folder / "index").write_text("")
        ca = ("ca", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key")
        openssl(*ca, "-gencrl", "-crldays", "2", "-out", "empty.crl")
        openssl(*ca, "-revoke", "revoked.pem")
        openssl(*ca, "-gencrl", "-crldays", "2", "-out", "current.crl")
        openssl(*ca, "-gencrl", "-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200102000000Z", "-out", "old.crl")
        return folder

    @pytest.fixture
    def tls_service(self, tmp_path, certificates):
        made = Service(BUILD, str(tmp_path / "state"), QUICK + f"CAFile={certificates}/ca.pem\n")
        made.start()
        yield made
        made.stop()

    @pytest.mark.parametrize("fault, flag", [("name", NAME_FLAG), ("date", DATE), ("authority", AUTHORITY), ("usage", USAGE)])
    def test_a_flag_forgives_one_fault(self, tls_service, certificates, tmp_path, fault, flag):
        process = subprocess.Popen([sys.executable, os.path.join(ROOT, "tests", "lib", "webserver.py"), "--tls",
                                    str(certificates / f"{fault}.pem"), str(certificates / f"{fault}.key")],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        url = f"https://127.0.0.1:{int(process.stdout.readline())}/data/10"
        try:
            for number, flags in enumerate((flag, 0, 0x1e & ~flag)):  # also: no reuse of the laxer connection
                job = tls_service.create("lax", [(url, str(tmp_path / f"{number}"), {})])
                set_properties(tls_service, job, SecurityFlags=GLib.Variant("u", flags))
                tls_service.job_call(job, "Resume")
                state = tls_service.wait_state(job, ["transferred", "error"])
                assert state == ("transferred" if flags == flag else "error"), f"flags {flags:#x}"
                if state == "error":
                    assert tls_service.get(job, "Error")["Name"] == "org.dosvc.Error.Certificate"
        finally:
            process.stdin.close()
            process.wait(10)
            process.stdout.close()

    @pytest.fixture
    def serve(self, certificates):
        processes = []

        def start(name):
            processes.append(subprocess.Popen([sys.executable, os.path.join(ROOT, "tests", "lib", "webserver.py"), "--tls",
                                               str(certificates / f"{name}.pem"), str(certificates / f"{name}.key")],
                                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            return f"https://127.0.0.1:{int(processes[-1].stdout.readline())}/data/10"
        yield start
        for process in processes:
            process.stdin.close()
            process.wait(10)
            process.stdout.close()

    @pytest.fixture
    def check(self, tmp_path, certificates, serve):
        """Fetches from a server by its certificate's name, checking for revocation; gives the error's name or "transferred"."""
        lists = tmp_path / "lists.pem"
        made = Service(BUILD, str(tmp_path / "state"), QUICK + f"CAFile={certificates}/ca.pem\nCRLFile={lists}\n")
        urls = {}

        def fetch(name, list_name, flags=1):
            if list_name:  # another inode, as any tool makes that replaces a file
                (tmp_path / "new").write_bytes((certificates / f"{list_name}.crl").read_bytes())
                os.rename(tmp_path / "new", lists)
            if name not in urls:
                urls[name] = serve(name)
            job = made.create("checked", [(urls[name], str(tmp_path / os.urandom(8).hex()), {})])
            set_properties(made, job, SecurityFlags=GLib.Variant("u", flags))
            made.job_call(job, "Resume")
            state = made.wait_state(job, ["transferred", "error"])
            return state if state == "transferred" else made.get(job, "Error")["Name"].split(".")[-1]
        made.start()
        yield fetch
        made.stop()

    def test_without_a_list_a_job_that_checks_fails_and_others_do_not(self, check):
        assert check("good", None) == "RevocationUnknown"
        assert check("good", None, 0) == "transferred"

    def test_a_revoked_certificate_is_refused_to_those_who_check(self, check):
        assert check("revoked", "current") == "CertificateRevoked"
        assert check("good", "current") == "transferred"
        assert check("revoked", "current", 0) == "transferred"
        assert check("revoked", "current") == "CertificateRevoked"  # and no connection or session of the one before is used

    def test_a_list_that_changed_is_read_again(self, check):
        assert check("revoked", "empty") == "transferred"
        assert check("revoked", "current") == "CertificateRevoked"

    def test_a_list_that_is_too_old_says_nothing(self, check):
        assert check("good", "old") == "RevocationUnknown"

    def test_checking_does_not_forgive_another_fault(self, check):
        assert check("name", "current") == "Certificate"
        assert check("name", "current", 1 | self.NAME_FLAG) == "transferred"
