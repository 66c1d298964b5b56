"""
The promise that nothing returns, tried with real dumps: a number is erased, and an old dump, a repeated webhook and a
file that is imported again are made to bring it back.
"""

import base64
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import StringIO
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client as Browser
from django.test import override_settings

from callprivacy.accounts.enums import Role
from callprivacy.audit import selectors as audit_selectors
from callprivacy.audit import services as audit
from callprivacy.audit.models import Event
from callprivacy.audit.services import lineage
from callprivacy.audit.services.lineage import Lineage
from callprivacy.calls.models import Call, Caller, CallRef, Connection, Inbox, Recording
from callprivacy.calls.services import connections, erasure, inbox
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import files as vault_files
from callprivacy.vault import selectors as vault_selectors
from callprivacy.vault import services as vault
from callprivacy.vault.fields import Sealed
from callprivacy.vault.models import Caller as VaultCaller
from consent.enums import Channel, EventKind, Purpose, State, Strength
from consent.models import ConsentState
from consent.services import ledger
from retention.models import Hold, HoldCall
from retention.services import restoring
from rights.services import restricting
from tests import ground, make
from tests.calls import files
from tests.retention import dumps

pytestmark = pytest.mark.django_db(transaction=True)

VECTOR = json.loads(
    (Path(__file__).parent.parent / "fixtures" / "callrail_post_call_vector.json").read_text()
)
SECRET = "072e77e426f92738a72fe23c4d1953b4"
ERASED, WITHDREW, STAYS = "+12148654559", "+12025550102", "+12025550103"


@pytest.fixture(autouse=True)
def media(tmp_path: Path) -> Iterator[Path]:
    with override_settings(MEDIA_ROOT=tmp_path / "media", CALLPRIVACY_STATE=tmp_path / "state"):
        yield tmp_path


@dataclass
class House:
    """A client with a webhook, and the people who called."""

    client: Client
    way_in: Connection

    def hears(self, started_at: datetime, call: int = 766970532) -> None:
        """CallRail tells of a call of the erased number, signed as it signs, and the worker takes it in."""
        payload = VECTOR | {"start_time": started_at.isoformat(), "id": call, "resource_id": f"CAL{call}"}
        payload["datetime"] = f"{started_at:%Y-%m-%d %H:%M:%S}"
        body = json.dumps(payload).encode()
        signature = base64.b64encode(hmac.digest(SECRET.encode(), body, "sha1")).decode()
        answer = Browser().post(
            f"/hooks/callrail/{self.way_in.key}/",
            body,
            content_type="application/json",
            headers={"Signature": signature},
        )
        assert answer.status_code == 200
        inbox.process_batch(agency_id=self.client.agency_id, at=make.now())
        with job_scope(agency_id=self.client.agency_id):
            assert not Inbox.objects.exists()

    def calls_of(self, caller_id: UUID) -> int:
        with job_scope(agency_id=self.client.agency_id):
            return Call.objects.filter(client=self.client, caller_id=caller_id).count()

    def caller(self, number: str) -> UUID:
        return vault_selectors.find_callers([self.client.pk], number)[self.client.pk]

    def state(self, caller_id: UUID, purpose: Purpose) -> str | None:
        with job_scope(agency_id=self.client.agency_id):
            rows = ConsentState.objects.filter(client=self.client, caller_id=caller_id, purpose=purpose)
            return rows.values_list("state", flat=True).first()

    def says(self, number: str, kind: EventKind, purpose: Purpose, at: datetime) -> None:
        said = ledger.Said(
            purpose=purpose,
            kind=kind,
            channel=Channel.OFFICER,
            strength=Strength.A,
            happened_at=at,
            source=f"letter {kind} {at.isoformat()}",
            caller_id=self.caller(number),
        )
        with job_scope(agency_id=self.client.agency_id):
            ledger.record_events(client=self.client, said=[said], by=make.JOB, at=at)

    def writes(self) -> None:
        with job_scope(agency_id=self.client.agency_id):
            audit.record("call.revealed", subject=self.client, by=make.JOB, at=make.now())

    def seal(self) -> None:
        dumps.seal(self.client.agency_id)


@pytest.fixture
def house() -> House:
    acme = make.agency("Acme")
    dentist = make.client(acme, "Dentist")
    with job_scope(agency_id=acme.pk):
        way_in = connections.create_connection(
            client=dentist, provider="callrail", name="Main", secret=SECRET, by=make.JOB, at=make.NOON
        )
    return House(dentist, way_in)


def erase(house: House, number: str, at: datetime) -> UUID:
    """Erase a person as a request does: tombstone and key, then the rows."""
    client, caller_id = house.client, house.caller(number)
    erasure_ = vault.Erasure(caller_id, up_to=at, tombstone_ends_on=date(2036, 1, 1))
    vault.erase_callers(client_id=client.pk, erasures=[erasure_], at=at)
    with job_scope(agency_id=client.agency_id):
        calls = Call.objects.filter(client=client, caller_id=caller_id)
        recordings = Recording.objects.filter(client=client, call__in=calls)
        chosen = erasure.Chosen(
            ids=tuple(calls.values_list("pk", flat=True)),
            recordings=tuple(recordings.values_list("pk", flat=True)),
            forgotten=frozenset([caller_id]),
        )
        erasure.remove_calls(client=client, chosen=chosen)
        audit.record("callers.erased", subject=client, by=make.JOB, at=at, callers=1)
    return caller_id


def put_back(operator: dumps.Operator) -> None:
    (dump,) = operator.dumps("default")
    operator.do("restore", str(dump), "--identity", str(operator.identity))


def test_an_erased_number_does_not_come_back(
    house: House, tmp_path: Path, databases: ground.Databases
) -> None:
    operator = dumps.operator(tmp_path)
    now = make.now()
    spoke = now - timedelta(days=5)
    house.hears(spoke)
    content = files.table(
        [
            files.line(
                1,
                Phone_Number="(214) 865-4559",
                Start_Time=f"{spoke - timedelta(days=1):%Y-%m-%d %H:%M:%S}",
            )
        ]
    )
    assert files.imported(house.client, content).added == 1
    gone = house.caller(ERASED)
    assert house.calls_of(gone) == 2
    house.seal()
    operator.do("backup", "default")

    vault.suppress(client_id=house.client.pk, numbers=[ERASED], purposes=["contact"], at=now)
    assert erase(house, ERASED, now) == gone
    house.seal()
    assert house.calls_of(gone) == 0

    with dumps.fresh(databases, "default"):
        put_back(operator)

        # The rows are back, and nobody can open them.
        assert house.calls_of(gone) == 2
        with job_scope(agency_id=house.client.agency_id):
            number: Sealed = Caller.objects.get(pk=gone).number
            assert len(bytes(number.blob)) > 30
            recording_ids = list(Recording.objects.values_list("pk", flat=True))
        assert recording_ids != []
        assert vault_selectors.content_keys({house.client.pk: [gone]}) == {}
        assert vault_selectors.recording_keys(house.client.pk, recording_ids) == {}
        # Nothing is served and nothing is taken in.
        assert lineage.lineage() is Lineage.DEFAULT_OLDER
        refused = operator.run("import_calls", "--client", house.client.slug, str(operator.identity))
        assert "after_restore" in refused.stderr

        said = operator.do("after_restore", "--why", "a test put a dump back")

        assert "Epoch 2 has begun; 1 seals are declared lost." in said
        assert "2 calls" in said
        assert house.calls_of(gone) == 0
        with job_scope(agency_id=house.client.agency_id):
            assert not Caller.objects.filter(pk=gone).exists()
            assert not CallRef.objects.exists()
            assert not Recording.objects.exists()
            events = Event.objects.filter(action="restore.cleaned", client_id=house.client.pk)
            assert events.get().details["calls"] == 2
        assert lineage.lineage() is Lineage.SAME
        house.seal()
        assert "the trail holds" in operator.do("verify_audit")

        # The same news again, by either way, is refused and counted.
        house.hears(spoke)
        again = files.imported(house.client, content)
        assert (again.added, again.erased) == (0, 1)
        with job_scope(agency_id=house.client.agency_id):
            assert not Call.objects.exists()
            assert not Caller.objects.exists()

        # Who calls later is somebody new, and the objection still holds.
        house.hears(make.now() + timedelta(seconds=1), call=766970999)
        fresh = house.caller(ERASED)
        assert fresh != gone
        assert house.calls_of(fresh) == 1
        with job_scope(agency_id=house.client.agency_id):
            assert "contact" in ledger.noes_of(house.client, fresh, at=make.now())

        # And once more: nothing is left to do.
        assert "nothing to do" in operator.do("after_restore")
        assert "nothing" in operator.do("after_restore", "--anyway")


def test_databases_that_were_carried_by_a_dump_shut_the_house_until_it_is_made_good(
    house: House, tmp_path: Path, databases: ground.Databases
) -> None:
    """As another version of PostgreSQL is brought in: both of one age, and every transaction id lower than before."""
    house.hears(make.now() - timedelta(days=5))
    with psycopg.connect(databases.admin_url, autocommit=True) as line:
        # Servers that have run for a while are far ahead of a new one.
        line.execute(
            "DO $$ BEGIN FOR one IN 1..5000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
        )
    house.seal()
    house.writes()
    lineage.beat()
    assert lineage.lineage() is Lineage.SAME
    operator = dumps.operator(tmp_path)

    with dumps.carried(databases, tmp_path / "there"):
        lineage.remembered.until = 0.0
        assert lineage.known() is Lineage.CARRIED
        assert Browser().get("/accounts/login/").status_code == 503
        with connection.cursor() as cursor:
            # Ids are the whole server's: whatever else is on it takes them.
            cursor.execute(
                "DO $$ BEGIN FOR one IN 1..6000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
            )
        assert lineage.lineage() is Lineage.CARRIED
        said = operator.do("start_epoch", "--why", "PostgreSQL 18", role="owner")
        assert "Epoch 2 has begun; 0 seals are declared lost." in said
        lineage.beat()
        assert lineage.lineage() is Lineage.CARRIED, "nobody has taken out what a dump may have brought back"
        said = operator.do("after_restore")

        assert "Epoch" not in said
        assert "Removed or recorded again: nothing." in said
        assert lineage.lineage() is Lineage.SAME
        house.writes()
        house.seal()
        assert "the trail holds" in operator.do("verify_audit")
        with job_scope(agency_id=house.client.agency_id):
            assert set(audit_selectors.seals_of(house.client.agency_id, list(Event.objects.all()))) == set(
                Event.objects.values_list("pk", flat=True)
            ), "what had no seal on the server of before has one now"
        assert "nothing to do" in operator.do("after_restore")


@pytest.mark.thorough
def test_what_expired_or_was_taken_back_since_the_dump_goes_again(
    house: House, tmp_path: Path, databases: ground.Databases
) -> None:
    operator = dumps.operator(tmp_path)
    now = make.now()
    old = make.call(house.client, STAYS, at=now - timedelta(days=40))
    out = make.call(house.client, STAYS, at=now - timedelta(days=39), direction="outbound")
    young = make.call(house.client, STAYS, at=now - timedelta(days=3))
    heard = make.call(house.client, WITHDREW, at=now - timedelta(days=2))
    kept, quarantined = (
        make.recording(young, "https://example.com/1"),
        make.recording(heard, "https://example.com/2"),
    )
    single = make.call(house.client, STAYS, at=now - timedelta(days=1))
    with job_scope(agency_id=house.client.agency_id):
        digest = b"\x07" * 32
        CallRef.objects.create(
            agency_id=house.client.agency_id,
            client=house.client,
            provider="callrail",
            kind="id",
            digest=digest,
            call=single,
        )
    house.says(WITHDREW, EventKind.GIVEN, Purpose.CONTACT, now - timedelta(days=2))
    house.says(STAYS, EventKind.GIVEN, Purpose.CONTACT, now - timedelta(days=2))
    operator.do("backup", "default")

    with job_scope(agency_id=house.client.agency_id, client_id=house.client.pk):
        erasure.close_before(client=house.client, cutoff=now - timedelta(days=30))
    house.says(WITHDREW, EventKind.WITHDRAWN, Purpose.CONTACT, now)
    with job_scope(agency_id=house.client.agency_id):
        restricting.restrict(client=house.client, caller_id=house.caller(STAYS), by=make.JOB, at=now)
    vault.destroy_recording_keys(client_id=house.client.pk, recording_ids=[quarantined.pk])
    vault.entomb_calls(client_id=house.client.pk, digests=[digest], ends_on=date(2036, 1, 1), at=now)

    with dumps.fresh(databases, "default"):
        put_back(operator)
        assert house.state(house.caller(WITHDREW), Purpose.CONTACT) == State.GIVEN

        operator.do("after_restore")

        with job_scope(agency_id=house.client.agency_id):
            restricted = Caller.objects.filter(restricted_at__isnull=False).values_list("pk", "restricted_at")
            assert list(restricted) == [(house.caller(STAYS), now)]
            left = set(Call.objects.values_list("pk", flat=True))
            # The line for calls in does not reach the call that went out.
            assert left == {out.pk, young.pk, heard.pk}
            assert old.pk not in left
            states = dict(Recording.objects.values_list("pk", "state"))
            assert states[quarantined.pk] == "gone"
            assert states[kept.pk] != "gone"
            assert Recording.objects.get(pk=quarantined.pk).reference is None
        assert house.state(house.caller(WITHDREW), Purpose.CONTACT) == State.WITHDRAWN
        assert house.state(house.caller(STAYS), Purpose.CONTACT) == State.GIVEN


def test_what_the_vault_alone_remembers_goes_again(house: House) -> None:
    """As behind a dump of before: who is restricted, a recording without its key, a call that was erased by itself."""
    now = make.now()
    kept = make.call(house.client, STAYS, at=now - timedelta(days=3))
    sound = make.recording(kept, "https://example.com/1")
    single = make.call(house.client, WITHDREW, at=now - timedelta(days=1))
    digest = b"\x07" * 32
    with job_scope(agency_id=house.client.agency_id):
        CallRef.objects.create(
            agency_id=house.client.agency_id, client=house.client, provider="callrail", kind="id", digest=digest,
            call=single,
        )  # fmt: skip
        restricting.restrict(client=house.client, caller_id=house.caller(STAYS), by=make.JOB, at=now)
        Caller.objects.update(restricted_at=None)
    vault.destroy_recording_keys(client_id=house.client.pk, recording_ids=[sound.pk])
    vault.entomb_calls(client_id=house.client.pk, digests=[digest], ends_on=date(2036, 1, 1), at=now)

    restoring.take_out(at=now)

    with job_scope(agency_id=house.client.agency_id):
        assert [caller.restricted_at for caller in Caller.objects.filter(pk=house.caller(STAYS))] == [now]
        assert list(Call.objects.values_list("pk", flat=True)) == [kept.pk]
        assert Recording.objects.get(pk=sound.pk).state == "gone"


def test_cut_off_and_begun_again_it_goes_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    now = make.now()
    numbers = [f"+1202555{number:04}" for number in range(120, 126)]
    for number in numbers:
        make.call(house.client, number, at=now - timedelta(days=2))
    gone = [house.caller(number) for number in numbers[:4]]
    vault.erase_callers(
        client_id=house.client.pk,
        erasures=[vault.Erasure(one, up_to=now, tombstone_ends_on=date(2036, 1, 1)) for one in gone],
        at=now,
    )
    monkeypatch.setattr(restoring, "_PAGE", 2)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_pulse SET count = -1")

    class KilledError(Exception): ...

    def killed(_rows: int) -> None:
        with job_scope(agency_id=house.client.agency_id):
            if Call.objects.count() < 6:
                raise KilledError

    with pytest.raises(KilledError):
        restoring.take_out(at=now, step=killed)
    assert lineage.lineage() is Lineage.DEFAULT_OLDER
    with job_scope(agency_id=house.client.agency_id):
        assert 2 < Call.objects.count() < 6

    found = restoring.take_out(at=now)
    assert found.calls > 0
    with job_scope(agency_id=house.client.agency_id):
        assert Call.objects.count() == 2
        assert Caller.objects.count() == 2
    assert restoring.take_out(at=now).is_empty
    restoring.made_good(found=found, at=now)
    assert lineage.lineage() is Lineage.SAME


def test_nothing_live_is_touched(house: House) -> None:
    now = make.now()
    call = make.call(house.client, STAYS, at=now - timedelta(days=2))
    make.recording(call, "https://example.com/1")
    make.call(house.client, None, at=now - timedelta(days=2))
    house.says(STAYS, EventKind.GIVEN, Purpose.CONTACT, now)
    assert restoring.take_out(at=now).is_empty
    with job_scope(agency_id=house.client.agency_id):
        assert Call.objects.count() == 2
        assert Recording.objects.count() == 1


def test_a_hold_whose_calls_were_not_marked_yet_keeps_them(house: House) -> None:
    now, client = make.now(), house.client
    held = make.call(client, STAYS, at=now - timedelta(days=40))
    make.call(client, WITHDREW, at=now - timedelta(days=40))
    officer = make.person(client.agency, "alice", Role.OFFICER)
    with job_scope(agency_id=client.agency_id):
        hold = Hold.objects.create(
            agency_id=client.agency_id, client=client, name="The bill", review_on=now.date(), placed_at=now,
            placed_by_id=officer.user_id,
        )  # fmt: skip
        HoldCall.objects.create(agency_id=client.agency_id, client=client, hold=hold, call_id=held.pk)
    with job_scope(agency_id=client.agency_id, client_id=client.pk):
        erasure.close_before(client=client, cutoff=now - timedelta(days=30))
    assert restoring.take_out(at=now).calls == 1
    with job_scope(agency_id=client.agency_id):
        assert Call.objects.get().pk == held.pk
    assert house.caller(STAYS) == held.caller_id


def test_a_call_of_somebody_whose_time_was_over_is_nobodys(house: House) -> None:
    """A number that ended by its own date left its calls behind, and so it does again."""
    now = make.now()
    call = make.call(house.client, STAYS, at=now - timedelta(days=2))
    vault.erase_callers(client_id=house.client.pk, erasures=[vault.Erasure(house.caller(STAYS))], at=now)
    found = restoring.take_out(at=now)
    assert (found.calls, found.callers) == (0, 1)
    with job_scope(agency_id=house.client.agency_id):
        row = Call.objects.get(pk=call.pk)
        assert (row.caller_id, row.caller_withheld) == (None, True)


def test_evidence_stays_with_its_key_and_goes_with_it(house: House) -> None:
    now = make.now()
    for number in (STAYS, WITHDREW):
        make.call(house.client, number, at=now - timedelta(days=2))
        house.says(number, EventKind.GIVEN, Purpose.CONTACT, now)
    kept, gone = house.caller(STAYS), house.caller(WITHDREW)
    ends = date(2036, 1, 1)
    vault.erase_callers(
        client_id=house.client.pk,
        erasures=[
            vault.Erasure(kept, up_to=now, tombstone_ends_on=ends, keep_evidence=True),
            vault.Erasure(gone, up_to=now, tombstone_ends_on=ends),
        ],
        at=now,
    )
    found = restoring.take_out(at=now)
    assert found.calls == 2
    assert house.state(kept, Purpose.CONTACT) == State.GIVEN
    assert house.state(gone, Purpose.CONTACT) is None
    assert vault_selectors.evidence_keys(house.client.pk, [kept, gone]).keys() == {kept}
    assert vault_files.recording_ids(house.client.pk) == []


def make_the_vault_older() -> None:
    lineage.beat()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_pulse SET confirmed = 99, count = 99")


@pytest.mark.parametrize("is_older", [True, False])
def test_a_vault_that_knows_nobody_takes_nobody_out(house: House, is_older: bool) -> None:
    """The empty vault of a new machine, or another installation's, whichever of the two looks older."""
    make.call(house.client, STAYS, at=make.now() - timedelta(days=2))
    make_the_vault_older()
    if not is_older:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE audit_pulse SET confirmed = -1, count = -1")
    VaultCaller.objects.all().delete()
    with pytest.raises(CommandError, match="none of the 1 people") as refused:
        call_command("after_restore", "--vault-is-older", "--yes")
    assert refused.value.returncode == 2
    assert lineage.lineage() is not Lineage.SAME
    with job_scope(agency_id=house.client.agency_id):
        assert Caller.objects.count() == 1


def test_an_older_vault_says_whom_it_lost_and_asks(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (STAYS, WITHDREW):
        make.call(house.client, number, at=make.now() - timedelta(days=2))
    make_the_vault_older()
    VaultCaller.objects.filter(pk=house.caller(WITHDREW)).delete()
    with pytest.raises(CommandError, match=r"1 of 2 people, 0 recordings.*--vault-is-older"):
        call_command("after_restore")
    for answer in ("yes\n", ""):
        monkeypatch.setattr("sys.stdin", StringIO(answer))
        with pytest.raises(CommandError, match="othing was changed"):
            call_command("after_restore", "--vault-is-older")
    assert "1 of 2 people" in capsys.readouterr().out
    with job_scope(agency_id=house.client.agency_id):
        assert Caller.objects.count() == 2
    lineage.remembered.until = 0.0
    with pytest.raises(lineage.NotTogetherError, match="put its newest dump back"):
        lineage.require_together()


@pytest.mark.thorough
def test_an_older_vault_asks_before_anything_goes(house: House, tmp_path: Path) -> None:
    operator = dumps.operator(tmp_path)
    for number in (STAYS, WITHDREW):
        make.call(house.client, number, at=make.now() - timedelta(days=2))
    make_the_vault_older()
    VaultCaller.objects.filter(pk=house.caller(WITHDREW)).delete()
    refused = operator.run("after_restore")
    assert refused.returncode == 2
    assert "--vault-is-older" in refused.stderr
    assert operator.run("after_restore", "--vault-is-older").returncode == 2
    operator.do("after_restore", "--vault-is-older", "--yes")
    assert lineage.lineage() is Lineage.SAME
    with job_scope(agency_id=house.client.agency_id):
        assert (Call.objects.count(), Caller.objects.count()) == (2, 1)
