"""Making the demo, and removing it as a whole."""

import base64
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.utils.text import slugify

from analytics.channels.cost_file import CostRow
from analytics.services import costs, days, saved
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import ClientGrant, Membership, User
from callprivacy.accounts.services import agencies, grants
from callprivacy.audit import services as audit
from callprivacy.calls.enums import JobState, PullKind
from callprivacy.calls.models import Connection, Pull, PullRun, TrackingNumber
from callprivacy.calls.providers import PROVIDERS
from callprivacy.calls.providers.base import Delivery
from callprivacy.calls.services import connections, inbox, intake, numbers, pulls
from callprivacy.lib import calendars
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.enums import AtEnd
from callprivacy.tenancy.models import Agency, AgencyOwned, Client, ClientOwned, PublicKey
from callprivacy.tenancy.scope import job_scope, operator_scope
from callprivacy.vault import files
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import TokenKey
from callprivacy.work import services as work
from callprivacy.work.models import Period
from dashboard import demo
from dashboard.demo.heard import with_talks
from dashboard.services import asked, heard, posture, programme, released, said, signing_in
from governance.channels import pictures
from governance.models import CoursePicture
from retention import targets
from retention.enums import Category
from retention.selectors import changes
from retention.selectors import runs as kept
from retention.services import going_live, policies

_BATCH: Final = 5_000
_MAKER: Final = Actor.job("dashboard.demo")
_MADE: Final = "made"


class DemoExistsError(ValueError):
    """There is a demo already, or none can be made now; the text says which."""


def find_demo() -> int | None:
    """The id of the agency that was made as the demo, finished or not. Called outside any scope."""
    with operator_scope():
        return (
            Agency.objects.filter(slug=slugify(demo.AGENCY), is_demo=True)
            .values_list("pk", flat=True)
            .first()
        )


def what_there_is() -> str:
    """For the first start: "nothing", a demo that is "unfinished", the "demo", or an "agency" of somebody."""
    with operator_scope():
        if Agency.objects.filter(is_demo=False).exists():
            return "agency"
    found = find_demo()
    if found is None:
        return "nothing"
    return "demo" if _is_finished(found) else "unfinished"


def make_demo(*, password: str, at: datetime, progress: Callable[[str], None]) -> Agency:
    """
    Make the invented agency with its clients, people and ninety days of calls; what an interrupted attempt
    left is removed first. Called outside any scope.

    :param password: every demo person's; the caller prints it once.
    :param progress: told each client's name before its calls are taken in.
    :raises DemoExistsError: there is a finished one, one is just being made or removed, or an agency of its
        name is no demo.
    """
    with _alone(wait=False):
        left = find_demo()
        if left is not None:
            if _is_finished(left):
                raise DemoExistsError("There is a demo already.")
            _remove(left, by=_MAKER, at=at)
        try:
            agency = agencies.create_agency(
                name=demo.AGENCY, time_zone=demo.ZONE, by=_MAKER, at=at, is_demo=True
            )
        except agencies.SlugTakenError as error:
            raise DemoExistsError(f"An agency is called {demo.AGENCY}, and it is no demo.") from error
        everybody = _make_people(agency, password, at)
        people = {Role(member.role): member for member in reversed(everybody)}
        grounds = []
        for about in demo.CLIENTS:
            progress(about.name)
            grounds.append(_fill_client(_make_client(agency, about, at), about, at))
        inbox.process_batch(agency_id=agency.pk, at=at)
        officer = Actor.staff(user_id=people[Role.OFFICER].user_id)
        said.fill(grounds, officer=officer, at=at)
        asked.fill(agency, grounds, officer=officer, at=at)
        with job_scope(agency_id=agency.pk):
            for member in everybody:
                for client in Client.objects.filter(slug__in=demo.GRANTED.get(Role(member.role), ())):
                    grants.set_bundle(
                        membership=member,
                        client=client,
                        bundle=Role(member.role),
                        by=_MAKER,
                        at=at,
                        ends_at=None,
                    )
            _fill_reports(Actor.staff(user_id=people[Role.ANALYST].user_id), at)
            _set_policies(*(one for one in everybody if one.role == Role.OFFICER), at=at)
            signing_in.fill(agency, everybody, officer=people[Role.OFFICER], at=at)
            lab = Client.objects.select_related("agency").get(slug=demo.RELEASED)
            proposer = people[Role.ACCOUNT_MANAGER]
            grants.set_bundle(
                membership=proposer, client=lab, bundle=Role.OFFICER, by=_MAKER, at=at, ends_at=None
            )
        heard.fill(grounds, officer=officer, at=at)
        released.fill(lab, proposer=proposer, officer=people[Role.OFFICER], at=at)
        programme.fill(agency, people, at=at)
        with job_scope(agency_id=agency.pk):
            work.claim_period(agency_id=agency.pk, job=_MAKER.name, period=_MADE, at=at, kept_for=None)
            # The first page of a demo is looked at before the worker's first minute is over.
            for client in Client.objects.select_related("agency").filter(agency=agency):
                days.count_all(client=client, at=at)
        # What happened in an invented past has waited for no seal.
        with job_scope(agency_id=agency.pk):
            audit.seal_events(agency_id=agency.pk, at=at)
    posture.look(agency_id=agency.pk, at=at)
    return agency


@contextmanager
def _alone(*, wait: bool) -> Iterator[None]:
    """
    Let nobody else make or remove the demo meanwhile; the lock ends with the connection.

    :raises DemoExistsError: somebody does, and we do not wait.
    """
    with connection.cursor() as cursor:
        if wait:
            cursor.execute("SELECT pg_advisory_lock(hashtextextended('dashboard.demo', 0))")
        else:
            cursor.execute("SELECT pg_try_advisory_lock(hashtextextended('dashboard.demo', 0))")
            if not cursor.fetchone()[0]:
                raise DemoExistsError("The demo is just being made or removed. Wait a minute.")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended('dashboard.demo', 0))")


def _is_finished(agency_id: int) -> bool:
    with job_scope(agency_id=agency_id):
        return Period.objects.filter(agency_id=agency_id, job=_MAKER.name, period=_MADE).exists()


def _make_people(agency: Agency, password: str, at: datetime) -> list[Membership]:
    """In the demo's order, and in one transaction: a person without a membership would not be found again."""
    with job_scope(agency_id=agency.pk):
        people = []
        for name, short, role in demo.PEOPLE:
            user = User.objects.create_user(f"{short}{demo.MAIL}", password, name=name)
            people.append(Membership.objects.create(agency=agency, user=user, role=role, created_at=at))
        return people


def _make_client(agency: Agency, about: demo.DemoClient, at: datetime) -> Client:
    agreed = demo.AGREEMENTS[about.slug]
    with job_scope(agency_id=agency.pk):
        client = agencies.create_client(
            agency=agency,
            slug=about.slug,
            name=about.name,
            legal_name=about.legal_name,
            sector=about.sector,
            time_zone=about.zone,
            home_country=about.country,
            places=[(about.country, about.region)],
            brand_colour=about.colour,
            policy_url=f"https://{about.slug}.example/privacy",
            by=_MAKER,
            at=at,
        )
        agencies.update_engagement(
            client=client,
            measure_as=agreed.measure_as,
            record_as=agreed.record_as,
            contact_as=agreed.contact_as,
            contract_on=agreed.contract_on,
            dpa_on=agreed.dpa_on,
            instructions=agreed.instructions,
            delete_at_vendor=False,
            answered_by=agreed.answered_by,
            breach_notice_hours=agreed.breach_notice_hours,
            at_end=AtEnd.ERASE,
            by=_MAKER,
            at=at,
        )
    return client


def _fill_client(client: Client, about: demo.DemoClient, at: datetime) -> said.Ground:
    """Its connections, its calls, what is known of its numbers, and what its tracker sent that nobody can read."""
    past, talks = with_talks(about, list(demo.calls_of(about, until=calendars.day_in(about.zone, at))))
    facts, secret = [fact for fact in past if fact.recording_reference not in talks], secrets.token_hex(16)
    door: Connection | None = None
    if about.provider in PROVIDERS:
        facts.append(demo.newest_call(about, at=at))
        door = _make_connection(client, about.provider, PROVIDERS[about.provider].title, secret, at)
    for start in range(0, len(facts), _BATCH):
        intake.take_in(
            client=client,
            provider=about.provider,
            connection_id=door.pk if door else None,
            facts=facts[start : start + _BATCH],
            way=intake.Way.IMPORT,
            at=at,
        )
    with job_scope(agency_id=client.agency_id):
        if door is not None:
            Connection.objects.filter(pk=door.pk).update(
                events=len(facts), last_event_at=demo.heard_at(about, at=at)
            )
            if about.provider == "callrail":
                _ask_its_list(door, at)
        known = demo.numbers_of(about)
        for number in TrackingNumber.objects.for_client(client):
            _describe(number, known[number.number], at)
    if door is not None:
        for received_at, params in demo.unreadable_of(about, at=at):
            _deliver(door, secret, params, received_at)
    doors = {door.key: (door, secret)} if door is not None else {}
    if demo.text_number(about):
        texts = _take_texts(client, about, secrets.token_hex(16), at)
        doors[texts[0].key] = texts
    return said.Ground(
        client=client,
        about=about,
        facts=past,
        doors=[opened for opened, _ in doors.values()],
        secrets={key: secret for key, (_, secret) in doors.items()},
        talks=talks,
    )


def _ask_its_list(door: Connection, at: datetime) -> None:
    """As if its tracker had been asked for its calls, and twice had some that no webhook brought."""
    pull = pulls.set_access(
        connection=door,
        account="ACC0DEMO",
        company="COM0DEMO",
        login="",
        secret=secrets.token_hex(16),
        only_known=False,
        by=_MAKER,
        at=at - timedelta(days=20),
    )
    PullRun.objects.for_client(door.client_id).filter(pull=pull).update(
        state=JobState.DONE, finished_at=at - timedelta(days=20), listed=41, pages=1
    )
    rows = [
        (PullKind.HOURLY, timedelta(minutes=40), timedelta(hours=2), 3, 0),
        (PullKind.HOURLY, timedelta(hours=2), timedelta(hours=2), 5, 2),
        (PullKind.NIGHTLY, timedelta(hours=9), timedelta(days=3), 88, 10),
        (PullKind.BACKFILL, timedelta(days=20), timedelta(days=30), 812, 0),
    ]
    PullRun.objects.bulk_create(
        PullRun(
            agency_id=door.agency_id,
            client_id=door.client_id,
            pull=pull,
            kind=kind,
            period=f"{place}",
            state=JobState.DONE,
            from_at=at - ago - back,
            until_at=at - ago,
            position=at - ago,
            pages=1 + listed // 250,
            listed=listed,
            brought=brought,
            known=listed - brought,
            created_at=at - ago,
            finished_at=at - ago,
        )
        for place, (kind, ago, back, listed, brought) in enumerate(rows)
    )
    Pull.objects.filter(pk=pull.pk).update(covered_until=at - timedelta(minutes=40))


def _make_connection(client: Client, provider: str, name: str, secret: str, at: datetime) -> Connection:
    with job_scope(agency_id=client.agency_id):
        return connections.create_connection(
            client=client, provider=provider, name=name, secret=secret, by=_MAKER, at=at
        )


def _take_texts(client: Client, about: demo.DemoClient, secret: str, at: datetime) -> tuple[Connection, str]:
    """A number of Twilio's beside the tracker's, which callers text."""
    door = _make_connection(client, "twilio", "Twilio, for texts", secret, at)
    number = demo.text_number(about)
    known = demo.numbers_of(about)[number]
    with job_scope(agency_id=client.agency_id):
        numbers.add_number(
            client=client, number=number, provider="twilio", facts=_described(known, at), by=_MAKER, at=at
        )
        Connection.objects.filter(pk=door.pk).update(last_event_at=demo.heard_at(about, at=at))
    return door, secret


def _describe(number: TrackingNumber, known: demo.DemoNumber, at: datetime) -> None:
    numbers.describe_number(number=number, facts=_described(known, at), by=_MAKER, at=at)


def _described(known: demo.DemoNumber, at: datetime) -> numbers.Facts:
    return {
        "label": known.label,
        "source": known.source,
        "campaign": known.campaign,
        "target_site": known.target_site,
        "records": known.records,
        "announcement": known.announcement,
        "announced_from": known.announced_from,
        "announced_on_recording": True if known.announcement else None,
        "tested_at": None if known.tested is None else at - timedelta(days=known.tested),
    }


def _deliver(door: Connection, secret: str, params: Mapping[str, str], received_at: datetime) -> None:
    """Bring a form to a Twilio connection's door, signed as Twilio signs with HMAC-SHA256."""
    url = f"{settings.CALLPRIVACY_URL}/hooks/{door.provider}/{door.key}/"
    signed = url + "".join(name + params[name] for name in sorted(params))
    signature = base64.b64encode(TokenKey(secret.encode()).token(signed)).decode()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": signature,
        "X-Twilio-Webhooks-Signature-Settings": "algorithm=HMAC_SHA256",
    }
    inbox.receive_event(
        provider=PROVIDERS[door.provider],
        key=door.key,
        delivery=Delivery(urlencode(params).encode(), headers, url),
        at=received_at,
    )


def _fill_reports(analyst: Actor, at: datetime) -> None:
    """What campaigns cost at the analyst's clients, and a report that the analyst shares."""
    known = {about.slug: about for about in demo.CLIENTS}
    for client in Client.objects.filter(slug__in=demo.GRANTED[Role.ANALYST]):
        today = calendars.day_in(client.time_zone, at)
        rows = [CostRow(*cost) for cost in demo.costs_of(known[client.slug], until=today)]
        brought = costs.bring_costs(client=client, rows=rows, by=analyst, at=at)
        costs.take_costs(brought=brought, by=analyst, at=at)
    saved.save_report(
        client=Client.objects.get(slug=demo.GRANTED[Role.ANALYST][0]),
        name="Calls by source against the month before",
        query="measure=calls&by=source&period=28&compare=on&kind=bars",
        is_shared=True,
        by=analyst,
        at=at,
    )


_WHY_SHORTER: Final = "The client's contract sets this retention period."
_WHY_LIVE: Final = "The dry run showed the calls that we expected."


def _set_policies(first: Membership, second: Membership, *, at: datetime) -> None:
    """
    Shorten two clients' policies of call records once their calls are in, and let one of them and the client in
    quarantine go live: one officer proposes it, the other agrees.
    """
    for slug in (demo.OBSERVED_POLICY, demo.LIVE_POLICY):
        client = Client.objects.select_related("agency").get(slug=slug)
        wish = changes.Wish(client.agency, client, Category.CALL, demo.KEEP_FOR_DAYS)
        plan = changes.plan(wish)
        effect = changes.effect(plan, at)
        seen = policies.ShownEffect(
            effect.due_before, effect.due_after, effect.leaving, frozenset(plan.rule_ids)
        )
        change = policies.propose(wish=wish, shown=seen, reason=_WHY_SHORTER, proposer=first, at=at)
        policies.read_reason(change=change, by=Actor.staff(user_id=second.user_id), at=at)
        policies.approve(change=change, shown=seen, officer=second, at=at)
        if slug == demo.LIVE_POLICY:
            client.refresh_from_db()
            _go_live(client, first, second, at=at)
    quarantined = Client.objects.select_related("agency").get(slug=demo.QUARANTINED)
    _go_live(quarantined, first, second, at=at - demo.LIVE_FOR)


def _go_live(client: Client, first: Membership, second: Membership, *, at: datetime) -> None:
    due = targets.count_due(client, tenancy.cutoff_of(client, at), tenancy.cutoff_of(client, at, out=True))
    shown = going_live.Shown(
        due,
        allowed=0,
        withheld=0,
        leaving=0,
        besides=going_live.besides_shown(client=client, user_id=second.user_id, at=at),
        terms=kept.terms_of(client),
    )
    change = going_live.propose(client=client, shown=shown, reason=_WHY_LIVE, proposer=first, at=at)
    policies.read_reason(change=change, by=Actor.staff(user_id=second.user_id), at=at)
    going_live.go_live(client=client, shown=shown, signed_by=second.user_id, at=at)


class NotADemoError(ValueError):
    """Only an agency that was made as a demo can be removed this way."""


def remove_demo(*, agency_id: int, by: Actor, at: datetime) -> None:
    """
    Destroy a demo's keys, then its files, rows and people; its trail stays, which holds no personal values.

    Called outside any scope; repeating it finishes what a crash left.

    :raises NotADemoError: the agency is none.
    """
    with _alone(wait=True):
        _remove(agency_id, by=by, at=at)
        _forget_first_start()


def _remove(agency_id: int, *, by: Actor, at: datetime) -> None:
    with job_scope(agency_id=agency_id):
        if not Agency.objects.filter(pk=agency_id, is_demo=True).exists():
            raise NotADemoError("This agency is not a demo.")
        audit.record("demo.removing", by=by, at=at)
        Period.objects.filter(agency_id=agency_id, job=_MAKER.name, period=_MADE).remove()
        client_ids = list(Client.objects.values_list("pk", flat=True))
        user_ids = list(Membership.objects.values_list("user_id", flat=True))
        picture_ids = list(CoursePicture.objects.values_list("pk", flat=True))
    for picture_id in picture_ids:
        pictures.drop(agency_id=agency_id, picture_id=picture_id)
    # What was asked of the agency itself is under keys of its own.
    for client_id in [*client_ids, -agency_id]:
        vault.destroy_client(client_id=client_id)
        files.delete_all(client_id)
    with job_scope(agency_id=agency_id):
        PublicKey.objects.filter(agency_id=agency_id).delete()
        with connection.cursor() as cursor:
            *rows, clients = sorted(_tables(), key=_is_of_clients)
            # Twice, because calls that go leave notes for the reports, by a trigger, when the notes have gone already;
            # and before the clients, without whom nobody sees the notes.
            for table in [*rows, *rows, clients]:
                cursor.execute(f"DELETE FROM {table} WHERE agency_id = %s", [agency_id])  # noqa: S608  (names of tables of ours)
        audit.record("demo.removed", by=by, at=at, agency_id=agency_id)
        invented = User.objects.filter(pk__in=user_ids, email__endswith=demo.MAIL, is_staff=False)
        invented.delete()
        Agency.objects.filter(pk=agency_id).remove()


def _forget_first_start() -> None:
    """What `make run` keeps of the demo: its logins, and that the first start is over unless for an agency."""
    (settings.CALLPRIVACY_STATE / "demo.txt").unlink(missing_ok=True)
    if what_there_is() != "agency":
        (settings.CALLPRIVACY_STATE / "started-with").unlink(missing_ok=True)


def _tables() -> list[str]:
    """Tables with an agency, those that point at others first."""
    left: list[type[models.Model]] = [ClientGrant]
    left += [model for model in apps.get_models() if issubclass(model, AgencyOwned | ClientOwned)]
    ordered: list[type[models.Model]] = []
    while left:
        free = [
            model
            for model in left
            if not any(_points_at(other, model) for other in left if other is not model)
        ]
        if not free:
            raise AssertionError(f"These tables point at each other: {left}.")
        ordered += free
        left = [model for model in left if model not in free]
    return [connection.ops.quote_name(model._meta.db_table) for model in ordered]


def _is_of_clients(table: str) -> bool:
    return table == connection.ops.quote_name(Client._meta.db_table)


def _points_at(model: type[models.Model], target: type[models.Model]) -> bool:
    return any(field.related_model is target for field in model._meta.local_fields)
