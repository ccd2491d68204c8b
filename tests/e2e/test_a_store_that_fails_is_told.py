"""What cannot be read, or cannot be written, is told by each endpoint in its own words; and when the disk is well again, each does what is
asked of it.

The disk fails by a library that is preloaded (harness/faults.c): for as long as a test wants, each read of a file, or each write.
"""

import pytest

from harness.api import Api
from harness.faults import READ, SYNC, WRITE, Faults
from harness.waiting import SOON, eventually

pytestmark = [pytest.mark.jingu_only(reason="the faults are made for Jingu")]

LONG = SOON * 4
SYSTEM_ERROR = 15
GROUP = {"channel_id": "group", "channel_type": 2}
PERSON = {"channel_id": "bob", "channel_type": 1}
LANE = {"channel_id": "group", "channel_type": 2, "client_msg_no": "lane"}
UIDS = GROUP | {"uids": ["bob"]}
DATA, MESSAGES, LOOKUP, SYNC_TEXT = "获取数据失败！", "获取消息失败！", "查询消息失败！", "获取conversation失败！"

# What reads: method, path, arguments or body, what is told when it cannot.
READINGS = [
    ("GET", "/user/systemuids", {}, "获取系统账号失败！"),
    ("GET", "/channel/whitelist", GROUP, "获取白名单失败！"),
    ("POST", "/channel/messagesync", GROUP | {"login_uid": "anna", "limit": 10}, MESSAGES),
    ("GET", "/channel/max_message_seq", GROUP, MESSAGES),
    ("GET", "/channel/last_message", GROUP, MESSAGES),
    ("POST", "/message/sync", {"uid": "bob"}, MESSAGES),
    ("POST", "/messages", GROUP | {"login_uid": "anna", "message_seqs": [1]}, LOOKUP),
    ("POST", "/message", GROUP | {"login_uid": "anna", "client_msg_no": "first"}, LOOKUP),
    ("GET", "/message/byclientmsgno", GROUP | {"client_msg_no": "first"}, LOOKUP),
    ("POST", "/message/eventsync", LANE, "加载事件失败！"),
    ("POST", "/conversation/sync", {"uid": "bob", "msg_count": 5}, SYNC_TEXT),
    ("GET", "/conversations", {"uid": "bob"}, SYNC_TEXT),
    ("POST", "/conversation/channels", {"uid": "bob"}, "获取会话失败！"),
    ("POST", "/conversation/syncByChannels", {"uid": "bob", "channels": [GROUP]}, "获取会话失败！"),
    ("POST", "/conversation/syncMessages", {"uid": "bob", "channels": [GROUP]}, "获取最近消息失败！"),
    ("GET", "/cluster/messages", GROUP, DATA),
    ("POST", "/cluster/message/eventsync", LANE, "加载事件失败！"),
    ("GET", "/cluster/channels", {}, DATA),
    ("GET", "/cluster/nodes/1001/channels", {}, DATA),
    ("GET", "/cluster/channels/group/2/subscribers", {}, DATA),
    ("GET", "/cluster/channels/group/2/denylist", {}, DATA),
    ("GET", "/cluster/channels/group/2/allowlist", {}, DATA),
    ("GET", "/cluster/channels/group/2/config", {}, DATA),
    ("GET", "/cluster/channels/group/2/replicas", {}, DATA),
    ("GET", "/cluster/channels/group/2/localReplica", {}, DATA),
    ("POST", "/cluster/channel/status", {"channels": [GROUP]}, DATA),
    ("GET", "/cluster/users", {}, DATA),
    ("GET", "/cluster/devices", {}, DATA),
    ("GET", "/cluster/conversations", {"uid": "bob"}, DATA),
    ("POST", "/tmpchannel/subscriber_set", {"channel_id": "nobody", "uids": ["bob"]}, "更新tag失败！"),
    ("POST", "/message/send", {"channel_id": "carl", "channel_type": 1, "from_uid": "dora", "payload": "aGk="}, "发送消息失败！"),
    ("GET", "/webhook/deadletters", {}, "the dead letters cannot be read"),
    ("POST", "/webhook/resend", {"all": 1}, "the dead letters cannot be sent again"),
]

# What writes.
SEND = {"from_uid": "anna", "payload": "aGk="}
MARK = "更新conversation失败！"
WRITINGS = [
    ("/user/token", {"uid": "anna", "token": "new"}, "更新token失败！"),
    ("/user/device_quit", {"uid": "anna"}, "设备退出失败！"),
    ("/user/update_plugin_no", {"uid": "anna", "plugin_no": "p"}, "更新插件编号失败！"),
    ("/user/systemuids_add", {"uids": ["news"]}, "添加系统账号失败！"),
    ("/user/systemuids_remove", {"uids": ["notice"]}, "移除系统账号失败！"),
    ("/channel", GROUP, "创建或更新频道失败"),
    ("/channel/info", GROUP, "添加或更新频道信息失败！"),
    ("/channel/subscriber_add", GROUP | {"subscribers": ["carl"]}, "添加频道失败！"),
    ("/channel/subscriber_remove", GROUP | {"subscribers": ["dora"]}, "移除订阅者失败！"),
    ("/channel/blacklist_add", GROUP | {"uids": ["eve"]}, "添加黑名单失败！"),
    ("/channel/blacklist_remove", GROUP | {"uids": ["dora"]}, "移除黑名单失败！"),
    ("/channel/blacklist_set", UIDS, "移除所有黑名单失败！"),
    ("/channel/blacklist_remove_all", GROUP, "移除所有黑名单失败！"),
    ("/channel/whitelist_add", GROUP | {"uids": ["eve"]}, "添加白名单失败！"),
    ("/channel/whitelist_remove", GROUP | {"uids": ["bob"]}, "移除白名单失败！"),
    ("/channel/whitelist_set", UIDS, "移除所有白明单失败！"),
    ("/channel/whitelist_remove_all", GROUP, "移除所有白名单失败！"),
    ("/message/event", LANE | {"event_id": "e2", "event_type": "stream.snapshot", "payload": {"a": 1}}, "追加事件失败！"),
    ("/message/send", SEND | PERSON, "发送消息失败！"),
    ("/streammessage/start", SEND | PERSON, "发送消息失败！"),
    ("/message/syncack", {"uid": "bob", "last_message_seq": 1}, "更新命令消息已读位置失败！"),
    ("/conversations/clearUnread", GROUP | {"uid": "bob"}, MARK),
    ("/conversations/setUnread", GROUP | {"uid": "bob", "unread": 0}, MARK),
    ("/conversations/delete", GROUP | {"uid": "bob"}, MARK),
    ("/channel/subscriber_remove_all", GROUP, "移除所有订阅者失败！"),
    ("/channel/delete", GROUP, "更新频道信息失败！"),
]


@pytest.fixture
def failing(start_server, tmp_path, receiver, monkeypatch):
    """A server with something of everything in its store, none of it in memory, and the faults."""
    faults = Faults(tmp_path)
    for key, value in faults.environment.items():
        monkeypatch.setenv(key, value)
    receiver.reply = lambda post: (400, b"")
    server = start_server(webhook={"httpAddr": receiver.url, "msgNotifyEventPushInterval": "10ms", "msgNotifyEventRetryMaxCount": 1,
                                   "focusEvents": ["msg.notify"]})
    api = Api(server)
    for uid in ("anna", "bob"):
        api.token(uid, "t")
    api.post("/user/systemuids_add", {"uids": ["notice"]}).ok()
    api.group("group", "anna", "bob", "dora")
    api.edit_list("blacklist_add", "group", "dora")
    api.edit_list("whitelist_add", "group", "anna", "bob")
    api.send(b"hello", **GROUP, from_uid="anna", client_msg_no="first")
    api.send(b"hello", **PERSON, from_uid="anna")
    api.command(b"do", "group", from_uid="anna")
    api.post("/message/event", LANE | {"event_id": "e1", "event_type": "stream.snapshot", "payload": {"a": 1}}).ok()
    eventually(lambda: len(api.get("/webhook/deadletters").bare()["dead_letters"]) >= 3, LONG)
    server.restart()
    server.restart()
    monkeypatch.undo()
    server.faults = faults
    return server


def ask(api, method, path, given):
    return api.get(path, **given) if method == "GET" else api.post(path, given)


def is_done(reply) -> bool:
    """A number in an answer that is 200 says no, too (HTTP API 3.3)."""
    return reply.status == 200 and (not isinstance(reply.body, dict) or reply.body.get("status", 200) == 200)


def test_what_cannot_be_read(failing):
    api = Api(failing)
    api.post("/user/systemuids_add", {"uids": ["news"]}).ok()
    api.post("/backup", {"name": "b"}).ok()  # the accounts are read at start: now one of them is in a file that nobody has read

    failing.faults.arm_lasting(READ)
    told = {(method, path): ask(api, method, path, given) for method, path, given, _ in READINGS}
    assert failing.faults.disarm()

    for method, path, _, text in READINGS:
        told[method, path].refused(text)
    assert failing.healthy()
    for method, path, given, _ in READINGS:
        eventually(lambda: is_done(ask(api, method, path, given)), within=LONG)


@pytest.mark.parametrize("kind", [pytest.param(WRITE, id="write"), pytest.param(SYNC, id="sync")])
def test_what_cannot_be_written(failing, kind):
    api = Api(failing)
    assert len(api.commands("bob")) == 1

    failing.faults.arm_lasting(kind)
    for path, given, text in WRITINGS:
        api.post(path, given).refused(text)
    batch = api.post("/message/sendbatch", SEND | {"subscribers": ["bob", "b@b"]}).bare()
    assert dict(zip(batch["fail_uids"], batch["reason"])) == {"bob": "发送消息失败！", "b@b": "频道ID不合法！"}
    api.post("/backup", {"name": "b"}).refused("the backup cannot be made")
    assert failing.faults.disarm()

    for path, given, _ in WRITINGS:
        eventually(lambda: is_done(api.post(path, given)), within=LONG)
    api.post("/backup", {"name": "b"}).ok()


@pytest.mark.parametrize("kind", [pytest.param(WRITE, id="write"), pytest.param(SYNC, id="sync")])
def test_a_message_that_cannot_be_written_is_refused_and_has_one_effect_when_it_is_sent_again(failing, login, kind):
    anna = login("anna", failing)
    anna.tell("bob", b"before")

    failing.faults.arm_lasting(kind)
    refused = anna.say("bob", b"once", client_msg_no="once")
    assert (refused.reason, refused.message_seq) == (SYSTEM_ERROR, 0)
    assert failing.faults.disarm()

    eventually(lambda: anna.say("bob", b"once", client_msg_no="once").reason == 1, within=LONG)
    assert [message["plain"] for message in Api(failing).history("bob", "anna")][-2:] == [b"before", b"once"]
