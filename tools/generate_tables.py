#!/usr/bin/env python3
"""Makes code and documentation from the tables in idl/.

usage: generate_tables.py errors-c|errors-md|config-c|config-md|config-man INPUT OUTPUT
"""
import sys


def rows(path, columns):
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if not line.strip() or line.startswith("#"):
                continue
            cells = [c.strip() for c in line.split("|")]
            if len(cells) != columns:
                sys.exit(f"{path}:{number}: {len(cells)} columns, expected {columns}")
            yield cells


def c_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def errors_c(path):
    seen = set()
    out = ["/* Made from idl/errors.txt by tools/generate_tables.py. */"]
    for code, do, bits, dbus, text in rows(path, 5):
        if code in seen or dbus in seen:
            sys.exit(f"{path}: {code} or {dbus} stands there twice")
        seen |= {code, dbus}
        out.append(f"ERROR_ROW({code}, UINT32_C({do}), UINT32_C({bits}), {c_string(dbus)}, {c_string(text)})")
    return out


def errors_md(path):
    out = ["# Errors", "", "Made from `idl/errors.txt`. The D-Bus name stands behind `org.dosvc.Error.`", "",
           "| code | DO | BITS | D-Bus | text |", "| --- | --- | --- | --- | --- |"]
    for code, do, bits, dbus, text in rows(path, 5):
        out.append(f"| {code} | {do} | {bits} | {dbus} | {text} |")
    return out


def config_c(path):
    out = ["/* Made from idl/config.txt by tools/generate_tables.py. */"]
    for key, kind, default, low, high, unit, text in rows(path, 7):
        out.append(f"CONFIG_ROW({key}, CONFIG_{kind.upper()}, {c_string(default)}, UINT64_C({low}), "
                   f"UINT64_C({high}), {c_string(unit)}, {c_string(text)})")
    return out


def config_md(path):
    out = ["| key | type | default | from | to | unit | meaning |", "| --- | --- | --- | --- | --- | --- | --- |"]
    out += ["| " + " | ".join(cells) + " |" for cells in rows(path, 7)]
    return out


def config_man(path):
    """The keys as they stand in docs/man/dosvc.conf.5, between its two markers."""
    out = []
    for key, kind, default, low, high, unit, text in rows(path, 7):
        bounds = f", {low} to {high} {unit}" if kind in ("uint", "seconds", "bytes") else ""
        out += [".TP", f"\\fB{key}=\\fR", text, f"({kind}{bounds}; default {default or 'empty'})"]
    return out


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    makers = {"errors-c": errors_c, "errors-md": errors_md, "config-c": config_c, "config-md": config_md,
              "config-man": config_man}
    lines = makers[sys.argv[1]](sys.argv[2])
    with open(sys.argv[3], "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")


main()
