"""
Deeds on keys. Every function names the client it works for, runs in its own transaction on the vault, and
hands out keys that are dropped with the caller's scope.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

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
from callprivacy.vault.sealing import Key, Place, TokenKey, new_key

VAULT = "vault"


class CallerGoneError(LookupError):
    """A caller's keys were destroyed while somebody wanted to write under them."""


class _StaleKeysError(LookupError):
    """A rotation went on after keys were read; read them again."""


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
                token_made_at=at,
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
    return _with_keys(client_id, lambda keys: _ensure(keys, numbers, at))


def _ensure(keys: selectors.ClientKeys, numbers: Collection[str], at: datetime) -> dict[str, uuid.UUID]:
    found = selectors.ids_of_numbers(keys, numbers)
    missing = {keys.tokens.token(number): number for number in numbers if number not in found}
    if missing:
        # In the order of tokens, as everybody adds callers: two who add the same ones wait for each other one way.
        rows = [_fresh_caller(keys, token, at) for token in sorted(missing)]
        with transaction.atomic(using=VAULT):
            _hold_keys(keys)
            _bring_noes_along(keys, missing.values())
            Caller.objects.bulk_create(rows, ignore_conflicts=True)
        found |= selectors.ids_of_numbers(keys, list(missing.values()))
    return {number: found[number] for number in numbers}


def _with_keys[T](
    client_id: int, write: Callable[[selectors.ClientKeys], T], keys: selectors.ClientKeys | None = None
) -> T:
    """
    Write something under a client's keys; once more where a rotation went on after they were read.

    :param keys: the client's keys, where they are open already.
    """
    while True:
        try:
            return write(keys or selectors.client_keys(client_id))
        except _StaleKeysError:
            keys = None


def _hold_keys(keys: selectors.ClientKeys) -> None:
    """
    Keep the generation that new rows are wrapped by from being retired, and a token key from being added, before they
    commit.

    :raises _StaleKeysError: one of the two has happened.
    """
    with connections[VAULT].cursor() as cursor:
        cursor.execute(
            "SELECT token_generation FROM vault_clientkey WHERE client_id = %s AND generation = %s FOR SHARE",
            [keys.client_id, keys.generation],
        )
        row = cursor.fetchone()
    if row is None or row[0] != keys.tokens.newest:
        raise _StaleKeysError(f"Keys of client {keys.client_id} went on.")


def _fresh_caller(keys: selectors.ClientKeys, token: bytes, at: datetime) -> Caller:
    caller_id = uuid.uuid4()
    return Caller(
        id=caller_id,
        client_id=keys.client_id,
        token=token,
        token_generation=keys.tokens.newest,
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
            # It only holds: nothing here has to be on the disk before somebody else goes on.
            cursor.execute(
                "SELECT count(*), set_config('synchronous_commit', 'off', true)"
                " FROM (SELECT 1 FROM vault_caller WHERE client_id = %s AND id = ANY(%s::uuid[])"
                " AND content_key IS NOT NULL ORDER BY id FOR SHARE) AS held",
                [client_id, _uuid_array(caller_ids)],
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

    def find(self, numbers: Collection[str]) -> None:
        """Look up which of these numbers have a caller."""
        tokens = {form: number for number in numbers for form in self._keys.tokens.forms(number)}
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
    keys: selectors.ClientKeys | None = None,
) -> Issued:
    """
    Make what a batch of calls needs, by COPY: callers never seen, and a key for each recording.

    Commits by itself, before anything in `default` rests on the keys; hold the callers before writing there.
    What nobody uses after all is given back with `destroy_recording_keys`.

    :param recordings: id of a new recording, and its caller's number, one of `numbers`; None when withheld.
    :param keys: the client's keys, where they are open already.
    """
    return _with_keys(client_id, lambda found: _issue(found, numbers, recordings, at), keys)


def _issue(
    keys: selectors.ClientKeys,
    numbers: Collection[str],
    recordings: Sequence[tuple[uuid.UUID, str | None]],
    at: datetime,
) -> Issued:
    issued = Issued(keys)
    with transaction.atomic(using=VAULT):
        if numbers:
            issued.find(numbers)
        missing = dict(
            sorted((keys.tokens.token(number), number) for number in numbers if number not in issued.callers)
        )
        if missing or recordings:
            _hold_keys(keys)
        if missing:
            _bring_noes_along(keys, missing.values())
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
                " (id, client_id, token, token_generation, generation, content_key, evidence_key, created_at)"
                " FROM STDIN",
                (
                    f"{caller_id.hex}\t{keys.client_id}\t\\\\x{token.hex()}\t{keys.tokens.newest}\t{keys.generation}"
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
                    token_generation=keys.tokens.newest,
                    generation=keys.generation,
                    content_key=content,
                    evidence_key=evidence,
                    created_at=at,
                )
                for caller_id, token, content, evidence, _, _ in made
            ),
            ignore_conflicts=True,
        )
        issued.find(missing.values())
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
    return _with_keys(client_id, lambda keys: _create_recording_keys(keys, recordings, callers, at))


def _create_recording_keys(
    keys: selectors.ClientKeys,
    recordings: Sequence[tuple[uuid.UUID, uuid.UUID | None]],
    callers: Mapping[uuid.UUID, Key],
    at: datetime,
) -> dict[uuid.UUID, Key]:
    fresh: dict[uuid.UUID, bytes] = {}
    rows = []
    for recording_id, caller_id in recordings:
        raw = new_key()
        wrapping = keys.current if caller_id is None else callers[caller_id]
        fresh[recording_id] = raw
        rows.append(
            RecordingKey(
                id=recording_id,
                client_id=keys.client_id,
                caller_id=caller_id,
                generation=keys.generation,
                wrapped=wrapping.seal(raw, selectors.recording_place(keys.client_id, recording_id)),
                created_at=at,
            )
        )
    rows.sort(key=lambda row: row.id)
    with transaction.atomic(using=VAULT):
        _hold_keys(keys)
        RecordingKey.objects.bulk_create(rows, ignore_conflicts=True)
    stored = dict(
        RecordingKey.objects.filter(client_id=keys.client_id, id__in=list(fresh)).values_list("id", "wrapped")
    )
    made = {row.id: bytes(row.wrapped) for row in rows}
    if any(bytes(stored[key]) != made[key] for key in stored):
        return selectors.recording_keys(keys.client_id, list(fresh), callers=callers)
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


def purpose_token_key(*, client_id: int, purpose: str, at: datetime) -> TokenKey:
    """
    Return a client's one key of a purpose that makes tokens and seals nothing ("recipient/..."), made when first
    needed.
    """
    found = selectors.token_key_of_purpose(client_id, purpose)
    if found is None:
        purpose_key(client_id=client_id, purpose=purpose, at=at)
        found = selectors.token_key_of_purpose(client_id, purpose)
    if found is None:
        raise LookupError("The key was destroyed as soon as it was made.")
    return found


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


def erase_callers(
    *, client_id: int, erasures: Collection[Erasure], at: datetime, with_recordings: bool = True
) -> int:
    """
    Destroy callers' keys in one transaction; those with an end date leave a tombstone in the same one.

    Waits for writers that hold a row. Repeating it changes nothing. Returns how many rows were destroyed.

    :param with_recordings: remove the keys of their recordings, too; not needed where these have been destroyed one by
        one. Nothing opens them anyhow, and the sweep removes what is left.
    """
    wanted = {erasure.caller_id: erasure for erasure in erasures}
    with transaction.atomic(using=VAULT):
        rows = list(
            Caller.objects.select_for_update().filter(client_id=client_id, id__in=list(wanted)).order_by("id")
        )
        _remember(client_id, [(row, wanted[row.id]) for row in rows], at)
        if with_recordings:
            RecordingKey.objects.filter(client_id=client_id, caller_id__in=list(wanted)).delete()
        staying = [row.id for row in rows if wanted[row.id].keep_evidence]
        kept = Caller.objects.filter(client_id=client_id, id__in=staying, content_key__isnull=False).update(
            token=None, content_key=None
        )
        gone = [row.id for row in rows if not wanted[row.id].keep_evidence]
        return kept + Caller.objects.filter(client_id=client_id, id__in=gone).delete()[0]


def _remember(client_id: int, erased: Sequence[tuple[Caller, Erasure]], at: datetime) -> None:
    """Leave tombstones of callers, whose rows are held, where an end date says so."""
    tombs = [
        Tombstone(
            client_id=client_id,
            token=bytes(row.token),
            token_generation=row.token_generation,
            erased_caller_id=row.id,
            erased_up_to=erasure.up_to,
            ends_on=erasure.tombstone_ends_on,
            created_at=at,
        )
        for row, erasure in erased
        if row.token is not None and erasure.up_to is not None and erasure.tombstone_ends_on is not None
    ]
    Tombstone.objects.bulk_create(tombs)


def destroy_evidence(*, client_id: int, caller_ids: Collection[uuid.UUID]) -> int:
    """
    Destroy the evidence keys of erased callers whose evidence has come to its own date; returns how many.

    Callers that are still here keep theirs: it goes with them.
    """
    rows = Caller.objects.filter(client_id=client_id, id__in=list(caller_ids), content_key__isnull=True)
    return rows.delete()[0]


def renew_evidence(*, client_id: int, caller_ids: Collection[uuid.UUID]) -> int:
    """
    Give callers who are here a fresh evidence key: what was sealed under the old one opens no more, in no copy.

    For callers under whose key nothing that stays is sealed; hold them meanwhile (`erasing_callers`). Returns how many.
    """
    with transaction.atomic(using=VAULT):
        keys = selectors.client_keys(client_id)
        rows = list(
            Caller.objects.select_for_update()
            .filter(client_id=client_id, id__in=list(caller_ids), content_key__isnull=False)
            .order_by("id")
        )
        for row in rows:
            # Both keys of a caller are wrapped by one generation.
            wrapping = selectors.generation_key(keys, row.generation)
            row.evidence_key = wrapping.seal(new_key(), selectors.evidence_place(client_id, row.id))
        Caller.objects.bulk_update(rows, ["evidence_key"], batch_size=500)
    return len(rows)


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
    if not numbers or not purposes:
        return 0

    def write(keys: selectors.ClientKeys) -> int:
        with transaction.atomic(using=VAULT):
            _hold_keys(keys)
            tokens = _tokens_for_noes(keys, numbers)
            return _suppress_tokens(keys.client_id, tokens, purposes, at=at, ends_on=ends_on)

    return _with_keys(client_id, write)


def suppress_callers(
    *,
    client_id: int,
    caller_ids: Collection[uuid.UUID],
    purposes: Collection[str],
    at: datetime,
    ends_on: date | None = None,
) -> int:
    """Remember the same of callers, without their numbers being opened; erased ones have no token any more."""
    with transaction.atomic(using=VAULT):
        tokens = {token: form for _, token, form in _held_tokens(client_id, caller_ids)}
        return _suppress_tokens(client_id, tokens, purposes, at=at, ends_on=ends_on)


def _held_tokens(client_id: int, caller_ids: Collection[uuid.UUID]) -> list[tuple[uuid.UUID, bytes, int]]:
    """Callers' ids, tokens and their forms, which stay as they are until the transaction is over."""
    with connections[VAULT].cursor() as cursor:
        cursor.execute(
            "SELECT id, token, token_generation FROM vault_caller WHERE client_id = %s AND id = ANY(%s::uuid[])"
            " AND token IS NOT NULL ORDER BY id FOR KEY SHARE",
            [client_id, _uuid_array(caller_ids)],
        )
        return [(caller_id, bytes(token), form) for caller_id, token, form in cursor.fetchall()]


def _tokens_for_noes(keys: selectors.ClientKeys, numbers: Collection[str]) -> dict[bytes, int]:
    """
    Token -> its form, in which a no of each number has to stand: the form of its caller, who is held until then; the
    newest where there is none, and noes in an older one are brought there.
    """
    if not keys.tokens.is_changing:
        return {keys.tokens.token(number): keys.tokens.newest for number in numbers}
    found: dict[bytes, int] = {}
    older = {form: number for number in numbers for form in keys.tokens.forms(number)[1:]}
    with connections[VAULT].cursor() as cursor:
        cursor.execute(
            "SELECT token, token_generation FROM vault_caller WHERE client_id = %s AND token = ANY(%s::bytea[])"
            " ORDER BY id FOR KEY SHARE",
            [keys.client_id, selectors.byte_array(older)],
        )
        found = {bytes(token): form for token, form in cursor.fetchall()}
    moved = set(numbers) - {older[token] for token in found}
    _bring_noes_along(keys, moved)
    return found | {keys.tokens.token(number): keys.tokens.newest for number in moved}


def _bring_noes_along(keys: selectors.ClientKeys, numbers: Collection[str]) -> None:
    """Bring noes of numbers without a caller in an older form to the newest, in which they are about to get one."""
    if keys.tokens.is_changing and numbers:
        _move_noes(
            keys,
            {
                form: tokens[0]
                for number in numbers
                for tokens in [keys.tokens.forms(number)]
                for form in tokens[1:]
            },
        )


def _move_noes(keys: selectors.ClientKeys, moves: Mapping[bytes, bytes]) -> None:
    """Give noes of a client their newest token, by the one under which they stand."""
    held = _held_noes(keys.client_id, moves)
    if held:
        with connections[VAULT].cursor() as cursor:
            cursor.execute(
                "UPDATE vault_suppression AS no SET token = moves.token, token_generation = %s"
                " FROM unnest(%s::bytea[], %s::bytea[]) AS moves (former, token)"
                " WHERE no.id = ANY(%s) AND no.token = moves.former",
                [
                    keys.tokens.newest,
                    selectors.byte_array(moves),
                    selectors.byte_array(moves.values()),
                    held,
                ],
            )


def _held_noes(client_id: int, tokens: Iterable[bytes], purposes: Collection[str] | None = None) -> list[int]:
    """
    Ids of noes under these tokens, held until the transaction is over.

    Whoever holds noes takes them by token and purpose, and after the callers that they stand beside; so nobody who
    waits for one holds one that comes later.
    """
    with connections[VAULT].cursor() as cursor:
        cursor.execute(
            "SELECT id FROM vault_suppression WHERE client_id = %s AND token = ANY(%s::bytea[])"
            " AND (%s::text[] IS NULL OR purpose = ANY(%s::text[])) ORDER BY token, purpose FOR UPDATE",
            [client_id, selectors.byte_array(tokens), *[None if purposes is None else list(purposes)] * 2],
        )
        return [row[0] for row in cursor.fetchall()]


def _suppress_tokens(
    client_id: int,
    tokens: Mapping[bytes, int],
    purposes: Collection[str],
    *,
    at: datetime,
    ends_on: date | None,
) -> int:
    """Write noes down by tokens in their forms, inside a transaction that holds the forms."""
    pairs = sorted((token, purpose, form) for token, form in tokens.items() for purpose in set(purposes))
    if not pairs:
        return 0
    with connections[VAULT].cursor() as cursor:
        cursor.execute(
            "INSERT INTO vault_suppression (client_id, token, token_generation, purpose, since, ends_on)"
            " SELECT %s, token, form, purpose, %s, %s"
            " FROM unnest(%s::bytea[], %s::smallint[], %s::text[]) AS said (token, form, purpose)"
            " ON CONFLICT (client_id, token, purpose) DO UPDATE SET"
            " since = greatest(vault_suppression.since, excluded.since), ends_on ="
            " CASE WHEN vault_suppression.ends_on IS NULL OR excluded.ends_on IS NULL THEN NULL"
            " ELSE greatest(vault_suppression.ends_on, excluded.ends_on) END"
            " RETURNING xmax = 0",
            [
                client_id,
                at,
                ends_on,
                selectors.byte_array([token for token, _, _ in pairs]),
                [form for _, _, form in pairs],
                [purpose for _, purpose, _ in pairs],
            ],
        )
        return sum(fresh for (fresh,) in cursor.fetchall())


def lift_suppressions(*, client_id: int, caller_id: uuid.UUID, purposes: Collection[str]) -> int:
    """Forget that a caller said no for these purposes, because the person said yes again; returns how many."""
    with transaction.atomic(using=VAULT):
        tokens = [token for _, token, _ in _held_tokens(client_id, [caller_id])]
        held = _held_noes(client_id, tokens, purposes)
        return Suppression.objects.filter(pk__in=held).delete()[0]


def end_suppressions(*, client_id: int, on: date) -> int:
    """Remove a client's suppressions whose end date has come; returns how many. What is written just then stays."""
    with transaction.atomic(using=VAULT):
        ended = Suppression.objects.filter(client_id=client_id, ends_on__lte=on)
        # Passed over rather than waited for: they come in no order of tokens.
        held = list(ended.select_for_update(skip_locked=True).values_list("pk", flat=True))
        return Suppression.objects.filter(pk__in=held).delete()[0]


def list_numbers(*, holder_id: int, list_id: uuid.UUID, numbers: Mapping[str, date | None]) -> int:
    """
    Put numbers (E.164) on a register, each with the day that stands there, if any; returns how many are new on it.

    Of two days for one number the later stays. Repeating it changes nothing.

    :param holder_id: whose token key it is: minus the agency's id.
    """
    if not numbers:
        return 0

    def write(keys: selectors.ClientKeys) -> int:
        with transaction.atomic(using=VAULT):
            _hold_keys(keys)
            return _list_tokens(keys, list_id, numbers)

    return _with_keys(holder_id, write)


def _list_tokens(keys: selectors.ClientKeys, list_id: uuid.UUID, numbers: Mapping[str, date | None]) -> int:
    rows = sorted((keys.tokens.token(number), number, day) for number, day in numbers.items())
    with connections[VAULT].cursor() as cursor:
        if keys.tokens.is_changing:
            moves = {form: token for token, number, _ in rows for form in keys.tokens.forms(number)[1:]}
            cursor.execute(
                "SELECT FROM vault_listednumber WHERE list_id = %s AND token = ANY(%s::bytea[])"
                " ORDER BY token FOR UPDATE",
                [list_id, selectors.byte_array(moves)],
            )
            cursor.execute(
                "UPDATE vault_listednumber AS listed SET token = moves.token, token_generation = %s"
                " FROM unnest(%s::bytea[], %s::bytea[]) AS moves (former, token)"
                " WHERE listed.list_id = %s AND listed.token = moves.former",
                [
                    keys.tokens.newest,
                    selectors.byte_array(moves),
                    selectors.byte_array(moves.values()),
                    list_id,
                ],
            )
        cursor.execute(
            'INSERT INTO vault_listednumber (list_id, token, token_generation, "on")'
            " SELECT %s, token, %s, day FROM unnest(%s::bytea[], %s::date[]) AS listed (token, day)"
            ' ON CONFLICT (list_id, token) DO UPDATE SET "on" = excluded."on"'
            ' WHERE vault_listednumber."on" < excluded."on" RETURNING xmax = 0',
            [
                list_id,
                keys.tokens.newest,
                selectors.byte_array([token for token, _, _ in rows]),
                [day for _, _, day in rows],
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
            for digest in sorted(digests)
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


def note_pulse(count: int) -> None:
    """Note that `default` has committed this count; never a smaller one than before. Commits by itself."""
    with transaction.atomic(using=VAULT, durable=True), connections[VAULT].cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = on")
        cursor.execute(
            "INSERT INTO vault_pulse (id, count) VALUES (1, %s)"
            " ON CONFLICT (id) DO UPDATE SET count = greatest(vault_pulse.count, excluded.count)",
            [count],
        )


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
        newest = _lock_keys(client_id)[-1]
        if selectors.behind_generation(client_id, newest.generation):
            return newest.generation
        row = ClientKey.objects.create(
            client_id=client_id,
            agency_id=newest.agency_id,
            generation=newest.generation + 1,
            key=new_key().hex(),
            token_key=newest.token_key,
            token_generation=newest.token_generation,
            token_oldest=newest.token_oldest,
            token_made_at=newest.token_made_at,
            master=master_fingerprint(),
            created_at=at,
        )
    return row.generation


def _lock_keys(client_id: int) -> list[ClientKey]:
    """
    A client's keys FOR UPDATE, oldest first; waits for everybody who writes under them.

    :raises NoClientKeyError: it has none.
    """
    held: list[ClientKey] = []
    while True:
        rows = list(ClientKey.objects.select_for_update().filter(client_id=client_id).order_by("generation"))
        if not rows:
            raise selectors.NoClientKeyError(f"Client {client_id} has no key.")
        if [row.pk for row in rows] == [row.pk for row in held]:
            return rows
        held = rows  # Who was waited for may have added one.


def rewrap_client(*, client_id: int, limit: int) -> int:
    """
    Re-wrap up to `limit` keys of a client under its newest generation; returns how many were re-wrapped.

    Rows that a writer holds are skipped and met again. When nothing is left the old keys are destroyed.
    """
    keys = selectors.client_keys(client_id)
    moved = 0
    for table in _WRAPPED:
        if moved < limit:
            moved += _rewrap(keys, table, limit=limit - moved, after=None)[0]
    return moved


def rewrap_client_whole(*, client_id: int, limit: int) -> Iterator[int]:
    """
    Re-wrap everything of a client under its newest generation, one transaction for each step of up to `limit` keys;
    gives how many each step moved, and 0 where all that is left is held by writers. Ends when nothing is left.

    Who stops in between loses nothing: the next goes on with what is left.
    """
    keys = selectors.client_keys(client_id)
    while True:
        for table in _WRAPPED:
            after: Any = None
            while (step := _rewrap(keys, table, limit=limit, after=after))[0]:
                yield step[0]
                after = step[1]
        if not selectors.behind_generation(client_id, keys.generation):
            return
        yield 0


@dataclass(frozen=True, slots=True)
class _Wrapped:
    """
    Rows whose keys a client's key wraps: where they are, and by which of their columns a pass walks along an index.
    """

    table: str
    columns: tuple[str, ...]
    where: str
    key: str


_WRAPPED = (
    _Wrapped("vault_caller", ("content_key", "evidence_key"), "token IS NOT NULL", "token"),
    _Wrapped("vault_caller", ("content_key", "evidence_key"), "token IS NULL", "id"),
    _Wrapped("vault_recordingkey", ("wrapped",), "caller_id IS NULL", "id"),
)


def _rewrap(keys: selectors.ClientKeys, kind: _Wrapped, *, limit: int, after: Any) -> tuple[int, Any]:
    """Re-wrap up to `limit` rows of a kind that come after one; returns how many, and where the last one stands."""
    names = ", ".join(kind.columns)
    onward = "" if after is None else f" AND {kind.key} >= %(after)s"
    with transaction.atomic(using=VAULT), connections[VAULT].cursor() as cursor:
        cursor.execute(
            f"SELECT id, {kind.key}, generation, {names} FROM {kind.table}"  # noqa: S608  (names of columns)
            f" WHERE client_id = %(client)s AND {kind.where} AND generation < %(generation)s{onward}"
            f" ORDER BY {kind.key} LIMIT %(limit)s FOR UPDATE SKIP LOCKED",
            {"client": keys.client_id, "generation": keys.generation, "limit": limit, "after": after},
        )
        rows = cursor.fetchall()
        if not rows:
            return 0, after
        columns: list[list[bytes | None]] = [[] for _ in kind.columns]
        for row_id, _, generation, *wrapped in rows:
            old = selectors.generation_key(keys, generation)
            for name, value, into in zip(kind.columns, wrapped, columns, strict=True):
                if value is None:
                    into.append(None)
                    continue
                place = Place(keys.client_id, kind.table, name, row_id)
                into.append(keys.current.seal(old.unseal(bytes(value), place), place))
        cursor.execute(
            f"UPDATE {kind.table} AS row SET generation = %s, "  # noqa: S608  (names of columns)
            + ", ".join(f"{name} = fresh.{name}" for name in kind.columns)
            + f" FROM unnest(%s::uuid[], {', '.join(['%s::bytea[]'] * len(columns))}) AS fresh (id, {names})"
            " WHERE row.id = fresh.id",
            [
                keys.generation,
                _uuid_array([row[0] for row in rows]),
                *(selectors.byte_array(column) for column in columns),
            ],
        )
    return len(rows), rows[-1][1]


def retire_generations(*, client_id: int) -> int:
    """Destroy a client's old keys once they wrap nothing; returns how many were destroyed."""
    with transaction.atomic(using=VAULT):
        newest = _lock_keys(client_id)[-1]
        if selectors.behind_generation(client_id, newest.generation):
            return 0
        old = ClientKey.objects.filter(client_id=client_id, generation__lt=newest.generation)
        return old.delete()[0]


# --- Another token key ---------------------------------------------------------------------------------------------


def start_token_key(*, client_id: int, at: datetime) -> int:
    """
    Add a token key to a client's chain; returns the form that tokens have from now on.

    Waits for everybody who writes under the old chain, so that no token in an older form is written any more, but for
    a no that stands beside a caller who is not moved yet. Until `settle_tokens` numbers are asked for in both forms.
    Nothing happens while an earlier change has rows to move.

    :raises NoClientKeyError: the client has none.
    """
    with transaction.atomic(using=VAULT):
        rows = _lock_keys(client_id)
        newest = rows[-1]
        if newest.token_oldest < newest.token_generation:
            return newest.token_generation
        chain = newest.token_key + new_key().hex()
        for row in rows:
            row.token_key = chain
            row.token_generation = newest.token_generation + 1
            row.token_made_at = at
            row.save(update_fields=["token_key", "token_generation", "token_made_at"])
    return newest.token_generation


def retoken_client(*, client_id: int, limit: int, list_ids: Collection[uuid.UUID] = ()) -> Iterator[int]:
    """
    Bring every token of a client to the newest form, one transaction for each step of up to `limit` rows; gives how
    many each step moved, and 0 where all that is left is held by others. Ends when none is left in an older form.

    A caller moves together with the noes of that number, so that the two stand in one form at every moment. What
    stands alone, tombstones and noes, follows when no caller is left. Who stops in between loses nothing.

    :param list_ids: the holder's registers, where it is an agency that holds some.
    """
    keys = selectors.client_keys(client_id)
    if not keys.tokens.is_changing:
        return
    owners: list[tuple[str, str, int | uuid.UUID]] = [
        ("vault_caller", "client_id", client_id),
        ("vault_tombstone", "client_id", client_id),
        ("vault_suppression", "client_id", client_id),
        *(("vault_listednumber", "list_id", list_id) for list_id in list_ids),
    ]
    for table, column, owner in owners:
        while True:
            after = b""
            while (step := _retoken(keys, table, column, owner, limit=limit, after=after))[0]:
                yield step[0]
                after = step[1]
            if not selectors.has_older_form(table, column, owner, keys.tokens.newest):
                break
            yield 0


def _retoken(
    keys: selectors.ClientKeys, table: str, column: str, owner: int | uuid.UUID, *, limit: int, after: bytes
) -> tuple[int, bytes]:
    """Move up to `limit` rows whose token comes after one; returns how many, and the last one's former token."""
    newest = keys.tokens.newest
    with transaction.atomic(using=VAULT), connections[VAULT].cursor() as cursor:
        cursor.execute(
            f"SELECT id, token, token_generation FROM {table} WHERE {column} = %s AND token >= %s"  # noqa: S608  (names of tables of ours)
            " AND token_generation < %s ORDER BY token LIMIT %s FOR UPDATE SKIP LOCKED",
            [owner, after, newest, limit],
        )
        rows = [(row_id, bytes(token), form) for row_id, token, form in cursor.fetchall()]
        if not rows:
            return 0, after
        moves = {token: keys.tokens.advance(token, form) for _, token, form in rows}
        row_ids = [row_id for row_id, _, _ in rows]
        cursor.execute(
            f"UPDATE {table} AS row SET token = moves.token, token_generation = %s"  # noqa: S608  (names)
            f" FROM unnest(%s::{'uuid' if table == 'vault_caller' else 'bigint'}[], %s::bytea[]) AS moves (id, token)"
            " WHERE row.id = moves.id",
            [
                newest,
                _uuid_array(row_ids) if table == "vault_caller" else row_ids,
                selectors.byte_array([moves[token] for _, token, _ in rows]),
            ],
        )
        if table == "vault_caller":
            _move_noes(keys, moves)
    return len(rows), rows[-1][1]


def settle_tokens(*, client_id: int, list_ids: Collection[uuid.UUID] = ()) -> bool:
    """
    Stop asking for older forms where no row stands in one; returns whether none does.

    Looks at callers first: as long as one is in an older form a no beside it may be written in that form too, and an
    erasure that makes a tombstone of it holds it.
    """
    newest = selectors.client_keys(client_id).tokens.newest
    owners: list[tuple[str, str, int | uuid.UUID]] = [
        ("vault_caller", "client_id", client_id),
        ("vault_tombstone", "client_id", client_id),
        ("vault_suppression", "client_id", client_id),
        *(("vault_listednumber", "list_id", list_id) for list_id in list_ids),
    ]
    if any(selectors.has_older_form(*owner, newest) for owner in owners):
        return False
    with transaction.atomic(using=VAULT):
        rows = [row.pk for row in _lock_keys(client_id) if row.token_generation == newest]
        ClientKey.objects.filter(pk__in=rows).update(token_oldest=newest)
    return bool(rows)


def _uuid_array(values: Iterable[uuid.UUID]) -> str:
    return "{" + ",".join([value.hex for value in values]) + "}"


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
