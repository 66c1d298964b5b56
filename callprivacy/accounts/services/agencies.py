"""Agencies and their clients: making them, with the keys and the rows they cannot do without."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.template.loader import render_to_string
from django.utils.text import slugify

from callprivacy.accounts import access, selectors
from callprivacy.accounts.enums import AgencyRight, MembershipState, Role
from callprivacy.accounts.models import Invitation, Membership
from callprivacy.accounts.seconding import NotCountedError
from callprivacy.accounts.services import invitations, officers, people
from callprivacy.audit import services as audit
from callprivacy.lib.after_commit import after_commit
from callprivacy.lib.mail import letter
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Answerer, AtEnd, PartyRole, RetentionState, Sector
from callprivacy.tenancy.models import Agency, Client, Engagement, Place
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault

RESERVED_SLUGS = frozenset({"new"})  # words that stand in a client's place in a url
AWAY_FOR: Final = timedelta(days=1)
"""So long has somebody not been here of whom it is said that they cannot come in any more."""


class SlugTakenError(ValueError):
    """Another agency, or another client of this agency, has that short name already."""


class NotSignedError(ValueError):
    """At a live client it is an officer's to sign that recordings are deleted at the tracker too."""

    def __init__(self, client: Client) -> None:
        super().__init__(f"{client.name} is live. Ask a compliance officer to switch this on.")


class HasOfficersError(ValueError):
    """An officer of the agency may invite another one: an operator does not."""

    def __init__(self, agency: str) -> None:
        super().__init__(f"{agency} has compliance officers. They invite new officers.")


class HasManagersError(ValueError):
    """Somebody in the agency may invite: an operator does not."""

    def __init__(self, agency: str) -> None:
        super().__init__(f"{agency} has people who manage people. They invite whoever is to come.")


class NotTheManagerError(ValueError):
    """Nobody active who manages people there has the address."""

    def __init__(self, agency: str, email: str) -> None:
        super().__init__(f"Nobody active who manages people at {agency} has the address {email}.")


class StillHereError(ValueError):
    """Whoever is said to be locked out was signed in not long ago."""


def create_agency(*, name: str, time_zone: str, by: Actor, at: datetime, is_demo: bool = False) -> Agency:
    """
    Make an agency. It enters the new agency's scope itself, so it is called outside any.

    :raises SlugTakenError: an agency of that name exists.
    """
    slug = slugify(name)[:60] or "agency"
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('tenancy_agency', 'id'))")
        agency_id = cursor.fetchone()[0]
        cursor.execute("SELECT agency_slug_is_free(%s)", [slug])
        if not cursor.fetchone()[0]:
            raise SlugTakenError(f"There is an agency called {slug} already.")
    with job_scope(agency_id=agency_id):
        agency = Agency.objects.create(
            pk=agency_id,
            name=name,
            slug=slug,
            time_zone=time_zone,
            is_demo=is_demo,
            created_at=at,
        )
        audit.record("agency.created", subject=agency, by=by, at=at)
    return agency


def invite_officer(*, agency_id: int, email: str, name: str, by: Actor, at: datetime) -> str:
    """
    Invite a compliance officer into an agency that has none, and return the link's token.

    It is a new agency, or one whose last officer is gone; where an admin is there, one confirms. Everybody who is
    there gets a mail, since an officer sees every client. It enters the agency's scope itself.

    :raises HasOfficersError: an officer is there. :raises AlreadyInvitedError: an invitation to the address is open.
    """
    with job_scope(agency_id=agency_id):
        people.hold_managers(agency_id)
        agency = Agency.objects.get(pk=agency_id)
        if selectors.officers_of(agency_id).exists():
            raise HasOfficersError(agency.name)
        _tell_everybody(agency, invited=email)
        return _send_officer(agency, email, name, by, at)


def replace_manager(
    *, agency_id: int, lost: str, email: str, name: str, is_taken_over: bool, by: Actor, at: datetime
) -> str:
    """
    Suspend the one person who manages an agency and cannot come in any more, invite an officer instead, and return the
    link's token.

    The sign-in itself stays as it is, with its password and second factors: no account changes hands. It opens nothing
    here any more, and every session of it ends. Everybody there is told by mail, at the lost address, too. It enters
    the agency's scope itself.

    :param is_taken_over: somebody else is at the lost sign-in, so that it may have been used just now.
    :raises NotTheManagerError: nobody active there who manages people has that address.
    :raises HasManagersError: somebody else there may do all of it. :raises StillHereError: the person was here.
    :raises AlreadyMemberError: the new address is a member's. :raises AlreadyInvitedError: an invitation to it is open.
    """
    with job_scope(agency_id=agency_id):
        people.hold_managers(agency_id)
        agency = Agency.objects.get(pk=agency_id)
        managers = selectors.managers_of(agency_id).select_related("user")
        member = managers.filter(user__email=lost.strip().lower()).first()
        if member is None:
            raise NotTheManagerError(agency.name, lost)
        if managers.exclude(pk=member.pk).exists():
            raise HasManagersError(agency.name)
        seen_at = selectors.last_here(member.user)
        if seen_at is not None and at < seen_at + AWAY_FOR and not is_taken_over:
            raise StillHereError(
                f"{member.user.email} was here within a day. Who can sign in invites somebody under People."
            )
        _tell_everybody(agency, invited=email, lost=member.user.email)
        people.shut_out(membership=member, by=by, at=at, replaced=True)
        return _send_officer(agency, email, name, by, at)


def _send_officer(agency: Agency, email: str, name: str, by: Actor, at: datetime) -> str:
    invitation, token = invitations.invite(
        agency_id=agency.pk,
        email=email,
        name=name,
        role=Role.OFFICER,
        client_ids=Client.objects.values_list("pk", flat=True),
        by=by,
        at=at,
    )
    invitations.send_mail_on_commit(invitation=invitation, token=token, agency_name=agency.name, at=at)
    return token


def _tell_everybody(agency: Agency, *, invited: str, lost: str = "") -> None:
    """Tell whoever works in an agency that an operator invites an officer, once that is kept."""
    here = Membership.objects.filter(agency=agency).active()
    confirms = not lost and selectors.managers_of(agency.pk).exists()
    for member in here.select_related("user").order_by("pk"):
        context = {
            "name": str(member.user),
            "agency": agency.name,
            "invited": invited.strip().lower(),
            "lost": lost,
            "confirms": confirms,
        }
        after_commit("mail of an invited officer", _send_mail, to=member.user.email, context=context)


def _send_mail(*, to: str, context: dict[str, object]) -> None:
    text = render_to_string("accounts/email/officer_invited.txt", context)
    letter(f"A compliance officer was invited to {context['agency']}", text, [to]).send()


def confirm_officer(*, agency_id: int, invitation_id: int, by: Actor, at: datetime) -> None:
    """
    Confirm an officer's invitation as the operator, where no other officer can. It enters the agency's scope itself.

    :raises NotWaitingError: it waits no more. :raises OfficersConfirmError: an officer can.
    :raises NotCountedError: the operator may be the proposer or the new officer.
    """
    refused: NotCountedError | None = None
    with job_scope(agency_id=agency_id):
        found = selectors.unconfirmed(at=at).filter(pk=invitation_id).first()
        if found is None:
            raise officers.NotWaitingError
        try:
            send_confirmed(officers.confirm(invitation=found, by=by, at=at), by=by, at=at)
        except NotCountedError as error:  # what the audit log says of it is kept
            refused = error
    if refused is not None:
        raise refused


def send_confirmed(invitation: Invitation, *, by: Actor, at: datetime) -> None:
    """Send the link of an invitation that a second person has confirmed."""
    token = invitations.renew(invitation=invitation, by=by, at=at)
    invitations.send_mail_on_commit(
        invitation=invitation, token=token, agency_name=invitation.agency.name, at=at
    )


@transaction.atomic
def update_agency(
    *,
    agency: Agency,
    name: str,
    time_zone: str,
    reveals_per_hour: int,
    needs_second_for_live: bool,
    by: Actor,
    at: datetime,
) -> None:
    """
    Change an agency's own settings. The trail names the fields, a limit of numbers shown with before and after, and
    whether going live takes two officers from now on.

    :raises ValueError: going live would no longer take the signature of an officer who is there, or suspended.
    """
    is_off = agency.needs_second_for_live and not needs_second_for_live
    if is_off and (by.user_id is None or has_other_officers(agency, but=by.user_id, at=at)):
        raise ValueError("Another officer would no longer be asked.")
    before = agency.reveals_per_hour
    values = {
        "name": name,
        "time_zone": time_zone,
        "reveals_per_hour": reveals_per_hour,
        "needs_second_for_live": needs_second_for_live,
    }
    changed = [field for field, value in values.items() if getattr(agency, field) != value]
    if not changed:
        return
    for field in changed:
        setattr(agency, field, values[field])
    agency.save(update_fields=changed)
    limits: dict[str, Any] = (
        {"before": before, "after": reveals_per_hour} if reveals_per_hour != before else {}
    )
    if "needs_second_for_live" in changed:
        limits["second_for_live"] = needs_second_for_live
    audit.record("agency.changed", subject=agency, by=by, at=at, fields=", ".join(changed), **limits)


def has_other_officers(agency: Agency, *, but: int, at: datetime) -> bool:
    """Whether somebody else is an officer; one who is suspended, or was one until lately, counts."""
    found = Membership.objects.filter(agency=agency, role=Role.OFFICER).exclude(state=MembershipState.LEFT)
    removed = access.removed_lately(AgencyRight.SIGN_OFF, agency_id=agency.pk, at=at, but=but)
    return found.exclude(user_id=but).exists() or removed.exists()


@transaction.atomic
def create_client(
    *,
    agency: Agency,
    name: str,
    legal_name: str,
    by: Actor,
    at: datetime,
    slug: str | None = None,
    time_zone: str | None = None,
    sector: Sector = Sector.OTHER,
    home_country: str = "US",
    places: Collection[tuple[str, str]] = (),
    brand_colour: str = "#2f5d62",
    policy_url: str = "",
    people: Collection[Membership] = (),
) -> Client:
    """
    Make a client with its keys, its places (country, region) and an engagement to fill in.

    Whoever is a compliance officer of the agency is granted it, and so are `people`, each with the bundle
    that the
    role proposes; everybody else is granted by hand.

    :raises SlugTakenError: the agency has a client of that short name.
    """
    slug = slug or slugify(name)[:60] or "client"
    if slug in RESERVED_SLUGS:
        slug = f"{slug}-client"
    if Client.objects.filter(agency=agency, slug=slug).exists():
        raise SlugTakenError("Another client has this short name. Choose one that differs.")
    client = Client.objects.create(
        agency=agency,
        slug=slug,
        name=name,
        legal_name=legal_name,
        time_zone=time_zone or agency.time_zone,
        sector=sector,
        home_country=home_country,
        brand_colour=brand_colour,
        policy_url=policy_url,
        created_at=at,
    )
    Place.objects.bulk_create(
        Place(agency=agency, client=client, country=country, region=region) for country, region in places
    )
    Engagement.objects.create(agency=agency, client=client)
    vault.create_client_keys(client_id=client.pk, agency_id=agency.pk, at=at)
    audit.record("client.created", subject=client, by=by, at=at)
    officers = Membership.objects.filter(agency=agency, role=Role.OFFICER).active()
    named = {row.user_id for row in people}
    held = access.hold_members(agency_id=agency.pk, user_ids={row.user_id for row in officers} | named)
    for membership in held:
        # As they are by now: they may have left, or be officers no more, while this waited.
        if not membership.is_active:
            continue
        if membership.role != Role.OFFICER and membership.user_id not in named:
            continue
        access.write_bundle(
            agency_id=agency.pk,
            user_id=membership.user_id,
            client_ids=[client.pk],
            bundle=Role(membership.role),
            granted_by_id=by.user_id,
            at=at,
            ends_at=None,
        )
        audit.record(
            "grant.changed",
            subject=client,
            by=by,
            at=at,
            person=membership.user_id,
            bundle=str(membership.role),
        )
    return client


@transaction.atomic
def update_client(
    *,
    client: Client,
    name: str,
    legal_name: str,
    time_zone: str,
    sector: Sector,
    home_country: str,
    places: Collection[tuple[str, str]],
    brand_colour: str,
    policy_url: str,
    by: Actor,
    at: datetime,
) -> None:
    """
    Change a client's profile; the trail names which fields changed, never to what. The slug stays, links
    hold.
    """
    values = {
        "name": name,
        "legal_name": legal_name,
        "time_zone": time_zone,
        "sector": sector.value,
        "home_country": home_country,
        "brand_colour": brand_colour,
        "policy_url": policy_url,
    }
    changed = [field for field, value in values.items() if getattr(client, field) != value]
    for field in changed:
        setattr(client, field, values[field])
    if changed:
        client.save(update_fields=changed)
    if _set_places(client, places):
        changed.append("places")
    if changed:
        audit.record("client.changed", subject=client, by=by, at=at, fields=", ".join(changed))


def _set_places(client: Client, places: Collection[tuple[str, str]]) -> bool:
    """Make a client's places exactly these; returns whether any differed."""
    wanted = set(places)
    kept = {(place.country, place.region): place.pk for place in Place.objects.for_client(client)}
    gone = [pk for key, pk in kept.items() if key not in wanted]
    fresh = sorted(wanted - kept.keys())
    if gone:
        Place.objects.for_client(client).filter(pk__in=gone).delete()
    Place.objects.bulk_create(
        Place(agency_id=client.agency_id, client=client, country=country, region=region)
        for country, region in fresh
    )
    return bool(gone or fresh)


@transaction.atomic
def update_engagement(
    *,
    client: Client,
    measure_as: PartyRole,
    record_as: PartyRole,
    contact_as: PartyRole,
    contract_on: date | None,
    dpa_on: date | None,
    instructions: str,
    delete_at_vendor: bool,
    answered_by: Answerer,
    breach_notice_hours: int,
    at_end: AtEnd,
    is_signed: bool = False,
    by: Actor,
    at: datetime,
) -> None:
    """
    Change what was agreed with a client; the trail names which facts changed.

    :param is_signed: whether a compliance officer does it.
    :raises NotSignedError: recordings of a live client would be deleted at the tracker too, and no officer signs.
    """
    engagement = Engagement.objects.for_client(client).get()
    values = {
        "measure_as": measure_as.value,
        "record_as": record_as.value,
        "contact_as": contact_as.value,
        "contract_on": contract_on,
        "dpa_on": dpa_on,
        "instructions": instructions,
        "delete_at_vendor": delete_at_vendor,
        "answered_by": answered_by.value,
        "breach_notice_hours": breach_notice_hours,
        "at_end": at_end.value,
    }
    changed = [field for field, value in values.items() if getattr(engagement, field) != value]
    if not changed:
        return
    told: dict[str, Any] = {}
    if "delete_at_vendor" in changed:
        if delete_at_vendor and not is_signed:
            _check_not_live(client)
        told = {"delete_at_vendor": delete_at_vendor, "was_delete_at_vendor": not delete_at_vendor}
    for field in changed:
        setattr(engagement, field, values[field])
    engagement.save(update_fields=changed)
    audit.record("engagement.changed", subject=client, by=by, at=at, fields=", ".join(changed), **told)


def _check_not_live(client: Client) -> None:
    """The row is held, so that no signature of going live comes between the look and the change."""
    locked = Client.objects.select_for_update(no_key=True, of=("self",)).get(pk=client.pk)
    if locked.retention_state == RetentionState.LIVE:
        raise NotSignedError(client)
