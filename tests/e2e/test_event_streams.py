"""Event streams (HTTP API 11): what a back end tells about a message after it was sent, as AI answers are told."""

import base64
import itertools
import json
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.api import Api
from harness.packets import Kind
from harness.server import SHARDS
from harness.waiting import SOON, eventually

SANITIZED = "san/" in os.environ.get("JINGU_BIN", "")

pytestmark = pytest.mark.jingu_only(reason="streams survive a restart here, and events of old clients are kept from them")

FINAL = [("stream.close", "closed"), ("stream.error", "error"), ("stream.cancel", "cancelled")]
VALID = {"channel_id": "g", "channel_type": 2, "client_msg_no": "m", "event_id": "e", "event_type": "stream.delta"}
SYNC = {"channel_id": "g", "channel_type": 2, "client_msg_no": "m"}


def text(delta):
    return {"kind": "text", "delta": delta}


class Stream:
    """The stream of one message in a channel, as its back end writes it."""

    def __init__(self, api, channel_id, channel_type=2, *, no, from_uid="bot"):
        self.api = api
        self.address = {"channel_id": channel_id, "channel_type": channel_type, "from_uid": from_uid}
        self.no = no
        self.count = 0

    def anchor(self, payload=b"..."):
        return self.api.send(payload, is_stream=1, client_msg_no=self.no, **self.address)

    def call(self, event_type, payload=None, **fields):
        self.count += 1
        body = self.address | {"client_msg_no": self.no, "event_id": f"e{self.count}", "event_type": event_type} | fields
        return self.api.post("/message/event", body | ({} if payload is None else {"payload": payload}))

    def tell(self, event_type, payload=None, **fields):
        return self.call(event_type, payload, **fields).ok()

    def say(self, *deltas, **fields):
        for delta in deltas:
            answer = self.tell("stream.delta", text(delta), **fields)
        return answer

    def sync(self, **fields):
        return self.api.post("/message/eventsync", self.address | {"client_msg_no": self.no} | fields).ok()

    def events(self, **fields):
        return self.sync(**fields)["events"]

    def message(self, login_uid="reader", **fields):
        """The message with this number as /channel/messagesync shows it."""
        body = self.address | {"login_uid": login_uid, "limit": 100} | fields
        if self.address["channel_type"] == 1:
            body |= {"login_uid": self.address["from_uid"]}
        page = self.api.post("/channel/messagesync", body).bare()
        return next(message for message in page["messages"] if message["client_msg_no"] == self.no)

    def lane(self, key="main", **fields):
        events = self.message(**fields)["event_meta"]["events"]
        return next(lane for lane in events if lane["event_key"] == key)


@pytest.fixture
def stream(api, name):
    return Stream(api, name("group"), no=name("no"))


@pytest.fixture
def group(api, name):
    def group_(*members, on=None):
        channel = (on or api).group(name("group"), *members)
        return Stream(on or api, channel, no=name("no"))
    return group_


def event(client, **expected):
    """The next EVENT, its data decoded."""
    if hasattr(client, "notification"):
        told = client.notification("event")
        packet = (told["id"], told["type"], told["timestamp"], json.loads(told["data"]))
    else:
        told = client.expect(Kind.EVENT)
        packet = (told.id, told.type, told.timestamp, json.loads(told.data))
    for key, value in expected.items():
        assert packet[3][key] == value, packet
    return packet


class TestWhatIsRefused:
    @pytest.mark.parametrize("field, text", [
        ("channel_id", "channel_id不能为空！"), ("client_msg_no", "client_msg_no不能为空！"),
        ("event_id", "event_id不能为空！"), ("event_type", "event_type不能为空！")])
    @pytest.mark.parametrize("value", ["missing", None, "", "  "])
    def test_an_event_without(self, api, field, text, value):
        body = dict(VALID)
        body.pop(field) if value == "missing" else body.update({field: value})
        api.post("/message/event", body).refused(text)

    @pytest.mark.parametrize("field, text", [
        ("channel_id", "channel_id不能为空！"), ("client_msg_no", "client_msg_no不能为空！")])
    @pytest.mark.parametrize("value", ["missing", None, "", "  "])
    def test_a_sync_without(self, api, field, text, value):
        body = dict(SYNC)
        body.pop(field) if value == "missing" else body.update({field: value})
        api.post("/message/eventsync", body).refused(text)

    def test_a_negative_limit(self, api):
        api.post("/message/eventsync", SYNC | {"limit": -1}).refused("limit不能为负数！")

    @pytest.mark.parametrize("field, value", [
        ("channel_id", "x" * 513), ("from_uid", "x" * 513), ("client_msg_no", "x" * 513), ("event_id", "x" * 129),
        ("event_key", "x" * 129), ("event_type", "x" * 65), ("visibility", "x" * 65), ("payload", "x" * 1048576)])
    def test_what_is_too_long(self, api, field, value):
        api.post("/message/event", VALID | {field: value}).refused()

    @pytest.mark.parametrize("fields", [
        {"channel_id": "a#b"}, {"channel_id": "x____cmd"}, {"channel_type": 1, "channel_id": "a@b", "from_uid": "u"},
        {"channel_type": 1, "from_uid": "a@b"}, {"channel_type": 11, "from_uid": "a#b"}])
    def test_what_is_no_channel(self, api, fields):
        api.post("/message/event", VALID | fields).refused("频道ID不合法！")

    def test_a_delta_for_what_has_ended(self, stream):
        stream.tell("stream.close")
        stream.call("stream.delta", text("late")).refused("stream closed")

    def test_a_delta_that_names_another_channel(self, api, stream, name):
        stream.say("here")
        elsewhere = Stream(api, name("elsewhere"), no=stream.no)
        elsewhere.call("stream.delta", text("there")).refused("message event channel mismatch")
        assert elsewhere.events() == []

    def test_the_65th_lane(self, stream):
        for index in range(64):
            stream.say("x", event_key=f"lane{index}")
        stream.call("stream.delta", text("x"), event_key="one more").refused()
        stream.say("y", event_key="lane63")

    def test_more_than_a_stream_may_hold(self, stream):
        stream.anchor()
        half = "x" * 600_000
        stream.say("begin ", half)
        stream.call("stream.delta", text(half)).refused("the stream would be too large")
        stream.call("stream.snapshot", {"text": "y" * 1_000_000}).refused("the stream would be too large")
        stream.tell("stream.close")
        assert base64.b64decode(stream.message()["stream_data"]).decode() == "begin " + half


class TestOneLane:
    def test_the_example_of_the_documentation(self, api, name):
        peer, number = name("u1001"), name("ai-1")
        answer = api.post("/message/event", {
            "channel_id": peer, "channel_type": 1, "from_uid": "bot", "client_msg_no": number, "event_id": "e1",
            "event_type": "stream.delta", "payload": text("Hello ")})
        assert answer.body == {"status": 200, "data": {
            "client_msg_no": number, "event_key": "main", "event_id": "e1", "msg_event_seq": 0, "stream_status": "open",
            "channel_id": peer, "channel_type": 1, "from_uid": "bot"}}

    def test_text_gathers_until_its_close(self, stream):
        sent = stream.anchor()
        stream.say("Hello ", "wor", "ld")
        assert stream.tell("stream.close", {"end_reason": 3})["stream_status"] == "closed"
        message = stream.message()
        assert message["message_id"] == sent["message_id"] and message["setting"] & 2
        assert message["stream_data"] == base64.b64encode(b"Hello world").decode()
        assert message["end"] == 1 and message["end_reason"] == 3 and "error" not in message
        assert message["event_meta"] == {
            "has_events": True, "completed": False, "event_version": 1, "last_msg_event_seq": 1, "event_count": 1,
            "events": [{"event_key": "main", "status": "closed", "last_msg_event_seq": 1, "end_reason": 3,
                        "snapshot": {"kind": "text", "text": "Hello world"}}]}
        assert message["event_sync_hint"] == {"client_msg_no": stream.no, "from_msg_event_seq": 0}

    def test_it_can_be_read_while_it_is_open(self, stream):
        stream.anchor()
        stream.say("Hel", "lo")
        message = stream.message()
        assert base64.b64decode(message["stream_data"]) == b"Hello"
        assert "end" not in message
        assert message["event_meta"] == {
            "has_events": True, "completed": False, "event_count": 1, "open_event_count": 1,
            "events": [{"event_key": "main", "status": "open", "snapshot": {"kind": "text", "text": "Hello"}}]}

    def test_a_message_without_events_has_no_stream_fields(self, stream):
        stream.anchor()
        assert not {"event_meta", "event_sync_hint", "stream_data", "end"} & stream.message().keys()

    @pytest.mark.parametrize("event_type, status", FINAL)
    def test_each_end(self, stream, event_type, status):
        stream.anchor()
        stream.say("so far")
        answer = stream.tell(event_type, {"error": "out of words", "end_reason": "7"})
        assert answer["msg_event_seq"] == 1 and answer["stream_status"] == status
        lane = stream.lane()
        assert lane["status"] == status and lane["snapshot"] == {"kind": "text", "text": "so far"}
        assert lane.get("error") == ("out of words" if status == "error" else None)
        assert lane.get("end_reason") == (7 if status == "closed" else None)
        assert stream.message()["end"] == 1

    @pytest.mark.parametrize("event_type, status", FINAL)
    def test_what_comes_after_the_end_changes_nothing(self, stream, event_type, status):
        stream.anchor()
        stream.say("final")
        stream.tell(event_type, event_id="the end")
        before = stream.message()
        for late, _ in [*FINAL, ("stream.snapshot", ""), ("stream.open", "")]:
            answer = stream.tell(late, {"snapshot": "other", "end_reason": 9}, event_id=f"late {late}")
            assert answer["stream_status"] == status and answer["msg_event_seq"] == 1
            assert answer["event_id"] == f"late {late}", "who asked tells his answers by it"
        assert stream.message() == before

    def test_a_repeated_event_is_applied_once(self, stream):
        first = stream.tell("stream.snapshot", {"n": 1}, event_id="same")
        assert stream.tell("stream.snapshot", {"n": 2}, event_id="same") == first
        assert [e["payload"] for e in stream.events()] == [{"n": 1}]
        assert stream.tell("stream.snapshot", {"n": 3}, event_id="other")["msg_event_seq"] == 2
        assert stream.tell("stream.snapshot", {"n": 4}, event_id="same")["msg_event_seq"] == 3, "only the last id counts"

    def test_deltas_are_not_deduplicated(self, stream):
        stream.anchor()
        stream.say("a", event_id="same")
        stream.say("a", event_id="same")
        assert stream.lane()["snapshot"]["text"] == "aa"

    def test_a_delta_tells_the_lanes_last_number(self, stream):
        assert stream.say("a")["msg_event_seq"] == 0
        assert stream.tell("stream.snapshot", {"kind": "text", "text": "b"})["msg_event_seq"] == 1
        assert stream.say("c")["msg_event_seq"] == 1
        assert stream.say("d", event_key="second")["msg_event_seq"] == 0

    def test_an_unknown_type_is_stored_and_changes_no_status(self, stream):
        stream.anchor()
        assert stream.tell("stream.open", {"any": 1}) | {"msg_event_seq": 1, "stream_status": ""} == stream.tell(
            "stream.open", event_id="e1")
        assert stream.events()[0] | {"occurred_at": 0} == {
            "msg_event_seq": 1, "event_id": "e1", "event_key": "main", "event_type": "stream.open", "visibility": "",
            "occurred_at": 0, "payload": {"status": "", "end_reason": 0}}
        assert stream.say("x")["stream_status"] == "open"

    def test_types_are_known_in_whatever_case(self, stream):
        assert stream.tell(" Stream.CLOSE ", {"snapshot": 1})["stream_status"] == "closed"
        assert stream.events()[0]["event_type"] == "stream.close"

    def test_a_finish_stands_for_the_whole_message(self, stream):
        stream.anchor()
        stream.say("x")
        answer = stream.tell("stream.finish", event_key="ignored")
        assert answer["event_key"] == "__finish__" and answer["stream_status"] == "closed"
        meta = stream.message()["event_meta"]
        assert meta["completed"] is True and meta["event_count"] == 1 and meta["open_event_count"] == 1
        assert [lane["event_key"] for lane in meta["events"]] == ["main"]
        assert [e["event_key"] for e in stream.events()] == ["__finish__"]
        stream.say("the others go on")


class TestContents:
    CASES = [
        ("nothing", [], None),
        ("no text", [("stream.delta", text(""))], None),
        ("no delta", [("stream.delta", {"kind": "text"})], {"kind": "text"}),
        ("another value", [("stream.delta", {"step": 1}), ("stream.delta", [1, 2])], [1, 2]),
        ("text goes before", [("stream.delta", text("t")), ("stream.delta", {"step": 1})], {"kind": "text", "text": "t"}),
        ("text replaces", [("stream.delta", {"step": 1}), ("stream.delta", text("t"))], {"kind": "text", "text": "t"}),
        ("a snapshot", [("stream.delta", text("old")), ("stream.snapshot", {"a": 1})], {"a": 1}),
        ("a snapshot of text grows", [("stream.snapshot", {"kind": "text", "text": "ab"}), ("stream.delta", text("c"))],
         {"kind": "text", "text": "abc"}),
        ("a snapshot of nothing", [("stream.delta", text("old")), ("stream.snapshot", None)], None),
        ("the end brings one", [("stream.close", {"snapshot": {"b": 2}})], {"b": 2}),
        ("what was gathered goes before", [("stream.delta", text("t")), ("stream.close", {"snapshot": {"b": 2}})],
         {"kind": "text", "text": "t"}),
        ("a given one does not", [("stream.snapshot", {"a": 1}), ("stream.close", {"snapshot": {"b": 2}})], {"b": 2}),
        ("a finish brings none", [("stream.finish", {"snapshot": {"b": 2}})], "no lane"),
        ("every character", [("stream.delta", text("嗨\n\"\\ \u0007<&>")), ("stream.delta", text("😀é"))],
         {"kind": "text", "text": "嗨\n\"\\ \u0007<&>😀é"}),
        ("all kinds of values", [("stream.snapshot", {"n": 1.5, "t": True, "z": None, "l": [{}], "s": "ü"})],
         {"n": 1.5, "t": True, "z": None, "l": [{}], "s": "ü"}),
    ]

    @pytest.mark.parametrize("events, content", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
    def test_after(self, stream, events, content):
        stream.anchor()
        stream.tell("stream.open")
        for event_type, payload in events:
            stream.tell(event_type, payload)
        lane = stream.lane()
        assert lane.get("snapshot") == (None if content == "no lane" else content)

    def test_long_texts_of_small_and_large_pieces(self, stream, rng):
        stream.anchor()
        pieces = ["字" * rng.choice([1, 3, 170, 171, 200, 6000]) + str(index) for index in range(60)]
        stream.say(*pieces)
        assert stream.lane()["snapshot"]["text"] == "".join(pieces)
        stream.tell("stream.snapshot", {"kind": "text", "text": "short"})
        assert stream.lane()["snapshot"]["text"] == "short"
        stream.say("er")
        stream.tell("stream.close")
        assert base64.b64decode(stream.message()["stream_data"]) == b"shorter"

    def test_other_values_are_stream_data_too(self, stream):
        stream.anchor()
        stream.tell("stream.close", {"snapshot": [1, {"a": 2}]})
        assert json.loads(base64.b64decode(stream.message()["stream_data"])) == [1, {"a": 2}]

    @pytest.mark.parametrize("content, plain", [
        ({"kind": "text", "text": "so \"far\"\n", "model": "m-1"}, b'so "far"\n'), ({"kind": "text", "by": "me"}, None),
        ({"kind": "binary", "data": "AAEC"}, b"AAEC")])
    def test_the_text_of_a_snapshot_is_the_stream_data(self, stream, content, plain):
        stream.anchor()
        stream.tell("stream.snapshot", content)
        message = stream.message()
        assert (base64.b64decode(message["stream_data"]) if plain else message.get("stream_data")) == plain
        assert stream.lane()["snapshot"] == content

    def test_a_delta_without_a_text_is_a_value(self, stream):
        stream.anchor()
        stream.tell("stream.delta", {"kind": "text", "text": "all of it"})
        assert stream.lane()["snapshot"] == {"kind": "text", "text": "all of it"}
        assert base64.b64decode(stream.message()["stream_data"]) == b"all of it"
        stream.say("piece ", "by piece")
        stream.tell("stream.delta", {"kind": "text"})
        assert stream.lane()["snapshot"] == {"kind": "text", "text": "piece by piece"}, "a text goes before other values"

    def test_a_long_error_is_cut_between_characters(self, stream):
        stream.anchor()
        stream.tell("stream.error", {"error": "错" * 600})
        assert stream.message()["error"] == "错" * 341


class TestSync:
    def test_the_latest_state_of_each_lane_by_number(self, stream):
        stream.tell("stream.snapshot", {"v": 1}, event_key="b", occurred_at=1000)
        stream.tell("stream.snapshot", {"v": 1}, event_key="a")
        stream.tell("stream.snapshot", {"v": 2}, event_key="b", occurred_at=2000)
        stream.say("open only", event_key="c")
        answer = stream.sync()
        assert [(e["event_key"], e["msg_event_seq"], e["payload"]) for e in answer["events"]] == [
            ("a", 2, {"v": 1}), ("b", 3, {"v": 2})]
        assert answer["events"][1]["occurred_at"] == 2000
        assert answer | {"events": []} == {"client_msg_no": stream.no, "from_msg_event_seq": 0, "next_msg_event_seq": 3,
                                           "more": 0, "filtered_by_event_key": "", "events": []}
        assert [e["event_key"] for e in stream.events(from_msg_event_seq=2)] == ["b"]
        assert stream.sync(from_msg_event_seq=3) | {"next_msg_event_seq": 3} == stream.sync(from_msg_event_seq=3)
        assert [e["event_key"] for e in stream.events(event_key="a")] == ["a"]

    def test_pages(self, stream):
        for index in range(7):
            stream.tell("stream.snapshot", index, event_key=f"k{index}")
        seen, at = [], 0
        for expected_more in (1, 1, 0):
            answer = stream.sync(from_msg_event_seq=at, limit=3)
            seen += [e["payload"] for e in answer["events"]]
            at = answer["next_msg_event_seq"]
            assert answer["more"] == expected_more
        assert seen == list(range(7))

    @pytest.mark.parametrize("visibility", ["private", "restricted"])
    def test_what_is_not_public_is_hidden_unless_asked_for(self, stream, visibility):
        stream.tell("stream.snapshot", 1, event_key="shown", visibility="public")
        stream.tell("stream.snapshot", 2, event_key="hidden", visibility=visibility)
        assert [e["event_key"] for e in stream.events()] == ["shown"]
        assert [e["visibility"] for e in stream.events(include_private=1)] == ["public", visibility]
        assert [e["event_key"] for e in stream.events(include_private=2)] == ["shown"]

    def test_hidden_ones_do_not_fill_a_page(self, stream):
        for index in range(5):
            stream.tell("stream.snapshot", index, event_key=f"h{index}", visibility="private")
        stream.tell("stream.snapshot", 9, event_key="shown")
        answer = stream.sync(limit=1)
        assert [e["payload"] for e in answer["events"]] == [9] and answer["more"] == 0

    def test_a_person_channel_by_the_peer_or_by_its_internal_id(self, api, name):
        stream = Stream(api, name("peer"), 1, no=name("no"), from_uid=name("bot"))
        stream.tell("stream.close", {"snapshot": "s"})
        assert [e["payload"] for e in stream.events()] == ["s"]
        ends = [name("peer"), name("bot")]
        found = [api.post("/message/eventsync", {"channel_id": "@".join(pair), "channel_type": 1,
                                                 "client_msg_no": stream.no}).ok()["events"] for pair in (ends, ends[::-1])]
        assert sorted(len(events) for events in found) == [0, 1]

    def test_an_agent_channel_by_its_internal_id(self, api, name):
        stream = Stream(api, name("agent"), 11, no=name("no"), from_uid=name("user"))
        stream.tell("stream.close", {"snapshot": "s"})
        answer = api.post("/message/eventsync", {"channel_id": f"{name('user')}@{name('agent')}", "channel_type": 11,
                                                 "client_msg_no": stream.no}).ok()
        assert [e["payload"] for e in answer["events"]] == ["s"]

    def test_dashboards_ask_the_same_elsewhere(self, api, stream):
        stream.tell("stream.close", {"snapshot": "s"})
        body = stream.address | {"client_msg_no": stream.no}
        assert api.post("/cluster/message/eventsync", body).ok() == stream.sync()
        api.post("/cluster/message/eventsync", body | {"limit": -1}).refused("limit不能为负数！")

    @pytest.mark.parametrize("fields", [{}, {"channel_type": 1, "from_uid": "nobody"}, {"channel_type": 1, "from_uid": "a@b"}])
    def test_of_nothing_there_is_nothing(self, api, name, fields):
        answer = api.post("/message/eventsync", SYNC | {"channel_id": name("nowhere"), "from_msg_event_seq": 5} | fields).ok()
        assert answer["events"] == [] and answer["next_msg_event_seq"] == 5 and answer["more"] == 0


class TestReadEndpoints:
    def test_every_one_that_shows_messages(self, api, group, name):
        reader = name("reader")
        stream = group(reader)
        sent = stream.anchor()
        stream.say("Hello")
        stream.tell("stream.close")
        channel = {"channel_id": stream.address["channel_id"], "channel_type": 2}
        shown = [
            stream.message(),
            api.conversation(reader, channel["channel_id"])["recents"][0],
            api.post("/conversation/syncByChannels", {"uid": reader, "channels": [channel]}).bare()[0]["recents"][0],
            api.post("/messages", channel | {"login_uid": reader, "message_seqs": [1]}).bare()["messages"][0],
            api.post("/message", channel | {"login_uid": reader, "message_id": sent["message_id"]}).bare(),
        ]
        assert all(message == shown[0] for message in shown)
        assert base64.b64decode(shown[0]["stream_data"]) == b"Hello"

    @pytest.mark.parametrize("mode, has_snapshots", [("", True), ("full", True), (" FULL ", True), ("basic", False), ("x", False)])
    def test_a_summary_may_be_basic(self, stream, mode, has_snapshots):
        stream.anchor()
        stream.say("Hello")
        message = stream.message(event_summary_mode=mode)
        assert ("snapshot" in message["event_meta"]["events"][0]) == has_snapshots
        assert base64.b64decode(message["stream_data"]) == b"Hello"

    def test_a_message_that_is_no_stream_shows_none(self, api, stream):
        api.send(b"plain", client_msg_no=stream.no, **stream.address)
        stream.tell("stream.close", {"snapshot": 1})
        assert "event_meta" not in stream.message()
        assert len(stream.events()) == 1

    def test_many_large_streams_leave_contents_out_and_say_where_they_are(self, api, name):
        channel = name("group")
        streams = [Stream(api, channel, no=name(f"no{index}")) for index in range(12)]
        for stream in streams:
            stream.anchor()
            stream.say("x" * 400_000)
        page = api.page("reader", channel, 2)["messages"]
        assert [m["client_msg_no"] for m in page] == [s.no for s in streams], "no message is missing for it"
        assert all(m["event_meta"]["event_count"] == 1 and m["event_sync_hint"] for m in page)
        has_contents = ["stream_data" in m for m in page]
        assert has_contents[0] and not has_contents[-1]


class TestPush:
    def test_everybody_who_is_online_gets_every_event(self, login, login_json, group, name):
        anna, bob, carl = login(name("anna")), login_json(name("bob")), login(name("carl"), transport="ws")
        stream = group(anna.uid, bob.uid, carl.uid)
        sent = stream.anchor()
        stream.tell("stream.Delta", text("<b>&"), event_id="e-1", occurred_at=1700000000123, visibility="private",
                    headers={"trace": "1"})
        expected = {"client_msg_no": stream.no, "channel_id": stream.address["channel_id"], "channel_type": 2,
                    "from_uid": "bot", "message_id": sent["message_id"], "event_key": "main", "msg_event_seq": 0,
                    "stream_status": "open", "visibility": "private", "payload": text("<b>&")}
        for client in (anna, bob, carl):
            assert event(client) == ("e-1", "stream.Delta", 1700000000123, expected)

    def test_the_python_sdk_shows_them(self, python_sdk, server, group, name):
        sdk = python_sdk(server, name("anna"))
        stream = group(name("anna"))
        stream.say("Hello")
        stream.tell("stream.close")
        eventually(lambda: len(sdk.of("customevent")) == 2)
        first, last = sdk.of("customevent")
        assert first["type"] == "stream.delta" and last["type"] == "stream.close"
        data = first["data"] if isinstance(first["data"], dict) else json.loads(first["data"])
        assert data["payload"] == text("Hello") and data["client_msg_no"] == stream.no

    def test_what_was_not_given_is_left_out(self, login, group, name):
        anna = login(name("anna"))
        stream = group(anna.uid)
        stream.tell("stream.finish")
        told = event(anna)
        assert told == ("e1", "stream.finish", 0, {
            "client_msg_no": stream.no, "channel_id": stream.address["channel_id"], "channel_type": 2, "from_uid": "bot",
            "message_id": 0, "event_key": "__finish__", "msg_event_seq": 1, "stream_status": "closed"})

    def test_an_event_comes_behind_the_messages_before_it(self, login, group, name):
        anna = login(name("anna"))
        stream = group(anna.uid)
        order = []
        for index in range(20):
            stream.api.send(b"m%d" % index, **stream.address)
            stream.say(f"d{index}")
        for index in range(40):
            packet = anna._next(time.monotonic() + SOON)
            order.append(packet.kind)
            if packet.kind == Kind.RECV:
                anna._open(packet)
                anna.acknowledge(packet)
        assert order == [Kind.RECV, Kind.EVENT] * 20

    def test_the_sender_of_a_person_channel_gets_them_too(self, api, login, name):
        anna, bot = login(name("anna")), login(name("bot"))
        stream = Stream(api, anna.uid, 1, no=name("no"), from_uid=bot.uid)
        stream.anchor()
        stream.say("hi")
        for client in (anna, bot):
            event(client, channel_id=anna.uid, from_uid=bot.uid, payload=text("hi"))

    @pytest.mark.parametrize("version", [1, 2, 3, 4])
    def test_clients_of_older_versions_get_none(self, login, group, name, version):
        old, new = login(name("old"), version=version), login(name("new"), version=5)
        stream = group(old.uid, new.uid)
        stream.anchor()
        stream.say("x")
        stream.tell("stream.close")
        event(new, stream_status="open")
        event(new, stream_status="closed")
        stream.api.send(b"next", **stream.address)
        assert [old.receive().plain for _ in range(2)] == [b"...", b"next"]
        old.ping()
        assert not old.pending(Kind.EVENT)

    def test_who_is_no_member_gets_none(self, login, group, name):
        anna, stranger = login(name("anna")), login(name("stranger"))
        stream = group(anna.uid)
        stream.say("x")
        event(anna)
        stranger.ping()
        assert not stranger.pending(Kind.EVENT)

    def test_what_changes_nothing_is_told_to_nobody(self, login, group, name):
        anna = login(name("anna"))
        stream = group(anna.uid)
        for _ in range(3):
            stream.tell("stream.close", event_id="once")
        stream.call("stream.delta", text("late")).refused()
        stream.tell("stream.open", event_key="other")
        assert event(anna)[0] == "once"
        event(anna, event_key="other")
        assert not anna.pending(Kind.EVENT)

    def test_no_event_is_a_message(self, api, login, group, name):
        anna = login(name("anna"))
        stream = group(anna.uid)
        stream.say("x")
        stream.tell("stream.close")
        event(anna), event(anna)
        assert api.history(anna.uid, stream.address["channel_id"], 2) == []
        assert not anna.pending(Kind.RECV)


class TestWhatTheMessageTells:
    def test_sender_and_id_are_taken_from_the_message(self, api, login, name):
        anna, bot = login(name("anna")), name("bot")
        sent = api.send(b"...", anna.uid, 1, from_uid=bot, is_stream=1, client_msg_no=name("no"))
        answer = api.post("/message/event", {"channel_id": anna.uid, "channel_type": 1, "client_msg_no": name("no"),
                                             "event_id": "1", "event_type": "stream.delta", "payload": text("x")}).ok()
        assert answer["from_uid"] == bot
        event(anna, from_uid=bot, message_id=sent["message_id"])
        stream = Stream(api, anna.uid, 1, no=name("no"), from_uid=bot)
        assert base64.b64decode(stream.message()["stream_data"]) == b"x"

    def test_who_is_not_known_is_the_system(self, api, name):
        body = VALID | {"channel_id": name("group"), "client_msg_no": name("no")}
        assert api.post("/message/event", body).ok()["from_uid"] == "____system"

    def test_what_is_given_counts(self, api, login, name):
        anna, bot = login(name("anna")), name("bot")
        api.send(b"...", anna.uid, 1, from_uid=bot, is_stream=1, client_msg_no=name("no"))
        stream = Stream(api, anna.uid, 1, no=name("no"), from_uid=bot)
        stream.tell("stream.delta", text("x"), message_id=77)
        event(anna, from_uid=bot, message_id=77)


def numbers(api, family):
    return {match[0]: int(float(match[1])) for match in re.findall(rf'^{family}(?:{{[^"]*"([^"]*)"}})? (\S+)$',
                                                                   api.get("/metrics").text, re.M)}


class TestLimits:
    def test_more_open_streams_than_there_is_memory_for_are_refused(self, start_server, name):
        server = start_server(memory="96M")
        api = Api(server)
        streams, refused, names = [], [], itertools.count()

        def open_more(_):
            own = Api(server)
            while not refused:
                stream = Stream(own, name("group"), no=f"{next(names)}-" + "n" * 400)
                reply = stream.call("stream.delta", text("x"))
                if reply.status == 200:
                    streams.append(stream)
                else:
                    refused.append(reply)
                assert len(streams) < 20_000

        with ThreadPoolExecutor(8) as pool:  # soon: one that is silent for ten seconds may be forgotten for a new one
            list(pool.map(open_more, range(8)))
        for reply in refused:
            reply.refused("the server is busy, try again later")
        assert len(streams) > 20 * SHARDS  # the first shard that is full ends it, and chance fills them unevenly
        streams[-2].say(" goes on")
        streams[-1].tell("stream.close")
        assert streams[0].sync() and streams[-1].events()[0]["payload"] == {"kind": "text", "text": "x"}
        assert numbers(api, "jingu_stream_events_total")["full"] == len(refused)
        assert api.send(b"chat goes on", "g", 2)["message_id"]

    def test_who_reads_slowly_loses_deltas_and_finds_the_whole_later(self, clear_server, login, name):
        api = Api(clear_server)
        slow, quick = login(name("slow"), clear_server, stream_options={"receive_buffer": 4096}), login(name("quick"), clear_server)
        stream = Stream(api, api.group(name("group"), slow.uid, quick.uid), no=name("no"))
        stream.anchor()
        resident, dropped = clear_server.resident_bytes(), numbers(api, "jingu_stream_events_dropped_total")[""]
        heard, count = [], 2000

        def listen():
            while not heard or heard[-1]["stream_status"] == "open":
                heard.append(event(quick)[3])

        listening = threading.Thread(target=listen)
        listening.start()
        for index in range(count):
            eventually(lambda at=index: len(heard) >= at - 3)  # who keeps up loses nothing
            stream.tell("stream.delta", text(f"{index:04}") | {"padding": "p" * 5000})
        stream.tell("stream.close")
        listening.join()
        whole = "".join(f"{index:04}" for index in range(count))
        assert "".join(told["payload"]["delta"] for told in heard[:-1]) == whole
        if not SANITIZED:  # a sanitizer keeps what was freed, to catch its use
            assert clear_server.resident_bytes() - resident < 32 << 20
        assert stream.lane()["snapshot"]["text"] == whole
        assert [told["payload"]["text"] for told in stream.events()] == [whole]
        assert slow.receive().plain == b"..."
        told = [event(slow)[3]]
        while told[-1]["stream_status"] == "open":  # an end is not left out while there is room for it
            told.append(event(slow)[3])
        lost = numbers(api, "jingu_stream_events_dropped_total")[""] - dropped
        assert 0 < lost == count + 1 - len(told)
        stream.api.send(b"and the next", **stream.address)
        assert slow.receive().plain == b"and the next"


class TestRestart:
    @pytest.mark.parametrize("end", ["restart", "kill"])
    def test_an_open_stream_goes_on_from_what_was_acknowledged(self, start_server, name, rng, end):
        server = start_server()
        stream = Stream(Api(server), name("group"), no=name("no"))
        stream.anchor()
        said = []
        for _ in range(4):
            for _ in range(rng.randrange(1, 200)):
                said.append("字" * rng.randrange(1, 9))
                stream.say(said[-1])
            stream.tell("stream.snapshot", {"n": len(said)}, event_key="progress")
            if end == "kill":
                server.kill()
                server.start()
            else:
                server.restart()
            stream.api = Api(server)
            assert stream.lane()["snapshot"]["text"] == "".join(said)
        answer = stream.tell("stream.close", {"end_reason": 1})
        assert answer["msg_event_seq"] == 5 and answer["stream_status"] == "closed"
        server.kill()
        server.start()
        stream.api = Api(server)
        assert [(e["event_key"], e["msg_event_seq"]) for e in stream.events()] == [("progress", 4), ("main", 5)]
        assert stream.lane()["snapshot"]["text"] == "".join(said)
        stream.call("stream.delta", text("late")).refused("stream closed")
        assert stream.tell("stream.close", event_id=f"e{stream.count - 1}")["msg_event_seq"] == 5

    @pytest.mark.parametrize("lanes", [4, 5, 64])
    def test_every_lane_goes_on(self, start_server, name, lanes):
        server = start_server()
        stream = Stream(Api(server), name("group"), no=name("no"))
        stream.anchor()
        for index in range(lanes):
            stream.say(f"{index}-", event_key=f"k{index:02}")
        server.restart()
        stream.api = Api(server)
        for index in range(lanes):
            assert stream.say("again", event_key=f"k{index:02}")["stream_status"] == "open"
        assert stream.call("stream.delta", event_key="new").status == (200 if lanes < 64 else 400)
        assert [lane["snapshot"]["text"] for lane in stream.message()["event_meta"]["events"] if "snapshot" in lane] == [
            f"{index}-again" for index in range(lanes)]

    def test_kill_in_the_middle_of_many_streams(self, start_server, name):
        server = start_server()
        api = Api(server)
        streams = [Stream(api, name(f"g{index % 5}"), no=f"no{index}") for index in range(20)]
        said = {s.no: [] for s in streams}
        asked = {s.no: [] for s in streams}
        is_over = threading.Event()

        def write(own):
            mine = Api(server)
            while not is_over.is_set():
                for stream in own:
                    stream.api = mine
                    word = f"{len(asked[stream.no])} "
                    asked[stream.no].append(word)
                    try:
                        stream.say(word)
                    except Exception:
                        return
                    said[stream.no].append(word)

        writers = [threading.Thread(target=write, args=(streams[i::4],)) for i in range(4)]
        [writer.start() for writer in writers]
        eventually(lambda: min(len(words) for words in said.values()) >= 10)
        server.kill()
        is_over.set()
        [writer.join() for writer in writers]
        server.start()
        for stream in streams:
            stream.api = Api(server)
            stream.tell("stream.close", event_id="close")
            found = stream.events()[0]["payload"]["text"]
            assert found in ("".join(said[stream.no]), "".join(asked[stream.no])), "what was acknowledged is there, once"
