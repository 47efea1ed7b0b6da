"""What libdosvc exports is what its headers declare: each name with the version of its time, and not one more."""
import os
import re
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("DOSVC_BUILD", os.path.join(ROOT, "build"))
LIBRARY = os.path.join(BUILD, "src", "client", "libdosvc.so.1")
HEADERS = os.path.join(ROOT, "include", "dosvc")
VERSION = "LIBDOSVC_1"


def exported():
    if not os.path.exists(LIBRARY):
        pytest.skip(f"{LIBRARY} is not built")
    lines = subprocess.run(["nm", "-D", "--defined-only", "--with-symbol-versions", LIBRARY], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    symbols = [line.split()[-1] for line in lines]
    return [s for s in symbols if s != VERSION]  # the version itself is a symbol too


def declared():
    names = set()
    for header in os.listdir(HEADERS):
        with open(os.path.join(HEADERS, header), encoding="utf-8") as f:
            text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.DOTALL)
        names |= set(re.findall(r"\bDOSVC_API const \w+ (\w+);", text))
        names |= set(re.findall(r"\bDOSVC_API [\w ]+?\b(\w+)\(", text))
        if header == "dosvc.h":
            names |= set(re.findall(r"^(?:int32_t|void|const \w+ \*|uint64_t) ?(dosvc_\w+)\(", text, re.MULTILINE))
    return names


def test_every_exported_symbol_has_a_version():
    assert [s for s in exported() if not s.endswith("@@" + VERSION)] == []


def test_the_exported_symbols_are_those_that_the_headers_declare():
    assert sorted(s.split("@")[0] for s in exported()) == sorted(declared())


def test_the_library_is_found_by_its_major_version():
    if not os.path.exists(LIBRARY):
        pytest.skip(f"{LIBRARY} is not built")
    dynamic = subprocess.run(["readelf", "-d", LIBRARY], check=True, capture_output=True, text=True).stdout
    assert re.search(r"SONAME.*\[libdosvc\.so\.1\]", dynamic)
