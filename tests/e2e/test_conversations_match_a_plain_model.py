"""Random sends, reads, deletes, joins, leaves, commands and restarts, and after each the answers of a plain model.

The model keeps whole logs and counts what it is asked for; it shares nothing with the server but the rules of HTTP API 10 and 12
and semantics 5. The seed is printed with the run; --seed repeats it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest

from harness.api import GROUP, PERSON, Api

STEPS = 400
SYNCS_KEPT = 4  # of a user, for his acknowledgements


@dataclass
class Log:
    """(sender, payload) of each message; the seq of the first is 1."""
    messages: list = field(default_factory=list)

    @property
    def last(self) -> int:
        return len(self.messages)

    def own_last(self, uid: str) -> int:
        return max((seq for seq, (sender, _) in enumerate(self.messages, 1) if sender == uid), default=0)

    def beyond(self, bound: int) -> list:
        return [(seq, *message) for seq, message in enumerate(self.messages, 1) if seq > bound]


@dataclass
class Place:
    """What a user has of a channel. None: not in his list, or no commands for him."""
    read: int | None = None
    deleted: int = 0
    received: int | None = None
    end: int | None = None


class Model:
    def __init__(self, users, groups):
        self.chat, self.commands, self.places = {}, {}, {}
        self.members = {group: set() for group in groups}
        self.denied = {group: set() for group in groups}
        self.channels = [*groups, *(frozenset(pair) for pair in itertools.combinations(users, 2))]
        for channel in self.channels:
            self.chat[channel], self.commands[channel] = Log(), Log()

    def place(self, uid, channel) -> Place:
        return self.places.setdefault((uid, channel), Place())

    def send(self, uid, channel, payload, is_command):
        log = (self.commands if is_command else self.chat)[channel]
        log.messages.append((uid, payload))
        if log.last > 1 or not isinstance(channel, frozenset):
            return
        for member in channel:
            place, read = self.place(member, channel), 1 if member == uid else 0
            if is_command and place.received is None:
                place.received = read
            if not is_command and place.read is None:
                place.read = read

    def join(self, uid, group):
        self.members[group].add(uid)
        place = self.place(uid, group)
        place.read, place.deleted = self.chat[group].last, 0
        if place.received is None or place.end is not None:
            place.received, place.end = self.commands[group].last, None

    def leave(self, uid, group):
        self.members[group].discard(uid)
        place = self.place(uid, group)
        place.read, place.deleted = None, 0
        if place.received is not None and place.end is None:
            place.end = self.commands[group].last
        self.settle(place)

    def settle(self, place):
        if place.end is not None and place.received >= place.end:
            place.received = place.end = None

    def deny(self, uid, group):
        self.denied[group].add(uid)
        self.place(uid, group).read = None

    def pardon(self, uid, group):
        self.denied[group].discard(uid)
        place = self.place(uid, group)
        if place.read is None:
            place.read, place.deleted = self.chat[group].last, 0

    def advance(self, uid, channel, seq):
        place = self.place(uid, channel)
        if seq > (place.read or 0):
            if place.read is None:
                place.deleted = 0
            place.read = seq

    def set_unread(self, uid, channel, count):
        last = self.chat[channel].last
        if last > 0:
            self.advance(uid, channel, last if count == 0 else last - count if 0 < count <= last else last - 1)

    def delete(self, uid, channel):
        place = self.place(uid, channel)
        if place.read is not None:
            place.deleted = max(place.deleted, self.chat[channel].last)

    def conversation(self, uid, channel, bound, msg_count):
        """None: it is not told."""
        log, place = self.chat[channel], self.place(uid, channel)
        recents = log.beyond(bound)[::-1][:msg_count]
        read = place.read or 0
        unread = max(log.last - read, 0)
        own = log.own_last(uid)
        if own > read and log.last - own < unread:
            unread, read = log.last - own, own
        if own == log.last and own > 0:
            unread, read = 0, own
        return unread, read, log.last, [(seq, sender, payload) for seq, sender, payload in recents]

    def sync(self, uid, seen, msg_count, only_unread, known):
        told = {}
        for channel in self.channels:
            place = self.places.get((uid, channel))
            if place is None or place.read is None:
                continue
            bound = known.get(channel, 0) or (place.read if only_unread else 0)
            conversation = self.conversation(uid, channel, max(bound, place.deleted), msg_count)
            if conversation[3]:
                told[seen(uid, channel)] = conversation
        return told

    def missed(self, uid):
        """The commands that wait for him, by channel."""
        missed = {}
        for channel in self.channels:
            place = self.places.get((uid, channel))
            if place is not None and place.received is not None:
                end = self.commands[channel].last if place.end is None else place.end
                waiting = [message for message in self.commands[channel].beyond(place.received) if message[0] <= end]
                if waiting:
                    missed[channel] = waiting
        return missed

    def receive(self, uid, channel, seq):
        place = self.place(uid, channel)
        if place.received is not None:
            place.received = max(place.received, seq)
            self.settle(place)


class World:
    """Does each thing to the server and to the model."""

    def __init__(self, server, login, name, rng):
        self.server, self._login, self.rng = server, login, rng
        self.users = [f"{name('user')}n{i}" for i in range(5)]
        self.groups = [f"{name('group')}n{i}" for i in range(3)]
        self.model = Model(self.users, self.groups)
        self.numbers = itertools.count(1)
        self.journal = []
        self.connect()
        for group in self.groups:
            self.api.group(group)

    def connect(self):
        self.syncs = {uid: [] for uid in self.users}  # how far each told each log, until it is acknowledged or the server ends
        self.api = Api(self.server)
        self.clients = {uid: self._login(uid, self.server) for uid in self.users}

    def seen(self, uid, channel) -> str:
        return next(iter(channel - {uid})) if isinstance(channel, frozenset) else channel

    def kind(self, channel) -> int:
        return PERSON if isinstance(channel, frozenset) else GROUP

    def some_user(self):
        return self.rng.choice(self.users)

    def some_channel(self, uid):
        return self.rng.choice([c for c in self.model.channels if not isinstance(c, frozenset) or uid in c])

    def some_group(self):
        return self.rng.choice(self.groups)

    # -- what happens ---------------------------------------------------------------------------------------------------

    def speak(self):
        uid = self.some_user()
        channel = self.some_channel(uid)
        payload = b"m%d" % next(self.numbers)
        is_allowed = isinstance(channel, frozenset) or (
            uid in self.model.members[channel] and uid not in self.model.denied[channel])
        ack = self.clients[uid].say(self.seen(uid, channel), payload, self.kind(channel), client_msg_no=payload.decode())
        assert (ack.reason == 1) == is_allowed
        if is_allowed:
            self.model.send(uid, channel, payload, False)
        return uid, channel, payload

    def post(self):
        uid = self.some_user()
        channel = self.some_channel(uid)
        payload = b"m%d" % next(self.numbers)
        self.api.send(payload, self.seen(uid, channel), self.kind(channel), from_uid=uid, client_msg_no=payload.decode())
        self.model.send(uid, channel, payload, False)
        return uid, channel, payload

    def order(self):
        uid = self.some_user()
        channel = self.some_channel(uid)
        payload = b"c%d" % next(self.numbers)
        self.api.command(payload, self.seen(uid, channel), self.kind(channel), from_uid=uid)
        self.model.send(uid, channel, payload, True)
        return uid, channel, payload

    def join(self):
        uid, group = self.some_user(), self.some_group()
        self.api.subscribe(group, uid)
        self.model.join(uid, group)
        return uid, group

    def leave(self):
        uid, group = self.some_user(), self.some_group()
        self.api.unsubscribe(group, uid)
        self.model.leave(uid, group)
        return uid, group

    def deny(self):
        uid, group = self.some_user(), self.some_group()
        self.api.edit_list("blacklist_add", group, uid)
        self.model.deny(uid, group)
        return uid, group

    def pardon(self):
        uid, group = self.some_user(), self.some_group()
        self.api.edit_list("blacklist_remove", group, uid)
        self.model.pardon(uid, group)
        return uid, group

    def clear(self):
        uid = self.some_user()
        channel = self.some_channel(uid)
        self.api.clear_unread(uid, self.seen(uid, channel), self.kind(channel))
        self.model.advance(uid, channel, self.model.chat[channel].last)
        return uid, channel

    def set_unread(self):
        uid = self.some_user()
        channel = self.some_channel(uid)
        count = self.rng.choice([0, 1, 2, 5, 1000, -1])
        self.api.set_unread(uid, self.seen(uid, channel), self.kind(channel), count)
        self.model.set_unread(uid, channel, count)
        return uid, channel, count

    def delete(self):
        uid = self.some_user()
        channel = self.some_channel(uid)
        self.api.delete_conversation(uid, self.seen(uid, channel), self.kind(channel))
        self.model.delete(uid, channel)
        return uid, channel

    def fetch(self):
        uid, limit = self.some_user(), self.rng.choice([0, 1, 2, 3, 10])
        told = self.api.commands(uid, limit)
        missed = self.model.missed(uid)
        assert len(told) == min(limit or 200, sum(len(waiting) for waiting in missed.values()))
        place_of = {payload: (channel, seq) for channel, waiting in missed.items() for seq, _, payload in waiting}
        places = [place_of[message["plain"]] for message in told]
        for channel in missed:
            seqs = [seq for other, seq in places if other == channel]
            assert seqs == [seq for seq, _, _ in missed[channel]][:len(seqs)]
        if told:
            self.syncs[uid] = [*self.syncs[uid], dict(places)][-SYNCS_KEPT:]
        if told and self.rng.random() < 0.7:
            seq = told[-1]["message_seq"]
            self.api.acknowledge_commands(uid, seq)
            named = [ends for ends in self.syncs[uid] if seq in ends.values()]
            self.syncs[uid].remove(named[0])
            for channel in set.intersection(*(set(ends) for ends in named)):
                self.model.receive(uid, channel, min(ends[channel] for ends in named))
        return uid, limit

    def restart(self):
        for client in self.clients.values():
            client.close()
        self.server.restart()
        self.connect()

    def kill(self):
        self.server.kill()
        self.server.start()
        self.connect()

    # -- what is told ---------------------------------------------------------------------------------------------------

    def told(self, item):
        recents = [(m["message_seq"], m["from_uid"], m["client_msg_no"].encode()) for m in item["recents"]]
        return item["unread"], item["readed_to_msg_seq"], item["last_msg_seq"], recents

    def compare(self, uid):
        msg_count, only_unread = self.rng.choice([1, 3, 1000]), self.rng.random() < 0.3
        known = {c: self.rng.randint(0, self.model.chat[c].last) for c in self.model.channels
                 if self.rng.random() < 0.2 and (not isinstance(c, frozenset) or uid in c)}
        text = "|".join(f"{self.seen(uid, channel)}:{self.kind(channel)}:{seq}" for channel, seq in known.items())
        how = self.rng.choice([{"only_unread": 1}, {"version": 1}]) if only_unread else {}
        told = self.api.conversations(uid, msg_count=msg_count, last_msg_seqs=text, **how)
        assert len({item["channel_id"] for item in told}) == len(told)
        expected = self.model.sync(uid, self.seen, msg_count, only_unread, known)
        assert {item["channel_id"]: self.told(item) for item in told} == expected

    def compare_by_channels(self, uid):
        channels = [c for c in self.model.channels if not isinstance(c, frozenset) or uid in c]
        asked = [{"channel_id": self.seen(uid, c), "channel_type": self.kind(c)} for c in channels]
        told = self.api.post("/conversation/syncByChannels", {"uid": uid, "channels": asked, "msg_count": 2}).bare()
        assert [self.told(item) for item in told] == [
            self.model.conversation(uid, c, 0, 2) if self.model.chat[c].last else (0, self.model.place(uid, c).read or 0, 0, [])
            for c in channels]


ACTIONS = {World.speak: 30, World.post: 15, World.order: 15, World.join: 12, World.leave: 5, World.deny: 3, World.pardon: 3,
           World.clear: 10, World.set_unread: 10, World.delete: 8, World.fetch: 15, World.restart: 0.6, World.kill: 0.6}


@pytest.mark.jingu_only(reason="the reference's conversations need a moment, and some never are right")
def test_every_answer_is_the_models(start_server, login, name, rng):
    world = World(start_server(), login, name, rng)
    for _ in range(STEPS):
        action = rng.choices(list(ACTIONS), list(ACTIONS.values()))[0]
        try:
            world.journal.append((action.__name__, action(world)))
            uid = world.some_user()
            world.compare(uid)
            world.compare_by_channels(uid)
        except AssertionError:
            print("what happened:", action.__name__, *world.journal[-40:], sep="\n  ")
            raise
