"""The same byte stream however WebSocket cuts it (protocol description 1.1, 1.2, 12)."""

import time

import pytest

from harness import streams
from harness.packets import Kind, Ping, encode
from harness.streams import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Closed, TcpStream, WebSocketStream, frame,
                             upgrade_request)
from harness.waiting import SOON

CODES = [1000, 1001, 3001, 4999]
STALLS = pytest.mark.jingu_only(reason="the reference never finishes a fragmented message")

FORGETS = pytest.mark.jingu_only(reason="the reference closes before its close frame is flushed")


def pong_for(client, payload=b""):
    client.stream.send_frame(PING, payload)
    deadline = time.monotonic() + SOON
    while not client.stream.pongs:
        opcode, data = client.stream.receive_frame(deadline)
        assert opcode == PONG
        client.stream.pongs.append(data)
    return client.stream.pongs.pop(0)


@pytest.fixture
def anna(login, name):
    return login(name("anna"), transport="ws")


def test_one_frame_split_over_many_messages(anna, name):
    packet = anna.prepare(name("bob"), b"in pieces")
    for byte in encode(packet):
        anna.stream.send(bytes([byte]))
    assert anna.sendack(packet).reason == 1


def test_many_frames_in_one_message(anna, name):
    packets = [anna.prepare(name("bob"), b"%d" % i) for i in range(20)]
    anna.write(*packets, Ping())
    assert sorted(anna.sendack(packet).message_seq for packet in packets) == list(range(1, 21))
    anna.expect(Kind.PONG)


def test_cuts_anywhere(anna, name, rng):
    packets = [anna.prepare(name("bob"), rng.randbytes(rng.randrange(200))) for _ in range(20)]
    data = b"".join(encode(packet) for packet in packets)
    while data:
        size = rng.randrange(1, 400)
        anna.stream.send(data[:size])
        data = data[size:]
    assert all(anna.sendack(packet).reason == 1 for packet in packets)


def test_messages_merged_in_one_segment_and_cut_anywhere(anna, name, rng):
    packets = [anna.prepare(name("bob"), b"%d" % i) for i in range(20)]
    data = b"".join(frame(BINARY, encode(packet)) for packet in packets)
    anna.stream.send_raw(data)
    assert all(anna.sendack(packet).reason == 1 for packet in packets)


@pytest.mark.jingu_only(reason="the reference throws away a half-received second frame")
def test_websocket_frames_cut_anywhere(anna, name, rng):
    packets = [anna.prepare(name("bob"), rng.randbytes(rng.randrange(300))) for _ in range(20)]
    data = b"".join(frame(BINARY, encode(packet)) for packet in packets)
    while data:
        size = rng.randrange(1, 100)
        anna.stream.send_raw(data[:size])
        data = data[size:]
        time.sleep(0.0005)
    assert all(anna.sendack(packet).reason == 1 for packet in packets)


@STALLS
def test_a_fragmented_message_is_put_together(anna, name):
    packet = anna.prepare(name("bob"), b"fragments")
    data = encode(packet)
    anna.stream.send_frame(BINARY, data[:5], fin=False)
    anna.stream.send_frame(CONTINUATION, data[5:9], fin=False)
    anna.stream.send_frame(CONTINUATION, b"", fin=False)
    anna.stream.send_frame(CONTINUATION, data[9:])
    assert anna.sendack(packet).reason == 1


@STALLS
def test_control_frames_between_fragments(anna, name):
    packet = anna.prepare(name("bob"), b"fragments")
    data = encode(packet)
    anna.stream.send_frame(BINARY, data[:5], fin=False)
    assert pong_for(anna, b"still there?") == b"still there?"
    anna.stream.send_frame(CONTINUATION, data[5:9], fin=False)
    anna.stream.send_frame(PONG, b"unasked")
    anna.stream.send_frame(CONTINUATION, data[9:])
    assert anna.sendack(packet).reason == 1


@STALLS
def test_a_fragmented_connect(open_client, name):
    client = open_client(name("anna"), transport="ws")
    packet = client.connect_packet()
    data = encode(packet)
    client.stream.send_frame(BINARY, data[:20], fin=False)
    client.stream.send_frame(CONTINUATION, data[20:])
    client.finish_login(packet)


def test_the_opcode_does_not_decide_the_protocol(open_client, name):
    client = open_client(name("anna"), transport="ws", stream_options={"opcode": TEXT})
    packet = client.connect_packet(client_timestamp=1, device_id="d")
    client.keys = type(client.keys)(b"\x40" * 32)
    packet.client_key = client.keys.public_text
    client.write(packet)
    client.finish_login(packet)
    assert client.stream.opcodes == [BINARY]


def test_empty_messages_are_nothing(anna):
    for _ in range(3):
        anna.stream.send_frame(BINARY, b"")
    assert anna.is_open()


@pytest.mark.parametrize("payload", [b"", b"x", b"x" * 125])
def test_a_ping_is_answered_with_its_payload(anna, payload):
    assert pong_for(anna, payload) == payload


def test_many_pings_at_once(anna):
    anna.stream.send_raw(b"".join(frame(PING, b"%d" % i) for i in range(50)))
    anna.ping()
    assert anna.stream.pongs == [b"%d" % i for i in range(50)]


def test_an_unasked_pong_is_ignored(anna):
    anna.stream.send_frame(PONG, b"hello")
    assert anna.is_open()


@FORGETS
@pytest.mark.parametrize("code", CODES)
def test_a_close_is_answered_with_its_code(anna, code):
    anna.stream.send_frame(CLOSE, code.to_bytes(2, "big") + b"bye")
    anna.expect_close()
    assert anna.stream.closing[:2] == code.to_bytes(2, "big")


@pytest.mark.jingu_only(reason="the reference forgets what it has read with the close")
def test_what_was_said_before_a_close_is_done_and_answered(api, anna, name):
    sends = [anna.prepare(name("bob"), b"%d" % i) for i in range(100)]
    anna.stream.send_raw(b"".join(frame(BINARY, encode(send)) for send in sends) + frame(CLOSE, b"\x03\xe8") + frame(BINARY, encode(Ping())))
    assert all(anna.sendack(send).reason == 1 for send in sends)
    anna.expect_close()
    assert anna.stream.closing == b"\x03\xe8" and not anna.pending(Kind.PONG)
    assert [message["plain"] for message in api.history(anna.uid, name("bob"))] == [b"%d" % i for i in range(100)]


@pytest.mark.jingu_only(reason="the reference takes nothing behind CONNECT")
def test_a_close_behind_connect_waits_for_the_login(server, open_client, name):
    anna = open_client(name("anna"), transport="ws")
    packet = anna.connect_packet()
    anna.stream.send_raw(frame(BINARY, encode(packet) + encode(Ping())) + frame(CLOSE, b"\x03\xe8"))
    anna.finish_login(packet)
    anna.expect(Kind.PONG)
    anna.expect_close()
    assert anna.stream.closing == b"\x03\xe8"


@FORGETS
def test_a_close_without_a_code_too(anna):
    anna.stream.send_frame(CLOSE, b"")
    anna.expect_close()
    assert anna.stream.closing == b""


@pytest.mark.parametrize("payload", [b"", (1000).to_bytes(2, "big")])
def test_a_close_ends_the_connection(anna, payload):
    anna.stream.send_frame(CLOSE, payload)
    anna.expect_close()


@pytest.mark.jingu_only(reason="the reference drops unmasked frames and stays open")
def test_an_unmasked_frame_ends_the_connection(anna):
    anna.stream.send_frame(BINARY, encode(Ping()), masked=False)
    anna.expect_close()


@pytest.mark.jingu_only(reason="the reference is not asked for RFC 6455 in every corner")
@pytest.mark.parametrize("data", [
    pytest.param(frame(3, b"x"), id="reserved data opcode"),
    pytest.param(frame(11, b"x"), id="reserved control opcode"),
    pytest.param(frame(BINARY, b"\x70", reserved=4), id="reserved bit, no extension agreed"),
    pytest.param(frame(PING, b"x" * 126), id="control frame too long"),
    pytest.param(frame(PING, b"", fin=False), id="fragmented control frame"),
    pytest.param(frame(CONTINUATION, b"\x70"), id="continuation of nothing"),
    pytest.param(frame(BINARY, b"\x70", fin=False) + frame(BINARY, b"\x70"), id="a message inside a message"),
    pytest.param(b"\x82\xff" + b"\xff" * 8 + b"mask", id="2^63 bytes announced"),
])
def test_what_rfc_6455_forbids_ends_the_connection(anna, login, data):
    anna.stream.send_raw(data)
    anna.expect_close()
    assert anna.stream.closing == b"\x03\xea"


@pytest.mark.jingu_only(reason="the reference forgets what it has read with the fault")
@pytest.mark.parametrize("fault", [pytest.param(frame(3, b"x"), id="reserved opcode"), pytest.param(frame(CLOSE, b"\x03\xed"), id="a code nobody may send"),
                                   pytest.param(frame(BINARY, encode(Ping()), masked=False), id="unmasked")])
def test_what_was_said_before_a_fault_is_done_and_answered(api, anna, name, fault):
    sends = [anna.prepare(name("bob"), b"%d" % i) for i in range(100)]
    anna.stream.send_raw(b"".join(frame(BINARY, encode(send)) for send in sends) + frame(PING, b"p") + fault + frame(BINARY, encode(Ping())))
    assert all(anna.sendack(send).reason == 1 for send in sends)
    anna.expect_close()
    assert (anna.stream.closing, anna.stream.pongs) == (b"\x03\xea", [b"p"]) and not anna.pending(Kind.PONG)
    assert [message["plain"] for message in api.history(anna.uid, name("bob"))] == [b"%d" % i for i in range(100)]


@pytest.mark.jingu_only(reason="the reference gathers the whole frame")
def test_a_websocket_frame_is_only_an_envelope(anna):
    """A huge announced length is no reason to gather anything: frames inside are frames as soon as they are complete."""
    anna.stream.send_raw(b"\x82\xff" + (1 << 30).to_bytes(8, "big") + b"\0\0\0\0" + encode(Ping()) * 3)
    try:
        for _ in range(3):
            anna.expect(Kind.PONG)
    except AssertionError:
        anna.expect_close()


def test_a_server_frame_of_every_length_class(login, name):
    anna, bob = login(name("anna"), transport="ws"), login(name("bob"), transport="ws")
    for size in (10, 90, 300, 48_000, 70_000):
        anna.tell(bob.uid, b"x" * size)
        assert bob.receive().plain == b"x" * size


@pytest.mark.parametrize("options", [
    dict(path="/ws?token=abc&x=1"), dict(headers={"Origin": "http://evil.example.com"}),
    dict(headers={"Upgrade": "WebSocket", "Connection": "keep-alive, Upgrade"}), dict(headers={"Sec-WebSocket-Protocol": "chat"}),
    dict(headers={"Cookie": "a=b", "X-Forwarded-For": "203.0.113.7", "X-Real-IP": "203.0.113.7", "X-Real-Port": "80"}),
    dict(headers={"Sec-WebSocket-Extensions": None}),
])
def test_upgrades_as_browsers_and_proxies_write_them(open_client, name, options):
    assert open_client(name("anna"), transport="ws", stream_options=options).login().reason == 1


def test_an_upgrade_that_arrives_byte_by_byte(server):
    stream = TcpStream(server.ws_port)
    for byte in upgrade_request(server.ws_port):
        stream.send(bytes([byte]))
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += stream.receive(time.monotonic() + SOON)
    assert answer.startswith(b"HTTP/1.1 101")


@pytest.mark.jingu_only(reason="the reference loses bytes behind the request head")
def test_bytes_behind_the_request_head_are_kept(server, open_client, name):
    client = open_client(name("anna"), transport="ws")
    client.stream.close()
    stream = WebSocketStream.__new__(WebSocketStream)
    stream.tcp = TcpStream(server.ws_port)
    stream.opcode, stream.buffer, stream.pongs, stream.closing, stream.opcodes = BINARY, b"", [], None, []
    packet = client.connect_packet()
    request = upgrade_request(server.ws_port)
    stream.tcp.send(request + frame(BINARY, encode(packet)))
    stream.answer = stream._head(time.monotonic() + SOON)
    stream._check_answer(request)
    client.stream = stream
    client.finish_login(packet)


@pytest.mark.parametrize("request_text", [
    pytest.param(upgrade_request(0).replace(b"GET", b"POST"), id="POST"),
    pytest.param(upgrade_request(0).replace(b"HTTP/1.1", b"HTTP/1.0"), id="HTTP/1.0"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="a plain request"),
    pytest.param(upgrade_request(0, headers={"Sec-WebSocket-Key": None}), id="no key"),
    pytest.param(upgrade_request(0, headers={"Sec-WebSocket-Key": "short"}), id="a short key"),
    pytest.param(upgrade_request(0, headers={"Sec-WebSocket-Version": "8"}), id="an old version"),
    pytest.param(upgrade_request(0, headers={"Upgrade": "h2c"}), id="another upgrade"),
    pytest.param(b"nonsense\r\n\r\n", id="nonsense"),
    pytest.param(b"GET / HTTP/1.1\r\n" + b"X-Long: " + b"y" * 100_000 + b"\r\n\r\n", id="a head without end"),
])
def test_a_request_that_is_no_upgrade_is_closed(server, login, name, request_text):
    stream = TcpStream(server.ws_port)
    answer = b""
    try:
        stream.send(request_text)
        while True:
            answer += stream.receive(time.monotonic() + SOON)
    except Closed:
        pass
    assert b" 101 " not in answer[:20]
    assert login(name("anna"), transport="ws").is_open()


def test_the_known_key_gives_the_known_accept():
    assert streams.accept_of("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
