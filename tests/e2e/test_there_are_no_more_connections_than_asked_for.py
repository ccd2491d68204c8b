"""maxConnections bounds all connections together, on however many shards; those who are in stay (docs/security.md)."""

import time

import pytest

from harness.api import Api
from harness.packets import encode
from harness.streams import Closed
from harness.waiting import SOON, eventually

pytestmark = pytest.mark.jingu_only(reason="the limit is ours")

MOST = 20


def is_turned_away(open_client, server, uid: str, transport: str) -> bool:
    try:
        client = open_client(uid, server, transport)
        client.stream.send(encode(client.connect_packet()))
        client.stream.receive(time.monotonic() + SOON)  # the CONNACK
    except (Closed, ConnectionError):
        return True
    client.close()
    return False


def refused(server) -> float:
    lines = Api(server).get("/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith('jingu_connections_refused_total{cause="full"}'))


@pytest.mark.parametrize("shards", [1, 3])
def test_new_ones_are_closed_and_those_who_are_in_stay(start_server, login, open_client, shards):
    server = start_server(maxConnections=MOST, shards=shards)
    people = [login(f"person-{i}", server, transport=("tcp", "ws")[i % 2]) for i in range(MOST)]
    for transport in ("tcp", "ws", "tcp"):
        assert is_turned_away(open_client, server, "somebody-else", transport)
    assert refused(server) == 3
    for one in people:
        one.ping()
    people[-1].close()
    eventually(lambda: not is_turned_away(open_client, server, "somebody-else", "tcp"))
