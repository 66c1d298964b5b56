"""Keys that callers pressed, from what a tracker says to the row that consent reads; and rows that correct others."""

import itertools
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client as Browser
from django.test import override_settings

from callprivacy.calls.models import CallPress
from callprivacy.calls.providers import PROVIDERS
from callprivacy.calls.providers.base import Delivery, Stage
from callprivacy.calls.services import inbox
from callprivacy.calls.services.imports import Layout
from callprivacy.calls.services.intake import Taken, Way
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from tests import make
from tests.calls import files
from tests.calls.saying import (
    YESTERDAY,
    calls,
    fact,
    kept,
    number_of,
    recording_of,
    references,
    the_call,
    told,
)
from tests.calls.test_hooks import base64_hmac, connect, now, rows
from tests.calls.test_inbox import work_off
from tests.cast import Cast, assemble
from tests.make import NOON
from tests.samples import moved

pytestmark = pytest.mark.django_db

CTM_SECRET = "7a7f2f78fdea5ab00c403c50c889a854"
FILE = moved((Path(__file__).parent.parent / "fixtures" / "invoca_transactions.csv").read_text()).encode()
INVOCA = Layout("invoca", {}, files.ZONE)


@pytest.fixture
def cast() -> Cast:
    return assemble()


@pytest.fixture(autouse=True)
def media(tmp_path: Path) -> Iterator[Path]:
    with override_settings(MEDIA_ROOT=tmp_path):
        yield tmp_path


def pressed(client: Client) -> list[tuple[str, str]]:
    with job_scope(agency_id=client.agency_id):
        return list(CallPress.objects.for_client(client).order_by("id").values_list("name", "value"))


def handle(client: Client) -> None:
    with job_scope(agency_id=client.agency_id):
        CallPress.objects.for_client(client).update(handled_at=NOON)


def bring_ctm(to: Any, *, at: datetime = NOON, **changes: Any) -> None:
    payload = {
        "id": 7,
        "unix_time": int(YESTERDAY.timestamp()),
        "caller_number_complete": "+12025550147",
        "tracking_number": "+18005550123",
        "duration": 95,
        "dial_status": "completed",
    } | changes
    body = json.dumps(payload).encode()
    time = str(int(at.timestamp()))
    inbox.receive_event(
        provider=PROVIDERS["ctm"],
        key=to.key,
        delivery=Delivery(
            body=body,
            headers={
                "X-CTM-Time": time,
                "X-CTM-Signature": base64_hmac(CTM_SECRET, time.encode() + body),
                "Content-Type": "application/json",
            },
            url="",
        ),
        at=at,
    )


# --- Kept once ------------------------------------------------------------------------------------------


def test_keys_are_kept_once_a_call_however_often_they_are_told(cast: Cast) -> None:
    said = fact(presses=(("menu 1", "1"), ("menu 2", "9")))
    assert told(cast.dentist, said) == [Taken.ADDED]
    assert told(cast.dentist, said, said) == [Taken.KNOWN, Taken.KNOWN]
    assert pressed(cast.dentist) == [("menu 1", "1"), ("menu 2", "9")]
    with job_scope(agency_id=cast.acme.pk):
        rows = CallPress.objects.for_client(cast.dentist)
        assert {(row.call_id, row.at, row.handled_at) for row in rows} == {
            (the_call(cast.dentist).pk, YESTERDAY, None)
        }
    assert pressed(cast.plumber) == []


def test_a_key_that_was_acted_on_is_not_new_when_it_is_told_again(cast: Cast) -> None:
    said = fact(presses=(("menu 1", "9"),))
    told(cast.dentist, said)
    handle(cast.dentist)
    told(cast.dentist, said)
    with job_scope(agency_id=cast.acme.pk):
        assert CallPress.objects.for_client(cast.dentist).get().handled_at == NOON


def test_later_events_add_what_they_know(cast: Cast) -> None:
    events = [
        fact(stage=Stage.STARTED, seconds=None, outcome=None),
        fact(stage=Stage.ROUTED, seconds=None, outcome=None, presses=(("menu 1", "1"),)),
        fact(presses=(("menu 1", "1"), ("Recording", "9"), ("Do not record", ""))),
    ]
    for order in itertools.permutations(events):
        for event in order:
            told(cast.dentist, event)
        assert set(pressed(cast.dentist)) == {("menu 1", "1"), ("Recording", "9"), ("Do not record", "")}


def test_keys_follow_a_call_that_turns_out_to_have_begun_earlier(cast: Cast) -> None:
    told(cast.dentist, fact(presses=(("menu 1", "9"),)))
    told(cast.dentist, fact(started_at=YESTERDAY - timedelta(seconds=40), revision=1))
    with job_scope(agency_id=cast.acme.pk):
        assert CallPress.objects.get().call_id == the_call(cast.dentist).pk
    assert the_call(cast.dentist).started_at == YESTERDAY - timedelta(seconds=40)


def test_news_of_a_call_that_is_not_taken_in_leaves_no_keys(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(retention_state="live", went_live_at=NOON)
        cast.dentist.refresh_from_db()
    old = fact(started_at=NOON - timedelta(days=4000), presses=(("menu 1", "9"),))
    early = fact(direction=None, stage=Stage.ADDENDUM, references=(("id", "2"),), presses=(("menu 1", "9"),))
    assert told(cast.dentist, old, early) == [Taken.TOO_OLD, Taken.EARLY]
    assert pressed(cast.dentist) == []


def test_names_with_signs_of_copy_are_kept_as_they_are(cast: Cast) -> None:
    told(cast.dentist, fact(presses=(("Men\\u \\N", "1"), ("Menú", "*9"))))
    assert pressed(cast.dentist) == [("Men\\u \\N", "1"), ("Menú", "*9")]


def test_a_webhook_of_ctm_brings_its_keys(cast: Cast) -> None:
    to = connect(cast.dentist, "ctm", CTM_SECRET)
    bring_ctm(to, inputs={"menu_inputs": ["Main menu: 2", "9"]})
    bring_ctm(to, inputs={"menu_inputs": ["Main menu: 2", "9"]})
    assert work_off(cast) == 1
    (call,) = calls(cast.dentist)
    assert pressed(cast.dentist) == [("Main menu", "2"), ("menu 2", "9")]
    assert call.connection_id == to.pk
    assert number_of(call) == "+12025550147"


@pytest.mark.thorough
def test_a_replayed_webhook_changes_nothing(cast: Cast) -> None:
    to = connect(cast.dentist, "ctm", CTM_SECRET)
    for hour in range(3):
        bring_ctm(to, at=NOON + timedelta(hours=hour), inputs={"menu_inputs": ["9"]})
        work_off(cast, at=NOON + timedelta(hours=hour))
    assert len(calls(cast.dentist)) == 1
    assert pressed(cast.dentist) == [("menu 1", "9")]


# --- CallTrackingMetrics at the door --------------------------------------------------------------------


def knock(
    to: Any, body: bytes, headers: Mapping[str, str] | None = None, *, sent_at: datetime | None = None
) -> int:
    """Deliver over HTTP, signed unless other headers are given."""
    time = str(int((sent_at or now()).timestamp()))
    signed = {"X-CTM-Time": time, "X-CTM-Signature": base64_hmac(CTM_SECRET, time.encode() + body)}
    answer = Browser(enforce_csrf_checks=True).post(
        f"/hooks/ctm/{to.key}/", body, content_type="application/json", headers=signed | dict(headers or {})
    )
    return int(answer.status_code)


BODY = b'{"id": 7, "unix_time": 1795447812, "duration": 5}'


def test_what_is_signed_gets_in_once_and_the_rest_is_forbidden(cast: Cast) -> None:
    to, other = connect(cast.dentist, "ctm", CTM_SECRET), connect(cast.plumber, "ctm", CTM_SECRET[::-1])
    assert knock(to, BODY) == 200
    assert knock(to, BODY, sent_at=now() - timedelta(minutes=9)) == 200
    assert len(rows(cast.dentist)) == 1
    assert knock(to, BODY, sent_at=now() - timedelta(days=2)) == 403
    assert knock(to, BODY, {"X-CTM-Signature": base64_hmac(CTM_SECRET, BODY)}) == 403
    assert knock(to, BODY, {"X-CTM-Time": "1"}) == 403
    assert knock(to, BODY, {"X-CTM-Time": ""}) == 403
    assert knock(other, BODY) == 403
    assert len(rows(cast.dentist)) == 1
    assert rows(cast.plumber) == []


# --- Files of Invoca ------------------------------------------------------------------------------------


def test_a_file_of_transactions_is_taken_in_with_its_keys_and_corrections(cast: Cast) -> None:
    row = files.imported(cast.dentist, FILE, INVOCA)
    assert (row.added, row.refused, row.rows, row.failure) == (2, 0, 3, "")
    first, second = calls(cast.dentist)
    assert number_of(first) == "+12025550189"
    assert (first.seconds, first.source, first.region) == (140, "Organic search", "CA")
    assert recording_of(first).endswith("0D0D0D0D")
    assert (second.caller_id, second.caller_withheld, second.outcome) == (None, True, "missed")
    assert set(pressed(cast.dentist)) == {("keypress_1", "1"), ("opt_in_SMS", "1"), ("Do not record", "")}
    assert references(cast.dentist) == {("invoca", "call"), ("invoca", "transaction")}


@pytest.mark.thorough
def test_the_same_file_again_changes_nothing(cast: Cast) -> None:
    files.imported(cast.dentist, FILE, INVOCA)
    before, keys = kept(calls(cast.dentist)[0]), pressed(cast.dentist)
    row = files.imported(cast.dentist, FILE, INVOCA)
    assert (row.added, row.doubtful) == (0, 0)
    assert kept(calls(cast.dentist)[0]) == before
    assert pressed(cast.dentist) == keys


def corrected(revision: int, **said: Any) -> Any:
    return fact(
        ranked=True,
        revision=revision,
        references=(("call", "C"), ("transaction", f"T{revision}"), ("transaction", "T0")),
        **said,
    )


def original(**said: Any) -> Any:
    return fact(**({"ranked": True, "references": (("call", "C"), ("transaction", "T0"))} | said))


@pytest.mark.thorough
def test_the_newest_correction_stands_whichever_file_came_first(cast: Cast) -> None:
    rows = [
        original(seconds=95, source="First", caller="+12025550101", campaign="Only the first row knows"),
        corrected(100, seconds=96, source="Second", caller="+12025550102"),
        corrected(200, seconds=97, source="Third", caller="+12025550103"),
    ]
    ends = set()
    for client, order in zip(
        [cast.dentist, cast.plumber, *(_clients(cast, 4))], itertools.permutations(rows), strict=True
    ):
        for row in (*order, *order[:2]):
            told(client, row, way=Way.IMPORT, provider="invoca")
        call = the_call(client)
        ends.add((call.seconds, call.source, call.campaign, number_of(call)))
    assert ends == {(97, "Third", "Only the first row knows", "+12025550103")}


def _clients(cast: Cast, count: int) -> list[Client]:
    return [make.client(cast.acme, f"Client {place}") for place in range(count)]


def test_a_row_that_was_corrected_only_fills_blanks_when_it_comes_again(cast: Cast) -> None:
    told(cast.dentist, corrected(1, seconds=95, source=""), way=Way.IMPORT, provider="invoca")
    told(cast.dentist, original(seconds=99, source="Bing"), way=Way.IMPORT, provider="invoca")
    call = the_call(cast.dentist)
    assert (call.seconds, call.source) == (95, "Bing")


def test_a_correction_moves_the_recording_and_the_start(cast: Cast) -> None:
    told(
        cast.dentist,
        original(recording_reference="https://example.com/1"),
        way=Way.IMPORT,
        provider="invoca",
    )
    earlier = YESTERDAY - timedelta(seconds=30)
    told(
        cast.dentist,
        corrected(5, started_at=earlier, recording_reference="https://example.com/2"),
        way=Way.IMPORT,
        provider="invoca",
    )
    call = the_call(cast.dentist)
    assert (call.started_at, recording_of(call)) == (earlier, "https://example.com/2")


def test_a_correction_takes_away_keys_that_nobody_has_acted_on(cast: Cast) -> None:
    told(
        cast.dentist, original(presses=(("menu 1", "1"), ("menu 2", "9"))), way=Way.IMPORT, provider="invoca"
    )
    told(cast.dentist, corrected(1, presses=(("menu 1", "1"),)), way=Way.IMPORT, provider="invoca")
    assert pressed(cast.dentist) == [("menu 1", "1")]
    handle(cast.dentist)
    told(cast.dentist, corrected(2, presses=(("menu 1", "2"),)), way=Way.IMPORT, provider="invoca")
    assert pressed(cast.dentist) == [("menu 1", "1"), ("menu 1", "2")]
    told(cast.dentist, corrected(3, seconds=1), way=Way.IMPORT, provider="invoca")
    assert len(pressed(cast.dentist)) == 2


def test_an_older_file_does_not_bring_a_corrected_key_back(cast: Cast) -> None:
    told(cast.dentist, corrected(1, presses=(("menu 1", "1"),)), way=Way.IMPORT, provider="invoca")
    told(cast.dentist, original(presses=(("menu 1", "9"),)), way=Way.IMPORT, provider="invoca")
    assert pressed(cast.dentist) == [("menu 1", "1")]


def test_a_file_does_not_overrule_what_a_webhook_said(cast: Cast) -> None:
    told(cast.dentist, fact(seconds=95, revision=7), provider="invoca")
    told(cast.dentist, original(seconds=99, references=(("id", "1"),)), way=Way.IMPORT, provider="invoca")
    assert the_call(cast.dentist).seconds == 95
