#!/usr/bin/env python3
"""Cuts the power under the service: state and files on a loop-mounted ext4 that is shut down (FS_IOC_SHUTDOWN, no log flush) in the
middle of random work, mounted again and checked.

With --control it runs a service that is made to break the durability protocol (a preloaded library answers fdatasync without syncing):
then violations must be found, or the harness would prove nothing. With --system it is the system instance.
"""
import fcntl
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time

from harness import SKIPPED, Crash, arguments, invariants, leave_mount_namespace

FS_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Disk:
    def __init__(self, root, megabytes=256):
        self.image = os.path.join(root, "disk.img")
        self.mount_point = os.path.join(root, "mnt")
        os.mkdir(self.mount_point)
        with open(self.image, "wb") as f:
            f.truncate(megabytes << 20)
        run("mkfs.ext4", "-q", "-F", "-m0", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        self.loop = subprocess.run(["losetup", "--find", "--show", self.image], check=True, capture_output=True,
                                   text=True).stdout.strip()

    def mount(self):
        run("mount", "-t", "ext4", self.loop, self.mount_point)

    def cut(self):
        fd = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def unmount(self):
        try:
            run("umount", self.mount_point)
        except subprocess.CalledProcessError as e:
            raise RuntimeError(f"{e.stderr.decode()}held by {self.holders()}") from e

    def holders(self):
        """Whoever has something open there, works there or has it in a mount namespace of its own."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                    what = f.read()[:60]
                links = [os.readlink(f"/proc/{pid}/{name}") for name in ["cwd", "root"] + ["fd/" + fd for fd in os.listdir(f"/proc/{pid}/fd")]]
                with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="replace") as f:
                    has_mount = int(pid) != os.getpid() and self.mount_point in f.read()
            except OSError:
                continue
            there = [link for link in links if link.startswith(self.mount_point)]
            if there or has_mount:
                found.append(f"{what} {there}{' (mount)' if has_mount else ''}")
        return found

    def close(self):
        subprocess.run(["umount", self.mount_point], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["losetup", "-d", self.loop], check=False)


def main():
    args = arguments(__doc__, 500).parse_args()
    if os.geteuid() != 0 or not os.path.exists("/dev/loop-control"):
        print("SKIP: power cuts need root and a loop device")
        return SKIPPED
    leave_mount_namespace()
    root = tempfile.mkdtemp(prefix="dosvc-power-")
    os.chmod(root, 0o755)
    disk = Disk(root)
    disk.mount()
    destination = os.path.join(disk.mount_point, "files")
    os.mkdir(destination)
    invariants.plant_foreign(destination)
    crash = Crash(args, os.path.join(disk.mount_point, "state"), destination)
    if not args.system:
        crash.service.log_path = os.path.join(root, "dosvcd.log")
    os.umask(0o022)
    began = time.monotonic()

    def cut():
        disk.cut()
        crash.service.kill()

    try:
        for number in range(args.rounds):
            crash.origin.rate = crash.random.choice([None, 8 << 20, 2 << 20])
            if number % 4 == 0:
                invariants.age_backup(crash.state)
            crash.start_service()
            crash.report(f"round {number}, restarted", invariants.check_service(crash.service, destination, crash.ledger))
            crash.work_until_killed(cut, crash.random.choice([0.01, 0.03, 0.1, 0.2]) * crash.random.random() if number % 8 else 0.5,
                                    power=True)
            disk.unmount()
            disk.mount()
            crash.report(f"round {number}, cut", invariants.check_disk(crash.state, destination, crash.ledger))
            crash.forget_finished(50)
            crash.tell(number)
            if args.control and crash.violations:
                break
        if not args.control:
            crash.start_service()
            crash.report("end", invariants.check_service(crash.service, destination, crash.ledger))
            crash.settle()
            crash.service.stop()
        failed = crash.finish(number + 1, began)
    finally:
        crash.close()
        disk.close()
        shutil.rmtree(root)
    if args.control:
        print(f"the control '{args.control}' was " + ("found out" if failed else "NOT found out: this harness proves nothing"))
        return 0 if failed else 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
