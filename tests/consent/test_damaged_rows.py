"""A row that does not open any more stands before no other: each queue passes it by and says what became of it."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callprivacy.calls.models import Caller, Connection
from callprivacy.calls.services import people
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Client, PublicKey
from callprivacy.tenancy.scope import job_scope
from callprivacy.tenancy.selectors import ClientLeftError
from callprivacy.vault import selectors as vault
from callprivacy.vault import services as vault_services
from callprivacy.vault.models import Caller as Keys
from callprivacy.vault.sealing import Place, SealBrokenError
from consent.enums import Channel, InvitationState, ReplyState, VendorStep, WaitingState
from consent.models import (
    CallBack,
    Invitation,
    Reply,
    Subscription,
    VendorTask,
    WebhookDelivery,
    WebhookEndpoint,
)
from consent.services import (
    call_backs,
    invitations,
    menu_calls,
    menus,
    preferences,
    text_sending,
    web,
    webhooks,
)
from tests import make
from tests.cast import Cast
from tests.consent import asking_by_mail, twilio_side
from tests.rules import source

pytestmark = pytest.mark.django_db

# Twelve in New York, where texts may be sent.
AT = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
SOON = AT + timedelta(minutes=1)
NUMBERS = ("+14155550101", "+14155550102")
BROKEN = b"\x01" + bytes(60)


class Queue:
    """The two rows of a queue, the one that is to be damaged before the other."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.ours: Any = {"agency_id": cast.acme.pk, "client": cast.dentist}
        with job_scope(agency_id=cast.acme.pk):
            known = people.add_callers(client=cast.dentist, numbers=NUMBERS, at=AT)
            self.people = [known[number] for number in NUMBERS]
        self.due = [AT, AT + timedelta(seconds=1)]

    def connection(self) -> Connection:
        connection = twilio_side.connect(self.cast.dentist)
        with job_scope(agency_id=self.cast.acme.pk):
            menus.describe_account(
                connection=connection, account=twilio_side.ACCOUNT, twilio_answers=True, by=make.JOB, at=AT
            )
        return connection

    def sealed(self, table: str, column: str, row_id: uuid.UUID, caller_id: uuid.UUID) -> bytes:
        key = vault.content_keys({self.cast.dentist.pk: [caller_id]})[caller_id]
        return key.seal(b"anna@example.com", Place(self.cast.dentist.pk, table, column, row_id))

    def errand(self, table: str, column: str, row_id: uuid.UUID, words: str) -> bytes:
        key = vault_services.purpose_key(client_id=self.cast.dentist.pk, purpose=menu_calls.ERRAND, at=AT)
        return key.seal(words.encode(), Place(self.cast.dentist.pk, table, column, row_id))


def letters(queue: Queue) -> list[Invitation]:
    version = asking_by_mail.version(queue.cast)
    rows = [
        Invitation(
            **queue.ours, caller_id=caller_id, channel=Channel.EMAIL, version=version, created_at=AT,
            due_at=due, purge_at=AT + timedelta(days=30), address_digest=b"1" * 32, link_digest=caller_id.bytes * 2,
        )
        for caller_id, due in zip(queue.people, queue.due, strict=True)
    ]  # fmt: skip
    for row in rows:
        row.address = queue.sealed("consent_invitation", "address", row.pk, row.caller_id)
    return Invitation.objects.bulk_create(rows)


def news(queue: Queue) -> list[Subscription]:
    rows = [
        Subscription(**queue.ours, caller_id=caller_id, created_at=due, told_at=due, due_at=due)
        for caller_id, due in zip(queue.people, queue.due, strict=True)
    ]
    for row in rows:
        row.address = queue.sealed("consent_subscription", "address", row.pk, row.caller_id)
    return Subscription.objects.bulk_create(rows)


def answers(queue: Queue) -> list[Reply]:
    queue.connection()
    number = make.tracking_number(queue.cast.dentist, twilio_side.TRACKING, provider="twilio")
    return Reply.objects.bulk_create(
        Reply(
            **queue.ours, caller_id=caller_id, tracking_number_id=number.pk, channel=Channel.SMS,
            message_digest=caller_id.bytes, label="help", why="", state=ReplyState.SETTLED, received_at=AT,
            confirm_words="Help.", confirm_due_at=due, purge_at=AT + timedelta(days=30),
        )
        for caller_id, due in zip(queue.people, queue.due, strict=True)
    )  # fmt: skip


def questions(queue: Queue) -> list[Invitation]:
    queue.connection()
    make.tracking_number(queue.cast.dentist, twilio_side.TRACKING, provider="twilio")
    version = twilio_side.notice(queue.cast.dentist, channel=Channel.SMS)
    return Invitation.objects.bulk_create(
        Invitation(
            **queue.ours, caller_id=caller_id, channel=Channel.SMS, version=version, created_at=AT, due_at=due,
            purge_at=AT + timedelta(days=30),
        )
        for caller_id, due in zip(queue.people, queue.due, strict=True)
    )  # fmt: skip


def agents(queue: Queue) -> list[CallBack]:
    connection = queue.connection()
    number = make.tracking_number(queue.cast.dentist, twilio_side.TRACKING, provider="twilio")
    rows = [
        CallBack(
            **queue.ours, caller_id=caller_id, user_id=queue.cast.alice.user_id, connection=connection,
            tracking_number=number, created_at=AT, due_at=due,
        )
        for caller_id, due in zip(queue.people, queue.due, strict=True)
    ]  # fmt: skip
    for row in rows:
        row.agent_number = queue.errand("consent_callback", "agent_number", row.pk, "+14155550177")
    return CallBack.objects.bulk_create(rows)


def messages(queue: Queue) -> list[WebhookDelivery]:
    endpoint = WebhookEndpoint.objects.create(
        **queue.ours, name="CRM", url="https://crm.example/hooks", secret=webhooks.new_secret(), created_at=AT
    )
    return [webhooks.ping(endpoint=endpoint, by=make.JOB, at=due) for due in queue.due]


def stops(queue: Queue) -> list[VendorTask]:
    connection = queue.connection()
    rows = [
        VendorTask(
            **queue.ours, step=VendorStep.STOP_RECORDING, connection=connection, caller_id=caller_id,
            recording_id=caller_id, created_at=AT, target_at=AT, outer_at=AT, due_at=due,
        )
        for caller_id, due in zip(queue.people, queue.due, strict=True)
    ]  # fmt: skip
    for row in rows:
        row.reference = queue.errand("consent_vendortask", "reference", row.pk, '{"call": "CA1"}')
    return VendorTask.objects.bulk_create(rows)


def by_vendor(agency_id: int) -> list[Any]:
    """What is asked of Twilio, without asking it where it cannot be named."""
    found = []
    while (order := menu_calls.claim_order(agency_id=agency_id, at=SOON)) is not None:
        if order.call:
            found.append(order.task_id)
            continue
        outcome = menu_calls.carry_out(order)
        assert outcome.final
        menu_calls.settle(agency_id=agency_id, order=order, outcome=outcome, chance=0.0, at=SOON)
    return found


def by_agent(agency_id: int) -> list[Any]:
    found = []
    while (order := call_backs.claim(agency_id=agency_id, at=SOON)) is not None:
        if order.to:
            found.append(order.row_id)
            continue
        outcome = call_backs.ring(order, at=SOON)
        assert outcome.error
        call_backs.settle(agency_id=agency_id, order=order, outcome=outcome, at=SOON)
    return found


def by_hook(agency_id: int) -> list[Any]:
    letter = webhooks.claim(agency_id=agency_id, at=SOON)
    return [letter.delivery_id] if letter is not None else []


def news_of(agency_id: int) -> list[Any]:
    with job_scope(agency_id=agency_id):
        return [
            one.subscription_id for one in preferences.claim_letters(agency_id=agency_id, at=SOON, limit=5)
        ]


def letters_of(agency_id: int) -> list[Any]:
    return [one.invitation_id for one in invitations.claim_letters(agency_id=agency_id, at=SOON, limit=5)]


def answers_of(agency_id: int) -> list[Any]:
    return [one.row_id for one in text_sending.claim_answers(agency_id=agency_id, at=SOON)]


def questions_of(agency_id: int) -> list[Any]:
    return [one.row_id for one in text_sending.claim_invitations(agency_id=agency_id, at=SOON)]


# Where it claims -> how rows come there, which column of theirs is damaged ("" their caller's number), how they are
# claimed, and what becomes of the damaged one.
OPENS: dict[str, tuple[Callable[[Queue], Any], str, Callable[[int], list[Any]], dict[str, Any] | None]] = {
    "consent/services/invitations.py claim_letters": (
        letters, "address", letters_of, {"state": InvitationState.BOUNCED, "due_at": None},
    ),
    "consent/services/preferences.py claim_letters": (news, "address", news_of, None),
    "consent/services/text_sending.py claim_answers": (answers, "", answers_of, {"confirm_due_at": None}),
    "consent/services/text_sending.py claim_invitations": (
        questions, "", questions_of, {"state": InvitationState.PURGED, "due_at": None},
    ),
    "consent/services/call_backs.py claim": (
        agents, "agent_number", by_agent, {"state": WaitingState.FAILED, "due_at": None},
    ),
    "consent/services/webhooks.py claim": (
        messages, "payload", by_hook, {"state": WaitingState.FAILED, "due_at": None},
    ),
    "consent/services/menu_calls.py claim_order": (
        stops, "reference", by_vendor, {"state": WaitingState.FAILED, "due_at": None},
    ),
}  # fmt: skip
# Said beside the letters and questions themselves, in tests/rights/test_answering.py.
OPENS_ELSEWHERE = {"rights/services/letters.py claim_letters", "rights/services/approvals.py claim_mails"}
# They open nothing that is sealed under a client's keys, or take what does not open for nothing.
OPENS_NOTHING = {
    "callprivacy/accounts/services/passwords.py claim_reminders",
    "callprivacy/calls/services/pulls.py claim",
    "callprivacy/work/services.py claim_mail",
    "callprivacy/work/services.py claim_period",
    "analytics/services/releases.py claim_letters",
    "analytics/services/saved.py claim_mails",
    "analytics/services/taking_out.py claim_words",
    "retention/services/files_sweep.py claim",
    "retention/services/files_sweep.py claim_own",
    "retention/services/news.py claim",
    "retention/services/offboarding/claims.py claim",
    "retention/services/truth.py claim",
    "retention/services/watch.py claim",
    "rights/services/searching.py claim",
    "rights/services/steps.py claim",
}


def test_whatever_claims_is_tried_here_or_opens_nothing() -> None:
    claims = re.compile(r"^def (claim(?:_[a-z]+)?)\(", re.MULTILINE)
    found = {
        f"{path.relative_to(source.ROOT)} {name}"
        for path in source.files()
        if "services" in str(path)
        for name in claims.findall(path.read_text(encoding="utf-8"))
    }
    assert found == {*OPENS, *OPENS_ELSEWHERE, *OPENS_NOTHING}


@pytest.mark.parametrize("where", sorted(OPENS))
def test_what_does_not_open_keeps_nothing_behind_it(cast: Cast, where: str) -> None:
    plant, column, claim, fate = OPENS[where]
    with job_scope(agency_id=cast.acme.pk):
        queue = Queue(cast)
        web.open_page(client=cast.dentist, at=AT)
        first, second = plant(queue)
        if column:
            type(first).objects.filter(pk=first.pk).update(**{column: BROKEN})
        else:
            Caller.objects.filter(pk=queue.people[0]).update(number=BROKEN)
    assert claim(cast.acme.pk) == [second.pk]
    with job_scope(agency_id=cast.acme.pk):
        rows = type(first).objects.filter(pk=first.pk)
        assert rows.exists() == (fate is not None)
        assert all(rows.filter(**{name: value}).exists() for name, value in (fate or {}).items())


@pytest.mark.parametrize("which", ["key", "words", "erased"])
def test_of_a_person_whose_key_or_words_are_damaged_or_gone_nothing_opens(cast: Cast, which: str) -> None:
    with job_scope(agency_id=cast.acme.pk):
        queue = Queue(cast)
        caller = Caller.objects.get(pk=queue.people[0])
        assert vault.content_of(cast.dentist.pk, caller.pk, caller.number) == NUMBERS[0]
        if which == "words":
            Caller.objects.filter(pk=caller.pk).update(number=BROKEN)
            caller = Caller.objects.get(pk=caller.pk)
    if which == "key":
        Keys.objects.filter(pk=caller.pk).update(content_key=BROKEN)
    elif which == "erased":
        erasures = [vault_services.Erasure(caller.pk)]
        vault_services.erase_callers(client_id=cast.dentist.pk, erasures=erasures, at=AT)
    with job_scope(agency_id=cast.acme.pk):
        assert vault.content_of(cast.dentist.pk, caller.pk, caller.number) is None


def test_where_no_key_of_the_client_opens_nothing_is_given_up(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a wrong master key: that says nothing of a letter, which goes once the key is right."""
    with job_scope(agency_id=cast.acme.pk):
        queue = Queue(cast)
        web.open_page(client=cast.dentist, at=AT)
        first, second = letters(queue)

    def shut(_column: Any, _sealed: str) -> bytes:
        raise SealBrokenError

    with monkeypatch.context() as patch:
        patch.setattr(vault, "_opened", shut)
        with pytest.raises(SealBrokenError):
            letters_of(cast.acme.pk)
    assert letters_of(cast.acme.pk) == [first.pk, second.pk]


def test_for_a_client_that_has_left_no_way_in_is_made_and_what_waits_is_taken_back(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        queue = Queue(cast)
        web.open_page(client=cast.dentist, at=AT)
        first, second = letters(queue)
        Invitation.objects.filter(pk=second.pk).update(state=InvitationState.SENT)
        Client.objects.filter(pk=cast.dentist.pk).update(archived_at=AT)
        PublicKey.objects.filter(client_id=cast.dentist.pk).update(purpose=KeyPurpose.MOVED)
    assert letters_of(cast.acme.pk) == []
    with job_scope(agency_id=cast.acme.pk):
        left = {row.pk: (row.state, row.due_at, bool(row.address)) for row in Invitation.objects.all()}
        assert left == {
            first.pk: (InvitationState.PURGED, None, False),
            second.pk: (InvitationState.SENT, None, True),
        }
        with pytest.raises(ClientLeftError):
            web.rotate_key(client=cast.dentist, by=make.JOB, at=AT)
        with pytest.raises(ClientLeftError):
            invitations.mail_key(cast.dentist)
    assert set(PublicKey.objects.filter(client_id=cast.dentist.pk).values_list("purpose", flat=True)) == {
        KeyPurpose.MOVED
    }
