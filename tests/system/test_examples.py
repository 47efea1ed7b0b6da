"""The programs of examples/, built with the installed headers through pkg-config and run as their users do."""
import glob
import os
import subprocess
import sys

import pytest
from conftest import BUILD, ROOT
from origin import content

EXAMPLES = os.path.join(ROOT, "examples")
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """What meson installs, in a folder of its own: (folder of libraries, flags of pkg-config)."""
    root = str(tmp_path_factory.mktemp("installed"))
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", root], check=True, capture_output=True)
    [folder] = [os.path.dirname(p) for p in glob.glob(f"{root}/**/pkgconfig/dosvc.pc", recursive=True)]
    environment = {**os.environ, "PKG_CONFIG_PATH": folder, "PKG_CONFIG_SYSROOT_DIR": root}
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "dosvc"], check=True, capture_output=True, text=True, env=environment).stdout.split()
    return os.path.dirname(folder), flags


@pytest.fixture(params=["bits.c", "delivery.cpp", "fetch.py"])
def example(request, installed, tmp_path):
    """The command of one example and its environment."""
    libraries, flags = installed
    source = os.path.join(EXAMPLES, request.param)
    if request.param.endswith(".py"):
        return [sys.executable, "-B", source], {}
    program = str(tmp_path / "program")
    compiler = ["cc", "-std=c11", "-D_GNU_SOURCE"] if request.param.endswith(".c") else ["c++", "-std=c++11"]
    subprocess.run([*compiler, *STRICT, "-pthread", source, "-o", program, *flags], check=True)
    return [program], {"LD_LIBRARY_PATH": libraries}


def run(instance, example, *words):
    command, environment = example
    return subprocess.run([*command, *map(str, words)], env=instance.command_environment(environment), capture_output=True, text=True,
                          timeout=60, check=False)


def test_an_example_downloads_a_file(instance, origin, target, example):
    result = run(instance, example, origin.url("f", 300000), target / "f")
    assert result.returncode == 0, result.stdout + result.stderr
    assert (target / "f").read_bytes() == content("f", 300000)
    assert os.listdir(target) == ["f"] and instance.jobs() == []
    assert instance.json("history")[0]["state"] == "acknowledged"


def test_an_example_says_what_failed(instance, small, target, example):
    result = run(instance, example, small.url("status/404"), target / "f")
    assert result.returncode == 1
    assert "404" in result.stdout + result.stderr or "0194" in result.stderr
    assert os.listdir(target) == [] or example[0][-1].endswith(".py")


def test_an_example_without_arguments_fails(instance, example):
    assert run(instance, example).returncode != 0
