"""A systemd of the test's own, booted in namespaces in less than a second: PID 1, journal, and a user with its own manager and bus.

    machine.run(build, "test_user_units.py", folder) -> (exit code, what it printed)
    machine.run(build, "test_system_bus.py", folder, root=True) -> likewise
    machine.live_with(packages, "packaging/life_of_the_packages.py", folder) -> likewise

The root is an overlay of this machine's on a tmpfs, the build (which is /build there) is installed into it, and tests/machine/<script> runs in it under
pytest, as the user "tester" (uid 4711) with XDG_RUNTIME_DIR, below a "systemd --user", or as root. Or nothing is installed, and a program of tests/ runs
as root with a folder that becomes /packages. There is another user, "other" (uid 4712); who connects to /run/shell-root or /run/shell-other gets a shell of
that user. There are a system bus and polkit for who starts their units. The network is a loopback. Nothing stays behind. Needs root.
"""
import os
import shutil
import subprocess
import uuid

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SYSTEMD = "/lib/systemd/systemd"
UID, OTHER_UID = 4711, 4712
SECONDS, SECONDS_WITH_PACKAGES = 120, 600

SHELL_SOCKET = "[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=/run/shell-{0}\nAccept=yes\n"
SHELL = """[Unit]
DefaultDependencies=no
CollectMode=inactive-or-failed
[Service]
User={0}
Environment=HOME=/home/{0}
WorkingDirectory=/
ExecStart=/bin/sh
StandardInput=socket
StandardOutput=socket
StandardError=socket
"""

UNITS = {
    "shell-root.socket": SHELL_SOCKET.format("root"), "shell-root@.service": SHELL.format("root"),
    "shell-other.socket": SHELL_SOCKET.format("other"), "shell-other@.service": SHELL.format("other"),
    "test.target": "[Unit]\nWants=systemd-journald.service test.service dosvc.socket dosvc-broker.socket shell-root.socket shell-other.socket\nAfter=systemd-journald.service\nDefaultDependencies=no\n",
    "manager.service": f"""[Unit]
DefaultDependencies=no
Wants=systemd-journald.service
After=systemd-journald.service
[Service]
Type=notify
User=tester
Delegate=yes
Environment=XDG_RUNTIME_DIR=/run/user/{UID} HOME=/home/tester
ExecStart={SYSTEMD} --user
""",
    "test.service": f"""[Unit]
DefaultDependencies=no
Requires=manager.service
After=manager.service
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
@IDENTITY@
Environment=XDG_RUNTIME_DIR=/run/user/{UID} HOME=/home/tester DOSVC_ROOT=/dosvc PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8 PYTHONPATH=/dosvc/tests/lib
WorkingDirectory=/home/tester
StandardOutput=file:/result/output
StandardError=inherit
ExecStart=/usr/bin/python3 @COMMAND@
TimeoutStartSec=@SECONDS@
""",
}

# $1: an empty folder, $2: the tree, $3: the build or "", $4: where the result goes, $5: packages or ""
BOOT = r"""
set -eu
mount --make-rprivate /
mount -t tmpfs -o mode=755 machine "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" machine "$1/root"
[ -z "$3" ] || DESTDIR="$1/root" meson install -C "$3" --no-rebuild --quiet > /dev/null
cd "$1/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for folder in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs $folder; done
chmod 1777 tmp
for node in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 "dev/${node%%:*}" c 1 "${node##*:}"; done
mknod -m 666 dev/tty c 5 0
mkdir dev/shm dev/pts
chmod 1777 dev/shm
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
mkdir -p dosvc build result home/tester run/user/@UID@
mount --bind "$2" dosvc
mount --bind "$4" result
[ -z "$3" ] || mount --bind "$3" build
mkdir packages
[ -z "$5" ] || mount --bind "$5" packages
echo 'tester:x:@UID@:@UID@::/home/tester:/bin/sh' >> etc/passwd
echo 'tester:x:@UID@:' >> etc/group
echo 'other:x:@OTHER@:@OTHER@::/home/other:/bin/sh' >> etc/passwd
echo 'other:x:@OTHER@:' >> etc/group
mkdir home/other
chown @UID@:@UID@ home/tester run/user/@UID@
chown @OTHER@:@OTHER@ home/other
chmod 700 home/other home/tester
chmod 700 run/user/@UID@
: > etc/machine-id
rm -f usr/sbin/policy-rc.d # of containers: starts nothing
rm -rf etc/systemd/system/* etc/fstab
cp result/units/* etc/systemd/system/
# Nothing of a real boot comes before them.
for unit in dosvc.socket dosvc.service dosvc-broker.socket dosvc-broker.service dosvc-transfer.socket dosvc-transfer@.service dosvc-resolve.socket dosvc-resolve@.service dosvc-metrics.socket dosvc-metrics.service dbus.socket dbus.service polkit.service; do
        mkdir "etc/systemd/system/$unit.d"
        printf '[Unit]\nDefaultDependencies=no\n' > "etc/systemd/system/$unit.d/test.conf"
done
# The bus and polkit look below /usr only.
[ -z "$3" ] || for folder in dbus-1/system.d polkit-1/actions; do cp usr/local/share/$folder/org.dosvc.* usr/share/$folder/; done
ldconfig -r . 2> /dev/null
systemd-sysusers --root=.
mkdir -p var/lib/systemd/catalog && journalctl --root=. --update-catalog
ip link set lo up
mkdir -p run/log/journal
chgrp systemd-journal run/log/journal
chmod 2755 run/log/journal
mkdir old
pivot_root . old
umount -l old
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin @SYSTEMD@ --unit=test.target --log-target=journal-or-kmsg --show-status=no
"""


def why_not():
    """A reason to skip, or None."""
    if os.geteuid() != 0:
        return "needs root"
    if not os.path.exists(SYSTEMD) or not shutil.which("meson"):
        return "needs systemd and meson"
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "--net", "--cgroup", "true"], capture_output=True, check=False).returncode != 0:
        return "no namespaces can be made here"
    return None


def hierarchy():
    """Where groups are made: what a machine leaves in its own (init.scope) is removed with it."""
    for base in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        if os.path.exists(os.path.join(base, "cgroup.procs")):
            return base
    return None


def run(build, script, folder, root=False):
    command = f"-m pytest -q -p no:cacheprovider --tb=short /dosvc/tests/machine/{script}"
    return boot("" if root else "User=tester\nSupplementaryGroups=systemd-journal", command, folder, build=os.path.abspath(build))


def live_with(packages, program, folder):
    return boot("", f"-B /dosvc/tests/{program} /packages", folder, packages=packages, seconds=SECONDS_WITH_PACKAGES)


def boot(identity, command, folder, build="", packages="", seconds=SECONDS):
    result, root = os.path.join(folder, "result"), os.path.join(folder, "machine")
    units = os.path.join(result, "units")
    os.makedirs(units)
    os.makedirs(root)
    os.chmod(result, 0o755)
    for name, text in UNITS.items():
        with open(os.path.join(units, name), "w", encoding="utf-8") as f:
            f.write(text.replace("@IDENTITY@", identity).replace("@COMMAND@", command).replace("@SECONDS@", str(seconds)))
    with open(os.path.join(result, "output"), "wb") as f:
        os.fchown(f.fileno(), UID, UID)
    base = hierarchy()
    group = os.path.join(base, "dosvc-test-" + uuid.uuid4().hex[:8]) if base else None
    script = BOOT.replace("@UID@", str(UID)).replace("@OTHER@", str(OTHER_UID)).replace("@SYSTEMD@", SYSTEMD)
    if group:
        os.mkdir(group)
        # In a group of its own first: what the new hierarchy shows as its root, and what can be removed again.
        script = f"echo 0 > {group}/cgroup.procs\nexec unshare --cgroup sh -c '{script.replace(chr(39), chr(39) + chr(92) + chr(39) + chr(39))}' boot \"$@\""
    try:
        done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "--net", "--kill-child", "sh", "-c", script, "boot", root, ROOT,
                               build, result, packages], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds + 30, check=False)
    finally:
        if group:
            for path, _, _ in os.walk(group, topdown=False):
                try:
                    os.rmdir(path)
                except OSError:
                    pass
    with open(os.path.join(result, "output"), encoding="utf-8", errors="replace") as f:
        return done.returncode, f.read() + done.stdout + done.stderr
