"""
Row 21: deploy/nginx.conf in front of the product, looked at by sslyze and testssl.sh as a browser would meet it.

The file is used as it stands; only where it listens, where the product answers and where its certificate lies are
other places. The certificate is of an authority made for the trial, which both programs are told to trust.
"""

import contextlib
import http.client
import json
import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.assure import kills, target, tools
from lab.assure.rows import ROOT, STATE, Figure
from tools import arguments, services, supervise

HOST: Final = "calls.example.com"
FOLDER: Final = STATE / "edge"


def edge(seconds: float) -> Figure:
    """Both verdicts and what the file says by itself; then the same file with faults."""
    tools.program("sslyze")
    for name in ("nginx", "testssl"):
        tools.of_debian(name)
    return kills.own_process("edge", seconds=seconds, module="lab.assure.edge")


# --- Certificates -----------------------------------------------------------------------------------------------------


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _signed(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    by: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(_named(subject))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=89))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if not is_authority:
        made = made.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False
        ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    made = made.add_extension(_uses(is_authority=is_authority), critical=True)
    return made.sign(by, hashes.SHA256())


def _uses(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority, key_cert_sign=is_authority, crl_sign=is_authority,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _write_certificates(folder: Path, host: str) -> None:
    """`authority.pem`, and `calls.pem` with `calls.key`, which it signed for that host."""
    folder.mkdir(parents=True, exist_ok=True)
    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = "An authority of this trial"
    of_authority = _signed(name, authority, name, authority, is_authority=True)
    of_host = _signed(host, own, name, authority, is_authority=False)
    pem = serialization.Encoding.PEM
    (folder / "authority.pem").write_bytes(of_authority.public_bytes(pem))
    (folder / "calls.pem").write_bytes(of_host.public_bytes(pem))
    services.write_private(
        folder / "calls.key",
        own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode(),
    )


# --- nginx ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Edge:
    """Where nginx answers, and the authority that its visitors trust."""

    tls: int
    plain: int
    authority: Path


def _moved(conf: str, folder: Path, *, web: int, tls: int, plain: int) -> str:
    """The file with other places in it; each stands there exactly once."""
    places = {
        "server web:8000;": f"server 127.0.0.1:{web};",
        "listen 80 default_server;": f"listen 127.0.0.1:{plain} default_server;",
        "listen 443 ssl default_server;": f"listen 127.0.0.1:{tls} ssl default_server;",
        "/etc/nginx/tls/calls.pem": f"{folder}/calls.pem",
        "/etc/nginx/tls/calls.key": f"{folder}/calls.key",
        "error_log /var/log/nginx/error.log crit;": f"error_log {folder}/error.log crit;",
    }
    for old, new in places.items():
        if conf.count(old) != 1:
            raise SystemExit(
                f"deploy/nginx.conf has {old!r} {conf.count(old)} times: this trial moves it once."
            )
        conf = conf.replace(old, new)
    return conf


@contextlib.contextmanager
def nginx(name: str, conf: str, *, web: int, host: str = HOST) -> Iterator[Edge]:
    """Run nginx with this text of deploy/nginx.conf, in front of what answers at `web`."""
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    _write_certificates(folder, host)
    found = Edge(target.free_port(), target.free_port(), folder / "authority.pem")
    (folder / "calls.conf").write_text(_moved(conf, folder, web=web, tls=found.tls, plain=found.plain))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
        "events {}\n"
        f"http {{ access_log off; {' '.join(f'{kind}_temp_path {folder}/{kind};' for kind in kinds)}\n"
        f"include {folder}/calls.conf; }}\n"
    )
    command = [
        tools.of_debian("nginx"),
        "-p",
        str(folder),
        "-e",
        f"{folder}/error.log",
        "-c",
        f"{folder}/nginx.conf",
    ]
    process = subprocess.Popen(command, preexec_fn=services.dies_with_us(signal.SIGTERM))  # noqa: PLW1509  (no threads yet)
    try:
        _until(lambda: _status(found.plain, "/") is not None, process, folder / "error.log")
        yield found
    finally:
        process.terminate()
        process.wait(20)


def _until(is_there: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 60
    while not is_there():
        if process.poll() is not None or time.monotonic() > until:
            said = log.read_text(errors="replace")[-300:] if log.exists() else "nothing"
            raise SystemExit(f"{process.args!r} does not answer: {said}")
        time.sleep(0.2)


@contextlib.contextmanager
def web() -> Iterator[int]:
    """The product's web process with the settings of a public address; gives its port."""
    port, log = target.free_port(), FOLDER / "web.log"
    environ = os.environ | {
        "CALLPRIVACY_URL": f"https://{HOST}",
        "CALLPRIVACY_PROXY_COUNT": "1",
        "MAIL_URL": "smtp://mail.example.com",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PORT": str(port),
        "WEB_CONCURRENCY": "1",
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            shlex.split(supervise.read_procfile(ROOT / "Procfile")["web"]),
            cwd=ROOT, env=environ, stdout=out, stderr=subprocess.STDOUT,
            preexec_fn=services.dies_with_us(signal.SIGTERM),  # noqa: PLW1509  (no threads yet)
        )  # fmt: skip
    try:
        _until(lambda: _status(port, "/healthz") == 200, process, log)
        yield port
    finally:
        process.terminate()
        process.wait(40)


# --- What both programs say -------------------------------------------------------------------------------------------


def _status(port: int, path: str) -> int | None:
    """What is answered over plain http; None while nobody answers."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.suppress(OSError), contextlib.closing(line):
        line.request("GET", path, headers={"Host": HOST})
        return line.getresponse().status
    return None


def _over_tls(at: Edge, path: str) -> http.client.HTTPResponse:
    """An answer over TLS, with the certificate checked, whatever name its address has."""
    trusting = ssl.create_default_context(cafile=str(at.authority))
    plain = socket.create_connection(("127.0.0.1", at.tls), timeout=20)
    line = http.client.HTTPConnection(HOST)
    line.sock = trusting.wrap_socket(plain, server_hostname=HOST)
    line.request("GET", path)
    answer = line.getresponse()
    answer.read()
    line.close()
    return answer


def _before_its_body(at: Edge, path: str) -> int | None:
    """What a post of 200 MB is answered of which nothing but the head is sent; None where nginx waits for the rest."""
    trusting = ssl.create_default_context(cafile=str(at.authority))
    plain = socket.create_connection(("127.0.0.1", at.tls), timeout=5)
    with trusting.wrap_socket(plain, server_hostname=HOST) as line:
        line.sendall(f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {200 << 20}\r\n\r\n".encode())
        with contextlib.suppress(TimeoutError):
            return int(line.recv(64).split()[1])
    return None


def _of_the_file(at: Edge) -> list[str]:
    """What is wrong with what the file itself says: where plain http, probes and strangers' files end."""
    wrong = []
    line = http.client.HTTPConnection("127.0.0.1", at.plain, timeout=10)
    with contextlib.closing(line):
        line.request("GET", "/calls/?a=b", headers={"Host": HOST})
        led = line.getresponse()
    if (led.status, led.headers["Location"]) != (301, f"https://{HOST}/calls/?a=b"):
        wrong.append(f"plain http answers {led.status} {led.headers['Location']}")
    wrong += [f"{path} answers {status}" for path in ("/readyz", "/healthz")
              if (status := _over_tls(at, path).status) != 404]  # fmt: skip
    if (status := _over_tls(at, "/accounts/login/").status) != 200:
        wrong.append(f"the sign-in answers {status}")
    for path, wanted in {"/": 413, "/consent/registers/new/": 302, "/clients/a/imports/new/": 302}.items():
        if (answer := _before_its_body(at, path)) != wanted:
            wrong.append(f"a stranger's 200 MB at {path}: {answer or 'taken in'}")
    return wrong


def _sslyze(at: Edge) -> list[str]:
    """What stands against Mozilla's intermediate profile; nothing where it is kept."""
    command = [
        str(tools.program("sslyze")), "--mozilla_config", "intermediate", "--certinfo_ca_file", str(at.authority),
        f"{HOST}:{at.tls}{{127.0.0.1}}",
    ]  # fmt: skip
    done = tools.run(command, seconds=300)
    if re.search(rf"{re.escape(HOST)}:{at.tls}: OK - Compliant", done.stdout):
        return []
    said = re.search(r"FAILED - Not compliant\.(.*)", done.stdout, re.DOTALL)
    return [" ".join((said[1] if said else done.stdout + done.stderr).split())[-300:] or "it said nothing"]


def _testssl(at: Edge) -> tuple[str, list[str]]:
    """The grade, and what was found of medium severity and above (an own authority names no place for revocation)."""
    report = FOLDER / "testssl.json"
    report.unlink(missing_ok=True)
    command = [
        tools.of_debian("testssl"), "--quiet", "--color", "0", "--add-ca", str(at.authority), "--ip", "127.0.0.1",
        "--jsonfile", str(report), f"https://{HOST}:{at.tls}/accounts/login/",
    ]  # fmt: skip
    done = tools.run(command, seconds=600)
    if not report.exists():
        return "", [f"testssl.sh wrote no report: {(done.stdout + done.stderr).strip()[-200:]}"]
    said: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))
    grade = next((one["finding"] for one in said if one["id"] == "overall_grade"), "none")
    found = [
        f"{one['id']}: {one['finding']}" for one in said
        if one["severity"] in {"MEDIUM", "HIGH", "CRITICAL", "FATAL"} and one["id"] not in _OF_THE_TRIAL
    ]  # fmt: skip
    return grade, found


# A public authority writes down where its certificates are taken back; a trial's own does not.
_OF_THE_TRIAL: Final = {"cert_revocation"}


# --- In a process of its own ------------------------------------------------------------------------------------------

_OLD_CIPHERS: Final = "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:AES128-SHA"


def _weakened(conf: str) -> str:
    """The file with old ciphers and without the newest protocol."""
    conf = re.sub(r"(?<=ssl_ciphers )[^;]+", _OLD_CIPHERS, conf)
    return conf.replace("TLSv1.2 TLSv1.3;", "TLSv1.2;")


def _tried() -> dict[str, Any]:
    from lab.bench import servers

    conf = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    with servers.started(FOLDER / "state"):
        servers.collect_static()
        with web() as port:
            with nginx("stands", conf, web=port) as at:
                failures = _of_the_file(at) + [f"sslyze: {one}" for one in _sslyze(at)]
                grade, found = _testssl(at)
                failures += [f"testssl.sh: {one}" for one in found]
                if grade != "A+":
                    failures.append(f"testssl.sh: the grade is {grade}")
            open_probes = conf.replace("location = /readyz { return 404; }", "")
            with nginx("probes", open_probes, web=port) as at:
                of_probes = _of_the_file(at)
            open_doors = re.sub(r"if \(\$has_session = 0\) \{[^}]+\}", "", conf)
            with nginx("doors", open_doors, web=port) as at:
                of_doors = _of_the_file(at)
            with nginx("weak", _weakened(conf), web=port) as at:
                of_weak = _sslyze(at), _testssl(at)
            with nginx("other", conf, web=port, host="calls.example.org") as at:
                of_another = _testssl(at)[0]
    caught = [
        ("old ciphers and no TLS 1.3 (sslyze)", any("iphers" in one or "TLS" in one for one in of_weak[0])),
        ("old ciphers and no TLS 1.3 (testssl.sh)", bool(of_weak[1][1]) or of_weak[1][0] not in {"A+", "A"}),
        ("a certificate of another name", of_another in {"T", "M"}),
        ("probes that everybody may ask", bool(of_probes)),
        ("files that are taken in from whoever sends them", bool(of_doors)),
    ]
    is_kept = not any(one.startswith("sslyze") for one in failures)
    said = f"testssl.sh: {grade}; sslyze: {'' if is_kept else 'not '}Mozilla's intermediate profile"
    return {"said": said, "failures": failures, "trials": 0, "caught": caught}


def main() -> int:
    """Run nginx in front of the product and have it looked at."""
    report = arguments.parse(__doc__, "name", "report", "seconds").report
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    Path(report).write_text(json.dumps(_tried()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
