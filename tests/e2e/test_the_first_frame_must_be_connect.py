"""What may stand before, beside and behind CONNECT (protocol description 9.3)."""

import socket
import time

import pytest

from harness.client import Closed
from harness.packets import (Connack, Disconnect, Kind, Ping, Pong, Recv, Recvack, Send, Sendack, Sub, Suback, encode)
from harness.server import REFERENCE
from harness.streams import TcpStream
from harness.waiting import SOON, in_one_of_some


@pytest.mark.parametrize("transport", ["tcp", "ws"])
@pytest.mark.parametrize("packet", [Ping(), Pong(), Send(client_seq=1, channel_id="x", payload=b"x"),
                                    Recvack(message_id=1, message_seq=1), Disconnect(reason=1), Sub(channel_id="d"),
                                    Sendack(message_id=1), Recv(message_id=1), Connack(reason=1)],
                         ids=lambda packet: packet.kind.name)
def test_anything_else_ends_the_connection_without_a_word(open_client, name, packet, transport):
    def at_once():
        client = open_client(name("anna"), transport=transport)
        client.write(packet)
        took = client.expect_close()
        assert not client.drain(0)
        return took < 1.5  # and not at the end of the two seconds to begin

    in_one_of_some(at_once)


@pytest.mark.jingu_only(reason="the reference closes when anything follows CONNECT before its CONNACK")
@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_frames_behind_connect_in_one_write_are_not_lost(clear_server, open_client, login, name, transport):
    bob = login(name("bob"), clear_server)
    anna = open_client(name("anna"), clear_server, transport)
    packet = anna.connect_packet()
    sends = [anna.prepare(bob.uid, f"early {i}".encode()) for i in range(10)]

    anna.write(packet, Ping(), *sends)

    anna.finish_login(packet)
    anna.expect(Kind.PONG)
    assert [anna.sendack(send).message_seq for send in sends] == list(range(1, 11))
    assert [bob.receive().plain for _ in sends] == [send.payload for send in sends]


@pytest.mark.jingu_only(reason="the reference closes when anything follows CONNECT before its CONNACK")
@pytest.mark.parametrize("spare", [1, 2, 5, 20])
def test_half_a_frame_behind_connect_is_completed_later(clear_server, open_client, name, spare):
    anna = open_client(name("anna"), clear_server)
    packet = anna.connect_packet()
    send = anna.prepare(name("bob"), b"cut in two")
    data = encode(packet) + encode(send)

    anna.stream.send(data[:-spare])
    anna.finish_login(packet)
    anna.stream.send(data[-spare:])

    assert anna.sendack(send).reason == 1


@pytest.mark.jingu_only(reason="the reference closes when anything follows CONNECT before its CONNACK")
def test_connack_comes_before_everything_else(clear_server, open_client, name):
    anna = open_client(name("anna"), clear_server)
    packet = anna.connect_packet()
    anna.write(packet, Ping(), Ping())
    assert [anna._next(time.monotonic() + SOON).kind for _ in range(3)] == [Kind.CONNACK, Kind.PONG, Kind.PONG]


def test_a_second_connect_is_ignored(login, name):
    anna = login(name("anna"))
    anna.write(anna.connect_packet())
    anna.ping()
    assert not anna.pending(Kind.CONNACK)
    assert anna.tell(name("bob")).message_seq == 1


@pytest.mark.parametrize("packet", [Connack(reason=1, node_id=1), Sendack(message_id=1), Recv(message_id=1), Pong(),
                                    Suback(channel_id="d")], ids=lambda packet: packet.kind.name)
def test_what_only_a_server_says_is_ignored_or_ends_the_connection(login, name, packet):
    anna, bob = login(name("anna")), login(name("bob"))
    anna.write(packet)
    try:
        anna.ping()
    except (AssertionError, Closed):
        pass
    assert bob.is_open()


@pytest.mark.jingu_only(reason="the reference ignores DISCONNECT from a client")
def test_a_client_that_says_goodbye_is_closed_quietly(login, name):
    anna = login(name("anna"))
    anna.write(Disconnect(reason=0))
    anna.expect_close()
    assert not anna.drain(0)


@pytest.mark.jingu_only(reason="the reference forgets the answers, or ignores DISCONNECT")
@pytest.mark.parametrize("goodbye", ["half-close", "disconnect"])
def test_who_says_goodbye_behind_his_questions_gets_their_answers(clear_server, login, name, goodbye):
    anna = login(name("anna"), clear_server)
    sends = [anna.prepare(name("bob")) for _ in range(200)]
    refused = anna.prepare("a@b")
    anna.write(*sends, refused, Ping(), *[Disconnect(reason=0)] * (goodbye == "disconnect"))
    if goodbye == "half-close":
        anna.stream.half_close()
    assert all(anna.sendack(send).reason == 1 for send in sends)
    assert anna.sendack(refused).reason == 16
    anna.expect(Kind.PONG)
    anna.expect_close()


@pytest.mark.jingu_only(reason="the reference forgets the answers")
@pytest.mark.parametrize("packet", [Ping(), None], ids=["ping", "a refused send"])
def test_the_only_question_before_a_half_close_is_answered_too(login, name, packet):
    anna = login(name("anna"))
    anna.stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)  # in one segment
    anna.write(packet or anna.prepare("a@b"))
    anna.stream.half_close()
    anna.expect(Kind.SENDACK if packet is None else Kind.PONG)
    anna.expect_close()


@pytest.mark.jingu_only(reason="the reference ignores DISCONNECT")
def test_nothing_behind_a_goodbye_is_done(api, login, name):
    anna = login(name("anna"))
    before, behind = anna.prepare(name("bob"), b"before"), anna.prepare(name("bob"), b"behind")
    anna.write(before, Disconnect(reason=0), behind)
    anna.sendack(before)
    anna.expect_close()
    assert [message["plain"] for message in api.history(anna.uid, name("bob"))] == [b"before"]


def test_a_sub_is_ignored_or_answered_and_hurts_nothing(login, name):
    anna = login(name("anna"))
    anna.write(Sub(channel_id="data1", channel_type=7))
    assert anna.is_open()


def test_half_closing_ends_the_session(api, login, name):
    from harness.waiting import eventually
    anna = login(name("anna"))
    anna.stream.half_close()
    anna.expect_close()
    eventually(lambda: api.online(anna.uid, name("x")) == [])


def test_a_reset_ends_the_session(api, login, name):
    from harness.waiting import eventually
    anna = login(name("anna"))
    assert len(api.online(anna.uid, name("x"))) == 1
    anna.stream.abort()
    eventually(lambda: api.online(anna.uid, name("x")) == [])


def test_http_on_the_chat_port_gets_nowhere(server, open_client, name):
    client = open_client(name("anna"))
    client.stream.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    client.expect_close()


def test_the_binary_protocol_on_the_websocket_port_gets_nowhere(server, open_client, name):
    client = open_client(name("anna"))
    stream = TcpStream(server.ws_port)
    client.stream.close()
    client.stream = stream
    client.write(client.connect_packet())
    client.expect_close()
    assert REFERENCE or not client.drain(0)
