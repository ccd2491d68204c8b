"""WKProto packets, protocol versions 0 to 6: dataclasses, encode() and an incremental Decoder.

The field lists follow the protocol description (sections 2, 3 and 6) in wire order. Version 6 widens message_seq to 64 bits
in SENDACK, RECV and RECVACK; nothing else changes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

REMAINING_LENGTH_MAX = 1 << 20
WRITTEN_LENGTH_MAX = (1 << 28) - 1  # a RECV has more fields than its SEND, and encryption makes a payload longer
STRING_MAX = 32767


class Kind(IntEnum):
    CONNECT = 1
    CONNACK = 2
    SEND = 3
    SENDACK = 4
    RECV = 5
    RECVACK = 6
    PING = 7
    PONG = 8
    DISCONNECT = 9
    SUB = 10
    SUBACK = 11
    EVENT = 12


class Flag(IntFlag):
    NO_PERSIST = 1
    RED_DOT = 2
    SYNC_ONCE = 4
    DUP = 8


HAS_SERVER_VERSION = 1

SETTING_RECEIPT = 0x80
SETTING_SIGNAL = 0x20
SETTING_NO_ENCRYPT = 0x10
SETTING_TOPIC = 0x08
SETTING_STREAM = 0x02


class Malformed(Exception):
    """The bytes cannot be a packet, however many more arrive."""


@dataclass
class Connect:
    uid: str = ""
    token: str = ""
    device_id: str = ""
    device_flag: int = 0
    version: int = 5
    client_timestamp: int = 0
    client_key: str = ""
    flags: int = 0
    kind = Kind.CONNECT


@dataclass
class Connack:
    reason: int = 0
    time_diff: int = 0
    server_key: str = ""
    salt: str = ""
    node_id: int | None = None
    server_version: int | None = None
    flags: int = 0
    kind = Kind.CONNACK


@dataclass
class Send:
    client_seq: int = 0
    client_msg_no: str = ""
    channel_id: str = ""
    channel_type: int = 1
    payload: bytes = b""
    message_key: str = ""
    setting: int = 0
    expire: int = 0
    topic: str = ""
    stream_no: str = ""
    flags: int = 0
    kind = Kind.SEND


@dataclass
class Sendack:
    message_id: int = 0
    client_seq: int = 0
    message_seq: int = 0
    reason: int = 0
    flags: int = 0
    extra: bytes = b""
    kind = Kind.SENDACK


@dataclass
class Recv:
    message_id: int = 0
    message_seq: int = 0
    client_msg_no: str = ""
    from_uid: str = ""
    channel_id: str = ""
    channel_type: int = 1
    timestamp: int = 0
    payload: bytes = b""
    message_key: str = ""
    setting: int = 0
    expire: int = 0
    topic: str = ""
    stream_flag: int = 0
    stream_no: str = ""
    stream_id: int = 0
    flags: int = 0
    kind = Kind.RECV


@dataclass
class Recvack:
    message_id: int = 0
    message_seq: int = 0
    flags: int = 0
    kind = Kind.RECVACK


@dataclass
class Ping:
    flags: int = 0
    kind = Kind.PING


@dataclass
class Pong:
    flags: int = 0
    kind = Kind.PONG


@dataclass
class Disconnect:
    reason: int = 0
    text: str = ""
    flags: int = 0
    kind = Kind.DISCONNECT


@dataclass
class Sub:
    channel_id: str = ""
    channel_type: int = 0
    sub_no: str = ""
    action: int = 0
    param: str = ""
    setting: int = 0
    flags: int = 0
    kind = Kind.SUB


@dataclass
class Suback:
    channel_id: str = ""
    channel_type: int = 0
    sub_no: str = ""
    action: int = 0
    reason: int = 0
    flags: int = 0
    kind = Kind.SUBACK


@dataclass
class Event:
    id: str = ""
    type: str = ""
    timestamp: int = 0
    data: bytes = b""
    flags: int = 0
    kind = Kind.EVENT


def remaining_length(value: int) -> bytes:
    groups = bytearray()
    while True:
        group, value = value & 0x7F, value >> 7
        groups.append(group | (0x80 if value else 0))
        if not value:
            return bytes(groups)


def frame(kind: int, flags: int, body: bytes) -> bytes:
    """A frame with any body at all, also one no encoder would make."""
    return bytes([kind << 4 | flags]) + remaining_length(len(body)) + body


def string(text: str) -> bytes:
    """A surrogate from U+DC80 to U+DCFF stands for a byte that is no text."""
    data = text.encode(errors="surrogateescape")
    if len(data) > STRING_MAX:
        raise ValueError("string longer than the wire can carry")
    return struct.pack(">H", len(data)) + data


def _has_stream_fields(version: int, setting: int) -> bool:
    return 2 <= version <= 4 and bool(setting & SETTING_STREAM)


def _seq(version: int, value: int) -> bytes:
    return struct.pack(">Q" if version >= 6 else ">I", value)


def _connect_body(p: Connect, version: int) -> bytes:
    return (struct.pack(">BB", p.version, p.device_flag) + string(p.device_id) + string(p.uid) + string(p.token)
            + struct.pack(">q", p.client_timestamp) + string(p.client_key))


def _connack_body(p: Connack, version: int) -> bytes:
    body = b"" if p.server_version is None else bytes([p.server_version])
    body += struct.pack(">qB", p.time_diff, p.reason) + string(p.server_key) + string(p.salt)
    return body + (struct.pack(">Q", p.node_id or 0) if version >= 4 else b"")


def _send_body(p: Send, version: int) -> bytes:
    body = struct.pack(">BI", p.setting, p.client_seq) + string(p.client_msg_no)
    if _has_stream_fields(version, p.setting):
        body += string(p.stream_no)
    body += string(p.channel_id) + bytes([p.channel_type])
    if version >= 3:
        body += struct.pack(">I", p.expire)
    body += string(p.message_key)
    if p.setting & SETTING_TOPIC:
        body += string(p.topic)
    return body + p.payload


def _sendack_body(p: Sendack, version: int) -> bytes:
    return struct.pack(">qI", p.message_id, p.client_seq) + _seq(version, p.message_seq) + bytes([p.reason]) + p.extra


def _recv_body(p: Recv, version: int) -> bytes:
    body = bytes([p.setting]) + string(p.message_key) + string(p.from_uid) + string(p.channel_id) + bytes([p.channel_type])
    if version >= 3:
        body += struct.pack(">I", p.expire)
    body += string(p.client_msg_no)
    if _has_stream_fields(version, p.setting):
        body += bytes([p.stream_flag]) + string(p.stream_no) + struct.pack(">Q", p.stream_id)
    body += struct.pack(">q", p.message_id) + _seq(version, p.message_seq) + struct.pack(">i", p.timestamp)
    if p.setting & SETTING_TOPIC:
        body += string(p.topic)
    return body + p.payload


def _recvack_body(p: Recvack, version: int) -> bytes:
    return struct.pack(">q", p.message_id) + _seq(version, p.message_seq)


def _disconnect_body(p: Disconnect, version: int) -> bytes:
    return bytes([p.reason]) + string(p.text)


def _sub_body(p: Sub, version: int) -> bytes:
    return (bytes([p.setting]) + string(p.sub_no) + string(p.channel_id) + bytes([p.channel_type, p.action])
            + string(p.param))


def _suback_body(p: Suback, version: int) -> bytes:
    return string(p.sub_no) + string(p.channel_id) + bytes([p.channel_type, p.action, p.reason])


def _event_body(p: Event, version: int) -> bytes:
    return string(p.id) + string(p.type) + struct.pack(">q", p.timestamp) + p.data


_BODIES = {
    Kind.CONNECT: _connect_body,
    Kind.CONNACK: _connack_body,
    Kind.SEND: _send_body,
    Kind.SENDACK: _sendack_body,
    Kind.RECV: _recv_body,
    Kind.RECVACK: _recvack_body,
    Kind.DISCONNECT: _disconnect_body,
    Kind.SUB: _sub_body,
    Kind.SUBACK: _suback_body,
    Kind.EVENT: _event_body,
}


def encode(packet, version: int = 5) -> bytes:
    if packet.kind in (Kind.PING, Kind.PONG):
        return bytes([packet.kind << 4 | packet.flags])
    flags = packet.flags
    if packet.kind == Kind.CONNACK and packet.server_version is not None:
        flags |= HAS_SERVER_VERSION
    return frame(packet.kind, flags, _BODIES[packet.kind](packet, version))


class _Reader:
    def __init__(self, data: bytes):
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        if self._at + size > len(self._data):
            raise Malformed("a field reaches past the end of the frame")
        self._at += size
        return self._data[self._at - size:self._at]

    def number(self, shape: str) -> int:
        return struct.unpack(">" + shape, self.take(struct.calcsize(">" + shape)))[0]

    def string(self) -> str:
        size = self.number("h")
        if size < 0:
            raise Malformed("negative string length")
        return self.take(size).decode()

    def seq(self, version: int) -> int:
        return self.number("Q" if version >= 6 else "I")

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)


def _read_connect(r: _Reader, flags: int, version: int) -> Connect:
    p = Connect(flags=flags, version=r.number("B"), device_flag=r.number("B"))
    p.device_id, p.uid, p.token = r.string(), r.string(), r.string()
    p.client_timestamp, p.client_key = r.number("q"), r.string()
    return p


def _read_connack(r: _Reader, flags: int, version: int) -> Connack:
    p = Connack(flags=flags)
    if flags & HAS_SERVER_VERSION:
        p.server_version = r.number("B")
    p.time_diff, p.reason = r.number("q"), r.number("B")
    p.server_key, p.salt = r.string(), r.string()
    if version >= 4:
        p.node_id = r.number("Q")
    return p


def _read_send(r: _Reader, flags: int, version: int) -> Send:
    p = Send(flags=flags, setting=r.number("B"), client_seq=r.number("I"), client_msg_no=r.string())
    if _has_stream_fields(version, p.setting):
        p.stream_no = r.string()
    p.channel_id, p.channel_type = r.string(), r.number("B")
    if version >= 3:
        p.expire = r.number("I")
    p.message_key = r.string()
    if p.setting & SETTING_TOPIC:
        p.topic = r.string()
    p.payload = r.rest()
    return p


def _read_sendack(r: _Reader, flags: int, version: int) -> Sendack:
    return Sendack(flags=flags, message_id=r.number("q"), client_seq=r.number("I"), message_seq=r.seq(version),
                   reason=r.number("B"), extra=r.rest())


def _read_recv(r: _Reader, flags: int, version: int) -> Recv:
    p = Recv(flags=flags, setting=r.number("B"), message_key=r.string(), from_uid=r.string())
    p.channel_id, p.channel_type = r.string(), r.number("B")
    if version >= 3:
        p.expire = r.number("I")
    p.client_msg_no = r.string()
    if _has_stream_fields(version, p.setting):
        p.stream_flag, p.stream_no, p.stream_id = r.number("B"), r.string(), r.number("Q")
    p.message_id, p.message_seq, p.timestamp = r.number("q"), r.seq(version), r.number("i")
    if p.setting & SETTING_TOPIC:
        p.topic = r.string()
    p.payload = r.rest()
    return p


def _read_recvack(r: _Reader, flags: int, version: int) -> Recvack:
    return Recvack(flags=flags, message_id=r.number("q"), message_seq=r.seq(version))


def _read_disconnect(r: _Reader, flags: int, version: int) -> Disconnect:
    return Disconnect(flags=flags, reason=r.number("B"), text=r.string())


def _read_sub(r: _Reader, flags: int, version: int) -> Sub:
    p = Sub(flags=flags, setting=r.number("B"), sub_no=r.string(), channel_id=r.string())
    p.channel_type, p.action, p.param = r.number("B"), r.number("B"), r.string()
    return p


def _read_suback(r: _Reader, flags: int, version: int) -> Suback:
    p = Suback(flags=flags, sub_no=r.string(), channel_id=r.string())
    p.channel_type, p.action, p.reason = r.number("B"), r.number("B"), r.number("B")
    return p


def _read_event(r: _Reader, flags: int, version: int) -> Event:
    return Event(flags=flags, id=r.string(), type=r.string(), timestamp=r.number("q"), data=r.rest())


_READERS = {
    Kind.CONNECT: _read_connect,
    Kind.CONNACK: _read_connack,
    Kind.SEND: _read_send,
    Kind.SENDACK: _read_sendack,
    Kind.RECV: _read_recv,
    Kind.RECVACK: _read_recvack,
    Kind.DISCONNECT: _read_disconnect,
    Kind.SUB: _read_sub,
    Kind.SUBACK: _read_suback,
    Kind.EVENT: _read_event,
}


def decode(data: bytes, version: int = 5, length_max: int = REMAINING_LENGTH_MAX):
    """The first packet of data and the bytes it used, or None while it is incomplete. Raises Malformed."""
    if not data:
        return None
    kind, flags = data[0] >> 4, data[0] & 0x0F
    if kind == Kind.PING:
        return Ping(flags), 1
    if kind == Kind.PONG:
        return Pong(flags), 1
    if kind not in _READERS:
        raise Malformed(f"unknown packet type {kind}")
    length = 0
    for index in range(4):
        if 1 + index >= len(data):
            return None
        byte = data[1 + index]
        length |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            break
    else:
        raise Malformed("remaining length longer than four bytes")
    if length > length_max:
        raise Malformed("frame too large")
    head = 2 + index
    if remaining_length(length) != data[1:head]:
        # Android and Flutter find the end of the header by re-encoding the length.
        raise Malformed("remaining length not in its shortest form")
    if len(data) < head + length:
        return None
    return _READERS[Kind(kind)](_Reader(data[head:head + length]), flags, version), head + length
