"""An orderly stop and a new start: what was there is there, in order, once."""

import time

import pytest

from harness.api import Api
from harness.packets import Flag, Kind
from harness.server import REFERENCE, START_LIMIT, STOP_LIMIT


def test_messages_members_and_tokens_survive(start_server, login, name):
    server = start_server(tokenAuthOn=True)
    api = Api(server)
    for word in ("anna", "bob"):
        api.token(name(word), "secret")
    anna, bob = (login(name(word), server, token="secret") for word in ("anna", "bob"))
    group = api.group(name("group"), anna.uid, bob.uid)
    before = {channel: [anna.tell(channel, f"{channel} {i}".encode(), kind, setting=0, expire=i) for i in range(50)]
              for channel, kind in ((bob.uid, 1), (group, 2))}
    api.send(b"command", group, from_uid=anna.uid, header={"sync_once": 1})
    [bob.receive() for _ in range(101)]

    server.restart()

    anna, bob = (login(name(word), server, token="secret") for word in ("anna", "bob"))
    for channel, kind in ((bob.uid, 1), (group, 2)):
        history = api.history(anna.uid, channel, kind)
        assert [(m["message_seq"], m["message_id"]) for m in history] == \
            [(ack.message_seq, ack.message_id) for ack in before[channel]]
        assert [m["plain"] for m in history] == [f"{channel} {i}".encode() for i in range(50)]
        assert [m["expire"] for m in history] == list(range(50))
        assert anna.tell(channel, b"after", kind).message_seq == 51
        message = bob.receive()
        assert (message.plain, message.message_seq) == (b"after", 51)
        assert message.message_id > max(ack.message_id for ack in before[channel])
    assert api.conversation(bob.uid, group)["last_msg_seq"] == 51


def test_lists_and_flags_of_channels_survive(start_server, login, name):
    server = start_server()
    api = Api(server)
    anna, bob, carl = (login(name(word), server) for word in ("anna", "bob", "carl"))
    denied, banned, gone = (api.group(name(word), anna.uid, bob.uid) for word in ("denied", "banned", "gone"))
    api.edit_list("blacklist_add", denied, anna.uid)
    api.edit_list("whitelist_add", denied, bob.uid)
    api.info(banned, 2, ban=1)
    api.unsubscribe(gone, anna.uid)
    api.info(carl.uid, 1, send_ban=1)
    api.edit_list("blacklist_add", bob.uid, anna.uid, channel_type=1)

    server.restart()

    anna, bob, carl = (login(name(word), server) for word in ("anna", "bob", "carl"))
    assert anna.say(denied, channel_type=2).reason == 4
    assert bob.say(denied, channel_type=2).reason == 1
    assert bob.say(banned, channel_type=2).reason == 19
    assert anna.say(gone, channel_type=2).reason == 3
    assert carl.say(bob.uid).reason == 25
    assert anna.say(bob.uid).reason == 4
    assert [entry["uid"] for entry in api.get("/channel/whitelist", channel_id=denied, channel_type=2).bare()] == [bob.uid]


def test_read_positions_and_conversations_survive(start_server, login, name):
    server = start_server()
    api = Api(server)
    anna = login(name("anna"), server)
    for i in range(5):
        anna.tell(name("bob"), b"%d" % i)
    before = api.conversation(name("bob"), anna.uid)
    server.restart()
    after = api.conversation(name("bob"), anna.uid)
    assert after == before and after["unread"] == 5
    assert [m["message_seq"] for m in after["recents"]] == [5, 4, 3, 2, 1]


def test_ten_restarts_in_a_row(start_server, login, name):
    server = start_server()
    for round_ in range(10 if not REFERENCE else 2):
        anna = login(name("anna"), server)
        assert anna.tell(name("bob"), b"%d" % round_).message_seq == round_ + 1
        server.restart()
    assert [m["plain"] for m in Api(server).history(name("anna"), name("bob"))] == [b"%d" % i for i in range(server.starts - 1)]


@pytest.mark.jingu_only(reason="the reference does not promise it")
def test_stopping_under_load_keeps_what_was_acknowledged_and_ends_in_time(start_server, login, name):
    server = start_server()
    anna = login(name("anna"), server)
    sends = [anna.prepare(name("bob"), b"%d" % i) for i in range(3000)]
    for at in range(0, len(sends), 100):
        anna.write(*sends[at:at + 100])
    start = time.monotonic()
    server.stop()
    assert time.monotonic() - start < STOP_LIMIT
    acks = {packet.client_seq: packet for packet in anna.drain(2) if packet.kind == Kind.SENDACK and packet.reason == 1}
    server.start()

    history = Api(server).history(name("anna"), name("bob"))
    assert [m["message_seq"] for m in history] == list(range(1, len(history) + 1))
    stored = {m["client_msg_no"]: (m["message_seq"], m["message_id"]) for m in history}
    assert len(stored) == len(history)
    for send in sends:
        if send.client_seq in acks:
            ack = acks[send.client_seq]
            assert stored[send.client_msg_no] == (ack.message_seq, ack.message_id)


@pytest.mark.jingu_only(reason="the reference says goodbye to nobody")
def test_clients_are_closed_without_a_goodbye_so_that_they_reconnect(start_server, login, name):
    """A DISCONNECT would tell every SDK that it was kicked, and to stay away."""
    server = start_server()
    anna, browser = login(name("anna"), server), login(name("anna"), server, transport="ws", device_flag=1)
    server.stop()
    for client in (anna, browser):
        client.expect_close()
        assert not client.pending(Kind.DISCONNECT)


def test_what_is_not_stored_is_gone_and_leaves_no_hole(start_server, login, name):
    server = start_server()
    anna = login(name("anna"), server)
    anna.tell(name("bob"), b"1")
    anna.tell(name("bob"), b"gone", flags=Flag.NO_PERSIST)
    server.restart()
    assert login(name("anna"), server).tell(name("bob"), b"2").message_seq == 2


@pytest.mark.jingu_only(reason="a matter of Jingu's own directory")
class TestADirectoryThatIsNotOurs:
    def refuses(self, server):
        server.launch()
        code = server.process.wait(START_LIMIT)
        server.process = None
        assert code != 0
        return server.log_tail()

    def test_a_second_server_on_the_same_data_is_refused(self, start_server):
        first = start_server()
        second = start_server.prepare(dataDir=str(first.data))
        assert str(first.process.pid) in self.refuses(second), "the one who holds it is named"
        assert first.healthy()

    def test_a_directory_that_cannot_be_made_is_refused(self, start_server, tmp_path):
        (tmp_path / "file").write_text("in the way")
        server = start_server.prepare(dataDir=str(tmp_path / "file" / "data"))
        assert str(tmp_path / "file") in self.refuses(server)

    def test_a_taken_port_is_refused_by_name(self, start_server):
        first = start_server()
        second = start_server.prepare(addr=f"tcp://127.0.0.1:{first.tcp_port}")
        assert str(first.tcp_port) in self.refuses(second)
