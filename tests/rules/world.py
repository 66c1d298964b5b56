"""
A world with something of every kind at three clients, so that a walk over every address has own things, other
people's things and things that do not exist to ask for. Each client's texts carry its own marks.
"""

import hashlib
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.core import signing
from django.db import transaction
from django.test import Client as Browser
from django.utils import timezone

from analytics.channels.cost_file import CostRow
from analytics.enums import GoalMeasure, GoalPeriod, GoalSide
from analytics.models.releases import Release, ReleaseKind, ReleaseState
from analytics.noise import Bounds
from analytics.selectors.noisy import Question
from analytics.services import costs, goals, noisy, recipients, releases, saved
from callprivacy.accounts import selectors
from callprivacy.accounts.access import STARTED_AT
from callprivacy.accounts.enums import ApiScope, MembershipState, Role
from callprivacy.accounts.middleware import AGENCY_IN_SESSION, SEEN_AT
from callprivacy.accounts.models import AccessReview, FactorReset, Membership, SignInProvider, User
from callprivacy.accounts.services import api_keys, invitations, reviews
from callprivacy.audit import services as audit
from callprivacy.calls import kinds
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import (
    Announcement,
    CallExport,
    CallImport,
    Connection,
    ImportRefusal,
    Inbox,
    KnownValue,
    PullRun,
    Recording,
    Reveal,
    TrackingNumber,
)
from callprivacy.calls.services import connections as ways
from callprivacy.calls.services import pulls
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Client, PublicKey
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Place
from callprivacy.work import services as work
from callprivacy.work.models import Item, Notification
from consent import law
from consent.channels import tokens
from consent.enums import (
    Channel,
    EventKind,
    InvitationState,
    Language,
    ListKind,
    NoticeState,
    PostedWhere,
    Purpose,
    ReplyState,
    Strength,
    VendorStep,
)
from consent.models import (
    CallBack,
    Invitation,
    ListCheck,
    Notice,
    NoticeVersion,
    NumberList,
    NumbersOut,
    PhoneMenu,
    Reply,
    RulePack,
    VendorTask,
    WebhookEndpoint,
    Withdrawal,
)
from consent.services import (
    destinations,
    ledger,
    notices,
    playing,
    posted,
    preferences,
    registers,
    sites,
    terms,
    web,
    webhooks,
    withdrawals,
)
from consent.services import invitations as letters
from dashboard.models import Binder, BinderLink
from dashboard.selectors import records as record_selectors
from dashboard.services import binders, records
from governance.channels import pictures
from governance.courses import courses, draw
from governance.enums import BreachKind, BreachRisk, EntrySource
from governance.law.vendors import sheets
from governance.models import Assignment, BreachNotice, Completion, CoursePicture, Entry
from governance.services import badge_systems, breaches, kiosks, premises, training, vendors
from governance.services import certificates as brought
from governance.services import courses as own_courses
from retention.enums import Category, ChangeState, PartState, RunCause, RunState, Then
from retention.models import (
    Certificate,
    Errand,
    Hold,
    HoldCall,
    HouseCertificate,
    HousePart,
    PolicyChange,
    Run,
    RunPart,
)
from retention.services import certificates, runs
from rights.channels import links
from rights.enums import ApprovalKind, Ask, CaseState, IdentityKind, LetterWay, ProofKind
from rights.enums import Channel as RequestChannel
from rights.letters import Filled
from rights.models import Case, Identity, Proof, RecipientNotice
from rights.selectors import notice as privacy_selectors
from rights.services import approvals, cases
from rights.services import letters as request_letters
from rights.services import notice as privacy
from rights.services.cases import Claim, Contact
from tests import make
from tests.accounts.browsers import come_in, give_codes
from tests.cast import Cast, assemble

SECRET = "signing-secret-of-a-tracker"
OTHERS = tuple(role for role in Role if role not in {Role.OFFICER, Role.REVIEWER, Role.ADMIN})
"""The roles that nobody of the cast has."""


@dataclass(frozen=True)
class Things:
    """What one client has, by the names that addresses use for it."""

    slug: str
    call_id: uuid.UUID
    connection_id: uuid.UUID
    pull_run_id: uuid.UUID
    number_id: uuid.UUID
    value_id: int
    announcement_id: uuid.UUID
    export_id: uuid.UUID
    import_id: uuid.UUID
    errand_id: uuid.UUID
    hold_id: uuid.UUID
    certificate_id: uuid.UUID
    own_certificate_id: uuid.UUID
    change_id: uuid.UUID
    run_id: uuid.UUID
    item_id: uuid.UUID
    notification_id: uuid.UUID
    event_id: int
    membership_id: int
    user_id: int
    client_id: int
    reset_id: uuid.UUID
    review_id: uuid.UUID
    invitation_id: int
    token: str
    key: str
    caller_id: uuid.UUID
    recording_id: uuid.UUID
    twilio_id: uuid.UUID
    menu_id: uuid.UUID
    reply_id: uuid.UUID
    notice_id: uuid.UUID
    posted_id: uuid.UUID
    site_id: uuid.UUID
    acknowledgement_id: uuid.UUID
    pack_id: uuid.UUID
    call_back_id: uuid.UUID
    check_id: uuid.UUID
    api_key_id: uuid.UUID
    batch_id: uuid.UUID
    document_id: uuid.UUID
    withdrawal_id: uuid.UUID
    task_id: uuid.UUID
    destination_id: uuid.UUID
    endpoint_id: uuid.UUID
    delivery_id: uuid.UUID
    case_id: uuid.UUID
    todo_id: uuid.UUID
    identity_id: uuid.UUID
    letter_id: uuid.UUID
    approval_id: uuid.UUID
    word_id: uuid.UUID
    approval: str
    list_id: uuid.UUID
    numbers_id: uuid.UUID
    release_id: uuid.UUID
    released_id: uuid.UUID
    trial_id: uuid.UUID
    recipient_id: uuid.UUID
    spend_id: uuid.UUID
    request_key: str
    request_link: str
    privacy_id: uuid.UUID
    report_id: uuid.UUID
    cost_import_id: uuid.UUID
    goal_id: uuid.UUID
    breach_id: uuid.UUID
    told_id: uuid.UUID
    vendor_id: uuid.UUID
    engaged_id: uuid.UUID
    vouched_id: uuid.UUID
    completion_id: uuid.UUID
    assignment_id: int
    place_id: uuid.UUID
    own_id: uuid.UUID
    picture_id: uuid.UUID
    site_key_id: uuid.UUID
    kiosk: str
    hours_id: uuid.UUID
    badge_id: uuid.UUID
    entry_id: uuid.UUID
    binder_id: uuid.UUID
    door_id: uuid.UUID
    door: str
    consent_key: str
    sign_in_key: str
    link: str
    receipt: str
    secret: str
    api_key: str
    site_key: str
    session: str
    mark: str
    provider: str = "callrail"
    deed: str = "pause"
    form: str = "json"
    asks: str = "delete"
    number: int = 1
    category: str = "call"
    paper: str = "csv"
    sheet: str = "xlsx"
    course: str = "phishing"
    screen: int = 1
    place: int = 1
    how: str = "approve"


NOTHING = Things(
    slug="nothing", call_id=uuid.UUID(int=1), connection_id=uuid.UUID(int=2),
    pull_run_id=uuid.UUID(int=71), number_id=uuid.UUID(int=3), value_id=999_999_995,
    announcement_id=uuid.UUID(int=61),
    export_id=uuid.UUID(int=4), import_id=uuid.UUID(int=5), errand_id=uuid.UUID(int=6), hold_id=uuid.UUID(int=6),
    certificate_id=uuid.UUID(int=7), own_certificate_id=uuid.UUID(int=63), change_id=uuid.UUID(int=62),
    run_id=uuid.UUID(int=7), item_id=uuid.UUID(int=8), notification_id=uuid.UUID(int=9),
    event_id=999_999_999, membership_id=999_999_999, invitation_id=999_999_999, user_id=999_999_998,
    client_id=999_999_997, reset_id=uuid.UUID(int=71), review_id=uuid.UUID(int=72),
    token="no-such-token", key="no-such-key", caller_id=uuid.UUID(int=10),
    recording_id=uuid.UUID(int=11), twilio_id=uuid.UUID(int=21), menu_id=uuid.UUID(int=22),
    reply_id=uuid.UUID(int=23), notice_id=uuid.UUID(int=31), posted_id=uuid.UUID(int=32),
    site_id=uuid.UUID(int=33), acknowledgement_id=uuid.UUID(int=34), pack_id=uuid.UUID(int=35),
    call_back_id=uuid.UUID(int=36), check_id=uuid.UUID(int=37), api_key_id=uuid.UUID(int=41),
    batch_id=uuid.UUID(int=42), document_id=uuid.UUID(int=43), withdrawal_id=uuid.UUID(int=44),
    task_id=uuid.UUID(int=45), destination_id=uuid.UUID(int=46), endpoint_id=uuid.UUID(int=47),
    delivery_id=uuid.UUID(int=48), case_id=uuid.UUID(int=71), todo_id=uuid.UUID(int=72),
    identity_id=uuid.UUID(int=73), letter_id=uuid.UUID(int=74), approval_id=uuid.UUID(int=75),
    word_id=uuid.UUID(int=76), approval="no-such-question",
    list_id=uuid.UUID(int=49), numbers_id=uuid.UUID(int=50),
    release_id=uuid.UUID(int=51), released_id=uuid.UUID(int=55), trial_id=uuid.UUID(int=52),
    recipient_id=uuid.UUID(int=53), spend_id=uuid.UUID(int=54),
    request_key="no-such-page", request_link="no-such-link", privacy_id=uuid.UUID(int=81),
    report_id=uuid.UUID(int=71), cost_import_id=uuid.UUID(int=72), goal_id=uuid.UUID(int=73),
    breach_id=uuid.UUID(int=71), told_id=uuid.UUID(int=72), vendor_id=uuid.UUID(int=73), engaged_id=uuid.UUID(int=74),
    vouched_id=uuid.UUID(int=83),
    completion_id=uuid.UUID(int=75), assignment_id=999_999_996,
    place_id=uuid.UUID(int=76), badge_id=uuid.UUID(int=77), entry_id=uuid.UUID(int=78),
    own_id=uuid.UUID(int=79), picture_id=uuid.UUID(int=80), site_key_id=uuid.UUID(int=82),
    kiosk="no-such-kiosk",
    hours_id=uuid.UUID(int=282),
    binder_id=uuid.UUID(int=79), door_id=uuid.UUID(int=80), door="no-such-door",
    sign_in_key="no-such-page",
    consent_key="no-such-page", link="no-such-link", receipt="no-such-receipt", secret="no-such-secret",
    api_key=f"cpk_{'0' * 20}.{'A' * 43}", site_key=f"cps_{'0' * 20}.{'A' * 43}",
    session="no-such-session", mark="no-such-mark",
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """
    The cast, what each client has, and a browser for each person.

    :ivar people: who is a member and walks, by name: the cast; at Acme one more of each role that is not in it, named
        by the role and granted the dentist; and trudy, admin of Globex.
    """

    cast: Cast
    dentist: Things
    plumber: Things
    florist: Things
    people: dict[str, Membership]
    browsers: dict[str, Browser]
    at: datetime


def build() -> World:
    """Make the world, around the present instant: requests ask the clock."""
    now = timezone.now()  # noqa: TID251  (requests ask the clock)
    cast = assemble()
    dave = make.person(cast.acme, "dave", Role.OFFICER)
    make.grant(dave, cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        Membership.objects.filter(pk=dave.pk).update(state=MembershipState.SUSPENDED)
    operator = User.objects.create_user("operator@platform.example", make.PASSWORD, name="Op", is_staff=True)
    give_codes(operator)
    people = {"alice": cast.alice, "bob": cast.bob, "carol": cast.carol, "mallory": cast.mallory}
    people["trudy"] = trudy = make.person(cast.globex, "trudy", Role.ADMIN)
    browsers = {"anonymous": Browser(raise_request_exception=False)} | {
        name: browser_in_use(user)
        for name, user in {"dave": dave.user, "operator": operator}.items()
        | {name: one.user for name, one in people.items()}.items()
    }

    def things(client: Client, officer: Membership, second: Membership, number: str) -> Things:
        session = browsers[officer.user.name.lower()].session.session_key or ""
        return _things(client, officer, second, now=now, number=number, session=session)

    dentist = things(cast.dentist, cast.alice, cast.carol, "+12025550111")
    world = World(
        cast,
        dentist=replace(dentist, membership_id=cast.bob.pk),
        plumber=things(cast.plumber, cast.alice, cast.carol, "+12025550122"),
        florist=things(cast.florist, cast.mallory, trudy, "+12025550133"),
        people=people,
        browsers=browsers,
        at=now,
    )
    # They come when everything is there, so that nobody is told of it five times more.
    for role in OTHERS:
        people[role.value] = one = make.person(cast.acme, role.value, role)
        make.grant(one, cast.dentist)
        browsers[role.value] = browser_in_use(one.user)
    return world


def browser_of(user: User) -> Browser:
    """A signed-in browser that gets a page, not an exception, when a view fails."""
    browser = Browser(raise_request_exception=False)
    come_in(browser, user)
    return browser


def browser_in_use(user: User) -> Browser:
    """
    A signed-in browser whose session is in use, as most are.

    Walks undo each request, so that each would be the session's first else, and write down anew that it began, was seen
    and is at an agency.
    """
    browser = browser_of(user)
    session = browser.session
    session[STARTED_AT] = session[SEEN_AT] = int(timezone.now().timestamp()) + 3600  # noqa: TID251  (requests ask the clock)
    for agency_id in selectors.agencies_opened_by(user.pk, None)[:1]:
        session[AGENCY_IN_SESSION] = agency_id
    session.save()
    return browser


def _things(
    client: Client, officer: Membership, second: Membership, *, now: datetime, number: str, session: str
) -> Things:
    mark = f"MARK-OF-{client.slug.upper()}"
    by = Actor.staff(user_id=officer.user_id)
    ours = {"agency_id": client.agency_id, "client_id": client.pk}
    tracking = make.tracking_number(
        client, f"+1404555{client.pk % 10000:04}", at=now, label=f"Line {mark}", announcement=f"Heard {mark}",
        announced_from=now.date() - timedelta(days=9),
    )  # fmt: skip
    call = make.call(
        client, number, at=now - timedelta(hours=5), source=f"Source {mark}", campaign=f"Campaign {mark}",
        tags=[f"Tag {mark}"], tracking_number=tracking,
    )  # fmt: skip
    old = make.call(client, number, at=now - timedelta(days=500), source=f"Old {mark}")
    recording = make.recording(call, f"https://vendor.example/{mark}")
    assert old.caller_id is not None
    key = vault.purpose_key(client_id=client.pk, purpose="errand", at=now)
    inbox_key = vault.purpose_key(client_id=client.pk, purpose="inbox", at=now)
    with job_scope(agency_id=client.agency_id):
        connection = ways.create_connection(
            client=client, provider="callrail", name=f"Way {mark}", secret=SECRET, by=by, at=now
        )
        pulls.set_access(
            connection=connection, account="ACC1", company="", login="", secret="key-of-an-interface",
            only_known=False, by=by, at=now,
        )  # fmt: skip
        written = _written(client, mark, now)
        export = CallExport.objects.create(**ours, **written, created_by_id=officer.user_id, due_at=now)
        an_import = CallImport.objects.create(
            **ours, format="generic", time_zone="UTC", created_by_id=officer.user_id, created_at=now,
            state=JobState.DONE, connection=connection, finished_at=now, refused=1,
        )  # fmt: skip
        new_value = KnownValue.objects.create(
            **ours, field="source", value=f"Value {mark}", first_seen_at=now
        )
        ImportRefusal.objects.create(
            **ours, call_import=an_import, line=2, column="start", reason=f"No {mark}"
        )
        errand = Errand(
            **ours, recording_id=uuid.uuid4(), provider="callrail", call_started_at=now, opened_at=now
        )
        errand.reference = key.seal(
            f"https://vendor.example/errand/{mark}".encode(),
            Place(client.pk, "retention_errand", "reference", errand.pk),
        )
        errand.save(force_insert=True)
        hold = Hold.objects.create(
            **ours, name=f"Hold {mark}", review_on=now.date() + timedelta(days=90), placed_by_id=officer.user_id,
            placed_at=now,
        )  # fmt: skip
        HoldCall.objects.create(**ours, hold=hold, call_id=old.pk)
        rejected = Inbox(
            **ours, connection=connection, state="rejected", reason=f"Why {mark}", received_at=now, due_at=now
        )
        rejected.payload = inbox_key.seal(b"{}", Place(client.pk, "calls_inbox", "payload", rejected.pk))
        rejected.save(force_insert=True)
        event = audit.record(
            "number.revealed", subject=call, by=by, at=now, reason=f"The words behind {mark} are sealed."
        )
        Reveal.objects.create(
            **ours, call=call, user_id=officer.user_id, reason_kind="call_back", reason_digest=b"2" * 32,
            event_id=event.pk, at=now,
        )  # fmt: skip
        run = Run.objects.first() or runs.start_run(
            agency=client.agency, cause=RunCause.BY_HAND, by=by, at=now
        )
        work.open_item(
            kinds.INBOX_REJECTED, agency_id=client.agency_id, client_id=client.pk, key=mark, at=now, count=1
        )
        menu, reply = _spoken(client, tracking, old.caller_id, mark, now)
        told = _told(client, tracking, by, mark, now)
        rung = CallBack.objects.create(
            **ours, caller_id=old.caller_id, user_id=officer.user_id, connection_id=menu.connection_id,
            tracking_number=tracking, created_at=now, last_error=f"Error {mark}",
        )  # fmt: skip
        checked = ListCheck.objects.create(
            **ours, name=f"List {mark}", purpose="marketing", state=JobState.DONE, rows=1, rows_done=1, allowed=1,
            created_by_id=officer.user_id, created_at=now, checked_at=now, finished_at=now,
        )  # fmt: skip
        registers.open_holder(agency_id=client.agency_id, at=now)
        register = NumberList.objects.create(
            **ours, kind=ListKind.DO_NOT_CALL, name=f"Register {mark}", as_of=now.date(),
            state=JobState.DONE, is_active=True, size=1, created_by_id=officer.user_id, created_at=now,
        )  # fmt: skip
        numbers = NumbersOut.objects.create(**ours, **written, created_by_id=officer.user_id)
        _heard(client, recording, old.caller_id, mark, now)
        page, link, receipt = _public(client, old.caller_id, mark=mark, now=now)
        asked = _asked(client, connection, by, mark=mark, now=now)
        invitation, token = invitations.invite(
            agency_id=client.agency_id, email=f"new-{client.slug}@people.example", name=f"New {mark}",
            role=Role.REVIEWER, client_ids=[client.pk], by=by, at=now,
        )  # fmt: skip
        brought = costs.bring_costs(
            client=client, rows=[CostRow(now.date(), f"Campaign {mark}", 1250)], by=by, at=now
        )
        goal = goals.set_goal(
            client=client, measure=GoalMeasure.MISSED, missed=GoalSide.ABOVE, hundredths=4_000_000,
            period=GoalPeriod.WEEK, by=by, at=now,
        )  # fmt: skip
        report = saved.save_report(
            client=client, name=f"Report {mark}", query="measure=calls", is_shared=False, by=by, at=now
        )
        return Things(
            slug=client.slug,
            report_id=report.pk,
            cost_import_id=brought.pk,
            goal_id=goal.pk,
            call_id=call.pk,
            connection_id=connection.pk,
            pull_run_id=PullRun.objects.get(pull__connection=connection).pk,
            number_id=tracking.pk,
            value_id=new_value.pk,
            announcement_id=Announcement.objects.get(tracking_number=tracking).pk,
            export_id=export.pk,
            import_id=an_import.pk,
            errand_id=errand.pk,
            hold_id=hold.pk,
            certificate_id=_certified(client, run, mark, now),
            own_certificate_id=_certified_own(client.agency_id, run, now),
            change_id=_proposed(client, officer, mark, now),
            run_id=run.pk,
            item_id=Item.objects.get(client=client, key=mark).pk,
            notification_id=Notification.objects.get(client=client, key=mark, user_id=officer.user_id).pk,
            event_id=event.pk,
            membership_id=officer.pk,
            user_id=officer.user_id,
            client_id=client.pk,
            **_looked_over(client, officer, by, now),
            sign_in_key=_provided(client, officer, now),
            **_bound(client, officer, by, now),
            invitation_id=invitation.pk,
            token=token,
            key=connection.key,
            caller_id=old.caller_id,
            recording_id=recording.pk,
            twilio_id=menu.connection_id,
            menu_id=menu.pk,
            reply_id=reply.pk,
            **told,
            call_back_id=rung.pk,
            check_id=checked.pk,
            list_id=register.pk,
            numbers_id=numbers.pk,
            **_requested(client, by, mark=mark, now=now),
            consent_key=page,
            link=link,
            receipt=receipt,
            **asked,
            **_released(client, by, second, file_key=written["file_key"], mark=mark, now=now),
            **_programme(client, officer, now),
            **_worked_on(client, officer, written["file_key"], mark=mark, now=now),
            session=session,
            mark=mark,
        )


def _written(client: Client, mark: str, now: datetime) -> dict[str, Any]:
    """What a job says that has written its file, and the file."""
    file_id = uuid.uuid4()
    with files.Writer(client.pk, file_id, at=now) as out:
        out.write(f"{mark}\n".encode())
    return {
        "state": JobState.DONE, "file_key": file_id, "rows": 1, "created_at": now, "finished_at": now,
        "expires_at": now + timedelta(days=7),
    }  # fmt: skip


def _heard(client: Client, recording: Recording, caller_id: uuid.UUID, mark: str, now: datetime) -> None:
    """The recording is stored, and its caller had agreed to it and to its being heard."""
    file_id, key = uuid.uuid4(), vault_selectors.recording_keys(client.pk, [recording.pk])[recording.pk]
    with files.RecordingWriter(client.pk, file_id, key) as out:
        out.write(mark.encode())
    Recording.objects.filter(pk=recording.pk).update(
        file_key=file_id, file_size=len(mark), media_type="audio/wav", stored_at=now
    )
    said = [
        ledger.Said(
            purpose=purpose, kind=EventKind.GIVEN, channel=Channel.API, strength=Strength.A,
            happened_at=now - timedelta(hours=6), source=f"world {purpose}", caller_id=caller_id,
        )
        for purpose in (Purpose.RECORD, Purpose.REVIEW)
    ]  # fmt: skip
    ledger.record_events(client=client, said=said, by=make.JOB, at=now)


def ticket_of(things: Things, *, at: datetime) -> str:
    """What the officer's own session is given to hear the recording, as `playing.open_recording` gives it."""
    told = [things.user_id, things.recording_id.hex, playing._bound(things.session), int(at.timestamp())]
    return signing.dumps(told, salt=playing._SALT, compress=False)


def _bound(client: Client, officer: Membership, by: Actor, now: datetime) -> dict[str, Any]:
    """A binder with a link to it, and a snapshot of the agency's records."""
    records.read(agency_id=client.agency_id, at=now)
    present = record_selectors.present()
    if present is not None and not record_selectors.snapshots().exists():
        records.take_snapshot(agency=client.agency, seen=present.digest, by=by, at=now)
    binder = Binder.objects.create(
        agency_id=client.agency_id, client=client, number=1, state=JobState.DONE, parts=1, done=1,
        file_key=uuid.uuid4(), result_key=uuid.uuid4(), digest=bytes(32), created_by_id=officer.user_id,
        created_at=now, due_at=now, finished_at=now, expires_at=now + timedelta(days=90),
    )  # fmt: skip
    door = binders.make_link(binder=binder, good_for=timedelta(days=9), by=by, at=now)
    return {"binder_id": binder.pk, "door_id": BinderLink.objects.get(binder=binder).pk, "door": door}


def _looked_over(client: Client, officer: Membership, by: Actor, now: datetime) -> dict[str, Any]:
    """An access review that waits, and second factors that somebody asked to take away."""
    review = AccessReview.objects.first() or reviews.start_review(
        agency=client.agency, period="world", by=by, at=now
    )
    reset = FactorReset.objects.create(
        agency_id=client.agency_id, user_id=officer.user_id, asked_by_id=officer.user_id, asked_at=now,
        ends_at=now + timedelta(days=2),
    ) if not FactorReset.objects.exists() else FactorReset.objects.get()  # fmt: skip
    return {"review_id": review.pk, "reset_id": reset.pk}


def _provided(client: Client, officer: Membership, now: datetime) -> str:
    """The key of the agency's sign-in address, which is on."""
    found = SignInProvider.objects.first()
    if found is None:
        key = uuid.uuid4().hex
        PublicKey.objects.create(key=key, purpose=KeyPurpose.SIGN_IN, agency_id=client.agency_id)
        found = SignInProvider.objects.create(
            agency_id=client.agency_id, key=key, name="Provider", issuer="https://id.acme.example",
            application="callprivacy", secret=SECRET, domains=["acme.example"],
            endpoints={"authorization_endpoint": "https://id.acme.example/authorize"}, is_sound=True, is_on=True,
            proposed_by_id=officer.user_id, proposed_at=now, agreed_by_id=officer.user_id, agreed_at=now,
        )  # fmt: skip
    return found.key


def _public(client: Client, caller_id: uuid.UUID, *, mark: str, now: datetime) -> tuple[str, str, str]:
    """A public page that asks for recording, a person's link to it and a receipt."""
    ours = {"agency_id": client.agency_id, "client_id": client.pk}
    page = web.save_page(
        client=client, origins=[f"https://{client.slug}.example"], swap_url="", swap_integrity="",
        swap_needs_consent=True, by=web.BY, at=now,
    )  # fmt: skip
    notice = Notice.objects.create(
        **ours, name=f"Web {mark}", purposes=["record"], channel=Channel.WEB, created_at=now
    )
    version = NoticeVersion.objects.create(
        **ours, notice=notice, number=1, words=f"We record and monitor, says {mark}.", withdraw="Here.",
        controller=client.legal_name, created_at=now,
    )  # fmt: skip
    version.state, version.published_at, version.digest = NoticeState.PUBLISHED, now, b"d" * 32
    version.save(update_fields=["state", "published_at", "digest"])
    link = preferences.link_for(client=client, caller_id=caller_id, at=now)
    visit = web.Visit(page="world", browser="world", opted_out=False)
    said = web.withdrawal(
        Purpose.CONTACT, caller_id, source="world", visit=visit, language=Language.ENGLISH, at=now
    )
    events = ledger.record_events(client=client, said=[said], by=web.BY, at=now)
    receipt = tokens.sign_receipt(client.pk, [event.pk for event in events], at=now)
    return page.key, link.rpartition("/p/")[2].strip("/"), receipt


def _released(
    client: Client, by: Actor, second: Membership, *, file_key: uuid.UUID, mark: str, now: datetime
) -> dict[str, Any]:
    """A recipient with a question that was paid for, a draft with a setting that waits, and a release that is out."""
    recipient = recipients.add_recipient(
        client=client, name=f"Company {mark}", email=f"data@{client.slug}.example", contract=f"Contract {mark}",
        epsilon=Decimal(1), by=by, at=now,
    )  # fmt: skip
    today = now.date()
    spend = noisy.spend(
        recipient=recipient,
        question=Question(
            measure="calls",
            by="all",
            from_on=today - timedelta(days=9),
            until_on=today,
            bounds=Bounds(calls=1),
        ),
        epsilon=Decimal("0.1"),
        by=by,
        at=now,
    )
    wish = releases.Wish(
        kind=ReleaseKind.ANONYMISED, purpose=f"What {mark} is for", columns=["day"], from_on=today - timedelta(days=9),
        until_on=today, keep_for_days=30,
    )  # fmt: skip
    release = releases.draft_release(client=client, recipient=recipient, wish=wish, by=by, at=now)
    trial = releases.ask_trial(release=release, k=11, l=None, t=None, at=now)
    out = releases.draft_release(client=client, recipient=recipient, wish=wish, by=by, at=now)
    Release.objects.filter(pk=out.pk).update(
        state=ReleaseState.RELEASED, k=11, proposed_by_id=by.user_id, proposed_at=now, decided_by_id=second.user_id,
        decided_at=now, released_at=now, ends_at=now + timedelta(days=30), file_key=file_key,
    )  # fmt: skip
    return {
        "recipient_id": recipient.pk,
        "release_id": release.pk,
        "released_id": out.pk,
        "spend_id": spend.pk,
        "trial_id": trial.pk,
    }


def _requested(client: Client, by: Actor, *, mark: str, now: datetime) -> dict[str, Any]:
    """A requests page with a published notice, and what somebody asked for there."""
    page = privacy.save_page(
        agency=client.agency,
        client=client,
        said={"more_en": f"More {mark}", "more_es": f"More {mark}"},
        by=by,
        at=now,
    )
    facts = privacy_selectors.facts_of(client, page, at=now)
    seen = privacy_selectors.digest_of(facts.as_json(), privacy_selectors.body_of(facts))
    row = privacy.publish(client=client, seen=seen, by=by, at=now)
    sent = cases.open_cases(
        agency=client.agency, client=client, asks=[Ask.DELETE], channel=RequestChannel.PORTAL,
        claims=[Claim(IdentityKind.PHONE, "+12025550144")], contact=Contact(name=f"Person {mark}"), received_at=now,
        by=make.JOB, at=now,
    )  # fmt: skip
    link = links.link_of(links.Named(client.agency_id, client.pk, sent.pk))
    return {"request_key": page.key, "request_link": link, "privacy_id": row.pk}


def _programme(client: Client, officer: Membership, now: datetime) -> dict[str, Any]:
    """A breach with somebody to tell, and a vendor that engages somebody: the agency's, so nothing is marked."""
    by = Actor.staff(user_id=officer.user_id)
    breach = breaches.report_breach(
        agency=client.agency, title="A file", text="It went astray.", is_drill=False,
        reported_by=officer.user_id, at=now,
    )  # fmt: skip
    said = breaches.Assessment(
        aware_at=now, kind=BreachKind.CONFIDENTIALITY, risk=BreachRisk.RISK, categories=("calls",), places=("DE",),
        client_ids=(), began_at=None, ended_at=None, people=None, records=None, effects="", remedy="",
    )  # fmt: skip
    breaches.assess_breach(breach=breach, assessment=said, by=by, at=now)
    vendor = vendors.add_vendor(
        agency=client.agency, facts=replace(
            vendors.Facts.from_sheet(sheets()["callrail"]), name=f"Vendor {breach.number}"
        ),
        sheet="callrail", verified_on=None, by=by, at=now,
    )  # fmt: skip
    engaged = vendors.add_sub_processor(
        vendor=vendor, name="Cloud", what_for="Storage", places="US", noticed_on=now.date(), object_until=None,
        by=by, at=now,
    )  # fmt: skip
    vendors.add_certificate(
        vendor=vendor, name="ISO 27001", valid_until=now.date() + timedelta(days=90), source="", by=by, at=now
    )
    told = BreachNotice.objects.get(breach=breach)
    course = courses()["phishing"]
    attempt = training.start_attempt(
        agency=client.agency, course=course, user_id=officer.user_id, at=now - timedelta(hours=1)
    )
    answers = {one.number: 0 for one in draw(course, attempt.seed)}
    passed = training.finish_attempt(
        attempt=attempt, course=course, answers=answers, user_id=officer.user_id, at=now
    )
    assert passed is not None
    asked, _ = Assignment.objects.update_or_create(
        agency=client.agency, user=officer.user, course="passwords",
        defaults={"due_on": now.date() + timedelta(days=14), "assigned_at": now, "assigned_by": officer.user},
    )  # fmt: skip
    shown, file_id = b"%PDF-1.7", uuid.uuid4()
    with files.Writer(brought.open_holder(agency_id=client.agency_id, at=now), file_id, at=now) as out:
        out.write(shown)
    Completion.objects.filter(pk=passed.pk).update(
        file_key=file_id, file_digest=hashlib.sha256(shown).digest(), file_type="application/pdf"
    )
    site = premises.add_site(
        agency=client.agency, name=f"Site {breach.number}", address="1 Main Street", time_zone="America/New_York",
        weekdays=range(1, 8), opens=time(0, 0), closes=time(23, 59, 59), by=by, at=now,
    )  # fmt: skip
    badge = premises.give_badge(
        site=site, user_id=officer.user_id, label="Badge 1", code=f"badge-{client.pk}", any_hour=False,
        until_on=None, by=by, at=now,
    )  # fmt: skip
    premises.take_in(
        site=site, passings=[premises.Passing(f"file {client.pk}", "nobody's", is_in=True, at=now)],
        source=EntrySource.FILE, by=by, at=now,
    )  # fmt: skip
    hours = premises.set_hours(
        site=site, room="", badge=badge, weekdays=range(1, 8), opens=time(0), closes=time(0), by=by, at=now
    )
    made = badge_systems.create_key(site=site, name="Reader", by=by, at=now)
    kiosk = kiosks.make_link(site=site, instead_of=None, by=by, at=now)
    own = own_courses.create_course(
        agency=client.agency, by=by, at=now, facts=own_courses.Facts("Our house", "Rules", 5, 12, now.date(), ["Us"]),
    )  # fmt: skip
    own_courses.put_screen(course=own, place=0, title="One", text="Words", by=by, at=now)
    own_courses.put_question(
        course=own, place=0, words="Which?", answers=["This", "That", "None"], why="It is.", by=by, at=now
    )
    picture = CoursePicture.objects.create(
        agency=client.agency,
        course=own,
        name="door",
        kind="image/png",
        width=1,
        height=1,
        size=1,
        added_at=now,
    )
    pictures.keep(agency_id=client.agency_id, picture_id=picture.pk, data=b"\x89PNG")
    return {
        "own_id": own.pk, "picture_id": picture.pk, "site_key_id": made.key.pk, "site_key": made.text, "kiosk": kiosk,
        "breach_id": breach.pk, "told_id": told.pk, "vendor_id": vendor.pk, "engaged_id": engaged.pk,
        "vouched_id": vendor.certificates.get().pk,
        "completion_id": passed.pk, "assignment_id": asked.pk, "place_id": site.pk, "badge_id": badge.pk,
        "hours_id": hours.pk, "entry_id": Entry.objects.get(site=site).pk,
    }  # fmt: skip


def _proposed(client: Client, officer: Membership, mark: str, now: datetime) -> uuid.UUID:
    """A shorter policy that waits for a second officer, with its reason in the trail."""
    by = Actor.staff(user_id=officer.user_id)
    event = audit.record("policy.proposed", subject=client, by=by, at=now, reason=f"Shorter, says {mark}.")
    change = PolicyChange.objects.create(
        agency_id=client.agency_id, client=client, category=Category.TRANSCRIPT, state=ChangeState.WAITING,
        was_days=365, was_then=Then.ERASE, days=300, then=Then.ERASE, shortens=True, due_before=0, due_after=0,
        event_id=event.pk, proposed_by_id=officer.user_id, proposed_at=now,
    )  # fmt: skip
    return change.pk


def _certified_own(agency_id: int, run: Run, now: datetime) -> uuid.UUID:
    """A certificate about the agency's own rows, as a run that ended leaves one."""
    if not HousePart.objects.filter(run=run).exists():
        HousePart.objects.create(
            agency_id=agency_id, run=run, category=Category.PREMISES, state=PartState.DONE, cutoff=now,
            keep_for_days=90, rows_due=1, rows_held=1, finished_at=now,
        )  # fmt: skip
    certificates.issue_own(run=run, at=now)
    return HouseCertificate.objects.get(run=run).pk


def _certified(client: Client, run: Run, mark: str, now: datetime) -> uuid.UUID:
    """A certificate of the run at a client, as a run that ended leaves one."""
    Run.objects.filter(pk=run.pk).update(state=RunState.CANCELLED, finished_at=now)
    RunPart.objects.create(
        agency_id=client.agency_id, client=client, run=run, category=Category.EXPORT, state=PartState.DONE,
        cutoff=now, keep_for_days=7, rows_due=1, rows_erased=1, digest=b"3" * 32, finished_at=now,
    )  # fmt: skip
    run.refresh_from_db()
    certificates.issue(run=run, client=client, at=now)
    Run.objects.filter(pk=run.pk).update(state=RunState.RUNNING, finished_at=None)
    return Certificate.objects.get(client=client, run=run).pk


def _spoken(
    client: Client, number: TrackingNumber, caller_id: uuid.UUID, mark: str, now: datetime
) -> tuple[PhoneMenu, Reply]:
    """A telephone menu that is off, with its draft, and a message that waits."""
    ours = {"agency_id": client.agency_id, "client_id": client.pk}
    twilio = ways.create_connection(
        client=client, provider="twilio", name=f"Twilio {mark}", secret=SECRET, by=make.JOB, at=now
    )
    notice = Notice.objects.create(
        **ours, name=f"Spoken {mark}", purposes=["record"], channel=Channel.MENU, created_at=now
    )
    NoticeVersion.objects.create(
        **ours, notice=notice, number=1, words=f"We record, says {mark}.", withdraw="Press 9.", created_at=now
    )
    menu = PhoneMenu.objects.create(
        **ours, tracking_number=number, connection=twilio, notice=notice, forward_to="+14045550100",
        created_at=now,
    )  # fmt: skip
    reply = Reply(
        **ours, caller_id=caller_id, channel=Channel.SMS, message_digest=b"m" * 32, label="review",
        why=f"Because {mark}", state=ReplyState.WAITING, received_at=now, purge_at=now + timedelta(days=30),
    )  # fmt: skip
    key = vault_selectors.evidence_keys(client.pk, [caller_id])[caller_id]
    reply.text = key.seal(f"stop {mark}".encode(), Place(client.pk, "consent_reply", "text", reply.pk))
    reply.save(force_insert=True)
    return menu, reply


def _told(client: Client, number: TrackingNumber, by: Actor, mark: str, now: datetime) -> dict[str, Any]:
    """A notice with a draft, one that hangs with its picture, a site with who answers there, rules that wait."""
    notice = notices.create_notice(
        client=client, name=f"Told {mark}", purposes=[Purpose.RECORD], channel=Channel.AGENT,
        language=Language.ENGLISH, words=notices.Words("", f"We record, says {mark}.", ""), by=by, at=now,
    )  # fmt: skip
    content = b"\x89PNG\r\n\x1a\n" + mark.encode()
    picture = posted.Picture(uuid.uuid4(), "image/png", hashlib.sha256(content).digest())
    with files.Writer(client.pk, picture.file_id, at=now) as out:
        out.write(content)
    hangs = posted.post_notice(
        client=client, tracking_number=number, where=PostedWhere.SITE, place=f"Page {mark}", words=f"Words {mark}",
        version=None, from_on=now.date() - timedelta(days=9), to_on=None, picture=picture, by=by, at=now,
    )  # fmt: skip
    site = sites.add_site(
        client=client, name=f"Site {mark}", country="US", region="CA", is_default=True, by=by, at=now
    )
    known = sites.acknowledge(
        site=site, person=f"Ana {mark}", words="I know.", on=now.date() - timedelta(days=9), by=by, at=now
    )
    pack = RulePack.objects.create(
        agency_id=client.agency_id, name=f"Rules {mark}", text=law.shipped_text(), digest=law.load_pack().digest,
        imported_at=now, counted_at=now, counted_against=law.load_pack().digest,
    )  # fmt: skip
    return {
        "notice_id": notice.pk,
        "posted_id": hangs.pk,
        "site_id": site.pk,
        "acknowledgement_id": known.pk,
        "pack_id": pack.pk,
    }


def _asked(client: Client, connection: Connection, by: Actor, *, mark: str, now: datetime) -> dict[str, Any]:
    """A system's key, a letter on its way, a signed list, and what a withdrawal asks of vendors and systems."""
    ours = {"agency_id": client.agency_id, "client_id": client.pk}
    key = api_keys.create_key(client=client, name=f"Key {mark}", scopes=list(ApiScope), by=by, at=now)
    notice = Notice.objects.create(
        **ours, name=f"Letter {mark}", purposes=["record"], channel=Channel.EMAIL, created_at=now
    )
    version = NoticeVersion.objects.create(
        **ours, notice=notice, number=1, words=f"We record, the letter of {mark} says.", withdraw="Answer STOP.",
        controller=client.legal_name, state=NoticeState.PUBLISHED, published_at=now, digest=b"e" * 32,
        created_at=now,
    )  # fmt: skip
    read = letters.read_list([f"ana@{client.slug}.example,+120255502{client.pk % 100:02}"], country="US")
    batch = letters.create_batch(
        client=client, name=f"Batch {mark}", version=version, read=read, by=by, at=now
    )
    letter = Invitation.objects.get(batch=batch)
    Invitation.objects.filter(pk=letter.pk).update(state=InvitationState.SENT, sent_at=now)
    content = b"%PDF-1.7\n" + mark.encode()
    file = posted.Picture(uuid.uuid4(), "application/pdf", hashlib.sha256(content).digest())
    with files.Writer(client.pk, file.file_id, at=now) as out:
        out.write(content)
    document = terms.add_document(
        client=client, name=f"Terms {mark}", clause=f"Clause {mark}", stands_apart=True, is_list=True,
        signed_on=now.date() - timedelta(days=9), purposes=[Purpose.RECORD],
        numbers=[f"+120255503{client.pk % 100:02}"], file=file, size=len(content), by=by, at=now,
    )  # fmt: skip
    withdrawal = Withdrawal.objects.get(client=client)
    task = VendorTask(
        **ours, step=VendorStep.TURN_OFF_RECORDING, connection=connection, withdrawal=withdrawal,
        caller_id=withdrawal.caller_id, event_id=withdrawal.event_ids[0], by_ticket=True, ticket=f"Letter {mark}",
        law=f"Law {mark}", created_at=now, target_at=now, outer_at=now,
    )  # fmt: skip
    task.reference = withdrawals.seal_reference(client, task, json.dumps({"number": f"Number {mark}"}), now)
    task.save(force_insert=True)
    destination = destinations.add(
        client=client, name=f"Ads {mark}", contact="", instructions=f"Tell {mark}", by=by, at=now
    )
    endpoint = WebhookEndpoint.objects.create(
        **ours, name=f"System {mark}", url=f"https://{client.slug}.example/hooks", secret=webhooks.new_secret(),
        created_at=now,
    )  # fmt: skip
    return {
        "api_key_id": key.key.pk,
        "api_key": key.text,
        "batch_id": batch.pk,
        "secret": letters.secret_of(client.pk, letter.pk),
        "document_id": document.pk,
        "withdrawal_id": withdrawal.pk,
        "task_id": task.pk,
        "destination_id": destination.pk,
        "endpoint_id": endpoint.pk,
        "delivery_id": webhooks.ping(endpoint=endpoint, by=by, at=now).pk,
    }


def _worked_on(
    client: Client, officer: Membership, file_key: uuid.UUID, *, mark: str, now: datetime
) -> dict[str, Any]:
    """A person's request with a paper, a note, something to do, a letter, a question to the client and a recipient."""
    by = Actor.staff(user_id=officer.user_id)
    submission = cases.open_cases(
        agency=client.agency, client=client, asks=[Ask.DELETE], channel=RequestChannel.PORTAL,
        claims=[Claim(IdentityKind.PHONE, f"+1202555{client.pk % 10000:04}")],
        contact=Contact(name=f"Anna {mark}", mail="anna@people.example"), received_at=now,
        by=Actor.client("rights.portal"), at=now, words=f"Words of {mark}",
    )  # fmt: skip
    case = Case.objects.select_related("submission", "client", "agency").get(submission=submission)
    Proof.objects.create(
        agency_id=client.agency_id, client_id=client.pk, submission=submission, kind=ProofKind.PERMISSION, holds=False,
        file_key=file_key, file_type="application/pdf", at=now, by="rights.portal",
    )  # fmt: skip
    cases.write_note(case=case, words=f"Note {mark}", by=by, at=now)
    todo = cases.add_task(case=case, words=f"To do {mark}", owner_id=None, due_on=None, by=by, at=now)
    letter = request_letters.send_letter(
        case=case, name="acknowledgement", way=LetterWay.POST, text=Filled(f"Subject {mark}", f"Body {mark}"),
        by=by, at=now,
    )  # fmt: skip
    Case.objects.filter(pk=case.pk).update(state=CaseState.OPEN)
    approval = approvals.ask_client(
        case=case, kind=ApprovalKind.APPROVE, to="dana@client.example", said=f"Said {mark}", by=by, at=now,
        is_vouched=True,
    )  # fmt: skip
    token, approval.digest = approvals._new_link(client.agency_id, client.pk)
    approval.save(update_fields=["digest"])
    told = RecipientNotice.objects.create(
        agency_id=client.agency_id, client_id=client.pk, case=case, about="erasure", way="ticket",
        recipient=f"Ads {mark}", ticket=f"Ticket {mark}", created_at=now,
    )  # fmt: skip
    return {
        "case_id": case.pk,
        "todo_id": todo.pk,
        "identity_id": Identity.objects.get(submission=submission).pk,
        "letter_id": letter.pk,
        "approval_id": approval.pk,
        "word_id": told.pk,
        "approval": token,
    }


@contextmanager
def undone() -> Iterator[None]:
    """Undo on both databases what happens inside, though scopes inside want to be outermost."""
    guards = [transaction.atomic(using=alias) for alias in ("default", "vault")]
    for guard in guards:
        guard._from_testcase = True  # type: ignore[attr-defined]  # watched from outside
    with guards[0], guards[1]:
        yield
        transaction.set_rollback(True, using="default")
        transaction.set_rollback(True, using="vault")
