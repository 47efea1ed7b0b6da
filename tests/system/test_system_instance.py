"""The system instance: one service for many owners, each with processes of their own, none of whom can see, touch or starve another."""
import http.server
import json
import os
import shutil
import signal
import stat
import threading

import pytest

from conftest import BUILD, origin_module
from system_instance import USERS, Machine, running

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a system instance has users: needs root")
SIZE = 300_000


@pytest.fixture(scope="module")
def shared_machine():
    with running(BUILD) as machine:
        yield machine


@pytest.fixture
def machine(shared_machine):
    yield shared_machine
    for user in ("alice", "bob", "carol"):
        for job in shared_machine.json(user, "list"):
            shared_machine.run(user, "cancel", job["id"])


@pytest.fixture
def origin():
    made = origin_module.Origin()
    yield made
    made.close()


def content_of(path):
    with open(path, "rb") as f:
        return f.read()


def assert_delivered(path, name, size, user):
    assert content_of(path) == origin_module.content(name, size)
    assert os.stat(path).st_uid == USERS[user][0]


def test_a_file_comes_with_its_owners_rights_and_nobody_elses(machine, origin):
    target = os.path.join(machine.home("alice"), "file")
    machine.ok("alice", "get", origin.url("file", SIZE), "-o", target, "-q", umask=0o027)
    assert_delivered(target, "file", SIZE, "alice")
    info = os.stat(target)
    assert (stat.S_IMODE(info.st_mode), info.st_gid) == (0o640, USERS["alice"][0])


def test_each_process_is_who_it_should_be(machine, origin):
    origin.rate = 100_000
    job = machine.ok("alice", "get", origin.url("who", SIZE), "-d", machine.home("alice"), "--detach").strip()
    machine.wait_state("alice", job, "transferring")
    machine.wait(lambda: machine.pid("dosvc-owner", "alice"), "alice's process")
    owner = machine.status(machine.pid("dosvc-owner", "alice"))
    assert set(owner["Uid"].split()) == {"2001"} and set(owner["Gid"].split()) == {"2001"}
    assert set(owner["Groups"].split()) == {"2001", "3000"}
    assert (int(owner["CapEff"], 16), int(owner["CapPrm"], 16), owner["NoNewPrivs"], owner["Seccomp"]) == (0, 0, "1", "2")
    core = machine.status(machine.processes["core"].pid)
    assert set(core["Uid"].split()) == {"990"} and int(core["CapEff"], 16) == 0
    machine.wait(lambda: machine.pid("dosvc-transfer"), "the transfer process")
    transfer = machine.status(machine.pid("dosvc-transfer"))
    assert set(transfer["Uid"].split()) == {"990"} and transfer["Seccomp"] == "2"
    origin.rate = None


def test_two_owners_have_two_transfer_processes(machine, origin):
    origin.rate = 50_000
    for user in ("alice", "bob"):
        machine.ok(user, "get", origin.url(f"two-{user}", SIZE), "-d", machine.home(user), "--detach")

    def transfers():
        pids = set()
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and os.readlink(f"/proc/{entry}/exe") == os.path.join(machine.bin, "dosvc-transfer"):
                    pids.add(entry)
            except OSError:
                pass
        return pids
    machine.wait(lambda: len(transfers()) >= 2, "a second transfer process")
    origin.rate = None


def test_what_is_anothers_does_not_exist(machine, origin):
    origin.rate = 50_000
    job = machine.ok("alice", "get", origin.url("private", SIZE), "-d", machine.home("alice"), "--detach").strip()
    assert [row["id"] for row in machine.json("alice", "list")] == [job]
    assert machine.json("bob", "list") == []
    for verb in ("show", "suspend", "resume", "complete", "cancel"):
        forbidden, absent = machine.run("bob", verb, job), machine.run("bob", verb, "00000000-0000-4000-8000-000000000000")
        assert forbidden.returncode == absent.returncode == 3
        assert forbidden.stderr.replace(job, "ID") == absent.stderr.replace("00000000-0000-4000-8000-000000000000", "ID")
    assert machine.json("alice", "show", job)[0]["state"] in ("queued", "transferring")
    machine.ok("alice", "cancel", job)
    assert job not in [row["id"] for row in machine.json("bob", "history")]
    origin.rate = None


def test_a_directory_of_anothers_is_refused_as_its_own_open_would_be(machine, origin):
    for target in (os.path.join(machine.home("bob"), "file"), machine.path("file"), "/root/file"):
        refused = machine.run("alice", "get", origin.url("file", SIZE), "-o", target)
        assert refused.returncode != 0 and not os.path.exists(target)
    assert os.listdir(machine.home("bob")) == []


def test_a_link_to_what_is_roots_is_not_followed(machine, origin):
    secret = machine.path("secret")
    with open(secret, "w", encoding="ascii") as f:
        f.write("root's")
    os.chmod(secret, 0o600)
    link = os.path.join(machine.home("alice"), "link")
    os.symlink(secret, link)
    for options in ([], ["--replace"]):
        assert machine.run("alice", "get", origin.url("file", SIZE), "-o", link, *options).returncode != 0
    assert content_of(secret) == b"root's" and os.path.islink(link)
    os.unlink(link)


def test_supplementary_groups_count(machine, origin):
    team = machine.path("team")
    os.mkdir(team)
    os.chown(team, 0, 3000)
    os.chmod(team, 0o2770)
    target = os.path.join(team, "file")
    machine.ok("carol", "get", origin.url("file", SIZE), "-o", target, "-q")
    assert_delivered(target, "file", SIZE, "carol")
    assert os.stat(target).st_gid == 3000
    assert machine.run("bob", "get", origin.url("file", SIZE), "-o", os.path.join(team, "bobs")).returncode != 0


@pytest.mark.parametrize("victim", ["owner", "broker", "core", "transfer"])
def test_a_killed_process_costs_nothing_but_time(machine, origin, victim):
    size = 2_000_000
    origin.rate = 1_000_000
    name = f"killed-{victim}"
    target = os.path.join(machine.home("alice"), name)
    machine.ok("alice", "get", origin.url(name, size), "-o", target, "--detach")
    machine.wait(lambda: origin.sent > 500_000, "half a megabyte")
    if victim == "broker":
        machine.kill("broker")
        machine.wait(lambda: machine.pid("dosvc-owner", "alice") is None, "the end of its processes")
        machine.start_broker()
    elif victim == "core":
        machine.kill("core")
        machine.start_core()
    else:
        os.kill(machine.pid("dosvc-" + victim, "alice" if victim == "owner" else None), signal.SIGKILL)
    machine.wait(lambda: os.path.exists(target), "the file")
    assert_delivered(target, name, size, "alice")
    machine.wait(lambda: not machine.json("alice", "list"), "the end of the job")
    assert [e for e in os.listdir(machine.home("alice")) if e.endswith(".part")] == []
    origin.rate = None


def test_somebody_who_opens_a_file_while_it_has_a_lease_ends_nobody(machine, origin):
    """The kernel tells who has the lease, by SIGIO."""
    machine.ok("alice", "get", origin.url("before", SIZE), "-d", machine.home("alice"), "-q")
    core, owner = machine.processes["core"], machine.pid("dosvc-owner", "alice")
    for pid in core.pid, owner:
        os.kill(pid, signal.SIGIO)
    machine.ok("alice", "get", origin.url("after", SIZE), "-d", machine.home("alice"), "-q")
    assert_delivered(os.path.join(machine.home("alice"), "after"), "after", SIZE, "alice")
    assert (core.poll(), machine.pid("dosvc-owner", "alice")) == (None, owner)


@pytest.fixture
def folder_server(tmp_path):
    """Serves what is in its folder, whole."""
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *_):
            pass

    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.daemon_threads = True
    served.folder = tmp_path
    served.url = lambda name: f"http://127.0.0.1:{served.server_port}/{name}"
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield served
    served.shutdown()
    served.server_close()


@pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="FUSE needs /dev/fuse")
@pytest.mark.parametrize("options", [["--flush"], ["--flush-by", "dosvcd"]], ids=["all", "core"])
def test_a_mount_on_which_closing_hangs_stops_only_its_owners_jobs(origin, options):
    """The core has descriptors of everybody's files, and FUSE asks its server at each close(2) of one."""
    with running(BUILD) as machine:
        stuck, program = os.path.join(machine.home("alice"), "stuck"), os.path.join(BUILD, "tests/lib/hangfs")
        os.mkdir(stuck, 0o755)
        machine.spawn("hangfs", "root", program, *options, stuck)

        def said(word):
            return word in content_of(machine.path("hangfs.log")).split()
        machine.wait(lambda: said(b"ready"), "the mount")
        try:
            machine.ok("alice", "get", origin.url("stuck", SIZE), "-d", stuck, "--detach")
            machine.wait(lambda: said(b"waits"), "the first one that hangs")
            for user in ("bob", "alice", "carol"):
                target = os.path.join(machine.home(user), "beside")
                machine.ok(user, "get", origin.url("beside", SIZE), "-o", target, "-q")
                assert_delivered(target, "beside", SIZE, user)
            assert len(machine.json("alice", "list")) == 1
            machine.processes["hangfs"].send_signal(signal.SIGUSR1)
            machine.wait(lambda: not machine.json("alice", "list"), "the end of the job")
            assert machine.program("alice", "sha256sum", os.path.join(stuck, "stuck")).split()[0] == origin_module.digest("stuck", SIZE)
        finally:
            machine.processes["hangfs"].send_signal(signal.SIGUSR1)


@pytest.fixture
def encrypted(machine, folder_server):
    """(content, URL of what it is encrypted, the key's file)"""
    body = origin_module.content("secret", SIZE)
    plain, key, sent = (os.path.join(machine.home("alice"), name) for name in ("plain", "key.json", "sent"))
    with open(plain, "wb") as f:
        f.write(body)
    os.chown(plain, USERS["alice"][0], USERS["alice"][0])
    machine.ok("alice", "encrypt", plain, "--key-file", key, "--new-key", "-o", sent)
    shutil.copy(sent, folder_server.folder / "sent")
    yield body, folder_server.url("sent"), key
    for path in (plain, key, sent):
        os.unlink(path)


def test_the_owners_process_decrypts_what_travelled_encrypted(machine, encrypted):
    body, url, key = encrypted
    target = os.path.join(machine.home("alice"), "decrypted")
    machine.ok("alice", "get", url, "--key-file", key, "-o", target, "-q")
    assert content_of(target) == body and os.stat(target).st_uid == USERS["alice"][0]
    assert [e for e in os.listdir(machine.home("alice")) if e.endswith(".part")] == []
    with open(machine.path("state", "jobs.sqlite"), "rb") as f, open(key, encoding="ascii") as k:
        assert json.load(k)["KeyData"].encode() not in f.read()


@pytest.fixture
def drop_box(machine):
    """A folder of alice's that she may write to and search, but not read."""
    folder = os.path.join(machine.home("alice"), "box")
    os.mkdir(folder)
    os.chown(folder, USERS["alice"][0], USERS["alice"][0])
    os.chmod(folder, 0o300)
    yield folder
    shutil.rmtree(folder)


def test_a_folder_that_cannot_be_read_is_good_enough_to_decrypt_in(machine, encrypted, drop_box):
    body, url, key = encrypted
    target = os.path.join(drop_box, "decrypted")
    machine.ok("alice", "get", url, "--key-file", key, "-o", target, "-q")
    assert content_of(target) == body
    assert os.listdir(drop_box) == ["decrypted"]


def test_cancel_says_the_truth_about_a_folder_that_cannot_be_read(machine, origin, drop_box):
    origin.rate = 50_000
    job = machine.ok("alice", "get", origin.url("box", SIZE), "-d", drop_box, "--detach").strip()
    machine.wait(lambda: os.listdir(drop_box), "the temporary file")
    cancelled = machine.run("alice", "cancel", job)
    assert (cancelled.returncode, cancelled.stderr) == (0, "")
    assert os.listdir(drop_box) == []


def test_the_owners_process_judges_pieces(machine, folder_server):
    body = origin_module.content("pieces", SIZE)
    (folder_server.folder / "pieces").write_bytes(body)
    os.chmod(folder_server.folder, 0o755)
    info = machine.json("root", "hash", folder_server.folder / "pieces", "--url", folder_server.url("pieces.pieces.json"))[0]
    target = os.path.join(machine.home("alice"), "pieces")
    machine.ok("alice", "get", folder_server.url("pieces"), "--integrity", json.dumps(info["integrity_info"]), "-o", target, "-q")
    assert content_of(target) == body


def test_root_and_daemons_are_served_only_where_the_configuration_names_them(machine, origin):
    for user in ("daemon", "root"):
        refused = machine.run(user, "get", origin.url("file", SIZE), "-o", machine.path(f"of-{user}"))
        assert refused.returncode == 4, refused.stderr
    assert machine.pid("dosvc-owner", "daemon") is None
    other = Machine(BUILD, config="SystemUsers=root, daemon\n")
    try:
        other.start()
        for user in ("daemon", "root"):
            place = other.path(f"place-of-{user}")
            os.mkdir(place)
            os.chown(place, USERS.get(user, (0, []))[0], -1)
            other.ok(user, "get", origin.url("file", SIZE), "-o", os.path.join(place, "file"), "-q")
            assert content_of(os.path.join(place, "file")) == origin_module.content("file", SIZE)
        # Root without its capabilities: a directory of alice's is closed to it.
        assert other.run("root", "get", origin.url("file", SIZE), "-o", os.path.join(other.home("alice"), "file")).returncode != 0
        assert os.listdir(other.home("alice")) == []
    finally:
        other.close()
