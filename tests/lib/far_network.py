"""A line of the test's own between two network namespaces, and slow origins in them. Needs root and ip(8).

    network = Network()                             # .client and .server are the namespaces, with a line and routes between
    network.inside(network.client)                  # what a command begins with that is to run there
    network.down(); network.up()                    # the client's link, and with it its routes
    network.origin.url                              # an origin at the server's public address: slow until let_through()
"""
import os
import subprocess
import sys
import time

SECONDS = 20
MIB = 1 << 20
SLOWLY = 256 << 10  # bytes per second: a file takes long enough for anybody to see it move, until it is let through
SERVER, CLIENT = "203.0.113.1", "203.0.113.2"
SERVE = """
import sys
sys.path.insert(0, sys.argv[1])
from origin import Origin
origin = Origin(host=sys.argv[2])
origin.rate = int(sys.argv[3])
print(origin.port, flush=True)
for line in sys.stdin:
    origin.rate = None
"""


def wait_until(condition, what):
    end = time.monotonic() + SECONDS
    while not (value := condition()):
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.01)
    return value


class Far:
    """A slow origin in a network namespace."""

    def __init__(self, inside, host):
        self.process = subprocess.Popen([*inside, sys.executable, "-c", SERVE, os.path.dirname(os.path.abspath(__file__)), host, str(SLOWLY)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = f"http://{host}:{self.process.stdout.readline().strip()}"

    def let_through(self):
        self.process.stdin.write("now\n")
        self.process.stdin.flush()

    def close(self):
        self.process.stdin.close()
        self.process.wait(SECONDS)


class Network:
    """A server and a client namespace with a line between them; the server has a public address."""

    def __init__(self):
        self.namespaces = [subprocess.Popen(["unshare", "--net", "sleep", "infinity"]) for _ in range(2)]
        for namespace in self.namespaces:
            wait_until(lambda pid=namespace.pid: os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net"), "no namespace")
            self.ip(namespace, "link", "set", "lo", "up")
        self.server, self.client = self.namespaces
        self.ip(self.client, "link", "add", "uplink", "type", "veth", "peer", "name", "downlink", "netns", str(self.server.pid))
        self.ip(self.server, "addr", "add", SERVER + "/24", "dev", "downlink")
        self.ip(self.server, "link", "set", "downlink", "up")
        self.ip(self.client, "addr", "add", CLIENT + "/24", "dev", "uplink")
        self.up()
        self.origin = Far(self.inside(self.server), SERVER)
        self.url = self.origin.url

    @staticmethod
    def inside(namespace):
        return ["nsenter", f"--net=/proc/{namespace.pid}/ns/net"]

    def ip(self, namespace, *words):
        subprocess.run([*self.inside(namespace), "ip", *words], check=True)

    def up(self):
        self.ip(self.client, "link", "set", "uplink", "up")
        self.ip(self.client, "route", "add", "default", "via", SERVER)

    def down(self):
        self.ip(self.client, "link", "set", "uplink", "down")  # and the routes go with it

    def close(self):
        self.origin.close()
        for process in self.namespaces:
            process.terminate()
            process.wait(SECONDS)
