"""Processes that were taken over: in their place runs a program that tries everything (compromised.c), as the user and in the sandbox of
the real one. Outside of the sandbox, as root, every attempt works: the table would mean nothing else. Instances of units:
tests/machine/test_system_compromised.py.
"""
import errno
import os
import shutil
import subprocess

import pytest

from conftest import BUILD, origin_module
from system_instance import USERS, Machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a system instance has users: needs root")

P, A = errno.EPERM, errno.EACCES
PROGRAMS = ["dosvc-transfer", "dosvc-owner", "dosvc-resolve"]
# What is tried: what a taken-over transfer process gets, an owner's process (of alice's, against bob), a resolver (a child of the core: with its uid).
ATTEMPTS = {
    "read_secret": (P, A, A), "write_secret": (P, A, A), "make_file": (P, A, A), "remove_file": (P, A, P), "rename_file": (P, A, P),
    "list_folder": (P, A, A), "link_secret": (P, A, P), "make_symlink": (P, P, P), "give_away": (P, P, P), "set_uid_bit": (P, A, P),
    "make_device": (P, P, P), "read_state": (P, A, 0), "read_shadow": (P, A, A), "connect_socket": (P, P, A), "connect_abstract": (P, P, P),
    "open_netlink": (P, P, 0), "open_packets": (P, P, P), "open_raw": (P, P, P), "attach": (P, P, P), "read_memory": (P, P, P),
    "open_memory": (P, A, A), "list_descriptors": (P, A, A), "measure": (P, P, P), "take_descriptor": (P, P, P), "read_key": (P, P, P),
    "add_key": (P, P, P), "share_memory": (P, P, P), "send_signal": (P, P, P), "send_signal_by_descriptor": (P, P, P),
    "send_signal_to_thread": (P, P, P), "send_signal_by_socket": (P, P, P), "send_signal_by_socket_to_thread": (P, P, P),
    "send_signal_by_ioctl": (P, P, P), "choose_signal": (P, P, P),
    "run_program": (P, P, P), "new_process": (P, P, P), "mount_something": (P, P, P), "new_namespace": (P, P, P),
    "new_user_namespace": (P, P, P), "load_bpf": (P, P, P), "change_root": (P, P, P), "become_root": (P, P, P), "become_victim": (P, P, P),
    "set_clock": (P, P, P), "use_io_uring": (P, P, P),
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


@pytest.mark.parametrize("program", PROGRAMS)
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
    landlock = got.pop("landlock")
    expected = {name: row[PROGRAMS.index(program)] for name, row in ATTEMPTS.items()}
    if program == "dosvc-resolve" and landlock < 6:
        expected["connect_abstract"] = 0  # nothing else can tell those sockets from others
    assert got == expected
    assert victim.is_unharmed()


def test_without_a_sandbox_every_attempt_works(machine, victim):
    with open(os.path.join(machine.state, "jobs.sqlite"), "wb"):
        pass  # a core was never started
    subprocess.run(machine._as("root") + [os.path.join(machine.bin, "compromised"), "--outside"], check=True)
    got = victim.results("outside")
    assert got == dict.fromkeys(ATTEMPTS, 0)
    assert not victim.is_unharmed()
