"""The data source (webhook 7): what the back end answers counts, and its last good answer while it is away."""

import threading
import time

import pytest

from harness.api import Api
from harness.data_source import DataSource
from harness.packets import Flag
from harness.waiting import SCALE, SOON, eventually
from test_settings_are_read_again import reload
from test_the_back_end_is_told import metric

pytestmark = pytest.mark.jingu_only(reason="the reference asks for nothing but the system accounts, and once")

MAY, STRANGER = 1, 13
PATIENT = "4m"  # a machine that pauses is not a back end that is away; where the time-out matters, the test says it


@pytest.fixture
def source():
    opened = DataSource().start()
    yield opened
    opened.hold.set()
    opened.stop()


@pytest.fixture
def asking(start_server, source):
    """A server that asks `source`. Who is not on the receiver's allow list may not write, unless he is a system account."""
    def asking_(**settings):
        datasource = {"addr": source.url, "timeout": PATIENT} | settings.pop("datasource", {})
        return start_server(whitelistOffOfPerson=False, datasource=datasource, **settings)
    return asking_


def calls(server, result: str) -> float:
    return metric(server, f'jingu_datasource_calls_total{{result="{result}"}}')


def threads(server) -> list[str]:
    from pathlib import Path
    return [path.read_text().strip() for path in Path(f"/proc/{server.process.pid}/task").glob("*/comm")]


def is_system(client, receiver: str = "bob") -> bool:
    reason = client.say(receiver, b"x").reason
    assert reason in (MAY, STRANGER)
    return reason == MAY


# -- system accounts -------------------------------------------------------------------------------------------------------


def test_the_system_accounts_are_those_of_the_back_end(asking, source, login):
    source.knows_system("notice", "fileHelper")
    server = asking()
    notice, anna = login("notice", server), login("anna", server)
    eventually(lambda: is_system(notice))
    assert not is_system(anna)
    assert Api(server).get("/user/systemuids").bare() is None, "the stored list is another thing"
    assert source.posts[0].body == {"cmd": "getSystemUIDs", "data": {}}
    assert source.posts[0].headers["Content-Type"] == "application/json"


def test_they_replace_the_stored_ones_until_the_next_start(asking, source, login):
    source.stop()
    server = asking()
    Api(server).post("/user/systemuids_add", {"uids": ["old"]}).ok()
    assert is_system(login("old", server))
    source.knows_system("new")
    source.start()
    new = login("new", server)
    eventually(lambda: is_system(new))
    old = login("old", server)
    eventually(lambda: not is_system(old))  # on another shard, perhaps
    assert Api(server).get("/user/systemuids").bare() == ["old"]

    source.stop()
    server.restart()
    assert is_system(login("old", server)), "what is stored counts until the back end has answered"
    assert not is_system(login("new", server))


def test_an_account_that_is_added_counts_beside_them(asking, source, login):
    source.knows_system("notice")
    server = asking(datasource={"ttl": "100ms"})
    notice = login("notice", server)
    eventually(lambda: is_system(notice))
    Api(server).post("/user/systemuids_add", {"uids": ["anna"]}).ok()
    anna = login("anna", server)
    count = source.asked("getSystemUIDs")
    eventually(lambda: source.asked("getSystemUIDs") > count + 2)
    assert is_system(anna), "the same answer again does not undo it"
    Api(server).post("/user/systemuids_remove", {"uids": ["notice"]}).ok()
    assert not is_system(notice)


def test_a_new_answer_counts_after_a_while(asking, source, login):
    source.knows_system("first")
    server = asking(datasource={"ttl": "100ms"})
    first, second = login("first", server), login("second", server)
    eventually(lambda: is_system(first))
    source.knows_system("second")
    eventually(lambda: is_system(second))
    eventually(lambda: not is_system(first))  # on another shard, perhaps


def test_what_is_no_answer_changes_nothing(asking, source, login):
    source.knows_system("notice")
    server = asking(datasource={"ttl": "100ms", "answerSize": "4K"})
    notice = login("notice", server)
    eventually(lambda: is_system(notice))
    key = ("getSystemUIDs",)
    for text, result in ((b'["x",', "unreadable"), (b'{"data":["x"]}', "unreadable"),
                         (b'["' + b"x" * 8192 + b'"]', "too_large")):
        source.texts[key] = text
        count = calls(server, result)
        eventually(lambda: calls(server, result) > count)
        assert is_system(notice)
        del source.texts[key]
        count = calls(server, "answered")
        eventually(lambda: calls(server, "answered") > count)
    source.answers.clear()
    eventually(lambda: calls(server, "refused") > 0)
    source.stop()
    eventually(lambda: calls(server, "away") > 0)
    assert is_system(notice)
    eventually(lambda: "datasource_failed" in server.log())


def test_a_back_end_that_says_nothing_delays_neither_start_nor_stop(asking, source, login):
    source.become_a_black_hole()
    server = asking(datasource={"timeout": "200ms"})
    eventually(lambda: calls(server, "away") > 0)
    server.stop()
    server.settings["datasource"]["timeout"] = "1m"
    server.start()
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 10 * SCALE


def test_without_an_address_nothing_is_there(start_server):
    server = start_server()
    assert "datasource" not in threads(server)
    assert all(call == 0 for call in (calls(server, "answered"), calls(server, "away")))


def test_with_one_its_memory_is_told(asking, source):
    source.knows_system()
    server = asking()
    eventually(lambda: "datasource" in threads(server))  # it gives itself its name
    eventually(lambda: calls(server, "answered") > 0)
    assert '"datasource"' in Api(server).get("/ledger").text


# -- channels --------------------------------------------------------------------------------------------------------------


LISTS = {"listsOn": True, "channelInfoOn": True}
NOT_MEMBER, DENIED, BANNED = 3, 4, 19


@pytest.fixture
def lists(start_server, source):
    """A server that asks for lists and flags of channels."""
    source.knows_system()

    def lists_(**settings):
        datasource = {"addr": source.url, "timeout": PATIENT} | LISTS | settings.pop("datasource", {})
        return start_server(datasource=datasource, **settings)
    return lists_


def channels(server, result: str) -> float:
    return metric(server, f'jingu_datasource_channels_total{{result="{result}"}}')


def test_a_group_that_the_server_has_never_heard_of_reaches_its_members(lists, source, login):
    server = lists()
    source.knows_group("g1", "anna", "bob", "carl")
    anna, bob = login("anna", server), login("bob", server)
    anna.tell("g1", b"hello", 2)
    assert bob.receive().plain == b"hello"
    unread = Api(server).conversation("carl", "g1")
    assert unread["unread"] == 1, "also who was away"
    assert login("dora", server).say("g1", b"me too", 2).reason == NOT_MEMBER
    assert source.asked("getSubscribers", "g1") == 1
    body = next(post.body for post in source.posts if post.body["cmd"] == "getSubscribers")
    assert body["data"] == {"channel_id": "g1", "channel_type": 2}


def test_a_message_of_the_api_asks_as_well(lists, source, login):
    server = lists()
    source.knows_group("g1", "bob")
    bob = login("bob", server)
    Api(server).send(b"hello", "g1", from_uid="somebody")
    assert bob.receive().plain == b"hello"


def test_its_lists_and_flags_refuse_with_their_reasons(lists, source, login):
    server = lists()
    source.knows_group("denying", "anna", "bob", deny=["anna"])
    source.knows_group("allowing", "anna", "bob", allow=["bob"])
    source.knows_group("banned", "anna", "bob", ban=1)
    source.knows_group("gone", "anna", "bob", disband=1)
    anna, bob = login("anna", server), login("bob", server)
    reasons = [anna.say(group, b"x", 2).reason for group in ("denying", "allowing", "banned", "gone")]
    assert reasons == [DENIED, STRANGER, BANNED, 24]
    reasons = [bob.say(group, b"x", 2).reason for group in ("denying", "allowing", "banned", "gone")]
    assert reasons == [MAY, MAY, BANNED, 24]


def test_a_persons_own_lists_are_asked_for(lists, source, login):
    server = lists(whitelistOffOfPerson=False)
    for cmd, uids in (("getBlacklist", ["eve"]), ("getWhitelist", ["anna"])):
        source.knows(cmd, "bob", uids, 1)
        source.knows(cmd, "anna", [], 1)
    anna, bob = login("anna", server), login("bob", server)
    anna.tell("bob", b"hello")
    assert bob.receive().plain == b"hello"
    assert bob.say("anna", b"hello").reason == STRANGER, "anna allows nobody"
    assert login("eve", server).say("bob", b"hello").reason == DENIED
    assert login("dora", server).say("bob", b"hello").reason == STRANGER
    assert source.asked("getBlacklist", "bob") == 1
    assert source.asked("getSubscribers") == source.asked("getChannelInfo") == 0
    conversations = Api(server).conversations("bob")
    assert [(item["channel_id"], item["unread"]) for item in conversations] == [("anna", 1)], "the message made it"
    assert Api(server).conversations("anna")[0]["channel_id"] == "bob"


def test_a_new_answer_changes_only_what_differs(lists, source, login):
    server = lists(datasource={"ttl": "100ms"})
    source.knows_group("g1", "anna", "bob", "carl")
    anna, dora = login("anna", server), login("dora", server)
    anna.tell("g1", b"one", 2)
    assert Api(server).conversation("carl", "g1")["unread"] == 1
    source.knows_group("g1", "anna", "carl", "dora")

    def heard():
        anna.tell("g1", b"again", 2)
        return any(packet.plain == b"again" for packet in dora.drain(0.1))
    eventually(heard)

    assert Api(server).conversation("carl", "g1")["unread"] > 1, "who stays keeps his unread"
    eventually(lambda: login("bob", server).say("g1", b"x", 2).reason == NOT_MEMBER)


def test_the_last_good_answer_counts_while_the_back_end_is_away(lists, source, login):
    server = lists(datasource={"ttl": "100ms", "retry": "100ms", "timeout": "200ms"})
    source.knows_group("g1", "anna", "bob", deny=["eve"], ban=0)
    anna = login("anna", server)

    def is_answered():
        """All of it, for which the server has 200 ms, and the machine perhaps more than that."""
        return anna.say("g1", b"passing", 2, flags=Flag.NO_PERSIST).reason == MAY and channels(server, "answered") > 0

    eventually(is_answered)
    anna.tell("g1", b"one", 2)
    source.become_a_black_hole()
    time.sleep(0.2)  # the answer is old
    login("anna", server).tell("g1", b"two", 2)
    server.restart()
    login("anna", server).tell("g1", b"three", 2)
    assert login("eve", server).say("g1", b"x", 2).reason == DENIED
    assert login("dora", server).say("g1", b"x", 2).reason == NOT_MEMBER
    assert [m["plain"] for m in Api(server).history("bob", "g1", 2)] == [b"one", b"two", b"three"]


def test_the_time_out_bounds_what_a_message_waits(lists, source, login):
    server = lists(datasource={"timeout": "500ms", "retry": "1m"})
    api = Api(server)
    api.group("g1", "anna", "bob")
    source.hold.clear()
    anna = login("anna", server)
    began = time.monotonic()
    packets = [anna.send("g1", b"x", 2) for _ in range(5)]
    anna.sendack(packets[0])
    waited = time.monotonic() - began
    assert 0.4 < waited < SOON, "and not the minute for which nothing is answered"
    assert all(anna.sendack(packet).reason == MAY for packet in packets[1:])
    anna.tell("g1", b"x", 2)
    assert source.waiting("getChannelInfo") <= 1, "nobody waits twice"  # none: it has not been read yet
    assert source.asked("getSubscribers", "g1") == 0, "the flags were asked for first, and it was over"
    assert channels(server, "failed") == 1
    source.hold.set()


def test_order_is_kept_while_an_answer_is_waited_for(lists, source, login):
    server = lists(datasource={"timeout": "20s"})
    source.knows_group("g1", "anna", "bob")
    source.hold.clear()
    anna, bob = login("anna", server), login("bob", server)
    packets = [anna.send("g1", str(number).encode(), 2) for number in range(100)]
    changing = threading.Thread(target=lambda: Api(server).subscribe("g1", "carl"))
    changing.start()
    eventually(lambda: source.waiting("getChannelInfo") > 0)
    source.hold.set()
    assert [anna.sendack(packet).message_seq for packet in packets] == list(range(1, 101))
    assert [bob.receive().plain for _ in packets] == [str(number).encode() for number in range(100)]
    changing.join()
    assert [source.asked(cmd, "g1") for cmd in ("getSubscribers", "getBlacklist", "getWhitelist", "getChannelInfo")] == [1] * 4


def test_a_change_and_an_answer_that_cross_do_not_wait_for_each_other(lists, source, login):
    server = lists(datasource={"timeout": "4m"})
    source.knows("getBlacklist", "bob", ["eve"], 1)
    source.knows("getWhitelist", "bob", ["anna"], 1)
    source.hold.clear()
    anna = login("anna", server)
    packet = anna.send("bob", b"x")
    eventually(lambda: source.waiting("getBlacklist") > 0)
    # It makes a conversation in the channel where the message waits, and the answer waits for it in bob's own.
    changing = threading.Thread(target=lambda: Api(server).edit_list("whitelist_add", "bob", "anna", channel_type=1))
    changing.start()
    eventually(lambda: Api(server).get("/channel/whitelist", channel_id="bob", channel_type=1).bare())
    source.hold.set()
    assert anna.sendack(packet).reason == MAY
    changing.join()
    assert login("eve", server).say("bob", b"x").reason == DENIED
    assert Api(server).conversation("anna", "bob")["readed_to_msg_seq"] == 1


def test_many_who_write_to_one_person_ask_once(lists, source, login):
    server = lists(datasource={"timeout": "20s"})
    source.knows("getBlacklist", "bob", ["sender3"], 1)
    source.knows("getWhitelist", "bob", [], 1)
    source.hold.clear()
    senders = [login(f"sender{number}", server) for number in range(20)]
    packets = [sender.send("bob", b"x") for sender in senders]
    eventually(lambda: source.waiting("getBlacklist") > 0)
    source.hold.set()
    reasons = [sender.sendack(packet).reason for sender, packet in zip(senders, packets)]
    assert reasons == [DENIED if number == 3 else MAY for number in range(20)]
    assert source.asked("getBlacklist", "bob") == 1


def test_what_failed_is_not_asked_again_for_a_while(lists, source, login):
    server = lists(datasource={"retry": "1s"})
    Api(server).group("g1", "anna")
    anna = login("anna", server)
    began = time.monotonic()
    for _ in range(20):
        anna.tell("g1", b"x", 2)
    if time.monotonic() - began < 1:
        assert source.asked("getSubscribers", "g1") == 1
    source.knows_group("g1", "bob")
    eventually(lambda: anna.say("g1", b"x", 2).reason == NOT_MEMBER)


def test_a_dead_back_end_is_left_alone_after_three_questions(lists, source, login):
    source.stop()
    server = lists(datasource={"retry": "1m"})
    api = Api(server)
    anna = login("anna", server)
    for number in range(10):
        api.group(f"g{number}", "anna")
        anna.tell(f"g{number}", b"x", 2)
    assert channels(server, "spared") >= 6
    assert calls(server, "away") <= 3 + 5, "the system accounts are asked for all the same"


def test_garbage_and_what_is_too_large_leave_the_lists(lists, source, login):
    server = lists(datasource={"ttl": "100ms", "retry": "100ms", "answerSize": "4K"})
    source.knows_group("g1", "anna", "bob", ban=0)
    anna = login("anna", server)
    anna.tell("g1", b"x", 2)
    eventually(lambda: channels(server, "answered") == 1)  # from now on only the members are no good
    key = ("getSubscribers", "g1", 2)
    for text, result in ((b"<html>", "unreadable"), (b'["anna",7]', "unreadable"),
                         (b'["' + b"a" * 513 + b'"]', "unreadable"), (b'["' + b"x" * 5000 + b'"]', "too_large")):
        source.texts[key] = text
        count = calls(server, result)

        def counted():
            anna.tell("g1", b"x", 2)
            return calls(server, result) > count
        eventually(counted)
    eventually(lambda: channels(server, "failed") >= 4)


def test_lists_are_asked_for_only_if_a_key_says_so(asking, source, login):
    source.knows_system("notice")
    source.knows_group("g1", "somebody")
    server = asking()
    notice = login("notice", server)
    eventually(lambda: is_system(notice))
    Api(server).group("g1", "anna", "bob")
    login("anna", server).tell("g1", b"x", 2)
    assert {post.body["cmd"] for post in source.posts} == {"getSystemUIDs"}


def test_a_large_group_comes_whole(lists, source, login):
    server = lists(datasource={"timeout": "10s"})
    members = [f"member{number}" for number in range(5000)]
    source.knows_group("g1", "anna", *members)
    last = login(members[-1], server)
    login("anna", server).tell("g1", b"x", 2)
    assert last.receive().plain == b"x"
    eventually(lambda: metric(server, "jingu_datasource_changes_total") == 1)


def test_a_stop_in_the_middle_answers_everybody(lists, source, login):
    server = lists(datasource={"timeout": "1m"})
    for number in range(40):
        Api(server).group(f"g{number}", "anna")
    source.hold.clear()
    anna = login("anna", server)
    for number in range(40):
        anna.send(f"g{number}", b"x", 2)
    eventually(lambda: source.waiting("getChannelInfo") >= 16)
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 8 * SCALE

# -- settings that change ----------------------------------------------------------------------------------------------------


def test_the_back_end_moves_while_the_server_runs(lists, source, login):
    server = lists(datasource={"ttl": "1h", "retry": "1h"})
    source.knows_system("old")
    source.knows_group("g1", "anna")
    anna = login("anna", server)
    eventually(lambda: source.asked("getSystemUIDs") > 0)
    anna.tell("g1", b"x", 2)
    moved = DataSource().start()
    try:
        moved.knows_system("new")
        moved.knows_group("g2", "bob")
        reload(server, datasource=server.settings["datasource"] | {"addr": moved.url})
        eventually(lambda: "datasource_moved" in server.log())
        new = login("new", server)
        eventually(lambda: new.say("g2", b"x", 2).reason == MAY)
        assert anna.say("g2", b"x", 2).reason == NOT_MEMBER
        assert login("old", server).say("g2", b"x", 2).reason == NOT_MEMBER
        assert source.asked("getSubscribers", "g2") == 0 and moved.asked("getSubscribers", "g2") == 1
        anna.tell("g1", b"x", 2)
        assert moved.asked("getSubscribers", "g1") == 0, "what was answered is still fresh"
        reload(server, datasource=server.settings["datasource"] | {"addr": "no URL"})
        eventually(lambda: "datasource_address_refused" in server.log())
    finally:
        moved.stop()


def test_the_times_change_while_the_server_runs(lists, source):
    server = lists(datasource={"ttl": "1h"})
    source.knows_system("notice")
    eventually(lambda: source.asked("getSystemUIDs") > 0)
    reload(server, datasource=server.settings["datasource"] | {"ttl": "100ms"})
    eventually(lambda: source.asked("getSystemUIDs") > 3)


def test_a_data_source_that_comes_or_goes_needs_a_restart(start_server, lists, source):
    server = lists()
    source.knows_system("notice")
    eventually(lambda: source.asked("getSystemUIDs") > 0)
    reload(server, datasource={"addr": ""})
    eventually(lambda: "reload_needs_restart key=datasource.addr" in server.log())
    other = start_server()
    reload(other, datasource={"addr": source.url})
    eventually(lambda: "reload_needs_restart key=datasource.addr" in other.log())
