"""Limits of rates: exact to 5 % over ten seconds, shared fairly, changed while jobs run. Loopback can do hundreds of times as much."""
import os
import signal
import time

import pytest

from conftest import QUICK, Instance
from metrics import fetch

pytestmark = pytest.mark.quiet
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


def configure(instance, text):
    with open(instance.config, "w", encoding="utf-8") as f:
        f.write("[Service]\n" + text)
    instance.process.send_signal(signal.SIGHUP)


def now_inside():
    """Hours that this one is in the middle of."""
    hour = time.localtime().tm_hour
    return f"{(hour - 1) % 24}-{(hour + 2) % 24}"


def test_a_percentage_is_exact_with_the_look_at_the_line_in_it_and_hours_hold_at_once(limited, origin, target, tmp_path):
    origin.rate = 5 * MIB  # of each connection: so two of them are a line of ten
    policies = f"DOPercentageMaxForegroundBandwidth=50\nMaxConnectionsPerFile=1\nMetricsSocket={tmp_path}/metrics\n"
    instance = limited(policies)
    jobs = [get(instance, large(origin, "a"), target)]
    began, before = time.monotonic(), fetched(instance, jobs)[0]
    jobs.append(get(instance, large(origin, "b"), target))
    time.sleep(began + 9 - time.monotonic())  # three seconds of looking, and what it takes to give back what they took
    later = rates(instance, jobs, 4)
    rate = (sum(fetched(instance, jobs)) - before) / (time.monotonic() - began)
    limit = fetch(f"{tmp_path}/metrics")["dosvc_rate_limit_bytes_per_second"]["foreground"]
    assert MIB < limit < 10 * MIB  # this server is no line: what it can do depends on who else wants the processor
    assert rate == pytest.approx(limit, rel=0.05)
    assert later[0] == pytest.approx(later[1], rel=0.1)
    background = get(instance, large(origin, "c"), target, "--background")

    configure(instance, f"DOSetHoursToLimitBackgroundDownloadBandwidth={now_inside()} 0% 100%\n" + policies)
    assert instance.wait_state(background, {"transient_error"}) == "transient_error"
    shown = instance.json("show", background)[0]
    assert (shown["waiting_reason"], shown["error"]["name"]) == ("policy", "BlockedByPolicy")
    row = next(row for row in instance.json("config") if row["key"] == "DOSetHoursToLimitBackgroundDownloadBandwidth")
    assert row["value"] == f"{now_inside()} 0% 100%" and row["source"] == instance.config + ":2"
    assert all(instance.json("show", job)[0]["state"] == "transferring" for job in jobs)
    configure(instance, policies)
    instance.wait_state(background, {"transferring", "acknowledged"})


def test_a_rate_that_is_none_is_refused(instance, target):
    for word in ("0", "x", "-1", "1X", "", "9999999999999999999", "9000000000000G"):
        result = instance.run("get", "--limit-rate", word, "http://127.0.0.1:1/x", cwd=target)
        assert result.returncode == 2 and "limit-rate" in result.stderr, (word, result)
