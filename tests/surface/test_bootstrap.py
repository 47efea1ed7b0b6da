"""bootstrap installs exactly what is missing and then hands over; seen with stand-ins for apt-get, dpkg-query, make and id."""
import os
import shutil
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STAND_IN = '#!/bin/sh\necho "{name}" "$@" >>"$CALLS"\n{body}\n'


class Machine:
    """A folder with the scripts, and programs that only write down how they were called."""

    def __init__(self, folder):
        self.folder, self.calls = folder, folder / "calls"
        self.programs = folder / "programs"
        self.programs.mkdir()
        (folder / "packaging").mkdir()
        shutil.copy(os.path.join(ROOT, "bootstrap"), folder)
        shutil.copy(os.path.join(ROOT, "packaging/debian-packages.txt"), folder / "packaging")
        for name in ("sh", "awk", "sed", "env", "tee", "rm", "chmod", "cat", "dirname"):
            os.symlink(shutil.which(name), self.programs / name)
        self.stand_in("dpkg-query", 'case " $ABSENT " in *" $4 "*) exit 1 ;; esac; printf "install ok installed"')
        self.stand_in("apt-get")
        self.stand_in("make")
        self.stand_in("systemctl")
        self.stand_in("id", "echo 0")

    def stand_in(self, name, body=""):
        path = self.programs / name
        path.write_text(STAND_IN.format(name=name, body=body))
        path.chmod(0o755)

    def run(self, *words, absent=""):
        self.calls.write_text("")
        environment = {"PATH": str(self.programs), "CALLS": str(self.calls), "ABSENT": absent}
        return subprocess.run([str(self.folder / "bootstrap"), *words], capture_output=True, text=True, env=environment, check=False)

    def called(self, *names):
        return [line for line in self.calls.read_text().splitlines() if line.split()[0] in names]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_nothing_missing_means_no_apt_get(machine):
    assert machine.run("check").returncode == 0
    assert machine.called("apt-get", "sudo") == []
    assert machine.called("make") == ["make check"]


def test_what_is_missing_is_installed_and_nothing_else(machine):
    assert machine.run("demo", absent="meson libsystemd-dev valgrind").returncode == 0
    assert machine.called("apt-get")[0].endswith("update")
    install = machine.called("apt-get")[1]
    assert install.endswith("install meson libsystemd-dev"), "valgrind is not needed for the demo"
    assert machine.called("make") == ["make demo"]


def test_without_root_sudo_is_used_and_without_sudo_it_says_so(machine):
    machine.stand_in("id", "echo 1000")
    result = machine.run("demo", absent="meson")
    assert result.returncode == 1 and "root or sudo" in result.stderr and "meson" in result.stderr
    machine.stand_in("sudo", 'exec "$@"')
    assert machine.run("demo", absent="meson").returncode == 0
    assert len(machine.called("sudo")) == len(machine.called("apt-get")) == 2


def test_a_failed_installation_ends_it(machine):
    machine.stand_in("apt-get", "exit 100")
    assert machine.run("demo", absent="meson").returncode != 0
    assert machine.called("make") == []


def test_a_url_reaches_make_with_its_dollars(machine):
    machine.run("demo", "URL=https://host/a?b=$c&d=$(e)")
    assert machine.called("make") == ["make demo URL=https://host/a?b=$$c&d=$$(e)"]


def test_the_count_is_the_last_line_also_after_a_failure(machine):
    machine.stand_in("make", "echo '3 passed, 1 failed, 0 skipped'; echo 'make: *** [check] Error 1'; exit 2")
    (machine.folder / "build" / "check-logs").mkdir(parents=True)
    (machine.folder / "build" / "check-logs" / "result").write_text("3 passed, 1 failed, 0 skipped\n")
    result = machine.run("check")
    assert result.returncode == 2
    assert result.stdout.splitlines()[-1] == "3 passed, 1 failed, 0 skipped"


@pytest.mark.parametrize("words", [[], ["everything"], ["-x"]])
def test_unknown_words_show_the_usage(machine, words):
    result = machine.run(*words)
    assert result.returncode == 2 and "usage:" in result.stderr
    assert machine.calls.read_text() == ""


def test_help_is_no_error(machine):
    result = machine.run("--help")
    assert result.returncode == 0 and "bootstrap demo" in result.stdout and "bootstrap check" in result.stdout


def test_readme_begins_with_the_two_commands():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as f:
        first = f.read().split("```")[1]
    assert [line.split("#")[0].split() for line in first.splitlines() if line.startswith("./")] == \
        [["./bootstrap", "demo"], ["./bootstrap", "check"]]
