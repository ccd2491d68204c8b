"""`jingu bench` measures a server, and notices everything that a server can do wrong.

The second half puts a proxy between the generator and a healthy server that loses, doubles, swaps, misdirects and alters what
the server says, on the client port and on the API: a load generator that reports health must have looked.
"""

import json
import socket
import struct
import subprocess

import pytest

from harness.faulty_api import (FaultyApi, ages_conversation, doubles_conversation, doubles_message, drops_conversation,
                                drops_message, misplaces_message, passes_answers, swaps_messages)
from harness.faulty_proxy import (FaultyProxy, alters_content, alters_message_id, alters_sender, cuts_all_off, cuts_one_off,
                                  doubles_recv, doubles_sendack, drops_recv, drops_sendack, every, misdirects_recv,
                                  passes_everything, refuses, swaps_recv, swaps_sendack)
from harness.packets import Kind, Recv, encode
from harness.server import BINARY, REFERENCE
from harness.waiting import SCALE

pytestmark = [
    pytest.mark.tool,
    pytest.mark.skipif(not BINARY.exists(), reason="the generator is part of the server's binary"),
]

ALL_WELL, FAULTS, NOT_MEASURED = 0, 1, 2
VERSION_MAX = 5 if REFERENCE else 6


class Figures:
    """The status, the text and the JSON of one run."""

    def __init__(self, process: subprocess.CompletedProcess, file):
        self.status = process.returncode
        self.text = process.stdout + process.stderr
        self.json = json.loads(file.read_text()) if file.exists() else {}

    def count(self, key: str) -> int:
        return self.json["messages"][key]["all"]

    def faults(self) -> set[str]:
        """The keys of what was counted as a fault."""
        harmless = {"sent", "acked", "delivered"}
        return {key for key, value in self.json["messages"].items() if value["all"] and key not in harmless}


@pytest.fixture
def bench(tmp_path):
    runs = []

    def bench_(scenario: str, port: int, *arguments) -> Figures:
        file = tmp_path / f"{len(runs)}.json"
        command = [BINARY, "bench", scenario, "--tcp", f"127.0.0.1:{port}", "--json", file, "--quiet", *arguments]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120 * SCALE)
        runs.append(done)
        return Figures(done, file)

    return bench_


# -- a healthy server --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", range(1, VERSION_MAX + 1))
def test_pairs_chat_in_every_version_and_every_content_is_checked(bench, server, version):
    run = bench("person", server.tcp_port, "--pairs", 5, "--rate", 200, "--warmup", 0, "--seconds", 1, "--verify",
                "--protocol", version, "--pid", server.process.pid)

    assert run.count("sent") == 200
    assert run.count("delivered") == 200
    assert run.faults() <= ({"out_of_order", "acks_out_of_order"} if REFERENCE else set()), run.text
    assert run.json["login"]["version"] == version
    assert run.json["login"]["encryption"] == "on"
    assert run.json["latency"]["recv"]["count"] == 200
    assert run.json["server"]["rss_peak_bytes"] > 0


@pytest.mark.parametrize("how", [["--rate", 400, "--bursts", 20], ["--window", 5], ["--rate", 400, "--both-ways"]])
def test_load_comes_evenly_in_bursts_or_as_fast_as_it_is_answered(bench, server, how):
    run = bench("person", server.tcp_port, "--pairs", 10, "--warmup", 1, "--seconds", 1, "--verify", "--tolerate", *how)

    assert run.status == ALL_WELL, "told to tolerate"
    assert run.faults() <= ({"out_of_order", "acks_out_of_order"} if REFERENCE else set()), run.text
    assert run.count("delivered") == run.count("acked") == run.count("sent")
    assert 0 < run.json["messages"]["sent"]["measured"] < run.count("sent"), "the warm-up is counted apart"
    if "--rate" in how:
        assert run.count("sent") == 800


def test_a_group_hears_its_senders_and_the_absent_cost_nothing(bench, server):
    run = bench("group", server.tcp_port, "--http", f"127.0.0.1:{server.http_port}", "--groups", 3, "--members", 20,
                "--online", 50, "--senders", 2, "--rate", 60, "--warmup", 0, "--seconds", 1, "--verify", "--tolerate")

    assert run.count("sent") == 60
    assert run.count("delivered") == 60 * 9, "ten of twenty are online, and one of them is the sender"
    assert run.faults() <= ({"out_of_order", "acks_out_of_order"} if REFERENCE else set()), run.text


def test_idle_connections_are_held_and_pinged(bench, server):
    run = bench("idle", server.tcp_port, "--clients", 50, "--seconds", 2, "--ping", 1, "--cool", 1, "--pid", server.process.pid)

    assert run.status == ALL_WELL, run.text
    assert run.json["idle"]["connections"] == 50
    assert run.json["idle"]["pings"] == run.json["idle"]["pongs"] > 0
    assert run.json["afterwards"]["rss_bytes"] > 0


def test_users_come_and_go(bench, server):
    run = bench("churn", server.tcp_port, "--users", 20, "--rate", 50, "--warmup", 0, "--seconds", 2, "--verify", "--tolerate")

    if not REFERENCE:  # it forgets a CONNECT now and then
        assert run.faults() == set(), run.text
        assert run.json["churn"]["done"] == run.count("delivered") == 100
        assert run.json["churn"]["login"]["count"] == 100


SYNC = ["--plain", "--channels", 12, "--conversations", 6, "--depth", 20, "--limit", 10, "--seconds", 1, "--requests", 30]


def test_pages_and_lists_of_conversations_are_read_and_checked(bench, clear_server):
    number = 1000 + clear_server.tcp_port
    ports = [clear_server.tcp_port, "--http", f"127.0.0.1:{clear_server.http_port}", "--run", number, "--pid",
             clear_server.process.pid, "--tolerate"]
    run = bench("sync", *ports, *SYNC)
    again = bench("sync", *ports, *SYNC, "--depth", 0, "--rate", 20)

    assert run.json["filling"]["acked"] == 12 * 20
    assert again.json["filling"]["acked"] == 0
    for part in ("page_again", "page_random", "conversations_all", "conversations_changed"):
        assert run.json[part]["answers"] > 0, part
        assert 0 < again.json[part]["answers"] <= 20, "at the rate it was told"
    assert run.json["page_first"]["answers"] == again.json["page_first"]["answers"] == 12
    if not REFERENCE:  # it tells of conversations that were read as well
        assert not any(run.json["answers"].values()) and not any(again.json["answers"].values()), run.text + again.text


@pytest.mark.parametrize("restart", [False, True])
def test_all_come_back_at_once_and_go_on(start_server, tmp_path, restart):
    server = start_server()
    file = tmp_path / "figures.json"
    command = [BINARY, "bench", "reconnect-storm", "--tcp", f"127.0.0.1:{server.tcp_port}", "--json", file, "--quiet", "--pairs", 20,
               "--rate", 40, "--warmup", 0, "--seconds", 1, "--verify", "--tolerate", *(["--restart"] if restart else [])]
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if restart:
        assert "restart the server now" in process.stdout.readline()
        server.restart()
    text, _ = process.communicate(timeout=60 * SCALE)
    figures = json.loads(file.read_text())

    assert process.returncode == ALL_WELL, text
    assert figures["storm"]["clients"] == 40
    assert figures["storm"]["attempts"] >= 39, "but for the one that found the server up"
    assert figures["storm"]["all_us"] > 0
    assert figures["messages"]["sent"]["all"] == 80, "forty before, forty after"
    if not REFERENCE:
        assert figures["is_well"], text


def test_everything_goes_on_at_once(bench, server):
    run = bench("mixed", server.tcp_port, "--http", f"127.0.0.1:{server.http_port}", "--pairs", 4, "--groups", 2, "--members", 5,
                "--clients", 20, "--comings", 20, "--ping", 1, "--rate", 60, "--warmup", 0, "--seconds", 1, "--verify", "--tolerate")

    assert run.count("sent") == 60
    assert run.count("delivered") == 60 // 6 * (4 + 2 * 4), "each of the six sends as often: to one, or to four"
    assert run.json["silent"]["comings"] > 0 and run.json["silent"]["pings"] > 0
    if not REFERENCE:
        assert run.json["silent"]["online"] == 8 + 10 + 20, run.text
        assert run.faults() == set() and run.json["is_well"], run.text


def test_the_rate_is_raised_until_the_bound_breaks(bench, clear_server, tmp_path):
    page = tmp_path / "page.html"
    run = bench("person", clear_server.tcp_port, "--plain", "--pairs", 5, "--rate", 10, "--p99", 1, "--warmup", 0, "--seconds", 1,
                "--drain", 1, "--tolerate", "--html", page, "--pid", clear_server.process.pid)

    steps = run.json["steps"]["steps"]
    kept = [step["rate"] for step in steps if step["is_good"]]
    assert run.json["steps"]["rate_best"] == max(kept, default=0)
    assert all(step["p99_us"] <= 1000 and step["missing"] == 0 for step in steps if step["is_good"])
    assert sum(not step["is_good"] for step in steps) % 2 == 0, "what breaks is tried again"
    assert run.json["messages"]["sent"]["measured"] == max(kept, default=10), "the report is of the best"
    text = page.read_text()
    assert text.count("<svg") == text.count("</svg>") >= 3
    assert "http" not in text.replace("http://www.w3.org", ""), "it asks the network for nothing"


# -- what it refuses to measure ----------------------------------------------------------------------------------------


def test_only_this_machine_is_loaded_unless_it_is_said_otherwise(bench, tmp_path):
    command = [str(BINARY), "bench", "person", "--tcp", "192.0.2.1:5100"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=20)

    assert refused.returncode == NOT_MEASURED
    assert "--allow-remote" in refused.stderr


def test_nobody_there_is_not_a_result(bench):
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    run = bench("person", port, "--pairs", 1, "--seconds", 1)

    assert run.status == NOT_MEASURED
    assert not run.json


def test_a_server_that_does_not_encrypt_is_not_measured_as_if_it_did(bench, clear_server):
    run = bench("person", clear_server.tcp_port, "--pairs", 1, "--seconds", 1)

    assert run.status == NOT_MEASURED
    assert "does not encrypt" in run.text


@pytest.mark.parametrize("arguments", [
    ["nonsense"], ["person", "--nonsense"], ["person", "--groups", "2"], ["person", "--rate", "0"], ["person", "--rate", "1x"],
    ["person", "--rate", "10", "--window", "2"], ["person", "--p99", "5", "--window", "2"], ["idle", "--p99", "5"], ["person", "--json"], ["person", "--payload", "5"], ["group", "--members", "1"],
])
def test_what_it_does_not_understand_it_does_not_run(arguments):
    refused = subprocess.run([str(BINARY), "bench", *arguments], capture_output=True, text=True, timeout=20)

    assert refused.returncode == NOT_MEASURED
    assert refused.stderr.startswith("jingu bench: ")


# -- a faulty one ------------------------------------------------------------------------------------------------------


PAIRS, RATE = 4, 300
LOAD = ["--plain", "--pairs", PAIRS, "--rate", RATE, "--warmup", 0, "--seconds", 1, "--drain", 5]


@pytest.fixture
def proxied(bench, clear_server):
    """Runs the load through a proxy with that fault."""
    if REFERENCE:
        pytest.skip("the server behind the proxy must have no faults of its own")
    opened = []

    def run(fault, *arguments):
        proxy = FaultyProxy(clear_server.tcp_port, fault)
        opened.append(proxy)
        return bench("person", proxy.port, *LOAD, *arguments), proxy

    yield run
    for proxy in opened:
        proxy.close()


def test_an_honest_proxy_changes_nothing(proxied):
    run, _ = proxied(passes_everything, "--verify")

    assert run.status == ALL_WELL, run.text
    assert run.count("sent") == run.count("acked") == run.count("delivered") == RATE


@pytest.mark.parametrize("fault, key", [
    (drops_recv, "lost"), (doubles_recv, "doubled"), (swaps_recv, "out_of_order"), (alters_message_id, "inconsistent"),
    (drops_sendack, "unanswered"), (doubles_sendack, "acks_doubled"), (swaps_sendack, "acks_out_of_order"),
])
def test_a_fault_is_counted_as_often_as_it_happens(proxied, fault, key):
    run, proxy = proxied(fault)

    held = sum(len(link["held"]) for link in proxy.links)  # swapped with nothing, since nothing came after
    assert proxy.done >= PAIRS * (RATE // PAIRS // 10)
    assert run.status == FAULTS
    assert run.count(key) == proxy.done - held
    assert run.faults() - {key} == ({"lost" if key == "out_of_order" else "unanswered"} if held else set()), run.text


@pytest.mark.parametrize("fault, key", [(passes_everything, None), (drops_recv, "lost")])
def test_a_storm_hides_no_fault(bench, clear_server, fault, key):
    if REFERENCE:
        pytest.skip("the server behind the proxy must have no faults of its own")
    proxy = FaultyProxy(clear_server.tcp_port, fault)
    run = bench("reconnect-storm", proxy.port, *LOAD)
    proxy.close()

    held = sum(len(link["held"]) for link in proxy.links)
    assert run.count("sent") == 2 * RATE
    if key is None:
        assert run.status == ALL_WELL, run.text
    else:
        assert run.status == FAULTS
        assert run.count(key) == proxy.done - held > 0, run.text


@pytest.mark.parametrize("fault, cut", [(cuts_one_off, 1), (cuts_all_off, 2 * PAIRS)])
def test_who_was_cut_off_before_the_storm_is_no_part_of_it(bench, clear_server, fault, cut):
    if REFERENCE:
        pytest.skip("the server behind the proxy must have no faults of its own")
    proxy = FaultyProxy(clear_server.tcp_port, fault)
    run = bench("reconnect-storm", proxy.port, *LOAD)
    proxy.close()

    assert run.status == FAULTS
    assert run.json["ends"] == {"closed": cut}, run.text
    if fault is cuts_all_off:  # nobody is waited for, and nothing more is sent
        assert run.json["storm"]["attempts"] == 0, run.text
        assert f"0 of {2 * PAIRS} clients are back" in run.text


@pytest.mark.parametrize("fault, key", [(doubles_recv, "doubled"), (swaps_recv, "out_of_order")])
def test_a_mixture_hides_no_fault(bench, clear_server, fault, key):
    if REFERENCE:
        pytest.skip("the server behind the proxy must have no faults of its own")
    proxy = FaultyProxy(clear_server.tcp_port, fault)
    run = bench("mixed", proxy.port, *LOAD, "--http", f"127.0.0.1:{clear_server.http_port}", "--groups", 1, "--members", 3, "--clients", 3)
    proxy.close()

    held = sum(len(link["held"]) for link in proxy.links)
    assert run.count("sent") == RATE
    assert run.status == FAULTS
    assert run.count(key) == proxy.done - held > 0, run.text


def test_a_message_for_somebody_else_is_lost_and_stray(proxied):
    run, proxy = proxied(misdirects_recv)

    assert run.status == FAULTS
    assert run.count("stray") == run.count("lost") == proxy.done > 0


def test_a_refusal_is_a_fault_and_what_was_delivered_all_the_same_a_stray(proxied):
    run, proxy = proxied(refuses)

    assert run.status == FAULTS
    assert run.count("refused") == run.count("stray") == proxy.done > 0
    assert run.json["refusals"]["SystemError"]["all"] == proxy.done


@pytest.mark.parametrize("fault", [alters_content, alters_sender])
def test_contents_are_compared_when_asked_to_and_only_then(proxied, fault):
    verified, proxy = proxied(fault, "--verify")
    believed, _ = proxied(fault)

    assert verified.status == FAULTS
    assert verified.count("bad_content") == proxy.done > 0
    assert believed.status == ALL_WELL and believed.json["setup"]["verify"] == "no"


@pytest.mark.jingu_only(reason="the server behind the proxy must have no faults of its own")
def test_a_wrong_message_key_is_seen(bench, server):
    @every(10, Kind.RECV)
    def alters_key(proxy, link, packet: Recv, frame):
        packet.message_key = packet.message_key[:-1] + ("0" if packet.message_key[-1] != "0" else "1")
        return [encode(packet)]

    proxy = FaultyProxy(server.tcp_port, alters_key)
    run = bench("person", proxy.port, "--pairs", 2, "--rate", 100, "--warmup", 0, "--seconds", 1, "--drain", 2, "--verify")
    proxy.close()

    assert run.status == FAULTS
    assert run.count("bad_key") == proxy.done > 0


def test_a_connection_that_ends_is_a_fault(proxied):
    @every(20, Kind.RECV)
    def hangs_up(proxy, link, packet, frame):
        link["socket"].shutdown(socket.SHUT_RDWR)
        return []

    run, _ = proxied(hangs_up)

    assert run.status == FAULTS
    assert run.json["ends"]["closed"] == PAIRS
    assert run.count("lost") > 0


def test_a_frame_that_no_server_sends_ends_the_connection(proxied):
    @every(20, Kind.RECV)
    def talks_nonsense(proxy, link, packet, frame):
        return [struct.pack(">BB", 0x00, 0x00)]

    run, _ = proxied(talks_nonsense)

    assert run.status == FAULTS
    assert run.json["ends"]["protocol"] == PAIRS


def test_faults_can_be_tolerated_and_are_reported_all_the_same(proxied):
    run, proxy = proxied(drops_recv, "--tolerate")

    assert run.status == ALL_WELL
    assert run.count("lost") == proxy.done > 0
    assert not run.json["is_well"] and run.json["faults"]


@pytest.mark.jingu_only(reason="the server behind the proxy must have no faults of its own")
@pytest.mark.parametrize("fault, key", [
    (passes_answers, None), (drops_message, "lost"), (doubles_message, "doubled"), (swaps_messages, "out_of_order"),
    (misplaces_message, "stray"), (drops_conversation, "lost"), (doubles_conversation, "doubled"), (ages_conversation, "stale"),
])
def test_a_fault_in_an_answer_is_counted_as_often_as_it_happens(bench, clear_server, fault, key):
    api = FaultyApi(clear_server.url, fault)
    run = bench("sync", clear_server.tcp_port, "--http", f"127.0.0.1:{api.port}", *SYNC, "--requests", 9)
    api.close()

    found = {name: count for name, count in run.json["answers"].items() if count}
    if key is None:
        assert run.status == ALL_WELL and not found, run.text
    else:
        assert run.status == FAULTS
        assert found[key] == api.done > 0, run.text
        assert set(found) <= {key, "lost"}, "what has another name is also missing under its own"
