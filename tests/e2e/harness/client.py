"""The tests' own chat client: WKProto over TCP or WebSocket, blocking, one object per connection.

Everything a shipped SDK relies on is checked on the way, in every test: the CONNACK's form, the msgKey of each RECV, one frame
per WebSocket message, opcode binary. A test that only wants to chat still fails when one of these breaks.
"""

from __future__ import annotations

import base64
import itertools
import time
import uuid

from . import streams
from .packets import (HAS_SERVER_VERSION, WRITTEN_LENGTH_MAX, Connack, Connect, Disconnect, Flag, Kind, Ping, Pong, Recv, Recvack,
                      Send, Sendack, decode, encode)
from .security import ClientKeys, recv_sign, send_sign
from .streams import Closed, TcpStream, WebSocketStream
from .waiting import SOON

SUCCESS = 1
_DEFAULT = object()


class Refused(Exception):
    """CONNECT was answered with a CONNACK that says no."""

    def __init__(self, connack: Connack):
        super().__init__(f"CONNACK reason {connack.reason}")
        self.connack = connack


class Client:
    def __init__(self, stream, uid: str, *, version: int = 5, device_flag: int = 0, device_id: str | None = None,
                 token: str = "", acknowledges: bool = True):
        self.stream = stream
        self.uid = uid
        self.asked_version = version
        self.version = version
        self.device_flag = device_flag
        self.device_id = uuid.uuid4().hex if device_id is None else device_id
        self.token = token
        self.acknowledges = acknowledges
        self.keys = ClientKeys()
        self.cipherer = None
        self.connack: Connack | None = None
        self.first_written: float | None = None  # when
        self._buffer = b""
        self._inbox: list = []
        self._client_seq = itertools.count(1)

    # -- login ---------------------------------------------------------------------------------------------------

    def connect_packet(self, **changes) -> Connect:
        fields = dict(uid=self.uid, token=self.token, device_id=self.device_id, device_flag=self.device_flag,
                      version=self.asked_version, client_timestamp=int(time.time() * 1000), client_key=self.keys.public_text)
        return Connect(**(fields | changes))

    def login(self, **changes) -> Connack:
        packet = self.connect_packet(**changes)
        self.write(packet)
        return self.finish_login(packet)

    def finish_login(self, packet: Connect | None = None) -> Connack:
        """Waits for the CONNACK of a CONNECT that was already written."""
        packet = packet or self.connect_packet()
        connack = self.expect(Kind.CONNACK)
        self._check_connack(packet, connack)
        self.connack = connack
        if connack.reason != SUCCESS:
            raise Refused(connack)
        self.version = packet.version if connack.server_version is None else connack.server_version
        if connack.server_key:
            self.cipherer = self.keys.agree(connack.server_key, connack.salt)
        return connack

    def _check_connack(self, packet: Connect, connack: Connack) -> None:
        asked = packet.version
        assert (connack.server_version is not None) == (asked > 3), "HasServerVersion follows the client's version"
        assert connack.flags & ~HAS_SERVER_VERSION == 0, "CONNACK has no other flag"
        if connack.reason != SUCCESS:
            assert connack.server_key == "" and connack.salt == "", "a refusal carries no keys"
        elif connack.server_key:
            assert len(base64.b64decode(connack.server_key, validate=True)) == 32
            assert len(connack.salt) == 16 and connack.salt.isascii() and connack.salt.isalnum()

    # -- packets ---------------------------------------------------------------------------------------------------

    def write(self, *packets) -> None:
        """All packets in one write (one WebSocket message)."""
        self.stream.send(b"".join(encode(packet, self.version) for packet in packets))
        self.first_written = self.first_written or time.monotonic()

    def _next(self, deadline: float):
        while True:
            found = decode(self._buffer, self.version, WRITTEN_LENGTH_MAX)
            if found is not None:
                packet, used = found
                if self.stream.kind == "ws":
                    assert used == len(self._buffer), "one WKProto frame per WebSocket message"
                    assert self.stream.opcodes[-1] == streams.BINARY
                packet.raw, self._buffer = self._buffer[:used], self._buffer[used:]
                return packet
            self._buffer += self.stream.receive(deadline)

    def expect(self, kind: Kind, within: float | None = None, where=lambda packet: True):
        """The next packet of this kind for which where() holds; others wait in the inbox for their own expect()."""
        deadline = time.monotonic() + (SOON if within is None else within)
        for index, packet in enumerate(self._inbox):
            if packet.kind == kind and where(packet):
                return self._inbox.pop(index)
        while True:
            try:
                packet = self._read_one(deadline)
            except TimeoutError:
                raise AssertionError(f"{self.uid}: no {kind.name} in time; inbox: {self._inbox}") from None
            except Closed as closed:
                raise AssertionError(f"{self.uid}: closed ({closed}) while waiting for {kind.name}; inbox: {self._inbox}") from None
            if packet.kind == kind and where(packet):
                return packet
            self._inbox.append(packet)

    def _read_one(self, deadline: float):
        packet = self._next(deadline)
        if packet.kind == Kind.RECV:
            self._open(packet)
            if self.acknowledges:
                self.acknowledge(packet)
        return packet

    def _open(self, packet: Recv) -> None:
        """Checks what every SDK checks before it shows a message, and decrypts it."""
        assert packet.flags & Flag.DUP == 0, "RECV never carries DUP"
        if self.cipherer is None:
            assert packet.message_key == ""
            packet.plain = packet.payload
            return
        assert packet.message_key == self.cipherer.message_key(recv_sign(packet)), "SDKs drop a RECV whose msgKey is wrong"
        packet.plain = self.cipherer.decrypt(packet.payload)

    def acknowledge(self, packet: Recv) -> None:
        flags = packet.flags & (Flag.NO_PERSIST | Flag.RED_DOT | Flag.SYNC_ONCE)
        self.write(Recvack(flags=flags, message_id=packet.message_id, message_seq=packet.message_seq))

    # -- chatting --------------------------------------------------------------------------------------------------

    def prepare(self, channel_id: str, payload: bytes = b"hello", channel_type: int = 1, *, client_msg_no: str | None = None,
                flags: int = Flag.RED_DOT, client_seq: int | None = None, message_key=_DEFAULT, **fields) -> Send:
        """A SEND, encrypted and signed with this connection's keys, not yet written."""
        packet = Send(flags=flags, client_seq=next(self._client_seq) if client_seq is None else client_seq,
                      client_msg_no=uuid.uuid4().hex if client_msg_no is None else client_msg_no, channel_id=channel_id,
                      channel_type=channel_type, payload=payload, **fields)
        if self.cipherer is not None:
            packet.payload = self.cipherer.encrypt(payload)
            packet.message_key = self.cipherer.message_key(send_sign(packet))
        if message_key is not _DEFAULT:
            packet.message_key = message_key
        packet.plain = payload
        return packet

    def send(self, channel_id: str, payload: bytes = b"hello", channel_type: int = 1, **options) -> Send:
        packet = self.prepare(channel_id, payload, channel_type, **options)
        self.write(packet)
        return packet

    def sendack(self, packet: Send, within: float | None = None) -> Sendack:
        sendack = self.expect(Kind.SENDACK, within, lambda ack: ack.client_seq == packet.client_seq)
        assert sendack.flags == packet.flags, "SENDACK copies the flags of the SEND"
        assert sendack.message_id > 0, "a message id is given even to what is refused"
        if self.version <= 5:
            assert sendack.extra == b"", "SENDACK has 17 bytes"
        return sendack

    def say(self, channel_id: str, payload: bytes = b"hello", channel_type: int = 1, **options) -> Sendack:
        """Sends and waits for the SENDACK, whatever it says."""
        return self.sendack(self.send(channel_id, payload, channel_type, **options))

    def tell(self, channel_id: str, payload: bytes = b"hello", channel_type: int = 1, **options) -> Sendack:
        """Sends and insists on success."""
        sendack = self.say(channel_id, payload, channel_type, **options)
        assert sendack.reason == SUCCESS, f"SENDACK reason {sendack.reason}"
        return sendack

    def receive(self, within: float | None = None) -> Recv:
        return self.expect(Kind.RECV, within)

    def ping(self) -> Pong:
        self.write(Ping())
        return self.expect(Kind.PONG)

    def pending(self, kind: Kind) -> list:
        """What came on the way and nobody asked for yet."""
        return [packet for packet in self._inbox if packet.kind == kind]

    def drain(self, seconds: float) -> list:
        """Everything that arrives in this time, and what waits in the inbox."""
        deadline = time.monotonic() + seconds
        try:
            while True:
                self._inbox.append(self._read_one(deadline))
        except (TimeoutError, Closed):
            pass
        packets, self._inbox = self._inbox, []
        return packets

    def expect_disconnect(self, within: float | None = None) -> Disconnect:
        return self.expect(Kind.DISCONNECT, within)

    def expect_close(self, within: float | None = None) -> float:
        """Reads until the server closes and tells how long that took; packets on the way stay in the inbox."""
        start = time.monotonic()
        deadline = start + (SOON if within is None else within)
        try:
            while True:
                self._inbox.append(self._read_one(deadline))
        except Closed:
            return time.monotonic() - start
        except TimeoutError:
            raise AssertionError(f"{self.uid}: still open after {deadline - start:.1f} s; inbox: {self._inbox}") from None

    def is_open(self) -> bool:
        try:
            self.ping()
            return True
        except (AssertionError, Closed):
            return False

    def close(self) -> None:
        self.stream.close()


def open_stream(server, transport: str = "tcp", **options):
    return TcpStream(server.tcp_port, **options) if transport == "tcp" else WebSocketStream(server.ws_port, **options)
