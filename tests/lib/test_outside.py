"""What leads inward, or is written so that two readers disagree, is not connected to; what was looked at is."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import urllib3

from callprivacy.lib import outside
from tests.accounts.provider import HOST, certificate

if TYPE_CHECKING:
    from pytest_django import Settings

HOSTILE = [
    line.encode().decode("unicode_escape")
    for line in Path(__file__).with_name("hostile_addresses.txt").read_text(encoding="ascii").splitlines()
    if line and not line.startswith("#")
]
PUBLIC = "93.184.216.34"


def test_there_are_eighty_and_more() -> None:
    assert len(set(HOSTILE)) >= 80


def test_no_hostile_form_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by how it is written nor, where the name server is ours, by where it leads."""
    for url in HOSTILE:
        with pytest.raises(outside.NotPlainError):
            outside.checked(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example.com",
        "https://crm.example.com/hooks?x=1#part",
        "https://crm.example.com:443/",
        "https://crm.example.com:8443/",
        "https://xn--exmple-cua.com/",
        f"https://{PUBLIC}/",
        "https://[2606:2800:220:1:248:1893:25c8:1946]/",
        "https://CRM.Example.com/",
    ],
)
def test_ordinary_addresses_are(url: str) -> None:
    assert outside.checked(url).scheme == "https"


def test_a_private_host_that_the_operator_names_is_spoken_to(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.CALLPRIVACY_PRIVATE_HOSTS = frozenset({"idp.lan", "10.0.0.7", "metadata.lan", "mapped.lan"})
    found = {
        "idp.lan": "10.0.0.8",
        "10.0.0.7": "10.0.0.7",
        "metadata.lan": "169.254.169.254",
        "mapped.lan": "::ffff:169.254.169.254",
        "other.lan": "10.0.0.8",
    }
    monkeypatch.setattr(outside, "_looked_up", lambda host, *_: [(0, 0, 0, "", (found[host], 443))])
    for host in ("idp.lan", "10.0.0.7"):
        assert outside.checked(f"https://{host}/").hostname == host
        assert outside.resolve(host, 443) == found[host]
    for url in ("https://other.lan/", "https://10.0.0.9/", "http://idp.lan/"):
        with pytest.raises(outside.NotPlainError):
            outside.checked(url)
    for host in ("metadata.lan", "mapped.lan", "other.lan"):
        with pytest.raises(outside.NotPublicError):
            outside.resolve(host, 443)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        (PUBLIC, True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("64:ff9b::5db8:d822", True),
        ("64:ff9b::a9fe:a9fe", False),
        ("::ffff:93.184.216.34", False),
        ("2002:5db8:d822::1", False),
        ("fe80::1%eth0", False),
        ("ff0e::1", False),
        ("fec0::1", False),
        ("no address", False),
    ],
)
def test_what_is_on_the_internet(address: str, public: bool) -> None:
    assert outside.is_public(address) is public


def test_one_inner_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [(0, 0, 0, "", (one, 443)) for one in (PUBLIC, "::ffff:10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: entries)
    with pytest.raises(outside.NotPublicError):
        outside.resolve("crm.example.com", 443)


def test_a_second_answer_of_the_name_server_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: the name is asked once, and the connection goes to what was looked at then."""
    answers = iter([PUBLIC, "127.0.0.1", "127.0.0.1"])
    reached: list[str] = []

    def lookup(host: str, *_args: Any, **_more: Any) -> list[Any]:
        # urllib3 asks again for the literal address that it was given; a name would be a second question
        address = host if host == PUBLIC else next(answers)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]

    def connect(_line: socket.socket, address: Any) -> None:
        reached.append(address[0])
        raise OSError("refused")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(socket.socket, "connect", connect)
    parts = outside.checked("https://crm.example.com/")
    pool = outside.pool_to(
        outside.resolve("crm.example.com", 443), parts, timeout=urllib3.Timeout(connect=1, read=1)
    )
    with pytest.raises(urllib3.exceptions.HTTPError):
        pool.urlopen("GET", "/", redirect=False)
    assert reached == [PUBLIC]


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    """What an answer says where to ask next is another's word: the machine inside is never reached."""
    asked: list[str] = []

    class Sends(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_response(307)
            self.send_header("Location", "/inside")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Sends)
    threading.Thread(target=server.handle_request, daemon=True).start()
    parts = urlsplit(f"http://127.0.0.1:{server.server_port}/hook")
    address = outside.resolve("127.0.0.1", server.server_port, anywhere=True)
    pool = outside.pool_to(address, parts, timeout=urllib3.Timeout(connect=2, read=2))
    try:
        answer = pool.urlopen("POST", outside.target_of(parts), body=b"{}", redirect=False)
    finally:
        pool.close()
        server.server_close()
    assert (answer.status, asked) == (307, ["/hook"])


@pytest.mark.parametrize("ends", [pytest.param(b"", marks=pytest.mark.thorough), b"Connection: close\r\n"])
def test_an_answer_that_drips_is_cut_off_whatever_it_says_of_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: bytes
) -> None:
    pem, secret = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    monkeypatch.setattr(outside, "resolve", lambda *_, **__: "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    over = threading.Event()

    def drip(server: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            context.wrap_socket(server.accept()[0], server_side=True) as line,
        ):
            line.recv(65536)
            line.sendall(b"HTTP/1.1 200 OK\r\n" + ends + b"Content-Length: 900\r\n\r\n")
            while not over.wait(0.05):
                line.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        dripping = threading.Thread(target=drip, args=[server], daemon=True)
        dripping.start()
        begun = time.monotonic()
        with pytest.raises(outside.NoAnswerError, match="too slowly"):
            outside.fetch(f"https://{HOST}:{server.getsockname()[1]}/", seconds=0.6)
        took = time.monotonic() - begun
        over.set()
        dripping.join()
    assert took < 5


def test_a_handshake_that_never_comes_is_cut_off() -> None:
    """A line's own time-outs are longer: it is cut while nobody but the handshake has hold of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        parts = urlsplit(f"https://{HOST}:{server.getsockname()[1]}/")
        pool = outside.pool_to("127.0.0.1", parts, timeout=urllib3.Timeout(connect=2, read=2))
        begun = time.monotonic()
        with pytest.raises(outside.NoAnswerError, match="too slowly"), outside.cut_after(pool, 0.2):
            pool.urlopen("GET", "/", redirect=False)
        took = time.monotonic() - begun
        pool.close()
    assert took < 1.5


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A name server that says nothing before the event."""
    says = threading.Event()
    look_ups: list[threading.Thread] = []

    def lookup(*_: Any, **__: Any) -> list[Any]:
        look_ups.append(threading.current_thread())
        says.wait(3)
        return [(0, 0, 0, "", (PUBLIC, 443))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    yield says
    says.set()
    for one in look_ups:
        one.join()


def test_a_name_server_that_says_nothing_is_not_waited_for(silent: threading.Event) -> None:
    begun = time.monotonic()
    with pytest.raises(outside.NoAddressError):
        outside.fetch("https://crm.example.com/", seconds=0.1)
    assert time.monotonic() - begun < 1.5


def test_look_ups_that_hang_are_so_many_and_no_more(
    silent: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "_LOOK_UPS", threading.BoundedSemaphore(2))
    before = threading.active_count()
    for _ in range(4):
        with pytest.raises(outside.NoAddressError):
            outside.resolve("crm.example.com", 443, seconds=0.02)
    assert threading.active_count() - before == 2
    silent.set()
    assert outside.resolve("crm.example.com", 443) == PUBLIC


def test_a_name_that_the_resolver_does_not_take_has_no_address() -> None:
    with pytest.raises(outside.NoAddressError):
        outside.resolve("a" * 64 + ".example", 443)
