"""A back end that is asked things (webhook 7): system accounts, and a channel's flags and lists."""

from __future__ import annotations

import json
import threading

from .receiver import Receiver


class DataSource(Receiver):
    """Answers with what the test has written down; what it has not is answered with status 500."""

    def __init__(self):
        super().__init__()
        self.answers: dict[tuple, object] = {}
        self.texts: dict[tuple, bytes] = {}  # instead of an answer: these bytes, with status 200
        self.hold = threading.Event()  # cleared: whoever asks waits
        self.hold.set()
        self._held: list[str] = []  # the commands of the questions that wait
        self.reply = self._reply

    def knows(self, cmd: str, channel_id: str, answer, channel_type: int = 2) -> None:
        self.answers[cmd, channel_id, channel_type] = answer

    def knows_system(self, *uids: str) -> None:
        self.answers["getSystemUIDs",] = list(uids)

    def knows_group(self, channel_id: str, *members: str, deny=(), allow=(), **flags: int) -> str:
        self.knows("getSubscribers", channel_id, list(members))
        self.knows("getBlacklist", channel_id, list(deny))
        self.knows("getWhitelist", channel_id, list(allow))
        self.knows("getChannelInfo", channel_id, flags)
        return channel_id

    def asked(self, cmd: str, channel_id: str | None = None) -> int:
        """How often that was asked, whatever was answered."""
        with self._lock:
            bodies = [post.body for post in self.posts]
        return sum(body["cmd"] == cmd and channel_id in (None, body["data"].get("channel_id")) for body in bodies)

    def waiting(self, cmd: str) -> int:
        """How many of these questions wait for an answer now."""
        with self._lock:
            return self._held.count(cmd)

    @staticmethod
    def _key(body: dict) -> tuple:
        data = body["data"]
        return (body["cmd"], data["channel_id"], data["channel_type"]) if data else (body["cmd"],)

    def _reply(self, post):
        key = self._key(post.body)
        with self._lock:
            self._held.append(key[0])
        self.hold.wait(60)
        with self._lock:
            self._held.remove(key[0])
        if key in self.texts:
            return 200, self.texts[key]
        if key not in self.answers:
            return 500, b"unknown"
        return 200, json.dumps(self.answers[key]).encode()
