"""The projection can be made anew from the events, and held against them."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from callprivacy.audit.models import Event
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import signing
from consent.enums import EventKind, Purpose, Scope, State
from consent.models import ConsentState
from consent.services import rebuilding
from tests.cast import Cast
from tests.consent.test_ledger import caller_of, record, said
from tests.make import NOON
from tools import verify_evidence

pytestmark = pytest.mark.as_committed


def states(cast: Cast) -> list[tuple[Any, ...]]:
    with job_scope(agency_id=cast.acme.pk):
        rows = ConsentState.objects.for_client(cast.dentist).order_by("caller_id", "purpose")
        return list(
            rows.values_list("caller_id", "purpose", "state", "strength", "event_id", "version_id", "since")
        )


def fill(cast: Cast, people: int = 5) -> list[tuple[Any, ...]]:
    for number in range(people):
        caller_id = caller_of(cast, f"+1415555{2100 + number:04d}")
        record(
            cast,
            said(caller_id, EventKind.GIVEN, 1),
            said(caller_id, EventKind.WITHDRAWN, 2, purpose=Purpose.CONTACT),
            said(caller_id, EventKind.EXPIRED, 3),
            said(caller_id, EventKind.REFUSED, 4, scope=Scope.THIS_CALL, call_digest=b"d" * 32),
        )
    return states(cast)


def spoil(cast: Cast) -> None:
    """One is lost, one says something else, one rests on nothing."""
    with job_scope(agency_id=cast.acme.pk):
        rows = list(ConsentState.objects.for_client(cast.dentist).order_by("pk"))
        ConsentState.objects.for_client(cast.dentist).filter(pk=rows[0].pk).remove()
        ConsentState.objects.for_client(cast.dentist).filter(pk=rows[1].pk).update(state=State.GIVEN)
        ConsentState.objects.create(
            agency_id=cast.acme.pk, client=cast.dentist, caller_id=rows[2].caller_id, purpose=Purpose.SHARE,
            state=State.GIVEN, since=NOON,
        )  # fmt: skip


def run(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("rebuild_consent", *arguments, stdout=out, stderr=io.StringIO())
    except SystemExit as stop:
        return int(stop.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_what_was_spoilt_is_equal_to_the_events_again(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "BATCH", 2)
    before = fill(cast)
    spoil(cast)
    assert states(cast) != before
    outcome = rebuilding.rebuild(client=cast.dentist, at=NOON)
    assert states(cast) == before
    assert (outcome.callers, outcome.differing) == (5, 3)
    assert rebuilding.rebuild(client=cast.dentist, at=NOON).differing == 0
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="consent.rebuilt").count() == 2


def test_the_states_can_be_made_from_nothing(cast: Cast) -> None:
    before = fill(cast)
    with job_scope(agency_id=cast.acme.pk):
        ConsentState.objects.for_client(cast.dentist).remove()
    rebuilding.rebuild(client=cast.dentist, at=NOON)
    assert states(cast) == before


def test_check_writes_nothing_and_ends_with_1(cast: Cast) -> None:
    fill(cast)
    assert run("--agency", "acme", "--check")[0] == 0
    spoil(cast)
    spoilt = states(cast)
    code, words = run("--agency", "acme", "--client", "dentist", "--check")
    assert code == 1
    assert "acme/dentist: 5 callers, 3 differ" in words
    assert states(cast) == spoilt
    assert run("--client", "plumber", "--check")[0] == 0
    code, words = run("--client", "dentist")
    assert (code, "3 corrected" in words) == (0, True)
    assert run("--check")[0] == 0


def test_a_client_that_is_none_is_refused(cast: Cast) -> None:
    with pytest.raises(CommandError, match="No client has this slug"):
        run("--client", "nobody")


def test_a_pack_can_be_written_by_hand(cast: Cast, tmp_path: Path) -> None:
    caller_id = caller_of(cast)
    record(cast, said(caller_id, EventKind.GIVEN, happened_at=NOON - timedelta(days=1)))
    target = tmp_path / "pack.zip"
    words = ("--client", "acme/dentist", "--reason", "The court asks for it.", "--output", str(target))
    out = io.StringIO()
    call_command("consent_evidence", str(caller_id), *words, stdout=out)
    assert "1 events" in out.getvalue()
    report = verify_evidence.verify(target.read_bytes(), pins=[signing.public_key().hex()])
    assert report.findings == []
    with pytest.raises(CommandError, match="File exists"):
        call_command("consent_evidence", str(caller_id), *words)
    for wrong in ({"reason": "short"}, {"client": "nobody"}):
        with pytest.raises(CommandError):
            call_command("consent_evidence", str(caller_id), *words[:-1], str(tmp_path / "b.zip"), **wrong)
    with pytest.raises(CommandError, match="has no caller with this ID"):
        call_command("consent_evidence", "11111111-1111-4111-8111-111111111111", *words)
