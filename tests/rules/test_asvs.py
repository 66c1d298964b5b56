"""Requirements of OWASP ASVS 5.0 about input, code and sign-in. docs/asvs.csv names each test."""

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections
from django.test import Client as Browser
from django.test import override_settings

from callprivacy.accounts.models import User
from consent.channels import tokens
from rights.channels import links
from tests.accounts.browsers import is_in, sign_in, signed_in
from tests.cast import Cast
from tests.make import NOON, PASSWORD
from tests.rules.source import ROOT, files, nodes

pytestmark = pytest.mark.django_db

BOB = "bob@acme.example"
PAGES = ("/", "/calls/", "/people/", "/accounts/sessions/", "/accounts/password/change/")
LISTS = ("/clients/", "/people/", "/people/access/", "/calls/", "/trail/", "/work/")


# --- Input ---


def test_value_encoded_twice_is_decoded_once(cast: Cast) -> None:
    page = signed_in(cast.alice).get("/people/?q=%253Cb%253E").content.decode()
    assert 'value="%3Cb%3E"' in page


def test_search_text_is_escaped_in_the_page(cast: Cast) -> None:
    page = signed_in(cast.alice).get("/people/", {"q": '"><script>alert(1)</script>'}).content.decode()
    assert 'value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"' in page
    assert "<script>alert" not in page


@pytest.mark.parametrize("path", LISTS)
def test_search_text_reaches_postgresql_as_a_parameter(cast: Cast, path: str) -> None:
    mark, seen = "x') OR '1'='1", []

    def look(run: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        seen.append((str(sql), str(params)))
        return run(sql, params, many, context)

    browser = signed_in(cast.alice)
    with ExitStack() as stack:
        for alias in connections:
            stack.enter_context(connections[alias].execute_wrapper(look))
        assert (
            browser.get(path, dict.fromkeys(("q", "text", "action", "actor", "source"), mark)).status_code
            < 500
        )
    assert seen
    assert [sql for sql, _ in seen if mark in sql or mark.replace("'", "''") in sql] == []
    assert path not in {"/clients/", "/people/"} or any("OR" in params for _, params in seen)


def test_query_parameter_does_not_fill_a_form_field(cast: Cast) -> None:
    browser = Browser()
    browser.post(f"/accounts/login/?login={BOB}&password={PASSWORD}", {})
    assert not is_in(browser)
    browser.post("/accounts/login/", {"login": [BOB, "nobody@acme.example"], "password": [PASSWORD, "no"]})
    assert not is_in(browser)


# --- Code ---


def _calls(tree: Iterator[ast.AST] | tuple[ast.AST, ...]) -> Iterator[tuple[ast.Call, str]]:
    yield from ((node, ast.unparse(node.func)) for node in tree if isinstance(node, ast.Call))


def _has_keyword(node: ast.Call, name: str, value: str) -> bool:
    return any(one.arg == name and ast.unparse(one.value) == value for one in node.keywords)


def _is_constant(node: ast.expr) -> bool:
    """Whether a text is a constant of the source, or joined from constants."""
    names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    bound = {one.target.id for one in ast.walk(node)
             if isinstance(one, ast.comprehension) and isinstance(one.target, ast.Name)}  # fmt: skip
    return all(name.isupper() for name in names - bound)


# Patterns made of constants in the code: a table of names, macros, the shapes of a tracker's ids.
PATTERNS = {"self.shapes[name]", "pattern", "_expanded(pattern, macros)", "patterns[draft.language]",
            "_PRESS[draft.language]"}  # fmt: skip
_OBJECTS = ("pickle", "marshal", "shelve", "dill", "jsonpickle")
_WEAK = {"hashlib.md5", "modes.ECB", "modes.CBC", "padding.PKCS1v15", "ECB", "CBC", "PKCS1v15", "uuid.uuid1"}
RULES: dict[str, Callable[[ast.Call, str], bool]] = {
    "evaluation": lambda _, name: name in {"eval", "exec", "compile", "__import__"},
    "deserialization": lambda _, name: name.split(".")[0] in _OBJECTS or name == "yaml.load",
    "shell": lambda node, name: name in {"os.system", "os.popen"} or _has_keyword(node, "shell", "True"),
    "template": lambda _, name: name == "Template" or name.endswith(".from_string"),
    "pattern": lambda node, name: (
        name.partition(".")[0] == "re"
        and name != "re.escape"
        and bool(node.args)
        and not _is_constant(node.args[0])
        and ast.unparse(node.args[0]) not in PATTERNS
    ),
    "cipher": lambda _, name: name in _WEAK,
    "certificate": lambda node, name: (
        name == "ssl._create_unverified_context"
        or _has_keyword(node, "verify", "False")
        or _has_keyword(node, "cert_reqs", "ssl.CERT_NONE")
    ),
}
PLANTED = {
    "evaluation": "eval(typed)",
    "deserialization": "pickle.loads(body)",
    "shell": "subprocess.run(typed, shell=True)",
    "template": "engine.from_string(typed)",
    "pattern": "re.search(typed, text)",
    "cipher": "Cipher(algorithms.AES(key), modes.ECB())",
    "certificate": "requests.get(url, verify=False)",
}


@pytest.mark.parametrize("what", RULES)
def test_no_code_matches_a_forbidden_call(what: str) -> None:
    found = {
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in files()
        for node, name in _calls(nodes(file))
        if RULES[what](node, name)
    }
    assert found == set()
    assert any(RULES[what](node, name) for node, name in _calls(tuple(ast.walk(ast.parse(PLANTED[what])))))


def test_random_module_serves_demo_and_question_order_only() -> None:
    found = {
        str(file.relative_to(ROOT))
        for file in files()
        for node in nodes(file)
        if (isinstance(node, ast.Import) and any(one.name == "random" for one in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "random")
    }
    assert found == {"governance/courses/__init__.py", "dashboard/demo/__init__.py", "dashboard/demo/said.py"}


def test_scripts_ignore_other_windows_and_allow_pasting() -> None:
    texts = [file.read_text(encoding="utf-8") for file in (ROOT / "static" / "src").glob("*.js")]
    texts += [file.read_text(encoding="utf-8") for file in (ROOT / "templates").rglob("*.html")]
    for text in texts:
        assert not re.search(
            r"""addEventListener\(["']message|onmessage|postMessage|["']paste["']|onpaste""", text
        )
        assert not re.search(r"<(object|embed|applet|frame)[ >]|__proto__", text)


# --- Sign-in and tokens ---


def test_known_browser_cookie_is_host_only(cast: Cast) -> None:
    browser = Browser()
    with override_settings(SESSION_COOKIE_SECURE=True):
        sign_in(browser, BOB)
    (mark,) = [one for one in browser.cookies.values() if one.key not in {"session", "csrf"}]
    assert mark.key.startswith("__Host-")
    said = (mark["secure"], mark["httponly"], mark["samesite"], mark["path"], mark["domain"])
    assert said == (True, True, "Lax", "/", "")


@pytest.mark.parametrize("path", PAGES)
def test_page_has_sign_out_and_no_session_key(cast: Cast, path: str) -> None:
    browser = signed_in(cast.alice)
    page = browser.get(path, follow=True).content.decode()
    assert 'action="/accounts/logout/"' in page
    assert browser.cookies[settings.SESSION_COOKIE_NAME].value not in page


def test_session_keys_are_random() -> None:
    keys = set()
    for _ in range(50):
        session = SessionStore()
        session.create()
        keys.add(str(session.session_key))
    assert len(keys) == 50
    assert all(re.fullmatch(r"[a-z0-9]{32}", key) for key in keys)  # 165 bits
    assert settings.SESSION_ENGINE == "django.contrib.sessions.backends.db"


def test_password_is_compared_as_typed(cast: Cast) -> None:
    typed = "  Łódź, seven quiet lanterns " + "and a quiet 9th one " * 5
    cast.bob.user.set_password(typed)
    cast.bob.user.save(update_fields=["password"])
    for other in (typed.strip(), typed.lower(), typed[:72], typed[:-2]):
        assert sign_in(Browser(), BOB, other).status_code == 200, other
    cast.bob.user.refresh_from_db()
    assert cast.bob.user.check_password(typed)
    browser = Browser()
    assert sign_in(browser, BOB, typed, address="203.0.113.7").status_code in {200, 302}


def test_recovery_codes_have_at_least_20_bits(cast: Cast) -> None:
    codes = RecoveryCodes.activate(cast.bob.user).get_unused_codes()
    assert all(re.fullmatch(r"\d{6,}|[0-9a-z]{4,}", code) and len(code) >= 6 for code in codes)


def test_migrations_create_no_accounts(db: None) -> None:
    """The fixed cast is the only data in the database of the suite."""
    assert set(User.objects.values_list("email", flat=True)) <= {
        f"{name}@{of}.example"
        for name, of in (("alice", "acme"), ("bob", "acme"), ("carol", "acme"), ("mallory", "globex"))
    }


def test_token_of_one_kind_is_refused_as_another() -> None:
    receipt = tokens.sign_receipt(1, [], at=NOON)
    with pytest.raises(tokens.StaleFormError):
        tokens.read_form(receipt, client_id=1, at=NOON)
    with pytest.raises(tokens.UnknownReceiptError):
        tokens.read_receipt(tokens.sign_form(1, {}, at=NOON), client_id=1, at=NOON)
    with pytest.raises(links.UnknownLinkError):
        links.read(receipt)
