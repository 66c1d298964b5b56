"""
Certificates of destruction: what one run destroyed at one client, stated once, signed, and never changed.

Issued when a run is over and no batch of it is under way any more. Everything that a certificate says stands on the
run's own rows, which were written in the transactions that removed what they count.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import Max, Q, QuerySet

from callprivacy.audit import leaves
from callprivacy.audit import services as audit
from callprivacy.audit.leaves import canonical_document
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Agency, Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import signing
from consent.channels import packing
from consent.enums import VendorStep
from consent.models import VendorTask
from retention import targets
from retention.channels import certificate as form
from retention.enums import Category, PartState, RunState, Then
from retention.models import Certificate, Errand, Hold, HouseCertificate, HousePart, Run, RunPart
from retention.selectors import house
from retention.services import backups

JOB: Final = Actor.job("retention.issue_certificates")
_OVER: Final = (RunState.DONE, RunState.CANCELLED)


@dataclass(frozen=True, slots=True, repr=False)
class File:
    """A certificate as somebody takes it away."""

    name: str
    media_type: str
    data: bytes


def issue_due(*, agency_id: int, run_id: UUID, clock: Callable[[], datetime]) -> int:
    """
    Issue what a run owes: one certificate for each client at which it destroyed something, was held back or failed,
    and one for the agency's own rows.

    Nothing happens while it goes on, or while a batch of it is under way. Called outside any scope; repeating it adds
    nothing. Returns how many were issued.
    """
    with job_scope(agency_id=agency_id):
        run = Run.objects.filter(pk=run_id, state__in=_OVER).first()
        if run is None or RunPart.objects.filter(run=run, leased_until__gt=clock()).exists():
            return 0
        if HousePart.objects.filter(run=run, leased_until__gt=clock()).exists():
            return 0
        own = HousePart.objects.filter(Q(rows_erased__gt=0) | Q(rows_held__gt=0) | Q(state=PartState.FAILED))
        is_owed = own.filter(run=run).exists() and not HouseCertificate.objects.filter(run=run).exists()
        done = Certificate.objects.filter(run=run).values("client_id")
        # Whatever a part is called, rows that it erased are stated.
        held = Q(rows_held__gt=0) & ~Q(state=PartState.OBSERVED)
        told = Q(rows_erased__gt=0) | held | Q(state=PartState.FAILED)
        parts = RunPart.objects.filter(told, run=run)
        client_ids = sorted(set(parts.exclude(client_id__in=done).values_list("client_id", flat=True)))
    for client_id in client_ids:
        with job_scope(agency_id=agency_id, client_id=client_id):
            client = Client.objects.select_related("agency").get(pk=client_id)
            issue(run=run, client=client, at=clock())
    if is_owed:
        with job_scope(agency_id=agency_id):
            issue_own(run=run, at=clock())
    return len(client_ids) + is_owed


def owing(agency_id: int, *, since: datetime) -> list[UUID]:
    """Runs of an agency that ended since an instant, oldest first; in its scope."""
    runs = Run.objects.filter(agency_id=agency_id, state__in=_OVER, finished_at__gte=since)
    return list(runs.order_by("finished_at").values_list("pk", flat=True))


def is_issued(part: RunPart) -> bool:
    """Whether what a part of a run did is stated already."""
    return Certificate.objects.for_client(part.client_id).filter(run_id=part.run_id).exists()


@transaction.atomic
def issue(*, run: Run, client: Client, at: datetime) -> None:
    """
    State and sign what a run that is over destroyed at one client; nothing happens where that is done.

    One at a time at a client, so that numbers have no gap. In the scope of a job.
    """
    Client.objects.select_for_update(no_key=True, of=("self",)).get(pk=client.pk)
    mine = Certificate.objects.for_client(client)
    if mine.filter(run=run).exists():
        return
    # A batch whose lease has run out may still write down what it did: before this, or not at all.
    parts = list(RunPart.objects.for_client(client).filter(run=run).select_for_update().order_by("pk"))
    number = (mine.aggregate(last=Max("number"))["last"] or 0) + 1
    copies_gone_on = backups.no_copy_opens_after(at)
    identity = uuid4()
    key = signing.key_id(signing.public_key())
    categories = _categories(parts)
    statement: dict[str, Any] = {
        "certificate": form.NAME,
        "v": form.VERSION,
        "id": str(identity),
        "number": number,
        "agency": {"id": client.agency_id, "name": client.agency.name},
        "client": {
            "id": client.pk,
            "name": client.name,
            "legal_name": client.legal_name,
            "time_zone": client.time_zone,
        },
        "run": _run(run),
        "issued_at": leaves.instant(at),
        "categories": categories,
        "holds": _holds(run, client),
        "open_at_vendors": _open_at_vendors(client),
        "copies_gone_on": copies_gone_on.isoformat(),
        "key": key,
    }
    text = canonical_document(statement).decode()
    row = Certificate.objects.create(
        pk=identity,
        agency_id=client.agency_id,
        client=client,
        run=run,
        number=number,
        statement=text,
        signature=signing.sign(form.to_sign(statement)).hex(),
        key_id=key,
        issued_at=at,
        copies_gone_on=copies_gone_on,
    )
    audit.record(
        "certificate.issued",
        subject=row,
        by=JOB,
        at=at,
        number=number,
        run=str(run.pk),
        rows=sum(row["erased"] for row in categories),
        signature=row.signature,
    )


@transaction.atomic
def issue_own(*, run: Run, at: datetime) -> None:
    """State and sign what a run that is over destroyed of the agency's own rows; nothing where that is done."""
    agency = Agency.objects.select_for_update(no_key=True).get(pk=run.agency_id)
    if HouseCertificate.objects.filter(run=run).exists():
        return
    parts = list(HousePart.objects.filter(run=run).select_for_update().order_by("pk"))
    mine = HouseCertificate.objects.filter(agency=agency)
    number = (mine.aggregate(last=Max("number"))["last"] or 0) + 1
    copies_gone_on = backups.no_copy_opens_after(at)
    identity = uuid4()
    key = signing.key_id(signing.public_key())
    categories = _own_categories(parts)
    statement: dict[str, Any] = {
        "certificate": form.NAME,
        "v": form.VERSION_OWN,
        "id": str(identity),
        "number": number,
        "agency": {"id": agency.pk, "name": agency.name, "time_zone": agency.time_zone},
        "client": None,
        "run": _run(run),
        "issued_at": leaves.instant(at),
        "categories": categories,
        "holds": _said(house.holds_during(run)),
        "open_at_vendors": 0,
        "copies_gone_on": copies_gone_on.isoformat(),
        "key": key,
    }
    row = HouseCertificate.objects.create(
        pk=identity,
        agency=agency,
        run=run,
        number=number,
        statement=canonical_document(statement).decode(),
        signature=signing.sign(form.to_sign(statement)).hex(),
        key_id=key,
        issued_at=at,
        copies_gone_on=copies_gone_on,
    )
    audit.record(
        "certificate.issued",
        subject=row,
        by=JOB,
        at=at,
        number=number,
        run=str(run.pk),
        rows=sum(row["erased"] for row in categories),
        signature=row.signature,
    )


def _own_categories(parts: Sequence[HousePart]) -> list[dict[str, Any]]:
    order = list(targets.HOUSE)
    told = [part for part in parts if part.rows_due or part.rows_erased or part.rows_held or part.failures]
    return [
        {
            "category": part.category,
            "title": Category(part.category).label,
            "days": part.keep_for_days,
            "then": Then.ERASE.value,
            "policy_version": part.policy_version,
            "cutoff": leaves.instant(part.cutoff),
            "state": part.state,
            "due": part.rows_due,
            "held": part.rows_held,
            "erased": part.rows_erased,
            "recordings": 0,
            "callers": 0,
            "bytes": 0,
            "vendor_steps": 0,
            "failures": part.failures,
            "digest": bytes(part.digest).hex(),
        }
        for part in sorted(told, key=lambda part: order.index(Category(part.category)))
    ]


def _open_at_vendors(client: Client) -> int:
    """Recordings that somebody has still to delete at a vendor, of this run and of earlier ones."""
    steps = VendorTask.objects.for_client(client).open().filter(step=VendorStep.DELETE_RECORDING)
    return steps.count() + Errand.objects.for_client(client).count()


def _run(run: Run) -> dict[str, Any]:
    return {
        "id": str(run.pk),
        "cause": run.cause,
        "state": run.state,
        "planned_on": run.planned_on.isoformat(),
        "started_at": leaves.instant(run.created_at),
        "finished_at": None if run.finished_at is None else leaves.instant(run.finished_at),
    }


def _categories(parts: Sequence[RunPart]) -> list[dict[str, Any]]:
    order = list(targets.TARGETS)
    told = [part for part in parts if part.rows_due or part.rows_erased or part.rows_held or part.failures]
    return [
        {
            "category": part.category,
            "title": Category(part.category).label,
            "days": part.keep_for_days,
            "then": part.then,
            "policy_version": part.policy_version,
            "cutoff": leaves.instant(part.cutoff),
            "state": part.state,
            "due": part.rows_due,
            "held": part.rows_held,
            "erased": part.rows_erased,
            "recordings": part.recordings_erased,
            "callers": part.callers_erased,
            "bytes": part.bytes_erased,
            "vendor_steps": part.vendor_steps,
            "failures": part.failures,
            "digest": bytes(part.digest).hex(),
        }
        for part in sorted(told, key=lambda part: order.index(Category(part.category)))
    ]


def _holds(run: Run, client: Client) -> list[dict[str, Any]]:
    """The holds that were open while the run went on."""
    return _said(house.during(Hold.objects.for_client(client), run))


def _said(holds: QuerySet[Hold]) -> list[dict[str, Any]]:
    return [
        {"name": row.name, "matter": row.matter, "placed_at": leaves.instant(row.placed_at)}
        for row in holds.order_by("placed_at", "pk")
    ]


# --- Taking one away ----------------------------------------------------------------------------------------------


class UnknownKeyError(LookupError):
    """The certificate was signed by a key that this installation no longer names among its own."""


@transaction.atomic
def take(
    *, certificate: Certificate | HouseCertificate, agency: Agency, as_pdf: bool, by: Actor, at: datetime
) -> File:
    """
    Write down who takes a certificate, and return it as a file: JSON, or the PDF that carries it.

    :raises UnknownKeyError: its key stands in no setting of the installation any more.
    """
    audit.record(
        "certificate.downloaded",
        subject=certificate,
        by=by,
        at=at,
        number=certificate.number,
        form="pdf" if as_pdf else "json",
    )
    public = signing.public_keys().get(certificate.key_id)
    if public is None:
        raise UnknownKeyError(f"Key {certificate.key_id} is not among those of the installation.")
    statement = json.loads(certificate.statement)
    data = packing.sealed_file(statement, signature=certificate.signature, public=public.hex())
    whose = "own" if statement["client"] is None else statement["client"]["id"]
    name = f"certificate-{agency.slug}-{whose}-{certificate.number}"
    if not as_pdf:
        return File(f"{name}.json", "application/json", data)
    drawn = form.document(
        statement,
        data,
        zone=(statement["client"] or statement["agency"])["time_zone"],
        public=signing.public_key().hex(),
        sign=signing.sign,
    )
    return File(f"{name}.pdf", "application/pdf", drawn)
