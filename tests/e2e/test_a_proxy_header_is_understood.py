"""PROXY protocol v1 and v2 in front of CONNECT on the TCP port (protocol description 1.3)."""

import socket
import struct

import pytest

from harness.packets import encode

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def version_2(family: int, addresses: bytes, command: int = 0x21) -> bytes:
    return SIGNATURE + struct.pack(">BBH", command, family, len(addresses)) + addresses


IPV4 = socket.inet_aton("203.0.113.7") + socket.inet_aton("10.0.0.1") + struct.pack(">HH", 40000, 5100)
IPV6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + socket.inet_pton(socket.AF_INET6, "::1") + struct.pack(">HH", 40000, 5100)
UNIX = b"/tmp/a".ljust(108, b"\0") + b"/tmp/b".ljust(108, b"\0")

HEADERS = [
    pytest.param(b"PROXY TCP4 203.0.113.7 10.0.0.1 40000 5100\r\n", id="v1 TCP4"),
    pytest.param(b"PROXY TCP6 2001:db8::7 ::1 40000 5100\r\n", id="v1 TCP6"),
    pytest.param(b"PROXY UNKNOWN\r\n", id="v1 UNKNOWN"),
    pytest.param(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", id="v1 UNKNOWN with addresses"),
    pytest.param(version_2(0x11, IPV4), id="v2 IPv4"),
    pytest.param(version_2(0x21, IPV6), id="v2 IPv6"),
    pytest.param(version_2(0x31, UNIX), id="v2 Unix"),
    pytest.param(version_2(0x11, IPV4 + b"\x04\x00\x03abc"), id="v2 with extensions"),
    pytest.param(version_2(0x00, b"", command=0x20), id="v2 LOCAL", marks=pytest.mark.jingu_only(
        reason="the reference does not know a header without addresses")),
]


@pytest.mark.parametrize("header", HEADERS)
def test_login_behind_a_header_in_one_write(open_client, name, header):
    client = open_client(name("anna"))
    packet = client.connect_packet()
    client.stream.send(header + encode(packet))
    client.finish_login(packet)
    assert client.is_open()


@pytest.mark.parametrize("header", HEADERS)
def test_the_header_alone_and_connect_later(open_client, name, header):
    client = open_client(name("anna"), stream_options={"prefix": header})
    client.login()
    assert client.tell(name("bob")).message_seq == 1


@pytest.mark.jingu_only(reason="the reference's whole process dies of half a header")
@pytest.mark.parametrize("header", HEADERS)
def test_a_header_that_arrives_byte_by_byte(open_client, name, header):
    client = open_client(name("anna"))
    for byte in header:
        client.stream.send(bytes([byte]))
    client.login()


@pytest.mark.parametrize("noise", [b"PROXY\r\n", b"PROXY TCP4 a b c d\r\n", b"PROXY TCP4 1.2.3.4 5.6.7.8\r\n",
                                   b"PROXY " + b"x" * 200 + b"\r\n", b"P" * 50, SIGNATURE[:-1] + b"X" + b"\0" * 20,
                                   version_2(0x11, IPV4[:5]), SIGNATURE + b"\x21\x11\xff\xff"])
def test_a_broken_header_gets_nowhere(server, open_client, login, name, noise):
    client = open_client(name("anna"))
    packet = client.connect_packet()
    client.stream.send(noise + encode(packet))
    client.expect_close()
    assert login(name("bob")).is_open()


@pytest.mark.jingu_only(reason="the reference looks for JSON before it strips the header")
@pytest.mark.parametrize("header", HEADERS)
def test_json_behind_a_header(open_json, name, header):
    client = open_json(name("anna"), transport="tcp", stream_options={"prefix": header})
    assert client.login()["reasonCode"] == 1
