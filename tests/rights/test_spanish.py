"""Whoever reads Spanish reads Spanish alone: no sentence of the requests page, nor on a request's way, is English."""

import html
import re
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser

from callprivacy.tenancy.enums import Answerer
from callprivacy.tenancy.scope import job_scope
from consent.enums import Language
from consent.law import places
from consent.services import limits
from rights.channels import words
from rights.enums import Ask, CaseState, Decided
from rights.forms.portal import place_choices
from rights.models import Case
from rights.services import deciding, proofs
from tests import make
from tests.cast import Cast
from tests.make import NOON
from tests.rights import asking
from tests.rights.test_portal import case_of, hidden, ids_on, open_page, prove

pytestmark = pytest.mark.django_db

SAME = {"English", "Español", "SHA-256", "no"}
"""What is written alike in both languages, besides names."""


@pytest.fixture(autouse=True)
def _counts_from_nothing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(limits, "_SALT", uuid.uuid4().hex)
    monkeypatch.setattr("rights.views.portal.HELD_FOR", 0.0)
    with time_machine.travel(NOON, tick=True):
        yield


def texts(body: str, *names: str) -> set[str]:
    """What a page says: text between tags, and labels for who hears it, without names and without what has no word."""
    shown = re.sub(r"<option.*?</option>|<style.*?</style>", "", body, flags=re.DOTALL)
    found = re.findall(r">([^<>]+)<", shown) + re.findall(
        r'(?:aria-label|placeholder|title|alt)="([^"]+)"', shown
    )
    said = {" ".join(html.unescape(one).split()) for one in found}
    for name in names:
        said = {one.replace(name, "").strip(" -") for one in said}
    wordy = {one for one in said if re.search(r"[A-Za-zÀ-ÿ]{2}", one)}
    return {one for one in wordy - SAME if not re.search(r"https?://|^R-\w{4}-\w{4}$|^[\w.]+@", one)}


def both(browser: Browser, path: str) -> tuple[set[str], set[str]]:
    """A page in both languages."""
    shown = [browser.get(f"{path}?lang={language}") for language in ("en", "es")]
    assert [one.status_code for one in shown] == [200, 200]
    assert 'lang="es"' in shown[1].content.decode()
    first, second = (texts(one.content.decode(), "Dentist LLC", "Dentist", "Acme") for one in shown)
    return first, second


def test_no_place_is_offered_by_its_code_or_in_the_other_language() -> None:
    english, spanish = (dict(place_choices(language)) for language in (Language.ENGLISH, Language.SPANISH))
    assert english.keys() == spanish.keys()
    assert all(
        name and not re.fullmatch(r"[A-Z]{2}", name) for name in (*english.values(), *spanish.values())
    )
    assert set(places.MEMBERS) | {f"US-{code}" for code in places.REGIONS["US"]} < english.keys()
    assert (spanish["DE"], spanish["US-NY"], spanish["NO"]) == ("Alemania", "Nueva York, EE. UU.", "Noruega")
    assert (english["DE"], english["US-GA"], english["NO"]) == ("Germany", "Georgia, USA", "Norway")
    assert list(spanish)[-1] == "XX"


def test_every_page_of_the_requests_page_says_nothing_in_the_other_language(cast: Cast) -> None:
    browser = Browser()
    for of in (cast.dentist, None):
        key = open_page(of, cast)
        for path in (f"/r/{key}/", *(f"/r/{key}/{ask.value}/" for ask in words.OFFERED)):
            english, spanish = both(browser, path)
            assert spanish
            assert english & spanish == set(), path


@pytest.mark.parametrize("table", [words.STATES, words.EVENTS, words.TEXTS, words.BEHALF])
def test_every_word_of_a_request_is_there_in_both_languages(table: dict[Language, dict[str, object]]) -> None:
    english, spanish = table[Language.ENGLISH], table[Language.SPANISH]
    assert english.keys() == spanish.keys()
    assert {key for key in english if english[key] == spanish[key]} == set()


@pytest.mark.thorough
def test_the_page_of_a_request_says_nothing_in_the_other_language_however_far_it_is(cast: Cast) -> None:
    make.call(cast.dentist, asking.ANNA, at=NOON - timedelta(days=9))
    asking.answered_by(cast.dentist, Answerer.AGENCY)
    key, browser = open_page(cast.dentist, cast), Browser()

    def sent(ask: Ask, **said: str) -> str:
        where = f"/r/{key}/{ask.value}/?lang=es"
        body = {
            "form": hidden(browser.get(where).content),
            "lang": "es",
            "on_behalf": "self",
            "number": "(212) 555-0101",
        }
        answer = browser.post(where, body | said)
        assert answer.status_code == 303
        return str(answer.headers["Location"]).partition("?")[0]

    def looks(where: str) -> None:
        english, spanish = both(browser, where)
        assert english & spanish == set(), (where, english & spanish)

    for ask in (Ask.DO_NOT_SELL, Ask.COMPLAIN):
        looks(sent(ask, words="No."))
    agent = sent(Ask.DELETE, on_behalf="agent")
    looks(agent)
    call = {"withheld_day": "2026-11-20", "withheld_time": "10:30", "withheld_business": "Dentista"}
    looks(sent(Ask.SEE, number="", mail="anna@people.example", **call))
    for ask in (Ask.DO_NOT_SELL, Ask.OBJECT):
        looks(sent(ask, number="", **call))
    where = sent(Ask.COPY)
    looks(where)
    (identity,) = ids_on(browser, where)
    prove(browser, where, identity)
    looks(where)
    form = hidden(browser.get(where).content)
    day = (NOON - timedelta(days=9)).date().isoformat()
    for said in (
        {"deed": "facts", "day": day, "business": "Dentist"},
        {"deed": "declare", "declares": "on", "name": "Anna Example"},
    ):
        assert browser.post(f"{where}?lang=es", {"form": form} | said).status_code == 303
    submission = case_of(where).submission
    asking.search(submission, at=NOON + timedelta(minutes=1))
    office, case = asking.Office(cast), asking.case_of(submission, Ask.COPY)
    later = NOON + timedelta(minutes=2)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="", at=later)
    asking.work(cast.acme, at=later)
    looks(where)
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.filter(pk=case.pk).update(state=CaseState.DONE, closed_at=later, answered_at=later)
    looks(where)


@pytest.mark.thorough
def test_what_is_wrong_is_said_in_the_language_of_the_page(cast: Cast) -> None:
    key, browser = open_page(cast.dentist, cast), Browser()
    for ask, said in (
        (
            Ask.SEE,
            {
                "number": "none",
                "mail": "nobody",
                "withheld_day": "2027-11-20",
                "on_behalf": "everybody",
                "place": "ZZ",
            },
        ),
        (Ask.CORRECT, {"number": "(212) 555-0101", "number_2": "(212) 555-0101", "words": ""}),
        (Ask.COMPLAIN, {"number": ""}),
        (Ask.CORRECT, {"number": "(212) 555-0101", "words": "x" * 4001, "name": "x" * 201}),
    ):
        shown = []
        for language in ("en", "es"):
            where = f"/r/{key}/{ask.value}/?lang={language}"
            form = hidden(browser.get(where).content)
            answer = browser.post(where, {"form": form, "lang": language, "on_behalf": "self"} | said)
            assert answer.status_code == 422
            shown.append(texts(answer.content.decode(), "Dentist LLC", "Dentist"))
        assert shown[0] & shown[1] == {"x" * 4001} & shown[0], shown[0] & shown[1]
    where = f"/r/{key}/delete/?lang=es"
    stale = browser.post(where, {"form": "x", "lang": "es", "on_behalf": "self", "number": "(212) 555-0101"})
    assert "demasiado tiempo" in stale.content.decode()


def test_a_code_comes_in_the_language_of_the_page(cast: Cast) -> None:
    key, browser = open_page(cast.dentist, cast), Browser()
    where = f"/r/{key}/delete/?lang=es"
    body = {
        "form": hidden(browser.get(where).content),
        "lang": "es",
        "on_behalf": "self",
        "number": "(212) 555-0101",
    }
    path = str(browser.post(where, body).headers["Location"]).partition("?")[0]
    (identity,) = ids_on(browser, path)
    for way in ("text", "call"):
        form = hidden(browser.get(path).content)
        asked = {"form": form, "lang": "es", "deed": "code", "identity": identity, "way": way}
        assert browser.post(f"{path}?lang=es", asked).status_code == 200
        assert "código es" in str(mail.outbox[-1].body)


def test_a_bad_paper_is_refused_in_the_language_of_the_page(cast: Cast) -> None:
    key, browser = open_page(cast.dentist, cast), Browser()
    where = f"/r/{key}/delete/?lang=es"
    body = {
        "form": hidden(browser.get(where).content),
        "lang": "es",
        "on_behalf": "agent",
        "number": "(212) 555-0101",
    }
    path = str(browser.post(where, body).headers["Location"]).partition("?")[0]
    form = hidden(browser.get(path).content)
    for status, paper in ((422, b"MZ no PDF"), (413, b"%PDF-1.7\n" + b"x" * proofs.PERMISSION_AT_MOST * 2)):
        file = SimpleUploadedFile("permiso.pdf", paper, content_type="application/pdf")
        answer = browser.post(
            f"{path}?lang=es", {"form": form, "lang": "es", "deed": "hand_in", "file": file}
        )
        assert answer.status_code == status
        assert words.TEXTS[Language.SPANISH]["bad_file"] in answer.content.decode()


def test_an_address_that_leads_nowhere_says_so_in_the_language_of_the_browser(cast: Cast) -> None:
    for language, text in (("en-US", "Nothing is here any more"), ("es-MX", "Aquí ya no hay nada")):
        browser = Browser(headers={"accept-language": language})
        for path in (
            "/q/x.y/",
            f"/r/{'x' * 32}/",
            f"/r/{'x' * 32}/delete/",
            f"/r/{open_page(cast.dentist, cast)}/privacy/",
        ):
            answer = browser.get(path)
            assert answer.status_code == 404
            assert text in answer.content.decode(), path
            assert not answer.cookies
