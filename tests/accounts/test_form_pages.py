"""A declared page with a form: what it asks before the service is called, and what the person reads after that."""

from typing import Any
from uuid import UUID

import pytest
from django import forms
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import HttpResponse  # noqa: TID251  (what a view answers)
from django.test import RequestFactory

from callprivacy.accounts import seconding
from callprivacy.accounts.enums import AgencyRight, Deed, Uncounted
from callprivacy.accounts.services import officers
from callprivacy.accounts.views import form_pages
from callprivacy.accounts.views.form_pages import FORM, Confirmation, action, form_page
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.scope import job_scope
from tests.cast import Cast
from tests.make import NOON

pytestmark = pytest.mark.django_db


class _Named(forms.Form):
    name = forms.ChoiceField(choices=[("a", "A"), ("b", "B")])


class _TakenError(ValueError):
    pass


def _ask(cast: Cast, view: Any, said: dict[str, Any] | None = None) -> tuple[HttpResponse, list[str]]:
    request: Any = RequestFactory().get("/") if said is None else RequestFactory().post("/", said)
    request.user, request.membership, request.agency = cast.alice.user, cast.alice, cast.acme
    request.session, request.resolver_match, request.htmx, request.at = {}, None, False, NOON
    request._messages = CookieStorage(request)
    with job_scope(agency_id=cast.acme.pk):
        answer = view(request)
    return answer, [str(one) for one in request._messages]


def _page(post: Any, **kwargs: Any) -> Any:
    known = {"title": "A title", "button": "Do it", "right": None, "crumbs": lambda _: [("Above", "/above/")]}
    return form_page(_Named, **known | kwargs)(post)


def test_a_valid_form_calls_the_service_once_and_leads_back_with_its_text(cast: Cast) -> None:
    called = []

    def post(_: object, __: object, form: forms.Form) -> str:
        called.append(form.cleaned_data)
        return "Kept."

    answer, said = _ask(cast, _page(post), {"name": "a"})
    assert (answer.status_code, answer["Location"], said) == (302, "/above/", ["Kept."])
    assert called == [{"name": "a"}]


def test_an_invalid_form_comes_back_and_calls_nothing(cast: Cast) -> None:
    answer, said = _ask(cast, _page(lambda *_: pytest.fail("called")), {"name": "c"})
    assert (answer.status_code, said) == (200, [])
    assert "Pick one from the list." in answer.content.decode()


@pytest.mark.parametrize(("target", "is_shown"), [("name", True), (FORM, True), (form_pages.INFO, False)])
def test_what_the_service_refuses_is_said_where_it_is_declared(
    cast: Cast, target: str | int | None, is_shown: bool
) -> None:
    def post(*_: object) -> str:
        raise _TakenError("It is taken.")

    answer, said = _ask(cast, _page(post, errors={_TakenError: target}), {"name": "a"})
    assert said == ([] if is_shown else ["It is taken."])
    assert ("It is taken." in answer.content.decode()) is is_shown
    assert answer.status_code == (200 if is_shown else 302)


@pytest.mark.parametrize(("typed", "status"), [("Dentist", 302), ("dentist", 200), ("", 200)])
def test_what_cannot_be_undone_is_typed(cast: Cast, typed: str, status: int) -> None:
    done: list[str] = []
    page = _page(
        lambda *_: done.append(typed),
        confirm=lambda *_: Confirmation("Destroy it", phrase="Dentist"),
    )
    assert 'data-phrase="Dentist"' in _ask(cast, page)[0].content.decode()
    answer, _ = _ask(cast, page, {"name": "a", "phrase": typed})
    assert (answer.status_code, len(done)) == (status, status == 302)


def test_a_form_that_is_sent_once_brings_a_fresh_id(cast: Cast) -> None:
    ids: list[UUID] = []
    page = _page(lambda _, __, form: ids.append(form.cleaned_data["once"]), once=True)
    first, second = (_ask(cast, page)[0].content.decode() for _ in range(2))
    _ask(cast, page, {"name": "a", "once": "0d4f4b8e-6f0e-4b0a-9d62-3b1f6c1d2e3f"})
    assert first.count('name="once"') == 1
    assert first.partition('name="once" value="')[2][:36] != second.partition('name="once" value="')[2][:36]
    assert ids == [UUID("0d4f4b8e-6f0e-4b0a-9d62-3b1f6c1d2e3f")]


def test_a_form_inside_a_page_comes_back_with_its_error_where_the_page_shows_it(cast: Cast) -> None:
    def post(*_: object) -> str:
        raise _TakenError("Taken.")

    def redraw(_: object, __: object, form: forms.Form) -> HttpResponse:
        return HttpResponse(str(form.errors["name"]), status=422)

    view = action(_Named, right=None, back="/above/", errors={_TakenError: "name"}, redraw=redraw)(post)
    for sent, text in (({"name": "a"}, "Taken."), ({"name": "z"}, "Pick one from the list.")):
        answer, said = _ask(cast, view, sent)
        assert (answer.status_code, said) == (422, [])
        assert text in answer.content.decode()


def test_a_signature_that_does_not_count_is_a_message(cast: Cast) -> None:
    def post(*_: object) -> str:
        raise seconding.NotCountedError(seconding.Doubt(Uncounted.SELF, "Another officer has to agree."))

    view = action(right=None, back="/above/", second=officers.confirm)(post)
    answer, said = _ask(cast, view, {})
    assert (answer["Location"], said) == ("/above/", ["Another officer has to agree."])
    assert view.second is officers.confirm  # type: ignore[attr-defined]  # a mark on a function
    with pytest.raises(TypeError, match="takes no second signature"):
        action(right=None, back="/", second=officers.NotWaitingError)


def test_rights_and_confirming_are_marks_that_the_rules_read() -> None:
    page = _page(lambda *_: "", right=AgencyRight.SIGN_OFF, confirms=Deed.GRANTS)
    assert (page.needs, page.confirms) == (AgencyRight.SIGN_OFF, Deed.GRANTS)
    assert _page(lambda *_: "", right=Permission.VIEW_CLIENT).needs is Permission.VIEW_CLIENT
