"""Who does not read costs a cursor (semantics 4.5): the others notice nothing, and nothing is missing afterwards."""

import os
import threading
import time

import pytest

from harness.api import Api
from harness.packets import Kind, Ping
from harness.waiting import SCALE
from test_the_back_end_is_told import metric

SANITIZED = "san/" in os.environ.get("JINGU_BIN", "")

pytestmark = pytest.mark.jingu_only(reason="the reference keeps everything for the slow one in memory, without a limit")

COUNT, SIZE = 3000, 4000
BATCH = 100


def say_all(speaker, channel, channel_type, meanwhile=lambda: None):
    for at in range(0, COUNT, BATCH):
        meanwhile()
        sends = [speaker.prepare(channel, b"%d:" % index + b"x" * SIZE, channel_type) for index in range(at, at + BATCH)]
        speaker.write(*sends)
        for send in sends:
            assert speaker.sendack(send).reason == 1


def hear_all(listener):
    seqs = []
    while len(seqs) < COUNT:
        message = listener.receive()
        assert message.plain.startswith(b"%d:" % len(seqs))
        seqs.append(message.message_seq)
    assert seqs == list(range(1, COUNT + 1))
    assert not listener.pending(Kind.RECV)


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_in_a_group(clear_server, login, name, transport):
    slow = login(name("slow"), clear_server, stream_options={"receive_buffer": 8192})
    anna, carl = login(name("anna"), clear_server), login(name("carl"), clear_server, transport)
    group = Api(clear_server).group(name("group"), anna.uid, slow.uid, carl.uid)
    before = clear_server.resident_bytes()
    failures = []

    def listen():
        try:
            hear_all(carl)
        except BaseException as failure:
            failures.append(failure)

    listening = threading.Thread(target=listen)
    listening.start()
    say_all(anna, group, 2)
    listening.join()

    assert not failures, failures
    if not SANITIZED:  # a sanitizer keeps what was freed, to catch its use
        assert clear_server.resident_bytes() - before < 96 << 20
    hear_all(slow)
    anna.tell(group, b"%d:" % COUNT, 2)
    assert slow.receive().message_seq == COUNT + 1, "back to live"


def test_one_to_one(clear_server, login, name):
    slow, anna = login(name("slow"), clear_server, stream_options={"receive_buffer": 8192}), login(name("anna"), clear_server)
    say_all(anna, slow.uid, 1)
    hear_all(slow)


def test_many_in_a_group_take_no_room_from_others(start_server, login, name):
    """What waits for two hundred of them is more than all that there is for queues: whoever reads must not notice."""
    server = start_server(memory="64M", disableEncryption=True)
    slow = [login(name(f"slow{index}"), server, stream_options={"receive_buffer": 4096}) for index in range(200)]
    writer, anna, bob = (login(name(uid), server) for uid in ("writer", "anna", "bob"))
    group = Api(server).group(name("group"), writer.uid, *(client.uid for client in slow))
    for index in range(100):
        sends = [writer.prepare(group, b"x" * 1000, 2) for _ in range(10)]
        writer.write(*sends)
        anna.tell(bob.uid, b"%d" % index)
        bob.tell(anna.uid, b"%d" % index)
        assert bob.receive().plain == anna.receive().plain == b"%d" % index
        assert all(writer.sendack(send).reason == 1 for send in sends)
    assert metric(server, "jingu_sessions_behind") >= 100
    assert metric(server, 'jingu_connections_closed_total{cause="behind"}') == 0
    for client in slow[:5]:
        assert [client.receive().message_seq for _ in range(1000)] == list(range(1, 1001))


IDLE = round(3 * SCALE)


def test_who_pings_and_does_not_read_is_slow_and_not_gone(start_server, login, name):
    server = start_server(disableEncryption=True, connIdleTime=f"{IDLE}s")
    slow, anna = login(name("slow"), server, stream_options={"receive_buffer": 8192}), login(name("anna"), server)
    say_all(anna, slow.uid, 1, meanwhile=lambda: slow.write(Ping()))
    anna.close()
    end = time.monotonic() + 2.5 * IDLE
    while time.monotonic() < end:
        slow.write(Ping())
        time.sleep(IDLE / 8)
    hear_all(slow)


def test_who_never_reads_again_hurts_nobody(clear_server, login, name):
    slow = login(name("slow"), clear_server, stream_options={"receive_buffer": 8192})
    anna, carl = login(name("anna"), clear_server), login(name("carl"), clear_server)
    say_all(anna, slow.uid, 1)
    slow.stream.abort()
    anna.tell(carl.uid, b"still here")
    assert carl.receive().plain == b"still here"
