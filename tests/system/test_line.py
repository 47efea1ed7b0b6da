"""The slow line that other tests stand on is as slow, as long and as deep as it was asked to be."""
import os
import statistics
import time

import pytest

import line
from conftest import BUILD

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
