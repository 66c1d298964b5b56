"""
Deeds on keys. Every function names the client it works for, runs in its own transaction on the vault, and
hands out keys that are dropped with the caller's scope.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.conf import settings
from django.db import connections, transaction
from psycopg.errors import UniqueViolation

from callprivacy.lib import ids
from callprivacy.vault import selectors
from callprivacy.vault.models import (
    Caller,
    CallTombstone,
    ClientKey,
    RecordingKey,
    Suppression,
    Tombstone,
    Watermark,
)
from callprivacy.vault.sealing import Key, Place, new_key

VAULT = "vault"


class CallerGoneError(LookupError):
    """A caller's keys were destroyed while somebody wanted to write under them."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """
    A caller to be forgotten: with `up_to`, a tombstone remembers the token; without, nothing does.

    With `keep_evidence` the evidence key stays, without the token: what is sealed under it can still be opened by
    whoever finds it through the tombstone, and everything else of the person is noise.
    """

    caller_id: uuid.UUID
    up_to: datetime | None = None
    tombstone_ends_on: date | None = None
    keep_evidence: bool = False


def master_fingerprint() -> str:
    """Return the name of the newest master key: 16 hex digits of its SHA-256, which say nothing about it."""
    return hashlib.sha256(settings.FIELD_ENCRYPTION_KEY[0].encode()).hexdigest()[:16]


def create_client_keys(*, client_id: int, agency_id: int, at: datetime) -> None:
    """Make a client's first key and its token key; nothing happens where they exist."""
    ClientKey.objects.bulk_create(
        [
            ClientKey(
                client_id=client_id,
                agency_id=agency_id,
                generation=1,
                key=new_key().hex(),
                token_key=new_key().hex(),
                master=master_fingerprint(),
                created_at=at,
            )
        ],
        ignore_conflicts=True,
    )


def ensure_callers(*, client_id: int, numbers: Collection[str], at: datetime) -> dict[str, uuid.UUID]:
    """
    Return the caller id of each number (E.164) of one client, making keys for those never seen.

    Commits by itself, before anything in `default` rests on the keys.
    """
    keys = selectors.client_keys(client_id)
    tokens = {keys.tokens.token(number): number for number in numbers}
    found = selectors.ids_of_tokens(client_id, tokens)
    missing = [token for token in tokens if token not in found]
    if missing:
        rows = [_fresh_caller(keys, token, at) for token in missing]
        with transaction.atomic(using=VAULT):
            _hold_generation(keys)
            Caller.objects.bulk_create(rows, ignore_conflicts=True)
        found |= selectors.ids_of_tokens(client_id, missing)
    return {number: found[token] for token, number in tokens.items()}


def _hold_generation(keys: selectors.ClientKeys) -> None:
    """Keep the generation that new rows are wrapped by from being retired before they commit."""
    with connections[VAULT].cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM vault_clientkey WHERE client_id = %s AND generation = %s FOR SHARE",
            [keys.client_id, keys.generation],
        )
        if cursor.fetchone() is None:
            raise selectors.NoClientKeyError(
                f"Generation {keys.generation} of client {keys.client_id} is gone."
            )


def _fresh_caller(keys: selectors.ClientKeys, token: bytes, at: datetime) -> Caller:
    caller_id = uuid.uuid4()
    return Caller(
        id=caller_id,
        client_id=keys.client_id,
        token=token,
        generation=keys.generation,
        content_key=keys.current.seal(new_key(), selectors.content_place(keys.client_id, caller_id)),
        evidence_key=keys.current.seal(new_key(), selectors.evidence_place(keys.client_id, caller_id)),
        created_at=at,
    )


@contextmanager
def hold_callers(*, client_id: int, caller_ids: Collection[uuid.UUID]) -> Iterator[dict[uuid.UUID, Key]]:
    """
    Hold callers' rows FOR SHARE, and give their content keys, until what rests on them has committed.

    Enter it outside the scope that writes, so that the scope commits first; erasure waits for it.

    :raises CallerGoneError: one of them was erased in the meantime; look the numbers up again.
    """
    with transaction.atomic(using=VAULT):
        keys = selectors.client_keys(client_id)
        with connections[VAULT].cursor() as cursor:
            cursor.execute(
                "SELECT id, generation, content_key FROM vault_caller"
                " WHERE client_id = %s AND id = ANY(%s) AND content_key IS NOT NULL ORDER BY id FOR SHARE",
                [client_id, list(caller_ids)],
            )
            opened = {row[0]: selectors.open_content_key(keys, *row) for row in cursor.fetchall()}
        gone = set(caller_ids) - opened.keys()
        if gone:
            raise CallerGoneError(f"{len(gone)} callers are gone.")
        yield opened


@contextmanager
def holding_callers(*, client_id: int, caller_ids: Collection[uuid.UUID]) -> Iterator[None]:
    """
    Hold callers' rows as `hold_callers` does, without opening a key: for who has them from `issue_keys`.

    :raises CallerGoneError: one of them was erased in the meantime; look the numbers up again.
    """
    with transaction.atomic(using=VAULT):
        with connections[VAULT].cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM (SELECT 1 FROM vault_caller WHERE client_id = %s AND id = ANY(%s::uuid[])"
                " AND content_key IS NOT NULL ORDER BY id FOR SHARE) AS held",
                [client_id, "{" + ",".join([caller_id.hex for caller_id in caller_ids]) + "}"],
            )
            held = cursor.fetchone()[0]
        if held != len(caller_ids):
            raise CallerGoneError(f"{len(caller_ids) - held} callers are gone.")
        yield


class Issued:
    """
    Keys of one batch of calls, all of them stored: callers' and recordings'. Dropped with the batch.

    :ivar callers: number -> caller id.
    :ivar fresh: numbers of the callers made just now.
    :ivar recordings: the recordings' keys, in the order asked for.
    """

    __slots__ = ("_keys", "_opened", "_wrapped", "callers", "fresh", "recordings")

    def __init__(self, keys: selectors.ClientKeys) -> None:
        self._keys = keys
        self._opened: dict[str, Key] = {}
        self._wrapped: dict[str, tuple[int, bytes]] = {}
        self.callers: dict[str, uuid.UUID] = {}
        self.fresh: set[str] = set()
        self.recordings: list[Key] = []

    def __repr__(self) -> str:
        return "<Issued>"

    def content_key(self, number: str) -> Key:
        """A caller's content key, unwrapped when first asked for."""
        key = self._opened.get(number)
        if key is None:
            generation, wrapped = self._wrapped[number]
            if generation not in self._keys.generations:
                raise CallerGoneError("The client's key was rotated in the meantime.")
            key = selectors.open_content_key(self._keys, self.callers[number], generation, wrapped)
            self._opened[number] = key
        return key

    def find(self, tokens: Mapping[bytes, str]) -> None:
        """Look up which of these tokens have a caller."""
        with connections[VAULT].cursor() as cursor:
            cursor.execute(
                "SELECT id, token, generation, content_key FROM vault_caller"
                " WHERE client_id = %s AND token = ANY(%s::bytea[]) AND content_key IS NOT NULL",
                [self._keys.client_id, selectors.byte_array(tokens)],
            )
            for caller_id, token, generation, wrapped in cursor.fetchall():
                number = tokens[bytes(token)]
                self.callers[number] = caller_id
                self._wrapped[number] = (generation, wrapped)

    def take(self, number: str, key: Key) -> None:
        """Remember a caller that was stored just now."""
        self.fresh.add(number)
        self._opened[number] = key


def issue_keys(
    *,
    client_id: int,
    numbers: Collection[str],
    recordings: Sequence[tuple[uuid.UUID, str | None]],
    at: datetime,
) -> Issued:
    """
    Make what a batch of calls needs, by COPY: callers never seen, and a key for each recording.

    Commits by itself, before anything in `default` rests on the keys; hold the callers before writing there.
    What nobody uses after all is given back with `destroy_recording_keys`.

    :param recordings: id of a new recording, and its caller's number, one of `numbers`; None when withheld.
    """
    keys = selectors.client_keys(client_id)
    issued = Issued(keys)
    tokens = {keys.tokens.token(number): number for number in numbers}
    with transaction.atomic(using=VAULT):
        if tokens:
            issued.find(tokens)
        missing = {token: number for token, number in tokens.items() if number not in issued.callers}
        if missing or recordings:
            _hold_generation(keys)
        if missing:
            _add_callers(keys, missing, issued, at)
        if recordings:
            _add_recording_keys(keys, recordings, issued, at)
    return issued


def _add_callers(
    keys: selectors.ClientKeys, missing: Mapping[bytes, str], issued: Issued, at: datetime
) -> None:
    """Copy fresh callers in; where somebody else was quicker with one, add the others and look again."""
    made = []
    for (token, number), caller_id in zip(missing.items(), ids.neighbours(len(missing)), strict=True):
        raw = new_key()
        content = keys.current.seal(raw, selectors.content_place(keys.client_id, caller_id))
        evidence = keys.current.seal(new_key(), selectors.evidence_place(keys.client_id, caller_id))
        made.append((caller_id, token, content, evidence, number, raw))
    try:
        with transaction.atomic(using=VAULT):
            _copy_in(
                "COPY vault_caller"
                " (id, client_id, token, generation, content_key, evidence_key, created_at) FROM STDIN",
                (
                    f"{caller_id.hex}\t{keys.client_id}\t\\\\x{token.hex()}\t{keys.generation}"
                    f"\t\\\\x{content.hex()}\t\\\\x{evidence.hex()}\t{at.isoformat()}\n"
                    for caller_id, token, content, evidence, _, _ in made
                ),
            )
    except UniqueViolation:
        Caller.objects.bulk_create(
            (
                Caller(
                    id=caller_id,
                    client_id=keys.client_id,
                    token=token,
                    generation=keys.generation,
                    content_key=content,
                    evidence_key=evidence,
                    created_at=at,
                )
                for caller_id, token, content, evidence, _, _ in made
            ),
            ignore_conflicts=True,
        )
        issued.find(missing)
    for caller_id, _, _, _, number, raw in made:
        if issued.callers.setdefault(number, caller_id) == caller_id:
            issued.take(number, Key(raw))


def _add_recording_keys(
    keys: selectors.ClientKeys,
    recordings: Sequence[tuple[uuid.UUID, str | None]],
    issued: Issued,
    at: datetime,
) -> None:
    lines = []
    client_id, tail = keys.client_id, f"\t{at.isoformat()}\n"
    for recording_id, number in recordings:
        raw = new_key()
        wrapping, caller = keys.current, "\\N"
        if number is not None:
            wrapping, caller = issued.content_key(number), issued.callers[number].hex
        wrapped = wrapping.seal(raw, selectors.recording_place(client_id, recording_id))
        issued.recordings.append(Key(raw))
        lines.append(
            f"{recording_id.hex}\t{client_id}\t{caller}\t{keys.generation}\t\\\\x{wrapped.hex()}{tail}"
        )
    _copy_in(
        "COPY vault_recordingkey (id, client_id, caller_id, generation, wrapped, created_at) FROM STDIN",
        lines,
    )


def _copy_in(statement: str, lines: Iterable[str]) -> None:
    with connections[VAULT].cursor() as cursor, cursor.copy(statement) as copy:
        copy.write("".join(lines))


def create_recording_keys(
    *,
    client_id: int,
    recordings: Sequence[tuple[uuid.UUID, uuid.UUID | None]],
    callers: Mapping[uuid.UUID, Key],
    at: datetime,
) -> dict[uuid.UUID, Key]:
    """
    Make a key for each (recording id, caller id or None) and return them; an existing one is kept.

    :param callers: the held callers' content keys, from `hold_callers`.
    """
    keys = selectors.client_keys(client_id)
    fresh: dict[uuid.UUID, bytes] = {}
    rows = []
    for recording_id, caller_id in recordings:
        raw = new_key()
        wrapping = keys.current if caller_id is None else callers[caller_id]
        fresh[recording_id] = raw
        rows.append(
            RecordingKey(
                id=recording_id,
                client_id=client_id,
                caller_id=caller_id,
                generation=keys.generation,
                wrapped=wrapping.seal(raw, selectors.recording_place(client_id, recording_id)),
                created_at=at,
            )
        )
    with transaction.atomic(using=VAULT):
        _hold_generation(keys)
        RecordingKey.objects.bulk_create(rows, ignore_conflicts=True)
    stored = dict(
        RecordingKey.objects.filter(client_id=client_id, id__in=list(fresh)).values_list("id", "wrapped")
    )
    made = {row.id: bytes(row.wrapped) for row in rows}
    if any(bytes(stored[key]) != made[key] for key in stored):
        return selectors.recording_keys(client_id, list(fresh), callers=callers)
    return {recording_id: Key(raw) for recording_id, raw in fresh.items()}


def purpose_key(
    *, client_id: int, purpose: str, at: datetime, keys: selectors.ClientKeys | None = None
) -> Key:
    """
    Return a client's one key for a purpose ("inbox", "errand", "file"), made when first needed.

    The client's key wraps it, so that a rotation re-wraps it and nothing sealed under it is rewritten.

    :param keys: the client's keys, where they are open already.
    """
    key_id = selectors.purpose_id(client_id, purpose)
    found = selectors.uncalled_key(keys or selectors.client_keys(client_id), key_id)
    if found is not None:
        return found
    return create_recording_keys(client_id=client_id, recordings=[(key_id, None)], callers={}, at=at)[key_id]


def day_key(*, client_id: int, purpose: str, at: datetime, keys: selectors.ClientKeys | None = None) -> Key:
    """
    Return a client's key of a purpose for the UTC day of `at`, made when first needed.

    For what lives a few days: with the day's key every copy of it goes, also those in old backups.
    """
    return purpose_key(
        client_id=client_id, purpose=selectors.of_day(purpose, at.astimezone(UTC).date()), at=at, keys=keys
    )


def destroy_purpose_key(*, client_id: int, purpose: str) -> bool:
    """Destroy a client's key for a purpose ("inbox/2026-11-24"); returns whether there was one."""
    key_id = selectors.purpose_id(client_id, purpose)
    return bool(RecordingKey.objects.filter(client_id=client_id, id=key_id, caller_id=None).delete()[0])


def destroy_recording_keys(*, client_id: int, recording_ids: Collection[uuid.UUID]) -> int:
    """Destroy recordings' keys; what they sealed is noise from now on, in every copy. Returns how many."""
    return RecordingKey.objects.filter(client_id=client_id, id__in=list(recording_ids)).delete()[0]


@contextmanager
def erasing_callers(*, client_id: int, caller_ids: Collection[uuid.UUID]) -> Iterator[None]:
    """
    Hold callers' rows FOR UPDATE while their owner decides which are erased, and until that has committed.

    Waits for writers that hold a row; a writer that comes later waits, finds it gone and makes a fresh one.
    """
    with transaction.atomic(using=VAULT):
        list(
            Caller.objects.select_for_update()
            .filter(client_id=client_id, id__in=list(caller_ids))
            .order_by("id")
            .values_list("id", flat=True)
        )
        yield


def erase_callers(*, client_id: int, erasures: Collection[Erasure], at: datetime) -> int:
    """
    Destroy callers' keys in one transaction; those with an end date leave a tombstone in the same one.

    Waits for writers that hold a row. Repeating it changes nothing. Returns how many rows were destroyed.
    """
    wanted = {erasure.caller_id: erasure for erasure in erasures}
    with transaction.atomic(using=VAULT):
        rows = list(
            Caller.objects.select_for_update().filter(client_id=client_id, id__in=list(wanted)).order_by("id")
        )
        Tombstone.objects.bulk_create(
            Tombstone(
                client_id=client_id,
                token=bytes(row.token),
                erased_caller_id=row.id,
                erased_up_to=erasure.up_to,
                ends_on=erasure.tombstone_ends_on,
                created_at=at,
            )
            for row in rows
            if row.token is not None
            and (erasure := wanted[row.id]).up_to is not None
            and erasure.tombstone_ends_on is not None
        )
        RecordingKey.objects.filter(client_id=client_id, caller_id__in=list(wanted)).delete()
        staying = [row.id for row in rows if wanted[row.id].keep_evidence]
        kept = Caller.objects.filter(client_id=client_id, id__in=staying, content_key__isnull=False).update(
            token=None, content_key=None
        )
        gone = [row.id for row in rows if not wanted[row.id].keep_evidence]
        return kept + Caller.objects.filter(client_id=client_id, id__in=gone).delete()[0]


def destroy_evidence(*, client_id: int, caller_ids: Collection[uuid.UUID]) -> int:
    """
    Destroy the evidence keys of erased callers whose evidence has come to its own date; returns how many.

    Callers that are still here keep theirs: it goes with them.
    """
    rows = Caller.objects.filter(client_id=client_id, id__in=list(caller_ids), content_key__isnull=True)
    return rows.delete()[0]


# --- Numbers that said no -----------------------------------------------------------------------------------------


def suppress(
    *,
    client_id: int,
    numbers: Collection[str],
    purposes: Collection[str],
    at: datetime,
    ends_on: date | None = None,
) -> int:
    """
    Remember that numbers (E.164) said no to a client for some purposes; returns how many pairs are new.

    It outlives the erasure of the person. Saying it again moves both dates out, never in.

    :param at: when they said it.
    """
    keys = selectors.client_keys(client_id)
    tokens = [keys.tokens.token(number) for number in numbers]
    return _suppress_tokens(client_id=client_id, tokens=tokens, purposes=purposes, at=at, ends_on=ends_on)


def suppress_callers(
    *,
    client_id: int,
    caller_ids: Collection[uuid.UUID],
    purposes: Collection[str],
    at: datetime,
    ends_on: date | None = None,
) -> int:
    """Remember the same of callers, without their numbers being opened; erased ones have no token any more."""
    rows = Caller.objects.filter(client_id=client_id, id__in=list(caller_ids), token__isnull=False)
    tokens = [bytes(token) for token in rows.values_list("token", flat=True) if token is not None]
    return _suppress_tokens(client_id=client_id, tokens=tokens, purposes=purposes, at=at, ends_on=ends_on)


def _suppress_tokens(
    *,
    client_id: int,
    tokens: Collection[bytes],
    purposes: Collection[str],
    at: datetime,
    ends_on: date | None,
) -> int:
    pairs = sorted((token, purpose) for token in set(tokens) for purpose in set(purposes))
    if not pairs:
        return 0
    with transaction.atomic(using=VAULT), connections[VAULT].cursor() as cursor:
        cursor.execute(
            "INSERT INTO vault_suppression (client_id, token, purpose, since, ends_on)"
            " SELECT %s, token, purpose, %s, %s FROM unnest(%s::bytea[], %s::text[]) AS said (token, purpose)"
            " ON CONFLICT (client_id, token, purpose) DO UPDATE SET"
            " since = greatest(vault_suppression.since, excluded.since), ends_on ="
            " CASE WHEN vault_suppression.ends_on IS NULL OR excluded.ends_on IS NULL THEN NULL"
            " ELSE greatest(vault_suppression.ends_on, excluded.ends_on) END"
            " RETURNING xmax = 0",
            [
                client_id,
                at,
                ends_on,
                selectors.byte_array([token for token, _ in pairs]),
                [purpose for _, purpose in pairs],
            ],
        )
        return sum(fresh for (fresh,) in cursor.fetchall())


def lift_suppressions(*, client_id: int, caller_id: uuid.UUID, purposes: Collection[str]) -> int:
    """Forget that a caller said no for these purposes, because the person said yes again; returns how many."""
    token = Caller.objects.filter(client_id=client_id, id=caller_id).values_list("token", flat=True).first()
    if token is None:
        return 0
    rows = Suppression.objects.filter(client_id=client_id, token=bytes(token), purpose__in=list(purposes))
    return rows.delete()[0]


def end_suppressions(*, client_id: int, on: date) -> int:
    """Remove a client's suppressions whose end date has come; returns how many."""
    return Suppression.objects.filter(client_id=client_id, ends_on__lte=on).delete()[0]


def list_numbers(*, holder_id: int, list_id: uuid.UUID, numbers: Mapping[str, date | None]) -> int:
    """
    Put numbers (E.164) on a register, each with the day that stands there, if any; returns how many are new on it.

    Of two days for one number the later stays. Repeating it changes nothing.

    :param holder_id: whose token key it is: minus the agency's id.
    """
    if not numbers:
        return 0
    tokens = selectors.client_keys(holder_id).tokens
    rows = sorted((tokens.token(number), day) for number, day in numbers.items())
    with transaction.atomic(using=VAULT), connections[VAULT].cursor() as cursor:
        cursor.execute(
            'INSERT INTO vault_listednumber (list_id, token, "on")'
            " SELECT %s, token, day FROM unnest(%s::bytea[], %s::date[]) AS listed (token, day)"
            ' ON CONFLICT (list_id, token) DO UPDATE SET "on" = excluded."on"'
            ' WHERE vault_listednumber."on" < excluded."on" RETURNING xmax = 0',
            [
                list_id,
                selectors.byte_array([token for token, _ in rows]),
                [day for _, day in rows],
            ],
        )
        return sum(fresh for (fresh,) in cursor.fetchall())


def unlist_numbers(*, list_id: uuid.UUID, limit: int) -> int:
    """Remove up to `limit` numbers of a register that no longer counts; returns how many. Repeat until it is 0."""
    with transaction.atomic(using=VAULT), connections[VAULT].cursor() as cursor:
        cursor.execute(
            "DELETE FROM vault_listednumber WHERE id IN"
            " (SELECT id FROM vault_listednumber WHERE list_id = %s LIMIT %s)",
            [list_id, limit],
        )
        removed: int = cursor.rowcount
    return removed


def entomb_calls(*, client_id: int, digests: Collection[bytes], ends_on: date, at: datetime) -> None:
    """Remember the references of calls erased singly, so that no replay brings them back."""
    CallTombstone.objects.bulk_create(
        [
            CallTombstone(client_id=client_id, digest=digest, ends_on=ends_on, created_at=at)
            for digest in digests
        ],
        ignore_conflicts=True,
    )


def expire_tombstones(*, client_id: int, on: date) -> int:
    """Remove a client's tombstones whose end date has come; returns how many."""
    ended = [
        model._default_manager.filter(client_id=client_id, ends_on__lte=on).delete()[0]
        for model in (Tombstone, CallTombstone)
    ]
    return sum(ended)


def advance_watermark(*, client_id: int, category: str, before: datetime) -> datetime:
    """Move a client's watermark forward to `before`, never back, and return where it stands."""
    with connections[VAULT].cursor() as cursor:
        cursor.execute(
            "INSERT INTO vault_watermark (client_id, category, before) VALUES (%s, %s, %s)"
            " ON CONFLICT (client_id, category) DO UPDATE"
            " SET before = GREATEST(vault_watermark.before, EXCLUDED.before) RETURNING before",
            [client_id, category, before],
        )
        stands: datetime = cursor.fetchone()[0]
    return stands


def rewrap_master(*, limit: int) -> int:
    """
    Re-encrypt up to `limit` client keys under the newest master key; returns how many were not there yet.

    Repeat until it returns 0; then the old master key opens nothing any more.
    """
    newest = master_fingerprint()
    with transaction.atomic(using=VAULT):
        rows = list(
            ClientKey.objects.select_for_update(skip_locked=True)
            .exclude(master=newest)
            .order_by("id")[:limit]
        )
        for row in rows:
            row.master = newest
            row.save(update_fields=["key", "token_key", "master"])
    return len(rows)


def start_generation(*, client_id: int, at: datetime) -> int:
    """Give a client a new key beside the old one; new callers are wrapped by it. Returns its number."""
    with transaction.atomic(using=VAULT):
        newest = ClientKey.objects.select_for_update().filter(client_id=client_id).order_by("-generation")[0]
        if selectors.behind_generation(client_id, newest.generation):
            return newest.generation
        row = ClientKey.objects.create(
            client_id=client_id,
            agency_id=newest.agency_id,
            generation=newest.generation + 1,
            key=new_key().hex(),
            token_key=newest.token_key,
            master=master_fingerprint(),
            created_at=at,
        )
    return row.generation


def rewrap_client(*, client_id: int, limit: int) -> int:
    """
    Re-wrap up to `limit` keys of a client under its newest generation; returns how many were re-wrapped.

    Rows that a writer holds are skipped and met again. When nothing is left the old keys are destroyed.
    """
    keys = selectors.client_keys(client_id)
    with transaction.atomic(using=VAULT):
        callers = list(
            Caller.objects.select_for_update(skip_locked=True)
            .filter(client_id=client_id, generation__lt=keys.generation)
            .order_by("id")[:limit]
        )
        for row in callers:
            old = keys.generations[row.generation]
            for column in ("content_key", "evidence_key"):
                wrapped = getattr(row, column)
                if wrapped is not None:
                    place = Place(client_id, "vault_caller", column, row.id)
                    setattr(
                        row,
                        column,
                        keys.current.seal(old.unseal(bytes(wrapped), place), place),
                    )
            row.generation = keys.generation
        Caller.objects.bulk_update(callers, ["content_key", "evidence_key", "generation"], batch_size=500)
        uncalled = list(
            RecordingKey.objects.select_for_update(skip_locked=True)
            .filter(client_id=client_id, caller_id=None, generation__lt=keys.generation)
            .order_by("id")[: max(limit - len(callers), 0)]
        )
        for recording in uncalled:
            place = selectors.recording_place(client_id, recording.id)
            raw = keys.generations[recording.generation].unseal(bytes(recording.wrapped), place)
            recording.wrapped = keys.current.seal(raw, place)
            recording.generation = keys.generation
        RecordingKey.objects.bulk_update(uncalled, ["wrapped", "generation"], batch_size=500)
    return len(callers) + len(uncalled)


def retire_generations(*, client_id: int) -> int:
    """Destroy a client's old keys once they wrap nothing; returns how many were destroyed."""
    with transaction.atomic(using=VAULT):
        newest = list(
            ClientKey.objects.select_for_update().filter(client_id=client_id).order_by("generation")
        )[-1]
        if selectors.behind_generation(client_id, newest.generation):
            return 0
        old = ClientKey.objects.filter(client_id=client_id, generation__lt=newest.generation)
        return old.delete()[0]


def destroy_client(*, client_id: int) -> None:
    """Destroy every key of a client: whatever it sealed anywhere is noise from now on."""
    with transaction.atomic(using=VAULT):
        for model in (
            RecordingKey,
            Caller,
            Tombstone,
            CallTombstone,
            Watermark,
            Suppression,
            ClientKey,
        ):
            model._default_manager.filter(client_id=client_id).delete()
