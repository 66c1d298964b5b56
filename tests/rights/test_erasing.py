"""A person who asks to be erased is gone from every copy, but for what a hold or a law keeps, and comes back as new."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from callprivacy.accounts.enums import Role
from callprivacy.audit.models import Event
from callprivacy.calls.enums import Direction, JobState
from callprivacy.calls.models import Call, Caller, CallExport, Recording
from callprivacy.calls.providers.base import CallFacts
from callprivacy.calls.selectors.calls import CallFilters
from callprivacy.calls.services import exports, intake
from callprivacy.calls.services.imports import Layout
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.enums import Answerer, Permission
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import job_scope, staff_scope
from callprivacy.vault import selectors as vault
from callprivacy.vault import services as vault_services
from consent.enums import Language
from consent.models import ConsentEvent
from retention.enums import Category
from retention.selectors import policies
from retention.services import holds
from rights.enums import ApprovalKind, Ask, CaseState, Copies, Decided, IdentityState
from rights.law.grounds import grounds_for
from rights.letters import filling
from rights.models import Case, Finding, Identity, Package, Proof, Step, Submission
from rights.selectors import letters, reach, words
from rights.services import approvals, cases, deciding, packages, proofs, reaching, restricting
from tests import make
from tests.accounts.browsers import signed_in
from tests.calls import files
from tests.cast import Cast
from tests.consent.deciding import worded
from tests.rights import asking
from tests.rights.asking import ANNA, BEN, Office
from tests.scale import some

pytestmark = pytest.mark.django_db

LATER = make.NOON + timedelta(hours=1)
YESTERDAY = make.NOON - timedelta(days=1)


@pytest.fixture
def office(cast: Cast) -> Office:
    for client in (cast.dentist, cast.plumber):
        make.grant(cast.alice, client)
        asking.answered_by(client, Answerer.AGENCY)
    return Office(cast)


def calls_of(client: Client, number: str = ANNA) -> int:
    found = vault.find_callers([client.pk], number).get(client.pk)
    with job_scope(agency_id=client.agency_id):
        return Call.objects.for_client(client).filter(caller_id=found).count() if found else 0


def ready(client: Client | None, cast: Cast, *asks: Ask, number: str = ANNA, **facts: Any) -> Submission:
    submission = asking.asked(client, *(asks or (Ask.DELETE,)), agency=cast.acme, numbers=[number], **facts)
    asking.prove(submission, number)
    asking.search(submission)
    return submission


def erase(cast: Cast, office: Office, submission: Submission) -> Case:
    case = asking.case_of(submission, Ask.DELETE)
    office.does(deciding.decide, case=case, decided=Decided.FULFIL, ground="", words="")
    asking.work(cast.acme, at=LATER)
    return asking.case_of(submission, Ask.DELETE)


@contextmanager
def held(cast: Cast, **extent: Any) -> Iterator[None]:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        holds.place_hold(
            client=cast.dentist, extent=holds.Wanted(**extent), name="The bill", matter="", reason="Counsel asked.",
            review_on=date(2027, 2, 1), ends_on=None, people=[], placed_by=cast.alice.user_id, at=make.NOON,
        )  # fmt: skip
    yield


def test_erased_transcripts_are_counted_and_dated_by_their_own_calls(cast: Cast, office: Office) -> None:
    """The case and the letter left them out, and dated one transcript by all calls of the person."""
    make.call(cast.dentist, ANNA, at=YESTERDAY)
    worded(make.call(cast.dentist, ANNA, at=make.NOON), "My tooth hurts.")

    submission = ready(cast.dentist, cast)
    found = line(submission, Copies.TRANSCRIPTS)
    case = erase(cast, office, submission)

    assert found.oldest_at == found.newest_at == make.NOON
    assert line(submission, Copies.TRANSCRIPTS).erased == 1
    with job_scope(agency_id=cast.acme.pk):
        assert "Transcripts: 1" in letters.facts_of(case)["done"]


def test_an_export_that_is_being_written_is_begun_anew_without_the_person(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA, source="annas")
    export = office.does(
        exports.request_export,
        client=cast.dentist,
        filters=CallFilters(),
        reason="The client asked for a list.",
    )
    with job_scope(agency_id=cast.acme.pk):
        CallExport.objects.update(state=JobState.RUNNING, due_at=LATER)

    erase(cast, office, ready(cast.dentist, cast))

    with job_scope(agency_id=cast.acme.pk):
        export.refresh_from_db()
        assert export.state == JobState.QUEUED


def line(submission: Submission, copies: Copies) -> Finding:
    with job_scope(agency_id=submission.agency_id):
        return Finding.objects.get(submission=submission, copies=copies)


def test_the_person_is_gone_and_the_record_of_the_request_is_all_that_remains(
    cast: Cast, office: Office
) -> None:
    call = make.call(cast.dentist, ANNA)
    make.recording(call, "https://vendor.example/r/1")
    make.call(cast.dentist, ANNA, at=make.NOON - timedelta(days=9))
    ben = make.call(cast.dentist, BEN)
    caller_id = call.caller_id
    submission = ready(cast.dentist, cast)
    assert line(submission, Copies.CALLS).count == 2

    case = erase(cast, office, submission)

    with job_scope(agency_id=cast.acme.pk):
        assert set(Call.objects.values_list("pk", flat=True)) == {ben.pk}
        assert not Recording.objects.exists()
        assert caller_id is not None
        assert not Caller.objects.filter(pk=caller_id).exists()
        step = Step.objects.get(case=case, kind="erase")
        assert step.state == "done"
        events = Event.objects.filter(action__in=["person.erasing", "person.erased"]).order_by("pk")
        assert [event.action for event in events] == ["person.erasing", "person.erased"]
    assert (line(submission, Copies.CALLS).erased, line(submission, Copies.CALLS).kept) == (2, 0)
    assert vault.find_callers([cast.dentist.pk], ANNA) == {}
    assert not vault.living_callers(cast.dentist.pk, [caller_id])
    assert case.state == CaseState.DECIDED


def test_the_same_person_who_calls_again_is_a_fresh_caller_and_old_calls_stay_away(
    cast: Cast, office: Office
) -> None:
    old = make.call(cast.dentist, ANNA)
    erase(cast, office, ready(cast.dentist, cast))
    facts = [
        CallFacts(
            started_at=at, direction=Direction.INBOUND, caller=ANNA, references=(("id", f"CAL{number}"),)
        )
        for number, at in enumerate((old.started_at, LATER + timedelta(days=200)))
    ]
    verdicts = intake.take_in(
        client=cast.dentist, provider="callrail", connection_id=None, facts=facts, way=intake.Way.HOOK,
        at=LATER + timedelta(days=201),
    )  # fmt: skip
    assert verdicts == [intake.Taken.ERASED, intake.Taken.ADDED]
    with job_scope(agency_id=cast.acme.pk):
        fresh = Call.objects.get()
        assert fresh.caller_id not in {None, old.caller_id}


def test_what_a_hold_keeps_stays_with_its_number_and_is_said(cast: Cast, office: Office) -> None:
    kept = make.call(cast.dentist, ANNA, at=make.NOON - timedelta(days=9))
    make.call(cast.dentist, ANNA)
    with held(cast, call_ids=[kept.pk]):
        submission = ready(cast.dentist, cast)
        case = asking.case_of(submission, Ask.DELETE)
        with job_scope(agency_id=cast.acme.pk):
            (shown,) = reach.preview(reach.targets_of(case), at=make.NOON)
        assert (shown.calls, shown.held, shown.is_whole) == (1, 1, False)
        assert [hold.name for hold in shown.holds] == ["The bill"]
        erase(cast, office, submission)
    with job_scope(agency_id=cast.acme.pk):
        assert list(Call.objects.values_list("pk", flat=True)) == [kept.pk]
        assert Call.objects.get().caller_id == kept.caller_id
    calls = line(submission, Copies.CALLS)
    assert (calls.erased, calls.kept, calls.kept_why) == (1, 1, "hold")
    assert line(submission, Copies.IDENTITY).kept == 1


def said(number: str | None, began: datetime, reference: str) -> CallFacts:
    """A call that a tracker tells of by its id."""
    return CallFacts(
        started_at=began, direction=Direction.INBOUND, caller=number, caller_withheld=number is None,
        references=(("id", reference),), recording_reference="https://vendor.example/r/1",
    )  # fmt: skip


def bring(
    client: Client, *facts: CallFacts, at: datetime, way: intake.Way = intake.Way.HOOK
) -> list[intake.Taken]:
    return intake.take_in(client=client, provider="callrail", connection_id=None, facts=facts, way=way, at=at)


def test_an_erased_call_stays_away_while_its_person_is_kept_and_a_restore_finds_it(
    cast: Cast, office: Office
) -> None:
    kept, gone = said(ANNA, make.NOON - timedelta(days=9), "CAL1"), said(ANNA, make.NOON, "CAL2")
    bring(cast.dentist, kept, gone, at=make.NOON)
    with job_scope(agency_id=cast.acme.pk):
        first, second = Call.objects.order_by("pk")
        of_first, of_second = (bytes(one.references.get().digest) for one in (first, second))
    with held(cast, call_ids=[first.pk]):
        erase(cast, office, ready(cast.dentist, cast))

    for way in intake.Way:
        assert bring(cast.dentist, kept, gone, at=LATER, way=way) == [intake.Taken.KNOWN, intake.Taken.ERASED]

    with job_scope(agency_id=cast.acme.pk):
        assert list(Call.objects.values_list("pk", flat=True)) == [first.pk]
    # What a restore looks through, until its own end.
    assert [digest for _, digest in vault.entombed_page(cast.dentist.pk, after=0, limit=9)] == [of_second]
    vault_services.expire_tombstones(client_id=cast.dentist.pk, on=(LATER + timedelta(days=3653)).date())
    assert vault.entombed(cast.dentist.pk, [of_first, of_second]) == set()


def test_news_that_names_nobody_brings_no_call_of_an_erased_person_back(cast: Cast, office: Office) -> None:
    gone = said(ANNA, make.NOON, "CAL1")
    bring(cast.dentist, gone, at=make.NOON)
    erase(cast, office, ready(cast.dentist, cast))

    news = said(None, make.NOON, "CAL1")

    for one in (news, replace(news, recording_reference=None, redacted=True)):
        assert bring(cast.dentist, one, at=LATER) == [intake.Taken.ERASED]
    with job_scope(agency_id=cast.acme.pk):
        assert not Call.objects.exists()


def erased_while_another_is_held(cast: Cast, office: Office, gone: CallFacts) -> CallFacts:
    """Anna has had this call erased, and a hold keeps another of hers, and so her number; returns the other."""
    kept = said(ANNA, make.NOON - timedelta(days=9), "1")
    bring(cast.dentist, kept, gone, at=make.NOON)
    with job_scope(agency_id=cast.acme.pk):
        first = Call.objects.earliest("pk")
    with held(cast, call_ids=[first.pk]):
        erase(cast, office, ready(cast.dentist, cast))
    assert calls_of(cast.dentist) == 1
    return kept


def test_an_erased_call_whose_person_is_kept_stays_away_in_a_file_without_ids(
    cast: Cast, office: Office
) -> None:
    kept = erased_while_another_is_held(cast, office, said(ANNA, YESTERDAY, "2"))
    later = YESTERDAY + timedelta(hours=1)
    rows = [(f"{at:%Y-%m-%d %H:%M:%S}", number, "80") for at, number in (
        (kept.started_at, ANNA), (YESTERDAY, ANNA), (YESTERDAY, BEN), (later, ANNA),
    )]  # fmt: skip
    columns = {"started_at": "When", "caller": "Who", "seconds": "How long"}
    file = files.table(rows, ("When", "Who", "How long"))

    files.imported(cast.dentist, file, Layout("generic", columns, "UTC"))

    with job_scope(agency_id=cast.acme.pk):
        starts = [call.started_at for call in Call.objects.order_by("pk")]
    assert starts.count(YESTERDAY) == 1, "Ben's"
    assert starts[-1] == later, "a call of its own"
    assert calls_of(cast.dentist) == starts.count(kept.started_at) + 1


def test_an_erased_call_whose_person_is_kept_stays_away_by_a_name_that_nobody_told_us(
    cast: Cast, office: Office
) -> None:
    gone = replace(said(ANNA, YESTERDAY, ""), references=(("id", "2"),))
    erased_while_another_is_held(cast, office, gone)
    listed = replace(gone, seconds=80)
    later = replace(listed, references=(("resource_id", "CAL9"),), started_at=YESTERDAY + timedelta(hours=1))

    near = [
        replace(listed, references=(("resource_id", f"CAL{apart}"),), started_at=YESTERDAY + apart)
        for apart in (timedelta(seconds=-2), timedelta(0), timedelta(seconds=2))
    ]
    assert bring(cast.dentist, *near, later, at=LATER) == [intake.Taken.ERASED] * 3 + [intake.Taken.ADDED]
    # From now on that name is known, also where nobody is named.
    news = replace(near[0], caller=None, caller_withheld=True, recording_reference=None, redacted=True)
    assert bring(cast.dentist, news, at=LATER) == [intake.Taken.ERASED]

    assert calls_of(cast.dentist) == 2
    assert bring(cast.dentist, later, at=LATER) == [intake.Taken.KNOWN]


def test_records_of_calls_out_stay_where_the_law_wants_them_and_no_longer(cast: Cast, office: Office) -> None:
    keep_calls_out(cast.dentist, 1827)
    out = make.call(cast.dentist, ANNA, direction=Direction.OUTBOUND)
    make.call(cast.dentist, ANNA, at=make.NOON - timedelta(days=2))
    submission = ready(cast.dentist, cast)
    erase(cast, office, submission)
    with job_scope(agency_id=cast.acme.pk):
        assert list(Call.objects.values_list("pk", flat=True)) == [out.pk]
    assert (line(submission, Copies.CALLS).erased, line(submission, Copies.CALLS).kept_why) == (1, "law")


def keep_calls_out(client: Client, days: int) -> None:
    with job_scope(agency_id=client.agency_id):
        Client.objects.filter(pk=client.pk).update(keep_calls_out_for_days=days)


@pytest.mark.parametrize(
    ("days", "country", "why"),
    [(365, "", ""), (1827, "DE", ""), pytest.param(1827, "US", "law", marks=pytest.mark.thorough)],
)
def test_a_law_that_the_clients_policy_does_not_keep_to_or_that_is_none_of_europe_keeps_nothing_back(
    cast: Cast, days: int, country: str, why: str
) -> None:
    keep_calls_out(cast.dentist, days)
    out = make.call(cast.dentist, ANNA, direction=Direction.OUTBOUND)
    submission = ready(cast.dentist, cast, place=(country, ""))
    with job_scope(agency_id=cast.acme.pk):
        (target,) = reach.targets_of(asking.case_of(submission, Ask.DELETE))
        (found,) = reach.preview([target], at=make.NOON)
        kept = Call.objects.filter(reach.kept_by_floor(target, make.NOON))
        assert list(kept.values_list("pk", flat=True)) == ([out.pk] if why else [])
    assert (found.by_law, found.law is not None) == (int(bool(why)), bool(why))


@pytest.mark.parametrize(("seconds", "is_kept"), [(0, True), (-1, False)])
def test_a_law_keeps_calls_by_the_clients_days_as_the_nightly_run_does(
    cast: Cast, office: Office, seconds: int, *, is_kept: bool
) -> None:
    keep_calls_out(cast.dentist, 1827)
    with job_scope(agency_id=cast.acme.pk):
        client = Client.objects.get(pk=cast.dentist.pk)
        line = policies.cutoff(client, Category.CALL_OUT, make.NOON)
    assert line < make.NOON - timedelta(days=1827), "the day has hours before this one"
    at = line + timedelta(seconds=seconds)
    out = make.call(client, ANNA, at=at, direction=Direction.OUTBOUND)
    submission = ready(client, cast)
    with job_scope(agency_id=cast.acme.pk):
        (target,) = reach.targets_of(asking.case_of(submission, Ask.DELETE))
        kept = Call.objects.filter(reach.kept_by_floor(target, make.NOON))
        assert list(kept.values_list("pk", flat=True)) == ([out.pk] if is_kept else [])


def test_a_number_never_seen_is_answered_without_a_trace(cast: Cast, office: Office) -> None:
    submission = ready(cast.dentist, cast)
    with job_scope(agency_id=cast.acme.pk):
        assert not Finding.objects.exists()
    erase(cast, office, submission)
    with job_scope(agency_id=cast.acme.pk):
        assert not Caller.objects.exists()
        assert Step.objects.get(kind="erase").state == "done"


def test_only_the_proven_number_of_two_is_erased(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA)
    make.call(cast.dentist, BEN)
    submission = asking.asked(cast.dentist, Ask.DELETE, numbers=[ANNA, BEN])
    asking.prove(submission, ANNA)
    asking.search(submission)
    erase(cast, office, submission)
    assert (calls_of(cast.dentist, ANNA), calls_of(cast.dentist, BEN)) == (0, 1)


def test_the_agencys_own_request_reaches_only_clients_that_it_answers_for(cast: Cast, office: Office) -> None:
    for client in (cast.dentist, cast.plumber):
        make.call(client, ANNA)
    make.call(cast.florist, ANNA)
    asking.answered_by(cast.plumber, Answerer.CLIENT)
    submission = ready(None, cast)
    case = asking.case_of(submission, Ask.DELETE)
    with job_scope(agency_id=cast.acme.pk):
        assert {target.client.pk for target in reach.targets_of(case)} == {cast.dentist.pk}
        assert [client.pk for client in reach.others_of(case)] == [cast.plumber.pk]
        # The plumber answers itself: it has a request of its own now, proven, with the same clock.
        child = Submission.objects.get(parent=submission)
        assert (child.client_id, child.received_at) == (cast.plumber.pk, submission.received_at)
        own = Case.objects.get(submission=child)
        assert (own.asks, own.state, own.answerer) == ("delete", CaseState.OPEN, Answerer.CLIENT)
        key = words.key_of(child)
        assert words.text(child.identities.get().value, key) == ANNA
        assert words.record(child.contact, key)["mail"] == "anna@example.org"
        derived = Event.objects.filter(action="token.derived").values_list("client_id", flat=True)
        assert set(derived) == {cast.dentist.pk, cast.plumber.pk}
    erase(cast, office, submission)
    assert (calls_of(cast.dentist), calls_of(cast.plumber), calls_of(cast.florist)) == (0, 1, 1)


def test_who_lacks_a_client_that_the_agencys_request_reaches_decides_nothing_there(
    cast: Cast, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    for client in (cast.dentist, cast.plumber):
        make.call(client, ANNA)
    submission = ready(None, cast)
    case = asking.case_of(submission, Ask.DELETE)
    address = reverse("rights:decide", args=[case.pk])
    olga = make.person(cast.acme, "olga", Role.OFFICER)
    make.grant(olga, cast.plumber)
    make.grant(olga, cast.dentist, without=Permission.VIEW_CALLS)
    browser = signed_in(olga)

    page = browser.get(address)
    assert [client.pk for client in page.context["unseen"]] == [cast.dentist.pk]
    answer = {"decided": Decided.FULFIL, "shown": asking.seen(page.content.decode())}
    refused = browser.post(address, answer)
    assert (refused.status_code, asking.case_of(submission, Ask.DELETE).decided_at) == (422, None)
    assert "not granted to you: Dentist. Leave it to an officer who has these clients." in refused.text

    asking.work(cast.acme, at=LATER)
    assert (calls_of(cast.dentist), calls_of(cast.plumber)) == (1, 1)

    def does(deed: Callable[..., object], **facts: Any) -> None:
        with staff_scope(agency_id=cast.acme.pk, user_id=olga.user_id):
            deed(by=Actor.staff(user_id=olga.user_id), at=make.NOON, **facts)

    with job_scope(agency_id=cast.acme.pk):
        identity = Identity.objects.select_related("submission").get(submission=submission)
    monkeypatch.setattr(restricting, "may_lift", lambda _: True)
    monkeypatch.setattr(restricting, "is_told", lambda _: True)
    deeds: list[tuple[Callable[..., object], dict[str, Any]]] = [
        (proofs.judge, {"identity": identity, "holds": True, "seen": "A card."}),
        (proofs.show_older, {"identity": identity, "since": make.NOON, "seen": "Bills."}),
        (restricting.end, {"case": case}),
    ]
    for deed, facts in deeds:
        with pytest.raises(reaching.NotYoursError):
            does(deed, **facts)
    assert browser.get(reverse("rights:identity", args=[case.pk, identity.pk])).context["unseen"]
    make.grant(olga, cast.dentist)
    assert browser.get(address).context["unseen"] == []


def test_who_lacks_a_client_may_still_say_that_an_identity_is_not_shown(cast: Cast) -> None:
    asking.answered_by(cast.dentist, Answerer.AGENCY)
    make.call(cast.dentist, ANNA)
    submission = ready(None, cast)
    case = asking.case_of(submission, Ask.DELETE)
    with job_scope(agency_id=cast.acme.pk):
        identity = Identity.objects.get(submission=submission)
        Identity.objects.filter(pk=identity.pk).update(state=IdentityState.CLAIMED)
    olga = make.person(cast.acme, "olga", Role.OFFICER)
    make.grant(olga, cast.plumber)
    browser, address = signed_in(olga), reverse("rights:identity", args=[case.pk, identity.pk])

    def says(holds: str) -> str:
        browser.post(
            address, {"holds": holds, "seen": "A card of somebody else.", "arrived_on": "2026-11-01"}
        )
        with job_scope(agency_id=cast.acme.pk):
            return Identity.objects.get(pk=identity.pk).state

    page = browser.get(address)
    assert page.context["unseen"] == [cast.dentist]
    assert [value for value, _ in page.context["form"].fields["holds"].choices] == ["no"]
    assert says("yes") == IdentityState.CLAIMED
    assert says("no") == IdentityState.REFUSED


def test_refusals_and_their_evidence_outlive_the_erasure(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA)
    asking.asked(cast.dentist, Ask.DO_NOT_CONTACT)
    submission = ready(cast.dentist, cast)
    erase(cast, office, submission)
    noes = vault.suppressed(cast.dentist.pk, [ANNA], on=LATER.date())
    assert set(noes[ANNA]) == {"contact", "not_asked"}
    with job_scope(agency_id=cast.acme.pk):
        assert ConsentEvent.objects.filter(purpose="contact", kind="withdrawn").exists()
    consent = line(submission, Copies.CONSENT)
    assert (consent.kept, consent.kept_why) == (1, "evidence")


@pytest.mark.parametrize(
    ("days", "told"),
    some(
        [
            (731, ("24 months", "24 meses")),
            (1096, ("36 months", "36 meses")),
            (900, ("900 days", "900 días")),
        ],
        one_in=3,
    ),
)
def test_the_letter_says_for_how_long_the_record_is_kept_by_the_policy(
    cast: Cast, office: Office, monkeypatch: pytest.MonkeyPatch, days: int, told: tuple[str, str]
) -> None:
    make.call(cast.dentist, ANNA)
    case = erase(cast, office, ready(cast.dentist, cast))
    monkeypatch.setattr("rights.selectors.ends.kept_for", lambda _: days)
    with job_scope(agency_id=cast.acme.pk):
        for language, words_of in zip((Language.ENGLISH, Language.SPANISH), told, strict=True):
            facts = letters.facts_of(case, language=language)
            assert f" {words_of}, " in filling.fill("erased", language, facts).body


def test_an_appeal_that_is_right_is_carried_out(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA)
    submission = asking.asked(cast.dentist, Ask.DELETE)
    asking.prove(submission)
    asking.search(submission)
    first = asking.case_of(submission, Ask.DELETE)
    (why, *_) = grounds_for(first.kind, [row["law"] for row in first.laws])
    office.does(deciding.decide, case=first, decided=Decided.REFUSE, ground=why.id, words="We keep it.")
    office.does(deciding.close, case=first)
    make.grant(make.person(cast.acme, "erin", Role.OFFICER), cast.dentist)
    appeal = office.does(cases.appeal, case=first, words="I do not agree.", received_at=LATER, at=LATER)

    said = {"case": appeal, "decided": Decided.FULFIL, "ground": "", "words": "You are right.", "at": LATER}
    with pytest.raises(deciding.OwnAnswerError):
        office.does(deciding.decide, **said)
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.filter(pk=first.pk).update(decided_by_id=None)
    office.does(deciding.decide, **said)
    with job_scope(agency_id=cast.acme.pk):
        again = Case.objects.get(submission=submission, asks=Ask.DELETE, decided="")
        assert (again.state, again.received_at, again.identified_at) == (CaseState.OPEN, LATER, LATER)
        assert Call.objects.for_client(cast.dentist).exists()
    asking.search(submission, at=LATER)
    office.does(deciding.decide, case=again, decided=Decided.FULFIL, ground="", words="", at=LATER)
    asking.work(cast.acme, at=LATER + timedelta(minutes=1))
    with job_scope(agency_id=cast.acme.pk):
        assert not Call.objects.for_client(cast.dentist).exists()


def test_the_client_agrees_anew_once_more_is_reached_than_it_was_asked_about(
    cast: Cast, office: Office
) -> None:
    asking.answered_by(cast.dentist, Answerer.AFTER_APPROVAL)
    submission = asking.asked(cast.dentist, Ask.DELETE, numbers=[ANNA, BEN])
    asking.prove(submission, ANNA)
    asking.search(submission)

    def agree(at: datetime) -> Case:
        case = asking.case_of(submission, Ask.DELETE)
        question = office.does(
            approvals.ask_client, case=case, kind=ApprovalKind.APPROVE, to="owner@dentist.example", said="",
            is_vouched=True, at=at,
        )  # fmt: skip
        office.does(
            approvals.answer_signed_in, approval=question, agrees=True, name="The owner", said="", at=at
        )
        return case

    case = agree(make.NOON)
    assert not office.does(lambda case, **_: deciding.needs_approval(case), case=case)
    asking.prove(submission, BEN, at=LATER)
    asking.search(submission, at=LATER)
    said = {"case": case, "decided": Decided.FULFIL, "ground": "", "words": "", "at": LATER}
    with pytest.raises(deciding.NotApprovedError):
        office.does(deciding.decide, **said)
    agree(LATER)
    office.does(deciding.decide, **said)


def test_who_gave_the_first_answer_does_not_give_it_again_after_an_appeal_that_was_right(
    cast: Cast, office: Office
) -> None:
    make.call(cast.dentist, ANNA)
    submission = ready(cast.dentist, cast)
    first = asking.case_of(submission, Ask.DELETE)
    (why, *_) = grounds_for(first.kind, [row["law"] for row in first.laws])
    no = {"decided": Decided.REFUSE, "ground": why.id, "words": "We keep it.", "at": LATER}
    office.does(deciding.decide, case=first, **no)
    erin = make.person(cast.acme, "erin", Role.OFFICER)
    make.grant(erin, cast.dentist)
    appeal = office.does(cases.appeal, case=first, words="I do not agree.", received_at=LATER, at=LATER)
    with staff_scope(agency_id=cast.acme.pk, user_id=erin.user_id):
        by = Actor.staff(user_id=erin.user_id)
        deciding.decide(
            case=appeal, decided=Decided.FULFIL, ground="", words="You are right.", by=by, at=LATER
        )
    asking.search(submission, at=LATER)
    with job_scope(agency_id=cast.acme.pk):
        again = Case.objects.get(submission=submission, asks=Ask.DELETE, decided="")

    with pytest.raises(deciding.OwnAnswerError):
        office.does(deciding.decide, case=again, **no)
    with staff_scope(agency_id=cast.acme.pk, user_id=erin.user_id):
        deciding.decide(case=again, decided=Decided.FULFIL, ground="", words="", by=by, at=LATER)


def test_an_erasure_that_is_done_again_does_nothing_more(cast: Cast, office: Office) -> None:
    make.call(cast.dentist, ANNA)
    submission = ready(cast.dentist, cast)
    case = erase(cast, office, submission)
    with job_scope(agency_id=cast.acme.pk):
        Step.objects.filter(case=case, kind="erase").update(state="waiting", due_at=LATER)
        before = Event.objects.filter(action="case.erased").count()
    asking.work(cast.acme, at=LATER)
    with job_scope(agency_id=cast.acme.pk):
        assert Step.objects.get(case=case, kind="erase").state == "done"
        assert Event.objects.filter(action="case.erased").count() == before + 1
    assert calls_of(cast.dentist) == 0


@pytest.mark.thorough
def test_a_copy_that_was_asked_for_first_stays_until_it_is_taken_and_another_ends(
    cast: Cast, office: Office
) -> None:
    make.call(cast.dentist, ANNA)
    make.call(cast.dentist, BEN)
    both = ready(cast.dentist, cast, Ask.COPY, Ask.DELETE)
    office.does(
        deciding.decide, case=asking.case_of(both, Ask.COPY), decided=Decided.FULFIL, ground="", words=""
    )
    # Decided at one moment, and the erasure is looked at first: it waits for the copy.
    erased = erase(cast, office, both)
    asking.work(cast.acme, at=LATER + timedelta(minutes=2))
    later = ready(cast.dentist, cast, Ask.DELETE, number=BEN)
    bens = ready(cast.dentist, cast, Ask.COPY, number=BEN, received_at=make.NOON + timedelta(minutes=1))
    office.does(
        deciding.decide, case=asking.case_of(bens, Ask.COPY), decided=Decided.FULFIL, ground="", words=""
    )
    asking.work(cast.acme, at=LATER)
    erase(cast, office, later)

    with job_scope(agency_id=cast.acme.pk):
        kept, ended = (Package.objects.get(case__submission=one) for one in (both, bens))
        assert kept.contents["calls"] == 1
        assert (kept.state, kept.ends_when_taken) == ("ready", True)
        assert (ended.state, ended.file_key) == ("gone", None)
        stays = letters.facts_of(erased, said="", language=Language.ENGLISH)["stays"]
        assert f"One copy that you asked for ({kept.case.reference})" in stays
        proof = Proof.objects.get(submission=both, kind="text_code")
        Proof.objects.filter(pk=proof.pk).update(at=LATER)
        token = packages.new_link(package=kept, proof=proof, by=asking.BY_PAGE, at=LATER)
        packages.read_all(packages.take(token=token, by=asking.BY_PAGE, at=LATER))
    assert packages.expire(agency_id=cast.acme.pk, at=LATER + packages.TAKEN_FOR) == 1
