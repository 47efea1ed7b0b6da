"""Where the time of live processes goes, as perf sees it.

    data = profile.recorded(pids, folder, work)   # while work() runs; None: no perf here
    profile.shares(data)                          # {process: [(what, share of all samples)]}, the largest first
"""
import collections
import os
import re
import shutil
import signal
import subprocess

OURS = re.compile(r"dosvc")
SYSTEM_CALL = "__x64_sys_|__arm64_sys_"


def recorded(pids, folder, work, call_graph="fp", frequency=4000):
    if not shutil.which("perf"):
        return None
    data = os.path.join(folder, "perf.data")
    # The control file tells when it has begun.
    control, answer = os.path.join(folder, "perf.control"), os.path.join(folder, "perf.answer")
    for path in (control, answer):
        os.mkfifo(path)
    try:
        perf = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", str(frequency), "--call-graph", call_graph, "-o", data,
                                 f"--control=fifo:{control},{answer}", "-D", "-1", "-p", ",".join(map(str, pids))], stderr=subprocess.DEVNULL)
        with open(control, "w", encoding="ascii") as asked, open(answer, encoding="ascii") as told:
            asked.write("enable\n")
            asked.flush()
            if not told.readline().startswith("ack"):
                perf.wait()
                return None
            work()
            perf.send_signal(signal.SIGINT)
            return data if perf.wait() == 0 or os.path.getsize(data) > 0 else None
    finally:
        for path in (control, answer):
            os.unlink(path)


def report(data, *arguments):
    return subprocess.run(["perf", "report", "-i", data, "--stdio", "-g", "none", *arguments], capture_output=True, text=True, check=True).stdout


def named(library, call):
    """Of a library, or of a system call in the kernel."""
    if library.startswith("["):
        return f"{re.sub(SYSTEM_CALL, '', call)}()" if re.match(SYSTEM_CALL, call) else "kernel, other"
    return "own code" if OURS.match(library) else re.sub(r"\.so.*", "", library)


def shares(data):
    found = collections.defaultdict(collections.Counter)
    for row in report(data, "--no-children", "-s", "comm,dso,parent", "-p", f"^({SYSTEM_CALL})", "-t", "|").splitlines():
        words = [word.strip() for word in row.split("|")]
        if len(words) == 4 and words[0].endswith("%"):
            found[words[1]][named(words[2], words[3])] += float(words[0].rstrip("%")) / 100
    return {process: counted.most_common() for process, counted in sorted(found.items(), key=lambda item: -sum(item[1].values()))}
