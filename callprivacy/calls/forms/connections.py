"""What people type about a client's connections and numbers."""

import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone

from callprivacy.calls.models import TrackingNumber
from callprivacy.calls.providers import PROVIDERS, TRACKERS
from callprivacy.calls.providers.base import REGION
from callprivacy.lib import phone
from callprivacy.lib.forms import DayField, LineField, MomentField

_SECRET = re.compile(r"[!-~]{16,200}").fullmatch
_UNSET = {"": None, "yes": True, "no": False}


def _clean_secret(raw: str) -> str:
    secret = raw.strip()
    if _SECRET(secret) is None:
        raise forms.ValidationError(
            "Paste it as the vendor shows it: 16 to 200 letters, digits and signs, no spaces."
        )
    return secret


def _required() -> str:
    raise forms.ValidationError("This field is required: without it nothing that arrives is believed.")


class _AskedOfSigners(LineField):
    """A secret that a tracker which signs nothing does not have; `ConnectionForm.clean` knows which one it is."""

    def validate(self, value: Any) -> None:
        if value:
            super().validate(value)


def _secret_field(label: str, help_text: str, *, field: type[LineField] = LineField) -> LineField:
    return field(
        label=label,
        max_length=400,
        help_text=help_text,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class ConnectionForm(forms.Form):
    """A new connection: which tracker, what it is called here, and what it signs with."""

    provider = forms.ChoiceField(label="Tracker", choices=list(TRACKERS.items()))
    name = LineField(
        label="Name", max_length=120, help_text="As your team calls it, for example “CallRail, main company”."
    )
    secret = _secret_field(
        "Signing key or auth token",
        "CallRail: the signing key of this company, under Integrations, Webhooks. Twilio: the auth token of "
        "the account or subaccount whose calls these are. CallTrackingMetrics: the secret key of the account. "
        "Another tracker: the secret that it signs with or sends along. "
        "Invoca signs nothing and its calls come by files: leave it empty. It is kept encrypted and never shown again.",
        field=_AskedOfSigners,
    )
    use_required_attribute = False  # a browser would not let the form of a tracker without a secret go

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        provider, secret = cleaned.get("provider"), cleaned.get("secret", "")
        if provider in PROVIDERS:
            try:
                cleaned["secret"] = _clean_secret(secret) if secret else _required()
            except forms.ValidationError as error:
                self.add_error("secret", error)
        elif provider and secret:
            self.add_error("secret", "This tracker signs nothing, so there is nothing to enter here.")
        return cleaned


class RotationForm(forms.Form):
    """Another secret for a connection, and how long the earlier one still counts."""

    secret = _secret_field(
        "New signing key or auth token", "It counts from now on, and is never shown again."
    )
    overlap_hours = forms.TypedChoiceField(
        label="The earlier one still counts for",
        coerce=int,
        initial=24,
        choices=[
            (0, "No longer: it ends now, because it leaked"),
            (1, "1 hour"),
            (24, "24 hours"),
            (72, "3 days"),
            (168, "7 days"),
        ],
        help_text="Events that the vendor signed before it knew the new one are accepted until then.",
    )

    def clean_secret(self) -> str:
        return _clean_secret(self.cleaned_data["secret"])


class NumberForm(forms.Form):
    """What is known of a tracking number. Times are read in the client's zone."""

    label = LineField(label="Label", max_length=120, required=False)
    source = LineField(label="Source", max_length=120, required=False)
    campaign = LineField(label="Campaign", max_length=120, required=False)
    target_site = LineField(
        label="Where it rings",
        max_length=200,
        required=False,
        help_text="The site or office, with its state.",
    )
    region = LineField(
        label="State or province",
        max_length=8,
        required=False,
        help_text="Where it rings, in short: CA. Empty: where its area code is.",
    )
    records = forms.TypedChoiceField(
        label="Does the vendor record calls to it?",
        required=False,
        empty_value=None,
        coerce=lambda word: _UNSET[word],
        choices=[("", "Not known yet"), ("yes", "Yes"), ("no", "No")],
    )
    announcement = forms.CharField(
        label="Announcement",
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=(
            "Word for word, as a caller hears it before the call is connected. Empty: there is none from now on. "
            "A change counts from now on; what callers heard before stays below."
        ),
    )
    announced_from = DayField(label="Heard since", required=False)
    announced_on_recording = forms.TypedChoiceField(
        label="Is the announcement part of the recording?",
        required=False,
        empty_value=None,
        coerce=lambda word: _UNSET[word],
        choices=[("", "Not known yet"), ("yes", "Yes"), ("no", "No")],
        help_text="Washington and Connecticut ask that it is; listen to a recording from its first second. Not known "
        "counts as no there. The first answer counts for what was heard so far, another one from now on. Where the "
        "words change, an answer that stays as it is becomes not known.",
    )
    tested_at = MomentField(
        label="Last test call",
        required=False,
        help_text="When a person on your team last called it and heard the announcement.",
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, number: TrackingNumber, zone: ZoneInfo
    ) -> None:
        self.zone = zone
        words = {None: "", True: "yes", False: "no"}
        initial = {
            "label": number.label,
            "source": number.source,
            "campaign": number.campaign,
            "target_site": number.target_site,
            "region": number.region,
            "records": words[number.records],
            "announcement": number.announcement,
            "announced_from": number.announced_from,
            "announced_on_recording": words[number.announced_on_recording],
            "tested_at": number.tested_at
            and number.tested_at.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0),
        }
        super().__init__(data, initial=initial)
        self.fields["tested_at"].label = f"Last test call ({zone.key})"
        self.row = number

    def full_clean(self) -> None:
        with timezone.override(self.zone):
            super().full_clean()

    def clean_region(self) -> str:
        region = str(self.cleaned_data["region"]).upper()
        # An area code of several provinces is written "NS|PE"; what stands there already may stay.
        if region and region != self.row.region and ("|" in region or REGION(region) is None):
            raise forms.ValidationError("Write its short form alone, such as CA or ON.")
        return region

    def clean_tested_at(self) -> Any:
        """The typed wall clock was read in the client's zone."""
        given = self.cleaned_data["tested_at"]
        if given is None:
            return None
        if given > timezone.now():
            raise forms.ValidationError("That is in the future.")
        before = self.row.tested_at
        if before is not None and given == before.replace(second=0, microsecond=0):
            return before
        return given

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("announced_from") and not cleaned.get("announcement"):
            self.add_error("announcement", "Enter what callers hear since that day, or leave the day out.")
        if cleaned.get("announced_from") and cleaned["announced_from"] > timezone.localdate():
            self.add_error("announced_from", "That day has not come yet.")
        if cleaned.get("announcement") and not cleaned.get("announced_from") and "announced_from" in cleaned:
            self.add_error(
                "announced_from", "Say since when callers hear it: earlier calls had no announcement."
            )
        return cleaned


class NewNumberForm(NumberForm):
    """A number that no call has brought yet, and what is known of it."""

    number = LineField(
        label="Number",
        max_length=40,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off"}),
    )
    provider = forms.ChoiceField(
        label="Tracker",
        required=False,
        choices=[
            ("", "Not known yet"),
            *TRACKERS.items(),
        ],
    )
    field_order = ("number", "provider")

    def __init__(self, data: Mapping[str, Any] | None = None, *, country: str, zone: ZoneInfo) -> None:
        self.country = country
        super().__init__(data, number=TrackingNumber(), zone=zone)
        self.fields[
            "number"
        ].help_text = f"As the tracker shows it. Without a + it is read as a number of {country}."

    def clean_number(self) -> str:
        number = phone.normalise(self.cleaned_data["number"], self.country)
        if number is None:
            raise forms.ValidationError(
                "This is no telephone number. Write it with its area code, or with + and its country."
            )
        return number


class StrikeForm(forms.Form):
    """Why an entry of what callers heard is struck out."""

    reason = forms.CharField(
        label="What was wrong",
        min_length=15,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="At least 15 characters: callers never heard it, or not then. The audit log keeps it encrypted.",
    )


class SeenForm(forms.Form):
    """How many events a person was shown before deleting them."""

    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
