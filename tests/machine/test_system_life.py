"""Runs inside the machine of tests/lib/machine.py, as root: what becomes of the system instance and its jobs through upgrades and crashes."""
import contextlib
import os
import shutil
import signal
import sqlite3

import metrics
import origin as origin_module
import pytest

from inside import content_of, dosvc, dosvc_json, home, inode_of_program, journal, run, run_as, show, slow_job, systemctl, wait_until

SIZE = 48 << 20
STATE = "/var/lib/dosvc/jobs.sqlite"
PROGRAMS = {"dosvcd": "/usr/local/bin", **dict.fromkeys(("dosvc-broker", "dosvc-owner", "dosvc-runner", "dosvc-transfer", "dosvc-resolve"),
                                                      "/usr/local/libexec/dosvc")}
UNITS = ("dosvc-broker.service", "dosvc.service")


@pytest.fixture
def origin():
    made = origin_module.Origin()
    yield made
    made.close()


def pids():
    return [int(show(unit, "MainPID")) for unit in UNITS]


def finish(origin, name):
    origin.rate = None
    wait_until(lambda: os.path.exists(f"{home('tester')}/{name}"))
    assert content_of(f"{home('tester')}/{name}") == origin_module.content(name, SIZE)


def test_crashes_one_after_the_other_lose_no_job_and_are_no_reason_to_give_up(origin):
    job = slow_job("tester", origin, "crashed", SIZE)
    for _ in range(6):  # systemd's own limit is five starts in ten seconds
        wait_until(lambda: 0 not in pids())
        for pid in pids():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: dosvc("tester", "show", job, check=False).returncode == 0)
    assert [show(unit, "NRestarts") for unit in UNITS] == ["6", "6"]
    finish(origin, "crashed")


def exchange_version(new):
    with contextlib.closing(sqlite3.connect(STATE)) as database:
        old = database.execute("PRAGMA user_version").fetchone()[0]
        database.execute(f"PRAGMA user_version = {new}")
    return old


def test_a_service_that_can_not_start_ends_its_socket_and_programs_use_their_own_instance(origin):
    dosvc("tester", "list")
    systemctl("stop", "dosvc.service")
    version = exchange_version(1000000)
    refused = dosvc("tester", "list", check=False)
    assert refused.returncode == 5 and "does not start. `systemctl status dosvc.socket dosvc.service` says more." in refused.stderr
    wait_until(lambda: show("dosvc.socket", "ActiveState") == "failed")
    assert "The system instance is not there. `systemctl status" in dosvc("tester", "list", check=False).stderr
    run_as("tester", "dosvc", "get", "-q", "-o", home("tester") + "/meanwhile", origin.url("meanwhile", 1000))
    exchange_version(version)
    systemctl("reset-failed", "dosvc.service")
    systemctl("start", "dosvc.socket")
    dosvc("tester", "list")


def test_root_is_an_administrator_there_and_has_jobs_in_an_instance_of_its_own(origin):
    job = dosvc("tester", "create", "seen").stdout.strip()
    run_as("root", "dosvc", "get", "-q", "-o", "/root/file", origin.url("file", 1000))
    assert content_of("/root/file") == origin_module.content("file", 1000)
    assert job in [row["id"] for row in dosvc_json("root", "list", "--all-users")]
    run_as("root", "dosvc", "cancel", job)
    assert dosvc_json("tester", "list") == []


def test_a_program_of_a_job_finds_the_service_that_runs_it(origin):
    """At the socket for all users: nobody but the service enters its state directory."""
    told = home("tester") + "/told"
    job = dosvc("tester", "create", "tells").stdout.strip()
    dosvc("tester", "add", job, "-o", told + ".file", origin.url("tells", 1000))
    program = f"echo $DOSVC_ADDRESS >{told}.new; dosvc show $DOSVC_JOB >/dev/null && mv {told}.new {told}"
    dosvc("tester", "set", job, "notify_command=/bin/sh", f'notify_parameters=sh -c "{program}"')
    dosvc("tester", "resume", job)
    wait_until(lambda: os.path.exists(told))
    assert content_of(told) == b"unix:path=/run/dosvc/bus\n" and not os.path.exists("/var/lib/dosvc/bus")
    dosvc("tester", "complete", job)


def restart():
    systemctl("reset-failed", "dosvc.service")  # counts starts from 0: tests are faster than administrators
    systemctl("restart", "dosvc.service")


def restart_with(name, text):
    os.makedirs("/etc/dosvc/dosvc.conf.d", exist_ok=True)
    with open(f"/etc/dosvc/dosvc.conf.d/{name}.conf", "w", encoding="ascii") as f:
        f.write("[Service]\n" + text)
    restart()


def restart_without(name):
    os.unlink(f"/etc/dosvc/dosvc.conf.d/{name}.conf")
    restart()


def test_users_of_the_system_are_served_once_the_service_started_anew_with_their_names(origin):
    dosvc("tester", "get", "-q", "-o", home("tester") + "/before", origin.url("before", 1000))
    broker = show("dosvc-broker.service", "MainPID")
    restart_with("users", "SystemUsers=root\n")
    dosvc("root", "get", "-q", "-o", "/root/named", origin.url("named", 1000))
    assert content_of("/root/named") == origin_module.content("named", 1000)
    assert show("dosvc-broker.service", "MainPID") == broker != "0"  # nobody needs to know that there is one
    restart_without("users")
    assert dosvc("root", "get", "-q", "-o", "/root/unnamed", origin.url("unnamed", 1000), check=False).returncode == 4


@contextlib.contextmanager
def metrics_socket():
    path = "/run/dosvc/metrics/socket"
    restart_with("metrics", f"MetricsSocket={path}\n")
    yield path
    restart_without("metrics")
    assert not os.path.exists(path)


def test_the_administrator_has_metrics_of_the_system_instance():
    with metrics_socket() as path:
        job = dosvc("tester", "create", "counted").stdout.strip()
        assert metrics.fetch(path)["dosvc_jobs"]["suspended"] == 1
        assert run_as("tester", "ls", path, check=False).returncode != 0
        dosvc("tester", "cancel", job)
        wait_until(lambda: metrics.fetch(path)["dosvc_jobs_ended_total"]["cancelled"] == 1)


def scrape():
    return run("curl", "-q", "--noproxy", "*", "-sS", "-w", "%{http_code}", "http://127.0.0.1:9878/metrics").stdout


def test_prometheus_has_them_where_the_administrator_wants_it():
    """By units that are off until then, as a user that nobody else is and that has one socket of the core's."""
    assert systemctl("is-enabled", "dosvc-metrics.socket", check=False) == "disabled" and show("dosvc-metrics.socket", "ActiveState") == "inactive"
    with metrics_socket() as path:
        systemctl("enable", "--now", "dosvc-metrics.socket")
        assert metrics.parse(scrape().removesuffix("200"))["dosvc_jobs"] == metrics.fetch(path)["dosvc_jobs"]
        pid = show("dosvc-metrics.service", "MainPID")
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        assert 61184 <= int(status["Uid"].split()[0]) <= 65519 and int(status["CapBnd"], 16) == 0 and status["Seccomp"] == "2"
        assert os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/1/ns/net")
        identity = ["setpriv", "--reuid", status["Uid"].split()[0], "--regid", status["Gid"].split()[0], "--clear-groups"]
        assert run(*identity, "test", "-w", path, check=False).returncode == 0
        for closed in ("/run/dosvc/broker", "/run/dosvc/transfer", "/run/dosvc/resolve"):
            assert run(*identity, "test", "-w", closed, check=False).returncode == 1, closed
        assert run(*identity, "ls", "/var/lib/dosvc", check=False).returncode != 0
        systemctl("stop", "dosvc.service")
        assert scrape().endswith("\n503")
        systemctl("start", "dosvc.service")
        assert scrape().endswith("\n200")
        systemctl("try-restart", "dosvc-metrics.service", "dosvc-metrics.socket")  # as an upgrade of the package does
        assert scrape().endswith("\n200") and show("dosvc-metrics.service", "MainPID") != pid
        systemctl("disable", "--now", "dosvc-metrics.socket")
        systemctl("stop", "dosvc-metrics.service")
        assert show("dosvc-metrics.service", "Result") == "success"


@pytest.fixture(params=["dosvc-transfer", "dosvc-resolve"])
def scarce(request):
    """A kind of process of which there may be one."""
    folder = f"/etc/systemd/system/{request.param}.socket.d"
    with open(f"{folder}/scarce.conf", "w", encoding="ascii") as f:
        f.write("[Socket]\nMaxConnections=1\n")
    systemctl("daemon-reload")
    systemctl("restart", f"{request.param}.socket")
    yield request.param
    os.unlink(f"{folder}/scarce.conf")
    systemctl("daemon-reload")
    systemctl("restart", f"{request.param}.socket")


def instances(name):
    return {line.split()[0] for line in systemctl("list-units", "--plain", "--no-legend", "--state=running", f"{name}@*").splitlines()}


def test_who_finds_no_place_waits_and_is_no_harm_to_those_who_have_one(origin, scarce):
    job = slow_job("tester", origin, "placed", SIZE)
    places = {name: instances(name) for name in ("dosvc-transfer", "dosvc-resolve")}
    late = dosvc("other", "get", "--detach", "-o", home("other") + "/late", origin.url("late", 1000)).stdout.strip()
    wait_until(lambda: dosvc_json("other", "show", late)[0]["state"] == "transient_error")
    assert dosvc_json("other", "show", late)[0]["error"]["name"] == "TransferProcessFailed"
    assert f"{scarce}.socket: Too many incoming connections" in journal()
    before = dosvc_json("tester", "show", job)[0]["bytes_transferred"]
    wait_until(lambda: dosvc_json("tester", "show", job)[0]["bytes_transferred"] > before)
    wait_until(lambda: {name: instances(name) for name in places} == places)  # nothing is left of what was begun for the other one
    finish(origin, "placed")
    # It has its place a while longer, for whatever comes; then it is the other one's.
    systemctl("kill", "-s", "KILL", *places["dosvc-transfer"])
    wait_until(lambda: not instances(scarce))
    dosvc("other", "resume", late)
    wait_until(lambda: os.path.exists(home("other") + "/late"))
    assert content_of(home("other") + "/late") == origin_module.content("late", 1000)
    for name in ("placed", "late"):
        os.unlink(home("tester" if name == "placed" else "other") + "/" + name)


def test_an_upgrade_under_a_running_job(origin):
    """What the package's scripts do: new files take the names of the old ones, and what runs is started again. Last: it cannot be undone."""
    slow_job("tester", origin, "upgraded", SIZE)
    waiting = dosvc("other", "create", "waits").stdout.strip()
    core, broker = (inode_of_program(pid) for pid in reversed(pids()))
    for name, folder in PROGRAMS.items():
        shutil.copy(f"/build/tests/system/other_version/{name}", f"{folder}/{name}.new")
        os.rename(f"{folder}/{name}.new", f"{folder}/{name}")
    before = pids()
    systemctl("try-restart", *UNITS)
    assert not set(before) & set(pids())
    assert inode_of_program(pids()[1]) == os.stat("/usr/local/bin/dosvcd").st_ino != core
    assert [row["id"] for row in dosvc_json("other", "list")] == [waiting]
    finish(origin, "upgraded")
    assert origin.sent < 2 * SIZE  # went on from where it was
    assert inode_of_program(pids()[0]) == os.stat("/usr/local/libexec/dosvc/dosvc-broker").st_ino != broker
