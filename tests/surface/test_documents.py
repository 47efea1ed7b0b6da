"""Documents that are made from tables are current, and the package list has what meson.build asks for."""
import os
import pty
import re
import shutil
import subprocess
import sys

import pytest

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


def test_docs_dbus_md_is_what_the_xml_says(tmp_path):
    out = tmp_path / "dbus.md"
    subprocess.run([sys.executable, "-B", os.path.join(ROOT, "tools/generate_dbus.py"), str(out)], check=True)
    assert read("docs/dbus.md") == out.read_text(encoding="utf-8")


def test_every_method_signal_and_property_of_the_xml_is_explained():
    text = read("docs/dbus.md")
    for heading, body in re.findall(r"^### (?:Signal )?(\w+)\n\n`[^`]+`\n\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL):
        assert len(body.split()) > 2, heading
    for name, meaning in re.findall(r"^\| (\w+) \| `[^`]+` \| (.*?) \|", text, re.MULTILINE):
        assert meaning.strip(), name


def test_the_keys_in_dosvc_conf_5_are_those_of_idl_config_txt(tmp_path):
    page = read("docs/man/dosvc.conf.5")
    keys = page.split("idl/config.txt\n")[1].split('.\\" keys:end')[0]
    assert keys == generated("config-man", "idl/config.txt", tmp_path)


def test_the_keys_in_dosvc_1_are_those_of_idl_properties_txt(tmp_path):
    page = read("docs/man/dosvc.1")
    keys = page.split("idl/properties.txt\n")[1].split('.\\" keys:end')[0]
    assert keys == generated("properties-man", "idl/properties.txt", tmp_path)


def test_every_row_of_not_implemented_is_tried():
    """By tests/conformance/test_not_implemented.c, which has no other rows."""
    rows = re.findall(r"^\| (?!Method |---)(.*?) \|", read("docs/not-implemented.md"), re.MULTILINE)
    tried = re.findall(r'^ +\{ "(.*?)", ', read("tests/conformance/test_not_implemented.c").replace('"\n                  "', ""), re.MULTILINE)
    assert tried == rows


def test_the_concepts_name_every_state_and_waiting_reason():
    page, source = read("docs/concepts.md"), read("src/protocol/states.c")
    reasons = re.findall(r'\[WAITING_\w+\] = \{ "(\w+)"', source)
    states = re.findall(r'\[JOB_(?:QUEUED|TRANSFERRING|SUSPENDED|ERROR|TRANSIENT_ERROR|TRANSFERRED|ACKNOWLEDGED|CANCELLED)\] = "(\w+)"', source)
    assert len(reasons) > 10 and len(states) == 8
    for word in set(reasons) - {"none"} | set(states):
        assert re.search(rf"^\|[^|]*\b{word}\b", page, re.MULTILINE), word


def test_every_page_of_docs_is_in_its_index_and_every_link_leads_somewhere():
    index = read("docs/README.md")
    for name in os.listdir(os.path.join(ROOT, "docs")):
        assert name in ("README.md", "meson.build", "man") or f"]({name}" in index, name
    for page in ("README.md", "docs/README.md", "docs/concepts.md", "examples/README.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", read(page)):
            assert os.path.exists(os.path.join(ROOT, os.path.dirname(page), link)), (page, link)


def program(*path):
    found = os.path.join(os.environ.get("DOSVC_BUILD", os.path.join(ROOT, "build")), "src", *path)
    if not os.path.exists(found):
        pytest.skip(f"{found} is not built")
    return found


def help_of(*words):
    return subprocess.run([program("cli", "dosvc"), *words, "--help"], check=True, capture_output=True, text=True).stdout


def verbs():
    return re.findall(r"^  ([a-z]+) {2,}", help_of(), re.MULTILINE)


def plain(roff):
    """A man page without its fonts and escapes."""
    text = re.sub(r"\\f[BIRP]", "", roff).replace("\\-", "-")
    return re.sub(r"^\.(B|I|BR|RB|IR) ", "", text, flags=re.MULTILINE).replace('"', '')


def test_every_verb_of_the_help_is_in_the_man_page_and_the_other_way_round():
    section = plain(read("docs/man/dosvc.1")).split(".SH VERBS")[1].split(".SH")[0]
    assert sorted(re.findall(r"^\.TP\n([a-z]+)", section, re.MULTILINE)) == sorted(verbs())


def test_every_option_of_the_help_is_in_the_man_page_and_the_other_way_round():
    section = plain(read("docs/man/dosvc.1")).split(".SH OPTIONS")[1].split(".SH")[0]
    documented = set()
    for head in re.findall(r"^\.TP\n(.*)$", section, re.MULTILINE):
        documented |= set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", head))
    shown = set()
    for verb in verbs():
        for line in help_of(verb).splitlines():
            if re.match(r"  (-\w, |    )--", line):
                shown |= set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", line[:38]))
    assert documented == shown


def test_the_options_of_dosvcd_are_those_of_its_man_page():
    shown = subprocess.run([program("daemon", "dosvcd"), "--help"], check=True, capture_output=True, text=True).stdout
    section = plain(read("docs/man/dosvcd.8")).split(".SH OPTIONS")[1].split(".SH")[0]
    documented = set(re.findall(r"^\.TP\n(--[a-z-]+)", section, re.MULTILINE))
    assert "--idle-exit" in documented
    assert documented == set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", shown))


def test_the_options_of_dosvc_metrics_are_those_of_its_man_page():
    shown = subprocess.run([program("daemon", "dosvc-metrics"), "--help"], check=True, capture_output=True, text=True).stdout
    section = plain(read("docs/man/dosvc-metrics.8")).split(".SH OPTIONS")[1].split(".SH")[0]
    documented = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", " ".join(re.findall(r"^\.TP\n(.*)$", section, re.MULTILINE))))
    assert "--listen" in documented
    assert documented == set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", shown))


def test_every_exit_code_of_the_man_page_is_in_the_help():
    section = plain(read("docs/man/dosvc.1")).split(".SH EXIT STATUS")[1].split(".TE")[0]
    for code in re.findall(r"^(\d+)\t", section, re.MULTILINE):
        assert re.search(rf"(?<!\d){code} \w", help_of()), code


def completion(shell):
    return subprocess.run([program("cli", "dosvc"), "completion", shell], check=True, capture_output=True, text=True).stdout


def test_completion_knows_every_verb_and_is_sound_for_bash():
    script = completion("bash")
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    for verb in verbs():
        assert re.search(rf"^ +{verb}\) ", script, re.MULTILINE), verb


def test_completion_knows_every_verb_and_is_sound_for_zsh():
    script = completion("zsh")
    for verb in verbs():
        assert re.search(rf"^ +\({verb}\) ", script, re.MULTILINE), verb
    if not shutil.which("zsh"):
        pytest.skip("no zsh to read it")
    subprocess.run(["zsh", "-n"], input=script, text=True, check=True)


def test_zsh_completes_files_where_a_verb_takes_some():
    last = completion("zsh").split("esac")[-1]
    for verb in verbs():
        takes_files = help_of(verb).splitlines()[0].endswith(" FILE...")
        assert bool(re.search(rf"\(([a-z]+\|)*{verb}(\|[a-z]+)*\) \]\] && _files", last)) == takes_files, verb


def complete_in_bash(*words):
    """What bash offers for the last of the words."""
    script = completion("bash") + 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dosvc; printf "%s\\n" "${COMPREPLY[@]}"\n'
    environment = {**os.environ, "PATH": os.path.dirname(program("cli", "dosvc")) + ":" + os.environ["PATH"],
                   "DOSVC_ADDRESS": "unix:path=/nonexistent/bus"}
    return subprocess.run(["bash", "-c", script, "bash", *words], check=True, capture_output=True, text=True, env=environment).stdout.split()


def test_bash_completes_verbs_options_and_keys():
    assert complete_in_bash("dosvc", "st") == ["stats"]
    assert "--sha256" in complete_in_bash("dosvc", "get", "--s")
    assert complete_in_bash("dosvc", "set", "12345678", "prio") == [f"priority={w}" for w in ("foreground", "high", "normal", "low")]
    assert complete_in_bash("dosvc", "set", "12345678", "max_d") == ["max_download_size="]
    assert complete_in_bash("dosvc", "list", "--family", "b") == ["bits"]
    assert complete_in_bash("dosvc", "list", "--family", "do") == ["do", "download"]
    assert complete_in_bash("dosvc", "create", "--family", "do") == ["do"]


def typed_in_bash(folder, keys):
    """The words of the command when somebody types this into a bash with completion."""
    script = folder / "rc"
    script.write_text(completion("bash") + "dosvc() { printf '<%s>' \"$@\"; echo; exit; }\nPS1=\n")
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "dumb", "INPUTRC": "/dev/null", "HISTFILE": ""}
    with subprocess.Popen(["bash", "--noprofile", "--rcfile", str(script), "-i"], stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          cwd=folder, env=environment, text=True, start_new_session=True) as shell:
        os.close(slave)
        os.write(master, keys.encode())
        out = shell.communicate(timeout=60)[0]
    os.close(master)
    return re.findall(r"<(.*?)>", out)


def test_bash_completes_names_with_blanks_and_only_folders_where_a_folder_is_wanted(tmp_path):
    (tmp_path / "my list of files.txt").touch()
    (tmp_path / "my own folder").mkdir()
    assert typed_in_bash(tmp_path, "dosvc get -i my\\ l\t\n") == ["get", "-i", "my list of files.txt"]
    assert typed_in_bash(tmp_path, "dosvc get --integrity my\\ l\t\n") == ["get", "--integrity", "my list of files.txt"]
    assert typed_in_bash(tmp_path, "dosvc get -d my\t\n") == ["get", "-d", "my own folder/"]


def test_every_dependency_of_the_build_is_in_the_package_list():
    packages = {line.split()[0] for line in read("packaging/debian-packages.txt").splitlines()
                if line.strip() and not line.startswith("#")}
    names = {"sqlite3": "libsqlite3-dev", "libcrypto": "libssl-dev", "libssl": "libssl-dev", "libcurl": "libcurl4-openssl-dev", "libidn2": "libidn2-dev",
             "libsystemd": "libsystemd-dev", "inih": "libinih-dev", "libseccomp": "libseccomp-dev", "jansson": "libjansson-dev",
             "libmicrohttpd": "libmicrohttpd-dev",
             "cmocka": "libcmocka-dev", "threads": "libc6-dev"}
    for dependency in re.findall(r"= dependency\('([\w-]+)'", read("meson.build")):
        assert names[dependency] in packages


def test_every_line_of_the_package_list_says_what_it_is_for():
    for line in read("packaging/debian-packages.txt").splitlines():
        if line.strip() and not line.startswith("#"):
            assert re.fullmatch(r"[a-z0-9.+-]+ +(build|check|bench|soak)", line)


def test_no_folder_of_the_machine_that_built_it_is_in_a_text():
    """README and friends hold for every machine: no absolute home or work folder."""
    for path in ("README.md", "ARCHITECTURE.md", "HACKING.md", "SECURITY.md", "NEWS.md"):
        if os.path.exists(os.path.join(ROOT, path)):
            assert not re.search(r"(?<![\w~])/(home/(?!user)|work/|root/)", read(path)), path
