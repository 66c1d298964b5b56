"""One agency's fault keeps no other agency's work."""

import pytest
from billiard.exceptions import SoftTimeLimitExceeded

from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import in_each_agency, job_scope
from tests.cast import Cast


@pytest.mark.parametrize("broken", ["acme", "globex"])
def test_the_other_agencys_work_is_done(cast: Cast, broken: str) -> None:
    done: list[int] = []

    def deed(agency_id: int) -> None:
        with job_scope(agency_id=agency_id):
            if agency_id == getattr(cast, broken).pk:
                raise LookupError("a fault of one")
            done.extend(Client.objects.values_list("agency_id", flat=True))

    in_each_agency(deed)

    (sound,) = {cast.acme.pk, cast.globex.pk} - {getattr(cast, broken).pk}
    assert set(done) == {sound}
    assert lib_scope.current() is None


def test_a_job_whose_time_is_over_begins_no_further_agency(cast: Cast) -> None:
    """The worker is about to be killed; the limit is no fault of the agency that it fell upon."""
    begun: list[int] = []

    def deed(agency_id: int) -> None:
        begun.append(agency_id)
        raise SoftTimeLimitExceeded

    with pytest.raises(SoftTimeLimitExceeded):
        in_each_agency(deed)
    assert len(begun) == 1
