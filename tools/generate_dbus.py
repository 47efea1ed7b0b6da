#!/usr/bin/env python3
"""Makes docs/dbus.md from idl/org.dosvc.xml, idl/properties.txt and src/protocol/limits.h.

usage: generate_dbus.py OUTPUT

The comment before a method, signal or interface of the XML is its documentation; that of a property is its row in properties.txt and
the comment before it, if there is one.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import generate_tables

ROOT = Path(__file__).resolve().parent.parent
OBJECT_OF = {"org.dosvc.Job1": "job", "org.dosvc.File1": "file"}


def plain(comment):
    """A comment's text as paragraphs; indented lines of it as they are."""
    return " ".join(comment.split())


def items(element):
    """(element, its comment or "") of each child that is no comment."""
    comment = ""
    for child in element:
        if child.tag is ElementTree.Comment:
            comment = plain(child.text)
        else:
            yield child, comment
            comment = ""


def signature(method):
    into = [f"{a.get('type')} {a.get('name')}" for a in method if a.tag == "arg" and a.get("direction", "in" if method.tag == "method" else "out") == "in"]
    out = [f"{a.get('type')} {a.get('name')}" for a in method if a.tag == "arg" and a.get("direction", "out") == "out"]
    if method.tag == "signal":
        return f"{method.get('name')}({', '.join(out)})"
    return f"{method.get('name')}({', '.join(into)})" + (f" → {', '.join(out)}" if out else "")


def property_table(interface, properties):
    rows = {wire: (form, low, high, unit, text, access) for kind, _, wire, _, form, access, low, high, unit, text in properties
            if kind == OBJECT_OF.get(interface.get("name"))}
    out = ["| property | type | meaning | value |", "| --- | --- | --- | --- |"]
    for child, comment in items(interface):
        if child.tag != "property":
            continue
        form, low, high, unit, text, _ = rows.get(child.get("name"), ("", "0", "0", "", "", ""))
        value = generate_tables.range_of(form, low, high, unit) if form else ""
        meaning = " ".join(part for part in (text, comment and comment[:1].upper() + comment[1:]) if part)
        out.append(f"| {child.get('name')} | `{child.get('type')}` | {meaning.replace('|', '/')} | {value} |")
    return out if len(out) > 2 else []


def limits():
    out = ["| limit | value | of |", "| --- | --- | --- |"]
    for line in (ROOT / "src/protocol/limits.h").read_text(encoding="utf-8").splitlines():
        m = re.match(r"#define LIMIT_(\w+) +(.*?) */\* ?(.*?) ?\*/", line)
        if m:
            out.append(f"| {m[1].lower().replace('_', ' ')} | {m[2]} | {m[3].replace('|', '/')} |")
    return out


def document():
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    text = (ROOT / "idl/org.dosvc.xml").read_text(encoding="utf-8")
    head = re.search(r"<!--(.*?)-->", text, re.DOTALL)[1]
    root = ElementTree.fromstring(text, parser)
    properties = list(generate_tables.properties(str(ROOT / "idl/properties.txt")))
    what, objects, rest = (part for part in re.split(r"\n\s*\n", head.strip(), maxsplit=2))
    out = ["# The D-Bus interface", "", "Made from `idl/org.dosvc.xml`, `idl/properties.txt` and `src/protocol/limits.h`.", "", plain(what), "",
           "```text", *(line.strip() for line in objects.splitlines()), "```", "", plain(rest), "",
           "`busctl --address=unix:path=… introspect org.dosvc /org/dosvc` shows the same of a running service; `dosvc service` tells its",
           "address. [examples/fetch.py](../examples/fetch.py) is a whole client; [errors.md](errors.md) has every error, the name behind",
           "`org.dosvc.Error.`; a call may end with `InvalidArgument`, `NotFound`, `AccessDenied`, `InvalidState` and those that it names.", ""]
    for interface, comment in items(root):
        out += [f"## {interface.get('name')}", ""] + ([comment, ""] if comment else [])
        for child, comment in items(interface):
            if child.tag == "property":
                continue
            kind = "Signal " if child.tag == "signal" else ""
            out += [f"### {kind}{child.get('name')}", "", f"`{signature(child)}`", "", comment, ""]
        table = property_table(interface, properties)
        if table:
            out += ["### Properties", ""] + table + [""]
    return out + ["## Limits", "", "Unless a row says otherwise, what is larger is refused with an error that says so, and the connection stays.", ""] + limits()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    Path(sys.argv[1]).write_text("\n".join(document()) + "\n", encoding="utf-8")
