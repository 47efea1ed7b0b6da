"""Servers that break the rules of HTTP/2 in its frames, one for each case. Knows nothing of how dosvc judges.

A case asks for the file f, most of them for g as well, over the same connection. What is expected of each is as in hostile_cases.py; a
file that fails transiently is asked for again as often as the case says, as the manager would: what one stream's fault did to the others
of its connection must end there.

Where two ends are named, both are right and time decides between them: with the last byte of the length libcurl may be content before it has
seen what comes behind."""
import collections
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import hostile_cases  # noqa: E402
import h2_server as h2  # noqa: E402
from hostile_cases import CLOSED, EXACT, INVALID, SIZE, STALL  # noqa: E402
from h2_server import H2Server, frame, literal  # noqa: E402
from lying_server import content, etag  # noqa: E402

CODES = ("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR",
         "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED")
HALF = SIZE // 2
TIMED_OUT = ("TIMED_OUT",)
FLOOD = 100_000
PATIENT = {"stall_timeout_usec": 3_000_000}  # what takes the client a while to see
SIZES = {"f": SIZE, "g": SIZE}

Row = collections.namedtuple("Row", "name script expected other request tries server other_request", defaults=(None, {}, 1, {}, {}))


def once(script):
    """The first connection only; the next ones are honest."""
    def speak(c):
        if c.number == 0:
            script(c)
        c.serve()
    return speak


def to_f(script):
    """What befalls each request for f; g is answered as it should be."""
    def speak(c):
        while True:
            request = c.take()
            if request.name == "f":
                script(c, request)
            else:
                c.answer(request)
    return speak


def half(c, request, length=None):
    """And the client has it."""
    c.head(request, length=length)
    c.data(request.stream, c.whole(request)[:HALF])
    c.meet()


def half_then(action):
    def speak(c, request):
        half(c, request)
        action(c, request)
    return to_f(speak)


def both_half_then(action):
    """f and g are under way on one connection when it happens."""
    def speak(c):
        f, g = c.take_all(2)
        half(c, f)
        half(c, g)
        action(c, f, g)
    return once(speak)


def finish(c, *requests):
    for request in requests:
        c.data(request.stream, c.whole(request)[HALF:], end=True)


# -- streams that end early

def resets():
    for code, name in enumerate(CODES):
        expected = EXACT if name == "HTTP_1_1_REQUIRED" else CLOSED
        # What came at once with the reset was not handed over yet: libcurl asks with HTTP/1.1 then, and that is served.
        late = CLOSED + (EXACT,) if name == "HTTP_1_1_REQUIRED" else CLOSED
        yield Row(f"RST_STREAM {name} in mid-body", half_then(lambda c, r, code=code: c.reset(r.stream, code)), late, EXACT)
        yield Row(f"RST_STREAM {name} instead of an answer", to_f(lambda c, r, code=code: c.reset(r.stream, code)), expected, EXACT)
    yield Row("RST_STREAM with a code that nobody knows", half_then(lambda c, r: c.reset(r.stream, 0xfeedbeef)), CLOSED, EXACT)

    def no_length(code):
        def speak(c, request):
            half(c, request, length="")
            c.reset(request.stream, code)
        return to_f(speak)

    # libcurl 7.88 tells nobody whether a stream ended or was reset with this code.
    yield Row("RST_STREAM NO_ERROR in a body without length", no_length(h2.NO_ERROR), ("unverified",), EXACT)
    yield Row("the same, of a file whose size was stated", no_length(h2.NO_ERROR), CLOSED, EXACT, {"stated_size": SIZE})
    for code in (h2.CANCEL, h2.INTERNAL_ERROR):
        yield Row(f"RST_STREAM {CODES[code]} in a body without length", no_length(code), CLOSED, EXACT)

    def after_all(c, request):
        c.head(request)
        c.data(request.stream, c.whole(request))
        c.reset(request.stream, h2.CANCEL)

    yield Row("RST_STREAM behind the last byte but before the end", to_f(after_all), (EXACT,) + CLOSED, EXACT)
    yield Row("RST_STREAM of a stream that was never opened", both_half_then(lambda c, f, g: (c.reset(99, 8), finish(c, f, g))), EXACT, EXACT, tries=3)
    yield Row("RST_STREAM of stream 0", both_half_then(lambda c, f, g: c.reset(0, 8)), EXACT, EXACT, tries=3)
    yield Row("RST_STREAM of four bytes too many",
              both_half_then(lambda c, f, g: c.frame(h2.RST_STREAM, 0, f.stream, b"\0" * 8)), EXACT, EXACT, tries=3)
    def another(c):
        """What was said of the one answer is not true of the other."""
        request = c.take()
        half(c, request, length="")
        c.reset(request.stream, h2.HTTP_1_1_REQUIRED)

    yield Row("a stream that turns out to be of HTTP/1.1 when half of it is there", once(another), EXACT, None, tries=3)
    yield Row("a stream that is refused when its head is there", once(lambda c: refused_late(c, c.take())), EXACT, EXACT, tries=3)
    yield Row("a stream that is refused once", once(lambda c: (c.reset(c.take().stream, h2.REFUSED_STREAM), c.serve())), EXACT)


def refused_late(c, request):
    c.head(request, length=100)
    c.meet()
    c.reset(request.stream, h2.REFUSED_STREAM)


def goodbyes():
    yield Row("GOAWAY as a greeting, every time", lambda c: c.goaway(0), CLOSED)
    yield Row("GOAWAY as a greeting, once", once(lambda c: c.goaway(0)), EXACT, EXACT, tries=3)
    yield Row("GOAWAY instead of an answer, once", once(lambda c: (c.take(), c.goaway(0))), EXACT, EXACT, tries=3)
    yield Row("GOAWAY in mid-body of all, and all of them finished",
              both_half_then(lambda c, f, g: (c.goaway(max(f.stream, g.stream)), finish(c, f, g))), EXACT, EXACT)
    yield Row("GOAWAY that warns, then one that means it",
              both_half_then(lambda c, f, g: (c.goaway(2**31 - 1), finish(c, f), c.goaway(max(f.stream, g.stream)), finish(c, g))), EXACT, EXACT)
    yield Row("GOAWAY that forgets the younger stream",
              both_half_then(lambda c, f, g: (c.goaway(min(f.stream, g.stream)), finish(c, min(f, g)))), EXACT, EXACT, tries=3)
    yield Row("GOAWAY that forgets all streams", both_half_then(lambda c, f, g: c.goaway(0)), EXACT, EXACT, tries=3)
    yield Row("GOAWAY whose last stream grows",
              both_half_then(lambda c, f, g: (c.goaway(min(f.stream, g.stream)), c.goaway(2**31 - 1), finish(c, f, g))), EXACT, EXACT, tries=3)
    yield Row("GOAWAY of a stream that only a server opens", both_half_then(lambda c, f, g: c.goaway(2)), EXACT, EXACT, tries=3)
    yield Row("GOAWAY with calm asked for, and the end", both_half_then(lambda c, f, g: (c.goaway(g.stream, h2.ENHANCE_YOUR_CALM), c.hang_up())),
              EXACT, EXACT, tries=3)
    yield Row("GOAWAY with 16 KiB of words", both_half_then(lambda c, f, g: (c.goaway(max(f.stream, g.stream), 0, b"x" * 16000), finish(c, f, g))),
              EXACT, EXACT)
    yield Row("GOAWAY too short to be one", both_half_then(lambda c, f, g: c.frame(h2.GOAWAY, 0, 0, b"\0" * 4)), EXACT, EXACT, tries=3)
    yield Row("the end of the connection without GOAWAY", both_half_then(lambda c, f, g: c.hang_up()), EXACT, EXACT, tries=3)


# -- bodies

def bodies():
    whole = content("f", 1, 0, SIZE)
    yield Row("END_STREAM short of the length", to_f(lambda c, r: (c.head(r), c.data(r.stream, whole[:HALF], end=True))), CLOSED, EXACT)
    yield Row("END_STREAM with the head, short of the length", to_f(lambda c, r: c.head(r, flags=h2.END_HEADERS | h2.END_STREAM)), CLOSED, EXACT)
    yield Row("DATA beyond the length", to_f(lambda c, r: (c.head(r), c.data(r.stream, whole + b"x" * 5000, end=True))), CLOSED, EXACT)
    yield Row("DATA beyond the length, in a frame of its own",
              to_f(lambda c, r: (c.head(r), c.data(r.stream, whole), c.data(r.stream, b"x" * 5000, end=True))), CLOSED + (EXACT,), EXACT)
    yield Row("DATA before the head", to_f(lambda c, r: (c.data(r.stream, whole[:100]), c.answer(r))), CLOSED, EXACT, tries=3)
    yield Row("DATA on a stream that has ended", once(lambda c: (c.answer(c.take()), c.data(1, b"x" * 100), c.serve())), EXACT, EXACT, tries=3)
    yield Row("DATA on a stream that nobody opened", both_half_then(lambda c, f, g: (c.data(77, b"x" * 100), finish(c, f, g))), EXACT, EXACT, tries=3)
    yield Row("DATA on stream 0", both_half_then(lambda c, f, g: c.frame(h2.DATA, 0, 0, b"x")), EXACT, EXACT, tries=3)
    yield Row("DATA with more padding than there is", both_half_then(lambda c, f, g: c.frame(h2.DATA, h2.PADDED, f.stream, b"\xff" + b"x" * 9)),
              EXACT, EXACT, tries=3)
    yield Row("DATA that is padding only, then the bytes", to_f(lambda c, r: (c.head(r), c.frame(h2.DATA, h2.PADDED, r.stream, b"\xff" + b"\0" * 255),
              c.data(r.stream, whole, end=True))), EXACT, EXACT)
    yield Row("DATA with padding around every byte", to_f(lambda c, r: (c.head(r, length=""), c.send(b"".join(
              frame(h2.DATA, h2.PADDED, r.stream, b"\x03" + whole[i:i + 1] + b"\0" * 3) for i in range(SIZE))), c.data(r.stream, b""),
              c.frame(h2.DATA, h2.END_STREAM, r.stream))), EXACT, EXACT)
    yield Row("a body without length", to_f(lambda c, r: (c.head(r, length=""), c.data(r.stream, whole, end=True))), EXACT, EXACT)
    yield Row("a body without length of another size than stated", to_f(lambda c, r: (c.head(r, length=""), c.data(r.stream, whole[:HALF], end=True))),
              CLOSED, EXACT, {"stated_size": SIZE})
    yield Row("an endless body", lambda c: endless(c, c.take()), ("TOO_LARGE!",), None, {"max_bytes": 1 << 20})
    yield Row("a body that stalls", half_then(lambda c, r: None), TIMED_OUT, EXACT, STALL)
    yield Row("an answer that never comes", to_f(lambda c, r: None), TIMED_OUT, EXACT, STALL)
    yield Row("empty DATA for ever", half_then(lambda c, r: c.send(frame(h2.DATA, 0, r.stream) * FLOOD)), TIMED_OUT + CLOSED, EXACT, STALL, 3)
    yield Row("a frame header without its frame", both_half_then(lambda c, f, g: (c.frame(h2.DATA, 0, f.stream, b"xxx", length=1000), c.drain())),
              EXACT, EXACT, STALL, 3)
    yield Row("a connection that falls silent", both_half_then(lambda c, f, g: c.drain()), EXACT, EXACT, STALL, 3)
    yield Row("a connection that falls silent before it answers", once(lambda c: c.drain()), EXACT, EXACT, STALL, 3)
    yield Row("a broken rule, and a server that does not leave", both_half_then(lambda c, f, g: stay(c, f)), EXACT, EXACT, STALL, 3)
    yield Row("a frame longer than we allow", both_half_then(lambda c, f, g: c.frame(h2.DATA, 0, f.stream, b"x" * 20000)), EXACT, EXACT, tries=3)
    yield Row("a frame of 16 MiB", both_half_then(lambda c, f, g: c.frame(h2.DATA, 0, f.stream, b"x" * 100, length=(1 << 24) - 1)), EXACT, EXACT, tries=3)
    yield Row("frames of kinds that nobody knows", both_half_then(lambda c, f, g: (c.send(frame(0xfa, 0xff, f.stream, b"x" * 1000) * 100), finish(c, f, g))),
              EXACT, EXACT)
    yield Row("two answers that are swapped", once(swapped), ("SIZE_MISMATCH!",), ("SIZE_MISMATCH!",), {"stated_size": SIZE}, 1, {"sizes": {"f": SIZE, "g": SIZE + 9}},
              {"stated_size": SIZE + 9})


def stay(c, request):
    c.is_stubborn = True
    c.frame(h2.PING, 0, 0, b"x")
    c.drain()


def silent(c):
    while True:
        c.read(1)


def endless(c, request):
    c.head(request, length="")
    while True:
        c.data(request.stream, b"x" * h2.FRAME_MAX)


def swapped(c):
    f, g = c.take_all(2)
    c.answer(h2.Request(f.stream, g.name, {}))
    c.answer(h2.Request(g.stream, f.name, {}))


# -- heads

def with_fields(*fields, raw=b"", flags=h2.END_HEADERS):
    """An answer whose head is these fields."""
    def speak(c, request):
        c.frame(h2.HEADERS, flags, request.stream, c.encoder.encode(fields) + raw)
        c.data(request.stream, c.whole(request), end=True)
    return to_f(speak)


def heads():
    ok, length = (":status", "200"), ("content-length", str(SIZE))
    for name, fields in (("without a status", (length,)), ("whose status is empty", ((":status", ""), length)), ("whose status is no number", ((":status", "2x0"), length)),
                         ("with two statuses", (ok, ok, length)), ("with a status behind other fields", (length, ok)),
                         ("with a pseudo field that requests have", (ok, (":path", "/"), length)), ("with a pseudo field that nobody knows", (ok, (":x", "y"), length)),
                         ("with Connection", (ok, length, ("connection", "close"))), ("with Transfer-Encoding", (ok, ("transfer-encoding", "chunked"))),
                         ("with two lengths", (ok, length, ("content-length", "1"))), ("with a length that is no number", (ok, ("content-length", "0x10"))),
                         ("with a negative length", (ok, ("content-length", "-1"))), ("with a huge length", (ok, ("content-length", "9" * 19))),
                         ("with status 101", ((":status", "101"), length)), ("with status 99", ((":status", "99"), length)),
                         ("with status 1000", ((":status", "1000"), length))):
        yield Row("a head " + name, with_fields(*fields), CLOSED, EXACT)
    for name, raw in (("in upper case", literal("ETag", '"x"')), ("with a blank", literal("a b", "x")), ("with a NUL", literal("a\0b", "x")),
                      ("that is empty", literal("", "x")), ("with a line end", literal("a\r\nb", "x"))):
        yield Row("a field's name " + name, with_fields(ok, length, raw=raw), CLOSED, EXACT)
    for name, value in (("with a line end", "x\r\nlocation: /y"), ("with a NUL", "a\0b")):
        yield Row("a field's value " + name, with_fields(ok, length, raw=literal("x", value)), CLOSED, EXACT)
    yield Row("a hundred informational answers", to_f(lambda c, r: ([c.fields(r.stream, [(":status", "103")]) for _ in range(100)], c.answer(r))),
              INVALID, EXACT)
    yield Row("informational answers without end", to_f(lambda c, r: [c.fields(r.stream, [(":status", "103"), ("x", "y" * 100)]) for _ in range(20000)]),
              INVALID + CLOSED, EXACT, STALL, 3)
    yield Row("an informational answer that ends the stream", to_f(lambda c, r: c.fields(r.stream, [(":status", "103")], h2.END_HEADERS | h2.END_STREAM)),
              CLOSED, EXACT)
    yield Row("trailers", to_f(lambda c, r: (c.head(r), c.data(r.stream, c.whole(r)), c.fields(r.stream, [("x-sum", "1")], h2.END_HEADERS | h2.END_STREAM))),
              EXACT, EXACT)
    yield Row("trailers that lie", to_f(lambda c, r: (c.head(r), c.data(r.stream, c.whole(r)), c.fields(r.stream, [
              ("content-length", "1"), ("etag", '"other"')], h2.END_HEADERS | h2.END_STREAM))), (EXACT,) + CLOSED, EXACT)
    yield Row("trailers with a status", to_f(lambda c, r: (c.head(r), c.data(r.stream, c.whole(r)), c.fields(r.stream, [
              (":status", "404")], h2.END_HEADERS | h2.END_STREAM))), (EXACT,) + CLOSED, EXACT)
    yield Row("a second head that does not end the stream", to_f(lambda c, r: (half(c, r), c.fields(r.stream, [(":status", "200")]), finish(c, r))),
              CLOSED, EXACT)
    yield Row("a head on a stream that nobody opened", both_half_then(lambda c, f, g: (c.fields(77, [ok, length]), finish(c, f, g))), EXACT, EXACT, tries=3)
    yield Row("a head on a server's stream", both_half_then(lambda c, f, g: (c.fields(2, [ok, length]), finish(c, f, g))), EXACT, EXACT, tries=3)
    yield Row("a head on stream 0", both_half_then(lambda c, f, g: c.fields(0, [ok, length])), EXACT, EXACT, tries=3)
    # RFC 9113 5.3.2: priorities are not looked at any more.
    yield Row("a stream that depends on itself", to_f(lambda c, r: (c.frame(h2.HEADERS, h2.END_HEADERS | h2.WITH_PRIORITY, r.stream, struct.pack(
              ">IB", r.stream, 9) + c.encoder.encode([ok, length])), c.data(r.stream, c.whole(r), end=True))), EXACT, EXACT)


def large_heads():
    ok = (":status", "200")
    block = literal("x", "y" * 16000)

    def continued(c, request, n, what, end=b""):
        c.frame(h2.HEADERS, 0, request.stream, c.encoder.encode([ok]))
        for _ in range(n):
            c.frame(h2.CONTINUATION, 0, request.stream, what)
        c.frame(h2.CONTINUATION, h2.END_HEADERS, request.stream, end)

    yield Row("a head in pieces", to_f(lambda c, r: (continued(c, r, 3, literal("x", "y" * 4000)), c.data(r.stream, c.whole(r), end=True))), EXACT, EXACT)
    # Larger than what libcurl 7.88 reads at once: with the next record in between it takes such a head for HTTP/0.9.
    yield Row("a head of 48 KiB", to_f(lambda c, r: (continued(c, r, 3, block), c.data(r.stream, c.whole(r), end=True))), (EXACT,) + INVALID, EXACT)
    yield Row("a head of 4 MiB", to_f(lambda c, r: continued(c, r, 256, block)), INVALID + CLOSED, EXACT, PATIENT, 3)
    yield Row("CONTINUATION without end", to_f(lambda c, r: continued(c, r, FLOOD, b"")), INVALID + CLOSED + TIMED_OUT, EXACT, STALL, 3)
    yield Row("CONTINUATION of one small field, without end", to_f(lambda c, r: continued(c, r, FLOOD, literal("x", "y"))), INVALID + CLOSED, EXACT, PATIENT, 3)
    yield Row("CONTINUATION without a head", both_half_then(lambda c, f, g: c.frame(h2.CONTINUATION, h2.END_HEADERS, f.stream, b"")), EXACT, EXACT, tries=3)
    yield Row("another frame inside a head", both_half_then(lambda c, f, g: (c.frame(h2.HEADERS, 0, f.stream, b""), c.frame(h2.PING, 0, 0, b"x" * 8))),
              EXACT, EXACT, tries=3)
    # One field of 4,000 bytes is put into the table and then named 16,000 times with one byte each.
    yield Row("an HPACK bomb", to_f(lambda c, r: (c.frame(h2.HEADERS, 0, r.stream, c.encoder.encode([ok]) + b"\x40" + literal("x", "y" * 4000)[1:]),
              c.frame(h2.CONTINUATION, h2.END_HEADERS, r.stream, b"\xbe" * 16000), c.data(r.stream, c.whole(r), end=True))), INVALID + CLOSED, EXACT, tries=3)
    for name, data in (("of a field that is in no table", b"\xff\xff\xff\xff\x0f"), ("with an integer of a hundred bytes", b"\xff" * 100 + b"\x01"),
                       ("that ends in the middle of a field", b"\x40\x7f"), ("with a table larger than we allow", b"\x3f\xff\xff\xff\x07"),
                       ("with a Huffman code that is none", b"\x00\x84\xff\xff\xff\xff\x01x"), ("of index 0", b"\x80")):
        yield Row("an HPACK block " + name, both_half_then(lambda c, f, g, data=data: c.frame(h2.HEADERS, h2.END_HEADERS, f.stream, data)), EXACT, EXACT, tries=3)


# -- the connection

def connections():
    yield Row("a window that never opens", lambda c: (c.head(c.take())), TIMED_OUT, None, STALL, 1, {"first_settings": ((h2.INITIAL_WINDOW_SIZE, 0),)})
    for name, key, value in (("a window of 2 GiB", h2.INITIAL_WINDOW_SIZE, 1 << 31), ("frames of 1 byte", h2.MAX_FRAME_SIZE, 1),
                             ("frames of 4 GiB", h2.MAX_FRAME_SIZE, 0xffffffff), ("push 2", h2.ENABLE_PUSH, 2)):
        yield Row("SETTINGS: " + name, both_half_then(lambda c, f, g, key=key, value=value: (c.settings((key, value)), finish(c, f, g))), EXACT, EXACT, tries=3)
    yield Row("SETTINGS: push is on", both_half_then(lambda c, f, g: (c.settings((h2.ENABLE_PUSH, 1)), finish(c, f, g))), EXACT, EXACT, tries=3)
    yield Row("SETTINGS: no table for heads", both_half_then(lambda c, f, g: (c.settings((h2.HEADER_TABLE_SIZE, 0)), finish(c, f, g))), EXACT, EXACT)
    yield Row("SETTINGS: a table of 4 GiB for heads", both_half_then(lambda c, f, g: (c.settings((h2.HEADER_TABLE_SIZE, 0xffffffff)), finish(c, f, g))), EXACT, EXACT)
    yield Row("SETTINGS: no stream at all", lambda c: None, TIMED_OUT, None, STALL, 1, {"first_settings": ((h2.MAX_CONCURRENT_STREAMS, 0),)})
    yield Row("SETTINGS: one stream", lambda c: c.serve(), EXACT, EXACT, {}, 1, {"first_settings": ((h2.MAX_CONCURRENT_STREAMS, 1),)})
    yield Row("SETTINGS: one stream, said late", both_half_then(lambda c, f, g: (c.settings((h2.MAX_CONCURRENT_STREAMS, 1)), finish(c, f, g))), EXACT, EXACT)
    yield Row("SETTINGS: heads of 10 bytes at most", lambda c: c.serve(), EXACT, EXACT, {}, 1, {"first_settings": ((h2.MAX_HEADER_LIST_SIZE, 10),)})
    yield Row("SETTINGS of five bytes", both_half_then(lambda c, f, g: c.frame(h2.SETTINGS, 0, 0, b"x" * 5)), EXACT, EXACT, tries=3)
    yield Row("SETTINGS on a stream", both_half_then(lambda c, f, g: c.frame(h2.SETTINGS, 0, f.stream)), EXACT, EXACT, tries=3)
    yield Row("SETTINGS acknowledged that were never sent", both_half_then(lambda c, f, g: (c.send(frame(h2.SETTINGS, h2.ACK) * 10), finish(c, f, g))), EXACT, EXACT, tries=3)
    yield Row("a flood of SETTINGS", to_f(lambda c, r: flood(c, frame(h2.SETTINGS, 0, 0, struct.pack(">HI", 4, 65535)))), CLOSED + TIMED_OUT, EXACT, STALL, 3)
    yield Row("a flood of PING", to_f(lambda c, r: flood(c, frame(h2.PING, 0, 0, b"x" * 8))), CLOSED + TIMED_OUT, EXACT, STALL, 3)
    yield Row("a flood of PING that is acknowledged", to_f(lambda c, r: flood(c, frame(h2.PING, h2.ACK, 0, b"x" * 8))), CLOSED + TIMED_OUT, EXACT, STALL, 3)
    yield Row("a flood of PRIORITY", to_f(lambda c, r: flood(c, frame(h2.PRIORITY, 0, 9, b"\0" * 5))), CLOSED + TIMED_OUT, EXACT, STALL, 3)
    yield Row("a flood of WINDOW_UPDATE", to_f(lambda c, r: flood(c, frame(h2.WINDOW_UPDATE, 0, 0, b"\0\0\0\1"))), CLOSED + TIMED_OUT, EXACT, STALL, 3)
    yield Row("PING of seven bytes", both_half_then(lambda c, f, g: c.frame(h2.PING, 0, 0, b"x" * 7)), EXACT, EXACT, tries=3)
    yield Row("WINDOW_UPDATE by 0", both_half_then(lambda c, f, g: (c.frame(h2.WINDOW_UPDATE, 0, f.stream, b"\0" * 4), finish(c, g))), EXACT, EXACT, tries=3)
    yield Row("WINDOW_UPDATE beyond 2 GiB", both_half_then(lambda c, f, g: c.send(frame(h2.WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2)), EXACT, EXACT, tries=3)
    yield Row("WINDOW_UPDATE beyond 2 GiB of one stream",
              both_half_then(lambda c, f, g: (c.send(frame(h2.WINDOW_UPDATE, 0, f.stream, b"\x7f\xff\xff\xff") * 2), finish(c, g))), EXACT, EXACT, tries=3)
    push = h2.hpack.Encoder().encode([(":method", "GET"), (":scheme", "https"), (":authority", "127.0.0.1"), (":path", "/g")])
    yield Row("PUSH_PROMISE that nobody wants", both_half_then(lambda c, f, g: (c.frame(h2.PUSH_PROMISE, h2.END_HEADERS, f.stream, b"\0\0\0\2" + push), finish(c, f, g))),
              EXACT, EXACT, tries=3)
    yield Row("nothing but noise", lambda c: c.send(os.urandom(4096)), CLOSED)
    yield Row("HTTP/1.1 where h2 was agreed upon", lambda c: (c.take(), c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")), CLOSED)
    yield Row("nothing, not even SETTINGS, for ever", silent, TIMED_OUT, None, STALL, 1, {"first_settings": None})
    yield Row("requests that belong to HTTP/1.1", once(lambda c: (c.take(), c.reset(1, h2.HTTP_1_1_REQUIRED))), EXACT, EXACT, {}, 3)


def flood(c, what):
    for _ in range(100):
        c.send(what * (FLOOD // 100))


# -- ranges and validators

def ranges():
    old = {"pieces": [[HALF, -1, HALF]], "remote_size": SIZE, "etag": etag("f", 1)}

    def partial(content_range, body, more=()):
        return to_f(lambda c, r: (c.fields(r.stream, [(":status", "206"), ("etag", etag("f", 1)), *more, *([("content-range", content_range)] if content_range else ())]),
                                  c.data(r.stream, body, end=True)))

    whole = content("f", 1, 0, SIZE)
    yield Row("a 206 as asked for", partial(f"bytes {HALF}-{SIZE - 1}/{SIZE}", whole[HALF:]), EXACT, EXACT, old)
    yield Row("a 206 of another place", partial(f"bytes 0-{HALF - 1}/{SIZE}", whole[:HALF]), INVALID, EXACT, old)
    yield Row("a 206 of another size", partial(f"bytes {HALF}-{SIZE - 1}/{SIZE + 1}", whole[HALF:]), ("REMOTE_FILE_CHANGED",), EXACT, old)
    yield Row("a 206 without its range", partial(None, whole[HALF:]), INVALID, EXACT, old)
    yield Row("a 206 shorter than its range", partial(f"bytes {HALF}-{SIZE - 1}/{SIZE}", whole[HALF:-9]), CLOSED, EXACT, old)
    yield Row("a 206 longer than its range", partial(f"bytes {HALF}-{SIZE - 1}/{SIZE}", whole[HALF:] + b"x" * 9), INVALID, EXACT, old)
    yield Row("a 206 whose length denies its range", partial(f"bytes {HALF}-{SIZE - 1}/{SIZE}", whole[HALF:], [("content-length", "7")]), CLOSED + INVALID, EXACT, old)
    yield Row("a 206 that is reset", to_f(lambda c, r: (c.fields(r.stream, [(":status", "206"), ("etag", etag("f", 1)), (
              "content-range", f"bytes {HALF}-{SIZE - 1}/{SIZE}")]), c.data(r.stream, whole[HALF:-99]), c.reset(r.stream, h2.NO_ERROR))), CLOSED, EXACT, old)


def rows():
    for part in (resets, goodbyes, bodies, heads, large_heads, connections, ranges):
        yield from part()
