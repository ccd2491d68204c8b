"""Self-sync (semantics 1.10; protocol description 11.1)."""

import pytest

from harness.packets import Flag, Kind


def test_my_laptop_sees_what_my_phone_sends_to_a_person(login, name):
    phone, laptop, bob = login(name("anna")), login(name("anna"), device_flag=2), login(name("bob"))

    ack = phone.tell(bob.uid, b"from the phone", client_msg_no="c-1")

    message = laptop.receive()
    assert message.plain == b"from the phone"
    assert message.from_uid == phone.uid
    assert message.channel_id == bob.uid, "the sender's devices see the peer"
    assert message.flags & Flag.RED_DOT == 0, "what I said myself is not unread"
    assert (message.message_id, message.message_seq, message.client_msg_no) == (ack.message_id, ack.message_seq, "c-1")
    assert bob.receive().flags == Flag.RED_DOT


def test_and_to_a_group(api, login, name):
    phone, laptop, bob = login(name("anna")), login(name("anna"), device_flag=1), login(name("bob"))
    group = api.group(name("group"), phone.uid, bob.uid)
    phone.tell(group, b"hi", 2)
    message = laptop.receive()
    assert (message.channel_id, message.from_uid, message.flags & Flag.RED_DOT) == (group, phone.uid, 0)
    assert bob.receive().flags == Flag.RED_DOT


def test_the_sending_connection_alone_is_left_out(login, name):
    """Also another connection of the same device class and the same version hears it; the sender itself does not."""
    first, second, bob = login(name("anna")), login(name("anna")), login(name("bob"))
    first.tell(bob.uid, b"1")
    assert second.receive().plain == b"1"
    second.tell(bob.uid, b"2")
    assert first.receive().plain == b"2"
    first.ping()
    assert not first.pending(Kind.RECV)


def test_every_device_of_the_receiver_hears(login, name):
    anna = login(name("anna"))
    devices = [login(name("bob"), device_flag=flag, transport=transport) for flag in (0, 1, 2) for transport in ("tcp", "ws")]
    anna.tell(name("bob"), b"to all of you")
    assert [device.receive().plain for device in devices] == [b"to all of you"] * 6


@pytest.mark.parametrize("flags", [0, Flag.NO_PERSIST | Flag.RED_DOT, Flag.SYNC_ONCE | Flag.RED_DOT])
def test_the_other_flags_stay_as_sent(login, name, flags):
    phone, laptop = login(name("anna")), login(name("anna"), device_flag=2)
    phone.tell(name("bob"), b"x", flags=flags)
    assert laptop.receive().flags == flags & ~Flag.RED_DOT


def test_a_back_end_message_in_my_name_reaches_all_my_devices(api, login, name):
    phone, laptop, bob = login(name("anna")), login(name("anna"), device_flag=2), login(name("bob"))
    api.send(b"sent for you", bob.uid, 1, from_uid=phone.uid, header={"red_dot": 1})
    for device in (phone, laptop):
        message = device.receive()
        assert (message.plain, message.channel_id, message.flags) == (b"sent for you", bob.uid, 0)
    message = bob.receive()
    assert (message.channel_id, message.flags) == (phone.uid, Flag.RED_DOT)


def test_the_system_writes_to_a_person_without_names(api, login, name):
    bob = login(name("bob"))
    api.send(b"welcome", bob.uid, 1)
    message = bob.receive()
    assert (message.plain, message.from_uid, message.channel_id) == (b"welcome", "", "")
