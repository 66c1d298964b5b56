"""A client that leaves: two persons or a day, the file once, holds first, then nothing is left and that is signed."""

import io
import json
import re
import zipfile
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client as Browser

from callprivacy.accounts import seconding
from callprivacy.accounts.enums import Role
from callprivacy.accounts.models import ClientGrant, Membership
from callprivacy.accounts.services import people
from callprivacy.audit.models import Event
from callprivacy.audit.services import ReasonUnreadError
from callprivacy.calls.enums import JobState
from callprivacy.calls.models import Call, Caller, Connection, Pull, PullRun
from callprivacy.calls.services import connections, pulls
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import KeyPurpose
from callprivacy.tenancy.models import Client, PublicKey
from callprivacy.tenancy.scope import job_scope
from callprivacy.tenancy.selectors import ClientLeftError
from callprivacy.vault import files, signing
from callprivacy.vault import services as vault
from callprivacy.work.models import Item, Notification
from consent.models import ConsentEvent
from consent.services import web
from retention.channels import certificate as form
from retention.enums import EndState
from retention.kinds import LEAVES_ALONE
from retention.models import Hold, Offboarding
from retention.services import offboarding
from tests import make
from tests.accounts.browsers import signed_in
from tests.calls.test_hooks import connect
from tests.cast import Cast
from tests.consent.test_expiry import text_of
from tests.make import NOON

pytestmark = pytest.mark.django_db

CALLER = "+12125550188"
WHY = "The contract has ended on 30 November."
ADDRESS = "https://dentist.example.com/privacy"


def filled(cast: Cast) -> tuple[Connection, str]:
    """A call with its caller, a no, a way in and a public page."""
    call = make.call(cast.dentist, CALLER, at=NOON - timedelta(days=3))
    way = connect(cast.dentist)
    with job_scope(agency_id=cast.acme.pk):
        page = web.open_page(client=cast.dentist, at=NOON)
    vault.suppress_callers(client_id=cast.dentist.pk, caller_ids=[call.caller_id], purposes=["contact"], at=NOON)  # type: ignore[list-item]  # fmt: skip
    return way, page.key


def ask(cast: Cast, *, with_numbers: bool = False) -> Offboarding:
    with job_scope(agency_id=cast.acme.pk):
        return offboarding.ask(
            client=cast.dentist,
            moved_to=ADDRESS,
            with_numbers=with_numbers,
            reason=WHY,
            shown=offboarding.extent_of(cast.dentist).stored(),
            by=Actor.staff(user_id=cast.alice.user_id),
            at=NOON,
        )


def now(cast: Cast) -> Offboarding:
    with job_scope(agency_id=cast.acme.pk):
        return Offboarding.objects.select_related("client").exclude(state=EndState.STOPPED).get()


def work(cast: Cast, at: datetime) -> None:
    until = at + timedelta(seconds=40)
    for _ in range(5):
        if not offboarding.work_off(agency_id=cast.acme.pk, until=until, clock=lambda: at):
            return


def deed(cast: Cast, name: str, by: Membership | None = None, *, at: datetime = NOON, **more: Any) -> Any:
    actor = Actor.staff(user_id=(by or cast.alice).user_id)
    with job_scope(agency_id=cast.acme.pk):
        if name == "begin_erasing":
            more.setdefault("shown", offboarding.extent_of(cast.dentist).stored())
        if name == "agree":
            offboarding.read_reason(row=now(cast), by=actor, at=at)
        return getattr(offboarding, name)(row=now(cast), by=actor, at=at, **more)


def taken(text: str, at: datetime = NOON) -> bytes:
    """The whole file, by its link."""
    return b"".join(offboarding.take(text, clock=lambda: at))


def unpacked(data: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_it_waits_for_a_second_officer_where_there_is_one(cast: Cast, second: Membership) -> None:
    filled(cast)
    ask(cast)
    work(cast, NOON + timedelta(days=9))
    assert now(cast).state == EndState.ASKED
    with pytest.raises(seconding.SamePersonError):
        deed(cast, "agree")
    with pytest.raises(offboarding.NotNowError):
        ask(cast)
    deed(cast, "agree", second)
    work(cast, NOON)
    assert now(cast).state == EndState.WRITTEN


def test_who_has_not_opened_the_reason_does_not_agree(cast: Cast, second: Membership) -> None:
    ask(cast)
    with job_scope(agency_id=cast.acme.pk), pytest.raises(ReasonUnreadError, match="Open the reason first"):
        offboarding.agree(row=now(cast), by=Actor.staff(user_id=second.user_id), at=NOON)
    assert now(cast).state == EndState.ASKED


def test_an_officer_alone_waits_a_day_and_who_manages_the_agency_may_stop_it(cast: Cast) -> None:
    filled(cast)
    row = ask(cast)
    with job_scope(agency_id=cast.acme.pk):
        told = Notification.objects.filter(kind=LEAVES_ALONE).values_list("user_id", flat=True)
        assert list(told) == [cast.carol.user_id]
    work(cast, NOON + timedelta(hours=23))
    assert now(cast).state == EndState.ASKED
    admin = signed_in(cast.carol)
    assert admin.get("/clients/dentist/leave/").status_code == 403
    page = admin.get("/retention/leaving/").content.decode()
    assert "/retention/leaving/dentist/stop/" in page
    assert signed_in(cast.bob).get("/retention/leaving/").status_code == 403
    assert signed_in(cast.bob).post("/retention/leaving/dentist/stop/").status_code == 403
    assert signed_in(cast.mallory).post("/retention/leaving/dentist/stop/").status_code in {403, 404}
    assert now(cast).state == EndState.ASKED
    assert admin.post("/retention/leaving/dentist/stop/", {"row": str(row.pk)}).status_code == 302
    with job_scope(agency_id=cast.acme.pk):
        assert Offboarding.objects.get(pk=row.pk).state == EndState.STOPPED
    work(cast, NOON + timedelta(days=1))
    with job_scope(agency_id=cast.acme.pk):
        assert not Item.objects.open().filter(kind=offboarding.KIND).exists()
    ask(cast)
    work(cast, NOON + timedelta(hours=24))
    assert now(cast).state == EndState.WRITTEN


def test_who_suspends_the_other_officer_does_not_offboard_alone(cast: Cast, second: Membership) -> None:
    with job_scope(agency_id=cast.acme.pk):
        people.suspend(membership=second, by=Actor.staff(user_id=cast.alice.user_id), at=NOON)
    assert ask(cast).due_at is None
    work(cast, NOON + timedelta(hours=71))
    assert now(cast).state == EndState.ASKED
    deed(cast, "stop")
    with job_scope(agency_id=cast.acme.pk):
        Membership.objects.filter(pk=second.pk).update(officer_until=NOON)
    assert ask(cast).due_at == NOON + timedelta(hours=24), (
        "once the time is over, as where nobody else was one"
    )


def test_a_second_officer_who_comes_later_is_asked_before_anything_goes(cast: Cast) -> None:
    filled(cast)
    ask(cast)
    second = make.person(cast.acme, "Olga", Role.OFFICER)
    work(cast, NOON + timedelta(days=2))
    assert now(cast).state == EndState.ASKED
    assert now(cast).due_at is None
    with job_scope(agency_id=cast.acme.pk):
        Membership.objects.filter(pk=second.pk).update(state="suspended")
    deed(cast, "stop")
    ask(cast)
    work(cast, NOON + timedelta(days=1))
    taken(deed(cast, "new_link"))
    with job_scope(agency_id=cast.acme.pk):
        Membership.objects.filter(pk=second.pk).update(state="active")
    with pytest.raises(offboarding.NotNowError, match="Another officer"):
        deed(cast, "begin_erasing")
    deed(cast, "agree", second)
    deed(cast, "begin_erasing")
    assert now(cast).state == EndState.ERASING


def test_a_stop_takes_the_file_along_that_was_written_meanwhile(
    cast: Cast, second: Membership, django_capture_on_commit_callbacks: Any
) -> None:
    filled(cast)
    ask(cast)
    deed(cast, "agree", second)
    before = now(cast)
    work(cast, NOON)
    row = now(cast)
    assert row.file_key is not None
    assert files.exists(row.client_id, row.file_key)
    with django_capture_on_commit_callbacks(execute=True), job_scope(agency_id=cast.acme.pk):
        offboarding.stop(row=before, by=Actor.staff(user_id=cast.alice.user_id), at=NOON)
    assert not files.exists(row.client_id, row.file_key)


def written(cast: Cast, second: Membership) -> str:
    filled(cast)
    ask(cast)
    deed(cast, "agree", second)
    work(cast, NOON)
    return str(deed(cast, "new_link"))


def test_a_client_that_was_renamed_stays_inside_a_files_name(cast: Cast, second: Membership) -> None:
    text = written(cast, second)
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(name=make.HOSTILE_NAME)
    answer = Browser().post(f"/handover/{text}/")
    name = 'attachment; filename="acme-a-filenameevilhtml-x-evil-1.zip"'
    assert (answer["Content-Disposition"], "X-Evil" in answer) == (name, False)
    assert answer.getvalue()[:2] == b"PK"


def test_a_file_that_broke_off_was_not_taken(cast: Cast, second: Membership) -> None:
    text = written(cast, second)
    browser = Browser()
    begun = browser.post(f"/handover/{text}/")
    assert begun.getvalue()[:2] == b"PK"
    deed(cast, "new_link")
    text = deed(cast, "new_link")
    half = offboarding.take(text, clock=lambda: NOON)
    assert next(half)
    with pytest.raises(offboarding.NoFileError):
        offboarding.take(text, clock=lambda: NOON)
    half.close()
    assert now(cast).taken_at is None
    with pytest.raises(offboarding.NotNowError):
        deed(cast, "begin_erasing")
    never = offboarding.take(text, clock=lambda: NOON)
    never.close()
    assert unpacked(taken(text))
    assert now(cast).taken_at == NOON
    # And what came whole, and is lost there, is handed over again before anything goes.
    again = deed(cast, "new_link")
    with pytest.raises(offboarding.NotNowError):
        deed(cast, "begin_erasing")
    assert unpacked(taken(again))


def test_who_writes_long_keeps_the_file(
    cast: Cast, second: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(cast)
    ask(cast)
    deed(cast, "agree", second)
    at = NOON
    leases = []

    def clock() -> datetime:
        nonlocal at
        at += timedelta(minutes=2)
        leases.append((now(cast).leased_until, at))
        return at

    offboarding.work_off(agency_id=cast.acme.pk, until=NOON + timedelta(hours=9), clock=clock)
    assert now(cast).state == EndState.WRITTEN
    held = [(until, when) for until, when in leases if until is not None]
    assert at - NOON > timedelta(minutes=16)
    assert all(until > when for until, when in held)


def test_what_was_stopped_while_it_is_written_leaves_nothing(cast: Cast, second: Membership) -> None:
    filled(cast)
    ask(cast)
    deed(cast, "agree", second)
    at, stopped = NOON, False

    def clock() -> datetime:
        nonlocal at, stopped
        at += timedelta(minutes=4)
        if at > NOON + timedelta(minutes=12) and not stopped:
            stopped = True
            deed(cast, "stop")
        return at

    offboarding.work_off(agency_id=cast.acme.pk, until=NOON + timedelta(hours=9), clock=clock)
    with job_scope(agency_id=cast.acme.pk):
        row = Offboarding.objects.get()
        assert (row.state, row.file_key, row.due_at, row.last_error) == (EndState.STOPPED, None, None, "")
    assert files.ids(cast.dentist.pk, older_than=NOON + timedelta(days=9)) == []


def test_numbers_go_along_by_the_second_officers_word_alone(cast: Cast, second: Membership) -> None:
    filled(cast)
    ask(cast, with_numbers=True)
    work(cast, NOON + timedelta(days=9))
    assert now(cast).state == EndState.ASKED
    deed(cast, "agree", second)
    work(cast, NOON)
    text = deed(cast, "new_link")
    papers = unpacked(taken(text))
    assert CALLER in papers["suppressions.csv"]


def test_without_their_word_no_number_is_in_the_file_and_the_link_opens_once(cast: Cast) -> None:
    filled(cast)
    ask(cast)
    work(cast, NOON + timedelta(days=1))
    old = deed(cast, "new_link")
    text = deed(cast, "new_link")
    url = f"/handover/{text}/"
    browser = Browser()
    assert browser.get(f"/handover/{old}/").status_code == 404
    at = NOON + timedelta(days=8)
    with pytest.raises(offboarding.NoFileError):
        taken(text, at)
    assert offboarding.door_of(text, at=NOON).client.name == "Dentist"
    papers = unpacked(taken(text))
    assert CALLER[1:] not in "".join(papers.values())
    assert "contact" in papers["suppressions.csv"]
    assert json.loads(papers["manifest.json"])["rows"]["suppressions"] == 1
    with pytest.raises(offboarding.NoFileError):
        taken(text)
    assert browser.post(url).status_code == 404
    assert now(cast).file_digest


def test_only_the_digest_of_a_link_is_kept(cast: Cast) -> None:
    filled(cast)
    ask(cast)
    work(cast, NOON + timedelta(days=1))
    text = deed(cast, "new_link")
    assert text not in str(vars(now(cast)))
    (key,) = PublicKey.objects.filter(purpose=KeyPurpose.HANDOVER)
    assert key.key == bytes(now(cast).link_digest or b"").hex()


def test_a_hold_stops_it_at_every_step(cast: Cast) -> None:
    filled(cast)
    with job_scope(agency_id=cast.acme.pk):
        hold = Hold.objects.create(
            agency=cast.acme, client=cast.dentist, name="Case 7", review_on=NOON.date() + timedelta(days=90),
            placed_by_id=cast.alice.user_id, placed_at=NOON,
        )  # fmt: skip
    with pytest.raises(offboarding.HeldError, match="Case 7"):
        ask(cast)
    with job_scope(agency_id=cast.acme.pk):
        Hold.objects.filter(pk=hold.pk).update(lifted_at=NOON)
    ask(cast)
    work(cast, NOON + timedelta(days=1))
    taken(deed(cast, "new_link"))
    deed(cast, "begin_erasing")
    with job_scope(agency_id=cast.acme.pk):
        Hold.objects.filter(pk=hold.pk).update(lifted_at=None)
    work(cast, NOON + timedelta(days=2))
    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.for_client(cast.dentist).count() == 1
    assert "Case 7" in now(cast).last_error
    with job_scope(agency_id=cast.acme.pk):
        Hold.objects.filter(pk=hold.pk).update(lifted_at=NOON)
    work(cast, NOON + timedelta(days=3))
    assert now(cast).state == EndState.DONE


def test_in_the_end_nothing_is_left_old_links_say_where_and_it_is_signed(
    cast: Cast, second: Membership
) -> None:
    way, key = filled(cast)
    kept = make.call(cast.plumber, CALLER, at=NOON)
    PublicKey.objects.create(
        key="link-to-a-binder", purpose=KeyPurpose.BINDER, agency_id=cast.acme.pk, client_id=cast.dentist.pk
    )
    with job_scope(agency_id=cast.acme.pk):
        rail = Connection.objects.create(
            agency=cast.acme,
            client=cast.dentist,
            provider="callrail",
            name="Rail",
            key="rail",
            created_at=NOON,
        )
        pull = pulls.set_access(
            connection=rail, account="ACC1", company="", login="", secret="k" * 20, only_known=False, by=make.JOB,
            at=NOON,
        )  # fmt: skip
    ask(cast)
    deed(cast, "agree", second)
    work(cast, NOON)
    with pytest.raises(offboarding.NotNowError):
        deed(cast, "begin_erasing")
    taken(deed(cast, "new_link"))
    deed(cast, "begin_erasing")
    work(cast, NOON + timedelta(minutes=1))

    row = now(cast)
    assert row.state == EndState.DONE
    with job_scope(agency_id=cast.acme.pk):
        assert not Call.objects.for_client(cast.dentist).exists()
        assert not Caller.objects.for_client(cast.dentist).exists()
        assert not ConsentEvent.objects.for_client(cast.dentist).exists()
        assert Call.objects.filter(pk=kept.pk).exists()
        assert Client.objects.get(pk=cast.dentist.pk).archived_at is not None
        people = set(
            ClientGrant.objects.filter(content_object=cast.dentist).values_list("user_id", flat=True)
        )
        assert cast.bob.user_id not in people
        assert cast.alice.user_id in people
        assert Event.objects.filter(action="offboarding.done").count() == 1
    purposes = set(PublicKey.objects.filter(client_id=cast.dentist.pk).values_list("purpose", flat=True))
    assert purposes == {KeyPurpose.MOVED}

    moved = Browser().get(f"/c/{key}/consent/")
    assert moved.status_code == 410
    assert ADDRESS in moved.content.decode()
    assert "Location" not in moved
    assert Browser().get("/c/nobodys-key-at-all/consent/").status_code == 404
    assert (
        Browser().post(f"/hooks/callrail/{way.key}/", b"{}", content_type="application/json").status_code
        == 404
    )

    with job_scope(agency_id=cast.acme.pk):
        states = set(PullRun.objects.for_client(cast.dentist).values_list("state", flat=True))
        assert states == {JobState.CANCELLED}
        assert Pull.objects.get(pk=pull.pk).secret_set_at is None
        gone = Connection.objects.get(pk=way.pk)
        with pytest.raises(ClientLeftError):
            connections.reactivate_connection(connection=gone, by=make.JOB, at=NOON)
        with pytest.raises(ClientLeftError):
            connections.create_connection(
                client=cast.dentist, provider="callrail", name="Again", secret="s" * 32, by=make.JOB, at=NOON
            )
        with pytest.raises(ClientLeftError):
            pulls.set_access(
                connection=gone, account="ACC1", company="", login="", secret="k" * 20, only_known=False,
                by=make.JOB, at=NOON,
            )  # fmt: skip
    officer = signed_in(cast.alice)
    assert officer.get("/clients/dentist/connections/").status_code == 200
    for deed_there in (f"connections/{way.pk}/reactivate/", "connections/new/", "imports/new/", "keys/new/"):
        assert officer.post(f"/clients/dentist/{deed_there}").status_code in {403, 404}, deed_there
    with job_scope(agency_id=cast.acme.pk):
        assert not Connection.objects.filter(is_active=True, client=cast.dentist).exists()

    statement = json.loads(row.statement)
    assert statement["erased"]["call"] == 1
    assert statement["left"]["calls"] == 0
    signed = offboarding.CONTEXT + row.statement.encode()
    assert signing.verify(signed, bytes.fromhex(row.signature), signing.public_keys()[row.key_id])
    name, data = deed(cast, "statement_file")
    assert name == "offboarding-dentist.json"
    assert json.loads(data)["signature"] == row.signature
    assert form.NAME


def test_the_statement_counts_what_went_on_the_day_on_which_it_went(cast: Cast, second: Membership) -> None:
    taken(written(cast, second))
    carried_out = NOON + timedelta(days=1)
    make.recording(make.call(cast.dentist, "+12125550189", at=NOON), "https://vendor.example/1")
    connect(cast.dentist, "twilio")
    deed(cast, "begin_erasing", at=carried_out)
    connect(cast.dentist, "callrail")

    work(cast, carried_out)

    statement = json.loads(now(cast).statement)
    assert statement["shown_at"] == f"{carried_out:%Y-%m-%dT%H:%M:%S.%fZ}"
    assert [statement["shown"][name] for name in ("calls", "callers", "connections", "links")] == [2, 2, 2, 1]
    assert statement["erased"]["call"] == 2
    assert statement["among_erased"] == {"recordings": 1, "callers": 2}
    assert statement["closed"] == {"connections": 3, "keys": 0, "links": 1, "letters": 0, "people": 1}


def _shown_on(page: str) -> dict[str, str]:
    return dict(re.findall(r'name="(shown-[a-z]+)"\s+value="(\d+)"', page))


@pytest.mark.parametrize("deed_there", ["agree", "stop", "link", "erase", "reason"])
def test_who_saw_another_one_decides_nothing_of_the_one_that_was_asked_for_meanwhile(
    cast: Cast, second: Membership, deed_there: str
) -> None:
    filled(cast)
    old = ask(cast)
    other = signed_in(second)
    url = "/clients/dentist/leave/"
    page = other.get(url).content.decode()
    assert page.count(f'name="row" value="{old.pk}"') == page.count('action="/clients/dentist/leave/')
    deed(cast, "stop")
    ask(cast, with_numbers=True)
    for said in ({"row": str(old.pk)}, {}):
        answer = other.post(f"{url}{deed_there}/", said, follow=True)
        assert answer.redirect_chain == [(url, 302)]
        assert (
            "It was requested again since you opened this page. Review it again." in answer.content.decode()
        )
    assert (now(cast).state, now(cast).with_numbers) == (EndState.ASKED, True)
    with job_scope(agency_id=cast.acme.pk):
        assert not Event.objects.filter(action="reason.opened").exists()


def test_who_saw_another_one_under_leaving_does_not_stop_the_one_of_now(cast: Cast) -> None:
    filled(cast)
    old = ask(cast)
    admin = signed_in(cast.carol)
    url = "/retention/leaving/"
    assert f'name="row" value="{old.pk}"' in admin.get(url).content.decode()
    deed(cast, "stop")
    ask(cast)
    for said in ({"row": str(old.pk)}, {}):
        answer = admin.post(f"{url}dentist/stop/", said, follow=True)
        assert (
            "It was requested again since you opened this page. Review it again." in answer.content.decode()
        )
    assert now(cast).state == EndState.ASKED


def test_pages_show_the_extent_and_take_nobody_elses_word(cast: Cast, second: Membership) -> None:
    filled(cast)
    url = "/clients/dentist/leave/"
    assert signed_in(cast.bob).get(url).status_code == 403
    assert signed_in(cast.mallory).get(url).status_code == 404
    browser = signed_in(cast.alice)
    page = browser.get(url).content.decode()
    assert "Everything of Dentist is handed over and destroyed" in page
    with job_scope(agency_id=cast.acme.pk):
        counts = offboarding.extent_of(cast.dentist).stored()
    said = {f"shown-{name}": count for name, count in counts.items()} | {"reason": WHY, "moved_to": ADDRESS}
    assert (
        "plain http" in browser.post(url, said | {"moved_to": "http://dentist.example.com/"}).content.decode()
    )
    assert "have changed" in browser.post(url, said | {"shown-calls": "12"}).content.decode()
    assert browser.post(url, said).status_code == 302
    assert "Waits for a second person or a day" in browser.get(url).content.decode()
    row = {"row": str(now(cast).pk)}
    browser.post(f"{url}agree/", row)
    assert now(cast).state == EndState.ASKED
    other = signed_in(second)
    before = text_of(other.get(url).content)
    assert f"Calls, in and out {counts['calls']} " in before
    assert "What is handed over" in before
    assert "Agree: begin now" in before
    assert WHY not in before
    assert WHY in text_of(other.post(f"{url}reason/", row).content)
    with job_scope(agency_id=cast.acme.pk):
        assert Event.objects.filter(action="reason.opened", actor_user_id=second.user_id).exists()
    other.post(f"{url}agree/", row)
    at = make.now() + timedelta(seconds=5)
    work(cast, at)
    assert now(cast).state == EndState.WRITTEN
    made = browser.post(f"{url}link/", row)
    page = made.content.decode()
    assert "/handover/" in page
    assert "no-store" in made["Cache-Control"]
    assert "/handover/" not in browser.get(url).content.decode()
    assert "handover" not in str(dict(browser.session))
    link = page[page.index("/handover/") :].split('"')[0].split("<")[0]
    assert Browser().get(link).status_code == 200
    answer = Browser().post(link)
    assert answer["Content-Type"] == "application/zip"
    assert unpacked(answer.getvalue())
    assert WHY in text_of(browser.post(f"{url}reason/", row).content)
    make.call(cast.dentist, CALLER, at=NOON)
    last = browser.get(url).content.decode()
    last_said = row | _shown_on(last)
    assert last_said["shown-calls"] == str(counts["calls"] + 1), "as they are now"
    assert f"Counted now. Calls, in and out {counts['calls'] + 1} " in text_of(last.encode())
    browser.post(f"{url}erase/", last_said | {"phrase": "plumber"})
    assert now(cast).state == EndState.WRITTEN
    make.call(cast.dentist, CALLER, at=NOON)  # one more is no other extent: they keep coming
    others = last_said | {"shown-calls": "14"}
    again = browser.post(f"{url}erase/", others | {"phrase": "dentist"}, follow=True)
    assert "The counts have changed since you saw them. Look again." in again.content.decode()
    assert now(cast).state == EndState.WRITTEN
    browser.post(f"{url}erase/", last_said | {"phrase": "dentist"})
    assert now(cast).state == EndState.ERASING
    assert "The ways in are being shut." in browser.get(url).content.decode(), "the job does it"
    work(cast, at + timedelta(minutes=1))
    assert browser.get(f"{url}statement/").status_code == 200
