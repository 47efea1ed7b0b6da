"""A dosvcd of the test's own, and its D-Bus face.

    service = Service(build_directory, state_directory); service.start(); service.call("/org/dosvc", "Manager1", "GetServiceInfo")
"""
import os
import signal
import subprocess
import time

import gi
gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402


class ServiceError(Exception):
    def __init__(self, name, text):
        super().__init__(f"{name}: {text}")
        self.name = name


def children_of(parent):
    pids = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                if int(f.read().rpartition(")")[2].split()[1]) == parent:
                    pids.append(int(pid))
        except OSError:
            pass
    return pids


class Service:
    def __init__(self, build, state, config="", program=None, environment=None, arguments=(), wrapper=()):
        self.build = os.path.abspath(build)
        self.program = program or os.path.join(self.build, "src/daemon/dosvcd")
        self.state = state
        self.socket = os.path.join(state, "bus")
        self.address = f"unix:path={self.socket}"
        self.config = os.path.join(state, "dosvc.conf")
        self.config_text = "[Service]\n" + config
        self.environment = environment or {}
        self.arguments = list(arguments)
        self.wrapper = list(wrapper)  # a program and its arguments that becomes the service by exec
        self.log_path = state.rstrip("/") + ".log"
        self.process = None
        self.bus = None

    def start(self, wait=True):
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(self.config_text)
        environment = dict(os.environ, **self.environment)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.wrapper + [self.program, "--user", "--socket", self.socket, "--state-dir", self.state, "--config", self.config]
                + self.arguments,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True)
        if wait:
            self.connect()

    def connect(self, timeout=10):
        """Tries until the service answers; there is no event to wait for while a socket does not exist."""
        end = time.monotonic() + timeout
        while True:
            try:
                self.bus = Gio.DBusConnection.new_for_address_sync(
                    self.address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT, None, None)
                return
            except GLib.Error:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"dosvcd does not answer (exit {self.process.poll()}):\n{self.log()}")
                time.sleep(0.002)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()[-4000:]

    def call(self, path, interface, method, arguments=None, timeout=20000):
        bus = self.bus  # a harness's kill() may come at any time
        if bus is None:
            raise ConnectionError("the service was killed")
        try:
            result = bus.call_sync(None, path, interface if "." in interface else "org.dosvc." + interface, method,
                                        arguments, None, Gio.DBusCallFlags.NONE, timeout, None)
        except GLib.Error as e:
            name = Gio.DBusError.get_remote_error(e)
            if name is None:
                raise ConnectionError(e.message) from e
            Gio.DBusError.strip_remote_error(e)
            raise ServiceError(name.removeprefix("org.dosvc.Error."), e.message) from e
        return result.unpack()

    def job_path(self, job_id):
        return "/org/dosvc/job/" + job_id.replace("-", "")

    def create(self, name, files, **options):
        """files: (url, path, options). Returns the job's id."""
        types = {bool: "b", str: "s"}
        packed = {k: GLib.Variant(types.get(type(v), "u"), v) for k, v in options.items()}
        rows = [(url, os.fsencode(path), extra) for url, path, extra in files]
        return self.call("/org/dosvc", "Manager1", "CreateJob", GLib.Variant("(sa{sv}a(saya{sv}))", (name, packed, rows)))[0]

    def job_call(self, job_id, method, arguments=None):
        return self.call(self.job_path(job_id), "Job1", method, arguments)

    def get(self, job_id, name):
        return self.call(self.job_path(job_id), "org.freedesktop.DBus.Properties", "Get",
                         GLib.Variant("(ss)", ("org.dosvc.Job1", name)))[0]

    def list_jobs(self):
        jobs, cursor = {}, ""
        while True:
            page, cursor = self.call("/org/dosvc", "Manager1", "ListJobs", GLib.Variant("(ssu)", ("", cursor, 100)))
            jobs.update((j["Id"], j) for j in page)
            if not cursor:
                return jobs

    def list_files(self, job_id):
        files, first = [], 0
        while True:
            page, first = self.job_call(job_id, "ListFiles", GLib.Variant("(uu)", (first, 100)))
            files += page
            if not first:
                return files

    def wait_state(self, job_id, states, timeout=60):
        """Until the job is in one of the states. Polled: the harness kills services whose signals would be lost."""
        end = time.monotonic() + timeout
        while True:
            state = self.get(job_id, "State")
            if state in states:
                return state
            if time.monotonic() > end:
                raise TimeoutError(f"job {job_id} is {state}, not {states}: {self.get(job_id, 'Error')}")
            time.sleep(0.01)

    def children(self):
        return children_of(self.process.pid)

    def kill(self):
        """kill -9, and waits until its children are gone too: they leave when their socket closes. It is stopped first, or a child that it
        makes in this very moment would not be among them."""
        self.process.send_signal(signal.SIGSTOP)
        end = time.monotonic() + 1
        while self.state_of(self.process.pid) not in "TtZX" and time.monotonic() < end:
            time.sleep(0.0005)
        children = self.children()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        bus, self.bus = self.bus, None
        if bus:
            try:
                bus.close_sync(None)  # or its descriptors stay as long as we live
            except GLib.Error:
                pass
        self.wait_gone(children)

    def wait_gone(self, pids, timeout=5):
        end = time.monotonic() + timeout
        for pid in pids:
            while self.is_running(pid) and time.monotonic() < end:
                time.sleep(0.001)

    @staticmethod
    def state_of(pid):
        """The letter of proc(5); X: there is none."""
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                return f.read().rpartition(")")[2].split()[0]
        except OSError:
            return "X"

    @staticmethod
    def is_running(pid):
        """A zombie that nobody reaps (the init of a container may not) does not run, once it is alone: the first thread may be one while
        others still close what they had open."""
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                fields = f.read().rpartition(")")[2].split()
            return fields[0] != "Z" or int(fields[17]) > 1
        except OSError:
            return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        return self.process.returncode if self.process else None
