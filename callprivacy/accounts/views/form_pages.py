"""
One page with one form, declared: its right, what it loads, what it says, and what the service may refuse.

The decorated function gets the request, what was loaded and the valid form. It makes one service call and returns what
the person reads. `action` is the same for a button without a page of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from callprivacy.accounts import access, seconding
from callprivacy.accounts.access import StaffRequest
from callprivacy.accounts.enums import AgencyRight, Deed
from callprivacy.tenancy.enums import Permission

FORM: Final = None
"""Among `errors`: the form says it, above its fields."""
INFO, WARNING, ERROR = messages.INFO, messages.WARNING, messages.ERROR
"""Among `errors`: a message says it, on the page above."""
RETYPE: Final = "Type it as it is shown, to confirm."

type Text = str | Callable[[Any], str]
type Crumbs = Callable[[Any], Sequence[tuple[str, str]]]
type Errors = Mapping[Any, str | int | None]
type Post = Callable[[StaffRequest, Any, Any], str | Done | HttpResponse | None]
type View = Callable[..., HttpResponse]
type Right = Permission | AgencyRight | Callable[[View], View] | None


@dataclass(frozen=True, slots=True)
class Done:
    """
    What came of it.

    :ivar to: the address that opens next; empty: the page above.
    """

    text: str = ""
    to: str = ""
    level: int = messages.SUCCESS


@dataclass(frozen=True, slots=True)
class Confirmation:
    """
    What a person reads before something that is not taken back.

    :ivar extent: rows of `label` and `value`: how much is concerned.
    :ivar phrase: what the person types; empty: the button is enough.
    """

    title: str
    text: str = ""
    extent: Sequence[Mapping[str, object]] = ()
    stays: Sequence[str] = ()
    phrase: str = ""


class _Once(forms.Form):
    once = forms.UUIDField(widget=forms.HiddenInput, required=False, initial=uuid4)


def form_page(
    form: Callable[..., forms.Form] = forms.Form,
    *,
    title: Text,
    button: Text,
    crumbs: Crumbs,
    right: Right,
    lede: Text = "",
    load: Callable[..., Any] | None = None,
    fill: Callable[[StaffRequest, Any], dict[str, Any]] | None = None,
    more: Callable[[StaffRequest, Any], dict[str, Any]] | None = None,
    errors: Errors | None = None,
    confirm: Callable[[StaffRequest, Any], Confirmation] | None = None,
    confirms: Deed | None = None,
    second: Callable[..., Any] | None = None,
    secret: Sequence[str] = (),
    once: bool = False,
    is_final: bool = False,
    template: str = "form_page.html",
    refused: int = 200,
) -> Callable[[Post], View]:
    """
    Declare a page with one form.

    :param right: a permission on the client that the address names, a right in the agency, a decorator that asks for
        more, or None: any member.
    :param load: address -> what the form is about; raises Http404, or returns the answer where there is no form.
    :param fill: further arguments of the form, its `initial` among them.
    :param more: what a template of its own needs.
    :param crumbs: words and address of the pages above, outermost first; the last one is the way back.
    :param errors: what the service may raise -> the field that says it, `FORM`, or the level of a message.
    :param confirm: what is confirmed, typed where it cannot be undone.
    :param confirms: the person has shown lately who they are, where the agency wants that before this.
    :param second: the service that takes a second person's signature; what does not count becomes a message.
    :param secret: fields that no report of an error holds.
    :param once: the form brings a fresh id as `once`; the service creates its row under it and refuses the second.
    :param is_final: it cannot be taken back, and the button looks like that.
    :param refused: the status of a form that comes back with its errors.
    """
    known = _known(errors, second)
    made = _with_once(form) if once else form

    def decorate(post: Post) -> View:
        @require_http_methods(["GET", "HEAD", "POST"])
        @wraps(post)
        def view(request: StaffRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            subject = _load(load, request, args, kwargs)
            if isinstance(subject, HttpResponse):
                return subject
            sent = request.method == "POST"
            filled = made(*_sent(request), **(fill(request, subject) if fill else {}))
            above = crumbs(subject)
            asked = confirm(request, subject) if confirm else None
            if sent and asked and request.POST.get("phrase", "").strip() != asked.phrase:
                filled.add_error(None, RETYPE)
            if sent and filled.is_valid():
                answer = _carry_out(post, request, subject, filled, known, back=above[-1][1])
                if answer is not None:
                    return answer
            context = {
                "form": filled,
                "title": _text(title, subject),
                "about": _text(lede, subject),
                "button": _text(button, subject),
                "is_final": is_final,
                "confirm": asked,
                # The first one is drawn by the frame.
                "above": above[1:],
                "back": above[-1][1],
                "subject": subject,
                **(more(request, subject) if more else {}),
            }
            return render(request, template, context, status=refused if sent else 200)

        return _guarded(view, right, confirms, second, secret)

    return decorate


def action(
    form: Callable[..., forms.Form] = forms.Form,
    *,
    back: Text,
    right: Right,
    load: Callable[..., Any] | None = None,
    fill: Callable[[StaffRequest, Any], dict[str, Any]] | None = None,
    invalid: str = "Pick one of the buttons.",
    redraw: Callable[[StaffRequest, Any, Any], HttpResponse] | None = None,
    errors: Errors | None = None,
    confirms: Deed | None = None,
    second: Callable[..., Any] | None = None,
    secret: Sequence[str] = (),
) -> Callable[[Post], View]:
    """
    Declare what a button or a form inside another page does; see `form_page`.

    :param back: the address of that page.
    :param invalid: the message about a form that is not filled in.
    :param redraw: shows that page with the refused form instead.
    """
    known = _known(errors, second)

    def decorate(post: Post) -> View:
        @require_POST
        @wraps(post)
        def view(request: StaffRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            subject = _load(load, request, args, kwargs)
            if isinstance(subject, HttpResponse):
                return subject
            where = _text(back, subject)
            filled = form(*_sent(request), **(fill(request, subject) if fill else {}))
            answer = None
            if filled.is_valid():
                answer = _carry_out(post, request, subject, filled, known, back=where)
            if answer is None and redraw is not None:
                return redraw(request, subject, filled)
            if answer is None:
                messages.warning(request, str(next(iter(filled.non_field_errors()), invalid)))
            return answer or redirect(where)

        return _guarded(view, right, confirms, second, secret)

    return decorate


def _text(text: Text, subject: Any) -> str:
    return text if isinstance(text, str) else text(subject)


def _sent(request: StaffRequest) -> tuple[Any, ...]:
    if request.method != "POST":
        return (None,)
    return (request.POST, request.FILES) if request.FILES else (request.POST,)


def _load(load: Callable[..., Any] | None, request: StaffRequest, args: Any, kwargs: Any) -> Any:
    if load is not None:
        return load(request, *args, **kwargs)
    return args[0] if args else None


def _known(errors: Errors | None, second: Callable[..., Any] | None) -> Errors:
    if second is None:
        return errors or {}
    if not getattr(second, "takes_second", False):
        raise TypeError(f"{second.__name__} takes no second signature.")
    return {seconding.NotCountedError: WARNING, **(errors or {})}


def _with_once(form: Callable[..., forms.Form]) -> Callable[..., forms.Form]:
    if not isinstance(form, type):
        raise TypeError("Only a form class can bring a fresh id.")
    return type(form.__name__, (form, _Once), {})


def _carry_out(
    post: Post, request: StaffRequest, subject: Any, form: forms.Form, errors: Errors, *, back: str
) -> HttpResponse | None:
    """Call the service and say what came of it; None: the form says why not."""
    try:
        done = post(request, subject, form)
    except tuple(errors) as error:
        target = next(errors[kind] for kind in type(error).__mro__ if kind in errors)
        if not isinstance(target, int):
            form.add_error(target, str(error))
            return None
        done = Done(str(error), level=target)
    if done is None and form.errors:
        return None
    if isinstance(done, HttpResponseBase):
        return done
    if not isinstance(done, Done):
        done = Done(done or "")
    if done.text:
        messages.add_message(request, done.level, done.text)
    return redirect(done.to or back)


def guarded(view: View, right: Right) -> View:
    """A view behind its right, with the mark that the rules read."""
    if isinstance(right, AgencyRight):
        return access.needs_right(right)(view)
    if isinstance(right, Permission):
        return access.needs(right)(view)
    return view if right is None else right(view)


def _guarded(
    view: View, right: Right, confirms: Deed | None, second: Callable[..., Any] | None, secret: Sequence[str]
) -> View:
    view.second = second  # type: ignore[attr-defined]  # a mark on a function
    if confirms is not None:
        view = access.confirms(confirms)(view)
    view = guarded(view, right)
    return sensitive_post_parameters(*secret)(view) if secret else view
