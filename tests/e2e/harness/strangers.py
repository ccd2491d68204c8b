"""Clients of the API who mean no good, or do not know what they do: many connections that hold on to what they have."""

from __future__ import annotations

import selectors
import socket
import threading
import time

from .waiting import SOON


class Strangers:
    """So many connections that say `text` and then nothing, or a byte of `drip` now and then; they do not read unless `reads`, and come
    back when they are closed."""

    def __init__(self, port: int, count: int, text: bytes = b"", drip: bytes = b"", reads: bool = True):
        self._port, self._count, self._text, self._drip, self._reads = port, count, text, drip, reads
        self._selector = selectors.DefaultSelector()
        self._sockets: set[socket.socket] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.said = 0  # connections that have said what they say
        self.came_back = 0

    def __enter__(self) -> Strangers:
        self._thread.start()
        deadline = time.monotonic() + SOON
        while self.said < self._count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert self.said >= self._count
        return self

    def __exit__(self, *_exception) -> None:
        self._stopping.set()
        self._thread.join()
        for each in self._sockets:
            each.close()
        self._selector.close()

    def _open(self) -> None:
        each = socket.socket()
        each.setblocking(False)
        if not self._reads:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        each.connect_ex(("127.0.0.1", self._port))
        self._selector.register(each, selectors.EVENT_WRITE)
        self._sockets.add(each)

    def _lose(self, each: socket.socket) -> None:
        self._selector.unregister(each)
        self._sockets.discard(each)
        each.close()
        self.came_back += 1
        self._open()

    def _on_event(self, each: socket.socket, mask: int) -> None:
        try:
            if mask & selectors.EVENT_WRITE:
                if self._text:
                    each.send(self._text)
                self.said += 1
                # Whoever reads nothing is told by nobody that he was closed: the kernel says so as an error, or not at all.
                self._selector.modify(each, selectors.EVENT_READ if self._reads else 0)
            elif not each.recv(65536):
                self._lose(each)
        except OSError:
            self._lose(each)

    def _run(self) -> None:
        for _ in range(self._count):
            self._open()
        dripped = time.monotonic()
        while not self._stopping.is_set():
            for key, mask in self._selector.select(0.1):
                self._on_event(key.fileobj, mask)
            if self._drip and time.monotonic() > dripped + 1:
                dripped = time.monotonic()
                for each in list(self._sockets):
                    try:
                        each.send(self._drip)
                    except OSError:
                        pass
