"""Programs that judge servers' certificates, over D-Bus: nothing is sent to a server before they accepted it, no certificate of ours either."""
import os
import ssl
import subprocess

import pytest
from gi.repository import GLib

from test_client_certificates import by_hash, door, made, service, store  # noqa: F401 fixtures
from test_dbus import Listener


class Judge(Listener):
    CALLBACKS = ("<node><interface name='org.dosvc.Callback1'><method name='JudgeCertificate'><arg type='s' direction='in'/>"
                 "<arg type='u' direction='in'/><arg type='ay' direction='in'/><arg type='ay' direction='in'/>"
                 "<arg type='u' direction='out'/></method></interface></node>")

    def on_callback(self, _bus, _sender, _path, _interface, _member, values, invocation):
        job, index, certificate, everything = values.unpack()
        verdict = self.callback(bytes(certificate))
        self.note((job, index, bytes(certificate), bytes(everything)))
        invocation.return_value(GLib.Variant("(u)", (verdict,)))

    def judge(self, service, job):
        self.call(service.job_path(job), "Job1", "SetJudge", "(b)", True)


@pytest.fixture
def judge(service):
    made_here = []

    def one(verdict):
        made_here.append(Judge(service, verdict))
        return made_here[-1]

    def gone(program):
        made_here.remove(program)
        program.close()
    one.gone = gone
    yield one
    for item in made_here:
        item.close()


def create(service, tmp_path, url, **properties):
    job = service.create("judged", [(url, str(tmp_path / os.urandom(8).hex()), {})])
    properties = {"JudgeCertificate": GLib.Variant("b", True), **{n: GLib.Variant("s", v) for n, v in properties.items()}}
    service.job_call(job, "SetProperties", GLib.Variant("(a{sv})", (properties,)))
    return job


def der(pem):
    """Of the first certificate in a text."""
    return ssl.PEM_cert_to_DER_cert("-----BEGIN" + pem.split("-----BEGIN")[1].split("-----END")[0] + "-----END CERTIFICATE-----\n")


def test_a_program_sees_what_the_server_shows_and_decides(service, made, door, judge, tmp_path):
    server = door(ssl.CERT_NONE)
    heard_then = []
    program = judge(lambda certificate: heard_then.append(list(server.heard)) or 0)
    job = create(service, tmp_path, server.url())
    program.judge(service, job)
    service.job_call(job, "Resume")
    service.wait_state(job, ["transferred"])
    [(asked_job, index, certificate, everything)] = [row for row in program.seen if row[0] == job]
    with open(made.server[0], encoding="ascii") as file:
        assert (asked_job, index, certificate) == (job, 0, der(file.read()))
    assert heard_then == [[]] and len(server.heard) == 1
    shown = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-print_certs"], input=everything, capture_output=True, check=True)
    assert der(shown.stdout.decode()) == certificate


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_is_shown_to_accepted_servers_alone(service, made, store, door, judge, tmp_path, version):
    server = door(version=version)
    store("agent", made.agent)
    shaken = []
    finish = server.RequestHandlerClass.setup
    verdicts = [0x800B0109, 0]

    class Noting(server.RequestHandlerClass):
        def setup(self):
            finish(self)
            shaken.append(self.request.getpeercert())
    server.RequestHandlerClass = Noting
    program = judge(lambda certificate: verdicts.pop(0))
    job = create(service, tmp_path, server.url(), ClientCertificate=by_hash(made.agent))
    program.judge(service, job)
    service.job_call(job, "Resume")
    service.wait_state(job, ["transient_error"])
    error = service.get(job, "Error")
    assert (error["Name"], error["Context"]) == ("org.dosvc.Error.CertificateDeclined", "server_certificate_callback")
    assert shaken == [] and server.heard == []
    service.job_call(job, "Resume")
    service.wait_state(job, ["transferred"])
    assert len(shaken) == 1 and [name for _, name, _ in server.heard] == ["Agent"]


def test_a_program_that_was_killed_is_waited_for(service, door, judge, tmp_path):
    server = door(ssl.CERT_NONE)
    job = create(service, tmp_path, server.url())
    first = judge(lambda certificate: 0)
    first.judge(service, job)
    judge.gone(first)
    service.job_call(job, "Resume")
    service.wait_state(job, ["transient_error"])
    assert service.get(job, "Error")["Name"] == "org.dosvc.Error.CertificateNotJudged"
    service.kill()
    service.start()
    assert service.get(job, "JudgeCertificate") is True
    second = judge(lambda certificate: 0)
    second.judge(service, job)
    service.wait_state(job, ["transferred"], timeout=20)
    assert len(server.heard) == 1
