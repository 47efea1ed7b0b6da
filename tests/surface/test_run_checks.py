"""What the last line of "make check" counts is what ran."""
import importlib.util
import os

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SPEC = importlib.util.spec_from_file_location("run_checks", os.path.join(ROOT, "tools", "run_checks.py"))
run_checks = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(run_checks)

CMOCKA_GOOD = "[==========] Running 3 test(s).\n[==========] 3 test(s) run.\n[  PASSED  ] 2 test(s).\n" \
              "[  SKIPPED ] 1 test(s), listed below:\n[  SKIPPED ] a_test\n\n 1 SKIPPED TEST(S)\n"
CMOCKA_BAD = "[==========] 3 test(s) run.\n[  PASSED  ] 1 test(s).\n[  FAILED  ] tests: 2 test(s), listed below:\n" \
             "[  FAILED  ] 2 test(s), listed below:\n[  FAILED  ] b\n"


@pytest.mark.parametrize("entry, expected, good", [
    ({"result": "OK", "stdout": CMOCKA_GOOD}, (2, 0, 1), True),
    ({"result": "OK", "stderr": CMOCKA_GOOD + CMOCKA_GOOD}, (4, 0, 2), True),
    ({"result": "FAIL", "stdout": CMOCKA_BAD}, (1, 2, 0), False),
    # a program that crashed after its first group, or whose sanitizer found a leak at exit
    ({"result": "FAIL", "stdout": CMOCKA_GOOD}, (2, 1, 1), False),
    ({"result": "TIMEOUT", "stdout": ""}, (0, 1, 0), False),
    ({"result": "OK", "stdout": "anything"}, (1, 0, 0), True),
    ({"result": "SKIP"}, (0, 0, 1), True),
    ({"result": "OK", "stdout": "1..3\nok 1 a\nok 2 b # SKIP no tool\nnot ok 3 c\n"}, (1, 1, 1), True),
])
def test_a_line_of_the_test_log_is_counted(entry, expected, good):
    count, went_well = run_checks.count_meson_test(entry)
    assert (count.passed, count.failed, count.skipped) == expected
    assert went_well == good


def test_pytest_reports_are_counted(tmp_path):
    report = tmp_path / "r.xml"
    report.write_text('<testsuites><testsuite tests="9" failures="2" errors="1" skipped="1"/></testsuites>')
    assert str(run_checks.count_junit(report)) == "5 passed, 3 failed, 1 skipped"
