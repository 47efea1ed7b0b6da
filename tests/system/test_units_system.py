"""The system instance's units, its bus and polkit, in a systemd of the test's own; what is checked stands in tests/machine."""
import pytest

import machine
from conftest import BUILD


@pytest.mark.root
@pytest.mark.skipif(machine.why_not() is not None, reason=str(machine.why_not()))
@pytest.mark.parametrize("script", ["test_system_bus.py", "test_system_compromised.py", "test_system_life.py"])
def test_the_system_instance_lives_as_it_should(tmp_path, script):
    code, output = machine.run(BUILD, script, str(tmp_path), root=True)
    assert code == 0 and " passed" in output, output
