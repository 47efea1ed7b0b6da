"""Limits of rates: exact to 5 % over ten seconds, shared fairly, changed while jobs run. Loopback can do hundreds of times as much."""
import os
import time

import pytest

from conftest import QUICK, Instance

MIB = 1024 * 1024
SECONDS = 10


def fetched(instance, jobs):
    return [instance.get(job, "BytesFetched") for job in jobs]


def rates(instance, jobs, seconds=SECONDS):
    """Bytes per second of each job, from when it has its rate. Time is what is measured here: nothing can be waited for."""
    before, began = fetched(instance, jobs), time.monotonic()
    time.sleep(seconds)
    after, took = fetched(instance, jobs), time.monotonic() - began
    return [(b - a) / took for a, b in zip(before, after)]


@pytest.fixture
def limited(tmp_path):
    made = []

    def start(config):
        made.append(Instance(str(tmp_path), QUICK + config))
        made[0].start()
        return made[0]

    yield start
    for instance in made:
        instance.close()


def large(origin, name):
    """A file that outlasts the test at its rate."""
    return origin.url(name, size=64 * MIB)


def get(instance, url, target, *words):
    job = instance.run("get", "--detach", *words, "-o", os.path.join(target, os.path.basename(url.split("?")[0])), url, check=True).stdout.strip()
    instance.wait_state(job, {"transferring"})
    end = time.monotonic() + 20
    while instance.get(job, "BytesFetched") == 0 and time.monotonic() < end:
        time.sleep(0.05)
    return job


def test_a_jobs_own_rate_is_kept_and_changes_while_it_runs(instance, origin, target):
    job = get(instance, large(origin, "a"), target, "--limit-rate", "2M")
    time.sleep(1)
    assert rates(instance, [job]) == [pytest.approx(2 * MIB, rel=0.05)]
    instance.run("set", job, f"max_rate={MIB // 2}", check=True)
    assert instance.json("show", job)[0]["max_rate"] == MIB // 2
    time.sleep(1)
    assert rates(instance, [job], 6) == [pytest.approx(MIB / 2, rel=0.05)]
    instance.run("set", job, "max_rate=0", check=True)
    instance.wait_state(job, {"acknowledged"})


def test_background_jobs_share_their_limit_and_foreground_jobs_have_their_own(limited, origin, target):
    instance = limited("DOMaxBackgroundDownloadBandwidth=3072\nDOMaxForegroundDownloadBandwidth=2048\n")
    jobs = [get(instance, large(origin, name), target, "--background") for name in "ab"]
    jobs.append(get(instance, large(origin, "c"), target, "--background", "--limit-rate", "512K"))
    jobs.append(get(instance, large(origin, "d"), target))
    time.sleep(4)
    found = rates(instance, jobs)
    assert sum(found[:3]) == pytest.approx(3 * MIB, rel=0.05)
    assert found[2] == pytest.approx(MIB / 2, rel=0.05)
    assert found[0] == pytest.approx(found[1], rel=0.1)
    assert found[3] == pytest.approx(2 * MIB, rel=0.05)
    for job in jobs:
        instance.run("cancel", job, check=True)


def test_a_job_that_becomes_foreground_leaves_the_limit_of_the_background(limited, origin, target):
    instance = limited("DOMaxBackgroundDownloadBandwidth=256\n")
    job = get(instance, large(origin, "a"), target, "--background")
    instance.run("set", job, "priority=foreground", check=True)
    instance.wait_state(job, {"acknowledged"})


def test_a_rate_that_is_none_is_refused(instance, target):
    for word in ("0", "x", "-1", "1X", "", "9999999999999999999", "9000000000000G"):
        result = instance.run("get", "--limit-rate", word, "http://127.0.0.1:1/x", cwd=target)
        assert result.returncode == 2 and "limit-rate" in result.stderr, (word, result)
