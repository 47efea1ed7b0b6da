"""The pages of the manual: each interface, method and function has its place, and none has a warning of those that render it."""
import glob
import os
import re
import shutil
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
sys.dont_write_bytecode = True
import generate_manual  # noqa: E402


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Section 3 as it is made now: name -> text, and its folder."""
    folder = tmp_path_factory.mktemp("man3")
    subprocess.run([sys.executable, "-B", os.path.join(ROOT, "tools/generate_manual.py"), str(folder)], check=True)
    return folder, {p.name: p.read_text(encoding="utf-8") for p in folder.iterdir()}


@pytest.fixture(scope="module")
def tables():
    return generate_manual.Tables()


def test_each_interface_has_a_page_with_each_of_its_methods(pages, tables):
    _, texts = pages
    assert sorted(texts) == sorted([f"{name}.3" for name in tables.interfaces] + ["libdosvc.3"])
    for interface in tables.interfaces.values():
        assert f"\\- interface of downloads" not in texts[f"{interface.name}.3"], interface.name
        for method in interface.own:
            assert f"\\fB{method.result} {method.name}\\fR(" in texts[f"{interface.name}.3"]


def test_each_method_and_interface_is_explained(tables):
    assert [i.name for i in tables.interfaces.values() if not i.doc] == []
    assert [f"{i.name}::{m.name}" for i in tables.interfaces.values() for m in i.own if not m.doc] == []


def test_each_function_of_dosvc_h_is_in_libdosvc_3(pages):
    _, texts = pages
    with open(os.path.join(ROOT, "include/dosvc/dosvc.h"), encoding="utf-8") as f:
        declared = set(re.findall(r"^(?:int32_t|void|const dosvc_error \*) ?(dosvc_\w+)\(", f.read(), re.MULTILINE))
    assert len(declared) > 20
    assert set(re.findall(r"^\\fB[^\n(]*?(dosvc_\w+)\(", texts["libdosvc.3"], re.MULTILINE)) == declared


def test_libdosvc_3_names_every_page(pages, tables):
    _, texts = pages
    for name in tables.interfaces:
        assert f".BR {name} (3)" in texts["libdosvc.3"]


@pytest.mark.parametrize("command", [["mandoc", "-Tlint", "-Wwarning"], ["groff", "-man", "-t", "-ww", "-Tutf8", "-Kutf8"]], ids=["mandoc", "groff"])
def test_no_page_has_a_warning(pages, command):
    if not shutil.which(command[0]):
        pytest.skip(f"no {command[0]} here")
    folder, _ = pages
    for page in sorted(glob.glob(f"{folder}/*.3") + glob.glob(os.path.join(ROOT, "docs/man/*.[1-9]"))):
        result = subprocess.run([*command, page], capture_output=True, text=True, check=False)
        said = result.stderr + (result.stdout if command[0] == "mandoc" else "")
        assert said == "", said
