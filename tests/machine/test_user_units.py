"""Runs inside the machine of tests/lib/machine.py, as its user: the installed units under a real "systemd --user"."""
import json
import os
import re
import socket
import sqlite3
import subprocess
import time

import origin as origin_module
import pytest

RUNTIME = os.environ["XDG_RUNTIME_DIR"]
SOCKET = RUNTIME + "/dosvc/bus"
HOME = os.environ["HOME"]
SECONDS = 20


def run(*words, check=True):
    done = subprocess.run(words, text=True, capture_output=True, timeout=SECONDS, check=False)
    assert not check or done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}\n{journal()}"
    return done


def systemctl(*words, check=True):
    return run("systemctl", "--user", *words, check=check).stdout.strip()


def journal():
    return subprocess.run(["journalctl", "--no-pager", "-o", "short"], text=True, capture_output=True, check=False).stdout


def show(name, unit="dosvc.service"):
    return systemctl("show", "--value", "-p", name, unit)


def dosvc(*words, check=True):
    return run("dosvc", words[0], "--user", *words[1:], check=check)


def wait_until(condition):
    """For what systemd tells nobody."""
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            pytest.fail("\n".join([systemctl("status", "--no-pager", "dosvc.service", check=False), dosvc("list").stdout, journal()]))
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def fresh():
    systemctl("start", "dosvc.socket")
    yield
    systemctl("stop", "dosvc.socket", "dosvc.service")
    systemctl("reset-failed", check=False)


@pytest.fixture
def origin():
    made = origin_module.Origin()
    yield made
    made.close()


def start_slow_job(origin, name):
    origin.rate = 1 << 20
    job = dosvc("get", "--detach", "-o", f"{HOME}/{name}", origin.url(name, size=64 << 20)).stdout.strip()
    wait_until(lambda: json.loads(dosvc("show", "--json", job).stdout)[0]["bytes_transferred"] > 0)
    return job


def test_whoever_connects_to_the_socket_starts_the_service():
    assert show("ActiveState") == "inactive"
    mode = os.stat(SOCKET).st_mode
    assert mode & 0o777 == 0o600 and os.stat(RUNTIME + "/dosvc").st_mode & 0o777 == 0o700
    information = json.loads(dosvc("service", "--json").stdout)
    assert show("ActiveState") == "active" and str(information["pid"]) == show("MainPID")
    systemctl("stop", "dosvc.service")
    assert os.path.exists(SOCKET)  # it is the manager's: the next one finds it
    assert json.loads(dosvc("service", "--json").stdout)["pid"] != information["pid"]


def test_a_job_survives_a_restart_of_its_unit(origin):
    job = start_slow_job(origin, "restarted")
    before = show("MainPID")
    systemctl("restart", "dosvc.service")
    origin.rate = None
    assert show("MainPID") not in (before, "0")
    dosvc("watch", job)
    with open(f"{HOME}/restarted", "rb") as f:
        assert f.read() == origin_module.content("restarted", 64 << 20)


def test_reload_reads_the_configuration_again(origin):
    job = start_slow_job(origin, "reloaded")
    pid = show("MainPID")
    os.makedirs(f"{HOME}/.config/dosvc/dosvc.conf.d", exist_ok=True)
    path = f"{HOME}/.config/dosvc/dosvc.conf.d/10.conf"
    with open(path, "w", encoding="utf-8") as f:
        f.write("[Service]\nMaxClients=77\n")
    systemctl("reload", "dosvc.service")

    def value():
        return {row["key"]: row for row in json.loads(dosvc("config", "--json").stdout)}["MaxClients"]
    wait_until(lambda: value()["value"] == "77")
    assert value()["source"] == f"{path}:2"
    assert show("ActiveState") == "active" and show("MainPID") == pid and show("NRestarts") == "0"
    assert json.loads(dosvc("show", "--json", job).stdout)[0]["state"] == "transferring"
    dosvc("cancel", job)
    os.unlink(path)


def test_the_watchdog_runs_only_while_a_job_is_active(origin):
    dosvc("service")
    wait_until(lambda: show("WatchdogUSec") == "0")
    job = start_slow_job(origin, "watched")
    wait_until(lambda: show("WatchdogUSec") == "1min")
    dosvc("suspend", job)
    wait_until(lambda: show("WatchdogUSec") == "0")
    dosvc("cancel", job)


def test_a_service_that_hangs_while_a_job_is_active_is_started_again(origin):
    os.makedirs(f"{HOME}/.config/systemd/user/dosvc.service.d", exist_ok=True)
    path = f"{HOME}/.config/systemd/user/dosvc.service.d/quick.conf"
    with open(path, "w", encoding="utf-8") as f:
        f.write("[Service]\nWatchdogSec=2\nRestartSec=0\n")
    systemctl("daemon-reload")
    job = start_slow_job(origin, "hung")
    wait_until(lambda: show("WatchdogUSec") == "2s")
    pid = show("MainPID")
    os.kill(int(pid), 19)  # SIGSTOP
    wait_until(lambda: show("MainPID") not in (pid, "0") and show("ActiveState") == "active")
    assert show("NRestarts") == "1"
    origin.rate = None
    dosvc("watch", job)
    os.unlink(path)
    systemctl("daemon-reload")


@pytest.mark.skipif(not os.path.exists("/usr/lib/systemd/user/dbus.socket"), reason="needs dbus-user-session")
def test_a_call_on_the_session_bus_starts_the_unit():
    systemctl("stop", "dosvc.socket")
    systemctl("start", "dbus.socket")
    assert show("ActiveState") == "inactive"
    run("busctl", "--user", "call", "org.dosvc", "/org/dosvc", "org.dosvc.Manager1", "GetServiceInfo")
    assert show("ActiveState") == "active"


# ---- the journal ----

def entries(message_id):
    done = run("journalctl", "--no-pager", "-o", "json", "MESSAGE_ID=" + message_id)
    return [json.loads(line) for line in done.stdout.splitlines()]


def message_ids():
    with open(os.environ["DOSVC_ROOT"] + "/src/protocol/log_messages.h", encoding="utf-8") as f:
        return dict(re.findall(r'#define LOG_MESSAGE_(\w+) "([0-9a-f]{32})"', f.read()))


def test_jobs_that_end_well_or_badly_are_in_the_journal_with_ids_and_fields(origin):
    ids = message_ids()
    good = dosvc("get", "--detach", "-o", f"{HOME}/journal", origin.url("journal", size=1 << 20)).stdout.strip()
    bad = dosvc("get", "--detach", "--sha256", "0" * 64, "-o", f"{HOME}/bad", origin.url("journal", size=1 << 20)).stdout.strip()
    wait_until(lambda: any(e["DOSVC_JOB"] == good for e in entries(ids["JOB_TRANSFERRED"])))
    wait_until(lambda: any(e["DOSVC_JOB"] == bad for e in entries(ids["JOB_ERROR"])))
    [entry] = [e for e in entries(ids["JOB_ERROR"]) if e["DOSVC_JOB"] == bad]
    assert entry["PRIORITY"] == "4" and entry["SYSLOG_IDENTIFIER"] == "dosvcd" and entry["DOSVC_JOB_STATE"] == "error"
    assert entry["_TRANSPORT"] == "journal" and entry["DOSVC_JOB_NAME"] and entry["DOSVC_ERROR"]
    assert entry["MESSAGE"].startswith(f"job {bad[:8]} of uid {os.getuid()} is in error: ")
    assert entry["DOSVC_OWNER"] == str(os.getuid())
    dosvc("cancel", bad)


def test_a_transfer_process_that_dies_is_in_the_journal(origin):
    job = start_slow_job(origin, "killed")
    pid = json.loads(dosvc("service", "--json").stdout)["transfer_pid"]
    os.kill(pid, 9)
    wait_until(lambda: any(f"dosvc-transfer {pid} died" in e["MESSAGE"] for e in entries(message_ids()["TRANSFER_DIED"])))
    dosvc("cancel", job)


def test_a_state_that_was_moved_aside_is_in_the_journal():
    dosvc("list")
    systemctl("stop", "dosvc.service")
    for name in os.listdir(f"{HOME}/.local/state/dosvc"):
        if name.startswith("jobs.sqlite"):
            with open(f"{HOME}/.local/state/dosvc/{name}", "r+b") as f:
                f.write(b"\xa5" * os.fstat(f.fileno()).st_size)
    dosvc("list")
    [entry] = entries(message_ids()["STATE_MOVED_ASIDE"])
    assert entry["PRIORITY"] == "3" and entry["DOSVC_STATE_DIRECTORY"] == f"{HOME}/.local/state/dosvc"


def test_a_state_of_a_newer_version_is_refused_and_not_tried_again_and_again():
    dosvc("list")
    systemctl("stop", "dosvc.service")
    path = f"{HOME}/.local/state/dosvc/jobs.sqlite"
    with sqlite3.connect(path) as database:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        database.execute("PRAGMA user_version = 1000000")
    with open(path, "rb") as f:
        before = f.read()
    systemctl("start", "dosvc.service", check=False)
    assert show("ActiveState") == "failed" and show("ExecMainStatus") == "78" and show("NRestarts") == "0"
    with open(path, "rb") as f:
        assert f.read() == before
    assert "was written by a newer version; it was not touched" in journal()
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {version}")
    systemctl("reset-failed")
    dosvc("list")


def test_a_service_that_was_started_by_hand_is_no_reason_to_start_another_one_for_ever():
    """It has the state, but not the socket that is systemd's, and looks whether anybody answers there: that starts the unit, for nothing."""
    process = subprocess.Popen(["dosvcd", "--user"])
    try:
        wait_until(lambda: show("ActiveState", "dosvc.socket") == "failed")
        assert show("NRestarts") == "0" and json.loads(dosvc("service", "--json").stdout)["pid"] == process.pid
        with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionError):
            client.connect(SOCKET)  # who waits there for ever is told nothing
    finally:
        process.terminate()
        process.wait(SECONDS)


def test_every_kind_of_line_has_a_page_in_the_catalog():
    done = run("journalctl", "--no-pager", "--dump-catalog", *message_ids().values())
    assert done.stdout.count("Defined-By: dosvc") == len(message_ids()), done.stdout + done.stderr


def test_systemd_finds_nothing_to_complain_about():
    unit = run("systemctl", "--user", "show", "--value", "-p", "FragmentPath", "dosvc.service").stdout.strip()
    done = run("systemd-analyze", "--user", "verify", "--man=no", unit, unit.replace(".service", ".socket"))
    assert done.stderr == "" and done.stdout == ""
    done = run("systemd-analyze", "security", "--offline=yes", "--user", "--no-pager", unit)
    exposure = float(done.stdout.rstrip().splitlines()[-1].split(": ")[1].split()[0])
    assert exposure <= 8.3, done.stdout  # the rest needs privileges, a user namespace, or would bind the programs that jobs name
