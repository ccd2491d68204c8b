"""Files that a dying machine left half written, or a dying disk left wrong.

Two answers are right: to start with a prefix of what was written and to say that something is missing, or not to start and to say
why. A wrong answer (a hole, other bytes, a number used twice) never is.
"""

import re
import struct

import pytest

from harness.api import Api
from harness.packets import Kind
from harness.server import START_LIMIT

pytestmark = pytest.mark.jingu_only(reason="about Jingu's files")

CHANNELS, EACH = 3, 250
TELLS = re.compile(r"corrupt|torn|truncat|checksum|lost|drop|recover|damaged|incomplete|no such file", re.IGNORECASE)


def content(channel: str, index: int) -> bytes:
    return f"{channel}/{index}/".encode() * (1 + index % 40)


@pytest.fixture
def written(start_server, login, name):
    """A server that was killed after many acknowledged messages, some of them before a restart, and their channels."""
    server = start_server(disableEncryption=True)
    anna = login(name("anna"), server)
    channels = [name(f"peer{i}n") for i in range(CHANNELS)]
    for at in range(0, EACH, 25):
        if at == 50:
            server.restart()
            anna = login(anna.uid, server)
        sends = [anna.prepare(channel, content(channel, index), client_msg_no=str(index))
                 for index in range(at, at + 25) for channel in channels]
        anna.write(*sends)
        for send in sends:
            assert anna.sendack(send).reason == 1
    server.kill()
    return server, anna.uid, channels


def newest_log(server):
    logs = [path for path in server.data.rglob("*.log") if path.stem.isdigit()]
    assert logs, "no write-ahead log where one was expected"
    return max(logs, key=lambda path: (path.stat().st_mtime, path.name))


BLOCK, HEADER = 32768, struct.Struct("<IHB")  # of RocksDB's log: checksum, size, and which part of a record it is
WHOLE, LAST = 1, 4


def records(path) -> list[tuple[int, int]]:
    """Where each record begins and ends. Behind the last one there are zeros, or nothing."""
    data, found, at, begin = path.read_bytes(), [], 0, None
    while at + HEADER.size <= len(data):
        if BLOCK - at % BLOCK < HEADER.size:  # no header fits in there
            at += BLOCK - at % BLOCK
            continue
        _, size, part = HEADER.unpack_from(data, at)
        if part == 0:
            break
        begin = at if begin is None else begin
        at += HEADER.size + size
        if part in (WHOLE, LAST):
            found.append((begin, at))
            begin = None
    return found


def used_size(path) -> int:
    return records(path)[-1][1]


def flip(path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(bytes(data))


def start_or_refuse(server) -> bool:
    """True when it runs. When it does not, it has said something about it."""
    before = len(server.log())
    server.launch()
    try:
        server.wait_ready()
        return True
    except AssertionError:
        assert server.process.poll() not in (None, 0), f"neither ready nor ended after {START_LIMIT} s"
        assert server.process.returncode > 0, f"died of signal {-server.process.returncode}\n{server.log_tail()}"
        server.process = None
        assert TELLS.search(server.log()[before:]), f"refused without saying why\n{server.log_tail()}"
        return False


def check_prefixes(server, uid, channels) -> list[int]:
    """Every channel holds a prefix of what was written, byte for byte. Gives the lengths."""
    api, lengths = Api(server), []
    for channel in channels:
        history = api.history(uid, channel)
        assert [m["message_seq"] for m in history] == list(range(1, len(history) + 1))
        assert [m["plain"] for m in history] == [content(channel, index) for index in range(len(history))]
        lengths.append(len(history))
    return lengths


def check_life_goes_on(server, login, uid, channels, lengths) -> None:
    anna = login(uid, server)
    for channel, length in zip(channels, lengths):
        ack = anna.tell(channel, content(channel, length), client_msg_no=f"later {length}")
        assert ack.message_seq == length + 1
        if length:
            again = anna.tell(channel, b"", client_msg_no="0")
            assert again.message_seq == 1, "what is there is remembered"
    assert not anna.pending(Kind.DISCONNECT)
    server.restart()
    assert check_prefixes(server, uid, channels) == [length + 1 for length in lengths]


@pytest.mark.parametrize("where", ["first record", "first record", "first record", "anywhere", "anywhere", "anywhere", "anywhere"])
def test_the_log_is_cut_at_a_random_byte(written, login, rng, where):
    server, uid, channels = written
    log = newest_log(server)
    # Not between two records: there nothing is torn that would tell.
    begin, end = records(log)[0]
    if where == "anywhere":
        at = rng.randrange(used_size(log))
        begin, end = next((begin, end) for begin, end in records(log) if at < end)
    with open(log, "r+b") as file:
        file.truncate(rng.randrange(begin + 1, end))
    before = len(server.log())
    if start_or_refuse(server):
        lengths = check_prefixes(server, uid, channels)
        if lengths != [EACH] * CHANNELS:
            assert TELLS.search(server.log()[before:]), f"{lengths} of {EACH} left and not a word about it\n{server.log_tail()}"
        check_life_goes_on(server, login, uid, channels, lengths)


@pytest.mark.parametrize("attempt", range(4))
def test_a_byte_of_the_log_is_flipped(written, login, rng, attempt):
    server, uid, channels = written
    log = newest_log(server)
    flip(log, rng.randrange(used_size(log)))
    before = len(server.log())
    if start_or_refuse(server):
        lengths = check_prefixes(server, uid, channels)
        if lengths != [EACH] * CHANNELS:
            assert TELLS.search(server.log()[before:]), f"{lengths} of {EACH} left and not a word about it\n{server.log_tail()}"
        check_life_goes_on(server, login, uid, channels, lengths)


def test_a_loss_is_refused_until_somebody_accepts_it(written, login):
    server, uid, channels = written
    log = newest_log(server)
    flip(log, next(begin for begin, end in records(log) if end > used_size(log) // 2))
    assert not start_or_refuse(server), "acknowledged records stand behind the damage"
    assert "--accept-loss" in server.log()
    server.arguments = ["--accept-loss"]
    server.start()
    lengths = check_prefixes(server, uid, channels)
    assert all(0 < length < EACH for length in lengths)
    assert "log_tail_dropped" in server.log()
    server.arguments = []
    check_life_goes_on(server, login, uid, channels, lengths)


def test_garbage_behind_the_end_of_the_log(written, login, rng):
    server, uid, channels = written
    log = newest_log(server)
    size = used_size(log)
    with open(log, "r+b") as file:
        file.seek(size)
        file.write(rng.randbytes(5000))
    if start_or_refuse(server):
        lengths = check_prefixes(server, uid, channels)
        assert lengths == [EACH] * CHANNELS, "everything acknowledged stood in front of the garbage"
        check_life_goes_on(server, login, uid, channels, lengths)


def test_a_byte_of_a_table_is_flipped(written, rng):
    server, uid, channels = written
    for _ in range(2):
        server.start()
        server.stop()
    tables = list(server.data.rglob("*.sst"))
    if not tables:
        pytest.skip("nothing was written into tables yet")
    table = max(tables, key=lambda path: path.stat().st_size)
    flip(table, rng.randrange(table.stat().st_size))
    if not start_or_refuse(server):
        return
    api = Api(server)
    for channel in channels:
        reply = api.post("/channel/messagesync", {"login_uid": uid, "channel_id": channel, "channel_type": 1,
                                                  "start_message_seq": 1, "limit": EACH, "pull_mode": 1})
        if reply.status == 200:
            import base64
            assert [base64.b64decode(m["payload"]) for m in reply.body["messages"]] == \
                [content(channel, index) for index in range(EACH)]


@pytest.mark.parametrize("victim", ["CURRENT", "MANIFEST-*"])
@pytest.mark.parametrize("damage", ["empty", "missing", "noise"])
def test_a_directory_without_its_index_is_refused(written, rng, victim, damage):
    server, uid, channels = written
    found = list(server.data.rglob(victim))
    assert found
    for path in found:
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(b"" if damage == "empty" else rng.randbytes(100))
    assert not start_or_refuse(server), "an empty server in place of a damaged one is a wrong answer"
