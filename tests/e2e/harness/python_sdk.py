"""The unmodified Python SDK (wukong-easy-sdk from PyPI: JSON-RPC over WebSocket), driven from a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import time

from wukong_easy_sdk import WKIM, AuthOptions, WKIMEvent, WKIMOptions

from .waiting import SOON, eventually


class PythonSdk:
    def __init__(self, server, uid: str, token: str = "any", *, device_flag: int = 2, device_id: str = "", **options):
        self.uid = uid
        self.events: list[tuple[str, object]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._client = self._do(self._make(server.ws_url, AuthOptions(uid, token, device_id, device_flag), WKIMOptions(**options)))

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(SOON * 4)

    async def _make(self, url, auth, options) -> WKIM:
        client = WKIM(url, auth, options)
        for event in WKIMEvent:
            client.on(event, lambda value, event=event: self.events.append((event.value, value)))
        return client

    def connect(self) -> dict:
        return self._do(self._client.connect())

    def send(self, channel_id: str, channel_type: int, payload: dict, **options) -> dict:
        return self._do(self._client.send(channel_id, channel_type, payload, **options))

    def ping(self) -> None:
        self._do(self._client.ping())

    @property
    def connected(self) -> bool:
        return self._client.is_connected

    def of(self, event: str) -> list:
        return [value for kind, value in self.events if kind == event]

    def message(self, index: int, within: float = SOON) -> dict:
        """The index-th message it was told about, waiting for it."""
        eventually(lambda: len(self.of("message")) > index, within)
        return self.of("message")[index]

    def close(self) -> None:
        try:
            self._do(self._client.destroy())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(SOON)
            deadline = time.monotonic() + SOON
            while self._loop.is_running() and time.monotonic() < deadline:
                time.sleep(0.01)
            self._loop.close()
