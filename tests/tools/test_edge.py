"""What the trial of TLS changes in deploy/nginx.conf before it runs it."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store

from lab.assure import edge
from lab.assure.rows import ROOT

CONF = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")


def _changed(other: str) -> list[tuple[str, str]]:
    pairs = zip(CONF.splitlines(), other.splitlines(), strict=True)
    return [(one.strip(), two.strip()) for one, two in pairs if one != two]


def test_only_places_are_moved() -> None:
    assert _changed(edge._moved(CONF, Path("/here"), web=1, tls=2, plain=3)) == [
        ("server web:8000;", "server 127.0.0.1:1;"),
        ("listen 80 default_server;", "listen 127.0.0.1:3 default_server;"),
        ("listen 443 ssl default_server;", "listen 127.0.0.1:2 ssl default_server;"),
        ("ssl_certificate     /etc/nginx/tls/calls.pem;", "ssl_certificate     /here/calls.pem;"),
        ("ssl_certificate_key /etc/nginx/tls/calls.key;", "ssl_certificate_key /here/calls.key;"),
        ("error_log /var/log/nginx/error.log crit;", "error_log /here/error.log crit;"),
    ]


def test_a_place_that_is_not_there_once_ends_the_trial() -> None:
    with pytest.raises(SystemExit, match="web:8000"):
        edge._moved(CONF.replace("web:8000", "web:9000"), Path("/here"), web=1, tls=2, plain=3)


def test_the_planted_fault_is_one_of_ciphers_and_of_the_protocol() -> None:
    assert [old.partition(" ")[0] for old, _ in _changed(edge._weakened(CONF))] == [
        "ssl_protocols",
        "ssl_ciphers",
    ]


def test_the_trials_certificate_is_one_that_a_strict_reader_takes(tmp_path: Path) -> None:
    edge._write_certificates(tmp_path, "calls.example.com")
    authority, own = (
        x509.load_pem_x509_certificate((tmp_path / name).read_bytes())
        for name in ("authority.pem", "calls.pem")
    )
    reader = (
        PolicyBuilder().store(Store([authority])).build_server_verifier(x509.DNSName("calls.example.com"))
    )
    assert reader.verify(own, [])[0] == own
    assert isinstance(own.public_key(), ec.EllipticCurvePublicKey)
    assert (tmp_path / "calls.key").stat().st_mode & 0o077 == 0
