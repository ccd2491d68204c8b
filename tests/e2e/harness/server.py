"""A server process under test: its configuration, its ports, its life and its log.

The same class starts Jingu and, with E2E_TARGET=reference, the server whose behaviour the protocol description was taken from;
so every test can be tried on the reference first.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import pathlib
import random
import shlex
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from .waiting import SCALE, eventually

ROOT = pathlib.Path(__file__).resolve().parents[3]
REFERENCE = os.environ.get("E2E_TARGET", "jingu") == "reference"
REFERENCE_COMMAND = os.environ.get("E2E_REFERENCE_CMD", "wukongim --config {config}")
BINARY = pathlib.Path(os.environ.get("JINGU_BIN", ROOT / "build/release/src/cli/jingu"))
SHARDS = int(os.environ.get("JINGU_SHARDS", "2"))

START_LIMIT = 60 * SCALE
STOP_LIMIT = 15 * SCALE

# Below Linux's range for outgoing connections, so that no client socket takes a port between our choice and the server's bind. Each worker
# of a run has a part of them and takes them in turn, so that no other server takes it either: not before the bind, and not while a
# server or a receiver is down for a moment.
_PORTS = range(20000, 32000)
_PARTS = 8
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

_COMPLAINTS = ("Sanitizer", "runtime error:", "assertion failed", "ASSERT")


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _ports_in_turn():
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    part = int(worker[2:]) % _PARTS if worker[2:].isdigit() else random.SystemRandom().randrange(_PARTS)
    own = _PORTS[part * len(_PORTS) // _PARTS:(part + 1) * len(_PORTS) // _PARTS]
    at = random.SystemRandom().randrange(len(own))
    return itertools.cycle(itertools.chain(own[at:], own[:at]))


_port_in_turn = _ports_in_turn()


def free_ports(count: int) -> list[int]:
    ports: list[int] = []
    while len(ports) < count:
        port = next(_port_in_turn)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
    return ports


def _yaml(value, indent: int = 0) -> str:
    lines = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines.append(" " * indent + f"{key}:\n" + _yaml(item, indent + 2))
        elif isinstance(item, list):
            lines.append(" " * indent + f"{key}: {json.dumps(item)}\n")
        elif isinstance(item, str):
            lines.append(" " * indent + f"{key}: {json.dumps(item, ensure_ascii=False)}\n")
        else:
            lines.append(" " * indent + f"{key}: {json.dumps(item)}\n")
    return "".join(lines)


def merged(base: dict, changes: dict) -> dict:
    result = dict(base)
    for key, value in changes.items():
        result[key] = merged(result[key], value) if isinstance(value, dict) and isinstance(result.get(key), dict) else value
    return result


class Server:
    def __init__(self, directory: pathlib.Path, **settings):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.tcp_port, self.ws_port, self.http_port, self.wss_port, self.tls_port, *self._spare = free_ports(8)
        self.data = self.directory / "data"
        self.log_path = self.directory / "log"
        self.config_path = self.directory / "config.yaml"
        self.settings = merged(self._defaults(), settings)
        self.arguments: list[str] = []  # behind the file
        self.process: subprocess.Popen | None = None
        self.starts = 0

    def _defaults(self) -> dict:
        settings = {
            "mode": "release",
            "rootDir": str(self.directory / "root"),
            "dataDir": str(self.data),
            "addr": f"tcp://127.0.0.1:{self.tcp_port}",
            "wsAddr": f"ws://127.0.0.1:{self.ws_port}",
            "httpAddr": f"127.0.0.1:{self.http_port}",
            "external": {"ip": "127.0.0.1"},
            "manager": {"on": False, "addr": f"127.0.0.1:{self._spare[0]}"},
            "demo": {"on": False, "addr": f"127.0.0.1:{self._spare[1]}"},
            "logger": {"dir": str(self.directory / "logs")},
        }
        if REFERENCE:
            peer = f"127.0.0.1:{self._spare[2]}"
            settings["cluster"] = {"nodeId": 1001, "addr": f"tcp://{peer}", "serverAddr": peer}
            settings["plugin"] = {"socketPath": str(self.directory / "plugin.sock")}
        else:
            settings["shards"] = SHARDS
        return settings

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.ws_port}"

    # -- life --------------------------------------------------------------------------------------------------------

    def command(self) -> list[str]:
        if REFERENCE:
            return shlex.split(REFERENCE_COMMAND.format(config=self.config_path))
        return [str(BINARY), "serve", "--config", str(self.config_path), *self.arguments]

    def launch(self) -> None:
        """Starts the process and does not wait."""
        assert self.process is None, "already started"
        self.config_path.write_text(_yaml(self.settings))
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("WK_")} | {"HOME": str(home)}
        with open(self.log_path, "ab") as log:
            self._log_begins = log.tell()
            log.write(f"--- start {self.starts + 1}\n".encode())
            log.flush()
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                            cwd=self.directory, env=environment, preexec_fn=_die_with_parent)
        self.starts += 1
        self._launched = time.monotonic()

    def start(self) -> "Server":
        self.launch()
        self.wait_ready()
        return self

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_LIMIT
        while not (self.healthy() and (self._reference_has_settled() if REFERENCE else self._has_said_started())):
            if self.process.poll() is not None:
                raise AssertionError(f"server ended with {self.process.returncode} instead of starting\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"server not ready after {START_LIMIT:.0f} s\n{self.log_tail()}")
            time.sleep(0.01)

    def healthy(self) -> bool:
        request = urllib.request.Request(self.url + "/health", headers={"token": self.settings.get("managerToken", "")})
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(request, timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def _has_said_started(self) -> bool:
        """It answers before its log tells that it has started, and its last words at a start come after that."""
        return "Send your first message" in self.log_path.read_bytes()[self._log_begins:].decode(errors="replace")

    def _reference_has_settled(self) -> bool:
        """The reference says it is healthy some elections before it can store anything."""
        return time.monotonic() - self._launched > 3

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Asks for an orderly end and insists on exit code 0."""
        assert self.process is not None
        assert self.running(), f"server had already ended with {self.process.returncode}\n{self.log_tail()}"
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self.process = None
            raise AssertionError(f"server still ran {STOP_LIMIT:.0f} s after SIGTERM\n{self.log_tail()}") from None
        self.process = None
        assert code == 0 or REFERENCE, f"exit code {code} after SIGTERM\n{self.log_tail()}"
        assert not self.complaints(), f"the server complained\n{self.complaints()}"

    def freeze(self) -> None:
        """Nothing of its own code runs any more when this returns; what the kernel is doing for it with the disk goes on."""
        self.process.send_signal(signal.SIGSTOP)
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")

        def stands_still() -> bool:
            try:
                return all(stat.read_text().rpartition(")")[2].split()[0] in "TDZ" for stat in tasks.glob("*/stat"))
            except OSError:
                return False  # a thread has ended meanwhile

        eventually(stands_still, every=0)

    def kill(self) -> None:
        """kill -9: nothing is flushed, nobody is told."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def restart(self) -> "Server":
        self.stop()
        return self.start()

    # -- what it said and what it holds ---------------------------------------------------------------------------------

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines: int = 40) -> str:
        return "\n".join(self.log().splitlines()[-lines:])

    def complaints(self) -> str:
        if REFERENCE:
            return ""
        return "\n".join(line for line in self.log().splitlines() if any(word in line for word in _COMPLAINTS))

    def resident_bytes(self) -> int:
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")
