"""One day of a business back end: users, groups, chat, push, a second device, unread counts, lists, kicks, commands, an AI answer,
and a server that dies in the middle. Every number is checked at every step (HTTP API 5 to 13, webhook 3 to 5)."""

import json

import pytest

from harness.api import GROUP, PERSON, Api
from harness.packets import Kind
from harness.receiver import uids_of
from harness.waiting import SCALE, eventually
from test_event_streams import Stream, event

pytestmark = pytest.mark.jingu_only(reason="counts are right at once, and streams and webhooks survive a kill -9")

APP, PC = 0, 2  # device flags
MASTER = 1
NOT_A_MEMBER, IN_BLACKLIST = 3, 4
LONG = 60 * SCALE


class Day:
    """The back end and what it has handed out."""

    def __init__(self, server, receiver, login):
        self.server, self.receiver, self._login = server, receiver, login
        self.api = Api(server)

    def sign_up(self, *uids):
        for uid in uids:
            for flag in (APP, PC):
                self.api.token(uid, f"{uid}-{flag}", device_flag=flag, device_level=MASTER)

    def enter(self, uid, device_flag=APP):
        return self._login(uid, self.server, token=f"{uid}-{device_flag}", device_flag=device_flag)

    def numbers(self, uid, channel):
        """(unread, read up to, last) of a conversation; None: there is none."""
        found = self.api.conversation(uid, channel)
        return found and (found["unread"], found["readed_to_msg_seq"], found["last_msg_seq"])

    def told(self, channel):
        """Which messages of a channel msg.notify has brought."""
        return {message["message_seq"] for message in self.receiver.messages() if message["channel_id"] == channel}

    def pushed(self):
        """Whom msg.offline has named, message by message, in order of arrival and once each."""
        seen = {}
        for body in self.receiver.offline():
            seen.setdefault((body["channel_id"], body["message_seq"]), set()).update(uids_of(body))
        return seen


@pytest.fixture
def day(start_server, receiver, login):
    server = start_server(tokenAuthOn=True, webhook={"httpAddr": receiver.url, "msgNotifyEventPushInterval": "50ms"})
    return Day(server, receiver, login)


def test_a_day(day):
    api = day.api

    # Morning: people sign up, a team is made, they chat; who is away is pushed to.
    day.sign_up("anna", "bob", "carl", "dora")
    api.group("team", "anna", "bob", "carl")
    anna, bob = day.enter("anna"), day.enter("bob")
    assert {(one["uid"], one["device_flag"]) for one in api.online("anna", "bob", "carl")} == {("anna", APP), ("bob", APP)}
    anna.tell("bob", b"good morning")
    assert bob.receive().plain == b"good morning"
    for text in (b"plan", b"notes"):
        anna.tell("team", text, GROUP)
        assert bob.receive().plain == text
    assert day.numbers("bob", "anna") == (1, 0, 1)
    assert day.numbers("anna", "bob") == (0, 1, 1)
    assert day.numbers("bob", "team") == (2, 0, 2) == day.numbers("carl", "team")
    assert day.numbers("anna", "team") == (0, 2, 2)
    assert day.numbers("dora", "team") is None
    eventually(lambda: day.pushed() == {("team", 1): {"carl"}, ("team", 2): {"carl"}}, LONG)
    eventually(lambda: len({m["message_id"] for m in day.receiver.messages()}) == 3, LONG)

    # Carl reads on his second device; what he has read is read everywhere.
    carl_pc = day.enter("carl", PC)
    assert [m["plain"] for m in api.history("carl", "team", GROUP)] == [b"plan", b"notes"]
    api.clear_unread("carl", "team", GROUP)
    assert day.numbers("carl", "team") == (0, 2, 2)
    carl = day.enter("carl")
    carl.tell("team", b"on my way", GROUP)
    for other in (anna, bob, carl_pc):
        assert other.receive().plain == b"on my way"
    assert day.numbers("carl", "team") == (0, 3, 3)
    assert day.numbers("bob", "team") == (3, 0, 3)
    api.set_unread("bob", "team", GROUP, 1)
    assert day.numbers("bob", "team") == (1, 2, 3)

    # Bob does not want to hear from Dora, and can be asked again.
    dora = day.enter("dora")
    api.edit_list("blacklist_add", "bob", "dora", channel_type=PERSON)
    assert dora.say("bob", b"buy this").reason == IN_BLACKLIST
    assert dora.say("team", b"me too", GROUP).reason == NOT_A_MEMBER
    assert day.numbers("bob", "dora") is None
    api.edit_list("blacklist_remove", "bob", "dora", channel_type=PERSON)
    dora.tell("bob", b"sorry")
    assert bob.receive().plain == b"sorry"
    assert day.numbers("bob", "dora") == (1, 0, 1)

    # Support ends Dora's app: it may not come back with the old token, and does with a new one.
    api.post("/user/device_quit", {"uid": "dora", "device_flag": APP}).ok()
    dora.expect(Kind.DISCONNECT)
    api.token("dora", "dora-0", device_flag=APP, device_level=MASTER)
    dora = day.enter("dora")

    # Noon: the server is killed while a message is on its way to those who are away.
    carl_pc.close()
    carl.close()
    eventually(lambda: not api.online("carl"), LONG)
    day.receiver.stop()
    anna.tell("team", b"lunch?", GROUP)
    day.server.kill()
    day.receiver.start()
    day.server.start()
    anna, bob, dora = day.enter("anna"), day.enter("bob"), day.enter("dora")
    assert day.numbers("carl", "team") == (1, 3, 4)
    assert day.numbers("bob", "team") == (2, 2, 4)
    assert day.numbers("bob", "dora") == (1, 0, 1)
    eventually(lambda: "carl" in day.pushed().get(("team", 4), ()), LONG)  # and Bob, if he was asked for before he was back
    eventually(lambda: day.told("team") == {1, 2, 3, 4}, LONG)

    # Afternoon: a conversation is deleted and comes back with the next message, without the old ones.
    api.delete_conversation("bob", "anna")
    assert day.numbers("bob", "anna") is None
    anna.tell("bob", b"are you there?")
    assert bob.receive().plain == b"are you there?"
    assert day.numbers("bob", "anna") == (2, 0, 2), "what was deleted unread still counts (12.4)"
    assert [m["message_seq"] for m in api.conversation("bob", "anna")["recents"]] == [2]

    # A command reaches who is there at once and who is away by message/sync, and counts for nobody.
    api.command(b'{"cmd":"refresh"}', "team", from_uid="anna")
    for client in (anna, bob):
        assert client.receive().plain == b'{"cmd":"refresh"}'
    assert [m["plain"] for m in api.commands("carl")] == [b'{"cmd":"refresh"}']
    api.acknowledge_commands("carl", 1)
    assert api.commands("carl") == []
    assert day.numbers("carl", "team") == (1, 3, 4)

    # An AI answers in the team, word by word; Carl, who was away, finds the whole.
    answer = Stream(api, "team", no="answer-1", from_uid="robot")
    api.subscribe("team", "robot")
    answer.anchor()
    for client in (anna, bob):
        assert client.receive().client_msg_no == "answer-1"
    answer.say("At ", "noon.")
    for client in (anna, bob):
        assert [event(client)[3]["payload"]["delta"] for _ in range(2)] == ["At ", "noon."]
    answer.tell("stream.close")
    assert answer.lane(login_uid="carl")["status"] == "closed"
    assert json.dumps(answer.message(login_uid="carl")).count("At noon.") >= 1
    assert day.numbers("carl", "team") == (2, 3, 5)

    # Bob leaves: he hears and counts no more, and is not pushed to; the others go on.
    api.unsubscribe("team", "bob")
    anna.tell("team", b"without bob", GROUP)
    assert bob.say("team", b"let me in", GROUP).reason == NOT_A_MEMBER
    bob.ping()
    assert not bob.pending(Kind.RECV)
    assert day.numbers("carl", "team") == (3, 3, 6)
    eventually(lambda: day.pushed().get(("team", 6)) == {"carl", "robot"}, LONG)

    # Night: an orderly restart changes nothing.
    before = {uid: sorted((c["channel_id"], c["unread"], c["readed_to_msg_seq"], c["last_msg_seq"]) for c in api.conversations(uid))
              for uid in ("anna", "bob", "carl", "dora")}
    day.server.restart()
    after = {uid: sorted((c["channel_id"], c["unread"], c["readed_to_msg_seq"], c["last_msg_seq"]) for c in api.conversations(uid))
             for uid in before}
    assert after == before
    eventually(lambda: day.told("team") == set(range(1, 7)), LONG)
