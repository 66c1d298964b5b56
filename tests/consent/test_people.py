"""How far consent reaches, and one person's page: by who may, and by nobody else; no page shows a number."""

import io
import uuid
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse

from callprivacy.accounts.enums import Role
from callprivacy.audit.models import Event
from callprivacy.calls.models import Caller
from callprivacy.lib import keyset
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from consent.enums import Channel, EventKind, Purpose, Scope, State, Strength
from consent.models import ConsentEvent, ConsentState, Withdrawal
from consent.selectors import people
from consent.services import ledger
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.consent import pages
from tests.consent.test_ledger import caller_of, record, said
from tests.make import NOON
from tests.samples import new_york
from tests.scale import some

pytestmark = pytest.mark.as_committed

ONE, TWO, THREE = "+14155550101", "+14155550102", "+14155550103"


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celery.Task.apply_async", lambda *_args, **_kwargs: None)


@pytest.fixture
def alice(cast: Cast) -> Browser:
    return signed_in(cast.alice)


@pytest.fixture
def dora(cast: Cast) -> Browser:
    """Who looks after the dentist's consent, and is no officer."""
    agent = make.person(cast.acme, "dora", Role.ACCOUNT_MANAGER)
    make.grant(agent, cast.dentist)
    return signed_in(agent)


def fill(cast: Cast) -> uuid.UUID:
    """One who agreed and took it back, one who was told, one who said nothing but called."""
    one, two = caller_of(cast, ONE), caller_of(cast, TWO)
    version = pages.publish(cast.dentist, Purpose.RECORD)
    record(
        cast,
        said(one, EventKind.GIVEN, -3, version_id=version.pk),
        said(one, EventKind.GIVEN, -3, purpose=Purpose.REVIEW, version_id=version.pk),
        said(one, EventKind.WITHDRAWN, -2, channel=Channel.SMS),
        said(two, EventKind.NOTICED, -1),
    )
    make.call(cast.dentist, ONE)
    make.call(cast.dentist, THREE)
    return one


def at(name: str, *more: object) -> str:
    return reverse(f"consent:{name}", args=("dentist", *more))


# --- How far it reaches ---


def test_coverage_counts_every_caller_once_a_purpose(cast: Cast, alice: Browser) -> None:
    fill(cast)
    with job_scope(agency_id=cast.acme.pk):
        record_, review = people.coverage([cast.dentist], purposes=[Purpose.RECORD, Purpose.REVIEW])
    assert [(part.name, part.count) for part in record_.parts] == [
        ("given", 0), ("claimed", 0), ("noticed", 1), ("withdrawn", 1), ("expired", 0), ("nothing", 1),
    ]  # fmt: skip
    assert (review.count("given"), review.count("nothing"), review.total) == (1, 2, 3)
    page = alice.get(reverse("consent:home") + "?client=dentist").text
    for words in ("Consent coverage", "Track and count", "?purpose=record&amp;group=withdrawn"):
        assert words in page
    assert ONE not in page


@pytest.mark.parametrize(
    ("asked", "shown", "active"),
    some(
        [
            ("", "record", 0),
            ("?purpose=all", "all", 1),
            ("?client=dentist", "all", 1),
            ("?client=dentist&purpose=", "all", 1),
            ("?client=dentist&purpose=record", "record", 2),
        ],
        one_in=5,
        each=lambda case: case[2],
    ),
)
def test_the_filter_names_the_purposes_that_are_listed(
    cast: Cast, alice: Browser, asked: str, shown: str, active: int
) -> None:
    page = alice.get(reverse("consent:home") + asked)
    assert f'<option value="{shown}" selected>' in page.text
    assert len({line["row"].purpose for line in page.context["rows"]}) == (
        len(Purpose) if shown == "all" else 1
    )
    assert page.context["active"] == active


@pytest.mark.thorough
def test_the_bar_has_a_table_beside_it_and_words(cast: Cast, alice: Browser) -> None:
    fill(cast)
    page = alice.get(reverse("consent:home")).text
    assert 'aria-label="notice only 33 %, opted out 33 %, no record 33 %"' in page
    assert 'width="333.3"' in page


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_the_home_page_asks_as_often_for_one_client_as_for_two(
    cast: Cast, alice: Browser, django_assert_num_queries: Any
) -> None:
    fill(cast)
    alice.get(reverse("consent:home"))
    asked = []
    for address in ("?client=dentist&purpose=record", "?purpose=record"):
        with django_assert_num_queries(16) as found:
            alice.get(reverse("consent:home") + address)
        asked.append(len(found))
    assert asked[0] == asked[1]


def test_who_manages_no_consent_sees_none(cast: Cast) -> None:
    fill(cast)
    for person in (cast.bob, cast.carol):
        page = signed_in(person).get(reverse("consent:home"))
        assert page.status_code == 200
        assert "Dentist" not in page.text.split("<main")[1]
    assert signed_in(cast.mallory).get(reverse("consent:home") + "?client=dentist").status_code == 404


def test_the_entry_leads_here_for_who_manages_consent(cast: Cast, alice: Browser) -> None:
    link = f'href="{reverse("consent:home")}"'
    assert link in alice.get("/overview/").text
    assert link not in signed_in(cast.carol).get("/overview/").text


@pytest.mark.parametrize(
    ("group", "count"),
    some(
        [("given", 0), ("claimed", 0), ("noticed", 1), ("withdrawn", 1), ("expired", 0), ("nothing", 1)],
        one_in=5,
        each=lambda case: case[1],
    ),
)
def test_callers_are_listed_by_where_they_stand(cast: Cast, alice: Browser, group: str, count: int) -> None:
    fill(cast)
    page = alice.get(at("callers") + f"?purpose=record&group={group}").text
    assert page.count('class="row-link"') == count
    assert ("No matching callers" in page) == (not count)


def test_a_list_of_callers_goes_on_by_key(cast: Cast) -> None:
    for number in range(5):
        record(cast, said(caller_of(cast, f"+1415555{2000 + number:04d}"), EventKind.GIVEN))
    for number in range(3):
        make.call(cast.dentist, f"+1415555{3000 + number:04d}")
    for group, total in (("given", 5), ("nothing", 3)):
        seen: list[uuid.UUID] = []
        after: Any = ""
        with job_scope(agency_id=cast.acme.pk):
            while after is not None:
                rows, after = listed(cast, group, after)
                seen += [row.caller_id for row in rows]
        assert len(seen) == len(set(seen)) == total
    with job_scope(agency_id=cast.acme.pk):
        for wrong in ("x", "-1", "9" * 40, "²"):
            for group in ("given", "nothing"):
                assert listed(cast, group, wrong)[0]


def listed(cast: Cast, group: str, after: Any) -> tuple[list[people.CallerRow], Any]:
    rows = people.callers(cast.dentist, purpose=Purpose.RECORD, group=group)
    page, _, following = keyset.page(rows, {"after": str(after)}, size=2)
    return people.caller_lines(page), following


# --- Finding by number ---


def test_a_person_is_found_by_number_without_the_number_going_anywhere(cast: Cast, alice: Browser) -> None:
    caller_id = fill(cast)
    answer = alice.post(reverse("consent:find_person"), {"number": "(415) 555-0101"})
    assert at("caller", caller_id) in answer.text
    assert "5550101" not in answer.text.replace(" ", "")
    assert "555-0101" not in answer.text
    assert alice.get(reverse("consent:find_person")).status_code == 405
    assert (
        "Enter a valid phone number" in alice.post(reverse("consent:find_person"), {"number": "hello"}).text
    )
    nobody = alice.post(reverse("consent:find_person"), {"number": "+14155550999"})
    assert "No caller with this number" in nobody.text
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="number.searched").count() == 2


def erase(cast: Cast, caller_id: uuid.UUID) -> None:
    gone = vault.Erasure(caller_id, NOON, date(2031, 1, 1), keep_evidence=True)
    vault.erase_callers(client_id=cast.dentist.pk, erasures=[gone], at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        from callprivacy.calls.models import Call

        Call.objects.for_client(cast.dentist).filter(caller_id=caller_id).remove()
        Caller.objects.for_client(cast.dentist).filter(pk=caller_id).remove()


def test_who_was_erased_is_found_by_officers_alone(cast: Cast, alice: Browser, dora: Browser) -> None:
    caller_id = fill(cast)
    erase(cast, caller_id)
    answer = alice.post(reverse("consent:find_person"), {"number": ONE}).text
    assert (
        f"Erased on {NOON:%-d %b %Y}, the evidence is kept and findable by number until 1 Jan 2031" in answer
    )
    assert (
        "Only officers can find erased people"
        in dora.post(reverse("consent:find_person"), {"number": ONE}).text
    )
    page = alice.get(at("caller", caller_id))
    assert page.status_code == 200
    assert "Findable by number until" in page.text
    assert "Record consent or opt-out" not in page.text
    assert dora.get(at("caller", caller_id)).status_code == 404
    assert alice.get(at("record_said", caller_id)).status_code == 404
    assert alice.post(at("hand_link", caller_id)).status_code == 404
    assert alice.get(at("evidence", caller_id)).status_code == 200


# --- One person ---


def test_the_page_tells_the_whole_story_without_the_number(cast: Cast, alice: Browser) -> None:
    caller_id = fill(cast)
    page = alice.get(at("caller", caller_id)).text
    for words in (
        people.name_of(caller_id), "Withdrawn: Record", "Given: Play, read, listen live", "Text message",
        "Web form, version 1", "evidence grade A", "Stopped</strong>", "Steps at vendors are being planned",
        "Reveal number", "Evidence pack",
    ):  # fmt: skip
        assert words in page, words
    for form in (ONE, "5550101", "555-0101"):
        assert form not in page


def test_a_number_that_said_no_before_is_shown_to_have_said_no(cast: Cast, alice: Browser) -> None:
    """After an erasure a fresh caller has no event, and the number's no still holds."""
    caller_id = fill(cast)
    erase(cast, caller_id)
    fresh = make.call(cast.dentist, ONE).caller_id
    page = alice.get(at("caller", fresh)).text
    assert "recorded for this number before it became a caller" in page


def test_a_reviewer_reads_the_page_and_changes_nothing(cast: Cast) -> None:
    caller_id = fill(cast)
    bob = signed_in(cast.bob)
    page = bob.get(at("caller", caller_id))
    assert page.status_code == 200
    assert "Record consent or opt-out" not in page.text
    for name in ("record_said", "hand_link", "evidence"):
        assert bob.get(at(name, caller_id)).status_code == 403
        assert bob.post(at(name, caller_id)).status_code == 403


def test_nobody_elses_person_is_shown(cast: Cast, alice: Browser) -> None:
    caller_id = fill(cast)
    for name in ("caller", "record_said", "hand_link", "evidence"):
        assert alice.get(at(name, uuid.uuid4())).status_code == 404
        assert alice.get(reverse(f"consent:{name}", args=("plumber", caller_id))).status_code == 404
        assert signed_in(cast.mallory).get(at(name, caller_id)).status_code == 404
        assert signed_in(cast.carol).get(at(name, caller_id)).status_code in {403, 404}
        assert Browser().get(at(name, caller_id)).status_code == 302


def test_a_long_timeline_has_pages(cast: Cast, alice: Browser) -> None:
    caller_id = caller_of(cast)
    record(cast, *(said(caller_id, EventKind.NOTICED, -number, source=f"n {number}") for number in range(60)))
    first = alice.get(at("caller", caller_id)).text
    assert first.count("Notice given: Record") == people.EVENTS_A_PAGE
    with job_scope(agency_id=cast.acme.pk):
        older = people.timeline(cast.dentist, caller_id).older
        assert older
        assert len(people.timeline(cast.dentist, caller_id, before=older).lines) == 10
        assert len(people.timeline(cast.dentist, caller_id, before="nonsense").lines) == people.EVENTS_A_PAGE


def test_the_page_takes_the_same_questions_however_much_there_is(
    cast: Cast, alice: Browser, django_assert_max_num_queries: Any
) -> None:
    caller_id = fill(cast)
    for number in range(5):
        make.call(cast.dentist, ONE, at=NOON - timedelta(days=number + 2))
    alice.get(at("caller", caller_id))
    with django_assert_max_num_queries(32):
        alice.get(at("caller", caller_id))


# --- What they told us ---


FIELD = "%Y-%m-%dT%H:%M"


def tell(browser: Browser, caller_id: uuid.UUID, **changes: Any) -> Any:
    form = {
        "kind": "withdrawn", "purposes": ["record", "contact"], "how": "phone",
        "when": new_york(NOON - timedelta(minutes=30), FIELD),
        "note": "He said it to Dora on the phone, twice.", "tap": str(uuid.uuid4()),
    } | changes  # fmt: skip
    return browser.post(at("record_said", caller_id), form)


def test_a_no_said_to_staff_counts_at_once(cast: Cast, dora: Browser) -> None:
    caller_id = caller_of(cast)
    answer = tell(dora, caller_id)
    assert answer.status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        events = list(ConsentEvent.objects.for_client(cast.dentist).order_by("purpose"))
        assert [(row.purpose, row.kind, row.channel, row.strength) for row in events] == [
            ("contact", "withdrawn", "agent", "C"), ("record", "withdrawn", "agent", "C"),
        ]  # fmt: skip
        assert events[0].happened_at == NOON - timedelta(minutes=30), "by the client's clock"
        assert ledger.evidence_of(client=cast.dentist, events=events[:1], at=NOON)[events[0].pk][
            "note"
        ].startswith("He")
        assert Withdrawal.objects.for_client(cast.dentist).count() == 1
    found = vault_selectors.suppressed(cast.dentist.pk, [ONE], on=NOON.date())
    assert set(found[ONE]) == {"record", "contact"}


def test_a_yes_said_to_staff_is_an_attestation(cast: Cast, alice: Browser) -> None:
    caller_id = caller_of(cast)
    assert tell(alice, caller_id, kind="given", purposes=["review"], how="letter").status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        event = ConsentEvent.objects.for_client(cast.dentist).get()
        assert (event.kind, event.channel, event.strength, event.scope) == (
            EventKind.GIVEN, Channel.OFFICER, Strength.C, Scope.STANDING,
        )  # fmt: skip
        assert ConsentState.objects.for_client(cast.dentist).get().state == State.GIVEN


def test_the_same_form_twice_is_one_event(cast: Cast, alice: Browser) -> None:
    caller_id, tap = caller_of(cast), str(uuid.uuid4())
    tell(alice, caller_id, tap=tap)
    answer = tell(alice, caller_id, tap=tap)
    assert "saved already" in alice.get(answer.headers["Location"]).text
    with job_scope(agency_id=cast.acme.pk):
        assert ConsentEvent.objects.for_client(cast.dentist).count() == 2


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"when": new_york(NOON + timedelta(hours=2), FIELD)}, "is in the future"),
        ({"when": "1990-01-01T09:00"}, "more than 20 years ago"),
        ({"note": "short"}, "Enter at least 15 characters"),
        ({"purposes": []}, "Select at least one purpose"),
        ({"kind": "expired"}, "one from the list"),
        ({"tap": "x"}, "valid UUID"),
    ],
)
def test_what_is_missing_stands_beside_its_field(
    cast: Cast, alice: Browser, wrong: dict[str, Any], words: str
) -> None:
    answer = tell(alice, caller_of(cast), **wrong)
    assert answer.status_code == 200
    assert words in answer.text
    with job_scope(agency_id=cast.acme.pk):
        assert not ConsentEvent.objects.exists()


@pytest.mark.thorough
def test_the_form_begins_with_the_present_minute_of_the_client(cast: Cast, alice: Browser) -> None:
    assert f'value="{new_york(NOON, FIELD)}"' in alice.get(at("record_said", caller_of(cast))).text


def test_a_link_to_ones_choices_is_made_once_and_opens(cast: Cast, dora: Browser) -> None:
    caller_id = caller_of(cast)
    assert "/p/" not in dora.get(at("hand_link", caller_id)).text
    page = dora.post(at("hand_link", caller_id)).text
    link = page.split('id="choices"')[1].split(">")[1].split("<")[0]
    assert Browser().get("/" + link.split("/", 3)[3]).status_code == 200
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.get(action="preferences.link_made").subject_id == str(caller_id)


# --- The pack ---


def test_the_pack_is_one_click_with_a_reason(cast: Cast, alice: Browser) -> None:
    caller_id = fill(cast)
    page = alice.get(at("evidence", caller_id)).text
    assert "3 events" in page
    assert "Say a little more" in alice.post(at("evidence", caller_id), {"reason": "why"}).text
    answer = alice.post(at("evidence", caller_id), {"reason": "The caller's lawyer asks for it."})
    assert answer.headers["Content-Type"] == "application/zip"
    assert "evidence-" in answer.headers["Content-Disposition"]
    assert "no-store" in answer.headers["Cache-Control"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert "evidence.pdf" in archive.namelist()
    silent = make.call(cast.dentist, "+14155550190").caller_id
    assert alice.get(at("evidence", silent)).status_code == 404
    assert alice.post(at("evidence", silent), {"reason": "The caller's lawyer asks."}).status_code == 404
