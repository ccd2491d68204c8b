"""Who has the memory, profiles that standard tools read, and a burst that is given back (docs/memory.md)."""

import base64
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import threading
import urllib.error
import urllib.request

import pytest

from harness.api import Api
from harness.packets import Kind
from harness.server import BINARY, SHARDS
from harness.streams import Closed
from harness.waiting import SCALE, SOON, eventually

pytestmark = pytest.mark.jingu_only(reason="the original has no ledger")

MIB = 1 << 20
IS_SANITIZED = "asan" in str(BINARY) or "tsan" in str(BINARY)


def fetch(server, path: str, token: str = "", within: float = SOON) -> bytes:
    request = urllib.request.Request(server.url + path, headers={"token": token} if token else {})
    with urllib.request.urlopen(request, timeout=within) as answer:
        return answer.read()


def ledger(server) -> dict:
    return json.loads(fetch(server, "/ledger"))


def holder(server, part: str, name: str) -> dict:
    return next(line for line in ledger(server)["holders"] if (line["part"], line["holder"]) == (part, name))


def test_every_holder_is_in_the_ledger_and_the_sum_is_told(server, api):
    api.send(b"hello", api.group("watched", "u1", "u2"), from_uid="u1")
    told = ledger(server)
    assert told["budget"] == 256 * MIB
    assert 0 < told["resident"] <= told["resident_peak"]
    assert told["unaccounted"] == told["resident"] - told["ledger"]
    names = {(line["part"], line["holder"]) for line in told["holders"]}
    assert {("shard", "connections"), ("shard", "messages"), ("http", "http_requests"), ("node", "committer"),
            ("store", "memtables"), ("store", "block_cache"), ("process", "code"), ("process", "libraries")} <= names
    assert {line["index"] for line in told["holders"] if line["part"] == "shard"} == set(range(SHARDS))
    assert all({"used", "peak", "limit", "refused", "given_back"} <= line.keys() for line in told["holders"])


def test_what_waits_for_the_back_end_is_in_the_ledger(start_server):
    server = start_server(webhook={"httpAddr": "http://127.0.0.1:9/hook"})
    assert "webhook" in {line["part"] for line in ledger(server)["holders"]}


def channel_of(server, channel_id: str) -> dict:
    top = json.loads(fetch(server, "/ledger/top"))
    return next((entry for entry in top["channels"] if entry["name"] == channel_id), {"bytes": 0})


def test_the_largest_connections_users_and_channels_are_told(start_server, login, name):
    server = start_server()  # where nobody else is larger
    api = Api(server)
    big = login(name("big"), server, device_id="d" * 1000)
    group = api.group(name("many"), *[f"member{i}" for i in range(2000)])
    api.send(b"hello", group, from_uid="member0")
    eventually(lambda: channel_of(server, group)["bytes"] >= 2000 * 8)  # its list is read when it is delivered
    top = json.loads(fetch(server, "/ledger/top"))
    for kind in ["connections", "users", "channels"]:
        sizes = [entry["bytes"] for entry in top[kind]]
        assert sizes == sorted(sizes, reverse=True) and len(sizes) <= 50
    assert big.uid in [entry["name"] for entry in top["users"]]
    assert big.uid in [entry["name"] for entry in top["connections"]]
    assert channel_of(server, group)["channel_type"] == 2


def held_by_clients(server) -> int:
    """What connections, users and sessions have, in all shards. Each is asked for its connections first: an answer that it has written
    before is in no buffer any more."""
    Api(server).get("/connz").bare()
    return sum(line["used"] for line in ledger(server)["holders"]
               if line["part"] == "shard" and line["holder"] in ("connections", "sessions"))


def test_an_idle_connection_costs_half_a_kibibyte(start_server, login):
    server = start_server()
    before = held_by_clients(server)
    for i in range(100):
        login(f"idle{i:04}", server)
    assert held_by_clients(server) - before <= 100 * 512


def test_what_is_remembered_of_messages_goes_when_they_are_acknowledged(start_server, login, name):
    server = start_server(messageRetry={"interval": "1s", "scanInterval": "1s"})
    anna, bob = login(name("anna"), server), login(name("bob"), server)
    idle = held_by_clients(server)
    anna.tell(bob.uid, b"hello")
    eventually(lambda: held_by_clients(server) > idle)  # until it is acknowledged, and a little longer
    assert bob.receive().plain == b"hello"
    eventually(lambda: held_by_clients(server) <= idle)
    anna.tell(bob.uid, b"again")
    bob.expect(Kind.RECV, where=lambda message: message.plain == b"again")  # the first may have come again on a slow machine


def test_the_ledger_is_in_the_metrics_and_is_drawn(server):
    metrics = fetch(server, "/metrics").decode()
    assert re.search(r"^jingu_memory_resident_bytes [1-9]", metrics, re.M)
    assert re.search(r'^jingu_ledger_used_bytes\{part="store",holder="memtables"\} \d', metrics, re.M)
    assert 'jingu_alarm{alarm="holder-full"} 0' in metrics
    assert b"svg" in fetch(server, "/ledger/page")
    history = json.loads(fetch(server, "/ledger/history"))
    assert history["hour"]["seconds_per_point"] == 10
    assert history["week"]["seconds_per_point"] == 1800


def test_pages_about_the_server_want_the_token_where_there_is_one(start_server):
    server = start_server(managerToken="secret")
    for path in ["/ledger", "/debug/pprof/heap", "/debug/pprof/threads"]:
        with pytest.raises(urllib.error.HTTPError):
            fetch(server, path)
        assert fetch(server, path, token="secret")


@pytest.fixture
def sampled(start_server, monkeypatch):
    """A server of whose heap every few kilobytes are sampled, so that also little of one kind is seen for sure."""
    monkeypatch.setenv("MALLOC_CONF", "lg_prof_sample:12")
    return start_server()


@pytest.mark.skipif(IS_SANITIZED, reason="a sanitizer's heap has no profile")
def test_the_heap_profile_is_in_the_form_that_pprof_and_jeprof_read(sampled, tmp_path):
    server = sampled
    text = fetch(server, "/debug/pprof/heap?base=mark").decode()
    assert re.match(r"heap profile: \d+: \d+ \[\d+: \d+\] @ heap_v2/\d+\n", text)
    assert re.search(r"^\d+: \d+ \[\d+: \d+\] @ 0x", text, re.M)
    assert "MAPPED_LIBRARIES" in text and "jingu" in text
    grown = fetch(server, "/debug/pprof/heap?base=last").decode()
    assert re.search(r"^-\d+: -\d+ \[0: 0\] @ 0x", grown, re.M)
    if shutil.which("jeprof"):
        (tmp_path / "heap").write_text(text)
        top = subprocess.run(["jeprof", "--text", BINARY, tmp_path / "heap"], capture_output=True, text=True, check=True)
        assert "heap_acquire" in top.stdout or "memory_acquire" in top.stdout


def top_by_go(server, page: str, directory) -> str:
    command = ["go", "tool", "pprof", "-symbolize=remote", "-top", "-nodefraction=0", "-nodecount=1000", server.url + page]
    return subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "PPROF_TMPDIR": str(directory)}).stdout


@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")
@pytest.mark.skipif(IS_SANITIZED, reason="a sanitizer's heap has no profile")
def test_go_opens_both_profiles_and_shows_our_functions(sampled, name, tmp_path):
    server, api = sampled, Api(sampled)
    assert "command_serve" in top_by_go(server, "/debug/pprof/heap", tmp_path)
    is_over = threading.Event()

    def work():
        while not is_over.is_set():
            api.send(b"hello", name("bob"), 1, from_uid=name("anna"))

    worker = threading.Thread(target=work)
    worker.start()

    def has_our_functions():
        """In two seconds in which the server had a core."""
        top = top_by_go(server, "/debug/pprof/profile?seconds=2", tmp_path)
        assert "Type: cpu" in top
        return {"core_run", "journal_run", "thread_main"} & {line.split()[-1].split(".")[0] for line in top.splitlines() if line.strip()}

    try:
        eventually(has_our_functions)
    finally:
        is_over.set()
        worker.join()


def test_a_cpu_profile_is_taken_while_the_server_works(server, api):
    profile = fetch(server, "/debug/pprof/profile?seconds=1", within=SOON + 5)
    words = struct.unpack_from("5Q", profile)
    assert words == (0, 3, 0, 10000, 0)
    assert b"r-xp" in profile


def threads_that_tell(server) -> str:
    """The threads, most of them with a stack: each has 50 ms to tell its own, and needs a core for that."""
    def told():
        text = fetch(server, "/debug/pprof/threads").decode()
        return text if len(re.findall(r"PC: 0x", text)) >= SHARDS + 3 else None

    return eventually(told)


def test_the_server_names_the_functions_of_a_profile(server):
    addresses = sorted(set(re.findall(r"0x0*([1-9a-f][0-9a-f]+)", threads_that_tell(server))))
    request = urllib.request.Request(server.url + "/debug/pprof/symbol", method="POST",
                                     data="+".join("0x" + address for address in addresses).encode())
    with urllib.request.urlopen(request, timeout=SOON) as answer:
        names = set(line.split(" ", 1)[1] for line in answer.read().decode().splitlines())
    assert {"core_run", "readers_run", "journal_run"} & {name.split(".")[0] for name in names}


def test_every_thread_says_what_it_does(server):
    assert {"shard-0", "committer", "http"} <= set(re.findall(r"name: ([\w/:-]+)", threads_that_tell(server)))


def test_the_index_tells_how(server):
    assert b"go tool pprof" in fetch(server, "/debug/pprof/")


@pytest.mark.slow
def test_what_a_burst_has_taken_is_given_back_when_it_is_quiet(start_server):
    server = start_server()
    api = Api(server)
    group = api.group("burst", "u0", "u1")
    for i in range(900):  # less than one memtable, which RocksDB would write by itself
        api.send(b"x" * 4000, group, from_uid=f"u{i % 2}")
    taken = holder(server, "store", "memtables")
    assert taken["used"] + taken["given_back"] > 2 * MIB  # a slow burst looks quiet in between
    eventually(lambda: holder(server, "store", "memtables")["given_back"] > 2 * MIB, within=60 * SCALE, every=1)
    eventually(lambda: holder(server, "store", "memtables")["used"] < 2 * MIB)
    api.send(b"again", group, from_uid="u0")
    assert len(api.history("u0", group, 2)) == 901


def test_forty_eight_mebibytes_are_enough_to_chat(start_server, login, name):
    server = start_server(memory="48M", shards=2)
    anna, bob = login(name("anna"), server), login(name("bob"), server)
    anna.tell(bob.uid, b"x" * 20000)
    assert bob.receive().plain == b"x" * 20000
    if not IS_SANITIZED:
        assert ledger(server)["resident_peak"] < 48 * MIB


@pytest.mark.parametrize("size", [100_000, 700_000])
@pytest.mark.parametrize("dialect", ["binary", "json"])
def test_with_little_memory_a_large_message_is_taken_or_ends_its_connection(start_server, login, login_json, name, dialect, size):
    """It never waits for room that there will never be."""
    server = start_server(memory="48M", shards=1, maxConnections=300)
    bob = login(name("bob"), server)
    anna = (login if dialect == "binary" else login_json)(name("anna"), server)
    with contextlib.suppress(Closed):  # before all of it is written, perhaps
        if dialect == "binary":
            anna.send(bob.uid, b"x" * size)
        else:
            payload = base64.b64encode(b"x" * size).decode()
            anna.write({"method": "send", "id": "s", "params": {"channelId": bob.uid, "channelType": 1, "payload": payload}})
    if size == 100_000:
        assert bob.receive().plain == b"x" * size
    else:
        anna.expect_close()
    assert bob.is_open()


def plain_of(message) -> bytes:
    return message["plain"] if isinstance(message, dict) else message.plain


@pytest.mark.parametrize("dialect", ["binary", "json"])
def test_with_little_memory_every_message_that_was_taken_arrives(start_server, login, login_json, name, dialect):
    """And so does what is behind it."""
    server = start_server(memory="48M", shards=1, maxConnections=300)
    anna = login(name("anna"), server)
    for size in [120_000, 160_000, 190_000, 210_000, 230_000]:
        bob = (login if dialect == "binary" else login_json)(name(f"bob{size}"), server)
        anna.tell(bob.uid, b"x" * size)
        anna.tell(bob.uid, b"behind it")
        assert len(plain_of(bob.receive())) == size
        assert plain_of(bob.receive()) == b"behind it"
        bob.close()


def test_answers_that_grow_do_not_wait_for_each_other(start_server):
    """Each is read into a small buffer first, and none may keep it while it waits for a large one."""
    server = start_server(memory="66M", shards=1)
    api = Api(server)
    for index in range(24):
        api.send(b"x" * 40_000, "bob", 1, from_uid="anna")
    body = json.dumps({"login_uid": "anna", "channel_id": "bob", "channel_type": 1, "limit": 1000}).encode()
    head = b"POST /channel/messagesync HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    connections = [socket.create_connection(("127.0.0.1", server.http_port), timeout=20 * SCALE) for _ in range(12)]
    for connection in connections:
        connection.sendall(head + body)
    for connection in connections:
        with connection:
            answer = b"".join(iter(lambda: connection.recv(65536), b""))  # noqa: B023
        assert answer.startswith(b"HTTP/1.1 200")


def test_what_does_not_fit_is_refused_with_what_would(tmp_path):
    def explain(**environment) -> subprocess.CompletedProcess:
        return subprocess.run([BINARY, "serve", "--explain-memory"], capture_output=True, text=True,
                              env={"WK_ROOTDIR": str(tmp_path), "WK_SHARDS": "2", **environment})

    refused = explain(WK_MEMORY="48M", WK_SHARDS="8")
    assert refused.returncode == 2
    smallest = re.search(r"smallest that would is (\d+) MiB", refused.stderr).group(1)
    assert explain(WK_MEMORY=f"{smallest}M", WK_SHARDS="8").returncode == 0
    refused = explain(WK_MEMORY="64M", WK_MAXCONNECTIONS="10000")
    assert refused.returncode == 2
    most = re.search(r"maxConnections of at most (\d+)", refused.stderr).group(1)
    assert explain(WK_MEMORY="64M", WK_MAXCONNECTIONS=most).returncode == 0


# -- held by the kernel -------------------------------------------------------------------------------------------------

CGROUPS = pathlib.Path("/sys/fs/cgroup/memory")  # version 1
KERNEL_PART = 24 * MIB  # page tables, slabs, and pages of files on their way to the disk; sockets of the few clients of this test


@pytest.fixture
def cgroup(tmp_path):
    path = CGROUPS / f"jingu-{tmp_path.parent.name}-{os.getpid()}"
    try:
        path.mkdir()
    except OSError:
        pytest.skip("may not make a memory cgroup here")
    yield path
    for pid in (path / "cgroup.procs").read_text().split():  # of a test that failed
        (CGROUPS / "cgroup.procs").write_text(pid)
    path.rmdir()


@pytest.mark.skipif(IS_SANITIZED, reason="a sanitizer takes more than it is given")
@pytest.mark.timeout(120)
def test_a_control_group_of_that_size_never_kills(start_server, cgroup):
    (cgroup / "memory.limit_in_bytes").write_text(str(64 * MIB + KERNEL_PART))
    server = start_server.prepare(memory="64M")
    server.launch()
    (cgroup / "cgroup.procs").write_text(str(server.process.pid))
    server.wait_ready()

    burst = subprocess.run([BINARY, "bench", "person", "--tcp", f"127.0.0.1:{server.tcp_port}", "--pairs", "30", "--rate", "2000",
                            "--payload", "2000", "--warmup", "0", "--seconds", "2", "--drain", "3"], capture_output=True, text=True, timeout=100)

    assert "delivered" in burst.stdout, burst.stdout + burst.stderr
    assert server.running()
    assert "under_oom 0" in (cgroup / "memory.oom_control").read_text()
    assert ledger(server)["resident_peak"] <= 64 * MIB
    server.stop()
