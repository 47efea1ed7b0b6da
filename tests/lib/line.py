"""A slow line of the test's own: a server's and a client's network namespace with line_box between them.

    with line.Line(build, rate_mbit=50, rtt_ms=20, buffer_ms=100, congestion="cubic") as l:
        l.web_server(folder)                    # nginx in the server's namespace, at l.url("http", "file")
        l.client(["curl", "-so", "/dev/null", l.url("http", "file")]).wait()
        with l.bulk("cubic") as bulk: ...       # a foreground flow: one connection that takes what it gets; bulk.mbit()
        l.samples()                             # what really went over the line and how long its queue was

Needs root and /dev/net/tun: missing() says why it cannot be used. Nothing outside the two namespaces is touched, and they end with the
test. The congestion control of every sender in the server's namespace is the route's, so the machine's sysctls stay as they are.
"""
import collections
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SERVER, CLIENT = "10.77.0.1", "10.77.0.2"
SERVERS = [SERVER] + [f"10.77.1.{i}" for i in range(1, 8)]  # the same machine under other addresses
HTTP_PORT, HTTPS_PORT, BULK_PORT = 8080, 8443, 5001
HERE = os.path.dirname(os.path.abspath(__file__))

Sample = collections.namedtuple("Sample", "time direction mbit queue_ms queue_max_ms drops late_ms")


def missing():
    """Why there is no line here, or None."""
    if os.geteuid() != 0:
        return "a line of one's own needs root"
    if not os.path.exists("/dev/net/tun"):
        return "there is no /dev/net/tun"
    for program in ("nsenter", "ip", "unshare"):
        if not shutil.which(program):
            return f"{program} is not installed"
    probe = subprocess.run(["unshare", "--net", "ip", "tuntap", "add", "dev", "probe", "mode", "tun"], capture_output=True, text=True,
                           check=False)
    return f"no network namespace with a TUN device can be made: {probe.stderr.strip()}" if probe.returncode != 0 else None


class Bulk:
    """One TCP connection from the server to the client that carries as much as it can; counted where it arrives."""

    def __init__(self, line, congestion):
        self.process = line.client([sys.executable, __file__, "receive", SERVER, str(BULK_PORT), congestion], stdout=subprocess.PIPE,
                                   text=True)
        self.line = line
        self.total = None
        self.steps = []  # (time on the line's clock, bytes until then)

    def stop(self):
        if self.total is None:
            self.process.send_signal(signal.SIGINT)
            *steps, last = [[float(x) for x in row.split()] for row in self.process.communicate(timeout=10)[0].splitlines()]
            self.total, self.seconds = last
            self.steps = [(at - self.line.began, n) for at, n in steps]
        return self.total

    def mbit(self):
        """Goodput from its first byte to stop()."""
        return self.stop() * 8 / 1e6 / self.seconds

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Line:
    def __init__(self, build, rate_mbit, rtt_ms, buffer_ms, up_mbit=None, loss=0.0, congestion="cubic", seed=1):
        """buffer_ms: of the way down, drop-tail. The way up has as much, and the same rate if none is given. loss: of packets, both ways."""
        self.folder = tempfile.mkdtemp(prefix="dosvc-line-")
        self.log = os.path.join(self.folder, "log")
        self.processes = []
        self.ca = None
        delay = int(rtt_ms * 1000 / 2)
        per_million = int(loss * 1e6)
        self.box = subprocess.Popen(
            [os.path.join(build, "tests/lib/line_box"), "--seed", str(seed), "--log", self.log,
             "--down", f"{int(rate_mbit * 1000)},{delay},{int(buffer_ms)}ms,{per_million}",
             "--up", f"{int((up_mbit or rate_mbit) * 1000)},{delay},{int(buffer_ms)}ms,{per_million}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        words = self.box.stdout.readline().split()
        self.began = time.monotonic()
        if not words or words[0] != "ready":
            raise RuntimeError(f"line_box: exit {self.box.wait()}")
        self.namespaces = {"server": f"/proc/{words[1]}/fd/{words[2]}", "client": f"/proc/{words[1]}/fd/{words[3]}"}
        self.run("server", ["ip", "route", "change", CLIENT, "dev", "line", "src", SERVER, "congctl", congestion])
        for address in SERVERS[1:]:
            self.run("server", ["ip", "address", "add", address, "dev", "line"])
            self.run("client", ["ip", "route", "add", address, "dev", "line"])

    def inside(self, end, command):
        return ["nsenter", "--net=" + self.namespaces[end], *command]

    def run(self, end, command, **options):
        return subprocess.run(self.inside(end, command), check=True, **options)

    def start(self, end, command, **options):
        process = subprocess.Popen(self.inside(end, command), stdin=subprocess.DEVNULL, **options)
        self.processes.append(process)
        return process

    def client(self, command, **options):
        return self.start("client", command, **options)

    def server(self, command, **options):
        return self.start("server", command, **options)

    @property
    def client_wrapper(self):
        """What stands before a command that is to run in the client's namespace."""
        return self.inside("client", [])

    # ---- servers ----

    def web_server(self, www, limit_rate=None, http2=True):
        """nginx with the files of the folder www. limit_rate: bytes per second of each connection. Returns when it answers."""
        key, cert = os.path.join(self.folder, "key.pem"), os.path.join(self.folder, "cert.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "30",
                        "-subj", "/CN=line", "-addext", "subjectAltName=" + ",".join(f"IP:{address}" for address in SERVERS)],
                       check=True, stderr=subprocess.DEVNULL)
        self.ca = cert
        conf = os.path.join(self.folder, "nginx.conf")
        listens = "".join(f"listen {address}:{HTTP_PORT}; listen {address}:{HTTPS_PORT} ssl{' http2' if http2 else ''}; "
                          for address in SERVERS)
        paths = "".join(f"{name}_temp_path {self.folder}/{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(conf, "w", encoding="utf-8") as f:
            f.write(f"""user root; worker_processes 1; daemon off; pid {self.folder}/nginx.pid; error_log {self.folder}/error.log;
events {{ worker_connections 1024; }}
http {{ access_log off; sendfile on; sendfile_max_chunk 256k; keepalive_requests 100000; default_type application/octet-stream; {paths}
  {f"limit_rate {limit_rate};" if limit_rate else ""}
  server {{ {listens}ssl_certificate {cert}; ssl_certificate_key {key};
    root {www}; }} }}
""")
        self.server(["nginx", "-c", conf], stderr=subprocess.DEVNULL)
        self.wait_for(HTTP_PORT)

    def wait_for(self, port):
        end = time.monotonic() + 20
        probe = [sys.executable, __file__, "probe", SERVER, str(port)]
        while subprocess.run(self.inside("server", probe), stderr=subprocess.DEVNULL, check=False).returncode != 0:
            if time.monotonic() > end:
                raise RuntimeError(f"nothing listens on port {port}")

    def url(self, scheme, name, server=0):
        """server: which of its addresses."""
        return f"{scheme}://{SERVERS[server]}:{HTTP_PORT if scheme == 'http' else HTTPS_PORT}/{name}"

    def bulk_server(self):
        self.server([sys.executable, __file__, "send", SERVER, str(BULK_PORT)])
        self.wait_for(BULK_PORT)

    def bulk(self, congestion="cubic"):
        return Bulk(self, congestion)

    # ---- what was seen ----

    def now(self):
        """On the clock of the samples."""
        return time.monotonic() - self.began

    def samples(self, direction="d", since=0.0, until=float("inf")):
        found = []
        with open(self.log, encoding="ascii") as f:
            for row in f:
                words = row.split()
                if len(words) != 7 or words[1] != direction:
                    continue
                at = int(words[0]) / 1e3
                if since <= at <= until:
                    found.append(Sample(at, words[1], int(words[2]) / 1e3, int(words[3]) / 1e3, int(words[4]) / 1e3, int(words[5]),
                                        int(words[6]) / 1e3))
        return found

    def late_ms(self):
        """The latest hand-over of a packet: much more than a millisecond means that the machine was too busy for this line."""
        return max((s.late_ms for d in "du" for s in self.samples(d)), default=0.0)

    def close(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.box.stdin.close()
        self.box.wait()
        self.box.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- the programs of the two ends ----

def send(address, port):
    """To everybody who says which congestion control he wants, without end."""
    import socket
    import threading

    def serve(connection):
        with connection, contextlib.suppress(OSError):
            name = connection.recv(16).strip()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name)
            block = memoryview(bytes(256 * 1024))
            while True:
                connection.sendall(block)

    with socket.create_server((address, port)) as listener:
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


def receive(address, port, congestion):
    """Until SIGINT; then prints what had come when (five times a second, on the monotonic clock), the bytes and the seconds since the first."""
    import socket

    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background job ignores
    total, began, steps = 0, None, []
    with contextlib.suppress(KeyboardInterrupt):
        with socket.create_connection((address, port)) as connection:
            connection.sendall(congestion.encode())
            block = bytearray(1024 * 1024)
            while n := connection.recv_into(block):
                now = time.monotonic()
                began = began or now
                total += n
                if not steps or now - steps[-1][0] >= 0.2:
                    steps.append((now, total))
    for step in steps:
        print(*step)
    print(total, time.monotonic() - (began or 0))


def probe(address, port):
    import socket
    socket.create_connection((address, port), timeout=1).close()


if __name__ == "__main__":
    {"send": send, "receive": receive, "probe": probe}[sys.argv[1]](sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
