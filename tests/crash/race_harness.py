#!/usr/bin/env python3
"""Races in the destination: another user swaps links, names, files and folders under the service's hands, as fast as that user can, in a folder that all
may write to and in a sticky one. Whatever comes of the jobs, nothing of the owner's that lies elsewhere is made, read, changed or
removed, and nothing comes out of a FIFO of the attacker's.

    race_harness.py --build BUILD --attempts N     against the system instance, whose owner's process has the right to all of it
    race_harness.py --naive                        against an opener that trusts paths: it must lose, or the attacks prove nothing
"""
import argparse
import ctypes
import os
import select
import shutil
import stat
import subprocess
import sys
import tempfile
import time

from harness import SKIPPED, Origin, leave_mount_namespace
from service import ServiceError
from system_instance import USERS
from system_service import OWNER, UID, SystemService

SIZE = 4096
PRECIOUS = b"nobody but its owner ever changes this\n"
ATTACKS = ("final", "temp", "folder", "read", "fifo", "hard", "swap")  # read: as temp, against who only looks at what is there
FOLDERS = {"shared": 0o777, "sticky": 0o1777}
NAIVE_SECONDS = 60
ATTACKER = "bob"
AT_FDCWD, RENAME_EXCHANGE = -100, 2


def linkable_beside(folder):
    """On the same file system, in a folder that others may not write to."""
    return os.path.join(os.path.dirname(folder), "linkable")


# ---- the attacker: runs as another user until it is killed ----

def quietly(call, *arguments):
    try:
        call(*arguments)
    except OSError:
        pass


def attack_final(folder, home):
    """The name that the file is to get is a link to what is precious, or is not there."""
    name = os.path.join(folder, "victim")
    while True:
        quietly(os.symlink, os.path.join(home, "precious"), name)
        quietly(os.unlink, name)


def attack_temp(folder, home):
    """What is being written is moved away, and a link to what is precious has its name."""
    while True:
        for entry in os.listdir(folder):
            if entry.startswith(".dosvc-") and entry.endswith(".part"):
                path = os.path.join(folder, entry)
                quietly(os.rename, path, os.path.join(folder, "stolen"))
                quietly(os.symlink, os.path.join(home, "precious"), path)


def attack_hard(folder, _):
    """Both names are further names of a file of the owner's, one that all may write to: of others protected_hardlinks lets nobody make one."""
    linkable, name = linkable_beside(folder), os.path.join(folder, "victim")
    while True:
        quietly(os.link, linkable, name)
        quietly(os.unlink, name)
        for entry in os.listdir(folder):
            if entry.startswith(".dosvc-") and entry.endswith(".part"):
                path = os.path.join(folder, entry)
                quietly(os.rename, path, os.path.join(folder, "stolen"))
                quietly(os.link, linkable, path)


def attack_swap(folder, _):
    """What is being written and a file of the owner's that nobody else may read change places, back and forth."""
    exchange, private = ctypes.CDLL(None).renameat2, os.path.join(folder, "private").encode()
    while True:
        for entry in os.listdir(folder):
            if entry.startswith(".dosvc-") and entry.endswith(".part"):
                path = os.path.join(folder, entry).encode()
                while exchange(AT_FDCWD, path, AT_FDCWD, private, RENAME_EXCHANGE) == 0:
                    pass


def attack_fifo(folder, _):
    """What is being written is moved away, and a FIFO has its name, at whose other end the attacker is."""
    os.umask(0)
    while True:
        for entry in os.listdir(folder):
            if entry.startswith(".dosvc-") and entry.endswith(".part"):
                path = os.path.join(folder, entry)
                quietly(os.rename, path, os.path.join(folder, "stolen"))
                quietly(os.mkfifo, path)
                quietly(listen, path, os.path.join(folder, "caught"))
                quietly(os.unlink, path)


def listen(path, caught):
    """For a moment. A byte that comes leaves a trace."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        if stat.S_ISFIFO(os.fstat(fd).st_mode) and select.select([fd], [], [], 0.02)[0] and os.read(fd, 1):
            with open(caught, "wb"):
                pass
    finally:
        os.close(fd)


def attack_folder(folder, home):
    """The folder in the path is the owner's home for a moment."""
    path, aside = os.path.join(folder, "sub"), os.path.join(folder, "aside")
    while True:
        quietly(os.rename, path, aside)
        quietly(os.symlink, home, path)
        quietly(os.unlink, path)
        quietly(os.rename, aside, path)


# ---- who trusts paths: runs as the owner ----

def open_naively(attack, folder):
    """Makes, writes and names a file as programs do that do not think of others."""
    target = os.path.join(folder, "sub", "victim") if attack == "folder" else os.path.join(folder, "victim")
    temp = os.path.join(os.path.dirname(target), ".dosvc-AAAAAAAAAAAAAAAAAAAAAA.part")
    end = time.monotonic() + NAIVE_SECONDS
    while time.monotonic() < end:
        try:
            if attack == "read":
                with open(temp, "xb") as f:
                    f.write(b"naive")
                with open(temp, "rb") as f:  # what is there counts
                    f.read()
                os.unlink(temp)
                continue
            with open(temp if attack in ("temp", "fifo", "swap") else target, "wb") as f:
                f.write(b"naive")
            if attack in ("temp", "fifo"):
                with open(temp, "r+b") as f:  # goes on where it stopped
                    f.write(b"naive")
        except OSError:
            pass


# ---- the judge ----

class Place:
    """A folder that the attacker may write to, and the owner's home that is to stay as it is."""

    def __init__(self, root, home, kind):
        self.folder, self.home = os.path.join(root, kind), home
        os.mkdir(self.folder)
        os.chmod(self.folder, FOLDERS[kind])
        self.sub = os.path.join(self.folder, "sub")
        self.linkable = linkable_beside(self.folder)
        with open(self.linkable, "wb") as f:
            f.write(PRECIOUS)
        os.chmod(self.linkable, 0o666)
        os.chown(self.linkable, UID, UID)
        self.private = None  # open, as its name is the attacker's
        self.put_private()
        self.prepare()

    def put(self, name, content, mode):
        """A file of the owner's into the folder, whole at once; open."""
        path = os.path.join(os.path.dirname(self.folder), name)
        with open(path, "wb") as f:
            f.write(content)
        os.chown(path, UID, UID)
        os.chmod(path, mode)
        opened = open(path, "rb", buffering=0)
        os.rename(path, os.path.join(self.folder, name))
        return opened

    def put_private(self):
        if self.private:
            self.private.close()
        self.private = self.put("private", PRECIOUS, 0o600)

    def put_victim(self):
        """To be replaced, by what is to have its mode."""
        self.put("victim", b"old\n", 0o644).close()

    def prepare(self):
        path = os.path.join(self.home, "precious")
        if not os.path.exists(path):
            with open(path, "wb") as f:
                f.write(PRECIOUS)
            os.chown(path, UID, UID)
            os.utime(path, (0, os.stat(path).st_mtime))  # whoever reads it changes that, with relatime, too
        if not os.path.isdir(self.sub) and not os.path.isdir(os.path.join(self.folder, "aside")):
            os.mkdir(self.sub)
            os.chmod(self.sub, 0o777)
            os.chown(self.sub, *2 * [USERS[ATTACKER][0]])
        self.was = self.state()

    def state(self):
        path = os.path.join(self.home, "precious")
        info = os.lstat(path)
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOATIME)) as f:
            return (sorted(os.listdir(self.home)), os.path.exists(os.path.join(self.folder, "caught")), f.read(), info.st_ino, info.st_mode, info.st_uid, info.st_nlink, info.st_mtime_ns,
                    info.st_atime_ns, self.state_of_linkable(), self.state_of_private())

    def state_of_linkable(self):
        """Without the number of its names, which is the attacker's."""
        info = os.stat(self.linkable)
        with open(self.linkable, "rb") as f:
            return f.read(), info.st_ino, info.st_mode, info.st_uid, info.st_gid, info.st_mtime_ns

    def state_of_private(self):
        info = os.fstat(self.private.fileno())
        return os.pread(self.private.fileno(), 2 * SIZE, 0), info.st_mode, info.st_uid, info.st_gid, info.st_mtime_ns

    def harm(self):
        now = self.state()
        return None if now == self.was else f"was {self.was}, is {now}"

    def clean(self):
        """What the last attempt left; in a sticky folder the attacker cannot remove it."""
        for folder in (self.folder, self.sub, os.path.join(self.folder, "aside")):
            for name in ("victim", "stolen"):
                if not os.path.islink(folder):
                    quietly(os.unlink, os.path.join(folder, name))
        for name in os.listdir(self.folder):  # or the attacker would be busy with it next time
            if name.endswith(".part"):
                quietly(os.unlink, os.path.join(self.folder, name))
        self.put_private()
        self.was = (*self.was[:-1], self.state_of_private())


def attempt(service, origin, place, attack, number):
    """One job into the middle of the attack. What came of it: the end's name or the error's."""
    path = os.path.join(place.sub if attack == "folder" else place.folder, "victim")
    if attack == "swap" and number % 2 == 0:
        place.put_victim()
    try:
        job = service.create(f"race {number}", [(origin.url("race", SIZE), path, {})], Resume=True, CompleteWhenTransferred=True,
                             Replace=number % 2 == 0, Priority="foreground")
    except ServiceError as e:
        return e.name
    try:
        while (state := service.get(job, "State")) not in ("acknowledged", "error", "transient_error"):
            if state == "transferred" and service.get(job, "Error"):
                break  # it could not be published
            time.sleep(0.002)
        if state != "acknowledged":
            service.job_call(job, "Cancel")
        return state
    except ServiceError as e:
        return "acknowledged" if e.name == "NotFound" else e.name


def start_attacker(machine, attack, place):
    # As root would be no attacker: setpriv becomes that user.
    return subprocess.Popen(machine._as(ATTACKER) + ["/usr/bin/python3", os.path.abspath(__file__), "--attack", attack, place.folder, place.home])


def fight(service, origin, place, attack, attempts):
    attacker = start_attacker(service.machine, attack, place)
    outcomes, harm = {}, None
    try:
        for number in range(attempts):
            outcome = attempt(service, origin, place, attack, number)
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
            harm = place.harm()
            if harm:
                break
            place.clean()
    finally:
        attacker.kill()
        attacker.wait()
    print(f"{attack} in {os.path.basename(place.folder)}: {outcomes}{', HARM: ' + harm if harm else ''}", flush=True)
    return harm is None


def lose(service, place, attack):
    """The naive opener against the same attack: is harm done?"""
    attacker = start_attacker(service.machine, attack, place)
    naive = subprocess.Popen(service.machine._as(OWNER) + ["/usr/bin/python3", os.path.abspath(__file__), "--open", attack, place.folder, place.home])
    try:
        while naive.poll() is None and not place.harm():
            time.sleep(0.01)
        harm = place.harm()
    finally:
        for process in (attacker, naive):
            process.kill()
            process.wait()
    print(f"naive, {attack} in {os.path.basename(place.folder)}: {'lost, as it should' if harm else 'NO harm done: this attack proves nothing'}")
    return harm is not None


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default="build", help="build folder")
    p.add_argument("--attempts", type=int, default=300, help="of each kind in each folder")
    p.add_argument("--naive", action="store_true")
    p.add_argument("--attack", nargs=3, metavar=("KIND", "FOLDER", "HOME"), help=argparse.SUPPRESS)
    p.add_argument("--open", nargs=3, metavar=("KIND", "FOLDER", "HOME"), help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.attack:
        return {"final": attack_final, "temp": attack_temp, "folder": attack_folder, "read": attack_temp, "fifo": attack_fifo, "hard": attack_hard,
                "swap": attack_swap}[args.attack[0]](*args.attack[1:])
    if args.open:
        return open_naively(*args.open[:2])
    if os.geteuid() != 0:
        print("SKIP: two users are needed, and root to be them")
        return SKIPPED
    leave_mount_namespace()
    root = tempfile.mkdtemp(prefix="dosvc-race-")
    os.chmod(root, 0o755)
    service, origin = SystemService(args.build, os.path.join(root, "state")), Origin()
    service.config_text = "[Service]\nMinimumFreeSpace=0\n"
    home = service.machine.home(OWNER)
    good = True
    attacks = ATTACKS
    if os.statvfs(home).f_flag & os.ST_NOATIME:
        print("not run: read (the file system keeps no time of the last access)")
        attacks = tuple(attack for attack in ATTACKS if attack != "read")
    try:
        if not args.naive:
            service.start()
        # In a sticky folder the kernel itself protects who follows links (protected_symlinks): the naive one loses in the other.
        for kind in ["shared"] if args.naive else FOLDERS:
            for attack in attacks:
                place = Place(tempfile.mkdtemp(dir=root), home, kind)
                os.chmod(os.path.dirname(place.folder), 0o755)
                if args.naive:
                    good &= lose(service, place, attack)
                    shutil.rmtree(home)
                    os.mkdir(home, 0o700)
                    os.chown(home, UID, UID)
                else:
                    good &= fight(service, origin, place, attack, args.attempts)
    finally:
        origin.close()
        if service.process:
            service.stop()
        service.close()
        shutil.rmtree(root)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
