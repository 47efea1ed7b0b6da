"""What the two crash harnesses share: arguments, one round's work, the settling at the end."""
import argparse
import ctypes
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "lib")]

import invariants  # noqa: E402
from origin import Origin  # noqa: E402
from service import Service, ServiceError  # noqa: E402
from system_service import UID, Killer, SystemService  # noqa: E402
from workload import Lost, TooLate, Workload  # noqa: E402

CLONE_NEWNS = 0x20000
SKIPPED = 77
CONFIG = "CheckpointBytes=65536\nCheckpointInterval=1\nMinimumFreeSpace=0\n"
# Files of foreground jobs are divided as soon as they may be.
DIVIDED = "CAFile={}\nSegmentTrial=0\nMinimumSegmentSize=16384\nMaxConnectionsPerHost=32\nMaxConnectionsPerFile={}\n"


def arguments(description, rounds):
    p = argparse.ArgumentParser(description=description)
    p.add_argument("--build", default="build", help="build folder")
    p.add_argument("--rounds", type=int, default=rounds)
    p.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    p.add_argument("--control", choices=["row-before-data", "lazy-commits"], help="a service that is made to break the protocol")
    p.add_argument("--system", action="store_true", help="the system instance, all of whose processes are killed (needs root)")
    p.add_argument("--verbose", action="store_true")
    return p


def leave_mount_namespace():
    """Whoever makes a mount namespace elsewhere meanwhile would keep a copy of our mount, and with it the file system that was shut down:
    mounting it again would give the dead one."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)


def one_authority():
    """Nobody here speaks TLS, and each new transfer process would parse all authorities of the system: a fifth of a round."""
    file = tempfile.NamedTemporaryFile("w", encoding="ascii", suffix=".pem")
    os.chmod(file.name, 0o644)
    with open("/etc/ssl/certs/ca-certificates.crt", encoding="ascii") as bundle:
        file.write(bundle.read().partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")
    file.flush()
    return file


class Crash:
    """A state that lives through many services."""

    def __init__(self, args, state, destination):
        self.args = args
        self.random = random.Random(args.seed)
        self.origin = Origin()
        self.ledger = invariants.Ledger()
        self.state, self.destination = state, destination
        self.authorities = one_authority()
        environment = {}
        if args.control:
            environment = {"LD_PRELOAD": os.path.join(os.path.abspath(args.build), "tests/crash/liblies.so"), "DOSVC_LIE": args.control}
        if args.system:
            self.ledger.uid = UID
            os.chown(destination, UID, UID)
            self.service = SystemService(args.build, state)
        else:
            self.service = Service(args.build, state, CONFIG, environment=environment)
        self.violations = []

    def start_service(self):
        """With as many connections for a file as it comes: what one layout of parts left, another one finds."""
        self.service.config_text = "[Service]\n" + CONFIG + DIVIDED.format(self.authorities.name, self.random.choice([1, 2, 7]))
        self.service.start()

    def work_until_killed(self, kill, seconds, power=False):
        """Random calls; kill() strikes in their middle after that time. A broken connection is what a kill looks like. power: it cuts the
        power, so what is answered from then on is not heard."""
        dead, striking = threading.Event(), threading.Event()
        workload = Workload(self.service, self.origin, self.destination, self.ledger, self.random,
                            striking.is_set if power else lambda: False)

        def strike():
            striking.set()
            if killer:
                killer.stop()
            kill()
            dead.set()
        timer = threading.Timer(seconds, strike)
        killer = Killer(self.service, random.Random(self.random.random())) if self.args.system else None
        if killer:
            killer.start()
        timer.start()
        try:
            while not dead.is_set():
                self.step(workload, killer)
        except (ConnectionError, TooLate):
            pass
        except Lost as e:
            self.report("at work", [f"I1: {e} is lost"])
        except ServiceError:
            if not striking.is_set():
                raise
            # a disk without power: an error is an answer, but no promise
        finally:
            timer.join()

    @staticmethod
    def step(workload, killer):
        try:
            workload.step()
        except ServiceError as e:
            # The owner's process died three times under this one call: an answer, and the call did nothing or is an intent.
            if not killer or e.name != "OwnerProcessFailed":
                raise

    def report(self, where, found):
        for text in found:
            self.violations.append(text)
            if self.args.verbose or len(self.violations) < 20:
                print(f"{where}: {text}", flush=True)

    def tell(self, number):
        """Now and then: a run of hours should not be silent."""
        if number % 1000 == 999:
            used = sum(e.stat().st_blocks * 512 for e in os.scandir(self.destination))
            print(f"{number + 1} rounds, {len(self.violations)} violations, {used >> 20} MiB of files", flush=True)

    def forget_finished(self, keep=200):
        """Ended jobs were checked many times: their files and ledger rows may go, so that rounds stay quick."""
        ended = [i for i, job in self.ledger.jobs.items() if job.acknowledged]
        for job_id in ended[:-keep] if keep else ended:
            self.forget_files(self.ledger.jobs.pop(job_id))
        # Those that were never answered: known by now, or ended, or never made.
        known = list(self.ledger.jobs.values())
        for job in self.ledger.unsure[:-keep]:
            if job not in known:
                self.forget_files(job)
            self.ledger.unsure.remove(job)
        # Or the next power cut brings them back, with nobody to know them, until the disk is full.
        fd = os.open(self.destination, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(fd)
        os.close(fd)

    def forget_files(self, job):
        for path in list(job.files) + list(job.maybe):
            self.ledger.seen_whole.pop(path, None)
            if os.path.exists(path):
                os.unlink(path)

    def settle(self):
        """Everything that is left ends right, and leaves nothing behind."""
        self.origin.rate = None
        for job_id, row in self.service.list_jobs().items():
            job = self.ledger.jobs.get(job_id)
            try:
                if row["State"] in ("suspended", "error", "transient_error") or (row["State"] == "transferred" and job.complete):
                    self.service.job_call(job_id, "Resume")
                if not job.complete:
                    # A Complete or Cancel whose answer was an error may still have been carried out.
                    if self.service.wait_state(job_id, ("transferred", "acknowledged", "cancelled")) == "transferred":
                        job.asked.add("complete")
                        self.service.job_call(job_id, "Complete")
            except ServiceError as e:
                if e.name not in ("NotFound", "InvalidState"):
                    raise
        end = time.monotonic() + 120
        while self.service.list_jobs() and time.monotonic() < end:
            time.sleep(0.01)
        left = {i: (r["State"], r["Error"]) for i, r in self.service.list_jobs().items()}
        if left:
            self.report("end", [f"jobs do not end: {left}"])
        self.report("end", invariants.check_finals(self.destination, dict(self.ledger.all_files()), 0o022, uid=self.ledger.uid))
        self.report("end", invariants.check_temps(self.service, self.destination))

    def close(self):
        self.origin.close()
        if self.service.process and self.service.process.poll() is None:
            self.service.kill()
        if self.args.system:
            self.service.close()

    def finish(self, rounds, began):
        n = len(self.violations)
        print(f"seed {self.args.seed}: {rounds} rounds in {time.monotonic() - began:.0f} s, {len(self.ledger.jobs)} jobs in the ledger, "
              f"{n} violations")
        return n
