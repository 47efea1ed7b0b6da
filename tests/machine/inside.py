"""What the tests that run as root inside a machine (tests/lib/machine.py) share: its users, its units, its journal."""
import json
import os
import subprocess
import time

USERS = {"tester": 4711, "other": 4712}
SECONDS = 30


def journal():
    return subprocess.run(["journalctl", "--no-pager", "-o", "short"], text=True, capture_output=True, check=False).stdout


def run(*words, check=True):
    done = subprocess.run(words, text=True, capture_output=True, timeout=SECONDS, stdin=subprocess.DEVNULL, check=False)
    assert not check or done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}\n{journal()}"
    return done


def systemctl(*words, check=True):
    return run("systemctl", *words, check=check).stdout.strip()


def show(unit, name):
    return systemctl("show", "--value", "-p", name, unit)


def home(user):
    return f"/home/{user}" if user in USERS else "/root"


def command_of(user, *words):
    """The words that run these words as that user."""
    identity = ["setpriv", f"--reuid={USERS[user]}", f"--regid={USERS[user]}", "--clear-groups"] if user in USERS else []
    environment = [f"HOME={home(user)}", "PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8"]
    if user == "tester":
        environment.append(f"XDG_RUNTIME_DIR=/run/user/{USERS[user]}")
    return [*identity, "env", "-i", *environment, *words]


def run_as(user, *words, check=True):
    return run(*command_of(user, *words), check=check)


def dosvc(user, *words, check=True):
    """With the system instance."""
    return run_as(user, "dosvc", words[0], "--system", *words[1:], check=check)


def dosvc_json(user, *words):
    return json.loads(dosvc(user, *words, "--json").stdout)


def wait_until(condition, seconds=SECONDS):
    """For what nobody tells."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(journal())
        time.sleep(0.01)


def slow_job(user, origin, name, size):
    """One that is under way, and stays so until origin.rate is None."""
    origin.rate = 1 << 20
    job = dosvc(user, "get", "--detach", "-o", f"{home(user)}/{name}", origin.url(name, size)).stdout.strip()
    wait_until(lambda: dosvc_json(user, "show", job)[0]["bytes_transferred"])
    return job


def content_of(path):
    with open(path, "rb") as f:
        return f.read()


def inode_of_program(pid):
    return os.stat(f"/proc/{pid}/exe").st_ino
