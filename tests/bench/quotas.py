#!/usr/bin/env python3
"""Measures what one user at a limit costs another one, and writes docs/benchmarks-quotas.md.

    quotas.py --build build --program build/tests/bench/bench_clients

A system instance; alice asks for the state of a job of hers, one call after another, while bob does as much as he may and more of one
thing: every quota in its turn. Each is filled first, so what he goes on asking for is refused. "Alone" is the same without bob, just
before. On a bus there is nothing to measure between users: the instance that is on one serves nobody but the user who runs it.
"""
import argparse
import os
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "lib"), os.path.join(os.path.dirname(HERE), "system"), HERE]
sys.dont_write_bytecode = True

import raw_dbus  # noqa: E402
import this_machine  # noqa: E402

CALLS = 2000  # of 200, the 99th percentile is the third from the top: chance
CLIENTS = 128  # MaxClientsPerUser
JOBS, FILES, RANGES = 2000, 500, 500
CONFIG = f"MaxJobsPerUser={JOBS}\nMaxFilesPerJob={FILES}\nMaxRangesPerFile={RANGES}\nMaxClientsPerUser={CLIENTS}\n"
AIM_SECONDS = 0.005
MEGABYTES = 16
# what bob does -> the limit that he is at
ATTACKS = {
    "connections": "MaxClientsPerUser: all of them open, and more tried all the time",
    "calls": "MaxCallsPerSecond and MaxCallsPerClient: all connections, 64 calls sent ahead on each",
    "jobs": "MaxJobsPerUser: as many as may be, and more tried on all connections",
    "lists": "pages of jobs asked for on all connections",
    "files": "MaxFilesPerJob: jobs of 1,000 files tried on all connections",
    "ranges": "MaxRangesPerFile: files with 10,000 ranges tried on all connections",
    "size": f"requests of {MEGABYTES} MiB on all connections",
    "signals": "all connections hear of all jobs, which change all the time, and never read",
}


# ---- bob: runs as a program of his own until it is killed ----

def request(method, signature=None, *arguments):
    import gi
    gi.require_version("Gio", "2.0")
    from gi.repository import Gio, GLib
    message = Gio.DBusMessage.new_method_call(None, "/org/dosvc", "org.dosvc.Manager1", method)
    if signature:
        message.set_body(GLib.Variant(signature, arguments))
    message.set_serial(1)
    return bytes(message.to_blob(Gio.DBusCapabilityFlags.NONE))


def job_of_files(n, options):
    return request("CreateJob", "(sa{sv}a(saya{sv}))", "job", {}, [("http://127.0.0.1:1/f", f"/tmp/{i}".encode(), options) for i in range(n)])


def ask_once(address, blob, times=1):
    """The kinds of the answers."""
    stream = raw_dbus.connect(address)
    stream.sendall(blob * times)
    answers = raw_dbus.kinds(stream)
    seen = [next(answers) for _ in range(times)]
    stream.close()
    return seen


def pump(address, blob, reads=True):
    """The same request on all connections, as fast as they take it. Who is cut off comes again."""
    selector = selectors.DefaultSelector()

    def connect():
        stream = raw_dbus.connect(address)
        stream.setblocking(False)
        selector.register(stream, selectors.EVENT_WRITE | (selectors.EVENT_READ if reads else 0), [b""])
    for _ in range(CLIENTS):
        connect()
    print("ready", flush=True)
    while True:
        for key, events in selector.select():
            try:
                if events & selectors.EVENT_READ and not key.fileobj.recv(1 << 20):
                    raise ConnectionResetError
                if events & selectors.EVENT_WRITE:
                    left = key.data[0] or blob
                    key.data[0] = left[key.fileobj.send(left):]
            except BlockingIOError:
                pass
            except OSError:
                selector.unregister(key.fileobj)
                key.fileobj.close()
                connect()


def attack_connections(address):
    held = [raw_dbus.connect(address) for _ in range(CLIENTS)]
    print("ready", flush=True)
    while held:
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(address.removeprefix("unix:path="))
            stream.recv(1)


def fill_with_jobs(address):
    blob = request("CreateJob", "(sa{sv}a(saya{sv}))", "job", {}, [])
    while raw_dbus.ERROR not in ask_once(address, blob, 100):
        pass
    return blob


def attack_signals(address):
    """A job is made and ended again and again by one connection; the others only listen, and do not read what they hear."""
    subscribe = request("Subscribe", "(s)", "")
    listeners = []
    stream = raw_dbus.connect(address)
    answers = raw_dbus.kinds(stream)
    blob = request("CreateJob", "(sa{sv}a(saya{sv}))", "job", {}, [])
    n = 0
    while True:
        while len(listeners) < CLIENTS - 2:
            listener = raw_dbus.connect(address)
            listener.sendall(subscribe)
            listeners.append(listener)
        if n == 0:
            print("ready", flush=True)
        stream.sendall(blob * 16)
        for _ in range(16):
            next(answers)
        n += 16
        if n % 1024 == 0:
            for listener in listeners:
                listener.close()
            listeners = []


def attack(kind, address):
    if kind == "connections":
        attack_connections(address)
    elif kind == "calls":
        pump(address, request("GetServiceInfo") * 64)
    elif kind == "jobs":
        pump(address, fill_with_jobs(address))
    elif kind == "lists":
        fill_with_jobs(address)
        pump(address, request("ListJobs", "(ssu)", "", "", 100))
    elif kind == "files":
        blob = job_of_files(1000, {})
        assert ask_once(address, blob) == [raw_dbus.ERROR]
        pump(address, blob)
    elif kind == "ranges":
        from gi.repository import GLib
        blob = job_of_files(1, {"Ranges": GLib.Variant("a(tt)", [(20 * i, 10) for i in range(10000)])})
        assert ask_once(address, blob) == [raw_dbus.ERROR]
        pump(address, blob)
    elif kind == "size":
        pump(address, request("CreateJob", "(sa{sv}a(saya{sv}))", "x" * (MEGABYTES << 20), {}, []))
    else:
        attack_signals(address)


# ---- alice, and who measures ----

def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


class Measurement:
    def __init__(self, build, program):
        from system_instance import Machine
        self.program = program
        self.machine = Machine(build, CONFIG)
        self.machine.start()
        self.address = f"unix:path={self.machine.socket}"
        self.job = self.machine.ok("alice", "create", "mine").strip()
        for source in (os.path.abspath(__file__), raw_dbus.__file__):
            shutil.copy(source, self.machine.bin)  # where bob may read them

    def times(self):
        """Of alice's calls, seconds."""
        environment = dict(os.environ, DOSVC_ADDRESS=self.address, LD_LIBRARY_PATH=self.machine.bin)
        done = subprocess.run(self.machine._as("alice") + [self.program, "1", str(CALLS), self.job], env=environment, capture_output=True, text=True,
                              check=False, timeout=600)
        if done.returncode:
            sys.exit(f"alice's calls fail: {done.stderr}\n{self.machine.logs()}")
        return [int(line) / 1e9 for line in done.stdout.split()]

    def under(self, kind):
        words = ["/usr/bin/python3", os.path.join(self.machine.bin, os.path.basename(__file__)), "--attack", kind, self.address]
        bob = subprocess.Popen(self.machine._as("bob") + words, stdout=subprocess.PIPE, text=True, cwd="/", start_new_session=True)
        try:
            if bob.stdout.readline() != "ready\n":
                sys.exit(f"bob's {kind} fail\n{self.machine.logs()}")
            return self.times()
        finally:
            os.killpg(bob.pid, signal.SIGKILL)
            bob.wait()


def report(rows, load):
    def milliseconds(seconds):
        return f"{seconds * 1e3:.2f} ms"
    lines = ["# One user at every limit", "", "Written by `make bench` (tests/bench/quotas.py); do not edit. Compare inside a row only.", "",
             f"{this_machine.described()}, load average {load:.1f} before. {CALLS} calls of alice in each cell. "
             + " ".join(__doc__.split("\n\n")[2].split()), "",
             f"The aim is a p99 below twice that of alice alone, or below {milliseconds(AIM_SECONDS)}.", "",
             "| what bob does | alone, p50 | alone, p99 | beside bob, p50 | beside bob, p99 | longest | |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for kind, (alone, beside) in rows.items():
        met = percentile(beside, 0.99) < max(2 * percentile(alone, 0.99), AIM_SECONDS)
        cells = [f"{kind}: {ATTACKS[kind]}"] + [milliseconds(v) for v in (statistics.median(alone), percentile(alone, 0.99), statistics.median(beside),
                                                                         percentile(beside, 0.99), max(beside))] + ["met" if met else "missed"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default="build")
    p.add_argument("--program")
    p.add_argument("--only", choices=ATTACKS, action="append")
    p.add_argument("--output", default=os.path.join(ROOT, "docs", "benchmarks-quotas.md"))
    p.add_argument("--attack", nargs=2, metavar=("KIND", "ADDRESS"), help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.attack:
        return attack(*args.attack)
    if os.geteuid() != 0:
        print("SKIP: two users are needed, and root to be them")
        return 77
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # nothing of it stays
    load = os.getloadavg()[0]
    rows = {}
    for kind in args.only or ATTACKS:
        measurement = Measurement(args.build, os.path.abspath(args.program))
        try:
            rows[kind] = (measurement.times(), measurement.under(kind))
        finally:
            measurement.machine.close()
        print(report({kind: rows[kind]}, load).splitlines()[-1], flush=True)
    with open(args.output, "w", encoding="utf-8") as f:
        f.write(report(rows, load))
    return 0


if __name__ == "__main__":
    sys.exit(main())
