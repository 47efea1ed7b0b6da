"""Hashes of pieces, end to end: dosvc hash makes them, a server that spoils a byte sends the file, dosvc get --integrity wants them right."""
import hashlib
import http.server
import json
import os
import re
import threading
import time

import pytest
from conftest import QUICK, Instance, error_line

KIB = 1024
PIECE = 64 * KIB
SIZE = 20 * PIECE + 123
SPOILED = 7 * PIECE + 99


class SpoilingHandler(http.server.BaseHTTPRequestHandler):
    """Files with ranges; one byte of /f goes wrong as often as the server's counter says. Everything that was asked for is noted."""
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802 the name is http.server's
        asked = self.headers.get("Range")
        self.server.asked.append((self.path, asked))
        body = self.server.files.get(self.path)
        if body is None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        first, last = 0, len(body) - 1
        if asked:
            numbers = re.fullmatch(r"bytes=(\d+)-(\d*)", asked)
            first, last = int(numbers[1]), int(numbers[2] or last)
        part = bytearray(body[first:last + 1])
        if self.path == "/f" and first <= SPOILED <= last and self.server.spoils > 0:
            self.server.spoils -= 1
            part[SPOILED - first] ^= 1
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
        self.send_header("Content-Length", str(len(part)))
        self.send_header("ETag", '"one"')
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, *_):
        pass


def a_spoiler():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SpoilingHandler)
    server.daemon_threads = True
    server.asked, server.spoils, server.files = [], 0, {}
    server.url = lambda path: f"http://127.0.0.1:{server.server_port}{path}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


spoiler = pytest.fixture(a_spoiler)
old_cache = pytest.fixture(a_spoiler)


@pytest.fixture
def served(instance, spoiler, tmp_path):
    """The server has a file and its piece hash file; what dosvc hash said of them."""
    body = b"".join(hashlib.sha256(i.to_bytes(8, "big")).digest() for i in range(SIZE // 32 + 1))[:SIZE]
    source = tmp_path / "f"
    source.write_bytes(body)
    told = instance.json("hash", source, "--piece-size", PIECE, "--url", spoiler.url("/f.pieces.json"))[0]
    spoiler.files = {"/f": body, "/f.pieces.json": (tmp_path / "f.pieces.json").read_bytes()}
    return told


def wait_for_state(instance, job_id, state):
    end = time.monotonic() + 30
    while (now := instance.json("show", job_id)[0]["state"]) != state:
        assert time.monotonic() < end, f"it is {now}"
        time.sleep(0.02)


def get(instance, spoiler, told, target, *more):
    info = told["integrity_info"] if isinstance(told, dict) else told
    return instance.run("get", spoiler.url("/f"), "--integrity", json.dumps(info), *more, cwd=target)


def test_what_hash_says_is_true(served, spoiler):
    body = spoiler.files["/f"]
    made = json.loads(spoiler.files["/f.pieces.json"])
    assert (served["content_length"], served["piece_size"], served["pieces"]) == (SIZE, PIECE, 21)
    assert served["sha256"] == hashlib.sha256(body).hexdigest()
    assert (made["MajorVersion"], made["ContentLength"], made["PieceSize"], len(made["Pieces"])) == (1, SIZE, PIECE, 21)
    assert set(served["integrity_info"]) == {"PiecesHashFileUrl", "PiecesHashFileDigest", "PiecesHashFileDigestAlgorithm", "HashOfHashes"}


def test_hash_does_not_write_over_a_file(instance, tmp_path):
    (tmp_path / "g").write_bytes(b"g")
    first = instance.run("hash", "g", cwd=tmp_path, check=True)
    assert "1 pieces of 1048576 bytes" in first.stdout and hashlib.sha256(b"g").hexdigest() in first.stdout
    assert "--replace" in error_line(instance.run("hash", "g", cwd=tmp_path))
    assert instance.run("hash", "g", "--replace", cwd=tmp_path).returncode == 0
    result = instance.run("hash", "absent", cwd=tmp_path)
    assert result.returncode == 7 and "There is no such file. [absent]" in error_line(result)
    assert "It is no regular file." in error_line(instance.run("hash", ".", "-o", "x", cwd=tmp_path))
    assert instance.run("hash", "g", "--replace", "--piece-size", 1023, cwd=tmp_path).returncode != 0


def test_an_old_copy_at_a_cache_server_costs_one_question_and_no_hashes(tmp_path, spoiler, old_cache, served):
    cached = f"/f?cacheHostOrigin=127.0.0.1:{spoiler.server_port}"
    old_cache.files = {cached: spoiler.files["/f"][:-1]}
    cached_instance = Instance(str(tmp_path / "cached"), QUICK + f"DOCacheHost=127.0.0.1:{old_cache.server_port}\n")
    cached_instance.start()
    try:
        for name in ("mandatory", "optional"):
            target = tmp_path / name
            target.mkdir()
            result = get(cached_instance, spoiler, served, target, *["--integrity-optional"] * (name == "optional"))
            assert result.returncode == 0, result.stderr
            assert (target / "f").read_bytes() == spoiler.files["/f"]
        assert old_cache.asked == [(cached, None)] * 2
    finally:
        cached_instance.close()


def test_a_spoiled_byte_costs_one_piece(instance, spoiler, served, target):
    spoiler.spoils = 1
    result = get(instance, spoiler, served, target)
    assert result.returncode == 0, result.stderr
    assert (target / "f").read_bytes() == spoiler.files["/f"]
    assert os.listdir(target) == ["f"]
    start = SPOILED // PIECE * PIECE
    assert spoiler.asked == [("/f.pieces.json", None), ("/f", None), ("/f", f"bytes={start}-{start + PIECE - 1}")]


def test_a_byte_that_stays_bad_is_never_published(instance, spoiler, served, target):
    spoiler.spoils = 100
    result = get(instance, spoiler, served, target)
    assert result.returncode == 8, result.stderr
    assert f"bytes {SPOILED // PIECE * PIECE} to" in error_line(result)
    assert not (target / "f").exists()
    job = instance.jobs()[0]
    assert (job["state"], job["error"]["name"]) == ("error", "BadPieceHash")
    assert job["bytes_durable"] == SIZE - PIECE
    spoiler.spoils = 0
    result = get(instance, spoiler, served, target)
    assert result.returncode == 0, result.stderr
    assert (target / "f").read_bytes() == spoiler.files["/f"]


def test_forged_hashes_are_an_error_or_left_out(instance, spoiler, served, target):
    spoiler.files["/f.pieces.json"] = spoiler.files["/f.pieces.json"].replace(b'"MinorVersion":0', b'"MinorVersion":1')
    result = get(instance, spoiler, served, target)
    assert result.returncode != 0
    assert instance.jobs()[0]["error"]["name"] == "PieceHashFileDigest"
    instance.run("cancel", instance.jobs()[0]["id"], check=True)
    assert get(instance, spoiler, served, target, "--integrity-optional").returncode == 0
    assert (target / "f").read_bytes() == spoiler.files["/f"]


def test_without_a_piece_hash_file_show_says_so(instance, spoiler, served, target):
    del spoiler.files["/f.pieces.json"]
    assert get(instance, spoiler, served, target).returncode != 0
    job_id = instance.jobs()[0]["id"]
    assert instance.jobs()[0]["error"]["name"] == "IntegrityCheckInfoUnavailable"
    instance.run("set", job_id, "file.0.integrity_check_mandatory=no", "complete_when_transferred=no", check=True)
    instance.run("resume", job_id, check=True)
    wait_for_state(instance, job_id, "transferred")
    assert "NOT checked" in instance.run("show", job_id, check=True).stdout
    instance.run("complete", job_id, check=True)
    assert (target / "f").read_bytes() == spoiler.files["/f"]
