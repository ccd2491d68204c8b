"""The HTTP door itself: paths, methods, headers, bodies, envelopes (HTTP API 2, 3)."""

import contextlib
import http.client
import json
import socket
import threading

import pytest

from harness.api import Api
from harness.server import Server
from harness.waiting import SOON, eventually

JSON_TYPE = "application/json; charset=utf-8"

# Every POST endpoint of this issue with a body that decodes (what it then says is another file's matter).
OBJECT_ENDPOINTS = [
    "/user/token", "/user/device_quit", "/channel", "/channel/info", "/channel/delete", "/channel/subscriber_add",
    "/channel/subscriber_remove", "/channel/subscriber_remove_all", "/channel/blacklist_add", "/channel/blacklist_set",
    "/channel/blacklist_remove", "/channel/blacklist_remove_all", "/channel/whitelist_add", "/channel/whitelist_set",
    "/channel/whitelist_remove", "/channel/whitelist_remove_all", "/message/send", "/message/sendbatch",
    "/channel/messagesync", "/messages", "/message", "/message/sync", "/message/syncack", "/conversations/clearUnread",
    "/conversations/setUnread", "/conversations/delete", "/conversation/sync", "/conversation/channels",
    "/conversation/syncByChannels", "/conversation/syncMessages",
    "/message/event", "/message/eventsync",
]
ARRAY_ENDPOINTS = ["/route/batch", "/user/onlinestatus"]
FIXED_TEXT = {"/channel/info", "/messages", "/message", "/route/batch", "/conversation/syncMessages"}
WRONG_TYPES = {
    "/user/token": [{"uid": 1}, {"uid": "u", "token": 5}, {"device_flag": "0"}, {"device_flag": 256}, {"device_level": -1},
                    {"device_level": True}],
    "/user/device_quit": [{"uid": []}, {"device_flag": "x"}, {"device_flag": 1.5}],
    "/channel": [{"channel_id": 1}, {"channel_type": "2"}, {"channel_type": 300}, {"channel_type": -1}, {"subscribers": "u"},
                 {"subscribers": [1]}, {"ban": True}, {"reset": "1"}],
    "/channel/info": [{"channel_type": "2"}, {"ban": "1"}, {"large": 0.5}],
    "/channel/delete": [{"channel_type": "2"}, {"channel_id": {}}],
    "/channel/subscriber_add": [{"subscribers": {}}, {"subscribers": [None, 3]}, {"temp_subscriber": "1"}],
    "/channel/subscriber_remove": [{"subscribers": "u1"}],
    "/channel/subscriber_remove_all": [{"channel_type": 1.5}],
    "/channel/blacklist_add": [{"uids": "u1"}, {"uids": [1]}],
    "/channel/whitelist_add": [{"uids": "u1"}, {"channel_type": "x"}],
    "/message/send": [{"payload": "not base64!"}, {"payload": "YQ"}, {"payload": {"type": 1}}, {"header": 1},
                      {"header": {"red_dot": True}}, {"expire": -1}, {"expire": 4294967296}, {"from_uid": 7}],
    "/message/sendbatch": [{"subscribers": "u"}, {"payload": 5}],
    "/channel/messagesync": [{"limit": "30"}, {"start_message_seq": -1}, {"pull_mode": "1"}, {"login_uid": 1}],
    "/messages": [{"message_seqs": ["1"]}, {"message_seqs": [-1]}, {"message_ids": "1"}, {"client_msg_nos": [1]}],
    "/message": [{"message_id": "1"}, {"channel_type": 256}],
    "/message/event": [{"channel_id": 1}, {"channel_type": "2"}, {"channel_type": 256}, {"from_uid": 1}, {"message_id": "1"},
                       {"message_id": 1.5}, {"client_msg_no": 1}, {"event_id": 1}, {"event_type": []}, {"event_key": 1},
                       {"visibility": True}, {"occurred_at": "now"}, {"headers": []}, {"headers": {"a": 1}}],
    "/message/eventsync": [{"channel_id": 1}, {"channel_type": -1}, {"from_uid": 1}, {"client_msg_no": 1}, {"event_key": 1},
                           {"from_msg_event_seq": -1}, {"from_msg_event_seq": "1"}, {"limit": "1"}, {"include_private": True}],
    "/message/sync": [{"uid": 1}, {"message_seq": "1"}, {"message_seq": -1}, {"limit": "1"}, {"limit": 1.5}],
    "/message/syncack": [{"uid": ["u"]}, {"last_message_seq": "1"}, {"last_message_seq": -1}, {"last_message_seq": 0.5}],
    "/conversations/clearUnread": [{"uid": 1}, {"channel_id": 2}, {"channel_type": "2"}, {"channel_type": 256},
                                   {"message_seq": "1"}, {"message_seq": -1}, {"message_seq": 1 << 32}],
    "/conversations/setUnread": [{"uid": 1}, {"channel_id": 2}, {"channel_type": "2"}, {"channel_type": -1}, {"unread": "3"},
                                 {"unread": 1.5}, {"unread": True}],
    "/conversations/delete": [{"uid": 1}, {"channel_id": 2}, {"channel_type": "2"}, {"channel_type": 1.5}],
    "/conversation/sync": [{"uid": 1}, {"version": "0"}, {"msg_count": 1.5}, {"last_msg_seqs": 3}, {"only_unread": True},
                           {"only_unread": 256}, {"page": "1"}, {"page_size": 1.5}, {"exclude_channel_types": 2}],
    "/conversation/channels": [{"uid": 1}],
    "/conversation/syncByChannels": [{"uid": 1}, {"channels": {}}, {"channels": ["g"]}, {"channels": [{"channel_type": "2"}]},
                                     {"channels": [{"channel_id": 1}]}, {"msg_count": "1"}],
    "/conversation/syncMessages": [{"uid": 1}, {"channels": {}}, {"channels": [{"last_msg_seq": -1}]},
                                   {"channels": [{"channel_type": 300}]}, {"msg_count": "1"}, {"order_by_last": "1"}],
    "/route/batch": [{"uids": []}, [1], "u1"],
    "/user/onlinestatus": [{"uids": []}, [1], "u1"],
}


@pytest.mark.parametrize("path", OBJECT_ENDPOINTS + ARRAY_ENDPOINTS)
@pytest.mark.parametrize("text", ["", "{", "nonsense", "{'uid': 1}", '{"uid":', "\x00"])
def test_what_is_not_json_is_refused_in_the_envelope(api, path, text):
    api.post_text(path, text).refused(*(["数据格式有误！"] if path in FIXED_TEXT else []))


@pytest.mark.parametrize("path", OBJECT_ENDPOINTS)
@pytest.mark.parametrize("text", ["[]", "[1]", '"text"', "17", "true"])
def test_json_that_is_no_object_is_refused(api, path, text):
    api.post_text(path, text).refused()


@pytest.mark.parametrize("path, body", [(path, body) for path, bodies in WRONG_TYPES.items() for body in bodies])
def test_a_field_of_the_wrong_type_is_refused(api, path, body):
    api.post(path, body).refused()


LONG = "n" * 513
CONVERSATION = {"uid": "u", "channel_id": "g", "channel_type": 2}
LONG_NAMES = [
    ("/message/sync", {"uid": LONG}), ("/message/syncack", {"uid": LONG, "last_message_seq": 1}),
    *[(f"/conversations/{verb}", CONVERSATION | {field: LONG}) for verb in ("clearUnread", "setUnread", "delete")
      for field in ("uid", "channel_id")],
    ("/conversation/sync", {"uid": LONG, "msg_count": 1}), ("/conversation/channels", {"uid": LONG}),
    ("/conversation/syncByChannels", {"uid": LONG, "channels": [{"channel_id": "g", "channel_type": 2}]}),
    ("/conversation/syncMessages", {"uid": LONG, "channels": [{"channel_id": "g", "channel_type": 2}]}),
    ("/conversation/syncMessages", {"uid": "u", "channels": [{"channel_id": LONG * 3, "channel_type": 2}]}),
]


@pytest.mark.jingu_only(reason="the reference has no limit for names")
@pytest.mark.parametrize("path, body", LONG_NAMES)
def test_a_name_that_is_too_long_is_refused(api, path, body):
    api.post(path, body).refused()


@pytest.mark.parametrize("path", OBJECT_ENDPOINTS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_the_wrong_method_is_404(api, method, path):
    assert api.call(method, path).status == 404


def test_field_names_ignore_case_and_the_last_of_two_wins(api, login, name):
    api.post_text("/channel", json.dumps({"Channel_ID": "x", "CHANNEL_TYPE": 2})[:-1]
                  + f', "channel_id": "{name("group")}", "Subscribers": ["{name("anna")}"]}}').ok()
    assert login(name("anna")).say(name("group"), channel_type=2).reason == 1


def test_unknown_fields_nulls_and_trailing_bytes_do_not_matter(api, name):
    api.post_text("/channel", f'{{"channel_id":"{name("g")}","channel_type":2,"future":{{"a":[1]}},"ban":null,"subscribers":null}} x').ok()


def test_the_content_type_of_the_request_does_not_matter(api, name):
    body = json.dumps({"channel_id": name("g"), "channel_type": 2})
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        api.post_text("/channel", body, headers={"Content-Type": content_type}).ok()


@pytest.mark.parametrize("payload", ["aG\nVs\r\nbG8=", [104, 101, 108, 108, 111]])
def test_the_other_forms_of_a_payload(api, login, name, payload):
    anna = login(name("anna"))
    api.post("/message/send", {"channel_id": anna.uid, "channel_type": 1, "from_uid": name("bob"), "payload": payload}).ok()
    assert anna.receive().plain == b"hello"


@pytest.mark.parametrize("method, path", [("GET", "/nowhere"), ("POST", "/nowhere"), ("GET", "/channel"), ("POST", "/health"),
                                          ("PUT", "/channel"), ("DELETE", "/channel"), ("GET", "/"), ("HEAD", "/health")])
def test_what_is_not_there_is_404_in_plain_text(api, method, path):
    reply = api.call(method, path)
    assert reply.status == 404
    assert method == "HEAD" or reply.text.strip() == "404 page not found"
    assert method == "HEAD" or reply.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("method, path, status", [("GET", "/health", 301), ("POST", "/channel", 307), ("GET", "/docs", 301)])
def test_a_trailing_slash_is_redirected(api, method, path, status):
    reply = api.call(method, path + "/")
    assert reply.status == status
    assert reply.headers["Location"].endswith(path)


@pytest.mark.parametrize("target, status", [("http://im.example.com:5001/health", 200), ("http://x/nowhere", 404), ("http://x", 404)])
def test_a_target_may_be_a_whole_url(server, target, status):
    with socket.create_connection(("127.0.0.1", server.http_port), timeout=SOON) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


def test_health(api):
    reply = api.get("/health")
    assert reply.body == {"status": "ok"}
    assert reply.headers["Content-Type"] == JSON_TYPE


@pytest.mark.parametrize("path", ["/health", "/nowhere", "/channel"])
def test_a_browser_may_ask_from_anywhere(api, path):
    reply = api.call("OPTIONS", path, headers={"Origin": "http://example.com", "Access-Control-Request-Method": "POST"})
    assert reply.status == 204
    for method in ("POST", "GET", "OPTIONS", "PUT", "DELETE", "PATCH"):
        assert method in reply.headers["Access-Control-Allow-Methods"]
    for header in ("Content-Type", "Authorization", "token"):
        assert header.lower() in reply.headers["Access-Control-Allow-Headers"].lower()
    assert reply.headers["Access-Control-Allow-Origin"] == "*"


def test_answers_and_refusals_carry_cors_and_type(api):
    for reply in (api.get("/health"), api.post("/channel", {}), api.get("/route")):
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        assert reply.headers["Content-Type"] == JSON_TYPE
        assert not reply.text.endswith("\n")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("guarded"), managerToken="key-of-the-house").start()
    yield server
    server.stop()


class TestWithAManagerToken:
    @pytest.mark.parametrize("token", ["", "wrong", "key-of-the-hous", "key-of-the-house2", "KEY-OF-THE-HOUSE"])
    @pytest.mark.parametrize("path", ["/health", "/route", "/nowhere"])
    def test_without_it_nothing_is_told(self, guarded, token, path):
        reply = Api(guarded, token).get(path)
        assert (reply.status, reply.text) == (401, "")

    def test_with_it_everything_works(self, guarded, name):
        api = Api(guarded, "key-of-the-house")
        assert api.get("/health").body == {"status": "ok"}
        api.token(name("anna"), "x")

    @pytest.mark.jingu_only(reason="the reference asks the preflight for a token that browsers cannot send")
    def test_a_browsers_preflight_is_answered(self, guarded):
        assert Api(guarded).call("OPTIONS", "/channel").status == 204


class TestTheDoorIsBounded:
    @pytest.mark.jingu_only(reason="the reference reads bodies of any size")
    def test_a_body_that_is_too_large_is_refused(self, server, api):
        body = b'{"payload":"' + b"A" * (64 << 20) + b'"}'
        try:
            reply = api.post_text("/message/send", body)
            assert reply.status in (400, 413)
        except OSError:
            pass  # refused before it was read whole: the client may find its pipe broken
        assert server.healthy()
        assert server.resident_bytes() < 512 << 20

    @pytest.mark.jingu_only(reason="the reference has no bound of connections")
    def test_more_busy_connections_than_there_are_places_take_turns(self, start_server):
        """A back end's pool that is kept alive and never silent: whoever waits outside is let in, too."""
        server = start_server(memory="64M")
        count, is_over = 60, threading.Event()
        answered = [0] * count

        def ask(index):
            connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=SOON * 4)
            while not is_over.is_set():
                try:
                    connection.request("GET", "/health")
                    answered[index] += connection.getresponse().read() == b'{"status":"ok"}'
                except OSError:
                    connection.close()  # its turn was over as the next request began
            connection.close()

        threads = [threading.Thread(target=ask, args=(index,)) for index in range(count)]
        for thread in threads:
            thread.start()
        try:
            eventually(lambda: all(answered), SOON * 3)
        finally:
            is_over.set()
            for thread in threads:
                thread.join()

    def test_a_slow_body_does_not_keep_others_waiting(self, server, api):
        with socket.create_connection(("127.0.0.1", server.http_port)) as slow:
            slow.sendall(b"POST /channel HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
            for _ in range(20):
                assert api.get("/health").status == 200

    @pytest.mark.parametrize("head", [b"NONSENSE\r\n\r\n", b"GET /health HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                                      b"POST /channel HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
                                      b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                                      b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20_000 + b"\r\n"])
    def test_a_malformed_request_is_answered_or_closed(self, server, api, head):
        with socket.create_connection(("127.0.0.1", server.http_port), timeout=SOON) as connection:
            try:
                connection.sendall(head)
                answer = connection.recv(1 << 16)
            except ConnectionError:
                answer = b""
        assert answer == b"" or answer.startswith(b"HTTP/1."), answer[:80]
        assert b"X: y" in head or b" 200 " not in answer[:20]
        assert server.healthy()

    @pytest.mark.jingu_only(reason="the reference takes the coding for the length and goes on")
    @pytest.mark.parametrize("headers, text", [
        pytest.param("Host: x\r\nContent-Length: 4\r\nContent-Length: 2", "{}{}", id="two lengths"),
        pytest.param("Host: x\r\nContent-Length: 2, 2", "{}", id="a list of lengths"),
        pytest.param("Host: x\r\nContent-Length: +2", "{}", id="a length with a sign"),
        pytest.param("Host: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked", "2\r\n{}\r\n0\r\n\r\n", id="a length and a coding"),
        pytest.param("Host: x\r\nTransfer-Encoding: gzip", "{}", id="another coding"),
        pytest.param("Host: x\r\nTransfer-Encoding: gzip, chunked", "2\r\n{}\r\n0\r\n\r\n", id="two codings"),
        pytest.param("Content-Length: 2", "{}", id="no host"),
        pytest.param("Host: x\r\nHost: y\r\nContent-Length: 2", "{}", id="two hosts"),
    ])
    def test_a_request_that_two_may_read_differently_is_refused_and_nothing_behind_it_is_read(self, server, headers, text):
        behind = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.http_port), timeout=SOON) as connection:
            connection.sendall(f"POST /user/systemuids_add HTTP/1.1\r\n{headers}\r\n\r\n{text}{behind}".encode())
            answer = b""
            with contextlib.suppress(ConnectionError):
                for piece in iter(lambda: connection.recv(4096), b""):
                    answer += piece
        assert answer.startswith(b"HTTP/1.1 400 ") and b" 200 " not in answer

    @pytest.mark.parametrize("head, text", [
        pytest.param("POST /channel HTTP/1.0\r\nContent-Length: 2", "{}", id="an old client needs no host"),
        pytest.param("POST /channel HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2", "{}", id="the same length twice"),
        pytest.param("POST /channel HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked", "2\r\n{}\r\n0\r\n\r\n", id="chunks"),
    ])
    def test_what_everybody_reads_alike_is_read(self, server, head, text):
        with socket.create_connection(("127.0.0.1", server.http_port), timeout=SOON) as connection:
            connection.sendall(f"{head}\r\nConnection: close\r\n\r\n{text}".encode())
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 400 ") and "频道ID不能为空！".encode() in answer

    def test_a_hundred_connections_at_once(self, server, name):
        """There are fewer places: who is silent for a second loses his, and a slow machine makes all of them silent."""
        failures = []

        def is_done(api, index, number):
            try:
                api.token(f"{name('user')}n{index}", f"t{number}")
                return True
            except OSError:
                return False  # its turn was over as this request began

        def use(index):
            try:
                api = Api(server)
                for number in range(5):
                    eventually(lambda: is_done(api, index, number))  # noqa: B023
            except Exception as failure:
                failures.append(failure)

        threads = [threading.Thread(target=use, args=(index,)) for index in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures[:3]

    def test_many_requests_share_one_connection(self, server):
        request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        with socket.create_connection(("127.0.0.1", server.http_port), timeout=SOON) as connection:
            for _ in range(50):
                connection.sendall(request)
                answer = b""
                while b"}" not in answer:
                    answer += connection.recv(4096)
                assert answer.startswith(b"HTTP/1.1 200")
