#!/usr/bin/python3
"""usage: DOSVC_ADDRESS=unix:path=... fetch.py URL FILE; "dosvc service" shows the address. Needs python3-gi, no bus daemon."""
import os
import sys

from gi.repository import Gio, GLib

url, path = sys.argv[1], os.path.abspath(sys.argv[2])
bus = Gio.DBusConnection.new_for_address_sync(os.environ["DOSVC_ADDRESS"], Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT, None, None)
loop, ended = GLib.MainLoop(), []


def call(object_path, interface, method, arguments=None):
    return bus.call_sync(None, object_path, f"org.dosvc.{interface}", method, arguments, None, Gio.DBusCallFlags.NONE, -1, None).unpack()


def on_signal(_bus, _sender, _path, _interface, name, arguments):
    if name == "JobRemoved":
        ended.append(arguments[2])
    elif name == "PropertiesChanged" and arguments[1].get("State") == "error":
        ended.append(arguments[1].get("Error", {}).get("Text", "error"))
    return ended and loop.quit()


bus.signal_subscribe(None, None, None, None, None, Gio.DBusSignalFlags.NONE, lambda *a: on_signal(*a[:5], a[5].unpack()))
call("/org/dosvc", "Manager1", "Subscribe", GLib.Variant("(s)", ("",)))
options = {"CompleteWhenTransferred": GLib.Variant("b", True), "Resume": GLib.Variant("b", True)}
call("/org/dosvc", "Manager1", "CreateJob", GLib.Variant("(sa{sv}a(saya{sv}))", (url, options, [(url, os.fsencode(path), {})])))
loop.run()
print(ended[0])
sys.exit(ended[0] != "acknowledged")
