#!/usr/bin/python3
"""An HTTP/1.1 origin that lies on request. Standard library only; raw sockets, so that nothing mends what is to be broken.

    lying_server.py [--host 127.0.0.1|::1] [--port 0] [--cases FILE] [--log FILE] [--tls CERT KEY [--client-authority CERT]] [--rate BYTES]

prints "PORT CONTROL_PORT" on its standard output and serves until it is killed. From a test in Python:

    server = LyingServer(cases={"c1": {...}}); server.start(); server.url("/c/c1/file"); ...; server.stop()

What is served: the bytes of content(name, version, start, end): the same for ever, computable by a checker.

    /c/ID/NAME           as the case ID says (from --cases, a JSON object {ID: case}, or add_case())
    /NAME?key=value&...  as the query says: a case with one answer, every key of an answer may stand there; size, version and name too

A case: {"name": "f", "size": 1000, "version": 1, "answers": [answer, ...]}, or {"file": PATH, "answers": ...} for other bytes. The n-th request for the case gets the n-th answer, the last
one again and again. An answer is an object; what it does not say is honest:

    version      1, 2, ...: other bytes, another ETag and Last-Modified. "each": a new one for every request (a file that keeps changing)
    size         total length of the file for this answer
    status       a number instead of what Range and If-Range ask for (200, 206, 404, 503, ...); 206 without Range: from `offset`
    ranges       "honour" | "ignore" (always 200)
    if_range     "honour" | "ignore" (206 even if the validator is another one)
    length       "right" | "missing" | "short" | "long" | "zero" | "huge" | "negative" | "overflow" | "twice" | "list" | any text
    range        Content-Range: "right" | "missing" | "shifted" | "short" | "long" | "other_total" | "star" | "unsatisfied" | "garbage" |
                 "twice" | "from_zero" | "to_end" | any text. short: says and sends less; to_end: says and sends all up to the end;
                 shifted: says one byte later, sends what was asked
    range_on_200 Content-Range on a 200 as well (text)
    etag         "same" | "changed" | "first" (that of version 1) | "weak" | "missing" | "unquoted" | "twice" | any text
    modified     "strong" | "recent" (Date less than 60 s later) | "missing" | "changed"
    encoding     Content-Encoding
    transfer     "chunked" | "bad_chunk" | "no_last_chunk" | "trailers" | "endless_trailers" | any other: that Transfer-Encoding
    type         Content-Type; "multipart": a body of two parts
    spoil        position in the file of a byte that is sent as another one
    cut          bytes of the body after which `end` happens
    end          "fin" | "rst" | "stall" (holds the connection, sends nothing) | "abrupt" (TLS without close_notify)
    close        true: no keep-alive, the end of the body is the end of the connection
    extra        bytes sent after the end of the body
    drip         seconds between single bytes: "header" or "body" with drip_what (slow-loris)
    rate         body bytes per second on this connection
    slow_from    bytes of the body after which it is slow_rate instead
    endless      "headers" | "informational" | "body"
    informational  number of 103 answers before
    location     for 3xx; {port} and {host} are this server's
    retry_after  text
    headers      list of extra header lines
    raw          text sent instead of everything, then `end`
    delay        seconds before the answer

Control (HTTP on the second port, GET): /down (closes the listening socket and every connection), /up (listens on the same port),
/rate?bytes=N (0: none), /stats (JSON: requests, body bytes), /reset (counters of the cases), /case?id=ID&json=CASE.

The log is one JSON line for each request, written when its answer has ended: n, id, nth, method, target, range, if_range, headers
(lower-case names), status, body_sent, version."""
import argparse
import contextlib
import functools
import hashlib
import json
import os
import select
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse
from email.utils import formatdate

BLOCK = 1 << 16
HEAD_MAX = 1 << 16
IDLE_SECONDS = 30
STALL_SECONDS = 600
MODIFIED = 1700000000  # of version 1; each version is an hour younger
ENDLESS_BYTES = 1 << 26  # a client that has not given up by then has no limit


@functools.lru_cache(maxsize=256)
def _block(name, version, index):
    return hashlib.shake_256(f"{name}\0{version}\0{index}".encode()).digest(BLOCK)


def content(name, version, start, end):
    """Bytes [start, end) of a file of any size."""
    out = []
    while start < end:
        index, at = divmod(start, BLOCK)
        n = min(end - start, BLOCK - at)
        out.append(_block(name, version, index)[at:at + n])
        start += n
    return b"".join(out)


def digest(name, version, size):
    """SHA-256 in hex of the whole file."""
    h = hashlib.sha256()
    for start in range(0, size, BLOCK):
        h.update(content(name, version, start, min(size, start + BLOCK)))
    return h.hexdigest()


def etag(name, version):
    return f'"{hashlib.sha256(f"{name}-{version}".encode()).hexdigest()[:16]}"'


def last_modified(version):
    return formatdate(MODIFIED + 3600 * version, usegmt=True)


class Gone(Exception):
    """The connection is to end, or has."""


class Answer:
    """One answer to one request: what it would be if it were honest, and then what the case makes of it."""

    def __init__(self, case, lies, nth, head):
        self.lies = lies
        self.head = head
        self.name = case.get("name", "f")
        self.file = case.get("file")
        version = lies.get("version", case.get("version", 1))
        self.version = nth + 1 if version == "each" else int(version)
        self.size = os.path.getsize(self.file) if self.file else int(lies.get("size", case.get("size", 1000)))
        self.status = 200
        self.first, self.last = 0, self.size - 1
        self.decide()

    def content(self, start, end):
        if self.file:
            with open(self.file, "rb") as file:
                file.seek(start)
                data = file.read(end - start)
        else:
            data = content(self.name, self.version, start, end)
        at = int(self.lies.get("spoil", -1)) - start
        if 0 <= at < len(data):
            data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
        return data

    def validator_matches(self):
        asked = self.head.get("if-range")
        if asked is None or self.lies.get("if_range") == "ignore":
            return True
        return asked in (etag(self.name, self.version), last_modified(self.version))

    def asked_range(self):
        text = self.head.get("range", "")
        if not text.startswith("bytes=") or "," in text or self.lies.get("ranges") == "ignore":
            return None
        first, _, last = text[6:].partition("-")
        if not first:
            return max(0, self.size - int(last)), self.size - 1
        return int(first), min(int(last), self.size - 1) if last else self.size - 1

    def decide(self):
        asked = self.asked_range()
        if asked and self.validator_matches():
            self.first, self.last = asked
            self.status = 206 if self.first < self.size else 416
        forced = self.lies.get("status")
        if forced is None:
            return
        forced = int(forced)
        if forced == 206 and self.status != 206:
            self.first, self.last = int(self.lies.get("offset", 0)), self.size - 1
        if forced == 200:
            self.first, self.last = 0, self.size - 1
        self.status = forced

    def range_text(self):
        """Content-Range, and changes what is sent where the lie is a consistent one."""
        lie = self.lies.get("range", "right")
        if self.status == 416:
            return {"right": f"bytes */{self.size}", "other_total": f"bytes */{self.size + 1}", "missing": None,
                    "star": "bytes */*", "shifted": f"bytes */{self.asked_first()}"}.get(lie, f"bytes */{self.size}")
        if self.status != 206:
            return self.lies.get("range_on_200")
        if lie == "short" and self.last > self.first:
            self.last -= max(1, (self.last - self.first) // 2)
        if lie == "to_end":
            self.last = self.size - 1
        first, last, size = self.first, self.last, self.size
        simple = {
            "right": f"bytes {first}-{last}/{size}", "to_end": f"bytes {first}-{last}/{size}", "short": f"bytes {first}-{last}/{size}", "missing": None,
            "shifted": f"bytes {first + 1}-{last}/{size}", "long": f"bytes {first}-{last + 1}/{size + 1}",
            "other_total": f"bytes {first}-{last}/{size + 1}", "star": f"bytes {first}-{last}/*",
            "unsatisfied": f"bytes */{size}", "garbage": "bytes lots/of",
            "twice": f"bytes {first}-{last}/{size}\r\nContent-Range: bytes 0-{last}/{size}",
            "from_zero": f"bytes 0-{last}/{size}",
        }
        return simple.get(lie, lie)

    def asked_first(self):
        text = self.head.get("range", "bytes=0-")
        return int(text[6:].partition("-")[0] or 0)

    def length_text(self, n):
        lie = self.lies.get("length", "right")
        simple = {
            "right": f"{n}", "missing": None, "short": f"{max(0, n - 1)}", "long": f"{n + 1}", "zero": "0",
            "huge": "9223372036854775000", "negative": "-1", "overflow": "99999999999999999999",
            "twice": f"{n}\r\nContent-Length: {n + 1}", "list": f"{n}, {n}",
        }
        return simple.get(lie, lie)

    def etag_text(self):
        own = etag(self.name, self.version)
        lie = self.lies.get("etag", "same")
        return {"same": own, "changed": etag(self.name, "other"), "first": etag(self.name, 1), "weak": "W/" + own, "missing": None,
                "unquoted": own.strip('"'), "twice": own + "\r\nETag: " + etag(self.name, "other")}.get(lie, lie)

    def dates(self):
        lie = self.lies.get("modified", "strong")
        lines = []
        modified = MODIFIED + 3600 * self.version + (1 if lie == "changed" else 0)
        if lie != "missing":
            lines.append("Last-Modified: " + formatdate(modified, usegmt=True))
        lines.append("Date: " + formatdate(modified + 5 if lie == "recent" else time.time(), usegmt=True))
        return lines

    def body_range(self):
        """What is sent: [first, last], empty for answers without a file."""
        return (self.first, self.last) if self.status in (200, 206, 203) else (0, -1)

    def header_lines(self, host, port):
        has_file = self.status in (200, 206, 203)
        content_range = self.range_text()
        first, last = self.body_range()
        n = last - first + 1 if has_file else 0
        transfer = self.lies.get("transfer")
        lines = [f"HTTP/1.1 {self.status} Whatever"] + self.dates()
        if self.etag_text() and (has_file or self.status == 416):
            lines.append("ETag: " + self.etag_text())
        if content_range:
            lines.append("Content-Range: " + content_range)
        if transfer:
            chunked = transfer in ("chunked", "bad_chunk", "no_last_chunk", "trailers", "endless_trailers")
            lines.append("Transfer-Encoding: " + ("chunked" if chunked else transfer))
        if self.length_text(n) is not None and (not transfer or "length" in self.lies):
            lines.append("Content-Length: " + self.length_text(n))
        if "encoding" in self.lies:
            lines.append("Content-Encoding: " + self.lies["encoding"])
        if "type" in self.lies:
            kind = self.lies["type"]
            lines.append("Content-Type: " + ("multipart/byteranges; boundary=x" if kind == "multipart" else kind))
        if "location" in self.lies:
            lines.append("Location: " + self.lies["location"].format(host=host, port=port))
        if "retry_after" in self.lies:
            lines.append("Retry-After: " + str(self.lies["retry_after"]))
        if self.must_close():
            lines.append("Connection: close")
        return lines + list(self.lies.get("headers", []))

    def must_close(self):
        """After which no second request can follow on the connection."""
        lies = self.lies
        return bool(lies.get("close") or "cut" in lies or lies.get("extra") or lies.get("endless") or "raw" in lies or
                    lies.get("length", "right") != "right" or lies.get("transfer") not in (None, "chunked", "trailers"))


class Connection:
    def __init__(self, server, sock):
        self.server = server
        self.sock = sock
        self.buffer = b""
        self.body_sent = 0

    # -- reading

    def read_head(self):
        """(method, target, headers) of the next request, or None."""
        self.sock.settimeout(IDLE_SECONDS)
        while b"\r\n\r\n" not in self.buffer:
            data = self.sock.recv(HEAD_MAX)
            if not data or len(self.buffer) > HEAD_MAX:
                return None
            self.buffer += data
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = (lines[0].split(" ") + ["", ""])[:3]
        headers = {}
        for line in lines[1:]:
            key, _, value = line.partition(":")
            headers[key.strip().lower()] = value.strip()
        return method, target, headers

    # -- writing

    def send(self, data):
        self.sock.settimeout(STALL_SECONDS)
        self.sock.sendall(data)

    def end(self, how):
        if how == "stall":
            self.wait_for_hangup(STALL_SECONDS)
        elif how == "rst":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif how != "abrupt" and isinstance(self.sock, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):
                self.sock.settimeout(2)
                self.sock.unwrap()
        raise Gone

    def wait_for_hangup(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.server.stopping:
            readable, _, _ = select.select([self.sock], [], [], 0.5)
            if readable and not self.sock.recv(HEAD_MAX):
                return

    def send_body(self, answer, data):
        """Counted, paced, cut."""
        lies = answer.lies
        cut = lies.get("cut")
        if cut is not None:
            data = data[:max(0, int(cut) - self.body_sent)]
        data = memoryview(data)
        while data:
            slow = int(lies.get("slow_from", 1 << 62)) - self.body_sent
            rate = lies["slow_rate"] if slow <= 0 else lies.get("rate") or self.server.rate
            step = max(1, int(rate) // 20) if rate else len(data)
            if slow > 0:
                step = min(step, slow)
            piece, data = data[:step], data[step:]
            self.send_dripping(lies, piece) if lies.get("drip") and lies.get("drip_what", "body") == "body" else self.send(piece)
            self.body_sent += len(piece)
            self.server.count(len(piece))
            if rate:
                time.sleep(len(piece) / int(rate))
        if cut is not None and self.body_sent >= int(cut):
            self.end(lies.get("end", "fin"))

    def send_dripping(self, lies, data):
        for i in range(len(data)):
            self.send(data[i:i + 1])
            time.sleep(float(lies["drip"]))

    def send_chunk(self, answer, data):
        if data:
            self.send(b"%x\r\n" % len(data))
            self.send_body(answer, data)
            self.send(b"\r\n")

    def send_file(self, answer):
        """The body proper: the bytes that belong to it, framed as the answer says."""
        first, last = answer.body_range()
        transfer = answer.lies.get("transfer")
        chunked = transfer in ("chunked", "bad_chunk", "no_last_chunk", "trailers", "endless_trailers")
        if answer.lies.get("type") == "multipart":
            part = answer.content(first, min(last + 1, first + 10))
            head = f"--x\r\nContent-Range: bytes {first}-{first + len(part) - 1}/{answer.size}\r\n\r\n".encode()
            data = head + part + b"\r\n" + head + part + b"\r\n--x--\r\n"
            return self.send_body(answer, data[:max(0, last - first + 1)].ljust(last - first + 1, b"-"))
        if answer.lies.get("cut") == 0:
            self.end(answer.lies.get("end", "fin"))
        while first <= last:
            n = min(BLOCK, last - first + 1)
            data = answer.content(first, first + n)
            if chunked:
                self.send_chunk(answer, data)
            else:
                self.send_body(answer, data)
            first += n
        if transfer == "bad_chunk":
            self.send(b"zz\r\nnonsense\r\n")
            self.end("fin")
        if transfer in ("chunked", "trailers", "endless_trailers"):
            self.send(b"0\r\n")
            if transfer == "trailers":
                self.send(b"ETag: \"trailer\"\r\nContent-Range: bytes 0-1/2\r\n")
            if transfer == "endless_trailers":
                self.send_endless(b"X-Trailer: " + b"t" * 100 + b"\r\n")
            self.send(b"\r\n")
        return None

    def send_endless(self, line):
        chunk = line * (BLOCK // len(line))
        for _ in range(ENDLESS_BYTES // len(chunk)):
            self.send(chunk)
        raise Gone

    def send_answer(self, answer, method):
        lies = answer.lies
        if lies.get("delay"):
            time.sleep(float(lies["delay"]))
        if "raw" in lies:
            self.send(lies["raw"].encode("latin-1"))
            self.end(lies.get("end", "fin"))
        if lies.get("endless") == "informational":
            self.send_endless(b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n")
        for _ in range(int(lies.get("informational", 0))):
            self.send(b"HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\nETag: \"early\"\r\n\r\n")
        head = "\r\n".join(answer.header_lines(self.server.host_text, self.server.port)).encode("latin-1", "replace")
        if lies.get("endless") == "headers":
            self.send(head + b"\r\n")
            self.send_endless(b"X-Header: " + b"h" * 1000 + b"\r\n")
        head += b"\r\n\r\n"
        if lies.get("drip") and lies.get("drip_what") == "header":
            self.send_dripping(lies, head)
        else:
            self.send(head)
        if method == "HEAD":
            return
        self.send_file(answer)
        if lies.get("extra"):
            self.send(b"\xee" * int(lies["extra"]))
        if lies.get("endless") == "body":
            self.send_endless(b"\xee" * 1000)
        if answer.must_close():
            self.end(lies.get("end", "fin"))

    def serve_one(self):
        head = self.read_head()
        if head is None:
            raise Gone
        method, target, headers = head
        case_id, case, nth = self.server.find(target)
        answers = case.get("answers") or [{}]
        answer = Answer(case, answers[min(nth, len(answers) - 1)], nth, headers)
        self.body_sent = 0
        try:
            self.send_answer(answer, method)
        finally:
            self.server.record(case_id, nth, method, target, headers, answer, self.body_sent)
        if headers.get("connection", "").lower() == "close":
            raise Gone

    def serve(self):
        try:
            while not self.server.stopping:
                self.serve_one()
        except (Gone, OSError, ValueError):
            pass
        finally:
            self.server.forget(self)
            with contextlib.suppress(OSError):
                self.sock.close()


class LyingServer:
    def __init__(self, host="127.0.0.1", port=0, cases=None, log=None, tls=None, rate=None, client_authority=None):
        self.host, self.port = host, port
        self.host_text = f"[{host}]" if ":" in host else host
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.cases = dict(cases or {})
        self.counts = {}
        self.log = open(log, "a", buffering=1, encoding="utf-8") if isinstance(log, str) else log
        self.records = []  # kept only when there is no log file
        self.rate = rate
        self.tls = None
        if isinstance(tls, ssl.SSLContext):
            self.tls = tls
        elif tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)
        if client_authority:
            self.tls.load_verify_locations(client_authority)
            self.tls.verify_mode = ssl.CERT_REQUIRED
        self.lock = threading.Lock()
        self.connections = set()
        self.n_requests = self.n_body = 0
        self.stopping = False
        self.listener = None

    # -- life

    def start(self):
        self.up()
        self.control = socket.create_server((self.host, 0), family=self.family)
        self.control_port = self.control.getsockname()[1]
        threading.Thread(target=self.serve_control, daemon=True).start()
        return self

    def up(self):
        if self.listener:
            return
        self.listener = socket.create_server((self.host, self.port), family=self.family, backlog=512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def down(self):
        listener, self.listener = self.listener, None
        if listener:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            listener.close()
        with self.lock:
            connections = list(self.connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.sock.shutdown(socket.SHUT_RDWR)

    def stop(self):
        self.stopping = True
        self.down()
        self.control.close()
        if self.log:
            self.log.close()

    def accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.welcome, args=(sock,), daemon=True).start()

    def welcome(self, sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                sock.settimeout(IDLE_SECONDS)
                sock = self.tls.wrap_socket(sock, server_side=True)
        except OSError:
            sock.close()
            return
        connection = Connection(self, sock)
        with self.lock:
            self.connections.add(connection)
        connection.serve()

    def forget(self, connection):
        with self.lock:
            self.connections.discard(connection)

    # -- cases

    def url(self, path):
        return f"http{'s' if self.tls else ''}://{self.host_text}:{self.port}{path}"

    def add_case(self, case_id, case):
        with self.lock:
            self.cases[case_id] = case
            self.counts.pop(case_id, None)

    def find(self, target):
        """(id, case, how many requests there were for it before)"""
        path, _, query = target.partition("?")
        parts = path.split("/")
        if len(parts) > 2 and parts[1] == "c":
            case_id = parts[2]
            case = self.cases.get(case_id, {"answers": [{"status": 404}]})
        else:
            case_id = target
            lies = {k: v[-1] for k, v in urllib.parse.parse_qs(query).items()}
            case = {k: lies.pop(k) for k in ("name", "size", "version") if k in lies}
            case.setdefault("name", parts[-1])
            case["answers"] = [lies]
        with self.lock:
            nth = self.counts.get(case_id, 0)
            self.counts[case_id] = nth + 1
        return case_id, case, nth

    # -- the record

    def count(self, n):
        with self.lock:
            self.n_body += n

    def record(self, case_id, nth, method, target, headers, answer, body_sent):
        with self.lock:
            self.n_requests += 1
            row = {
                "n": self.n_requests, "id": case_id, "nth": nth, "method": method, "target": target,
                "range": headers.get("range"), "if_range": headers.get("if-range"), "headers": headers,
                "status": answer.status, "body_sent": body_sent, "version": answer.version,
            }
            if self.log:
                self.log.write(json.dumps(row) + "\n")
            else:
                self.records.append(row)

    # -- control

    def serve_control(self):
        while True:
            try:
                sock, _ = self.control.accept()
            except OSError:
                return
            with sock, contextlib.suppress(OSError, ValueError):
                sock.settimeout(5)
                target = sock.recv(HEAD_MAX).decode("latin-1").split(" ")[1]
                body = json.dumps(self.command(target)).encode()
                sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    def command(self, target):
        url = urllib.parse.urlsplit(target)
        query = {k: v[-1] for k, v in urllib.parse.parse_qs(url.query).items()}
        if url.path == "/down":
            self.down()
        elif url.path == "/up":
            self.up()
        elif url.path == "/rate":
            self.rate = int(query["bytes"]) or None
        elif url.path == "/case":
            self.add_case(query["id"], json.loads(query["json"]))
        elif url.path == "/reset":
            with self.lock:
                self.counts.clear()
                self.n_requests = self.n_body = 0
        elif url.path != "/stats":
            return {"error": "no such command"}
        return {"requests": self.n_requests, "body_bytes": self.n_body}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cases", help="JSON object of cases by id")
    parser.add_argument("--log", help="file for JSON lines")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--client-authority", metavar="CERT", help="with --tls: who cannot show a certificate of this one is sent away")
    parser.add_argument("--rate", type=int, help="body bytes per second and connection")
    options = parser.parse_args()
    cases = {}
    if options.cases:
        with open(options.cases, encoding="utf-8") as file:
            cases = json.load(file)
    server = LyingServer(options.host, options.port, cases, options.log, options.tls, options.rate,
                         options.client_authority).start()
    print(server.port, server.control_port, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
