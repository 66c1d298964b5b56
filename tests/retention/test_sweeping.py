"""The daily sweep removes what has come to its own date, and nothing before."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault
from callprivacy.vault.models import Suppression
from consent.enums import NOT_ASKED
from consent.selectors import asking
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
