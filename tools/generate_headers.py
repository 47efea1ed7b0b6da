#!/usr/bin/env python3
"""Makes the public headers and src/client/guids.c from idl/*.idl.

usage: generate_headers.py [--check]

Writes into the tree that it stands in; what it writes is checked in, so that a
reader and a distributor need no generator. --check writes nothing and fails if a
file on disk differs from what the tables say (a test runs it).

The format, line by line. What is not indented starts a block, what is indented
belongs to it; '#' at the start of a line is a comment; '///' is documentation of
what follows; ' // ' behind a member is documentation of that member.

    header NAME                 once, first; its documentation becomes the head comment
    include NAME
    typedef TYPE NAME
    guids TITLE                 NAME UUID                  (CLSID_x gives C++ a class x for __uuidof)
    constants TITLE             NAME = VALUE
    results TITLE               NAME = 0x........          (an HRESULT)
    enum NAME                   NAME = VALUE
    struct NAME, union NAME     TYPE MEMBER
    interface NAME : BASE UUID  [TYPE] METHOD(PARAMETERS)  in the order of the vtable;
                                TYPE is HRESULT unless it is there
                                cpp TEXT                   copied into the C++ class
"""
import difflib
import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
IDL = ROOT / "idl"
INCLUDE = ROOT / "include" / "dosvc"
GUIDS_C = ROOT / "src" / "client" / "guids.c"
ORDER = ["winerror", "unknown", "stream", "bitsmsg", "bits", "deliveryoptimizationerrors", "deliveryoptimization"]
WIDTH = 100
IND = " " * 8
UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"


class Block:
    """One unindented line of a table, its documentation and its members."""

    def __init__(self, kind, head, doc):
        self.kind, self.head, self.doc = kind, head, doc
        self.members = []  # (text, documentation)
        self.cpp = []


class Method:
    def __init__(self, text, doc, where):
        m = re.fullmatch(r"(?:(\w+) )?(\w+)\((.*)\)", text)
        if not m:
            sys.exit(f"{where}: not a method: {text}")
        self.result = m[1] or "HRESULT"
        self.name = m[2]
        self.params = [p.strip() for p in m[3].split(",")] if m[3] else []
        self.doc = doc

    @property
    def names(self):
        return [re.search(r"(\w+)(?:\[\])?$", p)[1] for p in self.params]


class Interface:
    def __init__(self, block, known, where):
        m = re.fullmatch(rf"(\w+)(?: : (\w+))? ({UUID})", block.head)
        if not m:
            sys.exit(f"{where}: not an interface: {block.head}")
        self.name, self.uuid, self.doc, self.cpp = m[1], m[3], block.doc, block.cpp
        if m[2] and m[2] not in known:
            sys.exit(f"{where}: {m[1]}: unknown base {m[2]}")
        self.base = known[m[2]] if m[2] else None
        self.own = [Method(text, doc, where) for text, doc in block.members]

    def all_methods(self):
        """(interface that declares it, method) in the order of the vtable."""
        inherited = self.base.all_methods() if self.base else []
        return inherited + [(self, m) for m in self.own]


def parse(path):
    blocks, doc = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        where = f"{path.name}:{number}"
        if text.startswith("///"):
            doc.append(text[3:].strip())
        elif not text or text.startswith("#"):
            continue
        elif not line[0].isspace():
            kind, _, head = text.partition(" ")
            if kind == "header" or not blocks or blocks[-1].kind != "header" or not doc:
                blocks.append(Block(kind, head, doc))
            else:
                blocks[-1].doc += doc
                blocks.append(Block(kind, head, []))
            doc = []
        elif not blocks:
            sys.exit(f"{where}: a member without a block")
        elif line.lstrip().startswith("cpp "):
            blocks[-1].cpp.append(line.lstrip()[4:])
        else:
            text, _, tail = text.partition(" // ")
            blocks[-1].members.append((text.strip(), doc + ([tail.strip()] if tail else [])))
            doc = []
    return blocks


def paragraphs(doc):
    """Documentation lines, joined; an empty one separates paragraphs."""
    return [" ".join(p.split("\n")) for p in "\n".join(doc).split("\n\n")] if doc else []


def comment(doc, indent="", always_block=False):
    ps = paragraphs(doc)
    if not ps:
        return []
    one = f"{indent}/* {ps[0]} */"
    if len(ps) == 1 and len(one) <= WIDTH and not always_block:
        return [one]
    out = [f"{indent}/*"]
    for i, p in enumerate(ps):
        if i:
            out.append(f"{indent} *")
        out += textwrap.wrap(p, WIDTH - 4, initial_indent=f"{indent} * ", subsequent_indent=f"{indent} * ",
                             break_long_words=False, break_on_hyphens=False)
    return out + [f"{indent} */"]


def member(text, doc, indent=IND):
    """A line of a struct, enum or group with its comment behind it, or above where it is too long."""
    if not doc:
        return [indent + text]
    line = f"{indent}{text} /* {' '.join(doc)} */"
    return [line] if len(line) <= WIDTH else comment(doc, indent) + [indent + text]


def call(head, params, tail):
    """A declaration, its parameters wrapped below the parenthesis."""
    line = f"{head}({', '.join(params) or 'void'}){tail}"
    if len(line) <= WIDTH:
        return [line]
    pad = " " * (len(head) + 1)
    out, current = [], f"{head}("
    for i, p in enumerate(params):
        piece = p + ("," if i + 1 < len(params) else f"){tail}")
        if current.strip() and not current.endswith("(") and len(current) + 1 + len(piece) > WIDTH:
            out.append(current.rstrip())
            current = pad + piece
        else:
            current += ("" if current.endswith("(") or not current.strip() else " ") + piece
    return out + [current]


def emit_interface(i):
    out = comment([i.name + "."] + i.doc if i.doc else [i.name + "."])
    out += [f"EXTERN_C DOSVC_API const IID IID_{i.name};", ""]
    out += ["#if defined(__cplusplus) && !defined(CINTERFACE)", "",
            f"struct {i.name}" + (f" : public {i.base.name}" if i.base else "") + " {"]
    for n, m in enumerate(i.own):
        if n and m.doc:
            out.append("")
        out += comment(m.doc, IND)
        head = f"{IND}virtual {m.result} STDMETHODCALLTYPE {m.name}"
        lines = call(head, m.params, " = 0;")
        out += [line.replace("(void)", "()") for line in lines]
    if i.cpp:
        out += [""] + [(IND + line).rstrip() for line in i.cpp]
    out += ["};", "", f"DOSVC_DECLARE_UUIDOF({i.name}, IID_{i.name})", "", "#else", ""]

    out += [f"typedef struct {i.name}Vtbl {{"]
    for owner, m in i.all_methods():
        out += call(f"{IND}{m.result} (STDMETHODCALLTYPE *{m.name})", [f"{i.name} *This"] + m.params, ";")
    out += [f"}} {i.name}Vtbl;", "", f"struct {i.name} {{", f"{IND}CONST_VTBL {i.name}Vtbl *lpVtbl;", "};", ""]

    out += ["#ifdef COBJMACROS"]
    for owner, m in i.all_methods():
        args = ", ".join(["This"] + m.names)
        line = f"#define {i.name}_{m.name}({args}) (This)->lpVtbl->{m.name}({args})"
        if len(line) > WIDTH:
            out += [f"#define {i.name}_{m.name}({args}) \\", f"{IND}(This)->lpVtbl->{m.name}({args})"]
        else:
            out.append(line)
    return out + ["#endif", "", "#endif", ""]


def emit_block(b):
    if b.kind == "typedef":
        return comment(b.doc) + [f"typedef {b.head};", ""]
    if b.kind == "enum":
        # Values with bit 31 do not fit the int of an ISO C enumerator; both compilers give them 32 bits.
        big = any(int(t.split("=")[1].strip().rstrip("u"), 0) > 0x7FFFFFFF for t, _ in b.members)
        out = comment(b.doc) + [("__extension__ " if big else "") + f"typedef enum {b.head} {{"]
        for n, (text, doc) in enumerate(b.members):
            out += member(text + ("," if n + 1 < len(b.members) else ""), doc)
        return out + [f"}} {b.head};", ""]
    if b.kind in ("struct", "union"):
        out = comment(b.doc) + [f"typedef {b.kind} {b.head} {{"]
        for text, doc in b.members:
            out += member(text + ";", doc)
        return out + [f"}} {b.head};", ""]
    if b.kind == "guids":
        out = comment([b.head] + b.doc)
        for text, doc in b.members:
            out += member(f"EXTERN_C DOSVC_API const GUID {text.split()[0]};", doc, "")
        classes = [text.split()[0][6:] for text, _ in b.members if text.startswith("CLSID_")]
        if classes:
            # Never defined: names to say __uuidof(BackgroundCopyManager) with.
            out += ["", "#ifdef __cplusplus"] + [f"class {c};" for c in classes]
            out += [f"DOSVC_DECLARE_UUIDOF({c}, CLSID_{c})" for c in classes] + ["#endif"]
        return out + [""]
    if b.kind in ("constants", "results"):
        out = comment([b.head] + b.doc)
        for text, doc in b.members:
            name, value = [s.strip() for s in text.split("=", 1)]
            if b.kind == "results":
                value = f"_HRESULT_TYPEDEF_({value})"
            out += member(f"#define {name} {value}", doc, "")
        return out + [""]
    sys.exit(f"{b.kind}: no such kind of block")


def emit_header(blocks, source, interfaces):
    name = blocks[0].head
    guard = re.sub(r"\W", "_", name).upper()
    guard = guard if guard.startswith("DOSVC") else "DOSVC_" + guard
    doc = list(blocks[0].doc)
    doc[0] = f"{name}: {doc[0]}"
    out = comment(doc + ["", f"Made by tools/generate_headers.py from idl/{source}.idl: change it there."], "", True)
    out += [f"#ifndef {guard}", f"#define {guard}", ""]
    out += [f'#include "{b.head}"' for b in blocks if b.kind == "include"] + [""]
    mine = [b for b in blocks if b.kind == "interface"]
    names = [b.head.split()[0] for b in mine]
    out += [f"typedef struct {n} {n};" for n in names] + ([""] if names else [])
    cpp_open = False
    for b in blocks:
        if b.kind in ("header", "include"):
            continue
        if b.kind != "interface":
            out += emit_block(b)
            continue
        if not cpp_open:
            # Lifetime is counted by Release(), so the classes want no virtual destructor.
            out += ["#ifdef __cplusplus", "#pragma GCC diagnostic push",
                    '#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"', "#endif", ""]
            cpp_open = True
        out += emit_interface(interfaces[b.head.split()[0]])
    if cpp_open:
        out += ["#ifdef __cplusplus", "#pragma GCC diagnostic pop", "#endif", ""]
    return "\n".join(out + ["#endif"]) + "\n"


def emit_guids(tables, interfaces):
    out = ["/*", " * The identifiers that the public headers declare, for every program that links libdosvc.", " *",
           " * Made by tools/generate_headers.py from idl/: change them there.", " */"]
    out += ['#include "bits.h"', '#include "deliveryoptimization.h"', "",
            "const GUID GUID_NULL = { 0 };"]
    seen = {}
    for source, blocks in tables.items():
        pairs = []
        for b in blocks:
            if b.kind == "guids":
                pairs += [text.split() for text, _ in b.members]
            elif b.kind == "interface":
                i = interfaces[b.head.split()[0]]
                pairs.append((f"IID_{i.name}", i.uuid))
        if pairs:
            out += ["", f"/* {blocks[0].head} */"]
        for name, uuid in pairs:
            if not re.fullmatch(UUID, uuid):
                sys.exit(f"{source}: {name}: not a UUID: {uuid}")
            if uuid.lower() in seen:
                sys.exit(f"{source}: {name} has the UUID of {seen[uuid.lower()]}")
            seen[uuid.lower()] = name
            a, b, c, d, e = uuid.lower().split("-")
            tail = ", ".join("0x" + (d + e)[n:n + 2] for n in range(0, 16, 2))
            out += [f"const GUID {name} = {{", f"{IND}0x{a}, 0x{b}, 0x{c}, {{ {tail} }}", "};"]
    return "\n".join(out) + "\n"


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    tables = {s: parse(IDL / f"{s}.idl") for s in ORDER}
    interfaces = {}
    for source, blocks in tables.items():
        if blocks[0].kind != "header" or not blocks[0].doc:
            sys.exit(f"{source}.idl: wants a documented header line first")
        for b in blocks:
            if b.kind == "interface":
                i = Interface(b, interfaces, f"{source}.idl")
                interfaces[i.name] = i

    files = {INCLUDE / t[0].head: emit_header(t, s, interfaces) for s, t in tables.items()}
    files[GUIDS_C] = emit_guids(tables, interfaces)
    stale = 0
    for path, text in files.items():
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old == text:
            continue
        stale += 1
        name = str(path.relative_to(ROOT))
        if check:
            sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), text.splitlines(True), name, "generated"))
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    if check:
        if stale:
            sys.exit(f"{stale} of {len(files)} files differ: run tools/generate_headers.py")
        print(f"{len(files)} files are as the tables say")


if __name__ == "__main__":
    main()
