"""Forms for breaches."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import QuerySet
from django_filters import ChoiceFilter, FilterSet

from callprivacy.lib import redact
from callprivacy.lib.forms import DayField, LineField, MomentField
from callprivacy.tenancy.models import Client
from consent.law import places
from governance import letters
from governance.enums import BreachKind, BreachRisk, BreachState, DataCategory
from governance.models import Breach
from governance.services.breaches import Assessment

_PERIOD_AT_MOST: Final = timedelta(days=3 * 366)


def _words(label: str, *, help_text: str, required: bool = True, rows: int = 4) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=4000,
        required=required,
        help_text=help_text,
        widget=forms.Textarea({"rows": rows, "autocomplete": "off"}),
    )


def _instant(label: str, *, help_text: str = "", required: bool = True) -> MomentField:
    return MomentField(
        label=label,
        required=required,
        help_text=help_text,
        widget=forms.DateTimeInput({"type": "datetime-local", "step": "60"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
    )


class _InZone(forms.Form):
    """Instants are typed and shown in one zone; Django would read them in its own."""

    def __init__(self, *args: Any, zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = ZoneInfo(zone)
        for name, field in self.fields.items():
            value = self.initial.get(name)
            if isinstance(field, forms.DateTimeField) and isinstance(value, datetime):
                self.initial[name] = value.astimezone(self.zone).replace(tzinfo=None)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        for name, field in self.fields.items():
            value = data.get(name)
            if isinstance(field, forms.DateTimeField) and isinstance(value, datetime):
                data[name] = value.replace(tzinfo=self.zone)
        return data


def without_number(text: str) -> str:
    """:raises ValidationError: the text contains a phone number or an email address."""
    if redact.redact(text).count:
        raise forms.ValidationError("Remove phone numbers and email addresses. This text is shown in lists.")
    return text


class BreachFilter(FilterSet):
    state = ChoiceFilter(label="Status", choices=BreachState.choices, empty_label="All")
    drills = ChoiceFilter(
        label="Drills",
        field_name="is_drill",
        choices=[("no", "Exclude drills"), ("only", "Drills only")],
        empty_label="Include drills",
        method="only_drills",
    )

    def only_drills(self, rows: QuerySet[Breach], name: str, value: str) -> QuerySet[Breach]:
        return rows.filter(**{name: value == "only"})


class ReportForm(forms.Form):
    title = LineField(
        label="Title",
        max_length=120,
        help_text="No names or phone numbers. The title is shown in lists.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    words = _words(
        "What happened",
        help_text="What you saw, when, and what you did so far. Stored encrypted.",
        rows=6,
    )
    is_drill = forms.BooleanField(
        label="This is a drill", required=False, help_text="Drills do not count in statistics or controls."
    )

    def clean_title(self) -> str:
        return without_number(self.cleaned_data["title"])


class AssessForm(_InZone):
    aware_at = _instant(
        "Aware since",
        help_text="When the agency was reasonably certain of the breach. Deadlines run from here.",
    )
    kind = forms.ChoiceField(label="Breach type", choices=BreachKind.choices, widget=forms.RadioSelect)
    began_at = _instant("Began", required=False, help_text="Leave empty if unknown.")
    ended_at = _instant("Ended", required=False, help_text="Leave empty if ongoing or unknown.")
    categories = forms.MultipleChoiceField(
        label="Affected data", choices=DataCategory.choices, widget=forms.CheckboxSelectMultiple
    )
    client_ids = forms.MultipleChoiceField(
        label="Affected clients",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="If the agency is a processor, notify the client first.",
    )
    places = LineField(
        label="Where affected people live",
        max_length=300,
        help_text="Countries and US states: US-CA, US-NY, DE. If unknown, enter where the clients do business.",
    )
    people = forms.IntegerField(
        label="Affected people, estimated", min_value=0, max_value=2_000_000_000, required=False
    )
    records = forms.IntegerField(
        label="Affected records, estimated", min_value=0, max_value=2_000_000_000, required=False
    )
    risk = forms.ChoiceField(
        label="Risk to people",
        choices=BreachRisk.choices,
        widget=forms.RadioSelect,
        help_text="If harm is unlikely, GDPR requires no notification of an authority. US state laws may differ.",
    )
    account = _words(
        "Description for notifications",
        help_text="Used in every draft. Leave out the reporter, client names and unconfirmed facts.",
        required=False,
    )
    effects = _words(
        "Likely consequences",
        help_text="Consequences for affected people.",
        required=False,
    )
    remedy = _words("Measures", help_text="Measures taken or planned.", required=False)

    def __init__(self, *args: Any, clients: Sequence[Client], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast(forms.MultipleChoiceField, self.fields["client_ids"])
        field.choices = [(str(client.pk), client.name) for client in clients]

    def clean_places(self) -> tuple[str, ...]:
        chosen = []
        for raw in self.cleaned_data["places"].upper().replace(";", ",").split(","):
            place = raw.strip()
            if not place:
                continue
            country, _, region = place.partition("-")
            if not places.is_place(country, region):
                raise forms.ValidationError(
                    f"{place} is not a known location. Use codes such as US-CA, DE or GB."
                )
            chosen.append(place)
        if not chosen:
            raise forms.ValidationError("Enter at least one location.")
        return tuple(dict.fromkeys(chosen))

    def assessment(self) -> Assessment:
        data = self.cleaned_data
        return Assessment(
            aware_at=data["aware_at"],
            kind=BreachKind(data["kind"]),
            risk=BreachRisk(data["risk"]),
            categories=tuple(data["categories"]),
            places=data["places"],
            client_ids=tuple(int(one) for one in data["client_ids"]),
            began_at=data["began_at"],
            ended_at=data["ended_at"],
            people=data["people"],
            records=data["records"],
            effects=data["effects"],
            remedy=data["remedy"],
            account=data["account"],
        )


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label="Reason",
        min_length=15,
        max_length=1000,
        help_text="At least 15 characters. Stored encrypted.",
        widget=forms.Textarea({"rows": 3, "autocomplete": "off"}),
    )


class NoteForm(forms.Form):
    text = _words("Note", help_text="What was done or found. Stored encrypted.", rows=3)


class ContainForm(_InZone):
    contained_at = _instant("Contained since")


class NoticeForm(_InZone):
    text = forms.CharField(
        label="Text",
        max_length=20000,
        widget=forms.Textarea({"rows": 22, "autocomplete": "off", "spellcheck": "true", "class": "letter"}),
        help_text="Drafted from the assessment. Save the text that you sent.",
    )

    told_at = _instant(
        "Sent at",
        required=False,
        help_text="Leave empty for now.",
    )

    def promised(self) -> date | None:
        """The promised date of an update, if any."""
        return None


class PhasedNoticeForm(NoticeForm):
    """A notification that updates may follow."""

    follows = forms.BooleanField(
        label="An update will follow",
        required=False,
    )
    more_on = DayField(
        label="Update by",
        required=False,
        help_text="The law sets no date. Send updates without undue further delay.",
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("follows") and not data.get("more_on") and "more_on" not in self.errors:
            self.add_error("more_on", "Enter the date of the update.")
        if letters.UNKNOWN in data.get("text", "") and not data.get("follows"):
            self.add_error(
                "follows",
                "The text announces an update. Select this and enter a date, or change the text.",
            )
        return data

    def promised(self) -> date | None:
        return self.cleaned_data["more_on"] if self.cleaned_data["follows"] else None


class CloseForm(forms.Form):
    lessons = _words("Lessons learned and planned changes", help_text="Stored encrypted.")


class ImpactForm(_InZone):
    who = forms.ChoiceField(label="Accessed by", required=False)
    since = _instant("From")
    until = _instant("Until", help_text="Exclusive.")

    def __init__(self, *args: Any, choices: Sequence[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["who"]).choices = [
            ("", "All users, keys and connections"),
            *choices,
        ]

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        since, until = data.get("since"), data.get("until")
        if since and until and since >= until:
            self.add_error("until", "The end must be after the start.")
        elif since and until and until - since > _PERIOD_AT_MOST:
            self.add_error("since", "Choose a period of up to three years.")
        return data
