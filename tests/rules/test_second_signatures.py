"""Every second signature asks one function whether it is a second person's."""

import ast
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from analytics.services import releases
from callprivacy.accounts.services import factors, officers, sso
from callprivacy.accounts.views.officers import WHAT
from retention.services import going_live, offboarding, policies
from tests.rules import source
from tests.rules.test_fields import OURS

_FIRST = {"proposed_by", "asked_by", "invited_by", "requested_by"}
_SECOND = {"decided_by", "agreed_by", "confirmed_by", "approved_by"}
# Where a row names two people, what takes the second one's signature.
SERVICES: dict[str, Callable[..., Any]] = {
    "accounts.Invitation": officers.confirm,
    "accounts.FactorReset": factors.decide_reset,
    "accounts.SignInProvider": sso.switch_on,
    "analytics.Release": releases.approve,
    "retention.Offboarding": offboarding.agree,
    "retention.PolicyChange": policies.approve,
}
# Where a first person is compared with a second one otherwise, and why.
ELSEWHERE = {
    "callprivacy/accounts/services/factors.py": "whose second factors they are does not decide either",
    "callprivacy/accounts/services/officers.py": "an operator who has invited",
    "callprivacy/accounts/services/sso.py": "whether the proposer is alone, and agrees alone",
    "callprivacy/accounts/views/factors.py": "what the page shows",
    "retention/services/policies.py": "who may withdraw it",
}


def _calls(function: Callable[..., Any], name: str) -> bool:
    tree = ast.parse(inspect.getsource(inspect.unwrap(function)))
    return any(
        isinstance(node, ast.Call) and ast.unparse(node.func) == f"seconding.{name}"
        for node in ast.walk(tree)
    )


def test_every_row_of_two_people_has_its_service() -> None:
    found = {
        model._meta.label
        for model in OURS
        if {field.name for field in model._meta.fields} & _FIRST
        and {field.name for field in model._meta.fields} & _SECOND
    }
    assert found == SERVICES.keys()
    assert {label.lower() for label in found} == WHAT.keys(), "the page of officers has words for each"


@pytest.mark.parametrize("service", [*SERVICES.values(), going_live.go_live])
def test_a_second_signature_asks_whether_it_counts(service: Callable[..., Any]) -> None:
    assert getattr(service, "takes_second", False), "what does not count is written down"
    assert _calls(service, "check")


@pytest.mark.parametrize("label", SERVICES)
def test_who_proposes_is_remembered(label: str) -> None:
    module = inspect.getmodule(inspect.unwrap(SERVICES[label]))
    name = (
        "callprivacy/accounts/services/invitations.py" if module is officers else (module and module.__file__)
    )
    [file] = [file for file in source.files() if str(file).endswith(str(name))]
    assert any(
        isinstance(node, ast.Call) and ast.unparse(node.func) == "seconding.proposed"
        for node in source.nodes(file)
    )


def test_nothing_else_compares_the_two() -> None:
    found = set()
    for file in source.files():
        for node in source.nodes(file):
            if not isinstance(node, ast.If | ast.BoolOp):
                continue
            for one in ast.walk(node.test) if isinstance(node, ast.If) else ast.walk(node):
                if isinstance(one, ast.Compare) and any(f".{name}_id" in ast.unparse(one) for name in _FIRST):
                    where = str(file.relative_to(source.ROOT))
                    if "user_id" in ast.unparse(one) and "services" in file.parts:
                        found.add(where)
    assert found <= ELSEWHERE.keys(), "ask seconding.check"


# Where people come into an agency, or get another role. No file that is imported and no key of a system is among them.
_GIVES_ROLES = {
    "callprivacy/accounts/services/invitations.py": "who accepts an invitation; an officer's was confirmed",
    "callprivacy/accounts/services/people.py": "another role, never an officer's",
    "callprivacy/accounts/services/leaving.py": "who leaves, and until when they count for second signatures",
    "dashboard/services/__init__.py": "the invented people of the demo",
}


def _gives_a_role(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    called = ast.unparse(node.func)
    if called.startswith("Membership.objects.") and node.func.attr in {
        "create",
        "get_or_create",
        "bulk_create",
    }:
        return True
    return (
        called.startswith("Membership.objects.")
        and node.func.attr == "update"
        and any(keyword.arg in {"role", None} for keyword in node.keywords)
    )


def test_roles_are_given_where_the_givers_own_is_asked_for() -> None:
    found = {
        str(file.relative_to(source.ROOT))
        for file in source.files()
        if any(_gives_a_role(node) for node in source.nodes(file))
    }
    assert found == _GIVES_ROLES.keys()
