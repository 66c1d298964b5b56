"""People: one sign-in, memberships in agencies, and what each may do with which client."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.contrib.auth.models import (
    AbstractBaseUser,
    BaseUserManager,
    Permission,
    PermissionsMixin,
)
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.crypto import salted_hmac
from guardian.models import UserObjectPermissionBase

from callprivacy.accounts.enums import (
    RIGHTS,
    AgencyRight,
    Deed,
    DueWhy,
    InvitationState,
    MembershipState,
    PasswordProfile,
    ReviewAnswer,
    Role,
)
from callprivacy.tenancy.models import AgencyOwned, Client, ClientOwned, ScopedManager, ScopedQuerySet, WithId
from callprivacy.vault.fields import StrictEncryptedField


class UserManager(BaseUserManager["User"]):
    """Makes users by e-mail; sign-up stays closed, so only services and commands call it."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """An operator: no user has every permission, and the database refuses one who would."""
        return self.create_user(email, password, is_staff=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """One person's sign-in, shared by the agencies that person works for."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField("platform operator", default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    password_changed_at = models.DateTimeField(null=True, blank=True)
    password_due_at = models.DateTimeField(null=True, blank=True, editable=False)
    password_due_why = models.CharField(
        max_length=8, choices=DueWhy, default="", db_default="", blank=True, editable=False
    )
    password_links = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    sessions_ended_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        constraints = (
            models.CheckConstraint(condition=models.Q(is_superuser=False), name="accounts_user_no_superuser"),
        )

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return self.name

    def get_session_auth_hash(self) -> str:
        """
        What a session, and a sign-in that waits for its second step, keeps of its person.

        It changes with the password, and each time that every session of theirs ends: what began before fits no more.
        """
        found: str = super().get_session_auth_hash()
        if self.sessions_ended_at is None:
            return found
        ended = self.sessions_ended_at.isoformat()
        return salted_hmac("callprivacy.sessions", f"{found} {ended}", algorithm="sha256").hexdigest()

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        """
        None: with another key everybody signs in again, though what was signed by the earlier one is still believed.

        Django would give such a session another name, by which it stands in no list of a person's sessions and is not
        ended with them.
        """
        yield from ()


class MembershipQuerySet(ScopedQuerySet["Membership"]):
    def active(self) -> Self:
        """Those that count: neither the membership nor its user is out of force."""
        return self.filter(state=MembershipState.ACTIVE, user__is_active=True)


class Membership(AgencyOwned):
    """
    A person's place in an agency.

    `withheld_from`: the instant from which on the person sees no numbers, hears and takes nothing away, because
    training is overdue; a higher room writes it, and none where nothing is.
    `made_by`: who gave the present role, and `made_at`: when; empty where an operator did.
    `signs_from`: since when the person's signature counts as the second one; empty: always (see `seconding`).
    `officer_until` and `manager_until`: until when a person who lost the right to sign off, or to manage people, counts
    as another one whose second signature is needed.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role)
    state = models.CharField(max_length=10, choices=MembershipState, default=MembershipState.ACTIVE)
    created_at = models.DateTimeField()
    withheld_from = models.DateTimeField(null=True, editable=False)
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", editable=False)
    made_at = models.DateTimeField(null=True, editable=False)
    signs_from = models.DateTimeField(null=True, editable=False)
    officer_until = models.DateTimeField(null=True, editable=False)
    manager_until = models.DateTimeField(null=True, editable=False)

    objects = models.Manager.from_queryset(MembershipQuerySet)()  # type: ignore[misc]  # a manager with more words

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["agency", "user"], name="accounts_membership_once_an_agency"),
        )

    def __str__(self) -> str:
        return f"{self.user} as {self.get_role_display()}"

    @property
    def is_active(self) -> bool:
        """What `active` asks of rows, of this one; it looks at the user."""
        return self.state == MembershipState.ACTIVE and self.user.is_active

    @property
    def rights(self) -> frozenset[AgencyRight]:
        """What the role may do for the whole agency; nothing for who is not active."""
        return RIGHTS[Role(self.role)] if self.is_active else frozenset()


class ObjectGrant(UserObjectPermissionBase):
    """One permission of one person on one object, by whom, and until when."""

    id = models.BigAutoField(primary_key=True)
    granted_by = models.ForeignKey(User, models.PROTECT, related_name="+", null=True)
    granted_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class ClientGrant(ObjectGrant):
    content_object = models.ForeignKey(Client, models.CASCADE, related_name="grants", db_column="client_id")
    agency = models.ForeignKey("tenancy.Agency", models.PROTECT, related_name="+")
    bundle = models.CharField(max_length=20, choices=Role)

    # Guardian reads `ClientAccess`, where a grant that does not count is left out.
    enabled = False
    objects = ScopedManager()  # type: ignore[misc,assignment]  # guardian's own manager knows no scope

    class Meta:
        base_manager_name = "objects"
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=["user", "permission", "content_object"],
                name="accounts_clientgrant_once",
            ),
        )
        indexes = (models.Index(fields=["agency", "user"], name="accounts_grant_of_user"),)

    def __str__(self) -> str:
        return f"{self.permission_id} on client {self.content_object_id}"


class ObjectAccessManager(ScopedManager[Any]):
    """Rows of one kind of object, in the current scope."""

    def is_generic(self) -> bool:
        return False


class ObjectAccess(UserObjectPermissionBase):
    """A view of the permissions that count now, where django-guardian's shortcuts read them. It stores nothing."""

    user = models.ForeignKey(User, models.DO_NOTHING)
    permission = models.ForeignKey(Permission, models.DO_NOTHING)

    objects = ObjectAccessManager()  # type: ignore[misc,assignment]  # guardian's own manager knows no scope

    class Meta:
        abstract = True
        managed = False
        base_manager_name = "objects"
        default_permissions = ()


class ClientAccess(ObjectAccess):
    """Grants that count: in force, of an active member, and not withheld."""

    id = models.BigIntegerField(primary_key=True)
    content_object = models.ForeignKey(Client, models.DO_NOTHING, db_column="client_id")


class Invitation(AgencyOwned):
    """
    A single-use link for one e-mail address; only its digest is kept.

    `needs_second`: it opens nothing before somebody else than `invited_by` has confirmed it; an operator who did so by
    a command has no name.
    """

    email = models.EmailField()
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=20, choices=Role)
    digest = models.BinaryField(max_length=32, unique=True)
    client_ids = ArrayField(models.BigIntegerField(), default=list, blank=True)
    invited_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    needs_second = models.BooleanField(default=False, db_default=False)
    confirmed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    confirmed_at = models.DateTimeField(null=True, blank=True)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.CheckConstraint(
                condition=models.Q(confirmed_by=None) | ~models.Q(confirmed_by=models.F("invited_by")),
                name="accounts_invitation_by_two",
            ),
            models.CheckConstraint(
                condition=models.Q(confirmed_at=None, confirmed_by=None)
                | models.Q(confirmed_at__isnull=False) & ~models.Q(confirmed_by=None, invited_by=None),
                name="accounts_invitation_confirmed",
            ),
            models.CheckConstraint(
                condition=models.Q(needs_second=False)
                | models.Q(accepted_at=None)
                | models.Q(confirmed_at__isnull=False),
                name="accounts_invitation_has_two",
            ),
        )

    def __str__(self) -> str:
        return f"invitation as {self.get_role_display()}"

    def state_at(self, at: datetime) -> InvitationState:
        """Whether the link still opens, and if not, why."""
        if self.accepted_at is not None:
            return InvitationState.ACCEPTED
        if self.withdrawn_at is not None:
            return InvitationState.WITHDRAWN
        if self.needs_second and self.confirmed_at is None and at < self.expires_at:
            return InvitationState.UNCONFIRMED
        return InvitationState.OPEN if at < self.expires_at else InvitationState.EXPIRED


class ApiKey(ClientOwned, WithId):
    """
    A key of one of the agency's systems for one client: what it may do, until when; only its digest is kept.

    The key begins with a name in the directory of public keys, so that its client is known before the rest is checked.
    """

    name = models.CharField(max_length=120)
    key = models.CharField(max_length=64)
    digest = models.BinaryField(max_length=32)
    scopes = ArrayField(models.CharField(max_length=20))
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    last_used_on = models.DateField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    networks = ArrayField(models.CharField(max_length=43), default=list, blank=True)

    class Meta(ClientOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["client", "key"], name="accounts_apikey_name"),
            models.UniqueConstraint(fields=["client", "digest"], name="accounts_apikey_digest"),
        )

    def __str__(self) -> str:
        return self.name


class SignInFailure(models.Model):
    """How often a sign-in name failed lately, for the slow-down that no change of address avoids."""

    name_digest = models.BinaryField(max_length=32, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.failures} failures"


class SignInMark(models.Model):
    """
    That a person was at a browser or in a network, so that one person does not sign as two.

    A keyed digest of the browser's mark, for 30 days, or of the network's prefix, for an hour.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    digest = models.BinaryField(max_length=32)
    is_network = models.BooleanField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["user", "digest"], name="accounts_mark_once"),)
        indexes = (models.Index(fields=["seen_at"], name="accounts_mark_seen"),)

    def __str__(self) -> str:
        return f"a mark of {self.user_id}"


# --- How people of an agency sign in ---


def _every_deed() -> list[str]:
    return [deed.value for deed in Deed]


class SignInPolicy(AgencyOwned):
    """
    What an agency asks of passwords, second factors and sessions; an agency without a row has these defaults.

    :ivar max_age_days: with the rotating profile alone.
    :ivar grace_hours: how long sessions and keys of somebody whose password is overdue go on.
    :ivar idle_minutes: None, as `longest_hours`: what the installation says, which is the most in any case.
    :ivar networks: from where its people may work; empty: from everywhere.
    :ivar confirm: the deeds that ask who is there when the last proof is older than `confirm_minutes`.
    :ivar second_after_hours: how long the signature of somebody with a new role does not count as the second one.
    """

    agency = models.OneToOneField("tenancy.Agency", models.PROTECT, related_name="sign_in_policy")
    profile = models.CharField(max_length=10, choices=PasswordProfile, default=PasswordProfile.ROTATING)
    min_length = models.PositiveSmallIntegerField(default=12)
    max_age_days = models.PositiveSmallIntegerField(default=90)
    grace_hours = models.PositiveSmallIntegerField(default=72)
    second_factor_roles = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    confirm = ArrayField(models.CharField(max_length=10), default=_every_deed, blank=True)
    confirm_minutes = models.PositiveSmallIntegerField(default=60)
    idle_minutes = models.PositiveSmallIntegerField(null=True, blank=True)
    longest_hours = models.PositiveSmallIntegerField(null=True, blank=True)
    keeper = models.CharField("password manager", max_length=300, blank=True)
    review_months = models.PositiveSmallIntegerField(default=3)
    review_days = models.PositiveSmallIntegerField(default=14)
    unused_days = models.PositiveSmallIntegerField(default=60)
    networks = ArrayField(models.CharField(max_length=43), default=list, blank=True)
    second_after_hours = models.PositiveSmallIntegerField(default=72, db_default=72)
    changed_at = models.DateTimeField()
    changed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.CheckConstraint(
                condition=models.Q(min_length__gte=8, min_length__lte=64),
                name="accounts_policy_length",
            ),
            models.CheckConstraint(
                condition=models.Q(max_age_days__gte=60, max_age_days__lte=90),
                name="accounts_policy_age",
            ),
            models.CheckConstraint(
                condition=models.Q(second_after_hours__gte=24, second_after_hours__lte=720),
                name="accounts_policy_second_after",
            ),
        )


class SignInProvider(AgencyOwned):
    """
    The provider through which an agency's people sign in (OpenID Connect), beside their passwords or in place of them.

    :ivar key: stands in the agency's sign-in address, and in the directory of public keys.
    :ivar issuer: exactly what the provider calls itself; everything it signs names it.
    :ivar application: what the provider calls us, its "client id".
    :ivar domains: what stands behind the @ of the addresses that it may speak for.
    :ivar wants_factor: it has to say each time that it asked for more than one factor.
    :ivar classes: what it may call that (OpenID Connect's `acr`), beside two factors among its methods (`amr`).
    :ivar endpoints: where its pages are, as it said when it was last asked.
    :ivar found: what was found when it was last looked at, in the order of the page: [good, words].
    :ivar is_on: people sign in through it. Off until a second person has agreed to whom it speaks for.
    :ivar is_required: and not by password, but for who is in `beside`.
    :ivar beside: user ids of those who get in by password and second factor when the provider does not answer.
    """

    agency = models.OneToOneField("tenancy.Agency", models.PROTECT, related_name="+")
    key = models.CharField(max_length=64)
    name = models.CharField(max_length=60)
    issuer = models.CharField(max_length=300)
    application = models.CharField("client id", max_length=300)
    secret = StrictEncryptedField()
    domains = ArrayField(models.CharField(max_length=253))
    wants_factor = models.BooleanField(default=False, db_default=False)
    classes = ArrayField(models.CharField(max_length=200), default=list, db_default=[], blank=True)
    endpoints = models.JSONField(default=dict)
    found = models.JSONField(default=list)
    checked_at = models.DateTimeField(null=True)
    is_sound = models.BooleanField(default=False)
    is_on = models.BooleanField(default=False)
    is_required = models.BooleanField(default=False)
    beside = ArrayField(models.BigIntegerField(), default=list, blank=True)
    proposed_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    agreed_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    agreed_at = models.DateTimeField(null=True)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["agency", "key"], name="accounts_provider_key"),
            models.CheckConstraint(
                condition=models.Q(is_on=False) | models.Q(agreed_at__isnull=False, is_sound=True),
                name="accounts_provider_agreed",
            ),
            models.CheckConstraint(
                condition=models.Q(is_required=False) | (models.Q(is_on=True) & ~models.Q(beside=[])),
                name="accounts_provider_required",
            ),
        )

    def __str__(self) -> str:
        return self.name


class ProviderLink(AgencyOwned):
    """
    Who a person is at the agency's provider: fixed when they first come from there, and from then on theirs alone.

    :ivar digest: of the issuer and of its name for the person, which is kept nowhere.
    :ivar with_factor: the provider said, when they last came from there, that they showed it a second factor.
    :ivar sessions: the digests of its names for their newest sessions there, as far as it names them.
    :ivar sessions_ended_at: no sign-in that began there by then is completed any more.
    """

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    digest = models.BinaryField(max_length=32)
    linked_at = models.DateTimeField()
    last_at = models.DateTimeField()
    with_factor = models.BooleanField(default=False, db_default=False)
    sessions = ArrayField(models.CharField(max_length=64), default=list, db_default=[], editable=False)
    sessions_ended_at = models.DateTimeField(null=True, editable=False)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["agency", "digest"], name="accounts_link_digest"),
            models.UniqueConstraint(fields=["agency", "user"], name="accounts_link_user"),
        )


class PasswordHistory(models.Model):
    """A password that a person had before, as its Argon2id digest, so that it is not chosen again."""

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    password = models.CharField(max_length=128)
    replaced_at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["user", "-replaced_at"], name="accounts_history_of_user"),)

    def __str__(self) -> str:
        return f"a password of {self.user_id}"


class PasswordReminder(models.Model):
    """That a person is told once, by mail, that so many days are left until a password is due."""

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    due_at = models.DateTimeField()
    days = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField()
    mail_due_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["user", "due_at", "days"], name="accounts_reminder_once"),
        )
        indexes = (
            models.Index(
                fields=["mail_due_at"],
                condition=models.Q(mail_due_at__isnull=False),
                name="accounts_reminder_mail_due",
            ),
        )

    def __str__(self) -> str:
        return f"{self.days} days left for {self.user_id}"


class PasswordDay(AgencyOwned):
    """How the passwords of an agency's people stood on one morning; the row is that morning's claim."""

    on = models.DateField()
    people = models.PositiveIntegerField(default=0)
    soon = models.PositiveIntegerField(default=0)
    overdue = models.PositiveIntegerField(default=0)
    without_factor = models.PositiveIntegerField(default=0)

    class Meta(AgencyOwned.Meta):
        constraints = (models.UniqueConstraint(fields=["agency", "on"], name="accounts_passwordday_once"),)

    def __str__(self) -> str:
        return f"passwords on {self.on}"


class FactorReset(AgencyOwned, WithId):
    """That somebody asked to take a person's second factors away, and that somebody else agreed."""

    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    agreed = models.BooleanField(null=True)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "user"],
                condition=models.Q(decided_at__isnull=True),
                name="accounts_factorreset_open_once",
            ),
            models.CheckConstraint(
                condition=models.Q(agreed__isnull=True)
                | models.Q(agreed=False)
                | ~models.Q(decided_by=models.F("asked_by")),
                name="accounts_factorreset_by_two",
            ),
        )


# --- Who may what, looked over ---


class GrantUse(AgencyOwned):
    """On which day a person last opened a page of a client."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    client = models.ForeignKey(Client, models.CASCADE, related_name="+")
    last_on = models.DateField()

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["agency", "user", "client"], name="accounts_grantuse_once"),
        )


class AccessReview(AgencyOwned, WithId):
    """One look over every grant; what nobody answers by its date ends."""

    period = models.CharField(max_length=20)
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    answer_by = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(fields=["agency", "period"], name="accounts_review_once_a_period"),
            models.UniqueConstraint(
                fields=["agency"],
                condition=models.Q(closed_at__isnull=True),
                name="accounts_review_open_once",
            ),
        )

    def __str__(self) -> str:
        return f"review {self.period}"

    @property
    def last_instant(self) -> datetime:
        """The last moment at which it can be answered: within its last day."""
        return self.answer_by - timedelta(seconds=1)


class ReviewLine(AgencyOwned):
    """One person's grant on one client in a review: what it was, when it was last used, and the answer."""

    id = models.BigAutoField(primary_key=True)
    review = models.ForeignKey(AccessReview, models.CASCADE, related_name="lines")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    client = models.ForeignKey(Client, models.CASCADE, related_name="+")
    bundle = models.CharField(max_length=20, choices=Role)
    granted_at = models.DateTimeField()
    last_on = models.DateField(null=True)
    answer = models.CharField(max_length=8, choices=ReviewAnswer, default=ReviewAnswer.OPEN)
    answered_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    answered_at = models.DateTimeField(null=True)

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "review", "user", "client"], name="accounts_reviewline_once"
            ),
        )


class VendorSeat(AgencyOwned):
    """Who sees which account at a tracker, as its own list of people says."""

    id = models.BigAutoField(primary_key=True)
    vendor = models.CharField(max_length=60)
    email = models.EmailField()
    name = models.CharField(max_length=120, blank=True)
    account = models.CharField(max_length=200, blank=True)
    role = models.CharField(max_length=60, blank=True)
    client = models.ForeignKey(Client, models.CASCADE, null=True, related_name="+")
    imported_at = models.DateTimeField()
    imported_by = models.ForeignKey(User, models.PROTECT, related_name="+")

    class Meta(AgencyOwned.Meta):
        constraints = (
            models.UniqueConstraint(
                fields=["agency", "vendor", "email", "account"], name="accounts_vendorseat_once"
            ),
        )

    def __str__(self) -> str:
        return f"a seat at {self.vendor}"
