"""A proxy between a client and a healthy server that says what the server did not.

The tools that judge a server are themselves judged with it: whoever reports health must have looked.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from .packets import Kind, Recv, Sendack, decode, encode


class FaultyProxy:
    """Passes everything on, but what the server says goes through `fault` first.

    fault(proxy, link, packet, frame) gives the frames to pass on instead. `link` is a dict for the connection: its number, its
    socket, and what the fault wants to remember.
    """

    def __init__(self, port: int, fault):
        self._fault = fault
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        self.links: list[dict] = []
        self.done = 0  # how often the fault did something
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = {"number": len(self.links), "socket": client, "recvs": 0, "acks": 0, "held": []}
            self.links.append(link)
            threading.Thread(target=self._copy, args=(client, server), daemon=True).start()
            threading.Thread(target=self._copy_packets, args=(server, client, link), daemon=True).start()

    @staticmethod
    def _copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _copy_packets(self, source, target, link):
        buffer = b""
        try:
            while data := source.recv(65536):
                buffer += data
                while taken := decode(buffer):
                    packet, size = taken
                    frame, buffer = buffer[:size], buffer[size:]
                    with self.lock:
                        frames = self._fault(self, link, packet, frame)
                        target.sendall(b"".join(frames))
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self._listener.close()
        for link in self.links:
            link["socket"].close()


def every(count: int, kind: Kind):
    """Makes a fault of a function: it is called for every count-th packet of that kind on a connection."""
    key = "recvs" if kind == Kind.RECV else "acks"

    def decorate(function):
        def fault(proxy, link, packet, frame):
            frames = [frame]
            if packet.kind == kind:
                link[key] += 1
                if link[key] % count == 0:
                    proxy.done += 1
                    frames = function(proxy, link, packet, frame)
                elif link["held"]:
                    frames, link["held"] = [frame, *link["held"]], []
            return frames
        return fault
    return decorate


def passes_everything(proxy, link, packet, frame):
    return [frame]


@every(10, Kind.RECV)
def drops_recv(proxy, link, packet, frame):
    return []


@every(10, Kind.RECV)
def doubles_recv(proxy, link, packet, frame):
    return [frame, frame]


@every(10, Kind.RECV)
def swaps_recv(proxy, link, packet, frame):
    link["held"].append(frame)
    return []


@every(10, Kind.RECV)
def misdirects_recv(proxy, link, packet, frame):
    other = next(other for other in proxy.links if other["recvs"] and other is not link)
    other["socket"].sendall(frame)
    return []


@every(10, Kind.RECV)
def alters_content(proxy, link, packet: Recv, frame):
    packet.payload = packet.payload[:40] + b"?" + packet.payload[41:]
    return [encode(packet)]


@every(10, Kind.RECV)
def alters_sender(proxy, link, packet: Recv, frame):
    packet.from_uid = packet.from_uid[:-1] + "x"
    return [encode(packet)]


@every(10, Kind.RECV)
def alters_message_id(proxy, link, packet: Recv, frame):
    packet.message_id += 1
    return [encode(packet)]


@every(10, Kind.SENDACK)
def drops_sendack(proxy, link, packet, frame):
    return []


@every(10, Kind.SENDACK)
def doubles_sendack(proxy, link, packet, frame):
    return [frame, frame]


@every(10, Kind.SENDACK)
def swaps_sendack(proxy, link, packet, frame):
    link["held"].append(frame)
    return []


@every(10, Kind.SENDACK)
def refuses(proxy, link, packet: Sendack, frame):
    packet.reason, packet.message_seq = 15, 0
    return [encode(packet)]


def cut(link):
    with contextlib.suppress(OSError):  # the client may have gone itself
        link["socket"].shutdown(socket.SHUT_RDWR)


@every(10, Kind.RECV)
def cuts_one_off(proxy, link, packet, frame):
    if proxy.done == 1:
        cut(link)
    return [frame]


@every(10, Kind.RECV)
def cuts_all_off(proxy, link, packet, frame):
    for other in proxy.links:
        cut(other)
    return [frame]


@every(10, Kind.RECV)
def delays_recv(proxy, link, packet, frame):
    time.sleep(0.2)
    return [frame]
