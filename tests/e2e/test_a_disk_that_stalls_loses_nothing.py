"""While the disk does not answer nothing is acknowledged, whoever does not need it is served, and a stop comes to its end.

Needs the right to mount a file as a disk and to freeze it; without it the tests are skipped.
"""

import re
import signal
import socket
import subprocess

import pytest

from harness.api import Api
from harness.packets import Flag, Kind
from harness.server import BINARY, STOP_LIMIT
from harness.waiting import SOON, eventually

pytestmark = [pytest.mark.jingu_only(reason="a promise of Jingu"), pytest.mark.slow]


@pytest.fixture
def stalling_disk(tmp_path):
    """A disk of its own that freeze() makes stop to answer writes, and thaw() again."""
    image, path = tmp_path / "image", tmp_path / "disk"
    path.mkdir()
    with open(image, "wb") as file:
        file.truncate(128 << 20)
    made = subprocess.run(["mkfs.ext4", "-q", str(image)], capture_output=True).returncode == 0
    if not made or subprocess.run(["mount", "-o", "loop", str(image), str(path)], capture_output=True).returncode != 0:
        pytest.skip("may not mount a file here")
    yield path
    thaw(path)
    subprocess.run(["umount", "-l", str(path)], check=True)


def freeze(path) -> None:
    subprocess.run(["fsfreeze", "--freeze", str(path)], check=True)


def thaw(path) -> None:
    subprocess.run(["fsfreeze", "--unfreeze", str(path)], capture_output=True)


@pytest.mark.timeout(200)
def test_a_disk_that_stalls_delays_and_loses_nothing(start_server, login, name, stalling_disk):
    server = start_server(disableEncryption=True, dataDir=str(stalling_disk / "data"))
    anna, bob = login(name("anna"), server), login(name("bob"), server)
    anna.tell(name("bob"), b"before")
    bob.receive()
    freeze(stalling_disk)

    during = anna.send(name("bob"), b"during")
    anna.ping()  # whoever needs no disk does not wait for it
    assert not anna.pending(Kind.SENDACK), "nothing is acknowledged before the disk has it"

    thaw(stalling_disk)
    assert anna.sendack(during).reason == 1
    assert bob.receive().payload == b"during"
    assert [m["plain"] for m in Api(server).history(name("bob"), anna.uid)] == [b"before", b"during"]


@pytest.mark.timeout(200)
def test_what_is_not_stored_waits_for_the_disk_only_if_somebody_is_to_be_told(start_server, login, name, receiver, stalling_disk):
    """Its msg.offline is all that is written of it, and is on disk before it is acknowledged and seen by anybody."""
    quiet = start_server(disableEncryption=True, dataDir=str(stalling_disk / "quiet"))
    telling = start_server(disableEncryption=True, dataDir=str(stalling_disk / "telling"),
                           webhook={"httpAddr": receiver.url, "focusEvents": ["msg.offline"]})
    pairs = [(login(name("anna"), server), login(name("bob"), server)) for server in (quiet, telling)]
    freeze(stalling_disk)

    sent = [anna.send(name("bob"), b"passing", flags=Flag.NO_PERSIST) for anna, _ in pairs]
    assert pairs[0][0].sendack(sent[0]).reason == 1
    assert pairs[0][1].receive().payload == b"passing"
    for client in pairs[1]:
        client.ping()
    assert not pairs[1][0].pending(Kind.SENDACK) and not pairs[1][1].pending(Kind.RECV)
    assert not receiver.offline()

    thaw(stalling_disk)
    assert pairs[1][0].sendack(sent[1]).reason == 1
    assert pairs[1][1].receive().payload == b"passing"
    assert receiver.wait_offline(1)[0]["to_uids"] == [name("bob")]


@pytest.mark.skipif("asan" in str(BINARY), reason="a process that ends itself like this has leaks to show")
@pytest.mark.timeout(200)
def test_a_stop_beside_a_disk_that_stalls_ends_in_time(start_server, login, name, stalling_disk):
    """What the disk has not confirmed was not acknowledged, so the process may end without it."""
    server = start_server(disableEncryption=True, dataDir=str(stalling_disk / "data"))
    anna = login(name("anna"), server)
    anna.tell(name("bob"), b"before")
    freeze(stalling_disk)
    during = anna.send(name("bob"), b"during")

    server.process.send_signal(signal.SIGTERM)

    eventually(lambda: "stop_abandoned" in server.log(), within=STOP_LIMIT + SOON, every=0.2)
    thaw(stalling_disk)
    server.process.wait(STOP_LIMIT)
    server.process = None
    assert during and not anna.pending(Kind.SENDACK)
    server.start()
    assert [m["plain"] for m in Api(server).history(name("bob"), anna.uid)][:1] == [b"before"]


@pytest.mark.timeout(200)
def test_a_monitor_is_answered_while_every_place_of_the_api_waits_for_the_disk(start_server, stalling_disk):
    """With this memory there are 16 places, and two more for who asks how the server is."""
    server = start_server(memory="48M", shards=1, dataDir=str(stalling_disk / "data"))
    body = b'{"from_uid":"u","channel_id":"v","channel_type":1,"payload":"aGk="}'
    request = b"POST /message/send HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    freeze(stalling_disk)
    senders = []
    for _ in range(40):
        senders.append(socket.create_connection(("127.0.0.1", server.http_port)))
        senders[-1].sendall(request)

    def waiting() -> bool:
        for path in ("/health", "/metrics", "/ledger"):
            assert Api(server).get(path).status == 200
        metrics = Api(server).get("/metrics").text
        return int(re.search(r"^jingu_http_lobby (\d+)", metrics, re.MULTILINE)[1]) >= 20

    eventually(waiting)
    thaw(stalling_disk)
    for each in senders:
        each.settimeout(SOON)
        assert each.recv(1000).startswith(b"HTTP/1.1 200 ")
        each.close()
