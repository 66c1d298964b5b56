"""The interface for programs: keys at the door, what may be done, what was said, errors in one form."""

import json
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.core.cache import caches
from django.db import connection, connections
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from callprivacy.accounts.enums import ApiScope
from callprivacy.accounts.models import ApiKey
from callprivacy.accounts.services import api_keys
from callprivacy.audit.models import Event
from callprivacy.calls.models import Caller, CallRef
from callprivacy.calls.services import people
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import jobs
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.models import Caller as Known
from consent.enums import Channel, EventKind, Purpose, State, Strength
from consent.models import ApiWrite, ClientStandard, ConsentEvent, ConsentState, Withdrawal
from consent.services import contact, events, ledger
from consent.services.ledger import Said
from consent.tasks.web import purge_writes
from tests import make
from tests.accounts.browsers import signed_in
from tests.calls.test_hooks import connect
from tests.cast import Cast
from tests.consent.systems import System, system_of

pytestmark = pytest.mark.django_db

ONE = "+14155550101"
OTHER = "+14155550102"
RECORD = {"number": ONE, "purposes": ["record"]}


@pytest.fixture
def crm(cast: Cast) -> System:
    return system_of(cast.dentist, cast.alice)


def say(
    cast: Cast, kind: EventKind, purpose: Purpose = Purpose.RECORD, number: str = ONE, **fields: Any
) -> None:
    with job_scope(agency_id=cast.acme.pk):
        caller_id = people.add_callers(client=cast.dentist, numbers=[number], at=make.now())[number]
        facts: dict[str, Any] = {
            "channel": Channel.WEB, "strength": Strength.A, "happened_at": make.now() - timedelta(days=1),
            "source": f"{kind} {purpose} {number}",
        }  # fmt: skip
        said = Said(purpose=purpose, kind=kind, caller_id=caller_id, **{**facts, **fields})
        ledger.record_events(client=cast.dentist, said=[said], by=make.JOB, at=make.now())


def decision(answer: dict[str, Any], purpose: str = "record", position: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = answer["answers"][position]["decisions"][purpose]
    return found


def state_of(cast: Cast, purpose: Purpose) -> str | None:
    with job_scope(agency_id=cast.acme.pk):
        return ConsentState.objects.filter(purpose=purpose).values_list("state", flat=True).first()


# --- The door ---


def test_every_wrong_key_is_answered_alike(cast: Cast, crm: System) -> None:
    other = system_of(cast.florist, cast.mallory)
    ended = system_of(cast.dentist, cast.alice, life=timedelta(days=1))
    revoked = system_of(cast.dentist, cast.alice)
    with job_scope(agency_id=cast.acme.pk):
        rows = list(ApiKey.objects.order_by("created_at", "pk"))
        by_text = {row.key: row for row in rows}
        ApiKey.objects.filter(key=ended.key[4:24]).update(ends_at=make.now() - timedelta(seconds=1))
        api_keys.revoke_key(
            key=by_text[revoked.key[4:24]], by=Actor.staff(user_id=cast.alice.user_id), at=make.now()
        )
    crossed = f"{crm.key[:25]}{other.key[25:]}"
    wrong = [
        "",
        "x",
        crm.key[:-1],
        crm.key + "x",
        crossed,
        ended.key,
        revoked.key,
        f"cpk_{'0' * 20}.{'A' * 43}",
    ]
    answers = {
        (answer.status_code, answer.content, answer.headers["WWW-Authenticate"])
        for answer in (crm.send("consent/check", RECORD, key=key) for key in wrong)
    }
    assert len(answers) == 1
    assert next(iter(answers))[0] == 401
    assert crm.send("consent/check", RECORD).status_code == 200
    assert Browser().post("/api/v1/consent/check", b"{}", content_type="application/json").status_code == 401


def test_every_wrong_key_takes_the_same_steps(cast: Cast, crm: System) -> None:
    other = system_of(cast.florist, cast.mallory)
    counts = set()
    for key in ("x", f"cpk_{'0' * 20}.{'A' * 43}", f"{crm.key[:25]}{other.key[25:]}"):
        with CaptureQueriesContext(connection) as captured:
            crm.send("consent/check", RECORD, key=key)
        others = ("SAVEPOINT", "enter_scope", "set_config")
        counts.add(len([q for q in captured if not any(word in q["sql"] for word in others)]))
    assert counts == {1}


def test_a_key_opens_its_own_client_alone(cast: Cast, crm: System) -> None:
    say(cast, EventKind.WITHDRAWN)
    assert not decision(crm.ask("consent/check", RECORD))["allowed"]
    for client, person in ((cast.plumber, cast.alice), (cast.florist, cast.mallory)):
        answer = system_of(client, person).ask("consent/check", RECORD)
        assert decision(answer)["event"] is None
        assert "withdrawn" not in json.dumps(answer).lower()


def test_a_key_may_do_only_what_it_was_given(cast: Cast) -> None:
    allowed = {
        ApiScope.CONSENT_CHECK: ("consent/check", RECORD),
        ApiScope.CONTACT_CHECK: ("contact/check", {"number": ONE}),
        ApiScope.CONSENT_WRITE: (
            "consent/events",
            {"number": ONE, "kind": "withdrawn", "purposes": ["contact"]},
        ),
    }
    for scope in allowed:
        system = system_of(cast.dentist, cast.alice, scopes=[scope])
        for needed, (path, body) in allowed.items():
            answer = system.send(path, body, **{"Idempotency-Key": "a-key-of-mine"})
            assert (answer.status_code == 403) is (needed != scope), (scope, path)
            if needed != scope:
                assert json.loads(answer.content)["error"] == "scope_missing"


def test_a_key_is_noted_as_used_once_a_day(cast: Cast, crm: System) -> None:
    crm.ask("consent/check", RECORD)
    with job_scope(agency_id=cast.acme.pk):
        assert ApiKey.objects.get(key=crm.key[4:24]).last_used_on is not None
    with CaptureQueriesContext(connection) as captured:
        crm.ask("consent/check", RECORD)
    assert not [query for query in captured if "UPDATE" in query["sql"]]


def test_somebody_who_is_signed_in_needs_a_key_as_well(cast: Cast, crm: System) -> None:
    browser = signed_in(cast.alice)
    answer = browser.post("/api/v1/consent/check", json.dumps(RECORD), content_type="application/json")
    assert answer.status_code == 401
    answer = browser.post(
        "/api/v1/consent/check",
        json.dumps(RECORD),
        content_type="application/json",
        headers={"Authorization": f"Bearer {crm.key}"},
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"{", "application/json", (400, "not_json")),
        (b"number=1", "application/x-www-form-urlencoded", (415, "not_json")),
        (b"[" + b" " * 600_000 + b"]", "application/json", (413, "too_large")),
    ],
)
def test_what_is_no_json_is_refused_in_the_same_form(
    crm: System, body: bytes, content_type: str, expected: tuple[int, str]
) -> None:
    answer = Browser().post(
        "/api/v1/consent/check",
        body,
        content_type=content_type,
        headers={"Authorization": f"Bearer {crm.key}"},
    )
    assert (answer.status_code, json.loads(answer.content)["error"]) == expected


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "purposes"),
        ({"purposes": ["record"]}, "number"),
        ({"purposes": ["record"], "number": ONE, "numbers": [ONE]}, "number"),
        ({"purposes": ["record"], "number": "no number"}, "number"),
        ({"purposes": ["record"], "number": "anonymous"}, "number"),
        ({"purposes": ["telepathy"], "number": ONE}, "purposes.0"),
        ({"purposes": [], "number": ONE}, "purposes"),
        ({"purposes": ["record"], "numbers": []}, "numbers"),
        ({"purposes": ["record"], "numbers": [ONE] * 1001}, "numbers"),
        ({"purposes": ["record"], "numbers": [ONE], "place": {"country": "US"}}, "place"),
        ({"purposes": ["record"], "number": ONE, "surname": "Doe"}, "surname"),
        ({"purposes": ["record"], "number": ONE, "place": {"country": "USA"}}, "place.country"),
        (
            {"purposes": ["record"], "number": ONE, "place": {"country": "US", "evidence": "guess"}},
            "place.evidence",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_field(crm: System, body: dict[str, Any], field: str) -> None:
    status, _, named = crm.refusal("consent/check", body)
    assert (status, named) == (422, field)


@pytest.mark.parametrize("sign", ["\x85", "\x0b"])
def test_an_idempotency_key_is_on_one_line(crm: System, sign: str) -> None:
    refused = crm.refusal(
        "consent/events", {**RECORD, "kind": "withdrawn"}, **{"Idempotency-Key": f"a-key{sign}of-mine"}
    )
    assert refused == (422, "invalid", "Idempotency-Key")


@pytest.mark.parametrize(("name", "status"), [("message_id", 422), ("words", 201)])
def test_details_of_a_proof_are_on_one_line_but_for_the_words_of_a_reply(
    crm: System, name: str, status: int
) -> None:
    details = {"message_id": "SM1", "words": "YES"} | {name: "YES\nplease"}
    said = {**RECORD, "kind": "given", "evidence": {"type": "text_reply", "details": details}}
    answer = crm.send("consent/events", said, **{"Idempotency-Key": "a-key-of-mine"})
    assert answer.status_code == status, answer.content


def test_a_refusal_never_repeats_what_was_sent(crm: System) -> None:
    for body in ({"purposes": [ONE], "number": ONE}, {"purposes": ["record"], "number": f"{ONE}x{ONE}"}):
        assert ONE[2:].encode() not in crm.send("consent/check", body).content


# --- What may be done ---


def test_who_is_not_known_is_answered_and_nobody_is_made(cast: Cast, crm: System) -> None:
    answer = crm.ask("consent/check", {"numbers": [ONE, "junk", OTHER], "purposes": ["record", "contact"]})
    assert [one["valid"] for one in answer["answers"]] == [True, False, True]
    assert answer["answers"][1]["decisions"] == {}
    found = decision(answer)
    assert (found["allowed"], found["lawful"], found["standard_met"], found["basis"]) == (
        False,
        False,
        False,
        None,
    )
    assert found["rules"]
    assert found["reasons"]
    assert not decision(answer, "contact", 2)["allowed"]
    with job_scope(agency_id=cast.acme.pk):
        assert not Caller.objects.exists()
    assert not Known.objects.filter(client_id=cast.dentist.pk).exists()


def test_what_was_said_decides_by_number_and_purpose(cast: Cast, crm: System) -> None:
    say(cast, EventKind.GIVEN)
    say(cast, EventKind.WITHDRAWN, number=OTHER)
    answer = crm.ask("consent/check", {"numbers": [ONE, OTHER], "purposes": ["record", "analyse"]})
    assert (decision(answer)["allowed"], decision(answer)["basis"]) == (True, "consent")
    with job_scope(agency_id=cast.acme.pk):
        given = ConsentEvent.objects.get(kind=EventKind.GIVEN)
    assert decision(answer)["event"] == str(given.pk)
    assert not decision(answer, "analyse")["allowed"]
    assert not decision(answer, "record", 1)["allowed"]


def test_a_no_of_an_erased_person_still_stands(cast: Cast, crm: System) -> None:
    vault.suppress(client_id=cast.dentist.pk, numbers=[ONE], purposes=["measure"], at=make.now())
    assert not decision(crm.ask("consent/check", {"number": ONE, "purposes": ["measure"]}), "measure")[
        "allowed"
    ]
    assert decision(crm.ask("consent/check", {"number": OTHER, "purposes": ["measure"]}), "measure")[
        "allowed"
    ]


def test_an_area_code_relaxes_nothing_and_an_address_does(cast: Cast) -> None:
    florist = system_of(cast.florist, cast.mallory)  # in Texas, where one party's consent is enough
    with job_scope(agency_id=cast.globex.pk):
        ClientStandard.objects.create(
            agency_id=cast.globex.pk, client=cast.florist, standard="legal_minimum", chosen_at=make.now(),
            expires_on=(make.now() + timedelta(days=30)).date(),
        )  # fmt: skip
    texan = "+12145550111"
    asked = {"number": texan, "purposes": ["record"]}
    assert not decision(florist.ask("consent/check", asked))["allowed"]
    said = asked | {"place": {"country": "us", "region": "tx"}}
    assert not decision(florist.ask("consent/check", said))["allowed"]
    reasons = decision(florist.ask("consent/check", said | {"number": "+493012345678"}))["reasons"]
    assert any(one.startswith("The source of Texas is unknown, so the strictest") for one in reasons)
    assert not any(one.startswith("Texas is only estimated") for one in reasons)
    known = asked | {"place": {"country": "us", "region": "tx", "evidence": "address"}}
    assert decision(florist.ask("consent/check", known))["allowed"]
    tracked = asked | {"place": {"country": "us", "region": "ny", "evidence": "tracker"}}
    assert decision(florist.ask("consent/check", tracked))["allowed"]
    assert not decision(florist.ask("consent/check", tracked | {"number": "+14155550101"}))["allowed"]
    seattle = {"number": "+12065550101", "purposes": ["record"], "announced": True}
    assert not decision(florist.ask("consent/check", seattle))["allowed"]
    assert decision(florist.ask("consent/check", seattle | {"announced_on_recording": True}))["allowed"]
    german = asked | {"place": {"country": "DE", "evidence": "address"}, "announced": True}
    assert not decision(florist.ask("consent/check", german))["allowed"]
    announced = {"number": "+14155550101", "purposes": ["record"], "announced": True}
    assert not decision(florist.ask("consent/check", announced))["allowed"], "the recording may not hold it"
    assert decision(florist.ask("consent/check", announced | {"announced_on_recording": True}))["allowed"]


@pytest.mark.parametrize(
    ("number", "place", "announced", "allowed"),
    [
        ("+493012345678", None, True, False),
        ("+493012345678", ("US", "TX", ""), True, False),
        ("+493012345678", ("US", "TX", "carrier"), True, False),
        ("+493012345678", ("US", "TX", "tracker"), True, False),
        ("+493012345678", ("ZZ", "", "address"), True, False),  # nowhere is no address
        ("+493012345678", ("US", "TX", "address"), True, True),
        ("+493012345678", ("US", "TX", "billing"), True, True),
        ("+18005550111", None, False, False),
        ("+18005550111", ("US", "TX", ""), False, False),
        ("+18005550111", ("US", "TX", "tracker"), False, True),
        ("+12145550111", ("US", "TX", "tracker"), False, False),  # it may have looked nowhere else than we
        ("+12145550111", ("US", "US-TX", "tracker"), False, False),
        ("+12145550111", ("US", "TX", "carrier"), False, True),
        ("+12145550111", ("US", "NY", "carrier"), False, True),
    ],
)
def test_without_an_address_the_number_counts_beside_what_is_said(
    cast: Cast, number: str, place: tuple[str, str, str] | None, announced: bool, allowed: bool
) -> None:
    florist = system_of(cast.florist, cast.mallory)  # in Texas
    with job_scope(agency_id=cast.globex.pk):
        ClientStandard.objects.create(
            agency_id=cast.globex.pk, client=cast.florist, standard="legal_minimum", chosen_at=make.now(),
            expires_on=(make.now() + timedelta(days=30)).date(),
        )  # fmt: skip
    question: dict[str, Any] = {"number": number, "purposes": ["record"], "announced": announced}
    if place is not None:
        question["place"] = dict(zip(("country", "region", "evidence"), place, strict=True))
    assert decision(florist.ask("consent/check", question))["allowed"] is allowed


def test_a_thousand_take_as_many_queries_as_one(cast: Cast, crm: System) -> None:
    for number in (ONE, OTHER):
        say(cast, EventKind.GIVEN, number=number)
    crm.ask("consent/check", RECORD)
    counts = []
    for numbers in ([ONE], [ONE, OTHER, *(f"+1415555{number:04}" for number in range(1000, 1998))]):
        with (
            CaptureQueriesContext(connection) as asked,
            CaptureQueriesContext(connections["vault"]) as opened,
        ):
            crm.ask("consent/check", {"numbers": numbers, "purposes": [p.value for p in Purpose]})
        read = [
            q
            for q in asked
            if "SELECT" in q["sql"] and "enter_scope" not in q["sql"] and "set_config" not in q["sql"]
        ]
        counts.append((len(asked), len(opened), len(read)))
    # The key, then facts and people; the rest enters and leaves the scope.
    assert counts == [(7, 2, 3), (7, 2, 3)]


def test_a_list_reads_no_table_again_for_each_caller(cast: Cast, crm: System) -> None:
    numbers = [f"+1415555{number:04}" for number in range(1000, 1040)]
    for number in numbers:
        say(cast, EventKind.GIVEN, number=number)
    with CaptureQueriesContext(connection) as captured:
        answers = crm.ask("consent/check", {"numbers": numbers, "purposes": ["record"]})["answers"]
    (statement,) = [query["sql"] for query in captured if "consent_callerplace" in query["sql"]]

    with job_scope(agency_id=cast.acme.pk), connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + statement.replace("%", "%%"), ())
        (((plan,),),) = cursor.fetchall()

    assert {answer["decisions"]["record"]["allowed"] for answer in answers} == {True}
    assert plan["Plan"]["Actual Rows"] == len(numbers)
    assert _most_loops(plan["Plan"]) == 1


def _most_loops(node: dict[str, Any]) -> int:
    return max(int(node["Actual Loops"]), *map(_most_loops, node.get("Plans", [])), 0)


def test_the_answer_is_what_the_description_says(crm: System) -> None:
    from callprivacy.api import api

    document = api.get_openapi_schema()
    assert set(document["paths"]) == {
        "/api/v1/consent/check",
        "/api/v1/contact/check",
        "/api/v1/consent/events",
        "/api/v1/premises/entries",
    }
    for path, body in (
        ("consent/check", {"numbers": [ONE, "x"], "purposes": ["record"]}),
        ("contact/check", {"numbers": [ONE, "x"]}),
        (
            "consent/events",
            {"number": ONE, "kind": "given", "purposes": ["record"], "idempotency_key": "12345678"},
        ),
    ):
        operation = document["paths"][f"/api/v1/{path}"]["post"]
        assert operation["security"] == [{"Bearer": []}]
        status = "201" if path.endswith("events") else "200"
        _fits(
            crm.ask(path, body),
            operation["responses"][int(status)]["content"]["application/json"]["schema"],
            document["components"]["schemas"],
        )


def test_what_is_refused_by_its_headers_and_read_from_them_is_described(crm: System) -> None:
    from callprivacy.api import api

    paths = api.get_openapi_schema()["paths"]
    changes: list[dict[str, Any]] = [{"HTTP_TRANSFER_ENCODING": "chunked"}, {"CONTENT_LENGTH": "many"}]
    for path, change in product(("consent/check", "premises/entries"), changes):
        address = f"/api/v1/{path}"
        answer = Browser().generic("POST", address, b"", content_type="application/json", **change)
        assert answer.status_code in {400, 411}
        assert answer.status_code in paths[address]["post"]["responses"]
    (header,) = paths["/api/v1/consent/events"]["post"]["parameters"]
    assert (header["in"], header["name"], header["required"]) == ("header", "Idempotency-Key", False)


def test_every_code_of_a_reason_is_described() -> None:
    from callprivacy.api import api

    code = api.get_openapi_schema()["components"]["schemas"]["ReasonOut"]["properties"]["code"]
    assert set(code["enum"]) == {*contact.Code, "not_a_number"}


def _fits(value: Any, schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Every value that is answered is described, and every value that is described is answered."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        if value is None:
            assert {"type": "null"} in schema["anyOf"]
            return
        schema = next(one for one in schema["anyOf"] if one.get("type") != "null")
        _fits(value, schema, schemas)
    elif schema.get("type") == "object":
        if isinstance(schema.get("additionalProperties"), dict):
            for inner in value.values():
                _fits(inner, schema["additionalProperties"], schemas)
            return
        assert value.keys() == schema["properties"].keys()
        for name, inner in value.items():
            _fits(inner, schema["properties"][name], schemas)
    elif schema.get("type") == "array":
        for inner in value:
            _fits(inner, schema["items"], schemas)
    else:
        kinds = {"string": str, "boolean": bool, "integer": int}
        assert isinstance(value, kinds[schema["type"]])
        assert "enum" not in schema or value in schema["enum"]


def test_the_description_is_open_to_whoever_connects_a_system(cast: Cast) -> None:
    page = Browser().get("/api/")
    assert page.status_code == 200
    text = page.content.decode()
    for words in (
        "/api/v1/consent/check",
        "announced",
        "answers[].decisions.*.standard_met",
        "evidence.details",
    ):
        assert words in text
    assert Browser().get("/api/v1/openapi.json").status_code == 200
    browser = signed_in(cast.alice)
    assert "Sign out" in browser.get("/api/").content.decode()


# --- How much is asked ---


def test_too_much_is_refused_but_never_a_no(cast: Cast, crm: System, monkeypatch: pytest.MonkeyPatch) -> None:
    from consent import api

    monkeypatch.setattr(api, "NUMBERS_A_MINUTE", 3)
    # A minute may end between two questions here.
    monkeypatch.setattr(api, "A_MINUTE", timedelta(days=36500))
    crm.ask("consent/check", {"numbers": [ONE, OTHER], "purposes": ["record"]})
    crm.ask("consent/check", RECORD)
    answer = crm.send("consent/check", RECORD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "10")
    no = {"number": ONE, "kind": "withdrawn", "purposes": ["record"], "idempotency_key": "no-1-2-3"}
    assert crm.send("consent/events", no).status_code == 201
    yes = {"number": OTHER, "kind": "given", "purposes": ["record"], "idempotency_key": "yes-1-2-3"}
    assert crm.send("consent/events", yes).status_code == 429
    assert system_of(cast.plumber, cast.alice).send("consent/check", RECORD).status_code == 200


def test_without_valkey_the_answer_comes_from_the_database_and_says_so(
    cast: Cast, crm: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    from redis.exceptions import ConnectionError as Away

    def away(*_: Any, **__: Any) -> None:
        raise Away

    say(cast, EventKind.WITHDRAWN)
    say(cast, EventKind.GIVEN, number=OTHER)
    monkeypatch.setattr(caches["hints"], "make_key", away)
    answer = crm.send("consent/check", {"numbers": [ONE, OTHER, "+14155550199"], "purposes": ["record"]})
    assert answer.headers["X-RateLimit"] == "not counted"
    found = json.loads(answer.content)
    assert [decision(found, position=position)["allowed"] for position in range(3)] == [False, True, False]
    no = {"number": OTHER, "kind": "withdrawn", "purposes": ["record"], "idempotency_key": "no-1-2-3"}
    assert crm.send("consent/events", no).status_code == 201
    assert not decision(crm.ask("consent/check", RECORD | {"number": OTHER}))["allowed"]


def test_without_the_database_nothing_is_allowed(crm: System, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    from consent.services import checks

    def away(**_: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(checks, "check", away)
    assert crm.refusal("consent/check", RECORD) == (503, "unavailable", "")


# --- What was said ---


YES = {"number": ONE, "kind": "given", "purposes": ["record", "contact"], "idempotency_key": "form-4711"}


def test_what_a_system_says_is_in_the_ledger_with_its_proof_sealed(cast: Cast, crm: System) -> None:
    proof = {"type": "web_form", "details": {"page": "example.com/book", "words": "You may record my calls."}}
    answer = crm.ask("consent/events", YES | {"evidence": proof, "happened_at": "2026-01-02T03:04:05+01:00"})
    assert [one["purpose"] for one in answer["events"]] == ["contact", "record"]
    assert answer["strength"] == "D"
    with job_scope(agency_id=cast.acme.pk):
        rows = {row.purpose: row for row in ConsentEvent.objects.all()}
        assert {str(row.pk) for row in rows.values()} == {one["id"] for one in answer["events"]}
        row = rows["record"]
        assert (row.channel, row.kind, row.strength, row.scope) == ("api", "given", "D", "standing")
        assert row.happened_at.isoformat() == "2026-01-02T02:04:05+00:00"
        assert row.recorded_by.startswith("api:")
        assert b"example.com" not in bytes(row.evidence.blob)
        opened = ledger.evidence_of(client=cast.dentist, events=[row], at=make.now())
        assert opened[row.pk] == {"said": "given", "proof": "web_form", "details": proof["details"]}
        assert Event.objects.filter(action="consent.recorded", actor_name=row.recorded_by).exists()
    claimed = decision(crm.ask("consent/check", RECORD))
    assert not claimed["allowed"]
    assert any("the consent is claimed (grade D)" in reason for reason in claimed["reasons"])


def test_the_same_key_and_body_is_one_statement_answered_alike(cast: Cast, crm: System) -> None:
    first = crm.send("consent/events", {k: v for k, v in YES.items() if k != "idempotency_key"},
                     **{"Idempotency-Key": "form-4711"})  # fmt: skip
    again = crm.send("consent/events", YES)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert crm.refusal("consent/events", YES | {"purposes": ["record"]}) == (
        409,
        "idempotency_conflict",
        "Idempotency-Key",
    )
    assert system_of(cast.plumber, cast.alice).send("consent/events", YES).status_code == 201
    with job_scope(agency_id=cast.acme.pk):
        assert ConsentEvent.objects.for_client(cast.dentist).count() == 2
        row = ApiWrite.objects.for_client(cast.dentist).get()
        assert ONE.encode() not in bytes(row.body_digest)
        assert ONE not in json.dumps(row.answer)


def test_what_was_answered_is_forgotten_and_the_ledger_remembers(cast: Cast, crm: System) -> None:
    first = crm.ask("consent/events", YES)
    assert events.purge(agency_id=cast.acme.pk, at=make.now() + timedelta(days=31)) == 1
    again = crm.ask("consent/events", YES)
    assert again["events"] == first["events"]
    with job_scope(agency_id=cast.acme.pk):
        assert ConsentEvent.objects.count() == 2


def test_the_beat_forgets_what_was_answered_after_thirty_days(cast: Cast, crm: System) -> None:
    crm.ask("consent/events", YES)
    purge_writes.run()
    with job_scope(agency_id=cast.acme.pk):
        assert ApiWrite.objects.update(created_at=make.now() - timedelta(days=31)) == 1
    purge_writes.run()
    with job_scope(agency_id=cast.acme.pk):
        assert (ApiWrite.objects.count(), ConsentEvent.objects.count()) == (0, 2)
    assert "consent.purge_writes" in jobs.PERIODS


def test_a_statement_needs_a_key_of_its_own(crm: System) -> None:
    body = {k: v for k, v in YES.items() if k != "idempotency_key"}
    assert crm.refusal("consent/events", body) == (422, "idempotency_key", "Idempotency-Key")
    assert crm.refusal("consent/events", body, **{"Idempotency-Key": "short"})[0] == 422


def test_a_no_counts_from_this_moment_and_goes_to_the_vendors(cast: Cast, crm: System) -> None:
    crm.ask("consent/events", YES)
    no = {
        "number": ONE,
        "kind": "withdrawn",
        "purposes": ["record", "contact"],
        "idempotency_key": "stop-4711",
    }
    assert crm.ask("consent/events", no)["strength"] == "C"
    assert not decision(crm.ask("consent/check", RECORD))["allowed"]
    with job_scope(agency_id=cast.acme.pk):
        assert Withdrawal.objects.get().purposes == ["contact", "record"]
    assert vault_selectors.suppressed(cast.dentist.pk, [ONE], on=make.now().date())[ONE].keys() == {
        "contact",
        "record",
    }


def test_an_unproven_yes_never_lifts_a_no(cast: Cast, crm: System) -> None:
    say(cast, EventKind.WITHDRAWN)
    assert crm.refusal("consent/events", YES) == (409, "standing_no", "purposes")
    assert state_of(cast, Purpose.RECORD) == State.WITHDRAWN
    with job_scope(agency_id=cast.acme.pk):
        assert ConsentEvent.objects.count() == 1
        assert not ApiWrite.objects.exists()
    before = (make.now() - timedelta(days=2)).isoformat()
    assert crm.send("consent/events", YES | {"happened_at": before}).status_code == 201
    assert state_of(cast, Purpose.RECORD) == State.WITHDRAWN


def test_nor_one_that_an_erased_person_said(cast: Cast, crm: System) -> None:
    vault.suppress(client_id=cast.dentist.pk, numbers=[ONE], purposes=["record"], at=make.now())
    before = (make.now() - timedelta(days=2)).isoformat()
    assert crm.refusal("consent/events", YES | {"happened_at": before})[:2] == (409, "standing_no")


def erased(cast: Cast) -> None:
    """Who said yes by this number was erased a moment ago, row and key."""
    with job_scope(agency_id=cast.acme.pk):
        caller_id = people.add_callers(client=cast.dentist, numbers=[ONE], at=make.now())[ONE]
        Caller.objects.filter(pk=caller_id).remove()
    up_to = make.now() - timedelta(minutes=1)
    gone = vault.Erasure(caller_id, up_to=up_to, tombstone_ends_on=(up_to + timedelta(days=900)).date())
    vault.erase_callers(client_id=cast.dentist.pk, erasures=[gone], at=make.now())


def test_what_an_erased_person_said_before_makes_nobody_again(cast: Cast, crm: System) -> None:
    erased(cast)
    before = (make.now() - timedelta(days=2)).isoformat()
    assert crm.refusal("consent/events", YES | {"happened_at": before}) == (422, "erased", "happened_at")
    assert not Known.objects.filter(client_id=cast.dentist.pk).exists()
    with job_scope(agency_id=cast.acme.pk):
        assert not Caller.objects.exists()
        assert not ConsentEvent.objects.exists()
        assert not ApiWrite.objects.exists()
    assert crm.send("consent/events", YES).status_code == 201, (
        "what is said now is said by somebody who is here"
    )
    assert state_of(cast, Purpose.RECORD) == State.GIVEN


def test_a_no_that_is_sent_again_after_the_erasure_makes_nobody_again(cast: Cast, crm: System) -> None:
    no = YES | {"kind": "withdrawn", "purposes": ["contact"]}
    first = crm.ask("consent/events", no)
    erased(cast)
    assert crm.ask("consent/events", no) == first
    assert not Known.objects.filter(client_id=cast.dentist.pk).exists()


def test_of_an_erased_persons_no_the_number_alone_is_remembered(cast: Cast, crm: System) -> None:
    erased(cast)
    at = make.now() - timedelta(days=2)
    no = YES | {"kind": "withdrawn", "purposes": ["contact"], "happened_at": at.isoformat()}
    first = crm.ask("consent/events", no)
    assert first["events"] == []
    assert crm.ask("consent/events", no) == first
    assert vault_selectors.suppressed(cast.dentist.pk, [ONE], on=make.now().date()) == {ONE: {"contact": at}}
    assert not Known.objects.filter(client_id=cast.dentist.pk).exists()
    with job_scope(agency_id=cast.acme.pk):
        assert not Caller.objects.exists()
        assert not ConsentEvent.objects.exists()


def test_a_proven_yes_lifts_a_no_but_none_to_sharing(cast: Cast) -> None:
    say(cast, EventKind.WITHDRAWN)
    say(cast, EventKind.WITHDRAWN, Purpose.SHARE)
    proof = {"type": "code", "details": {"verification_id": "VE0123456789"}}
    vouching = system_of(cast.dentist, cast.alice)
    body = YES | {"evidence": proof, "purposes": ["record"]}
    without = system_of(cast.dentist, cast.alice, scopes=[ApiScope.CONSENT_WRITE])
    assert without.refusal("consent/events", body)[:2] == (409, "standing_no")
    assert vouching.ask("consent/events", body)["strength"] == "A"
    assert state_of(cast, Purpose.RECORD) == State.GIVEN
    share = body | {"purposes": ["share"], "idempotency_key": "share-4711"}
    assert vouching.refusal("consent/events", share)[:2] == (409, "standing_no")


@pytest.mark.parametrize(
    ("kind", "details", "vouched", "otherwise"),
    [
        ("key_press", {"key": "1", "call_reference": "CA1"}, "A", "C"),
        ("signature", {"document_sha256": "a" * 64, "signed_on": "2026-01-02"}, "A", "C"),
        ("code", {"verification_id": "VE1"}, "A", "C"),
        ("text_reply", {"message_id": "SM1", "words": "YES"}, "A", "C"),
        ("email_reply", {"message_id": "<1@x>", "dkim_domain": "example.com"}, "B", "C"),
        ("web_form", {}, "D", "D"),
        ("spoken", {}, "C", "C"),
        ("attestation", {}, "C", "C"),
    ],
)
def test_nobody_is_surer_than_the_proof_shows_and_the_key_may_vouch_for(
    cast: Cast, kind: str, details: dict[str, str], vouched: str, otherwise: str
) -> None:
    proof = {"type": kind, "details": details}
    system = system_of(cast.dentist, cast.alice)
    for scopes, expected in ((tuple(ApiScope), vouched), ((ApiScope.CONSENT_WRITE,), otherwise)):
        system = system_of(cast.dentist, cast.alice, scopes=scopes)
        body = YES | {"evidence": proof, "idempotency_key": f"key-of-{kind}-{expected}"}
        assert system.ask("consent/events", body)["strength"] == expected
    for name in details:
        less = {key: value for key, value in details.items() if key != name}
        body = YES | {"evidence": {"type": kind, "details": less}, "idempotency_key": f"less-{kind}-{name}"}
        assert system.refusal("consent/events", body) == (422, "proof_incomplete", f"evidence.details.{name}")


def test_a_yes_for_one_call_is_about_that_call(cast: Cast, crm: System) -> None:
    call = make.call(cast.dentist, ONE, at=make.now() - timedelta(minutes=1))
    digest = vault_selectors.client_keys(cast.dentist.pk).tokens.digest("twilio", "sid", "CA123")
    with job_scope(agency_id=cast.acme.pk):
        CallRef.objects.create(
            agency_id=cast.acme.pk,
            client=cast.dentist,
            provider="twilio",
            kind="sid",
            digest=digest,
            call=call,
        )
    body = YES | {"scope": "this_call", "purposes": ["record"]}
    assert crm.refusal("consent/events", body) == (422, "call_missing", "call")
    crm.ask("consent/events", body | {"call": {"provider": "twilio", "reference": "CA123"}})
    with job_scope(agency_id=cast.acme.pk):
        event = ConsentEvent.objects.get()
        assert bytes(event.call_digest or b"") == digest
    assert state_of(cast, Purpose.RECORD) is None


def test_a_call_of_a_tracker_without_a_module_is_found_by_each_of_its_names(cast: Cast, crm: System) -> None:
    call = make.call(cast.dentist, ONE, at=make.now() - timedelta(minutes=1))
    tokens = vault_selectors.client_keys(cast.dentist.pk).tokens
    c1, c2 = (tokens.digest("shared", "id", name) for name in ("c1", "c2"))
    connect(cast.dentist, "shared", "a-secret-of-sixteen")
    no = YES | {"kind": "refused", "scope": "this_call", "purposes": ["record"]}

    # The tracker, by which this call may come yet, is the client's only one; then the call is one of a file.
    crm.ask("consent/events", no | {"call": {"provider": "generic", "reference": "c2"}})
    with job_scope(agency_id=cast.acme.pk):
        (said,) = ConsentEvent.objects.all()
        assert bytes(said.call_digest or b"") == c2
        for provider, digest in (("shared", c1), ("generic", tokens.digest("generic", "id", "c2"))):
            CallRef.objects.create(
                agency_id=cast.acme.pk, client=cast.dentist, provider=provider, kind="id", digest=digest, call=call
            )  # fmt: skip
        ApiWrite.objects.all().remove()
    again = crm.ask("consent/events", no | {"call": {"provider": "generic", "reference": "c2"}})
    assert [one["id"] for one in again["events"]] == [str(said.pk)]

    for provider in ("shared", "generic"):
        named = {"call": {"provider": provider, "reference": "c1"}, "idempotency_key": f"no-to-{provider}"}
        crm.ask("consent/events", no | named)
    with job_scope(agency_id=cast.acme.pk):
        found = ConsentEvent.objects.exclude(pk=said.pk)
        assert [bytes(one.call_digest or b"") for one in found] == [c1, c1]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "expired"}, "kind"),
        ({"number": "junk"}, "number"),
        ({"happened_at": "2126-01-01T00:00:00Z"}, "happened_at"),
        ({"happened_at": "1999-01-01T00:00:00Z"}, "happened_at"),
        ({"happened_at": "2026-01-01T00:00:00"}, "happened_at"),
        ({"notice_version": "7b0f4f5e-1111-4444-8888-1234567890ab"}, "notice_version"),
        ({"purposes": ["all"]}, "purposes.0"),
        ({"basis": "notice"}, "basis"),
        ({"evidence": {"type": "dream"}}, "evidence.type"),
        ({"call": {"provider": "twilio", "reference": "a b"}}, "call.reference"),
        ({"channel": "menu"}, "channel"),
        ({"strength": "A"}, "strength"),
    ],
)
def test_a_statement_that_cannot_be_is_refused_and_leaves_nothing(
    cast: Cast, crm: System, change: dict[str, Any], field: str
) -> None:
    status, _, named = crm.refusal("consent/events", YES | change)
    assert (status, named) == (422, field)
    with job_scope(agency_id=cast.acme.pk):
        assert not ConsentEvent.objects.exists()
        assert not ApiWrite.objects.exists()
        assert not Caller.objects.exists()
