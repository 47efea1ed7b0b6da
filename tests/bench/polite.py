#!/usr/bin/env python3
"""Measures how far background jobs keep out of the way and writes docs/benchmarks-polite.md and docs/benchmarks-polite.svg.

    polite.py --build build [--rounds 5] [--seconds 12] [--output docs/benchmarks-polite.md]
    polite.py --build build --map                  # the other lines: about 12 minutes

Each writes its own part of the page and leaves the other's as it is.

A line of the test's own (tests/lib/line.py: two network namespaces, and a box between them that limits the rate, delays and drops) carries
a background job and a foreground flow: one connection that takes what it gets. "Kept" is the foreground's goodput beside the background
job, as a share of what it has alone on the same line just before. "Alone" is what the background job takes of the line when nobody else
wants it. The page is 300 KB, fetched by curl over a new connection each time. "Late" is the latest packet of the box: where it is more than
a few milliseconds, the machine was too busy for the figures to mean much.
"""
import argparse
import contextlib
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
import perf_profile  # noqa: E402
import this_machine  # noqa: E402
from bench import children_of, cpu_of, name_of  # noqa: E402
from service import Service  # noqa: E402

SKIPPED = 77
ACCEPTANCE = {"rate_mbit": 50, "rtt_ms": 20, "buffer_ms": 100}
PAGE_LINE = {"rate_mbit": 20, "rtt_ms": 40, "buffer_ms": 300}
PAGE_BYTES, PAGES = 300_000, 11
KEPT, ALONE, PAGE, LOOP_SHARE = 0.97, 0.90, 1.15, 0.01  # promised
LOOP = "place_tick"
LATER_JOBS, LATER = 3, 8  # seconds
SETTLED = 6  # seconds that a background job has to find the line's rate
MAP_SECONDS = 9  # of the foreground flow
# rate, round trip, buffer, congestion control of background and foreground senders, scheme, connections
MAP = [(5, 40, 100, "cubic", "cubic", "http", 1), (5, 40, 500, "cubic", "cubic", "http", 4), (5, 200, 500, "cubic", "cubic", "http", 1),
       (20, 1, 10, "cubic", "cubic", "http", 1), (20, 1, 100, "cubic", "cubic", "http", 4), (20, 20, 100, "cubic", "cubic", "https", 4),
       (20, 100, 100, "cubic", "cubic", "http", 1), (20, 200, 500, "cubic", "cubic", "http", 4),
       (50, 20, 10, "cubic", "cubic", "http", 1), (50, 20, 50, "cubic", "cubic", "http", 4), (50, 20, 500, "cubic", "cubic", "http", 1),
       (50, 20, 100, "cubic", "cubic", "https", 1), (50, 20, 100, "bbr", "cubic", "http", 1), (50, 20, 100, "cubic", "bbr", "http", 1),
       (50, 20, 100, "bbr", "bbr", "https", 4), (100, 5, 50, "cubic", "cubic", "http", 4), (100, 80, 100, "cubic", "cubic", "http", 1),
       (100, 20, 200, "bbr", "bbr", "http", 1), (300, 20, 50, "cubic", "cubic", "http", 4), (500, 10, 20, "cubic", "cubic", "https", 1)]
MAP_TITLE = "### Other lines"


class Job:
    """n background jobs of a file each, which has a connection of its own. The files lie on so many servers."""

    def __init__(self, on, build, n=1, scheme="http", servers=1):
        self.folder = tempfile.mkdtemp(dir="/var/tmp", prefix="dosvc-polite-")  # a disk: space is set aside there without being written
        self.service = Service(build, os.path.join(self.folder, "state"), f"MaxConnectionsPerHost=16\nBackgroundSlots=8\nCAFile={on.ca}\n",
                               wrapper=on.client_wrapper)
        self.service.start()
        self.ids = []
        for i in range(n):
            self.begin(on.url(scheme, f"big?{i}", i % servers), self.folder)

    def begin(self, url, folder):
        name = str(len(self.ids))
        self.ids.append(self.service.create(name, [(url, os.path.join(folder, name), {})], Resume=True, Priority="normal"))

    def transferred(self):
        return [self.service.list_files(job)[0]["BytesTransferred"] for job in self.ids]

    def pids(self):
        """Of the process that has the control loop."""
        return [p for p in children_of(self.service.process.pid) if name_of(p) == "dosvc-transfer"]

    def cpu(self):
        return sum(map(cpu_of, self.pids()))

    def close(self):
        self.service.stop()
        shutil.rmtree(self.folder)


class Tool:
    """Somebody else who downloads in the background."""

    def __init__(self, on, command):
        self.process = on.client(command + [on.url("http", "big")], stderr=subprocess.DEVNULL)

    def cpu(self):
        return cpu_of(self.process.pid)

    def close(self):
        self.process.kill()
        self.process.wait()


def mean(samples, what):
    return statistics.mean(getattr(s, what) for s in samples) if samples else 0.0


def web(on, folder):
    on.bulk_server()
    on.web_server(folder)


def wait_for_traffic(on):
    end = time.monotonic() + 20
    while not any(s.mbit > 1 for s in on.samples(since=on.now() - 1)):
        if time.monotonic() > end:
            raise RuntimeError("the background job does not begin")
        time.sleep(0.1)


def pair(build, folder, shape, seconds, start, background_congestion="cubic", foreground_congestion="cubic", after=SETTLED):
    """One run: the foreground alone, the background alone, both, the background alone again. The times are what is measured: nothing is
    waited for."""
    with line.Line(build, congestion=background_congestion, **shape) as on:
        web(on, folder)
        with on.bulk(foreground_congestion) as bulk:
            time.sleep(seconds)
        alone = bulk.mbit()
        background = start(on)
        try:
            wait_for_traffic(on)
            began = on.now()
            time.sleep(SETTLED)
            spent = background.cpu()
            settled = on.now()
            time.sleep(seconds / 2)
            until = on.now()
            cpu = (background.cpu() - spent) / (until - settled)
            with on.bulk(foreground_congestion) as bulk:
                time.sleep(seconds)
            ended = on.now()
            time.sleep(after)
            return {"kept": bulk.mbit() / alone, "alone": mean(on.samples(since=settled, until=until), "mbit") / shape["rate_mbit"], "cpu": cpu,
                    "queue alone": mean(on.samples(since=settled, until=until), "queue_ms"),
                    "queue": mean(on.samples(since=until + 1, until=ended), "queue_ms"), "late": on.late_ms(),
                    "samples": on.samples(since=began), "steps": bulk.steps, "began": began, "until": until, "ended": ended}
        finally:
            background.close()


def fetch_page(on):
    began = time.monotonic()
    on.run("client", ["curl", "-sfo", "/dev/null", on.url("http", "page")])
    return time.monotonic() - began


def pages(build, folder):
    with line.Line(build, **PAGE_LINE) as on:
        web(on, folder)
        alone = statistics.median(fetch_page(on) for _ in range(PAGES))
        job = Job(on, build, 4)
        try:
            wait_for_traffic(on)
            time.sleep(SETTLED)
            beside = statistics.median(fetch_page(on) for _ in range(PAGES))
        finally:
            job.close()
        return alone, beside, on.late_ms()


def later_jobs(build, folder, servers, apart):
    """The shares of the line of jobs that began one after the other. Apart: each writes to a file system, and so has a process, of its own."""
    with line.Line(build, **ACCEPTANCE) as on, contextlib.ExitStack() as ends:
        web(on, folder)
        job = Job(on, build, 0)
        ends.callback(job.close)
        for i in range(LATER_JOBS):
            target = os.path.join(job.folder, f"target{i}")
            os.mkdir(target)
            if apart:
                subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "none", target], check=True)
                ends.callback(subprocess.run, ["umount", "--lazy", target], check=True)
            job.begin(on.url("http", f"part?{i}", i % servers), target)
            time.sleep(LATER)
        before, began = job.transferred(), on.now()
        time.sleep(LATER)
        seconds = on.now() - began
        shares = [(a - b) * 8 / 1e6 / seconds / ACCEPTANCE["rate_mbit"] for a, b in zip(job.transferred(), before)]
        return shares, mean(on.samples(since=began), "queue_ms"), on.late_ms()


# ---- what is written ----

COLOURS = {"foreground": "#1f77b4", "line": "#999999", "queue": "#d62728"}
WIDTH, HEIGHT, LEFT = 760, 150, 60


def curve(points, x, y, colour):
    return f'<polyline fill="none" stroke="{colour}" stroke-width="1.2" points="' + " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points) + '"/>'


def panel(top, name, run, span, rate, queue_max):
    def x(seconds):
        return LEFT + (seconds - run["began"]) / span * (WIDTH - LEFT - 60)

    def by_rate(mbit):
        return top + HEIGHT - 25 - min(mbit, rate * 1.1) / (rate * 1.1) * (HEIGHT - 50)

    def by_queue(ms):
        return top + HEIGHT - 25 - min(ms, queue_max) / queue_max * (HEIGHT - 50)

    steps = run["steps"]
    goodput = [((a[0] + b[0]) / 2, (b[1] - a[1]) * 8 / 1e6 / (b[0] - a[0])) for a, b in zip(steps, steps[1:]) if b[0] > a[0]]
    bottom = top + HEIGHT - 25
    return [f'<text x="{LEFT}" y="{top + 15}" font-weight="bold">{name}: the foreground keeps {run["kept"] * 100:.0f} %</text>',
            f'<rect x="{x(run["until"]):.1f}" y="{top + 25}" width="{x(run["ended"]) - x(run["until"]):.1f}" height="{HEIGHT - 50}" fill="#eef4fa"/>',
            f'<path d="M{LEFT} {top + 25}V{bottom}H{WIDTH - 60}V{top + 25}" fill="none" stroke="black" stroke-width="0.7"/>',
            f'<text x="{LEFT - 5}" y="{top + 30}" text-anchor="end">{rate * 1.1:.0f}</text><text x="{LEFT - 5}" y="{bottom}" text-anchor="end">0</text>',
            f'<text x="{WIDTH - 55}" y="{top + 30}">{queue_max:.0f} ms</text>',
            curve([(s.time, s.mbit) for s in run["samples"]], x, by_rate, COLOURS["line"]),
            curve(goodput, x, by_rate, COLOURS["foreground"]),
            curve([(s.time, s.queue_ms) for s in run["samples"]], x, by_queue, COLOURS["queue"])]


def picture(runs):
    shape = ACCEPTANCE
    span = max(r["samples"][-1].time - r["began"] for r in runs.values())
    rows = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT * len(runs) + 30}" font-family="sans-serif" font-size="11">',
            '<rect width="100%" height="100%" fill="white"/>']
    for i, (name, run) in enumerate(runs.items()):
        rows += panel(i * HEIGHT, name, run, span, shape["rate_mbit"], shape["buffer_ms"] * 1.2)
    y = HEIGHT * len(runs) + 15
    rows += [f'<text x="{LEFT + i * 230}" y="{y}" fill="{COLOURS[key]}">{text}</text>' for i, (key, text) in enumerate(
        [("line", "the whole line, Mbit/s"), ("foreground", "the foreground flow, Mbit/s"), ("queue", "delay in the queue, ms")])]
    return "\n".join(rows + ["</svg>"]) + "\n"


def median_of(runs, key):
    return statistics.median(r[key] for r in runs)


def said(good, text):
    return f"{text}: {'met' if good else 'missed'} in this run."


def acceptance(args, folder):
    shape = ACCEPTANCE
    rows, shown = [], {}
    starts = [(f"dosvc, background, {n} connection{'s' if n > 1 else ''}" + (f" to {servers} servers" if servers > 1 else ""),
               lambda on, n=n, servers=servers: Job(on, args.build, n, servers=servers)) for n, servers in ((1, 1), (4, 1), (8, 1), (4, 4), (8, 8))]
    starts += [("curl", lambda on: Tool(on, ["curl", "-so", "/dev/null"])),
               ("wget2", lambda on: Tool(on, ["wget2", "-qO", "/dev/null"]))]
    found = {name: [] for name, _ in starts}
    for number in range(args.rounds):
        for name, start in starts:
            run = pair(args.build, folder, shape, args.seconds, start)
            found[name].append(run)
            print(f"  round {number + 1}/{args.rounds}: {name}: kept {run['kept']:.3f}, alone {run['alone']:.2f}, queue {run['queue alone']:.0f}/{run['queue']:.0f} ms, "
                  f"CPU {run['cpu'] * 100:.1f} %, late {run['late']:.1f} ms", flush=True)
    for name, runs in found.items():
        ours = name.startswith("dosvc")
        rows.append(f"| {name} | {median_of(runs, 'kept') * 100:.1f} % | {median_of(runs, 'alone') * 100:.0f} % | {median_of(runs, 'queue alone'):.0f} ms | "
                    f"{median_of(runs, 'queue'):.0f} ms | " + (f"{median_of(runs, 'cpu') * 100:.1f} %" if ours else "") + f" | {max(r['late'] for r in runs):.1f} ms |")
        shown[name] = sorted(runs, key=lambda r: r["kept"])[len(runs) // 2]
    ours = [runs for name, runs in found.items() if name.startswith("dosvc") and "servers" not in name]
    verdicts = [said(all(median_of(r, "kept") >= KEPT for r in ours), f"The foreground keeps at least {KEPT * 100:.0f} % beside 1, 4 and 8 connections to one server"),
                said(all(median_of(r, "alone") >= ALONE for r in ours), f"The background job reaches at least {ALONE * 100:.0f} % of the line alone")]
    return ["", f"### {shape['rate_mbit']} Mbit/s, {shape['rtt_ms']} ms round trip, {shape['buffer_ms']} ms drop-tail buffer, cubic; medians of {args.rounds} runs", "",
            "| in the background | the foreground keeps | alone on the line | queue then | queue with the foreground | CPU of the transfer process | late |",
            "| --- | --- | --- | --- | --- | --- | --- |"] + rows + [""] + [" ".join(verdicts), "",
            "![Throughput and delay over time](benchmarks-polite.svg)"], shown


def share_of_loop(pid, seconds):
    """The control loop's part of what the process does; None where perf cannot tell."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        data = perf_profile.recorded([pid], folder, lambda: time.sleep(seconds), "dwarf,16384", 2500)
        if not data:
            return None
        text = perf_profile.report(data, "--children")
    rows = [row.split() for row in text.splitlines() if "%" in row and row.split()[-1] == LOOP]
    return float(rows[0][0].rstrip("%")) / 100 if rows else 0.0


def at_100(args, folder):
    """(CPU of the transfer process, the control loop's) with four background connections, as shares of a core."""
    with line.Line(args.build, rate_mbit=100, rtt_ms=20, buffer_ms=100) as on:
        web(on, folder)
        background = Job(on, args.build, 4)
        try:
            wait_for_traffic(on)
            time.sleep(SETTLED)
            spent, began = background.cpu(), time.monotonic()
            time.sleep(args.seconds / 2)
            cpu = (background.cpu() - spent) / (time.monotonic() - began)
            share = share_of_loop(background.pids()[0], args.seconds / 2)
            return cpu, None if share is None else cpu * share
        finally:
            background.close()


def at_100_rows(args, folder):
    cpu, loop = at_100(args, folder)
    told = "could not be measured (no perf)." if loop is None else \
        f"{loop * 100:.2f} % (perf's share of it). " + said(loop < LOOP_SHARE, f"The aim, below {LOOP_SHARE * 100:g} %")
    return ["", f"Four background connections at 100 Mbit/s: the transfer process needs {cpu * 100:.1f} % of a core, the control loop alone {told}"]


def page_rows(args, folder):
    runs = [pages(args.build, folder) for _ in range(3)]
    alone, beside, late = sorted(runs, key=lambda r: r[1] / r[0])[1]
    return ["", f"### A page of 300 KB on {PAGE_LINE['rate_mbit']} Mbit/s, {PAGE_LINE['rtt_ms']} ms round trip, {PAGE_LINE['buffer_ms']} ms buffer", "",
            f"Alone {alone * 1e3:.0f} ms, beside a background job with 4 connections {beside * 1e3:.0f} ms: {beside / alone:.2f} × (median of 3 runs; late {late:.1f} ms). "
            + said(beside / alone <= PAGE, f"The aim, at most {PAGE:g} ×")]


def later_rows(args, folder):
    rows = ["", f"### {LATER_JOBS} background jobs that begin {LATER} s after each other, {LATER} s after the last one began", "",
            "| jobs | the line's shares, in the order in which they began | queue | late |", "| --- | --- | --- | --- |"]
    for name, servers, apart in (("of one process, one server", 1, False), ("of one process, a server each", LATER_JOBS, False),
                                 ("of a process each, as those of several users are", 1, True)):
        shares, queue, late = later_jobs(args.build, folder, servers, apart)
        rows.append(f"| {name} | {', '.join(f'{s * 100:.0f} %' for s in shares)} | {queue:.0f} ms | {late:.1f} ms |")
        print("  " + rows[-1], flush=True)
    return rows


def holds(run):
    missed = [name for name, least in (("kept", KEPT), ("alone", ALONE)) if round(run[name], 2) < least]
    return "yes" if not missed else "no: " + ", ".join(missed)


def map_rows(args, folder):
    rows = [f"{MAP_TITLE}, one run each, {MAP_SECONDS} s beside a foreground that has just begun", "",
            f"It holds where the foreground keeps {KEPT * 100:.0f} % and the background job reaches {ALONE * 100:.0f} % of the line alone.", "",
            "| Mbit/s | round trip | buffer | background, foreground senders | | connections | the foreground keeps | alone | queue with the foreground | late | holds |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for rate, rtt, depth, ours, theirs, scheme, n in MAP:
        run = pair(args.build, folder, {"rate_mbit": rate, "rtt_ms": rtt, "buffer_ms": depth}, MAP_SECONDS,
                   lambda on, s=scheme, n=n: Job(on, args.build, n, s), ours, theirs, after=0)
        rows.append(f"| {rate} | {rtt} ms | {depth} ms | {ours}, {theirs} | {scheme} | {n} | {run['kept'] * 100:.0f} % | {run['alone'] * 100:.0f} % | "
                    f"{run['queue']:.0f} ms | {run['late']:.1f} ms | {holds(run)} |")
        print("  " + rows[-1], flush=True)
    return rows


def acceptance_rows(args, folder):
    rows, shown = acceptance(args, folder)
    with open(os.path.splitext(args.output)[0] + ".svg", "w", encoding="utf-8") as f:
        f.write(picture(shown))
    return ["# Background jobs beside others", "", "Written by `make bench` (tests/bench/polite.py); do not edit.", "",
            f"{this_machine.described()}, net.core.rmem_max {sysctl('net/core/rmem_max')}, net.ipv4.tcp_rmem "
            f"{sysctl('net/ipv4/tcp_rmem')}. " + " ".join(__doc__.split("\n\n")[3].split())] + rows + later_rows(args, folder) + page_rows(args, folder) + at_100_rows(args, folder)


def sysctl(name):
    with open(f"/proc/sys/{name}", encoding="ascii") as f:
        return " ".join(f.read().split())


def written(path):
    """The two parts of the page as it is."""
    try:
        with open(path, encoding="utf-8") as f:
            first, title, others = f.read().partition(MAP_TITLE)
    except FileNotFoundError:
        return [], []
    return first.rstrip().splitlines(), (title + others).rstrip().splitlines()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default="build")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=12, help="of each measurement")
    p.add_argument("--map", action="store_true", help="only the other lines")
    p.add_argument("--output", default=os.path.join(ROOT, "docs", "benchmarks-polite.md"))
    args = p.parse_args()
    args.build = os.path.abspath(args.build)
    # A shell that starts us in the background ignores SIGINT for us and for all that we start; the line's programs are ended by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    why = line.missing()
    if why:
        print(f"SKIP: {why}")
        return SKIPPED
    folder = tempfile.mkdtemp(prefix="dosvc-polite-www-", dir="/dev/shm")
    try:
        with open(os.path.join(folder, "big"), "wb") as f:
            f.truncate(4 << 30)
        with open(os.path.join(folder, "part"), "wb") as f:
            f.truncate(512 << 20)
        with open(os.path.join(folder, "page"), "wb") as f:
            f.write(os.urandom(PAGE_BYTES))
        first, others = written(args.output)
        if args.map:
            others = map_rows(args, folder)
        else:
            first = acceptance_rows(args, folder)
    finally:
        shutil.rmtree(folder)
    lines = first + ([""] + others if others else [])
    with open(args.output, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
