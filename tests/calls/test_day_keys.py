"""Keys of one day go when nothing of that day is left, so that old copies do not open either."""

import io
import uuid
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callprivacy.audit.models import Event
from callprivacy.calls.models import Inbox
from callprivacy.calls.services import day_keys, inbox
from callprivacy.calls.tasks import day_keys as tasks
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault
from callprivacy.vault import services as vault_services
from tests.calls.test_hooks import connect, rows
from tests.calls.test_inbox import bring, calls, event, work_off
from tests.cast import Cast, assemble
from tests.make import NOON, own_folders

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
TODAY = NOON.date()


@pytest.fixture
def cast(db: None, settings: Any, tmp_path: Path) -> Cast:
    settings.MEDIA_ROOT = tmp_path
    own_folders()
    return assemble()


def sweep(cast: Cast, *, at: datetime) -> int:
    return day_keys.destroy_unused(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=at)


def days(cast: Cast, purpose: str) -> list[date]:
    return vault.key_days(cast.dentist.pk, purpose, before=TODAY + 100 * DAY)


def test_an_event_is_sealed_under_its_days_key_and_opens_on_the_next(cast: Cast) -> None:
    to = connect(cast.dentist)
    bring(to, event(1), at=NOON)
    bring(to, event(2), at=NOON + timedelta(hours=12))
    assert days(cast, "inbox") == [TODAY, TODAY + DAY]

    assert work_off(cast, at=NOON + timedelta(hours=13)) == 2
    assert len(calls(cast.dentist)) == 2


def test_a_second_event_of_a_day_costs_two_queries_of_the_vault(
    cast: Cast, django_assert_num_queries: Any
) -> None:
    to = connect(cast.dentist)
    bring(to, event(1))
    with django_assert_num_queries(2, using="vault"):
        bring(to, event(2))


def test_a_key_goes_after_nine_days_and_no_copy_of_the_row_opens(cast: Cast) -> None:
    to = connect(cast.dentist)
    bring(to, event(1))
    bring(to, event(2), at=NOON + DAY)
    copy = rows(cast.dentist)[0]
    work_off(cast, at=NOON + DAY)

    assert sweep(cast, at=NOON + 9 * DAY) == 0
    assert sweep(cast, at=NOON + 10 * DAY) == 1
    assert sweep(cast, at=NOON + 10 * DAY) == 0

    assert days(cast, "inbox") == [TODAY + DAY]
    with job_scope(agency_id=cast.acme.pk):
        Inbox(**{f.attname: getattr(copy, f.attname) for f in Inbox._meta.concrete_fields}).save(
            force_insert=True
        )
        assert inbox._opened(Inbox.objects.select_related("client", "connection"))[0].body is None
        assert Event.objects.filter(action="keys.swept").count() == 1


def test_a_key_stays_while_an_event_of_its_day_is_left(cast: Cast) -> None:
    to = connect(cast.dentist)
    bring(to, b"[]")
    work_off(cast)
    assert sweep(cast, at=NOON + 30 * DAY) == 0
    inbox.purge(agency_id=cast.acme.pk, at=NOON + 30 * DAY)
    assert sweep(cast, at=NOON + 30 * DAY) == 1


def test_a_key_stays_while_a_file_of_its_day_is_left(cast: Cast) -> None:
    one, two = uuid.uuid4(), uuid.uuid4()
    files.write(cast.dentist.pk, one, io.BytesIO(b"one"), at=NOON)
    files.write(cast.dentist.pk, two, io.BytesIO(b"two"), at=NOON + DAY)
    files.delete(cast.dentist.pk, two)

    assert sweep(cast, at=NOON + 30 * DAY) == 1
    assert days(cast, "file") == [TODAY]
    with files.open(cast.dentist.pk, one) as file:
        assert file.read() == b"one"
    files.delete(cast.dentist.pk, one)
    assert sweep(cast, at=NOON + 30 * DAY) == 1
    assert days(cast, "file") == []


def test_other_keys_and_other_clients_keys_are_left_alone(cast: Cast) -> None:
    for client in (cast.dentist, cast.plumber):
        vault_services.purpose_key(client_id=client.pk, purpose="errand", at=NOON)
        vault_services.day_key(client_id=client.pk, purpose="inbox", at=NOON)
        vault_services.create_recording_keys(
            client_id=client.pk, recordings=[(uuid.uuid4(), None)], callers={}, at=NOON
        )
    assert sweep(cast, at=NOON + 30 * DAY) == 1
    assert vault.count_wrapped(cast.dentist.pk) == 2
    assert vault.count_wrapped(cast.plumber.pk) == 3


@pytest.mark.django_db(transaction=True)
def test_the_sweep_looks_through_every_client(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    own_folders()
    cast = assemble()
    long_ago = NOON - 400 * DAY
    for client in (cast.dentist, cast.plumber, cast.florist):
        vault_services.day_key(client_id=client.pk, purpose="inbox", at=long_ago)
    holder = -cast.acme.pk
    vault_services.create_client_keys(client_id=holder, agency_id=cast.acme.pk, at=long_ago)
    vault_services.day_key(client_id=holder, purpose="file", at=long_ago)
    sent: list[dict[str, Any]] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tasks.destroy_day_keys, "apply_async", lambda *, kwargs, **_: sent.append(kwargs))
        tasks.sweep_day_keys()
    for given in sent:
        tasks.destroy_day_keys(**given, later="argument")
    for client in (cast.dentist, cast.plumber, cast.florist):
        assert vault.key_days(client.pk, "inbox", before=TODAY) == []
    assert vault.key_days(holder, "file", before=TODAY) == [], "keys that the agency holds as well"
