"""
What each answer says in its headers, on every address: its type, that nobody is to guess one, what a page may load,
that it is not framed, and, behind the sign-in, that nobody keeps it.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse  # noqa: TID251  (what is looked at)

from tests.rules.test_urls import OF_CALLERS, OF_REQUESTS, OURS, PUBLIC, Address
from tests.rules.world import World, browser_of, undone
from tests.scale import times
from tools.check import _PUBLIC

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parent.parent.parent
# What a page of ours may load, and nothing from anywhere else.
_POLICY = ("default-src 'none'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'")
# Stylesheets of a client's colours, the same for everybody, which browsers keep for some minutes; and the pages of
# callers that a site of the client's shows.
_EMBEDDED = {
    route for route in OF_CALLERS | OF_REQUESTS if route.endswith(("look.css", "config.json", "events"))
}


def faults(response: HttpResponse, address: Address, *, signed_in: bool) -> list[str]:
    """What is missing in the headers of one answer."""
    headers, found = response.headers, []
    kind = headers.get("Content-Type", "")
    if response.status_code not in {204, 304} and response.content and not kind:
        found.append("no type")
    if kind.startswith(("text/", "application/json")) and "charset" not in kind and "json" not in kind:
        found.append(f"no encoding: {kind}")
    if headers.get("X-Content-Type-Options") != "nosniff":
        found.append("a type may be guessed")
    if not headers.get("Referrer-Policy"):
        found.append("addresses travel on")
    policy = headers.get("Content-Security-Policy", "")
    found += [f"no {part} in the policy" for part in _POLICY if part not in policy]
    if kind.startswith("text/html"):
        if "unsafe" in policy or re.search(r"(script|style|default)-src[^;]*(\*|https?:)", policy):
            found.append(f"the policy lets strangers in: {policy}")
        if headers.get("Cross-Origin-Opener-Policy") != "same-origin":
            found.append("an opener may look in")
    if signed_in and address.route not in PUBLIC and "no-store" not in headers.get("Cache-Control", ""):
        found.append(f"a browser may keep it: {headers.get('Cache-Control')}")
    return [f"{address.route or 'home'} ({response.status_code}): {fault}" for fault in found]


def _answers(world: World, person: str) -> list[tuple[Address, HttpResponse]]:
    found: list[tuple[Address, Any]] = []
    # In the suite every fourth address; in `make assure` every one.
    for address in OURS[:: times(4, 1)]:
        if "logout" in address.route:
            continue
        (path,) = address.paths(world.dentist)[:1]
        with undone():
            found.append((address, world.browsers[person].get(path)))
    return found


def test_every_answer_says_what_it_is_and_forbids_guessing(world: World) -> None:
    """Of who is signed in and of who is not; the walk of the policy and of what is kept is the same one."""
    found = [
        fault
        for person in ("alice", "anonymous")
        for address, response in _answers(world, person)
        if not (response.streaming or address.route in _EMBEDDED)
        for fault in faults(response, address, signed_in=person == "alice")
    ]
    assert found == []


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_that_is_answered_before_everything_else_says_the_same(world: World, path: str) -> None:
    headers = world.browsers["anonymous"].get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_every_page_has_the_policy(world: World) -> None:
    for path in ("/nowhere/", "/accounts/login/", "/calls/"):
        policy = world.browsers["alice"].get(path).headers["Content-Security-Policy"]
        assert all(part in policy for part in _POLICY)


def test_no_page_behind_the_sign_in_is_kept(world: World) -> None:
    for path in ("/", "/calls/", "/trail/", "/nowhere/", "/accounts/sessions/"):
        assert "no-store" in world.browsers["alice"].get(path).headers["Cache-Control"], path


def test_signing_out_clears_what_the_browser_kept(world: World) -> None:
    with undone():
        answer = browser_of(world.cast.bob.user).post("/accounts/logout/")
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    assert "Clear-Site-Data" not in world.browsers["alice"].get("/calls/").headers


def test_a_header_that_is_missing_is_found(world: World) -> None:
    (address,) = [one for one in OURS if one.route == "calls/"]
    bare = HttpResponse("<p>", headers={"Cache-Control": "max-age=60"})
    said = " ".join(faults(bare, address, signed_in=True))
    for fault in ("guessed", "travel on", "no default-src", "opener", "keep it"):
        assert fault in said


# --- At a public address ---


@pytest.fixture(scope="module")
def public() -> dict[str, Any]:
    """The settings that a public address has, read in a process of their own."""
    names = [name for name in dir(settings) if name.startswith(("SESSION_COOKIE", "CSRF_COOKIE", "SECURE_"))]
    code = (
        "import json; from django.conf import settings;"
        f"print(json.dumps({{name: getattr(settings, name) for name in {names!r}}}, default=str))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
        env=os.environ | _PUBLIC | {"DJANGO_SETTINGS_MODULE": "callprivacy.settings"},
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_cookies_of_a_public_address_are_the_hosts_own(public: dict[str, Any]) -> None:
    for cookie in ("SESSION_COOKIE", "CSRF_COOKIE"):
        assert public[f"{cookie}_NAME"].startswith("__Host-")
        assert public[f"{cookie}_SECURE"] is True
        assert public[f"{cookie}_HTTPONLY"] is True
        assert public[f"{cookie}_SAMESITE"] == "Lax"


def test_a_public_address_asks_for_strict_transport(public: dict[str, Any]) -> None:
    assert public["SECURE_SSL_REDIRECT"] is True
    assert public["SECURE_HSTS_SECONDS"] >= 365 * 24 * 3600
    assert public["SECURE_HSTS_INCLUDE_SUBDOMAINS"] is True


# --- What is nobody's business ---


@pytest.mark.parametrize(
    "path",
    ["/.git/config", "/.env", "/.state/secrets.env", "/manage.py", "/static/", "/static/../manage.py", "/media/",
     "/static/%2e%2e/manage.py", "/requirements.txt", "/docs/", "/server-status", "/.venv/"],
)  # fmt: skip
def test_nothing_of_the_tree_is_served(world: World, path: str) -> None:
    for person in ("anonymous", "alice"):
        assert world.browsers[person].get(path).status_code in {302, 400, 404}, path


def test_our_scripts_keep_a_theme_and_nothing_else() -> None:
    """The staff's scripts write one word into the browser; the one for clients' sites writes what was chosen there."""
    kept = {
        (script.name, name)
        for script in (ROOT / "static" / "src").glob("*.js")
        for name in re.findall(
            r"(?:local|session)Storage\.setItem\(([^,]+),", script.read_text(encoding="utf-8")
        )
    }
    assert kept == {("app.js", '"theme"'), ("embed.js", "slot")}
    for script in (ROOT / "static" / "src").glob("*.js"):
        text = script.read_text(encoding="utf-8")
        assert not re.search(r"indexedDB|document\.cookie\s*=|caches\.open|serviceWorker", text), script.name
