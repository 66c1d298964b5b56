"""From where people work and systems ask, where an agency says so; and nobody locks themselves out."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command

from callprivacy.accounts import access
from callprivacy.accounts.enums import ApiScope, Role
from callprivacy.accounts.forms import SignInPolicyForm
from callprivacy.accounts.services import api_keys, passwords
from callprivacy.audit import services as audit
from callprivacy.audit.models import Event
from callprivacy.lib import networks
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast, assemble

OFFICE = "198.51.100.7"


@pytest.fixture
def cast(db: None) -> Cast:
    return assemble()


def restrict(cast: Cast, *found: str) -> None:
    with job_scope(agency_id=cast.acme.pk):
        passwords.change_policy(
            agency=cast.acme, values={"networks": list(found)}, by=make.JOB, at=make.now()
        )


def test_lines_are_networks_in_one_spelling() -> None:
    assert networks.parse("198.51.100.7\n 2001:db8::1/64, 198.51.100.7/32\n\n") == [
        "198.51.100.7/32",
        "2001:db8::/64",
    ]
    for text in (
        "office",
        "198.51.100.300",
        "0.0.0.0/0",
        "::/0",
        "10.0.0.0/7",
        "\n".join(f"10.0.0.{n}" for n in range(51)),
    ):
        with pytest.raises(networks.NoNetworkError):
            networks.parse(text)
    assert networks.holds(["198.51.100.0/24", "2001:db8::/64"], OFFICE)
    assert networks.holds(["198.51.100.0/24", "2001:db8::/64"], "2001:db8::9")
    for address in (None, "203.0.113.1", "no address"):
        assert not networks.holds(["198.51.100.0/24"], address)


def test_from_elsewhere_there_is_the_way_out_and_nothing_else(cast: Cast, settings: Any) -> None:
    settings.CALLPRIVACY_PROXY_COUNT = 1
    restrict(cast, "198.51.100.0/24")
    browser = signed_in(cast.alice)
    assert browser.get("/calls/", HTTP_X_FORWARDED_FOR=OFFICE).status_code == 200
    # what the client claims further left counts for nothing
    answer = browser.get("/calls/", HTTP_X_FORWARDED_FOR=f"{OFFICE}, 203.0.113.9")
    assert answer.status_code == 403
    assert "Not from here" in answer.content.decode()
    assert browser.post("/clients/new/", {}, HTTP_X_FORWARDED_FOR="203.0.113.9").status_code == 403
    assert browser.get("/accounts/2fa/", HTTP_X_FORWARDED_FOR="203.0.113.9").status_code == 403
    assert signed_in(cast.mallory).get("/calls/", HTTP_X_FORWARDED_FOR="203.0.113.9").status_code == 200
    audit.fold_refusals(at=make.now() + timedelta(hours=1))
    with job_scope(agency_id=cast.acme.pk):
        refused = Event.objects.filter(action="access.refused").order_by("id")
        found = [(event.details["method"], event.details.get("more")) for event in refused]
    assert found == [("GET", None), ("POST", None), ("GET", 1)]
    assert browser.post("/accounts/logout/", HTTP_X_FORWARDED_FOR="203.0.113.9").status_code == 302


def test_nobody_locks_themselves_out(cast: Cast) -> None:
    admin = make.person(cast.acme, "Dora", Role.ADMIN)
    with job_scope(agency_id=cast.acme.pk):
        said = SignInPolicyForm.values_of(access.policy_of(cast.acme))
    said = {name: value for name, value in said.items() if value not in (None, "")}
    browser, url = signed_in(admin), "/people/passwords/rule/"
    page = browser.post(url, said | {"networks": "203.0.113.0/24"}).content.decode()
    assert "You are at 127.0.0.1 now, so this would lock you out." in page
    assert browser.post(url, said | {"networks": "127.0.0.0/8\n203.0.113.0/24"}).status_code == 302
    assert browser.get(url, REMOTE_ADDR="192.0.2.1").status_code == 403
    call_command("open_everywhere", "--agency", "acme")
    assert browser.get(url, REMOTE_ADDR="192.0.2.1").status_code == 200


def test_a_key_opens_nothing_from_elsewhere_and_its_successor_neither(cast: Cast) -> None:
    by = Actor.staff(user_id=cast.alice.user_id)
    at = make.now()
    with job_scope(agency_id=cast.acme.pk):
        made = api_keys.create_key(
            client=cast.dentist,
            name="CRM",
            scopes=[ApiScope.CONSENT_CHECK],
            networks=["198.51.100.0/24"],
            by=by,
            at=at,
        )
        after = api_keys.rotate_key(
            key=made.key, overlap=timedelta(days=1), life=timedelta(days=9), by=by, at=at
        )
    for text in (made.text, after.text):
        with api_keys.entered(text=text, address=OFFICE, at=at) as holder:
            assert holder.client == cast.dentist
        for address in ("203.0.113.9", None):
            with pytest.raises(api_keys.WrongKeyError), api_keys.entered(text=text, address=address, at=at):
                pass
    body = {"numbers": ["+14045550188"], "purpose": "contact"}
    answer = signed_in(cast.mallory).post(
        "/api/v1/consent/check",
        body,
        content_type="application/json",
        HTTP_AUTHORIZATION=f"Bearer {made.text}",
    )
    assert answer.status_code == 401
