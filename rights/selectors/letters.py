"""What letters about a case are filled with, in the language of the person who asked."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db.models import QuerySet

from callprivacy.lib import calendars
from callprivacy.lib.status import Progress, Reader, Thing, words_for
from consent.enums import Language, Purpose
from rights import letters
from rights.enums import Ask, Copies, Decided, Kind, NoticeAbout, StepKind
from rights.law import grounds, load
from rights.letters import words as letter_words
from rights.models import Case, Finding, Letter, RecipientNotice, Step
from rights.selectors import clocks, corrections, ends, notice, openers, progress, reach, rests, words

PACKAGE_DAYS: Final = 7


def language_of(case: Case) -> Language:
    """The language that the person used; English where it is none of ours."""
    found = case.submission.language
    return Language(found) if found in Language.values else Language.ENGLISH


def zone_of(case: Case) -> str:
    """Whose days count for a case: its client's, or the agency's."""
    return (case.client or case.agency).time_zone


def laws_of(case: Case) -> list[str]:
    """Ids of the laws that apply, the soonest first."""
    return [str(row["law"]) for row in case.laws]


def sender_of(case: Case) -> str:
    """In whose name it is written: the client's, or the agency's for what was asked of it."""
    return case.agency.name if case.client is None else case.client.legal_name


def mailbox_of(case: Case) -> str:
    """Where answers to letters about a case are read: what its requests page names; "" where that names none."""
    page = notice.page_of(case.client, agency_id=case.agency_id)
    return "" if page is None else page.email


def _object_by(case: Case, sentences: Mapping[str, str]) -> str:
    mail = mailbox_of(case)
    return sentences["object_by_mail"].format(mail=mail) if mail else sentences["object_by_page"]


def facts_of(
    case: Case,
    *,
    said: str = "",
    more: Mapping[str, str] | None = None,
    language: Language | None = None,
) -> dict[str, str]:
    """
    What is known for a letter about a case; few queries.

    :param case: with its submission, agency and client. :param said: what the staff wrote for the letter.
    :param more: words that only who sends it knows, such as a link. :param language: else the person's.
    """
    language = language or language_of(case)
    sentences = letter_words.SENTENCES[language]
    sender = sender_of(case)
    facts = {
        "agency": case.agency.name,
        "client": sender,
        "reference": case.reference,
        "kind": letters.kind_words(case.kind, language),
        "received_on": _day_of(case.received_at, case, language),
        "answer_by": day_of(case.answer_by, language),
        "words": said,
        "days": str(PACKAGE_DAYS),
        "signature": _signature(case, sender, sentences),
        "complaint": complaint_of(case, language),
        "deed": letter_words.DEEDS[language].get(Kind(case.kind), ""),
        "clock": _clock(case, language),
        "law": _law(case, sentences),
        "kept": _kept(ends.kept_for(case), sentences),
        **_found(case, language),
        **_decided(case, language),
    }
    if case.kind in {Kind.ACCESS, Kind.PORTABILITY}:
        is_mailed = any(one.mail for one in openers.openers_of(case.submission))
        facts["code_to"] = sentences["code_to_mail" if is_mailed else "code_to_phone"]
        if {"gdpr", "uk_gdpr"} & set(laws_of(case)):
            facts["rights"] = sentences["rights"]
    if case.handed_over_at is not None:
        facts["handed_on"] = _day_of(case.handed_over_at, case, language)
        facts["answers"] = sender
    if case.kind == Kind.APPEAL:
        facts["appeal_by"] = facts["answer_by"]
    facts["object_by"] = _object_by(case, sentences)
    if grants_appeal(case):
        facts["appeal"] = sentences["appeal"].format(object_by=facts["object_by"])
    return {name: text for name, text in (facts | dict(more or {})).items() if text}


def _kept(days: int, sentences: Mapping[str, str]) -> str:
    """For how long the record of a request is kept: whole years as months, as laws say it, else days."""
    years, rest = divmod(days, 365)
    if years and rest <= years:
        return sentences["months"].format(count=12 * years)
    return sentences["days"].format(count=f"{days:,}")


def day_of(on: date | None, language: Language) -> str:
    return "" if on is None else letters.day(on, language)


def _day_of(at: datetime, case: Case, language: Language) -> str:
    return letters.day(calendars.day_in(zone_of(case), at), language)


def _signature(case: Case, sender: str, sentences: Mapping[str, str]) -> str:
    if case.client is None:
        return sender
    return f"{case.agency.name},\n{sentences['for'].format(client=sender)}"


def grants_appeal(case: Case) -> bool:
    """Whether a law that applies lets the person appeal to us against the answer."""
    book = load()
    for law_id in laws_of(case):
        law = book.laws.get(law_id)
        if law is not None and Kind.APPEAL in book.kinds_of(law):
            return True
    return False


def complaint_of(case: Case, language: Language) -> str:
    """Where the person may complain, in a sentence; "" where no law that applies names anybody."""
    found = [law for law in laws_of(case) if law in letters.AUTHORITIES]
    if found:
        name = letters.AUTHORITIES[found[0]][language]
        return letter_words.SENTENCES[language]["complaint"].format(authority=name)
    if any(law in load().laws and law != "tcpa" for law in laws_of(case)):
        name = letters.AUTHORITIES["state"][language]
        return letter_words.SENTENCES[language]["complaint_state"].format(authority=name)
    return ""


def _clock(case: Case, language: Language) -> str:
    sentences = letter_words.SENTENCES[language]
    if stops_clock(case):
        return sentences["clock_stops"]
    if case.answer_by is None:
        return ""
    return sentences["clock_runs"].format(answer_by=letters.day(case.answer_by, language))


def stops_clock(case: Case) -> bool:
    """Whether the clock stands by every law that sets a day, or would while the person is asked what is meant."""
    if case.paused_at is not None:
        return case.stands
    terms = clocks.terms_of(case)
    return bool(terms) and all(term.pauses for term in terms)


def _law(case: Case, sentences: Mapping[str, str]) -> str:
    laws = set(laws_of(case))
    if laws & {"gdpr", "uk_gdpr"}:
        return sentences["law_19"]
    return sentences["law_ccpa"] if "ccpa" in laws else ""


# --- What was found, done and decided -----------------------------------------------------------------------------


def findings_of(case: Case) -> QuerySet[Finding]:
    """What was found for the submission of a case at the clients that the scope may see."""
    return Finding.objects.filter(submission_id=case.submission_id).order_by("client_id", "copies", "pk")


def _found(case: Case, language: Language) -> dict[str, str]:
    """What was found, done and kept, each as the lines of a list."""
    names, rows = letter_words.COPIES[language], list(findings_of(case))
    counted: dict[str, int] = {}
    erased: dict[str, int] = {}
    for row in rows:
        counted[row.copies] = counted.get(row.copies, 0) + row.count
        erased[row.copies] = erased.get(row.copies, 0) + row.erased
    kept, deleted = _kept_of(rows), progress.deletions(rows)
    found = {
        "found": _lines(f"{names[Copies(copies)]}: {count}" for copies, count in counted.items() if count),
        "stays": _lines(remaining(rows, deleted, language)),
    }
    if case.kind == Kind.DELETE:
        leaving = letter_words.LEAVING[language]
        erased[Copies.VENDOR] = deleted.acknowledged
        found |= _of_what_stays(case, set(kept), language)
        found["stays"] = "\n".join(filter(None, [found["stays"], _copies(case, language)]))
        found["done"] = _lines(
            f"{leaving.get(copies, names[Copies(copies)])}: {count}"
            for copies, count in erased.items()
            if count
        )
    elif case.kind == Kind.CORRECT:
        found["done"] = _lines(corrections.lines(case, language))
    elif case.took_effect_at is not None:
        found["done"] = letter_words.SENTENCES[language]["at_once"].format(
            day=_day_of(case.took_effect_at, case, language)
        )
        if case.asks in {Ask.DO_NOT_TRACK, Ask.OBJECT}:
            found["done"] += f" {letter_words.SENTENCES[language]['not_before']}"
    if recipients := _told(case, language):
        found["done"] = "\n".join(filter(None, [found.get("done", ""), recipients]))
    if found["stays"]:
        found["stays"] = f"{letter_words.SENTENCES[language]['stays']}\n{found['stays']}"
    return found


def _kept_of(rows: Collection[Finding]) -> dict[tuple[str, str], int]:
    """How much of what stays, by category and reason."""
    kept: dict[tuple[str, str], int] = {}
    for row in rows:
        for why, count in row.stays.items():
            key = (row.copies, why)
            kept[key] = kept.get(key, 0) + count
    return kept


def remaining(rows: Collection[Finding], deleted: Progress, language: Language) -> list[str]:
    """
    What remains where after an erasure, and why, a line each: what is kept here, and what call trackers have not
    confirmed to be deleted.

    :param deleted: how far the deletion there is.
    """
    names, reasons = letter_words.COPIES[language], letter_words.KEPT[language]
    trackers = progress.trackers_of(rows)
    at = f" ({trackers})" if trackers else ""
    still = {copies: f"{name}{at}" for copies, name in letter_words.STILL[language].items()}
    lines = [
        f"{still.get(copies, names[Copies(copies)])}: {count}. {reasons.get(why, reasons[''])}"
        for (copies, why), count in _kept_of(rows).items()
    ]
    if deleted.remaining:
        said = words_for(deleted, Reader.CALLER, language, thing=Thing.DELETIONS)
        lines.append(f"{still[Copies.VENDOR]}: {deleted.remaining}. {said}.")
    return lines


def _of_what_stays(case: Case, kept: set[tuple[str, str]], language: Language) -> dict[str, str]:
    """What a letter about an erasure says by whether the number stays, and whether something waits for its end."""
    sentences, found = letter_words.SENTENCES[language], {}
    if not any(copies == Copies.IDENTITY for copies, _ in kept):
        # A number that stays is known to whoever calls from it.
        found["again"] = sentences["new_caller"]
    if any(why in rests.WAITS for _, why in kept):
        found["kept"] = sentences["kept_longer"].format(kept=_kept(ends.kept_for(case), sentences))
    return found


def _told(case: Case, language: Language) -> str:
    """Who is notified, by name, and how far that is (GDPR article 19); and what nobody can be told of, as lines."""
    about = _TOLD.get(Kind(case.kind))
    if about is None:
        return ""
    sentences = letter_words.SENTENCES[language]
    lines = []
    # A no is taken without proof: who is told would say that the number is known, to whoever wrote it down.
    if progress.is_proven(case):
        rows = progress.needed(RecipientNotice.objects.filter(case=case, about=about).order_by("recipient"))
        names = ", ".join(dict.fromkeys(row.recipient for row in rows))
        notified = progress.notifications(case)
        said = words_for(notified, Reader.CALLER, language)
        if names:
            lines.append(sentences["recipients"].format(names=names, progress=said))
        elif notified.waits:
            lines.append(f"{said}.")
    if any(row.detail.get("anonymised") for row in findings_of(case).filter(copies=Copies.RELEASES)):
        lines.append(sentences["anonymised"])
    return _lines(lines)


_TOLD: Final = {
    Kind.DELETE: NoticeAbout.ERASURE,
    Kind.CORRECT: NoticeAbout.CORRECTION,
    Kind.RESTRICT: NoticeAbout.RESTRICTION,
    Kind.OPT_OUT: NoticeAbout.OPT_OUT,
    Kind.LIMIT: NoticeAbout.OPT_OUT,
}


def _copies(case: Case, language: Language) -> str:
    """Packages of the person that outlive the erasure for some days."""
    sentence = letter_words.SENTENCES[language]["copy"]
    return _lines(
        sentence.format(reference=row.case.reference, day=_day_of(row.expires_at, case, language))
        for row in reach.copies_of(case, reach.targets_of(case))
        if row.expires_at is not None and reach.stays_for(row, case)
    )


def _lines(rows: Any) -> str:
    return "\n".join(f"- {row}" for row in rows)


def _decided(case: Case, language: Language) -> dict[str, str]:
    """The ground of a refusal in the person's language with where it is written."""
    found: dict[str, str] = {}
    if case.ground:
        found["ground"] = ground_words(case, case.ground, language)
    if going_on := _going_on(case, language):
        found["ground"] = " ".join(filter(None, [found.get("ground", ""), going_on]))
    return found


def _going_on(case: Case, language: Language) -> str:
    """What goes on after an objection that was followed in part, in a sentence; "" where nothing does."""
    if case.asks != Ask.OBJECT or case.decided != Decided.PART:
        return ""
    step = Step.objects.filter(case=case, kind=StepKind.PASS_ON).first()
    names = (
        [letter_words.USES[language][Purpose(name)] for name in step.wanted.get("going_on", ())]
        if step
        else []
    )
    return letter_words.SENTENCES[language]["going_on"].format(uses="; ".join(names)) if names else ""


def ground_words(case: Case, ground_id: str, language: Language) -> str:
    """A ground as the person is told: the words, and where it is written; "" where it is none for this case."""
    try:
        row = grounds.ground(ground_id, kind=case.kind, laws=laws_of(case))
    except grounds.UnknownGroundError:
        return ""
    cited = row.cited(laws_of(case), load())
    return f"{row.words[language]} ({cited})" if cited else row.words[language]


def ground_of(case: Case) -> str:
    """The ground on which a case was refused, as the person is told; "" where it was not."""
    return ground_words(case, case.ground, language_of(case)) if case.ground else ""


# --- Letters that were written ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Written:
    """A letter as the case's page lists it. :ivar subject: in the clear; "" where its key is gone."""

    row: Letter
    title: str
    subject: str
    to: str

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return progress.letter(self.row)

    @property
    def words(self) -> str:
        return words_for(self.progress, Reader.OFFICER, thing=Thing.LETTER)


def written(case: Case) -> list[Written]:
    """The letters of a case, the newest first, with their subjects; the text is opened one by one."""
    key = words.key_of(case.submission)
    titles = letters.texts()
    return [
        Written(
            row,
            titles[row.template].title if row.template in titles else row.template,
            words.text(row.subject, key),
            words.text(row.to, key),
        )
        for row in Letter.objects.filter(case=case)
        .select_related("made_by")
        .defer("body")
        .order_by("-made_at", "-pk")
    ]
