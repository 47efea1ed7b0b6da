"""Files through a relay that delays, crumbles, cuts, resets and corrupts: each one ends byte-exact, or its job has a named error."""
import hashlib
import os
import random
import time

import pytest
from gi.repository import GLib

from chaos import Chaos
from origin import digest

SOAK = bool(os.environ.get("DOSVC_SOAK"))
FILES = 10000 if SOAK else 40
FILES_PER_JOB = 10
JOBS_IN_FLIGHT = 100 if SOAK else 10
SECONDS = 7200 if SOAK else 200


@pytest.fixture
def chaos(origin):
    made = Chaos(origin.port, int.from_bytes(os.urandom(4), "little"))
    yield made
    made.close()


def check(folder, sizes):
    """Nothing under a final name but the whole of it. Returns how many are there."""
    n = 0
    for name, size in sizes.items():
        try:
            with open(folder / name, "rb") as f:
                assert hashlib.sha256(f.read()).hexdigest() == digest(name, size), f"{name} is not what its origin has"
        except FileNotFoundError:
            continue
        n += 1
    return n


def test_every_file_is_byte_exact_or_its_job_has_a_named_error(instance, origin, chaos, target):
    chosen = random.Random(chaos.port)
    sizes = {f"f{i}": int(2 ** chosen.uniform(0, 18)) for i in range(FILES)}
    names = list(sizes)
    live, errors, end = {}, {}, time.monotonic() + SECONDS
    while names or live:
        assert time.monotonic() < end, f"{len(names)} files left, {live}"
        if names and len(live) < JOBS_IN_FLIGHT:
            mine, names = names[:FILES_PER_JOB], names[FILES_PER_JOB:]
            job = instance.create("chaos", [(origin.url(n, sizes[n]).replace(f":{origin.port}/", f":{chaos.port}/"), str(target / n),
                                             {"Sha256": GLib.Variant("ay", bytes.fromhex(digest(n, sizes[n])))}) for n in mine],
                                  CompleteWhenTransferred=True, Priority="foreground")
            instance.job_call(job, "Resume")
            live[job] = mine
            continue
        rows = instance.list_jobs()
        for job in list(live):
            if job not in rows:
                assert check(target, {n: sizes[n] for n in live[job]}) == len(live[job]), "completed, and not all are there"
                del live[job]
            elif rows[job]["State"] == "error":
                name = instance.get(job, "Error")["Name"].removeprefix("org.dosvc.Error.")
                assert name, "an error without a name"
                errors[name] = errors.get(name, 0) + 1
                assert check(target, {n: sizes[n] for n in live[job]}) == 0, "there is something under a final name before Complete"
                instance.job_call(job, "Resume")
        time.sleep(0.02)
    assert check(target, sizes) == FILES
    assert not [n for n in os.listdir(target) if n.startswith(".")]
    assert chaos.did["corrupt"] > 0 and chaos.did["reset"] > 0 and chaos.did["crumbs"] > 0
    print(f"{FILES} files; connections: {dict(chaos.did)}; errors of jobs: {errors}")
