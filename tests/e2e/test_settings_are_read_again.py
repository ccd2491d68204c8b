"""SIGHUP, what `jingu config` says about a file, and files of the original (configuration reference; decision 21)."""

import base64
import json
import re
import signal
import subprocess

import pytest

from harness.api import Api
from harness.client import Refused
from harness.data_source import DataSource
from harness.server import BINARY, ROOT, _yaml
from harness.streams import Closed
from harness.waiting import SOON, eventually

pytestmark = pytest.mark.jingu_only(reason="the reference reads its configuration once")


def reload(server, **settings):
    """Writes the settings into the file and tells the server; waits until it has an opinion."""
    before = server.log().count("reload")
    server.settings |= settings
    server.config_path.write_text(_yaml(server.settings))
    server.process.send_signal(signal.SIGHUP)
    eventually(lambda: server.log().count("reload") > before)


def status(server, token: str) -> int:
    return Api(server, token).get("/route").status


class TestSettings:
    def test_the_managers_token_changes_while_the_server_runs(self, start_server, login, name):
        server = start_server(managerToken="old")
        anna = login(name("anna"), server)
        reload(server, managerToken="new")
        eventually(lambda: status(server, "new") == 200)
        assert status(server, "old") == 401
        anna.ping()
        server.settings["managerToken"] = "new"

    def test_the_token_check_addresses_and_users_change(self, start_server, login, open_client, name):
        server = start_server()
        login(name("anna"), server)
        reload(server, tokenAuthOn=True, external={"ip": "127.0.0.1", "tcpAddr": "im.example.com:443"}, auth={"users": ["eye:pwd:[*:r]"]})
        api = Api(server)
        eventually(lambda: api.get("/route").body["tcp_addr"] == "im.example.com:443")
        assert api.post("/manager/login", {"username": "eye", "password": "pwd"}).bare()["permissions"] == "*:r"

        def is_refused():
            try:
                open_client(name("anna"), server).login()
            except Refused:
                return True
            return False

        eventually(is_refused)
        api.token(name("anna"), "secret")
        login(name("anna"), server, token="secret")

    def test_it_may_be_done_again_and_again(self, start_server):
        server = start_server(managerToken="t0")
        for i in range(1, 12):
            reload(server, managerToken=f"t{i}")
            eventually(lambda token=f"t{i}": status(server, token) == 200)
            assert status(server, f"t{i - 1}") == 401

    def test_one_that_is_asked_for_during_another_follows_it(self, start_server):
        server = start_server(managerToken="t0")
        for i in range(1, 30):
            server.settings["managerToken"] = f"t{i}"
            new = server.config_path.with_suffix(".new")
            new.write_text(_yaml(server.settings))
            new.rename(server.config_path)
            server.process.send_signal(signal.SIGHUP)
        eventually(lambda: status(server, "t29") == 200)
        assert "reload_refused" not in server.log()

    def test_commands_to_people_carry_the_channel_that_is_configured(self, start_server, login, name):
        server = start_server(channel={"onlineCmdChannelId": "first"})
        anna = login(name("anna"), server)
        for channel in ["first", "second"]:
            reload(server, channel={"onlineCmdChannelId": channel})

            def is_carried_there():
                """The thread of the API hears of it a moment after the log."""
                Api(server).send(b"now", subscribers=[anna.uid], header={"sync_once": 1, "no_persist": 1})
                told = anna.receive()
                assert (told.channel_type, told.plain) == (8, b"now")
                return told.channel_id == channel

            eventually(is_carried_there)

    def test_what_cannot_change_is_named(self, start_server):
        server = start_server()
        reload(server, memory="300M", durability="written")
        eventually(lambda: "settings_reloaded" in server.log())
        told = [line for line in server.log().splitlines() if "reload_needs_restart" in line]
        assert len(told) == 2 and any("key=memory" in line for line in told) and any("key=durability" in line for line in told)

    def test_a_file_with_faults_changes_nothing(self, start_server):
        server = start_server(managerToken="old")
        reload(server, managerToken="new", tokenAuthOnn=True)
        assert "reload_refused" in server.log() and status(server, "old") == 200
        del server.settings["tokenAuthOnn"]
        reload(server)
        eventually(lambda: status(server, "new") == 200)


# Every key that is read again, and the test that sees it change what the server does.
SEEN = {
    "tokenAuthOn external.tcpAddr auth.users": "test_the_token_check_addresses_and_users_change",
    "managerToken": "test_the_managers_token_changes_while_the_server_runs",
    "channel.onlineCmdChannelId": "test_commands_to_people_carry_the_channel_that_is_configured",
    "managerUID": "test_another_uid_is_the_managers",
    "whitelistOffOfPerson": "test_strangers_may_no_longer_write",
    "connIdleTime": "test_silence_is_borne_for_a_shorter_time",
    "disableJSONRPC": "test_json_is_no_longer_spoken",
    "external.ip external.wsAddr external.wssAddr external.managerAddr external.apiUrl intranet.tcpAddr": "test_addresses_that_are_told",
    "logger.level": "test_more_is_logged",
    "messageRetry.interval messageRetry.scanInterval messageRetry.maxCount": "test_messages_come_again_sooner_and_more_often",
    "customerService.visitorsOn customerService.visitorsSuffix": "test_visitors_are_let_in",
    "jwt.secret jwt.expire jwt.issuer": "test_logins_of_managers",
    "datasource.timeout datasource.retry": "test_the_back_end_is_waited_for_less_and_asked_again_sooner",
    "wssConfig.certFile wssConfig.keyFile tlsConfig.certFile tlsConfig.keyFile": "test_new_certificates_are_taken_on_sighup",
    "webhook.httpAddr webhook.secret agent.webhook.httpAddr": "test_a_dead_back_end_loses_nothing.py",
    "datasource.addr datasource.ttl": "test_the_back_end_is_asked.py",
}


def may_log_in(login, *arguments, **options) -> bool:
    try:
        return login(*arguments, **options).is_open()
    except (Refused, Closed):
        return False


class TestEachOfThem:
    def test_has_a_test(self):
        marked = re.findall(r"^\| `([\w.]+)`(?: ★)? ↻ \|", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE)
        assert len(marked) > 30 and sorted(marked) == sorted(key for keys in SEEN for key in keys.split())
        tests = ROOT / "tests/e2e"
        text = "".join(path.read_text() for path in tests.glob("test_*.py"))
        for where in SEEN.values():
            assert (tests / where).exists() if where.endswith(".py") else f"def {where}(" in text

    def test_another_uid_is_the_managers(self, start_server, login):
        server = start_server(managerToken="house", tokenAuthOn=True)
        api = Api(server, "house")
        assert may_log_in(login, "____manager", server, token="house") and not may_log_in(login, "boss", server, token="house")
        reload(server, managerUID="boss")
        eventually(lambda: may_log_in(login, "boss", server, token="house"))
        eventually(lambda: not may_log_in(login, "____manager", server, token="house"))
        eventually(lambda: api.get("/varz").body["manager_uid"] == "boss")

    def test_strangers_may_no_longer_write(self, start_server, login, name):
        server = start_server()
        anna = login(name("anna"), server)
        anna.tell(name("bob"))
        reload(server, whitelistOffOfPerson=False)
        eventually(lambda: anna.say(name("bob")).reason == 13)
        reload(server, whitelistOffOfPerson=True)
        eventually(lambda: anna.say(name("bob")).reason == 1)

    def test_silence_is_borne_for_a_shorter_time(self, start_server, login, name):
        """Whoever comes then. Who is there is looked at when the old time is over."""
        server = start_server(connIdleTime="1h")
        old = login(name("anna"), server)
        reload(server, connIdleTime="1s")

        def is_closed():
            try:
                return login(name("bob"), server).expect_close(SOON / 4) > 0
            except AssertionError:
                return False  # it came before the settings

        eventually(is_closed, SOON * 2)
        assert old.is_open()

    def test_json_is_no_longer_spoken(self, start_server, login_json, login, name):
        server = start_server()
        login_json(name("anna"), server)
        reload(server, disableJSONRPC=True)

        def is_refused():
            try:
                login_json(name("bob"), server)
            except (Closed, AssertionError):
                return True
            return False

        eventually(is_refused)
        login(name("carl"), server)
        reload(server, disableJSONRPC=False)
        eventually(lambda: not is_refused())

    def test_addresses_that_are_told(self, start_server):
        server = start_server()
        api = Api(server)
        reload(server, external={"ip": "192.0.2.7"})
        eventually(lambda: api.get("/route").body == {"tcp_addr": f"192.0.2.7:{server.tcp_port}",
                                                      "ws_addr": f"ws://192.0.2.7:{server.ws_port}", "wss_addr": ""})
        reload(server, external={"wsAddr": "ws://a/ws", "wssAddr": "wss://a/ws", "managerAddr": "a:1", "apiUrl": "http://a"},
               intranet={"tcpAddr": "10.0.0.1:5100"})
        eventually(lambda: api.get("/route").body["ws_addr"] == "ws://a/ws")
        assert api.get("/route").body["wss_addr"] == "wss://a/ws"
        assert api.get("/route", intranet=1).body["tcp_addr"] == "10.0.0.1:5100"
        told = api.get("/varz").body
        assert (told["manager_addr"], told["api_url"], told["ws_addr"]) == ("a:1", "http://a", "ws://a/ws")

    def test_more_is_logged(self, start_server):
        server = start_server(logger={"level": 3})
        assert " info " not in server.log()
        server.settings["logger"] = {"level": 2}
        server.config_path.write_text(_yaml(server.settings))
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: " info settings_reloaded" in server.log())

    def test_messages_come_again_sooner_and_more_often(self, start_server, login, name):
        server = start_server(messageRetry={"interval": "1h", "scanInterval": "1h", "maxCount": 1})
        anna, bob = login(name("anna"), server), login(name("bob"), server, acknowledges=False)
        reload(server, messageRetry={"interval": "50ms", "scanInterval": "20ms", "maxCount": 3})

        def comes_four_times():
            late = login(name("bob"), server, acknowledges=False)  # one that came before the settings may be looked at in an hour
            anna.tell(late.uid, b"again")
            try:
                return len([late.receive(SOON / 4) for _ in range(4)]) == 4
            except AssertionError:
                return False

        bob.close()
        eventually(comes_four_times, SOON * 2)

    def test_visitors_are_let_in(self, start_server, login, name):
        server = start_server(tokenAuthOn=True)
        visitor, guest = name("v") + "___vstr", name("g") + "_guest"
        assert not may_log_in(login, visitor, server)
        reload(server, customerService={"visitorsOn": True})
        eventually(lambda: may_log_in(login, visitor, server))
        assert not may_log_in(login, guest, server)
        reload(server, customerService={"visitorsOn": True, "visitorsSuffix": "_guest"})
        eventually(lambda: may_log_in(login, guest, server))
        eventually(lambda: not may_log_in(login, visitor, server))

    def test_logins_of_managers(self, start_server):
        server = start_server(auth={"users": ["root:pwd:*"]}, jwt={"secret": "old", "expire": "2h", "issuer": "a"})
        api = Api(server)

        def claims(token: str) -> dict:
            return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))

        def logged_in() -> str:
            return api.post("/manager/login", {"username": "root", "password": "pwd"}).bare()["token"]

        def is_known(token: str) -> bool:
            return api.post("/cluster/slots/1/migrate", headers={"Authorization": token}).body["status"] == 400

        first = logged_in()
        assert claims(first)["iss"] == "a" and claims(first)["exp"] - claims(first)["iat"] == 7200 and is_known(first)
        reload(server, jwt={"secret": "old", "expire": "1h", "issuer": "b"})
        eventually(lambda: claims(logged_in())["iss"] == "b")
        second = claims(logged_in())
        assert second["exp"] - second["iat"] == 3600 and is_known(first)
        reload(server, jwt={"secret": "new"})
        eventually(lambda: not is_known(first))
        assert is_known(logged_in())

    def test_the_back_end_is_waited_for_less_and_asked_again_sooner(self, start_server, login, name):
        source = DataSource().start()
        try:
            source.knows_system()
            server = start_server(datasource={"addr": source.url, "listsOn": True, "timeout": "5m", "retry": "1h"})
            anna = login(name("anna"), server)
            for number in range(3):
                Api(server).group(name(f"g{number}"), anna.uid)
            anna.tell(name("g0"), b"x", 2)  # nothing is known of it, so what is stored counts
            reload(server, datasource=server.settings["datasource"] | {"timeout": "50ms", "retry": "100ms"})

            def is_asked_again():
                before = source.asked("getSubscribers", name("g1"))
                anna.tell(name("g1"), b"x", 2)
                return 1 < before < source.asked("getSubscribers", name("g1"))

            eventually(is_asked_again)
            source.hold.clear()
            anna.tell(name("g2"), b"x", 2)  # it does not wait for five minutes
        finally:
            source.hold.set()
            source.stop()


class TestTheConfigCommand:
    @staticmethod
    def run(*arguments, environment=None):
        return subprocess.run([str(BINARY), "config", *arguments], capture_output=True, text=True, timeout=60,
                              env={"HOME": "/nowhere"} | (environment or {}))

    def test_check_explains_what_is_wrong_and_where(self, tmp_path):
        file = tmp_path / "jingu.yaml"
        file.write_text('tokenAuthOnn: true\nconnIdleTime: "10"\nauth:\n  users:\n    - "admin"\n')
        said = self.run("check", str(file))
        assert said.returncode == 2
        assert f"{file}:1:1: " in said.stderr and "tokenAuthOn" in said.stderr and f"{file}:2:" in said.stderr

    def test_check_tells_what_has_no_effect_and_why(self, tmp_path):
        file = tmp_path / "jingu.yaml"
        file.write_text('httpAddr: "0.0.0.0:5001"\nginMode: "release"\ncluster:\n  addr: "tcp://0.0.0.0:11110"\n')
        said = self.run("check", str(file))
        assert said.returncode == 0, said.stderr
        assert "ginMode has no effect here, because it tunes" in said.stdout
        assert "cluster.addr has no effect here, because this server is a single node" in said.stdout
        assert "managerToken is not set" in said.stdout and said.stdout.endswith("good\n")

    def test_what_does_not_fit_together_is_found(self, tmp_path):
        file = tmp_path / "jingu.yaml"
        file.write_text('tlsAddr: "tls://127.0.0.1:5110"\n')
        said = self.run("check", str(file))
        assert said.returncode == 2 and "tlsAddr needs" in said.stderr

    def test_the_example_checks_out(self, tmp_path):
        file = tmp_path / "jingu.yaml"
        file.write_text(self.run("example").stdout)
        said = self.run("check", str(file))
        assert said.returncode == 0, said.stdout + said.stderr

    def test_the_example_starts_a_server_unchanged(self, start_server, login, tmp_path):
        """But for where it listens, which the environment says."""
        file = tmp_path / "jingu.yaml"
        file.write_text(self.run("example").stdout)
        server = start_server.prepare()
        places = {"WK_ADDR": f"tcp://127.0.0.1:{server.tcp_port}", "WK_WSADDR": f"ws://127.0.0.1:{server.ws_port}",
                  "WK_HTTPADDR": f"127.0.0.1:{server.http_port}", "WK_MANAGER_ON": "false"}
        server.command = lambda: ["env", *(f"{name}={place}" for name, place in places.items()), str(BINARY), "serve", "--config", str(file)]
        server.start()
        anna, bob = login("anna", server), login("bob", server, transport="ws")
        anna.tell("bob", b"hello")
        assert bob.receive().plain == b"hello"
        server.restart()
        assert [message["plain"] for message in Api(server).history("bob", "anna")] == [b"hello"]


REFERENCE_ROW = re.compile(r"^\| `([\w.]+)`([ ★↻]*) \| (.*?) \|", re.MULTILINE)


def rows() -> list[tuple[str, str, str]]:
    """Of the reference: key, marks, and its type or what it says of itself."""
    found = [(key, marks, rest) for key, marks, rest in REFERENCE_ROW.findall((ROOT / "docs/configuration.md").read_text())]
    assert len(found) > 180
    return found


def explain(key: str, **environment) -> str:
    return TestTheConfigCommand.run("explain", key, environment=environment).stdout


# What a value of each type may be, for a key that leads nowhere: the first words of what is allowed, and a value.
VALUES = {"true or false": True, "a whole number": 7, "a duration": "30d", "a list": ["a", "b"], "a text": "text", "an address": "0.0.0.0:5172"}
# As sample files have them: empty, in days, as a list, for a port without certificates.
SAMPLE = {
    "mode": "release", "managerUID": "", "managerToken": "", "whitelistOffOfPerson": True, "wssAddr": "wss://0.0.0.0:5210",
    "external.ip": "", "external.tcpAddr": "", "external.apiUrl": "", "wssConfig.certFile": "", "wssConfig.keyFile": "", "logger.level": 0,
    "webhook.httpAddr": "", "webhook.msgNotifyEventPushInterval": "500ms", "webhook.focusEvents": ["msg.offline", "msg.notify"],
    "datasource.addr": "", "datasource.channelInfoOn": False, "conversation.userMaxCount": 1000, "messageRetry.scanInterval": "5s",
    "channel.subscriberCompressOfCount": 0, "customerService.visitorsOn": False, "customerService.visitorsSuffix": "____vstr",
    "auth.users": ["admin:pwd:*", "guest:guest:[*:r]"], "jwt.secret": "", "jwt.expire": "30d", "jwt.issuer": "wukongim",
    "cluster.nodeId": 1001, "eventPoolSize": 1024,
}


class TestAFileOfTheOriginal:
    def test_with_every_key_starts_and_is_told_which_have_no_effect(self, start_server, login):
        without = [key for key, _, rest in rows() if rest.startswith("no effect") and key != "monitor.addr"]
        allowed = {key: re.search(r"^  allowed  (.*)$", explain(key), re.MULTILINE)[1] for key in without}
        given = {key: next(value for words, value in VALUES.items() if allowed[key].startswith(words)) for key in without}
        server = start_server.prepare()
        for key, value in (given | SAMPLE).items():
            *sections, last = key.split(".")
            place = server.settings
            for section in sections:
                place = place.setdefault(section, {})
            place[last] = value
        server.start()
        told = " ".join(re.findall(r'config_no_effect keys="?([\w. ]+?)"? count=', server.log())).split()
        assert sorted(told) == sorted(without)
        assert "wssAddr is not opened" in server.log()
        anna, bob = login("anna", server), login("bob", server, transport="ws")
        anna.tell("bob", b"hello")
        assert bob.receive().plain == b"hello"

    def test_each_key_that_works_is_taken_from_its_variable(self):
        """`explain` reads what the server would."""
        values = {"text": "x", "bool": "t", "number": "3", "duration": "1m", "list": "a:b:* c:d:*", "size": "64M",
                  "choice": {"mode": "bench", "durability": "written", "logger.format": "json"}}
        schemes = {"addr": "tcp", "wsAddr": "ws", "wssAddr": "wss", "tlsAddr": "tls", "httpAddr": "http", "manager.addr": "http"}
        checked = 0
        for key, _, kind in rows():
            if kind.startswith(("no effect", "another spelling")):
                continue
            value = f"{schemes[key]}://127.0.0.1:1" if kind == "address" else values[kind][key] if kind == "choice" else values[kind]
            variable = "WK_" + key.upper().replace(".", "_")
            pairs = {f"WK_{section}CONFIG_{file}": "x" for section in ("WSS", "TLS") for file in ("CERTFILE", "KEYFILE")}  # or it is a fault
            said = explain(key, **(pairs | {variable: value}))
            assert f"from the variable {variable}" in said, said
            checked += 1
        assert checked > 60

    def test_the_log_tells_where_in_the_source(self, start_server):
        plain, placed = start_server(), start_server(logger={"lineNum": True})
        line = re.compile(r"info started .*[a-z_]+\.c:\d+")
        assert line.search(placed.log()) and not line.search(plain.log())

    def test_another_spelling_is_understood(self):
        for key, _, rest in rows():
            if rest.startswith("another spelling"):
                assert explain(key).startswith(re.search(r"of `([\w.]+)`", rest)[1] + "\n")

    def test_json_is_yaml_and_toml_is_said_to_be_none(self, tmp_path):
        for name, text, code in [("a.json", '{"external": {"ip": "192.0.2.1"}}', 0), ("a.toml", 'mode = "release"\n', 2)]:
            (tmp_path / name).write_text(text)
            assert TestTheConfigCommand.run("check", str(tmp_path / name)).returncode == code

    @pytest.mark.parametrize("command", [["config", "check"], ["serve", "--config"]])
    def test_why_a_file_cannot_be_read_is_said(self, tmp_path, command):
        for file, why in [(tmp_path, "Is a directory"), (tmp_path / "nowhere.yaml", "it does not exist")]:
            said = subprocess.run([str(BINARY), *command, str(file)], capture_output=True, text=True, timeout=60, env={"HOME": str(tmp_path)})
            assert said.returncode == 2 and f"cannot read {file}: {why}" in said.stderr

    @pytest.mark.parametrize("switch, starts", [("-i", True), ("--ignoreMissingConfig", True), ("--ignoreMissingConfig=true", True),
                                                ("--ignoreMissingConfig=false", False), ("--ignoreMissingConfig=perhaps", False),
                                                ("--explain-memory", False)])
    def test_a_missing_file_is_an_error_unless_it_is_ignored(self, tmp_path, switch, starts):
        said = subprocess.run([str(BINARY), "serve", f"--config={tmp_path}/nowhere.yaml", switch, "--explain-memory"],
                              capture_output=True, text=True, timeout=60, env={"HOME": str(tmp_path)})
        assert (said.returncode == 0) == starts, said
        assert starts or "nowhere.yaml: it does not exist" in said.stderr or switch in said.stderr
