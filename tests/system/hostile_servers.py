#!/usr/bin/python3
"""Runs the real transfer process against hostile servers: every case ends in the file or in the error that it names, in time, and the
process stays small. Speaks TAP.

    hostile_servers.py --driver engine_driver --transfer dosvc-transfer --resolve dosvc-resolve [--only REGEX] [-v]"""
import argparse
import collections
import json
import os
import re
import selectors
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import hostile_cases  # noqa: E402
import hostile_h2  # noqa: E402
import hostile_tls  # noqa: E402
from lying_server import LyingServer, content  # noqa: E402

AT_ONCE = 16
TIMEOUT = 20         # of one case
MEMORY_KIB = 64 << 10  # that the transfer process may grow by
QUARANTINE_KIB = 320 << 10
CANARY = "X-Canary: secret-of-the-first-origin"


class Case:
    def __init__(self, name, expected, url, request, check=None, file="f", tries=1):
        """@tries: how often the file is asked for, as the manager would, while what goes wrong may go away."""
        self.name, self.expected, self.url, self.more, self.check = name, expected, url, request, check
        self.whole = content(file, 1, 0, hostile_cases.SIZE)
        self.tries = tries
        self.started = None

    def row(self, number, path):
        """What the request says is there already is there."""
        self.path = path
        self.started = self.started or time.monotonic()
        with open(path, "wb") as file:
            file.write(self.whole[:self.more["pieces"][0][2]] if "pieces" in self.more else b"")
        return {"id": number, "url": self.url, "path": path, "pieces": [[0, -1, 0]], "whole": True, "headers": CANARY, **self.more}

    def wrong(self, event):
        """None, or what is not as it should be."""
        with open(self.path, "rb") as file:
            have = file.read()
        whole = self.whole
        if event["outcome"] == "done":
            exact = have == whole
            if not exact and "unverified" in self.expected and event["length_unverified"] and whole.startswith(have):
                return None
            if not exact and self.expected != "ended" and "ended" not in self.expected:
                return f"done with {len(have)} other bytes"
            if self.expected != "exact" and not {"exact", "ended"} & set(self.expected):
                return f"done, expected {self.expected}"
        elif event["outcome"] not in ("failed", "restart"):
            return f"outcome {event['outcome']}"
        elif not self.names(event):
            return f"{event['outcome']} {event['code']}{'' if event['transient'] else '!'} ({event['text']}), expected {self.expected}"
        elif not event["text"]:
            return "an error without a text"
        elif have.startswith(whole) and have[len(whole):].strip(b"\xee") or not have.startswith(whole[:len(have)]) and have.strip(b"x"):
            return "bytes of nobody were written"
        return self.check() if self.check else None

    def goes_on(self, event):
        """It is asked for again after that."""
        self.tries -= 1
        return self.tries > 0 and event["outcome"] != "done" and event["transient"]

    def names(self, event):
        if isinstance(self.expected, str):
            return False
        return event["code"] in self.expected or (not event["transient"] and event["code"] + "!" in self.expected)


class Runner:
    def __init__(self, options, folder, authority):
        self.options, self.folder = options, folder
        self.driver = subprocess.Popen([options.driver, options.transfer, options.resolve, authority], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE)
        self.running, self.results, self.number, self.buffer = {}, [], 0, b""
        self.memory_before = None

    def transfer_memory_kib(self):
        """The largest of the driver's children that ever was; None before there is one."""
        sizes = []
        for pid in os.listdir("/proc"):
            try:
                with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                    fields = dict(line.strip("\n").split(":\t", 1) for line in file if ":\t" in line)
            except OSError:
                continue
            if fields.get("PPid", "").strip() == str(self.driver.pid) and fields["Name"].startswith("dosvc-transfe"):
                sizes.append(int(fields["VmHWM"].split()[0]))
        return max(sizes, default=None)

    def start(self, case):
        self.number += 1
        self.running[self.number] = case
        row = case.row(self.number, os.path.join(self.folder, str(self.number)))
        self.driver.stdin.write(json.dumps(row).encode() + b"\n")
        self.driver.stdin.flush()

    def end(self, case, wrong, event=None):
        os.unlink(case.path)
        self.results.append((case.name, wrong))
        if wrong or self.options.verbose:
            print(f"# {case.name}: {wrong or 'ok'}: {event and (event['outcome'], event['code'], event['text'], event['detail'])} after "
                  f"{time.monotonic() - case.started:.2f} s", flush=True)

    def take_events(self):
        data = os.read(self.driver.stdout.fileno(), 1 << 16)
        if not data:
            raise SystemExit("Bail out! the driver ended")
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            event = json.loads(line)
            case = self.running.get(event["id"])
            if not case:
                continue
            if event["event"] == "finished":
                del self.running[event["id"]]
                if case.goes_on(event):
                    self.start(case)
                else:
                    self.end(case, case.wrong(event), event)
            elif event["event"] == "refused":
                del self.running[event["id"]]
                self.end(case, f"refused: {event['text']}")

    def run(self, groups):
        """The cases of a group are started together."""
        todo = collections.deque(groups)
        selector = selectors.DefaultSelector()
        selector.register(self.driver.stdout, selectors.EVENT_READ)
        while todo or self.running:
            while todo and len(self.running) < AT_ONCE:
                for case in todo.popleft():
                    self.start(case)
            if selector.select(0.5):
                self.take_events()
            if self.memory_before is None:
                self.memory_before = self.transfer_memory_kib()
            for number in [n for n, c in self.running.items() if time.monotonic() - c.started > TIMEOUT]:
                self.end(self.running.pop(number), f"no end within {TIMEOUT} s")

    def memory_limit_kib(self):
        """AddressSanitizer keeps back so much of what was freed."""
        with open(self.options.transfer, "rb") as file:
            return MEMORY_KIB + (QUARANTINE_KIB if b"__asan_init" in file.read() else 0)

    def close(self):
        grown = (self.transfer_memory_kib() or 0) - (self.memory_before or 0)
        self.results.append(("the transfer process stays small", None if grown < self.memory_limit_kib() else f"it grew by {grown} KiB"))
        print(f"# the transfer process grew by {grown} KiB")
        self.driver.stdin.close()
        status = self.driver.wait(10)
        self.results.append(("the transfer process lives on", None if status == 0 else f"the driver ended with {status}"))


def plain_cases(server):
    for i, (name, answers, expected, request) in enumerate(hostile_cases.bodies_and_heads()):
        server.add_case(f"b{i}", {"name": "f", "size": hostile_cases.SIZE, "answers": answers})
        yield Case(name, expected, server.url(f"/c/b{i}/f"), request)


def redirect_cases(server, other):
    """The target's answer is honest; a request that reaches another origin must not carry what was meant for the first."""
    for i, (name, location, status, expected) in enumerate(hostile_cases.redirects()):
        target = f"t{i}"
        lies = {"status": status}
        if location is not None:
            for key, value in (("{target}", target), ("{port}", str(server.port)), ("{other}", str(other.port))):
                location = location.replace(key, value)
            lies["headers"] = ["Location: " + location]
        honest = {"name": "f", "size": hostile_cases.SIZE, "answers": [{}]}
        server.add_case(f"r{i}", {"name": "f", "size": hostile_cases.SIZE, "answers": [lies]})
        server.add_case(target, honest)
        other.add_case(target, honest)
        yield Case(f"redirect {name}", expected, server.url(f"/c/r{i}/f"), {})
    loop = {"name": "f", "answers": [{"status": 302, "headers": ["Location: /c/loop/f"]}]}
    server.add_case("loop", loop)
    yield Case("redirect to itself for ever", ("TOO_MANY_REDIRECTS!",), server.url("/c/loop/f"), {})
    for hops, expected in ((5, "exact"), (6, ("TOO_MANY_REDIRECTS!",))):
        for n in range(hops):
            to = f"/c/hop{hops}-{n + 1}/f"
            server.add_case(f"hop{hops}-{n}", {"name": "f", "answers": [{"status": 302, "headers": ["Location: " + to]}]})
        server.add_case(f"hop{hops}-{hops}", {"name": "f", "size": hostile_cases.SIZE, "answers": [{}]})
        yield Case(f"redirect over {hops} hops", expected, server.url(f"/c/hop{hops}-0/f"), {})


COOKIE = "c=secret-of-the-first-origin"


def cookie_cases(server, other):
    """The first answer of each sets cookies, also for the host that it sends to. They live as long as their job and go to their host only."""
    set_cookies = [f"Set-Cookie: {COOKIE}; Path=/" + domain for domain in ("", "; Domain=localhost", "; Domain=.local")]
    for name, target, place in (("at home", server, "/c/cookie-home/f"), ("away", other, f"http://localhost:{other.port}/c/cookie-away/f")):
        case = "cookie-" + name.split()[-1]
        target.add_case(case, {"name": "f", "size": hostile_cases.SIZE, "answers": [{}]})
        server.add_case("sets-" + case, {"name": "f", "answers": [{"status": 302, "headers": set_cookies + ["Location: " + place]}]})
        yield Case(f"cookies, and a file {name}", "exact", server.url(f"/c/sets-{case}/f"), {})


def cookie_leaks(server, other):
    """Hundreds of jobs ask the same host before and after. The one that is sent on at home shows that there is a cookie to be seen."""
    carried = [row for row in server.records + other.records if "cookie" in row["headers"]]
    if [row["headers"]["cookie"] for row in carried if row["target"] == "/c/cookie-home/f"] != [COOKIE]:
        return f"the cookie did not go where it belongs: {carried}"
    leaks = [row["target"] for row in carried if row["target"] != "/c/cookie-home/f"]
    return f"a cookie went to another job or host: {leaks}" if leaks else None


def h2_groups(authorities, servers):
    """The file that something befalls, and its neighbour on the same connection."""
    tls = authorities.certificates.make("x", authorities.certificates.root, hostile_tls.SERVER_USE + hostile_tls.GOOD_NAME)
    for row in hostile_h2.rows():
        server = hostile_h2.H2Server(tls, script=row.script, **{"sizes": hostile_h2.SIZES, **row.server})
        servers.append(server)
        name = "h2: " + row.name
        group = [Case(name, row.expected, server.url("f"), row.request, tries=row.tries if row.expected == "exact" else 1)]
        if row.other:
            group.append(Case(name + ": the other file", row.other, server.url("g"), row.other_request,
                              file="g", tries=3))
        yield group


def canary_leaks(other):
    """A custom header of the job must never be seen by another origin."""
    leaks = [row["target"] for row in other.records if any("secret" in value for value in row["headers"].values())]
    return f"the job's header came to another origin: {leaks}" if leaks else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--driver", required=True)
    parser.add_argument("--transfer", required=True)
    parser.add_argument("--resolve", required=True)
    parser.add_argument("--only", default="", help="regular expression on the name")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dosvc-hostile-") as folder:
        server, other = LyingServer().start(), LyingServer().start()
        tls = hostile_tls.Servers(folder)
        runner = Runner(options, folder, tls.authority)
        h2_servers = []
        cases = list(cookie_cases(server, other)) + list(plain_cases(server)) + list(redirect_cases(server, other))
        cases += [Case("tls: " + name, expected, url, request) for name, expected, url, request in tls.cases()]
        groups = [[case] for case in cases] + list(h2_groups(tls, h2_servers))
        runner.run([group for group in groups if re.search(options.only, group[0].name)])
        runner.close()
        runner.results.append(("no header goes to another origin", canary_leaks(other)))
        runner.results.append(("no cookie goes to another job or host", cookie_leaks(server, other)))
        runner.results += [("the h2 server's own script", wrong) for one in h2_servers for wrong in one.wrong]
        for part in (server, other, tls, *h2_servers):
            part.stop()
    print(f"1..{len(runner.results)}")
    for i, (name, wrong) in enumerate(runner.results, 1):
        print(f"{'not ok' if wrong else 'ok'} {i} - {name}{': ' + wrong if wrong else ''}".replace("#", "_"))
    return 1 if any(wrong for _, wrong in runner.results) else 0


if __name__ == "__main__":
    sys.exit(main())
