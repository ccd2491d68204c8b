"""POST /backup: a copy of the running database, from which another server starts."""

import shutil
import threading

import pytest

from harness.api import Api

pytestmark = pytest.mark.jingu_only("the reference has no such thing")


def texts(api, uid, channel):
    return [message["plain"] for message in api.history(uid, channel, 1)]


def test_a_server_starts_from_a_backup_and_has_what_was_acknowledged_before_it(start_server, login, name):
    server = start_server()
    api = Api(server)
    anna, bob = login(name("anna"), server), login(name("bob"), server)
    told, done = [], threading.Event()

    def chat():
        while not done.is_set() or len(told) < 200:
            anna.tell(bob.uid, b"%d" % len(told))
            told.append(b"%d" % len(told))

    talker = threading.Thread(target=chat)
    talker.start()
    backups = []
    try:
        for number in range(3):
            while len(told) < 50 * (number + 1):
                done.wait(0.01)
            before = len(told)
            path = api.post("/backup", {"name": f"copy-{number}"}).ok()["path"]
            backups.append((before, len(told), path))
    finally:
        done.set()
        talker.join()
    # What is written, flushed and removed afterwards is not the copies'.
    server.restart()
    assert texts(api, anna.uid, bob.uid) == told
    server.stop()

    for before, after, path in backups:
        other = start_server(dataDir=shutil.copytree(path, server.directory / f"restored-{before}").as_posix())
        found = texts(Api(other), anna.uid, bob.uid)
        assert found == told[:len(found)]
        assert before <= len(found) <= after + 1  # one may have been on its way
        again = login(name("anna"), other)
        assert again.tell(bob.uid, b"and on").message_seq == len(found) + 1
        other.stop()


@pytest.mark.parametrize("bad", ["", ".", "..", "../up", "a/b", "a b", "n" * 65, "名"])
def test_a_name_that_leads_elsewhere_is_refused(api, bad):
    api.post("/backup", {"name": bad}).refused("give a name: at most 64 letters, digits, '-', '_' and '.'")


def test_a_backup_is_not_written_over(api, name):
    backup = name("backup")
    api.post("/backup", {"name": backup}).ok()
    api.post("/backup", {"name": backup}).refused("there is a backup of that name")
