"""What bench/rows and bench/lines share: a fresh server for each measurement, and `jingu bench` against it."""

import contextlib
import json
import os
import pathlib
import platform
import re
import signal
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = ROOT / "build/release/src/cli/jingu"
FLOOR = ROOT / "build/release/bench/floor"


def machine():
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


class Server:
    """A server that answers: its addresses and its process."""

    def __init__(self, tcp, http, pid):
        self.tcp, self.http, self.pid = tcp, http, pid

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mib(self):
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.pid}/status").read_text())[1]) / 1024


def _free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _wait_until_healthy(http, process):
    while process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://{http}/health", timeout=5).close()
            return
        time.sleep(0.01)
    raise SystemExit(f"the server ended with {process.returncode} before it answered")


@contextlib.contextmanager
def serve(directory, shards, binary=BINARY, **settings):
    """A server over what is in the directory, stopped at the end; settings as WK_… variables, without the prefix."""
    tcp, ws, http, manager = _free_ports(4)
    environment = dict(
        os.environ, WK_ADDR=f"tcp://127.0.0.1:{tcp}", WK_WSADDR=f"ws://127.0.0.1:{ws}", WK_HTTPADDR=f"127.0.0.1:{http}",
        WK_MANAGER_ADDR=f"127.0.0.1:{manager}", WK_EXTERNAL_IP="127.0.0.1", WK_ROOTDIR=str(directory), WK_DATADIR=str(directory),
        WK_SHARDS=str(shards), **{f"WK_{name}": str(value) for name, value in settings.items()})
    with open(os.devnull, "w") as nowhere:
        process = subprocess.Popen([binary, "serve"], env=environment, stdin=subprocess.DEVNULL, stdout=nowhere, stderr=nowhere)
    try:
        _wait_until_healthy(f"127.0.0.1:{http}", process)
        yield Server(f"127.0.0.1:{tcp}", f"127.0.0.1:{http}", process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


@contextlib.contextmanager
def serve_fresh(shards, binary=BINARY, **settings):
    with tempfile.TemporaryDirectory(prefix="jingu-bench-") as directory, serve(directory, shards, binary, **settings) as server:
        yield server


def words(server, scenario, options):
    words = ["--tcp", server.tcp, "--pid", str(server.pid), "--quiet"]
    words += ["--http", server.http] if scenario in ("group", "sync", "mixed") else []
    for name, value in options.items():
        words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return words


def bench(server, scenario, binary=BINARY, **options):
    """The figures of one run, as `jingu bench --json` writes them. What went wrong is in them (`is_well`, `faults`)."""
    with tempfile.TemporaryDirectory(prefix="jingu-bench-") as directory:
        figures = pathlib.Path(directory) / "figures.json"
        command = [binary, "bench", scenario, *words(server, scenario, options), "--json", figures]
        done = subprocess.run(command, capture_output=True, text=True)
        if not figures.exists():
            raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")
        return json.loads(figures.read_text())


def floor(**options):
    """What the kernel alone takes (bench/floor.c): the figures that it prints, by their names."""
    with tempfile.TemporaryDirectory(prefix="jingu-bench-") as directory:
        command = [FLOOR, "--folder", directory]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        told = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout
    return {name: float(value) for name, _, value in (line.partition("\t") for line in told.splitlines())}


def at(figures, path):
    """figures["a"]["b"] for the path a.b; None when it is not there."""
    for name in path.split("."):
        if not isinstance(figures, dict) or name not in figures:
            return None
        figures = figures[name]
    return figures


def middle(values):
    """The median and how far the runs lie apart, or None for nothing."""
    values = [value for value in values if value is not None]
    return (statistics.median(values), min(values), max(values)) if values else None


def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
