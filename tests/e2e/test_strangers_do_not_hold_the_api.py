"""Whatever hundreds of strangers hold, a back end and a monitor are answered soon, and whoever makes progress gets to the end.

The API of this server has 16 places. Before there was a lobby, each 16 of them cost everybody else a second and a half.
"""

import base64
import json
import re
import socket
import time

import pytest

from harness.api import GROUP, Api
from harness.strangers import Strangers
from harness.waiting import SCALE, SOON, eventually, in_one_of_some

pytestmark = pytest.mark.jingu_only(reason="the reference has no bound of connections")

COUNT = 300
SOON_ANSWERED = 5 * SCALE  # a second is meant; the strangers of this test take the same two cores


def post(path: str, body: dict) -> bytes:
    text = json.dumps(body).encode()
    return b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(text), text)


HALF_HEAD = b"GET /route HTTP/1.1\r\nHost: x\r\nX-Half: "
WHOLE = b"GET /route HTTP/1.1\r\nHost: x\r\n\r\n"
NO_BODY = b"POST /message/send HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n{"
HISTORY = post("/channel/messagesync", {"login_uid": "u", "channel_id": "read-by-nobody", "channel_type": GROUP, "limit": 60,
                                        "start_message_seq": 0, "pull_mode": 1})

HOLDERS = {
    "connections that say nothing": ({}, "silent"),
    "heads that do not end": ({"text": HALF_HEAD, "drip": b"x"}, "silent"),
    "idle connections that are kept alive": ({"text": WHOLE}, "idle"),
    "bodies that do not come": ({"text": NO_BODY, "drip": b" "}, "still"),
    "answers that nobody reads": ({"text": HISTORY, "reads": False}, None),  # they take turns, or are ended: the kernel holds much of them
}


def ended(api: Api) -> dict:
    return {what: int(count) for what, count in re.findall(r'jingu_http_ended_total\{what="(\w+)"\} (\d+)', api.get("/metrics").text)}


def seconds_of(call) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


def message(channel: str, payload: bytes = b"hello") -> dict:
    return {"from_uid": "u", "channel_id": channel, "channel_type": GROUP, "payload": base64.b64encode(payload).decode()}


@pytest.fixture
def small_server(start_server):
    return start_server(memory="48M", shards=1)


@pytest.mark.parametrize("holders", HOLDERS)
def test_a_call_is_answered_whatever_strangers_hold(small_server, holders):
    how, what = HOLDERS[holders]
    for _ in range(60):
        Api(small_server).post("/message/send", message("read-by-nobody", b"x" * 3000)).bare()
    with Strangers(small_server.http_port, COUNT, **how) as strangers:
        calls = {
            "a monitor": lambda: Api(small_server).get("/ledger").bare(),
            "a message": lambda: Api(small_server).post("/message/send", message("g")).bare(),
            "a large one": lambda: Api(small_server).post("/message/send", message("g", b"x" * 90000)).bare(),
        }
        for call in calls.values():
            in_one_of_some(lambda call=call: seconds_of(call) < SOON_ANSWERED)
        eventually(lambda: what is None or ended(Api(small_server)).get(what, 0) > 0)
        assert strangers.said >= COUNT


def test_nobody_is_ended_while_there_is_room(small_server):
    api = Api(small_server)
    kept = [socket.create_connection(("127.0.0.1", small_server.http_port)) for _ in range(12)]
    for i, each in enumerate(kept):
        each.sendall((WHOLE, HALF_HEAD, NO_BODY)[i % 3])
    for _ in range(50):
        Api(small_server).get("/route").bare()  # each on a connection of its own
    assert sum(ended(api).values()) == 0
    for i, each in enumerate(kept):
        each.sendall((WHOLE, b"y\r\n\r\n", b" " * 4999)[i % 3])
        each.settimeout(SOON)
        assert each.recv(1000).startswith(b"HTTP/1.1 ")
        each.close()


@pytest.mark.slow
def test_a_slow_body_gets_to_its_end_beside_those_that_do_not_come(small_server):
    """A phone with 200 kbit/s, among strangers who hold all places, and others who wait for one."""
    body = post("/message/send", message("slow", b"x" * 70000))
    piece = 25000 // 4

    def upload() -> bool:
        with socket.create_connection(("127.0.0.1", small_server.http_port)) as phone:
            phone.settimeout(SOON)
            try:
                for at in range(0, len(body), piece):
                    phone.sendall(body[at:at + piece])
                    time.sleep(0.25)
                return phone.recv(1000).startswith(b"HTTP/1.1 200 ")
            except ConnectionError:
                return False

    with Strangers(small_server.http_port, COUNT, text=NO_BODY, drip=b" "):
        in_one_of_some(upload)


def test_who_is_slow_to_read_gets_all_of_his_answer_beside_those_who_do_not(small_server):
    for _ in range(60):
        Api(small_server).post("/message/send", message("read-by-nobody", b"x" * 3000)).bare()
    with Strangers(small_server.http_port, COUNT, text=HISTORY, reads=False):

        def read() -> bool:
            seen = b""
            with socket.socket() as phone:
                phone.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
                phone.settimeout(SOON)
                phone.connect(("127.0.0.1", small_server.http_port))
                try:
                    phone.sendall(HISTORY)
                    while True:
                        piece = phone.recv(6250)
                        seen += piece
                        head, _, rest = seen.partition(b"\r\n\r\n")
                        size = re.search(rb"Content-Length: (\d+)", head)
                        if size and len(rest) >= int(size[1]):
                            return len(rest) > 100000
                        if not piece:
                            return False
                        time.sleep(0.05)
                except ConnectionError:
                    return False

        in_one_of_some(read)
