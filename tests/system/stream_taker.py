#!/usr/bin/python3
"""One program that takes a stream, for test_system_streams.py: makes a job with one file, and writes its bytes to a file as they come.

    stream_taker.py ADDRESS URL OUTPUT [--sha256 HEX] [--integrity TEXT] [--stop-at BYTES]

--stop-at: takes no more than that and then only waits, to be killed. At the end it prints the job's state and error.
"""
import argparse
import os
import sys
import time

from gi.repository import Gio, GLib

p = argparse.ArgumentParser()
p.add_argument("address")
p.add_argument("url")
p.add_argument("output")
p.add_argument("--sha256")
p.add_argument("--integrity")
p.add_argument("--stop-at", type=int)
args = p.parse_args()
bus = Gio.DBusConnection.new_for_address_sync(args.address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT, None, None)


def call(path, interface, method, arguments=None):
    return bus.call_sync(None, path, "org.dosvc." + interface, method, arguments, None, Gio.DBusCallFlags.NONE, 60000, None).unpack()


def get(path, name):
    return bus.call_sync(None, path, "org.freedesktop.DBus.Properties", "Get", GLib.Variant("(ss)", ("org.dosvc.Job1", name)), None,
                         Gio.DBusCallFlags.NONE, 60000, None).unpack()[0]


def main():
    options = {"Family": GLib.Variant("s", "do"), "Priority": GLib.Variant("s", "foreground")}
    extra = {"Sha256": GLib.Variant("ay", bytes.fromhex(args.sha256))} if args.sha256 else {}
    if args.integrity:
        extra.update(IntegrityCheckInfo=GLib.Variant("s", args.integrity), IntegrityCheckMandatory=GLib.Variant("b", True))
    job = call("/org/dosvc", "Manager1", "CreateJob", GLib.Variant("(sa{sv}a(saya{sv}))", ("stream", options, [(args.url, b"", extra)])))[0]
    path = "/org/dosvc/job/" + job.replace("-", "")
    file = path + "/file/0"
    call(file, "File1", "SetStream")
    _, fds = bus.call_with_unix_fd_list_sync(None, file, "org.dosvc.File1", "OpenStream", None, None, Gio.DBusCallFlags.NONE, 60000, None, None)
    reader = fds.get(0)
    print(job, flush=True)
    call(path, "Job1", "Resume")
    taken = 0
    with open(args.output, "wb") as out:
        while (state := get(path, "State")) not in ("transferred", "error"):
            available = call(file, "File1", "TakeStream", GLib.Variant("(tb)", (taken, False)))[0]
            if args.stop_at:
                available = min(available, args.stop_at)
            if available == taken:
                time.sleep(0.005)
                continue
            out.write(os.pread(reader, available - taken, taken))
            out.flush()
            taken = available
    print(state, get(path, "Error"), flush=True)


if __name__ == "__main__":
    try:
        main()
    except GLib.Error as error:
        print(error.message, flush=True)
        sys.exit(1)
