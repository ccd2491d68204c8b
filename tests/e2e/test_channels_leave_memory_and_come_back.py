"""With more channels than fit into memory each goes and comes back with what is true of it."""

import re

import pytest

from harness.api import Api
from harness.packets import Flag

pytestmark = pytest.mark.jingu_only(reason="how channels are held is ours")

PEERS = 1500  # some hundred fit into 48M
WINDOW = 50
BANNED = 19


@pytest.fixture
def server(start_server):
    return start_server(memory="48M", shards=1)


def count(server, series: str) -> int:
    found = re.search(rf"^{re.escape(series)} (\d+)$", Api(server).get("/metrics").text, re.MULTILINE)
    return int(found[1])


def say_to_each(client, peers, **options) -> list:
    """One message to each in turn; the SENDACKs in that order."""
    acks = []
    for at in range(0, len(peers), WINDOW):
        sends = [client.prepare(peer, **options) for peer in peers[at:at + WINDOW]]
        client.write(*sends)
        acks += [client.sendack(send) for send in sends]
    return acks


def test_every_log_goes_on_where_it_was(server, login, name):
    anna = login(name("anna"), server)
    peers = [name(f"peer{i}") for i in range(PEERS)]
    commanded = peers[::10]
    for seq in (1, 2):
        assert [ack.message_seq for ack in say_to_each(anna, peers)] == [seq] * PEERS
    for seq in (1, 2):  # the other log of some, which begins now
        assert [ack.message_seq for ack in say_to_each(anna, commanded, flags=Flag.SYNC_ONCE)] == [seq] * len(commanded)
        assert [ack.message_seq for ack in say_to_each(anna, peers)] == [2 + seq] * PEERS
    assert count(server, 'jingu_channels_evicted_total{cause="room"}') > PEERS
    assert count(server, "jingu_channels_recalled_total") > PEERS


def test_what_a_channel_allows_is_not_forgotten(server, login, name):
    api, anna = Api(server), login(name("anna"), server)
    banned, free = api.group(name("banned"), anna.uid), api.group(name("free"), anna.uid)
    api.info(banned, 2, ban=1)
    for _ in range(2):
        assert anna.say(banned, channel_type=2).reason == BANNED
        assert anna.tell(free, channel_type=2).message_seq > 0
        say_to_each(anna, [name(f"peer{i}") for i in range(PEERS)])
    api.info(banned, 2, ban=0)
    say_to_each(anna, [name(f"peer{i}") for i in range(PEERS)])
    assert anna.tell(banned, channel_type=2).message_seq == 1
    assert anna.tell(free, channel_type=2).message_seq == 3
