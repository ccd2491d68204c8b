"""/conversation/sync in its common form (HTTP API 12.5; semantics 5)."""

import threading
import time

import pytest

from harness.api import GROUP, Api
from harness.server import REFERENCE
from harness.waiting import eventually


def fresh(api, uid, channel, **fields):
    """The reference needs a moment after the SENDACK; Jingu does not."""
    read = lambda: api.conversation(uid, channel, **fields)  # noqa: E731
    return eventually(read) if REFERENCE else read()


def test_a_first_message_makes_one_for_each_side(api, login, name):
    anna = login(name("anna"))
    ack = anna.tell(name("bob"), b"hello", client_msg_no="n-1")

    theirs = fresh(api, name("bob"), anna.uid)
    assert (theirs["unread"], theirs["readed_to_msg_seq"], theirs["last_msg_seq"]) == (1, 0, 1)
    assert (theirs["channel_type"], theirs["last_client_msg_no"], theirs["offset_msg_seq"]) == (1, "n-1", 0)
    (recent,) = theirs["recents"]
    assert (recent["message_id"], recent["message_seq"]) == (ack.message_id, 1)
    assert theirs["timestamp"] == recent["timestamp"]
    assert theirs["version"] == recent["timestamp"] * 10**9
    assert theirs.keys() == {"channel_id", "channel_type", "unread", "timestamp", "last_msg_seq", "last_client_msg_no",
                             "offset_msg_seq", "readed_to_msg_seq", "version", "recents"}

    mine = fresh(api, anna.uid, name("bob"))
    assert (mine["unread"], mine["readed_to_msg_seq"]) == (0, 1)


def test_unread_counts_until_i_speak(api, login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    for i in range(3):
        anna.tell(bob.uid, b"%d" % i)
    assert fresh(api, bob.uid, anna.uid)["unread"] == 3
    bob.tell(anna.uid, b"answer")
    assert fresh(api, bob.uid, anna.uid)["unread"] == 0
    anna.tell(bob.uid, b"more")
    conversation = fresh(api, bob.uid, anna.uid)
    assert (conversation["unread"], conversation["readed_to_msg_seq"], conversation["last_msg_seq"]) == (1, 4, 5)


def test_messages_without_a_red_dot_count_too(api, login, name):
    login(name("anna")).tell(name("bob"), b"quiet", flags=0)
    assert fresh(api, name("bob"), name("anna"))["unread"] == 1


def test_recents_are_the_newest_first(api, login, name):
    anna = login(name("anna"))
    for i in range(1, 8):
        anna.tell(name("bob"), b"%d" % i)
    recents = fresh(api, name("bob"), anna.uid, msg_count=3)["recents"]
    assert [m["message_seq"] for m in recents] == [7, 6, 5]


def test_no_messages_asked_no_conversations_told(api, login, name):
    anna = login(name("anna"))
    anna.tell(name("bob"))
    fresh(api, name("bob"), anna.uid)
    assert api.conversations(name("bob"), msg_count=0) == []


def test_nobody_has_none(api, name):
    assert api.conversations(name("nobody")) == []


def test_what_the_client_knows_is_not_told_again(api, login, name):
    anna = login(name("anna"))
    group = api.group(name("group"), anna.uid, name("bob"))
    for i in range(4):
        anna.tell(group, b"%d" % i, 2)
        anna.tell(name("bob"), b"%d" % i)
    fresh(api, name("bob"), anna.uid)
    known = f"{anna.uid}:1:2|{group}:2:3"
    assert [m["message_seq"] for m in fresh(api, name("bob"), anna.uid, last_msg_seqs=known)["recents"]] == [4, 3]
    assert [m["message_seq"] for m in fresh(api, name("bob"), group, last_msg_seqs=known)["recents"]] == [4]
    everything = f"{anna.uid}:1:4|{group}:2:4"
    assert api.conversation(name("bob"), group, last_msg_seqs=everything) is None
    assert api.conversation(name("bob"), anna.uid, last_msg_seqs=everything) is None


@pytest.mark.parametrize("known", ["nonsense", "a:b", "::", "a:1:x|", "|||"])
def test_nonsense_about_what_it_knows_is_skipped(api, login, name, known):
    anna = login(name("anna"))
    anna.tell(name("bob"))
    assert fresh(api, name("bob"), anna.uid, last_msg_seqs=known)["last_msg_seq"] == 1


@pytest.mark.parametrize("fields", [{"only_unread": 1}, {"version": 1}])
def test_only_unread(api, login, name, fields):
    anna, bob = login(name("anna")), login(name("bob"))
    group = api.group(name("group"), anna.uid, bob.uid)
    anna.tell(group, b"unread", 2)
    api.subscribe(group, bob.uid)
    anna.tell(bob.uid, b"unread")
    assert fresh(api, bob.uid, anna.uid, **fields)["unread"] == 1
    assert api.conversation(bob.uid, group, **fields) is None, "subscribing again marks everything read"


def test_types_can_be_left_out(api, login, name):
    anna = login(name("anna"))
    group = api.group(name("group"), anna.uid, name("bob"))
    anna.tell(group, b"x", 2)
    anna.tell(name("bob"), b"x")
    fresh(api, name("bob"), anna.uid)
    assert {c["channel_id"] for c in api.conversations(name("bob"))} == {group, anna.uid}
    assert [c["channel_id"] for c in api.conversations(name("bob"), exclude_channel_types=[2])] == [anna.uid]
    kept = api.conversations(name("bob"), exclude_channel_types=[1, 2], last_msg_seqs=f"{anna.uid}:1:0|{group}:2:0")
    assert {c["channel_id"] for c in kept} == {group, anna.uid}


def test_pages(api, login, name):
    anna = login(name("anna"))
    groups = [api.group(f"{name('group')}n{i}", anna.uid) for i in range(7)]
    for group in groups:
        anna.tell(group, b"x", 2)
    pages = [[c["channel_id"] for c in api.conversations(anna.uid, page=page, page_size=3)] for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert sorted(sum(pages, [])) == sorted(groups)


def tick():
    """Until the clock's next millisecond: what is updated then is newer than what was updated before."""
    before = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 == before:
        pass


@pytest.mark.jingu_only(reason="the reference keeps new rows in memory for a minute, in no order")
class TestTheOrderOfPages:
    """By the update of the user's row, newest first (HTTP API 12.5, step 1); messages do not update rows."""

    @pytest.fixture
    def groups(self, api, name):
        """Of bob, a message of anna's in each; the one he joined last comes first."""
        groups = [f"{name('group')}n{i}" for i in range(7)]
        for group in groups:
            tick()
            api.group(group, name("anna"), name("bob"))
        for group in groups:
            api.send(b"x", group, from_uid=name("anna"))
        return groups[::-1]

    def pages(self, api, name, **fields):
        return [[c["channel_id"] for c in api.conversations(name("bob"), page=page, page_size=3, **fields)] for page in (1, 2, 3, 4)]

    def cut(self, order):
        return [order[0:3], order[3:6], order[6:9], order[9:]]

    def test_the_newest_row_is_first(self, api, name, groups):
        assert self.pages(api, name) == self.cut(groups)
        assert [c["channel_id"] for c in api.conversations(name("bob"))] == groups

    def test_a_message_moves_nothing(self, api, name, groups):
        tick()
        api.send(b"more", groups[-1], from_uid=name("anna"))
        assert self.pages(api, name) == self.cut(groups)

    def test_what_is_read_comes_first(self, api, name, groups):
        tick()
        api.clear_unread(name("bob"), groups[5], GROUP)
        moved = [groups[5]] + [group for group in groups if group != groups[5]]
        assert self.pages(api, name) == self.cut(moved)
        assert [c["channel_id"] for c in api.conversations(name("bob"))] == moved

    def test_what_is_deleted_comes_back_in_its_place(self, api, name, groups):
        tick()
        api.delete_conversation(name("bob"), groups[4], GROUP)
        assert self.pages(api, name) == [groups[0:3], [groups[3], groups[5]], [groups[6]], []]
        api.send(b"again", groups[4], from_uid=name("anna"))
        assert self.pages(api, name) == self.cut(groups)

    def test_a_page_is_cut_before_what_is_not_told_is_left_out(self, api, name, groups):
        for group in (groups[4], groups[1]):
            tick()
            api.clear_unread(name("bob"), group, GROUP)
        order = [groups[1], groups[4], groups[0], groups[2], groups[3], groups[5], groups[6]]
        assert self.pages(api, name) == self.cut(order)
        assert self.pages(api, name, only_unread=1) == [[groups[0]], order[3:6], [groups[6]], []]
        known = f"{groups[2]}:2:1|{groups[3]}:2:1"
        assert self.pages(api, name, last_msg_seqs=known) == [order[0:3], [groups[5]], [groups[6]], []]

    def test_it_is_the_same_after_a_restart(self, start_server, name):
        server = start_server()
        groups = [f"{name('group')}n{i}" for i in range(7)]
        for group in groups:
            tick()
            Api(server).group(group, name("anna"), name("bob"))
            Api(server).send(b"x", group, from_uid=name("anna"))
        server.restart()
        assert self.pages(Api(server), name) == self.cut(groups[::-1])


def test_commands_and_the_system_have_no_conversation(api, login, name):
    bob = login(name("bob"))
    api.send(b"welcome", bob.uid, 1)
    api.send(b"command", bob.uid, 1, from_uid=name("anna"), header={"sync_once": 1})
    bob.receive(), bob.receive()
    login(name("carl")).tell(bob.uid, b"end")
    assert fresh(api, bob.uid, name("carl"))
    assert [c["channel_id"] for c in api.conversations(bob.uid)] == [name("carl")]


@pytest.mark.jingu_only(reason="the reference needs a moment")
def test_the_count_is_right_the_moment_the_ack_is_here(api, login, name):
    anna = login(name("anna"))
    group = api.group(name("group"), anna.uid, name("bob"))
    for i in range(1, 31):
        anna.tell(name("bob"), b"x")
        anna.tell(group, b"x", 2)
        assert api.conversation(name("bob"), anna.uid)["unread"] == i
        assert api.conversation(name("bob"), group)["unread"] == i


@pytest.mark.jingu_only(reason="the reference needs a moment after the SENDACK")
def test_unread_is_right_when_the_acknowledgement_is_also_while_many_send(server, api, login, name):
    """Each sender looks at once at what a reader has, who now and then clears it."""
    senders, each = [login(name(f"sender{i}")) for i in range(4)], 30
    group = api.group(name("group"), name("reader"), name("clearer"), *(sender.uid for sender in senders))
    cleared, failures = [0], []

    def talk(sender):
        try:
            own = Api(server)
            for _ in range(each):
                seq = sender.tell(group, b"x", GROUP).message_seq
                seen = own.conversation(name("reader"), group, msg_count=1)
                assert seq <= seen["last_msg_seq"] == seen["unread"] == seen["recents"][0]["message_seq"]
                before = cleared[0]  # at least so far it was read before this question
                seen = own.conversation(name("clearer"), group, msg_count=1)
                assert seen["last_msg_seq"] >= seq and seen["readed_to_msg_seq"] >= before
                assert seen["unread"] == seen["last_msg_seq"] - seen["readed_to_msg_seq"]
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=talk, args=(sender,)) for sender in senders]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        before = max_seq(api, group)
        api.clear_unread(name("clearer"), group, GROUP)
        cleared[0] = before
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert api.conversation(name("reader"), group)["unread"] == len(senders) * each
    api.clear_unread(name("clearer"), group, GROUP)
    assert api.conversation(name("clearer"), group)["unread"] == 0


def max_seq(api, group) -> int:
    """0 before the first message."""
    answer = api.get("/channel/max_message_seq", channel_id=group, channel_type=GROUP, login_uid="")
    return answer.body["message_seq"] if answer.status == 200 else 0
