"""Runs as root in a root of its own (test_packages.py makes it): the packages installed, used, upgraded, removed and purged.

usage: life_of_the_packages.py FOLDER, which has first/*.deb and second/*.deb
"""
import glob
import http.server
import json
import os
import subprocess
import sys
import threading

UID = 4711
HOME = "/home/packaged"
NAMES = ["dosvc", "libdosvc1", "libdosvc-dev", "dosvc-doc"]
CONTENT = os.urandom(1 << 20)
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


def as_user(*words, **options):
    return run("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "env", "-i", f"HOME={HOME}", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", *words, cwd=HOME,
               **options)


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


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802 the name is http.server's
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *_):
        pass


def main():
    folder = sys.argv[1]
    os.makedirs(HOME)
    os.chown(HOME, UID, UID)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    dpkg("-i", *sorted(glob.glob(folder + "/first/*.deb")))
    assert set(version().values()) == {"0.1.0-1 ii"}, version()
    links = "/etc/systemd/user/sockets.target.wants/dosvc.socket", "/etc/systemd/user/default.target.wants/dosvc.service"
    assert [os.path.lexists(link) for link in links] == [True, False]
    for page in ("dosvc.1", "dosvcd.8", "dosvc.conf.5", "IBackgroundCopyJob.3"):
        assert glob.glob(f"/usr/share/man/man{page[-1]}/{page}.gz"), page
    print("installed", flush=True)

    as_user("dosvc", "get", "-o", HOME + "/fetched", f"http://127.0.0.1:{server.server_port}/x")
    with open(HOME + "/fetched", "rb") as f:
        assert f.read() == CONTENT
    as_user("dosvc", "create", "kept")
    before = json.loads(as_user("dosvc", "service", "--json"))
    with open("/tmp/program.c", "w", encoding="utf-8") as f:
        f.write(PROGRAM)
    run("sh", "-c", "cc -Wall -Werror -o /tmp/program /tmp/program.c $(pkg-config --cflags --libs dosvc)")
    assert as_user("/tmp/program") == "1"
    assert as_user("bash", "-c", "source /usr/share/bash-completion/completions/dosvc.bash && complete -p dosvc")
    print("used", flush=True)

    dpkg("-i", *sorted(glob.glob(folder + "/second/*.deb")))
    assert set(version().values()) == {"0.1.0-2 ii"}, version()
    # Who is there goes on with the program that it is; the next one is new and has all the jobs.
    assert json.loads(as_user("dosvc", "service", "--json"))["pid"] == before["pid"]
    os.kill(before["pid"], 15)
    after = [job["name"] for job in json.loads(as_user("dosvc", "list", "--json"))]
    assert after == ["kept"], after
    print("upgraded", flush=True)

    files = files_of(NAMES)
    assert len(files) > 50, sorted(files)
    os.kill(json.loads(as_user("dosvc", "service", "--json"))["pid"], 15)
    dpkg("-r", "dosvc")
    assert not os.path.exists("/usr/bin/dosvc") and not os.path.exists("/usr/libexec/dosvc")
    assert os.path.exists(HOME + "/.local/state/dosvc/jobs.sqlite")  # the user's, not the package's
    dpkg("-P", *NAMES)
    left = [path for path in files | set(links) if os.path.lexists(path)]
    assert not left, left
    for name in NAMES:
        assert run("dpkg-query", "-W", "-f", "${db:Status-Abbrev}", name, check=False) in ("", "un"), name
    print("removed and purged", flush=True)


if __name__ == "__main__":
    main()
