#!/usr/bin/env python3
"""Measures dosvc beside curl, wget2 and aria2 in one run, as ratios, and writes docs/benchmarks.md.

    bench.py --build build [--rounds 5] [--size-mib 2048] [--files 10000] [--output docs/benchmarks.md]

Our "done" means "on disk": on disk every tool is timed until its bytes are durable (theirs: the command, then sync -d of the file or
sync -f of the file system), with the unsynced time beside it. CPU counts every process of a tool; for dosvc that is the command, the
service and its children. The server is nginx with one worker and its files in memory, on the same machine: it takes part of the two
cores from everybody alike. Figures are medians; rounds of the tools are interleaved. Before each large file
4 GiB of memory are written to and given back, as the host of a virtual machine may have taken it.
"""
import argparse
import hashlib
import mmap
import os
import resource
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

import perf_profile  # noqa: E402
import this_machine  # noqa: E402

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
SHOWN_SHARE = 0.015  # of a profile
TOUCHED_BYTES = 4 << 30
MADV_POPULATE_WRITE = 23  # linux/mman.h
NOTES = {"small": "What curl does, dosvc-transfer does with the same library. The rest of dosvc makes each file in its owner's folder, records it twice "
                  "on disk, and publishes all of them in one step: nothing that was acknowledged is lost, and nothing is shown half-done.",
         "verified": "What dosvc reads for the digest beside the transfer, it reads again when nobody can write any more, both times into a seal (Poly1305) "
                     "too. It does so only while a core has nothing else to do and, with two cores, while no more than 400 MB/s come; the rest is "
                     "read once, at the end (src/files/ahead.h, src/manager/digest.c)."}


# What the design asks for, as ratios to the best of the others: (wall, CPU), None where it asks for nothing.
TARGETS = {
    ("big", "http", "tmpfs"): (1.05, 1.1), ("big", "http", "disk"): (1.0, None), ("big", "https", "tmpfs"): (1.05, 1.1), ("big", "https", "disk"): (1.05, 1.1),
    ("verified", "http", "tmpfs"): (None, 1.15), ("verified", "http", "disk"): (None, 1.15),
    ("small", "http", "tmpfs"): (1.05, None), ("small", "https", "tmpfs"): (1.05, None), ("small", "http", "disk"): (0.9, None), ("small", "https", "disk"): (0.9, None),
}


def user_and_system_of(pid):
    """Seconds of one live process."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        fields = f.read().rpartition(")")[2].split()
    return int(fields[11]) / CLOCK_TICKS, int(fields[12]) / CLOCK_TICKS


def cpu_of(pid):
    return sum(user_and_system_of(pid))


def name_of(pid):
    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as f:
        return f.read().strip()


def children_of(pid):
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as f:
                if int(f.read().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry))
        except OSError:
            pass
    return found


class Server:
    """nginx on loopback: http (HTTP/1.1) and https (HTTP/1.1 and HTTP/2)."""

    def __init__(self, root):
        self.root = root
        self.http, self.https = 18480, 18443
        key, cert = os.path.join(root, "key.pem"), os.path.join(root, "cert.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "30",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                       check=True, stderr=subprocess.DEVNULL)
        self.ca = cert
        conf = os.path.join(root, "nginx.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(f"""{"user root; " if os.geteuid() == 0 else ""}worker_processes 1; daemon off; pid {root}/nginx.pid; error_log {root}/error.log;
events {{ worker_connections 4096; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000; types {{ }} default_type application/octet-stream;
  client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3; uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
  http2_max_concurrent_streams 256;
  server {{ listen 127.0.0.1:{self.http}; listen 127.0.0.1:{self.https} ssl http2; ssl_certificate {cert}; ssl_certificate_key {key};
    root {root}/www; }} }}
""")
        os.mkdir(os.path.join(root, "www"))
        self.process = subprocess.Popen(["nginx", "-c", conf], stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while subprocess.run(["curl", "-so", "/dev/null", f"http://127.0.0.1:{self.http}/"], check=False).returncode != 0:
            if time.monotonic() > end:
                raise RuntimeError("nginx does not start")
            time.sleep(0.02)

    def url(self, scheme, name):
        return f"http://127.0.0.1:{self.http}/{name}" if scheme == "http" else f"https://localhost:{self.https}/{name}"

    def cpu(self):
        return sum(map(cpu_of, children_of(self.process.pid)))

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Run:
    def __init__(self, wall, durable, times):
        self.wall, self.durable, self.times, self.cpu = wall, durable, times, sum(times)
        self.parts = {}  # of several processes: name -> (user, system) seconds
        self.server_cpu = 0


def timed(command, sync, cwd=None, environment=None, services=()):
    """Runs a command: wall time, wall time until durable, CPU of it and of the given live processes."""
    before_services = {p: user_and_system_of(p) for p in services}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    r = subprocess.run(command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if r.returncode != 0:
        raise RuntimeError(f"{command[:4]}… exit {r.returncode}: {r.stderr.decode(errors='replace')[-400:]}")
    if sync:
        sync()
    durable = time.monotonic() - began
    times = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return Run(wall, durable, times), before_services


class Tool:
    name = ""
    syncs_itself = False

    def __init__(self, server, work):
        self.server, self.work = server, work

    def begin(self):
        pass

    def end(self):
        pass

    def one(self, url, path, sync):
        run, _ = timed(self.one_command(url, path), sync)
        return run

    def many(self, urls, folder, sync):
        listing = os.path.join(self.work, "list-" + self.name.split()[0])
        with open(listing, "w", encoding="utf-8") as f:
            f.write(self.listing(urls))
        run, _ = timed(self.many_command(listing, folder), sync, cwd=folder)
        return run

    def listing(self, urls):
        return "\n".join(urls) + "\n"


class Curl(Tool):
    name = "curl"

    def one_command(self, url, path):
        return ["curl", "-s", "--fail", "--cacert", self.server.ca, "-o", path, url]

    def listing(self, urls):
        return "\n".join(f'url = "{u}"\nremote-name' for u in urls) + "\n"

    def many_command(self, listing, folder):
        return ["curl", "-s", "--fail", "--cacert", self.server.ca, "-Z", "--parallel-max", "50", "-K", listing]


class CurlThenSum(Curl):
    """sha256sum does not know the processor's instructions for it; this one does."""

    name = "curl, then openssl dgst"

    def one_command(self, url, path):
        return ["sh", "-c", 'curl -s --fail --cacert "$1" -o "$2" "$3" && openssl dgst -sha256 "$2"', "sh", self.server.ca, path, url]


class Wget2(Tool):
    name = "wget2"

    def one_command(self, url, path):
        return ["wget2", "-q", "--no-check-certificate", "--no-config", "-O", path, url]

    def many_command(self, listing, folder):
        return ["wget2", "-q", "--no-check-certificate", "--no-config", "--max-threads=16", "-i", listing]


class Aria2(Tool):
    name = "aria2"

    def one_command(self, url, path):
        return ["aria2c", "-q", "--no-conf", "--check-certificate=false", "-x1", "-d", os.path.dirname(path), "-o", os.path.basename(path),
                "--allow-overwrite=true", "--auto-file-renaming=false", url]

    def many_command(self, listing, folder):
        return ["aria2c", "-q", "--no-conf", "--check-certificate=false", "-j16", "-i", listing, "-d", folder]


class Dosvc(Tool):
    name = "dosvc"
    syncs_itself = True

    def __init__(self, server, work, build):
        super().__init__(server, work)
        self.build = os.path.abspath(build)
        self.process = None
        self.state = os.path.join(work, "state")
        self.environment = dict(os.environ, DOSVC_ADDRESS=f"unix:path={self.state}/bus", SSL_CERT_FILE=server.ca)

    def begin(self):
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        self.process = subprocess.Popen([os.path.join(self.build, "src/daemon/dosvcd"), "--user", "--socket", f"{self.state}/bus",
                                         "--state-dir", self.state, "--config", "/dev/null"], env=self.environment)
        end = time.monotonic() + 10
        while subprocess.run([self.cli(), "list"], env=self.environment, capture_output=True, check=False).returncode != 0:
            if time.monotonic() > end:
                raise RuntimeError("dosvcd does not start")

    def end(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def cli(self):
        return os.path.join(self.build, "src/cli/dosvc")

    def run(self, arguments, cwd):
        services = [self.process.pid] + children_of(self.process.pid)
        run, before = timed([self.cli()] + arguments, None, cwd=cwd, environment=self.environment, services=services)
        run.parts["the command"] = run.times
        for pid in [self.process.pid] + children_of(self.process.pid):
            now, earlier = user_and_system_of(pid), before.get(pid, (0, 0))
            run.parts[name_of(pid)] = spent = now[0] - earlier[0], now[1] - earlier[1]
            run.cpu += sum(spent)
        return run

    def one(self, url, path, sync):
        return self.run(["get", "-q", "-o", path, url], os.path.dirname(path))

    def many(self, urls, folder, sync):
        listing = os.path.join(self.work, "list-dosvc")
        with open(listing, "w", encoding="utf-8") as f:
            f.write(self.listing(urls))
        return self.run(["get", "-q", "-d", folder, "-i", listing], folder)


class DosvcVerified(Dosvc):
    """The file appears only when its digest is right."""

    name = "dosvc, verified"

    def __init__(self, server, work, build, digest):
        super().__init__(server, os.path.join(work, "verified"), build)
        os.mkdir(self.work)
        self.digest = digest

    def one(self, url, path, sync):
        return self.run(["get", "-q", "--sha256", self.digest, "-o", path, url], os.path.dirname(path))


def clean(folder):
    """An empty folder. Many small files are only moved out of the way: ext4 is slow to make new ones for minutes after thousands were
    deleted (it avoids their inodes), which would measure the turn that a tool has, not the tool."""
    if os.path.isdir(folder) and len(os.listdir(folder)) > 100:
        os.rename(folder, f"{folder}-{time.monotonic_ns()}")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    os.sync()


def touch_memory():
    """The host of a virtual machine may take back what is free here, and each page that is touched again then costs a fault of the host's,
    whoever's turn it is: so nobody begins with such pages."""
    with mmap.mmap(-1, TOUCHED_BYTES) as memory:
        memory.madvise(MADV_POPULATE_WRITE)


def median(values):
    return statistics.median(values)


def measure(tools, rounds, folder, on_disk, job, check, touch=False):
    """Interleaved rounds. Returns {tool: [Run]}. @touch: for files that are large."""
    results = {t.name: [] for t in tools}
    for number in range(rounds):
        for t in tools[number % len(tools):] + tools[:number % len(tools)]:
            clean(folder)
            if touch:
                touch_memory()
            before = t.server.cpu()
            results[t.name].append(job(t, on_disk))
            results[t.name][-1].server_cpu = t.server.cpu() - before
            check(t.name)
        print(f"  round {number + 1}/{rounds}: " + ", ".join(f"{n} {r[-1].durable:.2f} s" for n, r in results.items()), flush=True)
    clean(folder)
    return results


def verdict(ratio, target, what):
    if target is None:
        return None
    return f"{what} at most {target:g}: " + ("met" if round(ratio, 2) <= target else f"missed by {ratio - target:.2f}")


def closing(results, targets, ratios):
    """Was the target met, and where the service's time goes."""
    found = [v for v in map(verdict, ratios, targets, ("wall", "CPU")) if v]
    lines = ["Target, " + "; ".join(found) + "."] if found else []
    parts = [r.parts for r in next(r for n, r in results.items() if n.startswith("dosvc"))]
    names = sorted({name for p in parts for name in p}, key=lambda name: -sum(sum(p.get(name, (0, 0))) for p in parts))
    shares = []
    for name in names:
        user, system = (median(p.get(name, (0, 0))[i] for p in parts) for i in (0, 1))
        if user + system >= 0.01:
            shares.append(f"{name} {user:.2f} + {system:.2f}")
    return lines + ["dosvc's CPU seconds, user + system: " + ", ".join(shares) + ".", ""]


def table(title, results, gib, on_disk, targets):
    others = [n for n in results if not n.startswith("dosvc")]
    durable = {n: median(x.durable for x in r) for n, r in results.items()}
    wall = {n: median(x.wall for x in r) for n, r in results.items()}
    cpu = {n: median(x.cpu for x in r) for n, r in results.items()}
    best, best_cpu = min(durable[n] for n in others), min(cpu[n] for n in others)
    unit = "CPU s/GiB" if gib else "CPU s"
    lines = [f"### {title}", "", f"| tool | {'durable ' if on_disk else ''}wall s | ratio to the best of the others | "
             + ("unsynced wall s | " if on_disk else "") + f"{unit} | ratio |",
             "| --- | --- | --- | --- | --- |" + (" --- |" if on_disk else "")]
    for n in results:
        lines.append(f"| {n} | {durable[n]:.2f} | {durable[n] / best:.2f} | " + (f"{wall[n]:.2f} | " if on_disk else "")
                     + f"{cpu[n] / (gib or 1):.2f} | {cpu[n] / best_cpu:.2f} |")
    ours = next(n for n in results if n.startswith("dosvc"))
    return lines + [""] + closing(results, targets, (durable[ours] / best, cpu[ours] / best_cpu))


def floor(results, target):
    """What two full cores would need, for tasks that are all CPU: a target below that asks for less work, not for less waiting; one
    below the kernel's part of it and the server's, for fewer calls."""
    ours = next(r for n, r in results.items() if n.startswith("dosvc"))
    cpu, server = median(r.cpu for r in ours), median(r.server_cpu for r in ours)
    kernel = median(sum(system for _, system in r.parts.values()) for r in ours)
    best = min(median(r.durable for r in runs) for n, runs in results.items() if not n.startswith("dosvc"))
    cores = os.cpu_count()
    return [f"dosvc's CPU and the server's for it, {cpu:.2f} + {server:.2f} s, are {(cpu + server) / cores:.2f} s on {cores} cores that never wait; "
            f"the kernel's part of dosvc's and the server's alone are {(kernel + server) / cores:.2f} s; the target is {target * best:.2f} s.", ""]


def profile_rows(tool, folder, on_disk, job):
    """Of one more run."""
    def run():
        clean(folder)
        job(tool, on_disk)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        data = perf_profile.recorded([tool.process.pid] + children_of(tool.process.pid), place, run)
        found = perf_profile.shares(data) if data else {}
    if not found:
        return ["No profile: perf does not work here.", ""]
    lines = ["Where it goes, of all samples of one more run (perf):", ""]
    for process, parts in found.items():
        shown = [f"{what} {share * 100:.0f} %" for what, share in parts if share >= SHOWN_SHARE]
        if shown:
            lines.append(f"- {process}, {sum(share for _, share in parts) * 100:.0f} %: " + ", ".join(shown))
    return lines + [""]


class Place:
    """A folder where everybody's downloads go, and how often each is made."""

    def __init__(self, name, folder, rounds):
        self.name, self.folder, self.rounds, self.on_disk = name, folder, rounds, name == "disk"

    def compare(self, kind, scheme, title, gib, tools, job, check):
        """A table, and a profile where a target is missed."""
        results = measure(tools, self.rounds, self.folder, self.on_disk, job, check, gib is not None)
        lines = table(f"{title}, {self.name}", results, gib, self.on_disk, TARGETS[kind, scheme, self.name])
        if kind in NOTES:
            lines += [NOTES[kind], ""]
        if any("missed" in line for line in lines):
            if kind == "small":
                lines += floor(results, TARGETS[kind, scheme, self.name][0])
            lines += profile_rows(next(t for t in tools if t.name.startswith("dosvc")), self.folder, self.on_disk, job)
        return lines


def raw_disk_floor(folder, size):
    path = os.path.join(folder, "raw")
    began = time.monotonic()
    subprocess.run(["dd", "if=/dev/zero", f"of={path}", "bs=4M", f"count={size >> 22}", "conv=fdatasync", "status=none"], check=True)
    took = time.monotonic() - began
    os.unlink(path)
    return took


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default="build")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--size-mib", type=int, default=2048)
    p.add_argument("--files", type=int, default=10000)
    p.add_argument("--schemes", default="http,https")
    p.add_argument("--disk", default="/var/tmp", help="a folder on a real disk")
    p.add_argument("--output", default=os.path.join(ROOT, "docs", "benchmarks.md"))
    args = p.parse_args()

    memory = tempfile.mkdtemp(prefix="dosvc-bench-", dir="/dev/shm")
    disk = tempfile.mkdtemp(prefix="dosvc-bench-", dir=args.disk)
    server = Server(memory)
    lines = ["# Benchmarks", "", "Written by `make bench` (tests/bench/bench.py); do not edit. Each table is one run: compare inside a table only.",
             "", f"{this_machine.described()}, {args.rounds} rounds, medians. " + " ".join(__doc__.split("\n\n")[2].split()), ""]
    tools = []
    try:
        size = args.size_mib << 20
        digest = hashlib.sha256()
        with open(os.path.join(memory, "www", "big"), "wb") as f:
            for _ in range(args.size_mib):
                block = os.urandom(1 << 20)
                digest.update(block)
                f.write(block)
        os.mkdir(os.path.join(memory, "www", "small"))
        for i in range(args.files):
            with open(os.path.join(memory, "www", "small", f"f{i:05d}"), "wb") as f:
                f.write(os.urandom(4096))

        for where, base in (("tmpfs", memory), ("disk", disk)):
            on_disk = where == "disk"
            work = os.path.join(base, "work")
            os.mkdir(work)
            folder = os.path.join(base, "out")
            place = Place(where, folder, args.rounds)
            tools = [Curl(server, work), Wget2(server, work), Aria2(server, work), Dosvc(server, work, args.build)]
            verifiers = [CurlThenSum(server, work), DosvcVerified(server, work, args.build, digest.hexdigest())]
            plain, tools = tools, tools + verifiers
            for t in tools:
                t.begin()
            if on_disk:
                clean(folder)
                floors = [raw_disk_floor(folder, size) for _ in range(3)]
                lines += [f"Raw disk floor: `dd` with fdatasync of {args.size_mib} MiB took {median(floors):.2f} s here.", ""]
            path = os.path.join(folder, "big")

            def check_big(name):
                if os.path.getsize(path) != size:
                    raise RuntimeError(f"{name}: wrong size")

            def check_small(name):
                if len([e for e in os.listdir(folder) if not e.startswith(".")]) != args.files:
                    raise RuntimeError(f"{name}: {len(os.listdir(folder))} files")

            for scheme in args.schemes.split(","):
                print(f"{args.size_mib} MiB over {scheme} on {where}", flush=True)
                url = server.url(scheme, "big")
                def one(tool, durable, u=url):
                    return tool.one(u, path, (lambda: subprocess.run(["sync", "-d", path], check=True)) if durable else None)

                title, gib = f"{args.size_mib} MiB over {scheme}", size / (1 << 30)
                lines += place.compare("big", scheme, title, gib, plain, one, check_big)
                if scheme == "http":
                    lines += place.compare("verified", scheme, f"{title} with SHA-256", gib, verifiers, one, check_big)
            for scheme in args.schemes.split(","):
                print(f"{args.files} files of 4 KiB over {scheme} on {where}", flush=True)
                urls = [server.url(scheme, f"small/f{i:05d}") for i in range(args.files)]
                def many(tool, durable, u=urls):
                    return tool.many(u, folder, (lambda: subprocess.run(["sync", "-f", folder], check=True)) if durable else None)

                lines += place.compare("small", scheme, f"{args.files} files of 4 KiB over {scheme}", None, plain, many, check_small)
            for t in tools:
                t.end()
            tools = []
        with open(args.output, "w", encoding="utf-8") as f:
            f.write("\n".join(lines).rstrip() + "\n")
        print(f"wrote {args.output}")
    finally:
        for t in tools:
            t.end()
        server.close()
        shutil.rmtree(memory, ignore_errors=True)
        shutil.rmtree(disk, ignore_errors=True)


if __name__ == "__main__":
    main()
