"""People: one sign-in, memberships in agencies, and what each may do with which client."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, ClassVar

from django.contrib.auth.models import (
    AbstractBaseUser,
    BaseUserManager,
    PermissionsMixin,
)
from django.contrib.postgres.fields import ArrayField
from django.db import models
from guardian.models import UserObjectPermissionBase

from callprivacy.accounts.enums import RIGHTS, AgencyRight, InvitationState, MembershipState, Role
from callprivacy.tenancy.models import AgencyOwned, Client, ClientOwned, ScopedManager


class UserManager(BaseUserManager["User"]):
    """Makes users by e-mail; sign-up stays closed, so only services and commands call it."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """One person's sign-in, shared by the agencies that person works for."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField("platform operator", default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    password_changed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return self.name


class Membership(AgencyOwned):
    """A person's place in an agency."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role)
    state = models.CharField(max_length=10, choices=MembershipState, default=MembershipState.ACTIVE)
    created_at = models.DateTimeField()

    class Meta:
        base_manager_name = "objects"
        constraints = (
            models.UniqueConstraint(fields=["agency", "user"], name="accounts_membership_once_an_agency"),
        )

    def __str__(self) -> str:
        return f"{self.user} as {self.get_role_display()}"

    @property
    def rights(self) -> frozenset[AgencyRight]:
        """What the role may do for the whole agency."""
        return RIGHTS[Role(self.role)] if self.state == MembershipState.ACTIVE else frozenset()


class ClientGrant(UserObjectPermissionBase):
    """One permission of one person on one client, by whom, and until when."""

    id = models.BigAutoField(primary_key=True)
    content_object = models.ForeignKey(Client, models.CASCADE, related_name="grants", db_column="client_id")
    agency = models.ForeignKey("tenancy.Agency", models.PROTECT, related_name="+")
    bundle = models.CharField(max_length=20, choices=Role)
    granted_by = models.ForeignKey(User, models.PROTECT, related_name="+", null=True)
    granted_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)

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


class Invitation(AgencyOwned):
    """A single-use link for one e-mail address; only its digest is kept."""

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

    class Meta:
        base_manager_name = "objects"

    def __str__(self) -> str:
        return f"invitation as {self.get_role_display()}"

    def state_at(self, at: datetime) -> InvitationState:
        """Whether the link still opens, and if not, why."""
        if self.accepted_at is not None:
            return InvitationState.ACCEPTED
        if self.withdrawn_at is not None:
            return InvitationState.WITHDRAWN
        return InvitationState.OPEN if at < self.expires_at else InvitationState.EXPIRED


class ApiKey(ClientOwned):
    """
    A key of one of the agency's systems for one client: what it may do, until when; only its digest is kept.

    The key begins with a name in the directory of public keys, so that its client is known before the rest is checked.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120)
    key = models.CharField(max_length=64)
    digest = models.BinaryField(max_length=32)
    scopes = ArrayField(models.CharField(max_length=20))
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    last_used_on = models.DateField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        base_manager_name = "objects"
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
