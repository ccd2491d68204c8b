"""What monitoring pages poll, and what operators do (HTTP API 13 to 16)."""

import base64
import json
import time

import pytest
import requests

from harness.api import Api
from harness.server import Server
from harness.waiting import SOON, eventually

pytestmark = pytest.mark.jingu_only(reason="the reference answers these as a node of a cluster, which is compared by hand")

NOBODY = 1 << 40


def page(api, **query):
    return api.get("/connz", **query).bare()


class TestConnections:
    def test_a_connection_shows_what_it_is_and_does(self, api, login, name):
        anna, bob = login(name("anna"), device_flag=1), login(name("bob"))
        anna.say(bob.uid, b"hello")
        bob.receive()
        seen = page(api, uid=anna.uid)["connections"]
        assert [one["uid"] for one in seen] == [anna.uid]
        one = seen[0]
        assert (one["ip"], one["device"], one["in_msgs"]) == ("127.0.0.1", "Web(从)", 1)
        assert one["in_msg_bytes"] >= 5 and one["in_packets"] >= 2 and one["in_packet_bytes"] > 0 and one["node_id"] == one["leader_id"] == 1001
        assert one["uptime"].endswith("s") and one["proxy_type_format"] == "本地连接"
        assert page(api, uid=bob.uid)["connections"][0]["out_msgs"] == 1

    @pytest.mark.parametrize("headers, ip, port", [
        ({"X-Forwarded-For": "203.0.113.7", "X-Real-IP": "203.0.113.8", "X-Real-Port": "81"}, "203.0.113.7", 81),
        ({"X-Forwarded-For": " ", "X-Real-IP": "2001:db8::8", "X-Real-Port": "82"}, "2001:db8::8", 82),
        ({"X-Real-IP": "203.0.113.8"}, "203.0.113.8", None),
        ({"X-Real-IP": "203.0.113.8", "X-Real-Port": "65536"}, "203.0.113.8", None),
        ({"X-Forwarded-For": "203.0.113.7, 10.0.0.1", "X-Real-Port": "83"}, "127.0.0.1", None),
    ])
    def test_behind_a_load_balancer_the_peer_is_whom_its_headers_name(self, api, login, name, headers, ip, port):
        anna = login(name("anna"), transport="ws", stream_options={"headers": headers})
        seen = page(api, uid=anna.uid)["connections"][0]
        own = anna.stream.tcp.socket.getsockname()[1]
        assert (seen["ip"], seen["port"]) == (ip, port or own)

    @pytest.mark.parametrize("flag, level, shown", [(0, 0, "App(从)"), (0, 1, "App(主)"), (1, 0, "Web(从)"), (1, 1, "Web(主)"), (2, 0, "PC(从)"),
                                                    (2, 1, "PC(主)"), (7, 0, "未知(从)"), (7, 1, "未知(主)")])
    def test_a_device_is_called_by_its_class_and_level(self, token_server, login, name, flag, level, shown):
        api = Api(token_server)
        api.token(name("anna"), "t", device_flag=flag, device_level=level)
        login(name("anna"), token_server, token="t", device_flag=flag)
        assert [one["device"] for one in page(api, uid=name("anna"))["connections"]] == [shown]

    def test_pages_show_each_connection_once_in_order(self, api, login, name):
        people = [login(name(f"p{i}")) for i in range(23)]
        part = people[0].uid[2:]
        for sort, is_down in (("id", False), ("idDesc", True), ("inMsg", False), ("uptimeDesc", True), ("nonsense", False)):
            seen = []
            for offset in range(0, 40, 5):
                answer = page(api, uid=part, sort=sort, offset=offset, limit=5)
                assert (answer["offset"], answer["limit"]) == (offset, 5)
                seen += answer["connections"]
            assert sorted(one["uid"] for one in seen) == sorted(one.uid for one in people)
            if sort.startswith("id"):
                ids = [one["id"] for one in seen]
                assert ids == sorted(ids, reverse=is_down)

    def test_the_busiest_come_first(self, api, login, name):
        people = [login(name(f"p{i}")) for i in range(5)]
        for count, person in enumerate(people):
            for _ in range(count):
                person.say(people[0].uid if person is not people[0] else people[1].uid)
        answer = page(api, uid=people[0].uid[2:], sort="inMsgDesc")["connections"]
        assert [one["in_msgs"] for one in answer] == [4, 3, 2, 1, 0]

    def test_the_total_counts_every_socket_and_a_limit_of_nothing_is_twenty(self, api, login, name):
        login(name("anna"))
        answer = page(api, limit=0, uid=name("nobody"))
        assert answer["connections"] == [] and answer["limit"] == 20 and answer["total"] >= 1
        api.get("/connz", node_id=7).refused("节点不存在！")
        assert page(api, node_id=1001, limit=1)["limit"] == 1

    @pytest.mark.parametrize("path", ["/conn/kick", "/conn/remove"])
    def test_a_connection_is_ended_by_its_id_and_uid(self, api, login, name, path):
        anna = login(name("anna"))
        conn_id = page(api, uid=anna.uid)["connections"][0]["id"]
        api.post(path, {"uid": name("other"), "conn_id": conn_id}).ok()
        assert page(api, uid=anna.uid)["connections"]
        api.post(path, {"uid": anna.uid, "conn_id": conn_id, "node_id": 7}).ok()
        assert page(api, uid=anna.uid)["connections"]
        api.post(path, {"uid": anna.uid, "conn_id": conn_id, "node_id": 1001, "op_node_id": 1001}).ok()
        if path == "/conn/kick":
            said = anna.expect_disconnect()
            assert (said.reason, said.text) == (12, "server kick")
        anna.expect_close()
        eventually(lambda: not page(api, uid=anna.uid)["connections"])

    @pytest.mark.parametrize("path", ["/conn/kick", "/conn/remove"])
    def test_what_is_refused_and_what_is_nobody(self, api, path):
        api.post(path, {"uid": "u", "conn_id": 0}).refused("conn_id is 0")
        api.post(path, {"uid": "u"}).refused("conn_id is 0")
        api.post(path, {"uid": "u", "conn_id": 1, "op_node_id": 7}).refused("node not found")
        for conn_id in (1, -1, NOBODY, (1 << 63) - 1, 255 << 24, 1 << 32 | 0xFFFFFF):
            api.post(path, {"uid": "u", "conn_id": conn_id}).ok()


class TestNumbers:
    def test_varz_counts_and_names(self, api, server, login, name):
        login(name("anna"))
        varz = api.get("/varz").bare()
        assert varz["connections"] >= 1 and varz["server_name"] == "WuKongIM" and varz["server_id"] == "1001"
        assert varz["mem"] > 1 << 20 and "conns" not in varz
        assert varz["tcp_addr"].endswith(str(server.tcp_port))
        assert len(api.get("/varz", show="conn", conn_limit=1).bare()["conns"]) == 1
        api.get("/varz", node_id=7).refused("节点不存在！")

    def test_settings_and_migration(self, api):
        assert api.get("/varz/setting").bare() == {"logger": {"trace_on": 0, "loki_on": 0}, "prometheus_on": 0, "stress_on": 0}
        assert api.get("/migrate/result").bare() == {"status": "running", "step": "", "last_err": None, "try_count": 0}


class TestWhatThereIsNoHostFor:
    def test_tags_and_plugins(self, api):
        api.get("/tag", tag_key="x").refused("tag not found")
        assert api.get("/tags").bare() == [] and api.get("/plugins").bare() == [] and api.get("/plugin/bind", uid="u").bare() == []
        api.get("/tags", node_id=7).refused("node not found")
        api.post("/tag/remove", {"tag_key": "x", "node_id": 7}).refused("node not found")
        for method in ("GET", "POST", "PUT", "DELETE"):
            reply = api.call(method, "/plugins/wk.plugin.search/usersearch")
            assert (reply.status, reply.body) == (400, {"msg": "plugin not found", "status": 404})

    @pytest.mark.parametrize("path", ["/pluginconfig/x", "/plugin/bind", "/plugin/unbind", "/plugin/uninstall",
                                      "/cluster/slots/1/migrate", "/cluster/slots/1/election", "/cluster/channels/g/2/start",
                                      "/cluster/channels/g/2/stop"])
    def test_what_needs_a_right_is_refused_without(self, api, path):
        reply = api.post(path, {"plugin_no": "x", "uid": "u"})
        assert (reply.status, reply.body) == (400, {"msg": "没有权限", "status": 403})

    def test_the_plugin_of_a_user_is_noted(self, api, name):
        api.post("/user/update_plugin_no", {"uid": name("anna"), "plugin_no": "wk.plugin.x"}).ok()
        api.post("/user/update_plugin_no", {"uid": "", "plugin_no": "x"}).ok()
        api.post("/user/update_plugin_no", {"uid": name("anna"), "plugin_no": "x" * 256}).refused()
        assert api.get("/cluster/users", uid=name("anna")).bare()["data"][0]["uid"] == name("anna")

    def test_a_temporary_channel_has_the_members_it_was_given(self, api, login, name):
        anna, bob = login(name("anna")), login(name("bob"))
        api.post("/tmpchannel/subscriber_set", {"channel_id": name("tmp"), "uids": [anna.uid]}).ok()
        api.send(b"one", name("tmp"), 8)
        assert anna.receive().plain == b"one"
        api.post("/tmpchannel/subscriber_set", {"channel_id": name("tmp"), "uids": [bob.uid]}).ok()
        api.send(b"two", name("tmp"), 8)
        assert bob.receive().plain == b"two"
        for body, text in (({"uids": ["u"]}, "channel_id不能为空！"), ({"channel_id": "a@b", "uids": ["u"]}, "频道ID不能包含特殊字符！"),
                           ({"channel_id": "t"}, "uids不能为空！")):
            api.post("/tmpchannel/subscriber_set", body).refused(text)


class TestAClusterOfOne:
    def test_the_lists_of_a_channel(self, api, name):
        group = api.group(name("g"), name("a"), name("b"))
        api.edit_list("blacklist_add", group, name("c"))
        api.edit_list("whitelist_add", group, name("a"))
        at = f"/cluster/channels/{group}/2"
        assert sorted(api.get(at + "/subscribers").bare()) == [name("a"), name("b")]
        assert api.get(at + "/denylist").bare() == [name("c")]
        assert api.get(at + "/allowlist").bare() == [name("a")]
        assert api.get(f"/cluster/channels/{name('none')}/2/subscribers").bare() == []
        assert api.get(at + "/config").bare()["channel_id"] == group
        assert api.get(at + "/config/").status == 301

    def test_messages_of_a_channel_newest_first(self, api, name):
        group = api.group(name("g"), name("a"))
        sent = [api.send(b"%d" % i, group, from_uid=name("a"), client_msg_no=f"n{i}") for i in range(7)]
        found = api.get("/cluster/messages", channel_id=group, channel_type=2, limit=3).bare()["data"]
        assert [base64.b64decode(one["payload"]) for one in found] == [b"6", b"5", b"4"]
        older = api.get("/cluster/messages", channel_id=group, channel_type=2, limit=3, offset_message_seq=found[-1]["message_seq"])
        assert [one["message_seq"] for one in older.bare()["data"]] == [4, 3, 2]
        one = api.get("/cluster/messages", message_id=sent[2]["message_id"]).bare()["data"]
        assert [(m["message_id"], m["message_seq"]) for m in one] == [(str(sent[2]["message_id"]), 3)]
        assert len(api.get("/cluster/messages", channel_id=group, channel_type=2, client_msg_no="n5").bare()["data"]) == 1
        assert api.get("/cluster/messages", channel_id=name("none"), channel_type=2).bare()["data"] == []
        api.get("/cluster/messages").refused()

    def test_users_channels_and_devices_are_paged_by_age(self, start_server):
        api = Api(start_server())
        for i in range(12):
            api.token(f"user{i}", f"secret{i}")
            api.group(f"g{i}", "user0")
        for path, key in (("/cluster/users", "uid"), ("/cluster/channels", "channel_id"), ("/cluster/devices", "uid")):
            seen, offset = [], 0
            while True:
                answer = api.get(path, limit=5, **({"offset_created_at": offset} if offset else {})).bare()
                seen += answer["data"]
                if not answer["more"]:
                    break
                offset = answer["data"][-1]["created_at"]
            assert [one["created_at"] for one in seen] == sorted((one["created_at"] for one in seen), reverse=True)
            assert sorted(one[key] for one in seen) == sorted({one[key] for one in seen}) and len(seen) == 12
            back = api.get(path, limit=5, offset_created_at=seen[5]["created_at"], pre=1).bare()["data"]
            assert back == seen[:5]
        assert "secret" not in api.get("/cluster/devices").text
        channel = api.get("/cluster/channels", channel_id="g3").bare()["data"]
        assert [(one["channel_id"], one["subscriber_count"]) for one in channel] == [("g3", 1)]

    def test_channels_of_the_node_are_paged_by_age(self, start_server):
        api = Api(start_server())
        for i in range(5):
            api.group(f"g{i}", "a")
        api.send(b"x", "g1")
        page = api.get("/cluster/nodes/1001/channels", limit=3).bare()
        assert (page["total"], page["running"], page["more"], len(page["data"])) == (0, 5, 1, 3)
        rest = api.get("/cluster/nodes/1001/channels", limit=3, offset_created_at=page["data"][-1]["created_at"]).bare()
        assert rest["more"] == 0
        shown = page["data"] + rest["data"]
        assert [one["created_at"] for one in shown] == sorted((one["created_at"] for one in shown), reverse=True)
        assert sorted((one["channel_id"], one["last_message_seq"]) for one in shown) == [(f"g{i}", i == 1) for i in range(5)]
        assert all((one["last_append_time"] != "") == (one["channel_id"] == "g1") for one in shown)
        assert all(one["replicas"] == [one["leader_id"]] == [1001] and one["active"] == 1 for one in shown)
        named = api.get("/cluster/nodes/1001/channels", channel_id="g3").bare()
        assert [(one["channel_id"], one["channel_type_format"]) for one in named["data"]] == [("g3", "群组")]
        for node in ("7", "x", "-1", "18446744073709552617"):
            api.get(f"/cluster/nodes/{node}/channels").refused("node not found")

    def test_types_of_channels_have_names(self, api, name):
        shown = {}
        for channel_type in range(1, 13):
            api.info(name(f"t{channel_type}e"), channel_type)
            page = api.get("/cluster/nodes/1001/channels", channel_id=name(f"t{channel_type}e"), channel_type=channel_type).bare()
            shown |= {one["channel_type"]: one["channel_type_format"] for one in page["data"]}
        names = ["个人", "群组", "客服", "社区", "社区话题", "资讯", "数据", "临时", "直播", "访客", "智能体", "智能体群"]
        assert shown == dict(enumerate(names, 1))

    def test_conversations_of_a_user_and_of_all(self, start_server):
        api = Api(start_server())
        api.group("g", "a", "b")
        api.send(b"x", "g", from_uid="a")
        own = api.get("/cluster/conversations", uid="b").bare()["data"]
        assert [(one["channel_id"], one["last_msg_seq"], one["unread_count"]) for one in own] == [("g", 1, 1)]
        assert sorted(one["uid"] for one in api.get("/cluster/conversations").bare()["data"]) == ["a", "b"]

    def test_the_nodes_and_slots(self, api):
        assert [one["id"] for one in api.get("/cluster/nodes").bare()["data"]] == [1001]
        assert api.get("/cluster/allslot").bare()["total"] == 64
        assert [one["id"] for one in api.get("/cluster/slots", ids="0,63").bare()] == [0, 63]
        for ids in ("64", "x", "1,,2", "-1"):
            api.get("/cluster/slots", ids=ids).refused("slot not found")
        api.get("/cluster/slots/99/config").refused("slot not found")
        logs = {"next": 0, "pre": 0, "applied": 0, "last": 0, "more": 0, "logs": []}
        assert api.get("/cluster/logs").bare() == api.get("/cluster/logs", node_id=1001).bare() == logs
        api.get("/cluster/logs", node_id=7).refused("node not found")
        status = api.post("/cluster/channel/status", {"channels": [{"channel_id": "none", "channel_type": 2}]}).bare()
        assert status[0]["running"] == 0


@pytest.fixture(scope="module")
def managed(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("managed"), managerToken="house", auth={"users": ["admin:pwd:*", "eye:pwd:[*:r]"]},
                    jwt={"secret": "0123456789", "expire": "1h", "issuer": "here"})
    server.settings["manager"]["on"] = True
    server.start()
    yield server
    server.stop()


class TestTheManagersPort:
    @staticmethod
    def call(server, path, method="GET", **options):
        address = server.settings["manager"]["addr"]
        return requests.request(method, f"http://{address}{path}", timeout=SOON * 4, **options)

    def login(self, server, username, password="pwd"):
        return self.call(server, "/manager/login", "POST", json={"username": username, "password": password})

    def test_nobody_enters_without_a_name(self, managed):
        for headers, error in (({}, "Authorization header is required"), ({"token": "wrong"}, "Authorization header is required"),
                               ({"Authorization": "Bearer nonsense"}, "Invalid token"), ({"Authorization": "a.b.c"}, "Invalid token")):
            for path in ("/varz", "/connz", "/nowhere", "/cluster/nodes"):
                reply = self.call(managed, path, headers=headers)
                assert (reply.status_code, reply.json()) == (401, {"error": error})
        assert self.call(managed, "/varz", "OPTIONS").status_code == 204

    def test_the_token_and_a_login_both_open_it(self, managed):
        assert self.call(managed, "/varz", headers={"token": "house"}).json()["manager_on"] == 1
        given = self.login(managed, "admin").json()
        assert (given["username"], given["permissions"]) == ("admin", "*:*") and given["exp"] > time.time() + 3000
        claims = json.loads(base64.urlsafe_b64decode(given["token"].split(".")[1] + "=="))
        assert (claims["iss"], claims["username"]) == ("here", "admin")
        for credentials in (f"Bearer {given['token']}", given["token"]):
            assert self.call(managed, "/varz", headers={"Authorization": credentials}).status_code == 200
        assert self.call(managed, "/varz", params={"Authorization": given["token"]}).status_code == 200

    def test_a_login_ends(self, start_server):
        server = start_server(manager={"on": True}, jwt={"expire": "1s"}, auth={"users": ["root:pwd:*"]})
        token = Api(server).post("/manager/login", {"username": "root", "password": "pwd"}).bare()["token"]

        def is_expired():
            reply = self.call(server, "/varz", headers={"Authorization": token})
            assert reply.status_code == 200 or reply.json() == {"error": "token is expired"}
            return reply.status_code == 401

        eventually(is_expired)

    def test_metrics_are_open_and_back_ends_do_not_live_here(self, managed):
        assert "jingu_connections" in self.call(managed, "/metrics").text
        for path in ("/health", "/route", "/user/systemuids"):
            assert self.call(managed, path, headers={"token": "house"}).status_code == 404

    def test_a_login_is_refused_in_this_order(self, managed):
        api = Api(managed, "house")
        api.post("/manager/login", {"username": ""}).refused("密码不能为空")
        api.post("/manager/login", {"password": "x"}).refused("用户名不能为空")
        for body in ({"username": "admin", "password": "x"}, {"username": "nobody", "password": "pwd"},
                     {"username": "____manager", "password": "house"}):
            api.post("/manager/login", body).refused("用户名或密码错误")

    def test_rights_decide_what_a_user_may_do(self, managed):
        def migrate(**headers):
            reply = self.call(managed, "/cluster/slots/1/migrate", "POST", headers=headers)
            return reply.json()["status"]
        assert migrate(token="house") == 400  # there is nowhere to move it to
        assert migrate(Authorization=self.login(managed, "admin").json()["token"]) == 400
        assert migrate(Authorization=self.login(managed, "eye").json()["token"]) == 403
        api = Api(managed, "house")
        assert api.post("/cluster/slots/1/migrate").body["status"] == 403  # the manager's token has no rights on the API's port
        token = self.login(managed, "admin").json()["token"]
        assert api.post("/cluster/slots/1/migrate", headers={"Authorization": token}).body["status"] == 400

    @pytest.mark.parametrize("path", ["/plugin/bind", "/plugin/unbind"])
    def test_a_plugin_is_bound_to_somebody(self, managed, path):
        rights = {"Authorization": self.login(managed, "admin").json()["token"]}
        for body in ({}, {"plugin_no": "x"}, {"uid": "anna"}, {"plugin_no": "", "uid": "anna"}):
            Api(managed, "house").post(path, body, headers=rights).refused("plugin_no and uid is required")
        reply = Api(managed, "house").post(path, {"plugin_no": "x", "uid": "anna"}, headers=rights)
        assert reply.body == {"msg": "plugin not found", "status": 404}

    def test_who_may_only_look_makes_no_backup(self, managed, name):
        def back_up(user):
            token = self.login(managed, user).json()["token"]
            return self.call(managed, "/backup", "POST", headers={"Authorization": token}, json={"name": name(user)}).json()["status"]
        assert back_up("eye") == 403
        assert back_up("admin") == 200
        Api(managed, "house").post("/backup", {"name": name("house")}).ok()

    def test_a_bad_login_on_the_apis_port_is_nobody_and_no_error(self, managed):
        reply = Api(managed, "house").call("GET", "/varz", headers={"Authorization": "Bearer nonsense"})
        assert reply.status == 200

    @pytest.mark.parametrize("entry", ["admin", "admin:pwd", "admin:pwd:x", "admin:pwd:[*:q]", "____manager:pwd:[*:r]"])
    def test_a_user_that_cannot_be_stops_the_start(self, start_server, entry):
        server = start_server.prepare(auth={"users": [entry]})
        server.launch()
        assert server.process.wait(SOON * 4) == 2
        assert "auth.users" in server.log()
        server.process = None


def test_old_endpoints_are_told_to_be_gone(api):
    for path in ("/event", "/stream/open", "/stream/start", "/user/systemuid_add", "/conversations/sync"):
        assert api.post(path, {}).status == 404
