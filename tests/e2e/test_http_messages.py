"""/message/send, /message/sendbatch, /channel/messagesync, /channel/max_message_seq, /messages, /message (HTTP API 8, 9)."""

import base64
import re
import time

import pytest

from harness.packets import Flag
from harness.waiting import eventually

HELLO = base64.b64encode(b"hello").decode()
CANNOT = "无法处理发送消息请求！"

REFUSALS = [
    ("/message/send", {"channel_id": "g", "channel_type": 2}, "payload不能为空！"),
    ("/message/send", {"channel_id": "g", "channel_type": 2, "payload": ""}, "payload不能为空！"),
    ("/message/send", {"channel_id": "a@b", "channel_type": 1, "payload": HELLO}, "频道ID不合法！"),
    ("/message/send", {"channel_id": "a#b", "channel_type": 2, "payload": HELLO}, "频道ID不合法！"),
    ("/message/send", {"channel_id": "a&b", "channel_type": 2, "payload": HELLO}, "频道ID不合法！"),
    ("/message/send", {"payload": HELLO}, CANNOT),
    ("/message/send", {"payload": HELLO, "subscribers": ["u"]}, CANNOT),
    ("/message/send", {"payload": HELLO, "channel_id": "g", "channel_type": 2, "subscribers": ["u"]}, CANNOT),
    ("/message/send", {"payload": HELLO, "channel_id": "g", "channel_type": 2, "subscribers": ["u"],
                       "header": {"sync_once": 1}}, CANNOT),
    ("/message/sendbatch", {"subscribers": ["u"], "payload": HELLO}, "from_uid不能为空！"),
    ("/message/sendbatch", {"from_uid": " ", "subscribers": ["u"], "payload": HELLO}, "from_uid不能为空！"),
    ("/message/sendbatch", {"from_uid": "u", "payload": HELLO}, "subscribers不能为空！"),
    ("/message/sendbatch", {"from_uid": "u", "subscribers": [], "payload": HELLO}, "subscribers不能为空！"),
    ("/message/sendbatch", {"from_uid": "u", "subscribers": ["x"]}, "payload不能为空！"),
    ("/channel/messagesync", {"login_uid": "u"}, "channel_id不能为空！"),
    ("/channel/messagesync", {}, "channel_id不能为空！"),
    ("/channel/messagesync", {"channel_id": "g"}, "login_uid不能为空！"),
    ("/channel/messagesync", {"channel_id": "g", "login_uid": " "}, "login_uid不能为空！"),
    ("/messages", {"login_uid": "u"}, "channel_id不能为空！"),
    ("/message", {"login_uid": "u", "channel_type": 2}, "channel_id不能为空！"),
    ("/message", {"login_uid": "u", "channel_id": "g"}, "channel_type不能为0"),
    ("/message", {"channel_id": "u", "channel_type": 1}, "login_uid不能为空！"),
]


@pytest.mark.parametrize("path, body, text", REFUSALS)
def test_a_refusal_says_which_rule(api, path, body, text):
    api.post(path, body).refused(text)


@pytest.mark.parametrize("query, text", [
    ({}, "channel_id不能为空"),
    ({"channel_type": 2}, "channel_id不能为空"),
    ({"channel_id": "u", "channel_type": 1}, "login_uid不能为空"),
])
def test_the_highest_sequence_is_refused_without_its_channel(api, query, text):
    api.get("/channel/max_message_seq", **query).refused(text)


class TestSend:
    def test_the_answer_names_the_message(self, api, login, name):
        bob = login(name("bob"))
        answer = api.post("/message/send", {"header": {"no_persist": 0, "red_dot": 1, "sync_once": 0}, "client_msg_no": "ord-1",
                                            "from_uid": name("anna"), "channel_id": bob.uid, "channel_type": 1,
                                            "payload": HELLO})
        assert answer.body == {"status": 200, "data": {"message_id": answer.body["data"]["message_id"], "client_msg_no": "ord-1"}}
        assert answer.body["data"]["message_id"] > 1 << 53
        message = bob.receive()
        assert (message.plain, message.from_uid, message.client_msg_no) == (b"hello", name("anna"), "ord-1")
        assert message.message_id == answer.body["data"]["message_id"]
        assert message.flags == Flag.RED_DOT

    @pytest.mark.parametrize("blank", [{}, {"client_msg_no": ""}, {"client_msg_no": " \t"}])
    def test_a_message_without_number_gets_one(self, api, name, blank):
        sent = [api.send(b"x", name("anna"), 1, **blank)["client_msg_no"] for _ in range(2)]
        assert all(re.fullmatch("[0-9a-f]{32}0", number) for number in sent) and sent[0] != sent[1]

    def test_what_was_sent_can_be_read(self, api, name):
        sent = api.send(b"stored", name("bob"), 1, from_uid=name("anna"), expire=5)
        (message,) = eventually(lambda: api.history(name("bob"), name("anna")))
        assert message["message_id"] == sent["message_id"]
        assert (message["plain"], message["expire"]) == (b"stored", 5)

    @pytest.mark.jingu_only(reason="the reference answers before it stores")
    def test_and_it_can_be_read_at_once(self, api, name):
        for i in range(20):
            api.send(b"%d" % i, name("bob"), 1, from_uid=name("anna"))
            assert api.history(name("bob"), name("anna"))[-1]["plain"] == b"%d" % i

    def test_not_stored_if_so_asked(self, api, login, name):
        bob = login(name("bob"))
        api.send(b"gone", bob.uid, 1, from_uid=name("anna"), header={"no_persist": 1})
        assert bob.receive().message_seq == 0
        assert api.history(bob.uid, name("anna")) == []

    def test_a_blank_sender_is_the_system(self, api, login, name):
        bob = login(name("bob"))
        api.send(b"x", bob.uid, 1, from_uid="  ")
        assert bob.receive().from_uid == ""

    def test_a_batch_reaches_each_person_alone(self, api, login, name):
        anna, bob = login(name("anna")), login(name("bob"))
        answer = api.post("/message/sendbatch", {"from_uid": name("news"), "subscribers": [anna.uid, bob.uid, "bad@uid"],
                                                 "payload": HELLO, "header": {"red_dot": 1}})
        assert answer.bare() == {"fail_uids": ["bad@uid"], "reason": ["频道ID不合法！"]}
        messages = [anna.receive(), bob.receive()]
        assert {m.plain for m in messages} == {b"hello"}
        assert {m.channel_id for m in messages} == {name("news")}
        assert messages[0].message_id != messages[1].message_id
        assert messages[0].client_msg_no != messages[1].client_msg_no

    def test_a_batch_without_failures_says_so(self, api, name):
        answer = api.post("/message/sendbatch", {"from_uid": name("news"), "subscribers": [name("anna")], "payload": HELLO})
        assert answer.bare() == {"fail_uids": [], "reason": []}


@pytest.fixture(scope="module")
def hundred(tmp_path_factory, request):
    """A group with a hundred messages, and the acks of its only speaker."""
    from harness.api import Api
    from harness.client import Client, open_stream
    server = request.getfixturevalue("server")
    api = Api(server)
    uid = f"speaker{time.time_ns():x}"
    group = api.group(uid + "group", uid)
    client = Client(open_stream(server), uid)
    for _ in range(3):
        try:
            client.login()
            break
        except AssertionError:
            client = Client(open_stream(server), uid)
    acks = [client.tell(group, b"%d" % i, 2, client_msg_no=f"{uid}-{i}") for i in range(1, 101)]
    client.close()
    return uid, group, acks


class TestHistory:
    @pytest.mark.parametrize("start, end, limit, pull_mode, expected", [
        (0, 0, 10, 0, range(91, 101)),
        (0, 0, 10, 1, range(91, 101)),
        (0, 0, 1000, 0, range(1, 101)),
        (100, 0, 10, 0, range(91, 101)),
        (5, 0, 10, 0, range(1, 6)),
        (100, 95, 10, 0, range(96, 101)),
        (100, 50, 10, 0, range(91, 101)),
        (50, 40, 5, 0, range(46, 51)),
        (60, 60, 10, 0, []),
        (10, 20, 10, 0, []),
        (0, 20, 10, 0, []),
        (1, 0, 10, 1, range(1, 11)),
        (96, 0, 10, 1, range(96, 101)),
        (101, 0, 10, 1, []),
        (50, 55, 10, 1, range(50, 55)),
        (50, 55, 3, 1, range(50, 53)),
        (0, 5, 10, 1, range(1, 5)),
        (50, 50, 10, 1, []),
        (105, 0, 10, 0, range(96, 101)),
    ])
    def test_a_page_is_what_was_asked_for_in_ascending_order(self, api, hundred, start, end, limit, pull_mode, expected):
        uid, group, acks = hundred
        page = api.page(uid, group, 2, start=start, end=end, limit=limit, pull_mode=pull_mode)
        if (start, end, limit) == (105, 0, 10) and page["messages"] and page["messages"][0]["message_seq"] == 91:
            expected = range(91, 101)  # clamped first: the newest page
        assert [m["message_seq"] for m in page["messages"]] == list(expected)
        assert page.keys() == {"start_message_seq", "end_message_seq", "more", "messages"}
        assert (page["start_message_seq"], page["end_message_seq"]) == (start, end)

    def test_more_says_whether_the_page_was_full(self, api, hundred):
        uid, group, _ = hundred
        assert api.page(uid, group, 2, start=1, limit=10, pull_mode=1)["more"] == 1
        assert api.page(uid, group, 2, start=96, limit=10, pull_mode=1)["more"] == 0
        assert api.page(uid, group, 2, limit=1000)["more"] == 0

    @pytest.mark.jingu_only(reason="the reference finds nothing far beyond the end")
    def test_down_from_far_beyond_the_end_is_the_newest_page(self, api, hundred):
        uid, group, _ = hundred
        page = api.page(uid, group, 2, start=1_000_000, limit=10)
        assert [m["message_seq"] for m in page["messages"]] == list(range(91, 101))

    def test_the_fields_of_a_message(self, api, hundred):
        uid, group, acks = hundred
        message = api.page(uid, group, 2, start=7, limit=1, pull_mode=1)["messages"][0]
        assert abs(message.pop("timestamp") - time.time()) < 600
        message["header"].pop("red_dot")
        assert message == {
            "header": {"no_persist": 0, "sync_once": 0}, "setting": 0, "message_id": acks[6].message_id,
            "message_idstr": str(acks[6].message_id), "client_msg_no": f"{uid}-7", "message_seq": 7, "from_uid": uid,
            "channel_id": group, "channel_type": 2, "expire": 0, "payload": base64.b64encode(b"7").decode()}

    def test_a_channel_nobody_wrote_to_is_empty(self, api, name):
        assert api.page(name("anna"), name("nowhere"), 2) == {"start_message_seq": 0, "end_message_seq": 0, "more": 0, "messages": []}

    def test_a_person_channel_reads_the_same_from_both_sides(self, api, login, name):
        """channel_id is the receiver's uid of each message, whoever asks."""
        anna, bob = login(name("anna")), login(name("bob"))
        anna.tell(bob.uid, b"to bob")
        bob.tell(anna.uid, b"to anna")
        for me, peer in ((anna.uid, bob.uid), (bob.uid, anna.uid)):
            assert [(m["from_uid"], m["channel_id"], m["plain"]) for m in api.history(me, peer)] == [
                (anna.uid, bob.uid, b"to bob"), (bob.uid, anna.uid, b"to anna")]

    def test_the_system_has_no_name_in_history(self, api, name):
        api.send(b"x", name("anna"), 1)
        (message,) = eventually(lambda: api.history(name("anna"), "____system"))
        assert message["from_uid"] == ""

    def test_an_empty_payload_is_there(self, api, login, name):
        login(name("anna")).tell(name("bob"), b"")
        assert api.page(name("anna"), name("bob"))["messages"][0]["payload"] in (None, "")

    def test_special_characters_survive(self, api, login, name):
        anna = login(name("anna"))
        text = '<b>&"quoted"\u2028\U0001f600</b>'
        anna.tell(name("bob"), text.encode(), client_msg_no=text)
        (message,) = api.history(anna.uid, name("bob"))
        assert (message["client_msg_no"], message["plain"]) == (text, text.encode())


class TestHighestSequence:
    def test_of_a_group(self, api, hundred):
        uid, group, _ = hundred
        assert api.get("/channel/max_message_seq", channel_id=group, channel_type=2).bare() == {"message_seq": 100}

    def test_of_a_person(self, api, login, name):
        anna = login(name("anna"))
        anna.tell(name("bob"))
        for me, peer in ((anna.uid, name("bob")), (name("bob"), anna.uid)):
            query = dict(channel_id=peer, channel_type=1, login_uid=me)
            assert api.get("/channel/max_message_seq", **query).bare() == {"message_seq": 1}

    def test_of_a_person_by_internal_id(self, api, login):
        import uuid
        import zlib
        anna = login("a" + uuid.uuid4().hex)
        peer = "b" + uuid.uuid4().hex
        anna.tell(peer)
        first, second = sorted((anna.uid, peer), key=lambda uid: zlib.crc32(uid.encode()), reverse=True)
        assert api.get("/channel/max_message_seq", channel_id=f"{first}@{second}", channel_type=1).bare() == {"message_seq": 1}

    @pytest.mark.jingu_only(reason="the reference answers 400 'not found'")
    def test_of_nothing_is_zero(self, api, name):
        assert api.get("/channel/max_message_seq", channel_id=name("nowhere"), channel_type=2).bare() == {"message_seq": 0}


class TestLookup:
    def test_by_sequence_id_and_number_in_this_order(self, api, hundred):
        uid, group, acks = hundred
        answer = api.post("/messages", {"login_uid": uid, "channel_id": group, "channel_type": 2, "message_seqs": [3, 1, 999],
                                        "message_ids": [acks[9].message_id, 12345], "client_msg_nos": [f"{uid}-20", "none"]}).bare()
        assert [m["message_seq"] for m in answer["messages"]] == [3, 1, 10, 20]
        assert (answer["start_message_seq"], answer["end_message_seq"], answer["more"]) == (0, 0, 0)

    def test_of_nothing_is_an_empty_list(self, api, hundred):
        uid, group, _ = hundred
        assert api.post("/messages", {"login_uid": uid, "channel_id": group, "channel_type": 2}).bare()["messages"] == []

    def test_in_a_person_channel(self, api, login, name):
        ack = login(name("anna")).tell(name("bob"), b"x", client_msg_no="n-1")
        for fields in ({"message_seqs": [1]}, {"message_ids": [ack.message_id]}, {"client_msg_nos": ["n-1"]}):
            answer = api.post("/messages", {"login_uid": name("bob"), "channel_id": name("anna"), "channel_type": 1} | fields).bare()
            assert [m["message_id"] for m in answer["messages"]] == [ack.message_id]

    def test_one_by_id(self, api, hundred):
        uid, group, acks = hundred
        body = {"login_uid": uid, "channel_id": group, "channel_type": 2, "message_id": acks[4].message_id}
        assert api.post("/message", body).bare()["message_seq"] == 5

    @pytest.mark.jingu_only(reason="in the reference this never finds anything")
    def test_one_by_number(self, api, hundred):
        uid, group, acks = hundred
        body = {"login_uid": uid, "channel_id": group, "channel_type": 2, "client_msg_no": f"{uid}-5"}
        assert api.post("/message", body).bare()["message_seq"] == 5

    def test_one_that_is_not_there(self, api, hundred):
        uid, group, _ = hundred
        body = {"login_uid": uid, "channel_id": group, "channel_type": 2}
        assert api.post("/message", body | {"message_id": 12345}).bare() == {"status": 404}
        assert api.post("/message", body | {"client_msg_no": "none"}).bare() == {"status": 404}
