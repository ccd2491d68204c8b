"""When the disk is full a SEND is refused aloud, and everything that was acknowledged stays.

Needs the right to mount a small tmpfs; without it the test is skipped.
"""

import os
import subprocess

import pytest

from harness.api import Api
from harness.client import Closed
from harness.packets import Kind
from harness.waiting import SCALE, eventually

pytestmark = [pytest.mark.jingu_only(reason="a promise of Jingu"), pytest.mark.slow]

SMALL, LARGE = "48m", "512m"
PAYLOAD = 30_000
ENOUGH = 100_000_000 // PAYLOAD


def mount(*arguments) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True).returncode == 0


@pytest.fixture
def small_disk(tmp_path):
    path = tmp_path / "disk"
    path.mkdir()
    if not mount("-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(path)):
        pytest.skip("may not mount a tmpfs here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def fill(client, peer) -> dict[int, tuple]:
    """Sends until something else than success is heard; gives what was acknowledged and how it ended."""
    acked = {}
    for index in range(ENOUGH):
        try:
            ack = client.say(peer, (b"%d:" % index).ljust(PAYLOAD, b"x"), client_msg_no=f"n-{index}")
        except (Closed, AssertionError):
            return acked, None
        if ack.reason != 1:
            return acked, ack
        acked[index] = (ack.message_seq, ack.message_id)
    raise AssertionError("the disk never filled up")


def check(history, acked) -> None:
    assert [m["message_seq"] for m in history] == list(range(1, len(history) + 1))
    stored = {int(m["client_msg_no"][2:]): (m["message_seq"], m["message_id"]) for m in history}
    assert len(stored) == len(history)
    assert {index: stored.get(index) for index in acked} == acked
    for message in history:
        assert message["plain"].startswith(message["client_msg_no"][2:].encode() + b":")


def check_if_answered(api, login_uid, channel_id, acked) -> None:
    """While the disk is full a reading may be refused. What is answered must be right."""
    reply = api.post("/channel/messagesync", {"login_uid": login_uid, "channel_id": channel_id, "channel_type": 1,
                                              "start_message_seq": 1, "limit": 200, "pull_mode": 1})
    if reply.status != 200:
        reply.refused()
        return
    by_seq = {seq: (index, message_id) for index, (seq, message_id) in acked.items()}
    messages = reply.body["messages"]
    assert [m["message_seq"] for m in messages] == list(range(1, min(200, len(messages)) + 1))
    assert len(messages) >= min(200, len(acked)) or reply.body["more"]
    for message in messages:
        index, message_id = by_seq.get(message["message_seq"], (None, None))
        assert index is None or (message["client_msg_no"], message["message_id"]) == (f"n-{index}", message_id)


@pytest.mark.timeout(400)
def test_filling_the_disk(start_server, login, name, small_disk):
    server = start_server(disableEncryption=True, dataDir=str(small_disk / "data"))
    anna = login(name("anna"), server)
    api = Api(server)
    api.group(name("group"), anna.uid)

    acked, refusal = fill(anna, name("bob"))

    assert len(acked) > 100
    if refusal is not None:
        assert refusal.reason in (15, 22) and refusal.message_seq == 0
        assert anna.is_open(), "a refusal is no reason to close"
        assert server.healthy() or server.running()
        check_if_answered(api, name("bob"), anna.uid, acked)
        reply = api.post("/message/send", {"from_uid": anna.uid, "channel_id": name("bob"), "channel_type": 1,
                                           "payload": "eHg=" * 8000})
        assert reply.status in (200, 400, 500)
    else:
        assert not server.running(), "silence is no answer"
        server.process = None
    eventually(lambda: "space" in server.log().lower() or "disk" in server.log().lower())  # the log says why

    server.kill()
    server.launch()
    try:
        server.wait_ready()
        check_if_answered(api, name("bob"), anna.uid, acked)
    except AssertionError as failure:
        if server.running() or "ended with" not in str(failure):
            raise
        server.process = None
        assert "space" in server.log_tail().lower() or "disk" in server.log_tail().lower()
    server.kill()

    assert mount("-o", f"remount,size={LARGE}", str(small_disk))
    server.start()
    history = api.history(name("bob"), anna.uid)
    check([m for m in history if m["client_msg_no"].startswith("n-")], acked)
    anna = login(name("anna"), server)
    again = anna.tell(name("bob"), b"x", client_msg_no="n-0")
    assert (again.message_seq, again.message_id) == acked[0]
    assert anna.tell(name("bob"), b"room again").message_seq == len(history) + 1
    assert not anna.pending(Kind.DISCONNECT)
    server.stop()


@pytest.mark.timeout(400)
def test_room_again_and_the_server_goes_on_by_itself(start_server, login, name, small_disk):
    server = start_server(disableEncryption=True, dataDir=str(small_disk / "data"))
    anna = login(name("anna"), server)
    acked, refusal = fill(anna, name("bob"))
    assert refusal is not None, "silence is no answer"

    assert mount("-o", f"remount,size={LARGE}", str(small_disk))

    eventually(lambda: anna.say(name("bob"), b"room again", client_msg_no="room").reason == 1, within=30 * SCALE, every=0.2)
    history = Api(server).history(name("bob"), anna.uid)
    check([m for m in history if m["client_msg_no"].startswith("n-")], acked)
    assert [m["message_seq"] for m in history] == list(range(1, len(history) + 1))
    assert [m["plain"] for m in history if m["client_msg_no"] == "room"] == [b"room again"]
    server.restart()
    assert [m["message_id"] for m in Api(server).history(name("bob"), anna.uid)] == [m["message_id"] for m in history]


def take_what_is_free(path) -> None:
    """Not a block is left: less than the reserve, which is what the server stops writing at."""
    with open(path / "ballast", "wb") as ballast:
        end, size = 0, 1 << 24
        while size >= 4096:
            try:
                os.posix_fallocate(ballast.fileno(), end, size)
                end += size
            except OSError:
                size //= 2


@pytest.mark.timeout(200)
def test_a_stop_on_a_full_disk_ends_in_time(start_server, login, name, small_disk):
    """What cannot be written was never acknowledged, or is in the log: nothing is left to wait for."""
    server = start_server(disableEncryption=True, dataDir=str(small_disk / "data"))
    anna = login(name("anna"), server)
    acked = {}
    for index in range(100):
        ack = anna.tell(name("bob"), (b"%d:" % index).ljust(PAYLOAD, b"x"), client_msg_no=f"n-{index}")
        acked[index] = (ack.message_seq, ack.message_id)
    take_what_is_free(small_disk)
    eventually(lambda: anna.say(name("bob"), b"x").reason in (15, 22), within=30 * SCALE)

    server.stop()

    (small_disk / "ballast").unlink()
    server.start()
    check([m for m in Api(server).history(name("bob"), anna.uid) if m["client_msg_no"].startswith("n-")], acked)


CHANNEL = {"channel_id": "closed", "channel_type": 2}
UIDS = CHANNEL | {"uids": ["bob"]}
FAILURES = [
    ("/user/systemuids_add", {"uids": ["notice"]}, "添加系统账号失败！"),
    ("/user/systemuids_remove", {"uids": ["notice"]}, "移除系统账号失败！"),
    ("/channel", CHANNEL, "创建或更新频道失败"),
    ("/channel/info", CHANNEL, "添加或更新频道信息失败！"),
    ("/channel/delete", CHANNEL, "更新频道信息失败！"),
    ("/channel/subscriber_add", CHANNEL | {"subscribers": ["carl"]}, "添加频道失败！"),
    ("/channel/subscriber_remove_all", CHANNEL, "移除所有订阅者失败！"),
    ("/channel/blacklist_set", UIDS, "移除所有黑名单失败！"),
    ("/channel/blacklist_remove_all", CHANNEL, "移除所有黑名单失败！"),
    ("/channel/whitelist_set", UIDS, "移除所有白明单失败！"),
    ("/channel/whitelist_remove_all", CHANNEL, "移除所有白名单失败！"),
]


@pytest.mark.timeout(200)
def test_each_endpoint_says_what_could_not_be_written(start_server, login, name, small_disk):
    server = start_server(disableEncryption=True, dataDir=str(small_disk / "data"))
    api, anna = Api(server), login(name("anna"), server)
    api.group("closed", "anna", "bob")
    api.post("/user/systemuids_add", {"uids": ["notice"]}).ok()
    for which in ("blacklist_add", "whitelist_add"):
        api.edit_list(which, "closed", "bob")
    take_what_is_free(small_disk)
    eventually(lambda: anna.say(name("bob"), b"x").reason == 15, within=30 * SCALE)

    for path, body, text in FAILURES:
        api.post(path, body).refused(text)
    assert api.get("/channel/whitelist", **CHANNEL).bare()[0]["uid"] == "bob"

    (small_disk / "ballast").unlink()
    eventually(lambda: anna.say(name("bob"), b"x").reason == 1, within=30 * SCALE)
    for path, body, _ in FAILURES:
        api.post(path, body).ok()
