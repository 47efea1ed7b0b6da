"""What a job says about its requests, against real servers: secrets that outlive a restart, and what happens when their key does not."""
import os

import pytest
from gi.repository import GLib

from conftest import BUILD, QUICK
from origin import Origin
from service import Service


@pytest.fixture
def origin():
    made = Origin()
    yield made
    made.down()


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
