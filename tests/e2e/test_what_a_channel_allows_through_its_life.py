"""The rules of semantics 2.5 and 2.6 that need more than one obstacle: whom a flag stops, who is exempt, what a list does besides."""

import pytest

from harness.api import Api
from harness.packets import Flag, Kind
from harness.waiting import eventually

NOT_SUBSCRIBED, DENIED, NOT_PARTICIPANT, NOT_ALLOWED, CHANNEL_ID, BANNED, DISBANDED, MUTED = 3, 4, 11, 13, 16, 19, 24, 25

WITHOUT_BAN = [3, 6, 10, 11]  # types whose ban is not looked at
WITH_BAN = [2, 4, 5, 7, 9, 12, 77]


def place_of(api, cast, name, channel_type):
    """Where anna writes to in this type, and the id its record is kept under."""
    if channel_type == 10:
        return cast.anna.uid, api.group(cast.anna.uid, cast.bob.uid, channel_type=10)
    if channel_type == 11:
        return cast.bob.uid, f"{cast.anna.uid}@{cast.bob.uid}"
    place = api.group(name("place"), cast.anna.uid, cast.bob.uid, channel_type=channel_type)
    return place, place


# ---- Flags of the record. ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel_type", WITH_BAN)
def test_a_ban_silences_the_types_that_know_it(api, cast, name, channel_type):
    place, record = place_of(api, cast, name, channel_type)
    api.info(record, channel_type, ban=1)
    assert cast.anna.say(place, b"x", channel_type).reason == BANNED
    assert cast.stranger.say(place, b"x", channel_type).reason == BANNED, "before anything is asked of the sender"


@pytest.mark.parametrize("channel_type", WITHOUT_BAN)
def test_a_ban_means_nothing_to_the_others(api, cast, name, channel_type):
    place, record = place_of(api, cast, name, channel_type)
    api.info(record, channel_type, ban=1)
    assert cast.anna.say(place, b"x", channel_type).reason == 1


@pytest.mark.jingu_only(reason="the reference does not look at disband for some types")
@pytest.mark.parametrize("channel_type", [*WITH_BAN, *WITHOUT_BAN])
def test_a_disbanded_channel_is_silent_for_everybody_and_lives_again_when_it_is_written(api, cast, officer, name, channel_type):
    place, record = place_of(api, cast, name, channel_type)
    api.info(record, channel_type, disband=1)
    assert cast.anna.say(place, b"x", channel_type).reason == DISBANDED
    if channel_type != 11:
        assert officer.say(place, b"x", channel_type).reason == DISBANDED
    api.info(record, channel_type)
    assert cast.anna.say(place, b"x", channel_type).reason == 1


def test_deleting_a_channel_disbands_it_and_changes_nothing_else(api, cast, name):
    place, record = place_of(api, cast, name, 2)
    api.info(record, 2, ban=1)
    api.post("/channel/delete", {"channel_id": place, "channel_type": 2}).ok()
    assert cast.anna.say(place, b"x", 2).reason == BANNED, "still"
    api.info(record, 2, disband=1)
    assert cast.anna.say(place, b"x", 2).reason == DISBANDED


def test_deleting_what_is_not_there_leaves_nothing_behind(api, cast, name):
    api.post("/channel/delete", {"channel_id": name("place"), "channel_type": 2}).ok()
    assert cast.anna.say(name("place"), b"x", 2).reason == NOT_SUBSCRIBED
    api.subscribe(name("place"), cast.anna.uid)
    assert cast.anna.say(name("place"), b"x", 2).reason == 1


def test_no_sender_is_exempt_from_a_ban(api, cast, officer, name):
    place, record = place_of(api, cast, name, 2)
    api.info(record, 2, ban=1)
    assert officer.say(place, b"x", 2).reason == BANNED
    for sender in ("", cast.anna.uid, officer.uid):
        answer = api.post("/message/send", {"from_uid": sender, "channel_id": place, "channel_type": 2, "payload": "eA=="})
        assert answer.body["status"] in (BANNED, 200), "the reference does not tell"
    assert api.history(cast.anna.uid, place, 2) == []


@pytest.mark.jingu_only(reason="the reference never finds the record of a command log")
@pytest.mark.parametrize("flag, reason", [("ban", BANNED), ("disband", DISBANDED)])
def test_commands_obey_the_record_of_the_channel_they_belong_to(api, cast, name, flag, reason):
    place, record = place_of(api, cast, name, 2)
    api.info(record, 2, **{flag: 1})
    assert cast.anna.say(place, b"x", 2, flags=Flag.SYNC_ONCE).reason == reason


def test_commands_obey_the_lists_of_the_channel_they_belong_to(api, cast, name):
    place, _ = place_of(api, cast, name, 2)
    assert cast.stranger.say(place, b"x", 2, flags=Flag.SYNC_ONCE).reason == NOT_SUBSCRIBED
    api.edit_list("blacklist_add", place, cast.anna.uid)
    assert cast.anna.say(place, b"x", 2, flags=Flag.SYNC_ONCE).reason == DENIED


def test_send_ban_of_a_group_is_kept_and_ignored(api, cast, name):
    place, record = place_of(api, cast, name, 2)
    api.info(record, 2, send_ban=1, large=1, allow_stranger=1)
    assert cast.anna.say(place, b"x", 2).reason == 1
    assert cast.stranger.say(place, b"x", 2).reason == NOT_SUBSCRIBED


def test_the_back_end_may_speak_for_who_is_muted(api, cast, name):
    place, _ = place_of(api, cast, name, 2)
    api.info(cast.anna.uid, 1, send_ban=1)
    assert cast.anna.say(place, b"x", 2).reason == MUTED
    api.send(b"in her name", place, from_uid=cast.anna.uid)
    assert cast.bob.receive().plain == b"in her name"
    api.info(cast.anna.uid, 1)


def test_who_is_muted_before_logging_in_is_muted(api, login, name):
    api.info(name("anna"), 1, send_ban=1)
    assert login(name("anna")).say(name("bob")).reason == MUTED


def test_a_mute_reaches_every_device_and_ends_for_every_device(api, login, name):
    phone, laptop = login(name("anna")), login(name("anna"), device_flag=2)
    api.info(name("anna"), 1, send_ban=1)
    assert (phone.say(name("bob")).reason, laptop.say(name("bob")).reason) == (MUTED, MUTED)
    api.info(name("anna"), 1)
    assert (phone.say(name("bob")).reason, laptop.say(name("bob")).reason) == (1, 1)


def test_who_is_banned_hears_what_others_write(api, cast):
    """The ban of a person keeps him from logging in; his sessions stay, and others may write to him."""
    api.info(cast.bob.uid, 1, ban=1)
    cast.anna.tell(cast.bob.uid, b"poor you")
    assert cast.bob.receive().plain == b"poor you"
    assert cast.bob.say(cast.anna.uid).reason == 1


# ---- System accounts. ----------------------------------------------------------------------------------------------------


def test_a_system_account_needs_no_membership_and_no_list_stops_it(api, cast, officer, name):
    place, _ = place_of(api, cast, name, 2)
    api.edit_list("blacklist_add", place, officer.uid)
    api.edit_list("whitelist_add", place, cast.bob.uid)
    assert officer.say(place, b"order", 2).reason == 1
    assert cast.anna.receive().plain == b"order"
    api.edit_list("blacklist_add", cast.bob.uid, officer.uid, channel_type=1)
    assert officer.say(cast.bob.uid, b"order").reason == 1


def test_anybody_may_write_to_a_system_account(api, cast, officer):
    api.edit_list("blacklist_add", officer.uid, cast.anna.uid, channel_type=1)
    cast.anna.tell(officer.uid, b"help")
    assert officer.receive().plain == b"help"


def test_even_where_allow_lists_of_persons_are_enforced(strict_server, login, name):
    strict = Api(strict_server)
    strict.post("/user/systemuids_add", {"uids": [name("officer")]}).ok()
    anna = login(name("anna"), strict_server)
    assert anna.say(name("officer")).reason == 1
    assert anna.say(name("bob")).reason == NOT_ALLOWED
    strict.post("/user/systemuids_remove", {"uids": [name("officer")]}).ok()
    assert anna.say(name("officer")).reason == NOT_ALLOWED


def test_the_system_itself_may_be_written_to_whatever_list_is_enforced(strict_server, login, name):
    strict = Api(strict_server)
    strict.edit_list("blacklist_add", "____system", name("anna"), channel_type=1)
    anna = login(name("anna"), strict_server)
    assert anna.say("____system").reason == 1


@pytest.mark.parametrize("end", ["restart", "kill"])
def test_a_system_account_is_one_after_the_server_went(start_server, login, end):
    server = start_server()
    api = Api(server)
    api.group("group", "bob")
    api.post("/user/systemuids_add", {"uids": ["officer", "former"]}).ok()
    api.post("/user/systemuids_remove", {"uids": ["former"]}).ok()
    if end == "kill":
        server.kill()
        server.start()
    else:
        server.restart()
    assert login("officer", server).say("group", channel_type=2).reason == 1
    assert login("former", server).say("group", channel_type=2).reason == NOT_SUBSCRIBED


def test_a_system_account_that_is_none_any_more_has_no_privilege(api, cast, login, name):
    place, _ = place_of(api, cast, name, 2)
    api.post("/user/systemuids_add", {"uids": [cast.stranger.uid]}).ok()
    assert cast.stranger.say(place, b"x", 2).reason == 1
    api.post("/user/systemuids_remove", {"uids": [cast.stranger.uid]}).ok()
    assert cast.stranger.say(place, b"x", 2).reason == NOT_SUBSCRIBED


# ---- Persons. ------------------------------------------------------------------------------------------------------------


@pytest.mark.jingu_only(reason="the reference stores allow_stranger and does nothing with it")
def test_who_allows_strangers_needs_no_list_but_may_deny(strict_server, login, name):
    strict = Api(strict_server)
    anna, bob = login(name("anna"), strict_server), login(name("bob"), strict_server)
    assert anna.say(bob.uid).reason == NOT_ALLOWED
    strict.info(bob.uid, 1, allow_stranger=1)
    assert anna.say(bob.uid).reason == 1
    strict.edit_list("blacklist_add", bob.uid, anna.uid, channel_type=1)
    assert anna.say(bob.uid).reason == DENIED
    strict.edit_list("blacklist_remove_all", bob.uid, channel_type=1)
    strict.info(bob.uid, 1)
    assert anna.say(bob.uid).reason == NOT_ALLOWED


def test_commands_to_a_person_obey_his_lists(api, cast):
    api.edit_list("blacklist_add", cast.bob.uid, cast.anna.uid, channel_type=1)
    assert cast.anna.say(cast.bob.uid, b"x", flags=Flag.SYNC_ONCE).reason == DENIED
    assert cast.anna.say(cast.bob.uid, b"x", flags=Flag.NO_PERSIST).reason == DENIED


def test_a_person_has_no_subscribers(api, name):
    for path in ("subscriber_add", "subscriber_remove"):
        api.post(f"/channel/{path}", {"channel_id": name("anna"), "channel_type": 1, "subscribers": ["x"]}).refused(
            "个人频道不支持添加订阅者！")
    api.post("/channel/subscriber_remove_all", {"channel_id": name("anna"), "channel_type": 1}).refused("个人频道不支持此操作！")
    api.post("/channel/delete", {"channel_id": name("anna"), "channel_type": 1}).refused("个人频道不支持添加订阅者！")


def test_who_is_put_on_a_persons_allow_list_has_the_conversation(api, cast):
    api.edit_list("whitelist_add", cast.bob.uid, cast.anna.uid, channel_type=1)
    cast.bob.tell(cast.anna.uid, b"we are friends now")
    conversation = eventually(lambda: api.conversation(cast.anna.uid, cast.bob.uid))
    assert conversation["unread"] == 1


# ---- Types. --------------------------------------------------------------------------------------------------------------


@pytest.mark.jingu_only(reason="the reference does not know the full id over the socket")
def test_only_the_two_of_an_agent_channel_may_write_to_it(api, cast):
    full = f"{cast.anna.uid}@{cast.bob.uid}"
    assert cast.anna.say(full, b"question", 11).reason == 1
    assert cast.bob.say(full, b"answer", 11).reason == 1
    assert cast.stranger.say(full, b"me too", 11).reason == NOT_PARTICIPANT
    api.send(b"from the back end", cast.bob.uid, 11, from_uid=cast.anna.uid)
    assert [m["plain"] for m in api.history(cast.anna.uid, cast.bob.uid, 11)] == [b"question", b"answer", b"from the back end"]


def test_the_visitor_may_write_whatever_the_lists_say(api, cast):
    visitor = cast.anna
    api.group(visitor.uid, cast.bob.uid, channel_type=10)
    api.edit_list("blacklist_add", visitor.uid, visitor.uid, channel_type=10)
    assert visitor.say(visitor.uid, b"help", 10).reason == 1
    api.edit_list("blacklist_add", visitor.uid, cast.bob.uid, channel_type=10)
    assert cast.bob.say(visitor.uid, b"no", 10).reason == DENIED


@pytest.mark.parametrize("channel_type", [3, 6])
def test_lists_do_not_stop_anybody_where_anybody_may_write(api, cast, name, channel_type):
    place = api.group(name("place"), cast.bob.uid, channel_type=channel_type)
    api.edit_list("blacklist_add", place, cast.anna.uid, channel_type=channel_type)
    api.edit_list("whitelist_add", place, cast.bob.uid, channel_type=channel_type)
    assert cast.anna.say(place, b"x", channel_type).reason == 1
    assert cast.bob.receive().plain == b"x"


def test_the_command_of_a_visitor_reaches_him_too(api, cast, name):
    shop = f"{cast.anna.uid}|{name('shop')}"
    api.group(shop, cast.bob.uid, channel_type=3)
    api.send(b"look", shop, 3, header={"sync_once": 1})
    for listener in (cast.anna, cast.bob):
        assert listener.receive().plain == b"look"


@pytest.mark.jingu_only(reason="the reference does not look at the id")
@pytest.mark.parametrize("channel_id, channel_type", [("g____cmd", 2), ("a@b", 2), ("a#b", 4), ("a&b", 9), ("a@b", 1), ("a@b@c", 11)])
def test_an_id_that_is_none_is_told(cast, channel_id, channel_type):
    assert cast.anna.say(channel_id, b"x", channel_type).reason == CHANNEL_ID


def test_a_topic_may_be_named_after_its_parent(cast, name):
    """The API gives nobody such a topic, so nobody is in it."""
    assert cast.anna.say(f"{name('parent')}@topic", b"x", 5).reason == NOT_SUBSCRIBED


# ---- Lists. --------------------------------------------------------------------------------------------------------------


def test_removing_everybody_leaves_the_conversations(api, cast, name):
    place, _ = place_of(api, cast, name, 2)
    cast.anna.tell(place, b"x", 2)
    assert eventually(lambda: api.conversation(cast.bob.uid, place))["unread"] == 1
    api.post("/channel/subscriber_remove_all", {"channel_id": place, "channel_type": 2}).ok()
    assert cast.anna.say(place, b"x", 2).reason == NOT_SUBSCRIBED
    assert api.conversation(cast.bob.uid, place)["unread"] == 1


def test_adding_who_is_there_already_marks_everything_read(api, cast, name):
    place, _ = place_of(api, cast, name, 2)
    cast.anna.tell(place, b"x", 2)
    assert eventually(lambda: api.conversation(cast.bob.uid, place))["unread"] == 1
    api.subscribe(place, cast.bob.uid)
    cast.anna.tell(place, b"y", 2)
    assert eventually(lambda: api.conversation(cast.bob.uid, place))["unread"] == 1


def test_an_allow_list_is_no_membership(api, cast, name):
    place, _ = place_of(api, cast, name, 2)
    api.edit_list("whitelist_set", place, cast.anna.uid, cast.stranger.uid)
    assert cast.stranger.say(place, b"x", 2).reason == NOT_SUBSCRIBED
    assert cast.bob.say(place, b"x", 2).reason == NOT_ALLOWED
    api.edit_list("whitelist_set", place)
    assert cast.bob.say(place, b"x", 2).reason == 1


def test_everything_may_be_done_again(api, cast, name):
    """Each change is true for the next message, however often it changes."""
    place, _ = place_of(api, cast, name, 2)
    for _ in range(5):
        api.edit_list("blacklist_add", place, cast.anna.uid)
        assert cast.anna.say(place, b"x", 2).reason == DENIED
        api.edit_list("blacklist_set", place)
        assert cast.anna.say(place, b"x", 2).reason == 1
        api.unsubscribe(place, cast.anna.uid)
        assert cast.anna.say(place, b"x", 2).reason == NOT_SUBSCRIBED
        api.subscribe(place, cast.anna.uid)
        assert cast.anna.say(place, b"x", 2).reason == 1
    assert [cast.bob.receive().message_seq for _ in range(10)] == list(range(1, 11))
    cast.bob.ping()
    assert not cast.bob.pending(Kind.RECV)


def test_what_is_known_of_many_senders_is_forgotten_with_each_change(api, cast, login, name):
    place, _ = place_of(api, cast, name, 2)
    people = [cast.anna, cast.bob, *(login(name(f"member{i}")) for i in range(3))]
    api.subscribe(place, *(one.uid for one in people))

    def reasons():
        return [one.say(place, b"x", 2, flags=Flag.NO_PERSIST).reason for one in people]

    def all_but(index, reason):
        return [reason if i == index else 1 for i in range(len(people))]

    for index, one in enumerate(people):
        assert reasons() == all_but(None, 1)
        api.edit_list("blacklist_add", place, one.uid)
        assert reasons() == all_but(index, DENIED)
        api.edit_list("blacklist_remove", place, one.uid)
        assert reasons() == all_but(None, 1)
        api.unsubscribe(place, one.uid)
        assert reasons() == all_but(index, NOT_SUBSCRIBED)
        api.subscribe(place, one.uid)


# ---- Lists of people that are no channel. --------------------------------------------------------------------------------


def active_channels(api):
    lines = api.get("/metrics").text.splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith("jingu_channels_active "))


@pytest.mark.slow
@pytest.mark.jingu_only(reason="the reference keeps every list for 20 to 40 minutes")
def test_ten_thousand_lists_of_people_leave_nothing_behind(api, cast, name):
    listeners = [cast.anna.uid, cast.bob.uid]
    command = {"payload": "eA==", "header": {"sync_once": 1, "no_persist": 1}}
    api.post("/message/send", command | {"subscribers": listeners}).ok()
    before = active_channels(api)
    for i in range(10000):
        api.post("/message/send", command | {"subscribers": [cast.anna.uid, f"{name('nobody')}n{i}"]}).ok()
        cast.anna.receive()  # who does not read loses what is not stored
        if i % 1000 == 0:
            cast.bob.ping()  # a slow machine takes longer than a silent session lives
    eventually(lambda: active_channels(api) <= before)
    cast.anna.receive()
    cast.bob.receive()
    cast.bob.ping()
    assert not cast.bob.pending(Kind.RECV)
