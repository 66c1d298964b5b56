"""What was released to whom, and what waits; what the data sheet of a release says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from html import escape
from typing import Any, Final

from django.db.models import FETCH_RAISE, QuerySet

from analytics.anonymise.own import Own
from analytics.models.releases import (
    LEAST_K,
    OPEN_STATES,
    OwnGroups,
    Recipient,
    Release,
    ReleaseFloor,
    ReleaseKind,
    ReleaseState,
    ReleaseTrial,
)
from analytics.selectors.releasable import COLUMNS, own_of
from callprivacy.accounts import access
from callprivacy.accounts.enums import AgencyRight
from callprivacy.accounts.models import Membership
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.selectors import minors
from consent.selectors.cases import HEALTH

PAGE: Final = 30
KEPT_FOR: Final = (30, 90, 180, 365)
"""Days after which a release may end, as they can be picked."""
PSEUDONYMS_KEPT_FOR: Final = 30
"""Days that a pseudonymised file is kept at most."""
MOST_KEPT_FOR: Final = KEPT_FOR[-1]
"""Days after which any release has ended, where no policy says fewer."""
LONGEST: Final = timedelta(days=366)
CAVEAT: Final = (
    "Dropping the columns that name people makes no table anonymous: what counts is how many callers share what is"
    " left."
)


@dataclass(frozen=True, slots=True)
class Floor:
    """The least an agency asks; `most_suppressed` in percent of rows."""

    k: int = LEAST_K
    most_suppressed: int = 5


def floor_of(agency_id: int) -> Floor:
    """An agency's floor; one query."""
    row = ReleaseFloor.objects.filter(agency_id=agency_id).first()
    return Floor() if row is None else Floor(row.k, row.most_suppressed)


def kept_for_at_most(client: Client) -> int:
    """For how many days a file of a client's calls may be given away, by the policy of retention."""
    return min(client.keep_released_for_days or MOST_KEPT_FOR, MOST_KEPT_FOR)


def terms(client: Client) -> list[int]:
    """The days after which a new release of a client may end, as they can be picked."""
    most = kept_for_at_most(client)
    return [days for days in KEPT_FOR if days < most] + [most]


def is_health(client: Client) -> bool:
    """Whether a client's calls are about health, so that no row of a call leaves."""
    return client.sector in HEALTH


def is_of_children(client: Client) -> bool:
    """Whether a client's trade has its callers taken for minors, so that no row of a call leaves."""
    return minors.are_presumed(client)


def why_no_row_leaves(client: Client) -> str:
    """Why no row of a call leaves, generalised or not: the client's trade. Empty where rows may leave."""
    if is_health(client):
        return "Calls of this client are about health"
    if is_of_children(client):
        return "Whoever calls this client is taken for a minor"
    return ""


def recipients(client: Client) -> list[Recipient]:
    return list(Recipient.objects.for_client(client).order_by("name"))


def groups_of(client: Client) -> OwnGroups | None:
    """What a client's releases are grouped by from now on; None where nobody ever changed it. One query."""
    return OwnGroups.objects.for_client(client).select_related("set_by").order_by("-number").first()


def rows(client: Client) -> QuerySet[Release]:
    """A client's releases with what a page needs of them."""
    found = Release.objects.for_client(client)
    return found.select_related("recipient", "created_by", "proposed_by", "decided_by", "client", "groups")


def rows_of_agency() -> QuerySet[Release]:
    """The scope's releases with what building and scoring need of them."""
    return Release.objects.select_related("recipient", "client__agency", "groups")


def decided_releases(clients: Sequence[Client]) -> QuerySet[Release]:
    """Clients' releases that were proposed and decided (`open_releases` are the others), newest first."""
    rows = Release.objects.filter(client_id__in=[client.pk for client in clients], proposed_at__isnull=False)
    rows = rows.exclude(state__in=OPEN_STATES).select_related("recipient", "client")
    return rows.fetch_mode(FETCH_RAISE).order_by("-created_at")


def open_releases(clients: Sequence[Client]) -> list[Release]:
    """Drafts and what waits, oldest first, a page of them."""
    found = Release.objects.filter(
        client_id__in=[client.pk for client in clients], state__in=OPEN_STATES
    ).select_related("recipient", "created_by", "proposed_by", "client")
    return list(found.order_by("created_at", "pk")[:PAGE])


def live(client: Client) -> list[Release]:
    """The releases of a client that recipients may have, oldest first."""
    return list(rows(client).live().order_by("released_at", "pk"))  # type: ignore[attr-defined]  # a queryset with more words


def ended_over(release: Release) -> list[Release]:
    """Releases that have ended and held calls of the same days: their lists are gone, so nothing compares them."""
    found = Release.objects.for_client(release.client_id).filter(
        state__in=[ReleaseState.REVOKED, ReleaseState.EXPIRED],
        released_at__isnull=False,
        from_on__lt=release.until_on,
        until_on__gt=release.from_on,
    )
    return list(found.select_related("recipient").order_by("-ended_at")[:5])


def may_decide(release: Release, member: Membership, *, at: datetime) -> bool:
    """Whether a person may sign a release that waits: an officer who releases data here, and not who proposed it."""
    return (
        release.state == ReleaseState.WAITING
        and release.proposed_by_id != member.user_id
        and access.has_right(member, AgencyRight.SIGN_OFF)
        and access.may(member, Permission.RELEASE_DATA, release.client_id, at=at)
    )


def deciders(release: Release, *, at: datetime) -> list[int]:
    """User ids of who may sign it."""
    granted = access.people_with(
        Permission.RELEASE_DATA, release.client_id, agency_id=release.agency_id, at=at
    )
    officers = set(access.people_with_right(AgencyRight.SIGN_OFF, agency_id=release.agency_id))
    return [one for one in granted if one in officers and one != release.proposed_by_id]


def trial_of(release: Release, *, k: int, l: int | None, t: Any) -> ReleaseTrial | None:  # noqa: E741  (what the papers call it)
    """What a setting was found to cost, if it was tried."""
    return ReleaseTrial.objects.for_client(release.client_id).filter(release=release, k=k, l=l, t=t).first()


# --- The data sheet -------------------------------------------------------------------------------------------------


def name_of(release: Release) -> str:
    """What a release is called where another one is refused because of it."""
    return f"{release.recipient.name}, {days(release)}"


def days(release: Release) -> str:
    """Its days, both ends in it."""
    last = release.until_on - timedelta(days=1)
    return f"{_day(release.from_on)} to {_day(last)}" if last > release.from_on else _day(last)


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def _share(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2%}"


def rounded(report: dict[str, Any]) -> dict[str, Any]:
    """
    The report of a setting that was tried, its counts and shares rounded.

    One person alone tries settings, of any days: exact figures of two of them would count whoever is in one alone.
    """
    return {name: _rough(name, value) for name, value in report.items()}


def _rough(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {inner: _rough(name, one) for inner, one in value.items()}
    if isinstance(value, int) and name in {"rows", "callers", "population", "classes"}:
        return round(value, -max(len(str(value)) - 2, 1))
    if isinstance(value, float):
        # Of a share and what it is a share of the count would follow again.
        return float(f"{value:.1g}" if name in {"suppressed", "risks", "risks_before"} else f"{value:.2g}")
    return value


@dataclass(frozen=True, slots=True)
class Line:
    label: str
    value: str
    hint: str = ""


def found(report: dict[str, Any]) -> list[Line]:
    """What a report says of rows, loss and demands; nothing where nothing was computed."""
    if not report:
        return []
    lines = [
        Line("Rows", f"{report['rows']:,}"),
        Line("Callers in them", f"{report['callers']:,}"),
    ]
    if "loss" in report:
        lines += [
            Line("Left out", _share(report["suppressed"]), "rows that would have cost the others too much"),
            Line(
                "Loss",
                f"{report['loss']:.3f}",
                "between 0, as it was, and 1, nothing left; the mean over rows and columns",
            ),
            Line("Classes", f"{report['classes']:,}", f"of {report['average']:.1f} rows on average"),
            Line("k", f"{report['people']}", "callers in the smallest class"),
        ]
        lines += [
            Line(f"l of {label}", f"{value}", "different values in every class")
            for label, value in report["diversity"].items()
        ]
        lines += [
            Line(f"t of {label}", f"{value:.3f}", "distance of any class from the whole")
            for label, value in report["closeness"].items()
        ]
    return lines


def risks(report: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """The risks as (name, before, after, what it is); none where rows are still one person's."""
    if "risks" not in report:
        return []
    said = {
        "prosecutor": "highest, for who knows that a person is in it",
        "prosecutor_mean": "the mean of that",
        "journalist": "highest, for who does not know it",
        "marketer": "share that an attacker gets right who goes for all",
        "alone": "callers who are the only one like them in it",
    }
    names = {"prosecutor_mean": "Prosecutor, mean", "alone": "Alone in the table"}
    return [
        (
            names.get(name, name.capitalize()),
            _share(report["risks_before"][name]),
            _share(report["risks"][name]),
            words,
        )
        for name, words in said.items()
    ]


def risk_now(release: Release) -> str:
    """What an anonymised release was found to risk when it was looked at last; empty where it was not looked at."""
    if release.kind != ReleaseKind.ANONYMISED or "prosecutor" not in release.score:
        return ""
    return (
        f"{_share(release.score['prosecutor'])} at most for who knows that a person is in it,"
        f" {_share(release.score['journalist'])} for who does not"
    )


def sheet(release: Release) -> str:
    """
    The data sheet that goes with a file, in Markdown: what it is, what was done, what is risked, until when.

    Whatever is named by people is text in it: what draws Markdown as a page takes no markup from it.
    """
    lines = [*_head(release), "", *_columns(release), "", *_grouped(release), *_figures(release), ""]
    return escape("\n".join(lines), quote=False)


def _head(release: Release) -> Iterator[str]:
    is_pseudonymised = release.kind == ReleaseKind.PSEUDONYMISED
    yield f"# {release.get_kind_display()} of {release.client.name}"
    yield ""
    yield f"- For: {release.recipient.name}"
    yield f"- Purpose: {release.purpose}"
    yield f"- Days: {days(release)}, in {release.client.time_zone}"
    if release.digest is not None:
        yield f"- SHA-256 of the file: {bytes(release.digest).hex()}"
    if release.ends_at is not None:
        yield f"- To be deleted by: {release.ends_at:%Y-%m-%d %H:%M} UTC"
    if is_pseudonymised:
        yield f"- Contract: {release.recipient.contract}"
        yield ""
        yield "**This file is personal data.** Numbers are replaced by tokens under a key of this recipient's own. Each"
        yield "row is still one person's, rows of one person have one token, and it is not anonymous."
    else:
        yield ""
        yield f"{CAVEAT} These figures hold against who knows the columns that were made coarser and no more."


def _columns(release: Release) -> Iterator[str]:
    yield "| column | what was done | loss |"
    yield "|---|---|---|"
    by_column = release.report.get("by_column", {})
    if release.kind == ReleaseKind.PSEUDONYMISED:
        yield "| Caller | a token under the recipient's key | |"
    for name in release.columns:
        column = COLUMNS[name]
        done = column.words if release.kind == ReleaseKind.ANONYMISED else "as it is"
        loss = by_column.get(column.label)
        yield f"| {column.label} | {done} | {'' if loss is None else f'{loss:.3f}'} |"
    yield ""
    yield "Not in it: numbers, names, recordings, words, and calls of whoever said no, of minors, and without a number."


@dataclass(frozen=True, slots=True)
class Grouped:
    """How one column is made coarser: its steps, and what stands in each group where people say so."""

    label: str
    steps: str
    groups: list[str]


def grouped(own: Own, columns: Sequence[str]) -> list[Grouped]:
    """How these columns are made coarser, step by step."""
    listed = {
        "source": [
            f"{name}{' (paid)' if name in own.paid else ''}: {', '.join(sources)}"
            for name, sources in sorted(own.channels.items())
        ],
        "seconds": [
            f"{name}, from: {', '.join(map(str, own.bands[name]))}" for name in own.picked["seconds"]
        ],
        "instant": [
            f"{name}: {begins}:00 to {ends}:00"
            for name, (begins, ends) in sorted(own.parts.items(), key=lambda one: one[1])
        ],
    }
    return [
        Grouped(COLUMNS[name].label, " › ".join(own.picked[kind]), listed.get(kind, []))
        for name in columns
        if (kind := COLUMNS[name].hierarchy)
    ]


def _grouped(release: Release) -> Iterator[str]:
    """What its columns are grouped by; of one that is not made coarser nothing."""
    if release.kind != ReleaseKind.ANONYMISED:
        return
    number = "" if release.groups is None else f", number {release.groups.number} of this client's"
    yield f"Groups{number or ', as shipped'}. Each value stands as itself, in a group of one of these steps, or as `*`."
    yield ""
    for one in grouped(own_of(release), release.columns):
        yield f"- {one.label}: {one.steps}"
        # What is shipped is long, and the same for everybody.
        if release.groups is not None:
            yield from (f"    - {group}" for group in one.groups)
    yield ""


def _figures(release: Release) -> Iterator[str]:
    if release.released_at is None:
        yield "As it was tried, rounded: the file is not built."
        yield ""
    yield "| figure | |"
    yield "|---|---|"
    for line in found(release.report):
        yield f"| {line.label} | {line.value} |"
    if release.kind == ReleaseKind.ANONYMISED:
        yield ""
        yield "| risk | before | after | |"
        yield "|---|---|---|---|"
        for name, before, after, words in risks(release.report):
            yield f"| {name} | {before} | {after} | {words} |"
