"""Files that travel encrypted, end to end: dosvc encrypt makes them, a server that knows no key sends them, dosvc get --key-file has the content."""
import hashlib
import http.server
import json
import os
import pathlib
import stat
import threading
import time

import pytest
from conftest import error_line

KIB = 1024
BUFFER = 64 * KIB
KEY = {"KeyData": "AAECAwQFBgcICQoLDA0ODw==", "EncryptionBufferSize": BUFFER, "AlgorithmName": "AES", "ChainingMode": "ChainingModeGCM"}


def content(size):
    return b"".join(hashlib.sha256(i.to_bytes(8, "big")).digest() for i in range(size // 32 + 1))[:size]


def wait_until(what, timeout=30):
    """Polled: what is waited for are files and other processes' rows."""
    end = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.fixture
def server(tmp_path):
    """Serves what is in tmp_path/served, whole."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *_):
            pass

        def do_GET(self):  # noqa: N802 the name is http.server's
            served.asked += 1
            super().do_GET()

    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.daemon_threads = True
    served.asked, served.folder = 0, folder
    served.url = lambda name: f"http://127.0.0.1:{served.server_port}/{name}"
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield served
    served.shutdown()
    served.server_close()


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key.json"
    path.write_text(json.dumps(KEY))
    return path


def serve(instance, server, key, name, body, *more):
    (server.folder.parent / name).write_bytes(body)
    instance.run("encrypt", server.folder.parent / name, "--key-file", key, "-o", server.folder / name, *more, check=True)
    return server.folder / name


def get(instance, server, key, target, name, *more, **options):
    return instance.run("get", server.url(name), "--key-file", key, *more, cwd=target, **options)


@pytest.mark.parametrize("mode", ["gcm", "cbc"])
def test_what_appears_is_the_content(instance, server, tmp_path, target, mode):
    key = tmp_path / "new.json"
    for size in (0, 1, BUFFER, 3 * BUFFER + 5):
        body = content(size)
        served = serve(instance, server, key, f"f{size}", body, *([] if key.exists() else ["--new-key", "--mode", mode]))
        assert size < 16 or body[:16] not in served.read_bytes()
        result = get(instance, server, key, target, f"f{size}", "--sha256", hashlib.sha256(body).hexdigest())
        assert result.returncode == 0, result.stderr
        assert (target / f"f{size}").read_bytes() == body
    assert len(os.listdir(target)) == 4
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    entry = instance.json("history")[0]
    assert entry["bytes_transferred"] == served.stat().st_size  # what travelled


def test_a_key_that_is_there_is_never_made_anew(instance, tmp_path, key):
    (tmp_path / "f").write_bytes(b"x")
    before = key.read_bytes()
    result = instance.run("encrypt", tmp_path / "f", "--key-file", key, "--new-key")
    assert result.returncode == 7 and "--new-key" in error_line(result)
    assert key.read_bytes() == before
    assert instance.run("encrypt", tmp_path / "f").returncode == 2
    assert instance.run("encrypt", tmp_path / "f", "--key-file", key, "--mode", "cbc").returncode == 2
    assert instance.run("encrypt", tmp_path / "f", "--key-file", tmp_path / "f").returncode == 2


def test_encrypt_and_decrypt_write_whole_files_or_none(instance, tmp_path, key):
    body = content(2 * BUFFER)
    (tmp_path / "f").write_bytes(body)
    made = instance.json("encrypt", tmp_path / "f", "--key-file", key)[0]
    assert made["output"] == f"{tmp_path}/f.enc" and made["size"] == 80 + 2 * (BUFFER + 16)
    assert "replace" in error_line(instance.run("decrypt", tmp_path / "f.enc", "--key-file", key))
    (tmp_path / "f").unlink()
    assert instance.run("decrypt", tmp_path / "f.enc", "--key-file", "-", stdin=key.read_text(), check=True).stdout.endswith(f"{len(body)} bytes\n")
    assert (tmp_path / "f").read_bytes() == body
    damaged = bytearray((tmp_path / "f.enc").read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "g.enc").write_bytes(damaged)
    before = sorted(os.listdir(tmp_path))
    result = instance.run("decrypt", tmp_path / "g.enc", "--key-file", key)
    assert result.returncode == 8 and "damaged" in error_line(result)
    assert sorted(os.listdir(tmp_path)) == before


def test_what_cannot_be_read_or_written_is_named(instance, tmp_path, key):
    (tmp_path / "f").write_bytes(b"f")
    for words, said in ((["absent"], "There is no such file. [absent]"), (["."], "It is no regular file."),
                        (["f", "-o", "absent/f.enc"], "directory does not exist. Create it first. [absent/f.enc]")):
        result = instance.run("encrypt", *words, "--key-file", key, cwd=tmp_path)
        assert result.returncode == 7 and said in error_line(result)


def test_with_the_wrong_key_nothing_appears_and_the_right_one_fetches_nothing_again(instance, server, key, tmp_path, target):
    body = content(BUFFER + 1)
    serve(instance, server, key, "f", body)
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps(KEY | {"KeyData": "BAECAwQFBgcICQoLDA0ODw=="}))
    result = get(instance, server, wrong, target, "f")
    assert result.returncode == 8 and "another key" in error_line(result)
    job = instance.jobs()[0]
    assert (job["state"], job["error"]["name"]) == ("error", "DecryptionInfoMismatch")
    assert not (target / "f").exists()
    asked = server.asked
    instance.run("set", job["id"], "file.0.decryption_info@-", stdin=key.read_text(), check=True)
    instance.run("resume", job["id"], check=True)
    wait_until(lambda: (target / "f").exists())
    assert (target / "f").read_bytes() == body
    assert server.asked == asked
    assert os.listdir(target) == ["f"]


def test_what_is_damaged_or_not_encrypted_never_appears(instance, server, key, target):
    path = serve(instance, server, key, "f", content(3 * BUFFER))
    body = path.read_bytes()
    path.write_bytes(body[:-(BUFFER + 16)])  # cut off between two buffers
    assert get(instance, server, key, target, "f").returncode == 8
    assert instance.jobs()[0]["error"]["name"] == "EncryptedFileDamaged"
    instance.run("cancel", instance.jobs()[0]["id"], check=True)
    path.write_bytes(b"plain " * 100)
    assert get(instance, server, key, target, "f").returncode == 8
    assert instance.jobs()[0]["error"]["name"] == "FileEncryptionExpected"
    instance.run("cancel", instance.jobs()[0]["id"], check=True)
    assert os.listdir(target) == []


def test_kill_9_while_it_is_decrypted_loses_nothing(instance, server, key, target):
    body = content(64 * BUFFER) * 12  # 48 MiB: some slices
    serve(instance, server, key, "f", body)
    job_id = get(instance, server, key, target, "f", "--detach", check=True).stdout.strip()
    # The second temporary file is there: it is being decrypted, or was a moment ago.
    wait_until(lambda: len([name for name in os.listdir(target) if name.startswith(".dosvc-")]) == 2)
    instance.kill()
    asked = server.asked
    assert not (target / "f").exists()
    instance.start()
    wait_until(lambda: (target / "f").exists(), timeout=60)
    wait_until(lambda: not [job for job in instance.jobs() if job["id"] == job_id])
    assert hashlib.sha256((target / "f").read_bytes()).digest() == hashlib.sha256(body).digest()
    assert os.listdir(target) == ["f"]
    assert server.asked == asked


def test_the_key_is_in_no_log_and_in_no_row(instance, server, key, target):
    serve(instance, server, key, "f", content(10))
    job_id = instance.run("create", "secret", check=True).stdout.strip()
    instance.run("add", job_id, server.url("f"), "--key-file", key, "-d", target, check=True)
    assert "AAECAwQF" not in instance.run("show", "--all", job_id, check=True).stdout
    for path in pathlib.Path(instance.state).rglob("*"):
        if path.is_file():
            assert b"AAECAwQF" not in path.read_bytes()
    instance.run("cancel", job_id, check=True)
