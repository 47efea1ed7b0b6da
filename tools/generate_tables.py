#!/usr/bin/env python3
"""Makes code and documentation from the tables in idl/.

usage: generate_tables.py errors-c|errors-md|config-c|config-md|config-man|properties-c|properties-man INPUT OUTPUT
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
    for key, kind, default, low, high, unit, applies, text in rows(path, 8):
        if applies not in ("now", "restart"):
            sys.exit(f"{path}: {key} applies now or after a restart, not \"{applies}\"")
        out.append(f"CONFIG_ROW({key}, CONFIG_{kind.upper()}, {c_string(default)}, UINT64_C({low}), "
                   f"UINT64_C({high}), {c_string(unit)}, {int(applies == 'restart')}, {c_string(text)})")
    return out


def config_md(path):
    out = ["| key | type | default | from | to | unit | applies | meaning |", "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    out += ["| " + " | ".join(cells) + " |" for cells in rows(path, 8)]
    return out


def config_man(path):
    """The keys as they stand in docs/man/dosvc.conf.5, between its two markers."""
    out = []
    for key, kind, default, low, high, unit, applies, text in rows(path, 8):
        bounds = f", {low} to {high} {unit}" if kind in ("uint", "seconds", "bytes") else ""
        out += [".TP", f"\\fB{key}=\\fR", text, f"({kind}{bounds}; default {default or 'empty'}{'; after a restart' if applies == 'restart' else ''})"]
    return out


PROPERTY_FORMS = {"text": "s", "word": "s", "headers": "s", "switch": "b", "number": "ut", "size": "t", "flags": "u", "time": "t",
                  "path": "ay", "digest": "ay", "ranges": "a(tt)"}


def properties(path):
    """(object, key, D-Bus name, signature, form, access, low, high, unit, text), checked."""
    seen = set()
    for name, wire, signature, form, access, low, high, unit, text in rows(path, 9):
        kind, _, key = name.partition(".")
        if kind not in ("job", "file") or name in seen or form not in PROPERTY_FORMS or signature not in PROPERTY_FORMS[form]:
            sys.exit(f"{path}: {name}: a second row, or object, form and signature do not go together")
        if not set(access) <= set("rws") or not access or int(low) > int(high):
            sys.exit(f"{path}: {name}: access or range")
        seen.add(name)
        yield kind, key, wire, signature, form, access, low, high, unit, text


def properties_c(path):
    out = ["/* Made from idl/properties.txt by tools/generate_tables.py. */"]
    for kind, key, wire, signature, form, access, low, high, unit, text in properties(path):
        flags = ", ".join(str(int(yes)) for yes in ("r" in access, "w" in access or "s" in access, "s" in access))
        out.append(f"PROPERTY_ROW({c_string(kind)}, {c_string(key)}, {c_string(wire)}, {c_string(signature)}, FORM_{form.upper()}, {flags}, "
                   f"UINT64_C({low}), UINT64_C({high}), {c_string(unit)}, {c_string(text)})")
    return out


def range_of(form, low, high, unit):
    """What a value may be, in words."""
    if form == "word":
        return ", ".join(unit.split())
    if form == "switch":
        return "yes or no"
    if form in ("number", "size", "flags"):
        top = "no limit" if int(high) == 2 ** 64 - 1 else high
        return f"{form}, {low} to {top}{' ' + unit if unit and form != 'flags' else ''}"
    if form in ("text", "headers", "path") and int(high) > 0:
        return f"{form}, at most {high} {unit or 'characters'}"
    return form


def properties_man(path):
    """The keys as they stand in docs/man/dosvc.1, between its two markers."""
    out = []
    for object_, title in (("job", "Jobs"), ("file", "Files")):
        out.append(f".SS {title}")
        for kind, key, _, _, form, access, low, high, unit, text in properties(path):
            if kind != object_:
                continue
            how = "from a file or stdin" if "s" in access else "can be set" if "w" in access else "shown"
            if "r" not in access:
                how += ", never shown"
            out += [".TP", f"\\fB{key}\\fR", text, f"({range_of(form, low, high, unit)}; {how})"]
    return out


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    makers = {"errors-c": errors_c, "errors-md": errors_md, "config-c": config_c, "config-md": config_md,
              "config-man": config_man, "properties-c": properties_c, "properties-man": properties_man}
    lines = makers[sys.argv[1]](sys.argv[2])
    with open(sys.argv[3], "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
