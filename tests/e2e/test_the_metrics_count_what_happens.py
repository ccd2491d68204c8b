"""The figures at /metrics are those of what has just happened, packet by packet (http-api 14.6)."""

import re

import pytest

from harness.api import Api
from harness.waiting import eventually

pytestmark = pytest.mark.jingu_only(reason="the names are ours")


@pytest.fixture
def quiet_server(start_server):
    """Where nobody else is counted."""
    return start_server(disableEncryption=True)


def figures(server) -> dict[str, float]:
    lines = Api(server).get("/metrics").text.splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}


def packets(server, way: str, what: str = "") -> dict[str, float]:
    found = {}
    for series, value in figures(server).items():
        if match := re.fullmatch(rf'jingu_packets_{way}{what}_total{{type="(\w+)"}}', series):
            found[match[1]] = value
    return found


def chat(server, login, transport) -> None:
    anna, bob = login("anna", server, transport=transport), login("bob", server, transport=transport)
    for text in (b"one", b"two", b"three"):
        anna.tell("bob", text)
        assert bob.receive().plain == text  # which acknowledges
    anna.ping()
    bob.ping()


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_each_packet_is_counted_once_with_its_bytes(quiet_server, login, transport):
    chat(quiet_server, login, transport)
    eventually(lambda: packets(quiet_server, "received") == {"connect": 2, "send": 3, "recvack": 3, "ping": 2, "other": 0})
    assert packets(quiet_server, "sent") == {
        "connack": 2, "sendack": 3, "recv": 3, "pong": 2, "disconnect": 0, "event": 0, "other": 0}
    received, sent = packets(quiet_server, "received", "_bytes"), packets(quiet_server, "sent", "_bytes")
    assert (received["ping"], sent["pong"]) == (2, 2)
    assert received["recvack"] == 3 * (2 + 8 + 4)
    assert received["send"] > 3 * 20 and sent["recv"] > 3 * 20 and received["connect"] > 2 * 10
    told = figures(quiet_server)
    assert told["app_send_packet_bytes_total"] == received["send"]
    assert told["app_recv_packet_count_total"] == 3
    assert told['jingu_recvacks_total{result="matched"}'] == 3


def test_the_way_of_a_message_is_timed(quiet_server, login):
    chat(quiet_server, login, "tcp")
    told = figures(quiet_server)
    assert told["jingu_send_to_ack_seconds_count"] == 3
    assert told["jingu_send_to_recv_seconds_count"] == 3
    assert 0 < told["jingu_send_to_recv_seconds_sum"] < 60
    assert told["jingu_journal_commit_seconds_count"] == told["jingu_journal_entries_total"] > 0
    assert told["jingu_turns_total"] > 0 and told["jingu_turn_seconds_count"] > 0 and told["jingu_letters_total"] > 0
    assert told["jingu_timers"] > 0


def test_varz_tells_the_bytes_of_all_packets(quiet_server, login):
    chat(quiet_server, login, "tcp")
    told = Api(quiet_server).get("/varz").bare()
    assert told["in_bytes"] == sum(packets(quiet_server, "received", "_bytes").values()) > 0
    assert told["out_bytes"] == sum(packets(quiet_server, "sent", "_bytes").values()) > 0
