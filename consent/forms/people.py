"""Which callers are meant, what a person told somebody of the staff, and why a pack of evidence is taken."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict

from callprivacy.calls.forms.calls import ReasonForm
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
        """The purposes asked for. Only after `is_valid()`."""
        picked = self.cleaned_data["purpose"]
        return list(Purpose) if picked == "all" else [Purpose(picked)]


class CallersForm(forms.Form):
    """Which callers of a client are listed."""

    purpose = forms.ChoiceField(choices=Purpose.choices, required=False)
    group = forms.ChoiceField(
        label="Who", choices=[(name, title) for name, (title, _) in GROUPS.items()], required=False
    )

    def wanted(self) -> tuple[Purpose, str]:
        """The purpose and the group; what is none is the first of each."""
        self.is_valid()
        found = self.cleaned_data
        return Purpose(found.get("purpose") or Purpose.RECORD), found.get("group") or "given"


class SaidForm(forms.Form):
    """What a person told somebody of the staff."""

    kind = forms.ChoiceField(
        label="What the person said",
        choices=[
            (EventKind.WITHDRAWN.value, "No: takes consent back, or never wants it"),
            (EventKind.GIVEN.value, "Yes: agrees"),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": "Pick what the person said."},
    )
    purposes = forms.MultipleChoiceField(
        label="To what",
        choices=Purpose.choices,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Tick at least one."},
    )
    how = forms.ChoiceField(label="How we know", choices=[(how.value, how.label) for how in How])
    when = MomentField(
        label="When it was said",
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        error_messages={"required": "Say when.", "invalid": "Write a day and a time."},
    )
    note = forms.CharField(
        label="Note",
        max_length=2000,
        widget=forms.Textarea({"rows": 4, "autocomplete": "off"}),
        help_text="Who heard or read it, and the words as far as you have them. It is sealed, and is the evidence.",
        error_messages={"required": "Write down how it was said: it is the only evidence there will be."},
    )
    by_guardian = forms.BooleanField(
        label="A guardian agrees for a minor",
        required=False,
        help_text="Below the age at which their own consent counts, a minor's yes does not suffice.",
    )
    proof = LineField(
        label="Proof that they are the guardian",
        required=False,
        max_length=200,
        help_text="What you saw and when, such as a birth certificate or a court order.",
    )
    majority_on = DayField(
        label="The minor comes of age on",
        required=False,
        help_text="The guardian's consent counts until that day.",
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
        said = cast(datetime, self.cleaned_data["when"]).replace(tzinfo=self._zone)
        if said > self._at + timedelta(minutes=1):
            raise forms.ValidationError("That lies in the future.")
        if said < self._at - _EARLIEST:
            raise forms.ValidationError("That is too long ago to be right.")
        return min(said, self._at)

    def clean_note(self) -> str:
        note = str(self.cleaned_data["note"]).strip()
        if len(note) < SHORTEST_NOTE:
            raise forms.ValidationError(f"Say a little more: at least {SHORTEST_NOTE} characters.")
        return note

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not cleaned.get("by_guardian"):
            return cleaned
        if cleaned.get("kind") != EventKind.GIVEN:
            self.add_error("by_guardian", "A no needs no guardian: record it as the person's.")
        if len(str(cleaned.get("proof", "")).strip()) < SHORTEST_NOTE:
            self.add_error("proof", f"Say what shows it, in at least {SHORTEST_NOTE} characters.")
        until = cleaned.get("majority_on")
        if until is None or until <= self._at.astimezone(self._zone).date():
            self.add_error(
                "majority_on", "Write the day on which the minor comes of age. It lies in the future."
            )
        return cleaned

    def _guardian(self) -> Guardian | None:
        found = self.cleaned_data
        return Guardian(found["proof"].strip(), found["majority_on"]) if found["by_guardian"] else None

    def said(self) -> dict[str, Any]:
        """What the service wants; only after `is_valid()`."""
        found = self.cleaned_data
        return {
            "kind": EventKind(found["kind"]),
            "purposes": [Purpose(purpose) for purpose in found["purposes"]],
            "how": How(found["how"]),
            "said_at": found["when"],
            "note": found["note"],
            "tap": found["tap"],
            "guardian": self._guardian(),
        }


class MinorForm(forms.Form):
    """That a caller is a minor, and until when, where somebody knows it."""

    majority_on = DayField(
        label="They come of age on",
        required=False,
        help_text="Leave it empty where nobody knows. Then only a guardian's consent counts.",
    )


class NoMinorForm(ReasonForm):
    """Why a caller is no minor after all."""


class EvidenceForm(ReasonForm):
    """Why a pack of evidence is taken."""
