#!/usr/bin/python3
"""A polkit for tests, on a bus of the test's own: decides by a file that the test writes, and records what it was asked.

As a program: fake_polkit.py ADDRESS FOLDER. FOLDER/rules.json maps "ACTION UID" to "yes", "no", "error", "never" (no answer at all) or
"late" (yes, as soon as a question was called off);
what is not there is "no". FOLDER/asked gets one line of JSON for each question, FOLDER/cancelled one for each that was called off; FOLDER/ready is there when it has its name.
"""
import json
import os
import sys

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

INTERFACE = """<node><interface name="org.freedesktop.PolicyKit1.Authority">
<method name="CheckAuthorization"><arg type="(sa{sv})" direction="in"/><arg type="s" direction="in"/><arg type="a{ss}" direction="in"/>
<arg type="u" direction="in"/><arg type="s" direction="in"/><arg type="(bba{ss})" direction="out"/></method>
<method name="CancelCheckAuthorization"><arg type="s" direction="in"/></method></interface></node>"""


class Polkit:
    def __init__(self, folder):
        self.folder = folder
        self.waiting, self.late = [], []

    def ready(self, *_):
        self.note("ready", True)

    def rule(self, action, uid):
        with open(os.path.join(self.folder, "rules.json"), encoding="ascii") as f:
            return json.load(f).get(f"{action} {uid}", "no")

    def note(self, name, what):
        with open(os.path.join(self.folder, name), "a", encoding="ascii") as f:
            f.write(json.dumps(what) + "\n")

    def call(self, _bus, _sender, _path, _interface, method, arguments, invocation):
        if method == "CancelCheckAuthorization":
            self.note("cancelled", arguments.unpack()[0])
            invocation.return_value(None)
            for late in self.late:
                self.answer(late, True)
            self.late = []
            return
        (kind, subject), action, details, flags, cancellation = arguments.unpack()
        self.note("asked", {"kind": kind, **subject, "action": action, "details": details, "flags": flags, "cancellation": cancellation})
        answer = self.rule(action, subject["uid"])
        if answer == "error":
            invocation.return_dbus_error("org.freedesktop.PolicyKit1.Error.Failed", "the test wanted it so")
        elif answer == "never":
            self.waiting.append(invocation)
        elif answer == "late":  # a yes, as soon as nobody wants it any more
            self.late.append(invocation)
        else:
            self.answer(invocation, answer == "yes")

    @staticmethod
    def answer(invocation, yes):
        invocation.return_value(GLib.Variant("((bba{ss}))", ((yes, not yes, {}),)))


def main():
    address, folder = sys.argv[1:]
    bus = Gio.DBusConnection.new_for_address_sync(
        address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION, None, None)
    polkit = Polkit(folder)
    bus.register_object("/org/freedesktop/PolicyKit1/Authority", Gio.DBusNodeInfo.new_for_xml(INTERFACE).interfaces[0], polkit.call)
    Gio.bus_own_name_on_connection(bus, "org.freedesktop.PolicyKit1", Gio.BusNameOwnerFlags.NONE, polkit.ready, None)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
