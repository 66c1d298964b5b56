"""Every stored field says what it is; what is sealed is really sealed, and leaves."""

import ast
import functools
import importlib
import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.db import connections, models

from callprivacy.audit import services as audit
from callprivacy.calls.models import CallPress, CallRef, Inbox, Reveal, Transcript
from callprivacy.calls.services import confidential
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import RetentionState
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import services as vault
from callprivacy.vault.fields import SealedField, StrictEncryptedField
from callprivacy.vault.sealing import Place
from consent.models import CallerPlace, Decision, MinorMark
from retention.enums import RunCause
from retention.services import runs
from tests import make
from tests.cast import Cast
from tests.rules import fields, source
from tests.rules.fields import PACKAGES, REGISTER, Field, Is, Table
from tests.rules.source import CODE

OLD = make.NOON - timedelta(days=400)
# Fixed retention periods, minutes to weeks after it came, and not with the call.
OWN_DATE = {
    "calls.Inbox",
    "consent.CallBack",
    "consent.PhoneCode",
    "consent.Invitation",
    "consent.MenuSession",
    "consent.Reply",
    "consent.Subscription",
    "consent.WebhookDelivery",
    "retention.Errand",
    "retention.HoldCall",
    "retention.HoldCaller",
    "retention.Leftover",
    "retention.VendorCheck",
}


def _is_ours(model: type[models.Model]) -> bool:
    return model.__module__.split(".")[0] in CODE


ALL = apps.get_models(include_auto_created=True)
OURS = [model for model in ALL if _is_ours(model)]


def unclassified(models_: list[type[models.Model]], register: dict[str, Table]) -> set[str]:
    """`app.Model.field` of every stored field that the register does not know."""
    return {
        f"{model._meta.label}.{field.name}"
        for model in models_
        for field in model._meta.concrete_fields
        if model._meta.label not in register or field.name not in register[model._meta.label].fields
    }


def test_every_stored_field_is_classified() -> None:
    assert unclassified(OURS, REGISTER) == set(), "say in tests/rules/fields.py what these are"


def test_a_field_without_a_class_is_found() -> None:
    call = apps.get_model("calls.Call")
    without = REGISTER["calls.Call"].fields.copy()
    del without["source"]
    assert unclassified([call], {"calls.Call": Table("", without)}) == {"calls.Call.source"}


def test_the_register_names_nothing_that_is_gone() -> None:
    stored = {f"{model._meta.label}.{field.name}" for model in OURS for field in model._meta.concrete_fields}
    named = {f"{label}.{name}" for label, table in REGISTER.items() for name in table.fields}
    assert named - stored == set()


def test_tables_of_packages_are_named_one_by_one() -> None:
    assert {model._meta.label for model in ALL if not _is_ours(model)} == set(PACKAGES)


def test_the_data_map_has_a_section_for_each_table() -> None:
    sections = {line.removeprefix("## ") for line in fields.data_map().splitlines() if line.startswith("## ")}
    assert sections == {model._meta.label for model in OURS} | {"Tables of packages"}


def _class_of(model: type[models.Model], field: models.Field[Any, Any]) -> Field:
    return REGISTER[model._meta.label].fields[field.name]


def test_sealed_fields_are_sealed_and_no_others() -> None:
    """A field that says sealed is a sealed column; a sealed column says so."""
    for model in OURS:
        for field in model._meta.concrete_fields:
            kind = _class_of(model, field).kind
            name = f"{model._meta.label}.{field.name}"
            if isinstance(field, SealedField):
                assert kind in {Is.SEALED, Is.EVIDENCE}, name
            else:
                assert kind is not Is.SEALED, name
            if isinstance(field, StrictEncryptedField):
                assert kind is Is.SECRET, f"{model._meta.label}.{field.name}"


def test_texts_that_anything_could_be_written_into_give_a_reason() -> None:
    """Long texts and JSON are where personal values creep in: each says why there is none."""
    open_fields = {
        (model._meta.label, field.name): _class_of(model, field).why
        for model in OURS
        for field in model._meta.concrete_fields
        if isinstance(field, models.TextField | models.JSONField)
        and not isinstance(field, StrictEncryptedField)
        and (model._meta.label, field.name) != ("calls.TrackingNumber", "announcement")
    }
    assert {name for name, why in open_fields.items() if not why} == set()


# --- Leaving ---


def _resolve(dotted: str) -> Callable[..., Any]:
    module, _, name = dotted.rpartition(".")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


@functools.cache
def _names_used() -> set[str]:
    """Every name and attribute that our code, outside the files that only hand names on, reads."""
    found: set[str] = set()
    for file in source.files():
        if file.name == "__init__.py":
            continue
        for node in source.nodes(file):
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found.add(node.id)
    return found


def _of_callers() -> list[str]:
    return [
        label
        for label, table in REGISTER.items()
        if any(field.kind in {Is.SEALED, Is.CALLER} for field in table.fields.values())
    ]


@pytest.mark.parametrize("label", _of_callers())
def test_what_belongs_to_a_caller_has_a_way_out_that_somebody_takes(label: str) -> None:
    table = REGISTER[label]
    assert table.leaves, f"{label} holds facts of callers and never leaves"
    used = _names_used()
    for dotted in table.leaves:
        deed = _resolve(dotted)
        name = dotted.rpartition(".")[2]
        assert inspect.isfunction(inspect.unwrap(deed)), dotted
        assert name in used, f"{dotted} is called by nobody"


def _rows(alias: str, table: str, client_id: int) -> int:
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table} WHERE client_id = %s", [client_id])
        return int(cursor.fetchone()[0])


def _everything_of_one_call(cast: Cast) -> Client:
    """One old call of a live client, with a row in every table that holds facts of callers."""
    call = make.call(cast.dentist, "+12125550101", at=OLD)
    make.recording(call, "https://vendor.example/r/1")
    ours = {"agency_id": cast.acme.pk, "client_id": cast.dentist.pk}
    by = Actor.staff(user_id=cast.alice.user_id)
    with job_scope(agency_id=cast.acme.pk):
        event = audit.record(
            "number.revealed", subject=call, by=by, at=OLD, reason="Anna asked to be called back."
        )
        CallRef.objects.create(**ours, provider="callrail", kind="id", digest=b"1" * 32, call=call)
        Reveal.objects.create(
            **ours, call=call, user_id=cast.alice.user_id, reason_kind="call_back", reason_digest=b"2" * 32,
            event_id=event.pk, at=OLD,
        )  # fmt: skip
        Transcript.objects.create(**ours, call=call, provider="callrail", received_at=OLD)
        CallPress.objects.create(**ours, call=call, name="menu", value="1", at=OLD)
        confidential.mark_call(
            call=call, reason="Anna spoke of her treatment.", people=[], ends_at=make.NOON, by=by, at=OLD
        )
        assert call.caller_id
        CallerPlace.objects.create(
            **ours, caller_id=call.caller_id, country="US", region="CA", recorded_at=OLD
        )
        MinorMark.objects.create(**ours, caller_id=call.caller_id, marked_at=OLD)
        Decision.objects.create(
            **ours, call=call, purpose="record", allowed=False, lawful=False, standard_met=False,
            standard="express", pack="tests", decided_at=OLD,
        )  # fmt: skip
        Client.objects.filter(pk=cast.dentist.pk).update(retention_state=RetentionState.LIVE)
        return Client.objects.select_related("agency").get(pk=cast.dentist.pk)


def test_a_run_leaves_no_row_of_a_caller_behind(cast: Cast) -> None:
    """What the register promises, seen: after a run and the vendor's receipt every such table is empty."""
    client = _everything_of_one_call(cast)
    by_run = {
        label: ("vault" if label.startswith("vault.") else "default", apps.get_model(label)._meta.db_table)
        for label in _of_callers()
        if label not in OWN_DATE
    }

    def count() -> dict[str, int]:
        with job_scope(agency_id=cast.acme.pk):
            return {label: _rows(*where, client.pk) for label, where in by_run.items()}

    before = count()
    assert min(before.values()) >= 1, before
    vault.purpose_key(client_id=client.pk, purpose="errand", at=OLD)
    lasting = _purpose_keys(client.pk)

    with job_scope(agency_id=cast.acme.pk):
        run = runs.start_run(agency=cast.acme, cause=RunCause.BY_HAND, by=make.JOB, at=make.NOON)
    until = make.NOON + timedelta(minutes=1)
    runs.work_run(agency_id=cast.acme.pk, run_id=run.pk, until=until, clock=lambda: make.NOON)
    left = count()
    assert left.pop("vault.RecordingKey") == lasting
    assert left == dict.fromkeys(left, 0)


def _purpose_keys(client_id: int) -> int:
    """The keys of a client that belong to a purpose, not to a recording: they stay."""
    with connections["vault"].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM vault_recordingkey WHERE client_id = %s AND caller_id IS NULL", [client_id]
        )
        return int(cursor.fetchone()[0])


def test_an_event_that_could_not_be_read_leaves_after_a_week(cast: Cast) -> None:
    from callprivacy.calls.services import connections as ways
    from callprivacy.calls.services import inbox

    with job_scope(agency_id=cast.acme.pk):
        connection = ways.create_connection(
            client=cast.dentist, provider="callrail", name="Main", secret="s3cret", by=make.JOB, at=make.NOON
        )
        pk = uuid4()
        key = vault.purpose_key(client_id=cast.dentist.pk, purpose="inbox", at=make.NOON)
        Inbox.objects.create(
            pk=pk, agency_id=cast.acme.pk, client_id=cast.dentist.pk, connection=connection, state="rejected",
            payload=key.seal(b"{}", Place(cast.dentist.pk, "calls_inbox", "payload", pk)),
            received_at=make.NOON, due_at=make.NOON,
        )  # fmt: skip
    assert inbox.purge(agency_id=cast.acme.pk, at=make.NOON + inbox.REJECTED_FOR - timedelta(seconds=1)) == 0
    assert inbox.purge(agency_id=cast.acme.pk, at=make.NOON + inbox.REJECTED_FOR) == 1
