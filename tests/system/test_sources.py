"""Where a file comes from when there is a choice, with the real service: mirrors and cache servers on loopback that stall and lie."""
import base64
import os
import sys
import time

import pytest

import fake_machine
from conftest import QUICK, ROOT, Instance

sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
from lying_server import LyingServer, content, digest  # noqa: E402

SIZE = 3_000_000


@pytest.fixture
def servers():
    made = [LyingServer().start() for _ in range(3)]
    yield made
    for server in made:
        server.stop()


def serve(server, **lies):
    server.add_case("x", {"name": "f", "size": SIZE, "answers": [lies]})
    return server.url("/c/x/f")


def the_file(folder):
    with open(os.path.join(folder, "f"), "rb") as file:
        return file.read()


def whole():
    return content("f", 1, 0, SIZE)


def test_a_mirror_takes_over_where_the_server_stalls_and_no_byte_comes_twice(instance, servers):
    first, second, _ = servers
    url = serve(first, cut=1_000_000, end="stall")
    mirror = serve(second)
    instance.run("get", "-q", "--sha256", digest("f", 1, SIZE), "--mirror", mirror, url, check=True)
    assert the_file(instance.folder) == whole()
    assert second.records[-1]["range"] and second.records[-1]["body_sent"] <= SIZE - 900_000
    assert all(r["if_range"] is None for r in second.records)


def test_a_mirror_that_lies_is_left_out_and_the_next_one_asked(instance, servers):
    first, second, third = servers
    url = serve(first, status=404)
    mirrors = serve(second, version=2) + " " + serve(third)
    instance.run("get", "-q", "--sha256", digest("f", 1, SIZE), "--mirror", mirrors, url, check=True)
    assert the_file(instance.folder) == whole()
    assert len(second.records) == 1 and len(third.records) == 1


def serve_all(server, names, **lies):
    for name in names:
        server.add_case(name, {"name": name, "size": SIZE, "answers": [lies]})


def state_of(instance, job, file, url):
    """What is thought of that source."""
    lines = (instance.json("show", job)[0]["files"][file]["sources"] or "").splitlines()
    return next((state for _, state, shown in map(str.split, lines) if shown == url), None)


@pytest.mark.parametrize("kind", ["mirror", "cache"])
def test_a_source_that_lied_is_asked_for_nothing_more_after_the_service_was_killed(tmp_path, servers, kind):
    """One file shows that it lies, the two others are under way: from the origin, or from the liar itself."""
    origin, liar, honest = servers
    names = ["f", "g", "h"]
    serve_all(liar, ["f"], version=2)
    serve_all(liar, ["g", "h"], rate=50_000)
    if kind == "mirror":
        serve_all(origin, ["f"], status=404)
        serve_all(origin, ["g", "h"], rate=50_000)
    else:
        serve_all(origin, names, rate=50_000)
    serve_all(honest, names)
    lines = "MaxConnectionsPerFile=1\n" + (f"DOCacheHost=127.0.0.1:{liar.port}\n" if kind == "cache" else "")
    instance = Instance(str(tmp_path), QUICK + lines)
    instance.start()
    try:
        with open(os.path.join(instance.folder, "list"), "w", encoding="utf-8") as file:
            for name in names:
                path = f"/c/{name}/{name}"
                mirrors = f"mirror={liar.url(path)} " * (kind == "mirror") + f"mirror={honest.url(path)}"
                file.write(f"{origin.url(path)} sha256={digest(name, 1, SIZE)} {mirrors}\n")
        job = instance.run("create", "--priority", "foreground", "three", check=True).stdout.strip()
        instance.run("add", job, "-i", "list", check=True)
        instance.run("resume", job, check=True)
        end = time.monotonic() + 60
        while state_of(instance, job, 0, liar.url("/c/f/f")) != "lied":
            assert time.monotonic() < end, instance.json("show", job)
        instance.run("create", "later", check=True)  # what was committed before that is durable now
        instance.kill()
        asked = dict(liar.counts)
        assert asked["f"] == 1
        origin.stop()
        instance.start()
        instance.wait_state(job, {"transferred"})
        assert state_of(instance, job, 2, liar.url("/c/h/h")) == "lied"
        instance.run("complete", job, check=True)
        for name in names:
            with open(os.path.join(instance.folder, name), "rb") as file:
                assert file.read() == content(name, 1, 0, SIZE)
        assert liar.counts == asked
    finally:
        instance.close()


def test_a_list_has_mirrors_too_and_a_wrong_one_is_said(instance, servers):
    first, second, _ = servers
    with open(os.path.join(instance.folder, "list"), "w", encoding="utf-8") as file:
        file.write(f"{serve(first, status=410)} mirror={serve(second)}\n")
    instance.run("get", "-q", "-i", "list", check=True)
    assert the_file(instance.folder) == whole()
    refused = instance.run("get", "-q", "-o", "g", "--mirror", "ftp://h/f", first.url("/c/x/f"))
    assert refused.returncode != 0 and "scheme" in refused.stderr


def test_show_says_which_source_is_asked_and_why_the_last_was_left(instance, servers):
    first, second, _ = servers
    url = serve(first, status=404)
    mirror = serve(second, rate=100_000)
    job = instance.run("get", "--detach", "--mirror", mirror, url, check=True).stdout.strip()
    while True:
        shown = instance.json("show", job)
        shown = shown[0] if isinstance(shown, list) else shown
        if shown["files"][0]["source"] == mirror:
            break
    assert "404" in shown["files"][0]["source_trouble"]
    instance.run("cancel", job, check=True)


@pytest.fixture
def with_cache(tmp_path, servers):
    made = Instance(str(tmp_path), QUICK + f"DOCacheHost=127.0.0.1:{servers[0].port}\n")
    made.start()
    yield made
    made.close()


def test_a_cache_server_is_asked_first_and_told_the_host(with_cache, servers):
    cache, origin, _ = servers
    serve(cache)
    url = serve(origin)
    with_cache.run("get", "-q", url, check=True)
    assert the_file(with_cache.folder) == whole()
    assert cache.records[0]["target"] == f"/c/x/f?cacheHostOrigin=127.0.0.1:{origin.port}"
    assert origin.records == []


def hexadecimal(text):
    """As NetworkManager's own client shows options that it knows nothing of."""
    return ":".join(f"{byte:02x}" for byte in text.encode())


@pytest.mark.parametrize("lines, option", [
    ("DOCacheHostSource=1\n", lambda hosts: {"private_235": hexadecimal(hosts)}),
    ("DOCacheHostSource=2\nDOCacheHost=127.0.0.1:1\n", lambda hosts: {"unknown_235": hosts})])
def test_a_cache_server_that_the_network_names_is_asked_first_while_it_does(tmp_path, servers, lines, option):
    cache, origin, _ = servers
    serve(cache)
    url = serve(origin)
    with fake_machine.FakeMachine() as machine:
        machine.dhcp(**option(f"127.0.0.1:{cache.port}"))
        instance = Instance(str(tmp_path), QUICK + lines)
        instance.environment = machine.environment
        instance.start()
        try:
            fetched = 0

            def fetch():
                nonlocal fetched
                fetched += 1
                instance.run("get", "-q", "-o", f"f{fetched}", url, check=True)
                return len(cache.records), len(origin.records)
            end = time.monotonic() + 20
            while fetch()[0] == 0:  # the service hears of the network when it runs already
                assert time.monotonic() < end
            assert cache.records[0]["target"] == f"/c/x/f?cacheHostOrigin=127.0.0.1:{origin.port}"
            machine.dhcp()  # another network
            before = len(origin.records)
            while fetch()[1] == before:
                assert time.monotonic() < end
        finally:
            instance.close()


def test_a_cache_server_without_the_file_costs_one_question(with_cache, servers):
    cache, origin, _ = servers
    cache.add_case("x", {"answers": [{"status": 404}]})
    with_cache.run("get", "-q", serve(origin), check=True)
    assert the_file(with_cache.folder) == whole()
    assert len(cache.records) == 1 and len(origin.records) == 1


@pytest.fixture
def with_patience(tmp_path, servers):
    """For a cache server in trouble: two seconds in the foreground, ten minutes in the background."""
    lines = "DODelayCacheServerFallbackForeground=2\nDODelayCacheServerFallbackBackground=600\n"
    made = Instance(str(tmp_path), QUICK + f"DOCacheHost=127.0.0.1:{servers[0].port}\n" + lines)
    made.start()
    yield made
    made.close()


def test_a_cache_server_in_trouble_is_asked_again_until_the_delay_of_the_foreground_is_over(with_patience, servers):
    cache, origin, _ = servers
    cache.add_case("x", {"answers": [{"status": 503}]})
    url = serve(origin)
    began = time.monotonic()
    with_patience.run("get", "-q", url, check=True)
    assert time.monotonic() - began >= 2
    assert the_file(with_patience.folder) == whole()
    assert len(cache.records) >= 2 and len(origin.records) == 1


def test_a_background_job_has_the_longer_delay_and_gets_its_file_from_the_cache(with_patience, servers):
    cache, origin, _ = servers
    cache.add_case("x", {"name": "f", "size": SIZE, "answers": [{"status": 503}, {"status": 503}, {}]})
    with_patience.run("get", "-q", "--background", serve(origin), check=True)
    assert the_file(with_patience.folder) == whole()
    assert [record["status"] for record in cache.records][:3] == [503, 503, 200] and origin.records == []


@pytest.mark.parametrize("background, guarded, helped", [(True, True, True), (False, True, False), (True, False, False)])
def test_a_cache_server_that_brings_a_background_job_less_than_it_must_is_left_with_what_it_brought(tmp_path, servers, background, guarded, helped):
    cache, origin, _ = servers
    cache.add_case("x", {"name": "f", "size": SIZE, "answers": [{"rate": 300_000}]})
    instance = Instance(str(tmp_path), QUICK.replace("StallTimeout=5", "StallTimeout=1") + f"DOCacheHost=127.0.0.1:{cache.port}\nDOMinBackgroundQos=500\n")
    instance.start()
    try:
        options = ["--background"] * background + ["--sha256", digest("f", 1, SIZE)] * guarded
        instance.run("get", "-q", *options, serve(origin), check=True)
        assert the_file(instance.folder) == whole()
    finally:
        instance.close()
    if helped:
        assert origin.records and all(record["range"] for record in origin.records)  # it goes on where the cache server was
    else:
        assert origin.records == []


@pytest.fixture
def impatient(tmp_path):
    # One connection: on a busy machine a second one is tried before the first one stalls, and nothing is left to replace.
    made = Instance(str(tmp_path), QUICK.replace("StallTimeout=5", "StallTimeout=1") + "MaxConnectionsPerFile=1\n")
    made.start()
    yield made
    made.close()


def the_only_file(instance, job):
    shown = instance.json("show", job)
    return (shown[0] if isinstance(shown, list) else shown)["files"][0]


@pytest.mark.parametrize("ending", [{"cut": 1_000_000, "end": "stall"}, {"slow_from": 2_000_000, "slow_rate": 2000, "rate": 1_000_000}])
def test_a_stalled_or_dripping_connection_is_replaced_and_no_byte_comes_twice(impatient, servers, ending):
    first = servers[0]
    first.add_case("x", {"name": "f", "size": SIZE, "answers": [{"headers": ["Accept-Ranges: bytes"], **ending}, {"rate": 300_000}]})
    job = impatient.run("get", "--detach", first.url("/c/x/f"), check=True).stdout.strip()
    while not the_only_file(impatient, job)["source_trouble"]:
        time.sleep(0.05)
    assert "a new connection goes on" in the_only_file(impatient, job)["source_trouble"]
    assert "a new connection goes on" in impatient.run("show", job, check=True).stdout
    impatient.wait_state(job, {"acknowledged"})
    assert the_file(impatient.folder) == whole()
    while not (parts := [record for record in first.records if record["range"]]):  # it is written down when the answer has ended
        time.sleep(0.05)
    second, = parts
    assert second["body_sent"] <= SIZE - 900_000


def test_a_mirror_takes_over_where_the_server_only_drips(impatient, servers):
    first, second, _ = servers
    url = serve(first, slow_from=500_000, slow_rate=1000)
    impatient.run("get", "-q", "--sha256", digest("f", 1, SIZE), "--mirror", serve(second), url, check=True, timeout=60)
    assert the_file(impatient.folder) == whole()
    assert second.records[-1]["body_sent"] <= SIZE - 500_000


@pytest.mark.parametrize("words", [["--limit-rate", "10K"], ["--background", "--limit-rate", "20K"]])
def test_what_the_users_own_limit_holds_back_is_no_stall(impatient, servers, words):
    first, second, _ = servers
    size = 80_000
    first.add_case("x", {"name": "f", "size": size, "answers": [{}]})
    second.add_case("x", {"name": "f", "size": size, "answers": [{}]})
    impatient.run("get", "-q", "--sha256", digest("f", 1, size), "--mirror", second.url("/c/x/f"), *words, first.url("/c/x/f"),
                  check=True, timeout=60)
    assert the_file(impatient.folder) == content("f", 1, 0, size)
    assert len(first.records) == 1 and second.records == []


def sha256_base64(version):
    return base64.b64encode(bytes.fromhex(digest("f", version, SIZE))).decode()


def metalink(*mirrors, version=1):
    links = [f"Link: <{url}>; rel=duplicate; pri={n + 1}; geo=de" for n, url in enumerate(mirrors)]
    return [f"Digest: SHA-256={sha256_base64(version)}", *links]


def test_mirrors_of_the_servers_own_headers_take_over_and_the_liar_among_them_is_found(impatient, servers):
    first, liar, honest = servers
    mirrors = [serve(liar, version=2), serve(honest)]
    url = serve(first, cut=1_000_000, end="stall", headers=metalink(*mirrors))
    job = impatient.run("get", "--detach", url, check=True).stdout.strip()
    impatient.wait_state(job, {"acknowledged"})
    assert the_file(impatient.folder) == whole()
    assert len(liar.records) <= 1 and len(honest.records) >= 1


def test_a_redirect_whose_target_is_dead_still_names_the_mirrors(impatient, servers):
    first, second, _ = servers
    first.add_case("x", {"name": "f", "size": SIZE, "answers": [
        {"status": 302, "location": "http://127.0.0.1:1/f", "headers": metalink(serve(second))}]})
    impatient.run("get", "-q", first.url("/c/x/f"), check=True)
    assert the_file(impatient.folder) == whole()


@pytest.mark.parametrize("field", ["Digest: SHA-256={}", "Repr-Digest: sha-256=:{}:", "Content-Digest: sha-256=:{}:"])
def test_a_file_that_contradicts_its_servers_digest_never_appears(impatient, servers, field):
    right, wrong, _ = servers
    impatient.run("get", "-q", serve(right, headers=[field.format(sha256_base64(1))]), check=True)
    assert the_file(impatient.folder) == whole()
    os.unlink(os.path.join(impatient.folder, "f"))
    refused = impatient.run("get", "-q", serve(wrong, headers=[field.format(sha256_base64(2))]))
    assert refused.returncode == 8 and "digest" in refused.stderr.lower()
    assert not os.path.exists(os.path.join(impatient.folder, "f"))
