"""Byte streams to the server: TCP, and WebSocket with a framing of our own.

The framing is written here, not taken from a library, because the tests must be able to do what no library allows: split
one frame over many messages, put many frames into one, fragment, mix control frames in between, leave out the mask.
"""

from __future__ import annotations

import base64
import hashlib
import os
import select
import socket
import ssl
import struct
import time

from .waiting import SOON

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CONTINUATION = 0
_ACCEPT_SALT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Closed(Exception):
    """The server ended the connection."""


class TcpStream:
    kind = "tcp"

    def __init__(self, port: int, *, context: ssl.SSLContext | None = None, prefix: bytes = b"", receive_buffer: int | None = None):
        self.socket = socket.socket()
        self.socket.settimeout(SOON)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        if prefix:
            self.socket.sendall(prefix)

    def send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed(str(error)) from None

    def receive(self, deadline: float) -> bytes:
        """The next bytes. Raises Closed at the end of the stream and TimeoutError when the deadline passes."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        self.socket.settimeout(remaining)
        try:
            data = self.socket.recv(1 << 16)
        except (ConnectionResetError, BrokenPipeError) as error:
            raise Closed(str(error)) from None
        except socket.timeout:
            raise TimeoutError from None
        finally:
            self.socket.settimeout(SOON)
        if not data:
            raise Closed("end of stream")
        return data

    def readable(self) -> bool:
        return bool(select.select([self.socket], [], [], 0)[0])

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        """Closes with a reset instead of an orderly end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        self.socket.close()


def frame(opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    head = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    mask_bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([mask_bit | len(payload)])
    elif len(payload) < 1 << 16:
        head += struct.pack(">BH", mask_bit | 126, len(payload))
    else:
        head += struct.pack(">BQ", mask_bit | 127, len(payload))
    if not masked:
        return head + payload
    mask = os.urandom(4)
    pad = (mask * (len(payload) // 4 + 1))[:len(payload)]
    covered = int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")
    return head + mask + covered.to_bytes(len(payload), "big")


def upgrade_request(port: int, *, path: str = "/", headers: dict[str, str | None] | None = None) -> bytes:
    """A browser's upgrade request; headers replaces lines by name, None leaves one out."""
    lines = {
        "Host": f"127.0.0.1:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
    }
    lines.update(headers or {})
    text = f"GET {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items() if v is not None)
    return text.encode() + b"\r\n"


def accept_of(key: str) -> str:
    return base64.b64encode(hashlib.sha1(key.encode() + _ACCEPT_SALT).digest()).decode()


class WebSocketStream:
    kind = "ws"

    def __init__(self, port: int, *, path: str = "/", headers: dict[str, str | None] | None = None,
                 context: ssl.SSLContext | None = None, opcode: int = BINARY):
        self.tcp = TcpStream(port, context=context)
        self.opcode = opcode
        self.buffer = b""
        self.pongs: list[bytes] = []
        self.closing: bytes | None = None
        self.opcodes: list[int] = []
        request = upgrade_request(port, path=path, headers=headers)
        self.tcp.send(request)
        self.answer = self._head(time.monotonic() + SOON)
        self._check_answer(request)

    def _head(self, deadline: float) -> bytes:
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.tcp.receive(deadline)
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return head

    def _check_answer(self, request: bytes) -> None:
        status, *lines = self.answer.decode("latin-1").split("\r\n")
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        key = next(line for line in request.decode().split("\r\n") if line.startswith("Sec-WebSocket-Key")).split(": ")[1]
        assert status.startswith("HTTP/1.1 101"), self.answer
        assert fields["upgrade"].lower() == "websocket" and "upgrade" in fields["connection"].lower()
        assert fields["sec-websocket-accept"] == accept_of(key)
        assert "sec-websocket-extensions" not in fields, "an extension nobody implements must not be agreed to"
        assert "sec-websocket-protocol" not in fields

    def send(self, data: bytes) -> None:
        self.send_frame(self.opcode, data)

    def send_frame(self, opcode: int, payload: bytes, **options) -> None:
        self.tcp.send(frame(opcode, payload, **options))

    def send_raw(self, data: bytes) -> None:
        self.tcp.send(data)

    def receive_frame(self, deadline: float) -> tuple[int, bytes]:
        while True:
            found = self._split()
            if found is not None:
                return found
            self.buffer += self.tcp.receive(deadline)

    def _split(self) -> tuple[int, bytes] | None:
        """Takes one whole frame off the buffer, or nothing."""
        if len(self.buffer) < 2:
            return None
        first, size = self.buffer[0], self.buffer[1]
        assert first & 0x70 == 0, "reserved bits set by the server"
        assert first & 0x80, "the server never fragments"
        assert size & 0x80 == 0, "the server never masks"
        head = {126: 4, 127: 10}.get(size, 2)
        if len(self.buffer) < head:
            return None
        if head > 2:
            size = int.from_bytes(self.buffer[2:head], "big")
            assert size >= (126 if head == 4 else 1 << 16), "length not in its shortest form"
        if len(self.buffer) < head + size:
            return None
        payload, self.buffer = self.buffer[head:head + size], self.buffer[head + size:]
        return first & 0x0F, payload

    def receive(self, deadline: float) -> bytes:
        """The next data message. Pongs and a close frame are remembered on the way."""
        while True:
            opcode, payload = self.receive_frame(deadline)
            if opcode == PONG:
                self.pongs.append(payload)
            elif opcode == CLOSE:
                self.closing = payload
            else:
                assert opcode in (TEXT, BINARY), f"opcode {opcode} from the server"
                self.opcodes.append(opcode)
                return payload

    def half_close(self) -> None:
        self.tcp.half_close()

    def abort(self) -> None:
        self.tcp.abort()

    def close(self) -> None:
        self.tcp.close()
