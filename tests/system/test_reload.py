"""SIGHUP: the configuration is read again, and transfers that run do not notice but by their rates."""
import os
import signal
import socket
import time

import pytest

from conftest import BUILD, Instance, error_line
from service import Service

SECONDS = 20


class Notified:
    """What systemd would be told."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(SECONDS)

    def next(self):
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())


@pytest.fixture
def notified(tmp_path):
    made = Notified(str(tmp_path))
    yield made
    made.socket.close()


def write(service, text):
    with open(service.config, "w", encoding="utf-8") as f:
        f.write("[Service]\n" + text)


def rows(service):
    return {row[0]: row for row in service.call("/org/dosvc", "Manager1", "ListConfiguration")[0]}


@pytest.fixture
def service(tmp_path, notified):
    made = Service(BUILD, str(tmp_path / "state"), "MaxClients=7\nMaxFilesPerJob=1\nCAFile=/nowhere\n",
                   environment={"NOTIFY_SOCKET": notified.path})
    made.start()
    assert notified.next() == {"READY": "1"}
    yield made
    made.stop()


def reload(service, notified):
    service.process.send_signal(signal.SIGHUP)
    begun = notified.next()
    assert begun["RELOADING"] == "1" and int(begun["MONOTONIC_USEC"]) > 0
    assert notified.next() == {"READY": "1"}


def test_new_values_are_in_force_when_it_says_ready_again(service, notified, tmp_path):
    two = [(f"http://127.0.0.1:1/{i}", str(tmp_path / str(i)), {}) for i in range(2)]
    with pytest.raises(Exception, match="TooManyFiles"):
        service.create("two", two)
    os.makedirs(service.config + ".d")
    with open(service.config + ".d/10.conf", "w", encoding="utf-8") as f:
        f.write("[Service]\n# more\nMaxFilesPerJob=2\n")
    write(service, "MaxClients=7\nCAFile=/elsewhere\n")
    reload(service, notified)
    assert rows(service)["MaxFilesPerJob"][1:3] == ("2", service.config + ".d/10.conf:3")
    assert rows(service)["CAFile"][1:3] == ("/nowhere", service.config + ":4")
    assert "dosvc.conf:3: CAFile takes effect when the service starts anew" in service.log()
    service.create("two", two)


def test_a_broken_file_changes_nothing_and_is_said_with_its_line(service, notified):
    before = rows(service)
    write(service, "MaxClients=9\nTimeSlice=never\n")
    reload(service, notified)
    assert rows(service) == before
    assert 'dosvc.conf:3: "never" is no value for TimeSlice' in service.log()
    assert f"the configuration {service.config} stays as it was" in service.log()
    write(service, "MaxClients=9\n")
    reload(service, notified)
    assert rows(service)["MaxClients"][1:3] == ("9", service.config + ":2")


def test_a_client_reloads_and_is_told_what_is_wrong(instance):
    assert instance.json("config", "--reload") == {"changed": 0}
    write(instance, "MaxClients=9\nTimeSlice=never\n")
    broken = instance.run("config", "--reload")
    assert broken.returncode == 1
    assert f'{instance.config}:3: "never" is no value for TimeSlice' in error_line(broken)
    assert rows(instance)["MaxClients"][1] == "1024"
    write(instance, "MaxClients=9\n")
    assert "changed: 4" in instance.run("config", "--reload", check=True).stdout, "that one, and the three that QUICK set"
    assert rows(instance)["MaxClients"][1:3] == ("9", instance.config + ":2")
    os.unlink(instance.config)
    assert f"{instance.config}: No such file" in error_line(instance.run("config", "--reload"))
    assert "read again: 4 settings" in instance.log()


def test_a_running_transfer_goes_on_at_the_new_rate(tmp_path, target, origin):
    """Its first request serves it to the end: what it was asked for with 64 KB/s would take two minutes."""
    made = Instance(str(tmp_path), "DOMaxForegroundDownloadBandwidth=64\n")
    made.start()
    try:
        url = origin.url("rated", size=8 << 20)
        job = made.run("get", "--detach", "-o", target / "f", url, check=True).stdout.strip()
        assert made.wait_state(job, {"transferring"}) == "transferring"
        end = time.monotonic() + SECONDS
        while made.get(job, "BytesFetched") == 0 and time.monotonic() < end:
            time.sleep(0.01)
        write(made, "")
        made.process.send_signal(signal.SIGHUP)
        assert made.run("watch", job).returncode == 0
        assert (target / "f").stat().st_size == 8 << 20
        assert len(origin.requests) == 1
    finally:
        made.close()
