"""What people type while a client is set up."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final
from uuid import UUID

from django import forms

from callprivacy.calls.models import TrackingNumber
from callprivacy.lib.forms import DayField, LineField
from callprivacy.tenancy.models import Client
from consent.enums import SetupStep, VendorStep
from consent.selectors.onboarding import Proposal
from consent.services.setup import Fix, Said

MARKED = (SetupStep.BLUEPRINT, SetupStep.TRACKER, SetupStep.BACKFILL, SetupStep.FINDINGS, SetupStep.WORDS)
"""Steps that a person may settle by saying so, because no row shows them."""


class BlueprintForm(forms.Form):
    """Which blueprint, for which clients, and what the person agrees to."""

    publishes = forms.BooleanField(
        label="Publish notices with all required text", required=False, help_text="Others stay drafts."
    )
    declares = forms.BooleanField(
        label="Declare the legal basis for call measurement, with the included balancing test", required=False
    )
    reason = forms.CharField(
        label="Reason for less than express consent",
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="At least 15 characters. It is encrypted and stored with the audit log entry.",
    )

    def __init__(self, *args: Any, lowers: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lowers = lowers
        self.fields["reason"].required = lowers
        if not lowers:
            del self.fields["reason"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        reason = str(cleaned.get("reason", "")).strip()
        if self._lowers and len(reason) < 15:
            self.add_error("reason", "Enter a reason of at least 15 characters.")
        cleaned["reason"] = reason
        return cleaned


class ChooseForm(forms.Form):
    """Which blueprint is looked at, and for which clients."""

    name = forms.ChoiceField(label="Blueprint")
    client = forms.MultipleChoiceField(label="Clients", required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(
        self, *args: Any, names: Iterable[tuple[str, str]], clients: Iterable[Client], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"] = forms.ChoiceField(label="Blueprint", choices=list(names))
        self.fields["client"] = forms.MultipleChoiceField(
            label="Clients",
            required=False,
            widget=forms.CheckboxSelectMultiple,
            choices=[(client.slug, client.name) for client in clients],
        )


class AgreedForm(forms.Form):
    """When contract and data processing agreement were signed."""

    contract_on = DayField(label="Contract signed on")
    dpa_on = DayField(label="Data processing agreement signed on")


def _proposal(number: TrackingNumber, used: tuple[int, int]) -> str:
    """What is known of a number, or what its calls suggest; a person confirms it."""
    calls, recorded = used
    if number.records is None and calls:
        return "yes" if recorded else "no"
    return {True: "yes", False: "no", None: ""}[number.records]


_STRIKE: Final = "An earlier start date is saved. If it is wrong, strike the entry on the number's page."


class NumbersForm(forms.Form):
    """Of each tracking number: whether the vendor records, and what callers hear before the call connects."""

    announcement = forms.CharField(
        label="Announcement",
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Exact text. It is saved for each number that you mark as announced.",
    )
    on_recording = forms.BooleanField(
        label="The recordings include this announcement",
        required=False,
        help_text="Play one from its first second. If it is missing, callers known only by area code count as "
        "not notified.",
    )

    def __init__(
        self,
        *args: Any,
        numbers: Iterable[TrackingNumber],
        used: Mapping[UUID, tuple[int, int]],
        words: str,
        today: date,
        **kwargs: Any,
    ) -> None:
        numbers = list(numbers)
        kwargs.setdefault("initial", {})
        kwargs["initial"].setdefault("announcement", words)
        super().__init__(*args, **kwargs)
        self.rows = numbers
        self.used = used
        self._today = today
        for number in numbers:
            self.fields[f"records_{number.pk}"] = forms.TypedChoiceField(
                label=f"Does the vendor record calls to {number}?",
                coerce=lambda word: word == "yes",
                choices=[("", "Choose"), ("yes", "Recorded"), ("no", "Not recorded")],
                initial=_proposal(number, used.get(number.pk, (0, 0))),
                error_messages={"required": "Choose whether calls to this number are recorded."},
            )
            self.fields[f"announced_{number.pk}"] = forms.BooleanField(
                label=f"Announced on {number}", required=False, initial=bool(number.announcement)
            )
            self.fields[f"since_{number.pk}"] = DayField(
                label=f"Heard on {number} since", required=False, initial=number.announced_from
            )

    def lines(self) -> list[dict[str, Any]]:
        """Each number with its three fields, for the table."""
        return [
            {
                "number": number,
                "calls": self.used.get(number.pk, (0, 0))[0],
                "recorded": self.used.get(number.pk, (0, 0))[1],
                "records": self[f"records_{number.pk}"],
                "announced": self[f"announced_{number.pk}"],
                "since": self[f"since_{number.pk}"],
            }
            for number in self.rows
        ]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for number in self.rows:
            announced, since = cleaned.get(f"announced_{number.pk}"), cleaned.get(f"since_{number.pk}")
            if announced and not since:
                self.add_error(f"since_{number.pk}", "Enter the start date of the announcement.")
            if since and since > self._today:
                self.add_error(f"since_{number.pk}", "The date is in the future.")
            if announced and since and number.announcement and since > (number.announced_from or since):
                self.add_error(f"since_{number.pk}", _STRIKE)
            if announced and not (number.announcement or cleaned.get("announcement", "").strip()):
                self.add_error("announcement", "Enter the exact text of the announcement.")
        return cleaned

    def said(self) -> dict[UUID, Said]:
        """What was said of each number; words that a number has already stay."""
        words = self.cleaned_data["announcement"].strip()
        found = {}
        for number in self.rows:
            records = self.cleaned_data[f"records_{number.pk}"]
            announced = self.cleaned_data[f"announced_{number.pk}"]
            found[number.pk] = Said(
                records=records,
                announcement=(number.announcement or words) if announced else "",
                announced_from=self.cleaned_data[f"since_{number.pk}"] if announced else None,
                # Unticked is not known: the number's page says yes or no.
                on_recording=True if announced and self.cleaned_data["on_recording"] else None,
            )
        return found


class FixesForm(forms.Form):
    """Which of the proposed fixes become tasks."""

    fix = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Select at least one fix, or skip this step."},
    )

    def __init__(self, data: Mapping[str, Any] | None = None, *, proposals: Iterable[Proposal]) -> None:
        keys = [proposal.key for proposal in proposals]
        super().__init__(data, initial={"fix": keys})
        self.fields["fix"] = forms.MultipleChoiceField(
            choices=[(key, key) for key in keys],
            widget=forms.CheckboxSelectMultiple,
            error_messages=self.fields["fix"].error_messages,
        )

    def fixes(self) -> list[Fix]:
        parted = (key.partition(".") for key in self.cleaned_data["fix"])
        return [Fix(UUID(number), VendorStep(step)) for number, _, step in parted]


class MarkForm(forms.Form):
    """A step that a person settles by saying so, or takes up again."""

    step = forms.ChoiceField(choices=[(step.value, step.label) for step in MARKED])
    note = LineField(required=False, max_length=200)
    undo = forms.BooleanField(required=False)

    def clean_step(self) -> SetupStep:
        return SetupStep(self.cleaned_data["step"])
