"""dosvcd as a process: one per state folder, its sockets, how it starts, stops, idles and comes back."""
import contextlib
import os
import signal
import socket
import stat
import subprocess
import time

import pytest
from gi.repository import GLib

from conftest import BUILD
from service import Service, ServiceError

PROGRAM = os.path.join(BUILD, "src", "daemon", "dosvcd")
SECONDS = 20


def run(*words, environment=None, **options):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL,
                          env={**os.environ, **(environment or {})}, **options)


def wait_until(condition):
    """For what sends no event."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def service(tmp_path):
    made = Service(BUILD, str(tmp_path / "state"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def start(tmp_path):
    """Starts one with these words and waits until it says that it is ready."""
    processes = []

    def starter(*words, environment=None, **options):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            path = str(tmp_path / f"ready{len(processes)}")
            ready.bind(path)
            ready.settimeout(SECONDS)
            process = subprocess.Popen([PROGRAM, "--user", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, text=True,
                                       env={**os.environ, "NOTIFY_SOCKET": path, **(environment or {})}, **options)
            processes.append(process)
            assert b"READY=1" in ready.recv(4096)
        return process
    yield starter
    for process in processes:
        process.terminate()
        process.communicate(timeout=SECONDS)


def says_ok(stream):
    """Line by line, as it comes."""
    heard = b""
    while b"OK" not in heard:
        part = stream.recv(256)
        if not part:
            return False
        heard += part
    return True


def answers(path):
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(str(path))
        stream.sendall(b"\0AUTH EXTERNAL\r\nDATA\r\n")
        stream.settimeout(SECONDS)
        return says_ok(stream)


# ---- options ----

def test_help_version_and_wrong_words():
    assert "--state-dir" in run("--help").stdout
    assert run("--version").stdout.startswith("dosvcd ")
    for words in ((), ("--user", "--system"), ("--user", "more"), ("--user", "--idle-exit", "soon"), ("--user", "--nonsense"), ("--user", "--socket", "")):
        result = run(*words)
        assert result.returncode == 2 and result.stderr.startswith(("dosvcd: ", PROGRAM)), result
    assert "--user or --system" in run("--user", "--system").stderr


def test_the_defaults_follow_the_xdg_directories(start, tmp_path):
    (tmp_path / "run").mkdir(mode=0o700)
    environment = {"XDG_STATE_HOME": str(tmp_path / "a" / "b"), "XDG_RUNTIME_DIR": str(tmp_path / "run"),
                   "XDG_CONFIG_HOME": str(tmp_path / "config")}
    (tmp_path / "config" / "dosvc").mkdir(parents=True)
    (tmp_path / "config" / "dosvc" / "dosvc.conf").write_text("[Service]\nNonsense=1\n")
    process = start(environment=environment)
    state = tmp_path / "a" / "b" / "dosvc"
    for path in (state / "bus", tmp_path / "run" / "dosvc" / "bus"):
        assert answers(path)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(state).st_mode) == 0o700
    process.terminate()
    assert "dosvc.conf:2: there is no setting Nonsense" in process.communicate(timeout=SECONDS)[0]
    assert process.returncode == 0


def test_a_socket_path_that_is_too_long_is_said(tmp_path):
    deep = tmp_path / ("x" * 110)
    result = run("--user", "--state-dir", str(deep))
    assert result.returncode == 1 and "too long" in result.stderr and "--socket" in result.stderr
    result = run("--user", "--state-dir", str(tmp_path / "s"), "--socket", str(deep))
    assert result.returncode == 1 and "too long" in result.stderr


def test_a_relative_socket_is_made_absolute(start, tmp_path):
    start("--state-dir", "state", "--socket", "here", cwd=tmp_path)
    assert (tmp_path / "state" / "lock").read_text().splitlines()[2] == f"unix:path={tmp_path}/here"


# ---- configuration ----

def test_configuration_comes_from_file_and_drop_ins_and_what_is_wrong_is_said(tmp_path):
    service = Service(BUILD, str(tmp_path / "state"), "MaxClients=7\nTimeSlice=0\nHistoryMaxEntries=many\nCheckpointBytes=1M ; one\n"
                      "MinimumFreeSpace = 2M\nbroken line\n[Other]\nMaxClients=9\n" + "X" * 300 + "=1\n")
    os.makedirs(service.state + "/dosvc.conf.d", mode=0o700)
    os.chmod(service.state, 0o700)
    for name, text in (("20.conf", "[Service]\nMaxClients=21\n"), ("10.conf", "[Service]\nMaxClients=11\nTimeSlice=10\n"), ("x.txt", "bad")):
        with open(f"{service.state}/dosvc.conf.d/{name}", "w", encoding="utf-8") as f:
            f.write(text)
    service.start()
    rows = {row[0]: row[1:3] for row in service.call("/org/dosvc", "Manager1", "ListConfiguration")[0]}
    assert service.stop() == 0
    assert rows["MaxClients"] == ("21", service.config + ".d/20.conf:2")
    assert rows["TimeSlice"] == ("10", service.config + ".d/10.conf:3")
    assert rows["CheckpointBytes"] == ("1048576", service.config + ":5") and rows["MinimumFreeSpace"][0] == str(2 << 20)
    assert rows["HistoryMaxEntries"] == ("1000", "default")
    log = service.log()
    for text in ("dosvc.conf:3: TimeSlice must be from 1 to 86400", 'dosvc.conf:4: "many" is no value', "dosvc.conf:7: neither",
                 "dosvc.conf:9: there is no section [Other]", "dosvc.conf:10: the line is too long"):
        assert text in log, log


def test_a_configuration_that_was_named_must_be_there(tmp_path):
    result = run("--user", "--state-dir", str(tmp_path / "s"), "--config", str(tmp_path / "absent"))
    assert result.returncode == 1 and "absent" in result.stderr


def test_a_drop_in_that_cannot_be_read_is_named(service):
    os.mkdir(service.config + ".d")
    drop_in = service.config + ".d/50.conf"
    os.symlink("/nowhere", drop_in)
    with pytest.raises(Exception, match=drop_in + ": No such file"):
        service.call("/org/dosvc", "Manager1", "Reload")
    assert f"{service.config} stays as it was: {drop_in}: No such file" in service.log()
    service.stop()
    result = run("--user", "--state-dir", service.state, "--config", service.config)
    assert result.returncode == 1 and f"{drop_in}: No such file" in result.stderr


# ---- one service per state folder ----

def test_the_lock_file_says_who_and_where(service):
    with open(service.state + "/lock", encoding="ascii") as f:
        pid, boot, address = f.read().splitlines()
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
        assert boot == f.read().strip().replace("-", "")
    assert int(pid) == service.process.pid and address == service.address
    assert stat.S_IMODE(os.stat(service.state + "/lock").st_mode) == 0o600


def test_an_address_is_escaped_by_the_rules_of_dbus(start, tmp_path):
    start("--state-dir", str(tmp_path / "s"), "--socket", str(tmp_path / "a,b c%é"))
    assert (tmp_path / "s" / "lock").read_text().splitlines()[2] == f"unix:path={tmp_path}/a%2cb%20c%25%c3%a9"


def test_a_second_service_leaves_with_success(service):
    result = run("--user", "--state-dir", service.state)
    assert result.returncode == 0
    assert result.stdout == f"dosvcd: already running (pid {service.process.pid}) at {service.address}\n"
    assert service.list_jobs() == {}


def test_another_machines_service_is_a_refusal(tmp_path):
    import fcntl
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    with open(state / "lock", "w", encoding="ascii") as f:
        f.write("77\n" + "0" * 32 + "\nunix:path=/x\n")
        f.flush()
        fcntl.flock(f, fcntl.LOCK_EX)
        result = run("--user", "--state-dir", str(state))
    assert result.returncode == 1 and "another machine" in result.stderr and "77" in result.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to give a folder away")
def test_somebody_elses_state_folder_is_refused(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 65534, 65534)
    result = run("--user", "--state-dir", str(state))
    assert result.returncode == 1 and "another user" in result.stderr


def test_a_state_folder_that_is_open_to_others_is_closed(start, tmp_path):
    (tmp_path / "state").mkdir(mode=0o755)
    start("--state-dir", str(tmp_path / "state"))
    assert stat.S_IMODE(os.stat(tmp_path / "state").st_mode) == 0o700
    for name in os.listdir(tmp_path / "state"):
        assert stat.S_IMODE(os.stat(tmp_path / "state" / name).st_mode) == 0o600, name


# ---- sockets ----

def test_a_socket_that_a_dead_service_left_is_replaced(service):
    service.kill()
    assert stat.S_ISSOCK(os.stat(service.socket).st_mode)
    service.start()
    assert service.list_jobs() == {}


def test_a_socket_that_somebody_serves_is_left_alone(tmp_path):
    path = str(tmp_path / "theirs")
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(path)
        theirs.listen()
        result = run("--user", "--state-dir", str(tmp_path / "s"), "--socket", path)
        assert result.returncode == 1 and "somebody else serves" in result.stderr
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(path)


def test_what_is_no_socket_is_left_alone(tmp_path):
    (tmp_path / "file").write_text("precious")
    result = run("--user", "--state-dir", str(tmp_path / "s"), "--socket", str(tmp_path / "file"))
    assert result.returncode == 1 and (tmp_path / "file").read_text() == "precious"


def test_a_socket_that_vanishes_is_made_again(start, tmp_path):
    runtime = tmp_path / "run"
    runtime.mkdir()
    start(environment={"XDG_STATE_HOME": str(tmp_path / "s"), "XDG_RUNTIME_DIR": str(runtime), "XDG_CONFIG_HOME": str(tmp_path)})
    path = runtime / "dosvc" / "bus"
    assert answers(path)
    os.unlink(path)
    wait_until(path.exists)
    assert answers(path)
    # The whole directory, as at log-out, and back as at log-on.
    runtime.rename(tmp_path / "gone")
    runtime.mkdir()
    wait_until(path.exists)
    assert answers(path)


def test_a_listening_socket_may_be_handed_over(tmp_path, start):
    path = str(tmp_path / "handed")
    with socket.socket(socket.AF_UNIX) as handed:
        handed.bind(path)
        handed.listen()

        def prepare():
            os.dup2(handed.fileno(), 3)
            os.environ["LISTEN_PID"] = str(os.getpid())
        # LISTEN_PID must be that of the program itself: a shell that becomes it knows.
        shell = f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" --user --state-dir "{tmp_path}/s"'
        process = subprocess.Popen(["sh", "-c", shell, PROGRAM], preexec_fn=prepare, pass_fds=(3,), stdin=subprocess.DEVNULL)
    assert answers(path)
    process.terminate()
    assert process.wait(SECONDS) == 0
    assert os.path.exists(path)  # it belongs to whoever made it


# ---- ends and beginnings ----

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(service, number):
    service.create("kept", [])
    service.process.send_signal(number)
    assert service.process.wait(SECONDS) == 0
    assert sorted(os.listdir(service.state)) == ["dosvc.conf", "dosvc.key", "jobs.reserve", "jobs.sqlite", "lock"]


def test_somebody_who_opens_a_file_while_it_has_a_lease_does_not_end_it(service):
    """The kernel tells who has the lease, by SIGIO."""
    service.process.send_signal(signal.SIGIO)
    service.create("kept", [])
    assert service.process.poll() is None


def test_a_job_outlives_kill_9_right_after_the_answer(service, tmp_path):
    jobs = {}
    for i in range(5):
        job = service.create(f"job {i}", [("http://127.0.0.1:1/x", str(tmp_path / f"file {i}"), {})], Description="d")
        jobs[job] = service.list_jobs()[job]
        service.kill()
        assert os.path.exists(service.state + "/running")
        service.start()
        assert {k: v for k, v in service.list_jobs().items()} == jobs
        assert "did not end well" in service.log()


def test_it_leaves_when_idle_and_no_sooner(start, tmp_path):
    began = time.monotonic()
    process = start("--state-dir", str(tmp_path / "s"), "--idle-exit", "1")
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect(str(tmp_path / "s" / "bus"))
        stream.sendall(b"\0AUTH EXTERNAL\r\nDATA\r\n")
        assert says_ok(stream)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)  # a client is here
        left = time.monotonic()
    assert process.wait(SECONDS) == 0
    assert time.monotonic() - left > 0.9 and left - began > 1.9
    assert not (tmp_path / "s" / "running").exists() and not (tmp_path / "s" / "bus").exists()


def test_it_does_not_leave_while_a_job_waits_for_its_next_try(tmp_path):
    service = Service(BUILD, str(tmp_path / "state"), "MinimumRetryDelayDO=1\n", arguments=["--idle-exit", "1"])
    service.start()
    job = service.create("stubborn", [("http://127.0.0.1:1/x", str(tmp_path / "x"), {})], Resume=True)
    assert service.wait_state(job, ["transient_error"]) == "transient_error"
    service.bus.close_sync(None)
    with pytest.raises(subprocess.TimeoutExpired):
        service.process.wait(3)
    service.connect()
    service.job_call(job, "Cancel")
    service.bus.close_sync(None)
    assert service.process.wait(SECONDS) == 0


def test_it_does_not_leave_while_a_notify_command_runs(tmp_path):
    """The job may be gone already: what takes its files away must not be cut off."""
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nuntil [ -e {tmp_path}/go ]; do sleep 0.05; done\nexit 0\n")
    script.chmod(0o755)
    service = Service(BUILD, str(tmp_path / "state"), "MinimumRetryDelayDO=1\n", arguments=["--idle-exit", "1"])
    service.start()
    job = service.create("notifies", [("http://127.0.0.1:1/x", str(tmp_path / "x"), {})])
    service.job_call(job, "SetProperties", GLib.Variant("(a{sv})", ({"NotifyCommand": GLib.Variant("s", str(script)),
                                                                     "NoProgressTimeout": GLib.Variant("u", 0)},)))
    service.job_call(job, "Resume")
    assert service.wait_state(job, ["error"]) == "error"
    deadline = time.monotonic() + SECONDS
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    service.job_call(job, "Cancel")
    service.bus.close_sync(None)
    with pytest.raises(subprocess.TimeoutExpired):
        service.process.wait(3)
    (tmp_path / "go").touch()
    assert service.process.wait(SECONDS) == 0


def system_calls(path):
    with open(path, "rb") as f:
        return f.read().count(b"\n")


def test_an_idle_service_makes_no_system_call_at_all(tmp_path):
    if subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("strace does not work here")
    trace = str(tmp_path / "trace")
    wrapper = tmp_path / "traced"
    wrapper.write_text(f'#!/bin/sh\nexec strace -f -qq -o "{trace}" "{PROGRAM}" "$@"\n')
    wrapper.chmod(0o755)
    service = Service(BUILD, str(tmp_path / "state"), program=str(wrapper))
    service.start()
    suspended = service.create("suspended", [("http://127.0.0.1:1/x", str(tmp_path / "x"), {})])
    service.call("/org/dosvc", "Manager1", "Subscribe", GLib.Variant("(s)", ("",)))
    service.job_call(suspended, "SetNotify", GLib.Variant("(b)", (True,)))
    before = system_calls(trace)
    assert service.get(suspended, "State") == "suspended"
    wait_until(lambda: system_calls(trace) > before)  # the trace is live
    while True:  # until a whole second went by in silence: what was begun may end
        before = system_calls(trace)
        time.sleep(1)
        if system_calls(trace) == before:
            break
    time.sleep(3)
    assert system_calls(trace) == before
    for pid in service.children():
        os.kill(pid, signal.SIGTERM)
    service.process.wait(SECONDS)


# ---- trouble ----

def test_a_state_that_is_damaged_is_moved_aside_and_said_loudly(service):
    service.create("lost", [])
    service.kill()
    for name in os.listdir(service.state):
        if name.startswith("jobs.sqlite"):
            with open(f"{service.state}/{name}", "r+b") as f:
                f.write(b"\xa5" * os.fstat(f.fileno()).st_size)
    service.start()
    assert "DAMAGED BEYOND REPAIR" in service.log()
    assert service.list_jobs() == {}
    aside = [n for n in os.listdir(service.state) if n.startswith("jobs.sqlite.") or "damaged" in n]
    assert aside, os.listdir(service.state)
    job = service.create("new", [])
    service.kill()
    service.start()
    assert list(service.list_jobs()) == [job]


def test_a_state_of_a_newer_version_is_not_touched(service):
    import sqlite3
    service.create("precious", [])
    assert service.stop() == 0
    path = service.state + "/jobs.sqlite"
    with sqlite3.connect(path) as database:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        database.execute("PRAGMA user_version = 1000000")
    with open(path, "rb") as f:
        before = f.read()
    result = run("--user", "--state-dir", service.state)
    assert result.returncode == 78 and "newer version" in result.stderr
    with open(path, "rb") as f:
        assert f.read() == before
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {version}")
    service.start()
    assert [job["Name"] for job in service.list_jobs().values()] == ["precious"]


def test_a_state_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "jobs.sqlite").mkdir()
    result = run("--user", "--state-dir", str(tmp_path / "state"))
    assert result.returncode == 1 and f"the state in {tmp_path}/state cannot be used: " in result.stderr


def test_a_full_disk_refuses_and_forgets_nothing_that_was_acknowledged(service):
    """A file size limit of the process stands for the full disk."""
    kept = {service.create(f"job {i}", []) for i in range(3)}
    subprocess.run(["prlimit", "--pid", str(service.process.pid), "--fsize=4096:unlimited"], check=True)
    with pytest.raises((ServiceError, ConnectionError)) as refused:
        for i in range(1000):
            kept.add(service.create(f"more {i}", []))
    if isinstance(refused.value, ServiceError):
        assert refused.value.name in ("StoreFailed", "Unexpected"), refused.value
        assert set(service.list_jobs()) == kept
        subprocess.run(["prlimit", "--pid", str(service.process.pid), "--fsize=unlimited"], check=True)
        service.kill()
    else:
        assert service.process.wait(SECONDS) == 75  # start me again
    service.start()
    assert set(service.list_jobs()) == kept
    assert service.create("there is room again", []) in service.list_jobs()


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_clients_that_talk_rubbish_do_not_push_everybodys_lines_out_of_the_log(service):
    rubbish = b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\nBEGIN\r\n" + b"x" * 64
    for _ in range(100):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(SECONDS)
            client.connect(service.socket)
            client.sendall(rubbish)
            with contextlib.suppress(ConnectionError):
                while client.recv(1024):
                    pass
    log = service.log()
    assert log.count("is cut off: it sent what is no D-Bus message") == 20, log
    service.call("/org/dosvc", "Manager1", "GetServiceInfo")


def test_without_descriptors_clients_wait_and_the_service_stays_calm(service):
    pid = service.process.pid
    subprocess.run(["prlimit", "--pid", str(pid), f"--nofile={len(os.listdir(f'/proc/{pid}/fd'))}:"], check=True)
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.connect(service.socket)
        waiting.sendall(b"\0AUTH EXTERNAL\r\nDATA\r\n")
        wait_until(lambda: "no descriptors left" in service.log())
        used = cpu_seconds(pid)
        waiting.settimeout(1.5)
        with pytest.raises(socket.timeout):
            waiting.recv(256)
        assert cpu_seconds(pid) - used < 0.2
        assert service.list_jobs() == {}  # who is in is served
        subprocess.run(["prlimit", "--pid", str(pid), "--nofile=256:"], check=True)
        waiting.settimeout(SECONDS)
        assert says_ok(waiting)
