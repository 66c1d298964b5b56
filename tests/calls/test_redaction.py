"""What becomes of our copy when a tracker takes a person out of its own."""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from callprivacy.audit.models import Event
from callprivacy.calls.models import Call, Caller, CallPress, Recording, Transcript
from callprivacy.calls.providers.base import CallFacts
from callprivacy.calls.services import redaction
from callprivacy.calls.services.imports import Layout
from callprivacy.calls.services.intake import Taken, Way
from callprivacy.calls.tasks import redaction as tasks
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files as vault_files
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.models import Caller as VaultCaller
from callprivacy.vault.models import RecordingKey
from callprivacy.vault.sealing import Key, new_key
from retention.services import sweeping
from tests.calls import files
from tests.calls.saying import (
    CALLER,
    OTHER_CALLER,
    YESTERDAY,
    calls,
    fact,
    in_the_clear,
    number_of,
    the_call,
    told,
)
from tests.calls.test_hooks import connect
from tests.calls.test_inbox import work_off
from tests.calls.test_presses import CTM_SECRET, bring_ctm
from tests.cast import Cast, assemble
from tests.make import NOON

pytestmark = pytest.mark.django_db

AUDIO = "https://app.calltrackingmetrics.com/recordings/canary"


@pytest.fixture
def cast() -> Cast:
    return assemble()


@pytest.fixture(autouse=True)
def media(tmp_path: Path) -> Iterator[Path]:
    with override_settings(MEDIA_ROOT=tmp_path):
        yield tmp_path


def named(**said: Any) -> CallFacts:
    return fact(
        recording_reference=AUDIO, recording_seconds=40, tags=("VIP",), presses=(("menu 1", "9"),), **said
    )


def redacted(**said: Any) -> CallFacts:
    return fact(**({"caller_withheld": True, "redacted": True, "revision": 5} | said))


def deeds(cast: Cast) -> list[tuple[str, dict[str, Any]]]:
    with job_scope(agency_id=cast.acme.pk):
        found = Event.objects.filter(action__startswith="calls.redact").order_by("id")
        return list(found.values_list("action", "details"))


def nobody(client: Client) -> None:
    """The only call is there, and holds nothing of a person."""
    call = the_call(client)
    assert (call.caller_id, call.caller_withheld, call.tags) == (None, True, [])
    with job_scope(agency_id=client.agency_id):
        assert not Recording.objects.for_client(client).exists()
        assert not Transcript.objects.for_client(client).exists()


def test_the_call_stays_and_the_person_goes(cast: Cast) -> None:
    told(cast.dentist, named())
    with job_scope(agency_id=cast.acme.pk):
        recording_id = Recording.objects.get().pk
        Transcript.objects.create(
            agency_id=cast.acme.pk,
            client=cast.dentist,
            call=Call.objects.get(),
            provider="ctm",
            received_at=NOON,
        )

    assert told(cast.dentist, redacted()) == [Taken.CHANGED]

    nobody(cast.dentist)
    call = the_call(cast.dentist)
    assert (call.seconds, call.outcome, call.source, call.started_at) == (
        95,
        "answered",
        "Google Ads",
        YESTERDAY,
    )
    assert not RecordingKey.objects.filter(pk=recording_id).exists()
    with job_scope(agency_id=cast.acme.pk):
        assert CallPress.objects.get().value == "9"
    assert deeds(cast) == [
        ("calls.redacting", {"calls": 1}),
        ("calls.redacted", {"calls": 1, "recordings": 1, "reasons": 0}),
    ]


def test_said_again_it_changes_nothing_and_is_written_down_once(cast: Cast) -> None:
    told(cast.dentist, named())
    assert told(cast.dentist, redacted()) == [Taken.CHANGED]
    assert told(cast.dentist, redacted(), redacted(revision=9)) == [Taken.KNOWN, Taken.KNOWN]
    nobody(cast.dentist)
    assert len(deeds(cast)) == 2


@pytest.mark.parametrize("revision", [1, 9])
def test_older_and_newer_news_of_the_call_never_names_the_person_again(cast: Cast, revision: int) -> None:
    told(cast.dentist, named())
    told(cast.dentist, redacted())
    before = callers(cast.dentist)
    told(cast.dentist, named(revision=revision))
    told(cast.dentist, named(revision=revision, caller=OTHER_CALLER), way=Way.IMPORT)
    nobody(cast.dentist)
    assert callers(cast.dentist) == before


def callers(client: Client) -> int:
    with job_scope(agency_id=client.agency_id):
        return Caller.objects.for_client(client).count()


def test_nor_does_a_file_that_knows_the_call_by_another_name(cast: Cast) -> None:
    other = named(references=(), revision=0)
    told(cast.dentist, named())
    assert told(cast.dentist, other, way=Way.IMPORT, provider="generic")[0] in {Taken.KNOWN, Taken.FILLED}
    told(cast.dentist, redacted())
    told(cast.dentist, other, way=Way.IMPORT, provider="generic")
    nobody(cast.dentist)


def test_one_that_comes_redacted_is_counted_and_its_past_stays_away(cast: Cast) -> None:
    assert told(cast.dentist, redacted()) == [Taken.ADDED]
    told(cast.dentist, named(revision=1))
    nobody(cast.dentist)
    assert callers(cast.dentist) == 0
    assert deeds(cast) == []


def test_in_one_batch_the_order_does_not_matter(cast: Cast) -> None:
    assert told(cast.dentist, named(), redacted(), named(revision=9)) == [
        Taken.ADDED,
        Taken.KNOWN,
        Taken.KNOWN,
    ]
    assert callers(cast.dentist) == 0
    nobody(cast.dentist)
    told(cast.plumber, redacted(), named(revision=2))
    nobody(cast.plumber)


def test_the_callers_other_calls_stay_theirs(cast: Cast) -> None:
    told(cast.dentist, named(), fact(references=(("id", "2"),), started_at=YESTERDAY + timedelta(hours=1)))
    told(cast.dentist, redacted())
    first, second = calls(cast.dentist)
    assert first.caller_id is None
    assert number_of(second) == CALLER


def test_a_caller_without_any_call_is_forgotten_a_day_later(cast: Cast) -> None:
    told(cast.dentist, named())
    told(cast.dentist, redacted())
    sweeping.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=NOON + timedelta(days=2))
    assert callers(cast.dentist) == 0
    assert vault_selectors.find_callers([cast.dentist.pk], CALLER) == {}
    assert in_the_clear(CALLER, AUDIO) == set()


def test_other_clients_keep_what_is_theirs(cast: Cast) -> None:
    told(cast.dentist, named())
    told(cast.plumber, named())
    told(cast.dentist, redacted())
    assert number_of(the_call(cast.plumber)) == CALLER
    assert told(cast.plumber, named()) == [Taken.KNOWN]


def test_the_stored_copy_goes_with_it(
    cast: Cast, media: Path, django_capture_on_commit_callbacks: Any
) -> None:
    told(cast.dentist, named())
    file_key = uuid.uuid4()
    with vault_files.RecordingWriter(cast.dentist.pk, file_key, Key(new_key())) as out:
        out.write(b"voice")
    with job_scope(agency_id=cast.acme.pk):
        Recording.objects.update(file_key=file_key)
    assert vault_files.recording_ids(cast.dentist.pk) == [file_key]
    with django_capture_on_commit_callbacks(execute=True):
        told(cast.dentist, redacted())
    assert vault_files.recording_ids(cast.dentist.pk) == []


def test_a_crash_between_the_keys_and_the_rows_is_mended_when_the_event_comes_again(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(cast.dentist, named())

    def crash(**_: Any) -> int:
        raise TimeoutError

    with monkeypatch.context() as broken:
        broken.setattr(redaction, "finish", crash)
        with pytest.raises(TimeoutError):
            told(cast.dentist, redacted())
    assert the_call(cast.dentist).caller_id is not None

    assert told(cast.dentist, redacted()) == [Taken.CHANGED]
    nobody(cast.dentist)


@pytest.mark.parametrize("way", Way)
def test_by_another_name_the_person_does_not_come_back(cast: Cast, way: Way) -> None:
    told(cast.dentist, named())
    told(cast.dentist, redacted())
    listed = named(references=(("other", "A"),), started_at=YESTERDAY + timedelta(seconds=2))
    later = named(references=(("other", "B"),), started_at=YESTERDAY + timedelta(hours=1))

    assert told(cast.dentist, listed, way=way) == [Taken.ERASED]

    nobody(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        Caller.objects.all().delete()
    assert told(cast.dentist, later, way=way) == [Taken.ADDED]


def test_by_another_name_what_nobody_said_does_not_come_back(cast: Cast) -> None:
    told(cast.dentist, named(caller_withheld=True))
    told(cast.dentist, redacted())
    listed = named(references=(("other", "A"),), caller_withheld=True)

    assert told(cast.dentist, listed) == [Taken.ERASED]

    nobody(cast.dentist)
    others = [
        replace(listed, references=(("other", "B"),), seconds=94),
        replace(listed, references=(("other", "C"),), tracking_number=None),
    ]
    assert told(cast.dentist, *others) == [Taken.ADDED, Taken.ADDED]


def test_a_number_that_does_not_open_stops_no_redaction(cast: Cast) -> None:
    told(cast.dentist, named(), named(references=(("id", "2"),), caller=OTHER_CALLER, revision=1))
    damaged = {number_of(call): call.caller_id for call in calls(cast.dentist)}[OTHER_CALLER]
    assert damaged is not None
    VaultCaller.objects.filter(pk=damaged).update(content_key=b"damaged")

    assert told(cast.dentist, redacted(), redacted(references=(("id", "2"),))) == [Taken.CHANGED] * 2

    listed = named(references=(("other", "A"),))
    assert told(cast.dentist, listed) == [Taken.ERASED]


def test_a_call_that_was_erased_singly_does_not_come_back_redacted(cast: Cast) -> None:
    tokens = vault_selectors.client_keys(cast.dentist.pk).tokens
    digest = tokens.digest("callrail", "id", "1")
    vault.entomb_calls(client_id=cast.dentist.pk, digests=[digest], ends_on=date(2030, 1, 1), at=NOON)
    assert told(cast.dentist, redacted()) == [Taken.ERASED]
    assert calls(cast.dentist) == []


def test_by_a_webhook_of_ctm(cast: Cast) -> None:
    to = connect(cast.dentist, "ctm", CTM_SECRET)
    bring_ctm(to, audio=AUDIO, tag_list=["VIP"], name="Jo Doe")
    work_off(cast)
    assert number_of(the_call(cast.dentist)) == CALLER
    later = NOON + timedelta(hours=1)
    bring_ctm(to, at=later, redacted=True, caller_number_complete="REDACTED", audio=None, tag_list=[])
    work_off(cast, at=later)
    nobody(cast.dentist)
    bring_ctm(to, at=later, audio=AUDIO, tag_list=["VIP"], name="Jo Doe")
    work_off(cast, at=later)
    nobody(cast.dentist)


def test_by_a_file_of_ctm(cast: Cast) -> None:
    header = "id,unix_time,caller_number_complete,duration,audio,redacted\n"
    start = int(YESTERDAY.timestamp())
    row = f"7,{start},{CALLER},95,{AUDIO},\n"
    files.imported(cast.dentist, (header + row).encode(), Layout("ctm", {}, files.ZONE))
    assert number_of(the_call(cast.dentist)) == CALLER
    files.imported(
        cast.dentist, (header + f"7,{start},REDACTED,95,,true\n").encode(), Layout("ctm", {}, files.ZONE)
    )
    nobody(cast.dentist)
    files.imported(cast.dentist, (header + row).encode(), Layout("ctm", {}, files.ZONE))
    nobody(cast.dentist)


# --- Held calls -----------------------------------------------------------------------------------------


def hold(client: Client, *, on: bool) -> None:
    with job_scope(agency_id=client.agency_id):
        Call.objects.for_client(client).update(on_hold=on)


def due(client: Client) -> Any:
    with job_scope(agency_id=client.agency_id):
        return Call.objects.for_client(client).get().redact_due_at


def test_a_held_call_keeps_what_it_has_until_the_hold_ends(cast: Cast) -> None:
    told(cast.dentist, named())
    hold(cast.dentist, on=True)
    later = NOON + timedelta(hours=1)

    assert told(cast.dentist, redacted()) == [Taken.KNOWN]
    told(cast.dentist, redacted(revision=8), at=later)
    assert redaction.work_off(agency_id=cast.acme.pk, at=later) == 0

    call = the_call(cast.dentist)
    assert (number_of(call), call.tags, call.caller_withheld) == (CALLER, ["VIP"], False)
    with job_scope(agency_id=cast.acme.pk):
        assert Recording.objects.get().reference is not None
        assert RecordingKey.objects.filter(pk=Recording.objects.get().pk).exists()
    assert due(cast.dentist) == NOON
    assert deeds(cast) == [("calls.redaction_put_off", {"calls": 1})]


def test_news_of_a_held_call_adds_nothing_of_the_person(cast: Cast) -> None:
    told(cast.dentist, fact())
    hold(cast.dentist, on=True)
    told(cast.dentist, redacted())
    told(cast.dentist, named(caller=OTHER_CALLER, revision=9))
    call = the_call(cast.dentist)
    assert (number_of(call), call.tags) == (CALLER, [])
    with job_scope(agency_id=cast.acme.pk):
        assert not Recording.objects.exists()


def test_when_the_hold_ends_the_person_goes(cast: Cast) -> None:
    told(cast.dentist, named())
    hold(cast.dentist, on=True)
    told(cast.dentist, redacted())
    hold(cast.dentist, on=False)
    later = NOON + timedelta(days=3)

    assert redaction.work_off(agency_id=cast.globex.pk, at=later) == 0
    tasks.redact_released(later="argument")
    assert redaction.work_off(agency_id=cast.acme.pk, at=later) == 0

    nobody(cast.dentist)
    assert due(cast.dentist) is None
    assert [action for action, _ in deeds(cast)] == [
        "calls.redaction_put_off",
        "calls.redacting",
        "calls.redacted",
    ]
