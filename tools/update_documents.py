#!/usr/bin/env python3
"""Writes anew what is checked in but made from idl/: docs/errors.md, docs/dbus.md, and the keys in dosvc.conf.5 and dosvc.1."""
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GENERATOR = os.path.join(ROOT, "tools", "generate_tables.py")
END = '.\\" keys:end'
# The part of a page between two markers: page, kind of list, table.
LISTS = [("dosvc.conf.5", "config-man", "config.txt"), ("dosvc.1", "properties-man", "properties.txt")]


def path(*names):
    return os.path.join(ROOT, *names)


def generate(kind, source, target):
    subprocess.run([sys.executable, "-B", GENERATOR, kind, source, target], check=True)


def main():
    generate("errors-md", path("idl", "errors.txt"), path("docs", "errors.md"))
    subprocess.run([sys.executable, "-B", path("tools", "generate_dbus.py"), path("docs", "dbus.md")], check=True)
    for name, kind, table in LISTS:
        page, begin = path("docs", "man", name), f"from idl/{table}\n"
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as keys:
            generate(kind, path("idl", table), keys.name)
            made = keys.read()
        with open(page, encoding="utf-8") as f:
            before, rest = f.read().split(begin)
        with open(page, "w", encoding="utf-8") as f:
            f.write(before + begin + made + END + rest.split(END)[1])


main()
