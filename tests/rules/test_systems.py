"""
What a system names in its question: another client's and another agency's things answer as none.

Nothing here knows an operation or a field: the description of the interface lists both, and each has its entry below,
as what names something or as a plain word. Each of three clients asks with its own key about what the others have, and
is answered as about what nobody has.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Any

import pytest

from callprivacy.api import api
from callprivacy.tenancy.scope import job_scope
from consent.enums import Channel, Purpose
from consent.models import NoticeVersion
from consent.services import events
from tests import make
from tests.rules.test_urls import Answer, ask
from tests.rules.world import Things, World
from tests.scale import some

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unlogged")]


@dataclass(frozen=True)
class Had:
    """What a client's systems have named, by what fields of questions are about."""

    number: str
    version: str
    statement: str
    call: str
    badge: str
    entry: str
    room: str


NOBODYS = Had(
    "+12025550199", "00000000-0000-0000-0000-000000000077", "statement-of-nobody", "call-of-nobody",
    "badge-nobody", "entry-of-nobody", "Room of nobody",
)  # fmt: skip

type Body = dict[str, Any]


@dataclass(frozen=True)
class Names:
    """
    A field that names something: which thing, and the question with it.

    :ivar is_told: whether the owner's own is answered otherwise than what nobody has; else it is only written down.
    :ivar header: in which the thing is named, where it is not in the body.
    """

    kind: str
    body: Callable[[str], Body]
    is_told: bool = True
    header: str = ""


@dataclass(frozen=True)
class Operation:
    """What an operation is asked; `plain` are the fields that are words of ours or facts, and name nothing."""

    key: str
    plain: set[str]
    names: Mapping[str, Names] = field(default_factory=dict)


def _said(**more: Any) -> Body:
    return {
        "number": NOBODYS.number,
        "kind": "given",
        "purposes": ["contact"],
        "idempotency_key": "a" * 8,
    } | more


def _passed(**more: Any) -> Body:
    at = make.now().isoformat()
    one = {"reference": NOBODYS.entry, "badge": NOBODYS.badge, "direction": "in", "at": at}
    return {"events": [one | more]}


_PLACE = {f"{of}place.{part}" for of in ("", "numbers.") for part in ("country", "region", "evidence")}
_ALL = {"purposes": [purpose.value for purpose in Purpose]}


def _numbers(more: Body) -> dict[str, Names]:
    return {
        "number": Names("number", lambda it: {"number": it} | more),
        "numbers": Names("number", lambda it: {"numbers": [it, "x"]} | more),
        "numbers.number": Names("number", lambda it: {"numbers": [{"number": it}]} | more),
    }


OPERATIONS = {
    "consent/check": Operation(
        "api_key", {"purposes", "announced", "announced_on_recording", *_PLACE}, _numbers(_ALL)
    ),
    "contact/check": Operation("api_key", {"purpose", *_PLACE}, _numbers({})),
    "consent/events": Operation(
        "api_key",
        {"kind", "purposes", "scope", "call.provider", "happened_at", "basis", "evidence.type"},
        {
            "number": Names("number", lambda it: _said(number=it)),
            "notice_version": Names("version", lambda it: _said(notice_version=it, purposes=["record"])),
            "idempotency_key": Names("statement", lambda it: _said(idempotency_key=it)),
            "header Idempotency-Key": Names(
                "statement", lambda _: _said(idempotency_key=None), header="Idempotency-Key"
            ),
            "call.reference": Names(
                "call",
                lambda it: _said(scope="this_call", call={"provider": "generic", "reference": it}),
                is_told=False,
            ),
            "evidence.details": Names(
                "call",
                lambda it: _said(
                    evidence={"type": "key_press", "details": {"key": "1", "call_reference": it}}
                ),
                is_told=False,
            ),
        },
    ),
    "premises/entries": Operation(
        "site_key",
        {"events.direction", "events.at"},
        {
            "events.reference": Names("entry", lambda it: _passed(reference=it)),
            "events.badge": Names("badge", lambda it: _passed(badge=it)),
            "events.room": Names("room", lambda it: _passed(room=it), is_told=False),
        },
    ),
}


# --- The interface's own description lists what is tried ---


def _leaves(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str = "") -> Iterator[str]:
    """The fields that hold a value, each with the names of those around it."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    inside = [*schema.get("anyOf", ()), *schema.get("allOf", ()), *schema.get("oneOf", ())]
    if "items" in schema:
        inside.append(schema["items"])
    for one in inside:
        yield from _leaves(one, schemas, name)
    for key, one in schema.get("properties", {}).items():
        yield from _leaves(one, schemas, f"{name}.{key}" if name else key)
    if not inside and "properties" not in schema and schema.get("type") != "null":
        yield name


def described(document: Mapping[str, Any]) -> dict[str, set[str]]:
    """The fields of each operation's question: of its body, its query, its headers and its address."""
    found = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            leaves = {
                leaf
                for one in content.values()
                for leaf in _leaves(one["schema"], document["components"]["schemas"])
            }
            named = {f"{one['in']} {one['name']}" for one in operation.get("parameters", ())}
            about = path.removeprefix("/api/v1/") if method == "post" else f"{method} {path}"
            found[about] = leaves | named
    return found


def test_every_operation_and_every_field_of_its_question_has_an_entry() -> None:
    entries = {about: one.plain | one.names.keys() for about, one in OPERATIONS.items()}
    assert described(api.get_openapi_schema()) == entries


# --- Asking ---


@pytest.fixture
def had(world: World) -> dict[str, Had]:
    """What each client has: what it had before, and what its systems now say once."""
    found = {}
    for things, agency, number in (
        (world.dentist, world.cast.acme, "+12025550111"),
        (world.plumber, world.cast.acme, "+12025550122"),
        (world.florist, world.cast.globex, "+12025550133"),
    ):
        with job_scope(agency_id=agency.pk):
            version = NoticeVersion.objects.get(client_id=things.client_id, notice__channel=Channel.EMAIL)
        slug = things.slug
        one = Had(
            number, str(version.pk), f"statement-of-{slug}", f"call-of-{slug}", f"badge-{things.client_id}",
            f"entry-of-{slug}", f"Room of {slug}",
        )  # fmt: skip
        call = {"provider": "generic", "reference": one.call}
        for path, body in (
            ("consent/events", _said(number=number, idempotency_key=one.statement, scope="this_call", call=call)
             | {"kind": "withdrawn"}),
            ("premises/entries", _passed(reference=one.entry, room=one.room)),
        ):  # fmt: skip
            answer = world.browsers["anonymous"].post(
                f"/api/v1/{path}", body, "application/json", headers=_key(things, path)
            )
            assert answer.status_code in {200, 201}, answer.content
        found[slug] = one
    return found


def _key(things: Things, path: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {getattr(things, OPERATIONS[path].key)}"}


# What each answer has of its own: when it was given, names of rows that were made, and a number's digest.
_OWN = re.compile(
    rb'"[0-9a-f]{8}-[0-9a-f-]{27}"|(?<="at":)"[^"]*"|(?<="recorded_at":)"[^"]*"|(?<="number_digest":)"[^"]*"'
)


def _question(world: World, path: str, asker: Things, body: Body, headers: Mapping[str, str]) -> Answer:
    answer = ask(
        world.browsers["anonymous"], "post", f"/api/v1/{path}", data=json.dumps(body),
        content_type="application/json", headers={**_key(asker, path), **headers},
    )  # fmt: skip
    return replace(answer, body=_OWN.sub(b'"OWN"', answer.body))


def odd(world: World, had: Mapping[str, Had], path: str, named: str) -> list[str]:
    """Who is told of a field's things what is not told of things that nobody has; or nothing of the own ones."""
    names = OPERATIONS[path].names[named]
    clients = (world.dentist, world.plumber, world.florist)

    def answer(asker: Things, of: Had) -> Answer:
        thing = getattr(of, names.kind)
        return _question(world, path, asker, names.body(thing), {names.header: thing} if names.header else {})

    found = []
    for asker in clients:
        none, own = answer(asker, NOBODYS), answer(asker, had[asker.slug])
        assert none.status < 500
        assert (own != none) is names.is_told, (asker.slug, own, none)
        found += [
            f"{asker.slug} of {other.slug}'s"
            for one, other in permutations(clients, 2)
            if one is asker and answer(asker, had[other.slug]) != none
        ]
    return found


@pytest.mark.parametrize(
    ("path", "named"),
    some([(path, named) for path, one in OPERATIONS.items() for named in one.names], one_in=2),
)
def test_what_another_client_has_answers_as_what_nobody_has(
    world: World, had: dict[str, Had], path: str, named: str
) -> None:
    assert odd(world, had, path, named) == []


def test_an_operation_that_tells_would_be_noticed(
    world: World, had: dict[str, Had], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were a stranger's words refused by another name than words that are none, the walk would say so."""
    check = events._check_version

    def tells(client: Any, statement: Any, version_id: Any) -> None:
        if str(version_id) == had["florist"].version and client.slug != "florist":
            raise events.RefusedError("not_yours", "These words are another's.", "notice_version")
        check(client, statement, version_id)

    monkeypatch.setattr(events, "_check_version", tells)
    assert odd(world, had, "consent/events", "notice_version") == [
        "dentist of florist's",
        "plumber of florist's",
    ]


def test_a_field_that_is_new_would_be_noticed() -> None:
    document = json.loads(json.dumps(api.get_openapi_schema()))
    document["components"]["schemas"]["EventIn"]["properties"]["list"] = {"type": "string", "format": "uuid"}
    assert "list" in described(document)["consent/events"]
