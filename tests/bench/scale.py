#!/usr/bin/env python3
"""Measures a long queue and writes docs/benchmarks-scale.md; with --quick it is a test with generous bounds.

    scale.py --build build [--jobs 10000,100000] [--output docs/benchmarks-scale.md]
    scale.py --build build --quick                  10,000 jobs: an idle service sleeps, everything is answered

Half of the jobs are suspended; the others are queued behind four that transfer from a server which never answers. Beside the status call
stand an empty D-Bus call of the same client library and a plain ping-pong over a unix socket between two Python processes in the same
run: what is above them is ours. Most of the time of a page is the client's, whose library checks each value. aria2 gets the same number
of paused URLs. Memory is PSS (RSS beside it) of all processes.
"""
import argparse
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "lib"), HERE]
sys.dont_write_bytecode = True
import this_machine  # noqa: E402
from gi.repository import GLib  # noqa: E402
from service import Service  # noqa: E402

MIB = 1 << 20
CALLS = 2000
PAGE = 100  # the most that the service gives at once
WINDOW = 200  # calls under way; the service allows 256 per client
IDLE_SECONDS = 5
# Far from what is measured, near enough to notice that something became quadratic.
PROMISED = {"start": 2.0, "page p99": 0.05, "pss": 200 * MIB}  # with the longest queue
BOUNDS = {"start": 5.0, "list": 10.0, "status p99": 0.05, "pss": 200 * MIB}


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def timed(function):
    began = time.perf_counter()
    result = function()
    return time.perf_counter() - began, result


def cpu_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        return sum(map(int, f.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def memory(pids):
    """(PSS, RSS) of processes together, in bytes."""
    pss = rss = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            for line in f:
                key, value = line.split()[:2]
                pss += int(value) * 1024 if key == "Pss:" else 0
                rss += int(value) * 1024 if key == "Rss:" else 0
    return pss, rss


def activity(pids):
    """What grows when any thread of them runs: (switches, ticks) by thread."""
    seen = {}
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii", errors="replace") as f:
                switches = [int(line.split()[1]) for line in f if "ctxt_switches" in line]
            with open(f"/proc/{pid}/task/{thread}/stat", encoding="ascii", errors="replace") as f:
                ticks = f.read().rpartition(")")[2].split()[11:13]
            seen[(pid, thread)] = (switches, ticks)
    return seen


class Silent:
    """A server that takes every connection and never says a word."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]

    def url(self, number):
        return f"http://127.0.0.1:{self.port}/pool/main/p/package/file-{number}.deb"


def create(service, silent, folder, count, queued):
    """Pipelined CreateJob calls. Returns ids."""
    ids, failed = [], []
    loop = GLib.MainLoop()
    state = {"next": 0, "open": 0}

    def done(bus, result):
        state["open"] -= 1
        try:
            ids.append(bus.call_finish(result).unpack()[0])
        except GLib.Error as e:
            failed.append(e.message)
        if not failed and state["next"] < count:
            send()
        elif state["open"] == 0:
            loop.quit()

    def send():
        number = state["next"]
        state["next"] += 1
        state["open"] += 1
        options = {"Resume": GLib.Variant("b", queued and number % 2 == 1)}
        files = [(silent.url(number), os.fsencode(os.path.join(folder, f"file-{number}.deb")), {})]
        service.bus.call(None, "/org/dosvc", "org.dosvc.Manager1", "CreateJob",
                         GLib.Variant("(sa{sv}a(saya{sv}))", (f"file {number}", options, files)), None, 0, 60000, None, done)

    for _ in range(min(WINDOW, count)):
        send()
    loop.run()
    if failed:
        raise RuntimeError(f"CreateJob: {failed[0]}")
    return ids


def pages(service, limit):
    """The answers are counted, not turned into Python's objects: that would take most of the time."""
    times, cursor, jobs = [], "", 0
    while True:
        took, answer = timed(lambda c=cursor: service.bus.call_sync(None, "/org/dosvc", "org.dosvc.Manager1", "ListJobs",
                                                                    GLib.Variant("(ssu)", ("", c, limit)), None, 0, 60000, None))
        times.append(took)
        jobs += answer.get_child_value(0).n_children()
        cursor = answer.get_child_value(1).get_string()
        if not cursor:
            return times, jobs


def ping_pong(calls):
    """Round trips of 64 bytes with another process."""
    here, there = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        here.close()
        while data := there.recv(64):
            there.sendall(data)
        os._exit(0)
    there.close()
    times = []
    for _ in range(calls):
        def trip():
            here.sendall(b"x" * 64)
            here.recv(64)
        times.append(timed(trip)[0])
    here.close()
    os.waitpid(pid, 0)
    return times


def idle(service):
    """Threads of the service and its children that ran within some seconds without a client; empty is right."""
    service.bus.close_sync(None)
    time.sleep(2)  # what was under way may end: a group's commit, the client's farewell
    pids = [service.process.pid] + service.children()
    before = activity(pids)
    time.sleep(IDLE_SECONDS)
    after = activity(pids)
    service.connect()
    return [f"thread {k}: {before.get(k)} -> {after[k]}" for k in after if before.get(k) != after[k]]


def measure(build, count, queued):
    root = tempfile.mkdtemp(prefix="dosvc-scale-")
    service = Service(build, os.path.join(root, "state"), "StallTimeout=600\nTimeSlice=86400\nMaxJobsPerUser=1000000\n")
    silent = Silent()
    found = {}
    try:
        service.start()
        folder = os.path.join(root, "files")
        os.mkdir(folder)
        took, ids = timed(lambda: create(service, silent, folder, count, queued))
        found["create rate"] = count / took
        service.stop()

        def start():
            service.start()
            service.call("/org/dosvc", "Manager1", "GetServiceInfo")
        found["start"] = timed(start)[0]
        # After a crash the database is checked too.
        service.kill()
        found["start after a crash"] = timed(start)[0]
        before = cpu_of(service.process.pid)
        found["list"], (found["page"], listed) = timed(lambda: pages(service, PAGE))
        found["cpu of the list"] = cpu_of(service.process.pid) - before
        if listed != count:
            raise RuntimeError(f"{listed} of {count} jobs were listed")
        chosen = random.Random(1).choices(ids, k=CALLS)
        found["status"] = [timed(lambda i=i: service.get(i, "State"))[0] for i in chosen]
        found["empty call"] = [timed(lambda: service.call("/org/dosvc", "org.freedesktop.DBus.Peer", "Ping"))[0] for _ in range(CALLS)]
        found["ping-pong"] = ping_pong(CALLS)
        found["pss"], found["rss"] = memory([service.process.pid] + service.children())
        found["idle"] = idle(service) if not queued else None
        found["stop"] = timed(service.stop)[0]
        return found
    finally:
        if service.process.poll() is None:
            service.kill()
        shutil.rmtree(root)


def aria2_call(port, method, *parameters):
    body = json.dumps({"jsonrpc": "2.0", "id": "1", "method": "aria2." + method, "params": list(parameters)}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/jsonrpc", body, timeout=60) as reply:
        return json.load(reply)["result"]


def measure_aria2(count):
    root = tempfile.mkdtemp(prefix="dosvc-scale-")
    silent = Silent()
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    listing = os.path.join(root, "list")
    with open(listing, "w", encoding="ascii") as f:
        f.writelines(f"{silent.url(n)}\n" for n in range(count))
    began = time.perf_counter()
    process = subprocess.Popen(["aria2c", "--no-conf", "-q", "--enable-rpc", f"--rpc-listen-port={port}", "--rpc-max-request-size=64M",
                                "--pause=true", "-d", root, "-i", listing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                if int(aria2_call(port, "getGlobalStat")["numWaiting"]) >= count:
                    break
            except OSError:
                if process.poll() is not None or time.perf_counter() - began > 300:
                    raise
            time.sleep(0.002)
        found = {"start": time.perf_counter() - began}
        found["page"] = [timed(lambda n=n: aria2_call(port, "tellWaiting", n, PAGE))[0] for n in range(0, count, PAGE)]
        gid = aria2_call(port, "tellWaiting", count // 2, 1)[0]["gid"]
        found["status"] = [timed(lambda: aria2_call(port, "tellStatus", gid, ["status"]))[0] for _ in range(CALLS // 4)]
        found["pss"], found["rss"] = memory([process.pid])
        return found
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        shutil.rmtree(root)


def row(name, *cells):
    return f"| {name} | " + " | ".join(cells) + " |"


def spread(values):
    return f"{statistics.median(values) * 1e3:.3f} / {percentile(values, 0.99) * 1e3:.3f} ms"


def report(results):
    counts = list(results)
    lines = ["# A long queue", "", "Written by `make bench` (tests/bench/scale.py); do not edit. Compare inside one table only.", "",
             f"{this_machine.described()}. " + " ".join(__doc__.split("\n\n")[2].split()), "",
             row("dosvc", *(f"{c:,} jobs" for c in counts)), "| --- |" + " --- |" * len(counts)]
    ours = [results[c][0] for c in counts]
    lines += [row(title, *(text(r) for r in ours)) for title, text in (
        ("CreateJob, pipelined", lambda r: f"{r['create rate']:,.0f}/s"),
        ("start until the first answer", lambda r: f"{r['start'] * 1e3:.0f} ms"),
        ("the same after kill -9", lambda r: f"{r['start after a crash'] * 1e3:.0f} ms"),
        ("stop", lambda r: f"{r['stop'] * 1e3:.0f} ms"),
        ("list all, in pages of 100 (CPU of the service)", lambda r: f"{r['list']:.2f} s ({r['cpu of the list']:.2f} s)"),
        ("such a page, p50 / p99", lambda r: spread(r["page"])),
        ("one status call, p50 / p99", lambda r: spread(r["status"])),
        ("empty D-Bus call, p50 / p99", lambda r: spread(r["empty call"])),
        ("socket ping-pong, p50 / p99", lambda r: spread(r["ping-pong"])),
        ("status call as a multiple of the empty call / of the ping-pong",
         lambda r: f"{statistics.median(r['status']) / statistics.median(r['empty call']):.2f} / "
                   f"{statistics.median(r['status']) / statistics.median(r['ping-pong']):.1f}"),
        ("memory: PSS / RSS", lambda r: f"{r['pss'] / MIB:.1f} / {r['rss'] / MIB:.1f} MiB"))]
    lines += ["", promises({**ours[-1], "count": counts[-1]})]
    if all(results[c][1] for c in counts):
        theirs = [results[c][1] for c in counts]
        lines += ["", row("aria2, paused URLs over JSON-RPC", *(f"{c:,}" for c in counts)), "| --- |" + " --- |" * len(counts)]
        lines += [row(title, *(text(r) for r in theirs)) for title, text in (
            ("start until all are there", lambda r: f"{r['start'] * 1e3:.0f} ms"),
            ("page of 100, p50 / p99", lambda r: spread(r["page"])),
            ("one status call, p50 / p99", lambda r: spread(r["status"])),
            ("memory: PSS / RSS", lambda r: f"{r['pss'] / MIB:.1f} / {r['rss'] / MIB:.1f} MiB"))]
    return "\n".join(lines) + "\n"


def promises(r):
    """What was promised, and whether it held."""
    found = {"start": max(r["start"], r["start after a crash"]), "page p99": percentile(r["page"], 0.99), "pss": r["pss"]}
    said = {key: "met" if found[key] < most else f"missed by {found[key] / most - 1:.0%}" for key, most in PROMISED.items()}
    return (f"Promised for {r['count']:,} jobs: start below 2 s ({said['start']}), p99 of a page below 50 ms ({said['page p99']}), "
            f"memory below 200 MiB ({said['pss']}).")


def quick(build):
    bad = []
    for queued in (False, True):
        r = measure(build, 10000, queued)
        found = {"start": max(r["start"], r["start after a crash"]), "list": r["list"],
                 "status p99": percentile(r["status"], 0.99), "pss": r["pss"]}
        print(f"10,000 jobs, {'half of them queued' if queued else 'suspended'}: {found}", flush=True)
        bad += [f"{key}: {found[key]} is above {bound}" for key, bound in BOUNDS.items() if found[key] > bound]
        bad += [f"an idle service ran: {text}" for text in r["idle"] or []]
    print("\n".join(bad) or "an idle service with 10,000 jobs slept; all bounds hold")
    return 1 if bad else 0


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default="build")
    p.add_argument("--jobs", default="10000,100000")
    p.add_argument("--quick", action="store_true")
    p.add_argument("--output", default=os.path.join(ROOT, "docs", "benchmarks-scale.md"))
    args = p.parse_args()
    if args.quick:
        return quick(args.build)
    results = {}
    for count in map(int, args.jobs.split(",")):
        print(f"{count} jobs", flush=True)
        results[count] = (measure(args.build, count, True), measure_aria2(count) if shutil.which("aria2c") else None)
    with open(args.output, "w", encoding="utf-8") as f:
        f.write(report(results))
    print(report(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
