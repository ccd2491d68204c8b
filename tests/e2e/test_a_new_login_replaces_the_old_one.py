"""Who is kicked when (semantics 1.5): same uid, same device flag, and the level of the newcomer."""

import time

import pytest

from harness.api import Api
from harness.packets import Disconnect, Kind
from harness.server import REFERENCE
from harness.waiting import SCALE, SOON, in_one_of_some

MASTER, SLAVE = 1, 0
KICKED = Disconnect(reason=12, text="login in other device")
GRACE = 2


@pytest.fixture
def device(token_server, login, name):
    """Logs a device in; the level is a property of the token, set before every login unless it stays the same."""
    api = Api(token_server)
    tokens = {}

    def device_(word, device_id, level, device_flag=0, **options):
        key = (word, device_flag)
        if tokens.get(key) != level:
            tokens[key] = level
            api.token(name(word), "secret", device_flag, SLAVE)
            if level == MASTER:
                api.token(name(word), "secret", device_flag, MASTER)
        return login(name(word), token_server, token="secret", device_flag=device_flag, device_id=device_id, **options)

    return device_


def assert_ends(client, before):
    """Two seconds of grace after a login that came after `before`, then the end. (The reference forgets to close the socket; it only goes
    deaf.)"""
    if REFERENCE:
        client.drain(3 * SCALE)
        assert not client.is_open()
    else:
        client.expect_close(within=GRACE + SOON)
        assert time.monotonic() - before > GRACE - 0.1


def test_master_against_another_device_is_told_and_closed(device):
    old = device("anna", "phone", MASTER)
    before = time.monotonic()
    new = device("anna", "tablet", MASTER)
    goodbye = old.expect_disconnect()
    assert (goodbye.reason, goodbye.text) == (KICKED.reason, KICKED.text)
    assert_ends(old, before)
    assert new.is_open()


def test_master_against_its_own_device_is_closed_without_a_word(device):
    old = device("anna", "phone", MASTER)
    before = time.monotonic()
    new = device("anna", "phone", MASTER)
    assert_ends(old, before)
    assert not old.pending(Kind.DISCONNECT)
    assert new.is_open()


def test_slave_against_its_own_device_is_closed_without_a_word(device):
    old = device("anna", "phone", SLAVE)
    before = time.monotonic()
    new = device("anna", "phone", SLAVE)
    assert_ends(old, before)
    assert not old.pending(Kind.DISCONNECT)
    assert new.is_open()


def test_slaves_on_different_devices_live_together(device):
    old = device("anna", "phone", SLAVE)
    new = device("anna", "tablet", SLAVE)
    old.drain((GRACE + 1) * SCALE)
    assert old.is_open() and new.is_open()


def test_a_slave_that_becomes_master_kicks_slaves(token_server, login, name):
    """The level of the newcomer decides; the token API already says goodbye to what is there."""
    api = Api(token_server)
    api.token(name("anna"), "secret", 0, SLAVE)
    old = login(name("anna"), token_server, token="secret", device_id="phone")
    api.token(name("anna"), "secret", 0, MASTER)
    assert old.expect_disconnect().reason == 12


def test_other_device_classes_and_other_users_are_left_alone(device):
    web = device("anna", "browser", MASTER, device_flag=1)
    desktop = device("anna", "desk", MASTER, device_flag=2)
    other = device("bob", "phone", MASTER)
    old = device("anna", "phone", MASTER)
    device("anna", "tablet", MASTER)
    old.expect_disconnect()
    old.drain((GRACE + 0.5) * SCALE)
    for client in (web, desktop, other):
        assert client.is_open()
        assert not client.pending(Kind.DISCONNECT)


def test_during_its_grace_the_old_one_still_hears(device):
    bob = device("bob", "desk", SLAVE, device_flag=2)

    def hears():
        old = device("anna", "phone", MASTER)
        before = time.monotonic()
        device("anna", "tablet", MASTER)
        old.expect_disconnect()
        bob.tell(old.uid, b"last words")
        if time.monotonic() - before > GRACE - 0.5:
            return False
        assert old.receive().plain == b"last words"
        return True

    in_one_of_some(hears)


def test_json_and_binary_kick_each_other(token_server, device, login_json, name):
    old = device("anna", "phone", MASTER, device_flag=1)
    json = login_json(name("anna"), token_server, token="secret", device_flag=1, device_id="tab")
    assert old.expect_disconnect().text == KICKED.text
    device("anna", "phone", MASTER, device_flag=1)
    assert json.notification("disconnect") == {"reasonCode": 12, "reason": "login in other device"}
    if not REFERENCE:
        json.expect_close(within=GRACE + SOON)


def test_without_token_check_everybody_is_slave(login, name):
    old = login(name("anna"), device_id="phone")
    login(name("anna"), device_id="tablet")
    old.drain((GRACE + 0.5) * SCALE)
    assert old.is_open()


def test_a_storm_of_logins_leaves_the_last_one(device):
    clients = [device("anna", f"device {i}", MASTER) for i in range(10)]
    for client in clients[:-1]:
        assert client.expect_disconnect().reason == 12
    assert clients[-1].is_open()
    assert not clients[-1].pending(Kind.DISCONNECT)
