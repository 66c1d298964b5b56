"""The book of deadlines is whole, every row of it has its source, and a broken one is not used."""

import io
from datetime import date

import pytest
from django.core.management import call_command

from consent.law import Confidence, Topic, load_pack
from rights.enums import Kind
from rights.law import (
    Book,
    BookError,
    Law,
    Span,
    Term,
    Unit,
    UnknownKindError,
    UnknownLawError,
    load,
    read,
    stale,
)
from rights.law import book as book_module
from rights.law.book import shipped

LAW = """
[here]
name = "Here"
title = "Law of Here"
places = ["DE"]
since = 2020-01-01
citation = "Here s.1"
source = "the gazette"
confidence = "verified"
checked_on = 2026-11-26
address = "https://gazette.example/1"
read_on = 2026-11-26
quotation = "Within 45 days."
"""
TERM = """
[here-requests]
law = "here"
kinds = ["access"]
answer = "45 days"
extension = "45 days"
counting = "days_after"
holidays = "US"
citation = "Here s.2"
source = "the gazette"
confidence = "verified"
checked_on = 2026-11-26
address = "https://gazette.example/1"
read_on = 2026-11-26
quotation = "Within 45 days."
"""


def rows() -> list[Law | Term]:
    """Every row of the shipped book."""
    return [*load().laws.values(), *load().terms]


def found(laws: str = LAW, terms: str = TERM) -> set[tuple[str, str]]:
    """What is wrong, as the row and the kind of wrong."""
    with pytest.raises(BookError) as error:
        read(laws, terms)
    return {(fault.about, fault.kind) for fault in error.value.faults}


def test_the_shipped_book_is_whole() -> None:
    book = read(shipped("laws.toml"), shipped("terms.toml"))
    assert {"gdpr", "uk_gdpr", "ccpa", "tcpa", "virginia", "iowa"} <= set(book.laws)
    assert stale(book, date(2026, 11, 27)) == []


def test_every_row_says_where_it_is_written() -> None:
    for row in rows():
        assert row.citation
        assert row.source
        assert row.checked_on >= date(2026, 11, 1)


# Duties that the rules of consent and the terms of requests both have, by the topic there and the kind here.
SHARED = {Topic.WITHDRAWAL_DAYS: Kind.REVOCATION, Topic.SALE_OPT_OUT_DAYS: Kind.OPT_OUT}


def test_a_duty_is_cited_alike_in_every_file_with_the_same_number_of_days() -> None:
    pairs = [
        (rule, term)
        for rule in load_pack()
        for term in load().terms
        if SHARED.get(rule.topic) in term.kinds
        and (rule.country, rule.region) in load().laws[term.law].places
    ]
    assert len(pairs) >= 12
    for rule, term in pairs:
        assert term.citation == rule.citation, (rule.id, term.id)
        assert term.answer is not None
        assert term.answer.count == rule.read().count, (rule.id, term.id)


def test_verified_takes_an_address_a_day_and_a_short_quotation() -> None:
    bare = TERM.replace('quotation = "Within 45 days."\n', "")
    assert found(terms=bare) >= {("here-requests", "missing")}
    long = TERM.replace("Within 45 days.", "x" * 241)
    assert ("here-requests", "quotation") in found(terms=long)
    unread = "\n".join(
        line for line in TERM.splitlines() if not line.startswith(("address", "read_on", "quotation"))
    )
    assert ("here-requests", "verified") in found(terms=unread)
    assert sum(row.confidence is Confidence.VERIFIED for row in rows()) >= 11


def test_what_is_only_known_in_general_is_not_called_verified() -> None:
    for row in rows():
        if "general knowledge" in row.source:
            assert row.confidence is not Confidence.VERIFIED, row.id


def test_every_state_answers_the_common_requests_and_those_with_appeals_them() -> None:
    for law in load().laws.values():
        if law.places[0][0] == "US" and law.places[0][1]:
            kinds = set(load().kinds_of(law))
            assert {Kind.ACCESS, Kind.PORTABILITY, Kind.CORRECT, Kind.DELETE, Kind.OPT_OUT} <= kinds, law.id
            assert (Kind.APPEAL in kinds) is (law.id not in {"ccpa", "utah"}), law.id


@pytest.mark.parametrize("name", ["uk_gdpr", "UK GDPR", "uk-gdpr", "ukgdpr", "  Uk_Gdpr "])
def test_a_law_is_found_however_it_is_written(name: str) -> None:
    assert load().law(name).id == "uk_gdpr"


@pytest.mark.parametrize(
    ("name", "law"), [("cpra", "ccpa"), ("VCDPA", "virginia"), ("New Jersey", "new_jersey")]
)
def test_a_law_has_other_names(name: str, law: str) -> None:
    assert load().law(name).id == law


def test_a_law_that_there_is_not_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownLawError, match=r'no law "pipeda" here\. There are: gdpr, uk_gdpr, ccpa'):
        load().law("pipeda")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("know", "access"), ("Erasure", "delete"), ("do not sell", "opt_out"), ("opt-out", "opt_out")],
)
def test_a_kind_has_other_names(name: str, kind: str) -> None:
    assert load().kind(name) is Kind(kind)


def test_a_kind_that_there_is_not_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownKindError, match=r'no kind "forget". There are: access, portability'):
        load().kind("forget")


def test_the_term_of_the_day_of_receipt_is_found() -> None:
    book = load()
    law = book.law("tcpa")
    assert book.term(law, Kind.OPT_OUT, date(2025, 4, 10)).answer == Span(30, Unit.DAYS)
    assert book.term(law, Kind.OPT_OUT, date(2025, 4, 11)).answer == Span(10, Unit.WORKING_DAYS)


def test_a_small_book_is_read() -> None:
    book = read(LAW, TERM)
    assert [str(span) for span in (book.terms[0].answer, Span(1, Unit.MONTHS))] == ["45 days", "1 month"]


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ('citation = "Here s.2"', 'citation = ""', ("here-requests", "missing citation")),
        ('citation = "Here s.2"', "", ("here-requests", "missing")),
        ('source = "the gazette"', 'source = " "', ("here-requests", "missing source")),
        ('law = "here"', 'law = "there"', ("here-requests", "unknown law")),
        ('kinds = ["access"]', "kinds = []", ("here-requests", "missing")),
        ('kinds = ["access"]', 'kinds = ["dance"]', ("here-requests", "value")),
        ('kinds = ["access"]', 'kinds = ["access"]\nsilent_on = ["delete"]', ("here-requests", "value")),
        ('answer = "45 days"', 'answer = "45 nights"', ("here-requests", "value")),
        ('answer = "45 days"\nextension = "45 days"', "", ("here-requests", "missing")),
        ('answer = "45 days"', 'answer = "45 working days"', ("here-requests", "extension")),
        ('answer = "45 days"', 'acknowledge = "3 days"', ("here-requests", "extension")),
        ('extension = "45 days"', 'extension = "2 months"', ("here-requests", "extension")),
        ('"days_after"', '"regulation_1182_71"', ("here-requests", "counting")),
        ('"days_after"', '"by feeling"', ("here-requests", "value")),
        ('holidays = "US"', 'holidays = "US-XX"', ("here-requests", "holidays")),
        ('holidays = "US"', 'holidays = "moon"', ("here-requests", "holidays")),
        ('holidays = "US"', "holidays = 1", ("here-requests", "value")),
        ('holidays = "US"', 'holidays = "US"\nsinse = 2020-01-01', ("here-requests", "unknown")),
        ('holidays = "US"', 'holidays = "US"\nuntil = 2026-01-01', ("here-requests", "gap")),
        (
            'holidays = "US"',
            'holidays = "US"\nsince = 2026-02-01\nuntil = 2026-01-01',
            ("here-requests", "date"),
        ),
        ('confidence = "verified"', 'confidence = "sure"', ("here-requests", "value")),
        ("checked_on = 2026-11-26", 'checked_on = "yesterday"', ("here-requests", "value")),
        ("checked_on = 2026-11-26", "checked_on = 2026-11-26T10:00:00", ("here-requests", "value")),
    ],
)
def test_a_broken_term_is_named(old: str, new: str, wrong: tuple[str, str]) -> None:
    assert old in TERM
    assert wrong in found(terms=TERM.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ('citation = "Here s.1"', 'citation = ""', ("here", "missing citation")),
        ('places = ["DE"]', 'places = ["Atlantis"]', ("here", "value")),
        ('places = ["DE"]', 'places = ["US-XX"]', ("here", "value")),
        ('places = ["DE"]', "", ("here", "missing")),
        ("since = 2020-01-01", 'since = "2020"', ("here", "value")),
        ('title = "Law of Here"', 'title = "Law of Here"\nkinds = ["delete"]', ("here", "gap")),
        ('title = "Law of Here"', 'title = "Law of Here"\naliases = ["here"]', ("here", "name")),
        (
            'title = "Law of Here"',
            'title = "Law of Here"\nreaches = [{ height_over = 3 }]',
            ("here", "value"),
        ),
        ('title = "Law of Here"', 'title = "Law of Here"\nreaches = [{ revenue_to = 3 }]', ("here", "value")),
        (
            'title = "Law of Here"',
            'title = "Law of Here"\nreaches = [{ people_over = "x" }]',
            ("here", "value"),
        ),
        (
            'title = "Law of Here"',
            'title = "Law of Here"\nreaches = [{ since = 2026-01-01 }]',
            ("here", "value"),
        ),
        ('title = "Law of Here"', 'title = "Law of Here"\ncolour = "red"', ("here", "unknown")),
    ],
)
def test_a_broken_law_is_named(old: str, new: str, wrong: tuple[str, str]) -> None:
    assert old in LAW
    assert wrong in found(laws=LAW.replace(old, new))


def test_a_law_without_a_term_is_a_gap() -> None:
    assert ("here", "gap") in found(terms="")


def test_what_is_no_toml_is_named() -> None:
    assert ("file", "TOML") in found(laws="[here")


@pytest.mark.parametrize(
    ("until", "since", "wrong"),
    [
        ("2026-01-01", "2026-01-02", "gap"),
        ("2026-01-02", "2026-01-01", "overlap"),
        ("", "2026-01-01", "overlap"),
    ],
)
def test_terms_that_overlap_or_leave_a_gap_are_named(until: str, since: str, wrong: str) -> None:
    first = TERM + (f"until = {until}\n" if until else "")
    second = TERM.replace("here-requests", "here-later") + f"since = {since}\n"
    assert ("here-later", wrong) in found(terms=first + second)


def test_terms_that_follow_each_other_are_a_book() -> None:
    first = TERM + "until = 2026-01-01\n"
    second = TERM.replace("here-requests", "here-later") + "since = 2026-01-01\n"
    assert len(read(LAW, first + second).terms) == 2


def test_every_fault_is_said_at_once() -> None:
    broken = TERM.replace('citation = "Here s.2"', 'citation = ""').replace('"US"', '"moon"')
    assert found(LAW.replace('"Here s.1"', '""'), broken) == {
        ("here", "missing citation"),
        ("here-requests", "missing citation"),
        ("here-requests", "holidays"),
    }


class TestTheCommandThatChecks:
    def run(self, *arguments: str) -> tuple[int, str, str]:
        out, err, status = io.StringIO(), io.StringIO(), 0
        try:
            call_command("check_deadlines", *arguments, stdout=out, stderr=err)
        except SystemExit as end:
            status = int(str(end.code))
        return status, out.getvalue(), err.getvalue()

    def test_finds_nothing_in_a_fresh_book(self) -> None:
        status, out, err = self.run("--on", "2026-11-27")
        assert (status, err) == (0, "")
        assert out.startswith("Deadlines on 2026-11-27: 27 laws, ")
        assert out.endswith("no findings.\n")

    def test_names_what_nobody_has_looked_at(self) -> None:
        status, out, err = self.run("--on", "2027-06-01")
        assert status == 1
        assert "gdpr-requests: unchecked: last checked on 2026-11-26, 187 days ago" in err
        assert f"{len(err.splitlines())} findings." in out

    def test_names_what_is_broken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken() -> Book:
            return read(LAW, "")

        monkeypatch.setattr(book_module, "load", broken)
        status, out, err = self.run("--on", "2026-11-27")
        assert (status, err) == (1, "here: gap: no term for anything\n")
        assert "1 finding." in out
