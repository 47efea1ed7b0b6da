#!/usr/bin/python3
"""Calls every method that idl/org.dosvc.xml gives a job and its first file, with arguments of nothing in particular, and reads all properties.

    every_method.py ADDRESS XML JOB

Prints what came of each, as JSON: {"Job1.Suspend": "ok" or "Error.Name: message"}. The job's own id is replaced by "ID".
"""
import json
import sys
import xml.etree.ElementTree as ElementTree

from gi.repository import Gio, GLib

ADDRESS, XML, JOB = sys.argv[1:]
OBJECT = "/org/dosvc/job/" + JOB.replace("-", "")
NOTHING = {"s": "''", "u": "uint32 0", "t": "uint64 0", "b": "false", "ay": "@ay []", "a{sv}": "@a{sv} {}", "a(tt)": "@a(tt) []",
           "a(saya{sv})": "@a(saya{sv}) []", "v": "<''>"}
bus = Gio.DBusConnection.new_for_address_sync(ADDRESS, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT, None, None)


def call(path, interface, method, arguments):
    given = GLib.Variant.parse(None, f"({', '.join(arguments)}{',' if len(arguments) == 1 else ''})", None, None) if arguments else None
    try:
        bus.call_sync(None, path, interface, method, given, None, Gio.DBusCallFlags.NONE, 10_000, None)
        return "ok"
    except GLib.Error as error:
        return error.message.removeprefix("GDBus.Error:").replace(JOB, "ID").replace(JOB.replace("-", ""), "ID")


results = {}
for description in ElementTree.parse(XML).getroot().findall("interface"):
    interface = description.get("name")
    short = interface.rpartition(".")[2]
    if short not in ("Job1", "File1"):
        continue
    path = OBJECT + ("/file/0" if short == "File1" else "")
    for method in description.findall("method"):
        arguments = [NOTHING[a.get("type")] for a in method.findall("arg") if a.get("direction") != "out"]
        results[f"{short}.{method.get('name')}"] = call(path, interface, method.get("name"), arguments)
    for prop in description.findall("property"):
        results[f"{short}.{prop.get('name')}"] = call(path, "org.freedesktop.DBus.Properties", "Get", [f"'{interface}'", f"'{prop.get('name')}'"])
    results[f"{short} GetAll"] = call(path, "org.freedesktop.DBus.Properties", "GetAll", [f"'{interface}'"])
    results[f"{short} Set"] = call(path, "org.freedesktop.DBus.Properties", "Set", [f"'{interface}'", "'Name'", NOTHING["v"]])
print(json.dumps(results))
