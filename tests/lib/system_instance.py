"""A whole system instance for a test: broker (root), core (user dosvc), and people with homes, in a mount namespace with users of its own.

    machine = Machine(build); machine.start()
    machine.command("alice", "get", url, "-d", machine.home("alice"))    # the dosvc command as that user
    machine.close()

With own_namespace=True the users are made in the caller's own mount namespace, which must be one that it made for itself; state=FOLDER
puts the state there (it must be dosvc's).

With polkit=True the core's system bus is a private one with a polkit that answers as machine.polkit(...) said (fake_polkit.py);
start_polkit(address) puts it on another bus. With network=PID everything runs in that process's network namespace.

Needs root. Nothing of the machine's own users, /run or /var is touched.
"""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

# name -> (uid, supplementary groups)
USERS = {"dosvc": (990, []), "daemon": (1, []), "alice": (2001, ["team"]), "bob": (2002, []), "carol": (2003, ["team"])}
GROUPS = {"team": 3000}
SECONDS = 20
BUS_CONFIG = """<busconfig><type>system</type><listen>unix:path={0}/system-bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>"""


class Machine:
    def __init__(self, build, config="", polkit=False, own_namespace=False, state=None, network=None):
        self.environment = dict(os.environ)  # of the core and the broker
        self.with_polkit = polkit
        self.root = tempfile.mkdtemp(prefix="dosvc-system-")
        os.chmod(self.root, 0o755)
        self.bin = self.path("bin")
        os.mkdir(self.bin)
        for program in ("src/daemon/dosvcd", "src/daemon/dosvc-broker", "src/daemon/dosvc-owner", "src/daemon/dosvc-runner",
                        "src/daemon/dosvc-notify", "src/daemon/dosvc-transfer", "src/daemon/dosvc-resolve", "src/cli/dosvc", "src/client/libdosvc.so.1"):
            shutil.copy(os.path.join(build, program), self.bin)
        with open(self.path("dosvc.conf"), "w", encoding="ascii") as f:
            f.write("[Service]\nMinimumRetryDelayDO=1\nConnectTimeout=5\nStallTimeout=5\n" + config)
        self.socket = self.path("run/bus")
        self.broker_socket = self.path("run/broker")
        self.processes = {}
        self.holder = None
        self.network = [f"--net=/proc/{network}/ns/net"] if network else []
        self.in_own_namespace = own_namespace
        self.state = state or self.path("state")
        self._make_users()
        self._make_places()

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    def home(self, user):
        return self.path("home", user)

    def _make_users(self):
        groups = {"root": (0, []), **{name: (uid, []) for name, (uid, _) in USERS.items()}}
        groups.update({name: (gid, [u for u, (_, more) in USERS.items() if name in more]) for name, gid in GROUPS.items()})
        with open(self.path("passwd"), "w", encoding="ascii") as f:
            f.write("root:x:0:0:root:/root:/bin/sh\n")
            f.writelines(f"{name}:x:{uid}:{uid}::{self.home(name)}:/bin/sh\n" for name, (uid, _) in USERS.items())
        with open(self.path("group"), "w", encoding="ascii") as f:
            f.writelines(f"{name}:x:{gid}:{','.join(members)}\n" for name, (gid, members) in groups.items())

    def _make_places(self):
        os.makedirs(self.path("home"))
        for user, (uid, _) in USERS.items():
            os.mkdir(self.home(user), 0o700)
            os.chown(self.home(user), uid, uid)
        for name, mode in (("run", 0o755), ("state", 0o700)):
            os.mkdir(self.path(name), mode)
            os.chown(self.path(name), USERS["dosvc"][0], USERS["dosvc"][0])

    # ---- processes ----

    def start(self):
        if not self.holder:
            self.start_namespace()
        self.start_broker()
        self.start_core()

    def start_namespace(self):
        if self.in_own_namespace:
            for name in ("passwd", "group"):
                subprocess.run(["mount", "--bind", self.path(name), "/etc/" + name], check=True)
            return
        ready = self.path("namespace-is-ready")
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "slave", "sh", "-c",
             f"mount --bind {self.path('passwd')} /etc/passwd && mount --bind {self.path('group')} /etc/group && touch {ready} && exec sleep infinity"],
            start_new_session=True)
        self._wait(lambda: os.path.exists(ready), "the namespace")
        if self.with_polkit:
            self._start_bus()
            self.start_polkit(self.bus_address)
            self.environment["DBUS_SYSTEM_BUS_ADDRESS"] = self.bus_address

    def _start_bus(self):
        with open(self.path("bus.conf"), "w", encoding="ascii") as f:
            f.write(BUS_CONFIG.format(self.root))
        self.spawn("bus", "root", "dbus-daemon", "--config-file=" + self.path("bus.conf"), "--nofork", "--nopidfile")
        self._wait(lambda: os.path.exists(self.path("system-bus")), "the bus")

    def start_polkit(self, address):
        folder = self.path("polkit")
        os.mkdir(folder, 0o700)
        self.polkit({})
        self.spawn("polkit", "root", "/usr/bin/python3", os.path.join(os.path.dirname(__file__), "fake_polkit.py"), address, folder)
        self._wait(lambda: os.path.exists(os.path.join(folder, "ready")), "polkit")

    @property
    def bus_address(self):
        return f"unix:path={self.path('system-bus')}"

    def polkit(self, rules):
        """{(action, user): answer}, for what is asked from now on."""
        rules = {f"{action} {USERS[user][0]}": answer for (action, user), answer in rules.items()}
        with open(self.path("polkit", "new"), "w", encoding="ascii") as f:
            json.dump(rules, f)
        os.rename(self.path("polkit", "new"), self.path("polkit", "rules.json"))

    def polkit_saw(self, name):
        """What polkit was "asked", or what was "cancelled"."""
        path = self.path("polkit", name)
        if not os.path.exists(path):
            return []
        with open(path, encoding="ascii") as f:
            return [json.loads(line) for line in f]

    def _as(self, user):
        identity = ["setpriv", "--reuid", user, "--regid", user, "--init-groups"] if user != "root" else []
        return identity if self.in_own_namespace else ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", *self.network] + identity

    def spawn(self, name, user, *command):
        with open(self.path(name + ".log"), "ab") as log:
            self.processes[name] = subprocess.Popen(self._as(user) + list(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                    cwd="/", start_new_session=True, env=self.environment)

    def start_broker(self):
        if os.path.exists(self.broker_socket):
            os.unlink(self.broker_socket)
        self.spawn("broker", "root", os.path.join(self.bin, "dosvc-broker"), "--listen", self.broker_socket, "--config",
                    self.path("dosvc.conf"), "--verbose")
        self._wait(lambda: os.path.exists(self.broker_socket), "the broker")

    def start_core(self):
        self.spawn_core()
        self._wait(lambda: self.run("dosvc", "list").returncode == 0, "the core")

    def spawn_core(self):
        self.spawn("core", "dosvc", os.path.join(self.bin, "dosvcd"), "--system", "--socket", self.socket, "--state-dir",
                    self.state, "--config", self.path("dosvc.conf"), "--broker", self.broker_socket, "--verbose")

    def kill(self, name):
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def pids(self):
        """{pid: name of the program} of all processes whose program is this machine's."""
        found = {}
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                folder, name = os.path.split(os.readlink(f"/proc/{entry}/exe"))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if folder == self.bin:
                found[int(entry)] = name
        return found

    def pid(self, program, user=None):
        """Of the one process of that program (and user) in this machine, or None."""
        for pid, name in self.pids().items():
            try:
                if name == program and (user is None or self.uid_of(pid) == USERS[user][0]):
                    return pid
            except (FileNotFoundError, ProcessLookupError):
                pass
        return None

    @staticmethod
    def status(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)

    def uid_of(self, pid):
        return int(self.status(pid)["Uid"].split()[1])

    # ---- the command ----

    @contextlib.contextmanager
    def effective(self, user):
        """This very process is that user for as long: what it connects to is told so."""
        os.setegid(USERS[user][0])
        os.seteuid(USERS[user][0])
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(0)

    def program(self, user, *command):
        """Any program as that user; what it prints."""
        result = subprocess.run(self._as(user) + list(command), cwd="/", stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=60,
                                check=False)
        assert result.returncode == 0, f"{user}: {command}: {result.returncode}\n{result.stderr}\n{self.logs()}"
        return result.stdout

    def run(self, user, *words, stdin="", timeout=60, umask=None):
        environment = {"PATH": os.environ["PATH"], "DOSVC_ADDRESS": f"unix:path={self.socket}", "LC_ALL": "C.UTF-8",
                       "LD_LIBRARY_PATH": self.bin, "HOME": self.home(user)}
        cwd = self.home(user) if user in USERS else "/"
        command = [os.path.join(self.bin, "dosvc"), *map(str, words)]
        if umask is not None:
            command = ["sh", "-c", f'umask {umask:o}; exec "$@"', "sh", *command]
        return subprocess.run(self._as(user) + command, cwd=cwd, input=stdin, text=True, capture_output=True, env=environment,
                              timeout=timeout, check=False)

    def ok(self, user, *words, **options):
        result = self.run(user, *words, **options)
        assert result.returncode == 0, f"{user}: dosvc {words}: {result.returncode}\n{result.stderr}\n{self.logs()}"
        return result.stdout

    def json(self, user, *words):
        return json.loads(self.ok(user, *words, "--json"))

    def logs(self):
        text = ""
        for name in ("broker", "core"):
            with open(self.path(name + ".log"), encoding="utf-8", errors="replace") as f:
                text += f"---- {name}\n{f.read()[-3000:]}"
        return text

    def wait_state(self, user, job, *states):
        def there():
            return self.json(user, "show", job)[0]["state"] in states
        self._wait(there, f"{states}")

    def _wait(self, condition, what):
        end = time.monotonic() + SECONDS
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"{what} did not come\n" + (self.logs() if "core" in self.processes else ""))
            time.sleep(0.01)

    wait = _wait

    def close(self):
        for name in list(self.processes):
            self.kill(name)
        if self.holder:
            self.holder.kill()
            self.holder.wait()
        else:
            for name in ("passwd", "group"):
                subprocess.run(["umount", "/etc/" + name], check=False)
        shutil.rmtree(self.root)


@contextlib.contextmanager
def running(build, **options):
    """A machine for the length of a with statement."""
    machine = Machine(build, **options)
    try:
        machine.start()
        yield machine
    finally:
        machine.close()
