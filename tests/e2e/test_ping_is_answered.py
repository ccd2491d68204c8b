"""PING and PONG (protocol description 6.7, 9.2): one byte each, one answer each, and the server never asks."""

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


def test_the_server_never_pings(login, name):
    anna = login(name("anna"))
    assert all(packet.kind != Kind.PING for packet in anna.drain(0.5))
