"""MetricsSocket: numbers in Prometheus' text format."""
import os
import signal
import socket
import stat
import time

import pytest

from conftest import BUILD, Instance
from metrics import connect, fetch
from service import Service

SECONDS = 20


def wait_for(path, condition):
    end = time.monotonic() + SECONDS
    while not condition(numbers := fetch(path)):
        assert time.monotonic() < end, numbers
        time.sleep(0.05)  # texts are made ten times a second
    return numbers


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "metrics")


@pytest.fixture
def measured(tmp_path, path):
    made = Instance(str(tmp_path), f"MinimumRetryDelayDO=1\nMetricsSocket={path}\nDOMaxForegroundDownloadBandwidth=2048\n")
    made.start()
    yield made
    made.close()
    assert not os.path.exists(path)


def test_without_the_key_there_is_no_such_socket(instance):
    sockets = [name for name in os.listdir(instance.folder) + os.listdir(instance.state) if "metrics" in name]
    assert sockets == [] and {row["key"]: row["value"] for row in instance.json("config")}["MetricsSocket"] == ""


def test_jobs_bytes_errors_and_commits_are_counted(measured, path, origin, small, target):
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    before = fetch(path)
    assert before["dosvc_jobs"] == {s: 0 for s in ("queued", "connecting", "transferring", "suspended", "error", "transient_error", "transferred")}
    assert before["dosvc_rate_limit_bytes_per_second"] == {"foreground": 2 << 20, "background": 0}
    assert list(before["dosvc_build_info"].values()) == [1]
    measured.run("get", "-o", target / "secret-name", origin.url("secret-path", size=1 << 20), check=True)
    measured.run("get", "--detach", "-o", target / "gone", small.url("status/404"), check=True)
    measured.run("create", "another secret", check=True)
    after = wait_for(path, lambda n: n["dosvc_jobs"]["error"] == 1 and n["dosvc_job_errors_total"])  # counted when it is on disk
    assert {reason: n for reason, n in after["dosvc_jobs_waiting"].items() if n} == {"resume": 1, "attention": 1}
    assert after["dosvc_jobs"]["suspended"] == 1 and after["dosvc_jobs_added_total"][None] == 3
    assert after["dosvc_jobs_ended_total"] == {"acknowledged": 1, "cancelled": 0}
    assert after["dosvc_job_errors_total"] == {"HTTP_STATUS": 1}
    assert after["dosvc_fetched_bytes_total"][None] >= 1 << 20
    assert after["dosvc_store_commits_total"][None] > before["dosvc_store_commits_total"][None]
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        assert b"secret" not in s.recv(65536)


def test_a_transfer_process_that_dies_is_counted(measured, path, origin, target):
    origin.rate = 1 << 20
    measured.run("get", "--detach", "-o", target / "f", origin.url("f", size=32 << 20), check=True)
    wait_for(path, lambda n: n["dosvc_transfers"][None] == 1)
    pid = measured.json("service")["transfer_pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(path, lambda n: n["dosvc_transfer_process_deaths_total"][None] == 1)
    assert f"dosvc-transfer {pid} died; it is started again" in measured.log()


def test_who_connects_and_does_not_read_holds_up_nobody(measured, path):
    idle = [socket.socket(socket.AF_UNIX) for _ in range(200)]
    try:
        for s in idle:
            s.connect(path)
        assert fetch(path)["dosvc_jobs"]["error"] == 0
        assert measured.jobs() == []
        assert len(os.listdir(f"/proc/{measured.process.pid}/fd")) < 100
    finally:
        for s in idle:
            s.close()


def test_a_socket_that_cannot_be_made_stops_nothing(tmp_path):
    place = tmp_path / "taken"
    place.write_text("precious")
    service = Service(BUILD, str(tmp_path / "state"), f"MetricsSocket={place}\n")
    service.start()
    assert f"no metrics at {place}" in service.log()
    assert service.stop() == 0 and place.read_text() == "precious"
