"""org.dosvc on a session bus of the test's own: the same objects, for the same uid, signals to those who asked and nobody else."""
import os
import socket
import subprocess
import tempfile
import time

import gi
import pytest

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

from conftest import BUILD  # noqa: E402

PROGRAM = os.path.join(BUILD, "src", "daemon", "dosvcd")
SECONDS = 20
CLIENTS_ON_A_BUS = 256  # LIMIT_CLIENTS_ON_A_BUS
CONFIG = """<busconfig><type>session</type><listen>unix:path={0}/session</listen><auth>EXTERNAL</auth>{1}
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>"""


def wait_until(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


class Client:
    """One connection; .heard is every signal of org.dosvc that reached it."""

    def __init__(self, address):
        self.bus = Gio.DBusConnection.new_for_address_sync(
            address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
        self.heard = []
        self.bus.signal_subscribe("org.dosvc", None, None, None, None, Gio.DBusSignalFlags.NONE, self.hear)

    def hear(self, _bus, _sender, path, _interface, member, arguments):
        self.heard.append((member, path))

    def call(self, method, arguments=None, path="/org/dosvc", interface="org.dosvc.Manager1"):
        return self.bus.call_sync("org.dosvc", path, interface, method, arguments, None, Gio.DBusCallFlags.NONE, SECONDS * 1000, None).unpack()

    def has_name(self):
        return self.bus.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner",
                                  GLib.Variant("(s)", ("org.dosvc",)), None, Gio.DBusCallFlags.NONE, -1, None).unpack()[0]

    def create(self, name):
        return self.call("CreateJob", GLib.Variant("(sa{sv}a(saya{sv}))", (name, {}, [])))[0]

    def listen(self):
        """What has arrived is handed to hear()."""
        self.call("GetServiceInfo")
        while GLib.MainContext.default().iteration(False):
            pass


class Session:
    def __init__(self, folder):
        self.folder = folder
        self.address = f"unix:path={folder}/session"
        self.environment = {**os.environ, "HOME": folder, "XDG_STATE_HOME": folder + "/state", "XDG_CONFIG_HOME": folder + "/config",
                            "XDG_RUNTIME_DIR": folder, "DBUS_SESSION_BUS_ADDRESS": self.address, "LC_ALL": "C.UTF-8"}
        self.processes = []

    def start_bus(self, extra=""):
        with open(self.folder + "/bus.conf", "w", encoding="utf-8") as f:
            f.write(CONFIG.format(self.folder, extra))
        self.bus = self.spawn("dbus-daemon", "--config-file=" + self.folder + "/bus.conf", "--nofork", "--nopidfile")
        wait_until(self.bus_listens)

    def bus_listens(self):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(self.folder + "/session") == 0

    def start_service(self):
        return self.spawn(PROGRAM, "--user")

    def spawn(self, *words):
        with open(self.folder + "/log", "ab") as log:
            process = subprocess.Popen(words, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def client(self):
        return Client(self.address)

    def log(self):
        with open(self.folder + "/log", encoding="utf-8", errors="replace") as f:
            return f.read()

    def close(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait(SECONDS)


@pytest.fixture
def session():
    with tempfile.TemporaryDirectory(prefix="dosvc-session-") as folder:  # not pytest's, which nobody else may enter
        os.chmod(folder, 0o755)
        made = Session(folder)
        yield made
        made.close()


@pytest.fixture
def served(session):
    session.start_bus()
    session.start_service()
    first = session.client()
    wait_until(first.has_name)
    return session


def test_the_bus_has_the_same_objects_as_the_socket(served):
    client = served.client()
    job = client.create("over the bus")
    path = "/org/dosvc/job/" + job.replace("-", "")
    assert [j["Name"] for j in client.call("ListJobs", GLib.Variant("(ssu)", ("", "", 10)))[0]] == ["over the bus"]
    get = GLib.Variant("(ss)", ("org.dosvc.Job1", "State"))
    assert client.call("Get", get, path, "org.freedesktop.DBus.Properties") == ("suspended",)
    seen = subprocess.run([os.path.join(BUILD, "src/cli/dosvc"), "show", job[:8]], env=served.environment, text=True, capture_output=True, check=False)
    assert seen.returncode == 0 and "over the bus" in seen.stdout, seen.stderr
    client.call("Cancel", None, path, "org.dosvc.Job1")
    with pytest.raises(GLib.Error, match="org.dosvc.Error.NotFound"):
        client.call("Resume", None, path.replace(job.replace("-", ""), "0" * 32), "org.dosvc.Job1")
    introspected = client.call("Introspect", None, "/org/dosvc", "org.freedesktop.DBus.Introspectable")[0]
    assert 'interface name="org.dosvc.Manager1"' in introspected


def test_signals_reach_those_who_subscribed_and_nobody_else(served):
    one, other, silent = served.client(), served.client(), served.client()
    one.call("Subscribe", GLib.Variant("(s)", ("",)))
    mine = other.create("watched by the other")
    other.call("Subscribe", GLib.Variant("(s)", (mine,)))
    silent.create("watched by all")
    path = "/org/dosvc/job/" + mine.replace("-", "")
    silent.call("Cancel", None, path, "org.dosvc.Job1")
    for client in (one, other, silent):
        client.listen()
    assert [member for member, _ in one.heard].count("JobAdded") == 2
    assert ("JobRemoved", "/org/dosvc") in one.heard and ("JobRemoved", "/org/dosvc") in other.heard
    assert "JobAdded" not in [member for member, _ in other.heard]
    assert silent.heard == []


def test_who_left_the_bus_is_forgotten(served):
    stays, leaves = served.client(), served.client()
    leaves.call("GetServiceInfo")
    assert stays.call("GetServiceInfo")[0]["Clients"] == 2
    leaves.bus.close_sync(None)
    wait_until(lambda: stays.call("GetServiceInfo")[0]["Clients"] == 1)


def test_a_name_on_the_bus_counts_as_a_client_from_its_first_call_until_it_leaves(session):
    os.makedirs(session.folder + "/config/dosvc")
    with open(session.folder + "/config/dosvc/dosvc.conf", "w", encoding="ascii") as f:
        f.write("[Service]\nMaxClientsPerUser=3\n")
    session.start_bus()
    session.start_service()
    clients = [session.client() for _ in range(4)]
    wait_until(clients[0].has_name)
    for client in clients[:3] + clients[:3]:
        client.call("GetServiceInfo")
    with pytest.raises(GLib.Error, match="MaxClientsPerUser"):
        clients[3].call("GetServiceInfo")
    # A connection to the socket is one more of the same user's, too.
    refused = subprocess.run([os.path.join(BUILD, "src/cli/dosvc"), "list"], env=session.environment, text=True, capture_output=True, check=False)
    assert refused.returncode == 5, refused.stderr
    assert clients[0].call("GetServiceInfo")[0]["Clients"] == 3
    clients[1].bus.close_sync(None)
    wait_until(lambda: clients[0].call("GetServiceInfo")[0]["Clients"] == 2)
    clients[3].call("GetServiceInfo")


def test_a_bus_carries_so_many_clients_and_one_more_is_refused(session):
    os.makedirs(session.folder + "/config/dosvc")
    with open(session.folder + "/config/dosvc/dosvc.conf", "w", encoding="ascii") as f:
        f.write("[Service]\nMaxClientsPerUser=1000\n")
    session.start_bus('<limit name="max_connections_per_user">1000</limit>')
    session.start_service()
    clients = [session.client() for _ in range(CLIENTS_ON_A_BUS + 1)]
    wait_until(clients[0].has_name)
    for client in clients[:-1]:
        client.call("GetServiceInfo")
    with pytest.raises(GLib.Error, match="too many clients"):
        clients[-1].call("GetServiceInfo")
    clients[0].bus.close_sync(None)
    wait_until(lambda: clients[1].call("GetServiceInfo")[0]["Clients"] < CLIENTS_ON_A_BUS)
    clients[-1].call("GetServiceInfo")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a second user")
def test_another_user_on_the_bus_is_refused(served):
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "gdbus", "call", "--address", served.address, "--dest", "org.dosvc",
             "--object-path", "/org/dosvc", "--method", "org.dosvc.Manager1.GetServiceInfo"]
    done = subprocess.run(words, text=True, capture_output=True, timeout=SECONDS, check=False)
    assert done.returncode != 0 and "AccessDenied" in done.stderr, done.stderr
    assert served.client().call("GetServiceInfo")[0]["Clients"] == 1


def test_the_service_outlives_its_bus(served):
    client = served.client()
    client.create("kept")
    client.bus.set_exit_on_close(False)
    served.bus.terminate()
    served.bus.wait(SECONDS)
    wait_until(lambda: "the bus is gone" in served.log())
    listed = subprocess.run([os.path.join(BUILD, "src/cli/dosvc"), "list"], env=served.environment, text=True, capture_output=True, check=False)
    assert listed.returncode == 0 and "kept" in listed.stdout


def test_a_call_to_the_name_starts_the_service(session):
    folder = session.folder + "/services"
    os.mkdir(folder)
    with open(folder + "/org.dosvc.service", "w", encoding="utf-8") as f:
        f.write(f"[D-BUS Service]\nName=org.dosvc\nExec={PROGRAM} --user --idle-exit 1\n")
    session.start_bus(f"<servicedir>{folder}</servicedir>")
    client = session.client()
    pid = client.call("GetServiceInfo")[0]["Pid"]
    assert pid > 0
    client.bus.close_sync(None)
    watcher = session.client()
    wait_until(lambda: not watcher.has_name())  # idle, it leaves again
