#!/usr/bin/python3
"""A web server that does what its URLs say, also what no honest server would. Loopback only.

usage: webserver.py [--tls CERT KEY] [--ask-client CA] [--address ADDR] [--log FILE] [--tunnel]
Prints its port on a line, then serves until stdin closes. With --log each request becomes a line of JSON. With --ask-client it asks for
a certificate of that authority, and does without. With --tunnel CONNECT is answered with a tunnel to where it says.

  /data/N               N bytes, with ranges, ETag and Last-Modified
  /norange/N            the same, ranges ignored, no validators
  /chunked/N            in chunks, no length
  /close/N              no length: the end of the connection is the end of the body
  /abrupt/N             the same, but a TLS connection ends without close_notify
  /cut/N/K              promises N bytes, sends K, closes
  /rst/N/K              … resets
  /stall/N/K            … goes silent
  /loris/N/K            promises N bytes; headers come byte by byte, K bytes a second
  /silent               takes the request and says nothing
  /once/N/K             like /cut the first time, like /data afterwards
  /change/N/K           the first answer is cut after K bytes; later ones are of another file
  /status/CODE          that status; ?retry=S adds Retry-After, ?body=N has N bytes follow
  /redirect/CODE?to=URL
  /hops/N?to=URL        N redirects on this server, then to URL
  /headers-endless      never stops sending header fields
  /headers-many         100,000 header fields
  /flood-1xx            100,000 interim answers
  /garbage              bytes that are not HTTP
  /echo                 the request's header fields as the body
  /cookie               sets a cookie and redirects to /echo
  /shifted/N            answers a range with another one
  /short/N/K            answers each range with at most K bytes of it
"""
import argparse
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

PERIOD = 65521
BLOCK = bytes((j * 7 + (j >> 8) * 13) & 0xFF for j in range(PERIOD)) * 2
MODIFIED = "Wed, 21 Oct 2015 07:28:00 GMT"

seen = {}
lock = threading.Lock()
log_file = None
tunnels = False


def content(start, end, salt=0):
    """The bytes [start, end) of every file here, in pieces."""
    while start < end:
        at = start % PERIOD
        n = min(end - start, PERIOD)
        piece = BLOCK[at:at + n]
        yield bytes(b ^ salt for b in piece) if salt else piece
        start += n


def parse_range(value, size):
    if not value or not value.startswith("bytes=") or "," in value:
        return None
    first, _, last = value[6:].partition("-")
    if first == "":
        return (max(0, size - int(last)), size)
    return (int(first), min(size, int(last) + 1) if last else size)


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb")
        self.keep = True

    def send(self, data):
        self.sock.sendall(data)

    def head(self, status, fields, reason="X"):
        lines = [f"HTTP/1.1 {status} {reason}", f"Date: {time.strftime('%a, %d %b %Y %H:%M:%S GMT', time.gmtime())}"]
        lines += [f"{k}: {v}" for k, v in fields]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def body(self, start, end, salt=0):
        for piece in content(start, end, salt):
            self.send(piece)

    def simple(self, status, body=b"", fields=()):
        self.head(status, [("Content-Length", len(body)), *fields])
        self.send(body)

    def reset(self):
        raw = self.sock
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.keep = False

    def hang(self):
        """Until the client goes away."""
        try:
            while self.sock.recv(4096):
                pass
        except OSError:
            pass
        self.keep = False


def serve_data(c, fields, size, etag, salt=0, limit=None, shift=0):
    validators = [("ETag", etag), ("Last-Modified", MODIFIED), ("Accept-Ranges", "bytes")]
    wanted = parse_range(fields.get("range"), size)
    condition = fields.get("if-range")
    if wanted and condition and condition not in (etag, MODIFIED):
        wanted = None
    if wanted and wanted[0] >= size:
        c.simple(416, b"", [("Content-Range", f"bytes */{size}")])
    elif wanted:
        start, end = wanted[0] + shift, wanted[1] + shift
        if limit:
            end = min(end, start + limit)
        c.head(206, [("Content-Length", end - start), ("Content-Range", f"bytes {start}-{end - 1}/{size}"), *validators])
        c.body(start, end, salt)
    else:
        c.head(200, [("Content-Length", size), *validators])
        c.body(0, size, salt)


def serve_partly(c, fields, size, count, end_with):
    wanted = parse_range(fields.get("range"), size) or (0, size)
    start, end = wanted
    status = 206 if fields.get("range") else 200
    extra = [("Content-Range", f"bytes {start}-{end - 1}/{size}")] if status == 206 else []
    c.head(status, [("Content-Length", end - start), ("ETag", f'"v{size}"'), *extra])
    c.body(start, min(end, start + count))
    c.keep = False
    end_with(c)


def serve_headers(c, count):
    c.send(b"HTTP/1.1 200 OK\r\n")
    i = 0
    while count is None or i < count:
        c.send(b"".join(b"X-%d: %s\r\n" % (i + k, b"y" * 50) for k in range(100)))
        i += 100
    c.send(b"Content-Length: 0\r\n\r\n")


def serve_loris(c, size, rate):
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
    for byte in head:
        c.send(bytes([byte]))
        time.sleep(1 / rate)
    c.body(0, size)


def first_time(path):
    with lock:
        seen[path] = seen.get(path, 0) + 1
        return seen[path] == 1


def answer(c, target, fields):
    path, _, query = target.partition("?")
    arguments = dict(urllib.parse.parse_qsl(query))
    words = path.strip("/").split("/")
    numbers = [int(w) for w in words[1:] if w.isdigit()]
    kind = words[0]
    size = numbers[0] if numbers else 0
    etag = f'"v{size}"'
    if kind == "data":
        serve_data(c, fields, size, etag)
    elif kind == "norange":
        c.head(200, [("Content-Length", size)])
        c.body(0, size)
    elif kind == "chunked":
        c.head(200, [("Transfer-Encoding", "chunked"), ("ETag", etag)])
        for piece in content(0, size):
            c.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        c.send(b"0\r\n\r\n")
    elif kind in ("close", "abrupt"):
        c.head(200, [("Connection", "close")])
        c.body(0, size)
        c.keep = False
        if kind == "abrupt":
            c.abrupt = True
    elif kind == "cut" or (kind == "once" and first_time(target)):
        serve_partly(c, fields, size, numbers[1], lambda c: None)
    elif kind == "once":
        serve_data(c, fields, size, etag)
    elif kind == "change":
        if first_time(target):
            serve_partly(c, fields, size, numbers[1], lambda c: None)
        else:
            serve_data(c, fields, size, '"other"', salt=0x55)
    elif kind == "rst":
        serve_partly(c, fields, size, numbers[1], Connection.reset)
    elif kind == "stall":
        serve_partly(c, fields, size, numbers[1], Connection.hang)
    elif kind == "loris":
        serve_loris(c, size, numbers[1])
    elif kind == "silent":
        c.hang()
    elif kind == "status":
        c.simple(size, b"no" * (int(arguments.get("body", 2)) // 2), [("Retry-After", arguments["retry"])] if "retry" in arguments else [])
    elif kind == "redirect":
        c.simple(size, b"over there", [("Location", arguments["to"])])
    elif kind == "hops":
        to = arguments["to"] if size <= 1 else f"/hops/{size - 1}?" + urllib.parse.urlencode({"to": arguments["to"]})
        c.simple(302, b"", [("Location", to)])
    elif kind == "headers-endless":
        serve_headers(c, None)
    elif kind == "headers-many":
        serve_headers(c, 100000)
    elif kind == "flood-1xx":
        for _ in range(1000):
            c.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100)
        c.simple(200, b"x")
    elif kind == "garbage":
        c.send(b"\x00\x01\x02 this is not what you think\r\n\r\n" * 100)
        c.keep = False
    elif kind == "echo":
        c.simple(200, "".join(f"{k}: {v}\n" for k, v in sorted(fields.items())).encode())
    elif kind == "cookie":
        c.simple(302, b"", [("Location", "/echo"), ("Set-Cookie", "canary=cookie; Path=/")])
    elif kind == "shifted":
        serve_data(c, fields, size, etag, shift=1)
    elif kind == "short":
        serve_data(c, fields, size, etag, limit=numbers[1])
    else:
        c.simple(404, b"nothing here")


def read_request(c):
    line = c.file.readline(65536)
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    fields = {}
    while True:
        line = c.file.readline(65536)
        if line in (b"\r\n", b"\n", b""):
            return method, target, fields
        name, _, value = line.decode("latin-1").partition(":")
        fields[name.strip().lower()] = value.strip()


def tunnel(c, target):
    """Until either side closes. One thread: a TLS socket is not for two."""
    host, _, port = target.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port))) as there:
        c.head(200, [])
        while True:
            decrypted = getattr(c.sock, "pending", lambda: 0)()
            for source in [c.sock] if decrypted else select.select([c.sock, there], [], [])[0]:
                data = source.recv(65536)
                if not data:
                    return
                (there if source is c.sock else c.sock).sendall(data)


def note(record):
    if log_file:
        with lock:
            log_file.write(json.dumps(record) + "\n")
            log_file.flush()


def take_socks(c):
    """A SOCKS proxy, too, behind which everybody is us."""
    version = c.file.peek(1)[:1]
    if version == b"\x05":
        c.file.read(c.file.read(2)[1])
        c.send(b"\x05\x00")
        kind = c.file.read(4)[3]
        host = c.file.read({1: 4, 4: 16}.get(kind) or c.file.read(1)[0])
        c.file.read(2)
        c.send(b"\x05\x00\x00\x01" + bytes(6))
    elif version == b"\x04":
        host = c.file.read(8)[4:]
        while c.file.read(1) not in (b"\0", b""):
            pass
        c.send(b"\x00\x5a" + bytes(6))
    else:
        return
    note({"socks": version[0], "host": host.hex()})


def serve_connection(sock, context):
    raw = sock
    try:
        if context:
            sock = context.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False)
        c = Connection(sock)
        c.abrupt = False
        if not context:
            take_socks(c)
        while c.keep:
            request = read_request(c)
            if not request:
                break
            method, target, fields = request
            # As an http proxy, too: an absolute URL is answered as if it were ours.
            note({"method": method, "target": target, "fields": fields, "peer": sock.getpeername()[1]})
            if target.startswith("http://"):
                target = "/" + target.split("/", 3)[3]
            if method == "CONNECT":
                if tunnels:
                    tunnel(c, target)
                else:
                    c.simple(403)
                break
            answer(c, target, fields)
        if context and not c.abrupt:
            sock.unwrap()
    except (OSError, ValueError, ssl.SSLError):
        pass
    finally:
        try:
            sock.close()
            raw.close()
        except OSError:
            pass


def main():
    global log_file, tunnels
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", nargs=2)
    parser.add_argument("--ask-client")
    parser.add_argument("--tunnel", action="store_true")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--log")
    options = parser.parse_args()
    context = None
    if options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*options.tls)
    if options.ask_client:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(options.ask_client)
    tunnels = options.tunnel
    if options.log:
        log_file = open(options.log, "a", encoding="utf-8")
    family = socket.AF_INET6 if ":" in options.address else socket.AF_INET
    listener = socket.create_server((options.address, 0), family=family, backlog=256)
    print(listener.getsockname()[1], flush=True)

    def accept_loop():
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                os._exit(1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve_connection, args=(sock, context), daemon=True).start()

    threading.Thread(target=accept_loop, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
