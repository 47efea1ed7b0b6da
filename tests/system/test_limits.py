"""Values at the end of their range, from clients and from servers: each is taken or refused by its name, is still there after a crash, and
nobody else is disturbed. What a row of the database cannot hold must be stopped before it is in memory alone."""
import itertools
import os

import pytest
from gi.repository import GLib

from conftest import BUILD
from lying_server import LyingServer, content
from service import Service, ServiceError

TOO_MUCH = ("InvalidArgument", "NoSpace", "StringTooLong", "TooLarge", "NameTooLong", "InvalidName", "InvalidUrl", "InvalidRange", "NotImplemented",
            "MaxSizeInvalid", "UserNameTooLarge", "PasswordTooLarge", "InvalidState", "ReadOnlyAfterAddFile", "ReadOnlyAfterResume",
            "ProtocolNotAvailable", "NotSupportedWithMethod", "TooManyRanges", "RangesUnexpected", "CertificateStoreNotFound")
NUMBERS = {"u": (2**31, 2**32 - 1), "t": (2**31, 10**13 // 2, 10**13, 2**62, 2**62 + 1, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1)}
LENGTHS = (255, 1025, 4096, 8192, 8193, 16384, 20000, 70000, 300000)


@pytest.fixture
def service(tmp_path):
    made = Service(BUILD, str(tmp_path / "state"))
    made.start()
    yield made
    assert made.stop() == 0, made.log()


def tried(call, *arguments):
    """What it gives, or None where it was refused for what it was."""
    try:
        return call(*arguments)
    except ServiceError as error:
        assert error.name.rpartition(".")[2] in TOO_MUCH, error
        return None


def create(service, options, files):
    return service.call("/org/dosvc", "Manager1", "CreateJob", GLib.Variant("(sa{sv}a(saya{sv}))", ("a job", options, files)))[0]


def file(folder, name, **options):
    return ("http://127.0.0.1:1/f", os.fsencode(folder / name), options)


def texts():
    for length, head in itertools.product(LENGTHS, ("", "/", "a: ", "user:", "http://h/")):
        yield head + "x" * (length - len(head))


def test_whatever_a_client_says_of_a_job_is_taken_or_refused(service, tmp_path):
    pid = service.process.pid
    for number in NUMBERS["t"]:
        tried(create, service, {"LifeTime": GLib.Variant("t", number), "MaxRate": GLib.Variant("t", number)}, [])
    for text in texts():
        for key in ("Description", "ProxyEnvironment"):
            tried(create, service, {key: GLib.Variant("s", text)}, [])
    job = create(service, {}, [])
    writable = {"Name": "s", "Description": "s", "NotifyCommand": "s", "NotifyParameters": "s", "CustomHeaders": "s", "CustomAuthHeaders": "s",
                "ServerBasicCredentials": "s", "ProxyDigestCredentials": "s", "ClientCertificate": "s", "HttpMethod": "s", "ProxyBypass": "s",
                "MinimumRetryDelay": "u", "NoProgressTimeout": "u", "MaximumDownloadTime": "u", "NotifyFlags": "u", "SecurityFlags": "u",
                "CostFlags": "u", "NotificationInterval": "u", "LifeTime": "t", "MaxRate": "t", "MaxDownloadSize": "t"}
    for key, signature in writable.items():
        for value in texts() if signature == "s" else NUMBERS[signature]:
            tried(service.job_call, job, "SetProperties", GLib.Variant("(a{sv})", ({key: GLib.Variant(signature, value)},)))
    for text in texts():
        tried(service.job_call, job, "SetProperties", GLib.Variant("(a{sv})", ({"ProxyUsage": GLib.Variant("u", 2), "ProxyList": GLib.Variant("s", text)},)))
    before = service.list_jobs()
    assert service.process.pid == pid and service.process.poll() is None
    service.kill()
    service.start()
    after = service.list_jobs()
    assert {j: {k: v[k] for k in writable if k in v} for j, v in before.items()} == {j: {k: v[k] for k in writable if k in v} for j, v in after.items()}


def test_whatever_a_client_says_of_a_file_is_taken_or_refused(service, tmp_path):
    pid, n = service.process.pid, itertools.count()
    for key in ("FileId", "Mirrors", "IntegrityCheckInfo", "DecryptionInfo"):
        for text in texts():
            tried(create, service, {}, [file(tmp_path, f"f{next(n)}", **{key: GLib.Variant("s", text)})])
    for number in NUMBERS["t"]:
        tried(create, service, {}, [file(tmp_path, f"f{next(n)}", Size=GLib.Variant("t", number))])
    assert service.process.pid == pid and service.process.poll() is None
    # The longest that is promised is taken, one byte more is not.
    assert tried(create, service, {}, [file(tmp_path, "id", FileId=GLib.Variant("s", "x" * 8192))])
    assert not tried(create, service, {}, [file(tmp_path, "longer", FileId=GLib.Variant("s", "x" * 8193))])
    jobs = service.list_jobs()
    service.kill()
    service.start()
    assert service.list_jobs().keys() == jobs.keys()


@pytest.mark.parametrize("n", (1, 2, 3, 4))
def test_sizes_that_no_sum_holds_end_with_their_job(service, tmp_path, n):
    """Each file may have 4 EiB; what they have together goes into the history."""
    job = create(service, {}, [file(tmp_path, f"f{i}", Ranges=GLib.Variant("a(tt)", [(0, 2**62)])) for i in range(n)])
    service.job_call(job, "Cancel")
    assert job not in service.list_jobs()
    listed = service.call("/org/dosvc", "Manager1", "ListHistory", GLib.Variant("(su)", ("", 10)))[0]
    assert [e["Id"] for e in listed] == [job] and listed[0]["BytesTotal"] == (2**62 if n == 1 else 2**64 - 1)


@pytest.mark.parametrize("header", ("Last-Modified: Thu, 01 Jan 300000 00:00:00 GMT", "Last-Modified: Thu, 01 Jan 2147483647 00:00:00 GMT",
                                    "Last-Modified: Fri, 31 Dec 9999 23:59:59 GMT", "Retry-After: 99999999999999999999",
                                    "Date: Thu, 01 Jan 300000 00:00:00 GMT", 'ETag: "' + "e" * 1022 + '"', "Content-Encoding: " + "x" * 60), ids=lambda text: text[:40])
def test_whatever_a_server_says_the_file_is_there(service, tmp_path, header):
    server = LyingServer(cases={"c": {"size": 5000, "answers": [{"modified": "missing", "etag": "missing", "headers": [header]}]}}).start()
    try:
        job = service.create("a job", [(server.url("/c/c/f"), str(tmp_path / "f"), {})], Resume=True, RemoteTime=True)
        pid = service.process.pid
        service.wait_state(job, ("transferred",))
        service.job_call(job, "Complete")
        assert service.process.pid == pid
        with open(tmp_path / "f", "rb") as f:
            assert f.read() == content("f", 1, 0, 5000)
    finally:
        server.stop()


def test_the_longest_url_is_fetched(service, tmp_path):
    """What is known of its origin has a port more."""
    server = LyingServer(cases={}).start()
    try:
        url = server.url("/file?size=5000&version=1&x=")
        url += "y" * (8192 - len(url))
        job = service.create("a job", [(url, str(tmp_path / "f"), {})], Resume=True)
        service.wait_state(job, ("transferred",))
        service.job_call(job, "Complete")
        assert os.path.getsize(tmp_path / "f") == 5000
    finally:
        server.stop()
