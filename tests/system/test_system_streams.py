"""Streams of the system instance: the bytes of a job go to the program that takes them, through memory that neither side can name."""
import hashlib
import json
import os
import subprocess

import pytest

from conftest import BUILD, origin_module
from system_instance import USERS, running

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a system instance has users: needs root")
TAKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stream_taker.py")
SIZE = 9_000_000  # more than a window


@pytest.fixture(scope="module")
def machine():
    with running(BUILD) as made:
        yield made


@pytest.fixture
def origin():
    made = origin_module.Origin()
    yield made
    made.close()


def take(machine, user, url, *options):
    """A program of that user's that takes a stream (nsenter and setpriv become it); where its bytes go to."""
    output = os.path.join(machine.home(user), "taken")
    if os.path.exists(output):
        os.unlink(output)
    process = subprocess.Popen(machine._as(user) + ["/usr/bin/python3", TAKER, f"unix:path={machine.socket}", url, output, *options],
                               stdout=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]}, cwd="/")
    return process, output


def ends(process):
    """(state or error, the job's id)"""
    text, _ = process.communicate(timeout=60)
    lines = text.splitlines()
    return lines[-1], lines[0]


def content_of(path):
    with open(path, "rb") as f:
        return f.read()


def windows(pid):
    """The descriptors of memory files that a process has: (number, access mode, owner)."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{name}"
        try:
            if "memfd:dosvc-window" in os.readlink(path):
                with open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii") as f:
                    flags = int(next(line for line in f if line.startswith("flags:")).split()[1], 8)
                found.append((int(name), flags & os.O_ACCMODE, os.stat(path).st_uid))
        except FileNotFoundError:
            pass
    return found


def test_a_program_takes_every_byte_and_nothing_is_on_disk(machine, origin):
    body = origin_module.content("whole", SIZE)
    process, output = take(machine, "alice", origin.url("whole", SIZE), "--sha256", hashlib.sha256(body).hexdigest())
    end, _ = ends(process)
    assert end.startswith("transferred"), end
    assert content_of(output) == body
    assert os.listdir(machine.home("alice")) == ["taken"]


def test_a_digest_is_compared_by_the_owners_process(machine, origin):
    process, _ = take(machine, "alice", origin.url("wrong", 100_000), "--sha256", "ab" * 32)
    end, _ = ends(process)
    assert end.startswith("error") and "DigestMismatch" in end, end


def test_pieces_are_judged_before_the_program_sees_them(machine, origin, tmp_path):
    body = origin_module.content("pieces", SIZE)
    (tmp_path / "pieces").write_bytes(body)
    os.chmod(tmp_path, 0o755)
    server = subprocess.Popen(["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(tmp_path), "0"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={"PYTHONUNBUFFERED": "1"}, text=True)
    try:
        url = f"http://127.0.0.1:{server.stdout.readline().split('port ')[1].split()[0]}/"
        info = machine.json("root", "hash", tmp_path / "pieces", "--url", url + "pieces.pieces.json")[0]
        process, output = take(machine, "alice", url + "pieces", "--integrity", json.dumps(info["integrity_info"]))
        end, _ = ends(process)
        assert end.startswith("transferred"), end
        assert content_of(output) == body
    finally:
        server.kill()
        server.wait()


def test_a_client_that_is_killed_in_mid_stream_leaves_nothing(machine, origin):
    process, output = take(machine, "alice", origin.url("killed", SIZE), "--stop-at", "1000000")
    machine.wait(lambda: os.path.exists(output) and os.path.getsize(output) == 1_000_000, "a part of the stream")
    # The program has it for reading; the service and the owner's process write, nobody else has it.
    assert {mode for _, mode, _ in windows(process.pid)} == {os.O_RDONLY}
    core = machine.processes["core"].pid
    assert {uid for _, _, uid in windows(core)} == {USERS["dosvc"][0]} and windows(machine.pid("dosvc-owner", "alice"))
    process.kill()
    process.wait()
    machine.wait(lambda: machine.json("alice", "list") == [], "the end of the job")
    machine.wait(lambda: not windows(core) and not windows(machine.pid("dosvc-owner", "alice") or core), "the end of the window")
    assert content_of(output) == origin_module.content("killed", SIZE)[:1_000_000]


def test_the_reader_cannot_become_a_writer(machine, origin):
    process, output = take(machine, "alice", origin.url("reader", SIZE), "--stop-at", "1000")
    machine.wait(lambda: os.path.exists(output) and os.path.getsize(output) == 1000, "a part of the stream")
    number, _, _ = windows(process.pid)[0]
    opened = subprocess.run(machine._as("alice") + ["/usr/bin/python3", "-c", f"open('/proc/{process.pid}/fd/{number}', 'r+b')"],
                            capture_output=True, text=True, check=False)
    assert "PermissionError" in opened.stderr
    process.kill()
    process.wait()


def test_an_owners_process_that_dies_ends_the_stream_with_an_error(machine, origin):
    origin.rate = 500_000
    process, output = take(machine, "alice", origin.url("died", SIZE))
    machine.wait(lambda: os.path.exists(output) and os.path.getsize(output) > 0, "the first bytes")
    os.kill(machine.pid("dosvc-owner", "alice"), 9)
    end, _ = ends(process)
    assert end.startswith("error"), end
    taken = content_of(output)
    assert taken == origin_module.content("died", SIZE)[:len(taken)]


def test_a_stream_is_its_owners_alone(machine, origin):
    process, output = take(machine, "alice", origin.url("hers", SIZE), "--stop-at", "1000")
    machine.wait(lambda: os.path.exists(output) and os.path.getsize(output) == 1000, "a part of the stream")
    job = process.stdout.readline().strip()
    seen = machine.run("bob", "show", job)
    assert seen.returncode == 3, seen.stdout
    process.kill()
    process.wait()
