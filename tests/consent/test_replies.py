"""What a reply means: the words of the table, free words, what is doubtful, and what must never count."""

import time
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consent import replies
from consent.enums import Purpose
from consent.replies import LABELS, classify, grammar, lexicon, strip_quoted, table
from tests.scale import some

RECORDING = {Purpose.RECORD, Purpose.REVIEW, Purpose.ANALYSE}
ALL = {Purpose.CONTACT, Purpose.SHARE, *RECORDING}

FCC = {"stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe"}
CTIA = {"stop", "end", "unsubscribe", "cancel", "quit"}
TWILIO = {"stop", "unsubscribe", "end", "quit", "stopall", "revoke", "optout", "cancel"}
AWS = {"arret", "cancel", "end", "opt-out", "optout", "quit", "remove", "stop", "td", "unsubscribe"}
TELNYX = {"stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit"}
SPANISH = {"parar", "alto", "cancelar", "baja", "salir"}


# --- the table -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", sorted(FCC | CTIA | TWILIO | AWS | TELNYX | SPANISH))
@pytest.mark.parametrize(
    "dress", [str.upper, str.title, "{}.".format, "  {}!! ".format, "\u200b{}\ufe0f".format]
)
def test_every_word_of_every_list_withdraws_everything_by_text(
    word: str, dress: Callable[[str], str]
) -> None:
    verdict = classify(dress(word))

    assert verdict.label == "withdraw"
    assert verdict.purposes == ALL
    assert not verdict.needs_person
    assert verdict.word


@pytest.mark.parametrize("channel", table.CHANNELS)
@pytest.mark.parametrize(
    "word",
    some(sorted(table.load()), one_in=8, each=lambda word: str(sorted(table.load()[word].labels.items()))),
)
def test_a_word_alone_means_what_the_table_says(word: str, channel: str) -> None:
    row = table.load()[word]

    verdict = classify(word, channel=channel)

    assert (verdict.label, verdict.word) == (row.labels[channel], word)
    assert verdict.needs_person is (verdict.label == "review")


def test_measuring_is_not_withdrawn_by_a_word() -> None:
    assert Purpose.MEASURE not in classify("STOP").purposes


@pytest.mark.parametrize("word", ["START", "UNSTOP", "start please", "OPT IN"])
def test_start_restores_texting_and_nothing_else(word: str) -> None:
    verdict = classify(word)

    assert verdict.label == "consent"
    assert verdict.purposes == {Purpose.CONTACT}


@pytest.mark.parametrize(
    "text", ["YES", "Y", "si", "SÍ", "ok", "Yes, I agree", "sure, go ahead", "acepto", "De acuerdo"]
)
def test_an_answer_names_no_purpose_of_its_own(text: str) -> None:
    verdict = classify(text)

    assert (verdict.label, verdict.purposes) == ("consent", frozenset())


@pytest.mark.parametrize(
    "text", ["yes I got your message", "ok see you at 5", "ok on my way", "sí, a las 4", "yes?  who is this"]
)
def test_a_yes_to_something_else_is_no_consent(text: str) -> None:
    assert classify(text).label != "consent"


@pytest.mark.parametrize("text", ["HELP", "info", "Help me please", "AYUDA", "información"])
def test_help(text: str) -> None:
    assert classify(text).label == "help"


@pytest.mark.parametrize("word", ["end", "quit", "cancel", "baja", "salir"])
def test_on_the_phone_a_word_that_may_end_the_call_goes_to_a_person(word: str) -> None:
    assert classify(word, channel="voice").label == "review"
    assert classify(word, channel="sms").label == "withdraw"


def test_no_word_has_two_meanings_in_a_language() -> None:
    """Only the first would ever count."""
    data = tomllib.loads((Path(replies.__file__).parent / "lexicon.toml").read_text(encoding="utf-8"))
    for language in lexicon.LANGUAGES:
        words = [
            word
            for name in ("meanings", "forms")
            for listed in data[name].get(language, {}).values()
            for word in listed.split()
        ]
        assert sorted(word for word, count in Counter(words).items() if count > 1) == []


def test_a_rule_that_names_no_meaning_is_an_error() -> None:
    with pytest.raises(ValueError, match="names NOTHING_OF_OURS"):
        grammar.compiled("STOP NOTHING_OF_OURS", {})


def test_an_unknown_channel_is_an_error() -> None:
    with pytest.raises(ValueError, match="no channel 'fax'"):
        classify("STOP", channel="fax")


# --- how a word may look ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Stop.",
        "sToP",
        "STOPP",
        "stoooop",
        "s t o p",
        "S.T.O.P",
        "s-t-o-p",
        "stpo",
        "sotp",
        "ST0P",
        "5top",
        '"STOP"',
        "(stop)",
        "*STOP*",
        "STOP 🛑",
        "ＳＴＯＰ",
        "ЅТОР",
        "ѕtор",
        "S\u200bT\u200bO\u200bP",
        "\u202eSTOP",
        "s̶t̶o̶p̶",
        "stop\r\n",
        "STOP\n\nSent from my iPhone",
        "Stop. Thank you",
        "please STOP",
        "hi stop",
        "stop stop stop",
        "stop2",
        "stop/end",
        "unsubcribe",
        "unsubscribe me pls",
        "opt-out",
        "OPT OUT",
        "Quit please",
        "alto ya",
        "BAJA!!",
        "¡Paren!",
        "arrêt",
    ],
)
def test_a_withdrawal_in_any_dress(text: str) -> None:
    assert classify(text).label == "withdraw"


@pytest.mark.parametrize("word", ["shop", "step", "spot", "top", "atop", "stoop", "post", "stops"])
def test_a_word_that_only_resembles_stop_is_not_it(word: str) -> None:
    assert classify(word).label != "withdraw"


@pytest.mark.parametrize("text", ["", "   ", "\n", "👍", "...", "😂😂", "\u200b"])
def test_without_words_there_is_nothing(text: str) -> None:
    assert classify(text).label == "none"


def test_a_stop_sign_without_words_goes_to_a_person() -> None:
    assert classify("🛑").label == "review"


# --- free words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "purposes"),
    [
        ("take me off your list", ALL),
        ("remove my number", ALL),
        ("leave me alone", ALL),
        ("lose my number", ALL),
        ("quítenme de la lista", ALL),
        ("déjenme en paz", ALL),
        ("bórrenme", ALL),
        ("revoco mi consentimiento", ALL),
        ("quiero darme de baja", ALL),
        ("don't call me", {Purpose.CONTACT}),
        ("knock it off with the texts", {Purpose.CONTACT}),
        ("no more calls", {Purpose.CONTACT}),
        ("stop texting", {Purpose.CONTACT}),
        ("stoptextingme", {Purpose.CONTACT}),
        ("put me on your do not call list", {Purpose.CONTACT}),
        ("no me llamen", {Purpose.CONTACT}),
        ("ya no me marquen", {Purpose.CONTACT}),
        ("xfa ya no m llamen", {Purpose.CONTACT}),
        ("please don't record me any more", RECORDING),
        ("I do not consent to being recorded", RECORDING),
        ("no quiero que me graben", RECORDING),
        ("no autorizo la grabación", RECORDING),
        ("yes but don't record me", RECORDING),
        ("You can call me but don't record me", RECORDING),
        ("don't sell my info", {Purpose.SHARE}),
        ("no compartan mis datos", {Purpose.SHARE}),
        ("no AI analysis of my calls please", {Purpose.ANALYSE}),
        ("nobody may listen to my calls", {Purpose.REVIEW}),
        ("don't call me and don't record me", {Purpose.CONTACT, *RECORDING}),
        ("do not record me or share my data", {Purpose.SHARE, *RECORDING}),
        ("no me llamen ni me graben", {Purpose.CONTACT, *RECORDING}),
    ],
)
def test_free_words_withdraw_what_they_name(text: str, purposes: set[Purpose]) -> None:
    verdict = classify(text)

    assert verdict.label == "withdraw"
    assert verdict.purposes == purposes


@pytest.mark.parametrize(
    "text",
    [
        "we have got to STOP this bill",
        "he said stop",
        "my wife told me to text STOP",
        "what happens if I reply STOP?",
        "don't stop",
        "don't unsubscribe me",
        "no me quiten de la lista",
        "I don't want to opt out",
        "don't call me before 5, call after",
        "no me llamen al trabajo",
        "please don't call, text me instead",
        "stop calling my mother",
        "I accidentally texted stop",
        "puse alto por error",
        "I might unsubscribe later",
        "wrong number",
        "not interested",
        "no me interesa",
        "If you are recording, hang up",
        "are you recording this call?",
        "reply STOP to cancel",
        "Msg&data rates may apply. Reply HELP for help, STOP to cancel",
        "cancel my account",
        "please cancel my subscription",
        "who gave you my number",
        "this is harassment",
    ],
)
def test_what_is_doubtful_goes_to_a_person(text: str) -> None:
    verdict = classify(text)

    assert (verdict.label, verdict.needs_person) == ("review", True)


@pytest.mark.parametrize(
    "text", ["delete my data", "borren mis datos", "please delete the recording of my call"]
)
def test_a_request_for_deletion_is_for_a_person_and_says_so(text: str) -> None:
    verdict = classify(text)

    assert verdict.label == "review"
    assert "deletion" in verdict.why


def test_a_withdrawal_with_a_request_stops_at_once_and_waits_for_a_person_too() -> None:
    verdict = classify("Stop texting me. And delete my data")

    assert (verdict.label, verdict.needs_person) == ("withdraw", True)


@pytest.mark.parametrize(
    "text",
    [
        "cancel my appointment",
        "please cancel my 3pm appointment",
        "at the end of the day",
        "end of month",
        "stop sign on Elm street",
        "is there a bus stop",
        "stop by tomorrow?",
        "can you stop by the office",
        "the pain won't stop",
        "I never stop recommending you",
        "cancel the 2pm",
        "quit smoking programme",
        "remove the old carpet",
        "delete the second item from my order",
        "no pude llamar, llámenme",
        "para mañana",
        "un hombre muy alto",
        "estoy de baja médica",
        "no puedo hablar ahora",
        "please don't hesitate to call me",
        "nobody called me back",
        "I missed your call",
        "who is this?",
        "my voicemail is not recording",
        "consent form attached",
        "no thanks",
        "No",
    ],
)
def test_what_only_sounds_like_it_is_nothing(text: str) -> None:
    assert classify(text).label == "none"


@pytest.mark.parametrize(
    "text",
    [
        "Liked “Reply STOP to opt out”",
        'Laughed at "stop calling me"',
        "👍 to “Reply STOP to end”",
        "Le gustó “Responda ALTO”",
    ],
)
def test_a_reaction_repeats_our_words_and_says_nothing(text: str) -> None:
    assert classify(text).label == "none"


def test_the_reason_repeats_no_number_and_no_unknown_word() -> None:
    why = classify("stop texting 312-555-0142, Zebediah Quux").why

    assert "555" not in why
    assert "zebediah" not in why.casefold()


# --- e-mail ----------------------------------------------------------------------------------------------------------

HISTORIES = [
    "\n\nOn Tue, Oct 6, 2026 at 9:12 AM Acme <hello@acme.example> wrote:\n> Reply STOP to opt out.\n> We record calls.",
    "\n\nOn Tuesday, the sixth of October 2026,\nAcme Dental <hello@acme.example> wrote:\n\n> unsubscribe",
    "\n\nEl mar, 6 oct 2026 a las 9:12, Acme (<hola@acme.example>) escribió:\n> Responda ALTO",
    "\n\n-----Original Message-----\nFrom: Acme\nSent: Tuesday\nSubject: stop\n\nunsubscribe here",
    "\n\nFrom: Acme <hello@acme.example>\nSent: Tuesday, October 6, 2026\nTo: Mary\nSubject: Hi\n\nReply STOP",
    "\n\nDe: Acme\nEnviado el: martes\nPara: María\nAsunto: baja\n\nnos puede pedir la baja",
    "\n________________________________\nAcme: to unsubscribe reply STOP",
    "\n-- \nMary\nStop Smoking Coach, unsubscribe training",
    "\n\nSent from my iPhone, stop",
    "\nUnsubscribe <https://acme.example/u>",
]


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("channel", ["email", "sms"])
def test_only_a_persons_own_words_count(history: str, channel: str) -> None:
    assert strip_quoted(f"See you on Monday{history}") == "See you on Monday"
    assert classify(f"See you on Monday{history}", channel=channel).label == "none"
    assert classify(f"Please stop calling me{history}", channel=channel).label == "withdraw"


def test_an_answer_between_quoted_lines_counts() -> None:
    text = "> May we record your calls?\nNo, please do not record me.\n> Reply STOP"

    assert strip_quoted(text) == "No, please do not record me."
    assert classify(text, channel="email").label == "withdraw"


def test_only_quoted_words_are_no_words() -> None:
    assert strip_quoted("> STOP\n> STOP") == ""
    assert classify("> STOP", channel="email").label == "none"


def test_a_sentence_that_begins_like_a_quotation_stays() -> None:
    text = "On Monday I told you\nto stop calling me"

    assert strip_quoted(text) == text


@given(st.text())
@example("\t-- ")
@example("> quoted\n\t-- \nstop")
def test_stripping_twice_is_stripping_once(text: str) -> None:
    once = strip_quoted(text)

    assert strip_quoted(once) == once


# --- whatever comes --------------------------------------------------------------------------------------------------


@given(st.text(max_size=400), st.sampled_from(table.CHANNELS))
@settings(max_examples=200, deadline=None)
def test_every_text_gets_one_of_five_labels_and_a_reason(text: str, channel: str) -> None:
    verdict = classify(text, channel=channel)

    assert verdict.label in LABELS
    assert verdict.why.endswith(".")
    assert verdict.purposes <= ALL
    assert bool(verdict.purposes) or verdict.label != "withdraw"
    assert verdict.needs_person or verdict.label != "review"


@given(
    st.sampled_from(
        ["don't call me", "no me graben", "take me off your list", "see you at 5", "stop by tomorrow"]
    )
)
def test_case_and_form_of_the_letters_do_not_matter(text: str) -> None:
    label = classify(text).label

    assert {classify(form(text)).label for form in (str.upper, str.title, str.casefold)} == {label}
    assert classify(unicodedata.normalize("NFD", text)).label == label


WALLS = [
    "stop ",
    "do not ",
    "the ",
    "please ",
    "my ",
    "no ",
    "que ",
    "s t o p ",
    "call me ",
    "zzz ",
    ", ",
    "...",
    "a",
    "1 ",
    "> stop\n",
    "On a\n",
    '"',
    "a@b.",
    "don't ",
    "stopcalling",
    "i do not want to get my ",
    "no me ",
    "🛑",
    "if you call me again ",
]


@pytest.mark.parametrize("piece", WALLS)
def test_a_wall_of_text_takes_no_longer_than_its_length(piece: str) -> None:
    text = (piece * 10_000)[:10_000]
    classify(text[:100])
    begin = time.process_time()

    classify(text, channel="email")

    assert time.process_time() - begin < 1.0


def test_a_text_too_long_to_be_read_goes_to_a_person_unless_it_withdraws() -> None:
    assert classify("hello there " * 2_000).label == "review"
    assert classify("stop calling me. " + "hello there " * 2_000).label == "withdraw"
