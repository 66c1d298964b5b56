"""The public page: boxes, a number, a receipt; a yes that cannot undo a no, and a no that needs nothing."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client as Browser
from redis.exceptions import ConnectionError as RedisGoneError

from callprivacy.calls.services import people
from callprivacy.tenancy.models import Client, PublicKey
from callprivacy.tenancy.scope import client_scope, job_scope
from callprivacy.vault import services as vault
from consent.channels import tokens, words
from consent.enums import Channel, EventKind, Language, Purpose, Scope, State, Strength
from consent.models import ConsentEvent, Rejudgement, WebPage
from consent.services import limits, receipts, web
from consent.services.limits import Verdict
from consent.views import doors
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent import pages
from tests.consent.pages import events_of, evidence_of, hidden, open_page, publish, states_of
from tests.make import NOON
from tests.scale import some

pytestmark = pytest.mark.as_committed

ONE = "+14155550101"
TYPED = "(415) 555-0101"
CANARY = "4155550101"


@pytest.fixture(autouse=True)
def _counts_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test's clients have the same ids; what others counted is under another name."""
    monkeypatch.setattr(limits, "_SALT", uuid.uuid4().hex)


@pytest.fixture
def browser() -> Browser:
    return Browser(
        headers={"user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", "accept-language": "en-US"}
    )


@pytest.fixture
def page(cast: Cast) -> WebPage:
    publish(cast.dentist, Purpose.RECORD, Purpose.REVIEW)
    publish(cast.dentist, Purpose.SHARE, name="Sharing", words="We share your number with advertisers.")
    return open_page(cast.dentist)


def address(page: WebPage, lang: str = "en") -> str:
    return f"/c/{page.key}/consent/?lang={lang}"


def send(browser: Browser, page: WebPage, deed: str = "give", **said: Any) -> Any:
    """Open the page and send one of its forms."""
    headers = said.pop("headers", {})
    shown = browser.get(address(page, said.get("lang", "en")), headers=headers)
    body = {"deed": deed, "number": TYPED, "form": hidden(shown.content), "lang": "en", **said}
    return browser.post(address(page), body, headers=headers)


def caller_of(cast: Cast, number: str = ONE) -> Any:
    with job_scope(agency_id=cast.acme.pk):
        return people.add_callers(client=cast.dentist, numbers=[number], at=NOON)[number]


# --- The page ---


def test_each_purpose_has_its_own_box_and_none_is_ticked(browser: Browser, page: WebPage) -> None:
    body = browser.get(address(page)).content.decode()
    boxes = re.findall(
        r'<input type="checkbox" name="purposes" value="(\w+)"([^>]*)>', body.split("stop-number")[0]
    )
    assert [name for name, _ in boxes] == ["record", "review", "share"]
    assert all("checked" not in rest for _, rest in boxes)
    assert pages.WORDS in body
    assert "Dentist LLC" in body


def test_the_page_sets_no_cookie_is_not_kept_and_tells_nobody_where_it_was(
    browser: Browser, page: WebPage
) -> None:
    for answer in (browser.get(address(page)), send(browser, page, purposes=["record"])):
        assert answer.cookies == {}
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "noindex" in answer.headers["X-Robots-Tag"]
        assert "Set-Cookie" not in answer.headers


def test_a_signed_in_person_of_staff_sees_the_same_page(cast: Cast, page: WebPage) -> None:
    browser = signed_in(cast.alice)
    assert browser.get(address(page)).status_code == 200
    assert send(browser, page, purposes=["record"]).status_code == 303
    assert events_of(cast.dentist)[0].recorded_by == "consent.web"


@pytest.mark.thorough
def test_in_spanish_the_words_are_spanish_where_there_are_any(
    cast: Cast, browser: Browser, page: WebPage
) -> None:
    publish(
        cast.dentist, Purpose.RECORD, language=Language.SPANISH, words="Grabamos y supervisamos las llamadas."
    )
    body = browser.get(address(page, "es")).content.decode()
    assert '<html lang="es">' in body
    assert "Grabamos y supervisamos" in body
    assert "Pueden grabar mis llamadas." in body
    assert "You may share or sell my number" in body, "sharing has no Spanish words yet"
    assert browser.get(
        f"/c/{page.key}/consent/", headers={"accept-language": "es-MX,en;q=0.5"}
    ).content.count(b'lang="es"')


@pytest.mark.parametrize(
    "key", some(["x" * 32, "short", "a b", "%00" * 8, "é" * 24, "-" * 40, "x" * 5000], one_in=3)
)
def test_every_key_that_is_none_answers_the_same(browser: Browser, page: WebPage, key: str) -> None:
    bodies = set()
    for door in ("consent/", "receipt/x/", "choices/", "look.css"):
        answer = browser.get(f"/c/{key}/{door}")
        assert answer.status_code == 404
        bodies.add(answer.content)
    assert len(bodies) == 1
    assert browser.post(f"/c/{key}/consent/", {"number": TYPED}).status_code == 404


def test_a_client_that_is_just_leaving_asks_for_nothing_and_takes_nothing_that_it_could_not_hand_over(
    cast: Cast, browser: Browser, page: WebPage
) -> None:
    """Whose page was open as the ways in were shut: the next look at the link says that the client has left."""
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(archived_at=NOON)
    assert pages.WORDS.encode() not in browser.get(address(page)).content
    assert send(browser, page, purposes=["record"]).status_code == 422
    answer = send(browser, page, "withdraw", everything="on")
    assert answer.status_code == 503
    with job_scope(agency_id=cast.acme.pk):
        assert not ConsentEvent.objects.for_client(cast.dentist).exists()


# --- A yes ---


def test_a_yes_is_written_with_the_exact_words_and_what_shows_it(
    cast: Cast, browser: Browser, page: WebPage
) -> None:
    answer = send(browser, page, purposes=["record"])
    assert answer.status_code == 303
    (event,) = events_of(cast.dentist)
    assert (event.kind, event.purpose, event.channel) == (EventKind.GIVEN, Purpose.RECORD, Channel.WEB)
    assert (event.strength, event.scope) == (Strength.D, Scope.STANDING)
    evidence = evidence_of(cast.dentist)["record web"]
    assert evidence["words"] == pages.WORDS
    assert evidence["withdraw"] == pages.HOW
    assert evidence["ask"] == "You may record my calls."
    assert evidence["version"] == str(event.version_id)
    assert re.fullmatch(r"[0-9a-f]{64}", evidence["version_digest"])
    assert evidence["language"] == "en"
    assert evidence["page"] == f"127.0.0.1:8000/c/{page.key}/consent/"
    assert evidence["browser"] == "Firefox on Linux"
    assert evidence["gpc"] is False
    assert not [value for value in evidence.values() if "127.0.0.1" in str(value) and "/c/" not in str(value)]
    assert event.caller_id is not None
    assert states_of(cast.dentist, event.caller_id) == {Purpose.RECORD: State.GIVEN}
    with job_scope(agency_id=cast.acme.pk):
        assert Rejudgement.objects.for_client(cast.dentist).filter(caller_id=event.caller_id).exists()


def test_what_was_not_ticked_is_no_refusal(cast: Cast, browser: Browser, page: WebPage) -> None:
    send(browser, page, purposes=["record"])
    assert [event.purpose for event in events_of(cast.dentist)] == [Purpose.RECORD]


def test_the_receipt_names_the_entries_and_no_number(cast: Cast, browser: Browser, page: WebPage) -> None:
    where = send(browser, page, purposes=["record", "share"]).headers["Location"]
    assert CANARY not in where
    body = browser.get(where).content.decode()
    for event in events_of(cast.dentist):
        assert str(event.pk) in body
    assert "+1 ••• ••• 0101" in body
    assert "555-0101" not in body
    assert CANARY not in body
    assert f"/c/{page.key}/consent/" in body, "how to take it back"
    assert f"/c/{page.key}/choices/" in body


def test_a_receipt_opens_for_thirty_days_at_this_client_alone(
    cast: Cast, browser: Browser, page: WebPage
) -> None:
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        token = tokens.sign_receipt(cast.dentist.pk, [], at=NOON)
    other = open_page(cast.plumber)
    for key, when in ((other.key, NOON), (page.key, NOON + timedelta(days=30)), (page.key, NOON)):
        with pytest.raises(receipts.UnknownReceiptError):
            receipts.show_receipt(key=key, token=token, language=Language.ENGLISH, at=when)
    where = send(browser, page, purposes=["record"]).headers["Location"]
    assert browser.get(where.replace(page.key, other.key)).status_code == 404
    assert browser.get(where.replace("?lang", "x?lang")).status_code in {404, 301}


@pytest.mark.parametrize(
    ("said", "words_"),
    some(
        [
            ({"purposes": []}, b"Select at least one box."),
            ({"purposes": ["contact"]}, b"Select at least one box."),
            ({"purposes": ["nonsense"]}, b"Fix the errors"),
            ({"purposes": ["record"], "number": "12"}, b"Enter a phone number"),
            ({"purposes": ["record"], "number": "anonymous"}, b"Enter a phone number"),
            ({"purposes": ["record"], "number": ""}, b"Enter a phone number"),
            ({"purposes": ["record"], "number": "9" * 5000}, b"Enter a phone number"),
            ({"purposes": ["record"], "deed": "steal"}, b"Fix the errors"),
        ],
        one_in=8,
        each=lambda case: case[1],
    ),
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    cast: Cast, browser: Browser, page: WebPage, said: dict[str, Any], words_: bytes
) -> None:
    answer = send(browser, page, **said)
    assert answer.status_code == 422
    assert words_ in answer.content
    assert events_of(cast.dentist) == []


def test_a_form_that_did_not_come_from_here_does_nothing_and_comes_back_filled(
    cast: Cast, browser: Browser, page: WebPage
) -> None:
    publish(cast.plumber, Purpose.RECORD)
    foreign = hidden(browser.get(address(open_page(cast.plumber))).content)
    old = tokens.sign_form(cast.dentist.pk, {}, at=make.now() - timedelta(hours=5))
    for form in ("", "forged.forged", foreign, old):
        answer = browser.post(
            address(page), {"deed": "withdraw", "everything": "on", "number": TYPED, "form": form}
        )
        assert answer.status_code == 403
        assert f'value="{TYPED}"'.encode() in answer.content
        assert hidden(answer.content)
    assert events_of(cast.dentist) == []


def test_what_was_shown_counts_though_newer_words_are_in_force(
    cast: Cast, browser: Browser, page: WebPage
) -> None:
    form = hidden(browser.get(address(page)).content)
    publish(cast.dentist, Purpose.RECORD, Purpose.REVIEW, words="New words that nobody saw.")
    browser.post(address(page), {"deed": "give", "number": TYPED, "purposes": ["record"], "form": form})
    assert evidence_of(cast.dentist)["record web"]["words"] == pages.WORDS


def test_a_number_from_abroad_needs_its_code_and_one_from_here_does_not(
    cast: Cast, browser: Browser, page: WebPage
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(home_country="GB")
    assert send(browser, page, purposes=["record"], number="020 7946 0018").status_code == 303
    assert send(browser, page, purposes=["record"], number="+44 20 7946 0018").status_code == 303
    assert len({event.caller_id for event in events_of(cast.dentist)}) == 1


# --- A no, and a yes after it ---


def test_taking_back_is_one_step_for_everything(cast: Cast, browser: Browser, page: WebPage) -> None:
    send(browser, page, purposes=["record"])
    where = send(browser, page, "withdraw", everything="on").headers["Location"]
    (caller_id,) = {event.caller_id for event in events_of(cast.dentist) if event.caller_id}
    assert states_of(cast.dentist, caller_id) == dict.fromkeys(Purpose, State.WITHDRAWN)
    body = browser.get(where).content.decode()
    assert re.search(r"Stopped at \d\d:\d\d:\d\d E[SD]T", body)


def test_only_some_things_can_be_taken_back(cast: Cast, browser: Browser, page: WebPage) -> None:
    send(browser, page, "withdraw", purposes=["review"])
    (event,) = events_of(cast.dentist)
    assert (event.purpose, event.kind, event.strength) == (Purpose.REVIEW, EventKind.WITHDRAWN, Strength.D)


def test_a_no_works_also_where_nothing_is_asked(cast: Cast, browser: Browser) -> None:
    assert send(browser, open_page(cast.dentist), "withdraw", everything="on").status_code == 303


def test_a_yes_on_an_unproven_number_does_not_undo_a_no(cast: Cast, browser: Browser, page: WebPage) -> None:
    send(browser, page, "withdraw", purposes=["record"])
    send(browser, page, purposes=["record", "review"])
    caller_id = caller_of(cast)
    assert states_of(cast.dentist, caller_id) == {
        Purpose.RECORD: State.WITHDRAWN,
        Purpose.REVIEW: State.GIVEN,
    }
    noticed = [event for event in events_of(cast.dentist) if event.kind == EventKind.NOTICED]
    assert [event.purpose for event in noticed] == [Purpose.RECORD]


def test_the_no_of_an_erased_person_stands_against_a_strangers_yes(
    cast: Cast, browser: Browser, page: WebPage
) -> None:
    send(browser, page, "withdraw", purposes=["record"])
    caller_id = caller_of(cast)
    gone = vault.Erasure(caller_id, NOON, (NOON + timedelta(days=900)).date(), keep_evidence=True)
    vault.erase_callers(client_id=cast.dentist.pk, erasures=[gone], at=NOON)
    send(browser, page, purposes=["record"])
    fresh = events_of(cast.dentist)[-1]
    assert fresh.caller_id != caller_id
    assert fresh.kind == EventKind.NOTICED


def _shape(body: bytes) -> str:
    """A page without what differs by chance: ids, signed notes, clock times."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", body.decode())
    text = re.sub(r'value="[\w.~:-]{40,}"', "NOTE", text)
    text = re.sub(r"\d\d:\d\d:\d\d", "TIME", text)
    return re.sub(r"/receipt/[^/]+/", "/receipt/X/", text)


def test_nobody_learns_whether_a_number_is_known_or_has_said_no(
    cast: Cast, browser: Browser, page: WebPage
) -> None:
    make.call(cast.dentist, "+14155550150")
    refused = "+14155550151"
    send(browser, page, "withdraw", everything="on", number=refused)
    shapes = set()
    for number in ("+14155550150", refused, "+14155550152"):
        answer = send(browser, page, purposes=["record", "share"], number=number)
        # Ids are taken out first: four digits of theirs may be those of the number.
        body = _shape(browser.get(answer.headers["Location"]).content)
        shapes.add((answer.status_code, body.replace(number[-4:], "NNNN")))
    assert len(shapes) == 1


@pytest.mark.thorough
def test_an_erasure_in_the_same_moment_costs_another_try(cast: Cast, browser: Browser, page: WebPage) -> None:
    with patch("consent.services.web.people.add_callers", side_effect=vault.CallerGoneError("gone")):
        assert send(browser, page, purposes=["record"]).status_code == 503
    real, tries = people.add_callers, []

    def once(**kwargs: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise vault.CallerGoneError("gone")
        return real(**kwargs)

    with patch("consent.services.web.people.add_callers", once):
        assert send(browser, page, purposes=["record"]).status_code == 303
    assert len(events_of(cast.dentist)) == 1


# --- How often ---


@pytest.fixture
def endless_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """No hour ends between two questions."""
    monkeypatch.setattr(doors, "AN_HOUR", timedelta(days=36500))


@pytest.mark.usefixtures("endless_hour")
def test_too_much_from_one_address_is_refused_and_says_when_to_come_back(
    cast: Cast, browser: Browser, page: WebPage
) -> None:
    with patch("consent.views.public.GIVES", 2):
        codes = [
            send(browser, page, purposes=["record"], number=f"+1415555020{n}").status_code for n in range(3)
        ]
        assert codes == [303, 303, 429]
        assert send(browser, page, "withdraw", everything="on").status_code == 303, "a no is counted apart"


@pytest.mark.usefixtures("endless_hour")
def test_too_much_about_one_number_is_refused_whatever_the_address(
    cast: Cast, browser: Browser, page: WebPage
) -> None:
    with patch("consent.views.public.GIVES", 2):
        codes = [
            send(Browser(REMOTE_ADDR=f"192.0.2.{n}"), page, purposes=["record"]).status_code for n in range(3)
        ]
    assert codes == [303, 303, 429]


def test_while_nobody_can_count_a_no_is_taken_and_a_yes_waits(
    cast: Cast, browser: Browser, page: WebPage
) -> None:
    with patch.object(limits, "caches", {"hints": _Away()}):
        assert limits.knock("a", "b", most=1, per=timedelta(hours=1), at=NOON) is Verdict.UNKNOWN
        assert send(browser, page, purposes=["record"]).status_code == 503
        assert send(browser, page, "withdraw", everything="on").status_code == 303
    assert {event.kind for event in events_of(cast.dentist)} == {EventKind.WITHDRAWN}


class _Away:
    def __getattr__(self, name: str) -> Any:
        raise RedisGoneError("away")


def test_a_body_that_is_too_long_is_not_read(browser: Browser, page: WebPage) -> None:
    assert browser.post(address(page), {"number": "1" * 20_000}).status_code == 413
    assert browser.generic("POST", address(page), b"x", CONTENT_LENGTH="many").status_code == 400
    assert (
        browser.generic("POST", address(page), b"", headers={"transfer-encoding": "chunked"}).status_code
        == 411
    )


# --- The key ---


def test_a_page_has_one_key_however_often_it_is_opened(cast: Cast) -> None:
    one, again = open_page(cast.dentist), open_page(cast.dentist)
    assert one.key == again.key
    assert PublicKey.objects.filter(client_id=cast.dentist.pk, purpose="consent").count() == 1


def test_a_new_key_shuts_the_old_address(cast: Cast, browser: Browser, page: WebPage) -> None:
    with job_scope(agency_id=cast.acme.pk):
        fresh = web.rotate_key(client=cast.dentist, by=web.BY, at=NOON)
    assert browser.get(address(page)).status_code == 404
    assert browser.get(address(fresh)).status_code == 200


def test_a_key_opens_one_client(cast: Cast, browser: Browser, page: WebPage) -> None:
    publish(cast.florist, Purpose.RECORD, words="The florist's own words.")
    theirs = open_page(cast.florist)
    assert b"florist" in browser.get(address(theirs)).content
    send(browser, theirs, purposes=["record"])
    assert events_of(cast.dentist) == []
    assert len(events_of(cast.florist)) == 1


# --- Words ---


def test_both_languages_say_everything() -> None:
    assert words.TEXTS[Language.ENGLISH].keys() == words.TEXTS[Language.SPANISH].keys()
    assert words.MAIL[Language.ENGLISH].keys() == words.MAIL[Language.SPANISH].keys()
    gap = re.compile(r"\{\w+\}")
    for name, text in words.TEXTS[Language.ENGLISH].items():
        assert gap.findall(text) == gap.findall(words.TEXTS[Language.SPANISH][name]), name
        assert len(gap.findall(text)) <= 1, name
    for language in Language:
        assert set(words.ABOUT[language]) == set(Purpose)


def test_every_text_of_the_pages_is_used() -> None:
    from pathlib import Path

    root = Path(__file__).resolve().parents[2]
    folders = (
        "templates/consent/public",
        "consent/views",
        "consent/forms",
        "consent/channels",
        "consent/services",
    )
    files = [file for folder in folders for file in (root / folder).rglob("*") if file.name != "words.py"]
    used = "".join(file.read_text() for file in files if file.suffix in {".html", ".py"})
    unused = {
        name for name in words.TEXTS[Language.ENGLISH] if f"t.{name}" not in used and f'"{name}"' not in used
    }
    assert unused == set()


def test_a_time_is_the_clients_to_the_second() -> None:
    at = datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert words.clock(at, "America/New_York") == "07:00:00 EST"
    assert words.when(at, "Europe/Berlin", Language.SPANISH) == "24 nov 2026, 13:00:00 CET"


def test_the_ledger_never_holds_the_number_in_the_clear(cast: Cast, browser: Browser, page: WebPage) -> None:
    assert send(browser, page, purposes=["record"]).status_code == 303
    with job_scope(agency_id=cast.acme.pk):
        said = list(ConsentEvent.objects.for_client(cast.dentist))
        assert said
        for event in said:
            assert CANARY.encode() not in bytes(event.evidence.blob)
    assert CANARY not in str(evidence_of(cast.dentist))
