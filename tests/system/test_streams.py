"""Streams over D-Bus, without the library: whoever can call SetStream, OpenStream and TakeStream takes a file's bytes as they come."""
import hashlib
import os

import pytest
from gi.repository import Gio, GLib

from conftest import BUILD, QUICK, origin_module
from service import Service, ServiceError

SIZE = 20_000_000  # more than a window


@pytest.fixture
def service(tmp_path):
    started = Service(BUILD, str(tmp_path / "state"), QUICK)
    started.start()
    yield started
    started.stop()


@pytest.fixture
def origin():
    made = origin_module.Origin()
    yield made
    made.close()


class Stream:
    """The first file of a job, whose bytes go to this connection."""

    def __init__(self, service, url, sha256):
        self.service = service
        self.job = service.create("stream", [(url, "", {"Sha256": GLib.Variant("ay", sha256)})])
        self.path = service.job_path(self.job) + "/file/0"
        self.call("SetStream")
        result, fds = service.bus.call_with_unix_fd_list_sync(None, self.path, "org.dosvc.File1", "OpenStream", None, None, Gio.DBusCallFlags.NONE,
                                                              20000, None, None)
        self.fd = fds.get(result.unpack()[0])
        self.taken = 0

    def call(self, method, arguments=None):
        return self.service.call(self.path, "File1", method, arguments)

    def take(self, wait=True):
        return self.call("TakeStream", GLib.Variant("(tb)", (self.taken, wait)))[0]

    def read_all(self, size):
        body = bytearray()
        while len(body) < size:
            available = self.take()
            assert self.taken < available <= self.taken + (8 << 20) + (512 << 10)  # give or take the transfer process's last buffer
            while self.taken < available:
                body += os.pread(self.fd, available - self.taken, self.taken)
                self.taken = len(body)
        return bytes(body)

    def close(self):
        os.close(self.fd)


@pytest.mark.parametrize("wrong", [False, True])
def test_a_digest_decides_when_all_was_taken(service, origin, wrong):
    body = origin_module.content("streamed", SIZE)
    digest = hashlib.sha256(body[:-1] + b"?" if wrong else body).digest()
    stream = Stream(service, origin.url("streamed", SIZE), digest)
    service.job_call(stream.job, "Resume")
    assert stream.read_all(SIZE) == body
    assert service.get(stream.job, "State") == "transferring"  # nobody knows yet
    stream.take(wait=False)
    if not wrong:
        service.wait_state(stream.job, ["transferred"])
        service.job_call(stream.job, "Complete")
    else:
        service.wait_state(stream.job, ["error"])
        assert service.get(stream.job, "Error")["Name"] == "org.dosvc.Error.DigestMismatch"
        service.job_call(stream.job, "Cancel")
    with pytest.raises(ServiceError):
        stream.take(wait=False)
    stream.close()


def test_the_reader_reads_only_and_the_window_is_all_that_is_held(service, origin):
    stream = Stream(service, origin.url("held", 4 * SIZE), bytes(32))
    service.job_call(stream.job, "Resume")
    with pytest.raises(OSError):
        os.pwrite(stream.fd, b"x", 0)
    stream.taken = min(stream.take(), 1 << 20)
    while stream.taken < 3 * SIZE:
        stream.taken = stream.take()
        assert os.fstat(stream.fd).st_blocks * 512 <= (16 << 20)  # what was taken may be on its way back
    service.job_call(stream.job, "Cancel")
    stream.close()
