"""One day of a machine with two people, in one life of a system instance: one logs off and on, the network costs money, gets a tunnel, goes and
comes, ends at a portal, the battery runs low, the machine sleeps. After each event: what does each of them see of it, and what does an
administrator? Links, routes and users are real, in namespaces; logind, NetworkManager, UPower and polkit are fakes on one private bus."""
import os
import shutil
import threading

import pytest

import fake_machine
from conftest import BUILD
from far_network import MIB, Far, Network, wait_until
from origin import content
from system_instance import USERS, Machine

SIZE = 32 * MIB  # minutes, until the origin lets it through
ALICE, BOB = USERS["alice"][0], USERS["bob"][0]
# Nothing here goes on because of a retry.
CONFIG = "RequireLogon=yes\nBackgroundCostPolicy=1\nMaxConnectionsPerFile=1\nMinimumRetryDelayDO=600\n"
MOVES = ("transferring", None)

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="needs root for namespaces, and ip")]


class Download:
    def __init__(self, machine, user, name, url, *options):
        self.machine, self.user, self.name = machine, user, name
        self.path = os.path.join(machine.home(user), name)
        self.id = machine.ok(user, "get", f"{url}/{name}?size={SIZE}", "-o", self.path, "--detach", *options).strip()

    def seen(self):
        return self.machine.json(self.user, "show", self.id)[0]

    def is_now(self, state, reason):
        """Waiting for that; or moving, and not only said to."""
        job = self.seen()
        if (job["state"], job["waiting_reason"]) != (state, reason):
            return None
        if (state, reason) == MOVES:
            wait_until(lambda: self.seen()["bytes_transferred"] > job["bytes_transferred"], lambda: f"{self.user}: {self.seen()}")
        return job

    def ends_well(self):
        self.machine.ok(self.user, "watch", self.id)
        with open(self.path, "rb") as f:
            assert f.read() == content(self.name, SIZE)
        assert os.stat(self.path).st_uid == USERS[self.user][0]


class Day:
    """Everything that one test needs, and what it asks again and again."""

    def __init__(self):
        self.network = Network()
        self.machine = Machine(BUILD, CONFIG, network=self.network.client.pid)
        self.machine.start_namespace()
        self.fakes = fake_machine.FakeMachine(self.machine._as("root"))
        self.machine.environment.update(self.fakes.environment)
        self.machine.start_polkit(self.fakes.address)
        self.fakes.log_on(ALICE)
        self.fakes.log_on(BOB)
        self.fakes.network_manager(Metered=4)
        self.fakes.upower(OnBattery=False)
        self.machine.start()
        wait_until(self.fakes.inhibited, "nobody delays sleep")
        self.alice = Download(self.machine, "alice", "important", self.network.url)
        self.bob = Download(self.machine, "bob", "whenever", self.network.url, "--background")

    def see(self, alice, bob):
        """Both wait for what is said, or move. Their jobs as they are then."""
        return [wait_until(lambda: job.is_now(*expected), lambda: f"{job.user}: not {expected}: {job.seen()}\n{self.machine.logs()}")
                for job, expected in ((self.alice, alice), (self.bob, bob))]

    def count_in_log(self, text):
        with open(self.machine.path("core.log"), encoding="utf-8", errors="replace") as f:
            return f.read().count(text)

    def ip(self, *words):
        self.network.ip(self.network.client, *words)

    def close(self):
        self.machine.close()
        self.fakes.close()
        self.network.close()


@pytest.fixture
def day():
    made = Day()
    yield made
    made.close()


def somebody_logs_off_and_on(day):
    day.fakes.log_on(ALICE, "closing")  # her last session ended; something of her still runs
    day.see(("queued", "logon"), MOVES)
    assert "waits until its owner logs on" in day.machine.ok("alice", "show", day.alice.id)
    day.fakes.log_on(ALICE, "lingering")
    day.see(MOVES, MOVES)
    day.fakes.log_off(ALICE)
    day.fakes.log_off(BOB)
    day.see(("queued", "logon"), ("queued", "logon"))
    day.fakes.log_on(BOB)
    day.see(("queued", "logon"), MOVES)
    day.fakes.log_on(ALICE, "online")  # over ssh
    day.see(MOVES, MOVES)


def the_network_costs_money(day):
    day.fakes.network_manager(Metered=1)
    _, waiting = day.see(MOVES, ("transient_error", "cost"))
    assert waiting["error"]["name"] == "BlockedByCost"
    day.fakes.network_manager(Metered=4)
    day.see(MOVES, MOVES)


def a_tunnel_becomes_the_way_to_everywhere(day):
    """As VPN programs do it: two routes that are narrower than the default one. What it costs is still NetworkManager's word for the
    connection below."""
    day.ip("tuntap", "add", "work", "mode", "tun")
    day.ip("addr", "add", "10.8.0.2/24", "dev", "work")
    day.ip("link", "set", "work", "up")
    for half in ("0.0.0.0/1", "128.0.0.0/1"):
        day.ip("route", "add", half, "dev", "work")
    wait_until(lambda: day.count_in_log("the network reaches everywhere, through a tunnel\n") == 1, day.machine.logs)
    day.see(MOVES, MOVES)
    the_network_costs_money(day)
    before = day.count_in_log("the network reaches everywhere\n")
    day.ip("link", "del", "work")
    wait_until(lambda: day.count_in_log("the network reaches everywhere\n") > before, day.machine.logs)
    day.see(MOVES, MOVES)


def the_network_goes_and_comes(day):
    day.network.down()
    for waiting in day.see(("transient_error", "network"), ("transient_error", "network")):
        assert waiting["error"]["name"] == "NoNetwork"
    here = Far(day.network.inside(day.network.client), "127.0.0.1")
    here.let_through()
    Download(day.machine, "alice", "from-here", here.url).ends_well()  # needs none
    here.close()
    day.network.up()
    day.see(MOVES, MOVES)
    day.fakes.network_manager(Connectivity=2)
    day.see(("transient_error", "network"), ("transient_error", "network"))
    assert "captive portal" in day.machine.ok("bob", "show", day.bob.id)
    day.fakes.network_manager(Connectivity=4)
    day.see(MOVES, MOVES)


def the_battery_runs_low(day):
    day.fakes.battery(Percentage=10.0)
    day.fakes.upower(OnBattery=True)
    _, waiting = day.see(MOVES, ("transient_error", "power"))
    assert waiting["error"]["name"] == "BlockedByBattery"
    # Whoever looks after the machine sees why; who does not sees nothing at all.
    assert day.machine.run("carol", "show", day.bob.id).returncode == day.machine.run("alice", "show", day.bob.id).returncode == 3
    day.machine.polkit({("org.dosvc.manage-all", "carol"): "yes"})
    assert day.machine.json("carol", "show", day.bob.id)[0]["waiting_reason"] == "power"
    assert day.machine.run("alice", "show", day.bob.id).returncode == 3
    day.machine.polkit({})
    day.fakes.upower(OnBattery=False)
    day.see(MOVES, MOVES)


def the_machine_sleeps(day):
    day.fakes.sleep()
    wait_until(lambda: not day.fakes.inhibited(), "sleep is delayed for ever")
    for waiting in day.see(("transient_error", "sleep"), ("transient_error", "sleep")):
        assert waiting["bytes_durable"] == waiting["bytes_transferred"] > 0
    day.fakes.log_off(BOB)  # and the battery of his ssh client was empty, too
    day.fakes.wake()
    day.see(MOVES, ("queued", "logon"))
    day.fakes.log_on(BOB)
    day.see(MOVES, MOVES)


def people_leave_while_their_jobs_are_completed(day):
    """Before, at and after the moment in which Complete arrives: what was asked for is done, whole, and needs nobody."""
    for number in range(6):
        name = f"last{number}"
        path = os.path.join(day.machine.home("alice"), name)
        job = day.machine.ok("alice", "create", name).strip()
        day.machine.ok("alice", "add", job, f"{day.network.url}/{name}?size={MIB}", "-o", path)
        day.machine.ok("alice", "resume", job)
        day.machine.wait_state("alice", job, "transferred")
        results = []
        complete = threading.Thread(target=lambda job=job: results.append(day.machine.run("alice", "complete", job)))
        if number % 3 == 0:
            day.fakes.log_off(ALICE)
        complete.start()
        if number % 3 == 1:
            day.fakes.log_off(ALICE)
        complete.join()
        if number % 3 == 2:
            day.fakes.log_off(ALICE)
        assert results[0].returncode == 0, results[0].stderr
        with open(path, "rb") as f:
            assert f.read() == content(name, MIB)
        day.fakes.log_on(ALICE)
    assert day.machine.json("alice", "list") == []
    assert not [name for name in os.listdir(day.machine.home("alice")) if name.endswith(".part")]


def test_one_day_of_a_machine_with_two_people(day):
    day.see(MOVES, MOVES)
    somebody_logs_off_and_on(day)
    the_network_costs_money(day)
    a_tunnel_becomes_the_way_to_everywhere(day)
    the_network_goes_and_comes(day)
    the_battery_runs_low(day)
    the_machine_sleeps(day)
    assert [job.seen()["error_count"] for job in (day.alice, day.bob)] == [0, 0]  # none of it was a fault
    day.network.origin.let_through()
    day.alice.ends_well()
    day.bob.ends_well()
    people_leave_while_their_jobs_are_completed(day)
