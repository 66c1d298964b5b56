"""What waits for people, told to the agency's system: signed, once each, and without a client, a caller or a number."""

import json
import re
from datetime import datetime, timedelta

import pytest
from django.core import mail
from django.template.loader import render_to_string
from django.urls import resolve, reverse

from callprivacy.lib.scope import Actor
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import kinds, services, tasks
from callprivacy.work.models import Notification
from consent.services import webhooks
from retention.models import AlertEndpoint, News
from retention.selectors import watch as selectors
from retention.services import news, watch
from tests import make
from tests.cast import Cast
from tests.make import NOON
from tests.rules.world import browser_of

HOUR = timedelta(hours=1)


def told(cast: Cast, kind: str, at: datetime, **more: object) -> None:
    with job_scope(agency_id=cast.acme.pk):
        services.notify(
            kind,
            agency_id=cast.acme.pk,
            user_ids=[cast.alice.user_id, cast.carol.user_id],
            at=at,
            **more,  # type: ignore[arg-type]  # facts of a table
        )


def endpoint(cast: Cast, *, on: bool = True) -> None:
    with job_scope(agency_id=cast.acme.pk):
        row = AlertEndpoint.objects.create(
            agency=cast.acme, url="https://example.com/in", secret=webhooks.new_secret(), created_at=NOON
        )
        if on:
            news.switch(endpoint=row, on=True, by=Actor.staff(user_id=cast.alice.user_id), at=NOON)


@pytest.mark.django_db
def test_a_system_is_told_once_what_several_people_were_told(cast: Cast) -> None:
    told(cast, "breach_reported", NOON - HOUR, key="before")
    endpoint(cast)
    told(cast, "breach_reported", NOON + HOUR, key="one")
    told(cast, "training_soon", NOON + HOUR, key="phishing 7")

    assert news.collect(agency_id=cast.acme.pk, at=NOON + 2 * HOUR) == 1, (
        "of one's own training nobody else is told"
    )
    assert news.collect(agency_id=cast.acme.pk, at=NOON + 2 * HOUR) == 0
    assert news.collect(agency_id=cast.globex.pk, at=NOON + 2 * HOUR) == 0
    letter = news.claim(agency_id=cast.acme.pk, at=NOON + 2 * HOUR)
    assert letter is not None
    assert news.claim(agency_id=cast.acme.pk, at=NOON + 2 * HOUR) is None, "it is claimed"
    with job_scope(agency_id=cast.acme.pk):
        row = selectors.endpoint()
        assert row is not None
        again = webhooks.sign(
            row.secret, message_id=letter.headers["webhook-id"], at=NOON + 2 * HOUR, body=letter.body
        )
    assert letter.headers["webhook-signature"] == again
    body = json.loads(letter.body)
    assert (body["type"], body["data"]["kind"], body["data"]["agency"]) == (
        "work.waits",
        "breach_reported",
        "acme",
    )
    assert "one" not in body["data"].values()
    assert resolve(body["data"]["page"].removeprefix("http://127.0.0.1:8000")).url_name == "queue"

    news.settle(
        agency_id=cast.acme.pk,
        letter=letter,
        status=500,
        words="answered 500",
        chance=0.0,
        at=NOON + 2 * HOUR,
    )
    again_at = NOON + 2 * HOUR + watch.PAUSES[0]
    letter = news.claim(agency_id=cast.acme.pk, at=again_at)
    assert letter is not None
    news.settle(
        agency_id=cast.acme.pk, letter=letter, status=204, words="answered 204", chance=0.0, at=again_at
    )
    assert news.claim(agency_id=cast.acme.pk, at=NOON + 9 * HOUR) is None
    news.collect(agency_id=cast.acme.pk, at=NOON + timedelta(days=9))
    with job_scope(agency_id=cast.acme.pk):
        assert not News.objects.exists(), "after a week it is gone"


@pytest.mark.django_db
def test_what_is_late_to_commit_is_told_too_and_an_address_without_it_is_told_nothing(cast: Cast) -> None:
    endpoint(cast)
    told(cast, "breach_reported", NOON + 2 * HOUR, key="second")
    assert news.collect(agency_id=cast.acme.pk, at=NOON + 3 * HOUR) == 1
    told(cast, "breach_reported", NOON + 1.5 * HOUR, key="first, committed later")
    assert news.collect(agency_id=cast.acme.pk, at=NOON + 3 * HOUR) == 1
    alice = browser_of(cast.alice.user)
    switch = reverse("retention:alert_news")
    assert browser_of(cast.bob.user).post(switch, {"on": "no"}).status_code == 403
    assert "of open items, too" in alice.get(reverse("retention:watch")).content.decode()
    alice.post(switch, {"on": "no"})
    told(cast, "breach_reported", NOON + 3 * HOUR, key="third")
    assert news.collect(agency_id=cast.acme.pk, at=NOON + 4 * HOUR) == 0
    assert news.claim(agency_id=cast.acme.pk, at=NOON + 4 * HOUR) is None


# --- Of every kind ---


def test_no_kind_says_a_number_or_more_than_its_words_and_leads_only_behind_the_sign_in() -> None:
    """A kind's words are written here, none is filled in; where it leads, nobody comes in without signing in."""
    for kind in kinds.every():
        assert not re.search(r"[{}%<>@]|\d{3}|https?:", kind.title + kind.step), kind.name
        for args in ([], ["dentist"]):
            try:
                address = reverse(kind.url_name, args=args)
            except Exception:  # noqa: BLE001, S112  (with a client or without)
                continue
            view = resolve(address).func
            assert getattr(view, "login_required", True), kind.name
            break
        else:
            raise AssertionError(f"{kind.name} leads nowhere")


@pytest.mark.django_db(transaction=True)
def test_mail_of_every_kind_has_both_forms_and_one_link_that_asks_to_sign_in(
    mailoutbox: list[mail.EmailMultiAlternatives],
) -> None:
    from tests import cast as actors

    cast = actors.assemble()
    for client in (cast.dentist, cast.plumber):
        make.grant(cast.alice, client)
    call = make.call(cast.dentist, "+12025550111")
    with job_scope(agency_id=cast.acme.pk):
        Notification.objects.bulk_create(
            Notification(
                agency=cast.acme, user=cast.alice.user, client=cast.dentist if kind.permission else None,
                kind=kind.name, key=f"{cast.dentist.name} {call.pk}", at=NOON, mail_due_at=NOON,
            )
            for kind in kinds.every()
        )  # fmt: skip
    tasks.send_due_mail()
    (message,) = mailoutbox
    html = str(message.alternatives[0][0])
    assert len(re.findall(r"<li>", html)) > 20
    for text in (message.subject, message.body, html):
        assert not re.search(r"\+?\d[\d ()-]{6,}", text.replace("127.0.0.1:8000", "")), text
        for name in ("Dentist", "Plumber", "Bob", str(call.pk)):
            assert name not in text
    links = set(re.findall(r"https?://[^\s\"<]+", str(message.body) + html))
    assert links == {"http://127.0.0.1:8000/notifications/"}
    assert getattr(resolve("/notifications/").func, "login_required", True)
    assert "<script" not in render_to_string(
        "mail.html", {"subject": "<script>", "text": "<script>x</script>"}
    )
