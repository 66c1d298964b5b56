"""Proof of a phone by a code: six digits, ten minutes, five tries, and nothing learned by who only asks."""

import io
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client as Browser

from callprivacy.calls.models import Caller, Connection
from callprivacy.calls.services import connections as ways
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import client_scope, job_scope
from callprivacy.vault import selectors as vault_selectors
from consent import law
from consent.channels import codes as channel
from consent.channels import twilio
from consent.channels.codes import ByTwilio, HasOptedOutError, NotSentError, PageOfMails
from consent.enums import Channel, CodeWay, EventKind, Language, Purpose, State, Strength
from consent.models import ConsentState, PhoneCode, RulePack, WebPage
from consent.services import codes, ledger, limits
from consent.services.codes import NotNow, StaleChallengeError, WrongCodeError
from consent.services.ledger import Said
from consent.views import doors
from rights.services import house_codes
from tests import make
from tests.cast import Cast
from tests.consent.pages import events_of, evidence_of, hidden, open_page, publish, states_of
from tests.consent.test_law_pages import pack
from tests.make import NOON
from tests.numbers import says
from tests.scale import some

pytestmark = pytest.mark.as_committed

ONE, OTHER = "+14155550101", "+14155550102"
_CODE = re.compile(r"code is (\d{6})\.")


@pytest.fixture(autouse=True)
def _counts_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_SALT", uuid.uuid4().hex)


def send(client: Client, number: str = ONE, *, challenge: str = "", at: Any = NOON) -> tuple[str, str]:
    """
    Ask for a code; returns the challenge and the code, "" where none came.

    :param challenge: of the page that requests another one.
    """
    before = len(mail.outbox)
    earlier = codes.open_challenge(client=client, challenge=challenge, at=at)[1] if challenge else ()
    challenge = codes.send_code(
        client=client, number=number, language=Language.ENGLISH, at=at, earlier=earlier
    ).challenge
    if len(mail.outbox) == before:
        return challenge, ""
    found = _CODE.search(str(mail.outbox[-1].body))
    assert found is not None
    return challenge, found[1]


def check(client: Client, challenge: str, code: str, *, at: Any = NOON) -> codes.Proven:
    return codes.check_code(client=client, challenge=challenge, code=code, at=at)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def rows(client: Client) -> list[PhoneCode]:
    with job_scope(agency_id=client.agency_id):
        return list(PhoneCode.objects.for_client(client).order_by("created_at"))


def test_the_right_code_proves_the_number_once(cast: Cast) -> None:
    challenge, code = send(cast.dentist)
    proven = check(cast.dentist, challenge, code)
    assert proven.number == ONE
    with job_scope(agency_id=cast.acme.pk):
        assert Caller.objects.filter(pk=proven.caller_id).exists()
    with pytest.raises(WrongCodeError):
        check(cast.dentist, challenge, code)


def test_a_code_is_kept_as_a_keyed_digest_alone(cast: Cast) -> None:
    _, code = send(cast.dentist)
    (row,) = rows(cast.dentist)
    assert code.encode() not in bytes(row.digest)
    assert len(bytes(row.digest)) == 32
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        keyed = vault_selectors.client_keys(cast.dentist.pk).tokens.digest("code", str(row.pk), code)
    assert bytes(row.digest) == keyed


def test_five_wrong_tries_end_a_code(cast: Cast) -> None:
    challenge, code = send(cast.dentist)
    for _ in range(codes.TRIES):
        with pytest.raises(WrongCodeError):
            check(cast.dentist, challenge, wrong(code))
    with pytest.raises(WrongCodeError):
        check(cast.dentist, challenge, code)
    assert rows(cast.dentist)[0].tries == codes.TRIES


def test_the_fifth_try_still_counts(cast: Cast) -> None:
    challenge, code = send(cast.dentist)
    for _ in range(codes.TRIES - 1):
        with pytest.raises(WrongCodeError):
            check(cast.dentist, challenge, wrong(code))
    assert check(cast.dentist, challenge, code).number == ONE


def test_a_code_is_good_for_ten_minutes(cast: Cast) -> None:
    challenge, code = send(cast.dentist)
    with pytest.raises(WrongCodeError):
        check(cast.dentist, challenge, code, at=NOON + codes.GOOD_FOR)
    assert check(cast.dentist, challenge, code, at=NOON + codes.GOOD_FOR - timedelta(seconds=1)).number == ONE


def test_only_the_newest_code_of_a_page_counts(cast: Cast) -> None:
    challenge, first = send(cast.dentist)
    challenge, second = send(cast.dentist, challenge=challenge, at=NOON + timedelta(minutes=1))
    if first != second:
        with pytest.raises(WrongCodeError):
            check(cast.dentist, challenge, first, at=NOON + timedelta(minutes=2))
    assert check(cast.dentist, challenge, second, at=NOON + timedelta(minutes=2)).number == ONE


def test_a_number_gets_three_an_hour_and_six_a_day(cast: Cast) -> None:
    sent = [bool(send(cast.dentist, at=NOON + timedelta(minutes=n))[1]) for n in range(4)]
    assert sent == [True, True, True, False]
    later = [bool(send(cast.dentist, at=NOON + timedelta(hours=2, minutes=n))[1]) for n in range(4)]
    assert later == [True, True, True, False]
    assert not send(cast.dentist, at=NOON + timedelta(hours=5))[1]
    assert send(cast.dentist, OTHER, at=NOON + timedelta(hours=5))[1]


class Rings:
    """Counts what it is given to bring."""

    def __init__(self) -> None:
        self.brought: list[str] = []

    def send(self, **_: Any) -> None:
        self.brought.append("text")

    def read_aloud(self, **_: Any) -> str:
        self.brought.append("call")
        return ""


def test_a_call_reads_a_code_by_day_and_twice_at_most_over_all_of_an_agency(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Rings()
    monkeypatch.setattr(codes, "_sender_of", lambda *_: sender)
    monkeypatch.setattr(channel, "of_the_house", lambda: sender)
    night, day = NOON.replace(hour=11), NOON.replace(hour=18)  # 3 and 10 where the number is
    told: dict[str, Any] = {"number": ONE, "language": Language.ENGLISH}
    codes.send_code(client=cast.dentist, **told, at=night, way=CodeWay.CALL)
    house_codes.send_code(agency=cast.acme, **told, at=night, way=CodeWay.CALL)
    assert sender.brought == []
    for _ in range(2):
        house_codes.send_code(agency=cast.acme, **told, at=day, way=CodeWay.CALL)
    for client in (cast.dentist, cast.plumber):
        codes.send_code(client=client, **told, at=day, way=CodeWay.CALL)
    assert sender.brought == ["call", "call"]
    codes.send_code(client=cast.dentist, **told, at=night, way=CodeWay.TEXT)
    assert sender.brought[2:] == ["text"]


def test_a_call_that_brings_no_code_does_not_count(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = Rings()
    monkeypatch.setattr(codes, "_sender_of", lambda *_: sender)
    monkeypatch.setattr(channel, "of_the_house", lambda: sender)
    day = NOON.replace(hour=18)
    told: dict[str, Any] = {"number": ONE, "language": Language.ENGLISH}
    for way in (CodeWay.TEXT, CodeWay.TEXT, CodeWay.TEXT, CodeWay.CALL):
        codes.send_code(client=cast.dentist, **told, at=day, way=way)
        house_codes.send_code(agency=cast.acme, **told, at=day, way=way)
    assert sender.brought == ["text"] * 6
    for client in (cast.dentist, cast.plumber):
        codes.send_code(client=client, **told, at=day + timedelta(hours=2), way=CodeWay.CALL)
    assert sender.brought[6:] == ["call", "call"]


def test_a_call_that_may_not_be_made_leaves_the_last_code_as_it_is(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes, "_sender_of", lambda *_: Rings())
    day = NOON.replace(hour=18)
    told: dict[str, Any] = {"number": ONE, "language": Language.ENGLISH, "way": CodeWay.CALL}
    for minute in range(3):
        codes.send_code(client=cast.dentist, **told, at=day + timedelta(minutes=minute))
    good = [row for row in rows(cast.dentist) if row.expires_at > row.created_at]
    assert len(good) == codes.CALLS_A_DAY_A_NUMBER


def test_the_hours_of_a_call_are_those_of_the_rules_that_the_agency_put_in_force(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = Rings()
    monkeypatch.setattr(channel, "of_the_house", lambda: sender)
    rules = law.parse_pack(pack(us_quiet_hours="13:00-21:00"))
    with job_scope(agency_id=cast.acme.pk):
        RulePack.objects.create(
            agency=cast.acme,
            name=rules.version,
            text=law.dump_pack(rules),
            digest=rules.digest,
            is_active=True,
            imported_at=NOON,
        )
    told: dict[str, Any] = {"number": ONE, "language": Language.ENGLISH, "way": CodeWay.CALL}
    house_codes.send_code(agency=cast.acme, **told, at=NOON.replace(hour=18))  # 10 where the number is
    assert sender.brought == []
    house_codes.send_code(agency=cast.globex, **told, at=NOON.replace(hour=18))
    assert sender.brought == ["call"]


def test_beyond_its_limit_a_number_is_answered_as_ever_and_its_last_code_still_counts(cast: Cast) -> None:
    challenge, code = "", ""
    for n in range(3):
        challenge, code = send(cast.dentist, challenge=challenge, at=NOON + timedelta(seconds=n))
    challenge, nothing = send(cast.dentist, challenge=challenge, at=NOON + timedelta(seconds=9))
    assert nothing == ""
    assert check(cast.dentist, challenge, code, at=NOON + timedelta(seconds=10)).number == ONE


@pytest.mark.parametrize("is_known", [True, False])
def test_fourth_code_of_an_hour_says_when_the_next_can_be_requested(cast: Cast, *, is_known: bool) -> None:
    if is_known:
        make.call(cast.dentist, ONE)
    for minute in range(3):
        send(cast.dentist, at=NOON + timedelta(minutes=minute))
    asked = {"client": cast.dentist, "number": ONE, "language": Language.ENGLISH}
    fourth = codes.send_code(**asked, at=NOON + timedelta(minutes=9))  # type: ignore[arg-type]
    assert fourth.not_now == NotNow(NOON + timedelta(hours=1))
    assert codes.send_code(**asked, at=NOON + timedelta(hours=1)).not_now is None  # type: ignore[arg-type]


def test_call_that_does_not_go_out_counts_like_any_other_and_leaves_the_last_code(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes, "is_rung", lambda _sender, way: way == CodeWay.CALL)
    monkeypatch.setattr("consent.services.contact.is_quiet", lambda **_: True)
    challenge, code = send(cast.dentist)
    calls: list[codes.Sending] = []
    for n in (1, 2, 3):
        at = NOON + timedelta(minutes=n)
        number, earlier = codes.open_challenge(client=cast.dentist, challenge=challenge, at=at)
        told: dict[str, Any] = {"number": number, "language": Language.ENGLISH, "way": CodeWay.CALL}
        calls.append(codes.send_code(client=cast.dentist, **told, at=at, earlier=earlier))
        challenge = calls[-1].challenge
    assert [one.not_now is None for one in calls] == [True, True, False]
    assert check(cast.dentist, challenge, code, at=NOON + timedelta(minutes=4)).number == ONE


def test_a_client_sends_so_many_an_hour(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "AN_HOUR_A_CLIENT", 2)
    sent = [bool(send(cast.dentist, f"+1415555030{n}")[1]) for n in range(3)]
    assert sent == [True, True, False]
    assert send(cast.plumber)[1], "another client's count is its own"


def test_a_challenge_is_sealed_and_ends_and_is_one_clients(cast: Cast) -> None:
    challenge, code = send(cast.dentist)
    assert ONE[2:] not in challenge
    for bad in ("", "x", challenge[:-6] + "AAAAAA", "é", "====", "A" * 200):
        with pytest.raises(StaleChallengeError):
            check(cast.dentist, bad, code)
    with pytest.raises(StaleChallengeError):
        check(cast.plumber, challenge, code)
    with pytest.raises(StaleChallengeError):
        check(cast.dentist, challenge, code, at=NOON + timedelta(hours=1))


def test_whoever_only_asks_leaves_no_caller_behind(cast: Cast) -> None:
    send(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        assert not Caller.objects.for_client(cast.dentist).exists()


def test_codes_leave_after_a_day(cast: Cast) -> None:
    send(cast.dentist)
    assert codes.purge(agency_id=cast.acme.pk, at=NOON + codes.KEPT_FOR - timedelta(seconds=1)) == 0
    assert codes.purge(agency_id=cast.globex.pk, at=NOON + codes.KEPT_FOR) == 0
    assert codes.purge(agency_id=cast.acme.pk, at=NOON + codes.KEPT_FOR) == 1


def test_no_number_and_no_code_is_logged(cast: Cast, logged: io.StringIO) -> None:
    challenge, code = send(cast.dentist)
    for n in range(4):
        send(cast.dentist, at=NOON + timedelta(seconds=n))
    with pytest.raises(WrongCodeError):
        check(cast.dentist, challenge, "123456")
    said = logged.getvalue()
    assert "code.not_sent" in said
    assert "5550101" not in said
    assert code not in said


# --- How it gets there ---


def test_the_message_says_whose_it_is_and_fills_itself_in() -> None:
    words = channel.words_of("012345", name="Harbor  Dental " + "x" * 90, language=Language.SPANISH)
    assert words.startswith("Harbor Dental xxx")
    assert "012345" in words
    assert words.endswith("\n\n@127.0.0.1 #012345")
    assert len(words.partition("\n")[0]) <= 160


def test_the_page_of_mails_masks_the_number() -> None:
    PageOfMails().send(number=ONE, words="Your code is 123456.")
    assert mail.outbox[-1].subject == "Text message to +1 ••• ••• 0101"
    assert ONE not in str(mail.outbox[-1].message())


def _twilio_of(cast: Cast) -> Connection:
    make.tracking_number(cast.dentist, "+14155550190", provider="twilio")
    with job_scope(agency_id=cast.acme.pk):
        way = ways.create_connection(
            client=cast.dentist, provider="twilio", name="Texts", secret="tok", by=make.JOB, at=NOON
        )
        Connection.objects.filter(pk=way.pk).update(mapping={"account": "AC" + "0" * 32})
        return way


def test_with_twilio_the_clients_own_number_sends(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(
        twilio, "send_text", lambda account, **said: asked.append(said | {"sid": account.sid})
    )
    _twilio_of(cast)
    codes.send_code(client=cast.dentist, number=ONE, language=Language.ENGLISH, at=NOON)
    (said,) = asked
    assert (said["to"], said["sender"], said["sid"]) == (ONE, "+14155550190", "AC" + "0" * 32)
    assert mail.outbox == []


def test_a_demo_writes_to_the_page_of_mails_though_it_has_a_connection(cast: Cast) -> None:
    _twilio_of(cast)
    with job_scope(agency_id=cast.acme.pk):
        cast.acme.is_demo = True
        cast.acme.save(update_fields=["is_demo"])
    cast.dentist.agency.is_demo = True
    assert send(cast.dentist)[1]


def test_without_a_way_nothing_is_sent_and_the_pages_say_so(cast: Cast, settings: Any) -> None:
    settings.CALLPRIVACY_MAIL_IS_FILES = False
    challenge, code = send(cast.dentist)
    assert (bool(challenge), code, rows(cast.dentist)) == (True, "", [])
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        assert not codes.can_send(cast.dentist, at=NOON)
    page = open_page(cast.dentist)
    assert b"We cannot send codes right now" in Browser().get(f"/c/{page.key}/choices/").content
    assert b"Prove your phone" not in Browser().get(f"/c/{page.key}/consent/").content


def test_a_vendor_that_refuses_changes_nothing_for_who_asks(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise NotSentError("refused with 400, code 21211")

    monkeypatch.setattr(PageOfMails, "send", refuse)
    assert send(cast.dentist)[0]


def test_a_number_that_takes_no_texts_has_said_no_and_we_note_it(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise twilio.OptedOutError(400, 21610)

    monkeypatch.setattr(twilio, "send_text", refuse)
    with pytest.raises(HasOptedOutError):
        ByTwilio(twilio.Account("AC", "t"), "+14155550190").send(number=ONE, words="x")
    _twilio_of(cast)
    for _ in range(2):
        codes.send_code(client=cast.dentist, number=ONE, language=Language.ENGLISH, at=NOON)
    with job_scope(agency_id=cast.acme.pk):
        states = ConsentState.objects.for_client(cast.dentist).filter(purpose=Purpose.CONTACT)
        assert [row.state for row in states] == [State.WITHDRAWN]
    assert len({event.pk for event in events_of(cast.dentist) if event.purpose == Purpose.CONTACT}) == 1


def test_a_stop_that_is_known_takes_back_nothing_that_was_agreed_to_since(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise twilio.OptedOutError(400, 21610)

    monkeypatch.setattr(twilio, "send_text", refuse)
    _twilio_of(cast)
    codes.send_code(client=cast.dentist, number=ONE, language=Language.ENGLISH, at=NOON)
    later = NOON + timedelta(days=30)
    with job_scope(agency_id=cast.acme.pk):
        caller_id = events_of(cast.dentist)[0].caller_id
        assert caller_id is not None
        yes = Said(
            purpose=Purpose.RECORD,
            kind=EventKind.GIVEN,
            channel=Channel.WEB,
            strength=Strength.A,
            happened_at=later,
            source="form 1",
            caller_id=caller_id,
        )
        ledger.record_events(client=cast.dentist, said=[yes], by=make.JOB, at=later)
    codes.send_code(client=cast.dentist, number=ONE, language=Language.ENGLISH, at=later + timedelta(days=1))
    assert states_of(cast.dentist, caller_id)[Purpose.RECORD] == State.GIVEN


# --- On the pages ---


@pytest.fixture
def page(cast: Cast) -> WebPage:
    publish(cast.dentist, Purpose.RECORD, Purpose.SHARE)
    return open_page(cast.dentist)


def _give(page: WebPage, browser: Browser, *purposes: str, deed: str = "give") -> str:
    address = f"/c/{page.key}/consent/"
    form = hidden(browser.get(address).content)
    said = {"deed": deed, "number": ONE, "purposes": purposes, "form": form}
    where = browser.post(address, said).headers["Location"]
    assert isinstance(where, str)
    return where


def _prove(where: str, browser: Browser) -> Any:
    asked = browser.post(where, {"form": hidden(browser.get(where).content)})
    code = _CODE.search(str(mail.outbox[-1].body))
    assert code is not None
    said = {"form": hidden(asked.content), "challenge": hidden(asked.content, "challenge"), "code": code[1]}
    return browser.post(where, said)


def test_a_proven_phone_makes_the_answer_certain(cast: Cast, page: WebPage) -> None:
    browser = Browser()
    answer = _prove(_give(page, browser, "record"), browser)
    assert answer.status_code == 303
    assert "5550101" not in answer.headers["Location"]
    unproven, proven = events_of(cast.dentist)
    assert (unproven.strength, proven.strength) == (Strength.D, Strength.A)
    assert unproven.version_id == proven.version_id
    with job_scope(agency_id=cast.acme.pk):
        assert ConsentState.objects.for_client(cast.dentist).get().strength == Strength.A
        (used,) = PhoneCode.objects.filter(used_at__isnull=False)
    evidence = evidence_of(cast.dentist)["record web"]
    assert evidence["proves"] == str(unproven.pk)
    assert evidence["code"] == str(used.pk)
    body = browser.get(answer.headers["Location"]).content
    assert b"Your phone is verified." in body
    assert str(proven.pk).encode() in body
    assert b"Send me a code" not in body


def test_a_proven_yes_undoes_a_no_but_for_sharing_which_is_asked_twice(cast: Cast, page: WebPage) -> None:
    browser = Browser()
    _give(page, browser, "record", "share", deed="withdraw")
    where = _give(page, browser, "record", "share")
    (caller_id,) = {event.caller_id for event in events_of(cast.dentist) if event.caller_id}
    assert states_of(cast.dentist, caller_id) == dict.fromkeys(["record", "share"], State.WITHDRAWN)
    answer = _prove(where, browser)
    assert states_of(cast.dentist, caller_id) == {"record": State.GIVEN, "share": State.WITHDRAWN}
    assert b"confirm it twice in your choices" in browser.get(answer.headers["Location"]).content


def test_a_proven_no_is_a_no_of_strength_a(cast: Cast, page: WebPage) -> None:
    browser = Browser()
    _prove(_give(page, browser, "record", deed="withdraw"), browser)
    assert [(event.kind, event.strength) for event in events_of(cast.dentist)] == [
        (EventKind.WITHDRAWN, Strength.D),
        (EventKind.WITHDRAWN, Strength.A),
    ]


def test_a_receipt_is_proven_by_its_own_number_alone(cast: Cast, page: WebPage) -> None:
    browser = Browser()
    where = _give(page, browser, "record")
    challenge, code = send(cast.dentist, OTHER, at=make.now())
    said = {"form": hidden(browser.get(where).content), "challenge": challenge, "code": code}
    assert browser.post(where, said).status_code == 404
    assert {event.strength for event in events_of(cast.dentist)} == {Strength.D}


def test_an_old_receipt_is_not_proven_any_more(
    cast: Cast, page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from consent.services import receipts

    browser = Browser()
    where = _give(page, browser, "record")
    monkeypatch.setattr(receipts, "PROVEN_WITHIN", timedelta())
    shown = browser.get(where).content
    assert b"Send me a code" not in shown
    assert browser.post(where, {"form": hidden_or_note(shown, cast)}).status_code == 404


def hidden_or_note(body: bytes, cast: Cast) -> str:
    from consent.channels import tokens

    assert b'name="form"' not in body
    return tokens.sign_form(cast.dentist.pk, {}, at=make.now())


@pytest.mark.parametrize(
    "code", some(["000000", "12345", "1234567", "abcdef", "", "１２３４５６", "9" * 500], one_in=7)
)
def test_a_wrong_code_is_said_and_asked_for_again(cast: Cast, page: WebPage, code: str) -> None:
    browser = Browser()
    where = _give(page, browser, "record")
    asked = browser.post(where, {"form": hidden(browser.get(where).content)})
    said = {"form": hidden(asked.content), "challenge": hidden(asked.content, "challenge"), "code": code}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(codes, "digest_of", lambda *_: b"never")
        answer = browser.post(where, said)
    assert answer.status_code == 422
    assert b"The code is wrong" in answer.content
    assert hidden(answer.content, "challenge") == said["challenge"]


def test_asking_for_codes_too_often_from_one_address_is_refused(
    cast: Cast, page: WebPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An hour may end between two questions here.
    monkeypatch.setattr(doors, "AN_HOUR", timedelta(days=36500))
    browser = Browser()
    where = f"/c/{page.key}/choices/"
    form = hidden(browser.get(where).content)
    answers = [browser.post(where, {"form": form, "number": f"+1415555040{n}"}) for n in range(9)]
    assert [answer.status_code for answer in answers] == [200] * 8 + [429]
    assert len(mail.outbox) == 8


def test_every_number_is_answered_alike(cast: Cast, page: WebPage) -> None:
    make.call(cast.dentist, ONE)
    browser = Browser()
    where = f"/c/{page.key}/choices/"
    form = hidden(browser.get(where).content)
    shapes = set()
    for number in (ONE, OTHER):
        body = browser.post(where, {"form": form, "number": number}).content.decode()
        shapes.add(re.sub(r'value="[^"]{40,}"', "", body))
    assert len(shapes) == 1
    assert not says(shapes.pop(), ONE)


def test_a_phone_that_is_proven_opens_its_choices(cast: Cast, page: WebPage) -> None:
    browser = Browser()
    where = f"/c/{page.key}/choices/"
    asked = browser.post(where, {"form": hidden(browser.get(where).content), "number": "(415) 555-0101"})
    found = _CODE.search(str(mail.outbox[-1].body))
    assert found is not None
    said = {"form": hidden(asked.content), "challenge": hidden(asked.content, "challenge")}
    again = browser.post(where, said)
    assert again.status_code == 200, "another code to the same number"
    newest = _CODE.search(str(mail.outbox[-1].body))
    assert newest is not None
    said["challenge"] = hidden(again.content, "challenge")
    answer = browser.post(where, said | {"code": f"{newest[1][:3]} {newest[1][3:]}"})
    assert answer.status_code == 303
    assert re.match(r"/p/[\w-]{32}\.[\w-]+/\?lang=en$", answer.headers["Location"])
    assert b"+1 \xe2\x80\xa2" in browser.get(answer.headers["Location"]).content
    assert browser.post(where, {"form": said["form"], "challenge": "nonsense"}).status_code == 403
    assert browser.post(where, {"form": said["form"], "number": "x"}).status_code == 422
    assert browser.post(where, {"number": ONE}).status_code == 403


def _request(where: str, **said: str) -> tuple[dict[str, str], str]:
    """What a new browser's page knows of a code that it requested for one number, and the code."""
    browser = Browser()
    asked = browser.post(where, {"form": hidden(browser.get(where).content), "number": ONE} | said)
    code = _CODE.search(str(mail.outbox[-1].body))
    assert code is not None
    return {"form": hidden(asked.content), "challenge": hidden(asked.content, "challenge")}, code[1]


def test_another_page_that_knows_the_number_cannot_use_or_use_up_a_code(cast: Cast, page: WebPage) -> None:
    where, stranger = f"/c/{page.key}/choices/", Browser()
    mine, code = _request(where)
    theirs, other = _request(where)
    if code != other:
        assert stranger.post(where, theirs | {"code": code}).status_code == 422
    for _ in range(codes.TRIES):
        assert stranger.post(where, theirs | {"code": wrong(other)}).status_code == 422
    assert [row.tries for row in rows(cast.dentist)] == [0, codes.TRIES]
    assert Browser().post(where, mine | {"code": code}).status_code == 303


def test_a_page_that_one_goes_back_to_takes_its_own_code_while_it_is_good(cast: Cast, page: WebPage) -> None:
    where, browser = f"/c/{page.key}/choices/", Browser()
    first, code = _request(where)
    _, newest = _request(where, challenge=first["challenge"])
    if newest != code:
        answer = browser.post(f"{where}?lang=es", first | {"code": newest})
        assert "Ese no es el código que pidió esta página" in answer.content.decode()
    with time_machine.travel(make.now() + codes.GOOD_FOR, tick=False):
        assert browser.post(where, first | {"code": code}).status_code == 422
    assert browser.post(where, first | {"code": code}).status_code == 303


def test_a_receipt_takes_its_newest_code_when_the_limit_allows_no_more(cast: Cast, page: WebPage) -> None:
    browser = Browser()
    where = _give(page, browser, "record")
    said = {"form": hidden(browser.get(where).content), "challenge": ""}
    for _ in range(codes.AN_HOUR_A_NUMBER + 1):
        said["challenge"] = hidden(browser.post(where, said).content, "challenge")
    assert len(mail.outbox) == codes.AN_HOUR_A_NUMBER
    code = _CODE.search(str(mail.outbox[-1].body))
    assert code is not None
    assert browser.post(where, said | {"code": code[1]}).status_code == 303
