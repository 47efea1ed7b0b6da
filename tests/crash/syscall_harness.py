#!/usr/bin/env python3
"""Kills the service, or its transfer process, before every system call that changes a disk or answers a client; or lets those calls fail.

    syscall_harness.py --build build                  kills at every point
    syscall_harness.py --build build --errors         each syncing call fails with EIO, each writing one with ENOSPC: once, and from then on
    syscall_harness.py --build build --sample 60      that many points, spread evenly

One scripted job: made with three files, fetched through several checkpoints, suspended, resumed, completed; a second one is made and
cancelled; then the service is told to stop. tests/crash/gate.c counts the calls of all threads. After each kill the disk is checked,
the service is started again (in a full run it is first killed once more while it recovers), checked, everything is brought to its end and checked again.
"""
import collections
import concurrent.futures
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

from harness import CONFIG, Crash, arguments, invariants
from invariants import Job
from service import Service, ServiceError

SYNCS = ["fdatasync", "fsync", "syncfs"]
WRITES = ["pwrite64", "pwritev", "pwritev2", "ftruncate", "fallocate", "openat", "openat2", "mkdir", "mkdirat", "rename", "renameat", "renameat2",
          "link", "linkat"]
CHANGES = ["unlink", "unlinkat", "fchmod", "utimensat"]
ANSWERS = ["sendmsg"]
FILES = [1, 300_000, 1_000_000]
SKIPPED = 77
EXIT_RESTART = 75  # of a service that cannot trust its database any more


class Run:
    """One scripted job behind the gate, in folders of its own."""

    def __init__(self, args, seed):
        self.root = tempfile.mkdtemp(prefix="dosvc-syscall-")
        self.destination = os.path.join(self.root, "files")
        os.mkdir(self.destination)
        invariants.plant_foreign(self.destination)
        args = type(args)(**{**vars(args), "seed": seed})
        self.crash = Crash(args, os.path.join(self.root, "state"), self.destination)
        self.crash.origin.rate = 1 << 20
        self.service = self.crash.service
        self.service.config_text += "MinimumRetryDelayDO=1\n"
        self.count = os.path.join(self.root, "calls")
        self.mended = os.path.join(self.root, "mended")
        self.names = []   # of errors that the script met
        self.hopeless = False  # nothing needs to go on while the cause lasts
        self.points = 0   # calls that the gate saw
        self.result = []  # violations, when it is over
        self.where = ""
        self.crash.report = self.report_but_leftovers

    def report_but_leftovers(self, where, found):
        """A temporary file that could not be removed when it was to be is told in the log and left to the sweep of old ones."""
        told = "a temporary file could not be removed" in self.service.log()
        Crash.report(self.crash, where, [text for text in found if not told or not text.startswith("I6: .dosvc-")])

    def put_gate(self, calls, *options):
        program = os.path.join(os.path.abspath(self.crash.args.build), "tests/crash/gate")
        self.service.wrapper = [program, "--calls", ",".join(calls), "--count", self.count, *options, "--"]

    def call_at(self, point):
        """The call that the gate struck; None: it was not reached. Keeps how many there were."""
        with open(self.count, encoding="ascii") as f:
            calls = [line.split()[1] for line in f]
        self.points = len(calls)
        return calls[point - 1] if 0 < point <= len(calls) else None

    # The script

    def create(self, name, sizes):
        files = {os.path.join(self.destination, f"{name}-{i}"): (f"{name}-{i}", size) for i, size in enumerate(sizes)}
        job = Job(name, files, False)
        self.crash.ledger.unsure.append(job)
        job_id = self.service.create(name, [(self.crash.origin.url(*content), path, {}) for path, content in files.items()], Resume=True)
        self.crash.ledger.unsure.remove(job)
        self.crash.ledger.jobs[job_id] = job
        return job_id

    def step(self, job_id, method):
        """One call. What it did is a promise only when it was answered without an error."""
        job = self.crash.ledger.jobs[job_id]
        job.asked.add(method.lower())
        try:
            result = self.service.job_call(job_id, method)
        except ServiceError as e:
            self.names.append(f"{method}: {e.name}")
            return
        if method in ("Complete", "Cancel"):
            job.acknowledged = {"Complete": "completed", "Cancel": "cancelled"}[method]
            if method == "Complete" and result[0]:
                job.asked.add("partial")

    def wait(self, what, enough):
        end = time.monotonic() + (3 if self.hopeless else 30)
        while not enough():
            if time.monotonic() > end:
                raise TimeoutError(what)
            time.sleep(0.03)

    def script(self):
        try:
            kept = self.create("kept", FILES)
            stopped = ("transferred", "error", "transient_error")
            self.wait("a checkpoint", lambda: self.service.get(kept, "BytesDurable") > 1 << 16 or self.service.get(kept, "State") in stopped)
            self.step(kept, "Suspend")
            dropped = self.create("dropped", [400_000])
            self.step(kept, "Resume")
            if self.names and self.names[-1].startswith("Resume:") and not self.hopeless:
                self.step(kept, "Resume")  # it was answered with the error, and nothing was changed
            self.step(dropped, "Cancel")
            self.wait("the end", lambda: self.service.get(kept, "State") in stopped)
            if self.service.get(kept, "State") != "transferred":
                error = self.service.get(kept, "Error")
                self.names.append(f"job: {error.get('name') or error.get('Name') or error}")
            self.step(kept, "Complete")
        except ServiceError as e:
            self.names.append(f"create: {e.name}")

    def exited(self):
        """The exit status of a service whose connection broke: sockets close before a process can be reaped. None: it lives."""
        try:
            return self.service.process.wait(5)
        except subprocess.TimeoutExpired:
            return None

    def play(self):
        """Returns whether the service was there to the end of the script."""
        try:
            self.service.start()
            self.script()
        except (ConnectionError, RuntimeError):
            if self.exited() is None:
                self.report([f"the service hangs: {self.service.log()[-500:]}"])
                self.service.kill()
            return False
        except TimeoutError as e:
            self.names.append(f"no {e}")
            if not self.hopeless:
                self.report([f"waited in vain for {e}: {self.service.list_jobs()}"])
        return True

    # The checks

    def report(self, found):
        self.crash.report(self.where, found)

    def check_disk(self):
        self.report(invariants.check_disk(self.crash.state, self.destination, self.crash.ledger))

    def end(self):
        """A service that nobody disturbs brings everything to its end."""
        self.service.wrapper = []
        try:
            self.service.start()
            self.report(invariants.check_service(self.service, self.destination, self.crash.ledger))
            self.crash.settle()
            status = self.service.stop()
            if status != 0:
                self.report([f"the last service ended with {status}: {self.service.log()[-500:]}"])
            self.check_disk()
        except (RuntimeError, ConnectionError, ServiceError, TimeoutError) as e:
            self.report([f"the service does not come back: {type(e).__name__} {e}"])

    def go_on(self):
        """The same service, once the cause has gone. What is asked in the moment in which a commit fails fails with it and says so: that may
        be the first thing that is asked here, and nothing behind it."""
        for may_fail in (True, False):
            try:
                self.report(invariants.check_service(self.service, self.destination, self.crash.ledger))
                self.crash.settle()
                return
            except ServiceError as e:
                if e.name != "StoreFailed" or not may_fail:
                    raise
                self.names.append("go on: StoreFailed")

    def close(self):
        self.crash.origin.close()
        if self.service.process and self.service.process.poll() is None:
            self.service.kill()
        if not self.crash.violations:
            shutil.rmtree(self.root)
        else:
            print(f"{self.where}: kept {self.root}", flush=True)
        return list(self.crash.violations)


def stop_gated(run):
    """The end of the script: the service is told to stop. It may be killed in that too."""
    run.service.process.terminate()
    try:
        return run.service.process.wait(20)
    except Exception:  # noqa: BLE001 whatever it was: the report says it, and the process must go
        run.report(["the service does not stop"])
        run.service.kill()
        return None


def kill_at(args, place, point, twice):
    """Returns (violations, the call that was hit or None)."""
    run = Run(args, args.seed + point)
    run.where = f"{place} {point}"
    run.put_gate(SYNCS + WRITES + CHANGES + ANSWERS, "--in", place, *(["--from", str(point), "--kill"] if point else []))
    try:
        if run.play():
            status = stop_gated(run)
            if place == "children" and status != 0:
                run.report([f"the service ended with {status}"])
        hit = run.call_at(point)
        run.service.bus = None
        if hit:
            run.check_disk()
            if twice:
                again = 1 + random.Random(args.seed + point).randrange(40)
                run.where += f" and {again}"
                run.put_gate(SYNCS + WRITES + CHANGES, "--from", str(again), "--in", "main", "--kill")
                try:
                    run.service.start()
                    time.sleep(0.05)  # it may not come to that point at all
                    run.service.kill()
                except RuntimeError:
                    pass
                run.check_disk()
        if place == "main" or run.crash.violations:
            run.end()
        elif run.names:
            run.report([f"errors though only the transfer process died: {run.names}"])
        return run, hit
    finally:
        run.result = run.close()


def fail_at(args, calls, error, ever, point):
    run = Run(args, args.seed + point)
    run.where = f"{error} {'from' if ever else 'at'} {point} of {calls[0]}…"
    run.hopeless = ever
    options = ["--from", str(point), "--error", error] + (["--ever", run.mended] if ever else [])
    run.put_gate(calls, *(options if point else []))
    try:
        there = run.play()
        with open(run.mended, "w", encoding="ascii"):
            pass
        hit = run.call_at(point)
        if there:
            try:
                run.go_on()
            except (ConnectionError, TimeoutError, ServiceError) as e:
                if run.exited() != EXIT_RESTART:
                    run.report([f"does not go on: {type(e).__name__} {e}"])
            if run.service.process.poll() is None:
                stop_gated(run)
        else:
            run.names.append(f"exit {run.service.process.returncode}")
        run.service.bus = None
        run.check_disk()
        run.end()
        return run, hit
    finally:
        run.result = run.close()


def sweep(args, title, one, step, limit):
    """Runs one(point) for 1, 2, ... until points are no longer reached, or a sample of what a first run without a point has counted."""
    first, _ = one(0)
    total = first.points
    violations = list(first.result)
    hits, names = collections.Counter(), collections.Counter()
    points = range(1, total + total // 5 + 10) if not limit else sorted({1 + i * total // limit for i in range(limit)})
    with concurrent.futures.ThreadPoolExecutor(step) as pool:
        for run, hit in pool.map(one, points):
            hits[hit or "not reached"] += 1
            names.update(run.names)
            violations += run.result
    print(f"{title}: {total} points, {len(points)} runs: " + ", ".join(f"{k} {v}" for k, v in hits.most_common())
          + (f"; errors: {dict(names)}" if names else "") + f"; {len(violations)} violations", flush=True)
    return violations


def main():
    p = arguments(__doc__, 0)
    p.add_argument("--errors", action="store_true")
    p.add_argument("--sample", type=int, default=0, help="so many points in all; 0: all")
    p.add_argument("--at", type=int, help="this point of the service only")
    p.add_argument("--jobs", type=int, default=max(2, os.cpu_count() or 2))
    args = p.parse_args()
    gate = os.path.join(os.path.abspath(args.build), "tests/crash/gate")
    if subprocess.run([gate, "--calls", "fsync", "--count", os.devnull, "--", "/bin/true"], check=False).returncode == SKIPPED:
        print("SKIP: no seccomp notifications here")
        return SKIPPED
    os.umask(0o022)
    began = time.monotonic()
    n, jobs = args.sample, args.jobs
    violations = []
    if args.errors:
        share = n // 4
        for calls, error in ((SYNCS, "EIO"), (WRITES, "ENOSPC")):
            for ever in (False, True):
                violations += sweep(args, f"{error} {'from then on' if ever else 'once'}",
                                    lambda point, c=calls, e=error, v=ever: fail_at(args, c, e, v, point), jobs, share)
    elif args.at is not None:
        violations += kill_at(args, "main", args.at, False)[0].result
    else:
        violations += sweep(args, "the service", lambda point: kill_at(args, "main", point, not n), jobs, n - n // 5)
        violations += sweep(args, "the transfer process", lambda point: kill_at(args, "children", point, False), jobs, n // 5)
    print(f"seed {args.seed}: {time.monotonic() - began:.0f} s, {len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
