"""What a job says about its requests, against real servers: secrets that outlive a restart, and what happens when their key does not."""
import os
import subprocess
import sys

import pytest
from gi.repository import GLib

from conftest import BUILD, QUICK, ROOT
from origin import Origin
from service import Service


@pytest.fixture
def origin():
    made = Origin()
    yield made
    made.down()


@pytest.fixture
def server():
    """tests/lib/webserver.py; gives its URL."""
    process = subprocess.Popen([sys.executable, os.path.join(ROOT, "tests", "lib", "webserver.py")], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    process.stdin.close()
    process.wait(10)
    process.stdout.close()


@pytest.fixture
def service(tmp_path):
    made = Service(BUILD, str(tmp_path / "state"), QUICK)
    made.start()
    yield made
    made.stop()


def set_properties(service, job, **properties):
    service.job_call(job, "SetProperties", GLib.Variant("(a{sv})", (properties,)))


def state_bytes(service):
    content = b""
    for name in os.listdir(service.state):
        path = os.path.join(service.state, name)
        if os.path.isfile(path):
            with open(path, "rb") as f:
                content += f.read()
    return content


def restart(service):
    service.stop()
    service.start()


class TestSecretsAtRest:
    SECRET = "X-Token: correct-horse-battery-staple"

    def job(self, service, origin, tmp_path):
        job = service.create("secret", [(origin.url("a", 1000), str(tmp_path / "a"), {})])
        set_properties(service, job, CustomHeaders=GLib.Variant("s", self.SECRET))
        return job

    def test_headers_outlive_a_restart_and_are_not_readable_in_the_state(self, service, origin, tmp_path):
        job = self.job(service, origin, tmp_path)
        restart(service)
        assert service.get(job, "CustomHeaders") == self.SECRET
        content = state_bytes(service)
        assert str(tmp_path).encode() in content  # the right files were looked at
        assert b"battery-staple" not in content
        service.job_call(job, "Resume")
        service.wait_state(job, ["transferred"])

    def test_without_their_key_the_job_says_so_and_goes_on_when_they_are_set_anew(self, service, origin, tmp_path):
        job = self.job(service, origin, tmp_path)
        service.stop()
        os.unlink(os.path.join(service.state, "dosvc.key"))
        service.start()
        service.job_call(job, "Resume")
        assert service.wait_state(job, ["error", "transferred"]) == "error"
        error = service.get(job, "Error")
        assert error["Name"] == "org.dosvc.Error.SecretsLost"
        assert origin.requests == []
        set_properties(service, job, CustomHeaders=GLib.Variant("s", self.SECRET))
        service.job_call(job, "Resume")
        service.wait_state(job, ["transferred"])

    def test_a_key_that_comes_back_opens_what_it_sealed(self, service, origin, tmp_path):
        job = self.job(service, origin, tmp_path)
        service.stop()
        key = os.path.join(service.state, "dosvc.key")
        os.rename(key, key + ".away")
        service.start()
        set_properties(service, job, Name=GLib.Variant("s", "written under another key"))
        service.stop()
        os.rename(key + ".away", key)
        service.start()
        assert service.get(job, "CustomHeaders") == self.SECRET


class TestTheLastAnswer:
    def get(self, service, job, name):
        return service.call(service.job_path(job) + "/file/0", "org.freedesktop.DBus.Properties", "Get",
                            GLib.Variant("(ss)", ("org.dosvc.File1", name)))[0]

    def test_status_headers_address_and_redirect_of_each_file_are_told(self, service, server, tmp_path):
        url = server + "/hops/2?to=/data/100"
        job = service.create("told", [(url, str(tmp_path / "a"), {})], Resume=True)
        service.wait_state(job, ["transferred"])
        assert self.get(service, job, "HttpStatus") == 200
        assert self.get(service, job, "RedirectedUrl") == server + "/data/100"
        assert self.get(service, job, "ServerAddress") == "127.0.0.1"
        headers = self.get(service, job, "ResponseHeaders")
        assert headers.startswith("HTTP/1.1 200") and "\r\nContent-Length: 100\r\n" in headers
        assert "ResponseHeaders" not in service.list_files(job)[0]

    def test_a_refusal_is_told_too(self, service, server, tmp_path):
        job = service.create("refused", [(server + "/status/403", str(tmp_path / "a"), {})], Resume=True)
        service.wait_state(job, ["error"])
        assert self.get(service, job, "HttpStatus") == 403
        assert self.get(service, job, "ResponseHeaders").startswith("HTTP/1.1 403")
