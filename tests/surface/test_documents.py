"""Documents that are made from tables are current, and the package list has what meson.build asks for."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def generated(kind, source, tmp_path):
    out = tmp_path / "out"
    subprocess.run([sys.executable, "-B", os.path.join(ROOT, "tools/generate_tables.py"), kind,
                    os.path.join(ROOT, source), str(out)], check=True)
    return out.read_text(encoding="utf-8")


def test_docs_errors_md_is_what_idl_errors_txt_says(tmp_path):
    assert read("docs/errors.md") == generated("errors-md", "idl/errors.txt", tmp_path)


def test_every_dependency_of_the_build_is_in_the_package_list():
    packages = {line.split()[0] for line in read("packaging/debian-packages.txt").splitlines()
                if line.strip() and not line.startswith("#")}
    names = {"sqlite3": "libsqlite3-dev", "libcrypto": "libssl-dev", "libssl": "libssl-dev", "libcurl": "libcurl4-openssl-dev",
             "libsystemd": "libsystemd-dev", "inih": "libinih-dev", "libseccomp": "libseccomp-dev", "jansson": "libjansson-dev",
             "cmocka": "libcmocka-dev", "threads": "libc6-dev"}
    for dependency in re.findall(r"= dependency\('([\w-]+)'", read("meson.build")):
        assert names[dependency] in packages


def test_every_line_of_the_package_list_says_what_it_is_for():
    for line in read("packaging/debian-packages.txt").splitlines():
        if line.strip() and not line.startswith("#"):
            assert re.fullmatch(r"[a-z0-9.+-]+ +(build|check|bench)", line)


def test_no_folder_of_the_machine_that_built_it_is_in_a_text():
    """README and friends hold for every machine: no absolute home or work folder."""
    for path in ("README.md", "ARCHITECTURE.md", "HACKING.md", "SECURITY.md", "NEWS.md"):
        if os.path.exists(os.path.join(ROOT, path)):
            assert not re.search(r"(?<![\w~])/(home/(?!user)|work/|root/)", read(path)), path
