"""Who may send, who hears, who gets a conversation, for each type of semantics 2.1."""

import pytest

from harness.packets import Kind
from harness.waiting import eventually

NOT_SUBSCRIBED, DISBANDED = 3, 24

COMMON = [2, 4, 7, 9, 12, 77]
FREE = [3, 6]


@pytest.mark.parametrize("channel_type", COMMON)
def test_common_types_hear_and_speak_by_membership(api, cast, name, channel_type):
    place = api.group(name("place"), cast.anna.uid, cast.bob.uid, channel_type=channel_type)
    assert cast.anna.tell(place, b"hi", channel_type).message_seq == 1
    message = cast.bob.receive()
    assert (message.plain, message.channel_id, message.channel_type) == (b"hi", place, channel_type)
    assert cast.stranger.say(place, b"hi", channel_type).reason == NOT_SUBSCRIBED


@pytest.mark.parametrize("channel_type", FREE)
def test_anybody_may_write_to_customer_service_and_info(api, cast, name, channel_type):
    place = api.group(name("place"), cast.anna.uid, channel_type=channel_type)
    assert cast.stranger.tell(place, b"a question", channel_type).message_seq == 1
    assert cast.anna.receive().plain == b"a question"


def test_a_visitor_hears_its_customer_service_channel_without_being_subscribed(api, cast, name):
    place = f"{cast.stranger.uid}|{name('shop')}"
    api.group(place, cast.anna.uid, channel_type=3)
    cast.anna.tell(place, b"how can I help?", 3)
    message = cast.stranger.receive()
    assert (message.plain, message.channel_id) == (b"how can I help?", place)
    cast.stranger.tell(place, b"thanks", 3)
    assert cast.anna.receive().plain == b"thanks"


def test_a_visitor_and_staff_share_the_visitors_channel(api, cast):
    visitor, staff = cast.stranger, cast.anna
    api.group(visitor.uid, staff.uid, channel_type=10)
    visitor.tell(visitor.uid, b"anybody there?", 10)
    assert staff.receive().plain == b"anybody there?"
    staff.tell(visitor.uid, b"yes", 10)
    assert visitor.receive().plain == b"yes"
    assert cast.bob.say(visitor.uid, b"me too", 10).reason == NOT_SUBSCRIBED


@pytest.mark.parametrize("channel_type", [3, 10])
def test_a_visitor_who_is_on_the_list_as_well_hears_once(api, cast, name, channel_type):
    visitor, staff = cast.stranger, cast.anna
    place = f"{visitor.uid}|{name('shop')}" if channel_type == 3 else visitor.uid
    api.group(place, staff.uid, visitor.uid, channel_type=channel_type)
    staff.tell(place, b"how can I help?", channel_type)
    assert visitor.receive().plain == b"how can I help?"
    visitor.ping()
    assert not visitor.pending(Kind.RECV)


def test_a_user_and_an_agent_talk(api, cast):
    user, agent = cast.anna, cast.bob
    assert user.tell(agent.uid, b"question", 11).message_seq == 1
    message = agent.receive()
    assert (message.plain, message.from_uid, message.channel_type) == (b"question", user.uid, 11)
    assert message.channel_id == agent.uid, "agent channels are not rewritten"


@pytest.mark.jingu_only(reason="the reference does not know the full id over the socket")
def test_an_agents_answer_under_the_full_id_is_in_the_same_log(cast):
    user, agent = cast.anna, cast.bob
    full = f"{user.uid}@{agent.uid}"
    user.tell(agent.uid, b"question", 11)
    assert agent.receive().plain == b"question"
    assert agent.tell(full, b"answer", 11).message_seq == 2
    assert user.receive().plain == b"answer"
    assert user.tell(full, b"thanks", 11).message_seq == 3
    assert agent.receive().plain == b"thanks"
    assert cast.stranger.say(full, b"me too", 11).reason != 1


def test_a_community_topic_hears_by_its_own_list(api, cast, name):
    """The usual id form parent@topic cannot be given to the API; other ids can."""
    topic = api.group(name("topic"), cast.anna.uid, cast.bob.uid, channel_type=5)
    cast.anna.tell(topic, b"hi", 5)
    assert cast.bob.receive().plain == b"hi"


@pytest.mark.parametrize("channel_type", [2, 4, 6, 7, 12])
def test_members_have_a_conversation(api, cast, name, channel_type):
    place = api.group(name("place"), cast.anna.uid, cast.bob.uid, channel_type=channel_type)
    cast.anna.tell(place, b"hi", channel_type)
    conversation = eventually(lambda: api.conversation(cast.bob.uid, place))
    assert (conversation["unread"], conversation["channel_type"], conversation["last_msg_seq"]) == (1, channel_type, 1)


def test_a_live_channel_makes_no_conversation(api, cast, name):
    place = api.group(name("place"), cast.anna.uid, cast.bob.uid, channel_type=9)
    cast.anna.tell(place, b"hi", 9)
    cast.anna.tell(cast.bob.uid, b"end")
    eventually(lambda: api.conversation(cast.bob.uid, cast.anna.uid))
    assert api.conversation(cast.bob.uid, place) is None
    assert len(api.history(cast.bob.uid, place, 9)) == 1


def test_a_first_person_message_makes_a_conversation_for_both(api, cast):
    cast.anna.tell(cast.bob.uid, b"hi")
    theirs = eventually(lambda: api.conversation(cast.bob.uid, cast.anna.uid))
    mine = eventually(lambda: api.conversation(cast.anna.uid, cast.bob.uid))
    assert (theirs["unread"], mine["unread"]) == (1, 0)


@pytest.mark.jingu_only(reason="the reference does not look at disband for these types")
@pytest.mark.parametrize("channel_type", [3, 6])
def test_a_disbanded_channel_is_silent_whatever_its_type(api, cast, name, channel_type):
    place = api.group(name("place"), cast.anna.uid, cast.bob.uid, channel_type=channel_type)
    api.post("/channel/delete", {"channel_id": place, "channel_type": channel_type}).ok()
    assert cast.anna.say(place, b"hi", channel_type).reason == DISBANDED


@pytest.mark.parametrize("channel_type", [0, 8])
def test_types_no_client_may_use_are_answered(cast, name, channel_type):
    assert cast.anna.say(name("place"), b"hi", channel_type).reason != 0
    cast.anna.ping()
    assert not cast.bob.pending(Kind.RECV)
