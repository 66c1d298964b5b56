"""The form on other sites: small, without cookies, told to listed sites alone, and as careful as our own page."""

import base64
import gzip
import hashlib
import json
import re
import uuid
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import brotli
import pytest
from django.test import Client as Browser
from hypothesis import given
from hypothesis import strategies as st

from callprivacy.accounts.enums import Role
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.scope import job_scope
from consent.channels import colours, embed
from consent.channels.signals import origin_of, page_of
from consent.enums import Channel, EventKind, Language, Purpose, State
from consent.models import WebPage
from consent.services import limits
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent import pages
from tests.consent.pages import SITE, events_of, evidence_of, open_page, publish, states_of
from tests.scale import some

FILE = Path(__file__).resolve().parents[2] / "static" / embed.FILE
AT_MOST = 5 * 1024


@pytest.fixture(autouse=True)
def _counts_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_SALT", uuid.uuid4().hex)


# --- The file ---


def test_it_is_small() -> None:
    script = FILE.read_bytes()
    assert len(gzip.compress(script, 9)) <= AT_MOST
    assert len(brotli.compress(script)) <= AT_MOST


def test_it_evaluates_nothing_writes_no_markup_and_sets_no_cookie() -> None:
    script = FILE.read_text()
    for word in ("eval(", "new Function", "innerHTML", "outerHTML", "document.write", ".cookie", "insertAdjacentHTML",
                 'setAttribute("style', "<style", "javascript:", "sessionStorage", 'credentials:"include'):  # fmt: skip
        assert word not in script, word


class _Tag(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str | None]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found[tag] = dict(attrs)


def test_the_tag_names_the_file_by_its_hash() -> None:
    parser = _Tag()
    parser.feed(embed.tag_for("a-key"))
    said = parser.found["script"]
    digest = base64.b64encode(hashlib.sha384(FILE.read_bytes()).digest()).decode()
    assert said["integrity"] == f"sha384-{digest}"
    assert said["src"] == f"http://127.0.0.1:8000/static/{embed.FILE}"
    assert said["crossorigin"] == "anonymous"
    assert "defer" in said
    assert said["data-key"] == "a-key"
    assert f"#{parser.found['div']['id']}" == said["data-into"]


# --- Origins and pages ---


@pytest.mark.parametrize(
    ("raw", "origin"),
    [
        ("https://www.example.com", "https://www.example.com"),
        ("https://WWW.Example.com/", "https://www.example.com"),
        ("https://www.example.com:443", "https://www.example.com"),
        ("https://www.example.com:8443", "https://www.example.com:8443"),
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765"),
        ("http://www.example.com", None),
        ("https://www.example.com/path", None),
        ("https://www.example.com?q", None),
        ("https://user@www.example.com", None),
        ("https://", None), ("null", None), ("", None), ("www.example.com", None), ("https://a..b", None),
        ("https://a b", None), ("https://exämple.com", None), ("https://x:99999", None), ("ftp://x.example", None),
        ("https://" + "a" * 300, None), ("https://*.example.com", None),
    ],
)  # fmt: skip
def test_an_origin_is_a_scheme_and_a_host(raw: str, origin: str | None) -> None:
    assert origin_of(raw) == origin


@pytest.mark.parametrize(
    ("said", "page"),
    [
        ("www.example.com/contact", "www.example.com/contact"),
        ("www.example.com/contact?phone=4155550101#x", "www.example.com/contact"),
        ("evil.example/contact", "www.example.com"),
        ("www.example.com.evil.example/", "www.example.com"),
        ("www.example.com", "www.example.com"), ("", "www.example.com"), ("www.example.com/\n", "www.example.com/"),
        ("www.example.com/a\nb", "www.example.com"),
    ],
)  # fmt: skip
def test_the_page_of_the_evidence_has_no_query_and_is_of_its_site(said: str, page: str) -> None:
    assert page_of(said, origin=SITE) == page
    assert len(page_of("www.example.com/" + "x" * 900, origin=SITE)) == 200


# --- Colours ---


@given(st.integers(0, 0xFFFFFF))
def test_every_colour_of_a_client_can_be_read(number: int) -> None:
    shades = colours.shades_of(f"#{number:06x}")
    assert colours.contrast(shades.fill, shades.ink) >= colours.ENOUGH
    assert colours.contrast(shades.on_light, colours.LIGHT_GROUND) >= colours.ENOUGH
    assert colours.contrast(shades.on_dark, colours.DARK_GROUND) >= colours.ENOUGH


def test_a_colour_that_reads_stays_as_it_is() -> None:
    assert colours.shades_of("#2f5d62").fill == "#2f5d62"
    assert colours.shades_of("#FFD400").fill == "#ffd400"
    assert colours.shades_of("red;}").fill == colours.shades_of("#2f5d62").fill
    assert colours.contrast("#000000", "#ffffff") == pytest.approx(21)


# --- The two doors ---

pytestmark_doors = pytest.mark.as_committed


@pytest.fixture
def page(cast: Cast) -> WebPage:
    publish(cast.dentist, Purpose.RECORD, Purpose.MEASURE)
    return open_page(cast.dentist)


def config(page: WebPage, **headers: str) -> Any:
    return Browser().get(f"/c/{page.key}/config.json?lang=en", headers={"origin": SITE} | headers)


def post(page: WebPage, said: Any, *, origin: str | None = SITE, **more: Any) -> Any:
    headers = {"origin": origin} if origin else {}
    body = said if isinstance(said, bytes) else json.dumps(said)
    return Browser().post(
        f"/c/{page.key}/events", body, content_type=more.pop("content_type", "application/json"),
        headers=headers | more.pop("headers", {}), **more,
    )  # fmt: skip


def answer(of: WebPage, **said: Any) -> dict[str, Any]:
    return {
        "deed": "give", "number": "(415) 555-0101", "purposes": ["record"], "form": config(of).json()["form"],
        "lang": "en", "page": "www.example.com/contact/",
    } | said  # fmt: skip


@pytestmark_doors
def test_a_listed_site_gets_the_words_and_the_boxes(page: WebPage) -> None:
    got = config(page)
    assert got.headers["Access-Control-Allow-Origin"] == SITE
    assert "Access-Control-Allow-Credentials" not in got.headers
    assert "Origin" in got.headers["Vary"]
    assert got.headers["Cache-Control"] == "no-store"
    said = got.json()
    (notice,) = said["notices"]
    assert notice["words"] == pages.WORDS
    assert [box for box, _ in notice["boxes"]] == ["record", "measure"]
    assert said["name"] == "Dentist LLC"
    assert said["swap"] is None
    assert said["gpc"] == ""
    assert got.cookies == {}


@pytestmark_doors
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://www.example.com",
        "https://www.example.com/",
        "https://www.example.com:443",
        "",
    ],
)
def test_any_other_site_is_told_nothing(page: WebPage, origin: str) -> None:
    for got in (config(page, origin=origin), post(page, {}, origin=origin)):
        assert got.status_code == 403
        assert "Access-Control-Allow-Origin" not in got.headers
        assert b"Dentist" not in got.content


@pytestmark_doors
def test_a_page_of_our_own_may_preview_and_nothing_else(page: WebPage) -> None:
    browser = Browser()
    assert (
        browser.get(f"/c/{page.key}/config.json", headers={"sec-fetch-site": "same-origin"}).status_code
        == 200
    )
    for site in ("cross-site", "same-site", "none"):
        assert browser.get(f"/c/{page.key}/config.json", headers={"sec-fetch-site": site}).status_code == 403
    assert post(page, {}, origin=None, headers={"sec-fetch-site": "same-origin"}).status_code == 403
    assert post(page, {}, origin="http://127.0.0.1:8000").status_code == 403


@pytestmark_doors
def test_every_key_that_is_none_answers_the_same(cast: Cast, page: WebPage) -> None:
    bodies = set()
    for key in ("x" * 32, "%00" * 20, "short"):
        for got in (
            Browser().get(f"/c/{key}/config.json", headers={"origin": SITE}),
            Browser().post(
                f"/c/{key}/events", "{}", content_type="application/json", headers={"origin": SITE}
            ),
            Browser().options(f"/c/{key}/events", headers={"origin": SITE}),
        ):
            assert got.status_code == 404
            bodies.add(got.content)
    assert len(bodies) == 1


@pytestmark_doors
def test_browsers_may_ask_before_they_send(page: WebPage) -> None:
    got = Browser().options(
        f"/c/{page.key}/events",
        headers={
            "origin": SITE,
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type",
        },
    )
    assert got.status_code == 204
    assert got.headers["Access-Control-Allow-Origin"] == SITE
    assert got.headers["Access-Control-Allow-Methods"] == "POST"
    assert got.headers["Access-Control-Allow-Headers"] == "Content-Type"
    assert (
        Browser().options(f"/c/{page.key}/events", headers={"origin": "https://evil.example"}).status_code
        == 403
    )


@pytestmark_doors
def test_a_yes_from_a_site_is_written_with_the_page_it_came_from(cast: Cast, page: WebPage) -> None:
    got = post(page, answer(page, page="www.example.com/contact/?q=1"))
    assert got.status_code == 200, got.content
    said = got.json()
    assert re.match(r"Thank you\. Recorded at \d\d:\d\d:\d\d E[SD]T\. ", said["said"])
    assert Browser().get(said["receipt"].removeprefix("http://127.0.0.1:8000")).status_code == 200
    (event,) = events_of(cast.dentist)
    assert (event.kind, event.purpose, event.channel) == (EventKind.GIVEN, Purpose.RECORD, Channel.WEB)
    evidence = evidence_of(cast.dentist)["record web"]
    assert evidence["page"] == "www.example.com/contact/"
    assert evidence["words"] == pages.WORDS


@pytestmark_doors
def test_a_no_from_a_site_is_for_everything(cast: Cast, page: WebPage) -> None:
    got = post(page, answer(page, deed="withdraw", everything=True, purposes=[]))
    assert got.json()["said"].startswith("Stopped at ")
    (caller_id,) = {event.caller_id for event in events_of(cast.dentist) if event.caller_id}
    assert states_of(cast.dentist, caller_id) == dict.fromkeys(Purpose, State.WITHDRAWN)


@pytestmark_doors
def test_the_signal_that_only_scripts_see_counts_too(cast: Cast, page: WebPage) -> None:
    got = post(page, answer(page, gpc=True))
    assert got.json()["gpc"] == "Opt-Out Request Honored"
    assert {(event.purpose, event.channel) for event in events_of(cast.dentist)} == {
        (Purpose.RECORD, Channel.WEB), (Purpose.SHARE, Channel.GPC),
    }  # fmt: skip
    assert post(page, answer(page, gpc="yes", number="+14155550102")).json()["gpc"] == ""


@pytestmark_doors
@pytest.mark.parametrize(
    ("said", "status", "field"),
    some([
        ({"number": "12"}, 422, "number"), ({"number": None}, 422, "number"), ({"number": {"a": 1}}, 422, "number"),
        ({"purposes": []}, 422, "purposes"), ({"purposes": "record"}, 422, "purposes"),
        ({"purposes": [1]}, 422, "purposes"), ({"deed": "steal"}, 422, "deed"), ({"form": ""}, 403, ""),
        ({"form": "forged.one"}, 403, ""), ({"form": "x" * 5000}, 403, ""),
    ], one_in=10, each=lambda case: case[1:]),
)  # fmt: skip
def test_what_is_wrong_is_said_to_the_script(
    cast: Cast, page: WebPage, said: dict[str, Any], status: int, field: str
) -> None:
    got = post(page, answer(page, **said))
    assert got.status_code == status, got.content
    assert got.headers["Access-Control-Allow-Origin"] == SITE
    body = got.json()
    assert set(body) == {"error", "detail", "field"}
    assert body["detail"]
    assert body["field"] == field
    assert events_of(cast.dentist) == []


@pytestmark_doors
@pytest.mark.parametrize("body", some([b"", b"[]", b"null", b"{", b"\xff", b"1" * 50, b"[" * 5000], one_in=3))
def test_what_is_no_object_is_refused(page: WebPage, body: bytes) -> None:
    assert post(page, body).status_code == 415


@pytestmark_doors
def test_other_kinds_of_bodies_and_long_ones_are_refused(page: WebPage) -> None:
    assert post(page, {}, content_type="text/plain").status_code == 415
    assert post(page, {"x": "1" * 20_000}).status_code == 413
    assert Browser().get(f"/c/{page.key}/events", headers={"origin": SITE}).status_code == 405


@pytestmark_doors
def test_too_much_is_refused_with_words(page: WebPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consent.views.public.GIVES", 1)
    # An hour may end between two questions here.
    monkeypatch.setattr("consent.views.doors.AN_HOUR", timedelta(days=36500))
    assert post(page, answer(page)).status_code == 200
    got = post(page, answer(page))
    assert got.status_code == 429
    assert got.json()["error"] == "too_many"


@pytestmark_doors
def test_the_look_is_a_stylesheet_of_the_clients_colours(page: WebPage) -> None:
    got = Browser().get(f"/c/{page.key}/look.css")
    assert got.headers["Content-Type"].startswith("text/css")
    assert "--fill:#2f5d62" in got.content.decode()
    assert got.headers["Cache-Control"] == "public, max-age=300"


@pytestmark_doors
def test_the_number_swap_follows_the_clients_switch(cast: Cast) -> None:
    page = open_page(
        cast.dentist,
        swap_url="https://tracker.example/swap.js",
        swap_integrity="sha384-x",
        swap_needs_consent=False,
    )
    assert config(page).json()["swap"] == {
        "url": "https://tracker.example/swap.js",
        "hash": "sha384-x",
        "ask": False,
    }
    page = open_page(cast.dentist, swap_url="https://tracker.example/swap.js")
    assert config(page).json()["swap"]["ask"] is True


# --- The staff's page ---


def _alice(cast: Cast) -> Browser:
    return signed_in(cast.alice)


@pytestmark_doors
def test_staff_open_the_page_and_copy_the_snippet(cast: Cast) -> None:
    browser, address = _alice(cast), "/clients/dentist/consent/web/"
    first = browser.get(address).content.decode()
    assert "not published yet" in first
    assert "data-key" not in first
    said = {
        "origins": "https://www.example.com\n\nhttps://WWW.example.com/\n",
        "swap_url": "",
        "swap_integrity": "",
    }
    assert browser.post(address, said).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        page = WebPage.objects.for_client(cast.dentist).get()
    assert page.origins == ["https://www.example.com"]
    body = browser.get(address).content.decode()
    assert f"data-key=&quot;{page.key}&quot;" in body
    assert embed.integrity() in body.replace("&#x2B;", "+")
    assert "connect-src http://127.0.0.1:8000" in body
    assert "asks for no consent yet" in body


@pytestmark_doors
@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"origins": "https://a.example\nhttps://b.example/path"}, "Line 2 is not a valid site."),
        ({"origins": "\n".join(f"https://{n}.example" for n in range(51))}, "Enter at most 50 sites."),
        ({"swap_url": "http://tracker.example/x.js"}, "with https://"),
        ({"swap_url": "https://tracker.example/x.js", "swap_integrity": "md5-x"}, "sha384-"),
        ({"swap_integrity": f"sha384-{'A' * 64}"}, "Enter the address of the script"),
    ],
)  # fmt: skip
def test_what_staff_get_wrong_is_said_beside_the_field(cast: Cast, said: dict[str, str], words: str) -> None:
    body = {"origins": "", "swap_url": "", "swap_integrity": ""} | said
    got = _alice(cast).post("/clients/dentist/consent/web/", body)
    assert got.status_code == 200
    assert words in got.content.decode()


@pytestmark_doors
def test_a_new_address_says_what_stops_and_then_does_it(cast: Cast) -> None:
    browser, address = _alice(cast), "/clients/dentist/consent/web/key/"
    assert browser.get(address).status_code == 302, "there is no page yet"
    page = open_page(cast.dentist)
    assert SITE in browser.get(address).content.decode()
    assert browser.post(address).status_code == 302
    assert Browser().get(f"/c/{page.key}/consent/").status_code == 404


@pytest.mark.thorough
@pytestmark_doors
def test_the_staffs_page_asks_a_bounded_number_of_questions(
    cast: Cast, django_assert_max_num_queries: Any
) -> None:
    open_page(cast.dentist)
    for n, language in enumerate(Language):
        publish(cast.dentist, Purpose.RECORD, language=language, name=f"n{n}")
    browser = _alice(cast)
    with django_assert_max_num_queries(22):
        browser.get("/clients/dentist/consent/web/")


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_the_public_page_asks_as_much_however_many_notices(
    cast: Cast, page: WebPage, django_assert_num_queries: Any
) -> None:
    for n in range(6):
        publish(cast.dentist, *Purpose, name=f"n{n}", words=f"Words {n}")
    with django_assert_num_queries(11):
        Browser().get(f"/c/{page.key}/consent/")


@pytestmark_doors
def test_which_script_runs_on_the_clients_site_is_for_who_manages_connections(cast: Cast) -> None:
    mine, theirs = "https://tracker.example/swap.js", "https://elsewhere.example/x.js"
    page = open_page(cast.dentist, swap_url=mine)
    gus = make.person(cast.acme, "gus", Role.ACCOUNT_MANAGER)
    make.grant(gus, cast.dentist, without=Permission.MANAGE_CONNECTIONS)
    said = {"origins": "https://new.example.com", "swap_url": theirs, "swap_integrity": ""}
    browser = signed_in(gus)
    assert (
        "Only a team member who manages connections can change this"
        in browser.get("/clients/dentist/consent/web/").text
    )
    assert browser.post("/clients/dentist/consent/web/", said).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        page.refresh_from_db()
    assert (page.origins, page.swap_url) == (["https://new.example.com"], mine)
