"""/user/token with level master, /user/device_quit (semantics 1.6; HTTP API 6.1, 6.2)."""

import itertools
import time

import pytest

from harness.api import Api
from harness.client import Refused
from harness.packets import Kind
from harness.server import REFERENCE
from harness.waiting import SOON, eventually, in_one_of_some

TOKEN_KICK = "账号在其他设备上登录"


@pytest.fixture
def api(token_server):
    return Api(token_server)


@pytest.fixture
def device(token_server, api, login, name):
    def device_(word, device_flag=0, device_id=None):
        return login(name(word), token_server, token="secret", device_flag=device_flag, device_id=device_id)
    return device_


def assert_refused(open_client, server, uid, token, device_flag):
    client = open_client(uid, server, token=token, device_flag=device_flag)
    if REFERENCE:
        client.write(client.connect_packet())
        client.expect_close(within=9)
        return
    with pytest.raises(Refused):
        client.login()


def test_a_new_master_token_says_goodbye_to_all_sessions_of_the_class(api, device, name):
    for flag in (0, 1):
        api.token(name("anna"), "secret", flag)
    phones, browser = [device("anna"), device("anna")], device("anna", 1)
    api.token(name("anna"), "new", 0, device_level=1)
    for phone in phones:
        goodbye = phone.expect_disconnect()
        assert (goodbye.reason, goodbye.text) == (12, TOKEN_KICK)
    assert browser.is_open() and not browser.pending(Kind.DISCONNECT)


@pytest.mark.slow
@pytest.mark.jingu_only(reason="the reference forgets to close the socket")
def test_and_closes_them_ten_seconds_later(api, device, name):
    api.token(name("anna"), "secret")
    phone = device("anna")
    before = time.monotonic()
    api.token(name("anna"), "new", device_level=1)
    phone.expect_disconnect()
    phone.expect_close(within=10 + SOON)
    assert time.monotonic() - before > 9.9, "ten seconds for the client to read it"


@pytest.mark.jingu_only(reason="the reference forgets to close the socket")
def test_who_is_still_there_in_those_ten_seconds_goes_with_the_next_login(api, token_server, login, name):
    tries = itertools.count()

    def goes_with_the_login():
        uid = name(f"anna{next(tries)}")
        api.token(uid, "secret", device_level=1)
        phone = login(uid, token_server, token="secret", device_id="phone")
        before = time.monotonic()
        api.token(uid, "new", device_level=1)
        phone.expect_disconnect()
        login(uid, token_server, token="new", device_id="tablet")
        phone.expect_close(within=10 + SOON)
        took = time.monotonic() - before
        assert not phone.pending(Kind.DISCONNECT), "he has been told"
        return took < 9  # two seconds after the login, not ten after the token

    in_one_of_some(goes_with_the_login)


def test_who_is_being_replaced_without_a_word_is_told_when_the_back_end_ends_the_class(api, device, name):
    tries = itertools.count()

    def is_told():
        word = f"anna{next(tries)}"
        api.token(name(word), "secret")
        first = device(word, device_id="phone")
        before = time.monotonic()
        second = device(word, device_id="phone")
        api.post("/user/device_quit", {"uid": name(word), "device_flag": 0}).ok()
        if time.monotonic() - before > 1.5:  # of the two seconds that the first one has
            return False
        assert first.expect_disconnect().reason == second.expect_disconnect().reason == 12
        return True

    in_one_of_some(is_told)


def test_a_new_slave_token_disturbs_nobody(api, device, name):
    api.token(name("anna"), "secret")
    phone = device("anna")
    api.token(name("anna"), "new", device_level=0)
    assert phone.is_open() and not phone.pending(Kind.DISCONNECT)


def test_quitting_a_device_class_ends_its_sessions_and_its_token(api, token_server, device, open_client, name):
    for flag in (0, 1):
        api.token(name("anna"), "secret", flag)
    phone, browser = device("anna"), device("anna", 1)
    before = time.monotonic()
    api.post("/user/device_quit", {"uid": name("anna"), "device_flag": 0}).ok()

    goodbye = phone.expect_disconnect()
    assert (goodbye.reason, goodbye.text) == (12, "")
    if not REFERENCE:
        phone.expect_close(within=2 + SOON)
        assert time.monotonic() - before > 1.9
    assert browser.is_open()
    assert_refused(open_client, token_server, name("anna"), "secret", 0)
    assert_refused(open_client, token_server, name("anna"), "", 0)


def test_quitting_all_classes(api, device, name):
    for flag in (0, 1, 2):
        api.token(name("anna"), "secret", flag)
    devices = [device("anna", flag) for flag in (0, 1, 2)]
    api.post("/user/device_quit", {"uid": name("anna"), "device_flag": -1}).ok()
    for client in devices:
        assert client.expect_disconnect().reason == 12


def test_quitting_without_a_flag_means_the_app(api, device, name):
    for flag in (0, 1):
        api.token(name("anna"), "secret", flag)
    phone, browser = device("anna"), device("anna", 1)
    api.post("/user/device_quit", {"uid": name("anna")}).ok()
    assert phone.expect_disconnect().reason == 12
    assert browser.is_open() and not browser.pending(Kind.DISCONNECT)


@pytest.mark.jingu_only(reason="the reference does nothing at all without a device record")
def test_quitting_ends_sessions_that_never_had_a_token(server, login, name):
    phone = login(name("anna"))
    Api(server).post("/user/device_quit", {"uid": name("anna"), "device_flag": 0}).ok()
    assert phone.expect_disconnect().reason == 12


def test_quitting_nobody_is_fine(api, name):
    api.post("/user/device_quit", {"uid": name("nobody"), "device_flag": 0}).ok()


@pytest.mark.jingu_only(reason="the reference answers 500 to an empty uid")
def test_quitting_without_a_uid_is_an_answer_not_an_accident(api):
    assert api.post("/user/device_quit", {}).status in (200, 400)


def test_a_ban_does_not_end_what_is_there(api, token_server, device, open_client, name):
    api.token(name("anna"), "secret")
    phone = device("anna")
    api.info(name("anna"), 1, ban=1)
    assert phone.is_open()
    assert phone.say(name("bob")).reason == 1
    assert api.post("/user/token", {"uid": name("anna"), "token": "new"}).body == {"status": 19}
    assert_refused(open_client, token_server, name("anna"), "secret", 0)


def test_who_was_ended_is_no_longer_online(api, device, name):
    api.token(name("anna"), "secret")
    device("anna")
    assert [entry["uid"] for entry in api.online(name("anna"))] == [name("anna")]
    api.post("/user/device_quit", {"uid": name("anna"), "device_flag": 0}).ok()
    eventually(lambda: api.online(name("anna")) == [])
