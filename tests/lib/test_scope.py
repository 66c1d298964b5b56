"""What a context remembers of who asks, and by which names deeds are done."""

from contextvars import Context

import pytest

from callprivacy.lib import scope
from callprivacy.lib.scope import Actor, NoScopeError, Scope, ScopeKind


def test_a_deed_is_done_by_a_person_of_a_number_or_by_a_name() -> None:
    assert Actor.staff(user_id=7) == Actor(ScopeKind.STAFF, 7, "user:7")
    assert Actor.job("sweep") == Actor(ScopeKind.JOB, None, "sweep")
    assert Actor.client("webhook") == Actor(ScopeKind.CLIENT, None, "webhook")
    assert Actor.operator(user_id=7) == Actor(ScopeKind.OPERATOR, 7, "operator")
    assert Actor.operator(user_id=None).user_id is None


def test_what_was_entered_is_remembered_and_forgotten() -> None:
    def inside() -> None:
        assert scope.current() is None
        entered = Scope(ScopeKind.JOB, 3)
        scope.remember(entered)
        assert scope.current() is scope.require() is entered
        assert scope.require_agency() == 3
        scope.remember(None)
        assert scope.current() is None

    Context().run(inside)


@pytest.mark.parametrize("entered", [None, Scope(ScopeKind.OPERATOR, None)])
def test_nobody_and_an_operator_have_no_agency(entered: Scope | None) -> None:
    def inside() -> None:
        scope.remember(entered)
        with pytest.raises(NoScopeError, match="No scope" if entered is None else "names no agency"):
            scope.require_agency()

    Context().run(inside)


def test_without_a_scope_nothing_is_required_in_vain() -> None:
    with pytest.raises(NoScopeError, match="enter staff_scope"):
        Context().run(scope.require)
