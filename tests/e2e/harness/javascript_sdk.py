"""The unmodified JavaScript SDK (wukongimjssdk from npm: WKProto over WebSocket, protocol version 2) in a headless Chromium."""

from __future__ import annotations

import functools
import http.server
import os
import pathlib
import subprocess
import threading

from .waiting import SOON, eventually

HERE = pathlib.Path(__file__).resolve().parents[1]
ESBUILD = HERE / "node_modules/esbuild/bin/esbuild"
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]

CONNECTED, KICKED = 1, 4


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


class Browser:
    """A Chromium and the page it loads, bundled and served on loopback."""

    def __init__(self, directory: pathlib.Path):
        from playwright.sync_api import sync_playwright
        # E2E_JS_SDK names the entry file of another release, to try the same tests on it.
        other = os.environ.get("E2E_JS_SDK")
        subprocess.run([str(ESBUILD), str(HERE / "sdk_page/chat.js"), "--bundle", "--log-level=error",
                        *([f"--alias:wukongimjssdk/lib/sdk={other}"] if other else []), f"--outfile={directory / 'chat.js'}"],
                       check=True, cwd=HERE)
        (directory / "index.html").write_bytes((HERE / "sdk_page/index.html").read_bytes())
        self._web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(directory)))
        threading.Thread(target=self._web.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._web.server_port}/index.html"
        self._playwright = sync_playwright().start()
        self._chromium = self._playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)

    def tab(self) -> "JavaScriptSdk":
        return JavaScriptSdk(self._chromium.new_page(), self.url)

    def close(self) -> None:
        self._chromium.close()
        self._playwright.stop()
        self._web.shutdown()
        self._web.server_close()


class JavaScriptSdk:
    """One user in one tab."""

    def __init__(self, page, url: str):
        self._page = page
        self.console: list[str] = []
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.console.append(f"page error: {error}"))
        page.goto(url)

    def start(self, server, uid: str, token: str = "any", device_flag: int = 1) -> "JavaScriptSdk":
        self.uid = uid
        self._page.evaluate("([addr, uid, token, flag]) => chat.start(addr, uid, token, flag)",
                            [server.ws_url, uid, token, device_flag])
        return self

    def send(self, text: str, channel_id: str, channel_type: int) -> dict:
        return self._page.evaluate("([text, id, type]) => chat.send(text, id, type)", [text, channel_id, channel_type])

    def events(self, kind: str) -> list[dict]:
        return [event for event in self._page.evaluate("chat.events") if event["kind"] == kind]

    def status(self) -> int:
        return self._page.evaluate("chat.status()")

    def wait_connected(self, within: float = SOON) -> "JavaScriptSdk":
        eventually(lambda: self.status() == CONNECTED, within)
        return self

    def heard(self) -> list[dict]:
        """Messages that came over the wire; the SDK also tells its application what it sends itself."""
        return [event for event in self.events("message") if not event["mine"]]

    def message(self, index: int, within: float = SOON) -> dict:
        eventually(lambda: len(self.heard()) > index, within)
        return self.heard()[index]

    def sendack(self, client_seq: int, within: float = SOON) -> dict:
        found = lambda: [ack for ack in self.events("sendack") if ack["clientSeq"] == client_seq]  # noqa: E731
        return eventually(found, within)[0]

    def close(self) -> None:
        self._page.close()
