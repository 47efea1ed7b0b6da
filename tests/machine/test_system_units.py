"""Runs inside the machine of tests/lib/machine.py, as its user: the system instance's units, started by who connects."""
import os
import subprocess
import time

import origin as origin_module
import pytest

SOCKET = "/run/dosvc/bus"
SECONDS = 20
SIZE = 2_000_000


def dosvc(*words, check=True):
    done = subprocess.run(["dosvc", words[0], "--system", *words[1:]], text=True, capture_output=True, timeout=SECONDS, check=False)
    journal = subprocess.run(["journalctl", "--no-pager", "-o", "short"], text=True, capture_output=True, check=False).stdout
    assert not check or done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}\n{journal}"
    return done


def processes(name):
    """(uid, status) of each process of that name. Others' are seen, as this test's /proc is the whole machine's."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/status", encoding="ascii") as f:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        except (OSError, NotADirectoryError):
            continue
        if status["Name"] == name[:15]:
            found.append(status)
    return found


def wait_until(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, dosvc("list").stdout
        time.sleep(0.01)


@pytest.fixture
def origin():
    made = origin_module.Origin()
    yield made
    made.close()


def test_whoever_connects_gets_a_service_and_a_file_of_his_own(origin):
    target = os.path.join(os.environ["HOME"], "file")
    dosvc("get", origin.url("file", SIZE), "-o", target, "-q")
    with open(target, "rb") as f:
        assert f.read() == origin_module.content("file", SIZE)
    assert os.stat(target).st_uid == os.getuid()


def test_each_process_has_what_it_needs_and_no_more(origin):
    origin.rate = 300_000
    job = dosvc("get", origin.url("slow", SIZE), "-d", os.environ["HOME"], "--detach").stdout.strip()
    wait_until(lambda: origin.sent > 0)
    (core,), (broker,), (owner,), (transfer,) = map(processes, ("dosvcd", "dosvc-broker", "dosvc-owner", "dosvc-transfer"))
    assert int(core["Uid"].split()[0]) not in (0, os.getuid()) and int(core["CapBnd"], 16) == 0
    assert set(broker["Uid"].split()) == {"0"}
    assert int(broker["CapEff"], 16) == (1 << 5) | (1 << 6) | (1 << 7)  # CAP_KILL, CAP_SETGID, CAP_SETUID
    assert set(owner["Uid"].split()) == {str(os.getuid())} and int(owner["CapEff"], 16) == 0
    assert transfer["Uid"] == core["Uid"] and transfer["Seccomp"] == "2"
    origin.rate = None
    wait_until(lambda: not any(job in line for line in dosvc("list").stdout.splitlines()))


@pytest.mark.parametrize("name, most", [("dosvc", 1.5), ("dosvc-broker", 1.8)])
def test_systemd_finds_nothing_to_complain_about(name, most):
    [path] = [path for path in (f"{prefix}/lib/systemd/system/{name}.service" for prefix in ("/usr", "/usr/local")) if os.path.exists(path)]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", path, path.replace(".service", ".socket")], text=True, capture_output=True, check=True)
    assert done.stderr == "" and done.stdout == ""
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", path], text=True, capture_output=True, check=True)
    assert float(done.stdout.rstrip().splitlines()[-1].split(": ")[1].split()[0]) <= most, done.stdout


def test_a_killed_owner_process_comes_again(origin):
    origin.rate = 1_000_000
    target = os.path.join(os.environ["HOME"], "again")
    dosvc("get", origin.url("again", SIZE), "-o", target, "--detach")
    wait_until(lambda: origin.sent > SIZE // 4)
    (owner,) = processes("dosvc-owner")
    os.kill(int(owner["Pid"]), 9)  # one's own
    wait_until(lambda: os.path.exists(target))
    with open(target, "rb") as f:
        assert f.read() == origin_module.content("again", SIZE)
    origin.rate = None
