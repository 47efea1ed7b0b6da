"""dosvc get: the everyday verb against the real service."""
import fcntl
import hashlib
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time

import pytest
from conftest import BUILD, COMMAND, Instance, error_line
from origin import content, digest

MIB = 1 << 20


def assert_nothing_is_left(instance, target):
    assert instance.jobs() == []
    assert os.listdir(target) == []


def wait_until(condition, seconds=30):
    """For what no event tells: what a process has written, what a server was asked."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this did not come true in time"
        time.sleep(0.01)


def test_a_file_is_fetched_whole_and_leaves_nothing_beside_it(instance, origin, target):
    result = instance.run("get", origin.url("f.bin", 5 * MIB + 7), cwd=target)
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    assert "f.bin: done, 5.0 MiB" in result.stderr
    assert (target / "f.bin").read_bytes() == content("f.bin", 5 * MIB + 7)
    assert os.listdir(target) == ["f.bin"]
    assert instance.jobs() == []
    assert [(h["state"], h["bytes_transferred"]) for h in instance.json("history")] == [("acknowledged", 5 * MIB + 7)]


def test_an_empty_file_is_a_file(instance, origin, target):
    instance.run("get", "-q", origin.url("empty", 0), cwd=target, check=True)
    assert (target / "empty").read_bytes() == b""


def test_a_host_beyond_ascii_is_asked_by_its_ascii_name(instance, origin, target):
    url = origin.url("f", 1000).replace("127.0.0.1", "bücher.localhost")
    assert "bücher" in url
    instance.run("get", "-q", url, cwd=target, check=True)
    assert (target / "f").read_bytes() == content("f", 1000)
    # a wide slash: what came out would have another host in it
    result = instance.run("get", "http://h\uff0fx.localhost/f2", cwd=target)
    assert result.returncode == 2 and "internationalized domain name" in error_line(result)


def test_quiet_says_nothing(instance, origin, target):
    result = instance.run("get", "-q", origin.url("f", MIB), cwd=target)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_names_are_decoded_and_the_mode_follows_umask(instance, origin, target):
    old = os.umask(0o027)
    try:
        instance.run("get", "-q", origin.url("a%20b%C3%A4", 3), cwd=target, check=True)
    finally:
        os.umask(old)
    assert os.listdir(target) == ["a b\u00e4"]
    assert os.stat(target / "a b\u00e4").st_mode & 0o7777 == 0o640


def test_output_and_directory_decide_the_place(instance, origin, target):
    (target / "sub").mkdir()
    instance.run("get", "-q", "-o", "sub/x", origin.url("f", 10), cwd=target, check=True)
    instance.run("get", "-q", "-d", "sub", origin.url("g", 10), cwd=target, check=True)
    assert sorted(os.listdir(target / "sub")) == ["g", "x"]


def test_a_right_digest_is_accepted_and_a_wrong_one_shows_no_file(instance, origin, target):
    instance.run("get", "-q", "--sha256", digest("good", MIB), origin.url("good", MIB), cwd=target, check=True)
    result = instance.run("get", "--sha256", "0" * 64, origin.url("bad", MIB), cwd=target)
    assert digest("bad", MIB) in result.stderr
    assert result.returncode == 8
    assert "0x80D06805" in error_line(result)
    assert not os.path.exists(target / "bad")
    [job] = instance.jobs()
    assert job["state"] == "error" and job["error"]["name"] == "DigestMismatch"
    instance.run("cancel", job["id"], check=True)
    assert os.listdir(target) == ["good"]


def test_what_exists_is_refused_kept_or_replaced_as_asked(instance, origin, target):
    old = b"was here"
    (target / "f").write_bytes(old)
    result = instance.run("get", origin.url("f", 100), cwd=target)
    assert result.returncode == 7 and str(target / "f") in error_line(result)
    same = hashlib.sha256(old).hexdigest()
    result = instance.run("get", "--sha256", same, origin.url("f", 100), cwd=target)
    assert result.returncode == 0 and "already there" in result.stderr
    assert (target / "f").read_bytes() == old and origin.requests == []
    instance.run("get", "-q", "--replace", origin.url("f", 100), cwd=target, check=True)
    assert (target / "f").read_bytes() == content("f", 100)


@pytest.mark.parametrize("extra", [[], ["--replace"], ["--sha256", "0" * 64]])
def test_a_destination_that_is_no_file_is_named_for_what_it_is(instance, origin, target, extra):
    """Nobody is asked to remove a folder or a device."""
    (target / "folder").mkdir()
    line = error_line(instance.run("get", "-o", "folder", *extra, origin.url("f", 100), cwd=target))
    assert f"{target / 'folder'} is a directory" in line and "-d" in line and "remove" not in line
    result = instance.run("get", "-o", "/dev/null", *extra, origin.url("f", 100), cwd=target)
    assert result.returncode == 7 and "no regular file" in error_line(result) and "remove" not in result.stderr


def test_a_link_is_never_replaced(instance, origin, target):
    (target / "real").write_bytes(b"real")
    os.symlink("real", target / "f")
    result = instance.run("get", "--replace", origin.url("f", 100), cwd=target)
    assert result.returncode == 7
    assert os.path.islink(target / "f") and (target / "real").read_bytes() == b"real"


def test_a_missing_file_is_the_remote_side(instance, small, target):
    result = instance.run("get", small.url("status/404"), cwd=target)
    assert result.returncode == 6
    line = error_line(result)
    assert "0x80190194" in line and small.url("status/404") in line and "dosvc resume" in line
    assert not os.path.exists(target / "404")
    [job] = instance.jobs()
    assert job["state"] == "error" and job["error"]["hresult"] == "0x80190194" and job["waiting_reason"] == "attention"
    instance.run("cancel", job["id"], check=True)
    assert os.listdir(target) == []


@pytest.mark.parametrize("status", [400, 401, 403, 410, 451])
def test_other_refusals_of_the_server_are_fatal(instance, small, target, status):
    assert instance.run("get", "-q", small.url(f"status/{status}"), cwd=target).returncode == 6


@pytest.mark.parametrize("words, code", [
    (["http://127.0.0.1:1/" + "a" * 8200, "-o", "f"], 2),
    (["ftp://127.0.0.1/f"], 2),
    (["file:///etc/passwd"], 2),
    (["http://127.0.0.1:1/a b", "-o", "f"], 2),
    (["http://127.0.0.1:1/a\nb", "-o", "f"], 2),
    (["http:///f", "-o", "f"], 2),
    (["http://127.0.0.1:1/f", "-o", "missing/f"], 7),
    (["http://127.0.0.1:1/f", "-o", "n" * 257], 2),
    (["http://127.0.0.1:1/f", "-o", "."], None),
    (["http://127.0.0.1:1/f", "--size", str(1 << 60)], 7),
])
def test_bad_input_is_refused_at_once_and_nothing_is_left(instance, target, words, code):
    result = instance.run("get", *words, cwd=target)
    assert result.returncode == code if code else result.returncode in (2, 7), result.stderr
    assert result.stdout == ""
    error_line(result)
    assert_nothing_is_left(instance, target)


@pytest.fixture
def plain_user(tmp_path_factory):
    """An instance whose service and command run as somebody who is not root; (instance, a folder of theirs)."""
    if os.geteuid() != 0:
        folder = tmp_path_factory.mktemp("plain")
        made, prefix = Instance(str(folder)), []
    else:
        # Their own copy of the programs: they may not be allowed to look where the build is.
        folder = pathlib.Path(tempfile.mkdtemp(prefix="dosvc-plain-"))
        for program in ("daemon/dosvcd", "daemon/dosvc-transfer", "daemon/dosvc-resolve", "daemon/dosvc-notify", "cli/dosvc", "client/libdosvc.so.1"):
            shutil.copy(os.path.join(BUILD, "src", program), folder)
        made = Instance(str(folder))
        made.program = str(folder / "dosvcd")
        prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        made.wrapper = prefix
        os.makedirs(made.state, mode=0o700)
        subprocess.run(["chown", "-R", "65534:65534", str(folder)], check=True)
    command = [str(folder / "dosvc")] if prefix else [COMMAND]
    made.start(wait=False)
    environment = {**made.command_environment(), "LD_LIBRARY_PATH": str(folder), "HOME": str(folder)}

    def run(*words, cwd):
        return subprocess.run(prefix + command + [str(w) for w in words], cwd=cwd, text=True, capture_output=True, timeout=60,
                              env=environment, check=False)
    end = time.monotonic() + 10
    while run("list", cwd="/").returncode != 0:
        assert time.monotonic() < end, made.log()
        time.sleep(0.02)
    yield run, folder
    made.close()
    shutil.rmtree(folder)


# SENTENCES: limits.local.access
def test_a_directory_without_permission_is_a_local_error(plain_user, origin):
    run, folder = plain_user
    target = folder / "target"
    target.mkdir()
    os.chown(target, 65534 if os.geteuid() == 0 else os.getuid(), -1)
    assert run("get", origin.url("f", 10), cwd=target).returncode == 0
    os.chmod(target, 0o500)
    result = run("get", origin.url("g", 10), cwd=target)
    assert result.returncode == 7, result.stderr
    assert "ermission" in error_line(result) or "denied" in error_line(result)
    assert sorted(os.listdir(target)) == ["f"]


def test_a_list_with_names_and_digests_becomes_one_job(instance, origin, target):
    lines = [f"{origin.url('a', MIB)} sha256={digest('a', MIB)} out=first file",
             "# a comment", f"{origin.url('b', 10)} out=sub/second", f"{origin.url('c', 0)}"]
    (target / "sub").mkdir()
    result = instance.run("get", "-i", "-", "-d", target, stdin="\n".join(lines) + "\n")
    assert result.returncode == 0, result.stderr
    assert "3 files: done" in result.stderr
    assert (target / "first file").read_bytes() == content("a", MIB)
    assert (target / "sub/second").read_bytes() == content("b", 10)
    assert (target / "c").read_bytes() == b""
    assert [h["files_total"] for h in instance.json("history")] == [3]


def test_detach_prints_the_id_alone_and_the_service_finishes(instance, origin, target):
    origin.rate = 20 * MIB
    result = instance.run("get", "--detach", origin.url("f", 10 * MIB), cwd=target, check=True)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n", result.stdout)
    assert result.stderr == ""
    assert instance.run("watch", result.stdout.strip()).returncode == 0
    assert (target / "f").read_bytes() == content("f", 10 * MIB)


def test_the_same_command_again_attaches(instance, origin, target):
    origin.rate = MIB
    first = instance.run("get", "--detach", origin.url("f", 10 * MIB), cwd=target, check=True).stdout
    second = instance.run("get", "--detach", origin.url("f", 10 * MIB), cwd=target, check=True).stdout
    assert first == second
    attached = instance.json("get", "--detach", origin.url("f", 10 * MIB), cwd=target)
    assert attached["id"] == first.strip() and attached["attached"] is True
    assert instance.run("get", "--detach", origin.url("g", 10 * MIB), cwd=target, check=True).stdout != first


def test_options_that_are_given_again_hold_for_the_job_that_is_there(instance, origin, target):
    origin.rate = MIB
    job_id = instance.run("get", "--detach", origin.url("f", 10 * MIB), cwd=target, check=True).stdout.strip()
    words = ["--replace", "--background", "--remote-time", "--no-progress-timeout", "90", "--limit-rate", "100k"]
    keys = ["replace", "priority", "remote_time", "no_progress_timeout", "max_rate"]
    job = instance.json("get", "--detach", *words, origin.url("f", 10 * MIB), cwd=target)
    assert job["id"] == job_id and [job[key] for key in keys] == [True, "normal", True, 90, 100 << 10]
    job = instance.json("get", "--detach", origin.url("f", 10 * MIB), cwd=target)
    assert job["id"] == job_id and [job[key] for key in keys] == [True, "normal", True, 90, 100 << 10]
    assert job["state"] in ("queued", "transferring")


def test_a_file_that_came_meanwhile_is_replaced_by_the_same_command_with_replace(instance, origin, target):
    origin.rate = MIB
    job_id = instance.run("get", "--detach", origin.url("f", 2 * MIB), cwd=target, check=True).stdout.strip()
    (target / "f").write_text("was faster")
    assert instance.run("watch", job_id).returncode == 7
    assert instance.run("get", origin.url("f", 2 * MIB), cwd=target).returncode == 7
    result = instance.run("get", "--replace", origin.url("f", 2 * MIB), cwd=target)
    assert result.returncode == 0 and "going on" in result.stderr, result.stderr
    assert (target / "f").read_bytes() == content("f", 2 * MIB)


def test_get_gives_up_when_it_was_told_to(instance, target):
    result = instance.run("get", "--no-progress-timeout", "0", "http://127.0.0.1:1/f", cwd=target)
    assert result.returncode == 6 and "connection" in error_line(result)
    assert instance.jobs()[0]["state"] == "error"


def test_a_name_that_is_not_utf_8_is_a_name(instance, origin, target):
    instance.run("get", "-q", "-o", os.fsdecode(b"a\xff"), origin.url("f", 10), cwd=target, check=True)
    assert os.listdir(os.fsencode(target)) == [b"a\xff"]
    assert instance.json("history")[0]["name"] == "a?"


def test_ctrl_c_suspends_and_the_same_command_goes_on(instance, origin, target):
    size = 64 * MIB
    origin.rate = 20 * MIB
    words = ["get", "--sha256", digest("f", size), origin.url("f", size)]
    process = instance.spawn(*words, cwd=target)
    wait_until(lambda: instance.jobs() and instance.jobs()[0]["bytes_durable"] >= 18 * MIB)
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert "dosvc resume" in stderr
    [job] = instance.jobs()
    assert job["state"] == "suspended" and job["waiting_reason"] == "resume"
    assert os.listdir(target) != ["f"]
    origin.rate = None
    result = instance.run(*words, cwd=target)
    assert result.returncode == 0, result.stderr
    assert f"going on with job {job['id'][:8]}" in result.stderr
    assert (target / "f").read_bytes() == content("f", size)
    # One checkpoint and what was under way in buffers may come twice, not more.
    assert origin.sent <= size + 24 * MIB


def test_a_killed_client_changes_nothing(instance, origin, target):
    origin.rate = 20 * MIB
    process = instance.spawn("get", origin.url("f", 20 * MIB), cwd=target)
    wait_until(lambda: instance.jobs() and instance.jobs()[0]["bytes_transferred"] > MIB)
    job_id = instance.jobs()[0]["id"]
    process.kill()
    process.wait()
    assert instance.run("watch", job_id).returncode == 0
    assert (target / "f").read_bytes() == content("f", 20 * MIB)


def test_a_killed_service_goes_on_and_so_does_the_command(instance, origin, target):
    size = 64 * MIB
    origin.rate = 20 * MIB
    process = instance.spawn("get", origin.url("f", size), cwd=target)
    wait_until(lambda: instance.jobs() and instance.jobs()[0]["bytes_durable"] >= 18 * MIB)
    instance.kill()
    origin.rate = None
    instance.start()
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 0, stderr + instance.log()
    assert (target / "f").read_bytes() == content("f", size)
    assert origin.sent <= size + 40 * MIB


def test_a_server_that_goes_away_is_waited_for_and_said(instance, origin, target):
    size = 32 * MIB
    origin.rate = 16 * MIB
    process = instance.spawn("get", origin.url("f", size), cwd=target)
    wait_until(lambda: instance.jobs() and instance.jobs()[0]["bytes_transferred"] > MIB)
    origin.down()
    wait_until(lambda: instance.jobs()[0]["state"] == "transient_error")
    job = instance.jobs()[0]
    assert job["waiting_reason"] == "retry" and job["waiting_since"] and job["retry_time"] and job["error"]["context"]
    assert "next try" in instance.run("list").stdout
    origin.rate = None
    origin.up()
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 0, stderr
    assert "waits for its next try" in stderr
    assert (target / "f").read_bytes() == content("f", size)


def test_a_cancelled_job_ends_the_command_with_an_error(instance, origin, target):
    origin.rate = MIB
    process = instance.spawn("get", origin.url("f", 50 * MIB), cwd=target)
    wait_until(lambda: instance.jobs() and instance.jobs()[0]["bytes_transferred"] > 0)
    instance.run("cancel", instance.jobs()[0]["id"], check=True)
    stderr = process.communicate(timeout=30)[1]
    assert process.returncode == 1 and "was cancelled" in stderr
    assert os.listdir(target) == []


def test_remote_time_is_the_servers(instance, small, target):
    instance.run("get", "-q", "--remote-time", small.url("dated"), cwd=target, check=True)
    assert int(os.stat(target / "dated").st_mtime) == 784111777
    instance.run("get", "-q", "-o", "now", small.url("dated"), cwd=target, check=True)
    assert time.time() - os.stat(target / "now").st_mtime < 3600


def test_json_of_get_is_the_finished_job(instance, origin, target):
    result = instance.run("get", "--json", origin.url("f", 1000), cwd=target, check=True)
    job = json.loads(result.stdout)
    assert result.stderr == ""
    assert job["state"] == "acknowledged" and job["attached"] is False and job["already_there"] == [] and job["error"] is None


def test_json_of_a_failed_get_still_says_what_failed(instance, small, target):
    result = instance.run("get", "--json", small.url("status/404"), cwd=target)
    assert result.returncode == 6
    assert json.loads(result.stdout)["error"]["name"] in ("FileNotFound", "HttpStatus")


def test_get_makes_a_foreground_job_that_completes_itself(instance, origin, target):
    origin.rate = MIB
    front = instance.json("get", "--detach", origin.url("f", 20 * MIB), cwd=target)
    back = instance.json("get", "--detach", "--background", "--replace", "--remote-time", origin.url("g", 20 * MIB), cwd=target)
    assert front["priority"] == "foreground" and back["priority"] == "normal"
    assert front["complete_when_transferred"] is True and front["no_progress_timeout"] == 14 * 24 * 3600
    assert (front["replace"], back["replace"], back["remote_time"]) == (False, True, True)


def test_without_a_terminal_progress_comes_in_plain_lines(instance, origin, target):
    origin.rate = 4 * MIB
    result = instance.run("get", origin.url("f", 10 * MIB), cwd=target, check=True)
    assert "\r" not in result.stderr and "\033" not in result.stderr
    assert len(result.stderr.splitlines()) < 10
    assert re.search(r"f +\d+%  [\d.]+ \w+ of 10\.0 MiB", result.stderr)


class Terminal:
    def __init__(self, instance, words, columns, cwd):
        self.leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen([COMMAND, *words], stdin=follower, stdout=follower, stderr=follower, cwd=cwd,
                                        env=instance.command_environment())
        instance.spawned.append(self.process)
        os.close(follower)
        self.output = b""

    def read_more(self):
        """False: the command ended."""
        assert select.select([self.leader], [], [], 60)[0], self.output
        try:
            data = os.read(self.leader, 65536)
        except OSError:
            return False
        self.output += data
        return data != b""

    def read(self, until=None):
        """Until the word is there, else until the command ends."""
        while not (until and until in self.output) and self.read_more():
            pass
        assert not until or until in self.output, self.output

    def close(self):
        self.read()
        os.close(self.leader)
        return self.process.wait(10), self.output.decode()


def run_on_terminal(instance, words, columns, cwd):
    return Terminal(instance, words, columns, cwd).close()


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_on_a_terminal_one_line_is_redrawn_within_its_width(instance, origin, target, columns):
    origin.rate = 10 * MIB
    begun = time.monotonic()
    name = "a-rather-long-name-of-a-file-that-needs-room.bin"
    code, output = run_on_terminal(instance, ["get", origin.url(name, 20 * MIB)], columns, target)
    seconds = time.monotonic() - begun
    assert code == 0, output
    drawn = [re.sub(r"\033\[K", "", part) for part in output.split("\r") if "%" in part]
    assert len(drawn) >= 3
    assert len(drawn) <= seconds * 10 + 2
    assert all(len(line) < columns for line in drawn), drawn
    if columns >= 80:
        assert any("/s" in line and "left" in line for line in drawn)
    if columns == 200:
        assert any("[==" in line for line in drawn)


@pytest.mark.parametrize("verb", ["get", "watch"])
def test_on_a_terminal_a_service_that_goes_away_is_waited_for(instance, origin, target, verb):
    origin.rate = MIB
    words = ["get", origin.url("f", 8 * MIB)]
    if verb == "watch":
        words = ["watch", instance.run(words[0], "--detach", words[1], cwd=target, check=True).stdout.strip()]
    terminal = Terminal(instance, words, 100, target)
    terminal.read(until=b"%")
    instance.kill()
    terminal.read(until=b"waits for the service")
    origin.rate = None
    instance.start()
    code, output = terminal.close()
    assert code == 0, output
    assert (target / "f").read_bytes() == content("f", 8 * MIB)


def test_on_a_terminal_ctrl_c_ends_the_wait_for_a_service_and_the_error_has_a_line_of_its_own(instance, origin, target):
    origin.rate = MIB
    terminal = Terminal(instance, ["get", origin.url("f", 8 * MIB)], 100, target)
    terminal.read(until=b"%")
    instance.kill()
    terminal.read(until=b"waits for the service")
    terminal.process.send_signal(signal.SIGINT)
    code, output = terminal.close()
    assert code == 5 and "\r\033[Kdosvc: get: cannot suspend the job" in output, output


def test_watch_on_a_terminal_counts_down_what_is_left_to_wait(instance, target):
    job_id = instance.run("get", "--detach", "http://127.0.0.1:1/f", cwd=target, check=True).stdout.strip()
    instance.run("set", job_id, "minimum_retry_delay=60", check=True)
    wait_until(lambda: instance.jobs()[0]["error_count"] >= 2 or instance.jobs()[0]["retry_time"])
    terminal = Terminal(instance, ["watch", job_id], 100, target)
    while len(set(re.findall(rb"next try in (\d+:\d+)", terminal.output))) < 3:
        assert terminal.read_more()
    terminal.process.send_signal(signal.SIGINT)
    terminal.close()
