"""Pages of keys: who may make, exchange and revoke one, and that a key that vouches is an officer's."""

import re

import pytest
from django.urls import reverse

from callprivacy.accounts.enums import ApiScope, Role
from callprivacy.accounts.models import ApiKey
from callprivacy.tenancy.scope import job_scope
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast, assemble
from tests.consent.systems import system_of

pytestmark = pytest.mark.django_db

SAID = {"overlap": "7", "life": "90", "days": "90"}
KEY = re.compile(r"cpk_[0-9a-f]{20}\.[A-Za-z0-9_-]{43}")


@pytest.fixture
def cast() -> Cast:
    return assemble()


def of(cast: Cast, *scopes: ApiScope) -> str:
    """The address at which a key with these scopes is exchanged."""
    system = system_of(cast.dentist, cast.alice, scopes=scopes)
    with job_scope(agency_id=cast.acme.pk):
        row = ApiKey.objects.get(key=system.key[4:24])
    return reverse("accounts:rotate_api_key", args=["dentist", row.pk])


def test_a_key_that_vouches_is_exchanged_by_an_officer_alone(cast: Cast) -> None:
    carol = make.person(cast.acme, "carla", Role.ADMIN)
    make.grant(carol, cast.dentist, Role.ACCOUNT_MANAGER)
    vouching, plain = (
        of(cast, ApiScope.CONSENT_WRITE, ApiScope.CONSENT_PROVE),
        of(cast, ApiScope.CONSENT_WRITE),
    )
    browser = signed_in(carol)
    assert browser.get(vouching).status_code == 403
    assert browser.post(vouching, SAID).status_code == 403
    with job_scope(agency_id=cast.acme.pk):
        assert ApiKey.objects.count() == 2
    page = browser.get(reverse("accounts:api_keys", args=["dentist"])).text
    assert vouching not in page
    assert plain in page
    assert KEY.search(browser.post(plain, SAID).text)
    assert KEY.search(signed_in(cast.alice).post(vouching, SAID).text)


def test_a_key_may_no_more_at_a_client_than_who_makes_or_exchanges_it(cast: Cast) -> None:
    """Else who may only connect trackers would write refusals down, and recordings would leave."""
    make.grant(cast.carol, cast.dentist, Role.ADMIN)
    new, exchange = (
        reverse("accounts:create_api_key", args=["dentist"]),
        of(cast, ApiScope.CONSENT_WRITE),
    )
    carol = signed_in(cast.carol)
    assert carol.get(new).status_code == carol.post(exchange, SAID).status_code == 403
    make.grant(cast.carol, cast.dentist, Role.ACCOUNT_MANAGER)
    said = SAID | {"name": "CRM"}
    offered = {scope.value for scope in ApiScope if scope.value in carol.get(new).text}
    assert offered == {scope.value for scope in ApiScope} - {ApiScope.CONSENT_PROVE.value}
    assert not KEY.search(carol.post(new, said | {"scopes": [ApiScope.CONSENT_PROVE.value]}).text)
    assert KEY.search(carol.post(new, said | {"scopes": [ApiScope.CONTACT_CHECK.value]}).text)
    assert KEY.search(carol.post(exchange, SAID).text)


@pytest.mark.parametrize("is_exchange", [False, True])
def test_loading_the_page_of_a_new_key_again_makes_no_other(cast: Cast, is_exchange: bool) -> None:
    browser = signed_in(cast.alice)
    page = (
        of(cast, ApiScope.CONSENT_WRITE)
        if is_exchange
        else reverse("accounts:create_api_key", args=["dentist"])
    )
    (key_id,) = re.findall(r'name="key_id" value="([^"]+)"', browser.get(page).text)
    said = SAID | {"key_id": key_id, "name": "CRM", "scopes": [ApiScope.CONSENT_WRITE.value]}

    assert KEY.search(browser.post(page, said).text)
    again = browser.post(page, said)

    assert again.status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        assert ApiKey.objects.count() == 1 + is_exchange
