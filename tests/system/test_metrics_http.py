"""dosvc-metrics: the numbers of MetricsSocket= by HTTP, on loopback alone."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import BUILD, Instance, ROOT
from metrics import fetch, parse

PROGRAM = os.path.join(BUILD, "src", "daemon", "dosvc-metrics")
SECONDS = 20
SILENCE_SECONDS = 5  # after which a connection that says nothing is gone


def limit(name):
    with open(os.path.join(ROOT, "src/protocol/limits.h"), encoding="ascii") as f:
        text = re.search(rf"#define {name} +(\(?[\d *]+\)?)", f.read()).group(1)
    return eval(text)  # a product of numbers  # pylint: disable=eval-used


def curl(*words):
    """(status, headers, body)"""
    done = subprocess.run(["curl", "-q", "--noproxy", "*", "-sS", "--http1.1", "-m", str(SECONDS), "-i", *words], capture_output=True, check=True)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    lines = head.decode("ascii").split("\r\n")
    return int(lines[0].split()[1]), {line.split(": ")[0].lower(): line.split(": ", 1)[1] for line in lines[1:]}, body.decode("ascii")


@contextlib.contextmanager
def exporting(source, tmp_path, *words, address="127.0.0.1", family=socket.AF_INET):
    """As its units start it: with a socket, and a word when it is ready. -> (its URL, its process)."""
    ready = str(tmp_path / "ready")
    with socket.socket(family) as listener, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        listener.bind((address, 0))
        listener.listen(64)
        told.bind(ready)
        told.settimeout(SECONDS)
        command = ["bash", "-c", 'export LISTEN_PID=$$; exec "$@" 3<&"$0"', str(listener.fileno()), PROGRAM, "--metrics-socket", str(source), *words]
        with subprocess.Popen(command, env={**os.environ, "LISTEN_FDS": "1", "NOTIFY_SOCKET": ready}, pass_fds=[listener.fileno()],
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert told.recv(64).strip() == b"READY=1"
                port = listener.getsockname()[1]
                yield f"http://{f'[{address}]' if ':' in address else address}:{port}", process
            finally:
                process.terminate()
                assert process.wait(SECONDS) == 0
                assert process.stderr.read() == ""
    os.unlink(ready)


@pytest.fixture
def source(tmp_path):
    return str(tmp_path / "metrics")


@pytest.fixture
def measured(tmp_path, source):
    made = Instance(str(tmp_path), f"MetricsSocket={source}\n")
    made.start()
    yield made
    made.close()


def test_prometheus_gets_what_the_socket_says(measured, source, tmp_path):
    measured.run("create", "one", check=True)
    with exporting(source, tmp_path) as (url, _):
        status, headers, body = curl(url + "/metrics")
        assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4")
        assert parse(body)["dosvc_jobs"] == fetch(source)["dosvc_jobs"] and parse(body)["dosvc_jobs"]["suspended"] == 1
        status, again, nothing = curl("--head", url + "/metrics")
        assert (status, nothing, again["content-length"], again["content-type"]) == (200, "", headers["content-length"], headers["content-type"])
        measured.run("create", "two", check=True)
        end = time.monotonic() + SECONDS
        while parse(curl(url + "/metrics?what=ever")[2])["dosvc_jobs"]["suspended"] != 2:
            assert time.monotonic() < end
            time.sleep(0.05)  # texts are made ten times a second


def test_one_connection_asks_again_and_again(measured, source, tmp_path):
    with exporting(source, tmp_path) as (url, _):
        done = subprocess.run(["curl", "-q", "--noproxy", "*", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n", url + "/metrics", "-o", "/dev/null",
                               url + "/metrics"], text=True, capture_output=True, check=True, timeout=SECONDS)
        assert done.stdout == "200 1\n200 0\n"


@pytest.mark.parametrize("words, path, expected", [
    ((), "/", 404), ((), "/metrics/", 404), ((), "//metrics", 404), (("--path-as-is",), "/../metrics", 404),
    (("-X", "POST", "-d", "x" * 100_000), "/metrics", 405), (("-X", "PUT", "-d", "x"), "/metrics", 405), (("-X", "DELETE"), "/metrics", 405),
    (("-X", "OPTIONS"), "/metrics", 405), (("-X", "POST"), "/", 404)])
def test_nothing_else_is_there(measured, source, tmp_path, words, path, expected):
    with exporting(source, tmp_path) as (url, _):
        status, headers, body = curl(*words, url + path)
        assert status == expected and body.endswith("\n") and "dosvc_" not in body
        assert headers.get("allow") == ("GET, HEAD" if expected == 405 else None)
        assert curl(url + "/metrics")[0] == 200


@pytest.mark.parametrize("request_bytes", [b"x", b"\0" * 70_000, b"GET /metrics HTTP/9.9\r\n\r\n", b"GET /metrics HTTP/1.1\r\nA: " + b"x" * 70_000,
                                           b"GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n"],
                         ids=["a byte", "zeros", "a version", "a long header", "a length"])
def test_what_is_no_request_harms_nobody(measured, source, tmp_path, request_bytes):
    with exporting(source, tmp_path) as (url, _):
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), SECONDS) as s, contextlib.suppress(OSError):
            s.sendall(request_bytes)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
        assert curl(url + "/metrics")[0] == 200


def test_it_answers_over_ipv6(measured, source, tmp_path):
    with exporting(source, tmp_path, address="::1", family=socket.AF_INET6) as (url, _):
        assert curl("-g", url + "/metrics")[0] == 200


def test_while_the_service_is_away_it_says_so_and_then_goes_on(measured, source, tmp_path):
    with exporting(source, tmp_path) as (url, _):
        measured.stop()
        status, headers, body = curl(url + "/metrics")
        assert (status, body) == (503, "the service is not running, or has no MetricsSocket= there\n")
        assert headers["content-type"].startswith("text/plain") and "version" not in headers["content-type"]
        measured.start()
        assert curl(url + "/metrics")[0] == 200


@pytest.mark.quiet
def test_a_service_that_hangs_is_waited_for_only_so_long(measured, source, tmp_path):
    with exporting(source, tmp_path) as (url, _):
        os.kill(measured.process.pid, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            assert curl(url + "/metrics")[::2] == (503, "the service does not answer\n")
            assert time.monotonic() - begin < SILENCE_SECONDS
        finally:
            os.kill(measured.process.pid, signal.SIGCONT)
        assert curl(url + "/metrics")[0] == 200


def accepted(port):
    """Connections to that port of 127.0.0.1 that a process has taken: those that wait in the kernel have no inode."""
    with open("/proc/net/tcp", encoding="ascii") as f:
        rows = [line.split() for line in f][1:]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" and row[9] != "0" for row in rows)


def test_connections_that_say_nothing_hold_up_nobody_for_long(measured, source, tmp_path):
    with exporting(source, tmp_path) as (url, _), contextlib.ExitStack() as stack:
        port, most, end = int(url.rpartition(":")[2]), limit("LIMIT_METRICS_CONNECTIONS"), time.monotonic() + SECONDS
        for _ in range(20):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), SECONDS))
        while (now := accepted(port)) < most:
            assert time.monotonic() < end, now
            time.sleep(0.01)
        assert now == most
        assert curl(url + "/metrics")[0] == 200
        assert accepted(port) <= most


# ---- who is no service ----

@contextlib.contextmanager
def saying(source, text):
    """Something at the place of MetricsSocket that says this to whoever connects."""
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(source)
        s.listen(16)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    client, _ = s.accept()
                    with client, contextlib.suppress(OSError):
                        client.sendall(text)
        thread = threading.Thread(target=serve)
        thread.start()
        yield
        s.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("text, status, said", [
    (b"", 503, "hung up;"), (b"dosvc_jobs 1\ndosvc_cl", 503, "in the middle"), (b"x" * (limit("LIMIT_METRICS_TEXT") - 1) + b"\n", 200, "x\n"),
    (b"x" * limit("LIMIT_METRICS_TEXT") + b"\n", 503, "too long")], ids=["nothing", "half a line", "at the limit", "above it"])
def test_only_a_whole_text_of_bounded_size_is_shown(source, tmp_path, text, status, said):
    with saying(source, text), exporting(source, tmp_path) as (url, _):
        got, _, body = curl(url + "/metrics")
        assert got == status and said in body
        assert status != 200 or body.encode() == text


# ---- where it may listen ----

def start(*words, **options):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL, check=False, **options)


@pytest.mark.parametrize("address", ["0.0.0.0:9878", "[::]:9878", "192.0.2.1:9878", "[2001:db8::1]:9878", "[::ffff:192.0.2.1]:9878", "169.254.0.1:9878"])
def test_it_refuses_what_is_no_loopback_address(address):
    done = start("--listen", address)
    assert done.returncode == 1 and f"{address} is no loopback address" in done.stderr


@pytest.mark.parametrize("address", ["", "127.0.0.1", "9878", ":9878", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1", "localhost:9878", "::1:9878", "[::1]", "[::1:9878"])
def test_it_refuses_what_is_no_address(address):
    done = start("--listen", address)
    assert done.returncode == 1 and f"{address} is no address with a port" in done.stderr


def test_it_refuses_a_socket_that_is_open_to_others():
    for family, address in ((socket.AF_INET, ("0.0.0.0", 0)), (socket.AF_UNIX, "\0dosvc-metrics-test")):
        with socket.socket(family) as listener:
            listener.bind(address if family == socket.AF_INET else f"{address}-{os.getpid()}")
            listener.listen()
            done = subprocess.run(["bash", "-c", 'export LISTEN_PID=$$; exec "$@" 3<&"$0"', str(listener.fileno()), PROGRAM], pass_fds=[listener.fileno()],
                                  env={**os.environ, "LISTEN_FDS": "1"}, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 1 and "is none that listens at a loopback address" in done.stderr


def test_a_port_of_its_own_is_taken_and_a_taken_one_is_not(measured, source):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        s.listen()
        done = start("--listen", f"127.0.0.1:{port}")
        assert done.returncode == 1 and f"cannot listen at 127.0.0.1:{port}: Address already in use" in done.stderr
    with subprocess.Popen([PROGRAM, "--metrics-socket", source, "--listen", f"127.0.0.1:{port}"]) as process:
        status, _, _ = curl("--retry", "100", "--retry-delay", "0", "--retry-connrefused", "--retry-max-time", str(SECONDS), f"http://127.0.0.1:{port}/metrics")
        assert status == 200
        process.terminate()
        assert process.wait(SECONDS) == 0


def test_words_that_it_does_not_know_are_refused():
    assert start("--strange").returncode == 2 and start("word").returncode == 2 and start("--listen").returncode == 2
    assert start("--version").stdout.startswith("dosvc-metrics ")


def test_the_service_itself_has_nothing_that_speaks_http(measured):
    with open(f"/proc/{measured.process.pid}/maps", encoding="ascii") as f:
        assert "microhttpd" not in f.read()
