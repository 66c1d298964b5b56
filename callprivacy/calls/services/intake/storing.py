"""In the client's turn: one transaction that looks again what is known, and writes."""

# ruff: noqa: S608  names put into SQL are constants of this package

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from django.db import IntegrityError, connection
from django.db.models import Q

from callprivacy.calls.enums import RecordingState
from callprivacy.calls.models import CallPress, start_of
from callprivacy.calls.providers.base import Stage
from callprivacy.calls.services import confidential_rules, redaction
from callprivacy.calls.services import kept as rows
from callprivacy.calls.services.intake import held_back
from callprivacy.calls.services.intake.batch import (
    Batch,
    find_erased_starts,
    find_known,
    leave_out_erased,
    leave_out_people,
)
from callprivacy.calls.services.intake.items import Item, Taken
from callprivacy.calls.services.intake.lines import lines_of
from callprivacy.calls.services.intake.loading import (
    TABLES,
    Escaped,
    fill,
    find_tracking_numbers,
    load_ahead,
    load_callers,
    load_calls,
    load_references,
)
from callprivacy.calls.services.intake.matching import match_calls, may_match
from callprivacy.calls.services.intake.updating import bring_up_to_date
from callprivacy.calls.services.kept import Way
from callprivacy.calls.services.turns import lock_client
from callprivacy.lib import phone
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.services import CallerGoneError

_CALL: Final = ", ".join(rows.COLUMNS)
# The hours of these recordings are those of calls that the same transaction adds; reports need no second word of them.
_CALLS_TOUCH_ALL: Final = "SET LOCAL callprivacy.calls_touch = 'all'"
_EACH_TOUCHES: Final = "SET LOCAL callprivacy.calls_touch = ''"

type Alongside = Callable[[Sequence[Taken]], None]
type Turn = Callable[[], object]
type Statement = tuple[str, list[Any]]


class _NotAsLoadedError(Exception):
    """Something of the batch is here already, or is to be left out."""


class Prepared(Batch):
    """A batch whose keys are stored and whose values are sealed. `store` writes it, once."""

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
            _begin_redaction(self)
            while not written:
                try:
                    self._write(alongside, turn, is_repeated=is_repeated)
                    written = True
                except _NotAsLoadedError:
                    self.is_all_new, self.loaded, self.used = False, [], set()
        finally:
            # Where the commit itself failed nobody knows whether rows rest on the keys: then they stay.
            if not written:
                self.give_back()
        if len(self.used) < len(self.unused):
            self.unused = [identity for identity in self.unused if identity not in self.used]
            self.give_back()
        redaction.entomb(
            client=self.client,
            digests=[digest for item in self.redacted() for digest in item.digests],
            at=self.at,
        )
        return self.verdicts

    def _write(self, alongside: Alongside | None, turn: Turn | None, *, is_repeated: bool) -> None:
        """
        Do it in one transaction.

        :raises _NotAsLoadedError: it is to be looked at call by call, in another one; this one left nothing.
        """
        with (
            vault.holding_callers(client_id=self.client.pk, caller_ids=list(self.callers)),
            job_scope(agency_id=self.client.agency_id),
        ):
            if is_repeated and not self.redacted():
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL synchronous_commit = off")
            if self.is_all_new:
                load_ahead(self)
            if turn is not None:
                turn()
            _write_batch(self)
            if alongside is not None:
                alongside(self.verdicts)


def _begin_redaction(batch: Batch) -> None:
    """What can be done for calls that are here before the rows are touched: the intent, and the vault's part."""
    redacted = batch.redacted()
    if not redacted:
        return
    with job_scope(agency_id=batch.client.agency_id):
        known = find_known(batch, redacted)
    if known:
        redaction.begin(client=batch.client, call_ids=set(known.values()), at=batch.at)


def _write_batch(batch: Batch) -> None:
    if not batch.items:
        return
    lock_client(batch.client.pk)
    _leave_out_expired(batch)
    if not batch.items:
        return
    held_back.look_again(batch)
    if not batch.loaded:
        with connection.cursor() as cursor:
            cursor.execute(TABLES)
    waves: dict[int, list[Item]] = defaultdict(list)
    for item in batch.items:
        waves[item.wave].append(item)
    if not batch.loaded:
        load_callers(batch)
    _write_callers(batch)
    _write_tracking_numbers(batch)
    for wave in sorted(waves):
        _write_wave(batch, waves[wave])
    confidential_rules.mark_arrived(client=batch.client, caller_ids=batch.callers, at=batch.at)
    _note_latest(batch)


def _leave_out_expired(batch: Batch) -> None:
    """Look again where the line stands: a run may have erased, since we prepared, what we would bring back."""
    lines = lines_of(batch.client, at=batch.at)
    if (lines.recordings, lines.identities) != (batch.lines.recordings, batch.lines.identities):
        raise CallerGoneError("What is taken of old calls has changed.")
    _look_for_erased(batch)
    if lines == batch.lines:
        return
    kept = [item for item in batch.items if not lines.refuse(item.facts)]
    if len(kept) == len(batch.items):
        return
    for item in batch.items:
        if lines.refuse(item.facts):
            batch.verdicts[item.index] = Taken.TOO_OLD
    batch.items, batch.loaded = kept, []
    named = {item.caller_id for item in kept}
    batch.callers = {caller_id: number for caller_id, number in batch.callers.items() if caller_id in named}


def _look_for_erased(batch: Batch) -> None:
    """
    Ask again for those who were made anew here: whoever was erased since we asked left a tombstone before that.

    :raises CallerGoneError: somebody was; prepare again.
    """
    fresh = batch.issued.fresh
    erased = vault_selectors.erased_up_to(batch.client.pk, fresh) if fresh else {}
    for item in batch.items if erased else ():
        if item.facts.caller in erased and item.facts.started_at <= erased[item.facts.caller]:
            raise CallerGoneError("Somebody was erased meanwhile.")


def _write_callers(batch: Batch) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO calls_caller (id, agency_id, client_id, number, country, region, created_at)"
            " SELECT id, %s, %s, number, country, region, %s FROM intake_caller ON CONFLICT DO NOTHING",
            [batch.client.agency_id, batch.client.pk, batch.at],
        )


def _write_tracking_numbers(batch: Batch) -> None:
    missing = sorted(find_tracking_numbers(batch)) if not batch.loaded else []
    if missing:
        places = [phone.place_of(number)[1] for number in missing]
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO calls_trackingnumber (id, agency_id, client_id, number, label, provider, source,"
                " campaign, target_site, region, announcement, created_at)"
                " SELECT gen_random_uuid(), %s, %s, number, '', %s, '', '', '', region, '', %s"
                " FROM unnest(%s::text[], %s::text[]) AS fresh (number, region) ON CONFLICT DO NOTHING",
                [batch.client.agency_id, batch.client.pk, batch.provider, batch.at, missing, places],
            )
        find_tracking_numbers(batch)


def _add_as_loaded(batch: Batch, items: Sequence[Item]) -> bool:
    """
    Add a batch as it was loaded ahead; False, and nothing written, where calls of other ways are to be looked at.

    Whether one of its calls is here the unique key of the references says: nobody asks before. Tombstones are looked
    for when no row stood in the way: an erasure leaves its digest before it removes the row. There is no savepoint to
    go back to: the keys between the tables look twice at rows that a transaction within ours has added (`rls`).

    :raises _NotAsLoadedError: one is here, or has a tombstone; the transaction is to be begun anew.
    """
    if (
        batch.redacted()
        or any(item.facts.stage is Stage.ADDENDUM for item in items)
        or may_match(batch, items)
    ):
        return False
    try:
        _run(
            [
                (_CALLS_TOUCH_ALL, []),
                *_adding_calls(batch, items, left_out=[]),
                (_EACH_TOUCHES, []),
                _writing_references(batch, are_new=True),
            ]
        )
    except IntegrityError:
        raise _NotAsLoadedError from None
    if vault_selectors.entombed(batch.client.pk, [one for item in items for one in item.digests]):
        raise _NotAsLoadedError
    if find_erased_starts(batch, items):
        raise _NotAsLoadedError
    for item in items:
        batch.verdicts[item.index] = Taken.ADDED
    _write_presses(batch, items, {item.index: item.new_id for item in items})
    return True


def _write_wave(batch: Batch, items: Sequence[Item]) -> None:
    """Facts of different calls: those known are brought up to date, the others are matched or added."""
    if batch.loaded and _add_as_loaded(batch, items):
        return
    known = find_known(batch, items)
    gone = leave_out_people(batch, items)
    if known or gone:
        batch.loaded = []
    _leave_people_as_they_are(batch, [item for item in items if item.index in known], gone)
    unknown = [item for item in items if item.index not in known]
    unknown = _without_erased(batch, unknown, gone)
    added: list[Item] = unknown
    if len(unknown) < len(batch.loaded):
        batch.loaded = []
    if unknown:
        if not batch.loaded:
            load_calls(batch, unknown)
        same, doubtful = match_calls(batch, unknown) if may_match(batch, unknown) else ({}, set())
        gone_too = _again_under_other_names(batch, unknown)
        same = {index: identity for index, identity in same.items() if index not in gone_too}
        if same or gone_too:
            batch.loaded = []
        known |= same
        added = [item for item in unknown if item.index not in same and item.index not in gone_too]
        if added:
            _run(_adding_calls(batch, added, left_out=[*same, *gone_too]))
        for item in added:
            batch.verdicts[item.index] = Taken.DOUBTFUL if item.index in doubtful else Taken.ADDED
    ids = {item.index: item.new_id for item in added} | bring_up_to_date(
        batch, [item for item in items if item.index in known], known
    )
    _finish_redaction(batch, [item for item in items if item.index in known and item.index in ids], ids)
    if not batch.loaded:
        load_references(batch, items, ids)
    _run([_writing_references(batch)])
    _write_presses(batch, items, ids)


def _leave_people_as_they_are(batch: Batch, items: Iterable[Item], gone: set[bytes]) -> None:
    """Of known calls: redaction says what becomes of the person of some, and nothing is said of who left others."""
    for item in items:
        if item.facts.redacted or not gone.isdisjoint(item.digests):
            item.say_nothing_of_person()
        elif item.facts.started_at < batch.lines.identities:
            item.leave_person_alone()


def _finish_redaction(batch: Batch, items: Sequence[Item], ids: Mapping[int, uuid.UUID]) -> None:
    redacted = [item for item in items if item.facts.redacted]
    if redacted and redaction.finish(
        client=batch.client, call_ids={ids[item.index] for item in redacted}, at=batch.at
    ):
        for item in redacted:
            batch.verdicts[item.index] = Taken.CHANGED


def _without_erased(batch: Batch, items: Sequence[Item], gone: set[bytes]) -> list[Item]:
    """
    Leave out calls that were erased on request, and news of calls that there are none of.

    `gone` was asked after `find_known`: an erasure leaves its digest before it removes the row, so that whoever finds
    no row finds the digest.
    """
    left = []
    for item in items:
        if gone and not gone.isdisjoint(item.digests):
            batch.verdicts[item.index] = Taken.ERASED
        elif item.facts.stage is Stage.ADDENDUM:
            batch.verdicts[item.index] = Taken.EARLY
        else:
            left.append(item)
    return left


def _again_under_other_names(batch: Batch, items: Sequence[Item]) -> set[int]:
    """
    Leave out calls that were erased and come again under names that we never had; returns their indexes.

    Asked after the calls that they might be were looked for: an erasure leaves its starts before it removes the row.
    """
    erased = find_erased_starts(batch, items)
    if erased:
        leave_out_erased(batch, erased)
    return {item.index for item in erased}


def _run(statements: Sequence[Statement]) -> None:
    """Have statements run one after the other, by one way to the server and back."""
    with connection.cursor() as cursor:
        cursor.execute(
            "; ".join(text for text, _ in statements), [one for _, values in statements for one in values]
        )


def _adding_calls(batch: Batch, items: Sequence[Item], *, left_out: list[int]) -> list[Statement]:
    """Statements that add what was loaded: calls, and the recordings that came with them."""
    if not items:
        return []
    scope = [batch.client.agency_id, batch.client.pk]
    came_late = batch.way is Way.IMPORT
    calls = (
        f"INSERT INTO calls_call (agency_id, client_id, connection_id, received_at, came_late, {_CALL})"
        f" SELECT %s, %s, %s, %s, %s, {_CALL} FROM intake_call WHERE index <> ALL(%s)"
    )
    statements: list[Statement] = [(calls, [*scope, batch.connection_id, batch.at, came_late, left_out])]
    recorded = [item.recording_id for item in items if item.recording is not None]
    if recorded:
        recordings = (
            "INSERT INTO calls_recording"
            " (agency_id, client_id, state, provider, came_late, id, call_id, reference, seconds)"
            " SELECT %s, %s, %s, %s, %s, recording_id, id, recording, recording_seconds FROM intake_call"
            " WHERE recording_id IS NOT NULL AND index <> ALL(%s)"
        )
        state = RecordingState.WITHHELD
        statements.append((recordings, [*scope, state, batch.provider, came_late, left_out]))
        batch.used.update(recorded)
    return statements


def _writing_references(batch: Batch, *, are_new: bool = False) -> Statement:
    text = (
        "INSERT INTO calls_callref (agency_id, client_id, provider, kind, digest, call_id)"
        " SELECT %s, %s, %s, kind, digest, call_id FROM intake_ref"
    )
    known = "" if are_new else " ON CONFLICT DO NOTHING"
    return text + known, [batch.client.agency_id, batch.client.pk, batch.provider]


def _write_presses(batch: Batch, items: Iterable[Item], ids: Mapping[int, uuid.UUID]) -> None:
    """
    What was pressed on these calls, each key of each menu once a call; what was there already stays as it is, but
    what only a file said and the tracker itself says now is looked at anew.

    No tracker says when in the call a key was pressed, so its moment is the call's start. A row that
    replaces another takes away what nobody has acted on yet and it does not name any more.
    """
    text, lines = Escaped(), []
    for item in items:
        if item.index not in ids or not item.facts.presses or item.is_outdated:
            continue
        identity = ids[item.index]
        if item.facts.ranked:
            _replace_presses(batch, identity, item.facts.presses)
        at = start_of(identity).isoformat()
        lines += [f"{identity.hex}\t{text[name]}\t{text[key]}\t{at}\n" for name, key in item.facts.presses]
    if not lines:
        return
    with connection.cursor() as cursor:
        # One statement may update no row twice.
        fill(cursor, "intake_press", list(dict.fromkeys(lines)))
        cursor.execute(
            "INSERT INTO calls_callpress (agency_id, client_id, call_id, name, value, at, from_file)"
            " SELECT %s::bigint, %s::bigint, call_id, name, value, at, %s::boolean FROM intake_press"
            " ON CONFLICT (client_id, call_id, name, value) DO UPDATE SET from_file = false, handled_at = NULL"
            " WHERE calls_callpress.from_file AND NOT excluded.from_file",
            [batch.client.agency_id, batch.client.pk, batch.way is Way.IMPORT],
        )


def _replace_presses(batch: Batch, identity: uuid.UUID, presses: Collection[tuple[str, str]]) -> None:
    stale = [
        row.pk
        for row in CallPress.objects.for_client(batch.client).filter(call_id=identity, handled_at=None)
        if (row.name, row.value) not in presses
    ]
    CallPress.objects.for_client(batch.client).filter(pk__in=stale).remove()


def _note_latest(batch: Batch) -> None:
    """Remember when the client's latest call was, for whoever asks which clients have gone silent."""
    counted = (Taken.ADDED, Taken.DOUBTFUL)
    starts = [item.facts.started_at for item in batch.items if batch.verdicts[item.index] in counted]
    if starts:
        latest = max(starts)
        silent = Q(last_call_at__isnull=True) | Q(last_call_at__lt=latest)
        Client.objects.filter(silent, pk=batch.client.pk).update(last_call_at=latest)
