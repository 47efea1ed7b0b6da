"""The range-server matrix: what a lying server does, what is there before, and what may come of it. Knows nothing of how dosvc judges.

cases() gives dicts:

    id       text
    server   the case for tests/lib/lying_server.py
    have     bytes of version 1 that are there already
    known    "etag" | "date" | "none": the validator that was kept of them; "size": the total is known too
    digest   the SHA-256 of version 1 decides at the end
    stated   size that the client said, or None
    pieces   None for the whole file, or [(remote, length or -1), ...] that a caller asked for
    stall    time-out for silence in seconds, or None
    url      path on the server other than the case's own (redirects)
    expect   "exact": a version that the server has, whole. "error": a named error. "any": one of both. "prefix": as "any", or a body
             that broke off without any sign, if it is reported as of unverified length

The oracle is as simple as can be, to be independent: a lie that is told once and then no more has to end in the file, unless the answer
is one of those that end a job for good; a lie that is told for ever may end in either; nothing may ever end in other bytes."""

NAME, SIZE, MID = "f", 4000, 1500

LENGTHS = ("right", "missing", "short", "long", "huge", "negative", "overflow")
BROKEN_LENGTHS = ("negative", "overflow")  # no HTTP at all: libcurl or we may give up for good
RANGES = ("right", "shifted", "short", "other_total", "star", "missing")
VALIDATORS = {
    "same": {},
    "changed": {"version": 2, "if_range": "ignore"},  # another file, honestly named, sent as a part nevertheless
    "weak": {"etag": "weak"},
    "missing": {"etag": "missing", "modified": "missing"},
}
OFFSETS = {"zero": 0, "mid": MID, "known": MID, "end": SIZE}
FATAL = {206: ("zero",), 416: ("zero",), 304: None, 404: None, 412: None}  # at which offsets; None: at all


def make(id_, answers, expect, have=0, **more):
    case = {
        "id": id_, "server": {"name": NAME, "size": SIZE, "answers": answers}, "have": have, "known": "etag", "size_known": False,
        "digest": False, "stated": None, "pieces": None, "stall": None, "url": None, "expect": expect,
    }
    case.update(more)
    return case


def natural_status(offset):
    return {"zero": 200, "end": 416}.get(offset, 206)


def expectation(status, length, offset, persistent):
    places = FATAL.get(status, ())
    if places is None or offset in places:
        return "error"
    if status == 200 and offset == "zero" and length == "huge":
        return "error"  # nobody has such a file
    if persistent or length in BROKEN_LENGTHS:
        return "any"
    return "exact"


def needs_stated_size(status, length, offset, persistent):
    """A Content-Length that is too short by one is a perfectly good answer: only a stated size can contradict it."""
    return length == "short" and (persistent or (status == 200 and offset == "zero"))


def product():
    for offset, have in OFFSETS.items():
        for forced in (None, 200, 206, 304, 404, 412, 416, 503):
            status = forced or natural_status(offset)
            if forced == natural_status(offset):
                continue
            lengths = LENGTHS if status in (200, 206) else ("right", "missing", "negative")
            ranges = RANGES if status in (206, 416) else ("right",)
            for length in lengths:
                for range_ in ranges:
                    for validator, lie in VALIDATORS.items():
                        for persistent in (False, True):
                            if offset == "known" and (persistent or length not in ("right", "missing")):
                                continue  # the known size only adds to what "mid" shows
                            yield product_case(offset, have, forced, status, length, range_, validator, lie, persistent)


def product_case(offset, have, forced, status, length, range_, validator, lie, persistent):
    answer = dict(lie)
    if forced:
        answer["status"] = forced
    if length != "right":
        answer["length"] = length
    if range_ != "right":
        answer["range"] = range_
    expect = expectation(status, length, offset, persistent)
    stated = None
    if needs_stated_size(status, length, offset, persistent):
        stated = SIZE
        expect = "error" if offset == "zero" and status == 200 else "any"
    if not answer or (persistent and length == "right" and range_ == "right" and forced is None and validator in ("same", "changed")):
        expect = "exact"
    return make(f"{offset}-{forced or 'own'}-{length}-{range_}-{validator}-{'always' if persistent else 'once'}",
                [answer] if persistent else [answer, {}], expect, have, stated=stated, size_known=offset == "known")


def dates():
    """A server without ETags: the date decides, and only if it is old enough."""
    for modified in ("strong", "changed", "recent", "missing"):
        for range_ in RANGES:
            for offset in ("mid", "end"):
                for persistent in (False, True):
                    lie = {"etag": "missing", "modified": modified, "range": range_}
                    honest = {"etag": "missing"}
                    yield make(f"date-{modified}-{range_}-{offset}-{persistent}", [lie] if persistent else [lie, honest],
                               "any" if persistent else "exact", OFFSETS[offset], known="date")


def digests():
    """Nothing but the digest knows whether the parts belong together."""
    for version in (1, 2):
        for known in ("none", "etag"):
            for range_ in RANGES:
                for offset in ("mid", "end"):
                    for persistent in (False, True):
                        lie = {"version": version, "if_range": "ignore", "range": range_}
                        if known == "etag":
                            lie["etag"] = "missing"
                        yield make(f"digest-{version}-{known}-{range_}-{offset}-{persistent}", [lie] if persistent else [lie, {}],
                                   # At the end the probe may find what is there complete, and the digest agrees.
                               "any" if persistent and (version == 1 or offset == "end") else "error" if persistent else "exact",
                               OFFSETS[offset],
                                   known=known, digest=True)


def cuts():
    for i in range(64):
        yield make(f"cut-zero-fin-{i}", [{"cut": SIZE * i // 64}, {}], "exact")
        yield make(f"cut-mid-fin-{i}", [{"cut": (SIZE - MID) * i // 64}, {}], "exact", MID)
    for i in range(0, 64, 4):
        for offset in ("zero", "mid"):
            have = OFFSETS[offset]
            at = (SIZE - have) * i // 64 + 1
            yield make(f"cut-{offset}-rst-{i}", [{"cut": at, "end": "rst"}, {}], "exact", have)
            yield make(f"cut-{offset}-chunked-{i}", [{"cut": at, "transfer": "chunked"}, {}], "exact", have)
            yield make(f"cut-{offset}-close-{i}", [{"cut": at, "length": "missing"}, {}], "exact", have, stated=SIZE)
        yield make(f"cut-unstated-{i}", [{"cut": SIZE * i // 64 + 1, "length": "missing"}, {}], "prefix")
        yield make(f"cut-always-{i}", [{"cut": SIZE * i // 64 + 1}], "any")
        yield make(f"cut-changing-{i}", [{"cut": SIZE * i // 64 + 1, "version": "each"}], "any")
        yield make(f"cut-no-validator-{i}", [{"cut": SIZE * i // 64 + 1, "etag": "missing", "modified": "missing"}, {}], "exact")
        yield make(f"cut-weak-{i}", [{"cut": SIZE * i // 64 + 1, "etag": "weak"}, {"version": 2}], "exact")
        yield make(f"cut-changed-{i}", [{"cut": SIZE * i // 64 + 1}, {"version": 2}], "exact")
        yield make(f"cut-grown-{i}", [{"cut": SIZE * i // 64 + 1}, {"version": 2, "size": SIZE + 7}], "exact")


def framings():
    answers = {
        "chunked": ({"transfer": "chunked"}, "exact"),
        "trailers": ({"transfer": "trailers"}, "exact"),
        "bad-chunk": ({"transfer": "bad_chunk"}, "any"),
        "no-last-chunk": ({"transfer": "no_last_chunk"}, "any"),
        "endless-trailers": ({"transfer": "endless_trailers"}, "any"),
        "both": ({"transfer": "chunked", "length": "right"}, "any"),
        "gzip": ({"transfer": "gzip"}, "any"),
        "gzip-chunked": ({"transfer": "gzip, chunked"}, "any"),
        "identity": ({"transfer": "identity"}, "any"),
        "extra": ({"extra": 50}, "exact"),
        "extra-chunked": ({"extra": 50, "transfer": "chunked"}, "any"),
        "extra-close": ({"extra": 50, "length": "missing"}, "any"),
        "extra-star": ({"extra": 50, "length": "missing", "range": "star"}, "any"),
        "length-twice": ({"length": "twice"}, "any"),
        "length-list": ({"length": "list"}, "any"),
        "range-twice": ({"range": "twice"}, "any"),
        "range-garbage": ({"range": "garbage"}, "any"),
        "range-long": ({"range": "long"}, "any"),
        "range-from-zero": ({"range": "from_zero"}, "any"),
        "range-unsatisfied": ({"range": "unsatisfied"}, "any"),
        "etag-twice": ({"etag": "twice"}, "any"),
        "etag-unquoted": ({"etag": "unquoted"}, "any"),
        "etag-long": ({"etag": '"' + "x" * 3000 + '"'}, "any"),
        "multipart": ({"type": "multipart"}, "any"),
        "ranges-ignored": ({"ranges": "ignore"}, "exact"),
        "200-with-part": ({"status": 200, "range_on_200": f"bytes {MID}-{SIZE - 1}/{SIZE}"}, "any"),
        "gzipped": ({"encoding": "gzip"}, "any"),
        "slow-body": ({"drip": 0.0001}, "exact"),
        "slow-header": ({"drip": 0.0005, "drip_what": "header"}, "exact"),
        "early-hints": ({"informational": 16}, "exact"),
        "too-many-hints": ({"informational": 17}, "any"),
    }
    for name, (answer, expect) in answers.items():
        for offset in ("zero", "mid", "end"):
            for persistent in (False, True):
                # Too many bytes with nothing to count them by, or parts of a file told as a file: only a size or digest can tell.
                stated = SIZE if name in ("extra-close", "extra-star") else None
                digest = name == "multipart" and (persistent or offset == "zero")
                yield make(f"{name}-{offset}-{persistent}", [answer] if persistent else [answer, {}],
                           expect if offset == "zero" or expect == "exact" else "any", OFFSETS[offset], stated=stated, digest=digest)


def nonsense():
    raws = {
        "nothing": "", "http09": "hello\n", "half": "HTTP/1.1 20", "icy": "ICY 200 OK\r\n\r\n", "only-status": "HTTP/1.1 200 OK\r\n",
        "no-colon": "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
        "nul": "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 4\r\n\r\nabcd",
        "folded-length": "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n 0\r\n\r\nabcd",
        "space-colon": "HTTP/1.1 200 OK\r\nContent-Length : 4\r\n\r\nabcd",
        "version-9": "HTTP/9.9 200 OK\r\nContent-Length: 4\r\n\r\nabcd",
        "status-000": "HTTP/1.1 000 OK\r\n\r\n", "status-999": "HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n",
        "only-100": "HTTP/1.1 100 Continue\r\n\r\n", "101": "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
        "binary": bytes(range(256)).decode("latin-1") * 8,
        "partial-raw": f"HTTP/1.1 206 P\r\nContent-Range: bytes {MID}-{SIZE - 1}/{SIZE}\r\nContent-Length: 2500\r\n\r\nxx",
    }
    for name, raw in raws.items():
        for offset in ("zero", "mid", "end"):
            for end in ("fin", "rst"):
                # What is said here is not the file: a server that says it well is believed, so a digest has to be there.
                yield make(f"raw-{name}-{offset}-{end}", [{"raw": raw, "end": end}, {}], "any", OFFSETS[offset], digest=True)
    for endless in ("headers", "informational"):
        for offset in ("zero", "mid"):
            yield make(f"endless-{endless}-{offset}", [{"endless": endless}], "error", OFFSETS[offset])
    yield make("endless-body-close", [{"endless": "body", "length": "missing"}], "error", stated=SIZE)
    yield make("endless-body-length", [{"endless": "body"}, {}], "exact")
    for offset in ("zero", "mid"):
        for cut in (0, 1, 1000):
            yield make(f"stall-{offset}-{cut}", [{"cut": cut, "end": "stall"}, {}], "exact", OFFSETS[offset], stall=0.3)
        yield make(f"stall-always-{offset}", [{"cut": 0, "end": "stall"}], "error", OFFSETS[offset], stall=0.2)
        yield make(f"silent-{offset}", [{"delay": 30}, {}], "exact", OFFSETS[offset], stall=0.3)


PASSING = (408, 421, 425, 429)


def statuses():
    for status in (201, 202, 203, 204, 205, 207, 226, 300, 301, 303, 305, 306, 307, 308, 400, 401, 402, 403, 405, 406, 407, 408, 409, 410,
                   411, 413, 414, 415, 417, 418, 421, 422, 424, 425, 426, 428, 429, 431, 444, 449, 451, 499, 500, 501, 502, 504, 505,
                   507, 508, 511, 520, 599, 600, 700, 999):
        passes = status in PASSING or 500 <= status < 600
        for offset in ("zero", "mid", "end"):
            yield make(f"status-{status}-{offset}", [{"status": status}, {}], "exact" if passes else "error", OFFSETS[offset])
        yield make(f"status-{status}-always", [{"status": status}], "error")
    yield make("retry-after", [{"status": 503, "retry_after": 7}], "error")


def redirects():
    def table(url, first, expect, have=0, **more):
        server = {"name": NAME, "size": SIZE, "answers": [first, {}]}
        return make(f"redirect-{url}-{have}", [], expect, have, server=server, **more)

    for have in (0, MID):
        for status in (301, 302, 303, 307, 308):
            yield table(f"relative-{status}", {"status": status, "location": "f"}, "exact", have)
        good = {"absolute": "http://{host}:{port}/c/ID/f", "network-path": "//{host}:{port}/c/ID/f", "query": "?x=y",
                "other-path": "/c/ID/g/../f", "fragment": "f#x", "blank": "f?a b"}
        bad = {"ftp": "ftp://{host}/f", "file": "file:///etc/passwd", "user": "http://u:p@{host}:{port}/c/ID/f", "newline": "http://h%0a/",
               "backslash": "\\\\{host}:{port}\\f", "three-slashes": "http:///{host}:{port}/f", "empty": "", "bare-fragment": "#x",
               "port-0": "http://{host}:0/", "zone": "http://[fe80::1%25lo]/", "gopher": "gopher://{host}/", "space-host": "http://a b/",
               "long": "/" + "x" * 9000, "idn-latin-1": "http://\xe4\xe4/", "idn-slash": "http://h%ef%bc%8f/"}
        for name, location in good.items():
            yield table(name, {"status": 302, "location": location}, "exact", have)
        for name, location in bad.items():
            yield table(name, {"status": 302, "location": location}, "error", have)
        for hops in range(1, 8):
            answers = [{"status": 302, "location": "f"}] * hops + [{}]
            yield make(f"redirect-hops-{hops}-{have}", answers, "exact" if hops <= 5 else "error", have)
        yield make(f"redirect-loop-{have}", [{"status": 302, "location": "f"}], "error", have)


def pieces():
    """Ranges that a caller asked for: never served by a whole file."""
    sets = {"one": [(100, 200)], "two": [(100, 200), (3000, 500)], "tail": [(3500, -1)], "backwards": [(3000, 500), (100, 200)],
            "neighbours": [(0, 100), (100, 100)], "last-byte": [(SIZE - 1, 1)], "beyond": [(3900, 200)], "outside": [(5000, 10)]}
    for name, ranges in sets.items():
        for range_ in (*RANGES, "to_end"):
            for lie in ({}, {"version": 2}, {"etag": "missing", "modified": "missing"}, {"ranges": "ignore"}, {"status": 416}):
                for persistent in (False, True):
                    answer = {**lie, "range": range_}
                    honest = not lie and range_ == "right"
                    expect = "exact" if honest and name not in ("beyond", "outside") else "any"
                    if name in ("beyond", "outside") or (lie.get("ranges") == "ignore" and persistent):
                        expect = "error"
                    yield make(f"pieces-{name}-{range_}-{'-'.join(map(str, lie))}-{persistent}", [answer] if persistent else [answer, {}],
                               expect, pieces=ranges)


def disguises():
    """Another file under the ETag of the first, sent as a part whatever If-Range says: one thing only gives it away."""
    disguise = {"version": 2, "etag": "first", "if_range": "ignore"}
    tells = {
        "encoding": [{**disguise, "encoding": "gzip"}],
        "total": [{**disguise, "size": SIZE + 9}],
        "smaller": [{**disguise, "size": SIZE - 9}],
        "origin": [{"status": 302, "location": "/c/ID/g"}, disguise],
        "origin-308": [{"status": 308, "location": "g"}, disguise],
        "multipart": [{**disguise, "type": "multipart"}],
        "multipart-without-range": [{**disguise, "type": "multipart", "range": "missing"}],
        "weak": [{**disguise, "etag": "weak"}],
        "own": [{**disguise, "etag": "same"}],
    }
    for name, answers in tells.items():
        for offset in ("known", "end") if name != "total" else ("known",):
            yield make(f"disguise-{name}-{offset}", [*answers, {}], "exact", OFFSETS[offset], size_known=offset == "known")
    for modified in ("strong", "changed", "recent"):
        yield make(f"disguise-date-{modified}", [{"version": 2, "if_range": "ignore", "etag": "missing", "modified": modified},
                                                 {"etag": "missing"}], "exact", MID, known="date")


def empties():
    for name, answer in {"length": {}, "chunked": {"transfer": "chunked"}, "close": {"length": "missing"}}.items():
        yield make(f"empty-{name}", [], "exact", server={"name": NAME, "size": 0, "answers": [answer]})
    yield make("empty-stated", [], "exact", server={"name": NAME, "size": 0, "answers": [{}]}, stated=0)
    yield make("empty-but-stated", [], "error", server={"name": NAME, "size": 0, "answers": [{}]}, stated=5)
    yield make("emptied", [], "exact", MID, server={"name": NAME, "size": 0, "answers": [{"version": 2}]})
    yield make("emptied-unsaid", [], "any", MID, server={"name": NAME, "size": 0, "answers": [{"version": 2, "if_range": "ignore"}]})


def encodings():
    for encoding in ("gzip", "br", "identity", "GZIP", "x-odd", '"broken"'):
        for offset in ("zero", "mid"):
            yield make(f"encoding-{encoding}-{offset}", [{"encoding": encoding}], "any", OFFSETS[offset])


def cases():
    seen = set()
    for group in (product, dates, digests, cuts, framings, nonsense, statuses, redirects, pieces, disguises, empties, encodings):
        for number, case in enumerate(group()):
            key = f"{group.__name__}-{number}"
            assert key not in seen
            seen.add(key)
            case["key"] = key
            for answer in case["server"]["answers"]:
                if "location" in answer:
                    answer["location"] = answer["location"].replace("/c/ID/", f"/c/{key}/")
            yield case


if __name__ == "__main__":
    every = list(cases())
    print(len(every), "cases,", sum(case["expect"] == "exact" for case in every), "must end in the file,",
          sum(case["expect"] == "error" for case in every), "in an error")
