"""What people type about recordings: why they are heard, how long they stay, where a caller lives."""

from typing import Any, Final

from django import forms

from callprivacy.calls.forms.calls import ReasonForm
from callprivacy.lib.forms import LineField
from callprivacy.tenancy.models import Client
from consent.enums import UseReason
from consent.law import places
from consent.services.quarantine import HOURS_AT_MOST

# Places that rules speak of and nobody lives in.
_NO_COUNTRIES: Final = frozenset({places.UNKNOWN, places.UNLISTED, places.EUROPEAN_UNION})


class UseForm(ReasonForm):
    """Why a recording is heard or a transcript read."""

    kind = forms.ChoiceField(
        label="Purpose",
        choices=[("", "Choose"), *UseReason.choices],
        error_messages={"required": "Choose a purpose."},
    )

    field_order = ("kind", "reason")

    def clean_kind(self) -> UseReason:
        return UseReason(self.cleaned_data["kind"])


class HandlingForm(forms.Form):
    """How long what is withheld stays, and what is kept here."""

    quarantine_hours = forms.IntegerField(
        label="Hours until a quarantined recording is deleted",
        min_value=1,
        max_value=HOURS_AT_MOST,
        help_text="Counted from the decision, with enforcement on. Then only a compliance officer can change it. "
        "A shorter period applies to recordings quarantined later, a longer one to all.",
    )
    stores_recordings = forms.BooleanField(
        label="Store recordings here",
        required=False,
        help_text="Allowed recordings are fetched from the tracker and encrypted, each with its own key, for playback.",
    )
    takes_transcripts = forms.BooleanField(
        label="Import transcripts",
        required=False,
        help_text="Phone numbers, card numbers and email addresses are redacted before storage. Off is safest.",
    )

    @classmethod
    def values_of(cls, client: Client) -> dict[str, Any]:
        return {name: getattr(client, name) for name in cls.base_fields}


class PlaceForm(forms.Form):
    """The state or country of a caller's address."""

    country = LineField(max_length=2, initial="US", help_text="Two-letter code, such as US or DE.")
    region = LineField(label="State or province", required=False, max_length=8, help_text="Such as CA or ON.")

    def clean_country(self) -> str:
        country = str(self.cleaned_data["country"]).strip().upper()
        if len(country) != 2 or country in _NO_COUNTRIES or not places.is_place(country, ""):
            raise forms.ValidationError("Enter a two-letter country code, such as US or DE.")
        return country

    def clean(self) -> dict[str, Any]:
        country = str(self.cleaned_data.get("country", ""))
        region = str(self.cleaned_data.get("region", "")).strip().upper()
        if region and country and not places.is_place(country, region):
            self.add_error("region", "Enter the code of a state or province of that country, such as CA.")
        return self.cleaned_data | {"region": region}
