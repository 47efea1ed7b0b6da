"""Reads a MetricsSocket or what dosvc-metrics shows of it, with a strict parser of Prometheus' text format (exposition format 0.0.4)."""
import re
import socket

SECONDS = 20
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf'({NAME})(?:\{{({NAME})="((?:[^"\\\n]|\\["\\n])*)"\}})? (\d+)')


def parse(text):
    """{name: {label value or None: number}}. Each family has HELP, TYPE and its samples in one piece, and nothing else is there."""
    families, current, lines = {}, None, text.split("\n")
    assert lines.pop() == ""
    while lines:
        match = re.fullmatch(rf"# HELP ({NAME}) \S.*", lines.pop(0))
        current = match.group(1)
        assert current.startswith("dosvc_") and current not in families
        kind = re.fullmatch(rf"# TYPE {current} (counter|gauge)", lines.pop(0)).group(1)
        assert (kind == "counter") == current.endswith("_total")
        families[current] = {}
        while lines and not lines[0].startswith("#"):
            match = SAMPLE.fullmatch(lines.pop(0))
            assert match and match.group(1) == current and match.group(3) not in families[current]
            families[current][match.group(3)] = int(match.group(4))
    return families


def connect(s, path):
    """Waits for a place in the queue of those who are not accepted yet: with a time-out the kernel would say EAGAIN at once."""
    s.settimeout(None)
    s.connect(path)


def fetch(path):
    with socket.socket(socket.AF_UNIX) as s:
        connect(s, path)
        s.settimeout(SECONDS)
        text = b""
        while chunk := s.recv(65536):
            text += chunk
    return parse(text.decode("ascii"))
