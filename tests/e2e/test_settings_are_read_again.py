"""SIGHUP, and what `jingu config` says about a file (configuration reference; decision 21)."""

import signal
import subprocess

import pytest

from harness.api import Api
from harness.client import Refused
from harness.server import BINARY, _yaml
from harness.waiting import eventually

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
            Api(server).send(b"now", subscribers=[anna.uid], header={"sync_once": 1, "no_persist": 1})
            told = anna.receive()
            assert (told.channel_id, told.channel_type, told.plain) == (channel, 8, b"now")

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


class TestTheConfigCommand:
    @staticmethod
    def run(*arguments):
        return subprocess.run([str(BINARY), "config", *arguments], capture_output=True, text=True, env={"HOME": "/nowhere"}, timeout=20)

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
