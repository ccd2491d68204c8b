"""Commands for who was away: /message/sync, /message/syncack, RECVACK of a master device (HTTP API 10; semantics 4.4.5, 5.5)."""

import pytest

from harness.api import GROUP, PERSON, Api
from harness.packets import Flag
from harness.waiting import eventually

REFUSALS = [
    ("/message/sync", {}, "用户uid不能为空！"),
    ("/message/sync", {"uid": " "}, "用户uid不能为空！"),
    ("/message/sync", {"uid": "u", "limit": -1}, "limit不能为负数！"),
    ("/message/sync", {"limit": -1}, "用户uid不能为空！"),
    ("/message/syncack", {}, "用户UID不能为空！"),
    ("/message/syncack", {"last_message_seq": 1}, "用户UID不能为空！"),
    ("/message/syncack", {"uid": "u"}, "最后一次messageSeq不能为0！"),
    ("/message/syncack", {"uid": "u", "last_message_seq": 0}, "最后一次messageSeq不能为0！"),
]


@pytest.mark.parametrize("path, body, text", REFUSALS)
def test_a_refusal_says_which_rule(api, path, body, text):
    api.post(path, body).refused(text)


def plains(api, uid, limit=0):
    return [message["plain"] for message in api.commands(uid, limit)]


def test_nobody_has_none(api, name):
    assert api.commands(name("nobody")) == []
    api.acknowledge_commands(name("nobody"))


def test_what_was_told_and_acknowledged_is_not_told_again(api, name):
    group = api.group(name("group"), name("anna"), name("bob"))
    for i in range(3):
        api.command(b"%d" % i, group, from_uid=name("anna"))
    told = api.commands(name("bob"))
    assert [(m["message_seq"], m["plain"], m["header"]["sync_once"]) for m in told] == [(1, b"0", 1), (2, b"1", 1), (3, b"2", 1)]
    assert {(m["channel_id"], m["channel_type"], m["from_uid"]) for m in told} == {(group, GROUP, name("anna"))}
    assert plains(api, name("bob")) == [b"0", b"1", b"2"], "not acknowledged: again"
    api.acknowledge_commands(name("bob"), 3)
    assert plains(api, name("bob")) == []
    api.command(b"3", group, from_uid=name("anna"))
    assert plains(api, name("bob")) == [b"3"]


def test_the_chat_log_is_another(api, name):
    group = api.group(name("group"), name("anna"), name("bob"))
    api.send(b"chat", group, GROUP, from_uid=name("anna"))
    api.command(b"command", group, from_uid=name("anna"))
    assert plains(api, name("bob")) == [b"command"]
    assert [m["plain"] for m in api.history(name("bob"), group, GROUP)] == [b"chat"]
    assert api.conversation(name("bob"), group)["unread"] == 1
    api.clear_unread(name("bob"), group, GROUP)
    assert plains(api, name("bob")) == [b"command"], "to have read the chat is not to have the command"


def test_a_command_to_a_person_waits_for_both_but_its_sender(api, name):
    api.command(b"to bob", name("bob"), PERSON, from_uid=name("anna"))
    api.command(b"to bob too", name("bob"), PERSON, from_uid=name("anna"))
    assert plains(api, name("bob")) == [b"to bob", b"to bob too"]
    assert plains(api, name("anna")) == [b"to bob too"], "the sender has read the first, with which it began"
    assert api.conversations(name("bob")) == [], "a command makes no conversation"


@pytest.mark.parametrize("first", ["chat", "command"])
def test_chat_and_commands_of_two_people_do_not_disturb_each_other(api, name, first):
    def chat():
        api.send(b"chat", name("bob"), PERSON, from_uid=name("anna"))

    def command():
        api.command(b"command", name("bob"), PERSON, from_uid=name("anna"))

    if first == "chat":
        chat()
        api.clear_unread(name("bob"), name("anna"))
        command()
        expected = (0, 1)
    else:
        command()
        assert plains(api, name("bob")) == [b"command"]
        api.acknowledge_commands(name("bob"))
        chat()
        assert plains(api, name("bob")) == []
        expected = (1, 0)
    conversation = api.conversation(name("bob"), name("anna"))
    assert (conversation["unread"], conversation["readed_to_msg_seq"]) == expected
    if first == "chat":
        assert plains(api, name("bob")) == [b"command"]


def test_a_command_over_the_socket_waits_too(api, login, name):
    anna = login(name("anna"))
    anna.tell(name("bob"), b"command", flags=Flag.SYNC_ONCE)
    assert plains(api, name("bob")) == [b"command"]


class TestLimits:
    @pytest.fixture
    def groups(self, api, name):
        groups = [api.group(f"{name('group')}n{i}", name("anna"), name("bob")) for i in range(5)]
        for group in groups:
            for i in range(4):
                api.command(b"%d" % i, group, from_uid=name("anna"))
        return groups

    def test_page_by_page_everything_comes_once(self, api, name, groups):
        seen = []
        for _ in range(20):
            page = api.commands(name("bob"), 3)
            if not page:
                break
            assert len(page) <= 3
            seen += [(m["channel_id"], m["message_seq"]) for m in page]
            api.acknowledge_commands(name("bob"), page[-1]["message_seq"])
        assert sorted(seen) == sorted((group, seq) for group in groups for seq in range(1, 5))

    def test_none_given_is_two_hundred(self, api, name):
        group = api.group(name("group"), name("anna"), name("bob"))
        for i in range(205):
            api.command(b"%d" % i, group, from_uid=name("anna"))
        assert [m["message_seq"] for m in api.commands(name("bob"))] == list(range(1, 201))
        assert len(api.commands(name("bob"), 10000)) == 205

    @pytest.mark.jingu_only(reason="the reference keeps one record a user, which the second device overwrites")
    def test_two_devices_at_once_acknowledge_what_each_was_told(self, api, name):
        group = api.group(name("group"), name("anna"), name("bob"))
        api.command(b"1", group, from_uid=name("anna"))
        phone = api.commands(name("bob"))
        api.command(b"2", group, from_uid=name("anna"))
        tablet = api.commands(name("bob"))
        assert (len(phone), len(tablet)) == (1, 2)
        api.acknowledge_commands(name("bob"), phone[-1]["message_seq"])
        assert plains(api, name("bob")) == [b"2"], "the phone was told of one"
        api.acknowledge_commands(name("bob"), tablet[-1]["message_seq"])
        assert plains(api, name("bob")) == []

    @pytest.mark.jingu_only(reason="the reference takes any number for the last sync of the user")
    def test_who_names_no_sync_acknowledges_nothing(self, api, name):
        group = api.group(name("group"), name("anna"), name("bob"))
        api.command(b"1", group, from_uid=name("anna"))
        tablet = api.commands(name("bob"))
        api.acknowledge_commands(name("bob"), 7)  # a phone's, whose own sync is forgotten
        assert plains(api, name("bob")) == [b"1"], "perhaps the tablet never got its answer"
        api.acknowledge_commands(name("bob"), tablet[-1]["message_seq"])
        assert plains(api, name("bob")) == []

    def test_the_largest_number_names_a_sync_as_well_as_the_last(self, api, name):
        groups = [api.group(f"{name('group')}n{i}", name("anna"), name("bob")) for i in range(2)]
        for number, group in enumerate((*groups, groups[0], groups[1], groups[1])):
            api.command(b"%d" % number, group, from_uid=name("anna"))
        told = api.commands(name("bob"))
        assert len(told) == 5
        api.acknowledge_commands(name("bob"), max(m["message_seq"] for m in told))
        assert plains(api, name("bob")) == []
        api.command(b"one more", groups[1], from_uid=name("anna"))
        api.command(b"two", groups[0], from_uid=name("anna"))
        api.acknowledge_commands(name("bob"), api.commands(name("bob"))[-1]["message_seq"])
        assert plains(api, name("bob")) == []

    @pytest.mark.jingu_only(reason="the reference keeps one record a user")
    def test_when_two_syncs_end_alike_only_what_both_were_told_is_acknowledged(self, api, name):
        first, second = [api.group(f"{name('group')}n{i}", name("anna"), name("bob")) for i in range(2)]
        api.command(b"both", first, from_uid=name("anna"))
        api.commands(name("bob"))
        api.command(b"the tablet's", second, from_uid=name("anna"))
        assert len(api.commands(name("bob"))) == 2
        api.acknowledge_commands(name("bob"), 1)
        assert plains(api, name("bob")) == [b"the tablet's"]
        api.acknowledge_commands(name("bob"), 1)
        assert plains(api, name("bob")) == []


class TestMembers:
    def test_a_new_member_gets_commands_from_joining_on(self, api, name):
        group = api.group(name("group"), name("anna"))
        api.command(b"before", group, from_uid=name("anna"))
        api.subscribe(group, name("bob"))
        api.command(b"after", group, from_uid=name("anna"))
        assert plains(api, name("bob")) == [b"after"]

    def test_adding_a_member_again_loses_nothing(self, api, name):
        group = api.group(name("group"), name("anna"), name("bob"))
        api.command(b"unread", group, from_uid=name("anna"))
        api.subscribe(group, name("bob"))
        assert plains(api, name("bob")) == [b"unread"]

    def test_who_leaves_still_gets_those_from_before(self, api, name):
        group = api.group(name("group"), name("anna"), name("bob"))
        api.command(b"before", group, from_uid=name("anna"))
        api.unsubscribe(group, name("bob"))
        api.command(b"after", group, from_uid=name("anna"))
        api.unsubscribe(group, name("bob"))
        assert plains(api, name("bob")) == [b"before"]
        assert api.post("/conversation/channels", {"uid": name("bob")}).bare() == []
        api.acknowledge_commands(name("bob"))
        assert plains(api, name("bob")) == []

    def test_who_comes_back_gets_none_from_between(self, api, name):
        group = api.group(name("group"), name("anna"), name("bob"))
        api.unsubscribe(group, name("bob"))
        api.command(b"between", group, from_uid=name("anna"))
        api.subscribe(group, name("bob"))
        api.command(b"after", group, from_uid=name("anna"))
        assert plains(api, name("bob")) == [b"after"]

    def test_who_may_not_send_still_gets_commands(self, api, name):
        group = api.group(name("group"), name("anna"), name("bob"))
        api.edit_list("blacklist_add", group, name("bob"))
        api.command(b"command", group, from_uid=name("anna"))
        assert plains(api, name("bob")) == [b"command"]

    def test_when_everybody_is_removed_nobody_gets_more(self, api, name):
        group = api.group(name("group"), name("anna"), name("bob"))
        api.post("/channel/subscriber_remove_all", {"channel_id": group, "channel_type": GROUP}).ok()
        api.command(b"after", group)
        assert plains(api, name("bob")) == []

    @pytest.mark.parametrize("channel_type", [7, 9])
    def test_some_types_keep_none(self, api, name, channel_type):
        group = api.group(name("group"), name("anna"), name("bob"), channel_type=channel_type)
        api.command(b"x", group, channel_type, from_uid=name("anna"))
        assert plains(api, name("bob")) == []

    def test_the_visitor_of_a_customer_service_gets_them(self, api, name):
        service = f"{name('visitor')}|{name('shop')}"
        api.group(service, name("staff"), channel_type=3)
        api.command(b"x", service, 3, from_uid=name("staff"))
        assert plains(api, name("visitor")) == [b"x"]

    @pytest.mark.jingu_only(reason="the reference forgets the visitor")
    @pytest.mark.parametrize("channel_type", [3, 10])
    def test_a_visitor_who_leaves_the_list_stays_a_visitor(self, api, name, channel_type):
        visitor = name("visitor")
        channel = f"{visitor}|{name('shop')}" if channel_type == 3 else visitor
        api.command(b"before", channel, channel_type, from_uid=name("staff"))
        api.subscribe(channel, visitor, name("staff"), channel_type=channel_type)
        api.unsubscribe(channel, visitor, name("staff"), channel_type=channel_type)
        api.command(b"behind", channel, channel_type, from_uid=name("other"))
        assert plains(api, visitor) == [b"before", b"behind"]
        assert b"behind" not in plains(api, name("staff"))

    @pytest.mark.jingu_only(reason="the reference stores the message and never tells of it")
    def test_people_who_were_named_get_theirs(self, api, name):
        api.send(b"to you", subscribers=[name("bob"), name("carl")], header={"sync_once": 1})
        assert plains(api, name("bob")) == [b"to you"]
        assert plains(api, name("carl")) == [b"to you"]
        assert plains(api, name("anna")) == []
        api.acknowledge_commands(name("bob"))
        api.send(b"again", subscribers=[name("carl"), name("bob")], header={"sync_once": 1})
        assert plains(api, name("bob")) == [b"again"]
        assert plains(api, name("carl")) == [b"to you", b"again"]


@pytest.mark.jingu_only(reason="the reference never tells of these")
def test_a_list_is_told_up_to_a_bound_and_taken_beyond_it(api, name):
    for count in (512, 513):
        uids = [f"{name('user')}n{i}of{count}" for i in range(count)]
        api.send(b"to all", subscribers=uids, header={"sync_once": 1})
        assert plains(api, uids[-1]) == ([b"to all"] if count == 512 else [])


class TestRecvack:
    @pytest.mark.jingu_only(reason="the reference writes the position later")
    def test_a_master_device_that_has_it_need_not_fetch_it(self, token_server, login, name):
        api = Api(token_server)
        api.token(name("bob"), "key", device_level=1)
        bob = login(name("bob"), token_server, token="key")
        group = api.group(name("group"), name("anna"), bob.uid)
        api.command(b"1", group, from_uid=name("anna"))
        assert bob.receive().plain == b"1"
        eventually(lambda: plains(api, bob.uid) == [])
        bob.acknowledges = False
        api.command(b"2", group, from_uid=name("anna"))
        assert bob.receive().plain == b"2"
        assert plains(api, bob.uid) == [b"2"]

    def test_a_slave_device_takes_nothing_from_the_main_one(self, token_server, login, name):
        api = Api(token_server)
        api.token(name("bob"), "key", device_level=0)
        bob = login(name("bob"), token_server, token="key")
        group = api.group(name("group"), name("anna"), bob.uid)
        api.command(b"1", group, from_uid=name("anna"))
        assert bob.receive().plain == b"1"
        bob.ping()
        assert plains(api, bob.uid) == [b"1"]


@pytest.mark.parametrize("end", ["restart", "kill"])
def test_positions_outlive_the_server(start_server, name, end):
    server = start_server()
    api = Api(server)
    group = api.group(name("group"), name("anna"), name("bob"))
    api.command(b"1", group, from_uid=name("anna"))
    api.commands(name("bob"))
    api.acknowledge_commands(name("bob"))
    api.command(b"2", group, from_uid=name("anna"))
    api.commands(name("bob"))
    if end == "kill":
        server.kill()
        server.start()
    else:
        server.restart()
    api = Api(server)
    api.acknowledge_commands(name("bob"))
    assert plains(api, name("bob")) == [b"2"], "the server has forgotten what it told, so it tells again"


def test_switched_off_it_answers_without_work(start_server, name):
    api = Api(start_server(disableCMDMessageSync=True))
    group = api.group(name("group"), name("anna"), name("bob"))
    api.command(b"1", group, from_uid=name("anna"))
    assert api.post("/message/sync", {}).bare() == []
    assert api.post("/message/sync", {"uid": name("bob")}).bare() == []
    api.post("/message/syncack", {}).ok()
