"""D-Bus by hand, for what no library does: many calls in one write, and a client that never reads."""
import socket
import struct

CALL, RETURN, ERROR = 1, 2, 3  # kinds of messages


def align(data, n):
    return data + bytes(-len(data) % n)


def string(text):
    raw = text.encode()
    return struct.pack("<I", len(raw)) + raw + b"\0"


def empty_array(data):
    """Its entries begin at a multiple of 8, even if there are none."""
    return align(align(data, 4) + struct.pack("<I", 0), 8)


def manager_call(serial, method, signature=b"", body=b""):
    fields = b""
    for code, kind, value in ((1, b"o", "/org/dosvc"), (2, b"s", "org.dosvc.Manager1"), (3, b"s", method)):
        fields = align(fields, 8) + bytes([code, 1]) + kind + b"\0" + string(value)
    if signature:
        fields = align(fields, 8) + bytes([8, 1]) + b"g\0" + bytes([len(signature)]) + signature + b"\0"
    header = b"l" + bytes([CALL, 0, 1]) + struct.pack("<III", len(body), serial, len(fields))
    return align(header + fields, 8) + body


def create_job(serial):
    return manager_call(serial, "CreateJob", b"sa{sv}a(saya{sv})", empty_array(empty_array(string(f"job {serial}"))))


def connect(address):
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(address.removeprefix("unix:path="))
    stream.sendall(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")
    greeting = b""
    while greeting.count(b"\r\n") < 2:
        greeting += stream.recv(1)
    assert greeting.splitlines()[1].startswith(b"OK"), greeting
    return stream


def kinds(stream):
    """Yields the kind of each message that arrives."""
    buffer = b""
    while True:
        while len(buffer) >= 16:
            body, _, fields = struct.unpack_from("<III", buffer, 4)
            size = 16 + fields + -fields % 8 + body
            if len(buffer) < size:
                break
            yield buffer[1]
            buffer = buffer[size:]
        more = stream.recv(65536)
        if not more:
            return
        buffer += more
