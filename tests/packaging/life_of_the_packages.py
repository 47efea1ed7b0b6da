"""Runs as root in a machine that test_packages.py boots: the packages installed, used, upgraded while both instances have jobs, removed and purged.

usage: life_of_the_packages.py FOLDER, which has first/*.deb and second/*.deb
"""
import glob
import json
import os
import subprocess
import sys
import time

import origin as origin_module

UID = 4711
HOME = "/home/tester"
RUNTIME = f"/run/user/{UID}"
NAMES = ["dosvc", "libdosvc1", "libdosvc-dev", "dosvc-doc"]
SYSTEM_UNITS = ["dosvc.socket", "dosvc.service", "dosvc-broker.socket", "dosvc-broker.service"]
SIZE, SLOW_SIZE = 1 << 20, 64 << 20
PROGRAM = """
#include <dosvc.h>
#include <stdio.h>
static int count(const dosvc_job_info *job, void *userdata) { (void) job; ++*(int *) userdata; return 0; }
int main(void) {
        dosvc *connection;
        int n = 0;
        if (dosvc_open(0, &connection) < 0 || dosvc_list_jobs(connection, NULL, count, &n) < 0)
                return 1;
        dosvc_close(connection);
        printf("%d\\n", n);
        return 0;
}
"""


def run(*words, check=True, **options):
    done = subprocess.run(words, text=True, capture_output=True, timeout=120, stdin=subprocess.DEVNULL, check=False, **options)
    assert not check or done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def as_user(*words, **environment):
    extra = [f"{name}={value}" for name, value in environment.items()]
    return run("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "env", "-i", f"HOME={HOME}", f"XDG_RUNTIME_DIR={RUNTIME}", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", *extra, *words, cwd=HOME)


def dpkg(*words):
    return run("dpkg", "--force-unsafe-io", *words, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"})


def version():
    return {name: run("dpkg-query", "-W", "-f", "${Version} ${db:Status-Abbrev}", name) for name in NAMES}


def files_of(names):
    found = set()
    for name in names:
        # /lib itself is a link where /usr has everything
        found |= {line for line in run("dpkg", "-L", name).splitlines() if os.path.lexists(line) and not os.path.isdir(line)}
    return found


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, run("journalctl", "--no-pager", "-o", "short")
        time.sleep(0.02)


def unit(name, prop):
    return run("systemctl", "show", "--value", "-p", prop, name)


def service(place):
    return json.loads(as_user("dosvc", "service", "--json", place))


def content_of(path):
    with open(path, "rb") as f:
        return f.read()


def runs_what_is_installed(pid):
    return os.stat(f"/proc/{pid}/exe").st_ino == os.stat("/usr/bin/dosvcd").st_ino


def install(folder):
    dpkg("-i", *sorted(glob.glob(folder + "/*.deb")))


def see_what_was_installed():
    assert set(version().values()) == {"0.1.0-1 ii"}, version()
    links = "/etc/systemd/user/sockets.target.wants/dosvc.socket", "/etc/systemd/user/default.target.wants/dosvc.service"
    assert [os.path.lexists(link) for link in links] == [True, False]
    # The system instance is there, and runs as soon as somebody connects.
    assert [run("systemctl", "is-enabled", name, check=False) for name in SYSTEM_UNITS] == ["enabled", "enabled", "static", "static"]
    assert [unit(name, "ActiveState") for name in SYSTEM_UNITS] == ["active", "inactive", "inactive", "inactive"]
    # What listens at a port is not switched on by its installation.
    assert run("systemctl", "is-enabled", "dosvc-metrics.socket", check=False) == "disabled" and unit("dosvc-metrics.socket", "ActiveState") == "inactive"
    assert run("getent", "passwd", "dosvc").split(":")[5] == "/var/lib/dosvc"
    for path in ("/usr/share/polkit-1/actions/org.dosvc.policy", "/usr/share/dbus-1/services/org.dosvc.service",
                 "/usr/share/dbus-1/system-services/org.dosvc.service", "/usr/share/dbus-1/system.d/org.dosvc.conf",
                 "/usr/lib/systemd/catalog/dosvc.catalog", "/usr/share/bash-completion/completions/dosvc.bash", "/usr/share/zsh/vendor-completions/_dosvc"):
        assert os.path.exists(path), path
    for page in ("dosvc.1", "dosvcd.8", "dosvc-metrics.8", "dosvc.conf.5", "IBackgroundCopyJob.3"):
        assert glob.glob(f"/usr/share/man/man{page[-1]}/{page}.gz"), page
    return links


def use(origin):
    for place in ("--user", "--system"):
        target = f"{HOME}/fetched{place}"
        as_user("dosvc", "get", place, "-o", target, origin.url("fetched", SIZE))
        assert content_of(target) == origin_module.content("fetched", SIZE) and os.stat(target).st_uid == UID
    assert service("--system")["pid"] == int(unit("dosvc.service", "MainPID"))
    job = as_user("dosvc", "create", "whoever does not choose gets the system instance")
    as_user("dosvc", "cancel", "--system", job)
    # And root, whom it does not serve, one of its own.
    run("env", "-i", "HOME=/root", "PATH=/usr/bin:/bin", "dosvc", "get", "-q", "-o", "/root/fetched", origin.url("fetched", SIZE))
    assert content_of("/root/fetched") == origin_module.content("fetched", SIZE)
    as_user("dosvc", "create", "--user", "kept")
    with open("/tmp/program.c", "w", encoding="utf-8") as f:
        f.write(PROGRAM)
    run("sh", "-c", "cc -Wall -Werror -o /tmp/program /tmp/program.c $(pkg-config --cflags --libs dosvc)")
    assert as_user("/tmp/program", DOSVC_ADDRESS=f"unix:path={RUNTIME}/dosvc/bus") == "1"
    assert as_user("bash", "-c", "source /usr/share/bash-completion/completions/dosvc.bash && complete -p dosvc")


def upgrade(folder, origin):
    """The system instance is started again by its package; a user's own becomes the new program when it meets it."""
    origin.rate = 1 << 20
    for place in ("--user", "--system"):
        job = as_user("dosvc", "get", place, "--detach", "-o", f"{HOME}/slow{place}", origin.url("slow" + place, SLOW_SIZE))
        wait_until(lambda: json.loads(as_user("dosvc", "show", place, "--json", job))[0]["bytes_transferred"])
    user, broker, socket = service("--user"), unit("dosvc-broker.service", "MainPID"), os.stat("/run/dosvc/bus")
    install(folder)
    assert set(version().values()) == {"0.1.0-2 ii"}, version()
    wait_until(lambda: unit("dosvc.service", "MainPID") != "0" and runs_what_is_installed(unit("dosvc.service", "MainPID")))
    assert os.stat("/run/dosvc/bus").st_ino == socket.st_ino  # nobody was turned away meanwhile
    assert service("--user")["pid"] == user["pid"] and not runs_what_is_installed(user["pid"])
    os.kill(service("--user")["transfer_pid"], 9)
    wait_until(lambda: runs_what_is_installed(user["pid"]))
    origin.rate = None
    for place in ("--user", "--system"):
        wait_until(lambda: os.path.exists(f"{HOME}/slow{place}"))
        assert content_of(f"{HOME}/slow{place}") == origin_module.content("slow" + place, SLOW_SIZE)
    assert service("--user")["pid"] == user["pid"]
    assert unit("dosvc-broker.service", "MainPID") not in ("0", broker)  # which may have been asked for again before it was there
    assert "kept" in [job["name"] for job in json.loads(as_user("dosvc", "list", "--user", "--json"))]


def remove(links):
    files = files_of(NAMES)
    assert len(files) > 50, sorted(files)
    assert os.path.exists("/var/lib/dosvc/jobs.sqlite")
    os.kill(service("--user")["pid"], 15)
    dpkg("-r", "dosvc")
    assert not os.path.exists("/usr/bin/dosvc") and not os.path.exists("/usr/libexec/dosvc")
    assert [(unit(name, "ActiveState"), unit(name, "LoadState")) for name in SYSTEM_UNITS] == [("inactive", "not-found")] * 4
    assert not os.path.exists("/run/dosvc/bus") and os.path.exists("/var/lib/dosvc/jobs.sqlite")
    dpkg("-P", *NAMES)
    enabled = {f"/etc/systemd/system/{name}" for name in ("sockets.target.wants/dosvc.socket", "multi-user.target.wants/dosvc.service", "dbus-org.dosvc.service")}
    left = [path for path in files | set(links) | enabled | {"/var/lib/dosvc"} if os.path.lexists(path)]
    assert not left, left
    assert os.path.exists(HOME + "/.local/state/dosvc/jobs.sqlite")  # the user's, not the package's
    for name in NAMES:
        assert run("dpkg-query", "-W", "-f", "${db:Status-Abbrev}", name, check=False) in ("", "un"), name


def main():
    folder = sys.argv[1]
    if os.path.exists("/var/lib/man-db/auto-update"):
        os.unlink("/var/lib/man-db/auto-update")  # an index of all pages of this machine: minutes for nothing
    origin = origin_module.Origin()
    install(folder + "/first")
    links = see_what_was_installed()
    print("installed", flush=True)
    use(origin)
    print("used", flush=True)
    upgrade(folder + "/second", origin)
    print("upgraded", flush=True)
    remove(links)
    print("removed and purged", flush=True)


if __name__ == "__main__":
    main()
