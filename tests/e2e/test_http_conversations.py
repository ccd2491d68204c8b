"""/conversations/clearUnread, setUnread, delete; /conversation/channels, syncByChannels, syncMessages (HTTP API 12)."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.api import GROUP, PERSON, Api
from harness.waiting import SOON, eventually
from test_the_back_end_is_told import metric

PATHS = {"clearUnread": "uid", "setUnread": "UID", "delete": "Uid"}
REFUSALS = [case for verb, who in PATHS.items() for case in [
    (f"/conversations/{verb}", {}, f"{who} cannot be empty"),
    (f"/conversations/{verb}", {"channel_id": "g", "channel_type": 2}, f"{who} cannot be empty"),
    (f"/conversations/{verb}", {"uid": "u"}, "channel_id or channel_type cannot be empty"),
    (f"/conversations/{verb}", {"uid": "u", "channel_type": 2}, "channel_id or channel_type cannot be empty"),
    (f"/conversations/{verb}", {"uid": "u", "channel_id": "g"}, "channel_id or channel_type cannot be empty"),
]] + [
    ("/conversation/syncByChannels", {}, "uid cannot be empty"),
    ("/conversation/syncByChannels", {"channels": [{"channel_id": "g", "channel_type": 2}]}, "uid cannot be empty"),
    ("/conversation/syncByChannels", {"uid": "u"}, "channels cannot be empty"),
    ("/conversation/syncByChannels", {"uid": "u", "channels": []}, "channels cannot be empty"),
]


@pytest.mark.parametrize("path, body, text", REFUSALS)
def test_a_refusal_says_which_rule(api, path, body, text):
    api.post(path, body).refused(text)


def unread(api, uid, channel):
    conversation = api.conversation(uid, channel)
    return conversation and (conversation["unread"], conversation["readed_to_msg_seq"])


@pytest.fixture
def five(api, login, name):
    """A group with five messages of anna; bob has read none."""
    anna = login(name("anna"))
    group = api.group(name("group"), anna.uid, name("bob"))
    for i in range(5):
        anna.tell(group, b"%d" % i, GROUP)
    return group


class TestClearUnread:
    def test_everything_is_read(self, api, name, five):
        assert unread(api, name("bob"), five) == (5, 0)
        api.clear_unread(name("bob"), five, GROUP)
        assert unread(api, name("bob"), five) == (0, 5)
        assert unread(api, name("anna"), five) == (0, 5)

    def test_what_comes_after_counts(self, api, name, five):
        api.clear_unread(name("bob"), five, GROUP)
        api.send(b"more", five, GROUP, from_uid=name("anna"))
        assert unread(api, name("bob"), five) == (1, 5)

    def test_the_seq_that_is_given_does_not_count(self, api, name, five):
        api.post("/conversations/clearUnread", {"uid": name("bob"), "channel_id": five, "channel_type": GROUP,
                                                "message_seq": 2}).ok()
        assert unread(api, name("bob"), five) == (0, 5)

    def test_of_a_person_by_the_peers_uid(self, api, name):
        api.send(b"x", name("bob"), PERSON, from_uid=name("anna"))
        assert unread(api, name("bob"), name("anna")) == (1, 0)
        api.clear_unread(name("bob"), name("anna"))
        assert unread(api, name("bob"), name("anna")) == (0, 1)

    def test_it_makes_the_conversation_of_who_had_none(self, api, name, five):
        assert unread(api, name("carl"), five) is None
        api.clear_unread(name("carl"), five, GROUP)
        assert unread(api, name("carl"), five) == (0, 5)

    def test_nothing_to_read_makes_nothing(self, api, name):
        api.clear_unread(name("bob"), name("nowhere"), GROUP)
        api.clear_unread(name("bob"), name("nobody"))
        assert api.post("/conversation/channels", {"uid": name("bob")}).bare() == []

    @pytest.mark.parametrize("channel_id", ["a@b", "a#b", "x____cmd"])
    @pytest.mark.parametrize("channel_type", [PERSON, GROUP])
    def test_what_can_be_no_channel_has_nothing_to_read(self, api, name, channel_id, channel_type):
        api.clear_unread(name("bob"), channel_id, channel_type)
        assert api.post("/conversation/channels", {"uid": name("bob")}).bare() == []


class TestSetUnread:
    @pytest.mark.parametrize("wanted, expected", [(0, (0, 5)), (1, (1, 4)), (3, (3, 2)), (4, (4, 1)), (6, (1, 4)), (100, (1, 4))])
    def test_the_newest_stay_unread(self, api, name, five, wanted, expected):
        api.set_unread(name("bob"), five, GROUP, wanted)
        assert unread(api, name("bob"), five) == expected

    @pytest.mark.jingu_only(reason="the reference takes a negative number for a large one only by accident of its type")
    def test_less_than_none_is_all_but_the_last(self, api, name, five):
        api.set_unread(name("bob"), five, GROUP, -1)
        assert unread(api, name("bob"), five) == (1, 4)

    def test_it_never_goes_back(self, api, name, five):
        api.clear_unread(name("bob"), five, GROUP)
        for wanted in (1, 5, 100):
            api.set_unread(name("bob"), five, GROUP, wanted)
            assert unread(api, name("bob"), five) == (0, 5)

    def test_all_of_them_changes_nothing(self, api, name, five):
        api.set_unread(name("bob"), five, GROUP, 5)
        assert unread(api, name("bob"), five) == (5, 0)

    @pytest.mark.jingu_only(reason="the reference underflows: nothing is unread ever again")
    def test_of_an_empty_channel_is_harmless(self, api, name):
        group = api.group(name("group"), name("anna"), name("bob"))
        api.set_unread(name("bob"), group, GROUP, 3)
        api.send(b"first", group, GROUP, from_uid=name("anna"))
        assert unread(api, name("bob"), group) == (1, 0)


class TestDelete:
    def test_it_is_gone_until_there_is_something_new(self, api, name, five):
        api.delete_conversation(name("bob"), five, GROUP)
        assert api.conversation(name("bob"), five) is None
        assert api.conversation(name("anna"), five) is not None
        api.send(b"new", five, GROUP, from_uid=name("anna"))
        conversation = api.conversation(name("bob"), five)
        assert [m["message_seq"] for m in conversation["recents"]] == [6]
        assert (conversation["unread"], conversation["readed_to_msg_seq"]) == (6, 0), "deleted is not read"

    @pytest.mark.jingu_only(reason="the reference is off by one: a chat deleted with one unread message comes back with it")
    def test_a_single_unread_message_stays_deleted(self, api, name):
        api.send(b"only", name("bob"), PERSON, from_uid=name("anna"))
        api.delete_conversation(name("bob"), name("anna"))
        assert api.conversation(name("bob"), name("anna")) is None
        assert api.conversation(name("bob"), name("anna"), version=1) is None
        assert api.conversation(name("bob"), name("anna"), only_unread=1) is None

    def test_the_messages_stay(self, api, name, five):
        api.delete_conversation(name("bob"), five, GROUP)
        assert len(api.history(name("bob"), five, GROUP)) == 5

    def test_it_still_is_one_of_the_channels(self, api, name, five):
        api.delete_conversation(name("bob"), five, GROUP)
        assert api.post("/conversation/channels", {"uid": name("bob")}).bare() == [{"channel_id": five, "channel_type": GROUP}]

    def test_by_channels_it_is_told_whole(self, api, name, five):
        api.delete_conversation(name("bob"), five, GROUP)
        (told,) = api.post("/conversation/syncByChannels", {
            "uid": name("bob"), "channels": [{"channel_id": five, "channel_type": GROUP}]}).bare()
        assert [m["message_seq"] for m in told["recents"]] == [5, 4, 3, 2, 1]

    def test_what_is_not_there_can_be_deleted(self, api, name, five):
        api.delete_conversation(name("carl"), five, GROUP)
        api.delete_conversation(name("carl"), name("nobody"))
        assert api.post("/conversation/channels", {"uid": name("carl")}).bare() == []

    def test_a_deleted_one_knows_what_the_client_knows(self, api, name, five):
        api.delete_conversation(name("bob"), five, GROUP)
        api.send(b"new", five, GROUP, from_uid=name("anna"))
        for known, seqs in ((2, [6]), (5, [6])):
            told = api.conversation(name("bob"), five, last_msg_seqs=f"{five}:2:{known}")
            assert [m["message_seq"] for m in told["recents"]] == seqs
        assert api.conversation(name("bob"), five, last_msg_seqs=f"{five}:2:6") is None


class TestMarksLast:
    def read_and_deleted(self, api, name, five):
        api.set_unread(name("bob"), five, GROUP, 2)
        api.send(b"a", name("bob"), PERSON, from_uid=name("carl"))
        api.delete_conversation(name("bob"), name("carl"))

    def holds(self, api, name, five):
        assert unread(api, name("bob"), five) == (2, 3)
        assert api.conversation(name("bob"), name("carl")) is None

    @pytest.mark.parametrize("end", ["restart", "kill"])
    def test_after_the_server_went(self, start_server, name, end):
        server = start_server()
        api = Api(server)
        group = api.group(name("group"), name("anna"), name("bob"))
        for i in range(5):
            api.send(b"x", group, GROUP, from_uid=name("anna"))
        self.read_and_deleted(api, name, group)
        if end == "kill":
            server.kill()
            server.start()
        else:
            server.restart()
        self.holds(Api(server), name, group)


class TestChannels:
    def test_persons_by_their_internal_id(self, api, name):
        api.send(b"x", "u2" + name(""), PERSON, from_uid="u1" + name(""))
        (told,) = api.post("/conversation/channels", {"uid": "u1" + name("")}).bare()
        assert told["channel_type"] == PERSON
        assert set(told["channel_id"].split("@")) == {"u1" + name(""), "u2" + name("")}

    def test_nobody_has_none(self, api, name):
        assert api.post("/conversation/channels", {"uid": name("nobody")}).bare() == []
        assert api.post("/conversation/channels", {}).bare() == []


class TestByChannels:
    def ask(self, api, uid, *channels, **fields):
        return api.post("/conversation/syncByChannels", {
            "uid": uid, "channels": [{"channel_id": i, "channel_type": t} for i, t in channels]} | fields).bare()

    def test_in_the_order_that_was_asked_also_what_is_not_there(self, api, name, five):
        api.send(b"x", name("bob"), PERSON, from_uid=name("anna"))
        told = self.ask(api, name("bob"), (name("anna"), 1), (name("nowhere"), 2), (five, 2), (name("nobody"), 1))
        assert [c["channel_id"] for c in told] == [name("anna"), name("nowhere"), five, name("nobody")]
        assert [c["last_msg_seq"] for c in told] == [1, 0, 5, 0]
        assert [c["unread"] for c in told] == [1, 0, 5, 0]
        assert told[1] == {"channel_id": name("nowhere"), "channel_type": 2, "unread": 0, "timestamp": 0, "last_msg_seq": 0,
                           "last_client_msg_no": "", "offset_msg_seq": 0, "readed_to_msg_seq": 0, "version": 0, "recents": []}

    @pytest.mark.parametrize("msg_count, expected", [(2, [20, 19]), (0, list(range(20, 5, -1))), (-1, list(range(20, 5, -1)))])
    def test_so_many_messages(self, api, name, msg_count, expected):
        group = api.group(name("group"), name("anna"))
        for _ in range(20):
            api.send(b"x", group, GROUP, from_uid=name("anna"))
        (told,) = self.ask(api, name("anna"), (group, 2), msg_count=msg_count)
        assert [m["message_seq"] for m in told["recents"]] == expected


class TestRecentMessages:
    def ask(self, api, uid, *channels, **fields):
        return api.post("/conversation/syncMessages", {"uid": uid, "channels": [
            {"channel_id": i, "channel_type": t, "last_msg_seq": s} for i, t, s in channels]} | fields).bare()

    @pytest.mark.parametrize("order, last, count, expected", [
        (1, 0, 3, [5, 4, 3]), (1, 4, 3, [5, 4]), (1, 5, 3, [5]), (1, 6, 3, []), (1, 100, 3, []), (1, 0, 0, [5, 4, 3, 2, 1]),
        (0, 0, 3, [1, 2, 3]), (0, 2, 3, [2, 3, 4]), (0, 5, 3, [5]), (0, 6, 3, []), (0, 1, -1, [1, 2, 3, 4, 5]),
    ])
    def test_from_where_and_which_way(self, api, name, five, order, last, count, expected):
        (told,) = self.ask(api, name("bob"), (five, 2, last), msg_count=count, order_by_last=order)
        assert told.keys() == {"channel_id", "channel_type", "messages", "user_last_msg_seq"}
        assert [m["message_seq"] for m in told["messages"]] == expected
        assert (told["channel_id"], told["channel_type"], told["user_last_msg_seq"]) == (five, 2, 0)

    def test_the_users_own_last(self, api, name, five):
        (told,) = self.ask(api, name("anna"), (five, 2, 0))
        assert told["user_last_msg_seq"] == 5

    def test_nothing_asked_nothing_told(self, api, name):
        assert self.ask(api, name("bob")) == []
        assert api.post("/conversation/syncMessages", {}).bare() == []

    @pytest.mark.jingu_only(reason="the reference leaves unknown channels out")
    def test_an_unknown_channel_has_none(self, api, name):
        (told,) = self.ask(api, name("bob"), (name("nowhere"), 2, 0))
        assert (told["messages"], told["user_last_msg_seq"]) == ([], 0)


class TestWhoIsListed:
    def test_allowed_by_a_person(self, api, name):
        api.edit_list("whitelist_add", name("anna"), name("bob"), name("carl"), channel_type=PERSON)
        for uid in (name("bob"), name("carl")):
            (told,) = api.post("/conversation/channels", {"uid": uid}).bare()
            assert set(told["channel_id"].split("@")) == {name("anna"), uid}
        api.send(b"x", name("bob"), PERSON, from_uid=name("anna"))
        assert unread(api, name("bob"), name("anna")) == (1, 0)
        api.clear_unread(name("bob"), name("anna"))
        api.edit_list("whitelist_add", name("anna"), name("bob"), channel_type=PERSON)
        assert unread(api, name("bob"), name("anna")) == (0, 1), "what is there is not made again"

    def test_who_is_denied_and_pardoned(self, api, name, five):
        api.edit_list("blacklist_add", five, name("bob"))
        assert api.conversation(name("bob"), five) is None
        api.edit_list("blacklist_remove", five, name("bob"))
        assert eventually(lambda: api.conversation(name("bob"), five))

    def test_who_leaves_and_comes_back_starts_with_everything_read(self, api, name, five):
        api.unsubscribe(five, name("bob"))
        assert api.conversation(name("bob"), five) is None
        api.subscribe(five, name("bob"))
        assert unread(api, name("bob"), five) == (0, 5)


@pytest.mark.jingu_only(reason="an endpoint of version 1, which the reference does not have any more")
class TestTheListOfVersion1:
    """GET /conversations (HTTP API 17.3): TangSengDaoDao's server asks for it to this day."""

    def list(self, api, uid):
        return api.get("/conversations", uid=uid).bare()

    def test_each_conversation_has_its_last_message(self, api, name):
        group = api.group(name("group"), name("anna"), name("bob"))
        api.send(b"in the group", group, GROUP, from_uid=name("anna"))
        api.send(b"first", name("bob"), PERSON, from_uid=name("anna"))
        api.send(b"second", name("bob"), PERSON, from_uid=name("anna"), client_msg_no="no-2", header={"red_dot": 1})
        told = {item["channel_id"]: item for item in self.list(api, name("bob"))}
        assert told.keys() == {group, name("anna")}
        assert all(item.keys() == {"channel_id", "channel_type", "unread", "timestamp", "last_message"} for item in told.values())
        newest = api.conversation(name("bob"), name("anna"))
        assert told[name("anna")] == {"channel_id": name("anna"), "channel_type": PERSON, "unread": 2, "timestamp": newest["timestamp"],
                                      "last_message": newest["recents"][0]}
        assert told[group]["unread"] == 1 and told[group]["last_message"]["message_seq"] == 1

    def test_what_was_read_stays_and_what_was_deleted_goes(self, api, name):
        api.send(b"1", name("bob"), PERSON, from_uid=name("anna"))
        api.clear_unread(name("bob"), name("anna"))
        assert [item["unread"] for item in self.list(api, name("bob"))] == [0]
        api.delete_conversation(name("bob"), name("anna"), PERSON)
        assert self.list(api, name("bob")) == []

    def test_without_a_user_it_is_refused(self, api):
        for query in ({}, {"uid": ""}, {"uid": " "}):
            api.get("/conversations", **query).refused("uid cannot be empty")
        api.get("/conversations", uid="x" * 513).refused()


@pytest.mark.jingu_only(reason="the reference takes the newest updates, and a message updates nothing")
class TestMoreThanAreTold:
    """Of more conversations than `userMaxCount` those are told that somebody wrote in, however old they are."""

    @pytest.fixture
    def six(self, start_server):
        api = Api(start_server(conversation={"userMaxCount": 3}))
        self.peers = [f"peer{number}" for number in range(6)]
        for peer in self.peers:
            api.send(b"1", peer, PERSON, from_uid="me")
            time.sleep(0.003)  # updates in one millisecond have no order
        return api

    def told(self, api, **asked):
        return [item["channel_id"] for item in api.conversations("me", **asked)]

    def test_an_old_one_that_was_written_in_comes_before_a_newer_one(self, six):
        assert self.told(six) == self.peers[:2:-1]
        for peer in self.peers[:2]:
            six.send(b"2", "me", PERSON, from_uid=peer)
        assert sorted(self.told(six)) == [*self.peers[:2], self.peers[5]]
        assert sorted(self.told(six, version=1)) == self.peers[:2]
        six.clear_unread("me", self.peers[0])
        assert sorted(self.told(six)) == [*self.peers[:2], self.peers[5]], "read just now"
        assert self.told(six, version=1) == [self.peers[1]]

    def test_what_is_excluded_or_known_takes_nobodys_place(self, six):
        known = "|".join(f"{peer}:1:1" for peer in self.peers[3:])
        assert self.told(six, last_msg_seqs=known) == self.peers[2::-1]

    def test_pages_go_by_the_update_alone(self, six):
        pages = [self.told(six, page=1, page_size=2)]
        six.clear_unread("me", self.peers[5])
        six.send(b"2", "me", PERSON, from_uid=self.peers[0])
        pages += [self.told(six, page=page, page_size=2) for page in (2, 3)]
        assert pages == [self.peers[:3:-1], [self.peers[3]], []]


@pytest.mark.jingu_only(reason="a bound of the memory")
class TestAListOfLargeMessages:
    """A piece may take most of the room that there is for answers, so one waits for another's."""

    CHANNELS = [{"channel_id": f"peer{number}", "channel_type": PERSON} for number in range(6)]

    @pytest.fixture
    def large(self, start_server):
        server = start_server(memory="128M")
        for number, channel in enumerate(self.CHANNELS):
            for _ in range(2):
                Api(server).send(b"x" * (300_000 if number == 3 else 120_000), channel["channel_id"], PERSON, from_uid="me")
        return server

    def sync(self, server):
        return Api(server).post("/conversation/sync", {"uid": "me", "msg_count": 2})

    def sync_by_channels(self, server):
        return Api(server).post("/conversation/syncByChannels", {"uid": "me", "msg_count": 2, "channels": self.CHANNELS})

    def test_it_is_told_whole_to_many_at_once(self, large):
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda ask: ask(large), [self.sync, self.sync_by_channels] * 3))
        for answer in answers:
            told = {item["channel_id"]: len(item["recents"]) for item in answer.bare()}
            assert told == {channel["channel_id"]: 2 for channel in self.CHANNELS}
        assert Api(large).get("/health").status == 200


@pytest.mark.jingu_only(reason="a bound of the memory")
class TestALongList:
    """It is sent in pieces, and costs the memory of one."""

    COUNT = 3000

    @pytest.fixture
    def long(self, start_server):
        server = start_server(conversation={"userMaxCount": self.COUNT}, memory="128M")
        self.peers = [f"peer{number}" for number in range(self.COUNT)]
        for payload in ("YQ==", "Yg==", "Y" * 800):
            answer = Api(server).post("/message/sendbatch", {"from_uid": "me", "subscribers": self.peers, "payload": payload})
            assert answer.bare() == {"fail_uids": [], "reason": []}
        return server

    def ask(self, server, msg_count=3):
        body = json.dumps({"uid": "me", "msg_count": msg_count}).encode()
        connection = socket.create_connection(("127.0.0.1", server.http_port), timeout=SOON * 4)
        connection.sendall(b"POST /conversation/sync HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        return connection

    def test_all_of_it_is_told(self, long):
        Api(long).send(b"x" * 150_000, self.peers[7], PERSON, from_uid="me")  # more than a piece
        answer = Api(long).post("/conversation/sync", {"uid": "me", "msg_count": 3})
        told = answer.bare()
        assert len(answer.text) > 4 << 20 and answer.headers["Transfer-Encoding"] == "chunked"
        assert sorted(item["channel_id"] for item in told) == sorted(self.peers)
        seqs = {item["channel_id"]: [message["message_seq"] for message in item["recents"]] for item in told}
        assert seqs.pop(self.peers[7]) == [4, 3, 2] and set(map(tuple, seqs.values())) == {(3, 2, 1)}
        assert metric(long, 'jingu_ledger_peak_bytes{part="http",holder="http_answers"}') < 2 << 20
        pages = [Api(long).conversations("me", msg_count=1, page=page, page_size=500) for page in range(1, 8)]
        assert [item["channel_id"] for page in pages for item in page] == [item["channel_id"] for item in told]

    def test_all_of_it_is_told_by_channels_too(self, long):
        Api(long).send(b"x" * 150_000, self.peers[7], PERSON, from_uid="me")  # more than a piece
        asked = [*self.peers, "nobody", *self.peers[:2]]
        answer = Api(long).post("/conversation/syncByChannels", {
            "uid": "me", "msg_count": 3, "channels": [{"channel_id": peer, "channel_type": PERSON} for peer in asked]})
        told = answer.bare()
        assert len(answer.text) > 4 << 20 and answer.headers["Transfer-Encoding"] == "chunked"
        assert [item["channel_id"] for item in told] == asked
        seqs = {item["channel_id"]: [message["message_seq"] for message in item["recents"]] for item in told}
        assert (seqs.pop(self.peers[7]), seqs.pop("nobody")) == ([4, 3, 2], []) and set(map(tuple, seqs.values())) == {(3, 2, 1)}
        assert metric(long, 'jingu_ledger_peak_bytes{part="http",holder="http_answers"}') < 2 << 20

    def test_many_at_once_wait_for_each_other(self, long):
        """There is room for a few of them; the others come when these are told."""
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _: Api(long).post("/conversation/sync", {"uid": "me", "msg_count": 1}), range(12)))
        assert [answer.status for answer in answers] == [200] * 12
        assert all(len(answer.body) == self.COUNT for answer in answers)
        assert metric(long, "jingu_http_too_many_total") == 0

    def test_a_connection_goes_on_behind_it(self, long):
        with self.ask(long) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.count(b"HTTP/1.1 200") == 2 and answer.endswith(b'{"status":"ok"}')

    def test_who_stops_reading_or_goes_away_delays_nobody(self, long):
        slow = [self.ask(long) for _ in range(4)]
        for connection in slow:
            assert connection.recv(100).startswith(b"HTTP/1.1 ")
        assert len(Api(long).conversations("me", msg_count=1, page=1)) == 100
        for connection in slow[:2]:
            connection.close()
        assert eventually(lambda: Api(long).post("/conversation/sync", {"uid": "me", "msg_count": 3}).status == 200)
        long.stop()
        for connection in slow[2:]:
            connection.close()
