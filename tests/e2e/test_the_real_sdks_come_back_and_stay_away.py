"""Reconnecting after a restart, and staying away after a kick, as the SDKs themselves decide it."""

import json

import pytest

from harness.api import Api
from harness.javascript_sdk import CONNECTED, KICKED
from harness.waiting import SCALE, eventually

RECONNECT = 15 * SCALE


def test_both_reconnect_after_a_restart_and_chat_on(start_server, python_sdk, javascript, login, name):
    server = start_server()
    api = Api(server)
    group = api.group(name("group"), name("py"), name("js"), name("own"))
    py, js = python_sdk(server, name("py"), reconnect_delay=0.3), javascript(server, name("js"))
    own = login(name("own"), server)
    own.tell(group, b'{"type":1,"content":"before"}', 2)
    assert py.message(0)["payload"]["content"] == js.message(0)["text"] == "before"

    server.restart()

    eventually(lambda: len(py.of("connect")) == 2 and py.connected, RECONNECT)
    js.wait_connected(RECONNECT)
    eventually(lambda: len(api.online(name("js"), name("x"))) == 1, RECONNECT)
    own = login(name("own"), server)
    own.tell(group, b'{"type":1,"content":"after"}', 2)
    assert py.message(1)["payload"]["content"] == js.message(1)["text"] == "after"
    assert py.send(group, 2, {"type": 1, "content": "back"})["messageSeq"] == 3
    assert js.message(2)["text"] == "back"


@pytest.mark.jingu_only(reason="the reference stores what the SDK repeats a second time")
def test_what_javascript_could_not_send_is_sent_once_when_it_is_back(start_server, javascript, login, name):
    server = start_server()
    js = javascript(server, name("js"))
    first = js.send("first", name("own"), 1)
    js.sendack(first["clientSeq"])

    server.kill()
    eventually(lambda: js.status() != CONNECTED)
    sent = [js.send(f"offline {i}", name("own"), 1) for i in range(3)]
    server.start()
    for message in sent:
        assert js.sendack(message["clientSeq"], RECONNECT)["reasonCode"] == 1

    history = Api(server).history(name("own"), name("js"))
    assert sorted(json.loads(m["plain"])["content"] for m in history) == ["first", "offline 0", "offline 1", "offline 2"]
    assert [m["message_seq"] for m in history] == [1, 2, 3, 4]


def test_a_second_master_login_kicks_and_the_kicked_stays_away(token_server, python_sdk, javascript, name):
    api = Api(token_server)
    for uid, flag in (("js", 1), ("py", 2)):
        api.token(name(uid), "secret", flag, device_level=1)
    js, py = javascript(token_server, name("js"), "secret"), python_sdk(token_server, name("py"), "secret")

    new_js = javascript(token_server, name("js"), "secret")
    new_py = python_sdk(token_server, name("py"), "secret")

    eventually(lambda: js.status() == KICKED)
    assert js.events("status")[-1]["reasonCode"] == 12
    eventually(lambda: not py.connected)
    py_count = len(py.of("connect"))
    eventually(lambda: len(api.online(name("js"))) == len(api.online(name("py"))) == 1, RECONNECT)
    assert js.status() != CONNECTED and len(py.of("connect")) == py_count == 1
    assert new_js.status() == CONNECTED and new_py.connected


def test_json_and_binary_kick_each_other_across_sdks(token_server, python_sdk, javascript, name):
    api = Api(token_server)
    api.token(name("anna"), "secret", 1, device_level=1)
    js = javascript(token_server, name("anna"), "secret", device_flag=1)
    py = python_sdk(token_server, name("anna"), "secret", device_flag=1)
    eventually(lambda: js.status() == KICKED)
    newest = javascript(token_server, name("anna"), "secret", device_flag=1)
    eventually(lambda: not py.connected)
    assert newest.status() == CONNECTED


def test_the_back_end_ends_an_sdks_session(token_server, python_sdk, javascript, name):
    api = Api(token_server)
    for flag in (1, 2):
        api.token(name("anna"), "secret", flag)
    js, py = javascript(token_server, name("anna"), "secret"), python_sdk(token_server, name("anna"), "secret")
    api.post("/user/device_quit", {"uid": name("anna"), "device_flag": -1}).ok()
    eventually(lambda: js.status() == KICKED)
    eventually(lambda: not py.connected)
