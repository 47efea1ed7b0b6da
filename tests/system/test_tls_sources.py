"""Mirrors and digests that a server offers in its own headers (Metalink/HTTP, RFC 6249), over https: who is believed, and what a mirror never
gets to see. The same over http is in test_sources.py."""
import os

import pytest

from conftest import QUICK, Instance
from hostile_tls import GOOD_NAME, SERVER_USE, Certificates
from lying_server import LyingServer, content, digest
from test_sources import SIZE, metalink, serve, the_file, whole

STALLS = {"cut": 1_000_000, "end": "stall"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    made = Certificates(str(tmp_path_factory.mktemp("certificates")))
    made.good = made.make("good", made.root, SERVER_USE + GOOD_NAME)
    made.stranger = made.make("stranger", None, SERVER_USE + GOOD_NAME)
    return made


@pytest.fixture
def impatient(tmp_path, certificates):
    made = Instance(str(tmp_path), QUICK.replace("StallTimeout=5", "StallTimeout=1") + f"CAFile={certificates.root[0]}\n")
    made.start()
    yield made
    made.close()


@pytest.fixture
def servers(certificates):
    """The origin and a mirror over https, a mirror over http, and a mirror over https that nobody vouches for."""
    made = [LyingServer(tls=tls).start() for tls in (certificates.good, certificates.good, None, certificates.stranger)]
    yield made
    for server in made:
        server.stop()


def links_only(*mirrors):
    return [line for line in metalink(*mirrors) if line.startswith("Link")]


def stall_once(server, headers):
    """Then it is whole: without a mirror the file comes from here, later."""
    server.add_case("x", {"name": "f", "size": SIZE, "answers": [{**STALLS, "headers": headers}, {"headers": headers}]})
    return server.url("/c/x/f")


def test_an_https_server_names_an_http_mirror_whose_bytes_its_digest_decides(impatient, servers):
    origin, _, plain, _ = servers
    impatient.run("get", "-q", serve(origin, headers=metalink(serve(plain)), **STALLS), check=True)
    assert the_file(impatient.folder) == whole()
    assert plain.records and plain.records[-1]["range"] and plain.records[-1]["body_sent"] <= SIZE - 900_000


@pytest.mark.parametrize("secure", [True, False], ids=["https", "http"])
def test_without_any_digest_no_mirror_is_asked(impatient, servers, secure):
    origin, mirror, plain, _ = servers
    mirror = mirror if secure else plain
    impatient.run("get", "-q", stall_once(origin, links_only(serve(mirror))), check=True)
    assert the_file(impatient.folder) == whole()
    assert mirror.records == [] and len(origin.records) == 2


def test_the_clients_own_digest_makes_an_http_mirror_as_good(impatient, servers):
    origin, _, plain, _ = servers
    impatient.run("get", "-q", "--sha256", digest("f", 1, SIZE), serve(origin, headers=links_only(serve(plain)), **STALLS), check=True)
    assert the_file(impatient.folder) == whole()
    assert plain.records


def test_an_http_mirror_that_lies_is_found_by_the_digest_of_the_https_server(impatient, servers):
    origin, honest, liar, _ = servers
    job = impatient.run("get", "--detach", serve(origin, headers=metalink(serve(liar, version=2), serve(honest)), **STALLS), check=True).stdout.strip()
    impatient.wait_state(job, {"acknowledged"})
    assert the_file(impatient.folder) == whole()
    assert len(liar.records) <= 1 and honest.records


def test_a_mirror_that_nobody_vouches_for_sends_no_byte_and_the_next_is_asked(impatient, servers):
    origin, honest, _, stranger = servers
    impatient.run("get", "-q", serve(origin, headers=metalink(serve(stranger), serve(honest)), **STALLS), check=True)
    assert the_file(impatient.folder) == whole()
    assert stranger.records == [] and honest.records


def test_an_https_redirect_whose_target_is_dead_still_names_mirrors_and_digest(impatient, servers):
    origin, _, plain, _ = servers
    origin.add_case("x", {"name": "f", "size": SIZE, "answers": [
        {"status": 302, "location": "https://127.0.0.1:1/f", "headers": metalink(serve(plain))}]})
    impatient.run("get", "-q", origin.url("/c/x/f"), check=True)
    assert the_file(impatient.folder) == whole()
    assert plain.records


def test_what_an_http_hop_of_an_https_file_offers_is_never_heard(impatient, servers):
    origin, mirror, plain, _ = servers
    plain.add_case("y", {"name": "f", "size": SIZE, "answers": [{**STALLS, "headers": metalink(serve(mirror))}, {}]})
    origin.add_case("x", {"name": "f", "answers": [{"status": 302, "location": plain.url("/c/y/f")}]})
    refused = impatient.run("get", "-q", origin.url("/c/x/f"))
    assert refused.returncode != 0 and "https" in refused.stderr
    assert mirror.records == [] and plain.records == []


def test_a_file_that_contradicts_the_digest_of_its_https_server_never_appears(impatient, servers):
    origin = servers[0]
    refused = impatient.run("get", "-q", serve(origin, headers=metalink(version=2)))
    assert refused.returncode == 8 and "digest" in refused.stderr.lower()
    assert not os.path.exists(os.path.join(impatient.folder, "f"))


def test_user_and_password_of_the_address_reach_no_mirror(impatient, servers):
    origin, mirror, _, _ = servers
    url = serve(origin, headers=metalink(serve(mirror)), **STALLS).replace("https://", "https://me:secret@")
    job = impatient.create("f", [(url, os.path.join(impatient.folder, "f"), {})], CompleteWhenTransferred=True, Resume=True, Priority="foreground")
    impatient.wait_state(job, {"acknowledged"})
    assert the_file(impatient.folder) == whole()
    assert mirror.records and not any("authorization" in record["headers"] for record in mirror.records)


def test_a_mirror_of_another_version_brings_no_byte_of_it(impatient, servers):
    """Its ETag is not compared (other servers, other tags): the digest is."""
    origin, mirror, _, _ = servers
    origin.add_case("x", {"name": "f", "size": SIZE, "answers": [{**STALLS, "headers": metalink(serve(mirror, version=2))}, {}]})
    impatient.run("get", "-q", origin.url("/c/x/f"), check=True, timeout=60)
    assert the_file(impatient.folder) == content("f", 1, 0, SIZE)
