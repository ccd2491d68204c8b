"""Names and numbers that back ends compute themselves, so that they must be WuKongIM's to the bit (HTTP API 4.3 and 19)."""

import pytest

from harness.api import Api
from harness.waiting import eventually

INTERNAL = [
    ("u1", "u2", "u2@u1"),
    ("u1001", "u1002", "u1002@u1001"),
    ("alice", "bob", "bob@alice"),
    ("user123", "user456", "user456@user123"),
    ("10001", "10002", "10002@10001"),
    ("张三", "李四", "张三@李四"),
    ("u1", "____system", "u1@____system"),
    ("u1001", "____system", "____system@u1001"),
    ("u1", "u1", "u1@u1"),
]
HASHES = {"u1": 631765120777144307, "u1001": 542157584867753710}
SLOTS = {"u1": 54, "u2": 12, "alice": 7, "bob": 0}


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    from harness.server import Server
    server = Server(tmp_path_factory.mktemp("vectors")).start()
    yield Api(server)
    server.stop()


@pytest.mark.parametrize("one, other, internal", INTERNAL)
def test_the_internal_id_of_two_persons(api, one, other, internal):
    """Whoever of the two begins."""
    sender, receiver = (other, one) if other == "____system" else (one, other)
    api.send(b"x", receiver, 1, from_uid="" if sender == "____system" else sender)

    def known():
        return {one["channel_id"] for one in api.post("/conversation/channels", {"uid": receiver}).bare()}
    eventually(lambda: internal in known())


def test_the_number_of_a_member_is_the_hash_of_its_name(api):
    api.channel("vectors")
    api.edit_list("whitelist_add", "vectors", *HASHES)
    assert {one["uid"]: one["id"] for one in api.get("/channel/whitelist", channel_id="vectors", channel_type=2).bare()} == HASHES


@pytest.mark.parametrize("uid, slot", SLOTS.items())
def test_the_slot_that_is_shown_for_a_user(api, uid, slot):
    api.token(uid, "t")
    assert eventually(lambda: api.get("/cluster/users", uid=uid).bare()["data"])[0]["slot"] == slot


@pytest.mark.jingu_only(reason="a channel of the reference that exists in memory alone is not listed")
@pytest.mark.parametrize("uids, number", [(["u1", "u2"], 17922244540036557902), (["u1001", "u1002"], 14452079759391272046)])
def test_the_command_channel_of_an_explicit_list(api, uids, number):
    api.post("/message/send", {"header": {"sync_once": 1}, "subscribers": uids, "payload": "aGk="}).ok()
    found = api.get("/cluster/channels", channel_id=str(number), channel_type=8).bare()["data"]
    assert [one["channel_id"] for one in found] == [str(number)]
