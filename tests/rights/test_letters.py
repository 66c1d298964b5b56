"""Letters say the same in each language, leave with no gap in them, and name no number."""

import re
from datetime import date
from string import Formatter

import pytest

from consent.enums import Language
from rights import letters
from rights.enums import Kind
from rights.letters import LetterTo, MissingWordsError, UnknownLetterError
from rights.letters import words as letter_words
from rights.letters.filling import KNOWN, LetterFileError

ALL = dict.fromkeys(KNOWN, "said")
REFERENCE = {"reference": "R-7K2Q-48", "signature": "Dentist LLC"}


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", letters.texts())
def test_every_letter_is_filled_without_a_gap(name: str, language: Language) -> None:
    filled = letters.fill(name, language, ALL)
    assert "{" not in filled.subject + filled.body
    assert filled.body.endswith("said\n")
    assert re.search(r"\n{3,}", filled.body) is None
    assert "\n" not in filled.subject


@pytest.mark.parametrize("name", letters.texts())
def test_a_letter_that_lacks_a_word_does_not_leave(name: str) -> None:
    for need in letters.letter(name).needs:
        with pytest.raises(MissingWordsError) as error:
            letters.fill(name, Language.ENGLISH, ALL | {need: "  "})
        assert error.value.names == [need]


def test_what_proves_who_asks_is_said_to_stay_as_long_as_the_request() -> None:
    said = {language: letters.fill("proof_wanted", language, ALL).body for language in Language}
    assert "It stays sealed with your request, and is erased with it." in said[Language.ENGLISH]
    assert "Queda sellado con su solicitud y se elimina con ella." in said[Language.SPANISH]


def test_a_paragraph_whose_word_is_not_known_is_left_out() -> None:
    facts = REFERENCE | {"kind": "to see it", "received_on": "1 March 2027", "answer_by": "1 April 2027"}
    filled = letters.fill("acknowledgement", Language.ENGLISH, facts)
    assert "You have our answer by 1 April 2027." in filled.body
    assert "follow it here" not in filled.body
    assert filled.body.endswith("write to you.\n\nDentist LLC\n")


def test_what_is_filled_in_is_never_read_as_a_gap() -> None:
    facts = REFERENCE | {"words": "{link} {agency.pk} {0}"}
    assert "{link} {agency.pk} {0}" in letters.fill("proof_wanted", Language.ENGLISH, facts).body


def test_a_subject_is_one_line_whatever_is_filled_in() -> None:
    facts = ALL | {"reference": "R-1\r\nBcc: everybody@else.example"}
    assert "\n" not in letters.fill("done", Language.ENGLISH, facts).subject


def test_each_kind_of_request_has_the_letters_of_its_way() -> None:
    every = {"acknowledgement", "proof_wanted", "clarification", "extension", "refused", "refused_in_part",
             "handed_over", "appeal_received", "appeal_decided"}  # fmt: skip
    ends = {Kind.ACCESS: "copy_ready", Kind.PORTABILITY: "copy_ready", Kind.DELETE: "erased"}
    for kind in Kind:
        if kind == Kind.APPEAL:
            continue
        names = {letter.name for letter in letters.letters_for(kind)}
        more = {"restriction_ends"} if kind == Kind.RESTRICT else set()
        assert names == every | more | {ends.get(kind, "done")}, kind
    assert [one.name for one in letters.letters_for("delete", to=LetterTo.RECIPIENT)] == ["recipient_notice"]


def test_words_are_there_in_each_language() -> None:
    for language in Language:
        assert set(letter_words.KINDS[language]) == set(Kind)
        assert set(letter_words.SENTENCES[language]) == set(letter_words.SENTENCES[Language.ENGLISH])
        for name, sentence in letter_words.SENTENCES[language].items():
            other = letter_words.SENTENCES[Language.ENGLISH][name]
            assert _gaps(sentence) == _gaps(other), name
        assert all(set(names) == set(Language) for names in letters.AUTHORITIES.values())


def _gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_days_are_written_as_people_write_them() -> None:
    assert letters.day(date(2027, 3, 1), Language.ENGLISH) == "1 March 2027"
    assert letters.day(date(2027, 3, 1), Language.SPANISH) == "1 de marzo de 2027"


def test_a_letter_that_there_is_not() -> None:
    with pytest.raises(UnknownLetterError):
        letters.fill("love", Language.ENGLISH, ALL)


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ('to = "person"', 'to = "nobody"', "acknowledgement"),
        ("{answer_by}", "{tomorrow}", "{tomorrow} is no word of ours"),
        ("\n{signature}\n", "\n", "nobody signs it"),
        ("[acknowledgement.es]", "[acknowledgement.fr]", "es is not said"),
        ("Puede seguirla aquí: {status_url}", "", "its languages do not say the same"),
        ('title = "Your request has arrived"', 'title = "It"\ntone = "warm"', "tone is not known"),
    ],
)
def test_a_file_with_a_fault_is_not_used(old: str, new: str, wrong: str) -> None:
    text = letters.shipped()
    assert old in text
    with pytest.raises(LetterFileError, match=re.escape(wrong)):
        letters.read(text.replace(old, new, 1))
