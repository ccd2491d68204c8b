"""PING and PONG (protocol description 6.7, 9.2): one byte each, one answer each, and the server never asks."""

import select
import time

import pytest

from harness.packets import Kind, Ping
from harness.waiting import SOON


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_each_ping_gets_one_pong(login, name, transport):
    anna = login(name("anna"), transport=transport)
    anna.write(*[Ping()] * 100)
    for _ in range(100):
        anna.expect(Kind.PONG)
    anna.ping()
    assert not anna.pending(Kind.PONG)


def test_the_flags_of_a_ping_do_not_matter(login, name):
    anna = login(name("anna"))
    anna.stream.send(bytes([0x7F]))
    assert anna.expect(Kind.PONG).flags == 0


def test_the_exact_bytes_over_websocket(login, name):
    """The vectors of the protocol description, 17.5."""
    anna = login(name("anna"), transport="ws")
    anna.stream.send_raw(bytes.fromhex("828137fa213d47"))
    while len(anna.stream.buffer) < 3:
        anna.stream.buffer += anna.stream.tcp.receive(time.monotonic() + SOON)
    assert anna.stream.buffer.hex() == "820180"


def write_until_it_is_not_taken(connection, data):
    """How many bytes the server has taken by the time it takes no more."""
    taken = 0
    connection.setblocking(False)
    while select.select([], [connection], [], 1)[1]:
        taken += connection.send(data)
    return taken


@pytest.mark.jingu_only(reason="the reference keeps all answers in memory, without a limit")
def test_who_asks_more_than_it_reads_is_made_to_wait_and_loses_nothing(login, name):
    anna = login(name("anna"), stream_options={"receive_buffer": 8192})
    pings = write_until_it_is_not_taken(anna.stream.socket, b"\x70" * 65536)
    pongs = 0
    while pongs < pings:
        data = anna.stream.receive(time.monotonic() + SOON)
        assert data == b"\x80" * len(data)
        pongs += len(data)
    anna.ping()


def test_the_server_never_pings(login, name):
    anna = login(name("anna"))
    assert all(packet.kind != Kind.PING for packet in anna.drain(0.5))
