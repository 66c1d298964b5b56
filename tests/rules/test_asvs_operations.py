"""Requirements of OWASP ASVS 5.0 about documentation, deployment and logs. docs/asvs.csv names each test."""

import ast
import io
import json
import logging
import os
import re
import runpy
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

import pytest
import yaml
from django.conf import settings
from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from gunicorn.http.parser import RequestParser  # type: ignore[import-untyped]

from callprivacy.accounts.enums import BUNDLES, RIGHTS, AgencyRight, Role
from callprivacy.lib import logs
from callprivacy.tenancy.enums import Permission
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.rules.source import ROOT, files, nodes
from tools.check import _PUBLIC

pytestmark = pytest.mark.django_db


# --- Documentation ---


def _section(file: str, heading: str) -> str:
    text = (ROOT / file).read_text(encoding="utf-8")
    level = heading.partition(" ")[0]
    return re.split(rf"^#{{2,{len(level)}}} ", text.partition(f"{heading}\n")[2], flags=re.MULTILINE)[0]


def _cells(section: str) -> list[str]:
    """The first column of the section's table."""
    return [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("|")][2:]


def _yes(section: str) -> dict[str, set[str]]:
    """Of a table of yes and no: the columns that say yes, by row."""
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("|")
    ]
    return {
        row[0].strip("`"): {name for name, cell in zip(head, row, strict=True) if cell == "yes"}
        for row in rows
    }


@pytest.mark.parametrize(
    ("heading", "names", "given"),
    [
        ("## Rights for the whole agency", AgencyRight, RIGHTS),
        ("## Permissions on a client", Permission, BUNDLES),
    ],
)
def test_permissions_page_says_what_roles_hold(heading: str, names: Any, given: Any) -> None:
    assert _yes(_section("docs/permissions.md", heading)) == {
        str(name): {role.label for role in Role if name in given[role]} for name in names
    }


def test_fields_with_a_permission_of_their_own_are_documented() -> None:
    section = _section("docs/permissions.md", "## Fields that need a permission of their own")
    agency_wide = {
        Permission.VIEW_CLIENT,
        Permission.ANSWER_CALLS,
        Permission.MANAGE_RETENTION,
        Permission.RELEASE_DATA,
    }
    assert {one for one in Permission if f"`{one}`" not in section} == agency_wide


def test_uploads_page_has_every_form_with_a_file() -> None:
    forms = {
        node.name
        for file in files()
        for node in nodes(file)
        if isinstance(node, ast.ClassDef)
        for part in node.body
        if isinstance(part, ast.Assign)
        and isinstance(part.value, ast.Call)
        and ast.unparse(part.value.func).endswith("FileField")
    }
    listed = _cells((ROOT / "docs" / "uploads.md").read_text(encoding="utf-8"))
    assert sorted(cell.split("`")[1] for cell in listed) == sorted(forms)


def test_documented_session_times_are_the_settings() -> None:
    section = _section("docs/passwords.md", "## How long a session lasts")
    assert f"| without use | {settings.CALLPRIVACY_SESSION_IDLE_MINUTES} minutes |" in section
    assert f"| in any case | {settings.SESSION_COOKIE_AGE // 3600} hours |" in section
    assert "NIST SP 800-63B-4" in section


def test_key_inventory_has_every_key_setting_and_cipher() -> None:
    section = _section("docs/threat-model.md", "## Keys and algorithms")
    text = (ROOT / "callprivacy" / "settings.py").read_text(encoding="utf-8")
    keys = set(re.findall(r'"((?:CALLPRIVACY_)?\w+_KEY)"', text))
    assert {name for name in keys - {"AWS_SECRET_ACCESS_KEY"} if name not in section} == set()
    used = {
        one.name
        for file in (ROOT / "callprivacy" / "vault").rglob("*.py")
        for node in nodes(file)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cryptography")
        for one in node.names
    }
    shown = {
        "AESGCM": "AES-256-GCM",
        "Fernet": "Fernet",
        "Ed25519PrivateKey": "Ed25519",
        "Ed25519PublicKey": "Ed25519",
    }
    errors = {"InvalidTag", "InvalidToken", "InvalidSignature"}
    assert {name for name in used - errors if shown.get(name, name) not in section} == set()


# --- Deployment ---


def test_every_package_is_listed_with_its_hash() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        packages = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        assert [one for one in packages if "==" in one and "--hash=sha256:" not in one] == []
    locked = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert [name for name, one in locked.items() if name and not {"integrity", "inBundle"} & one.keys()] == []


_AMBIGUOUS = {
    "a length and chunks": b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
    "two lengths": b"Content-Length: 6\r\nContent-Length: 7\r\n\r\nabcdefg",
    "another encoding": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a sign before the length": b"Content-Length: +6\r\n\r\nabcdef",
    "a folded line": b"X-A: a\r\n b\r\n\r\n",
}


@pytest.mark.parametrize("name", _AMBIGUOUS)
def test_ambiguous_message_length_is_refused(name: str) -> None:
    def read(raw: bytes) -> None:
        next(RequestParser(_gunicorn(), [raw], ("127.0.0.1", 1)))

    head = b"POST /accounts/login/ HTTP/1.1\r\nHost: calls.example.com\r\n"
    read(head + b"Content-Length: 6\r\n\r\nabcdef")
    with pytest.raises((ParseException, NotImplementedError)):
        read(head + _AMBIGUOUS[name])


def _gunicorn() -> Config:
    """The server's settings as gunicorn.conf.py has them."""
    conf = Config()
    for name, value in runpy.run_path(str(ROOT / "gunicorn.conf.py")).items():
        if name in conf.settings:
            conf.set(name, value)
    return conf


def test_environment_cannot_enable_debugging() -> None:
    code = "from django.conf import settings; print(settings.DEBUG, settings.DEBUG_PROPAGATE_EXCEPTIONS)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
        env=os.environ | _PUBLIC | {"DJANGO_SETTINGS_MODULE": "callprivacy.settings"}
        | dict.fromkeys(("DEBUG", "DJANGO_DEBUG", "CALLPRIVACY_DEBUG"), "1"),
    )  # fmt: skip
    assert done.stdout.split() == ["False", "False"]
    assert not _gunicorn().reload


def test_proxy_answers_have_the_same_security_headers() -> None:
    """nginx answers by itself with 413, 429 and for probes from outside."""
    conf = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    for header, words in (
        ("Strict-Transport-Security", "max-age=31536000; includeSubDomains; preload"),
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Security-Policy", "frame-ancestors 'none'"),
    ):
        (value,) = re.findall(rf"^    add_header {header} (\$\w+) always;$", conf, re.MULTILINE)
        (own,) = re.findall(
            rf"map \$upstream_http_{header.lower().replace('-', '_')} \{value} \{{\s+\"\" (.+);\s+\}}", conf
        )
        assert words in own
    assert "proxy_cache" not in conf


def test_program_cannot_read_git_history() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert "*" in lines
    assert not any(
        line.startswith("!") and (".git" in line or ".env" in line or "*" in line) for line in lines
    )
    for unit in (ROOT / "deploy" / "systemd").glob("*.service"):
        assert "InaccessiblePaths=-/opt/callprivacy/.git\n" in unit.read_text(encoding="utf-8")


# --- Logs and errors ---


def _logged(message: str, *, as_json: bool) -> list[str]:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    formatter = dict(logs.settings(level="INFO", as_json=as_json)["formatters"]["listed"])
    handler.setFormatter(formatter.pop("()")(**formatter))
    record = logging.LogRecord("callprivacy.asvs", logging.WARNING, __file__, 1, message, (), None)
    handler.handle(record)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("as_json", [True, False])
def test_log_message_with_line_breaks_stays_one_line(as_json: bool) -> None:
    for message in ("a line\nperson.signed_in", "a line\r\nmore", "a line\u2028more", "a line\x1b[2Kmore"):
        (line,) = _logged(message, as_json=as_json)
        assert "\x1b" not in line
        assert "a line" in line


def test_log_line_is_json_with_utc_time() -> None:
    (line,) = _logged("a line", as_json=True)
    said = json.loads(line)
    assert datetime.fromisoformat(said["timestamp"]).utcoffset() == timedelta(0)
    assert {"event", "level", "logger"} <= said.keys()


def test_log_inventory_names_every_service_and_the_only_handler() -> None:
    section = _section("docs/deploying.md", "### Inventory of logs")
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert {name for name in services if name not in " ".join(_cells(section))} == set()
    config = logs.settings(level="INFO", as_json=True)
    assert config["handlers"].keys() == {"stderr"}
    assert {handler for one in config["loggers"].values() for handler in one["handlers"]} == set()


def test_error_is_logged_and_its_page_shows_no_detail(
    cast: Cast, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("SELECT secret FROM vault_key")

    monkeypatch.setattr("callprivacy.accounts.selectors.people", fail)
    browser = signed_in(cast.alice)
    browser.raise_request_exception = False
    answer = browser.get("/people/")
    page = answer.content.decode()
    assert answer.status_code == 500
    for word in ("SELECT", "RuntimeError", "Traceback", "callprivacy/", "vault_key"):
        assert word not in page
    assert "request_failed" in logged.getvalue()
