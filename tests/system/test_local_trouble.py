"""The destination in trouble: every cause becomes the documented error, and the job goes on when it is mended."""
import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from conftest import Instance, QUICK, ROOT
from origin import content

MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path):
    """A tmpfs of 8 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0755", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def create(instance, origin, path, size, **options):
    return instance.create(path.name, [(origin.url(path.name, size), str(path), {})], Priority="foreground", Resume=True,
                           CompleteWhenTransferred=True, **options)


def wait_gone(instance, job, timeout=60):
    end = time.monotonic() + timeout
    while job in instance.list_jobs():
        assert time.monotonic() < end, (instance.get(job, "State"), instance.get(job, "Error"))
        time.sleep(0.02)


def error_of(instance, job):
    return instance.get(job, "Error")


def test_no_space_while_running_waits_and_goes_on(instance, origin, small_disk):
    path = small_disk / "large"
    job = create(instance, origin, path, 12 * MIB)
    instance.wait_state(job, ("transient_error",))
    error = error_of(instance, job)
    assert error["Code"] == "NO_SPACE" and error["Context"] == "local_file" and error["Hresult"] == 0x80070070
    assert instance.get(job, "WaitingReason") == "space"
    assert instance.get(job, "ErrorCount") == 0
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    instance.job_call(job, "Resume")  # it would look again by itself within 15 s
    wait_gone(instance, job)
    assert path.read_bytes() == content("large", 12 * MIB)


def test_no_space_mends_by_itself(instance, origin, small_disk):
    path = small_disk / "large"
    job = create(instance, origin, path, 12 * MIB)
    instance.wait_state(job, ("transient_error",))
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    wait_gone(instance, job)
    assert path.stat().st_size == 12 * MIB


def test_a_stated_size_that_does_not_fit_is_refused_at_once(instance, origin, small_disk):
    from gi.repository import GLib
    from service import ServiceError
    with pytest.raises(ServiceError) as e:
        instance.create("x", [(origin.url("x", 100), str(small_disk / "x"), {"Size": GLib.Variant("t", 100 * MIB)})])
    assert e.value.name == "NoSpace"
    assert os.listdir(small_disk) == []
    assert instance.list_jobs() == {}


def test_a_file_system_that_becomes_read_only(instance, origin, small_disk):
    origin.rate = MIB
    path = small_disk / "file"
    job = create(instance, origin, path, 4 * MIB)
    instance.wait_state(job, ("transferring",))
    instance.job_call(job, "Suspend")
    end = time.monotonic() + 10
    while subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], capture_output=True, check=False).returncode != 0:
        assert time.monotonic() < end  # busy until the transfer has let go
        time.sleep(0.02)
    instance.job_call(job, "Resume")
    instance.wait_state(job, ("transient_error",))
    assert error_of(instance, job)["Code"] == "READ_ONLY_FILE_SYSTEM"
    assert instance.get(job, "WaitingReason") == "destination"
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    origin.rate = None
    instance.job_call(job, "Resume")
    wait_gone(instance, job)
    assert path.read_bytes() == content("file", 4 * MIB)


def test_a_directory_that_is_removed_in_mid_transfer(instance, origin, target):
    folder = target / "inner"
    folder.mkdir()
    origin.rate = 2 * MIB
    path = folder / "file"
    job = create(instance, origin, path, 4 * MIB)
    end = time.monotonic() + 20
    while instance.get(job, "BytesTransferred") == 0:
        assert time.monotonic() < end
        time.sleep(0.01)
    for entry in folder.iterdir():
        entry.unlink()
    folder.rmdir()
    origin.rate = None
    assert instance.wait_state(job, ("error", "transferred")) in ("error", "transferred")
    end = time.monotonic() + 20
    while instance.get(job, "Error").get("Code") not in ("DIRECTORY_NOT_FOUND", "DESTINATION_CHANGED"):
        assert time.monotonic() < end, error_of(instance, job)
        time.sleep(0.02)
    assert error_of(instance, job)["Context"] == "local_file"
    folder.mkdir()
    instance.job_call(job, "Resume")
    wait_gone(instance, job)
    assert path.read_bytes() == content("file", 4 * MIB)


def test_a_limit_on_file_size(tmp_path, origin, target):
    """RLIMIT_FSIZE: SIGXFSZ is ignored, the job says so and goes on under a higher limit."""
    made = Instance(str(tmp_path / "limited"), QUICK)
    os.mkdir(tmp_path / "limited")
    made.wrapper = ["prlimit", f"--fsize={2 * MIB}"]
    made.start()
    try:
        path = target / "file"
        job = create(made, origin, path, 5 * MIB)
        made.wait_state(job, ("error",))
        assert error_of(made, job)["Code"] == "FILE_TOO_LARGE"
        assert made.process.poll() is None
        made.stop()
        made.wrapper = []
        made.start()
        made.job_call(job, "Resume")
        wait_gone(made, job)
        assert path.read_bytes() == content("file", 5 * MIB)
    finally:
        made.close()


def test_too_few_descriptors(tmp_path, origin, target):
    """The service runs out of descriptors, says so, and finishes everything in time."""
    made = Instance(str(tmp_path / "few"), QUICK)
    os.mkdir(tmp_path / "few")
    made.wrapper = ["prlimit", "--nofile=64"]
    made.start()
    try:
        files = [(origin.url(f"f{i}", 5000), str(target / f"f{i}"), {}) for i in range(300)]
        job = made.create("many", files, Priority="foreground", Resume=True, CompleteWhenTransferred=True)
        wait_gone(made, job, 120)
        for i in range(300):
            assert (target / f"f{i}").read_bytes() == content(f"f{i}", 5000)
    finally:
        made.close()


@contextlib.contextmanager
def hanging(folder, *options):
    """A mount of hangfs; .stdout has its words."""
    program = os.path.join(ROOT, os.environ.get("DOSVC_BUILD", "build"), "tests/lib/hangfs")
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        pytest.skip("FUSE needs root and /dev/fuse")
    folder.mkdir()
    hang = subprocess.Popen([program, *options, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert hang.stdout.readline() == "ready\n"
        yield hang
    finally:
        hang.send_signal(signal.SIGUSR1)  # or whoever waits could not end
        hang.terminate()
        subprocess.run(["umount", "-l", str(folder)], check=False, stderr=subprocess.DEVNULL)
        hang.wait()
        hang.stdout.close()


@pytest.mark.quiet
def test_a_stuck_mount_stops_only_its_own_jobs(instance, origin, target, tmp_path):
    """A FUSE mount in which every look-up hangs: other jobs go on and calls stay quick."""
    stuck = tmp_path / "stuck"
    with hanging(stuck):
        # The answer cannot come: the destination cannot be looked at. Ask without waiting.
        from gi.repository import Gio, GLib
        for i in range(20):
            rows = [(origin.url("x", 10), os.fsencode(stuck / f"x{i}"), {})]
            instance.bus.call(None, "/org/dosvc", "org.dosvc.Manager1", "CreateJob",
                              GLib.Variant("(sa{sv}a(saya{sv}))", ("stuck", {}, rows)), None, Gio.DBusCallFlags.NONE, -1, None, None)
        took, jobs = [], []
        for i in range(30):
            began = time.monotonic()
            instance.call("/org/dosvc", "Manager1", "GetServiceInfo")
            took.append(time.monotonic() - began)
            jobs.append(create(instance, origin, target / f"good{i}", 20000))
        for job in jobs:
            wait_gone(instance, job)
        # The machine may be busy with other things for a moment; a service that waits for the mount is slow for ever.
        assert sorted(took)[len(took) // 2] < 0.02, took


def test_a_mount_on_which_closing_hangs_stops_only_its_own_jobs(instance, origin, target, tmp_path):
    """FUSE is asked at each close(2) of a descriptor, by whichever process, and who asks cannot even be killed."""
    stuck = tmp_path / "stuck" / "file"
    with hanging(stuck.parent, "--flush") as hang:
        job = create(instance, origin, stuck, 20000)
        assert hang.stdout.readline() == "waits\n"
        good = [create(instance, origin, target / f"good{i}", 20000) for i in range(10)]
        for other in good:
            wait_gone(instance, other)
        assert list(instance.list_jobs()) == [job]
        hang.send_signal(signal.SIGUSR1)
        wait_gone(instance, job)
        assert stuck.read_bytes() == content("file", 20000)


PASSES_A_FILE = """
import array, os, socket, sys, time
import raw_dbus
stream, fd = raw_dbus.connect(sys.argv[1]), os.open(sys.argv[2], os.O_RDWR | os.O_CREAT)
rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
stream.sendmsg([raw_dbus.manager_call(2, "GetServiceInfo")], rights)
print("sent", flush=True)
time.sleep(60)
"""


def test_a_client_that_passes_a_file_whose_closing_hangs_stops_nobody(instance, origin, target, tmp_path):
    with hanging(tmp_path / "stuck", "--flush-by", "dosvcd") as hang:
        client = subprocess.Popen([sys.executable, "-c", PASSES_A_FILE, instance.address, str(tmp_path / "stuck" / "file")],
                                  stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.path.dirname(__file__)})
        try:
            assert client.stdout.readline() == "sent\n"
            assert hang.stdout.readline() == "waits\n"
            wait_gone(instance, create(instance, origin, target / "good", 20000))
        finally:
            client.kill()
            client.wait()
            client.stdout.close()


def test_a_service_leaves_and_comes_back_while_a_close_hangs(instance, origin, tmp_path):
    stuck = tmp_path / "stuck" / "file"
    with hanging(stuck.parent, "--flush") as hang:
        job = create(instance, origin, stuck, 20000)
        assert hang.stdout.readline() == "waits\n"
        left = instance.process
        left.terminate()
        end = time.monotonic() + 15
        while instance.state_of(left.pid) not in "ZX":  # the kernel keeps what hangs there, and the number with it
            assert time.monotonic() < end
            time.sleep(0.02)
        instance.start()
        assert list(instance.list_jobs()) == [job]
        hang.send_signal(signal.SIGUSR1)
        wait_gone(instance, job)
        left.wait(15)
        assert stuck.read_bytes() == content("file", 20000)
