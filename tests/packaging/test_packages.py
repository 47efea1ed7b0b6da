"""The Debian packages: built as a distribution builds them, judged by lintian, and lived with in a machine that the test boots. Part of make soak."""
import glob
import os
import re
import shutil
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
import machine  # noqa: E402

# There is no archive that they are uploaded to, and so no bug that asks for them.
NOT_MEANT = "initial-upload-closes-no-bugs"
PROGRAMS = {"dosvcd": "usr/bin"}  # the others are in usr/libexec/dosvc


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    if not shutil.which("dh"):
        pytest.skip("needs debhelper")
    folder = str(tmp_path_factory.mktemp("packages"))
    done = subprocess.run(["/usr/bin/python3", "-B", os.path.join(ROOT, "tools", "build_packages.py"), folder + "/build", "--check"], text=True, capture_output=True,
                          timeout=3600, check=False)
    assert done.returncode == 0, done.stderr
    os.mkdir(folder + "/first")
    for name in os.listdir(folder + "/build"):
        if name.endswith(".deb") and "-dbgsym" not in name:
            shutil.copy(os.path.join(folder, "build", name), folder + "/first")
    return folder


def test_the_four_packages_are_built_and_their_tests_ran(packages):
    assert {name.split("_")[0] for name in os.listdir(packages + "/first")} == {"dosvc", "libdosvc1", "libdosvc-dev", "dosvc-doc"}
    with open(packages + "/build/build.log", encoding="utf-8", errors="replace") as f:
        log = f.read()
    assert re.search(r"^Ok: +[1-9]", log, re.MULTILINE) and "warning:" not in log, [line for line in log.splitlines() if "warning:" in line]


def test_lintian_finds_nothing(packages):
    if not shutil.which("lintian"):
        pytest.skip("needs lintian")
    changes = [os.path.join(packages, "build", n) for n in os.listdir(packages + "/build") if n.endswith(".changes")]
    done = subprocess.run(["lintian", "--allow-root", "--suppress-tags", NOT_MEANT, "--fail-on", "error,warning", *changes], text=True, capture_output=True,
                          timeout=600, check=False)
    assert done.returncode == 0 and done.stdout == "", done.stdout + done.stderr


def repack(package, version, programs, target):
    """The same content as a later version, with programs that know that they are of another one."""
    folder = target + "/unpacked"
    subprocess.run(["dpkg-deb", "-R", package, folder], check=True)
    path = folder + "/DEBIAN/control"
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace("0.1.0-1", version))
    for name in programs:
        old = os.path.join(folder, PROGRAMS.get(os.path.basename(name), "usr/libexec/dosvc"), os.path.basename(name))
        if os.path.exists(old):
            shutil.copy(name, old)
    subprocess.run(["dpkg-deb", "-Zgzip", "-z1", "-b", "--root-owner-group", folder, target], check=True, capture_output=True)
    shutil.rmtree(folder)


def live_with(packages, programs, folder):
    os.mkdir(packages + "/second")
    for name in os.listdir(packages + "/first"):
        repack(os.path.join(packages, "first", name), "0.1.0-2", programs, packages + "/second")
    return machine.live_with(packages, "packaging/life_of_the_packages.py", folder)


@pytest.mark.skipif(machine.why_not() is not None, reason=str(machine.why_not()))
def test_they_can_be_installed_used_upgraded_under_running_jobs_removed_and_purged(packages, tmp_path):
    programs = [path for path in glob.glob(packages + "/build/dosvc/obj-*/tests/system/other_version/dosvc*") if os.path.isfile(path)]
    assert len(programs) == 6, programs
    code, output = live_with(packages, programs, str(tmp_path))
    assert code == 0, output
    assert output.splitlines() == ["installed", "used", "upgraded", "removed and purged"]
