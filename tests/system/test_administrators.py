"""Who may do what with jobs of others in a system instance: root, and whom polkit lets; for everybody else they do not exist."""
import json
import os
import shutil

import pytest

from conftest import BUILD, ROOT, origin_module
from system_instance import USERS, running

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a system instance has users: needs root")
SIZE = 300_000
MANAGE, TAKE, CHANGE = "org.dosvc.manage-all", "org.dosvc.take-ownership", "org.dosvc.change-policy"
NOBODYS = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def shared_machine():
    with running(BUILD, polkit=True) as machine:
        yield machine


@pytest.fixture
def machine(shared_machine):
    shared_machine.polkit({})
    yield shared_machine
    for job in shared_machine.json("root", "list", "--all-users"):
        shared_machine.run("root", "cancel", job["id"])


@pytest.fixture
def origin():
    made = origin_module.Origin()
    yield made
    made.close()


def slow_job(machine, origin, user, name, *options):
    origin.rate = 20_000  # slower than any test here
    return machine.ok(user, "get", origin.url(name, 10 * SIZE), "-d", machine.home(user), "--detach", *options).strip()


def transferred_job(machine, origin, user, name):
    job = machine.ok(user, "create", name).strip()
    machine.ok(user, "add", job, origin.url(name, SIZE), "-o", os.path.join(machine.home(user), name))
    machine.ok(user, "resume", job)
    machine.wait_state(user, job, "transferred")
    return job


def parts(machine, user):
    return [name for name in os.listdir(machine.home(user)) if name.endswith(".part")]


def test_root_sees_and_controls_everybodys_jobs(machine, origin):
    jobs = {user: slow_job(machine, origin, user, f"root-sees-{user}") for user in ("alice", "bob")}
    assert {(row["id"], row["owner"]) for row in machine.json("root", "list", "--all-users")} == {
        (job, USERS[user][0]) for user, job in jobs.items()}
    assert machine.json("root", "list") == []
    assert "alice" in machine.ok("root", "list", "--all-users")
    assert "owner: alice" in machine.ok("root", "show", jobs["alice"]) and "owner:" not in machine.ok("alice", "show", jobs["alice"])
    machine.ok("root", "suspend", jobs["alice"])
    assert machine.json("alice", "show", jobs["alice"])[0]["state"] == "suspended"
    machine.ok("root", "resume", jobs["alice"][:8])
    machine.ok("root", "cancel", jobs["bob"])
    assert machine.json("bob", "list") == []
    assert machine.polkit_saw("asked") == []


def test_polkit_makes_an_administrator_for_one_call(machine, origin):
    job = slow_job(machine, origin, "alice", "asked-for")
    assert machine.run("carol", "suspend", job).returncode == 3
    machine.polkit({(MANAGE, "carol"): "yes"})
    machine.ok("carol", "suspend", job)
    assert [row["id"] for row in machine.json("carol", "list", "--all-users")] == [job]
    asked = machine.polkit_saw("asked")[-1]
    assert (asked["kind"], asked["uid"], asked["action"]) == ("unix-process", USERS["carol"][0], MANAGE)
    assert asked["pid"] > 1 and asked["start-time"] == 0 and asked["details"] == {}
    assert asked["flags"] == 1, "the list of all users' jobs may ask a person"
    machine.polkit({})
    assert machine.run("carol", "resume", job).returncode == 3, "the yes was for that call"


def test_absent_and_forbidden_look_the_same_to_who_is_no_administrator(machine, origin):
    job = slow_job(machine, origin, "alice", "hidden")
    for answer in ("no", "error"):
        machine.polkit({(MANAGE, "bob"): answer})
        for verb in ("show", "suspend", "resume", "complete", "cancel"):
            forbidden, absent = machine.run("bob", verb, job), machine.run("bob", verb, NOBODYS)
            assert forbidden.returncode == absent.returncode == 3
            assert forbidden.stderr.replace(job, "ID") == absent.stderr.replace(NOBODYS, "ID")
    refused = machine.run("bob", "list", "--all-users")
    assert refused.returncode == 4 and "for administrators" in refused.stderr


def every_method(machine, user, job):
    for path in (os.path.join(ROOT, "tests", "system", "every_method.py"), os.path.join(ROOT, "idl", "org.dosvc.xml")):
        shutil.copy(path, machine.bin)  # where that user can read it
    return json.loads(machine.program(user, "/usr/bin/python3", os.path.join(machine.bin, "every_method.py"), f"unix:path={machine.socket}",
                                      os.path.join(machine.bin, "org.dosvc.xml"), job))


def test_every_method_and_property_of_anothers_job_is_answered_as_if_it_did_not_exist(machine, origin):
    """What tests/unit/bus/test_matrix.c asks in 30,000 ways, once with polkit, sockets and owners as they are."""
    job = slow_job(machine, origin, "alice", "every")
    before = machine.json("alice", "show", job)[0]
    for answer in ("no", "error"):
        machine.polkit({(MANAGE, "bob"): answer, (TAKE, "bob"): answer})
        forbidden, absent = every_method(machine, "bob", job), every_method(machine, "bob", NOBODYS)
        assert len(forbidden) > 100 and forbidden == absent
        assert set(absent.values()) == {"org.dosvc.Error.NotFound: There is no such job."}
    after = machine.json("alice", "show", job)[0]
    assert (after["owner"], after["state"]) == (before["owner"], before["state"])


def test_root_gets_of_anothers_job_what_an_administrator_gets(machine, origin):
    job = transferred_job(machine, origin, "alice", "of-root")
    results = every_method(machine, "root", job)
    theirs = {name for name, result in results.items() if result.startswith("org.dosvc.Error.AccessDenied")}
    assert "take it over" in results["Job1.AddFiles"]
    assert {name for name in theirs if name.startswith("Job1")} == {
        "Job1.AddFiles", "Job1.Start", "Job1.ReplaceUrlPrefix", "Job1.SetNotify", "Job1.SetJudge", "Job1 Set"}
    assert {name for name in results if name.startswith("File1.Set") or name.endswith("Stream")} <= theirs


def test_an_administrator_completes_with_the_owners_rights(machine, origin):
    job = transferred_job(machine, origin, "alice", "completed-by-root")
    machine.ok("root", "complete", job)
    target = os.path.join(machine.home("alice"), "completed-by-root")
    with open(target, "rb") as f:
        assert f.read() == origin_module.content("completed-by-root", SIZE)
    assert os.stat(target).st_uid == USERS["alice"][0]
    assert [row["id"] for row in machine.json("alice", "history")][0] == job


def test_what_is_fetched_and_run_stays_the_owners_word(machine, origin):
    job = slow_job(machine, origin, "alice", "owners-word")
    for words in (("add", job, origin.url("more", 10), "-o", "/tmp/more"), ("set", job, "notify_command=/bin/true"),
                  ("set", job, "custom_headers=X-A: b"), ("set", job, "name=mine")):
        refused = machine.run("root", *words)
        assert refused.returncode in (4, 7) and "take it over" in refused.stderr, (words, refused)
    machine.ok("root", "set", job, "priority=low")
    assert machine.json("alice", "show", job)[0]["priority"] == "low"


def test_what_may_hold_secrets_is_left_out_for_an_administrator(machine, origin):
    job = machine.ok("alice", "create", "secrets").strip()
    url = origin.url("secrets", SIZE) + "?token=hunter2"
    machine.ok("alice", "add", job, url, "-o", os.path.join(machine.home("alice"), "secrets"))
    machine.ok("alice", "set", job, "custom_headers=X-Token: hunter2")
    machine.ok("alice", "set", job, "proxy_usage=2", "proxy_list=http://u:hunter2@127.0.0.1:1", "proxy_bypass=")
    assert "hunter2" in machine.ok("alice", "show", job, "--all")
    for words in (("show", job, "--all"), ("show", job, "--json"), ("list", "--all-users", "--json")):
        assert "hunter2" not in machine.ok("root", *words)


def test_a_job_that_is_taken_over_begins_anew_as_the_new_owners(machine, origin):
    config_place = machine.path("drop")
    os.mkdir(config_place)
    os.chown(config_place, USERS["alice"][0], 3000)
    os.chmod(config_place, 0o770)
    target = os.path.join(config_place, "taken")
    origin.rate = 20_000  # slower than this test
    job = machine.ok("alice", "get", origin.url("taken", 10 * SIZE), "-o", target, "--detach").strip()
    machine.ok("alice", "set", job, "custom_headers=X-Token: hunter2")
    machine.wait(lambda: os.listdir(config_place), "the temporary file")
    machine.polkit({(MANAGE, "bob"): "yes", (TAKE, "bob"): "yes", (MANAGE, "carol"): "yes", (TAKE, "carol"): "no"})
    refused = machine.run("bob", "take", job)
    assert refused.returncode != 0 and "may not write" in refused.stderr
    assert machine.run("carol", "take", job).returncode == 3
    assert machine.json("alice", "show", job)[0]["owner"] == USERS["alice"][0]
    machine.polkit({(MANAGE, "carol"): "yes", (TAKE, "carol"): "yes"})
    machine.ok("carol", "take", job)
    assert machine.run("alice", "show", job).returncode == 3
    row = machine.json("carol", "show", job)[0]
    assert (row["owner"], row["state"], row["bytes_transferred"]) == (USERS["carol"][0], "suspended", 0)
    assert os.listdir(config_place) == [], "what was alice's went with her rights"
    assert "hunter2" not in machine.ok("carol", "show", job, "--all")
    origin.rate = None
    machine.ok("carol", "resume", job)
    machine.wait(lambda: os.path.exists(target), "the file")
    assert os.stat(target).st_uid == USERS["carol"][0]
    with open(target, "rb") as f:
        assert f.read() == origin_module.content("taken", 10 * SIZE)


def test_a_caller_that_vanishes_calls_its_question_off(machine, origin):
    job = slow_job(machine, origin, "alice", "vanished")
    machine.polkit({(MANAGE, "bob"): "never"})
    before = len(machine.polkit_saw("cancelled"))
    with pytest.raises(Exception, match="timed out"):
        machine.run("bob", "cancel", job, timeout=2)
    machine.wait(lambda: len(machine.polkit_saw("cancelled")) == before + 1, "the cancellation")
    assert machine.polkit_saw("cancelled")[-1] == machine.polkit_saw("asked")[-1]["cancellation"]
    assert machine.json("alice", "show", job)[0]["state"] in ("queued", "transferring")


def test_a_yes_that_comes_late_is_for_nobody(machine, origin):
    """Neither for whoever asked and went, nor for who asks next."""
    job = slow_job(machine, origin, "alice", "late")
    machine.polkit({(MANAGE, "bob"): "late", (MANAGE, "carol"): "no"})
    before = len(machine.polkit_saw("cancelled"))
    with pytest.raises(Exception, match="timed out"):
        machine.run("bob", "cancel", job, timeout=2)
    machine.wait(lambda: len(machine.polkit_saw("cancelled")) == before + 1, "the cancellation")
    assert machine.run("carol", "cancel", job).returncode == 3
    machine.polkit({})
    assert machine.run("bob", "cancel", job).returncode == 3
    assert machine.json("alice", "show", job)[0]["state"] in ("queued", "transferring")


def test_the_configuration_is_read_again_for_root_and_whom_polkit_lets(machine):
    assert machine.run("carol", "config", "--reload").returncode == 4
    assert machine.polkit_saw("asked")[-1]["action"] == CHANGE
    machine.polkit({(MANAGE, "carol"): "yes", (TAKE, "carol"): "yes"})
    assert machine.run("carol", "config", "--reload").returncode == 4
    machine.polkit({(CHANGE, "carol"): "yes"})
    assert machine.json("carol", "config", "--reload") == {"changed": 0}
    asked = len(machine.polkit_saw("asked"))
    assert machine.json("root", "config", "--reload") == {"changed": 0}
    assert len(machine.polkit_saw("asked")) == asked


def test_without_polkit_root_alone_is_an_administrator(machine, origin):
    job = slow_job(machine, origin, "alice", "no-polkit")
    machine.polkit({(MANAGE, "bob"): "yes"})
    machine.ok("bob", "show", job)
    machine.kill("polkit")
    machine.kill("bus")
    assert machine.run("bob", "show", job).returncode == 3
    machine.ok("root", "show", job)
