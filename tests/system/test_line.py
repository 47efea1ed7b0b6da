"""The slow line that other tests stand on is as slow, as long and as deep as it was asked to be."""
import os
import statistics
import subprocess
import time

import pytest

import line
from conftest import BUILD
from service import Service

pytestmark = [pytest.mark.quiet, pytest.mark.skipif(line.missing() is not None, reason=line.missing() or "")]
PING = """
import socket, sys, time
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as c:
    times = []
    for _ in range(10):
        began = time.monotonic(); c.sendall(b"x"); c.recv(1); times.append(time.monotonic() - began)
print(sorted(times)[len(times) // 2])
"""
ECHO = """
import socket, sys
with socket.create_server((sys.argv[1], int(sys.argv[2]))) as s:
    while True:
        c = s.accept()[0]
        while d := c.recv(1):
            c.sendall(d)
"""


@pytest.fixture
def slow_line():
    made = line.Line(BUILD, rate_mbit=20, rtt_ms=40, buffer_ms=60)
    yield made
    made.close()


def test_a_line_has_the_round_trip_that_was_asked_for(slow_line):
    slow_line.server(["python3", "-c", ECHO, line.SERVER, "7"])
    slow_line.wait_for(7)
    ping = slow_line.client(["python3", "-c", PING, line.SERVER, "7"], stdout=-1, text=True)
    assert 0.040 <= float(ping.communicate(timeout=30)[0]) < 0.060


def test_a_bulk_flow_gets_the_rate_and_fills_the_buffer_that_were_asked_for(slow_line):
    slow_line.bulk_server()
    with slow_line.bulk("cubic") as bulk:
        end = time.monotonic() + 3
        while time.monotonic() < end and not any(s.drops for s in slow_line.samples()):
            time.sleep(0.05)
        time.sleep(0.5)
    samples = slow_line.samples()
    assert 17 < bulk.mbit() < 20
    assert 55 < max(s.queue_max_ms for s in samples) <= 61
    assert statistics.median(s.mbit for s in samples if s.queue_ms > 10) == pytest.approx(20, rel=0.05)


def test_nothing_is_left_of_a_line(slow_line):
    pid, folder = slow_line.box.pid, slow_line.folder
    slow_line.close()
    assert not os.path.exists(f"/proc/{pid}") and not os.path.exists(folder)


MANY, FILE_BYTES = 4, 6_000_000


def transferred(service, jobs):
    return [service.list_files(job)[0]["BytesTransferred"] for job in jobs]


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def check_turns(on, tmp_path, scheme, servers, n_heard):
    """servers: each job's, by the line's addresses. n_heard: of so many something is to come while others fill the line."""
    www = tmp_path / "www"
    www.mkdir(mode=0o755)
    contents = [os.urandom(FILE_BYTES) for _ in range(MANY)]
    for i, content in enumerate(contents):
        (www / str(i)).write_bytes(content)
    on.bulk_server()
    on.web_server(str(www), http2=False)
    service = Service(BUILD, str(tmp_path / "state"), f"MaxConnectionsPerHost=16\nBackgroundSlots=8\nCAFile={on.ca}\n",
                      wrapper=on.client_wrapper)
    service.start()
    try:
        jobs = [service.create(str(i), [(on.url(scheme, str(i), server), str(tmp_path / str(i)), {})], Resume=True, Priority="normal")
                for i, server in enumerate(servers)]
        wait_until(lambda: all(transferred(service, jobs)))
        with on.bulk("cubic"):
            wait_until(lambda: on.samples(since=on.now() - 1)[-1].queue_ms > 20)
            time.sleep(2)  # what it takes to give way
            before, began = transferred(service, jobs), time.monotonic()
            wait_until(lambda: sum(a > b for a, b in zip(transferred(service, jobs), before)) >= n_heard)
            rate = (sum(transferred(service, jobs)) - sum(before)) / (time.monotonic() - began)
        assert rate * 8 < 0.01 * 50e6  # as one of them is let to have; four would have 1.5 % (at four servers 1.8 %)
        ended = time.monotonic()
        wait_until(lambda: sum(transferred(service, jobs)) == MANY * FILE_BYTES, seconds=15)
        for i, job in enumerate(jobs):
            assert service.wait_state(job, ["transferred"])
            service.job_call(job, "Complete")
            assert (tmp_path / str(i)).read_bytes() == contents[i]
    finally:
        service.stop()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_beside_others_the_connections_take_turns_and_their_files_are_whole(tmp_path, scheme):
    with line.Line(BUILD, rate_mbit=50, rtt_ms=20, buffer_ms=100) as on:
        check_turns(on, tmp_path, scheme, [0] * MANY, MANY - 1)


def test_beside_others_connections_to_several_servers_take_turns_too(tmp_path):
    with line.Line(BUILD, rate_mbit=50, rtt_ms=20, buffer_ms=100) as on:
        check_turns(on, tmp_path, "http", range(MANY), MANY)


@pytest.fixture
def other_file_system(tmp_path):
    """Whose files another transfer process writes."""
    folder = tmp_path / "other"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600m", "none", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_background_jobs_of_two_processes_share_the_line(tmp_path, other_file_system):
    (tmp_path / "www").mkdir(mode=0o755)
    with open(tmp_path / "www" / "big", "wb") as f:
        f.truncate(512 << 20)
    with line.Line(BUILD, rate_mbit=50, rtt_ms=20, buffer_ms=100) as on:
        on.web_server(str(tmp_path / "www"), http2=False)
        service = Service(BUILD, str(tmp_path / "state"), wrapper=on.client_wrapper)
        service.start()
        jobs = []

        def shares(seconds):
            """Of the line: what came for each job."""
            before, began = transferred(service, jobs), time.monotonic()
            time.sleep(seconds)
            took = time.monotonic() - began
            return [(a - b) * 8 / took / 50e6 for a, b in zip(transferred(service, jobs), before)]

        def begin(folder):
            jobs.append(service.create(folder.name, [(on.url("http", "big"), str(folder / "big"), {})], Resume=True, Priority="normal"))

        try:
            begin(tmp_path)
            wait_until(lambda: shares(0.5)[0] > 0.85)
            begin(other_file_system)
            wait_until(lambda: min(shares(1)) > 0.3)  # whoever came last had all but a hundredth of it once, and for good
            kept = shares(6)
            assert min(kept) > 0.25 and sum(kept) > 0.85
        finally:
            service.stop()
