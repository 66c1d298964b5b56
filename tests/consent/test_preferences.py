"""A person's own choices: a link that ends, switches that count at once, a second question, news by e-mail."""

import io
import re
import uuid
from datetime import timedelta
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected
from typing import Any

import pytest
from django.core import mail
from django.test import Client as Browser

from callprivacy.audit.models import Event
from callprivacy.calls.models import Caller
from callprivacy.calls.services import people
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import client_scope, job_scope, staff_scope
from callprivacy.vault import services as vault
from consent.enums import Channel, EventKind, Language, Purpose, State, Strength
from consent.models import ConsentEvent, Subscription, WebPage
from consent.services import ledger, limits, preferences
from consent.services.ledger import Said
from consent.services.preferences import ExpiredLinkError, UnknownLinkError
from consent.services.web import Visit
from consent.tasks import web as tasks
from tests import make
from tests.cast import Cast
from tests.consent import pages
from tests.consent.pages import events_of, evidence_of, hidden, open_page, publish, states_of
from tests.make import NOON
from tests.scale import some

pytestmark = pytest.mark.as_committed

ONE, OTHER = "+14155550101", "+14155550102"
HOME = "http://127.0.0.1:8000"
VISIT = Visit(page="x", browser="y", opted_out=False)


@pytest.fixture(autouse=True)
def _counts_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_SALT", uuid.uuid4().hex)


@pytest.fixture
def page(cast: Cast) -> WebPage:
    publish(cast.dentist, Purpose.RECORD)
    publish(cast.dentist, Purpose.SHARE, name="Sharing", words="We share your number with advertisers.")
    return open_page(cast.dentist)


def caller_of(cast: Cast, number: str = ONE) -> uuid.UUID:
    with job_scope(agency_id=cast.acme.pk):
        return people.add_callers(client=cast.dentist, numbers=[number], at=NOON)[number]


def link_of(cast: Cast, caller_id: uuid.UUID, *, at: Any = None, **more: Any) -> str:
    """The path of a person's choices."""
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        url = preferences.link_for(client=cast.dentist, caller_id=caller_id, at=at or make.now(), **more)
    assert url.startswith(f"{HOME}/p/")
    return url.removeprefix(HOME)


def bare(path: str) -> str:
    return path.strip("/").removeprefix("p/")


def send(path: str, **said: Any) -> Any:
    """Open the page and press one of its buttons."""
    browser = Browser()
    form = hidden(browser.get(path).content)
    return browser.post(path, {"form": form} | said)


def switch_of(body: str, purpose: str) -> dict[str, str]:
    """One switch as the page draws it."""
    found = re.search(
        rf'name="purpose" value="{purpose}" /><input type="hidden" name="deed" value="(\w+)" />\s*'
        r'<button class="switch" type="submit" role="switch" aria-checked="(\w+)"'
        r' aria-labelledby="([\w-]+)"( disabled)?',
        body,
    )
    assert found is not None, purpose
    return {"deed": found[1], "checked": found[2], "label": found[3], "disabled": found[4] or ""}


# --- Links ---


def test_a_link_holds_no_number_and_no_id_in_the_clear(cast: Cast, page: WebPage) -> None:
    caller_id = caller_of(cast)
    path = link_of(cast, caller_id)
    assert "5550101" not in path
    assert caller_id.hex not in path
    assert len(path) < 140


def test_a_link_opens_until_its_end(cast: Cast, page: WebPage) -> None:
    path = link_of(cast, caller_of(cast), at=NOON, days=30)
    args: dict[str, Any] = {"link": bare(path), "language": Language.ENGLISH, "visit": VISIT}
    assert preferences.show_centre(**args, at=NOON + timedelta(days=30, seconds=-1)).switches
    with pytest.raises(ExpiredLinkError) as caught:
        preferences.show_centre(**args, at=NOON + timedelta(days=30))
    assert caught.value.key == page.key


def test_an_expired_link_leads_to_the_proof_of_the_phone(cast: Cast, page: WebPage) -> None:
    path = link_of(cast, caller_of(cast), at=make.now() - timedelta(days=31))
    answer = Browser().get(path)
    assert answer.status_code == 410
    assert f"/c/{page.key}/choices/".encode() in answer.content
    assert Browser().post(path, {"deed": "withdraw", "purpose": "everything"}).status_code == 410
    assert events_of(cast.dentist) == []


def test_a_link_that_was_changed_opens_nothing(cast: Cast, page: WebPage) -> None:
    path = link_of(cast, caller_of(cast))
    key, _, sealed = bare(path).partition(".")
    other = open_page(cast.plumber)
    bad = [
        f"{key}.{sealed[:-4]}AAAA", f"{key}.{sealed[1:]}", key, f"{key}.", f".{sealed}", f"{key}.{sealed}.x",
        f"{other.key}.{sealed}", f"{'x' * 32}.{sealed}", f"{key}.{'é' * 40}", f"{key}.{'A' * 4000}", "%00", "a%00b.c",
    ]  # fmt: skip
    answers = {
        (Browser().get(f"/p/{link}/").status_code, Browser().get(f"/p/{link}/").content) for link in bad
    }
    assert {status for status, _ in answers} == {404}
    assert len(answers) == 1


def test_all_links_of_a_client_can_be_ended(cast: Cast, page: WebPage) -> None:
    path = link_of(cast, caller_of(cast))
    by = Actor.staff(user_id=cast.alice.user_id)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        assert preferences.revoke_links(client=cast.dentist, by=by, at=NOON)
        assert Event.objects.filter(action="consent_links.revoked").exists()
    assert Browser().get(path).status_code == 404
    assert Browser().get(link_of(cast, caller_of(cast))).status_code == 200


def test_the_link_of_an_erased_person_opens_nothing(cast: Cast, page: WebPage) -> None:
    caller_id = caller_of(cast)
    path = link_of(cast, caller_id)
    send(path, deed="withdraw", purpose="record")
    gone = vault.Erasure(caller_id, NOON, (NOON + timedelta(days=900)).date(), keep_evidence=True)
    vault.erase_callers(client_id=cast.dentist.pk, erasures=[gone], at=NOON)
    assert Browser().get(path).status_code == 404
    assert Browser().post(path, {"deed": "withdraw", "purpose": "share"}).status_code == 404


def test_the_page_is_not_kept_not_found_and_says_nothing_to_other_sites(cast: Cast, page: WebPage) -> None:
    answer = Browser().get(link_of(cast, caller_of(cast)))
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert answer.cookies == {}
    assert b"5550101" not in answer.content
    assert "+1 ••• ••• 0101" in answer.content.decode()


def test_the_link_is_in_no_log(cast: Cast, page: WebPage, logged: io.StringIO) -> None:
    path = link_of(cast, caller_of(cast))
    Browser().get(path)
    Browser().post(path, {"deed": "x"})
    said = logged.getvalue()
    assert "request_finished" in said
    assert bare(path).partition(".")[2] not in said
    assert bare(path)[:20] not in said


# --- Switches ---


def test_each_purpose_is_a_switch_with_its_state(cast: Cast, page: WebPage) -> None:
    caller_id = caller_of(cast)
    path = link_of(cast, caller_id)
    send(path, deed="give", purpose="record")
    body = Browser().get(path).content.decode()
    assert switch_of(body, "record") == {
        "deed": "withdraw",
        "checked": "true",
        "label": "p-record",
        "disabled": "",
    }
    assert switch_of(body, "share")["checked"] == "false"
    assert switch_of(body, "measure")["checked"] == "true", (
        "counting rests on no consent; it can be objected to"
    )
    assert switch_of(body, "review") == {
        "deed": "give", "checked": "false", "label": "p-review", "disabled": " disabled",
    }  # fmt: skip
    assert re.search(r"Allowed since \d+ \w{3} \d{4}, \d\d:\d\d:\d\d E[SD]T", body)
    assert "We share your number with advertisers." in body, "what a yes would mean stands beside it"


def test_whoever_never_answered_can_say_no_to_one_thing(cast: Cast, page: WebPage) -> None:
    """Nothing said is no no: a client that announces may record. So a no is offered beside the switch."""
    caller_id = caller_of(cast)
    path = link_of(cast, caller_id)
    body = Browser().get(path).content.decode()
    assert body.count("Opt out</button>") == 5, "counting is on by itself, and its switch says no"
    assert "Calls with this number cannot be recorded." not in body, "what was not said is not claimed"
    send(path, deed="withdraw", purpose="review")
    assert states_of(cast.dentist, caller_id) == {"review": State.WITHDRAWN}
    assert Browser().get(path).content.decode().count("Opt out</button>") == 4


def test_turning_off_is_one_press_and_says_when_it_stopped(cast: Cast, page: WebPage) -> None:
    path = link_of(cast, caller_of(cast))
    send(path, deed="give", purpose="record")
    answer = send(path, deed="withdraw", purpose="record")
    assert answer.status_code == 303
    body = Browser().get(answer.headers["Location"]).content.decode()
    stopped = events_of(cast.dentist)[-1]
    assert (stopped.kind, stopped.channel, stopped.strength) == (
        EventKind.WITHDRAWN,
        Channel.PORTAL,
        Strength.B,
    )
    clock = stopped.happened_at.astimezone(make_zone(cast.dentist)).strftime("%H:%M:%S")
    assert f"Stopped at {clock}" in body
    assert "Stopped at" not in Browser().get(f"{path}?said=share").content.decode()
    assert "<script" not in Browser().get(f"{path}?said=<script>").content.decode()


def make_zone(client: Client) -> Any:
    from zoneinfo import ZoneInfo

    return ZoneInfo(client.time_zone)


def test_everything_stops_with_one_press(cast: Cast, page: WebPage) -> None:
    caller_id = caller_of(cast)
    path = link_of(cast, caller_id)
    answer = send(path, deed="withdraw", purpose="everything")
    assert states_of(cast.dentist, caller_id) == dict.fromkeys(Purpose, State.WITHDRAWN)
    body = Browser().get(answer.headers["Location"]).content.decode()
    assert "Stopped at" in body
    assert "Everything is stopped." in body
    assert send(path, deed="give", purpose="everything").status_code == 303
    assert states_of(cast.dentist, caller_id) == dict.fromkeys(Purpose, State.WITHDRAWN), (
        "there is no yes to everything"
    )


def test_a_yes_is_given_to_the_words_beside_the_switch(cast: Cast, page: WebPage) -> None:
    send(link_of(cast, caller_of(cast), strength=Strength.A), deed="give", purpose="record")
    (event,) = events_of(cast.dentist)
    assert (event.kind, event.channel, event.strength) == (EventKind.GIVEN, Channel.PORTAL, Strength.A)
    evidence = evidence_of(cast.dentist)["record portal"]
    assert evidence["words"] == pages.WORDS
    assert evidence["page"] == "127.0.0.1:8000/p/", "the address is a secret"


def test_without_words_in_force_there_is_no_yes(cast: Cast, page: WebPage) -> None:
    answer = send(link_of(cast, caller_of(cast)), deed="give", purpose="review")
    assert answer.status_code == 422
    assert b"You cannot allow this here" in answer.content
    assert events_of(cast.dentist) == []


def test_a_page_that_was_open_for_too_long_changes_nothing(cast: Cast, page: WebPage) -> None:
    path = link_of(cast, caller_of(cast))
    for form in ("", "forged.one"):
        answer = Browser().post(path, {"form": form, "deed": "give", "purpose": "record"})
        assert answer.status_code == 403
    assert send(path, deed="steal", purpose="record").status_code == 422
    assert events_of(cast.dentist) == []


def test_sharing_after_a_no_is_asked_twice(cast: Cast, page: WebPage) -> None:
    caller_id = caller_of(cast)
    path = link_of(cast, caller_id)
    assert send(path, deed="give", purpose="share").status_code == 303, "the first yes of all is one press"
    send(path, deed="withdraw", purpose="share")
    first = send(path, deed="give", purpose="share")
    assert first.status_code == 200
    assert b"Allow sharing again?" in first.content
    assert states_of(cast.dentist, caller_id) == {"share": State.WITHDRAWN}

    again = {"form": hidden(first.content), "deed": "give", "purpose": "share"}
    theirs = preferences.question_for(link=bare(link_of(cast, caller_of(cast, OTHER))), at=make.now())
    for asked in ("", "forged.one", hidden(first.content), theirs):
        assert Browser().post(path, again | {"asked": asked}).status_code == 200
    assert states_of(cast.dentist, caller_id) == {"share": State.WITHDRAWN}

    assert Browser().post(path, again | {"asked": hidden(first.content, "asked")}).status_code == 303
    assert states_of(cast.dentist, caller_id) == {"share": State.GIVEN}
    assert evidence_of(cast.dentist)["share portal"]


def test_the_second_question_counts_for_a_quarter_of_an_hour(cast: Cast, page: WebPage) -> None:
    from consent.channels import tokens

    caller_id = uuid.uuid4()
    text = tokens.sign_question(1, caller_id, at=NOON)
    assert tokens.was_asked(text, client_id=1, caller_id=caller_id, at=NOON + timedelta(minutes=14))
    assert not tokens.was_asked(text, client_id=1, caller_id=caller_id, at=NOON + timedelta(minutes=15))
    assert not tokens.was_asked(text, client_id=2, caller_id=caller_id, at=NOON)
    assert not tokens.was_asked(text, client_id=1, caller_id=uuid.uuid4(), at=NOON)


def test_another_persons_choices_are_their_own(cast: Cast, page: WebPage) -> None:
    send(link_of(cast, caller_of(cast)), deed="withdraw", purpose="everything")
    assert states_of(cast.dentist, caller_of(cast, OTHER)) == {}
    body = Browser().get(link_of(cast, caller_of(cast, OTHER))).content.decode()
    assert "0102" in body
    assert "Everything is stopped." not in body


@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_the_page_asks_a_bounded_number_of_questions(
    cast: Cast, page: WebPage, django_assert_max_num_queries: Any
) -> None:
    path = link_of(cast, caller_of(cast))
    send(path, deed="withdraw", purpose="everything")
    with django_assert_max_num_queries(21):
        Browser().get(path)


# --- News by e-mail ---

ADDRESS = "jane@example.com"


def ask_for_news(path: str, *, address: str = ADDRESS, **said: str) -> Any:
    return send(path, deed="updates", address=address, **(said or {"on_change": "on", "on_notice": "on"}))


def run(monkeypatch: pytest.MonkeyPatch, *, later: timedelta = timedelta(minutes=1)) -> list[Any]:
    """Let the job run, a while later; returns the mails of this run."""
    at = make.now() + later
    monkeypatch.setattr("consent.tasks.web.timezone.now", lambda: at)
    before = len(mail.outbox)
    tasks.send_updates()
    monkeypatch.undo()
    return mail.outbox[before:]


def link_in(message: Any) -> str:
    found = re.search(rf"{HOME}(/p/\S+)", str(message.body))
    assert found is not None
    return found[1]


def subscriptions(client: Client) -> list[Subscription]:
    with job_scope(agency_id=client.agency_id):
        return list(Subscription.objects.for_client(client))


def confirmed(cast: Cast, monkeypatch: pytest.MonkeyPatch, **said: str) -> tuple[uuid.UUID, str]:
    """A person whose address is confirmed; the caller and the path of the choices."""
    caller_id = caller_of(cast)
    path = link_of(cast, caller_id)
    ask_for_news(path, **said)
    (message,) = run(monkeypatch)
    assert send(link_in(message)).status_code == 200
    return caller_id, path


def test_news_is_off_until_somebody_asks(cast: Cast, page: WebPage, monkeypatch: pytest.MonkeyPatch) -> None:
    path = link_of(cast, caller_of(cast))
    body = Browser().get(path).content.decode()
    assert not re.search(r'name="on_(change|notice)" checked', body)
    send(path, deed="withdraw", purpose="everything")
    assert run(monkeypatch) == []


def test_an_address_counts_once_its_owner_pressed_the_button(
    cast: Cast, page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = link_of(cast, caller_of(cast))
    answer = ask_for_news(path)
    assert "said=asked" in answer.headers["Location"]
    send(path, deed="withdraw", purpose="record")
    (message,) = run(monkeypatch)
    assert message.to == [ADDRESS]
    assert message.subject == "Dentist LLC: confirm your address"
    assert message.from_email.startswith("Dentist <")
    assert "5550101" not in str(message.message())
    there = link_in(message)
    assert run(monkeypatch) == [], "asked once"

    shown = Browser().get(there)
    assert b"Do you want Dentist LLC to email you" in shown.content
    assert b"switch" not in shown.content, "whoever got the mail by mistake sees no choices"
    assert subscriptions(cast.dentist)[0].confirmed_at is None, "programs open links on their own"
    assert Browser().post(there, {}).status_code == 403
    assert Browser().post(there, {"deed": "withdraw", "purpose": "everything"}).status_code == 403
    assert b"Confirmed." in send(there).content
    assert subscriptions(cast.dentist)[0].confirmed_at is not None
    assert "j•••@example.com" in Browser().get(path).content.decode()
    assert ADDRESS not in Browser().get(path).content.decode()


def test_no_news_goes_out_whose_link_leads_nowhere(
    cast: Cast, page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, path = confirmed(cast, monkeypatch)
    send(path, deed="withdraw", purpose="record")
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(shut_at=NOON)
    assert run(monkeypatch) == []


def test_a_change_is_told_once_with_a_link_to_the_choices(
    cast: Cast, page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, path = confirmed(cast, monkeypatch)
    send(path, deed="give", purpose="record")
    send(path, deed="withdraw", purpose="record")
    (message,) = run(monkeypatch)
    text = str(message.body)
    assert re.search(r"- Recording: stopped, \d+ \w{3} \d{4}, \d\d:\d\d:\d\d E[SD]T", text)
    assert "allowed" not in text, "only what holds now"
    assert "5550101" not in text
    assert run(monkeypatch) == []
    assert Browser().get(link_in(message)).status_code == 200


def test_what_is_seconds_old_waits_for_the_next_run(
    cast: Cast, page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier event may commit after a later one; nothing is told before that is over."""
    _, path = confirmed(cast, monkeypatch)
    send(path, deed="withdraw", purpose="record")
    assert run(monkeypatch, later=timedelta(seconds=5)) == []
    assert len(run(monkeypatch)) == 1


def test_new_words_of_a_notice_are_told_to_who_agreed_to_the_old_ones(
    cast: Cast, page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, path = confirmed(cast, monkeypatch, on_notice="on")
    send(path, deed="give", purpose="record")
    assert run(monkeypatch) == []
    publish(cast.dentist, Purpose.SHARE, name="Sharing", words="Other words on sharing.", at=make.now())
    assert run(monkeypatch) == [], "the person did not agree to that one"
    publish(cast.dentist, Purpose.RECORD, words="Calls are recorded and monitored for longer.", at=make.now())
    (message,) = run(monkeypatch)
    assert "Calls are recorded and monitored for longer." in str(message.body)
    assert "Recording: " not in str(message.body), "only notices were asked for"
    assert run(monkeypatch) == []


def test_whoever_agreed_to_the_new_words_is_not_told_of_them(
    cast: Cast, page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, path = confirmed(cast, monkeypatch, on_notice="on")
    send(path, deed="give", purpose="record")
    publish(cast.dentist, Purpose.RECORD, words="New words.", at=make.now())
    send(path, deed="give", purpose="record")
    assert run(monkeypatch) == []


@pytest.mark.thorough
def test_only_what_was_asked_for_is_told(cast: Cast, page: WebPage, monkeypatch: pytest.MonkeyPatch) -> None:
    _, path = confirmed(cast, monkeypatch, on_notice="on")
    send(path, deed="withdraw", purpose="record")
    assert run(monkeypatch) == []


def test_a_server_that_refuses_is_asked_again_and_given_up_at_last(
    cast: Cast, page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = link_of(cast, caller_of(cast))
    ask_for_news(path)
    real = mail.EmailMessage.send

    answers: list[Exception] = [OSError("away"), SMTPServerDisconnected("gone")]

    def refuse(self: Any, *_: Any, **__: Any) -> int:
        raise (
            answers.pop(0)
            if answers
            else SMTPRecipientsRefused({"jane@example.com": (550, b"5.1.1 unknown")})
        )

    mail.EmailMessage.send = refuse  # type: ignore[method-assign]  # a server that refuses
    try:
        run(monkeypatch, later=timedelta(minutes=1))
        run(monkeypatch, later=timedelta(minutes=12))
        assert subscriptions(cast.dentist)[0].attempts == 0, "the address was not refused"
        run(monkeypatch, later=timedelta(minutes=23))
        assert subscriptions(cast.dentist)[0].attempts == 1
        run(monkeypatch, later=timedelta(minutes=24))
        assert subscriptions(cast.dentist)[0].attempts == 1, "its turn is not over"
        for hours in range(1, 9):
            run(monkeypatch, later=timedelta(hours=hours))
        assert subscriptions(cast.dentist)[0].attempts == preferences.MAIL_TRIES
    finally:
        mail.EmailMessage.send = real  # type: ignore[method-assign]  # a server that refuses
    assert run(monkeypatch, later=timedelta(hours=12)) == []
    tasks.purge_public()
    assert subscriptions(cast.dentist) == []


def test_turning_news_off_deletes_the_address(
    cast: Cast, page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, path = confirmed(cast, monkeypatch)
    answer = send(path, deed="updates", address="")
    assert "said=updates_off" in answer.headers["Location"]
    assert subscriptions(cast.dentist) == []


def test_another_address_is_confirmed_anew_and_the_same_one_is_not(
    cast: Cast, page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, path = confirmed(cast, monkeypatch)
    assert "said=saved" in ask_for_news(path, on_change="on").headers["Location"]
    assert "said=saved" in ask_for_news(path, address="", on_notice="on").headers["Location"]
    assert "said=asked" in ask_for_news(path, address="other@example.com").headers["Location"]
    (row,) = subscriptions(cast.dentist)
    assert row.confirmed_at is None
    assert [message.to for message in run(monkeypatch)] == [["other@example.com"]]


@pytest.mark.parametrize(
    "address",
    some(["", "nobody", "a@b", "x" * 300 + "@example.com", "a@example.com\nBcc: b@c.example"], one_in=4),
)
def test_a_wrong_address_is_said(cast: Cast, page: WebPage, address: str) -> None:
    answer = ask_for_news(link_of(cast, caller_of(cast)), address=address)
    assert answer.status_code == 422
    assert b"Enter an email address" in answer.content
    assert subscriptions(cast.dentist) == []


def test_nobody_has_mails_sent_to_many_strangers(
    cast: Cast, page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A day may end between two questions here.
    monkeypatch.setattr("consent.views.preferences._DAY", timedelta(days=36500))
    path = link_of(cast, caller_of(cast))
    codes = [ask_for_news(path, address=f"p{n}@example.com").status_code for n in range(6)]
    assert codes == [303] * 5 + [429]


def test_an_address_nobody_confirms_leaves_after_a_week(cast: Cast, page: WebPage) -> None:
    ask_for_news(link_of(cast, caller_of(cast)))
    soon = make.now() + preferences.UNCONFIRMED_FOR
    assert preferences.purge(agency_id=cast.acme.pk, at=soon - timedelta(minutes=1)) == 0
    assert preferences.purge(agency_id=cast.globex.pk, at=soon) == 0
    assert preferences.purge(agency_id=cast.acme.pk, at=soon) == 1


def test_the_address_of_an_erased_person_leaves(
    cast: Cast, page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller_id, path = confirmed(cast, monkeypatch)
    send(path, deed="withdraw", purpose="record")
    gone = vault.Erasure(caller_id, NOON, (NOON + timedelta(days=900)).date(), keep_evidence=True)
    vault.erase_callers(client_id=cast.dentist.pk, erasures=[gone], at=NOON)
    assert run(monkeypatch) == []
    assert subscriptions(cast.dentist) == []


def test_an_address_leaves_with_its_person_though_there_is_no_news(
    cast: Cast, page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller_id, _ = confirmed(cast, monkeypatch)
    assert preferences.purge(agency_id=cast.acme.pk, at=make.now()) == 0
    with job_scope(agency_id=cast.acme.pk):
        Caller.objects.filter(pk=caller_id).remove()
    assert preferences.purge(agency_id=cast.acme.pk, at=make.now()) == 1


def test_the_address_is_sealed(cast: Cast, page: WebPage) -> None:
    ask_for_news(link_of(cast, caller_of(cast)))
    (row,) = subscriptions(cast.dentist)
    assert ADDRESS.encode() not in bytes(row.address.blob)


def test_a_link_of_confirmation_ends_and_dies_with_its_address(
    cast: Cast, page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = link_of(cast, caller_of(cast))
    ask_for_news(path)
    (message,) = run(monkeypatch)
    there = bare(link_in(message))
    with pytest.raises(ExpiredLinkError):
        preferences.confirm(link=there, at=make.now() + timedelta(days=8))
    with pytest.raises(UnknownLinkError):
        preferences.confirm(link=bare(path), at=make.now())
    with pytest.raises(UnknownLinkError):
        preferences.show_confirmation(link=bare(path), at=make.now())
    with pytest.raises(UnknownLinkError):
        preferences.question_for(link=there, at=make.now())
    ask_for_news(path, address="other@example.com")
    assert Browser().get(f"/p/{there}/").status_code == 404


def test_news_of_one_client_names_no_other(
    cast: Cast, page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmed(cast, monkeypatch)
    with job_scope(agency_id=cast.acme.pk):
        theirs = people.add_callers(client=cast.plumber, numbers=[ONE], at=NOON)[ONE]
        said = Said(
            purpose=Purpose.RECORD, kind=EventKind.WITHDRAWN, channel=Channel.WEB, strength=Strength.C,
            happened_at=make.now(), source="x", caller_id=theirs,
        )  # fmt: skip
        ledger.record_events(client=cast.plumber, said=[said], by=make.JOB, at=make.now())
    assert run(monkeypatch) == []
    with job_scope(agency_id=cast.acme.pk):
        assert ConsentEvent.objects.for_client(cast.plumber).count() == 1
