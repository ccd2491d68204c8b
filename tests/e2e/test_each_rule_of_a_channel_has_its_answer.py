"""The rules of semantics 2 that are the same for many types, played for each of them: lists, flags, the back end, system accounts,
and who gets a conversation. What is special to one type is in the tests of types and of a channel's life."""

import hashlib
import itertools
import zlib

import pytest

from harness.api import Api
from harness.packets import Kind
from harness.waiting import eventually

SUCCESS, NOT_SUBSCRIBED, DENIED, NOT_ALLOWED, BANNED, DISBANDED, MUTED = 1, 3, 4, 13, 19, 24, 25

COMMON = [2, 4, 5, 7, 9, 12, 77]  # membership and lists decide
WITHOUT_BAN = [3, 6, 10, 11]


def place_of(api, cast, name, channel_type):
    """A channel with anna and bob in it: what clients call it, and the id of its record."""
    if channel_type == 1:
        return cast.bob.uid, cast.bob.uid
    if channel_type == 10:
        place = api.group(name("visitor"), cast.anna.uid, cast.bob.uid, channel_type=10)
        return place, place
    if channel_type == 11:
        return cast.bob.uid, f"{cast.anna.uid}@{cast.bob.uid}"
    place = api.group(name("place"), cast.anna.uid, cast.bob.uid, channel_type=channel_type)
    return place, place


def fnv1a64(text: str) -> int:
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return value


def rows(api, uid):
    """The conversations of a user, as (channel id, type)."""
    return sorted((row["channel_id"], row["channel_type"]) for row in api.post("/conversation/channels", {"uid": uid}).bare())


# ---- Lists. --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel_type", [*COMMON, 10])
def test_lists_decide_and_deny_comes_before_membership_and_that_before_the_allow_list(api, cast, name, channel_type):
    place, _ = place_of(api, cast, name, channel_type)
    anna, stranger = cast.anna, cast.stranger

    def reasons():
        return anna.say(place, b"x", channel_type).reason, stranger.say(place, b"x", channel_type).reason

    def edit(which, *clients):
        api.edit_list(which, place, *(client.uid for client in clients), channel_type=channel_type)

    assert reasons() == (SUCCESS, NOT_SUBSCRIBED)
    edit("whitelist_add", cast.bob, stranger)
    assert reasons() == (NOT_ALLOWED, NOT_SUBSCRIBED), "to be allowed is no membership"
    edit("whitelist_add", anna)
    assert reasons() == (SUCCESS, NOT_SUBSCRIBED)
    edit("blacklist_add", anna, stranger)
    assert reasons() == (DENIED, DENIED), "to be allowed and a member does not help"
    edit("blacklist_remove", anna, stranger)
    assert reasons() == (SUCCESS, NOT_SUBSCRIBED)
    api.unsubscribe(place, anna.uid, channel_type=channel_type)
    assert reasons() == (NOT_SUBSCRIBED, NOT_SUBSCRIBED), "to be allowed is not enough"


@pytest.mark.parametrize("channel_type", [*COMMON, 10])
def test_a_member_who_is_denied_or_not_allowed_goes_on_hearing(api, cast, name, channel_type):
    place, _ = place_of(api, cast, name, channel_type)
    api.edit_list("blacklist_add", place, cast.bob.uid, channel_type=channel_type)
    api.edit_list("whitelist_add", place, cast.anna.uid, channel_type=channel_type)
    cast.anna.tell(place, b"still yours", channel_type)
    assert cast.bob.receive().plain == b"still yours"


# ---- System accounts and the back end. -----------------------------------------------------------------------------------


@pytest.mark.parametrize("channel_type", [1, 3, 6, 10, *COMMON])
def test_a_system_account_is_stopped_by_no_list(api, cast, officer, name, channel_type):
    place, record = place_of(api, cast, name, channel_type)
    api.edit_list("blacklist_add", record, officer.uid, channel_type=channel_type)
    api.edit_list("whitelist_add", record, cast.anna.uid, channel_type=channel_type)
    assert officer.say(place, b"order", channel_type).reason == SUCCESS
    assert cast.bob.receive().plain == b"order"


@pytest.mark.jingu_only(reason="the reference does not know the full id over the socket")
def test_a_system_account_may_write_between_a_user_and_an_agent(cast, officer):
    full = f"{cast.anna.uid}@{cast.bob.uid}"
    assert officer.say(full, b"order", 11).reason == SUCCESS
    assert (cast.anna.receive().plain, cast.bob.receive().plain) == (b"order", b"order")


@pytest.mark.jingu_only(reason="the reference answers before it has looked")
@pytest.mark.parametrize("channel_type", [1, *COMMON, *WITHOUT_BAN])
def test_the_back_end_is_told_which_flag_stopped_its_message(api, cast, officer, name, channel_type):
    place, record = place_of(api, cast, name, channel_type)
    senders = [cast.anna.uid] if channel_type == 11 else [cast.anna.uid, officer.uid, cast.stranger.uid]

    def answers():
        return {api.post("/message/send", {"from_uid": sender, "channel_id": place, "channel_type": channel_type,
                                           "payload": "eA=="}).body["status"] for sender in senders}

    heard = 0
    for flags, reason in [({}, 200), ({"ban": 1}, BANNED), ({"disband": 1}, DISBANDED), ({"send_ban": 1}, 200), ({}, 200)]:
        api.info(record, channel_type, **flags)
        if channel_type == 1 or (reason == BANNED and channel_type in WITHOUT_BAN):
            reason = 200  # the record of a person is no channel's
        assert answers() == {reason}, flags
        heard += len(senders) if reason == 200 else 0
    assert [cast.bob.receive().plain for _ in range(heard)] == [b"x"] * heard
    cast.bob.ping()
    assert not cast.bob.pending(Kind.RECV)


@pytest.mark.parametrize("channel_type", [1, *COMMON, 10])
def test_the_back_end_is_stopped_by_no_list(api, cast, name, channel_type):
    place, record = place_of(api, cast, name, channel_type)
    api.edit_list("blacklist_add", record, cast.stranger.uid, channel_type=channel_type)
    api.edit_list("whitelist_add", record, cast.anna.uid, channel_type=channel_type)
    api.send(b"for a stranger", place, channel_type, from_uid=cast.stranger.uid)
    assert cast.bob.receive().plain == b"for a stranger"


@pytest.mark.parametrize("channel_type", [0, 8])
def test_a_client_is_no_member_of_what_has_no_list(api, cast, name, channel_type):
    if channel_type == 8:
        api.post("/tmpchannel/subscriber_set", {"channel_id": name("place"), "uids": [cast.bob.uid]}).ok()
    assert cast.anna.say(name("place"), b"hi", channel_type).reason == NOT_SUBSCRIBED
    cast.bob.ping()
    assert not cast.bob.pending(Kind.RECV)


# ---- What is on its way when a rule changes. -----------------------------------------------------------------------------


def obstacles(api, group, uid):
    """For each obstacle: what puts it there, what takes it away, and its reason."""
    return {
        "ban": (lambda: api.info(group, 2, ban=1), lambda: api.info(group, 2), BANNED),
        "disband": (lambda: api.post("/channel/delete", {"channel_id": group, "channel_type": 2}).ok(),
                    lambda: api.channel(group, 2), DISBANDED),
        "denied": (lambda: api.edit_list("blacklist_add", group, uid), lambda: api.edit_list("blacklist_remove", group, uid), DENIED),
        "left": (lambda: api.unsubscribe(group, uid), lambda: api.subscribe(group, uid), NOT_SUBSCRIBED),
        "not allowed": (lambda: api.edit_list("whitelist_add", group, "somebody"),
                        lambda: api.edit_list("whitelist_set", group), NOT_ALLOWED),
        "muted": (lambda: api.info(uid, 1, send_ban=1), lambda: api.info(uid, 1), MUTED),
    }


@pytest.mark.parametrize("obstacle", ["ban", "disband", "denied", "left", "not allowed", "muted"])
def test_messages_on_their_way_meet_a_rule_before_or_after_it_changes_and_none_twice(api, cast, name, obstacle):
    """A burst is written before the change, one behind it, one behind its end: each message has one answer, those behind the change
    know it, and what was taken is what is stored and heard."""
    anna, bob = cast.anna, cast.bob
    group = api.group(name("group"), anna.uid, bob.uid)
    put, take, reason = obstacles(api, group, anna.uid)[obstacle]
    anna.tell(group, b"first", 2)

    def burst(word):
        sends = [anna.prepare(group, b"%s%d" % (word, i), 2) for i in range(60)]
        anna.write(*sends)
        return sends

    before = burst(b"before")
    put()
    behind = burst(b"behind")
    asked = {send.client_seq: anna.sendack(send) for send in [*before, *behind]}
    take()
    after = burst(b"after")
    asked |= {send.client_seq: anna.sendack(send) for send in after}

    assert {asked[send.client_seq].reason for send in before} <= {SUCCESS, reason}
    assert {asked[send.client_seq].reason for send in behind} == {reason}
    assert {asked[send.client_seq].reason for send in after} == {SUCCESS}
    seqs = [asked[send.client_seq].message_seq for send in [*before, *after] if asked[send.client_seq].reason == SUCCESS]
    assert seqs == list(range(2, 2 + len(seqs))), "in the order they were written, without a gap"
    taken = [b"first", *(send.plain for send in before if asked[send.client_seq].reason == SUCCESS),
             *(b"after%d" % i for i in range(60))]
    assert [message["plain"] for message in api.history(bob.uid, group, 2)] == taken
    assert [bob.receive().plain for _ in taken] == taken
    bob.ping()
    assert not bob.pending(Kind.RECV)


# ---- Conversations. ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel_type", [2, 3, 4, 5, 6, 7, 10, 12])
def test_who_is_added_has_the_conversation_before_anybody_writes(api, cast, name, channel_type):
    place, _ = place_of(api, cast, name, channel_type)
    assert rows(api, cast.anna.uid) == rows(api, cast.bob.uid) == [(place, channel_type)]


def test_the_first_message_to_customer_service_makes_the_conversation_of_the_visitor(api, cast, name):
    visitor = cast.stranger
    shop = api.group(f"{visitor.uid}|{name('shop')}", cast.anna.uid, channel_type=3)
    assert rows(api, visitor.uid) == []
    cast.anna.tell(shop, b"can I help?", 3)
    assert eventually(lambda: api.conversation(visitor.uid, shop))["unread"] == 1
    visitor.tell(shop, b"yes", 3)
    assert eventually(lambda: api.conversation(cast.anna.uid, shop)["unread"] == 1)
    assert api.conversation(visitor.uid, shop)["unread"] == 0


def test_the_visitor_of_a_visitors_channel_has_its_conversation_when_he_is_on_its_list(api, cast, name):
    place, _ = place_of(api, cast, name, 10)
    cast.anna.tell(place, b"anybody there?", 10)
    assert eventually(lambda: api.conversation(cast.bob.uid, place))["unread"] == 1
    assert rows(api, place) == []
    api.subscribe(place, place, channel_type=10)
    assert rows(api, place) == [(place, 10)]


@pytest.mark.parametrize("channel_type", [9, 11])
def test_live_channels_and_agents_make_no_conversation_whatever_is_done(api, cast, name, channel_type):
    place, record = place_of(api, cast, name, channel_type)
    cast.anna.tell(place, b"x", channel_type)
    assert cast.bob.receive().plain == b"x"
    if channel_type == 9:
        for which in ("blacklist_add", "blacklist_remove", "whitelist_add"):
            api.edit_list(which, record, cast.bob.uid, channel_type=channel_type)
        api.subscribe(record, cast.bob.uid, channel_type=channel_type)
    assert rows(api, cast.anna.uid) == rows(api, cast.bob.uid) == []


def test_who_is_removed_by_a_reset_keeps_the_conversation_and_who_leaves_does_not(api, cast, name):
    place, _ = place_of(api, cast, name, 2)
    api.subscribe(place, cast.bob.uid, reset=1)
    assert rows(api, cast.anna.uid) == [(place, 2)]
    api.unsubscribe(place, cast.bob.uid)
    assert rows(api, cast.bob.uid) == []


def test_a_deleted_channel_keeps_its_members_lists_and_conversations(api, cast, name):
    place, _ = place_of(api, cast, name, 2)
    cast.anna.tell(place, b"x", 2)
    api.edit_list("whitelist_add", place, cast.bob.uid)
    api.post("/channel/delete", {"channel_id": place, "channel_type": 2}).ok()
    assert sorted(api.get(f"/cluster/channels/{place}/2/subscribers").bare()) == sorted([cast.anna.uid, cast.bob.uid])
    assert api.get(f"/cluster/channels/{place}/2/allowlist").bare() == [cast.bob.uid]
    assert eventually(lambda: api.conversation(cast.bob.uid, place))["unread"] == 1
    api.channel(place, 2)
    assert (cast.anna.say(place, b"x", 2).reason, cast.bob.say(place, b"x", 2).reason) == (NOT_ALLOWED, SUCCESS)


@pytest.mark.jingu_only(reason="the reference starts him at 0, and makes one of a person that means nothing")
def test_who_is_pardoned_has_the_conversation_from_then_on_and_a_person_gives_none(api, cast, name):
    place, _ = place_of(api, cast, name, 2)
    cast.anna.tell(place, b"x", 2)
    api.edit_list("blacklist_remove", place, cast.stranger.uid)
    assert rows(api, cast.stranger.uid) == [(place, 2)]
    assert api.conversation(cast.stranger.uid, place)["unread"] == 0
    api.edit_list("blacklist_add", cast.anna.uid, cast.bob.uid, channel_type=1)
    api.edit_list("blacklist_remove", cast.anna.uid, cast.bob.uid, channel_type=1)
    assert rows(api, cast.bob.uid) == [(place, 2)]


def test_who_is_pardoned_and_has_a_conversation_keeps_what_is_unread(api, cast, name):
    place, _ = place_of(api, cast, name, 2)
    cast.anna.tell(place, b"x", 2)
    api.edit_list("blacklist_remove", place, cast.bob.uid)
    assert eventually(lambda: api.conversation(cast.bob.uid, place))["unread"] == 1


def test_where_allow_lists_of_persons_are_enforced_no_message_makes_a_conversation(strict_server, login, name):
    strict = Api(strict_server)
    anna, bob = login(name("anna"), strict_server), login(name("bob"), strict_server)
    strict.edit_list("whitelist_set", bob.uid, anna.uid, channel_type=1)
    anna.tell(bob.uid, b"x")
    assert bob.receive().plain == b"x"
    assert rows(strict, anna.uid) == rows(strict, bob.uid) == []


@pytest.mark.parametrize("which, makes", [("whitelist_add", True), ("whitelist_set", False)])
def test_who_is_added_to_a_persons_allow_list_has_the_conversation_and_whose_list_it_is_has_none(api, cast, which, makes):
    api.edit_list(which, cast.bob.uid, cast.anna.uid, channel_type=1)
    assert [channel_type for _, channel_type in rows(api, cast.anna.uid)] == [1] * makes
    assert rows(api, cast.bob.uid) == []


# ---- Names. --------------------------------------------------------------------------------------------------------------


@pytest.mark.jingu_only(reason="two logs there, by who asks first")
def test_two_people_whose_names_have_the_same_hash_have_one_log(api, login, name):
    seen: dict[int, str] = {}  # about 80,000 of random names, until two meet
    for i in itertools.count():
        uid = name("twin") + hashlib.sha256(b"%d" % i).hexdigest()[:16]
        twin = seen.setdefault(zlib.crc32(uid.encode()), uid)
        if twin != uid:
            break
    first, second = login(twin), login(uid)
    assert (first.tell(uid, b"from the first").message_seq, second.tell(twin, b"from the second").message_seq) == (1, 2)
    assert (second.receive().plain, first.receive().plain) == (b"from the first", b"from the second")
    for one, other in [(twin, uid), (uid, twin)]:
        assert [message["plain"] for message in api.history(one, other)] == [b"from the first", b"from the second"]
        assert rows(api, one) == [("@".join(sorted([twin, uid], reverse=True)), 1)]


@pytest.mark.jingu_only(reason="the reference makes another log of another order")
def test_the_same_people_are_the_same_list_in_whatever_order(api, cast):
    people = [cast.anna.uid, cast.bob.uid, cast.stranger.uid]
    for order in (people, people[::-1], [people[1], people[0], people[2]]):
        api.send(b"x", subscribers=order, header={"sync_once": 1})
    told = [cast.bob.receive() for _ in range(3)]
    assert [message.message_seq for message in told] == [1, 2, 3]
    assert {message.channel_id for message in told} == {str(fnv1a64(",".join(sorted(people))))}
    api.send(b"x", subscribers=people[:2], header={"sync_once": 1})
    other = cast.bob.receive()
    assert (other.message_seq, other.channel_id) == (1, str(fnv1a64(",".join(sorted(people[:2]))))), "others have another one"
    for uid in people:
        assert rows(api, uid) == []


@pytest.mark.parametrize("no_persist", [0, 1])
def test_who_is_named_twice_hears_once(api, cast, no_persist):
    api.send(b"x", subscribers=[cast.bob.uid, cast.anna.uid, cast.bob.uid], header={"sync_once": 1, "no_persist": no_persist})
    assert cast.bob.receive().plain == b"x"
    cast.bob.ping()
    assert not cast.bob.pending(Kind.RECV)
