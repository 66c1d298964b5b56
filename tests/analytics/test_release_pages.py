"""Pages of releases: who gets in, what is refused beside the field, and a file that only its end takes away."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client as Browser
from django.urls import reverse

from analytics.models.releases import Recipient, Release, ReleaseKind, ReleaseState, ReleaseTrial, Spend
from analytics.selectors import releases as selectors
from analytics.services import building
from callprivacy.accounts.enums import Role
from callprivacy.audit.models import Event
from callprivacy.tenancy.enums import Permission, Sector
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from tests import make
from tests.accounts.browsers import signed_in
from tests.analytics import released
from tests.cast import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(cast: Cast) -> Browser:
    make.grant(cast.alice, cast.dentist)
    return signed_in(cast.alice)


def _form(**fields: object) -> dict[str, object]:
    return {
        "kind": "anonymised",
        "purpose": "Model which campaign brings calls",
        "columns": ["day", "source"],
        "from_on": released.FIRST.isoformat(),
        "last_on": released.LAST.isoformat(),
        "keep_for_days": "90",
    } | fields


def test_who_may_release_finds_the_releases_and_nobody_else_is_led_there(cast: Cast) -> None:
    where = f'href="{reverse("analytics:releases")}"'
    # Not an officer of the agency: one client's data may be released, and its reports seen.
    proposer = make.person(cast.acme, "petra", Role.ACCOUNT_MANAGER)
    make.grant(proposer, cast.dentist, Role.OFFICER)
    assert where in signed_in(proposer).get(reverse("analytics:home")).content.decode()

    # Without reports the entry of the frame is the releases' own, and no page leads back to reports.
    blind = make.person(cast.acme, "boris", Role.ACCOUNT_MANAGER)
    make.grant(blind, cast.dentist, Role.OFFICER, without=Permission.VIEW_ANALYTICS)
    browser = signed_in(blind)
    own = f'href="{reverse("analytics:client_releases", args=["dentist"])}"'
    assert own in browser.get(reverse("dashboard:overview")).content.decode()
    page = browser.get(reverse("analytics:releases"))
    assert page.status_code == 200
    assert f'href="{reverse("analytics:home")}"' not in page.content.decode()

    analyst = make.person(cast.acme, "anna", Role.ANALYST)
    make.grant(analyst, cast.dentist)
    reports = signed_in(analyst).get(reverse("analytics:home")).content.decode()
    assert where in reports
    assert f'href="{reverse("analytics:anonymized_export")}"' in reports

    manager = make.person(cast.acme, "mia", Role.ACCOUNT_MANAGER)
    make.grant(manager, cast.dentist)
    assert where not in signed_in(manager).get(reverse("analytics:home")).content.decode()


def test_an_analyst_exports_anonymized_rows_that_an_officer_signs(cast: Cast) -> None:
    released.fill(cast.dentist)
    anna = make.person(cast.acme, "anna", Role.ANALYST)
    make.grant(anna, cast.dentist)
    analyst, olga = signed_in(anna), released.officer(cast)
    url = reverse("analytics:anonymized_export")
    wanted = _form(client="dentist", columns=["day", "source", "outcome"])

    planned = analyst.post(url, wanted)["Location"]
    with job_scope(agency_id=cast.acme.pk):
        trial = ReleaseTrial.objects.select_related("release__recipient").get()
    release = trial.release
    assert planned == reverse("analytics:tried", args=["dentist", release.pk, trial.pk])
    assert release.recipient.email == anna.user.email
    assert (trial.k, release.kind, release.keep_for_days) == (11, ReleaseKind.ANONYMISED, 30)
    assert "as far as the setting needs" in analyst.get(planned).content.decode()
    building.run_trial(due=building.Work(cast.acme.pk, trial.pk), clock=make.now)

    plan = analyst.get(planned).content.decode()
    assert "as far as the setting needs" not in plan
    for words in ("each value as it is", "not selected", "ids, exact times", "at most 1 time in"):
        assert words in plan
    analyst.post(reverse("analytics:propose_release", args=["dentist", release.pk, trial.pk]))
    one = reverse("analytics:release", args=["dentist", release.pk])
    assert b"Sign the release" not in analyst.get(one).content
    assert analyst.post(reverse("analytics:approve_release", args=["dentist", release.pk])).status_code == 403
    assert released.signed(released.fresh(release), olga, at=make.now()).state == ReleaseState.RELEASED
    answer = analyst.post(reverse("analytics:take_release", args=["dentist", release.pk]))
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]  # a file's answer
    assert content.startswith(b'"Day","Source","Outcome"')
    assert len(content.splitlines()) == released.fresh(release).rows + 1

    # Asking again is the same recipient.
    analyst.post(url, wanted)
    with job_scope(agency_id=cast.acme.pk):
        assert Recipient.objects.count() == 1


def test_an_export_is_refused_beside_the_field(cast: Cast) -> None:
    anna = make.person(cast.acme, "anna", Role.ANALYST)
    make.grant(anna, cast.dentist)
    analyst, url = signed_in(anna), reverse("analytics:anonymized_export")
    for fields, words in (
        ({"client": "plumber"}, "Pick one from the list"),
        ({"client": "dentist", "columns": ["outcome"]}, "at least one column that is made coarser"),
        ({"client": "dentist", "last_on": make.now().date().isoformat()}, "That day is not over yet"),
    ):
        assert words in analyst.post(url, _form(**fields)).content.decode()
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(sector=Sector.HEALTH)
    assert "No rows leave for your clients" in analyst.get(url).content.decode()
    assert "Pick one from the list" not in analyst.post(url, _form(client="dentist")).content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert not Recipient.objects.exists()
    # A person who releases no data has no page.
    manager = make.person(cast.acme, "mia", Role.ACCOUNT_MANAGER)
    make.grant(manager, cast.dentist)
    assert signed_in(manager).get(url).status_code == 403


def test_pseudonymized_files_take_seeing_calls(cast: Cast, alice: Browser) -> None:
    to = released.recipient(cast.dentist, cast.alice)
    release = released.draft(to, cast.alice, kind=ReleaseKind.PSEUDONYMISED)
    anna = make.person(cast.acme, "anna", Role.ANALYST)
    make.grant(anna, cast.dentist)
    analyst = signed_in(anna)
    one, new = (
        reverse("analytics:release", args=["dentist", release.pk]),
        reverse("analytics:release_new", args=["dentist"]),
    )

    assert alice.get(one).status_code == 200
    assert analyst.get(one).status_code == 403
    assert b'value="pseudonymised"' in alice.get(new).content
    assert b'value="pseudonymised"' not in analyst.get(new).content
    wanted = _form(recipient=str(to.pk), kind="pseudonymised", keep_for_days="30")
    assert "Pick one from the list" in analyst.post(new, wanted).content.decode()


def test_a_release_by_hand_from_the_form_to_the_file(cast: Cast, alice: Browser) -> None:
    released.fill(cast.dentist)
    to = released.recipient(cast.dentist, cast.alice)
    page = alice.post(reverse("analytics:release_new", args=["dentist"]), _form(recipient=str(to.pk)))
    with job_scope(agency_id=cast.acme.pk):
        release = Release.objects.get()
    assert page["Location"] == reverse("analytics:release", args=["dentist", release.pk])

    tried = alice.post(reverse("analytics:try_release", args=["dentist", release.pk]), {"k": "12"})
    trial_id = tried["Location"].rstrip("/").rpartition("/")[2]
    release = released.proposed(release, cast.alice, k=12, at=make.now())
    assert trial_id
    olga = signed_in(released.officer(cast))
    assert b"Sign the release" in olga.get(page["Location"]).content
    assert b"Sign the release" not in alice.get(page["Location"]).content
    alice.post(reverse("analytics:approve_release", args=["dentist", release.pk]))
    assert released.fresh(release).state == ReleaseState.WAITING
    olga.post(reverse("analytics:approve_release", args=["dentist", release.pk]))
    assert released.fresh(release).state == ReleaseState.APPROVED


def test_the_file_is_taken_with_a_line_in_the_trail_until_it_is_revoked(cast: Cast, alice: Browser) -> None:
    released.fill(cast.dentist)
    release = released.released(
        released.recipient(cast.dentist, cast.alice), [cast.alice, released.officer(cast)], at=make.now()
    )
    take = reverse("analytics:take_release", args=["dentist", release.pk])
    answer = alice.post(take)
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]  # a file's answer
    assert content.startswith(b'"Day","State or country"')
    sheet = alice.get(reverse("analytics:release_sheet", args=["dentist", release.pk])).content.decode()
    assert selectors.CAVEAT in sheet
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="release.downloaded", subject_id=str(release.pk)).count() == 1

    revoke = reverse("analytics:revoke_release", args=["dentist", release.pk])
    assert b"Northwind Analytics" in alice.get(revoke).content
    assert b"at least 15" in alice.post(revoke, {"reason": "short"}).content.lower()
    alice.post(revoke, {"reason": "The contract with them has ended."})
    assert alice.post(take).status_code == 410


def test_what_may_not_be_is_said_beside_the_field(cast: Cast, alice: Browser) -> None:
    to = released.recipient(cast.dentist, cast.alice)
    url = reverse("analytics:release_new", args=["dentist"])
    for fields, words in (
        ({"columns": ["outcome"]}, b"at least one column that is made coarser"),
        ({"last_on": (released.FIRST - timedelta(days=30)).isoformat()}, b"The last day comes before the first"),
        ({"last_on": (make.now().date() + timedelta(days=2)).isoformat(), "from_on": make.now().date().isoformat()},
         b"That day is not over yet"),
        ({"kind": "pseudonymised"}, b"ends after 30 days at most"),
        ({"recipient": ""}, b"This field is required"),
        ({"purpose": "What (212) 555-0101 wants to know"}, b"looks like a number"),
    ):  # fmt: skip
        assert words in alice.post(url, _form(**({"recipient": str(to.pk)} | fields))).content
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(sector=Sector.HEALTH)
    assert b"No rows of calls may be released" in alice.get(url).content
    assert b"about health" in alice.post(url, _form(recipient=str(to.pk))).content
    with job_scope(agency_id=cast.acme.pk):
        assert not Release.objects.exists()


def test_a_question_is_shown_with_its_cost_before_it_is_paid_for(cast: Cast, alice: Browser) -> None:
    to = released.recipient(cast.dentist, cast.alice, epsilon=Decimal("0.3"))
    url = reverse("analytics:ask_figures", args=["dentist", to.pk])
    asked = {
        "measure": "calls", "by": "weekday", "from_on": released.FIRST.isoformat(),
        "last_on": released.LAST.isoformat(), "calls": "3", "most": "600", "epsilon": "0.2",
    }  # fmt: skip
    page = alice.get(url, asked).content
    assert b"Pay and ask" in page
    with job_scope(agency_id=cast.acme.pk):
        assert not Spend.objects.exists()
    alice.post(url, asked)
    again = alice.post(url, asked).content
    assert b"0.100 of 0.300 is left" in again
    with job_scope(agency_id=cast.acme.pk):
        assert Spend.objects.count() == 1
    shown = alice.get(reverse("analytics:recipient", args=["dentist", to.pk])).content
    assert b"Counting, and adding noise" in shown
    assert b"0.100" in shown


def test_who_releases_no_data_is_told_so(cast: Cast) -> None:
    manager = make.person(cast.acme, "mia", Role.ACCOUNT_MANAGER)
    make.grant(manager, cast.dentist)
    browser = signed_in(manager)
    assert browser.get(reverse("analytics:releases")).status_code == 403
    assert browser.get(reverse("analytics:client_releases", args=["dentist"])).status_code == 403
    assert browser.get(reverse("analytics:release_floor")).status_code == 403


def test_lists_ask_the_same_few_queries_however_long(
    cast: Cast, alice: Browser, django_assert_max_num_queries: object
) -> None:
    to = released.recipient(cast.dentist, cast.alice)
    url = reverse("analytics:client_releases", args=["dentist"])
    alice.get(url)
    counts = []
    for _ in range(2):
        for _ in range(3):
            released.draft(to, cast.alice)
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as found:
            assert alice.get(url).status_code == 200
        counts.append(len(found))
    assert counts[0] == counts[1]
