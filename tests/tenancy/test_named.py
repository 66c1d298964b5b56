"""Commands name an agency and its clients by their short names."""

import pytest

from callprivacy.lib import scope as lib_scope
from callprivacy.tenancy import selectors
from tests.cast import Cast
from tests.scale import some

pytestmark = pytest.mark.django_db


def test_an_agency_is_found_by_its_short_name(cast: Cast) -> None:
    assert selectors.agency_id_of("acme") == cast.acme.pk
    assert selectors.agency_id_of("globex") == cast.globex.pk
    assert selectors.agency_id_of("nobody") is None
    assert lib_scope.current() is None


@pytest.mark.parametrize(
    ("agency", "client", "names"),
    some(
        [
            (None, None, ["acme/dentist", "acme/plumber", "globex/florist"]),
            ("acme", None, ["acme/dentist", "acme/plumber"]),
            (None, "florist", ["globex/florist"]),
            ("acme", "florist", []),
            ("nobody", None, []),
        ],
        one_in=5,
        each=lambda case: bool(case[2]),
    ),
)
def test_clients_are_chosen_of_one_agency_or_of_all(
    cast: Cast, agency: str | None, client: str | None, names: list[str]
) -> None:
    assert [name for _, name in selectors.clients_chosen(agency, client)] == names
    assert lib_scope.current() is None
