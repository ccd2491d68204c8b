"""The data source (webhook 7): what the back end answers counts, and its last good answer while it is away."""

import time

import pytest

from harness.api import Api
from harness.data_source import DataSource
from harness.waiting import SCALE, eventually
from test_the_back_end_is_told import metric

pytestmark = pytest.mark.jingu_only(reason="the reference asks for nothing but the system accounts, and once")

MAY, STRANGER = 1, 13


@pytest.fixture
def source():
    opened = DataSource().start()
    yield opened
    opened.hold.set()
    opened.stop()


@pytest.fixture
def asking(start_server, source):
    """A server that asks `source`. Who is not on the receiver's allow list may not write, unless he is a system account."""
    def asking_(**settings):
        datasource = {"addr": source.url} | settings.pop("datasource", {})
        return start_server(whitelistOffOfPerson=False, datasource=datasource, **settings)
    return asking_


def calls(server, result: str) -> float:
    return metric(server, f'jingu_datasource_calls_total{{result="{result}"}}')


def threads(server) -> list[str]:
    from pathlib import Path
    return [path.read_text().strip() for path in Path(f"/proc/{server.process.pid}/task").glob("*/comm")]


def is_system(client, receiver: str = "bob") -> bool:
    reason = client.say(receiver, b"x").reason
    assert reason in (MAY, STRANGER)
    return reason == MAY


# -- system accounts -------------------------------------------------------------------------------------------------------


def test_the_system_accounts_are_those_of_the_back_end(asking, source, login):
    source.knows_system("notice", "fileHelper")
    server = asking()
    notice, anna = login("notice", server), login("anna", server)
    eventually(lambda: is_system(notice))
    assert not is_system(anna)
    assert Api(server).get("/user/systemuids").bare() is None, "the stored list is another thing"
    assert source.posts[0].body == {"cmd": "getSystemUIDs", "data": {}}
    assert source.posts[0].headers["Content-Type"] == "application/json"


def test_they_replace_the_stored_ones_until_the_next_start(asking, source, login):
    source.stop()
    server = asking()
    Api(server).post("/user/systemuids_add", {"uids": ["old"]}).ok()
    assert is_system(login("old", server))
    source.knows_system("new")
    source.start()
    new = login("new", server)
    eventually(lambda: is_system(new))
    assert not is_system(login("old", server))
    assert Api(server).get("/user/systemuids").bare() == ["old"]

    source.stop()
    server.restart()
    assert is_system(login("old", server)), "what is stored counts until the back end has answered"
    assert not is_system(login("new", server))


def test_an_account_that_is_added_counts_beside_them(asking, source, login):
    source.knows_system("notice")
    server = asking(datasource={"ttl": "100ms"})
    notice = login("notice", server)
    eventually(lambda: is_system(notice))
    Api(server).post("/user/systemuids_add", {"uids": ["anna"]}).ok()
    anna = login("anna", server)
    count = source.asked("getSystemUIDs")
    eventually(lambda: source.asked("getSystemUIDs") > count + 2)
    assert is_system(anna), "the same answer again does not undo it"
    Api(server).post("/user/systemuids_remove", {"uids": ["notice"]}).ok()
    assert not is_system(notice)


def test_a_new_answer_counts_after_a_while(asking, source, login):
    source.knows_system("first")
    server = asking(datasource={"ttl": "100ms"})
    first, second = login("first", server), login("second", server)
    eventually(lambda: is_system(first))
    source.knows_system("second")
    eventually(lambda: is_system(second))
    assert not is_system(first)


def test_what_is_no_answer_changes_nothing(asking, source, login):
    source.knows_system("notice")
    server = asking(datasource={"ttl": "100ms", "answerSize": "4K"})
    notice = login("notice", server)
    eventually(lambda: is_system(notice))
    key = ("getSystemUIDs",)
    for text, result in ((b'["x",', "unreadable"), (b'{"data":["x"]}', "unreadable"),
                         (b'["' + b"x" * 8192 + b'"]', "too_large")):
        source.texts[key] = text
        count = calls(server, result)
        eventually(lambda: calls(server, result) > count)
        assert is_system(notice)
        del source.texts[key]
        count = calls(server, "answered")
        eventually(lambda: calls(server, "answered") > count)
    source.answers.clear()
    eventually(lambda: calls(server, "refused") > 0)
    source.stop()
    eventually(lambda: calls(server, "away") > 0)
    assert is_system(notice)
    assert "datasource_failed" in server.log()


def test_a_back_end_that_says_nothing_delays_neither_start_nor_stop(asking, source, login):
    source.become_a_black_hole()
    server = asking(datasource={"timeout": "200ms"})
    eventually(lambda: calls(server, "away") > 0)
    server.stop()
    server.settings["datasource"]["timeout"] = "1m"
    server.start()
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 10 * SCALE


def test_without_an_address_nothing_is_there(start_server):
    server = start_server()
    assert "datasource" not in threads(server)
    assert all(call == 0 for call in (calls(server, "answered"), calls(server, "away")))


def test_with_one_its_memory_is_told(asking, source):
    source.knows_system()
    server = asking()
    assert "datasource" in threads(server)
    eventually(lambda: calls(server, "answered") > 0)
    assert '"datasource"' in Api(server).get("/ledger").text
