"""An HTTP/2 server over TLS whose frames are made by hand, so that it can break every rule of RFC 9113. What it does on a connection is a
function of the test's, a script; what no script says it does honestly: serve ranges of files, keep to the client's windows, acknowledge.

    server = H2Server(tls=(certificate, key), sizes={"f": 6400}, script=script)
    def script(c): ...        # c.number counts the server's connections from 0

1. The preface and the first SETTINGS have been exchanged when a script is called. c.take() waits for the next request.
2. c.frame(), c.head(), c.data() say what they are told; c.answer() answers honestly; c.serve() does so for whatever comes until the end.
3. When a script returns, the server reads until the client hangs up: what it said last gets through. c.hang_up() does not wait for that.

Knows nothing of what is judged about it."""
import collections
import contextlib
import re
import socket
import ssl
import struct
import threading

import hpack

from lying_server import content, etag

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS, PADDED, WITH_PRIORITY = 4, 8, 32
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, \
    COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY, HTTP_1_1_REQUIRED = range(14)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_MAX = 1 << 14
IDLE_SECONDS = 30

Request = collections.namedtuple("Request", "stream name fields")


class Gone(Exception):
    """The client hung up."""


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    """@length: another one than the payload's."""
    return struct.pack(">I", len(payload) if length is None else length)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    """A field as HPACK writes it without its tables: for names that no library would write."""
    def text(data):
        return (bytes([len(data)]) if len(data) < 127 else b"\x7f" + integer(len(data) - 127)) + data
    return b"\0" + text(name.encode("latin-1")) + text(value.encode("latin-1"))


def integer(number):
    out = b""
    while number >= 128:
        out += bytes([number % 128 + 128])
        number //= 128
    return out + bytes([number])


class H2Connection:
    def __init__(self, server, sock, number):
        self.server, self.sock, self.number = server, sock, number
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.windows = collections.defaultdict(lambda: self.first_window)
        self.first_window = self.windows[0] = 65535
        self.requests = collections.deque()
        self.resets = {}  # stream: code, as the client said
        self.pongs = 0
        self.is_stubborn = False  # stays when the client says goodbye

    # -- what comes

    def read(self, n):
        data = b""
        while len(data) < n:
            part = self.sock.recv(n - len(data))
            if not part:
                raise Gone
            data += part
        return data

    def take_frame(self):
        """One frame; what the protocol asks for is done."""
        head = self.read(9)
        length, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big")
        payload = self.read(length)
        if kind == HEADERS:
            fields = dict(self.decoder.decode(payload[5:] if flags & WITH_PRIORITY else payload))
            self.requests.append(Request(stream, fields[":path"].strip("/"), fields))
            self.server.requests.append((self.number, self.requests[-1]))
        elif kind == SETTINGS and not flags & ACK:
            for at in range(0, length, 6):
                key, value = struct.unpack(">HI", payload[at:at + 6])
                if key == INITIAL_WINDOW_SIZE:
                    self.first_window = value
            self.frame(SETTINGS, ACK)
        elif kind == WINDOW_UPDATE:
            self.windows[stream] += int.from_bytes(payload, "big")
        elif kind == RST_STREAM:
            self.resets[stream] = int.from_bytes(payload, "big")
        elif kind == PING and flags & ACK:
            self.pongs += 1
        elif kind == PING:
            self.frame(PING, ACK, 0, payload)
        elif kind == GOAWAY:
            self.server.goodbyes.append(int.from_bytes(payload[4:8], "big"))
            if not self.is_stubborn:
                raise Gone
        return kind

    def take(self):
        while not self.requests:
            self.take_frame()
        return self.requests.popleft()

    def take_all(self, n):
        """@n requests, sorted by name, wherever they come from in the meantime."""
        return sorted((self.take() for _ in range(n)), key=lambda request: request.name)

    # -- what goes

    def send(self, data):
        self.sock.sendall(data)

    def frame(self, kind, flags=0, stream=0, payload=b"", length=None):
        self.send(frame(kind, flags, stream, payload, length))

    def fields(self, stream, fields, flags=END_HEADERS):
        self.frame(HEADERS, flags, stream, self.encoder.encode(fields))

    def head(self, request, status=200, length=None, more=(), flags=END_HEADERS):
        """Of the whole file, unless told otherwise; @length: "" for none."""
        size = self.server.sizes[request.name]
        fields = [(":status", str(status)), ("etag", etag(request.name, 1))]
        if length != "":
            fields.append(("content-length", str(size if length is None else length)))
        self.fields(request.stream, fields + list(more), flags)

    def data(self, stream, data, end=False):
        """Within the client's windows."""
        sent = 0
        while sent < len(data):
            room = min(self.windows[0], self.windows[stream], FRAME_MAX, len(data) - sent)
            if room <= 0:
                self.take_frame()
                continue
            last = end and sent + room == len(data)
            self.frame(DATA, END_STREAM if last else 0, stream, data[sent:sent + room])
            self.windows[0] -= room
            self.windows[stream] -= room
            sent += room

    def settings(self, *pairs):
        self.frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", key, value) for key, value in pairs))

    def reset(self, stream, code):
        self.frame(RST_STREAM, 0, stream, struct.pack(">I", code))

    def goaway(self, last, code=NO_ERROR, text=b""):
        self.frame(GOAWAY, 0, 0, struct.pack(">II", last, code) + text)

    def whole(self, request):
        return content(request.name, 1, 0, self.server.sizes[request.name])

    def answer(self, request, more=()):
        whole = self.whole(request)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.fields.get("range", ""))
        if asked and request.fields.get("if-range", etag(request.name, 1)) == etag(request.name, 1):
            first, last = int(asked[1]), min(int(asked[2] or len(whole)), len(whole) - 1)
            self.head(request, 206, last - first + 1, [("content-range", f"bytes {first}-{last}/{len(whole)}"), *more])
            self.data(request.stream, whole[first:last + 1], end=True)
        else:
            self.head(request, more=more)
            self.data(request.stream, whole, end=True)

    def meet(self):
        """Returns when the client has taken what was sent."""
        for _ in range(2):
            before = self.pongs
            self.frame(PING, 0, 0, b"are you?")
            while self.pongs == before:
                self.take_frame()

    def serve(self):
        while True:
            self.answer(self.take())

    def drain(self):
        while True:
            self.take_frame()

    def hang_up(self):
        raise Gone


class H2Server:
    def __init__(self, tls, sizes, script, first_settings=(), protocols=("h2", "http/1.1")):
        """@first_settings: None: none are sent."""
        self.sizes, self.script, self.first_settings = sizes, script, first_settings
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*tls)
        self.context.set_alpn_protocols(list(protocols))
        self.requests = []  # (number of the connection, Request)
        self.old_requests = []  # over HTTP/1.1: (name, first byte, last byte)
        self.goodbyes = []  # what codes the client ended connections with
        self.wrong = []     # what scripts stumbled over
        self.n_connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self, name):
        return f"https://127.0.0.1:{self.port}/{name}"

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(sock, self.n_connections), daemon=True).start()
            self.n_connections += 1

    def one(self, sock, number):
        with contextlib.suppress(OSError, Gone):
            sock.settimeout(IDLE_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.context.wrap_socket(sock, server_side=True) as tls:
                if tls.selected_alpn_protocol() != "h2":
                    return self.serve_old(tls)
                c = H2Connection(self, tls, number)
                if c.read(len(PREFACE)) != PREFACE:
                    return None
                if self.first_settings is not None:
                    c.settings(*self.first_settings)
                try:
                    self.script(c)
                except (KeyError, ValueError, TypeError, hpack.HPACKError) as error:
                    self.wrong.append(repr(error))
                    raise Gone from error
                c.drain()
        return None

    def serve_old(self, tls):
        """HTTP/1.1, honest, whole files and a single range of them."""
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                part = tls.recv(4096)
                if not part:
                    raise Gone
                head += part
            name = head.split(b" ")[1].strip(b"/").decode()
            size = self.sizes[name]
            asked = re.search(rb"\r\nrange: bytes=(\d+)-(\d*)\r\n", head, re.IGNORECASE)
            first, last = (int(asked[1]), min(int(asked[2] or size), size - 1)) if asked else (0, size - 1)
            self.old_requests.append((name, first, last))
            status = b"206 Partial\r\nContent-Range: bytes %d-%d/%d" % (first, last, size) if asked else b"200 OK"
            tls.sendall(b"HTTP/1.1 %s\r\nETag: %s\r\nContent-Length: %d\r\n\r\n" % (status, etag(name, 1).encode(), last + 1 - first))
            tls.sendall(content(name, 1, first, last + 1))

    def stop(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
