"""Roles as named bundles, and the rights that concern an agency rather than one client."""

from enum import StrEnum
from typing import Final

from django.db import models

from callprivacy.tenancy.enums import Permission as P  # noqa: N817  (the table below stays readable)


class Role(models.TextChoices):
    """What a person is in an agency; it proposes a bundle for each client and gives the agency's rights."""

    ADMIN = "admin", "Admin"
    OFFICER = "officer", "Compliance officer"
    ACCOUNT_MANAGER = "account_manager", "Account manager"
    ANALYST = "analyst", "Analyst"
    REVIEWER = "reviewer", "Reviewer"
    AGENT = "agent", "Agent"
    APPROVER = "approver", "Client-side approver"
    CALL_CENTRE_HEAD = "call_centre_head", "Call-centre head"


class MembershipState(models.TextChoices):
    """Whether a membership counts; PostgreSQL reads the same word."""

    ACTIVE = "active", "Active"
    SUSPENDED = "suspended", "Suspended"
    LEFT = "left", "Left"


class AgencyRight(StrEnum):
    """What a role may do for the whole agency. None of these shows a call."""

    MANAGE_PEOPLE = "manage_people"
    MANAGE_CLIENTS = "manage_clients"
    VIEW_TRAIL = "view_trail"
    SIGN_OFF = "sign_off"
    RUN_JOBS = "run_jobs"


class InvitationState(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    UNCONFIRMED = "unconfirmed"


class Uncounted(StrEnum):
    """Why a signature does not count as the second one."""

    SELF = "self"
    NEW = "new"
    INVITER = "inviter"
    MAILBOX = "mailbox"
    BROWSER = "browser"
    NETWORK = "network"


class PasswordProfile(models.TextChoices):
    """Whose advice an agency follows for passwords; `passwords.STANDARDS` says who asks for what."""

    ROTATING = "rotating", "Rotating: composed, and changed every 60 to 90 days"
    NIST = "nist", "NIST: longer, never changed without a reason"


class DueWhy(models.TextChoices):
    AGE = "age", "It is as old as the agency lets one become"
    RULE = "rule", "The agency's rule asks for more than it holds"
    KNOWN = "known", "There is evidence that somebody else knows it"


class Deed(models.TextChoices):
    """What a person confirms with their password or second factor before doing it."""

    REVEAL = "reveal", "Showing a number"
    EXPORT = "export", "Exporting calls"
    RELEASE = "release", "Releasing data"
    POLICY = "policy", "Changing a policy"
    GRANTS = "grants", "Changing people and grants"


class Refusal(models.TextChoices):
    """Why somebody who came back from an agency's provider was not let in, for the trail and who sets it up."""

    NO_ANSWER = "no_answer", "The provider does not answer, or not with what was asked for"
    NOT_OUTSIDE = "not_outside", "The provider leads to an address that is not asked"
    SAID_NO = "said_no", "The provider itself refused, or the person turned back there"
    NO_TRIP = "no_trip", "Nobody set out from this browser for it, or it came back twice or too late"
    CODE_REFUSED = "code_refused", "The provider does not take the code, the client id or the secret"
    BAD_TOKEN = "bad_token", "What the provider signed is not whole"
    BAD_ALGORITHM = "bad_algorithm", "It is signed in a way that is not taken"
    NO_KEY = "no_key", "It is signed with no key that the provider publishes"
    BAD_SIGNATURE = "bad_signature", "The signature does not fit"
    OTHER_ISSUER = "other_issuer", "It comes from another provider"
    OTHER_AUDIENCE = "other_audience", "It is meant for another application"
    EXPIRED = "expired", "It is not of this moment"
    WRONG_NONCE = "wrong_nonce", "It belongs to another sign-in"
    OTHER_SUBJECT = "other_subject", "The provider speaks of two different people"
    NO_FACTOR = "no_factor", "The provider does not say that it asked for a second factor"
    NOT_FRESH = "not_fresh", "The provider did not ask the person again, or does not say so"
    OTHER_PERSON = "other_person", "Somebody else confirmed than who is signed in"
    UNVERIFIED = "unverified", "The provider does not vouch for the e-mail address"
    OTHER_DOMAIN = "other_domain", "The e-mail address is in no domain that the provider may speak for"
    NOBODY = "nobody", "Nobody who works here now has this e-mail address"
    OTHER_LINK = "other_link", "The person with this address was linked to another account at the provider"
    TOO_OFTEN = "too_often", "There were too many tries"


class ReviewAnswer(models.TextChoices):
    """What became of a grant in an access review."""

    OPEN = "open", "Not answered"
    KEPT = "kept", "Goes on"
    ENDED = "ended", "Ended"
    LAPSED = "lapsed", "Ended: nobody answered"
    GONE = "gone", "Was gone already"


class ApiScope(models.TextChoices):
    """What a system may do with a client's key; each is given on its own."""

    CONSENT_CHECK = "consent.check", "Ask what is allowed"
    CONSENT_WRITE = "consent.write", "Write down what people say"
    CONSENT_PROVE = "consent.prove", "Vouch for proof of what people say"
    CONTACT_CHECK = "contact.check", "Ask before somebody is called or texted"


CLIENT_SIDE: Final = (Role.APPROVER, Role.CALL_CENTRE_HEAD)
"""Roles on the client's side: memberships that see the clients they are granted, one as a rule."""

RIGHTS: dict[Role, frozenset[AgencyRight]] = {
    Role.ADMIN: frozenset({AgencyRight.MANAGE_PEOPLE, AgencyRight.MANAGE_CLIENTS, AgencyRight.VIEW_TRAIL}),
    # The officer who founds an agency invites its first people, so the officer manages people too.
    Role.OFFICER: frozenset(
        {
            AgencyRight.MANAGE_PEOPLE,
            AgencyRight.MANAGE_CLIENTS,
            AgencyRight.VIEW_TRAIL,
            AgencyRight.SIGN_OFF,
            AgencyRight.RUN_JOBS,
        }
    ),
    Role.ACCOUNT_MANAGER: frozenset(),
    Role.ANALYST: frozenset(),
    Role.REVIEWER: frozenset(),
    Role.AGENT: frozenset(),
    Role.APPROVER: frozenset(),
    Role.CALL_CENTRE_HEAD: frozenset(),
}

# A list of calls can be counted, so that its reports are exact.
_CALLS: Final = frozenset({P.VIEW_CALLS, P.VIEW_EXACT_REPORTS})

BUNDLES: dict[Role, frozenset[P]] = {
    Role.ADMIN: frozenset({P.VIEW_CLIENT, P.MANAGE_CONNECTIONS}),
    Role.OFFICER: frozenset(P),
    Role.ACCOUNT_MANAGER: frozenset(
        {
            P.VIEW_CLIENT,
            *_CALLS,
            P.EXPORT_CALLS,
            P.VIEW_ANALYTICS,
            P.ANSWER_CALLS,
            P.MANAGE_CONSENT,
            P.MANAGE_CONNECTIONS,
        }
    ),
    # An analyst proposes anonymized rows, which an officer signs; pseudonymized ones take seeing calls.
    Role.ANALYST: frozenset({P.VIEW_CLIENT, P.VIEW_ANALYTICS, P.RELEASE_DATA}),
    Role.REVIEWER: frozenset(
        {
            P.VIEW_CLIENT,
            *_CALLS,
            P.REVEAL_NUMBERS,
            P.PLAY_RECORDINGS,
            P.READ_TRANSCRIPTS,
        }
    ),
    # An agent works at the desk, and decides nothing of how a client asks for consent.
    Role.AGENT: frozenset({P.VIEW_CLIENT, *_CALLS, P.ANSWER_CALLS}),
    Role.APPROVER: frozenset({P.VIEW_CLIENT, P.VIEW_ANALYTICS, P.HANDLE_REQUESTS}),
    Role.CALL_CENTRE_HEAD: frozenset({P.VIEW_CLIENT, *_CALLS, P.VIEW_ANALYTICS}),
}
