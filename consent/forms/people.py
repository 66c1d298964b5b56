"""Filters of callers, and forms about one caller."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict

from callprivacy.lib.forms import DayField, LineField, MomentField
from callprivacy.tenancy.models import Client
from consent.enums import EventKind, Purpose
from consent.selectors.people import GROUPS
from consent.services.desk import Guardian, How

_EARLIEST = timedelta(days=20 * 365)
SHORTEST_NOTE = 15


class CoverageForm(forms.Form):
    """
    The filters of the page of coverage, as they stand in the address. Of one client every purpose is listed, unless
    one is picked.

    :ivar active: how many filters are in use.
    """

    client = forms.ChoiceField(required=False)
    purpose = forms.ChoiceField(label="Purpose", choices=[("all", "All purposes"), *Purpose.choices])

    def __init__(self, asked: QueryDict, *, clients: Sequence[Client]) -> None:
        usual = "all" if asked.get("client") else Purpose.RECORD.value
        purpose = asked.get("purpose") or usual
        super().__init__({"client": asked.get("client", ""), "purpose": purpose})
        self.active = bool(asked.get("client")) + (purpose != usual)
        field = cast(forms.ChoiceField, self.fields["client"])
        field.choices = [("", "All clients"), *((client.slug, client.name) for client in clients)]

    @property
    def purposes(self) -> list[Purpose]:
        """The purposes chosen. Only after `is_valid()`."""
        picked = self.cleaned_data["purpose"]
        return list(Purpose) if picked == "all" else [Purpose(picked)]


class CallersForm(forms.Form):
    purpose = forms.ChoiceField(choices=Purpose.choices, required=False)
    group = forms.ChoiceField(
        label="Status", choices=[(name, title) for name, (title, _) in GROUPS.items()], required=False
    )

    def wanted(self) -> tuple[Purpose, str]:
        """The purpose and the group; an unknown value gives the first of each."""
        self.is_valid()
        chosen = self.cleaned_data
        return Purpose(chosen.get("purpose") or Purpose.RECORD), chosen.get("group") or "given"


class SaidForm(forms.Form):
    """Consent or an opt-out that a caller gave to a team member."""

    kind = forms.ChoiceField(
        label="Answer",
        choices=[
            (EventKind.WITHDRAWN.value, "No: withdraws or refuses consent"),
            (EventKind.GIVEN.value, "Yes: consents"),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose the answer."},
    )
    purposes = forms.MultipleChoiceField(
        label="Purposes",
        choices=Purpose.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Select at least one purpose."},
    )
    how = forms.ChoiceField(label="Source", choices=[(how.value, how.label) for how in How])
    when = MomentField(
        label="Date and time",
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        error_messages={"required": "Enter the date and time.", "invalid": "Enter a valid date and time."},
    )
    note = forms.CharField(
        label="Note",
        max_length=2000,
        widget=forms.Textarea({"rows": 4, "autocomplete": "off"}),
        help_text="Name the team member who heard or read it, and quote the caller. The note is encrypted evidence.",
        error_messages={"required": "Enter a note. It is the only evidence of this entry."},
    )
    by_guardian = forms.BooleanField(
        label="A guardian consents for a minor",
        required=False,
        help_text="Required if the minor is too young to consent.",
    )
    proof = LineField(
        label="Proof of guardianship",
        required=False,
        max_length=200,
        help_text="What you saw and when, such as a birth certificate or court order.",
    )
    majority_on = DayField(
        label="The minor comes of age on",
        required=False,
        help_text="The guardian's consent applies until that date.",
    )
    tap = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, client: Client, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._zone, self._at = ZoneInfo(client.time_zone), at
        self.fields["when"].help_text = f"In the client's time, {client.time_zone}."
        self.initial.setdefault(
            "when", at.astimezone(self._zone).replace(tzinfo=None, second=0, microsecond=0)
        )
        self.initial.setdefault("tap", uuid.uuid4())

    def clean_when(self) -> datetime:
        when = cast(datetime, self.cleaned_data["when"]).replace(tzinfo=self._zone)
        if when > self._at + timedelta(minutes=1):
            raise forms.ValidationError("The time is in the future. Enter an earlier time.")
        if when < self._at - _EARLIEST:
            raise forms.ValidationError("The date is more than 20 years ago. Check the year.")
        return min(when, self._at)

    def clean_note(self) -> str:
        note = str(self.cleaned_data["note"]).strip()
        if len(note) < SHORTEST_NOTE:
            raise forms.ValidationError(f"Enter at least {SHORTEST_NOTE} characters.")
        return note

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not cleaned.get("by_guardian"):
            return cleaned
        if cleaned.get("kind") != EventKind.GIVEN:
            self.add_error("by_guardian", "An opt-out needs no guardian. Record it as the minor's own.")
        if len(str(cleaned.get("proof", "")).strip()) < SHORTEST_NOTE:
            self.add_error("proof", f"Describe the proof in at least {SHORTEST_NOTE} characters.")
        until = cleaned.get("majority_on")
        if until is None or until <= self._at.astimezone(self._zone).date():
            self.add_error("majority_on", "Enter the future date on which the minor comes of age.")
        return cleaned

    def _guardian(self) -> Guardian | None:
        facts = self.cleaned_data
        return Guardian(facts["proof"].strip(), facts["majority_on"]) if facts["by_guardian"] else None

    def said(self) -> dict[str, Any]:
        """The arguments of the service. Only after `is_valid()`."""
        facts = self.cleaned_data
        return {
            "kind": EventKind(facts["kind"]),
            "purposes": [Purpose(purpose) for purpose in facts["purposes"]],
            "how": How(facts["how"]),
            "said_at": facts["when"],
            "note": facts["note"],
            "tap": facts["tap"],
            "guardian": self._guardian(),
        }


class MinorForm(forms.Form):
    """That a caller is a minor, and until when, if known."""

    majority_on = DayField(
        label="They come of age on",
        required=False,
        help_text="Leave empty if unknown. Then only a guardian's consent counts.",
    )
