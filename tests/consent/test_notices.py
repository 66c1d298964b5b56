"""Notices: what they must say, versions that never change once published, and who agreed to which."""

import hashlib
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from callprivacy.audit.models import Event
from callprivacy.calls.services import people
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope, staff_scope
from consent.enums import Channel, EventKind, Language, NoticeState, Purpose, Strength
from consent.models import Notice, NoticeVersion, PhoneMenu
from consent.selectors import notices as selectors
from consent.selectors import wording
from consent.selectors.wording import Draft, Facts
from consent.services import ledger, notices
from consent.services.ledger import Said
from consent.services.notices import Words
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.make import NOON
from tests.scale import some

FACTS = Facts("Harbor Dental", "Harbor Dental Group, Inc.", "https://harbor.example/privacy", reads_mail=True)
BOTH = (Purpose.RECORD, Purpose.REVIEW)
ALL = tuple(Purpose)


def draft(channel: Channel, language: Language = Language.ENGLISH, **facts: Any) -> Draft:
    """Ready words for a channel, with some of it changed."""
    purposes = facts.pop("purposes", BOTH)
    said = {
        "controller": FACTS.controller,
        "words": wording.ready_words(channel, language, purposes, FACTS),
        "withdraw": wording.ready_withdraw(channel, language, FACTS),
        "names": (FACTS.name,),
    }
    return Draft(channel=channel, language=language, purposes=purposes, **(said | facts))


def codes(of: Draft) -> list[str]:
    return [each.code for each in wording.what_is_missing(of, FACTS)]


# --- What a notice must say ---


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("channel", wording.NOTICE_CHANNELS)
@pytest.mark.parametrize(
    "purposes",
    [
        BOTH,
        pytest.param(ALL, marks=pytest.mark.thorough),
        (Purpose.CONTACT,),
        (Purpose.SHARE, Purpose.MEASURE),
    ],
)
def test_the_words_that_ship_say_everything(
    channel: Channel, language: Language, purposes: tuple[Purpose, ...]
) -> None:
    assert wording.what_is_missing(draft(channel, language, purposes=purposes), FACTS) == []


@pytest.mark.parametrize("channel", wording.NOTICE_CHANNELS)
@pytest.mark.parametrize("language", list(Language))
def test_what_ships_says_no_more_than_was_asked(channel: Channel, language: Language) -> None:
    """Words for contact alone do not ask for recording beside it."""
    words = wording.ready_words(channel, language, (Purpose.CONTACT,), FACTS)
    assert "record" in codes(draft(channel, language, purposes=BOTH, words=words, withdraw="x"))


def test_without_a_controller_it_is_refused() -> None:
    (missing,) = wording.what_is_missing(draft(Channel.WEB, controller=" "), FACTS)
    assert (missing.code, missing.field, missing.ready) == ("controller", "controller", FACTS.controller)


def test_spoken_words_say_who_is_speaking() -> None:
    nameless = draft(Channel.MENU, words="We record and monitor this call. Press 1 if you agree.")
    assert codes(nameless) == ["name"]
    named = draft(Channel.MENU, words="Harbor Dental here. We record and monitor this call. Press 1 if so.")
    assert codes(named) == []
    on_the_site = draft(Channel.WEB, words="We record and monitor calls.")
    assert codes(on_the_site) == [], "beside a form the controller stands under the words"


def test_without_a_purpose_it_is_refused() -> None:
    assert "purposes" in codes(draft(Channel.WEB, purposes=()))


@pytest.mark.parametrize(
    ("language", "words", "missing"),
    [
        ("en", "Harbor Dental monitors this call.", ["record"]),
        ("en", "Harbor Dental records this call.", ["review"]),
        ("en", "Harbor Dental monitors calls for our records.", ["record"]),
        ("en", "Harbor Dental: this call is being recorded and monitored.", []),
        ("en", "Harbor Dental records and monitors.", []),
        ("es", "Harbor Dental supervisa esta llamada.", ["record"]),
        ("es", "Harbor Dental graba esta llamada.", ["review"]),
        ("es", "Harbor Dental: esta llamada será grabada y supervisada.", []),
        ("es", "Harbor Dental records and monitors this call.", ["record"]),
    ],
)
def test_the_words_for_recording_and_listening_are_in_the_language(
    language: str, words: str, missing: list[str]
) -> None:
    found = codes(draft(Channel.AGENT, Language(language), words=words))
    assert [code for code in found if code in {"record", "review"}] == missing


@pytest.mark.parametrize(
    ("channel", "works", "does_not"),
    [
        (Channel.MENU, "Press 9 and we never record you.", "Reply STOP at any time."),
        (Channel.MENU, "Press 9 now. Later, tell us at any time.", "Press 9 at any time."),
        (Channel.MENU, "Press the 2 key to go on without.", "Press 1 to withdraw."),
        (Channel.SMS, "Reply STOP to end.", "Press 9 at any time."),
        (Channel.SMS, "Send stop.", "Write to us."),
        (Channel.WEB, "Open harbor.example/choices.", "Say so on the phone."),
        (Channel.EMAIL, "Answer this message.", "Press 9."),
        (Channel.ANNOUNCEMENT, "Say so, and we stop.", "Visit harbor.example."),
        (Channel.AGENT, "Tell me at any time.", "Reply STOP."),
        (Channel.POSTED, "Call +1 415 555 0100.", "Tell us."),
        (Channel.POSTED, "Go to https://harbor.example/x.", "Open the link."),
        (Channel.TERMS, "Write to us at any time.", "Press 9."),
    ],
)
def test_how_to_withdraw_works_on_the_channel(channel: Channel, works: str, does_not: str) -> None:
    assert codes(draft(channel, withdraw=works)) == []
    (missing,) = wording.what_is_missing(draft(channel, withdraw=does_not), FACTS)
    assert missing.code == "withdraw"
    assert codes(draft(channel, withdraw=missing.ready)) == [], "the ready words would do"


@pytest.mark.parametrize(
    ("channel", "works", "does_not"),
    [
        (Channel.MENU, "Oprima el 9 ahora.", "Oprima el 9 en cualquier momento."),
        (Channel.MENU, "Oprima el 9.", "Dígalo."),
        (Channel.MENU, "Marque 2 para seguir sin grabación.", "Marque 1 para retirarlo."),
        (Channel.SMS, "Responda STOP.", "Llámenos."),
        (Channel.ANNOUNCEMENT, "Dígalo en cualquier momento.", "Visite la página."),
        (Channel.EMAIL, "Responda a este mensaje.", "Oprima 9."),
    ],
)
def test_how_to_withdraw_works_in_spanish(channel: Channel, works: str, does_not: str) -> None:
    assert codes(draft(channel, Language.SPANISH, withdraw=works)) == []
    assert codes(draft(channel, Language.SPANISH, withdraw=does_not)) == ["withdraw"]


@pytest.mark.parametrize(
    ("language", "works", "does_not"),
    [
        (Language.ENGLISH, "Use the same link.", "Answer this message."),
        (Language.ENGLISH, "Go to https://harbor.example/x.", "By the link, or by answering this message."),
        (Language.SPANISH, "Use el mismo enlace.", "Con el enlace o respondiendo a este mensaje."),
    ],
)
def test_an_answer_by_mail_is_promised_only_where_it_is_read(
    language: Language, works: str, does_not: str
) -> None:
    unread = replace(FACTS, reads_mail=False)
    assert wording.what_is_missing(draft(Channel.EMAIL, language, withdraw=works), unread) == []
    (missing,) = wording.what_is_missing(draft(Channel.EMAIL, language, withdraw=does_not), unread)
    assert "not read here" in missing.what or "not work" in missing.what
    assert missing.ready == wording.ready_withdraw(Channel.EMAIL, language, unread)
    assert wording.what_is_missing(draft(Channel.EMAIL, language, withdraw=missing.ready), unread) == []


def test_a_way_that_works_elsewhere_in_the_words_is_not_enough() -> None:
    assert codes(draft(Channel.MENU, withdraw="")) == ["withdraw"], "the menu's words name other keys"


def test_a_gap_is_never_published() -> None:
    gap = Facts("Harbor Dental", "Harbor Dental Group, Inc.")
    words = wording.ready_words(Channel.POSTED, Language.ENGLISH, BOTH, gap)
    withdraw = wording.ready_withdraw(Channel.POSTED, Language.ENGLISH, gap)
    assert "gap-withdraw" in codes(draft(Channel.POSTED, words=words, withdraw=withdraw))
    assert "gap-words" in codes(draft(Channel.AGENT, words="[name] records and monitors. Harbor Dental."))


@pytest.mark.parametrize("language", list(Language))
def test_every_refusal_names_what_is_missing_and_offers_words_that_would_do(language: Language) -> None:
    for channel in wording.NOTICE_CHANNELS:
        empty = draft(channel, language, controller="", words="", withdraw="")
        for missing in wording.what_is_missing(empty, FACTS):
            assert missing.what.endswith(".")
            assert missing.ready, missing.code


@pytest.mark.parametrize("language", list(Language))
def test_the_texts_for_other_places_are_complete(language: Language) -> None:
    texts = wording.ready_texts(language, FACTS)
    assert [text.place for text in texts] == ["site", "ad", "profile", "print", "script"]
    for text in texts:
        assert not wording.has_gap(text.text)
        assert wording._SAYS[language][Purpose.RECORD].search(text.text)
    assert any(wording.has_gap(text.text) for text in wording.ready_texts(language, Facts("A", "B")))


@pytest.mark.parametrize(
    ("text", "parts"),
    [("", 0), ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("ñ" * 70, 1), ("\u2019" * 71, 2),
     ("€" * 80, 1), ("€" * 81, 2), ("á" * 70, 1), ("á" * 71, 2)],
)  # fmt: skip
def test_a_text_is_counted_as_carriers_do(text: str, parts: int) -> None:
    assert wording.segments(text) == parts


# --- Differences ---

_TEXTS = st.text(alphabet="ab \n", max_size=40)


@given(_TEXTS, _TEXTS)
def test_differences_hold_both_texts_whole(old: str, new: str) -> None:
    pieces = list(selectors.word_pieces(old, new))
    assert "".join(piece.text for piece in pieces if piece.kind != "added") == old
    assert "".join(piece.text for piece in pieces if piece.kind != "removed") == new


def test_a_changed_word_is_one_removed_and_one_added() -> None:
    pieces = [(piece.kind, piece.text) for piece in selectors.word_pieces("Press 8 now", "Press 9 now")]
    assert pieces == [("same", "Press "), ("removed", "8"), ("added", "9"), ("same", " now")]


# --- Versions ---

pytestmark = pytest.mark.django_db


def by(cast: Cast) -> Actor:
    return Actor.staff(user_id=cast.alice.user_id)


def write(cast: Cast, channel: Channel = Channel.MENU, **facts: Any) -> Notice:
    """A notice of the dentist's with a draft in the words that ship."""
    language = facts.pop("language", Language.ENGLISH)
    purposes = facts.pop("purposes", BOTH)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        words = notices.ready(client=cast.dentist, channel=channel, language=language, purposes=purposes)
        said = {"controller": words.controller, "words": words.words, "withdraw": words.withdraw}
        name = facts.pop("name", "Menu")
        return notices.create_notice(
            client=cast.dentist,
            name=name,
            purposes=purposes,
            channel=channel,
            language=language,
            words=Words(**(said | facts)),
            by=by(cast),
            at=NOON,
        )


def publish(cast: Cast, notice: Notice, *, seen: bytes | None = None) -> NoticeVersion:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        row = NoticeVersion.objects.select_related("notice").get(notice=notice, state=NoticeState.DRAFT)
        digest = selectors.digest_of(row) if seen is None else seen
        return notices.publish(notice=notice, client=cast.dentist, seen=digest, by=by(cast), at=NOON)


def change(cast: Cast, notice: Notice, words: str, **facts: Any) -> NoticeVersion:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        newest = selectors.versions_of(notice)[0]
        said = Words(newest.controller, words, newest.withdraw, newest.policy_url)
        return notices.save_draft(notice=notice, words=said, by=by(cast), at=NOON, **facts)


def versions(cast: Cast, notice: Notice) -> list[tuple[int, str]]:
    with job_scope(agency_id=cast.acme.pk):
        return [(row.number, row.state) for row in selectors.versions_of(notice)]


def in_force(cast: Cast, **wanted: Any) -> NoticeVersion | None:
    asked: dict[str, Any] = {"purpose": Purpose.RECORD, "channel": Channel.MENU} | wanted
    with job_scope(agency_id=cast.acme.pk):
        return selectors.in_force(cast.dentist, **asked)


def test_a_draft_tells_nobody_anything(cast: Cast) -> None:
    write(cast)
    assert in_force(cast) is None


def test_publishing_puts_the_words_in_force_with_a_digest_over_what_they_say(cast: Cast) -> None:
    notice = write(cast)
    version = publish(cast, notice)
    found = in_force(cast)
    assert found is not None
    assert found.pk == version.pk
    facts = {
        "schema_version": "ISO/IEC TS 27560:2023",
        "privacy_notice": {"notice_id": str(notice.pk), "version": 1, "text": found.words, "url": ""},
        "language": "en",
        "purposes": ["record", "review"],
        "pii_controllers": ["Dentist LLC"],
        "collection_method": "menu",
        "withdrawal_method": found.withdraw,
    }
    canonical = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    assert bytes(found.digest or b"") == hashlib.sha256(canonical).digest()
    with job_scope(agency_id=cast.acme.pk):
        event = Event.objects.filter(action="notice.published").get()
    assert event.details["digest"] == hashlib.sha256(canonical).hexdigest()


def test_another_wording_is_another_version_and_the_earlier_one_stays(cast: Cast) -> None:
    notice = write(cast)
    first = publish(cast, notice)
    change(cast, notice, f"{first.words} Thank you.")
    assert versions(cast, notice) == [(2, "draft"), (1, "published")]
    publish(cast, notice)
    assert versions(cast, notice) == [(2, "published"), (1, "retired")]
    with job_scope(agency_id=cast.acme.pk):
        old = NoticeVersion.objects.get(pk=first.pk)
    assert (old.words, bytes(old.digest or b"")) == (first.words, bytes(first.digest or b""))


@pytest.mark.parametrize("field", ["words", "withdraw", "controller", "number", "digest", "published_at"])
def test_postgresql_refuses_to_change_a_published_version(cast: Cast, field: str) -> None:
    version = publish(cast, write(cast))
    value = {"number": 7, "digest": b"x" * 32, "published_at": NOON.replace(year=2020)}.get(field, "else")
    with (
        pytest.raises(DatabaseError, match="never changes"),
        job_scope(agency_id=cast.acme.pk),
        transaction.atomic(),
    ):
        NoticeVersion.objects.filter(pk=version.pk).update(**{field: value})


def test_what_is_published_is_what_was_shown(cast: Cast) -> None:
    notice = write(cast)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        shown = selectors.digest_of(selectors.versions_of(notice)[0])
    change(cast, notice, "Dentist records and monitors something else. Press 1.")
    with pytest.raises(notices.DraftChangedError):
        publish(cast, notice, seen=shown)
    assert in_force(cast) is None


def test_what_does_not_say_what_it_must_is_not_published(cast: Cast) -> None:
    notice = write(cast, withdraw="Reply STOP.", controller="")
    with pytest.raises(notices.NotFitError) as error:
        publish(cast, notice)
    assert {missing.code for missing in error.value.missing} == {"controller", "withdraw"}
    assert versions(cast, notice) == [(1, "draft")]


def test_ready_words_make_a_notice_fit(cast: Cast) -> None:
    notice = write(cast, withdraw="Reply STOP.", controller="", words="Hello, this is Dentist.")
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        for code in ("controller", "withdraw", "record", "review", "nothing-like-that"):
            notices.add_ready_words(notice=notice, client=cast.dentist, code=code, by=by(cast), at=NOON)
    version = publish(cast, notice)
    assert version.words.startswith("Hello, this is Dentist. We record")


def test_purposes_are_fixed_once_somebody_could_agree_to_them(cast: Cast) -> None:
    notice = write(cast)
    change(cast, notice, "Dentist records. Press 1.", purposes=[Purpose.RECORD])
    publish(cast, notice)
    with pytest.raises(notices.PurposesFixedError):
        change(cast, notice, "Dentist records. Press 1.", purposes=BOTH)
    with job_scope(agency_id=cast.acme.pk):
        assert Notice.objects.get(pk=notice.pk).purposes == ["record"]


def test_a_name_stands_once_on_a_channel_in_a_language(cast: Cast) -> None:
    write(cast)
    with pytest.raises(notices.NameTakenError):
        write(cast)
    write(cast, language=Language.SPANISH)
    write(cast, Channel.AGENT)


def test_words_are_in_force_by_purpose_channel_and_language(cast: Cast) -> None:
    english = publish(cast, write(cast))
    spanish = publish(cast, write(cast, language=Language.SPANISH))
    agent = publish(cast, write(cast, Channel.AGENT, purposes=(Purpose.RECORD,)))

    def pk(**wanted: Any) -> object:
        found = in_force(cast, **wanted)
        return found and found.pk

    assert pk() == english.pk
    assert pk(language="es") == spanish.pk
    assert pk(channel=Channel.AGENT) == agent.pk
    assert pk(channel=Channel.AGENT, purpose=Purpose.REVIEW) is None
    assert pk(channel=Channel.SMS) is None


def test_of_two_notices_the_one_published_last_counts(cast: Cast) -> None:
    publish(cast, write(cast))
    later = write(cast, name="Another menu")
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        draft_row = selectors.versions_of(later)[0]
        seen = selectors.digest_of(draft_row)
        version = notices.publish(
            notice=later, client=cast.dentist, seen=seen, by=by(cast), at=NOON.replace(hour=13)
        )
    found = in_force(cast)
    assert found is not None
    assert found.pk == version.pk


def test_discarding_the_only_draft_takes_the_notice_with_it(cast: Cast) -> None:
    notice = write(cast)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert notices.discard_draft(notice=notice, by=by(cast), at=NOON)
        assert not Notice.objects.filter(pk=notice.pk).exists()
    kept = write(cast)
    first = publish(cast, kept)
    change(cast, kept, f"{first.words} More.")
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert not notices.discard_draft(notice=kept, by=by(cast), at=NOON)
        with pytest.raises(notices.NoDraftError):
            notices.discard_draft(notice=kept, by=by(cast), at=NOON)
    assert versions(cast, kept) == [(1, "published")]


def test_a_notice_that_a_menu_speaks_is_not_taken_out_of_force(cast: Cast) -> None:
    notice = write(cast)
    publish(cast, notice)
    number = make.tracking_number(cast.dentist, "+14155550100")
    from callprivacy.calls.services import connections

    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        way = connections.create_connection(
            client=cast.dentist, provider="twilio", name="T", secret="x" * 20, by=by(cast), at=NOON
        )
        menu = PhoneMenu.objects.create(
            agency=cast.acme, client=cast.dentist, tracking_number=number, connection=way, notice=notice,
            is_active=True, forward_to="+14155550111", created_at=NOON,
        )  # fmt: skip
        with pytest.raises(notices.StillSpokenError):
            notices.retire(notice=notice, by=by(cast), at=NOON)
        PhoneMenu.objects.filter(pk=menu.pk).update(is_active=False)
        assert notices.retire(notice=notice, by=by(cast), at=NOON)
        assert not notices.retire(notice=notice, by=by(cast), at=NOON)
    assert in_force(cast) is None


# --- Who agreed to which ---


def agree(cast: Cast, version: NoticeVersion, number: str, kind: EventKind = EventKind.GIVEN) -> None:
    with job_scope(agency_id=cast.acme.pk):
        caller_id = people.add_callers(client=cast.dentist, numbers=[number], at=NOON)[number]
        fact = Said(
            purpose=Purpose.RECORD, kind=kind, channel=Channel.MENU, strength=Strength.A, happened_at=NOON,
            source=f"{version.pk} {kind}", caller_id=caller_id, version_id=version.pk,
        )  # fmt: skip
        ledger.record_events(client=cast.dentist, said=[fact], by=make.JOB, at=NOON)


def older_and_newest(cast: Cast) -> tuple[int | None, int | None]:
    with job_scope(agency_id=cast.acme.pk):
        (row,) = selectors.notice_lines(list(selectors.notice_rows(cast.dentist)))
        return row.older_callers, row.newest_callers


@pytest.mark.as_committed
def test_callers_on_older_versions_are_counted(cast: Cast) -> None:
    notice = write(cast)
    first = publish(cast, notice)
    agree(cast, first, "+14155550101")
    agree(cast, first, "+14155550102")
    assert older_and_newest(cast) == (0, 2)
    change(cast, notice, f"{first.words} Thank you.")
    second = publish(cast, notice)
    agree(cast, second, "+14155550103")
    assert older_and_newest(cast) == (2, 1)
    agree(cast, first, "+14155550102", EventKind.WITHDRAWN)
    assert older_and_newest(cast) == (1, 1), "who took it back agrees to no version"
    page = signed_in(cast.alice).get(f"/clients/dentist/notices/{notice.pk}/").content.decode()
    assert "1 caller agreed to or got notice from an older version" in page
    with pytest.raises(DatabaseError), job_scope(agency_id=cast.acme.pk), transaction.atomic():
        NoticeVersion.objects.filter(pk=first.pk).remove()


# --- Pages ---

HOME = "/clients/dentist/notices/"
KIND = f"{HOME}new/?channel=menu&language=en&purposes=record&purposes=review"


def texts_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_a_notice_is_written_mended_and_published_on_the_pages(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    filled = browser.get(KIND).content.decode()
    assert "Thank you for calling Dentist." in filled
    said = {"name": "Menu", "controller": "", "words": "Dentist records and monitors calls.", "withdraw": "No.",
            "policy_url": ""}  # fmt: skip
    answer = browser.post(KIND, said)
    page_url = answer["Location"]
    page = browser.get(page_url).content.decode()
    assert "does not name the controller" in texts_of(page)
    assert "The withdrawal method does not work on this channel." in texts_of(page)
    refused = browser.get(f"{page_url}publish/", follow=True).content.decode()
    assert "Required before publishing" in refused
    assert "Publish notice" not in refused
    for code in ("controller", "withdraw"):
        browser.post(f"{page_url}ready/", {"code": code})
    confirm = browser.get(f"{page_url}publish/").content.decode()
    assert "Publish notice" in confirm
    seen = re.search(r'name="seen" value="([0-9a-f]{64})"', confirm)
    assert seen is not None
    browser.post(f"{page_url}publish/", {"seen": "0" * 64})
    assert in_force(cast) is None
    browser.post(f"{page_url}publish/", {"seen": seen[1]})
    assert in_force(cast) is not None
    assert "In force" in browser.get(HOME).content.decode()


def test_differences_are_told_by_more_than_colour(cast: Cast) -> None:
    notice = write(cast)
    first = publish(cast, notice)
    change(cast, notice, first.words.replace("Press 0", "Press zero"))
    page = signed_in(cast.bob).get(f"{HOME}{notice.pk}/changes/?old=1&new=2").content.decode()
    assert re.search(r'<del[^>]*line-through[^>]*><span class="sr-only">\[removed: </span>0<span', page)
    assert re.search(r'<ins[^>]*underline[^>]*><span class="sr-only">\[added: </span>zero<span', page)


@pytest.mark.parametrize("channel", some(wording.NOTICE_CHANNELS, one_in=3))
def test_each_channel_has_its_own_preview(cast: Cast, channel: Channel) -> None:
    notice = write(cast, channel, name="N")
    page = texts_of(signed_in(cast.bob).get(f"{HOME}{notice.pk}/").content.decode())
    own = {
        Channel.MENU: "No key press counts as a refusal.",
        Channel.ANNOUNCEMENT: "Heard before the call connects",
        Channel.AGENT: "Spoken by the agent",
        Channel.SMS: "characters, sent in",
        Channel.WEB: "(a box, not checked)",
        Channel.EMAIL: "Your personal link",
        Channel.TERMS: "Signature",
    }
    if channel in own:
        assert own[channel] in page


@pytest.mark.thorough
def test_the_list_takes_as_many_queries_for_many_as_for_one(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    write(cast)
    with job_scope(agency_id=cast.acme.pk), django_assert_num_queries(3):
        assert len(selectors.notice_lines(list(selectors.notice_rows(cast.dentist)))) == 1
    for number in range(5):
        write(cast, name=f"N{number}")
    with job_scope(agency_id=cast.acme.pk), django_assert_num_queries(3):
        assert len(selectors.notice_lines(list(selectors.notice_rows(cast.dentist)))) == 6


def test_the_list_is_narrowed_by_the_address(cast: Cast) -> None:
    publish(cast, write(cast))
    write(cast, Channel.SMS, name="Texts")
    browser = signed_in(cast.alice)
    rows = browser.get(f"{HOME}?channel=sms").content.decode()
    assert "Texts" in rows
    assert len(re.findall("row-link", rows)) == 1
    assert ">Menu<" in browser.get(f"{HOME}?state=published").content.decode()
    assert "No rows match these filters" in browser.get(f"{HOME}?language=es").content.decode()


@pytest.mark.thorough
def test_who_only_sees_the_client_reads_and_changes_nothing(cast: Cast) -> None:
    notice = write(cast)
    bob = signed_in(cast.bob)
    assert bob.get(HOME).status_code == 200
    assert bob.get(f"{HOME}{notice.pk}/").status_code == 200
    assert "New notice" not in bob.get(HOME).content.decode()
    for part in ("draft/", "publish/", "retire/"):
        assert bob.get(f"{HOME}{notice.pk}/{part}").status_code == 403
    for part in ("draft/", "publish/", "retire/", "discard/", "ready/"):
        assert bob.post(f"{HOME}{notice.pk}/{part}").status_code == 403
    assert signed_in(cast.carol).get(HOME).status_code == 403
    assert signed_in(cast.mallory).get(HOME).status_code == 404
    assert versions(cast, notice) == [(1, "draft")]


def test_a_form_that_misses_something_says_so_beside_the_field(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    assert "This field is required" in browser.post(KIND, {"name": "M", "words": ""}).content.decode()
    write(cast, name="Menu")
    said = {"name": "Menu", "words": "x", "controller": "", "withdraw": "", "policy_url": ""}
    assert "already" in browser.post(KIND, said).content.decode()
    kind = browser.get(f"{HOME}new/?channel=gpc&language=en").content.decode()
    assert "Pick one from the list" in kind
