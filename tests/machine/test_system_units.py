"""Runs inside the machine of tests/lib/machine.py, as its user: the system instance's units, started by who connects."""
import hashlib
import json
import os
import socket
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


def run_as(user, command):
    """What a shell of that user (root, other) prints."""
    with socket.socket(socket.AF_UNIX) as shell:
        shell.settimeout(SECONDS)
        shell.connect("/run/shell-" + user)
        shell.sendall(command.encode() + b"\nexit\n")
        return b"".join(iter(lambda: shell.recv(65536), b"")).decode()


def content_of(path):
    with open(path, "rb") as f:
        return f.read()


def uid_of(process):
    return int(process["Uid"].split()[0])


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
    assert content_of(target) == origin_module.content("file", SIZE)
    assert os.stat(target).st_uid == os.getuid()


def test_each_process_has_what_it_needs_and_no_more(origin):
    origin.rate = 300_000
    job = dosvc("get", origin.url("slow", SIZE), "-d", os.environ["HOME"], "--detach").stdout.strip()
    wait_until(lambda: origin.sent > 0)
    (core,), (broker,), (owner,), (transfer,) = map(processes, ("dosvcd", "dosvc-broker", "dosvc-owner", "dosvc-transfer"))
    assert uid_of(core) not in (0, os.getuid()) and int(core["CapBnd"], 16) == 0
    assert set(broker["Uid"].split()) == {"0"}
    assert int(broker["CapEff"], 16) == (1 << 5) | (1 << 6) | (1 << 7)  # CAP_KILL, CAP_SETGID, CAP_SETUID
    assert set(owner["Uid"].split()) == {str(os.getuid())} and int(owner["CapEff"], 16) == 0
    assert uid_of(transfer) not in (0, uid_of(core), os.getuid()) and transfer["Seccomp"] == "2"
    origin.rate = None
    wait_until(lambda: not any(job in line for line in dosvc("list").stdout.splitlines()))


@pytest.mark.parametrize("name, most", [("dosvc", 1.3), ("dosvc-broker", 1.8), ("dosvc-transfer@", 1.3), ("dosvc-resolve@", 1.3), ("dosvc-metrics", 0.5)])
def test_systemd_finds_nothing_to_complain_about(name, most):
    [path] = [path for path in (f"{prefix}/lib/systemd/system/{name}.service" for prefix in ("/usr", "/usr/local")) if os.path.exists(path)]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", path, path.replace("@", "").replace(".service", ".socket")], text=True, capture_output=True, check=True)
    assert done.stderr == "" and done.stdout == ""
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", path], text=True, capture_output=True, check=True)
    assert float(done.stdout.rstrip().splitlines()[-1].split(": ")[1].split()[0]) <= most, done.stdout


@pytest.mark.parametrize("name, bytes_most, tasks_most", [("dosvc", 4 << 30, 2048), ("dosvc-transfer@1", 4 << 30, 4), ("dosvc-resolve@1", 256 << 20, 64),
                                                          ("dosvc-metrics", 64 << 20, 8),
                                                          ("dosvc-broker", os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), 40960)])
def test_nobody_takes_all_memory_and_all_processes(name, bytes_most, tasks_most):
    told = run_as("root", f"systemctl show -p MemoryMax -p TasksMax -p LimitCORE {name}.service")
    limits = dict(line.split("=") for line in told.splitlines())
    assert 64 << 20 <= int(limits["MemoryMax"]) <= bytes_most, told
    assert int(limits["TasksMax"]) == tasks_most, told
    assert limits["LimitCORE"] == "0", told


def policies_of_threads(process):
    found = []
    for thread in os.listdir(f"/proc/{process['Pid']}/task"):
        try:
            found.append(os.sched_getscheduler(int(thread)))
        except ProcessLookupError:
            pass
    return found


def test_a_digest_is_computed_beside_the_transfer_on_cores_that_nobody_wants(origin):
    origin.rate = 10_000_000
    content = origin_module.content("digested", 15 * SIZE)
    target = os.path.join(os.environ["HOME"], "digested")
    dosvc("get", "--sha256", hashlib.sha256(content).hexdigest(), origin.url("digested", len(content)), "-o", target, "--detach")
    wait_until(lambda: any(os.SCHED_IDLE in policies_of_threads(owner) for owner in processes("dosvc-owner") if uid_of(owner) == os.getuid()))
    assert not os.path.exists(target)
    origin.rate = None
    wait_until(lambda: os.path.exists(target))
    assert content_of(target) == content
    os.unlink(target)


def test_a_killed_owner_process_comes_again(origin):
    origin.rate = 1_000_000
    target = os.path.join(os.environ["HOME"], "again")
    dosvc("get", origin.url("again", SIZE), "-o", target, "--detach")
    wait_until(lambda: origin.sent > SIZE // 4)
    (owner,) = processes("dosvc-owner")
    os.kill(int(owner["Pid"]), 9)  # one's own
    wait_until(lambda: os.path.exists(target))
    assert content_of(target) == origin_module.content("again", SIZE)
    origin.rate = None


# ---- who speaks to servers ----

@pytest.fixture
def slow_job(origin):
    """A job in the middle of its file: (target, status of its dosvc-transfer)."""
    origin.rate = 1_000_000
    target = os.path.join(os.environ["HOME"], "slow-one")
    job = dosvc("get", origin.url("slow-one", 10 * SIZE), "-o", target, "--detach").stdout.strip()
    wait_until(lambda: json.loads(dosvc("show", "--json", job).stdout)[0]["bytes_transferred"])
    (transfer,) = processes("dosvc-transfer")
    yield target, transfer
    origin.rate = None
    wait_until(lambda: os.path.exists(target))
    assert content_of(target) == origin_module.content("slow-one", 10 * SIZE)
    os.unlink(target)


def failed_units():
    return run_as("root", "systemctl list-units --failed --no-legend --plain 'dosvc*'")


def test_two_owners_have_processes_of_two_users(origin):
    origin.rate = 400_000
    for name, get in (("mine", dosvc), ("hers", lambda *words: run_as("other", "dosvc " + " ".join(words)))):
        get("get", "--detach", "-d", os.environ["HOME"] if name == "mine" else "/home/other", origin.url(name, SIZE))
    wait_until(lambda: len(processes("dosvc-transfer")) == len(processes("dosvc-resolve")) == 2)
    transfers, resolvers = processes("dosvc-transfer"), processes("dosvc-resolve")
    assert len({uid_of(process) for process in transfers + resolvers}) == 4
    assert all(61184 <= uid_of(process) <= 65519 for process in transfers + resolvers)
    origin.rate = None
    wait_until(lambda: os.path.exists(os.path.join(os.environ["HOME"], "mine")) and run_as("other", "test -e /home/other/hers && echo yes") == "yes\n")
    assert run_as("root", "stat -c %U /home/other/hers") == "other\n"
    run_as("root", "kill " + " ".join(process["Pid"] for process in transfers))


def test_names_are_looked_up(origin):
    target = os.path.join(os.environ["HOME"], "named")
    dosvc("get", origin.url("named", SIZE).replace("127.0.0.1", "localhost"), "-o", target, "-q")
    assert content_of(target) == origin_module.content("named", SIZE)


def test_a_killed_process_comes_again_and_goes_on(slow_job):
    _, transfer = slow_job
    run_as("root", "kill -9 " + transfer["Pid"])
    wait_until(lambda: [process["Pid"] for process in processes("dosvc-transfer")] not in ([], [transfer["Pid"]]))
    assert failed_units() == ""


def stop_both(transfer):
    """They hear nothing any more, not even that their connections are closed."""
    (resolve,) = processes("dosvc-resolve")
    run_as("root", f"kill -STOP {transfer['Pid']} {resolve['Pid']}")
    return {transfer["Pid"], resolve["Pid"]}


def test_processes_that_hear_nothing_any_more_end_with_their_core(slow_job):
    _, transfer = slow_job
    stop_both(transfer)
    run_as("root", "systemctl stop dosvc.service")
    wait_until(lambda: not processes("dosvc-transfer") and not processes("dosvc-resolve"))
    assert failed_units() == ""
    dosvc("list")  # starts it again: the job goes on


def test_no_process_outlives_a_core_that_was_killed(slow_job):
    _, transfer = slow_job
    both = stop_both(transfer)
    run_as("root", "systemctl kill -s KILL dosvc.service")
    wait_until(lambda: not both & {process["Pid"] for name in ("dosvc-transfer", "dosvc-resolve") for process in processes(name)})
    dosvc("list")


def test_a_process_sees_next_to_nothing_of_the_file_system(slow_job):
    _, transfer = slow_job
    (resolve,) = processes("dosvc-resolve")

    def seen(process, folder):
        return set(run_as("root", f"ls -A /proc/{process['Pid']}/root/{folder}").split())
    for process in (transfer, resolve):
        assert seen(process, "/") <= {"dev", "etc", "lib", "lib64", "proc", "root", "run", "sys", "tmp", "usr", "var"}
        assert seen(process, "root") == set() and seen(process, "tmp") == set() and seen(process, "var") == {"tmp"}
        assert seen(process, "usr") <= {"lib", "lib64", "libexec", "local"}
        assert seen(process, "run") <= {"systemd", "resolvconf", "NetworkManager", "connman", "nscd", "avahi-daemon"}
    assert seen(transfer, "etc") <= {"ld.so.cache", "ssl"} and seen(transfer, "etc/ssl") == {"openssl.cnf"}
    assert seen(resolve, "etc/ssl/private") == set()
