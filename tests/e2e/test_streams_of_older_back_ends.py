"""/streammessage/start, /message/send with a stream_no, /streammessage/end (HTTP API 17.3), as TangSengDaoDao's robots call them."""

import base64
import json
import re

import pytest

from harness.api import Api
from test_event_streams import event

pytestmark = pytest.mark.jingu_only(reason="endpoints of older releases, which the reference does not have any more")

UNKNOWN = "流消息元数据不存在！"


def b64(payload: bytes) -> str:
    return base64.b64encode(payload).decode()


def words(text: str) -> bytes:
    """A message as SDKs write it."""
    return json.dumps({"type": 1, "content": text}).encode()


class Robot:
    def __init__(self, api: Api, channel_id: str, channel_type: int, uid: str = "robot"):
        self.api, self.uid = api, uid
        self.address = {"channel_id": channel_id, "channel_type": channel_type}

    def start(self, payload=words("..."), **fields) -> str:
        body = {"header": {"red_dot": 1}, "from_uid": self.uid, "payload": b64(payload)} | self.address | fields
        answer = self.api.post("/streammessage/start", body).bare()
        assert answer.keys() == {"stream_no"}
        return answer["stream_no"]

    def send(self, stream_no: str, payload: bytes, **fields):
        return self.api.send(payload, self.address["channel_id"], self.address["channel_type"], from_uid=self.uid,
                             stream_no=stream_no, **fields)

    def end(self, stream_no: str, **fields):
        return self.api.post("/streammessage/end", {"stream_no": stream_no} | self.address | fields)

    def messages(self) -> list[dict]:
        return self.api.history(self.uid, self.address["channel_id"], self.address["channel_type"])


@pytest.fixture(params=[1, 2], ids=["person", "group"])
def robot(request, api, name):
    if request.param == 2:
        api.group(name("channel"), name("robot"), name("reader"))
        return Robot(api, name("channel"), 2, name("robot"))
    return Robot(api, name("reader"), 1, name("robot"))


def test_a_stream_from_its_start_to_its_end(robot, login, name, open_client):
    reader = login(name("reader"))
    number = robot.start()
    assert re.fullmatch("[0-9a-f]{32}", number)
    anchor = reader.receive()
    assert (anchor.plain, anchor.client_msg_no) == (words("..."), number)
    first = robot.send(number, words("Hello "), client_msg_no="piece-1")
    second = robot.send(number, words('"world" \n'))
    assert first == {"client_msg_no": "piece-1", "message_id": anchor.message_id}
    assert second["message_id"] == anchor.message_id and re.fullmatch("[0-9a-f]{33}", second["client_msg_no"])
    for text in ("Hello ", '"world" \n'):
        _, kind, _, data = event(reader, client_msg_no=number, from_uid=robot.uid, stream_status="open")
        assert kind == "stream.delta" and data["payload"] == {"kind": "text", "delta": text}
    robot.end(number).ok()
    event(reader, client_msg_no=number, stream_status="closed")
    message, = robot.messages()
    assert base64.b64decode(message["stream_data"]).decode() == 'Hello "world" \n' and message["end"] == 1
    robot.end(number).ok()
    robot.api.post("/message/send", robot.address | {"from_uid": robot.uid, "stream_no": number, "payload": b64(words("late"))}
                   ).refused("stream closed")
    assert len(robot.messages()) == 1


def test_a_number_that_is_given_is_kept(robot, name):
    assert robot.start(client_msg_no=name("no")) == name("no")
    robot.send(name("no"), words("x"))
    assert base64.b64decode(robot.messages()[0]["stream_data"]) == b"x"


@pytest.mark.parametrize("payload, shown", [(b"plain text", b"plain text"), (b'{"type":9}', b'{"type":9}'), (b"\xff", "\ufffd".encode())])
def test_a_piece_that_is_no_text_message(robot, payload, shown):
    number = robot.start()
    robot.send(number, payload)
    assert base64.b64decode(robot.messages()[0]["stream_data"]) == shown


def test_a_stream_that_nobody_knows(robot, name):
    robot.end("nowhere").refused(UNKNOWN)
    robot.end("").refused(UNKNOWN)
    robot.send("nowhere", b"a message like any other")
    assert [message["plain"] for message in robot.messages()] == [b"a message like any other"]
    number = robot.start()
    robot.end(number, channel_id=name("elsewhere")).refused(UNKNOWN)
    robot.end(number, channel_type=4).refused(UNKNOWN)
    Robot(robot.api, name("elsewhere"), 2, name("robot")).send(number, b"in another channel")
    assert "stream_data" not in robot.messages()[-1]


def test_what_is_refused_is_an_error(api, name):
    for blank in ({}, {"channel_id": ""}, {"channel_id": "  "}):
        api.post("/streammessage/start", {"channel_type": 2, "payload": "eA=="} | blank).refused("无法处理发送消息请求！")
    api.post("/streammessage/start", {"channel_id": "a#b", "channel_type": 2, "payload": "eA=="}).refused("频道ID不合法！")
    api.group(name("closed"), name("robot"))
    api.info(name("closed"), 2, ban=1)
    api.post("/streammessage/start", {"channel_id": name("closed"), "channel_type": 2, "payload": "eA=="}).refused("频道已被封禁！")
    api.info(name("closed"), 2, disband=1)
    api.post("/streammessage/start", {"channel_id": name("closed"), "channel_type": 2, "payload": "eA=="}).refused("频道已解散！")
