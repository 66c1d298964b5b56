"""What a person may ask of the list of calls, and the reason that a reveal or an export is given."""

from collections.abc import Sequence
from typing import Any, cast

from django import forms

from callprivacy.calls.enums import Direction, Outcome, RevealReason
from callprivacy.calls.providers.base import REGION
from callprivacy.calls.selectors.calls import FIRST, LENGTHS, RECORDED, CallFilters
from callprivacy.calls.services.reveals import SHORTEST_REASON, plain_reason
from callprivacy.lib.forms import DayField, LineField, PhoneInput
from callprivacy.tenancy.models import Client

_ANY = [("", "Any")]


class CallFilterForm(forms.Form):
    """
    The filters of the list, as they stand in the address. No field takes free text, so no number gets there.
    """

    client = forms.ChoiceField(required=False)
    from_on = DayField(label="From", required=False)
    until_on = DayField(label="Until", required=False)
    outcome = forms.ChoiceField(choices=[*_ANY, *Outcome.choices], required=False)
    source = forms.ChoiceField(required=False)
    campaign = forms.ChoiceField(required=False)
    direction = forms.ChoiceField(choices=[*_ANY, *Direction.choices], required=False)
    region = LineField(
        label="State or province",
        required=False,
        max_length=8,
        widget=forms.TextInput({"placeholder": "CA", "autocomplete": "off"}),
    )
    length = forms.ChoiceField(
        choices=[*_ANY, *((key, words) for key, (words, _, _) in LENGTHS.items())], required=False
    )
    recording = forms.ChoiceField(choices=[*_ANY, *RECORDED.items()], required=False)
    first = forms.ChoiceField(label="First-time caller", choices=[*_ANY, *FIRST.items()], required=False)
    sort = forms.ChoiceField(
        label="Order", choices=[("", "Newest first"), ("oldest", "Oldest first")], required=False
    )
    caller = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, clients: Sequence[Client], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._choose("client", [("", "All clients"), *((client.slug, client.name) for client in clients)])
        for name in ("source", "campaign"):
            values = {value for client in clients for value in getattr(client, f"{name}s")}
            # What stands in the address stays a choice: the list may be shorter than the truth.
            asked = str(self.data.get(name, ""))
            if (
                asked.isprintable()
                and asked.strip() == asked != ""
                and not any(sign.isdigit() for sign in asked)
            ):
                values.add(asked)
            self._choose(name, [*_ANY, *((value, value) for value in sorted(values, key=str.casefold))])

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        cast(forms.ChoiceField, self.fields[name]).choices = choices

    def clean_region(self) -> str:
        region = str(self.cleaned_data["region"]).upper()
        if region and REGION(region) is None:
            raise forms.ValidationError("Write the code of a state or province, such as CA.")
        return region

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("from_on"), cleaned.get("until_on")
        if first and last and last < first:
            self.add_error("until_on", "The last day lies before the first.")
        return cleaned

    def filters(self) -> CallFilters:
        """The filters asked for; only after `is_valid()`."""
        found = {name: value for name, value in self.cleaned_data.items() if value}
        return CallFilters(
            caller_id=found.get("caller"),
            **{name: found[name] for name in _FILTERS if name in found},
        )

    def _choices_of(self, name: str) -> list[tuple[str, str]]:
        return list(cast(Any, self.fields[name]).choices)

    def described(self) -> list[dict[str, str]]:
        """The filters in use as rows of words; the client and the order are none."""
        found = []
        for name, field in self.fields.items():
            value = self.cleaned_data.get(name)
            if not value or name in {"client", "sort"}:
                continue
            words = value
            if isinstance(field, forms.ChoiceField):
                words = next((words for key, words in self._choices_of(name) if key == value), value)
            label = str(self[name].label)
            found.append({"label": label, "value": "One caller" if name == "caller" else str(words)})
        return found


_FILTERS = (
    "from_on",
    "until_on",
    "source",
    "campaign",
    "direction",
    "outcome",
    "region",
    "length",
    "recording",
    "first",
)


class ReasonForm(forms.Form):
    """Why something is done: a sentence of its own words."""

    reason = forms.CharField(
        label="In a sentence",
        max_length=500,
        widget=forms.Textarea({"rows": 3, "autocomplete": "off"}),
        help_text=f"At least {SHORTEST_REASON} characters. It is kept in the trail, sealed.",
        error_messages={"required": "Say why, in a sentence."},
    )

    def clean_reason(self) -> str:
        reason = plain_reason(self.cleaned_data["reason"])
        if len(reason) < SHORTEST_REASON:
            raise forms.ValidationError(f"Say a little more: at least {SHORTEST_REASON} characters.")
        return reason


class RevealForm(ReasonForm):
    """Why a number is to be shown."""

    reason_kind = forms.ChoiceField(
        label="What for",
        choices=[("", "Pick one"), *RevealReason.choices],
        error_messages={"required": "Pick what it is for."},
    )

    field_order = ("reason_kind", "reason")


class ExportForm(ReasonForm):
    """Why calls are written out."""


class NumberForm(forms.Form):
    """A number to look for; it travels in the body of a request and is not kept."""

    number = LineField(
        label="Phone number",
        max_length=64,
        widget=PhoneInput({"autocomplete": "off"}),
        error_messages={"required": "Write the number to look for."},
    )
