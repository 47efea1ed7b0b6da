#!/usr/bin/env python3
"""Measures downloads over lines of known speed beside curl, wget2 and aria2 and writes docs/benchmarks-lines.md.

    lines.py --build build [--rounds 5] [--seconds 60] [--output docs/benchmarks-lines.md]

The lines are the test's own: two network namespaces with a box between them that limits the rate and delays (tests/lib/line.py), or with a
token bucket of the kernel where the rate is high. Every tool runs in the namespace of the client, with its file in memory; figures are
medians, and rounds of the tools are interleaved.
"""
import argparse
import hashlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "lib"), HERE]
sys.dont_write_bytecode = True

import line  # noqa: E402
import this_machine  # noqa: E402
from service import Service  # noqa: E402

SKIPPED = 77
LONG = {"rate_mbit": 100, "rtt_ms": 80, "buffer_ms": 100}
LIMITED = {"rate_mbit": 100, "rtt_ms": 20, "buffer_ms": 100}
LIMIT_MBIT, LIMITED_MIB, CONNECTIONS = 10, 256, 16
FAST_MIB = 1024
LONG_SHARE, VERIFIED = 0.98, 1.05  # promised
CONFIG = f"MaxConnectionsPerHost={CONNECTIONS}\n"


class Tools:
    """What each of them is started with, in the client's namespace: command(name, url, path)."""

    def __init__(self, build, wrapper, folder):
        self.wrapper = wrapper
        self.command_of = os.path.join(build, "src/cli/dosvc")
        self.service = Service(build, os.path.join(folder, "state"), CONFIG, wrapper=wrapper)
        self.service.start()
        self.environment = {**os.environ, "DOSVC_ADDRESS": self.service.address}

    def command(self, name, url, path, digest=None):
        base = os.path.basename(path)
        return self.wrapper + {
            "curl": ["curl", "-sfo", path, url], "wget2": ["wget2", "-q", "--no-config", "-O", path, url],
            "aria2": ["aria2c", "-q", "--no-conf", "-x1", "--file-allocation=none", "-d", os.path.dirname(path), "-o", base, url],
            f"aria2 -x{CONNECTIONS}": ["aria2c", "-q", "--no-conf", f"-x{CONNECTIONS}", f"-s{CONNECTIONS}", "-k1M", "--file-allocation=none",
                                       "-d", os.path.dirname(path), "-o", base, url],
            "dosvc": [self.command_of, "get", "-q", "-o", path, url],
            "dosvc, verified": [self.command_of, "get", "-q", "--sha256", digest or "", "-o", path, url]}[name]

    def run(self, *parameters):
        began = time.monotonic()
        subprocess.run(self.command(*parameters), env=self.environment, check=True, stdin=subprocess.DEVNULL)
        return time.monotonic() - began

    def close(self):
        self.service.stop()


def empty(folder):
    for entry in os.listdir(folder):
        path = os.path.join(folder, entry)
        if os.path.isfile(path):
            os.unlink(path)


def interleaved(names, rounds, one):
    found = {name: [] for name in names}
    for number in range(rounds):
        for name in names[number % len(names):] + names[:number % len(names)]:
            found[name].append(one(name))
        print(f"  round {number + 1}/{rounds}: " + ", ".join(f"{n} {v[-1]:.2f}" for n, v in found.items()), flush=True)
    return {name: statistics.median(values) for name, values in found.items()}


def said(off):
    """off: by how much it is on the wrong side."""
    return "met" if round(off, 3) <= 0 else f"missed by {off:.3f}"


def long_line(args, root):
    """Bytes that the line carried to the client in the same time."""
    names = ["curl", "wget2", "aria2", "dosvc"]

    def one(name):
        out = tempfile.mkdtemp(dir=root)
        with line.Line(args.build, **LONG) as on:
            on.web_server(os.path.join(root, "www"))
            tools = Tools(args.build, on.client_wrapper, out)
            process = subprocess.Popen(tools.command(name, on.url("http", "endless"), os.path.join(out, "f")), env=tools.environment,
                                       stdin=subprocess.DEVNULL, start_new_session=True)
            began = on.now()
            time.sleep(args.seconds)
            carried = on.samples(since=began, until=began + args.seconds)
            process.kill()
            process.wait()
            tools.close()
        shutil.rmtree(out)
        return statistics.mean(s.mbit for s in carried)
    print(f"{LONG}", flush=True)
    found = interleaved(names, args.rounds, one)
    best = max(v for n, v in found.items() if n != "dosvc")
    return ["", f"### {LONG['rate_mbit']} Mbit/s, {LONG['rtt_ms']} ms round trip: the first {args.seconds} seconds of a download", "",
            "| tool | Mbit/s | ratio to the best of the others |", "| --- | --- | --- |"] + \
           [f"| {n} | {v:.1f} | {v / best:.3f} |" for n, v in found.items()] + \
           ["", f"Target, at least {LONG_SHARE} of the best: {said(LONG_SHARE - found['dosvc'] / best)}."]


def limited_line(args, root):
    names = [f"aria2 -x{CONNECTIONS}", "dosvc"]  # over one connection it takes the others ten times as long
    out = tempfile.mkdtemp(dir=root)
    with line.Line(args.build, **LIMITED) as on:
        on.web_server(os.path.join(root, "www"), limit_rate=LIMIT_MBIT * 1000000 // 8)
        tools = Tools(args.build, on.client_wrapper, out)

        def one(name):
            took = tools.run(name, on.url("http", "limited"), os.path.join(out, "f"))
            assert os.path.getsize(os.path.join(out, "f")) == LIMITED_MIB << 20
            empty(out)
            return took
        print(f"{LIMIT_MBIT} Mbit/s for each connection", flush=True)
        found = interleaved(names, args.rounds, one)
        tools.close()
    best = found[f"aria2 -x{CONNECTIONS}"]
    return ["", f"### {LIMITED_MIB} MiB from a server that gives each connection {LIMIT_MBIT} Mbit/s, on {LIMITED['rate_mbit']} Mbit/s; "
            f"MaxConnectionsPerHost={CONNECTIONS}", "", "| tool | wall s | ratio to aria2 |", "| --- | --- | --- |"] + \
           [f"| {n} | {v:.2f} | {v / best:.2f} |" for n, v in found.items()] + \
           ["", f"Target, as fast as aria2 with {CONNECTIONS} connections: {said(found['dosvc'] / best - 1)}."]


class FastLine:
    """Two namespaces of a process's own, with a virtual cable and the kernel's token bucket: 1 Gbit/s."""

    def __init__(self, root):
        self.holders = [subprocess.Popen(["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL) for _ in range(2)]
        own = os.stat("/proc/self/ns/net").st_ino
        for holder in self.holders:
            end = time.monotonic() + 10
            while os.stat(f"/proc/{holder.pid}/ns/net").st_ino == own:
                assert time.monotonic() < end
        self.server, self.client = (["nsenter", f"--net=/proc/{h.pid}/ns/net"] for h in self.holders)
        for words in (f"ip link add name near type veth peer name far netns {self.holders[1].pid}", "ip addr add 10.78.0.1/24 dev near",
                      "ip link set dev near up", "ip link set dev lo up", "tc qdisc add dev near root tbf rate 1gbit burst 512kb latency 20ms"):
            subprocess.run(self.server + words.split(), check=True)
        for words in ("ip addr add 10.78.0.2/24 dev far", "ip link set dev far up", "ip link set dev lo up"):
            subprocess.run(self.client + words.split(), check=True)
        conf = os.path.join(root, "fast.conf")
        paths = "".join(f"{name}_temp_path {root}/{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(conf, "w", encoding="utf-8") as f:
            f.write(f"""user root; worker_processes 1; daemon off; pid {root}/fast.pid; error_log {root}/error.log;
events {{ }}
http {{ access_log off; sendfile on; {paths} server {{ listen 10.78.0.1:8080; root {root}/www; }} }}
""")
        self.nginx = subprocess.Popen(self.server + ["nginx", "-c", conf], stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while subprocess.run(self.client + ["curl", "-so", "/dev/null", "http://10.78.0.1:8080/"], check=False).returncode != 0:
            assert time.monotonic() < end
            time.sleep(0.02)

    def close(self):
        for process in [self.nginx] + self.holders:
            process.terminate()
            process.wait()


def fast_line(args, root):
    out = tempfile.mkdtemp(dir=root)
    digest = hashlib.sha256()
    with open(os.path.join(root, "www", "fast"), "wb") as f:
        for _ in range(FAST_MIB):
            block = os.urandom(1 << 20)
            digest.update(block)
            f.write(block)
    on = FastLine(root)
    try:
        tools = Tools(args.build, on.client, out)

        def one(name):
            took = tools.run(name, "http://10.78.0.1:8080/fast", os.path.join(out, "f"), digest.hexdigest())
            empty(out)
            return took
        print("1 Gbit/s", flush=True)
        found = interleaved(["curl", "dosvc", "dosvc, verified"], args.rounds, one)
        tools.close()
    finally:
        on.close()
    ratio = found["dosvc, verified"] / found["dosvc"]
    return ["", f"### {FAST_MIB} MiB with SHA-256 on a line of 1 Gbit/s", "", "| tool | wall s | ratio to unverified |", "| --- | --- | --- |"] + \
           [f"| {n} | {v:.2f} | {v / found['dosvc']:.3f} |" for n, v in found.items()] + \
           ["", f"Target, at most {VERIFIED} of unverified: {said(ratio - VERIFIED)}."]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default="build")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=int, default=60)
    p.add_argument("--output", default=os.path.join(ROOT, "docs", "benchmarks-lines.md"))
    args = p.parse_args()
    args.build = os.path.abspath(args.build)
    # A shell that starts us in the background ignores SIGINT for us and for all that we start; the line's programs are ended by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    why = line.missing()
    if why:
        print(f"SKIP: {why}")
        return SKIPPED
    root = tempfile.mkdtemp(prefix="dosvc-lines-", dir="/dev/shm")
    try:
        www = os.path.join(root, "www")
        os.mkdir(www)
        for name, size in (("endless", int(LONG["rate_mbit"] * 1e6 / 8 * args.seconds * 1.5)), ("limited", LIMITED_MIB << 20)):
            with open(os.path.join(www, name), "wb") as f:
                f.truncate(size)
        lines = ["# Downloads over known lines", "", "Written by `make bench` (tests/bench/lines.py); do not edit. Compare inside a table only.", "",
                 f"{this_machine.described()}, {args.rounds} rounds. " + " ".join(__doc__.split("\n\n")[2].split())]
        lines += long_line(args, root) + limited_line(args, root) + fast_line(args, root)
    finally:
        shutil.rmtree(root)
    text = "\n".join(lines) + "\n"
    with open(args.output, "w", encoding="utf-8") as f:
        f.write(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
