#!/usr/bin/env python3
"""Debian packages of this tree, by dpkg-buildpackage from packaging/debian: "make deb".

usage: build_packages.py FOLDER [--check]

The packages end up in FOLDER. --check also builds and runs the unit tests, as a distribution would.
"""
import argparse
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LEFT_OUT = ("build", ".git", ".ci", "__pycache__")


def copy_tree(target):
    def ignored(_, names):
        return [n for n in names if n.startswith("build") and os.path.isdir(os.path.join(ROOT, n)) or n in LEFT_OUT]
    shutil.copytree(ROOT, target, symlinks=True, ignore=ignored)
    shutil.copytree(os.path.join(ROOT, "packaging", "debian"), os.path.join(target, "debian"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if not shutil.which("dh"):
        sys.exit("build_packages: debhelper is missing (apt-get install debhelper)")
    folder = os.path.abspath(arguments.folder)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    source = os.path.join(folder, "dosvc")
    copy_tree(source)
    options = os.environ.get("DEB_BUILD_OPTIONS", "").split() + ([] if arguments.check else ["nocheck"])
    log = os.path.join(folder, "build.log")
    with open(log, "w", encoding="utf-8") as f:
        status = subprocess.run(["dpkg-buildpackage", "-b", "-us", "-uc", *(["-d"] if not arguments.check else [])], cwd=source, stdin=subprocess.DEVNULL, stdout=f,
                                stderr=subprocess.STDOUT, check=False,
                                env={**os.environ, "LC_ALL": "C.UTF-8", "DEB_BUILD_OPTIONS": " ".join(options)}).returncode
    if status:
        with open(log, encoding="utf-8", errors="replace") as f:
            sys.stderr.write("".join(f.readlines()[-40:]))
        sys.exit(f"build_packages: failed, see {log}")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".deb"):
            print(os.path.join(arguments.folder, name))


if __name__ == "__main__":
    main()
