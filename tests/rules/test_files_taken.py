"""From whom files are withheld takes none: every view of staff that answers with one asks that, or says why not."""

import ast
import inspect
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import URLPattern, get_resolver, reverse

from callprivacy.accounts import access
from callprivacy.accounts.models import Membership
from callprivacy.tenancy.scope import job_scope
from dashboard.models import Binder
from retention.models import Offboarding
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.rules.source import ROOT, nodes

# Files that are open to who is withheld from, and why.
OPEN = {
    "consent.views.law.take_rules": "rules of the law, and nobody's calls",
    "consent.views.posted.show_picture": "a notice that hangs on a wall",
    "governance.views.certificates.take_file": "a certificate of staff",
    "governance.views.training.take_certificate": "a certificate of one's own",
    "rights.views.pages.take_gpc": "a file for the client's own site",
}


def _views(patterns: list[Any]) -> Iterator[Callable[..., Any]]:
    for entry in patterns:
        if isinstance(entry, URLPattern):
            yield entry.callback
        else:
            yield from _views(entry.url_patterns)


def giving(file: Path) -> set[str]:
    """Names of a file's functions that answer with a file, themselves or by another one of the same file."""
    functions = [node for node in nodes(file) if isinstance(node, ast.FunctionDef)]
    inside = {one.name: list(ast.walk(one)) for one in functions}
    found = {
        name
        for name, parts in inside.items()
        if any(
            (isinstance(part, ast.Constant) and part.value == "Content-Disposition")
            or (isinstance(part, ast.Name) and part.id == "FileResponse")
            for part in parts
        )
    }
    while more := {
        name
        for name, parts in inside.items()
        if name not in found and any(isinstance(part, ast.Name) and part.id in found for part in parts)
    }:
        found |= more
    return found


def _named(view: Callable[..., Any]) -> str:
    inner = inspect.unwrap(view)
    return f"{inner.__module__}.{getattr(inner, '__name__', '')}"


def _asks(view: Any) -> bool:
    return hasattr(view, "takes_files") or getattr(view, "needs", None) in access.SHOWS_PEOPLE


def test_every_view_that_gives_a_file_asks_whether_files_are_withheld() -> None:
    given = {}
    for view in _views(get_resolver().url_patterns):
        module, _, name = _named(view).rpartition(".")
        file = ROOT / f"{module.replace('.', '/')}.py"
        # Who is not signed in has a link of their own, and no training.
        if file.exists() and getattr(view, "login_required", True) and name in giving(file):
            given[_named(view)] = _asks(view)
    assert len(given) > 20
    assert {name for name, asks in given.items() if not asks} == OPEN.keys() & given.keys()
    assert OPEN.keys() <= given.keys()


@pytest.mark.django_db
def test_who_is_withheld_from_takes_no_files_and_makes_no_way_to_one(cast: Cast) -> None:
    with job_scope(agency_id=cast.acme.pk):
        Membership.objects.filter(pk=cast.alice.pk).update(withheld_from=make.now() - timedelta(days=1))
    alice = signed_in(cast.alice)
    assert alice.post(reverse("dashboard:make_binder", args=["dentist"])).status_code == 403
    page = reverse("retention:offboarding", args=["dentist"])
    said = {"reason": "They go to another agency", "with_numbers": "on"}
    assert "With numbers it is for an officer" in alice.post(page, said).content.decode()
    assert alice.post(reverse("dashboard:trail_export")).status_code == 403
    with job_scope(agency_id=cast.acme.pk):
        assert not Binder.objects.exists()
        assert not Offboarding.objects.exists()
