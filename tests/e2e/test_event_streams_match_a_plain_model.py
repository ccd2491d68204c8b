"""Random events of several streams, restarts and kill -9 in between, and after them the answers of a plain model.

The model keeps each lane's whole text and counts; it shares nothing with the server but the rules of HTTP API 11. Lanes of two kinds:
those that speak (text deltas until an end) and those that show (snapshots, the newest counts).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

import pytest

from harness.api import GROUP, Api

pytestmark = pytest.mark.jingu_only("streams survive a restart here")

STEPS = 300
SPEAKING, SHOWING = ("main", "thoughts"), ("progress", "sources")
ENDS = {"stream.close": "closed", "stream.error": "error", "stream.cancel": "cancelled"}


@dataclass
class Lane:
    status: str = ""  # a lane that only shows has none
    text: str = ""
    shown: object = None
    seq: int = 0
    last_id: str = ""  # of what is stored; the same again changes nothing, one before it does


@dataclass
class Stream:
    """What one message's events have made of it; the answers are those that the server owes."""
    lanes: dict[str, Lane] = field(default_factory=dict)
    count: int = 0

    def delta(self, key: str, text: str):
        lane = self.lanes.setdefault(key, Lane())
        if lane.status in ENDS.values():
            return "stream closed"
        lane.status = "open"
        lane.text += text
        return "open", lane.seq

    def stored(self, key: str, event_id: str, event_type: str, shown: object):
        lane = self.lanes.setdefault(key, Lane())
        if lane.status not in ENDS.values() and lane.last_id != event_id:
            self.count += 1
            lane.seq = self.count
            lane.status = ENDS.get(event_type, lane.status)
            lane.shown = shown if event_type == "stream.snapshot" else lane.shown
            lane.last_id = event_id
        return lane.status, lane.seq


class World:
    def __init__(self, server, name, rng):
        self.server, self.rng = server, rng
        self.api = Api(server)
        self.channel = self.api.group(name("group"), "reader")
        self.streams = {name(f"no{index}"): Stream() for index in range(4)}
        self.events = 0
        for number in self.streams:
            self.api.send(b"...", self.channel, from_uid="bot", is_stream=1, client_msg_no=number)

    def post(self, number, key, event_id, event_type, payload):
        answer = self.api.post("/message/event", {
            "channel_id": self.channel, "channel_type": GROUP, "from_uid": "bot", "client_msg_no": number, "event_key": key,
            "event_id": event_id, "event_type": event_type, "payload": payload})
        if answer.status != 200:
            return answer.body["msg"]
        return answer.ok()["stream_status"], answer.ok()["msg_event_seq"]

    def step(self):
        number, stream = self.rng.choice(list(self.streams.items()))
        self.events += 1
        event_id = f"e{self.events}"
        if stream.lanes and self.rng.random() < 0.2:
            event_id = self.rng.choice(list(stream.lanes.values())).last_id or event_id  # told again, or of another lane
        chance = self.rng.random()
        if chance < 0.7:
            key, text = self.rng.choice(SPEAKING), f"{self.events} " + "字" * self.rng.randrange(60)
            wanted = stream.delta(key, text)
            found = self.post(number, key, event_id, "stream.delta", {"kind": "text", "delta": text})
        elif chance < 0.95:
            key, shown = self.rng.choice(SHOWING), {"n": self.events}
            wanted = stream.stored(key, event_id, "stream.snapshot", shown)
            found = self.post(number, key, event_id, "stream.snapshot", shown)
        else:
            key, end = self.rng.choice(SPEAKING), self.rng.choice(list(ENDS))
            wanted = stream.stored(key, event_id, end, None)
            found = self.post(number, key, event_id, end, {})
        assert found == wanted, (number, key, event_id)

    def compare(self):
        page = self.api.post("/channel/messagesync", {"login_uid": "reader", "channel_id": self.channel, "channel_type": GROUP,
                                                      "limit": 100}).bare()
        messages = {message["client_msg_no"]: message for message in page["messages"]}
        for number, stream in self.streams.items():
            message = messages[number]
            lanes = {lane["event_key"]: lane for lane in message.get("event_meta", {}).get("events", [])}
            assert lanes.keys() == stream.lanes.keys()
            for key, lane in stream.lanes.items():
                shown = {"kind": "text", "text": lane.text} if key in SPEAKING else lane.shown
                assert lanes[key].get("snapshot") == (shown if key in SHOWING or lane.text else None), (number, key)
                assert lanes[key].get("last_msg_event_seq", 0) == lane.seq
                assert key in SHOWING or lanes[key]["status"] == lane.status
            if "main" in stream.lanes:
                assert base64.b64decode(message.get("stream_data", "")).decode() == stream.lanes["main"].text

    def begin_again(self):
        if self.rng.random() < 0.5:
            self.server.kill()
            self.server.start()
        else:
            self.server.restart()
        self.api = Api(self.server)


@pytest.mark.parametrize("again", range(3))
def test_whatever_is_told_and_whenever_it_ends(start_server, name, rng, again):
    world = World(start_server(), name, rng)
    for step in range(STEPS):
        world.step()
        if rng.random() < 0.03:
            world.begin_again()
        if step % 5 == 0:
            world.compare()
    world.begin_again()
    world.compare()
    assert all(stream.lanes for stream in world.streams.values())
