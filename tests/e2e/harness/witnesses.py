"""Who else keeps notes while the server is killed: a back end and the users whose conversations it shows.

A witness works beside the senders of crash.py, in a thread of its own, until the server is gone. Afterwards it asks for what was
acknowledged. What was asked for and never answered, or refused, may have happened or not; what happened to it must be one of the two.

  Readers  read positions and deleted conversations: the last acknowledged one, or the one that was under way
  Answers  event streams: every acknowledged delta once, in order, at most the one under way behind them; ends likewise
  BackEnd  webhooks: msg.notify and msg.offline of every acknowledged message at least once, in the order of the channel, and of none that
           is not stored
"""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass, field

from .api import GROUP, Api
from .client import Client, TcpStream
from .crash import BrokenPromise
from .receiver import Receiver
from .waiting import SOON, eventually


class Witness:
    def settings(self) -> dict:
        """What the server has to be started with."""
        return {}

    def begin(self, round_: int, server, rng: random.Random) -> None:
        """The server is up, and nobody loads it."""

    def work(self) -> None:
        """Until the server is gone: an OSError (which the errors of requests are) or a return ends it."""

    def note(self, stored: dict[int, tuple[tuple[str, int], int]]) -> None:
        """What the senders of this round have stored: the channel and the number of each message id. Every one was acknowledged."""

    def check(self, server) -> int:
        """The server is up again. Raises BrokenPromise; gives how many acknowledged things it found."""
        return 0

    def close(self) -> None:
        pass


@dataclass
class _Place:
    """One reader's conversation: what is left unread, and whether it is still in his list."""
    unread: int
    asked: set[int] = field(default_factory=set)  # and never heard of
    is_deleted: bool = False
    is_delete_asked: bool = False


class Readers(Witness):
    MESSAGES, READERS = 300, 6

    def begin(self, round_, server, rng):
        self.api, self.rng, self.acknowledged = Api(server), rng, 0
        self.places = {f"reader{index}": _Place(self.MESSAGES) for index in range(self.READERS)}
        self.board = self.api.group(f"board{round_}", *self.places)
        author = Client(TcpStream(server.tcp_port), "author")
        author.login()
        self.api.subscribe(self.board, "author")
        for send in [author.send(self.board, b"news %d" % index, GROUP) for index in range(self.MESSAGES)]:
            assert author.sendack(send).reason == 1
        author.close()

    def work(self):
        left = list(self.places)
        while left:
            uid = self.rng.choice(left)
            place = self.places[uid]
            if place.unread == 0:
                self._delete(uid, place)
                left.remove(uid)
            else:
                self._read(uid, place, max(0, min([place.unread, *place.asked]) - self.rng.randint(1, 3)))

    def _call(self, path, uid, **fields) -> bool:
        reply = self.api.post(path, {"uid": uid, "channel_id": self.board, "channel_type": GROUP} | fields)
        self.acknowledged += reply.status == 200
        return reply.status == 200

    def _read(self, uid, place, unread):
        place.asked.add(unread)
        if self._call("/conversations/setUnread", uid, unread=unread):
            place.unread, place.asked = unread, set()

    def _delete(self, uid, place):
        place.is_delete_asked = True
        place.is_deleted = self._call("/conversations/delete", uid)

    def check(self, server):
        for uid, place in self.places.items():
            seen = Api(server).conversation(uid, self.board)
            if seen is None:
                if not place.is_delete_asked:
                    raise BrokenPromise(f"{uid} has lost {self.board}, which nobody deleted")
            elif place.is_deleted:
                raise BrokenPromise(f"{uid} has {self.board} again, which was deleted")
            elif seen["unread"] not in place.asked | {place.unread}:
                raise BrokenPromise(f"{uid}: {seen['unread']} unread in {self.board}, acknowledged {place.unread}, asked for {place.asked}")
            elif seen["readed_to_msg_seq"] != self.MESSAGES - seen["unread"]:
                raise BrokenPromise(f"{uid}: {seen['unread']} unread and read to {seen['readed_to_msg_seq']} of {self.MESSAGES}")
        return self.acknowledged


@dataclass
class _Answer:
    """One stream."""
    number: str
    told: list[str] = field(default_factory=list)
    asked: str | None = None  # a delta that was never heard of: nothing is told behind it
    is_closed: bool = False
    is_close_asked: bool = False


class Answers(Witness):
    OPEN, STREAMS_MAX = 5, 80

    def begin(self, round_, server, rng):
        self.api, self.rng, self.round, self.acknowledged = Api(server), rng, round_, 0
        self.answers: list[_Answer] = []
        self.open: list[_Answer] = []
        self.channel = self.api.group(f"answers{round_}", "bot", "asker")

    def _event(self, answer, event_type, **fields) -> bool:
        body = {"channel_id": self.channel, "channel_type": GROUP, "from_uid": "bot", "client_msg_no": answer.number,
                "event_id": f"e{len(answer.told)}", "event_type": event_type}
        reply = self.api.post("/message/event", body | fields)
        self.acknowledged += reply.status == 200
        return reply.status == 200

    def _begin_another(self):
        """Its message first; a refusal is answered with the same again."""
        answer = _Answer(f"answer-{self.round}-{len(self.answers)}")
        while self.api.post("/message/send", {"channel_id": self.channel, "channel_type": GROUP, "from_uid": "bot", "is_stream": 1,
                                              "client_msg_no": answer.number, "payload": "Li4u"}).status != 200:
            pass
        self.answers.append(answer)
        self.open.append(answer)

    def work(self):
        while len(self.answers) < self.STREAMS_MAX:
            while len(self.open) < self.OPEN:
                self._begin_another()
            answer = self.rng.choice(self.open)
            if len(answer.told) > 3 and self.rng.random() < 0.03:
                answer.is_close_asked = True
                answer.is_closed = self._event(answer, "stream.close")
                self.open.remove(answer)
                continue
            answer.asked = f"{len(answer.told)} " + "字" * self.rng.randrange(40) + ","
            if self._event(answer, "stream.delta", payload={"kind": "text", "delta": answer.asked}):
                answer.told.append(answer.asked)
                answer.asked = None
            else:
                self.open.remove(answer)

    def check(self, server):
        shown = {message["client_msg_no"]: message for message in Api(server).history("asker", self.channel, GROUP)}
        for answer in self.answers:
            message = shown.get(answer.number)
            if message is None:
                raise BrokenPromise(f"{answer.number}: its message was acknowledged and is gone")
            text = base64.b64decode(message.get("stream_data", "")).decode()
            told = "".join(answer.told)
            if text not in (told, told + (answer.asked or "")):
                raise BrokenPromise(f"{answer.number}: {len(answer.told)} deltas were acknowledged ({told[-60:]!r}), "
                                    f"{answer.asked!r} was asked for, and it holds {text[-60:]!r}")
            is_closed = message.get("end") == 1
            if is_closed != answer.is_closed and not answer.is_close_asked:
                raise BrokenPromise(f"{answer.number}: closed {is_closed}, acknowledged {answer.is_closed}")
            if answer.is_closed and not is_closed:
                raise BrokenPromise(f"{answer.number}: its end was acknowledged and is gone")
        return self.acknowledged


class BackEnd(Witness):
    """Needs a server that was started with settings()."""

    EVENTS = ("msg.notify", "msg.offline")

    def __init__(self):
        self.receiver = Receiver().start()
        self._places: dict[int, tuple[tuple[str, int], int]] = {}  # of each stored message of the senders: its channel and number
        self._new: set[int] = set()
        self._told: dict[str, set[int]] = {event: set() for event in self.EVENTS}
        self._last: dict[str, dict] = {event: {} for event in self.EVENTS}
        self._is_away = False

    def settings(self) -> dict:
        return {"webhook": {"httpAddr": self.receiver.url, "msgNotifyEventPushInterval": "50ms", "focusEvents": list(self.EVENTS)}}

    def begin(self, round_, server, rng):
        self._is_away = rng.random() < 0.3
        if self._is_away:
            self.receiver.stop()

    def note(self, stored):
        self._places |= stored
        self._new = set(stored)

    def check(self, server):
        if self._is_away:
            self.receiver.start()
        try:
            eventually(lambda: all(self._new <= self._ids(event) | self._told[event] for event in self.EVENTS), SOON * 15, every=0.1)
        except AssertionError:
            for event in self.EVENTS:
                missing = self._new - self._ids(event) - self._told[event]
                if missing:
                    raise BrokenPromise(f"{event}: {len(missing)} of {len(self._new)} stored messages were never told, the first of them "
                                        f"{self._places[min(missing)]}") from None
        for post in self.receiver.take():
            if post.status == 200:
                for message in post.body if post.event == "msg.notify" else [post.body]:
                    self._check_what_was_told(post.event, message)
        return len(self._new)

    def _ids(self, event) -> set[int]:
        bodies = self.receiver.messages() if event == "msg.notify" else self.receiver.offline()
        return {body["message_id"] for body in bodies}

    def _check_what_was_told(self, event, message):
        message_id = message["message_id"]
        if message["channel_id"].startswith(("board", "answers")) or message_id in self._told[event]:
            return  # of the other witnesses, or again
        if message_id not in self._places:
            raise BrokenPromise(f"{event}: {message_id} of {message['channel_id']} was told and is not stored")
        self._told[event].add(message_id)
        channel, seq = self._places[message_id]
        if seq <= self._last[event].get(channel, 0):
            raise BrokenPromise(f"{event}: {channel} {seq} was told behind {self._last[event][channel]}")
        self._last[event][channel] = seq

    def close(self):
        self.receiver.stop()
