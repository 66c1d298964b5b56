"""Every refusal has a ground from a list that is whole: laws, words in each language, citation and source."""

import pytest

from consent.enums import Language
from consent.law import Confidence
from rights.enums import Kind
from rights.law import BookError, grounds, load
from rights.law.book import shipped
from rights.law.grounds import read_grounds

ROW = """
[here]
laws = ["gdpr"]
kinds = ["delete"]
part = true
title = "Here"
shows = "What has to be shown."
en = "Words."
es = "Palabras."
citation = "art. 1"
source = "the gazette"
confidence = "secondary"
checked_on = 2026-11-26
"""


def test_the_shipped_list_is_whole() -> None:
    rows = read_grounds(shipped("grounds.toml"), load())
    assert len(rows) >= 35
    for row in rows.values():
        assert row.citation, row.id
        assert row.source, row.id
        assert set(row.words) == set(Language), row.id


def test_the_exceptions_of_the_two_great_laws_are_all_there() -> None:
    written = " ".join(row.citation for row in grounds.every().values())
    for letter in "abcde":
        assert f"17(3)({letter})" in written
    for number in range(1, 9):
        assert f"1798.105(d)({number})" in written
    for where in ("12(5)", "15(4)", "18(1)", "18(2)", "21(1)", "1798.145(h)(3)", "1798.145(k)"):
        assert where in written


@pytest.mark.parametrize("name", ["gdpr-accurate", "ccpa-accurate"])
def test_a_statement_against_data_that_are_right_is_said_to_stay_with_the_request(name: str) -> None:
    said = grounds.every()[name].words
    assert said[Language.ENGLISH].endswith("Your own statement is kept with this request.")
    assert said[Language.SPANISH].endswith("Su propia declaración se guarda con esta solicitud.")


def test_every_kind_that_a_law_answers_has_a_ground_or_none_is_to_be_had() -> None:
    """Withdrawals, complaints and appeals are never refused; opt-outs under the GDPR (marketing) are not either."""
    never = {Kind.REVOCATION, Kind.COMPLAINT, Kind.APPEAL}
    for law in load().laws.values():
        for kind in load().kinds_of(law):
            found = grounds.grounds_for(kind, [law.id])
            if kind in never:
                assert found == [], (law.id, kind)
            elif kind in {Kind.ACCESS, Kind.DELETE, Kind.PORTABILITY, Kind.CORRECT}:
                assert found, (law.id, kind)


def test_a_ground_cites_the_laws_that_apply_and_no_other() -> None:
    row = grounds.every()["gdpr-unfounded"]
    assert row.cited(["gdpr"], load()) == "GDPR, art. 12(5)"
    assert row.cited(["uk_gdpr", "gdpr", "ccpa"], load()) == "GDPR, art. 12(5); UK GDPR, art. 12(5)"
    assert grounds.every()["state-law"].cited(["virginia"], load()) == "Virginia, Va. Code 59.1-582"
    assert grounds.every()["nothing-here"].cited(["gdpr"], load()) == ""


def test_a_ground_of_another_law_or_kind_is_refused() -> None:
    assert grounds.ground("gdpr-erase-claims", kind="delete", laws=["gdpr"]).in_part
    for kind, laws in (("access", ["gdpr"]), ("delete", ["ccpa"]), ("delete", [])):
        with pytest.raises(grounds.UnknownGroundError):
            grounds.ground("gdpr-erase-claims", kind=kind, laws=laws)


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ('source = "the gazette"', 'source = ""', ("here", "missing source")),
        ('citation = "art. 1"', "", ("here", "missing")),
        ('laws = ["gdpr"]', 'laws = ["pipeda"]', ("here", "unknown law")),
        ('kinds = ["delete"]', "kinds = []", ("here", "missing")),
        ('es = "Palabras."', 'es = ""', ("here", "words")),
        ('title = "Here"', 'title = "Here"\ncolour = "red"', ("here", "unknown")),
        ('confidence = "secondary"', 'confidence = "sure"', ("here", "value")),
        ("checked_on = 2026-11-26", 'checked_on = "today"', ("here", "value")),
        ('source = "the gazette"\nconfidence = "secondary"',
         'source = "general knowledge"\nconfidence = "verified"', ("here", "confidence")),
        ("[here]", "[here", ("file", "TOML")),
    ],
)  # fmt: skip
def test_a_list_with_a_fault_is_not_used(old: str, new: str, wrong: tuple[str, str]) -> None:
    assert old in ROW
    with pytest.raises(BookError) as error:
        read_grounds(ROW.replace(old, new), load())
    assert wrong in {(fault.about, fault.kind) for fault in error.value.faults}


def test_what_is_only_known_in_general_is_not_called_verified() -> None:
    for row in grounds.every().values():
        if "general knowledge" in row.source:
            assert row.confidence is not Confidence.VERIFIED, row.id
