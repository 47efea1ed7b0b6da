"""Setting and showing everything by key, rebase, stats and top."""
import json
import os
import pty
import re
import select
import signal
import struct
import fcntl
import subprocess
import termios

import pytest
from conftest import COMMAND, Instance, error_line
from origin import content
from test_cli_get import wait_until
from test_cli_jobs import create

MIB = 1 << 20


def properties(instance, job_id):
    return instance.json("show", "--all", job_id)[0]["properties"]


def test_every_key_that_can_be_set_is_shown_as_it_was_set(instance):
    job_id = create(instance, "x")
    wanted = {"name": "other", "description": "a text", "priority": "low", "notify_flags": 0x8, "minimum_retry_delay": 60,
              "notify_command": "/bin/true", "notify_parameters": 'true "a b"',
              "no_progress_timeout": 120, "life_time": 86400, "complete_when_transferred": True, "replace": True, "remote_time": True,
              "custom_headers": "X-One: 1\r\nX-Two: 2", "security_flags": 0x200, "client_certificate": "current_user/MY/name:agent 7", "http_method": "GET", "proxy_usage": 2, "proxy_list": "http://127.0.0.1:1",
              "proxy_bypass": "localhost", "max_download_size": 5 << 30, "cost_flags": 0x80000021, "notification_interval": 1000}
    written = {**wanted, "security_flags": "0x200", "cost_flags": "0x80000021", "max_download_size": "5G", "custom_headers": "X-One: 1\nX-Two: 2"}
    words = [f"{key}={ {True: 'yes'}.get(value, value) if value is True else value}" for key, value in written.items()]
    instance.run("set", job_id, *words, check=True)
    shown = properties(instance, job_id)
    assert {key: shown[key] for key in wanted} == wanted
    text = instance.run("show", "--all", job_id, check=True).stdout
    assert re.search(r"^max_download_size=5368709120 +\* +bytes ", text, re.MULTILINE)
    assert re.search(r"^custom_headers=X-One: 1 \| X-Two: 2 ", text, re.MULTILINE)
    instance.run("set", job_id, "max_rate=2m", check=True)
    assert properties(instance, job_id)["max_rate"] == 2 * MIB
    instance.run("set", job_id, "max-download-size=none", "custom_headers=", check=True)
    assert properties(instance, job_id)["max_download_size"] is None


def test_set_is_all_or_nothing(instance):
    job_id = create(instance, "x")
    for wrong in ("priority=urgent", "security_flags=0x80000", "nothing=1", "state=error"):
        result = instance.run("set", job_id, "name=changed", wrong)
        assert result.returncode in (1, 2), wrong
        error_line(result)
        assert instance.jobs()[0]["name"] == "x"


@pytest.mark.parametrize("word", ["notify_flags=64", "proxy_usage=3", "life_time=3153600001", "no_progress_timeout=4294967296", "notify_flags=0x",
                                  "notify_flags=0x1g", "max_download_size=1X", "max_download_size=99999999T", "replace=", "priority=", "name",
                                  "=x", "@/dev/null", "priority=high normal", "minimum_retry_delay=-1"])
def test_a_value_that_is_none_is_a_usage_error(instance, word):
    job_id = create(instance, "x")
    result = instance.run("set", job_id, word)
    assert result.returncode == 2, result.stderr
    error_line(result)


def test_a_key_that_is_refused_is_named(instance, origin, target):
    job_id = create(instance, "x")
    assert "set custom_headers: " in error_line(instance.run("set", job_id, "custom_headers=no header"))
    assert "A notify command is an absolute path" in error_line(instance.run("set", job_id, "notify_command=unpack"))
    instance.run("add", job_id, "-d", target, origin.url("a", 1), check=True)
    assert "set file.0.url: " in error_line(instance.run("set", job_id, "file.0.url=ftp://h/x"))
    result = instance.run("set", job_id, "file.1.url=http://h/x")
    assert result.returncode == 2 and "the job has no file 1;" in error_line(result)


def test_values_come_from_a_file_or_stdin_and_secrets_only_from_there(instance, tmp_path):
    job_id = create(instance, "x")
    (tmp_path / "headers").write_text("Authorization: Bearer token\nX-A: b\n")
    instance.run("set", job_id, f"custom_headers@{tmp_path}/headers", check=True)
    assert properties(instance, job_id)["custom_headers"] == "Authorization: Bearer token\r\nX-A: b"
    instance.run("set", job_id, "description@-", stdin="from stdin\n", check=True)
    assert properties(instance, job_id)["description"] == "from stdin"
    result = instance.run("set", job_id, "custom_headers=X-A: b\ncookie: c")
    assert result.returncode == 2 and "custom_headers@" in error_line(result)
    assert instance.run("set", job_id, f"name@{tmp_path}/absent").returncode == 7
    (tmp_path / "binary").write_bytes(b"a\0b")
    assert instance.run("set", job_id, f"name@{tmp_path}/binary").returncode == 7


def test_headers_that_became_write_only_are_not_shown(instance):
    job_id = create(instance, "x")
    instance.run("set", job_id, "custom_headers=X-Key: abc", "custom_headers_write_only=yes", check=True)
    shown = instance.run("show", "--all", job_id, "--json", check=True).stdout
    assert "abc" not in shown and properties(instance, job_id)["custom_headers_write_only"] is True


def test_files_get_other_urls_one_by_one_and_by_their_beginning(instance, small, target):
    job_id = create(instance, "x", "--complete-when-transferred")
    instance.run("add", job_id, "-d", target, "http://127.0.0.1:1/mirror/a", "http://127.0.0.1:1/mirror/b", check=True)
    instance.run("set", job_id, f"file.1.url={small.url('b')}", check=True)
    assert instance.run("rebase", job_id, "http://127.0.0.1:1/mirror/", small.url(""), check=True).stdout == "1\n"
    urls = [file["properties"]["url"] for file in instance.json("show", "--all", job_id)[0]["files"]]
    assert urls == [small.url("a"), small.url("b")]
    result = instance.run("rebase", job_id, "http://nowhere/", "http://x/")
    assert result.returncode == 1 and "no file" in error_line(result)
    assert instance.run("set", job_id, "file.7.url=http://127.0.0.1/").returncode != 0
    assert instance.run("set", job_id, "file.0.path=/tmp/x").returncode == 2
    instance.run("resume", job_id, check=True)
    assert instance.run("watch", job_id).returncode == 0
    assert (target / "a").read_bytes() == (target / "b").read_bytes() == small.body


def test_a_key_of_a_file_is_a_secret_that_can_be_set_and_is_never_shown(instance, origin, target):
    job_id = create(instance, "x")
    instance.run("add", job_id, "-d", target, origin.url("a", 1), check=True)
    info = json.dumps({"KeyData": "QUJDREVGR0hJSktMTU5PUA==", "EncryptionBufferSize": 65536, "AlgorithmName": "AES", "ChainingMode": "CBC"})
    assert instance.run("set", job_id, f"file.0.decryption_info={info}").returncode == 2
    result = instance.run("set", job_id, "file.0.decryption_info@-", stdin=info)
    assert result.returncode in (0, 2), result.stderr
    assert "QUJDREVG" not in result.stderr + instance.run("show", "--all", job_id, check=True).stdout


def test_show_all_has_a_block_for_each_file(instance, origin, target):
    job_id = create(instance, "x")
    instance.run("add", job_id, "-d", target, origin.url("a", 1), origin.url("b", 2), check=True)
    shown = instance.run("show", "-a", job_id, check=True).stdout
    assert re.findall(r"^index=(\d)", shown, re.MULTILINE) == ["0", "1"]
    assert f"path={target}/a" in shown


def test_stats_count_by_source_and_in_total(instance, origin, target):
    instance.run("get", "-q", origin.url("a", 3 * MIB), origin.url("b", MIB), cwd=target, check=True)
    job_id = create(instance, "live")
    instance.run("add", job_id, "-d", target, origin.url("c", 7), check=True)
    stats = instance.json("stats")
    assert [job["id"] for job in stats["jobs"]] == [job_id] and stats["jobs"][0]["bytes_total"] is None
    total = stats["total"]
    assert total["jobs"] == 2 and total["files_total"] == 3 and total["files_transferred"] == 2
    assert total["bytes_transferred"] == total["bytes_fetched"] == total["bytes_from_origin"] == 4 * MIB
    assert total["bytes_from_peers"] == total["bytes_from_mirrors"] == total["bytes_from_cache"] == total["bytes_fetched_again"] == 0
    assert stats["finished"]["bytes_total"] == 4 * MIB and total["bytes_per_second"] > 0
    lines = instance.run("stats", check=True).stdout.splitlines()
    assert lines[0].split() == ["ID", "STATE", "FILES", "BYTES", "ORIGIN", "MIRRORS", "CACHE", "TWICE", "AVERAGE", "TIME", "ERRORS"]
    assert lines[1].startswith(job_id[:8]) and lines[2].startswith("1 finished") and lines[3].startswith("2 in total")
    assert instance.json("stats", job_id)["total"]["jobs"] == 1
    assert instance.run("stats", "00000000-0000-0000-0000-000000000000").returncode == 3


def test_top_draws_one_picture(instance, origin, target):
    origin.rate = MIB
    create(instance, "stands")
    instance.run("get", "--detach", origin.url("f", 50 * MIB), cwd=target, check=True)
    wait_until(lambda: instance.jobs()[1]["state"] == "transferring")
    lines = instance.run("top", "--once", check=True).stdout.splitlines()
    assert re.fullmatch(r"dosvc top, \d\d:\d\d:\d\d: 2 jobs, 1 transferring, .*/s", lines[0])
    assert lines[1].split() == ["ID", "STATE", "DONE", "SIZE", "RATE", "LEFT", "NAME"]
    assert " transferring " in lines[2] and " suspended " in lines[3]
    assert "\033" not in "".join(lines)
    jobs = json.loads(instance.run("top", "--once", "--json", check=True).stdout)
    assert [job["name"] for job in jobs] == ["stands", "f"] and "bytes_per_second" in jobs[0]


class Terminal:
    """top on a terminal of 6 rows."""

    def __init__(self, instance, columns=80, command=(COMMAND, "top")):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 6, columns, 0, 0))
        self.modes = termios.tcgetattr(slave)
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave,
                                        env={**instance.command_environment(), "TERM": "xterm"}, start_new_session=True)
        self.slave = slave
        self.seen = b""

    def read_more(self):
        assert select.select([self.master], [], [], 20)[0], self.seen
        self.seen += os.read(self.master, 65536)

    def read_until(self, word):
        while word not in self.seen:
            self.read_more()

    def close(self):
        code = self.process.wait(20)
        assert termios.tcgetattr(self.slave) == self.modes
        os.close(self.master)
        os.close(self.slave)
        return code


@pytest.mark.parametrize("leave", ["q", "signal"])
def test_top_on_a_terminal_fits_is_drawn_again_and_leaves_it_as_it_was(instance, leave):
    for i in range(10):
        create(instance, f"job {i}")
    terminal = Terminal(instance)
    terminal.read_until(b"job 2")
    assert terminal.seen.startswith(b"\033[H\033[J") and b"job 3" not in terminal.seen
    first = len(terminal.seen)
    while terminal.seen.count(b"\033[H\033[J") < 2:
        terminal.read_more()
    assert len(terminal.seen) > first
    if leave == "q":
        os.write(terminal.master, b"q")
    else:
        terminal.process.send_signal(signal.SIGINT)
    assert terminal.close() == 0


@pytest.mark.parametrize("columns", [30, 60, 80])
def test_top_breaks_no_line_for_a_long_name(instance, columns):
    for i in range(10):
        create(instance, f"{i} " + "a name with many words " * 10)
    terminal = Terminal(instance, columns)
    while terminal.seen.count(b"\033[H\033[J") < 2:
        terminal.read_more()
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.close() == 0
    lines = terminal.seen.decode().split("\033[H\033[J")[1].split("\r\n")
    assert len(lines) == 6 and lines[5] == "" and all(len(line) <= columns for line in lines)
    if columns == 80:
        assert "0 a name with" in lines[2] and "is suspended and" in lines[2]


def test_top_leaves_the_terminal_as_it_was_when_its_reader_goes(instance):
    create(instance, "x")
    terminal = Terminal(instance, command=["sh", "-c", f"{COMMAND} top | head -n 1"])
    assert terminal.close() == 0


def test_a_notify_command_shows_where_it_stands_and_may_complete_its_job(instance, origin, target, tmp_path):
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\n[ -e {tmp_path}/may ] || exit 3\nexec {COMMAND} complete \"$DOSVC_JOB\"\n")
    script.chmod(0o755)
    job_id = create(instance, "x")
    assert properties(instance, job_id)["notify_command_state"] == "none"
    instance.run("set", job_id, f"notify_command={script}", check=True)
    assert properties(instance, job_id)["notify_command_state"] == "ready"
    instance.run("add", job_id, "-d", target, origin.url("a", 1), check=True)
    instance.run("resume", job_id, check=True)
    wait_until(lambda: properties(instance, job_id)["notify_command_failures"] > 0)
    shown = properties(instance, job_id)
    assert shown["notify_command_state"] in ("waiting", "running") and shown["notify_command_result"] == "exit status 3"
    (tmp_path / "may").touch()
    wait_until(lambda: instance.jobs() == [])
    assert (target / "a").read_bytes() == content("a", 1)


def test_notify_commands_can_be_forbidden(tmp_path):
    instance = Instance(str(tmp_path), "NotifyCommands=no\n")
    instance.start()
    try:
        job_id = create(instance, "x")
        result = instance.run("set", job_id, "notify_command=/bin/true")
        assert result.returncode == 4 and "NotifyCommands" in error_line(result)
        instance.run("set", job_id, "notify_command=", check=True)
    finally:
        instance.close()
