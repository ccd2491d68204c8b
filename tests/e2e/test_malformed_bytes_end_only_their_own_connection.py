"""Bytes that no client sends (protocol description 3.2, 3.3, 3.4, 17.4): one connection ends, nobody else notices."""

import struct

import pytest

from harness.client import Closed
from harness.packets import Kind, Recvack, Send, encode, frame, remaining_length
from harness.streams import TcpStream

STALLS = pytest.mark.jingu_only(reason="the reference never consumes type 0 and stalls until the idle limit")
BUFFERS = pytest.mark.jingu_only(reason="the reference buffers an oversized frame whole before it looks")

BROKEN = [
    pytest.param(bytes.fromhex("d00100"), id="type 13"),
    pytest.param(bytes.fromhex("e00100"), id="type 14"),
    pytest.param(bytes.fromhex("f00100"), id="type 15"),
    pytest.param(bytes.fromhex("0000"), id="type 0", marks=STALLS),
    pytest.param(bytes.fromhex("30818040"), id="one byte over 1 MiB", marks=BUFFERS),
    pytest.param(bytes.fromhex("30ffffff7f"), id="256 MiB", marks=BUFFERS),
    pytest.param(bytes.fromhex("30ffffffff"), id="a length that does not end", marks=BUFFERS),
    pytest.param(bytes.fromhex("600400000001"), id="RECVACK too short"),
    pytest.param(bytes.fromhex("300100"), id="SEND too short"),
    pytest.param(bytes.fromhex("9003030009"), id="DISCONNECT string past the end"),
    pytest.param(frame(Kind.SEND, 0, struct.pack(">BI", 0, 1) + b"\x80\x00" + b"x" * 40), id="a negative string length"),
    pytest.param(frame(Kind.SEND, 0, struct.pack(">BI", 0, 1) + b"\x7f\xff" + b"x" * 40), id="a string longer than the frame"),
    pytest.param(frame(Kind.SUB, 0, b"\x00\x00"), id="SUB too short"),
    pytest.param(frame(Kind.CONNECT, 0, b"\x05"), id="CONNECT too short"),
]


@pytest.mark.parametrize("data", BROKEN)
@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_after_login_the_connection_is_closed(login, name, transport, data):
    anna, bob = login(name("anna"), transport=transport), login(name("bob"))
    anna.stream.send(data)
    anna.expect_close()
    assert bob.tell(name("carl")).reason == 1


@pytest.mark.parametrize("data", BROKEN)
def test_before_login_too(open_client, login, name, data):
    anna = open_client(name("anna"))
    anna.stream.send(data)
    anna.expect_close()


@pytest.mark.jingu_only(reason="the reference may lose what was complete before the broken frame")
def test_what_was_complete_before_the_broken_frame_is_still_done(clear_server, login, name):
    anna, bob = login(name("anna"), clear_server), login(name("bob"), clear_server)
    sends = [anna.prepare(bob.uid, f"{i}".encode()) for i in range(5)]
    anna.stream.send(b"".join(encode(send) for send in sends) + bytes.fromhex("d00100"))
    assert [bob.receive().plain for _ in sends] == [send.payload for send in sends]
    anna.expect_close()


def test_extra_bytes_behind_the_last_field_are_ignored(login, name):
    anna = login(name("anna"))
    anna.stream.send(bytes.fromhex("600e000000000000002a00000007ffff"))
    assert anna.is_open()


def test_a_recvack_for_nothing_is_ignored(login, name):
    anna = login(name("anna"))
    anna.write(Recvack(message_id=0), Recvack(message_id=-1), Recvack(message_id=(1 << 63) - 1, message_seq=(1 << 32) - 1))
    assert anna.is_open()


@pytest.mark.jingu_only(reason="the reference's whole process dies of the stored record being larger than the frame")
def test_a_frame_of_exactly_one_mebibyte_is_a_frame(clear_server, api, login, name):
    anna = login(name("anna"), clear_server)
    packet = anna.prepare(name("bob"), b"")
    packet.payload = b"x" * ((1 << 20) - (len(encode(packet)) - 2))
    data = encode(packet)
    assert data[1:4] == remaining_length(1 << 20)
    anna.stream.send(data)
    assert anna.sendack(packet).reason in (1, 15)
    assert anna.is_open()


def test_a_megabyte_goes_from_hand_to_hand(clear_server, login, name, rng):
    anna, bob = login(name("anna"), clear_server), login(name("bob"), clear_server)
    payload = rng.randbytes(1_000_000)
    anna.tell(bob.uid, payload)
    assert bob.receive().plain == payload


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_the_largest_send_arrives_although_its_recv_is_larger(clear_server, login, name, transport):
    anna, bob = login(name("anna").ljust(500, "a"), clear_server), login(name("bob"), clear_server, transport)
    packet = anna.prepare(bob.uid, b"")
    packet.payload = b"x" * ((1 << 20) - (len(encode(packet)) - 2))
    anna.write(packet)
    assert anna.sendack(packet).reason == 1
    message = bob.receive()
    assert len(message.raw) > (1 << 20) + 500 and message.plain == packet.payload


@pytest.mark.parametrize("transport", ["tcp", "ws"])
@pytest.mark.parametrize("way", ["api", "json"])
def test_a_payload_that_encryption_makes_larger_than_a_send_may_be_arrives(api, login, login_json, name, way, transport):
    bob, payload = login(name("bob"), transport=transport), b"x" * (1 << 20)
    if way == "api":
        api.send(payload, bob.uid, 1, from_uid=name("anna"))
    else:
        login_json(name("anna")).tell(bob.uid, payload)
    assert bob.receive().plain == payload


def test_clients_seq_of_four_bytes_is_echoed(login, name):
    anna = login(name("anna"))
    for client_seq in (0, 1 << 31, (1 << 32) - 1):
        assert anna.tell(name("bob"), client_seq=client_seq).client_seq == client_seq


@pytest.mark.jingu_only(reason="the reference's whole process dies of the person channel's id being longer than a string")
@pytest.mark.parametrize("field", ["client_msg_no", "channel_id"])
def test_the_longest_strings_are_survived(clear_server, login, name, field):
    anna = login(name("anna"), clear_server)
    packet = anna.prepare(name("bob"))
    setattr(packet, field, "x" * 32767)
    anna.write(packet)
    try:
        anna.sendack(packet)
    except AssertionError:
        assert not anna.is_open(), "silence is no answer"


@pytest.mark.jingu_only(reason="the reference takes a channel id that it builds ids from itself")
@pytest.mark.parametrize("channel_type", [1, 2])
@pytest.mark.parametrize("channel_id", ["", "a@b", "x____cmd", "g#1", "g&1"])
def test_a_channel_id_no_channel_has_is_refused(login, name, channel_id, channel_type):
    anna = login(name("anna"))
    assert anna.say(channel_id, channel_type=channel_type).reason != 1
    assert anna.is_open()


def test_bytes_that_are_not_text_do_no_harm(clear_server, login, name):
    """The wire does not promise UTF-8. Whatever becomes of the message, it is answered, and JSON stays JSON elsewhere."""
    anna = login(name("anna"), clear_server)
    body = struct.pack(">BI", 0, 7) + b"\x00\x04\xff\xfe\xfd\xfc" + b"\x00\x02\xc3\x28" + b"\x01" + bytes(4) + b"\x00\x00" + b"x"
    anna.stream.send(frame(Kind.SEND, 0, body))
    try:
        anna.sendack(Send(client_seq=7))
    except (AssertionError, Closed):
        assert not anna.is_open()
    assert login(name("bob"), clear_server).is_open()


def test_noise_on_many_connections_leaves_the_server_well(server, login, name, rng):
    for _ in range(150):
        stream = TcpStream(rng.choice([server.tcp_port, server.ws_port]))
        try:
            for _ in range(rng.randrange(1, 4)):
                stream.send(rng.randbytes(rng.randrange(1, 300)))
        except Closed:
            pass
        stream.close()
    assert login(name("anna")).is_open()


def test_noise_after_login_leaves_the_others_well(server, login, name, rng):
    bob = login(name("bob"))
    for _ in range(30):
        anna = login(name("anna"))
        try:
            anna.stream.send(rng.randbytes(rng.randrange(1, 300)))
        except Closed:
            pass
        anna.close()
    assert bob.is_open()
