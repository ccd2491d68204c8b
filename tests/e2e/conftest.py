"""Fixtures of the end-to-end tests.

Most tests share one server per configuration and worker and keep out of each other's way by fresh names; a test that stops,
kills or tunes its server starts one of its own with start_server.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import time

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from harness import server as server_module  # noqa: E402
from harness.api import Api  # noqa: E402
from harness.client import Client, open_stream  # noqa: E402
from harness.json_client import JsonClient  # noqa: E402
from harness.receiver import Receiver  # noqa: E402
from harness.server import REFERENCE, Server  # noqa: E402
from harness.streams import Closed  # noqa: E402

_SEED = pytest.StashKey[int]()
_LOG_LINES = 60
_LOGIN_ATTEMPTS = 3


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=None, help="seed of every random choice the tests make")
    parser.addoption("--crash-rounds", type=int, default=6, help="rounds of kill -9 in the crash test")


def pytest_configure(config):
    config.addinivalue_line("markers", "jingu_only(reason): Jingu differs from the reference on purpose, or goes beyond it")
    config.addinivalue_line("markers", "reference_only(reason): documents the reference, not asked of Jingu")
    config.addinivalue_line("markers", "slow: takes more than about ten seconds")
    config.addinivalue_line("markers", "tool: about a tool of the binary, and not about how many shards the server has")
    worker = getattr(config, "workerinput", None)
    seed = config.getoption("--seed")
    config.stash[_SEED] = worker["seed"] if worker else random.SystemRandom().randrange(1 << 32) if seed is None else seed


    if not REFERENCE and not server_module.BINARY.exists():
        pytest.exit(f"no server binary at {server_module.BINARY}; build it, or name it with JINGU_BIN", returncode=3)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    node.workerinput["seed"] = node.config.stash[_SEED]


def pytest_report_header(config):
    target = "reference" if REFERENCE else f"{server_module.BINARY}, shards: {server_module.SHARDS}"
    return f"seed: {config.stash[_SEED]} (repeat with --seed), target: {target}"


def pytest_collection_modifyitems(config, items):
    skipped = "jingu_only" if REFERENCE else "reference_only"
    for item in items:
        mark = item.get_closest_marker(skipped)
        if mark:
            item.add_marker(pytest.mark.skip(reason=f"{skipped}: {mark.kwargs.get('reason', '')}"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for key, value in getattr(item, "funcargs", {}).items():
            for server in value.all if isinstance(value, _Starter) else [value]:
                if isinstance(server, Server):
                    report.sections.append((f"log of {key} ({server.directory})", server.log_tail(_LOG_LINES)))


@pytest.fixture(scope="session")
def seed(request) -> int:
    return request.config.stash[_SEED]


@pytest.fixture
def rng(request, seed) -> random.Random:
    return random.Random(f"{seed} {request.node.nodeid}")


_counter = itertools.count(1)
_run = f"{os.getpid():x}"


@pytest.fixture
def name():
    """name("alice") is a uid or channel id nobody else uses; asked again in the same test it is the same."""
    suffix = f"{_run}x{next(_counter)}"
    return lambda word: f"{word}{suffix}"


class _Starter:
    """Starts servers and ends them, orderly where the test left them running."""

    def __init__(self, factory):
        self._factory = factory
        self.all: list[Server] = []

    def __call__(self, **settings) -> Server:
        return self.prepare(**settings).start()

    def prepare(self, **settings) -> Server:
        """A server that is configured but not started."""
        server = Server(self._factory.mktemp("server"), **settings)
        self.all.append(server)
        return server

    def end(self):
        failures = []
        for server in self.all:
            try:
                if server.process is not None:
                    server.stop()
            except AssertionError as failure:
                failures.append(str(failure))
            finally:
                server.kill()
        assert not failures, "\n".join(failures)


@pytest.fixture
def start_server(tmp_path_factory):
    starter = _Starter(tmp_path_factory)
    yield starter
    starter.end()


@pytest.fixture
def receiver():
    """A back end for webhooks, up and saying yes."""
    opened = Receiver().start()
    yield opened
    opened.stop()


def _shared(**settings):
    @pytest.fixture(scope="session")
    def shared(tmp_path_factory):
        starter = _Starter(tmp_path_factory)
        yield starter(**settings)
        starter.end()

    return shared


server = _shared()
token_server = _shared(tokenAuthOn=True)
clear_server = _shared(disableEncryption=True)
strict_server = _shared(whitelistOffOfPerson=False)


@pytest.fixture
def api(server) -> Api:
    return Api(server)


@pytest.fixture
def open_client(request):
    """Opens a connection and makes a Client of it, not logged in."""
    opened = []

    def open_(uid: str, on: Server | None = None, transport: str = "tcp", stream_options: dict | None = None, **options) -> Client:
        on = on or request.getfixturevalue("server")
        client = Client(open_stream(on, transport, **(stream_options or {})), uid, **options)
        opened.append(client)
        return client

    yield open_
    for client in opened:
        client.close()


def _logged_in(open_, log_in):
    """Opens a client and logs it in. Again, as a client would, where it could not be quick enough: a server gives two seconds from the
    opening to the CONNECT, and a machine that pauses in between takes them. (And the reference now and then forgets a CONNECT.)"""
    for _ in range(_LOGIN_ATTEMPTS - 1):
        before = time.monotonic()
        client = open_()
        try:
            log_in(client)
            return client
        except (AssertionError, Closed):
            if not REFERENCE and (client.first_written or time.monotonic()) - before < 1.5:
                raise
    client = open_()
    log_in(client)
    return client


@pytest.fixture
def login(open_client):
    """A client that is logged in."""

    def login_(uid: str, on: Server | None = None, transport: str = "tcp", **options) -> Client:
        return _logged_in(lambda: open_client(uid, on, transport, **options), lambda client: client.login())

    return login_


@pytest.fixture
def cast(login, name):
    """Two who chat, and somebody else."""
    class Cast:
        anna, bob, stranger = (login(name(word)) for word in ("anna", "bob", "stranger"))
    return Cast


@pytest.fixture
def officer(api, login, name):
    """A system account."""
    api.post("/user/systemuids_add", {"uids": [name("officer")]}).ok()
    yield login(name("officer"))
    api.post("/user/systemuids_remove", {"uids": [name("officer")]}).ok()


@pytest.fixture
def open_json(request):
    opened = []

    def open_(uid: str, on: Server | None = None, transport: str = "ws", stream_options: dict | None = None, **options) -> JsonClient:
        on = on or request.getfixturevalue("server")
        stream_options = dict(stream_options or {})
        if transport == "ws":
            stream_options.setdefault("opcode", 1)
        client = JsonClient(open_stream(on, transport, **stream_options), uid, **options)
        opened.append(client)
        return client

    yield open_
    for client in opened:
        client.close()


@pytest.fixture
def login_json(open_json):
    def login_(uid: str, on: Server | None = None, transport: str = "ws", token: str = "", device_flag: int = 1,
               device_id: str = "", **options) -> JsonClient:
        return _logged_in(lambda: open_json(uid, on, transport, **options),
                          lambda client: client.login(token=token, device_flag=device_flag, device_id=device_id))

    return login_


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    from harness.javascript_sdk import Browser
    opened = Browser(tmp_path_factory.mktemp("page"))
    yield opened
    opened.close()


@pytest.fixture
def javascript(browser):
    """Opens a tab with the JavaScript SDK and logs in."""
    tabs = []

    def open_(on: Server, uid: str, token: str = "any", device_flag: int = 1, connected: bool = True):
        tab = browser.tab().start(on, uid, token, device_flag)
        tabs.append(tab)
        return tab.wait_connected() if connected else tab

    yield open_
    for tab in tabs:
        tab.close()


@pytest.fixture
def python_sdk():
    """Makes a Python SDK client and logs in."""
    clients = []

    def open_(on: Server, uid: str, token: str = "any", **options):
        from harness.python_sdk import PythonSdk
        client = PythonSdk(on, uid, token, **options)
        clients.append(client)
        client.connect()
        return client

    yield open_
    for client in clients:
        client.close()
