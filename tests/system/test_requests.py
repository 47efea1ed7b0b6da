"""How much one call may be, for who sends more than that, and for who has more to say than one call takes."""
import struct
import threading
import time

import pytest
from gi.repository import GLib

import raw_dbus
from conftest import Instance
from service import ServiceError

MIB = 1 << 20
CLIENTS = 60
SECONDS = 2  # of flood


def beginning(size):
    """Of a message with so many bytes."""
    call = raw_dbus.manager_call(1, "GetServiceInfo")
    return call[:4] + struct.pack("<I", size - len(call)) + call[8:]


def peak(service):
    with open(f"/proc/{service.process.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM:"))


class Flood:
    """Each client sends messages of @size bytes, and does not listen, until it is told to end."""

    def __init__(self, service, size):
        self.streams = [raw_dbus.connect(service.address) for _ in range(CLIENTS)]
        self.message = beginning(size) + bytes(256 << 10)
        self.size = size
        self.ended = threading.Event()
        self.n_bytes = 0
        self.threads = [threading.Thread(target=self.send, args=(stream,)) for stream in self.streams]

    def send(self, stream):
        stream.settimeout(0.2)
        rest = memoryview(self.message)[len(beginning(self.size)):]
        left = 0
        while not self.ended.is_set():
            part = rest[:left] if left else memoryview(beginning(self.size))
            try:
                n = stream.send(part)
            except TimeoutError:
                continue
            left = left - n if left else self.size - n
            self.n_bytes += n

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()
        for stream in self.streams:
            stream.close()


@pytest.mark.quiet
def test_a_flood_of_large_messages_takes_no_memory_and_holds_up_nobody(instance):
    before, slowest = peak(instance), 0
    with Flood(instance, 100 * MIB) as flood:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            begin = time.monotonic()
            instance.call("/org/dosvc", "Manager1", "GetServiceInfo")
            slowest = max(slowest, time.monotonic() - begin)
    assert flood.n_bytes > 100 * MIB
    assert peak(instance) - before < 16 * MIB
    assert slowest < 1


def test_messages_that_do_not_end_take_what_one_may_have_each(instance):
    before = peak(instance)
    streams = [raw_dbus.connect(instance.address) for _ in range(CLIENTS)]
    for stream in streams:
        stream.sendall(beginning(MIB) + bytes(MIB - 1000))
    instance.call("/org/dosvc", "Manager1", "GetServiceInfo")
    assert peak(instance) - before < CLIENTS * MIB + 16 * MIB
    for stream in streams:
        stream.close()


def test_a_call_that_is_too_large_is_refused_and_its_client_goes_on(instance):
    with pytest.raises(ServiceError, match=r"MessageTooLarge: The call is larger than one message may be\. .* It has 2\d{6} bytes; 1048576 are the most"):
        instance.call("/org/dosvc", "Manager1", "Subscribe", GLib.Variant("(s)", ("x" * 2 * MIB,)))
    assert instance.call("/org/dosvc", "Manager1", "GetServiceInfo")


@pytest.fixture
def many_ranges(tmp_path):
    made = Instance(str(tmp_path), "MaxRangesPerFile=10000\n")
    made.start()
    yield made
    made.close()


def test_everything_that_a_file_may_have_fits_in_a_call(many_ranges, tmp_path):
    url = "http://127.0.0.1:1/"
    long = url + "x" * (8192 - len(url))
    mirrors = {"Mirrors": GLib.Variant("s", "\n".join(long[:-2] + f"{i:02}" for i in range(16)))}
    ranges = {"Ranges": GLib.Variant("a(tt)", [(2 * i, 1) for i in range(10000)])}
    job = many_ranges.create("large", [(long, str(tmp_path / str(i)), has) for i, has in enumerate((mirrors, ranges, mirrors))])
    assert many_ranges.get(job, "FilesTotal") == 3


def test_a_list_that_fills_many_messages_is_one_job(instance, tmp_path):
    with open(tmp_path / "list", "w", encoding="utf-8") as f:
        f.writelines(f"http://127.0.0.1:1/{i}?{'x' * 8000} out={i}\n" for i in range(600))
    done = instance.run("get", "--detach", "-q", "-i", tmp_path / "list", "-d", tmp_path)
    assert done.returncode == 0, done.stderr
    assert instance.get(done.stdout.strip(), "FilesTotal") == 600
