"""What is too long, too many, or not known: every endpoint says which, in the words of its own.

That nothing but a refusal comes is seen for each field elsewhere (test_the_api_is_as_its_document_says.py); this is about the words.
"""

import base64
import concurrent.futures
import contextlib
import socket

import pytest

from harness.api import Api
from harness.server import Server
from harness.waiting import SOON, in_one_of_some

pytestmark = pytest.mark.jingu_only(reason="the reference has no limits")

NAME, PAIR = "n" * 513, "n" * 1026  # one more than a name, and than the id of two people with what is behind it
GROUP = {"channel_id": "g", "channel_type": 2}
MEMBERS = {"subscribers": ["u"], "uids": ["u"]}
SEND = GROUP | {"payload": "aGk="}
EVENT = GROUP | {"client_msg_no": "no", "event_id": "e", "event_type": "stream.delta", "payload": {"kind": "text", "delta": "x"}}
TOO_LARGE = "the payload is larger than 1048576 bytes"
LARGE = base64.b64encode(bytes(1048577)).decode()
ID, WHO, MANY = "channel_id is longer than 512 bytes", "a uid is longer than 512 bytes", "more than 10000 channels are asked for"
LISTS = [f"/channel/{which}list_{verb}" for which in ("black", "white") for verb in ("add", "set", "remove")]
DEAD_ID = "there is no such id: one is written like 1-2046861562479546375-0"

POSTS = [
    ("/user/token", {"uid": NAME, "token": "t"}, "uid is longer than 512 bytes"),
    ("/user/device_quit", {"uid": NAME}, "uid is longer than 512 bytes"),
    ("/user/systemuids_add", {"uids": [NAME]}, WHO),
    ("/user/systemuids_remove", {"uids": [NAME]}, WHO),
    ("/user/systemuids_add_to_cache", {"uids": [NAME]}, WHO),
    ("/user/systemuids_remove_from_cache", {"uids": [NAME]}, WHO),
    ("/user/update_plugin_no", {"uid": NAME}, "uid is longer than 512 bytes"),
    ("/user/update_plugin_no", {"uid": "u", "plugin_no": "p" * 256}, "plugin_no is longer than 255 bytes"),
    *[(path, GROUP | MEMBERS | {"channel_id": NAME}, ID) for path in (
        "/channel", "/channel/info", "/channel/delete", "/channel/subscriber_add", "/channel/subscriber_remove",
        "/channel/subscriber_remove_all", "/tmpchannel/subscriber_set", "/channel/blacklist_remove_all", "/channel/whitelist_remove_all",
        *LISTS)],
    *[(path, GROUP | {"subscribers": [NAME]}, WHO) for path in ("/channel", "/channel/subscriber_add", "/channel/subscriber_remove")],
    *[(path, GROUP | {"uids": [NAME]}, WHO) for path in ("/tmpchannel/subscriber_set", *LISTS)],
    *[(path, SEND | fields, text) for path in ("/message/send", "/streammessage/start") for fields, text in [
        ({"channel_id": NAME}, ID),
        ({"from_uid": NAME}, "from_uid is longer than 512 bytes"),
        ({"client_msg_no": NAME}, "client_msg_no is longer than 512 bytes"),
        ({"payload": LARGE}, TOO_LARGE)]],
    ("/message/send", {"header": {"sync_once": 1}, "payload": "aGk=", "subscribers": [NAME]}, WHO),
    ("/message/sendbatch", {"from_uid": NAME, "subscribers": ["u"], "payload": "aGk="}, "from_uid is longer than 512 bytes"),
    ("/message/sendbatch", {"from_uid": "u", "subscribers": ["u"], "payload": LARGE}, TOO_LARGE),
    *[("/message/event", EVENT | {field: value}, text) for field, value, text in [
        ("channel_id", NAME, ID), ("from_uid", NAME, "from_uid is longer than 512 bytes"),
        ("client_msg_no", NAME, "client_msg_no is longer than 512 bytes"), ("event_id", "e" * 129, "event_id is longer than 128 bytes"),
        ("event_key", "k" * 129, "event_key is longer than 128 bytes"), ("event_type", "t" * 65, "event_type is longer than 64 bytes"),
        ("visibility", "v" * 65, "visibility is longer than 64 bytes"), ("payload", "x" * 1048576, TOO_LARGE)]],
    *[(path, GROUP | {"client_msg_no": "no"} | {field: value}, text) for path in ("/message/eventsync", "/cluster/message/eventsync")
      for field, value, text in [
          ("channel_id", PAIR, "channel_id is too long"), ("client_msg_no", NAME, "client_msg_no is longer than 512 bytes"),
          ("event_key", "k" * 129, "event_key is longer than 128 bytes"), ("from_uid", NAME, "from_uid is longer than 512 bytes")]],
    *[(path, GROUP | {"login_uid": "u", "message_id": 1} | {field: NAME}, f"{field} is longer than 512 bytes")
      for path in ("/channel/messagesync", "/messages", "/message") for field in ("channel_id", "login_uid")],
    ("/messages", GROUP | {"message_seqs": [1] * 5001, "client_msg_nos": ["x"] * 5000}, "more than 10000 messages are asked for"),
    *[(path, {"uid": NAME, "last_message_seq": 1, "channels": [GROUP]}, "uid is longer than 512 bytes") for path in (
        "/message/sync", "/message/syncack", "/conversation/sync", "/conversation/channels", "/conversation/syncByChannels",
        "/conversation/syncMessages")],
    *[(f"/conversations/{verb}", GROUP | {"uid": "u"} | {field: NAME}, f"{field} is longer than 512 bytes")
      for verb in ("clearUnread", "setUnread", "delete") for field in ("uid", "channel_id")],
    ("/conversation/syncByChannels", {"uid": "u", "channels": [GROUP] * 10001}, MANY),
    ("/conversation/syncMessages", {"uid": "u", "channels": [GROUP] * 10001}, MANY),
    ("/conversation/syncMessages", {"uid": "u", "channels": [GROUP | {"channel_id": PAIR * 2}]}, "channel_id is too long"),
    ("/cluster/channel/status", {"channels": [GROUP] * 10001}, "too many channels"),
    ("/cluster/channels/g/2/migrate", None, "there is only one node"),
    ("/backup", {"name": "../etc"}, "give a name: at most 64 letters, digits, '-', '_' and '.'"),
]

GETS = [
    ("/channel/whitelist", {"channel_id": NAME, "channel_type": 2}, ID),
    ("/channel/max_message_seq", {"channel_id": NAME, "channel_type": 2}, ID),
    ("/channel/max_message_seq", {"channel_id": f"{NAME}@{NAME}", "channel_type": 1}, "channel_id is too long"),
    ("/channel/last_message", {"channel_id": NAME, "channel_type": 2}, ID),
    ("/message/byclientmsgno", {"channel_id": PAIR, "channel_type": 2, "client_msg_no": "x"}, "channel_id is too long"),
    ("/conversations", {"uid": NAME}, "uid is longer than 512 bytes"),
    ("/conversations", {}, "uid cannot be empty"),
    ("/cluster/messages", {}, "say which channel (channel_id, channel_type) or which message (message_id)"),
    ("/cluster/messages", {"channel_id": PAIR * 2, "channel_type": 2}, "channel_id is too long"),
    ("/cluster/channels", {"channel_id": PAIR}, "channel_id is too long"),
    ("/cluster/nodes/1001/channels", {"channel_id": PAIR}, "channel_id is too long"),
    ("/cluster/users", {"uid": NAME}, "uid is longer than 512 bytes"),
    ("/cluster/devices", {"uid": NAME}, "uid is longer than 512 bytes"),
    ("/cluster/conversations", {"uid": NAME}, "uid is longer than 512 bytes"),
    *[(f"/cluster/channels/{PAIR}/2/{what}", {}, "channel_id is too long")
      for what in ("subscribers", "denylist", "allowlist", "config", "replicas", "localReplica")],
]


def title(value) -> str:
    return str(value)[:48]


@pytest.mark.parametrize("path, body, text", POSTS, ids=title)
def test_a_body_that_asks_too_much(api, path, body, text):
    api.post(path, body).refused(text)


@pytest.mark.parametrize("path, query, text", GETS, ids=title)
def test_a_query_that_asks_too_much(api, path, query, text):
    api.get(path, **query).refused(text)


def test_a_stream_of_more_keys_than_it_has_room_for(api, name):
    event = EVENT | {"channel_id": name("g"), "client_msg_no": name("no")}
    for index in range(64):
        api.post("/message/event", event | {"event_key": f"k{index}"}).ok()
    api.post("/message/event", event | {"event_key": "more"}).refused("the stream would have more than 64 event keys")


@pytest.mark.parametrize("headers, text", [
    ("Content-Length: 2", "one header Host is required"),
    ("Host: x\r\nHost: y\r\nContent-Length: 2", "one header Host is required"),
    ("Host: x\r\nContent-Length: 4\r\nContent-Length: 2", "there are several headers Content-Length, and they differ"),
    ("Host: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked", "there are Content-Length and Transfer-Encoding"),
    ("Host: x\r\nTransfer-Encoding: gzip", "the Transfer-Encoding is not supported"),
], ids=title)
def test_a_request_whose_end_is_not_clear(server, headers, text):
    with socket.create_connection(("127.0.0.1", server.http_port), timeout=SOON) as connection:
        connection.sendall(f"POST /channel HTTP/1.1\r\n{headers}\r\n\r\n{{}}".encode())
        answer = b""
        with contextlib.suppress(ConnectionError):
            for piece in iter(lambda: connection.recv(4096), b""):
                answer += piece
    assert f'"msg":"{text}"'.encode() in answer


def test_a_second_profile_while_one_is_taken(server, api):
    """Two are asked for at once, and one of them is told to wait, if both came within two seconds."""
    with concurrent.futures.ThreadPoolExecutor(2) as both:
        def profiles() -> bool:
            answers = [both.submit(Api(server).get, "/debug/pprof/profile", seconds=2) for _ in range(2)]
            refused = [answer.result() for answer in answers if answer.result().status != 200]
            for answer in refused:
                answer.refused("another one is under way, try again later")
            return len(refused) == 1

        in_one_of_some(profiles)


# Whose name a token has no room for; the last has one that fits, but for the issuer and what quotes become.
LONG_USERS = ["a" * 256, "a" * 700, '"' * 255]


@pytest.fixture(scope="module")
def managed(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("managed"), managerToken="house", jwt={"issuer": "i" * 500},
                    auth={"users": [f"{name}:pwd:*" for name in ("root", *LONG_USERS)]}, webhook={"httpAddr": "http://127.0.0.1:9/"})
    server.start()
    yield server
    server.stop()


class TestForOperators:
    @pytest.mark.parametrize("body, text", [
        ({}, "give ids, or all: 1"), ({"ids": []}, "give ids, or all: 1"), ({"ids": ["1-2-3"] * 1001}, "more than 1000 ids"),
        ({"ids": ["x"]}, DEAD_ID), ({"ids": ["1-2"]}, DEAD_ID)], ids=title)
    def test_which_dead_letters(self, managed, body, text):
        Api(managed, "house").post("/webhook/resend", body).refused(text)

    def test_from_which_dead_letter_on(self, managed):
        Api(managed, "house").get("/webhook/deadletters", after="x").refused(DEAD_ID)

    @pytest.mark.parametrize("username", LONG_USERS, ids=title)
    def test_a_name_that_no_token_has_room_for(self, managed, username):
        Api(managed, "house").post("/manager/login", {"username": username, "password": "pwd"}).refused("the name is too long for a token")

    @pytest.mark.parametrize("path, text", [
        ("/cluster/slots/1/migrate", "there is only one node"), ("/cluster/slots/1/election", "there is only one node"),
        ("/cluster/channels/g/2/stop", "a channel is stopped by a ban: /channel/info")])
    def test_what_one_node_cannot_do(self, managed, path, text):
        api = Api(managed, "house")
        token = api.post("/manager/login", {"username": "root", "password": "pwd"}).bare()["token"]
        assert api.post(path, {}).body == {"msg": "没有权限", "status": 403}
        api.post(path, {}, headers={"Authorization": f"Bearer {token}"}).refused(text)
