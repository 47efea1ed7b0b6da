"""Every documented sentence has a test, every tag of a test is a sentence."""
import os
import re
from collections import Counter

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIST = os.path.join(TESTS, "conformance", "sentences.txt")
TAG = re.compile(r"(?:/\*|#) SENTENCES: ([a-z0-9. ]+)")
TAGGED_TEST = re.compile(r"/\* SENTENCES: [a-z0-9. ]+ \*/\n(?:static )?void \w+\(void \*\*state")


def sentences():
    """(id, page, sentence, is it open)"""
    with open(LIST, encoding="utf-8") as f:
        rows = [[c.strip() for c in line.split("|")] for line in f if line.strip() and not line.startswith("#")]
    return [(r[0], r[1], r[2], r[3:] == ["open"]) for r in rows]


def tagged():
    """{id: files}"""
    found = {}
    for folder, _, names in os.walk(TESTS):
        for name in names:
            path = os.path.join(folder, name)
            if not name.endswith((".c", ".cpp", ".py")) or path == os.path.abspath(__file__):
                continue
            with open(path, encoding="utf-8", errors="replace") as f:
                text = f.read()
            if name.endswith(".c"):
                assert len(TAG.findall(text)) == len(TAGGED_TEST.findall(text)), f"{path}: a tag that stands above no test"
            for words in TAG.findall(text):
                for word in words.split():
                    found.setdefault(word, set()).add(os.path.relpath(path, TESTS))
    return found


def test_each_sentence_has_one_id_and_a_page():
    rows = sentences()
    assert [i for i, n in Counter(r[0] for r in rows).items() if n > 1] == []
    assert [r[0] for r in rows if r[1] not in ("1.7", "1.8", "2.1", "2.2", "2.3", "2.4") or not r[2].endswith(".")] == []


def test_each_sentence_has_a_test():
    tags = tagged()
    assert [r[0] for r in sentences() if not r[3] and r[0] not in tags] == []


def test_what_has_a_test_is_not_called_open():
    tags = tagged()
    assert [r[0] for r in sentences() if r[3] and r[0] in tags] == []


def test_each_tag_is_a_sentence():
    known = {r[0] for r in sentences()}
    assert {i: f for i, f in tagged().items() if i not in known} == {}
