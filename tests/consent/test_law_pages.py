"""The pages of the law: what decides where, what imported rules would change, who approved what."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile

from callprivacy.accounts.enums import Role
from callprivacy.audit.models import Event
from callprivacy.calls.models import Call
from callprivacy.lib.scope import Actor
from callprivacy.tenancy.models import Client
from callprivacy.tenancy.scope import client_scope, job_scope, staff_scope
from callprivacy.work.models import Item
from consent import kinds, law
from consent.enums import Standard
from consent.law import Topic
from consent.models import CallerPlace, PackEffect, Rejudgement, RulePack
from consent.selectors import law as selectors
from consent.services import decisions, setup, standards
from consent.services import law as services
from consent.services.setup import Said
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.make import NOON

pytestmark = pytest.mark.django_db

CALIFORNIA = "us-ca-notice-suffices"
REASON = "The court of appeal said so in November."


def by(cast: Cast) -> Actor:
    return Actor.staff(user_id=cast.alice.user_id)


def pack(version: str = "acme-2", **values: str) -> bytes:
    """The shipped rules with other values for some of them, by id."""
    lines = law.shipped_text().splitlines()
    lines[0] = f"# version: {version}"
    for rule_id, value in values.items():
        rule = law.load_pack().get(rule_id.replace("_", "-"))
        assert rule is not None
        lines = [
            line.replace(f",{rule.topic},{rule.value},", f",{rule.topic},{value},")
            if line.startswith(f"{rule.id},")
            else line
            for line in lines
        ]
    return "\n".join([*lines, ""]).encode()


def stricter() -> bytes:
    """Rules by which an announcement is not enough in California any more."""
    return pack(us_ca_notice_suffices="no")


def bring(cast: Cast, raw: bytes) -> RulePack:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        return services.import_pack(agency=cast.acme, raw=raw, by=by(cast), at=NOON)


def work(cast: Cast, at: datetime = NOON) -> None:
    until = at + timedelta(seconds=40)
    services.work_packs(agency_id=cast.acme.pk, until=until, clock=lambda: at)


def fresh(cast: Cast, row: RulePack) -> RulePack:
    with job_scope(agency_id=cast.acme.pk):
        return RulePack.objects.get(pk=row.pk)


def announced_calls(cast: Cast, client: Client, count: int, number: str = "+1415555") -> list[Call]:
    """Recorded calls of Californians to an announced number at a client that asks for an announcement, decided."""
    line = make.tracking_number(client, f"+1415555{client.pk % 10000:04}")
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        said = Said(
            records=True, announcement="Calls are recorded.", announced_from=NOON.date() - timedelta(days=99)
        )
        setup.confirm_numbers(client=client, said={line.pk: said}, by=by(cast), at=NOON)
        standards.choose(client=client, standard=Standard.ANNOUNCE, reason=REASON, by=by(cast), at=NOON)
    calls = [
        make.call(client, f"{number}{n:04}", at=NOON - timedelta(days=1, minutes=n), tracking_number=line)
        for n in range(count)
    ]
    region = "NY" if number.startswith("+1212") else "CA"
    with job_scope(agency_id=cast.acme.pk):
        CallerPlace.objects.bulk_create(
            CallerPlace(
                agency_id=cast.acme.pk,
                client=client,
                caller=call.caller,
                country="US",
                region=region,
                recorded_at=NOON,
            )
            for call in calls
        )
    for call in calls:
        make.recording(call, "https://vendor.example/1")
    decide(cast)
    return calls


def decide(cast: Cast) -> None:
    decisions.work(agency_id=cast.acme.pk, until=NOON + timedelta(seconds=40), clock=lambda: NOON)


# --- What decides ---


def test_the_shipped_rules_decide_until_others_are_put_in_force(cast: Cast) -> None:
    row = bring(cast, stricter())
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        assert selectors.rules_of(cast.acme.pk) is law.load_pack()
    work(cast)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        services.activate_pack(pack=row, seen=0, reason=REASON, by=by(cast), at=NOON)
    with client_scope(agency_id=cast.acme.pk, client_id=cast.dentist.pk):
        rule = selectors.rules_of(cast.acme.pk).get(CALIFORNIA)
        assert rule is not None
        assert rule.value == "no", "public doors decide by them too"
    with job_scope(agency_id=cast.globex.pk):
        assert selectors.rules_of(cast.globex.pk) is law.load_pack(), "another agency's rules stay its own"


def test_a_pack_that_cannot_decide_is_refused_with_everything_that_is_wrong(cast: Cast) -> None:
    with pytest.raises(law.PackError) as error:
        bring(cast, pack(us_ca_notice_suffices="perhaps"))
    assert any(CALIFORNIA in fault.about for fault in error.value.faults)
    with pytest.raises(services.SameRulesError):
        bring(cast, pack("another-name"))


# --- What it would change ---


@pytest.mark.as_committed
def test_what_changes_is_counted_client_by_client_before_anything_decides(cast: Cast) -> None:
    announced_calls(cast, cast.dentist, 3)
    announced_calls(cast, cast.plumber, 2, "+1212555")
    row = bring(cast, stricter())
    work(cast)
    counted = fresh(cast, row)
    assert (counted.clients_changed, counted.decisions_changed) == (1, 3)
    with job_scope(agency_id=cast.acme.pk):
        (effect,) = selectors.effects_of(row)
        assert (effect.client_id, effect.counted, effect.newly_withheld) == (cast.dentist.pk, 3, 3)
        assert {call.recording.state for call in Call.objects.select_related("recording")} == {"allowed"}
        assert Item.objects.open().filter(kind=kinds.RULES_COUNTED).get().count == 3
    work(cast)
    assert fresh(cast, row).decisions_changed == 3, "counting again counts nothing twice"


@pytest.mark.as_committed
def test_counting_goes_on_where_a_worker_was_killed(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    announced_calls(cast, cast.dentist, 5)
    monkeypatch.setattr(services, "BATCH", 2)
    row = bring(cast, stricter())
    instants = iter([NOON, NOON, NOON + timedelta(minutes=1), NOON + timedelta(minutes=1)])
    services.work_packs(
        agency_id=cast.acme.pk, until=NOON + timedelta(seconds=1), clock=lambda: next(instants)
    )
    with job_scope(agency_id=cast.acme.pk):
        assert PackEffect.objects.get(client=cast.dentist).counted == 2
        assert selectors.count_of(RulePack.objects.get(pk=row.pk), law.load_pack()).counted == 2
    work(cast)
    assert fresh(cast, row).decisions_changed == 5


@pytest.mark.as_committed
def test_putting_them_in_force_decides_everything_anew(cast: Cast) -> None:
    (call,) = announced_calls(cast, cast.dentist, 1)
    row = bring(cast, stricter())
    with (
        staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id),
        pytest.raises(services.NotCountedError),
    ):
        services.activate_pack(pack=row, seen=0, reason=REASON, by=by(cast), at=NOON)
    work(cast)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        with pytest.raises(services.CountsChangedError):
            services.activate_pack(pack=row, seen=7, reason=REASON, by=by(cast), at=NOON)
        services.activate_pack(pack=row, seen=1, reason=REASON, by=by(cast), at=NOON)
    work(cast)
    work(cast)
    with job_scope(agency_id=cast.acme.pk):
        waiting = Rejudgement.objects.filter(cause="rules", finished_at=None)
        assert sorted(waiting.values_list("client_id", flat=True)) == sorted(
            [cast.dentist.pk, cast.plumber.pk]
        )
        event = Event.objects.get(action="rules.activated")
        assert (event.details["decisions"], bool(event.reason_hash)) == (1, True)
        assert not Item.objects.open().filter(kind=kinds.RULES_COUNTED).exists()
    decide(cast)
    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.select_related("recording").get(pk=call.pk).recording.state == "withheld"
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        services.return_to_shipped(agency=cast.acme, reason=REASON, by=by(cast), at=NOON)
        with pytest.raises(services.NoPackError):
            services.return_to_shipped(agency=cast.acme, reason=REASON, by=by(cast), at=NOON)
    work(cast)
    decide(cast)
    with job_scope(agency_id=cast.acme.pk):
        assert Call.objects.select_related("recording").get(pk=call.pk).recording.state == "allowed"


def activate(cast: Cast, row: RulePack, seen: int) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        services.activate_pack(pack=row, seen=seen, reason=REASON, by=by(cast), at=NOON)


@pytest.mark.as_committed
def test_what_other_packs_change_is_counted_anew_when_other_rules_decide(cast: Cast) -> None:
    announced_calls(cast, cast.dentist, 3)
    first, second = (
        bring(cast, stricter()),
        bring(cast, pack("acme-3", us_ca_notice_suffices="no", us_ca_minors="express")),
    )
    work(cast)
    assert [fresh(cast, one).decisions_changed for one in (first, second)] == [3, 3]

    activate(cast, first, 3)
    with pytest.raises(services.NotCountedError):
        activate(cast, second, 3)
    page = signed_in(cast.alice).get(f"/law/packs/{second.pk}/").content.decode()
    assert "Counting what these rules would change" in page
    assert "Put rules in force" not in page
    moved = signed_in(cast.alice).get(f"/law/packs/{second.pk}/progress/")
    assert "HX-Refresh" not in moved
    assert [row["value"] for row in moved.context["progress"]["rows"]] == ["0", "0", "0"]

    work(cast, NOON + timedelta(hours=1))
    decide(cast)
    counted = fresh(cast, second)
    assert (counted.decisions_changed, counted.counted_at) == (0, NOON + timedelta(hours=1))
    with job_scope(agency_id=cast.acme.pk):
        assert PackEffect.objects.get(pack=second, client=cast.dentist).counted == 3
    page = signed_in(cast.alice).get(f"/law/packs/{second.pk}/").content.decode()
    assert "<dt>Counted</dt>" in page

    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        services.return_to_shipped(agency=cast.acme, reason=REASON, by=by(cast), at=NOON)
    for row, seen in ((first, 3), (second, 0)):
        with pytest.raises(services.NotCountedError):
            activate(cast, row, seen)
    work(cast, NOON + timedelta(hours=2))
    decide(cast)
    work(cast, NOON + timedelta(hours=2))
    assert [fresh(cast, one).decisions_changed for one in (first, second)] == [3, 3]
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().get(kind=kinds.RULES_COUNTED).key == str(second.pk), (
            "the first was in force"
        )
    activate(cast, second, 3)


def test_a_count_against_rules_that_shipped_before_is_made_anew(cast: Cast) -> None:
    row = bring(cast, stricter())
    work(cast)
    with job_scope(agency_id=cast.acme.pk):
        RulePack.objects.filter(pk=row.pk).update(counted_against="of before", decisions_changed=7)
    with pytest.raises(services.NotCountedError):
        activate(cast, row, 7)
    work(cast)
    assert (fresh(cast, row).decisions_changed, fresh(cast, row).counted_at) == (0, NOON)


def test_a_counted_pack_is_discarded_unless_it_was_in_force(cast: Cast) -> None:
    row = bring(cast, stricter())
    work(cast)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        services.activate_pack(pack=row, seen=0, reason=REASON, by=by(cast), at=NOON)
        with pytest.raises(services.NoPackError):
            services.discard_pack(pack=row, by=by(cast), at=NOON)
    other = bring(cast, pack("acme-3", us_ca_minors="express", us_nv_recording_consent="one_party"))
    work(cast)
    with job_scope(agency_id=cast.acme.pk):
        assert PackEffect.objects.filter(pack=other).exists()
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        services.discard_pack(pack=other, by=by(cast), at=NOON)
        assert not RulePack.objects.filter(pk=other.pk).exists()


def test_page_of_pack_that_was_in_force_says_why_it_stays_and_what_to_do(cast: Cast) -> None:
    row = bring(cast, stricter())
    work(cast)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        services.activate_pack(pack=row, seen=0, reason=REASON, by=by(cast), at=NOON)
    work(cast)
    browser = signed_in(cast.alice)
    page = browser.get(f"/law/packs/{row.pk}/").text
    assert "You cannot discard this file" in page
    assert "return to the shipped rules or put another file in force" in page
    assert f"/law/packs/{row.pk}/discard/" not in page

    answer = browser.post(f"/law/packs/{row.pk}/discard/", follow=True)

    assert answer.status_code == 200
    assert answer.redirect_chain[-1][0] == f"/law/packs/{row.pk}/"
    assert "This file was not discarded. Its rules were in force" in answer.text
    with job_scope(agency_id=cast.acme.pk):
        assert RulePack.objects.filter(pk=row.pk).exists()


def test_who_manages_nothing_writes_no_rules(cast: Cast) -> None:
    """PostgreSQL refuses what a page would not offer."""
    from django.db import ProgrammingError

    with pytest.raises(ProgrammingError), staff_scope(agency_id=cast.acme.pk, user_id=cast.bob.user_id):
        services.import_pack(agency=cast.acme, raw=stricter(), by=make.JOB, at=NOON)


# --- Counsel ---


def sign(cast: Cast, rule_id: str = CALIFORNIA, **facts: Any) -> None:
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        rule = selectors.rules_of(cast.acme.pk).get(rule_id)
        assert rule is not None
        said: dict[str, Any] = {
            "seen": selectors.fingerprint(rule),
            "counsel": "R. Vance, Vance LLP",
            "signed_on": NOON.date(),
        }
        services.sign_off(agency=cast.acme, rule_id=rule_id, by=by(cast), at=NOON, **(said | facts))


def signed(cast: Cast) -> set[str]:
    with job_scope(agency_id=cast.acme.pk):
        return set(selectors.sign_offs(selectors.rules_of(cast.acme.pk)))


def test_counsel_approves_a_rule_as_it_stands(cast: Cast) -> None:
    with pytest.raises(services.UnknownRuleError):
        sign(cast, seen="0" * 64)
    sign(cast)
    with pytest.raises(services.SignedAlreadyError):
        sign(cast)
    assert signed(cast) == {CALIFORNIA}
    row = bring(cast, stricter())
    work(cast)
    with staff_scope(agency_id=cast.acme.pk, user_id=cast.alice.user_id):
        services.activate_pack(pack=row, seen=0, reason=REASON, by=by(cast), at=NOON)
    assert signed(cast) == set(), "a rule that changed has lost its approval"


def test_checking_a_rule_again_keeps_its_approval() -> None:
    from dataclasses import replace

    rule = law.load_pack().get(CALIFORNIA)
    assert rule is not None
    later = replace(rule, checked_on=rule.checked_on + timedelta(days=30))
    assert selectors.fingerprint(later) == selectors.fingerprint(rule)
    assert selectors.fingerprint(replace(rule, citation="Other")) != selectors.fingerprint(rule)


# --- Pages ---


@pytest.mark.thorough
def test_everybody_of_the_agency_reads_which_law_decides(cast: Cast) -> None:
    for person in (cast.alice, cast.bob, cast.carol):
        page = signed_in(person).get("/law/").content.decode()
        assert "California (US)" in page
        assert "All parties&#x27; consent" in page
    page = signed_in(cast.bob).get("/law/?place=US-CA").content.decode()
    assert "Cal. Penal Code" in page
    assert "Record approval" not in page
    assert "Import rules" not in page
    assert "Record approval" in signed_in(cast.alice).get("/law/?place=US-CA").content.decode()


def test_rules_nobody_verified_say_so_and_can_be_listed(cast: Cast) -> None:
    page = signed_in(cast.alice).get("/law/?state=unverified").content.decode()
    assert "Not verified" in page
    assert "Smith v. LoanMe" not in page, "that rule is verified"
    checked = datetime(2026, 11, 25, tzinfo=UTC)
    with job_scope(agency_id=cast.acme.pk):
        found = selectors.lines(
            law.load_pack(), checked.date(), wanted=selectors.LawFilter(state="unverified")
        )
    lines = [line for place in found for line in place.lines]
    assert lines
    assert not any(line.is_verified for line in lines)
    with time_machine.travel(checked, tick=True):
        page = signed_in(cast.alice).get("/law/?state=stale&place=US-CA").content.decode()
    assert "No matching rules" in page


def test_a_rule_that_nobody_looked_at_for_90_days_is_stale(cast: Cast) -> None:
    rules = law.load_pack()
    newest = max(rule.checked_on for rule in rules)
    with job_scope(agency_id=cast.acme.pk):
        wanted = selectors.LawFilter(state="stale")
        assert selectors.lines(rules, newest, wanted=wanted) == []
        late = selectors.lines(rules, newest + timedelta(days=90), wanted=wanted)
    assert sum(len(place.lines) for place in late) == len(rules.in_force(newest + timedelta(days=90)))


def test_future_rules_are_shown_as_coming(cast: Cast) -> None:
    rules = law.load_pack()
    day = datetime(2026, 11, 25, tzinfo=UTC).date()
    with job_scope(agency_id=cast.acme.pk):
        coming = selectors.coming(rules, day)
    assert coming
    assert all((line.rule.effective_from or day) > day for line in coming)


@pytest.mark.parametrize(
    ("topic", "value", "words"),
    [
        (Topic.RECORDING_CONSENT, "express_only", "Express consent, not notice"),
        (Topic.OPT_OUT_DAYS, "10 business", "10 business days"),
        (Topic.DO_NOT_CALL_YEARS, "5", "5 years"),
        (Topic.CONFIRMATION_MINUTES, "1", "1 minute"),
        (Topic.WITHDRAWAL_WORDS, "stop|quit", "stop, quit"),
        (Topic.QUIET_HOURS, "08:00-21:00", "every day 08:00-21:00"),
        (
            Topic.QUIET_HOURS,
            "mon-fri 09:00-20:00; sat 09:00-17:00; not on holidays",
            "Mon-Fri 09:00-20:00; Sat 09:00-17:00; not on public holidays",
        ),
    ],
)
def test_values_are_told_in_words(topic: Topic, value: str, words: str) -> None:
    from dataclasses import replace

    rule = law.load_pack().get(CALIFORNIA)
    assert rule is not None
    assert selectors.value_words(replace(rule, topic=topic, value=value)) == words


def test_the_file_of_rules_reads_back_as_the_same_rules(cast: Cast) -> None:
    answer = signed_in(cast.bob).get("/law/rules.csv")
    assert law.parse_pack(answer.content).digest == law.load_pack().digest


def test_a_clients_page_says_which_places_matter_and_why(cast: Cast) -> None:
    make.call(cast.dentist, "+12125550101")
    make.call(cast.dentist, "+493023125001")
    page = signed_in(cast.alice).get("/clients/dentist/law/").content.decode()
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert re.search(r"California \(US\) does business there All parties", text)
    assert re.search(r"New York \(US\) has callers from there One party", text)
    assert re.search(r"Germany has callers from there Express consent", text)
    assert page.index("Germany") < page.index("California (US)") < page.index("New York (US)")


@pytest.mark.as_committed
def test_a_file_is_imported_looked_at_and_put_in_force_on_the_pages(cast: Cast) -> None:
    announced_calls(cast, cast.dentist, 2)
    browser = signed_in(cast.alice)
    bad = SimpleUploadedFile("rules.csv", pack(us_ca_notice_suffices="perhaps"))
    page = browser.post("/law/packs/", {"file": bad}).content.decode()
    assert "The file has errors" in page
    assert "us-ca-notice-suffices" in page
    url = browser.post("/law/packs/", {"file": SimpleUploadedFile("rules.csv", stricter())})["Location"]
    waiting = browser.get(url).content.decode()
    assert "Counting what these rules would change" in waiting
    assert "Put rules in force" not in waiting
    work(cast, make.now())
    page = browser.get(url).content.decode()
    assert "1 client, 2 decisions would change" in page
    assert "Announcement counts as consent" in page
    moved = browser.get(f"{url}progress/")
    assert moved["HX-Refresh"] == "true"
    assert "at least" in browser.post(f"{url}activate/", {"seen": "2", "reason": "short"}).content.decode()
    browser.post(f"{url}activate/", {"seen": "1", "reason": REASON})
    assert not fresh(cast, RulePack(pk=url.rstrip("/").rsplit("/", 1)[1])).is_active
    browser.post(f"{url}activate/", {"seen": "2", "reason": REASON})
    assert "In force since" in browser.get(url).content.decode()
    packs = browser.get("/law/packs/").content.decode()
    assert (
        "All clients’ recordings are decided again. Recordings that are no longer allowed are quarantined"
        in packs
    )
    assert "Imported rules, version acme-2" in browser.get("/law/").content.decode()
    browser.post("/law/packs/shipped/", {"reason": REASON})
    assert "The rules that ship" in browser.get("/law/").content.decode()


def test_only_an_officer_imports_signs_and_decides(cast: Cast) -> None:
    row = bring(cast, stricter())
    for person in (cast.bob, cast.carol):
        browser = signed_in(person)
        for url in ("/law/packs/", f"/law/packs/{row.pk}/", "/law/sign/"):
            assert browser.get(url).status_code == 403
        for url in ("/law/packs/", f"/law/packs/{row.pk}/activate/", "/law/sign/", "/law/packs/shipped/"):
            assert browser.post(url).status_code == 403
    assert signed_in(cast.mallory).get(f"/law/packs/{row.pk}/").status_code == 404


def test_who_does_not_see_every_change_puts_nothing_in_force_and_out_of_it(cast: Cast) -> None:
    row = bring(cast, stricter())
    work(cast)
    with job_scope(agency_id=cast.acme.pk):
        PackEffect.objects.filter(pack=row, client=cast.dentist).update(newly_withheld=3)
        RulePack.objects.filter(pk=row.pk).update(clients_changed=1, decisions_changed=3)
    olga = make.person(cast.acme, "olga", Role.OFFICER)
    make.grant(olga, cast.plumber)
    browser, url, said = signed_in(olga), f"/law/packs/{row.pk}/", {"seen": "3", "reason": REASON}

    page = browser.get(url)
    assert [client.pk for client in page.context["unseen"]] == [cast.dentist.pk]
    assert "No decision changes" not in page.text
    assert "Put rules in force" not in page.text
    refused = browser.post(f"{url}activate/", said, follow=True)
    assert "Ask an officer with access" in refused.text
    assert not fresh(cast, row).is_active

    signed_in(cast.alice).post(f"{url}activate/", said)
    assert fresh(cast, row).is_active
    assert "Use shipped rules" not in browser.get("/law/packs/").text
    refused = browser.post("/law/packs/shipped/", {"reason": REASON}, follow=True)
    assert "you do not have access to: Dentist." in refused.text
    assert fresh(cast, row).is_active
    make.grant(olga, cast.dentist)
    browser.post("/law/packs/shipped/", {"reason": REASON})
    assert not fresh(cast, row).is_active


def test_what_changes_at_a_client_that_has_left_hides_nothing_from_anybody(cast: Cast) -> None:
    row = bring(cast, stricter())
    work(cast)
    with job_scope(agency_id=cast.acme.pk):
        for client, changed in ((cast.dentist, 3), (cast.plumber, 2)):
            PackEffect.objects.filter(pack=row, client=client).update(newly_withheld=changed)
        RulePack.objects.filter(pk=row.pk).update(clients_changed=2, decisions_changed=5)
        Client.objects.filter(pk=cast.dentist.pk).update(archived_at=NOON)
    olga = make.person(cast.acme, "olga", Role.OFFICER)
    make.grant(olga, cast.plumber)
    work(cast)

    browser, url = signed_in(olga), f"/law/packs/{row.pk}/"
    assert (fresh(cast, row).clients_changed, fresh(cast, row).decisions_changed) == (1, 2)
    with job_scope(agency_id=cast.acme.pk):
        assert Item.objects.open().get(kind=kinds.RULES_COUNTED).count == 2
    assert not browser.get(url).context["hidden"]
    browser.post(f"{url}activate/", {"seen": "2", "reason": REASON})
    assert fresh(cast, row).is_active


def test_a_client_that_is_here_again_counts_again(cast: Cast) -> None:
    row = bring(cast, stricter())
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(archived_at=NOON)
    work(cast)
    with job_scope(agency_id=cast.acme.pk):
        PackEffect.objects.filter(pack=row, client=cast.dentist).update(newly_withheld=3)
    work(cast)
    assert fresh(cast, row).decisions_changed == 0
    with job_scope(agency_id=cast.acme.pk):
        Client.objects.filter(pk=cast.dentist.pk).update(archived_at=None)
    work(cast)
    assert (fresh(cast, row).clients_changed, fresh(cast, row).decisions_changed) == (1, 3)


def test_counsels_approval_is_written_down_on_its_page(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    form = browser.get(f"/law/sign/?rule={CALIFORNIA}").content.decode()
    seen = re.search(r'name="seen" value="([0-9a-f]{64})"', form)
    assert seen is not None
    said = {"rule": CALIFORNIA, "seen": seen[1], "counsel": "R. Vance", "signed_on": "2999-01-01"}
    assert "in the future" in browser.post("/law/sign/", said).content.decode()
    browser.post("/law/sign/", said | {"signed_on": "2026-11-20"})
    assert "R. Vance" in browser.get("/law/?place=US-CA").content.decode()
    assert browser.get("/law/sign/?rule=nothing-like-that")["Location"] == "/law/"
