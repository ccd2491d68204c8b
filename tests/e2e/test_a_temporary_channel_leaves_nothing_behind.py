"""A list that a back end lends to a temporary channel: who hears the channel, and what is left of it (semantics 2.4)."""

import pytest

from harness.api import Api
from harness.packets import Kind
from harness.receiver import uids_of

TEMPORARY = 8


def lend(api, channel: str, *uids: str):
    return api.post("/tmpchannel/subscriber_set", {"channel_id": channel, "uids": list(uids)})


def metric(api, name: str) -> int:
    return next(int(line.split()[1]) for line in api.get("/metrics").text.splitlines() if line.startswith(name + " "))


def test_each_message_goes_to_the_list_of_its_time(api, login, name):
    anna, bob, carl = (login(name(word)) for word in ("anna", "bob", "carl"))
    lend(api, name("t"), anna.uid, bob.uid).ok()
    api.send(b"one", name("t"), TEMPORARY)
    api.send(b"passing", name("t"), TEMPORARY, header={"no_persist": 1})
    lend(api, name("t"), bob.uid, carl.uid).ok()
    api.send(b"two", name("t"), TEMPORARY)
    for client in (anna, bob, carl):
        api.send(b"end", client.uid, 1)

    def heard(client):
        plain = []
        while not plain or plain[-1] != b"end":
            plain.append(client.receive().plain)
        return plain[:-1]

    assert heard(anna) == [b"one", b"passing"]
    assert heard(bob) == [b"one", b"passing", b"two"]
    assert heard(carl) == [b"two"]


@pytest.mark.jingu_only(reason="the reference answers before it has looked")
@pytest.mark.parametrize("flags, reason", [({"ban": 1}, 19), ({"disband": 1}, 24)])
def test_its_flags_silence_it(api, login, name, flags, reason):
    anna = login(name("anna"))
    lend(api, name("t"), anna.uid).ok()
    message = {"channel_id": name("t"), "channel_type": TEMPORARY, "payload": "eA=="}
    api.info(name("t"), TEMPORARY, **flags)
    assert api.post("/message/send", message).body == {"status": reason}
    api.info(name("t"), TEMPORARY)
    api.post("/message/send", message).ok()
    assert anna.receive().plain == b"x"
    anna.ping()
    assert not anna.pending(Kind.RECV)


@pytest.mark.jingu_only(reason="metrics of ours")
def test_it_makes_no_members_and_no_conversations(start_server, login):
    server = start_server()
    api = Api(server)
    anna = login("anna", server)
    lend(api, "t", "anna", "bob").ok()
    api.send(b"one", "t", TEMPORARY)
    assert anna.receive().plain == b"one"
    assert api.conversations("anna") == [] and api.conversations("bob") == []
    assert api.get(f"/cluster/channels/t/{TEMPORARY}/subscribers").bare() == []
    assert [message["plain"] for message in api.history("anna", "t", TEMPORARY)] == [b"one"]
    assert metric(api, "jingu_temporary_lists") == 1

    server.restart()

    anna = login("anna", server)
    assert metric(api, "jingu_temporary_lists") == 0
    api.send(b"to nobody", "t", TEMPORARY)
    api.send(b"to anna", "anna", 1)
    assert anna.receive().plain == b"to anna"


@pytest.mark.jingu_only(reason="v2.2.5 has no bound")
def test_a_list_that_does_not_fit_is_refused_and_the_one_before_stays(api, login, name):
    anna = login(name("anna"))
    lend(api, name("t"), anna.uid).ok()
    refused = metric(api, "jingu_temporary_lists_refused_total")
    lend(api, name("t"), *(f"{i:04}" + "u" * 500 for i in range(2100))).refused("临时订阅者太多！")
    assert metric(api, "jingu_temporary_lists_refused_total") == refused + 1
    api.send(b"still", name("t"), TEMPORARY)
    assert anna.receive().plain == b"still"


@pytest.mark.jingu_only(reason="the outbox is Jingu's")
def test_who_is_on_the_list_and_away_is_told_to_the_back_end(start_server, receiver, login):
    server = start_server(tokenAuthOn=True, webhook={"httpAddr": receiver.url, "focusEvents": ["msg.offline"]})
    api = Api(server)
    api.token("anna", "secret", device_level=1)
    anna = login("anna", server, token="secret")
    lend(api, "t", "anna", "bob", "carl").ok()
    api.send(b"one", "t", TEMPORARY)
    assert anna.receive().plain == b"one"
    body, = receiver.wait_offline(1)
    assert sorted(uids_of(body)) == ["bob", "carl"]
