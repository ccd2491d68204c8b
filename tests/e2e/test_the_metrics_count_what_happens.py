"""The figures at /metrics are those of what has just happened, packet by packet (http-api 14.6)."""

import os
import re
from pathlib import Path

import pytest

from harness.api import Api
from harness.waiting import eventually

REFERENCE = Path(__file__).parents[2] / "docs" / "metrics.md"

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

    def every_entry_is_timed():
        """The two are read one after the other, perhaps while the committer has counted only one of them."""
        now = figures(quiet_server)
        return now["jingu_journal_commit_seconds_count"] == now["jingu_journal_entries_total"] > 0

    eventually(every_entry_is_timed)
    assert told["jingu_turns_total"] > 0 and told["jingu_turn_seconds_count"] > 0 and told["jingu_letters_total"] > 0
    assert told["jingu_timers"] > 0


def test_who_is_online_is_counted_once_however_many_devices_he_has(quiet_server, login):
    def online():
        told, varz = figures(quiet_server), Api(quiet_server).get("/varz").bare()
        return [told[name] for name in ("jingu_users_online", "app_online_user_count_total", "jingu_sessions")] + [
            varz[name] for name in ("user_handler_count", "user_handler_conn_count")]

    devices = [login("anna", quiet_server, device_flag=flag) for flag in (0, 1, 2)]
    bob = login("bob", quiet_server)
    assert eventually(lambda: online() == [2, 2, 4, 2, 4])
    bob.close()
    devices[0].close()
    assert eventually(lambda: online() == [1, 1, 2, 1, 2])
    for device in devices[1:]:
        device.close()
    assert eventually(lambda: online() == [0, 0, 0, 0, 0])


def test_varz_tells_the_bytes_of_all_packets(quiet_server, login):
    chat(quiet_server, login, "tcp")
    told = Api(quiet_server).get("/varz").bare()
    assert told["in_bytes"] == sum(packets(quiet_server, "received", "_bytes").values()) > 0
    assert told["out_bytes"] == sum(packets(quiet_server, "sent", "_bytes").values()) > 0


def reference(exposition: str) -> str:
    """The table of docs/metrics.md, from the types, helps and labels that are served."""
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", exposition, re.M))
    lines = []
    for family, kind in re.findall(r"^# TYPE (\S+) (\S+)$", exposition, re.M):
        series = re.findall(rf"^{family}(?:_bucket|_sum|_count)?{{(.*)}} ", exposition, re.M)
        labels = sorted({label for text in series for label in re.findall(r'(\w+)="', text)} - {"le"})
        lines.append(f"| `{family}` | {kind} | {' '.join(f'`{label}`' for label in labels)} | {helps[family]} |\n")
    return "".join(lines)


def test_the_reference_in_the_documents_has_every_figure_and_no_other(quiet_server):
    """To write the table after a change of the figures: WRITE_REFERENCE=1 tests/e2e/run -k every_figure."""
    served = reference(Api(quiet_server).get("/metrics").text)
    told = REFERENCE.read_text()
    head, rule = told.split("|---|---|---|---|\n")[0], "|---|---|---|---|\n"
    if "WRITE_REFERENCE" in os.environ:
        REFERENCE.write_text(head + rule + served)
    assert REFERENCE.read_text() == head + rule + served
