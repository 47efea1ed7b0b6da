"""Several connections for one file, with the real service and a server that limits each of them."""
import os
import sys
import time

import pytest

from conftest import QUICK, ROOT, Instance

sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from lying_server import LyingServer, content, digest  # noqa: E402

MB = 1_000_000
# As many as there may be, at once, and in small parts.
FORCED = QUICK + "SegmentTrial=0\nMinimumSegmentSize=65536\nCheckpointBytes=65536\n"


@pytest.fixture
def server():
    made = LyingServer().start()
    yield made
    made.stop()


@pytest.fixture
def forced(tmp_path):
    made = Instance(str(tmp_path), FORCED)
    made.start()
    yield made
    made.close()


def serve(server, size, **lies):
    server.add_case("x", {"name": "f", "size": size, "answers": [lies]})
    return server.url("/c/x/f")


def assert_whole(instance, size, version=1):
    with open(os.path.join(instance.folder, "f"), "rb") as file:
        assert file.read() == content("f", version, 0, size)


def the_file(instance, job):
    return instance.json("show", job)[0]["files"][0]


def wait_for(what, seconds=20):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_server_that_limits_each_connection_gets_more_of_them(instance, server):
    size = 30 * MB
    url = serve(server, size, rate=2 * MB)
    job = instance.run("get", "--detach", url, check=True).stdout.strip()
    wait_for(lambda: the_file(instance, job)["connections"] >= 4)
    assert "connections: " in instance.run("show", job, check=True).stdout
    wait_for(lambda: os.path.exists(os.path.join(instance.folder, "f")))
    assert_whole(instance, size)
    assert len(server.records) > 3 and len([r for r in server.records if not r["if_range"]]) == 1  # the first
    assert sum(r["body_sent"] for r in server.records) < size + 6 * MB  # what was on its way where a part was cut


def test_a_fast_server_gets_one_connection(instance, server):
    size = 20 * MB
    instance.run("get", "-q", serve(server, size), check=True)
    assert_whole(instance, size)
    assert len(server.records) == 1


def test_after_a_crash_a_file_goes_on_with_other_parts(forced, server):
    size = 12 * MB
    url = serve(server, size, rate=MB)
    job = forced.run("get", "--detach", url, check=True).stdout.strip()
    wait_for(lambda: (shown := the_file(forced, job))["bytes_durable"] > 3 * MB and shown["connections"] > 1)
    forced.kill()
    forced.config_text += "MaxConnectionsPerHost=2\n"
    forced.start()
    wait_for(lambda: os.path.exists(os.path.join(forced.folder, "f")))
    assert_whole(forced, size)
    assert sum(r["body_sent"] for r in server.records) < size + 5 * MB  # what was not yet durable, and what filled the sockets


@pytest.mark.parametrize("lies", [{"ranges": "ignore"}, {"etag": "missing", "modified": "missing"}, {"etag": "weak", "modified": "recent"}])
def test_where_parts_cannot_be_joined_one_connection_does_it(forced, server, lies):
    size = 2 * MB
    forced.run("get", "-q", serve(server, size, rate=4 * MB, **lies), check=True)
    assert_whole(forced, size)
    assert len(server.records) <= 6


@pytest.mark.parametrize("lies", [{}, {"if_range": "ignore"}])
def test_a_file_that_is_another_for_each_request_is_never_mixed(forced, server, lies):
    size = 2 * MB
    forced.run("get", "-q", serve(server, size, rate=4 * MB, version="each", **lies), check=True)
    with open(os.path.join(forced.folder, "f"), "rb") as file:
        got = file.read()
    assert any(got == content("f", version, 0, size) for version in range(1, 20))


def test_some_connections_that_break_are_no_error_of_the_file(forced, server):
    size = 4 * MB
    server.add_case("x", {"name": "f", "size": size, "answers": [{"rate": MB}, {"rate": MB, "cut": 300_000, "end": "rst"}, {"status": 503}, {"rate": MB}]})
    forced.run("get", "-q", "--sha256", digest("f", 1, size), server.url("/c/x/f"), check=True)
    assert_whole(forced, size)
    assert forced.json("history")[0]["error"] is None
