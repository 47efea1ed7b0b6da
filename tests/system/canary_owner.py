#!/usr/bin/python3
"""One owner of test_canary.py: makes jobs for each pair of proxy and credentials, interleaved, and waits for their ends.

    canary_owner.py ADDRESS OWNER JOBS FOLDER PROXY...

Every fourth job is plain http, the others are https: one shows no certificate, the others one of the owner's two. Every job's URL, user names
and header say whose it is and what it has. Prints the states of the jobs, counted.
"""
import collections
import json
import os
import sys
import time

from gi.repository import Gio, GLib

ADDRESS, OWNER, JOBS, FOLDER, PROXIES = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5:]
IN_FLIGHT = 200
KINDS = ("plain", "none", "k0", "k1")
bus = Gio.DBusConnection.new_for_address_sync(ADDRESS, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT, None, None)


def call(path, interface, method, arguments):
    return bus.call_sync(None, path, interface, method, arguments, None, Gio.DBusCallFlags.NONE, 60000, None).unpack()


def make(number):
    proxy, credential, kind = number % 2, number // 2 % 2, KINDS[number // 4 % len(KINDS)]
    who = f"{OWNER}-p{proxy}-c{credential}-{kind}"
    scheme = "http" if kind == "plain" else "https"
    options = {"Priority": GLib.Variant("s", "foreground"), "CompleteWhenTransferred": GLib.Variant("b", True)}
    rows = [(f"{scheme}://origin.test/{who}/{number}", os.fsencode(f"{FOLDER}/{number}"), {})]
    job = call("/org/dosvc", "org.dosvc.Manager1", "CreateJob", GLib.Variant("(sa{sv}a(saya{sv}))", (who, options, rows)))[0]
    path = "/org/dosvc/job/" + job.replace("-", "")
    call(path, "org.dosvc.Job1", "SetProperties", GLib.Variant("(a{sv})", ({
        "ProxyUsage": GLib.Variant("u", 2),
        "ProxyList": GLib.Variant("s", PROXIES[proxy]),
        "ProxyBasicCredentials": GLib.Variant("s", f"proxy-{who}:secret"),
        "ServerBasicCredentials": GLib.Variant("s", f"{who}:secret"),
        "CustomHeaders": GLib.Variant("s", f"X-Canary: {who}"),
        "ClientCertificate": GLib.Variant("s", f"current_user/MY/name:{kind}" if kind.startswith("k") else ""),
    },)))
    call(path, "org.dosvc.Job1", "Resume", None)


def count_live():
    counts, cursor = collections.Counter(), ""
    while True:
        page, cursor = call("/org/dosvc", "org.dosvc.Manager1", "ListJobs", GLib.Variant("(ssu)", ("", cursor, 100)))
        counts.update(row["State"] for row in page)
        if not cursor:
            return counts


def main():
    for number in range(JOBS):
        if number % IN_FLIGHT == IN_FLIGHT - 1:
            while sum(count_live().values()) > IN_FLIGHT:
                time.sleep(0.005)
        make(number)
    end = time.monotonic() + 120
    while (live := count_live()) and time.monotonic() < end and not live.get("error"):
        time.sleep(0.02)
    print(json.dumps({"left": live, "there": len(os.listdir(FOLDER))}))


main()
