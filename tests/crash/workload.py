"""Random work for a service that will be killed: creates, suspends, resumes, completes and cancels jobs, and keeps the ledger."""
import os

from gi.repository import GLib

from invariants import Job
from service import ServiceError

SIZES = [0, 1, 4096, 65536, 65537, 300_000, 1_000_000, 2_500_000]


class Lost(Exception):
    """A job that was acknowledged is not there."""


class TooLate(Exception):
    """An answer came when the power was gone already: nobody could have seen it, and it promises nothing."""


class Workload:
    """powerless(): true from the moment at which the power is cut. The shut-down file system lives on for a while, and may let an fsync that
    was under way come back without an error although its journal was thrown away; a real machine would be dark by then."""

    def __init__(self, service, origin, destination, ledger, random, powerless=lambda: False, max_jobs=6):
        self.service = service
        self.origin = origin
        self.destination = destination
        self.ledger = ledger
        self.random = random
        self.powerless = powerless
        self.max_jobs = max_jobs
        self.counter = 0

    def answered(self, result):
        if self.powerless():
            raise TooLate
        return result

    def live(self):
        return [i for i, job in self.ledger.jobs.items() if not job.acknowledged]

    def create(self):
        self.counter += 1
        name = f"job-{os.getpid()}-{self.counter}-{self.random.getrandbits(32):08x}"
        files, rows = {}, []
        for i in range(self.random.choice([1, 1, 1, 2, 5])):
            size = self.random.choice(SIZES)
            path = os.path.join(self.destination, f"{name}-{i}")
            files[path] = (f"{name}-{i}", size)
            rows.append((self.origin.url(f"{name}-{i}", size), path, {}))
        job = Job(name, files, self.random.random() < 0.5)
        self.ledger.unsure.append(job)
        job_id = self.answered(self.service.create(name, rows, Resume=self.random.random() < 0.8, CompleteWhenTransferred=job.complete,
                                                   Priority=self.random.choice(["foreground", "normal"])))
        self.ledger.unsure.remove(job)
        self.ledger.jobs[job_id] = job

    def call(self, job_id, method):
        job = self.ledger.jobs[job_id]
        job.asked.add(method.lower())
        result = self.answered(self.service.job_call(job_id, method))
        if method == "Complete":
            if result[0]:
                job.asked.add("partial")
            job.acknowledged = "completed"
        elif method == "Cancel":
            job.acknowledged = "cancelled"

    def step(self):
        live = self.live()
        if not live or (len(live) < self.max_jobs and self.random.random() < 0.5):
            self.create()
            return
        job_id = self.random.choice(live)
        method = self.random.choice(["Suspend", "Resume", "Resume", "Complete", "Cancel", "AddFiles", "look", "look"])
        try:
            if method == "look":
                self.service.get(job_id, "State")
            elif method == "AddFiles":
                job = self.ledger.jobs[job_id]
                path = os.path.join(self.destination, f"{job.name}-{len(job.files)}")
                if len(job.files) >= 8 or job.complete or job.maybe:
                    return
                extra = (f"{job.name}-{len(job.files)}", self.random.choice(SIZES))
                job.asked.add("addfiles")
                job.maybe[path] = extra
                self.answered(self.service.job_call(job_id, "AddFiles", GLib.Variant(
                    "(ua(saya{sv}))", (0o022, [(self.origin.url(*extra), os.fsencode(path), {})]))))
                job.files[path] = job.maybe.pop(path)
            else:
                self.call(job_id, method)
        except ServiceError as e:
            if self.powerless():
                raise TooLate from e
            if e.name != "StoreFailed":  # that one says itself that the change may be on disk
                self.ledger.jobs[job_id].maybe.clear()
            if e.name == "NotFound" and (self.ledger.jobs[job_id].complete or self.ledger.jobs[job_id].asked & {"complete", "cancel"}):
                return  # it completed by itself and was forgotten
            if e.name == "NotFound":
                raise Lost(job_id) from e
            if e.name not in ("InvalidState", "FileExists", "JobEmpty"):
                raise
