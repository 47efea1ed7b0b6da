"""Runs inside the machine of tests/lib/machine.py, as root: the system instance on the system bus, and polkit as Debian has it."""
import json
import os
import signal
import ssl
import subprocess
import sys

import origin as origin_module
import pytest

from inside import command_of, content_of, dosvc, dosvc_json, home, journal, run_as, show, slow_job, systemctl, wait_until

sys.path.insert(0, "/dosvc/tests/system")
from doorkeeper import Doorkeeper, make_certificates  # noqa: E402

RULES = "/etc/polkit-1/rules.d/10-dosvc-test.rules"
SIZE = 48 << 20
# A program with a connection of its own, which subscribes if it is told to and says what it hears.
LISTENER = """
import sys, gi
gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib
bus = Gio.bus_get_sync(Gio.BusType.SYSTEM, None)
bus.signal_subscribe("org.dosvc", None, None, None, None, Gio.DBusSignalFlags.NONE, lambda *a: print(a[4], a[2], flush=True))
if sys.argv[1] == "subscribe":
    bus.call_sync("org.dosvc", "/org/dosvc", "org.dosvc.Manager1", "Subscribe", GLib.Variant("(s)", ("",)), None, 0, -1, None)
print("name", bus.get_unique_name(), flush=True)
GLib.MainLoop().run()
"""
# One that is called back: says by what, and answers with a number, or with an error.
PROGRAM = """
import sys, gi
gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib
register, path, answer = sys.argv[1:]
bus = Gio.bus_get_sync(Gio.BusType.SYSTEM, None)
def called(bus, sender, path, interface, member, values, invocation):
    if answer == "error":
        invocation.return_dbus_error("org.example.Later", "not now")
    else:
        invocation.return_value(GLib.Variant("(u)", (int(answer),)) if member == "JudgeCertificate" else None)
    print(member, values.unpack()[0], flush=True)
with open("/dosvc/idl/org.dosvc.xml", encoding="utf-8") as f:
    interface = Gio.DBusNodeInfo.new_for_xml(f.read()).lookup_interface("org.dosvc.Callback1")
bus.register_object("/org/dosvc/callback", interface, called, None, None)
bus.call_sync("org.dosvc", path, "org.dosvc.Job1", register, GLib.Variant("(b)", (True,)), None, 0, -1, None)
print("registered", flush=True)
GLib.MainLoop().run()
"""


@pytest.fixture(scope="module", autouse=True)
def bus():
    systemctl("start", "dbus.service")
    systemctl("enable", "dosvc.service")


@pytest.fixture
def origin():
    made = origin_module.Origin()
    yield made
    made.close()


def call(user, method, *arguments, path="/org/dosvc", interface="Manager1", check=True):
    return run_as(user, "busctl", "--system", "--json=short", "call", "org.dosvc", path, f"org.dosvc.{interface}", method, *arguments, check=check)


def create(user, name):
    return json.loads(call(user, "CreateJob", "sa{sv}a(saya{sv})", name, "0", "0").stdout)["data"][0]


def path_of(job):
    return "/org/dosvc/job/" + job.replace("-", "")


def names_of_jobs(user):
    return [job["Name"]["data"] for job in json.loads(call(user, "ListJobs", "ssu", "", "", "100").stdout)["data"][0]]


def test_a_first_call_on_the_bus_starts_the_service():
    systemctl("stop", "dosvc.service")
    info = json.loads(call("tester", "GetServiceInfo").stdout)["data"][0]
    assert show("dosvc.service", "ActiveState") == "active" and str(info["Pid"]["data"]) == show("dosvc.service", "MainPID")
    assert info["MayOwnJobs"]["data"] is True
    assert "org.dosvc.Job1" in run_as("tester", "busctl", "--system", "introspect", "--xml-interface", "org.dosvc", path_of(create("tester", "seen"))).stdout
    systemctl("disable", "dosvc.service")
    systemctl("stop", "dosvc.service")
    refused = call("tester", "GetServiceInfo", check=False)  # who disabled it meant that
    assert refused.returncode != 0 and show("dosvc.service", "ActiveState") == "inactive", refused
    systemctl("enable", "dosvc.service")
    assert names_of_jobs("tester") == ["seen"]


def test_each_user_has_jobs_of_his_own_there_and_they_are_those_of_the_socket():
    mine = create("other", "another's")
    assert names_of_jobs("other") == ["another's"]
    assert [row["id"] for row in dosvc_json("other", "list")] == [mine]
    stranger = call("tester", "Cancel", path=path_of(mine), interface="Job1", check=False)
    absent = call("tester", "Cancel", path=path_of(mine.replace(mine[:8], "0" * 8)), interface="Job1", check=False)
    assert stranger.returncode != 0 and stranger.stderr == absent.stderr, (stranger, absent)
    call("other", "Cancel", path=path_of(mine), interface="Job1")
    assert names_of_jobs("other") == []


def test_nobody_else_can_have_the_name_or_call_what_is_not_there():
    systemctl("stop", "dosvc.service")
    refused = run_as("tester", "busctl", "--system", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName",
                     "su", "org.dosvc", "0", check=False)
    assert refused.returncode != 0 and "Access denied" in refused.stderr, refused
    refused = run_as("tester", "busctl", "--system", "call", "org.dosvc", "/org/dosvc", "org.freedesktop.systemd1.Activator", "Any", check=False)
    assert refused.returncode != 0


class Listener:
    def __init__(self, user, what):
        self.process = subprocess.Popen(command_of(user, "/usr/bin/python3", "-c", LISTENER, what), stdout=subprocess.PIPE, text=True)
        self.name = self.process.stdout.readline().split()[1]

    def heard(self, until=None):
        """The names of all signals, at least up to that one."""
        names = []
        while until and until not in names:
            names.append(self.process.stdout.readline().split()[0])
        self.process.terminate()
        return names + [line.split()[0] for line in self.process.communicate()[0].splitlines()]


def test_signals_go_to_those_who_subscribed_and_concern_them_by_name():
    call("tester", "GetServiceInfo")
    monitor = subprocess.Popen(["busctl", "--system", "--json=short", "monitor", "org.dosvc"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "Monitoring" in monitor.stderr.readline()
    subscribed, silent, stranger = Listener("tester", "subscribe"), Listener("tester", "silent"), Listener("other", "subscribe")
    job = create("tester", "told")
    call("tester", "Cancel", path=path_of(job), interface="Job1")
    heard = iter(monitor.stdout.readline, "")
    seen = []
    for line in heard:
        message = json.loads(line)
        if message["type"] == "signal" and message.get("interface", "").startswith(("org.dosvc", "org.freedesktop.DBus.Properties")):
            seen.append((message["member"], message.get("destination")))
            if message["member"] == "JobRemoved":
                break
    monitor.terminate()
    monitor.communicate()
    assert {destination for _, destination in seen} == {subscribed.name}, seen
    assert "JobAdded" in subscribed.heard(until="JobRemoved")
    assert silent.heard() == [] and stranger.heard() == []


def test_the_name_comes_back_after_a_restart_of_the_service():
    create("tester", "kept")
    systemctl("restart", "dosvc.service")
    assert "kept" in names_of_jobs("tester")


def test_the_name_comes_back_after_a_restart_of_the_bus():
    job = create("tester", "of the bus before")
    pid = show("dosvc.service", "MainPID")
    systemctl("restart", "dbus.service")
    wait_until(lambda: call("tester", "GetServiceInfo", check=False).returncode == 0)
    assert show("dosvc.service", "MainPID") == pid and "of the bus before" in names_of_jobs("tester")
    call("tester", "Cancel", path=path_of(job), interface="Job1")


# ---- programs that are called back ----

class Program:
    def __init__(self, user, register, job, answer):
        words = ("/usr/bin/python3", "-c", PROGRAM, register, path_of(job), answer)
        self.process = subprocess.Popen(command_of(user, *words), stdout=subprocess.PIPE, text=True)
        assert self.hears() == "registered"

    def hears(self):
        return self.process.stdout.readline().strip()

    def end(self):
        self.process.kill()
        return self.process.communicate()[0]


@pytest.fixture
def program():
    programs = []

    def start(*words):
        programs.append(Program(*words))
        return programs[-1]
    yield start
    for one in programs:
        if one.process.returncode is None:
            one.end()


def assert_not_for_others(job, register):
    """Who is not its owner learns nothing of it, and does not take the owner's program's place."""
    refused = call("other", register, "b", "true", path=path_of(job), interface="Job1", check=False)
    assert refused.returncode != 0 and "no such job" in refused.stderr, refused


def test_a_program_on_the_bus_is_told_of_its_owners_job(origin, program):
    job = create("tester", "told")
    dosvc("tester", "add", job, origin.url("told", 1000), "-d", home("tester"))
    first = program("tester", "SetNotify", job, "error")
    assert_not_for_others(job, "SetNotify")
    dosvc("tester", "resume", job)
    assert first.hears() == f"JobTransferred {job}"
    # It did not take it, and goes: the event is the next one's.
    first.end()
    second = program("tester", "SetNotify", job, "0")
    assert second.hears() == f"JobTransferred {job}"
    call("tester", "Complete", path=path_of(job), interface="Job1")
    assert content_of(home("tester") + "/told") == origin_module.content("told", 1000)
    assert second.end() == ""


@pytest.fixture
def server():
    """An https server of an authority that the service trusts."""
    os.mkdir("/etc/dosvc-test")
    made = make_certificates("/etc/dosvc-test")
    os.makedirs("/etc/dosvc", exist_ok=True)
    with open("/etc/dosvc/dosvc.conf", "w", encoding="ascii") as f:
        f.write(f"[Service]\nCAFile={made.root[0]}\n")
    systemctl("restart", "dosvc.service")
    one = Doorkeeper(made.server, made.root[0], ssl.CERT_NONE, ssl.TLSVersion.TLSv1_3)
    yield one
    one.shutdown()
    one.server_close()
    os.unlink("/etc/dosvc/dosvc.conf")
    systemctl("restart", "dosvc.service")


def test_a_program_on_the_bus_judges_the_servers_of_its_owners_job(server, program):
    def state():
        shown = dosvc_json("tester", "show", job)[0]
        return shown["state"], (shown["error"] or {}).get("name")
    job = create("tester", "judged")
    dosvc("tester", "add", job, server.url(), "-o", home("tester") + "/judged")
    dosvc("tester", "set", job, "judge_certificate=yes")
    dosvc("tester", "resume", job)
    wait_until(lambda: state() == ("transient_error", "CertificateNotJudged"))
    assert_not_for_others(job, "SetJudge")
    doubtful = program("tester", "SetJudge", job, str(0x800B0109))
    assert doubtful.hears() == f"JudgeCertificate {job}"
    wait_until(lambda: state() == ("transient_error", "CertificateDeclined"))
    assert_not_for_others(job, "SetJudge")
    assert server.heard == []
    doubtful.end()
    trusting = program("tester", "SetJudge", job, "0")
    dosvc("tester", "resume", job)
    assert trusting.hears() == f"JudgeCertificate {job}"
    wait_until(lambda: state()[0] == "transferred")
    call("tester", "Complete", path=path_of(job), interface="Job1")
    assert content_of(home("tester") + "/judged") == b"the file" and len(server.heard) == 1


# ---- polkit ----

has_polkit = pytest.mark.skipif(not os.path.exists("/usr/lib/polkit-1/polkitd"), reason="needs polkitd")


def polkit(rule=""):
    """A new polkit, whose rules say that."""
    with open(RULES, "w", encoding="ascii") as f:
        f.write("polkit.addRule(function(action, subject) { " + rule + " });\n")
    systemctl("reset-failed", "polkit.service", check=False)  # its starts are counted; these are the test's
    systemctl("restart", "polkit.service")


def other_may(what, answer="polkit.Result.YES"):
    return f'if (action.id == "org.dosvc.{what}" && subject.user == "other") return {answer};'


@has_polkit
def test_a_user_without_an_agent_is_no_administrator(origin):
    job = slow_job("tester", origin, "guarded", SIZE)
    polkit()
    assert dosvc("other", "list", "--all-users", check=False).returncode == 4
    assert dosvc("other", "cancel", job, check=False).returncode == 3
    refused = call("other", "Cancel", path=path_of(job), interface="Job1", check=False)
    assert refused.returncode != 0 and "no such job" in refused.stderr, refused
    assert dosvc_json("tester", "show", job)[0]["state"] == "transferring"
    dosvc("tester", "cancel", job)


@has_polkit
def test_an_administrator_by_a_rule_sees_and_cancels_others_jobs_on_the_socket_and_on_the_bus(origin):
    jobs = [slow_job("tester", origin, name, SIZE) for name in ("first", "second")]
    polkit(other_may("manage-all"))
    assert set(jobs) <= {row["id"] for row in dosvc_json("other", "list", "--all-users")}
    assert dosvc("other", "take", jobs[0], check=False).returncode == 3, "that is an action of its own"
    dosvc("other", "cancel", jobs[0])
    call("other", "Cancel", path=path_of(jobs[1]), interface="Job1")
    assert not set(jobs) & {row["id"] for row in dosvc_json("tester", "list")}
    polkit(other_may("take-ownership"))
    job = dosvc("tester", "create", "taken").stdout.strip()
    call("other", "TakeOwnership", path=path_of(job), interface="Job1")
    assert job in [row["id"] for row in dosvc_json("other", "list")]
    dosvc("other", "cancel", job)


def wait_for_polkit_to_ask_at(gate):
    wait_until(lambda: subprocess.run(["pgrep", "-u", "polkitd", "-f", gate], capture_output=True, check=False).returncode == 0)


@has_polkit
@pytest.mark.parametrize("words", [
    ["dosvc", "suspend", "--system", "JOB"],
    ["busctl", "--system", "call", "org.dosvc", "PATH", "org.dosvc.Job1", "Suspend"]], ids=["socket", "bus"])
def test_a_caller_who_vanished_is_no_administrator_whatever_polkit_says(origin, words):
    job = slow_job("tester", origin, "vanished", SIZE)
    gate = f"/run/gate-{words[0]}"
    os.mkfifo(gate, 0o644)
    os.chmod(gate, 0o644)
    polkit(other_may("manage-all", f'(polkit.spawn(["cat", "{gate}"]), polkit.Result.YES)'))
    words = [word.replace("JOB", job).replace("PATH", path_of(job)) for word in words]
    caller = subprocess.Popen(command_of("other", *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_polkit_to_ask_at(gate)
    caller.send_signal(signal.SIGKILL)
    caller.wait()
    with open(gate, "w", encoding="ascii") as f:
        os.unlink(gate)
        with open(gate, "w", encoding="ascii"):
            pass
        f.write("go on\n")
    assert job in {row["id"] for row in dosvc_json("other", "list", "--all-users")}  # polkit says one yes after the other
    assert dosvc_json("tester", "show", job)[0]["state"] == "transferring"
    assert "acts as an administrator: Suspend" not in journal()
    dosvc("tester", "cancel", job)
