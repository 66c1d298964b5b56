"""
A provider of the tests' own: it speaks https on this machine, under a name of the internet, and does as it is told.

`says` is what it does wrong, by name; without anything it does everything right. It is asked through the real client,
over real TLS, with a certificate of an authority that the test trusts.
"""

import base64
import hashlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

HOST = "id.acme.example"
CLIENT_ID = "callprivacy-at-acme"
SECRET = "the secret / of: the application"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SHORT_KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505  (it is what is refused)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    """A key as a provider publishes it."""
    kind = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**json.loads(kind.to_jwk(key.public_key())), "kid": kid, "use": "sig", **more}


class Provider:
    """What it says of itself, of who came, and what it was asked."""

    def __init__(self, port: int) -> None:
        self.issuer = f"https://{HOST}:{port}"
        self.described: dict[str, Any] = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "userinfo_endpoint": f"{self.issuer}/me",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "claims_supported": ["sub", "email", "auth_time"],
        }
        self.keys = [jwk(RSA_KEY, "rsa"), jwk(EC_KEY, "ec"), jwk(SHORT_KEY, "short")]
        self.algorithm, self.kid, self.key = "RS256", "rsa", RSA_KEY
        self.claims: dict[str, Any] = {}
        self.without: set[str] = set()
        self.userinfo: dict[str, Any] = {}
        self.token: str | None = None
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.slow: set[str] = set()
        self.asked: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}
        self.checks_nothing = False

    def authorize(self, location: str, **claims: Any) -> str:
        """What a browser does at its page: comes with a request, and is sent back with a code."""
        parts = urlsplit(location)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == self.described["authorization_endpoint"]
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert asked["client_id"] == CLIENT_ID
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = hashlib.sha256(asked["state"].encode()).hexdigest()[:20]
        self.codes[code] = asked
        self.claims |= claims
        return f"{urlsplit(asked['redirect_uri']).path}?code={code}&state={asked['state']}"

    def id_token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": "bob-at-the-provider",
            "email": "bob@acme.example",
            "email_verified": True,
            "nonce": asked["nonce"],
            "iat": now,
            "exp": now + 300,
            "auth_time": now if asked.get("prompt") == "login" else now - 7200,
        }
        claims = {name: value for name, value in (claims | self.claims).items() if name not in self.without}
        return jwt.encode(claims, self.key, algorithm=self.algorithm, headers={"kid": self.kid})

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self.codes.get(form.get("code", ""))
        if asked is None:
            return 400, {"error": "invalid_grant"}
        if not self.checks_nothing:
            del self.codes[form["code"]]
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            if asked["code_challenge"] != base64.urlsafe_b64encode(digest).rstrip(b"=").decode():
                return 400, {"error": "invalid_grant"}
        assert asked["redirect_uri"] == form["redirect_uri"]
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        assert pair == "callprivacy-at-acme:the%20secret%20%2F%20of%3A%20the%20application"
        return 200, {
            "id_token": self.token or self.id_token(asked),
            "access_token": "at",
            "token_type": "Bearer",
        }


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:  # noqa: C901  (one class)
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None: ...

        def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {"Content-Type": "application/json"}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                return

        def _told(self) -> bool:
            """What it was told to do in place of the right thing."""
            path = urlsplit(self.path).path
            provider.asked.append(path)
            if path in provider.slow:
                try:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                    for _ in range(40):
                        time.sleep(0.1)
                        self.wfile.write(b"X-Slow: yes\r\n")
                except OSError:
                    return True
            if path in provider.answers:
                status, headers, body = provider.answers[path]
                self._answer(status, body, headers)
                return True
            return False

        def do_GET(self) -> None:
            if self._told():
                return
            path = urlsplit(self.path).path
            found = {
                "/.well-known/openid-configuration": provider.described,
                "/keys": {"keys": provider.keys},
                "/me": provider.userinfo,
            }.get(path)
            self._answer(200 if found is not None else 404, json.dumps(found).encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if self._told():
                return
            form = {name: values[0] for name, values in parse_qs(body).items()}
            status, found = provider.exchange(form, self.headers.get("Authorization", ""))
            self._answer(status, json.dumps(found).encode())

    return Handler


class _Server(ThreadingHTTPServer):
    def handle_error(self, *args: Any) -> None:
        """Who breaks off because of the certificate is meant to."""


def certificate(folder: Path, host: str = HOST) -> tuple[Path, Path]:
    """A certificate that vouches for itself, and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)  # noqa: TID251  (what checks it reads the machine's clock)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=14_600))
        .not_valid_after(now + timedelta(days=14_600))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / f"{host}.pem", folder / f"{host}.key"
    pem.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return pem, secret


@contextmanager
def running(folder: Path, patch: pytest.MonkeyPatch, *, host: str = HOST) -> Iterator[Provider]:
    """The provider, at a name that leads to this machine, which the guard then takes for the internet's."""
    pem, secret = certificate(folder, host)
    patch.setenv("SSL_CERT_FILE", str(pem))
    server = _Server(("127.0.0.1", 0), BaseHTTPRequestHandler)
    provider = Provider(server.server_port)
    server.RequestHandlerClass = _handler(provider)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    real = socket.getaddrinfo

    def lookup(name: str, *args: Any, **more: Any) -> Any:
        return real("127.0.0.1" if name == HOST else name, *args, **more)

    patch.setattr(socket, "getaddrinfo", lookup)
    known = __import__("callprivacy.lib.outside", fromlist=["outside"])
    is_public = known.is_public
    patch.setattr(known, "is_public", lambda address: address == "127.0.0.1" or is_public(address))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
