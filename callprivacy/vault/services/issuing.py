"""What a batch of calls needs, made by COPY: callers never seen, and a key for each recording."""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from django.db import connections, transaction
from psycopg.errors import UniqueViolation

from callprivacy.lib import ids
from callprivacy.vault import selectors
from callprivacy.vault.models import Caller
from callprivacy.vault.sealing import Key, new_key
from callprivacy.vault.services.callers import CallerGoneError
from callprivacy.vault.services.keys import VAULT, hold_keys, with_keys
from callprivacy.vault.services.noes import bring_noes_along


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
    return with_keys(client_id, lambda found: _issue(found, numbers, recordings, at), keys)


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
            hold_keys(keys)
        if missing:
            bring_noes_along(keys, missing.values())
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
