"""The Debian packages: built as a distribution builds them, judged by lintian, and lived with in a root of their own. Part of make soak."""
import os
import re
import shutil
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# There is no archive that they are uploaded to, and so no bug that asks for them.
NOT_MEANT = "initial-upload-closes-no-bugs"
ENTER = """
set -eu
mount --make-rprivate /
mount -t tmpfs -o mode=755 root "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" root "$1/root"
cd "$1/root"
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mkdir tmp/tests tmp/packages
mount --bind "$2" tmp/tests
mount --bind "$3" tmp/packages
ip link set lo up
exec chroot . /usr/bin/python3 -B /tmp/tests/life_of_the_packages.py /tmp/packages
"""


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


def repack(package, version, target):
    """The same content as a later version: what an upgrade looks like to dpkg."""
    folder = target + "/unpacked"
    subprocess.run(["dpkg-deb", "-R", package, folder], check=True)
    path = folder + "/DEBIAN/control"
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace("0.1.0-1", version))
    subprocess.run(["dpkg-deb", "-b", "--root-owner-group", folder, target], check=True, capture_output=True)
    shutil.rmtree(folder)


def test_they_can_be_installed_used_upgraded_removed_and_purged(packages, tmp_path):
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "--pid", "--fork", "--net", "true"], check=False).returncode != 0:
        pytest.skip("needs root and namespaces")
    os.mkdir(packages + "/second")
    for name in os.listdir(packages + "/first"):
        repack(os.path.join(packages, "first", name), "0.1.0-2", packages + "/second")
    done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--net", "--kill-child", "sh", "-c", ENTER, "enter", str(tmp_path), os.path.dirname(__file__),
                           packages], text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == ["installed", "used", "upgraded", "removed and purged"]
