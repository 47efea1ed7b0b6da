#!/usr/bin/python3
"""Runs the range-server matrix against the real transfer process: every case has to end in the byte-exact file or in a named error.

    range_matrix.py --driver engine_driver --transfer dosvc-transfer --resolve dosvc-resolve [--only REGEX] [--jobs N] [-v]

Plays the manager in small: keeps what progress() reported, resumes with the validators of the last metadata(), begins anew on RESTART
(three times at most), tries transient failures again (without waiting). It checks at every step that bytes which were there are
untouched, that a refused answer wrote nothing, and that what is there is the beginning of one version of the file."""
import argparse
import collections
import hashlib
import json
import os
import re
import selectors
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from lying_server import content, etag, last_modified  # noqa: E402
from range_matrix_cases import cases  # noqa: E402

RESTARTS_MAX = 3
TRIES_MAX = 5
TIMEOUT = 30


class Wrong(Exception):
    pass


class Job:
    """One case on its way."""

    def __init__(self, case, port, folder):
        self.case = case
        self.path = os.path.join(folder, case["key"])
        self.url = f"http://127.0.0.1:{port}" + (case["url"] or f"/c/{case['key']}/f")
        self.name = case["server"]["name"]
        self.restarts = self.tries = 0
        self.have = case["have"]
        self.known = {}
        self.history = []
        self.started = time.monotonic()
        if self.have:
            self.known = {"origin": self.url}
            if case["known"] == "etag":
                self.known["etag"] = etag(self.name, 1)
            if case["known"] == "date":
                self.known["last_modified"] = last_modified(1)
            if case["size_known"]:
                self.known["remote_size"] = case["server"]["size"]
        with open(self.path, "wb") as file:
            file.write(content(self.name, 1, 0, self.have))

    def truths(self):
        """What the file may be at the end: one of the server's versions, or the caller's ranges of it."""
        versions = {(1, self.case["server"]["size"])}
        for answer in self.case["server"]["answers"]:
            size = answer.get("size", self.case["server"]["size"])
            version = answer.get("version", 1)
            versions |= {(v, size) for v in (range(1, 16) if version == "each" else (version,))}
        for version, size in sorted(versions):
            whole = content(self.name, version, 0, size)
            if self.case["pieces"] is None:
                yield whole
            else:
                yield b"".join(whole[at:] if n < 0 else whole[at:at + n] for at, n in self.case["pieces"])

    def missing_pieces(self):
        left, local, rows = self.have, 0, []
        for at, n in self.case["pieces"] or [(0, -1)]:
            skip = left if n < 0 else min(left, n)
            if n < 0 or skip < n:
                rows.append([at + skip, n if n < 0 else n - skip, local + skip])
            left -= skip
            local += n if n > 0 else 0
        return rows

    def request(self, number):
        case = self.case
        self.number = number
        self.metadata = None
        self.n_progress = 0
        with open(self.path, "rb") as file:
            self.before = file.read()
        row = {"id": number, "url": self.url, "path": self.path, "pieces": self.missing_pieces(), "whole": case["pieces"] is None,
               "digest_decides": case["digest"]}
        if case["stated"] is not None:
            row["stated_size"] = case["stated"]
        if case["stall"]:
            row["stall_timeout_usec"] = int(case["stall"] * 1e6)
        row.update(self.known)
        return row

    def bytes_now(self):
        with open(self.path, "rb") as file:
            return file.read()

    def truncate(self, size):
        os.truncate(self.path, size)
        self.have = size

    def check_step(self, event):
        """What must hold whenever a request has ended."""
        now = self.bytes_now()
        if now[:len(self.before)] != self.before:
            raise Wrong("bytes that were there were changed")
        if self.n_progress == 0 and len(now) > len(self.before):
            raise Wrong("bytes were written and not reported")
        if event["outcome"] == "restart" and self.metadata is None and now != self.before:
            raise Wrong("a refused answer wrote")
        if self.have > len(now):
            raise Wrong("more was reported than written")
        if not self.case["digest"] and self.case["expect"] != "prefix" and event["outcome"] != "restart":
            if not any(truth.startswith(now[:self.have]) for truth in self.truths()):
                raise Wrong("what was reported is the beginning of no version")

    def on_event(self, event):
        """None: goes on (ask for the next request). Else (end, detail)."""
        if event["event"] == "metadata":
            if self.metadata is not None or self.n_progress:
                raise Wrong("metadata came late or twice")
            self.metadata = event
            return None
        if event["event"] == "progress":
            if event["start"] != self.have or event["end"] <= event["start"]:
                raise Wrong(f"progress from {event['start']} to {event['end']} after {self.have}")
            self.n_progress += 1
            self.have = event["end"]
            return None
        if event["event"] != "finished":
            raise Wrong(f"{event['event']}: {event['text']}")
        self.history.append(f"{event['outcome']} {event['code']} {event['text']}")
        self.check_step(event)
        return self.on_finished(event)

    def on_finished(self, event):
        outcome = event["outcome"]
        if outcome == "done":
            return self.on_done(event)
        if event["code"] == "NONE" or not event["text"]:
            raise Wrong(f"{outcome} without a name or text")
        if outcome == "restart":
            return self.restart(event["code"])
        if outcome != "failed":
            raise Wrong(f"outcome {outcome}")
        self.tries += 1
        if not event["transient"] or self.tries > TRIES_MAX:
            return "error", event["code"]
        self.remember()
        return "again", None

    def remember(self):
        if self.metadata and self.have:
            keys = ("etag", "last_modified", "encoding", "origin", "remote_size")
            new = {k: self.metadata[k] for k in keys if self.metadata[k] is not None}
            # The size may have been said by an earlier answer.
            self.known = {**({"remote_size": self.known["remote_size"]} if "remote_size" in self.known else {}), **new}
        elif not self.have:
            self.known = {}

    def restart(self, code):
        self.restarts += 1
        if self.restarts > RESTARTS_MAX:
            return "error", code
        self.truncate(0)
        self.known = {}
        return "again", None

    def on_done(self, event):
        if self.case["pieces"] is None or self.case["pieces"][-1][1] < 0:
            if event["local_end"] < self.have:
                raise Wrong("the end of the file lies before its last byte")
            self.have = event["local_end"]
        now = self.bytes_now()
        if len(now) != self.have:
            raise Wrong(f"{len(now)} bytes, {self.have} were reported")
        if self.case["stated"] is not None and len(now) != self.case["stated"]:
            raise Wrong("another size than stated")
        if self.case["digest"]:
            if hashlib.sha256(now).digest() == hashlib.sha256(next(self.truths())).digest():
                return "exact", None
            return self.restart("DIGEST_MISMATCH")
        if any(now == truth for truth in self.truths()):
            return "exact", None
        if self.case["expect"] == "prefix" and event["length_unverified"] and any(t.startswith(now) for t in self.truths()):
            return "prefix", None
        raise Wrong("corrupt")

    def judge(self, end):
        expect = self.case["expect"]
        if expect in ("exact", "error") and end != expect:
            raise Wrong(f"ended in {end}, expected {expect}")


class Runner:
    def __init__(self, options, todo, folder):
        self.options = options
        self.todo = collections.deque(todo)
        self.folder = folder
        self.jobs = {}
        self.number = 0
        self.ends = collections.Counter()
        self.wrong = []
        self.slowest = (0, "")
        file = os.path.join(folder, "cases.json")
        with open(file, "w", encoding="utf-8") as out:
            json.dump({case["key"]: case["server"] for case in self.todo}, out)
        server = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib", "lying_server.py")
        self.server = subprocess.Popen([sys.executable, server, "--cases", file], stdout=subprocess.PIPE, text=True)
        self.port = int(self.server.stdout.readline().split()[0])
        self.driver = subprocess.Popen([options.driver, options.transfer, options.resolve], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.buffer = b""

    def ask(self, job):
        self.number += 1
        row = job.request(self.number)
        self.jobs[self.number] = job
        self.driver.stdin.write(json.dumps(row).encode() + b"\n")
        self.driver.stdin.flush()

    def end(self, job, end, detail):
        self.ends[end if end != "error" else f"error {detail}"] += 1
        seconds = time.monotonic() - job.started
        self.slowest = max(self.slowest, (seconds, job.case["id"]))
        if self.options.verbose:
            print(f"{job.case['key']} {job.case['id']}: {end} {detail or ''} {job.history}")

    def fail(self, job, why):
        self.wrong.append(f"{job.case['key']} {job.case['id']}: {why}; {job.history}")

    def take(self, event):
        job = self.jobs[event["id"]]
        if event["event"] == "finished":
            del self.jobs[event["id"]]
        try:
            end = job.on_event(event)
            if end is None:
                return
            if end[0] == "again":
                self.ask(job)
                return
            self.end(job, *end)
            job.judge(end[0])
        except Wrong as wrong:
            self.jobs = {k: v for k, v in self.jobs.items() if v is not job}
            self.fail(job, wrong)
        os.unlink(job.path)

    def take_events(self):
        data = os.read(self.driver.stdout.fileno(), 1 << 16)
        if not data:
            raise SystemExit("the driver ended")
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            event = json.loads(line)
            if event["id"] in self.jobs:
                self.take(event)

    def check_time(self):
        late = [n for n, job in self.jobs.items() if time.monotonic() - job.started > TIMEOUT]
        for n in late:
            self.fail(self.jobs.pop(n), f"no end within {TIMEOUT} s")

    def run(self):
        selector = selectors.DefaultSelector()
        selector.register(self.driver.stdout, selectors.EVENT_READ)
        while self.todo or self.jobs:
            while self.todo and len(self.jobs) < self.options.jobs:
                self.ask(Job(self.todo.popleft(), self.port, self.folder))
            if selector.select(1):
                self.take_events()
            self.check_time()

    def close(self):
        self.driver.stdin.close()
        status = self.driver.wait(10)
        self.server.kill()
        self.server.wait()
        if status != 0:
            self.wrong.append(f"the driver ended with {status}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", required=True)
    parser.add_argument("--transfer", required=True)
    parser.add_argument("--resolve", required=True)
    parser.add_argument("--only", default="", help="regular expression on key and id")
    parser.add_argument("--jobs", type=int, default=24)
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    todo = [case for case in cases() if re.search(options.only, case["key"] + " " + case["id"])]
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dosvc-matrix-") as folder:
        runner = Runner(options, todo, folder)
        try:
            runner.run()
        finally:
            runner.close()
    for text in runner.wrong:
        print("WRONG", text)
    for end, count in sorted(runner.ends.items()):
        print(f"{count:6} {end}")
    print(f"{len(todo)} cases in {time.monotonic() - started:.1f} s, slowest {runner.slowest[0]:.1f} s ({runner.slowest[1]}), "
          f"{len(runner.wrong)} wrong")
    return 1 if runner.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
