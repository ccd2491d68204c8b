"""Reason codes of SENDACK, each alone and in the order in which they win (semantics 2.6)."""

import pytest

from harness.packets import SETTING_STREAM, SETTING_TOPIC, Flag, Kind
from harness.security import send_sign

NOT_SUBSCRIBED, DENIED, BAD_PAYLOAD, NOT_ALLOWED, BANNED, DISBANDED, MUTED = 3, 4, 9, 13, 19, 24, 25


@pytest.fixture
def stage(api, login, name):
    """A group with anna and bob in it."""
    class Stage:
        anna, bob = login(name("anna")), login(name("bob"))
        group = api.group(name("group"), anna.uid, bob.uid)

        def set(self, **flags):
            api.info(self.group, 2, **flags)

        def say(self, who=None, **options):
            return (who or self.anna).say(self.group, b"may I?", 2, **options)

    return Stage()


def tampered(client, channel_id, channel_type):
    packet = client.prepare(channel_id, b"x", channel_type, message_key="0" * 32)
    client.write(packet)
    return client.sendack(packet).reason


def test_a_member_may_speak(stage):
    assert stage.say().reason == 1


def test_a_stranger_may_not(stage, login, name):
    assert stage.say(login(name("stranger"))).reason == NOT_SUBSCRIBED


def test_nobody_may_speak_in_a_group_that_does_not_exist(login, name):
    assert login(name("anna")).say(name("nowhere"), channel_type=2).reason == NOT_SUBSCRIBED


def test_a_denied_member_may_not(api, stage):
    api.edit_list("blacklist_add", stage.group, stage.anna.uid)
    assert stage.say().reason == DENIED
    api.edit_list("blacklist_remove", stage.group, stage.anna.uid)
    assert stage.say().reason == 1


def test_once_there_is_an_allow_list_only_those_on_it_may(api, stage):
    api.edit_list("whitelist_add", stage.group, stage.bob.uid)
    assert stage.say().reason == NOT_ALLOWED
    assert stage.say(stage.bob).reason == 1


@pytest.mark.jingu_only(reason="the reference remembers that there was a list after its last entry is gone")
def test_an_empty_allow_list_is_none(api, stage):
    api.edit_list("whitelist_add", stage.group, stage.bob.uid)
    assert stage.say().reason == NOT_ALLOWED
    api.edit_list("whitelist_remove", stage.group, stage.bob.uid)
    assert stage.say().reason == 1


def test_a_banned_channel_is_silent_until_the_ban_ends(stage):
    stage.set(ban=1)
    assert stage.say().reason == BANNED
    stage.set(ban=0)
    assert stage.say().reason == 1


def test_a_disbanded_channel_is_silent_until_it_is_written_again(api, stage):
    api.post("/channel/delete", {"channel_id": stage.group, "channel_type": 2}).ok()
    assert stage.say().reason == DISBANDED
    api.channel(stage.group, 2)
    assert stage.say().reason == 1


def test_a_muted_user_may_say_nothing_anywhere_but_hears_everything(api, stage):
    api.info(stage.anna.uid, 1, send_ban=1)
    assert stage.say().reason == MUTED
    assert stage.anna.say(stage.bob.uid).reason == MUTED
    assert stage.say(stage.bob).reason == 1
    assert stage.anna.receive().plain == b"may I?"
    api.info(stage.anna.uid, 1, send_ban=0)
    assert stage.say().reason == 1


def test_a_person_may_deny_a_person(api, login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    api.edit_list("blacklist_add", bob.uid, anna.uid, channel_type=1)
    assert anna.say(bob.uid).reason == DENIED
    assert bob.say(anna.uid).reason == 1, "only the owner of the list is protected"
    api.edit_list("blacklist_remove", bob.uid, anna.uid, channel_type=1)
    assert anna.say(bob.uid).reason == 1


def test_persons_need_no_allow_list_by_default(api, login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    api.edit_list("whitelist_add", bob.uid, name("somebody"), channel_type=1)
    assert anna.say(bob.uid).reason == 1


def test_where_allow_lists_of_persons_are_enforced_only_friends_may_write(strict_server, login, name):
    from harness.api import Api
    api = Api(strict_server)
    anna, bob = login(name("anna"), strict_server), login(name("bob"), strict_server)
    assert anna.say(bob.uid).reason == NOT_ALLOWED
    api.edit_list("whitelist_add", bob.uid, anna.uid, channel_type=1)
    assert anna.say(bob.uid).reason == 1
    assert bob.say(anna.uid).reason == NOT_ALLOWED
    api.edit_list("blacklist_add", bob.uid, anna.uid, channel_type=1)
    assert anna.say(bob.uid).reason == DENIED, "deny beats allow"


class TestWhatComesFirstWins:
    """Each test sets two obstacles; the earlier check of 2.6 must be the one that answers."""

    def test_mute_before_a_bad_payload(self, api, stage):
        api.info(stage.anna.uid, 1, send_ban=1)
        assert tampered(stage.anna, stage.group, 2) == MUTED

    @pytest.mark.jingu_only(reason="the reference does not look at the id")
    def test_mute_before_an_id_that_is_none(self, api, stage):
        api.info(stage.anna.uid, 1, send_ban=1)
        assert stage.anna.say("a@b", channel_type=2).reason == MUTED

    def test_a_bad_payload_before_the_ban(self, stage):
        stage.set(ban=1)
        assert tampered(stage.anna, stage.group, 2) == BAD_PAYLOAD

    def test_mute_before_the_ban(self, api, stage):
        stage.set(ban=1)
        api.info(stage.anna.uid, 1, send_ban=1)
        assert stage.say().reason == MUTED

    def test_the_ban_before_the_disband(self, stage):
        stage.set(ban=1, disband=1)
        assert stage.say().reason == BANNED

    def test_the_disband_before_the_deny_list(self, api, stage):
        api.edit_list("blacklist_add", stage.group, stage.anna.uid)
        stage.set(disband=1)
        assert stage.say().reason == DISBANDED

    def test_the_ban_before_membership(self, stage, login, name):
        stage.set(ban=1)
        assert stage.say(login(name("stranger"))).reason == BANNED

    def test_the_deny_list_before_membership(self, api, stage, login, name):
        stranger = login(name("stranger"))
        api.edit_list("blacklist_add", stage.group, stranger.uid)
        assert stage.say(stranger).reason == DENIED

    def test_the_deny_list_before_the_allow_list(self, api, stage):
        api.edit_list("whitelist_add", stage.group, stage.anna.uid)
        api.edit_list("blacklist_add", stage.group, stage.anna.uid)
        assert stage.say().reason == DENIED

    def test_membership_before_the_allow_list(self, api, stage, login, name):
        stranger = login(name("stranger"))
        api.edit_list("whitelist_add", stage.group, stranger.uid)
        assert stage.say(stranger).reason == NOT_SUBSCRIBED


class TestWhatIsNoMessage:
    """Reason 9: nothing of it is stored or heard, and the next one is taken."""

    def refuse(self, api, anna, bob, packet):
        anna.write(packet)
        refused = anna.sendack(packet)
        assert (refused.reason, refused.message_seq) == (BAD_PAYLOAD, 0)
        assert anna.tell(bob.uid, b"end").message_seq == 1
        assert bob.receive().plain == b"end"
        assert [message["plain"] for message in api.history(bob.uid, anna.uid)] == [b"end"]

    @pytest.mark.parametrize("size", [5, 5000])  # of the larger one the key is made in another way
    @pytest.mark.parametrize("key", ["0" * 32, "short", ""])
    def test_whose_key_is_wrong(self, api, cast, size, key):
        self.refuse(api, cast.anna, cast.bob, cast.anna.prepare(cast.bob.uid, b"x" * size, message_key=key))

    @pytest.mark.jingu_only(reason="the reference does not answer it")
    @pytest.mark.parametrize("size", [5, 5000])
    def test_that_cannot_be_decrypted(self, api, cast, size):
        packet = cast.anna.prepare(cast.bob.uid)
        packet.payload = b"!" * size
        packet.message_key = cast.anna.cipherer.message_key(send_sign(packet))
        self.refuse(api, cast.anna, cast.bob, packet)

    @pytest.mark.jingu_only(reason="the reference stores it")
    @pytest.mark.parametrize("value", ["n" * 513, "\udcff"], ids=["too long", "no text"])
    @pytest.mark.parametrize("field, setting", [("client_msg_no", 0), ("topic", SETTING_TOPIC), ("stream_no", SETTING_STREAM)])
    def test_with_a_name_in_it_that_is_none(self, api, login, name, field, setting, value):
        anna, bob = login(name("anna"), version=4), login(name("bob"))
        packet = anna.prepare(bob.uid, setting=setting, **{field: value})
        self.refuse(api, anna, bob, packet)
        assert anna.say(bob.uid, setting=setting, **{field: "n" * 512}).reason == 1


@pytest.mark.parametrize("obstacle", [dict(ban=1), dict(disband=1)])
def test_what_is_refused_leaves_no_trace(api, stage, obstacle):
    assert stage.say().message_seq == 1
    stage.bob.receive()
    stage.set(**obstacle)
    refused = stage.say()
    assert (refused.message_seq, refused.message_id > 0) == (0, True)
    stage.set()
    assert stage.say().message_seq == 2, "a refusal uses up no sequence number"
    assert stage.bob.receive().message_seq == 2
    assert len(api.history(stage.bob.uid, stage.group, 2)) == 2


def test_permission_is_asked_for_messages_that_are_not_stored_too(stage, login, name):
    assert stage.say(login(name("stranger")), flags=Flag.NO_PERSIST).reason == NOT_SUBSCRIBED
    stage.bob.ping()
    assert not stage.bob.pending(Kind.RECV)


def test_the_manager_of_the_back_end_is_not_asked(api, stage, name):
    """API messages skip membership; a ban stops them too, though their caller is not told by the reference."""
    api.send(b"from a stranger", stage.group, from_uid=name("stranger"))
    assert stage.anna.receive().plain == b"from a stranger"


def test_an_api_message_into_a_banned_group_is_not_delivered(api, stage):
    stage.set(ban=1)
    api.post("/message/send", {"channel_id": stage.group, "channel_type": 2, "payload": "eA=="})
    stage.bob.tell(stage.anna.uid, b"end")
    assert stage.anna.receive().plain == b"end"
    assert api.history(stage.anna.uid, stage.group, 2) == []


def test_one_refusal_among_many_in_one_write(api, stage):
    others = api.group(stage.group + "b", stage.bob.uid)
    sends = [stage.anna.prepare(channel, b"x", 2) for channel in (stage.group, others, stage.group)]
    stage.anna.write(*sends)
    assert [stage.anna.sendack(send).reason for send in sends] == [1, NOT_SUBSCRIBED, 1]
