"""Person messages, one to one (protocol description 10, 11)."""

import time

import pytest

from harness.packets import Flag, Kind
from harness.server import REFERENCE

VERSION_MAX = 5 if REFERENCE else 6


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_what_one_says_the_other_hears(login, name, transport):
    anna, bob = login(name("anna"), transport=transport), login(name("bob"), transport=transport)
    before = int(time.time())

    ack = anna.tell(bob.uid, b"hello bob", client_msg_no="m-1")
    message = bob.receive()

    assert message.plain == b"hello bob"
    assert message.from_uid == anna.uid
    assert message.channel_id == anna.uid, "each side of a person channel sees the peer"
    assert message.channel_type == 1
    assert message.client_msg_no == "m-1"
    assert message.flags == Flag.RED_DOT
    assert (message.message_id, message.message_seq) == (ack.message_id, ack.message_seq)
    assert ack.message_seq == 1
    assert before <= message.timestamp <= time.time() + 1


def test_both_directions_share_one_sequence(login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    seqs = []
    for speaker, listener in [(anna, bob), (bob, anna), (bob, anna), (anna, bob)]:
        seqs.append(speaker.tell(listener.uid).message_seq)
        assert listener.receive().message_seq == seqs[-1]
    assert seqs == [1, 2, 3, 4]


def test_the_sender_does_not_hear_itself(login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    anna.tell(bob.uid, b"first")
    bob.receive()
    bob.tell(anna.uid, b"second")
    assert anna.receive().plain == b"second", "nothing came before the answer"


@pytest.mark.parametrize("of_bob", range(VERSION_MAX + 1))
@pytest.mark.parametrize("of_anna", [1, 3, VERSION_MAX])
def test_every_version_understands_every_other(login, name, of_anna, of_bob):
    anna, bob = login(name("anna"), version=of_anna), login(name("bob"), version=of_bob)
    ack = anna.tell(bob.uid, b"across versions", expire=77)
    message = bob.receive()
    assert message.plain == b"across versions"
    assert message.message_seq == ack.message_seq
    assert message.expire == (77 if of_anna >= 3 and of_bob >= 3 else 0)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 100, 5000, 32767, 200_000])
def test_payloads_of_every_size_arrive_unchanged(login, name, rng, size):
    anna, bob = login(name("anna")), login(name("bob"))
    payload = rng.randbytes(size)
    anna.tell(bob.uid, payload)
    assert bob.receive().plain == payload


def test_a_message_to_somebody_offline_waits_in_the_log(api, login, name):
    anna = login(name("anna"))
    ack = anna.tell(name("bob"), b"for later")
    (message,) = api.history(name("bob"), anna.uid)
    assert message["plain"] == b"for later"
    assert (message["message_id"], message["message_seq"]) == (ack.message_id, 1)


def test_nothing_is_replayed_on_login(login, name):
    anna = login(name("anna"))
    anna.tell(name("bob"), b"while away")
    bob = login(name("bob"))
    anna.tell(bob.uid, b"while here")
    assert bob.receive().plain == b"while here"


def test_encrypted_and_plain_worlds_do_not_meet_but_both_work(clear_server, login, name):
    anna, bob = login(name("anna"), clear_server), login(name("bob"), clear_server)
    anna.tell(bob.uid, b"in the clear")
    message = bob.receive()
    assert message.payload == b"in the clear" and message.message_key == ""


def test_a_wrong_message_key_is_reason_9_and_the_connection_stays(api, login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    packet = anna.prepare(bob.uid, b"tampered")
    packet.message_key = packet.message_key[:-1] + ("0" if packet.message_key[-1] != "0" else "1")
    anna.write(packet)
    ack = anna.sendack(packet)
    assert (ack.reason, ack.message_seq) == (9, 0)
    assert anna.tell(bob.uid, b"genuine").message_seq == 1
    assert bob.receive().plain == b"genuine"


@pytest.mark.parametrize("key", ["", "0" * 32, "UPPER"])
def test_other_wrong_message_keys_too(login, name, key):
    anna = login(name("anna"))
    packet = anna.prepare(name("bob"), b"x")
    packet.message_key = packet.message_key.upper() if key == "UPPER" else key
    anna.write(packet)
    assert anna.sendack(packet).reason == 9
    assert anna.is_open()


@pytest.mark.parametrize("payload", [
    pytest.param(b"*** not base64 ***", id="not base64"),
    pytest.param(b"", id="no cipher at all", marks=pytest.mark.jingu_only(reason="the reference never answers")),
    pytest.param(b"QUJD", id="no whole block", marks=pytest.mark.jingu_only(reason="the reference never answers")),
    pytest.param(b"AAAAAAAAAAAAAAAAAAAAAA==", id="bad padding",
                 marks=pytest.mark.jingu_only(reason="the reference hardly checks padding")),
])
def test_a_payload_that_does_not_decrypt_is_reason_9(login, name, payload):
    from harness.security import send_sign
    anna = login(name("anna"))
    packet = anna.prepare(name("bob"))
    packet.payload = payload
    packet.message_key = anna.cipherer.message_key(send_sign(packet))
    anna.write(packet)
    assert anna.sendack(packet).reason == 9
    assert anna.is_open()


@pytest.mark.jingu_only(reason="the reference may store a burst in another order")
def test_a_burst_in_one_write_is_answered_one_by_one(login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    packets = [anna.prepare(bob.uid, f"{i}".encode()) for i in range(100)]
    anna.write(*packets)
    assert [anna.sendack(packet).message_seq for packet in packets] == list(range(1, 101))
    assert [bob.receive().plain for _ in packets] == [packet.plain for packet in packets]


def test_a_message_to_myself_is_stored_once(api, login, name):
    anna = login(name("anna"))
    assert anna.tell(anna.uid, b"note to self").message_seq == 1
    assert [m["plain"] for m in api.history(anna.uid, anna.uid)] == [b"note to self"]


@pytest.mark.jingu_only(reason="the reference delivers a message to oneself twice to the other sessions")
def test_a_message_to_myself_reaches_my_other_device_once(login, name):
    phone, laptop = login(name("anna")), login(name("anna"), device_flag=2)
    phone.tell(phone.uid, b"note to self")
    phone.tell(phone.uid, b"end")
    assert laptop.receive().plain == b"note to self"
    assert laptop.receive().plain == b"end"
    assert not laptop.pending(Kind.RECV)
