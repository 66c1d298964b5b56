"""Words of calls: taken in where a client wants them, redacted before they are stored, read for a reason."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from callprivacy.audit.models import Event
from callprivacy.calls.enums import TranscriptState
from callprivacy.calls.models import Call, Connection, Inbox, Transcript
from callprivacy.calls.providers import transcripts as wire
from callprivacy.calls.services import inbox, redaction
from callprivacy.calls.services import transcripts as intake
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault
from callprivacy.vault import services as vault_services
from callprivacy.vault.models import RecordingKey
from callprivacy.work.models import Item
from consent import kinds
from consent.enums import EventKind, Purpose
from consent.services import playing
from tests import make
from tests.accounts.browsers import signed_in
from tests.calls.test_hooks import CALLRAIL_KEY, connect
from tests.calls.test_inbox import bring, event
from tests.cast import Cast
from tests.consent.deciding import CALIFORNIA, START, decision, live, recorded, say, transcript, worded, work
from tests.make import NOON

pytestmark = pytest.mark.as_committed

SAID = "Caller: my number is four one five, five five five, oh one oh one. My card is 4111 1111 1111 1111, thanks."
CLEAN = "Caller: my number is [number]. My card is [card], thanks."
REASON = {"kind": "quality", "reason": "The caller complained about the call."}


def wanting(client: Client) -> Client:
    with job_scope(agency_id=client.agency_id):
        Client.objects.filter(pk=client.pk).update(takes_transcripts=True)
        return Client.objects.select_related("agency").get(pk=client.pk)


def door(client: Client) -> Connection:
    return connect(client, "callrail", CALLRAIL_KEY)


def process(client: Client, *, at: Any = NOON) -> None:
    while inbox.process_batch(agency_id=client.agency_id, at=at):
        pass


def all_of(client: Client) -> list[Transcript]:
    with job_scope(agency_id=client.agency_id):
        return list(Transcript.objects.for_client(client).select_related("call"))


def text_of(row: Transcript) -> str:
    key = vault.recording_keys(row.client_id, [row.pk])[row.pk]
    with job_scope(agency_id=row.agency_id):
        assert row.text is not None
        return str(row.text.reveal(key))


def dumped() -> bytes:
    """Every byte of the tables that a transcript could be in."""
    found = b""
    with connection.cursor() as cursor:
        for table in ("calls_transcript", "calls_inbox", "calls_call", "audit_event", "audit_reason"):
            cursor.execute(f"SELECT t::text FROM {table} t")
            found += "\n".join(row[0] for row in cursor.fetchall()).encode()
    return found


# --- On the way in ---


def test_it_is_off_and_nothing_of_it_stays(cast: Cast) -> None:
    bring(door(cast.dentist), event(transcription_text=SAID))
    process(cast.dentist)
    assert all_of(cast.dentist) == []
    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.count() == 1
        assert not Inbox.objects.exists()


def test_where_it_is_on_the_words_come_in_redacted_sealed_and_withheld(cast: Cast) -> None:
    client = wanting(cast.dentist)
    bring(door(client), event(transcription_text=SAID))
    process(client)
    (row,) = all_of(client)
    assert text_of(row) == CLEAN
    assert (row.state, row.redactions, row.vendor_redacted) == (TranscriptState.WITHHELD, 2, False)
    with job_scope(agency_id=cast.acme.pk):
        stored = dumped()
        assert not Inbox.objects.exists()
    assert b"thanks" not in stored
    assert b"four one five" not in stored
    key = RecordingKey.objects.get(id=row.pk)
    assert key.caller_id == row.call.caller_id


def test_words_that_come_later_find_their_call_and_newer_ones_take_their_place(cast: Cast) -> None:
    client = wanting(cast.dentist)
    way = door(client)
    bring(way, event())
    process(client)
    bring(way, event(transcription_text="Hello.", changes=["transcription_text"]))
    process(client)
    (row,) = all_of(client)
    assert text_of(row) == "Hello."
    bring(way, event(transcription_text="Hello, 415-555-0101.", changes=["transcription_text"]))
    process(client)
    (row,) = all_of(client)
    assert (text_of(row), row.redactions) == ("Hello, [number].", 1)
    sealed = bytes(row.text.blob) if row.text is not None else b""
    bring(way, event(transcription_text="Hello, 415-555-0101.", changes=["tags"], tags=["x"]))
    process(client)
    (row,) = all_of(client)
    assert row.text is not None
    assert bytes(row.text.blob) == sealed


def test_a_call_without_a_caller_has_words_too(cast: Cast) -> None:
    client = wanting(cast.dentist)
    bring(door(client), event(transcription_text="Hello.", customer_phone_number="anonymous"))
    process(client)
    (row,) = all_of(client)
    assert text_of(row) == "Hello."


def test_words_of_a_call_that_is_not_here_or_was_redacted_are_dropped(cast: Cast) -> None:
    client = live(wanting(cast.dentist))
    way = door(client)
    bring(way, event(2, transcription_text="Old.", start_time=(NOON - timedelta(days=500)).isoformat()))
    bring(way, event(1))
    process(client)
    assert all_of(client) == []
    with job_scope(agency_id=cast.acme.pk):
        (call,) = Call.objects.all()
    redaction.begin(client=client, call_ids=[call.pk], at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        redaction.finish(client=client, call_ids=[call.pk], at=NOON)
    bring(way, event(1, transcription_text="Back again.", changes=["transcription_text"]))
    process(client)
    assert all_of(client) == []


def test_words_that_were_erased_do_not_come_back(cast: Cast) -> None:
    client = live(wanting(cast.dentist))
    way = door(client)
    bring(way, event(transcription_text="Hello."))
    process(client)
    with job_scope(agency_id=cast.acme.pk):
        Transcript.objects.update(state=TranscriptState.GONE, gone_at=NOON, text=None)
    bring(way, event(transcription_text="Hello again.", changes=["transcription_text"]))
    process(client)
    (row,) = all_of(client)
    assert (row.state, row.text) == (TranscriptState.GONE, None)


def test_where_it_fails_the_event_is_tried_again(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    client = wanting(cast.dentist)
    bring(door(client), event(transcription_text=SAID))

    def fail(**_: Any) -> int:
        raise ValueError(SAID)

    with monkeypatch.context() as patch:
        patch.setattr(intake, "take_in", fail)
        inbox.process_batch(agency_id=client.agency_id, at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        assert Inbox.objects.count() == 1
        assert Call.objects.count() == 1
    process(client, at=NOON + timedelta(minutes=5))
    (row,) = all_of(client)
    assert text_of(row) == CLEAN


def test_an_erased_caller_in_between_is_met_again(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    client = wanting(cast.dentist)
    bring(door(client), event(transcription_text="Hello."))
    real, tries = vault_services.hold_callers, []

    def gone_once(**kwargs: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise vault_services.CallerGoneError
        return real(**kwargs)

    monkeypatch.setattr("callprivacy.calls.services.transcripts.vault.hold_callers", gone_once)
    process(client)
    assert len(all_of(client)) == 1


@pytest.mark.parametrize(
    ("provider", "payload", "text", "redacted"),
    [
        ("callrail", {"transcription_text": "Hello."}, "Hello.", None),
        ("callrail", {"transcription": " Hello. "}, "Hello.", None),
        (
            "callrail",
            {"transcription_text": "I am [NAME], call [PHONE_NUMBER]."},
            "I am [NAME], call [PHONE_NUMBER].",
            True,
        ),
        ("callrail", {"transcription_text": "My card is ****."}, "My card is ****.", True),
        ("callrail", {"transcription_text": "Hello.", "pii_redacted": True}, "Hello.", True),
        ("callrail", {"transcription_text": "Hello.", "pii_redacted": "no"}, "Hello.", False),
        ("callrail", {"transcription_text": "Hello.", "pii_redacted": "perhaps"}, "Hello.", None),
        ("ctm", {"transcription_text": "Hello.", "redacted": False}, "Hello.", None),
    ],
)
def test_the_words_and_whether_they_were_redacted(
    provider: str, payload: dict[str, Any], text: str, redacted: bool | None
) -> None:
    words = wire.words_of(provider, json.dumps(payload).encode())
    assert words is not None
    assert (words.text, words.redacted) == (text, redacted)
    assert "Hello" not in repr(words)


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("callrail", b'{"transcription_text": ""}'),
        ("callrail", b'{"transcription_text": ["Hello"]}'),
        ("callrail", b'{"transcription_text": null}'),
        ("callrail", b'["transcription_text"]'),
        ("callrail", b"{transcription"),
        ("callrail", b"[" * 100_000 + b"transcription"),
        ("callrail", b'{"duration": "5"}'),
        ("twilio", b'{"transcription_text": "Hello."}'),
        ("ctm", b'{"transcription_text": "Hello.", "redacted": true}'),
    ],
)
def test_where_there_are_no_words(provider: str, body: bytes) -> None:
    assert wire.words_of(provider, body) is None


def test_no_text_is_longer_than_a_day_of_talking() -> None:
    body = json.dumps({"transcription_text": "a" * 500_000}).encode()
    words = wire.words_of("callrail", body)
    assert words is not None
    assert len(words.text) == wire.AT_MOST


# --- What the tracker should have done ---


def test_a_tracker_that_does_not_redact_is_somebodys_work(cast: Cast) -> None:
    client = wanting(cast.dentist)
    way = door(client)
    bring(way, event(1, transcription_text=SAID))
    bring(way, event(2, transcription_text="Call [PHONE] please.", customer_phone_number="+14045550124"))
    process(client)
    work(client)
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().get(kind=kinds.VENDOR_NOT_REDACTING).count == 1
    later = NOON + timedelta(days=8)
    bring(way, event(3, transcription_text="Call [PHONE] please.", customer_phone_number="+14045550125"))
    process(client)
    work(client, at=later)
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(kind=kinds.VENDOR_NOT_REDACTING).exists()


# --- Reading ---


def page(call: Call) -> str:
    return f"/clients/dentist/calls/{call.pk}/transcript/"


def readable(cast: Cast, text: str = "Hello, I need a dentist.") -> Call:
    call = recorded(cast.dentist)
    worded(call, text)
    for purpose in (Purpose.RECORD, Purpose.REVIEW):
        say(cast.dentist, EventKind.GIVEN, call.caller_id, purpose=purpose)
    work(cast.dentist)
    return call


def test_the_decision_of_the_recording_is_that_of_the_words(cast: Cast) -> None:
    call, other = readable(cast), recorded(cast.dentist, "+14155550102")
    worded(other, "Hello.")
    work(cast.dentist)
    assert transcript(call).state == TranscriptState.ALLOWED
    assert transcript(other).state == TranscriptState.WITHHELD


def test_words_without_a_recording_are_decided_as_well(cast: Cast) -> None:
    call = make.call(cast.dentist, CALIFORNIA, at=START)
    worded(call, "Hello.")
    say(cast.dentist, EventKind.GIVEN, call.caller_id)
    work(cast.dentist)
    assert transcript(call).state == TranscriptState.ALLOWED
    assert decision(call).allowed


def test_who_may_reads_them_for_a_reason_and_the_trail_knows(cast: Cast) -> None:
    call = readable(cast)
    browser = signed_in(cast.bob)
    assert "Hello" not in browser.get(page(call)).content.decode()
    assert "Hello" not in browser.post(page(call), REASON | {"reason": "short"}).content.decode()
    read = browser.post(page(call), REASON)
    assert read.status_code == 200
    assert "Hello, I need a dentist." in read.content.decode()
    assert read["Cache-Control"].startswith("max-age=0")
    with job_scope(agency_id=cast.acme.pk):
        event = Event.objects.get(action="transcript.read")
    assert (event.actor_user_id, event.details) == (cast.bob.user_id, {"kind": "quality"})
    assert event.reason_hash
    for person, status in ((cast.carol, 403), (cast.mallory, 404)):
        assert signed_in(person).post(page(call), REASON).status_code == status


def test_after_a_withdrawal_nobody_reads_them(cast: Cast) -> None:
    call = readable(cast)
    say(cast.dentist, EventKind.WITHDRAWN, call.caller_id, purpose=Purpose.REVIEW, happened_at=make.now())
    answer = signed_in(cast.bob).post(page(call), REASON)
    assert answer.status_code == 422
    assert "Hello" not in answer.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="transcript.refused").count() == 1


def test_words_cannot_be_parted(cast: Cast) -> None:
    call = readable(cast)
    say(cast.dentist, EventKind.WITHDRAWN, call.caller_id, happened_at=START + timedelta(seconds=30))
    work(cast.dentist)
    assert transcript(call).state == TranscriptState.WITHHELD
    answer = signed_in(cast.bob).post(page(call), REASON)
    assert answer.status_code == 422
    assert "cannot be split" in answer.content.decode()


def test_what_is_not_there_says_so(cast: Cast) -> None:
    none, erased = recorded(cast.dentist), recorded(cast.dentist, at=START + timedelta(hours=1))
    row = worded(erased, "Hello.")
    unreadable = readable(cast)
    vault_services.destroy_recording_keys(
        client_id=cast.dentist.pk, recording_ids=[transcript(unreadable).pk]
    )
    with job_scope(agency_id=cast.acme.pk):
        Transcript.objects.filter(pk=row.pk).update(state=TranscriptState.GONE, gone_at=NOON)
    browser = signed_in(cast.bob)
    assert "no transcript" in browser.get(page(none)).content.decode()
    assert "was deleted" in browser.post(page(erased), REASON).content.decode()
    assert "can no longer be decrypted" in browser.post(page(unreadable), REASON).content.decode()


def test_a_person_alone_reads(cast: Cast) -> None:
    from consent.enums import UseReason

    call = readable(cast)
    with job_scope(agency_id=cast.acme.pk), pytest.raises(TypeError):
        playing.open_transcript(
            client=cast.dentist, call=call, kind=UseReason.LEAD, reason="A reason that is long enough.",
            by=Actor.job("tests"), at=NOON,
        )  # fmt: skip
