"""What hostile servers do, one case each: bodies, headers, redirects. Knows nothing of how dosvc judges; TLS is in hostile_tls.py.

A case is (name, answers, expected, request). answers: for tests/lib/lying_server.py. expected: "exact" (the file, whole), or the codes of
which one must be named, "!" behind a code: and it must be final (a server that breaks the rules of HTTP is not asked again and again).
request: further keys of the request (tests/system/engine_driver.c).

Where the server's bytes decide, one end is right and that one is named. "ended" is "exact" for answers of another body than the file's. What
RFC 9110 and 9112 leave to the recipient (a list of equal lengths, LF alone, a higher minor version) ends as libcurl 7.88 has it, or as
transfer/verdict.c is stricter: Transfer-Encoding beside Content-Length, Content-Range beside a whole file, 2xx other than 200 and 206."""

SIZE = 6400  # of most files
STALL = {"stall_timeout_usec": 400_000}
CLOSED = ("CONNECTION_CLOSED",)
INVALID = ("INVALID_RESPONSE!",)
EXACT = "exact"


def truncations():
    """A body that ends at every 64th, in each framing."""
    for i in range(64):
        cut = SIZE * i // 64
        yield f"a body cut at {i}/64", [{"cut": cut}], CLOSED, {}
    for i in range(0, 64, 8):
        cut = SIZE * i // 64
        yield f"a body reset at {i}/64", [{"cut": cut, "end": "rst"}], CLOSED, {}
        yield f"chunks cut at {i}/64", [{"cut": cut, "transfer": "chunked"}], CLOSED, {}
        yield f"a body of stated size without length, cut at {i}/64", [{"cut": cut, "length": "missing"}], \
            CLOSED, {"stated_size": SIZE}
    yield "a body that stalls at its beginning", [{"cut": 0, "end": "stall"}], ("TIMED_OUT",), STALL
    yield "a body that stalls in its middle", [{"cut": SIZE // 2, "end": "stall"}], ("TIMED_OUT",), STALL
    yield "a body that stalls one byte before its end", [{"cut": SIZE - 1, "end": "stall"}], ("TIMED_OUT",), STALL
    yield "chunks that stall", [{"cut": SIZE // 2, "end": "stall", "transfer": "chunked"}], ("TIMED_OUT",), STALL
    yield "an answer that never comes", [{"raw": "", "end": "stall"}], ("TIMED_OUT",), STALL
    yield "a status line that stalls", [{"raw": "HTTP/1.1 2", "end": "stall"}], ("TIMED_OUT",), STALL
    yield "headers that stall", [{"raw": "HTTP/1.1 200 OK\r\nContent-Len", "end": "stall"}], ("TIMED_OUT",), STALL
    yield "headers byte by byte", [{"drip": 0.05, "drip_what": "header"}], ("TIMED_OUT",), STALL


def endless():
    limit = {"max_bytes": 1 << 20}
    yield "an endless body", [{"length": "missing", "endless": "body"}], ("TOO_LARGE!",), limit
    yield "an endless body in chunks", [{"raw": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + "10000\r\n" + "x" * 65536 + "\r\n" +
                                         ("10000\r\n" + "x" * 65536 + "\r\n") * 40, "end": "stall"}], ("TOO_LARGE!",), limit
    yield "a length beyond the limit", [{"length": str(1 << 30)}], ("TOO_LARGE!",), limit
    yield "a huge length", [{"length": "huge"}], ("TOO_LARGE!",), {}
    yield "more than the stated size", [{}], ("SIZE_MISMATCH!",), {"stated_size": SIZE - 1}
    yield "less than the stated size", [{}], ("SIZE_MISMATCH!",), {"stated_size": SIZE + 1}
    yield "bytes behind the body", [{"extra": 5000}], EXACT, {}
    yield "an answer behind the answer", [{"headers": [], "extra": 100, "close": True}], EXACT, {}
    yield "endless headers", [{"endless": "headers"}], INVALID, {}
    yield "endless informational answers", [{"endless": "informational"}], INVALID, {}
    yield "endless trailers", [{"transfer": "endless_trailers"}], INVALID, {}
    yield "a few informational answers", [{"informational": 3}], EXACT, {}
    yield "a hundred informational answers", [{"informational": 100}], INVALID, {}
    yield "6,000 short headers", [{"headers": [f"X{i}: y" for i in range(6000)]}], INVALID, {}
    yield "4,000 short headers", [{"headers": [f"X{i}: y" for i in range(4000)]}], EXACT, {}
    yield "one header of a mebibyte", [{"headers": ["X: " + "y" * (1 << 20)]}], INVALID, {}
    yield "one header of 90 KiB", [{"headers": ["X: " + "y" * (90 << 10)]}], EXACT, {}
    yield "an ETag of 100 KiB", [{"etag": '"' + "e" * 99000 + '"'}], EXACT, {}
    yield "5,000 cookies", [{"headers": [f"Set-Cookie: c{i}=v" for i in range(4900)]}], EXACT, {}
    yield "a cookie of 90 KiB", [{"headers": ["Set-Cookie: c=" + "v" * (90 << 10)]}], EXACT, {}


def codings():
    for coding in ("gzip", "br", "deflate", "gzip, gzip", "x-unknown"):
        yield f"Content-Encoding {coding} is stored as sent", [{"encoding": coding}], EXACT, {}
    yield "a Content-Encoding that is no token", [{"encoding": "gzip;;\"x"}], INVALID, {}
    yield "a long chain of codings", [{"encoding": ", ".join(["gzip"] * 500)}], INVALID, {}
    for coding in ("gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked", "identity", "xchunked", "deflate", ""):
        yield f"Transfer-Encoding '{coding}'", [{"transfer": coding or " ", "length": "right"}], INVALID, {}
    yield "a length beside chunks", [{"transfer": "chunked", "length": "right"}], INVALID, {}
    yield "a wrong length beside chunks", [{"transfer": "chunked", "length": "short"}], INVALID, {}
    yield "trailers that lie", [{"transfer": "trailers"}], EXACT, {}
    yield "a chunk that is none", [{"transfer": "bad_chunk"}], CLOSED, {}
    yield "no last chunk", [{"transfer": "no_last_chunk"}], CLOSED, {}
    head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    # libcurl has one code for these and for a connection that breaks off. 0x1 is a last chunk to it, so there is a file without bytes.
    for name, body in (("of negative size", "-1\r\nx\r\n0\r\n\r\n"), ("of overflowing size", "ffffffffffffffffff\r\nx\r\n0\r\n\r\n"),
                       ("of 16 exbibytes", "ffffffffffffffff\r\nx"), ("without digits", "\r\nx\r\n0\r\n\r\n"),
                       ("without its end of line", "1\r\nxyz\r\n0\r\n\r\n")):
        yield f"a chunk {name}", [{"raw": head + body}], CLOSED, {}
    yield "a chunk with 0x", [{"raw": head + "0x1\r\nx\r\n0\r\n\r\n"}], INVALID, {}
    yield "a chunk with a long extension", [{"raw": head + "1;" + "e" * 60000 + "\r\nx\r\n0\r\n\r\n"}], ("ended",), {}


def heads():
    ok = "Content-Length: 1\r\n\r\nx"
    rows = (
        ("nothing", "", CLOSED), ("one byte", "H", CLOSED), ("HTTP/0.9", "<html>hello</html>", INVALID),
        ("an SSH greeting", "SSH-2.0-OpenSSH_9.2\r\n", INVALID), ("an SMTP greeting", "220 mail ESMTP\r\n", INVALID),
        ("an ICY status", "ICY 200 OK\r\n" + ok, INVALID), ("a TLS alert", "\x15\x03\x01\x00\x02\x02\x46", INVALID),
        ("status 99", "HTTP/1.1 099 No\r\n" + ok, INVALID), ("status 1000", "HTTP/1.1 1000 No\r\n" + ok, INVALID),
        ("status 2x0", "HTTP/1.1 2x0 No\r\n" + ok, INVALID), ("status -200", "HTTP/1.1 -200 No\r\n" + ok, INVALID),
        ("status 600", "HTTP/1.1 600 No\r\n" + ok, INVALID), ("no status", "HTTP/1.1 \r\n" + ok, INVALID),
        ("version 9.9", "HTTP/9.9 200 OK\r\n" + ok, INVALID), ("version 1.2", "HTTP/1.2 200 OK\r\n" + ok, INVALID),
        ("version 2 in clear", "HTTP/2 200 OK\r\n" + ok, ("ended",)), ("no version", "HTTP 200 OK\r\n" + ok, INVALID),
        ("a NUL in a value", "HTTP/1.1 200 OK\r\nX: a\0b\r\n" + ok, INVALID), ("a NUL in a name", "HTTP/1.1 200 OK\r\nX\0: b\r\n" + ok, INVALID),
        ("a bare CR", "HTTP/1.1 200 OK\r\nX: a\rY: b\r\n" + ok, INVALID), ("a bell", "HTTP/1.1 200 OK\r\nX: \a\r\n" + ok, ("ended",)),
        ("a line without colon", "HTTP/1.1 200 OK\r\nnonsense\r\n" + ok, INVALID), ("a blank before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx", INVALID),
        ("an empty name", "HTTP/1.1 200 OK\r\n: x\r\n" + ok, INVALID), ("a folded length", "HTTP/1.1 200 OK\r\nContent-Length:\r\n 1\r\n\r\nx", INVALID),
        ("a folded first line", "HTTP/1.1 200 OK\r\n x\r\n" + ok, INVALID), ("LF alone", "HTTP/1.1 200 OK\nContent-Length: 1\n\nx", ("ended",)),
        ("101 Switching Protocols", "HTTP/1.1 101 Go\r\nUpgrade: h2c\r\n\r\n", INVALID), ("204", "HTTP/1.1 204 No\r\n\r\n", INVALID),
        ("205", "HTTP/1.1 205 No\r\n\r\n", INVALID), ("203 with a body", "HTTP/1.1 203 Ok\r\n" + ok, INVALID),
        ("206 that nobody asked for", "HTTP/1.1 206 P\r\nContent-Range: bytes 0-0/1\r\n" + ok, INVALID),
        ("207", "HTTP/1.1 207 M\r\n" + ok, INVALID), ("299", "HTTP/1.1 299 M\r\n" + ok, INVALID),
        ("300 without place", "HTTP/1.1 300 M\r\n" + ok, ("HTTP_STATUS!",)), ("304 that nobody asked for", "HTTP/1.1 304 No\r\n\r\n", ("HTTP_STATUS!",)),
        ("407 from an origin", "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n", ("HTTP_STATUS!",)),
        ("401", "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n", ("HTTP_STATUS!",)),
        ("403", "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", ("HTTP_STATUS!",)), ("404", "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", ("HTTP_STATUS!",)),
        ("451", "HTTP/1.1 451 No\r\nContent-Length: 0\r\n\r\n", ("HTTP_STATUS!",)), ("429", "HTTP/1.1 429 No\r\nRetry-After: 99999999999999\r\nContent-Length: 0\r\n\r\n", ("HTTP_STATUS",)),
        ("503 and a wait that is no number", "HTTP/1.1 503 No\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", ("HTTP_STATUS",)),
        ("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 1\r\n\r\nx", INVALID), ("two equal lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", ("ended",)),
        ("a length with a sign", "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx", INVALID), ("a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx", INVALID),
        ("a hexadecimal length", "HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\nx", INVALID), ("a length of 20 digits", "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551617\r\n\r\nx", INVALID),
        ("a length list that disagrees", "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nx", INVALID), ("an empty length", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nx", INVALID),
        ("a length with a fraction", "HTTP/1.1 200 OK\r\nContent-Length: 1.0\r\n\r\nx", INVALID),
        ("a range beside a whole file", "HTTP/1.1 200 OK\r\nContent-Range: bytes 5-5/9\r\n" + ok, INVALID),
        ("multipart that nobody asked for", "HTTP/1.1 206 P\r\nContent-Type: multipart/byteranges; boundary=x\r\n" + ok, INVALID),
    )
    for name, raw, expected in rows:
        yield f"an answer: {name}", [{"raw": raw}], expected, {}


def bodies_and_heads():
    for part in (truncations, endless, codings, heads):
        yield from part()


# -- redirects: {other} is a second server (another origin), {port} the first one's port

TO_FILE = "/c/{target}/f"
BAD = ("INVALID_REDIRECT!",)


def redirects():
    """(name, Location or None, status, expected, does the second server see a request)"""
    for status in (301, 302, 303, 307, 308):
        yield f"{status} to a file here", TO_FILE, status, EXACT
        yield f"{status} to another origin", "http://127.0.0.1:{other}" + TO_FILE, status, EXACT
    for name, place in (
            ("an absolute URL", "http://127.0.0.1:{port}" + TO_FILE), ("no scheme", "//127.0.0.1:{port}" + TO_FILE),
            ("upper case", "HTTP://127.0.0.1:{port}" + TO_FILE), ("a fragment", TO_FILE + "#part"), ("dots", "/a/../c/./{target}/f"),
            ("many dots", "/../../../c/{target}/f"), ("a name that is a number", "http://2130706433:{port}" + TO_FILE),
            ("a name in hex", "http://0x7f000001:{port}" + TO_FILE), ("IPv4 in IPv6", "http://[::ffff:127.0.0.1]:{port}" + TO_FILE),
            ("localhost", "http://localhost:{port}" + TO_FILE)):
        yield f"to {name}", place, 302, EXACT
    for status in (300, 304, 305, 306, 309, 399):
        yield f"{status} is no redirect that is followed", TO_FILE, status, BAD + ("HTTP_STATUS!", "INVALID_RESPONSE!")
    for place in ("", " ", "#part", "ftp://127.0.0.1/f", "file:///etc/passwd", "gopher://h/", "javascript:alert(1)", "data:,x", "dict://h/", "ldap://h/",
                  "smb://h/x", "mailto:a@b", "unix:/run/x", "http://", "http:///x", "http:/x", "http:x", "https:", "///x", "\\\\h\\x", "/\\h",
                  "http://u@127.0.0.1:{other}/x", "http://u:p@127.0.0.1:{other}/x", "//u:p@127.0.0.1/x", "http://good\\@127.0.0.1/",
                  "http://h%0a/", "http://h%0d%0aX:y/", "http://h%00/", "http://a b/", "/a\tb", "/a\x01", "/a\x7f", "http://h:0/", "http://h:65536/",
                  "http://h:80x/", "http://[::1/", "http://[fe80::1%25lo]/", "http://[v1.x]/", "/" + "x" * 9000):
        yield f"to {place[:40]!r}", place.replace("\r", "").replace("\n", ""), 302, BAD
    yield "to '://x', a path here that leads here again", "://x", 302, ("TOO_MANY_REDIRECTS!",)
    yield "without a place", None, 302, BAD
    yield "to where nobody listens", "http://127.0.0.1:1/f", 302, ("CONNECT_FAILURE",)
    yield "to a name that does not exist", "http://nobody.invalid/f", 302, ("NAME_NOT_RESOLVED",)
