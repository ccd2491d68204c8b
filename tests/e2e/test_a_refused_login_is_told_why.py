"""Every CONNECT that is not welcome (protocol description 9.4; semantics 1.3, 1.4).

The reference sends nothing at all on most of these and lets the socket die after four seconds; clients then retry for ever. Jingu
sends a CONNACK with the reason and closes. What the two have in common (who may not come in) is tested on both.
"""

import pytest

from harness.api import Api
from harness.client import Refused
from harness.packets import Kind
from harness.server import REFERENCE
from harness.waiting import in_one_of_some

AUTH_FAIL, BAN, CLIENT_KEY_IS_EMPTY = 2, 19, 21


def assert_refused(client, *reasons, **connect):
    """Jingu says why and closes; the reference is silent and the connection ends by its four-second limit."""
    if REFERENCE:
        client.write(client.connect_packet(**connect))
        client.expect_close(within=9)
        assert not client.pending(Kind.CONNACK)
        return
    with pytest.raises(Refused) as refusal:
        client.login(**connect)
    assert refusal.value.connack.reason in reasons
    client.expect_close()


@pytest.mark.parametrize("transport", ["tcp", "ws"])
@pytest.mark.parametrize("token", ["", "Secret", "secret ", "secre", "secret1"])
def test_a_wrong_token(token_server, open_client, name, token, transport):
    Api(token_server).token(name("anna"), "secret")
    assert_refused(open_client(name("anna"), token_server, transport, token=token), AUTH_FAIL)


def test_a_token_of_another_device_class(token_server, open_client, name):
    Api(token_server).token(name("anna"), "secret", device_flag=0)
    assert_refused(open_client(name("anna"), token_server, token="secret", device_flag=1), AUTH_FAIL)


def test_a_user_without_any_token(token_server, open_client, name):
    assert_refused(open_client(name("nobody"), token_server, token="secret"), AUTH_FAIL)


def test_the_replaced_token(token_server, open_client, name):
    Api(token_server).token(name("anna"), "old")
    Api(token_server).token(name("anna"), "new")
    assert_refused(open_client(name("anna"), token_server, token="old"), AUTH_FAIL)


def test_a_banned_user(server, api, open_client, name):
    api.info(name("anna"), 1, ban=1)
    assert_refused(open_client(name("anna")), BAN)


def test_a_banned_user_with_a_wrong_token_is_told_of_the_token(token_server, open_client, name):
    """The token is asked for first, so that nobody learns from outside who is banned."""
    api = Api(token_server)
    api.token(name("anna"), "secret")
    api.info(name("anna"), 1, ban=1)
    assert_refused(open_client(name("anna"), token_server, token="wrong"), AUTH_FAIL)
    assert_refused(open_client(name("anna"), token_server, token="secret"), BAN)


def test_a_banned_user_comes_back_after_the_ban(api, open_client, login, name):
    api.info(name("anna"), 1, ban=1)
    api.info(name("anna"), 1, ban=0)
    assert login(name("anna")).connack.reason == 1


@pytest.mark.jingu_only(reason="the reference's whole process dies of it")
def test_the_manager_with_a_wrong_token(start_server, open_client):
    server = start_server(managerToken="manager-secret")
    assert_refused(open_client("____manager", server, token="wrong"), AUTH_FAIL)


@pytest.mark.parametrize("uid", ["", " ", "\t\r\n ", "an@na", "#anna", "anna&"])
@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_a_blank_or_illegal_uid_is_closed_without_a_word(open_client, uid, transport):
    def at_once():
        client = open_client(uid, transport=transport)
        client.write(client.connect_packet())
        took = client.expect_close()
        assert not client.pending(Kind.CONNACK)
        return took < 2

    in_one_of_some(at_once)


@pytest.mark.parametrize("key", ["", "c2hvcnQ=", "not base64!", "A" * 43 + "=" + "A" * 44,
                                 "hlF7wMOf6Ha3ZGy1407gPa9xzLrWdFDBapcK2MvAPn", "hlF7wMOf6Ha3ZGy1407gPa9xzLrWdFDBapcK2MvAPg=="])
def test_a_client_key_that_is_not_32_bytes(open_client, name, key):
    if REFERENCE and len(key) >= 44:
        pytest.skip("the reference takes the first 32 bytes of a longer key, and fills up one of 31")
    assert_refused(open_client(name("anna")), AUTH_FAIL, CLIENT_KEY_IS_EMPTY, client_key=key)


@pytest.mark.jingu_only(reason="the reference agrees on an all-zero secret")
@pytest.mark.parametrize("key", ["A" * 43 + "=", "AQ" + "A" * 41 + "="])
def test_a_key_that_makes_the_secret_zero(open_client, name, key):
    assert_refused(open_client(name("anna")), AUTH_FAIL, CLIENT_KEY_IS_EMPTY, client_key=key)


@pytest.mark.jingu_only(reason="the reference trusts a client that claims to be the system")
@pytest.mark.parametrize("identity", [dict(uid="____system"), dict(device_id="____device")])
def test_nobody_else_is_the_system(open_client, login, name, identity):
    """The system's uid is refused. The system's device id may be refused or ignored, but gives no privilege."""
    client = open_client(name("anna"))
    client.write(client.connect_packet(**identity))
    try:
        client.finish_login()
    except (Refused, AssertionError):
        return
    assert "uid" not in identity
    assert client.say(name("nogroup"), channel_type=2).reason == 3


@pytest.mark.jingu_only(reason="the reference leaves a refused CONNECT open for another try")
@pytest.mark.parametrize("version", range(7))
def test_the_refusal_has_the_form_of_the_clients_version(token_server, open_client, name, version):
    """Flutter reads nodeId unconditionally from version 4 on, also in a refusal."""
    client = open_client(name("anna"), token_server, version=version)
    with pytest.raises(Refused) as refusal:
        client.login()
    connack = refusal.value.connack
    assert connack.server_version == (None if version <= 3 else version)
    assert (connack.node_id is None) == (version < 4)


@pytest.mark.jingu_only(reason="in the reference one failing CONNECT takes others of the same uid with it")
def test_one_refused_login_does_not_hurt_the_others(token_server, open_client, login, name):
    Api(token_server).token(name("anna"), "secret")
    bad = [open_client(name("anna"), token_server, token="wrong") for _ in range(5)]
    for client in bad:
        client.write(client.connect_packet())
    good = login(name("anna"), token_server, token="secret")
    assert good.is_open()
