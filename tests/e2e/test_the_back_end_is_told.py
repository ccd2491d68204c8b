"""Webhooks: msg.notify, msg.offline (webhook 1 to 4, 6)."""

import base64
import json
import threading
import time

import pytest

from harness.api import Api
from harness.packets import Flag
from harness.receiver import signature, uids_of
from harness.waiting import SCALE, SOON, eventually

pytestmark = pytest.mark.jingu_only(reason="the outbox is Jingu's; bodies are compared with the documents")


@pytest.fixture
def told(start_server, receiver):
    """A server that tells `receiver`."""
    def told_(**settings):
        webhook = {"httpAddr": receiver.url, "msgNotifyEventPushInterval": "100ms"} | settings.pop("webhook", {})
        return start_server(webhook=webhook, **settings)
    return told_


def b64(payload: bytes) -> str:
    return base64.b64encode(payload).decode()


def metric(server, name: str) -> float:
    for line in Api(server).get("/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise AssertionError(f"no {name}")


def outbox_is_empty(server) -> bool:
    return metric(server, "jingu_outbox_bytes") == 0


# -- msg.notify ------------------------------------------------------------------------------------------------------------


def test_a_stored_message_is_told_with_all_its_fields(told, receiver, login):
    server = told()
    anna = login("anna", server)
    ack = anna.tell("bob", b'{"type":1,"content":"hello"}', client_msg_no="ord-1", flags=Flag.RED_DOT)

    receiver.wait_messages(1)

    post = receiver.all("msg.notify")[0]
    timestamp = post.body[0]["timestamp"]
    assert abs(timestamp - time.time()) < 60
    assert post.text.decode() == (
        '[{"header":{"no_persist":0,"red_dot":1,"sync_once":0},"setting":0,'
        f'"message_id":{ack.message_id},"message_idstr":"{ack.message_id}","client_msg_no":"ord-1","message_seq":1,'
        f'"from_uid":"anna","channel_id":"bob","channel_type":1,"expire":0,"timestamp":{timestamp},'
        '"payload":"eyJ0eXBlIjoxLCJjb250ZW50IjoiaGVsbG8ifQ=="}]')
    assert post.path == "/hook?event=msg.notify"
    assert post.headers["Content-Type"] == "application/json"
    assert "X-Jingu-Signature" not in post.headers


def test_the_system_is_blank_and_a_command_keeps_its_suffix(told, receiver):
    server = told(webhook={"focusEvents": ["msg.notify"]})
    api = Api(server)
    api.post("/message/send", {"channel_id": "bob", "channel_type": 1, "payload": b64(b"x")}).ok()
    api.post("/message/send", {"from_uid": "anna", "channel_id": "bob", "channel_type": 1, "payload": b64(b"y"),
                               "header": {"sync_once": 1}}).ok()
    api.post("/message/send", {"from_uid": "anna", "subscribers": ["bob", "carl"], "payload": b64(b"z"),
                               "header": {"sync_once": 1}}).ok()

    system, command, people = sorted(receiver.wait_messages(3), key=lambda message: message["message_id"])

    assert (system["from_uid"], system["channel_id"]) == ("", "bob")
    assert (command["channel_id"], command["header"]["sync_once"]) == ("bob____cmd", 1)
    assert people["channel_type"] == 8 and people["channel_id"].endswith("____cmd")


def test_what_is_refused_or_not_stored_is_not_told(told, receiver, login, name):
    server = told(webhook={"focusEvents": ["msg.notify"]})
    anna = login("anna", server)
    anna.send("bob", b"passing", flags=Flag.NO_PERSIST)
    anna.say("nobodysgroup", b"refused", 2)
    anna.tell("bob", b"stored")

    assert [message["payload"] for message in receiver.wait_messages(1)] == [b64(b"stored")]
    eventually(lambda: outbox_is_empty(server))
    assert len(receiver.messages()) == 1


def test_messages_come_in_batches_and_in_the_order_of_their_channel(told, receiver, login):
    server = told(webhook={"focusEvents": ["msg.notify"], "msgNotifyEventCountPerPush": 10})
    anna = login("anna", server)
    for number in range(200):
        anna.send("bob" if number % 3 else "carl", str(number).encode())

    messages = receiver.wait_messages(200)

    assert all(len(post.body) <= 10 for post in receiver.all("msg.notify"))
    assert len(receiver.all("msg.notify")) < 200
    for channel in ("bob", "carl"):
        seqs = [message["message_seq"] for message in messages if message["channel_id"] == channel]
        assert seqs == list(range(1, len(seqs) + 1))
    assert len({post.connection for post in receiver.all("msg.notify")}) == 1, "the connection is kept alive"


def test_an_address_with_a_query_stays_right(told, receiver, login):
    server = told(webhook={"httpAddr": receiver.url + "?key=1"})
    login("anna", server).tell("bob")
    receiver.wait_messages(1)
    assert receiver.all("msg.notify")[0].path == "/hook?key=1&event=msg.notify"


def test_messages_of_agents_may_go_elsewhere(told, receiver, login):
    server = told(agent={"webhook": {"httpAddr": receiver.url + "/agents"}})
    anna = login("anna", server)
    anna.tell("robot", b"to the agent", 11)
    anna.tell("bob", b"to bob")

    receiver.wait_messages(2)

    paths = {post.body[0]["payload"]: post.path for post in receiver.all("msg.notify")}
    assert paths == {b64(b"to the agent"): "/hook/agents?event=msg.notify", b64(b"to bob"): "/hook?event=msg.notify"}
    assert not [body for body in receiver.offline() if body["channel_type"] == 11]


def test_requests_are_signed_with_the_secret(told, receiver, login):
    server = told(webhook={"secret": "s3cret"})
    login("anna", server).tell("bob")
    receiver.wait_messages(1)
    receiver.wait_offline(1)
    for post in receiver.posts:
        assert post.headers["X-Jingu-Signature"] == signature("s3cret", post)
        assert abs(int(post.headers["X-Jingu-Timestamp"]) - time.time()) < 60
    assert "s3cret" not in server.log()


# -- msg.offline -----------------------------------------------------------------------------------------------------------


def test_who_has_no_session_is_in_the_list(told, receiver, login):
    server = told()
    ack = login("anna", server).tell("bob", b"hello", client_msg_no="ord-1", flags=Flag.RED_DOT)

    body, = receiver.wait_offline(1)

    post = receiver.all("msg.offline")[0]
    assert post.text.decode() == (
        '{"header":{"no_persist":0,"red_dot":1,"sync_once":0},"setting":0,'
        f'"message_id":{ack.message_id},"message_idstr":"{ack.message_id}","client_msg_no":"ord-1","message_seq":1,'
        f'"from_uid":"anna","channel_id":"bob","channel_type":1,"expire":0,"timestamp":{body["timestamp"]},'
        f'"payload":"{b64(b"hello")}","to_uids":["bob"],"source_id":1001}}')


def test_masters_are_online_and_slaves_are_not(told, receiver, login):
    server = told(tokenAuthOn=True)
    api = Api(server)
    for uid, level in (("anna", 1), ("phone", 1), ("browser", 0), ("away", 1)):
        api.token(uid, "t", 0, level)
    for uid in ("anna", "phone", "browser"):
        login(uid, server, token="t")
    api.group("group", "anna", "phone", "browser", "away")
    api.post("/message/send", {"from_uid": "anna", "channel_id": "group", "channel_type": 2, "payload": b64(b"x")}).ok()

    body, = receiver.wait_offline(1)

    assert body["to_uids"] == ["away", "browser"]
    assert (body["channel_id"], body["from_uid"]) == ("group", "anna")


def test_nobody_offline_means_no_call(told, receiver, login):
    server = told(tokenAuthOn=True)
    api = Api(server)
    api.token("anna", "t", 0, 1)
    api.token("bob", "t", 0, 1)
    anna, bob = login("anna", server, token="t"), login("bob", server, token="t")
    anna.tell("bob", b"seen")
    anna.tell("anna", b"to myself")
    anna.tell("carl", b"not seen")
    assert [body["payload"] for body in receiver.wait_offline(1)] == [b64(b"not seen")]
    eventually(lambda: outbox_is_empty(server))
    assert len(receiver.offline()) == 1


def test_messages_that_are_not_stored_are_told_as_well(told, receiver, login):
    server = told()
    login("anna", server).send("bob", b"now or never", flags=Flag.NO_PERSIST)
    body, = receiver.wait_offline(1)
    assert (body["message_seq"], body["header"]["no_persist"], body["to_uids"]) == (0, 1, ["bob"])
    assert body["payload"] == b64(b"now or never")


def test_commands_are_told_as_they_were_addressed(told, receiver):
    server = told()
    api = Api(server)
    api.group("group", "anna", "bob")

    def send(payload, **fields):
        api.post("/message/send", {"payload": b64(payload)} | fields).ok()

    send(b"1", from_uid="anna", channel_id="group", channel_type=2, header={"sync_once": 1})
    send(b"2", from_uid="anna", subscribers=["carl", "bob", "bob", "anna"], header={"sync_once": 1})
    send(b"3", from_uid="anna", subscribers=["carl"], header={"sync_once": 1, "no_persist": 1})
    send(b"4", channel_id="bob", channel_type=1)

    told_ = {body["payload"]: body for body in receiver.wait_offline(4)}

    assert told_[b64(b"1")]["channel_id"] == "group" and told_[b64(b"1")]["to_uids"] == ["bob"]
    assert told_[b64(b"2")]["channel_id"].endswith("____cmd") and told_[b64(b"2")]["to_uids"] == ["bob", "carl"]
    assert told_[b64(b"3")]["channel_id"] == "systemcmdonline" and told_[b64(b"3")]["to_uids"] == ["carl"]
    assert told_[b64(b"4")]["from_uid"] == "____system" and told_[b64(b"4")]["to_uids"] == ["bob"]


def test_a_large_group_is_told_completely_and_in_parts(told, receiver):
    server = told(webhook={"focusEvents": ["msg.offline"]})
    api = Api(server)
    uids = [f"member{number:05}" for number in range(10000)]
    for first in range(0, len(uids), 2500):
        api.post("/channel/subscriber_add", {"channel_id": "crowd", "channel_type": 2,
                                             "subscribers": uids[first:first + 2500]}).ok()
    for text in (b"one", b"two"):
        api.post("/message/send", {"from_uid": uids[0], "channel_id": "crowd", "channel_type": 2, "payload": b64(text)}).ok()

    eventually(lambda: sum(len(body["to_uids"]) for body in receiver.offline()) >= 2 * 9999)

    for text in (b"one", b"two"):
        parts = [body["to_uids"] for body in receiver.offline() if body["payload"] == b64(text)]
        assert [uid for part in parts for uid in part] == uids[1:]
        assert len(parts) == 3
    eventually(lambda: outbox_is_empty(server))


def test_long_lists_are_compressed(told, receiver):
    server = told(channel={"subscriberCompressOfCount": 10})
    api = Api(server)
    many = [f"m{number}" for number in range(500)]
    api.group("many", *many)
    api.group("few", *many[:10])
    for group in ("many", "few"):
        api.post("/message/send", {"channel_id": group, "channel_type": 2, "payload": b64(b"x")}).ok()
    bodies = {body["channel_id"]: body for body in receiver.wait_offline(2)}
    assert bodies["many"]["compress"] == "gzip"
    assert sorted(uids_of(bodies["many"])) == sorted(many)
    assert "compress" not in bodies["few"] and "compress_to_uids" not in bodies["few"]
    assert sorted(uids_of(bodies["few"])) == sorted(many[:10])


# -- user.onlinestatus -----------------------------------------------------------------------------------------------------


def test_who_comes_and_goes_is_told_in_order(told, receiver, login):
    server = told(webhook={"focusEvents": ["user.onlinestatus"]})
    phone = login("a-b", server, device_flag=0)
    browser = login("a-b", server, device_flag=1)
    eventually(lambda: len(receiver.statuses()) == 2)
    phone.close()
    eventually(lambda: len(receiver.statuses()) == 3)
    browser.close()
    eventually(lambda: len(receiver.statuses()) == 4)

    parts = [line.rsplit("-", 5) for line in receiver.statuses()]
    assert [(uid, flag, online, device, total) for uid, flag, online, _, device, total in parts] == [
        ("a-b", "0", "1", "1", "1"), ("a-b", "1", "1", "1", "2"), ("a-b", "0", "0", "0", "1"), ("a-b", "1", "0", "0", "0")]
    numbers = [int(number) for _, _, _, number, _, _ in parts]
    assert numbers[0] == numbers[2] != numbers[1] == numbers[3] and all(number < 2**53 for number in numbers)


def test_a_refused_login_and_the_end_of_the_server_are_not_told(told, receiver, login, open_client):
    server = told(tokenAuthOn=True, webhook={"focusEvents": ["user.onlinestatus"]})
    Api(server).token("anna", "right", 0, 1)
    stranger = open_client("anna", server, token="wrong")
    stranger.write(stranger.connect_packet())
    login("anna", server, token="right")
    eventually(lambda: len(receiver.statuses()) == 1)
    server.stop()
    server.start()
    login("anna", server, token="right")
    eventually(lambda: len(receiver.statuses()) == 2)
    assert [line.split("-")[2] for line in receiver.statuses()] == ["1", "1"]


def test_a_kicked_session_is_told_when_it_closes(told, receiver, login):
    server = told(tokenAuthOn=True, webhook={"focusEvents": ["user.onlinestatus"]})
    Api(server).token("anna", "t", 0, 1)
    first = login("anna", server, token="t")
    login("anna", server, token="t")
    first.expect_close()
    eventually(lambda: len(receiver.statuses()) == 3)
    assert [line.rsplit("-", 5)[2:3] + line.rsplit("-", 5)[4:] for line in receiver.statuses()] == [
        ["1", "1", "1"], ["1", "2", "2"], ["0", "1", "1"]]


def test_statuses_survive_kill_9(told, receiver, login):
    server = told(webhook={"focusEvents": ["user.onlinestatus"]})
    receiver.stop()
    for number in range(5):
        login(f"u{number}", server).close()
    eventually(lambda: metric(server, "jingu_outbox_bytes") > 0)
    eventually(lambda: not any(user["online"] for user in Api(server).online(*[f"u{n}" for n in range(5)])))
    login("last", server).tell("nobody")  # what was journalled before this is on the disk now
    server.kill()
    receiver.start()
    server.start()
    eventually(lambda: len(receiver.statuses()) >= 11)
    for number in range(5):
        lines = [line.split("-")[2] for line in receiver.statuses() if line.startswith(f"u{number}-")]
        assert lines == ["1", "0"]


# -- what is collected -----------------------------------------------------------------------------------------------------


def test_only_the_events_in_focus_are_told(told, receiver, login):
    server = told(webhook={"focusEvents": ["msg.offline"]})
    login("anna", server).tell("bob")
    receiver.wait_offline(1)
    eventually(lambda: outbox_is_empty(server))
    assert {post.event for post in receiver.posts} == {"msg.offline"}


def test_without_an_address_nothing_is_collected(start_server, receiver, login):
    server = start_server()
    anna = login("anna", server)
    anna.tell("bob")
    anna.close()
    server.stop()
    server.settings["webhook"] = {"httpAddr": receiver.url, "focusEvents": ["msg.notify", "msg.offline"]}
    server.start()
    login("anna", server).tell("bob", b"second")
    assert [message["payload"] for message in receiver.wait_messages(1)] == [b64(b"second")]
    receiver.wait_offline(1)
    eventually(lambda: outbox_is_empty(server))
    assert [message["payload"] for message in receiver.messages()] == [b64(b"second")]
    assert len(receiver.offline()) == 1


def test_an_address_that_is_none_stops_the_start(start_server):
    broken = start_server.prepare(webhook={"httpAddr": "http://"})
    broken.launch()
    assert broken.process.wait(30 * SCALE) != 0
    broken.process = None
    assert "webhook" in broken.log()


def test_no_more_offline_events_are_under_way_than_configured(told, receiver, login):
    under_way, peak, lock = [], [], threading.Lock()

    def reply(post):
        with lock:
            under_way.append(post)
            peak.append(len(under_way))
        time.sleep(0.02)  # what a back end needs for it; the next one would come meanwhile
        with lock:
            under_way.remove(post)
        return 200, b""

    receiver.reply = reply
    server = told(webhook={"focusEvents": ["msg.offline"]}, eventPoolSize=1)
    anna = login("anna", server)
    for number in range(20):
        anna.tell(f"bob{number}")
    receiver.wait_offline(20)
    assert max(peak) == 1
