"""The tests' own client must be right before it may judge a server: every published vector, both directions."""

import json
import pathlib

import pytest

from harness import security
from harness.packets import (Connack, Connect, Disconnect, Event, Flag, Malformed, Ping, Pong, Recv, Recvack, Send, Sendack,
                             Sub, Suback, decode, encode)

VECTORS = json.loads((pathlib.Path(__file__).parent / "vectors.json").read_text())

CLIENT_PRIVATE = b"0123456789abcdef0123456789abcdef"
CLIENT_KEY = "hlF7wMOf6Ha3ZGy1407gPa9xzLrWdFDBapcK2MvAPn4="
SERVER_KEY = "YFpyXSpK3+6xop4X7dYhwbdZPujNvESsbEq24vgF0jw="
SALT = "Xk3dP9mQ2vL7wZ1n"
PLAIN = b'{"type":1,"content":"hello"}'
CIPHER_TEXT = b"L22F3sfCJqDvX/0m7Z35wSg4FJUAFD10pxV56GunljM="
SEND_KEY = "e8513d0d461a712f4cc8fed17cb70782"
RECV_KEY = "4ec81143d588b93ae29e4e5681d61912"
MESSAGE_ID = 1788923456789012345


def first_send(**changes):
    fields = dict(flags=Flag.RED_DOT, client_seq=1, client_msg_no="m-0001", channel_id="u2", channel_type=1,
                  message_key=SEND_KEY, payload=CIPHER_TEXT)
    return Send(**(fields | changes))


def first_recv(**changes):
    fields = dict(flags=Flag.RED_DOT, from_uid="u1", channel_id="u1", channel_type=1, client_msg_no="m-0001",
                  message_id=MESSAGE_ID, message_seq=7, timestamp=1700000001, message_key=RECV_KEY, payload=CIPHER_TEXT)
    return Recv(**(fields | changes))


def stream_recv(**changes):
    fields = dict(setting=2, from_uid="u1", channel_id="u1", channel_type=1, client_msg_no="c", stream_flag=1,
                  stream_no="s-1", stream_id=99, message_id=43, message_seq=3, timestamp=1700000003,
                  message_key="26a12a1cb5d97726afa17541fa259644", payload=CIPHER_TEXT)
    return Recv(**(fields | changes))


def connack(**changes):
    return Connack(**(dict(reason=1, time_diff=12, server_key=SERVER_KEY, salt=SALT) | changes))


PACKETS = {
    "V01": (5, Ping()),
    "V02": (5, Pong()),
    "V03": (5, Connect(version=5, device_flag=1, device_id="dev-0001W", uid="u1", token="tk-1",
                       client_timestamp=1700000000000, client_key=CLIENT_KEY)),
    "V04": (5, Connect(version=2, device_id="d", uid="u1", client_timestamp=1700000000)),
    "V05": (5, Connect(version=4, device_flag=2, device_id="pc", uid="悟空", token="t", client_timestamp=1, client_key="k")),
    "V06": (5, connack(flags=1, server_version=5, node_id=1001)),
    "V07": (4, connack(flags=1, server_version=4, time_diff=-15, node_id=1001)),
    "V08": (3, connack()),
    "V09": (5, Connack(flags=1, server_version=5, reason=2, node_id=1001)),
    "V10": (5, Connack(flags=1, server_version=5, reason=1, node_id=1001)),
    "V11": (5, first_send()),
    "V12": (2, first_send()),
    "V13": (5, first_send(flags=Flag.RED_DOT | Flag.DUP)),
    "V14": (5, Send(flags=Flag.NO_PERSIST | Flag.SYNC_ONCE, setting=0x88, client_seq=2, client_msg_no="m-0002",
                    channel_id="g1", channel_type=2, expire=3600, topic="t1", payload=CIPHER_TEXT,
                    message_key="0affb5d0cda877a5f821af59bc98d825")),
    "V15": (4, Send(setting=2, client_seq=3, client_msg_no="m-0003", stream_no="s-1", channel_id="u2", payload=b"abc")),
    "V16": (2, Send(setting=2, client_seq=3, client_msg_no="m-0003", stream_no="s-1", channel_id="u2", payload=b"abc")),
    "V17": (5, Send(client_seq=9, client_msg_no="m9", channel_id="u2", payload=b"x" * 110)),
    "V19": (5, Sendack(flags=Flag.RED_DOT, message_id=MESSAGE_ID, client_seq=1, message_seq=7, reason=1)),
    "V20": (5, Sendack(message_id=MESSAGE_ID + 1, client_seq=2, message_seq=0, reason=9)),
    "V21": (5, Sendack(flags=15, message_id=1, client_seq=2, message_seq=0, reason=25)),
    "V22": (5, first_recv()),
    "V23": (2, first_recv()),
    "V24": (5, Recv(flags=Flag.NO_PERSIST | Flag.SYNC_ONCE, setting=8, channel_id="g1", channel_type=2, expire=60,
                    client_msg_no="c", message_id=42, message_seq=0, timestamp=1700000002, topic="t1", payload=CIPHER_TEXT,
                    message_key="bb537c3b53beff4c87bdd8e9f2b15f2d")),
    "V25": (4, stream_recv()),
    "V26": (5, stream_recv(stream_flag=0, stream_no="", stream_id=0)),
    "V27": (4, Recv(setting=2, from_uid="u1", channel_id="g1", channel_type=2, client_msg_no="c", stream_id=MESSAGE_ID,
                    message_id=MESSAGE_ID, message_seq=3, timestamp=1700000003, payload=b"x")),
    "V28": (5, Recvack(message_id=MESSAGE_ID, message_seq=7)),
    "V29": (5, Recvack(flags=Flag.NO_PERSIST | Flag.SYNC_ONCE, message_id=42, message_seq=0)),
    "V30": (5, Disconnect(reason=12, text="login in other device")),
    "V31": (5, Disconnect(reason=12)),
    "V32": (5, Disconnect(reason=1, text="其他地方登录了！")),
    "V33": (5, Sub(channel_id="d1", channel_type=7, action=0, param='{"k":"v"}')),
    "V34": (5, Sub(sub_no="n1", channel_id="d1", channel_type=7, action=1)),
    "V35": (5, Suback(sub_no="n1", channel_id="d1", channel_type=7, action=0, reason=1)),
    "V36": (5, Event(id="evt_1", type="stream.delta", timestamp=1700000000123, data=b'{"a":1}')),
    "V37": (5, Event()),
    "V38": (5, Recv(from_uid="u1", channel_id="g1", channel_type=2, client_msg_no="c", message_id=44, message_seq=4,
                    timestamp=1700000003, payload=PLAIN)),
    "V40": (5, Connect(version=1, device_flag=1, device_id="deviceID", uid="test", client_timestamp=1)),
    "V41": (4, Connack(flags=1, server_version=100, time_diff=12345, reason=1, server_key="ServerKey", salt="Salt", node_id=0)),
    "V42": (5, Send(flags=Flag.RED_DOT, setting=0x10, client_seq=2, channel_id="34341", channel_type=2, expire=100,
                    payload=b"dsdsdsd1")),
    "V43": (5, Sendack(message_id=1234, client_seq=234, message_seq=2, reason=1)),
    "V44": (5, Recvack(flags=Flag.RED_DOT, message_id=1234, message_seq=2334)),
    "V45": (5, Event(id="123456", type="test", timestamp=1234567890, data=b"test")),
    "V46": (5, Sub(setting=1, channel_id="123456", channel_type=1, action=0)),
}

# Vectors that are built from a plain text: the codec and the cipher together must arrive at the same bytes.
SENT_PLAIN = {
    "V18": [(Send(flags=Flag.RED_DOT, client_seq=10, client_msg_no="a1b2c3d4e5f60718293a4b5c6d7e8f90_0_3",
                  channel_id="用户2"), '{"type":1,"content":"你好，悟空"}'.encode())],
    "V18b": [(Send(client_seq=4294967295, client_msg_no="x", channel_id="u2"), b"{}")],
    "V18c": [(Send(client_seq=11, client_msg_no="e", channel_id="u2"), b"")],
    "V39": [(Send(flags=Flag.RED_DOT, client_seq=21, client_msg_no="p1", channel_id="g1", channel_type=2), b"{}"),
            (Send(flags=Flag.RED_DOT, client_seq=22, client_msg_no="p2", channel_id="g1", channel_type=2), b"{}")],
}


@pytest.fixture(scope="module")
def cipherer():
    return security.ClientKeys(CLIENT_PRIVATE).agree(SERVER_KEY, SALT)


def test_no_vector_is_forgotten():
    assert set(PACKETS) | set(SENT_PLAIN) == set(VECTORS)


@pytest.mark.parametrize("name", PACKETS)
def test_encodes_to_the_vector(name):
    version, packet = PACKETS[name]
    assert encode(packet, version).hex() == VECTORS[name]


@pytest.mark.parametrize("name", PACKETS)
def test_decodes_from_the_vector(name):
    version, packet = PACKETS[name]
    data = bytes.fromhex(VECTORS[name])
    assert decode(data, version) == (packet, len(data))


@pytest.mark.parametrize("name", [name for name in PACKETS if len(VECTORS[name]) > 2])
def test_waits_for_the_rest_of_a_cut_vector(name):
    version, _ = PACKETS[name]
    data = bytes.fromhex(VECTORS[name])
    assert all(decode(data[:cut], version) is None for cut in range(len(data)))


@pytest.mark.parametrize("name", SENT_PLAIN)
def test_encrypts_and_signs_to_the_vector(name, cipherer):
    data = b""
    for packet, plain in SENT_PLAIN[name]:
        packet.payload = cipherer.encrypt(plain)
        packet.message_key = cipherer.message_key(security.send_sign(packet))
        data += encode(packet)
    assert data.hex() == VECTORS[name]


def test_agrees_on_the_keys_of_the_vectors(cipherer):
    assert security.ClientKeys(CLIENT_PRIVATE).public_text == CLIENT_KEY
    assert cipherer.encrypt(PLAIN) == CIPHER_TEXT
    assert cipherer.decrypt(CIPHER_TEXT) == PLAIN
    assert cipherer.encrypt(b"") == b"Ax9XzFyn01fKjcl70apAtg=="
    assert cipherer.encrypt(b"0123456789abcdef") == b"TYdSOiSwLuYLyiG85aZavpUJcc19sUcp22wfywM+hb0="
    assert cipherer.message_key(security.send_sign(first_send())) == SEND_KEY
    assert cipherer.message_key(security.recv_sign(first_recv())) == RECV_KEY


@pytest.mark.parametrize("hexadecimal", ["d00100", "f00100", "30818040" + "00" * 8, "9003800001", "90040c800000",
                                         "600400000001", "100105"])
def test_refuses_what_cannot_be_a_packet(hexadecimal):
    with pytest.raises(Malformed):
        decode(bytes.fromhex(hexadecimal))


def test_version_six_carries_a_64_bit_sequence():
    packet = Sendack(message_id=1, client_seq=2, message_seq=1 << 40, reason=1)
    assert encode(packet, 6).hex() == "401500000000000000010000000200000100000000000" + "1"
    assert decode(encode(packet, 6), 6)[0] == packet
    assert decode(encode(first_recv(message_seq=1 << 40), 6), 6)[0] == first_recv(message_seq=1 << 40)
