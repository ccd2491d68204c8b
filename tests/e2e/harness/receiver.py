"""A back end that is told things: a real HTTP server that keeps what it was posted and answers as the test wants.

It can be stopped and started again on the same port, refuse, answer late, or take connections and never say a word.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import socket
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from .server import free_ports
from .waiting import SOON, eventually


@dataclass
class Post:
    event: str
    path: str
    headers: dict
    text: bytes
    status: int  # what it was answered
    connection: int  # the client's port: the same for requests over one connection
    at: float

    @property
    def body(self):
        return json.loads(self.text)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, receiver: Receiver, handler):
        self._receiver = receiver
        super().__init__(("127.0.0.1", receiver.port), handler)

    def process_request(self, request, client_address):
        with self._receiver._lock:
            self._receiver._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        with self._receiver._lock:
            self._receiver._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        pass  # the other side may be killed at any moment


class Receiver:
    def __init__(self):
        self.port = free_ports(1)[0]
        self.posts: list[Post] = []
        self.reply = lambda post: (200, b"")
        self._lock = threading.Lock()
        self._server = None
        self._hole = None
        self._open: set[socket.socket] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def start(self) -> "Receiver":
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                size = int(self.headers.get("Content-Length", 0))
                text = self.rfile.read(size)
                if len(text) < size:  # the server was killed in the middle of it
                    self.close_connection = True
                    return
                parts = urlsplit(self.path)
                event = parse_qs(parts.query).get("event", [""])[0]
                post = Post(event, self.path, dict(self.headers), text, 0, self.client_address[1], time.monotonic())
                said, answer, *headers = receiver.reply(post)
                post.status = said or 200
                with receiver._lock:
                    receiver.posts.append(post)
                if said is None:  # taken, and never said so
                    self.close_connection = True
                    return
                self.send_response(post.status)
                for name, value in headers:
                    self.send_header(name, value)
                if callable(answer):  # it says how it goes on, and writes it
                    self.end_headers()
                    answer(self.wfile)
                    self.close_connection = True
                    return
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments):
                pass

        self._server = _Server(self, Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def stop(self) -> None:
        """Refuses connections from now on, and breaks those that are open."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            with self._lock:
                for connection in self._open:
                    try:
                        connection.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass
        if self._hole is not None:
            self._hole.close()
            self._hole = None

    def become_a_black_hole(self) -> None:
        """Connections are taken and nothing is ever said."""
        self.stop()
        self._hole = socket.create_server(("127.0.0.1", self.port), backlog=128)

    def is_idle(self) -> bool:
        """Nobody is connected, nor waits to be."""
        if self._server is not None:
            # Connections are accepted in their order: those that came before this one have been.
            with socket.create_connection(("127.0.0.1", self.port), timeout=SOON) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                while connection.recv(4096):
                    pass
        with self._lock:
            return not self._open

    # -- what came -------------------------------------------------------------------------------------------------------

    def all(self, event: str, accepted: bool = True) -> list[Post]:
        with self._lock:
            return [post for post in self.posts if post.event == event and (post.status == 200 or not accepted)]

    def take(self) -> list[Post]:
        """Everything that has come since this was asked last."""
        with self._lock:
            taken, self.posts = self.posts, []
        return taken

    def messages(self) -> list[dict]:
        """What msg.notify has brought, in order."""
        return [message for post in self.all("msg.notify") for message in post.body]

    def offline(self) -> list[dict]:
        return [post.body for post in self.all("msg.offline")]

    def statuses(self) -> list[str]:
        return [line for post in self.all("user.onlinestatus") for line in post.body]

    def wait_messages(self, count: int, within: float = SOON) -> list[dict]:
        eventually(lambda: len(self.messages()) >= count, within)
        return self.messages()

    def wait_offline(self, count: int, within: float = SOON) -> list[dict]:
        eventually(lambda: len(self.offline()) >= count, within)
        return self.offline()


def uids_of(offline: dict) -> list[str]:
    """The recipients of a msg.offline, compressed or not."""
    if offline.get("compress") == "gzip":
        assert offline["to_uids"] == []
        return json.loads(gzip.decompress(base64.b64decode(offline["compress_to_uids"])))
    return offline["to_uids"]


def signature(secret: str, post: Post) -> str:
    signed = post.headers["X-Jingu-Timestamp"].encode() + b"." + post.text
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
