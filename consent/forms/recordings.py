"""What people type about recordings: why they are heard, how long they stay, where a caller lives."""

from __future__ import annotations

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
        label="What for",
        choices=[("", "Pick one"), *UseReason.choices],
        error_messages={"required": "Pick what it is for."},
    )

    field_order = ("kind", "reason")

    def clean_kind(self) -> UseReason:
        return UseReason(self.cleaned_data["kind"])


class HandlingForm(forms.Form):
    """How long what is withheld stays, and what is kept here."""

    quarantine_hours = forms.IntegerField(
        label="Hours until a withheld recording is erased",
        min_value=1,
        max_value=HOURS_AT_MOST,
        help_text="Counted from the decision; 72 is three days. Only while the client is live; then a compliance "
        "officer saves other hours. Fewer count for what is withheld from then on, more for everything.",
    )
    stores_recordings = forms.BooleanField(
        label="Store recordings here",
        required=False,
        help_text="Allowed recordings are fetched from the tracker, sealed each under its own key, and can be played.",
    )
    takes_transcripts = forms.BooleanField(
        label="Take transcripts in",
        required=False,
        help_text="Numbers, cards and e-mail addresses are taken out before anything is stored. Off is safest.",
    )

    @classmethod
    def values_of(cls, client: Client) -> dict[str, Any]:
        """What the form shows of a client as it is."""
        return {name: getattr(client, name) for name in cls.base_fields}


class PlaceForm(forms.Form):
    """The state or country of a caller's address."""

    country = LineField(max_length=2, initial="US", help_text="Two letters, such as US or DE.")
    region = LineField(label="State or province", required=False, max_length=8, help_text="Such as CA or ON.")

    def clean_country(self) -> str:
        country = str(self.cleaned_data["country"]).strip().upper()
        if len(country) != 2 or country in _NO_COUNTRIES or not places.is_place(country, ""):
            raise forms.ValidationError("Write the two letters of a country, such as US or DE.")
        return country

    def clean(self) -> dict[str, Any]:
        country = str(self.cleaned_data.get("country", ""))
        region = str(self.cleaned_data.get("region", "")).strip().upper()
        if region and country and not places.is_place(country, region):
            self.add_error("region", "Write a state or province of that country in short, such as CA.")
        return self.cleaned_data | {"region": region}
