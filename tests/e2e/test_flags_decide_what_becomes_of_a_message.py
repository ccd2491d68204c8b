"""Header flags, setting bits, expire, topic (semantics 2.3, 2.4, 3.6; protocol description 4.4, 6.3, 8)."""

import pytest

from harness.packets import SETTING_NO_ENCRYPT, SETTING_RECEIPT, SETTING_SIGNAL, SETTING_STREAM, SETTING_TOPIC, Flag, Kind

NO_PERSIST, RED_DOT, SYNC_ONCE, DUP = Flag.NO_PERSIST, Flag.RED_DOT, Flag.SYNC_ONCE, Flag.DUP


@pytest.mark.parametrize("channel_type", [1, 2])
def test_no_persist_is_delivered_but_never_stored(api, login, name, channel_type):
    anna, bob = login(name("anna")), login(name("bob"))
    channel = bob.uid if channel_type == 1 else api.group(name("group"), anna.uid, bob.uid)

    assert anna.tell(channel, b"kept 1", channel_type).message_seq == 1
    typing = anna.tell(channel, b"typing...", channel_type, flags=NO_PERSIST)
    assert anna.tell(channel, b"kept 2", channel_type).message_seq == 2

    assert typing.message_seq == 0 and typing.message_id > 0
    heard = {m.plain: m for m in (bob.receive(), bob.receive(), bob.receive())}
    assert heard[b"typing..."].message_seq == 0
    assert heard[b"typing..."].flags == NO_PERSIST
    assert heard[b"typing..."].message_id == typing.message_id
    assert [m["plain"] for m in api.history(anna.uid, channel, channel_type)] == [b"kept 1", b"kept 2"]


@pytest.mark.parametrize("flags", range(16))
def test_sendack_copies_all_flags_and_recv_all_but_dup(login, name, flags):
    anna, bob = login(name("anna")), login(name("bob"))
    assert anna.tell(bob.uid, b"x", flags=flags).flags == flags
    assert bob.receive().flags == flags & ~DUP


@pytest.mark.parametrize("via", ["api", pytest.param("socket", marks=pytest.mark.jingu_only(
    reason="the reference stores a command that comes over the socket in the chat log"))])
def test_a_command_has_its_own_log(api, login, name, via):
    anna, bob = login(name("anna")), login(name("bob"))
    group = api.group(name("group"), anna.uid, bob.uid)
    assert anna.tell(group, b"chat 1", 2).message_seq == 1
    bob.receive()

    if via == "api":
        api.send(b"command", group, from_uid=anna.uid, header={"sync_once": 1})
    else:
        assert anna.tell(group, b"command", 2, flags=SYNC_ONCE).message_seq == 1
    command = bob.receive()

    assert (command.plain, command.flags & SYNC_ONCE, command.message_seq) == (b"command", SYNC_ONCE, 1)
    assert command.channel_id == group, "the command log's id never reaches a client"
    assert anna.tell(group, b"chat 2", 2).message_seq == 2
    assert [m["plain"] for m in api.history(anna.uid, group, 2)] == [b"chat 1", b"chat 2"]


def test_a_person_command_too(api, login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    assert anna.tell(bob.uid, b"chat").message_seq == 1
    api.send(b"command", bob.uid, 1, from_uid=anna.uid, header={"sync_once": 1})
    assert bob.receive().plain == b"chat"
    command = bob.receive()
    assert (command.plain, command.channel_id, command.message_seq) == (b"command", anna.uid, 1)
    assert [m["plain"] for m in api.history(anna.uid, bob.uid)] == [b"chat"]


def test_a_command_that_is_not_stored_still_arrives(api, login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    api.send(b"ephemeral", bob.uid, 1, from_uid=anna.uid, header={"sync_once": 1, "no_persist": 1})
    message = bob.receive()
    assert (message.plain, message.message_seq, message.flags) == (b"ephemeral", 0, SYNC_ONCE | NO_PERSIST)


@pytest.mark.parametrize("no_persist", [0, 1])
def test_a_command_to_a_list_of_users(api, login, name, no_persist):
    users = [login(name(word)) for word in ("anna", "bob", "carl")]
    outsider = login(name("outsider"))
    answer = api.post("/message/send", {"header": {"sync_once": 1, "no_persist": no_persist}, "payload": "Y21k",
                                        "subscribers": [user.uid for user in users]})
    assert answer.body == {"status": 200}
    for user in users:
        message = user.receive()
        assert message.plain == b"cmd" and message.flags & SYNC_ONCE
        assert (message.message_seq == 0) == bool(no_persist)
        assert message.from_uid == ""
    users[0].tell(outsider.uid, b"end")
    assert outsider.receive().plain == b"end"


def test_topic_and_expiry_travel_along(api, login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    anna.tell(bob.uid, b"x", setting=SETTING_TOPIC, topic="weather", expire=3600)
    message = bob.receive()
    assert (message.topic, message.expire, message.setting) == ("weather", 3600, SETTING_TOPIC)
    (stored,) = api.history(anna.uid, bob.uid)
    assert (stored["topic"], stored["expire"], stored["setting"]) == ("weather", 3600, SETTING_TOPIC)


@pytest.mark.parametrize("setting", [SETTING_RECEIPT, SETTING_SIGNAL, SETTING_RECEIPT | SETTING_SIGNAL | SETTING_TOPIC])
def test_the_setting_byte_is_forwarded_and_stored(api, login, name, setting):
    anna, bob = login(name("anna")), login(name("bob"))
    anna.tell(bob.uid, b"x", setting=setting)
    assert bob.receive().setting == setting
    assert api.history(anna.uid, bob.uid)[0]["setting"] == setting


@pytest.mark.parametrize("of_anna", [2, 4, 5])
@pytest.mark.parametrize("of_bob", [1, 2, 3, 4, 5])
def test_a_stream_message_is_readable_in_every_version(login, name, of_anna, of_bob):
    """The bit means other fields in other versions; whoever gets it must be able to read the rest of the frame."""
    anna, bob = login(name("anna"), version=of_anna), login(name("bob"), version=of_bob)
    anna.tell(bob.uid, b"chunk", setting=SETTING_STREAM, stream_no="s-1")
    message = bob.receive()
    assert message.plain == b"chunk"
    if of_bob >= 5:
        assert message.setting == SETTING_STREAM
    if message.setting & SETTING_STREAM and 2 <= of_bob <= 4:
        assert (message.stream_flag, message.stream_id) == (0, message.message_id)


@pytest.mark.jingu_only(reason="the reference forwards bit 0x04, which old clients read as a stream with other fields")
def test_the_old_stream_bit_never_reaches_a_client(login, name):
    anna, bob = login(name("anna")), login(name("bob"), version=4)
    anna.tell(bob.uid, b"x", setting=0x04)
    assert bob.receive().setting & 0x04 == 0


@pytest.mark.jingu_only(reason="the reference ignores the bit and answers 9")
def test_a_message_that_asks_for_no_encryption_is_taken_as_it_is(login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    packet = anna.prepare(bob.uid, b"plain", setting=SETTING_NO_ENCRYPT)
    packet.payload, packet.message_key = b"plain", ""
    anna.write(packet)
    assert anna.sendack(packet).reason == 1
    message = bob.receive()
    assert message.plain == b"plain", "the receiver's own connection stays encrypted"
    assert message.setting & SETTING_NO_ENCRYPT == 0


def test_flags_are_stored_with_the_message(api, login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    anna.tell(bob.uid, b"first", flags=RED_DOT)
    anna.tell(bob.uid, b"second", flags=0)
    anna.tell(bob.uid, b"third", flags=RED_DOT)
    headers = [m["header"]["red_dot"] for m in api.history(anna.uid, bob.uid)]
    assert headers[1:] == [0, 1], "the reference loses the flags of the first row of a range"


@pytest.mark.jingu_only(reason="the reference loses the flags of the first row of a range")
def test_flags_of_the_first_message_too(api, login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    anna.tell(bob.uid, b"first", flags=RED_DOT)
    assert api.history(anna.uid, bob.uid)[0]["header"] == {"no_persist": 0, "red_dot": 1, "sync_once": 0}


def test_only_what_is_stored_counts_as_unread(api, login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    anna.tell(bob.uid, b"stored")
    anna.tell(bob.uid, b"gone", flags=NO_PERSIST | RED_DOT)
    assert api.conversation(bob.uid, anna.uid)["unread"] == 1


def test_a_no_persist_message_needs_no_acknowledgement(login, name):
    anna, bob = login(name("anna")), login(name("bob"), acknowledges=False)
    anna.tell(bob.uid, b"x", flags=NO_PERSIST)
    bob.acknowledge(bob.receive())
    assert bob.is_open()
    assert not bob.pending(Kind.DISCONNECT)
