"""
A batch that is expected to be all new is brought to the database before its turn; what turns out otherwise in its
turn comes out as it would have without.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection

from callprivacy.calls.models import Call, Caller, CallRef, Recording, TrackingNumber
from callprivacy.calls.providers.base import CallFacts, Stage
from callprivacy.calls.services import erasure, intake, starts
from callprivacy.calls.services.intake import Prepared, Taken, Way, loading, storing
from callprivacy.calls.services.intake.batch import Batch
from callprivacy.calls.services.intake.items import Item
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.models import RecordingKey
from tests import make
from tests.calls.saying import (
    CALLER,
    OTHER_CALLER,
    TRACKING,
    YESTERDAY,
    calls,
    fact,
    kept,
    number_of,
    recording_of,
    references,
    told,
)
from tests.make import NOON

pytestmark = pytest.mark.django_db

LINK = "https://app.example.com/calls/1/recording/redirect?access_key=c4n4ry5ecret"


@pytest.fixture
def plumber() -> Client:
    """A client that has the number already, so that nothing stands in the way of loading ahead."""
    client = make.client(make.agency("Acme"), "Plumber")
    make.tracking_number(client, TRACKING)
    return client


def prepared(client: Client, *facts: CallFacts) -> Prepared:
    return intake.prepare(
        client=client, provider="callrail", connection_id=None, facts=facts, way=Way.IMPORT, at=NOON,
        look_first=False,
    )  # fmt: skip


def the_second(**said: Any) -> CallFacts:
    return fact(**({"references": (("id", "2"),), "started_at": YESTERDAY + timedelta(hours=1)} | said))


def rows(client: Client) -> tuple[int, ...]:
    """How many calls, callers, references, recordings, and keys of recordings there are."""
    with job_scope(agency_id=client.agency_id):
        models: tuple[Any, ...] = (Call, Caller, CallRef, Recording)
        keys = RecordingKey.objects.filter(client_id=client.pk, caller_id__isnull=False).count()
        return *(model.objects.count() for model in models), keys


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many calls each load brought into the temporary table."""
    found: list[int] = []
    load = loading.load_calls

    def count(batch: Batch, items: Iterable[Item]) -> None:
        items = list(items)
        found.append(len(items))
        load(batch, items)

    for module in (loading, storing):
        monkeypatch.setattr(module, "load_calls", count)
    return found


def test_what_is_new_is_loaded_once_and_as_if_in_its_turn(plumber: Client, loads: list[int]) -> None:
    facts = [fact(recording_reference=LINK, tags=("a", "b")), the_second(caller=OTHER_CALLER)]
    assert prepared(plumber, *facts).store() == [Taken.ADDED, Taken.ADDED]
    ahead = [kept(call) for call in calls(plumber)]
    assert loads == [2]
    assert rows(plumber) == (2, 2, 2, 1, 1)
    assert references(plumber) == {("callrail", "id")}

    other = make.client(make.agency("Globex"), "Plumber")
    told(other, *facts, way=Way.IMPORT)
    assert ahead == [kept(call) for call in calls(other)]


def test_its_turn_comes_after_loading_and_before_anything_is_written(
    plumber: Client, loads: list[int]
) -> None:
    seen: list[tuple[int, ...]] = []

    prepared(plumber, fact()).store(turn=lambda: seen.append((*loads, *rows(plumber)[:4])))

    assert seen == [(1, 0, 0, 0, 0)]
    assert rows(plumber)[:4] == (1, 1, 1, 0)


def test_a_turn_that_never_comes_leaves_nothing(plumber: Client) -> None:
    def end() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        prepared(plumber, fact(recording_reference=LINK)).store(turn=end)

    assert rows(plumber) == (0, 0, 0, 0, 0)


def test_a_call_that_came_in_meanwhile_is_known(plumber: Client, loads: list[int]) -> None:
    batch = prepared(plumber, fact(recording_reference=LINK, campaign="Brand"), the_second())
    told(plumber, fact(recording_reference=LINK))
    loads.clear()

    assert batch.store() == [Taken.FILLED, Taken.ADDED]

    assert loads == [2, 1]
    assert rows(plumber) == (2, 1, 2, 1, 1)
    assert [call.campaign for call in calls(plumber)] == ["Brand", ""]
    assert recording_of(calls(plumber)[0]) == LINK


@pytest.mark.thorough
def test_all_of_them_came_in_meanwhile(plumber: Client) -> None:
    batch = prepared(plumber, fact(), the_second())
    told(plumber, fact(), the_second())

    assert batch.store() == [Taken.KNOWN, Taken.KNOWN]
    assert rows(plumber)[:4] == (2, 1, 2, 0)


def test_what_stands_in_the_way_has_the_batch_begun_anew_once(plumber: Client) -> None:
    batch = prepared(plumber, fact(recording_reference=LINK), the_second(recording_reference=LINK))
    told(plumber, the_second())
    turns: list[tuple[int, ...]] = []
    noted: list[list[Taken]] = []

    verdicts = batch.store(
        lambda found: noted.append(list(found)), turn=lambda: turns.append(rows(plumber)[:4])
    )

    # The second time nothing of the first is there, and what is noted alongside is the end of it.
    assert turns == [(1, 1, 1, 0), (1, 1, 1, 0)]
    assert noted == [verdicts] == [[Taken.ADDED, Taken.FILLED]]
    assert rows(plumber) == (2, 1, 2, 2, 2)


def test_a_key_of_a_batch_that_was_begun_anew_is_kept_where_it_is_used(plumber: Client) -> None:
    batch = prepared(plumber, fact(recording_reference=LINK), the_second(recording_reference=LINK))
    told(plumber, fact(recording_reference=LINK))

    assert batch.store() == [Taken.KNOWN, Taken.ADDED]

    assert rows(plumber) == (2, 1, 2, 2, 2)
    assert [recording_of(call) for call in calls(plumber)] == [LINK, LINK]


@pytest.mark.django_db(transaction=True)
def test_keys_lock_none_of_the_rows_that_the_batch_itself_adds() -> None:
    client = make.client(make.agency("Acme"), "Plumber")
    make.tracking_number(client, TRACKING)
    said = [fact(recording_reference=LINK), the_second(caller=OTHER_CALLER, recording_reference=LINK)]

    assert prepared(client, *said).store() == [Taken.ADDED, Taken.ADDED]

    with job_scope(agency_id=client.agency_id), connection.cursor() as cursor:
        cursor.execute("SELECT xmax::text FROM calls_call UNION ALL SELECT xmax::text FROM calls_caller")
        assert cursor.fetchall() == [("0",)] * 4


def test_a_batch_lies_in_the_order_in_which_its_calls_began(plumber: Client) -> None:
    said = [
        fact(
            references=(("id", str(hours)),),
            started_at=YESTERDAY - timedelta(hours=hours),
            recording_reference=LINK if hours != 4 else None,
        )
        for hours in (5, 1, 4, 2, 3)
    ]
    assert prepared(plumber, *said).store() == [Taken.ADDED] * 5

    with job_scope(agency_id=plumber.agency_id), connection.cursor() as cursor:
        for query in (
            "SELECT id FROM calls_call ORDER BY ctid",
            "SELECT call_id FROM calls_callref ORDER BY ctid",
            "SELECT call_id FROM calls_recording ORDER BY ctid",
            "SELECT call_id FROM calls_recording ORDER BY id",
        ):
            cursor.execute(query)
            found = [row[0] for row in cursor.fetchall()]
            assert found == sorted(found), query


def test_a_call_that_was_erased_meanwhile_stays_away(plumber: Client) -> None:
    batch = prepared(plumber, fact(recording_reference=LINK), the_second(caller=OTHER_CALLER))
    tokens = vault_selectors.client_keys(plumber.pk).tokens
    digest = tokens.digest("callrail", "id", "1")
    vault.entomb_calls(client_id=plumber.pk, digests=[digest], ends_on=date(2029, 1, 1), at=NOON)

    assert batch.store() == [Taken.ERASED, Taken.ADDED]

    assert [number_of(call) for call in calls(plumber)] == [OTHER_CALLER]
    assert rows(plumber)[2:] == (1, 0, 0)


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_call_that_was_erased_meanwhile_stays_away_by_its_start(plumber: Client, *, is_whole: bool) -> None:
    # An id of another kind stands in the way of adding all as it was loaded.
    told(plumber, fact(references=(("id" if is_whole else "other", "0"),), caller=OTHER_CALLER))
    batch = prepared(plumber, fact(recording_reference=LINK), the_second(caller=OTHER_CALLER))
    before = rows(plumber)
    tokens = vault_selectors.client_keys(plumber.pk).tokens
    start = starts.digest(tokens, started_at=YESTERDAY, number=CALLER, tracking_number=TRACKING, seconds=95)
    assert start is not None
    vault.entomb_calls(
        client_id=plumber.pk, digests=[start], ends_on=date(2029, 1, 1), at=NOON, are_starts=True
    )

    assert batch.store() == [Taken.ERASED, Taken.ADDED]

    assert [number_of(call) for call in calls(plumber)] == [OTHER_CALLER] * 2
    assert rows(plumber)[3:] == (0, 0) == (before[3], before[4] - 1)


def test_what_expired_meanwhile_brings_no_caller(plumber: Client) -> None:
    batch = prepared(plumber, fact(recording_reference=LINK), the_second(caller=OTHER_CALLER))
    line = YESTERDAY + timedelta(minutes=1)
    vault.advance_watermark(client_id=plumber.pk, category=erasure.WATERMARK, before=line)

    assert batch.store() == [Taken.TOO_OLD, Taken.ADDED]

    assert rows(plumber) == (1, 1, 1, 0, 0)
    assert number_of(calls(plumber)[0]) == OTHER_CALLER


def test_a_call_of_another_way_is_met(plumber: Client) -> None:
    told(plumber, fact())
    batch = prepared(plumber, fact(references=(), campaign="Brand"), the_second(references=()))

    assert batch.store() == [Taken.FILLED, Taken.ADDED]

    assert [call.campaign for call in calls(plumber)] == ["Brand", ""]
    assert rows(plumber)[:4] == (2, 1, 3, 0)


def test_a_call_that_may_be_one_of_another_way_is_doubtful(plumber: Client) -> None:
    told(plumber, fact())

    assert prepared(plumber, fact(references=(), seconds=94)).store() == [Taken.DOUBTFUL]


def test_the_same_call_twice_waits_for_its_turn(plumber: Client, loads: list[int]) -> None:
    said = [fact(), fact(campaign="Brand"), the_second()]
    batch = prepared(plumber, *said)

    assert batch.store(turn=lambda: loads.append(0)) == [Taken.ADDED, Taken.FILLED, Taken.ADDED]

    assert loads[0] == 0
    assert rows(plumber)[:4] == (2, 1, 2, 0)


def test_numbers_that_the_client_does_not_have_wait_for_their_turn(plumber: Client, loads: list[int]) -> None:
    said = [fact(tracking_number="+14045550111"), the_second()]

    assert prepared(plumber, *said).store(turn=lambda: loads.append(0)) == [Taken.ADDED, Taken.ADDED]

    assert loads[0] == 0
    with job_scope(agency_id=plumber.agency_id):
        assert set(TrackingNumber.objects.values_list("number", flat=True)) == {TRACKING, "+14045550111"}
    assert all(call.tracking_number_id for call in calls(plumber))


def test_news_of_no_call_is_early(plumber: Client) -> None:
    said = [fact(stage=Stage.ADDENDUM), the_second()]

    assert prepared(plumber, *said).store() == [Taken.EARLY, Taken.ADDED]
    assert rows(plumber)[:4] == (1, 1, 1, 0)


@pytest.mark.thorough
def test_withheld_callers_and_no_number_at_all(plumber: Client) -> None:
    said = [fact(caller_withheld=True), the_second(caller=None, tracking_number=None)]

    assert prepared(plumber, *said).store() == [Taken.ADDED, Taken.ADDED]
    assert rows(plumber)[:4] == (2, 0, 2, 0)


def test_a_caller_that_the_vault_knew_gets_its_row(plumber: Client) -> None:
    vault.ensure_callers(client_id=plumber.pk, numbers=[CALLER], at=NOON)

    prepared(plumber, fact()).store()

    assert number_of(calls(plumber)[0]) == CALLER


def _waits(batch: Prepared, *, is_repeated: bool) -> bool:
    """Whether the batch leaves it to the server whether its commit waits for the disk."""
    found: list[str] = []

    def look(_: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT source, setting FROM pg_settings WHERE name = 'synchronous_commit'")
            found.extend(cursor.fetchone())

    batch.store(look, is_repeated=is_repeated)
    return found != ["session", "off"]


def test_who_brings_it_again_after_a_crash_does_not_wait_for_the_disk(plumber: Client) -> None:
    assert _waits(prepared(plumber, fact()), is_repeated=False)
    assert not _waits(prepared(plumber, the_second()), is_repeated=True)


def test_a_person_taken_out_is_on_the_disk_before_it_is_said(plumber: Client) -> None:
    assert _waits(prepared(plumber, fact(redacted=True, caller_withheld=True)), is_repeated=True)
