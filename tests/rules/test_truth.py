"""A sentence about progress says no more than its counts: every combination of few, for each reader and language."""

from __future__ import annotations

from itertools import product

import pytest

from consent.enums import Language
from rights.channels import progress
from rights.channels.progress import TEXTS, Answer, Progress, Reader, Thing, words_for

FEW = range(4)
_MEANT = dict(TEXTS)
"""The sentences as they are shipped."""


def every_progress() -> list[Progress]:
    return [
        Progress(planned=planned, sent=sent, acknowledged=acknowledged, failed=failed, waits=waits)
        for planned, sent, acknowledged, failed, waits in product(FEW, FEW, FEW, FEW, (False, True))
        if acknowledged <= sent and sent + failed <= planned
    ]


def untruths(thing: Thing, reader: Reader, language: Language) -> list[tuple[Progress, str]]:
    """What is said and does not follow from the counts."""
    texts = _MEANT[thing, reader, language]
    done = texts["done"].partition(":")[0].partition("{")[0]
    found = []
    for one in every_progress():
        said = words_for(one, reader, language, thing=thing)
        claims_done = said.startswith(done)
        names_failed = texts["failed"].format(failed=one.failed) in said
        wrong = (
            claims_done != (one.planned > 0 and one.acknowledged == one.planned)
            or (one.failed > 0) != (names_failed and one.failed > 0)
            or (bool(one.planned) and not claims_done and f"{one.planned}" not in said)
            or (one.sent > 0 and not claims_done and f"{one.sent}" not in said)
            or (
                one.waits and bool(texts["waits"]) and texts["waits"].lstrip("; ").lower() not in said.lower()
            )
            or "{" in said
        )
        if wrong:
            found.append((one, said))
    return found


@pytest.mark.parametrize("key", list(TEXTS), ids="-".join)
def test_no_sentence_claims_more_than_its_counts(key: tuple[Thing, Reader, Language]) -> None:
    assert len(every_progress()) > 50
    assert untruths(*key) == []


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("sent", "Acknowledged by {planned} of {planned}"),
        ("planned", "Sent"),
        ("failed", ""),
        ("waits", "; nobody else is notified"),
    ],
)
def test_a_planted_untruth_is_found(monkeypatch: pytest.MonkeyPatch, part: str, text: str) -> None:
    key = (Thing.NOTIFICATIONS, Reader.OFFICER, Language.ENGLISH)
    right = progress.TEXTS[key]
    monkeypatch.setitem(progress.TEXTS, key, right | {part: text})
    assert untruths(*key) != []


@pytest.mark.parametrize("carried_out", [False, True])
@pytest.mark.parametrize("leaving", [False, True])
def test_an_answer_that_is_not_sent_is_not_called_sent(carried_out: bool, leaving: bool) -> None:
    answer = Answer(is_carried_out=carried_out, is_leaving=leaving)
    assert "answer sent" not in answer.words
    assert "downloaded" not in answer.words
    assert not answer.may_close
