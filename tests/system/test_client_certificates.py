"""Certificates that a job shows to its server: found in the owner's folder, shown to whom they are for, and never kept or told."""
import os
import shutil
import ssl
import subprocess

import pytest
from gi.repository import GLib

from conftest import BUILD, QUICK
from doorkeeper import Doorkeeper, by_hash, make_certificates
from service import Service, ServiceError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def store(tmp_path):
    """Puts a certificate with its key into the owner's store MY."""
    folder = tmp_path / "config" / "dosvc" / "certificates" / "MY"

    def put(name, certificate, key_mode=0o600):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(certificate[0], folder / f"{name}.pem")
        shutil.copy(certificate[1], folder / f"{name}.key")
        os.chmod(folder / f"{name}.key", key_mode)
        return folder / f"{name}.key"
    return put


@pytest.fixture
def service(tmp_path, made):
    started = Service(BUILD, str(tmp_path / "state"), QUICK + f"CAFile={made.root[0]}\n",
                      environment={"XDG_CONFIG_HOME": str(tmp_path / "config")})
    started.start()
    yield started
    started.stop()


@pytest.fixture
def door(made):
    doors = []

    def open_one(mode=ssl.CERT_REQUIRED, version=ssl.TLSVersion.TLSv1_3):
        doors.append(Doorkeeper(made.server, made.root[0], mode, version))
        return doors[-1]
    yield open_one
    for one in doors:
        one.shutdown()
        one.server_close()


def set_certificate(service, job, name):
    service.job_call(job, "SetProperties", GLib.Variant("(a{sv})", ({"ClientCertificate": GLib.Variant("s", name)},)))


@pytest.fixture
def fetch(service, tmp_path):
    def one(url, name, state="transferred"):
        job = service.create("shown", [(url, str(tmp_path / os.urandom(8).hex()), {})])
        set_certificate(service, job, name)
        service.job_call(job, "Resume")
        assert service.wait_state(job, ["transferred", "error", "transient_error"]) == state, service.get(job, "Error")
        return job
    return one


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_one_that_is_named_by_its_hash_opens_the_server(service, made, store, door, fetch, version):
    server = door(version=version)
    key = store("agent", made.agent)
    job = fetch(server.url(), by_hash(made.agent))
    assert [name for _, name, _ in server.heard] == ["Agent"]
    assert service.get(job, "ClientCertificate") == by_hash(made.agent)
    secret = key.read_text().splitlines()[1]
    told = str(service.list_jobs()) + str(service.list_files(job)) + service.log()
    for folder, _, names in os.walk(service.state):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    assert secret.encode() not in file.read()
    assert secret not in told


def test_of_two_with_one_name_the_one_that_is_good_for_longer_is_shown(made, store, door, fetch):
    server = door()
    for name, certificate in (("a", made.agent), ("b", made.later), ("c", made.other)):
        store(name, certificate)
    fetch(server.url(), "current_user/MY/name:AGENT")
    fetch(server.url(), "current_user/MY/name:CN=other")
    assert [name for _, name, _ in server.heard] == ["agent", "other"]


def test_those_between_it_and_its_authority_are_shown_too(made, store, door, fetch):
    server = door()
    store("behind", made.behind)
    fetch(server.url(), "current_user/MY/name:behind")
    assert [name for _, name, _ in server.heard] == ["behind"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_misses_one_is_told_and_one_that_is_set_lets_the_job_go_on(service, made, store, door, fetch, version):
    server = door(version=version)
    job = fetch(server.url(), "", "error")
    assert service.get(job, "Error")["Name"] == "org.dosvc.Error.ClientCertificateRequired"
    assert server.heard == []
    store("agent", made.agent)
    set_certificate(service, job, by_hash(made.agent))
    service.job_call(job, "Resume")
    service.wait_state(job, ["transferred"])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_only_asks_serves_who_has_none(door, fetch, version):
    server = door(ssl.CERT_OPTIONAL, version)
    fetch(server.url(), "")
    assert [name for _, name, _ in server.heard] == [None]


def test_a_server_without_a_cipher_in_common_misses_no_certificate(service, made, door, fetch):
    server = door(version=ssl.TLSVersion.TLSv1_2)
    server.tls.set_ciphers("RSA")  # its key is of the other kind
    job = fetch(server.url(), "", "transient_error")
    assert service.get(job, "Error")["Name"] == "org.dosvc.Error.TlsHandshake"


def test_another_origin_is_not_shown_it(made, store, door, fetch):
    here, there = door(), door(ssl.CERT_OPTIONAL)
    store("agent", made.agent)
    fetch(here.url("/to?" + there.url()), by_hash(made.agent))
    assert [name for _, name, _ in here.heard] == ["Agent"] and [name for _, name, _ in there.heard] == [None]


def test_connections_of_different_certificates_are_different(made, store, door, fetch):
    server = door(ssl.CERT_OPTIONAL)
    store("agent", made.agent)
    store("other", made.other)
    for name in (by_hash(made.agent), by_hash(made.other), "", by_hash(made.agent)):
        fetch(server.url(), name)
    assert [name for _, name, _ in server.heard] == ["Agent", "other", None, "Agent"]
    ports = [port for _, _, port in server.heard]
    assert len(set(ports[:3])) == 3 and ports[3] == ports[0]


def spoil_mode(key, made):
    os.chmod(key, 0o640)


def spoil_by_encrypting(key, made):
    subprocess.run(["openssl", "pkey", "-in", made.agent[1], "-aes256", "-passout", "pass:x", "-out", key], check=True)
    os.chmod(key, 0o600)


def spoil_by_another(key, made):
    shutil.copy(made.other[1], key)


def spoil_by_removing(key, made):
    os.unlink(key)


def spoil_by_link(key, made):
    os.rename(key, str(key) + ".away")
    os.symlink(str(key) + ".away", key)


@pytest.mark.parametrize("spoil, text", [(spoil_mode, "chmod 600"), (spoil_by_encrypting, "is encrypted"), (spoil_by_another, "is not the key"),
                                         (spoil_by_removing, "No such file"), (spoil_by_link, "symbolic links")])
def test_a_key_that_cannot_be_used_is_told_and_what_mends_it_lets_the_job_go_on(service, made, store, door, fetch, spoil, text):
    server = door()
    key = store("agent", made.agent)
    spoil(key, made)
    job = fetch(server.url(), by_hash(made.agent), "error")
    error = service.get(job, "Error")
    assert error["Name"] == "org.dosvc.Error.ClientCertificateUnusable" and text in error["Text"]
    assert server.heard == []
    key.unlink(missing_ok=True)
    store("agent", made.agent)
    service.job_call(job, "Resume")
    service.wait_state(job, ["transferred"])


def test_one_that_is_not_there_or_has_expired_is_told(service, made, store, door, fetch):
    server = door()
    job = fetch(server.url(), by_hash(made.agent), "error")
    assert service.get(job, "Error")["Hresult"] == 0x80092004  # CRYPT_E_NOT_FOUND
    store("expired", made.expired)
    job = fetch(server.url(), "current_user/MY/name:agent", "error")
    assert service.get(job, "Error")["Name"] == "org.dosvc.Error.ClientCertificateNotFound"
    job = fetch(server.url(), "current_user/MY/name:expired", "error")
    assert "has expired" in service.get(job, "Error")["Text"]
    job = fetch(server.url(), "local_machine/NOSUCHSTORE/name:agent", "error")
    assert service.get(job, "Error")["Name"] == "org.dosvc.Error.ClientCertificateNotFound"


def test_http_needs_none(service, fetch, tmp_path):
    job = fetch("http://127.0.0.1:1/", "current_user/MY/name:nobody", "transient_error")
    assert service.get(job, "Error")["Name"] == "org.dosvc.Error.ConnectFailure"


@pytest.mark.parametrize("name, error", [("MY/name:agent", "InvalidArgument"), ("current_user/../name:agent", "InvalidArgument"),
                                         ("current_user/a b/name:agent", "InvalidArgument"), ("current_user/MY/sha1:12", "InvalidArgument"),
                                         ("current_user/MY/name:", "InvalidArgument"), ("current_user/MY/name:" + "n" * 1025, "InvalidArgument"),
                                         ("services/MY/name:agent", "NotImplemented")])
def test_what_names_none_is_refused(service, tmp_path, name, error):
    job = service.create("refused", [("http://127.0.0.1:1/", str(tmp_path / "a"), {})])
    with pytest.raises(ServiceError) as raised:
        set_certificate(service, job, name)
    assert raised.value.name == error
