"""Whatever the system refuses once, in the middle of any request: the asker is told, nothing is left over, the next one works.

For every kind of request the first allocation of the server's own fails, then the second, until a request comes through untouched;
likewise writes and syncs of files, new connections, and what epoll is asked to watch. The faults come from a library that is
preloaded (harness/faults.c); it stands at jemalloc's door, so that builds without jemalloc (sanitizers) sweep all but allocations.
Charges to budgets are swept in builds that have a door for it, which are those with slow assertions.
"""

import base64
import os
import pathlib
import re

import pytest

from harness.api import Api
from harness.client import Client
from harness.faults import ACCEPT, ALLOC, CHARGE, EPOLL, SYNC, WRITE, Faults
from harness.json_client import JsonClient
from harness.packets import Kind
from harness.server import BINARY
from harness.streams import TEXT, Closed, TcpStream, WebSocketStream
from harness.waiting import SCALE, eventually

pytestmark = [pytest.mark.jingu_only(reason="the faults are made for Jingu")]

IS_SANITIZED = "asan" in str(BINARY) or "tsan" in str(BINARY)
HAS_DOOR_FOR_CHARGES = b"faults_refuse_charge" in BINARY.read_bytes()
TRIES_MAX = 300
TOLD = 10 * SCALE
BUSY, CLOSED = 18, None
KEPT_MAX = 64 << 10  # of a holder: its slabs may have other holes than before


def told(reason) -> bool:
    """Did it succeed? A connection that ends says no, too: its SDK comes back and asks again."""
    try:
        return reason() == 1
    except (Closed, OSError):
        return False
    except AssertionError as failure:
        if ": closed (" not in str(failure):
            raise
        return False


class World:
    """A server with two users who know each other, and every kind of request that is made of it. A request gives True when it did
    what was asked and False when it was told no; whoever is told nothing fails."""

    def __init__(self, server, name, receiver):
        self.server, self.name, self.api, self.receiver = server, name, Api(server), receiver
        self.anna = self.bob = None
        self.count = 0
        self.api.group(name("group"), name("anna"), name("bob"))

    def user(self, who):
        client = getattr(self, who)
        if client is None or not client.is_open():
            client = Client(TcpStream(self.server.tcp_port), self.name(who))
            client.login()
            setattr(self, who, client)
        return client

    def number(self):
        self.count += 1
        return self.count

    # -- by socket --

    def send(self):
        self.user("bob")
        return self._send(self.name("bob"), 1)

    def send_to_group(self):
        self.user("bob")
        return self._send(self.name("group"), 2)

    def _send(self, channel, kind):
        anna = self.user("anna")
        return told(lambda: anna.say(channel, b"hello", kind, client_msg_no=f"n{self.number()}").reason)

    def login(self):
        return self._login(TcpStream)

    def login_by_websocket(self):
        return self._login(WebSocketStream)

    def _login(self, stream):
        port = self.server.ws_port if stream is WebSocketStream else self.server.tcp_port

        def reason():
            client = Client(stream(port), self.name("carl"))
            client.write(client.connect_packet())
            return client.expect(Kind.CONNACK, TOLD).reason

        return told(reason)

    # -- by HTTP --

    def _post(self, path, **body):
        reply = self.api.post(path, body, timeout=TOLD)
        assert reply.status == 200 or "msg" in (reply.body or {}), reply
        is_code = isinstance(reply.body, dict) and reply.body.get("status", 200) != 200  # a reason, in an answer that is 200
        return reply.status == 200 and not is_code

    def send_by_api(self):
        return self._post("/message/send", from_uid=self.name("anna"), channel_id=self.name("bob"), channel_type=1, payload="aGk=")

    def send_to_list(self):
        return self._post("/message/send", header={"sync_once": 1}, from_uid=self.name("anna"), payload="aGk=",
                          subscribers=[self.name("anna"), self.name("bob")])

    def history(self):
        return self._post("/channel/messagesync", login_uid=self.name("bob"), channel_id=self.name("anna"), channel_type=1, limit=20)

    def conversations(self):
        return self._post("/conversation/sync", uid=self.name("bob"), version=0, last_msg_seqs="", msg_count=5)

    def unread(self):
        return self._post("/conversations/setUnread", uid=self.name("bob"), channel_id=self.name("anna"), channel_type=1, unread=0)

    def members(self):
        return self._post("/channel/subscriber_add", channel_id=self.name("group"), channel_type=2, subscribers=[self.name("carl")])

    def channel(self):
        return self._post("/channel", channel_id=self.name("group"), channel_type=2, subscribers=[self.name("dora")])

    def denied(self):
        return self._post("/channel/blacklist_set", channel_id=self.name("group"), channel_type=2, uids=[self.name("eve")])

    def token(self):
        return self._post("/user/token", uid=self.name("eve"), token="t", device_flag=1, device_level=0)

    def stream(self):
        return self._post("/message/event", channel_id=self.name("bob"), channel_type=1, from_uid=self.name("anna"),
                          client_msg_no=self.name("lane"), event_id=f"e{self.number()}", event_type="stream.delta",
                          payload={"kind": "text", "delta": "word "})

    def stream_sync(self):
        return self._post("/message/eventsync", channel_id=self.name("bob"), channel_type=1, from_uid=self.name("anna"),
                          client_msg_no=self.name("lane"))

    def commands(self):
        return self._post("/message/sync", uid=self.name("bob"), message_seq=0, limit=20)

    # -- by the server --

    def webhook(self):
        """What was stored is told to the back end, however often that has to be tried."""
        payload = base64.b64encode(f"told{self.number()}".encode()).decode()
        sent = self._post("/message/send", from_uid=self.name("anna"), channel_id=self.name("bob"), channel_type=1, payload=payload)
        if sent:
            eventually(lambda: any(message["payload"] == payload for message in self.receiver.messages()), within=TOLD)
        return sent

    # -- all of them --

    REQUESTS = ("send", "send_to_group", "login", "login_by_websocket", "send_by_api", "send_to_list", "history", "conversations",
                "unread", "members", "channel", "denied", "token", "stream", "stream_sync", "commands", "webhook")

    def settle(self):
        """Reads what has come, so that no queue is longer than at another time."""
        for client in (self.anna, self.bob):
            if client is not None and client.is_open():
                client.ping()
                client._inbox.clear()

    def held(self):
        self.settle()
        return {f'{h["part"]}{h["index"]}.{h["holder"]}': h["used"] for h in self.api.get("/ledger").bare()["holders"]
                if h["part"] in ("shard", "http", "node")}

    def calls(self) -> set[str]:
        """The connections to the back end, as descriptors show them. There are as many as were once needed at the same time."""
        lines = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return {f"socket:[{line[9]}]" for line in lines if line[2].endswith(f":{self.receiver.port:04X}")}

    def descriptors(self) -> int:
        """Those of the data's files come and go with these."""
        directory = pathlib.Path(f"/proc/{self.server.process.pid}/fd")
        targets = [os.readlink(entry) for entry in directory.iterdir() if entry.is_symlink()]
        calls = self.calls()
        return sum(not target.startswith(str(self.server.data)) and target not in calls for target in targets)


@pytest.fixture
def world(start_server, tmp_path, name, receiver, monkeypatch):
    faults = Faults(tmp_path)
    for key, value in faults.environment.items():
        monkeypatch.setenv(key, value)
    server = start_server(memory="64M", webhook={"httpAddr": receiver.url, "msgNotifyEventPushInterval": "20ms"})
    monkeypatch.undo()
    world = World(server, name, receiver)
    world.faults = faults
    return world


def sweep(world, request, kind) -> int:
    """Gives how many calls of that kind the request makes."""
    for nth in range(1, TRIES_MAX):
        world.user("anna"), world.user("bob")
        world.faults.arm(kind, nth)
        try:
            done = getattr(world, request)()
        finally:
            was_hit = world.faults.disarm()
        if not was_hit:
            assert done, f"{request} was refused without a fault"
            return nth - 1
        eventually(getattr(world, request), within=TOLD, every=0.05)
        for other in World.REQUESTS:  # each shard has heard of it when all of these succeed
            eventually(getattr(world, other), within=TOLD, every=0.05)
    raise AssertionError(f"{request} makes more than {TRIES_MAX} calls")


def kinds():
    chosen = {"alloc": ALLOC, "write": WRITE, "sync": SYNC, "accept": ACCEPT, "epoll": EPOLL, "charge": CHARGE}
    if IS_SANITIZED:
        del chosen["alloc"]
    if not HAS_DOOR_FOR_CHARGES:
        del chosen["charge"]
    return [pytest.param(kind, id=word) for word, kind in chosen.items()]


@pytest.mark.timeout(200)
@pytest.mark.parametrize("kind", kinds())
def test_a_refusal_at_any_point(world, kind):
    for request in World.REQUESTS * 2:
        assert getattr(world, request)(), request
    before = world.held()
    descriptors = world.descriptors()

    calls = {request: sweep(world, request, kind) for request in World.REQUESTS}

    assert sum(calls.values()) > 0, "nothing was refused: the faults are not made"
    assert not world.server.complaints()

    def is_as_before():
        after = world.held()
        return all(after[holder] <= before[holder] + KEPT_MAX for holder in before)

    eventually(is_as_before, within=20 * SCALE, every=0.2)
    eventually(lambda: world.descriptors() <= descriptors, within=20 * SCALE, every=0.2)


@pytest.mark.skipif(IS_SANITIZED, reason="jemalloc's door is not there")
def test_whoever_there_is_no_memory_for_is_told_that_the_server_is_busy(world):
    """Each way of it is met at some allocation of the request, whatever others allocate beside it."""
    send = {"from_uid": world.name("anna"), "payload": "aGk="}
    envelope, batch = set(), set()

    def ask(path, body):
        for nth in range(1, 40):
            world.faults.arm(ALLOC, nth)
            try:
                reply = world.api.post(path, body, timeout=TOLD)
            except OSError:
                continue  # not even the connection had room
            finally:
                world.faults.disarm()
            if reply.status == 200:
                batch.update(reply.body.get("reason", []))
            else:
                reply.refused()
                envelope.add(reply.body["msg"])

    def has_seen_both():
        ask("/message/sendbatch", send | {"subscribers": [world.name("bob")]})
        return "the server is busy, try again later" in envelope and "服务器繁忙！" in batch

    eventually(has_seen_both, within=TOLD * 6)
    assert envelope <= {"the server is busy, try again later"} and batch <= {"服务器繁忙！", "发送消息失败！"}


@pytest.mark.skipif(IS_SANITIZED and not HAS_DOOR_FOR_CHARGES, reason="no door to refuse memory at")
def test_a_sender_whom_there_is_no_memory_for_is_told_to_try_again_and_then_has_one_effect(world):
    """Reason 18 wherever his SEND wants memory: for the channel, for what the first message of two people writes, for the message."""
    kind = CHARGE if HAS_DOOR_FOR_CHARGES else ALLOC
    known = world.name("known")
    world.user("anna").tell(known)
    told: dict[str, list[int]] = {"new": [], "known": []}
    rounds = 0

    def everybody_has_been_refused() -> bool:
        nonlocal rounds
        rounds += 1
        for nth in range(1, 10):
            for which, receiver in ("new", f"{world.name('new')}r{rounds}n{nth}"), ("known", known):
                ask(which, receiver, nth)
        return all(BUSY in reasons for reasons in told.values())

    def ask(which: str, receiver: str, nth: int) -> None:
        anna = world.user("anna")
        number = f"n{world.number()}"
        world.faults.arm(kind, nth)
        try:
            reason = anna.say(receiver, b"once", client_msg_no=number).reason
        except (Closed, AssertionError) as failure:
            assert isinstance(failure, Closed) or ": closed (" in str(failure), failure
            reason = CLOSED  # there was no room for the connection
        finally:
            world.faults.disarm()
        told[which].append(reason)
        seqs = {world.user("anna").tell(receiver, b"once", client_msg_no=number).message_seq for _ in range(2)}
        assert len(seqs) == 1
        if which == "new":
            assert [message["plain"] for message in world.api.history(receiver, anna.uid)] == [b"once"]

    eventually(everybody_has_been_refused, within=TOLD * 6)
    assert {reason for reasons in told.values() for reason in reasons} <= {1, BUSY, CLOSED}


def connect(world, uid):
    client = Client(TcpStream(world.server.tcp_port), uid)
    client.write(client.connect_packet())
    reason = client.expect(Kind.CONNACK, TOLD).reason
    client.close()
    return reason


def connect_by_json(world, uid):
    client = JsonClient(WebSocketStream(world.server.ws_port, opcode=TEXT), uid)
    answer = client.request("connect", {"uid": uid, "deviceId": uid, "deviceFlag": 1})
    client.close()
    return answer["result"]["reasonCode"] if "result" in answer else answer["error"]


@pytest.mark.skipif(IS_SANITIZED and not HAS_DOOR_FOR_CHARGES, reason="no door to refuse memory at")
@pytest.mark.parametrize("dialect", [connect, connect_by_json])
def test_a_login_that_there_is_no_memory_for_is_closed_and_not_told_no(world, dialect):
    """A "no" would keep clients away for good (semantics 1.4); who is closed comes again."""
    kind = CHARGE if HAS_DOOR_FOR_CHARGES else ALLOC
    closed = 0

    def is_let_in(nth: int) -> bool:
        world.faults.arm(kind, nth)
        try:
            reason = dialect(world, f"{world.name('guest')}n{world.number()}")
        except (Closed, OSError):
            return False
        except AssertionError as failure:
            if ": closed (" not in str(failure):
                raise
            return False
        finally:
            world.faults.disarm()
        assert reason == 1
        return True

    def failed() -> int:
        return int(re.search(r'^jingu_logins_total\{result="failed"\} (\d+)', world.api.get("/metrics").text, re.MULTILINE)[1])

    def one_has_failed() -> bool:
        nonlocal closed
        closed += sum(not is_let_in(nth) for nth in range(1, 16))
        return failed() > 0

    eventually(one_has_failed, within=TOLD * 6)
    assert failed() <= closed
