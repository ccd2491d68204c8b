"""/route, /user/..., /channel...: the happy path, each documented refusal, and what it changes (HTTP API 5 to 7)."""

import pytest

from harness.api import Api
from harness.client import Refused
from harness.packets import Kind
from harness.server import REFERENCE
from harness.waiting import eventually

NO_ID, ID_EMPTY, SPECIAL = "频道ID不能为空！", "channel_id不能为空！", "频道ID不能包含特殊字符！"
TYPE_WRONG, TYPE_ZERO = "频道类型错误！", "频道类型不能为0！"
NO_UIDS, NO_SUBSCRIBERS = "uids不能为空！", "订阅者不能为空！"
NOT_FOR_PERSONS = "个人频道不支持添加订阅者！"

REFUSALS = [
    ("/user/token", {}, "uid不能为空！"),
    ("/user/token", {"uid": "", "token": "t"}, "uid不能为空！"),
    ("/user/token", {"uid": "u"}, "token不能为空！"),
    ("/user/token", {"uid": "u@1"}, "token不能为空！"),
    ("/user/token", {"uid": "u@1", "token": "t"}, "uid不能包含特殊字符！"),
    ("/user/token", {"uid": "u#1", "token": "t"}, "uid不能包含特殊字符！"),
    ("/user/token", {"uid": "u&1", "token": "t"}, "uid不能包含特殊字符！"),
    ("/user/token", {"uid": "____system", "token": "t"}, "系统账号不允许更新token！"),
    ("/user/token", {"uid": "u", "token": "t" * 6145}, "token is longer than 6144 bytes"),
    ("/channel", {}, NO_ID),
    ("/channel", {"channel_id": "  ", "channel_type": 2}, NO_ID),
    ("/channel", {"channel_id": "g"}, TYPE_WRONG),
    ("/channel", {"channel_id": "g@1"}, TYPE_WRONG),
    ("/channel", {"channel_id": "g@1", "channel_type": 2}, SPECIAL),
    ("/channel", {"channel_id": "g#1", "channel_type": 2}, SPECIAL),
    ("/channel", {"channel_id": "g&1", "channel_type": 2}, SPECIAL),
    ("/channel", {"channel_id": "u", "channel_type": 1, "subscribers": ["x"]}, "不支持个人频道添加订阅者！"),
    ("/channel/delete", {"channel_id": "u", "channel_type": 1}, NOT_FOR_PERSONS),
    ("/channel/subscriber_add", {"subscribers": ["u"]}, NO_ID),
    ("/channel/subscriber_add", {"channel_id": "g@1", "subscribers": ["u"]}, SPECIAL),
    ("/channel/subscriber_add", {"channel_id": "u", "channel_type": 1, "subscribers": ["x"]}, NOT_FOR_PERSONS),
    ("/channel/subscriber_add", {"channel_id": "g", "channel_type": 2}, NO_SUBSCRIBERS),
    ("/channel/subscriber_add", {"channel_id": "g", "channel_type": 2, "subscribers": []}, NO_SUBSCRIBERS),
    ("/channel/subscriber_add", {"channel_id": "g", "channel_type": 2, "subscribers": ["", " "]}, NO_SUBSCRIBERS),
    ("/channel/subscriber_add", {"channel_id": "g", "channel_type": 2, "subscribers": ["u"], "temp_subscriber": 1},
     "新版本临时订阅者已不支持！"),
    ("/channel/subscriber_remove", {"subscribers": ["u"]}, NO_ID),
    ("/channel/subscriber_remove", {"channel_id": "u", "channel_type": 1, "subscribers": ["x"]}, NOT_FOR_PERSONS),
    ("/channel/subscriber_remove", {"channel_id": "g", "channel_type": 2}, NO_SUBSCRIBERS),
    ("/channel/subscriber_remove_all", {}, ID_EMPTY),
    ("/channel/subscriber_remove_all", {"channel_id": "g"}, TYPE_ZERO),
    ("/channel/subscriber_remove_all", {"channel_id": "u", "channel_type": 1}, "个人频道不支持此操作！"),
    ("/channel/blacklist_add", {"channel_type": 2, "uids": ["u"]}, ID_EMPTY),
    ("/channel/blacklist_add", {"channel_id": "g", "uids": ["u"]}, TYPE_ZERO),
    ("/channel/blacklist_add", {"channel_id": "g", "channel_type": 2}, NO_UIDS),
    ("/channel/blacklist_set", {"channel_type": 2, "uids": ["u"]}, NO_ID),
    ("/channel/blacklist_remove", {"channel_type": 2, "uids": ["u"]}, ID_EMPTY),
    ("/channel/blacklist_remove", {"channel_id": "g", "uids": ["u"]}, TYPE_ZERO),
    ("/channel/blacklist_remove", {"channel_id": "g", "channel_type": 2}, NO_UIDS),
    ("/channel/blacklist_remove_all", {"channel_type": 2}, ID_EMPTY),
    ("/channel/blacklist_remove_all", {"channel_id": "g"}, TYPE_ZERO),
    ("/channel/whitelist_add", {"channel_type": 2, "uids": ["u"]}, ID_EMPTY),
    ("/channel/whitelist_add", {"channel_id": "g@1", "channel_type": 2, "uids": ["u"]}, SPECIAL),
    ("/channel/whitelist_add", {"channel_id": "g", "uids": ["u"]}, TYPE_ZERO),
    ("/channel/whitelist_add", {"channel_id": "g", "channel_type": 2, "uids": [" "]}, NO_UIDS),
    ("/channel/whitelist_set", {"channel_type": 2, "uids": ["u"]}, NO_ID),
    ("/channel/whitelist_remove", {"channel_type": 2, "uids": ["u"]}, ID_EMPTY),
    ("/channel/whitelist_remove", {"channel_id": "g", "channel_type": 2}, NO_UIDS),
    ("/channel/whitelist_remove_all", {"channel_type": 2}, ID_EMPTY),
    ("/channel/whitelist_remove_all", {"channel_id": "g"}, TYPE_ZERO),
]


@pytest.mark.parametrize("path, body, text", REFUSALS)
def test_a_refusal_says_which_rule(api, path, body, text):
    api.post(path, body).refused(text)


class TestRoute:
    def test_tells_where_to_connect(self, server, api, name):
        assert api.get("/route", uid=name("anna")).bare() == {
            "tcp_addr": f"127.0.0.1:{server.tcp_port}", "ws_addr": f"ws://127.0.0.1:{server.ws_port}", "wss_addr": ""}

    def test_from_inside_only_what_is_configured(self, api):
        assert api.get("/route", intranet=1).bare() == {"tcp_addr": "", "ws_addr": "", "wss_addr": ""}
        assert api.get("/route", intranet=2).bare()["tcp_addr"] != ""

    def test_for_many_at_once(self, server, api):
        (entry,) = api.post("/route/batch", ["u1", "u2"]).bare()
        assert entry == api.get("/route").bare() | {"uids": ["u1", "u2"]}
        assert api.post("/route/batch", []).bare()[0]["uids"] == []
        assert api.post_text("/route/batch", "null").bare()[0]["uids"] is None

    def test_configured_addresses_win(self, start_server):
        server = start_server(external={"tcpAddr": "im.example.com:443", "wsAddr": "wss://im.example.com/ws",
                                        "wssAddr": "wss://im.example.com/wss"}, intranet={"tcpAddr": "10.0.0.1:5100"})
        api = Api(server)
        assert api.get("/route").bare() == {"tcp_addr": "im.example.com:443", "ws_addr": "wss://im.example.com/ws",
                                            "wss_addr": "wss://im.example.com/wss"}
        assert api.get("/route", intranet=1).bare()["tcp_addr"] == "10.0.0.1:5100"


class TestOnlineStatus:
    def test_one_entry_for_each_connection(self, api, login, name):
        assert api.online(name("anna")) == []
        login(name("anna"), device_flag=0)
        login(name("anna"), device_flag=1, transport="ws")
        login(name("anna"), device_flag=1)
        entries = api.online(name("anna"), name("nobody"))
        assert sorted(entry["device_flag"] for entry in entries) == [0, 1, 1]
        assert all(entry == {"uid": name("anna"), "device_flag": entry["device_flag"], "online": 1} for entry in entries)

    def test_who_leaves_disappears(self, api, login, name):
        anna = login(name("anna"))
        assert len(api.online(anna.uid)) == 1
        anna.close()
        eventually(lambda: api.online(anna.uid) == [])

    def test_nobody_asked_is_answered_with_an_object(self, api):
        assert api.post("/user/onlinestatus", []).bare() == {"status": 200}

    def test_a_connection_that_did_not_log_in_is_nobody(self, api, open_client, name):
        open_client(name("anna"))
        assert api.online(name("anna")) == []


class TestToken:
    @pytest.fixture
    def api(self, token_server):
        return Api(token_server)

    def test_each_device_class_has_its_own(self, api, token_server, login, name):
        for flag in (0, 1, 2):
            api.token(name("anna"), f"token {flag}", flag)
        for flag in (0, 1, 2):
            login(name("anna"), token_server, token=f"token {flag}", device_flag=flag)

    def test_a_banned_or_disbanded_user_gets_no_token(self, api, token_server, open_client, login, name):
        api.token(name("anna"), "old")
        for flag, status in (("ban", 19), ("disband", 24)):
            api.info(name("anna"), 1, **{flag: 1})
            assert api.post("/user/token", {"uid": name("anna"), "token": "new"}).body == {"status": status}
        api.info(name("anna"), 1)
        login(name("anna"), token_server, token="old")
        if not REFERENCE:
            with pytest.raises(Refused):
                open_client(name("anna"), token_server, token="new").login()

    def test_long_and_strange_tokens(self, api, token_server, login, name):
        for token in ("x" * 6144, "密钥", 'a"b\\c', " spaced "):
            api.token(name("anna"), token)
            login(name("anna"), token_server, token=token)


class TestChannel:
    def test_writing_again_keeps_the_members_and_resets_the_flags(self, api, login, name):
        anna = login(name("anna"))
        group = api.group(name("group"), anna.uid)
        api.info(group, 2, ban=1)
        assert anna.say(group, channel_type=2).reason == 19
        api.channel(group, 2)
        assert anna.say(group, channel_type=2).reason == 1

    def test_reset_replaces_the_members(self, api, login, name):
        anna, bob = login(name("anna")), login(name("bob"))
        group = api.group(name("group"), anna.uid)
        api.channel(group, 2, subscribers=[bob.uid], reset=1)
        assert anna.say(group, channel_type=2).reason == 3
        assert bob.say(group, channel_type=2).reason == 1
        api.channel(group, 2, reset=1)
        assert bob.say(group, channel_type=2).reason == 3

    def test_only_one_is_true(self, api, login, name):
        anna = login(name("anna"))
        group = api.group(name("group"), anna.uid)
        api.info(group, 2, ban=2)
        assert anna.say(group, channel_type=2).reason == 1

    def test_deleting_what_is_not_there_is_fine(self, api, name):
        api.post("/channel/delete", {"channel_id": name("nowhere"), "channel_type": 2}).ok()

    def test_history_of_a_deleted_channel_stays_readable(self, api, login, name):
        anna = login(name("anna"))
        group = api.group(name("group"), anna.uid)
        anna.tell(group, b"before", 2)
        api.post("/channel/delete", {"channel_id": group, "channel_type": 2}).ok()
        assert [m["plain"] for m in api.history(anna.uid, group, 2)] == [b"before"]

    @pytest.mark.reference_only(reason="a channel without a name is nothing to keep; Jingu refuses it")
    def test_info_takes_what_it_is_given(self, api):
        api.info("", 0)

    def test_a_type_may_be_left_out_when_adding_members(self, api, login, name):
        anna = login(name("anna"))
        api.post("/channel/subscriber_add", {"channel_id": name("group"), "subscribers": [anna.uid]}).ok()
        assert anna.say(name("group"), channel_type=2).reason == 1

    def test_adding_members_makes_the_channel(self, api, login, name):
        anna = login(name("anna"))
        api.subscribe(name("group"), anna.uid)
        assert anna.say(name("group"), channel_type=2).reason == 1

    def test_adding_with_reset_replaces(self, api, login, name):
        anna, bob = login(name("anna")), login(name("bob"))
        group = api.group(name("group"), anna.uid)
        api.subscribe(group, bob.uid, reset=1)
        assert anna.say(group, channel_type=2).reason == 3
        assert bob.say(group, channel_type=2).reason == 1

    @pytest.mark.jingu_only(reason="the reference adds them and then answers that it failed")
    def test_blank_members_among_others_are_left_out_or_refused_with_them(self, api, login, name):
        anna = login(name("anna"))
        reply = api.post("/channel/subscriber_add", {"channel_id": name("group"), "channel_type": 2,
                                                     "subscribers": ["", anna.uid, " "]})
        assert (reply.status, anna.say(name("group"), channel_type=2).reason) in [(200, 1), (400, 3)]

    def test_removing_everybody(self, api, login, name):
        anna, bob = login(name("anna")), login(name("bob"))
        group = api.group(name("group"), anna.uid, bob.uid)
        api.post("/channel/subscriber_remove_all", {"channel_id": group, "channel_type": 2}).ok()
        assert (anna.say(group, channel_type=2).reason, bob.say(group, channel_type=2).reason) == (3, 3)

    def test_removing_strangers_is_fine(self, api, name):
        group = api.group(name("group"), name("anna"))
        api.unsubscribe(group, name("stranger"))

    def test_a_new_member_starts_with_everything_read(self, api, login, name):
        anna = login(name("anna"))
        group = api.group(name("group"), anna.uid)
        for i in range(3):
            anna.tell(group, b"%d" % i, 2)
        api.subscribe(group, name("bob"))
        anna.tell(group, b"new", 2)
        conversation = eventually(lambda: api.conversation(name("bob"), group))
        assert (conversation["unread"], conversation["readed_to_msg_seq"]) == (1, 3)

    def test_who_leaves_loses_the_conversation(self, api, login, name):
        anna = login(name("anna"))
        group = api.group(name("group"), anna.uid, name("bob"))
        anna.tell(group, b"x", 2)
        eventually(lambda: api.conversation(name("bob"), group))
        api.unsubscribe(group, name("bob"))
        assert api.conversation(name("bob"), group) is None

    def test_a_thousand_members_at_once(self, api, login, name):
        anna, last = login(name("anna")), login(f"{name('user')}n999")
        group = api.group(name("group"), anna.uid, *[f"{name('user')}n{i}" for i in range(1000)])
        anna.tell(group, b"to all", 2)
        assert last.receive().plain == b"to all"


class TestLists:
    def say(self, client, group):
        return client.say(group, channel_type=2).reason

    def test_set_replaces_and_remove_all_empties(self, api, login, name):
        anna, bob = login(name("anna")), login(name("bob"))
        group = api.group(name("group"), anna.uid, bob.uid)
        api.edit_list("blacklist_add", group, anna.uid)
        api.edit_list("blacklist_set", group, bob.uid)
        assert (self.say(anna, group), self.say(bob, group)) == (1, 4)
        api.post("/channel/blacklist_remove_all", {"channel_id": group, "channel_type": 2}).ok()
        assert self.say(bob, group) == 1

    def test_an_empty_set_empties(self, api, login, name):
        anna = login(name("anna"))
        group = api.group(name("group"), anna.uid)
        api.edit_list("blacklist_add", group, anna.uid)
        api.edit_list("blacklist_set", group)
        assert self.say(anna, group) == 1

    def test_the_allow_list_can_be_read(self, api, name):
        group = api.group(name("group"), name("anna"))
        assert api.get("/channel/whitelist", channel_id=group, channel_type=2).bare() == []
        api.edit_list("whitelist_add", group, name("anna"), name("bob"))
        entries = api.get("/channel/whitelist", channel_id=group, channel_type=2).bare()
        assert {entry["uid"] for entry in entries} == {name("anna"), name("bob")}
        for entry in entries:
            assert entry["id"] == fnv1a(entry["uid"])
        api.edit_list("whitelist_set", group, name("carl"))
        assert [e["uid"] for e in api.get("/channel/whitelist", channel_id=group, channel_type=2).bare()] == [name("carl")]
        api.post("/channel/whitelist_remove_all", {"channel_id": group, "channel_type": 2}).ok()
        assert api.get("/channel/whitelist", channel_id=group, channel_type=2).bare() == []

    @pytest.mark.jingu_only(reason="the reference's whole process dies of a blank uid on a list")
    @pytest.mark.parametrize("which", ["blacklist_add", "blacklist_set", "blacklist_remove", "whitelist_add", "whitelist_set",
                                       "whitelist_remove"])
    @pytest.mark.parametrize("channel_type", [1, 2])
    def test_a_blank_uid_is_an_answer_not_an_accident(self, server, api, name, which, channel_type):
        for uids in ([""], [" "], ["", name("anna")]):
            body = {"channel_id": name("list"), "channel_type": channel_type, "uids": uids}
            assert api.post(f"/channel/{which}", body).status in (200, 400)
        assert server.healthy()

    def test_adding_twice_is_adding_once(self, api, name):
        group = api.group(name("group"), name("anna"))
        for _ in range(2):
            api.edit_list("whitelist_add", group, name("anna"))
        assert len(api.get("/channel/whitelist", channel_id=group, channel_type=2).bare()) == 1

    def test_a_denied_member_loses_the_conversation_not_the_messages(self, api, login, name):
        anna, bob = login(name("anna")), login(name("bob"))
        group = api.group(name("group"), anna.uid, bob.uid)
        anna.tell(group, b"x", 2)
        eventually(lambda: api.conversation(bob.uid, group))
        api.edit_list("blacklist_add", group, bob.uid)
        assert api.conversation(bob.uid, group) is None
        assert len(api.history(bob.uid, group, 2)) == 1

    def test_changes_reach_running_sessions_at_once(self, api, login, name):
        anna, bob = login(name("anna")), login(name("bob"))
        for _ in range(10):
            api.edit_list("blacklist_add", bob.uid, anna.uid, channel_type=1)
            assert anna.say(bob.uid).reason == 4
            api.edit_list("blacklist_remove", bob.uid, anna.uid, channel_type=1)
            assert anna.say(bob.uid).reason == 1
        assert not anna.pending(Kind.DISCONNECT)


def fnv1a(text: str) -> int:
    value = 14695981039346656037
    for byte in text.encode():
        value = (value ^ byte) * 1099511628211 % (1 << 64)
    return value
