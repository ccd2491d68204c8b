"""CONNECT and the CONNACK that welcomes (protocol description 5, 6.1, 6.2, 9.4)."""

import time

import pytest

from harness.packets import Kind
from harness.server import REFERENCE

VERSION_MAX = 5 if REFERENCE else 6


@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_without_token_check_anybody_is_welcome(login, name, transport):
    client = login(name("anna"), transport=transport, token="whatever")
    assert client.connack.reason == 1
    assert client.connack.server_key and client.connack.salt


@pytest.mark.parametrize("transport", ["tcp", "ws"])
@pytest.mark.parametrize("version", range(VERSION_MAX + 1))
def test_the_lower_version_is_spoken(login, name, version, transport):
    """The client's version decides which fields there are; the login helper checks HasServerVersion."""
    client = login(name("anna"), version=version, transport=transport)
    assert client.connack.server_version == (None if version <= 3 else version)
    assert client.connack.node_id is None if version < 4 else client.connack.node_id > 0


@pytest.mark.parametrize("version", [VERSION_MAX + 1, 100, 255])
def test_a_version_from_the_future_gets_the_newest_we_speak(login, name, version):
    assert login(name("anna"), version=version).connack.server_version == VERSION_MAX


def test_every_login_gets_fresh_keys(login, name):
    first, second = login(name("anna")), login(name("anna"))
    assert first.connack.server_key != second.connack.server_key
    assert first.connack.salt != second.connack.salt


@pytest.mark.parametrize("ahead", [-60_000, 60_000])
def test_the_clock_difference_is_told_in_milliseconds(open_client, name, ahead):
    client = open_client(name("anna"))
    before = int(time.time() * 1000)
    connack = client.login(client_timestamp=before + ahead)
    took = int(time.time() * 1000) - before
    assert -1000 < connack.time_diff + ahead < 1000 + took


def test_a_clock_in_seconds_still_fits(open_client, name):
    """Go clients send seconds; the difference is then about 1.7 * 10^12."""
    client = open_client(name("anna"))
    assert client.login(client_timestamp=int(time.time())).time_diff > 10**12


def test_the_right_token_opens_the_door(token_server, login, name):
    from harness.api import Api
    Api(token_server).token(name("anna"), "secret", device_flag=1)
    assert login(name("anna"), token_server, token="secret", device_flag=1).connack.reason == 1


def test_a_new_token_replaces_the_old_one(token_server, open_client, login, name):
    from harness.api import Api
    Api(token_server).token(name("anna"), "old")
    Api(token_server).token(name("anna"), "new")
    assert login(name("anna"), token_server, token="new").connack.reason == 1


def test_a_visitor_needs_no_token(start_server, login, name):
    """Jingu honours visitorsOn, which the reference reads and ignores; with it on, both agree."""
    server = start_server(tokenAuthOn=True, customerService={"visitorsOn": True})
    assert login(name("guest") + "___vstr", server).connack.reason == 1


def test_the_manager_logs_in_with_the_manager_token(start_server, login):
    server = start_server(managerToken="manager-secret", tokenAuthOn=True)
    assert login("____manager", server, token="manager-secret").connack.reason == 1


def test_without_encryption_there_are_no_keys(clear_server, login, name):
    client = login(name("anna"), clear_server)
    assert client.connack.server_key == "" and client.connack.salt == ""
    assert client.cipherer is None


def test_extra_bytes_behind_the_last_field_are_ignored(open_client, name):
    from harness.packets import encode, frame
    client = open_client(name("anna"))
    body = encode(client.connect_packet())[2:] + b"\x00future"
    client.stream.send(frame(Kind.CONNECT, 0, body))
    assert client.finish_login().reason == 1


def test_flags_in_the_connect_header_are_ignored(open_client, name):
    assert open_client(name("anna")).login(flags=0x0F).reason == 1


@pytest.mark.parametrize("uid", ["悟空", "a b", "u-1.2_3", "%s", "x" * 255, '"quoted"', "a/b\\c", "ünïcode"])
def test_unusual_uids_are_only_strings(open_client, name, uid):
    assert open_client(uid + name("")).login().reason == 1


@pytest.mark.parametrize("device_flag", [0, 1, 2, 3, 99, 255])
def test_any_device_flag_is_accepted(login, name, device_flag):
    assert login(name("anna"), device_flag=device_flag).connack.reason == 1


@pytest.mark.parametrize("timestamp", [-1, 0, (1 << 63) - 1, -1 << 63])
def test_any_clock_is_accepted(open_client, name, timestamp):
    """The difference is modulo 2^64; the sanitizers watch how it is made."""
    connack = open_client(name("anna")).login(client_timestamp=timestamp)
    expected = int(time.time() * 1000) - timestamp
    assert abs((connack.time_diff - expected + (1 << 63)) % (1 << 64) - (1 << 63)) < 60_000


def test_a_connect_that_arrives_byte_by_byte_is_one_connect(open_client, name):
    from harness.packets import encode
    client = open_client(name("anna"))
    for byte in encode(client.connect_packet()):
        client.stream.send(bytes([byte]))
    assert client.finish_login().reason == 1
