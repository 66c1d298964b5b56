"""
Who asks, and for which agency: the one fact that every query and every deed needs.

The value lives in a ContextVar, so threads and requests never share it. Entering a scope is the business
of `callprivacy.tenancy.scope`; this module only remembers what was entered and refuses where nothing was.
"""

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class NoScopeError(RuntimeError):
    """A query was about to run outside any scope."""


class ScopeKind(StrEnum):
    """What kind of actor a scope belongs to; PostgreSQL's policies read the same words."""

    STAFF = "staff"
    CLIENT = "client"
    JOB = "job"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Scope:
    """The tenant a transaction works for, and as what."""

    kind: ScopeKind
    agency_id: int | None
    user_id: int | None = None
    client_id: int | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does a deed: a person by id, or a job or a way in by its name. Never a personal value."""

    kind: ScopeKind
    user_id: int | None
    name: str

    @classmethod
    def staff(cls, *, user_id: int) -> "Actor":
        return cls(ScopeKind.STAFF, user_id, f"user:{user_id}")

    @classmethod
    def job(cls, name: str) -> "Actor":
        return cls(ScopeKind.JOB, None, name)

    @classmethod
    def client(cls, name: str) -> "Actor":
        return cls(ScopeKind.CLIENT, None, name)

    @classmethod
    def operator(cls, *, user_id: int | None) -> "Actor":
        return cls(ScopeKind.OPERATOR, user_id, "operator")


_current: ContextVar[Scope | None] = ContextVar("callprivacy_scope", default=None)


def current() -> Scope | None:
    """Return the scope entered last in this context, or None."""
    return _current.get()


def require() -> Scope:
    """
    Return the current scope.

    :raises NoScopeError: nothing was entered.
    """
    scope = _current.get()
    if scope is None:
        raise NoScopeError("No scope: enter staff_scope, client_scope or job_scope before the query.")
    return scope


def require_agency() -> int:
    """
    Return the current scope's agency id.

    :raises NoScopeError: nothing was entered, or a scope without an agency.
    """
    scope = require()
    if scope.agency_id is None:
        raise NoScopeError("This scope names no agency.")
    return scope.agency_id


def remember(scope: Scope | None) -> None:
    """Set the context's scope; only `callprivacy.tenancy.scope` calls this."""
    _current.set(scope)
