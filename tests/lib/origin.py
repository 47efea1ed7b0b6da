"""An honest origin in the test's own process: HTTP/1.1 with ranges, validators, pacing and a record of what it sent.

    origin = Origin(); url = origin.url("name", size)        # content depends on name and version only; Origin(tls=context): https
    origin.rate = 50 << 20                                     # bytes per second and connection, None: as fast as it goes
    origin.ahead = 1 << 20                                     # it sends no more while so much is unread at a client of this machine; None: sockets decide
    origin.down() / origin.up()                                # stops listening and cuts every connection / listens again, same port
    origin.sent                                                # body bytes that were handed to the kernel, in all
    origin.requests                                            # list of (path, Range header or None, status, body bytes sent)
"""
import hashlib
import socket
import struct
import threading
import time
import urllib.parse

from unread import Unread

BLOCK = 1 << 16


def content(name, size, version=1):
    """The bytes of a file: the same for ever, different for each name and version, cheap to make."""
    seed = hashlib.sha256(f"{name}\0{version}".encode()).digest() * (BLOCK // 32)
    out = bytearray(size)
    for start in range(0, size, BLOCK):
        n = min(BLOCK, size - start)
        out[start:start + n] = seed[:n]
        out[start:start + min(8, n)] = struct.pack("<Q", start)[:min(8, n)]  # no two blocks are equal
    return bytes(out)


def digest(name, size, version=1):
    return hashlib.sha256(content(name, size, version)).hexdigest()


class Origin:
    def __init__(self, family=socket.AF_INET, host=None, tls=None):
        self.family = family
        self.tls = tls  # an ssl.SSLContext: it speaks https
        self.host = host or ("::1" if family == socket.AF_INET6 else "127.0.0.1")
        self.rate = None
        self.ahead = None
        self.version = 1
        self.sent = 0
        self.requests = []
        self.lock = threading.Lock()
        self.cache = {}
        self.connections = set()
        self.port = 0
        self.listener = None
        self.up()

    def url(self, name, size):
        host = f"[{self.host}]" if self.family == socket.AF_INET6 else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}/{name}?size={size}"

    def up(self):
        s = socket.socket(self.family)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((self.host, self.port))
        s.listen(128)
        self.port = s.getsockname()[1]
        self.listener = s
        threading.Thread(target=self._accept, args=(s,), daemon=True).start()

    def down(self):
        listener, self.listener = self.listener, None
        if listener:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self.lock:
            for c in self.connections:
                try:
                    c.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    close = down

    def prepare(self, name, size):
        """Makes the bytes now: for a large file on a busy machine that takes longer than a client waits."""
        self._body(name, size)

    def let_through(self):
        self.rate = None

    def _accept(self, listener):
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            if self.tls:
                c = self.tls.wrap_socket(c, server_side=True, do_handshake_on_connect=False)
            with self.lock:
                self.connections.add(c)
            threading.Thread(target=self._serve, args=(c,), daemon=True).start()

    def _serve(self, c):
        try:
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            f = c.makefile("rb")
            while self._one(c, f):
                pass
        except (OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.connections.discard(c)
            c.close()

    def _body(self, name, size):
        key = (name, size, self.version)
        if key not in self.cache:
            if len(self.cache) > 64:
                self.cache.clear()
            self.cache[key] = content(*key)
        return self.cache[key]

    def _one(self, c, f):
        line = f.readline(65536).decode("latin-1").split()
        if len(line) != 3:
            return False
        headers = {}
        while True:
            h = f.readline(65536).decode("latin-1").strip()
            if not h:
                break
            key, _, value = h.partition(":")
            headers[key.lower()] = value.strip()
        path, _, query = line[1].partition("?")
        size = int(urllib.parse.parse_qs(query).get("size", ["0"])[0])
        etag = f'"{path}-{size}-{self.version}"'
        body = memoryview(self._body(path[1:], size))
        start, end, status = 0, size, "200 OK"
        extra = ""
        wanted = headers.get("range", "")
        if wanted.startswith("bytes=") and headers.get("if-range", etag) == etag:
            first, _, last = wanted[6:].partition("-")
            start, end = int(first), (int(last) + 1 if last else size)
            end = min(end, size)
            if start >= size:
                c.sendall(f"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{size}\r\nETag: {etag}\r\n"
                          "Content-Length: 0\r\n\r\n".encode())
                return True
            status = "206 Partial Content"
            extra = f"Content-Range: bytes {start}-{end - 1}/{size}\r\n"
        c.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {end - start}\r\nETag: {etag}\r\n{extra}\r\n".encode())
        sent = 0
        began = time.monotonic()
        unread = Unread(c) if self.ahead else None
        try:
            while sent < end - start:
                step = BLOCK if self.rate else 1 << 20
                while unread and unread.bytes() > self.ahead:
                    time.sleep(0.001)  # a window that is full
                n = c.send(body[start + sent:min(end, start + sent + step)])
                sent += n
                if self.rate:
                    ahead = sent / self.rate - (time.monotonic() - began)
                    if ahead > 0:
                        time.sleep(ahead)  # the pace of the line, not a wait for somebody
        finally:
            if unread:
                unread.close()
            with self.lock:
                self.sent += sent
                self.requests.append((line[1], headers.get("range"), int(status[:3]), sent))
        return True
