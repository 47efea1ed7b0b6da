#!/usr/bin/env python3
"""Each allocation of the library and of the program around it fails, once and for ever, in programs that do a whole job, and in the
verbs of the command.

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
from lying_server import LyingServer  # noqa: E402
from origin import Origin, content  # noqa: E402
from service import Service  # noqa: E402

SIZE = 1000
RUN_SECONDS = 60
CLEAN_ENDS = (0, 1)
REPORTS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:")
# {file}: a name that nobody had; {job}: one that is there, with a file, for all runs of its verb.
VERBS = (  # those that show all jobs before those that leave many
    "list --all-users", "list --all-users --json", "history --json", "stats", "service", "config --json", "show --all {job}", "show --json {job}",
    "set {job} judge_certificate=yes client_certificate=current_user/MY/sha1:0100000000000000000000000000000000000000 security_flags=0x100",
    "rebase {job} {url} {url}", "take {job}", "hash {content} -o {file}", "encrypt --new-key --key-file {file}.key {content} -o {file}",
    "get -q {url} -o {file}", "create --replace --priority low {tag}", "add {job} {url} -o {file}",
)
VERB_ENDS = range(9)  # of cli(1)


class Failure(Exception):
    pass


class World:
    def __init__(self, arguments):
        self.root = tempfile.mkdtemp(prefix="dosvc-torture-")
        self.files = os.path.join(self.root, "files")
        os.mkdir(self.files)
        self.content = os.path.join(self.root, "content")
        with open(self.content, "wb") as f:
            f.write(content("torture", SIZE))
        self.origin = Origin()
        self.secure = self.start_secure_origin()
        self.service = Service(arguments.build, os.path.join(self.root, "state"), config=f"CAFile={self.root}/tls.pem\n")
        self.service.start()
        self.kept, self.completed = {}, {}  # id: the run that it is of

    def start_secure_origin(self):
        key, certificate = os.path.join(self.root, "tls.key"), os.path.join(self.root, "tls.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
                        certificate, "-days", "2", "-subj", "/CN=torture", "-addext", "subjectAltName=IP:127.0.0.1"],
                       check=True, stderr=subprocess.DEVNULL)
        return LyingServer(cases={"torture": {"file": self.content}}, tls=(certificate, key)).start()

    def close(self):
        self.service.stop()
        self.secure.stop()
        self.origin.down()
        shutil.rmtree(self.root)

    def kinds(self, program):
        """(what to run it with, as format strings; the ends that it may have) for each kind of run."""
        name = os.path.basename(program)
        if name == "torture_dosvc":
            for i, verb in enumerate(VERBS):
                job = ""
                if "{job}" in verb:
                    path = os.path.join(self.files, f"of-verb-{i}")
                    job = self.service.create("waits", [(self.origin.url("torture", SIZE), path, {})])
                yield verb.replace("{job}", job).split(), VERB_ENDS
        elif name.startswith("example"):
            yield ["{url}", "{file}"], CLEAN_ENDS  # they say nothing of their jobs
        else:
            yield ["{secure}" if name == "torture_job" else "{url}", "{files}", "{tag}"], CLEAN_ENDS

    def run(self, program, words, ends, at, mode):
        """Returns how many allocations it counted."""
        name = os.path.basename(program)
        tag = "-".join([name] + ([words[0]] + [str(abs(hash(tuple(words))) % 10000)] if ends is VERB_ENDS else []) + [mode, str(at)])
        report = os.path.join(self.root, tag + ".count")
        environment = dict(os.environ, DOSVC_ADDRESS=self.service.address, DOSVC_FAIL_AT=str(at), DOSVC_FAIL_MODE=mode,
                           DOSVC_FAIL_REPORT=report)
        places = {"url": self.origin.url("torture", SIZE), "secure": self.secure.url("/c/torture/f"), "files": self.files, "tag": tag,
                  "file": os.path.join(self.files, tag + "-0"), "content": self.content}
        try:
            done = subprocess.run([program] + [w.format(**places) for w in words], env=environment,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
        except subprocess.TimeoutExpired as e:
            raise Failure(f"{tag}: no end\n{e.stdout}\n{e.stderr}") from e
        if done.returncode not in ends or (done.returncode != 0 and not done.stderr.strip()) or any(r in done.stderr for r in REPORTS):
            raise Failure(f"{tag}: ended with {done.returncode}\n{done.stdout}\n{done.stderr[-6000:]}")
        if at == 0 and done.returncode != 0:
            raise Failure(f"{tag}: cannot even do it with memory\n{done.stderr}")
        self.note(done, tag, words, ends)
        with open(report, encoding="ascii") as f:
            return int(f.read())

    def note(self, done, tag, words, ends):
        """What the service said of jobs, and how it was told."""
        said = [line.split() for line in done.stdout.splitlines()]
        ids = [w[1].lower() for w in said if w[:1] == ["job"] and len(w) == 2]
        if words[0] == "create" and ends is VERB_ENDS:
            ids = [w[0] for w in said]
        (self.completed if ["completed"] in said else self.kept).update((i, tag) for i in ids)
        if done.returncode == 0 and (tag.startswith("example") or words[0] == "get"):
            self.completed[tag] = tag

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
        for program, words, ends in [(p, *kind) for p in arguments.programs for kind in world.kinds(p)]:
            n = world.run(program, words, ends, 0, "once")
            # Threads make the number vary a little: go on behind the end.
            step = max(1, n // arguments.sample) if arguments.sample else 1
            runs = [(program, words, ends, at, mode) for mode in ("once", "ever") for at in range(1, n + 10, step)]

            def attempt(run):
                try:
                    world.run(*run)
                except Failure as e:
                    failures.append(str(e))
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(attempt, runs))
            print(f"{os.path.basename(program)} {words[0] if ends is VERB_ENDS else ''}: {n} allocations, {len(runs)} runs")
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
