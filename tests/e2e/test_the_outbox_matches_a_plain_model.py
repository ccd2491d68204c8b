"""Random sends while the back end goes away, refuses, is slow and hangs up, restarts and kill -9 in between, and a plain model of what
the back end has to have been told at the end (webhook 3, 4, and better).

The model is a list of what was sent and what was acknowledged. What is stored is read from the logs; the outbox shares nothing with that.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass

import pytest

from harness.api import GROUP, PERSON, Api
from harness.receiver import Receiver
from harness.waiting import SCALE, eventually
from test_the_back_end_is_told import metric, outbox_is_empty

pytestmark = pytest.mark.jingu_only(reason="the outbox is Jingu's")

PHASES = 14
LONG = 90 * SCALE
STOP_SOON = 1.0  # half of what a stopping server gives to answers
EVENTS = ("msg.notify", "msg.offline")
PEOPLE = ("anna", "bob", "carl")
AGENT = 11
BATCH_MAX = 7
POISON = "poison"


@dataclass
class Sent:
    """One message that was asked for."""
    number: str  # its client_msg_no
    channel: tuple[str, int]  # as it was addressed
    sender: str
    command: bool
    stored: bool
    message_id: int = 0  # 0: it was not acknowledged

    @property
    def log(self):
        return log_of(self.sender, *self.channel, self.command)

    @property
    def recipients(self) -> list[str]:
        return [self.channel[0]] if self.channel[1] == PERSON else [uid for uid in PEOPLE if uid != self.sender]

    def events(self):
        """What has to be told of it."""
        return [event for event in EVENTS if (event == "msg.notify" and self.stored) or (event == "msg.offline" and self.channel[1] != AGENT)]


def log_of(sender, channel_id, channel_type, command):
    pair = "@".join(sorted((sender, channel_id))) if channel_type == PERSON else channel_id
    return pair, channel_type, command


class BackEnd:
    """Answers as its mood is, and keeps what it has taken. A message that it once refused it takes the next time, if it is not poison."""

    def __init__(self, receiver: Receiver, seed: int):
        self.receiver, self.rng = receiver, random.Random(seed)
        self.mood = "well"
        self.is_poison_taken = False
        self.faults = 0  # after which what was told may be told again
        self.refused: set[tuple[str, str]] = set()
        self.hung_up: set[tuple[str, str]] = set()  # behind what it had taken
        self.taken: list[tuple[str, int, dict]] = []  # the event, how many faults there had been, the message
        self.batches: list[int] = []
        self._lock = threading.Lock()
        receiver.reply = self.answer

    def answer(self, post):
        messages = post.body if post.event == "msg.notify" else [post.body]
        with self._lock:
            keys = {(post.event, message["client_msg_no"]) for message in messages}
            status = self._decide(keys)
            if status in (200, None):
                self.batches.append(len(messages))
                self.taken += [(post.event, self.faults, message) for message in messages]
            if status is None:
                self.hung_up |= keys
        if status == 0:
            raise ConnectionError("the test hangs up")
        return status, b""

    def _decide(self, keys) -> int | None:
        """None: taken, and never said so. 0: not even taken."""
        if any(POISON in number for _, number in keys) and not self.is_poison_taken:
            self.refused |= keys
            return 500
        if self.mood == "slow":
            time.sleep(self.rng.uniform(0, 0.03))
        if self.mood == "busy":
            return self.rng.choice((200, 429, 503))
        if self.mood == "rude":
            return self.rng.choice((200, 0))
        if self.mood == "forgetful":
            return self.rng.choice((200, 200, None))
        if self.mood == "strict" and not keys & self.refused:
            self.refused |= keys
            return self.rng.choice((201, 400, 500))
        return 200

    def note_fault(self):
        """Nothing is under way any more; what has been may be told again."""
        eventually(self.receiver.is_idle)
        with self._lock:
            self.faults += 1

    def snapshot(self):
        with self._lock:
            return list(self.taken)


class World:
    def __init__(self, start_server, receiver, rng):
        self.rng = rng
        self.back_end = BackEnd(receiver, rng.randrange(1 << 32))
        self.server = start_server(webhook={
            "httpAddr": receiver.url, "focusEvents": list(EVENTS), "msgNotifyEventPushInterval": "20ms",
            "msgNotifyEventCountPerPush": BATCH_MAX, "msgNotifyEventRetryMaxCount": 2})
        self.sent: list[Sent] = []
        api = Api(self.server)
        self.groups = [api.group(f"group{number}", *PEOPLE) for number in range(3)]
        api.group("closed", *PEOPLE)
        api.info("closed", GROUP, ban=1)

    # -- what is sent --------------------------------------------------------------------------------------------------

    def _one(self, is_poison: bool) -> Sent:
        sender, peer = self.rng.sample(PEOPLE, 2)
        channel = self.rng.choice([(peer, PERSON), (peer, PERSON), *((group, GROUP) for group in self.groups), (f"{sender}@robot", AGENT)])
        number = f"{POISON if is_poison else 'n'}{len(self.sent)}"
        return Sent(number, channel, sender, self.rng.random() < 0.2 and not is_poison, self.rng.random() < 0.9 or is_poison)

    def send_some(self, api, count, poison_at):
        """Until it is done or the server is gone."""
        for index in range(count):
            sent = self._one(index == poison_at)
            self.sent.append(sent)
            header = {"sync_once": int(sent.command), "no_persist": int(not sent.stored)}
            try:
                answer = api.send(sent.number.encode(), *sent.channel, from_uid=sent.sender, client_msg_no=sent.number, header=header)
                if index % 5 == 0:
                    api.post("/message/send", {"from_uid": sent.sender, "channel_id": "closed", "channel_type": GROUP, "payload": "eA==",
                                               "client_msg_no": f"refused{sent.number}"})
            except OSError:
                return
            sent.message_id = answer["message_id"]

    # -- what goes wrong -----------------------------------------------------------------------------------------------

    def phase(self, poison_at):
        self.back_end.mood = self.rng.choice(("well", "slow", "busy", "rude", "forgetful", "strict", "away"))
        if self.back_end.mood == "away":
            self.back_end.receiver.stop()
            self.back_end.note_fault()
        ending = self.rng.choice(("kill", "kill in the middle", "restart", "nothing", "nothing"))
        api, count = Api(self.server), self.rng.randint(5, 25)
        if ending == "kill in the middle":
            thread = threading.Thread(target=self.send_some, args=(api, count, poison_at))
            thread.start()
            time.sleep(self.rng.uniform(0, 0.15))
            self.server.kill()
            thread.join()
        else:
            self.send_some(api, count, poison_at)
        if ending == "restart":
            began = time.monotonic()
            self.server.stop()
            if time.monotonic() - began > STOP_SOON:
                self.back_end.note_fault()  # so slow a machine may not have got its last answers
        elif ending == "kill":
            self.server.kill()
        if ending.startswith("kill"):
            self.back_end.note_fault()
        if self.back_end.mood == "away":
            self.back_end.receiver.start()
        if not self.server.running():
            self.server.start()

    def settle(self, is_known):
        """The back end is well, and everything that `is_known` is told."""
        self.back_end.mood = "well"
        wanted = {(event, sent.number): sent for sent in self.sent
                  if sent.message_id and is_known(sent) for event in sent.events()}

        def is_all_told():
            for event, _, message in self.back_end.snapshot():
                wanted.pop((event, message["client_msg_no"]), None)
            return not wanted

        try:
            eventually(is_all_told, LONG, every=0.1)
        except AssertionError:
            raise AssertionError(f"never told: {wanted}") from None

    def check_dead_letters(self):
        poison = [sent for sent in self.sent if POISON in sent.number and self._stored_id(sent)]
        count = sum(len(sent.events()) for sent in poison)
        api = Api(self.server)
        eventually(lambda: len(api.get("/webhook/deadletters", limit=1000).bare()["dead_letters"]) == count, LONG, every=0.1)
        self.back_end.is_poison_taken = True
        if count:
            assert api.post("/webhook/resend", {"all": 1}).ok() == {"resent": count, "more": 0}
        self.settle(lambda sent: True)
        eventually(lambda: outbox_is_empty(self.server), LONG)
        assert api.get("/webhook/deadletters").bare() == {"dead_letters": [], "more": 0}

    # -- what must be so -----------------------------------------------------------------------------------------------

    def _stored_id(self, sent) -> int:
        return sent.message_id or next((m["message_id"] for m in self._history(sent) if m["client_msg_no"] == sent.number), 0)

    def _history(self, sent) -> list[dict]:
        return Api(self.server).history(sent.sender, *sent.channel)

    def check(self):
        asked = {sent.number: sent for sent in self.sent}
        first: dict[tuple[str, str], dict] = {}
        last_fault: dict[tuple[str, str], int] = {}
        for event, faults, message in self.back_end.snapshot():
            key = (event, message["client_msg_no"])
            sent = asked[key[1]]  # and not of a message that was refused
            assert event in sent.events() and sent.message_id in (0, message["message_id"]), key
            self._check_message(event, sent, message)
            if key in first:
                assert last_fault[key] < faults or key in self.back_end.hung_up, f"{key} was told twice without a fault"
            first.setdefault(key, message)
            last_fault[key] = faults
        assert max(self.back_end.batches) <= BATCH_MAX
        self._check_orders(asked, first)
        self._check_logs(asked, first)

    @staticmethod
    def _check_message(event, sent, message):
        suffix = "____cmd" if sent.command and event == "msg.notify" else ""
        assert (message["from_uid"], message["channel_id"], message["channel_type"]) == (
            sent.sender, sent.channel[0] + suffix, sent.channel[1])
        assert message["header"] == {"no_persist": int(not sent.stored), "red_dot": 0, "sync_once": int(sent.command)}
        assert (message["message_seq"] > 0) == sent.stored
        assert event == "msg.notify" or message["to_uids"] == sent.recipients

    @staticmethod
    def _check_orders(asked, first):
        """Each log's messages come in its order; what was refused for good and sent again is behind."""
        for event in EVENTS:
            newest: dict[tuple, int] = {}
            for (told, number), message in first.items():
                if told == event and POISON not in number and asked[number].stored:
                    log = asked[number].log
                    assert message["message_seq"] > newest.get(log, 0), (event, log)
                    newest[log] = message["message_seq"]

    def _check_logs(self, asked, first):
        """What is in the logs was told, and nothing else."""
        told = {number: message["message_id"] for (event, number), message in first.items() if event == "msg.notify" and not asked[number].command}
        logs = {sent.log: sent for sent in self.sent}
        stored = {message["client_msg_no"]: message["message_id"] for sent in logs.values() for message in self._history(sent)}
        assert told == stored


@pytest.mark.parametrize("again", range(2))
def test_whatever_is_sent_and_whatever_becomes_of_the_back_end(start_server, receiver, rng, again):
    world = World(start_server, receiver, rng)
    poisoned = rng.sample(range(PHASES), 2)
    for phase in range(PHASES):
        world.phase(rng.randrange(5) if phase in poisoned else None)
        if rng.random() < 0.2:
            world.settle(lambda sent: POISON not in sent.number)
    world.settle(lambda sent: POISON not in sent.number)
    world.check_dead_letters()
    world.check()
    assert metric(world.server, 'jingu_webhook_events_total{fate="outbox_full"}') == 0
