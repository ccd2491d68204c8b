#!/usr/bin/env python3
"""What a connection costs that does nothing: opens many of one kind, and says what the server holds for each.

    idle_cost.py KIND [COUNT]

KIND is tcp, ws or wss (all logged in), waiting (TCP, the first half of a CONNECT) or waiting-ws (half of an upgrade). Bytes are
those of the budgets `connections`, `sessions` and `reading` (and, for TLS, of what libraries hold), and of RSS; then what is left
when all have gone. For people; the test is in test_memory_is_watched.py.
"""

from __future__ import annotations

import json
import pathlib
import re
import ssl
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness.certificates import certificate  # noqa: E402
from harness.client import Client  # noqa: E402
from harness.packets import encode  # noqa: E402
from harness.server import Server  # noqa: E402
from harness.streams import TcpStream, WebSocketStream, upgrade_request  # noqa: E402

KINDS = ("tcp", "ws", "wss", "waiting", "waiting-ws")
HOLDERS = ("connections", "sessions", "reading")


def start(directory: pathlib.Path) -> Server:
    certificate(directory / "tls", "idle")
    server = Server(directory, memory="512M",
                    wssConfig={"certFile": str(directory / "tls/cert.pem"), "keyFile": str(directory / "tls/key.pem")})
    server.settings["wssAddr"] = f"wss://127.0.0.1:{server.wss_port}"
    return server.start()


def fetch(server, path: str) -> str:
    with urllib.request.urlopen(server.url + path, timeout=30) as answer:
        return answer.read().decode()


def look(server) -> dict:
    """How many there are, and what is held."""
    waiting = int(re.search(r"^jingu_connections_unauthenticated (\d+)", fetch(server, "/metrics"), re.M).group(1))
    ledger = json.loads(fetch(server, "/ledger"))
    held = {name: sum(line["used"] for line in ledger["holders"] if line["holder"] == name) for name in (*HOLDERS, "libraries")}
    return {"waiting": waiting, "rss": server.resident_bytes(), **held}


def open_one(server, kind: str, index: int, context):
    if kind.startswith("waiting"):
        stream = TcpStream(server.ws_port if kind == "waiting-ws" else server.tcp_port)
        half = upgrade_request(server.ws_port) if kind == "waiting-ws" else encode(Client(stream, f"idle-{index:08}").connect_packet(), 5)
        stream.send(half[:len(half) // 2])
        return stream
    if kind == "tcp":
        stream = TcpStream(server.tcp_port)
    else:
        stream = WebSocketStream(server.ws_port) if kind == "ws" else WebSocketStream(server.wss_port, context=context)
    client = Client(stream, f"idle-{index:08}")
    client.login()
    return client


def main() -> None:
    kind = sys.argv[1] if len(sys.argv) > 1 else ""
    if kind not in KINDS:
        sys.exit(__doc__)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    with tempfile.TemporaryDirectory() as directory:
        server = start(pathlib.Path(directory))
        try:
            run(server, kind, count)
        finally:
            server.kill()


def run(server, kind: str, count: int) -> None:
    context = ssl.create_default_context(cafile=str(server.directory / "tls/cert.pem"))
    open_one(server, kind, 0, context).close()
    time.sleep(2)
    before = look(server)
    opened = [open_one(server, kind, index, context) for index in range(1, count + 1)]
    if not kind.startswith("waiting"):
        time.sleep(3)  # pages that logins have left free go back
    during = look(server)
    here = during["waiting"] if kind.startswith("waiting") else count
    print(f"{kind}: {here} connections")
    for name in (*HOLDERS, "libraries", "rss"):
        print(f"  {name:12} {(during[name] - before[name]) / here:8.1f} bytes each")
    print(f"  by ledger    {sum(during[name] - before[name] for name in HOLDERS) / here:8.1f} bytes each")
    for one in opened:
        one.close()
    time.sleep(25)
    after = look(server)
    print(f"  RSS: {before['rss'] / 1048576:.1f} MiB before, {during['rss'] / 1048576:.1f} with them, {after['rss'] / 1048576:.1f} 25 s later")


if __name__ == "__main__":
    main()
