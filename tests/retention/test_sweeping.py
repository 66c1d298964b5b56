"""The daily sweep removes what has come to its own date, and nothing before."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault
from callprivacy.vault.models import Suppression, Tombstone
from consent.enums import NOT_ASKED
from consent.selectors import asking
from retention.enums import Category
from retention.selectors import preview
from retention.services import sweeping
from tests import make
from tests.cast import Cast
from tests.scale import some

pytestmark = pytest.mark.django_db(databases=["default", "vault"])

ENDING, LASTING, ENDLESS = "+14155550101", "+14155550102", "+14155550103"


def test_a_no_goes_once_its_day_has_begun_everywhere_and_not_before(cast: Cast) -> None:
    today = make.NOON.date()
    yesterday = today - timedelta(days=1)
    for number, ends_on in ((ENDING, yesterday), (LASTING, today), (ENDLESS, None)):
        vault.suppress(
            client_id=cast.dentist.pk, numbers=[number], purposes=["contact"], at=make.NOON, ends_on=ends_on
        )

    swept = sweeping.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=make.NOON)

    left = set(Suppression.objects.filter(client_id=cast.dentist.pk).values_list("ends_on", flat=True))
    assert (swept, left) == (1, {today, None})


@pytest.mark.parametrize(
    "zone", some(["Etc/GMT+12", "America/Los_Angeles", "UTC", "Pacific/Kiritimati"], one_in=3)
)
def test_nobody_is_asked_again_before_the_day_begins_where_the_client_is(cast: Cast, zone: str) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(time_zone=zone)
        client = Client.objects.get(pk=cast.dentist.pk)
    day = date(2027, 11, 24)
    vault.suppress(client_id=client.pk, numbers=[ENDING], purposes={NOT_ASKED}, at=make.NOON, ends_on=day)
    midnight = datetime.combine(day, time.min, tzinfo=ZoneInfo(zone))

    before = midnight - timedelta(minutes=1)
    sweeping.sweep_client(agency_id=cast.acme.pk, client_id=client.pk, at=before.astimezone(UTC))

    assert asking.not_asked(client, [ENDING], at=before) == {ENDING}
    assert asking.not_asked(client, [ENDING], at=midnight) == set()


@pytest.mark.parametrize(
    "zone", some(["America/Los_Angeles", "Etc/GMT+12", "UTC", "Pacific/Kiritimati"], one_in=3)
)
@pytest.mark.parametrize("hour", [0, 23])
def test_who_was_erased_is_found_as_long_as_there_is_evidence_of_them(
    cast: Cast, zone: str, hour: int
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(time_zone=zone)
        client = Client.objects.select_related("agency").get(pk=cast.dentist.pk)
    at = datetime(2026, 11, 24, hour, 30, tzinfo=UTC)
    found = vault.ensure_callers(client_id=client.pk, numbers=[ENDING], at=at)
    with job_scope(agency_id=cast.acme.pk):
        lines = preview.lines([client], at)[client.pk]
    ends_on = lines.evidence_until(at)
    erasure = vault.Erasure(found[ENDING], up_to=at, tombstone_ends_on=ends_on, keep_evidence=True)
    vault.erase_callers(client_id=client.pk, erasures=[erasure], at=at)
    days = lines.policies[Category.CONSENT].days

    leaves_on = at.astimezone(ZoneInfo(zone)).date() + timedelta(days=days + 1)
    leaves_at = datetime.combine(leaves_on, time.min, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert tenancy.cutoff_for_days(client, days, leaves_at - timedelta(seconds=1)) <= at
    assert tenancy.cutoff_for_days(client, days, leaves_at) > at
    for swept_at, is_there in (
        (leaves_at - timedelta(seconds=1), True),
        (leaves_at + timedelta(days=2), False),
    ):
        sweeping.sweep_client(agency_id=cast.acme.pk, client_id=client.pk, at=swept_at)
        assert Tombstone.objects.filter(client_id=client.pk).exists() is is_there
