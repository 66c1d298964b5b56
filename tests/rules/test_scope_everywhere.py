"""
With every filter of Python's side taken out, no page shows a row that was not granted: PostgreSQL refuses.

The rules of `access`, the rights of roles, and every narrowing by client or agency are patched away, so that a view
asks the database for everything; what still keeps clients apart is row security alone. In the suite bob asks
everywhere, and at every other address one in turn of those who see nothing of the client; in `make assure` all.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from django.http import Http404  # noqa: TID251  (what a view would raise)

from callprivacy.accounts import access, middleware
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import Membership
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client, ScopedQuerySet
from callprivacy.tenancy.scope import job_scope
from callprivacy.work import selectors as work
from callprivacy.work.models import Item
from tests.rules.test_urls import (
    METHODS,
    OURS,
    Address,
    ask,
    at_each,
    at_every_fourth,
    by_route,
    does_not_know,
    in_turn,
)
from tests.rules.world import World
from tests.scale import times

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unlogged")]

_NARROWS = ("client", "agency", "content_object")
# A lie told to PostgreSQL about who asks cannot be refused by it: switching to an own agency is checked in Python.
_WITHOUT = {"agencies/", "accounts/logout/"}


@pytest.fixture
def no_filters(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """Everybody may do everything with every client, as far as Python is concerned."""
    every = [world.cast.dentist.pk, world.cast.plumber.pk, world.cast.florist.pk]

    def whichever(_request: object, slug: str, _permission: Permission, **_: object) -> Client:
        found = Client.objects.filter(slug=slug).select_related("agency").first()
        if found is None:
            raise Http404
        return found

    monkeypatch.setattr(access, "get_client_or_404", whichever)
    monkeypatch.setattr(access, "may", lambda *_, **__: True)
    monkeypatch.setattr(access, "has_right", lambda *_, **__: True)
    monkeypatch.setattr(access, "permissions_on", lambda *_, **__: frozenset(Permission))
    monkeypatch.setattr(access, "client_ids_with", lambda *_, **__: every)
    monkeypatch.setattr(access, "clients_with", lambda *_, **__: Client.objects.order_by("name"))
    monkeypatch.setattr(access, "visible_clients", lambda *_, **__: Client.objects.order_by("name"))
    monkeypatch.setattr(Membership, "rights", property(lambda _: frozenset(AgencyRight)))
    monkeypatch.setattr(work, "queue_of", lambda *_, **__: Item.objects.order_by("pk"))
    monkeypatch.setattr(ScopedQuerySet, "for_client", lambda self, _client: self.all())
    narrow = ScopedQuerySet.filter

    def everything(self: Any, *args: Any, **kwargs: Any) -> Any:
        kept = {name: value for name, value in kwargs.items() if not name.startswith(_NARROWS)}
        return narrow(self, *args, **kept)

    monkeypatch.setattr(ScopedQuerySet, "filter", everything)


def _marks(world: World, address: Address, person: str, *asked: tuple[str, str]) -> set[str]:
    """
    Clients whose marks a person sees who asks for these things.

    :param asked: whose name stands in the address, and whose things behind it.
    """
    seen = set()
    for name, within in dict.fromkeys(asked) if "slug" in address.parts else asked[:1]:
        for path in address.paths(getattr(world, name), getattr(world, within)):
            for method in _methods(world, address):
                body = ask(world.browsers[person], method, path).body
                seen |= {
                    whose
                    for whose in ("dentist", "plumber", "florist")
                    if getattr(world, whose).mark.encode() in body
                }
    return seen


@by_route(
    [a for a in OURS if a.route not in _WITHOUT and not a.is_own_account and "<str:" not in a.route], one_in=6
)
def test_postgresql_refuses_what_python_would_show(
    world: World, several: Sequence[Address], no_filters: None
) -> None:
    at_each(several, partial(_shows_what_was_granted_alone, world))


def _shows_what_was_granted_alone(world: World, address: Address) -> None:
    bobs = _marks(world, address, "bob", *_named(address, "dentist", "plumber"))
    assert bobs <= {"dentist"} | _of_the_agency(address)
    without = ("mallory", "carol")
    for person in times([one for one in [in_turn((*without, "", ""), address)] if one], without):
        if person == "mallory":
            assert _marks(world, address, person, *_named(address, "florist", "dentist")) <= {"florist"}
        else:
            carols = _marks(world, address, person, ("dentist", "dentist"))
            assert carols <= _known_without_a_grant(address)


def _methods(world: World, address: Address) -> list[str]:
    """
    How to ask: by POST where a view knows no GET, and at every fourth address by both, since a form that comes back
    empty is shown as it is to who has not sent it; in `make assure` by both everywhere.
    """
    known = [method for method in METHODS if not does_not_know(world, address, method)]
    by_both = at_every_fourth(address, about="both methods")
    return known if by_both else known[:1]


def _named(address: Address, own: str, stranger: str) -> list[tuple[str, str]]:
    """
    A stranger's things behind an own client's name, where every list is everybody's here; and behind the stranger's,
    at every fourth address, since who is no client is told so before any list; in `make assure` at each.
    """
    by_both = at_every_fourth(address, about="both names")
    return [(own, stranger), *([(stranger, stranger)] if by_both else [])]


def _of_the_agency(address: Address) -> set[str]:
    """Rules of the law are the whole agency's; in this world they carry a client's mark."""
    return {"dentist", "plumber"} if address.route.startswith("law/") else set()


def _known_without_a_grant(address: Address) -> set[str]:
    """
    What an admin knows all the same: the names of those invited, who are managed, and of keys and connections, by which
    a breach may have happened; and of keys that somebody made whose access ends. They carry their client's mark in this
    world.
    """
    known = {"people/", "programme/breaches/impact/", "clients/<slug:slug>/keys/"}
    return {"dentist", "plumber"} if address.route in known else _of_the_agency(address)


def test_without_row_security_the_same_walk_sees_everything(
    world: World, no_filters: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The patches bite: were bob's requests a job's, he would see the plumber's calls."""

    @contextmanager
    def as_a_job(*, agency_id: int, user_id: int) -> Iterator[object]:
        with job_scope(agency_id=agency_id) as scope:
            yield scope

    monkeypatch.setattr(middleware, "staff_scope", as_a_job)
    address = next(a for a in OURS if a.route == "clients/<slug:slug>/calls/<uuid:call_id>/")
    assert _marks(world, address, "bob", ("plumber", "plumber")) == {"plumber"}
