"""The daily sweep removes what has come to its own date, and nothing before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callprivacy.vault import services as vault
from callprivacy.vault.models import Suppression
from retention.services import sweeping
from tests import make
from tests.cast import Cast

pytestmark = pytest.mark.django_db(databases=["default", "vault"])

ENDING, LASTING, ENDLESS = "+14155550101", "+14155550102", "+14155550103"


def test_a_no_goes_on_its_day_and_not_before(cast: Cast) -> None:
    today = make.NOON.date()
    for number, ends_on in ((ENDING, today), (LASTING, today + timedelta(days=1)), (ENDLESS, None)):
        vault.suppress(
            client_id=cast.dentist.pk, numbers=[number], purposes=["contact"], at=make.NOON, ends_on=ends_on
        )

    swept = sweeping.sweep_client(agency_id=cast.acme.pk, client_id=cast.dentist.pk, at=make.NOON)

    left = set(Suppression.objects.filter(client_id=cast.dentist.pk).values_list("ends_on", flat=True))
    assert (swept, left) == (1, {today + timedelta(days=1), None})
