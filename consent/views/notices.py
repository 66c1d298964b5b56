"""A client's notices: listed, drafted, previewed, compared, published, taken out of force; and words to copy."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from callprivacy.accounts.access import StaffRequest, needs
from callprivacy.tenancy.enums import Permission
from callprivacy.tenancy.models import Client
from consent.enums import Channel, Language, NoticeState, Purpose
from consent.forms.notices import CompareForm, DraftForm, KindForm, NewNoticeForm, NoticeFilter, SeenForm
from consent.models import Notice, NoticeVersion
from consent.selectors import notices as selectors
from consent.selectors import wording
from consent.services import notices


def _context(client: Client, **more: Any) -> dict[str, Any]:
    return {"client": client, **more}


def _find(client: Client, notice_id: UUID) -> Notice:
    return get_object_or_404(selectors.notice_rows(client), pk=notice_id)


@require_safe
@needs(Permission.VIEW_CLIENT)
def list_notices(request: StaffRequest, client: Client) -> HttpResponse:
    """What a client's callers are told, by the way they are told."""
    form = NoticeFilter(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    rows = selectors.notices_of(client, **wanted)
    active = sum(bool(value) for value in wanted.values())
    return render(request, "consent/notices.html", _context(client, form=form, rows=rows, active=active))


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def new_notice(request: StaffRequest, client: Client) -> HttpResponse:
    """A new notice: first what it is for, then its words, which ship and may be changed."""
    kind = KindForm(request.GET if "channel" in request.GET else None)
    if not kind.is_valid():
        if not kind.is_bound:
            kind = KindForm(initial={"language": Language.ENGLISH, "purposes": ["record", "review"]})
        return render(request, "consent/notice_kind.html", _context(client, form=kind))
    about = kind.cleaned_data
    words = notices.ready(
        client=client, channel=about["channel"], language=about["language"], purposes=about["purposes"]
    )
    name = f"{about['channel'].label}, {about['language'].label}"
    form = NewNoticeForm(request.POST or None, initial={"name": name, **NewNoticeForm.values_of(words)})
    if request.method == "POST" and form.is_valid():
        try:
            notice = notices.create_notice(
                client=client,
                name=form.cleaned_data["name"],
                purposes=about["purposes"],
                channel=about["channel"],
                language=about["language"],
                words=form.said(),
                by=request.actor,
                at=request.at,
            )
        except notices.NameTakenError as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, "Draft saved. Callers see or hear it only after you publish it.")
            return redirect("consent:notice", client.slug, notice.pk)
    context = _context(client, form=form, about=about, purposes=selectors.words_for(about["purposes"]))
    return render(request, "consent/notice_new.html", context)


@require_safe
@needs(Permission.VIEW_CLIENT)
def show_notice(request: StaffRequest, client: Client, notice_id: UUID) -> HttpResponse:
    """One notice: as callers meet it, what its draft still lacks, and every version with who agreed to it."""
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
        preview=_preview(shown, client),
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


def _preview(version: NoticeVersion, client: Client) -> dict[str, Any]:
    """What the preview of a version needs, whatever its channel."""
    full = selectors.said_in_full(version)
    purposes = [Purpose(purpose) for purpose in version.notice.purposes]
    return {
        "version": version,
        "channel": version.notice.channel,
        "language": version.notice.language,
        "client": client,
        "paragraphs": [part for part in (version.words, version.withdraw) if part],
        "full": full,
        "is_spoken": Channel(version.notice.channel) in wording.SPOKEN,
        "seconds": wording.seconds_to_say(full),
        "segments": wording.segments(full.replace("\n\n", " ")),
        "length": len(full.replace("\n\n", " ")),
        "boxes": [purpose.label for purpose in purposes],
    }


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def edit_draft(request: StaffRequest, client: Client, notice_id: UUID) -> HttpResponse:
    """Write the next version, or change the one that is being written."""
    notice = _find(client, notice_id)
    versions = selectors.versions_of(notice)
    draft = _in_state(versions, NoticeState.DRAFT)
    fixed = any(version.state != NoticeState.DRAFT for version in versions)
    form = DraftForm(
        request.POST or None,
        purposes=notice.purposes,
        fixed=fixed,
        initial=DraftForm.values_of(draft or versions[0]),
    )
    if request.method == "POST" and form.is_valid():
        try:
            notices.save_draft(
                notice=notice,
                words=form.said(),
                purposes=form.cleaned_data["purposes"],
                by=request.actor,
                at=request.at,
            )
        except notices.PurposesFixedError as error:
            form.add_error("purposes", str(error))
        else:
            messages.success(request, "Draft saved.")
            return redirect(_draft_url(client, notice))
    context = _context(
        client,
        notice=notice,
        form=form,
        draft=draft,
        missing=selectors.missing_in(draft, client) if draft else [],
        published=_in_state(versions, NoticeState.PUBLISHED),
    )
    return render(request, "consent/notice_draft.html", context)


def _draft_url(client: Client, notice: Notice) -> str:
    return f"{reverse('consent:notice', args=[client.slug, notice.pk])}?draft"


@require_POST
@needs(Permission.MANAGE_CONSENT)
def add_ready_words(request: StaffRequest, client: Client, notice_id: UUID) -> HttpResponse:
    """Put the ready words for what is missing into the draft."""
    notice = _find(client, notice_id)
    try:
        notices.add_ready_words(
            notice=notice,
            client=client,
            code=request.POST.get("code", ""),
            by=request.actor,
            at=request.at,
        )
    except notices.NoDraftError as error:
        messages.warning(request, str(error))
        return redirect("consent:notice", client.slug, notice.pk)
    messages.success(request, "Text added to the draft. Review it.")
    return redirect(_draft_url(client, notice))


@require_POST
@needs(Permission.MANAGE_CONSENT)
def discard_draft(request: StaffRequest, client: Client, notice_id: UUID) -> HttpResponse:
    notice = _find(client, notice_id)
    try:
        is_gone = notices.discard_draft(notice=notice, by=request.actor, at=request.at)
    except notices.NoDraftError as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, "Draft deleted.")
        if is_gone:
            return redirect("consent:notices", client.slug)
    return redirect("consent:notice", client.slug, notice.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def publish(request: StaffRequest, client: Client, notice_id: UUID) -> HttpResponse:
    """Show exactly what will be in force and for whom it stays as it was; then put it in force."""
    notice = _find(client, notice_id)
    if request.method == "POST":
        form = SeenForm(request.POST)
        try:
            version = notices.publish(
                notice=notice,
                client=client,
                seen=form.cleaned_data["seen"] if form.is_valid() else b"",
                by=request.actor,
                at=request.at,
            )
        except (notices.DraftChangedError, notices.NoDraftError) as error:
            messages.warning(request, str(error))
        except notices.NotFitError:
            messages.warning(request, "Not published: required text is missing. Add it to the draft.")
        else:
            messages.success(request, f"Version {version.number} is in force.")
            return redirect("consent:notice", client.slug, notice.pk)
    versions = selectors.versions_of(notice)
    draft = _in_state(versions, NoticeState.DRAFT)
    if draft is None:
        return redirect("consent:notice", client.slug, notice.pk)
    published = _in_state(versions, NoticeState.PUBLISHED)
    callers = selectors.callers_by_version(client, notice=notice)
    context = _context(
        client,
        notice=notice,
        draft=draft,
        published=published,
        seen=selectors.digest_of(draft).hex(),
        missing=selectors.missing_in(draft, client),
        purposes=selectors.purpose_words(notice),
        preview=_preview(draft, client),
        changes=selectors.changes(published, draft) if published else [],
        callers=sum(callers.values()),
        menus=selectors.menus_with(notice),
    )
    return render(request, "consent/notice_publish.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Permission.MANAGE_CONSENT)
def retire(request: StaffRequest, client: Client, notice_id: UUID) -> HttpResponse:
    """Take a notice out of force, after saying what that means."""
    notice = _find(client, notice_id)
    if request.method == "POST":
        try:
            notices.retire(notice=notice, by=request.actor, at=request.at)
        except notices.StillSpokenError as error:
            messages.warning(request, str(error))
        else:
            messages.success(request, "Notice retired. It is no longer used.")
        return redirect("consent:notice", client.slug, notice.pk)
    versions = selectors.versions_of(notice)
    callers = selectors.callers_by_version(client, notice=notice)
    context = _context(
        client,
        notice=notice,
        published=_in_state(versions, NoticeState.PUBLISHED),
        callers=sum(callers.values()),
        menus=selectors.menus_with(notice),
    )
    return render(request, "consent/notice_retire.html", context)


@require_safe
@needs(Permission.VIEW_CLIENT)
def compare(request: StaffRequest, client: Client, notice_id: UUID) -> HttpResponse:
    """How two versions of a notice differ, word by word."""
    notice = _find(client, notice_id)
    versions = selectors.versions_of(notice)
    by_number = {version.number: version for version in versions}
    form = CompareForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    new = by_number.get(asked.get("new", 0), versions[0])
    old = by_number.get(asked.get("old", 0), by_number.get(new.number - 1, versions[-1]))
    context = _context(
        client,
        notice=notice,
        versions=versions,
        old=old,
        new=new,
        changes=selectors.changes(old, new),
    )
    return render(request, "consent/notice_changes.html", context)


@require_safe
@needs(Permission.VIEW_CLIENT)
def show_words(request: StaffRequest, client: Client) -> HttpResponse:
    """Texts to copy: for the site, ads, the business profile, print, and the script of who answers."""
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
