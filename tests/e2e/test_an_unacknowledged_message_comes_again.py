"""RECVACK and redelivery (semantics 4.4; protocol description 11.2), with the clock of the configuration turned up."""

import time

import pytest

from harness.packets import Flag, Kind
from harness.server import Server
from harness.waiting import SCALE

INTERVAL, MAX_COUNT = 1, 3


@pytest.fixture(scope="module")
def impatient(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("impatient"),
                    messageRetry={"interval": f"{INTERVAL}s", "scanInterval": "500ms", "maxCount": MAX_COUNT}).start()
    yield server
    server.stop()


def collect(client, seconds):
    return [packet for packet in client.drain(seconds) if packet.kind == Kind.RECV]


def test_the_silent_get_it_again_unchanged_a_limited_number_of_times(impatient, login, login_json, name):
    """One long watch over several kinds of receivers, because each would have to be watched as long."""
    anna = login(name("anna"), impatient)
    silent = login(name("silent"), impatient, acknowledges=False)
    silent_ws = login(name("silent"), impatient, acknowledges=False, transport="ws", device_flag=1)
    prompt = login(name("prompt"), impatient)
    late = login(name("late"), impatient, acknowledges=False)
    flagless = login(name("flagless"), impatient, acknowledges=False)
    json = login_json(name("json"), impatient, acknowledges=False)
    anna.tell(silent.uid, b"never again", flags=Flag.NO_PERSIST)
    asked = time.monotonic()
    for listener in (prompt, flagless, silent, late, json):
        anna.tell(listener.uid, b"please acknowledge")

    prompt.receive()
    flagless_message = flagless.receive()
    flagless_message.flags = 0
    flagless.acknowledge(flagless_message)
    was_prompt = time.monotonic() - asked < INTERVAL / 2
    first_late = late.receive()
    again_late = late.receive()
    late.acknowledge(again_late)
    was_late_prompt = time.monotonic() - asked < INTERVAL * 2
    copies = {client: [client.receive() for _ in range(1 + 1 + MAX_COUNT)] for client in (silent, silent_ws)}
    copies[silent] += collect(silent, INTERVAL * 3)
    copies[silent_ws] += collect(silent_ws, 0.3)
    copies |= {client: collect(client, 0.3) for client in (prompt, late, flagless)}

    for client in (silent, silent_ws):
        stored = [packet for packet in copies[client] if packet.plain == b"please acknowledge"]
        assert len(stored) == 1 + MAX_COUNT, f"asked {MAX_COUNT} times more, got {len(stored) - 1}"
        assert len({packet.raw for packet in stored}) == 1, "a resend is byte-identical"
        assert [packet.plain for packet in copies[client]].count(b"never again") == 1
    assert copies[prompt] == [] or not was_prompt
    assert again_late.raw == first_late.raw
    assert len(copies[late]) < MAX_COUNT - 1 or not was_late_prompt, "an acknowledgement ends it, but for one that it may have met on the way"
    assert copies[flagless] == [] or not was_prompt, "Go clients send RECVACK without flags"
    texts = []
    while True:
        try:
            texts.append(json.receive(within=0.3))
        except AssertionError:
            break
    assert len(texts) == 1 + MAX_COUNT and all(text == texts[0] for text in texts)


def test_a_new_connection_does_not_inherit_what_the_old_one_left_open(impatient, login, name):
    anna = login(name("anna"), impatient)
    bob = login(name("bob"), impatient, acknowledges=False)
    anna.tell(bob.uid, b"unanswered")
    bob.receive()
    bob.close()
    again = login(name("bob"), impatient, acknowledges=False)
    assert collect(again, INTERVAL * 3 * SCALE) == []


def test_each_session_answers_for_itself(impatient, login, name):
    anna = login(name("anna"), impatient)
    phone = login(name("bob"), impatient)
    laptop = login(name("bob"), impatient, acknowledges=False, device_flag=2)
    asked = time.monotonic()
    anna.tell(phone.uid, b"to both")
    assert phone.receive().plain == laptop.receive().plain == b"to both"
    was_prompt = time.monotonic() - asked < INTERVAL / 2
    laptop.acknowledge(laptop.receive())
    assert collect(phone, 0.2) == [] or not was_prompt


def test_my_own_copy_wants_an_answer_too(impatient, login, name):
    phone = login(name("anna"), impatient)
    laptop = login(name("anna"), impatient, acknowledges=False, device_flag=2)
    phone.tell(name("bob"), b"mine")
    first = laptop.receive()
    again = laptop.receive()
    assert again.raw == first.raw
    laptop.acknowledge(again)


def test_an_acknowledgement_of_something_else_does_not_count(impatient, login, name):
    anna = login(name("anna"), impatient)
    bob = login(name("bob"), impatient, acknowledges=False)
    anna.tell(bob.uid, b"one")
    message = bob.receive()
    message.message_id += 1
    bob.acknowledge(message)
    assert bob.receive().plain == b"one"


def test_one_that_is_given_up_before_one_that_was_acknowledged_does_no_harm(impatient, login, name):
    anna = login(name("anna"), impatient)
    bob = login(name("bob"), impatient, acknowledges=False)
    anna.tell(bob.uid, b"never acknowledged")
    first = bob.receive()
    for _ in range(MAX_COUNT):
        assert bob.receive().raw == first.raw
    asked = time.monotonic()
    anna.tell(bob.uid, b"acknowledged")
    bob.acknowledge(bob.receive())
    was_prompt = time.monotonic() - asked < INTERVAL / 2
    again = collect(bob, INTERVAL * 3)
    assert first.raw not in [packet.raw for packet in again], "it was sent often enough"
    assert again == [] or not was_prompt
    bob.ping()
    assert anna.tell(bob.uid, b"and on").message_seq == 3


def test_resends_do_not_come_between_and_break_the_order_of_what_is_new(impatient, login, name):
    """New messages stay ascending among themselves whatever is repeated in between."""
    anna = login(name("anna"), impatient)
    bob = login(name("bob"), impatient, acknowledges=False)
    end = time.monotonic() + 3 * SCALE
    count = 0
    while time.monotonic() < end:
        count += 1
        anna.tell(bob.uid, b"%d" % count)
        time.sleep(0.02)
    fresh, seen = [], set()
    while len(fresh) < count:
        packet = bob.receive()
        if packet.message_seq not in seen:
            seen.add(packet.message_seq)
            fresh.append(packet.message_seq)
    assert fresh == list(range(1, count + 1))
