"""Files that share an HTTP/2 connection, with the real service: what befalls the connection or one of its streams costs no file a byte.
What each broken rule of the protocol leads to is in hostile_h2.py."""
import os

import pytest

import hostile_h2
from conftest import QUICK, Instance
from hostile_tls import GOOD_NAME, SERVER_USE, Certificates
from lying_server import content, digest

SIZES = {name: 2_000_000 for name in ("f", "g")}
HALF = 1_000_000
h2 = hostile_h2.h2


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    made = Certificates(str(tmp_path_factory.mktemp("certificates")))
    made.server = made.make("server", made.root, SERVER_USE + GOOD_NAME)
    return made


@pytest.fixture
def impatient(tmp_path, certificates):
    made = Instance(str(tmp_path), QUICK.replace("StallTimeout=5", "StallTimeout=1") + f"CAFile={certificates.root[0]}\n")
    made.start()
    yield made
    made.close()


def fetch_both(instance, server):
    """In one job, each with its digest: both arrive as they are."""
    with open(os.path.join(instance.folder, "list"), "w", encoding="utf-8") as file:
        file.writelines(f"{server.url(name)} sha256={digest(name, 1, SIZES[name])}\n" for name in SIZES)
    instance.run("get", "-q", "-i", "list", check=True)
    for name in SIZES:
        with open(os.path.join(instance.folder, name), "rb") as file:
            assert file.read() == content(name, 1, 0, SIZES[name])


def both_half(c):
    """Of both files half is there; the two requests."""
    f, g = c.take_all(2)
    for request in (f, g):
        c.head(request)
        c.data(request.stream, c.whole(request)[:HALF])
    c.meet()
    return f, g


def forget_all(c, f, g):
    c.goaway(0)


def forget_one(c, f, g):
    c.goaway(f.stream if f.stream < g.stream else g.stream)
    c.data(min(f, g).stream, c.whole(min(f, g))[HALF:], end=True)


def reset_one(c, f, g):
    c.reset(f.stream, h2.INTERNAL_ERROR)
    c.data(g.stream, c.whole(g)[HALF:], end=True)


def break_a_rule(c, f, g):
    c.frame(h2.HEADERS, h2.END_HEADERS, f.stream, b"\x80")


def fall_silent(c, f, g):
    c.drain()


@pytest.mark.parametrize("fault", [forget_all, forget_one, reset_one, break_a_rule, fall_silent, lambda c, f, g: c.hang_up()],
                         ids=["a GOAWAY that forgets both", "a GOAWAY that forgets the younger", "a stream's reset", "a broken HPACK block", "silence", "the end"])
def test_what_befalls_two_files_in_mid_body_costs_neither_a_byte(impatient, certificates, fault):
    def script(c):
        if c.number == 0:
            fault(c, *both_half(c))
        c.serve()
    server = h2.H2Server(certificates.server, SIZES, script)
    try:
        fetch_both(impatient, server)
        again = [request for _, request in server.requests if "range" in request.fields]
        assert all(request.fields["range"] != "bytes=0-" for request in again)
        assert again, "what was there was kept"
        assert not server.wrong
    finally:
        server.stop()


def test_answers_that_are_swapped_are_found_by_their_digests(impatient, certificates):
    """And both are asked for once more."""
    def script(c):
        if c.number == 0:
            f, g = c.take_all(2)
            c.answer(f._replace(name="g", fields={}))
            c.answer(g._replace(name="f", fields={}))
        c.serve()
    server = h2.H2Server(certificates.server, SIZES, script)
    try:
        fetch_both(impatient, server)
    finally:
        server.stop()


def test_parts_that_are_to_make_a_file_faster_have_connections_of_their_own(tmp_path, certificates):
    """A server that limits each connection gives streams of one no more than one of them."""
    def script(c):
        if c.number > 0:
            c.serve()
        request = c.take()
        c.head(request, more=[("accept-ranges", "bytes")])
        c.data(request.stream, c.whole(request)[:HALF // 4])  # and no more, until others have what is left
    server = h2.H2Server(certificates.server, SIZES, script)
    instance = Instance(str(tmp_path), QUICK + f"SegmentTrial=0\nMinimumSegmentSize=65536\nCAFile={certificates.root[0]}\n")
    instance.start()
    try:
        instance.run("get", "-q", server.url("f"), check=True)
        with open(os.path.join(instance.folder, "f"), "rb") as file:
            assert file.read() == content("f", 1, 0, SIZES["f"])
        assert all(number > 0 for number, _ in server.requests[1:]), "a part was a stream beside the first one"
        assert len(server.old_requests) >= 2 and all(first > 0 for _, first, _ in server.old_requests)
    finally:
        instance.close()
        server.stop()
