"""The installed units, in a systemd of the test's own; what they check stands in tests/machine."""
import pytest

import machine
from conftest import BUILD


@pytest.mark.root
@pytest.mark.skipif(machine.why_not() is not None, reason=str(machine.why_not()))
def test_the_user_units_do_what_they_say(tmp_path):
    code, output = machine.run(BUILD, "test_user_units.py", str(tmp_path))
    assert code == 0 and " passed" in output, output


@pytest.mark.root
@pytest.mark.skipif(machine.why_not() is not None, reason=str(machine.why_not()))
def test_the_system_units_do_what_they_say(tmp_path):
    code, output = machine.run(BUILD, "test_system_units.py", str(tmp_path))
    assert code == 0 and " passed" in output, output
