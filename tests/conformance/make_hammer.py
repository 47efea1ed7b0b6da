#!/usr/bin/env python3
"""A C function for each method of each interface of idl/*.idl that the library implements: it calls the method with whatever
test_hammer.c draws for each type, and gives back what was handed out. usage: make_hammer.py OUTPUT"""
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tools"))
import generate_headers as headers  # noqa: E402

SOURCES = ["unknown", "bits", "deliveryoptimization"]
IMPLEMENTED_BY_CLIENTS = re.compile(r"Callback\d?$")
LIFETIME = {"AddRef", "Release"}

# What goes in, by type; a name of test_hammer.c or an expression.
INPUT = {
    "LPCWSTR": "any_text()", "const WCHAR *": "any_text()", "REFGUID": "maybe(&guid)", "REFIID": "maybe(&guid)",
    "IUnknown *": "any_unknown()", "BG_AUTH_CREDENTIALS *": "any_credentials()", "const VARIANT *": "any_variant()",
    "BITS_JOB_PROPERTY_VALUE": "(BITS_JOB_PROPERTY_VALUE) { .Uint64 = any64() }",
    "BITS_FILE_PROPERTY_VALUE": "(BITS_FILE_PROPERTY_VALUE) { .String = any_text() }",
    "const DO_DOWNLOAD_RANGES_INFO *": "any_download_ranges()", "const DO_DOWNLOAD_ENUM_CATEGORY *": "any_category()",
    "DODownloadProperty": "any_download_property()",
}
INPUT_BYTES = {"SetClientCertificateByID"}  # BYTE *, 20 of them
# A count and an array behind it.
ARRAYS = {"BG_FILE_RANGE": "any_ranges", "BG_FILE_INFO": "any_file_set"}
# What comes out and must be given back.
OWNED = {"LPWSTR *": "give_memory", "BYTE **": "give_memory", "BG_FILE_RANGE **": "give_memory",
         "BITS_FILE_PROPERTY_VALUE *": "give_memory", "VARIANT *": "give_variant", "DOSwarmStats *": "give_stats"}


def type_of(parameter):
    name = re.search(r"(\w+)(?:\[\])?$", parameter)[1]
    return re.sub(r"\s+", " ", parameter[:parameter.rindex(name)]).strip() + ("[]" if parameter.endswith("[]") else "")


def arguments_of(method):
    """(arguments, statements after the call)"""
    types = [type_of(p) for p in method.params]
    if method.name == "Next":
        return ["any_count()", "maybe_array(n)", "maybe(&out[0])"], ["give_array(hr, n);"]
    arguments, after, slot = [], [], 0
    for i, t in enumerate(types):
        following = types[i + 1] if i + 1 < len(types) else ""
        array = re.fullmatch(r"(?:const )?(\w+)(?:\[\]| \*)", following)
        before = re.fullmatch(r"(?:const )?(\w+)(?:\[\]| \*)", t)
        if array and array[1] in ARRAYS and t in ("DWORD", "ULONG"):
            arguments.append(f"{ARRAYS[array[1]]}_count()")
        elif before and before[1] in ARRAYS:
            arguments.append(f"{ARRAYS[before[1]]}(n)")
        elif t in INPUT:
            arguments.append(INPUT[t])
        elif t == "BYTE *" and method.name in INPUT_BYTES:
            arguments.append("maybe(&out[0])")
        elif "*" in t:
            arguments.append(f"maybe(&out[{slot}])")
            give = OWNED.get(t, "give_object" if t.endswith("**") else None)
            if give:
                after.append(f"{give}(hr, &out[{slot}]);")
            slot += 1
        else:
            arguments.append(f"({t}) any64()")
    return arguments, after


def emit(interface, method):
    arguments, after = arguments_of(method)
    name = f"hammer_{interface.name}_{method.name}"
    call = ", ".join([f"({interface.name} *) object"] + arguments)
    lines = [f"static HRESULT {name}(void *object) {{"]
    if "&guid" in call:
        lines.append("        GUID guid = any_guid();")
    # A count is drawn before the array that fits it.
    for argument in [a for a in arguments if a.endswith("count()")]:
        lines.append(f"        ULONG n = {argument};")
        call = call.replace(argument, "n", 1)
    lines += ["        HRESULT hr;", "", "        empty_out();"]
    lines += [f"        hr = {interface.name}_{method.name}({call});"] + [f"        {a}" for a in after] + ["        return hr;", "}"]
    return name, "\n".join(lines)


def main():
    known, interfaces = {}, []
    for source in SOURCES:
        for block in headers.parse(headers.IDL / f"{source}.idl"):
            if block.kind == "interface":
                interface = headers.Interface(block, known, source)
                known[interface.name] = interface
                interfaces.append(interface)
    functions, rows, tables = [], [], []
    for interface in interfaces:
        if IMPLEMENTED_BY_CLIENTS.search(interface.name):
            continue
        rows.append(f"static const struct method methods_of_{interface.name}[] = {{")
        for _, method in interface.all_methods():
            if method.name in LIFETIME or (method.name == "QueryInterface" and interface.name != "IUnknown"):
                continue
            name, text = emit(interface, method)
            functions.append(text)
            rows.append(f'        {{ "{method.name}", {name} }},')
        rows.append("};")
        tables.append(f'        {{ "{interface.name}", &IID_{interface.name}, methods_of_{interface.name}, '
                      f"ELEMENTSOF(methods_of_{interface.name}) }},")
    text = "\n".join(functions + rows + ["static const struct interface interfaces[] = {"] + tables + ["};"]) + "\n"
    Path(sys.argv[1]).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
