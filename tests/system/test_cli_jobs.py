"""The verbs of the job model, ids, and what --json promises."""
import os
import re
import signal
import subprocess

import pytest
from conftest import COMMAND, error_line
from origin import content
from test_cli_get import wait_until

MIB = 1 << 20
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
JOB_FIELDS = {
    "id": str, "name": str, "description": str, "family": str, "instance": str, "owner": int, "state": str, "state_since": str,
    "priority": str, "bytes_total": (int, type(None)), "bytes_transferred": int, "bytes_durable": int, "bytes_fetched": int,
    "files_total": int, "files_transferred": int, "waiting_reason": (str, type(None)), "waiting_text": (str, type(None)),
    "waiting_since": (str, type(None)), "retry_time": (str, type(None)), "created": str, "modified": str,
    "transferred": (str, type(None)), "error_count": int, "error": (dict, type(None)), "notify_flags": int,
    "minimum_retry_delay": int, "no_progress_timeout": int, "life_time": int, "complete_when_transferred": bool, "replace": bool,
    "remote_time": bool, "kind": str, "volatile": bool, "max_rate": (int, type(None)),
}


def create(instance, *words):
    return instance.run("create", *words, check=True).stdout.strip()


def state_of(instance, job_id):
    return instance.json("show", job_id)[0]["state"]


def test_the_life_of_a_job_by_hand(instance, origin, target):
    job_id = create(instance, "by hand", "--description", "a text")
    assert state_of(instance, job_id) == "suspended"
    instance.run("add", job_id, origin.url("a", MIB), origin.url("b", 10), "-d", target, check=True)
    instance.run("add", job_id, "-o", target / "c", origin.url("third", 5), check=True)
    instance.run("resume", job_id, check=True)
    assert instance.run("watch", job_id).returncode == 0
    assert state_of(instance, job_id) == "transferred"
    assert all(name.startswith(".dosvc-") for name in os.listdir(target))
    instance.run("complete", job_id, check=True)
    assert (target / "a").read_bytes() == content("a", MIB)
    assert (target / "c").read_bytes() == content("third", 5)
    assert sorted(os.listdir(target)) == ["a", "b", "c"]
    [entry] = instance.json("history")
    assert entry["id"] == job_id and entry["state"] == "acknowledged" and entry["name"] == "by hand"


def test_suspend_keeps_and_resume_goes_on(instance, origin, target):
    origin.rate = 10 * MIB
    job_id = create(instance, "x", "--complete-when-transferred")
    instance.run("add", job_id, "-d", target, origin.url("f", 20 * MIB), check=True)
    instance.run("resume", job_id, check=True)
    wait_until(lambda: instance.jobs()[0]["bytes_transferred"] > MIB)
    instance.run("suspend", job_id, check=True)
    assert instance.jobs()[0]["state"] == "suspended"

    def all_durable():  # the last checkpoint may still be under way
        [job] = instance.jobs()
        return job["bytes_durable"] == job["bytes_transferred"] > 0
    wait_until(all_durable)
    origin.rate = None
    instance.run("resume", job_id, check=True)
    assert instance.run("watch", job_id).returncode == 0
    assert (target / "f").read_bytes() == content("f", 20 * MIB)


def test_cancel_removes_what_was_fetched(instance, origin, target):
    origin.rate = 10 * MIB
    job_id = instance.run("get", "--detach", origin.url("f", 50 * MIB), cwd=target, check=True).stdout.strip()
    wait_until(lambda: os.listdir(target) != [])
    [result] = instance.json("cancel", job_id)
    assert result["state"] == "cancelled"
    assert os.listdir(target) == [] and instance.jobs() == []
    assert instance.json("history")[0]["state"] == "cancelled"


def test_complete_of_an_unfinished_job_keeps_only_what_is_whole(instance, origin, target):
    job_id = create(instance, "x")
    instance.run("add", job_id, "-d", target, origin.url("small", 10), check=True)
    instance.run("resume", job_id, check=True)
    instance.run("watch", job_id, check=True)
    origin.rate = MIB
    instance.run("add", job_id, "-d", target, origin.url("large", 50 * MIB), check=True)
    result = instance.run("complete", job_id)
    assert result.returncode == 0
    assert "only the files that were complete" in result.stderr
    assert os.listdir(target) == ["small"]


@pytest.mark.parametrize("verb", ["show", "resume", "suspend", "complete", "cancel", "watch", "add", "set"])
def test_an_unknown_id_is_exit_3(instance, verb):
    extra = {"add": ["http://127.0.0.1:1/f"], "set": ["name=x"]}.get(verb, [])
    result = instance.run(verb, "00000000-0000-0000-0000-000000000000", *extra)
    assert result.returncode == 3
    assert result.stdout == "" and verb in error_line(result)


@pytest.mark.parametrize("word", ["", "zz", "0", "../x", "12345678-", "x" * 5000, "\u00e4\u00f6"],
                         ids=["empty", "letters", "short", "path", "dash", "long", "unicode"])
def test_what_is_no_id_is_refused(instance, word):
    result = instance.run("show", word)
    assert result.returncode in (2, 3)
    error_line(result)


def test_a_prefix_is_as_good_as_the_id_while_it_is_unique(instance):
    ids = [create(instance, f"job {i}") for i in range(3)]
    shown = instance.json("show", ids[1][:8])
    assert [job["id"] for job in shown] == [ids[1]]


def test_a_prefix_finds_a_finished_job_too(instance, origin, target):
    done = instance.run("get", "--detach", origin.url("f", 10), cwd=target, check=True).stdout.strip()
    assert instance.run("watch", done).returncode == 0
    assert instance.run("watch", done[:8]).returncode == 0
    assert instance.json("show", done[:10].upper())[0]["state"] == "acknowledged"
    assert instance.run("show", done[:3]).returncode == 3
    result = instance.run("cancel", done[:8])
    assert result.returncode == 1 and "It is acknowledged." in error_line(result)


def test_an_ambiguous_prefix_is_exit_3(instance):
    """600 ids share their first digit with another one, and some their first four: at least one pair of 65536 is nearly sure."""
    seen = {}
    for _ in range(3000):
        job_id = instance.create("x", [])
        if job_id[:4] in seen:
            break
        seen[job_id[:4]] = job_id
    else:
        pytest.skip("no two ids began alike")
    result = instance.run("show", job_id[:4])
    assert result.returncode == 3
    error_line(result)


def test_a_wrong_state_is_exit_1_and_says_so(instance):
    job_id = create(instance, "empty")
    result = instance.run("resume", job_id)
    assert result.returncode == 1
    assert "no files" in error_line(result)


def test_list_json_is_one_array_with_every_field_of_the_contract(instance, origin, target):
    origin.rate = MIB
    assert instance.json("list") == []
    create(instance, "idle")
    instance.run("get", "--detach", origin.url("f", 20 * MIB), cwd=target, check=True)
    jobs = instance.json("list")
    assert [job["name"] for job in jobs] == ["idle", "f"]
    for job in jobs:
        assert set(job) == set(JOB_FIELDS)
        for field, kind in JOB_FIELDS.items():
            assert isinstance(job[field], kind) and (kind is not int or not isinstance(job[field], bool)), field
        for field in ("created", "modified", "state_since"):
            assert TIME.fullmatch(job[field])
        assert job["owner"] == os.getuid() and job["family"] == "do" and job["instance"] == "user"
    assert jobs[0]["waiting_reason"] == "resume" and TIME.fullmatch(jobs[0]["waiting_since"])


def test_error_json_has_six_fields(instance, small, target):
    instance.run("get", "-q", small.url("status/404"), cwd=target)
    [job] = instance.jobs()
    assert set(job["error"]) == {"hresult", "name", "context", "file", "url", "text"}
    assert job["error"]["context"] == "remote_file" and job["error"]["file"] == str(target / "404")


def test_list_for_people_fits_and_says_what_is_waited_for(instance, origin, target):
    job_id = create(instance, "a name\twith\033[31m control")
    out = instance.run("list", check=True).stdout
    lines = out.splitlines()
    assert lines[0].split() == ["ID", "STATE", "DONE", "SIZE", "FILES", "NAME"]
    assert lines[1].startswith(job_id[:8] + "  suspended")
    assert "\033" not in out and "\t" not in out
    assert "waits for Resume since 0:0" in lines[1]


def test_list_can_show_one_family(instance):
    create(instance, "one")
    create(instance, "two", "--family", "bits")
    assert [j["name"] for j in instance.json("list", "--family", "bits")] == ["two"]
    assert [j["name"] for j in instance.json("list", "--family", "do")] == ["one"]
    assert instance.run("create", "three", "--family", "torrent").returncode == 2


def test_a_family_that_is_none_is_refused_with_those_that_are(instance):
    result = instance.run("list", "--family", "none")
    assert result.returncode == 2 and "do, bits or download" in error_line(result)


def test_show_has_the_files(instance, origin, target):
    job_id = create(instance, "x")
    given = "ab" * 32
    instance.run("add", job_id, "--sha256", given, "--size", "77", "-o", target / "f", origin.url("f", 77), check=True)
    [job] = instance.json("show", job_id)
    [file] = job["files"]
    assert file["path"] == str(target / "f") and file["url"] == origin.url("f", 77) and file["sha256"] == given
    assert file["stated_size"] == 77 and file["state"] == "pending" and file["path_bytes"] is None
    shown = instance.run("show", job_id, check=True).stdout
    assert str(target / "f") in shown and "suspended" in shown


def test_a_name_that_is_not_utf_8_comes_with_its_bytes(instance, origin, target):
    job_id = create(instance, "x")
    environment = instance.command_environment()
    path = os.fsencode(target) + b"/\xff\xfe"
    subprocess.run([os.fsencode(COMMAND), b"add", job_id.encode(), b"-o", path, origin.url("f", 10).encode()], check=True, env=environment)
    [file] = instance.json("show", job_id)[0]["files"]
    assert bytes.fromhex(file["path_bytes"]) == path
    assert file["path"] == f"{target}/\ufffd\ufffd"


def test_set_changes_properties_and_refuses_others(instance):
    job_id = create(instance, "x")
    instance.run("set", job_id, "name=another name", "priority=high", "no-progress-timeout=7200", "minimum_retry_delay=90",
                 "replace=yes", "complete_when_transferred=yes", "description=d", check=True)
    [job] = instance.json("show", job_id)
    assert (job["name"], job["priority"], job["no_progress_timeout"], job["minimum_retry_delay"], job["replace"], job["description"]) == \
        ("another name", "high", 7200, 90, True, "d")
    for wrong in ("priority=urgent", "colour=blue", "replace=perhaps", "no_progress_timeout=soon", "name=" + "n" * 300):
        result = instance.run("set", job_id, wrong)
        assert result.returncode == 2, (wrong, result.stderr)
        error_line(result)


def test_an_id_that_cannot_be_written_is_said(instance, origin, target):
    for words in (["create", "x"], ["get", "--detach", origin.url("f", 10), "-d", target]):
        with open("/dev/full", "w", encoding="ascii") as full:
            process = instance.spawn(*words, stdout=full)
            assert "cannot write to stdout" in process.communicate(timeout=30)[1] and process.returncode == 1


def test_several_ids_are_all_tried(instance):
    ids = [create(instance, f"job {i}") for i in range(2)]
    result = instance.run("cancel", ids[0], "00000000-0000-0000-0000-000000000000", ids[1])
    assert result.returncode == 3
    assert instance.jobs() == []


def test_watch_with_json_writes_a_line_for_each_change(instance, origin, target):
    origin.rate = 20 * MIB
    job_id = instance.run("get", "--detach", origin.url("f", 10 * MIB), cwd=target, check=True).stdout.strip()
    out = instance.run("watch", job_id, "--json", check=True).stdout
    import json
    states = [json.loads(line)["state"] for line in out.splitlines()]
    assert states[-1] == "acknowledged" and "transferring" in states


def test_watch_of_a_failing_job_has_its_exit_code(instance, small, target):
    job_id = instance.run("get", "--detach", small.url("status/404"), cwd=target, check=True).stdout.strip()
    result = instance.run("watch", job_id)
    assert result.returncode == 6
    error_line(result)


def test_watch_of_everything_shows_jobs_as_they_come(instance, origin, target):
    process = instance.spawn("watch")
    job_id = create(instance, "seen")
    line = process.stdout.readline()
    assert line.startswith(job_id[:8]) and "seen" in line
    process.send_signal(signal.SIGINT)
    process.wait(10)
    assert process.returncode == -signal.SIGINT


def test_history_is_bounded_by_lines_and_newest_first(instance, origin, target):
    for name in "abc":
        instance.run("get", "-q", origin.url(name, 10), cwd=target, check=True)
    assert [h["name"] for h in instance.json("history")] == ["c", "b", "a"]
    assert [h["name"] for h in instance.json("history", "-n", "2")] == ["c", "b"]
    entry = instance.json("history")[0]
    assert set(entry) == {"id", "name", "family", "instance", "state", "url", "path", "path_bytes", "files_total", "files_transferred",
                          "bytes_total", "bytes_transferred", "bytes_from_origin", "created", "transferred", "finished", "error"}
    assert entry["path"] == str(target / "c") and TIME.fullmatch(entry["finished"])
    assert len(instance.run("history", "-n", "2", check=True).stdout.splitlines()) == 3


def test_config_says_value_and_source(instance):
    rows = {row["key"]: row for row in instance.json("config")}
    assert rows["MinimumRetryDelayDO"]["value"] == "1" and rows["MinimumRetryDelayDO"]["source"] == f"{instance.config}:2"
    assert rows["CAFile"]["needs_restart"] is True and rows["MinimumRetryDelayDO"]["needs_restart"] is False
    assert rows["BackgroundSlots"]["source"] == "default"
    assert set(rows["BackgroundSlots"]) == {"key", "value", "source", "needs_restart", "unit", "text", "type", "min", "max", "default"}
    assert (rows["BackgroundSlots"]["min"], rows["BackgroundSlots"]["max"], rows["BackgroundSlots"]["default"]) == (1, 64, "4")
    assert rows["CAFile"]["min"] is None and rows["CAFile"]["type"] == "path"
    shown = instance.run("config", check=True).stdout
    assert re.search(r"^BackgroundSlots=4 +jobs +1 to 64 +default ", shown, re.MULTILINE)


def test_service_says_who_it_is(instance):
    info = instance.json("service")
    assert info["pid"] == instance.process.pid and info["state_directory"] == instance.state
    assert set(info) == {"version", "address", "state_directory", "sandbox", "pid", "transfer_pid", "jobs", "jobs_active", "started",
                         "memory_bytes", "backup_time", "restored_from", "network", "network_cost", "battery"}
    assert str(info["pid"]) in instance.run("service", check=True).stdout
