"""The HTTP API as a back end sees it: plain calls, and the few combinations most tests need."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import requests

from .waiting import SOON

PERSON, GROUP = 1, 2


@dataclass
class Reply:
    status: int
    body: object
    text: str
    headers: dict

    def ok(self):
        """Insists on {"status":200} with HTTP 200; gives the data, if there is any."""
        assert self.status == 200 and isinstance(self.body, dict) and self.body.get("status") == 200, self
        return self.body.get("data")

    def bare(self):
        """Insists on HTTP 200 and gives the body as it is."""
        assert self.status == 200, self
        return self.body

    def refused(self, *texts: str):
        """Insists on the error envelope of section 3.3; texts are the messages that would be right."""
        assert self.status == 400, self
        assert self.body.keys() == {"msg", "status"} and self.body["status"] == 400, self
        assert isinstance(self.body["msg"], str) and self.body["msg"], self
        assert not texts or self.body["msg"] in texts, self


class Api:
    def __init__(self, server, token: str = ""):
        self._url = server.url
        self._session = requests.Session()
        self._session.trust_env = False
        if token:
            self._session.headers["token"] = token

    def call(self, method: str, path: str, **options) -> Reply:
        options.setdefault("timeout", SOON * 4)
        options.setdefault("allow_redirects", False)
        answer = self._session.request(method, self._url + path, **options)
        try:
            body = answer.json()
        except ValueError:
            body = None
        return Reply(answer.status_code, body, answer.content.decode(errors="replace"), dict(answer.headers))

    def get(self, path: str, **query) -> Reply:
        return self.call("GET", path, params=query)

    def post(self, path: str, body=None, **options) -> Reply:
        return self.call("POST", path, json=body, **options)

    def post_text(self, path: str, text: str | bytes, **options) -> Reply:
        return self.call("POST", path, data=text.encode() if isinstance(text, str) else text, **options)

    # -- users ---------------------------------------------------------------------------------------------------------

    def token(self, uid: str, token: str, device_flag: int = 0, device_level: int = 0) -> None:
        self.post("/user/token", {"uid": uid, "token": token, "device_flag": device_flag, "device_level": device_level}).ok()

    def online(self, *uids: str) -> list:
        return self.post("/user/onlinestatus", list(uids)).bare()

    # -- channels ------------------------------------------------------------------------------------------------------

    def channel(self, channel_id: str, channel_type: int = GROUP, **fields) -> None:
        self.post("/channel", {"channel_id": channel_id, "channel_type": channel_type} | fields).ok()

    def info(self, channel_id: str, channel_type: int, **fields) -> None:
        self.post("/channel/info", {"channel_id": channel_id, "channel_type": channel_type} | fields).ok()

    def group(self, channel_id: str, *members: str, channel_type: int = GROUP) -> str:
        self.channel(channel_id, channel_type, subscribers=list(members))
        return channel_id

    def subscribe(self, channel_id: str, *members: str, channel_type: int = GROUP, reset: int = 0) -> None:
        self.post("/channel/subscriber_add", {"channel_id": channel_id, "channel_type": channel_type, "reset": reset,
                                              "subscribers": list(members)}).ok()

    def unsubscribe(self, channel_id: str, *members: str, channel_type: int = GROUP) -> None:
        self.post("/channel/subscriber_remove",
                  {"channel_id": channel_id, "channel_type": channel_type, "subscribers": list(members)}).ok()

    def edit_list(self, which: str, channel_id: str, *uids: str, channel_type: int = GROUP) -> None:
        """which: blacklist_add, blacklist_set, blacklist_remove, whitelist_add, whitelist_set, whitelist_remove."""
        self.post(f"/channel/{which}", {"channel_id": channel_id, "channel_type": channel_type, "uids": list(uids)}).ok()

    # -- messages ------------------------------------------------------------------------------------------------------

    def send(self, payload: bytes, channel_id: str = "", channel_type: int = GROUP, **fields) -> dict | None:
        body = {"payload": base64.b64encode(payload).decode()}
        if channel_id:
            body |= {"channel_id": channel_id, "channel_type": channel_type}
        return self.post("/message/send", body | fields).ok()

    def page(self, login_uid: str, channel_id: str, channel_type: int = PERSON, *, start: int = 0, end: int = 0,
             limit: int = 100, pull_mode: int = 0) -> dict:
        return self.post("/channel/messagesync", {
            "login_uid": login_uid, "channel_id": channel_id, "channel_type": channel_type, "start_message_seq": start,
            "end_message_seq": end, "limit": limit, "pull_mode": pull_mode}).bare()

    def history(self, login_uid: str, channel_id: str, channel_type: int = PERSON) -> list[dict]:
        """Every message of the channel, oldest first, with the payload decoded under "plain"."""
        messages: list[dict] = []
        start = 1
        while True:
            answer = self.page(login_uid, channel_id, channel_type, start=start, limit=5000, pull_mode=1)
            page = answer["messages"]
            for message in page:
                message["plain"] = base64.b64decode(message["payload"] or "")
            messages += page
            if not answer["more"] or not page:  # a page may be shorter than its limit, and says so
                return messages
            start = page[-1]["message_seq"] + 1

    def conversations(self, uid: str, **fields) -> list[dict]:
        return self.post("/conversation/sync", {"uid": uid, "version": 0, "last_msg_seqs": "", "msg_count": 10} | fields).bare()

    def conversation(self, uid: str, channel_id: str, **fields) -> dict | None:
        return next((item for item in self.conversations(uid, **fields) if item["channel_id"] == channel_id), None)

    def clear_unread(self, uid: str, channel_id: str, channel_type: int = PERSON) -> None:
        self.post("/conversations/clearUnread", {"uid": uid, "channel_id": channel_id, "channel_type": channel_type}).ok()

    def set_unread(self, uid: str, channel_id: str, channel_type: int, unread: int) -> None:
        self.post("/conversations/setUnread",
                  {"uid": uid, "channel_id": channel_id, "channel_type": channel_type, "unread": unread}).ok()

    def delete_conversation(self, uid: str, channel_id: str, channel_type: int = PERSON) -> None:
        self.post("/conversations/delete", {"uid": uid, "channel_id": channel_id, "channel_type": channel_type}).ok()

    # -- commands ------------------------------------------------------------------------------------------------------

    def command(self, payload: bytes, channel_id: str, channel_type: int = GROUP, **fields) -> dict | None:
        return self.send(payload, channel_id, channel_type, header={"sync_once": 1}, **fields)

    def commands(self, uid: str, limit: int = 0) -> list[dict]:
        """What message/sync tells, with the payload decoded under "plain"."""
        messages = self.post("/message/sync", {"uid": uid, "limit": limit}).bare()
        for message in messages:
            message["plain"] = base64.b64decode(message["payload"] or "")
        return messages

    def acknowledge_commands(self, uid: str, last_message_seq: int = 1) -> None:
        self.post("/message/syncack", {"uid": uid, "last_message_seq": last_message_seq}).ok()
