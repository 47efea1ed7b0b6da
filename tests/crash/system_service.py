"""The system instance in place of the user instance for the crash harnesses: the same calls, made by one of its owners, and kills of its parts.

The core ends each round, as the one process does in the user instance. During a round any of the others may be killed: the owner's process,
a transfer process, the broker (with which all owners' processes die). What they were doing is taken up again, and no promise is broken.
"""
import os
import signal
import threading
import time

from service import Service, children_of
from system_instance import USERS, Machine

OWNER = "alice"
UID = USERS[OWNER][0]


class SystemService(Service):
    """In a mount namespace that the harness made for itself. Nothing of it is root's but the broker; the caller is, and reads everything."""

    def __init__(self, build, state):
        self.machine = Machine(build, own_namespace=True, state=state)
        super().__init__(build, self.machine.path("run"))
        self.state = state
        self.log_path = self.machine.path("core.log")
        self.machine.start_namespace()

    def start(self, wait=True):
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        os.chown(self.state, *2 * [USERS["dosvc"][0]])
        with open(self.machine.path("dosvc.conf"), "w", encoding="ascii") as f:
            f.write(self.config_text)
        if "broker" not in self.machine.processes or self.machine.processes["broker"].poll() is not None:
            self.machine.start_broker()
        self.machine.spawn_core()
        self.process = self.machine.processes["core"]
        if wait:
            self.connect()

    def connect(self, timeout=30):
        """The kernel and the D-Bus handshake both take the effective user."""
        os.seteuid(UID)
        try:
            super().connect(timeout)
        finally:
            os.seteuid(0)

    def kill(self):
        """What the broker made of the core's last word leaves too: only then is the disk as the crash left it."""
        super().kill()
        broker = self.machine.processes.get("broker")
        end = time.monotonic() + 5
        while broker and any(map(self.is_running, children_of(broker.pid))) and time.monotonic() < end:
            time.sleep(0.001)

    def kill_part(self, random):
        """One of the others, if it is there: its end is no end of the service."""
        program = random.choice(["dosvc-owner", "dosvc-owner", "dosvc-transfer", "dosvc-resolve", "dosvc-broker"])
        if program == "dosvc-broker":
            orphans = children_of(self.machine.processes["broker"].pid)
            self.machine.kill("broker")
            self.wait_gone(orphans)  # the next one would not know them
            self.machine.start_broker()
            return
        pid = self.machine.pid(program)
        try:
            if pid:
                os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def stop(self):
        result = super().stop()
        self.machine.processes.pop("core", None)
        return result

    def close(self):
        self.machine.close()


class Killer(threading.Thread):
    """Kills parts of the service at random times until it is told to stop."""

    def __init__(self, service, random):
        super().__init__(daemon=True)
        self.service, self.random = service, random
        self.done = threading.Event()

    def run(self):
        while not self.done.wait(self.random.random() * 0.2):
            self.service.kill_part(self.random)

    def stop(self):
        self.done.set()
        self.join()
