"""A system bus of the test's own, with logind, NetworkManager, ModemManager, UPower and power profiles that say what the test wants.

    with fake_machine.FakeMachine() as machine:
        Service(build, state, environment=machine.environment)
        machine.network_manager(Metered=1, PrimaryConnectionType="gsm")   # there from now on; again: only what is given changes
        machine.leave("network_manager")
        machine.log_on(1000); machine.log_off(1000)
        machine.sleep(); machine.inhibited(); machine.wake()

Each call returns when the news are on the bus. The services are a process of their own (this file, run as a program): one JSON array a line.
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

CONFIG = """<busconfig><type>system</type><listen>unix:path={0}/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy>
</busconfig>"""
SECONDS = 20


class FakeMachine:
    def __init__(self, wrapper=()):
        self.wrapper = list(wrapper)  # a command that becomes dbus-daemon: the bus must know all users that speak to it
        self.folder = tempfile.mkdtemp(prefix="dosvc-bus-")
        os.chmod(self.folder, 0o755)
        self.address = f"unix:path={self.folder}/bus"
        self.environment = {"DBUS_SYSTEM_BUS_ADDRESS": self.address}
        with open(self.folder + "/bus.conf", "w", encoding="ascii") as f:
            f.write(CONFIG.format(self.folder))
        self.start_bus()

    def start_bus(self):
        self.daemon = subprocess.Popen([*self.wrapper, "dbus-daemon", "--config-file=" + self.folder + "/bus.conf", "--nofork", "--nopidfile"],
                                       stdin=subprocess.DEVNULL)
        end = time.monotonic() + SECONDS
        while not self._listens():
            assert time.monotonic() < end, "dbus-daemon does not listen"
            time.sleep(0.005)
        self.services = subprocess.Popen(["/usr/bin/python3", os.path.abspath(__file__), self.address], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)

    def _listens(self):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(self.folder + "/bus") == 0

    def tell(self, *command):
        self.services.stdin.write(json.dumps(command) + "\n")
        self.services.stdin.flush()
        answer = self.services.stdout.readline()
        assert answer, f"the fake services died of {command}"
        return json.loads(answer)

    def network_manager(self, **properties):
        self.tell("set", "network_manager", properties)

    def dhcp(self, **options):
        """What the DHCP server of the primary connection sent. Another connection each time: leases are new objects, too."""
        self.tell("dhcp", options)

    def modem(self, registration):
        self.tell("set", "modem", {"RegistrationState": registration})

    def upower(self, **properties):
        self.tell("set", "upower", properties)

    def battery(self, **properties):
        self.tell("set", "battery", properties)

    def power_profile(self, profile):
        self.tell("set", "power_profile", {"ActiveProfile": profile})

    def logind(self):
        self.tell("set", "logind", {})

    def log_on(self, uid, state="active"):
        self.tell("user", uid, state)

    def log_off(self, uid):
        self.tell("user", uid, None)

    def sleep(self):
        self.tell("sleep", True)

    def wake(self):
        self.tell("sleep", False)

    def inhibited(self):
        """Somebody delays sleep."""
        return self.tell("inhibited")

    def leave(self, service):
        self.tell("leave", service)

    def stop_bus(self):
        for process in (self.services, self.daemon):
            process.terminate()
            process.wait(SECONDS)

    def close(self):
        self.stop_bus()
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def main():
    import dbus
    import dbus.bus
    import dbus.lowlevel
    import dbus.mainloop.glib
    import dbus.service
    import select
    from gi.repository import GLib

    properties_interface = "org.freedesktop.DBus.Properties"
    # name -> (service, path, interface, initial properties)
    objects = {
        "network_manager": ("org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager", "org.freedesktop.NetworkManager",
                            {"Connectivity": dbus.UInt32(4), "Metered": dbus.UInt32(4), "PrimaryConnectionType": "802-3-ethernet",
                             "PrimaryConnection": dbus.ObjectPath("/"), "Version": "1.42.4", "ActiveConnections": dbus.Array([], "o")}),
        "modem": ("org.freedesktop.ModemManager1", "/org/freedesktop/ModemManager1/Modem/0", "org.freedesktop.ModemManager1.Modem.Modem3gpp",
                  {"RegistrationState": dbus.UInt32(1), "OperatorName": "Test"}),
        "upower": ("org.freedesktop.UPower", "/org/freedesktop/UPower", "org.freedesktop.UPower", {"OnBattery": False, "LidIsClosed": False}),
        "battery": ("org.freedesktop.UPower", "/org/freedesktop/UPower/devices/DisplayDevice", "org.freedesktop.UPower.Device",
                    {"IsPresent": True, "Percentage": dbus.Double(100), "Type": dbus.UInt32(2)}),
        "power_profile": ("net.hadess.PowerProfiles", "/net/hadess/PowerProfiles", "net.hadess.PowerProfiles", {"ActiveProfile": "balanced"}),
        "logind": ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager", {"PreparingForSleep": False}),
    }
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    connections, there = {}, {}
    leases = []

    class Object(dbus.service.Object):
        def __init__(self, connection, path, interface, properties):
            super().__init__(connection, path)
            self.interface, self.values = interface, properties

        @dbus.service.method(properties_interface, in_signature="s", out_signature="a{sv}")
        def GetAll(self, interface):
            return self.values if interface == self.interface else {}

        @dbus.service.method(properties_interface, in_signature="ss", out_signature="v")
        def Get(self, _interface, name):
            return self.values[name]

        @dbus.service.signal(properties_interface, signature="sa{sv}as")
        def PropertiesChanged(self, interface, changed, invalidated):
            pass

        def change(self, changed):
            for name, value in changed.items():
                if value is not self.values[name]:  # JSON knows no types of D-Bus
                    self.values[name] = type(self.values[name])(value)
            self.PropertiesChanged(self.interface, {name: self.values[name] for name in changed}, [])

    class Modems(dbus.service.Object):
        @dbus.service.method("org.freedesktop.DBus.ObjectManager", out_signature="a{oa{sa{sv}}}")
        def GetManagedObjects(self):
            modem = there["modem"]
            return {dbus.ObjectPath(modem.__dbus_object_path__): {"org.freedesktop.ModemManager1.Modem": {"State": dbus.Int32(11)},
                                                                  modem.interface: modem.values}}

    class Logind(Object):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.users, self.pipes = {}, []

        @dbus.service.method("org.freedesktop.login1.Manager", out_signature="a(uso)")
        def ListUsers(self):
            return [(dbus.UInt32(uid), f"user{uid}", dbus.ObjectPath(user.__dbus_object_path__)) for uid, user in self.users.items()]

        @dbus.service.method("org.freedesktop.login1.Manager", in_signature="ssss", out_signature="h")
        def Inhibit(self, what, _who, _why, mode):
            assert (what, mode) == ("sleep", "delay")
            ours, theirs = os.pipe()
            self.pipes.append(ours)
            sent = dbus.types.UnixFd(theirs)
            os.close(theirs)
            return sent

        @dbus.service.signal("org.freedesktop.login1.Manager", signature="uo")
        def UserNew(self, uid, path):
            pass

        @dbus.service.signal("org.freedesktop.login1.Manager", signature="uo")
        def UserRemoved(self, uid, path):
            pass

        @dbus.service.signal("org.freedesktop.login1.Manager", signature="so")
        def SessionRemoved(self, session, path):
            pass

        @dbus.service.signal("org.freedesktop.login1.Manager", signature="b")
        def PrepareForSleep(self, begins):
            pass

        def set_user(self, uid, state):
            path = f"/org/freedesktop/login1/user/_{uid}"
            if uid not in self.users and state:
                self.users[uid] = Object(connections["org.freedesktop.login1"], path, "org.freedesktop.login1.User", {"State": state})
                self.UserNew(uid, path)
            elif state:  # as logind does: its state has no signal of its own
                self.users[uid].values["State"] = state
                self.SessionRemoved("c1", "/org/freedesktop/login1/session/c1")
            elif uid in self.users:
                self.users.pop(uid).remove_from_connection()
                self.UserRemoved(uid, path)

        def is_inhibited(self):
            """Of the pipes that were given away some is not closed at the other end."""
            poll = select.poll()
            for fd in self.pipes:
                poll.register(fd, 0)
            return len(self.pipes) > len(poll.poll(0))

    def appear(name):
        service, path, interface, properties = objects[name]
        if service not in connections:
            connections[service] = dbus.bus.BusConnection(sys.argv[1])
        make = Logind if name == "logind" else Object
        there[name] = make(connections[service], path, interface, dict(properties))
        if name == "modem":
            there["modems"] = Modems(connections[service], "/org/freedesktop/ModemManager1")

    def set_properties(name, changed):
        service = objects[name][0]
        if name not in there:
            appear(name)
            changed = {**there[name].values, **changed}  # somebody may have asked for it before
        if changed:
            there[name].change(changed)
        connections[service].request_name(service)

    def lease(options):
        network_manager = "org.freedesktop.NetworkManager"
        set_properties("network_manager", {})
        number, connection = len(leases) + 1, connections[network_manager]
        config, active = f"/org/freedesktop/NetworkManager/DHCP4Config/{number}", f"/org/freedesktop/NetworkManager/ActiveConnection/{number}"
        leases.append((Object(connection, config, network_manager + ".DHCP4Config",
                              {"Options": dbus.Dictionary({"ip_address": "127.0.0.1", **options}, signature="sv")}),
                       Object(connection, active, network_manager + ".Connection.Active", {"Dhcp4Config": dbus.ObjectPath(config)})))
        there["network_manager"].change({"PrimaryConnection": active})

    def leave(name):
        service = objects[name][0]
        connections.pop(service).close()
        for other in [n for n in there if n in objects and objects[n][0] == service]:
            del there[other]

    def obey(command, *arguments):
        if command == "set":
            return set_properties(*arguments)
        if command == "dhcp":
            return lease(*arguments)
        if command == "leave":
            return leave(*arguments)
        set_properties("logind", {})
        logind = there["logind"]
        if command == "user":
            return logind.set_user(*arguments)
        if command == "sleep":
            logind.values["PreparingForSleep"] = arguments[0]
            return logind.PrepareForSleep(arguments[0])
        return logind.is_inhibited()

    loop = GLib.MainLoop()

    def on_line(stream, _condition):
        line = stream.readline()
        if not line:
            loop.quit()
            return False
        answer = obey(*json.loads(line))
        for connection in connections.values():
            connection.flush()
        print(json.dumps(answer), flush=True)
        return True

    GLib.io_add_watch(sys.stdin, GLib.IO_IN | GLib.IO_HUP, on_line)
    loop.run()


if __name__ == "__main__":
    main()
