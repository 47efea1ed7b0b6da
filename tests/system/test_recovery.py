"""A download survives whatever dies: each scenario ends with the right digest, and little is fetched twice.

With DOSVC_SOAK the file has 1 GiB, as a person would fetch it, over as many connections as one server gets; without, 128 MiB over one. The
server is paced at 50 MiB/s in all and counts what it sends.
"""
import contextlib
import hashlib
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import time

import pytest

from conftest import QUICK, Instance
from origin import digest
from service import ServiceError

MIB = 1 << 20
EXIT_RESTART = 75
SOAK = bool(os.environ.get("DOSVC_SOAK"))
SIZE = (1024 if SOAK else 128) * MIB
RATE = 50 * MIB / (6 if SOAK else 1)  # of each connection
# The kernel lets a socket of a process that gets no turn fill up (tcp_rmem: 32 MiB are usual), which says nothing of the process.
AHEAD = MIB
# One checkpoint (16 MiB, at least 200 ms) that was under way, what came while it was synced, and both sockets' buffers.
TWICE = 48 * MIB
# What was in the sockets of connections that were told to end sooner, as another one took over the rest of their part.
ENDED_SOONER = 16 * MIB


@pytest.fixture(scope="module")
def expected():
    return digest("big", SIZE)


@pytest.fixture
def fetch(instance, origin, target):
    """Starts `dosvc get` of the big file; returns (process, path, url)."""
    origin.rate = RATE
    origin.ahead = AHEAD
    origin.prepare("big", SIZE)
    path = target / "big"
    url = origin.url("big", SIZE)
    return instance.spawn("get", "-o", str(path), url), path, url


def sha256(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(MIB):
            h.update(block)
    return h.hexdigest()


def wait_for(condition, what, timeout=120):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def durable(instance):
    jobs = list(instance.list_jobs().values())
    return jobs[0]["BytesDurable"] if jobs else 0


def well_under_way(instance):
    wait_for(lambda: durable(instance) >= SIZE // 4, "a quarter is on disk")


def ended(instance, path, expected, origin, process=None, allowed_twice=TWICE):
    if process:
        assert process.wait(timeout=300) == 0, process.stderr.read()
    wait_for(path.exists, "the file is there", 300)
    assert sha256(path) == expected
    assert origin.sent - SIZE <= allowed_twice, f"{(origin.sent - SIZE) / MIB:.1f} MiB were fetched twice"
    assert not [e for e in os.listdir(path.parent) if e.startswith(".dosvc-")]
    wait_for(lambda: not instance.list_jobs(), "the job has ended")


def test_killing_the_service(instance, fetch, origin, expected):
    process, path, _ = fetch
    well_under_way(instance)
    instance.kill()
    assert not path.exists()
    instance.start()
    ended(instance, path, expected, origin, process)


def test_killing_the_transfer_process(instance, fetch, origin, expected):
    process, path, _ = fetch
    well_under_way(instance)
    pid = instance.call("/org/dosvc", "Manager1", "GetServiceInfo")[0]["TransferPid"]
    os.kill(pid, signal.SIGKILL)
    ended(instance, path, expected, origin, process)
    assert instance.call("/org/dosvc", "Manager1", "GetServiceInfo")[0]["TransferPid"] != pid


def test_killing_the_transfer_process_again_and_again(instance, origin, target):
    """Each time that a file or more came since: so no delay grows."""
    kills = 1000 if SOAK else 12
    size = 128 * 1024
    origin.rate = MIB
    files = []

    def ask_for_more():
        more = [(origin.url(f"f{n}", size), str(target / f"f{n}"), {}) for n in range(len(files), len(files) + 8)]
        instance.create("more", more, Priority="foreground", Resume=True, CompleteWhenTransferred=True)
        files.extend(more)

    def transferred():
        return sum(j["FilesTransferred"] for j in instance.list_jobs().values())
    pids = set()
    ask_for_more()
    while len(pids) < kills:
        before = transferred()
        wait_for(lambda: transferred() != before or not instance.list_jobs(), "a file came")
        pid = instance.call("/org/dosvc", "Manager1", "GetServiceInfo")[0]["TransferPid"]
        if pid and pid not in pids:
            os.kill(pid, signal.SIGKILL)
            pids.add(pid)
            ask_for_more()
    wait_for(lambda: not instance.list_jobs(), "the jobs have ended", 300)
    for url, path, _ in files:
        assert sha256(path) == digest(os.path.basename(path), size), url
    assert not [e for e in os.listdir(target) if e.startswith(".dosvc-")]


def test_stopping_the_server_for_a_while(instance, fetch, origin, expected):
    process, path, _ = fetch
    well_under_way(instance)
    origin.down()
    job = next(iter(instance.list_jobs()))
    instance.wait_state(job, ("transient_error",))
    assert instance.get(job, "WaitingReason") == "retry"
    time.sleep(30 if SOAK else 3)  # the outage itself
    origin.up()
    ended(instance, path, expected, origin, process)


def test_interrupting_the_command_and_repeating_it(instance, fetch, origin, expected):
    process, path, url = fetch
    well_under_way(instance)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    job = next(iter(instance.list_jobs()))
    instance.wait_state(job, ("suspended",))
    again = instance.spawn("get", "-o", str(path), url)
    ended(instance, path, expected, origin, again)


def test_killing_the_client(instance, fetch, origin, expected):
    process, path, _ = fetch
    well_under_way(instance)
    process.kill()
    process.wait()
    # complete-when-transferred: nobody has to be there
    ended(instance, path, expected, origin, allowed_twice=ENDED_SOONER)


def test_a_terminated_service_fetches_nothing_twice_but_what_was_on_the_line(instance, fetch, origin, expected):
    process, path, _ = fetch
    well_under_way(instance)
    assert instance.stop() == 0
    instance.start()
    ended(instance, path, expected, origin, process, allowed_twice=16 * MIB)


def to_another_inode(path):
    copy = path.with_name("copy")
    shutil.copyfile(path, copy)
    os.chmod(copy, 0o600)
    os.rename(copy, path)


def test_a_temp_file_that_was_copied_is_gone_on_with_but_for_a_spoiled_chunk(instance, origin, target):
    size = 40 * MIB
    instance.stop()
    instance.config_text += f"ChunkHashRate={1024 * MIB}\n"  # what comes faster has no hashes
    instance.start()
    origin.rate = 25 * MIB
    path = target / "copied"
    words = ("get", "-o", str(path), origin.url("copied", size))
    process = instance.spawn(*words)
    wait_for(lambda: durable(instance) >= 8 * MIB, "some of it is on disk")
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    kept = durable(instance)
    instance.stop()
    temp = next(path.parent.glob(".dosvc-*.part"))
    to_another_inode(temp)
    with open(temp, "r+b") as f:
        f.seek(5 * MIB + 7)
        byte = f.read(1)[0]
        f.seek(5 * MIB + 7)
        f.write(bytes([byte ^ 1]))
    instance.start()
    origin.rate = 1000 * MIB
    before = origin.sent
    process = instance.spawn(*words)
    assert process.wait(timeout=300) == 0, process.stderr.read()
    assert sha256(path) == digest("copied", size)
    proved, recorded = map(int, re.search(r"(\d+) of (\d+) bytes are proved by their hashes", instance.log()).groups())
    assert recorded >= kept and kept - 3 * MIB <= proved <= recorded - MIB  # all but the spoiled chunk, and parts of chunks
    assert origin.sent - before <= size - proved
    assert not list(path.parent.glob(".dosvc-*"))


def test_a_damaged_database_is_replaced_by_its_backup_and_the_download_goes_on(instance, origin, target):
    size = 40 * MIB
    origin.rate = 16 * MIB
    path = target / "restored"
    words = ("get", "-o", str(path), origin.url("restored", size))
    process = instance.spawn(*words)
    wait_for(lambda: durable(instance) >= 8 * MIB, "some of it is on disk")
    process.kill()
    process.wait()
    done = instance.create("done", [(origin.url("small", 1000), str(target / "small"), {})], Replace=True)
    instance.job_call(done, "Resume")
    instance.wait_state(done, ("transferred",))
    instance.stop()
    instance.start()  # jobs that outlived a run are backed up at once
    backup = os.path.join(instance.state, "jobs.sqlite.backup-1")
    wait_for(lambda: os.path.exists(backup), "there is a backup")
    instance.job_call(done, "Complete")  # which the backup does not know
    (target / "small").write_text("edited since")
    before = durable(instance)
    instance.kill()
    for name in ("jobs.sqlite", "jobs.sqlite-wal"):
        with open(os.path.join(instance.state, name), "r+b") as f:
            f.write(b"\xa5" * os.fstat(f.fileno()).st_size)
    instance.start()
    assert "DAMAGED BEYOND REPAIR" in instance.log() and "minutes old" in instance.log()
    service = instance.json("service")
    assert service["restored_from"] and service["backup_time"]
    sent = origin.sent
    assert instance.spawn(*words).wait(timeout=300) == 0
    assert sha256(path) == digest("restored", size)
    assert before >= 8 * MIB and origin.sent - sent < size - 4 * MIB
    # Nobody's file is touched by a job that comes back from the dead.
    assert instance.get(done, "State") == "transferred"
    instance.job_call(done, "Complete")  # it has its place already
    assert (target / "small").read_text() == "edited since"


def empty(folder):
    shutil.rmtree(folder)
    os.mkdir(folder, 0o700)


def test_a_copy_that_somebody_saved_is_gone_back_to_as_the_manual_says(instance, origin, target, tmp_path):
    """dosvcd(8), BACKUP."""
    kept = instance.create("kept", [(origin.url("kept", 1000), str(target / "kept"), {})])
    (tmp_path / "headers").write_text("Token: a secret")
    instance.run("set", kept, f"custom_headers@{tmp_path}/headers", check=True)
    origin.rate = 1 << 16
    ended = instance.create("ended", [(origin.url("ended", 1 << 20), str(target / "ended"), {})])
    instance.job_call(ended, "Resume")
    wait_for(lambda: list(target.glob(".dosvc-*.part")), "it is under way")
    instance.stop()
    instance.start()
    saved = tmp_path / "saved"
    saved.mkdir()
    wait_for(lambda: os.path.exists(os.path.join(instance.state, "jobs.sqlite.backup-1")), "there is a backup")
    for name in ("jobs.sqlite.backup-1", "dosvc.key"):
        shutil.copy(os.path.join(instance.state, name), saved)
    instance.job_call(ended, "Cancel")
    newer = instance.create("newer", [])
    instance.stop()
    empty(instance.state)
    shutil.copytree(saved, instance.state, dirs_exist_ok=True)
    instance.start()
    service = instance.json("service")
    assert service["restored_from"] and set(instance.list_jobs()) == {kept, ended} and newer not in instance.list_jobs()
    assert instance.get(kept, "CustomHeaders") == "Token: a secret"
    assert instance.wait_state(ended, ("error",)) == "error" and "backup of the state" in str(instance.get(ended, "Error"))
    assert not os.path.exists(target / "ended")


def test_an_older_version_takes_the_copy_of_its_time(instance):
    """dosvcd(8), BACKUP: what a newer one made of the database is refused, and what was copied before is there."""
    kept = instance.create("kept", [])
    instance.stop()
    path = os.path.join(instance.state, "jobs.sqlite")
    shutil.copy(path, path + ".before-v99")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA user_version = 99")
    instance.start(wait=False)
    assert instance.process.wait(20) == 78
    shutil.copytree(instance.state, saved := instance.state + "-newer", ignore=shutil.ignore_patterns("bus"))
    empty(instance.state)
    shutil.copy(saved + "/jobs.sqlite.before-v99", path + ".backup-1")
    shutil.copy(saved + "/dosvc.key", instance.state)
    instance.start()
    assert instance.json("service")["restored_from"] and instance.get(kept, "State") == "suspended"


def test_rows_that_make_no_sense_are_replaced_by_the_backup(instance, origin, target):
    job = instance.create("kept", [(origin.url("small", 1000), str(target / "small"), {})])
    instance.stop()
    instance.start()
    backup = os.path.join(instance.state, "jobs.sqlite.backup-1")
    wait_for(lambda: os.path.exists(backup), "there is a backup")
    instance.stop()
    with contextlib.closing(sqlite3.connect(os.path.join(instance.state, "jobs.sqlite"), isolation_level=None)) as db:
        db.execute("UPDATE job SET state=99")
    instance.start()  # one start is enough
    assert "makes no sense" in instance.log() and "DAMAGED BEYOND REPAIR" in instance.log()
    assert instance.json("service")["restored_from"]
    assert instance.get(job, "State") == "suspended"


def test_a_database_that_is_removed_under_the_service_is_missed_at_once_and_there_again(instance, origin, target):
    """Before, calls went on being acknowledged, and nothing of it was there after the next start."""
    kept = instance.create("kept", [(origin.url("small", 1000), str(target / "small"), {})])
    for name in ("jobs.sqlite", "jobs.sqlite-wal"):
        os.unlink(os.path.join(instance.state, name))
    with pytest.raises((ServiceError, ConnectionError)):
        instance.create("late", [(origin.url("small", 1000), str(target / "late"), {})])
    assert instance.process.wait(timeout=30) == EXIT_RESTART
    instance.start()
    assert [job["name"] for job in instance.jobs()] == ["kept"]
    instance.job_call(kept, "Resume")
    assert instance.wait_state(kept, ("transferred", "error")) == "transferred"


def test_a_second_service_for_the_same_state_leaves_at_once(instance):
    second = Instance(instance.folder, QUICK)
    second.start(wait=False)
    assert second.process.wait(timeout=10) == 0
    assert instance.call("/org/dosvc", "Manager1", "GetServiceInfo")[0]["Pid"] == instance.process.pid


def test_a_five_gib_sparse_file(instance, target):
    """64-bit sizes end to end; the origin serves zeros from a sparse file."""
    www = target.parent / "www"
    www.mkdir()
    size = 5 << 30
    with open(www / "sparse", "wb") as f:
        f.truncate(size)
        f.seek(size - 5)
        f.write(b"the e")
    conf = www.parent / "nginx.conf"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    user = "user root; " if os.geteuid() == 0 else ""  # the test's folders are closed to others
    conf.write_text(f"""{user}daemon off; pid {www.parent}/nginx.pid; error_log {www.parent}/error.log; events {{}}
http {{ access_log off; sendfile on; client_body_temp_path {www.parent}/t1; proxy_temp_path {www.parent}/t2;
fastcgi_temp_path {www.parent}/t3; uwsgi_temp_path {www.parent}/t4; scgi_temp_path {www.parent}/t5;
server {{ listen unix:{www.parent}/unused; listen 127.0.0.1:{port}; root {www}; }} }}""")
    os.chmod(target.parent, 0o755)
    server = subprocess.Popen(["nginx", "-c", str(conf)], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: (www.parent / "nginx.pid").exists(), "nginx runs", 30)
        path = target / "sparse"
        result = instance.run("get", "-q", "-o", path, f"http://127.0.0.1:{port}/sparse", timeout=300)
        assert result.returncode == 0, result.stderr
        assert path.stat().st_size == size
        with open(path, "rb") as f:
            f.seek(size - 6)
            assert f.read() == b"\0the e"
    finally:
        server.terminate()
        server.wait()
        (target / "sparse").unlink(missing_ok=True)
