"""What the system tests start: the real service in a folder of its own, real servers on loopback, the real command."""
import http.server
import json
import os
import subprocess
import sys
import threading

import pytest

# Minutes long: part of make soak, not of make check.
collect_ignore = [] if os.environ.get("DOSVC_SOAK") else ["test_valgrind.py"]

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
sys.dont_write_bytecode = True
import origin as origin_module  # noqa: E402
from service import Service  # noqa: E402

BUILD = os.environ.get("DOSVC_BUILD", os.path.join(ROOT, "build"))
COMMAND = os.path.join(BUILD, "src", "cli", "dosvc")
CALL_SECONDS = 60
# Tests wait for real retries: the shortest that the configuration allows.
QUICK = "MinimumRetryDelayDO=1\nConnectTimeout=5\nStallTimeout=5\n"


class Instance(Service):
    """A service, and the command that talks to it."""

    def __init__(self, folder, config=QUICK):
        super().__init__(BUILD, os.path.join(folder, "state"), config)
        self.folder = folder
        self.spawned = []

    def command_environment(self, extra=None):
        return {**os.environ, "DOSVC_ADDRESS": self.address, "LC_ALL": "C.UTF-8", **(extra or {})}

    def run(self, *words, cwd=None, stdin=None, check=False, environment=None, timeout=CALL_SECONDS):
        result = subprocess.run([COMMAND, *map(str, words)], cwd=cwd or self.folder, input=stdin or "", text=True, capture_output=True,
                                env=self.command_environment(environment), timeout=timeout, check=False)
        if check:
            assert result.returncode == 0, f"dosvc {' '.join(map(str, words))}: {result.returncode}\n{result.stderr}\n{self.log()}"
        return result

    def json(self, *words, **options):
        return json.loads(self.run(*words, "--json", check=True, **options).stdout)

    def spawn(self, *words, cwd=None, **options):
        process = subprocess.Popen([COMMAND, *map(str, words)], cwd=cwd or self.folder, stdin=subprocess.DEVNULL,
                                   stdout=options.pop("stdout", subprocess.PIPE), stderr=options.pop("stderr", subprocess.PIPE),
                                   text=True, env=self.command_environment(), **options)
        self.spawned.append(process)
        return process

    def jobs(self):
        return self.json("list")

    def close(self):
        for process in self.spawned:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()
        self.stop()


@pytest.fixture
def instance(tmp_path):
    if not os.path.exists(COMMAND):
        pytest.fail(f"{COMMAND} is not built; set DOSVC_BUILD")
    made = Instance(str(tmp_path))
    made.start()
    yield made
    made.close()


@pytest.fixture
def target(tmp_path):
    """A directory for what is downloaded."""
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


@pytest.fixture
def origin():
    made = origin_module.Origin()
    yield made
    made.close()


class StatusHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    BODY = b"a small file\n"

    def do_GET(self):  # noqa: N802 the name is http.server's
        """/status/404 answers that; /dated has a Last-Modified; everything else is a small file."""
        self.server.paths.append(self.path)
        status = int(self.path.split("/")[2]) if self.path.startswith("/status/") else 200
        body = self.BODY if status == 200 else b"no\n"
        self.send_response(status)
        if self.path.startswith("/dated"):
            self.send_header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def small():
    """A server of small things; .url(path), .paths that were asked for."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), StatusHandler)
    server.daemon_threads = True
    server.paths = []
    server.body = StatusHandler.BODY
    server.url = lambda path: f"http://127.0.0.1:{server.server_port}/{path}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def error_line(result):
    """The one line on stderr that says what went wrong."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("dosvc: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]


def pytest_configure(config):
    config.addinivalue_line("markers", "root: needs root")
    config.addinivalue_line("markers", "quiet: measures rates or times, and runs while no other test does")
