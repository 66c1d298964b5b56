"""
Calls on their way through a telephone menu: what Twilio is told to do, what goes into the ledger, and the stop of a
recording that runs.

Each question of Twilio's is answered in one transaction with what it leaves in the ledger, so that no recording
starts whose consent was not written down. Asked twice, it is answered twice and written down once. Where anything
fails, whoever calls us falls back on connecting the caller unrecorded.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import F, Q, QuerySet

from callprivacy.audit import services as audit
from callprivacy.calls.models import Connection
from callprivacy.calls.services import people
from callprivacy.calls.services.intake import TRACK
from callprivacy.lib import pauses
from callprivacy.lib.logs import logger
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.fields import Sealed
from callprivacy.vault.sealing import Key, Place, SealBrokenError
from consent import menu as machine
from consent.channels import twilio, twiml
from consent.enums import (
    NO_KINDS,
    Basis,
    Channel,
    EventKind,
    Language,
    Purpose,
    Scope,
    Strength,
    VendorStep,
    WaitingState,
)
from consent.models import MenuSession, NoticeVersion, PhoneMenu, VendorTask, Withdrawal
from consent.selectors import menus
from consent.selectors import withdrawals as board
from consent.services import ledger, twilio_door, withdrawals
from consent.services.ledger import Said
from consent.services.twilio_door import Door

log = logger(__name__)

ERRAND: Final = "errand"
"""The client's purpose key for what a vendor needs to find a thing by."""

JOB: Final = Actor.job("consent.stop_recordings")
RUNS_AT_MOST: Final = timedelta(hours=4)
"""The longest call of Twilio's (`timeLimit`); a session that nobody ended does not run longer."""

KEPT_FOR: Final = timedelta(days=30)
_STOP_WITHIN: Final = timedelta(minutes=1)
_DELETE_WITHIN: Final = timedelta(minutes=15)
_OUTER: Final = timedelta(days=1)
_AT_ONCE: Final = "A withdrawal ends a recording at once."
_LEASE: Final = timedelta(minutes=2)
_FIRST_PAUSE: Final = timedelta(seconds=10)
_LONGEST_PAUSE: Final = timedelta(hours=1)
_TRIED_AT_MOST: Final = 24
_ANSWERED: Final = frozenset({"completed", "answered"})
_OVER: Final = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
_STEPS: Final = (VendorStep.STOP_RECORDING, VendorStep.DELETE_RECORDING)


class NoMenuError(LookupError):
    """The number that was called has no menu; Twilio falls back on what is set for the number there."""


class NoCallError(ValueError):
    """It names no call, or one that never came to a menu."""


# --- What Twilio asks ---


def answer(*, door: Door, at: datetime) -> twiml.Script:
    """
    A call has come in: speak the notice and the keys, or connect the caller where there is nothing to ask.

    :raises NoMenuError: the number that was called has no menu.
    :raises NoCallError: it names no call.
    """
    sid = _call_of(door)
    menu = _menu_of(door)
    session = _session_of(door, sid)
    if session is not None:
        return _again(session)
    words = menus.words_of(menu)
    if not menu.is_active or Language(menu.language) not in words.versions:
        log.warning("menu.silent", menu=str(menu.pk), active=menu.is_active)
        return _script(menu, words, (machine.Dial(machine.Line.FORWARD),), asked=0)
    number = twilio.number_of(door.said.get("From", ""))
    untracked = number is not None and _is_untracked(door.client, number, at)
    caller_id = None if untracked else _caller_of(door.client, number, at)
    # Of an untracked number no wish can be kept with a caller: it is connected as if it had said "never".
    never = untracked or _said_never(door.client, caller_id, at)
    state = machine.State(known=caller_id is not None, never=never)
    turn = machine.step(menus.plan_of(menu, words), state, machine.CALL)
    session = MenuSession(
        agency_id=door.client.agency_id,
        client=door.client,
        menu=menu,
        caller_id=caller_id,
        call_digest=door.digest(twilio.SID, sid),
        version=words.versions[turn.state.language],
        step=turn.state.packed(),
        verification=twilio.verification_of(door.said.get("StirVerstat", "")),
        started_at=at,
    )
    session.vendor_call = _errand_key(door.client, at).seal(sid.encode(), _place(session, "vendor_call"))
    MenuSession.objects.bulk_create([session], ignore_conflicts=True)
    return _script(menu, words, turn.actions, asked=turn.state.asked)


def press(*, door: Door, asked: int, at: datetime) -> twiml.Script:
    """
    A key was pressed after the notice had been spoken for the `asked`th time, or none in time.

    :raises NoCallError: it names no call that came to a menu.
    """
    session = _held(door)
    state = _state(session)
    if state.step is not machine.Step.ASKED or state.asked != asked:
        return _again(session)
    digit = door.said.get("Digits", "")
    happened = digit if len(digit) == 1 and digit in machine.DIGITS else machine.SILENCE
    return _go(session, state, happened, door, at)


def line_ended(*, door: Door, at: datetime) -> twiml.Script:
    """
    The line that the caller was connected to has hung up, or did not answer.

    :raises NoCallError: it names no call that came to a menu.
    """
    session = _session_of(door, _call_of(door), lock=True)
    answered = door.said.get("DialCallStatus", "") in _ANSWERED
    if session is None:
        # A call that was connected without a question leaves no session.
        said: tuple[machine.Action, ...] = (machine.HangUp(),)
        return _script(_menu_of(door), menus.Words({}), said, asked=0)
    happened = machine.ANSWERED if answered else machine.UNANSWERED
    state = _state(session)
    if state.step in {machine.Step.ASKED, machine.Step.ENDED}:
        return _again(session)
    return _go(session, state, happened, door, at)


def note_status(*, door: Door, at: datetime) -> None:
    """A call has ended: who hung up before a key agreed to nothing, and nothing of it runs any more."""
    if door.said.get("ParentCallSid") or door.said.get("CallStatus") not in _OVER:
        return
    session = _session_of(door, _call_of(door), lock=True)
    if session is None or session.ended_at is not None:
        return
    state = _state(session)
    turn = machine.step(_plan(session), state, machine.HANG_UP)
    _write(session, state, turn, happened=machine.HANG_UP, door=door, at=at)
    session.step, session.ended_at, session.is_recording = turn.state.packed(), at, False
    session.save(update_fields=["step", "ended_at", "is_recording"])


def note_recording(*, door: Door, at: datetime) -> None:
    """Remember what Twilio calls the recording, for the day when it is to be stopped or deleted."""
    recording = door.said.get("RecordingSid", "")
    session = _session_of(door, _call_of(door), lock=True)
    if session is None or not twilio.is_recording(recording):
        return
    session.vendor_recording = _sealed_recording(session, recording, at)
    changed = ["vendor_recording"]
    if door.said.get("RecordingStatus") == "completed" and session.is_recording:
        session.is_recording = False
        changed.append("is_recording")
    session.save(update_fields=changed)
    if session.stopped_at is not None:
        _name_recording(session, recording, at)


def forward_line(*, door: Door) -> str:
    """
    Where a caller goes when nothing else can be done.

    :raises NoMenuError: the number that was called has no menu.
    """
    return _menu_of(door).forward_to


# --- Inside ---


def _call_of(door: Door) -> str:
    sid = door.said.get("CallSid", "")
    if not twilio.is_call(sid):
        raise NoCallError("A call of Twilio has a CallSid.")
    return sid


def _menu_of(door: Door) -> PhoneMenu:
    number = door.tracking_number()
    menu = (
        PhoneMenu.objects.for_client(door.client)
        .filter(tracking_number=number, connection=door.connection)
        .select_related("client", "tracking_number")
        .first()
        if number is not None
        else None
    )
    if menu is None:
        raise NoMenuError("No menu answers this number.")
    return menu


def _session_of(door: Door, sid: str, *, lock: bool = False) -> MenuSession | None:
    rows = MenuSession.objects.for_client(door.client).filter(call_digest=door.digest(twilio.SID, sid))
    if lock:
        rows = rows.select_for_update(of=("self",))
    return rows.select_related("menu", "client", "version", "version__notice").first()


def _held(door: Door) -> MenuSession:
    session = _session_of(door, _call_of(door), lock=True)
    if session is None:
        raise NoCallError("This call never came to a menu.")
    return session


def _state(session: MenuSession) -> machine.State:
    return machine.State.unpacked(session.step, known=session.caller_id is not None)


def _plan(session: MenuSession) -> machine.Plan:
    return menus.plan_of(session.menu, menus.words_of(session.menu))


def _said_never(client: Client, caller_id: uuid.UUID | None, at: datetime) -> bool:
    """Whether the caller has said no to being recorded at this client: then nobody asks again."""
    return caller_id is not None and Purpose.RECORD in ledger.noes_of(client, caller_id, at=at)


def _is_untracked(client: Client, number: str, at: datetime) -> bool:
    """Whether the person of a number said that its calls are not to be tracked."""
    return TRACK in vault_selectors.suppressed(client.pk, [number], on=at.date()).get(number, {})


def _caller_of(client: Client, number: str | None, at: datetime) -> uuid.UUID | None:
    """Whose call it is; nobody's where the number is withheld."""
    return None if number is None else people.add_callers(client=client, numbers=[number], at=at)[number]


def _go(session: MenuSession, state: machine.State, happened: str, door: Door, at: datetime) -> twiml.Script:
    """Take one step: write it down, remember where the call stands, and say what is done next."""
    words = menus.words_of(session.menu)
    plan = menus.plan_of(session.menu, words)
    turn = machine.step(plan, state, happened)
    _write(session, state, turn, happened=happened, door=door, at=at)
    if machine.Record() in turn.actions and _said_no_since(session, at):
        turn = machine.unrecorded(plan, turn.state)
    session.step = turn.state.packed()
    if happened in machine.DIGITS:
        session.pressed = (session.pressed + happened)[:10]
    if machine.Record() in turn.actions:
        session.is_recording, session.recording_from = True, at
    if turn.state.language != state.language:
        session.version = words.versions[turn.state.language]
    session.save(update_fields=["step", "pressed", "is_recording", "recording_from", "version"])
    return _script(session.menu, words, turn.actions, asked=turn.state.asked)


def _said_no_since(session: MenuSession, at: datetime) -> bool:
    """
    Whether the caller withdrew by another way in the moment in which the key was pressed, or later.

    The key was written down, so the caller is held, and whoever withdrew before has committed; whoever withdraws after
    it finds a recording that runs, and stops it.
    """
    if session.caller_id is None:
        return False
    since = ledger.noes_of(session.client, session.caller_id, at=at).get(Purpose.RECORD)
    return since is not None and since >= at


def _again(session: MenuSession) -> twiml.Script:
    """The same as before, for a question that was answered; a recording that was stopped stays stopped."""
    words = menus.words_of(session.menu)
    state = _state(session)
    already = session.vendor_recording is not None or session.stopped_at is not None
    actions = machine.resumed(menus.plan_of(session.menu, words), state, records_already=already)
    return _script(session.menu, words, actions, asked=state.asked)


def _script(
    menu: PhoneMenu, words: menus.Words, actions: Sequence[machine.Action], *, asked: int
) -> twiml.Script:
    asks = [action for action in actions if isinstance(action, machine.Ask)]
    if any(action.language not in words.versions for action in asks):
        # The notice was retired while the caller was on the line: there is nothing to ask with.
        actions = (machine.Dial(machine.Line.FORWARD),)
    return twiml.Script(
        plan=menus.plan_of(menu, words),
        actions=tuple(actions),
        words=words.spoken(),
        forward_to=menu.forward_to,
        person_line=menu.person_line,
        wait_seconds=menu.wait_seconds,
        asked=asked,
    )


# --- The ledger ---


def _write(
    session: MenuSession, state: machine.State, turn: machine.Turn, *, happened: str, door: Door, at: datetime
) -> None:
    """What the caller was told and said, purpose by purpose, with the words that were spoken."""
    version = session.version
    writes = [action for action in turn.actions if isinstance(action, machine.Write)]
    if not writes or version is None:
        return
    evidence = _evidence(session, version, state, happened, at)
    said = [
        Said(
            purpose=purpose,
            kind=write.kind,
            basis=Basis.NOTICE if write.kind == EventKind.NOTICED else Basis.CONSENT,
            channel=Channel.MENU,
            scope=write.scope,
            strength=_strength(write, session),
            happened_at=at,
            source=f"menu {_call_of(door)} {state.language if write.kind == EventKind.NOTICED else ''}",
            caller_id=session.caller_id,
            call_digest=bytes(session.call_digest),
            version_id=version.pk,
            evidence=evidence,
        )
        for write in writes
        for purpose in _purposes(write, version)
    ]
    events = ledger.record_events(client=session.client, said=said, by=door.by, at=at)
    withdrawn = [event for event in events if event.kind == EventKind.WITHDRAWN]
    if withdrawn and session.caller_id is not None:
        # The same person may be on another call that is recorded.
        stop_running(
            client=session.client,
            caller_id=session.caller_id,
            by=door.by,
            at=at,
            event_id=next((event.pk for event in withdrawn if event.purpose == Purpose.RECORD), None),
        )


def _purposes(write: machine.Write, version: NoticeVersion) -> list[Purpose]:
    """A yes reaches as far as the notice asked, a no as far as the menu can."""
    if write.kind in NO_KINDS:
        return list(menus.ASKED)
    return [purpose for purpose in menus.ASKED if purpose in version.notice.purposes]


def _strength(write: machine.Write, session: MenuSession) -> Strength:
    """
    A key speaks for the call on which it is pressed, whoever holds the phone. For later calls of the same number it
    is proven only where the carrier vouches that the caller may use it.
    """
    if write.scope == Scope.THIS_CALL or twilio.is_proven(session.verification):
        return Strength.A
    return Strength.C


def _evidence(
    session: MenuSession, version: NoticeVersion, state: machine.State, happened: str, at: datetime
) -> dict[str, Any]:
    words = menus.words_of(session.menu)
    plan = menus.plan_of(session.menu, words)
    spoken = machine.spoken(
        machine.Ask(state.language),
        plan,
        words.spoken() | menus.Words({state.language: version}).spoken(),
    )
    return {
        "menu": str(session.menu_id),
        "spoken": [f"{language}: {text}" for language, text in spoken],
        "version": str(version.pk),
        "version_digest": bytes(version.digest or b"").hex(),
        "language": str(state.language),
        "times_spoken": state.asked,
        "key": happened if happened in machine.DIGITS else "",
        "without_a_key": _WITHOUT_A_KEY.get(happened, ""),
        "at": at.isoformat(),
        "call_came_at": session.started_at.isoformat(),
        "carrier_says": session.verification,
        "number_withheld": session.caller_id is None,
    }


_WITHOUT_A_KEY: Final = {machine.SILENCE: "no key in time", machine.HANG_UP: "hung up"}


# --- Stopping what runs ---


def stop_running(
    *,
    client: Client,
    caller_id: uuid.UUID | None,
    by: Actor,
    at: datetime,
    event_id: uuid.UUID | None = None,
    call_digest: bytes | None = None,
) -> int:
    """
    Have every recording stopped and deleted that runs of this caller through a menu; returns how many run.

    Of who withholds the number it is that of the one call (`call_digest`).

    Inside a scope that may write the client's consent, in the transaction of the withdrawal. The vendor is asked
    by a job, which `consent.tasks.menu_calls.nudge` wakes on commit.

    :param event_id: the withdrawal in the ledger, for the board.
    """
    whose = Q(caller_id=caller_id) if caller_id is not None else Q(call_digest=call_digest, caller_id=None)
    running = list(
        MenuSession.objects.for_client(client)
        .filter(whose, is_recording=True, ended_at=None, started_at__gt=at - RUNS_AT_MOST)
        .select_related("menu__connection", "client", "version", "version__notice")
        .select_for_update(of=("self",))
        .order_by("pk")
    )
    for session in running:
        _order(session, event_id, at)
        turn = machine.step(_plan(session), _state(session), machine.WITHDRAWN)
        session.step, session.is_recording, session.stopped_at = turn.state.packed(), False, at
        session.save(update_fields=["step", "is_recording", "stopped_at"])
    if running:
        audit.record("recording.stop_asked", subject=client, by=by, at=at, recordings=len(running))
    return len(running)


def _order(session: MenuSession, event_id: uuid.UUID | None, at: datetime) -> None:
    """One task to stop, one to delete; the session's id stands for the recording, which has no row here yet."""
    key = _errand_key(session.client, at)
    withdrawal = (
        Withdrawal.objects.for_client(session.client).filter(event_ids__contains=[event_id]).first()
        if event_id is not None
        else None
    )
    call, recording = _revealed(session.vendor_call, key), _revealed(session.vendor_recording, key)
    for step, within in zip(_STEPS, (_STOP_WITHIN, _DELETE_WITHIN), strict=True):
        task = VendorTask(
            agency_id=session.agency_id,
            client=session.client,
            step=step,
            connection=session.menu.connection,
            caller_id=session.caller_id,
            recording_id=session.pk,
            event_id=event_id,
            withdrawal=withdrawal,
            law=_AT_ONCE,
            created_at=at,
            target_at=at + within,
            outer_at=at + _OUTER,
            due_at=at,
        )
        task.reference = _sealed_reference(task, key, call=call, recording=recording)
        VendorTask.objects.bulk_create([task], ignore_conflicts=True)


def _sealed_reference(task: VendorTask, key: Key, *, call: str, recording: str) -> bytes:
    plain = json.dumps({"call": call, "recording": recording}).encode()
    return key.seal(plain, Place(task.client_id, VendorTask._meta.db_table, "reference", task.pk))


def _revealed(sealed: Sealed | None, key: Key) -> str:
    """What is sealed, in the clear; "" where nothing is, or it does not open any more: a no counts all the same."""
    try:
        return "" if sealed is None else sealed.reveal(key)
    except SealBrokenError:
        return ""


def _reference(task: VendorTask, key: Key) -> dict[str, Any]:
    """By what Twilio knows the thing; nothing where that does not open any more."""
    found = _revealed(task.reference, key)
    return dict(json.loads(found)) if found else {}


def _name_recording(session: MenuSession, recording: str, at: datetime) -> None:
    """Tell the task that deletes which recording it is, and let it begin."""
    key = _errand_key(session.client, at)
    tasks = VendorTask.objects.for_client(session.client).filter(
        recording_id=session.pk, step=VendorStep.DELETE_RECORDING, state=WaitingState.WAITING
    )
    for task in tasks.select_for_update():
        call = _reference(task, key).get("call", "")
        task.reference = _sealed_reference(task, key, call=call, recording=recording)
        task.due_at = at
        task.save(update_fields=["reference", "due_at"])


def _errand_key(client: Client, at: datetime) -> Key:
    return vault.purpose_key(client_id=client.pk, purpose=ERRAND, at=at)


def _place(session: MenuSession, column: str) -> Place:
    return Place(session.client_id, MenuSession._meta.db_table, column, session.pk)


def _sealed_recording(session: MenuSession, recording: str, at: datetime) -> bytes:
    key = _errand_key(session.client, at)
    return key.seal(recording.encode(), _place(session, "vendor_recording"))


# --- Asking Twilio: claim, commit, call, record ---


@dataclass(frozen=True, slots=True, repr=False)
class Order:
    """A task at Twilio that is ours for a while, with what its call needs."""

    task_id: uuid.UUID
    client_id: int
    step: str
    recording_id: uuid.UUID | None
    account: twilio.Account | None
    call: str
    recording: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What came of asking.

    :ivar receipt: what Twilio answered, "" where it is not done. :ivar recording: the recording's id, where it said so.
    :ivar error: why it is not done, in words without a number. :ivar final: asking again would not help.
    """

    receipt: str = ""
    recording: str = ""
    error: str = ""
    final: bool = False


def claim_order(*, agency_id: int, at: datetime) -> Order | None:
    """
    Claim the next task at Twilio that is due to stop or delete a recording; it comes back unless it is settled.

    One at a time, and stops first: what a stop answers names the recording that is then deleted.
    """
    with job_scope(agency_id=agency_id):
        due = _due(agency_id, at)
        task = (
            due.select_related("connection__client__agency", "client")
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("due_at", "-step")
            .first()
        )
        if task is None:
            return None
        VendorTask.objects.filter(pk=task.pk).update(attempts=F("attempts") + 1, due_at=at + _LEASE)
        return _opened(task, at)


def has_due(*, agency_id: int, at: datetime) -> bool:
    """Whether anything waits to be asked of Twilio."""
    with job_scope(agency_id=agency_id):
        return _due(agency_id, at).exists()


def _due(agency_id: int, at: datetime) -> QuerySet[VendorTask]:
    """
    Whatever Twilio is to stop or delete: what runs through a menu, and what a withdrawal asks to have deleted.

    A recording that runs is stopped whatever the client's state. What is kept back goes once nothing keeps it.
    """
    rows = VendorTask.objects.filter(
        agency_id=agency_id,
        step__in=_STEPS,
        state=WaitingState.WAITING,
        by_ticket=False,
        due_at__lte=at,
        reference__isnull=False,
        connection__provider=twilio.NAME,
    )
    return rows.exclude(board.kept_back())


def _opened(task: VendorTask, at: datetime) -> Order:
    connection: Connection | None = task.connection
    found = _reference(task, _errand_key(task.client, at))
    account = None
    if connection is not None:
        try:
            account = twilio_door.account_of(connection, at=at)
        except twilio_door.NoAccountError:
            account = None
    return Order(
        task_id=task.pk,
        client_id=task.client_id,
        step=task.step,
        recording_id=task.recording_id,
        account=account,
        call=str(found.get("call", "")),
        recording=str(found.get("recording", "")),
        attempts=task.attempts + 1,
    )


def carry_out(order: Order) -> Outcome:
    """Ask Twilio. Outside any scope; asking twice does nothing more."""
    if order.account is None:
        return Outcome(error="The connection's Twilio account is not known yet.")
    try:
        if order.step == VendorStep.STOP_RECORDING:
            return _stopped(order, order.account)
        if not order.recording:
            return Outcome(error="Twilio has not named the recording yet.")
        return Outcome(receipt=str(twilio.delete_recording(order.account, recording=order.recording)))
    except twilio.RefusedError as error:
        return Outcome(error=f"Twilio rejected the request: {error}.", final=True)
    except twilio.TwilioError as error:
        return Outcome(error=f"Twilio did not complete the request: {error}.")


def _stopped(order: Order, account: twilio.Account) -> Outcome:
    if not order.call:
        return Outcome(error="The Twilio call ID can no longer be decrypted.", final=True)
    try:
        receipt = twilio.stop_recording(account, call=order.call)
    except twilio.GoneError:
        return Outcome(receipt="No recording was in progress.")
    return Outcome(receipt=str(receipt), recording=receipt.sid if twilio.is_recording(receipt.sid) else "")


def settle(*, agency_id: int, order: Order, outcome: Outcome, chance: float, at: datetime) -> None:
    """Write down what came of it: done with its receipt, to be tried again, or failed for a person to look at."""
    with job_scope(agency_id=agency_id):
        task = VendorTask.objects.for_client(order.client_id).filter(
            pk=order.task_id, state=WaitingState.WAITING
        )
        if outcome.receipt:
            done = task.update(
                state=WaitingState.DONE,
                sent_at=at,
                done_at=at,
                due_at=None,
                receipt=outcome.receipt[:300],
                last_error="",
                reference=None,
            )
            if done:
                audit.record(
                    "vendor.done",
                    by=JOB,
                    at=at,
                    client_id=order.client_id,
                    step=order.step,
                    task=str(order.task_id),
                )
            if outcome.recording and order.recording_id is not None:
                _learn_recording(order.client_id, order.recording_id, outcome.recording, at)
        elif outcome.final or order.attempts >= _TRIED_AT_MOST:
            task.update(state=WaitingState.FAILED, due_at=None, last_error=outcome.error[:200])
            log.error("vendor.failed", task=str(order.task_id), step=order.step)
        else:
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(order.attempts - 1, 16))
            task.update(due_at=at + pauses.spread(pause, chance), last_error=outcome.error[:200])
        client = Client.objects.filter(pk=order.client_id).first()
        if client is not None:
            withdrawals.renew_items(client=client, at=at)


def _learn_recording(client_id: int, session_id: uuid.UUID, recording: str, at: datetime) -> None:
    sessions = MenuSession.objects.for_client(client_id).filter(pk=session_id)
    session = sessions.select_related("client").select_for_update(of=("self",)).first()
    if session is None:
        return
    session.vendor_recording = _sealed_recording(session, recording, at)
    session.save(update_fields=["vendor_recording"])
    _name_recording(session, recording, at)


def purge(*, agency_id: int, at: datetime) -> int:
    """Remove sessions whose call came a month ago; the ledger keeps what was said. Returns how many."""
    with job_scope(agency_id=agency_id):
        waiting = VendorTask.objects.filter(
            agency_id=agency_id, state=WaitingState.WAITING, recording_id__isnull=False
        ).values("recording_id")
        old = MenuSession.objects.filter(Q(started_at__lte=at - KEPT_FOR), agency_id=agency_id)
        return old.exclude(pk__in=waiting).remove()
