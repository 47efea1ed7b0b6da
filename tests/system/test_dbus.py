"""The D-Bus face of the real service: what is published, what every kind of client sees, what bad input gets."""
import os
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree

import pytest
from gi.repository import Gio, GLib

import raw_dbus
from conftest import BUILD, ROOT
from service import Service, ServiceError

UNKNOWN = 2**64 - 1
MANAGER = "/org/dosvc"
STANDARD = "org.freedesktop.DBus."


@pytest.fixture
def service(tmp_path):
    made = Service(BUILD, str(tmp_path / "state"), "MaxCallsPerClient=8\nMaxClients=12\n")
    made.start()
    yield made
    assert made.stop() == 0, made.log()


def manager(service, method, signature=None, *values):
    return service.call(MANAGER, "Manager1", method, GLib.Variant(signature, values) if signature else None)


def create(service, name="a job", options=None, files=()):
    return manager(service, "CreateJob", "(sa{sv}a(saya{sv}))", name, options or {}, list(files))[0]


def refused(service, path, interface, method, signature=None, *values):
    """(name, text) of the error."""
    with pytest.raises(ServiceError) as caught:
        service.call(path, interface, method, GLib.Variant(signature, values) if signature else None)
    return caught.value.name, str(caught.value).partition(": ")[2]


class Listener:
    """A connection whose signals and callbacks are collected on a thread of its own."""

    CALLBACKS = ("<node><interface name='org.dosvc.Callback1'>" +
                 "".join(f"<method name='{n}'><arg type='s' direction='in'/></method>"
                         for n in ("JobTransferred", "JobError", "JobModification")) + "</interface></node>")

    def __init__(self, service, callback=None):
        self.context = GLib.MainContext()
        self.loop = GLib.MainLoop(self.context)
        self.seen = []
        self.callback = callback
        self.changed = threading.Condition()
        started = threading.Event()

        def run():
            self.context.push_thread_default()
            self.bus = Gio.DBusConnection.new_for_address_sync(service.address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT,
                                                               None, None)
            self.bus.signal_subscribe(None, None, None, None, None, Gio.DBusSignalFlags.NONE, self.on_signal)
            if callback:
                info = Gio.DBusNodeInfo.new_for_xml(self.CALLBACKS)
                self.bus.register_object("/org/dosvc/callback", info.interfaces[0], self.on_callback, None, None)
            started.set()
            self.loop.run()
            self.context.pop_thread_default()
        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        assert started.wait(10)

    def note(self, row):
        with self.changed:
            self.seen.append(row)
            self.changed.notify_all()

    def on_signal(self, _bus, _sender, path, _interface, member, values):
        self.note((member, path, values.unpack()))

    def on_callback(self, _bus, _sender, _path, _interface, member, values, invocation):
        if self.callback(member):
            invocation.return_value(None)
        else:
            invocation.return_dbus_error("org.example.Later", "not now")
        self.note((member, values.unpack()[0], None))

    def call(self, path, interface, method, signature=None, *values):
        return self.bus.call_sync(None, path, "org.dosvc." + interface, method, GLib.Variant(signature, values) if signature else None,
                                  None, Gio.DBusCallFlags.NONE, 10000, None)

    def wait(self, wanted, seconds=20):
        """Until a row fits; returns it."""
        with self.changed:
            assert self.changed.wait_for(lambda: any(map(wanted, self.seen)), seconds), self.seen
            return next(filter(wanted, self.seen))

    def close(self):
        self.bus.close_sync(None)
        self.loop.quit()
        self.thread.join(10)


def states(listener):
    return [row[2][1]["State"] for row in listener.seen if row[0] == "PropertiesChanged" and "State" in row[2][1]]


# ---- what is published ----

def described(node):
    """{interface: set of rows} of an introspection document."""
    result = {}
    for interface in node.findall("interface"):
        rows = set()
        for member in interface:
            if member.tag == "method":
                rows.add(("method", member.get("name"),
                          tuple((a.get("name"), a.get("type"), a.get("direction")) for a in member.findall("arg"))))
            elif member.tag == "signal":
                rows.add(("signal", member.get("name"), tuple((a.get("name"), a.get("type")) for a in member.findall("arg"))))
            elif member.tag == "property":
                rows.add(("property", member.get("name"), member.get("type"), member.get("access")))
        result[interface.get("name")] = rows
    return result


def test_what_introspect_answers_is_what_the_idl_says(service, tmp_path):
    job = create(service, files=[("http://127.0.0.1:1/a", os.fsencode(tmp_path / "a"), {})])
    published = described(ElementTree.parse(os.path.join(ROOT, "idl", "org.dosvc.xml")).getroot())
    for path, name in ((MANAGER, "Manager1"), (service.job_path(job), "Job1"), (service.job_path(job) + "/file/0", "File1")):
        live = described(ElementTree.fromstring(service.call(path, STANDARD + "Introspectable", "Introspect")[0]))
        ours = {n: rows for n, rows in live.items() if n.startswith("org.dosvc.")}
        assert ours == {"org.dosvc." + name: published["org.dosvc." + name]}


def test_every_property_is_in_getall_in_lists_and_alone(service, tmp_path):
    job = create(service, files=[("http://127.0.0.1:1/a?token=x", os.fsencode(tmp_path / "a"), {})])
    path = service.job_path(job)
    published = described(ElementTree.parse(os.path.join(ROOT, "idl", "org.dosvc.xml")).getroot())
    for where, name, listed in ((path, "Job1", service.list_jobs()[job]), (path + "/file/0", "File1", service.list_files(job)[0])):
        interface = "org.dosvc." + name
        everything = service.call(where, STANDARD + "Properties", "GetAll", GLib.Variant("(s)", (interface,)))[0]
        assert set(everything) == {row[1] for row in published[interface] if row[0] == "property"}
        large = {"ResponseHeaders"} if interface.endswith("File1") else set()
        assert {name: value for name, value in everything.items() if name not in large} == listed
        for key, value in everything.items():
            assert service.call(where, STANDARD + "Properties", "Get", GLib.Variant("(ss)", (interface, key)))[0] == value


def test_a_new_job_shows_what_was_asked_for(service, tmp_path):
    digest = bytes(range(32))
    options = {"Family": GLib.Variant("s", "bits"), "Priority": GLib.Variant("s", "high"), "Description": GLib.Variant("s", "dé"),
               "NotifyFlags": GLib.Variant("u", 5), "MinimumRetryDelay": GLib.Variant("u", 77), "Replace": GLib.Variant("b", False),
               "NoProgressTimeout": GLib.Variant("u", 99), "LifeTime": GLib.Variant("t", 12345), "Umask": GLib.Variant("u", 0o077),
               "CompleteWhenTransferred": GLib.Variant("b", True), "RemoteTime": GLib.Variant("b", True)}
    target = os.fsencode(tmp_path) + b"/\xff\xfe odd"
    files = [("http://127.0.0.1:1/b", target, {"Size": GLib.Variant("t", 6), "Sha256": GLib.Variant("ay", digest),
                                               "Ranges": GLib.Variant("a(tt)", [(8, 4), (0, 2)]), "FileId": GLib.Variant("s", "f")})]
    job = create(service, "näme", options, files)
    shown = service.list_jobs()[job]
    wanted = {"Id": job, "Family": "bits", "Priority": "high", "Description": "dé", "NotifyFlags": 5, "MinimumRetryDelay": 77,
              "NoProgressTimeout": 99, "LifeTime": 12345, "CompleteWhenTransferred": True, "Replace": False, "RemoteTime": True,
              "Name": "näme", "State": "suspended", "WaitingReason": "resume", "Owner": os.getuid(), "Error": {}, "FilesTotal": 1,
              "Notified": False}
    assert {key: shown[key] for key in wanted} == wanted
    file = service.list_files(job)[0]
    assert bytes(file["Path"]) == target and bytes(file["Sha256"]) == digest
    assert file["Ranges"] == [(8, 4), (0, 2)] and file["FileId"] == "f" and file["StatedSize"] == 6 and file["State"] == "pending"


def test_set_properties_changes_all_or_nothing(service):
    job = create(service, "before")
    service.job_call(job, "SetProperties", GLib.Variant("(a{sv})", ({"Name": GLib.Variant("s", "after"),
                                                                      "Priority": GLib.Variant("s", "low"),
                                                                      "LifeTime": GLib.Variant("t", 7)},)))
    shown = service.list_jobs()[job]
    assert (shown["Name"], shown["Priority"], shown["LifeTime"]) == ("after", "low", 7)
    name, _ = refused(service, service.job_path(job), "Job1", "SetProperties", "(a{sv})",
                      {"Description": GLib.Variant("s", "new"), "Name": GLib.Variant("s", "x" * 257)})
    assert name in ("InvalidArgument", "StringTooLong")
    assert service.get(job, "Name") == "after" and service.get(job, "Description") == ""


def test_service_information_and_configuration(service):
    info = manager(service, "GetServiceInfo")[0]
    assert info["Pid"] == service.process.pid
    assert bytes(info["StateDirectory"]) == os.fsencode(service.state)
    assert info["Sandbox"] in ("landlock+seccomp", "seccomp") and info["Version"] and info["MemoryBytes"] > 100000
    assert info["Clients"] == 1 and info["Jobs"] == 0 and info["JobsActive"] == 0
    rows = {row[0]: row for row in manager(service, "ListConfiguration")[0]}
    assert rows["MaxClients"][1:3] == ("12", service.config + ":3")
    assert rows["TimeSlice"][1:4] == ("300", "default", "seconds") and rows["TimeSlice"][9] is False and rows["CAFile"][9] is True
    with open(os.path.join(ROOT, "idl", "config.txt"), encoding="utf-8") as f:
        assert set(rows) == {line.split("|")[0].strip() for line in f if line.strip() and not line.startswith("#")}


# ---- lists and finding ----

def test_lists_come_in_pages_in_the_order_of_creation(service):
    jobs = [create(service, str(i), {"Family": GLib.Variant("s", "bits" if i % 2 else "do")}) for i in range(7)]

    def pages(family, limit):
        cursor, result = "", []
        while True:
            page, cursor = manager(service, "ListJobs", "(ssu)", family, cursor, limit)
            assert len(page) <= limit and (page or not cursor)
            result += [j["Id"] for j in page]
            if not cursor:
                return result
    assert pages("", 3) == jobs and pages("", 7) == jobs and pages("bits", 1) == jobs[1::2] and pages("do", 100) == jobs[0::2]


def test_a_page_ends_where_it_would_hold_up_others(service, tmp_path):
    jobs = [create(service) for _ in range(30)]
    page, cursor = manager(service, "ListJobs", "(ssu)", "", "", 100)
    assert len(page) == 1500 // len(page[0]) < len(jobs) and cursor
    assert [j["Id"] for j in page + manager(service, "ListJobs", "(ssu)", "", cursor, 100)[0]] == jobs
    ranges = GLib.Variant("a(tt)", [(2 * i, 1) for i in range(500)])
    job = create(service, files=[("http://127.0.0.1:1/x", os.fsencode(tmp_path / str(i)), {"Ranges": ranges}) for i in range(5)])
    first, sizes = 0, []
    while True:
        page, first = service.job_call(job, "ListFiles", GLib.Variant("(uu)", (first, 100)))
        sizes.append(len(page))
        if not first:
            break
    assert sizes == [2, 2, 1]  # 500 ranges and the other properties of each


def test_a_job_is_found_by_id_prefix_and_family(service):
    job = create(service)
    path = service.job_path(job)
    for word in (job, job.replace("-", ""), job.upper(), job[:4], job[:13]):
        assert manager(service, "GetJob", "(ss)", word, "") == (path,)
    assert manager(service, "GetJob", "(ss)", job, "do") == (path,)
    for word, family in ((job, "bits"), (job[:3], ""), ("zzzz", ""), ("", ""), ("0" * 33, ""), (job[::-1], "")):
        assert refused(service, MANAGER, "Manager1", "GetJob", "(ss)", word, family)[0] == "NotFound"
    assert refused(service, MANAGER, "Manager1", "GetJob", "(ss)", job, "wsus")[0] == "InvalidArgument"


def test_an_ambiguous_prefix_says_so(service):
    seen = {}
    for _ in range(3000):
        job = create(service)
        if seen.setdefault(job[:4], job) != job:
            name, text = refused(service, MANAGER, "Manager1", "GetJob", "(ss)", job[:4], "")
            assert name == "NotFound" and "More than one" in text
            return
    pytest.fail("no two ids with the same beginning")


def test_the_history_is_newest_first_and_redacted(service, tmp_path):
    for i in range(3):
        job = create(service, f"job {i}", files=[(f"http://me:secret@127.0.0.1:1/{i}?key=secret", os.fsencode(tmp_path / str(i)), {})])
        assert service.job_call(job, "Cancel") == (False,)
    first, cursor = manager(service, "ListHistory", "(su)", "", 2)
    rest, end = manager(service, "ListHistory", "(su)", cursor, 2)
    assert [e["Name"] for e in first + rest] == ["job 2", "job 1", "job 0"] and cursor and not end
    assert all(e["State"] == "cancelled" and "secret" not in e["Url"] and e["FinishedTime"] >= e["CreatedTime"] for e in first)
    assert bytes(first[0]["Path"]) == os.fsencode(tmp_path / "2")


# ---- refusals ----

BAD_OPTIONS = [
    ({"Priority": GLib.Variant("s", "urgent")}, "InvalidArgument", "Priority"),
    ({"Priority": GLib.Variant("u", 1)}, "InvalidArgument", "type s"),
    ({"Family": GLib.Variant("s", "")}, "InvalidArgument", "Family"),
    ({"Nonsense": GLib.Variant("b", True)}, "InvalidArgument", "Nonsense"),
    ({"LifeTime": GLib.Variant("t", 0)}, "InvalidArgument", "LifeTime"),
    ({"LifeTime": GLib.Variant("u", 5)}, "InvalidArgument", "type t"),
    ({"Umask": GLib.Variant("u", 0o1000)}, "InvalidArgument", "Umask"),
    ({"Resume": GLib.Variant("v", GLib.Variant("b", True))}, "InvalidArgument", "type b"),
    ({"NotifyFlags": GLib.Variant("u", 0x80000000)}, "NotImplemented", ""),
]


@pytest.mark.parametrize("options, error, word", BAD_OPTIONS)
def test_a_bad_option_is_refused_by_name(service, options, error, word):
    name, text = refused(service, MANAGER, "Manager1", "CreateJob", "(sa{sv}a(saya{sv}))", "x", options, [])
    assert name == error and word in text
    assert service.list_jobs() == {}


BAD_FILES = [
    ("ftp://127.0.0.1/a", b"%s/a", {}, "ProtocolNotAvailable"),
    ("nonsense", b"%s/a", {}, "InvalidUrl"),
    ("http://127.0.0.1/a b", b"%s/a", {}, "InvalidUrl"),
    ("http://127.0.0.1/\n", b"%s/a", {}, "InvalidUrl"),
    ("http://127.0.0.1/" + "a" * 8192, b"%s/a", {}, "InvalidUrl"),
    ("http://127.0.0.1/a", b"relative", {}, "InvalidArgument"),
    ("http://127.0.0.1/a", b"%s/a\0b", {}, "InvalidName"),
    ("http://127.0.0.1/a", b"%s/../a", {}, "InvalidName"),
    ("http://127.0.0.1/a", b"%s/" + b"a" * 256, {}, "NameTooLong"),
    ("http://127.0.0.1/a", b"%s/" + b"a/" * 2048, {}, "NameTooLong"),
    ("http://127.0.0.1/a", b"%s/absent/a", {}, "DirectoryNotFound"),
    ("http://127.0.0.1/a", b"%s/a", {"Sha256": GLib.Variant("ay", bytes(31))}, "InvalidArgument"),
    ("http://127.0.0.1/a", b"%s/a", {"Sha256": GLib.Variant("s", "00")}, "InvalidArgument"),
    ("http://127.0.0.1/a", b"%s/a", {"Size": GLib.Variant("t", 2**63)}, "TooLarge"),
    ("http://127.0.0.1/a", b"%s/a", {"Ranges": GLib.Variant("a(tt)", [(0, 1)] * 10001)}, "TooManyRanges"),
    ("http://127.0.0.1/a", b"%s/a", {"Ranges": GLib.Variant("a(tt)", [(i, 1) for i in range(501)])}, "TooManyRanges"),
    ("http://127.0.0.1/a", b"%s/a", {"Directory": GLib.Variant("u", 3)}, "InvalidArgument"),
    ("http://127.0.0.1/a", b"%s/a", {"Other": GLib.Variant("u", 3)}, "InvalidArgument"),
]


@pytest.mark.parametrize("url, path, options, error", BAD_FILES, ids=range(len(BAD_FILES)))
def test_a_bad_file_is_refused_and_leaves_nothing(service, tmp_path, url, path, options, error):
    target = tmp_path / "target"
    target.mkdir()
    path = path.replace(b"%s", os.fsencode(target))
    good = ("http://127.0.0.1/good", os.fsencode(target / "good"), {})
    name, text = refused(service, MANAGER, "Manager1", "CreateJob", "(sa{sv}a(saya{sv}))", "x", {}, [good, (url, path, options)])
    assert name == error and text
    assert service.list_jobs() == {} and os.listdir(target) == []


def test_one_call_takes_a_thousand_files(service, tmp_path):
    files = [(f"http://127.0.0.1:1/{i}", os.fsencode(tmp_path / f"f{i}"), {}) for i in range(1001)]
    assert refused(service, MANAGER, "Manager1", "CreateJob", "(sa{sv}a(saya{sv}))", "x", {}, files)[0] == "InvalidArgument"
    job = create(service, files=files[:1000])
    assert service.job_call(job, "AddFiles", GLib.Variant("(ua(saya{sv}))", (0o022, files[1000:]))) == (1000,)
    assert len(service.list_files(job)) == 1001
    assert [f["Index"] for f in service.job_call(job, "ListFiles", GLib.Variant("(uu)", (998, 100)))[0]] == [998, 999, 1000]


@pytest.mark.parametrize("limit", [0, 101, 2**32 - 1])
def test_a_page_has_at_least_one_and_at_most_a_hundred_rows(service, limit):
    job = create(service)
    for path, interface, method, signature, values in (
            (MANAGER, "Manager1", "ListJobs", "(ssu)", ("", "", limit)), (MANAGER, "Manager1", "ListHistory", "(su)", ("", limit)),
            (service.job_path(job), "Job1", "ListFiles", "(uu)", (0, limit))):
        assert refused(service, path, interface, method, signature, *values)[0] == "InvalidArgument"
    assert refused(service, MANAGER, "Manager1", "ListJobs", "(ssu)", "", "12x", 5)[0] == "InvalidArgument"


def test_an_object_that_is_not_there_is_not_found(service):
    job = create(service)
    absent = "/org/dosvc/job/" + "0" * 32
    for path in (absent, absent + "/file/0", service.job_path(job) + "/file/0", service.job_path(job) + "/file/00",
                 service.job_path(job)[:-1], service.job_path(job).upper().replace("/ORG/DOSVC/JOB", "/org/dosvc/job")
                 if service.job_path(job).upper() != service.job_path(job) else absent):
        if path == service.job_path(job):
            continue  # an id without letters
        assert refused(service, path, "Job1", "Suspend")[0] == "NotFound"
        assert refused(service, path, STANDARD + "Properties", "GetAll", "(s)", "org.dosvc.Job1")[0] == "NotFound"
    assert refused(service, MANAGER, "Manager1", "Subscribe", "(s)", absent[-32:])[0] == "NotFound"


def test_what_sd_bus_itself_refuses_is_refused_in_its_words(service):
    job = service.job_path(create(service))
    assert refused(service, job, "Job1", "Explode")[0].endswith("UnknownMethod")
    assert refused(service, job, "Job1", "SetNotify", "(s)", "yes")[0].endswith("InvalidArgs")
    assert refused(service, job, STANDARD + "Properties", "Get", "(ss)", "org.dosvc.Job1", "Nonsense")[0].endswith("UnknownProperty")
    assert refused(service, job, STANDARD + "Properties", "Set", "(ssv)", "org.dosvc.Job1", "Name",
                   GLib.Variant("s", "x"))[0].endswith("PropertyReadOnly")


def test_the_state_of_a_job_refuses_what_makes_no_sense(service):
    job = create(service)
    assert refused(service, service.job_path(job), "Job1", "Resume")[0] == "JobEmpty"
    assert refused(service, service.job_path(job), "Job1", "AddFiles", "(ua(saya{sv}))", 0o7777, [])[0] == "InvalidArgument"


def test_a_directory_descriptor_must_be_the_directory_of_the_path(service, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    # As idl/org.dosvc.xml asks: descriptors never in the very first call.
    service.call(MANAGER, "Manager1", "GetServiceInfo")

    def create_with(directory):
        fds = Gio.UnixFDList.new()
        fd = os.open(tmp_path / directory, os.O_PATH | os.O_DIRECTORY)
        index = fds.append(fd)
        os.close(fd)
        files = [("http://127.0.0.1:1/a", os.fsencode(tmp_path / "one" / "a"), {"Directory": GLib.Variant("h", index)})]
        return service.bus.call_with_unix_fd_list_sync(
            None, MANAGER, "org.dosvc.Manager1", "CreateJob", GLib.Variant("(sa{sv}a(saya{sv}))", ("x", {}, files)), None,
            Gio.DBusCallFlags.NONE, 10000, fds, None)[0].unpack()
    assert create_with("one")[1] is False
    with pytest.raises(GLib.Error, match="DirectoryDiffers"):
        create_with("two")


# ---- signals and callbacks ----

def test_a_subscriber_sees_a_job_from_beginning_to_end(service, small, tmp_path):
    listener = Listener(service)
    try:
        listener.call(MANAGER, "Manager1", "Subscribe", "(s)", "")
        job = create(service, options={"Resume": GLib.Variant("b", True)}, files=[(small.url("a"), os.fsencode(tmp_path / "a"), {})])
        path = service.job_path(job)
        listener.wait(lambda row: row[0] == "PropertiesChanged" and row[2][1].get("State") == "transferred")
        assert listener.seen[0] == ("JobAdded", MANAGER, (job, path))
        changed = [row for row in listener.seen if row[0] == "PropertiesChanged"]
        assert all(row[1] == path and row[2][0] == "org.dosvc.Job1" and row[2][2] == [] for row in changed)
        assert changed[-1][2][1]["BytesDurable"] == changed[-1][2][1]["BytesTotal"] == len(small.body)
        seen = states(listener)
        assert seen == sorted(seen, key=["suspended", "queued", "transferring", "transferred"].index)
        assert service.job_call(job, "Complete") == (False,)
        listener.wait(lambda row: row == ("JobRemoved", MANAGER, (job, path, "acknowledged")))
        assert states(listener)[-1] in ("acknowledged", "transferred")
    finally:
        listener.close()
    assert (tmp_path / "a").read_bytes() == small.body


def test_who_asks_for_one_job_hears_of_that_job_alone(service):
    listener = Listener(service)
    try:
        mine, other = create(service, "mine"), create(service, "other")
        listener.call(MANAGER, "Manager1", "Subscribe", "(s)", mine)
        for job in (other, mine):
            service.job_call(job, "SetProperties", GLib.Variant("(a{sv})", ({"Name": GLib.Variant("s", "new")},)))
        row = listener.wait(lambda row: row[0] == "PropertiesChanged")
        assert row[1] == service.job_path(mine) and row[2][1]["Name"] == "new"
        service.job_call(other, "Cancel")
        service.job_call(mine, "Cancel")
        listener.wait(lambda row: row[0] == "JobRemoved" and row[2][0] == mine)
        assert {row[1] for row in listener.seen if row[0] == "PropertiesChanged"} == {service.job_path(mine)}
        assert [row[2][0] for row in listener.seen if row[0] == "JobRemoved"] == [mine]
    finally:
        listener.close()


def test_unsubscribe_ends_it(service):
    listener = Listener(service)
    try:
        listener.call(MANAGER, "Manager1", "Subscribe", "(s)", "")
        first = create(service, "heard")
        listener.wait(lambda row: row[0] == "JobAdded" and row[2][0] == first)
        listener.call(MANAGER, "Manager1", "Unsubscribe", "(s)", "")
        second = create(service, "unheard")
        listener.call(MANAGER, "Manager1", "Subscribe", "(s)", second)
        service.job_call(second, "Cancel")
        listener.wait(lambda row: row[0] == "JobRemoved")
        assert ("JobAdded", MANAGER, (second, service.job_path(second))) not in listener.seen
    finally:
        listener.close()


def test_a_callback_is_delivered_until_it_is_taken(service, small, tmp_path):
    answers = [False, True]
    listener = Listener(service, lambda member: answers.pop(0))
    try:
        job = create(service, files=[(small.url("a"), os.fsencode(tmp_path / "a"), {})])
        listener.call(service.job_path(job), "Job1", "SetNotify", "(b)", True)
        assert service.get(job, "Notified") is True
        service.job_call(job, "Resume")
        listener.wait(lambda row: not answers)
        assert [row for row in listener.seen] == [("JobTransferred", job, None)] * 2
    finally:
        listener.close()


def test_a_callback_that_nobody_took_goes_to_the_next_client(service, small, tmp_path):
    job = create(service, files=[(small.url("status/404"), os.fsencode(tmp_path / "a"), {})])
    first = Listener(service, lambda member: False)
    try:
        first.call(service.job_path(job), "Job1", "SetNotify", "(b)", True)
        service.job_call(job, "Resume")
        first.wait(lambda row: row[:2] == ("JobError", job))
    finally:
        first.close()
    second = Listener(service, lambda member: True)
    try:
        second.call(service.job_path(job), "Job1", "SetNotify", "(b)", True)
        second.wait(lambda row: row[:2] == ("JobError", job))
        error = service.get(job, "Error")
        assert error["Code"] == "HTTP_STATUS" or error["Code"] == "FILE_NOT_FOUND"
        assert error["Context"] == "remote_file" and error["File"] == 0 and error["Hresult"] == 0x80190194
        assert bytes(error["Path"]) == os.fsencode(tmp_path / "a") and error["Text"]
        second.call("/org/dosvc", "Manager1", "GetServiceInfo")  # behind its answer: that one has arrived
    finally:
        second.close()
    third = Listener(service, lambda member: True)
    try:
        third.call(service.job_path(job), "Job1", "SetNotify", "(b)", True)
        assert third.call(service.job_path(job), "Job1", "SetNotify", "(b)", False).unpack() == ()
        assert third.seen == [] and service.get(job, "Notified") is False
    finally:
        third.close()


# ---- limits ----

def test_the_thirteenth_client_is_sent_away_and_may_come_when_one_has_gone(service):
    def connect():
        return Gio.DBusConnection.new_for_address_sync(service.address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT, None, None)
    others = [connect() for _ in range(11)]
    with pytest.raises(GLib.Error):
        connect()
    assert manager(service, "GetServiceInfo")[0]["Clients"] == 12
    others.pop().close_sync(None)
    while manager(service, "GetServiceInfo")[0]["Clients"] == 12:
        pass
    others.append(connect())
    for bus in others:
        bus.close_sync(None)


def test_too_many_calls_at_once_are_refused(service):
    """They come in one write, so that none is answered before all are read."""
    stream = raw_dbus.connect(service.address)
    stream.sendall(b"".join(raw_dbus.create_job(serial) for serial in range(1, 65)))
    answers = raw_dbus.kinds(stream)
    seen = [next(answers) for _ in range(64)]
    stream.close()
    done = seen.count(raw_dbus.RETURN)
    assert done + seen.count(raw_dbus.ERROR) == 64 and 8 <= done < 64
    assert len(service.list_jobs()) == done


def test_a_client_that_never_reads_holds_nobody_up(service):
    """Not others, and not the end: what it did not take is dropped (the fixture asserts that the service leaves in order)."""
    stream = raw_dbus.connect(service.address)
    stream.setblocking(False)
    calls = b"".join(raw_dbus.manager_call(serial, "ListConfiguration") for serial in range(1, 5001))
    assert stream.send(calls) > 0
    assert create(service) in service.list_jobs()
    began = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - began < 5
    stream.close()


def test_a_client_that_never_reads_is_not_read_either_until_it_does(service):
    """So its answers do not pile up in the service, and none is lost."""
    stream = raw_dbus.connect(service.address)
    stream.settimeout(1)
    before, asked, left = manager(service, "GetServiceInfo")[0]["MemoryBytes"], 0, b""
    with pytest.raises(TimeoutError):
        while asked < 200000:
            left = left or raw_dbus.manager_call(asked + 1, "ListConfiguration")
            left = left[stream.send(left):]
            asked += not left
    assert asked > 10 and manager(service, "GetServiceInfo")[0]["MemoryBytes"] < before + (16 << 20)
    stream.settimeout(20)
    answers = raw_dbus.kinds(stream)
    for _ in range(asked):
        assert next(answers) == raw_dbus.RETURN
    stream.close()


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")
def test_another_user_is_not_let_in(service, tmp_path):
    os.chmod(tmp_path, 0o777)
    os.chmod(service.state, 0o777)
    os.chmod(service.socket, 0o666)
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "busctl", f"--address={service.address}", "call", "org.dosvc", MANAGER,
               "org.dosvc.Manager1", "GetServiceInfo"]
    for parent in list(tmp_path.parents)[:-1]:
        if not os.stat(parent).st_mode & 0o001:
            os.chmod(parent, os.stat(parent).st_mode | 0o001)
    result = run(*command)
    assert result.returncode != 0, result.stdout
    assert "refused" in service.log(), result.stderr
    os.chmod(service.state, 0o700)


# ---- clients of all kinds ----

def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, **options)


def test_busctl_calls_and_introspects(service):
    result = run("busctl", f"--address={service.address}", "call", "org.dosvc", MANAGER, "org.dosvc.Manager1", "CreateJob",
                 "sa{sv}a(saya{sv})", "by busctl", "1", "Priority", "s", "low", "0")
    assert result.returncode == 0, result.stderr
    job = result.stdout.split('"')[1]
    result = run("busctl", f"--address={service.address}", "introspect", "org.dosvc", service.job_path(job))
    assert result.returncode == 0 and '"by busctl"' in result.stdout and ".Suspend" in result.stdout


def test_gdbus_calls_and_introspects(service):
    job = create(service)
    result = run("gdbus", "call", "--address", service.address, "--dest", "org.dosvc", "--object-path", service.job_path(job),
                 "--method", "org.dosvc.Job1.ListFiles", "0", "10")
    assert result.returncode == 0 and result.stdout.strip() == "(@aa{sv} [], uint32 0)", result.stderr
    result = run("gdbus", "introspect", "--address", service.address, "--dest", "org.dosvc", "--object-path", MANAGER)
    assert result.returncode == 0 and "CreateJob" in result.stdout, result.stderr


LIBDBUS = """
import sys
import dbus.connection, dbus.bus, dbus.mainloop
kind, address, path = sys.argv[1:]
bus = dbus.connection.Connection(address) if kind == "peer" else dbus.bus.BusConnection(address)
job = bus.get_object("org.dosvc" if kind == "bus" else None, path, introspect=False)
print(job.Get("org.dosvc.Job1", "State", dbus_interface="org.freedesktop.DBus.Properties"))
if kind == "bus":
    print(bus.get_name_owner("org.dosvc"), bus.name_has_owner("org.example"))
bus.close()
"""


@pytest.mark.parametrize("kind", ["peer", "bus"])
def test_libdbus_sends_its_first_call_with_the_handshake_and_is_answered(service, kind):
    pytest.importorskip("dbus")
    path = service.job_path(create(service))
    for _ in range(5):
        result = run(sys.executable, "-c", LIBDBUS, kind, service.address, path)
        assert result.returncode == 0, result.stderr
        assert result.stdout.split() == (["suspended"] if kind == "peer" else ["suspended", ":1.0", "False"])


def test_a_client_of_a_message_bus_sees_signals_of_the_name(service):
    """GDBus in bus mode matches signals by their sender: the owner of org.dosvc."""
    flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
    bus = Gio.DBusConnection.new_for_address_sync(service.address, flags, None, None)
    seen, loop = [], GLib.MainLoop()

    def on_signal(_bus, sender, _path, _interface, member, _values):
        seen.append((sender, member))
        loop.quit()
    bus.signal_subscribe("org.dosvc", "org.dosvc.Manager1", None, None, None, Gio.DBusSignalFlags.NONE, on_signal)
    assert bus.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetNameOwner",
                         GLib.Variant("(s)", ("org.dosvc",)), None, Gio.DBusCallFlags.NONE, 5000, None).unpack() == (":1.0",)
    GLib.timeout_add_seconds(20, loop.quit)
    create(service)
    loop.run()
    assert seen == [(":1.0", "JobAdded")]
    bus.close_sync(None)
