"""A JSON-RPC client of our own, over WebSocket or raw TCP."""

from __future__ import annotations

import base64
import itertools
import json
import time

from . import streams
from .streams import Closed
from .waiting import SOON


class JsonClient:
    def __init__(self, stream, uid: str = "", *, acknowledges: bool = True):
        self.stream = stream
        self.uid = uid
        self.acknowledges = acknowledges
        self.first_written: float | None = None  # when
        self._text = ""
        self._inbox: list[dict] = []
        self._ids = itertools.count(1)

    def write(self, *objects, separator: str = "") -> None:
        """All objects in one write (one WebSocket message)."""
        self.write_text(separator.join(json.dumps(o, ensure_ascii=False, separators=(",", ":")) for o in objects))

    def write_text(self, text: str) -> None:
        self.stream.send(text.encode())
        self.first_written = self.first_written or time.monotonic()

    def _next(self, deadline: float) -> dict:
        while True:
            text = self._text.lstrip()
            if text:
                try:
                    value, used = json.JSONDecoder().raw_decode(text)
                    if self.stream.kind == "ws":
                        assert used == len(text), "one JSON object per WebSocket message"
                        assert self.stream.opcodes[-1] == streams.TEXT
                    self._text = text[used:]
                    self._check(value)
                    return value
                except json.JSONDecodeError:
                    assert self.stream.kind == "tcp", f"not JSON: {text!r}"
            self._text += self.stream.receive(deadline).decode()

    def _check(self, value: dict) -> None:
        assert value["jsonrpc"] == "2.0"
        if "method" in value:
            assert "id" not in value, "EasyJS takes any object with an id for a response"
            if value["method"] == "recv":
                assert isinstance(value["params"]["messageId"], str)
                assert value["params"].get("header", {}).get("dup") is None
        assert not ("result" in value and "error" in value)

    def expect(self, where, within: float | None = None) -> dict:
        deadline = time.monotonic() + (SOON if within is None else within)
        for index, value in enumerate(self._inbox):
            if where(value):
                return self._inbox.pop(index)
        while True:
            try:
                value = self._next(deadline)
            except TimeoutError:
                raise AssertionError(f"{self.uid}: not in time; inbox: {self._inbox}") from None
            except Closed as closed:
                raise AssertionError(f"{self.uid}: closed ({closed}); inbox: {self._inbox}") from None
            if value.get("method") == "recv" and self.acknowledges:
                self.acknowledge(value["params"])
            if where(value):
                return value
            self._inbox.append(value)

    def answer(self, id: str, within: float | None = None) -> dict:
        return self.expect(lambda value: value.get("id") == id and "method" not in value, within)

    def request(self, method: str, params=None, *, id: str | None = None, **extra) -> dict:
        """Sends a request and gives the whole response object."""
        id = f"r-{next(self._ids)}" if id is None else id
        message = {"method": method, "id": id} | extra
        if params is not None:
            message["params"] = params
        self.write(message)
        return self.answer(id)

    def notification(self, method: str, within: float | None = None) -> dict:
        """The params of the next notification of this method."""
        return self.expect(lambda value: value.get("method") == method, within).get("params", {})

    def receive(self, within: float | None = None) -> dict:
        params = self.notification("recv", within)
        return params | {"plain": base64.b64decode(params["payload"], validate=True)}

    def acknowledge(self, params: dict) -> None:
        ack = {"messageId": params["messageId"], "messageSeq": params["messageSeq"]}
        if "header" in params:
            ack["header"] = params["header"]
        self.write({"method": "recvack", "params": ack})

    def login(self, token: str = "", device_flag: int = 1, device_id: str = "", **params) -> dict:
        answer = self.request("connect", {"uid": self.uid, "token": token, "deviceId": device_id, "deviceFlag": device_flag,
                                          "clientTimestamp": int(time.time() * 1000)} | params)
        assert "error" not in answer, answer
        assert answer["result"]["reasonCode"] == 1, answer
        return answer["result"]

    def say(self, channel_id: str, payload: bytes = b"hello", channel_type: int = 1, **params) -> dict:
        answer = self.request("send", {"channelId": channel_id, "channelType": channel_type,
                                       "payload": base64.b64encode(payload).decode()} | params)
        assert "error" not in answer, answer
        return answer["result"]

    def tell(self, channel_id: str, payload: bytes = b"hello", channel_type: int = 1, **params) -> dict:
        result = self.say(channel_id, payload, channel_type, **params)
        assert result["reasonCode"] == 1, result
        return result

    def expect_close(self, within: float | None = None) -> float:
        start = time.monotonic()
        deadline = start + (SOON if within is None else within)
        try:
            while True:
                self._inbox.append(self._next(deadline))
        except Closed:
            return time.monotonic() - start
        except TimeoutError:
            raise AssertionError(f"{self.uid}: still open; inbox: {self._inbox}") from None

    def close(self) -> None:
        self.stream.close()
