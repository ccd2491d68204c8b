"""kill -9 under load, restart, and the question whether every promise was kept.

A campaign has rounds. In each, several sender processes pipeline SENDs to person and group channels and note every SENDACK; at a
random instant the server is killed. After the restart the senders repeat what was not acknowledged (and some of what was), and
then every channel is read back and compared with the notes:

  1. every acknowledged message is there, once, with the acknowledged id and sequence number and the right bytes;
  2. sequence numbers are contiguous from 1;
  3. a message whose acknowledgement was lost is stored once after the repeat;
  4. one sender's acknowledged messages stand in the order in which it sent them;
  5. nothing is there that nobody sent, and no message id twice.

One group lives through all rounds; the other channels are new in each, so that reading back stays cheap.

With a disk (small_disk.py) the server is killed while that is full: it may refuse then, with reason 15 or 22, and senders repeat what was
refused. It is also started on the full disk, where what it answers has to be right. Then there is room again, and the promises are those
above, but that (4) is asked of what was never refused. With is_power_cut it is the power that fails, under the server or while it
starts: the disk forgets what was not synced, and the server falls silent with it. Witnesses (witnesses.py) note what else is promised.
"""

from __future__ import annotations

import base64
import collections
import json
import multiprocessing
import random
import select
import socket
import struct
import threading
import time
import zlib
from dataclasses import dataclass, field

from .api import Api
from .packets import Connect, Flag, Kind, Recvack, Send, decode, encode
from .server import REFERENCE, START_LIMIT, Server
from .small_disk import MIB, SmallDisk
from .waiting import SOON

SUCCESS = 1
REFUSALS = {15, 22}  # of a full disk
PERSON, GROUP = 1, 2
FOR_EVER = "for-ever"

_SENDACK_HEAD = Kind.SENDACK << 4
_SENDACK = struct.Struct(">BBqIIB")
_WINDOW = 200
_BATCH = 40
_REPEAT_ONE_IN = 40


def payload_of(number: str) -> bytes:
    """Bytes that follow from the message's number, 30 to 600 of them, so that reading back can check them."""
    hashed = zlib.crc32(number.encode())
    return number.encode() + b":" + (b"%08x" % hashed) * (3 + hashed % 72)


def connect(port: int, uid: str) -> tuple[socket.socket, bytes]:
    """A connection that is logged in, and what came behind the CONNACK."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=SOON)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(encode(Connect(uid=uid, device_id=uid, client_key="A" * 43 + "=")))
    data = b""
    while True:
        found = decode(data)
        if found is not None:
            if found[0].kind != Kind.CONNACK or found[0].reason != SUCCESS:
                raise ConnectionError(f"refused: {found[0]}")
            connection.setblocking(False)
            return connection, data[found[1]:]
        received = connection.recv(4096)
        if not received:
            raise ConnectionError("closed during CONNECT")
        data += received


def connect_again(port: int, uid: str) -> tuple[socket.socket, bytes]:
    """The reference now and then forgets a CONNECT; a client would try again."""
    for _ in range(4 if REFERENCE else 0):
        try:
            return connect(port, uid)
        except OSError:
            continue
    return connect(port, uid)


@dataclass
class Note:
    """What one sender knows about one round."""

    uid: str
    sent: int = 0
    acked: dict[int, tuple[int, int]] = field(default_factory=dict)
    refused: dict[int, int] = field(default_factory=dict)  # and not asked for again
    ever_refused: set[int] = field(default_factory=set)
    contradictions: list[str] = field(default_factory=list)
    repeats: int = 0
    received: int = 0


class _Pipeline:
    """Keeps a window of SENDs in flight on one connection and books the answers."""

    def __init__(self, connected, note: Note, round_: int, channels: list[tuple[str, int]]):
        self.connection, self.received = connected
        self.note, self.round, self.channels = note, round_, channels
        self.waiting: dict[int, int] = {}
        self.client_seq = 0
        self.out = b""

    def number(self, index: int) -> str:
        return f"{self.round}-{self.note.uid}-{index}"

    def put(self, index: int) -> None:
        channel_id, channel_type = self.channels[index % len(self.channels)]
        number = self.number(index)
        self.client_seq += 1
        self.waiting[self.client_seq] = index
        self.out += encode(Send(flags=Flag.RED_DOT, client_seq=self.client_seq, client_msg_no=number, channel_id=channel_id,
                                channel_type=channel_type, payload=payload_of(number)))

    def turn(self, patience: float) -> None:
        """Writes what the socket takes, books what has arrived. Raises ConnectionError at the end."""
        readable, writable, _ = select.select([self.connection], [self.connection] if self.out else [], [], patience)
        if writable:
            try:
                self.out = self.out[self.connection.send(self.out):]
            except BlockingIOError:
                pass
        if readable:
            try:
                data = self.connection.recv(1 << 18)
            except BlockingIOError:
                return
            if not data:
                raise ConnectionError("closed")
            self._book(self.received + data)

    def _book(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            if data[at] & 0xF0 == _SENDACK_HEAD and at + _SENDACK.size <= len(data) and data[at + 1] == 17:
                _, _, message_id, client_seq, seq, reason = _SENDACK.unpack_from(data, at)
                self._answer(client_seq, message_id, seq, reason)
                at += _SENDACK.size
                continue
            found = decode(data[at:at + (1 << 16)])
            if found is None:
                break
            packet, used = found
            if packet.kind == Kind.RECV:
                self.note.received += 1
                self.out += encode(Recvack(flags=packet.flags, message_id=packet.message_id, message_seq=packet.message_seq))
            at += used
        self.received = data[at:]

    def _answer(self, client_seq: int, message_id: int, seq: int, reason: int) -> None:
        index = self.waiting.pop(client_seq, None)
        if index is None:
            self.note.contradictions.append(f"{self.note.uid}: SENDACK for client_seq {client_seq} that nobody waits for")
        elif reason != SUCCESS:
            self.note.ever_refused.add(index)
            if index not in self.note.acked:
                self.note.refused[index] = reason
        elif self.note.acked.setdefault(index, (message_id, seq)) != (message_id, seq) and not REFERENCE:
            self.note.contradictions.append(
                f"{self.number(index)}: acknowledged as {self.note.acked[index]} and as {(message_id, seq)}")


def _ask_again(pipeline: _Pipeline, note: Note, window: int) -> None:
    """For some of what was refused, in order, after a pause."""
    time.sleep(0.01)
    for index in sorted(note.refused)[:max(0, window - len(pipeline.waiting))]:
        del note.refused[index]
        pipeline.put(index)


def _load(port, uid, round_, channels, seed, window, may_be_refused) -> Note:
    """Sends until the connection ends. Nothing new is sent while something is refused."""
    note = Note(uid)
    rng = random.Random(seed)
    try:
        pipeline = _Pipeline(connect(port, uid), note, round_, channels)
        while True:
            if may_be_refused and note.refused:
                _ask_again(pipeline, note, window)
            while len(pipeline.waiting) < window and len(pipeline.out) < 1 << 18 and not (may_be_refused and note.refused):
                for _ in range(min(_BATCH, window)):
                    if not REFERENCE and note.sent and rng.randrange(_REPEAT_ONE_IN) == 0:
                        pipeline.put(rng.randrange(max(0, note.sent - 300), note.sent))
                        note.repeats += 1
                    else:
                        pipeline.put(note.sent)
                        note.sent += 1
            pipeline.turn(0.2)
    except OSError:
        return note


def _repeat(port, uid, round_, channels, indices) -> Note:
    """Sends these again on a new connection and waits for every answer."""
    note = Note(uid)
    deadline = time.monotonic() + SOON * 4
    pipeline = _Pipeline(connect_again(port, uid), note, round_, channels)
    queue = collections.deque(indices)
    while queue or pipeline.waiting:
        while queue and len(pipeline.waiting) < _WINDOW:
            pipeline.put(queue.popleft())
        pipeline.turn(0.2)
        if time.monotonic() > deadline:
            note.contradictions.append(f"{uid}: {len(pipeline.waiting)} repeats were never answered")
            break
    pipeline.connection.close()
    return note


def _sender_main(pipe) -> None:
    work = {"load": _load, "repeat": _repeat}
    while True:
        command = pipe.recv()
        if command is None:
            return
        try:
            pipe.send(work[command[0]](*command[1:]))
        except Exception as error:
            pipe.send(error)


@dataclass
class Tally:
    rounds: int = 0
    acked: int = 0
    sent: int = 0
    lost_answers: int = 0
    repeated_in_flight: int = 0
    stored_twice: int = 0
    delivered: int = 0
    refused: int = 0
    failed_commits: int = 0
    starts_when_full: int = 0
    failed_starts_when_full: int = 0
    reads_when_full: int = 0
    refused_reads_when_full: int = 0
    witnessed: dict[str, int] = field(default_factory=dict)
    restart_seconds: list[float] = field(default_factory=list)

    def text(self) -> str:
        slowest = max(self.restart_seconds, default=0)
        text = (f"rounds {self.rounds}, acknowledged {self.acked}, sent {self.sent}, answers lost {self.lost_answers}, "
                f"repeated in flight {self.repeated_in_flight}, stored twice {self.stored_twice}, delivered {self.delivered}, slowest start {slowest:.2f} s")
        if self.refused or self.starts_when_full:
            text += (f"; refused at least once {self.refused}, failed writes {self.failed_commits}, starts on the full disk {self.starts_when_full} and {self.failed_starts_when_full} that failed, "
                     f"channels read there {self.reads_when_full} and {self.refused_reads_when_full} refused")
        return text + "".join(f"; {name} {count}" for name, count in self.witnessed.items())


class BrokenPromise(AssertionError):
    pass


class _Watch:
    """The witnesses at work; the end of the `with` waits for theirs, which the death of the server brings."""

    def __init__(self, witnesses):
        self._failures: list[BaseException] = []
        self._threads = [threading.Thread(target=self._work, args=(witness,), daemon=True) for witness in witnesses]

    def _work(self, witness) -> None:
        try:
            witness.work()
        except OSError:
            pass
        except BaseException as failure:
            self._failures.append(failure)

    def __enter__(self):
        for thread in self._threads:
            thread.start()

    def __exit__(self, kind, *_):
        for thread in self._threads:
            thread.join(SOON * 4)
        if kind is None and (self._failures or any(thread.is_alive() for thread in self._threads)):
            raise BrokenPromise(f"a witness failed: {self._failures or 'it is stuck'}")


class Campaign:
    def __init__(self, server: Server, *, senders: int = 4, seed: int = 0, longest: float = 1.0, window: int = _WINDOW,
                 disk: SmallDisk | None = None, is_power_cut: bool = False, witnesses: tuple = ()):
        self.server, self.window, self.disk, self.witnesses = server, window, disk, witnesses
        self.is_power_cut, self.is_filled = is_power_cut, disk is not None and not is_power_cut
        self.rng = random.Random(seed)
        self.longest = longest
        self.tally = Tally()
        self.uids = [f"sender{i}" for i in range(senders)]
        self._for_ever_read = 0
        context = multiprocessing.get_context("spawn")
        self._workers = []
        for _ in self.uids:
            ours, theirs = context.Pipe()
            process = context.Process(target=_sender_main, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._workers.append((process, ours))

    def close(self) -> None:
        for witness in self.witnesses:
            witness.close()
        for process, pipe in self._workers:
            pipe.send(None)
            process.join(5)
            if process.is_alive():
                process.kill()
            pipe.close()

    def _tell(self, worker: int, *command) -> None:
        self._workers[worker][1].send(command)

    def _hear(self, worker: int, within: float) -> Note:
        pipe = self._workers[worker][1]
        if not pipe.poll(within):
            raise BrokenPromise(f"sender {worker} is stuck")
        note = pipe.recv()
        if isinstance(note, Exception):
            raise BrokenPromise(f"sender {worker}: {note!r}") from note
        return note

    def channels(self, round_: int, worker: int) -> list[tuple[str, int]]:
        return [(f"peer{worker}r{round_}", PERSON), (f"group{round_}", GROUP), (FOR_EVER, GROUP)]

    def run(self, rounds: int, report=lambda line: None) -> Tally:
        if not self.server.running():
            self.server.start()
        Api(self.server).group(FOR_EVER, *self.uids)
        for _ in range(rounds):
            self.round(self.tally.rounds)
            self.tally.rounds += 1
            report(self.tally.text())
        return self.tally

    def round(self, round_: int) -> None:
        Api(self.server).group(f"group{round_}", *self.uids)
        for witness in self.witnesses:
            witness.begin(round_, self.server, self.rng)
        seeds = [self.rng.randrange(1 << 30) for _ in self.uids]
        for worker, uid in enumerate(self.uids):
            self._tell(worker, "load", self.server.tcp_port, uid, round_, self.channels(round_, worker), seeds[worker], self.window,
                       self.disk is not None)
        with _Watch(self.witnesses):
            self._wait_and_kill()
        first = [self._hear(worker, SOON * 2) for worker in range(len(self.uids))]
        if self.is_filled:
            if self.rng.random() < 0.6:
                self._start_when_full(round_, first)
            self.disk.empty()
        if self.disk is not None:
            self.tally.failed_commits = self.server.log().count("journal_commit_failed")
        self._restart()
        self._check_notes(first, "before the crash", may_be_refused=self.disk is not None)
        again = self._repeat_what_is_unknown(round_, first)
        self._compare(round_, first, again)
        for witness in self.witnesses:
            name = type(witness).__name__
            self.tally.witnessed[name] = self.tally.witnessed.get(name, 0) + witness.check(self.server)

    def _wait_and_kill(self) -> None:
        if self.is_filled:
            self._fill_the_disk()
        else:
            time.sleep(self.rng.uniform(0.05, self.longest))
        self._kill()

    def _kill(self, is_starting: bool = False) -> None:
        if self.is_power_cut:
            # Without power nobody says anything any more. Were the server to go on, it would: Linux 6.18 lets an fdatasync that the
            # shutdown of an ext4 meets return 0 although the file's new size is lost (21 of 480 rounds of nothing but pwrite and fdatasync).
            # A call that is under way goes on in a server that stands still, so that the cut still meets one; nobody hears what comes of it.
            self.server.freeze()
            self.disk.cut_power()
        if not self.server.running() and not is_starting:
            raise BrokenPromise(f"the server ended by itself\n{self.server.log_tail()}")
        self.server.kill()
        if self.is_power_cut:
            self.disk.power_on()

    def _fill_the_disk(self) -> None:
        """At some moment of the load; there may be room again for a while."""
        time.sleep(self.rng.uniform(0.02, self.longest / 2))
        for _ in range(self.rng.choice([1, 1, 2, 3])):
            self.disk.empty()
            time.sleep(self.rng.choice([0, self.rng.uniform(0, 0.3)]))
            self.disk.fill(self.rng.choice([0, self.rng.randrange(MIB), self.rng.randrange(8 * MIB), self.rng.randrange(100 * MIB)]))
            time.sleep(self.rng.uniform(0, self.longest / 2))

    def _start_when_full(self, round_: int, first: list[Note]) -> None:
        """It comes up and what it answers is right, or it says why it does not."""
        self.server.launch()
        deadline = time.monotonic() + START_LIMIT
        while self.server.running() and not self.server.healthy():
            if time.monotonic() > deadline:
                raise BrokenPromise(f"neither up nor down on a full disk\n{self.server.log_tail()}")
            time.sleep(0.02)
        if self.server.running():
            self.tally.starts_when_full += 1
            self._compare_what_is_answered(round_, first)
            self.server.kill()
            return
        self.tally.failed_starts_when_full += 1
        code, self.server.process = self.server.process.returncode, None
        if code <= 0 or not any(word in self.server.log_tail().lower() for word in ("space", "disk")):
            raise BrokenPromise(f"ended with {code} on a full disk and does not say why\n{self.server.log_tail()}")

    def _compare_what_is_answered(self, round_: int, notes: list[Note]) -> None:
        for worker, note in enumerate(notes):
            channels = self.channels(round_, worker)
            for place, channel in enumerate(channels):
                acked = {f"{round_}-{note.uid}-{index}": result for index, result in note.acked.items() if index % len(channels) == place}
                try:
                    stored = self._read(channel, self._for_ever_read + 1 if channel[0] == FOR_EVER else 1)
                except AssertionError:
                    self.tally.refused_reads_when_full += 1
                    continue
                self.tally.reads_when_full += 1
                places = {m["client_msg_no"]: (m["message_id"], m["message_seq"]) for m in stored}
                for number, result in acked.items():
                    if places.get(number) != result:
                        raise BrokenPromise(f"{channel}: {number!r} was acknowledged as {result} and is {places.get(number)} on the full disk")

    def _restart(self) -> None:
        if self.rng.random() < 0.2:
            # Recovery itself must survive a crash.
            self.server.launch()
            time.sleep(self.rng.uniform(0, 0.2))
            self._kill(is_starting=True)
        start = time.monotonic()
        self.server.start()
        self.tally.restart_seconds.append(time.monotonic() - start)

    def _check_notes(self, notes: list[Note], when: str, may_be_refused: bool = False) -> None:
        for note in notes:
            if note.contradictions:
                raise BrokenPromise("; ".join(note.contradictions[:5]))
            if may_be_refused and set(note.refused.values()) <= REFUSALS:
                self.tally.refused += len(note.ever_refused)
            elif note.refused:
                raise BrokenPromise(f"{note.uid}: {len(note.refused)} refused {when}, {len(note.acked)} acknowledged, "
                                    f"reasons {set(note.refused.values())}, first {sorted(note.refused)[:3]}")

    def _repeat_what_is_unknown(self, round_: int, first: list[Note]) -> list[Note]:
        for worker, note in enumerate(first):
            unknown = [index for index in range(note.sent) if index not in note.acked]
            known = self.rng.sample(sorted(note.acked), min(20, len(note.acked))) if not REFERENCE else []
            self._tell(worker, "repeat", self.server.tcp_port, note.uid, round_, self.channels(round_, worker), unknown + known)
            self.tally.acked += len(note.acked)
            self.tally.sent += note.sent
            self.tally.lost_answers += len(unknown)
            self.tally.repeated_in_flight += note.repeats
            self.tally.delivered += note.received
        again = [self._hear(worker, SOON * 8) for worker in range(len(first))]
        self._check_notes(again, "after the restart")
        for before, after in zip(first, again):
            for index, result in after.acked.items():
                if index in before.acked and before.acked[index] != result:
                    raise BrokenPromise(f"{round_}-{before.uid}-{index}: acknowledged as {before.acked[index]}, "
                                        f"after the restart as {result}")
        return again

    def _compare(self, round_: int, first: list[Note], again: list[Note]) -> None:
        expected: dict[tuple[str, int], dict[str, tuple[int, int]]] = {}
        before: dict[tuple[str, int], set[str]] = {}
        for worker, (old, new) in enumerate(zip(first, again)):
            channels = self.channels(round_, worker)
            for index in range(old.sent):
                channel = channels[index % len(channels)]
                number = f"{round_}-{old.uid}-{index}"
                expected.setdefault(channel, {})[number] = old.acked.get(index) or new.acked.get(index)
                if index in old.acked and index not in old.ever_refused:
                    before.setdefault(channel, set()).add(number)
        stored: dict[int, tuple[tuple[str, int], int]] = {}
        for channel, messages in expected.items():
            places = self._compare_channel(channel, messages, before.get(channel, set()))
            stored |= {message_id: (channel, seq) for message_id, seq in places.values()}
        self._compare_conversations(round_, stored)
        for witness in self.witnesses:
            witness.note(stored)

    def _compare_conversations(self, round_: int, stored) -> None:
        """Whom each sender wrote to has read nothing: every message is unread, and none more."""
        for worker, uid in enumerate(self.uids):
            peer = self.channels(round_, worker)[0]
            count = sum(channel == peer for channel, _ in stored.values())
            shown = Api(self.server).conversation(peer[0], uid)
            if count > 0 and not REFERENCE and (shown is None or (shown["unread"], shown["last_msg_seq"]) != (count, count)):
                raise BrokenPromise(f"{peer[0]} has {count} messages from {uid}, and of his conversation is told {shown}")

    def _read(self, channel: tuple[str, int], start: int) -> list[dict]:
        channel_id, channel_type = channel
        worker = channel_id[4:].partition("r")[0] if channel_type == PERSON else "0"
        api, messages = Api(self.server), []
        while True:
            # "more" counts, not the size of the page: a server may give less at once than it was asked for.
            page = api.page(f"sender{worker}", channel_id, channel_type, start=start, limit=10_000, pull_mode=1)
            messages += page["messages"]
            if not page["more"] or not page["messages"]:
                return messages
            start = page["messages"][-1]["message_seq"] + 1

    def _compare_channel(self, channel, expected: dict[str, tuple[int, int]], before: set[str]) -> dict[str, tuple[int, int]]:
        lives_on = channel[0] == FOR_EVER
        start = self._for_ever_read + 1 if lives_on else 1
        stored = self._read(channel, start)
        if [m["message_seq"] for m in stored] != list(range(start, start + len(stored))):
            raise BrokenPromise(f"{channel}: sequence numbers are not contiguous from {start}")
        places: dict[str, tuple[int, int]] = {}
        last_of: dict[str, int] = {}
        for message in stored:
            number = message["client_msg_no"]
            if number not in expected:
                raise BrokenPromise(f"{channel}: {number!r} at {message['message_seq']} was never sent")
            if base64.b64decode(message["payload"]) != payload_of(number):
                raise BrokenPromise(f"{channel}: {number!r} at {message['message_seq']} has other bytes")
            if number in places:
                self.tally.stored_twice += 1
                if not REFERENCE:
                    raise BrokenPromise(f"{channel}: {number!r} at {places[number]} and again at {message['message_seq']}")
                continue
            places[number] = (message["message_id"], message["message_seq"])
            if number in before and not REFERENCE:
                sender, index = number.rsplit("-", 1)
                if last_of.get(sender, -1) > int(index):
                    raise BrokenPromise(f"{channel}: {number!r} stands behind a later message of its sender")
                last_of[sender] = int(index)
        if len({message["message_id"] for message in stored}) != len(stored):
            raise BrokenPromise(f"{channel}: a message id occurs twice")
        self._compare_places(channel, expected, before, places)
        if lives_on:
            self._for_ever_read += len(stored)
        return places

    def _compare_places(self, channel, expected, before, places) -> None:
        for number, acknowledged in expected.items():
            if number not in places:
                when = "before" if number in before else "after"
                raise BrokenPromise(f"{channel}: {number!r}, acknowledged {when} the crash as {acknowledged}, is not among the "
                                    f"{len(places)} messages read back (newest {max(places.values(), key=lambda p: p[1], default=None)})")
            if acknowledged != places[number] and (number in before or not REFERENCE):
                raise BrokenPromise(f"{channel}: {number!r} was acknowledged as {acknowledged} and is stored as {places[number]}")


def summary(tally: Tally) -> str:
    return json.dumps({"rounds": tally.rounds, "acknowledged": tally.acked, "sent": tally.sent,
                       "answers_lost": tally.lost_answers, "stored_twice": tally.stored_twice,
                       "repeated_in_flight": tally.repeated_in_flight, "delivered": tally.delivered,
                       "refused_at_least_once": tally.refused, "failed_writes": tally.failed_commits,
                       "starts_when_full": tally.starts_when_full,
                       "failed_starts_when_full": tally.failed_starts_when_full, "reads_when_full": tally.reads_when_full,
                       "refused_reads_when_full": tally.refused_reads_when_full, "witnessed": tally.witnessed,
                       "slowest_start_seconds": round(max(tally.restart_seconds, default=0), 3)})
