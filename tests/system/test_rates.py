"""Limits of rates: exact to 5 % over ten seconds, shared fairly, changed while jobs run. Loopback can do hundreds of times as much."""
import contextlib
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import time

import pytest

from conftest import QUICK, Instance
from hostile_tls import GOOD_NAME, SERVER_USE, Certificates
from metrics import fetch
from origin import Origin

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


def acknowledged(origin):
    """Bytes that went over the line, on connections that are there now: struct tcp_info's tcpi_bytes_acked."""
    with origin.lock:
        return sum(struct.unpack_from("Q", c.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232), 120)[0] for c in origin.connections)


def test_a_low_limit_that_a_large_file_meets_lets_no_bursts_through(instance, origin, target):
    """Half a mebibyte may have been asked for at once before, and the kernel may hold more."""
    origin.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1448)  # as on a line; loopback's segments are 64 KiB
    job = get(instance, large(origin, "a"), target, "--limit-rate", "8M")
    instance.run("set", job, f"max_rate={700 * 1024}", check=True)
    began = time.monotonic()
    while (before := acknowledged(origin)) == acknowledged(origin) and time.monotonic() < began + 10:
        time.sleep(0.2)  # what is in the kernel's buffer is taken first
    time.sleep(1)
    before, began = acknowledged(origin), time.monotonic()
    assert rates(instance, [job]) == [pytest.approx(700 * 1024, rel=0.05)]
    on_line = (acknowledged(origin) - before) / (time.monotonic() - began)
    assert on_line == pytest.approx(700 * 1024, rel=0.1)
    assert len(origin.connections) == 1  # more of them would have brought nothing
    instance.run("cancel", job, check=True)


@pytest.fixture
def http2(tmp_path):
    """An HTTP/2 server with a large file; yields (its authority, the file's URL)."""
    if not shutil.which("nginx"):
        pytest.skip("nginx is not installed")
    certificates = Certificates(str(tmp_path))
    certificate, key = certificates.make("server", certificates.root, SERVER_USE + GOOD_NAME)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    os.chmod(tmp_path, 0o755)
    with open(tmp_path / "big", "wb") as f:
        f.truncate(1 << 30)
    folders = "".join(f"{name}_temp_path {tmp_path}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {tmp_path}/pid; events {{}} http {{ access_log off; {folders} server {{ listen 127.0.0.1:{port} ssl http2;"
        f" root {tmp_path}; ssl_certificate {certificate}; ssl_certificate_key {key}; }} }}")
    server = subprocess.Popen(["nginx", "-p", tmp_path, "-e", tmp_path / "errors", "-c", tmp_path / "nginx.conf"])
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            break
        time.sleep(0.05)
    yield certificates.root[0], f"https://127.0.0.1:{port}/big"
    server.terminate()
    server.wait()


def test_jobs_with_limits_do_not_hold_each_other_up_over_http2(limited, http2, tmp_path):
    """Streams share a connection, and libcurl cannot leave one of them unread without the others."""
    instance = limited(f"CAFile={http2[0]}\n")
    limits = [200 * 1024, MIB, MIB // 2]
    jobs = []
    for number, first in enumerate((limits[0], limits[1], 8 * MIB)):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        jobs.append(get(instance, http2[1], folder, "--limit-rate", str(first)))
    instance.run("set", jobs[2], f"max_rate={limits[2]}", check=True)
    time.sleep(2)
    assert rates(instance, jobs) == [pytest.approx(limit, rel=0.05) for limit in limits]
    for job in jobs:
        instance.run("cancel", job, check=True)


@pytest.fixture
def tls_origin(tmp_path):
    """Yields (its authority, the origin)."""
    certificates = Certificates(str(tmp_path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates.make("server", certificates.root, SERVER_USE + GOOD_NAME))
    made = Origin(tls=context)
    yield certificates.root[0], made
    made.close()


def test_very_low_limits_are_as_exact_with_tls_as_without(limited, origin, tls_origin, tmp_path):
    """A record of TLS is 16 KiB, more than some of these have in a second."""
    authority, other = tls_origin
    instance = limited(f"CAFile={authority}\n")
    jobs, limits = [], [(origin, 8 * 1024), (origin, 20 * 1024), (other, 8 * 1024), (other, 20 * 1024)]
    for number, (server, limit) in enumerate(limits):
        server.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1448)  # as on a line; loopback's segments are 64 KiB
        folder = tmp_path / f"low-{number}"
        folder.mkdir()
        jobs.append(get(instance, large(server, "low"), folder, "--limit-rate", str(limit)))
    time.sleep(2)
    assert rates(instance, jobs) == [pytest.approx(limit, rel=0.05) for _, limit in limits]
    for job in jobs:
        instance.run("cancel", job, check=True)


def test_background_jobs_share_their_limit_and_foreground_jobs_have_their_own(limited, origin, target):
    instance = limited("DOMaxBackgroundDownloadBandwidth=1280\nDOMaxForegroundDownloadBandwidth=2048\n")
    jobs = [get(instance, large(origin, name), target, "--background") for name in "ab"]
    jobs.append(get(instance, large(origin, "c"), target, "--background", "--limit-rate", "256K"))
    jobs.append(get(instance, large(origin, "d"), target))
    time.sleep(4)
    found = rates(instance, jobs)
    assert sum(found[:3]) == pytest.approx(1280 * 1024, rel=0.05)
    assert found[2] == pytest.approx(MIB / 4, rel=0.05)
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
