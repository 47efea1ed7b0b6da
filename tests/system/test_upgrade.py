"""Programs that are replaced while they run: the service becomes the new one by itself, once, and no job is lost. Where the programs do not
fit each other it says so and waits."""
import os
import shutil
import signal
import socket
import time

import pytest

from conftest import BUILD, QUICK, Instance, origin_module
from system_instance import Machine

SIZE = 40_000_000
OTHER = os.path.join(BUILD, "tests", "system", "other_version")  # the same programs, of another version
PROGRAMS = ("dosvcd", "dosvc-transfer", "dosvc-resolve")


def install(folder, names, other):
    """As a package manager does it: a new file takes the name, the old one stays with who runs it."""
    for name in names:
        new = os.path.join(folder, name + ".new")
        shutil.copy(os.path.join(OTHER if other else os.path.join(BUILD, "src", "daemon"), name), new)
        os.rename(new, os.path.join(folder, name))


def program_of(pid):
    return os.stat(f"/proc/{pid}/exe").st_ino


class Installed(Instance):
    """A service whose programs are in a folder of its own."""

    def __init__(self, folder):
        super().__init__(folder)
        self.programs = os.path.join(folder, "programs")
        os.mkdir(self.programs)
        install(self.programs, PROGRAMS, other=False)
        shutil.copy(os.path.join(BUILD, "src", "daemon", "dosvc-notify"), self.programs)
        self.program = os.path.join(self.programs, "dosvcd")

    def whole_log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()


@pytest.fixture
def installed(tmp_path):
    made = Installed(str(tmp_path))
    yield made
    made.close()


def start_slow_job(service, origin, target, name="slow"):
    origin.rate = 1 << 20
    job = service.run("get", origin.url(name, SIZE), "-d", str(target), "--detach", check=True).stdout.strip()
    wait_until(lambda: service.json("show", job)[0]["bytes_transferred"])
    return job


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def kill_transfer(service):
    os.kill(service.json("service")["transfer_pid"], signal.SIGKILL)


def answers(service):
    return service.run("list").returncode == 0


def content_of(path):
    with open(path, "rb") as f:
        return f.read()


def test_an_upgraded_service_becomes_the_new_program_and_its_jobs_go_on(installed, origin, target):
    installed.start()
    pid = installed.process.pid
    job = start_slow_job(installed, origin, target)
    install(installed.programs, PROGRAMS, other=True)
    assert installed.json("show", job)[0]["state"] == "transferring"  # who runs goes on
    old = program_of(pid)
    kill_transfer(installed)
    wait_until(lambda: program_of(pid) != old and answers(installed))
    assert program_of(pid) == os.stat(installed.program).st_ino and installed.process.poll() is None
    origin.rate = None
    wait_until(lambda: os.path.exists(target / "slow"))
    assert content_of(target / "slow") == origin_module.content("slow", SIZE)
    log = installed.whole_log()
    assert log.count("this service was upgraded") == 1 and "no other dosvcd is installed" not in log
    assert "the last run did not end well" not in log  # what was under way was finished first


def test_a_socket_that_was_handed_over_stays_with_an_upgraded_service(tmp_path, origin, target):
    service = Installed(str(tmp_path))
    path = str(tmp_path / "handed-over")
    service.wrapper = ["systemd-socket-activate", "--fdname=bus", "-E", "LD_LIBRARY_PATH", "-l", path]
    try:
        service.start(wait=False)
        with socket.socket(socket.AF_UNIX) as first:
            wait_until(lambda: first.connect_ex(path) == 0)
            service.connect()
        environment = {"DOSVC_ADDRESS": "unix:path=" + path}
        job = start_slow_job(service, origin, target)
        old = program_of(service.process.pid)
        install(service.programs, PROGRAMS, other=True)
        kill_transfer(service)
        wait_until(lambda: program_of(service.process.pid) != old)
        # Nobody has to try twice: the socket was there all the time.
        assert job in service.run("list", "--json", environment=environment, check=True).stdout
        service.run("cancel", job, check=True)
    finally:
        service.close()


@pytest.mark.parametrize("name", ["dosvc-transfer", "dosvc-resolve"])
def test_a_helper_of_another_version_makes_jobs_wait_and_is_no_reason_to_start_again(installed, origin, target, name):
    install(installed.programs, [name], other=True)
    installed.start()
    pid, program = installed.process.pid, program_of(installed.process.pid)
    job = installed.run("get", origin.url("waits", SIZE), "-d", str(target), "--detach", check=True).stdout.strip()
    wait_until(lambda: installed.json("show", job)[0]["state"] == "transient_error")
    error = installed.json("show", job)[0]["error"]
    assert error["name"] == "TransferProcessFailed" and "dosvc-transfer or dosvc-resolve is of another version" in error["text"], error
    wait_until(lambda: installed.json("show", job)[0]["error_count"] > 1)  # it is tried again, in its own time
    assert installed.process.poll() is None and program_of(pid) == program
    log = installed.whole_log()
    assert log.count("no other dosvcd is installed") == 1 and "starts again" not in log
    install(installed.programs, [name], other=False)
    installed.run("resume", job)
    wait_until(lambda: os.path.exists(target / "waits"))


def test_an_upgrade_that_does_not_fit_either_starts_the_service_again_once(installed, origin, target):
    installed.start()
    pid = installed.process.pid
    install(installed.programs, ["dosvcd"], other=False)  # another file, the same version
    install(installed.programs, ["dosvc-transfer"], other=True)
    job = installed.run("get", origin.url("waits", SIZE), "-d", str(target), "--detach", check=True).stdout.strip()
    wait_until(lambda: program_of(pid) == os.stat(installed.program).st_ino and answers(installed))
    wait_until(lambda: installed.json("show", job)[0]["state"] == "transient_error")
    wait_until(lambda: installed.json("show", job)[0]["error_count"] > 1)
    log = installed.whole_log()
    assert log.count("this service was upgraded") == 1 and log.count("no other dosvcd is installed") == 1


def test_a_service_that_is_told_to_stop_while_it_becomes_another_stops(installed, origin, target):
    installed.start()
    start_slow_job(installed, origin, target)
    install(installed.programs, PROGRAMS, other=True)
    pid = installed.json("service")["transfer_pid"]
    os.kill(pid, signal.SIGKILL)
    installed.process.send_signal(signal.SIGTERM)
    assert installed.process.wait(timeout=20) == 0


# ---- the system instance ----

@pytest.fixture
def machine():
    made = Machine(BUILD, QUICK)
    made.start()
    yield made
    made.close()


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a system instance has users: needs root")
ALL = ("dosvcd", "dosvc-broker", "dosvc-owner", "dosvc-runner", "dosvc-transfer", "dosvc-resolve")


def log_of(machine, name):
    with open(machine.path(name + ".log"), encoding="utf-8", errors="replace") as f:
        return f.read()


@needs_root
def test_an_upgraded_system_instance_goes_on_with_everybodys_jobs(machine, origin):
    origin.rate = 1 << 20
    targets = {user: os.path.join(machine.home(user), "file") for user in ("alice", "bob")}
    for user, target in targets.items():
        job = machine.ok(user, "get", origin.url(user, SIZE), "-o", target, "--detach").strip()
        wait_until(lambda: machine.json(user, "show", job)[0]["bytes_transferred"])
    core, owner = machine.pid("dosvcd"), machine.pid("dosvc-owner", "alice")
    old = program_of(core)
    install(machine.bin, ALL, other=True)
    os.kill(owner, signal.SIGKILL)
    wait_until(lambda: program_of(core) != old)
    broker = machine.processes.pop("broker")
    assert broker.wait(timeout=20) == 0  # it met the new core, and left for its own successor
    machine.start_broker()
    origin.rate = None
    for user, target in targets.items():
        wait_until(lambda: os.path.exists(target))
        assert content_of(target) == origin_module.content(user, SIZE)
    assert log_of(machine, "core").count("this service was upgraded") == 1
    assert log_of(machine, "broker").count("dosvc-broker was upgraded") == 1


@needs_root
@pytest.mark.parametrize("name", ["dosvc-owner", "dosvc-transfer"])
def test_a_helper_of_another_version_makes_jobs_of_the_system_instance_wait(machine, origin, name):
    install(machine.bin, [name], other=True)
    core = machine.pid("dosvcd")
    result = machine.run("alice", "get", origin.url("waits", SIZE), "-d", machine.home("alice"), "--detach")
    if name == "dosvc-owner":  # nobody can look at the destination
        assert result.returncode != 0 and "The process that works on the files as the job's owner" in result.stderr, result.stderr
    else:
        machine.wait_state("alice", result.stdout.strip(), "transient_error")
    assert machine.pid("dosvcd") == core
    assert log_of(machine, "core").count("no other dosvcd is installed") == 1


def job_with_command(machine, origin, user, out):
    """A small one whose command makes that file."""
    job = machine.ok(user, "create", "told").strip()
    machine.ok(user, "add", job, origin.url("told", 1000), "-d", machine.home(user))
    machine.ok(user, "set", job, "notify_command=/usr/bin/touch", f"notify_parameters=touch {out}")
    machine.ok(user, "resume", job)
    return job


@needs_root
def test_a_runner_of_another_version_runs_nothing_and_the_command_runs_when_it_fits_again(machine, origin):
    install(machine.bin, ["dosvc-runner"], other=True)
    core, out = machine.pid("dosvcd"), os.path.join(machine.home("alice"), "ran")
    job = job_with_command(machine, origin, "alice", out)

    def command():
        return machine.json("alice", "show", "--all", job)[0]["properties"]
    wait_until(lambda: command()["notify_command_failures"] == 1)
    assert command()["notify_command_result"] == "lost" and not os.path.exists(out)
    assert machine.json("alice", "show", job)[0]["state"] == "transferred"  # its bytes are no worse for that
    assert machine.pid("dosvcd") == core
    assert log_of(machine, "core").count("no other dosvcd is installed") == 1
    install(machine.bin, ["dosvc-runner"], other=False)
    wait_until(lambda: os.path.exists(out))
    assert command()["notify_command_failures"] == 0


@needs_root
def test_a_service_that_meets_a_runner_of_the_next_version_becomes_the_next_one_which_runs_the_command(machine, origin):
    origin.rate = 1 << 20
    core, out = machine.pid("dosvcd"), os.path.join(machine.home("alice"), "ran")
    slow = machine.ok("alice", "get", origin.url("slow", SIZE), "-o", os.path.join(machine.home("alice"), "slow"), "--detach").strip()
    wait_until(lambda: machine.json("alice", "show", slow)[0]["bytes_transferred"])  # all other processes are there, and fit
    old = program_of(core)
    install(machine.bin, ALL, other=True)
    job_with_command(machine, origin, "alice", out)
    wait_until(lambda: program_of(core) != old)
    assert "dosvc-runner is of another version: this service was upgraded" in log_of(machine, "core")
    assert machine.processes.pop("broker").wait(timeout=20) == 0
    machine.start_broker()
    origin.rate = None
    wait_until(lambda: os.path.exists(out))
    wait_until(lambda: os.path.exists(os.path.join(machine.home("alice"), "slow")))
