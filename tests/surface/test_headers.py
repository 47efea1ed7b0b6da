#!/usr/bin/env python3
"""The installed headers compile alone, in any order, as every C and C++ that they promise.

usage: test_headers.py INCLUDE_DIRECTORY
"""
import concurrent.futures
import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

STRICT = ["-pedantic", "-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wconversion", "-Wundef", "-fsyntax-only"]
CXX_STRICT = ["-Wold-style-cast", "-Wnon-virtual-dtor", "-Woverloaded-virtual"]
C_STANDARDS = ["c99", "c11", "gnu17", "gnu2x"]
CXX_STANDARDS = ["c++11", "c++17", "gnu++20"]
COMPILERS = [(c, "c", C_STANDARDS) for c in ("gcc", "clang")] + [(c, "c++", CXX_STANDARDS) for c in ("g++", "clang++")]
ISO_C = {"assert.h", "errno.h", "inttypes.h", "limits.h", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h",
         "stdlib.h", "string.h", "time.h", "wchar.h"}


def compile_text(compiler, language, options, text):
    return subprocess.run([compiler, "-x", language, *options, "-"], input=text, text=True,
                          capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"})


def cases(folder, headers):
    """(what it shows, compiler, language, options, program)"""
    base = [f"-I{folder}", *STRICT]
    for compiler, language, standards in COMPILERS:
        if not shutil.which(compiler):
            continue
        extra = base + (CXX_STRICT if language == "c++" else [])
        for standard, header in itertools.product(standards, headers):
            yield (f"{compiler} -std={standard}: {header} alone", compiler, language, extra + [f"-std={standard}"],
                   f'#include "{header}"\ntypedef int nothing;\n')
        for standard in standards:
            # Without CXX_STRICT: published macros such as BG_SIZE_UNKNOWN cast as C does, also where C++ says them.
            macros = ["-DCOBJMACROS"] if language == "c" else []
            yield (f"{compiler} -std={standard}: every name", compiler, language, base + macros + [f"-std={standard}"],
                   (Path(__file__).parent / "names.c").read_text(encoding="utf-8"))
        first = f"-std={standards[0]}"
        for header, define in itertools.product(headers, ("COBJMACROS", "CINTERFACE", "INITGUID")):
            yield (f"{compiler}: {header} with {define}", compiler, language, extra + [first, f"-D{define}"],
                   f'#include "{header}"\ntypedef int nothing;\n')
        for a, b in itertools.permutations(headers, 2):
            if {"bits.h", "deliveryoptimization.h", "dosvc.h"} >= {a, b}:
                yield (f"{compiler}: {a} before {b}, each twice", compiler, language, extra + [first],
                       f'#include "{a}"\n#include "{b}"\n#include "{a}"\n#include "{b}"\ntypedef int nothing;\n')


def run_case(case):
    what, compiler, language, options, text = case
    result = compile_text(compiler, language, options, text)
    return None if result.returncode == 0 else f"{what}\n{result.stderr}"


def short_wchar(folder):
    """A 2-byte wchar_t would garble every string, so it has to be refused, and in words."""
    for compiler, language, _ in COMPILERS:
        if not shutil.which(compiler):
            continue
        for header in ("bits.h", "deliveryoptimization.h"):
            result = compile_text(compiler, language, [f"-I{folder}", "-fshort-wchar", "-fsyntax-only"],
                                  f'#include "{header}"\n')
            if result.returncode == 0 or "do not compile with -fshort-wchar" not in result.stderr:
                yield f"{compiler} -fshort-wchar: {header} is not refused with a clear text\n{result.stderr}"


def strange_includes(folder, headers):
    for header in headers:
        text = (folder / header).read_text(encoding="utf-8")
        for kind, name in re.findall(r'^\s*#\s*include\s*([<"])([^>"]+)', text, re.M):
            if (kind == '"' and name not in headers) or (kind == "<" and name not in ISO_C):
                yield f"{header} includes {name}, which is neither an installed header nor ISO C"


def main():
    folder = Path(sys.argv[1])
    headers = sorted(p.name for p in folder.glob("*.h"))
    work = list(cases(folder, headers))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        failures = [f for f in pool.map(run_case, work) if f]
    failures += list(short_wchar(folder)) + list(strange_includes(folder, headers))
    for failure in failures:
        print(f"FAILED {failure}")
    print(f"{len(headers)} headers, {len(work)} programs compiled, {len(failures)} failures")
    if not headers or not work:
        sys.exit("nothing was compiled")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
