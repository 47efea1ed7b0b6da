"""What the command refuses by itself, and its help. No service is needed for any of it."""
import os
import subprocess

import pytest
from conftest import COMMAND

VERBS = ["get", "create", "add", "resume", "suspend", "complete", "cancel", "list", "show", "watch", "set", "rebase", "history",
         "stats", "top", "config", "service", "completion"]


def run(*words, cwd=None, stdin=""):
    environment = {**os.environ, "DOSVC_ADDRESS": "unix:path=/nonexistent/bus"}
    return subprocess.run([COMMAND, *words], input=stdin, capture_output=True, text=True, env=environment, cwd=cwd, timeout=30,
                          check=False)


def refused(code, *words, **options):
    result = run(*words, **options)
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert result.stderr.startswith("dosvc: ")
    return result.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_and_names_itself_in_it(verb):
    result = run(verb, "--help")
    assert result.returncode == 0
    assert result.stdout.startswith(f"usage: dosvc {verb} ")
    assert "--json" in result.stdout and "--system" in result.stdout
    assert result.stderr == ""


def test_help_lists_all_verbs_and_version_is_said():
    shown = run("--help").stdout
    for verb in VERBS:
        assert f"\n  {verb} " in shown
    assert run("--version").stdout.startswith("dosvc 0.")
    assert run("help", "get").stdout == run("get", "--help").stdout


@pytest.mark.parametrize("words", [["--help"], ["get", "--help"], ["help", "set"], ["--version"], ["completion"]])
def test_what_cannot_be_written_is_said(words):
    with open("/dev/full", "w", encoding="ascii") as full:
        result = subprocess.run([COMMAND, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert result.returncode == 1 and result.stderr.startswith("dosvc: cannot write to stdout")


def test_no_verb_shows_the_overview_as_a_usage_error():
    result = run()
    assert result.returncode == 2 and result.stdout == "" and "usage:" in result.stderr


@pytest.mark.parametrize("words, said", [
    (["fetch"], '"fetch"'),
    (["--json", "list"], "verb comes first"),
    (["get"], "no URL"),
    (["get", "--sha256", "12", "http://h/a"], "64 hexadecimal digits"),
    (["get", "--size", "1k", "http://h/a"], "wants a number"),
    (["get", "-o", "f", "http://h/a", "http://h/b"], "exactly one URL"),
    (["get", "--sha256", "0" * 64, "http://h/a", "http://h/b"], "exactly one URL"),
    (["get", "-o", "f", "-d", "g", "http://h/a"], "exclude"),
    (["get", "-o", "-", "http://h/a"], "stdout"),
    (["get", "-o", "", "http://h/a"], "name of a file"),
    (["get", "--nonsense", "http://h/a"], "--nonsense"),
    (["get", "http://h/a/"], "-o FILE"),
    (["get", "http://h"], "-o FILE"),
    (["get", "http://h/.."], "-o FILE"),
    (["get", "http://h/a%2fb"], "slash"),
    (["get", "http://h/%01"], "control"),
    (["get", "http://h/%ff"], "UTF-8"),
    (["get", "http://h/" + "n" * 256], "255"),
    (["get", "file.iso"], "no URL"),
    (["get", "example.org/file", "-o", "f"], "it must begin with http:// or https://"),
    (["get", "list.txt"], "-i"),
    (["get", "--mirror", "http://m/a n/a", "http://h/a"], "the mirror n/a is no URL"),
    (["help", "fetch"], '"fetch"'),
    (["get", "--no-progress-timeout", "soon", "http://h/a"], "wants a number"),
    (["get", "--limit-rate", "fast", "http://h/a"], "bytes per second"),
    (["get", "https://me:secret@h/a"], "-i -"),
    (["get", "--mirror", "http://m/a https://me:secret@h/a", "http://h/a"], "-i -"),
    (["rebase", "1234abcd", "http://h/", "https://me:secret@h/"], "file.N.url@FILE"),
    (["resume"], "ID"),
    (["list", "more"], '"more"'),
    (["set", "1234abcd", "priority"], "KEY=VALUE"),
    (["set", "1234abcd", "=x"], "KEY=VALUE"),
    (["create", "--no-progress-timeout", "soon", "x"], "wants a number"),
    (["create", "--minimum-retry-delay", "99999999999", "x"], "too many seconds"),
    (["list", "--system", "--user"], "exclude"),
    (["history", "-n", "all"], "wants a number"),
])
def test_wrong_usage_is_exit_2_and_one_line(words, said):
    assert said in refused(2, *words)


def test_a_password_in_the_command_line_is_not_repeated():
    assert "secret" not in refused(2, "get", "https://me:secret@h/a")


def test_two_equal_names_are_refused_before_anything_is_made(tmp_path):
    line = refused(2, "get", "http://h/x/a", "http://h/y/a", cwd=tmp_path)
    assert str(tmp_path / "a") in line
    refused(2, "get", "-i", "-", "-d", str(tmp_path), stdin="http://h/a\nhttp://h/b out=./a\n")
    assert os.listdir(tmp_path) == []


def test_a_bad_line_of_a_list_is_named_by_file_and_number(tmp_path):
    listed = tmp_path / "list"
    listed.write_text("# comment\nhttp://h/a\nhttp://h/b sha256=12\n")
    assert f"{listed}:3: " in refused(2, "get", "-i", str(listed))
    assert "-:1: " in refused(2, "get", "-i", "-", stdin="http://h/a what=ever\n")


def test_a_name_with_a_slash_behind_it_is_no_name_of_a_file(tmp_path):
    assert "-d DIR" in refused(2, "get", "-o", "folder/", "http://h/a", cwd=tmp_path)
    assert "folder/ is" in refused(2, "get", "-i", "-", stdin="http://h/a out=folder/\n", cwd=tmp_path)


def test_a_list_that_cannot_be_read_is_a_local_error(tmp_path):
    assert str(tmp_path / "no") in refused(7, "get", "-i", str(tmp_path / "no"))


@pytest.mark.parametrize("words", [["list"], ["get", "-d", "/nonexistent", "http://h/a"], ["show", "1234abcd"], ["service"], ["config"],
                                   ["history"], ["watch"], ["create", "x"]])
def test_no_service_is_exit_5(words):
    refused(5, *words)


def test_an_existing_file_is_judged_without_a_service(tmp_path):
    (tmp_path / "a").write_text("there")
    line = refused(7, "get", "http://h/a", cwd=tmp_path)
    assert str(tmp_path / "a") in line and "--replace" in line


def test_a_file_with_the_right_digest_is_already_there_without_a_service(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    result = run("get", "--sha256", empty, "http://h/a", cwd=tmp_path)
    assert result.returncode == 0 and "already there" in result.stderr
    assert '"already_there": [' in run("get", "--json", "--sha256", empty, "http://h/a", cwd=tmp_path).stdout
    assert "another digest" in refused(7, "get", "--sha256", "0" * 64, "http://h/a", cwd=tmp_path)
