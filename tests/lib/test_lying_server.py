#!/usr/bin/python3
"""The lying server lies as told, and is honest otherwise."""
import json
import os
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lying_server import LyingServer, content, digest, etag, last_modified  # noqa: E402


def fetch(server, path, headers=(), sock=None, wait=True):
    """(status, {header: [values]}, body, reset?) as raw as it came."""
    sock = sock or socket.create_connection((server.host, server.port), timeout=10)
    sock.sendall("\r\n".join([f"GET {path} HTTP/1.1", "Host: h", *headers, "", ""]).encode())
    data, reset = b"", False
    while wait:
        try:
            more = sock.recv(1 << 16)
        except ConnectionResetError:
            reset = True
            break
        if not more:
            break
        data += more
    sock.close()
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = {}
    for line in lines[1:]:
        key, _, value = line.partition(": ")
        fields.setdefault(key.lower(), []).append(value)
    return int(lines[0].split(" ")[1]) if data else None, fields, body, reset


class Honest(unittest.TestCase):
    def setUp(self):
        self.server = LyingServer().start()
        self.addCleanup(self.server.stop)

    def get(self, path, *headers):
        return fetch(self.server, path, ["Connection: close", *headers])

    def test_a_file_is_whole_and_computable(self):
        status, fields, body, _ = self.get("/f?size=100000")
        self.assertEqual(status, 200)
        self.assertEqual(body, content("f", 1, 0, 100000))
        self.assertEqual(fields["content-length"], ["100000"])
        self.assertEqual(fields["etag"], [etag("f", 1)])
        self.assertEqual(len(digest("f", 1, 100000)), 64)

    def test_contents_differ_by_name_version_and_place(self):
        self.assertNotEqual(content("f", 1, 0, 100), content("f", 2, 0, 100))
        self.assertNotEqual(content("f", 1, 0, 100), content("g", 1, 0, 100))
        self.assertNotEqual(content("f", 1, 0, 100), content("f", 1, 1 << 16, (1 << 16) + 100))
        self.assertEqual(content("f", 1, 65530, 65550), content("f", 1, 0, 70000)[65530:65550])

    def test_a_range_is_a_range(self):
        status, fields, body, _ = self.get("/f?size=1000", "Range: bytes=400-")
        self.assertEqual((status, fields["content-range"], body), (206, ["bytes 400-999/1000"], content("f", 1, 400, 1000)))
        status, fields, body, _ = self.get("/f?size=1000", "Range: bytes=10-19")
        self.assertEqual((status, fields["content-range"], body), (206, ["bytes 10-19/1000"], content("f", 1, 10, 20)))
        status, fields, body, _ = self.get("/f?size=1000", "Range: bytes=1000-")
        self.assertEqual((status, fields["content-range"], body), (416, ["bytes */1000"], b""))

    def test_if_range_decides_between_part_and_whole(self):
        for validator, status in ((etag("f", 1), 206), (last_modified(1), 206), (etag("f", 2), 200), (last_modified(2), 200)):
            self.assertEqual(self.get("/f?size=1000", "Range: bytes=400-", "If-Range: " + validator)[0], status)

    def test_a_connection_is_kept(self):
        sock = socket.create_connection((self.server.host, self.server.port), timeout=10)
        for _ in range(3):
            sock.sendall(b"GET /f?size=10 HTTP/1.1\r\nHost: h\r\n\r\n")
            data = b""
            while not data.endswith(content("f", 1, 0, 10)):
                data += sock.recv(4096)
        sock.close()

    def test_down_and_up_on_the_same_port(self):
        port = self.server.port
        self.server.command("/down")
        with self.assertRaises(OSError):
            socket.create_connection((self.server.host, port), timeout=1)
        self.server.command("/up")
        self.assertEqual(self.server.port, port)
        self.assertEqual(self.get("/f?size=10")[0], 200)

    def test_the_record_has_ranges_and_bytes(self):
        self.get("/f?size=1000", "Range: bytes=400-", 'If-Range: "x"')
        self.get("/f?size=1000&cut=10")
        first, second = self.server.records
        self.assertEqual((first["range"], first["if_range"], first["status"], first["body_sent"]), ("bytes=400-", '"x"', 200, 1000))
        self.assertEqual((second["range"], second["nth"], second["body_sent"]), (None, 0, 10))


class Lies(unittest.TestCase):
    def setUp(self):
        self.server = LyingServer().start()
        self.addCleanup(self.server.stop)

    def ask(self, answer, *headers, size=1000):
        self.server.add_case("x", {"size": size, "answers": [answer]})
        return fetch(self.server, "/c/x/f", ["Connection: close", *headers])

    def test_content_lengths(self):
        for lie, said in (("missing", None), ("short", ["999"]), ("long", ["1001"]), ("negative", ["-1"]),
                          ("overflow", ["99999999999999999999"]), ("twice", ["1000", "1001"]), ("list", ["1000, 1000"])):
            _, fields, body, _ = self.ask({"length": lie})
            self.assertEqual(fields.get("content-length"), said)
            self.assertEqual(body, content("f", 1, 0, 1000))

    def test_a_spoiled_byte_is_the_only_one(self):
        honest = content("f", 1, 0, 1000)
        body = self.ask({"spoil": 401}, "Range: bytes=400-")[2]
        self.assertEqual([i for i in range(600) if body[i] != honest[400 + i]], [1])
        self.assertEqual(self.ask({"spoil": 399}, "Range: bytes=400-")[2], honest[400:])

    def test_other_bytes_are_those_of_a_file(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"0123456789")
            file.flush()
            self.server.add_case("x", {"file": file.name})
            self.assertEqual(fetch(self.server, "/c/x/f", ["Connection: close"])[2], b"0123456789")
            self.assertEqual(fetch(self.server, "/c/x/f", ["Connection: close", "Range: bytes=7-"])[2], b"789")

    def test_content_ranges(self):
        for lie, said in (("missing", None), ("shifted", ["bytes 401-999/1000"]), ("other_total", ["bytes 400-999/1001"]),
                          ("star", ["bytes 400-999/*"]), ("unsatisfied", ["bytes */1000"]), ("from_zero", ["bytes 0-999/1000"])):
            status, fields, body, _ = self.ask({"range": lie}, "Range: bytes=400-")
            self.assertEqual((status, fields.get("content-range")), (206, said))
            self.assertEqual(body, content("f", 1, 400, 1000))

    def test_a_short_range_is_short_in_truth(self):
        _, fields, body, _ = self.ask({"range": "short"}, "Range: bytes=400-")
        self.assertEqual(fields["content-range"], ["bytes 400-700/1000"])
        self.assertEqual(body, content("f", 1, 400, 701))

    def test_validators(self):
        for lie, said in (("missing", None), ("weak", ["W/" + etag("f", 1)]), ("changed", [etag("f", "other")])):
            self.assertEqual(self.ask({"etag": lie})[1].get("etag"), said)
        self.assertEqual(self.ask({"version": 2})[1]["last-modified"], [last_modified(2)])
        self.assertNotIn("last-modified", self.ask({"modified": "missing"})[1])

    def test_forced_statuses(self):
        self.assertEqual(self.ask({"status": 206})[0], 206)
        self.assertEqual(self.ask({"status": 503, "retry_after": 7})[1]["retry-after"], ["7"])
        status, fields, _, _ = self.ask({"status": 302, "location": "http://{host}:{port}/g"})
        self.assertEqual((status, fields["location"]), (302, [f"http://127.0.0.1:{self.server.port}/g"]))
        self.assertEqual(self.ask({"ranges": "ignore"}, "Range: bytes=5-")[0], 200)
        self.assertEqual(self.ask({"if_range": "ignore"}, "Range: bytes=5-", 'If-Range: "other"')[0], 206)

    def test_cuts(self):
        self.assertEqual(self.ask({"cut": 10})[2], content("f", 1, 0, 10))
        self.assertEqual(self.ask({"cut": 0})[2], b"")
        self.assertTrue(self.ask({"cut": 10, "end": "rst"})[3])

    def test_chunks(self):
        body = self.ask({"transfer": "chunked"})[2]
        self.assertEqual(body, b"3e8\r\n" + content("f", 1, 0, 1000) + b"\r\n0\r\n\r\n")
        self.assertIn(b"zz\r\n", self.ask({"transfer": "bad_chunk"})[2])
        self.assertFalse(self.ask({"transfer": "no_last_chunk"})[2].endswith(b"0\r\n\r\n"))

    def test_extra_and_raw(self):
        self.assertEqual(len(self.ask({"extra": 5})[2]), 1005)
        self.assertEqual(self.ask({"raw": "HTTP/1.1 299 Odd\r\n\r\n"})[0], 299)

    def test_answers_follow_each_other(self):
        self.server.add_case("seq", {"size": 10, "answers": [{"status": 503}, {"version": 2}]})
        self.assertEqual([fetch(self.server, "/c/seq/f", ["Connection: close"])[0] for _ in range(3)], [503, 200, 200])
        self.server.add_case("each", {"size": 10, "answers": [{"version": "each"}]})
        bodies = [fetch(self.server, "/c/each/f", ["Connection: close"])[2] for _ in range(3)]
        self.assertEqual(bodies, [content("f", v, 0, 10) for v in (1, 2, 3)])

    def test_endless_headers_go_on_until_the_client_leaves(self):
        self.server.add_case("x", {"answers": [{"endless": "headers"}]})
        sock = socket.create_connection((self.server.host, self.server.port), timeout=10)
        sock.sendall(b"GET /c/x/f HTTP/1.1\r\nHost: h\r\n\r\n")
        n = 0
        while n < 1 << 20:
            n += len(sock.recv(1 << 16))
        sock.close()


class Process(unittest.TestCase):
    def test_it_runs_by_itself_on_ipv6_with_control_and_log(self):
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, "log")
            program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lying_server.py")
            with subprocess.Popen([sys.executable, program, "--host", "::1", "--log", log], stdout=subprocess.PIPE, text=True) as child:
                try:
                    port, control = map(int, child.stdout.readline().split())
                    server = LyingServer("::1", port)
                    self.assertEqual(fetch(server, "/f?size=10", ["Connection: close"])[2], content("f", 1, 0, 10))
                    server.port = control
                    case = urllib.parse.quote(json.dumps({"answers": [{"status": 404}]}))
                    self.assertEqual(fetch(server, f"/case?id=n&json={case}")[0], 200)
                    self.assertEqual(json.loads(fetch(server, "/stats")[2]), {"requests": 1, "body_bytes": 10})
                    server.port = port
                    self.assertEqual(fetch(server, "/c/n/f", ["Connection: close"])[0], 404)
                finally:
                    child.terminate()
            with open(log, encoding="utf-8") as file:
                self.assertEqual([json.loads(line)["status"] for line in file], [200, 404])


if __name__ == "__main__":
    unittest.main()
