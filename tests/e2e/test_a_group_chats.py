"""Group messages (semantics 2.1, 2.5, 4.2)."""

import pytest

from harness.packets import Flag, Kind


def group_of(api, login, name, *words, **options):
    """A group with these members, all logged in."""
    members = [login(name(word), **options) for word in words]
    api.group(name("group"), *[member.uid for member in members])
    return name("group"), members


def test_every_member_hears_and_nobody_else(api, login, name):
    group, (anna, bob, carl) = group_of(api, login, name, "anna", "bob", "carl")
    stranger = login(name("stranger"))

    ack = anna.tell(group, b"hello all", 2)

    for listener in (bob, carl):
        message = listener.receive()
        assert message.plain == b"hello all"
        assert (message.from_uid, message.channel_id, message.channel_type) == (anna.uid, group, 2)
        assert (message.message_id, message.message_seq) == (ack.message_id, ack.message_seq)
        assert message.flags == Flag.RED_DOT
    anna.tell(stranger.uid, b"only for you")
    assert stranger.receive().plain == b"only for you"


def test_all_members_share_one_sequence(api, login, name):
    group, members = group_of(api, login, name, "anna", "bob", "carl")
    seqs = [member.tell(group, b"x", 2).message_seq for _ in range(4) for member in members]
    assert seqs == list(range(1, 13))
    for member in members:
        heard = [member.receive().message_seq for _ in range(8)]
        assert heard == sorted(heard) and len(set(heard)) == 8


def test_who_joins_hears_the_next_message(api, login, name):
    group, (anna, bob) = group_of(api, login, name, "anna", "bob")
    late = login(name("late"))
    anna.tell(group, b"before", 2)
    api.subscribe(group, late.uid)
    anna.tell(group, b"after", 2)
    assert late.receive().plain == b"after"


def test_who_leaves_hears_no_more_and_may_not_speak(api, login, name):
    group, (anna, bob) = group_of(api, login, name, "anna", "bob")
    anna.tell(group, b"while member", 2)
    assert bob.receive().plain == b"while member"
    api.unsubscribe(group, bob.uid)
    anna.tell(group, b"behind the back", 2)
    anna.tell(bob.uid, b"sorry")
    assert bob.receive().plain == b"sorry"
    assert bob.say(group, b"hey", 2).reason == 3


@pytest.mark.parametrize("call", ["subscriber_remove_all", "subscriber_add", "channel"])
def test_who_is_not_on_the_new_list_hears_no_more(api, login, name, call):
    group, (anna, bob) = group_of(api, login, name, "anna", "bob")
    carl = login(name("carl"))
    anna.tell(group, b"while member", 2)
    assert bob.receive().plain == b"while member"
    if call == "subscriber_remove_all":
        api.post("/channel/subscriber_remove_all", {"channel_id": group, "channel_type": 2}).ok()
    elif call == "subscriber_add":
        api.subscribe(group, carl.uid, reset=1)
    else:
        api.channel(group, subscribers=[carl.uid], reset=1)
    api.send(b"behind the back", group)
    for former in (anna, bob):
        api.send(b"sorry", former.uid, 1)
        assert former.receive().plain == b"sorry"
        assert former.say(group, b"hey", 2).reason == 3
    if call != "subscriber_remove_all":
        assert carl.receive().plain == b"behind the back"


def test_a_denied_member_keeps_hearing(api, login, name):
    group, (anna, bob) = group_of(api, login, name, "anna", "bob")
    api.edit_list("blacklist_add", group, bob.uid)
    anna.tell(group, b"you may listen", 2)
    assert bob.receive().plain == b"you may listen"
    assert bob.say(group, b"but not speak", 2).reason == 4


def test_a_back_end_speaks_as_a_member_and_all_its_devices_hear(api, login, name):
    group, (anna, bob) = group_of(api, login, name, "anna", "bob")
    laptop = login(name("anna"), device_flag=2)
    answer = api.send(b"from the back end", group, from_uid=anna.uid, header={"red_dot": 1})
    for listener, red_dot in ((bob, Flag.RED_DOT), (anna, 0), (laptop, 0)):
        message = listener.receive()
        assert (message.plain, message.from_uid, message.flags) == (b"from the back end", anna.uid, red_dot)
        assert message.message_id == answer["message_id"]
        assert message.client_msg_no == answer["client_msg_no"]


def test_the_system_speaks_without_a_name(api, login, name):
    group, (anna, bob) = group_of(api, login, name, "anna", "bob")
    api.send(b"maintenance at noon", group)
    for listener in (anna, bob):
        message = listener.receive()
        assert (message.plain, message.from_uid, message.channel_id) == (b"maintenance at noon", "", group)


def test_a_group_of_many_devices(api, login, name):
    """Fan-out crosses shards: every one of 60 sessions hears every message once, in order."""
    group, speakers = group_of(api, login, name, "anna", "bob")
    others = [login(f"{name('user')}n{i // 2}", device_flag=i % 2) for i in range(60)]
    api.subscribe(group, *{other.uid for other in others})
    anna = speakers[0]
    for i in range(5):
        anna.tell(group, f"{i}".encode(), 2)
    for other in others:
        assert [other.receive().plain for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]
        assert not other.pending(Kind.RECV)


def test_offline_members_find_it_in_the_log(api, login, name):
    anna = login(name("anna"))
    api.group(name("group"), anna.uid, name("sleeper"))
    anna.tell(name("group"), b"good night", 2)
    assert [m["plain"] for m in api.history(name("sleeper"), name("group"), 2)] == [b"good night"]


def test_two_groups_do_not_mix(api, login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    first, second = (api.group(name(word), anna.uid, bob.uid) for word in ("first", "second"))
    assert anna.tell(first, b"one", 2).message_seq == 1
    assert anna.tell(second, b"two", 2).message_seq == 1
    heard = {(m.channel_id, m.plain) for m in (bob.receive(), bob.receive())}
    assert heard == {(first, b"one"), (second, b"two")}


@pytest.mark.parametrize("channel_type", [2, 4, 12])
def test_the_same_id_with_another_type_is_another_channel(api, login, name, channel_type):
    anna, bob = login(name("anna")), login(name("bob"))
    api.group(name("place"), anna.uid, bob.uid, channel_type=channel_type)
    api.group(name("place"), anna.uid, bob.uid, channel_type=7)
    assert anna.tell(name("place"), b"one", channel_type).message_seq == 1
    assert anna.tell(name("place"), b"two", 7).message_seq == 1
    assert {(bob.receive().channel_type) for _ in range(2)} == {channel_type, 7}
