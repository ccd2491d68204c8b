"""Order (semantics 3.2, 4.6): one channel, one sequence, ascending in every session, under several concurrent senders."""

import threading

import pytest

from harness.packets import Kind

pytestmark = pytest.mark.jingu_only(reason="the reference does not keep the order under load")

SENDERS, EACH = 8, 150


def send_all(sender, channel, channel_type, results):
    """Pipelines everything and notes the sequence number of each."""
    sends = [sender.prepare(channel, f"{sender.uid}:{i}".encode(), channel_type) for i in range(EACH)]
    for at in range(0, EACH, 10):
        sender.write(*sends[at:at + 10])
    results[sender.uid] = [(sender.sendack(send).message_seq, send.plain) for send in sends]


def in_parallel(senders, channel_of, channel_type):
    results = {}
    threads = [threading.Thread(target=send_all, args=(sender, channel_of(sender), channel_type, results)) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(senders), "a sender failed"
    return results


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_a_busy_group(api, login, name, transport):
    senders = [login(f"{name('sender')}n{i}") for i in range(SENDERS)]
    listeners = [login(f"{name('listener')}n{i}", transport=transport) for i in range(3)]
    group = api.group(name("group"), *[client.uid for client in senders + listeners])

    results = in_parallel(senders, lambda sender: group, 2)

    total = SENDERS * EACH
    order = {}
    for seqs in results.values():
        assert [seq for seq, _ in seqs] == sorted(seq for seq, _ in seqs), "one sender's messages keep their order"
        order.update(seqs)
    assert sorted(order) == list(range(1, total + 1)), "contiguous, none used twice"
    for listener in listeners:
        heard = [listener.receive() for _ in range(total)]
        assert [m.message_seq for m in heard] == list(range(1, total + 1))
        assert [m.plain for m in heard] == [order[seq] for seq in range(1, total + 1)]
    history = api.history(senders[0].uid, group, 2)
    assert [(m["message_seq"], m["plain"]) for m in history] == sorted(order.items())


def test_the_senders_hear_each_other_in_that_order_too(api, login, name):
    senders = [login(f"{name('sender')}n{i}") for i in range(4)]
    group = api.group(name("group"), *[client.uid for client in senders])
    in_parallel(senders, lambda sender: group, 2)
    for sender in senders:
        heard = [sender.receive().message_seq for _ in range(3 * EACH)]
        assert heard == sorted(set(heard))
        assert not sender.pending(Kind.RECV)


def test_many_person_channels_into_one_inbox(api, login, name):
    """Channels are independent of each other; each stays in order."""
    bob = login(name("bob"))
    senders = [login(f"{name('sender')}n{i}") for i in range(SENDERS)]
    in_parallel(senders, lambda sender: bob.uid, 1)
    heard: dict[str, list[int]] = {}
    for _ in range(SENDERS * EACH):
        message = bob.receive()
        heard.setdefault(message.from_uid, []).append(message.message_seq)
    assert all(seqs == list(range(1, EACH + 1)) for seqs in heard.values()) and len(heard) == SENDERS


def test_both_sides_of_a_person_channel_talk_at_once(api, login, name):
    anna, bob = login(name("anna")), login(name("bob"))
    results = in_parallel([anna, bob], lambda sender: bob.uid if sender is anna else anna.uid, 1)
    seqs = sorted(seq for sent in results.values() for seq, _ in sent)
    assert seqs == list(range(1, 2 * EACH + 1))
    for client in (anna, bob):
        heard = [client.receive().message_seq for _ in range(EACH)]
        assert heard == sorted(heard)


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_who_waits_for_each_answer_is_served_beside_those_who_do_not(login, name, transport):
    """Hundreds of messages of a connection wait their turn in the server; none of them is lost, doubled or out of order for it."""
    count = 2 * EACH
    bob, patient = login(name("bob")), login(name("patient"), transport=transport)
    hasty = [login(f"{name('hasty')}n{i}", transport=transport) for i in range(SENDERS)]
    acknowledged = {}

    def hurry(sender):
        sends = [sender.prepare(bob.uid, b"%d" % i, 1) for i in range(count)]
        sender.write(*sends)
        acknowledged[sender.uid] = [sender.sendack(send).message_seq for send in sends]

    threads = [threading.Thread(target=hurry, args=(sender,)) for sender in hasty]
    for thread in threads:
        thread.start()
    said = [patient.tell(bob.uid, b"%d" % i, 1).message_seq for i in range(EACH)]
    for thread in threads:
        thread.join()

    assert said == list(range(1, EACH + 1))
    assert acknowledged == {sender.uid: list(range(1, count + 1)) for sender in hasty}
    heard: dict[str, list[bytes]] = {}
    for _ in range(SENDERS * count + EACH):
        message = bob.receive()
        heard.setdefault(message.from_uid, []).append(message.plain)
    assert heard.pop(patient.uid) == [b"%d" % i for i in range(EACH)]
    assert heard == {sender.uid: [b"%d" % i for i in range(count)] for sender in hasty}
    assert not bob.pending(Kind.RECV)
