"""The JSON-RPC dialect (jsonrpc description), over WebSocket and over raw TCP."""

import base64
import json
import time

import pytest

from harness.api import Api
from harness.packets import SETTING_TOPIC, Flag
from harness.server import REFERENCE
from harness.streams import BINARY, CONTINUATION, TEXT
from harness.waiting import SOON

TRANSPORTS = pytest.mark.parametrize("transport", ["ws", "tcp"])
POISONED = pytest.mark.jingu_only(reason="in the reference one bad message poisons the connection")
VERSION_MAX = 5 if REFERENCE else 6


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@TRANSPORTS
class TestConnect:
    def test_the_result_has_what_sdks_need(self, open_json, name, transport):
        client = open_json(name("anna"), transport=transport)
        before = int(time.time() * 1000)
        answer = client.request("connect", {"uid": client.uid, "token": "t", "deviceId": "d", "deviceFlag": 1,
                                            "clientTimestamp": before - 5000}, id="83a58d59")
        took = int(time.time() * 1000) - before
        assert answer["id"] == "83a58d59"
        result = answer["result"]
        assert result["reasonCode"] == 1
        assert 4000 < result["timeDiff"] < 6000 + took
        assert result["nodeId"] > 0
        assert result.get("serverKey", "") == "" and result.get("salt", "") == "", "JSON is never encrypted"

    @pytest.mark.parametrize("version, spoken", [(None, VERSION_MAX), (0, VERSION_MAX), (1, 1), (3, 3), (4, 4), (5, 5)])
    def test_the_version_is_negotiated(self, open_json, name, transport, version, spoken):
        client = open_json(name("anna"), transport=transport)
        params = {"uid": client.uid} | ({} if version is None else {"version": version})
        answered = client.request("connect", params)["result"]["serverVersion"]
        assert answered == spoken or (not version and answered == 5)

    @pytest.mark.jingu_only(reason="the reference leaves out a zero")
    def test_the_clock_difference_is_there_even_when_it_is_nothing(self, open_json, name, transport):
        client = open_json(name("anna"), transport=transport)
        result = client.request("connect", {"uid": client.uid, "clientTimestamp": int(time.time() * 1000)})["result"]
        assert isinstance(result["timeDiff"], int)

    @pytest.mark.parametrize("uid", ["", "  ", "an@na", "a#b", "a&b"])
    def test_a_blank_or_illegal_uid_is_closed(self, open_json, transport, uid):
        client = open_json(uid, transport=transport)
        client.write({"method": "connect", "params": {"uid": uid}, "id": "1"})
        client.expect_close()
        assert all("error" in value for value in client._inbox)

    def test_a_wrong_token_is_an_error_object_never_a_result(self, token_server, open_json, name, transport):
        Api(token_server).token(name("anna"), "secret", device_flag=1)
        client = open_json(name("anna"), token_server, transport)
        client.write({"method": "connect", "params": {"uid": client.uid, "token": "wrong", "deviceFlag": 1}, "id": "c-1"})
        if REFERENCE:
            client.expect_close(within=9)
            return
        answer = client.answer("c-1")
        assert answer["error"]["code"] == 2 and answer["error"]["message"]
        client.expect_close()

    def test_a_banned_user_is_told_so(self, api, open_json, name, transport):
        api.info(name("anna"), 1, ban=1)
        client = open_json(name("anna"), transport=transport)
        client.write({"method": "connect", "params": {"uid": client.uid}, "id": "c-1"})
        if REFERENCE:
            client.expect_close(within=9)
            return
        assert client.answer("c-1")["error"]["code"] == 19
        client.expect_close()

    def test_anything_else_first_is_closed(self, open_json, name, transport):
        for first in ({"method": "ping", "params": {}, "id": "1"}, {"method": "send", "params": {}, "id": "1"},
                      {"method": "recvack", "params": {}}, {"jsonrpc": "2.0", "id": "1", "result": {}}):
            client = open_json(name("anna"), transport=transport)
            client.write(first)
            client.expect_close()

    @pytest.mark.parametrize("text", ['{"method":"connect","id":"1"}', '{"nonsense":1}', '{"method":connect}',
                                      '{"method":"connect","params":{"uid":1},"id":"1"}', '{"jsonrpc":"1.0","method":"connect","params":{"uid":"u"},"id":"1"}'])
    def test_a_bad_first_message_is_closed(self, open_json, name, transport, text):
        client = open_json(name("anna"), transport=transport)
        client.write_text(text)
        client.expect_close()

    def test_blanks_before_the_first_brace(self, open_json, name, transport):
        client = open_json(name("anna"), transport=transport)
        client.write_text(' \t\r\n{"method":"connect","params":{"uid":"%s"},"id":"1"}' % client.uid)
        assert client.answer("1")["result"]["reasonCode"] == 1

    @pytest.mark.jingu_only(reason="the reference throws away what follows connect")
    def test_messages_behind_connect_are_kept(self, open_json, name, transport):
        client = open_json(name("anna"), transport=transport)
        client.write({"method": "connect", "params": {"uid": client.uid}, "id": "1"},
                     {"method": "ping", "params": {}, "id": "2"},
                     {"method": "send", "params": {"channelId": name("bob"), "channelType": 1, "payload": "aGk="}, "id": "3"})
        assert client.answer("1")["result"]["reasonCode"] == 1
        assert "error" not in client.answer("2")
        assert client.answer("3")["result"]["messageSeq"] == 1

    def test_a_second_connect_changes_nothing(self, login_json, name, transport):
        client = login_json(name("anna"), transport=transport)
        client.write({"method": "connect", "params": {"uid": "other"}, "id": "again"})
        assert client.tell(name("bob"))["messageSeq"] == 1


@TRANSPORTS
class TestSend:
    def test_the_documented_example(self, login_json, name, transport):
        anna, bob = (login_json(name(word), transport=transport) for word in ("anna", "bob"))
        answer = anna.request("send", {"clientMsgNo": "m-0001", "channelId": bob.uid, "channelType": 1,
                                       "payload": "eyJ0eXBlIjoxLCJjb250ZW50IjoiaGVsbG8ifQ==", "header": {"redDot": True}}, id="s-1")
        result = answer["result"]
        assert result == {"header": {"redDot": True}, "messageId": result["messageId"], "messageSeq": 1, "reasonCode": 1}
        message = bob.notification("recv")
        assert abs(message.pop("timestamp") - time.time()) < 60
        assert message == {"header": {"redDot": True}, "messageId": result["messageId"], "messageSeq": 1, "clientMsgNo": "m-0001",
                           "channelId": anna.uid, "channelType": 1, "fromUid": anna.uid,
                           "payload": "eyJ0eXBlIjoxLCJjb250ZW50IjoiaGVsbG8ifQ=="}
        assert int(result["messageId"]) > 1 << 53

    def test_every_key(self, api, login_json, login, name, transport):
        anna, bob = login_json(name("anna"), transport=transport), login(name("bob"))
        params = {"header": {"noPersist": True, "redDot": True, "syncOnce": True, "dup": True, "end": True},
                  "setting": {"receipt": True, "signal": True, "topic": True}, "msgKey": "k", "expire": 60, "clientMsgNo": "c",
                  "channelId": bob.uid, "channelType": 1, "topic": "t", "payload": "aGk=", "unknown": 1}
        result = anna.request("send", params, jsonrpc="2.0")["result"]
        assert result["header"] == {"noPersist": True, "redDot": True, "syncOnce": True, "dup": True, "end": True}
        assert (result["reasonCode"], result["messageSeq"]) == (1, 0)
        message = bob.receive()
        assert (message.plain, message.topic, message.expire, message.client_msg_no) == (b"hi", "t", 60, "c")
        assert message.flags == Flag.NO_PERSIST | Flag.RED_DOT | Flag.SYNC_ONCE
        assert message.setting == 0x80 | 0x20 | SETTING_TOPIC

    def test_a_refusal_is_a_result(self, login_json, name, transport):
        anna = login_json(name("anna"), transport=transport)
        result = anna.say(name("nogroup"), channel_type=2)
        assert (result["reasonCode"], result["messageSeq"]) == (3, 0)
        assert int(result["messageId"]) > 0

    def test_a_missing_number_is_made_up(self, login_json, login, name, transport):
        anna, bob = login_json(name("anna"), transport=transport), login(name("bob"))
        anna.tell(bob.uid)
        first = bob.receive().client_msg_no
        assert len(first) == 32 and int(first, 16) >= 0
        anna.tell(bob.uid, clientMsgNo="")
        assert bob.receive().client_msg_no not in ("", first)

    @pytest.mark.parametrize("payload, stored", [("aG\nk=", b"hi"), ([104, 105], b"hi"), (None, b""), ("", b"")])
    def test_other_forms_of_payload(self, login_json, login, name, transport, payload, stored):
        anna, bob = login_json(name("anna"), transport=transport), login(name("bob"))
        assert anna.request("send", {"channelId": bob.uid, "channelType": 1, "payload": payload})["result"]["reasonCode"] == 1
        assert bob.receive().plain == stored

    @POISONED
    @pytest.mark.parametrize("params", [
        {"payload": "hello!"}, {"payload": "aGk"}, {"payload": 5}, {"channelType": "1"}, {"channelType": 1.0}, {"channelId": 5},
        {"header": 1}, {"header": {"redDot": 1}}, {"setting": 8}, {"expire": -1}, {"expire": 1 << 32}, {"clientMsgNo": 1},
    ])
    def test_a_wrong_type_is_an_error_and_the_connection_stays(self, login_json, name, transport, params):
        anna = login_json(name("anna"), transport=transport)
        good = {"channelId": name("bob"), "channelType": 1, "payload": "aGk="}
        answer = anna.request("send", good | params)
        assert answer["error"]["message"] and isinstance(answer["error"]["code"], int)
        assert anna.tell(name("bob"))["messageSeq"] == 1

    def test_no_answer_is_given_for_what_the_sender_hears_elsewhere(self, login_json, name, transport):
        anna, other = (login_json(name("anna"), transport=transport) for _ in range(2))
        result = anna.tell(name("bob"), header={"redDot": True})
        message = other.receive()
        assert (message["channelId"], message["messageId"]) == (name("bob"), result["messageId"])
        assert not message.get("header", {}).get("redDot")
        anna.request("ping", {})
        assert not [value for value in anna._inbox if value.get("method") == "recv"]

    @pytest.mark.jingu_only(reason="object payloads are Jingu's courtesy to older SDKs")
    def test_an_object_payload_is_stored_as_its_text_and_answered_in_kind(self, api, login_json, name, transport):
        old, new = login_json(name("old"), transport=transport), login_json(name("new"), transport=transport)
        result = old.request("send", {"channelId": new.uid, "channelType": 1, "payload": {"type": 1, "content": "hi"}})["result"]
        assert result["reasonCode"] == 1
        assert json.loads(new.receive()["plain"]) == {"type": 1, "content": "hi"}, "who speaks base64 gets base64"
        assert json.loads(api.history(new.uid, old.uid)[0]["plain"]) == {"type": 1, "content": "hi"}
        new.tell(old.uid, b'{"type":1,"content":"back"}')
        assert old.notification("recv")["payload"] == {"type": 1, "content": "back"}

    @pytest.mark.jingu_only(reason="the reference takes 50 MiB")
    @pytest.mark.parametrize("form", ["base64", "object"])
    def test_a_payload_of_one_mebibyte_is_taken_and_a_larger_one_refused(self, api, login_json, name, transport, form):
        """Also the largest that an object has room for: with long names beside it, it would not fit a row of the log."""
        anna = login_json(name("anna").ljust(512, "a"), transport=transport)
        channel = name("bob").ljust(512, "b")
        largest = (1 << 21) - 2000 if form == "object" else ((1 << 21) - 2000) // 4 * 3
        for size, reason in (1 << 20, 1), ((1 << 20) + 1, 15), (largest, 15):
            payload = {"a": "x" * (size - len('{"a":""}'))} if form == "object" else b64(b"x" * size)
            params = {"channelId": channel, "channelType": 1, "clientMsgNo": str(size).rjust(512, "n"), "payload": payload}
            assert anna.request("send", params)["result"]["reasonCode"] == reason, size
        assert [len(message["plain"]) for message in api.history(anna.uid, channel)] == [1 << 20]


@TRANSPORTS
class TestReceive:
    def test_binary_and_json_talk_to_each_other(self, login, login_json, name, transport):
        anna, bob = login(name("anna")), login_json(name("bob"), transport=transport)
        ack = anna.tell(bob.uid, bytes(range(256)), setting=SETTING_TOPIC, topic="t<1>&", expire=60)
        message = bob.receive()
        assert message["plain"] == bytes(range(256))
        assert (message["messageId"], message["messageSeq"]) == (str(ack.message_id), ack.message_seq)
        assert (message["topic"], message["expire"], message["setting"]) == ("t<1>&", 60, {"topic": True})
        bob.tell(anna.uid, b"back")
        assert anna.receive().plain == b"back"

    def test_the_system_has_an_empty_name(self, api, login_json, name, transport):
        bob = login_json(name("bob"), transport=transport)
        api.send(b"x", bob.uid, 1)
        message = bob.receive()
        assert (message["fromUid"], message["channelId"]) == ("", "")

    @pytest.mark.jingu_only(reason="the reference leaves the header out when it is empty; three SDKs cannot read that")
    def test_there_is_always_a_header(self, login, login_json, name, transport):
        bob = login_json(name("bob"), transport=transport)
        login(name("anna")).tell(bob.uid, flags=0)
        assert bob.notification("recv")["header"] == {}

    def test_group_messages(self, api, login, login_json, name, transport):
        anna, bob = login(name("anna")), login_json(name("bob"), transport=transport)
        group = api.group(name("group"), anna.uid, bob.uid)
        anna.tell(group, b"hi", 2)
        message = bob.receive()
        assert (message["channelId"], message["channelType"], message["fromUid"]) == (group, 2, anna.uid)

    @pytest.mark.jingu_only(reason="the reference knows recvack only as a notification")
    def test_a_recvack_with_an_id_is_answered(self, login, login_json, name, transport):
        bob = login_json(name("bob"), transport=transport, acknowledges=False)
        login(name("anna")).tell(bob.uid)
        message = bob.notification("recv")
        answer = bob.request("recvack", {"messageId": message["messageId"], "messageSeq": message["messageSeq"]})
        assert "error" not in answer

    def test_strange_strings_stay_valid_json(self, login, login_json, name, transport):
        bob = login_json(name("bob"), transport=transport)
        text = 'quote " backslash \\ newline \n \u2028 \U0001f600 <&>'
        login(name("anna")).tell(bob.uid, b"x", client_msg_no=text)
        assert bob.receive()["clientMsgNo"] == text


@TRANSPORTS
class TestTheRest:
    def test_ping(self, login_json, name, transport):
        anna = login_json(name("anna"), transport=transport)
        for params in ({}, None):
            answer = anna.request("ping", params) if params is not None else anna.request("ping", {})
            assert answer.keys() - {"result"} == {"jsonrpc", "id"}

    @pytest.mark.jingu_only(reason="the reference answers without a result, which the Python SDK refuses")
    def test_a_ping_has_a_result(self, login_json, name, transport):
        anna = login_json(name("anna"), transport=transport)
        for extra in ({}, {"params": None}, {"params": {}}):
            anna.write({"method": "ping", "id": "p"} | extra)
            assert anna.answer("p")["result"] is None

    @pytest.mark.parametrize("id", ["x" * 255, 'quote"\\', "é悟空", " ", "0"])
    def test_any_string_is_an_id(self, login_json, name, transport, id):
        assert login_json(name("anna"), transport=transport).request("ping", {}, id=id)["id"] == id

    def test_key_names_ignore_case_and_unknown_keys_are_ignored(self, open_json, name, transport):
        client = open_json(name("anna"), transport=transport)
        client.write({"METHOD": "connect", "Params": {"UID": client.uid, "DeviceFlag": 1, "future": {}}, "Id": "1", "more": []})
        assert client.answer("1")["result"]["reasonCode"] == 1

    @POISONED
    @pytest.mark.parametrize("message", [
        {"method": "foo", "params": {}, "id": "x"},
        {"method": "subscribe", "params": {"subNo": "n", "channelId": "g", "channelType": 2}, "id": "x"},
        {"method": "unsubscribe", "params": {"subNo": "n", "channelId": "g", "channelType": 2}, "id": "x"},
        {"method": "recv", "params": {}, "id": "x"}, {"method": "Send", "params": {}, "id": "x"},
        {"jsonrpc": "1.0", "method": "ping", "params": {}, "id": "x"}, {"method": "send", "id": "x"},
    ])
    def test_an_unknown_request_is_an_error_and_the_connection_stays(self, login_json, name, transport, message):
        anna = login_json(name("anna"), transport=transport)
        anna.write(message)
        assert anna.answer("x")["error"]["message"]
        assert anna.tell(name("bob"))["messageSeq"] == 1

    @POISONED
    @pytest.mark.parametrize("message", [
        {"method": "foo", "params": {}}, {"method": "ping"}, {"id": "1", "result": {}}, {},
        {"id": "1", "result": {}, "error": {}}, {"method": 5, "id": "1"}, {"method": "ping", "params": {}, "id": None},
        {"method": "recvack", "params": {"messageId": 5}},
    ])
    def test_other_nonsense_leaves_the_connection_usable(self, login_json, name, transport, message):
        anna = login_json(name("anna"), transport=transport)
        anna.write(message)
        assert anna.tell(name("bob"))["messageSeq"] == 1

    @POISONED
    def test_good_messages_before_and_after_a_bad_one_are_done(self, login_json, name, transport):
        anna = login_json(name("anna"), transport=transport)
        send = lambda id: {"method": "send", "params": {"channelId": name("bob"), "channelType": 1, "payload": ""}, "id": id}  # noqa: E731
        anna.write(send("a"), {"method": "foo", "id": "b", "params": {}}, send("c"), separator="\n")
        assert anna.answer("a")["result"]["messageSeq"] == 1
        assert "error" in anna.answer("b")
        assert anna.answer("c")["result"]["messageSeq"] == 2

    @POISONED
    @pytest.mark.parametrize("text", ["{nonsense}", '{"method":}', "[1,2]", '"text"', "}{"])
    def test_a_syntax_error_ends_the_connection_after_an_error(self, login_json, name, transport, text):
        anna = login_json(name("anna"), transport=transport)
        anna.write_text(text)
        anna.expect_close()
        assert not anna._inbox or "error" in anna._inbox[-1]

    @pytest.mark.jingu_only(reason="the reference complains about what is only incomplete")
    def test_an_object_over_many_reads(self, login_json, name, transport):
        anna = login_json(name("anna"), transport=transport)
        for character in '{"method":"ping","params":{},"id":"p{}\\"[]"}':
            anna.write_text(character)
        assert anna.answer('p{}"[]')

    def test_many_objects_in_one_message(self, login_json, name, transport):
        anna = login_json(name("anna"), transport=transport)
        for separator in ("", " ", "\n"):
            anna.write(*[{"method": "ping", "params": {}, "id": f"p{i}"} for i in range(5)], separator=separator)
            for i in range(5):
                anna.answer(f"p{i}")

    @pytest.mark.jingu_only(reason="the reference stays open")
    @pytest.mark.parametrize("extra", [{"id": "1"}, {}])
    def test_goodbye_is_a_close(self, login_json, name, transport, extra):
        anna = login_json(name("anna"), transport=transport)
        anna.write({"method": "disconnect", "params": {"reasonCode": 0, "reason": ""}} | extra)
        anna.expect_close()

    @pytest.mark.jingu_only(reason="the reference accepts up to 50 MiB")
    def test_an_endless_object_is_closed(self, server, login_json, name, transport):
        anna = login_json(name("anna"), transport=transport)
        try:
            anna.write_text('{"method":"send","id":"1","params":{"payload":"')
            for _ in range(80):
                anna.write_text("A" * 65_536)
        except Exception:
            return
        anna.expect_close(within=SOON)

    @pytest.mark.jingu_only(reason="a courtesy of Jingu")
    def test_a_number_as_id_is_echoed_as_a_number(self, login_json, name, transport):
        anna = login_json(name("anna"), transport=transport)
        anna.write({"method": "ping", "params": {}, "id": 7})
        value = anna.expect(lambda value: "method" not in value)
        assert value.get("id") == 7 or "error" in value

    @pytest.mark.jingu_only(reason="the reference is not asked for Android's dialect")
    def test_snake_case_names_work_too(self, open_json, login, name, transport):
        client, bob = open_json(name("anna"), transport=transport), login(name("bob"))
        assert client.request("connect", {"uid": client.uid, "device_id": "d", "device_flag": 0})["result"]["reasonCode"] == 1
        assert client.request("send", {"client_msg_no": "n-1", "channel_id": bob.uid, "channel_type": 1, "payload": "aGk="}
                              )["result"]["reasonCode"] == 1
        assert (lambda m: (m.plain, m.client_msg_no))(bob.receive()) == (b"hi", "n-1")


def test_switched_off_it_is_only_noise(start_server, open_json, name):
    server = start_server(disableJSONRPC=True)
    client = open_json(name("anna"), server)
    client.write({"method": "connect", "params": {"uid": client.uid}, "id": "1"})
    client.expect_close()
    assert client._inbox == []


def test_on_websocket_text_goes_out_whatever_comes_in(login_json, open_json, name):
    client = open_json(name("anna"), stream_options={"opcode": BINARY})
    client.login()
    client.tell(name("bob"))
    assert set(client.stream.opcodes) == {TEXT}


@pytest.mark.jingu_only(reason="the reference never finishes a fragmented message")
def test_fragments_of_one_object(login_json, name):
    client = login_json(name("anna"))
    text = b'{"method":"ping","params":{},"id":"p"}'
    client.stream.send_frame(TEXT, text[:7], fin=False)
    client.stream.send_frame(CONTINUATION, text[7:])
    assert client.answer("p")
