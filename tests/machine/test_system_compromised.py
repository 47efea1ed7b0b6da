"""Runs inside the machine of tests/lib/machine.py, as root: instances of dosvc-transfer@.service and dosvc-resolve@.service that were taken
over. In their place runs what tries everything (tests/system/compromised.c): what the unit alone leaves it, before it is in its own sandbox,
and what is left in that. The victims are another owner's: her files, her program, and the dosvc-transfer that works for her.
"""
import errno
import json
import os
import shutil
import subprocess

import origin as origin_module
import pytest

from inside import command_of, content_of, dosvc, home, journal, run, slow_job, wait_until

PROBE = "/build/tests/system/compromised"
PROGRAMS = ("dosvc-transfer", "dosvc-resolve")
OUTPUT = "/home/output"  # on the file system of the secrets: they are linked to there
SECRETS = {"secret", "removable", "movable"}
DENIED = {errno.EPERM, errno.EACCES, errno.ENOENT, errno.EAFNOSUPPORT}
NO_SUCH_SEGMENT = {"share_memory": errno.EINVAL}  # in a namespace of its own
# Which call, or which of its arguments, is no matter of a unit. That nothing comes of it is: the kernel sends no signal that its asker may not.
SIGNALS_BY_SOCKET = {"send_signal_by_socket", "send_signal_by_socket_to_thread", "send_signal_by_ioctl", "choose_signal"}
# What works, of all that is tried.
WORKS = {
    ("dosvc-transfer", "unit"): {"new_process"} | SIGNALS_BY_SOCKET,
    ("dosvc-transfer", "sandbox"): set(),
    ("dosvc-resolve", "unit"): {"new_process", "open_netlink", "connect_abstract"} | SIGNALS_BY_SOCKET,
    ("dosvc-resolve", "sandbox"): {"open_netlink"},
}


@pytest.fixture
def origin():
    made = origin_module.Origin()
    yield made
    made.close()


def pids(name):
    return run("pgrep", "-x", name[:15], check=False).stdout.split()


@pytest.fixture
def victim(origin):
    """Of "other": files, a process of hers with sockets, a key and memory that she lets everybody have, and a real dosvc-transfer."""
    folder = home("other")
    for name in SECRETS:
        with open(f"{folder}/{name}", "w", encoding="ascii") as f:
            f.write("secret")
        os.chown(f"{folder}/{name}", *2 * [os.stat(folder).st_uid])
    os.mkdir(OUTPUT)
    os.chmod(OUTPUT, 0o1777)
    with subprocess.Popen(command_of("other", PROBE, "--target", f"{folder}/target")) as process:
        wait_until(lambda: os.path.exists(f"{folder}/target") and os.path.getsize(f"{folder}/target"))
        slow_job("other", origin, "hers", 64 << 20)
        [engine] = pids("dosvc-transfer")
        with open(f"/proc/{engine}/maps", encoding="ascii") as maps, open(f"{folder}/target", encoding="ascii") as target:
            address, (_, _, key, segment) = maps.read().split("-")[0], target.read().split()
        with open("/usr/lib/compromised.conf", "w", encoding="ascii") as f:
            f.write(f"{folder} {OUTPUT} /var/lib/dosvc {engine} 0x{address} {key} {segment}\n")
        yield engine
        process.kill()


def outcomes(program):
    """Of one instance that came to its end: {"unit": {attempt: errno}, "sandbox": …}, and Landlock's version."""
    lines = [json.loads(line) for line in run("journalctl", "--no-pager", "-o", "json", "-t", program).stdout.splitlines()]
    ended = [line["_PID"] for line in lines if line["MESSAGE"] == "end 0"]
    if not ended:
        return None
    texts = [line["MESSAGE"] for line in lines if line["_PID"] == ended[0]]
    found = {"unit": {}, "sandbox": {}}
    for words in map(str.split, texts):
        if words[0] in found:
            found[words[0]][words[1]] = int(words[2])
    return found, next(int(text.split()[1]) for text in texts if text.startswith("landlock "))


def is_unharmed(engine):
    folder = home("other")
    names = set(os.listdir(folder)) - {"target", "socket"}
    return {name for name in names if not name.startswith(".")} == SECRETS and content_of(f"{folder}/secret") == b"secret" and \
        pids("dosvc-transfer")[:1] == [engine]


def test_an_instance_that_was_taken_over_does_no_harm(origin, victim):
    for program in PROGRAMS:
        place = f"/usr/local/libexec/dosvc/{program}"
        shutil.copy(PROBE, place + ".new")
        os.rename(place + ".new", place)  # who runs keeps the old one
    job = dosvc("tester", "get", "--detach", "-d", home("tester"), origin.url("mine", 1000)).stdout.strip()
    wait_until(lambda: all(outcomes(program) for program in PROGRAMS))
    dosvc("tester", "cancel", job)
    for program in PROGRAMS:
        found, landlock = outcomes(program)
        for stage, got in found.items():
            works = WORKS[program, stage] | ({"connect_abstract"} if program == "dosvc-resolve" and landlock < 6 else set())
            assert {name for name, error in got.items() if error == 0} == works, (program, stage, got)
            assert all(error in DENIED or NO_SUCH_SEGMENT.get(name) == error for name, error in got.items() if error), (program, stage, got)
    assert is_unharmed(victim), journal()
    # Outside every attempt works, the same ones at the same victims: what was denied above was denied by what is around them.
    run(PROBE, "--outside")
    with open(f"{OUTPUT}/outside", encoding="ascii") as f:
        control = {words[0]: int(words[1]) for words in map(str.split, f)}
    assert control == dict.fromkeys(outcomes("dosvc-transfer")[0]["unit"], 0) and not is_unharmed(victim)
