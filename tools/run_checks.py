#!/usr/bin/env python3
"""Runs what "make check", "make bench" and "make soak" promise and counts it.

check  gcc build and its tests · clang build with ASan and UBSan and its tests · pytest over tests/system and tests/surface
bench  the tests of suite "bench" · soak  those of suite "soak", the unit tests under valgrind, the fuzz targets under libFuzzer (DOSVC_FUZZ_SECONDS each)

Output of what failed is shown; the very last line is "N passed, M failed, K skipped", and the exit code is 1 if M is not 0.
A cmocka program counts as the tests that it ran, any other program as one, a build that fails as one failure.
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
SHOWN_LINES = 80  # of the output of one failed test
# No test may keep the others waiting for ever.
BOUNDED = ["--timeout", "300"]
# They measure rates and times, on machines that others use, too: what fails is measured once more.
MEASURING = ["-m", "quiet", "--reruns", "1"]
LONG_SUITES = ["bench", "soak", "soak-fuzz"]
# vptr: an object that C made has a table of functions, but not the type information that C++ would look for beside it.
# Not optimised: that would take clang two minutes more than all tests together gain by it.
SANITIZERS = ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dcpp_args=-fno-sanitize=vptr"]
SANITIZER_OPTIONS = SANITIZERS + ["-Doptimization=0"]
# libFuzzer finds its way by what runs: without this in the libraries it sees no more than its own target's few lines.
FUZZER_OPTIONS = SANITIZERS + ["-Dc_args=-fsanitize=fuzzer-no-link"]
RELEASE_OPTIONS = ["--buildtype=release", "-Doptimization=2"]
SANITIZER_COMPILERS = {"CC": "clang", "CXX": "clang++"}
SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}
CMOCKA_RAN = re.compile(r"\[=+\] (\d+) test\(s\) run\.")
CMOCKA_PASSED = re.compile(r"\[  PASSED  \] (\d+) test\(s\)\.")
CMOCKA_FAILED = re.compile(r"\[  FAILED  \] (\d+) test\(s\), listed below")
CMOCKA_SKIPPED = re.compile(r"\[  SKIPPED \] (\d+) test\(s\), listed below")
TAP_LINE = re.compile(r"^(ok|not ok)\b.*$", re.MULTILINE)


class Count:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def count_meson_test(entry):
    """One line of meson's testlog.json: (Count, did it go well)."""
    output = (entry.get("stdout") or "") + "\n" + (entry.get("stderr") or "")
    good = entry["result"] in ("OK", "EXPECTEDFAIL", "SKIP")
    if entry["result"] == "SKIP":
        return Count(skipped=1), True

    def total(pattern):
        return sum(int(n) for n in pattern.findall(output))
    if CMOCKA_RAN.search(output):
        count = Count(total(CMOCKA_PASSED), total(CMOCKA_FAILED), total(CMOCKA_SKIPPED))
    elif TAP_LINE.search(output) and re.search(r"^1\.\.\d+", output, re.MULTILINE):
        count = Count()
        for match in TAP_LINE.finditer(output):
            line = match.group(0)
            if re.search(r"#\s*skip", line, re.IGNORECASE):
                count.skipped += 1
            elif line.startswith("ok"):
                count.passed += 1
            else:
                count.failed += 1
    else:
        count = Count(1 if good else 0, 0 if good else 1)
    # A program that died in the middle, or whose sanitizer spoke up at the end, has failed whatever it printed before.
    if not good and count.failed == 0:
        count.failed = 1
    return count, good


def count_junit(path):
    count = Count()
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped = int(suite.get("skipped", 0))
        count.add(Count(int(suite.get("tests", 0)) - bad - skipped, bad, skipped))
    return count


class Run:
    def __init__(self, arguments):
        self.arguments = arguments
        self.total = Count()
        self.table = []
        self.logs = os.path.join(ROOT, arguments.build, "check-logs")
        self.result = os.path.join(self.logs, "result")  # the last line once more, for bootstrap
        if os.path.exists(self.result):
            os.unlink(self.result)

    def step(self, name, function, *parameters):
        if self.arguments.only and not any(word in name for word in self.arguments.only):
            return None
        print(f"== {name}", flush=True)
        started = time.monotonic()
        count = function(*parameters)
        self.total.add(count)
        self.table.append((name, count, time.monotonic() - started))
        return count

    def command(self, command, log, environment=None, timeout=None):
        os.makedirs(self.logs, exist_ok=True)
        with open(os.path.join(self.logs, log), "w", encoding="utf-8", errors="replace") as f:
            try:
                return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT,
                                      env={**os.environ, **(environment or {})}, timeout=timeout, check=False).returncode
            except subprocess.TimeoutExpired:
                f.write(f"\nstopped after {timeout} s\n")
                return -1

    def show(self, log, lines=SHOWN_LINES):
        with open(os.path.join(self.logs, log), encoding="utf-8", errors="replace") as f:
            sys.stdout.write("".join(f.readlines()[-lines:]))

    def build(self, folder, options, environment, log, targets=()):
        """Configures (once) and builds everything, or @targets. Success counts nothing by itself: a build is no test."""
        if not os.path.exists(os.path.join(ROOT, folder, "build.ninja")):
            shutil.rmtree(os.path.join(ROOT, folder, "meson-private"), ignore_errors=True)
            if self.command(["meson", "setup", folder] + options, log, environment):
                self.show(log)
                return Count(failed=1)
        if self.command(["ninja", "-k", "0", "-C", folder, *targets], log, environment):
            self.show(log)
            return Count(failed=1)
        return Count()

    def meson_tests(self, folder, options, log, environment=None):
        testlog = os.path.join(ROOT, folder, "meson-logs", "testlog.json")
        wrapped = [f for f in (testlog, testlog.replace("testlog", "testlog-valgrind")) if os.path.exists(f)]
        for path in wrapped:
            os.unlink(path)
        status = self.command(["meson", "test", "-C", folder, "--no-rebuild"] + options, log, environment)
        count = Count()
        if any(o.startswith("--wrap") for o in options):
            testlog = testlog.replace("testlog", "testlog-valgrind")
        if os.path.exists(testlog):
            with open(testlog, encoding="utf-8") as f:
                for line in f:
                    entry = json.loads(line)
                    one, good = count_meson_test(entry)
                    count.add(one)
                    if not good:
                        self.show_failure(entry)
        if status and count.failed == 0:
            self.show(log)
            count.failed += 1
        return count

    @staticmethod
    def show_failure(entry):
        print(f"-- {entry['name']}: {entry['result']} (exit {entry.get('returncode')}, {entry.get('duration', 0):.1f} s)")
        for stream in ("stdout", "stderr"):
            lines = (entry.get(stream) or "").splitlines()
            if stream == "stdout":
                lines = [l for l in lines if not re.match(r"\[( RUN      |       OK )\]", l)]
            print("\n".join(lines[-SHOWN_LINES:]))

    def pytest(self, paths, options, log, environment=None):
        paths = [p for p in paths if os.path.isdir(os.path.join(ROOT, p))]
        report = os.path.join(self.logs, log + ".xml")
        if os.path.exists(report):
            os.unlink(report)
        status = self.command([PYTHON, "-m", "pytest", "-q", "-rfE", "--tb=short", "-p", "no:cacheprovider",
                               "--junit-xml=" + report] + options + paths, log, environment)
        if status == 5:  # nothing was collected
            return Count()
        if not os.path.exists(report):
            self.show(log)
            return Count(failed=1)
        count = count_junit(report)
        if status:
            self.show(log, SHOWN_LINES * 3)
            count.failed = max(count.failed, 1)
        return count


def no_suites(names):
    return [word for name in names for word in ("--no-suite", name)]


def check(run):
    plain, sanitized = run.arguments.build, run.arguments.build + "-asan"
    built = run.step("build with gcc", run.build, plain, [], {"CC": "gcc", "CXX": "g++"}, "build.log")
    built_sanitized = run.step("build with clang, ASan and UBSan", run.build, sanitized,
                               SANITIZER_OPTIONS, SANITIZER_COMPILERS, "build-asan.log")
    if built is None or built.failed == 0:
        run.step("tests, gcc build", run.meson_tests, plain, no_suites(LONG_SUITES), "tests.log")
        environment = {"DOSVC_BUILD": os.path.join(ROOT, plain)}
        run.step("surface tests (pytest)", run.pytest, ["tests/surface"], BOUNDED, "surface.log", environment)
        # They wait for servers and timers most of the time: three at once, but for those that measure rates and times.
        run.step("system tests (pytest)", run.pytest, ["tests/system"], ["-m", "not quiet", "-n", "3", "--dist", "loadfile"] + BOUNDED,
                 "system.log", environment)
        run.step("system tests, one at a time", run.pytest, ["tests/system"], MEASURING + BOUNDED, "system-quiet.log", environment)
    if built_sanitized is None or built_sanitized.failed == 0:
        run.step("tests, ASan and UBSan build", run.meson_tests, sanitized, no_suites(LONG_SUITES + ["crash", "plain"]),
                 "tests-asan.log", SANITIZER_ENVIRONMENT)


def bench(run):
    """Of what is shipped: optimised, and without the self-checks of a debug build."""
    released = run.arguments.build + "-release"
    built = run.step("build with gcc", run.build, released, RELEASE_OPTIONS, {"CC": "gcc", "CXX": "g++"}, "build-release.log")
    if built is None or built.failed == 0:
        run.step("benchmarks", run.meson_tests, released, ["--suite", "bench", "-t", "0", "--num-processes", "1"], "bench.log")


def soak(run):
    built = run.step("build with gcc", run.build, run.arguments.build, [], {"CC": "gcc", "CXX": "g++"}, "build.log")
    if built is None or built.failed == 0:
        run.step("unit tests under valgrind", run.meson_tests, run.arguments.build,
                 ["--suite", "unit", "--no-suite", "native", "-t", "20", "--wrap",
                  "valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite "
                  f"--suppressions={os.path.join(ROOT, 'tests', 'valgrind.supp')}"], "valgrind.log",
                 {"DOSVC_VALGRIND": "1"})
        run.step("long tests", run.meson_tests, run.arguments.build, ["--suite", "soak", "-t", "0"], "soak.log",
                 {"DOSVC_SOAK": "1", "DOSVC_BUILD": os.path.join(ROOT, run.arguments.build)})
        # libFuzzer, with ASan and UBSan: what it finds is in the build folder.
        guided = run.arguments.build + "-fuzz"
        run.step("build with clang, ASan, UBSan and libFuzzer", run.build, guided, FUZZER_OPTIONS, SANITIZER_COMPILERS, "build-fuzz.log", ["libfuzzer"])
        run.step("fuzz targets", run.meson_tests, guided, ["--suite", "soak-fuzz", "-t", "0"], "fuzz.log", SANITIZER_ENVIRONMENT)
        run.step("Debian packages (pytest)", run.pytest, ["tests/packaging"], [], "packages.log")
        # The service under valgrind, downloads of 1 GiB through every death, 10,000 files through a line that is chaos, 10,000 jobs of two
        # owners that must not meet.
        run.step("long system tests (pytest)", run.pytest,
                 [f"tests/system/test_{name}.py" for name in ("valgrind", "recovery", "chaos", "canary")], [],
                 "soak-system.log", {"DOSVC_SOAK": "1", "DOSVC_BUILD": os.path.join(ROOT, run.arguments.build)})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["check", "bench", "soak"])
    parser.add_argument("--build", default="build", help="build folder (default: build)")
    parser.add_argument("--only", action="append", metavar="WORD",
                        help="only the steps with WORD in their name; may be given again")
    arguments = parser.parse_args()
    # A shell that starts us in the background ignores SIGINT for us and for all that we start; tests send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run = Run(arguments)
    {"check": check, "bench": bench, "soak": soak}[arguments.what](run)
    print()
    for name, count, seconds in run.table:
        print(f"{seconds:7.1f} s  {name:36} {count}")
    print(f"logs: {os.path.relpath(run.logs, ROOT)}, {arguments.build}*/meson-logs")
    os.makedirs(run.logs, exist_ok=True)
    with open(run.result, "w", encoding="utf-8") as f:
        f.write(f"{run.total}\n")
    print(run.total, flush=True)
    return 1 if run.total.failed or run.total.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
