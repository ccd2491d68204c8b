"""WSS, and TCP over TLS, with certificates of our own (protocol description 1; configuration 6)."""

import signal
import ssl
import time

import pytest

from harness.certificates import certificate
from harness.client import Client
from harness.server import Server
from harness.streams import Closed, TcpStream, WebSocketStream
from harness.waiting import SOON, eventually


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    directory = tmp_path_factory.mktemp("secure")
    server = Server(directory)
    for section, port in (("wss", server.wss_port), ("tls", server.tls_port)):
        certificate(directory / section, "first")
        server.settings[f"{section}Addr"] = f"{section}://127.0.0.1:{port}"
        server.settings[f"{section}Config"] = {"certFile": str(directory / section / "cert.pem"),
                                               "keyFile": str(directory / section / "key.pem")}
    server.start()
    yield server
    server.stop()


def trusting(server, section: str = "wss") -> ssl.SSLContext:
    """Trusts the certificate of that port, and no other."""
    return ssl.create_default_context(cafile=str(server.directory / section / "cert.pem"))


@pytest.fixture
def login_wss(secure):
    opened = []

    def login_(uid, context=None, **options):
        client = Client(WebSocketStream(secure.wss_port, context=context or trusting(secure)), uid, **options)
        opened.append(client)
        client.login()
        return client

    yield login_
    for client in opened:
        client.close()


@pytest.fixture
def login_tls(secure):
    opened = []

    def login_(uid, context=None):
        client = Client(TcpStream(secure.tls_port, context=context or trusting(secure, "tls")), uid)
        opened.append(client)
        client.login()
        return client

    yield login_
    for client in opened:
        client.close()


@pytest.mark.jingu_only(reason="the reference has no TLS on the TCP port")
def test_two_people_chat_over_tls_and_wss(login_tls, login_wss, name):
    anna, bob = login_tls(name("anna")), login_wss(name("bob"))
    anna.tell(bob.uid, b"x" * 100_000)
    assert bob.receive().plain == b"x" * 100_000
    bob.tell(anna.uid, b"over tls")
    assert anna.receive().plain == b"over tls"


@pytest.mark.jingu_only(reason="the reference has no TLS on the TCP port")
def test_each_port_shows_its_own_certificate(secure, login_tls, login_wss, name):
    for login_, other in ((login_tls, "wss"), (login_wss, "tls")):
        with pytest.raises(ssl.SSLCertVerificationError):
            login_(name("anna"), trusting(secure, other))


def test_two_people_chat_over_wss_and_tcp(secure, login_wss, login, name):
    anna, bob = login_wss(name("anna")), login(name("bob"), secure)
    anna.tell(bob.uid, b"over tls")
    assert bob.receive().plain == b"over tls"
    bob.tell(anna.uid, b"x" * 100_000)
    assert anna.receive().plain == b"x" * 100_000


def test_route_tells_the_secure_address(secure):
    from harness.api import Api
    assert Api(secure).get("/route").bare()["wss_addr"] == f"wss://127.0.0.1:{secure.wss_port}"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_current_versions(secure, login_wss, name, version):
    context = trusting(secure)
    context.minimum_version = context.maximum_version = version
    assert login_wss(name("anna"), context).is_open()


def test_many_messages_and_frames_cut_anywhere(login_wss, name, rng):
    anna, bob = login_wss(name("anna")), login_wss(name("bob"))
    payloads = [rng.randbytes(rng.randrange(1, 4000)) for _ in range(100)]
    for payload in payloads:
        anna.tell(bob.uid, payload)
    assert sorted(bob.receive().plain for _ in payloads) == sorted(payloads)


def assert_ends(stream):
    """Whatever is said (an alert, perhaps) before the end."""
    deadline = time.monotonic() + SOON
    try:
        while True:
            stream.receive(deadline)
    except Closed:
        pass


def test_what_is_not_tls_is_closed(secure, login_wss, name):
    for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05nope!", b"\x10\x15" + b"\0" * 30):
        assert_ends(TcpStream(secure.wss_port, prefix=noise))
    assert login_wss(name("anna")).is_open()


def test_a_handshake_that_stops_half_way_is_closed(secure):
    assert_ends(TcpStream(secure.wss_port, prefix=b"\x16\x03\x01\x02\x00\x01"))


@pytest.mark.jingu_only(reason="the reference reads its certificate once")
def test_new_certificates_are_taken_on_sighup(secure, login_tls, login_wss, name):
    old = login_wss(name("anna"))
    for section in ("wss", "tls"):
        certificate(secure.directory / section, "second")
    secure.process.send_signal(signal.SIGHUP)

    def renewed(login_):
        try:
            return login_(name("bob"))
        except ssl.SSLError:
            return None

    assert eventually(lambda: renewed(login_wss)).is_open()
    assert eventually(lambda: renewed(login_tls)).is_open()
    assert old.is_open(), "who is connected stays connected"
