"""The service under valgrind's memcheck over a short life: nothing is used wrongly and nothing leaks. Soak only (DOSVC_SOAK).

Its children run without valgrind: their sandbox would stop it. The order of the scenario touches each command once.
"""
import os
import shutil

import pytest

from conftest import BUILD, QUICK
from origin import content
from service import Service, ServiceError

pytestmark = pytest.mark.skipif(not shutil.which("valgrind"), reason="there is no valgrind")
ERRORS = 99


@pytest.fixture
def service(tmp_path):
    made = Service(BUILD, str(tmp_path / "state"), QUICK + "CheckpointBytes=65536\n",
                   wrapper=["valgrind", "--quiet", f"--error-exitcode={ERRORS}", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible",
                            "--errors-for-leak-kinds=definite,indirect,possible", "--child-silent-after-fork=yes", "--num-callers=30",
                            f"--log-file={tmp_path}/valgrind.%p"])
    made.start(wait=False)
    made.connect(60)
    yield made
    if made.process.poll() is None:
        made.kill()


def clean(service, tmp_path):
    status = service.stop()
    # Only the service's own report: a child is forked under valgrind, and replaced by a program that is not.
    # Lines that begin with -- are about calls that this valgrind does not know (openat2): the program does without them.
    with open(tmp_path / f"valgrind.{service.process.pid}", encoding="utf-8") as f:
        report = "".join(line for line in f if not line.startswith("--") and line.strip())
    assert status == 0 and not report, f"exit {status}\n{report}\n{service.log()}"


def test_a_short_life_has_no_errors_and_no_leaks(service, origin, target, tmp_path):
    files = [(origin.url(f"f{i}", size), str(target / f"f{i}"), {}) for i, size in enumerate((0, 1, 300_000, 2_000_000))]
    origin.rate = 1 << 20
    job = service.create("kept", files, Resume=True)
    gone = service.create("gone", [(origin.url("gone", 5_000_000), str(target / "gone"), {})], Resume=True)
    with pytest.raises(ServiceError):
        service.create("refused", [("gopher://127.0.0.1/x", str(target / "x"), {})])
    with pytest.raises(ServiceError):
        service.create("twice", [files[0]] * 2)
    service.job_call(job, "Suspend")
    assert service.get(job, "State") == "suspended"
    service.list_jobs()
    service.list_files(job)
    service.call("/org/dosvc", "Manager1", "GetServiceInfo")
    service.call("/org/dosvc", "Manager1", "ListConfiguration")
    service.job_call(job, "Resume")
    service.job_call(gone, "Cancel")
    origin.rate = None
    assert service.wait_state(job, ("transferred", "error")) == "transferred"
    service.job_call(job, "Complete")
    for i, size in enumerate((0, 1, 300_000, 2_000_000)):
        assert (target / f"f{i}").read_bytes() == content(f"f{i}", size)
    assert not (target / "gone").exists()
    alone = service.create("alone", [(origin.url("alone", 100_000), str(target / "alone"), {})], Resume=True, CompleteWhenTransferred=True)
    assert service.wait_state(alone, ("acknowledged", "error")) == "acknowledged"
    clean(service, tmp_path)


def test_jobs_in_every_state_are_given_back_at_the_end(service, origin, small, target, tmp_path):
    origin.rate = 100_000
    service.create("suspended", [(origin.url("s", 10), str(target / "s"), {})])
    service.create("transferring", [(origin.url("t", 5_000_000), str(target / "t"), {})], Resume=True)
    failed = service.create("failed", [(small.url("status/404"), str(target / "e"), {})], Resume=True)
    waiting = service.create("waiting", [(small.url("status/503"), str(target / "w"), {})], Resume=True)
    done = service.create("transferred", [(origin.url("d", 1000), str(target / "d"), {})], Resume=True)
    assert service.wait_state(failed, ("error",)) == "error"
    assert service.wait_state(waiting, ("transient_error",)) == "transient_error"
    assert service.wait_state(done, ("transferred",)) == "transferred"
    clean(service, tmp_path)
    # What it reads back at the next start is freed too.
    service.start(wait=False)
    service.connect(60)
    assert len(service.list_jobs()) == 5
    clean(service, tmp_path)
