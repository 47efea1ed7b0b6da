#!/usr/bin/env python3
"""2,000 transfers at once, beside aria2 with the same URLs, and writes docs/benchmarks-many.md.

    many.py --build build [--transfers 2000] [--seconds 20] [--output docs/benchmarks-many.md]

Every file comes from a server (nginx) that gives each connection a fixed rate, so that all of them are under way at the same time; the
hosts are addresses of the loopback network. "At once" is the largest number of established connections that was seen. Memory is the
largest PSS of all processes of a program.
"""
import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "lib"), HERE]

import this_machine  # noqa: E402
from bench import children_of, cpu_of  # noqa: E402
from scale import memory  # noqa: E402
from service import Service  # noqa: E402

HOSTS = 50
RATE_KIB = 16
PORT = 18482
FILES_PER_JOB = 100


class Server:
    def __init__(self, root, size):
        self.root = root
        os.mkdir(os.path.join(root, "www"))
        with open(os.path.join(root, "www", "file"), "wb") as f:
            f.write(os.urandom(size))
        conf = os.path.join(root, "nginx.conf")
        with open(conf, "w", encoding="ascii") as f:
            f.write(f"""{"user root; " if os.geteuid() == 0 else ""}worker_processes 1; worker_rlimit_nofile 20000; daemon off; pid {root}/pid; error_log {root}/error.log;
events {{ worker_connections 10000; }}
http {{ access_log off; keepalive_requests 100000; limit_rate {RATE_KIB}k; client_body_temp_path {root}/t1; proxy_temp_path {root}/t2;
  fastcgi_temp_path {root}/t3; uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
  server {{ listen 0.0.0.0:{PORT}; root {root}/www; location / {{ try_files /file =404; }} }} }}
""")
        self.process = subprocess.Popen(["nginx", "-c", conf], stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", PORT), 1).close()
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    @staticmethod
    def url(number):
        return f"http://127.0.1.{1 + number % HOSTS}:{PORT}/f{number:05d}"

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Watch:
    """Looks five times a second."""

    def __init__(self, pids):
        self.pids = pids
        self.connections = self.pss = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stop.wait(0.2):
            with open("/proc/net/tcp", encoding="ascii") as f:
                # A set: the kernel may list a connection more than once while others come and go.
                there = {tuple(line.split()[1:3]) for line in f if f":{PORT:04X} 01 " in line and not line.split()[1].endswith(f":{PORT:04X}")}
            self.connections = max(self.connections, len(there))
            try:
                self.pss = max(self.pss, memory(self.pids())[0])
            except OSError:
                pass  # one of them ended meanwhile

    def end(self):
        self.stop.set()
        self.thread.join()


def check(folder, count, size):
    there = [e for e in os.scandir(folder) if not e.name.startswith(".")]
    if len(there) != count or any(e.stat().st_size != size for e in there):
        raise RuntimeError(f"{len(there)} of {count} files, or not all whole")


def measure_dosvc(build, root, count, size):
    folder = os.path.join(root, "dosvc")
    os.mkdir(folder)
    service = Service(build, os.path.join(root, "state"), f"MaxConnectionsPerOwner={count}\nMaxConnectionsPerHost={min(64, count // HOSTS + 1)}\n")
    service.start()
    try:
        jobs = []
        for first in range(0, count, FILES_PER_JOB):
            rows = [(Server.url(n), os.path.join(folder, f"f{n:05d}"), {}) for n in range(first, min(count, first + FILES_PER_JOB))]
            jobs.append(service.create("many", rows, Priority="foreground", CompleteWhenTransferred=True))

        def pids():
            return [service.process.pid] + children_of(service.process.pid)
        before = sum(cpu_of(p) for p in pids())
        watch = Watch(pids)
        began = time.monotonic()
        for job in jobs:
            service.job_call(job, "Resume")
        while service.list_jobs():
            time.sleep(0.1)
        wall = time.monotonic() - began
        watch.end()
        check(folder, count, size)
        return wall, sum(cpu_of(p) for p in pids()) - before, watch
    finally:
        service.kill()


def measure_aria2(root, count, size):
    folder = os.path.join(root, "aria2")
    os.mkdir(folder)
    listing = os.path.join(root, "list")
    with open(listing, "w", encoding="ascii") as f:
        f.writelines(Server.url(n) + "\n" for n in range(count))
    began = time.monotonic()
    process = subprocess.Popen(["aria2c", "-q", "--no-conf", f"-j{count}", "-x1", "-s1", "--file-allocation=none", "-i", listing, "-d", folder],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watch = Watch(lambda: [process.pid])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    watch.end()
    if process.returncode != 0:
        raise RuntimeError(f"aria2c: exit {process.returncode}")
    check(folder, count, size)
    return wall, usage.ru_utime + usage.ru_stime, watch


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default="build")
    p.add_argument("--transfers", type=int, default=2000)
    p.add_argument("--seconds", type=int, default=20)
    p.add_argument("--output", default=os.path.join(ROOT, "docs", "benchmarks-many.md"))
    args = p.parse_args()
    root = tempfile.mkdtemp(prefix="dosvc-many-", dir="/dev/shm")
    size = args.seconds * RATE_KIB * 1024
    server = Server(root, size)
    try:
        found = {"dosvc": measure_dosvc(args.build, root, args.transfers, size)}
        if shutil.which("aria2c"):
            found["aria2"] = measure_aria2(root, args.transfers, size)
    finally:
        server.close()
        shutil.rmtree(root)
    lines = [f"# {args.transfers:,} transfers at once", "", "Written by `make bench` (tests/bench/many.py); do not edit.", "",
             f"{this_machine.described()}. {args.transfers:,} files of {size >> 10} KiB, each over a connection of {RATE_KIB} KiB/s: "
             f"{args.seconds} s if all come at once. " + " ".join(__doc__.split("\n\n")[2].split()), "",
             "| program | wall s | connections at once | CPU s | memory, MiB | per transfer, KiB |", "| --- | --- | --- | --- | --- | --- |"]
    lines += [f"| {name} | {wall:.1f} | {watch.connections:,} | {cpu:.2f} | {watch.pss / (1 << 20):.1f} | {watch.pss / args.transfers / 1024:.1f} |"
              for name, (wall, cpu, watch) in found.items()]
    text = "\n".join(lines) + "\n"
    with open(args.output, "w", encoding="utf-8") as f:
        f.write(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
