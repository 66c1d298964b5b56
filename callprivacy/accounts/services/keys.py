"""
Changing keys while everybody works: each step is a small transaction, and a run that was killed is taken up again
by the next.
"""

import time
from collections.abc import Callable
from datetime import datetime

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.db import transaction
from django.db.models import TextField
from django.db.models.functions import Cast

from callprivacy.audit import services as audit
from callprivacy.lib.scope import Actor
from callprivacy.tenancy import selectors as tenancy
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_keys
from callprivacy.vault import services as vault
from callprivacy.vault.fields import StrictEncryptedField, close_secret, is_behind, open_secret

BATCH = 500
CLIENT_BATCH = 5000
TOKEN_BATCH = 2000
_PAUSE = 0.2
_LONGEST_PAUSES = 300

type Step = Callable[[int], None]


class UnknownClientError(LookupError):
    """No client, or more than one, goes by this name."""


class NoNewerKeyError(RuntimeError):
    """There is one master key: nothing can be brought under a newer one."""

    def __init__(self) -> None:
        super().__init__(
            "There is no newer key: put a new one in front of FIELD_ENCRYPTION_KEY, restart, run this again, and do "
            "what it says before the old one is taken out."
        )


class RotationStuckError(RuntimeError):
    """Something holds rows of a client for too long; the same command goes on where it stopped."""


def find_client(name: str) -> Client:
    """
    Return the client called `client` or `agency/client` by slug, with its agency.

    :raises UnknownClientError: there is none, or the first form names several.
    """
    agency_slug, _, client_slug = name.rpartition("/")
    found = []
    for agency_id in tenancy.agency_ids():
        with job_scope(agency_id=agency_id):
            rows = Client.objects.filter(agency_id=agency_id, slug=client_slug).select_related("agency")
            found += [row for row in rows if agency_slug in {"", row.agency.slug}]
    if not found:
        raise UnknownClientError(f"There is no client {name}.")
    if len(found) > 1:
        names = ", ".join(sorted(f"{client.agency.slug}/{client.slug}" for client in found))
        raise UnknownClientError(f"Several agencies have a client {name}. Write one of {names}.")
    return found[0]


def rotate_master(*, at: datetime, step: Step) -> int:
    """
    Bring everything under the newest master key; then nothing here needs older ones. Returns how many rows moved.

    Where none did, nothing has changed and nothing is written down.

    :raises NoNewerKeyError: there is one master key alone.
    """
    if not vault.has_older_masters():
        raise NoNewerKeyError
    moved = 0
    while vault_keys.clients_behind_master(vault.master_fingerprint()):
        count = vault.rewrap_master(limit=BATCH)
        moved += count
        step(count)
        if not count:
            time.sleep(_PAUSE)
    for agency_id in tenancy.agency_ids():
        count = _rewrap_small_secrets(agency_id, at=at)
        moved += count
        step(count)
    count = _rewrap_second_factors()
    moved += count
    step(count)
    if moved:
        audit.record_house("keys.master_rotated", at=at, rows=moved)
    return moved


def _rewrap_small_secrets(agency_id: int, *, at: datetime) -> int:
    """Seal an agency's small secrets again that an older key has sealed, connections' for one, whoever keeps them."""
    moved = 0
    with job_scope(agency_id=agency_id):
        for model in apps.get_models():
            names = [field.name for field in model._meta.fields if isinstance(field, StrictEncryptedField)]
            if not names or model._meta.app_label == "vault":
                continue
            rows = model._default_manager.filter(agency_id=agency_id).select_for_update().order_by("pk")
            for row in rows.annotate(**{f"sealed_{name}": Cast(name, TextField()) for name in names}):
                behind = [name for name in names if is_behind(getattr(row, f"sealed_{name}"))]
                if behind:
                    row.save(update_fields=behind)
                    moved += 1
    return moved


@transaction.atomic
def _rewrap_second_factors() -> int:
    """Seal the seeds of people's second factors again; passkeys keep no secret here."""
    moved = 0
    kinds = (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES)
    for row in Authenticator.objects.filter(type__in=kinds).select_for_update().order_by("pk"):
        behind = [name for name in ("secret", "seed") if is_behind(row.data.get(name))]
        if behind:
            row.data |= {name: close_secret(open_secret(row.data[name])) for name in behind}
            row.save(update_fields=["data"])
            moved += len(behind)
    return moved


def count_client_rows(client: Client) -> int:
    """How many keys a rotation of this client has to wrap again."""
    return vault_keys.count_wrapped(client.pk)


def _require_here(client: Client) -> None:
    """Its keys go with a client that leaves, step by step: none is made anew meanwhile, or behind it."""
    with job_scope(agency_id=client.agency_id):
        tenancy.require_here(client.pk)


def _paused(client: Client, pauses: int) -> int:
    if pauses >= _LONGEST_PAUSES:
        raise RotationStuckError(f"Rows of {client.slug} are held. Run the same command again; it goes on.")
    time.sleep(_PAUSE)
    return pauses + 1


def rotate_client(*, client: Client, at: datetime, step: Step) -> int:
    """
    Give a client a new key, wrap everything of it again, and destroy the old one. Returns how many keys moved.

    :raises RotationStuckError: rows stayed held for a minute. :raises ClientLeftError: it has left.
    :raises NoClientKeyError: it has no key.
    """
    _require_here(client)
    generation = vault.start_generation(client_id=client.pk, at=at)
    moved = pauses = 0
    while vault_keys.client_keys(client.pk).generations.keys() != {generation}:
        for count in vault.rewrap_client_whole(client_id=client.pk, limit=CLIENT_BATCH):
            moved += count
            step(count)
            if not count:
                pauses = _paused(client, pauses)
        vault.retire_generations(client_id=client.pk)
        pauses = _paused(client, pauses) if vault_keys.behind_generation(client.pk, generation) else pauses
    with job_scope(agency_id=client.agency_id), transaction.atomic():
        audit.record(
            "keys.rotated",
            by=Actor.job("rotate_keys"),
            at=at,
            subject=client,
            generation=generation,
            keys=moved,
        )
    return moved


def rotate_tokens(*, client: Client, at: datetime, step: Step) -> int:
    """
    Give the tokens of a client's numbers another key, while every number is found. Returns how many tokens moved.

    :raises RotationStuckError: rows stayed held for a minute. :raises ClientLeftError: it has left.
    :raises NoClientKeyError: it has no key.
    """
    _require_here(client)
    newest = vault.start_token_key(client_id=client.pk, at=at)
    moved = pauses = 0
    while True:
        for count in vault.retoken_client(client_id=client.pk, limit=TOKEN_BATCH):
            moved += count
            step(count)
            if not count:
                pauses = _paused(client, pauses)
        if vault.settle_tokens(client_id=client.pk):
            break
        pauses = _paused(client, pauses)
    with job_scope(agency_id=client.agency_id), transaction.atomic():
        audit.record(
            "token_key.rotated",
            by=Actor.job("rotate_keys"),
            at=at,
            subject=client,
            form=newest,
            rows=moved,
        )
    return moved
