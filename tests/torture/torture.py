#!/usr/bin/env python3
"""Each allocation of the library and of the program around it fails, once and for ever, in programs that do a whole job.

A run may end well or with an error that it said, never with a signal, a sanitizer's report (leaks too) or not at all; and whatever
the service had acknowledged to it is there: a job in the list, or its files if it was completed.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from origin import Origin, content  # noqa: E402
from service import Service  # noqa: E402

SIZE = 1000
RUN_SECONDS = 60
CLEAN_ENDS = (0, 1)


class Failure(Exception):
    pass


class World:
    def __init__(self, arguments):
        self.root = tempfile.mkdtemp(prefix="dosvc-torture-")
        self.files = os.path.join(self.root, "files")
        os.mkdir(self.files)
        self.origin = Origin()
        self.service = Service(arguments.build, os.path.join(self.root, "state"))
        self.service.start()
        self.kept, self.completed = {}, {}  # id: the run that it is of

    def close(self):
        self.service.stop()
        self.origin.down()
        shutil.rmtree(self.root)

    def run(self, program, at, mode):
        """Returns how many allocations it counted."""
        tag = f"{os.path.basename(program)}-{mode}-{at}"
        report = os.path.join(self.root, tag + ".count")
        environment = dict(os.environ, DOSVC_ADDRESS=self.service.address, DOSVC_FAIL_AT=str(at), DOSVC_FAIL_MODE=mode,
                           DOSVC_FAIL_REPORT=report)
        words = [program, self.origin.url("torture", SIZE)]
        # The examples take a URL and a file, and say nothing of their jobs.
        words += [os.path.join(self.files, tag + "-0")] if "example" in program else [self.files, tag]
        try:
            done = subprocess.run(words, env=environment,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
        except subprocess.TimeoutExpired as e:
            raise Failure(f"{tag}: no end\n{e.stdout}\n{e.stderr}") from e
        if done.returncode not in CLEAN_ENDS or (done.returncode == 1 and not done.stderr.strip()):
            raise Failure(f"{tag}: ended with {done.returncode}\n{done.stdout}\n{done.stderr[-6000:]}")
        said = [line.split() for line in done.stdout.splitlines()]
        ids = [w[1].lower() for w in said if w[:1] == ["job"] and len(w) == 2]
        (self.completed if ["completed"] in said else self.kept).update((i, tag) for i in ids)
        if "example" in program and done.returncode == 0:
            self.completed[tag] = tag
        with open(report, encoding="ascii") as f:
            return int(f.read())

    def judge(self):
        living = self.service.list_jobs()
        for job_id, tag in self.kept.items():
            # A Complete whose answer could not be read is done all the same: then the history has it.
            if job_id not in living and self.service.get(job_id, "State") != "acknowledged":
                raise Failure(f"{tag}: job {job_id} is lost")
        for job_id, tag in self.completed.items():
            paths = [os.path.join(self.files, f) for f in os.listdir(self.files) if f.startswith(tag + "-")]
            if not paths:
                raise Failure(f"{tag}: job {job_id} was completed and there is no file")
            for path in paths:
                with open(path, "rb") as f:
                    data = f.read()
                whole = content("torture", SIZE)
                if data not in (whole, whole[100:150] + whole[:10]):
                    raise Failure(f"{path} has the wrong content")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--sample", type=int, help="so many runs of each program and mode, evenly spread; default: all")
    parser.add_argument("programs", nargs="+")
    arguments = parser.parse_args()
    world = World(arguments)
    failures = []
    try:
        for program in arguments.programs:
            n = world.run(program, 0, "once")
            # Threads make the number vary a little: go on behind the end.
            step = max(1, n // arguments.sample) if arguments.sample else 1
            runs = [(program, at, mode) for mode in ("once", "ever") for at in range(1, n + 10, step)]

            def attempt(run):
                try:
                    world.run(*run)
                except Failure as e:
                    failures.append(str(e))
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(attempt, runs))
            print(f"{os.path.basename(program)}: {n} allocations, {len(runs)} runs")
        world.judge()
    except Failure as e:
        failures.append(str(e))
    finally:
        world.close()
    for failure in failures[:5]:
        print(failure, file=sys.stderr)
    print(f"{len(failures)} failures", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
