"""`jingu soak` notices what is wrong: memory, sockets, and what the honest suffer.

What misbehaves is a stand-in: the process that soak watches is a script of ours that leaks on purpose, or the server is behind a
proxy that loses, doubles, swaps and delays. That a healthy server passes, beside all attacks, is what tests/soak/run shows.
"""

import json
import socket
import subprocess
import sys

import pytest

from harness.faulty_proxy import FaultyProxy, delays_recv, doubles_recv, drops_recv, swaps_recv
from harness.server import BINARY, REFERENCE
from harness.waiting import SCALE

pytestmark = [
    pytest.mark.tool,
    pytest.mark.skipif(not BINARY.exists(), reason="soak is part of the server's binary"),
    pytest.mark.skipif(REFERENCE, reason="what soak is tried on must have no faults of its own"),
    pytest.mark.skipif("asan" in str(BINARY) or "tsan" in str(BINARY), reason="a sanitizer makes the tool late"),
]

ALL_WELL, FAULTS, NOT_PLAYED = 0, 1, 2
PATIENT = ["--p99", int(5000 * SCALE)]  # a busy machine is no fault
SHORT = ["--attack", 1, "--rest", 1, "--settle", 1, "--back", 1, "--within", 20, "--drain", 4]


class Verdict:
    def __init__(self, process: subprocess.CompletedProcess, file):
        self.status = process.returncode
        self.text = process.stdout + process.stderr
        self.json = json.loads(file.read_text()) if file.exists() else {}
        self.faults = " | ".join(self.json.get("faults", []))


@pytest.fixture
def soak(tmp_path):
    def soak_(*arguments) -> Verdict:
        file = tmp_path / "figures.json"
        command = [BINARY, "soak", "--json", file, "--quiet", "--seed", 1, "--scenario", "honest", *SHORT, *arguments]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=160 * SCALE)
        return Verdict(done, file)

    return soak_


@pytest.fixture
def stand_in():
    """Starts a script that soak watches instead of the server; it begins to misbehave at once."""
    started = []

    def start(script: str) -> int:
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        started.append(process)
        process.stdout.readline()
        return process.pid

    yield start
    for process in started:
        process.kill()
        process.wait()


READY = "import socket, time; print('ready', flush=True); held = []\n"
STEADY = READY + "time.sleep(600)"
LEAKS = READY + "while True: held.append((bytearray(b'x' * (1 << 18)), socket.socket())); time.sleep(0.05)"
ENDS = READY + "time.sleep(1.5)"


def target(port):
    return ["--target", f"127.0.0.1:{port}", *PATIENT]


# -- the process -------------------------------------------------------------------------------------------------------


def test_a_process_that_leaks_is_seen_to(soak, server, stand_in):
    run = soak(*target(server.tcp_port), "--pid", stand_in(LEAKS), "--cycles", 6, "--budget", 1, "--drain", 1)

    assert run.status == FAULTS
    for fault in ("RSS grows", "not within 20 %", "sockets are left over", "above the budget of 1 MiB"):
        assert fault in run.faults, run.text


def test_a_process_that_ends_is_seen_to(soak, server, stand_in):
    run = soak(*target(server.tcp_port), "--pid", stand_in(ENDS), "--cycles", 2)

    assert run.status == FAULTS
    assert "process ended" in run.faults


def test_a_process_that_does_neither_is_well(soak, server, stand_in):
    run = soak(*target(server.tcp_port), "--pid", stand_in(STEADY), "--cycles", 1)

    assert run.status == ALL_WELL, run.text
    assert run.json["honest"]["honest"]["delivered"] == run.json["honest"]["honest"]["sent"] > 0
    assert run.json["run"]["curve_ms_kib"]


# -- the honest --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault, words", [(drops_recv, "lost"), (doubles_recv, "doubled"), (swaps_recv, "out of order")])
def test_what_the_honest_suffer_is_seen(soak, clear_server, fault, words):
    proxy = FaultyProxy(clear_server.tcp_port, fault)
    run = soak(*target(proxy.port), "--cycles", 1)
    proxy.close()

    assert proxy.done > 0
    assert run.status == FAULTS
    assert words in run.faults, run.text


def test_lateness_is_seen(soak, clear_server):
    proxy = FaultyProxy(clear_server.tcp_port, delays_recv)
    run = soak("--target", f"127.0.0.1:{proxy.port}", "--cycles", 1)
    proxy.close()

    assert run.json["honest"]["honest"]["deliveries"]["p99_us"] > 100_000
    assert "p99" in run.faults or "latency is not judged" in run.text


# -- what it refuses to play -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [
    ["--target", "192.0.2.1:5100"], ["--nonsense"], ["--scenario", "nonsense"], ["--cycles", "0"], ["--pid", "1"],
    ["--quick", "--hours", "1"], ["--seed", "x"], ["--json"],
])
def test_what_it_does_not_understand_it_does_not_play(arguments):
    refused = subprocess.run([str(BINARY), "soak", *arguments], capture_output=True, text=True, timeout=30 * SCALE)

    assert refused.returncode == NOT_PLAYED
    assert refused.stderr.startswith("jingu soak: ") or "jingu bench: " in refused.stderr


def test_nobody_there_is_not_a_result(soak):
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    run = soak(*target(port), "--cycles", 1)

    assert run.status == FAULTS
    assert "could not log in" in run.faults
