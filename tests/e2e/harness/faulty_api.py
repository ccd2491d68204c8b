"""The HTTP API of a healthy server, passed on with faults in its answers: judges the tools that judge answers."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.request


class FaultyApi:
    """Passes POST requests on; `fault(api, path, answer)` may change what the answer says, or count in `api.done`."""

    def __init__(self, url: str, fault):
        api = self
        self.done = 0  # how often the fault did something

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                request = urllib.request.Request(url + self.path, body, {"Content-Type": "application/json"})
                with opener.open(request, timeout=30) as got:
                    answer = json.loads(got.read())
                fault(api, self.path, answer)
                text = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def passes_answers(api, path, answer):
    pass


def _pages(change):
    """A fault in every third page of history that has something to spoil."""
    def fault(api, path, answer):
        if path == "/channel/messagesync" and len(answer["messages"]) > 2:
            api.pages = getattr(api, "pages", 0) + 1
            if api.pages % 3 == 0:
                api.done += 1
                change(answer["messages"])
    return fault


def _lists(change):
    """A fault in every list of conversations."""
    def fault(api, path, answer):
        if path == "/conversation/sync" and len(answer) > 2:
            api.done += 1
            change(answer)
    return fault


def _set(items, place, key, value):
    items[place][key] = value


drops_message = _pages(lambda messages: messages.pop(1))
doubles_message = _pages(lambda messages: messages.insert(1, messages[1]))
swaps_messages = _pages(lambda messages: messages.insert(1, messages.pop(2)))
misplaces_message = _pages(lambda messages: _set(messages, 1, "client_msg_no", "somebody else's"))
drops_conversation = _lists(lambda items: items.pop(1))
doubles_conversation = _lists(lambda items: items.append(items[1]))
ages_conversation = _lists(lambda items: _set(items, 1, "last_msg_seq", items[1]["last_msg_seq"] - 1))
