"""The outbox: at least once, whatever becomes of the back end and of the server (webhook 3.3, 3.4, and better)."""

import threading
import time

import pytest

from harness.api import Api
from harness.faults import Faults
from harness.receiver import Receiver, signature
from harness.waiting import SCALE, SOON, eventually
from test_settings_are_read_again import reload
from test_the_back_end_is_told import b64, metric, outbox_is_empty, told  # noqa: F401

pytestmark = pytest.mark.jingu_only(reason="the outbox is Jingu's")

LONG = 90 * SCALE


def send_many(client, channel: str, numbers) -> dict[int, int]:
    """message_id of each number."""
    packets = {number: client.send(channel, str(number).encode()) for number in numbers}
    return {number: client.sendack(packet).message_id for number, packet in packets.items()}


def fate(server, name: str) -> float:
    return metric(server, f'jingu_webhook_events_total{{fate="{name}"}}')


def wait_dead_letters(api, count: int) -> list:
    """They are counted when they are given up, and listed when that is on the disk."""
    def all_of_them():
        letters = api.get("/webhook/deadletters").bare()["dead_letters"]
        return letters if len(letters) >= count else None
    return eventually(all_of_them, LONG)


def test_events_of_a_dead_back_end_survive_kill_9(told, receiver, login):
    server = told(webhook={"focusEvents": ["msg.notify", "msg.offline"]})
    receiver.stop()
    told_ids = send_many(login("anna", server), "bob", range(40)).values()
    eventually(lambda: metric(server, 'jingu_webhook_calls_total{result="away"}') > 0)
    server.kill()
    server.start()
    told_ids = [*told_ids, *send_many(login("anna", server), "bob", range(40, 60)).values()]
    server.kill()
    receiver.start()
    server.start()

    eventually(lambda: len({m["message_id"] for m in receiver.messages()}) == 60, LONG)
    eventually(lambda: len({m["message_id"] for m in receiver.offline()}) == 60, LONG)

    first_times = list(dict.fromkeys(m["message_id"] for m in receiver.messages()))
    assert first_times == list(told_ids), "each, in the order of the channel"
    assert all(body["to_uids"] == ["bob"] for body in receiver.offline())
    eventually(lambda: outbox_is_empty(server), LONG)


@pytest.mark.slow
def test_every_acknowledged_message_is_told_across_kill_9_under_load(told, receiver, open_client, rng):
    server = told(disableEncryption=True, webhook={"focusEvents": ["msg.notify", "msg.offline"]})
    acknowledged = set()
    stored = set()
    for _ in range(4):
        clients = [open_client(f"sender{number}", server) for number in range(4)]
        stop = threading.Event()

        def talk(client):
            try:
                client.login()
                while not stop.is_set():
                    acknowledged.add(client.tell("bob", b"x").message_id)
            except Exception:
                pass  # the server was killed

        threads = [threading.Thread(target=talk, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        time.sleep(rng.uniform(0.3, 0.8) * SCALE)
        server.kill()
        stop.set()
        for thread in threads:
            thread.join()
        server.start()
    assert acknowledged

    eventually(lambda: acknowledged <= {m["message_id"] for m in receiver.messages()}, LONG)
    eventually(lambda: acknowledged <= {m["message_id"] for m in receiver.offline()}, LONG)
    eventually(lambda: outbox_is_empty(server), LONG)

    api = Api(server)
    for number in range(4):
        sync = api.post("/channel/messagesync", {"login_uid": "bob", "channel_id": f"sender{number}", "channel_type": 1,
                                                 "start_message_seq": 0, "end_message_seq": 0, "limit": 10000, "pull_mode": 1}).bare()
        stored |= {m["message_id"] for m in sync["messages"]}
    assert {m["message_id"] for m in receiver.messages()} <= stored, "nothing is told of what is not stored"
    assert {m["message_id"] for m in receiver.offline()} <= stored


def test_a_refused_batch_is_tried_again(told, receiver, login):
    answers = iter([500, 500, 201])
    receiver.reply = lambda post: (next(answers, 200), b"no")
    server = told(webhook={"focusEvents": ["msg.notify"]})
    login("anna", server).tell("bob")
    message, = receiver.wait_messages(1, LONG)
    tries = [post.body for post in receiver.all("msg.notify", accepted=False)]
    assert tries == [[message]] * 4
    times = [post.at for post in receiver.all("msg.notify", accepted=False)]
    assert all(later - earlier >= 0.4 for earlier, later in zip(times, times[1:])), "with a pause in between"


def test_an_event_that_is_always_refused_does_not_stop_the_others(told, receiver, login):
    receiver.reply = lambda post: (500 if b64(b"poison").encode() in post.text else 200, b"")
    server = told(webhook={"focusEvents": ["msg.notify"], "msgNotifyEventRetryMaxCount": 2})
    anna = login("anna", server)
    for text in (b"before", b"poison", b"after"):
        anna.tell("bob", text)
    eventually(lambda: fate(server, "dead") == 1, LONG)
    anna.tell("bob", b"later")
    eventually(lambda: [m["payload"] for m in receiver.messages()] == [b64(t) for t in (b"before", b"after", b"later")], LONG)


def test_a_back_end_that_is_away_makes_no_dead_letters(told, receiver, login):
    receiver.reply = lambda post: (503, b"")
    server = told(webhook={"focusEvents": ["msg.notify"], "msgNotifyEventRetryMaxCount": 1})
    login("anna", server).tell("bob")
    eventually(lambda: metric(server, 'jingu_webhook_calls_total{result="away"}') >= 2, LONG)
    assert fate(server, "dead") == 0
    receiver.reply = lambda post: (200, b"")
    receiver.wait_messages(1, LONG)


def test_redirects_are_followed(told, receiver, login):
    receiver.reply = lambda post: (200, b"") if "moved" in post.path else (307, b"", ("Location", "/moved?event=msg.notify"))
    server = told(webhook={"focusEvents": ["msg.notify"]})
    login("anna", server).tell("bob")
    receiver.wait_messages(1)
    assert receiver.all("msg.notify")[0].path == "/moved?event=msg.notify"


def write_for_ever(out) -> None:
    try:
        while True:
            out.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    except OSError:
        pass  # nobody reads it


def drip_for_ever(out) -> None:
    try:
        while True:
            out.write(b"1\r\nx\r\n")
            time.sleep(0.1)
    except OSError:
        pass


@pytest.mark.parametrize("rest", [
    pytest.param((drip_for_ever, ("Transfer-Encoding", "chunked")), id="drip-by-drip"),
    pytest.param((write_for_ever, ("Transfer-Encoding", "chunked")), id="without-end"),
    pytest.param((lambda out: out.write(b"cut"), ("Content-Length", "100")), id="cut-off"),
])
def test_a_200_counts_whatever_stands_behind_it(told, receiver, login, rest):  # noqa: F811
    """Soon: long before the half minute that a whole answer may take."""
    receiver.reply = lambda post: (200, *rest)
    server = told(webhook={"focusEvents": ["msg.notify"]})
    anna = login("anna", server)
    for number in range(3):
        anna.tell("bob", b"%d" % number)
        eventually(lambda: len(receiver.messages()) > number and outbox_is_empty(server), SOON)
    assert [message["message_seq"] for message in receiver.messages()] == [1, 2, 3]


def test_a_black_hole_delays_nobody_and_holds_no_memory(told, receiver, login):
    receiver.become_a_black_hole()
    server = told(disableEncryption=True)
    anna, bob = login("anna", server), login("bob", server)
    anna.tell("bob", b"x" * 1000)
    before = server.resident_bytes()
    for round_ in range(10):
        for number in range(200):
            anna.send("bob", b"x" * 1000)
        for number in range(200):
            bob.receive()
    assert server.resident_bytes() - before < 60 * 1024 * 1024
    server.stop()


@pytest.mark.slow
def test_a_full_outbox_drops_the_oldest_and_counts_them(told, receiver, login):
    server = told(disableEncryption=True, webhook={"focusEvents": ["msg.notify"], "outboxSize": "1M"})
    receiver.stop()
    anna = login("anna", server)
    count = 24000
    for first in range(0, count, 1000):
        send_many(anna, "bob", range(first, first + 1000))
    eventually(lambda: fate(server, "outbox_full") > 0 and metric(server, "jingu_outbox_bytes") <= 1024 * 1024, LONG)
    receiver.start()
    eventually(lambda: outbox_is_empty(server), LONG)
    seqs = [m["message_seq"] for m in receiver.messages()]
    newest = seqs[-count // 2 :]
    assert newest == list(range(count // 2 + 1, count + 1)), "the newest, in order"
    assert all(a < b for a, b in zip(seqs, seqs[1:])), "and what was on its way, which is spared"
    assert 0 < fate(server, "outbox_full") == count - len(seqs)


@pytest.mark.slow
def test_what_has_become_too_old_goes_whole_and_nothing_else(told, receiver, login, tmp_path, monkeypatch):
    server = told(disableEncryption=True, webhook={"focusEvents": ["msg.notify"], "outboxAge": "2h"})
    receiver.stop()
    anna = login("anna", server)
    count = 7000  # more than one commit takes
    for first in range(0, count, 1000):
        send_many(anna, "bob", range(first, first + 1000))
    eventually(lambda: metric(server, 'jingu_webhook_calls_total{result="away"}') > 0)
    server.stop()
    for key, value in (Faults(tmp_path).environment | {"FAULTS_CLOCK_S": str(3 * 3600)}).items():
        monkeypatch.setenv(key, value)
    server.start()  # three hours later
    new = send_many(login("anna", server), "bob", range(count, count + 10)).values()
    eventually(lambda: fate(server, "expired") == count, SOON)
    receiver.start()
    eventually(lambda: outbox_is_empty(server), LONG)
    assert [m["message_id"] for m in receiver.messages()] == list(new)
    assert fate(server, "expired") == count


def test_dead_letters_are_listed_and_sent_again(told, receiver, login):
    receiver.reply = lambda post: (400, b"")
    server = told(webhook={"msgNotifyEventRetryMaxCount": 1})
    api = Api(server)
    anna = login("anna", server)
    acks = [anna.tell("bob", text) for text in (b"one", b"two")]
    letters = wait_dead_letters(api, 5)  # two of msg.notify, two of msg.offline, one of user.onlinestatus
    assert fate(server, "dead") == 5 and api.get("/webhook/deadletters").bare() == {"dead_letters": letters, "more": 0}
    assert [letter["event"] for letter in letters] == ["msg.notify"] * 2 + ["msg.offline"] * 2 + ["user.onlinestatus"]
    assert all(letter["http_status"] == 400 and abs(letter["refused_at"] - time.time()) < 60 for letter in letters)
    refused = [post.body for post in receiver.all("msg.notify", accepted=False)]
    assert letters[0]["body"] in refused and letters[0]["body"][0]["message_id"] == acks[0].message_id
    assert letters[2]["body"] in [post.body for post in receiver.all("msg.offline", accepted=False)]
    pages = [api.get("/webhook/deadletters", limit=2).bare()]
    while pages[-1]["more"]:
        pages.append(api.get("/webhook/deadletters", limit=2, after=pages[-1]["dead_letters"][-1]["id"]).bare())
    assert [letter for page in pages for letter in page["dead_letters"]] == letters and len(pages) == 3

    receiver.reply = lambda post: (200, b"")
    server.restart()
    one = api.post("/webhook/resend", {"ids": [letters[1]["id"], "1-1-0"]}).ok()
    assert one == {"resent": 1, "more": 0}
    assert [m["message_id"] for m in receiver.wait_messages(1, LONG)] == [acks[1].message_id]
    assert api.post("/webhook/resend", {"all": 1}).ok()["resent"] >= 4
    eventually(lambda: {m["message_id"] for m in receiver.messages()} == {ack.message_id for ack in acks}, LONG)
    receiver.wait_offline(2, LONG)
    eventually(lambda: outbox_is_empty(server), LONG)
    assert api.get("/webhook/deadletters").bare() == {"dead_letters": [], "more": 0}


def test_an_older_event_that_comes_while_a_younger_one_is_under_way_is_sent_too(told, receiver, login):
    receiver.reply = lambda post: (400, b"")
    server = told(webhook={"msgNotifyEventRetryMaxCount": 1, "focusEvents": ["msg.notify"]})
    api = Api(server)
    anna = login("anna", server)
    older, younger = [anna.tell("bob", text).message_id for text in (b"one", b"two")]
    letters = {letter["body"][0]["message_id"]: letter["id"] for letter in wait_dead_letters(api, 2)}
    came, go_on = threading.Event(), threading.Event()

    def hold(post):
        came.set()
        go_on.wait(LONG)
        return 200, b""

    receiver.reply = hold
    api.post("/webhook/resend", {"ids": [letters[younger]]}).ok()
    assert came.wait(LONG)
    api.post("/webhook/resend", {"ids": [letters[older]]}).ok()
    go_on.set()
    assert [m["message_id"] for m in receiver.wait_messages(2, LONG)] == [younger, older]


def test_what_is_no_dead_letter_is_refused(told, start_server):
    api = Api(told())
    for body in ({}, {"ids": []}, {"ids": ["x"]}, {"ids": ["1-2"]}, {"ids": ["1-2-3-4"]}, {"ids": ["99-2-3"]}, {"ids": ["x"] * 1001}):
        api.post("/webhook/resend", body).refused()
    api.get("/webhook/deadletters", after="x").refused()
    quiet = Api(start_server())
    quiet.post("/webhook/resend", {"all": 1}).refused("no webhook is configured")
    assert quiet.get("/webhook/deadletters").bare() == {"dead_letters": [], "more": 0}


def test_the_back_end_moves_while_the_server_runs(told, receiver, login):  # noqa: F811
    server = told(webhook={"secret": "old"})
    receiver.stop()
    anna = login("anna", server)
    told_ids = list(send_many(anna, "bob", range(10)).values())
    eventually(lambda: metric(server, 'jingu_webhook_calls_total{result="away"}') > 0)
    moved = Receiver().start()
    try:
        reload(server, webhook=server.settings["webhook"] | {"httpAddr": moved.url, "secret": "new"})
        told_ids += send_many(anna, "bob", range(10, 20)).values()
        eventually(lambda: len(moved.messages()) == 20)
        assert [message["message_id"] for message in moved.messages()] == told_ids
        eventually(lambda: len(moved.offline()) == 20 and moved.all("user.onlinestatus"))
        assert all(post.headers["X-Jingu-Signature"] == signature("new", post) for post in moved.posts)
        reload(server, webhook=server.settings["webhook"] | {"httpAddr": "no URL"})
        eventually(lambda: "webhook_settings_refused" in server.log())
        send_many(anna, "bob", [20])
        eventually(lambda: len(moved.messages()) == 21)
        eventually(lambda: outbox_is_empty(server))
    finally:
        moved.stop()


def test_a_webhook_that_comes_or_goes_needs_a_restart(start_server, told, receiver):  # noqa: F811
    server = told()
    reload(server, webhook={"httpAddr": ""}, agent={"webhook": {"httpAddr": receiver.url}})
    eventually(lambda: "reload_needs_restart key=webhook.httpAddr" in server.log())
    eventually(lambda: "reload_needs_restart key=agent.webhook.httpAddr" in server.log())
    other = start_server()
    reload(other, webhook={"httpAddr": receiver.url})
    eventually(lambda: "reload_needs_restart key=webhook.httpAddr" in other.log())
