"""The include table of ARCHITECTURE.md is law: every #include and every library that a folder links is judged by it."""
import os
import re

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Which library a system header belongs to. Headers that are not named here must be libc's or the kernel's (see LIBC below).
HEADER_LIBRARY = [
    (r"systemd/sd-event\.h", "sd-event"), (r"systemd/sd-bus(-\w+)?\.h", "sd-bus"),
    (r"systemd/sd-(daemon|journal|login|id128)\.h", "sd-daemon"),
    (r"curl/.*", "libcurl"), (r"idn2\.h", "libidn2"), (r"sqlite3\.h", "sqlite3"),
    (r"openssl/(ssl|tls1)\.h", "libssl"), (r"openssl/.*", "libcrypto"),
    (r"jansson\.h", "jansson"), (r"ini\.h", "libinih"), (r"seccomp\.h", "libseccomp"),
    (r"microhttpd\.h", "libmicrohttpd"),
    (r"(uthash|utlist|utarray)\.h", None),  # header only, allowed everywhere
    (r"dosvc(/.*|\.h)|(bits|deliveryoptimization)\.h", "include/dosvc"),
]
# What a meson.build names, and the word of the table that allows it (any of them).
DEPENDENCY_LIBRARY = {
    "dep_sqlite": ["sqlite3"], "dep_crypto": ["libcrypto"], "dep_ssl": ["libssl"], "dep_curl": ["libcurl"],
    "dep_idn2": ["libidn2"],
    "dep_systemd": ["sd-event", "sd-bus", "sd-daemon"], "dep_inih": ["libinih"], "dep_seccomp": ["libseccomp"],
    "dep_jansson": ["jansson"], "dep_dosvc": ["libdosvc"], "dep_microhttpd": ["libmicrohttpd"], "dep_threads": ["libc"],
}
LIBC = re.compile(r"(linux|sys|net|netinet|arpa|asm|bits)/[\w/-]+\.h|[\w-]+\.h|(std)?atomic|new|cstddef|cstdint")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


class Layer:
    def __init__(self, name, may_include, links):
        self.name, self.may_include, self.links = name, may_include, links


def read_table(text):
    """Rows of the table between the two markers: | `src/x/` | idea | may include | links |"""
    body = text.split("<!-- layers:begin -->")[1].split("<!-- layers:end -->")[0]
    layers = {}
    for line in body.splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if len(cells) != 4 or not cells[0].startswith("`"):
            continue
        folder = cells[0].strip("`").rstrip("/")
        words = [[w for w in re.split(r"[\s,]+", cell) if w and w not in ("–", "-")] for cell in cells[2:]]
        layers[folder.removeprefix("src/")] = Layer(folder, *words)
    return layers


def closure(layers, name):
    """(folders whose headers @name may include, single headers, libraries: these are a folder's own and do not add up)"""
    folders, headers, libraries, queue = {name}, set(), set(layers[name].links), [name]
    while queue:
        current = queue.pop()
        for word in layers[current].may_include:
            if word.endswith(".h"):
                headers.add(word)
            elif word == "all":
                queue += [n for n in layers if n not in ("client", "cli", "include/dosvc", name)]
            elif word not in folders:
                folders.add(word)
                if word in layers:
                    queue.append(word)
            if word == "all":
                folders |= {n for n in layers if n not in ("client", "cli", "include/dosvc")}
    if "all" in libraries:
        libraries |= {library for row in layers.values() for library in row.links}
    return folders, headers, libraries


def library_of(header):
    for pattern, library in HEADER_LIBRARY:
        if re.fullmatch(pattern, header):
            return library
    return "libc" if LIBC.fullmatch(header) else f"unknown library of <{header}>"


def judge_source(layers, layer, path, text):
    """Sentences about every include of this text that the table does not allow."""
    folders, headers, libraries = closure(layers, layer)
    for bracket, name in INCLUDE.findall(text):
        if bracket == "<":
            library = library_of(name)
            if library == "include/dosvc":
                if library not in folders:
                    yield f"{path}: <{name}> is not for {layer}"
            elif library not in libraries | {"libc", None}:
                yield f"{path}: <{name}> needs {library}, which {layer} does not link"
            continue
        if name == "config.h":  # made by the build: version and folders
            continue
        folder, slash, _ = name.rpartition("/")
        if not slash:
            # The installed headers are included as every program does: by name.
            if "include/dosvc" in folders and os.path.exists(os.path.join(ROOT, "include/dosvc", name)):
                continue
            yield f'{path}: "{name}" lacks its folder'
        elif folder not in layers:
            yield f'{path}: "{name}" names no folder of the table'
        elif folder not in folders and name not in headers:
            yield f'{path}: "{name}" is not for {layer}'


def read_definitions(layers):
    """Which folder's meson.build makes a dependency of our own."""
    made = {}
    for name, layer in layers.items():
        path = os.path.join(ROOT, layer.name, "meson.build")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                made.update({variable: name for variable in re.findall(r"^\s*(dep_\w+) = ", f.read(), re.MULTILINE)})
    return made


def judge_build(layers, layer, path, text, made):
    """The same for the dependencies that a meson.build names."""
    folders, headers, libraries = closure(layers, layer)
    header_folders = {h.split("/")[0] for h in headers}
    text = re.sub(r"#.*", "", text)
    for name in sorted(set(re.findall(r"\bdep_\w+", text))):
        folder = made.get(name, name.removeprefix("dep_"))
        if folder == layer:
            continue
        if name in DEPENDENCY_LIBRARY:
            if not set(DEPENDENCY_LIBRARY[name]) & (libraries | {"libc"}):
                yield f"{path}: {name} is not for {layer}"
        elif folder in layers:
            if folder not in folders | header_folders:
                yield f"{path}: {name} is not for {layer}"
        else:
            yield f"{path}: {name} is not known to this test"


def sources(folder):
    for base, _, names in os.walk(os.path.join(ROOT, folder)):
        for name in sorted(names):
            if name.endswith((".c", ".h", ".cpp", ".hpp", ".def")):
                path = os.path.join(base, name)
                with open(path, encoding="utf-8") as f:
                    yield os.path.relpath(path, ROOT), f.read()


@pytest.fixture(scope="module", name="layers")
def layers_fixture():
    with open(os.path.join(ROOT, "ARCHITECTURE.md"), encoding="utf-8") as f:
        return read_table(f.read())


def test_every_source_folder_has_a_row(layers):
    found = {name for name in os.listdir(os.path.join(ROOT, "src")) if os.path.isdir(os.path.join(ROOT, "src", name))}
    assert found <= set(layers)


def test_every_include_is_allowed_by_the_table(layers):
    wrong = []
    for name, layer in layers.items():
        if layer.name.startswith("src/") or name == "include/dosvc":
            for path, text in sources(layer.name):
                wrong += judge_source(layers, name, path, text)
    assert not wrong, "\n".join(wrong)


def test_every_linked_library_is_allowed_by_the_table(layers):
    wrong, made = [], read_definitions(layers)
    for name, layer in layers.items():
        path = os.path.join(layer.name, "meson.build")
        if layer.name.startswith("src/") and os.path.exists(os.path.join(ROOT, path)):
            with open(os.path.join(ROOT, path), encoding="utf-8") as f:
                wrong += judge_build(layers, name, path, f.read(), made)
    assert not wrong, "\n".join(wrong)


def test_the_table_has_no_circle(layers):
    for name in layers:
        for other in closure(layers, name)[0] - {name}:
            if other in layers:
                assert name not in closure(layers, other)[0], f"{name} and {other} may include each other"


@pytest.mark.parametrize("layer, line", [
    ("base", '#include "protocol/errors.h"'),
    ("job", '#include "store/store.h"'),
    ("schedule", '#include "store/store.h"'),
    ("transfer", '#include "job/job.h"'),
    ("manager", '#include "files/private.h"'),
    ("cli", '#include "base/strings.h"'),
    ("client", '#include "job/job.h"'),
    ("bus", '#include "daemon/options.h"'),
    ("job", '#include "job.h"'),
    ("store", "#include <openssl/evp.h>"),
    ("manager", "#include <sqlite3.h>"),
    ("base", "#  include <curl/curl.h>"),
    ("daemon", "#include <dosvc.h>\n#include <somewhere/else.h>"),
])
def test_a_planted_include_is_caught(layers, layer, line):
    assert list(judge_source(layers, layer, "planted.c", line))


@pytest.mark.parametrize("layer, text", [
    ("job", "dependencies : [dep_base, dep_sqlite]"),
    ("store", "dependencies : [dep_job, dep_transfer]"),
    ("cli", "dependencies : [dep_dosvc, dep_base]"),
    ("client", "dependencies : [dep_protocol, dep_manager]"),
    ("base", "dependencies : dep_strange"),
])
def test_a_planted_dependency_is_caught(layers, layer, text):
    assert list(judge_build(layers, layer, "meson.build", text, read_definitions(layers)))


@pytest.mark.parametrize("layer, line", [
    ("manager", '#include "files/files.h"\n#include "store/store.h"\n#include <systemd/sd-event.h>'),
    ("bus", '#include "manager/manager.h"\n#include "job/job.h"\n#include <systemd/sd-bus.h>'),
    ("cli", "#include <dosvc.h>\n#include <jansson.h>\n#include <stdio.h>"),
    ("store", "#include <sqlite3.h>\n#include <uthash.h>"),
])
def test_what_the_table_allows_is_not_called_wrong(layers, layer, line):
    assert not list(judge_source(layers, layer, "fine.c", line))
