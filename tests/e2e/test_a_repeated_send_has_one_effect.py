"""Exactly-once effect: the same (channel, sender, client_msg_no) gives the first result again and does nothing else.

The reference has none of this; every test here is Jingu's.
"""

import threading

import pytest

from harness.api import Api
from harness.packets import Flag, Kind

pytestmark = pytest.mark.jingu_only(reason="the reference stores and delivers a repeated SEND again")


def same(first, second) -> bool:
    return (first.reason, first.message_id, first.message_seq) == (second.reason, second.message_id, second.message_seq)


def heard_until(client, last: bytes) -> list[bytes]:
    payloads = []
    while not payloads or payloads[-1] != last:
        payloads.append(client.receive().plain)
    return payloads


@pytest.mark.parametrize("channel_type", [1, 2])
def test_a_repeat_gets_the_first_answer_and_is_delivered_once(api, login, name, channel_type):
    anna, bob = login(name("anna")), login(name("bob"))
    channel = bob.uid if channel_type == 1 else api.group(name("group"), anna.uid, bob.uid)

    first = anna.tell(channel, b"once", channel_type, client_msg_no="n-1")
    repeats = [anna.tell(channel, b"once", channel_type, client_msg_no="n-1") for _ in range(3)]
    anna.tell(channel, b"end", channel_type)

    assert all(same(first, repeat) for repeat in repeats)
    assert heard_until(bob, b"end") == [b"once", b"end"]
    assert [m["plain"] for m in api.history(anna.uid, channel, channel_type)] == [b"once", b"end"]


def test_a_repeat_in_the_same_write_meets_the_first_while_it_is_in_flight(api, login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    sends = [anna.prepare(bob.uid, b"once", client_msg_no="n-1") for _ in range(10)]
    anna.write(*sends)
    acks = [anna.sendack(send) for send in sends]
    anna.tell(bob.uid, b"end")
    assert all(same(acks[0], ack) for ack in acks)
    assert heard_until(bob, b"end") == [b"once", b"end"]


def test_repeats_interleaved_with_others_keep_the_sequence_whole(api, login, name, rng):
    anna, bob = login(name("anna")), login(name("bob"))
    numbers = [rng.randrange(40) for _ in range(300)]
    sends = [anna.prepare(bob.uid, b"%d" % number, client_msg_no=f"n-{number}") for number in numbers]
    for at in range(0, len(sends), 25):
        anna.write(*sends[at:at + 25])
    acks = [anna.sendack(send) for send in sends]

    results: dict[int, tuple] = {}
    for number, ack in zip(numbers, acks):
        assert results.setdefault(number, (ack.message_id, ack.message_seq)) == (ack.message_id, ack.message_seq)
    history = api.history(anna.uid, bob.uid)
    assert [m["message_seq"] for m in history] == list(range(1, len(set(numbers)) + 1))
    assert {m["client_msg_no"] for m in history} == {f"n-{number}" for number in numbers}


def test_many_connections_of_one_user_repeat_at_once(api, login, name):
    bob = login(name("bob"))
    devices = [login(name("anna"), device_flag=i % 3) for i in range(6)]
    barrier, acks = threading.Barrier(len(devices)), []

    def repeat(device):
        barrier.wait()
        acks.append(device.tell(bob.uid, b"once", client_msg_no="n-1"))

    threads = [threading.Thread(target=repeat, args=(device,)) for device in devices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(acks) == len(devices) and all(same(acks[0], ack) for ack in acks)
    assert [m["plain"] for m in api.history(bob.uid, name("anna"))] == [b"once"]
    devices[0].tell(bob.uid, b"end")
    assert heard_until(bob, b"end") == [b"once", b"end"]


def test_after_a_reconnect_with_new_keys(api, login, name):
    """What JS does on every CONNACK: the same SEND again, encrypted anew."""
    bob = login(name("bob"))
    first = login(name("anna"))
    ack = first.tell(bob.uid, b"once", client_msg_no="n-1", client_seq=7)
    first.close()
    again = login(name("anna")).tell(bob.uid, b"once", client_msg_no="n-1", client_seq=7, flags=Flag.RED_DOT | Flag.DUP)
    assert same(ack, again)
    assert bob.receive().plain == b"once"
    bob.ping()
    assert not bob.pending(Kind.RECV)


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_across_a_restart(start_server, login, name, ending):
    server = start_server()
    anna, bob = login(name("anna"), server), login(name("bob"), server)
    Api(server).group(name("group"), anna.uid, bob.uid)
    first = anna.tell(bob.uid, b"once", client_msg_no="n-1")
    group_first = anna.tell(name("group"), b"once", 2, client_msg_no="n-1")
    getattr(server, ending)()
    server.start()

    anna, bob = login(name("anna"), server), login(name("bob"), server)
    assert same(first, anna.tell(bob.uid, b"once", client_msg_no="n-1"))
    assert same(group_first, anna.tell(name("group"), b"once", 2, client_msg_no="n-1"))
    assert anna.tell(bob.uid, b"end").message_seq == 2
    assert bob.receive().plain == b"end", "what was repeated is not delivered again"
    assert [m["plain"] for m in Api(server).history(anna.uid, bob.uid)] == [b"once", b"end"]


def test_the_number_belongs_to_its_sender_and_its_channel(api, login, name):
    anna, bob, carl = login(name("anna")), login(name("bob")), login(name("carl"))
    group = api.group(name("group"), anna.uid, bob.uid)
    acks = [anna.tell(bob.uid, client_msg_no="n-1"), bob.tell(anna.uid, client_msg_no="n-1"),
            anna.tell(carl.uid, client_msg_no="n-1"), anna.tell(group, channel_type=2, client_msg_no="n-1"),
            bob.tell(group, channel_type=2, client_msg_no="n-1")]
    assert [ack.message_seq for ack in acks] == [1, 2, 1, 1, 2]
    assert len({ack.message_id for ack in acks}) == 5


def test_without_a_number_every_send_is_its_own(login, name):
    anna = login(name("anna"))
    assert [anna.tell(name("bob"), client_msg_no="").message_seq for _ in range(3)] == [1, 2, 3]


def test_another_text_under_the_same_number_changes_nothing(api, login, name):
    anna = login(name("anna"))
    anna.tell(name("bob"), b"first", client_msg_no="n-1")
    anna.say(name("bob"), b"second", client_msg_no="n-1")
    assert [m["plain"] for m in api.history(anna.uid, name("bob"))] == [b"first"]


def test_a_refusal_is_not_remembered(api, login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    group = api.group(name("group"), bob.uid)
    assert anna.say(group, b"let me in", 2, client_msg_no="n-1").reason == 3
    api.subscribe(group, anna.uid)
    assert anna.tell(group, b"let me in", 2, client_msg_no="n-1").message_seq == 1
    assert bob.receive().plain == b"let me in"


def test_a_repeat_by_somebody_who_lost_the_right_is_refused_or_answered_but_has_no_effect(api, login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    group = api.group(name("group"), anna.uid, bob.uid)
    first = anna.tell(group, b"once", 2, client_msg_no="n-1")
    api.unsubscribe(group, anna.uid)
    again = anna.say(group, b"once", 2, client_msg_no="n-1")
    assert again.reason == 3 or same(first, again)
    assert len(api.history(bob.uid, group, 2)) == 1


def test_binary_and_json_share_the_memory(api, login, login_json, name):
    bob = login(name("bob"))
    ack = login(name("anna")).tell(bob.uid, b"once", client_msg_no="n-1")
    result = login_json(name("anna")).tell(bob.uid, b"once", clientMsgNo="n-1")
    assert (int(result["messageId"]), result["messageSeq"]) == (ack.message_id, ack.message_seq)
    assert len(api.history(bob.uid, name("anna"))) == 1


def test_commands_are_remembered_in_their_own_log(api, login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    chat = anna.tell(bob.uid, b"chat", client_msg_no="n-1")
    command = anna.tell(bob.uid, b"command", client_msg_no="n-1", flags=Flag.SYNC_ONCE)
    assert chat.message_id != command.message_id
    assert same(command, anna.tell(bob.uid, b"command", client_msg_no="n-1", flags=Flag.SYNC_ONCE))
