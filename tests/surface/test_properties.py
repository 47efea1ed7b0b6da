"""idl/properties.txt, the table of what can be set and shown, has what the service has: idl/org.dosvc.xml, nothing more, nothing less."""
import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Told in a form of its own, and no key: the job's error ("show", and "error" in JSON).
NO_KEY = {("job", "Error")}


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def rows():
    """(object, key, D-Bus name, signature, access)"""
    for line in read("idl/properties.txt").splitlines():
        if line.strip() and not line.startswith("#"):
            cells = [cell.strip() for cell in line.split("|")]
            yield (*cells[0].split("."), cells[1], cells[2], cells[4])


def published(interface):
    root = ElementTree.fromstring(read("idl/org.dosvc.xml").split("-->", 1)[1])
    [found] = [i for i in root if i.get("name") == f"org.dosvc.{interface}"]
    return {(p.get("name"), p.get("type")) for p in found.iter("property")}


@pytest.mark.parametrize("kind, interface", [("job", "Job1"), ("file", "File1")])
def test_each_property_of_the_service_has_a_row_with_its_type(kind, interface):
    in_table = {(name, signature) for k, _, name, signature, access in rows() if k == kind and "r" in access}
    on_bus = {(name, signature) for name, signature in published(interface) if (kind, name) not in NO_KEY}
    assert in_table == on_bus


@pytest.mark.parametrize("kind, reader, others", [("job", "options_read_properties", set()),
                                                  ("file", "options_read_file_properties", {"Url", "Validation"})])  # by methods
def test_what_setproperties_takes_can_be_set_by_key(kind, reader, others):
    """src/bus/options.c is what the service reads."""
    source = read("src/bus/options.c").split(f"int {reader}(")[1].split("\n}\n")[0]
    taken = set(re.findall(r'\{ "(\w+)",\s+OPTION_', source))
    assert len(taken) > 2
    assert {name for k, _, name, _, access in rows() if k == kind and set(access) & set("ws")} == taken | others


def test_the_library_knows_every_key_and_the_help_shows_those_that_can_be_set():
    program = os.path.join(os.environ.get("DOSVC_BUILD", os.path.join(ROOT, "build")), "src", "cli", "dosvc")
    if not os.path.exists(program):
        pytest.skip(f"{program} is not built")
    shown = subprocess.run([program, "set", "--help"], check=True, capture_output=True, text=True).stdout.split("Keys:\n")[1]
    keys = [("file.N." if kind == "file" else "") + key for kind, key, _, _, access in rows() if set(access) & set("ws")]
    assert re.findall(r"^  ([\w.]+) ", shown, re.MULTILINE) == keys
