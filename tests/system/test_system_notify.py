"""Notify commands of the system instance: each runs as its job's owner, with that owner's whole identity and nothing of the service's."""
import os
import shlex
import signal

import pytest

from conftest import BUILD, origin_module
from system_instance import GROUPS, USERS, running

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a system instance has users: needs root")
SIZE = 1000


@pytest.fixture(scope="module")
def shared_machine():
    with running(BUILD, config="NotifyCommandTimeout=60\n") as machine:
        yield machine


@pytest.fixture
def machine(shared_machine):
    yield shared_machine
    for user in ("alice", "bob"):
        for job in shared_machine.json(user, "list"):
            shared_machine.run(user, "cancel", job["id"])


@pytest.fixture
def origin():
    made = origin_module.Origin()
    yield made
    made.close()


def script(machine, user, name, text):
    """A program in that user's home, for nobody else."""
    path = os.path.join(machine.home(user), name + ".sh")
    with open(path, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o700)
    os.chown(path, *2 * [USERS[user][0]])
    return path


def job_with_command(machine, origin, user, name, program, parameters):
    """A transferred job (or one that will be) whose command is to run."""
    job = machine.ok(user, "create", name).strip()
    machine.ok(user, "add", job, origin.url(name, SIZE), "-d", machine.home(user))
    machine.ok(user, "set", job, f"notify_command={program}", f"notify_parameters={parameters}")
    machine.ok(user, "resume", job)
    return job


def shown(machine, user, job):
    return machine.json(user, "show", "--all", job)[0]["properties"]


def lines_of(path):
    with open(path, encoding="utf-8") as f:
        return f.read().splitlines()


def written(machine, path):
    machine.wait(lambda: os.path.exists(path), path)
    return lines_of(path)


def test_a_command_has_its_owners_whole_identity_and_nothing_of_the_service(machine, origin):
    out = os.path.join(machine.home("alice"), "seen")
    program = script(machine, "alice", "look", f"""
exec 2>&1 > {out}.new
grep -E '^(Uid|Gid|Groups|NoNewPrivs|CapEff|CapPrm|CapAmb|Seccomp):' /proc/$$/status
grep -E '^Sig(Blk|Ign):' /proc/self/status # grep's own: a shell blocks them for the moment of a fork
echo "arguments: $1|$2"; echo "cwd: $(pwd)"; echo "umask: $(umask)"
printf 'descriptors: '; ls -m /proc/$$/fd; readlink /proc/$$/fd/0
env | grep -v '^_=\\|^PWD=\\|^SHLVL=' | LC_ALL=C sort
mv {out}.new {out}
""")
    job = job_with_command(machine, origin, "alice", "whole", program, 'look "a b" $HOME')
    seen = written(machine, out)
    status = dict(line.split(":\t", 1) for line in seen if ":\t" in line)
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {str(USERS["alice"][0])}
    assert set(status["Groups"].split()) == {str(USERS["alice"][0]), str(GROUPS["team"])}
    assert [int(status[name], 16) for name in ("CapEff", "CapPrm", "CapAmb")] == 3 * [0]
    assert [int(status[name], 16) & 0x7FFFFFFF for name in ("SigBlk", "SigIgn")] == 2 * [0]  # of the 31 standard signals
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "0")
    assert "arguments: a b|$HOME" in seen and "cwd: /" in seen and "umask: 0022" in seen and "/dev/null" in seen
    assert "descriptors: 0, 1, 10, 2" in seen  # 10 is the script that the shell reads
    variables = seen[seen.index("/dev/null") + 1:]
    assert variables == [f"DOSVC_ADDRESS=unix:path={machine.socket}", "DOSVC_EVENT=transferred",
                         f"DOSVC_JOB={job}", f"HOME={machine.home('alice')}", "LANG=C.UTF-8", "LOGNAME=alice",
                         "PATH=/usr/local/bin:/usr/bin:/bin", "SHELL=/bin/sh", "USER=alice"]
    machine.wait(lambda: shown(machine, "alice", job)["notify_command_state"] == "ready", "the end of the command")
    assert shown(machine, "alice", job)["notify_command_result"] == "exit status 0"
    machine.wait(lambda: machine.pid("dosvc-runner", "alice") is None, "the runner's end")


def test_a_command_of_one_owner_is_nobody_elses_to_run(machine, origin):
    """bob names alice's program: it is not his to run, and the shell that he may run reads nothing of hers."""
    secret = script(machine, "alice", "secret", "echo stolen\n")
    job = job_with_command(machine, origin, "bob", "hers", secret, "secret")
    machine.wait(lambda: shown(machine, "bob", job)["notify_command_failures"] > 0, "the failure")
    assert shown(machine, "bob", job)["notify_command_result"].startswith("exit status 127")
    out = os.path.join(machine.home("bob"), "read")
    job = job_with_command(machine, origin, "bob", "reads", "/bin/sh",
                           f'sh -c "cat {secret} > {out} 2>&1; id -un >> {out}; ln {out} {out}.done"')
    written(machine, out + ".done")
    assert "stolen" not in "".join(lines_of(out)) and lines_of(out)[-1] == "bob"


def test_a_command_that_fails_is_run_again_until_it_succeeds(machine, origin):
    count = os.path.join(machine.home("alice"), "count")
    program = script(machine, "alice", "second", f"echo x >> {count}; [ $(wc -l < {count}) -ge 2 ] || exit 9\n")
    job = job_with_command(machine, origin, "alice", "second", program, "second")
    machine.wait(lambda: shown(machine, "alice", job)["notify_command_result"] == "exit status 9", "the first failure")
    machine.wait(lambda: shown(machine, "alice", job)["notify_command_state"] == "ready", "the second run")
    assert len(lines_of(count)) == 2 and shown(machine, "alice", job)["notify_command_result"] == "exit status 0"


def test_a_command_may_complete_its_own_job(machine, origin):
    job = job_with_command(machine, origin, "alice", "own", "/bin/sh", f'sh -c "{machine.bin}/dosvc complete $DOSVC_JOB"')
    # The command line tool needs our library beside it, which a real one finds by itself.
    machine.ok("alice", "set", job, f'notify_parameters=sh -c "LD_LIBRARY_PATH={machine.bin} {machine.bin}/dosvc complete $DOSVC_JOB"')
    target = os.path.join(machine.home("alice"), "own")
    machine.wait(lambda: os.path.exists(target), "the file")
    assert os.stat(target).st_uid == USERS["alice"][0]


def sleeper(machine, user, mark):
    """A program that says its number and stays."""
    return script(machine, user, mark, f"echo $$ > {machine.home(user)}/{mark}.pid; exec sleep 1000\n")


def pid_of(machine, user, mark):
    path = os.path.join(machine.home(user), mark + ".pid")
    machine.wait(lambda: os.path.exists(path) and lines_of(path), path)
    return int(lines_of(path)[0])


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_command_that_takes_too_long_is_ended(machine, origin):
    with open(machine.path("dosvc.conf"), encoding="ascii") as f:
        config = f.read()
    with open(machine.path("dosvc.conf"), "w", encoding="ascii") as f:
        f.write(config.replace("NotifyCommandTimeout=60", "NotifyCommandTimeout=1"))
    machine.processes["core"].send_signal(signal.SIGHUP)
    try:
        job = job_with_command(machine, origin, "alice", "long", sleeper(machine, "alice", "long"), "long")
        machine.wait(lambda: shown(machine, "alice", job)["notify_command_failures"] > 0, "its end")
        assert shown(machine, "alice", job)["notify_command_result"] == "ended because it took too long"
        machine.ok("alice", "cancel", job)
        pid = pid_of(machine, "alice", "long")
        machine.wait(lambda: not is_alive(pid), "the program's end")
    finally:
        with open(machine.path("dosvc.conf"), "w", encoding="ascii") as f:
            f.write(config)
        machine.processes["core"].send_signal(signal.SIGHUP)


def test_a_killed_runner_counts_as_a_failure_and_the_command_is_run_again(machine, origin):
    job = job_with_command(machine, origin, "alice", "lost", sleeper(machine, "alice", "lost"), "lost")
    first = pid_of(machine, "alice", "lost")
    os.kill(machine.pid("dosvc-runner", "alice"), signal.SIGKILL)
    machine.wait(lambda: shown(machine, "alice", job)["notify_command_failures"] == 1, "the loss")
    assert shown(machine, "alice", job)["notify_command_result"] == "lost"
    machine.wait(lambda: pid_of(machine, "alice", "lost") != first, "the second run")
    os.kill(first, signal.SIGKILL)  # nobody was left who could have ended it


def test_a_job_that_one_owner_lets_run_on_keeps_no_place_from_another(machine, origin):
    for i in range(5):
        job_with_command(machine, origin, "bob", f"busy{i}", sleeper(machine, "bob", f"busy{i}"), "busy")
    machine.wait(lambda: sum(shown(machine, "bob", j["id"])["notify_command_state"] == "running" for j in machine.json("bob", "list")) == 4,
                 "four that run")
    out = os.path.join(machine.home("alice"), "quick")
    job_with_command(machine, origin, "alice", "quick-file", "/usr/bin/touch", f"touch {shlex.quote(out)}")
    machine.wait(lambda: os.path.exists(out), "alice's command")


def test_the_programs_of_a_core_that_stops_are_ended(origin):
    with running(BUILD) as machine:
        job_with_command(machine, origin, "alice", "stay", sleeper(machine, "alice", "stay"), "stay")
        pid = pid_of(machine, "alice", "stay")
        core = machine.processes.pop("core")
        core.terminate()
        core.wait()
        machine.wait(lambda: not is_alive(pid), "the program's end")
        machine.wait(lambda: machine.pid("dosvc-runner") is None, "the runner's end")


def test_users_whom_the_administrator_did_not_name_have_no_commands_either(machine):
    result = machine.run("daemon", "create", "x")
    assert result.returncode == 4, result.stderr


def test_a_configuration_that_forbids_commands_is_kept():
    with running(BUILD, config="NotifyCommands=no\n") as machine:
        job = machine.ok("alice", "create", "x").strip()
        result = machine.run("alice", "set", job, "notify_command=/bin/true")
        assert result.returncode == 4 and "NotifyCommands" in result.stderr
