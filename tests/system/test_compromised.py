"""A transfer process and an owner's process that were taken over: in their place runs a program that tries everything (compromised.c), as
the user and in the sandbox of the real one. Outside of the sandbox, as root, every attempt works: the table would mean nothing else.
"""
import errno
import os
import shutil
import socket
import subprocess

import pytest

from conftest import BUILD, origin_module
from system_instance import USERS, Machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a system instance has users: needs root")

P, A = errno.EPERM, errno.EACCES
# What is tried: what a taken-over transfer process gets, and an owner's process (of alice's, against bob).
ATTEMPTS = {
    "read_secret": (P, A), "write_secret": (P, A), "make_file": (P, A), "remove_file": (P, A), "rename_file": (P, A), "list_folder": (P, A),
    "link_secret": (P, A), "make_symlink": (P, P), "give_away": (P, P), "set_uid_bit": (P, A), "make_device": (P, P), "read_state": (P, A),
    "read_shadow": (P, A), "connect_socket": (P, P), "open_netlink": (P, P), "open_raw": (P, P), "attach": (P, P), "read_memory": (P, P),
    "open_memory": (P, A), "take_descriptor": (P, P), "send_signal": (P, P), "run_program": (P, P), "new_process": (P, P),
    "mount_something": (P, P), "new_namespace": (P, P), "change_root": (P, P), "become_root": (P, P), "become_victim": (P, P),
    "set_clock": (P, P), "use_io_uring": (P, P),
}


class Victim:
    """bob's folder, socket and process."""

    def __init__(self, machine, program):
        self.folder = machine.home("bob")
        for name in ("secret", "removable", "movable"):
            path = os.path.join(self.folder, name)
            with open(path, "w", encoding="ascii") as f:
                f.write("secret")
            os.chown(path, *2 * [USERS["bob"][0]])
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(os.path.join(self.folder, "socket"))
        self.socket.listen(8)
        self.output = machine.path("output")
        os.mkdir(self.output)
        os.chmod(self.output, 0o777)
        where = os.path.join(self.folder, "target")
        self.process = subprocess.Popen(machine._as("bob") + [program, "--target", where])
        machine.wait(lambda: os.path.exists(where) and os.path.getsize(where) > 0, "the target")
        with open(where, encoding="ascii") as f, open(os.path.join(machine.bin, "compromised.conf"), "w", encoding="ascii") as conf:
            conf.write(f"{self.folder} {self.output} {machine.state} {f.read()}")

    def results(self, name):
        path = os.path.join(self.output, name)
        if not os.path.exists(path):
            return {}
        with open(path, encoding="ascii") as f:
            return {words[0]: int(words[1]) for words in map(str.split, f)}

    def is_unharmed(self):
        names = set(os.listdir(self.folder)) - {"target"}
        with open(os.path.join(self.folder, "secret"), encoding="ascii") as f:
            return names == {"secret", "removable", "movable", "socket"} and f.read() == "secret" and self.process.poll() is None

    def close(self):
        self.process.kill()
        self.process.wait()
        self.socket.close()


@pytest.fixture
def machine():
    made = Machine(BUILD)
    yield made
    made.close()


@pytest.fixture
def victim(machine):
    shutil.copy(os.path.join(BUILD, "tests/system/compromised"), machine.bin)
    machine.start_namespace()
    made = Victim(machine, os.path.join(machine.bin, "compromised"))
    yield made
    made.close()


@pytest.mark.parametrize("program", ["dosvc-transfer", "dosvc-owner"])
def test_a_process_that_was_taken_over_does_no_harm(machine, victim, program):
    shutil.copy(os.path.join(machine.bin, "compromised"), os.path.join(machine.bin, program))
    machine.start_broker()
    machine.start_core()
    origin = origin_module.Origin()
    try:
        machine.run("alice", "get", origin.url("file", 1000), "-d", machine.home("alice"), "--detach")  # it cannot come
        machine.wait(lambda: "end" in victim.results(program), "the attempts")
    finally:
        origin.close()
    got = victim.results(program)
    del got["end"]
    column = ["dosvc-transfer", "dosvc-owner"].index(program)
    assert got == {name: row[column] for name, row in ATTEMPTS.items()}
    assert victim.is_unharmed()


def test_without_a_sandbox_every_attempt_works(machine, victim):
    with open(os.path.join(machine.state, "jobs.sqlite"), "wb"):
        pass  # a core was never started
    subprocess.run(machine._as("root") + [os.path.join(machine.bin, "compromised"), "--outside"], check=True)
    got = victim.results("outside")
    del got["end"]
    assert got == dict.fromkeys(ATTEMPTS, 0)
    assert not victim.is_unharmed()
