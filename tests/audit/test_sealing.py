"""Only what is over is sealed, by one sealer at a time, and never without a copy outside the database."""

import io
import json
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from django.db import DatabaseError, connection, connections, transaction
from pytest_django import Settings

from callprivacy.audit import leaves, merkle, selectors, services
from callprivacy.audit.models import Epoch, Event, Seal
from callprivacy.audit.services import lineage, sealing, sink, verifying
from callprivacy.audit.services.lineage import Lineage
from callprivacy.audit.tasks import seal_events
from callprivacy.lib import figures
from callprivacy.tenancy.scope import job_scope
from callprivacy.vault import signing
from tests import make
from tests.audit.trails import JOB, seal, seal_now, superuser, verify, verify_offline, wait_for_others, write
from tests.make import NOON
from tests.scale import tell, times
from tools import verify_bundle

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, settings: Settings) -> None:
    """Checkpoints of one test only."""
    settings.CALLPRIVACY_STATE = tmp_path / "state"


def seals(agency_id: int) -> list[Seal]:
    with job_scope(agency_id=agency_id):
        return list(Seal.objects.order_by("number"))


def test_seals_grow_one_tree_and_form_a_chain(tmp_path: Path) -> None:
    acme = make.agency("Acme")
    write(acme.pk, 4)
    seal(acme.pk)
    write(acme.pk, 3)
    seal(acme.pk, at=NOON + timedelta(minutes=1))

    first, second = seals(acme.pk)
    with job_scope(agency_id=acme.pk):
        hashes = [sealing.leaf_of(event) for event in Event.objects.order_by("epoch", "xid", "id")]
    assert (first.size, second.size) == (5, 8)
    assert bytes(first.root) == merkle.root(hashes[:5])
    assert bytes(second.root) == merkle.root(hashes)
    grown = merkle.Frontier.load(5, bytes(first.peaks))
    assert grown.root() == bytes(first.root)
    grown.extend(hashes[5:])
    assert (grown.root(), grown.dump()) == (bytes(second.root), bytes(second.peaks))
    assert bytes(second.previous) == first.message().digest()
    assert signing.verify(second.message().to_bytes(), bytes(second.signature), signing.public_key())
    assert verify(acme.pk).holds
    assert verify_offline(acme.pk, tmp_path).findings == []


def test_nothing_new_makes_no_seal() -> None:
    acme = make.agency("Acme")
    seal(acme.pk)

    assert seal(acme.pk) == 0
    assert len(seals(acme.pk)) == 1


def test_agencies_have_trails_of_their_own() -> None:
    acme, globex = make.agency("Acme"), make.agency("Globex")
    write(acme.pk, 2)
    write(globex.pk, 3)

    assert (seal(acme.pk), seal(globex.pk)) == (3, 4)
    assert [one.number for one in seals(acme.pk)] == [one.number for one in seals(globex.pk)] == [1]


def test_a_long_trail_is_sealed_in_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also where a part ends within a transaction."""
    monkeypatch.setattr(sealing, "EVENTS_A_SEAL", 4)
    acme = make.agency("Acme")
    with job_scope(agency_id=acme.pk):
        for number in range(10):
            services.record("call.erased", by=JOB, at=NOON, number=number)

    assert [seal(acme.pk) for _ in range(4)] == [4, 4, 3, 0]
    assert verify(acme.pk).holds
    assert verify_offline(acme.pk, tmp_path).findings == []


def test_a_transaction_still_open_is_waited_for_and_loses_no_event() -> None:
    """The older transaction commits after younger ones: nothing is sealed past it until it is over."""
    acme = make.agency("Acme")
    seal(acme.pk)
    began, go_on, slow = threading.Event(), threading.Event(), []

    def hold() -> None:
        with job_scope(agency_id=acme.pk):
            slow.append(services.record("call.erased", by=JOB, at=NOON, slow=True).pk)
            began.set()
            go_on.wait(20)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert began.wait(20)
    younger = write(acme.pk, 3)
    assert seal_now(acme.pk) == 0
    go_on.set()
    thread.join()

    assert seal(acme.pk) == 4
    with job_scope(agency_id=acme.pk):
        newest = selectors.newest_seal(acme.pk)
        assert newest is not None
        assert [event_id for event_id, _ in newest.listed()] == slow + younger
    assert verify(acme.pk).holds


def test_what_was_rolled_back_is_no_event() -> None:
    acme = make.agency("Acme")
    with job_scope(agency_id=acme.pk):
        services.record("call.erased", by=JOB, at=NOON)
        transaction.set_rollback(True)
    ids = write(acme.pk, 2)

    assert seal(acme.pk) == 3
    assert verify(acme.pk).holds
    assert ids[0] - 1 not in ids


def run_together(work: Callable[[int], None], count: int) -> list[BaseException]:
    """Run `work` in as many threads at once; what they raised."""
    raised: list[BaseException] = []
    start = threading.Barrier(count)

    def one(number: int) -> None:
        try:
            start.wait(20)
            work(number)
        except BaseException as error:  # noqa: BLE001  (handed to the test)
            raised.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(times(60, 240))
    return raised


def test_eight_writers_and_two_sealers_leave_no_gap_and_no_fork(tmp_path: Path) -> None:
    acme, writers = make.agency("Acme"), times(8, 16)
    wrote: list[int] = []

    def work(number: int) -> None:
        if number >= writers:
            for step in range(times(25, 100)):
                seal_now(acme.pk, at=NOON + timedelta(seconds=step))
            return
        for step in range(times(40, 600)):
            try:
                with job_scope(agency_id=acme.pk):
                    event = services.record("call.erased", by=JOB, at=NOON, writer=number, step=step)
                    if step % 7 == 0:
                        raise ZeroDivisionError
                wrote.append(event.pk)
            except ZeroDivisionError:
                continue

    assert run_together(work, writers + 2) == []
    seal(acme.pk)
    tell(len(wrote), f"events of {writers} writers at once")

    made = seals(acme.pk)
    listed = [event_id for one in made for event_id, _ in one.listed()]
    assert [one.number for one in made] == list(range(1, len(made) + 1))
    assert len(listed) == len(set(listed)) == len(wrote) + 1
    assert set(wrote) <= set(listed)
    assert verify(acme.pk).holds
    assert verify_offline(acme.pk, tmp_path).findings == []


def test_a_second_sealer_steps_back() -> None:
    acme = make.agency("Acme")
    with superuser() as line:
        line.execute("BEGIN")
        line.execute("SELECT pg_advisory_xact_lock(hashtextextended('audit.seal', %s))", [acme.pk])
        assert seal_now(acme.pk) == 0
        line.execute("ROLLBACK")

    assert seal(acme.pk) == 1


@pytest.mark.thorough
def test_checkpoints_are_private_lines_and_the_same_seals() -> None:
    acme = make.agency("Acme")
    seal(acme.pk)
    write(acme.pk)
    seal(acme.pk)

    path = sink.path_of(acme.pk)
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert [one["seal"] for one in kept] == [one.message().as_dict() for one in seals(acme.pk)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_failing_sink_refuses_the_seal_and_not_the_deed(tmp_path: Path) -> None:
    acme = make.agency("Acme")
    folder = sink.path_of(acme.pk).parent
    folder.parent.mkdir(parents=True)
    folder.write_text("a file where the folder should be")

    write(acme.pk, 2)
    with pytest.raises(services.SinkError, match=r"Free or repair|cannot be read"):
        seal(acme.pk)
    assert seals(acme.pk) == []
    folder.unlink()

    assert seal(acme.pk) == 3


def test_a_torn_line_is_written_over() -> None:
    acme = make.agency("Acme")
    seal(acme.pk)
    with sink.path_of(acme.pk).open("ab") as file:
        file.write(b'{"seal":{"v":1,"agen')
    write(acme.pk)

    assert seal(acme.pk) == 1
    assert verify(acme.pk).holds
    assert len(sink.path_of(acme.pk).read_text().splitlines()) == 2


def test_a_crash_between_file_and_database_is_made_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file knows a seal that the database rolled back: the same one is made again."""
    acme = make.agency("Acme")
    seal(acme.pk)
    write(acme.pk, 3)
    append = sink.append_seal

    def append_and_crash(checkpoint: sink.Checkpoint) -> None:
        append(checkpoint)
        raise KeyboardInterrupt

    monkeypatch.setattr(sink, "append_seal", append_and_crash)
    with pytest.raises(KeyboardInterrupt):
        seal(acme.pk)
    monkeypatch.undo()
    write(acme.pk, 2)

    assert seal(acme.pk, at=NOON + timedelta(minutes=1)) == 2
    assert [one.count for one in seals(acme.pk)] == [1, 3, 2]
    assert len(sink.path_of(acme.pk).read_text().splitlines()) == 3
    assert verify(acme.pk).holds


def test_a_cut_tail_stops_the_sealer() -> None:
    acme = make.agency("Acme")
    seal(acme.pk)
    write(acme.pk, 3)
    seal(acme.pk)
    with superuser() as line:
        line.execute("DELETE FROM audit_seal WHERE number = 2")
        line.execute("DELETE FROM audit_event WHERE id = (SELECT max(id) FROM audit_event)")

    with pytest.raises(services.TailCutError, match="Seal 2"):
        seal(acme.pk)


def test_lost_checkpoints_stop_the_sealer_until_they_are_made_anew() -> None:
    acme = make.agency("Acme")
    seal(acme.pk)
    write(acme.pk)
    kept = sink.path_of(acme.pk).read_bytes()
    sink.path_of(acme.pk).unlink()

    with pytest.raises(services.SinkError, match="rebuild-checkpoints"):
        seal(acme.pk)
    assert [found.kind for found in verify(acme.pk).findings] == ["checkpoints"]
    with job_scope(agency_id=acme.pk):
        assert services.rebuild_checkpoints(agency_id=acme.pk, by=JOB, at=NOON) == 1
    assert sink.path_of(acme.pk).read_bytes() == kept
    with pytest.raises(services.SinkError, match="is there"), job_scope(agency_id=acme.pk):
        services.rebuild_checkpoints(agency_id=acme.pk, by=JOB, at=NOON)
    assert seal(acme.pk) == 2
    assert verify(acme.pk).holds


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param("substr(peaks, 2)", marks=pytest.mark.thorough),
        "set_byte(peaks, 1, get_byte(peaks, 1) # 2)",
    ],
)
def test_a_newest_seal_with_other_peaks_is_refused_and_holds_nobody_else_up(
    logged: io.StringIO, changed: str
) -> None:
    acme, globex = make.agency("Acme"), make.agency("Globex")
    for agency in (acme, globex):
        write(agency.pk, 1)
        seal(agency.pk)
    with superuser() as line:
        line.execute(f"UPDATE audit_seal SET peaks = {changed} WHERE agency_id = %s".encode(), [acme.pk])
    for agency in (acme, globex):
        write(agency.pk, 1)

    with pytest.raises(services.SealChangedError, match="was changed"):
        seal(acme.pk)
    made = [len(seals(agency.pk)) for agency in (acme, globex)]
    wait_for_others(globex.pk)
    seal_events.run()

    assert [len(seals(agency.pk)) for agency in (acme, globex)] == [made[0], made[1] + 1]
    assert "was changed" in logged.getvalue()


@pytest.mark.parametrize(
    "written", ["details = '{\"n\": 1.5}'", pytest.param("at = 'infinity'", marks=pytest.mark.thorough)]
)
def test_an_event_that_cannot_be_sealed_holds_no_other_agency_up(logged: io.StringIO, written: str) -> None:
    agencies = [make.agency(name) for name in ("Acme", "Globex", "Initech")]
    for agency in agencies:
        write(agency.pk, 1)
    with superuser() as line:
        line.execute(f"UPDATE audit_event SET {written} WHERE agency_id = %s".encode(), [agencies[1].pk])
    for agency in agencies:
        wait_for_others(agency.pk)

    seal_events.run()

    assert [len(seals(agency.pk)) for agency in agencies] == [1, 0, 1]
    assert "trail.not_sealed" in logged.getvalue()
    assert "verify_audit" in logged.getvalue()


def test_a_newest_seal_that_cannot_be_read_is_none_that_the_checkpoints_know() -> None:
    acme = make.agency("Acme")
    write(acme.pk, 1)
    seal(acme.pk)
    with superuser() as line:
        line.execute("UPDATE audit_seal SET signed_at = 'infinity' WHERE agency_id = %s", [acme.pk])
    write(acme.pk, 1)

    with pytest.raises(services.TailCutError, match="verify_audit"):
        seal(acme.pk)


def test_checkpoints_of_another_agency_vouch_for_nothing(tmp_path: Path) -> None:
    acme, globex = make.agency("Acme"), make.agency("Globex")
    for agency in (acme, globex):
        write(agency.pk, 2)
        seal(agency.pk)
    assert verify_offline(acme.pk, tmp_path).findings == []

    report, _ = verify_bundle.verify(tmp_path / "bundle.jsonl", checkpoint=sink.path_of(globex.pk))

    assert report.findings == [f"the checkpoints: hold no seal of agency {acme.pk}"]


def test_a_leaf_of_another_length_is_none(tmp_path: Path) -> None:
    acme = make.agency("Acme")
    write(acme.pk, 2)
    seal(acme.pk)
    assert verify_offline(acme.pk, tmp_path).findings == []
    path = tmp_path / "bundle.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    (sealed,) = [line for line in lines if "seal" in line]
    sealed["leaves"][0][1] += "00"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    report, _ = verify_bundle.verify(path)

    assert any("a leaf's hash has 32 bytes" in one for one in report.findings)


def test_a_restore_is_noticed_declared_and_then_sealed_on(tmp_path: Path) -> None:
    acme = make.agency("Acme")
    seal(acme.pk)
    write(acme.pk, 3)
    seal(acme.pk)
    with superuser() as line:  # an older dump comes back: the second seal and its events were never in it
        line.execute("DELETE FROM audit_seal WHERE number = 2")
        line.execute("DELETE FROM audit_event WHERE action = 'call.revealed'")
    with pytest.raises(services.TailCutError):
        seal(acme.pk)
    assert [found.kind for found in verify(acme.pk).findings] == ["tail_cut"]

    start_epoch_as_owner()
    with job_scope(agency_id=acme.pk):
        epoch = Epoch.objects.latest("number")
        assert services.declare_restore(agency_id=acme.pk, epoch=epoch) == 1
    write(acme.pk, 2)

    assert seal(acme.pk) == 2
    found = verify(acme.pk)
    assert found.holds
    assert found.notes == ["seals 2 to 2 were lost in a declared restore"]
    report = verify_offline(acme.pk, tmp_path)
    assert report.findings == []
    assert "seals 2 to 2 were lost" in report.notes[0]
    assert seals(acme.pk)[-1].epoch == 2


def start_epoch_as_owner() -> None:
    with superuser() as line:
        line.execute("INSERT INTO audit_epoch (number, started_at, why) VALUES (2, now(), 'test')")


def test_transaction_ids_that_went_back_stop_the_sealer() -> None:
    acme = make.agency("Acme")
    seal(acme.pk)
    with superuser() as line:
        line.execute("UPDATE audit_seal SET until_xid = '9000000000000'")
    sink.path_of(acme.pk).unlink()
    with job_scope(agency_id=acme.pk):
        services.rebuild_checkpoints(agency_id=acme.pk, by=JOB, at=NOON)

    with pytest.raises(services.RestoredError, match="after_restore"):
        seal(acme.pk)


def test_ids_that_went_back_unseen_shut_the_house_with_the_next_seal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pulse may know nothing of it yet, as behind an upgrade: the sealer finds it then."""
    monkeypatch.setattr(lineage, "remembered", lineage._Remembered())
    acme, globex = make.agency("Acme"), make.agency("Globex")
    seal(acme.pk)
    with superuser() as line:
        line.execute("UPDATE audit_seal SET until_xid = '9000000000000'")
        line.execute("UPDATE audit_pulse SET xid = NULL")
    sink.path_of(acme.pk).unlink()
    with job_scope(agency_id=acme.pk):
        services.rebuild_checkpoints(agency_id=acme.pk, by=JOB, at=NOON)
        assert services.ids_went_back(acme.pk)
    with job_scope(agency_id=globex.pk):
        assert not services.ids_went_back(globex.pk)
    assert lineage.lineage() is Lineage.SAME
    figures.begin_task()

    seal_events()

    assert figures.has_fault()
    assert lineage.lineage() is Lineage.CARRIED
    with pytest.raises(lineage.NotTogetherError, match="after_restore"):
        lineage.require_together()
    start_epoch_as_owner()
    with job_scope(agency_id=acme.pk):
        assert not services.ids_went_back(acme.pk)
    lineage.beat()
    assert lineage.lineage() is Lineage.CARRIED
    lineage.join_again(at=NOON)
    lineage.note_carried(sealed_in=1)
    assert lineage.lineage() is Lineage.SAME, "what was seen before the epoch began is over"


def test_what_is_sealed_is_never_newer_than_the_pulse_knows() -> None:
    acme = make.agency("Acme")
    write(acme.pk, 3)
    wait_for_others(acme.pk)

    seal_events()

    with connection.cursor() as cursor:
        cursor.execute("SELECT xid::text::bigint FROM audit_pulse")
        assert cursor.fetchone()[0] > seals(acme.pk)[-1].until_xid
    assert lineage.lineage() is Lineage.SAME


def test_the_task_works_off_a_backlog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "EVENTS_A_SEAL", 2)
    acme = make.agency("Acme")
    write(acme.pk, 6)
    wait_for_others(acme.pk)

    seal_events()

    assert [one.count for one in seals(acme.pk)] == [2, 2, 2, 1]


def test_the_task_seals_every_agency_and_survives_one_that_fails() -> None:
    acme, globex = make.agency("Acme"), make.agency("Globex")
    sink.path_of(acme.pk).mkdir(parents=True)

    wait_for_others(globex.pk)
    seal_events()

    assert seals(acme.pk) == []
    assert len(seals(globex.pk)) == 1


def test_the_oldest_unsealed_event_raises_an_alarm_after_five_minutes() -> None:
    acme = make.agency("Acme")
    seal(acme.pk)
    write(acme.pk, 2, at=NOON)

    with job_scope(agency_id=acme.pk):
        state = selectors.seal_state(acme.pk)
    assert (state.unsealed, state.oldest_unsealed_at) == (2, NOON)
    assert not state.is_alarming(NOON + timedelta(minutes=5))
    assert state.is_alarming(NOON + timedelta(minutes=5, seconds=1))

    with superuser() as line:
        line.execute("UPDATE audit_event SET at = 'infinity' WHERE id = (SELECT max(id) FROM audit_event)")
    with job_scope(agency_id=acme.pk):
        state = selectors.seal_state(acme.pk)
    assert (state.unsealed, state.oldest_unsealed_at) == (2, NOON), "one that cannot be read hides nothing"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET id = id",
        "DELETE FROM {table}",
        pytest.param("DELETE FROM {table} WHERE false", marks=pytest.mark.thorough),
        "TRUNCATE {table}",
    ],
)
@pytest.mark.parametrize("table", ["audit_event", "audit_seal", "audit_houseevent"])
def test_nobody_changes_what_was_written(table: str, statement: str) -> None:
    """The app's role has no right to, and the trigger refuses the owner as well."""
    acme = make.agency("Acme")
    seal(acme.pk)
    sql = statement.format(table=table)
    with pytest.raises(DatabaseError), job_scope(agency_id=acme.pk), connection.cursor() as cursor:
        cursor.execute(sql)
    with superuser() as line:
        line.execute("SET session_replication_role = origin")
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            line.execute(sql.encode())


def test_the_apps_role_was_left_no_right_to_change_the_trail() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for table in ("audit_event", "audit_seal", "audit_houseevent", "audit_epoch"):
            for right in ("UPDATE", "DELETE", "TRUNCATE"):
                cursor.execute("SELECT has_table_privilege(%s, %s)", [table, right])
                assert cursor.fetchone() == (False,), (table, right)


def test_an_event_cannot_lie_about_its_transaction() -> None:
    acme = make.agency("Acme")
    for column, value in (("xid", "'5'"), ("epoch", "7")):
        sql = (
            f"INSERT INTO audit_event (agency_id, actor_kind, actor_name, action, subject_kind, subject_id, "
            f"at, details, reason_hash, {column}) "
            f"VALUES (%s, 'job', 'x', 'a.b', '', '', now(), '{{}}', '', {value})"
        )
        with (
            pytest.raises(DatabaseError, match="row-level security"),
            job_scope(agency_id=acme.pk),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql, [acme.pk])


def test_a_leaf_is_the_bytes_that_the_specification_shows() -> None:
    event = Event(
        pk=7, agency_id=3, client_id=None, actor_kind="staff", actor_user_id=12, actor_name="user:12",
        action="call.revealed", subject_kind="calls.call", subject_id="0193",
        at=datetime(2026, 11, 24, 12, tzinfo=UTC),
        details={"b": 1, "a": 'é"\n', "c": None, "d": True}, reason_hash="", xid=900, epoch=1,
    )  # fmt: skip

    assert leaves.canonical(event.as_leaf()).decode() == (
        '{"action":"call.revealed","actor":{"kind":"staff","name":"user:12","user":12},"agency":3,'
        '"at":"2026-11-24T12:00:00.000000Z","client":null,"details":{"a":"é\\"\\n","b":1,"c":null,"d":true},'
        '"epoch":1,"id":7,"reason":null,"subject":{"id":"0193","kind":"calls.call"},"v":1,"xid":"900"}'
    )


# --- Verifying ---


@pytest.mark.parametrize(
    ("chunk", "sizes"), [(2, [2, 2, 1]), (5, [5]), pytest.param(9, [5], marks=pytest.mark.thorough)]
)
def test_what_waits_for_its_seal_is_read_in_parts_and_no_event_twice(
    chunk: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "_CHUNK", chunk)
    acme = make.agency("Acme")
    written = write(acme.pk, 4)

    with job_scope(agency_id=acme.pk):
        parts = [[event.pk for event in batch.events] for batch in verifying.batches(acme.pk)]
    assert [len(part) for part in parts] == sizes
    assert [pk for part in parts for pk in part][1:] == written


def test_a_verification_is_an_event_that_says_what_came_out() -> None:
    acme = make.agency("Acme")
    write(acme.pk, 2)
    seal(acme.pk)
    (waits,) = write(acme.pk)
    with superuser() as line:
        line.execute("UPDATE audit_event SET action = 'call.erased' WHERE id = %s", [waits - 1])

    with job_scope(agency_id=acme.pk):
        found = services.check_trail(agency_id=acme.pk, by=JOB, at=NOON)
        said = Event.objects.get(action="trail.verified")
    assert [str(one) for one in found.findings] == [f"event {waits - 1}: changed (seal 1)"]
    assert said.details == {"events": 4, "sealed": 3, "seals": 1, "left": 0, "findings": 1}
    assert (said.actor_name, said.at) == (JOB.name, NOON)


def test_nobody_waits_for_a_trail_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    acme = make.agency("Acme")
    write(acme.pk, 2)
    seal(acme.pk)

    with job_scope(agency_id=acme.pk):
        monkeypatch.setattr(verifying, "EVENTS_WHILE_WAITING", 2)
        with pytest.raises(services.TooLongError, match=r"^3 events .* manage.py verify_audit"):
            services.check_trail(agency_id=acme.pk, by=JOB, at=NOON)
        assert not Event.objects.filter(action="trail.verified").exists()
        monkeypatch.setattr(verifying, "EVENTS_WHILE_WAITING", 3)
        assert services.check_trail(agency_id=acme.pk, by=JOB, at=NOON).holds


def test_checkpoints_that_cannot_be_read_are_named_and_the_seals_still_verified() -> None:
    acme = make.agency("Acme")
    write(acme.pk, 2)
    seal(acme.pk)
    sink.path_of(acme.pk).unlink()
    sink.path_of(acme.pk).mkdir()

    found = verify(acme.pk)
    ((kind, text),) = [(one.kind, one.text) for one in found.findings]
    assert kind == "checkpoints"
    assert f"{sink.path_of(acme.pk)} is no file" in text
    assert (found.seals, found.sealed) == (1, 3)


@pytest.mark.parametrize(
    ("number", "until"), [(1, "epoch = 0, until_xid = '0', until_id = 0"), (2, "until_xid = '1'")]
)
def test_a_seal_that_spans_nothing_is_named(number: int, until: str) -> None:
    """One that ends where the trail begins, and one that ends before the seal ahead of it."""
    acme = make.agency("Acme")
    seal(acme.pk)
    write(acme.pk)
    seal(acme.pk)
    with superuser() as line:
        line.execute(f"UPDATE audit_seal SET {until} WHERE number = {number}".encode())

    named = [str(one) for one in verify(acme.pk).findings if "ends before" in str(one)]
    assert named == [f"seal {number}: ends before it begins"]
