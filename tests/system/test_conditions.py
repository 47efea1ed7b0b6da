"""The network goes and comes, costs money, ends at a portal; the battery is low, the owner logs off, the machine sleeps: what jobs do, and what
people see of it. The services that tell are fakes on a bus of the test's own; routes and links are real, in network namespaces."""
import os
import shutil
import signal

import pytest

import fake_machine
from conftest import BUILD, Instance
from far_network import MIB, SLOWLY, Far, Network, wait_until
from origin import content
from system_instance import USERS, Machine

# A delay that no test waits out: whatever goes on sooner goes on because of the condition.
PATIENT = "MinimumRetryDelayDO=600\nConnectTimeout=5\nStallTimeout=5\n"
needs_root = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root for namespaces")]


class Job:
    """One download that takes some seconds, seen through the command."""

    def __init__(self, instance, target, url, *options):
        self.instance, self.path, self.size = instance, os.path.join(str(target), "file"), 3 * MIB
        words = ["get", f"{url}/file?size={self.size}", "-o", self.path, "--detach", *options]
        self.id = instance.run(*words, check=True).stdout.strip()

    def show(self):
        return self.instance.json("show", self.id)[0]

    def is_waiting(self, state, reason):
        job = self.show()
        return job if (job["state"], job["waiting_reason"]) == (state, reason) else None

    def wait_for(self, state, reason):
        return wait_until(lambda: self.is_waiting(state, reason), lambda: f"not {state} and {reason}: {self.show()}")

    def wait_safe(self):
        """The state is told at once; the last checkpoint comes right behind it."""
        return wait_until(lambda: (job := self.show())["bytes_durable"] == job["bytes_transferred"] > 0, self.show)

    def wait_moving(self):
        return wait_until(lambda: (job := self.show())["state"] == "transferring" and job["bytes_transferred"] > 0, self.show)

    def says(self, *sentences):
        text = self.instance.run("show", self.id, check=True).stdout
        for sentence in sentences:
            assert sentence in text

    def ends_well(self, origin):
        origin.let_through()
        self.instance.run("watch", self.id, check=True)
        with open(self.path, "rb") as f:
            assert f.read() == content("file", self.size)


@pytest.fixture
def machine():
    with fake_machine.FakeMachine() as made:
        yield made


@pytest.fixture
def here(machine, tmp_path):
    """A service on this machine's loopback, whose conditions are the fakes'."""
    made = Instance(str(tmp_path), PATIENT)
    made.environment = machine.environment
    made.start()
    yield made
    made.close()


@pytest.fixture
def network():
    if not shutil.which("ip"):
        pytest.skip("there is no ip")
    made = Network()
    yield made
    made.close()


@pytest.fixture
def away(network, machine, tmp_path):
    """A service in the client's namespace."""
    made = Instance(str(tmp_path), PATIENT)
    made.environment = machine.environment
    made.wrapper = network.inside(network.client)
    made.start()
    yield made
    made.close()


def in_root(function):
    for mark in needs_root:
        function = mark(function)
    return function


@in_root
def test_a_network_that_goes_stops_a_job_and_its_return_lets_it_go_on_at_once(network, away, target):
    job = Job(away, target, network.url)
    job.wait_moving()
    assert away.json("service")["network"] == "full"
    network.down()
    waiting = job.wait_for("transient_error", "network")
    assert (waiting["error"]["hresult"], waiting["error"]["name"]) == ("0x80D03805", "NoNetwork")
    job.wait_safe()
    job.says("waits for a network", "This machine is connected to no network.")
    assert away.json("service")["network"] == "none"
    assert "reaches nobody" in away.run("service", check=True).stdout
    network.up()
    job.ends_well(network.origin)
    assert away.json("service")["network"] == "full"


@in_root
def test_without_a_way_to_everywhere_neighbours_are_still_asked(network, away, target):
    network.ip(network.client, "route", "del", "default")
    wait_until(lambda: away.json("service")["network"] == "local", "the route is still there")
    Job(away, target, network.url).ends_well(network.origin)


@in_root
def test_loopback_needs_no_network(network, away, target):
    network.down()
    wait_until(lambda: away.json("service")["network"] == "none", "the network is still there")
    local = Far(network.inside(network.client), "127.0.0.1")
    Job(away, target, local.url).ends_well(local)
    local.close()


@in_root
def test_a_name_waits_for_a_network_when_nobody_can_resolve_it(network, away, target):
    network.down()
    wait_until(lambda: away.json("service")["network"] == "none", "the network is still there")
    job = Job(away, target, "http://nobody.invalid")
    assert job.wait_for("transient_error", "network")["error"]["name"] == "NoNetwork"


@in_root
def test_a_portal_counts_as_no_network(network, machine, away, target):
    machine.network_manager(Connectivity=2)
    wait_until(lambda: away.json("service")["network"] == "portal", "no portal is seen")
    job = Job(away, target, network.url)
    job.wait_for("transient_error", "network")
    job.says("captive portal")
    machine.network_manager(Connectivity=4)
    job.ends_well(network.origin)


@in_root
def test_a_metered_network_is_measured_by_the_cost_flags(network, machine, away, target):
    machine.network_manager(Metered=4)
    job = Job(away, target, network.url)
    away.run("set", job.id, "cost_flags=0x80000021", check=True)  # BITS_JOB_TRANSFER_POLICY_UNRESTRICTED
    job.wait_moving()
    machine.network_manager(Metered=1)
    waiting = job.wait_for("transient_error", "cost")
    assert (waiting["error"]["hresult"], waiting["error"]["name"]) == ("0x80D03801", "BlockedByCost")
    job.says("waits for a network that costs less", "The network is metered, which the job's cost flags do not allow.")
    assert "metered" in away.run("service", check=True).stdout
    machine.network_manager(Metered=2)
    job.wait_moving()
    machine.network_manager(Metered=3)
    job.wait_for("transient_error", "cost")
    machine.leave("network_manager")  # nobody says that it costs anything
    job.ends_well(network.origin)


@in_root
def test_roaming_stops_background_jobs_and_mobile_networks_those_that_say_so(network, machine, away, target):
    machine.modem(1)
    machine.network_manager(PrimaryConnectionType="gsm", Metered=3)
    job = Job(away, target, network.url, "--background")
    job.wait_moving()
    machine.modem(5)
    waiting = job.wait_for("transient_error", "cost")
    assert waiting["error"]["name"] == "BlockedByCost"
    job.says("The network is roaming, which the configuration does not allow for background jobs.")
    away.run("set", job.id, "priority=foreground", check=True)
    job.wait_moving()
    away.run("set", job.id, "disallow_on_cellular=yes", check=True)
    waiting = job.wait_for("transient_error", "cost")
    assert (waiting["error"]["hresult"], waiting["error"]["name"]) == ("0x80D03803", "BlockedByCellular")
    machine.network_manager(PrimaryConnectionType="802-11-wireless", Metered=4)
    job.ends_well(network.origin)


def test_codes_of_the_bits_family_are_its_own(machine, here, origin, target):
    machine.upower(OnBattery=True)
    machine.battery(Percentage=5.0)
    wait_until(lambda: here.json("service")["battery"] == 5, "the battery is not seen")
    made = here.run("create", "--family", "bits", "low", check=True).stdout.strip()
    here.run("add", made, origin.url("file", MIB), "-o", target / "file", check=True)
    here.run("resume", made, check=True)
    job = wait_until(lambda: (j := here.json("show", made)[0])["waiting_reason"] == "power" and j, "it does not wait")
    assert (job["error"]["hresult"], job["state"]) == ("0x80200067", "transient_error")


def test_a_low_battery_stops_background_jobs(machine, here, origin, target):
    origin.rate = SLOWLY
    machine.battery(Percentage=80.0)
    machine.upower(OnBattery=True)
    job = Job(here, target, f"http://127.0.0.1:{origin.port}", "--background")
    job.wait_moving()
    machine.battery(Percentage=19.0)
    waiting = job.wait_for("transient_error", "power")
    assert (waiting["error"]["hresult"], waiting["error"]["name"]) == ("0x80D03804", "BlockedByBattery")
    job.says("waits for mains power or a fuller battery", "The battery has less than 20 %, which background jobs leave alone.")
    machine.upower(OnBattery=False)
    job.wait_moving()
    machine.power_profile("power-saver")
    machine.battery(Percentage=90.0)
    machine.upower(OnBattery=True)
    assert job.wait_for("transient_error", "power")["error"]["name"] == "BlockedByBatterySaver"
    machine.power_profile("balanced")
    job.ends_well(origin)


def test_the_machine_sleeps_when_all_is_safe_and_jobs_go_on_when_it_wakes(machine, here, origin, target):
    origin.rate = SLOWLY
    machine.logind()
    wait_until(machine.inhibited, "nobody delays sleep")
    job = Job(here, target, f"http://127.0.0.1:{origin.port}")
    job.wait_moving()
    machine.sleep()
    wait_until(lambda: not machine.inhibited(), "sleep is delayed for ever")
    waiting = job.wait_for("transient_error", "sleep")
    assert waiting["bytes_durable"] == waiting["bytes_transferred"] > 0
    assert waiting["error"]["name"] == "Standby"
    machine.wake()
    job.ends_well(origin)
    assert machine.inhibited()


def test_a_service_outlives_the_bus_and_listens_again_when_it_is_back(machine, here, origin, target):
    machine.upower(OnBattery=True)
    machine.battery(Percentage=5.0)
    wait_until(lambda: here.json("service")["battery"] == 5, "the battery is not seen")
    machine.stop_bus()
    wait_until(lambda: here.json("service")["battery"] is None, "what the bus told is still believed")
    machine.start_bus()
    machine.upower(OnBattery=True)
    wait_until(lambda: here.json("service")["battery"] == 100, "the new bus is not heard")


def test_settings_count_when_they_are_read_again(machine, here, origin, target):
    machine.upower(OnBattery=True)
    machine.battery(Percentage=15.0)
    wait_until(lambda: here.json("service")["battery"] == 15, "the battery is not seen")
    job = Job(here, target, f"http://127.0.0.1:{origin.port}", "--background")
    job.wait_for("transient_error", "power")
    with open(here.config, "a", encoding="ascii") as f:
        f.write("MinimumBatteryBackground=10\n")
    here.process.send_signal(signal.SIGHUP)
    job.ends_well(origin)


def configure(instance, lines):
    """And the service has read it when this returns."""
    with open(instance.config, "a", encoding="ascii") as f:
        f.write(lines)
    instance.process.send_signal(signal.SIGHUP)
    key, value = lines.splitlines()[-1].split("=")
    wait_until(lambda: next(row["value"] for row in instance.json("config") if row["key"] == key) == value, f"{key} is not read")


def test_the_battery_has_its_own_limit_for_foreground_jobs_and_power_saving_need_not_stop_background_ones(machine, here, origin, target):
    origin.rate = SLOWLY
    configure(here, "MinimumBatteryBackground=10\nBackgroundOnBatterySaver=yes\nMinimumBatteryForeground=30\n")
    machine.power_profile("power-saver")
    machine.battery(Percentage=25.0)
    machine.upower(OnBattery=True)
    wait_until(lambda: here.json("service")["battery"] == 25, "the battery is not seen")
    (target / "behind").mkdir()
    behind = Job(here, target / "behind", f"http://127.0.0.1:{origin.port}", "--background")
    behind.wait_moving()
    job = Job(here, target, f"http://127.0.0.1:{origin.port}")
    assert job.wait_for("transient_error", "power")["error"]["name"] == "BlockedByBattery"
    job.says("The battery has less than 30 %, which foreground jobs leave alone.")
    configure(here, "BackgroundOnBatterySaver=no\n")
    assert behind.wait_for("transient_error", "power")["error"]["name"] == "BlockedByBatterySaver"
    configure(here, "MinimumBatteryForeground=25\n")
    job.ends_well(origin)


@in_root
def test_each_priority_has_its_own_policy_of_cost(network, machine, away, target):
    machine.network_manager(Metered=1)
    wait_until(lambda: "metered" in away.run("service", check=True).stdout, "nobody sees what it costs")
    configure(away, "BackgroundCostPolicy=0\nForegroundCostPolicy=1\n")
    job = Job(away, target, network.url)
    assert job.wait_for("transient_error", "cost")["error"]["name"] == "BlockedByCost"
    job.says("The network is metered, which the configuration does not allow for foreground jobs.")
    away.run("set", job.id, "priority=normal", check=True)
    job.wait_moving()
    configure(away, "BackgroundCostPolicy=1\nForegroundCostPolicy=2\n")
    job.wait_for("transient_error", "cost")
    away.run("set", job.id, "priority=foreground", check=True)
    job.ends_well(network.origin)


@in_root
def test_through_a_vpn_cache_servers_are_not_asked_where_that_is_disallowed(network, away, target):
    cache = Far(network.inside(network.client), "127.0.0.1")

    def asks(url, since):
        """Jobs do, one after the other until one does. Slow servers: each is still at it when it is looked at."""
        sources = []

        def one_more():
            folder = target / f"{since} {len(sources)}"
            folder.mkdir()
            job = Job(away, folder, network.url)
            job.wait_moving()
            file = job.show()["files"][0]
            away.run("cancel", job.id, check=True)
            sources.append(file["source"] or file["url"])
            return sources[-1].startswith(url + "/")
        wait_until(one_more, lambda: f"{since}: {sources}")
    try:
        configure(away, f"DODisallowCacheServerDownloadsOnVPN=1\nDOVpnKeywords=Secure,to the Office\nDOCacheHost={cache.url.removeprefix('http://')}\n")
        asks(cache.url, "the way is none")
        network.ip(network.client, "link", "set", "uplink", "alias", "The way to the office")
        asks(network.url, "it is called one")
        configure(away, "DODisallowCacheServerDownloadsOnVPN=0\n")
        asks(cache.url, "that is allowed")
        configure(away, "DODisallowCacheServerDownloadsOnVPN=1\n")
        asks(network.url, "it is disallowed again")
        configure(away, "DOVpnKeywords=Secure\n")
        asks(cache.url, "its name is not one of a VPN any more")
    finally:
        cache.close()


@in_root
def test_a_job_waits_in_the_queue_while_its_owner_is_logged_off(origin, tmp_path):
    origin.rate = SLOWLY
    made = Machine(BUILD, "RequireLogon=yes\n")
    fakes = None
    try:
        made.start_namespace()
        fakes = fake_machine.FakeMachine(made._as("root"))
        made.environment.update(fakes.environment)
        alice = USERS["alice"][0]
        fakes.log_on(alice)
        made.start()
        path = made.home("alice") + "/file"
        job = made.ok("alice", "get", f"{origin.url('file', 3 * MIB)}", "-o", path, "--detach").strip()

        def is_waiting(state, reason):
            seen = made.json("alice", "show", job)[0]
            return (seen["state"], seen["waiting_reason"]) == (state, reason)
        wait_until(lambda: made.json("alice", "show", job)[0]["bytes_transferred"] > 0, "it does not move")
        fakes.log_on(alice, "closing")  # her last session ended
        wait_until(lambda: is_waiting("queued", "logon"), made.logs)
        assert "waits until its owner logs on" in made.ok("alice", "show", job)
        fakes.log_off(alice)
        fakes.log_on(alice, "lingering")
        wait_until(lambda: is_waiting("transferring", None), lambda: made.ok("alice", "show", job))
        fakes.log_off(alice)
        wait_until(lambda: is_waiting("queued", "logon"), made.logs)
        fakes.log_on(alice)
        origin.rate = None
        made.ok("alice", "watch", job)
        with open(path, "rb") as f:
            assert f.read() == content("file", 3 * MIB)
    finally:
        made.close()
        if fakes:
            fakes.close()
