"""Groups whose list of members is too long to be held (semantics 2.5, 4.2): paged, looked up, never half.

The server has so little memory that a group of a few thousand is large: the same code that a group of 100,000 meets.
"""

import threading

import pytest

from harness.api import Api
from harness.packets import Flag, Kind
from harness.server import SHARDS
from harness.waiting import SOON, eventually

MEMORY = f"{max(50, 46 + 4 * SHARDS)}M"  # little more than the least
MANY = 6000  # members; above what this memory holds as a roster

pytestmark = pytest.mark.jingu_only(reason="the reference has no memory setting")


@pytest.fixture(scope="module")
def small_server(tmp_path_factory):
    from conftest import _Starter
    starter = _Starter(tmp_path_factory)
    yield starter(memory=MEMORY)
    starter.end()


@pytest.fixture
def api(small_server):
    return Api(small_server)


@pytest.fixture
def enter(login, name, small_server):
    """Logs in under a name of this test."""
    return lambda word, **options: login(name(word), small_server, **options)


def metric(api, series: str) -> float:
    """The sum of a series over its labels."""
    lines = api.get("/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == series)


def crowd(name, count=MANY):
    return [f"{name('sleeper')}n{i}" for i in range(count)]


@pytest.fixture
def large(api, name):
    """A large group with these members, most of whom never come."""
    def make(*members, channel_type=2, channel_id=None):
        channel_id = channel_id or name("large")
        api.group(channel_id, *[member.uid for member in members], channel_type=channel_type)
        api.subscribe(channel_id, *crowd(name), channel_type=channel_type)
        return channel_id
    return make


def test_every_member_online_hears_every_message_once_and_in_order(api, enter, large):
    anna = enter("anna")
    others = [enter(f"member{i}") for i in range(40)]
    stranger = enter("stranger")
    group = large(anna, *others)
    looked_up = metric(api, "jingu_newcomers_looked_up_total")
    for i in range(30):
        anna.tell(group, b"%d" % i, 2)
    for other in others:
        assert [other.receive().plain for _ in range(30)] == [b"%d" % i for i in range(30)]
        other.ping()
        assert not other.pending(Kind.RECV)
    stranger.ping()
    assert not stranger.pending(Kind.RECV)
    assert metric(api, "jingu_newcomers_looked_up_total") > looked_up, "the group was not large"
    assert metric(api, "jingu_deliveries_without_roster_total") == 0


@pytest.mark.parametrize("size", ["small", "large"])
def test_messages_that_go_together_come_once_and_in_order_also_when_somebody_leaves_meanwhile(api, enter, large, name, size):
    """Each sender hears the others' messages and not its own, though they go to the members in the same walk."""
    senders, others = [enter(f"sender{i}") for i in range(3)], [enter(f"member{i}") for i in range(40)]
    members = senders + others
    group = large(*members) if size == "large" else api.group(name("small"), *[m.uid for m in members], *crowd(name, 400))
    senders[0].tell(group, b"everybody is known", 2)
    together = metric(api, "jingu_deliveries_together_total")
    sends = {sender: [sender.prepare(group, f"{sender.uid}:{i}".encode(), 2) for i in range(60)] for sender in senders}
    for sender in senders:
        sender.write(*sends[sender])
    others[0].receive()
    others[0].close()
    acks = [(sender.sendack(send).message_seq, send.plain) for sender in senders for send in sends[sender]]
    said = [plain for _, plain in sorted(acks)]
    for other in others[1:]:
        assert [other.receive().plain for _ in range(181)] == [b"everybody is known", *said]
        other.ping()
        assert not other.pending(Kind.RECV)
    for sender in senders[1:]:
        own = {send.plain for send in sends[sender]}
        assert [sender.receive().plain for _ in range(121)] == [b"everybody is known", *[s for s in said if s not in own]]
    assert metric(api, "jingu_deliveries_together_total") > together, "none went together"


def test_events_of_a_stream_reach_them_too(api, enter, large, name):
    others = [enter(f"member{i}") for i in range(20)]
    group = large(*others)
    looked_up = metric(api, "jingu_newcomers_looked_up_total")
    for i in range(5):
        api.post("/message/event", {"channel_id": group, "channel_type": 2, "client_msg_no": name("ai"), "event_id": f"e{i}",
                                    "event_type": "stream.delta", "payload": {"kind": "text", "delta": "x"}}).ok()
        api.send(b"%d" % i, group)
    for other in others:
        assert [(other.expect(Kind.EVENT).id, other.receive().plain) for _ in range(5)] == [
            (f"e{i}", b"%d" % i) for i in range(5)]
        other.ping()
        assert not other.pending(Kind.EVENT)
    assert metric(api, "jingu_newcomers_looked_up_total") > looked_up, "the group was not large"


def test_who_comes_online_hears_the_next_message_and_who_comes_back_too(enter, login, large, name, small_server):
    anna = enter("anna")
    group = large(anna)
    for visit in range(3):
        member = login(crowd(name)[17], small_server)
        anna.tell(group, b"%d" % visit, 2)
        assert member.receive().plain == b"%d" % visit
        second = login(member.uid, small_server, device_flag=1)
        anna.tell(group, b"both", 2)
        assert (member.receive().plain, second.receive().plain) == (b"both", b"both")
        member.close()
        second.close()


def test_who_joins_hears_the_next_message_and_who_leaves_hears_no_more(api, enter, large):
    anna, bob = enter("anna"), enter("bob")
    group = large(anna)
    anna.tell(group, b"before", 2)
    api.subscribe(group, bob.uid)
    anna.tell(group, b"while member", 2)
    assert bob.receive().plain == b"while member"
    api.unsubscribe(group, bob.uid)
    anna.tell(group, b"after", 2)
    anna.tell(bob.uid, b"end")
    assert bob.receive().plain == b"end"


def test_a_group_becomes_small_again_and_large_again(api, enter, large, name):
    anna, bob = enter("anna"), enter("bob")
    group = large(anna, bob)
    anna.tell(group, b"large", 2)
    api.subscribe(group, anna.uid, bob.uid, reset=1)
    anna.tell(group, b"small", 2)
    looked_up = metric(api, "jingu_newcomers_looked_up_total")
    anna.tell(group, b"still small", 2)
    assert metric(api, "jingu_newcomers_looked_up_total") == looked_up
    api.subscribe(group, *crowd(name))
    anna.tell(group, b"large again", 2)
    assert [bob.receive().plain for _ in range(4)] == [b"large", b"small", b"still small", b"large again"]
    api.post("/channel/subscriber_remove_all", {"channel_id": group, "channel_type": 2}).ok()
    assert anna.say(group, b"nobody", 2).reason == 3


@pytest.mark.slow
def test_a_hundred_thousand_members_are_paged_and_never_held(start_server, login, name):
    server = start_server(memory=MEMORY)
    api = Api(server)
    sleepers = crowd(name, 100_000)
    anna, *others = (login(uid, server) for uid in (name("anna"), name("zoe"), sleepers[0], sleepers[50_000], sleepers[-1]))
    zoe = others[0]
    group = api.group(name("large"), anna.uid, zoe.uid)
    parts = range(0, len(sleepers), 4_000)
    for start in parts:
        api.subscribe(group, *sleepers[start:start + 4_000])
        anna.tell(group, b"%d" % start, 2)
        for client in others:
            client.ping()  # who is silent for as long as a slow machine needs is told again, and closed

    anna.tell(group, b"to all", 2)
    api.unsubscribe(group, *sleepers[:50_000:25], zoe.uid)
    anna.tell(group, b"to fewer", 2)

    assert [zoe.receive().plain for _ in parts] == [b"%d" % start for start in parts]
    for client, words in zip(others, [[b"to all"], [b"to all"], [b"to all", b"to fewer"], [b"to all", b"to fewer"]]):
        assert [client.expect(Kind.RECV, where=lambda m: m.plain.startswith(b"to")).plain for _ in words] == words
        anna.tell(client.uid, b"end")
        client.expect(Kind.RECV, where=lambda message: message.channel_type == 1)
        assert not [message for message in client.pending(Kind.RECV) if message.plain == b"to fewer"]
    count = len(parts) + 2
    for index, first_heard in [(1, 1), (50_001, 50_001 // 4_000 + 1), (99_998, len(parts))]:
        assert api.conversation(sleepers[index], group)["unread"] == count - first_heard + 1, "who never came has them all"
    assert api.conversation(sleepers[0], group) is None, "who left has none"
    rosters = [holder for holder in api.get("/ledger").bare()["holders"] if holder["holder"] == "rosters"]
    assert max(holder["peak"] for holder in rosters) < len("".join(sleepers)) / 4, "a list of them would be larger"

    api.post("/channel/subscriber_remove_all", {"channel_id": group, "channel_type": 2}).ok()
    assert anna.say(group, b"nobody", 2).reason == 3
    anna.tell(others[-1].uid, b"end")
    assert others[-1].expect(Kind.RECV, where=lambda message: message.channel_type == 1).message_seq == 2
    assert not [message for message in others[-1].pending(Kind.RECV) if message.plain == b"nobody"]


def test_a_visitor_hears_a_large_customer_service_channel_without_being_on_its_list(enter, large, name):
    anna, visitor = enter("anna"), enter("visitor")
    shop = large(anna, channel_type=3, channel_id=f"{visitor.uid}|{name('shop')}")
    anna.tell(shop, b"can I help you?", 3)
    assert visitor.receive().plain == b"can I help you?"


def test_a_message_that_is_not_stored_is_heard_too(enter, large):
    anna, bob = enter("anna"), enter("bob")
    group = large(anna, bob)
    anna.tell(group, b"is typing", 2, flags=Flag.NO_PERSIST)
    heard = bob.receive()
    assert (heard.plain, heard.message_seq) == (b"is typing", 0)


def test_commands_reach_a_large_group(api, enter, large):
    anna, bob = enter("anna"), enter("bob")
    group = large(anna, bob)
    api.send(b"look", group, header={"sync_once": 1})
    heard = bob.receive()
    assert (heard.plain, heard.channel_id, heard.flags & Flag.SYNC_ONCE) == (b"look", group, Flag.SYNC_ONCE)


class Speaker(threading.Thread):
    """Says something again and again until it is told to stop; then `seqs` has the seq of each message."""

    def __init__(self, client, channel):
        super().__init__(daemon=True)
        self.client, self.channel, self.seqs, self.failure = client, channel, [], None
        self.done, self.begun = threading.Event(), threading.Event()

    def run(self):
        try:
            while not self.done.is_set():
                self.seqs.append(self.client.tell(self.channel, b"tick", 2).message_seq)
                self.begun.set()
        except AssertionError as failure:
            self.failure = failure

    def __enter__(self):
        self.start()
        assert self.begun.wait(SOON)
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join(SOON)
        assert self.failure is None, self.failure


def heard_by(clients):
    """What each of them was told of the group until now, by a message of its own that comes after it."""
    return [[m.message_seq for m in client.pending(Kind.RECV) if m.channel_type == 2] for client in clients if client.ping()]


@pytest.mark.parametrize("size", ["small", "large"])
def test_all_who_are_added_or_removed_by_one_call_hear_the_same_messages(api, enter, large, name, size):
    """While messages fly: a message goes to the list before or after a change, never to half of it."""
    anna, witness = enter("anna"), enter("witness")
    watchers = [enter(f"watcher{i}") for i in range(24)]
    group = large(anna, witness) if size == "large" else api.group(name("small"), anna.uid, witness.uid)
    # The watchers stand apart in the call, so that they are on different pages of it.
    batch = [uid for i, watcher in enumerate(watchers) for uid in [watcher.uid, *[f"{watcher.uid}n{k}" for k in range(40)]]]
    with Speaker(anna, group) as speaker:
        api.subscribe(group, *batch)
        count = len(speaker.seqs) + 20
        while len(speaker.seqs) < count and speaker.failure is None:
            witness.expect(Kind.RECV)
        api.unsubscribe(group, *batch)
        count = len(speaker.seqs) + 20
        while len(speaker.seqs) < count and speaker.failure is None:
            witness.expect(Kind.RECV)
    # Everything that was sent out for a watcher was sent before this.
    for watcher in watchers:
        anna.tell(watcher.uid, b"end")
        end = watcher.expect(Kind.RECV, where=lambda m: m.channel_type == 1)
        assert end.plain == b"end"
    heard = heard_by(watchers)
    assert heard[0], "they were members for a while"
    assert heard[0] == list(range(heard[0][0], heard[0][-1] + 1)), "no gap while they were"
    assert heard[0][0] > 1 and heard[0][-1] < speaker.seqs[-1]
    for other in heard[1:]:
        assert other == heard[0]


@pytest.mark.slow
@pytest.mark.parametrize("size", ["small", "large"])
def test_a_list_that_changes_all_the_time_is_obeyed_by_every_message(api, enter, large, name, rng, size):
    """Random joins, leaves and resets while messages fly. Who is a member from before a message was sent until after it was
    acknowledged hears it, who is none does not, nobody twice, all in order."""
    anna = enter("anna")
    watchers = {w.uid: w for w in (enter(f"watcher{i}") for i in range(12))}
    group = large(anna) if size == "large" else api.group(name("small"), anna.uid)
    sleepers = crowd(name)
    members: set[str] = set()
    must = {uid: set() for uid in watchers}
    must_not = {uid: set() for uid in watchers}

    def settled(before: int, after: int):
        """Messages of which all is known: sent behind the last change and acknowledged before the next one."""
        for seq in speaker.seqs[before + 1:after]:
            for uid in watchers:
                (must if uid in members else must_not)[uid].add(seq)

    with Speaker(anna, group) as speaker:
        for _ in range(40):
            before = len(speaker.seqs)
            eventually(lambda: len(speaker.seqs) >= before + 4 or speaker.failure, every=0.001)
            settled(before, len(speaker.seqs) - 1)
            some = set(rng.sample(sorted(watchers), rng.randint(1, len(watchers))))
            padding = rng.sample(sleepers, rng.randint(0, 300))
            action = rng.choice(["add", "add", "remove", "remove", "reset"])
            if action == "add":
                api.subscribe(group, *rng.sample([*some, *padding], len(some) + len(padding)))
                members |= some
            elif action == "remove":
                api.unsubscribe(group, *some)
                members -= some
            elif size == "small":
                api.subscribe(group, anna.uid, *some, reset=1)
                members = some
    for watcher in watchers.values():
        anna.tell(watcher.uid, b"end")
        assert watcher.expect(Kind.RECV, where=lambda m: m.channel_type == 1).plain == b"end"
    for uid, heard in zip(watchers, heard_by(watchers.values())):
        assert heard == sorted(set(heard)), "in order, none twice"
        assert must[uid] <= set(heard), sorted(must[uid] - set(heard))
        assert not must_not[uid] & set(heard), sorted(must_not[uid] & set(heard))
    assert any(must.values()) and any(must_not.values())
