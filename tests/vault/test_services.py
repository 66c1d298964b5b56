"""Keys: made once, held while something rests on them, destroyed for good, and rotated online."""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import date, timedelta

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import transaction

from callprivacy.accounts.enums import Role
from callprivacy.accounts.services import keys as rotation
from callprivacy.audit.models import Event, HouseEvent
from callprivacy.calls.models import Call
from callprivacy.calls.models import Caller as SealedCaller
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import client_scope, job_scope, operator_scope, staff_scope
from callprivacy.vault import selectors, services
from callprivacy.vault.fields import close_secret, open_secret
from callprivacy.vault.models import Caller, ClientKey, RecordingKey, Suppression, Tombstone
from callprivacy.vault.sealing import Key, Place, SealBrokenError
from callprivacy.vault.selectors import NoClientKeyError
from callprivacy.vault.services import CallerGoneError, Erasure
from callprivacy.vault.services.keys import hold_keys
from tests import make
from tests.aside import Aside
from tests.make import NOON
from tests.scale import some

ONE, TWO = "+12125550101", "+12125550102"
C, OTHER = 7, 8


commits = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clients(db: None) -> None:
    for client_id in (C, OTHER):
        services.create_client_keys(client_id=client_id, agency_id=1, at=NOON)


def ensure(*numbers: str, client_id: int = C) -> dict[str, uuid.UUID]:
    return services.ensure_callers(client_id=client_id, numbers=numbers, at=NOON)


# --- callers ---


def test_a_number_is_one_caller_of_a_client_and_another_of_the_next(clients: None) -> None:
    first = ensure(ONE, TWO)
    assert ensure(ONE, TWO, ONE) == first
    assert len(set(first.values())) == 2
    assert ensure(ONE, client_id=OTHER)[ONE] != first[ONE]
    with staff_scope(agency_id=1, user_id=1):
        assert selectors.find_callers([C, OTHER], ONE).keys() == {C, OTHER}
    assert selectors.find_callers([C], ONE) == {C: first[ONE]}
    assert selectors.find_callers([], ONE) == {}


def test_one_number_over_clients_is_for_the_job_that_answers_requests_and_for_a_person_who_looks(
    clients: None,
) -> None:
    ensure(ONE)
    ensure(ONE, client_id=OTHER)
    other, staff = Actor.job("rights.search_people"), Actor.staff(user_id=1)
    scopes: tuple[AbstractContextManager[object], ...] = (
        nullcontext(),
        client_scope(agency_id=1, client_id=C),
        operator_scope(),
    )
    looks: tuple[Callable[[], object], ...] = (
        lambda: selectors.derive_callers([C, OTHER], ONE, by=selectors.DERIVER),
        lambda: selectors.find_callers([C, OTHER], ONE),
        lambda: selectors.tombstones([C, OTHER], ONE),
    )
    for scope in scopes:
        with scope:
            for look in looks:
                with pytest.raises(selectors.NotDerivedHereError):
                    look()
    with job_scope(agency_id=1):
        assert selectors.derive_callers([C, OTHER], ONE, by=selectors.DERIVER).keys() == {C, OTHER}
        for by in (other, staff):
            with pytest.raises(selectors.NotDerivedHereError):
                selectors.derive_callers([C], ONE, by=by)
        with pytest.raises(selectors.NotDerivedHereError):
            selectors.find_callers([C, OTHER], ONE)
        assert selectors.find_callers([C], ONE)
    with staff_scope(agency_id=1, user_id=1):
        assert selectors.find_callers([C, OTHER], ONE).keys() == {C, OTHER}
        with pytest.raises(selectors.NotDerivedHereError):
            selectors.derive_callers([C, OTHER], ONE, by=selectors.DERIVER)


def test_nothing_of_a_number_stands_in_the_vault(clients: None) -> None:
    ensure(ONE)
    row = Caller.objects.get()
    for value in (row.token, row.content_key, row.evidence_key):
        assert ONE.encode() not in bytes(value or b"")


def test_a_client_without_keys_has_no_callers(clients: None) -> None:
    with pytest.raises(NoClientKeyError):
        ensure(ONE, client_id=99)


@commits
def test_two_who_meet_a_number_at_once_make_one_caller(clients: None) -> None:
    start = threading.Barrier(4)

    def meet() -> object:
        start.wait(5)
        return ensure(ONE, TWO)

    found = [aside.end() for aside in [Aside(meet) for _ in range(4)]]
    assert all(one == found[0] for one in found)
    assert Caller.objects.count() == 2


@commits
def test_an_erasure_waits_for_a_writer_and_the_next_writer_finds_it_gone(clients: None) -> None:
    caller_id = ensure(ONE)[ONE]
    with services.hold_callers(client_id=C, caller_ids=[caller_id]) as held:
        assert list(held) == [caller_id]
        erasure = Aside(lambda: services.erase_callers(client_id=C, erasures=[Erasure(caller_id)], at=NOON))
        assert erasure.is_waiting()
    assert erasure.end() == 1
    with pytest.raises(CallerGoneError), services.hold_callers(client_id=C, caller_ids=[caller_id]):
        pytest.fail("held")
    assert ensure(ONE)[ONE] != caller_id


@commits
def test_two_writers_hold_a_caller_together(clients: None) -> None:
    caller_id = ensure(ONE)[ONE]

    def hold() -> bool:
        with services.hold_callers(client_id=C, caller_ids=[caller_id]):
            return True

    with services.hold_callers(client_id=C, caller_ids=[caller_id]):
        assert Aside(hold).end() is True


def test_an_erased_person_leaves_a_tombstone_and_comes_back_as_somebody_new(clients: None) -> None:
    caller_id = ensure(ONE, TWO)[ONE]
    erasure = Erasure(caller_id, NOON, date(2029, 1, 1))
    assert services.erase_callers(client_id=C, erasures=[erasure], at=NOON) == 1
    assert services.erase_callers(client_id=C, erasures=[erasure], at=NOON) == 0
    assert Tombstone.objects.count() == 1
    assert selectors.content_keys({C: [caller_id]}) == {}
    assert selectors.erased_up_to(C, [ONE, TWO]) == {ONE: NOON}
    assert selectors.erased_up_to(OTHER, [ONE]) == {}
    assert ensure(ONE)[ONE] != caller_id
    assert selectors.erased_up_to(C, [ONE]) == {ONE: NOON}


def test_one_without_an_end_date_leaves_nothing(clients: None) -> None:
    services.erase_callers(client_id=C, erasures=[Erasure(ensure(ONE)[ONE])], at=NOON)
    assert not Tombstone.objects.exists()


def test_a_strangers_client_erases_nothing(clients: None) -> None:
    caller_id = ensure(ONE)[ONE]
    assert services.erase_callers(client_id=OTHER, erasures=[Erasure(caller_id)], at=NOON) == 0
    assert services.destroy_recording_keys(client_id=OTHER, recording_ids=[caller_id]) == 0
    assert selectors.find_callers([C], ONE)


def test_a_call_erased_singly_is_remembered_by_its_digest(clients: None) -> None:
    digests = [b"a" * 32, b"b" * 32]
    for _ in range(2):
        services.entomb_calls(client_id=C, digests=digests[:1], ends_on=date(2029, 1, 1), at=NOON)
    assert selectors.entombed(C, digests) == {digests[0]}
    assert selectors.entombed(OTHER, digests) == set()


def test_a_watermark_moves_forward_only(clients: None) -> None:
    later = NOON + timedelta(days=1)
    assert selectors.watermark(C, "calls") is None
    assert services.advance_watermark(client_id=C, category="calls", before=later) == later
    assert services.advance_watermark(client_id=C, category="calls", before=NOON) == later
    assert selectors.watermark(C, "calls") == later
    assert selectors.watermark(OTHER, "calls") is None


def test_a_recordings_key_is_kept_opens_and_is_destroyed(clients: None) -> None:
    caller_id = ensure(ONE)[ONE]
    with_caller, without = uuid.uuid4(), uuid.uuid4()
    made: dict[uuid.UUID, Key] = {}
    for _ in range(2):
        with services.hold_callers(client_id=C, caller_ids=[caller_id]) as held:
            made = services.create_recording_keys(
                client_id=C,
                recordings=[(with_caller, caller_id), (without, None)],
                callers=held,
                at=NOON,
            )
    sealed = {name: key.seal(b"x", place(name)) for name, key in made.items()}
    opened = selectors.recording_keys(C, [with_caller, without])
    assert [opened[name].unseal(sealed[name], place(name)) for name in sealed] == [b"x", b"x"]
    services.destroy_recording_keys(client_id=C, recording_ids=[without])
    assert selectors.recording_keys(C, [with_caller, without]).keys() == {with_caller}
    services.erase_callers(client_id=C, erasures=[Erasure(caller_id)], at=NOON)
    assert selectors.recording_keys(C, [with_caller]) == {}
    assert not RecordingKey.objects.exists()


def place(recording_id: uuid.UUID) -> Place:
    return Place(C, "calls_recording", "reference", recording_id)


def test_destroying_a_client_leaves_nothing_of_it_and_the_others_alone(clients: None) -> None:
    ensure(ONE)
    ensure(ONE, client_id=OTHER)
    services.destroy_client(client_id=C)
    with pytest.raises(NoClientKeyError):
        selectors.client_keys(C)
    assert set(Caller.objects.values_list("client_id", flat=True)) == {OTHER}


@pytest.mark.thorough
@commits
def test_who_destroys_a_client_takes_its_noes_in_the_order_of_everybody_else(clients: None) -> None:
    tokens = [bytes([number]) * 32 for number in (9, 5, 7, 1)]
    for token in tokens:
        Suppression.objects.create(client_id=C, token=token, purpose="contact", since=NOON)
    with transaction.atomic(using="vault"):
        first = Suppression.objects.select_for_update().get(token=min(tokens))
        destroying = Aside(lambda: services.destroy_client(client_id=C))
        assert destroying.is_waiting()
        # It holds none of the later ones yet, so who has the first may take them and end.
        rest = Suppression.objects.exclude(pk=first.pk).select_for_update(nowait=True)
        assert len(list(rest)) == 3
    destroying.end()
    assert not Suppression.objects.exists()


@commits
def test_who_destroys_a_client_waits_for_its_keys_before_it_holds_anything_else(clients: None) -> None:
    """Who writes a no by a number holds the key, and then waits for the no."""
    services.suppress(client_id=C, numbers=[ONE], purposes=["contact"], at=NOON)
    with transaction.atomic(using="vault"):
        hold_keys(selectors.client_keys(C))
        destroying = Aside(lambda: services.destroy_client(client_id=C))
        assert destroying.is_waiting()
        assert len(list(Suppression.objects.select_for_update(nowait=True))) == 1
    destroying.end()
    assert not Suppression.objects.exists()


@pytest.mark.thorough
@commits
def test_who_destroys_a_client_keeps_nobody_waiting_for_its_keys_who_holds_a_caller(clients: None) -> None:
    caller_id = ensure(ONE)[ONE]
    with services.hold_callers(client_id=C, caller_ids=[caller_id]):
        destroying = Aside(lambda: services.destroy_client(client_id=C))
        assert destroying.is_waiting()
        with pytest.raises(NoClientKeyError):
            services.purpose_key(client_id=C, purpose="inbox", at=NOON)
    destroying.end()
    assert not Caller.objects.filter(client_id=C).exists()


@commits
def test_what_several_callers_said_is_taken_in_the_order_of_everybody_else(clients: None) -> None:
    callers = ensure(ONE, TWO)
    token_of = {caller.id: bytes(caller.token or b"") for caller in Caller.objects.filter(client_id=C)}
    first, second = sorted(callers.values(), key=lambda caller_id: token_of[caller_id])
    said = [services.No(second, "contact", NOON), services.No(first, "contact", NOON - timedelta(days=1))]
    assert services.suppress_each(client_id=C, said=said) == 2
    assert services.suppress_each(client_id=C, said=[*said, services.No(uuid.uuid4(), "contact", NOON)]) == 0
    since = {bytes(no.token): no.since for no in Suppression.objects.all()}
    assert since == {
        token_of[second]: NOON,
        token_of[first]: NOON - timedelta(days=1),
    }
    with transaction.atomic(using="vault"):
        held = Suppression.objects.select_for_update().get(token=token_of[first])
        saying = Aside(lambda: services.suppress_each(client_id=C, said=said))
        assert saying.is_waiting()
        assert len(list(Suppression.objects.exclude(pk=held.pk).select_for_update(nowait=True))) == 1
    assert saying.end() == 0


# --- the master key ---


def test_the_master_key_is_rotated_in_batches_and_the_old_one_opens_nothing(
    masters: Callable[..., None], db: None
) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    masters(old)
    for client_id in range(1, 8):
        services.create_client_keys(client_id=client_id, agency_id=1, at=NOON)
    caller_id = ensure(ONE, client_id=3)[ONE]
    masters(new, old)
    services.create_client_keys(client_id=8, agency_id=1, at=NOON)
    assert selectors.clients_behind_master(services.master_fingerprint()) == 7
    assert services.rewrap_master(limit=3) == 3
    masters(new, old)  # killed here; the next run goes on
    assert selectors.clients_behind_master(services.master_fingerprint()) == 4
    assert [services.rewrap_master(limit=3) for _ in range(3)] == [3, 1, 0]
    masters(new)
    assert selectors.find_callers([3], ONE) == {3: caller_id}
    masters(old)
    with pytest.raises(SealBrokenError):
        selectors.client_keys(3)


def test_the_command_moves_the_small_secrets_of_connections_too(
    masters: Callable[..., None], db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    from callprivacy.calls.models import Connection, ConnectionSecret

    old, new = (Fernet.generate_key().decode() for _ in range(2))
    masters(old)
    agency = make.agency("Acme")
    dentist = make.client(agency, "Dentist")
    with job_scope(agency_id=agency.pk):
        door = Connection.objects.create(
            agency=agency, client=dentist, provider="twilio", name="T", key="k", created_at=NOON
        )
        secret = ConnectionSecret.objects.create(
            agency=agency, client=dentist, connection=door, secret="s3cret", created_at=NOON
        )
    masters(new, old)
    call_command("rotate_keys", master=True)
    said = capsys.readouterr().out
    assert "nothing here needs an older one" in said
    assert "Run manage.py backup and manage.py restore_drill; only then take the older key out" in said
    masters(new)
    with job_scope(agency_id=agency.pk):
        assert ConnectionSecret.objects.get(pk=secret.pk).secret == "s3cret"
    assert selectors.client_keys(dentist.pk).generation == 1


def _master_events() -> list[int]:
    with operator_scope():
        found = HouseEvent.objects.filter(action="keys.master_rotated").order_by("id")
        return [event.details["rows"] for event in found]


def test_the_command_refuses_where_there_is_one_master_key_alone(
    masters: Callable[..., None], db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing can be brought under a newer key, and nothing may say that it was."""
    masters(Fernet.generate_key().decode())
    make.client(make.agency("Acme"), "Dentist")
    with pytest.raises(CommandError, match="There is no newer key: put a new one in front of") as refused:
        call_command("rotate_keys", master=True)
    assert refused.value.returncode == 2
    assert "before the old one is taken out" in str(refused.value)
    assert capsys.readouterr().out == ""
    assert _master_events() == []


def _change_masters(masters: Callable[..., None]) -> str:
    """A client's key and a person's second factor under a master key, and a newer one in front of it: that one."""
    from allauth.mfa.models import Authenticator

    old, new = (Fernet.generate_key().decode() for _ in range(2))
    masters(old)
    agency = make.agency("Acme")
    make.client(agency, "Dentist")
    bob = make.person(agency, "bob", Role.REVIEWER)
    Authenticator.objects.create(user=bob.user, type="totp", data={"secret": close_secret("seed")})
    masters(new, old)
    return new


def test_the_command_says_where_nothing_is_behind_the_newest_master_key(
    masters: Callable[..., None], db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    _change_masters(masters)
    for said in (
        "2 secrets are under the newest master key; nothing here needs an older one.",
        "Everything was under the first key of FIELD_ENCRYPTION_KEY already; nothing here needs the others.",
    ):
        call_command("rotate_keys", master=True)
        assert said in capsys.readouterr().out
    assert _master_events() == [2], "what changed nothing is no rotation"


def test_a_run_that_was_killed_over_the_last_secrets_is_taken_up(
    masters: Callable[..., None], db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    from allauth.mfa.models import Authenticator

    new = _change_masters(masters)
    assert services.rewrap_master(limit=10) == 1
    call_command("rotate_keys", master=True)
    assert "1 secrets are under the newest" in capsys.readouterr().out
    masters(new)
    assert open_secret(Authenticator.objects.get().data["secret"]) == "seed"


# --- a client's key ---


@pytest.fixture
def dentist(db: None) -> Client:
    return make.client(make.agency("Acme"), "Dentist")


def opens(client: Client, *calls: Call) -> Iterator[bool]:
    keys = selectors.content_keys({client.pk: [call.caller_id for call in calls if call.caller_id]})
    with job_scope(agency_id=client.agency_id):
        for call in calls:
            assert call.caller_id is not None
            row = SealedCaller.objects.get(pk=call.caller_id)
            yield row.number.reveal(keys[row.pk]).startswith("+1212555")


def test_recordings_keys_open_where_a_rotation_begins_between_two_reads(
    clients: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording_id = uuid.uuid4()
    services.create_recording_keys(client_id=C, recordings=[(recording_id, None)], callers={}, at=NOON)
    stale, read = selectors.client_keys(C), selectors.client_keys
    services.start_generation(client_id=C, at=NOON)
    assert services.rewrap_client(client_id=C, limit=10) == 1
    answers = iter([stale])
    monkeypatch.setattr(selectors, "client_keys", lambda of: next(answers, None) or read(of))
    assert set(selectors.recording_keys(C, [recording_id])) == {recording_id}


def rotate(client: Client) -> int:
    return rotation.rotate_client(client=client, at=NOON, step=lambda _: None)


def test_a_clients_key_is_rotated_and_no_call_is_written_again(dentist: Client) -> None:
    calls = [make.call(dentist, number) for number in (ONE, TWO)]
    withheld = uuid.uuid4()
    key = services.create_recording_keys(
        client_id=dentist.pk, recordings=[(withheld, None)], callers={}, at=NOON
    )[withheld]
    sealed = key.seal(b"x", place(withheld))
    token = selectors.client_keys(dentist.pk).tokens.token(ONE)
    old = ClientKey.objects.get(client_id=dentist.pk).key
    assert rotate(dentist) == 3
    row = ClientKey.objects.get(client_id=dentist.pk)
    assert row.generation == 2
    assert row.key != old
    assert list(opens(dentist, *calls)) == [True, True]
    assert selectors.recording_keys(dentist.pk, [withheld])[withheld].unseal(sealed, place(withheld)) == b"x"
    assert selectors.client_keys(dentist.pk).tokens.token(ONE) == token
    assert calls[0].caller_id is not None
    wrapped = Caller.objects.get(pk=calls[0].caller_id)
    with pytest.raises(SealBrokenError):
        Key(bytes.fromhex(old)).unseal(
            bytes(wrapped.content_key or b""), selectors.content_place(dentist.pk, wrapped.id)
        )
    with job_scope(agency_id=dentist.agency_id):
        event = Event.objects.get(action="keys.rotated")
    assert event.client_id == dentist.pk
    assert event.details == {"generation": 2, "keys": 3}


@pytest.mark.parametrize("steps", some([0, 1, 2, 3, 4], one_in=2))
def test_a_rotation_that_was_killed_is_taken_up_where_it_stopped(dentist: Client, steps: int) -> None:
    calls = [make.call(dentist, f"+1212555011{n}") for n in range(4)]
    assert services.start_generation(client_id=dentist.pk, at=NOON) == 2
    for _ in range(steps):
        services.rewrap_client(client_id=dentist.pk, limit=1)
    fresh = make.call(dentist, ONE)
    assert list(opens(dentist, *calls, fresh)) == [True] * 5
    if steps < 4:
        assert services.retire_generations(client_id=dentist.pk) == 0
        assert services.start_generation(client_id=dentist.pk, at=NOON) == 2
    rotate(dentist)
    assert ClientKey.objects.filter(client_id=dentist.pk).count() == 1
    assert list(opens(dentist, *calls, fresh)) == [True] * 5


@pytest.mark.thorough
@commits
def test_a_held_caller_is_skipped_and_met_again(dentist: Client) -> None:
    calls = [make.call(dentist, number) for number in (ONE, TWO)]
    assert calls[0].caller_id is not None
    with services.hold_callers(client_id=dentist.pk, caller_ids=[calls[0].caller_id]):
        whole = Aside(lambda: rotate(dentist))
        assert whole.is_waiting()
        assert ClientKey.objects.filter(client_id=dentist.pk).count() == 2
    assert whole.end() == 2
    assert list(opens(dentist, *calls)) == [True, True]


@pytest.mark.thorough
@commits
def test_calls_that_come_in_during_rotations_stay_readable(dentist: Client) -> None:
    calls: list[Call] = []

    def receive() -> None:
        calls.extend(make.call(dentist, f"+12125550{100 + n}") for n in range(30))

    incoming = Aside(receive)
    for _ in range(4):
        rotate(dentist)
    incoming.end()
    rotate(dentist)
    assert all(opens(dentist, *calls))
    assert len(calls) == 30


def test_keys_read_before_a_rotation_still_find_what_it_wrapped(dentist: Client) -> None:
    call = make.call(dentist, ONE)
    assert call.caller_id is not None
    early = selectors.client_keys(dentist.pk)
    rotate(dentist)
    row = Caller.objects.get(pk=call.caller_id)
    found = selectors.open_content_key(early, row.id, row.generation, bytes(row.content_key or b""))
    with job_scope(agency_id=dentist.agency_id):
        assert SealedCaller.objects.get(pk=row.id).number.reveal(found) == ONE
    with pytest.raises(NoClientKeyError):
        selectors.generation_key(early, 9)


def test_the_command_names_a_client_and_refuses_a_doubtful_one(
    dentist: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    make.call(dentist, ONE)
    call_command("rotate_keys", client="dentist")
    assert "1 keys of dentist are under its new key" in capsys.readouterr().out
    make.client(make.agency("Globex"), "Dentist")
    with pytest.raises(CommandError, match="Write one of acme/dentist, globex/dentist"):
        call_command("rotate_keys", client="dentist")
    with pytest.raises(CommandError, match="no client florist"):
        call_command("rotate_keys", client="florist")
    call_command("rotate_keys", client="globex/dentist")
    with pytest.raises(CommandError):
        call_command("rotate_keys")


@pytest.mark.parametrize("which", ["client", "tokens"])
def test_the_command_changes_no_key_of_a_client_that_has_left(dentist: Client, which: str) -> None:
    before = list(ClientKey.objects.values_list("generation", "token_generation"))
    with job_scope(agency_id=dentist.agency_id):
        events = Event.objects.count()
        Client.objects.filter(pk=dentist.pk).update(archived_at=NOON)
    with pytest.raises(CommandError, match="dentist has left: its keys go with it"):
        call_command("rotate_keys", **{which: "dentist"})
    assert list(ClientKey.objects.values_list("generation", "token_generation")) == before
    with job_scope(agency_id=dentist.agency_id):
        assert Event.objects.count() == events


@pytest.mark.parametrize("which", ["client", "tokens"])
def test_the_command_says_so_where_a_client_has_no_key(dentist: Client, which: str) -> None:
    ClientKey.objects.all().delete()
    with pytest.raises(CommandError, match=f"Client {dentist.pk} has no key"):
        call_command("rotate_keys", **{which: "dentist"})


def test_the_command_gives_tokens_another_key_and_everybody_is_found(
    dentist: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    call = make.call(dentist, ONE)
    before = ClientKey.objects.get(client_id=dentist.pk).token_generation
    call_command("rotate_keys", tokens="dentist")
    assert "1 tokens of dentist are made with its new key" in capsys.readouterr().out
    key = ClientKey.objects.get(client_id=dentist.pk)
    assert (key.token_oldest, key.token_generation) == (before + 1, before + 1)
    assert selectors.find_callers([dentist.pk], ONE) == {dentist.pk: call.caller_id}
    with job_scope(agency_id=dentist.agency_id):
        assert Event.objects.get(action="token_key.rotated").details["rows"] == 1
    with pytest.raises(CommandError, match="no client florist"):
        call_command("rotate_keys", tokens="florist")


def test_a_page_of_keys_is_not_empty_while_a_recordings_key_follows(dentist: Client) -> None:
    named = [uuid.UUID(f"00000000-0000-5000-8000-00000000000{number}") for number in range(3)]
    of_recording = uuid.UUID("ffffffff-ffff-4fff-bfff-ffffffffffff")
    RecordingKey.objects.bulk_create(
        RecordingKey(pk=key_id, client_id=dentist.pk, generation=1, wrapped=b"\x01", created_at=NOON)
        for key_id in (*named, of_recording)
    )

    page = selectors.recording_ids(dentist.pk, older_than=NOON + timedelta(days=1), after=None, limit=2)

    assert page == [of_recording]
