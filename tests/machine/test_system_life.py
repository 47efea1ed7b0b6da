"""Runs inside the machine of tests/lib/machine.py, as root: what becomes of the system instance and its jobs through upgrades and crashes."""
import contextlib
import os
import shutil
import signal
import sqlite3

import origin as origin_module
import pytest

from inside import content_of, dosvc, dosvc_json, home, inode_of_program, run_as, show, slow_job, systemctl, wait_until

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
    assert dosvc("tester", "list", check=False).returncode == 5
    wait_until(lambda: show("dosvc.socket", "ActiveState") == "failed")
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
