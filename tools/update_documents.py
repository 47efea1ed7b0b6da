#!/usr/bin/env python3
"""Writes anew what is checked in but made from idl/: docs/errors.md, and the keys in docs/man/dosvc.conf.5."""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GENERATOR = os.path.join(ROOT, "tools", "generate_tables.py")
BEGIN, END = "from idl/config.txt\n", '.\\" keys:end'


def path(*names):
    return os.path.join(ROOT, *names)


def generate(kind, source, target):
    subprocess.run([sys.executable, "-B", GENERATOR, kind, source, target], check=True)


def main():
    generate("errors-md", path("idl", "errors.txt"), path("docs", "errors.md"))
    page = path("docs", "man", "dosvc.conf.5")
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as keys:
        generate("config-man", path("idl", "config.txt"), keys.name)
        made = keys.read()
    with open(page, encoding="utf-8") as f:
        before, rest = f.read().split(BEGIN)
    with open(page, "w", encoding="utf-8") as f:
        f.write(before + BEGIN + made + END + rest.split(END)[1])


main()
