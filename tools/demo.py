#!/usr/bin/env python3
"""Shows the service at work: downloads a file with a progress bar, compares its digest, shows the job list and the history.

usage: demo.py [--build DIR] [URL]

Without a URL it serves a file of 256 MiB on loopback itself. It uses a private folder and leaves nothing running.
"""
import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
import origin  # noqa: E402

SIZE = 256 << 20
RATE = 64 << 20  # bytes per second: slow enough to see the bar move
START_SECONDS = 10


def say(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def digest_of(path):
    sha256 = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            sha256.update(block)
    return sha256.hexdigest()


class Demo:
    def __init__(self, build, folder):
        self.dosvc = os.path.join(build, "src", "cli", "dosvc")
        self.dosvcd = os.path.join(build, "src", "daemon", "dosvcd")
        self.folder = folder
        self.state = os.path.join(folder, "state")
        self.socket = os.path.join(folder, "bus")
        self.environment = {**os.environ, "DOSVC_ADDRESS": f"unix:path={self.socket}"}
        self.service = None

    def start(self):
        config = os.path.join(self.folder, "dosvc.conf")
        with open(config, "w", encoding="utf-8") as f:
            f.write("[Service]\n")
        with open(os.path.join(self.folder, "service.log"), "wb") as log:
            self.service = subprocess.Popen([self.dosvcd, "--user", "--socket", self.socket, "--state-dir", self.state,
                                             "--config", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.environment)
        end = time.monotonic() + START_SECONDS
        while not os.path.exists(self.socket):
            if self.service.poll() is not None or time.monotonic() > end:
                with open(log.name, encoding="utf-8", errors="replace") as f:
                    sys.exit("demo: the service did not start:\n" + f.read())
            time.sleep(0.01)

    def stop(self):
        if self.service and self.service.poll() is None:
            self.service.terminate()
            try:
                self.service.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                self.service.kill()
                self.service.wait()

    def run(self, *words):
        shown = " ".join(w.replace(self.folder + "/", "") for w in words)
        say(f"$ dosvc {shown}")
        return subprocess.run([self.dosvc, *words], env=self.environment, cwd=self.folder, check=False).returncode


def run_demo(demo, url):
    served = None
    words = ["get"]
    if url:
        words += [url]
    else:
        say(f"A web server on loopback offers a file of {SIZE >> 20} MiB.")
        expected = origin.digest("demo.bin", SIZE)
        served = origin.Origin()
        served.rate = RATE
        words += ["--sha256", expected, "-o", "demo.bin", served.url("demo.bin", SIZE)]
    demo.start()
    status = demo.run(*words)
    if status:
        return status
    known = {"service.log", "dosvc.conf", "state", "bus", "bus.lock"}
    for name in sorted(set(os.listdir(demo.folder)) - known):
        path = os.path.join(demo.folder, name)
        if os.path.isfile(path):
            digest = digest_of(path)
            say(f"{name}: {os.path.getsize(path)} bytes, SHA-256 {digest}")
            if served:
                print("the digest is the origin's" if digest == expected else "THE DIGEST IS NOT THE ORIGIN'S")
                status = 0 if digest == expected else 8
    for verb in ("list", "history", "service"):
        status = status or demo.run(verb)
    if served:
        served.close()
    return status


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("url", nargs="?")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dosvc-demo-") as folder:
        demo = Demo(os.path.abspath(arguments.build), folder)
        try:
            status = run_demo(demo, arguments.url)
        except KeyboardInterrupt:
            status = 130
        finally:
            demo.stop()
    if status == 0:
        say("Done. Everything was in a folder of its own; nothing is left running.")
    return status


if __name__ == "__main__":
    sys.exit(main())
