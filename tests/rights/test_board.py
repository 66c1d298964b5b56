"""The board: the soonest answer first over every granted client, filters in the address, and what staff enter."""

from datetime import timedelta
from itertools import product

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from callprivacy.accounts.enums import Role
from callprivacy.lib import phone
from callprivacy.tenancy.scope import job_scope
from rights.enums import Ask, CaseState, Channel
from rights.models import Case, Submission
from rights.selectors import board, words
from tests import make
from tests.accounts.browsers import signed_in
from tests.cast import Cast
from tests.rights import asking
from tests.scale import some

pytestmark = pytest.mark.django_db

NOW = make.now


def test_the_board_has_every_granted_client_and_no_other(cast: Cast) -> None:
    here = asking.asked(cast.dentist, Ask.DELETE, at=NOW())
    there = asking.asked(cast.plumber, Ask.SEE, at=NOW())
    foreign = asking.asked(cast.florist, Ask.DELETE, at=NOW())
    make.grant(cast.bob, cast.dentist, Role.APPROVER)
    references = {
        key: asking.case_of(row, ask).reference
        for key, row, ask in (("a", here, Ask.DELETE), ("b", there, Ask.SEE), ("c", foreign, Ask.DELETE))
    }

    seen = signed_in(cast.alice).get("/requests/").content.decode()
    assert references["a"] in seen
    assert references["b"] in seen
    assert references["c"] not in seen
    bobs = signed_in(cast.bob).get("/requests/").content.decode()
    assert references["a"] in bobs
    assert references["b"] not in bobs
    assert signed_in(cast.carol).get("/requests/").status_code == 403


def test_what_is_late_stands_first_and_says_so(cast: Cast) -> None:
    asking.asked(cast.dentist, Ask.DELETE, at=NOW())
    late = asking.asked(cast.dentist, Ask.SEE, at=NOW() - timedelta(days=100))
    page = signed_in(cast.alice).get("/requests/").content.decode()
    rows = page[page.index("<tbody>") :]
    assert rows.index("See what you have about me") < rows.index("Delete my data")
    assert "days late" in rows
    assert "past the day of the answer" in page
    only = signed_in(cast.alice).get("/requests/?state=late").content.decode()
    assert asking.case_of(late, Ask.SEE).reference in only
    assert "Delete my data" not in only[only.index("<tbody>") :]


def test_who_has_many_clients_sees_the_same_pages(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their pages are walked in their order along an index, where others' are sorted."""
    monkeypatch.setattr(board, "PAGE", 2)
    for days in (0, 3, 100):
        for client in (cast.dentist, cast.plumber):
            asking.asked(client, Ask.SEE, at=NOW() - timedelta(days=days))
    at, reads = NOW(), {}
    with job_scope(agency_id=cast.acme.pk):
        for clients in (1, board.MANY):
            for state, order in product((board.OPEN, board.LATE, board.EVERY, board.CLOSED), board.SORTS):
                found, before = [], ""
                while True:
                    page = board.board(
                        Case.objects.all(), board.Filters(state=state, sort=order),
                        user_id=cast.alice.user_id, zone="UTC", at=at, before=before, clients=clients,
                    )  # fmt: skip
                    found += [line.case.reference for line in page.lines]
                    before = page.older
                    if not before:
                        break
                reads[clients, state, order] = found
    assert len(reads[1, board.EVERY, "answer"]) == 6
    assert len(reads[1, board.LATE, "answer"]) == 2
    for state, order in product((board.OPEN, board.LATE, board.EVERY, board.CLOSED), board.SORTS):
        assert reads[1, state, order] == reads[board.MANY, state, order], (state, order)


@pytest.mark.parametrize(
    ("query", "found"),
    some(
        [
            ("kind=delete", {Ask.DELETE}),
            ("client=plumber", {Ask.SEE}),
            ("law=gdpr", {Ask.OBJECT}),
            ("owner=me", {Ask.SEE}),
            ("state=closed", {Ask.RESTRICT}),
            ("due=late", set()),
            ("kind=nonsense&client=florist&owner=x", {Ask.DELETE, Ask.SEE, Ask.OBJECT}),
        ],
        one_in=3,
    ),
)
def test_filters_stand_in_the_address(cast: Cast, query: str, found: set[Ask]) -> None:
    asking.asked(cast.dentist, Ask.DELETE, at=NOW())
    asking.asked(cast.plumber, Ask.SEE, at=NOW())
    asking.asked(cast.dentist, Ask.OBJECT, at=NOW(), place=("DE", ""))
    gone = asking.asked(cast.dentist, Ask.RESTRICT, at=NOW())
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.filter(asks=Ask.SEE).update(owner_id=cast.alice.user_id)
        Case.objects.filter(submission=gone).update(state=CaseState.DONE, closed_at=NOW(), answered_at=NOW())
    page = signed_in(cast.alice).get(f"/requests/?{query}").content.decode()
    rows = page[page.index("<tbody>") :] if "<tbody>" in page else ""
    assert {ask for ask in Ask if f">{ask.label}</a>" in rows} == found


def test_cases_are_found_by_each_law_that_applies(cast: Cast) -> None:
    rows = {
        "both": asking.asked(cast.dentist, Ask.DELETE, at=NOW()),
        "one": asking.asked(cast.plumber, Ask.DELETE, at=NOW()),
        "none": asking.asked(cast.dentist, Ask.SEE, at=NOW()),
    }
    laws = {"both": ["ccpa", "gdpr"], "one": ["gdpr"], "none": []}
    with job_scope(agency_id=cast.acme.pk):
        for name, row in rows.items():
            Case.objects.filter(submission=row).update(laws=[{"law": law} for law in laws[name]])

        def found(law: str) -> set[str]:
            cases = board.under_law(Case.objects.all(), law).values_list("submission_id", flat=True)
            return {name for name, row in rows.items() if row.pk in set(cases)}

        assert (found("ccpa"), found("gdpr"), found("iowa")) == ({"both"}, {"both", "one"}, set())
    with job_scope(agency_id=cast.acme.pk, client_id=cast.plumber.pk):
        assert (found("ccpa"), found("gdpr")) == (set(), {"one"})
    with job_scope(agency_id=cast.globex.pk):
        assert not board.under_law(Case.objects.all(), "gdpr").exists()


def test_pages_follow_each_other_without_a_gap(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "PAGE", 2)
    for day in range(5):
        asking.asked(cast.dentist, Ask.DELETE, at=NOW() - timedelta(days=day % 2))
    seen: list[str] = []
    for state, sort in (
        (board.OPEN, ""),
        (board.OPEN, "-answer"),
        (board.EVERY, ""),
        (board.EVERY, "received"),
    ):
        cursor, seen = "", []
        for _ in range(4):
            with job_scope(agency_id=cast.acme.pk):
                found = board.board(
                    board.cases_of([cast.dentist.pk], with_own=True),
                    board.Filters(state=state, sort=sort),
                    user_id=1,
                    zone="UTC",
                    at=NOW(),
                    before=cursor,
                )
            seen += [line.case.reference for line in found.lines]
            cursor = found.older
            if not cursor:
                break
        assert len(seen) == len(set(seen)) == 5


def test_a_colleagues_cases_and_the_order_stand_in_the_address(cast: Cast) -> None:
    asking.asked(cast.dentist, Ask.DELETE, at=NOW() - timedelta(days=2))
    asking.asked(cast.dentist, Ask.SEE, at=NOW())
    make.grant(cast.bob, cast.dentist, Role.OFFICER)
    with job_scope(agency_id=cast.acme.pk):
        Case.objects.filter(asks=Ask.SEE).update(owner_id=cast.bob.user_id)
    browser = signed_in(cast.alice)

    def rows(query: str) -> list[str]:
        page = browser.get(f"/requests/?{query}").content.decode()
        found = page[page.index("<tbody>") :]
        asks = [ask.label for ask in (Ask.DELETE, Ask.SEE) if f">{ask.label}</a>" in found]
        return sorted(map(str, asks), key=found.index)

    assert rows(f"owner={cast.bob.user_id}") == [Ask.SEE.label]
    assert len(rows(f"owner={cast.mallory.user_id}")) == 2, "a stranger is nobody to ask for"
    assert rows("sort=received") == rows("sort=answer") == [Ask.DELETE.label, Ask.SEE.label]
    assert rows("sort=-received") == rows("sort=-answer") == [Ask.SEE.label, Ask.DELETE.label]
    assert 'aria-sort="descending"' in browser.get("/requests/?sort=-answer").content.decode()


def test_the_board_asks_the_database_a_fixed_number_of_times(cast: Cast) -> None:
    browser = signed_in(cast.alice)
    browser.get("/requests/")
    counts = []
    for _ in range(2):
        for _ in range(3):
            asking.asked(cast.dentist, Ask.DELETE, at=NOW())
        with CaptureQueriesContext(connection) as queries:
            browser.get("/requests/")
        counts.append(len(queries))
    assert counts[0] == counts[1]


ENTERED = {
    "client": "dentist",
    "channel": "phone",
    "asks": ["delete", "do_not_contact"],
    "number": "(212) 555-0101",
    "email": "anna@example.org",
    "name": "Anna Example",
    "words": "She wants everything gone.",
    "on_behalf": "self",
    "language": "en",
    "place": "US-CA",
}


def test_staff_enter_what_came_by_phone_with_the_clock_of_the_day_it_came(cast: Cast) -> None:
    on = (NOW() - timedelta(days=3)).date()
    answer = signed_in(cast.alice).post("/requests/new/", ENTERED | {"received_on": on.isoformat()})
    assert answer.status_code == 302
    page = signed_in(cast.alice).get(answer["Location"]).content.decode()
    assert phone.mask("+12125550101") in page
    assert "2125550101" not in page
    assert "a•••@example.org" in page
    with job_scope(agency_id=cast.acme.pk):
        submission = Submission.objects.get()
        opened = list(Case.objects.filter(submission=submission))
        assert {case.asks for case in opened} == {Ask.DELETE, Ask.DO_NOT_CONTACT}
        assert {case.channel for case in opened} == {Channel.PHONE}
        assert all(case.received_at.date() == on for case in opened)
        assert words.record(submission.contact, words.key_of(submission))["name"] == "Anna Example"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"number": "12"}, "no phone number"),
        ({"number": "", "email": ""}, "Write the number that is meant"),
        ({"asks": []}, "Tick what the person asks for"),
        ({"received_on": "2099-01-01"}, "after now"),
        ({"client": "florist"}, "Pick one from the list"),
    ],
)
def test_what_cannot_be_entered_says_why_and_forgets_the_number(
    cast: Cast, wrong: dict[str, object], says: str
) -> None:
    said = ENTERED | {"received_on": (NOW() - timedelta(days=3)).date().isoformat()} | wrong
    answer = signed_in(cast.alice).post("/requests/new/", said)
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert "555-0101" not in answer.content.decode()
    with job_scope(agency_id=cast.acme.pk):
        assert not Submission.objects.exists()


def test_who_approves_for_a_client_looks_and_does_no_more(cast: Cast) -> None:
    submission = asking.asked(cast.dentist, Ask.DELETE, at=NOW())
    case = asking.case_of(submission, Ask.DELETE)
    make.grant(cast.bob, cast.dentist, Role.APPROVER)
    with job_scope(agency_id=cast.acme.pk):
        cast.bob.role = Role.APPROVER
        cast.bob.save(update_fields=["role"])
    browser = signed_in(cast.bob)
    assert browser.get(f"/requests/{case.pk}/").status_code == 200
    for path in ("decide/", "letters/", "notes/", "take-back/", "extend/"):
        assert browser.post(f"/requests/{case.pk}/{path}", {"words": "x"}).status_code == 403, path
    assert browser.post("/requests/new/", ENTERED).status_code == 403
