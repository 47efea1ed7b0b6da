#!/usr/bin/env python3
"""Measures what many clients wait for and writes docs/benchmarks-clients.md.

    clients.py --build build --program build/tests/bench/bench_clients

Each client has a connection and a thread of its own and asks for the state of a job again and again, all of them at once, while
transfers run. In the same run as many threads do a ping-pong with one other thread over plain unix sockets, with about as many bytes:
what is above that is ours. A client waits for its turn behind all others, so a call takes about as long as all clients' calls together.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "lib"), HERE]
sys.dont_write_bytecode = True
import this_machine  # noqa: E402
from origin import Origin  # noqa: E402
from service import Service  # noqa: E402

CLIENTS, CALLS, TRANSFERS = 100, 1000, 50
TRANSFER_BYTES = 64 << 20
TRANSFER_RATE = 200 << 10  # bytes per second for each: they run as long as the calls do
PROMISED_P99 = 0.020


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def times(program, calls, what, address):
    done = subprocess.run([program, str(CLIENTS), str(calls), what], env=dict(os.environ, DOSVC_ADDRESS=address),
                          capture_output=True, text=True, check=False, timeout=1800)
    if done.returncode:
        sys.exit(f"{program} {what}: exit {done.returncode}\n{done.stderr}")
    return [int(line) / 1e9 for line in done.stdout.split()]


def measure(build, program, calls):
    root = tempfile.mkdtemp(prefix="dosvc-clients-")
    origin = Origin()
    origin.rate = TRANSFER_RATE
    service = Service(build, os.path.join(root, "state"), f"MaxConnectionsPerHost={TRANSFERS + 10}\n")
    service.start()
    try:
        options = {"Resume": True, "Priority": "foreground"}
        ids = [service.create(f"transfer {i}", [(origin.url("f", TRANSFER_BYTES), os.path.join(root, f"f{i}"), {})], **options)
               for i in range(TRANSFERS)]
        for job_id in ids:
            service.wait_state(job_id, ["transferring"])
        found = {"call": times(program, calls, ids[0], service.address), "ping-pong": times(program, calls, "ping", service.address)}
        states = [service.get(i, "State") for i in ids]
        found["running"] = states.count("transferring")
        return found
    finally:
        service.stop()
        origin.down()
        shutil.rmtree(root)


def report(found, load):
    def row(name, values):
        return (f"| {name} | {statistics.median(values) * 1e3:.2f} ms | {percentile(values, 0.99) * 1e3:.2f} ms | "
                f"{max(values) * 1e3:.2f} ms |")
    met = percentile(found["call"], 0.99) < PROMISED_P99
    return "\n".join([
        "# Many clients", "", "Written by `make bench` (tests/bench/clients.py); do not edit. Compare inside the table only.", "",
        f"{this_machine.described()}, load average {load:.1f} before. {CLIENTS} clients, {CALLS} calls each, {found['running']} transfers under way. "
        + " ".join(__doc__.split("\n\n")[2].split()), "",
        "| | p50 | p99 | longest |", "| --- | --- | --- | --- |",
        row("state of a job", found["call"]), row("socket ping-pong", found["ping-pong"]), "",
        f"The aim, a p99 below {PROMISED_P99 * 1e3:.0f} ms, is {'met' if met else 'missed'} in this run.", ""])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default="build")
    p.add_argument("--program", required=True)
    p.add_argument("--output", default=os.path.join(ROOT, "docs", "benchmarks-clients.md"))
    args = p.parse_args()
    load = os.getloadavg()[0]
    found = measure(args.build, args.program, CALLS)
    text = report(found, load)
    with open(args.output, "w", encoding="utf-8") as f:
        f.write(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
