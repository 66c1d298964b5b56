"""
Ids of others where an address has no part for them: in the fields of every form and behind the question mark.

Nothing here knows a form. Each page that Alice may open is read, and in every form of it each value that is a thing of
the dentist's is changed into the same thing of another agency's, and into one that does not exist: both are answered
alike, and no mark of a stranger is shown. The same for what the page's own links ask behind the question mark.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.core.exceptions import PermissionDenied
from django.forms import ModelChoiceField

from tests.rules.test_urls import OURS, Address, Answer, ask
from tests.rules.world import NOTHING, Things, World
from tests.scale import tell, times

pytestmark = pytest.mark.django_db

_PLAIN = {
    "provider",
    "deed",
    "form",
    "asks",
    "number",
    "category",
    "paper",
    "course",
    "screen",
    "how",
    "sheet",
    "place",
    "mark",
}
# A plain number is a thing only where the field is for one of its kind: an invitation may have a colleague's number.
_PERSON = re.compile(r"person|people|user|member|owner|host")
_NUMBERED = {
    "user_id": _PERSON,
    "membership_id": _PERSON,
    "client_id": re.compile(r"client"),
    "invitation_id": re.compile(r"invit"),
    "event_id": re.compile(r"event"),
    "assignment_id": re.compile(r"assignment|asked"),
    "value_id": re.compile(r"value"),
}
_THINGS = [one.name for one in fields(Things) if one.name not in _PLAIN]
# In the suite every twelfth page; in `make assure` every one.
_EVERY = times(12, 1)
_READ = [
    a for a in OURS if not a.is_own_account and "<str:" not in a.route and not a.route.startswith("api/")
]
_by_page = pytest.mark.parametrize("address", _READ[::_EVERY], ids=lambda address: address.route or "home")


@dataclass
class Form:
    """A form of a page: where it goes, how, and what stands in it."""

    action: str
    method: str
    values: list[tuple[str, str]] = field(default_factory=list)


class _Reader(HTMLParser):
    """Collects forms, with every choice that they offer, and links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page, self.forms, self.links = page, list[Form](), set[str]()
        self.tried = 0
        self._within: Form | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._within = Form(found.get("action") or self.page, found.get("method", "get").lower())
            self.forms.append(self._within)
        elif tag == "a" and found.get("href", "").startswith("/"):
            self.links.add(found["href"])
        elif self._within is not None:
            if tag in {"input", "textarea", "button"} and found.get("name"):
                self._within.values.append((found["name"], found.get("value", "")))
            elif tag == "select":
                self._select = found.get("name", "")
            elif tag == "option" and self._select:
                self._within.values.append((self._select, found.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._within = None
        elif tag == "select":
            self._select = ""


def _read(world: World, address: Address) -> _Reader | None:
    (path,) = address.paths(world.dentist)[:1]
    answer = ask(world.browsers["alice"], "get", path)
    if answer.status != 200 or not answer.body.lstrip().startswith(b"<"):
        return None
    reader = _Reader(path)
    reader.feed(answer.body.replace(b"PATH", path.encode()).decode("utf-8", "replace"))
    return reader


def _kinds(name: str, value: str, world: World) -> Iterator[str]:
    """Which thing of the dentist's a value is; a plain number may be several."""
    for kind in _THINGS:
        thing = getattr(world.dentist, kind)
        if value and value == str(thing) and (not isinstance(thing, int) or _NUMBERED[kind].search(name)):
            yield kind


def _same(world: World, method: str, path: str, values: list[tuple[str, str]], *, at: int, kind: str) -> bool:
    """Whether another agency's thing in one field is answered as one that does not exist, without a mark of it."""
    answers: list[Answer] = []
    # A small number stands on a page for other things as well, so that both are masked in both answers.
    both = {str(getattr(things, kind)) for things in (world.florist, NOTHING)}
    for things in (world.florist, NOTHING):
        # Of a choice the other values are left out: the last one that is sent would be the one that counts.
        asked = [
            (name, str(getattr(things, kind)) if number == at else value)
            for number, (name, value) in enumerate(values)
            if number == at or name != values[at][0]
        ]
        query = urlencode(asked)
        if method == "post":
            answer = ask(
                world.browsers["alice"],
                "post",
                path,
                data=query,
                content_type="application/x-www-form-urlencoded",
            )
        else:
            answer = ask(world.browsers["alice"], "get", f"{path}?{query}")
        body = answer.body
        for given in sorted({*both, *(urlencode({"": one})[1:] for one in both)}):
            # Where it stands as a value or in an address; as a word of the page it is none.
            body = re.sub(
                rb"(?:(?<=[=\"/])|(?<=\. ))" + re.escape(given.encode()) + rb"(?=[&\"/]| is not)",
                b"THING",
                body,
            )
        where = answer.where.replace(str(getattr(things, kind)), "THING")
        answers.append(Answer(answer.status, where, body))
        if world.florist.mark.encode() in body:
            return False
    return answers[0] == answers[1] and answers[0].status < 500


def _odd(
    world: World, reader: _Reader, method: str, path: str, values: list[tuple[str, str]]
) -> Iterator[str]:
    for at, (name, value) in enumerate(values):
        for kind in _kinds(name, value, world):
            if (name, str(getattr(world.florist, kind))) in values:
                # A number that is also one of ours, and offered.
                continue
            reader.tried += 1
            if not _same(world, method, path, values, at=at, kind=kind):
                yield f"{method} {path} {name}={kind}"


def crossings(world: World, address: Address) -> tuple[int, list[str]]:
    """How many fields and queries of a page were tried with others' ids, and those that tell them from none."""
    reader = _read(world, address)
    if reader is None:
        return 0, []
    odd: list[str] = []
    for form in reader.forms:
        path = urlsplit(form.action).path or reader.page
        if path.startswith("/accounts/logout"):
            continue
        # Of a list of boxes and of a choice, one value at a time beside everything else that is sent once.
        odd += _odd(world, reader, form.method, path, form.values)
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for link in sorted(reader.links):
        parts = urlsplit(link)
        values = parse_qsl(parts.query, keep_blank_values=True)
        about = parts.path, tuple(name for name, _ in values)
        if values and about not in seen:
            seen.add(about)
            odd += _odd(world, reader, "get", parts.path, values)
    return reader.tried, odd


@_by_page
def test_a_strangers_id_in_a_form_or_a_query_is_none(world: World, address: Address) -> None:
    tried, odd = crossings(world, address)
    assert odd == []
    tell(tried, "fields and queries with others' ids", trials=False)


def test_a_form_that_tells_a_strangers_id_from_none_would_be_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were a choice of a form to refuse a stranger's thing in other words than none, the walk would say so."""
    clean = ModelChoiceField.clean

    def tells(self: ModelChoiceField, value: object) -> object:  # type: ignore[type-arg]  # generic for the type checker alone
        if str(value) == str(world.florist.connection_id):
            raise PermissionDenied
        return clean(self, value)

    monkeypatch.setattr(ModelChoiceField, "clean", tells)
    values = [("connection", str(world.dentist.connection_id)), ("format", "callrail"), ("time_zone", "UTC")]
    assert list(_kinds(*values[0], world)) == ["connection_id"]
    assert not _same(world, "post", "/clients/dentist/imports/new/", values, at=0, kind="connection_id")
