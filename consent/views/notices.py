"""A client's notices: list, drafts, preview, comparison, publishing and retiring; and copy snippets."""

from functools import partial
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from callprivacy.accounts import access
from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.accounts.views.form_pages import WARNING, Confirmation, Done, action, form_page
from callprivacy.accounts.views.tables import Column, Empty, Link, Pill, Table, list_page
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.enums import Language, NoticeState
from consent.forms.notices import CompareForm, DraftForm, KindForm, NewNoticeForm, NoticeFilter, SeenForm
from consent.models import Notice, NoticeVersion
from consent.selectors import notices as selectors
from consent.selectors import wording
from consent.services import notices


def _context(client: Client, **more: Any) -> dict[str, Any]:
    return {"client": client, **more}


def _find(client: Client, notice_id: UUID) -> Notice:
    return get_object_or_404(selectors.notice_rows(client), pk=notice_id)


def _states(row: selectors.NoticeRow) -> Pill:
    if row.published:
        return Pill("In force", "good")
    return Pill("Draft", "warn") if row.draft else Pill("Not in force")


def _lines(request: StaffRequest, rows: list[Notice]) -> list[selectors.NoticeRow]:
    client = rows[0].client if rows else None
    may_count = client and access.may(request.membership, Permission.VIEW_CALLS, client, at=request.at)
    return selectors.notice_lines(rows, with_callers=bool(may_count))


_NOTICES: Final = Table(
    label="Notices",
    columns=(
        Column("Notice", "notice.name", link=lambda row: _address(row.notice), sort="name"),
        Column("Channel", "notice.get_channel_display", sort="channel"),
        Column("Language", "notice.get_language_display", sort="language"),
        Column("Purposes", lambda row: ", ".join(row.purposes)),
        Column("State", _states, note=lambda row: "with a draft" if row.published and row.draft else ""),
        Column("Callers on current version", "newest_callers", is_number=True),
        Column("Callers on older versions", "older_callers", is_number=True),
    ),
    lines=_lines,
    filters=NoticeFilter,
    empty=Empty(
        "No notices yet",
        "Notices tell callers about recording by phone, web, and text. Suggested text is available in English and"
        " Spanish.",
        "consent",
    ),
    file="notices",
)


def _new_link(request: StaffRequest, client: Client) -> list[Link]:
    if not access.may(request.membership, Permission.MANAGE_CONSENT, client, at=request.at):
        return []
    return [Link("New notice", reverse("consent:new_notice", args=[client.slug]), tone="primary")]


@list_page(
    _NOTICES,
    right=Permission.VIEW_CLIENT,
    lede="The exact text that callers see and hear before they are recorded.",
    actions=_new_link,
)
def list_notices(request: StaffRequest, client: Client) -> QuerySet[Notice]:
    return selectors.notice_rows(client).order_by("channel", "language", "name")


def _list_address(client: Client) -> str:
    return reverse("consent:notices", args=[client.slug])


def _address(notice: Notice) -> str:
    return reverse("consent:notice", args=[notice.client.slug, notice.pk])


def _above(notice: Notice) -> list[tuple[str, str]]:
    return [("Notices", _list_address(notice.client)), (notice.name, _address(notice))]


type _Chosen = tuple[Client, dict[str, Any]]


def _load_kind(request: StaffRequest, client: Client) -> _Chosen | HttpResponse:
    """The channel, language and purposes; without them, the form that asks for them."""
    kind = KindForm(request.GET if "channel" in request.GET else None)
    if kind.is_valid():
        return client, kind.cleaned_data
    if not kind.is_bound:
        kind = KindForm(initial={"language": Language.ENGLISH, "purposes": ["record", "review"]})
    return render(request, "consent/notice_kind.html", _context(client, form=kind))


def _suggested(_: StaffRequest, chosen: _Chosen) -> dict[str, Any]:
    client, kind = chosen
    name = f"{kind['channel'].label}, {kind['language'].label}"
    return {"initial": {"name": name, **NewNoticeForm.values_of(notices.ready(client=client, **kind))}}


@form_page(
    NewNoticeForm,
    right=Permission.MANAGE_CONSENT,
    load=_load_kind,
    title=lambda chosen: f"{chosen[1]['channel'].label}, in {chosen[1]['language'].label}",
    lede=lambda chosen: (
        f"Purposes: {', '.join(selectors.words_for(chosen[1]['purposes']))}. CallPrivacy suggests this text: adapt it"
        " to the client and have counsel review it."
    ),
    button="Save draft",
    crumbs=lambda chosen: [
        ("Notices", _list_address(chosen[0])),
        ("New notice", reverse("consent:new_notice", args=[chosen[0].slug])),
    ],
    fill=_suggested,
    errors={notices.NameTakenError: "name"},
)
def new_notice(request: StaffRequest, chosen: _Chosen, form: NewNoticeForm) -> Done:
    client, kind = chosen
    name = form.cleaned_data["name"]
    notice = notices.create_notice(
        client=client, name=name, words=form.said(), by=request.actor, at=request.at, **kind
    )
    address = reverse("consent:notice", args=[client.slug, notice.pk])
    return Done("Draft saved. Callers see or hear it only after you publish it.", address)


@require_safe
@needs(Permission.VIEW_CLIENT)
def show_notice(request: StaffRequest, client: Client, notice_id: UUID) -> HttpResponse:
    """One notice: its preview, what its draft lacks, and every version with its callers."""
    notice = _find(client, notice_id)
    versions = selectors.versions_of(notice)
    published = _in_state(versions, NoticeState.PUBLISHED)
    draft = _in_state(versions, NoticeState.DRAFT)
    shown = draft if "draft" in request.GET else None
    shown = shown or published or draft or versions[0]
    callers = selectors.callers_by_version(client, notice=notice)
    context = _context(
        client,
        notice=notice,
        purposes=selectors.purpose_words(notice),
        published=published,
        draft=draft,
        shown=shown,
        preview=selectors.preview_of(shown, client),
        missing=selectors.missing_in(draft, client) if draft else [],
        rows=_version_rows(versions, callers),
        older_callers=sum(callers.get(row.pk, 0) for row in versions if row.state == NoticeState.RETIRED),
    )
    return render(request, "consent/notice.html", context)


def _in_state(versions: list[NoticeVersion], state: NoticeState) -> NoticeVersion | None:
    return next((version for version in versions if version.state == state), None)


def _version_rows(versions: list[NoticeVersion], callers: dict[UUID, int]) -> list[dict[str, Any]]:
    """Each version with its callers, its digest and the version before it."""
    return [
        {
            "version": version,
            "callers": callers.get(version.pk, 0),
            "digest": bytes(version.digest).hex() if version.digest else "",
            "before": before.number if before is not None else None,
        }
        for version, before in zip(versions, [*versions[1:], None], strict=True)
    ]


type _Versions = tuple[Notice, list[NoticeVersion]]


def _load_versions(_: StaffRequest, client: Client, notice_id: UUID) -> _Versions:
    notice = _find(client, notice_id)
    return notice, selectors.versions_of(notice)


def _draft_form(_: StaffRequest, subject: _Versions) -> dict[str, Any]:
    notice, versions = subject
    return {
        "purposes": notice.purposes,
        "fixed": any(version.state != NoticeState.DRAFT for version in versions),
        "initial": DraftForm.values_of(_in_state(versions, NoticeState.DRAFT) or versions[0]),
    }


def _draft_facts(_: StaffRequest, subject: _Versions) -> dict[str, Any]:
    notice, versions = subject
    draft = _in_state(versions, NoticeState.DRAFT)
    missing = selectors.missing_in(draft, notice.client) if draft else []
    return _context(notice.client, notice=notice, missing=missing)


@form_page(
    DraftForm,
    right=Permission.MANAGE_CONSENT,
    load=_load_versions,
    title=lambda subject: f"Draft of {subject[0].name}",
    lede=lambda subject: (
        f"{subject[0].get_channel_display()}, in {subject[0].get_language_display()}. A version in force stays so"
        " until you publish the draft."
    ),
    button="Save and preview",
    crumbs=lambda subject: _above(subject[0]),
    fill=_draft_form,
    more=_draft_facts,
    errors={notices.PurposesFixedError: "purposes"},
    template="consent/notice_draft.html",
)
def edit_draft(request: StaffRequest, subject: _Versions, form: DraftForm) -> Done:
    purposes = form.cleaned_data["purposes"]
    notices.save_draft(
        notice=subject[0], words=form.said(), purposes=purposes, by=request.actor, at=request.at
    )
    return Done("Draft saved.", f"{_address(subject[0])}?draft")


_action: Final = partial(
    action,
    right=Permission.MANAGE_CONSENT,
    load=lambda _, client, notice_id: _find(client, notice_id),
    back=_address,
    errors={notices.NoDraftError: WARNING},
)


@_action()
def add_ready_words(request: StaffRequest, notice: Notice, _: Any) -> Done:
    code = request.POST.get("code", "")
    notices.add_ready_words(notice=notice, client=notice.client, code=code, by=request.actor, at=request.at)
    return Done("Text added to the draft. Review it.", f"{_address(notice)}?draft")


@_action()
def discard_draft(request: StaffRequest, notice: Notice, _: Any) -> Done:
    is_gone = notices.discard_draft(notice=notice, by=request.actor, at=request.at)
    return Done("Draft deleted.", _list_address(notice.client) if is_gone else "")


type _Draft = tuple[Notice, NoticeVersion, NoticeVersion | None]


def _load_draft(request: StaffRequest, client: Client, notice_id: UUID) -> _Draft | HttpResponse:
    """The draft, and the version that it replaces; a draft that lacks something is sent to its form."""
    notice, versions = _load_versions(request, client, notice_id)
    draft = _in_state(versions, NoticeState.DRAFT)
    if draft is None:
        return redirect(_address(notice))
    if selectors.missing_in(draft, client):
        messages.warning(request, "Not published: required text is missing. Add it to the draft.")
        return redirect("consent:edit_notice", client.slug, notice.pk)
    return notice, draft, _in_state(versions, NoticeState.PUBLISHED)


def _callers_of(request: StaffRequest, notice: Notice, label: str) -> list[dict[str, object]]:
    """How many callers stay as they are, for people who may count them."""
    if not access.may(request.membership, Permission.VIEW_CALLS, notice.client, at=request.at):
        return []
    callers = sum(selectors.callers_by_version(notice.client, notice=notice).values())
    return [{"label": label, "value": f"{callers:,}"}]


def _confirm_publishing(request: StaffRequest, subject: _Draft) -> Confirmation:
    notice, _, published = subject
    return Confirmation(
        "This version takes effect now",
        "You cannot edit a published version. To change the text, publish a new version.",
        extent=[
            {"label": "Channel", "value": notice.get_channel_display()},
            {"label": "Replaces", "value": f"version {published.number}" if published else "no version"},
            *_callers_of(request, notice, "Callers who stay on earlier versions"),
            {"label": "Phone menus that play it", "value": selectors.menus_with(notice)},
        ],
    )


@form_page(
    SeenForm,
    right=Permission.MANAGE_CONSENT,
    load=_load_draft,
    title=lambda subject: f"Publish version {subject[1].number}",
    button="Publish notice",
    crumbs=lambda subject: _above(subject[0]),
    fill=lambda _, subject: {"initial": {"seen": selectors.digest_of(subject[1]).hex()}},
    more=lambda _, subject: {
        "notice": subject[0],
        "published": subject[2],
        "preview": selectors.preview_of(subject[1], subject[0].client),
        "changes": selectors.changes(subject[2], subject[1]) if subject[2] else [],
    },
    confirm=_confirm_publishing,
    errors={notices.DraftChangedError: WARNING, notices.NoDraftError: WARNING, notices.NotFitError: WARNING},
    template="consent/notice_publish.html",
)
def publish(request: StaffRequest, subject: _Draft, form: SeenForm) -> str:
    """Show what will be in force, and for whom it stays as it was; then put it in force."""
    notice = subject[0]
    version = notices.publish(
        notice=notice, client=notice.client, by=request.actor, at=request.at, **form.cleaned_data
    )
    return f"Version {version.number} is in force."


def _load_published(request: StaffRequest, client: Client, notice_id: UUID) -> _Versions | HttpResponse:
    notice, versions = _load_versions(request, client, notice_id)
    published = _in_state(versions, NoticeState.PUBLISHED)
    if published is not None and not selectors.menus_with(notice):
        return notice, [published]
    if published is None:
        messages.info(request, "No version of this notice is in force.")
    else:
        messages.warning(request, "A phone menu plays this notice. Select another notice for the menu first.")
    return redirect(_address(notice))


def _confirm_retiring(request: StaffRequest, subject: _Versions) -> Confirmation:
    notice, (published,) = subject
    return Confirmation(
        "Callers no longer get this notice",
        "If no other notice covers the channel, callers there are not asked, and recordings that need consent are"
        " quarantined.",
        extent=[
            {"label": "Version", "value": published.number},
            {"label": "Channel", "value": notice.get_channel_display()},
            *_callers_of(request, notice, "Callers whose consent or notice still counts"),
        ],
    )


@form_page(
    right=Permission.MANAGE_CONSENT,
    load=_load_published,
    title=lambda subject: f"Retire {subject[0].name}",
    button="Retire notice",
    crumbs=lambda subject: _above(subject[0]),
    confirm=_confirm_retiring,
    errors={notices.StillSpokenError: WARNING},
)
def retire(request: StaffRequest, subject: _Versions, _: Any) -> str:
    notices.retire(notice=subject[0], by=request.actor, at=request.at)
    return "Notice retired. It is no longer used."


@require_safe
@needs(Permission.VIEW_CLIENT)
def compare(request: StaffRequest, client: Client, notice_id: UUID) -> HttpResponse:
    notice = _find(client, notice_id)
    versions = selectors.versions_of(notice)
    by_number = {version.number: version for version in versions}
    form = CompareForm(request.GET)
    numbers = form.cleaned_data if form.is_valid() else {}
    new = by_number.get(numbers.get("new", 0), versions[0])
    old = by_number.get(numbers.get("old", 0), by_number.get(new.number - 1, versions[-1]))
    changes = selectors.changes(old, new)
    context = _context(client, notice=notice, versions=versions, old=old, new=new, changes=changes)
    return render(request, "consent/notice_changes.html", context)


@require_safe
@needs(Permission.VIEW_CLIENT)
def show_words(request: StaffRequest, client: Client) -> HttpResponse:
    """Copy snippets for the site, ads, the business profile, print, and the agents' script."""
    chosen = request.GET.get("language", "")
    language = Language(chosen) if chosen in Language.values else Language.ENGLISH
    texts = wording.ready_texts(language, selectors.facts_about(client))
    context = _context(
        client,
        part="words",
        texts=texts,
        language=language,
        languages=Language.choices,
        has_gap=any(wording.has_gap(text.text) for text in texts),
    )
    return render(request, "consent/notice_words.html", context)
