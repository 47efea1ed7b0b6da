"""Client certificates in a system instance: each owner's own process finds them among that owner's files, and with that owner's rights."""
import os
import shutil
import ssl
import stat
import tempfile

import pytest

from conftest import BUILD
from doorkeeper import Doorkeeper, by_hash, make_certificates
from system_instance import USERS, running

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a system instance has users: needs root")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def machine(made):
    folder = tempfile.mkdtemp(prefix="dosvc-authority-")
    os.chmod(folder, 0o755)  # the transfer processes read it, whoever they are
    shutil.copy(made.root[0], os.path.join(folder, "ca.pem"))
    with running(BUILD, config=f"CAFile={folder}/ca.pem\n") as machine:
        yield machine
    shutil.rmtree(folder)


@pytest.fixture
def door(made):
    server = Doorkeeper(made.server, made.root[0], ssl.CERT_REQUIRED, ssl.TLSVersion.TLSv1_3)
    yield server
    server.shutdown()
    server.server_close()


def put(machine, user, name, certificate, key_mode=0o600, key_owner=None):
    """Into the store MY of that user; returns the key's path."""
    folder = os.path.join(machine.home(user), ".config", "dosvc", "certificates", "MY")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    paths = [shutil.copy(certificate[0], f"{folder}/{name}.pem"), shutil.copy(certificate[1], f"{folder}/{name}.key")]
    for path in [folder, *paths]:
        while path != machine.home(user):
            os.chown(path, USERS[user][0], USERS[user][0])
            path = os.path.dirname(path)
    os.chmod(paths[1], key_mode)
    if key_owner:
        os.chown(paths[1], USERS[key_owner][0], USERS[key_owner][0])
    return paths[1]


def fetch(machine, user, url, name, *states):
    job = machine.ok(user, "create", "shown").strip()
    machine.ok(user, "add", job, url, "-d", machine.home(user))
    machine.ok(user, "set", job, f"client_certificate={name}")
    machine.ok(user, "resume", job)
    machine.wait_state(user, job, *states)
    return job


def error_of(machine, user, job):
    return machine.json(user, "show", job)[0]["error"]


def test_each_owner_shows_what_is_its_own(machine, made, door):
    key = put(machine, "alice", "mine", made.agent)
    put(machine, "bob", "mine", made.other)
    for user, name in (("alice", by_hash(made.agent)), ("bob", "current_user/MY/name:other")):
        job = fetch(machine, user, door.url(f"/of-{user}"), name, "transferred")
        machine.ok(user, "complete", job)
        with open(os.path.join(machine.home(user), f"of-{user}"), "rb") as f:
            assert f.read() == b"the file"
    assert [name for _, name, _ in door.heard] == ["Agent", "other"]
    with open(key, encoding="ascii") as f:
        secret = f.read().splitlines()[1]
    assert secret not in machine.logs()
    for folder, _, names in os.walk(machine.path("state")):
        for path in (os.path.join(folder, name) for name in names):
            if stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "rb") as f:
                    assert secret.encode() not in f.read()


def test_nobody_shows_what_is_anothers(machine, made, door):
    put(machine, "alice", "mine", made.agent)
    job = fetch(machine, "carol", door.url(), by_hash(made.agent), "error")
    assert error_of(machine, "carol", job)["name"] == "ClientCertificateNotFound"
    assert door.heard == []
    machine.ok("carol", "cancel", job)


@pytest.mark.parametrize("mode, owner, text", [(0o644, None, "chmod 600"), (0o600, "bob", "")])
def test_a_key_that_others_may_have_read_or_made_is_not_used(machine, made, door, mode, owner, text):
    put(machine, "carol", "mine", made.agent, mode, owner)
    job = fetch(machine, "carol", door.url("/late"), by_hash(made.agent), "error")
    error = error_of(machine, "carol", job)
    assert error["name"] == "ClientCertificateUnusable" and text in error["text"]
    assert door.heard == []
    put(machine, "carol", "mine", made.agent)
    machine.ok("carol", "resume", job)
    machine.wait_state("carol", job, "transferred")
    assert [name for _, name, _ in door.heard] == ["Agent"]
    machine.ok("carol", "cancel", job)


def test_an_owner_process_that_is_killed_finds_it_again(machine, made, door):
    put(machine, "alice", "mine", made.agent)
    os.kill(machine.pid("dosvc-owner", "alice"), 9)
    job = fetch(machine, "alice", door.url("/again"), by_hash(made.agent), "transferred")
    machine.ok("alice", "cancel", job)
    assert [name for _, name, _ in door.heard] == ["Agent"]
