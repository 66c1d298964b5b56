"""The privacy notice: written from what is set up, published whole, flagged and compared when things change."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client as Browser

from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import PartyRole
from callprivacy.tenancy.models import Client, Engagement
from callprivacy.tenancy.scope import job_scope
from callprivacy.work.models import Item
from consent.enums import Basis, Language, Standard
from retention.enums import Category
from retention.models import Policy
from rights import kinds
from rights.channels import gpc
from rights.channels import notice as composing
from rights.models import PrivacyNotice, RequestPage
from rights.selectors import notice as selectors
from rights.services import notice
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.make import NOON

pytestmark = pytest.mark.django_db


def staff(cast: Cast) -> Browser:
    """Alice's browser: an officer who is granted both clients."""
    return signed_in(cast.alice)


def open_page(client: Client, **said: object) -> str:
    """Open a client's requests page; returns its key."""
    with job_scope(agency_id=client.agency_id):
        page = notice.save_page(
            agency=client.agency,
            client=client,
            said={"email": "privacy@dentist.example", **said},
            by=make.JOB,
            at=NOON,
        )
        return page.key


def publish(client: Client, *, by: Actor = make.JOB) -> PrivacyNotice:
    """Publish what the notice says now."""
    with job_scope(agency_id=client.agency_id):
        page = notice.open_page(agency_id=client.agency_id, client=client, at=NOON)
        facts = selectors.facts_of(client, page, at=NOON)
        seen = selectors.digest_of(facts.as_json(), selectors.body_of(facts))
        return notice.publish(client=client, seen=seen, by=by, at=NOON)


def keep_recordings(client: Client, days: int) -> None:
    with job_scope(agency_id=client.agency_id):
        Policy.objects.update_or_create(
            agency_id=client.agency_id, client=client, category=Category.RECORDING,
            defaults={"keep_for_days": days, "set_at": NOON},
        )  # fmt: skip


def test_no_language_lacks_a_word() -> None:
    wanted = {f"basis_{basis}" for basis in Basis} | {f"standard_{standard}" for standard in Standard}
    wanted |= {f"{word}_{category}" for category in composing.SHOWN for word in ("kept", "from")}
    wanted |= {f"as_{role}" for role in PartyRole}
    wanted |= composing._SAY[Language.ENGLISH].keys() | composing._SAY[Language.SPANISH].keys()

    assert {language: wanted - say.keys() for language, say in composing._SAY.items()} == {
        Language.ENGLISH: set(), Language.SPANISH: set(),
    }  # fmt: skip


def test_the_notice_says_what_is_set_up(cast: Cast) -> None:
    keep_recordings(cast.dentist, 45)
    make.tracking_number(cast.dentist, "+14045550199", provider="callrail", records=True)
    key = open_page(
        cast.dentist,
        others="Example Hosting: keeps the servers",
        more_en="Ask Ann.",
        more_es="Pregunte a Ana.",
    )
    publish(cast.dentist)
    page = Browser().get(f"/r/{key}/privacy/").content.decode()
    for said in (
        "45 days",
        "CallRail",
        "Example Hosting",
        "privacy@dentist.example",
        "Ask Ann.",
        "Global Privacy Control",
    ):
        assert said in page, said
    assert "California" in page
    spanish = Browser().get(f"/r/{key}/privacy/?lang=es").content.decode()
    assert "45 días" in spanish
    assert "Pregunte a Ana." in spanish


def test_a_change_makes_it_old_shows_the_difference_and_waits_for_somebody(
    cast: Cast,
) -> None:
    keep_recordings(cast.dentist, 90)
    open_page(cast.dentist)
    publish(cast.dentist)
    assert notice.watch(agency_id=cast.acme.pk, at=NOON) == 0
    keep_recordings(cast.dentist, 30)
    with job_scope(agency_id=cast.acme.pk):
        Engagement.objects.update_or_create(
            agency_id=cast.acme.pk, client=cast.dentist, defaults={"record_as": "controller"}
        )
    assert notice.watch(agency_id=cast.acme.pk, at=NOON) == 1
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().filter(kind=kinds.NOTICE_OLD, client=cast.dentist).count() == 1
    page = staff(cast).get("/clients/dentist/privacy-notice/").content.decode()
    assert "out of date" in page
    assert "<del" in page
    assert ">90<" in page.replace("</span>", "").replace('<span class="sr-only">[removed: ', ">").replace(
        '<span class="sr-only">]', "<"
    )
    publish(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(kind=kinds.NOTICE_OLD).exists()


@pytest.mark.parametrize("transcribes", [True, False])
def test_notices_that_said_names_are_taken_out_of_words_fall_due(cast: Cast, *, transcribes: bool) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(takes_transcripts=transcribes)
        client = Client.objects.select_related("agency").get(pk=cast.dentist.pk)
        facts = selectors.facts_of(client, RequestPage(agency=cast.acme, client=client, key="k"), at=NOON)
    before = facts.as_json()
    before.pop("taken_out", None)

    assert selectors.Standing(facts, PrivacyNotice(facts=before)).is_old is transcribes
    assert not selectors.Standing(facts, PrivacyNotice(facts=facts.as_json())).is_old
    english, spanish = (composing.as_text(composing.compose(facts, one)) for one in Language)
    assert ("names stay in it" in english) is transcribes
    assert ("los nombres quedan" in spanish) is transcribes


def test_a_published_notice_is_never_changed(cast: Cast) -> None:
    open_page(cast.dentist)
    row = publish(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        assert PrivacyNotice.objects.filter(pk=row.pk).update(number=9) == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgname FROM pg_trigger WHERE tgname = 'rights_privacynotice_published'")
        assert cursor.fetchone() is not None


def test_what_was_shown_is_what_is_published(cast: Cast) -> None:
    open_page(cast.dentist)
    with job_scope(agency_id=cast.acme.pk), pytest.raises(notice.ChangedMeanwhileError):
        notice.publish(client=cast.dentist, seen=b"x" * 32, by=make.JOB, at=NOON)
    publish(cast.dentist)
    with pytest.raises(notice.NothingNewError):
        publish(cast.dentist)


def test_an_older_version_stays_readable_and_its_hash_is_over_what_it_says(cast: Cast) -> None:
    key = open_page(cast.dentist)
    first = publish(cast.dentist)
    keep_recordings(cast.dentist, 12)
    second = publish(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        first.refresh_from_db()
        assert selectors.digest_of(first.facts, first.body) == bytes(first.digest)
        assert selectors.changes(first, second.body, Language.SPANISH)
    old = Browser().get(f"/r/{key}/privacy/1/").content.decode()
    assert bytes(first.digest).hex() in old
    assert "12 days" not in old
    assert Browser().get(f"/r/{key}/privacy/3/").status_code == 404


def test_the_file_for_the_clients_domain_is_what_the_specification_says(
    cast: Cast,
) -> None:
    open_page(cast.dentist)
    answer = staff(cast).get("/clients/dentist/requests-page/gpc.json")
    assert answer.headers["Content-Type"] == "application/json"
    said = json.loads(answer.content)
    assert said["gpc"] is True
    assert said["lastUpdate"] == (NOON - timedelta(hours=8)).date().isoformat()
    page = staff(cast).get("/clients/dentist/requests-page/").content.decode()
    assert "/.well-known/gpc.json" in page
    assert "Your Privacy Choices" in page


def test_a_pasted_link_holds_no_code_of_its_own() -> None:
    tag = gpc.link_tag('https://x.example/r/"><script>/', "https://x.example/icon.svg", language="en")
    assert "<script>" not in tag
    assert "onclick" not in tag


def test_another_address_opens_and_the_old_one_is_nothing(cast: Cast) -> None:
    key = open_page(cast.dentist)
    assert Browser().get(f"/r/{key}/").status_code == 200
    assert staff(cast).post("/clients/dentist/requests-page/key/").status_code == 302
    assert Browser().get(f"/r/{key}/").status_code == 404
