"""What the vault answers: which caller a number is, and the keys that open a client's values."""

import operator
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from django.db import connections
from django.db.models import TextField
from django.db.models.functions import Cast, Substr

from callprivacy.lib import scope, statements
from callprivacy.lib.scope import Actor, ScopeKind
from callprivacy.vault.fields import Sealed
from callprivacy.vault.models import (
    Caller,
    CallTombstone,
    ClientKey,
    FolderMark,
    RecordingKey,
    Tombstone,
    Watermark,
)
from callprivacy.vault.sealing import KEY_BYTES, Key, Place, SealBrokenError, TokenKey

DERIVER: Final = Actor.job("rights.derive_tokens")
"""The one job that derives a person's tokens over several clients."""
_NAMED: Final = "5"
_NO_FORM = 32_767
_PURPOSES = uuid.UUID("0d0a8f3e-53a4-4a8e-8a1c-6f0b6c1f9a57")


class NoClientKeyError(LookupError):
    """A client has no key: it was never made, or the client was erased."""


class NotDerivedHereError(PermissionError):
    """One person's tokens over several clients are for the job that answers requests, or for a person who looks."""


@dataclass(frozen=True, slots=True, repr=False)
class ClientKeys:
    """A client's keys in use: every generation by number, the newest one, and the chain of token keys."""

    client_id: int
    generation: int
    generations: Mapping[int, Key]
    tokens: TokenKey

    @property
    def current(self) -> Key:
        """The key that new values are sealed under."""
        return self.generations[self.generation]


def content_place(client_id: int, caller_id: uuid.UUID) -> Place:
    """Where a caller's wrapped content key stands."""
    return Place(client_id, "vault_caller", "content_key", caller_id)


def evidence_place(client_id: int, caller_id: uuid.UUID) -> Place:
    """Where a caller's wrapped evidence key stands."""
    return Place(client_id, "vault_caller", "evidence_key", caller_id)


def recording_place(client_id: int, recording_id: uuid.UUID) -> Place:
    """Where a recording's wrapped key stands."""
    return Place(client_id, "vault_recordingkey", "wrapped", recording_id)


def client_keys(client_id: int) -> ClientKeys:
    """
    Open a client's keys, one query.

    :raises NoClientKeyError: it has none.
    :raises SealBrokenError: the master key is wrong.
    """
    return many_client_keys([client_id])[client_id]


def many_client_keys(client_ids: Collection[int]) -> dict[int, ClientKeys]:
    """
    Open several clients' keys, one query.

    :raises NoClientKeyError: one of them has none.
    """
    # Written by hand because it runs for every call and every question, while somebody waits.
    rows: dict[int, list[tuple[int, str, str, int]]] = {client_id: [] for client_id in client_ids}
    with statements.cursor("vault") as cursor:
        cursor.execute(
            "SELECT client_id, generation, key, token_key, token_oldest FROM vault_clientkey"
            " WHERE client_id = ANY(%s) ORDER BY generation",
            [list(rows)],
        )
        for client_id, *sealed in cursor.fetchall():
            rows[client_id].append((sealed[0], sealed[1], sealed[2], sealed[3]))
    opened = {}
    for client_id, generations in rows.items():
        if not generations:
            raise NoClientKeyError(f"Client {client_id} has no key.")
        newest, _, chain, oldest = generations[-1]
        opened[client_id] = ClientKeys(
            client_id=client_id,
            generation=newest,
            generations={generation: Key(_opened(_KEY, key)) for generation, key, *_ in generations},
            tokens=TokenKey(*_links(_opened(_TOKEN_KEY, chain)), oldest=oldest),
        )
    return opened


_KEY = ClientKey._meta.get_field("key")
_TOKEN_KEY = ClientKey._meta.get_field("token_key")


def _opened(field: Any, sealed: str) -> bytes:
    """What the master key sealed: the library's field opens it, and says which one it was where it does not."""
    return bytes.fromhex(field.from_db_value(sealed))


def _links(chain: bytes) -> list[bytes]:
    return [chain[start : start + KEY_BYTES] for start in range(0, len(chain), KEY_BYTES)]


def generation_key(keys: ClientKeys, generation: int) -> Key:
    """
    The client's key of one generation; read again where a rotation began after `keys` were read.

    :raises NoClientKeyError: it is gone.
    """
    found = keys.generations.get(generation) or client_keys(keys.client_id).generations.get(generation)
    if found is None:
        raise NoClientKeyError(f"Generation {generation} of client {keys.client_id} is gone.")
    return found


def open_content_key(keys: ClientKeys, caller_id: uuid.UUID, generation: int, wrapped: bytes) -> Key:
    """
    Unwrap one caller's content key.

    :raises SealBrokenError: it was not wrapped by this client's key for this caller.
    """
    return Key(
        generation_key(keys, generation).unseal(bytes(wrapped), content_place(keys.client_id, caller_id))
    )


def open_evidence_key(keys: ClientKeys, caller_id: uuid.UUID, generation: int, wrapped: bytes) -> Key:
    """
    Unwrap one caller's evidence key.

    :raises SealBrokenError: it was not wrapped by this client's key for this caller.
    """
    return Key(
        generation_key(keys, generation).unseal(bytes(wrapped), evidence_place(keys.client_id, caller_id))
    )


def evidence_keys(client_id: int, caller_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Key]:
    """Open the evidence keys of callers of one client, erased ones too; destroyed ones are left out."""
    if not caller_ids:
        return {}
    keys = client_keys(client_id)
    rows = Caller.objects.filter(client_id=client_id, id__in=list(caller_ids), evidence_key__isnull=False)
    return {
        row.id: open_evidence_key(keys, row.id, row.generation, bytes(row.evidence_key or b""))
        for row in rows
    }


def suppressed(
    client_id: int, numbers: Collection[str], *, on: date, keys: ClientKeys | None = None
) -> dict[str, dict[str, datetime]]:
    """
    Return number -> purpose -> since when that number has said no to a client; numbers that said nothing are left out.

    :param on: suppressions that have ended by this day do not count.
    """
    found: dict[str, dict[str, datetime]] = {}
    for number, purpose, since in _look(
        keys or client_keys(client_id),
        numbers,
        "SELECT token, purpose, since FROM vault_suppression WHERE client_id = %(client)s"
        " AND token = ANY(%(tokens)s::bytea[]) AND (ends_on IS NULL OR ends_on > %(on)s)",
        on=on,
    ):
        found.setdefault(number, {})[purpose] = since
    return found


def suppressed_callers(
    client_id: int, caller_ids: Collection[uuid.UUID], *, on: date
) -> dict[uuid.UUID, dict[str, datetime]]:
    """Caller id -> purpose -> since when that caller's number has said no to a client, also before an erasure."""
    found: dict[uuid.UUID, dict[str, datetime]] = {}
    if not caller_ids:
        return found
    with connections["vault"].cursor() as cursor:
        cursor.execute(
            "SELECT c.id, s.purpose, s.since FROM vault_caller c"
            " JOIN vault_suppression s ON s.client_id = c.client_id AND s.token = c.token"
            " WHERE c.client_id = %s AND c.id = ANY(%s::uuid[]) AND (s.ends_on IS NULL OR s.ends_on > %s)",
            [client_id, "{" + ",".join(caller_id.hex for caller_id in caller_ids) + "}", on],
        )
        for caller_id, purpose, since in cursor.fetchall():
            found.setdefault(caller_id, {})[purpose] = since
    return found


def end_of_no(client_id: int, caller_id: uuid.UUID, purpose: str, *, on: date) -> date | None:
    """The day on which a no of a caller's number to a purpose ends; None where there is none, or it has no end."""
    with connections["vault"].cursor() as cursor:
        cursor.execute(
            "SELECT s.ends_on FROM vault_caller c"
            " JOIN vault_suppression s ON s.client_id = c.client_id AND s.token = c.token"
            " WHERE c.client_id = %s AND c.id = %s AND s.purpose = %s AND s.ends_on > %s",
            [client_id, caller_id, purpose, on],
        )
        row = cursor.fetchone()
        return None if row is None else row[0]


def callers_who_refused(client_id: int, purpose: str, *, on: date) -> list[uuid.UUID]:
    """The ids of a client's callers whose numbers have said no to a purpose, also before an erasure."""
    with connections["vault"].cursor() as cursor:
        cursor.execute(
            "SELECT c.id FROM vault_suppression s"
            " JOIN vault_caller c ON c.client_id = s.client_id AND c.token = s.token"
            " WHERE s.client_id = %s AND s.purpose = %s AND (s.ends_on IS NULL OR s.ends_on > %s)",
            [client_id, purpose, on],
        )
        return [row[0] for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Noes said at `since` or later, or ended on a day later than `after` and not later than `upto`."""

    since: datetime
    after: date
    upto: date


_CHANGED = """
    WITH wanted AS (
        SELECT * FROM unnest(%(clients)s::bigint[], %(sinces)s::timestamptz[], %(afters)s::date[], %(uptos)s::date[])
            AS one (client_id, since, after, upto)
    ), changed AS (
        SELECT s.client_id, s.token FROM wanted w JOIN vault_suppression s
            ON s.client_id = w.client_id AND s.purpose = %(purpose)s AND s.since >= w.since
        UNION
        SELECT s.client_id, s.token FROM wanted w JOIN vault_suppression s
            ON s.client_id = w.client_id AND s.purpose = %(purpose)s AND s.ends_on > w.after AND s.ends_on <= w.upto
    )
    SELECT c.client_id, c.id FROM changed JOIN vault_caller c USING (client_id, token)
"""


def refusals_changed(stretches: Mapping[int, Stretch], purpose: str) -> dict[int, list[uuid.UUID]]:
    """Client id -> the ids of its callers whose no to a purpose began or ended then; one query, however many."""
    found: dict[int, list[uuid.UUID]] = {}
    with connections["vault"].cursor() as cursor:
        cursor.execute(
            _CHANGED,
            {
                "clients": list(stretches),
                "sinces": [one.since for one in stretches.values()],
                "afters": [one.after for one in stretches.values()],
                "uptos": [one.upto for one in stretches.values()],
                "purpose": purpose,
            },
        )
        for client_id, caller_id in cursor.fetchall():
            found.setdefault(client_id, []).append(caller_id)
    return found


def tombstones(client_ids: Collection[int], number: str) -> dict[int, list[Tombstone]]:
    """
    Client id -> the tombstones of one number (E.164), newest first; two queries. Of several clients for staff alone.

    :raises NotDerivedHereError: several clients, and not in the scope of one of the staff.
    """
    _need_staff(client_ids)
    found: dict[int, list[Tombstone]] = {}
    rows = _look_at_many(
        client_ids,
        number,
        "SELECT client_id, token, id FROM vault_tombstone"
        " WHERE client_id = ANY(%(clients)s) AND token = ANY(%(tokens)s::bytea[])",
    )
    for row in Tombstone.objects.filter(pk__in=[row_id for _, row_id in rows]).order_by("-created_at"):
        found.setdefault(row.client_id, []).append(row)
    return found


def content_keys(callers: Mapping[int, Collection[uuid.UUID]]) -> dict[uuid.UUID, Key]:
    """
    Open the content keys of callers of several clients, two queries; erased callers are left out.

    :param callers: client id -> caller ids.
    """
    wanted = {client_id: ids for client_id, ids in callers.items() if ids}
    if not wanted:
        return {}
    keys = many_client_keys(wanted)
    every = [caller_id for ids in wanted.values() for caller_id in ids]
    rows = Caller.objects.filter(client_id__in=list(wanted), id__in=every, content_key__isnull=False)
    return {
        row.id: open_content_key(keys[row.client_id], row.id, row.generation, bytes(row.content_key or b""))
        for row in rows
        if row.id in set(wanted[row.client_id])
    }


def content_of(client_id: int, caller_id: uuid.UUID, sealed: Sealed) -> str | None:
    """
    What is sealed under a caller's content key, in the clear, two queries; None where that key is destroyed, or one of
    the two is damaged.

    :raises SealBrokenError: the client's own keys do not open, which says nothing of this value.
    """
    keys = client_keys(client_id)
    row = Caller.objects.filter(client_id=client_id, id=caller_id, content_key__isnull=False).first()
    if row is None:
        return None
    try:
        return sealed.reveal(open_content_key(keys, caller_id, row.generation, bytes(row.content_key or b"")))
    except SealBrokenError:
        return None


def recording_keys(
    client_id: int,
    recording_ids: Collection[uuid.UUID],
    *,
    callers: Mapping[uuid.UUID, Key] | None = None,
) -> dict[uuid.UUID, Key]:
    """Open recordings' keys of one client; destroyed ones are left out."""
    keys = client_keys(client_id)
    with statements.cursor("vault") as cursor:
        # Written by hand because calls leave by the thousand, many of them with a recording.
        cursor.execute(
            "SELECT id, caller_id, generation, wrapped FROM vault_recordingkey"
            " WHERE client_id = %s AND id = ANY(%s::uuid[])",
            [client_id, list(recording_ids)],
        )
        rows = cursor.fetchall()
    content = dict(callers or {})
    unknown = {caller_id for _, caller_id, _, _ in rows if caller_id is not None} - content.keys()
    content |= content_keys({client_id: unknown})
    opened = {}
    for key_id, caller_id, generation, wrapped in rows:
        wrapping = generation_key(keys, generation) if caller_id is None else content.get(caller_id)
        if wrapping is not None:
            opened[key_id] = Key(wrapping.unseal(bytes(wrapped), recording_place(client_id, key_id)))
    return opened


def uncalled_key(keys: ClientKeys, key_id: uuid.UUID) -> Key | None:
    """Open one key that the client's own key wraps, one query; None where there is none of that id."""
    raw = _uncalled(keys, key_id)
    return None if raw is None else Key(raw)


def token_key_of_purpose(client_id: int, purpose: str) -> TokenKey | None:
    """
    A client's key for a purpose as one that makes tokens; None where there is none (`services.purpose_key` makes it).

    A purpose has either: what makes its tokens seals nothing.
    """
    raw = _uncalled(client_keys(client_id), purpose_id(client_id, purpose))
    return None if raw is None else TokenKey(raw)


def _uncalled(keys: ClientKeys, key_id: uuid.UUID) -> bytes | None:
    # Written by hand because it runs for every delivery of a tracker.
    with statements.cursor("vault") as cursor:
        cursor.execute(
            "SELECT generation, wrapped FROM vault_recordingkey"
            " WHERE client_id = %s AND id = %s AND caller_id IS NULL",
            [keys.client_id, key_id],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    wrapping = generation_key(keys, row[0])
    return wrapping.unseal(bytes(row[1]), recording_place(keys.client_id, key_id))


def purpose_id(client_id: int, purpose: str) -> uuid.UUID:
    """The id, of version 5, of a client's key for a purpose."""
    return uuid.uuid5(_PURPOSES, f"{client_id}/{purpose}")


def of_day(purpose: str, day: date) -> str:
    """The purpose whose key is of one UTC day: "inbox/2026-11-24"."""
    return f"{purpose}/{day.isoformat()}"


def day_key(keys: ClientKeys, purpose: str, day: date) -> Key | None:
    """Open a client's key of a purpose for a day, one query; None where it never was or is destroyed."""
    return uncalled_key(keys, purpose_id(keys.client_id, of_day(purpose, day)))


def key_days(client_id: int, purpose: str, *, before: date) -> list[date]:
    """The days before one of which a client still has a key of a purpose."""
    with connections["vault"].cursor() as cursor:
        cursor.execute(
            "SELECT id, created_at FROM vault_recordingkey WHERE client_id = %s AND caller_id IS NULL"
            " AND created_at < %s AND substr(id::text, 15, 1) = '5' ORDER BY created_at",
            [client_id, datetime.combine(before, time.min, tzinfo=UTC)],
        )
        made = [(key_id, at.astimezone(UTC).date()) for key_id, at in cursor.fetchall()]
    return [day for key_id, day in made if key_id == purpose_id(client_id, of_day(purpose, day))]


def ids_of_numbers(keys: ClientKeys, numbers: Collection[str]) -> dict[str, uuid.UUID]:
    """Return number (E.164) -> caller id of one client's living callers, one query."""
    return dict(
        _look(
            keys,
            numbers,
            "SELECT token, id FROM vault_caller WHERE client_id = %(client)s"
            " AND token = ANY(%(tokens)s::bytea[]) AND content_key IS NOT NULL",
        )
    )


def find_callers(client_ids: Collection[int], number: str) -> dict[int, uuid.UUID]:
    """
    Return client id -> caller id of one number (E.164), opening nothing that is sealed for a caller.

    Each client has its own token. Over several clients only a person looks, who names those that the person may see.

    :raises NotDerivedHereError: several clients, and not in the scope of one of the staff.
    """
    _need_staff(client_ids)
    return dict(_look_at_many(client_ids, number, _CALLERS))


def derive_callers(client_ids: Collection[int], number: str, *, by: Actor) -> dict[int, uuid.UUID]:
    """
    The same over as many clients as there are, for a request of the person: in a job's scope, by the one job that may.

    That job writes each derivation into the trail; a rule of the tests says that nobody else names this function.

    :raises NotDerivedHereError: by anybody else, or outside a job's scope.
    """
    inside = scope.current()
    if inside is None or inside.kind != ScopeKind.JOB or by != DERIVER:
        raise NotDerivedHereError("Only the job that answers requests derives tokens over clients.")
    return dict(_look_at_many(client_ids, number, _CALLERS))


def _need_staff(client_ids: Collection[int]) -> None:
    inside = scope.current()
    if len(set(client_ids)) > 1 and (inside is None or inside.kind != ScopeKind.STAFF):
        raise NotDerivedHereError(
            "One number over several clients is looked for by a person, or for a request."
        )


_CALLERS: Final = (
    "SELECT client_id, token, id FROM vault_caller WHERE client_id = ANY(%(clients)s)"
    " AND token = ANY(%(tokens)s::bytea[]) AND content_key IS NOT NULL"
)


def erased_up_to(client_id: int, numbers: Collection[str]) -> dict[str, datetime]:
    """Return number -> until when that person's calls were erased, for numbers with a tombstone."""
    if not Tombstone.objects.filter(client_id=client_id).exists():
        return {}
    found: dict[str, datetime] = {}
    for number, until in _look(
        client_keys(client_id),
        numbers,
        "SELECT token, erased_up_to FROM vault_tombstone"
        " WHERE client_id = %(client)s AND token = ANY(%(tokens)s::bytea[])",
    ):
        found[number] = max(until, found.get(number, until))
    return found


# A statement tells with what it found how many token keys the client has at that moment. Who asked by fewer asks again:
# a row that was moved to the new form in between would be missed.
_ASKED = """
    SELECT newest.form, found.*
    FROM (SELECT max(token_generation) AS form FROM vault_clientkey WHERE client_id = %(client)s) AS newest
    LEFT JOIN ({query}) AS found ON true
"""
_ASKED_OF_MANY = """
    SELECT newest.client_id, newest.form, found.*
    FROM (
        SELECT client_id, max(token_generation) AS form FROM vault_clientkey
        WHERE client_id = ANY(%(clients)s) GROUP BY client_id
    ) AS newest
    LEFT JOIN ({query}) AS found ON found.client_id = newest.client_id
"""


def _look(keys: ClientKeys, numbers: Collection[str], query: str, **more: Any) -> list[tuple[Any, ...]]:
    """
    The rows of a query whose first column is a token, with the number in its place; numbers are asked for in every
    form in which they may stand.

    :param query: names the parameters `client` and `tokens`, and those in `more`.
    """
    while numbers:
        asked = {form: number for number in numbers for form in keys.tokens.forms(number)}
        parameters = {"client": keys.client_id, "tokens": byte_array(asked), **more}
        with statements.cursor("vault") as cursor:
            cursor.execute(_ASKED.format(query=query), parameters)
            rows = cursor.fetchall()
        if rows[0][0] in {keys.tokens.newest, None}:
            return [(asked[bytes(row[1])], *row[2:]) for row in rows if row[1] is not None]
        keys = client_keys(keys.client_id)
    return []


def _look_at_many(client_ids: Collection[int], number: str, query: str) -> list[tuple[int, Any]]:
    """
    The same for one number at several clients: client id and what stands in the third column.

    :param query: gives client id, token and one column more; names the parameters `clients` and `tokens`.
    """
    found: list[tuple[int, Any]] = []
    left = set(client_ids)
    while left:
        keys = many_client_keys(left)
        asked = {form: client_id for client_id in left for form in keys[client_id].tokens.forms(number)}
        with connections["vault"].cursor() as cursor:
            cursor.execute(
                _ASKED_OF_MANY.format(query=query), {"clients": list(left), "tokens": byte_array(asked)}
            )
            rows = cursor.fetchall()
        settled = {row[0] for row in rows if row[1] == keys[row[0]].tokens.newest}
        found += [
            (row[0], row[4])
            for row in rows
            if row[0] in settled and row[3] is not None and asked.get(bytes(row[3])) == row[0]
        ]
        left = {row[0] for row in rows} - settled
    return found


def entombed(client_id: int, digests: Collection[bytes]) -> set[bytes]:
    """Return which of these call references, or starts, were erased on request."""
    if not CallTombstone.objects.filter(client_id=client_id).exists():
        return set()
    with connections["vault"].cursor() as cursor:
        cursor.execute(
            "SELECT digest FROM vault_calltombstone WHERE client_id = %s AND digest = ANY(%s::bytea[])",
            [client_id, byte_array(digests)],
        )
        return {bytes(digest) for (digest,) in cursor.fetchall()}


def has_entombed_starts(client_id: int) -> bool:
    """Whether anything is remembered of when a client's calls began that were erased on request."""
    return CallTombstone.objects.filter(client_id=client_id, is_start=True).exists()


def byte_array(values: Iterable[bytes | None]) -> str:
    """Return an array of bytes as PostgreSQL reads it; a list of thousands takes the driver much longer."""
    return "{" + ",".join(["NULL" if value is None else f'"\\\\x{value.hex()}"' for value in values]) + "}"


def watermark(client_id: int, category: str) -> datetime | None:
    """Return the instant before which a client's rows of a category have expired, if any did."""
    return (
        Watermark.objects.filter(client_id=client_id, category=category)
        .values_list("before", flat=True)
        .first()
    )


def pulse() -> int:
    """The highest count that `default` is known to have reached."""
    with connections["vault"].cursor() as cursor:
        cursor.execute("SELECT count FROM vault_pulse")
        row: tuple[int] | None = cursor.fetchone()
    return 0 if row is None else row[0]


def folder_mark(folder: str) -> uuid.UUID | None:
    """The id that lies in a folder of files if it is ours; None where none was made yet."""
    return FolderMark.objects.filter(folder=folder).values_list("mark", flat=True).first()


def watermarks(client_id: int) -> dict[str, datetime]:
    """Return category -> the instant before which a client's rows of it have expired, for those that have a line."""
    return dict(Watermark.objects.filter(client_id=client_id).values_list("category", "before"))


def behind_generation(client_id: int, generation: int) -> bool:
    """Whether any key of a client is still wrapped by a generation older than this one."""
    return (
        Caller.objects.filter(client_id=client_id, generation__lt=generation).exists()
        or RecordingKey.objects.filter(
            client_id=client_id, caller_id=None, generation__lt=generation
        ).exists()
    )


def count_wrapped(client_id: int) -> int:
    """How many keys are wrapped by a client's key: its callers', and the recordings' without a caller."""
    return (
        Caller.objects.filter(client_id=client_id).count()
        + RecordingKey.objects.filter(client_id=client_id, caller_id=None).count()
    )


def count_behind(client_id: int) -> int:
    """How many keys of a client are not yet wrapped by its newest generation."""
    newest = client_keys(client_id).generation
    return (
        Caller.objects.filter(client_id=client_id, generation__lt=newest).count()
        + RecordingKey.objects.filter(client_id=client_id, caller_id=None, generation__lt=newest).count()
    )


def count_tokens(
    client_id: int, list_ids: Collection[uuid.UUID] = (), *, older_than: int | None = None
) -> int:
    """
    How many rows of a client stand by token: callers, tombstones, noes, and numbers on its registers.

    :param older_than: count only those whose token is in an older form than this one.
    """
    form = _NO_FORM if older_than is None else older_than
    with connections["vault"].cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(token) FROM vault_caller"
            "  WHERE client_id = %(client)s AND token_generation < %(form)s)"
            " + (SELECT count(*) FROM vault_tombstone WHERE client_id = %(client)s AND token_generation < %(form)s)"
            " + (SELECT count(*) FROM vault_suppression WHERE client_id = %(client)s AND token_generation < %(form)s)"
            " + (SELECT count(*) FROM vault_listednumber"
            "  WHERE list_id = ANY(%(lists)s) AND token_generation < %(form)s)",
            {"client": client_id, "lists": list(list_ids), "form": form},
        )
        counted: int = cursor.fetchone()[0]
    return counted


@dataclass(frozen=True, slots=True)
class Ages:
    """When a client's newest key and its newest token key were made."""

    key_made_at: datetime
    token_made_at: datetime


def ages(agency_id: int) -> dict[int, Ages]:
    """Client id (minus the agency's id for its own keys) -> how old its keys are; one query."""
    with connections["vault"].cursor() as cursor:
        cursor.execute(
            "SELECT client_id, max(created_at), max(token_made_at) FROM vault_clientkey"
            " WHERE agency_id = %s GROUP BY client_id",
            [agency_id],
        )
        return {client_id: Ages(key, token) for client_id, key, token in cursor.fetchall()}


def has_older_form(table: str, column: str, owner: int | uuid.UUID, newest: int) -> bool:
    """Whether a row of the owner stands by a token in a form older than the newest."""
    with connections["vault"].cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {column} = %s"  # noqa: S608  (names, from the services)
            " AND token IS NOT NULL AND token_generation < %s)",
            [owner, newest],
        )
        return bool(cursor.fetchone()[0])


def caller_ids(
    client_id: int, *, older_than: datetime, after: uuid.UUID | None, limit: int
) -> list[uuid.UUID]:
    """
    A page of a client's caller ids whose keys were made before an instant, for the sweep of orphans.

    Erased callers of whom evidence stays are left out: they have no row elsewhere, and must not.
    """
    rows = Caller.objects.filter(client_id=client_id, created_at__lt=older_than, content_key__isnull=False)
    if after is not None:
        rows = rows.filter(id__gt=after)
    return list(rows.order_by("id").values_list("id", flat=True)[:limit])


def clients_behind_master(fingerprint: str) -> int:
    """How many client keys are not yet under the newest master key."""
    return ClientKey.objects.exclude(master=fingerprint).count()


def recording_ids(
    client_id: int, *, older_than: datetime, after: uuid.UUID | None, limit: int
) -> list[uuid.UUID]:
    """
    A page of a client's recordings' keys made before an instant, for the sweep of orphans.

    Keys for a purpose have ids of UUID version 5 and rest on no recording; they are left out.
    """
    rows = RecordingKey.objects.filter(client_id=client_id, created_at__lt=older_than)
    if after is not None:
        rows = rows.filter(id__gt=after)
    # Left out before the page is cut: an empty page is the end.
    rows = rows.annotate(version=Substr(Cast("id", TextField()), 15, 1)).exclude(version=_NAMED)
    return list(rows.order_by("id").values_list("id", flat=True)[:limit])


# --- Numbers that are asked about --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Known:
    """
    What the vault knows of a number at a client.

    :ivar caller_id: None for a number that is no living caller of the client's.
    :ivar noes: purpose -> since when the number has said no, also before an erasure.
    """

    caller_id: uuid.UUID | None
    noes: Mapping[str, datetime]


_KNOWN = """
    SELECT asked.token, c.id, s.purpose, s.since
    FROM unnest(%(tokens)s::bytea[]) AS asked (token)
    LEFT JOIN vault_caller c
        ON c.client_id = %(client)s AND c.token = asked.token AND c.content_key IS NOT NULL
    LEFT JOIN vault_suppression s ON s.client_id = %(client)s AND s.token = asked.token
        AND (s.ends_on IS NULL OR s.ends_on > %(on)s)
    WHERE c.id IS NOT NULL OR s.id IS NOT NULL
"""


def known_numbers(keys: ClientKeys, numbers: Collection[str], *, on: date) -> dict[str, Known]:
    """
    Return what is known of numbers (E.164) at a client, one query; unknown ones are left out. Makes no caller.

    :param on: suppressions that have ended by this day do not count.
    """
    ids: dict[str, uuid.UUID | None] = {}
    noes: dict[str, dict[str, datetime]] = {}
    for number, caller_id, purpose, since in _look(keys, numbers, _KNOWN, on=on):
        ids[number] = caller_id or ids.get(number)
        said = noes.setdefault(number, {})
        if purpose is not None:
            said[purpose] = since
    return {number: Known(caller_id, noes[number]) for number, caller_id in ids.items()}


def listed_numbers(
    keys: ClientKeys, list_ids: Collection[uuid.UUID], numbers: Collection[str]
) -> dict[str, list[tuple[uuid.UUID, date | None]]]:
    """
    Return number -> the registers it is on, each with the day that stands there, if any; one query.

    :param keys: of the registers' holder, an agency.
    """
    found: dict[str, list[tuple[uuid.UUID, date | None]]] = {}
    if not list_ids:
        return found
    for number, list_id, day in _look(
        keys,
        numbers,
        'SELECT token, list_id, "on" FROM vault_listednumber'
        " WHERE list_id = ANY(%(lists)s::uuid[]) AND token = ANY(%(tokens)s::bytea[])",
        lists="{" + ",".join(list_id.hex for list_id in list_ids) + "}",
    ):
        found.setdefault(number, []).append((list_id, day))
    for registers in found.values():
        registers.sort(key=operator.itemgetter(0))
    return found


# --- What an old copy of `default` brought back -------------------------------------------------------------------


def living_callers(client_id: int, caller_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of these callers whose content key is there."""
    rows = Caller.objects.filter(client_id=client_id, id__in=list(caller_ids), content_key__isnull=False)
    return set(rows.values_list("id", flat=True))


def evidenced_callers(client_id: int, caller_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of these callers whose evidence key is there, erased ones too."""
    rows = Caller.objects.filter(client_id=client_id, id__in=list(caller_ids), evidence_key__isnull=False)
    return set(rows.values_list("id", flat=True))


def erased_callers(client_id: int, caller_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, datetime]:
    """Caller id -> until when their calls were erased, for those of these ids that have a tombstone."""
    rows = Tombstone.objects.filter(client_id=client_id, erased_caller_id__in=list(caller_ids))
    found: dict[uuid.UUID, datetime] = {}
    for caller_id, until in rows.values_list("erased_caller_id", "erased_up_to"):
        found[caller_id] = max(until, found.get(caller_id, until))
    return found


def callers_erased_since(client_id: int, since: datetime) -> list[uuid.UUID]:
    """Callers of a client who were erased since then and have a tombstone: whose calls merely expired has none."""
    rows = Tombstone.objects.filter(client_id=client_id, created_at__gte=since)
    return list(rows.values_list("erased_caller_id", flat=True))


def existing_keys(client_id: int, recording_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of these recordings and transcripts whose key is there."""
    rows = RecordingKey.objects.filter(client_id=client_id, id__in=list(recording_ids))
    return set(rows.values_list("id", flat=True))


def entombed_page(client_id: int, *, after: int, limit: int) -> list[tuple[int, bytes]]:
    """A page of the references of calls that were erased on request: (number in the page's order, digest)."""
    rows = CallTombstone.objects.filter(client_id=client_id, id__gt=after, is_start=False).order_by("id")
    return [(key, bytes(digest)) for key, digest in rows.values_list("id", "digest")[:limit]]
