"""
The one way into the calls: whatever is said of a client's calls, by a tracker or a file, becomes rows here.

A replay changes nothing, two writers at once make one row, what was erased or has expired stays away, and
nothing that is written names a person in the clear. Where a tracker has taken the person out of a call, so do we
(see `redaction`), and what older news still says of them is left out. Two steps, so that a long import may prepare
one batch while the database stores the one before: `prepare` makes the keys, which the vault commits, and seals;
`Prepared.store` holds the callers, takes the client's turn (an advisory lock: writers of one client come one
after the other), looks again what is known, and writes.
"""

# ruff: noqa: S608  names put into SQL are constants of this module

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from django.db import connection
from django.db.models import Q

from callprivacy.calls.enums import Direction, RecordingState
from callprivacy.calls.models import CallPress, Recording, call_id, start_of
from callprivacy.calls.providers.base import CallFacts, Stage, anonymous
from callprivacy.calls.services import erasure, redaction
from callprivacy.calls.services import kept as rows
from callprivacy.calls.services.kept import Kept, Way
from callprivacy.calls.services.turns import lock_client
from callprivacy.lib import ids as new_ids
from callprivacy.lib import phone
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.tenancy.selectors import cutoff_of
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.sealing import Key, Place, TokenKey
from callprivacy.vault.selectors import ClientKeys
from callprivacy.vault.services import CallerGoneError

__all__ = [
    "FACTS",
    "TRACK",
    "CallerGoneError",
    "Lines",
    "Prepared",
    "Taken",
    "Way",
    "facts_digest",
    "lines_of",
    "prepare",
    "take_in",
]

TRACK: Final = "track"
"""The vault's word for a number that is not to be tracked: from then on its calls are nobody's."""
FACTS: Final = "facts"
"""The kind of reference of calls that nobody calls by an id."""

CLOSE: Final = timedelta(seconds=2)
ATTEMPTS: Final = 3

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_CLOSE_MS: Final = CLOSE // _MILLISECOND
_NO_ID: Final = uuid.UUID(int=0)


class Taken(StrEnum):
    """
    What became of one fact.

    DOUBTFUL is kept as a call of its own beside one that may be the same. EARLY is news (a recording) of a call that
    nobody has told us of yet: nothing was kept, bring it again later.
    """

    ADDED = "added"
    KNOWN = "known"
    CHANGED = "changed"
    FILLED = "filled"
    TOO_OLD = "too_old"
    ERASED = "erased"
    DOUBTFUL = "doubtful"
    EARLY = "early"


type Alongside = Callable[[Sequence[Taken]], None]
type Turn = Callable[[], object]


def take_in(
    *,
    client: Client,
    provider: str,
    connection_id: uuid.UUID | None,
    facts: Sequence[CallFacts],
    way: Way,
    at: datetime,
    alongside: Alongside | None = None,
) -> list[Taken]:
    """
    Take in what is said of a client's calls; one verdict for each fact, in order. Called outside any scope.

    :param alongside: called with the verdicts inside the transaction that writes the calls; what it raises undoes it.
    :raises CallerGoneError: callers were erased again and again while we wrote; try later.
    """
    for attempt in range(ATTEMPTS):
        prepared = prepare(
            client=client, provider=provider, connection_id=connection_id, facts=facts, way=way, at=at
        )
        try:
            return prepared.store(alongside)
        except CallerGoneError:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError  # pragma: no cover


@dataclass(frozen=True, slots=True)
class Lines:
    """
    Starts before which something of a call is not let in.

    :ivar calls: a call that came in, and :ivar calls_out: one that went out: past its keep-for, or past what has
    already been erased. :ivar recordings: its recording, and :ivar identities: a person of whom nothing newer is
    known, because they have been erased until then.
    """

    calls: datetime
    calls_out: datetime
    recordings: datetime
    identities: datetime

    def refuse(self, facts: CallFacts) -> bool:
        """Whether a call stays out. One whose direction nobody says stays out where either kind would."""
        if facts.direction is None:
            return facts.started_at < max(self.calls, self.calls_out)
        is_out = facts.direction is Direction.OUTBOUND
        return facts.started_at < (self.calls_out if is_out else self.calls)

    def keep_out(self, facts: CallFacts) -> CallFacts:
        """The same call without a recording whose time is over."""
        if facts.recording_reference is None or facts.started_at >= self.recordings:
            return facts
        return replace(facts, recording_reference=None, recording_seconds=None)


def lines_of(client: Client, *, at: datetime) -> Lines:
    """Where a client's lines stand; `agency` must have been read along."""
    stand = vault_selectors.watermarks(client.pk)
    return Lines(
        calls=max(cutoff_of(client, at), stand.get(erasure.WATERMARK, _EPOCH)),
        calls_out=max(cutoff_of(client, at, out=True), stand.get(erasure.WATERMARK_OUT, _EPOCH)),
        recordings=stand.get(erasure.RECORDING, _EPOCH),
        identities=stand.get(erasure.IDENTITY, _EPOCH),
    )


def facts_digest(tokens: TokenKey, provider: str, facts: CallFacts) -> bytes:
    """What stands in for a reference: start to the second, both numbers, length."""
    return tokens.digest(
        provider,
        FACTS,
        str((facts.started_at - _EPOCH) // timedelta(seconds=1)),
        facts.caller or "",
        facts.tracking_number or "",
        "" if facts.seconds is None else str(facts.seconds),
    )


def _untracked(keys: ClientKeys, numbers: Collection[str], at: datetime) -> dict[str, datetime]:
    """Number -> since when its calls are not to be tracked."""
    if not numbers:
        return {}
    found = vault_selectors.suppressed(keys.client_id, numbers, on=at.date(), keys=keys)
    return {number: said[TRACK] for number, said in found.items() if TRACK in said}


def untracked_call(facts: CallFacts) -> CallFacts:
    """The same call as one of nobody: no number, no recording, and no word of a first call, a lead or its value."""
    return replace(anonymous(facts), first_call=None, qualified=None, value_cents=None)


class _Item:
    """One fact on its way: what the vault and the database said of it so far."""

    __slots__ = (
        "caller_id", "facts", "index", "is_outdated", "new_id", "new_recording", "recording", "recording_id",
        "references", "tracking_id", "wave",
    )  # fmt: skip

    def __init__(
        self, index: int, facts: CallFacts, references: tuple[tuple[str, bytes], ...], wave: int
    ) -> None:
        self.index = index
        self.facts = facts
        self.references = references
        self.wave = wave
        self.caller_id: uuid.UUID | None = None
        self.tracking_id: uuid.UUID | None = None
        self.new_id = call_id(facts.started_at)
        self.recording_id = _NO_ID
        self.recording: bytes | None = None
        self.new_recording = True
        self.is_outdated = False

    @property
    def digests(self) -> list[bytes]:
        """What the call is called, by every kind of reference."""
        return [digest for _, digest in self.references]

    def leave_out_person(self) -> None:
        """Go on as news of a call from which the person was taken out."""
        self.facts = anonymous(self.facts)
        self.caller_id = None
        self.recording = None

    def leave_person_alone(self) -> None:
        """Go on as news that says nobody's name: who called so long ago is known or stays unknown."""
        self.caller_id = None
        self.facts = replace(self.facts, caller_withheld=False)

    def say_nothing_of_person(self) -> None:
        """Leave it to `redaction` what becomes of the person on a call that is here; it may be held."""
        self.facts = replace(
            self.facts, caller_withheld=False, modified_only=self.facts.modified_only - {"tags"}, tags=()
        )


def prepare(
    *,
    client: Client,
    provider: str,
    connection_id: uuid.UUID | None,
    facts: Sequence[CallFacts],
    way: Way,
    at: datetime,
    look_first: bool = True,
) -> Prepared:
    """
    Make and commit the keys that these facts need, and seal. Called outside any scope.

    :param look_first: look which calls are known before making keys for their recordings. Without, keys that turn
        out to be for nothing are destroyed again.
    """
    prepared = Prepared(
        client=client, provider=provider, connection_id=connection_id, way=way, at=at, count=len(facts)
    )
    prepared.sort_out(facts)
    prepared.seal(look_first=look_first)
    prepared.is_all_new = not look_first
    return prepared


class Prepared:
    """A batch whose keys are stored and whose values are sealed. `store` writes it, once."""

    def __init__(
        self,
        *,
        client: Client,
        provider: str,
        connection_id: uuid.UUID | None,
        way: Way,
        at: datetime,
        count: int,
    ) -> None:
        self.client, self.provider, self.connection_id = client, provider, connection_id
        self.way, self.at = way, at
        self.verdicts: list[Taken] = [Taken.TOO_OLD] * count
        self.lines = Lines(_EPOCH, _EPOCH, _EPOCH, _EPOCH)
        self.items: list[_Item] = []
        self.keys = vault_selectors.client_keys(client.pk)
        self.issued = vault.Issued(self.keys)
        self.callers: dict[uuid.UUID, str] = {}
        self.caller_lines: dict[uuid.UUID, str] = {}
        self.unused: list[uuid.UUID] = []
        self.used: set[uuid.UUID] = set()
        self.is_all_new = False
        self.loaded: list[_Item] = []

    # --- Before the client's turn ---------------------------------------------------------------------------

    def sort_out(self, facts: Sequence[CallFacts]) -> None:
        """
        Refuse what is too old or of erased people, and find the references of the rest.

        Facts that share a reference are of one call: each waits for the wave after the one before it.
        """
        client_id = self.client.pk
        with job_scope(agency_id=self.client.agency_id):
            self.client = Client.objects.select_related("agency").get(pk=client_id)
            self.lines = lines = lines_of(self.client, at=self.at)
        numbers = {fact.caller for fact in facts if fact.caller is not None}
        erased = vault_selectors.erased_up_to(client_id, numbers) if numbers else {}
        keys = self.keys
        tokens = keys.tokens
        untracked = _untracked(keys, numbers, self.at)
        waves: dict[bytes, int] = {}
        for index, told in enumerate(facts):
            if lines.refuse(told):
                continue
            fact = lines.keep_out(told)
            if erased and fact.caller in erased and fact.started_at <= erased[fact.caller]:
                self.verdicts[index] = Taken.ERASED
                continue
            references = self._references(tokens, fact)
            if fact.caller in untracked and fact.started_at >= untracked[fact.caller]:
                fact = untracked_call(fact)
            wave = 0
            for _, digest in references:
                if digest in waves:
                    wave = max(wave, waves[digest] + 1)
            for _, digest in references:
                waves[digest] = wave
            self.items.append(_Item(index, fact, references, wave))
        self._leave_out_forgotten()
        # No caller is made for a call from which the person was taken out; `_write_wave` looks again.
        self._leave_out_people(self.items)

    def _leave_out_forgotten(self) -> None:
        """
        Leave the person out of calls from before people were erased, unless something newer is known of that number,
        also by what comes with it.
        """
        old = [item for item in self.items if item.facts.started_at < self.lines.identities]
        numbers = {item.facts.caller for item in old if item.facts.caller is not None}
        if not numbers:
            return
        numbers -= {
            item.facts.caller for item in self.items if item.facts.started_at >= self.lines.identities
        }
        keys = vault_selectors.client_keys(self.client.pk)
        known = vault_selectors.known_numbers(keys, numbers, on=self.at.date()) if numbers else {}
        here = {number for number, found in known.items() if found.caller_id is not None}
        for item in old:
            if item.facts.caller in numbers - here:
                item.leave_out_person()

    def _leave_out_people(self, items: Iterable[_Item]) -> set[bytes]:
        """
        Leave the person out of news of calls that have a tombstone, or of which this batch says that the person is
        out; returns the tombstones.
        """
        items = list(items)
        digests = [digest for item in items for digest in item.digests]
        gone = vault_selectors.entombed(self.client.pk, digests) if digests else set()
        without = gone.union(*(item.digests for item in self._redacted()))
        for item in items:
            if without and not without.isdisjoint(item.digests):
                item.leave_out_person()
        return gone

    def _references(self, tokens: TokenKey, fact: CallFacts) -> tuple[tuple[str, bytes], ...]:
        if fact.references:
            return tuple((kind, tokens.digest(self.provider, kind, value)) for kind, value in fact.references)
        return ((FACTS, facts_digest(tokens, self.provider, fact)),)

    def seal(self, *, look_first: bool) -> None:
        """Have the vault make the keys, and seal numbers and references under them."""
        wanted, existing = self._recordings_wanted(look_first=look_first)
        numbers = {item.facts.caller for item in self.items if item.facts.caller is not None}
        self.issued = issued = vault.issue_keys(
            client_id=self.client.pk,
            numbers=numbers,
            recordings=[(item.recording_id, item.facts.caller) for item in wanted],
            at=self.at,
            keys=self.keys,
        )
        self.unused = [item.recording_id for item in wanted]
        for number, caller_id in issued.callers.items():
            self.callers[caller_id] = number
            if number in issued.fresh:
                self.caller_lines[caller_id] = self._caller_line(caller_id, number)
        for item in self.items:
            if item.facts.caller is not None:
                item.caller_id = issued.callers[item.facts.caller]
        for item, key in zip(wanted, issued.recordings, strict=True):
            self._seal_reference(item, key)
        if existing:
            keys = vault_selectors.recording_keys(self.client.pk, {item.recording_id for item in existing})
            for item in existing:
                if item.recording_id in keys:
                    self._seal_reference(item, keys[item.recording_id])

    def _seal_reference(self, item: _Item, key: Key) -> None:
        place = Place(self.client.pk, "calls_recording", "reference", item.recording_id)
        item.recording = key.seal((item.facts.recording_reference or "").encode(), place)

    def _recordings_wanted(self, *, look_first: bool) -> tuple[list[_Item], list[_Item]]:
        """Items whose recordings are to come, and those whose recordings are here and may have moved."""
        with_recording = [item for item in self.items if item.facts.recording_reference is not None]
        known: dict[int, uuid.UUID] = {}
        recorded: dict[uuid.UUID, uuid.UUID] = {}
        if with_recording and look_first:
            with job_scope(agency_id=self.client.agency_id):
                known = self._known(with_recording)
                recorded = self._pairs(
                    "SELECT call_id, id FROM calls_recording WHERE client_id = %s AND call_id = ANY(%s::uuid[])",
                    set(known.values()),
                )
        wanted, existing = [], []
        for item in with_recording:
            here = recorded.get(known[item.index]) if item.index in known else None
            if here is None:
                wanted.append(item)
            elif self.way is Way.HOOK or item.facts.ranked:
                item.recording_id = here
                item.new_recording = False
                existing.append(item)
        for item, recording_id in zip(wanted, new_ids.made_at(self.at, len(wanted)), strict=True):
            item.recording_id = recording_id
        return wanted, existing

    def _pairs(self, query: str, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
        if not ids:
            return {}
        with connection.cursor() as cursor:
            cursor.execute(query, [self.client.pk, _uuids(ids)])
            return dict(cursor.fetchall())

    def _caller_line(self, caller_id: uuid.UUID, number: str) -> str:
        country, region = phone.place_of(number)
        place = Place(self.client.pk, "calls_caller", "number", caller_id)
        sealed = self.issued.content_key(number).seal(number.encode(), place)
        return f"{caller_id.hex}\t\\\\x{sealed.hex()}\t{country}\t{region}\n"

    def give_back(self) -> None:
        """Destroy the keys that nothing was written under."""
        if self.unused:
            vault.destroy_recording_keys(client_id=self.client.pk, recording_ids=self.unused)
            self.unused = []

    # --- In the client's turn -------------------------------------------------------------------------------

    def store(
        self, alongside: Alongside | None = None, *, turn: Turn | None = None, is_repeated: bool = False
    ) -> list[Taken]:
        """
        Write the batch in one transaction and return the verdicts. Called outside any scope.

        :param is_repeated: whoever brings it notes alongside how far they are, and brings it again where a crash has
            undone both: then nobody waits until it is on the disk. The keys it rests on are there already.
        :param turn: waits until this batch is the next one, with the callers held and everything else ready; nothing
            of ours is locked meanwhile that the batches before it could want. What it raises undoes the batch.
        :raises CallerGoneError: a caller was erased since; prepare again.
        """
        written = False
        try:
            self._begin_redaction()
            with (
                vault.holding_callers(client_id=self.client.pk, caller_ids=list(self.callers)),
                job_scope(agency_id=self.client.agency_id),
            ):
                if is_repeated and not self._redacted():
                    with connection.cursor() as cursor:
                        cursor.execute("SET LOCAL synchronous_commit = off")
                if self.is_all_new:
                    self._load_ahead()
                if turn is not None:
                    turn()
                self._write()
                if alongside is not None:
                    alongside(self.verdicts)
                written = True
        finally:
            # Where the commit itself failed nobody knows whether rows rest on the keys: then they stay.
            if not written:
                self.give_back()
        if len(self.used) < len(self.unused):
            self.unused = [identity for identity in self.unused if identity not in self.used]
            self.give_back()
        redaction.entomb(
            client=self.client,
            digests=[digest for item in self._redacted() for digest in item.digests],
            at=self.at,
        )
        return self.verdicts

    def _redacted(self) -> list[_Item]:
        return [item for item in self.items if item.facts.redacted]

    def _begin_redaction(self) -> None:
        """What can be done for calls that are here before the rows are touched: the intent, and the vault's part."""
        redacted = self._redacted()
        if not redacted:
            return
        with job_scope(agency_id=self.client.agency_id):
            known = self._known(redacted)
        if known:
            redaction.begin(client=self.client, call_ids=set(known.values()), at=self.at)

    def _write(self) -> None:
        if not self.items:
            return
        lock_client(self.client.pk)
        self._leave_out_expired()
        if not self.items:
            return
        if not self.loaded:
            with connection.cursor() as cursor:
                cursor.execute(_TABLES)
        waves: dict[int, list[_Item]] = defaultdict(list)
        for item in self.items:
            waves[item.wave].append(item)
        if not self.loaded:
            self._load_callers()
        self._write_callers()
        self._write_tracking_numbers()
        for wave in sorted(waves):
            self._write_wave(waves[wave])
        self._note_latest()

    def _leave_out_expired(self) -> None:
        """Look again where the line stands: a run may have erased, since we prepared, what we would bring back."""
        lines = lines_of(self.client, at=self.at)
        if (lines.recordings, lines.identities) != (self.lines.recordings, self.lines.identities):
            raise CallerGoneError("What is taken of old calls has changed.")
        self._look_for_erased()
        kept = [item for item in self.items if not lines.refuse(item.facts)]
        if len(kept) == len(self.items):
            return
        for item in self.items:
            if lines.refuse(item.facts):
                self.verdicts[item.index] = Taken.TOO_OLD
        self.items, self.loaded = kept, []
        named = {item.caller_id for item in kept}
        self.callers = {caller_id: number for caller_id, number in self.callers.items() if caller_id in named}

    def _look_for_erased(self) -> None:
        """
        Ask again for those who were made anew here: whoever was erased since we asked left a tombstone before that.

        :raises CallerGoneError: somebody was; prepare again.
        """
        fresh = self.issued.fresh
        erased = vault_selectors.erased_up_to(self.client.pk, fresh) if fresh else {}
        for item in self.items if erased else ():
            if item.facts.caller in erased and item.facts.started_at <= erased[item.facts.caller]:
                raise CallerGoneError("Somebody was erased meanwhile.")

    def _load_ahead(self) -> None:
        """
        Bring a batch that will most likely be added as it is into the temporary tables, before its turn has come.

        What turns out otherwise then is loaded again. A batch with calls in several waves, or with numbers that the
        client does not have yet, waits for its turn.
        """
        items = self.items
        if not items or any(item.wave for item in items):
            return
        with connection.cursor() as cursor:
            cursor.execute(_TABLES)
        if self._find_tracking_numbers():
            return
        self._load_callers()
        self._load_calls(items)
        self._load_references(items, {item.index: item.new_id for item in items})
        self.loaded = items

    def _load_callers(self) -> None:
        """Callers that `default` does not have yet; for those the vault had already, sealing was put off till now."""
        known = self._pairs(
            "SELECT id, id FROM calls_caller WHERE client_id = %s AND id = ANY(%s::uuid[])", self.callers
        )
        lines = [
            self.caller_lines.get(caller_id) or self._caller_line(caller_id, number)
            for caller_id, number in self.callers.items()
            if caller_id not in known
        ]
        with connection.cursor() as cursor:
            self._copy(cursor, "intake_caller", lines)

    def _write_callers(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO calls_caller (id, agency_id, client_id, number, country, region, created_at)"
                " SELECT id, %s, %s, number, country, region, %s FROM intake_caller ON CONFLICT DO NOTHING",
                [self.client.agency_id, self.client.pk, self.at],
            )

    def _copy(self, cursor: Any, table: str, lines: Collection[str]) -> None:
        """Fill a temporary table anew."""
        cursor.execute(f"DELETE FROM {table}")
        with cursor.copy(f"COPY {table} FROM STDIN") as copy:
            copy.write("".join(lines))

    def _find_tracking_numbers(self) -> set[str]:
        """Look up the tracking numbers of these calls; returns those that the client does not have."""
        numbers = {
            item.facts.tracking_number for item in self.items if item.facts.tracking_number is not None
        }
        found: dict[str, uuid.UUID] = {}
        if numbers:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT number, id FROM calls_trackingnumber WHERE client_id = %s AND number = ANY(%s)",
                    [self.client.pk, list(numbers)],
                )
                found = dict(cursor.fetchall())
        for item in self.items:
            if item.facts.tracking_number is not None:
                item.tracking_id = found.get(item.facts.tracking_number)
        return numbers - found.keys()

    def _write_tracking_numbers(self) -> None:
        missing = sorted(self._find_tracking_numbers()) if not self.loaded else []
        if missing:
            places = [phone.place_of(number)[1] for number in missing]
            with connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO calls_trackingnumber (id, agency_id, client_id, number, label, provider, source,"
                    " campaign, target_site, region, announcement, created_at)"
                    " SELECT gen_random_uuid(), %s, %s, number, '', %s, '', '', '', region, '', %s"
                    " FROM unnest(%s::text[], %s::text[]) AS fresh (number, region) ON CONFLICT DO NOTHING",
                    [self.client.agency_id, self.client.pk, self.provider, self.at, missing, places],
                )
            self._find_tracking_numbers()

    def _known(self, items: Iterable[_Item]) -> dict[int, uuid.UUID]:
        """Index of each item that one of its references names -> the call's id."""
        by_kind: dict[str, dict[bytes, int]] = defaultdict(dict)
        for item in items:
            for kind, digest in item.references:
                by_kind[kind][digest] = item.index
        found: dict[int, uuid.UUID] = {}
        with connection.cursor() as cursor:
            for kind, indexes in by_kind.items():
                cursor.execute(
                    "SELECT digest, call_id FROM calls_callref"
                    " WHERE client_id = %s AND provider = %s AND kind = %s AND digest = ANY(%s::bytea[])",
                    [self.client.pk, self.provider, kind, vault_selectors.byte_array(indexes)],
                )
                for digest, identity in cursor.fetchall():
                    found.setdefault(indexes[bytes(digest)], identity)
        return found

    def _any_known(self) -> bool:
        """Whether a reference of the batch, as it was loaded ahead, names a call that is here."""
        with connection.cursor() as cursor:
            cursor.execute(_ANY_KNOWN, [self.client.pk, self.provider])
            is_any: bool = cursor.fetchone()[0]
        return is_any

    def _write_wave(self, items: Sequence[_Item]) -> None:
        """Facts of different calls: those known are brought up to date, the others are matched or added."""
        known = self._known(items) if not self.loaded or self._any_known() else {}
        gone = self._leave_out_people(items)
        if known or gone:
            self.loaded = []
        self._leave_people_as_they_are([item for item in items if item.index in known], gone)
        unknown = [item for item in items if item.index not in known]
        unknown = self._without_erased(unknown, gone)
        added: list[_Item] = unknown
        if len(unknown) < len(self.loaded):
            self.loaded = []
        if unknown:
            if not self.loaded:
                self._load_calls(unknown)
            same, doubtful = self._match(unknown) if self._may_match(unknown) else ({}, set())
            if same:
                self.loaded = []
            known |= same
            added = [item for item in unknown if item.index not in same]
            self._add(added, left_out=list(same))
            for item in added:
                self.verdicts[item.index] = Taken.DOUBTFUL if item.index in doubtful else Taken.ADDED
        ids = {item.index: item.new_id for item in added} | self._update(
            [item for item in items if item.index in known], known
        )
        self._finish_redaction([item for item in items if item.index in known and item.index in ids], ids)
        if not self.loaded:
            self._load_references(items, ids)
        self._write_references()
        self._write_presses(items, ids)

    def _leave_people_as_they_are(self, items: Iterable[_Item], gone: set[bytes]) -> None:
        """Of known calls: redaction says what becomes of the person of some, and nothing is said of who left others."""
        for item in items:
            if item.facts.redacted or not gone.isdisjoint(item.digests):
                item.say_nothing_of_person()
            elif item.facts.started_at < self.lines.identities:
                item.leave_person_alone()

    def _finish_redaction(self, items: Sequence[_Item], ids: Mapping[int, uuid.UUID]) -> None:
        redacted = [item for item in items if item.facts.redacted]
        if redacted and redaction.finish(
            client=self.client, call_ids={ids[item.index] for item in redacted}, at=self.at
        ):
            for item in redacted:
                self.verdicts[item.index] = Taken.CHANGED

    def _without_erased(self, items: Sequence[_Item], gone: set[bytes]) -> list[_Item]:
        """
        Leave out calls that were erased singly, and news of calls that there are none of.

        `gone` was asked after `_known`: an erasure leaves its digest before it removes the row, so that whoever finds
        no row finds the digest.
        """
        left = []
        for item in items:
            if gone and not gone.isdisjoint(item.digests):
                self.verdicts[item.index] = Taken.ERASED
            elif item.facts.stage is Stage.ADDENDUM:
                self.verdicts[item.index] = Taken.EARLY
            else:
                left.append(item)
        return left

    def _load_calls(self, items: Iterable[_Item]) -> None:
        with connection.cursor() as cursor:
            self._copy(cursor, "intake_call", self._lines(items))

    def _lines(self, items: Iterable[_Item]) -> list[str]:
        text, way = _Escaped(), self.way
        lines = []
        for item in items:
            facts = item.facts
            caller_id, tracking_id = item.caller_id, item.tracking_id
            lines.append(
                f"{item.index}\t{item.new_id.hex}"
                f"\t{caller_id.hex if caller_id else _N}\t{facts.caller_withheld}"
                f"\t{tracking_id.hex if tracking_id else _N}"
                f"\t{facts.direction._value_ if facts.direction else _N}\t{rows.first_outcome(facts)}"
                f"\t{_or_null(facts.seconds)}\t{text[facts.source]}\t{text[facts.campaign]}\t{text[facts.medium]}"
                f"\t{facts.country}\t{facts.region}\t{_or_null(facts.first_call)}\t{_or_null(facts.qualified)}"
                f"\t{_or_null(facts.value_cents)}\t{_array(facts.tags) if facts.tags else '{}'}"
                f"\t{rows.first_sequence(facts, way)}"
                f"\t{item.recording_id.hex if item.recording else _N}"
                f"\t{f'\\\\x{item.recording.hex()}' if item.recording else _N}\t{_or_null(facts.recording_seconds)}\n"
            )
        return lines

    def _may_match(self, items: Iterable[_Item]) -> bool:
        """
        Whether any call of the client came by another way.

        Where all that is here is known by one kind of reference of this provider's, and so is what comes, whatever
        else may look alike is another call.
        """
        kinds = {kind for item in items for kind, _ in item.references}
        if len(kinds) > 1:
            return True
        (kind,) = kinds
        with connection.cursor() as cursor:
            for comparison in ("<", ">"):
                cursor.execute(
                    "SELECT 1 FROM calls_callref"
                    f" WHERE client_id = %s AND (provider, kind) {comparison} (%s, %s) LIMIT 1",
                    [self.client.pk, self.provider, kind],
                )
                if cursor.fetchone() is not None:
                    return True
        return False

    def _match(self, items: Sequence[_Item]) -> tuple[dict[int, uuid.UUID], set[int]]:
        """
        Look for calls that came by another way: (index -> call) of those that are the same beyond doubt, and the
        indexes of those that may be.

        The same: one call only, of that caller to that number, within two seconds, and as long. A call that this way
        in knows by another reference of the same kind is another call.
        """
        with connection.cursor() as cursor:
            cursor.execute(_PLAIN_JOINS)
            cursor.execute(_CANDIDATES, [self.client.pk])
            found = cursor.fetchall()
            cursor.execute(_ANY_JOINS)
            if not found:
                return {}, set()
            cursor.execute(
                "SELECT call_id, kind FROM calls_callref WHERE client_id = %s AND provider = %s AND call_id = ANY(%s)",
                [self.client.pk, self.provider, list({row[1] for row in found})],
            )
            kinds: dict[uuid.UUID, set[str]] = defaultdict(set)
            for identity, kind in cursor.fetchall():
                kinds[identity].add(kind)
        by_index = {item.index: item for item in items}
        candidates: dict[int, list[tuple[uuid.UUID, bool]]] = defaultdict(list)
        for index, identity, is_exact in found:
            own = {kind for kind, _ in by_index[index].references}
            if not own & kinds.get(identity, set()):
                candidates[index].append((identity, is_exact))
        same: dict[int, uuid.UUID] = {}
        claimed: set[uuid.UUID] = set()
        for index, choices in candidates.items():
            (identity, is_exact), *others = choices
            if is_exact and not others and identity not in claimed:
                same[index] = identity
                claimed.add(identity)
        return same, candidates.keys() - same.keys()

    def _add(self, items: Sequence[_Item], *, left_out: list[int]) -> None:
        if not items:
            return
        scope = [self.client.agency_id, self.client.pk]
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO calls_call (agency_id, client_id, connection_id, received_at, came_late, {_CALL})"
                f" SELECT %s, %s, %s, %s, %s, {_CALL} FROM intake_call WHERE index <> ALL(%s)",
                [*scope, self.connection_id, self.at, self.way is Way.IMPORT, left_out],
            )
            recorded = [item.recording_id for item in items if item.recording is not None]
            if recorded:
                cursor.execute(
                    "INSERT INTO calls_recording"
                    " (agency_id, client_id, state, provider, came_late, id, call_id, reference, seconds)"
                    " SELECT %s, %s, %s, %s, %s, recording_id, id, recording, recording_seconds FROM intake_call"
                    " WHERE recording_id IS NOT NULL AND index <> ALL(%s)",
                    [*scope, RecordingState.WITHHELD, self.provider, self.way is Way.IMPORT, left_out],
                )
                self.used.update(recorded)

    def _load_references(self, items: Iterable[_Item], ids: Mapping[int, uuid.UUID]) -> None:
        lines = [
            f"{ids[item.index].hex}\t{kind}\t\\\\x{digest.hex()}\n"
            for item in items
            if item.index in ids
            for kind, digest in item.references
        ]
        with connection.cursor() as cursor:
            self._copy(cursor, "intake_ref", lines)

    def _write_references(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO calls_callref (agency_id, client_id, provider, kind, digest, call_id)"
                " SELECT %s, %s, %s, kind, digest, call_id FROM intake_ref ON CONFLICT DO NOTHING",
                [self.client.agency_id, self.client.pk, self.provider],
            )

    def _write_presses(self, items: Iterable[_Item], ids: Mapping[int, uuid.UUID]) -> None:
        """
        What was pressed on these calls, each key of each menu once a call; what was there already stays as it is, but
        what only a file said and the tracker itself says now is looked at anew.

        No tracker says when in the call a key was pressed, so its moment is the call's start. A row that
        replaces another takes away what nobody has acted on yet and it does not name any more.
        """
        text, lines = _Escaped(), []
        for item in items:
            if item.index not in ids or not item.facts.presses or item.is_outdated:
                continue
            identity = ids[item.index]
            if item.facts.ranked:
                self._replace_presses(identity, item.facts.presses)
            at = start_of(identity).isoformat()
            lines += [
                f"{identity.hex}\t{text[name]}\t{text[key]}\t{at}\n" for name, key in item.facts.presses
            ]
        if not lines:
            return
        with connection.cursor() as cursor:
            # One statement may update no row twice.
            self._copy(cursor, "intake_press", list(dict.fromkeys(lines)))
            cursor.execute(
                "INSERT INTO calls_callpress (agency_id, client_id, call_id, name, value, at, from_file)"
                " SELECT %s::bigint, %s::bigint, call_id, name, value, at, %s::boolean FROM intake_press"
                " ON CONFLICT (client_id, call_id, name, value) DO UPDATE SET from_file = false, handled_at = NULL"
                " WHERE calls_callpress.from_file AND NOT excluded.from_file",
                [self.client.agency_id, self.client.pk, self.way is Way.IMPORT],
            )

    def _replace_presses(self, identity: uuid.UUID, presses: Collection[tuple[str, str]]) -> None:
        stale = [
            row.pk
            for row in CallPress.objects.for_client(self.client).filter(call_id=identity, handled_at=None)
            if (row.name, row.value) not in presses
        ]
        CallPress.objects.for_client(self.client).filter(pk__in=stale).remove()

    def _note_latest(self) -> None:
        """Remember when the client's latest call was, for whoever asks which clients have gone silent."""
        counted = (Taken.ADDED, Taken.DOUBTFUL)
        starts = [item.facts.started_at for item in self.items if self.verdicts[item.index] in counted]
        if starts:
            latest = max(starts)
            silent = Q(last_call_at__isnull=True) | Q(last_call_at__lt=latest)
            Client.objects.filter(silent, pk=self.client.pk).update(last_call_at=latest)

    # --- Calls that are known -------------------------------------------------------------------------------

    def _update(self, items: Sequence[_Item], known: Mapping[int, uuid.UUID]) -> dict[int, uuid.UUID]:
        """Bring known calls up to date; returns index -> the id that the call has now."""
        if not items:
            return {}
        columns = ", ".join(f"c.{name}" for name in rows.COLUMNS)
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT c.on_hold, {columns}, r.id, r.seconds"
                " FROM calls_call c LEFT JOIN calls_recording r ON r.call_id = c.id"
                " WHERE c.client_id = %s AND c.id = ANY(%s::uuid[]) FOR UPDATE OF c",
                [self.client.pk, _uuids(set(known.values()))],
            )
            found = [(on_hold, Kept(*row)) for on_hold, *row in cursor.fetchall()]
            stored = {row.id: row for _, row in found}
            held = {row.id for on_hold, row in found if on_hold}
        ids: dict[int, uuid.UUID] = {}
        changed: dict[uuid.UUID, Kept] = {}
        moves: dict[uuid.UUID, uuid.UUID] = {}
        undecided: set[uuid.UUID] = set()
        for item in items:
            identity = known[item.index]
            before = stored.get(identity)
            if before is None:
                self.verdicts[item.index] = Taken.ERASED
                continue
            item.is_outdated = rows.is_outdated(before, item.facts)
            after, overruled = rows.updated(
                before,
                item.facts,
                way=self.way,
                caller_id=item.caller_id,
                tracking_number_id=item.tracking_id,
            )
            after, recorded = self._update_recording(before, after, item)
            moved = self._moved(moves.get(identity, identity), item)
            if identity in held:
                # A hold knows a call by its id, its time and its caller: no news takes it out of the hold.
                after, moved = _of_the_same(before, after), None
            if moved is not None:
                moves[identity] = moved
            if after != before:
                changed[identity] = stored[identity] = after
            if moved is not None or any(
                getattr(after, name) != getattr(before, name) for name in _DECIDED_BY
            ):
                undecided.add(identity)
            filled = any(getattr(after, name) != getattr(before, name) for name in rows.COLUMNS[1:-1])
            if overruled or moved is not None or recorded is Taken.CHANGED:
                self.verdicts[item.index] = Taken.CHANGED
            else:
                self.verdicts[item.index] = Taken.FILLED if filled else recorded
            ids[item.index] = identity
        self._write_changes(list(changed.values()))
        for old, new in moves.items():
            self._move(old, new)
        self._have_decided_anew({moves.get(identity, identity) for identity in undecided})
        return {index: moves.get(identity, identity) for index, identity in ids.items()}

    def _have_decided_anew(self, call_ids: set[uuid.UUID]) -> None:
        """What is known of these calls has changed, and with it perhaps whether they may be heard."""
        if not call_ids:
            return
        with connection.cursor() as cursor:
            for table in ("calls_recording", "calls_transcript"):
                cursor.execute(
                    f"UPDATE {table} SET decided_at = NULL WHERE client_id = %s AND call_id = ANY(%s::uuid[])"
                    " AND decided_at IS NOT NULL AND state <> 'gone'",
                    [self.client.pk, _uuids(call_ids)],
                )

    def _moved(self, identity: uuid.UUID, item: _Item) -> uuid.UUID | None:
        """The id of a call whose tracker now says that it started earlier; its random part stays."""
        speaks = self.way is Way.HOOK or item.facts.ranked
        if not speaks or item.facts.stage in {Stage.ADDENDUM, Stage.MODIFIED}:
            return None
        ms = (item.facts.started_at - _EPOCH) // _MILLISECOND
        if ms >= identity.int >> 80:
            return None
        return uuid.UUID(int=ms << 80 | identity.int & ((1 << 80) - 1))

    def _move(self, old: uuid.UUID, new: uuid.UUID) -> None:
        """Give a call another id, and what hangs on it: in one statement, at whose end the keys between them hold."""
        moved = [
            f"{table} AS (UPDATE calls_{table} SET call_id = %s WHERE client_id = %s AND call_id = %s)"
            for table in _HANGING
        ]
        with connection.cursor() as cursor:
            cursor.execute(
                f"WITH {', '.join(moved)} UPDATE calls_call SET id = %s WHERE client_id = %s AND id = %s",
                [new, self.client.pk, old] * (len(moved) + 1),
            )

    def _update_recording(self, before: Kept, after: Kept, item: _Item) -> tuple[Kept, Taken]:
        """Add a recording that there was none of; where there is one, a tracker may change where it is."""
        if before.recording_id is None:
            if item.recording is None or not item.new_recording:
                return replace(after, recording_seconds=None), Taken.KNOWN
            Recording.objects.create(
                pk=item.recording_id,
                agency_id=self.client.agency_id,
                client_id=self.client.pk,
                call_id=before.id,
                reference=item.recording,
                provider=self.provider,
                seconds=after.recording_seconds,
                came_late=self.way is Way.IMPORT,
            )
            self.used.add(item.recording_id)
            return replace(after, recording_id=item.recording_id), Taken.FILLED
        changes: dict[str, Any] = {}
        if before.recording_seconds != after.recording_seconds:
            changes["seconds"] = after.recording_seconds
        may_move = self.way is Way.HOOK or (item.facts.ranked and not item.is_outdated)
        if may_move and item.recording is not None:
            old = Recording.objects.get(pk=before.recording_id)
            # No key: an erasing run is between the key and the row, which it removes in a moment.
            key = vault_selectors.recording_keys(self.client.pk, [old.pk]).get(old.pk)
            address = item.facts.recording_reference or ""
            if key is not None and old.reference.reveal(key) != address:
                # The item's own may be sealed under a key of its own, from before another row of its batch came in.
                changes["reference"] = key.seal(
                    address.encode(), Place(self.client.pk, "calls_recording", "reference", old.pk)
                )
        if not changes:
            return after, Taken.KNOWN
        Recording.objects.filter(pk=before.recording_id).update(**changes)
        is_change = "reference" in changes or before.recording_seconds is not None
        return after, Taken.CHANGED if is_change else Taken.FILLED

    def _write_changes(self, changed: Sequence[Kept]) -> None:
        if not changed:
            return
        text = _Escaped()
        lines = [
            f"0\t{row.id.hex}\t{row.caller_id.hex if row.caller_id else _N}\t{row.caller_withheld}"
            f"\t{row.tracking_number_id.hex if row.tracking_number_id else _N}\t{row.direction}\t{row.outcome}"
            f"\t{_or_null(row.seconds)}\t{text[row.source]}\t{text[row.campaign]}\t{text[row.medium]}"
            f"\t{row.country}\t{row.region}\t{_or_null(row.first_call)}\t{_or_null(row.qualified)}"
            f"\t{_or_null(row.value_cents)}\t{_array(row.tags)}\t{row.sequence}\t{_N}\t{_N}\t{_N}\n"
            for row in changed
        ]
        with connection.cursor() as cursor:
            self._copy(cursor, "intake_call", lines)
            names = rows.COLUMNS[1:]
            cursor.execute(
                f"UPDATE calls_call AS c SET {', '.join(f'{name} = t.{name}' for name in names)}"
                " FROM intake_call AS t WHERE c.client_id = %s AND c.id = t.id",
                [self.client.pk],
            )


def _of_the_same(before: Kept, after: Kept) -> Kept:
    """The row after some news, of whom it was of before; where that was nobody, news may say who."""
    if before.caller_id is None:
        return after
    return replace(after, caller_id=before.caller_id, caller_withheld=before.caller_withheld)


# --- SQL ----------------------------------------------------------------------------------------------------

_N: Final = "\\N"
_HANGING: Final = ("callref", "recording", "reveal")
# What of a call decides whether it may be heard.
_DECIDED_BY: Final = ("caller_id", "tracking_number_id", "seconds", "outcome", "country", "region")
_CALL: Final = ", ".join(rows.COLUMNS)
_TABLES: Final = """
    CREATE TEMPORARY TABLE IF NOT EXISTS intake_caller
        (id uuid, number bytea, country text, region text) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS intake_ref
        (call_id uuid, kind text, digest bytea) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS intake_press
        (call_id uuid, name text, value text, at timestamptz) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS intake_call
        (index integer, id uuid, caller_id uuid, caller_withheld boolean, tracking_number_id uuid, direction text,
         outcome text, seconds integer, source text, campaign text, medium text, country text, region text,
         first_call boolean, qualified boolean, value_cents bigint, tags text[], sequence bigint,
         recording_id uuid, recording bytea, recording_seconds integer) ON COMMIT DELETE ROWS;
"""
# Each row asks for the few calls within two seconds of it, by the index on (client, id); nothing else is as quick
# whatever the planner believes of a table that it has never seen.
_PLAIN_JOINS: Final = (
    "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off"
)
_ANY_JOINS: Final = (
    "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; SET LOCAL enable_seqscan = on"
)
# One probe of the index a reference, for the same reason.
_ANY_KNOWN: Final = """
    SELECT EXISTS (SELECT FROM intake_ref t, LATERAL (
        SELECT FROM calls_callref r
         WHERE r.client_id = %s AND r.provider = %s AND r.kind = t.kind AND r.digest = t.digest LIMIT 1) known)
"""
# A call's id begins with its start in milliseconds.
_CANDIDATES: Final = f"""
    SELECT t.index, c.id,
           coalesce(t.caller_id = c.caller_id AND t.tracking_number_id = c.tracking_number_id
                    AND t.seconds = c.seconds, false)
      FROM intake_call t, LATERAL (
           SELECT ('x' || left(replace(t.id::text, '-', ''), 12))::bit(48)::bigint AS ms OFFSET 0) s, LATERAL (
           SELECT id, caller_id, caller_withheld, tracking_number_id, seconds FROM calls_call
            WHERE client_id = %s AND id >= (lpad(to_hex(s.ms - {_CLOSE_MS}), 12, '0') || repeat('0', 20))::uuid
              AND id < (lpad(to_hex(s.ms + {_CLOSE_MS} + 1), 12, '0') || repeat('0', 20))::uuid OFFSET 0) c
     WHERE (t.tracking_number_id = c.tracking_number_id
            OR t.tracking_number_id IS NULL OR c.tracking_number_id IS NULL)
       AND (t.caller_id = c.caller_id
            OR t.caller_withheld AND c.caller_withheld AND t.seconds = c.seconds
               AND t.tracking_number_id = c.tracking_number_id)
"""


def _uuids(ids: Iterable[uuid.UUID]) -> str:
    """An array of ids as PostgreSQL reads it; a list of thousands takes the driver much longer."""
    return "{" + ",".join([identity.hex for identity in ids]) + "}"


def _or_null(value: object) -> object:
    return _N if value is None else value


class _Escaped(dict[str, str]):
    """Texts as COPY reads them; the same few come again and again."""

    def __missing__(self, raw: str) -> str:
        value = raw.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
        self[raw] = value
        return value


def _array(values: Sequence[str]) -> str:
    """A text array as COPY reads it."""
    quoted = ",".join('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    return ("{" + quoted + "}").replace("\\", "\\\\")
