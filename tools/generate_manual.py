#!/usr/bin/env python3
"""Makes the pages of section 3 out of idl/*.idl: one for each interface, and libdosvc.3 from docs/man/libdosvc.3.in.

usage: generate_manual.py --list            names of the pages
       generate_manual.py DIRECTORY         writes them

What a method does, what it answers and which published page it follows stands in its documentation in idl/; the text of a code with
the code; what is not there, and why, in docs/not-implemented.md; the functions of <dosvc.h> with their comments in that header.
"""
import re
import sys
from pathlib import Path

import generate_headers as headers

ROOT = Path(__file__).resolve().parent.parent
CODE = r"\b(?:BG_[ES]_\w+|DO_E_\w+|E_[A-Z]\w+|S_FALSE|STG_E_\w+)\b"
# Of every method, so that no page repeats them.
ANYWHERE = {"E_NOTIMPL", "E_INVALIDARG", "E_OUTOFMEMORY"}


def escape(text):
    """Text for roff: no line begins a request."""
    text = text.replace("\\", "\\e")
    return "\n".join("\\&" + line if line[:1] in ".'" else line for line in text.split("\n"))


def sentences(doc):
    """Documentation as paragraphs, without the source tag, and that tag."""
    text = " ".join(doc)
    source = re.search(r"\((BITS|DO): (\w+)\)", text)
    text = re.sub(r" ?\((?:BITS|DO): \w+\)", "", text).strip()
    # A sentence a line: lines stay short and differences small.
    return re.sub(r"(?<=[.;]) (?=[A-Z\"])", "\n", text), f"{source[1]}: {source[2]}" if source else None


class Tables:
    def __init__(self):
        self.interfaces, self.header_of, self.codes = {}, {}, {}
        for source in headers.ORDER:
            blocks = headers.parse(headers.IDL / f"{source}.idl")
            for block in blocks:
                if block.kind == "interface":
                    interface = headers.Interface(block, self.interfaces, f"{source}.idl")
                    self.interfaces[interface.name] = interface
                    self.header_of[interface.name] = blocks[0].head
                elif block.kind == "results":
                    for text, doc in block.members:
                        name, value = [s.strip() for s in text.split("=", 1)]
                        self.codes[name] = (value, " ".join(doc))
        self.absent = dict(self.read_absent())

    @staticmethod
    def read_absent():
        """(interface, method): the reason, from the tables of docs/not-implemented.md."""
        for line in (ROOT / "docs" / "not-implemented.md").read_text(encoding="utf-8").splitlines():
            m = re.match(r"\| (\w+)::([^|]+) \| (.*) \|$", line)
            if m and " with " not in m[2]:
                for method in re.findall(r"\b[A-Z]\w+", m[2]):
                    yield (m[1], method), m[3]


def parameters(method):
    """In: ...; Out: ... of one method."""
    out = [n for n, p in zip(method.names, method.params) if re.search(r"\*\s*\w+(\[\])?$", p) and not p.startswith("const ") and " riid" not in p]
    into = [n for n in method.names if n not in out]
    words = (["In: " + ", ".join(into)] if into else []) + (["Out: " + ", ".join(out)] if out else [])
    return ". ".join(words) + "." if words else ""


def method_lines(tables, interface, method):
    out = [".TP", f"\\fB{method.result} {method.name}\\fR({escape(', '.join(method.params))})"]
    text, _ = sentences(method.doc)
    out += [escape(text)] if text else []
    given = parameters(method)
    if given:
        out += [".br", escape(given)]
    if (interface.name, method.name) in tables.absent:
        out += [".br", "Not here: " + escape(tables.absent[interface.name, method.name])]
    return out


def page(tables, interface):
    text, source = sentences(interface.doc)
    title = re.split(r"(?<=\.)\s", text.replace("\n", " "))[0].rstrip(".")
    title = title[:1].lower() + title[1:] if title else "interface of downloads"
    derived = [i.name for i in tables.interfaces.values() if i.base is interface]
    out = [f".TH {interface.name.upper()} 3 2026-11-28 dosvc \"Library interfaces\"", ".SH NAME", f"{interface.name} \\- {escape(title)}", ".SH SYNOPSIS", ".nf",
           f"#include <{tables.header_of[interface.name]}>", "",
           f"interface {interface.name}" + (f" : {interface.base.name}" if interface.base else ""), f"IID_{interface.name}", f"{{{interface.uuid.lower()}}}", ".fi",
           ".SH DESCRIPTION", escape(text or "See the methods.")]
    out += [".SH METHODS"]
    if interface.base:
        out += [f"Those of\n.BR {interface.base.name} (3)\nstand before these, in the order of the table of functions."]
    for method in interface.own:
        out += method_lines(tables, interface, method)
    codes = sorted(set(re.findall(CODE, " ".join(" ".join(m.doc) for m in interface.own))) - ANYWHERE)
    if codes:
        out += [".SH ERRORS", "See also\n.BR libdosvc (3)\nfor codes of every method."]
        for code in codes:
            value, meaning = tables.codes.get(code, ("", ""))
            out += [".TP", f"\\fB{code}\\fR {value}".rstrip(), escape(meaning or "As its name says.")]
    if source:
        out += [".SH STANDARDS", f"The published page of {escape(source.split(': ')[1])} ({source.split(': ')[0]})."]
    also = ([interface.base.name] if interface.base else []) + derived
    out += [".SH SEE ALSO"] + [f".BR {name} (3)," for name in also if name != interface.name] + [".BR libdosvc (3)"]
    return "\n".join(out) + "\n"


def functions():
    """The functions of <dosvc.h>, each with the comment before or behind it."""
    text = (headers.INCLUDE / "dosvc.h").read_text(encoding="utf-8")
    pattern = r"(?:/\*((?:[^*]|\*(?!/))*)\*/\n)?^((?:int32_t|void|const dosvc_error \*) ?\*?dosvc_\w+\([^;]*\));(?: */\*((?:[^*]|\*(?!/))*)\*/)?"
    for before, prototype, behind in re.findall(pattern, text, re.MULTILINE):
        comment = " ".join((before or behind).replace("\n *", " ").split())
        yield " ".join(prototype.split()), "" if comment.startswith("----") else comment


def overview(tables):
    template = (ROOT / "docs" / "man" / "libdosvc.3.in").read_text(encoding="utf-8")
    pages = "\n".join(f".BR {name} (3)" + ("," if n + 1 < len(tables.interfaces) else "") for n, name in enumerate(tables.interfaces))
    calls = []
    for prototype, comment in functions():
        calls += [".TP", f"\\fB{escape(prototype)}\\fR", escape(re.sub(r"(?<=\.) (?=[A-Z*@])", "\n", comment)) or "As its name says."]
    return template.replace("@INTERFACES@", pages).replace("@FUNCTIONS@", "\n".join(calls))


def main():
    tables = Tables()
    names = [f"{name}.3" for name in tables.interfaces]
    if sys.argv[1:] == ["--list"]:
        print("\n".join(["libdosvc.3"] + names))
        return
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    (folder / "libdosvc.3").write_text(overview(tables), encoding="utf-8")
    for interface in tables.interfaces.values():
        (folder / f"{interface.name}.3").write_text(page(tables, interface), encoding="utf-8")


if __name__ == "__main__":
    main()
